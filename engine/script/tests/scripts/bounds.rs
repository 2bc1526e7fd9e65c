//! Scripts that trap, loop, eat and flood: each ends with its reason, and nobody else notices.

use std::time::{Duration, Instant};

use exchange::{Command, Failure};
use script::{Finish, Library, Limits, Start, Tape, TrapKind, limits};

use crate::support::*;

#[tokio::test]
async fn a_trap_names_the_wasm_function() {
    let sandboxes = sandboxes();
    let run = run(&sandboxes, &actor(&sandboxes), "unreachable", &Puppet::obliging()).await;
    let Finish::Trapped { kind: TrapKind::Trap, backtrace } = &run.finish else { panic!("{:?}", run.finish) };
    assert!(backtrace.contains("unreachable"), "{backtrace}");
    assert!(backtrace.contains("falls_here"), "{backtrace}");
    let tape = Tape::read(&run.tape).unwrap();
    assert_eq!(tape.segments[0].finish.as_ref().unwrap().1, run.finish);
}

#[tokio::test]
async fn an_endless_loop_is_stopped_while_others_go_on() {
    let sandboxes = sandboxes();
    let actor = actor(&sandboxes);
    let begin = Instant::now();
    let world = Puppet::obliging();
    let parked = Puppet::new(|_| None);
    let mut waiting = Box::pin(run(&sandboxes, &actor, "wait", &parked));
    until_it_waits(&mut waiting).await;
    let looping = run(&sandboxes, &actor, "loop", &world).await;
    assert_eq!(trap_kind(&looping.finish), Some(TrapKind::OutOfTime));
    assert!(looping.cpu >= limits::STRETCH, "{:?}", looping.cpu);
    // Wall time, on a machine that may be busy with other things.
    assert!(begin.elapsed() < Duration::from_secs(20));
    until_it_waits(&mut waiting).await;
    assert_eq!(run(&sandboxes, &actor, "menu", &world).await.finish, Finish::Returned);
}

#[tokio::test(start_paused = true)]
async fn a_version_that_only_loops_is_tried_once_a_second() {
    let sandboxes = sandboxes();
    let library = Library::new();
    let actor = library.put("acme", "reception", compile(&sandboxes, "actor"), true).unwrap();
    let limits = Limits { cpu_per_second: Duration::from_secs(1_000), ..unhurried() };
    let world = Puppet::obliging();
    let call = async |does: &str| sandboxes.run_call(&actor, start(does), world.clone(), &limits).await;
    let loops = async || trap_kind(&call("loop").await.finish) == Some(TrapKind::OutOfTime);

    for _ in 0..limits::STALLS {
        assert!(loops().await);
    }
    let refused = call("loop").await;
    assert_eq!((refused.finish, refused.tape, refused.cpu), (Finish::Suspended, vec![], Duration::ZERO));
    // With other settings, of another number, it does no such thing; nor when it is told of a call's end.
    assert_eq!(call("menu").await.finish, Finish::Returned);
    let ended = sandboxes.run_ended(&actor, start("loop"), &record(), world.clone(), &limits).await;
    assert_eq!(ended.finish, Finish::Returned);
    tokio::time::advance(limits::TRIED_EVERY).await;
    assert!(loops().await, "it is tried");
    assert_eq!(call("loop").await.finish, Finish::Suspended);
    assert_eq!(actor.figures().failures, u64::from(limits::STALLS) + 3);

    // What tenants share one of them can't take from the others.
    let shared = library.put_shared("", "menu", compile(&sandboxes, "actor")).unwrap();
    for _ in 0..=limits::STALLS {
        let run = sandboxes.run_call(&shared, start("loop"), world.clone(), &limits).await;
        assert_eq!(trap_kind(&run.finish), Some(TrapKind::OutOfTime));
    }
}

