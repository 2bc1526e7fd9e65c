//! A run is a function of its tape: played again it is the same, on another version it parts where
//! that version differs.

use exchange::{Answer, BridgeEnd, Command, Failure, Prompt};
use script::tape::Unreadable;
use script::{Finish, Sandboxes, Segment, Tape, TrapKind, Verdict, Version};

use crate::support::*;

async fn recorded(sandboxes: &Sandboxes, version: &Version, part: &str) -> Vec<u8> {
    run(sandboxes, version, part, &Puppet::obliging()).await.tape
}

fn only(tape: &[u8]) -> Segment {
    let mut tape = Tape::read(tape).unwrap();
    assert_eq!((tape.segments.len(), tape.cut), (1, false));
    tape.segments.remove(0)
}

#[tokio::test]
async fn every_kind_of_run_is_the_same_on_its_own_version() {
    let sandboxes = sandboxes();
    let actor = actor(&sandboxes);
    for (part, steps) in
        [("menu", 7), ("chance", 13), ("babble", 17), ("unreachable", 1), ("fail", 1), ("hand-over", 2)]
    {
        let segment = only(&recorded(&sandboxes, &actor, part).await);
        assert_eq!(sandboxes.replay(&actor, &segment, &unhurried()).await, Verdict::Same { steps }, "{part}");
    }
    // Stopped in the middle, by a bound.
    for part in ["flood", "hoard"] {
        let segment = only(&recorded(&sandboxes, &actor, part).await);
        let verdict = sandboxes.replay(&actor, &segment, &unhurried()).await;
        assert_eq!(verdict, Verdict::Same { steps: segment.steps.len() }, "{part}");
    }
}

#[tokio::test]
async fn another_version_parts_at_the_first_import_that_differs() {
    let sandboxes = sandboxes();
    let segment = only(&recorded(&sandboxes, &actor(&sandboxes), "menu").await);
    let later = Version::new(compile(&sandboxes, "actor-later"));
    let verdict = sandboxes.replay(&later, &segment, &unhurried()).await;
    let Verdict::Parts { step: 2, recorded: Some(recorded), now: Some(now), backtrace } = verdict else {
        panic!("{verdict:?}")
    };
    let greeting = |command: Command| match command {
        Command::Gather { options, .. } => options.prompts,
        other => panic!("{other:?}"),
    };
    assert_eq!(greeting(recorded), [Prompt::Recording("actor".into())]);
    assert_eq!(greeting(now), [Prompt::Recording("actor-later".into())]);
    assert!(backtrace.contains("menu"), "{backtrace}");
}

#[tokio::test]
async fn a_run_that_ends_earlier_or_otherwise_is_told() {
    let sandboxes = sandboxes();
    let actor = actor(&sandboxes);
    let mut segment = only(&recorded(&sandboxes, &actor, "menu").await);
    // The dial fails on the edited tape, so the script leaves before the line that was logged.
    segment.steps[4].answer = Answer::Failed(Failure::Busy);
    let verdict = sandboxes.replay(&actor, &segment, &unhurried()).await;
    let Verdict::Parts { step: 5, recorded: Some(Command::Log { .. }), now: None, .. } = verdict else {
        panic!("{verdict:?}")
    };
    segment.steps.truncate(5);
    let (recorded, now) = (Finish::Returned, Finish::Failed(Failure::Busy));
    assert_eq!(
        sandboxes.replay(&actor, &segment, &unhurried()).await,
        Verdict::EndsDifferently { steps: 5, recorded, now }
    );
}

