//! Random histories of an outbox in virtual time: destinations that come and go, answers that get lost, a
//! process that is killed and stays away for up to two hours. Each is run from a seed that a failure prints.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use exchange::CallId;
use outbox::{
    Digest, Effect, EffectId, Fate, MOST_TO_ONE, MOST_UNDER_WAY, Millis, Order, Parcel, Plan, Report,
};
use serde_json::Value;

const MINUTE: Millis = 60_000;
const HOUR: Millis = 60 * MINUTE;
const HISTORIES: u64 = 400;

struct Dice(u64);

impl Dice {
    fn below(&mut self, below: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % below
    }

    fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }
}

/// What the other sides saw.
#[derive(Default)]
struct Seen {
    /// In the order of their first arrival.
    first: Vec<EffectId>,
    times: HashMap<EffectId, u32>,
}

struct History {
    seed: u64,
    dice: Dice,
    now: Millis,
    plan: Plan,
    disk: BTreeMap<EffectId, Effect>,
    /// By the moment at which the answer is there.
    under_way: Vec<(Millis, Parcel)>,
    seen: Seen,
    /// Deliveries of which the sender never learned.
    unheard: u32,
    down: BTreeSet<String>,
    written: BTreeMap<EffectId, Effect>,
    last_digest: HashMap<String, Millis>,
}

impl History {
    fn new(seed: u64) -> Self {
        Self {
            seed,
            dice: Dice(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1),
            now: HOUR,
            plan: Plan::new(seed),
            disk: BTreeMap::new(),
            under_way: Vec::new(),
            seen: Seen::default(),
            unheard: 0,
            down: BTreeSet::new(),
            written: BTreeMap::new(),
            last_digest: HashMap::new(),
        }
    }

    fn run(mut self) {
        for number in 0..120 {
            self.write(number);
            if self.dice.one_in(20) {
                self.kill();
            }
            if self.dice.one_in(8) {
                let name = destination(self.dice.below(3));
                if !self.down.remove(&name) {
                    self.down.insert(name);
                }
            }
            let until = self.now + self.dice.below(4 * MINUTE);
            self.go_on(until);
        }
        // In the end everybody answers, and what waits must go.
        self.down.clear();
        let end = self.now + 30 * HOUR;
        self.go_on(end);
        self.judge();
    }

    fn write(&mut self, number: u32) {
        let place = self.dice.below(3);
        let recipient = format!("r{}", self.dice.below(3));
        let (order, digest) = match self.dice.below(3) {
            0 => (None, None),
            1 => (Some(format!("{place}/{recipient}")), None),
            _ => (None, Some(Digest { name: format!("{place}/{recipient}"), every: 5 * MINUTE })),
        };
        let quiet = if self.dice.one_in(6) { self.dice.below(HOUR) } else { 0 };
        let effect = Effect {
            kind: "webhook".into(),
            recipient,
            destination: destination(place),
            occasion: "missed".into(),
            facts: Value::Null,
            order,
            digest,
            written: self.now,
            not_before: self.now + quiet,
            deadline: self.now + 24 * HOUR,
            fate: Fate::default(),
        };
        let id = EffectId { call: CallId(1 + u128::from(number) / 3), number };
        self.plan.reserve("acme", &[10]).expect("there is room");
        self.disk.insert(id, effect.clone());
        self.written.insert(id, effect.clone());
        self.plan.handle_kept("acme", id, &effect, 10);
    }

    /// The process is gone at once, and comes back some time later with what is on the disk.
    fn kill(&mut self) {
        for (_, parcel) in std::mem::take(&mut self.under_way) {
            if self.dice.one_in(2) {
                self.arrive(&parcel);
                self.unheard += parcel.effects.len() as u32;
            }
        }
        self.now += self.dice.below(2 * HOUR);
        self.plan = Plan::new(self.dice.0);
        self.last_digest.clear();
        for (id, effect) in self.disk.iter().rev() {
            self.plan.restore("acme", *id, effect, 10);
        }
    }

