//! Parking, as those who are parked and those who come for them see it.

use super::*;

fn caller() -> Caller {
    Caller::from("+359888123456").calls("71")
}

fn parked() -> Caller {
    caller().transferred_by("ana").user(User::new("ana"))
}

#[test]
fn whoever_is_transferred_here_hears_music_until_someone_comes() {
    let call = parked()
        .is_retrieved_by("boris", 40.secs())
        .hears_music()
        .talks_with("boris")
        .hangs_up_after(10.secs())
        .run(on_call);
    assert_eq!(call.length(), 50.secs());
}

#[test]
fn when_nobody_comes_the_one_who_parked_is_rung() {
    parked().hears_music().talks_with("ana").hangs_up_after(5.secs()).run(on_call);
    let settings = json!({ "seconds": 10, "back_to": ["user:vera"] });
    let call = parked()
        .with_settings(settings)
        .user(User::new("vera"))
        .talks_with("vera")
        .hangs_up_after(5.secs())
        .run(on_call);
    assert_eq!(call.length(), 17.secs());
}

#[test]
fn when_nobody_is_there_at_all_the_settings_say_what_to_do() {
    let plan = || caller().transferred_by("ana").user(User::new("ana").never_answers());
    plan().hears_music().is_hung_up().run(on_call);
    let settings = json!({ "otherwise": { "play": "we-are-closed" } });
    plan().with_settings(settings).hears("we-are-closed").is_hung_up().run(on_call);
}

#[test]
fn a_slot_that_is_taken_sends_the_party_back_at_once() {
    let call = parked().parked("71", "vera").talks_with("ana").hangs_up_after(5.secs()).run(on_call);
    assert_eq!(call.length(), 7.secs());
}

#[test]
fn whoever_dials_the_slot_talks_with_the_one_who_is_parked_there() {
    caller().parked("71", "vera").talks_with("vera").hangs_up_after(5.secs()).run(on_call);
    caller().parked("72", "vera").is_rejected(404).run(on_call);
}

#[test]
fn the_schema_beside_the_script_is_that_of_its_settings() {
    strowger_script::settings::assert_schema::<Parking>("settings.schema.json");
}
