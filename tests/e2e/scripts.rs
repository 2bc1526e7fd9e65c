//! Scripts that come, change and fail while calls go on.

use std::collections::HashSet;
use std::fs;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use tests::exchange::{Exchange, binary, guest};
use tests::sound::tone_wav;

use crate::demo::tape;
use crate::world::{LATER, SOON, World};

const A_SECOND: Duration = Duration::from_secs(1);

#[test]
fn a_script_is_swapped_under_fifty_calls_and_none_is_lost() {
    let mut world = World::new();
    let push = |world: &World, name: &str| {
        let component = fs::read(guest(name)).expect("the component is built");
        let (status, answer) = world.exchange.send("PUT", "/tenants/demo/scripts/mine", component);
        assert_eq!(status, 201, "{answer}");
        answer["version"].as_str().expect("a push answers the version").to_owned()
    };
    let first = push(&world, "v1");
    let sipp = world.carrier_calls("703").calls(50, 10).talks(A_SECOND * 2).start();
    world.exchange.eventually("a call on the first version", |exchange| {
        (exchange.get("/tenants/demo/calls").to_string().contains(&first)).then_some(())
    });
    let second = push(&world, "v2");
    assert_ne!(first, second);
    sipp.finish(LATER).assert_all(50);

    let calls = world.exchange.calls(50);
    assert_eq!(calls.len(), 50);
    let versions: Vec<_> = calls.iter().map(|call| call["version"].as_str().unwrap_or_default()).collect();
    assert_eq!(versions.iter().copied().collect::<HashSet<_>>(), HashSet::from([&*first, &*second]));
    // In the order that they came: the first version, and from one call on the second.
    let swapped =
        versions.iter().position(|version| *version == second).expect("a call on the second version");
    assert!(versions[swapped..].iter().all(|version| *version == second), "{versions:?}");
    for call in &calls {
        assert!(call["answered"].is_string() && call["failure"].is_null(), "{call}");
        // The first version plays 440 Hz and the second 880.
        let hz = if call["version"] == *first { "440" } else { "880" };
        let tape = tape(&world.exchange, call);
        assert!(tape.contains("tone") && tape.contains(hz), "{tape}");
    }

    // Back again without a push.
    let body = format!("{{\"version\":\"{first}\"}}");
    let (status, answer) = world.exchange.send("POST", "/tenants/demo/scripts/mine/activate", body);
    assert!((200..300).contains(&status), "{status} {answer}");
    world.carrier_calls("703").calls(1, 1).talks(A_SECOND).run(SOON).assert_all(1);
    assert_eq!(world.exchange.calls(51)[50]["version"], *first);
}

#[test]
fn a_script_that_waits_holds_no_sandbox_and_hears_the_next_key() {
    let music = "  [[tenant.music]]\n  name = \"shop\"\n  play = [\"low\"]\n  [[tenant.number]]\n  number = \"900\"\n  \
                 script = \"behave\"\n  settings = { does = \"wait\" }\n";
    let mut world = World::with(|_| music.to_owned());
    world.exchange.keep_prompt("low", tone_wav(600.0, A_SECOND * 4));
    let mut ana = world.pjsua("ana", 440.0);
    ana.call(&world.uri("900"));
    ana.confirmed(SOON);
    let rests = |exchange: &Exchange| {
        exchange.metrics().lines().any(|line| line == "strowger_sandboxes 0").then_some(())
    };
    for _ in 0..2 {
        world.exchange.eventually("the script rests", rests);
        ana.press("5");
        ana.talk(A_SECOND * 2);
    }
    ana.hang_up();
    ana.disconnected(SOON);
    let announced = ana.heard().tone(1300.0).length;
    assert!((A_SECOND * 14 / 10..A_SECOND * 22 / 10).contains(&announced), "heard for {announced:?}");
    let call = world.exchange.calls(1).remove(0);
    assert!(call["failure"].is_null(), "{call}");
    let (status, said, why) = world.exchange.cli(&["replay", call["id"].as_str().expect("it has one")]);
    assert_eq!((status, said.contains("same")), (0, true), "{said}{why}");
    let counted = "strowger_script_rests_total{tenant=\"demo\",script=\"behave\"} ";
    let metrics = world.exchange.metrics();
    let count = metrics.lines().find_map(|line| line.strip_prefix(counted));
    assert!(count.is_some_and(|count| count.parse::<u32>().is_ok_and(|count| count >= 2)), "{metrics}");
}

