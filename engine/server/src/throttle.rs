//! How much one source may ask in a second: a bucket of tokens for every address and every account, in a table that never
//! grows. A look-up is one hash and two loads: no lock, no allocation, nothing read of the message.
//!
//! A bucket is one moment: the one at which it is full again (GCRA, ITU-T I.371). Each source has a bucket in two rows, by
//! two halves of its hash, and is told by the fuller one, so that whoever shares a bucket with a flood is not taken for
//! it; the hash is keyed by chance, so nobody can aim. A flood from more addresses than there are buckets fills them all
//! in the end: then the host's own filters are what is left.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, RandomState};
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use ipnet::IpNet;

use crate::bans::place;
use crate::config::World;

/// Buckets of one row: a power of two, 256 KiB.
const BUCKETS: usize = 1 << 15;
/// Requests above a burst that are still answered, with 503. Whoever goes on is not heard at all.
const ANSWERED: u64 = 20;
/// Carriers' addresses that the DNS named, and for how long they may answer as much as they like after we have asked them
/// last. At the bound the oldest is forgotten.
const MOST_ASKED: usize = 4096;
const ASKED: Duration = Duration::from_secs(3600);

/// What may be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// In the long run; zero: as much as there is.
    pub per_second: u32,
    /// At once.
    pub burst: u32,
}

/// What becomes of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// It is taken.
    Free,
    /// It is one too many, and told so. Whoever goes on asking is told for as long.
    Busy,
    /// Not even that: it is not read.
    Flood,
}

/// Buckets of tokens for any number of sources.
#[derive(Debug)]
pub struct Throttle {
    begun: Instant,
    keys: RandomState,
    /// Nanoseconds after `begun` at which a bucket is full again.
    rows: [Box<[AtomicU64]>; 2],
}

impl Default for Throttle {
    fn default() -> Self {
        let row = || (0..BUCKETS).map(|_| AtomicU64::new(0)).collect();
        Self { begun: Instant::now(), keys: RandomState::new(), rows: [row(), row()] }
    }
}

impl Throttle {
    /// A source asks for something.
    pub fn ask(&self, now: Instant, source: impl Hash, rate: Rate) -> Pace {
        if rate.per_second == 0 {
            return Pace::Free;
        }
        let token = 1_000_000_000 / u64::from(rate.per_second);
        let now = now.saturating_duration_since(self.begun).as_nanos() as u64;
        let hash = self.keys.hash_one(source);
        let buckets =
            [&self.rows[0][hash as usize % BUCKETS], &self.rows[1][(hash >> 32) as usize % BUCKETS]];
        let full = buckets.map(|bucket| bucket.load(Relaxed));
        let then = full[0].min(full[1]).max(now) + token;
        let above = (then - now).saturating_sub(token * u64::from(rate.burst.max(1)));
        if above > token * ANSWERED {
            return Pace::Flood;
        }
        for bucket in buckets {
            bucket.fetch_max(then, Relaxed);
        }
        if above == 0 { Pace::Free } else { Pace::Busy }
    }
}

/// The throttle of addresses: who is outside of it, and how fast the others may be.
#[derive(Debug, Default)]
pub struct Doors {
    throttle: Throttle,
    /// Networks of carriers, and those that the operator names.
    known: RwLock<Vec<IpNet>>,
    asked: Mutex<HashMap<IpAddr, Instant>>,
    per_second: AtomicU64,
    burst: AtomicU64,
}

impl Doors {
    /// Goes by a configuration.
    pub fn configure(&self, world: &World) {
        let trunks = || world.tenants.iter().flat_map(|tenant| &tenant.trunks);
        let mut known = world.sip.bans.never.clone();
        known.extend(trunks().flat_map(|trunk| trunk.inbound_from.iter().copied()));
        let addresses = trunks().flat_map(|trunk| trunk.addresses()).filter_map(|address| address.socket());
        known.extend(addresses.map(|at| IpNet::from(at.ip())));
        known.sort_unstable();
        known.dedup();
        *self.known.write().unwrap_or_else(PoisonError::into_inner) = known;
        self.per_second.store(world.sip.throttle.per_second.into(), Relaxed);
        self.burst.store(world.sip.throttle.burst.into(), Relaxed);
    }

