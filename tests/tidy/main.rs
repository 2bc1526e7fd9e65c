//! The walls of the house, as a test: who may import whom, what stands in one file only, what the script
//! interface must be, and how files are kept. ARCHITECTURE.md says why; a failure names the rule and the
//! place.

mod source;
mod wit;

use std::collections::BTreeMap;

use source::{Source, words};

/// A file that outgrows this is split by noun.
const LINES: usize = 900;

/// Crates of this workspace, and which of them each may use. One that is missing here may use none.
const MAY_USE: &[(&str, &[&str])] = &[
    ("protocol", &[]),
    ("exchange", &[]),
    ("store", &[]),
    ("media", &["protocol"]),
    ("spoken", &[]),
    ("outbox", &["exchange"]),
    ("notices", &[]),
    ("script", &["exchange"]),
    (
        "server",
        &["protocol", "exchange", "store", "media", "script", "spoken", "outbox", "notices", "guest-build"],
    ),
    ("tests", &["protocol", "exchange", "store", "media", "script", "guest-build"]),
    ("strowger-script", &["strowger-script-macros"]),
    ("strowger-script-macros", &[]),
    ("guest-build", &[]),
];

/// What tests and benches may use besides: guests are built for them.
const TESTS_MAY_USE: &[&str] = &["guest-build", "strowger-script"];

/// Bytes and time in, bytes and events out.
const PURE: &[&str] =
    &["engine/protocol/", "engine/exchange/", "engine/spoken/", "engine/outbox/", "engine/notices/"];
/// What a pure crate would do the world's work with.
const IMPURE: &[&str] = &[
    "tokio",
    "wasmtime",
    "sled",
    "redb",
    "hyper",
    "axum",
    "reqwest",
    "rand",
    "getrandom",
    "fastrand",
    "rustix",
    "socket2",
    "UdpSocket",
    "TcpStream",
    "TcpListener",
    "ToSocketAddrs",
    "Instant::now",
    "SystemTime::now",
    "Timestamp::now",
    "Zoned::now",
    "std::thread",
    "std::fs",
    "std::env",
    "std::process",
    "tracing",
];

#[test]
fn crates_use_only_the_crates_they_may() {
    let mut broken = Vec::new();
    let manifests = manifests();
    let names: Vec<String> = manifests.iter().map(|(_, manifest)| name_of(manifest)).collect();
    for (path, manifest) in &manifests {
        let name = name_of(manifest);
        let guest = path.starts_with("scripts/") || path.starts_with("tests/guests/");
        let may: &[&str] = match MAY_USE.iter().find(|(crate_, _)| *crate_ == name) {
            Some((_, may)) => may,
            None if guest => &["strowger-script"],
            None if path.starts_with("tests/fuzz") => &["protocol", "exchange", "script", "server"],
            None => &[],
        };
        let shipped = dependencies_of_kind(manifest, |kind| kind != "dev-dependencies");
        for used in dependencies(manifest).into_iter().filter(|used| names.contains(used)) {
            let in_tests = TESTS_MAY_USE.contains(&used.as_str()) && !shipped.contains(&used);
            if !in_tests && !may.contains(&used.as_str()) {
                broken.push(format!("{path}: {name} may not use {used}; it may use {may:?}"));
            }
        }
    }
    hold("walls by crate: ARCHITECTURE.md, who may import whom", broken);
}

#[test]
fn pure_crates_depend_on_nothing_that_touches_the_world() {
    let mut broken = Vec::new();
    for (path, manifest) in manifests() {
        if PURE.iter().any(|pure| path.starts_with(pure)) {
            // Its benches measure CPU time and its tests may compare; what ships may not.
            let used = dependencies_of_kind(&manifest, |kind| kind != "dev-dependencies");
            let impure = used.iter().filter(|used| IMPURE.contains(&used.as_str()));
            broken.extend(impure.map(|used| format!("{path}: {used}")));
        }
    }
    hold("a pure crate has no runtime, database, HTTP, randomness or log", broken);
}

#[test]
fn pure_crates_do_no_io_and_ask_no_clock() {
    hold(
        "a pure crate does no IO, asks no clock and rolls no dice: time enters as `now`",
        impure(&source::all()),
    );
}

fn impure(sources: &[Source]) -> Vec<String> {
    let pure = |s: &&Source| s.is_rust() && PURE.iter().any(|pure| s.path.starts_with(pure));
    let mut broken = Vec::new();
    for source in sources.iter().filter(pure) {
        let (shipped, _) = source.shipped_and_test();
        broken.extend(words(shipped, IMPURE).into_iter().map(|(line, word)| place(source, line, word)));
    }
    broken
}

