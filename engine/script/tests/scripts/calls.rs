//! What scripts do reaches the world in order, and what the world answers reaches scripts.

use std::time::Duration;

use exchange::{Answer, Command, Dial, Failure, Gather, LegNo, Level, Prompt, Stage, Target};
use script::{Finish, Limits, Tape, TrapKind, Verdict, Version};

use crate::support::*;
use crate::uploads;

#[tokio::test]
async fn a_menu_asks_dials_and_bridges() {
    let sandboxes = sandboxes();
    let world = Puppet::obliging();
    let run = run(&sandboxes, &actor(&sandboxes), "menu", &world).await;
    assert_eq!(run.finish, Finish::Returned);
    let leg = LegNo::CALLER;
    let gather = Gather {
        prompts: vec![Prompt::Recording("actor".into())],
        most: 1,
        terminator: None,
        first: Duration::from_secs(6),
        between: Duration::from_secs(2),
    };
    let dial = Dial {
        stages: vec![Stage { after: Duration::ZERO, targets: vec![Target::User("ana".into())] }],
        timeout: Duration::from_secs(20),
        ringback: None,
        present: Some(caller().party),
        skip_busy: true,
    };
    let timeline = [
        Command::Answer { leg },
        Command::Gather { leg, options: gather },
        Command::Tag { key: "pressed".into(), value: "1".into() },
        Command::Dial(dial),
        Command::Log { level: Level::Info, message: "ana answered".into() },
        Command::Bridge { a: leg, b: LegNo(1), keys: "*".into() },
    ];
    assert_eq!(world.asked(), timeline);
    // The tape has these and the settings, and the world had the same bytes as the run.
    let tape = Tape::read(&run.tape).unwrap();
    assert_eq!(tape.segments[0].steps[0].command, Command::Settings);
    let taped: Vec<_> = tape.segments[0].steps[1..].iter().map(|step| step.command.clone()).collect();
    assert_eq!(taped, timeline);
    assert_eq!(*world.tape.lock().unwrap(), run.tape);
}

