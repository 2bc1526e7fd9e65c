//! Requests received: to their transaction, their session, or a judgement (RFC 3261 §8.2, §9.2, §17.2).
//! What needs no memory is answered without a transaction (§8.2.7): a flood of strangers costs no state.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Instant;

use bytes::Bytes;

use super::authentication::Verdict;
use super::{
    Admission, Event, Gatekeeper, Output, Peer, RETRY_AFTER, RegisterId, Security, SessionId, Stack, Who,
};
use crate::sip::compose::{ALLOW, Echo, reason_phrase};
use crate::sip::deadlines::{Armed, Deadlines};
use crate::sip::flow::Flow;
use crate::sip::grammar;
use crate::sip::headers::HeaderName;
use crate::sip::message::{Essentials, Message, Request, Response};
use crate::sip::method::Method;
use crate::sip::timers::GIVE_UP;
use crate::sip::transaction::key::{self, ServerKey, is_modern};
use crate::sip::transaction::{InviteServer, Server, ServerStep, Timeout};
use crate::sip::uri::Uri;
use crate::sip::wire::ReadError;

pub(super) struct ServerTransaction {
    machine: Machine,
    key: ServerKey,
    merged: Option<Box<str>>,
    pub(super) echo: Echo,
    /// The session that an INVITE or another request belongs to.
    owner: Option<SessionId>,
    /// The tag that its responses carry.
    tag: Box<str>,
    last: Option<Bytes>,
    armed: Armed,
}

/// A request that belongs to no transaction yet, and what was read of it.
pub(super) struct Received {
    pub(super) key: ServerKey,
    pub(super) echo: Echo,
    pub(super) flow: Flow,
    pub(super) request: Request,
    pub(super) essentials: Essentials,
}

/// A response: its status, and what the request does not say for it.
pub(super) struct Reply<'a> {
    pub(super) status: u16,
    /// Empty for the usual phrase.
    pub(super) reason: &'a str,
    pub(super) headers: &'a [(&'a str, &'a str)],
    pub(super) sdp: Option<&'a [u8]>,
}

impl Reply<'_> {
    pub(super) fn new(status: u16) -> Self {
        Self { status, reason: "", headers: &[], sdp: None }
    }
}

enum Machine {
    Invite(InviteServer),
    Other(Server),
}

impl Stack {
    /// What came on `flow` is no message. It is answered where RFC 3261 lets it be, and counted.
    pub fn handle_unreadable(&mut self, flow: Flow, error: ReadError, out: &mut Vec<Output>) {
        if error.cause == crate::sip::wire::Cause::Empty {
            return;
        }
        out.push(Output::Event(Event::Security { what: Security::Malformed, flow }));
        if let Some(reply) = error.reply {
            self.refuse_unread(flow, *reply, out);
        }
    }

    /// A message of a source that asks too much: what would begin something is refused with 503, costs no state and is
    /// known to nobody. What was begun goes on: calls that are up can end.
    pub fn handle_excess(
        &mut self,
        now: Instant,
        flow: Flow,
        message: Message,
        gatekeeper: &dyn Gatekeeper,
        out: &mut Vec<Output>,
    ) {
        let begins = match &message {
            Message::Request(request) if !matches!(request.method, Method::Ack | Method::Cancel) => {
                request.check().is_ok_and(|essentials| {
                    let key = key_of(request, &essentials, request.method.as_str());
                    essentials.to.tag().is_none() && !self.by_request.contains_key(&key)
                })
            }
            _ => false,
        };
        match message {
            Message::Request(request) if begins => {
                let mut reply = Response::to_request(&request, 503, reason_phrase(503));
                reply.headers.push(HeaderName::RetryAfter, RETRY_AFTER);
                self.refuse_unread(flow, reply, out);
            }
            message => self.handle_message(now, flow, message, gatekeeper, out),
        }
    }

