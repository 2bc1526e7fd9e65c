//! A strategy is a function of its snapshot.

use std::sync::Arc;
use std::time::Duration;

use exchange::{Level, Prompt};
use script::{Admission, Agent, Kind, Limits, Offer, Snapshot, TrapKind, Version, Waiting};

use crate::support::*;

const RING: Duration = Duration::from_secs(15);

fn snapshot(agents: &[(&str, bool, u64)]) -> Arc<Snapshot> {
    let agent = |&(name, free, idle): &(&str, bool, u64)| Agent {
        name: name.into(),
        free,
        since_offered: Duration::from_secs(idle),
        ..Agent::default()
    };
    let waiting = |id: u32| Waiting { id, number: format!("+35988{id}"), ..Waiting::default() };
    Arc::new(Snapshot {
        queue: "sales".into(),
        settings: "{}".into(),
        service: Duration::from_secs(90),
        waiting: vec![waiting(7), waiting(9)],
        agents: agents.iter().map(agent).collect(),
        ..Snapshot::default()
    })
}

#[test]
fn whoever_waited_longest_for_a_call_gets_it() {
    let sandboxes = sandboxes();
    let ranker = Version::new(compile(&sandboxes, "ranker"));
    assert_eq!(ranker.component().kind(), Kind::Strategy);
    let now = snapshot(&[("ana", true, 30), ("boris", true, 90), ("vera", false, 500)]);
    let decision = sandboxes.rank(&ranker, &now, &Limits::strategy()).unwrap();
    let offer = |caller, agent: &str| Offer { caller, agents: vec![agent.into()], ring: RING };
    assert_eq!(decision.answer, [offer(7, "boris"), offer(9, "ana")]);
    assert_eq!(decision.log, [(Level::Info, "2 free in sales".to_owned())]);
}

#[test]
fn the_other_questions_are_answered() {
    let sandboxes = sandboxes();
    let ranker = Version::new(compile(&sandboxes, "ranker"));
    let limits = Limits::strategy();
    let now = snapshot(&[]);
    assert_eq!(sandboxes.admit(&ranker, &now, 1, &limits).unwrap().answer, Admission::ComeIn);
    let full = Snapshot { waiting: vec![now.waiting[1].clone(); 5], ..Snapshot::clone(&now) };
    let refused = sandboxes.admit(&ranker, &Arc::new(full), 1, &limits).unwrap().answer;
    assert_eq!(refused, Admission::Refuse("full for +359889".into()));
    let wait = |who| sandboxes.expected_wait(&ranker, &now, who, &limits).unwrap().answer;
    assert_eq!((wait(9), wait(8)), (Some(Duration::from_secs(90)), None));
    let said =
        |secs| sandboxes.announce(&ranker, &now, 9, Duration::from_secs(secs), &limits).unwrap().answer;
    assert_eq!(said(10), []);
    assert_eq!(said(31), [Prompt::Digits("9".into()), Prompt::Silence(Duration::from_millis(500))]);
}

#[test]
fn a_strategy_that_loops_or_is_none_gives_no_answer() {
    let sandboxes = sandboxes();
    let ranker = Version::new(compile(&sandboxes, "ranker"));
    let looping = Snapshot { settings: "loop".into(), ..Snapshot::clone(&snapshot(&[])) };
    let finish = sandboxes.rank(&ranker, &Arc::new(looping), &Limits::strategy()).unwrap_err();
    assert_eq!(trap_kind(&finish), Some(TrapKind::OutOfTime));
    let finish = sandboxes.rank(&actor(&sandboxes), &snapshot(&[]), &Limits::strategy()).unwrap_err();
    assert_eq!(trap_kind(&finish), Some(TrapKind::NotStarted));
    let finish = sandboxes.admit(&ranker, &snapshot(&[]), 2, &Limits::strategy()).unwrap_err();
    assert_eq!(trap_kind(&finish), Some(TrapKind::NotStarted));
}

#[tokio::test]
async fn a_strategy_takes_no_calls() {
    let sandboxes = sandboxes();
    let ranker = Version::new(compile(&sandboxes, "ranker"));
    let run = run(&sandboxes, &ranker, "menu", &Puppet::obliging()).await;
    assert_eq!(trap_kind(&run.finish), Some(TrapKind::NotStarted));
}
