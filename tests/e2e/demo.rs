//! The demo's numbers, called by three makes of telephone: the menu on 700, the group on 701, the echo on 702.

use std::time::Duration;

use tests::exchange::Exchange;
use tests::sipp::Sipp;

use crate::world::{GREETING_HZ, SOON, World};

const A_WHILE: Duration = Duration::from_secs(2);
const A_SECOND: Duration = Duration::from_secs(1);

#[test]
fn a_telephone_that_calls_702_hears_itself() {
    let world = World::new();
    let mut ana = world.pjsua("ana", 440.0);
    let mut boris = world.baresip("boris", 600.0, "");
    ana.call(&world.uri("702"));
    boris.dial(&world.uri("702"));
    ana.confirmed(SOON);
    boris.event("CALL_ESTABLISHED", SOON);
    ana.talk(A_WHILE);
    ana.hang_up();
    boris.hang_up();
    ana.disconnected(SOON);
    boris.event("CALL_CLOSED", SOON);

    let heard = ana.heard();
    heard.assert_tone(440.0, A_SECOND);
    heard.assert_no_tone(600.0);
    boris.heard().assert_tone(600.0, A_SECOND);
    boris.heard().assert_no_tone(440.0);
}

#[test]
fn a_key_in_the_menu_of_700_rings_who_belongs_to_it() {
    let world = World::new();
    let mut ana = world.pjsua("ana", 440.0);
    let mut boris = world.baresip("boris", 600.0, "");
    let mut vera = world.pjsua("vera", 1000.0);

    vera.call(&world.uri("700"));
    vera.confirmed(SOON);
    vera.talk(A_SECOND);
    vera.press("2");
    boris.event("CALL_INCOMING", SOON);
    boris.accept();
    boris.event("CALL_ESTABLISHED", SOON);
    vera.talk(A_WHILE);
    vera.hang_up();
    vera.disconnected(SOON);
    boris.event("CALL_CLOSED", SOON);
    boris.heard().assert_tone(1000.0, A_SECOND);

    // The other way round: baresip presses, pjsua2 rings.
    boris.dial(&world.uri("700"));
    boris.event("CALL_ESTABLISHED", SOON);
    vera.talk(A_SECOND);
    boris.press("1");
    // Only now: ana's telephone was silent while boris's rang.
    ana.event("ringing", SOON);
    ana.answer();
    ana.confirmed(SOON);
    ana.talk(A_WHILE);
    ana.hang_up();
    ana.disconnected(SOON);
    boris.event("CALL_CLOSED", SOON);

    ana.heard().assert_tone(600.0, A_SECOND);
    boris.heard().assert_tone(440.0, A_SECOND);
    let heard = vera.heard();
    heard.assert_tone(GREETING_HZ, A_SECOND * 7 / 10);
    heard.assert_tone(600.0, A_SECOND);
    heard.assert_no_tone(440.0);
}

#[test]
fn the_first_to_answer_701_gets_the_call_and_the_others_learn_that_it_was_answered_elsewhere() {
    let mut world = World::new();
    let mut ana = world.pjsua("ana", 440.0);
    let mut boris = world.pjsua("boris", 600.0);
    let mut vera = world.baresip("vera", 1000.0, "");

    // sipp's own scenario, from the carrier; it sends back what it hears.
    let talk = Duration::from_secs(5);
    let sipp = Sipp::builtin("uac", world.carrier).to(world.exchange.sip()).service("701");
    let sipp = sipp.calls(1, 1).talks(talk).echoes().start();
    ana.event("ringing", SOON);
    boris.event("ringing", SOON);
    vera.event("CALL_INCOMING", SOON);
    boris.answer();
    boris.confirmed(SOON);
    // RFC 3326 §2 and the words that telephones look for: no missed call is to be shown.
    let reason = ana.event("cancelled", SOON)["reason"].as_str().unwrap_or_default().to_lowercase();
    assert!(
        reason.starts_with("sip") && reason.contains("cause=200") && reason.contains("elsewhere"),
        "{reason}"
    );
    assert_eq!(ana.disconnected(SOON), 487);
    vera.event("CALL_CLOSED", SOON);
    boris.disconnected(SOON);
    sipp.finish(SOON).assert_all(1);

    let heard = boris.heard();
    heard.assert_tone(600.0, A_WHILE);
    let call = &world.exchange.calls(1)[0];
    assert_eq!(
        (call["outcome"].as_str(), call["answered_by"].as_str()),
        (Some("answered"), Some("boris")),
        "{call}"
    );
}

#[test]
fn baresip_and_pjsua2_reach_the_group_on_701() {
    let world = World::new();
    let mut ana = world.pjsua("ana", 440.0);
    let mut boris = world.baresip("boris", 600.0, "");
    boris.dial(&world.uri("701"));
    ana.event("ringing", SOON);
    ana.answer();
    ana.confirmed(SOON);
    boris.event("CALL_ESTABLISHED", SOON);
    ana.talk(A_WHILE);
    boris.hang_up();
    ana.disconnected(SOON);
    boris.event("CALL_CLOSED", SOON);
    boris.heard().assert_tone(440.0, A_SECOND);

    ana.call(&world.uri("701"));
    boris.event("CALL_INCOMING", SOON);
    boris.accept();
    ana.confirmed(SOON);
    ana.talk(A_WHILE);
    ana.hang_up();
    boris.event("CALL_CLOSED", SOON);
    ana.disconnected(SOON);
    boris.heard().assert_tone(440.0, A_SECOND);
    ana.heard().assert_tone(600.0, A_WHILE);
}

#[test]
fn sipps_own_caller_is_served_on_700_and_702() {
    let mut world = World::new();
    for number in ["700", "702"] {
        let sipp = Sipp::builtin("uac", world.carrier).to(world.exchange.sip()).service(number);
        sipp.calls(5, 5).talks(A_SECOND).run(SOON).assert_all(5);
    }
    let calls = world.exchange.calls(10);
    assert_eq!(calls.len(), 10);
    for (call, number) in calls.iter().zip([["700"; 5], ["702"; 5]].concat()) {
        assert_eq!(call["dialled"], number, "{call}");
        assert!(call["answered"].is_string() && call["failure"].is_null(), "{call}");
    }
}

#[test]
fn a_call_is_told_in_the_register_with_its_legs() {
    let mut world = World::new();
    let mut ana = world.pjsua("ana", 440.0);
    let mut boris = world.pjsua("boris", 600.0);
    ana.call(&world.uri("102"));
    boris.event("ringing", SOON);
    boris.answer();
    boris.confirmed(SOON);
    ana.confirmed(SOON);
    ana.talk(A_WHILE);
    boris.hang_up();
    ana.disconnected(SOON);
    let call = world.exchange.calls(1).remove(0);
    assert_eq!(call["dialled"], "102", "{call}");
    assert_eq!(call["direction"], "internal", "{call}");
    assert_eq!(call["outcome"], "answered", "{call}");
    assert_eq!(call["legs"].as_array().map(Vec::len), Some(2), "{call}");
    assert!(tape(&world.exchange, &call).contains("dial"), "the tape tells that the script dialled");
}

/// A call's tape as text in lower case.
pub fn tape(exchange: &Exchange, call: &serde_json::Value) -> String {
    let id = call["id"].as_str().expect("a call has an id");
    exchange.get(&format!("/tenants/demo/calls/{id}/tape")).to_string().to_lowercase()
}
