//! Two stacks and the link between them, in virtual time from a seed: `ana` at 192.0.2.1 calls `boris` at
//! 192.0.2.2. A test says what each side's owner does at which event, and reads what went over the link.

mod bindings;
mod floods;
mod judgements;
mod kept;
mod links;
mod races;
mod refers;
mod reliable;
mod replaces;
mod sizes;
mod subscriptions;
mod timers;
mod updates;
mod whole;

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::*;
use crate::sip::flow::{Destination, Transport};
use crate::sip::message::Request;
use crate::sip::wire;

const ANA: usize = 0;
const BORIS: usize = 1;
const ADDRESSES: [&str; 2] = ["192.0.2.1:5060", "192.0.2.2:5060"];

fn address(side: usize) -> SocketAddr {
    ADDRESSES[side].parse().unwrap()
}

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// What a side's owner does at an event.
type Owner = Box<dyn FnMut(&mut Link, usize, &Event)>;

type Drops = Box<dyn FnMut(usize, &str) -> bool>;

struct Link {
    zero: Instant,
    now: Instant,
    stacks: [Stack; 2],
    /// (arrives, order, to whom, bytes)
    under_way: BinaryHeap<Reverse<(Instant, u64, usize, Bytes)>>,
    sent: u64,
    transport: Transport,
    chance: u64,
    /// Of a hundred messages, how many are lost; with any, messages also overtake each other.
    loss: u64,
    /// Says which messages are lost besides: sender and first line.
    drops: Drops,
    /// (ms, sender, first line without SIP/2.0 and URI)
    ladder: Vec<(u64, usize, String)>,
    /// The same, whole.
    texts: Vec<(usize, Bytes)>,
    events: Vec<(u64, usize, Event)>,
    sessions: [Vec<SessionId>; 2],
    gate: Arc<dyn Gatekeeper>,
}

struct Carriers;

impl Gatekeeper for Carriers {
    fn admit(&self, _: &Flow, _: &Request) -> Admission {
        Admission::Trunk { tenant: "demo".into(), name: "other".into() }
    }

    fn password(&self, _: &str, _: &str) -> Option<Arc<str>> {
        None
    }
}

impl Link {
    fn new(seed: u64) -> Self {
        let zero = Instant::now();
        let stack = |side: usize| {
            let config = StackConfig {
                instance: [b'a', b'b'][side],
                advertised: vec![(Transport::Udp, address(side)), (Transport::Tcp, address(side))],
                likely: Vec::new(),
                user_agent: "strowger".into(),
                timers: None,
            };
            Stack::new(config, seed * 2 + side as u64)
        };
        Self {
            zero,
            now: zero,
            stacks: [stack(ANA), stack(BORIS)],
            under_way: BinaryHeap::new(),
            sent: 0,
            transport: Transport::Udp,
            chance: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1,
            loss: 0,
            drops: Box::new(|_, _| false),
            ladder: Vec::new(),
            texts: Vec::new(),
            events: Vec::new(),
            sessions: [Vec::new(), Vec::new()],
            gate: Arc::new(Carriers),
        }
    }

    fn lossy(seed: u64, loss: u64) -> Self {
        Self { loss, ..Self::new(seed) }
    }

    fn random(&mut self, below: u64) -> u64 {
        self.chance ^= self.chance << 13;
        self.chance ^= self.chance >> 7;
        self.chance ^= self.chance << 17;
        self.chance % below
    }

    fn elapsed(&self) -> u64 {
        (self.now - self.zero).as_millis() as u64
    }

    fn call(&mut self) -> SessionId {
        self.call_with(Some("offer"), None)
    }

    fn call_with(&mut self, sdp: Option<&str>, credentials: Option<Credentials>) -> SessionId {
        let invite = Invite {
            request_uri: "sip:boris@192.0.2.2".into(),
            to: "<sip:boris@192.0.2.2>".into(),
            from: "\"Ana\" <sip:ana@192.0.2.1>".into(),
            contact_user: "ana".into(),
            destination: Destination::new(self.transport, address(BORIS)),
            keep_to_destination: false,
            route: Vec::new(),
            headers: Vec::new(),
            sdp: sdp.map(|sdp| Bytes::copy_from_slice(sdp.as_bytes())),
            credentials,
            call_id: None,
            max_forwards: 70,
        };
        let id = self.ask(ANA, |stack, now, out| stack.invite(now, invite, out));
        self.sessions[ANA].push(id);
        id
    }

    /// A verb of one side's stack.
    fn ask<T>(&mut self, side: usize, verb: impl FnOnce(&mut Stack, Instant, &mut Vec<Output>) -> T) -> T {
        let mut out = Vec::new();
        let answer = verb(&mut self.stacks[side], self.now, &mut out);
        self.take(side, out);
        answer
    }

    fn take(&mut self, side: usize, out: Vec<Output>) {
        for output in out {
            match output {
                Output::Send { to, bytes } => self.send(side, to, bytes),
                Output::Event(event) => {
                    if let Event::Invited { session, .. } = event {
                        self.sessions[side].push(session);
                    }
                    self.events.push((self.elapsed(), side, event));
                }
            }
        }
    }

