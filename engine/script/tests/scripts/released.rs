//! What was released goes on: `wit/` is a successor of every version that it serves, and scripts that were written for
//! one load and run. `tests/released/README.md` says how a version is added.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use exchange::{Answer, Command};
use script::{Component, Finish, Kind, Limits, Sandboxes, Tape, Verdict, Version};
use wit_parser::{Function, Handle, Resolve, Stability, Type, TypeDefKind, WorldItem};

use crate::strategies::snapshot;
use crate::support::*;

const WIT: &str = include_str!("../../../../wit/strowger.wit");

/// The version of the interface that this engine offers.
pub(crate) fn offered() -> &'static str {
    version_of(WIT)
}

/// The folders of what was released, by version.
fn released() -> Vec<(String, PathBuf)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/released");
    let entries =
        fs::read_dir(folder).expect("the folder is there").map(|entry| entry.expect("an entry").path());
    let versions = entries.filter(|path| path.join("strowger.wit").is_file());
    let version = |path: PathBuf| (path.file_name().unwrap_or_default().to_string_lossy().into_owned(), path);
    let mut versions: Vec<_> = versions.map(version).collect();
    versions.sort();
    assert!(!versions.is_empty(), "nothing was released");
    versions
}

/// Every item of the package by name, and what it is.
fn items(wit: &str) -> BTreeMap<String, String> {
    let mut resolve = Resolve::default();
    resolve.push_source("strowger.wit", wit).unwrap_or_else(|why| panic!("{why:#}"));
    let mut items = BTreeMap::new();
    for (_, interface) in resolve.interfaces.iter() {
        let name = interface.name.as_deref().unwrap_or("-");
        for (item, id) in &interface.types {
            items.insert(format!("{name}.{item}"), defined(&resolve, &resolve.types[*id].kind));
        }
        for function in interface.functions.values() {
            items.insert(format!("{name}.{}", function.name), signature(&resolve, function));
        }
    }
    for (_, world) in resolve.worlds.iter() {
        for (what, entries) in [("import", &world.imports), ("export", &world.exports)] {
            for (key, item) in entries {
                let is = match item {
                    WorldItem::Interface { .. } => "interface".to_owned(),
                    WorldItem::Function(function) => signature(&resolve, function),
                    WorldItem::Type { .. } => continue,
                };
                let name = resolve.name_world_key(key);
                // Which version serves which is a question of its own.
                let name = name.split('@').next().unwrap_or_default();
                items.insert(format!("world {} {what} {name}", world.name), is);
            }
        }
    }
    items
}

fn signature(resolve: &Resolve, function: &Function) -> String {
    let parameter = |p: &wit_parser::Param| format!("{}: {}", p.name, named(resolve, &p.ty));
    let parameters: Vec<_> = function.params.iter().map(parameter).collect();
    let result =
        function.result.as_ref().map_or_else(String::new, |ty| format!(" -> {}", named(resolve, ty)));
    format!("func({}){result}", parameters.join(", "))
}

/// A type where it is used: by its name if it has one.
fn named(resolve: &Resolve, ty: &Type) -> String {
    match ty {
        Type::Id(id) => match &resolve.types[*id] {
            ty if ty.name.is_some() => ty.name.clone().unwrap_or_default(),
            ty => defined(resolve, &ty.kind),
        },
        basic => format!("{basic:?}").to_lowercase(),
    }
}