    pub(super) fn handle_request(
        &mut self,
        now: Instant,
        flow: Flow,
        request: Request,
        gatekeeper: &dyn Gatekeeper,
        out: &mut Vec<Output>,
    ) {
        let essentials = match request.check() {
            Ok(essentials) => essentials,
            Err(error) => {
                out.push(Output::Event(Event::Security { what: Security::Malformed, flow }));
                if request.method != Method::Ack {
                    let reply = Response::to_request(&request, 400, &error.reason());
                    self.refuse_unread(flow, reply, out);
                }
                return;
            }
        };
        let method = match &request.method {
            // §17.2.3, §9.2: both are looked for as the INVITE that they belong to.
            Method::Ack | Method::Cancel => "INVITE",
            method => method.as_str(),
        };
        let key = key_of(&request, &essentials, method);
        let known = self.by_request.get(&key).copied();
        match (known, &request.method) {
            (_, Method::Ack) => self.handle_ack(now, known, flow, &essentials, request.body, out),
            (Some(id), method) if *method != Method::Cancel => self.request_again(id, out),
            _ => {
                let echo = Echo::new(&request, &essentials, &flow);
                let received = Received { key, echo, flow, request, essentials };
                if received.request.method == Method::Cancel {
                    self.handle_cancel(now, known, received, out);
                } else if received.essentials.to.tag().is_some() {
                    self.request_in_dialog(now, received, out);
                } else {
                    self.request_outside(now, received, gatekeeper, out);
                }
            }
        }
    }

    fn request_again(&mut self, id: u64, out: &mut Vec<Output>) {
        let Some(transaction) = self.servers.get_mut(&id) else { return };
        let step = match &mut transaction.machine {
            Machine::Invite(machine) => machine.handle_invite(),
            Machine::Other(machine) => machine.handle_request(),
        };
        match step {
            ServerStep::Absorb => {}
            ServerStep::Repeat => transaction.repeat(out),
        }
    }

    fn handle_ack(
        &mut self,
        now: Instant,
        known: Option<u64>,
        flow: Flow,
        essentials: &Essentials,
        sdp: Bytes,
        out: &mut Vec<Output>,
    ) {
        if let Some(id) = known
            && let Some(transaction) = self.servers.get_mut(&id)
            && let Machine::Invite(machine) = &mut transaction.machine
            && !machine.is_accepted()
        {
            let _ = machine.handle_ack(now);
            self.settle_server(id);
            return;
        }
        // The ACK of a 2xx is a transaction of its own (§13.2.2.4); one that belongs nowhere is dropped.
        if let Some(id) = self.session_named(essentials) {
            self.session_acked(now, id, flow, essentials, sdp, out);
        }
    }

    fn handle_cancel(&mut self, now: Instant, known: Option<u64>, received: Received, out: &mut Vec<Output>) {
        let Received { echo, flow, request, essentials, .. } = received;
        // Only the hop that sent an INVITE can cancel it: a stranger who guesses its branch can't.
        let invite = known.and_then(|id| self.servers.get(&id).map(|transaction| (id, transaction)));
        let invite = invite.filter(|(_, invite)| invite.echo.back.remote.ip() == flow.remote.ip());
        let Some((id, transaction)) = invite else {
            let tag = self.stateless_tag(&essentials);
            return send(&echo, 481, &tag, &[], out);
        };
        // §9.2: the tag is that of the INVITE's own responses.
        send(&echo, 200, &transaction.tag.clone(), &[], out);
        let proceeding = matches!(&transaction.machine, Machine::Invite(machine) if machine.is_proceeding());
        if let (true, Some(session)) = (proceeding, transaction.owner) {
            let reason = request.headers.get(HeaderName::Reason).map(str::to_owned);
            self.session_cancelled(now, session, id, reason, out);
        }
    }

    fn request_in_dialog(&mut self, now: Instant, received: Received, out: &mut Vec<Output>) {
        let Received { echo, request, essentials, .. } = &received;
        let Some(id) = self.session_named(essentials) else {
            return match request.method {
                Method::Subscribe => self.subscribed_again(now, received, out),
                _ => send(echo, 481, "", &[], out),
            };
        };
        if let Some(refusal) = self.extensions_refused(request) {
            return send(echo, 420, "", &[("Unsupported", &refusal)], out);
        }
        match request.method {
            Method::Options => send(echo, 200, "", &CAPABILITIES, out),
            Method::Invite | Method::Bye | Method::Info | Method::Prack | Method::Update | Method::Refer => {
                self.session_asked(now, id, received, out)
            }
            Method::Other(_) => send(echo, 501, "", &[("Allow", ALLOW)], out),
            _ => send(echo, 405, "", &[("Allow", ALLOW)], out),
        }
    }

