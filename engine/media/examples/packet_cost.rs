//! What an RTP packet costs: CPU time of the media thread per packet that is relayed or played, beside a
//! thread that only receives and sends, in the same run. Fifty bridges talk both ways at 50 packets a
//! second each, their packets spread evenly, on loopback; then a hundred legs hear a prompt.
//!
//!     cargo run --release -p media --example packet_cost [seconds]

use std::net::{Ipv4Addr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, Instant};

use media::{Command, Config, Media, Samples, Sound, Stream, StreamId};
use protocol::rtp::Rate;
use protocol::sdp::offer_answer::PayloadTypes;
use protocol::sdp::{Codec, Direction, Negotiated, OpusWishes, Security};
use protocol::srtp::{MAX_OVERHEAD, MasterKey, Outbound, Suite};

const BRIDGES: usize = 50;
const GAP: Duration = Duration::from_millis(20);

fn main() {
    let seconds = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(5);
    let length = Duration::from_secs(seconds);
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    println!("{} packets a second for {seconds} s; load {}", 2 * BRIDGES * 50, load.trim());
    let plain = plain(length);
    println!("recv and send alone   {:6.2} us a packet", plain);
    for (what, other) in [("relayed, same codec", Codec::Pcmu), ("relayed, transcoded", Codec::Pcma)] {
        let cost = relayed(length, other);
        println!("{what}   {cost:6.2} us a packet, {:.2} more than recv and send", cost - plain);
    }
    for suite in Suite::ALL {
        let cost = encrypted(length, suite);
        println!("relayed, {:<24} {cost:6.2} us a packet, both legs", suite.name());
    }
    println!("mixed, of two others  {:6.2} us a packet", mixed(length));
    println!("played                {:6.2} us a packet", played(length));
    println!("opened and closed     {:6.2} us a leg, both threads", opened());
}

/// CPU time of a thread by its name, which the kernel cuts to 15 characters.
fn cpu_of(name: &str) -> Duration {
    let tasks = std::fs::read_dir("/proc/self/task").expect("Linux tells its threads");
    let nanos = tasks.flatten().find_map(|task| {
        let comm = std::fs::read_to_string(task.path().join("comm")).ok()?;
        let stat = std::fs::read_to_string(task.path().join("schedstat")).ok()?;
        (comm.trim() == name).then(|| stat.split(' ').next()?.parse().ok()).flatten()
    });
    Duration::from_nanos(nanos.unwrap_or(0))
}

fn socket() -> UdpSocket {
    UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port is free")
}

fn packet(line: usize, sequence: u16) -> [u8; 172] {
    let mut packet = [0x55; 172];
    packet[..2].copy_from_slice(&[0x80, 0]);
    packet[2..4].copy_from_slice(&sequence.to_be_bytes());
    packet[4..8].copy_from_slice(&(u32::from(sequence) * 160).to_be_bytes());
    packet[8..12].copy_from_slice(&(line as u32).to_be_bytes());
    packet
}

/// Sends on every line in turn, evenly spread, and empties their sockets now and then.
fn talk(length: Duration, lines: &[(UdpSocket, std::net::SocketAddr)], from: u16) -> u64 {
    talk_as(length, lines, from, |_, packet| packet.to_vec())
}

/// The same where packets are on the wire what `wire` makes of them.
fn talk_as(
    length: Duration,
    lines: &[(UdpSocket, std::net::SocketAddr)],
    from: u16,
    mut wire: impl FnMut(usize, &[u8]) -> Vec<u8>,
) -> u64 {
    let begin = Instant::now();
    let every = GAP / lines.len() as u32;
    let (mut sent, mut due) = (0u64, begin);
    let mut bytes = [0; 256];
    for sequence in from.. {
        for (line, (socket, to)) in lines.iter().enumerate() {
            let pause = due.saturating_duration_since(Instant::now());
            if !pause.is_zero() {
                std::thread::sleep(pause);
            }
            due += every;
            let mut packet = packet(line, sequence);
            packet[1] = if line % 2 == 1 { ODD.load(Ordering::Relaxed) } else { 0 };
            let _ = socket.send_to(&wire(line, &packet), to);
            while socket.recv(&mut bytes).is_ok() {}
            sent += 1;
        }
        if begin.elapsed() >= length {
            break;
        }
    }
    sent
}

