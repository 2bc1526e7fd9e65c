//! The town: the exchange, its users' telephones, the world outside, and the network between them.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use protocol::sip::stack::{Load, SessionId};
use protocol::sip::wire;

use crate::house::House;
use crate::referrals::Witness;
use crate::telephone::{Talk, Telephone};

/// Users and their numbers; telephone n is the user n - 1.
pub const PEOPLE: [(&str, &str); 4] = [("ana", "101"), ("boris", "102"), ("vera", "103"), ("goran", "104")];
pub const HOUSE: usize = 0;
/// All the customers, at the carrier's address.
pub const OUTSIDE: usize = 5;

/// Calls of one telephone at once.
const MOST_TALKS: usize = 3;
/// 64*T1 (RFC 3261 §17): whatever was lost is known to be by then.
const QUIET: Duration = Duration::from_secs(80);

pub fn address(of: usize) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, 1 + of as u8], 5060))
}

pub fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// splitmix64.
pub struct Chance(pub u64);

impl Chance {
    pub fn below(&mut self, most: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % most.max(1)
    }

    fn of<T: Clone>(&mut self, all: &[T]) -> Option<T> {
        all.get(self.below(all.len() as u64) as usize).cloned()
    }
}

/// A message on its way: when it arrives, its number, from whom, to whom, and its bytes.
type UnderWay = (Instant, u64, usize, usize, Vec<u8>);

pub struct Town {
    zero: Instant,
    now: Instant,
    chance: Chance,
    /// Of a hundred messages, how many are lost.
    loss: u64,
    under_way: BinaryHeap<Reverse<UnderWay>>,
    order: u64,
    pub house: House,
    telephones: Vec<Telephone>,
    pub witness: Witness,
    /// Prints what happens.
    tells: bool,
}

impl Town {
    pub fn new(seed: u64, loss: u64, tells: bool) -> Self {
        let zero = Instant::now();
        Self {
            zero,
            now: zero,
            chance: Chance(seed),
            loss,
            under_way: BinaryHeap::new(),
            order: 0,
            house: House::new(zero, seed * 100),
            telephones: (1..=OUTSIDE).map(|at| Telephone::new(at, seed * 100 + at as u64)).collect(),
            witness: Witness::default(),
            tells,
        }
    }

    fn tell(&self, what: impl FnOnce() -> String) {
        if self.tells {
            println!("{:>9} {}", (self.now - self.zero).as_millis(), what());
        }
    }

    fn send(&mut self, from: usize, to: usize, bytes: Vec<u8>) {
        self.tell(|| {
            let text = String::from_utf8_lossy(&bytes);
            let of = |name: &str| text.split("\r\n").find(|line| line.starts_with(name)).unwrap_or_default();
            format!("{from} -> {to} {} | {} | {}", of(""), of("CSeq"), of("Call-ID"))
        });
        if let Err(error) = wire::read(&bytes) {
            panic!("{error:?} in {}", String::from_utf8_lossy(&bytes));
        }
        if from == HOUSE {
            self.witness.goes(&bytes);
        }
        if self.chance.below(100) < self.loss {
            return;
        }
        let copies = 1 + u64::from(self.loss > 0 && self.chance.below(100) < 5);
        for _ in 0..copies {
            let delay = if self.loss == 0 { 10 } else { 5 + self.chance.below(300) };
            self.order += 1;
            let at = self.now + Duration::from_millis(delay);
            self.under_way.push(Reverse((at, self.order, from, to, bytes.clone())));
        }
    }

    fn sends(&mut self, from: usize, all: Vec<Vec<u8>>) {
        all.into_iter().for_each(|bytes| self.send(from, HOUSE, bytes));
    }

    fn house_sends(&mut self, all: Vec<(SocketAddr, Vec<u8>)>) {
        for (to, bytes) in all {
            let to = (1..=OUTSIDE).find(|at| address(*at) == to).expect("somebody of the town");
            self.send(HOUSE, to, bytes);
        }
    }

    /// Lets so much time pass.
    pub fn pass(&mut self, time: Duration) {
        let until = self.now + time;
        loop {
            let arrival = self.under_way.peek().map(|Reverse((at, ..))| *at);
            let telephones = self.telephones.iter().filter_map(|telephone| telephone.stack.next_timeout());
            let due = telephones.chain(self.house.next_timeout()).chain(arrival).min();
            let Some(due) = due.filter(|due| *due <= until) else { break };
            self.now = self.now.max(due);
            if arrival.is_some_and(|at| at <= self.now) {
                let Some(Reverse((_, _, from, to, bytes))) = self.under_way.pop() else { break };
                self.arrives(from, to, &bytes);
                continue;
            }
            let sent = self.house.timeout(self.now);
            self.house_sends(sent);
            for at in 1..=OUTSIDE {
                let sent = self.telephones[at - 1].timeout(self.now);
                self.sends(at, sent);
            }
        }
        self.now = until;
    }