    fn send(&mut self, from: usize, to: Destination, bytes: Bytes) {
        let text = String::from_utf8_lossy(&bytes);
        wire::read(&bytes).unwrap_or_else(|error| panic!("{error:?} in {text}"));
        let line = first_line(&text);
        self.ladder.push((self.elapsed(), from, line.clone()));
        self.texts.push((from, bytes.clone()));
        let lost = self.random(100) < self.loss || (self.drops)(from, &line);
        let Some(to) = (0..2).find(|side| address(*side) == to.remote) else { return };
        if !lost {
            let delay = if self.loss == 0 { 10 } else { 5 + self.random(200) };
            self.sent += 1;
            self.under_way.push(Reverse((self.now + ms(delay), self.sent, to, bytes.clone())));
            if self.loss > 0 && self.random(100) < 5 {
                // A copy, which may come first.
                let delay = 5 + self.random(400);
                self.sent += 1;
                self.under_way.push(Reverse((self.now + ms(delay), self.sent, to, bytes)));
            }
        }
    }

    fn flow(&self, to: usize) -> Flow {
        let connection = if self.transport.is_reliable() { 1 } else { 0 };
        Flow { transport: self.transport, local: address(to), remote: address(1 - to), connection }
    }

    /// A message made by the test arrives at `to` now.
    fn arrive(&mut self, to: usize, text: &str) {
        let message = wire::read(text.replace('\n', "\r\n").as_bytes()).expect("a message of the test's own");
        let (flow, gate) = (self.flow(to), self.gate.clone());
        self.ask(to, |stack, now, out| stack.handle_message(now, flow, message, &*gate, out));
    }

    /// Goes on until nothing is left to happen, or for `most`; each event is shown to `owner` at its time.
    fn run(&mut self, most: Duration, owner: &mut Owner) {
        let until = self.now + most;
        let mut shown = self.events.len();
        self.show(&mut shown, owner);
        loop {
            let arrival = self.under_way.peek().map(|Reverse((at, ..))| *at);
            let timeouts = self.stacks.iter().filter_map(Stack::next_timeout).min();
            let Some(next) = arrival.into_iter().chain(timeouts).min() else { break };
            if next > until {
                break;
            }
            self.now = self.now.max(next);
            if arrival.is_some_and(|at| at <= self.now) {
                let Some(Reverse((_, _, to, bytes))) = self.under_way.pop() else { break };
                let (flow, gate) = (self.flow(to), self.gate.clone());
                let message = wire::read(&bytes).expect("read when it was sent");
                self.ask(to, |stack, now, out| stack.handle_message(now, flow, message, &*gate, out));
            } else {
                for side in [ANA, BORIS] {
                    self.ask(side, |stack, now, out| stack.handle_timeout(now, out));
                }
            }
            self.show(&mut shown, owner);
        }
        if most < ms(1_000_000) {
            self.now = until;
        }
    }

    fn show(&mut self, shown: &mut usize, owner: &mut Owner) {
        while let Some((_, side, event)) = self.events.get(*shown) {
            let (side, event) = (*side, event.clone());
            *shown += 1;
            owner(self, side, &event);
        }
    }

    fn run_out(&mut self, owner: &mut Owner) {
        self.run(ms(10_000_000), owner);
    }

    /// First lines of both sides in order: `a INVITE`, `b 200`.
    fn lines(&self) -> Vec<String> {
        self.ladder.iter().map(|(_, side, line)| format!("{} {line}", ['a', 'b'][*side])).collect()
    }

    /// The last message of a side with this first line.
    fn text(&self, side: usize, line: &str) -> String {
        let texts = self.texts.iter().rev().filter(|(from, _)| *from == side);
        let mut texts = texts.map(|(_, bytes)| String::from_utf8_lossy(bytes).into_owned());
        texts.find(|text| first_line(text) == line).unwrap_or_default()
    }

    /// When a side sent this, in milliseconds.
    fn at(&self, side: usize, line: &str) -> Vec<u64> {
        let of = self.ladder.iter().filter(|(_, from, sent)| *from == side && sent == line);
        of.map(|(at, ..)| *at).collect()
    }

    fn count(&self, side: usize, line: &str) -> usize {
        self.ladder.iter().filter(|(_, from, sent)| *from == side && sent == line).count()
    }

    /// How one side's sessions ended: `refused 486`, `ended Local`.
    fn ends(&self, side: usize) -> Vec<String> {
        let of = self.events.iter().filter(|(_, at, _)| *at == side);
        of.filter_map(|(_, _, event)| match event {
            Event::Refused { status, cause, .. } => Some(format!("refused {status} {cause:?}")),
            Event::Ended { by, .. } => Some(format!("ended {by:?}")),
            _ => None,
        })
        .collect()
    }

    fn assert_empty(&self) {
        for (side, stack) in self.stacks.iter().enumerate() {
            assert_eq!(stack.load(), Load::default(), "{side} keeps something; {:?}", self.lines());
            assert!(stack.by_request.is_empty() && stack.merged.is_empty());
        }
    }
}

/// `INVITE` of a request, `200` of a response.
fn first_line(text: &str) -> String {
    let line = text.split("\r\n").next().unwrap_or_default();
    let word = if line.starts_with("SIP/2.0 ") { 1 } else { 0 };
    line.split(' ').nth(word).unwrap_or_default().to_owned()
}

fn sdp(text: &str) -> Option<Bytes> {
    Some(Bytes::copy_from_slice(text.as_bytes()))
}

/// Boris rings and answers at once; nobody hangs up.
fn answers() -> Owner {
    Box::new(|link, side, event| {
        if let (BORIS, Event::Invited { session, .. }) = (side, event) {
            let session = *session;
            link.ask(BORIS, |stack, now, out| stack.provisional(now, session, 180, "", None, out));
            link.ask(BORIS, |stack, now, out| stack.answer(now, session, sdp("answer"), out));
        }
    })
}

fn nothing() -> Owner {
    Box::new(|_, _, _| {})
}
