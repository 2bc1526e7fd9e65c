//! `kill -9` in the middle of it all: what was acknowledged is there after the start.

use std::collections::HashSet;
use std::fs;
use std::time::Duration;

use serde_json::Value;
use tests::exchange::guest;
use tests::sipp::{REGISTER, Sipp};

use crate::world::{SOON, World, password};

const A_SECOND: Duration = Duration::from_secs(1);

#[test]
fn what_was_acknowledged_survives_a_kill() {
    let mut world = World::with(|_| {
        "  [[tenant.number]]\n  number = \"900\"\n  script = \"behave\"\n  settings = { does = \"count\" }\n"
            .to_owned()
    });
    let echo = fs::read(guest("echo")).expect("the echo script is built");
    let (status, pushed) = world.exchange.send("PUT", "/tenants/demo/scripts/mine", echo);
    assert_eq!(status, 201, "{pushed}");
    let version = pushed["version"].as_str().expect("a push answers the version").to_owned();

    // ana's telephone rings after the kill without registering again.
    let mut ana = world.pjsua("ana", 440.0);
    let desk = world.net.sip();
    let register = Sipp::scenario(REGISTER, desk).to(world.exchange.sip()).auth("boris", password("boris"));
    register.word("from", "boris").word("expires", "600").calls(1, 1).run(SOON).assert_all(1);

    let calls = world.carrier_calls("900").calls(500, 20).talks(A_SECOND).start();
    let before: Vec<_> = world.exchange.calls(30).iter().map(summary).collect();
    world.exchange.kill();
    drop(calls);
    world.exchange.start_again();

    let after: HashSet<_> = world.exchange.calls(before.len()).iter().map(summary).collect();
    let lost: Vec<_> = before.iter().filter(|call| !after.contains(*call)).collect();
    assert!(lost.is_empty(), "{lost:?}");

    let versions = world.exchange.get("/tenants/demo/scripts/mine").to_string();
    assert!(versions.contains(&version), "{versions}");
    let users = world.exchange.get("/tenants/demo/users").to_string();
    assert!(users.contains(&desk.to_string()), "{users}");

    // The next count is above every count that a caller was told.
    let told = before.iter().map(|(_, count)| *count).max().expect("calls ended before the kill");
    world.carrier_calls("900").calls(1, 1).talks(A_SECOND).run(SOON).assert_all(1);
    let calls = world.exchange.calls(after.len() + 1);
    let next = calls.iter().map(summary).filter(|call| !after.contains(call)).map(|(_, count)| count).max();
    let next = next.expect("the call after the kill");
    assert!(next > told, "{next} after {told}");

    let sipp = world.carrier_calls("703").calls(1, 1).talks(A_SECOND).start();
    sipp.finish(SOON).assert_all(1);
    let mut vera = world.pjsua("vera", 1000.0);
    vera.call(&world.uri("101"));
    ana.event("ringing", SOON);
    ana.answer();
    vera.confirmed(SOON);
    vera.talk(A_SECOND);
    vera.hang_up();
    ana.disconnected(SOON);
}

/// A call's id, and the count that its script marked it with; 0 for other scripts.
fn summary(call: &Value) -> (String, u32) {
    let tags = call["tags"].as_array().into_iter().flatten();
    let count = tags.filter(|tag| tag["key"] == "count").find_map(|tag| tag["value"].as_str()?.parse().ok());
    (call["id"].as_str().unwrap_or_default().to_owned(), count.unwrap_or(0))
}
