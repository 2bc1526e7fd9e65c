//! Transfers from a telephone, parking and picking up, as the parties and the scripts see them.

mod support;

use exchange::*;
use support::*;

/// A caller from outside talks with ana: her leg.
fn talking(stage: &mut Scene, verb: fn(LegNo, LegNo, String) -> Command) -> LegKey {
    stage.command(dial(&[(0, &["ana"])], false));
    let ana = stage.invited()[0].0;
    stage.event(ana, Event::Answered);
    let Some(Answer::Leg(leg)) = stage.answer() else { panic!("ana answers") };
    stage.command(verb(LegNo::CALLER, leg.leg, String::new()));
    stage.take();
    ana
}

fn bridge(a: LegNo, b: LegNo, keys: String) -> Command {
    Command::Bridge { a, b, keys }
}

fn talk(a: LegNo, b: LegNo, keys: String) -> Command {
    Command::Talk { a, b, keys }
}

fn blind(to: &str) -> Event {
    Event::Transfer { to: Target::Number(to.into()), with: None }
}

fn with(leg: LegKey) -> Event {
    Event::Transfer { to: Target::Number("102".into()), with: Some(leg) }
}

fn invite_in(effects: &[Effect]) -> LegKey {
    let found = effects.iter().find_map(|effect| match effect {
        Effect::Signal(key, Signal::Invite(_)) => Some(*key),
        _ => None,
    });
    found.expect("someone is rung")
}

fn told(effects: &[Effect], leg: LegKey) -> Vec<Signal> {
    let of = effects.iter().filter_map(|effect| match effect {
        Effect::Signal(key, signal) if *key == leg => Some(signal.clone()),
        _ => None,
    });
    of.collect()
}

fn hears(effects: &[Effect], leg: LegKey) -> Vec<Sound> {
    let of = effects.iter().filter_map(|effect| match effect {
        Effect::Sound(key, sound) if *key == leg => Some(sound.clone()),
        _ => None,
    });
    of.collect()
}

fn music(sounds: &[Sound]) -> bool {
    sounds
        .iter()
        .any(|sound| matches!(sound, Sound::Play { what, .. } if what == &[Prompt::Music("hold".into())]))
}

/// Who talks with whom after these effects.
fn relays(effects: &[Effect]) -> Vec<(LegKey, LegKey)> {
    let relays = effects.iter().filter_map(|effect| match effect {
        Effect::Sound(a, Sound::Relay(b)) => Some((*a, *b)),
        _ => None,
    });
    relays.collect()
}

fn notes(effects: &[Effect]) -> Vec<(&'static str, u32, &str)> {
    let notes = effects.iter().filter_map(|effect| match effect {
        Effect::Note(note) => Some((note.kind, note.leg.0, note.about.as_str())),
        _ => None,
    });
    notes.collect()
}

const BYE: Signal = Signal::HangUp(Cause::Q850(16));

#[test]
fn a_blind_transfer_puts_whoever_answers_in_the_place_of_the_one_who_asked() {
    let mut stage = Scene::with_call();
    let ana = talking(&mut stage, bridge);
    stage.event(ana, blind("102"));
    let effects = stage.take();
    assert_eq!(told(&effects, ana), [Signal::AcceptTransfer]);
    assert!(music(&hears(&effects, stage.caller)), "the caller hears music meanwhile");
    let boris = invite_in(&effects);
    stage.event(boris, Event::Ringing { early_media: true });
    stage.pass(secs(5));
    stage.event(boris, Event::Answered);
    let effects = stage.take();
    assert_eq!(told(&effects, ana), [Signal::ReportTransfer(200), BYE]);
    assert_eq!(relays(&effects), [(stage.caller, boris)]);
    assert!(notes(&effects).contains(&("call.transferred", 1, "boris")), "{:?}", notes(&effects));
    assert!(!effects.iter().any(|effect| matches!(effect, Effect::Reply { .. })), "the bridge goes on");

    // The script's second leg is boris from now on.
    stage.pass(secs(30));
    stage.event(boris, Event::Ended);
    assert_eq!(stage.answer(), Some(Answer::BridgeEnded(BridgeEnd::BHungUp)));
    stage.command(Command::TransferredBy);
    assert_eq!(stage.answer(), Some(Answer::Name(Some("ana".into()))));
    stage.finish(Finish::Returned);
    let record = stage.record();
    let legs: Vec<_> = record.legs.iter().map(|leg| (leg.party.as_str(), leg.end.as_str())).collect();
    assert_eq!(legs, [("+359888123456", "hung up"), ("ana", "transferred"), ("boris", "hung up")]);
    assert_eq!((record.outcome, record.answered_by.as_deref()), (Outcome::Answered, Some("ana")));
}

