//! `kill -9` in the middle of calls: they go on. Telephones hear by a re-INVITE where their sound goes now, a menu is
//! heard again, two who talked talk, and whoever waited stands where they stood.

use std::fs;
use std::net::SocketAddrV4;
use std::time::{Duration, Instant};

use serde_json::Value;
use tests::exchange::Exchange;
use tests::pjsua::{Pjsua, Setup};
use tests::sipp::UAC_LISTENS;

use crate::line::line;
use crate::queues::{sections, wait_for_line};
use crate::world::{GREETING_HZ, LATER, SOON, World, password};

const A_SECOND: Duration = Duration::from_secs(1);
/// From the start to the menu that is heard again.
const TWO_SECONDS: Duration = Duration::from_secs(2);
const MARIA: &str = "+359888123456";
const PETAR: &str = "+359888765432";

fn kill_and_start_again(world: &mut World) {
    world.exchange.kill();
    world.exchange.start_again();
}

/// A telephone that talks: its sound has been agreed upon.
#[track_caller]
fn is_up(phone: &mut Pjsua) {
    phone.event("media", SOON);
    phone.confirmed(SOON);
}

/// The calls that are up now.
fn live(exchange: &Exchange) -> Vec<Value> {
    let calls = exchange.get("/tenants/demo/calls?live=true");
    calls["calls"].as_array().cloned().unwrap_or_default()
}

#[track_caller]
fn no_call_is_up(world: &mut World) {
    world.exchange.eventually("an end of all calls", |exchange| live(exchange).is_empty().then_some(()));
}

#[test]
fn a_caller_in_a_menu_hears_it_again_within_two_seconds_and_keys_work() {
    let mut world = World::new();
    let mut boris = world.pjsua("boris", 600.0);
    let mut maria = world.customer(MARIA, 1000.0);
    maria.call(&world.uri("700"));
    is_up(&mut maria);
    maria.talk(A_SECOND * 3 / 2); // she has heard the greeting, and thinks
    world.exchange.kill();
    world.exchange.start_again();
    let ready = Instant::now();
    maria.event("media", TWO_SECONDS);
    println!("the re-INVITE came {:?} after the start", ready.elapsed());
    maria.talk(A_SECOND * 3 / 2);
    maria.press("2");
    boris.event("ringing", SOON);
    boris.answer();
    boris.confirmed(SOON);
    maria.talk(TWO_SECONDS);
    boris.hang_up();
    maria.disconnected(SOON);
    let call = world.exchange.calls(1).remove(0);
    let said = ["outcome", "answered_by", "script"].map(|key| call[key].as_str().unwrap_or("-"));
    assert_eq!(said, ["answered", "boris", "strowger/menu"], "{call:#}");
    let heard = maria.heard();
    heard.assert_tone(GREETING_HZ, A_SECOND * 17 / 10);
    heard.assert_tone(600.0, A_SECOND);
    boris.heard().assert_tone(1000.0, A_SECOND);

    // The tape has one run, as if nothing had been: it replays.
    let id = call["id"].as_str().unwrap_or_default();
    let (status, said, why) = world.exchange.cli(&["replay", id, "--tenant", "demo", "--json"]);
    let found: Value = serde_json::from_str(&said).unwrap_or_else(|_| panic!("{status} {said} {why}"));
    assert_eq!((status, &found["findings"][0]["same"]), (0, &Value::Bool(true)), "{found:#}");
    no_call_is_up(&mut world);
}

#[test]
fn two_who_talk_hear_each_other_again_also_after_a_second_kill() {
    let mut world = World::new();
    let mut ana = world.baresip("ana", 440.0, "");
    let mut vera = world.pjsua("vera", 1000.0);
    vera.call(&world.uri("101"));
    ana.event("CALL_INCOMING", SOON);
    ana.accept();
    is_up(&mut vera);
    vera.talk(A_SECOND);
    for _ in 0..2 {
        kill_and_start_again(&mut world);
        vera.event("media", TWO_SECONDS);
        vera.talk(TWO_SECONDS);
    }
    // Hold and back, by a telephone that has heard nothing of all this but the re-INVITEs.
    vera.hold();
    vera.event("media", SOON);
    vera.resume();
    vera.event("media", SOON);
    vera.talk(A_SECOND);
    vera.hang_up();
    ana.event("CALL_CLOSED", SOON);
    let call = world.exchange.calls(1).remove(0);
    assert_eq!((call["outcome"].as_str(), call["answered_by"].as_str()), (Some("answered"), Some("ana")));
    assert!(call["talk"].as_f64().is_some_and(|talk| talk > 6.0), "from the first word on: {call:#}");
    assert_eq!(call["legs"].as_array().map(Vec::len), Some(2), "{call:#}");
    vera.heard().assert_tone(440.0, A_SECOND * 4);
    ana.heard().assert_tone(1000.0, A_SECOND * 4);
    no_call_is_up(&mut world);
}

#[test]
fn two_who_talk_encrypted_get_new_keys_and_hear_each_other_again() {
    let mut world =
        World::listening(|_, _| (Vec::new(), "  srtp_keys_unsecured = true\n".into(), String::new()));
    let encrypted = Setup { srtp: Some("mandatory"), ..Setup::default() };
    let mut ana = world.pjsua_with("ana", 440.0, encrypted);
    let mut vera = world.pjsua_with("vera", 1000.0, encrypted);
    vera.call(&world.uri("101"));
    ana.event("ringing", SOON);
    ana.answer();
    is_up(&mut vera);
    is_up(&mut ana);
    vera.talk(A_SECOND);
    for _ in 0..2 {
        kill_and_start_again(&mut world);
        vera.event("media", TWO_SECONDS);
        vera.talk(TWO_SECONDS);
    }
    vera.hang_up();
    ana.disconnected(SOON);
    vera.heard().assert_tone(440.0, A_SECOND * 3);
    ana.heard().assert_tone(1000.0, A_SECOND * 3);
    no_call_is_up(&mut world);
}

