//! `examples/flow` as its README tells it: a shop's telephone by a file, and another version of it while calls are up.

use std::fs;
use std::time::Duration;

use tests::sound::Heard;

use crate::example::{Example, always, folder, talk};
use crate::world::{SOON, mark};

const A_SECOND: Duration = Duration::from_secs(1);
const NUMBER: &str = "+35924443000";
const OF_THE_TOUR: &str = "+35924443001";
const MARIA: &str = "+359888123456";
const WELCOME: &str = "Good day, this is the bicycle shop.";
const MENU: &str = "For a new bicycle, press one. For a repair, press two.";

fn open_shop() -> Example {
    let (was, is) = always("office", "open");
    Example::start("flow", "shop", "bicycle", &[(&was, &is)])
}

#[test]
fn a_caller_is_greeted_chooses_and_speaks_with_the_workshop_or_leaves_a_message() {
    let mut shop = open_shop();
    let mut boris = shop.phone("boris", 440.0);
    let mut maria = shop.customer(MARIA, 1000.0);
    maria.call(&shop.uri(OF_THE_TOUR));
    shop.hears("en", WELCOME);
    shop.hears("en", MENU);
    maria.press("2");
    shop.hears("en", "Please enter the four digits on your ticket.");
    maria.press("4711");
    boris.event("ringing", SOON);
    boris.answer();
    talk(&mut maria, &mut boris);
    maria.hang_up();
    boris.disconnected(SOON);
    let call = shop.exchange.calls(1).remove(0);
    let marks = ["campaign", "hours", "menu", "ticket"].map(|key| mark(&call, key));
    assert_eq!(marks, [Some("tour"), Some("open"), Some("2"), Some("4711")], "{call}");
    assert_eq!(
        (call["answered_by"].as_str(), call["script"].as_str()),
        (Some("boris"), Some("shop")),
        "{call}"
    );
    maria.heard().assert_tone(440.0, A_SECOND);

    // Nobody has time: a message, in the language that was chosen.
    let mut ivan = shop.customer("+359888765432", 600.0);
    ivan.call(&shop.uri(NUMBER));
    ivan.confirmed(SOON);
    ivan.press("92");
    shop.hears("bg", "Въведете четирите цифри от бележката.");
    ivan.press("4712");
    boris.event("ringing", SOON);
    boris.refuse(486);
    ivan.talk(A_SECOND * 4);
    ivan.press("#");
    ivan.disconnected(SOON);
    let call = shop.exchange.calls(2).into_iter().find(|call| call["from"]["number"] == "+359888765432");
    let call = call.expect("a record");
    let found = (call["outcome"].as_str(), mark(&call, "box"), mark(&call, "campaign"));
    assert_eq!(found, (Some("voicemail"), Some("shop"), Some("none")), "{call}");
    Heard::read(&shop.exchange.recording(&call)).assert_tone(600.0, A_SECOND);
    boris.heard().assert_tone(1000.0, A_SECOND);
}

#[test]
fn whoever_wants_a_bicycle_waits_for_an_agent_and_out_of_hours_the_file_says_what_follows() {
    let mut shop = open_shop();
    let mut ana = shop.phone("ana", 440.0);
    let mut maria = shop.customer(MARIA, 1000.0);
    shop.wait_for_state("ana", "available");
    maria.call(&shop.uri(NUMBER));
    shop.hears("en", MENU);
    maria.press("1");
    ana.event("ringing", SOON);
    ana.answer();
    talk(&mut maria, &mut ana);

    // Another version while she speaks: it takes the next call, and hers goes on.
    let closed = fs::read_to_string(folder("flow").join("shop.toml")).expect("the example is there");
    let closed = closed.replace("start = \"campaign\"", "start = \"shut\"")
        + "\n[steps.shut]\nsay = { en = \"We have moved.\" }\nthen = \"campaign\"\n";
    fs::write(
        shop.exchange.folder().join("shop.toml"),
        closed.replace("otherwise = \"closed\"", "otherwise = \"clsed\""),
    )
    .expect("the test's folder can be written");
    let (status, said, why) = shop.exchange.cli(&["flow", "push", "shop.toml", "--tenant", "shop"]);
    assert!(
        status == 1 && why.contains("14:13: there is no step \"clsed\"; write \"closed\""),
        "{said}{why}"
    );
    fs::write(shop.exchange.folder().join("shop.toml"), &closed).expect("the test's folder can be written");
    let (status, said, why) = shop.exchange.cli(&["flow", "push", "shop.toml", "--tenant", "shop"]);
    assert!(status == 0 && said.starts_with("shop 2 "), "{said}{why}");
    maria.talk(A_SECOND);
    maria.hang_up();
    ana.disconnected(SOON);

    let mut ivan = shop.customer("+359888765432", 600.0);
    ivan.call(&shop.uri(NUMBER));
    shop.hears("en", "We have moved.");
    shop.hears("en", MENU);
    ivan.hang_up();
    let calls = shop.exchange.calls(2);
    let versions: Vec<_> = calls.iter().map(|call| call["version"].as_str().unwrap_or_default()).collect();
    assert_ne!(versions[0], versions[1], "{calls:?}");

    let (status, said, why) = shop.exchange.cli(&["flow", "pull", "shop", "2", "--tenant", "shop"]);
    assert!(status == 0 && said == closed, "as it was written: {said}{why}");
    let (status, said, why) = shop.exchange.cli(&["script", "rollback", "shop", "--tenant", "shop"]);
    assert_eq!(status, 0, "{said}{why}");
    let mut again = shop.customer("+359888111222", 800.0);
    again.call(&shop.uri(NUMBER));
    shop.hears("en", WELCOME);
    again.hang_up();
}
