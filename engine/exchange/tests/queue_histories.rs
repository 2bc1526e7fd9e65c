//! Random histories of queues from printed seeds: callers arrive, leave and press keys, agents come, go
//! and make calls of their own, telephones answer, refuse, ignore, cross our CANCEL and pick up what rings elsewhere, strategies are
//! late, fail and talk nonsense, queues come and go with reloads. After every step: an agent is rung for
//! one call at most and never while on another, a caller has one agent at most, nobody's place is lost,
//! and offers, telephones and agents' states agree. At the end every caller came to one end, and nothing
//! is left. `STROWGER_SEED` runs one history alone,
//! `STROWGER_HISTORIES` so many.

mod support;

use exchange::strategy::*;
use exchange::*;
use std::time::Duration;
use support::history::*;
use support::office::*;
use support::*;

const HISTORIES: u64 = 20_000;
/// Of a history; every twentieth is ten times as long.
const STEPS: usize = 150;

/// Fails now and then, talks nonsense, and is otherwise one of two strategies.
fn half_mad(chance: &mut Chance, _: &str, question: &Question) -> Result<Decided, String> {
    match chance.below(20) {
        0 => Err("it trapped".into()),
        1 => Ok(Decided::Length(Some(secs(5)))),
        2 => Ok(Decided::Ranking(nonsense(chance, &question.snapshot))),
        3..7 => ring_all(question),
        _ => match question.about {
            About::Announce { .. } => Ok(Decided::Announcement(Announcement {
                say: vec![Prompt::Position(1)],
                again: Some(secs(5)),
            })),
            About::OnDigit { .. } => Ok(Decided::KeyAction(KeyAction::Ask("word".into()))),
            About::Admit { .. } if chance.percent(5) => {
                Ok(Decided::Admission(Admission::Refuse(Refusal::Closed)))
            }
            _ => in_order(question),
        },
    }
}

fn nonsense(chance: &mut Chance, now: &Snapshot) -> Ranking {
    let mut offers = vec![];
    for _ in 0..chance.below(5) {
        let caller = chance.below(now.waiting.len() + 2) as u32;
        let agents = (0..chance.below(4)).map(|_| chance.of(&PEOPLE).unwrap().to_string());
        offers.push(Offer { caller, agents: agents.collect(), ring: secs(chance.next() % 700) });
    }
    Ranking { offers, again: Some(Duration::from_millis(chance.next() % 3_000)) }
}

#[test]
fn whatever_happens_nobody_is_offered_twice_and_no_place_is_lost() {
    let only: Option<u64> = std::env::var("STROWGER_SEED").ok().and_then(|seed| seed.parse().ok());
    let many: Option<u64> = std::env::var("STROWGER_HISTORIES").ok().and_then(|many| many.parse().ok());
    let seeds: Vec<u64> = match only {
        Some(seed) => vec![seed],
        None => (1..=many.unwrap_or(HISTORIES)).collect(),
    };
    let (mut callers, mut picked_up) = (0, 0);
    for seed in seeds {
        println!("seed {seed}"); // shown when it fails
        let mut history = History::new(seed, plans(), vec!["another".into()], Box::new(half_mad));
        let steps = if seed % 20 == 0 { 10 * STEPS } else { STEPS };
        for step in 0..steps {
            if only.is_some() {
                println!("step {step}");
            }
            history.step();
            history.check();
            if step % 50 == 49 {
                history.calm();
                history.check();
            }
        }
        if seed % 3 == 0 {
            history.restart();
        }
        picked_up += history.picked_up;
        callers += history.end();
    }
    assert!(callers > 0, "somebody called");
    assert!(picked_up > 0 || only.is_some(), "and somebody else answered");
}
