//! Calls over a restart: whoever was there is there, whoever waited waits where they stood, and what a script
//! had no answer to when the exchange was killed it asks again.

mod support;

use std::time::Duration;

use exchange::*;
use support::office::*;
use support::*;

/// How long the exchange was gone.
const GONE: Duration = Duration::from_secs(4);

/// What a tape would have of the one run.
#[derive(Default)]
struct Tape(Vec<(Command, Answer)>);

impl Tape {
    fn past(&self) -> Vec<Vec<(&Command, &Answer)>> {
        vec![self.0.iter().map(|(command, answer)| (command, answer)).collect()]
    }
}

impl Scene {
    /// A verb that is answered at once, as it is on the tape then.
    fn done(&mut self, tape: &mut Tape, command: Command) {
        self.command(command.clone());
        let answer = self.answer().expect("an answer at once");
        tape.0.push((command, answer));
    }

    /// Boris is rung and answers.
    fn dials(&mut self, tape: &mut Tape) -> LegKey {
        let command = dial(&[(0, &["boris"])], false);
        self.command(command.clone());
        let (leg, _) = self.invited().remove(0);
        self.event(leg, Event::Answered);
        tape.0.push((command, self.answer().expect("boris has answered")));
        leg
    }

    /// Killed, and started again over what was kept; answers the legs that are up.
    fn restart(&mut self, tape: &Tape) -> Vec<(LegNo, LegKey)> {
        let (kept, _) = self.exchange.kept_call(self.now, self.call).expect("the call is kept");
        let wall = self.exchange.wall(self.now) + GONE.as_secs_f64();
        self.now += GONE;
        self.take();
        self.exchange = Exchange::new(self.now, wall, 8, 1_000);
        let restored =
            self.exchange.restore_call(self.now, kept, &tape.past(), &self.shop, &mut self.effects);
        let legs = restored.expect("the call is taken up");
        self.caller = legs[0].1;
        legs
    }
}

/// Times on the wall clock are as exact as a float is.
#[track_caller]
fn assert_about(length: Duration, expected: Duration) {
    assert!(length.abs_diff(expected) < Duration::from_millis(10), "{length:?}, not {expected:?}");
}

fn kept(effects: &[Effect]) -> bool {
    effects.iter().any(|effect| matches!(effect, Effect::Keep { .. }))
}

fn menu() -> Command {
    let options = Gather {
        prompts: vec![Prompt::Recording("welcome".into())],
        most: 1,
        terminator: None,
        first: secs(5),
        between: secs(2),
    };
    Command::Gather { leg: LegNo::CALLER, options }
}

#[test]
fn a_caller_in_a_menu_hears_it_again_and_the_record_begins_where_the_call_did() {
    let (mut scene, mut tape) = (Scene::with_call(), Tape::default());
    scene.command(Command::Tag { key: "campaign".into(), value: "spring".into() });
    assert!(!kept(&scene.take()), "a call that nobody has answered leaves nothing");
    assert_eq!(scene.exchange.kept_call(scene.now, scene.call), None);
    scene.pass(secs(3));
    scene.command(Command::Answer { leg: LegNo::CALLER });
    assert!(kept(&scene.take()));
    tape.0.push((Command::Answer { leg: LegNo::CALLER }, Answer::Done));
    scene.command(menu());
    scene.pass(secs(2));
    assert!(!kept(&scene.take()), "nothing has changed that its tape does not say");

    let legs = scene.restart(&tape);
    assert_eq!(legs.iter().map(|(no, _)| *no).collect::<Vec<_>>(), [LegNo::CALLER]);
    scene.take();
    scene.command(menu());
    let heard = scene.take().into_iter().find_map(|effect| match effect {
        Effect::Sound(leg, Sound::Play { what, .. }) if leg == scene.caller => Some(what),
        _ => None,
    });
    assert_eq!(heard, Some(vec![Prompt::Recording("welcome".into())]));
    scene.event(scene.caller, Event::Digit('3'));
    let pressed = Answer::Gathered { digits: "3".into(), ended: EndOfDigits::Enough };
    assert_eq!(scene.answer(), Some(pressed));
    scene.event(scene.caller, Event::Ended);
    scene.finish(Finish::HungUp);
    let record = scene.record();
    assert_about(record.wait, secs(3));
    assert_about(record.talk, secs(2) + GONE);
    assert_eq!(record.tags, [("campaign".to_owned(), "spring".to_owned())]);
    assert_eq!(record.legs[0].sip_call_id, "abc");
}

