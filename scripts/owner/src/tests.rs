//! Callers whom the CRM knows, and others.

use super::*;
use strowger_script::settings::assert_schema;

fn caller() -> Caller {
    Caller::from("+359888123456")
        .with_settings(json!({ "otherwise": { "hand_over": { "script": "strowger/queue" } } }))
}

fn maria() -> Contact {
    Contact::new("+359888123456", "Maria")
}

#[test]
fn the_owner_of_the_caller_is_rung_first() {
    let call = caller()
        .contact(maria().owner("vera"))
        .user(User::new("vera").answers_after(4.secs()))
        .talks_with("vera")
        .hangs_up()
        .run(on_call);
    assert_eq!((call.tag("owner"), call.tag("owner-answered")), (Some("vera"), Some("yes")));
    assert!(call.tag("contact").is_some());
}

#[test]
fn the_owner_says_by_a_key_what_it_was_about() {
    let asked = |vera: User, hangs_up: bool| {
        let keys = json!({ "1": "order", "2": "complaint" });
        let normal = json!({ "hand_over": { "script": "strowger/queue" } });
        let plan = Caller::from("+359888123456")
            .with_settings(json!({ "category": { "keys": keys }, "otherwise": normal }))
            .contact(maria().owner("vera"))
            .user(vera)
            .talks_with("vera");
        let plan = if hangs_up { plan.hangs_up_after(30.secs()) } else { plan.is_hung_up() };
        plan.run(on_call).tag("category").map(str::to_owned)
    };
    assert_eq!(asked(User::new("vera").presses("2"), true).as_deref(), Some("complaint"));
    assert_eq!(asked(User::new("vera").presses("92"), true).as_deref(), Some("complaint"), "asked once more");
    assert_eq!(asked(User::new("vera"), true), None);
    assert_eq!(
        asked(User::new("vera").presses("2").hangs_up_after(20.secs()), false),
        None,
        "she hung up first"
    );
}

#[test]
fn an_owner_who_does_not_answer_leaves_the_call_to_the_normal_scheme_and_both_are_on_record() {
    let after = |vera: User| {
        let call = caller()
            .contact(maria().owner("vera"))
            .user(vera)
            .is_handed_over_to("strowger/queue")
            .run(on_call);
        assert_eq!((call.tag("owner"), call.tag("owner-answered")), (Some("vera"), Some("no")));
        call.length()
    };
    assert_eq!(after(User::new("vera").never_answers()), 15.secs());
    assert_eq!(after(User::new("vera").busy()), 0.secs());
    assert_eq!(after(User::new("vera").offline()), 0.secs());
}

#[test]
fn whoever_is_unknown_or_has_no_owner_goes_the_normal_way() {
    let tagged =
        |plan: Caller| plan.is_handed_over_to("strowger/queue").run(on_call).tag("owner").map(str::to_owned);
    assert_eq!(tagged(caller()), None);
    assert_eq!(tagged(caller().contact(maria())), None);
}

#[test]
fn an_owner_who_left_the_company_and_a_crm_that_is_down_cost_nobody_the_call() {
    caller().contact(maria().owner("gone")).is_handed_over_to("strowger/queue").run(on_call);
    caller().crm_is_down().is_handed_over_to("strowger/queue").run(on_call);
}

#[test]
fn the_schema_beside_the_script_is_that_of_its_settings() {
    assert_schema::<Owner>("settings.schema.json");
}
