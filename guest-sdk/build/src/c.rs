//! Components of scripts in C: clang and wasi-libc compile the script and the SDK, which carries what wit-bindgen writes of
//! `wit/` (guest-sdk/c/bindings makes it). A script that includes `strowger_queue.h` is a queue's strategy.
//!
//! A script that uses more of the C library than memory and strings imports WASI, preview 1; the adapter turns that into
//! the interfaces that the exchange answers.

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

/// What a strategy includes.
const OF_QUEUES: &str = "\"strowger_queue.h\"";

pub(crate) fn build(project: &Path, work: &Path) -> Result<Vec<u8>, BuildError> {
    let mut clang = tools::clang()?;
    let module = work.join("script.module.wasm");
    let sources = sources(project)?;
    let kind = kind_of(&sources)?;
    let sdk = match kind {
        Kind::Call => ["strowger/strowger.c", "strowger/call_script.c"],
        Kind::Queue => ["strowger/strowger_queue.c", "strowger/queue_strategy.c"],
    };
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

/// The script's own files: those of the project's folder.
fn sources(project: &Path) -> Result<Vec<PathBuf>, BuildError> {
    let entries = std::fs::read_dir(project).map_err(|error| BuildError::File(project.to_owned(), error))?;
    let mut sources: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    sources.retain(|path| path.extension().is_some_and(|extension| extension == "c"));
    sources.sort();
    Ok(sources)
}

/// What the script is for, by what it includes.
fn kind_of(sources: &[PathBuf]) -> Result<Kind, BuildError> {
    for source in sources {
        let text = std::fs::read(source).map_err(|error| BuildError::File(source.clone(), error))?;
        let text = String::from_utf8_lossy(&text);
        if text.lines().any(|line| line.trim_start().starts_with("#include") && line.contains(OF_QUEUES)) {
            return Ok(Kind::Queue);
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
        for header in [include_str!("../../c/call_script.h"), include_str!("../../c/queue_strategy.h")] {
            let first = header.lines().next().unwrap_or_default();
            assert!(first.contains(&hash), "wit/ has changed: run make bindings\n{first}");
        }
    }
}