#[test]
fn two_who_talked_talk_again_and_the_carrier_s_channel_is_taken() {
    let (mut scene, mut tape) = (Scene::with_call(), Tape::default());
    let boris = scene.dials(&mut tape);
    let bridge = Command::Bridge { a: LegNo::CALLER, b: LegNo(1), keys: String::new() };
    scene.command(bridge.clone());
    assert!(scene.take().contains(&Effect::Sound(scene.caller, Sound::Relay(boris))));
    scene.pass(secs(20));
    let legs = scene.restart(&tape);
    assert_eq!(legs.len(), 2);
    assert_eq!(scene.exchange.presence("shop", "boris", true), Presence::Busy);
    assert_eq!(scene.exchange.channels("shop", "first"), 1);
    let boris = legs[1].1;
    scene.command(bridge);
    assert!(scene.take().contains(&Effect::Sound(scene.caller, Sound::Relay(boris))));
    scene.pass(secs(10));
    scene.event(boris, Event::Ended);
    assert_eq!(scene.answer(), Some(Answer::BridgeEnded(BridgeEnd::BHungUp)));
    scene.finish(Finish::Returned);
    let record = scene.record();
    assert_about(record.talk, secs(30) + GONE);
    assert_eq!((record.outcome, record.answered_by.as_deref()), (Outcome::Answered, Some("boris")));
    assert_eq!(record.legs.len(), 2);
}

#[test]
fn a_leg_that_the_tape_does_not_know_is_ended_and_the_script_dials_anew() {
    let (mut scene, mut tape) = (Scene::with_call(), Tape::default());
    scene.done(&mut tape, Command::Answer { leg: LegNo::CALLER });
    let mut later = Tape::default();
    scene.dials(&mut later); // killed before its answer was on the tape
    let legs = scene.restart(&tape);
    let boris = legs[1].1;
    let ended = |(leg, signal): &(LegKey, Signal)| *leg == boris && matches!(signal, Signal::HangUp(_));
    assert!(scene.signals().iter().any(ended));
    scene.command(dial(&[(0, &["boris"])], false));
    let (again, _) = scene.invited().remove(0);
    assert_ne!(scene.exchange.leg(again), Some((scene.call, LegNo(1))), "no number is used twice");
}

#[test]
fn a_hand_over_that_was_accepted_takes_place() {
    let (mut scene, mut tape) = (Scene::with_call(), Tape::default());
    scene.done(&mut tape, Command::Answer { leg: LegNo::CALLER });
    let to = Command::HandOver { script: "sales".into(), settings: "{}".into() };
    scene.done(&mut tape, to);
    scene.restart(&tape);
    scene.take();
    scene.finish(Finish::Returned);
    let started = |effect: &Effect| matches!(effect, Effect::Start { script, .. } if script == "sales");
    assert!(scene.take().iter().any(started));
}

#[test]
fn whoever_was_on_hold_hears_music_and_goes_back_to_the_other_one() {
    let (mut scene, mut tape) = (Scene::with_call(), Tape::default());
    scene.dials(&mut tape);
    scene.done(&mut tape, Command::Answer { leg: LegNo::CALLER });
    let hold = Command::Hold { leg: LegNo::CALLER, hears: Prompt::Music("waltz".into()) };
    scene.done(&mut tape, hold);
    scene.restart(&tape);
    let music = |effect: &Effect| {
        matches!(effect, Effect::Sound(leg, Sound::Play { what, looped: true, .. })
            if *leg == scene.caller && *what == [Prompt::Music("waltz".into())])
    };
    let effects = std::mem::take(&mut scene.effects);
    assert!(effects.iter().any(music), "{effects:?}");
}

