//! Calls of a killed process go on: their dialogs, legs and places in queues as they were kept, their scripts
//! from their tapes. Each telephone is told by a re-INVITE where its sound goes now, and the script is
//! resumed when the caller's has answered. Telephones of calls that can't go on are told that it is over.
//!
//! While a call is up, what the next process must know of it is written at the end of the turn in which it
//! changed, with the turn's tapes.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use exchange::{CallId, Event, Finish, LegKey, LegNo};
use protocol::sdp::LocalMedia;
use protocol::sip::flow::Flow;
use protocol::sip::stack::{Credentials, NotRestored, SessionId};
use script::{Segment, Version};

use super::Shard;
use super::lines::Line;
use super::running::{First, Ran};
use crate::archive;
use crate::config::Tenant;
use crate::events::wall;
use crate::facts::Facts;
use crate::recovery::{self, Found, Kept, KeptLine};

/// A telephone whose connection went with the last process may come back on a new one for so long; most register
/// again as soon as they notice.
const COME_BACK: Duration = Duration::from_secs(20);
/// What the BYE of a call that can't go on says (RFC 3326): Q.850 41, temporary failure.
const LOST: &str = "Q.850;cause=41;text=\"The exchange was restarted\"";

/// Calls that are being taken up.
#[derive(Default)]
pub(super) struct Recovery {
    /// Sessions whose telephones do not know yet where their sound goes.
    anchoring: HashMap<SessionId, Anchoring>,
    /// Scripts that wait for their caller's.
    scripts: HashMap<CallId, Resume>,
    /// Something of these has changed that a restart must know.
    changed: Vec<CallId>,
}

/// A telephone that is being told.
struct Anchoring {
    leg: LegKey,
    offer: Bytes,
    /// The user whose telephone may come back on a connection of its own.
    user: Option<String>,
    /// It could not be reached, and may come back until then.
    until: Option<Instant>,
}

/// A run that is to go on.
struct Resume {
    version: Arc<Version>,
    segment: Segment,
    /// The run so far, as it is on the tape.
    written: Vec<u8>,
}

impl Shard {
    /// At the end of the turn: what a restart must know of this call is another thing now.
    pub(super) fn keep_later(&mut self, call: CallId) {
        if self.recovery.changed.last() != Some(&call) {
            self.recovery.changed.push(call);
        }
    }

    /// Writes what a restart must know of the calls that have changed.
    pub(super) fn keep_calls(&mut self, now: Instant) {
        if self.recovery.changed.is_empty() {
            return;
        }
        let mut changed = std::mem::take(&mut self.recovery.changed);
        changed.sort_unstable();
        changed.dedup();
        if !self.world.node.recover_calls {
            return;
        }
        for id in changed {
            let Some((call, legs)) = self.exchange.kept_call(now, id) else { continue };
            let lines = legs.into_iter().filter_map(|(no, key)| self.kept_line(no, key)).collect();
            let kept = Kept { call, lines };
            let node = &self.around.node;
            if let Err(why) = archive::gather(node, &kept.call.tenant, id, &kept.entry()) {
                tracing::warn!(call = %id, %why, "the call's legs are not kept; a crash would lose it");
            }
        }
    }

    fn kept_line(&self, no: LegNo, key: LegKey) -> Option<KeptLine> {
        let line = self.lines.get(key)?;
        Some(KeptLine {
            no,
            session: self.stack.keep(line.session?)?,
            media: line.local.as_ref()?.keep(),
            codec: line.negotiated.map(|agreed| agreed.codec),
            trunk: line.trunk.clone(),
            max_forwards: line.max_forwards,
        })
    }

    /// The calls of this shard that the last process left.
    pub(super) fn take_up_calls(&mut self, now: Instant, found: Vec<Found>) {
        for found in found {
            let taken = match found.lost {
                Some(_) => Err(None),
                None => self.take_up(now, &found).map_err(Some),
            };
            match taken {
                Ok(()) => {
                    self.around.node.metrics.calls_resumed.inc();
                }
                Err(why) => {
                    if let Some(why) = why {
                        recovery::close(&self.around.node, &found, wall(), why);
                    }
                    self.say_goodbye(now, &found.kept.lines);
                }
            }
        }
        self.settle(now);
    }

    /// Ends the dialogs of a call that does not go on.
    fn say_goodbye(&mut self, now: Instant, lines: &[KeptLine]) {
        for line in lines {
            match self.stack.restore(now, &line.session, None) {
                Ok(session) => self.stack.hang_up(now, session, Some(LOST), &mut self.outputs),
                Err(why) => tracing::warn!(call = line.session.call_id(), %why, "a telephone can't be told"),
            }
        }
    }

