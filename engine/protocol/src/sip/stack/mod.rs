//! The stack: owns transactions and sessions, and gives each message and each deadline to the one it is for
//! (RFC 3261 §17.1.3, §17.2.3, §12.2.2, §18). It decides what RFC 3261 decides; whether a call is taken, and
//! by whom, is asked of the [`Gatekeeper`] and told in [`Event`]s. SDP, registrations and routing are not here.
//!
//! A stack is driven by one thread: `handle_*` with what came, verbs with what is wanted; what is to be done is
//! pushed to `out`. After each of these, [`next_timeout`](Stack::next_timeout) may be earlier than before.

mod answers;
mod authentication;
mod binding;
mod calls;
mod client;
mod event;
mod kept;
mod publish;
mod refer;
mod refresh;
mod reliable;
mod replaces;
mod requests;
mod server;
mod subscribe;
mod update;
mod verbs;

pub use event::*;
pub use kept::{KeptSession, NotRestored};
pub use publish::PublishId;
pub use subscribe::{MAX_SUBSCRIPTIONS, MOST_MESSAGE, MessageId, NewMessage, Package, SubscriptionId};

use std::collections::HashMap;
use std::time::Instant;

use super::deadlines::Deadlines;
use super::flow::Flow;
use super::ids::Ids;
use super::message::Message;
use super::session::Session;
use super::transaction::key::{ClientKey, ServerKey};
use client::ClientTransaction;
use server::{Reply, ServerTransaction};
use subscribe::Subscription;

/// Transactions of one stack, both ways. At the bound new calls, registrations and probes are refused with
/// 503 and Retry-After; requests inside sessions go on.
pub const MAX_TRANSACTIONS: usize = 200_000;
/// Sessions of one stack. At the bound new calls are refused with 503 and Retry-After.
pub const MAX_SESSIONS: usize = 50_000;
/// What Retry-After says at a bound, in seconds.
pub const RETRY_AFTER: &str = "5";

/// Everything SIP of one thread; see the module.
pub struct Stack {
    config: StackConfig,
    ids: Ids,
    clients: HashMap<ClientKey, ClientTransaction>,
    servers: HashMap<u64, ServerTransaction>,
    by_request: HashMap<ServerKey, u64>,
    /// Call-ID, From tag and CSeq of the INVITEs among `servers` that began a session (§8.2.2.2).
    merged: HashMap<Box<str>, u64>,
    sessions: HashMap<SessionId, Box<Session>>,
    subscriptions: HashMap<SubscriptionId, Box<Subscription>>,
    deadlines: Deadlines<Who>,
    /// INVITEs whose senders have heard nothing yet.
    unanswered: Vec<Unanswered>,
    verifier: authentication::Verifier,
    last_server: u64,
    /// Until then telephones may answer that an earlier stack has rung.
    orphans_until: Option<Instant>,
}

/// Whose deadline it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Who {
    Client(ClientKey),
    Server(u64),
    Session(SessionId),
    Subscription(SubscriptionId),
    /// A REGISTER that its server forgot.
    Register(u64),
}

/// An INVITE that gets 100 Trying unless it gets something better before the stack is next asked what is due
/// (RFC 3261 §17.2.1 leaves 200 ms for that): a script that answers at once saves its caller a message.
struct Unanswered {
    server: u64,
    since: Instant,
    /// Comes back in the 100 (§8.2.6.1).
    timestamp: Option<Box<str>>,
}

/// How much a stack holds, for metrics and for tests that nothing stays behind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Load {
    /// Requests sent.
    pub client_transactions: usize,
    /// Requests received.
    pub server_transactions: usize,
    /// Calls, each leg its own.
    pub sessions: usize,
    /// Those who subscribed to something.
    pub subscriptions: usize,
}

