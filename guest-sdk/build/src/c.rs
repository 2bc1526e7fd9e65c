//! Components of scripts in C, and their tests: clang and wasi-libc compile the script and the SDK, which carries what wit-bindgen writes of
//! `wit/` (guest-sdk/c/bindings makes it). A script that includes `strowger_queue.h` is a queue's strategy, one that
//! includes `strowger_tasks.h` a task script.
//!
//! A script that uses more of the C library than memory and strings imports WASI, preview 1; the adapter turns that into
//! the interfaces that the exchange answers.
//!
//! Tests are files `test.c` and `*_test.c`; the machine's own compiler makes a program of them, the script and the simulator.

use std::path::{Path, PathBuf};

use wasi_preview1_component_adapter_provider::{
    WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME, WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER,
};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

use crate::project::Kind;
use crate::{BuildError, ComponentizeError, tools};

/// What the compiler is told to make: something small, with each function under its name, for backtraces.
const FLAGS: [&str; 7] = [
    "--target=wasm32-wasi",
    "-mexec-model=reactor",
    "-Os",
    "-Wall",
    "-fuse-ld=lld",
    "-std=gnu17",
    "-Wl,--strip-debug",
];

/// What a strategy includes, and what a task script.
const KINDS: [(&str, Kind); 2] =
    [("\"strowger_queue.h\"", Kind::Queue), ("\"strowger_tasks.h\"", Kind::Task)];
/// The SDK over the world of task scripts.
const OF_TASKS: &str = "-DSTROWGER_OF_TASKS";

pub(crate) fn build(project: &Path, work: &Path) -> Result<Vec<u8>, BuildError> {
    let mut clang = tools::clang()?;
    let module = work.join("script.module.wasm");
    let (sources, _) = sources(project)?;
    let kind = kind_of(&sources)?;
    let sdk = match kind {
        Kind::Call => ["strowger/strowger.c", "strowger/call_script.c"],
        Kind::Queue => ["strowger/strowger_queue.c", "strowger/queue_strategy.c"],
        Kind::Task => ["strowger/strowger.c", "strowger/task_script.c"],
    };
    if kind == Kind::Task {
        clang.arg(OF_TASKS);
    }
    clang.current_dir(project).args(FLAGS).args(["-Istrowger", "-I."]).args(sources).args(sdk);
    clang.arg("-o").arg(&module);
    tools::run("clang", &mut clang)?;
    let mut bytes = std::fs::read(&module).map_err(|error| BuildError::File(module.clone(), error))?;
    say_the_world(&mut bytes, kind).map_err(|error| BuildError::Componentize(module.clone(), error))?;
    ComponentEncoder::default()
        .validate(true)
        .module(&bytes)
        .and_then(|encoder| {
            encoder.adapter(WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME, WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER)
        })
        .and_then(|mut encoder| encoder.encode())
        .map_err(|error| BuildError::Componentize(module, ComponentizeError(format!("{error:#}"))))
}

/// Makes a program of the script's tests and answers it; none when it has none.
pub(crate) fn tests(project: &Path) -> Result<Option<PathBuf>, BuildError> {
    let (sources, tests) = sources(project)?;
    if tests.is_empty() {
        return Ok(None);
    }
    let simulator = match kind_of(&sources)? {
        Kind::Call => &["strowger/sim/strowger_sim.c", "strowger/sim/mailbox.c", "strowger/sim/world.c"][..],
        Kind::Queue => &["strowger/sim/strowger_queue_sim.c"],
        Kind::Task => &[
            "strowger/sim/strowger_tasks_sim.c",
            "strowger/sim/strowger_sim.c",
            "strowger/sim/mailbox.c",
            "strowger/sim/world.c",
        ],
    };
    let mut cc = tools::cc()?;
    let program = project.join("target/tests/script");
    let folder = program.parent().unwrap_or(project);
    std::fs::create_dir_all(folder).map_err(|error| BuildError::File(folder.to_owned(), error))?;
    cc.current_dir(project).args(["-std=gnu17", "-Wall", "-g"]);
    cc.args(["-Istrowger", "-Istrowger/sim", "-I."]).args(sources).args(tests).args(simulator);
    cc.args(["strowger/sim/strowger_test.c", "-lm", "-o"]).arg(&program);
    tools::run("the C compiler", &mut cc)?;
    Ok(Some(program))
}

/// The files of the project's folder: the script's own, and its tests.
fn sources(project: &Path) -> Result<(Vec<PathBuf>, Vec<PathBuf>), BuildError> {
    let entries = std::fs::read_dir(project).map_err(|error| BuildError::File(project.to_owned(), error))?;
    let mut sources: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    sources.retain(|path| path.extension().is_some_and(|extension| extension == "c"));
    sources.sort();
    let is_test = |path: &PathBuf| {
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        name == "test" || name.ends_with("_test")
    };
    Ok(sources.into_iter().partition(|path| !is_test(path)))
}

/// What the script is for, by what it includes.
fn kind_of(sources: &[PathBuf]) -> Result<Kind, BuildError> {
    for source in sources {
        let text = std::fs::read(source).map_err(|error| BuildError::File(source.clone(), error))?;
        let text = String::from_utf8_lossy(&text);
        let mut includes = text.lines().filter(|line| line.trim_start().starts_with("#include"));
        let kind = includes.find_map(|line| KINDS.iter().find(|(header, _)| line.contains(header)));
        if let Some((_, kind)) = kind {
            return Ok(*kind);
        }
    }
    Ok(Kind::Call)
}

/// Writes into the module which world it is of.
fn say_the_world(module: &mut Vec<u8>, kind: Kind) -> Result<(), ComponentizeError> {
    let told = |error: &dyn std::fmt::Display| ComponentizeError(format!("{error:#}"));
    let mut resolve = Resolve::default();
    let package = resolve.push_source("strowger.wit", crate::language::WIT).map_err(|error| told(&error))?;
    let world = resolve.select_world(&[package], Some(kind.world())).map_err(|error| told(&error))?;
    embed_component_metadata(module, &resolve, world, StringEncoding::UTF8).map_err(|error| told(&error))
}

#[cfg(test)]
mod tests {
    use sha2::{Digest, Sha256};

    #[test]
    fn the_bindings_are_those_of_the_interface() {
        let hash = Sha256::digest(crate::language::WIT);
        let hash: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
        for header in [
            include_str!("../../c/call_script.h"),
            include_str!("../../c/queue_strategy.h"),
            include_str!("../../c/task_script.h"),
        ] {
            let first = header.lines().next().unwrap_or_default();
            assert!(first.contains(&hash), "wit/ has changed: run make bindings\n{first}");
        }
    }
}
