//! The script side of a call that is up: the version it keeps, the command it waits in, the tape so
//! far and the ladder. When the call is over all of it is sealed, and `on-ended` runs with the record.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use exchange::{Answer, CallId, CallRecord, Failure, Finish, LegInfo, LegKey};
use media::Happening;
use protocol::sip::flow::Flow;
use protocol::sip::message::{Message, Request};
use script::{Reins, Step, Version};
use serde_json::json;
use tokio::sync::oneshot;

use super::dialling::origin;
use super::{Input, Shard, desk, first_line};
use crate::archive::{self, MOST_RUNGS};
use crate::config::Tenant;
use crate::facts::{self, Facts};
use crate::metrics::{OfOutcome, OfTenant};
use crate::shards::{Rung, Wanted};
use crate::words;

/// A call that is up, or whose record is being finished.
pub(super) struct Running {
    pub caller: LegKey,
    tenant: String,
    /// Whoever waits for the command under way.
    pub waiting: Option<oneshot::Sender<Answer>>,
    /// Who took the call first: its `on-ended` runs.
    pub first: Option<First>,
    /// The script that runs, and the hold on its run.
    held: Option<(Arc<str>, Arc<Reins>)>,
    pub tape: Vec<u8>,
    ladder: Vec<Rung>,
    /// Of its queue.
    pub facts: Facts,
    /// The SIP Call-ID of the caller's leg.
    sip_call_id: Box<str>,
}

/// The script that took a call, with the version that the call keeps.
#[derive(Clone)]
pub(super) struct First {
    pub script: Arc<str>,
    pub settings: Arc<str>,
    pub version: Arc<Version>,
    pub caller: LegInfo,
}

/// A run that a killed process left in its middle.
pub(super) struct Ran {
    /// What it asked, and was answered.
    pub steps: Vec<Step>,
    /// The same, as it is on the tape.
    pub written: Vec<u8>,
}

/// How a run of a script ended, and its part of the tape.
pub(super) struct Ended {
    pub script: String,
    /// What ran.
    pub version: Arc<Version>,
    pub run: script::Run,
    /// Its tape begins in another process.
    pub resumed: bool,
}

impl Shard {
    /// The script of a new call, or the one it was handed to.
    pub(super) fn start_script(
        &mut self,
        call: CallId,
        tenant: &str,
        script: &str,
        settings: &str,
        caller: LegInfo,
    ) {
        let Some(version) = self.around.node.scripts.takes(tenant, script, call) else {
            let why = format!("there is no script \"{script}\"");
            self.around.node.count_failure(tenant, script, "missing");
            return self.fail(call, why);
        };
        self.exchange.set_version(call, version.hash());
        if let Some(running) = self.running.get_mut(&call)
            && running.first.is_none()
        {
            running.first = Some(First {
                script: script.into(),
                settings: settings.into(),
                version: version.clone(),
                caller: caller.clone(),
            });
            running.facts.keep(&self.around.node, tenant, call);
        }
        let Some(tenant) = self.world.tenant(tenant).cloned() else {
            return self.fail(call, "its tenant is no longer configured".into());
        };
        let start = script::Start {
            call,
            tenant: tenant.name.clone(),
            script: script.into(),
            caller,
            settings: settings.into(),
            seed: call.0 as u64,
            started: self.exchange.wall(Instant::now()),
            ended: None,
            changed: None,
        };
        self.run_script(call, tenant, version, start, None);
    }

    /// Runs a script for a call, or goes on with a run of an earlier process.
    pub(super) fn run_script(
        &mut self,
        call: CallId,
        tenant: Arc<Tenant>,
        version: Arc<Version>,
        start: script::Start,
        past: Option<Ran>,
    ) {
        let reins = Arc::new(Reins::default());
        if let Some(running) = self.running.get_mut(&call) {
            running.held = Some((start.script.clone(), reins.clone()));
        }
        let (shards, number) = (self.shards.clone(), self.number);
        let script = start.script.to_string();
        let shard = (self.shards.clone(), self.number);
        let elsewhere = version.begins_elsewhere();
        let ran = version.clone();
        let resumed = past.is_some();
        let (steps, mut written) = past.map_or_else(Default::default, |past| (past.steps, past.written));
        let run =
            desk::run(&self.around.node, tenant, version, start, steps, shard, reins, move |mut run| {
                written.append(&mut run.tape);
                run.tape = written;
                let ended = Ended { script, version: ran, run, resumed };
                shards.boxes[number].push(Input::Finished(call, Box::new(ended)));
            });
        self.begin_run(Some(call), run, elsewhere);
    }

