//! A telephone of the town, or all the customers outside: a stack of its own, and what is asked of it. It asks for transfers by
//! REFER as any telephone does; the stack, which never does, sends it as it would an INFO, and hears of the answer as of one's.

use std::collections::BTreeMap;
use std::time::Instant;

use protocol::sip::flow::{Destination, Flow, Transport};
use protocol::sip::message::Request;
use protocol::sip::stack::{
    Admission, Credentials, Event, Gatekeeper, Invite, Output, SessionId, Stack, StackConfig,
};
use protocol::sip::wire;

use crate::house::PASSWORD;
use crate::referrals;
use crate::town::{HOUSE, OUTSIDE, PEOPLE, address};

/// Whoever calls a telephone is the exchange.
struct Anybody;

impl Gatekeeper for Anybody {
    fn admit(&self, _: &Flow, _: &Request) -> Admission {
        Admission::Trunk { tenant: "".into(), name: "".into() }
    }

    fn password(&self, _: &str, _: &str) -> Option<std::sync::Arc<str>> {
        None
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Talk {
    /// It calls.
    Calls,
    /// It rings.
    Rings,
    /// Both talk.
    Up { holds: bool },
}

pub struct Telephone {
    at: usize,
    pub stack: Stack,
    /// Sessions that are not over.
    pub talks: BTreeMap<SessionId, Talk>,
    pub begun: usize,
    pub ended: usize,
    pub answered: usize,
    outputs: Vec<Output>,
    sent: Vec<Vec<u8>>,
}

impl Telephone {
    pub fn new(at: usize, seed: u64) -> Self {
        let config = StackConfig {
            instance: b'a' + at as u8 - 1,
            advertised: vec![(Transport::Udp, address(at))],
            likely: Vec::new(),
            user_agent: "telephone".into(),
            timers: None,
        };
        Self {
            at,
            stack: Stack::new(config, seed),
            talks: BTreeMap::new(),
            begun: 0,
            ended: 0,
            answered: 0,
            outputs: Vec::new(),
            sent: Vec::new(),
        }
    }

    /// A message arrives; what is sent for it.
    pub fn message(&mut self, now: Instant, bytes: &[u8]) -> Vec<Vec<u8>> {
        let text = String::from_utf8_lossy(bytes);
        if text.starts_with("NOTIFY ") {
            return vec![referrals::answered(&text).into_bytes()];
        }
        let text = referrals::response_as_sent(&text);
        let message = wire::read(text.as_bytes()).expect("read when it was sent");
        let flow = Flow {
            transport: Transport::Udp,
            local: address(self.at),
            remote: address(HOUSE),
            connection: 0,
        };
        self.stack.handle_message(now, flow, message, &Anybody, &mut self.outputs);
        self.settle(now)
    }

    pub fn timeout(&mut self, now: Instant) -> Vec<Vec<u8>> {
        if self.stack.next_timeout().is_some_and(|at| at <= now) {
            self.stack.handle_timeout(now, &mut self.outputs);
        }
        self.settle(now)
    }

    /// Its user does something.
    pub fn ask(
        &mut self,
        now: Instant,
        verb: impl FnOnce(&mut Stack, Instant, &mut Vec<Output>),
    ) -> Vec<Vec<u8>> {
        verb(&mut self.stack, now, &mut self.outputs);
        self.settle(now)
    }

    /// Calls a number, for itself or in another one's place.
    pub fn call(&mut self, now: Instant, number: &str, replaces: Option<&str>) -> Vec<Vec<u8>> {
        let uri = format!("sip:{number}@{}", address(HOUSE).ip());
        let own = match self.at {
            OUTSIDE => "+359888123456",
            at => PEOPLE[at - 1].0,
        };
        let invite = Invite {
            to: format!("<{uri}>"),
            request_uri: uri,
            from: format!("<sip:{own}@{}>", address(HOUSE).ip()),
            contact_user: own.into(),
            destination: Destination::new(Transport::Udp, address(HOUSE)),
            keep_to_destination: true,
            route: vec![],
            headers: replaces.map(|value| ("Replaces".into(), value.into())).into_iter().collect(),
            sdp: Some("talk".into()),
            credentials: (self.at != OUTSIDE)
                .then(|| Credentials { user: own.into(), password: PASSWORD.into() }),
            call_id: None,
            max_forwards: 70,
        };
        let session = self.stack.invite(now, invite, &mut self.outputs);
        self.talks.insert(session, Talk::Calls);
        self.begun += 1;
        self.settle(now)
    }

    /// Asks that a number, or whoever it talks with in another session, takes its place in this one.
    pub fn refer(
        &mut self,
        now: Instant,
        session: SessionId,
        to: &str,
        with: Option<SessionId>,
    ) -> Vec<Vec<u8>> {
        let with = with.and_then(|with| self.stack.dialog_name(with));
        let replaces = with.map(|(call_id, ours, theirs)| {
            format!("?Replaces={call_id}%3Bto-tag%3D{theirs}%3Bfrom-tag%3D{ours}")
        });
        let uri = format!("sip:{to}@{}{}", address(HOUSE).ip(), replaces.unwrap_or_default());
        self.stack.info(now, session, referrals::CONTENT, format!("<{uri}>").as_bytes(), &mut self.outputs);
        self.settle(now)
    }

    /// Call-IDs of what is up.
    pub fn up(&self) -> Vec<String> {
        let up = self.talks.iter().filter(|(_, talk)| matches!(talk, Talk::Up { .. }));
        up.filter_map(|(session, _)| Some(self.stack.dialog_name(*session)?.0.to_owned())).collect()
    }

    fn settle(&mut self, now: Instant) -> Vec<Vec<u8>> {
        while !self.outputs.is_empty() {
            for output in std::mem::take(&mut self.outputs) {
                match output {
                    Output::Send { bytes, .. } => self.sent.push(referrals::request_as_sent(&bytes)),
                    Output::Event(event) => self.heard(now, event),
                }
            }
        }
        std::mem::take(&mut self.sent)
    }

    fn heard(&mut self, now: Instant, event: Event) {
        match event {
            Event::Invited { session, .. } => {
                self.begun += 1;
                self.talks.insert(session, Talk::Rings);
                self.stack.provisional(now, session, 180, "", None, &mut self.outputs);
            }
            Event::Answered { session, .. } => {
                self.answered += 1;
                self.talks.insert(session, Talk::Up { holds: false });
            }
            Event::Reinvited { session, .. } => {
                self.stack.accept_reinvite(now, session, Some("talk".into()), &mut self.outputs);
            }
            Event::Refused { session, .. } | Event::Ended { session, .. } => {
                assert!(self.talks.remove(&session).is_some(), "a session ends once");
                self.ended += 1;
            }
            _ => {}
        }
    }
}