/// A library that stands behind a wall, how its use reads in code, and where that may be.
const BEHIND_ONE_WALL: &[(&str, &[&str], &str)] = &[
    ("rsip", &["rsip"], "engine/protocol/src/sip/"),
    (
        "rtp",
        &["use rtp", "= rtp::", "rtp::header", "rtp::packet", "webrtc_util"],
        "engine/protocol/src/rtp/wire.rs",
    ),
    ("rtp-types", &["rtp_types"], "engine/protocol/src/rtp/wire.rs"),
    ("sled", &["sled::Config", "sled::Db", "use sled"], "engine/store/src/sled.rs"),
    ("redb", &["redb::Database", "redb::{", "use redb"], "engine/store/src/redb.rs"),
    ("rrule", &["use rrule", "rrule::"], "engine/server/src/calendar/recurrence.rs"),
    ("bindgen!", &["bindgen!"], "engine/script/src/bindings.rs"),
];

#[test]
fn a_library_behind_a_wall_is_imported_by_one_file() {
    hold(
        "one file imports it; the rest of the house does not know its name",
        beside_the_wall(&source::all()),
    );
}

fn beside_the_wall(sources: &[Source]) -> Vec<String> {
    let mut broken = Vec::new();
    for (library, uses, home) in BEHIND_ONE_WALL {
        let mut importers = BTreeMap::new();
        for source in sources.iter().filter(|s| s.is_rust() && s.path.starts_with("engine/")) {
            let (shipped, _) = source.shipped_and_test();
            if let Some((line, word)) = words(shipped, uses).first() {
                importers.insert(source.path.as_str(), place(source, *line, word));
            }
        }
        let astray = importers.iter().filter(|(path, _)| !path.starts_with(home));
        broken.extend(astray.map(|(_, place)| format!("{place}: {library} belongs to {home}")));
        if importers.len() > 1 {
            broken.push(format!(
                "{library} is imported by {} files: {:?}",
                importers.len(),
                importers.keys()
            ));
        }
    }
    broken
}

#[test]
fn the_script_interface_is_documented_dated_and_without_64_bit_integers() {
    let wit: Vec<Source> = source::all().into_iter().filter(|s| s.path.starts_with("wit/")).collect();
    assert!(!wit.is_empty(), "wit/ is not where it was");
    hold("wit/: ARCHITECTURE.md, the script interface", wit.iter().flat_map(wit::broken).collect());
}

#[test]
fn files_stay_small() {
    hold("a file that outgrows its noun is split by noun", too_long(&source::all()));
}

fn too_long(sources: &[Source]) -> Vec<String> {
    let lines = |s: &Source| s.text.lines().count();
    let long = sources.iter().filter(|s| s.is_rust() && lines(s) > LINES);
    long.map(|s| format!("{}: {} lines, at most {LINES}", s.path, lines(s))).collect()
}

#[test]
fn nothing_is_left_for_later() {
    hold("what is not done is not there", left_for_later(&source::all()));
}

fn left_for_later(sources: &[Source]) -> Vec<String> {
    // Put together here, so that this file does not hold them.
    let notes = [concat!("FIX", "ME"), concat!("TO", "DO"), concat!("X", "XX"), concat!("HA", "CK")];
    let macros = [concat!("to", "do!"), concat!("unimple", "mented!"), concat!("#[ig", "nore]")];
    let judged = [".rs", ".wit", ".toml", ".sh", ".py", "Makefile"];
    let mut broken = Vec::new();
    for source in sources.iter().filter(|s| judged.iter().any(|end| s.path.ends_with(end))) {
        broken.extend(words(&source.text, &notes).into_iter().map(|(line, word)| place(source, line, word)));
        for word in macros {
            let lines = source.code.lines().enumerate().filter(|(_, line)| line.contains(word));
            broken.extend(lines.map(|(line, _)| place(source, line + 1, word)));
        }
    }
    broken
}

#[test]
fn no_test_sleeps() {
    hold("a test waits for what it waits for, or runs in virtual time", sleeping(&source::all()));
}

fn sleeping(sources: &[Source]) -> Vec<String> {
    let mut broken = Vec::new();
    // A guest's sleep is the exchange's virtual time, and a bench keeps the pace of real telephones.
    let apart = ["tests/guests/", "scripts/", "tests/bench/"];
    let judged = |s: &&Source| {
        s.is_rust() && !apart.iter().any(|folder| s.path.starts_with(folder)) && !s.path.contains("/benches/")
    };
    for source in sources.iter().filter(judged) {
        let (shipped, test) = source.shipped_and_test();
        let before = shipped.lines().count();
        for (line, word) in words(test, &["thread::sleep", "time::sleep", "sleep_until", "sleep_ms"]) {
            broken.push(place(source, before + line, word));
        }
    }
    broken
}

#[test]
fn every_module_says_what_it_is() {
    hold(
        "a module opens with what it is, on which promise or RFC, and what it leaves out",
        silent(&source::all()),
    );
}

fn silent(sources: &[Source]) -> Vec<String> {
    // Tests beside their module speak through their names, and a fuzz target is one line over its crate.
    let judged = |s: &&Source| {
        s.is_rust() && !s.path.ends_with("/tests.rs") && !s.path.starts_with("tests/fuzz/fuzz_targets/")
    };
    let silent = sources.iter().filter(judged).filter(|s| !s.text.starts_with("//!"));
    silent.map(|s| format!("{}:1: no //! at its beginning", s.path)).collect()
}