    fn request_outside(
        &mut self,
        now: Instant,
        received: Received,
        gatekeeper: &dyn Gatekeeper,
        out: &mut Vec<Output>,
    ) {
        let Received { echo, flow, request, essentials, .. } = &received;
        let (flow, tag) = (*flow, self.stateless_tag(essentials));
        match &request.method {
            Method::Invite | Method::Register | Method::Options => {}
            Method::Subscribe | Method::Message | Method::Publish => {}
            Method::Bye | Method::Info | Method::Update | Method::Prack => {
                return send(echo, 481, &tag, &[], out);
            }
            Method::Other(_) => return send(echo, 501, &tag, &[("Allow", ALLOW)], out),
            _ => return send(echo, 405, &tag, &[("Allow", ALLOW)], out),
        }
        if let Uri::Other { .. } = request.uri {
            return send(echo, 416, &tag, &[], out);
        }
        if let Some(refusal) = self.extensions_refused(request) {
            return send(echo, 420, &tag, &[("Unsupported", &refusal)], out);
        }
        // Whoever asks what we can do gets the same answer, known or not.
        if request.method == Method::Options {
            let headers = [CAPABILITIES[0], CAPABILITIES[1], ("Supported", self.extensions(true))];
            return send(echo, 200, &tag, &headers, out);
        }
        if request.method == Method::Invite && essentials.max_forwards == Some(0) {
            return send(echo, 483, &tag, &[], out);
        }
        let merged = merged_key(essentials);
        if self.merged.contains_key(&*merged) {
            return send(echo, 482, &tag, &[], out);
        }
        if self.is_full() {
            out.push(Output::Event(Event::Security { what: Security::Overload, flow }));
            return send(echo, 503, &tag, &[("Retry-After", RETRY_AFTER)], out);
        }
        let peer = match gatekeeper.admit(&flow, request) {
            Admission::Refuse { status } => {
                out.push(Output::Event(Event::Security { what: Security::Refused, flow }));
                return send(echo, status.clamp(400, 699), &tag, &[], out);
            }
            Admission::Trunk { tenant, name } => Peer::Trunk { tenant, name },
            Admission::Authenticate { tenant, realm } => {
                match self.verifier.judge(now, request, &tenant, &realm, gatekeeper) {
                    Verdict::User(name) if gatekeeper.has_room(now, &tenant, &name) => {
                        Peer::User { tenant, name }
                    }
                    Verdict::User(_) => {
                        out.push(Output::Event(Event::Security { what: Security::Overload, flow }));
                        return send(echo, 503, &tag, &[("Retry-After", RETRY_AFTER)], out);
                    }
                    Verdict::Challenge { headers, bad_credentials } => {
                        let what =
                            if bad_credentials { Security::BadCredentials } else { Security::Challenged };
                        out.push(Output::Event(Event::Security { what, flow }));
                        let headers: Vec<_> =
                            headers.iter().map(|value| ("WWW-Authenticate", value.as_str())).collect();
                        return send(echo, 401, &tag, &headers, out);
                    }
                }
            }
        };
        match (request.method == Method::Invite, peer) {
            (true, peer) => self.session_invited(now, received, merged, peer, out),
            (false, peer) if received.request.method == Method::Subscribe => {
                self.subscribed(now, received, peer, out)
            }
            (false, peer) if received.request.method == Method::Message => {
                self.message_came(received, peer, &tag, out)
            }
            (false, Peer::User { tenant, name: user }) if received.request.method == Method::Publish => {
                self.published(received, (tenant, user), &tag, out)
            }
            (false, Peer::User { tenant, name: user }) => {
                let Received { key, echo, request, .. } = received;
                let id = self.begin_server(key, None, echo, None, &tag, false);
                self.deadlines.arm(Who::Register(id), &mut Armed::default(), Some(now + GIVE_UP));
                let request = Box::new(request);
                out.push(Output::Event(Event::Register { id: RegisterId(id), tenant, user, request, flow }));
            }
            // A carrier has nobody to register here, and nothing to say of anyone.
            (false, Peer::Trunk { .. }) => send(echo, 403, &tag, &[], out),
        }
    }

    /// The final response to a REGISTER, once: 200 to 699. An empty reason is the usual phrase. `headers`:
    /// Contact, Expires, Min-Expires ...
    pub fn respond_register(
        &mut self,
        now: Instant,
        id: RegisterId,
        status: u16,
        reason: &str,
        headers: &[(String, String)],
        out: &mut Vec<Output>,
    ) {
        let headers: Vec<_> = headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        if self.servers.get(&id.0).is_some_and(|transaction| matches!(transaction.machine, Machine::Other(_)))
        {
            let reply = Reply { reason, headers: &headers, ..Reply::new(status.clamp(200, 699)) };
            self.respond(now, id.0, reply, out);
        }
    }

