//! Every vector, whole, cut and damaged by chance, thrown at every transport: the exchange answers or drops it, and goes on.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tests::certificates::Authority;

use crate::world::{SOON, World};

/// Messages of one seed on each transport.
const DAMAGED: usize = 600;
/// Damaged messages of one TLS connection: each needs a process of openssl.
const OF_ONE: usize = 60;

#[test]
fn whatever_arrives_the_exchange_goes_on() {
    let mut world = World::new();
    let vectors = vectors();
    assert!(vectors.len() >= 80, "{} vectors", vectors.len());
    let at = world.exchange.sip();
    let socket = UdpSocket::bind(world.net.sip()).expect("the address is free");
    for vector in &vectors {
        for length in [vector.len(), vector.len() / 2, 1] {
            socket.send_to(&vector[..length], at).expect("the exchange listens");
        }
        // One connection each: what is no SIP may end it. The exchange may close before all is written.
        let mut stream = TcpStream::connect(at).expect("the exchange listens");
        let _ = stream.write_all(vector);
    }
    // Nothing at all, only bytes, and the largest datagram.
    for size in [0, 4, 65_507] {
        socket.send_to(&vec![0xff; size], at).expect("the exchange listens");
    }
    world.carrier_calls("702").calls(5, 5).talks(Duration::from_secs(1)).run(SOON).assert_all(5);
    assert!(world.exchange.process().lines.running(Duration::ZERO), "the exchange runs");
}

/// Chance from a seed that is printed, and may be given by STROWGER_SEED to see the same again.
struct Chance(u64);

impl Chance {
    fn new() -> Self {
        let given = std::env::var("STROWGER_SEED").ok().and_then(|seed| seed.parse().ok());
        let now = || SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |since| since.as_nanos() as u64);
        let seed = given.unwrap_or_else(now);
        println!("STROWGER_SEED={seed}");
        Self(seed | 1)
    }

    fn below(&mut self, most: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % most.max(1) as u64) as usize
    }

    /// A vector with a few bytes changed, moved, taken away or written twice.
    fn damaged(&mut self, vectors: &[Vec<u8>]) -> Vec<u8> {
        let mut bytes = vectors[self.below(vectors.len())].clone();
        for _ in 0..=self.below(6) {
            let (at, to) = (self.below(bytes.len()), self.below(bytes.len()));
            let (from, until) = (at.min(to), at.max(to).min(at.min(to) + 40));
            match self.below(4) {
                0 => bytes[at] = self.below(256) as u8,
                1 => drop(bytes.drain(from..until)),
                2 => bytes.splice(to..to, bytes[from..until].to_vec()).for_each(drop),
                _ => bytes[at] = b"\r\n\0,;:<>\"@= "[self.below(12)],
            }
            if bytes.is_empty() {
                bytes.push(0);
            }
        }
        bytes
    }
}

/// A text frame as browsers send it (RFC 6455 §5.2), masked with zeros.
fn frame(message: &[u8]) -> Vec<u8> {
    let mut frame = vec![0x82];
    match message.len() {
        length @ 0..=125 => frame.push(0x80 | length as u8),
        length => {
            frame.push(0x80 | 126);
            frame.extend((length as u16).to_be_bytes());
        }
    }
    frame.extend([0; 4]);
    frame.extend(message);
    frame
}

/// A WebSocket that speaks SIP.
fn websocket(at: SocketAddr) -> TcpStream {
    let mut stream = TcpStream::connect(at).expect("the exchange listens");
    let upgrade = format!(
        "GET / HTTP/1.1\r\nHost: {at}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: sip\r\n\r\n"
    );
    stream.write_all(upgrade.as_bytes()).expect("it can be asked");
    stream.set_read_timeout(Some(SOON)).expect("a socket can wait");
    let mut answer = [0; 1024];
    let length = stream.read(&mut answer).expect("it answers");
    assert!(answer[..length].starts_with(b"HTTP/1.1 101 "), "{}", String::from_utf8_lossy(&answer[..length]));
    stream
}

