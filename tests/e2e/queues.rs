//! Callers who wait, and agents on telephones that others made: who is rung, who hears what, and what is still so after
//! everything that goes wrong.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};
use tests::sound::tone_wav;

use crate::world::{LATER, SOON, World};

pub const A_SECOND: Duration = Duration::from_secs(1);
const A_WHILE: Duration = Duration::from_secs(2);
/// What waiting callers hear.
pub const MUSIC_HZ: f64 = 1200.0;

/// The number 800 leads to the queue `sales`; `queue` is what else its section says.
pub fn world(queue: &str) -> World {
    let world = World::with(|_| sections(queue));
    world.exchange.keep_prompt("waiting", tone_wav(MUSIC_HZ, A_SECOND));
    world
}

/// The configuration of that.
pub fn sections(queue: &str) -> String {
    format!(
        "  [[tenant.number]]\n  number = \"800\"\n  script = \"strowger/queue\"\n  settings = {{ queue = \"sales\" }}\n  \
             [[tenant.queue]]\n  name = \"sales\"\n  music = \"waiting\"\n{queue}"
    )
}

fn set_state(world: &World, agent: &str, state: Value) {
    let path = format!("/tenants/demo/agents/{agent}/state");
    let (status, said) = world.exchange.send("PUT", &path, state.to_string());
    assert_eq!(status, 204, "{said}");
}

/// Waits until so many callers are in line.
#[track_caller]
pub fn wait_for_line(world: &mut World, callers: usize) {
    world.exchange.eventually(&format!("{callers} callers in line"), |exchange| {
        let queue = exchange.get("/tenants/demo/queues/sales");
        (queue["waiting"].as_array().map(Vec::len) == Some(callers)).then_some(())
    });
}

/// Waits until an agent is in a state; answers the agent.
#[track_caller]
pub fn wait_for_state(world: &mut World, agent: &str, state: &str) -> Value {
    world.exchange.eventually(&format!("{agent} {state}"), |exchange| {
        let agents = exchange.get("/tenants/demo/agents");
        let mut all = agents["agents"].as_array().into_iter().flatten();
        all.find(|one| one["name"] == agent && one["state"] == state).cloned()
    })
}

#[test]
fn a_caller_waits_with_music_until_an_agent_comes_and_both_hear_each_other() {
    let mut world = world("  agents = [\"ana\"]\n");
    let mut vera = world.pjsua("vera", 1000.0);
    vera.call(&world.uri("800"));
    vera.confirmed(SOON);
    wait_for_line(&mut world, 1);
    vera.talk(A_WHILE);
    let queue = world.exchange.get("/tenants/demo/queues/sales");
    assert_eq!(queue["waiting"][0]["number"], "103", "{queue}");
    assert_eq!(queue["agents"][0]["state"], "offline", "{queue}");

    let mut ana = world.baresip("ana", 440.0, "");
    ana.event("CALL_INCOMING", SOON);
    assert_eq!(wait_for_state(&mut world, "ana", "offered")["offered"], 1);
    ana.accept();
    ana.event("CALL_ESTABLISHED", SOON);
    wait_for_state(&mut world, "ana", "talking");
    vera.talk(A_WHILE);
    vera.hang_up();
    ana.event("CALL_CLOSED", SOON);

    wait_for_state(&mut world, "ana", "available");
    let queue = world.exchange.get("/tenants/demo/queues/sales");
    assert_eq!((&queue["today"]["entered"], &queue["today"]["answered"]), (&json!(1), &json!(1)), "{queue}");
    let call = world.exchange.calls(1).remove(0);
    assert_eq!(
        (call["outcome"].as_str(), call["answered_by"].as_str()),
        (Some("answered"), Some("ana")),
        "{call}"
    );
    ana.heard().assert_tone(1000.0, A_SECOND);
    let heard = vera.heard();
    heard.assert_tone(MUSIC_HZ, A_SECOND);
    heard.assert_tone(440.0, A_SECOND);
}

#[test]
fn two_agents_take_two_callers_and_neither_is_rung_for_both() {
    let mut world = world("  agents = [\"ana\", \"boris\"]\n");
    let mut ana = world.pjsua("ana", 440.0);
    let mut boris = world.pjsua("boris", 600.0);
    let calls = world.patient_calls("800").calls(2, 10).start();
    ana.event("ringing", SOON);
    boris.event("ringing", SOON);
    ana.answer();
    boris.answer();
    ana.confirmed(SOON);
    boris.confirmed(SOON);
    wait_for_line(&mut world, 0);
    ana.hang_up();
    boris.hang_up();
    calls.finish(LATER).assert_all(2);
    let mut answered: Vec<_> = world
        .exchange
        .calls(2)
        .iter()
        .map(|call| call["answered_by"].as_str().unwrap_or("-").to_owned())
        .collect();
    answered.sort();
    assert_eq!(answered, ["ana", "boris"]);
    for agent in ["ana", "boris"] {
        let agent = world.exchange.get(&format!("/tenants/demo/agents/{agent}"));
        assert_eq!((&agent["offered"], &agent["answered"]), (&json!(1), &json!(1)), "{agent}");
    }
}

