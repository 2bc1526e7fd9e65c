//! Calls between wire and exchange: what a SIP stack tells becomes an event of a leg, what the
//! exchange wants becomes a verb of the stack. Offers and answers are made here, since only here both
//! the session and the stream are known.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Instant;

use bytes::Bytes;
use exchange::{
    Arrival, Cause, Destination as Goal, Direction, Event, Invite as Begin, LegKey, LegNo, Signal,
};
use media::Command;
use protocol::sdp::{Codec, Description, Direction as Flows, LocalMedia, Negotiated, Protection, Refusal};
use protocol::sip::flow::Flow;
use protocol::sip::message::Request;
use protocol::sip::stack::{Cause as Why, EndedBy, Event as Told, Invite, Peer, Security, SessionId, With};
use protocol::sip::uri::Uri;

use super::carriers::Seen;
use super::dialling::{dialled, meant, route, user_part};
use super::lines::{Elsewhere, Line};
use super::places::{Nowhere, Other, PLACE_SILENCE};
use super::replacing::Aim;
use super::{Input, RINGING, Shard, identity};
use crate::bans::Offence;
use crate::config::Tenant;
use crate::metrics::OfOutcome;
use crate::stir::passport::Invalid;
use crate::stir::{self, Judged, Verification};

/// Headers of a trusted side that a script may read, and their bytes together; more are left out.
const MOST_HEADERS: usize = 64;
const MOST_HEADER_BYTES: usize = 8 << 10;
/// No leg has this key: a transfer that names a session which is not ours finds nobody.
const NO_LEG: LegKey = LegKey(0);
/// RFC 3261 §8.1.1.6: the recommended start of Max-Forwards.
pub(super) const MAX_FORWARDS: u8 = 70;

/// A call as it arrived.
pub(super) struct Held {
    pub request: Box<Request>,
    pub flow: Flow,
    pub peer: Peer,
    pub offer: Option<Bytes>,
}

