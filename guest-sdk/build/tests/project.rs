//! A new project is one that works: it builds into a component, and its test passes.

use guest_build::{Kind, Language, NewProjectError, Sdk, Source, build, new_project};
use std::path::{Path, PathBuf};
use std::process::Command;

fn sdk() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../rust").canonicalize().unwrap()
}

/// Where `guest-build all` works too, so that the SDK is compiled once.
fn cache() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("guests")
}

#[test]
fn a_new_call_script_builds_and_passes_its_test() {
    builds_and_passes("reception", Kind::Call, "whoever_presses_1_speaks_with_sales ... ok");
}

#[test]
fn a_new_queue_strategy_builds_and_passes_its_test() {
    builds_and_passes("fair", Kind::Queue, "whoever_has_just_hung_up_rests_while_another_is_free ... ok");
}

#[test]
fn a_new_task_script_builds_and_passes_its_test() {
    builds_and_passes("promises", Kind::Task, "one_that_is_late_goes_to_the_next ... ok");
}

fn builds_and_passes(name: &str, kind: Kind, passed: &str) {
    let folder = tempfile::tempdir().unwrap();
    let project = new_project(folder.path(), name, Language::Rust, kind, Sdk::Path(&sdk())).unwrap();
    let built = build(Source::Project(&project), &project, &cache()).unwrap();
    assert_eq!((built.len(), built[0].name.as_str(), built[0].fresh), (1, name, false));
    assert_eq!(built[0].file, project.join(name).with_extension("wasm"));
    // Preamble of a component: version 0xd, layer 1 (component model, binary format).
    assert_eq!(std::fs::read(&built[0].file).unwrap()[..8], *b"\0asm\x0d\0\x01\0");

    let again = build(Source::Project(&project), &project, &cache()).unwrap();
    assert!(again[0].fresh);

    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut test = Command::new(cargo);
    test.current_dir(&project).arg("test").env("CARGO_TARGET_DIR", cache().join("native"));
    let output = test.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains(passed), "{said}");
}

#[test]
fn a_new_project_overwrites_nothing_and_has_a_name_that_everyone_can_write() {
    let folder = tempfile::tempdir().unwrap();
    let named =
        |name: &str| new_project(folder.path(), name, Language::Rust, Kind::Call, Sdk::Version("0.1"));
    for name in ["", "Reception", "1st", "../up", "a b", "é", &"a".repeat(65)] {
        assert!(matches!(named(name), Err(NewProjectError::BadName(_))), "{name:?}");
    }
    let project = named("night-desk").unwrap();
    assert!(
        std::fs::read_to_string(project.join("Cargo.toml")).unwrap().contains("strowger-script = \"0.1\"")
    );
    assert!(matches!(named("night-desk"), Err(NewProjectError::Exists(_))));
}