#[test]
fn when_the_target_does_not_answer_the_one_who_asked_has_the_party_back() {
    let mut stage = Scene::with_call();
    let ana = talking(&mut stage, bridge);
    stage.event(ana, blind("102"));
    let boris = invite_in(&stage.take());
    stage.pass(secs(19));
    assert_eq!(told(&stage.take(), boris), []);
    stage.pass(secs(1));
    let effects = stage.take();
    assert_eq!(told(&effects, boris), [Signal::HangUp(Cause::Q850(19))]);
    assert_eq!(told(&effects, ana), [Signal::ReportTransfer(480)]);
    assert_eq!(relays(&effects), [(stage.caller, ana)], "they talk again");
    // And may try once more, with a refusal this time.
    stage.event(ana, blind("103"));
    let vera = invite_in(&stage.take());
    let other = LegKey(vera.0 + 1);
    stage.event(vera, Event::Refused { status: 486, silent: false });
    stage.event(other, Event::Refused { status: 486, silent: false });
    assert_eq!(told(&stage.take(), ana), [Signal::ReportTransfer(486)]);
    stage.event(stage.caller, Event::Ended);
    assert_eq!(stage.answer(), Some(Answer::BridgeEnded(BridgeEnd::AHungUp)));
    stage.finish(Finish::HungUp);
    stage.record();
}

#[test]
fn when_the_one_who_asked_has_left_too_she_is_rung_and_then_the_script_goes_on() {
    for answers in [true, false] {
        let mut stage = Scene::with_call();
        let ana = talking(&mut stage, bridge);
        stage.event(ana, blind("102"));
        stage.take();
        stage.event(ana, Event::Ended);
        assert_eq!(stage.answer(), None, "the caller waits for boris");
        stage.pass(secs(20));
        let effects = stage.take();
        assert!(notes(&effects).iter().any(|(kind, ..)| *kind == "call.coming-back"));
        let again = invite_in(&effects);
        if answers {
            stage.event(again, Event::Answered);
            assert_eq!(relays(&stage.take()), [(stage.caller, again)]);
            stage.event(again, Event::Ended);
        } else {
            stage.pass(secs(30));
        }
        assert_eq!(stage.answer(), Some(Answer::BridgeEnded(BridgeEnd::BHungUp)));
        stage.command(Command::Play {
            leg: LegNo::CALLER,
            what: vec![Prompt::Text("Sorry".into())],
            cut_by_key: false,
        });
        assert_eq!(stage.answer(), None, "the script may still speak with the caller");
        stage.event(stage.caller, Event::Ended);
        stage.finish(Finish::HungUp);
        let record = stage.record();
        let legs: Vec<_> = record.legs.iter().map(|leg| (leg.leg.0, leg.party.as_str())).collect();
        assert_eq!(legs, [(0, "+359888123456"), (1, "ana"), (2, "boris"), (3, "ana")]);
    }
}