    fn go_on(&mut self, until: Millis) {
        loop {
            let mut out = Vec::new();
            self.plan.handle_timeout(self.now, &mut out);
            self.carry_out(out);
            let answer = self.under_way.iter().map(|(at, _)| *at).min();
            let next = self.plan.next_timeout().into_iter().chain(answer).min();
            let Some(next) = next.filter(|next| *next <= until) else { break };
            assert!(
                next >= self.now || answer.is_some_and(|at| at >= self.now),
                "seed {}: time turns",
                self.seed
            );
            self.now = self.now.max(next);
            while let Some(at) = self.under_way.iter().position(|(at, _)| *at <= self.now) {
                let (_, parcel) = self.under_way.remove(at);
                self.answer(&parcel);
            }
        }
        self.now = self.now.max(until);
    }

    fn answer(&mut self, parcel: &Parcel) {
        let first = self.disk[&parcel.effects[0]].clone();
        let failed = Report::Failed { why: "down".into(), after: None };
        let report = if self.down.contains(&first.destination) || self.dice.one_in(3) {
            failed
        } else if self.dice.one_in(10) {
            // It arrived, and the answer got lost.
            self.arrive(parcel);
            self.unheard += parcel.effects.len() as u32;
            failed
        } else {
            self.arrive(parcel);
            if let Some(digest) = first.digest {
                let last = self.last_digest.insert(digest.name, self.now);
                let apart = last.is_none_or(|last| self.now - last >= digest.every);
                assert!(apart, "seed {}: a digest came too often", self.seed);
            }
            Report::Delivered
        };
        let mut out = Vec::new();
        self.plan.handle_report(self.now, parcel.number, report, &mut out);
        self.carry_out(out);
    }

    fn arrive(&mut self, parcel: &Parcel) {
        for id in &parcel.effects {
            assert!(self.now >= self.written[id].not_before, "seed {}: too early", self.seed);
            let times = self.seen.times.entry(*id).or_default();
            *times += 1;
            if *times == 1 {
                self.seen.first.push(*id);
            }
        }
    }

    fn carry_out(&mut self, orders: Vec<Order>) {
        for order in orders {
            match order {
                Order::Send(parcel) => {
                    let takes = 1 + self.dice.below(20_000);
                    self.under_way.push((self.now + takes, parcel));
                }
                Order::Erase(_, id) => {
                    self.disk.remove(&id);
                }
                Order::Note(_, id, fate) => {
                    assert!(!fate.dead, "seed {}: {id:?} given up within a day", self.seed);
                    self.disk.get_mut(&id).expect("it waits").fate = fate;
                }
                Order::Discard(..) => panic!("seed {}: discarded", self.seed),
            }
        }
        assert!(self.under_way.len() <= MOST_UNDER_WAY);
        let mut each: HashMap<&str, usize> = HashMap::new();
        for (_, parcel) in &self.under_way {
            *each.entry(&self.written[&parcel.effects[0]].destination).or_default() += 1;
        }
        assert!(each.values().all(|n| *n <= MOST_TO_ONE), "seed {}: {each:?}", self.seed);
    }

    fn judge(self) {
        let Self { seed, disk, seen, written, .. } = self;
        assert!(disk.is_empty(), "seed {seed}: {} are still there", disk.len());
        assert_eq!(self.plan.standing("acme"), outbox::Standing::default(), "seed {seed}");
        for id in written.keys() {
            assert!(seen.times.contains_key(id), "seed {seed}: {id} was lost");
        }
        let doubled: u32 = seen.times.values().map(|times| times - 1).sum();
        assert!(doubled <= self.unheard, "seed {seed}: {doubled} doubled, {} unheard", self.unheard);
        let mut orders: HashMap<&str, Vec<EffectId>> = HashMap::new();
        for id in &seen.first {
            if let Some(order) = &written[id].order {
                orders.entry(order).or_default().push(*id);
            }
        }
        for (order, came) in orders {
            let mut sorted = came.clone();
            sorted.sort_by_key(|id| (written[id].written, *id));
            assert_eq!(came, sorted, "seed {seed}: {order} came out of order");
        }
    }
}

fn destination(number: u64) -> String {
    format!("https://{number}.example")
}

#[test]
fn nothing_is_lost_and_nothing_doubled_that_was_heard_of() {
    for seed in 1..=HISTORIES {
        History::new(seed).run();
    }
}
