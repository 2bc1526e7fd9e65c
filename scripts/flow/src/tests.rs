//! Calls through a shop's flow, as callers meet it.

use super::*;
use strowger_script::queue::{Outlook, Refusal};
use strowger_script::settings::assert_schema;
use strowger_script::text;

/// Greeting, hours, a menu, a group and a queue, voicemail.
fn shop() -> Value {
    json!({
        "language": "bg",
        "values": { "shop": "Sofia" },
        "steps": {
            "start": { "say": ["welcome", { "en": "Hello {contact.name}, this is {value.shop}." }], "then": "hours" },
            "hours": { "hours": "office", "schemes": { "open": "main", "duty": "duty" }, "otherwise": "message" },
            "main": {
                "menu": "for-sales-press-1",
                "keys": { "1": "who", "2": "order", "3": "repairs", "9": "english" },
                "retries": 1,
                "wrong_key": "no-such-choice",
                "otherwise": "message",
            },
            "who": {
                "choose": [
                    { "is": { "contact": { "vip": ["yes", "gold"] } }, "then": "vip" },
                    { "is": { "caller": "+7*" }, "queues": { "sales": 2 }, "then": "sales" },
                    { "days": "mon-fri", "time": "09:00-12:00", "then": "sales" },
                ],
                "otherwise": "sold-out",
            },
            "vip": { "ring": ["user:{contact.owner}", "group:sales"], "seconds": 20, "busy": "sales", "otherwise": "message" },
            "sales": {
                "queue": "sales",
                "longest": 120,
                "keys": { "2": "message" },
                "call_back": { "key": "1", "then": "promised" },
                "otherwise_by": { "full": "sold-out" },
                "otherwise": "message",
            },
            "promised": { "say": "we-call-you-back" },
            "sold-out": { "hang_up": 486 },
            "order": { "gather": "order", "prompts": "which-order", "least": 4, "most": 6, "retries": 1, "then": "mark", "otherwise": "message" },
            "mark": { "tag": { "order": "{order}", "shop": "{value.shop}" }, "then": "tell" },
            "tell": { "say": { "en": "Order {order}." }, "then": "desk" },
            "desk": { "hand_over": { "script": "desk", "settings": { "order": "{order}", "to": "{desk}" } } },
            "repairs": { "record": true, "then": "bench" },
            "bench": { "transfer": "tel:+359888000101", "otherwise": "message" },
            "duty": { "transfer": "user:{user}", "say": "please-hold", "otherwise": "message" },
            "english": { "language": "en", "then": "main" },
            "message": { "voicemail": { "box": "{value.shop}" } },
        },
    })
}

fn caller() -> Caller {
    calls_when("open")
}

/// A call while this scheme counts in the office.
fn calls_when(scheme: &str) -> Caller {
    Caller::from("+359888123456").in_language("en").with_settings(shop()).calendar("office", scheme)
}

#[test]
fn a_caller_is_greeted_by_name_and_takes_the_menu() {
    let call = caller()
        .contact(Contact::new("+359888123456", "Maria"))
        .user(User::new("ana").in_group("sales"))
        .is_answered()
        .hears("welcome")
        .hears(text("Hello Maria, this is Sofia."))
        .hears("for-sales-press-1")
        .presses("9")
        .hears("for-sales-press-1")
        .presses("7")
        .hears("no-such-choice")
        .hears("for-sales-press-1")
        .is_handed_over_to("strowger/voicemail")
        .run(on_call);
    assert_eq!((call.language(), call.tag("hours")), ("en", Some("open")));
    assert_eq!(call.handed_over(), Some(("strowger/voicemail", json!({ "box": "Sofia" }))));
}

#[test]
fn out_of_hours_it_takes_a_message_and_whoever_is_on_duty_is_rung() {
    calls_when("closed").is_handed_over_to("strowger/voicemail").run(on_call);
    calls_when("duty:vera")
        .user(User::new("vera"))
        .hears("please-hold")
        .talks_with("vera")
        .hangs_up_after(5.secs())
        .run(on_call);
}

#[test]
fn who_is_somebody_in_the_crm_has_an_owner_who_rings() {
    let vip = || Contact::new("+359888123456", "Maria").owner("boris").field("vip", "Gold");
    caller()
        .contact(vip())
        .user(User::new("boris"))
        .hears("for-sales-press-1")
        .presses("1")
        .talks_with("boris")
        .hangs_up_after(5.secs())
        .run(on_call);
    caller()
        .contact(vip())
        .user(User::new("boris").never_answers())
        .hears("for-sales-press-1")
        .presses("1")
        .is_handed_over_to("strowger/voicemail")
        .run(on_call);
    caller()
        .contact(vip())
        .user(User::new("boris").busy())
        .queue("sales", Line::new().agent_answers("ana", 40.secs()))
        .hears("for-sales-press-1")
        .presses("1")
        .hears_music()
        .talks_with("ana")
        .hangs_up_after(5.secs())
        .run(on_call);
}

