//! The ten shipped strategies, in their sandboxes, decide random histories of queues in virtual time, from printed
//! seeds, and are swapped for one another while callers wait. What holds for every strategy is checked after every
//! step by the exchange's own histories; here nobody starves either, and no shipped strategy ever fails or offers
//! what it may not. `STROWGER_SEED` runs one history alone, `STROWGER_HISTORIES` so many.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::rc::Rc;

use exchange::{About, Decided, Question, QueuePlan};
use script::{Limits, Sandboxes, Version};

use crate::floor::history::{Chance, History, plans};
use crate::floor::secs;
use crate::strategies::shipped;
use crate::support::sandboxes;

const HISTORIES: u64 = 10_000;
const STEPS: usize = 120;
const STRATEGIES: [&str; 10] = [
    "queue-fewest-calls",
    "queue-least-talk",
    "queue-longest-idle",
    "queue-random",
    "queue-ring-all",
    "queue-round-robin",
    "queue-skills",
    "queue-sticky",
    "queue-top-down",
    "queue-weighted",
];
const SETTINGS: &str = r#"{ "ring": 8, "announce": { "first": 3, "every": 15 }, "keys": { "5": "call-back" }, "max_waiting": 12 }"#;

/// The answer of a version, as the server gets it.
fn ask(sandboxes: &Sandboxes, version: &Version, question: &Question) -> Result<Decided, String> {
    let now = &question.snapshot;
    // A machine that is busy with other things may stop a decision for longer than its limit.
    let limits = Limits { stretch: secs(5), ..Limits::strategy() };
    let answer = match question.about {
        About::Admit { who } => {
            sandboxes.admit(version, now, who, &limits).map(|d| Decided::Admission(d.answer))
        }
        About::Rank => sandboxes.rank(version, now, &limits).map(|d| Decided::Ranking(d.answer)),
        About::ExpectedWait { who } => {
            sandboxes.expected_wait(version, now, who, &limits).map(|d| Decided::Length(d.answer))
        }
        About::Announce { who, said } => {
            sandboxes.announce(version, now, who, said, &limits).map(|d| Decided::Announcement(d.answer))
        }
        About::OnDigit { who, key } => {
            sandboxes.on_digit(version, now, who, key, &limits).map(|d| Decided::KeyAction(d.answer))
        }
    };
    answer.map_err(|finish| format!("{finish:?}"))
}

/// The queues of the exchange's histories, each with a strategy of its own, and tiers, shares and skills to go by.
fn queues(seed: usize) -> Vec<QueuePlan> {
    let mut plans = plans();
    for (n, plan) in plans.iter_mut().enumerate() {
        plan.strategy = STRATEGIES[(seed + n * 3) % STRATEGIES.len()].into();
        plan.settings = SETTINGS.into();
        for (n, agent) in plan.agents.iter_mut().enumerate() {
            (agent.level, agent.weight) = (n as u8 % 3 + 1, n as u16 * 4 + 1);
        }
    }
    plans
}

/// What managers are told of: none of it may be a strategy's fault.
fn well_behaved(kind: &str, about: &[(&str, String)]) {
    let of = |name: &str| about.iter().find(|(key, _)| *key == name).map_or("", |(_, value)| value);
    let excused = match kind {
        "strategy.failed" => of("reason") == "no answer in time",
        "offer.refused" => of("reason").ends_with("waits no longer"),
        _ => true,
    };
    assert!(excused, "{kind}: {about:?}");
}

#[test]
fn the_shipped_strategies_lose_nobody_offer_nobody_twice_and_let_nobody_starve() {
    let read = |name: &str| std::env::var(name).ok().and_then(|value| value.parse::<u64>().ok());
    let seeds: Vec<u64> = match read("STROWGER_SEED") {
        Some(seed) => vec![seed],
        None => (1..=read("STROWGER_HISTORIES").unwrap_or(HISTORIES)).collect(),
    };
    let sandboxes = Rc::new(sandboxes());
    let compiled = |name: &str| (name.to_owned(), shipped(&sandboxes, name));
    let versions: Rc<BTreeMap<String, Version>> = Rc::new(STRATEGIES.into_iter().map(compiled).collect());
    let (mut callers, decisions) = (0, Rc::new(Cell::new(0u64)));
    for seed in seeds {
        println!("seed {seed}"); // shown when it fails
        let (sandboxes, versions, decisions) = (sandboxes.clone(), versions.clone(), decisions.clone());
        let decides = Box::new(move |_: &mut Chance, strategy: &str, question: &Question| {
            decisions.set(decisions.get() + 1);
            ask(&sandboxes, &versions[strategy], question)
        });
        let names = STRATEGIES.map(str::to_owned).to_vec();
        let mut history = History::new(seed, queues(seed as usize), names, decides);
        history.witness = well_behaved;
        for step in 0..STEPS {
            history.step();
            history.check();
            if step % 60 == 59 {
                history.serve();
            }
        }
        callers += history.end();
    }
    println!("{callers} callers, {} decisions", decisions.get());
    assert!(callers > 0, "somebody called");
}