#[test]
fn a_call_in_its_last_resort_goes_on_talking_or_is_tried_again() {
    for talks in [true, false] {
        let mut scene = Scene::with_fallback(vec![Fallback::Ring(user("boris"))]);
        scene.command(Command::Answer { leg: LegNo::CALLER });
        scene.take();
        scene.finish(Finish::Failed { why: "it trapped".into() });
        let (boris, _) = scene.invited().remove(0);
        if talks {
            scene.event(boris, Event::Answered);
        }
        let legs = scene.restart(&Tape::default());
        if talks {
            let boris = legs[1].1;
            assert!(scene.take().contains(&Effect::Sound(scene.caller, Sound::Relay(boris))));
            scene.event(boris, Event::Ended);
        } else {
            let (boris, to) = scene.invited().remove(0);
            assert_eq!(to, "boris/0");
            scene.event(boris, Event::Refused { status: 603, silent: false });
        }
        let record = scene.record();
        assert_eq!(record.failure.as_deref(), Some("it trapped"));
        assert_eq!(record.outcome, if talks { Outcome::Answered } else { Outcome::Failed });
    }
}

#[test]
fn what_makes_no_sense_is_not_taken_up_and_leaves_nothing() {
    let (mut scene, tape) = (Scene::with_call(), Tape::default());
    scene.command(Command::Answer { leg: LegNo::CALLER });
    let (kept, _) = scene.exchange.kept_call(scene.now, scene.call).expect("the call is kept");
    let known = scene.exchange.restore_call(scene.now, kept.clone(), &tape.past(), &scene.shop, &mut vec![]);
    assert_eq!(known, None, "it is here already");
}

#[test]
fn a_record_of_a_call_that_nobody_takes_up_says_who_talked_and_how_it_ended() {
    let (mut scene, mut tape) = (Scene::with_call(), Tape::default());
    scene.pass(secs(1));
    scene.dials(&mut tape);
    scene.command(Command::Bridge { a: LegNo::CALLER, b: LegNo(1), keys: String::new() });
    scene.pass(secs(20));
    let (kept, _) = scene.exchange.kept_call(scene.now, scene.call).expect("the call is kept");
    let record = kept.into_record(scene.exchange.wall(scene.now), "the exchange stopped");
    assert_about(record.wait, secs(1));
    assert_about(record.talk, secs(20));
    assert_eq!((record.outcome, record.answered_by.as_deref()), (Outcome::Answered, Some("boris")));
    assert_eq!(record.failure.as_deref(), Some("the exchange stopped"));
    assert!(record.legs.iter().all(|leg| leg.ended.is_some() && leg.end == "the exchange stopped"));
}

/// What the caller's script has on its tape while it waits.
fn entered(place: PlaceNo) -> Tape {
    Tape(vec![(enter("sales", 0), Answer::Place { place, resumed: false })])
}

impl Office {
    /// Killed, and started again: these calls are taken up.
    fn restart_with(&mut self, callers: &mut [Caller]) {
        let keep = |caller: &Caller| self.exchange.kept_call(self.now, caller.call).expect("it is kept").0;
        let all: Vec<KeptCall> = callers.iter().map(keep).collect();
        self.restart();
        for (caller, kept) in callers.iter_mut().zip(all) {
            let (tape, mut effects) = (entered(caller.place), vec![]);
            let legs = self.exchange.restore_call(self.now, kept, &tape.past(), &self.house, &mut effects);
            caller.leg = legs.expect("the call is taken up")[0].1;
            self.decide(effects);
            self.command(caller.call, wait(caller.place, ""));
        }
    }
}

#[test]
fn callers_in_line_stand_where_they_stood_and_are_connected() {
    let mut office = Office::new(&["ana"], vec![plan("sales", &["ana"])]);
    office.set_agent("ana", AgentWish::Paused { reason: "lunch".into() }).expect("an agent");
    let mut callers = Vec::new();
    for (number, priority) in [("+359888000001", 0), ("+359888000002", 0), ("+359888000003", 5)] {
        callers.push(office.caller_waits_as("sales", Some(number), priority));
        office.pass(secs(10));
    }
    // In the order in which the journal happens to have them.
    callers.reverse();
    office.restart_with(&mut callers);
    let line = office.queue("sales");
    let numbers: Vec<&str> = line.waiting.iter().map(|caller| caller.number.as_str()).collect();
    assert_eq!(numbers, ["+359888000003", "+359888000001", "+359888000002"]);
    for (caller, seconds) in line.waiting.iter().zip([10, 30, 20]) {
        assert_about(caller.waited, secs(seconds));
    }

    office.set_agent("ana", AgentWish::Available).expect("an agent");
    let rung = office.rung();
    assert_eq!((rung.len(), rung[0].2), (1, callers[0].call), "the first in line is next");
    office.connect(&callers[0], rung[0].1);
    assert_eq!(office.state("ana"), AgentState::Talking);
}
