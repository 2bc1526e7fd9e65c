//! Calls that are begun from outside (click to call), and supervisors who listen, whisper and barge:
//! every telephone speaks a tone of its own, so who hears whom is measured.

use std::time::Duration;

use serde_json::{Value, json};
use tests::exchange::Exchange;

use crate::world::{SOON, World};

const CALLS: &str = "/tenants/demo/calls";
const A_WHILE: Duration = Duration::from_secs(3);
/// Of the three seconds: what a start, a buffer and the edges of a window may cost.
const MOST_OF_IT: Duration = Duration::from_millis(2_200);

fn ends(record: &Value) -> Vec<(String, String)> {
    let text = |leg: &Value, key: &str| leg[key].as_str().unwrap_or_default().to_owned();
    let legs = record["legs"].as_array().into_iter().flatten();
    legs.map(|leg| (text(leg, "party"), text(leg, "end"))).collect()
}

#[test]
fn click_to_call_rings_one_side_then_the_other_and_both_hear_each_other() {
    let mut world = World::new();
    let mut ana = world.pjsua("ana", 440.0);
    let mut boris = world.baresip("boris", 600.0, "");
    let (status, id, why) = world.exchange.cli(&["originate", "--from", "ana", "--to", "102"]);
    assert_eq!(status, 0, "{why}");
    let shown = ana.event("ringing", SOON)["from"].to_string();
    assert!(shown.contains("102"), "ana sees whom the call will be with: {shown}");
    ana.answer();
    ana.confirmed(SOON);
    boris.event("CALL_INCOMING", SOON);
    boris.accept();
    boris.event("CALL_ESTABLISHED", SOON);
    ana.talk(A_WHILE);
    boris.hang_up();
    ana.disconnected(SOON);
    boris.event("CALL_CLOSED", SOON);
    boris.heard().assert_tone(440.0, MOST_OF_IT);
    ana.heard().assert_tone(600.0, MOST_OF_IT);

    let record = &world.exchange.calls(1)[0];
    assert_eq!(record["id"], id.trim());
    let said = ["direction", "outcome", "answered_by", "dialled"].map(|key| record[key].clone());
    assert_eq!(said, ["outbound", "answered", "boris", "102"]);
    assert_eq!(record["from"]["number"], "101");
    assert_eq!(ends(record), [("ana", "hung up"), ("boris", "hung up")].map(|(a, b)| (a.into(), b.into())));
    let ladder = world.exchange.get(&format!("{CALLS}/{}/ladder", id.trim()));
    let first = &ladder["rungs"][0];
    assert_eq!((&first["from"], &first["what"]), (&json!("exchange"), &json!("INVITE")), "{ladder}");
}

#[test]
fn whoever_is_rung_first_and_refuses_leaves_a_missed_call_and_the_other_is_not_rung() {
    let mut world = World::new();
    let mut ana = world.pjsua("ana", 440.0);
    let mut boris = world.pjsua("boris", 600.0);
    let body = json!({ "from": "101", "to": "102" }).to_string();
    let (status, begun) = world.exchange.send("POST", CALLS, body);
    assert_eq!(status, 201, "{begun}");
    ana.event("ringing", SOON);
    ana.refuse(486);
    ana.disconnected(SOON);
    let record = world.exchange.calls(1)[0].clone();
    assert_eq!((&record["id"], &record["outcome"]), (&begun["id"], &json!("missed")), "{record}");
    assert_eq!(ends(&record), [("ana".into(), "486".into())]);
    // The first call that boris' telephone tells of is this one.
    ana.call(&world.uri("102"));
    assert!(boris.event("ringing", SOON)["from"].to_string().contains("101"));
}

