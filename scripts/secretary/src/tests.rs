//! Everything goes to Vera; Ana stands in.

use super::*;
use strowger_script::settings::assert_schema;

fn caller(vera: User, ana: User) -> Caller {
    let settings = json!({
        "places": ["vera", "ana"],
        "otherwise": { "hand_over": { "script": "strowger/voicemail" } },
    });
    Caller::from("+359888123456").with_settings(settings).user(vera).user(ana)
}

fn vera() -> User {
    User::new("vera")
}

fn ana() -> User {
    User::new("ana")
}

#[test]
fn the_secretary_answers_and_nobody_else_rings() {
    let call = caller(vera().answers_after(6.secs()), ana()).talks_with("vera").hangs_up().run(on_call);
    assert_eq!(call.tag("secretary"), Some("vera"));
    assert!(!call.timeline().iter().any(|line| line.contains("ana")));
}

#[test]
fn whoever_stands_in_is_rung_when_the_secretary_is_busy_away_or_does_not_answer() {
    let waited = |vera: User| {
        let call = caller(vera, ana().answers_after(3.secs())).talks_with("ana").hangs_up().run(on_call);
        assert_eq!(call.tag("secretary"), Some("ana"));
        call.record().waited
    };
    assert_eq!(waited(vera().busy()), 3.secs());
    assert_eq!(waited(vera().offline()), 3.secs());
    assert_eq!(waited(vera().never_answers()), 23.secs());
}

#[test]
fn when_nobody_is_there_the_settings_say_what_to_do() {
    caller(vera().busy(), ana().offline()).is_handed_over_to("strowger/voicemail").run(on_call);
    Caller::from("1")
        .with_settings(json!({ "places": ["vera"] }))
        .user(vera().busy())
        .is_rejected(486)
        .run(on_call);
}

#[test]
fn a_greeting_comes_first_and_a_key_cuts_it() {
    caller(vera(), ana())
        .with_settings(json!({ "places": ["vera"], "greeting": ["welcome"], "music": "waltz" }))
        .hears("welcome")
        .presses('1')
        .hears_music()
        .talks_with("vera")
        .hangs_up()
        .run(on_call);
}

#[test]
fn the_schema_beside_the_script_is_that_of_its_settings() {
    assert_schema::<Secretary>("settings.schema.json");
}
