//! What the kernel alone takes for sound: as many sockets as calls are up, and a packet from each of them every 20 ms, with
//! nobody deciding anything. No exchange can be below it.

use std::net::{Ipv4Addr, UdpSocket};
use std::thread;
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

/// Header and 20 ms of G.711 (RFC 3550 §5.1, RFC 3551 §4.5.14).
const PACKET: [u8; 172] = [0; 172];
const INTERVAL: Duration = Duration::from_millis(20);
const ROUNDS: u32 = 100;

/// Microseconds of CPU time for a packet, when so many calls are up.
pub fn packet(host: Ipv4Addr, calls: usize) -> f64 {
    let bind = || UdpSocket::bind((host, 0)).expect("a port is free");
    // Nobody reads what arrives, as nobody does at the telephones of these benches.
    let ear = bind();
    let to = ear.local_addr().expect("it is bound");
    let sockets: Vec<UdpSocket> = (0..calls).map(|_| bind()).collect();
    let mut spent = Duration::ZERO;
    for _ in 0..ROUNDS {
        let (begin, before) = (Instant::now(), cpu());
        for socket in &sockets {
            socket.send_to(&PACKET, to).expect("the ear is open");
        }
        spent += cpu() - before;
        thread::park_timeout(INTERVAL.saturating_sub(begin.elapsed()));
    }
    spent.as_secs_f64() * 1e6 / f64::from(ROUNDS) / calls as f64
}

/// Of this thread.
fn cpu() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}