    /// The hold on the run of a call's script, while one runs.
    pub(super) fn reins(&self, tenant: &str, call: CallId) -> Option<Arc<Reins>> {
        let running = self.running.get(&call).filter(|running| running.tenant == tenant)?;
        running.held.as_ref().map(|(_, reins)| reins.clone())
    }

    /// The call's script goes on with this version, which is the one to run after the call as well.
    pub(super) fn call_moved(&mut self, call: CallId, to: Arc<Version>) {
        let Some(running) = self.running.get_mut(&call) else { return };
        if let (Some(first), Some((script, _))) = (&mut running.first, &running.held)
            && first.script == *script
        {
            self.exchange.version_changed(call, to.hash());
            first.version = to;
        }
    }

    /// A run of the call's script ended.
    pub(super) fn script_ended(&mut self, now: Instant, call: CallId, ended: Ended) {
        let Some(running) = self.running.get_mut(&call) else { return };
        running.waiting = None;
        running.held = None;
        running.tape.extend_from_slice(&ended.run.tape);
        let tenant = running.tenant.clone();
        let node = &self.around.node;
        node.metrics.note_run(&tenant, &ended.script, &ended.version, &ended.run);
        if let Some(configured) = self.world.tenant(&tenant).filter(|_| !ended.resumed) {
            node.watch_run(configured, &ended.script, &ended.version, &ended.run);
        }
        let Some((why, name)) = words::failed(&ended.run.finish) else {
            let left = matches!(ended.run.finish, script::Finish::HungUp);
            return self.finish(now, call, if left { Finish::HungUp } else { Finish::Returned });
        };
        tracing::warn!(%call, tenant, script = ended.script, why, "script failed; the call goes to its fallback");
        self.around.node.count_failure(&tenant, &ended.script, name);
        self.finish(now, call, Finish::Failed { why });
    }

    pub(super) fn fail(&mut self, call: CallId, why: String) {
        tracing::warn!(%call, why, "the call goes to its fallback");
        self.finish(Instant::now(), call, Finish::Failed { why });
    }

    pub(super) fn finish(&mut self, now: Instant, call: CallId, finish: Finish) {
        self.with_people(|exchange, people, effects| {
            exchange.handle_finish(now, call, finish, people, effects)
        });
    }

    /// The call is over: its record is sealed with its tape, and its script hears of it.
    pub(super) fn call_over(&mut self, record: CallRecord) {
        let Some(running) = self.running.remove(&record.id) else { return };
        self.foreign_ids.remove(&running.sip_call_id);
        let around = &self.around;
        let of = OfTenant { tenant: record.tenant.clone() };
        around.node.metrics.calls_up.get_or_create(&of).dec();
        let of = OfOutcome { tenant: record.tenant.clone(), outcome: record.outcome.name().into() };
        around.node.metrics.calls.get_or_create(&of).inc();
        let told = json!({
            "call": record.id.to_string(),
            "outcome": record.outcome,
            "wait": record.wait.as_secs_f64(),
            "talk": record.talk.as_secs_f64(),
        });
        around.node.events.publish(&record.tenant, "call.ended", told);
        let node = around.node.clone();
        let (tenant, id) = (record.tenant.clone(), record.id);
        let kept = move |result| match result {
            Ok(()) => node.events.publish(&tenant, "call.recorded", json!({ "call": id.to_string() })),
            Err(why) => {
                node.metrics.store_failures.inc();
                tracing::error!(call = %id, %why, "call record not kept");
            }
        };
        let facts = running.facts.entries();
        let mut tape = running.tape;
        let mut on_ended =
            running.first.zip(self.world.tenant(&record.tenant).cloned()).map(|(first, tenant)| {
                let start = desk::start_of_ended(&tenant, &first, &record);
                (first.version, start, tenant)
            });
        let nothing =
            on_ended.as_ref().and_then(|(version, start, _)| version.component().nothing_after(start));
        if let Some(segment) = nothing {
            tape.extend_from_slice(&segment);
            on_ended = None;
        }
        let sealed = [tape.as_slice(), &facts].concat();
        archive::seal(&around.node, &record, running.facts.queue(), &sealed, &running.ladder, Box::new(kept));
        let traced = around.node.traces.is_on().then(|| record.clone());
        if on_ended.is_none()
            && let Some(record) = traced.clone()
        {
            around.node.traces.offer(record, sealed);
        }
        if let Some((version, start, tenant)) = on_ended {
            let node = around.node.clone();
            let of = (record.tenant.clone(), record.id);
            let elsewhere = version.begins_elsewhere();
            let run = desk::run_beside(&around.node, tenant, version, start);
            let run = Box::pin(async move {
                tape.extend_from_slice(&run.await.tape);
                tape.extend_from_slice(&facts);
                archive::add_tape(&node, &of.0, of.1, &tape);
                if let Some(record) = traced {
                    node.traces.offer(record, tape);
                }
            });
            self.begin_run(None, run, elsewhere);
        }
    }