#[test]
fn a_paused_agent_is_not_rung_and_a_kill_does_not_end_the_pause() {
    let mut world = world("  agents = [\"ana\", \"boris\"]\n");
    set_state(&world, "ana", json!({ "state": "paused", "reason": "lunch" }));
    world.exchange.kill();
    world.exchange.start_again();
    let mut ana = world.pjsua("ana", 440.0);
    let mut boris = world.pjsua("boris", 600.0);
    assert_eq!(wait_for_state(&mut world, "ana", "paused")["reason"], "lunch");
    wait_for_state(&mut world, "boris", "available");

    let calls = world.patient_calls("800").calls(2, 10).start();
    boris.event("ringing", SOON);
    boris.answer();
    boris.confirmed(SOON);
    wait_for_line(&mut world, 1);
    let ana_now = world.exchange.get("/tenants/demo/agents/ana");
    assert_eq!((&ana_now["offered"], &ana_now["state"]), (&json!(0), &json!("paused")), "{ana_now}");

    let (status, said, why) = world.exchange.cli(&["agent", "available", "ana", "--tenant", "demo"]);
    assert_eq!(status, 0, "{said}{why}");
    ana.event("ringing", SOON);
    ana.answer();
    ana.confirmed(SOON);
    ana.talk(A_SECOND / 4);
    ana.hang_up();
    boris.hang_up();
    calls.finish(LATER).assert_all(2);
}

#[test]
fn an_agent_who_lets_it_ring_is_paused_and_the_caller_keeps_the_place() {
    let mut world = world("  agents = [\"ana\", \"boris\"]\n  ring = 2\n  max_missed = 1\n");
    let mut ana = world.pjsua("ana", 440.0);
    let calls = world.patient_calls("800").calls(1, 1).start();
    ana.event("ringing", SOON);
    let paused = wait_for_state(&mut world, "ana", "paused");
    assert!(paused["reason"].as_str().is_some_and(|reason| reason.contains("missed 1")), "{paused}");
    wait_for_line(&mut world, 1);
    let mut boris = world.pjsua("boris", 600.0);
    boris.event("ringing", SOON);
    boris.answer();
    boris.confirmed(SOON);
    boris.talk(A_SECOND / 4);
    boris.hang_up();
    calls.finish(LATER).assert_all(1);
    assert_eq!(world.exchange.calls(1)[0]["answered_by"], "boris");
}

#[test]
fn all_ring_the_first_to_answer_has_the_call_and_the_other_shows_none_missed() {
    let mut world = world("  strategy = \"strowger/queue-ring-all\"\n  agents = [\"ana\", \"boris\"]\n");
    let mut ana = world.pjsua("ana", 440.0);
    let mut boris = world.pjsua("boris", 600.0);
    let calls = world.patient_calls("800").calls(1, 1).start();
    ana.event("ringing", SOON);
    boris.event("ringing", SOON);
    boris.answer();
    boris.confirmed(SOON);
    let reason = ana.event("cancelled", SOON)["reason"].as_str().unwrap_or_default().to_lowercase();
    assert!(reason.contains("cause=200") && reason.contains("elsewhere"), "{reason}");
    assert_eq!(wait_for_state(&mut world, "ana", "available")["missed_in_a_row"], 0);
    boris.hang_up();
    calls.finish(LATER).assert_all(1);
}

#[test]
fn when_two_answer_at_once_the_caller_has_one_of_them_and_the_other_is_free() {
    let mut world = world("  strategy = \"strowger/queue-ring-all\"\n  agents = [\"ana\", \"boris\"]\n");
    let mut ana = world.pjsua("ana", 440.0);
    let mut boris = world.pjsua("boris", 600.0);
    let calls = world.patient_calls("800").calls(1, 1).start();
    ana.event("ringing", SOON);
    boris.event("ringing", SOON);
    ana.answer();
    boris.answer();
    let is_ana = world.exchange.eventually("one talks, the other is free", |exchange| {
        let state = |agent: &str| {
            let agent = exchange.get(&format!("/tenants/demo/agents/{agent}"));
            agent["state"].as_str().unwrap_or_default().to_owned()
        };
        let states = [state("ana"), state("boris")];
        let sorted = states.iter().map(String::as_str).collect::<BTreeSet<_>>();
        (sorted == BTreeSet::from(["available", "talking"])).then(|| states[0] == "talking")
    });
    let (winner, loser) = if is_ana { (&mut ana, &mut boris) } else { (&mut boris, &mut ana) };
    loser.disconnected(SOON);
    winner.talk(A_SECOND);
    winner.hang_up();
    calls.finish(LATER).assert_all(1);
    let call = world.exchange.calls(1).remove(0);
    assert_eq!(call["answered_by"], if is_ana { "ana" } else { "boris" }, "{call}");
    for agent in ["ana", "boris"] {
        let agent = wait_for_state(&mut world, agent, "available");
        assert_eq!(agent["missed_in_a_row"], 0, "{agent}");
    }
}

#[test]
fn a_caller_who_leaves_while_it_rings_is_not_the_agents_fault() {
    let mut world = world("  agents = [\"ana\"]\n  max_missed = 1\n");
    let mut ana = world.pjsua("ana", 440.0);
    let calls = world.carrier_calls("800").calls(1, 1).talks(A_WHILE).start();
    ana.event("ringing", SOON);
    calls.finish(SOON).assert_all(1);
    ana.event("cancelled", SOON);
    assert_eq!(wait_for_state(&mut world, "ana", "available")["missed_in_a_row"], 0);
    let queue = world.exchange.get("/tenants/demo/queues/sales");
    assert_eq!((&queue["today"]["abandoned"], &queue["waiting"]), (&json!(1), &json!([])), "{queue}");
    assert_eq!(world.exchange.calls(1)[0]["outcome"], "abandoned");
}
