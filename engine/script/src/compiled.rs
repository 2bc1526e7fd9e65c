//! Compiled components on disk, so that a restart compiles nothing again.
//!
//! A file is named by the component's hash and the engine's (wasmtime's version, its settings and the
//! processor's features), and stands beside its checksum. Compiled code is machine code: it is loaded
//! only from this folder and only when the checksum is right; anything else is compiled anew. Both
//! files are written under another name first and then renamed. The folder must belong to the engine
//! alone.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use sha2::{Digest, Sha256};
use wasmtime::Engine;
use wasmtime::component::Component;

/// Compiled components that are kept; the oldest is removed for a new one.
pub const KEPT: usize = 512;

/// SHA-256 in lower-case hex.
pub(crate) fn hex_hash(bytes: &[u8]) -> String {
    use std::fmt::Write;
    Sha256::digest(bytes).iter().fold(String::with_capacity(64), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

pub(crate) struct Compiled {
    folder: Option<PathBuf>,
    engine_hash: u64,
    /// Tells apart the files that several threads write at once.
    written: AtomicU64,
    pub(crate) compilations: AtomicU64,
}

impl Compiled {
    /// Without a folder everything is compiled each time.
    pub(crate) fn new(folder: Option<PathBuf>, engine: &Engine) -> io::Result<Self> {
        if let Some(folder) = &folder {
            fs::create_dir_all(folder)?;
        }
        let mut hasher = DefaultHasher::new();
        engine.precompile_compatibility_hash().hash(&mut hasher);
        Ok(Self {
            folder,
            engine_hash: hasher.finish(),
            written: AtomicU64::new(0),
            compilations: AtomicU64::new(0),
        })
    }

    /// Loads what was compiled before, or compiles. A folder that can't be read or written costs time
    /// and a warning, never the component. `hash`: of `bytes`, hex.
    pub(crate) fn component(&self, engine: &Engine, hash: &str, bytes: &[u8]) -> wasmtime::Result<Component> {
        let Some(folder) = &self.folder else { return self.compile(engine, bytes) };
        let path = folder.join(format!("{hash}-{:016x}.cwasm", self.engine_hash));
        if let Some(component) = load(engine, &path) {
            return Ok(component);
        }
        let code = engine.precompile_component(bytes)?;
        self.compilations.fetch_add(1, Ordering::Relaxed);
        if let Err(error) = self.save(folder, &path, &code) {
            tracing::warn!(%error, path = %path.display(), "a compiled script could not be kept");
            return self.compile(engine, bytes);
        }
        match load(engine, &path) {
            Some(component) => Ok(component),
            None => self.compile(engine, bytes),
        }
    }

    fn compile(&self, engine: &Engine, bytes: &[u8]) -> wasmtime::Result<Component> {
        self.compilations.fetch_add(1, Ordering::Relaxed);
        Component::from_binary(engine, bytes)
    }

    fn save(&self, folder: &Path, path: &Path, code: &[u8]) -> io::Result<()> {
        make_room(folder)?;
        let number = self.written.fetch_add(1, Ordering::Relaxed);
        let beside = |suffix: &str| folder.join(format!(".{}-{number}.{suffix}", std::process::id()));
        write_renamed(&beside("code"), path, code)?;
        write_renamed(&beside("sum"), &checksum_of(path), hex_hash(code).as_bytes())
    }
}

fn checksum_of(path: &Path) -> PathBuf {
    path.with_extension("sha256")
}

fn write_renamed(beside: &Path, path: &Path, bytes: &[u8]) -> io::Result<()> {
    let written = fs::File::create(beside).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_data()?;
        fs::rename(beside, path)
    });
    if written.is_err() {
        let _ = fs::remove_file(beside);
    }
    written
}

fn load(engine: &Engine, path: &Path) -> Option<Component> {
    let sum = fs::read_to_string(checksum_of(path)).ok()?;
    if hex_hash(&fs::read(path).ok()?) != sum {
        tracing::warn!(path = %path.display(), "a compiled script is damaged and is compiled again");
        return None;
    }
    #[allow(unsafe_code)]
    // SAFETY: the file has the checksum that this engine wrote beside it, in a folder that is its own,
    // and is replaced by renaming only, so the mapping never changes.
    match unsafe { Component::deserialize_file(engine, path) } {
        Ok(component) => Some(component),
        Err(error) => {
            tracing::warn!(%error, path = %path.display(), "a compiled script does not fit the engine");
            None
        }
    }
}

fn make_room(folder: &Path) -> io::Result<()> {
    let mut kept: Vec<(SystemTime, PathBuf)> = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "cwasm") {
            let written =
                fs::metadata(&path).and_then(|meta| meta.modified()).unwrap_or(SystemTime::UNIX_EPOCH);
            kept.push((written, path));
        }
    }
    kept.sort();
    let too_many = (kept.len() + 1).saturating_sub(KEPT);
    for (_, path) in &kept[..too_many] {
        let _ = fs::remove_file(checksum_of(path));
        let _ = fs::remove_file(path);
    }
    Ok(())
}