#[test]
fn the_clock_and_the_queue_decide() {
    let at = |moment: &str| caller().at(moment).hears("for-sales-press-1").presses("1");
    // A Friday: the queue from nine to twelve.
    let line = || Line::new().agent_answers("ana", 10.secs());
    at("2026-11-27 11:59").queue("sales", line()).talks_with("ana").hangs_up_after(5.secs()).run(on_call);
    at("2026-11-27 12:00").queue("sales", line()).is_hung_up().run(on_call);
    at("2026-11-28 11:59").queue("sales", line()).is_hung_up().run(on_call);
    let from_abroad = |outlook: Outlook| {
        let line = line().looks(outlook);
        Caller::from("+79161234567")
            .with_settings(shop())
            .calendar("office", "open")
            .at("2026-11-28 11:59")
            .queue("sales", line)
            .hears("for-sales-press-1")
            .presses("1")
    };
    let served = Outlook { waiting: 2, serving: 1, ..Outlook::default() };
    from_abroad(served).talks_with("ana").hangs_up_after(5.secs()).run(on_call);
    from_abroad(Outlook { waiting: 3, ..served }).is_hung_up().run(on_call);
    from_abroad(Outlook { serving: 0, ..served }).is_hung_up().run(on_call);
}

#[test]
fn a_queue_is_left_by_a_key_a_promise_or_its_end() {
    let waits = |line: Line| {
        caller().at("2026-11-27 10:00").queue("sales", line).hears("for-sales-press-1").presses("1")
    };
    waits(Line::new()).hears_music().presses("2").is_handed_over_to("strowger/voicemail").run(on_call);
    let call =
        waits(Line::new()).hears_music().presses("1").hears("we-call-you-back").is_hung_up().run(on_call);
    assert_eq!(call.called_back(), Some(("sales", "+359888123456")));
    let call = waits(Line::new()).is_handed_over_to("strowger/voicemail").run(on_call);
    assert_eq!(call.tag("overflow"), Some("longest-wait"));
    waits(Line::new().refuses(Refusal::Full)).is_hung_up().run(on_call);
    waits(Line::new().refuses(Refusal::Closed)).is_handed_over_to("strowger/voicemail").run(on_call);
}

#[test]
fn digits_are_kept_and_used() {
    let call = caller()
        .hears("for-sales-press-1")
        .presses("2")
        .hears("which-order")
        .presses("12")
        .hears("which-order")
        .presses("4711#")
        .hears(text("Order 4711."))
        .is_handed_over_to("desk")
        .run(on_call);
    assert_eq!((call.tag("order"), call.tag("shop")), (Some("4711"), Some("Sofia")));
    // Braces of the other script's own are left as they are.
    assert_eq!(call.handed_over(), Some(("desk", json!({ "order": "4711", "to": "{desk}" }))));
}

#[test]
fn a_number_of_the_outside_is_rung_and_recorded() {
    let call = caller()
        .number(Number::new("+359888000101"))
        .hears("for-sales-press-1")
        .presses("3")
        .talks_with("+359888000101")
        .hangs_up_after(5.secs())
        .run(on_call);
    assert_eq!(call.record().recordings.len(), 1);
}

#[test]
fn a_call_is_not_answered_before_it_must_be() {
    let ring = |then: Value| {
        let mut settings =
            json!({ "start": "ring", "steps": { "ring": { "ring": ["ana"], "seconds": 10 } } });
        settings["steps"]["ring"]
            .as_object_mut()
            .expect("a step")
            .extend(then.as_object().cloned().unwrap_or_default());
        Caller::from("+359888123456").with_settings(settings).user(User::new("ana").never_answers())
    };
    ring(json!({})).hears_ringing().is_rejected(480).run(on_call);
    ring(json!({ "otherwise": "nowhere" })).falls_back().run(on_call);
}

#[test]
fn a_flow_that_goes_round_ends() {
    let round = json!({ "steps": { "start": { "tag": { "a": "b" }, "then": "start" } } });
    let call = Caller::from("+359888123456").with_settings(round).falls_back().run(on_call);
    assert_eq!(call.result(), &Err(Failure::Limit("200 steps of a flow".into())));
}

#[test]
fn the_schema_beside_the_script_is_that_of_its_settings() {
    assert_schema::<Flow>("settings.schema.json");
}
