//! Menus as callers meet them.

use super::*;
use strowger_script::settings::assert_schema;

fn shop() -> Value {
    json!({
        "language": "bg",
        "greeting": ["welcome"],
        "menu": {
            "prompts": ["for-sales-press-1", "for-help-press-2"],
            "choices": {
                "1": { "ring": { "places": ["group:sales"], "seconds": 20, "nobody": "all-are-busy" } },
                "2": { "menu": {
                    "prompts": ["help-menu"],
                    "choices": {
                        "1": { "play": "opening-hours" },
                        "2": { "hand_over": { "script": "strowger/ring", "settings": { "places": ["user:vera"] } } },
                        "*": "back",
                    },
                } },
                "9": { "language": "en" },
                "0": "hang_up",
            },
            "wrong_key": "no-such-choice",
            "no_key": "please-choose",
        },
    })
}

fn caller() -> Caller {
    Caller::from("+359888123456").with_settings(shop())
}

#[test]
fn a_key_rings_and_whoever_answers_talks_with_the_caller() {
    let call = caller()
        .user(User::new("ana").in_group("sales").answers_after(5.secs()))
        .is_answered()
        .hears("welcome")
        .hears("for-sales-press-1")
        .presses('1')
        .hears_ringing()
        .talks_with("ana")
        .hangs_up_after(60.secs())
        .run(on_call);
    assert_eq!(call.outcome(), Outcome::Answered);
    assert_eq!((call.tag("menu"), call.language()), (Some("1"), "bg"));
}

#[test]
fn whoever_knows_the_menu_presses_ahead_and_hears_none_of_it() {
    let call = caller()
        .user(User::new("ana").in_group("sales"))
        .is_answered()
        .presses('1')
        .talks_with("ana")
        .hangs_up()
        .run(on_call);
    assert!(!call.timeline().iter().any(|line| line.contains("for-sales")));
}

#[test]
fn when_nobody_answers_the_menu_is_asked_again() {
    caller()
        .user(User::new("ana").in_group("sales").never_answers())
        .hears("for-sales-press-1")
        .presses('1')
        .hears("all-are-busy")
        .hears("for-sales-press-1")
        .presses('0')
        .is_hung_up()
        .run(on_call);
}

#[test]
fn a_group_without_members_is_nobody() {
    caller().hears("welcome").presses('1').hears("all-are-busy").hangs_up().run(on_call);
}

#[test]
fn sub_menus_open_and_lead_back() {
    caller()
        .hears("for-help-press-2")
        .presses('2')
        .hears("help-menu")
        .presses('1')
        .hears("opening-hours")
        .hears("help-menu")
        .presses('*')
        .hears("for-sales-press-1")
        .presses("22")
        .is_handed_over_to("strowger/ring")
        .run(on_call);
}

#[test]
fn a_wrong_key_and_silence_are_asked_again_three_times_in_all() {
    let call = caller()
        .hears("for-help-press-2")
        .presses('7')
        .hears("no-such-choice")
        .hears("for-help-press-2")
        .hears("please-choose")
        .hears("for-help-press-2")
        .is_hung_up()
        .run(on_call);
    // Welcome (3 s) and the first prompt (3 s), the wrong key 1 s into the second; three prompts (9 s) and 6 s of
    // waiting; the same again.
    assert_eq!(call.length(), (7 + 15 + 15).secs());
}

#[test]
fn asked_often_enough_it_does_what_is_set_for_that() {
    let mut settings = shop();
    settings["menu"]["retries"] = json!(0);
    settings["menu"]["otherwise"] = json!({ "hand_over": { "script": "operator" } });
    caller().with_settings(settings).hears("welcome").is_handed_over_to("operator").run(on_call);
}

#[test]
fn the_language_changes_for_the_prompts_that_follow() {
    let call = caller().hears("welcome").presses('9').hears("for-sales-press-1").hangs_up().run(on_call);
    assert_eq!(call.language(), "en");
}

#[test]
fn choices_of_several_keys_end_with_the_terminator_or_a_pause() {
    let settings = json!({ "menu": {
        "prompts": ["which-room"],
        "choices": { "1": { "play": "room-1" }, "12": { "play": "room-12" } },
    } });
    let asked = |keys: &str, room: &str| {
        let call = caller()
            .with_settings(&settings)
            .hears("which-room")
            .presses(keys)
            .hears(room)
            .hangs_up()
            .run(on_call);
        call.length()
    };
    assert_eq!(asked("12", "room-12"), 1500.ms());
    assert_eq!(asked("1#", "room-1"), 1500.ms());
    assert_eq!(asked("1", "room-1"), 4000.ms());
}

#[test]
fn the_schema_beside_the_script_is_that_of_its_settings() {
    assert_schema::<Settings>("settings.schema.json");
}