    fn arrives(&mut self, from: usize, to: usize, bytes: &[u8]) {
        if to == HOUSE {
            self.witness.comes(bytes);
            let message = wire::read(bytes).expect("read when it was sent");
            let sent = self.house.message(self.now, address(from), message);
            self.house_sends(sent);
        } else {
            let sent = self.telephones[to - 1].message(self.now, bytes);
            self.sends(to, sent);
        }
    }

    /// Somebody does something.
    pub fn step(&mut self) {
        let at = 1 + self.chance.below(OUTSIDE as u64) as usize;
        let talks: Vec<(SessionId, Talk)> =
            self.telephones[at - 1].talks.iter().map(|(session, talk)| (*session, *talk)).collect();
        let Some((session, talk)) = self.chance.of(&talks).filter(|_| self.chance.below(4) > 0) else {
            if talks.len() < MOST_TALKS {
                self.calls(at);
            }
            return;
        };
        self.tell(|| format!("{at} does something with {talk:?}"));
        let (now, chance) = (self.now, self.chance.below(20));
        let number = self.number();
        let telephone = &mut self.telephones[at - 1];
        let sent = match (talk, chance) {
            (Talk::Calls, 0..3) => {
                telephone.ask(now, |stack, now, out| stack.hang_up(now, session, None, out))
            }
            (Talk::Calls, _) => return,
            (Talk::Rings, 0..12) => {
                telephone.talks.insert(session, Talk::Up { holds: false });
                telephone.ask(now, |stack, now, out| stack.answer(now, session, Some("talk".into()), out))
            }
            (Talk::Rings, 12..15) => {
                telephone.ask(now, |stack, now, out| stack.reject(now, session, 486, "", &[], out))
            }
            (Talk::Rings, _) => return,
            (Talk::Up { .. }, 0..3) => {
                telephone.ask(now, |stack, now, out| stack.hang_up(now, session, None, out))
            }
            (Talk::Up { holds }, 3..8) => {
                telephone.talks.insert(session, Talk::Up { holds: !holds });
                let offer = if holds { "talk" } else { "hold" };
                telephone.ask(now, |stack, now, out| stack.reinvite(now, session, Some(offer.into()), out))
            }
            (Talk::Up { .. }, 8..14) => {
                let other = talks.iter().map(|(other, _)| *other).find(|other| *other != session);
                telephone.refer(now, session, &number, other)
            }
            (Talk::Up { .. }, 14..18) => telephone.refer(now, session, &number, None),
            (Talk::Up { .. }, _) => return,
        };
        self.sends(at, sent);
    }

    fn calls(&mut self, at: usize) {
        let dialogs = self.house.dialogs();
        let (now, number) = (self.now, self.number());
        let comes_for = self.chance.of(&dialogs).filter(|_| at != OUTSIDE && self.chance.below(4) == 0);
        self.tell(|| format!("{at} calls {number}, in place of {comes_for:?}"));
        let sent = self.telephones[at - 1].call(now, &number, comes_for.as_deref());
        self.sends(at, sent);
    }

    fn number(&mut self) -> String {
        let numbers = ["101", "102", "103", "104", "600", "700", "71", "+359888000000"];
        let number = self.chance.of(&numbers).unwrap_or_default();
        match self.chance.below(6) {
            0 => format!("*8{}", PEOPLE[self.chance.below(4) as usize].1),
            _ => number.into(),
        }
    }

    /// Nobody does anything for so long that all know what was lost: what is up at one side is up at the other.
    pub fn rest(&mut self) {
        self.pass(QUIET);
        let house: BTreeSet<String> = self.house.call_ids().into_iter().collect();
        let all = self.telephones.iter().flat_map(Telephone::up);
        for call_id in all {
            assert!(house.contains(&call_id), "a telephone talks, and nobody is there: {call_id}");
        }
    }

    /// Everybody hangs up, and nothing is left. Answers how many calls were answered.
    pub fn end(&mut self) -> usize {
        for round in 0.. {
            assert!(round < 30, "somebody rings for ever");
            for at in 1..=OUTSIDE {
                for (session, talk) in self.telephones[at - 1].talks.clone() {
                    let now = self.now;
                    let sent = self.telephones[at - 1].ask(now, |stack, now, out| match talk {
                        Talk::Rings => stack.reject(now, session, 480, "", &[], out),
                        _ => stack.hang_up(now, session, None, out),
                    });
                    self.sends(at, sent);
                }
            }
            self.pass(secs(10));
            let silent = self.telephones.iter().all(|telephone| telephone.talks.is_empty());
            if silent && self.house.exchange.is_empty() {
                break;
            }
        }
        self.pass(secs(200));
        assert!(self.house.exchange.is_empty(), "a call is left");
        assert_eq!(self.house.begun, self.house.over, "each call has one end");
        assert_eq!(self.house.stack.load(), Load::default(), "the exchange keeps something");
        for telephone in &self.telephones {
            assert_eq!(telephone.stack.load(), Load::default(), "a telephone keeps something");
            assert_eq!(telephone.begun, telephone.ended, "each session ends once");
        }
        self.telephones.iter().map(|telephone| telephone.answered).sum()
    }
}