impl Shard {
    /// Something that the SIP stack tells.
    pub(super) fn signalled(&mut self, now: Instant, event: Told) {
        match event {
            Told::Invited { session, request, flow, peer, offer } => {
                if let Peer::User { .. } = peer {
                    self.around.node.bans.proved(now, flow.remote.ip());
                }
                self.invited(now, session, Held { request, flow, peer, offer }, false);
            }
            Told::Progress { session, status, sdp, .. } => {
                let Some((leg, line)) = self.lines.of_session(session) else { return };
                // Somebody is there. A 503 may still follow, but not silence.
                if let Some(elsewhere) = &mut line.elsewhere {
                    elsewhere.silent_at = now + RINGING;
                }
                if status > 100 {
                    self.judge_trunk(now, leg, Seen::Rings);
                    self.rings_under_name(now, leg);
                }
                let event = match status {
                    100 => Event::Trying,
                    _ => Event::Ringing { early_media: sdp.is_some_and(|sdp| self.agree(leg, &sdp)) },
                };
                self.reports.push_back((leg, event));
            }
            Told::Answered { session, sdp, .. } => {
                let Some((leg, line)) = self.lines.of_session(session) else { return };
                // Some phones leave out of the 200 what their 183 said.
                let agreed = match sdp {
                    Some(sdp) => self.agree(leg, &sdp),
                    None => line.negotiated.is_some(),
                };
                self.lines.can_go_elsewhere(leg, None);
                self.judge_trunk(now, leg, Seen::Answers);
                if agreed {
                    self.reports.push_back((leg, Event::Answered));
                } else {
                    // It took the call and its answer can't be used: neither side would hear the other.
                    self.stack.hang_up(now, session, None, &mut self.outputs);
                    self.reports.push_back((leg, Event::Refused { status: 488, silent: false }));
                }
            }
            Told::Refused { session, status, cause, contacts, .. } => {
                if matches!(status, 488 | 606) && self.insist(now, session) {
                    return;
                }
                if (cause != Why::Remote || status == 503) && self.go_elsewhere(now, session) {
                    return;
                }
                let Some(leg) = self.lines.end_session(session) else { return };
                let to = self.elsewhere(leg, &contacts);
                let silent = cause != Why::Remote;
                self.judge_trunk(now, leg, Seen::Refuses { status, silent });
                self.close_stream(leg);
                let event = match to.is_empty() {
                    true => Event::Refused { status, silent },
                    false => Event::Redirected { status, to },
                };
                self.reports.push_back((leg, event));
            }
            Told::Acked { session, sdp } => {
                // After an INVITE without an offer ours was in the 2xx, and this is its answer.
                if let (Some((leg, _)), Some(sdp)) = (self.lines.of_session(session), sdp)
                    && self.agree(leg, &sdp)
                {
                    self.held_or_not(leg);
                }
            }
            Told::Reinvited { session, offer } => self.reinvited(now, session, offer),
            Told::ReinviteAnswered { session, sdp } => {
                let mut agreed = false;
                if let (Some((leg, line)), Some(sdp)) = (self.lines.of_session(session), sdp) {
                    let call = line.call;
                    agreed = self.agree(leg, &sdp);
                    self.keep_later(call);
                }
                self.anchored(now, session, agreed);
            }
            // The session is as it was.
            Told::ReinviteRefused { session, .. } => self.not_anchored(now, session),
            Told::RefreshDue { session } => {
                let local = self.lines.of_session(session).and_then(|(_, line)| line.local.as_mut());
                if let Some(same) = local.and_then(LocalMedia::again) {
                    self.stack.reinvite(now, session, Some(same.into()), &mut self.outputs);
                }
            }
            Told::Info { session, content_type, body } => {
                let key = protocol::rtp::dtmf::read_info(&content_type, &body);
                if let (Some((_, line)), Some((digit, duration))) = (self.lines.of_session(session), key)
                    && let Some(stream) = line.stream
                {
                    self.media(stream, Command::Digit { digit, duration });
                }
            }
            Told::Referred { session, to, with } => self.referred(now, session, &to, with),
            Told::Ended { session, by, .. } => {
                self.held.remove(&session);
                self.anchored(now, session, true);
                let Some(leg) = self.lines.end_session(session) else { return };
                self.close_stream(leg);
                if by != EndedBy::Local {
                    self.reports.push_back((leg, Event::Ended));
                }
            }
            Told::Register { id, tenant, user, request, flow } => {
                self.around.node.bans.proved(now, flow.remote.ip());
                self.register(now, id, &tenant, &user, &request, flow);
            }
            Told::ProbeAnswered { id, .. } => self.probed(now, id, true),
            Told::ProbeFailed { id } => self.probed(now, id, false),
            Told::BindingAnswered { id, answer } => {
                self.asked_there(now, id.0, true);
                let turn = self.bindings.answered(now, id, answer);
                self.binding_turned(turn);
            }
            Told::BindingFailed { id } => {
                self.asked_there(now, id.0, false);
                let turn = self.bindings.failed(now, id, "no answer");
                self.binding_turned(turn);
            }
            Told::Subscribed { id, tenant, user, to, package } => {
                self.subscribed(now, id, (&tenant, &user), &to, package);
            }
            Told::SubscribedAgain { id } => self.subscribed_again(now, id),
            Told::Unsubscribed { id } => self.unsubscribed(id),
            Told::Message { id, tenant, user, to, content_type, body } => {
                self.message_came(now, id, (&tenant, &user), &to, (&content_type, &body));
            }
            Told::Published { id, tenant, user, request } => {
                self.published(now, id, (&tenant, &user), &request);
            }
            Told::Security { what, flow } => self.offended(now, what, &flow),
        }
    }

    /// Somebody showed no password, a wrong one, or nothing of sense.
    fn offended(&self, now: Instant, what: Security, flow: &Flow) {
        let node = &self.around.node;
        let offence = match what {
            Security::Challenged => Some(Offence::Challenged),
            Security::Malformed => Some(Offence::Malformed),
            Security::Refused => Some(Offence::Refused),
            Security::BadCredentials => Some(Offence::WrongPassword),
            Security::Overload => None,
        };
        if what != Security::Challenged {
            node.metrics.sip_refused.inc();
            tracing::info!(?what, from = %flow.remote, "refused");
        }
        let Some(offence) = offence else { return };
        let from = flow.remote.ip();
        let is_carrier = || !self.world.trunks_by_source(from).is_empty();
        if let Some(length) = node.bans.note(now, from, offence, &self.world.sip.bans, is_carrier) {
            node.metrics.sip_bans.inc();
            tracing::warn!(%from, ?length, "banned: it tries passwords or looks for names");
        }
    }

