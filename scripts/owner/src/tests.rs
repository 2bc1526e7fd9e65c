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