/// The payload type of odd lines.
static ODD: AtomicU8 = AtomicU8::new(0);

fn plain(length: Duration) -> f64 {
    let (relay, sink) = (socket(), socket());
    let (to, on) = (relay.local_addr().expect("it is bound"), sink.local_addr().expect("it is bound"));
    let thread = std::thread::Builder::new().name("plain".into()).spawn(move || {
        let mut bytes = [0; 2048];
        while let Ok((length @ 2.., _)) = relay.recv_from(&mut bytes) {
            let _ = relay.send_to(&bytes[..length], on);
        }
    });
    let lines: Vec<_> = (0..2 * BRIDGES).map(|_| (socket(), to)).collect();
    lines.iter().for_each(|(socket, _)| socket.set_nonblocking(true).expect("a socket can be"));
    let before = cpu_of("plain");
    let sent = talk(length, &lines, 0);
    let cost = cpu_of("plain") - before;
    let _ = lines[0].0.send_to(&[0], to);
    drop(thread.map(|thread| thread.join()));
    cost.as_secs_f64() * 1e6 / sent as f64
}

fn start() -> Media {
    let config = Config {
        bind: Ipv4Addr::LOCALHOST.into(),
        advertise: Ipv4Addr::LOCALHOST.into(),
        ports: 30_000..=30_999,
        threads: 1,
        fill: 0,
        recordings: std::env::temp_dir().join("strowger-packet-cost"),
        timeout: Duration::from_secs(60),
        seed: 1,
    };
    Media::start(config, |_| {}).expect("media threads start")
}

/// A leg whose far side is this socket.
fn leg(media: &Media, socket: &UdpSocket, codec: Codec, beside: Option<StreamId>) -> Stream {
    secured_leg(media, socket, codec, beside, Security::Plain)
}

fn secured_leg(
    media: &Media,
    socket: &UdpSocket,
    codec: Codec,
    beside: Option<StreamId>,
    security: Security,
) -> Stream {
    let stream = media.open(0, beside).expect("a pair of ports is free");
    let types = PayloadTypes { audio: codec.payload_type(), events: Some(101) };
    let agreed = Negotiated {
        remote: socket.local_addr().expect("it is bound"),
        remote_rtcp: None,
        codec,
        sends: types,
        receives: types,
        direction: Direction::SendRecv,
        mux: false,
        security,
        ptime: GAP,
        events_clock: 8000,
        opus: OpusWishes::default(),
    };
    media.command(stream.id, Command::Negotiated(agreed)).expect("it is open");
    stream
}

fn relayed(length: Duration, other: Codec) -> f64 {
    let media = start();
    ODD.store(other.payload_type(), Ordering::Relaxed);
    let mut lines = Vec::new();
    let mut before: Option<StreamId> = None;
    for line in 0..2 * BRIDGES {
        let socket = socket();
        socket.set_nonblocking(true).expect("a socket can be");
        let stream = leg(&media, &socket, if line % 2 == 1 { other } else { Codec::Pcmu }, before);
        match before.take() {
            Some(with) => media.command(stream.id, Command::Relay { with }).expect("both are open"),
            None => before = Some(stream.id),
        }
        lines.push((socket, stream.address));
    }
    // Sources prove themselves first.
    talk(Duration::from_millis(200), &lines, 0);
    let before = cpu_of("media-0");
    let sent = talk(length, &lines, 1000);
    (cpu_of("media-0") - before).as_secs_f64() * 1e6 / sent as f64
}

