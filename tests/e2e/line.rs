//! Places in a line: who is next, who gets the old place back, who may not wait, and whose wait ends.

use std::time::Duration;

use serde_json::Value;
use tests::sipp::{UAC, UAC_LISTENS};
use tests::sound::tone_wav;

use crate::queues::{MUSIC_HZ, wait_for_line, world};
use crate::world::{LATER, SOON, World, mark};

const A_SECOND: Duration = Duration::from_secs(1);
const MARIA: &str = "+359888123456";
const PETAR: &str = "+359888765432";

/// The numbers of those in line, the first first.
pub fn line(world: &World) -> Vec<String> {
    let queue = world.exchange.get("/tenants/demo/queues/sales");
    let waiting = queue["waiting"].as_array().into_iter().flatten();
    waiting.map(|caller| caller["number"].as_str().unwrap_or("-").to_owned()).collect()
}

/// The record of a number's last call.
#[track_caller]
fn record(calls: &[Value], number: &str) -> Value {
    let mut calls = calls.iter().rev();
    calls.find(|call| call["from"]["number"] == number).expect("a record").clone()
}

#[test]
fn a_customer_who_spoke_with_the_company_before_goes_first() {
    let mut world = World::with(|_| {
        "  [[tenant.queue]]\n  name = \"sales\"\n  agents = [\"ana\"]\n  [[tenant.number]]\n  number = \"800\"\n  \
         script = \"strowger/queue\"\n  settings = { queue = \"sales\", known = { conversations = 1, days = 30 } }\n"
            .to_owned()
    });
    // She has spoken with Boris once.
    let mut boris = world.pjsua("boris", 600.0);
    let before = world.caller(UAC_LISTENS, MARIA, "701").start();
    boris.event("ringing", SOON);
    boris.answer();
    boris.confirmed(SOON);
    boris.talk(A_SECOND / 4);
    boris.hang_up();
    before.finish(SOON).assert_all(1);
    world.exchange.calls(1);

    let stranger = world.caller(UAC_LISTENS, PETAR, "800").start();
    wait_for_line(&mut world, 1);
    let known = world.caller(UAC_LISTENS, MARIA, "800").start();
    wait_for_line(&mut world, 2);
    assert_eq!(line(&world), [MARIA, PETAR]);
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
    known.finish(SOON).assert_all(1);
    stranger.finish(SOON).assert_all(1);
}

#[test]
fn whoever_loses_the_call_and_calls_again_has_the_old_place() {
    let mut world = world("  agents = [\"ana\"]\n  resume = \"1 min\"\n");
    let lost = world.caller(UAC, MARIA, "800").talks(A_SECOND * 3).start();
    wait_for_line(&mut world, 1);
    let next = world.caller(UAC_LISTENS, PETAR, "800").start();
    wait_for_line(&mut world, 2);
    lost.finish(SOON).assert_all(1);
    wait_for_line(&mut world, 1);
    assert_eq!(line(&world), [PETAR]);
    let again = world.caller(UAC_LISTENS, MARIA, "800").start();
    wait_for_line(&mut world, 2);
    assert_eq!(line(&world), [MARIA, PETAR]);
    let mut ana = world.pjsua("ana", 440.0);
    for _ in 0..2 {
        ana.event("ringing", SOON);
        ana.answer();
        ana.confirmed(SOON);
        ana.talk(A_SECOND / 4);
        ana.hang_up();
        ana.disconnected(SOON);
    }
    again.finish(SOON).assert_all(1);
    next.finish(SOON).assert_all(1);
}

#[test]
fn an_agent_of_two_queues_has_one_call_at_a_time() {
    let mut world = world(
        "  agents = [\"ana\"]\n  [[tenant.queue]]\n  name = \"support\"\n  agents = [\"ana\"]\n  [[tenant.number]]\n  \
         number = \"801\"\n  script = \"strowger/queue\"\n  settings = { queue = \"support\" }\n",
    );
    let mut ana = world.pjsua("ana", 440.0);
    let callers = [("800", MARIA), ("801", PETAR)]
        .map(|(number, from)| world.caller(UAC_LISTENS, from, number).start());
    for served in 1..=2 {
        ana.event("ringing", SOON);
        ana.answer();
        ana.confirmed(SOON);
        ana.talk(A_SECOND);
        let agent = world.exchange.get("/tenants/demo/agents/ana");
        assert_eq!((&agent["offered"], &agent["state"]), (&served.into(), &"talking".into()), "{agent}");
        ana.hang_up();
        ana.disconnected(SOON);
    }
    for caller in callers {
        caller.finish(SOON).assert_all(1);
    }
    let answered = world.exchange.calls(2);
    assert!(answered.iter().all(|call| call["answered_by"] == "ana"), "{answered:?}");
}

