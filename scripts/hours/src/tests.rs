//! A year of an office in Sofia: open on weekdays from nine to six, closed on holidays, a night desk on Fridays.

use super::*;
use strowger_script::settings::assert_schema;

fn office() -> Value {
    json!({
        "zone": "Europe/Sofia",
        "schemes": {
            "open": { "hand_over": { "script": "strowger/ring", "settings": { "places": ["group:office"] } } },
            "closed": { "play": "we-are-closed" },
            "holiday": { "hand_over": { "script": "strowger/voicemail", "settings": { "box": "office" } } },
            "night": { "hand_over": { "script": "night-desk" } },
        },
        "dates": [
            { "date": "2026-12-23", "from": "09:00", "to": "13:00", "scheme": "open" },
            { "date": "12-23..12-26", "scheme": "holiday" },
            { "date": "12-31..01-02", "scheme": "holiday" },
            { "date": "2026-04-10", "scheme": "holiday" },
        ],
        "week": [
            { "days": "mon-fri", "from": "09:00", "to": "18:00", "scheme": "open" },
            { "days": "fri", "from": "22:00", "to": "06:00", "scheme": "night" },
        ],
        "otherwise": "closed",
    })
}

/// The scheme of a call that arrives then, in Sofia.
fn scheme(at: &str) -> String {
    let hours: Hours = strowger_script::serde_json::from_value(office()).unwrap();
    let caller = Caller::from("+359888123456").zone("Europe/Sofia").at(at).hangs_up();
    let found = std::cell::RefCell::new(String::new());
    caller.run(|_: Leg| {
        scheme_at(&clock::local_time(), &hours)?.clone_into(&mut found.borrow_mut());
        clock::sleep(1.secs())
    });
    found.into_inner()
}

#[test]
fn the_week_opens_at_nine_and_closes_at_six() {
    // Monday, 2 March 2026.
    assert_eq!(scheme("2026-03-02 08:59:59"), "closed");
    assert_eq!(scheme("2026-03-02 09:00"), "open");
    assert_eq!(scheme("2026-03-06 17:59:59"), "open");
    assert_eq!(scheme("2026-03-06 18:00"), "closed");
    assert_eq!(scheme("2026-03-07 12:00"), "closed");
}

#[test]
fn a_night_that_begins_on_friday_ends_on_saturday_morning() {
    assert_eq!(scheme("2026-03-06 21:59"), "closed");
    assert_eq!(scheme("2026-03-06 22:00"), "night");
    assert_eq!(scheme("2026-03-07 05:59"), "night");
    assert_eq!(scheme("2026-03-07 06:00"), "closed");
    assert_eq!(scheme("2026-03-06 05:00"), "closed");
    // Saturday, 1 August 2026: yesterday was another month.
    assert_eq!(scheme("2026-08-01 02:00"), "night");
}

#[test]
fn holidays_come_before_the_week_and_exceptions_before_holidays() {
    assert_eq!(scheme("2026-12-23 10:00"), "open");
    assert_eq!(scheme("2026-12-23 13:00"), "holiday");
    assert_eq!(scheme("2027-12-23 10:00"), "holiday");
    assert_eq!(scheme("2026-12-31 10:00"), "holiday");
    assert_eq!(scheme("2027-01-01 10:00"), "holiday");
    assert_eq!(scheme("2026-04-10 10:00"), "holiday");
    assert_eq!(scheme("2028-04-10 10:00"), "open");
}

#[test]
fn the_office_follows_its_own_clock_when_the_clocks_change() {
    // Sofia is UTC+2 until 29 March 2026, then UTC+3: nine o'clock there is 07:00 and then 06:00 UTC.
    let open_at = |at: &str| Caller::from("+359888123456").zone("UTC").at(at).with_settings(office());
    open_at("2026-03-27 06:59").hears("we-are-closed").is_hung_up().run(on_call);
    open_at("2026-03-27 07:00").is_handed_over_to("strowger/ring").run(on_call);
    open_at("2026-03-30 05:59").hears("we-are-closed").is_hung_up().run(on_call);
    open_at("2026-03-30 06:00").is_handed_over_to("strowger/ring").run(on_call);
}

#[test]
fn the_scheme_is_on_the_register_and_its_script_gets_its_settings() {
    let call = Caller::from("+359888123456")
        .at("2026-12-25 08:00")
        .with_settings(office())
        .is_handed_over_to("strowger/voicemail")
        .run(on_call);
    assert_eq!(call.tag("hours"), Some("holiday"));
    assert_eq!(call.handed_over(), Some(("strowger/voicemail", json!({ "box": "office" }))));
}

#[test]
fn without_a_zone_the_tenants_clock_counts() {
    let mut settings = office();
    settings.as_object_mut().unwrap().remove("zone");
    Caller::from("+359888123456")
        .zone("America/New_York")
        .at("2026-03-02 09:00")
        .with_settings(settings)
        .is_handed_over_to("strowger/ring")
        .run(on_call);
}

#[test]
fn a_calendar_of_the_tenant_says_which_scheme_counts() {
    let settings = || {
        json!({
            "calendar": "office",
            "schemes": {
                "closed": { "play": "we-are-closed" },
                "duty": { "hand_over": {
                    "script": "strowger/ring",
                    "settings": { "places": ["user:{user}"], "seconds": 20 },
                } },
                "duty:vera": { "reject": 480 },
            },
        })
    };
    let caller =
        |scheme: &str| Caller::from("+359888123456").calendar("office", scheme).with_settings(settings());
    caller("closed").hears("we-are-closed").is_hung_up().run(on_call);
    let call = caller("duty:ana").is_handed_over_to("strowger/ring").run(on_call);
    assert_eq!(call.tag("hours"), Some("duty:ana"));
    assert_eq!(call.handed_over(), Some(("strowger/ring", json!({ "places": ["user:ana"], "seconds": 20 }))));
    caller("duty:vera").is_rejected(480).run(on_call);
    let call = caller("lunch").falls_back().run(on_call);
    assert!(call.result().as_ref().unwrap_err().to_string().contains("lunch"));
    let call = Caller::from("+359888123456").with_settings(settings()).falls_back().run(on_call);
    assert!(call.result().as_ref().unwrap_err().to_string().contains("office"));
}

#[test]
fn what_cannot_be_meant_leaves_the_call_to_the_fallback() {
    let with = |key: &str, value: Value| {
        let mut settings = office();
        settings[key] = value;
        let call = Caller::from("+359888123456").with_settings(settings).falls_back().run(on_call);
        call.result().as_ref().unwrap_err().to_string()
    };
    assert!(with("zone", json!("Europe/Atlantis")).contains("Europe/Atlantis"));
    assert!(with("week", json!([{ "days": "mon-fry", "scheme": "open" }])).contains("mon-fry"));
    assert!(with("week", json!([{ "days": "mon", "from": "25:00", "scheme": "open" }])).contains("25:00"));
    assert!(with("dates", json!([{ "date": "02-30", "scheme": "open" }])).contains("02-30"));
    assert!(
        with("dates", json!([{ "date": "2026-12-26..2026-12-24", "scheme": "open" }])).contains("is no date")
    );
    assert!(with("week", json!([{ "days": "mon-sun", "scheme": "opened" }])).contains("opened"));
}

#[test]
fn the_schema_beside_the_script_is_that_of_its_settings() {
    assert_schema::<Hours>("settings.schema.json");
}
