//! Call backs: whoever is told "we call you back" is called, also when the exchange is killed in between.

use std::fs;
use std::time::Duration;

use serde_json::{Value, json};
use tests::exchange::{Exchange, guest};

use crate::world::{LATER, SOON, World, tenants};

const A_WHILE: Duration = Duration::from_secs(2);
const A_SECOND: Duration = Duration::from_secs(1);

/// Whoever calls 800 is promised a call back at once.
const PROMISES: &str = "  [[tenant.number]]\n  number = \"800\"\n  script = \"strowger/queue\"\n  \
    settings = { queue = \"sales\", at_once = { call_back = { confirm = false } } }\n";
const SALES: &str = "  [[tenant.queue]]\n  name = \"sales\"\n  agents = [\"ana\"]\n  after_reject = 600\n";

fn world() -> World {
    World::with(|_| format!("{PROMISES}{SALES}"))
}

/// The numbers in line that are to be called back.
fn promised(exchange: &Exchange) -> Vec<String> {
    let queue = exchange.get("/tenants/demo/queues/sales");
    let line = queue["waiting"].as_array().into_iter().flatten();
    let promised = line.filter(|caller| caller["call_back"] == true);
    promised.map(|caller| caller["number"].as_str().unwrap_or_default().to_owned()).collect()
}

#[track_caller]
fn wait_for_promises(world: &mut World, numbers: &[&str]) {
    world.exchange.eventually(&format!("{numbers:?} in line"), |exchange| {
        (promised(exchange) == numbers).then_some(())
    });
}

fn tag<'a>(call: &'a Value, key: &str) -> &'a str {
    let mut tags = call["tags"].as_array().into_iter().flatten();
    tags.find(|tag| tag["key"] == key).and_then(|tag| tag["value"].as_str()).unwrap_or_default()
}

#[test]
fn who_was_promised_a_call_back_is_called_in_the_old_order_after_a_kill() {
    let mut world = world();
    let mut vera = world.pjsua("vera", 1000.0);
    vera.call(&world.uri("800"));
    wait_for_promises(&mut world, &["103"]);
    vera.disconnected(LATER); // the script has said that she will be called
    let mut boris = world.pjsua("boris", 600.0);
    boris.call(&world.uri("800"));
    wait_for_promises(&mut world, &["103", "102"]);
    world.exchange.kill(); // while he hears it
    world.exchange.start_again();
    assert_eq!(promised(&world.exchange), ["103", "102"]);
    let waited = world.exchange.get("/tenants/demo/queues/sales")["waiting"][0]["waited"].clone();
    assert!(waited.as_f64().is_some_and(|seconds| seconds > 1.0), "since she called: {waited}");

    let mut ana = world.pjsua("ana", 440.0);
    let shown = ana.event("ringing", SOON)["from"].to_string();
    assert!(shown.contains("103"), "ana sees whom she will talk to: {shown}");
    ana.answer();
    ana.confirmed(SOON);
    vera.event("ringing", LATER);
    vera.answer();
    vera.confirmed(SOON);
    wait_for_promises(&mut world, &["102"]);
    vera.talk(A_WHILE);
    vera.hang_up();
    ana.disconnected(SOON);
    vera.heard().assert_tone(440.0, A_SECOND);

    // Boris is next, and she does not want to: his promise stands, and there is no record of the attempt.
    let shown = ana.event("ringing", SOON)["from"].to_string();
    assert!(shown.contains("102"), "{shown}");
    ana.refuse(603);
    wait_for_promises(&mut world, &["102"]);
    ana.heard().assert_tone(1000.0, A_SECOND);

    let calls = world.exchange.calls(3);
    assert_eq!(calls.len(), 3, "two calls with a promise, and one that kept it: {calls:#?}");
    for (call, number) in calls.iter().zip(["103", "102"]) {
        assert_eq!((call["outcome"].as_str(), tag(call, "call-back")), (Some("missed"), number), "{call}");
    }
    let back = &calls[2];
    let said = ["direction", "outcome", "answered_by"].map(|key| back[key].as_str().unwrap_or("-"));
    assert_eq!(said, ["outbound", "answered", "vera"], "{back}");
    assert_eq!(back["from"]["number"], "101");
    assert_eq!(tag(back, "promised-in"), calls[0]["id"], "{back}");
    assert_eq!((tag(back, "call-back"), tag(back, "reached")), ("103", "yes"));

    world.exchange.kill();
    world.exchange.start_again();
    assert_eq!(promised(&world.exchange), ["102"], "who was called back is not called again");
}