#[tokio::test]
async fn a_memory_bomb_is_stopped_at_its_limit() {
    let sandboxes = sandboxes();
    let limits = Limits { stretch: Duration::from_secs(10), ..unhurried() };
    let run = sandboxes.run_call(&actor(&sandboxes), start("memory"), Puppet::obliging(), &limits).await;
    assert_eq!(trap_kind(&run.finish), Some(TrapKind::OutOfMemory), "{:?}", run.finish);
}

#[tokio::test]
async fn less_memory_than_a_component_begins_with_is_no_start() {
    let sandboxes = sandboxes();
    let limits = Limits { memory: 64 << 10, ..unhurried() };
    let run = sandboxes.run_call(&actor(&sandboxes), start("menu"), Puppet::obliging(), &limits).await;
    assert_eq!(trap_kind(&run.finish), Some(TrapKind::OutOfMemory), "{:?}", run.finish);
}

#[tokio::test]
async fn endless_recursion_is_stopped() {
    let sandboxes = sandboxes();
    let run = run(&sandboxes, &actor(&sandboxes), "recurse", &Puppet::obliging()).await;
    assert_eq!(trap_kind(&run.finish), Some(TrapKind::StackOverflow), "{:?}", run.finish);
}

#[tokio::test]
async fn a_flood_of_host_calls_is_stopped_at_the_limit() {
    let sandboxes = sandboxes();
    let world = Puppet::obliging();
    let run = run(&sandboxes, &actor(&sandboxes), "flood", &world).await;
    assert_eq!(trap_kind(&run.finish), Some(TrapKind::TooManyHostCalls));
    // One of them was for the settings, which the world never sees.
    assert_eq!(world.asked().len(), limits::HOST_CALLS as usize - 1);
}

#[tokio::test(start_paused = true)]
async fn a_script_in_a_hurry_is_made_to_wait() {
    let sandboxes = sandboxes();
    let begin = tokio::time::Instant::now();
    let limits = Limits { host_calls: 1_000, ..Limits::call() };
    let run = sandboxes.run_call(&actor(&sandboxes), start("flood"), Puppet::obliging(), &limits).await;
    assert_eq!(trap_kind(&run.finish), Some(TrapKind::TooManyHostCalls));
    assert_eq!(begin.elapsed().as_secs(), 1_000 / u64::from(limits::HOST_CALLS_PER_SECOND) - 1);
}

#[tokio::test]
async fn cleaning_up_after_the_caller_has_its_own_budget() {
    let sandboxes = sandboxes();
    let world = Puppet::leaving();
    let run = run(&sandboxes, &actor(&sandboxes), "clean-for-ever", &world).await;
    assert_eq!(trap_kind(&run.finish), Some(TrapKind::CleaningUp));
    assert_eq!(world.asked().len(), 1 + limits::CLEANING_UP_CALLS as usize);
}

#[tokio::test(start_paused = true)]
async fn cleaning_up_does_not_wait_for_longer_than_its_time() {
    let sandboxes = sandboxes();
    let world = Puppet::new(|command| match command {
        Command::Play { .. } => Some(exchange::Answer::Failed(Failure::HungUp)),
        _ => None,
    });
    let begin = tokio::time::Instant::now();
    let run = run(&sandboxes, &actor(&sandboxes), "clean-for-ever", &world).await;
    assert_eq!(run.finish, Finish::Failed(Failure::TimedOut));
    assert_eq!(begin.elapsed().as_secs(), limits::CLEANING_UP_TIME.as_secs());
}

#[tokio::test]
async fn log_lines_are_cut_and_the_flood_of_them_ends() {
    let sandboxes = sandboxes();
    let world = Puppet::obliging();
    assert_eq!(run(&sandboxes, &actor(&sandboxes), "babble", &world).await.finish, Finish::Returned);
    let line = |command: &Command| match command {
        Command::Log { message, .. } => message.len(),
        other => panic!("{other:?}"),
    };
    let lines: Vec<_> = world.asked().iter().map(line).collect();
    assert_eq!(lines, [limits::LOG_LINE; limits::LOG / limits::LOG_LINE]);
}

