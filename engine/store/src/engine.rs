//! Which database keeps the map, and the guard that turns its panics into errors.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::str::FromStr;

use crate::StoreError;
use crate::kv::Kv;
use crate::redb::Redb;
use crate::sled::Sled;

/// The database under a store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Engine {
    /// sled 0.34.7.
    #[default]
    Sled,
    /// redb 4.
    Redb,
}

impl Engine {
    /// As it is written in the configuration, and the name of its folder.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sled => "sled",
            Self::Redb => "redb",
        }
    }

    /// Opens or makes this engine's folder inside `folder`.
    pub(crate) fn open(self, folder: &Path, cache_bytes: u64) -> Result<Box<dyn Kv>, StoreError> {
        let folder = folder.join(self.name());
        Ok(match self {
            Self::Sled => Box::new(Sled::open(&folder, cache_bytes)?),
            Self::Redb => Box::new(Redb::open(&folder, cache_bytes)?),
        })
    }
}

impl FromStr for Engine {
    type Err = UnknownEngine;

    fn from_str(name: &str) -> Result<Self, UnknownEngine> {
        [Self::Sled, Self::Redb].into_iter().find(|e| e.name() == name).ok_or(UnknownEngine)
    }
}

/// The name is neither "sled" nor "redb".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownEngine;

impl std::fmt::Display for UnknownEngine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a store is \"sled\" or \"redb\"")
    }
}

impl std::error::Error for UnknownEngine {}

/// Neither database promises not to panic on a damaged file; a caller of the store is promised it.
pub(crate) fn guarded<T>(
    doing: &'static str,
    work: impl FnOnce() -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        let said = panic
            .downcast_ref::<String>()
            .map(String::as_str)
            .or_else(|| panic.downcast_ref::<&str>().copied())
            .unwrap_or("no words");
        Err(StoreError::Engine(format!("it panicked while {doing}: {said}")))
    })
}