    /// A call arrives: who it is from, who it is for, and which script decides. `waited`: for a certificate, whatever came
    /// of that.
    fn invited(&mut self, now: Instant, session: SessionId, invited: Held, waited: bool) {
        let Held { request, flow, peer, offer } = &invited;
        if let Some(place) = self.stack.replaces(request) {
            return self.invited_to(now, session, &invited, Aim::Replace, place);
        }
        if let Some(place) = self.stack.joins(request) {
            return self.invited_to(now, session, &invited, Aim::Join, place);
        }
        let world = self.world.clone();
        let (Peer::User { tenant, .. } | Peer::Trunk { tenant, .. }) = peer;
        let dialled = match peer {
            Peer::Trunk { name, .. } => {
                let number = meant(&world, tenant, name, request);
                let known = world.tenant(tenant).and_then(|tenant| Some((tenant, tenant.trunk(name)?)));
                known.map_or(number.clone(), |(tenant, trunk)| tenant.heard(trunk, &number))
            }
            Peer::User { .. } => dialled(&request.uri),
        };
        let route = world.tenant(tenant).and_then(|tenant| {
            let by_user = matches!(peer, Peer::User { .. });
            Some((tenant, route(tenant, &dialled, by_user)?))
        });
        let Some((tenant, route)) = route else {
            return self.stack.reject(now, session, 404, "Not Found", &[], &mut self.outputs);
        };
        let (user_name, trunk_name) = match peer {
            Peer::User { name, .. } => (Some(&**name), None),
            Peer::Trunk { name, .. } => (None, Some(&**name)),
        };
        let protection = self.protection(tenant, trunk_name, flow.transport);
        let codecs = tenant.codecs(trunk_name, user_name);
        let offer = match self.judge_offer(flow, &protection, offer.as_ref(), codecs) {
            Ok(offer) => offer,
            Err(refusal) => return self.refuse_offer(now, session, refusal),
        };
        if let Peer::Trunk { name, .. } = peer
            && flow.transport.is_secure()
        {
            self.know_secured_trunk(session, tenant, name, request, flow);
        }
        let call_id = request.call_id().unwrap_or_default();
        let (user, trunk) = (user_name.map(str::to_owned), trunk_name.map(str::to_owned));
        let by = trunk.as_deref().and_then(|name| tenant.trunk(name));
        let trusted = by.is_some_and(|trunk| trunk.trusted);
        let mut from = identity::caller(request, tenant, user.as_deref(), trusted);
        if let Some(trunk) = by {
            from.number = tenant.heard(trunk, &from.number);
        }
        let mut seen = if by.is_some() && trusted { headers(request) } else { Vec::new() };
        if by.is_some() {
            seen.retain(|(name, _)| !stir::OURS.contains(&name.as_str()));
            let certificates = &self.around.node.certificates;
            let caller = || identity::signed_number(request, trusted);
            let wall = self.exchange.wall(now);
            match stir::judge(certificates, now, wall, tenant, request, caller, &dialled) {
                Some(Judged::Wants(url)) if !waited => {
                    return self.wait_for_certificate(session, invited, tenant, url);
                }
                Some(judged) => {
                    let verification = match judged {
                        Judged::Done(verification) => verification,
                        Judged::Wants(_) => Verification::Failed(Invalid::Unavailable),
                    };
                    let (tenant, outcome) = (tenant.name.to_string(), verification.name().to_owned());
                    self.around.node.metrics.identities.get_or_create(&OfOutcome { tenant, outcome }).inc();
                    seen.extend(verification.lines());
                }
                None => {}
            }
        }
        let arrival = Arrival {
            tenant: tenant.name.to_string(),
            from,
            dialled,
            direction: if user.is_some() { Direction::Internal } else { Direction::Inbound },
            headers: seen.into(),
            user: user.clone(),
            trunk: trunk.clone(),
            language: tenant.language.clone(),
            sip_call_id: call_id.to_string(),
            route,
        };
        let max_forwards = request.max_forwards().ok().flatten().unwrap_or(MAX_FORWARDS);
        let (call, leg) =
            self.with_people(|exchange, people, effects| exchange.arrive(now, arrival, people, effects));
        let line = Line::new(
            call,
            LegNo::CALLER,
            tenant.name.to_string(),
            Some(session),
            trunk,
            max_forwards.saturating_sub(1),
        );
        self.lines.insert(leg, Line { user, ..line });
        if self.exchange.leg(leg).is_none() {
            return; // refused for a limit; the effect that says so is under way
        }
        self.begin_trace(now, call, leg, &tenant.name, request, flow);
        if !self.open_stream(leg, flow.remote, None, offer, protection) {
            self.stack.reject(now, session, 503, "No Media Ports", &[], &mut self.outputs);
            self.reports.push_back((leg, Event::Ended));
        }
    }