#[test]
fn a_caller_who_transfers_the_called_party_leaves_and_the_call_goes_on() {
    let mut stage = Scene::with_call();
    let ana = talking(&mut stage, bridge);
    // Put a user of the tenant into the caller's place: boris, and let him ask.
    stage.event(ana, blind("102"));
    let boris = invite_in(&stage.take());
    stage.event(boris, Event::Answered);
    stage.event(stage.caller, Event::Transfer { to: Target::Number("103".into()), with: None });
    let refused = stage.take();
    assert!(refused.contains(&Effect::Signal(stage.caller, Signal::RefuseTransfer(403))), "not a user");

    let (second, caller) = stage.arrive_from("vera");
    let first = std::mem::replace(&mut stage.call, second);
    stage.command(dial_number("+359888000101"));
    let outside = stage.invited()[0].0;
    stage.event(outside, Event::Answered);
    stage.command(bridge(LegNo::CALLER, LegNo(1), String::new()));
    stage.take();
    stage.event(caller, blind("101"));
    let ana = invite_in(&stage.take());
    stage.event(caller, Event::Ended);
    assert_eq!(stage.answer(), None);
    stage.event(ana, Event::Answered);
    let effects = stage.take();
    assert_eq!(relays(&effects), [(ana, outside)], "ana has taken the caller's place");
    stage.pass(secs(10));
    stage.event(ana, Event::Ended);
    assert_eq!(stage.answer(), Some(Answer::BridgeEnded(BridgeEnd::AHungUp)));
    stage.finish(Finish::HungUp);
    let over = stage.take().into_iter().find_map(|effect| match effect {
        Effect::Over(record) => Some(record),
        _ => None,
    });
    let record = over.expect("the second call is over");
    assert_eq!(record.from.number, "103", "the record says who called");
    assert_eq!(record.legs[0].party, "vera");
    stage.call = first;
    stage.finish(Finish::Returned);
    stage.record();
}

#[test]
fn whoever_is_being_transferred_may_leave_and_nobody_rings_any_more() {
    let mut stage = Scene::with_call();
    let ana = talking(&mut stage, bridge);
    stage.event(ana, blind("102"));
    let boris = invite_in(&stage.take());
    stage.event(stage.caller, Event::Ended);
    let effects = stage.take();
    assert_eq!(told(&effects, boris), [BYE]);
    assert_eq!(told(&effects, ana), [Signal::ReportTransfer(487)]);
    let replies: Vec<_> = effects.iter().filter(|effect| matches!(effect, Effect::Reply { .. })).collect();
    let left = Effect::Reply { call: stage.call, answer: Answer::BridgeEnded(BridgeEnd::AHungUp) };
    assert_eq!(replies, [&left]);
    stage.finish(Finish::HungUp);
    assert_eq!(stage.record().outcome, Outcome::Answered);
}

#[test]
fn a_telephone_that_holds_while_it_asks_gets_the_party_back_when_it_resumes() {
    let mut stage = Scene::with_call();
    let ana = talking(&mut stage, bridge);
    stage.event(ana, Event::Held);
    assert!(music(&hears(&stage.take(), stage.caller)));
    stage.event(ana, blind("102"));
    assert!(!music(&hears(&stage.take(), stage.caller)), "the music goes on, not from its beginning");
    stage.event(ana, blind("103"));
    assert_eq!(told(&stage.take(), ana), [Signal::RefuseTransfer(491)], "one at a time");
    stage.pass(secs(20));
    let effects = stage.take();
    assert!(relays(&effects).is_empty() && music(&hears(&effects, stage.caller)), "ana still holds");
    stage.event(ana, Event::Resumed);
    assert_eq!(relays(&stage.take()), [(stage.caller, ana)]);
    stage.finish(Finish::Returned);
    stage.record();
}

#[test]
fn a_number_with_a_script_takes_the_party_over_and_so_does_the_way_outside() {
    for (to, script) in [("700", "menu"), ("+359888777", "internal")] {
        let mut stage = Scene::with_call();
        let ana = talking(&mut stage, bridge);
        stage.event(ana, blind(to));
        let effects = stage.take();
        assert_eq!(told(&effects, ana), [Signal::AcceptTransfer, Signal::ReportTransfer(200), BYE]);
        let reply = Effect::Reply { call: stage.call, answer: Answer::Failed(Failure::HungUp) };
        assert!(effects.contains(&reply), "for this script the caller has left");
        stage.command(Command::HangUp { leg: LegNo::CALLER, cause: 16 });
        assert_eq!(stage.answer(), failed(Failure::HungUp), "it can't end what is not its own any more");
        stage.finish(Finish::HungUp);
        let started = stage.take().into_iter().find_map(|effect| match effect {
            Effect::Start { script, caller, .. } => Some((script, caller)),
            _ => None,
        });
        let (name, caller) = started.expect("another script takes the call");
        assert_eq!((name.as_str(), caller.dialled.as_str(), caller.leg), (script, to, LegNo::CALLER));
        stage.command(Command::TransferredBy);
        assert_eq!(stage.answer(), Some(Answer::Name(Some("ana".into()))));
        stage.event(stage.caller, Event::Ended);
        stage.finish(Finish::HungUp);
        assert_eq!(stage.record().dialled, "700", "what was dialled first");
    }
}

