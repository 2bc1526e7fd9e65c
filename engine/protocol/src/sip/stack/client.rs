//! Requests sent and the responses to them: the client half of the transaction layer (RFC 3261 §17.1, §8.1.3).

use std::time::{Duration, Instant};

use bytes::Bytes;

use super::{
    BindingId, Cause, Credentials, Event, Output, ProbeId, SessionId, Stack, SubscriptionId, Who, binding,
};
use crate::sip::compose::Sent;
use crate::sip::deadlines::{Armed, Deadlines};
use crate::sip::flow::{Destination, Flow, Transport};
use crate::sip::headers::HeaderName;
use crate::sip::message::{Essentials, Response};
use crate::sip::method::Method;
use crate::sip::transaction::key::ClientKey;
use crate::sip::transaction::{Client, ClientStep, InviteClient, Timeout};

/// RFC 3261 §18.1.1: a request larger than this goes over TCP, where the MTU of the path is not known.
const LARGEST_DATAGRAM: usize = 1300;
/// Whoever has said nothing over TCP by then is asked by UDP after all: many a firewall drops without a word.
const TCP_PATIENCE: Duration = Duration::from_secs(2);
/// Phones behind one fork whose 2xx are acknowledged again; of further ones, copies are not.
const MAX_ACKS: usize = 16;

pub(super) struct ClientTransaction {
    machine: Machine,
    pub(super) sent: Sent,
    to: Destination,
    owner: Owner,
    credentials: Option<Credentials>,
    /// What goes by UDP if nothing is heard over TCP, to which it was moved for its size (§18.1.1).
    smaller: Option<Box<Smaller>>,
    /// ACKs sent, by the tag that each is for.
    pub(super) acks: Vec<(Box<str>, Destination, Bytes)>,
    armed: Armed,
}

/// The way that a large request was meant to go, and when it goes there.
struct Smaller {
    to: Destination,
    sent: Sent,
    at: Instant,
}

enum Machine {
    Invite(InviteClient),
    Other(Client),
}

/// Where a request goes, for whom, and with which password if one is asked for.
pub(super) struct Asking {
    pub(super) to: Destination,
    pub(super) owner: Owner,
    pub(super) credentials: Option<Credentials>,
}

/// Who hears of a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    Session(SessionId),
    Probe(ProbeId),
    Binding(BindingId),
    Subscription(SubscriptionId),
    /// The BYE of a forked answer, the last word to a subscriber, a message.
    Nobody,
}

impl Stack {
    /// Sends `sent`, whose branch is that of `key`, and waits for what comes of it.
    pub(super) fn begin_client(
        &mut self,
        now: Instant,
        key: ClientKey,
        sent: Sent,
        Asking { to, owner, credentials }: Asking,
        out: &mut Vec<Output>,
    ) {
        let (to, sent, smaller) = self.by_size(now, key, to, sent);
        out.push(Output::Send { to, bytes: sent.bytes.clone() });
        let mut transaction = ClientTransaction {
            machine: Machine::new(now, &sent, &to),
            smaller,
            sent,
            to,
            owner,
            credentials,
            acks: Vec::new(),
            armed: Armed::default(),
        };
        let at = transaction.next_timeout();
        self.deadlines.arm(Who::Client(key), &mut transaction.armed, at);
        self.clients.insert(key, transaction);
    }

    /// §18.1.1: what may be larger than the path's MTU goes by a transport with congestion control. What answers a
    /// registration's flow stays on it: only that leads through the NAT which may be there.
    fn by_size(
        &self,
        now: Instant,
        key: ClientKey,
        to: Destination,
        sent: Sent,
    ) -> (Destination, Sent, Option<Box<Smaller>>) {
        let is_large = to.transport == Transport::Udp && sent.bytes.len() > LARGEST_DATAGRAM;
        if !is_large || to.local.is_some() || !self.config.speaks(Transport::Tcp) {
            return (to, sent, None);
        }
        let stream = Destination { transport: Transport::Tcp, ..to };
        let (sent_by, branch) = (self.config.advertised(&stream), self.ids.branch(key.branch));
        let moved = sent.again(sent.cseq, Transport::Tcp, sent_by, &branch, sent.authorization());
        (stream, moved, Some(Box::new(Smaller { to, sent, at: now + TCP_PATIENCE })))
    }