#[test]
fn what_a_script_does_wrong_only_its_own_call_notices() {
    let mut world = World::with(|_| {
        let number = |(number, script): &(&str, &str)| {
            format!(
                "  [[tenant.number]]\n  number = \"{number}\"\n  script = \"{script}\"\n  \
                 fallback = [\"user:ana\"]\n"
            )
        };
        WRONG[..4].iter().map(number).collect()
    });
    let mut ana = world.pjsua("ana", 440.0);
    // Others talk all the while.
    let others = world.carrier_calls("702").calls(20, 2).talks(A_SECOND * 3).start();
    let mut vera = world.pjsua("vera", 1000.0);
    for (number, _) in WRONG {
        vera.call(&world.uri(number));
        ana.event("ringing", SOON);
        ana.answer();
        vera.confirmed(SOON);
        vera.talk(A_SECOND);
        vera.hang_up();
        vera.disconnected(SOON);
        ana.disconnected(SOON);
    }
    others.finish(LATER).assert_all(20);

    let calls = world.exchange.calls(20 + WRONG.len());
    for (number, _) in WRONG {
        let call = calls.iter().find(|call| call["dialled"] == number).expect("the call is in the register");
        let failure = call["failure"].as_str().unwrap_or_default();
        assert!(!failure.is_empty(), "{call}");
        assert_eq!(call["answered_by"], "ana", "{call}");
        // A panic's words and line, and not a bare "unreachable".
        assert!(
            number != "911" || failure.contains("panicked at tests/guests/trap/src/lib.rs:"),
            "{failure}"
        );
    }
    let healthy = |call: &&Value| call["dialled"] == "702" && call["failure"].is_null();
    assert_eq!(calls.iter().filter(healthy).count(), 20);
}

/// Numbers whose scripts fail, and how; nobody has pushed "mine" yet.
const WRONG: [(&str, &str); 5] =
    [("911", "trap"), ("912", "spin"), ("913", "bomb"), ("914", "flood"), ("703", "mine")];

#[test]
fn callers_of_a_version_that_only_loops_reach_the_fallback_at_once_until_it_is_replaced() {
    let mut world = World::new();
    let component = |name| fs::read(guest(name)).expect("the component is built");
    assert_eq!(world.exchange.send("PUT", "/tenants/demo/scripts/mine", component("spin")).0, 201);
    // To the carrier these calls fail, as it should be.
    drop(world.carrier_calls("703").calls(20, 5).run(LATER));
    let failures: Vec<String> =
        world.exchange.calls(20).iter().map(|call| call["failure"].to_string()).collect();
    let (looped, later) = failures.split_at(10);
    assert!(
        looped.iter().all(|why| why.contains("computed for too long between two imports")),
        "{failures:#?}"
    );
    let suspended = later.iter().filter(|why| why.contains("its last runs did nothing but run out of time"));
    // One a second is tried.
    assert!((5..10).contains(&suspended.count()), "{failures:#?}");

    assert_eq!(world.exchange.send("PUT", "/tenants/demo/scripts/mine", component("v1")).0, 201);
    world.carrier_calls("703").calls(1, 1).run(LATER).assert_all(1);
}

#[test]
fn what_is_no_call_script_is_refused_at_the_door() {
    let world = World::new();
    let module = b"\0asm\x01\0\0\0".to_vec();
    let empty = b"\0asm\x0d\0\x01\0".to_vec();
    for (what, body) in
        [("a text", b"hello".to_vec()), ("a core module", module), ("an empty component", empty)]
    {
        let (status, answer) = world.exchange.send("PUT", "/tenants/demo/scripts/mine", body);
        assert_eq!(status, 422, "{what}: {answer}");
    }
    let (status, _) =
        world.exchange.send("PUT", "/tenants/nobody/scripts/mine", fs::read(guest("echo")).unwrap());
    assert!(matches!(status, 403 | 404), "{status}");
}

#[test]
fn a_component_that_would_compile_for_ever_is_refused_while_calls_go_on() {
    let mut world = World::new();
    let file = world.exchange.folder().join("strowger.toml");
    let config = fs::read_to_string(&file).expect("it was written");
    fs::write(&file, config.replace("[node]\n", "[node]\ncompile_cpu = \"1 s\"\n"))
        .expect("it can be written");
    world.exchange.kill();
    world.exchange.start_again();
    let others = world.carrier_calls("702").calls(20, 4).talks(A_SECOND * 3).start();
    let (status, answer) = world.exchange.send("PUT", "/tenants/demo/scripts/mine", slow_to_compile());
    assert_eq!(status, 422, "{answer}");
    assert!(answer.to_string().contains("more than 1s of CPU (compile_cpu)"), "{answer}");
    let component = fs::read(guest("v1")).expect("the component is built");
    assert_eq!(world.exchange.send("PUT", "/tenants/demo/scripts/mine", component).0, 201);
    others.finish(LATER).assert_all(20);
}