#[test]
fn a_promise_outlives_its_queue_s_absence_and_is_kept_when_the_queue_is_back() {
    let mut world = world();
    let mut vera = world.pjsua("vera", 1000.0);
    vera.call(&world.uri("800"));
    wait_for_promises(&mut world, &["103"]);
    vera.disconnected(LATER);
    let reload = |world: &World, more: &str| {
        let domain = world.exchange.ip().to_string();
        world.exchange.configure(&tenants(&domain, world.carrier, more));
        let (status, said) = world.exchange.send("POST", "/reload", "");
        assert!((200..300).contains(&status), "{status} {said}");
    };
    let mut events = world.exchange.events();
    reload(&world, "");
    let event =
        |line: &str| serde_json::from_str(line).ok().filter(|event: &Value| event["kind"] == "queue.closed");
    let told = events.wait_for("queue.closed", SOON, event);
    assert_eq!(told["data"], json!({ "queue": "sales", "promised": "1" }), "the manager is told");
    let closed = |world: &World| {
        let queue = world.exchange.get("/tenants/demo/queues/sales");
        assert_eq!(
            (&queue["configured"], promised(&world.exchange)),
            (&json!(false), vec!["103".to_owned()])
        );
    };
    closed(&world);
    let (status, said, _) = world.exchange.cli(&["queue", "show", "sales", "--tenant", "demo"]);
    assert_eq!(
        said.lines().next(),
        Some("sales is not configured; call backs promised: 1"),
        "{status} {said}"
    );
    world.exchange.kill();
    world.exchange.start_again();
    closed(&world);

    reload(&world, &format!("{PROMISES}{SALES}"));
    let mut ana = world.pjsua("ana", 440.0);
    let shown = ana.event("ringing", SOON)["from"].to_string();
    assert!(shown.contains("103"), "{shown}");
    ana.answer();
    vera.event("ringing", LATER);
    vera.answer();
    vera.confirmed(SOON);
    wait_for_promises(&mut world, &[]);
    vera.talk(A_WHILE);
    vera.hang_up();
    ana.disconnected(SOON);
    vera.heard().assert_tone(440.0, A_SECOND);
}

#[test]
fn a_call_s_tape_and_ladder_say_what_its_queue_decided_and_by_which_version() {
    let mut world = World::with(|_| {
        "  [[tenant.number]]\n  number = \"800\"\n  script = \"strowger/queue\"\n  settings = { queue = \"sales\" }\n  \
         [[tenant.queue]]\n  name = \"sales\"\n  strategy = \"mine\"\n  agents = [\"ana\"]\n  after_reject = 1\n"
            .to_owned()
    });
    let strategy = fs::read(guest("queue-random")).expect("the strategy is built");
    let (status, pushed) = world.exchange.send("PUT", "/tenants/demo/scripts/mine", strategy);
    assert_eq!(status, 201, "{pushed}");
    let version = pushed["version"].as_str().expect("a push answers the version");
    let mut ana = world.pjsua("ana", 440.0);
    let mut vera = world.pjsua("vera", 1000.0);
    vera.call(&world.uri("800"));
    vera.confirmed(SOON);
    ana.event("ringing", SOON);
    ana.refuse(603);
    ana.event("ringing", SOON);
    ana.answer();
    vera.talk(A_SECOND);
    vera.hang_up();
    ana.disconnected(SOON);
    let call = world.exchange.calls(1).remove(0);
    let id = call["id"].as_str().unwrap_or_default();
    let ladder = world.exchange.get(&format!("/tenants/demo/calls/{id}/ladder"));
    let rungs = ladder["rungs"].as_array().into_iter().flatten();
    let said: Vec<&str> =
        rungs.filter(|rung| rung["from"] == "queue sales").filter_map(|rung| rung["what"].as_str()).collect();
    let by = said.iter().find_map(|what| what.split("(by mine ").nth(1)).unwrap_or("nobody");
    assert!(by.starts_with(&version[..8]), "{version}: {said:#?}");
    let begins = |what: &str| said.iter().position(|fact| fact.starts_with(what));
    let order = [
        "enters, number 1 in line",
        "ana to ring",
        "ana missed it: rejected",
        "ana answered after",
        "leaves after",
    ]
    .map(begins);
    assert!(order.iter().all(Option::is_some) && order.is_sorted(), "{said:#?}");

    // The same stands on the tape, as it was told, and a replay passes it over.
    let facts = world.exchange.get(&format!("/tenants/demo/calls/{id}/tape"))["facts"].take();
    let kinds: Vec<&str> =
        facts.as_array().into_iter().flatten().filter_map(|fact| fact["kind"].as_str()).collect();
    let expected = ["entered", "offered", "missed", "offered", "connected", "left"];
    assert_eq!(kinds, expected.map(|kind| format!("queue.{kind}")), "{facts:#}");
    let offered = &facts[1]["about"];
    let by = ["queue", "agents", "strategy", "version"].map(|name| offered[name].as_str().unwrap_or("-"));
    assert_eq!(by, ["sales", "ana", "mine", version]);
    let (status, said, why) = world.exchange.cli(&["replay", id, "--tenant", "demo", "--json"]);
    let found: Value = serde_json::from_str(&said).unwrap_or_else(|_| panic!("{status} {said} {why}"));
    assert_eq!((status, &found["findings"][0]["same"]), (0, &json!(true)), "{found:#}");
    assert_eq!(found["facts"].as_array().map(Vec::len), Some(expected.len()), "{found:#}");
}

