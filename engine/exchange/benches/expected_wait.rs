//! How honest the expected wait is, on simulated days of one queue: ten hours of arrivals that outgrow twelve
//! agents before noon and in the afternoon, conversations of very different lengths, agents at lunch, callers
//! who lose patience. Prints how far what a caller was told at the entry was from the wait that followed, and how
//! often it grew while the caller advanced. Time is virtual, and the seeds are printed.

#[path = "../tests/support/mod.rs"]
mod support;

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::time::{Duration, Instant};

use exchange::*;
use support::history::Chance;
use support::office::*;

const SEEDS: std::ops::RangeInclusive<u64> = 1..=8;
const AGENTS: usize = 12;
/// Callers in each hour. The agents manage some 205.
const HOURS: [f64; 10] = [120.0, 165.0, 225.0, 240.0, 200.0, 150.0, 200.0, 235.0, 180.0, 90.0];
/// The mean conversation, and how far lengths spread (the sigma of their logarithm).
const TALK: (f64, f64) = (180.0, 0.7);
const WRAP_UP: Duration = Duration::from_secs(20);
/// Until an agent picks up.
const PICK_UP: (f64, f64) = (2.0, 14.0);
/// Mean patience of those who have an end of it.
const PATIENCE: f64 = 600.0;
const PATIENT_FOR_EVER: usize = 40;
/// The third of the agents who eat in the fourth hour, and how long.
const LUNCH: (u64, Duration) = (3 * 3600 + 900, Duration::from_secs(1_800));
/// Between two looks at what those in line are told.
const LOOK: Duration = Duration::from_secs(10);
/// Shorter waits are not held against what was told: a factor of two of nothing is nothing.
const WORTH_TELLING: f64 = 30.0;

#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Next {
    Arrives,
    PicksUp(LegKey),
    HangsUp(LegKey),
    GivesUp(CallId),
    Lunch(bool),
    Look,
}

struct InLine {
    leg: LegKey,
    entered: Instant,
    told: Option<Duration>,
    /// What was told last, and the position then.
    last: Option<(Duration, u32)>,
}

#[derive(Default)]
struct Figures {
    /// Told and waited, in seconds.
    pairs: Vec<(f64, f64)>,
    nothing_known: usize,
    gave_up: usize,
    advances: usize,
    grew: usize,
}

fn uniform(chance: &mut Chance) -> f64 {
    ((chance.next() >> 11) as f64 + 0.5) / (1u64 << 53) as f64
}

fn exponential(chance: &mut Chance, mean: f64) -> Duration {
    Duration::from_secs_f64(-uniform(chance).ln() * mean)
}

fn talk(chance: &mut Chance) -> Duration {
    let normal = (-2.0 * uniform(chance).ln()).sqrt() * (std::f64::consts::TAU * uniform(chance)).cos();
    let (mean, sigma) = TALK;
    Duration::from_secs_f64(mean * (sigma * normal - sigma * sigma / 2.0).exp())
}

