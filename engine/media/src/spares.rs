//! Sockets of streams that are over, kept open for the next: making a pair of sockets and closing it costs
//! as much as sending a dozen packets. A pair rests first, and a pair that heard something meanwhile rests
//! again, so that a telephone which still talks to the last call is never taken for the next one's.

use std::collections::VecDeque;
use std::net::UdpSocket;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::process::{Resource, getrlimit};

use crate::command::StreamId;

/// Pairs that may rest at once; beyond, a pair is closed. Less where few files may be open: a 16th of those.
const MOST: usize = 1024;
/// How long a pair has heard nothing before it is used again.
const REST: Duration = Duration::from_secs(2);
/// Pairs that are looked at for one stream; new sockets are cheaper than to look at more.
const LOOKS: usize = 4;
/// Packets that are thrown away before a pair counts as one that is talked to.
const STRAY: usize = 64;

/// RTP and RTCP of a stream that is over.
#[derive(Debug)]
pub(crate) struct Spare {
    /// Whose they were.
    pub id: StreamId,
    pub rtp: UdpSocket,
    pub rtcp: UdpSocket,
}

/// The pairs that rest, oldest first.
#[derive(Debug)]
pub(crate) struct Spares {
    resting: Mutex<VecDeque<(Instant, Spare)>>,
    most: usize,
}

impl Spares {
    pub fn new() -> Self {
        let files = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
        Self::at_most(usize::try_from(files / 16).unwrap_or(MOST).min(MOST))
    }

    fn at_most(most: usize) -> Self {
        Self { resting: Mutex::default(), most }
    }

    /// A pair begins to rest. It comes back when there are too many.
    pub fn put(&self, now: Instant, spare: Spare) -> Option<Spare> {
        let mut resting = self.resting.lock().unwrap_or_else(PoisonError::into_inner);
        if resting.len() >= self.most {
            return Some(spare);
        }
        resting.push_back((now, spare));
        None
    }

    /// A pair that has rested and heard nothing.
    pub fn take(&self, now: Instant) -> Option<Spare> {
        let mut resting = self.resting.lock().unwrap_or_else(PoisonError::into_inner);
        for _ in 0..LOOKS {
            let (since, _) = resting.front()?;
            if now.saturating_duration_since(*since) < REST {
                return None;
            }
            let (_, spare) = resting.pop_front()?;
            if spare.drain() == 0 {
                return Some(spare);
            }
            resting.push_back((now, spare));
        }
        None
    }

    /// The pair that has rested longest, for want of any other.
    pub fn take_any(&self) -> Option<Spare> {
        let mut resting = self.resting.lock().unwrap_or_else(PoisonError::into_inner);
        let (_, spare) = resting.pop_front()?;
        spare.drain();
        Some(spare)
    }
}

impl Spare {
    /// Throws away what came meanwhile; how many packets that was.
    fn drain(&self) -> usize {
        let drain = |socket: &UdpSocket| (0..STRAY).take_while(|_| socket.recv(&mut [0]).is_ok()).count();
        drain(&self.rtp) + drain(&self.rtcp)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spare(slot: u32) -> Spare {
        let socket = || {
            let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
            socket.set_nonblocking(true).unwrap();
            socket
        };
        Spare { id: StreamId { slot, turn: 1 }, rtp: socket(), rtcp: socket() }
    }

    #[test]
    fn a_pair_rests_and_one_that_is_talked_to_rests_again() {
        let (spares, zero) = (Spares::at_most(2), Instant::now());
        let (first, second) = (spare(1), spare(2));
        let talked_to = first.rtp.local_addr().unwrap();
        assert!(spares.put(zero, first).is_none() && spares.put(zero, second).is_none());
        assert!(spares.take(zero + REST / 2).is_none(), "both are tired");
        let phone = UdpSocket::bind("127.0.0.1:0").unwrap();
        phone.send_to(b"still here", talked_to).unwrap();
        assert_eq!(spares.take(zero + REST).map(|spare| spare.id.slot), Some(2));
        assert!(spares.take(zero + REST).is_none());
        let rested = spares.take(zero + REST * 2).unwrap();
        assert_eq!(rested.id.slot, 1);
        assert!(rested.rtp.recv(&mut [0; 16]).is_err(), "what was for the last call is gone");
    }

    #[test]
    fn when_there_is_no_other_the_oldest_is_taken_and_too_many_are_given_back() {
        let (spares, zero) = (Spares::at_most(3), Instant::now());
        assert!(spares.take_any().is_none());
        for slot in 0..3 {
            assert!(spares.put(zero, spare(slot)).is_none());
        }
        assert_eq!(spares.put(zero, spare(7777)).map(|spare| spare.id.slot), Some(7777));
        assert_eq!(spares.take_any().map(|spare| spare.id.slot), Some(0));
    }
}