    /// A description that can't be answered is refused before anyone is asked.
    pub(super) fn judge_offer(
        &self,
        flow: &Flow,
        protection: &Protection,
        offer: Option<&Bytes>,
        codecs: &[Codec],
    ) -> Result<Option<Description>, Refusal> {
        let own = SocketAddr::new(self.around.media.advertised(), 0);
        let portless = LocalMedia::new(self.address_towards(own, flow.remote), 0);
        let portless = portless.with_protection(protection.clone());
        let read = |offer: &Bytes| {
            let offer = Description::read(offer)?;
            portless.judge(&offer, codecs, Flows::SendRecv)?;
            Ok(offer)
        };
        offer.map(read).transpose()
    }

    /// The call goes on when the certificate is there, or can't be had; unless its caller has left by then.
    fn wait_for_certificate(&mut self, session: SessionId, invited: Held, tenant: &Tenant, url: String) {
        let Some(stir) = tenant.stir.clone() else { return };
        self.held.insert(session, invited);
        let (shards, number, node) = (self.shards.clone(), self.number, self.around.node.clone());
        let (name, limits) = (tenant.name.clone(), tenant.limits.clone());
        self.around.node.script_runtime.spawn(async move {
            node.certificates.have(&node.fetcher, name, stir, limits, url).await;
            shards.ask(number, move |shard| {
                let now = Instant::now();
                if let Some(invited) = shard.held.remove(&session) {
                    shard.invited(now, session, invited, true);
                    shard.settle(now);
                }
            });
        });
    }

    /// Later requests of the call go to whoever proves to be this trunk, and calls to the trunk on this connection
    /// where it says that it may be used so (RFC 5923 §5, `alias`).
    fn know_secured_trunk(
        &mut self,
        session: SessionId,
        tenant: &Tenant,
        trunk: &str,
        request: &Request,
        flow: &Flow,
    ) {
        let transports = self.around.transports.clone();
        let authority = transports.authority(&tenant.name, trunk);
        self.stack.set_authority(session, authority);
        // Only who has shown a certificate may be taken for the one that is called.
        let alias = request.top_via().ok().filter(|via| via.params.has("alias"));
        if let Some(via) = alias.filter(|_| transports.certificates().of_flow(flow).is_some()) {
            let port = via.port.unwrap_or(flow.transport.default_port());
            transports.alias(flow, port, authority);
        }
    }

    pub(super) fn refuse_offer(&mut self, now: Instant, session: SessionId, refusal: Refusal) {
        self.stack.reject(now, session, refusal.status(), "", &warning(refusal), &mut self.outputs);
    }

    /// Opens a leg's stream, and answers the caller's offer with it. False: no port is free.
    pub(super) fn open_stream(
        &mut self,
        leg: LegKey,
        remote: SocketAddr,
        beside: Option<media::StreamId>,
        offer: Option<Description>,
        protection: Protection,
    ) -> bool {
        let Ok(stream) = self.around.media.open(leg.0, beside) else { return false };
        let local = LocalMedia::new(self.address_towards(stream.address, remote), leg.0);
        let mut local = local.with_protection(protection);
        let codecs = self.codecs_of(leg);
        let answered = offer.as_ref().and_then(|offer| local.answer(offer, &codecs, Flows::SendRecv).ok());
        let Some(line) = self.lines.get_mut(leg) else { return false };
        line.offer = offer.map(Box::new);
        line.stream = Some(stream.id);
        line.local = Some(local);
        if let Some((answer, negotiated)) = answered {
            line.answer = Some(answer.into());
            self.agreed(leg, negotiated);
        }
        true
    }