#[test]
fn a_party_that_reaches_nobody_where_it_was_sent_rings_at_the_one_who_sent_it() {
    let mut stage = Scene::with_call();
    let ana = talking(&mut stage, bridge);
    stage.event(ana, blind("4711"));
    stage.finish(Finish::HungUp);
    stage.take();
    // The script for calls knows no such number, and would end the call.
    stage.command(Command::HangUp { leg: LegNo::CALLER, cause: 1 });
    let effects = stage.take();
    assert_eq!(told(&effects, stage.caller), []);
    stage.finish(Finish::Returned);
    let effects = stage.take();
    assert!(notes(&effects).contains(&("call.coming-back", 0, "ana")), "{:?}", notes(&effects));
    let again = invite_in(&effects);
    stage.event(again, Event::Answered);
    assert_eq!(relays(&stage.take()), [(stage.caller, again)]);
    stage.event(again, Event::Ended);
    let effects = stage.take();
    assert_eq!(told(&effects, stage.caller), [BYE]);
    assert!(effects.iter().any(|effect| matches!(effect, Effect::Over(_))));
    assert!(stage.exchange.is_empty());
}

#[test]
fn a_number_that_nobody_has_is_told_to_the_telephone_and_they_talk_on() {
    let mut stage = Scene::with_call();
    let ana = talking(&mut stage, bridge);
    stage.event(ana, blind("666"));
    let effects = stage.take();
    assert_eq!(told(&effects, ana), [Signal::AcceptTransfer, Signal::ReportTransfer(404)]);
    assert_eq!(relays(&effects), [(stage.caller, ana)]);
    stage.finish(Finish::Returned);
    stage.record();
}

/// Vera has called boris, and they talk; no other call is up.
fn vera_talks_with_boris() -> (Scene, CallId, LegKey, LegKey) {
    let mut stage = Scene::with_call();
    stage.finish(Finish::Returned);
    stage.take();
    let (call, vera) = stage.arrive_from("vera");
    stage.call = call;
    stage.command(dial(&[(0, &["boris"])], false));
    let boris = stage.invited()[0].0;
    stage.event(boris, Event::Answered);
    stage.command(bridge(LegNo::CALLER, LegNo(1), String::new()));
    stage.take();
    (stage, call, vera, boris)
}

#[test]
fn a_called_party_that_the_caller_transfers_to_a_number_becomes_the_caller_there() {
    let (mut stage, call, vera, boris) = vera_talks_with_boris();
    stage.event(vera, blind("700"));
    let effects = stage.take();
    assert_eq!(told(&effects, vera), [Signal::AcceptTransfer, Signal::ReportTransfer(200), BYE]);
    assert!(effects.contains(&Effect::Moved { leg: boris, call, no: LegNo::CALLER }));
    stage.finish(Finish::HungUp);
    let started = stage.take().into_iter().find_map(|effect| match effect {
        Effect::Start { caller, .. } => Some(caller),
        _ => None,
    });
    assert_eq!(started.expect("the menu takes the call").user.as_deref(), Some("boris"));
    stage.event(boris, Event::Ended);
    stage.finish(Finish::HungUp);
    let record = stage.record();
    let legs: Vec<_> = record.legs.iter().map(|leg| (leg.party.as_str(), leg.end.as_str())).collect();
    assert_eq!(legs, [("vera", "transferred"), ("boris", "hung up")]);
}