/// Rings vera for the call, and answers the status.
fn supervise(exchange: &Exchange, call: &str, verb: &str) -> u16 {
    exchange.send("POST", &format!("{CALLS}/{call}/{verb}"), r#"{"user":"vera"}"#).0
}

#[test]
fn a_supervisor_who_listens_hears_whoever_the_agent_transfers_to() {
    let mut world = World::new();
    let mut ana = world.pjsua("ana", 440.0);
    let mut boris = world.pjsua("boris", 600.0);
    let mut vera = world.pjsua("vera", 1000.0);
    let mut customer = world.customer("+359888123456", 800.0);
    customer.call(&world.uri("701"));
    for phone in [&mut ana, &mut vera] {
        phone.event("ringing", SOON);
    }
    boris.event("ringing", SOON);
    boris.answer();
    boris.confirmed(SOON);
    vera.disconnected(SOON);
    let call = world.exchange.eventually("call that is up", |exchange| {
        let live = exchange.get(&format!("{CALLS}?live=true"));
        live["calls"][0]["id"].as_str().map(str::to_owned)
    });
    world
        .exchange
        .eventually("conversation", |exchange| (supervise(exchange, &call, "listen") == 202).then_some(()));
    vera.event("ringing", SOON);
    vera.answer();
    vera.confirmed(SOON);
    customer.talk(A_WHILE);
    boris.transfer(&world.uri("101"));
    ana.disconnected(SOON); // of the ringing before
    ana.event("ringing", SOON);
    ana.answer();
    ana.confirmed(SOON);
    boris.disconnected(SOON);
    vera.talk(A_WHILE);
    customer.hang_up();
    ana.disconnected(SOON);
    vera.disconnected(SOON);
    let vera = vera.heard();
    for hz in [600.0, 440.0] {
        vera.assert_among(hz, MOST_OF_IT, 3 * A_WHILE);
    }
    vera.assert_among(800.0, A_WHILE + MOST_OF_IT, 6 * A_WHILE);
}

#[test]
fn a_supervisor_listens_whispers_and_barges() {
    let mut world = World::new();
    let mut ana = world.pjsua("ana", 440.0);
    let mut boris = world.baresip("boris", 600.0, "");
    let mut vera = world.pjsua("vera", 1000.0);
    ana.call(&world.uri("102"));
    boris.event("CALL_INCOMING", SOON);
    let call = world.exchange.eventually("call that is up", |exchange| {
        let live = exchange.get(&format!("{CALLS}?live=true"));
        live["calls"][0]["id"].as_str().map(str::to_owned)
    });
    assert_eq!(supervise(&world.exchange, &call, "listen"), 409, "nobody talks yet");
    boris.accept();
    ana.confirmed(SOON);
    boris.event("CALL_ESTABLISHED", SOON);

    // Three seconds each; vera's telephone rings once.
    world
        .exchange
        .eventually("conversation", |exchange| (supervise(exchange, &call, "listen") == 202).then_some(()));
    let shown = vera.event("ringing", SOON)["from"].to_string();
    assert!(shown.contains("listen"), "{shown}");
    vera.answer();
    vera.confirmed(SOON);
    ana.talk(A_WHILE);
    assert_eq!(world.exchange.cli(&["whisper", &call, "--user", "vera"]).0, 0);
    ana.talk(A_WHILE);
    assert_eq!(supervise(&world.exchange, &call, "barge"), 202);
    ana.talk(A_WHILE);
    vera.hang_up();
    vera.disconnected(SOON);
    ana.talk(A_WHILE);
    ana.hang_up();
    ana.disconnected(SOON);
    boris.event("CALL_CLOSED", SOON);
    assert_eq!(supervise(&world.exchange, &call, "listen"), 404, "the call is over");

    let vera = vera.heard();
    for hz in [440.0, 600.0] {
        vera.assert_among(hz, 2 * A_WHILE + MOST_OF_IT, 4 * A_WHILE);
    }
    let boris = boris.heard();
    boris.assert_among(440.0, 3 * A_WHILE + MOST_OF_IT, 8 * A_WHILE);
    boris.assert_among(1000.0, A_WHILE + MOST_OF_IT, 2 * A_WHILE + A_WHILE / 2);
    let heard = ana.heard();
    heard.assert_among(600.0, 3 * A_WHILE + MOST_OF_IT, 8 * A_WHILE);
    heard.assert_among(1000.0, MOST_OF_IT, A_WHILE + A_WHILE / 2);

    let record = &world.exchange.calls(1)[0];
    assert_eq!(record["answered_by"], "boris");
    assert!(ends(record).contains(&("vera".into(), "barged: hung up".into())), "{record}");
}