#[tokio::test]
async fn a_script_that_holds_every_handle_is_stopped() {
    let sandboxes = sandboxes();
    let run = run(&sandboxes, &actor(&sandboxes), "collect", &Puppet::obliging()).await;
    assert_eq!(trap_kind(&run.finish), Some(TrapKind::TooManyHandles), "{:?}", run.finish);
}

#[tokio::test]
async fn a_full_tape_ends_the_script_and_still_tells_the_end() {
    let sandboxes = sandboxes();
    let run = run(&sandboxes, &actor(&sandboxes), "hoard", &Puppet::obliging()).await;
    assert_eq!(trap_kind(&run.finish), Some(TrapKind::TapeFull));
    let tape = Tape::read(&run.tape).unwrap();
    assert!(!tape.cut);
    // Values of 60,000 bytes; the one that did not fit is not there, and the settings came first.
    assert_eq!(tape.segments[0].steps.len(), 1 + limits::TAPE / 60_020);
    assert_eq!(tape.segments[0].finish.as_ref().unwrap().1, run.finish);
}

#[tokio::test]
async fn a_thousand_calls_wait_at_once_and_leave_room_when_they_are_dropped() {
    let sandboxes = with(|settings| {
        settings.sandboxes = 1_000;
        settings.per_tenant = 1_000;
    });
    let actor = actor(&sandboxes);
    let world = Puppet::new(|_| None);
    for _ in 0..2 {
        let mut waiting: Vec<_> =
            (0..1_000).map(|_| Box::pin(run(&sandboxes, &actor, "wait", &world))).collect();
        for run in &mut waiting {
            until_it_waits(run).await;
        }
        assert_eq!(actor.figures().running, 1_000);
        let one_more = run(&sandboxes, &actor, "menu", &Puppet::obliging()).await;
        assert_eq!((one_more.finish, one_more.tape), (Finish::NoRoom, vec![]));
        drop(waiting);
        assert_eq!(actor.figures().running, 0);
    }
    assert_eq!(run(&sandboxes, &actor, "menu", &Puppet::obliging()).await.finish, Finish::Returned);
}

#[tokio::test]
async fn one_tenant_does_not_take_every_sandbox() {
    let sandboxes = with(|settings| settings.per_tenant = 1);
    let actor = actor(&sandboxes);
    let world = Puppet::new(|_| None);
    let mut first = Box::pin(run(&sandboxes, &actor, "wait", &world));
    until_it_waits(&mut first).await;
    let obliging = Puppet::obliging();
    assert_eq!(run(&sandboxes, &actor, "menu", &obliging).await.finish, Finish::NoRoom);
    let other = Start { tenant: "other".into(), ..start("menu") };
    let run = sandboxes.run_call(&actor, other, obliging, &unhurried()).await;
    assert_eq!(run.finish, Finish::Returned);
}

#[tokio::test(start_paused = true)]
async fn a_tenant_that_computes_too_much_waits_and_nobody_else_does() {
    let sandboxes = sandboxes();
    let actor = actor(&sandboxes);
    // So little that the first run takes many seconds' worth.
    let limits = Limits { cpu_per_second: Duration::from_micros(1), ..unhurried() };
    let call = async |tenant: &str| {
        let start = Start { tenant: tenant.into(), ..start("menu") };
        sandboxes.run_call(&actor, start, Puppet::obliging(), &limits).await.finish
    };
    assert_eq!(call("one").await, Finish::Returned);
    let begin = tokio::time::Instant::now();
    assert_eq!(call("one").await, Finish::NoRoom);
    assert_eq!(begin.elapsed(), script::limits::LET_IN);
    assert_eq!(call("two").await, Finish::Returned);
    tokio::time::advance(Duration::from_secs(3_600)).await;
    assert_eq!(call("one").await, Finish::Returned);
}
