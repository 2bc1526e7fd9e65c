//! Calls that the exchange begins: whoever answers is the caller, and the script sees no difference.

mod support;

use exchange::*;
use support::*;

fn origin(ring: Vec<Target>) -> Origin {
    Origin {
        tenant: "shop".into(),
        ring,
        timeout: secs(20),
        present: Party { number: "+359888123456".into(), name: None, uri: "tel:+359888123456".into() },
        dialled: "+359888123456".into(),
        language: "en".into(),
        route: Route {
            script: "strowger/internal".into(),
            settings: "{}".into(),
            fallback: vec![],
            source: None,
        },
        token: Some(7),
    }
}

/// Vera's two phones and a shop without any call yet.
fn ringing(ring: Vec<Target>) -> (Scene, Vec<(LegKey, String)>) {
    let mut stage = Scene::empty();
    stage.call = stage.exchange.originate(stage.now, origin(ring), &stage.shop, &mut stage.effects).unwrap();
    let shown = stage.effects.iter().filter_map(|effect| match effect {
        Effect::Signal(_, Signal::Invite(invite)) => Some(invite.present.number.clone()),
        _ => None,
    });
    assert!(shown.clone().all(|number| number == "+359888123456"), "the other side is shown");
    let rung = stage.invited();
    (stage, rung)
}

#[test]
fn the_phone_that_answers_becomes_the_caller_and_the_script_runs_for_it() {
    let (mut stage, rung) = ringing(vec![user("vera")]);
    assert_eq!(rung.iter().map(|(_, to)| to.as_str()).collect::<Vec<_>>(), ["vera/0", "vera/1"]);
    stage.exchange.set_sip_call_id(rung[1].0, "second phone");
    stage.event(rung[1].0, Event::Ringing { early_media: true });
    assert_eq!(stage.signals(), [], "nobody is there to hear it ring");
    stage.pass(secs(5));
    stage.event(rung[1].0, Event::Answered);
    let effects = stage.take();
    let moved = Effect::Moved { leg: rung[1].0, call: stage.call, no: LegNo::CALLER };
    assert!(effects.contains(&moved), "signalling and sound know it as the caller");
    assert!(effects.contains(&Effect::Signal(rung[0].0, Signal::HangUp(Cause::AnsweredElsewhere))));
    let started = effects.iter().find_map(|effect| match effect {
        Effect::Start { script, caller, .. } => Some((script.as_str(), caller)),
        _ => None,
    });
    let (script, caller) = started.expect("a script begins");
    assert_eq!(script, "strowger/internal");
    assert_eq!((caller.leg, caller.direction), (LegNo::CALLER, Direction::Outbound));
    assert_eq!((caller.user.as_deref(), caller.dialled.as_str()), (Some("vera"), "+359888123456"));
    assert_eq!(caller.party.number, "103", "the one who is shown to whoever is dialled next");
    assert_eq!(stage.exchange.leg(rung[1].0), Some((stage.call, LegNo::CALLER)));
    assert_eq!(stage.exchange.sip_call_id_of_caller(stage.call), Some("second phone"));
    assert_eq!(stage.exchange.presence("shop", "vera", true), Presence::Busy);

    // A second answer that crossed the cancel reaches nobody, and does not end the caller's leg.
    stage.event(rung[0].0, Event::Answered);
    stage.event(rung[0].0, Event::Ended);
    assert_eq!(stage.take(), []);

    stage.command(dial_number("+359888123456"));
    let called = stage.invited();
    assert_eq!(called[0].1, "+359888123456@first");
    let (_, number) = stage.exchange.leg(called[0].0).unwrap();
    assert_eq!(number, LegNo(3), "no number of a leg is used twice: SIP Call-IDs are made of them");
    stage.event(called[0].0, Event::Ringing { early_media: false });
    let ringback = Effect::Sound(rung[1].0, Sound::Ringback);
    assert!(stage.take().contains(&ringback), "who has answered hears the ringing tone");
    stage.event(called[0].0, Event::Answered);
    stage.take();
    stage.command(Command::Bridge { a: LegNo::CALLER, b: LegNo(3), keys: String::new() });
    stage.pass(secs(60));
    stage.event(rung[1].0, Event::Ended);
    stage.finish(Finish::HungUp);
    let record = stage.record();
    assert_eq!((record.direction, record.outcome), (Direction::Outbound, Outcome::Answered));
    assert_eq!((record.from.number.as_str(), record.dialled.as_str()), ("103", "+359888123456"));
    assert_eq!(record.answered_by.as_deref(), Some("+359888123456"));
    let legs: Vec<(u32, &str, &str)> =
        record.legs.iter().map(|leg| (leg.leg.0, leg.party.as_str(), leg.end.as_str())).collect();
    assert_eq!(
        legs,
        [(0, "vera", "hung up"), (1, "vera", "answered elsewhere"), (3, "+359888123456", "hung up")]
    );
    assert_eq!(record.legs[0].sip_call_id, "second phone");
}