#[test]
fn callers_in_line_keep_their_places_and_the_first_is_next() {
    let mut world = World::with(|_| sections("  agents = [\"ana\"]\n"));
    let mut petar = world.customer(PETAR, 800.0);
    petar.call(&world.uri("800"));
    is_up(&mut petar);
    wait_for_line(&mut world, 1);
    petar.talk(A_SECOND);
    let maria = world.caller(UAC_LISTENS, MARIA, "800").start();
    wait_for_line(&mut world, 2);
    kill_and_start_again(&mut world);
    assert_eq!(line(&world), [PETAR, MARIA]);
    let first = world.exchange.get("/tenants/demo/queues/sales")["waiting"][0]["waited"].clone();
    assert!(first.as_f64().is_some_and(|seconds| seconds > 1.0), "since he came: {first}");
    petar.event("media", TWO_SECONDS);
    let mut ana = world.pjsua("ana", 440.0);
    let from = ana.event("ringing", SOON)["from"].to_string();
    assert!(from.contains(PETAR), "{from}");
    ana.answer();
    ana.confirmed(SOON);
    petar.talk(TWO_SECONDS);
    // A kill in the conversation: she is still at work, and the next caller waits on.
    kill_and_start_again(&mut world);
    petar.event("media", TWO_SECONDS);
    let agents = world.exchange.get("/tenants/demo/agents");
    assert_eq!(agents["agents"][0]["state"], "talking", "{agents}");
    petar.talk(TWO_SECONDS);
    petar.hang_up();
    ana.disconnected(SOON);
    petar.heard().assert_tone(440.0, A_SECOND * 3);
    drop(maria);
}

#[test]
fn a_telephone_whose_connection_went_with_the_exchange_goes_on_when_it_registers_again() {
    let mut world = World::new();
    let mut vera = world.pjsua_with("vera", 1000.0, Setup { tcp: true, ..Setup::default() });
    let mut boris = world.pjsua_with("boris", 600.0, Setup { tcp: true, ..Setup::default() });
    for (phone, number) in [(&mut vera, "700"), (&mut boris, "702")] {
        phone.call(&world.uri(number));
        is_up(phone);
    }
    vera.talk(A_SECOND);
    // Their Contacts are the connections' own ports: nobody can call them back there.
    kill_and_start_again(&mut world);
    assert_eq!(world.register(&mut vera, "vera", password("vera")), 200);
    vera.talk(A_SECOND * 4);
    vera.hang_up();
    vera.disconnected(SOON);
    vera.heard().assert_tone(GREETING_HZ, A_SECOND * 3 / 2);
    // The other one does not come back, and is let go.
    world.exchange.calls(2);
    no_call_is_up(&mut world);
    drop(boris);
}

#[test]
fn whoever_left_while_the_exchange_was_gone_leaves_nothing_behind() {
    let mut world = World::new();
    let at = SocketAddrV4::new(*world.carrier.ip(), 5300);
    let mut maria = Pjsua::start(at, 1000.0);
    maria.call(&world.uri("700"));
    is_up(&mut maria);
    maria.talk(A_SECOND);
    world.exchange.kill();
    // The telephone is switched off and on again: it knows of no call.
    drop(maria);
    let mut maria = Pjsua::start(at, 1000.0);
    world.exchange.start_again();
    let call = world.exchange.calls(1).remove(0);
    assert_eq!(call["script"], "strowger/menu", "{call:#}");
    no_call_is_up(&mut world);
    maria.call(&world.uri("700"));
    is_up(&mut maria);
    maria.hang_up();
    maria.disconnected(SOON);
}

#[test]
fn a_call_that_is_not_taken_up_is_ended_and_the_record_says_why() {
    let mut world = World::new();
    let mut maria = world.customer(MARIA, 1000.0);
    maria.call(&world.uri("700"));
    is_up(&mut maria);
    maria.talk(A_SECOND);
    world.exchange.kill();
    let file = world.exchange.folder().join("strowger.toml");
    let text = fs::read_to_string(&file).expect("the configuration is there");
    fs::write(&file, text.replacen("[node]", "[node]\nrecover_calls = false", 1)).expect("it can be written");
    world.exchange.start_again();
    maria.disconnected(SOON);
    let call = world.exchange.calls(1).remove(0);
    assert_eq!(call["outcome"], "failed", "{call:#}");
    assert_eq!(call["failure"], "the exchange stopped while the call was up", "{call:#}");
    assert_eq!(call["legs"][0]["end"], "the exchange stopped while the call was up", "{call:#}");
    no_call_is_up(&mut world);

    // From here on nothing is kept, and a call that is cut off is in the register all the same.
    maria.call(&world.uri("700"));
    maria.confirmed(SOON);
    maria.talk(A_SECOND);
    kill_and_start_again(&mut world);
    assert_eq!(world.exchange.calls(2).len(), 2);
    maria.hang_up();
    maria.disconnected(LATER);
}