/// Functions in which many values live at once, and none of which is ever called.
fn slow_to_compile() -> Vec<u8> {
    let step = |n: usize| {
        let (a, b, c) = (n % 200, n * 31 % 200, n * 77 % 200);
        format!(
            "(if (i64.eqz (local.get {a})) (then (local.set {b} (i64.mul (local.get {c}) (local.get {a})))) \
             (else (local.set {c} (i64.add (local.get {b}) (i64.const {n})))))"
        )
    };
    let body: String = (0..5_000).map(step).collect();
    let function = format!("(func (local {}) {body})", "i64 ".repeat(200));
    let text = format!(
        "(component (core module $m (func (export \"f\")) {}) (core instance $i (instantiate $m)) \
         (func $f (canon lift (core func $i \"f\"))) (export \"on-call\" (func $f)) (export \"on-ended\" (func $f)))",
        function.repeat(16)
    );
    wat::parse_str(text).expect("a component in the text format")
}

#[test]
fn a_script_in_javascript_takes_calls_and_what_it_says_of_its_mistake_arrives() {
    let mut world = World::new();
    for arguments in
        [&["new", "mine", "--lang", "js"][..], &["build", "mine"], &["test", "mine"], &["push", "mine"]]
    {
        let (status, said, why) = world.exchange.cli(&[&["script"], arguments].concat());
        assert_eq!(status, 0, "{arguments:?}: {said}{why}");
    }
    // Long enough for it to give its sandbox back, and to be rebuilt when the caller leaves.
    world.carrier_calls("703").calls(1, 1).talks(A_SECOND * 2).run(SOON).assert_all(1);
    let call = world.exchange.calls(1).remove(0);
    let rested = "strowger_script_rests_total{tenant=\"demo\",script=\"mine\"} 1";
    assert!(world.exchange.metrics().contains(rested), "{call}");
    assert_eq!((call["script"].as_str(), call["failure"].as_str()), (Some("mine"), None), "{call}");
    let (status, said, why) = world.exchange.cli(&["replay", call["id"].as_str().expect("a call has an id")]);
    assert!(status == 0 && said.contains("same"), "{said}{why}");

    // A mistake: the call goes to the fallback, and the exception with its place to whoever wrote it.
    let mistaken = "import { script } from '@strowger/script';\n\
                    export default script({ onCall(caller) { caller.answer(); first([]); } });\n\
                    function first(agents) { return agents[0].number; }\n";
    fs::write(world.exchange.folder().join("mine/script.js"), mistaken).expect("the project is there");
    for arguments in [["build", "mine"], ["push", "mine"]] {
        let (status, said, why) = world.exchange.cli(&[&["script"], &arguments[..]].concat());
        assert_eq!(status, 0, "{arguments:?}: {said}{why}");
    }
    let active = world.exchange.get("/tenants/demo/scripts/mine")["active"].clone();
    let mut ana = world.pjsua("ana", 440.0);
    let mut vera = world.pjsua("vera", 1000.0);
    vera.call(&world.uri("703"));
    ana.event("ringing", SOON);
    ana.answer();
    ana.confirmed(SOON);
    vera.hang_up();
    vera.disconnected(SOON);
    let call = world.exchange.calls(2).remove(1);
    let failure = call["failure"].as_str().unwrap_or_default();
    let (status, logs, why) = world.exchange.cli(&["script", "logs", "mine"]);
    assert_eq!(status, 0, "{logs}{why}");
    for words in ["TypeError: cannot read property 'number' of undefined", "at first", "at onCall"] {
        assert!(failure.contains(words) && logs.contains(words), "{words}: {failure}\n{logs}");
    }

    // What is too large, or no component, changes nothing.
    for (status, body) in [(413, vec![0; 100 << 20]), (422, b"\0asm\x0d\0\x01\0".to_vec())] {
        assert_eq!(world.exchange.send("PUT", "/tenants/demo/scripts/mine", body).0, status);
        assert_eq!(world.exchange.get("/tenants/demo/scripts/mine")["active"], active);
    }
}

