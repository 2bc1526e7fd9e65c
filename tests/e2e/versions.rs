//! The life of a version under calls: a canary that shares them, one that fails and is rolled back, a shadow, a policy
//! that refuses what parts from recorded calls, and a project that is loaded at every save.

use std::fs;
use std::time::Duration;

use serde_json::{Value, json};
use tests::exchange::guest;
use tests::process::Process;
use tests::sound::tone_wav;

use crate::world::{LATER, SOON, World};

const A_SECOND: Duration = Duration::from_secs(1);
const MINE: &str = "/tenants/demo/scripts/mine";

/// Building a project for the first time.
const A_BUILD: Duration = Duration::from_secs(180);

impl World {
    fn load(&self, component: &str, query: &str) -> String {
        let component = fs::read(guest(component)).expect("the component is built");
        let (status, answer) = self.exchange.send("PUT", &format!("{MINE}{query}"), component);
        assert_eq!(status, 201, "{answer}");
        answer["version"].as_str().expect("a version").to_owned()
    }

    fn order(&self, method: &str, what: &str, body: &Value) -> (u16, Value) {
        self.exchange.send(method, &format!("{MINE}/{what}"), body.to_string())
    }

    /// Versions of the calls from the carrier so far, of which there are so many.
    fn versions(&mut self, count: usize) -> Vec<String> {
        let calls = self.exchange.calls(count);
        calls.iter().map(|call| call["version"].as_str().unwrap_or_default().to_owned()).collect()
    }
}

#[test]
fn a_canary_shares_the_calls_and_one_that_fails_is_rolled_back() {
    let mut world = World::with(|_| "  [tenant.scripts]\n  canary_calls = 5\n".to_owned());
    let first = world.load("v1", "");
    let second = world.load("v2", "?canary=50");
    world.carrier_calls("703").calls(40, 10).talks(A_SECOND).run(LATER).assert_all(40);
    let versions = world.versions(40);
    let on = |hash: &String| versions.iter().filter(|version| *version == hash).count();
    // Half of forty, give or take: fewer than six on one side happens once in a million.
    assert!(on(&first) >= 6 && on(&second) >= 6 && on(&first) + on(&second) == 40, "{versions:?}");
    let canary = &world.exchange.get(MINE)["canary"];
    assert_eq!(canary["version"], *second, "as good as the other: {canary}");
    let (status, script) = world.order("POST", "promote", &json!({}));
    assert_eq!((status, script["active"].as_str()), (200, Some(&*second)), "{script}");

    let mut events = world.exchange.events();
    let failing = world.load("trap", "?canary=50");
    // Half of these callers are answered and then lost, until it is rolled back.
    drop(world.carrier_calls("703").calls(60, 10).talks(A_SECOND).run(LATER));
    let told = events.wait_for("rolled-back", SOON, |line| {
        line.contains("\"script.rolled-back\"").then(|| line.to_owned())
    });
    assert!(told.contains(&failing) && told.contains("runs failed"), "{told}");
    let script = world.exchange.get(MINE);
    assert_eq!((script["active"].as_str(), &script["canary"]), (Some(&*second), &Value::Null), "{script}");
    assert_eq!(script["rolled_back"]["version"], *failing, "{script}");
    let versions = world.versions(100);
    let last = versions.iter().rposition(|version| *version == failing).expect("the canary took calls");
    assert!(last < 99, "calls came after it was rolled back: {versions:?}");

    world.carrier_calls("703").calls(10, 10).talks(A_SECOND).run(LATER).assert_all(10);
    assert!(world.versions(110)[100..].iter().all(|version| *version == second));
}

#[test]
fn what_parts_from_recorded_calls_is_seen_beside_them_and_refused() {
    let policy = "  [tenant.scripts]\n  replay_before_activation = 10\n  refuse = \"part\"\n";
    let mut world = World::with(|_| policy.to_owned());
    let first = world.load("v1", "");
    let second = world.load("v2", "?activate=false");
    let (status, shadow) = world.order("PUT", "shadow", &json!({ "version": "2" }));
    assert_eq!((status, shadow["version"].as_str()), (200, Some(&*second)), "{shadow}");
    world.carrier_calls("703").calls(5, 5).talks(A_SECOND).run(SOON).assert_all(5);
    world.exchange.calls(5);
    let shadow = world.exchange.eventually("five calls of the shadow", |exchange| {
        Some(exchange.get(&format!("{MINE}/shadow"))).filter(|shadow| shadow["parted"] == 5)
    });
    // The first thing that they do is to mark the call with their number.
    let difference = &shadow["differences"][0];
    assert_eq!(
        (difference["recorded"].as_str(), difference["now"].as_str()),
        (Some("tag version = 1"), Some("tag version = 2")),
        "{shadow}"
    );

    let (status, problem) = world.order("POST", "activate", &json!({ "version": "2" }));
    assert_eq!(status, 409, "{problem}");
    let told = problem["problems"][0]["what"].as_str().unwrap_or_default();
    assert!(told.contains("tag version = 1") && told.contains("tag version = 2"), "{problem}");
    assert_eq!(world.exchange.get(MINE)["active"], *first);
    let (status, said, why) = world.exchange.cli(&["script", "activate", "mine", "2", "--force"]);
    assert_eq!(status, 0, "{said}{why}");
    assert_eq!(world.exchange.get(MINE)["active"], *second);
    // Going back is never refused.
    world.carrier_calls("703").calls(1, 1).talks(A_SECOND).run(SOON).assert_all(1);
    world.exchange.calls(6);
    let (status, said, why) = world.exchange.cli(&["script", "rollback", "mine"]);
    assert_eq!(status, 0, "{said}{why}");
    assert_eq!(world.exchange.get(MINE)["active"], *first);

    let (status, said, why) = world.exchange.cli(&["script", "pull", "mine", "2", "--out", "two.wasm"]);
    assert_eq!(status, 0, "{said}{why}");
    let pulled = fs::read(world.exchange.folder().join("two.wasm")).expect("it was written");
    assert!(pulled == fs::read(guest("v2")).expect("the component is built"));
    let (status, said, why) = world.exchange.cli(&["script", "show", "mine"]);
    assert!(status == 0 && said.contains("a run computes for"), "{said}{why}");
}

