//! Which addresses are out in the world. Names are resolved by the machine's resolver, and what it answers is looked
//! at when the connection is made: a name that led elsewhere a moment ago gains nothing.

use std::error::Error;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use ipnet::IpNet;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// Global unicast is all that IPv6 has assigned for use between networks (RFC 4291 §2.4).
const GLOBAL_V6: &str = "2000::/3";
/// Parts of that which are not: protocol assignments with Teredo, documentation, and 6to4, behind which any IPv4 address
/// can hide (RFC 6890, RFC 9637).
const NOT_GLOBAL_V6: [&str; 4] = ["2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20"];
/// What IPv4 keeps for other uses (RFC 6890, RFC 6598): this network, private, shared, loopback, link-local, protocol
/// assignments, documentation, 6to4 relays, benchmarking, multicast, reserved and broadcast.
const NOT_GLOBAL_V4: [&str; 15] = [
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.0.2.0/24",
    "192.88.99.0/24",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "224.0.0.0/4",
    "240.0.0.0/4",
];
/// An IPv4 address behind a translator (RFC 6052): as good as that one.
const TRANSLATED: &str = "64:ff9b::/96";

/// Addresses that a tenant's scripts can be connected with: public ones, and those allowed beside.
#[derive(Clone, Debug, Default)]
pub struct Reach(Arc<[IpNet]>);

impl Reach {
    /// Public addresses, and `allowed` beside them.
    pub fn new(allowed: &[IpNet]) -> Self {
        Self(allowed.into())
    }

    /// Whether a connection may be made. Multicast and unspecified addresses are never reached.
    pub fn has(&self, address: IpAddr) -> bool {
        let address = plain(address);
        if address.is_multicast() || address.is_unspecified() || address == IpAddr::V4(Ipv4Addr::BROADCAST) {
            return false;
        }
        self.0.iter().any(|network| network.contains(&address)) || is_public(address)
    }
}

/// The IPv4 address that an IPv6 address stands for, if it is one of those.
fn plain(address: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = address else { return address };
    let last_four = |v6: Ipv6Addr| Ipv4Addr::from(v6.to_bits() as u32);
    match v6.to_ipv4_mapped() {
        Some(v4) => v4.into(),
        None if within(address, &[TRANSLATED]) => last_four(v6).into(),
        None => address,
    }
}

fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(_) => !within(address, &NOT_GLOBAL_V4),
        IpAddr::V6(_) => within(address, &[GLOBAL_V6]) && !within(address, &NOT_GLOBAL_V6),
    }
}

fn within(address: IpAddr, networks: &[&str]) -> bool {
    networks.iter().any(|network| network.parse::<IpNet>().is_ok_and(|network| network.contains(&address)))
}

/// Why a name leads nowhere.
#[derive(Debug)]
pub enum NoAddress {
    /// Nobody knows the name.
    Unknown,
    /// It leads to addresses that may not be reached.
    OutOfReach,
}

impl fmt::Display for NoAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unknown => "the name is not known",
            Self::OutOfReach => "the name leads to private addresses",
        })
    }
}

impl Error for NoAddress {}

/// Looks names up for connections that are being made.
pub(super) struct Resolver<L>(pub Reach, pub L);

/// Who knows the addresses of a name.
pub trait LookUp: Clone + Send + Sync + 'static {
    /// All of them; none when nobody knows the name.
    fn look_up(&self, name: &str) -> impl Future<Output = Vec<IpAddr>> + Send;
}

/// The machine's resolver.
#[derive(Clone, Copy)]
pub struct OfMachine;

impl LookUp for OfMachine {
    async fn look_up(&self, name: &str) -> Vec<IpAddr> {
        let found = tokio::net::lookup_host((name, 0)).await;
        found.map(|found| found.map(|at| at.ip()).collect()).unwrap_or_default()
    }
}

impl<L: LookUp> Resolve for Resolver<L> {
    fn resolve(&self, name: Name) -> Resolving {
        let (reach, who) = (self.0.clone(), self.1.clone());
        Box::pin(async move {
            let found = who.look_up(name.as_str()).await;
            if found.is_empty() {
                return Err(NoAddress::Unknown.into());
            }
            // One that may be reached among others that may not is still the one meant.
            let reached: Vec<_> = found.into_iter().filter(|address| reach.has(*address)).collect();
            if reached.is_empty() {
                return Err(NoAddress::OutOfReach.into());
            }
            let addresses: Addrs = Box::new(reached.into_iter().map(|address| SocketAddr::new(address, 0)));
            Ok(addresses)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reached(reach: &Reach, address: &str) -> bool {
        reach.has(address.parse().expect(address))
    }

    #[test]
    fn addresses_out_in_the_world_are_reached_and_no_others() {
        let nowhere = Reach::default();
        for public in ["1.1.1.1", "93.184.216.34", "2606:4700::1111", "::ffff:1.1.1.1", "64:ff9b::101:101"] {
            assert!(reached(&nowhere, public), "{public}");
        }
        for other in [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "100.64.0.1",
            "100.127.255.255",
            "127.0.0.1",
            "127.8.8.8",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.8",
            "192.0.2.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::127.0.0.1",
            "64:ff9b::7f00:1",
            "64:ff9b:1::a00:1",
            "fe80::1",
            "fc00::1",
            "fd12:3456::1",
            "fec0::1",
            "ff02::1",
            "2001::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "100::1",
            "5f00::1",
        ] {
            assert!(!reached(&nowhere, other), "{other}");
        }
    }

    #[test]
    fn a_range_that_is_allowed_is_reached_and_only_that() {
        let private = Reach::new(&["10.1.0.0/16".parse().expect("a network")]);
        assert!(reached(&private, "10.1.2.3") && reached(&private, "::ffff:10.1.2.3"));
        assert!(!reached(&private, "10.2.0.1") && !reached(&private, "127.0.0.1"));
        let everything =
            Reach::new(&["0.0.0.0/0".parse().expect("a network"), "::/0".parse().expect("a network")]);
        for never in ["0.0.0.0", "::", "224.0.0.1", "255.255.255.255", "ff02::1"] {
            assert!(!reached(&everything, never), "{never}");
        }
    }
}
