//! Messages from the caller's mouth to the ear of whoever they are for: by telephone, by mail, by API.

use std::time::Duration;

use serde_json::Value;
use tests::pjsua::Pjsua;
use tests::sound::{Heard, tone_wav};

use crate::notices::Outside;
use crate::world::{LATER, SOON, World};

const A_SECOND: Duration = Duration::from_secs(1);
const MARIA: &str = "+359888123456";
/// What the box says of a message, and the message.
const TO_HEAR_ALL: Duration = Duration::from_secs(22);
const MARIA_HZ: f64 = 600.0;
const GREETING_HZ: f64 = 1300.0;

/// Boxes with mail for one of them; 820 takes messages for ana, 830 for the office, 840 is where they are heard.
fn world(office: &str) -> (World, Outside) {
    let mut outside = None;
    let world = World::with(|net| {
        let outside = outside.insert(Outside::new(net.host()));
        format!(
            r#"{mail}  [[tenant.notify]]
  name = "office"
  events = ["voicemail"]
  boxes = ["office"]
  mail = "office@demo.example"
  digest = "0 s"
  [[tenant.mailbox]]
  name = "ana"
  pin = "4711"
  [[tenant.mailbox]]
  name = "office"
  {office}
  [[tenant.number]]
  number = "820"
  script = "strowger/voicemail"
  settings = {{ box = "ana", promise = [] }}
  [[tenant.number]]
  number = "830"
  script = "strowger/voicemail"
  settings = {{ box = "office", greeting = [], promise = [] }}
  [[tenant.number]]
  number = "840"
  script = "strowger/mailbox"
"#,
            mail = outside.mail(),
        )
    });
    // Nobody has to hear the usual words to the end.
    world.exchange.keep_prompt("greeting-ana", tone_wav(GREETING_HZ, A_SECOND));
    (world, outside.expect("made with the world"))
}

/// Maria leaves a message of so many seconds.
fn leaves_message(world: &World, number: &str, seconds: u32) -> Heard {
    let mut maria = world.customer(MARIA, MARIA_HZ);
    maria.call(&world.uri(number));
    maria.confirmed(SOON);
    maria.talk(A_SECOND * (seconds + 2));
    maria.hang_up();
    maria.heard()
}

/// What is in a box, once there are so many messages.
#[track_caller]
fn messages(world: &mut World, inbox: &str, count: usize) -> Vec<Value> {
    world.exchange.eventually(&format!("{count} messages"), |exchange| {
        let found = exchange.get(&format!("/tenants/demo/mailboxes/{inbox}"));
        found["messages"].as_array().filter(|messages| messages.len() == count).cloned()
    })
}

/// Somebody listens for so long, presses a key, and hangs up a moment later.
fn listens(phone: &mut Pjsua, time: Duration, keys: &str) {
    phone.talk(time);
    phone.press(keys);
    phone.talk(A_SECOND * 2);
    phone.hang_up();
}

#[test]
fn a_message_survives_a_kill_is_heard_at_the_own_telephone_and_deleted_there() {
    let (mut world, _outside) = world("");
    leaves_message(&world, "820", 4).assert_tone(GREETING_HZ, A_SECOND * 8 / 10);
    let left = messages(&mut world, "ana", 1).remove(0);
    assert_eq!((&left["number"], &left["heard"]), (&MARIA.into(), &false.into()), "{left}");
    assert!(left["seconds"].as_f64().is_some_and(|seconds| (2.5..7.0).contains(&seconds)), "{left}");
    world.exchange.kill();
    world.exchange.start_again();

    let mut ana = world.pjsua("ana", 440.0);
    ana.call(&world.uri("840"));
    ana.confirmed(SOON);
    listens(&mut ana, TO_HEAR_ALL, "3");
    ana.heard().assert_tone(MARIA_HZ, A_SECOND * 2);
    messages(&mut world, "ana", 0);
    let name = left["id"].as_str().expect("a name");
    let (status, _) = world.exchange.send("GET", &format!("/tenants/demo/recordings/{name}"), "");
    assert_eq!(status, 404, "its sound is gone");
}

#[test]
fn from_elsewhere_a_pin_opens_the_box_and_a_wrong_one_does_not() {
    let (mut world, _outside) = world("");
    leaves_message(&world, "820", 4);
    let left = messages(&mut world, "ana", 1).remove(0);
    let path = format!("/tenants/demo/mailboxes/ana/messages/{}", left["id"].as_str().expect("a name"));
    for (pin, heard) in [("0000#", false), ("4711#", true)] {
        let mut ana = world.customer("+359888000101", 440.0);
        ana.call(&world.uri("840"));
        ana.confirmed(SOON);
        ana.talk(A_SECOND);
        ana.press("101#");
        ana.talk(A_SECOND);
        ana.press(pin);
        ana.talk(TO_HEAR_ALL);
        ana.hang_up();
        let sound = ana.heard();
        match heard {
            true => sound.assert_tone(MARIA_HZ, A_SECOND * 2),
            false => sound.assert_no_tone(MARIA_HZ),
        }
    }
    let seen = messages(&mut world, "ana", 1).remove(0);
    assert_eq!(seen["heard"], true, "{seen}");
    assert_eq!(world.exchange.send("PATCH", &path, "{\"heard\": false}").0, 204);
    assert_eq!(messages(&mut world, "ana", 1)[0]["heard"], false);
    assert_eq!(world.exchange.send("DELETE", &path, "").0, 204);
    messages(&mut world, "ana", 0);
}

#[test]
fn a_message_for_the_office_goes_by_mail_and_is_not_kept_where_that_is_enough() {
    let (mut world, mut outside) = world("delete_after_mail = true");
    leaves_message(&world, "830", 3);
    let mail = outside.next("mail");
    assert_eq!(mail["to"][0], "office@demo.example", "{mail}");
    let attached = mail["attached"][0].as_array().expect("the message");
    assert!(attached[1].as_u64().is_some_and(|bytes| bytes > 16_000), "{mail}");
    messages(&mut world, "office", 0);
    // What is for ana is no news to the office.
    leaves_message(&world, "820", 3);
    messages(&mut world, "ana", 1);
    assert!(outside.rest("mail", A_SECOND * 3).is_empty());
}

#[test]
fn a_full_box_takes_no_further_message_and_a_short_one_is_none() {
    let (mut world, _outside) = world("most = 1\n  shortest = 2");
    leaves_message(&world, "830", 0);
    leaves_message(&world, "830", 4);
    messages(&mut world, "office", 1);
    world.exchange.calls(2);
    // It says so, and hangs up.
    world.patient_calls("830").calls(1, 1).run(LATER).assert_all(1);
    let calls = world.exchange.calls(3);
    messages(&mut world, "office", 1);
    let last = calls.last().expect("a third call");
    assert!(last["recordings"].as_array().is_some_and(Vec::is_empty), "{last}");
}