fn defined(resolve: &Resolve, kind: &TypeDefKind) -> String {
    let some = |ty: &Option<Type>| ty.as_ref().map_or("_".to_owned(), |ty| named(resolve, ty));
    let parts = |parts: Vec<String>| parts.join(", ");
    match kind {
        TypeDefKind::Record(record) => {
            let field = |field: &wit_parser::Field| format!("{}: {}", field.name, named(resolve, &field.ty));
            format!("record {{ {} }}", parts(record.fields.iter().map(field).collect()))
        }
        TypeDefKind::Variant(variant) => {
            let case = |case: &wit_parser::Case| format!("{}({})", case.name, some(&case.ty));
            format!("variant {{ {} }}", parts(variant.cases.iter().map(case).collect()))
        }
        TypeDefKind::Enum(cases) => {
            format!("enum {{ {} }}", parts(cases.cases.iter().map(|case| case.name.clone()).collect()))
        }
        TypeDefKind::Flags(flags) => {
            format!("flags {{ {} }}", parts(flags.flags.iter().map(|flag| flag.name.clone()).collect()))
        }
        TypeDefKind::Tuple(tuple) => {
            format!("tuple<{}>", parts(tuple.types.iter().map(|ty| named(resolve, ty)).collect()))
        }
        TypeDefKind::Handle(Handle::Own(id)) => named(resolve, &Type::Id(*id)),
        TypeDefKind::Handle(Handle::Borrow(id)) => format!("borrow<{}>", named(resolve, &Type::Id(*id))),
        TypeDefKind::Option(ty) => format!("option<{}>", named(resolve, ty)),
        TypeDefKind::List(ty) => format!("list<{}>", named(resolve, ty)),
        TypeDefKind::Result(result) => format!("result<{}, {}>", some(&result.ok), some(&result.err)),
        TypeDefKind::Type(ty) => named(resolve, ty),
        TypeDefKind::Resource => "resource".to_owned(),
        other => panic!("wit/ has no {} so far: say here how it may grow", other.as_str()),
    }
}

/// Why a component that was built for the earlier text would not run on the later one, or not as it did.
fn breaks(earlier: &str, later: &str) -> Vec<String> {
    let (earlier, later) = (items(earlier), items(later));
    let mut broken = Vec::new();
    for (name, was) in &earlier {
        match later.get(name) {
            None => broken.push(format!("{name} is gone; it was {was}")),
            Some(is) if is != was => broken.push(format!("{name} was {was}, and is {is}")),
            Some(_) => {}
        }
    }
    // What a component must export, one that was built before does not; of a world that is new nothing was built.
    let of = |name: &str| name.split_once(" export ").map(|(world, _)| format!("{world} "));
    let was_there = |world: &str| earlier.keys().any(|name| name.starts_with(world));
    let new = later.keys().filter(|name| !earlier.contains_key(*name));
    let new = new.filter(|name| of(name).is_some_and(|world| was_there(&world)));
    broken.extend(new.map(|name| format!("{name} is new, and nothing that was built before has it")));
    broken
}

/// Where `wit` dates an item wrongly: what the `last` release had is as old as it says there, and what is new is of
/// the version of `wit`, so that a script's author reads from which engine on it may be used.
fn misdated(last: &str, wit: &str) -> Vec<String> {
    let (before, now) = (dates(last), dates(wit));
    let this = format!("since {}", version_of(wit));
    let expected = |item: &str| before.get(item).map_or(&this, |date| date);
    let wrong = now.iter().filter(|(item, date)| *date != expected(item));
    wrong.map(|(item, date)| format!("{item} is {date}, not {}", expected(item))).collect()
}

/// Every interface, type, function and import, and since when it is there. A method that does not say is as old as its
/// resource, and an import as the world.
fn dates(wit: &str) -> BTreeMap<String, String> {
    let mut resolve = Resolve::default();
    resolve.push_source("strowger.wit", wit).unwrap_or_else(|why| panic!("{why:#}"));
    let date = |stability: &Stability, around: &str| match stability {
        Stability::Stable { since, .. } => format!("since {since}"),
        Stability::Unknown => around.to_owned(),
        Stability::Unstable { feature, .. } => format!("unstable, {feature}"),
    };
    let mut dates = BTreeMap::new();
    for (_, interface) in resolve.interfaces.iter() {
        let name = interface.name.as_deref().unwrap_or("-");
        let since = date(&interface.stability, "undated");
        let own = |id| !matches!(resolve.types[id].kind, TypeDefKind::Type(_));
        for (item, id) in interface.types.iter().filter(|(_, id)| own(**id)) {
            dates.insert(format!("{name}.{item}"), date(&resolve.types[*id].stability, "undated"));
        }
        for function in interface.functions.values() {
            let around = match function.kind.resource() {
                Some(resource) => date(&resolve.types[resource].stability, "undated"),
                None => "undated".to_owned(),
            };
            dates.insert(format!("{name}.{}", function.name), date(&function.stability, &around));
        }
        dates.insert(name.to_owned(), since);
    }
    for (_, world) in resolve.worlds.iter() {
        let since = date(&world.stability, "undated");
        for (key, item) in &world.imports {
            if let WorldItem::Interface { stability, .. } = item {
                let import = resolve.name_world_key(key);
                let import = import.split('@').next().unwrap_or_default();
                dates.insert(format!("world {} import {import}", world.name), date(stability, &since));
            }
        }
    }
    dates
}

