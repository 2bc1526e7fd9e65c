//! What is done with bytes from outside, in one function for each kind: called by the fuzz targets,
//! and by the plain tests of engine/protocol, which include this file.
//!
//! Each reads, looks at everything, and holds a few properties that must be true of whatever was
//! read; it panics only when one is broken.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use protocol::rtp::dtmf::{EventReceiver, Payload};
use protocol::rtp::receiver::Receiver;
use protocol::rtp::rtcp::Reporter;
use protocol::rtp::wire::Packet;
use protocol::sdp::session::{Description, Direction};
use protocol::sdp::{Codec, LocalMedia};
use protocol::sip::digest::{Challenge, Credentials};
use protocol::sip::flow::{Flow, Transport};
use protocol::sip::framing::{Frame, Framing};
use protocol::sip::registrar::{Lifetimes, MAX_CONTACTS, Registrar};
use protocol::sip::stack::{Admission, Gatekeeper, Stack, StackConfig};
use protocol::sip::wire::{self, MAX_HEADERS, MAX_MESSAGE};
use protocol::sip::{HeaderName, Message, Request};

/// Bytes as a datagram and as a stream: read, looked at, written, read again; given to a registrar
/// and to a stack.
pub fn sip(bytes: &[u8]) {
    match wire::read(bytes) {
        Ok(message) => look_at(&message),
        Err(error) => {
            if let Some(reply) = error.reply {
                assert!(reply.top_via().is_ok() && (400..600).contains(&reply.status));
                assert!(wire::read(&reply.to_bytes()).is_ok(), "a reply can be read");
            }
        }
    }
    let whole = frames(bytes, bytes.len().max(1));
    let pieces = frames(bytes, 7);
    let messages = |frames: &[Frame]| frames.iter().filter(|f| matches!(f, Frame::Message(_))).count();
    assert_eq!(messages(&whole), messages(&pieces), "where a stream is cut makes no difference");
}

fn frames(bytes: &[u8], size: usize) -> Vec<Frame> {
    let mut framing = Framing::new();
    let mut frames = Vec::new();
    for piece in bytes.chunks(size) {
        framing.push(piece);
        frames.extend(std::iter::from_fn(|| framing.pop()));
    }
    frames
}

fn look_at(message: &Message) {
    let mut written = Vec::new();
    message.write(&mut written);
    if written.len() <= MAX_MESSAGE && message.headers().len() < MAX_HEADERS {
        let again = wire::read(&written).expect("what was read can be written and read");
        assert_eq!(again.body(), message.body());
        let mut twice = Vec::new();
        again.write(&mut twice);
        assert_eq!(written, twice, "and stays what it is");
    }
    for (_, value) in message.headers().iter() {
        let challenge = Challenge::parse(value);
        assert_eq!(challenge.as_ref().map(|c| Challenge::parse(&c.to_string())), challenge.clone().map(Some));
        let credentials = Credentials::parse(value);
        let written = credentials.as_ref().map(|c| Credentials::parse(&c.to_string()));
        assert_eq!(written, credentials.map(Some));
    }
    let _ = message.headers().items(HeaderName::Supported).count();
    match message {
        Message::Response(response) => {
            if let Ok(seen) = response.check() {
                assert_eq!(wire_via(&seen.via.to_string()), Some(seen.via));
            }
        }
        Message::Request(request) => {
            let uri = request.uri.to_string();
            assert_eq!(uri.parse().as_ref(), Ok(&request.uri));
            assert!(request.uri.same_as(&request.uri));
            if let Ok(seen) = request.check() {
                assert_eq!(wire_via(&seen.via.to_string()), Some(seen.via));
                register(request);
            }
        }
    }
    serve(message);
}

fn wire_via(text: &str) -> Option<protocol::sip::Via> {
    protocol::sip::Via::parse(text).ok()
}

fn flow() -> Flow {
    let address = |last| SocketAddr::from(([192, 0, 2, last], 5060));
    Flow { transport: Transport::Udp, local: address(1), remote: address(2), connection: 0 }
}

fn register(request: &Request) {
    let now = Instant::now();
    let mut registrar = Registrar::new(Lifetimes::default());
    if let Ok(plan) = registrar.plan(now, "t", "u", flow(), request) {
        assert_eq!(plan.contacts.len(), plan.contacts.iter().filter(|c| !c.contains(['\r', '\n'])).count());
        registrar.apply(plan);
        assert!(registrar.len() <= MAX_CONTACTS);
        registrar.handle_timeout(now + Duration::from_secs(100_000), &mut Vec::new());
        assert!(registrar.is_empty());
    }
}

struct Anyone;

impl Gatekeeper for Anyone {
    fn admit(&self, _: &Flow, _: &Request) -> Admission {
        Admission::Trunk { tenant: "t".into(), name: "n".into() }
    }

    fn password(&self, _: &str, _: &str) -> Option<Arc<str>> {
        None
    }
}

fn serve(message: &Message) {
    let config = StackConfig {
        instance: b'f',
        advertised: Vec::new(),
        likely: Vec::new(),
        user_agent: "fuzz".into(),
        timers: None,
    };
    let mut stack = Stack::new(config, 1);
    let (now, mut out) = (Instant::now(), Vec::new());
    stack.handle_message(now, flow(), message.clone(), &Anyone, &mut out);
    stack.handle_message(now, flow(), message.clone(), &Anyone, &mut out);
    for _ in 0..100 {
        let Some(at) = stack.next_timeout() else { return };
        stack.handle_timeout(at, &mut out);
    }
}

/// Bytes as a session description, as an offer and as an answer.
pub fn sdp(bytes: &[u8]) {
    let both = Direction::new(true, true);
    let codecs = Codec::ALL;
    if let Ok(description) = Description::read(bytes) {
        for media in &description.media {
            let _ = (media.rtp(), media.rtcp());
            for payload_type in media.payload_types() {
                let _ = (media.encoding(payload_type), media.parameters(payload_type));
            }
        }
        let mut media = LocalMedia::new(SocketAddr::from(([192, 0, 2, 1], 4000)), 1);
        if let Ok((answer, _)) = media.answer(&description, &codecs, both) {
            assert!(Description::read(&answer).is_ok(), "an answer can be read");
            let _ = media.offer(&codecs, both);
        }
    }
    let mut caller = LocalMedia::new(SocketAddr::from(([192, 0, 2, 1], 4000)), 1);
    let _ = caller.offer(&codecs, both);
    let _ = caller.accept(bytes);
}

/// Bytes as an RTP packet, a telephone event and an RTCP packet.
pub fn rtp(bytes: &[u8]) {
    let now = Instant::now();
    let from = SocketAddr::from(([192, 0, 2, 1], 4000));
    if let Ok(packet) = Packet::read(bytes) {
        let payload = packet.payload(bytes);
        assert!(payload.len() <= bytes.len());
        let mut receiver = Receiver::new(now);
        let mut header = packet.header;
        for step in 0..4 {
            receiver.handle_packet(now + Duration::from_millis(20 * step), from, &header);
            header.sequence = header.sequence.wrapping_add(1);
        }
        let _ = (receiver.report(), receiver.lost(), receiver.jitter());
        if let Some(event) = Payload::read(payload) {
            let mut keys = EventReceiver::default();
            keys.handle_packet(now, packet.header.timestamp, event, |_| ());
            keys.handle_timeout(now + Duration::from_secs(10), |_| ());
        }
    }
    let mut reporter = Reporter::new(now, 1);
    let _ = reporter.handle_packet(now, Duration::from_secs(1), 7, bytes);
}