#[test]
fn messages_damaged_by_chance_do_no_harm_over_any_transport() {
    let authority = Authority::new();
    let mut world = World::listening(|_, ip| {
        let pair = authority.issue("exchange", &[format!("IP:{ip}")]);
        // Nobody is to be sent away for what this does.
        let sip = format!(
            "[sip.bans]\nafter = 0\n[sip.throttle]\nmessages_per_second = 0\n[sip.tls]\n{}\n",
            pair.toml("\n")
        );
        (vec![format!("tls:{ip}:5061"), format!("ws:{ip}:8088")], sip, String::new())
    });
    let (vectors, mut chance, at) = (vectors(), Chance::new(), world.exchange.sip());
    let socket = UdpSocket::bind(world.net.sip()).expect("the address is free");
    for _ in 0..DAMAGED {
        let message = chance.damaged(&vectors);
        socket.send_to(&message[..message.len().min(65_000)], at).expect("the exchange listens");
    }
    let mut stream = TcpStream::connect(at).expect("the exchange listens");
    for _ in 0..DAMAGED {
        // What has no next message ends a connection, as it may.
        if stream.write_all(&chance.damaged(&vectors)).is_err() {
            stream = TcpStream::connect(at).expect("the exchange still listens");
        }
    }
    let web: SocketAddr = (world.exchange.ip(), 8088).into();
    let mut browser = websocket(web);
    for _ in 0..DAMAGED {
        if browser.write_all(&frame(&chance.damaged(&vectors))).is_err() {
            browser = websocket(web);
        }
    }
    for _ in 0..DAMAGED / OF_ONE {
        let mut openssl = Command::new("openssl");
        openssl.args(["s_client", "-quiet", "-connect", &format!("{}:5061", world.exchange.ip())]);
        openssl.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut openssl = openssl.spawn().expect("openssl starts");
        let mut stdin = openssl.stdin.take().expect("it reads");
        for _ in 0..OF_ONE {
            if stdin.write_all(&chance.damaged(&vectors)).is_err() {
                break; // it was closed, as it may be
            }
        }
        drop(stdin);
        let _ = openssl.kill();
        openssl.wait().expect("it ends");
    }
    world.carrier_calls("702").calls(5, 5).talks(Duration::from_secs(1)).run(SOON).assert_all(5);
    assert!(world.exchange.process().lines.running(Duration::ZERO), "the exchange runs");
    let malformed = world.exchange.metrics();
    let count = malformed.lines().find_map(|line| line.strip_prefix("strowger_sip_malformed_total "));
    let count: u64 = count.and_then(|count| count.parse().ok()).expect("they are counted");
    assert!(count > 100, "{count} of {} were no messages", DAMAGED * 4);
}

#[test]
fn a_malformed_request_is_answered_400_with_a_reason() {
    let world = World::new();
    let from = world.net.sip();
    let socket = UdpSocket::bind(from).expect("the address is free");
    socket.set_read_timeout(Some(SOON)).expect("a socket can wait");
    // RFC 3261 §8.1.1.5: the method of CSeq has to match the request's.
    let request = format!(
        "OPTIONS sip:{ip} SIP/2.0\r\nVia: SIP/2.0/UDP {from};branch=z9hG4bKbad\r\nMax-Forwards: 70\r\n\
         From: <sip:a@{ip}>;tag=1\r\nTo: <sip:{ip}>\r\nCall-ID: bad@{from}\r\nCSeq: 1 INVITE\r\n\
         Content-Length: 0\r\n\r\n",
        ip = world.exchange.ip()
    );
    socket.send_to(request.as_bytes(), world.exchange.sip()).expect("the exchange listens");
    let mut buffer = [0; 4096];
    let length = socket.recv(&mut buffer).expect("the exchange answers");
    let answer = String::from_utf8_lossy(&buffer[..length]);
    let line = answer.lines().next().unwrap_or_default();
    assert!(line.starts_with("SIP/2.0 400 ") && line.len() > "SIP/2.0 400 ".len(), "{answer}");
}

/// The messages of the folder `vectors`.
fn vectors() -> Vec<Vec<u8>> {
    let root = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/vectors"));
    let folders = ["rfc4475", "rfc5118", "realworld"].map(|folder| root.join(folder));
    let files = folders.iter().flat_map(|folder| fs::read_dir(folder).expect("the vectors are there"));
    files
        .map(|file| fs::read(file.expect("a folder can be read").path()).expect("a vector can be read"))
        .collect()
}