    pub(super) fn handle_response(&mut self, now: Instant, response: Response, out: &mut Vec<Output>) {
        let Ok(essentials) = response.check() else { return };
        // §8.1.3.3: a response with more than our Via was sent here by mistake.
        if response.headers.items(HeaderName::Via).nth(1).is_some() {
            return;
        }
        let Some(branch) = essentials.via.branch().and_then(|branch| self.ids.read(branch)) else { return };
        let key = ClientKey { branch, cancel: essentials.cseq.method == Method::Cancel };
        let Some(transaction) = self.clients.get_mut(&key) else {
            return self.refuse_orphan(now, &response, &essentials, out);
        };
        let sent = &transaction.sent;
        if (essentials.cseq.number, essentials.cseq.method.as_str()) != (sent.cseq, sent.method) {
            return;
        }
        transaction.smaller = None;
        match transaction.handle_response(now, response.status) {
            ClientStep::Absorb => {}
            ClientStep::Acknowledge => transaction.acknowledge_again("", out),
            ClientStep::DeliverAndAcknowledge => {
                let to = response.headers.get(HeaderName::To).unwrap_or_default();
                let ack = transaction.sent.acknowledgement(to);
                out.push(Output::Send { to: transaction.to, bytes: ack.clone() });
                transaction.acks.push((Box::from(""), transaction.to, ack));
                self.deliver(now, key, response, essentials, out);
            }
            ClientStep::Deliver => self.deliver(now, key, response, essentials, out),
        }
        self.settle_client(key);
    }

    fn deliver(
        &mut self,
        now: Instant,
        key: ClientKey,
        response: Response,
        essentials: Essentials,
        out: &mut Vec<Output>,
    ) {
        let Some(transaction) = self.clients.get_mut(&key) else { return };
        let (owner, method, status) = (transaction.owner, transaction.sent.method, response.status);
        if matches!(status, 401 | 407) && self.send_with_digest(now, key, &response, out) {
            return;
        }
        match (owner, method) {
            (Owner::Session(id), "INVITE") => self.invite_answered(now, id, key, response, essentials, out),
            (Owner::Session(id), "BYE") if status >= 200 => drop(self.sessions.remove(&id)),
            (Owner::Session(id), "PRACK") if status >= 200 => self.prack_answered(id, key),
            (Owner::Session(id), "UPDATE") if status >= 200 => {
                self.update_answered(now, id, key, Some(&response), out)
            }
            // §12.2.1.2: the other side has no such dialog any more.
            (Owner::Session(id), "INFO") if matches!(status, 408 | 481) => self.lose(now, id, out),
            (Owner::Probe(id), _) if status >= 200 => {
                out.push(Output::Event(Event::ProbeAnswered { id, status }));
            }
            (Owner::Binding(id), _) if status >= 200 => {
                let Some(transaction) = self.clients.get(&key) else { return };
                let answer = binding::read(&response, &transaction.sent);
                out.push(Output::Event(Event::BindingAnswered { id, answer }));
            }
            (Owner::Subscription(id), _) if status >= 200 => self.notified(now, id, status, out),
            (
                Owner::Session(_)
                | Owner::Probe(_)
                | Owner::Binding(_)
                | Owner::Subscription(_)
                | Owner::Nobody,
                _,
            ) => {}
        }
    }

    /// Sends the request of `key` again with the digest that `response` asks for (§22.2). False if there is no
    /// password, it was shown already, or the request is no longer wanted.
    fn send_with_digest(
        &mut self,
        now: Instant,
        key: ClientKey,
        response: &Response,
        out: &mut Vec<Output>,
    ) -> bool {
        let Some(transaction) = self.clients.get_mut(&key) else { return false };
        let (owner, to) = (transaction.owner, transaction.to);
        if let Owner::Session(id) = owner
            && !self.sessions.get(&id).is_some_and(|session| session.still_wants(key))
        {
            return false;
        }
        // One try: whoever shows this password was not asked before, and is not asked again.
        let Some(credentials) = transaction.credentials.take() else { return false };
        let chance = self.ids.number();
        let Some(authorization) =
            super::authentication::answer(response, &transaction.sent, &credentials, chance)
        else {
            return false;
        };
        let new = ClientKey { branch: self.ids.number(), cancel: false };
        let mut cseq = transaction.sent.cseq + 1;
        if let Owner::Session(id) = owner
            && let Some(session) = self.sessions.get_mut(&id)
        {
            cseq = session.send_again(key, new, cseq);
        }
        let (sent_by, branch) = (self.config.advertised(&to), self.ids.branch(new.branch));
        let sent = transaction.sent.again(cseq, to.transport, sent_by, &branch, &authorization);
        self.begin_client(now, new, sent, Asking { to, owner, credentials: None }, out);
        true
    }

