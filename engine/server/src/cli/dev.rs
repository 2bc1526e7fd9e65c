//! `script dev`: at every save of a project's sources it is built, checked, tried with its imaginary calls and loaded,
//! and each call that it takes is printed as it happens. What does not build, or does not do what its calls say, is
//! told and not loaded: the version before goes on. Ctrl-C leaves the last version where it is.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use clap::Args;
use notify::{EventKind, RecursiveMode, Watcher as _};
use serde_json::Value;

use super::api::{Api, escaped};
use super::versions::{MADE, Push};
use super::{Failed, Remote, script, trial};
use crate::timeline::Line;

/// Editors write several files at once, or one in several steps; what comes within this is one save.
const ONE_SAVE: Duration = Duration::from_millis(60);
/// Until the stream of calls is asked for again after it broke off.
const AGAIN: Duration = Duration::from_secs(1);

#[derive(Args)]
pub(super) struct Dev {
    /// The project's folder
    #[arg(default_value = ".")]
    folder: PathBuf,
    /// The script's name; the folder's unless said
    #[arg(long)]
    name: Option<String>,
    /// Load it even when it does not do what its imaginary calls say
    #[arg(long)]
    anyway: bool,
    #[command(flatten)]
    remote: Remote,
}

impl Dev {
    pub fn run(&self) -> Result<ExitCode, Failed> {
        let folder = self.folder.canonicalize();
        let folder = folder.map_err(|why| Failed(format!("{}: {why}", self.folder.display())))?;
        // Before anything is built: whoever is not let in need not wait for that.
        Api::new(&self.remote)?.tenant()?;
        let saves = watch(&folder)?;
        let mut name = None;
        let mut saved = Instant::now();
        loop {
            match self.turn(&folder, saved) {
                Ok(Some(loaded)) if name.is_none() => {
                    let (remote, loaded_as) = (self.remote.clone(), loaded.clone());
                    std::thread::spawn(move || follow(&remote, &loaded_as));
                    name = Some(loaded);
                }
                Ok(_) => {}
                Err(Failed(why)) => println!("{why}"),
            }
            saved = next_save(&saves)?;
        }
    }

    /// From a save to the version that takes the next call; answers the script's name if it was loaded.
    fn turn(&self, folder: &Path, saved: Instant) -> Result<Option<String>, Failed> {
        script::build(folder)?;
        let built = saved.elapsed();
        let sandboxes = script::sandboxes()?;
        // What an upload would refuse is told here, where nothing was sent yet.
        sandboxes.compile(&script::component(folder)?.1)?;
        let mut passed = 0;
        for file in trial::files(folder).unwrap_or_default() {
            for call in trial::try_file(&sandboxes, &file, None)? {
                passed += usize::from(call.passed());
                if !call.passed() {
                    call.print(false);
                    if !self.anyway {
                        println!("it is not loaded; the version before goes on (--anyway loads it)");
                        return Ok(None);
                    }
                }
            }
        }
        let (name, loaded) = Push::of_project(folder, self.name.clone(), &self.remote).load()?;
        println!(
            "{name} {} takes the next call: built in {:.2} s, {passed} imaginary calls as they must be, loaded {:.2} s after the save",
            loaded["number"],
            built.as_secs_f64(),
            saved.elapsed().as_secs_f64()
        );
        Ok(Some(name))
    }
}

/// Tells of every change of what is written by hand.
fn watch(folder: &Path) -> Result<Receiver<()>, Failed> {
    let (told, saves) = channel();
    let root = folder.to_owned();
    let by_hand = move |path: &PathBuf| {
        let inside = path.strip_prefix(&root).unwrap_or(path);
        let made = inside.components().any(|part| MADE.iter().any(|made| part.as_os_str() == *made));
        let locks = path.extension().is_some_and(|extension| extension == "lock" || extension == "wasm");
        !made && !locks
    };
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        let Ok(event) = event else { return };
        if !matches!(event.kind, EventKind::Access(_)) && event.paths.iter().any(&by_hand) {
            // When nobody waits any more the process is about to end.
            let _ = told.send(());
        }
    })?;
    watcher.watch(folder, RecursiveMode::Recursive)?;
    // It watches for as long as the process lives.
    std::mem::forget(watcher);
    Ok(saves)
}

/// Waits for a save, and until it is whole; answers when it began.
fn next_save(saves: &Receiver<()>) -> Result<Instant, Failed> {
    let gone = || Failed("the folder is not watched any more".to_owned());
    saves.recv().map_err(|_| gone())?;
    let began = Instant::now();
    loop {
        match saves.recv_timeout(ONE_SAVE) {
            Ok(()) => {}
            Err(RecvTimeoutError::Timeout) => return Ok(began),
            Err(RecvTimeoutError::Disconnected) => return Err(gone()),
        }
    }
}

/// Prints the script's calls, for as long as the process lives.
fn follow(remote: &Remote, name: &str) {
    loop {
        if let Err(Failed(why)) = print_calls(remote, name) {
            println!("its calls can't be seen: {why}");
        }
        std::thread::sleep(AGAIN);
    }
}

/// Prints a script's calls as they come, until the exchange ends the stream.
pub(super) fn print_calls(remote: &Remote, name: &str) -> Result<(), Failed> {
    let api = Api::new(remote)?;
    let path = format!("{}/scripts/{}/timeline", api.tenant()?, escaped(name));
    for line in BufReader::new(api.follow(&path)?).lines() {
        if let Some(event) = line?.strip_prefix("data: ") {
            print_event(&serde_json::from_str(event)?)?;
        }
    }
    Ok(())
}

/// One call beside others: each line begins with the end of the call's id.
fn print_event(event: &Value) -> Result<(), Failed> {
    let data = &event["data"];
    let text = |key: &str| data[key].as_str().unwrap_or_default();
    let call = text("call");
    let call = &call[call.len().saturating_sub(6)..];
    match event["kind"].as_str() {
        Some("script.began") => println!(
            "{call}  {} {}: {} calls {}",
            text("call"),
            text("export"),
            text("from"),
            text("dialled")
        ),
        Some("script.import") => {
            println!("{call}  {}", serde_json::from_value::<Line>(data["line"].clone())?)
        }
        Some("script.moved") => println!("{call}  goes on with version {}", text("version")),
        Some("script.ended") => {
            println!("{call}  {:>8.1} s             {}", data["at"].as_f64().unwrap_or(0.0), text("finish"));
        }
        _ => {}
    }
    Ok(())
}
