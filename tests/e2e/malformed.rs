//! Every vector, whole and cut, thrown at both transports: the exchange answers or drops it, and goes on.

use std::fs;
use std::io::Write;
use std::net::{TcpStream, UdpSocket};
use std::path::PathBuf;
use std::time::Duration;

use crate::world::{SOON, World};

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
