//! A strategy is a function of its snapshot.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use exchange::strategy::{Admission, Agent, Announcement, KeyAction, Offer, Snapshot, Waiting};
use exchange::{AgentState, Level, Prompt, Refusal};
use script::{Finish, Kind, Library, Limits, TrapKind, Version, limits};

use crate::support::*;

const RING: Duration = Duration::from_secs(15);

pub fn snapshot(agents: &[(&str, bool, u64)]) -> Arc<Snapshot> {
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

#[tokio::test(start_paused = true)]
async fn a_strategy_that_only_loops_is_asked_once_a_second() {
    let sandboxes = sandboxes();
    let ranker = Library::new().put("acme", "fair", compile(&sandboxes, "ranker"), true).unwrap();
    let looping = Arc::new(Snapshot { settings: "loop".into(), ..Snapshot::clone(&snapshot(&[])) });
    let ranked = |now: &Arc<Snapshot>| sandboxes.rank(&ranker, now, &Limits::strategy());
    for _ in 0..limits::STALLS {
        assert_eq!(trap_kind(&ranked(&looping).unwrap_err()), Some(TrapKind::OutOfTime));
    }
    assert_eq!(ranked(&looping).unwrap_err(), Finish::Suspended);
    assert!(ranked(&snapshot(&[])).is_ok(), "it ranks for a queue of other settings");
    tokio::time::advance(limits::TRIED_EVERY).await;
    assert_eq!(trap_kind(&ranked(&looping).unwrap_err()), Some(TrapKind::OutOfTime));
}

#[tokio::test]
async fn a_strategy_takes_no_calls() {
    let sandboxes = sandboxes();
    let ranker = Version::new(compile(&sandboxes, "ranker"));
    let run = run(&sandboxes, &ranker, "menu", &Puppet::obliging()).await;
    assert_eq!(trap_kind(&run.finish), Some(TrapKind::NotStarted));
}

/// A shipped strategy as the exchange runs it.
pub fn shipped(sandboxes: &script::Sandboxes, name: &str) -> Version {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let target = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let cache = target.parent().expect("tmp lies in the target folder").join("guests");
    let packages = [format!("script-{name}")];
    let source = guest_build::Source::Packages(&workspace, &packages);
    let built = guest_build::build(source, &target.join("shipped"), &cache).expect("the strategy builds");
    let bytes = std::fs::read(&built[0].file).expect("was just written");
    Version::new(sandboxes.compile(&bytes).expect("the strategy passes the check"))
}

#[test]
fn a_shipped_strategy_answers_all_five_questions_by_the_queues_settings() {
    let sandboxes = sandboxes();
    let strategy = shipped(&sandboxes, "queue-longest-idle");
    let settings = r#"{ "ring": 8, "max_waiting": 2, "keys": { "1": "call-back" }, "messages": ["offer"],
        "announce": { "first": 10, "every": 30 } }"#;
    let mut now = Snapshot::clone(&snapshot(&[
        ("vera", true, 90),
        ("boris", true, 30),
        ("ana", true, 90),
        ("dora", false, 500),
        ("elena", true, 1000),
    ]));
    now.settings = settings.into();
    now.agents[4].level = 2;
    let caller = |id, priority, offered| Waiting { id, priority, offered, ..now.waiting[0].clone() };
    now.waiting = vec![caller(1, 0, false), caller(2, 5, true), caller(3, 5, false), caller(4, 0, false)];
    now.waiting[0].tried = vec!["ana".into()];
    now.waiting[3].skills = vec![("bg".into(), 3)];
    now.agents[1].skills = vec![("bg".into(), 3)];
    let now = Arc::new(now);
    let limits = Limits::strategy();

    let ranking = sandboxes.rank(&strategy, &now, &limits).unwrap().answer;
    let pairs: Vec<_> = ranking.offers.iter().map(|offer| (offer.caller, offer.agents[0].as_str())).collect();
    // The third goes first by priority, and ana and vera are told apart by name; the fourth wants Bulgarian.
    assert_eq!(pairs, [(3, "ana"), (1, "vera"), (4, "boris")]);
    assert!(ranking.offers.iter().all(|offer| offer.ring == Duration::from_secs(8)));
    assert_eq!(sandboxes.rank(&strategy, &now, &limits).unwrap().answer, ranking);

    let admitted = sandboxes.admit(&strategy, &now, 3, &limits).unwrap().answer;
    assert_eq!(admitted, Admission::Refuse(Refusal::Full));
    let wait = Some(Duration::from_secs(75));
    let told =
        Waiting { waited: Duration::from_secs(10), expected: wait, position: 4, ..now.waiting[3].clone() };
    let told = Arc::new(Snapshot { waiting: vec![told], ..Snapshot::clone(&now) });
    assert_eq!(sandboxes.expected_wait(&strategy, &told, 0, &limits).unwrap().answer, wait);
    let said = sandboxes.announce(&strategy, &told, 0, Duration::from_secs(10), &limits).unwrap().answer;
    let say = vec![
        Prompt::Position(4),
        Prompt::Recording("expected-wait".into()),
        Prompt::Duration(Duration::from_secs(75)),
        Prompt::Recording("offer".into()),
    ];
    assert_eq!(said, Announcement { say, again: Some(Duration::from_secs(30)) });
    let key = |key| sandboxes.on_digit(&strategy, &told, 0, key, &limits).unwrap().answer;
    assert_eq!((key('1'), key('2')), (KeyAction::Ask("call-back".into()), KeyAction::Pass));
}

#[test]
fn settings_that_do_not_fit_are_named_where_the_answer_is_missing() {
    let sandboxes = sandboxes();
    let strategy = shipped(&sandboxes, "queue-longest-idle");
    let mistaken = Snapshot { settings: r#"{ "bye": "ended" }"#.into(), ..Snapshot::default() };
    let finish = sandboxes.rank(&strategy, &Arc::new(mistaken), &Limits::strategy()).unwrap_err();
    let script::Finish::Trapped { kind: TrapKind::Trap, backtrace } = finish else { panic!("{finish:?}") };
    assert!(backtrace.contains("settings of the queue") && backtrace.contains("bye"), "{backtrace}");
}

#[test]
fn a_strategy_holds_so_many_handles_and_no_more() {
    let sandboxes = sandboxes();
    let strategy = Version::new(compile(&sandboxes, "ranker"));
    let agents: Vec<_> = (0..100).map(|n| (format!("agent-{n}"), true, 1)).collect();
    let agents: Vec<_> = agents.iter().map(|(name, free, idle)| (name.as_str(), *free, *idle)).collect();
    let limits = |handles| Limits { handles, ..Limits::strategy() };
    assert!(sandboxes.rank(&strategy, &snapshot(&agents), &limits(102)).is_ok());
    let finish = sandboxes.rank(&strategy, &snapshot(&agents), &limits(99)).unwrap_err();
    assert_eq!(trap_kind(&finish), Some(TrapKind::TooManyHandles));
}