impl Stack {
    /// An empty stack. `seed`: 64 bits that nobody else can know; two stacks of one letter need two seeds.
    pub fn new(config: StackConfig, seed: u64) -> Self {
        let mut ids = Ids::new(config.instance, seed);
        let mut secret = [0; 32];
        secret.chunks_exact_mut(8).for_each(|word| word.copy_from_slice(&ids.number().to_le_bytes()));
        Self {
            ids,
            verifier: authentication::Verifier::new(secret),
            config,
            clients: HashMap::new(),
            servers: HashMap::new(),
            by_request: HashMap::new(),
            merged: HashMap::new(),
            sessions: HashMap::new(),
            subscriptions: HashMap::new(),
            deadlines: Deadlines::new(),
            unanswered: Vec::new(),
            last_server: 0,
            orphans_until: None,
        }
    }

    /// A message came on `flow`.
    pub fn handle_message(
        &mut self,
        now: Instant,
        flow: Flow,
        message: Message,
        gatekeeper: &dyn Gatekeeper,
        out: &mut Vec<Output>,
    ) {
        match message {
            Message::Request(request) => self.handle_request(now, flow, request, gatekeeper, out),
            Message::Response(response) => self.handle_response(now, response, out),
        }
    }

    /// When [`handle_timeout`](Self::handle_timeout) wants to be called; now and then there is nothing to do then.
    pub fn next_timeout(&self) -> Option<Instant> {
        let unanswered = self.unanswered.first().map(|first| first.since);
        [self.deadlines.next(), unanswered].into_iter().flatten().min()
    }

    /// Does all that was due until `now`.
    pub fn handle_timeout(&mut self, now: Instant, out: &mut Vec<Output>) {
        for Unanswered { server, timestamp, .. } in std::mem::take(&mut self.unanswered) {
            let timestamp = timestamp.as_deref().map(|value| ("Timestamp", value));
            self.respond(now, server, Reply { headers: timestamp.as_slice(), ..Reply::new(100) }, out);
        }
        while let Some((at, who)) = self.deadlines.pop(now) {
            match who {
                Who::Client(key) => self.client_timeout(now, at, key, out),
                Who::Server(id) => self.server_timeout(now, at, id, out),
                Who::Session(id) => self.session_timeout(now, at, id, out),
                Who::Subscription(id) => self.subscription_timeout(now, at, id, out),
                Who::Register(id) => self.register_forgotten(id),
            }
        }
    }

    /// The transport could not deliver to `flow`, or its connection is closed: an ICMP error, a refused or reset
    /// connection. What waited for an answer from there fails (RFC 3261 §17.1.4); calls stay up.
    pub fn handle_flow_failed(&mut self, now: Instant, flow: Flow, out: &mut Vec<Output>) {
        self.client_flow_failed(now, &flow, out);
        self.server_flow_failed(&flow);
    }

    /// What is wished of session timers from the next call on.
    pub fn set_timers(&mut self, timers: Option<SessionTimers>) {
        self.config.timers = timers;
    }

    /// How much there is.
    pub fn load(&self) -> Load {
        Load {
            client_transactions: self.clients.len(),
            server_transactions: self.servers.len(),
            sessions: self.sessions.len(),
            subscriptions: self.subscriptions.len(),
        }
    }

    /// New work is refused.
    fn is_full(&self) -> bool {
        self.clients.len() + self.servers.len() >= MAX_TRANSACTIONS || self.sessions.len() >= MAX_SESSIONS
    }

    fn new_session_id(&mut self) -> SessionId {
        loop {
            let id = SessionId(self.ids.number());
            if !self.sessions.contains_key(&id) && !self.subscriptions.contains_key(&SubscriptionId(id.0)) {
                return id;
            }
        }
    }

    /// Puts a session (back) in its place with its next deadline.
    fn put(&mut self, mut session: Box<Session>) {
        let (id, at) = (session.party.id, session.next_timeout());
        self.deadlines.arm(Who::Session(id), &mut session.armed, at);
        self.sessions.insert(id, session);
    }
}

#[cfg(test)]
mod tests;