#[test]
fn names_are_nouns_of_the_field() {
    let vague = ["utils", "util", "helpers", "helper", "manager", "misc", "common", "old", "new", "v2"];
    let mut broken = Vec::new();
    for source in source::all().iter().filter(|s| s.is_rust() && s.path.starts_with("engine/")) {
        let parts = source.path.trim_end_matches(".rs").split(['/', '_', '-']);
        broken
            .extend(parts.filter(|part| vague.contains(part)).map(|part| format!("{}: {part}", source.path)));
    }
    hold("a file is named by the noun it keeps", broken);
}

/// Fails with the rule and every place that breaks it.
fn hold(rule: &str, broken: Vec<String>) {
    assert!(broken.is_empty(), "\n{rule}:\n  {}\n", broken.join("\n  "));
}

fn place(source: &Source, line: usize, word: &str) -> String {
    format!("{}:{line}: {word}", source.path)
}

/// Every Cargo manifest of the repository that makes a crate, with its path.
fn manifests() -> Vec<(String, toml::Table)> {
    let manifests: Vec<_> = source::all()
        .into_iter()
        .filter(|s| s.path.ends_with("Cargo.toml"))
        .map(|s| {
            let table = s.text.parse().unwrap_or_else(|error| panic!("{}: {error}", s.path));
            (s.path, table)
        })
        .filter(|(_, table): &(String, toml::Table)| table.contains_key("package"))
        .collect();
    assert!(manifests.len() > 8, "the crates are not where they were: {}", manifests.len());
    manifests
}

fn name_of(manifest: &toml::Table) -> String {
    manifest["package"]["name"].as_str().unwrap_or_default().to_owned()
}

/// Every crate named under any kind of dependencies, for any target.
fn dependencies(manifest: &toml::Table) -> Vec<String> {
    dependencies_of_kind(manifest, |_| true)
}

fn dependencies_of_kind(manifest: &toml::Table, wanted: fn(&str) -> bool) -> Vec<String> {
    let mut found = Vec::new();
    for (key, value) in manifest {
        let Some(table) = value.as_table() else { continue };
        if key.ends_with("dependencies") && wanted(key) {
            found.extend(table.iter().map(|(name, about)| {
                about.get("package").and_then(toml::Value::as_str).unwrap_or(name).to_owned()
            }));
        } else if key == "target" {
            let targets = table.values().filter_map(toml::Value::as_table);
            found.extend(targets.flat_map(|target| dependencies_of_kind(target, wanted)));
        }
    }
    found
}

#[test]
fn each_rule_sees_what_breaks_it() {
    let one = |path: &str, text: &str| vec![Source::new(path, text)];
    let clock =
        "//! A.\nfn a() { Instant::now(); }\n#[cfg(test)]\nmod tests { fn b() { Instant::now(); } }\n";
    assert_eq!(impure(&one("engine/exchange/src/a.rs", clock)), ["engine/exchange/src/a.rs:2: Instant::now"]);
    assert_eq!(impure(&one("engine/server/src/a.rs", clock)), <[String; 0]>::default());

    let astray = beside_the_wall(&one("engine/server/src/a.rs", "use sled::Db;"));
    assert_eq!(astray, ["engine/server/src/a.rs:1: sled::Db: sled belongs to engine/store/src/sled.rs"]);
    let mut two = one("engine/protocol/src/sip/a.rs", "use rsip::Uri;");
    assert_eq!(beside_the_wall(&two), <[String; 0]>::default());
    two.push(Source::new("engine/protocol/src/sip/b.rs", "type A = rsip::Uri;"));
    assert_eq!(beside_the_wall(&two).len(), 1);

    assert_eq!(too_long(&one("a.rs", &"\n".repeat(LINES + 1))).len(), 1);
    let later = concat!("// FIX", "ME: soon\nfn a() { to", "do!() }\n");
    assert_eq!(left_for_later(&one("engine/a.rs", later)).len(), 2);
    let sleepy = "fn a() {}\n#[cfg(test)]\nmod tests {\n    fn b() { std::thread::sleep(c); }\n}\n";
    assert_eq!(sleeping(&one("engine/a.rs", sleepy)), ["engine/a.rs:4: thread::sleep"]);
    assert_eq!(silent(&one("engine/a.rs", "use b;")).len(), 1);

    let manifest: toml::Table =
        "[dev-dependencies]\na = \"1\"\n[target.'cfg(unix)'.dependencies]\nb = { package = \"c\" }"
            .parse()
            .unwrap();
    assert_eq!(dependencies(&manifest), ["a", "c"]);
    assert_eq!(dependencies_of_kind(&manifest, |kind| kind != "dev-dependencies"), ["c"]);
}