/// Ana, who talks with the caller, has called boris and talks with him: the second call, her leg and his.
fn consults(stage: &mut Scene, answered: bool) -> (CallId, LegKey, LegKey) {
    let (second, asking) = stage.arrive_from("ana");
    let first = std::mem::replace(&mut stage.call, second);
    stage.command(dial(&[(0, &["boris"])], false));
    let boris = invite_in(&stage.take());
    if answered {
        stage.event(boris, Event::Answered);
        stage.command(bridge(LegNo::CALLER, LegNo(1), String::new()));
    }
    stage.take();
    stage.call = first;
    (second, asking, boris)
}

#[test]
fn an_attended_transfer_makes_one_call_of_two() {
    let mut stage = Scene::with_call();
    let ana = talking(&mut stage, bridge);
    stage.event(ana, Event::Held);
    let (second, asking, boris) = consults(&mut stage, true);
    stage.event(ana, with(asking));
    let effects = stage.take();
    assert_eq!(told(&effects, ana), [Signal::AcceptTransfer, Signal::ReportTransfer(200), BYE]);
    assert_eq!(told(&effects, asking), [BYE], "both of her calls end");
    assert_eq!(told(&effects, boris), [], "his goes on, in the other call");
    assert_eq!(relays(&effects), [(stage.caller, boris)]);
    let replies: Vec<_> = effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::Reply { call, answer } => Some((*call, answer.clone())),
            _ => None,
        })
        .collect();
    assert_eq!(replies, [(second, Answer::BridgeEnded(BridgeEnd::AHungUp))]);
    let first = std::mem::replace(&mut stage.call, second);
    stage.finish(Finish::HungUp);
    let record = stage.take().into_iter().find_map(|effect| match effect {
        Effect::Over(record) => Some(record),
        _ => None,
    });
    let record = record.expect("the call in which ana asked boris is over");
    let ends: Vec<_> = record.legs.iter().map(|leg| leg.end.as_str()).collect();
    assert_eq!((record.outcome, ends), (Outcome::Answered, vec!["transferred", "transferred"]));

    stage.call = first;
    stage.pass(secs(60));
    stage.event(boris, Event::Ended);
    assert_eq!(stage.answer(), Some(Answer::BridgeEnded(BridgeEnd::BHungUp)));
    stage.finish(Finish::Returned);
    let record = stage.record();
    let legs: Vec<_> = record.legs.iter().map(|leg| (leg.party.as_str(), leg.end.as_str())).collect();
    assert_eq!(legs, [("+359888123456", "hung up"), ("ana", "transferred"), ("boris", "hung up")]);
}

#[test]
fn an_attended_transfer_before_the_target_answers_rings_it_for_the_party() {
    let mut stage = Scene::with_call();
    let ana = talking(&mut stage, bridge);
    let (second, asking, boris) = consults(&mut stage, false);
    stage.event(ana, with(asking));
    let effects = stage.take();
    assert_eq!(told(&effects, boris), [BYE]);
    let again = invite_in(&effects);
    assert_eq!(told(&effects, ana), [Signal::AcceptTransfer], "she hears how it went when he answers");
    stage.event(again, Event::Answered);
    assert_eq!(relays(&stage.take()), [(stage.caller, again)]);
    let first = std::mem::replace(&mut stage.call, second);
    stage.finish(Finish::HungUp);
    stage.call = first;
    stage.finish(Finish::Returned);
    stage.take();
    assert!(stage.exchange.is_empty());
}

#[test]
fn an_attended_transfer_with_a_call_that_is_gone_fails_and_they_talk_on() {
    let mut stage = Scene::with_call();
    let ana = talking(&mut stage, bridge);
    stage.event(ana, with(LegKey(4711)));
    let effects = stage.take();
    assert_eq!(told(&effects, ana), [Signal::AcceptTransfer, Signal::ReportTransfer(481)]);
    assert_eq!(relays(&effects), [(stage.caller, ana)]);
    // Its own conversation is no other call either.
    stage.event(ana, with(ana));
    assert_eq!(told(&stage.take(), ana), [Signal::AcceptTransfer, Signal::ReportTransfer(481)]);
    stage.finish(Finish::Returned);
    stage.record();
}

