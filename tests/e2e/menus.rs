//! Menus on telephones: down and up again, wrong keys and none, another language, keys pressed ahead; and a way for each
//! kind of caller.

use std::time::Duration;

use tests::sipp::UAC_LISTENS;
use tests::sound::tone_wav;
use tests::speech::SpeechServer;

use crate::line::line;
use crate::queues::wait_for_line;
use crate::world::{SOON, World, mark};

const A_SECOND: Duration = Duration::from_secs(1);
const A_WHILE: Duration = Duration::from_millis(1500);
const MARIA: &str = "+359888123456";
const PETAR: &str = "+359888765432";
const IVAN: &str = "+359888111222";

/// What is said in the menu of 900, a second each.
const TOP_HZ: f64 = 500.0;
const BELOW_HZ: f64 = 900.0;
const WRONG_HZ: f64 = 1300.0;
const NONE_HZ: f64 = 1800.0;

/// A menu with one below it, and the server that speaks the words after the tones.
fn menus() -> (World, SpeechServer) {
    let mut server = None;
    let world = World::with(|net| {
        let speech = server.insert(SpeechServer::start(net.sip()));
        let menu = r#"  [[tenant.number]]
  number = "900"
  script = "strowger/menu"
    [tenant.number.settings]
    language = "en"
    [tenant.number.settings.menu]
    prompts = ["top", { en = "Choose.", bg = "Изберете." }]
    wrong_key = "wrong"
    no_key = "none"
    retries = 1
    wait = 2
    otherwise = { ring = { places = ["ana"] } }
      [tenant.number.settings.menu.choices]
      8 = { language = "bg" }
      2 = { menu = { prompts = ["below", { en = "Choose again.", bg = "Изберете пак." }], choices = { 1 = { ring = { places = ["boris"] } }, "*" = "back" } } }
"#;
        format!("{menu}{}", speech.section())
    });
    for (name, hz) in [("top", TOP_HZ), ("below", BELOW_HZ), ("wrong", WRONG_HZ), ("none", NONE_HZ)] {
        world.exchange.keep_prompt(name, tone_wav(hz, A_SECOND));
    }
    (world, server.expect("the world has it"))
}

#[test]
fn a_caller_goes_down_and_up_again_changes_the_language_and_is_asked_again_after_a_wrong_key() {
    let (mut world, mut speech) = menus();
    let mut boris = world.pjsua("boris", 600.0);
    let mut maria = world.customer(MARIA, 1000.0);
    maria.call(&world.uri("900"));
    maria.confirmed(SOON);
    assert!(speech.speaks("en", "Choose.", SOON), "{:?}", speech.heard());
    maria.press("7");
    maria.talk(A_WHILE * 2);
    maria.press("2");
    assert!(speech.speaks("en", "Choose again.", SOON), "{:?}", speech.heard());
    maria.talk(A_WHILE);
    maria.press("*");
    maria.talk(A_WHILE);
    maria.press("8");
    assert!(speech.speaks("bg", "Изберете.", SOON), "{:?}", speech.heard());
    // Whoever knows the menu does not wait for its words.
    maria.press("21");
    boris.event("ringing", SOON);
    boris.answer();
    boris.confirmed(SOON);
    maria.talk(A_WHILE);
    maria.hang_up();
    boris.disconnected(SOON);
    let call = world.exchange.calls(1).remove(0);
    assert_eq!((call["answered_by"].as_str(), mark(&call, "menu")), (Some("boris"), Some("1")), "{call}");
    boris.heard().assert_tone(1000.0, A_SECOND);
    let heard = maria.heard();
    heard.assert_tone(WRONG_HZ, A_SECOND * 7 / 10);
    heard.assert_tone(BELOW_HZ, A_SECOND * 7 / 10);
    // After the wrong key, and from below.
    heard.assert_tone(TOP_HZ, A_SECOND * 17 / 10);
    heard.assert_no_tone(NONE_HZ);
    heard.assert_tone(600.0, A_SECOND);
}

#[test]
fn whoever_presses_nothing_is_asked_once_more_and_then_someone_answers() {
    let (mut world, _speech) = menus();
    let mut ana = world.pjsua("ana", 440.0);
    let mut maria = world.customer(MARIA, 1000.0);
    maria.call(&world.uri("900"));
    maria.confirmed(SOON);
    ana.event("ringing", SOON);
    ana.answer();
    ana.confirmed(SOON);
    maria.talk(A_WHILE);
    maria.hang_up();
    ana.disconnected(SOON);
    let call = world.exchange.calls(1).remove(0);
    assert_eq!((call["answered_by"].as_str(), mark(&call, "menu")), (Some("ana"), None), "{call}");
    let heard = maria.heard();
    heard.assert_tone(TOP_HZ, A_SECOND * 17 / 10);
    heard.assert_tone(NONE_HZ, A_SECOND * 7 / 10);
    heard.assert_no_tone(WRONG_HZ);
}

#[test]
fn each_kind_of_caller_has_a_way_a_person_and_a_priority() {
    let mut world = World::with(|_| {
        r#"  [[tenant.queue]]
  name = "sales"
  agents = ["ana"]
  [[tenant.number]]
  number = "900"
  script = "strowger/menu"
    [tenant.number.settings.menu]
    prompts = ["greeting"]
    retries = 0
    wait = 1
    otherwise = { hand_over = { script = "strowger/queue", settings = { queue = "sales" } } }
      [tenant.number.settings.menu.choices]
      1 = { ring = { places = ["boris"] } }
      2 = { hand_over = { script = "strowger/queue", settings = { queue = "sales", priority = 50 } } }
"#
        .to_owned()
    });
    // A customer says nothing, a partner presses 2, an applicant 1.
    let customer = world.caller(UAC_LISTENS, PETAR, "900").start();
    wait_for_line(&mut world, 1);
    let mut partner = world.customer(MARIA, 1000.0);
    partner.call(&world.uri("900"));
    partner.confirmed(SOON);
    partner.press("2");
    wait_for_line(&mut world, 2);
    assert_eq!(line(&world), [MARIA, PETAR]);
    let mut boris = world.pjsua("boris", 600.0);
    let mut applicant = world.customer(IVAN, 700.0);
    applicant.call(&world.uri("900"));
    applicant.confirmed(SOON);
    applicant.press("1");
    boris.event("ringing", SOON);
    boris.answer();
    boris.confirmed(SOON);
    boris.talk(A_SECOND / 4);
    boris.hang_up();
    applicant.disconnected(SOON);

    let mut ana = world.pjsua("ana", 440.0);
    for number in [MARIA, PETAR] {
        let from = ana.event("ringing", SOON)["from"].as_str().unwrap_or_default().to_owned();
        assert!(from.contains(number), "{from}");
        ana.answer();
        ana.confirmed(SOON);
        ana.talk(A_SECOND / 4);
        ana.hang_up();
        ana.disconnected(SOON);
    }
    customer.finish(SOON).assert_all(1);
    let calls = world.exchange.calls(3);
    let answered = |number: &str| {
        let call = calls.iter().find(|call| call["from"]["number"] == number).expect("a record");
        (call["answered_by"].as_str().unwrap_or("-").to_owned(), mark(call, "menu").map(str::to_owned))
    };
    assert_eq!(answered(IVAN), ("boris".into(), Some("1".into())));
    assert_eq!(answered(MARIA), ("ana".into(), Some("2".into())));
    assert_eq!(answered(PETAR), ("ana".into(), None));
}
