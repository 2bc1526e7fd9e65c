//! What the kernel alone takes for a call that hears a second: its messages, its sockets and its packets, with nobody
//! deciding anything. No exchange can be below it.

use std::collections::HashMap;
use std::net::{SocketAddr, SocketAddrV4, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

use crate::setup::header;

/// Header and 20 ms of G.711 (RFC 3550 §5.1, RFC 3551 §4.5.14).
const PACKET: [u8; 172] = [0; 172];
const INTERVAL: Duration = Duration::from_millis(20);
/// Of a second.
const PACKETS: u32 = 50;

/// A call that was answered.
struct Call {
    rtp: UdpSocket,
    _rtcp: UdpSocket,
    ear: SocketAddr,
    left: u32,
    caller: SocketAddr,
    bye: String,
}

/// Microseconds of CPU time for each call that `run` places to `at`. `warm_up`: places some before.
pub fn calls(at: SocketAddrV4, warm_up: impl FnOnce(), run: impl FnOnce()) -> f64 {
    let socket = UdpSocket::bind(at).expect("the address is free");
    let (warm, over) = (AtomicBool::new(false), AtomicBool::new(false));
    thread::scope(|scope| {
        let server = scope.spawn(|| serve(&socket, at, &warm, &over));
        warm_up();
        warm.store(true, Ordering::Relaxed);
        run();
        over.store(true, Ordering::Relaxed);
        server.join().expect("it understands the bench's own telephone")
    })
}

fn serve(socket: &UdpSocket, at: SocketAddrV4, warm: &AtomicBool, over: &AtomicBool) -> f64 {
    let mut calls: HashMap<String, Call> = HashMap::new();
    let mut measured: Option<(Duration, u32)> = None;
    let mut tick = Instant::now() + INTERVAL;
    let mut buffer = [0; 4096];
    while !over.load(Ordering::Relaxed) {
        if measured.is_none() && warm.load(Ordering::Relaxed) {
            measured = Some((cpu(), 0));
        }
        let rest = tick.saturating_duration_since(Instant::now());
        if rest.is_zero() {
            tick += INTERVAL;
            for call in calls.values_mut().filter(|call| call.left > 0) {
                call.rtp.send_to(&PACKET, call.ear).expect("the ear is open");
                call.left -= 1;
                if call.left == 0 {
                    socket.send_to(call.bye.as_bytes(), call.caller).expect("the telephone is there");
                }
            }
            continue;
        }
        socket.set_read_timeout(Some(rest)).expect("a socket can wait");
        let Ok((length, from)) = socket.recv_from(&mut buffer) else { continue };
        let message = std::str::from_utf8(&buffer[..length]).expect("SIP is text");
        let id = header(message, "Call-ID").unwrap_or_default();
        if message.starts_with("INVITE ") {
            let (answer, call) = answered(message, at, from);
            socket.send_to(answer.as_bytes(), from).expect("the telephone is there");
            calls.insert(id.to_owned(), call);
        } else if message.starts_with("SIP/2.0 200") {
            calls.remove(id);
            measured.iter_mut().for_each(|(_, count)| *count += 1);
        }
    }
    let (before, count) = measured.expect("calls were placed");
    (cpu() - before).as_secs_f64() * 1e6 / f64::from(count)
}

/// The 200 to an INVITE, and the call that it begins.
fn answered(invite: &str, at: SocketAddrV4, from: SocketAddr) -> (String, Call) {
    let [via, caller, called, id, cseq] =
        ["Via", "From", "To", "Call-ID", "CSeq"].map(|name| header(invite, name).unwrap_or_default());
    let bind = || UdpSocket::bind((*at.ip(), 0)).expect("a port is free");
    let (rtp, rtcp) = (bind(), bind());
    let port = rtp.local_addr().expect("it is bound").port();
    let ear = invite.lines().find_map(|line| line.strip_prefix("m=audio ")?.split(' ').next()?.parse().ok());
    let ear = SocketAddr::new(from.ip(), ear.expect("the telephone offers sound"));
    let ip = at.ip();
    let sdp = format!(
        "v=0\r\no=- 1 1 IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\nm=audio {port} RTP/AVP 8\r\n"
    );
    let answer = format!(
        "SIP/2.0 200 OK\r\nVia: {via}\r\nFrom: {caller}\r\nTo: {called};tag=bare\r\nCall-ID: {id}\r\nCSeq: {cseq}\r\n\
         Contact: <sip:{at}>\r\nContent-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{sdp}",
        sdp.len()
    );
    let bye = format!(
        "BYE sip:caller@{from} SIP/2.0\r\nVia: SIP/2.0/UDP {at};branch=z9hG4bK{id}\r\nMax-Forwards: 70\r\n\
         From: {called};tag=bare\r\nTo: {caller}\r\nCall-ID: {id}\r\nCSeq: 1 BYE\r\nContent-Length: 0\r\n\r\n"
    );
    (answer, Call { rtp, _rtcp: rtcp, ear, left: PACKETS, caller: from, bye })
}

/// Of this thread.
fn cpu() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}