/// "0.1.0" serves "0.1.7" and the other way round; "0.2.0" is another interface (Semantic Versioning §4).
fn serves(one: &str, other: &str) -> bool {
    let track = |version: &str| {
        let mut numbers = version.split('.').map(str::to_owned);
        let major = numbers.next().unwrap_or_default();
        let minor = numbers.next().filter(|_| major == "0");
        (major, minor)
    };
    track(one) == track(other)
}

fn version_of(wit: &str) -> &str {
    let line = wit.lines().find_map(|line| line.strip_prefix("package strowger:script@"));
    line.and_then(|rest| rest.strip_suffix(';')).expect("the package has a version")
}

#[test]
fn todays_interface_is_a_successor_of_each_that_it_serves() {
    let mut broken = Vec::new();
    for (version, folder) in released() {
        let wit = fs::read_to_string(folder.join("strowger.wit")).expect("it was released");
        assert_eq!(version_of(&wit), version, "the folder is named by the version");
        if serves(&version, version_of(WIT)) {
            broken.extend(breaks(&wit, WIT).into_iter().map(|why| format!("{version}: {why}")));
        }
    }
    assert!(
        broken.is_empty(),
        "components of tenants would break; wit/ grows by functions and methods:\n{}",
        broken.join("\n")
    );
}

#[test]
fn what_is_new_carries_the_version_that_brought_it() {
    let (_, last) = released().pop().expect("there is one");
    let last = fs::read_to_string(last.join("strowger.wit")).expect("it was released");
    let wrong = misdated(&last, WIT);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    // Nothing may be added to a version once it is out.
    assert_eq!(version_of(&last) == offered(), items(&last) == items(WIT));

    let function = "  random: func(below: u32) -> u32;\n";
    assert!(last.contains(function));
    let new =
        last.replacen(function, &format!("{function}  @since(version = 0.0.9)\n  moon: func() -> f64;\n"), 1);
    assert_eq!(misdated(&last, &new), ["clock.moon is since 0.0.9, not since 0.1.0"]);
}

#[test]
fn what_breaks_a_component_is_named_and_what_adds_is_let_through() {
    let changed = |from: &str, to: &str| {
        assert!(WIT.contains(from), "{from}");
        breaks(WIT, &WIT.replacen(from, to, 1))
    };
    let one = |from: &str, to: &str| {
        let mut broken = changed(from, to);
        assert_eq!(broken.len(), 1, "{broken:?}");
        broken.remove(0)
    };
    assert_eq!(
        one("    set-priority: func(priority: s32) -> result<_, failure>;\n", ""),
        "queue.[method]place.set-priority is gone; it was func(self: borrow<place>, priority: s32) -> result<_, failure>"
    );
    let said = one("    digits: string,\n", "    digits: string,\n    at: u32,\n");
    assert_eq!(
        said,
        "call.gathered was record { digits: string, ended: end-of-digits }, and is record { digits: string, at: u32, ended: end-of-digits }"
    );
    assert!(
        one("    hung-up,\n", "    hung-up,\n    lost,\n")
            .starts_with("types.failure was variant { hung-up(_), busy(_)")
    );
    assert!(
        one("    wrap-up,\n", "    wrap-up,\n    away,\n")
            .starts_with("types.agent-state was enum { offline, ")
    );
    assert!(
        one("  random: func(below: u32) -> u32;", "  random: func(below: u32) -> s32;")
            .starts_with("clock.random was func(below: u32) -> u32, and is")
    );
    assert_eq!(
        one("  import crm;\n", ""),
        "world call-script import strowger:script/crm is gone; it was interface"
    );
    assert_eq!(
        one("  export on-ended:", "  export on-moved: func() -> result<_, failure>;\n  export on-ended:"),
        "world call-script export on-moved is new, and nothing that was built before has it"
    );
    let method = "    set-priority: func(priority: s32) -> result<_, failure>;\n";
    assert_eq!(changed(method, &format!("{method}    nudge: func();\n")), [""; 0]);
    let function = "  random: func(below: u32) -> u32;\n";
    assert_eq!(changed(function, &format!("{function}  moon: func() -> f64;\n")), [""; 0]);
}