    /// Nobody answered a REGISTER in the time that its sender waits.
    pub(super) fn register_forgotten(&mut self, id: u64) {
        let unanswered = self.servers.get(&id).is_some_and(|transaction| transaction.last.is_none());
        if unanswered {
            self.forget_server(id);
        }
    }

    pub(super) fn begin_server(
        &mut self,
        key: ServerKey,
        merged: Option<Box<str>>,
        echo: Echo,
        owner: Option<SessionId>,
        tag: &str,
        invite: bool,
    ) -> u64 {
        self.last_server += 1;
        let (id, reliable) = (self.last_server, echo.back.transport.is_reliable());
        let machine = match invite {
            true => Machine::Invite(InviteServer::new(reliable)),
            false => Machine::Other(Server::new(reliable)),
        };
        if let Some(merged) = &merged {
            self.merged.insert(merged.clone(), id);
        }
        self.by_request.insert(key.clone(), id);
        let transaction = ServerTransaction {
            machine,
            key,
            merged,
            echo,
            owner,
            tag: tag.into(),
            last: None,
            armed: Armed::default(),
        };
        self.servers.insert(id, transaction);
        id
    }

    /// Sends a response of this transaction, unless it had its final one.
    pub(super) fn respond(
        &mut self,
        now: Instant,
        id: u64,
        Reply { status, reason, headers, sdp }: Reply<'_>,
        out: &mut Vec<Output>,
    ) {
        let Some(transaction) = self.servers.get_mut(&id) else { return };
        let may = match &mut transaction.machine {
            Machine::Invite(machine) => machine.handle_send(now, status),
            Machine::Other(machine) => machine.handle_send(now),
        };
        if may {
            self.unanswered.retain(|unanswered| unanswered.server != id);
            let tag = (status > 100).then_some(&*transaction.tag);
            let body = sdp.map(|sdp| ("application/sdp", sdp));
            let bytes = transaction.echo.response(status, reason, tag, headers, body);
            transaction.last = Some(bytes);
            transaction.repeat(out);
        }
        self.settle_server(id);
    }

    /// The last response goes again: a 2xx without its ACK, a ringing phone that still rings.
    pub(super) fn repeat_response(&self, id: u64, out: &mut Vec<Output>) {
        if let Some(transaction) = self.servers.get(&id) {
            transaction.repeat(out);
        }
    }

    pub(super) fn server_timeout(&mut self, now: Instant, at: Instant, id: u64, out: &mut Vec<Output>) {
        let Some(transaction) = self.servers.get_mut(&id) else { return };
        Deadlines::<Who>::woken(&mut transaction.armed, at);
        let step = match &mut transaction.machine {
            Machine::Invite(machine) => machine.handle_timeout(now),
            Machine::Other(machine) => machine.handle_timeout(now),
        };
        match step {
            Timeout::Repeat => transaction.repeat(out),
            // A refusal that was never acknowledged: the session ended when it was sent.
            Timeout::Nothing | Timeout::GaveUp => {}
        }
        self.settle_server(id);
    }

    pub(super) fn server_flow_failed(&mut self, flow: &Flow) {
        let mut over = Vec::new();
        for (id, transaction) in &mut self.servers {
            if transaction.echo.back.is_on(flow) {
                match &mut transaction.machine {
                    Machine::Invite(machine) => machine.handle_transport_error(),
                    Machine::Other(machine) => machine.handle_transport_error(),
                }
                if transaction.is_terminated() {
                    over.push(*id);
                }
            }
        }
        over.into_iter().for_each(|id| self.forget_server(id));
    }

    fn settle_server(&mut self, id: u64) {
        let Some(transaction) = self.servers.get_mut(&id) else { return };
        if transaction.is_terminated() {
            self.forget_server(id);
        } else {
            let at = match &transaction.machine {
                Machine::Invite(machine) => machine.next_timeout(),
                Machine::Other(machine) => machine.next_timeout(),
            };
            self.deadlines.arm(Who::Server(id), &mut transaction.armed, at);
        }
    }

    fn forget_server(&mut self, id: u64) {
        let Some(transaction) = self.servers.remove(&id) else { return };
        self.by_request.remove(&transaction.key);
        if let Some(merged) = transaction.merged {
            self.merged.remove(&merged);
        }
    }