#[test]
fn a_script_that_talks_decides_about_transfers() {
    let mut stage = Scene::with_call();
    let ana = talking(&mut stage, talk);
    stage.event(ana, blind("102"));
    let wish = Transfer { by: LegNo(1), to: user("boris"), attended: false };
    assert_eq!(stage.answer(), Some(Answer::BridgeEnded(BridgeEnd::Transfer(Box::new(wish)))));
    stage.command(Command::RefuseTransfer { status: 603 });
    let effects = stage.take();
    assert_eq!(told(&effects, ana), [Signal::ReportTransfer(603)]);
    stage.command(talk(LegNo::CALLER, LegNo(1), String::new()));
    assert_eq!(relays(&stage.take()), [(stage.caller, ana)]);

    // It sends the next one elsewhere, and when nobody is there, to another one still.
    stage.event(ana, blind("102"));
    stage.take();
    stage.command(Command::CarryOut { to: Some(user("goran")), ring: secs(10) });
    assert_eq!(stage.answer(), failed(Failure::Unreachable));
    stage.command(Command::CarryOut { to: Some(user("vera")), ring: secs(10) });
    let vera = invite_in(&stage.take());
    stage.event(ana, Event::Ended);
    stage.event(vera, Event::Answered);
    assert_eq!(stage.answer(), Some(Answer::Done));
    stage.command(talk(LegNo::CALLER, LegNo(1), String::new()));
    assert_eq!(relays(&stage.take()), [(stage.caller, vera)], "the second leg is vera now");
    stage.command(Command::CarryOut { to: None, ring: secs(10) });
    assert_eq!(stage.answer(), failed(Failure::Other("another verb is under way".into())));
    stage.event(vera, Event::Ended);
    assert_eq!(stage.answer(), Some(Answer::BridgeEnded(BridgeEnd::BHungUp)));
    stage.command(Command::CarryOut { to: None, ring: secs(10) });
    assert_eq!(stage.answer(), failed(Failure::Invalid("no transfer is asked for".into())));
    stage.finish(Finish::Returned);
    stage.record();
}

#[test]
fn a_script_decides_about_an_attended_transfer_as_well() {
    let mut stage = Scene::with_call();
    let ana = talking(&mut stage, talk);
    let (second, asking, boris) = consults(&mut stage, true);
    stage.event(ana, with(asking));
    stage.take();
    stage.command(Command::CarryOut { to: None, ring: secs(20) });
    let effects = stage.take();
    assert!(effects.contains(&Effect::Reply { call: stage.call, answer: Answer::Done }));
    assert_eq!(told(&effects, ana), [Signal::ReportTransfer(200), BYE]);
    stage.command(talk(LegNo::CALLER, LegNo(1), String::new()));
    assert_eq!(relays(&stage.take()), [(stage.caller, boris)]);
    let first = std::mem::replace(&mut stage.call, second);
    stage.finish(Finish::HungUp);
    stage.call = first;
    stage.finish(Finish::Returned);
    stage.take();
    assert!(stage.exchange.is_empty());
}

fn park(slot: &str) -> Command {
    Command::Park {
        leg: LegNo::CALLER,
        slot: slot.into(),
        most: secs(60),
        hears: Prompt::Music("hold".into()),
    }
}

