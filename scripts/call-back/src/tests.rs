//! Call backs, as agents meet them.

use super::*;
use strowger_script::settings::assert_schema;
use strowger_script::text;

const MARIA: &str = "+359888123456";

/// Ana, rung by the exchange for Maria's call back.
fn ana(maria: Number) -> Caller {
    Caller::from("101")
        .user(User::new("ana").number("101"))
        .number(maria)
        .with_settings(json!({ "number": MARIA, "queue": "sales", "waited": 250.0 }))
}

fn said(say: Say) -> Prompt {
    say.in_language("en")
}

#[test]
fn the_agent_is_told_who_it_is_and_talks_with_the_customer() {
    let call = ana(Number::new(MARIA).answers_after(4.secs()).hangs_up_after(60.secs()))
        .contact(Contact::new(MARIA, "Maria"))
        .is_answered()
        .hears(said(a_call_back()))
        .hears(text("Maria"))
        .hears(digits(MARIA))
        .hears(duration(250.secs()))
        .hears_ringing()
        .hears(tone(BEEP.0, BEEP.1.ms()))
        .talks_with(MARIA)
        .is_hung_up()
        .run(on_call);
    assert_eq!((call.tag("queue"), call.tag("reached")), (Some("sales"), Some("yes")));
    assert_eq!(call.tag("call-back"), Some(MARIA));
}

#[test]
fn a_customer_who_does_not_answer_is_rung_once_more() {
    let call = ana(Number::new(MARIA).never_answers())
        .hears(said(once_more()))
        .hears_ringing()
        .hears(said(not_reached()))
        .is_hung_up()
        .run(on_call);
    assert_eq!(call.timeline().iter().filter(|line| line.ends_with("+359888123456 rings")).count(), 2);
    assert_eq!((call.tag("reached"), call.record().answered_by.as_deref()), (Some("no"), None));
}

#[test]
fn an_agent_who_knows_skips_what_is_said_with_a_key() {
    let call = ana(Number::new(MARIA))
        .hears(said(a_call_back()))
        .presses('1')
        .talks_with(MARIA)
        .hangs_up()
        .run(on_call);
    assert!(call.length() < 5.secs());
}

#[test]
fn a_crm_that_is_down_costs_nobody_the_call() {
    ana(Number::new(MARIA)).crm_is_down().talks_with(MARIA).hangs_up().run(on_call);
}

#[test]
fn an_agent_who_hangs_up_ends_it() {
    let call = ana(Number::new(MARIA).never_answers()).hears_ringing().hangs_up_after(5.secs()).run(on_call);
    assert_eq!(call.result(), &Err(Failure::HungUp));
}

#[test]
fn the_schema_beside_the_script_is_that_of_its_settings() {
    assert_schema::<Settings>("settings.schema.json");
}
