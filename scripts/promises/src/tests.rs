use strowger_script::settings::assert_schema;

use super::*;

const MARIA: &str = "+359888123456";

fn call_back() -> CallBack {
    CallBack::of(MARIA)
        .named("Maria")
        .at("2026-11-27 10:00")
        .with_settings(json!({ "manager": "head", "group": "sales", "minutes": 30 }))
        .user(User::new("ana").in_group("sales"))
        .user(User::new("boris").in_group("sales"))
        .user(User::new("vera").in_group("sales").offline())
}

#[test]
fn a_call_back_that_is_nobodys_goes_to_the_members_of_the_group_in_turn() {
    let told = call_back().tell(Event::Opened, on_change);
    assert_eq!(told.responsible(), Some("boris"));
    assert_eq!(told.due(), None, "the deadline is what it was");
    let told = call_back().remembered("promises/turn/sales", "1").tell(Event::Opened, on_change);
    assert_eq!(told.responsible(), Some("ana"));
}

#[test]
fn one_that_is_somebodys_stays_theirs() {
    let told = call_back().responsible("ana").tell(Event::Opened, on_change);
    assert_eq!(told.timeline(), ["opened: +359888123456"]);
}

#[test]
fn one_that_is_late_goes_to_the_next_with_more_time_and_the_manager_is_told() {
    let told = call_back().responsible("ana").tell(Event::Late, on_change);
    assert_eq!(told.responsible(), Some("boris"), "vera has no telephone at hand");
    assert_eq!(told.due(), Some(1_795_775_400.0), "half past ten UTC");
    assert_eq!(
        told.timeline().last().map(String::as_str),
        Some("notify head: Maria was not called back in time: it was ana's; now it is boris's")
    );
}

#[test]
fn a_change_that_is_told_once_more_goes_to_the_same() {
    let first = call_back().remembered("promises/simulated-task-change-1", "boris");
    let told = first.responsible("ana").tell(Event::Late, on_change);
    assert_eq!(told.responsible(), Some("boris"));
    assert_eq!(told.remembers("promises/turn/sales"), None, "nobody's turn has passed");
}

#[test]
fn what_was_given_up_is_told_and_the_rest_is_not() {
    let told = call_back().missed(3).tell(Event::Closed(State::GivenUp), on_change);
    assert_eq!(
        told.timeline(),
        ["given-up: +359888123456", "notify head: Maria was never called back, after 3 calls"]
    );
    let told = call_back().closed_by("ana").tell(Event::Closed(State::CalledBackInTime), on_change);
    assert_eq!(told.timeline(), ["called-back-in-time: +359888123456"]);
}

#[test]
fn without_settings_nothing_happens() {
    let told = CallBack::of(MARIA).tell(Event::Late, on_change);
    assert_eq!((told.result(), told.timeline().len()), (&Ok(()), 1));
}

#[test]
fn the_schema_beside_the_script_is_that_of_its_settings() {
    assert_schema::<Promises>("settings.schema.json");
}