    /// The session whose dialog a request names (§12.2.2): our tag in To, its tag and Call-ID.
    fn session_named(&mut self, essentials: &Essentials) -> Option<SessionId> {
        let id = SessionId(self.ids.read(essentials.to.tag()?)?);
        let session = self.sessions.get_mut(&id)?;
        session.dialog_of(&essentials.call_id, essentials.from.tag()).map(|_| id)
    }

    /// What is required that we do not have (§8.2.2.3).
    fn extensions_refused(&self, request: &Request) -> Option<String> {
        let known =
            |item: &&str| self.extensions(true).split(", ").any(|known| known.eq_ignore_ascii_case(item));
        let asked = request.headers.items(HeaderName::Require).filter(|item| !item.is_empty());
        // Flows (RFC 5626) are the registrar's.
        let of_flows =
            |item: &str| request.method == Method::Register && item.eq_ignore_ascii_case("outbound");
        let strange: Vec<_> = asked.filter(|item| !known(item) && !of_flows(item)).collect();
        (!strange.is_empty()).then(|| strange.join(", "))
    }

    /// The extensions of this stack, for Supported: RFC 3262, RFC 4028, RFC 3891 and RFC 3911. Without an offer of ours nobody is to make
    /// one reliably, which a PRACK would have to answer.
    pub(super) fn extensions(&self, offered: bool) -> &'static str {
        match (offered, self.config.timers) {
            (true, Some(_)) => "100rel, timer, replaces, join",
            (true, None) => "100rel, replaces, join",
            (false, Some(_)) => "timer, replaces, join",
            (false, None) => "replaces, join",
        }
    }

    /// A tag for responses that are not remembered: the same each time the same request comes (§8.2.7).
    fn stateless_tag(&self, essentials: &Essentials) -> String {
        let mut hash = DefaultHasher::new();
        self.config.instance.hash(&mut hash);
        essentials.call_id.hash(&mut hash);
        essentials.via.branch().hash(&mut hash);
        self.ids.tag(hash.finish())
    }

    /// Answers a request whose headers can't all be read.
    fn refuse_unread(&mut self, flow: Flow, mut reply: Response, out: &mut Vec<Output>) {
        let Ok(mut via) = reply.top_via() else { return };
        via.note_source(flow.remote.ip().to_canonical(), flow.remote.port());
        reply.headers.set_first_item(HeaderName::Via, &via);
        let mut hash = DefaultHasher::new();
        via.branch().hash(&mut hash);
        reply.set_to_tag(&self.ids.tag(hash.finish()));
        let to = crate::sip::compose::way_back(&via, &flow);
        out.push(Output::Send { to, bytes: reply.to_bytes().into() });
    }
}

impl ServerTransaction {
    fn repeat(&self, out: &mut Vec<Output>) {
        if let Some(bytes) = &self.last {
            out.push(Output::Send { to: self.echo.back, bytes: bytes.clone() });
        }
    }

    fn is_terminated(&self) -> bool {
        match &self.machine {
            Machine::Invite(machine) => machine.is_terminated(),
            Machine::Other(machine) => machine.is_terminated(),
        }
    }
}

/// What OPTIONS is told (§11.2).
const CAPABILITIES: [(&str, &str); 2] = [("Allow", ALLOW), ("Accept", "application/sdp")];

/// A response without a transaction; `tag` is empty for a request that has one.
fn send(echo: &Echo, status: u16, tag: &str, headers: &[(&str, &str)], out: &mut Vec<Output>) {
    let tag = (!tag.is_empty()).then_some(tag);
    out.push(Output::Send { to: echo.back, bytes: echo.response(status, "", tag, headers, None) });
}

fn key_of(request: &Request, essentials: &Essentials, method: &str) -> ServerKey {
    let branch = essentials.via.branch().unwrap_or_default();
    let uri = if is_modern(branch) { String::new() } else { request.uri.to_string() };
    ServerKey::new(key::Received {
        branch,
        host: essentials.via.host.as_str(),
        port: essentials.via.port.unwrap_or(0),
        method,
        old: (&uri, essentials.from.tag().unwrap_or_default(), &essentials.call_id, essentials.cseq.number),
    })
}

fn merged_key(essentials: &Essentials) -> Box<str> {
    let Essentials { from, call_id, cseq, .. } = essentials;
    let tag = from.tag().unwrap_or_default();
    grammar::written(&format_args!("{call_id} {tag} {}", cseq.number)).into()
}
