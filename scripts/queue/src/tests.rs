//! Callers who wait, and callers who would rather not.

use super::*;
use strowger_script::settings::assert_schema;
use strowger_script::text;

/// A caller of the sales queue.
fn caller() -> Caller {
    Caller::from("+359888123456").user(User::new("ana").hangs_up_after(60.secs()))
}

/// Ana answers after so many seconds.
fn ana_after(seconds: u32) -> Line {
    Line::new().agent_answers("ana", seconds.secs())
}

fn sales(more: Value) -> Value {
    let mut all = json!({ "queue": "sales" });
    for (key, value) in more.as_object().expect("an object") {
        all[key] = value.clone();
    }
    all
}

fn words(say: &Say) -> Prompt {
    say.in_language("en")
}

#[test]
fn a_greeting_is_heard_once_then_music_until_an_agent_answers() {
    let call = caller()
        .with_settings(sales(json!({ "greeting": ["welcome", "offers"], "music": "waltz" })))
        .queue("sales", ana_after(40))
        .hears("welcome")
        .hears("offers")
        .hears_music()
        .talks_with("ana")
        .is_hung_up()
        .run(on_call);
    assert_eq!(
        call.timeline(),
        [
            "0.0 +359888123456 calls 700",
            "0.0 answered",
            "0.0 hears welcome",
            "3.0 hears offers",
            "6.0 waits in sales",
            "6.0 hears music waltz",
            "46.0 ana answers",
            "46.0 talks with ana",
            "106.0 ana hangs up",
            "106.0 the exchange hangs up",
        ]
    );
    assert_eq!(call.tag("queue"), Some("sales"));
}

#[test]
fn the_agent_says_by_a_key_what_it_was_about() {
    let category = json!({ "category": { "keys": { "1": "order", "2": "complaint" }, "seconds": 5 } });
    let call = Caller::from("+359888123456")
        .user(User::new("ana").presses("2"))
        .with_settings(sales(category))
        .queue("sales", ana_after(4))
        .talks_with("ana")
        .hangs_up_after(30.secs())
        .run(on_call);
    assert_eq!(call.tag("category"), Some("complaint"));
    assert_eq!((call.length(), call.record().talked), (35.secs(), 30.secs()));
}

#[test]
fn an_agent_who_is_gone_before_they_talk_costs_the_caller_nothing() {
    let call = caller()
        .with_settings(sales(json!({})))
        .queue("sales", ana_after(40).agent_vanishes("boris", 10.secs()))
        .hears_music()
        .talks_with("ana")
        .is_hung_up()
        .run(on_call);
    let line = call.timeline();
    let at =
        |what: &str| line.iter().position(|line| line == what).unwrap_or_else(|| panic!("{what}: {line:?}"));
    assert!(at("10.0 boris answers") < at("40.0 ana answers"));
    assert_eq!(call.outcome(), Outcome::Answered);
}

#[test]
fn a_key_cuts_the_greeting() {
    let call = caller()
        .with_settings(sales(json!({ "greeting": ["welcome"] })))
        .prompt_lasts("welcome", 30.secs())
        .queue("sales", ana_after(5))
        .hears("welcome")
        .presses('5')
        .talks_with("ana")
        .hangs_up()
        .run(on_call);
    assert_eq!(call.record().waited, 6.secs());
}

#[test]
fn a_key_keeps_the_place_and_the_caller_is_called_back_on_the_number_agreed() {
    let how = CallBack::default();
    let call = caller()
        .with_settings(sales(json!({ "keys": { "1": { "call_back": {} } } })))
        .queue("sales", Line::new())
        .hears_music()
        .presses('1')
        .hears(words(&how.we_call_you_at))
        .hears(digits("+359888123456"))
        .hears(words(&how.is_it_right))
        .presses('1')
        .hears(words(&how.done))
        .is_hung_up()
        .run(on_call);
    assert_eq!(call.called_back(), Some(("sales", "+359888123456")));
    assert_eq!(call.tag("call-back"), Some("+359888123456"));
}

