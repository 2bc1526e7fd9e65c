//! A strategy is a function of its snapshot.

use std::sync::Arc;
use std::time::Duration;

use exchange::strategy::{Admission, Agent, Announcement, KeyAction, Offer, Snapshot, Waiting};
use exchange::{AgentState, Level, Prompt, Refusal};
use script::{Kind, Limits, TrapKind, Version};

use crate::support::*;

const RING: Duration = Duration::from_secs(15);

fn snapshot(agents: &[(&str, bool, u64)]) -> Arc<Snapshot> {
    let agent = |&(name, free, idle): &(&str, bool, u64)| Agent {
        name: name.into(),
        free,
        since_offered: Duration::from_secs(idle),
        state: if free { AgentState::Available } else { AgentState::Talking },
        free_for: Duration::ZERO,
        offered: 0,
        answered: 0,
        talked: Duration::ZERO,
        signed_in_for: Duration::ZERO,
        missed_in_a_row: 0,
        level: 1,
        weight: 1,
        skills: Vec::new(),
    };
    let waiting =
        |id: u32| Waiting { id, position: (id - 5) / 2, number: format!("+35988{id}"), ..Waiting::default() };
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
    assert_eq!(decision.answer.offers, [offer(7, "boris"), offer(9, "ana")]);
    assert_eq!(decision.answer.again, Some(Duration::from_secs(5)));
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
    assert_eq!(refused, Admission::Refuse(Refusal::Other("full for +359889".into())));
    let wait = |who| sandboxes.expected_wait(&ranker, &now, who, &limits).unwrap().answer;
    assert_eq!((wait(0), wait(1)), (Some(Duration::ZERO), Some(Duration::from_secs(90))));
    let said =
        |secs| sandboxes.announce(&ranker, &now, 1, Duration::from_secs(secs), &limits).unwrap().answer;
    let again = Some(Duration::from_secs(30));
    assert_eq!(said(10), Announcement { say: vec![], again });
    let words = vec![Prompt::Digits("9".into()), Prompt::Silence(Duration::from_millis(500))];
    assert_eq!(said(31), Announcement { say: words, again });
    let key = |key| sandboxes.on_digit(&ranker, &now, 1, key, &limits).unwrap().answer;
    assert_eq!(key('1'), KeyAction::Ask("call-back".into()));
    assert_eq!(key('2'), KeyAction::Say(vec![Prompt::Position(2)]));
    assert_eq!(key('5'), KeyAction::Pass);
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