#[tokio::test]
async fn a_run_goes_on_from_any_point_of_its_tape() {
    let sandboxes = sandboxes();
    let actor = actor(&sandboxes);
    let segment = only(&recorded(&sandboxes, &actor, "chance").await);
    for cut in 0..=segment.steps.len() {
        let world = Puppet::obliging();
        let past = segment.steps[..cut].to_vec();
        let run = sandboxes.resume(&actor, segment.start.clone(), past, world.clone(), &unhurried()).await;
        assert_eq!(run.finish, Finish::Returned, "after {cut} steps");
        // Chance goes on where it was: the numbers that remain are those that were drawn.
        let remaining = segment.steps[cut..].iter().map(|step| &step.command);
        let marked = remaining.filter(|command| matches!(command, Command::Tag { .. }));
        assert!(marked.eq(world.asked().iter()), "after {cut} steps");
    }
    let later = Version::new(compile(&sandboxes, "actor-later"));
    let menu = only(&recorded(&sandboxes, &actor, "menu").await);
    let run = sandboxes.resume(&later, menu.start, menu.steps, Puppet::obliging(), &unhurried()).await;
    assert_eq!(trap_kind(&run.finish), Some(TrapKind::Parted));
}

#[tokio::test]
async fn a_resumed_run_continues_its_segment_on_the_tape() {
    let sandboxes = sandboxes();
    let actor = actor(&sandboxes);
    let waiting =
        Puppet::new(|command| (!matches!(command, Command::Bridge { .. })).then(|| oblige(command)));
    let mut parked = Box::pin(run(&sandboxes, &actor, "menu", &waiting));
    until_it_waits(&mut parked).await;
    drop(parked);
    let mut tape = waiting.tape.lock().unwrap().clone();
    let segment = only(&tape);
    assert_eq!((segment.steps.len(), &segment.finish), (6, &None));
    let world = Puppet::obliging();
    let run = sandboxes.resume(&actor, segment.start, segment.steps, world.clone(), &unhurried()).await;
    assert!(matches!(world.asked()[..], [Command::Bridge { .. }]));
    tape.extend_from_slice(&run.tape);
    let segment = only(&tape);
    assert_eq!(segment.steps[6].answer, Answer::BridgeEnded(BridgeEnd::BHungUp));
    assert_eq!(segment.finish.as_ref().unwrap().1, Finish::Returned);
    assert_eq!(sandboxes.replay(&actor, &segment, &unhurried()).await, Verdict::Same { steps: 7 });
}

#[tokio::test]
async fn a_tape_cut_anywhere_gives_what_is_whole() {
    let sandboxes = sandboxes();
    let actor = actor(&sandboxes);
    let first = recorded(&sandboxes, &actor, "hand-over").await;
    let second = recorded(&sandboxes, &actor, "menu").await;
    let both = [first.clone(), second].concat();
    let whole = Tape::read(&both).unwrap();
    assert_eq!((whole.segments.len(), whole.cut), (2, false));
    let mut steps_before = 0;
    for length in 0..both.len() {
        let Ok(tape) = Tape::read(&both[..length]) else {
            assert!(length < first.len() && steps_before == 0);
            continue;
        };
        let steps = tape.segments.iter().map(|segment| segment.steps.len()).sum();
        assert!(steps >= steps_before && steps <= 9);
        steps_before = steps;
        for (read, written) in tape.segments.iter().zip(&whole.segments) {
            assert_eq!(read.start, written.start);
            assert_eq!(read.steps, written.steps[..read.steps.len()]);
        }
        // What is left of a tape can be played.
        if length % 50 == 0 {
            let segment = &tape.segments[0];
            let verdict = sandboxes.replay(&actor, segment, &unhurried()).await;
            assert_eq!(verdict, Verdict::Same { steps: segment.steps.len() });
        }
    }
    assert_eq!(steps_before, 9);
}

#[tokio::test]
async fn what_is_no_tape_is_refused() {
    let sandboxes = sandboxes();
    let mut tape = recorded(&sandboxes, &actor(&sandboxes), "menu").await;
    assert_eq!(Tape::read(b""), Err(Unreadable::NotATape));
    assert_eq!(Tape::read(b"RIFF....WAVE"), Err(Unreadable::NotATape));
    assert_eq!(Tape::read(&vec![0; 17 << 20]), Err(Unreadable::TooLong));
    // Flipped bits give another tape, a shorter one, or none; never a panic.
    for at in 0..tape.len() {
        tape[at] ^= 0x55;
        let _ = Tape::read(&tape);
        tape[at] ^= 0x55;
    }
    tape[5] = 2;
    assert_eq!(Tape::read(&tape), Err(Unreadable::Version(2)));
}