#[test]
fn another_number_is_called_back_only_where_the_settings_allow_it() {
    let how = CallBack::default();
    let typed = |number: &str| {
        let settings = sales(json!({ "keys": { "1": { "call_back": { "other_numbers": ["0", "+359"] } } } }));
        let plan = caller().with_settings(settings).queue("sales", Line::new());
        plan.hears_music()
            .presses('1')
            .hears(words(&how.is_it_right))
            .presses('2')
            .hears(words(&how.which_number))
            .presses(number)
    };
    let call = typed("0888765432#").hears(words(&how.done)).is_hung_up().run(on_call);
    assert_eq!(call.called_back(), Some(("sales", "0888765432")));
    let call = typed("00359888765432#").hears(words(&how.done)).is_hung_up().run(on_call);
    assert_eq!(call.called_back(), Some(("sales", "+359888765432")));
    // An island far away, and two digits: the caller goes on waiting.
    for wrong in ["00870773111111#", "01#"] {
        let call = typed(wrong).hears(words(&how.not_possible)).hears_music().hangs_up().run(on_call);
        assert_eq!((call.called_back(), call.outcome()), (None, Outcome::Abandoned));
    }
    // Where none may be typed, 2 goes on waiting.
    caller()
        .with_settings(sales(json!({ "keys": { "1": { "call_back": {} } } })))
        .queue("sales", Line::new())
        .hears_music()
        .presses('1')
        .hears(words(&how.is_it_right))
        .presses('2')
        .hears_music()
        .hangs_up()
        .run(on_call);
}

#[test]
fn a_withheld_number_is_not_called_back() {
    let how = CallBack::default();
    Caller::from("")
        .with_settings(sales(json!({ "keys": { "1": { "call_back": {} } } })))
        .queue("sales", Line::new())
        .hears_music()
        .presses('1')
        .hears(words(&how.not_possible))
        .hears_music()
        .hangs_up()
        .run(on_call);
}

#[test]
fn an_agent_who_answers_while_a_call_back_is_offered_is_connected() {
    let how = CallBack::default();
    let call = caller()
        .with_settings(sales(json!({ "keys": { "1": { "call_back": {} } } })))
        .queue("sales", ana_after(4))
        .hears_music()
        .presses('1')
        .hears(words(&how.we_call_you_at))
        .talks_with("ana")
        .hangs_up()
        .run(on_call);
    assert_eq!((call.record().waited, call.called_back()), (4.secs(), None));
}

#[test]
fn a_key_leaves_a_message_or_goes_another_way_and_gives_the_place_up() {
    let settings = sales(json!({ "keys": {
        "2": { "voicemail": { "box": "sales" } },
        "3": { "hand_over": { "script": "strowger/menu" } },
        "4": { "say": ["opening-hours"] },
    } }));
    let plan = || caller().with_settings(&settings).queue("sales", ana_after(20)).hears_music();
    let call = plan().presses('2').is_handed_over_to("strowger/voicemail").run(on_call);
    assert_eq!(call.handed_over(), Some(("strowger/voicemail", json!({ "box": "sales" }))));
    assert!(call.timeline().contains(&"1.0 leaves sales".to_owned()));
    plan().presses('3').is_handed_over_to("strowger/menu").run(on_call);
    let call =
        plan().presses('4').hears("opening-hours").hears_music().talks_with("ana").hangs_up().run(on_call);
    assert_eq!(call.record().waited, 20.secs());
}

#[test]
fn a_word_of_the_strategy_does_what_it_says_or_what_the_settings_say() {
    let asks = |word: &str| caller().queue("sales", Line::new().asks('9', word)).hears_music().presses('9');
    let call = asks("voicemail").with_settings(sales(json!({}))).is_handed_over_to("strowger/voicemail");
    assert_eq!(call.run(on_call).handed_over(), Some(("strowger/voicemail", json!({}))));
    asks("call-back")
        .with_settings(sales(json!({})))
        .hears(words(&CallBack::default().we_call_you_at))
        .hangs_up()
        .run(on_call);
    asks("boss")
        .with_settings(sales(json!({ "words": { "boss": { "ring": { "places": ["ana"] } } } })))
        .talks_with("ana")
        .hangs_up()
        .run(on_call);
    asks("boss").with_settings(sales(json!({}))).hears_music().hangs_up().run(on_call);
}

