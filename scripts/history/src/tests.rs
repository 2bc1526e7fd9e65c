//! Callers who spoke with someone before.

use super::*;
use strowger_script::settings::assert_schema;

/// A caller of the help desk, who spoke with Ana three days ago.
fn caller(days: u32, ana: User) -> Caller {
    Caller::from("+359888123456")
        .with_settings(json!({ "days": days, "otherwise": { "hand_over": { "script": "strowger/queue" } } }))
        .user(ana)
        .spoke_with_days_ago("ana", 3)
}

#[test]
fn whoever_spoke_with_the_caller_last_is_rung_first() {
    let call = caller(7, User::new("ana").answers_after(5.secs())).talks_with("ana").hangs_up().run(on_call);
    assert_eq!((call.tag("history"), call.record().waited), (Some("ana"), 5.secs()));
}

#[test]
fn a_conversation_of_too_long_ago_does_not_count() {
    let call = caller(2, User::new("ana")).is_handed_over_to("strowger/queue").run(on_call);
    assert_eq!((call.tag("history"), call.length()), (None, 0.secs()));
}

#[test]
fn one_who_is_busy_away_or_does_not_answer_leaves_the_call_to_the_normal_scheme() {
    let after = |ana: User| caller(7, ana).is_handed_over_to("strowger/queue").run(on_call).length();
    assert_eq!(after(User::new("ana").busy()), 0.secs());
    assert_eq!(after(User::new("ana").offline()), 0.secs());
    assert_eq!(after(User::new("ana").never_answers()), 15.secs());
    assert_eq!(after(User::new("ana").rejects_after(2.secs(), 603)), 2.secs());
}

#[test]
fn a_withheld_number_has_no_history() {
    Caller::from("")
        .with_settings(json!({ "otherwise": { "play": "closed" } }))
        .user(User::new("ana"))
        .spoke_with("ana")
        .hears("closed")
        .run(on_call);
}

#[test]
fn the_schema_beside_the_script_is_that_of_its_settings() {
    assert_schema::<History>("settings.schema.json");
}
