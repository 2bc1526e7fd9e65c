//! The command line as a shell sees it: exit status, one line that says what to do, the timeline of a
//! simulated call. What needs a running exchange is in the end-to-end tests.

use std::path::Path;
use std::process::Command;

use server::shipped;

/// Status, standard output and standard error.
fn strowger(folder: &Path, arguments: &[&str]) -> (Option<i32>, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_strowger"));
    command.args(arguments).current_dir(folder).env_remove("STROWGER_TOKEN").env_remove("STROWGER_URL");
    let done = command.output().expect("the binary is built");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("it writes UTF-8");
    (done.status.code(), text(done.stdout), text(done.stderr))
}

#[test]
fn status_is_0_done_1_failed_2_usage() {
    let folder = tempfile::tempdir().unwrap();
    let run = |arguments: &[&str]| strowger(folder.path(), arguments);
    std::fs::write(folder.path().join("right.toml"), "[[tenant]]\nname = \"acme\"\n").unwrap();
    std::fs::write(folder.path().join("wrong.toml"), "[[tenant]]\nnmae = \"acme\"\n").unwrap();
    assert_eq!(run(&["check", "--config", "right.toml"]).0, Some(0));
    let (status, _, said) = run(&["check", "--config", "wrong.toml"]);
    assert_eq!(status, Some(1));
    assert!(said.contains(r#"wrong.toml:2: [[tenant]] has no key "nmae"; write "name""#), "{said}");
    assert_eq!(run(&["chekc"]).0, Some(2));
    let (status, _, said) = run(&["user"]);
    assert_eq!((status, said.lines().count()), (Some(1), 1), "{said}");
    assert!(said.contains("STROWGER_TOKEN"), "{said}");
}

#[test]
fn every_verb_helps_with_an_example() {
    let folder = tempfile::tempdir().unwrap();
    let verbs = [
        "serve",
        "check",
        "script",
        "script new",
        "script build",
        "script check",
        "script push",
        "script list",
        "script activate",
        "script rollback",
        "script logs",
        "call",
        "replay",
        "sip",
        "sip ladder",
        "tenant",
        "number",
        "user",
        "queue",
        "trunk",
    ];
    for verb in verbs {
        let arguments: Vec<_> = verb.split(' ').chain(["--help"]).collect();
        let (status, said, _) = strowger(folder.path(), &arguments);
        assert!(status == Some(0) && said.contains("Example:\n  strowger "), "{verb}: {said}");
    }
}

#[test]
fn a_simulated_call_is_a_timeline() {
    let folder = tempfile::tempdir().unwrap();
    let menu = shipped::find("strowger/menu").unwrap().component;
    std::fs::write(folder.path().join("menu.wasm"), menu).unwrap();
    let settings = r#"{"menu":{"prompts":["welcome"],"choices":{"2":{"ring":{"places":["user:boris"]}}}}}"#;
    let arguments = ["call", "--keys", "2", "--at", "2026-11-27 23:58", "--settings", settings, "menu.wasm"];
    let (status, said, why) = strowger(folder.path(), &arguments);
    assert_eq!(status, Some(0), "{said}{why}");
    let order = ["at 2026-11-27 23:58", "answer", "welcome -> \"2\"", "dial user:boris", "bridge", "returns"];
    let mut rest = said.as_str();
    for step in order {
        let at = rest.find(step).unwrap_or_else(|| panic!("no {step} in its place in\n{said}"));
        rest = &rest[at + step.len()..];
    }
    let (status, said, _) = strowger(folder.path(), &["call", "--settings", "{}", "menu.wasm"]);
    assert_eq!(status, Some(1), "settings without a menu fail the script: {said}");
}