#[test]
fn what_a_queue_decided_outlives_a_kill() {
    let mut world = World::with(|_| {
        format!(
            "  [[tenant.number]]\n  number = \"800\"\n  script = \"strowger/queue\"\n  \
             settings = {{ queue = \"sales\" }}\n{SALES}"
        )
    });
    let mut ana = world.pjsua("ana", 440.0);
    let calls = world.patient_calls("800").calls(1, 1).start();
    ana.event("ringing", SOON);
    world.exchange.kill();
    world.exchange.start_again();
    // The call went on, as far as the exchange can tell.
    let up = world.exchange.get("/tenants/demo/calls?live=true");
    let id = up["calls"][0]["id"].as_str().unwrap_or_default();
    let (status, said) = world.exchange.send("POST", &format!("/tenants/demo/calls/{id}/hangup"), "");
    assert_eq!(status, 204, "{said}");
    drop(calls);
    let call = world.exchange.calls(1).remove(0);
    assert_eq!(call["id"], id);
    let rungs = world.exchange.get(&format!("/tenants/demo/calls/{id}/ladder"))["rungs"].take();
    let said: Vec<&str> =
        rungs.as_array().into_iter().flatten().filter_map(|rung| rung["what"].as_str()).collect();
    assert!(said.iter().any(|what| what.starts_with("ana to ring")), "{call} {said:#?}");
}

#[test]
fn today_s_figures_outlive_a_restart() {
    let mut world = World::with(|_| {
        "  [[tenant.number]]\n  number = \"800\"\n  script = \"strowger/queue\"\n  settings = { queue = \"sales\" }\n  \
         [[tenant.queue]]\n  name = \"sales\"\n  agents = [\"ana\"]\n"
            .to_owned()
    });
    let mut ana = world.pjsua("ana", 440.0);
    let mut vera = world.pjsua("vera", 1000.0);
    vera.call(&world.uri("800"));
    ana.event("ringing", SOON);
    ana.answer();
    ana.confirmed(SOON);
    vera.confirmed(SOON);
    vera.talk(A_SECOND);
    vera.hang_up();
    ana.disconnected(SOON);
    world.exchange.calls(1);
    let figures = |exchange: &Exchange| {
        let mut queue = exchange.get("/tenants/demo/queues/sales");
        let agent = exchange.get("/tenants/demo/agents/ana");
        let work = ["offered", "answered", "talked"].map(|key| agent[key].clone());
        (queue["today"].take(), queue["service"].take(), work)
    };
    let before = figures(&world.exchange);
    assert_eq!(
        (&before.0["entered"], &before.0["answered"], &before.2[1]),
        (&json!(1), &json!(1), &json!(1))
    );
    world.exchange.ask_to_stop();
    world.exchange.process().exit(LATER);
    world.exchange.start_again();
    assert_eq!(figures(&world.exchange), before);
}