    /// Nobody answered an attempt to call somebody back: nothing is kept of it.
    pub(super) fn attempt_over(&mut self, call: CallId) {
        let Some(running) = self.running.remove(&call) else { return };
        self.around.node.metrics.calls_up.get_or_create(&OfTenant { tenant: running.tenant }).dec();
    }

    // The ladder: every message of the call's SIP, and what its sound did.

    /// A call begins: its ladder, with the INVITE that brought it.
    pub(super) fn begin_trace(
        &mut self,
        now: Instant,
        call: CallId,
        caller: LegKey,
        tenant: &str,
        request: &Request,
        flow: &Flow,
    ) {
        let sip_call_id = request.call_id().unwrap_or_default();
        self.foreign_ids.insert(sip_call_id.into(), call);
        let what = format!(
            "{} {} from {} by {}",
            request.method.as_str(),
            request.uri,
            flow.remote,
            flow.transport.as_str()
        );
        let line = Rung { at: self.exchange.wall(now), from: "caller".into(), to: "exchange".into(), what };
        self.keep_running(call, caller, tenant, vec![line], sip_call_id);
    }

    /// A call of an earlier process goes on: its ladder, which begins anew.
    pub(super) fn begin_resumed(
        &mut self,
        now: Instant,
        call: CallId,
        caller: LegKey,
        tenant: &str,
        sip_call_id: &str,
    ) {
        self.foreign_ids.insert(sip_call_id.into(), call);
        let what = "the exchange was started again".into();
        let line = Rung { at: self.exchange.wall(now), from: "exchange".into(), to: "exchange".into(), what };
        self.keep_running(call, caller, tenant, vec![line], sip_call_id);
    }

    /// A call that somebody who is not on a telephone asked for: rings for its caller.
    pub(super) fn originate(
        &mut self,
        now: Instant,
        tenant: &str,
        wanted: Wanted,
    ) -> Result<CallId, Failure> {
        let Some(configured) = self.world.tenant(tenant) else { return Err(Failure::Unreachable) };
        let origin = origin(configured, wanted);
        let call =
            self.with_people(|exchange, people, effects| exchange.originate(now, origin, people, effects))?;
        // Until someone answers no leg is the caller's.
        self.keep_running(call, LegKey(0), tenant, Vec::new(), "");
        self.settle(now);
        Ok(call)
    }

    pub(super) fn keep_running(
        &mut self,
        call: CallId,
        caller: LegKey,
        tenant: &str,
        ladder: Vec<Rung>,
        sip_call_id: &str,
    ) {
        self.around.node.metrics.calls_up.get_or_create(&OfTenant { tenant: tenant.into() }).inc();
        let (tenant, sip_call_id) = (tenant.into(), sip_call_id.into());
        self.running.insert(
            call,
            Running {
                caller,
                tenant,
                waiting: None,
                first: None,
                held: None,
                tape: Vec::new(),
                ladder,
                facts: Facts::default(),
                sip_call_id,
            },
        );
    }

    /// A script is about to run for a call: by which Call-ID its caller is known, if it was begun here.
    pub(super) fn know_caller(&mut self, call: CallId) {
        let Some(running) = self.running.get_mut(&call).filter(|it| it.sip_call_id.is_empty()) else {
            return;
        };
        if let Some(sip_call_id) = self.exchange.sip_call_id_of_caller(call) {
            running.sip_call_id = sip_call_id.into();
            self.foreign_ids.insert(sip_call_id.into(), call);
        }
    }

