//! Ring groups as callers meet them.

use super::*;
use strowger_script::settings::assert_schema;

/// A caller of a group of three: ana, boris, vera.
fn caller() -> Caller {
    Caller::from("+359888123456")
}

#[test]
fn the_first_of_those_who_ring_together_talks_and_the_caller_is_not_answered_before() {
    let call = caller()
        .with_settings(json!({ "places": ["user:ana", "user:boris"] }))
        .user(User::new("ana").answers_after(9.secs()))
        .user(User::new("boris").answers_after(4.secs()))
        .talks_with("boris")
        .hangs_up_after(60.secs())
        .run(on_call);
    assert_eq!(
        call.timeline(),
        [
            "0.0 +359888123456 calls 700",
            "0.0 ana rings",
            "0.0 hears ringing",
            "0.0 boris rings",
            "4.0 boris answers",
            "4.0 ana stops ringing: answered elsewhere",
            "4.0 answered",
            "4.0 talks with boris",
            "64.0 hangs up",
        ]
    );
    assert_eq!(call.record().waited, 4.secs());
    assert_eq!(call.record().answered_by.as_deref(), Some("boris"));
}

#[test]
fn one_by_one_each_rings_alone() {
    caller()
        .with_settings(json!({ "places": ["group:desk"], "order": "one_by_one", "seconds": 10 }))
        .user(User::new("ana").in_group("desk").never_answers())
        .user(User::new("boris").in_group("desk").answers_after(3.secs()).hangs_up_after(20.secs()))
        .hears_ringing()
        .talks_with("boris")
        .is_hung_up()
        .run(on_call)
        .timeline()
        .iter()
        .find(|line| *line == "10.0 ana stops ringing")
        .expect("ana rings for ten seconds and no longer");
}

#[test]
fn a_stage_joins_those_who_ring_already() {
    let call = caller()
        .with_settings(json!({
            "places": ["user:ana"],
            "then": [{ "after": 15, "places": ["tel:+359888000101"] }],
            "seconds": 40,
        }))
        .user(User::new("ana").never_answers())
        .number(Number::new("+359888000101").answers_after(5.secs()))
        .talks_with("+359888000101")
        .hangs_up()
        .run(on_call);
    assert_eq!(call.record().waited, 20.secs());
}

#[test]
fn telephones_then_mobiles_as_well_then_the_heads_for_twenty_seconds_then_voicemail() {
    let call = caller()
        .with_settings(json!({
            "places": ["group:shop"],
            "then": [
                { "after": 15, "places": ["mobiles:shop"] },
                { "after": 30, "places": ["mobile:head"] },
            ],
            "seconds": 50,
            "otherwise": { "hand_over": { "script": "strowger/voicemail", "settings": { "box": "shop" } } },
        }))
        .user(User::new("ana").in_group("shop").mobile("+359888000101").never_answers())
        .user(User::new("boris").in_group("shop").mobile("+359888000102").never_answers())
        .user(User::new("vera").in_group("shop").never_answers())
        .user(User::new("head").mobile("+359888000001").offline())
        .number(Number::new("+359888000101").never_answers())
        .number(Number::new("+359888000102").never_answers())
        .number(Number::new("+359888000001").never_answers())
        .is_handed_over_to("strowger/voicemail")
        .run(on_call);
    let rings: Vec<_> = call.timeline().into_iter().filter(|line| line.ends_with(" rings")).collect();
    assert_eq!(
        rings,
        [
            "0.0 ana rings",
            "0.0 boris rings",
            "0.0 vera rings",
            "15.0 +359888000101 rings",
            "15.0 +359888000102 rings",
            "30.0 +359888000001 rings",
        ]
    );
    assert_eq!(call.length(), 50.secs());
}

#[test]
fn a_stage_begins_early_when_all_before_it_have_failed() {
    let call = caller()
        .with_settings(json!({
            "places": ["user:ana"],
            "then": [{ "after": 15, "places": ["user:boris"] }],
        }))
        .user(User::new("ana").rejects_after(2.secs(), 603))
        .user(User::new("boris").answers_after(1.secs()))
        .talks_with("boris")
        .hangs_up()
        .run(on_call);
    assert_eq!(call.record().waited, 3.secs());
}

#[test]
fn whoever_is_on_a_call_is_passed_over_unless_the_settings_say_so() {
    let settings = json!({ "places": ["user:ana", "user:boris"] });
    caller()
        .with_settings(&settings)
        .user(User::new("ana").busy())
        .user(User::new("boris"))
        .talks_with("boris")
        .hangs_up()
        .run(on_call);
    caller().with_settings(&settings).user(User::new("ana").busy()).is_rejected(486).run(on_call);
}

#[test]
fn a_bare_name_is_a_user() {
    caller()
        .with_settings(json!({ "places": ["ana"] }))
        .user(User::new("ana"))
        .talks_with("ana")
        .hangs_up()
        .run(on_call);
}

#[test]
fn nobody_there_is_said_to_the_caller_by_the_right_status() {
    let settings = json!({ "places": ["user:ana"], "seconds": 10 });
    let rings = |ana: User| caller().with_settings(&settings).user(ana);
    // RFC 3261 §21.4.18 (480) and §21.4.24 (486); a refusal is passed on.
    rings(User::new("ana").never_answers()).is_rejected(480).run(on_call);
    rings(User::new("ana").offline()).is_rejected(480).run(on_call);
    rings(User::new("ana").rejects_after(1.secs(), 486)).is_rejected(486).run(on_call);
    rings(User::new("ana").rejects_after(1.secs(), 603)).is_rejected(603).run(on_call);
    caller().with_settings(json!({ "places": ["group:nobody"] })).is_rejected(480).run(on_call);
    assert_eq!(
        rings(User::new("ana").never_answers()).is_rejected(480).run(on_call).outcome(),
        Outcome::Missed
    );
}

#[test]
fn otherwise_another_script_takes_the_call() {
    let call = caller()
        .with_settings(json!({
            "places": ["group:desk"],
            "otherwise": { "hand_over": { "script": "strowger/voicemail", "settings": { "box": "desk" } } },
        }))
        .is_handed_over_to("strowger/voicemail")
        .run(on_call);
    assert_eq!(call.handed_over(), Some(("strowger/voicemail", json!({ "box": "desk" }))));
}

#[test]
fn a_greeting_answers_and_music_plays_while_it_rings() {
    caller()
        .with_settings(json!({
            "places": ["user:ana"], "greeting": "welcome", "music": "waltz", "otherwise": { "play": "call-later" },
        }))
        .user(User::new("ana").never_answers())
        .is_answered()
        .hears("welcome")
        .hears_music()
        .hears("call-later")
        .is_hung_up()
        .run(on_call);
}

#[test]
fn a_caller_who_leaves_stops_the_ringing_and_nothing_else_happens() {
    let call = caller()
        .with_settings(json!({ "places": ["user:ana"], "otherwise": { "play": "call-later" } }))
        .user(User::new("ana").never_answers())
        .hears_ringing()
        .hangs_up_after(7.secs())
        .run(on_call);
    assert_eq!((call.outcome(), call.length()), (Outcome::Abandoned, 7.secs()));
}

#[test]
fn settings_that_make_no_sense_leave_the_call_to_the_fallback() {
    let call = caller().with_settings(json!({ "places": ["fax:ana"] })).falls_back().run(on_call);
    assert!(call.result().as_ref().unwrap_err().to_string().contains("\"user:\""));
}

#[test]
fn the_schema_beside_the_script_is_that_of_its_settings() {
    assert_schema::<Ring>("settings.schema.json");
}