/// The component of a folder, as its own sources and its own text of the interface make it.
fn component(sandboxes: &Sandboxes, folder: &Path, version: &str, name: &str) -> Arc<Component> {
    let target = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let cache = target.parent().expect("tmp lies in the target folder").join("guests");
    let source = guest_build::Source::Packages(folder, &["call".to_owned(), "queue".to_owned()]);
    let out = target.join("released").join(version);
    let built = guest_build::build(source, &out, &cache).unwrap_or_else(|why| panic!("{version}: {why}"));
    let built = built.iter().find(|built| built.name == name).expect("it was built");
    let bytes = fs::read(&built.file).expect("it was just written");
    sandboxes.compile(&bytes).unwrap_or_else(|why| panic!("{version} {name} is refused: {why}"))
}

#[tokio::test]
async fn a_script_of_each_version_takes_a_call_and_replays() {
    for (version, folder) in released().into_iter().filter(|(version, _)| serves(version, version_of(WIT))) {
        let sandboxes = sandboxes();
        let script = Version::new(component(&sandboxes, &folder, &version, "call"));
        assert_eq!(script.component().kind(), Kind::Call);
        let world = Puppet::new(|command| {
            Some(match command {
                Command::KvSwap { .. } => Answer::Swapped(true),
                Command::LastSpokeWith { .. } => Answer::Users(vec![]),
                Command::LocalTime => oblige(&Command::TimeIn { zone: "Europe/Sofia".into() }),
                Command::Scheme { .. } => Answer::Word(None),
                Command::Conversations { .. } => Answer::Count(2),
                Command::FindContact { .. } => Answer::Contact(None),
                Command::TransferredBy => Answer::Name(None),
                other => oblige(other),
            })
        });
        let run = run(&sandboxes, &script, "nothing", &world).await;
        assert_eq!(run.finish, Finish::Returned, "{version}: {:?}", world.asked());
        let asked = world.asked();
        let pressed = Command::Tag { key: "pressed".into(), value: "1".into() };
        assert!(
            asked.contains(&pressed) && asked.iter().any(|c| matches!(c, Command::Talk { .. })),
            "{asked:?}"
        );
        let tape = Tape::read(&run.tape).expect("a tape");
        let verdict = sandboxes.replay(&script, &tape.segments[0], &unhurried()).await;
        assert!(matches!(verdict, Verdict::Same { .. }), "{version}: {verdict:?}");
        let after =
            sandboxes.run_ended(&script, start("nothing"), &record(), world.clone(), &Limits::ended()).await;
        assert_eq!(after.finish, Finish::Returned, "{version}");
    }
}

#[test]
fn a_strategy_of_each_version_ranks_a_queue() {
    for (version, folder) in released().into_iter().filter(|(version, _)| serves(version, version_of(WIT))) {
        let sandboxes = sandboxes();
        let strategy = Version::new(component(&sandboxes, &folder, &version, "queue"));
        assert_eq!(strategy.component().kind(), Kind::Strategy);
        let now = snapshot(&[("ana", true, 30), ("boris", true, 90), ("vera", false, 500)]);
        let decision = sandboxes.rank(&strategy, &now, &Limits::strategy()).expect("it ranks");
        let rung: Vec<_> = decision.answer.offers.iter().map(|offer| offer.agents.join("+")).collect();
        assert_eq!(rung, ["boris", "ana"], "{version}");
    }
}
