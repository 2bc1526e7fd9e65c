//! What a language's runtime imports of WASI is answered from the tape, or refused.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use exchange::strategy::Snapshot;
use exchange::{CallId, Command, Level};
use script::{Asked, Finish, Limits, Run, Sandboxes, Start, Tape, TrapKind, Verdict, Version, World, limits};

use crate::support::*;

fn runtime(sandboxes: &Sandboxes) -> Version {
    Version::new(compile(sandboxes, "runtime"))
}

/// A world in which time goes by when somebody sleeps, and half a second with everything else.
struct Virtual {
    puppet: Arc<Puppet>,
    now: Mutex<Duration>,
}

impl World for Virtual {
    fn ask(&self, call: CallId, command: Command) -> Asked<'_> {
        *self.now.lock().unwrap() += match command {
            Command::Sleep { length } => length,
            _ => Duration::from_millis(500),
        };
        self.puppet.ask(call, command)
    }

    fn elapsed(&self, _: CallId) -> Option<Duration> {
        Some(*self.now.lock().unwrap())
    }
}

async fn played(sandboxes: &Sandboxes, version: &Version, start: Start) -> (Run, Arc<Puppet>) {
    let puppet = Puppet::obliging();
    let world = Arc::new(Virtual { puppet: puppet.clone(), now: Mutex::default() });
    (sandboxes.run_call(version, start, world, &unhurried()).await, puppet)
}

async fn is_the_same_again(sandboxes: &Sandboxes, version: &Version, run: &Run) {
    let segment = Tape::read(&run.tape).unwrap().segments.remove(0);
    let verdict = sandboxes.replay(version, &segment, &unhurried()).await;
    assert_eq!(verdict, Verdict::Same { steps: segment.steps.len() });
}

#[tokio::test]
async fn clocks_go_by_the_tape_and_sleeping_is_a_verb() {
    let sandboxes = sandboxes();
    let version = runtime(&sandboxes);
    let (run, world) = played(&sandboxes, &version, start("clocks")).await;
    assert_eq!(run.finish, Finish::Returned);
    let sleeps: Vec<_> =
        world.asked().iter().filter(|c| matches!(c, Command::Sleep { .. })).cloned().collect();
    // Both timers were set after half a second for the tag; a second went by with two more tags, and another with the
    // first sleep's. What is left is slept in whole milliseconds, rounded up.
    let slept = [Duration::from_millis(1001), Duration::from_millis(999)];
    assert_eq!(sleeps, slept.map(|length| Command::Sleep { length }));
    let expected = [
        ("began", "1795000000.000"),
        ("ready", "false false"),
        ("first", "[1]"),
        ("slept", "3500"),
        ("ends", "1795000004.000"),
    ];
    let expected = expected.map(|(key, value)| (key.to_owned(), value.to_owned()));
    assert_eq!(tags(&world), expected);
    is_the_same_again(&sandboxes, &version, &run).await;
}

#[tokio::test]
async fn chance_is_the_seeds_and_leaves_the_scripts_own_alone() {
    let sandboxes = sandboxes();
    let version = runtime(&sandboxes);
    let (run, first) = played(&sandboxes, &version, start("chance")).await;
    let (_, again) = played(&sandboxes, &version, start("chance")).await;
    let (_, other) = played(&sandboxes, &version, Start { seed: 4712, ..start("chance") }).await;
    assert_eq!(tags(&first), tags(&again));
    assert!(tags(&first).iter().zip(tags(&other)).all(|(a, b)| *a != b), "{:?}", tags(&other));
    is_the_same_again(&sandboxes, &version, &run).await;
    // What `clock.random` draws first for this seed, whatever a runtime drew before.
    let own = &tags(&first)[2].1;
    let alone = Puppet::obliging();
    let drawn = sandboxes.run_call(&actor(&sandboxes), start("chance"), alone.clone(), &unhurried()).await;
    assert_eq!(drawn.finish, Finish::Returned);
    let (own, alone): (u32, u32) = (own.parse().unwrap(), tags(&alone)[0].1.parse().unwrap());
    assert_eq!(own / 1_000, alone);
    let (run, _) = played(&sandboxes, &version, start("greedy")).await;
    assert_eq!(trap_kind(&run.finish), Some(TrapKind::Trap));
    assert!(format!("{:?}", run.finish).contains("random bytes"), "{:?}", run.finish);
}

