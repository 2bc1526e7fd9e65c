//! Strategies that fail, that are not whole, that name the wrong agents, and that are swapped while callers wait: what
//! callers, agents and the manager notice of it.

use std::fs;
use std::time::Duration;

use serde_json::{Value, json};
use tests::exchange::{Exchange, guest};
use tests::process::Lines;

use crate::queues::{A_SECOND, sections, wait_for_line, wait_for_state, world};
use crate::world::{LATER, SOON, World, tenants};

/// A queue whose strategy is the tenant's own script, to be loaded.
const MINE: &str = "  strategy = \"mine\"\n  agents = [\"ana\", \"boris\"]\n";

fn push(world: &World, strategy: &str) {
    let component = fs::read(guest(strategy)).expect("the component is built");
    let (status, said) = world.exchange.send("PUT", "/tenants/demo/scripts/mine", component);
    assert_eq!(status, 201, "{said}");
}

/// Waits until the manager is told something of the queue.
#[track_caller]
fn told(events: &mut Lines, kind: &str) -> Value {
    events.wait_for(kind, SOON, |line| {
        let event: Value = serde_json::from_str(line).ok()?;
        (event["kind"] == kind).then(|| event["data"].clone())
    })
}

/// Ana's telephone rings for the only caller, and they talk.
fn ana_serves_a_caller(world: &mut World) {
    let mut ana = world.pjsua("ana", 440.0);
    let calls = world.patient_calls("800").calls(1, 1).start();
    ana.event("ringing", SOON);
    ana.answer();
    ana.confirmed(SOON);
    ana.talk(A_SECOND / 4);
    ana.hang_up();
    calls.finish(LATER).assert_all(1);
}

fn offered(exchange: &Exchange, agent: &str) -> Value {
    exchange.get(&format!("/tenants/demo/agents/{agent}"))["offered"].clone()
}

#[test]
fn a_strategy_that_traps_is_told_of_and_the_longest_idle_agent_is_rung() {
    let mut world = world(MINE);
    push(&world, "traprank");
    let mut events = world.exchange.events();
    ana_serves_a_caller(&mut world);
    let event = told(&mut events, "strategy.failed");
    let said = [&event["queue"], &event["strategy"], &event["question"]];
    assert_eq!(said, [&json!("sales"), &json!("mine"), &json!("rank")], "{event}");
    // The programmer finds the reason in the script's log, and whoever watches the machine a count.
    let log = world.exchange.get("/tenants/demo/scripts/mine/logs").to_string();
    assert!(log.contains("this strategy traps") && log.contains("\"queue\":\"sales\""), "{log}");
    let metrics = world.exchange.metrics();
    assert!(metrics.contains("script=\"mine\",why=\"trap\""), "{metrics}");
    assert_eq!(world.exchange.calls(1)[0]["outcome"], "answered");
}

#[test]
fn a_strategy_that_is_not_loaded_yet_loses_no_caller() {
    let mut world = world(MINE);
    let mut events = world.exchange.events();
    ana_serves_a_caller(&mut world);
    let event = told(&mut events, "strategy.failed");
    assert!(event["reason"].as_str().is_some_and(|why| why.contains("mine")), "{event}");
}

#[test]
fn a_strategy_without_one_of_its_answers_is_refused_by_the_answers_name() {
    let world = world(MINE);
    // The same component, with one export under another name.
    let whole = fs::read(guest("queue-longest-idle")).expect("the component is built");
    let other = rename(&whole, b"on-digit", b"on-digix");
    assert_ne!(whole, other, "the component has the export");
    let (status, said) = world.exchange.send("PUT", "/tenants/demo/scripts/mine", other);
    assert_eq!(status, 422, "{said}");
    assert!(said.to_string().contains("export on-digit"), "{said}");
    let (status, said) = world.exchange.send("PUT", "/tenants/demo/scripts/mine", whole);
    assert_eq!(status, 201, "{said}");
}

/// Every occurrence of some bytes replaced by as many others.
fn rename(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let mut renamed = bytes.to_vec();
    let places = bytes.windows(from.len()).enumerate().filter(|(_, window)| *window == from);
    for (at, _) in places {
        renamed[at..at + to.len()].copy_from_slice(to);
    }
    renamed
}