    /// Sends the INVITE of `old` again as `new`, asking for a longer interval.
    pub(super) fn send_longer(
        &mut self,
        now: Instant,
        (old, new): (ClientKey, ClientKey),
        cseq: u32,
        timer: &[u8],
        credentials: Option<Credentials>,
        out: &mut Vec<Output>,
    ) {
        let Some(transaction) = self.clients.get(&old) else { return };
        let (owner, to) = (transaction.owner, transaction.to);
        let (sent_by, branch) = (self.config.advertised(&to), self.ids.branch(new.branch));
        let sent = transaction.sent.with_timer(timer).again(cseq, to.transport, sent_by, &branch, &[]);
        self.begin_client(now, new, sent, Asking { to, owner, credentials }, out);
    }

    pub(super) fn client_timeout(
        &mut self,
        now: Instant,
        at: Instant,
        key: ClientKey,
        out: &mut Vec<Output>,
    ) {
        let Some(transaction) = self.clients.get_mut(&key) else { return };
        Deadlines::<Who>::woken(&mut transaction.armed, at);
        if transaction.smaller.as_ref().is_some_and(|smaller| smaller.at <= now) {
            transaction.go_by_udp(now, out);
        }
        match transaction.handle_timeout(now) {
            Timeout::Nothing => {}
            Timeout::Repeat => {
                out.push(Output::Send { to: transaction.to, bytes: transaction.sent.bytes.clone() });
            }
            Timeout::GaveUp => self.client_failed(now, key, Cause::Timeout, out),
        }
        self.settle_client(key);
    }

    pub(super) fn client_flow_failed(&mut self, now: Instant, flow: &Flow, out: &mut Vec<Output>) {
        // Connections fail far less often than messages come, so this may look at every transaction.
        let mut moved: Vec<_> = self
            .clients
            .iter()
            .filter(|(_, transaction)| transaction.smaller.is_some() && transaction.fails_with(flow))
            .map(|(key, _)| *key)
            .collect();
        moved.sort_unstable();
        for key in moved {
            if let Some(transaction) = self.clients.get_mut(&key) {
                transaction.go_by_udp(now, out);
            }
            self.settle_client(key);
        }
        let failed = self.clients.iter_mut().filter(|(_, transaction)| transaction.fails_with(flow));
        let mut failed: Vec<_> = failed
            .filter_map(|(key, transaction)| transaction.handle_transport_error().then_some(*key))
            .collect();
        failed.sort_unstable();
        for key in failed {
            self.client_failed(now, key, Cause::Unreachable, out);
            self.settle_client(key);
        }
        self.clients.retain(|_, transaction| !transaction.is_terminated());
    }

    /// Nobody waits for this INVITE any more.
    pub(super) fn abandon(&mut self, now: Instant, invite: ClientKey) {
        if let Some(transaction) = self.clients.get_mut(&invite)
            && let Machine::Invite(machine) = &mut transaction.machine
        {
            machine.abandon(now);
            self.settle_client(invite);
        }
    }

    fn client_failed(&mut self, now: Instant, key: ClientKey, cause: Cause, out: &mut Vec<Output>) {
        let Some(transaction) = self.clients.get(&key) else { return };
        match (transaction.owner, transaction.sent.method) {
            (Owner::Session(id), "INVITE") => self.invite_failed(now, id, key, cause, out),
            (Owner::Session(id), "BYE") => drop(self.sessions.remove(&id)),
            (Owner::Session(id), "PRACK") => self.prack_answered(id, key),
            (Owner::Session(id), "UPDATE") => self.update_answered(now, id, key, None, out),
            (Owner::Session(id), "INFO") if cause == Cause::Timeout => self.lose(now, id, out),
            (Owner::Probe(id), _) => out.push(Output::Event(Event::ProbeFailed { id })),
            (Owner::Binding(id), _) => out.push(Output::Event(Event::BindingFailed { id })),
            (Owner::Subscription(id), _) => self.notified(now, id, 0, out),
            // After a CANCEL the session waits for its INVITE alone.
            (Owner::Session(_) | Owner::Nobody, _) => {}
        }
    }