#[tokio::test]
async fn what_is_known_of_a_leg_is_answered_from_it_and_its_language_follows() {
    let sandboxes = sandboxes();
    let world = Puppet::obliging();
    assert_eq!(run(&sandboxes, &actor(&sandboxes), "language", &world).await.finish, Finish::Returned);
    let expected = [
        ("before", "en"),
        ("after", "bg"),
        ("header", "17+18"),
        ("hour", "23"),
        ("nowhere", "true"),
        ("ana", r#"Presence::Free [("sales", 5)]"#),
    ];
    assert_eq!(tags(&world), expected.map(|(key, value)| (key.to_owned(), value.to_owned())));
}

#[tokio::test]
async fn a_failure_that_leaves_the_script_says_which() {
    let sandboxes = sandboxes();
    let actor = actor(&sandboxes);
    let failed = run(&sandboxes, &actor, "fail", &Puppet::obliging()).await;
    assert_eq!(failed.finish, Finish::Failed(Failure::NotFound("box".into())));
    let busy = Puppet::new(|command| match command {
        Command::Dial(_) => Some(Answer::Failed(Failure::Refused(603))),
        command => Some(oblige(command)),
    });
    assert_eq!(run(&sandboxes, &actor, "menu", &busy).await.finish, Finish::Failed(Failure::Refused(603)));
    let figures = actor.figures();
    assert_eq!((figures.calls, figures.failures, figures.running), (2, 2, 0));
}

#[tokio::test]
async fn a_caller_who_leaves_ends_the_script_as_hung_up() {
    let sandboxes = sandboxes();
    let world = Puppet::leaving();
    assert_eq!(run(&sandboxes, &actor(&sandboxes), "clean", &world).await.finish, Finish::HungUp);
    let add = Command::KvAdd { key: "left".into(), amount: 1 };
    assert_eq!(world.asked()[1..], [add.clone(), add.clone(), add]);
}

#[tokio::test]
async fn handing_over_names_the_next_script_and_its_settings() {
    let sandboxes = sandboxes();
    let actor = actor(&sandboxes);
    let finish = run(&sandboxes, &actor, "hand-over", &Puppet::obliging()).await.finish;
    let settings = r#"{"greeting":"hello"}"#.to_owned();
    assert_eq!(finish, Finish::HandedOver { script: "strowger/menu".into(), settings });
    let refusing = Puppet::new(|_| Some(Answer::Failed(Failure::NotFound("strowger/menu".into()))));
    let finish = run(&sandboxes, &actor, "hand-over", &refusing).await.finish;
    assert_eq!(finish, Finish::Failed(Failure::NotFound("strowger/menu".into())));
}

#[tokio::test]
async fn after_the_call_a_script_sees_its_record() {
    let sandboxes = sandboxes();
    let world = Puppet::obliging();
    let run = sandboxes
        .run_ended(&actor(&sandboxes), start("menu"), &record(), world.clone(), &Limits::ended())
        .await;
    assert_eq!(run.finish, Finish::Returned);
    let value = b"Outcome::Abandoned +359888123456".to_vec();
    assert_eq!(world.asked(), [Command::KvSet { key: record().id.to_string(), value, keep_seconds: None }]);
    assert_eq!(Tape::read(&run.tape).unwrap().segments[0].start.ended, Some(Box::new(record())));
}

#[tokio::test]
async fn what_does_nothing_after_a_call_is_on_its_tape_as_if_it_had_run() {
    let sandboxes = sandboxes();
    let asked = uploads::starting("");
    let idle = asked.replace("(core module $m", r#"(core module $m (@custom "strowger:nothing-after" "")"#);
    let compiled = |text: String| sandboxes.compile(&wat::parse_str(text).unwrap()).unwrap();
    let begun = script::Start { ended: Some(Box::new(record())), ..start("menu") };
    assert_eq!(compiled(asked).nothing_after(&begun), None, "it does not say so");

    let idle = Version::new(compiled(idle));
    let written = idle.component().nothing_after(&begun).expect("it says so");
    let run =
        sandboxes.run_ended(&idle, start("menu"), &record(), Puppet::obliging(), &Limits::ended()).await;
    let [written, ran] = [&written, &run.tape].map(|bytes| Tape::read(bytes).unwrap().segments.remove(0));
    assert_eq!((&written.start, &written.steps), (&ran.start, &ran.steps));
    assert_eq!(written.version, ran.version);
    assert_eq!(written.finish.as_ref().map(|end| &end.1), ran.finish.as_ref().map(|end| &end.1));
    let verdict = sandboxes.replay(&idle, &written, &Limits::ended()).await;
    assert_eq!(verdict, Verdict::Same { steps: 0 });
    // One that does something there is found by a replay.
    assert!(matches!(
        sandboxes.replay(&actor(&sandboxes), &written, &Limits::ended()).await,
        Verdict::Parts { .. }
    ));
}

#[tokio::test]
async fn the_same_seed_draws_the_same_numbers_and_another_seed_draws_others() {
    let sandboxes = sandboxes();
    let actor = actor(&sandboxes);
    let mut drawn = Vec::new();
    for seed in [1, 1, 2] {
        let world = Puppet::obliging();
        let start = script::Start { seed, ..start("chance") };
        sandboxes.run_call(&actor, start, world.clone(), &unhurried()).await;
        drawn.push(tags(&world));
    }
    assert_eq!(drawn[0], drawn[1]);
    assert_ne!(drawn[0], drawn[2]);
    assert!(drawn[0][..5].iter().all(|(_, number)| number.parse::<u32>().unwrap() < 1_000));
    assert_eq!(drawn[0][5], ("none".into(), "0".into()));
}

#[tokio::test(start_paused = true)]
async fn an_engine_that_does_not_answer_fails_the_verb_when_its_time_is_up() {
    let sandboxes = sandboxes();
    let silent = Puppet::new(|command| match command {
        Command::KvGet { .. } => None,
        command => Some(oblige(command)),
    });
    let begin = tokio::time::Instant::now();
    let finish = run(&sandboxes, &actor(&sandboxes), "decide", &silent).await.finish;
    assert_eq!(finish, Finish::Failed(Failure::TimedOut));
    assert_eq!(begin.elapsed().as_secs(), script::limits::WAIT_LOOK_UP.as_secs());
}

#[tokio::test(start_paused = true)]
async fn a_look_up_that_cannot_fail_stops_the_script_when_its_time_is_up() {
    let sandboxes = sandboxes();
    let silent = Puppet::new(|_| None);
    let finish = run(&sandboxes, &actor(&sandboxes), "decide", &silent).await.finish;
    assert_eq!(trap_kind(&finish), Some(TrapKind::Engine));
}

#[tokio::test]
async fn an_answer_out_of_place_stops_the_script_and_not_the_engine() {
    let sandboxes = sandboxes();
    let odd = Puppet::new(|_| Some(Answer::Sum(3)));
    let finish = run(&sandboxes, &actor(&sandboxes), "menu", &odd).await.finish;
    assert_eq!(trap_kind(&finish), Some(TrapKind::Engine));
}
