//! Picking up, as the one who dials sees it.

use super::*;

fn caller() -> Caller {
    Caller::from("103")
        .calls("*8")
        .with_settings(json!({ "places": ["user:ana", "group:sales"] }))
        .user(User::new("vera").number("103"))
        .user(User::new("ana"))
}

#[test]
fn a_call_that_rings_in_the_group_is_taken() {
    caller()
        .user(User::new("boris").in_group("sales").ringing())
        .talks_with("whoever calls boris")
        .hangs_up_after(9.secs())
        .run(on_call);
}

#[test]
fn when_nothing_rings_the_caller_hears_so() {
    caller().user(User::new("boris").in_group("sales").busy()).is_rejected(404).run(on_call);
    caller().user(User::new("goran").ringing()).is_rejected(404).run(on_call);
}

#[test]
fn the_schema_beside_the_script_is_that_of_its_settings() {
    strowger_script::settings::assert_schema::<Pickup>("settings.schema.json");
}