    /// A message came from there.
    pub fn ask(&self, now: Instant, from: IpAddr) -> Pace {
        let rate =
            Rate { per_second: self.per_second.load(Relaxed) as u32, burst: self.burst.load(Relaxed) as u32 };
        match self.throttle.ask(now, place(from), rate) {
            Pace::Free => Pace::Free,
            _ if self.is_known(now, from) => Pace::Free,
            pace => pace,
        }
    }

    /// A carrier is asked for something there, and will answer.
    pub fn expect(&self, now: Instant, there: IpAddr) {
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        if asked.len() >= MOST_ASKED && !asked.contains_key(&there) {
            let oldest = asked.iter().min_by_key(|(_, at)| **at).map(|(there, _)| *there);
            oldest.map(|oldest| asked.remove(&oldest));
        }
        asked.insert(there, now);
    }

    fn is_known(&self, now: Instant, from: IpAddr) -> bool {
        let from = from.to_canonical();
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        known.iter().any(|network| network.contains(&from)) || {
            let asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
            asked.get(&from).is_some_and(|at| now.saturating_duration_since(*at) < ASKED)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEN: Rate = Rate { per_second: 10, burst: 30 };

    fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    /// How many of so many at once fared each way.
    fn at_once(throttle: &Throttle, now: Instant, source: u32, count: u32) -> [u32; 3] {
        let mut fared = [0; 3];
        for _ in 0..count {
            fared[throttle.ask(now, source, TEN) as usize] += 1;
        }
        fared
    }

    #[test]
    fn a_burst_is_taken_then_some_are_answered_and_the_rest_is_silence() {
        let throttle = Throttle::default();
        let now = throttle.begun + ms(5_000);
        assert_eq!(at_once(&throttle, now, 1, 1_000), [30, 20, 950]);
        assert_eq!(at_once(&throttle, now, 2, 10), [10, 0, 0], "another one is none the wiser");
        // Whoever goes on as fast is answered ten times a second and served never.
        assert_eq!(at_once(&throttle, now + ms(1_000), 1, 1_000), [0, 10, 990]);
        // Whoever stops is served again when what was above the burst has run off, ...
        assert_eq!(at_once(&throttle, now + ms(3_050), 1, 1), [0, 1, 0]);
        assert_eq!(at_once(&throttle, now + ms(3_250), 1, 1), [1, 0, 0]);
        // ... and has a whole burst again in the end.
        assert_eq!(at_once(&throttle, now + ms(9_000), 1, 30), [30, 0, 0]);
    }

    #[test]
    fn a_source_that_keeps_to_the_rate_is_never_refused() {
        let throttle = Throttle::default();
        for n in 0..10_000 {
            assert_eq!(throttle.ask(throttle.begun + ms(100 * n), 7, TEN), Pace::Free, "{n}");
        }
    }

    #[test]
    fn a_flood_from_many_addresses_leaves_the_others_alone() {
        let throttle = Throttle::default();
        let now = throttle.begun + ms(1_000);
        for source in 0..2_000 {
            at_once(&throttle, now, source, 60);
        }
        // One bucket in 17 of each row is full: both of 3 or 4 sources in a thousand.
        let others = (1_000_000..1_001_000).filter(|source| at_once(&throttle, now, *source, 1) != [1, 0, 0]);
        assert!(others.count() < 30);
    }

    #[test]
    fn zero_is_no_limit() {
        let throttle = Throttle::default();
        let all = Rate { per_second: 0, burst: 0 };
        assert!((0..10_000).all(|_| throttle.ask(throttle.begun, 1, all) == Pace::Free));
    }
}