    /// What the other side is told to send its sound to: the advertised address, or, where sockets are
    /// bound to every address or it is of the other family, the one that this host has on the way there.
    pub(super) fn address_towards(&self, stream: SocketAddr, remote: SocketAddr) -> SocketAddr {
        let is_v6 = remote.ip().to_canonical().is_ipv6();
        if !stream.ip().is_unspecified() && stream.is_ipv6() == is_v6 {
            return stream;
        }
        let own = crate::signalling::own_address_towards(remote).unwrap_or(stream.ip());
        SocketAddr::new(own, stream.port())
    }

    /// The answer to an offer of ours. False: it can't be used.
    fn agree(&mut self, leg: LegKey, answer: &[u8]) -> bool {
        let Some(local) = self.lines.get_mut(leg).and_then(|line| line.local.as_mut()) else { return false };
        match local.accept(answer) {
            Ok(negotiated) => {
                self.agreed(leg, negotiated);
                self.follow(leg, negotiated.codec);
                true
            }
            Err(why) => {
                tracing::debug!(leg = leg.0, %why, "answer can't be used");
                false
            }
        }
    }

    /// A leg of a call speaks this: its caller, if it has not heard our answer to its offer, is answered with the
    /// same where it offered that, so that sound need not be changed between them.
    fn follow(&mut self, leg: LegKey, codec: Codec) {
        let call = self.lines.get(leg).map(|line| line.call);
        let Some(caller) = call.and_then(|call| self.running.get(&call)).map(|running| running.caller) else {
            return;
        };
        let mut codecs = self.codecs_of(caller);
        codecs.retain(|known| codec.passes_to(*known));
        let Some(line) = self.lines.get_mut(caller).filter(|_| caller != leg) else { return };
        let passes = line.negotiated.is_none_or(|agreed| agreed.codec.passes_to(codec));
        let (Some(offer), Some(local), false) = (&line.offer, line.local.as_mut(), passes) else { return };
        if let Ok((answer, negotiated)) = local.answer(offer, &codecs, Flows::SendRecv) {
            line.answer = Some(answer.into());
            self.agreed(caller, negotiated);
        }
    }

    /// What may be agreed with a leg, the best first: what it speaks already, then as its trunk, user or tenant has it.
    fn codecs_of(&self, leg: LegKey) -> Vec<Codec> {
        let Some(line) = self.lines.get(leg) else { return Codec::ALL.into() };
        let first = line.negotiated.map(|agreed| agreed.codec);
        self.codecs(line, first)
    }

    /// The same, and that one first.
    pub(super) fn codecs(&self, line: &Line, first: Option<Codec>) -> Vec<Codec> {
        let tenant = self.world.tenant(&line.tenant);
        let (trunk, user) = (line.trunk.as_deref(), line.user.as_deref());
        Codec::led_by(first, tenant.map_or(&Codec::ALL, |tenant| tenant.codecs(trunk, user)))
    }

    fn agreed(&mut self, leg: LegKey, negotiated: Negotiated) {
        let Some(line) = self.lines.get_mut(leg) else { return };
        line.negotiated = Some(negotiated);
        if let Some(stream) = line.stream {
            self.media(stream, Command::Negotiated(negotiated));
        }
    }

    /// The other side changes its session: hold, resume, another address or other codecs. What whoever it talks with
    /// speaks is agreed where it offers that, so that sound need not be changed between them; else its own order counts.
    fn reinvited(&mut self, now: Instant, session: SessionId, offer: Option<Bytes>) {
        let Some((leg, _)) = self.lines.of_session(session) else { return };
        let codecs = self.codecs_of(leg);
        let theirs =
            self.lines.partner(leg).and_then(|partner| partner.negotiated).map(|agreed| agreed.codec);
        let shared: Vec<Codec> = codecs
            .iter()
            .copied()
            .filter(|codec| theirs.is_some_and(|theirs| theirs.passes_to(*codec)))
            .collect();
        let Some(line) = self.lines.get_mut(leg) else { return };
        let Some(local) = line.local.as_mut() else { return };
        let Some(offer) = offer else {
            // A holder stays one; a party that was held may come back this way.
            let wished = match local.direction() {
                Flows::SendOnly => Flows::SendOnly,
                _ => Flows::SendRecv,
            };
            let offer = local.offer(&codecs, wished);
            return self.stack.accept_reinvite(now, session, Some(offer.into()), &mut self.outputs);
        };
        let offer = Description::read(&offer).map_err(Refusal::from);
        let answered = offer.and_then(|offer| {
            let allowed =
                if local.judge(&offer, &shared, Flows::SendRecv).is_ok() { &shared } else { &codecs };
            local.answer(&offer, allowed, Flows::SendRecv)
        });
        match answered {
            Ok((answer, negotiated)) => {
                let call = line.call;
                self.agreed(leg, negotiated);
                self.keep_later(call);
                self.stack.accept_reinvite(now, session, Some(answer.into()), &mut self.outputs);
                self.held_or_not(leg);
            }
            Err(refusal) => {
                self.stack.reject_reinvite(
                    now,
                    session,
                    refusal.status(),
                    &warning(refusal),
                    &mut self.outputs,
                );
            }
        }
    }

