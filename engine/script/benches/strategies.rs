//! What a decision of a shipped strategy costs with 200 agents and 500 waiting callers, its sandbox included.
//!
//! `cargo bench -p script --bench strategies`. All agents free at once is the worst there is: a queue that opens with
//! a line before its door. In a busy hour one agent becomes free at a time.

#![allow(missing_docs)] // criterion's macro makes a public function

mod shipped;

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use exchange::AgentState;
use exchange::strategy::{Agent, Snapshot, Waiting};
use script::{Limits, Sandboxes, Settings};
use shipped::{cpu, strategies};

const AGENTS: u32 = 200;
const CALLERS: u32 = 500;

/// Settings as a queue has them.
const SETTINGS: &str = r#"{ "ring": 15, "max_waiting": 500, "announce": { "first": 10, "every": 45 },
    "messages": ["offer", "opening-hours"], "keys": { "1": "call-back", "2": "voicemail" } }"#;

fn snapshot(free: u32) -> Arc<Snapshot> {
    // Spread out, so that sorting has work to do.
    let some = |n: u32| n.wrapping_mul(2_654_435_761) >> 12;
    let agent = |n: u32| Agent {
        name: format!("agent-{n:03}"),
        state: if n < free { AgentState::Available } else { AgentState::Talking },
        free: n < free,
        free_for: Duration::from_millis(some(n).into()),
        since_offered: Duration::from_millis(some(n + 7).into()),
        offered: n % 40,
        answered: n % 37,
        talked: Duration::from_secs((n % 600).into()),
        signed_in_for: Duration::from_secs(4 * 3600),
        missed_in_a_row: 0,
        level: (n % 3) as u8 + 1,
        weight: (n % 10) as u16 + 1,
        skills: vec![("bg".into(), (n % 10) as u8 + 1), ("en".into(), 5)],
    };
    let caller = |n: u32| Waiting {
        id: n,
        number: format!("+35988812{n:04}"),
        priority: (some(n) % 3) as i32,
        waited: Duration::from_secs((CALLERS - n).into()),
        position: n + 1,
        last_agent: n.is_multiple_of(3).then(|| format!("agent-{:03}", n % AGENTS)),
        skills: if n.is_multiple_of(8) { vec![("bg".into(), 3)] } else { Vec::new() },
        ..Waiting::default()
    };
    Arc::new(Snapshot {
        queue: "sales".into(),
        settings: SETTINGS.into(),
        seed: 4711,
        last_answered: Some("agent-100".into()),
        service: Duration::from_secs(180),
        waiting: (0..CALLERS).map(caller).collect(),
        agents: (0..AGENTS).map(agent).collect(),
    })
}

fn decisions(criterion: &mut Criterion) {
    let sandboxes = Sandboxes::new(Settings::default()).expect("this machine has room for the sandboxes");
    // A machine that is busy with other things may stop a decision for longer than its limit.
    let limits = Limits { stretch: Duration::from_secs(1), ..Limits::strategy() };
    let all = snapshot(AGENTS);
    let one = snapshot(1);
    for (name, version) in strategies(&sandboxes) {
        for (how, now) in [("all free", &all), ("one free", &one)] {
            let rank = || {
                let decision = sandboxes.rank(&version, now, &limits).expect("the strategy answers");
                assert!(!black_box(decision).answer.offers.is_empty());
            };
            criterion.bench_function(
                &format!("{name}: {AGENTS} agents, {how}, {CALLERS} callers"),
                |bench| {
                    bench.iter_custom(|n| cpu_of(n, rank));
                },
            );
        }
    }
}

/// CPU time of so many times: what else runs on the machine does not count.
fn cpu_of(times: u64, mut work: impl FnMut()) -> Duration {
    let begin = cpu();
    (0..times).for_each(|_| work());
    cpu() - begin
}

criterion_group!(benches, decisions);
criterion_main!(benches);