#[test]
fn a_parked_caller_hears_music_until_someone_retrieves() {
    let mut stage = Scene::with_call();
    stage.command(park("71"));
    let effects = stage.take();
    assert_eq!(told(&effects, stage.caller), [Signal::Answer]);
    assert!(music(&hears(&effects, stage.caller)));
    assert!(notes(&effects).contains(&("call.parked", 0, "71")));
    let parked = stage.call;

    let (second, boris) = stage.arrive_from("boris");
    stage.call = second;
    stage.command(park("71"));
    assert_eq!(stage.answer(), failed(Failure::Busy), "one at a time");
    stage.command(Command::Retrieve { slot: "72".into() });
    assert_eq!(stage.answer(), failed(Failure::NotFound("72".into())));
    stage.pass(secs(30));
    stage.command(Command::Retrieve { slot: "71".into() });
    let effects = stage.take();
    assert_eq!(told(&effects, boris), [Signal::Answer]);
    let replies: Vec<_> = effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::Reply { call, answer } => Some((*call, answer.clone())),
            _ => None,
        })
        .collect();
    assert_eq!(replies[0], (second, Answer::Failed(Failure::HungUp)), "its caller has gone over");
    let (call, Answer::Leg(leg)) = &replies[1] else { panic!("{replies:?}") };
    assert_eq!((*call, leg.user.as_deref()), (parked, Some("boris")));
    stage.finish(Finish::HungUp);
    let over = stage.take().into_iter().find_map(|effect| match effect {
        Effect::Over(record) => Some(record),
        _ => None,
    });
    assert_eq!(over.expect("boris' own call is over").outcome, Outcome::Answered);

    stage.call = parked;
    stage.command(bridge(LegNo::CALLER, leg.leg, String::new()));
    assert_eq!(relays(&stage.take()), [(stage.caller, boris)]);
    stage.event(boris, Event::Ended);
    assert_eq!(stage.answer(), Some(Answer::BridgeEnded(BridgeEnd::BHungUp)));
    stage.finish(Finish::Returned);
    assert_eq!(stage.record().answered_by.as_deref(), Some("boris"));
}

#[test]
fn a_parked_caller_whom_nobody_retrieves_comes_back_to_the_script() {
    let mut stage = Scene::with_call();
    stage.command(park("71"));
    stage.take();
    stage.pass(secs(59));
    assert_eq!(stage.answer(), None);
    stage.pass(secs(1));
    assert_eq!(stage.answer(), failed(Failure::NoAnswer));
    stage.command(park("71"));
    stage.take();
    stage.event(stage.caller, Event::Ended);
    assert_eq!(stage.answer(), failed(Failure::HungUp));
    stage.finish(Finish::HungUp);
    stage.record();
}

#[test]
fn a_ringing_telephone_is_picked_up_by_another_and_the_dial_is_won() {
    let mut stage = Scene::with_call();
    stage.command(dial(&[(0, &["ana", "boris"])], false));
    let rung = stage.invited();
    let first = stage.call;
    let (second, vera) = stage.arrive_from("vera");
    stage.call = second;
    stage.command(Command::PickUp { user: "goran".into() });
    assert_eq!(stage.answer(), failed(Failure::NotFound("goran".into())));
    stage.command(Command::PickUp { user: "boris".into() });
    let effects = stage.take();
    for (key, _) in &rung {
        assert_eq!(told(&effects, *key), [Signal::HangUp(Cause::AnsweredElsewhere)]);
    }
    let leg = effects.iter().find_map(|effect| match effect {
        Effect::Reply { call, answer: Answer::Leg(leg) } if *call == first => Some(leg.clone()),
        _ => None,
    });
    let leg = leg.expect("the dial is won");
    assert_eq!(leg.user.as_deref(), Some("vera"));
    assert!(notes(&effects).contains(&("call.picked-up", 3, "vera")));
    stage.finish(Finish::HungUp);
    stage.call = first;
    stage.command(bridge(LegNo::CALLER, leg.leg, String::new()));
    assert_eq!(relays(&stage.take()), [(stage.caller, vera)]);
    stage.event(vera, Event::Ended);
    stage.finish(Finish::Returned);
    assert_eq!(stage.record().answered_by.as_deref(), Some("vera"));
}

#[test]
fn a_call_whose_caller_left_for_a_transfer_can_be_ended_from_outside() {
    let (mut stage, call, vera, boris) = vera_talks_with_boris();
    stage.event(vera, blind("101"));
    stage.event(vera, Event::Ended);
    stage.take();
    assert!(stage.exchange.hang_up(stage.now, call, &stage.shop, &mut stage.effects));
    let effects = stage.take();
    assert_eq!(told(&effects, boris), [BYE]);
    stage.finish(Finish::HungUp);
    stage.record();
}

