//! What keeps a telephone whose password was found out from costing much: destinations, and bounds of calls to carriers.

mod support;

use exchange::*;
use support::*;

const MOBILE: &str = "+359888000101";

/// What the event stream says of calls that were held back.
fn held_back(stage: &Scene) -> Vec<String> {
    let notes = stage.effects.iter().filter_map(|effect| match effect {
        Effect::Note(note) if note.kind == "call.held-back" => Some(note.about.clone()),
        _ => None,
    });
    notes.collect()
}

/// A call of ana's that rings a number: its leg at the carrier, and what the script was told.
fn ana_rings(stage: &mut Scene, number: &str) -> (Option<LegKey>, Option<Answer>, Vec<String>) {
    stage.take();
    (stage.call, stage.caller) = stage.arrive_from("ana");
    stage.take();
    stage.command(dial_number(number));
    let held = held_back(stage);
    let (mut leg, mut answer) = (None, None);
    for effect in stage.take() {
        match effect {
            Effect::Signal(key, Signal::Invite(_)) => leg = Some(key),
            Effect::Reply { answer: told, .. } => answer = Some(told),
            _ => {}
        }
    }
    (leg, answer, held)
}

#[test]
fn a_destination_that_is_not_allowed_is_refused_before_any_carrier_hears_of_it() {
    let mut stage = Scene::empty();
    let (leg, answer, held) = ana_rings(&mut stage, "+88213300000");
    assert_eq!((leg, answer), (None, failed(Failure::Refused(403))));
    assert_eq!(held, ["destinations: +88213300000 for ana"]);
}

#[test]
fn a_user_with_all_calls_of_an_hour_is_held_back_others_are_not_and_112_never_is() {
    let mut stage = Scene::empty();
    stage.shop.tolls = TollLimits { user_calls_per_hour: 2, ..TollLimits::default() };
    for _ in 0..2 {
        assert!(ana_rings(&mut stage, MOBILE).0.is_some());
        stage.finish(Finish::Returned);
    }
    let (leg, answer, held) = ana_rings(&mut stage, MOBILE);
    assert_eq!((leg, answer), (None, failed(Failure::Limit("user_calls_per_hour".into()))));
    assert_eq!(held, [format!("user_calls_per_hour: {MOBILE} for ana")]);
    assert!(ana_rings(&mut stage, "112").0.is_some(), "for help one always may");

    let (call, _) = stage.arrive_from("boris");
    stage.call = call;
    stage.take();
    stage.command(dial_number(MOBILE));
    assert_eq!(stage.invited().len(), 1, "boris has not called yet");

    stage.pass(secs(3600));
    assert!(ana_rings(&mut stage, MOBILE).0.is_some(), "an hour later");
}

#[test]
fn a_call_that_talks_all_the_tenants_minutes_keeps_others_back_until_an_hour_after_it() {
    let mut stage = Scene::empty();
    stage.shop.tolls = TollLimits { minutes_per_hour: 10, ..TollLimits::default() };
    let (leg, ..) = ana_rings(&mut stage, MOBILE);
    stage.event(leg.expect("it is rung"), Event::Answered);
    stage.command(Command::Bridge { a: LegNo::CALLER, b: LegNo(1), keys: String::new() });
    let talking = stage.call;
    stage.pass(secs(9 * 60));
    assert!(ana_rings(&mut stage, MOBILE).0.is_some());
    stage.finish(Finish::Returned);
    stage.pass(secs(60));
    assert_eq!(ana_rings(&mut stage, MOBILE).1, failed(Failure::Limit("minutes_per_hour".into())));
    assert!(stage.exchange.calls().any(|call| call.id == talking), "whoever talks goes on");
}

#[test]
fn calls_at_once_count_from_the_first_ring_to_the_end() {
    let mut stage = Scene::empty();
    stage.shop.tolls = TollLimits { calls_at_once: 1, ..TollLimits::default() };
    let (first, ..) = ana_rings(&mut stage, MOBILE);
    let call = stage.call;
    assert_eq!(ana_rings(&mut stage, MOBILE).1, failed(Failure::Limit("calls_at_once".into())));
    stage.call = call;
    stage.event(first.expect("it is rung"), Event::Refused { status: 486, silent: false });
    assert!(ana_rings(&mut stage, MOBILE).0.is_some());
}

#[test]
fn a_carrier_sends_as_many_calls_as_it_may_and_is_sent_as_many() {
    let mut stage = Scene::empty();
    stage.shop.trunks[0].channels_in = 1;
    stage.shop.trunks[0].channels_out = 1;
    (stage.call, stage.caller) = stage.arrive(vec![]);
    stage.take();
    let (_, second) = stage.arrive(vec![]);
    let refusal = Signal::Refuse { status: 503, reason: "Service Unavailable".into() };
    assert_eq!(stage.signals(), [(second, refusal)]);
    stage.command(dial_number(MOBILE));
    assert_eq!(
        stage.invited()[0].1,
        format!("{MOBILE}@first"),
        "what comes in takes nothing of what goes out"
    );
    let (call, _) = stage.arrive_from("ana");
    stage.call = call;
    stage.take();
    stage.command(dial_number(MOBILE));
    assert_eq!(stage.invited()[0].1, format!("{MOBILE}@second"));
}