/// As relayed with one codec; every packet is decrypted with one key and encrypted with another.
fn encrypted(length: Duration, suite: Suite) -> f64 {
    let media = start();
    ODD.store(0, Ordering::Relaxed);
    let key = |n: u8| {
        let octets = [n; 64];
        MasterKey::new(suite, &octets[..suite.key_length() + suite.salt_length()])
            .expect("a key of its length")
    };
    let security = Security::Keys { ours: key(1), theirs: key(2) };
    let (mut lines, mut far) = (Vec::new(), Vec::new());
    let mut before: Option<StreamId> = None;
    for _ in 0..2 * BRIDGES {
        let socket = socket();
        socket.set_nonblocking(true).expect("a socket can be");
        let stream = secured_leg(&media, &socket, Codec::Pcmu, before, security);
        match before.take() {
            Some(with) => media.command(stream.id, Command::Relay { with }).expect("both are open"),
            None => before = Some(stream.id),
        }
        lines.push((socket, stream.address));
        far.push(Outbound::new(key(2)));
    }
    let mut wire = |line: usize, packet: &[u8]| {
        let mut out = vec![0; packet.len() + MAX_OVERHEAD];
        let length = far[line].protect_rtp(packet, &mut out).expect("no sequence number comes twice");
        out.truncate(length);
        out
    };
    talk_as(Duration::from_millis(200), &lines, 0, &mut wire);
    let before = cpu_of("media-0");
    let sent = talk_as(length, &lines, 1000, &mut wire);
    (cpu_of("media-0") - before).as_secs_f64() * 1e6 / sent as f64
}

/// Every leg hears the next two of a circle: each packet is decoded into two sums, and each that leaves
/// is the sum of two, encoded.
fn mixed(length: Duration) -> f64 {
    let media = start();
    ODD.store(0, Ordering::Relaxed);
    let lines: Vec<_> = (0..2 * BRIDGES)
        .map(|_| {
            let socket = socket();
            socket.set_nonblocking(true).expect("a socket can be");
            let stream = leg(&media, &socket, Codec::Pcmu, None);
            (socket, stream)
        })
        .collect();
    for (line, (_, stream)) in lines.iter().enumerate() {
        let whom = [1, 2].map(|on| lines[(line + on) % lines.len()].1.id).to_vec();
        media.command(stream.id, Command::Hear { whom }).expect("all are open");
    }
    let lines: Vec<_> = lines.into_iter().map(|(socket, stream)| (socket, stream.address)).collect();
    talk(Duration::from_millis(200), &lines, 0);
    let before = cpu_of("media-0");
    let sent = talk(length, &lines, 1000);
    (cpu_of("media-0") - before).as_secs_f64() * 1e6 / sent as f64
}

fn played(length: Duration) -> f64 {
    let media = start();
    let sockets: Vec<_> = (0..2 * BRIDGES).map(|_| socket()).collect();
    let sound: Arc<[i16]> = (0..8000).map(|n: i16| n.wrapping_mul(777)).collect();
    let prompt = Samples { rate: Rate::Narrow, sound };
    for socket in &sockets {
        let stream = leg(&media, socket, Codec::Pcmu, None);
        let what = vec![Sound::Samples(prompt.clone())];
        let play = Command::Play { token: 1, what, cut_by_key: true, repeat: Some(media::Repeat::default()) };
        media.command(stream.id, play).expect("it is open");
    }
    let (before, begin) = (cpu_of("media-0"), Instant::now());
    std::thread::sleep(length);
    let sent = begin.elapsed().as_secs_f64() * 50.0 * sockets.len() as f64;
    (cpu_of("media-0") - before).as_secs_f64() * 1e6 / sent
}

fn opened() -> f64 {
    const LEGS: u32 = 5_000;
    let media = start();
    let socket = socket();
    let process = || {
        let times = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
        Duration::new(times.tv_sec as u64, times.tv_nsec as u32)
    };
    let before = process();
    for _ in 0..LEGS {
        let stream = leg(&media, &socket, Codec::Pcmu, None);
        media.command(stream.id, Command::Close).expect("it is open");
        while media.streams() > 100 {
            std::thread::yield_now();
        }
    }
    (process() - before).as_secs_f64() * 1e6 / f64::from(LEGS)
}
