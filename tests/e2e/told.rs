//! A tenant's script hears of each change of a call back, acts on it, and costs nobody anything when it fails.

use std::fs;
use std::time::Duration;

use serde_json::{Value, json};
use tests::exchange::{Exchange, guest};

use crate::demo::tape;
use crate::world::{LATER, SOON, World};

const A_WHILE: Duration = Duration::from_secs(2);
const TASKS: &str = "/tenants/demo/tasks";

/// A queue, and a script that hears of those who gave it up.
fn world(script: &str, settings: &str) -> World {
    let more = format!(
        "  [[tenant.script]]\n  name = \"told\"\n  file = \"{}\"\n  [[tenant.number]]\n  number = \"800\"\n  \
         script = \"strowger/queue\"\n  settings = {{ queue = \"sales\" }}\n  \
         [[tenant.queue]]\n  name = \"sales\"\n  agents = [\"ana\"]\n  \
         [tenant.missed]\n  by = \"10:00\"\n  script = \"{script}\"\n  settings = {settings}\n",
        guest("told").display()
    );
    World::with(|_| more)
}

fn give_up(world: &World) {
    world.carrier_calls("800").calls(1, 1).talks(A_WHILE).run(LATER).assert_all(1);
}

/// The one call back, once it is as it must be.
#[track_caller]
fn task(world: &mut World, what: &str, is: impl Fn(&Value) -> bool) -> Value {
    world.exchange.eventually(what, |exchange| {
        let open = exchange.get(&format!("{TASKS}?kind=call-back"));
        let closed = exchange.get(&format!("{TASKS}?kind=call-back&state=closed"));
        let tasks = [open, closed].map(|list| list["tasks"].as_array().cloned().unwrap_or_default()).concat();
        let [only] = &tasks[..] else { return None };
        is(only).then(|| only.clone())
    })
}

/// What the script logged, oldest first, but for why it failed.
fn logged(exchange: &Exchange, script: &str) -> Vec<String> {
    let log = exchange.get(&format!("/tenants/demo/scripts/{script}/logs"));
    let lines = log["lines"].as_array().into_iter().flatten().map(|line| &line["data"]);
    let said = lines.filter(|line| line["level"] == "info");
    said.filter_map(|line| line["message"].as_str().map(str::to_owned)).collect()
}

#[track_caller]
fn hears(world: &mut World, script: &str, lines: &[&str]) {
    world.exchange.eventually(&format!("a script that has heard {lines:?}"), |exchange| {
        (logged(exchange, script) == lines).then_some(())
    });
}

#[test]
fn a_script_gives_who_gave_up_to_somebody_and_hears_that_they_were_reached() {
    let mut world = world("told", "{ assign = \"vera\" }");
    give_up(&world);
    let given = task(&mut world, "call back that the script gave to vera", |task| {
        task["responsible"] == "vera" && task["notes"] == json!(["promised"])
    });
    hears(&mut world, "told", &["opened +359888123456 1 nobody"]);

    give_up(&world);
    hears(&mut world, "told", &["opened +359888123456 1 nobody", "missed-again +359888123456 2 vera"]);
    let (status, _, said) =
        world.exchange.cli(&["task", "assign", given["id"].as_str().expect("an id"), "--user", "boris"]);
    assert_eq!(status, 0, "{said}");

    let mut ana = world.pjsua("ana", 440.0);
    let calls = world.patient_calls("800").calls(1, 1).start();
    ana.event("ringing", LATER);
    ana.answer();
    ana.confirmed(SOON);
    ana.talk(A_WHILE);
    ana.hang_up();
    calls.finish(LATER).assert_all(1);
    let closed = task(&mut world, "call back that is over", |task| task["state"] == "reached-us-again");
    assert_eq!((&closed["closed_by"], &closed["missed"]), (&json!("ana"), &json!(2)));
    let all = [
        "opened +359888123456 1 nobody",
        "missed-again +359888123456 2 vera",
        "assigned +359888123456 2 boris",
        "reached +359888123456 2 boris",
    ];
    hears(&mut world, "told", &all);

    // Each run stands with the call that it is about, and plays again.
    let calls = world.exchange.calls(3);
    for (call, events) in
        calls.iter().zip([&["opened"][..], &["missedagain", "assigned"], &["reachedusagain"]])
    {
        let id = call["id"].as_str().expect("a call has an id");
        let tape = world.exchange.eventually(&format!("tape with {events:?}"), |exchange| {
            let tape = tape(exchange, call);
            let whole = tape.matches("\"on-change\"").count() == events.len();
            (whole && events.iter().all(|event| tape.contains(event))).then_some(tape)
        });
        let (status, said, why) = world.exchange.cli(&["replay", id]);
        assert_eq!(status, 0, "{said}{why}\n{tape}");
        assert_eq!(said.matches("told on-change").count(), events.len(), "{said}");
        let (status, said, why) = world.exchange.cli(&["sip", "ladder", id]);
        assert!(status == 0 && said.contains("told on-change"), "{said}{why}");
    }
}

#[test]
fn a_script_that_traps_or_loops_is_told_of_and_the_call_back_is_as_it_was() {
    for (does, why) in [("trap", "trap"), ("spin", "out-of-time"), ("fail", "failed")] {
        let mut world = world("told", &format!("{{ at = \"opened\", does = \"{does}\" }}"));
        let mut events = world.exchange.events();
        give_up(&world);
        let told = events.wait_for("event of a script that failed", SOON, |line| {
            let event: Value = serde_json::from_str(line).ok()?;
            (event["kind"] == "script.failed").then_some(event)
        });
        let open = task(&mut world, "call back", |task| task["state"] == "open");
        assert_eq!((&told["data"]["task"], &told["data"]["why"]), (&open["id"], &json!(why)), "{told}");
        let counted =
            format!("strowger_script_failures_total{{tenant=\"demo\",script=\"told\",why=\"{why}\"}} 1");
        assert!(world.exchange.metrics().lines().any(|line| line == counted), "{counted}");
        // What failed waits for somebody who has it told again; what comes next is told.
        let dead = world.exchange.eventually("a dead letter", |exchange| {
            let dead = exchange.get("/tenants/demo/outbox?state=dead");
            dead["letters"].get(0).cloned()
        });
        assert_eq!((&dead["kind"], &dead["event"]), (&json!("script"), &json!("opened")), "{dead}");
        give_up(&world);
        hears(&mut world, "told", &["opened +359888123456 1 nobody", "missed-again +359888123456 2 nobody"]);
    }
}

#[test]
fn a_change_that_nobody_was_there_to_hear_of_is_told_after_a_kill() {
    let mut world = world("mine", "{ assign = \"vera\" }");
    give_up(&world);
    task(&mut world, "call back", |task| task["missed"] == 1);
    world.exchange.kill();
    world.exchange.start_again();
    let component = fs::read(guest("told")).expect("the component is built");
    let (status, answer) = world.exchange.send("PUT", "/tenants/demo/scripts/mine", component);
    assert_eq!(status, 201, "{answer}");
    task(&mut world, "call back that the script gave to vera", |task| task["responsible"] == "vera");
    hears(&mut world, "mine", &["opened +359888123456 1 nobody"]);
}

#[test]
fn promises_give_call_backs_to_a_group_in_turn() {
    let mut world = world("strowger/promises", "{ group = \"all\" }");
    // Everybody is in the group, and vera alone has a telephone at hand.
    let _vera = world.pjsua("vera", 440.0);
    give_up(&world);
    task(&mut world, "call back that is vera's", |task| task["responsible"] == "vera");
}
