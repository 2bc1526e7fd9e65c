//! Agents who dial what they wish.

use super::*;
use strowger_script::settings::assert_schema;

/// Ana, an agent of the sales queue, on her telephone.
fn ana() -> Caller {
    Caller::from("101")
        .user(User::new("ana").number("101").serves("sales"))
        .queue("sales", Line::new())
        .queue("repairs", Line::new())
}

fn said(say: Say) -> Prompt {
    say.in_language("en")
}

#[test]
fn a_key_pauses_and_another_makes_available_again() {
    let plan = || ana().hears(said(which_key()[0].clone()));
    let call = plan().presses('2').hears(said(done())).is_hung_up().run(on_call);
    assert_eq!(call.paused("ana"), Some("break"));
    let call = plan().user(User::new("boris").paused("lunch")).presses('1').hears(said(done())).run(on_call);
    assert_eq!((call.paused("ana"), call.paused("boris")), (None, Some("lunch")));
}

#[test]
fn a_number_of_its_own_does_one_thing() {
    let does = |wish: Value| {
        ana().with_settings(json!({ "does": wish })).hears(said(done())).is_hung_up().run(on_call)
    };
    assert_eq!(does(json!({ "pause": "lunch" })).paused("ana"), Some("lunch"));
    assert_eq!(does(json!("available")).paused("ana"), None);
    assert_eq!(does(json!({ "sign_in": "repairs" })).serves("ana"), ["sales", "repairs"]);
    assert_eq!(does(json!({ "sign_out": "sales" })).serves("ana"), [""; 0]);
}

#[test]
fn a_queue_that_does_not_exist_is_not_possible() {
    ana()
        .with_settings(json!({ "does": { "sign_in": "nowhere" } }))
        .hears(said(not_possible()))
        .is_hung_up()
        .run(on_call);
}

#[test]
fn whoever_is_no_user_is_refused() {
    Caller::from("+359888123456").is_rejected(403).run(on_call);
}

#[test]
fn an_agent_who_presses_nothing_stays_as_is() {
    let call = ana().is_answered().is_hung_up().run(on_call);
    assert_eq!(call.paused("ana"), None);
}

#[test]
fn the_schema_beside_the_script_is_that_of_its_settings() {
    assert_schema::<Settings>("settings.schema.json");
}
