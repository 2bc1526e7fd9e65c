//! Calls of users as they meet them.

use super::*;
use strowger_script::settings::assert_schema;

/// Ana, 101, calls.
fn ana_calls(number: &str) -> Caller {
    Caller::from("101").user(User::new("ana").number("101")).calls(number)
}

fn boris() -> User {
    User::new("boris").number("102")
}

#[test]
fn a_user_calls_another_by_extension_and_is_answered_when_they_answer() {
    let call = ana_calls("102")
        .user(boris().answers_after(5.secs()))
        .talks_with("boris")
        .hangs_up_after(30.secs())
        .run(on_call);
    assert_eq!(
        call.timeline(),
        [
            "0.0 101 calls 102",
            "0.0 boris rings",
            "0.0 hears ringing",
            "5.0 boris answers",
            "5.0 answered",
            "5.0 talks with boris",
            "35.0 hangs up",
        ]
    );
}

#[test]
fn why_a_call_did_not_come_about_is_its_sip_status() {
    ana_calls("102").user(boris().never_answers()).is_rejected(480).run(on_call);
    ana_calls("102").user(boris().offline()).is_rejected(480).run(on_call);
    ana_calls("102").user(boris().rejects_after(1.secs(), 486)).is_rejected(486).run(on_call);
    ana_calls("102").user(boris().rejects_after(1.secs(), 603)).is_rejected(603).run(on_call);
    ana_calls("vera").is_rejected(404).run(on_call);
    ana_calls("12").is_rejected(404).run(on_call);
    ana_calls("101").is_rejected(486).run(on_call);
}

#[test]
fn without_call_waiting_a_user_on_a_call_is_busy_without_ringing() {
    ana_calls("102")
        .with_settings(json!({ "call_waiting": false }))
        .user(boris().busy())
        .is_rejected(486)
        .run(on_call);
}

#[test]
fn a_prefix_before_an_extension_takes_the_call_that_rings_there() {
    let plan = |dialled: &str| {
        ana_calls(dialled).with_settings(json!({ "pick_up_prefix": "**" })).user(boris().ringing())
    };
    plan("**102").talks_with("whoever calls boris").hangs_up_after(5.secs()).run(on_call);
    plan("**103").is_rejected(404).run(on_call);
    plan("**101").is_rejected(404).run(on_call);
}

#[test]
fn numbers_outside_are_written_as_trunks_want_them() {
    let dials = |dialled: &str, settings: Value, number: &str| {
        ana_calls(dialled)
            .with_settings(settings)
            .number(Number::new(number))
            .talks_with(number)
            .hangs_up()
            .run(on_call);
    };
    dials("+35921234567", json!({}), "+35921234567");
    dials("00359 2 123-45-67", json!({}), "+35921234567");
    dials("02 123 4567", json!({ "country": "+359" }), "+35921234567");
    dials("021234567", json!({}), "021234567");
    dials("9021234567", json!({ "country": "+359", "outside_prefix": "9" }), "+35921234567");
}

#[test]
fn the_outside_can_be_closed_or_behind_a_prefix() {
    ana_calls("+35921234567").with_settings(json!({ "outside": false })).is_rejected(404).run(on_call);
    ana_calls("021234567").with_settings(json!({ "outside_prefix": "9" })).is_rejected(404).run(on_call);
    // No trunk reaches it.
    ana_calls("+35921234567").is_rejected(480).run(on_call);
}

#[test]
fn a_user_who_does_not_answer_can_have_a_voicemail() {
    let otherwise = json!({ "otherwise": { "hand_over": { "script": "strowger/voicemail" } } });
    ana_calls("102")
        .with_settings(otherwise)
        .user(boris().never_answers())
        .is_handed_over_to("strowger/voicemail")
        .run(on_call);
}

#[test]
fn the_schema_beside_the_script_is_that_of_its_settings() {
    assert_schema::<Internal>("settings.schema.json");
}
