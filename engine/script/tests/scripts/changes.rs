//! What a script hears of a call back's change, and what it can do about it.

use std::sync::Arc;

use exchange::{Answer, Command, Failure, Level, TaskAsk, TaskChange, TaskEvent, TaskInfo, TaskState};
use script::{Finish, Kind, Limits, Run, Sandboxes, Start, Tape, TrapKind, Verdict, Version};

use crate::support::*;

fn change(event: TaskEvent) -> TaskChange {
    let task = TaskInfo {
        id: "t1".into(),
        state: TaskState::Open,
        number: "+359888123456".into(),
        name: "Rosa".into(),
        contact: None,
        title: "Call Rosa back".into(),
        responsible: None,
        due: Some(1_795_000_600.0),
        late: false,
        opened: 1_795_000_000.0,
        closed: None,
        closed_by: None,
        dialled: "700".into(),
        queue: Some("sales".into()),
        missed: 2,
        last: 1_795_000_000.0,
        calls: vec![],
        recordings: vec![],
        notes: vec![],
    };
    TaskChange { id: "c7".into(), at: 1_795_000_001.0, event, task }
}

fn told(part: &str, event: TaskEvent) -> Start {
    Start { changed: Some(Box::new(change(event))), ..start(part) }
}

fn tasker(sandboxes: &Sandboxes) -> Version {
    Version::new(compile(sandboxes, "tasker"))
}

async fn run(sandboxes: &Sandboxes, version: &Version, part: &str, world: &Arc<Puppet>) -> Run {
    let start = told(part, TaskEvent::Closed(TaskState::GivenUp));
    sandboxes.run_call(version, start, world.clone(), &Limits::change()).await
}

fn task(ask: TaskAsk) -> Command {
    Command::Task { id: "t1".into(), ask }
}

#[tokio::test]
async fn a_script_hears_what_happened_to_which_task() {
    let sandboxes = sandboxes();
    let world = Puppet::obliging();
    let version = tasker(&sandboxes);
    assert_eq!(version.component().kind(), Kind::Task);
    assert_eq!(run(&sandboxes, &version, "tell", &world).await.finish, Finish::Returned);
    let message = "c7 given up +359888123456 Some(1795000600.0)".to_owned();
    assert_eq!(world.asked(), [Command::Log { level: Level::Info, message }]);
}

#[tokio::test]
async fn what_it_does_to_the_task_reaches_the_world_and_its_tape_in_order() {
    let sandboxes = sandboxes();
    let (world, version) = (Puppet::obliging(), tasker(&sandboxes));
    let done = run(&sandboxes, &version, "assign", &world).await;
    assert_eq!(done.finish, Finish::Returned);
    let asked = [
        task(TaskAsk::Assign { user: "ana".into() }),
        task(TaskAsk::PutOff { until_ms: 1_795_000_900_500 }),
        task(TaskAsk::Note { text: "promised".into() }),
    ];
    assert_eq!(world.asked(), asked);
    let segment = Tape::read(&done.tape).unwrap().segments.remove(0);
    assert_eq!(segment.start.export(), "on-change");
    assert_eq!(segment.start.changed, Some(Box::new(change(TaskEvent::Closed(TaskState::GivenUp)))));
    let limits = segment.start.limits();
    assert_eq!(sandboxes.replay(&version, &segment, &limits).await, Verdict::Same { steps: 4 });
}

#[tokio::test]
async fn what_the_world_refuses_reaches_the_script() {
    let sandboxes = sandboxes();
    let gone = Failure::NotFound("nobody is called ana".into());
    let refuses = gone.clone();
    let world = Puppet::new(move |command| match command {
        Command::Task { .. } => Some(Answer::Failed(refuses.clone())),
        command => Some(oblige(command)),
    });
    let finish = run(&sandboxes, &tasker(&sandboxes), "assign", &world).await.finish;
    assert_eq!(finish, Finish::Failed(gone));
    assert_eq!(world.asked().len(), 1, "it did not go on");
}

#[tokio::test]
async fn what_is_no_moment_is_asked_as_zero() {
    let sandboxes = sandboxes();
    let world = Puppet::obliging();
    run(&sandboxes, &tasker(&sandboxes), "moment", &world).await;
    assert_eq!(world.asked(), [task(TaskAsk::PutOff { until_ms: 0 })]);
}

#[tokio::test]
async fn its_budget_ends_it_and_a_trap_says_where() {
    let sandboxes = sandboxes();
    let (world, version) = (Puppet::obliging(), tasker(&sandboxes));
    let asked = run(&sandboxes, &version, "ask", &world).await;
    assert!(matches!(trap_kind(&asked.finish), Some(TrapKind::TooManyHostCalls | TrapKind::CleaningUp)));
    assert!(world.asked().len() <= Limits::change().host_calls as usize, "{}", world.asked().len());
    match run(&sandboxes, &version, "trap", &Puppet::obliging()).await.finish {
        Finish::Trapped { kind: TrapKind::Trap, backtrace } => {
            assert!(backtrace.contains("on-change"), "{backtrace}");
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_script_of_one_world_is_not_begun_in_the_other() {
    let sandboxes = sandboxes();
    let world = Puppet::obliging();
    let call = sandboxes.run_call(&tasker(&sandboxes), start("tell"), world.clone(), &unhurried()).await;
    assert_eq!(trap_kind(&call.finish), Some(TrapKind::NotStarted));
    let change = run(&sandboxes, &actor(&sandboxes), "menu", &world).await;
    assert_eq!(trap_kind(&change.finish), Some(TrapKind::NotStarted));
    assert_eq!(world.asked(), []);
}
