//! Versions are swapped under running calls, and compiled forms outlive the process.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use exchange::{Command, Prompt};
use script::{Finish, KEPT_VERSIONS, Library, NoVersion};
use tokio::sync::Notify;

use crate::support::*;

/// The recording that a menu greeted with.
fn greeting(world: &Puppet) -> Prompt {
    let greeting = world.asked().into_iter().find_map(|command| match command {
        Command::Gather { mut options, .. } => options.prompts.pop(),
        _ => None,
    });
    greeting.expect("a menu greets")
}

/// Obliges, but answering the caller lasts until told.
struct Slow {
    puppet: Arc<Puppet>,
    go_on: Notify,
}

impl script::World for Slow {
    fn ask(&self, call: exchange::CallId, command: Command) -> script::Asked<'_> {
        Box::pin(async move {
            if matches!(command, Command::Answer { .. }) {
                self.go_on.notified().await;
            }
            self.puppet.ask(call, command).await
        })
    }
}

#[tokio::test]
async fn a_swap_takes_new_calls_and_leaves_running_ones() {
    let sandboxes = sandboxes();
    let library = Library::new();
    let old = compile(&sandboxes, "actor");
    library.put("acme", "reception", old.clone(), true).unwrap();

    let world = Arc::new(Slow { puppet: Puppet::obliging(), go_on: Notify::new() });
    let version = library.active("acme", "reception").unwrap();
    let limits = unhurried();
    let mut call = Box::pin(sandboxes.run_call(&version, start("menu"), world.clone(), &limits));
    until_it_waits(&mut call).await;

    let new = compile(&sandboxes, "actor-later");
    library.put("acme", "reception", new.clone(), true).unwrap();
    let later = Puppet::obliging();
    let version = library.active("acme", "reception").unwrap();
    assert_eq!(run(&sandboxes, &version, "menu", &later).await.finish, Finish::Returned);
    assert_eq!(greeting(&later), Prompt::Recording("actor-later".into()));

    world.go_on.notify_one();
    assert_eq!(call.await.finish, Finish::Returned);
    assert_eq!(greeting(&world.puppet), Prompt::Recording("actor".into()));

    let listed = library.list("acme", "reception").unwrap();
    let figures: Vec<_> = listed.iter().map(|v| (v.hash.as_str(), v.active, v.fares.calls)).collect();
    assert_eq!(figures, [(old.hash(), false, 1), (new.hash(), true, 1)]);
    assert!(listed.iter().all(|v| v.fares.p50.as_nanos() > 0 && v.fares.p99 >= v.fares.p50));
}

#[test]
fn rolling_back_compiles_nothing_and_ends_at_the_first() {
    let sandboxes = sandboxes();
    let library = Library::new();
    let (old, new) = (compile(&sandboxes, "actor"), compile(&sandboxes, "actor-later"));
    library.put("acme", "reception", old.clone(), true).unwrap();
    library.put("acme", "reception", new.clone(), false).unwrap();
    let active = || library.active("acme", "reception").unwrap().hash().to_owned();
    assert_eq!(active(), old.hash());
    library.activate("acme", "reception", new.hash()).unwrap();
    assert_eq!(active(), new.hash());
    let compilations = sandboxes.compilations();
    assert_eq!(library.rollback("acme", "reception").unwrap().hash(), old.hash());
    assert_eq!((active().as_str(), sandboxes.compilations()), (old.hash(), compilations));
    assert_eq!(library.rollback("acme", "reception").err(), Some(NoVersion::NothingBefore));
    assert_eq!(library.activate("acme", "reception", "00").err(), Some(NoVersion::NoSuchVersion));
    assert_eq!(library.activate("acme", "lobby", new.hash()).err(), Some(NoVersion::NoScript));
    // Another tenant's script of the same name is another script.
    assert!(library.active("other", "reception").is_none());
    assert!(library.remove("acme", "reception") && library.active("acme", "reception").is_none());
}

#[test]
fn old_versions_make_room_but_never_the_active_one() {
    let sandboxes = sandboxes();
    let library = Library::new();
    let first = compile(&sandboxes, "actor");
    library.put("acme", "reception", first.clone(), true).unwrap();
    for n in 0..KEPT_VERSIONS + 5 {
        // Another component each time: a custom section behind, as the binary format allows.
        let mut bytes = guest("ranker");
        bytes.extend_from_slice(&[0, 3, 1, b'n', u8::try_from(n).unwrap()]);
        library.put("acme", "reception", sandboxes.compile(&bytes).unwrap(), false).unwrap();
    }
    let listed = library.list("acme", "reception").unwrap();
    assert_eq!(listed.len(), KEPT_VERSIONS);
    assert!(listed[0].active && listed[0].hash == first.hash());
}

fn compiled_files(folder: &Path) -> Vec<PathBuf> {
    let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    paths.filter(|path| path.extension().is_some_and(|extension| extension == "cwasm")).collect()
}

#[tokio::test]
async fn after_a_restart_nothing_is_compiled_again() {
    let folder = tempfile::tempdir().unwrap();
    let engine = || with(|settings| settings.cache = Some(folder.path().to_owned()));
    let before = engine();
    let hash = compile(&before, "actor").hash().to_owned();
    assert_eq!(before.compilations(), 1);
    drop(before);
    let after = engine();
    let actor = actor(&after);
    assert_eq!((actor.hash(), after.compilations()), (hash.as_str(), 0));
    assert_eq!(run(&after, &actor, "menu", &Puppet::obliging()).await.finish, Finish::Returned);
    assert_eq!(compiled_files(folder.path()).len(), 1);
}

#[tokio::test]
async fn damaged_compiled_files_are_compiled_again() {
    let folder = tempfile::tempdir().unwrap();
    let engine = || with(|settings| settings.cache = Some(folder.path().to_owned()));
    compile(&engine(), "actor");
    let file = compiled_files(folder.path()).remove(0);
    let whole = fs::read(&file).unwrap();
    let mut flipped = whole.clone();
    flipped[whole.len() / 2] ^= 1;
    let half = whole[..whole.len() / 2].to_vec();
    for damaged in [flipped, half, vec![], b"not compiled by this engine".to_vec()] {
        // As another process would: beside, and renamed.
        let beside = folder.path().join("beside");
        fs::write(&beside, &damaged).unwrap();
        fs::rename(&beside, &file).unwrap();
        let engine = engine();
        let actor = actor(&engine);
        assert_eq!(engine.compilations(), 1);
        assert_eq!(run(&engine, &actor, "menu", &Puppet::obliging()).await.finish, Finish::Returned);
        assert_ne!(fs::read(&file).unwrap(), damaged);
    }
    // What was compiled in another folder is not this one's, whole as it is.
    let elsewhere = tempfile::tempdir().unwrap();
    compile(&with(|settings| settings.cache = Some(elsewhere.path().to_owned())), "actor");
    for extension in ["cwasm", "tag"] {
        let foreign = compiled_files(elsewhere.path()).remove(0).with_extension(extension);
        fs::copy(foreign, file.with_extension(extension)).unwrap();
    }
    let strict = engine();
    compile(&strict, "actor");
    assert_eq!(strict.compilations(), 1);
    fs::remove_file(file.with_extension("tag")).unwrap();
    let engine = engine();
    compile(&engine, "actor");
    assert_eq!(engine.compilations(), 1);
}