#[test]
fn the_longest_wait_ends_in_the_next_scheme_and_who_may_not_wait_is_there_at_once() {
    let way_out = "otherwise = [{ ring = { places = [\"user:boris\"] } }]";
    let mut world = World::with(|_| {
        let queue = |number: &str, name: &str, rules: &str| {
            format!(
                "  [[tenant.queue]]\n  name = \"{name}\"\n  agents = [\"ana\"]\n{rules}  [[tenant.number]]\n  number = \
                 \"{number}\"\n  script = \"strowger/queue\"\n  settings = {{ queue = \"{name}\", {way_out} }}\n"
            )
        };
        queue("800", "sales", "  longest_wait = 3\n")
            + &queue("801", "costly", "    [tenant.queue.settings]\n    only_if_free = true\n")
    });
    let mut boris = world.pjsua("boris", 600.0);
    for (number, from) in [("800", MARIA), ("801", PETAR)] {
        let caller = world.caller(UAC_LISTENS, from, number).start();
        boris.event("ringing", LATER);
        boris.answer();
        boris.confirmed(SOON);
        boris.talk(A_SECOND / 4);
        boris.hang_up();
        boris.disconnected(SOON);
        caller.finish(SOON).assert_all(1);
    }
    let calls = world.exchange.calls(2);
    let (waited, refused) = (record(&calls, MARIA), record(&calls, PETAR));
    assert_eq!(mark(&waited, "overflow"), Some("longest-wait"), "{waited}");
    assert_eq!(mark(&refused, "overflow"), Some("nobody"), "{refused}");
    for call in [waited, refused] {
        assert_eq!(call["answered_by"], "boris", "{call}");
    }
    let queue = world.exchange.get("/tenants/demo/queues/sales");
    assert_eq!(queue["today"]["overflowed"], 1, "{queue}");
}

#[test]
fn whoever_would_wait_too_long_and_whoever_presses_a_key_goes_another_way_at_once() {
    let mut world = World::with(|_| {
        r#"  [[tenant.queue]]
  name = "sales"
  agents = ["ana"]
  handling = "5 min"
    [tenant.queue.settings]
    longest_expected = 400
  [[tenant.number]]
  number = "800"
  script = "strowger/queue"
    [tenant.number.settings]
    queue = "sales"
    keys = { 5 = { ring = { places = ["boris"] } } }
    otherwise = [{ ring = { places = ["boris"] } }]
"#
        .to_owned()
    });
    let mut ana = world.pjsua("ana", 440.0);
    let mut boris = world.pjsua("boris", 600.0);
    let talks = world.caller(UAC_LISTENS, "+359888111222", "800").start();
    ana.event("ringing", SOON);
    ana.answer();
    ana.confirmed(SOON);
    // Five minutes are not too long, ten are.
    let mut maria = world.customer(MARIA, 1000.0);
    maria.call(&world.uri("800"));
    maria.confirmed(SOON);
    wait_for_line(&mut world, 1);
    let refused = world.caller(UAC_LISTENS, PETAR, "800").start();
    boris.event("ringing", SOON);
    boris.answer();
    boris.confirmed(SOON);
    boris.talk(A_SECOND / 4);
    boris.hang_up();
    boris.disconnected(SOON);
    refused.finish(SOON).assert_all(1);
    assert_eq!(line(&world), [MARIA]);

    maria.press("5");
    boris.event("ringing", SOON);
    boris.answer();
    boris.confirmed(SOON);
    maria.talk(A_SECOND);
    maria.hang_up();
    boris.disconnected(SOON);
    wait_for_line(&mut world, 0);
    ana.hang_up();
    talks.finish(SOON).assert_all(1);
    let calls = world.exchange.calls(3);
    let (refused, jumped) = (record(&calls, PETAR), record(&calls, MARIA));
    assert_eq!((mark(&refused, "overflow"), &refused["answered_by"]), (Some("too-long"), &"boris".into()));
    assert_eq!((mark(&jumped, "overflow"), &jumped["answered_by"]), (None, &"boris".into()), "{jumped}");
}

#[test]
fn an_agent_who_is_there_is_heard_at_once_whatever_is_being_said() {
    let mut world = world(
        "  agents = [\"ana\"]\n    [tenant.queue.settings.announce]\n    first = 1\n    position = false\n    before = \
         [\"offers\"]\n",
    );
    world.exchange.keep_prompt("offers", tone_wav(500.0, A_SECOND * 40));
    let mut maria = world.customer(MARIA, 1000.0);
    maria.call(&world.uri("800"));
    maria.confirmed(SOON);
    wait_for_line(&mut world, 1);
    maria.talk(A_SECOND * 3);
    let mut ana = world.pjsua("ana", 440.0);
    ana.event("ringing", SOON);
    ana.answer();
    ana.confirmed(SOON);
    maria.talk(A_SECOND * 2);
    maria.hang_up();
    ana.disconnected(SOON);
    let heard = maria.heard();
    heard.assert_tone(500.0, A_SECOND);
    heard.assert_tone(440.0, A_SECOND * 3 / 2);
}

#[test]
fn a_key_cuts_the_greeting_short_and_the_waiting_begins() {
    let mut world = World::with(|_| {
        "  [[tenant.queue]]\n  name = \"sales\"\n  agents = [\"ana\"]\n  music = \"waiting\"\n  [[tenant.number]]\n  \
         number = \"800\"\n  script = \"strowger/queue\"\n  settings = { queue = \"sales\", greeting = [\"hello\"] }\n"
            .to_owned()
    });
    world.exchange.keep_prompt("waiting", tone_wav(MUSIC_HZ, A_SECOND));
    world.exchange.keep_prompt("hello", tone_wav(500.0, A_SECOND * 20));
    let mut maria = world.customer(MARIA, 1000.0);
    maria.call(&world.uri("800"));
    maria.confirmed(SOON);
    maria.talk(A_SECOND);
    maria.press("1");
    wait_for_line(&mut world, 1);
    maria.talk(A_SECOND * 2);
    maria.hang_up();
    maria.disconnected(SOON);
    let heard = maria.heard();
    heard.assert_tone(MUSIC_HZ, A_SECOND);
    let greeting = heard.tone(500.0).length;
    assert!(greeting < A_SECOND * 15, "the greeting went on for {greeting:?}");
}