#[test]
fn a_strategy_is_swapped_under_callers_who_wait_and_none_is_lost() {
    let mut world = world(MINE);
    // This one has nobody rung.
    push(&world, "offers");
    let mut ana = world.pjsua("ana", 440.0);
    let mut boris = world.pjsua("boris", 600.0);
    let calls = world.patient_calls("800").calls(2, 10).start();
    wait_for_line(&mut world, 2);
    let names = ["ana", "boris"];
    assert_eq!(names.map(|agent| offered(&world.exchange, agent)), [json!(0), json!(0)]);

    // As a tenant's programmer does it, from the command line.
    let component = guest("queue-longest-idle").display().to_string();
    let (status, said, why) =
        world.exchange.cli(&["script", "push", &component, "--name", "mine", "--tenant", "demo"]);
    assert_eq!(status, 0, "{said}{why}");
    for phone in [&mut ana, &mut boris] {
        phone.event("ringing", SOON);
        phone.answer();
        phone.confirmed(SOON);
        phone.talk(A_SECOND / 4);
        phone.hang_up();
    }
    calls.finish(LATER).assert_all(2);
    let queue = world.exchange.get("/tenants/demo/queues/sales");
    assert_eq!(
        (&queue["today"]["answered"], &queue["today"]["abandoned"]),
        (&json!(2), &json!(0)),
        "{queue}"
    );
    for call in world.exchange.calls(2) {
        assert_eq!((call["outcome"].as_str(), call["failure"].as_str()), (Some("answered"), None), "{call}");
    }
}

#[test]
fn a_reload_names_another_strategy_under_callers_who_wait() {
    let mut world = world(MINE);
    push(&world, "offers");
    let mut ana = world.pjsua("ana", 440.0);
    let calls = world.patient_calls("800").calls(1, 1).start();
    wait_for_line(&mut world, 1);
    let waited = world.exchange.get("/tenants/demo/queues/sales")["waiting"][0]["call"].clone();
    let other = sections(&MINE.replace("\"mine\"", "\"strowger/queue-longest-idle\""));
    let domain = world.exchange.ip().to_string();
    world.exchange.configure(&tenants(&domain, world.carrier, &other));
    let (status, said) = world.exchange.send("POST", "/reload", "");
    assert!((200..300).contains(&status), "{status} {said}");
    ana.event("ringing", SOON);
    ana.answer();
    ana.confirmed(SOON);
    ana.talk(A_SECOND / 4);
    ana.hang_up();
    calls.finish(LATER).assert_all(1);
    let call = world.exchange.calls(1).remove(0);
    assert_eq!((&call["id"], &call["answered_by"]), (&waited, &json!("ana")), "{call}");
}

#[test]
fn an_offer_to_an_agent_of_another_queue_is_refused_and_told_and_the_caller_is_served() {
    let world = world(
        "  strategy = \"mine\"\n  agents = [\"ana\"]\n    [tenant.queue.settings]\n    to = [\"boris\"]\n  \
         [[tenant.queue]]\n  name = \"other\"\n  agents = [\"boris\"]\n",
    );
    push(&world, "offers");
    let mut events = world.exchange.events();
    let mut ana = world.pjsua("ana", 440.0);
    let _boris = world.pjsua("boris", 600.0);
    let calls = world.patient_calls("800").calls(1, 1).start();
    ana.event("ringing", SOON);
    ana.answer();
    ana.confirmed(SOON);
    let refused = told(&mut events, "offer.refused");
    assert_eq!((&refused["queue"], &refused["agents"]), (&json!("sales"), &json!("boris")), "{refused}");
    assert_eq!(refused["reason"], "boris does not serve this queue");
    ana.hang_up();
    calls.finish(LATER).assert_all(1);
    assert_eq!(offered(&world.exchange, "boris"), 0);
}

#[test]
fn an_offer_to_an_agent_who_talks_is_refused_and_told_and_another_is_rung() {
    let mut world = world(&format!("{MINE}    [tenant.queue.settings]\n    to = [\"ana\"]\n"));
    push(&world, "offers");
    let mut ana = world.pjsua("ana", 440.0);
    let mut vera = world.pjsua("vera", 1000.0);
    vera.call(&world.uri("101"));
    ana.event("ringing", SOON);
    ana.answer();
    vera.confirmed(SOON);
    wait_for_state(&mut world, "ana", "talking");

    let mut events = world.exchange.events();
    let mut boris = world.pjsua("boris", 600.0);
    let calls = world.patient_calls("800").calls(1, 1).start();
    boris.event("ringing", SOON);
    boris.answer();
    boris.confirmed(SOON);
    assert_eq!(told(&mut events, "offer.refused")["reason"], "ana is not free");
    // She has heard nothing of it.
    vera.talk(A_SECOND);
    assert_eq!(offered(&world.exchange, "ana"), 0);
    vera.hang_up();
    ana.disconnected(SOON);
    boris.hang_up();
    calls.finish(LATER).assert_all(1);
    ana.heard().assert_tone(1000.0, Duration::from_secs(1));
}