    fn take_up(&mut self, now: Instant, found: &Found) -> Result<(), &'static str> {
        let tenant = self.world.tenant(&found.kept.call.tenant).cloned();
        let tenant = tenant.ok_or("its tenant is no longer configured")?;
        let tape = found.tape.as_ref().ok_or("its script had not begun")?;
        let first = tape.segments.first().ok_or("its script had not begun")?;
        let caller = found.kept.lines.iter().find(|line| line.no == LegNo::CALLER);
        let caller = caller.ok_or("its caller's dialog was not kept")?;
        let sip_call_id = caller.session.call_id().to_owned();
        // Before anything else is done, since it is what may fail.
        let mut sessions: HashMap<LegNo, (SessionId, &KeptLine)> = HashMap::new();
        for line in &found.kept.lines {
            let trunk = line.trunk.as_deref().and_then(|name| tenant.trunk(name));
            let secret = trunk.and_then(|trunk| trunk.user.as_ref().zip(trunk.password.as_ref()));
            let credentials = secret.map(|(user, password)| Credentials {
                user: user.as_str().into(),
                password: password.expose().into(),
            });
            match self.stack.restore(now, &line.session, credentials) {
                Ok(session) => {
                    if let Some(trunk) = trunk {
                        let authority = self.around.transports.authority(&tenant.name, &trunk.name);
                        self.stack.set_authority(session, authority);
                    }
                    sessions.insert(line.no, (session, line));
                }
                Err(why) if line.no == LegNo::CALLER => return Err(not_restored(why)),
                Err(why) => tracing::warn!(call = %found.call(), leg = line.no.0, %why, "a leg is lost"),
            }
        }
        let mut kept = found.kept.call.clone();
        kept.set_headers(first.start.caller.headers.clone());
        let (id, past) = (found.call(), archive::past(tape));
        let in_last_resort = kept.is_in_last_resort();
        let keys = self.with_people(|exchange, people, effects| {
            exchange.restore_call(now, kept, &past, people, effects)
        });
        let Some(keys) = keys else {
            let sessions: Vec<_> = sessions.into_values().collect();
            for (session, _) in sessions {
                self.stack.hang_up(now, session, Some(LOST), &mut self.outputs);
            }
            return Err("what was kept of it makes no sense");
        };
        let caller_key = keys.iter().find(|(no, _)| *no == LegNo::CALLER).map_or(LegKey(0), |(_, key)| *key);
        self.begin_resumed(now, id, caller_key, &tenant.name, &sip_call_id);
        let version_of = |segment: &Segment| {
            let (tenant, start, scripts) = (&tenant.name, &segment.start, &self.around.node.scripts);
            // One that is gone has the tape decide whether another does.
            let took = scripts.took(tenant, &start.script, &segment.version);
            took.or_else(|| scripts.takes(tenant, &start.script, id))
        };
        let (ended, written) = script::tape::runs(&found.bytes);
        let last = tape.segments.last().expect("a tape has a segment");
        let versions = (version_of(first), version_of(last));
        if let Some(running) = self.running.get_mut(&id) {
            running.tape = ended;
            running.facts = Facts::restored(tape.facts.clone());
            running.first = versions.0.map(|version| First {
                script: first.start.script.clone(),
                settings: first.start.settings.clone(),
                version,
                caller: first.start.caller.clone(),
            });
        }
        for (no, key) in keys {
            let user = found.kept.call.user(no);
            match sessions.remove(&no) {
                Some((session, line)) => {
                    self.anchor(now, (id, no, key), (&tenant, user), session, line);
                }
                None => self.reports.push_back((key, Event::Ended)),
            }
        }
        self.keep_later(id);
        if in_last_resort {
            return Ok(());
        }
        match (&last.finish, versions.1) {
            (Some((_, finish)), _) => {
                let finish = match finish {
                    script::Finish::Returned | script::Finish::HandedOver { .. } => Finish::Returned,
                    script::Finish::HungUp => Finish::HungUp,
                    other => Finish::Failed { why: crate::words::finish(other) },
                };
                self.finish(now, id, finish);
            }
            (None, Some(version)) => {
                let resume = Resume { version, segment: last.clone(), written };
                self.recovery.scripts.insert(id, resume);
            }
            (None, None) => self.fail(id, format!("there is no script \"{}\"", last.start.script)),
        }
        Ok(())
    }

    /// Opens a stream for a leg and tells its telephone.
    fn anchor(
        &mut self,
        now: Instant,
        (call, no, key): (CallId, LegNo, LegKey),
        (tenant, user): (&Tenant, Option<&str>),
        session: SessionId,
        kept: &KeptLine,
    ) {
        let user = user.map(str::to_owned);
        let comes_back = user.clone().filter(|_| kept.session.was_connected());
        let anchoring = Anchoring { leg: key, offer: Bytes::new(), user: comes_back, until: None };
        self.recovery.anchoring.insert(session, anchoring);
        let line = Line::new(
            call,
            no,
            tenant.name.to_string(),
            Some(session),
            kept.trunk.clone(),
            kept.max_forwards,
        );
        let line = Line { user, ..line };
        let codecs = self.codecs(&line, kept.codec);
        self.lines.insert(key, line);
        // One thread has all of a call's streams where it can.
        let caller = self.running.get(&call).and_then(|running| self.lines.get(running.caller)?.stream);
        let Ok(stream) = self.around.media.open(key.0, caller) else {
            self.stack.hang_up(now, session, Some(LOST), &mut self.outputs);
            return self.reports.push_back((key, Event::Ended));
        };
        let address = self.address_towards(stream.address, kept.session.remote());
        let protection = self.protection(tenant, kept.trunk.as_deref(), kept.session.transport());
        let (mut local, flows) = LocalMedia::restore(address, kept.media.clone(), protection);
        let offer = Bytes::from(local.offer(&codecs, flows));
        if let Some(anchoring) = self.recovery.anchoring.get_mut(&session) {
            anchoring.offer = offer.clone();
        }
        if let Some(line) = self.lines.get_mut(key) {
            line.stream = Some(stream.id);
            line.local = Some(local);
        }
        self.stack.reinvite(now, session, Some(offer), &mut self.outputs);
    }

    /// A telephone knows where its sound goes now, or does not want to, or is gone.
    pub(super) fn anchored(&mut self, now: Instant, session: SessionId, there: bool) {
        let Some(Anchoring { leg: key, .. }) = self.recovery.anchoring.remove(&session) else { return };
        if !there && self.lines.of_session(session).is_some() {
            // It would send to a port that is gone and hear nothing.
            self.stack.hang_up(now, session, Some(LOST), &mut self.outputs);
            self.reports.push_back((key, Event::Ended));
        }
        let Some(line) = self.lines.get(key) else { return };
        let (call, no) = (line.call, line.no);
        self.keep_later(call);
        if no == LegNo::CALLER {
            self.resume_script(call);
        }
    }

    /// The re-INVITE was refused. One that was not reached may come back.
    pub(super) fn not_anchored(&mut self, now: Instant, session: SessionId) {
        match self.recovery.anchoring.get_mut(&session) {
            Some(Anchoring { user: Some(_), until: until @ None, .. }) => *until = Some(now + COME_BACK),
            _ => self.anchored(now, session, false),
        }
    }

    /// A user's telephone registers on this flow: if it is one that was not reached, it is told there.
    pub(super) fn came_back(&mut self, now: Instant, tenant: &str, user: &str, flow: Flow) {
        let waits =
            |anchoring: &Anchoring| anchoring.until.is_some() && anchoring.user.as_deref() == Some(user);
        for (session, anchoring) in self.recovery.anchoring.iter_mut().filter(|(_, one)| waits(one)) {
            if self.lines.get(anchoring.leg).is_some_and(|line| line.tenant == tenant) {
                (anchoring.user, anchoring.until) = (None, None);
                self.stack.redirect(*session, flow);
                self.stack.reinvite(now, *session, Some(anchoring.offer.clone()), &mut self.outputs);
            }
        }
    }

    /// When the next telephone is given up that has not come back.
    pub(super) fn next_given_up(&self) -> Option<Instant> {
        self.recovery.anchoring.values().filter_map(|anchoring| anchoring.until).min()
    }

    /// Gives up the telephones that have not come back.
    pub(super) fn give_up(&mut self, now: Instant) {
        let late = |(session, anchoring): (&SessionId, &Anchoring)| {
            anchoring.until.is_some_and(|until| until <= now).then_some(*session)
        };
        let late: Vec<SessionId> = self.recovery.anchoring.iter().filter_map(late).collect();
        late.into_iter().for_each(|session| self.anchored(now, session, false));
    }

    /// The caller's telephone is there, or has left: the script goes on and sees.
    fn resume_script(&mut self, call: CallId) {
        let Some(Resume { version, segment, written }) = self.recovery.scripts.remove(&call) else { return };
        let Some(tenant) = self.world.tenant(&segment.start.tenant).cloned() else {
            return self.fail(call, "its tenant is no longer configured".into());
        };
        let past = Ran { steps: segment.steps, written };
        self.run_script(call, tenant, version, segment.start, Some(past));
    }
}

fn not_restored(why: NotRestored) -> &'static str {
    match why {
        NotRestored::Unreadable => "its caller's dialog can't be read",
        NotRestored::NotOurs => "the exchange has another number of shards now",
        NotRestored::Known => "its caller's dialog is here already",
        NotRestored::Full => "there are too many calls",
    }
}