    pub(super) fn trace_arrival(&mut self, now: Instant, message: &Message) {
        let Some(id) = message.headers().get(protocol::sip::headers::HeaderName::CallId) else { return };
        let Some((call, party)) = self.party_of(id) else { return };
        let what = match message {
            Message::Request(request) => request.method.as_str().to_string(),
            Message::Response(response) => {
                let method = response.cseq().map(|cseq| cseq.method.as_str().to_string()).unwrap_or_default();
                format!("{} {} ({method})", response.status, response.reason)
            }
        };
        self.trace(now, call, party, "exchange".into(), what);
    }

    pub(super) fn trace_departure(&mut self, now: Instant, bytes: &Bytes) {
        let Some(id) = header(bytes, b"\r\nCall-ID: ") else { return };
        let Some((call, party)) = self.party_of(id) else { return };
        let line = first_line(bytes);
        let what = match line.strip_prefix("SIP/2.0 ") {
            Some(status) => {
                let cseq = header(bytes, b"\r\nCSeq: ").unwrap_or_default();
                format!("{status} ({})", cseq.rsplit(' ').next().unwrap_or_default())
            }
            None => line.split(' ').next().unwrap_or_default().to_string(),
        };
        self.trace(now, call, "exchange".into(), party, what);
    }

    pub(super) fn trace_sound(&mut self, call: CallId, leg: exchange::LegNo, what: &Happening) {
        let text = match what {
            Happening::Digit { digit, .. } => format!("key {digit}"),
            Happening::FirstPacket => "first packet".into(),
            Happening::Timeout => "no sound".into(),
            Happening::NoKeys => "no keys for encrypted sound".into(),
            Happening::Recorded { name, length, .. } => format!("recorded {name}, {} ms", length.as_millis()),
            Happening::PlayEnded { .. } | Happening::DigitsSent { .. } | Happening::Closed(_) => return,
        };
        self.trace(Instant::now(), call, party(leg.0), "media".into(), text);
    }

    pub(super) fn trace(&mut self, now: Instant, call: CallId, from: String, to: String, what: String) {
        let at = self.exchange.wall(now);
        let Some(running) = self.running.get_mut(&call) else { return };
        match running.ladder.len() {
            n if n < MOST_RUNGS => running.ladder.push(Rung { at, from, to, what }),
            MOST_RUNGS => {
                let what = "further ones are left out".into();
                running.ladder.push(Rung { at, from, to, what });
            }
            _ => {}
        }
    }

    /// The lines so far of a call that is up.
    pub(super) fn ladder_so_far(&self, tenant: &str, call: CallId) -> Option<Vec<Rung>> {
        self.running
            .get(&call)
            .filter(|running| running.tenant == tenant)
            .map(|running| facts::in_order(running.ladder.clone(), running.facts.rungs()))
    }

    /// Something became of a call that its script did not ask for.
    pub(super) fn note_fact(&mut self, call: CallId, fact: script::Fact) {
        let Some(running) = self.running.get_mut(&call) else { return };
        running.facts.add(fact);
        // Without a script the call may be one that looks for an agent to call back, of which nothing is kept.
        if running.first.is_some() {
            running.facts.keep(&self.around.node, &running.tenant, call);
        }
    }

    /// Which call and leg a SIP Call-ID belongs to: the caller's are listed, ours name both.
    fn party_of(&self, sip_call_id: &str) -> Option<(CallId, String)> {
        if let Some(call) = self.foreign_ids.get(sip_call_id) {
            return Some((*call, party(0)));
        }
        let (id, rest) = sip_call_id.split_once('.')?;
        let leg = rest.split('@').next()?.parse::<u32>().ok()?;
        Some((id.parse::<CallId>().ok()?, party(leg)))
    }
}

fn party(leg: u32) -> String {
    if leg == 0 { "caller".into() } else { format!("leg {leg}") }
}

/// A header's value in a message that we wrote ourselves.
fn header<'a>(bytes: &'a [u8], name: &[u8]) -> Option<&'a str> {
    let at = bytes.windows(name.len()).position(|window| window == name)? + name.len();
    let end = bytes[at..].iter().position(|byte| *byte == b'\r')?;
    std::str::from_utf8(&bytes[at..at + end]).ok()
}