#[tokio::test]
async fn what_is_printed_is_logged_by_the_line_before_the_next_verb() {
    let sandboxes = sandboxes();
    let version = runtime(&sandboxes);
    let (run, world) = played(&sandboxes, &version, start("print")).await;
    assert_eq!(run.finish, Finish::Returned);
    let log = |level, message: &str| Command::Log { level, message: message.into() };
    let expected = [
        log(Level::Info, "hello world"),
        log(Level::Info, "and"),
        Command::Tag { key: "then".into(), value: "this".into() },
        // What no newline ended comes at the end.
        log(Level::Info, "again"),
        log(Level::Error, "oh"),
    ];
    assert_eq!(world.asked(), expected);
    is_the_same_again(&sandboxes, &version, &run).await;

    // 198,000 bytes without a newline are one line, and cut to its limit.
    let (run, world) = played(&sandboxes, &version, start("babble")).await;
    let [Command::Log { message, .. }] = &world.asked()[..] else { panic!("{:?}", world.asked()) };
    assert_eq!((message.len(), &run.finish), (limits::LOG_LINE, &Finish::Returned));
}

#[tokio::test]
async fn whoever_exits_is_stopped_with_the_words_it_left() {
    let sandboxes = sandboxes();
    let version = runtime(&sandboxes);
    let (run, world) = played(&sandboxes, &version, start("traceback")).await;
    let Finish::Trapped { kind: TrapKind::Trap, backtrace } = &run.finish else { panic!("{:?}", run.finish) };
    let words = "Traceback\n  line 7\nValueError: boom\nthe script exited with code 1\n";
    assert!(backtrace.starts_with(words), "{backtrace}");
    assert_eq!(world.asked().len(), 3, "the lines are in the log, too");
    is_the_same_again(&sandboxes, &version, &run).await;
}

#[tokio::test]
async fn there_is_nothing_around_a_script() {
    let sandboxes = sandboxes();
    let (_, world) = played(&sandboxes, &runtime(&sandboxes), start("surroundings")).await;
    let expected =
        [("stdin", "closed"), ("files", "0"), ("environment", "0"), ("arguments", "0"), ("folder", "None")];
    assert_eq!(tags(&world), expected.map(|(key, value)| (key.to_owned(), value.to_owned())));
}

#[test]
fn a_strategy_with_a_runtime_is_still_a_function_of_its_snapshot() {
    let sandboxes = sandboxes();
    let version = Version::new(compile(&sandboxes, "runtime-ranks"));
    let snapshot =
        |seed, settings: &str| Arc::new(Snapshot { seed, settings: settings.into(), ..Snapshot::default() });
    // Not how fast a processor is, or an emulator.
    let limits = Limits { stretch: Duration::from_secs(5), ..Limits::strategy() };
    let rank = |seed| sandboxes.rank(&version, &snapshot(seed, "{}"), &limits).unwrap().log;
    let log = rank(7);
    assert_eq!(log[0], (Level::Info, "before".into()));
    assert!(log[1].1.starts_with("0 "), "the clock stands at 1970: {log:?}");
    assert_eq!(log[2], (Level::Info, "after".into()));
    assert_eq!(log, rank(7));
    assert_ne!(log, rank(8));
    let stopped = sandboxes.rank(&version, &snapshot(7, "exit"), &limits).unwrap_err();
    let Finish::Trapped { kind: TrapKind::Trap, backtrace } = &stopped else { panic!("{stopped:?}") };
    assert!(backtrace.starts_with("no such agent\nthe script exited with code 1\n"), "{backtrace}");
}