#[test]
fn a_project_is_loaded_at_every_save_and_its_calls_are_seen() {
    let world = World::new();
    let (status, said, why) = world.exchange.cli(&["script", "new", "mine"]);
    assert_eq!(status, 0, "{said}{why}");
    let mut dev = Process::spawn("script dev", &mut world.exchange.command(&["script", "dev", "mine"]));
    let loaded = |line: &str| line.contains("takes the next call").then(|| line.to_owned());
    let first = dev.lines.wait_for("first version", A_BUILD, loaded);
    assert!(first.starts_with("mine 1 ") && first.contains("4 imaginary calls"), "{first}");
    // The stream of calls begins after the load; what is called before it does is not seen.
    let mut seen = false;
    for _ in 0..10 {
        world.carrier_calls("703").calls(1, 1).talks(A_SECOND).run(SOON).assert_all(1);
        seen = dev.lines.seek(A_SECOND, |line| line.contains("gather 1 key").then_some(())).is_some();
        if seen {
            break;
        }
    }
    assert!(seen, "no call was seen: {:?}", dev.lines.heard());

    let source = world.exchange.folder().join("mine/src/lib.rs");
    let text = fs::read_to_string(&source).expect("a new script has a source");
    fs::write(&source, format!("{text}\nfn broken(")).expect("it can be written");
    dev.lines
        .wait_for("what the compiler says", A_BUILD, |line| line.contains("does not compile").then_some(()));
    assert_eq!(world.exchange.get(MINE)["versions"].as_array().map(Vec::len), Some(1));
    // What compiles and does something else than its calls say is not loaded either.
    fs::write(&source, text.replace("tag(\"wants\", \"sales\")", "tag(\"wants\", \"help\")"))
        .expect("it can be written");
    dev.lines.wait_for("what is not as it must be", A_BUILD, |line| {
        line.contains("it is not loaded").then_some(())
    });
    fs::write(&source, text.replace("330, 1.secs()", "330, 1000.ms()").replace("440", "441"))
        .expect("it can be written");
    let second = dev.lines.wait_for("second version", A_BUILD, loaded);
    assert!(second.starts_with("mine 2 "), "{second}");
    println!("{first}\n{second}");
}

#[test]
fn a_call_in_the_middle_goes_on_with_another_version_and_stays_where_that_one_parts() {
    let waits = "  [[tenant.music]]\n  name = \"shop\"\n  play = [\"low\"]\n  [[tenant.number]]\n  number = \"900\"\n  \
                 script = \"behave\"\n  settings = { does = \"wait\" }\n";
    let mut world = World::with(|_| waits.to_owned());
    world.exchange.keep_prompt("low", tone_wav(600.0, A_SECOND * 4));
    let mut ana = world.pjsua("ana", 440.0);
    ana.call(&world.uri("900"));
    ana.confirmed(SOON);
    let behave = fs::read(guest("behave")).expect("the component is built");
    let push = |component: &[u8]| {
        let (status, answer) = world.exchange.send("PUT", "/tenants/demo/scripts/behave", component.to_vec());
        assert_eq!(status, 201, "{answer}");
        answer["version"].as_str().expect("a version").to_owned()
    };
    // The same with a custom section more (WebAssembly core specification §5.5.3), and something else.
    let second = push(&[&behave[..], &[0, 2, 1, b'x']].concat());
    let moved = world.exchange.cli(&["script", "move", "behave"]);
    assert!(moved.0 == 0 && moved.1.starts_with("1 of 1 calls"), "{moved:?}");
    let live = world.exchange.get("/tenants/demo/calls?live=true");
    assert_eq!(live["calls"][0]["version"], *second, "{live}");
    push(&fs::read(guest("v2")).expect("the component is built"));
    let stays = world.exchange.cli(&["script", "move", "behave"]);
    assert!(
        stays.1.contains("it stays: at step 1 it would ask") && stays.1.contains("0 of 1 calls"),
        "{stays:?}"
    );
    // The caller hears music all the while, and the next key does what it did.
    ana.press("5");
    ana.talk(A_SECOND * 2);
    ana.hang_up();
    ana.disconnected(SOON);
    let heard = ana.heard();
    for hz in [600.0, 1300.0] {
        let length = heard.tone(hz).length;
        assert!(length >= A_SECOND / 2, "{hz} Hz was heard for {length:?}");
    }
    let call = world.exchange.calls(1).remove(0);
    assert_eq!((&call["version"], &call["failure"]), (&json!(second), &Value::Null), "{call}");
}