/// A telephone of boris' that is to take the place of a leg.
fn comes_for(stage: &mut Scene, place: LegKey) -> Result<(CallId, LegKey), Failure> {
    let arrival = Arrival {
        tenant: "shop".into(),
        from: Party { number: "102".into(), name: Some("boris".into()), uri: "sip:boris".into() },
        dialled: "101".into(),
        direction: Direction::Internal,
        user: Some("boris".into()),
        trunk: None,
        headers: Default::default(),
        language: "en".into(),
        sip_call_id: "ghi".into(),
        route: Route { script: "internal".into(), settings: "{}".into(), fallback: vec![], source: None },
    };
    stage.exchange.arrive_in_place(stage.now, arrival, place, &stage.shop, &mut stage.effects)
}

#[test]
fn rfc3891_a_telephone_that_comes_for_one_that_rings_has_the_call() {
    let mut stage = Scene::with_call();
    stage.command(dial(&[(0, &["ana", "vera"])], false));
    let rung = stage.invited();
    let (picked, boris) = comes_for(&mut stage, rung[0].0).expect("it rings");
    let effects = stage.take();
    assert_eq!(told(&effects, boris), [Signal::Answer]);
    for (leg, _) in &rung {
        assert_eq!(told(&effects, *leg), [Signal::HangUp(Cause::AnsweredElsewhere)]);
    }
    let over: Vec<_> = effects.iter().filter(|effect| matches!(effect, Effect::Over(_))).collect();
    assert!(matches!(&over[..], [Effect::Over(record)] if record.id == picked), "{over:?}");
    let Some(Effect::Reply { answer: Answer::Leg(leg), .. }) =
        effects.iter().find(|effect| matches!(effect, Effect::Reply { .. }))
    else {
        panic!("{effects:?}")
    };
    assert_eq!(leg.user.as_deref(), Some("boris"), "the script's dial is won by whoever came");
    stage.command(Command::Bridge { a: LegNo::CALLER, b: leg.leg, keys: String::new() });
    stage.take();
    stage.event(boris, Event::Ended);
    assert_eq!(stage.answer(), Some(Answer::BridgeEnded(BridgeEnd::BHungUp)));
    stage.finish(Finish::Returned);
    stage.record();
}

#[test]
fn rfc3891_a_telephone_that_comes_for_one_that_talks_goes_on_with_the_other() {
    for caller in [false, true] {
        let mut stage = Scene::with_call();
        let ana = talking(&mut stage, bridge);
        let (place, stays) = if caller { (stage.caller, ana) } else { (ana, stage.caller) };
        let (_, boris) = comes_for(&mut stage, place).expect("it talks");
        let effects = stage.take();
        assert_eq!(told(&effects, place), [BYE], "RFC 3891 §3: the replaced one is ended");
        assert_eq!(told(&effects, stays), []);
        let pairs = relays(&effects);
        assert!(pairs == [(stays, boris)] || pairs == [(boris, stays)], "{pairs:?}");
        assert!(notes(&effects).iter().any(|(kind, ..)| *kind == "call.replaced"));
        assert!(!effects.iter().any(|effect| matches!(effect, Effect::Reply { .. })), "the bridge goes on");
        stage.event(boris, Event::Ended);
        let end = if caller { BridgeEnd::AHungUp } else { BridgeEnd::BHungUp };
        assert_eq!(stage.answer(), Some(Answer::BridgeEnded(end)));
        stage.finish(if caller { Finish::HungUp } else { Finish::Returned });
        stage.record();
    }
}

#[test]
fn rfc3891_nobody_takes_a_place_that_is_no_conversation_or_another_tenants() {
    let mut stage = Scene::with_call();
    let nobody = Err(Failure::NotFound("leg".into()));
    let caller = stage.caller;
    assert_eq!(comes_for(&mut stage, caller), nobody, "it talks with a script");
    assert_eq!(comes_for(&mut stage, LegKey(999)), nobody);
    let ana = talking(&mut stage, bridge);
    stage.event(ana, blind("103"));
    assert_eq!(comes_for(&mut stage, ana), nobody, "it is being transferred");
}
