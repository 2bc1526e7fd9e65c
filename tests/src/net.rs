//! Addresses: every test gets a loopback /24 of its own, so tests run side by side with the well-known
//! ports, and so do two runs of the suite on one machine.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4};
use std::sync::atomic::{AtomicU8, Ordering};

/// The port that SIP is spoken on everywhere in the tests.
pub const SIP_PORT: u16 = 5060;

/// A /24 out of 127.0.0.0/8. Its hosts are taken in order, `.1` first.
#[derive(Debug)]
pub struct Net {
    second: u8,
    third: u8,
    next: AtomicU8,
}

impl Net {
    /// The process id picks the second byte and a count the third: 256 networks a run.
    #[allow(clippy::new_without_default)] // two are never the same
    pub fn new() -> Self {
        static TAKEN: AtomicU8 = AtomicU8::new(1);
        let second = 16 + (std::process::id() % 224) as u8;
        Self { second, third: TAKEN.fetch_add(1, Ordering::Relaxed), next: AtomicU8::new(1) }
    }

    /// An address that nobody in this network has yet.
    pub fn host(&self) -> Ipv4Addr {
        Ipv4Addr::new(127, self.second, self.third, self.next.fetch_add(1, Ordering::Relaxed))
    }

    /// A new address with the SIP port.
    pub fn sip(&self) -> SocketAddrV4 {
        SocketAddrV4::new(self.host(), SIP_PORT)
    }

    /// The whole network as CIDR.
    pub fn cidr(&self) -> String {
        format!("127.{}.{}.0/24", self.second, self.third)
    }
}

/// Whether some process has a UDP or listening TCP socket at this address, as Linux tells it.
pub fn is_bound(at: impl Into<SocketAddr>) -> bool {
    let at = at.into();
    // Words of 32 bits, each as this machine has it in memory.
    let words = |octets: &[u8]| -> String {
        let word = |word: &[u8]| u32::from_ne_bytes(word.try_into().expect("four bytes"));
        octets.chunks_exact(4).map(|octets| format!("{:08X}", word(octets))).collect()
    };
    let (ip, tables) = match at.ip() {
        IpAddr::V4(ip) => (words(&ip.octets()), ["/proc/net/udp", "/proc/net/tcp"]),
        IpAddr::V6(ip) => (words(&ip.octets()), ["/proc/net/udp6", "/proc/net/tcp6"]),
    };
    let wanted = format!("{ip}:{:04X}", at.port());
    tables.iter().any(|table| {
        let table = std::fs::read_to_string(table).unwrap_or_default();
        table.lines().any(|line| line.split_whitespace().nth(1) == Some(wanted.as_str()))
    })
}