#[test]
fn nobody_answers_and_whoever_asked_is_told_before_a_record_of_a_missed_call() {
    let (mut stage, rung) = ringing(vec![user("ana")]);
    stage.pass(secs(20));
    let effects = stage.effects.clone();
    assert!(effects.contains(&Effect::Signal(rung[0].0, Signal::HangUp(Cause::Q850(19)))));
    let failed = Effect::OriginFailed { call: stage.call, token: Some(7), why: Failure::NoAnswer };
    let told = effects.iter().position(|effect| *effect == failed).expect("it is told");
    let over = effects.iter().position(|effect| matches!(effect, Effect::Over(_))).expect("it is over");
    assert!(told < over);
    let record = stage.record();
    assert_eq!((record.outcome, record.wait), (Outcome::Missed, secs(20)));
    assert_eq!((record.from.number.as_str(), record.answered), ("101", None));
    assert_eq!(record.legs.len(), 1, "the phone that rang, and nobody who never was");
    assert_eq!(stage.exchange.presence("shop", "ana", true), Presence::Free);
}

#[test]
fn a_number_is_rung_through_the_next_carrier_when_the_first_fails() {
    let (mut stage, rung) = ringing(vec![Target::Number("+359888000101".into())]);
    assert_eq!(rung[0].1, "+359888000101@first");
    stage.event(rung[0].0, Event::Refused { status: 503, silent: false });
    let second = stage.invited();
    assert_eq!(second[0].1, "+359888000101@second");
    stage.event(second[0].0, Event::Answered);
    let started = stage.take().iter().any(|effect| matches!(effect, Effect::Start { .. }));
    assert!(started);
    assert_eq!(stage.exchange.channels("shop", "second"), 1);
    assert_eq!(stage.exchange.channels("shop", "first"), 0);
    stage.finish(Finish::Returned);
    let record = stage.record();
    assert_eq!(record.outcome, Outcome::Answered, "a script spoke with whoever was rung");
}

#[test]
fn nobody_to_ring_ends_at_once_and_limits_count_calls_of_either_kind() {
    let mut stage = Scene::empty();
    let nobody = origin(vec![user("goran")]);
    stage.exchange.originate(stage.now, nobody, &stage.shop, &mut stage.effects).unwrap();
    assert_eq!(stage.record().outcome, Outcome::Missed, "no phone of goran's is registered");

    stage.shop.limits.concurrent_calls = 1;
    let one = origin(vec![user("ana")]);
    stage.exchange.originate(stage.now, one.clone(), &stage.shop, &mut stage.effects).unwrap();
    let refused = stage.exchange.originate(stage.now, one, &stage.shop, &mut stage.effects);
    assert_eq!(refused, Err(Failure::Limit("concurrent_calls".into())));
}

#[test]
fn hanging_the_call_up_stops_the_phones_that_ring_for_a_caller() {
    let (mut stage, rung) = ringing(vec![user("ana"), user("boris")]);
    assert!(stage.exchange.hang_up(stage.now, stage.call, &stage.shop, &mut stage.effects));
    let signals = stage.effects.clone();
    for (key, _) in rung {
        assert!(
            signals
                .iter()
                .any(|effect| matches!(effect, Effect::Signal(leg, Signal::HangUp(_)) if *leg == key))
        );
    }
    assert_eq!(stage.record().outcome, Outcome::Missed);
}