    /// Reports whether the other side hears nothing from us: hold, in the old form or the new (RFC 3264 §8.4).
    fn held_or_not(&mut self, leg: LegKey) {
        let Some(agreed) = self.lines.get(leg).and_then(|line| line.negotiated) else { return };
        let held = !agreed.direction.sends();
        self.reports.push_back((leg, if held { Event::Held } else { Event::Resumed }));
    }

    /// A telephone asks that someone takes its place. What names this exchange is dialled here; anything
    /// else is an address elsewhere.
    fn referred(&mut self, now: Instant, session: SessionId, to: &Uri, with: With) {
        let Some((leg, line)) = self.lines.of_session(session) else {
            return self.stack.refuse_refer(now, session, 481, &mut self.outputs);
        };
        let tenant = line.tenant.clone();
        let with = match with {
            With::Nobody => None,
            With::Session(session) => Some(self.lines.of_session(session).map_or(NO_LEG, |(leg, _)| leg)),
            With::Unknown => Some(NO_LEG),
        };
        let to = self.target(&tenant, to);
        self.reports.push_back((leg, Event::Transfer { to, with }));
    }

    /// Whether a URI with this host is the tenant's own.
    pub(super) fn is_here(&self, tenant: &str, host: &str) -> bool {
        let domains = self.world.tenant(tenant).map_or(&[][..], |tenant| &tenant.domains);
        let own = self.around.advertised.iter().any(|(_, address)| address.ip().to_string() == host);
        own || self.around.host == host || domains.iter().any(|domain| domain.eq_ignore_ascii_case(host))
    }

    /// What the exchange wants of signalling.
    pub(super) fn signal(&mut self, now: Instant, leg: LegKey, signal: Signal) {
        if let Signal::Invite(begin) = signal {
            return self.begin(now, leg, *begin, false);
        }
        let codecs = self.codecs_of(leg);
        let Some(line) = self.lines.get_mut(leg) else { return };
        let Some(session) = line.session else { return };
        match signal {
            Signal::Ring => self.stack.provisional(now, session, 180, "", None, &mut self.outputs),
            Signal::EarlyMedia => {
                // Whoever made no offer gets ours early where it is sure to arrive.
                if line.answer.is_none()
                    && self.stack.rings_reliably(session)
                    && let Some(local) = line.local.as_mut()
                {
                    line.answer = Some(local.offer(&codecs, Flows::SendRecv).into());
                }
                line.offer = None;
                let sdp = line.answer.clone();
                let status = if sdp.is_some() { 183 } else { 180 };
                self.stack.provisional(now, session, status, "", sdp, &mut self.outputs);
            }
            Signal::Answer => {
                line.offer = None;
                let sdp = match (&line.answer, line.local.as_mut()) {
                    (Some(answer), _) => Some(answer.clone()),
                    (None, Some(local)) => Some(local.offer(&codecs, Flows::SendRecv).into()),
                    (None, None) => None,
                };
                self.stack.answer(now, session, sdp, &mut self.outputs);
            }
            Signal::Refuse { status, reason } => {
                let busy = [("Retry-After".to_string(), "5".to_string())];
                let headers = if status == 503 { &busy[..] } else { &[] };
                self.stack.reject(now, session, status, &reason, headers, &mut self.outputs);
                self.close_stream(leg);
            }
            Signal::HangUp(cause) => {
                self.lines.can_go_elsewhere(leg, None);
                match cause {
                    Cause::SILENT => self.judge_trunk(now, leg, Seen::Refuses { status: 408, silent: true }),
                    Cause::DOES_NOT_RING => self.judge_trunk(now, leg, Seen::DoesNotRing),
                    Cause::NO_ANSWER => self.judge_trunk(now, leg, Seen::RangOut),
                    _ => {}
                }
                let reason = match cause {
                    Cause::AnsweredElsewhere => "SIP;cause=200;text=\"Call completed elsewhere\"".to_string(),
                    Cause::Q850(cause) => format!("Q.850;cause={cause}"),
                };
                self.stack.hang_up(now, session, Some(&reason), &mut self.outputs);
                self.close_stream(leg);
            }
            Signal::Hold | Signal::Resume => {
                let flows = if signal == Signal::Hold { Flows::SendOnly } else { Flows::SendRecv };
                let Some(local) = line.local.as_mut() else { return };
                let offer = local.offer(&codecs, flows);
                self.stack.reinvite(now, session, Some(offer.into()), &mut self.outputs);
            }
            Signal::AcceptTransfer => self.stack.accept_refer(now, session, &mut self.outputs),
            Signal::RefuseTransfer(status) => {
                self.stack.refuse_refer(now, session, status, &mut self.outputs);
            }
            Signal::ReportTransfer(status) => {
                self.stack.report_refer(now, session, status, &mut self.outputs);
            }
            Signal::Invite(_) => {}
        }
    }

