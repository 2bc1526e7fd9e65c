//! What a call costs both stacks that carry it: seven messages, each read once and handled once, over UDP.
//! Wire, transactions, dialogs and timers are in it; sockets are not.

#![allow(missing_docs)] // criterion_group! makes a public function without any.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use criterion::{Criterion, criterion_group, criterion_main};
use protocol::sip::Request;
use protocol::sip::flow::{Destination, Flow, Transport};
use protocol::sip::stack::{Admission, Event, Gatekeeper, Invite, Output, Stack, StackConfig};
use protocol::sip::wire;

struct Carriers;

impl Gatekeeper for Carriers {
    fn admit(&self, _: &Flow, _: &Request) -> Admission {
        Admission::Trunk { tenant: "demo".into(), name: "carrier".into() }
    }

    fn password(&self, _: &str, _: &str) -> Option<Arc<str>> {
        None
    }
}

const SDP: &[u8] = b"v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n\
    m=audio 30000 RTP/AVP 0 8 101\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=sendrecv\r\n";

struct Pair {
    stacks: [Stack; 2],
    now: Instant,
}

impl Pair {
    fn new() -> Self {
        let stack = |letter, address: &str| {
            let advertised = vec![(Transport::Udp, address.parse().expect("an address"))];
            Stack::new(
                StackConfig {
                    instance: letter,
                    advertised,
                    likely: Vec::new(),
                    user_agent: "strowger".into(),
                    timers: None,
                },
                1,
            )
        };
        Self { stacks: [stack(b'a', "192.0.2.1:5060"), stack(b'b', "192.0.2.2:5060")], now: Instant::now() }
    }

    /// Carries all there is to carry to and fro; the called side rings and answers.
    fn settle(&mut self, mut side: usize, mut out: Vec<Output>) {
        let addresses = ["192.0.2.1:5060", "192.0.2.2:5060"].map(|text| text.parse().expect("an address"));
        while !out.is_empty() {
            side = 1 - side;
            let mut next = Vec::new();
            let flow = Flow {
                transport: Transport::Udp,
                local: addresses[side],
                remote: addresses[1 - side],
                connection: 0,
            };
            for output in out.drain(..) {
                let Output::Send { bytes, .. } = output else { continue };
                let message = wire::read(&bytes).expect("written by a stack");
                let before = next.len();
                self.stacks[side].handle_message(self.now, flow, message, &Carriers, &mut next);
                let invited = next[before..].iter().find_map(|output| match output {
                    Output::Event(Event::Invited { session, .. }) => Some(*session),
                    _ => None,
                });
                if let Some(session) = invited {
                    self.stacks[side].provisional(self.now, session, 180, "", None, &mut next);
                    self.stacks[side].answer(self.now, session, Some(Bytes::from_static(SDP)), &mut next);
                }
            }
            out = next;
        }
    }

    fn call(&mut self) {
        // 200 calls a second: timers keep what they keep in service.
        self.now += Duration::from_millis(5);
        let mut out = Vec::new();
        let invite = Invite {
            request_uri: "sip:boris@192.0.2.2".into(),
            to: "<sip:boris@192.0.2.2>".into(),
            from: "\"Ana\" <sip:ana@192.0.2.1>".into(),
            contact_user: "ana".into(),
            destination: Destination::new(Transport::Udp, "192.0.2.2:5060".parse().expect("an address")),
            keep_to_destination: false,
            route: Vec::new(),
            headers: Vec::new(),
            sdp: Some(Bytes::from_static(SDP)),
            credentials: None,
            call_id: None,
            max_forwards: 70,
        };
        let session = self.stacks[0].invite(self.now, invite, &mut out);
        self.settle(0, out);
        let mut out = Vec::new();
        self.stacks[0].hang_up(self.now, session, None, &mut out);
        self.settle(0, out);
        for stack in &mut self.stacks {
            stack.handle_timeout(self.now, &mut Vec::new());
        }
    }
}

fn calls(criterion: &mut Criterion) {
    let mut pair = Pair::new();
    // 32 s of calls before: maps and heap are as full as 200 calls a second make them.
    (0..7_000).for_each(|_| pair.call());
    criterion
        .bench_function("a call through two stacks, seven messages", |bencher| bencher.iter(|| pair.call()));
}

criterion_group!(benches, calls);
criterion_main!(benches);
