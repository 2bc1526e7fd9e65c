//! A box, as those who hear it know it.

use super::*;
use strowger_script::settings::assert_schema;

const MARIA: &str = "+359888123456";
const PETAR: &str = "+359888765432";

fn said(say: Say) -> Prompt {
    say.in_language("en")
}

fn box_of_ana() -> MessageBox {
    MessageBox::new("ana").pin("4711").message("m-1", MARIA, 1.0).message("m-2", PETAR, 2.0)
}

/// Ana, at her own telephone.
fn ana() -> Caller {
    Caller::from("101").user(User::new("ana").number("101")).mailbox(box_of_ana())
}

/// Ana, on her way.
fn ana_elsewhere() -> Caller {
    Caller::from("+359888000101").user(User::new("ana").number("101")).mailbox(box_of_ana())
}

fn does(call: &strowger_script::sim::Call, what: &str) -> bool {
    call.timeline().iter().any(|line| line.ends_with(what))
}

#[test]
fn at_her_own_telephone_she_hears_one_message_after_the_other_without_a_pin() {
    let call = ana()
        .hears(said(words::you_have()))
        .hears(said(words::new()))
        .hears(quantity(2, "message"))
        .hears(digits(MARIA))
        .hears("m-1")
        .hears(said(words::choices_at_home()))
        .presses('3')
        .hears(said(words::deleted()))
        .hears("m-2")
        .hears(said(words::choices_at_home()))
        .presses('2')
        .hears(said(words::kept()))
        .hears(said(words::no_more()))
        .presses('*')
        .hears(said(words::bye()))
        .is_hung_up()
        .run(on_call);
    assert!(does(&call, "m-1 is deleted") && does(&call, "m-2 is kept") && !does(&call, "m-2 is deleted"));
    assert!(!call.timeline().iter().any(|line| line.contains("PIN")));
}

#[test]
fn a_message_is_heard_again_and_what_was_not_heard_stays_new() {
    let call = ana()
        .hears("m-1")
        .hears(said(words::choices_at_home()))
        .presses('1')
        .hears("m-1")
        .hears(said(words::choices_at_home()))
        .hangs_up()
        .run(on_call);
    assert!(does(&call, "m-1 is kept") && !does(&call, "m-2 is kept"));
}

#[test]
fn she_calls_back_from_her_own_telephone_and_comes_back_to_the_message() {
    ana()
        .number(Number::new(MARIA).answers_after(3.secs()).hangs_up_after(30.secs()))
        .hears("m-1")
        .hears(said(words::choices_at_home()))
        .presses('4')
        .hears_ringing()
        .talks_with(MARIA)
        .hears(said(words::choices_at_home()))
        .presses('3')
        .hears(said(words::deleted()))
        .hangs_up()
        .run(on_call);
}

#[test]
fn from_elsewhere_the_extension_and_the_pin_open_the_box_and_nobody_calls_back() {
    let call = ana_elsewhere()
        .hears(said(words::which_box()))
        .presses("101#")
        .hears(said(words::which_pin()))
        .presses("4711#")
        .hears("m-1")
        .hears(said(words::choices()))
        .presses('4')
        .hears(said(words::choices()))
        .presses('*')
        .hears(said(words::bye()))
        .is_hung_up()
        .run(on_call);
    assert!(!call.timeline().iter().any(|line| line.contains("rings")));
}

#[test]
fn a_wrong_pin_and_a_box_that_is_not_there_sound_the_same() {
    for extension in ["101#", "999#"] {
        let call = ana_elsewhere()
            .hears(said(words::which_box()))
            .presses(extension)
            .hears(said(words::which_pin()))
            .presses("0000#")
            .hears(said(words::wrong()))
            .hears(said(words::which_box()))
            .presses(extension)
            .hears(said(words::which_pin()))
            .presses("1111#")
            .hears(said(words::wrong()))
            .hears(said(words::which_box()))
            .presses(extension)
            .hears(said(words::which_pin()))
            .presses("2222#")
            .hears(said(words::wrong()))
            .hears(said(words::bye()))
            .is_hung_up()
            .run(on_call);
        assert!(!call.timeline().iter().any(|line| line.contains("m-1")));
    }
}

#[test]
fn where_it_is_wished_the_own_telephone_needs_the_pin_too() {
    ana()
        .with_settings(json!({ "always_pin": true }))
        .hears(said(words::which_pin()))
        .presses("4711#")
        .hears("m-1")
        .hangs_up()
        .run(on_call);
}

#[test]
fn she_records_her_greeting_hears_it_and_keeps_it() {
    let call = Caller::from("101")
        .user(User::new("ana").number("101"))
        .hears(said(words::no_more()))
        .presses('8')
        .hears(tone(BEEP.0, BEEP.1.ms()))
        .speaks_for(5.secs())
        .hears(said(words::now_greets()))
        .hears("recording-1")
        .hears(said(words::is_it_right()))
        .presses('1')
        .hears(said(words::kept()))
        .hears(said(words::no_more()))
        .hangs_up()
        .run(on_call);
    assert!(does(&call, "ana greets with recording-1"));
}

#[test]
fn a_box_of_a_group_opens_to_its_users() {
    Caller::from("101")
        .user(User::new("ana").number("101"))
        .mailbox(MessageBox::new("office").owned_by("ana").message("m-9", MARIA, 1.0))
        .with_settings(json!({ "box": "office" }))
        .hears("m-9")
        .hangs_up()
        .run(on_call);
}

#[test]
fn the_schema_beside_the_script_is_that_of_its_settings() {
    assert_schema::<Settings>("settings.schema.json");
}