fn day(seed: u64, figures: &mut Figures) {
    let mut chance = Chance(seed);
    let names: Vec<String> = (0..AGENTS).map(|n| format!("agent{n:02}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut sales = plan("sales", &names);
    sales.wrap_up = WRAP_UP;
    let mut office = Office::new(&names, vec![sales]);
    let begin = office.now;
    let end = begin + Duration::from_secs(3600 * HOURS.len() as u64);
    let mut next = BinaryHeap::from([
        Reverse((begin, Next::Arrives)),
        Reverse((begin + Duration::from_secs(LUNCH.0), Next::Lunch(true))),
        Reverse((begin + Duration::from_secs(LUNCH.0) + LUNCH.1, Next::Lunch(false))),
        Reverse((begin, Next::Look)),
    ]);
    let mut line: HashMap<CallId, InLine> = HashMap::new();
    while let Some(Reverse((due, _))) = next.peek() {
        let until = office.exchange.next_timeout().map_or(*due, |timeout| timeout.min(*due));
        office.pass(until.saturating_duration_since(office.now));
        if office.now >= *due
            && let Some(Reverse((_, what))) = next.pop()
        {
            match what {
                Next::Arrives => {
                    let (call, leg) = office.arrive(None);
                    let caller = InLine { leg, entered: office.now, told: None, last: None };
                    line.insert(call, caller);
                    office.command(call, enter("sales", 0));
                    if !chance.percent(PATIENT_FOR_EVER) {
                        let gives_up = office.now + exponential(&mut chance, PATIENCE);
                        next.push(Reverse((gives_up, Next::GivesUp(call))));
                    }
                    let hour = (office.now - begin).as_secs() as usize / 3600;
                    let after = exponential(&mut chance, 3600.0 / HOURS[hour.min(HOURS.len() - 1)]);
                    if office.now + after < end {
                        next.push(Reverse((office.now + after, Next::Arrives)));
                    }
                }
                Next::PicksUp(leg) => office.event(leg, Event::Answered),
                Next::HangsUp(leg) => office.event(leg, Event::Ended),
                Next::GivesUp(call) => {
                    if let Some(caller) = line.remove(&call) {
                        figures.gave_up += 1;
                        office.event(caller.leg, Event::Ended);
                    }
                }
                Next::Lunch(begins) => {
                    for name in &names[..AGENTS / 3] {
                        let lunch = AgentWish::Paused { reason: "lunch".into() };
                        let wish = if begins { lunch } else { AgentWish::Available };
                        office.set_agent(name, wish).expect("an agent");
                    }
                }
                Next::Look => {
                    for caller in office.queue("sales").waiting {
                        let known = caller.call.and_then(|call| line.get_mut(&call));
                        let Some((known, told)) = known.zip(caller.expected) else { continue };
                        if let Some((before, position)) = known.last
                            && caller.position < position
                        {
                            figures.advances += 1;
                            figures.grew += usize::from(told > before);
                        }
                        known.last = Some((told, caller.position));
                    }
                    if office.now < end {
                        next.push(Reverse((office.now + LOOK, Next::Look)));
                    }
                }
            }
        }
        loop {
            let effects = office.take();
            if effects.is_empty() {
                break;
            }
            for effect in effects {
                match effect {
                    Effect::Reply { call, answer: Answer::Place { place, .. } } => {
                        let waiting = office.queue("sales").waiting;
                        let told =
                            waiting.iter().find(|one| one.call == Some(call)).and_then(|one| one.expected);
                        line.get_mut(&call).expect("in line").told = told;
                        office.command(call, wait(place, ""));
                    }
                    Effect::Reply { call, answer: Answer::Waited(Waited::Connected(leg)) } => {
                        let caller = line.remove(&call).expect("in line");
                        let waited = office.now.saturating_duration_since(caller.entered).as_secs_f64();
                        match caller.told {
                            Some(told) => figures.pairs.push((told.as_secs_f64(), waited)),
                            None => figures.nothing_known += 1,
                        }
                        let bridge = Command::Bridge { a: LegNo::CALLER, b: leg.leg, keys: String::new() };
                        office.command(call, bridge);
                        next.push(Reverse((office.now + talk(&mut chance), Next::HangsUp(caller.leg))));
                    }
                    Effect::Reply { call, .. } => office.finish(call, Finish::HungUp),
                    Effect::Signal(leg, Signal::Invite(_)) => {
                        let (least, most) = PICK_UP;
                        let after = Duration::from_secs_f64(least + (most - least) * uniform(&mut chance));
                        next.push(Reverse((office.now + after, Next::PicksUp(leg))));
                    }
                    _ => {}
                }
            }
        }
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

fn main() {
    let mut figures = Figures::default();
    SEEDS.for_each(|seed| day(seed, &mut figures));
    let worth: Vec<(f64, f64)> =
        figures.pairs.iter().copied().filter(|(_, waited)| *waited >= WORTH_TELLING).collect();
    let relative = median(worth.iter().map(|(told, waited)| (told - waited).abs() / waited).collect());
    let absolute = median(worth.iter().map(|(told, waited)| (told - waited).abs()).collect());
    let told: f64 = worth.iter().map(|(told, _)| told).sum();
    let waited: f64 = worth.iter().map(|(_, waited)| waited).sum();
    println!(
        "seeds {SEEDS:?}: {} answered, {} of them after {WORTH_TELLING} s and more (median {:.0} s), {} gave up, {} told nothing",
        figures.pairs.len() + figures.nothing_known,
        worth.len(),
        median(worth.iter().map(|(_, waited)| *waited).collect()),
        figures.gave_up,
        figures.nothing_known,
    );
    println!(
        "expected wait at the entry: median error {absolute:.0} s, {:.0} % of the wait",
        relative * 100.0
    );
    println!("told in all / waited in all: {:.2}", told / waited);
    println!(
        "while a caller advanced it grew {} times of {} ({:.1} %)",
        figures.grew,
        figures.advances,
        100.0 * figures.grew as f64 / figures.advances.max(1) as f64
    );
    assert!(relative < 0.5, "what callers are told is no use to them");
}