#[test]
fn whoever_has_waited_enough_goes_to_the_heads_mobile_for_twenty_seconds_and_then_to_voicemail() {
    let settings = sales(json!({
        "longest": 300,
        "otherwise": [
            { "say": [{ "en": "One moment" }] },
            { "ring": { "places": ["tel:+359888000001"] } },
            { "voicemail": { "box": "sales" } },
        ],
    }));
    let plan = |head: Number| caller().with_settings(&settings).queue("sales", Line::new()).number(head);
    let call = plan(Number::new("+359888000001").never_answers())
        .hears_music()
        .hears(text("One moment"))
        .hears_ringing()
        .is_handed_over_to("strowger/voicemail")
        .run(on_call);
    assert_eq!(call.tag("overflow"), Some("longest-wait"));
    assert_eq!(call.length(), 323.secs());
    plan(Number::new("+359888000001").answers_after(15.secs()))
        .talks_with("+359888000001")
        .hangs_up()
        .run(on_call);
}

#[test]
fn whoever_may_not_wait_is_taken_care_of_by_the_reason() {
    let settings = sales(json!({
        "otherwise": [{ "voicemail": { "box": "sales" } }],
        "otherwise_by": { "full": [{ "ring": { "places": ["ana"] } }], "holiday": ["hang_up"] },
    }));
    let refused = |why: Refusal| caller().with_settings(&settings).queue("sales", Line::new().refuses(why));
    refused(Refusal::Full).talks_with("ana").hangs_up().run(on_call);
    for why in [Refusal::Closed, Refusal::Nobody, Refusal::TooLong(20.mins())] {
        refused(why).is_handed_over_to("strowger/voicemail").run(on_call);
    }
    refused(Refusal::Other("holiday".to_owned())).is_answered().is_hung_up().run(on_call);
    // A queue that empties of agents while someone waits.
    caller()
        .with_settings(&settings)
        .queue("sales", Line::new().nobody_after(30.secs()))
        .hears_music()
        .is_handed_over_to("strowger/voicemail")
        .run(on_call);
}

#[test]
fn where_no_step_takes_the_call_the_numbers_fallback_does() {
    let plan = |settings: Value| {
        caller().with_settings(settings).queue("sales", Line::new().refuses(Refusal::Full)).falls_back()
    };
    plan(sales(json!({}))).run(on_call);
    plan(sales(json!({ "otherwise": [{ "say": ["sorry"] }, { "call_back": {} }] }))).run(on_call);
    caller().with_settings(json!({ "queue": "nowhere" })).falls_back().run(on_call);
}

#[test]
fn where_nobody_should_wait_the_caller_is_offered_a_call_back_at_once() {
    let how = CallBack::default();
    let settings = sales(json!({ "at_once": { "call_back": { "confirm": false } } }));
    let call = caller()
        .with_settings(settings)
        .queue("sales", Line::new())
        .hears(words(&how.done))
        .is_hung_up()
        .run(on_call);
    assert_eq!((call.called_back().is_some(), call.length()), (true, 3.secs()));
}

#[test]
fn known_callers_go_first() {
    let settings =
        sales(json!({ "priority": 5, "known": { "conversations": 2, "days": 30 }, "skills": { "bg": 3 } }));
    let enters = |plan: Caller| {
        let call = plan
            .with_settings(&settings)
            .queue("sales", ana_after(1))
            .talks_with("ana")
            .hangs_up()
            .run(on_call);
        let line = call.timeline().into_iter().find(|line| line.contains("waits in"));
        line.expect("the caller waits")
    };
    let (first, others) = ("0.0 waits in sales, priority 15, bg 3", "0.0 waits in sales, priority 5, bg 3");
    assert_eq!(enters(caller()), others);
    assert_eq!(enters(caller().spoke_with("ana")), others);
    assert_eq!(enters(caller().spoke_with("ana").spoke_with_days_ago("ana", 31)), others);
    assert_eq!(enters(caller().spoke_with("ana").spoke_with_days_ago("ana", 30)), first);
    assert_eq!(enters(caller().contact(Contact::new("+359888123456", "Maria"))), first);
    // A CRM that is down costs nobody the call.
    assert_eq!(enters(caller().crm_is_down()), others);
}

#[test]
fn a_caller_who_leaves_has_left() {
    let call = caller()
        .with_settings(sales(json!({ "otherwise": [{ "voicemail": {} }] })))
        .queue("sales", Line::new())
        .hears_music()
        .hangs_up_after(90.secs())
        .run(on_call);
    assert_eq!((call.outcome(), call.length()), (Outcome::Abandoned, 90.secs()));
}

#[test]
fn the_schema_beside_the_script_is_that_of_its_settings() {
    assert_schema::<Settings>("settings.schema.json");
}
