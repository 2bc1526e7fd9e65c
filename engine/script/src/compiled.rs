//! Compiled components on disk, so that a restart compiles nothing again.
//!
//! A file is named by the component's hash and the engine's (wasmtime's version, its settings and the
//! processor's features), and stands beside its tag: a MAC under a key that this folder has and no other, over name and
//! content. Compiled code is machine code: it is loaded only when it was made here; anything else is compiled anew. All
//! files are written under another name first and then renamed. The folder must belong to the engine alone.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use ring::hmac;
use ring::rand::{SecureRandom, SystemRandom};
use sha2::{Digest, Sha256};
use wasmtime::Engine;
use wasmtime::component::Component;

use crate::apart::Compiler;
use crate::check::Refused;

/// Compiled components that are kept; the oldest is removed for a new one.
pub const KEPT: usize = 512;

/// The file with the folder's key, and its length in bytes (RFC 2104 §3: as long as the hash).
const KEY: &str = "key";
const KEY_BYTES: usize = 32;

/// Tells apart the keys that several threads make at once.
static NEW_KEYS: AtomicU64 = AtomicU64::new(0);

/// SHA-256 in lower-case hex.
pub(crate) fn hex_hash(bytes: &[u8]) -> String {
    use std::fmt::Write;
    Sha256::digest(bytes).iter().fold(String::with_capacity(64), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// Where a component comes from.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// From this program.
    Own,
    /// From a tenant: it is compiled apart, where that is possible.
    Elsewhere,
}

pub(crate) struct Compiled {
    folder: Option<(PathBuf, hmac::Key)>,
    engine_hash: u64,
    apart: Option<Compiler>,
    /// Tells apart the files that several threads write at once.
    written: AtomicU64,
    pub(crate) compilations: AtomicU64,
}

impl Compiled {
    /// Without a folder everything is compiled each time.
    pub(crate) fn new(folder: Option<PathBuf>, engine: &Engine, apart: Option<Compiler>) -> io::Result<Self> {
        let folder = folder.map(|folder| key_of(&folder).map(|key| (folder, key))).transpose()?;
        let mut hasher = DefaultHasher::new();
        engine.precompile_compatibility_hash().hash(&mut hasher);
        Ok(Self {
            folder,
            engine_hash: hasher.finish(),
            apart,
            written: AtomicU64::new(0),
            compilations: AtomicU64::new(0),
        })
    }

    /// Loads what was compiled before, or compiles. A folder that can't be read or written costs time
    /// and a warning, never the component. `hash`: of `bytes`, hex.
    pub(crate) fn component(
        &self,
        engine: &Engine,
        hash: &str,
        bytes: &[u8],
        origin: Origin,
    ) -> Result<Component, Refused> {
        let kept = self.folder.as_ref().map(|(folder, key)| {
            (folder, folder.join(format!("{hash}-{:016x}.cwasm", self.engine_hash)), key)
        });
        let found = kept.as_ref().and_then(|(_, path, key)| load(engine, path, key));
        if let Some(component) = found {
            return Ok(component);
        }
        let refused = |error: wasmtime::Error| Refused::one("component", format!("{error:#}"));
        self.compilations.fetch_add(1, Ordering::Relaxed);
        let code = match self.apart.as_ref().filter(|_| origin == Origin::Elsewhere) {
            Some(apart) => apart.compile(bytes)?,
            None => engine.precompile_component(bytes).map_err(refused)?,
        };
        if let Some((folder, path, key)) = &kept {
            match self.save(folder, path, key, &code) {
                // From the file it is mapped, and costs no memory of its own.
                Ok(()) => {
                    if let Some(component) = load(engine, path, key) {
                        return Ok(component);
                    }
                }
                Err(error) => {
                    tracing::warn!(%error, path = %path.display(), "a compiled script could not be kept");
                }
            }
        }
        #[allow(unsafe_code)]
        // SAFETY: this process compiled it a moment ago, or a process that it started and that had nothing but the
        // component to read.
        unsafe { Component::deserialize(engine, &code) }.map_err(refused)
    }

    fn save(&self, folder: &Path, path: &Path, key: &hmac::Key, code: &[u8]) -> io::Result<()> {
        make_room(folder)?;
        let number = self.written.fetch_add(1, Ordering::Relaxed);
        let beside = |suffix: &str| folder.join(format!(".{}-{number}.{suffix}", std::process::id()));
        write_renamed(&beside("code"), path, code)?;
        write_renamed(&beside("tag"), &tag_of(path), hmac::sign(key, &signed(path, code)).as_ref())
    }
}

/// The key of a folder, made with the folder; a new one if it is damaged, and then all is compiled anew.
fn key_of(folder: &Path) -> io::Result<hmac::Key> {
    fs::create_dir_all(folder)?;
    let path = folder.join(KEY);
    let known = || fs::read(&path).ok().filter(|key| key.len() == KEY_BYTES);
    if let Some(key) = known() {
        return Ok(hmac::Key::new(hmac::HMAC_SHA256, &key));
    }
    let mut key = vec![0; KEY_BYTES];
    SystemRandom::new().fill(&mut key).map_err(|_| io::Error::other("there is no randomness"))?;
    let number = NEW_KEYS.fetch_add(1, Ordering::Relaxed);
    let beside = |suffix: &str| folder.join(format!(".{}-{number}.{suffix}", std::process::id()));
    write_renamed(&beside("beside"), &beside("key"), &key)?;
    // Whoever links first has made it: processes that share a folder have one key.
    if fs::metadata(&path).is_ok_and(|there| there.len() != KEY_BYTES as u64) {
        fs::remove_file(&path)?;
    }
    let linked = fs::hard_link(beside("key"), &path);
    let _ = fs::remove_file(beside("key"));
    let key = linked.map(|()| key).or_else(|why| known().ok_or(why))?;
    Ok(hmac::Key::new(hmac::HMAC_SHA256, &key))
}

fn tag_of(path: &Path) -> PathBuf {
    path.with_extension("tag")
}

/// What a tag is over: whose compiled form it is, and the form.
fn signed(path: &Path, code: &[u8]) -> Vec<u8> {
    let name = path.file_name().unwrap_or_default().as_encoded_bytes();
    [name, &[0], hex_hash(code).as_bytes()].concat()
}

fn write_renamed(beside: &Path, path: &Path, bytes: &[u8]) -> io::Result<()> {
    let open = || fs::File::options().write(true).create(true).truncate(true).mode(0o600).open(beside);
    let written = open().and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_data()?;
        fs::rename(beside, path)
    });
    if written.is_err() {
        let _ = fs::remove_file(beside);
    }
    written
}

fn load(engine: &Engine, path: &Path, key: &hmac::Key) -> Option<Component> {
    let tag = fs::read(tag_of(path)).ok()?;
    if hmac::verify(key, &signed(path, &fs::read(path).ok()?), &tag).is_err() {
        tracing::warn!(path = %path.display(), "a compiled script is not as it was written here, and is compiled again");
        return None;
    }
    #[allow(unsafe_code)]
    // SAFETY: the file has the tag that this engine wrote beside it under a key of its own, in a folder that is its
    // own, and is replaced by renaming only, so the mapping never changes.
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
        let _ = fs::remove_file(tag_of(path));
        let _ = fs::remove_file(path);
    }
    Ok(())
}
