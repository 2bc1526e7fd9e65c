//! Calls that hear a second of sound from rtpengine, which is told of each what a SIP server would tell it: an offer, an
//! answer, what to play, the end. Nobody answers the caller and nobody decides anything.

use std::net::{Ipv4Addr, UdpSocket};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use super::relay::sdp;
use super::rtpengine::RtpEngine;

/// From a call's begin to its end: its second, and as much again as a caller takes to answer a BYE.
const LENGTH: Duration = Duration::from_millis(1050);

/// Places calls at an even pace, numbered from `first`, whose sound goes to an ear at `ip`.
pub fn calls(engine: &RtpEngine, ip: Ipv4Addr, file: &Path, first: usize, calls: u32, per_second: u32) {
    let client = engine.client();
    // As with sipp, somebody is there and nobody listens.
    let ear = UdpSocket::bind((ip, 0)).expect("a port is free");
    let offered = sdp(&ear, false);
    let (begin, share) = (Instant::now(), Duration::from_secs(1) / per_second);
    let (mut begun, mut ended) = (0, 0);
    while ended < calls {
        let (next, end) = (share * begun, share * ended + LENGTH);
        let begins = begun < calls && next <= end;
        thread::sleep((if begins { next } else { end }).saturating_sub(begin.elapsed()));
        if begins {
            let call = first + begun as usize;
            client.offer(call, &offered);
            client.answer(call, &offered);
            client.play(call, file);
            begun += 1;
        } else {
            client.delete(first + ended as usize);
            ended += 1;
        }
    }
}