    /// Forgets a transaction that is over, or wakes it when it wants.
    fn settle_client(&mut self, key: ClientKey) {
        let Some(transaction) = self.clients.get_mut(&key) else { return };
        if transaction.is_terminated() {
            self.clients.remove(&key);
        } else {
            let at = transaction.next_timeout();
            self.deadlines.arm(Who::Client(key), &mut transaction.armed, at);
        }
    }
}

impl Machine {
    fn new(now: Instant, sent: &Sent, to: &Destination) -> Self {
        let reliable = to.transport.is_reliable();
        match sent.method {
            "INVITE" => Machine::Invite(InviteClient::new(now, reliable)),
            _ => Machine::Other(Client::new(now, reliable)),
        }
    }
}

impl ClientTransaction {
    /// TCP did not come about: it goes as it was meant to.
    fn go_by_udp(&mut self, now: Instant, out: &mut Vec<Output>) {
        let Some(Smaller { to, sent, .. }) = self.smaller.take().map(|smaller| *smaller) else { return };
        (self.machine, self.to, self.sent) = (Machine::new(now, &sent, &to), to, sent);
        out.push(Output::Send { to, bytes: self.sent.bytes.clone() });
    }

    fn handle_response(&mut self, now: Instant, status: u16) -> ClientStep {
        match &mut self.machine {
            Machine::Invite(machine) => machine.handle_response(now, status),
            Machine::Other(machine) => machine.handle_response(now, status),
        }
    }

    fn handle_timeout(&mut self, now: Instant) -> Timeout {
        match &mut self.machine {
            Machine::Invite(machine) => machine.handle_timeout(now),
            Machine::Other(machine) => machine.handle_timeout(now),
        }
    }

    fn handle_transport_error(&mut self) -> bool {
        match &mut self.machine {
            Machine::Invite(machine) => machine.handle_transport_error(),
            Machine::Other(machine) => machine.handle_transport_error(),
        }
    }

    /// What goes wrong with `flow` goes wrong with this. Whoever rings already, and may answer on another
    /// connection, is still waited for.
    fn fails_with(&self, flow: &Flow) -> bool {
        self.to.is_on(flow) && (self.to.connection != 0 || !self.is_proceeding())
    }

    fn next_timeout(&self) -> Option<Instant> {
        let machine = match &self.machine {
            Machine::Invite(machine) => machine.next_timeout(),
            Machine::Other(machine) => machine.next_timeout(),
        };
        machine.into_iter().chain(self.smaller.as_ref().map(|smaller| smaller.at)).min()
    }

    fn is_terminated(&self) -> bool {
        match &self.machine {
            Machine::Invite(machine) => machine.is_terminated(),
            Machine::Other(machine) => machine.is_terminated(),
        }
    }

    /// A provisional response came, so a CANCEL may go (§9.1).
    pub(super) fn is_proceeding(&self) -> bool {
        matches!(&self.machine, Machine::Invite(machine) if machine.is_proceeding())
    }

    pub(super) fn destination(&self) -> Destination {
        self.to
    }

    /// Keeps the ACK for the 2xx with this To tag, for when that comes again.
    pub(super) fn keep_ack(&mut self, tag: &str, to: Destination, ack: Bytes) {
        if self.acks.len() < MAX_ACKS {
            self.acks.push((tag.into(), to, ack));
        }
    }

    pub(super) fn has_ack(&self, tag: &str) -> bool {
        self.acks.iter().any(|(of, _, _)| **of == *tag)
    }

    pub(super) fn acknowledge_again(&self, tag: &str, out: &mut Vec<Output>) {
        if let Some((_, to, ack)) = self.acks.iter().find(|(of, _, _)| **of == *tag) {
            out.push(Output::Send { to: *to, bytes: ack.clone() });
        }
    }
}