#[test]
fn a_tenant_writes_builds_and_pushes_a_script_and_the_next_call_runs_it() {
    let mut world = World::new();
    let (status, said, why) = world.exchange.cli(&["script", "new", "mine"]);
    assert_eq!(status, 0, "{said}{why}");
    let folder = world.exchange.folder().join("mine");
    let lines =
        fs::read_to_string(folder.join("src/lib.rs")).expect("a new script has a source").lines().count();
    assert!(lines <= 60, "a script of thirty lines and its test have {lines} lines");
    let (status, said, why) = world.exchange.cli(&["script", "build", "mine"]);
    assert_eq!(status, 0, "{said}{why}");
    let (status, said, why) = world.exchange.cli(&["script", "push", "mine"]);
    assert_eq!(status, 0, "{said}{why}");
    world.carrier_calls("703").calls(1, 1).talks(A_SECOND).run(SOON).assert_all(1);
    let call = world.exchange.calls(1).remove(0);
    assert_eq!((call["script"].as_str(), call["failure"].as_str()), (Some("mine"), None), "{call}");

    // Yesterday's call against the version that took it, the one on disk, and another.
    let id = call["id"].as_str().expect("a call has an id").to_owned();
    for script in [&[][..], &["--script", "mine"]] {
        let (status, said, why) = world.exchange.cli(&[&["replay", &id], script].concat());
        assert_eq!(status, 0, "{said}{why}");
        assert!(said.contains("same"), "{said}{why}");
    }
    let other = guest("v2").display().to_string();
    let (status, said, why) = world.exchange.cli(&["replay", &id, "--script", &other]);
    assert_eq!(status, 1, "{said}{why}");
    assert!(said.contains("parts at step"), "{said}{why}");

    // And all of a day, where a call to another script is none of this one's.
    world.carrier_calls("702").calls(1, 1).talks(A_SECOND).run(SOON).assert_all(1);
    world.exchange.calls(2);
    let since = |when: &str, script: &[&str]| {
        world.exchange.cli(&[&["replay", "--since", when][..], script].concat())
    };
    let day = call["started"].as_str().expect("a call began")[..10].to_owned();
    let (status, said, why) = since(&day, &[]);
    assert_eq!((status, said.as_str()), (0, "2 calls: 2 the same, 0 part\n"), "{why}");
    let (status, said, why) = since(&day, &["--script", "mine"]);
    assert_eq!((status, said.as_str()), (0, "1 calls: 1 the same, 0 part\n"), "{why}");
    let (status, said, why) = since(&day, &["--script", &other, "--name", "mine"]);
    assert_eq!(status, 1, "{said}{why}");
    assert!(said.starts_with(&format!("{id} mine on-call: parts at step")), "{said}{why}");
    assert!(said.ends_with("1 calls: 0 the same, 1 part\n"), "{said}{why}");
    let (status, said, why) = since("2999-01-01 09:00", &["--script", "mine"]);
    assert_eq!(status, 1, "nothing compared is not the same: {said}{why}");
    assert!(why.contains("there are no calls that mine took since 2999-01-01T09:00:00Z"), "{said}{why}");

    let (status, said, why) = world.exchange.cli(&["sip", "ladder", &id]);
    assert_eq!(status, 0, "{said}{why}");
    assert!(said.contains("INVITE") && said.contains("BYE"), "{said}{why}");
}

/// Imaginary calls to the reception of tests/guests, which remembers when the call is over who called last.
const AFTER_THE_CALL: &str = r#"
settings = { greeting = "welcome", group = "sales" }
[[user]]
name = "ana"
after = 4
transfers = { to = "boris", after = 10, attended = true }
[[user]]
name = "boris"
groups = []
talks = 20
[[call]]
name = "it is as it must be"
keys = "1"
  [call.expect]
  talks_with = ["ana", "boris"]
  rings = ["ana"]
  [call.expect.ended]
  imports = ["kv set last"]
  remembers = { last = "+359888123456 after 4 s" }
  ends = "returned"
[[call]]
name = "it is not"
keys = "1"
  [call.expect.ended]
  contains = ["kv set first"]
  remembers = { last = "nobody" }
"#;

#[test]
fn a_file_of_calls_says_what_becomes_of_a_transfer_and_what_is_done_after_the_call() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("calls.toml");
    let script = guest("reception").canonicalize().expect("the component is there");
    let text = format!("script = {:?}\n{AFTER_THE_CALL}", script.display().to_string());
    fs::write(&file, text).expect("a file");
    let output = Command::new(binary()).args(["script", "test"]).arg(&file).output().expect("strowger runs");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("ok    it is as it must be"), "{said}{}", String::from_utf8_lossy(&output.stderr));
    for told in [
        "FAIL  it is not",
        "on-ended: imports: there is no \"kv set first\"; there was\n      kv set last",
        "on-ended: remembers: last = \"nobody\", and it was \"+359888123456 after 4 s\"",
        "1 as they must be, 1 not",
    ] {
        assert!(said.contains(told), "{told} is not in\n{said}");
    }
    assert!(!output.status.success());
}
