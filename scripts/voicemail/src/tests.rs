//! Messages, and callers who leave none.

use super::*;
use strowger_script::settings::assert_schema;
use strowger_script::text;

fn caller() -> Caller {
    Caller::from("+359888123456")
}

fn beep() -> Prompt {
    tone(BEEP.0, BEEP.1.ms())
}

fn words(say: &[Say], language: &str) -> Prompt {
    say[0].in_language(language)
}

#[test]
fn without_any_settings_a_message_is_taken_and_a_call_back_promised() {
    let call = caller()
        .is_answered()
        .hears(words(&greeting(), "en"))
        .hears(beep())
        .speaks_for(10.secs())
        .hears(words(&promise(), "en"))
        .is_hung_up()
        .run(on_call);
    assert_eq!((call.outcome(), call.tag("box")), (Outcome::Voicemail, Some("office")));
    assert_eq!(call.record().recordings.len(), 1);
}

#[test]
fn the_caller_is_spoken_to_in_the_language_chosen_before() {
    caller().in_language("bg").hears(words(&greeting(), "bg")).hangs_up().run(on_call);
    caller()
        .with_settings(json!({ "language": "ru" }))
        .hears(words(&greeting(), "ru"))
        .hangs_up()
        .run(on_call);
}

#[test]
fn a_key_cuts_the_greeting_and_another_ends_the_message() {
    let call = caller()
        .prompt_lasts(words(&greeting(), "en"), 20.secs())
        .hears(words(&greeting(), "en"))
        .presses('1')
        .hears(beep())
        .speaks_for(5.secs())
        .presses('#')
        .hears(words(&promise(), "en"))
        .is_hung_up()
        .run(on_call);
    assert!(call.length() < 15.secs(), "{:?}", call.length());
}

#[test]
fn whoever_says_nothing_is_asked_once_again_and_promised_nothing() {
    let call =
        caller().hears(beep()).hears(not_heard().in_language("en")).hears(beep()).is_hung_up().run(on_call);
    assert!(!call.timeline().iter().any(|line| line.contains("call you back")));
}

#[test]
fn a_message_is_no_longer_than_the_settings_allow() {
    let call = caller()
        .with_settings(json!({ "longest": 30, "greeting": [], "promise": ["thanks"], "beep": false }))
        .speaks_for(90.secs())
        .run(on_call);
    let thanks = call.timeline().iter().find(|line| line.ends_with("hears thanks")).cloned();
    assert_eq!(thanks.as_deref(), Some("30.0 hears thanks"));
}

#[test]
fn the_box_s_own_greeting_is_heard_and_a_full_one_takes_nothing() {
    let office = || MessageBox::new("office").greets_with("greeting-office");
    caller().mailbox(office()).hears("greeting-office").hears(beep()).hangs_up().run(on_call);
    // What the settings say comes first.
    let settings = json!({ "greeting": ["closed"] });
    caller().mailbox(office()).with_settings(settings).hears("closed").hangs_up().run(on_call);
    let call = caller().mailbox(office().full()).hears(full().in_language("en")).is_hung_up().run(on_call);
    assert!(call.record().recordings.is_empty());
}

#[test]
fn whoever_hangs_up_while_speaking_has_left_a_message() {
    let call = caller()
        .with_settings(json!({ "box": "sales" }))
        .hears(beep())
        .speaks_for(8.secs())
        .hangs_up()
        .run(on_call);
    assert_eq!((call.outcome(), call.tag("box")), (Outcome::Voicemail, Some("sales")));
}

#[test]
fn the_call_back_is_due_on_the_next_working_day() {
    let due = |at: &str| {
        let deadline = json!({ "by": "10:00", "holidays": ["12-24", "12-25", "2026-12-28", "01-01"] });
        let settings =
            json!({ "deadline": deadline, "promise": [{ "en": "By ten o'clock on the next working day" }] });
        let call = caller()
            .at(at)
            .zone("Europe/Sofia")
            .with_settings(settings)
            .hears(beep())
            .speaks_for(5.secs())
            .hears(text("By ten o'clock on the next working day"))
            .is_hung_up()
            .run(on_call);
        call.tag("call-back-by").expect("it is marked").to_owned()
    };
    // Friday, 27 November 2026; a Monday; the days around Christmas; the end of the year; a leap year.
    assert_eq!(due("2026-11-27 23:58"), "2026-11-30 10:00");
    assert_eq!(due("2026-11-30 08:00"), "2026-12-01 10:00");
    assert_eq!(due("2026-12-23 18:00"), "2026-12-29 10:00");
    assert_eq!(due("2026-12-31 12:00"), "2027-01-04 10:00");
    assert_eq!(due("2028-02-28 12:00"), "2028-02-29 10:00");
    assert_eq!(due("2027-02-26 12:00"), "2027-03-01 10:00");
}

#[test]
fn the_schema_beside_the_script_is_that_of_its_settings() {
    assert_schema::<Settings>("settings.schema.json");
}
