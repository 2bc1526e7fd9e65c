//! Transfers, hold, pick-up, parking and queues over bad networks: telephones do whatever comes to their users' minds, and
//! whatever is lost, late, doubled or overtaken, no call is left, no session ends twice, whoever hears is heard, each REFER
//! has one answer, and whoever was told that it is being tried hears what came of it.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use crate::town::{Chance, Town};

const HISTORIES: u64 = 400;
const STEPS: usize = 150;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|value| value.parse().ok())
}

#[test]
fn rfc3515_rfc3891_whatever_telephones_do_and_networks_lose_no_call_is_left_and_each_transfer_has_an_end() {
    let only = number("STROWGER_SEED");
    let last = number("STROWGER_HISTORIES").unwrap_or(HISTORIES);
    let seeds = only.map_or(1..=last, |seed| seed..=seed);
    let (mut answered, mut accepted, mut done) = (0, 0, 0);
    let mut notes = std::collections::BTreeMap::new();
    for seed in seeds {
        let mut town = Town::new(seed, [0, 2, 5, 15][seed as usize % 4], only.is_some());
        let history = catch_unwind(AssertUnwindSafe(|| {
            let mut chance = Chance(seed ^ 0xcafe);
            for step in 1..=STEPS {
                town.step();
                let wait = chance.below(2_500);
                town.pass(std::time::Duration::from_millis(wait));
                if step % 50 == 0 {
                    town.rest();
                }
            }
            answered += town.end();
            let (of, came_about) = town.witness.check();
            accepted += of;
            done += came_about;
        }));
        if let Err(why) = history {
            println!("seed {seed}"); // STROWGER_SEED
            resume_unwind(why);
        }
        for (kind, count) in &town.house.notes {
            *notes.entry(*kind).or_insert(0) += count;
        }
    }
    println!("{answered} calls answered, {accepted} transfers, {done} of them done: {notes:?}");
    if only.is_none() {
        // A town in which nothing happens would find nothing.
        for kind in [
            "call.transferred",
            "call.replaced",
            "call.picked-up",
            "call.parked",
            "call.retrieved",
            "leg.held",
            "queue.connected",
            "queue.picked-up",
        ] {
            assert!(notes.get(kind).copied().unwrap_or(0) > 20, "{kind}: {notes:?}");
        }
        assert!(done * 10 > accepted, "{done} of {accepted} transfers were done");
    }
}