    /// A leg begins. `located`: what its name leads to has been looked up.
    pub(super) fn begin(&mut self, now: Instant, leg: LegKey, begin: Begin, located: bool) {
        let Some((call, no)) = self.exchange.leg(leg) else { return };
        let world = self.world.clone();
        let place = match world.tenant(&begin.tenant) {
            Some(tenant) => self.place(now, tenant, &begin.to).map(|place| (tenant, place)),
            None => Err(Nowhere::AtAll),
        };
        let (tenant, place) = match place {
            Ok(found) => found,
            Err(Nowhere::Unknown(target)) if !located => {
                let (shards, number, begin) = (self.shards.clone(), self.number, Box::new(begin));
                // A shard that has stopped begins nothing.
                let then = move || {
                    let _ = shards.hand(number, Input::Located { leg, begin });
                };
                return self.around.transports.names().look_up(target, Box::new(then));
            }
            Err(_) => return self.reports.push_back((leg, Event::Refused { status: 503, silent: true })),
        };
        let (trunk_name, to_trunk) = match &begin.to {
            Goal::Trunk { trunk, .. } => (Some(trunk.clone()), tenant.trunk(trunk)),
            _ => (None, None),
        };
        let present = match to_trunk {
            Some(trunk) => identity::presented(trunk, tenant, &begin.present),
            None => Some(begin.present.clone()),
        };
        let Some(present) = present else {
            return self.foreign_caller(leg, &begin);
        };
        let caller = self.running.get(&call).and_then(|running| self.lines.get(running.caller));
        let beside = caller.and_then(|line| line.stream);
        let max_forwards = caller.map_or(MAX_FORWARDS, |line| line.max_forwards);
        // The caller's codec first, so that sound needs no change on the way.
        let spoken = caller.and_then(|line| line.negotiated.as_ref()).map(|agreed| agreed.codec);
        let user = match &begin.to {
            Goal::Device { user, .. } => Some(user.clone()),
            _ => None,
        };
        let line = Line::new(call, no, begin.tenant.clone(), None, trunk_name, max_forwards);
        let line = Line { user, ..line };
        let codecs = self.codecs(&line, spoken);
        self.lines.insert(leg, line);
        let transport = place.destination.transport;
        let protection = self.protection(tenant, to_trunk.map(|trunk| trunk.name.as_str()), transport);
        if !self.open_stream(leg, place.destination.remote, beside, None, protection) {
            self.lines.forget(leg);
            return self.reports.push_back((leg, Event::Refused { status: 503, silent: false }));
        }
        let Some(local) = self.lines.get_mut(leg).and_then(|line| line.local.as_mut()) else { return };
        let sdp = Bytes::from(local.offer(&codecs, Flows::SendRecv));
        let from_host = tenant.domains.first().map_or(self.around.host.as_str(), String::as_str);
        let mut headers =
            to_trunk.map(|trunk| identity::told(trunk, &present, from_host)).unwrap_or_default();
        let sent_on =
            self.running.get(&call).and_then(|running| running.first.as_ref()).map(|first| &first.caller);
        if let (Some(trunk), Goal::Trunk { number, .. }) = (to_trunk, &begin.to)
            && let Some(caller) = sent_on.filter(|caller| caller.direction == Direction::Inbound)
        {
            let (dialled, number) = (tenant.written(trunk, &caller.dialled), tenant.called(trunk, number));
            headers.extend(identity::sent_on(trunk, &dialled, &number, from_host));
        }
        if let (Some(trunk), Goal::Trunk { number, .. }) = (to_trunk.filter(|trunk| trunk.sign), &begin.to) {
            let caller = &begin.present;
            let shown = identity::shown_by(trunk, tenant, caller).unwrap_or_else(|| caller.clone());
            let own = tenant.number(&shown.number).is_some()
                || trunk.number.as_ref() == Some(&shown.number)
                || (!trunk.own_numbers.is_empty() && tenant.owns(trunk, &shown.number));
            let outside = sent_on.is_some_and(|caller| caller.direction == Direction::Inbound);
            let wall = self.exchange.wall(now);
            headers.extend(stir::sign(tenant, (&present.number, number), own, outside, call.0, wall));
        }
        let present = match &begin.to {
            Goal::Device { user, .. } => self.introduce(tenant, (call, no), user, present, &mut headers),
            _ => present,
        };
        // The leg's Call-ID names the call, so that a trace of the wire finds it.
        let call_id = format!("{call}.{}", no.0);
        let invite = Invite {
            request_uri: place.request_uri,
            to: place.to,
            from: identity::name_addr(&present, from_host),
            contact_user: user_part(&present.number),
            destination: place.destination,
            keep_to_destination: place.is_device,
            route: place.route,
            headers,
            sdp: Some(sdp),
            credentials: place.credentials,
            call_id: Some(call_id.clone()),
            max_forwards,
        };
        self.exchange.set_sip_call_id(leg, &call_id);
        if let Goal::Device { user, .. } = &begin.to {
            self.rings_at(&begin.tenant, user, leg);
        }
        if let Some(trunk) = to_trunk {
            self.trunks.tries(now, &begin.tenant, &trunk.name);
        }
        // The offer names an address of ours that those of the other family can't reach, and keys that only those may
        // read who are reached as safely.
        let is_v6 = invite.destination.remote.is_ipv6();
        let fits = |Other { to, .. }: &Other| {
            to.remote.is_ipv6() == is_v6 && (to.transport.is_secure() || !transport.is_secure())
        };
        let places: VecDeque<_> = place.others.into_iter().filter(fits).collect();
        let elsewhere = (!places.is_empty())
            .then(|| Box::new(Elsewhere { invite: invite.clone(), places, silent_at: now + PLACE_SILENCE }));
        if let Some(line) = self.lines.get_mut(leg)
            && line.local.as_ref().is_some_and(LocalMedia::may_insist)
        {
            line.insisting = Some(Box::new(invite.clone()));
        }
        let session = self.stack.invite(now, invite, &mut self.outputs);
        self.lines.begin_session(leg, session);
        self.lines.can_go_elsewhere(leg, elsewhere);
    }

    pub(super) fn close_stream(&mut self, leg: LegKey) {
        if let Some(stream) = self.lines.end_stream(leg) {
            self.media(stream, Command::Close);
        }
        self.lines.forget(leg);
    }

    /// Takes effect when the shard has done all that it has to do for now.
    pub(super) fn media(&self, stream: media::StreamId, command: Command) {
        if let Err(why) = self.around.media.leave(stream, command) {
            tracing::debug!(%why, "media command not taken");
        }
    }
}

/// Why a description is refused (RFC 3261 §20.43).
fn warning(refusal: Refusal) -> Vec<(String, String)> {
    let text = refusal.warning().map(|code| format!("{code} strowger \"{refusal}\""));
    text.map(|text| ("Warning".to_string(), text)).into_iter().collect()
}

fn headers(request: &Request) -> Vec<(String, String)> {
    let mut bytes = 0;
    let within = |(name, value): &(String, String)| {
        bytes += name.len() + value.len();
        bytes <= MOST_HEADER_BYTES
    };
    let all =
        request.headers.iter().map(|(name, value)| (name.as_str().to_ascii_lowercase(), value.to_string()));
    all.take(MOST_HEADERS).take_while(within).collect()
}
