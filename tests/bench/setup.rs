//! How long callers wait for the answer: a telephone of our own that places calls and notes for each the time from its INVITE to
//! the 200. Each call comes at a random moment of its own share of the time: at an even pace all of a run would meet the
//! exchange's ticks of 20 ms in the same place, and what is measured would be that place.

use std::collections::HashSet;
use std::net::{SocketAddrV4, UdpSocket};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// For the ends of the last calls.
const PATIENCE: Duration = Duration::from_secs(8);
/// How long a look for messages waits; what comes meanwhile is not noted later for it.
const LOOK: Duration = Duration::from_micros(500);

/// Runs so far, so that no call looks like one of another run.
static RUNS: AtomicUsize = AtomicUsize::new(0);

/// Places calls and hangs up on none: the script does. Panics when one is not answered with 200. The telephone is
/// a thread that goes before others, because its own waits are not the exchange's.
pub fn times(
    exchange: SocketAddrV4,
    caller: SocketAddrV4,
    number: &str,
    calls: usize,
    per_second: u32,
) -> Vec<Duration> {
    thread::scope(|scope| {
        let telephone = scope.spawn(|| {
            let _ = rustix::process::nice(-15); // without the right to it, they count
            place(exchange, caller, number, calls, per_second)
        });
        telephone.join().expect("every call is answered")
    })
}

fn place(
    exchange: SocketAddrV4,
    caller: SocketAddrV4,
    number: &str,
    calls: usize,
    per_second: u32,
) -> Vec<Duration> {
    let socket = UdpSocket::bind(caller).expect("the address is free");
    socket.set_read_timeout(Some(LOOK)).expect("a socket can wait");
    // Nobody listens to the sound, but somebody is there: the kernel would refuse each packet, which costs as much again.
    let ear = UdpSocket::bind((*caller.ip(), 0)).expect("a port is free");
    let sound = ear.local_addr().expect("it is bound").port();
    let first = RUNS.fetch_add(1, Ordering::Relaxed) * calls;
    let begin = Instant::now();
    let share = Duration::from_secs(1) / per_second;
    let mut chance = fastrand::Rng::with_seed(first as u64);
    let mut due = (0..calls as u32).map(|n| share * n + share.mul_f64(chance.f64())).peekable();
    let mut sent: Vec<Instant> = Vec::with_capacity(calls);
    let mut times: Vec<Option<Duration>> = vec![None; calls];
    let mut over = HashSet::new();
    let mut buffer = [0; 4096];
    while over.len() < calls && begin.elapsed() < PATIENCE + share * calls as u32 {
        if due.next_if(|due| begin.elapsed() >= *due).is_some() {
            let n = sent.len();
            sent.push(Instant::now());
            socket
                .send_to(invite(exchange, caller, sound, number, first + n).as_bytes(), exchange)
                .expect("it listens");
        }
        let Ok(length) = socket.recv(&mut buffer) else { continue };
        let message = std::str::from_utf8(&buffer[..length]).expect("SIP is text");
        let name = header(message, "Call-ID").and_then(|id| id.split('-').nth(1)?.parse::<usize>().ok());
        let Some(n) = name.and_then(|name| name.checked_sub(first)).filter(|n| *n < sent.len()) else {
            continue;
        };
        if message.starts_with("BYE ") {
            over.insert(n);
            socket.send_to(answer(message).as_bytes(), exchange).expect("it listens");
        } else if message.starts_with("SIP/2.0 200") {
            times[n].get_or_insert_with(|| sent[n].elapsed());
            socket
                .send_to(ack(message, exchange, caller, first + n).as_bytes(), exchange)
                .expect("it listens");
        } else {
            assert!(message.starts_with("SIP/2.0 1"), "a call was refused: {message}");
        }
    }
    let unanswered = times.iter().filter(|time| time.is_none()).count();
    assert_eq!(unanswered, 0, "of {calls} calls; {} were over", over.len());
    times.into_iter().flatten().collect()
}

/// So many of a hundred waited no longer.
pub fn percentile(times: &mut [Duration], percent: usize) -> Duration {
    times.sort_unstable();
    times[(times.len() * percent).div_ceil(100) - 1]
}

fn invite(exchange: SocketAddrV4, caller: SocketAddrV4, sound: u16, number: &str, n: usize) -> String {
    let sdp = format!(
        "v=0\r\no=- 1 1 IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\nm=audio {sound} RTP/AVP 8\r\n",
        ip = caller.ip()
    );
    format!(
        "INVITE sip:{number}@{exchange} SIP/2.0\r\nVia: SIP/2.0/UDP {caller};branch=z9hG4bKs{n}\r\nMax-Forwards: 70\r\n\
         From: <sip:caller@{exchange}>;tag=s{n}\r\nTo: <sip:{number}@{exchange}>\r\nCall-ID: setup-{n}-{caller}\r\n\
         CSeq: 1 INVITE\r\nContact: <sip:caller@{caller}>\r\nContent-Type: application/sdp\r\n\
         Content-Length: {}\r\n\r\n{sdp}",
        sdp.len()
    )
}

/// RFC 3261 §13.2.2.4: in the dialog, with a branch of its own.
fn ack(ok: &str, exchange: SocketAddrV4, caller: SocketAddrV4, n: usize) -> String {
    let [from, to, id] = ["From", "To", "Call-ID"].map(|name| header(ok, name).unwrap_or_default());
    format!(
        "ACK sip:{exchange} SIP/2.0\r\nVia: SIP/2.0/UDP {caller};branch=z9hG4bKa{n}\r\nMax-Forwards: 70\r\n\
         From: {from}\r\nTo: {to}\r\nCall-ID: {id}\r\nCSeq: 1 ACK\r\nContent-Length: 0\r\n\r\n"
    )
}

/// RFC 3261 §8.2.6.2.
fn answer(bye: &str) -> String {
    let copied = ["Via", "From", "To", "Call-ID", "CSeq"];
    let lines = copied.map(|name| format!("{name}: {}\r\n", header(bye, name).unwrap_or_default()));
    format!("SIP/2.0 200 OK\r\n{}Content-Length: 0\r\n\r\n", lines.concat())
}

/// The value of the first line of this name.
pub fn header<'m>(message: &'m str, name: &str) -> Option<&'m str> {
    message.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
}
