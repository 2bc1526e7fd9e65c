//! The ordered map on sled 0.34.7; the only file that imports it.
//!
//! sled's `flush` hands its log to the operating system without waiting for the disk, so each commit
//! also syncs the data file. Values stay below the size at which sled moves them to files that it never
//! syncs. A snapshot that cannot be read is set aside and the log replayed from its beginning. sled
//! takes a damaged record for the end of its log, and panics on some damage: the first is found by the
//! tally above this, the second is caught here.

use std::fs::File;
use std::path::{Path, PathBuf};

use crate::engine::guarded;
use crate::kv::{Change, Each, Kv};
use crate::{MAX_VALUE, StoreError};

/// sled keeps a page of more than a quarter of a segment in a file of its own, which it does not sync.
const SEGMENT: usize = 512 * 1024;
const _: () = assert!(MAX_VALUE + crate::MAX_KEY < SEGMENT / 4 - 4096);

/// sled's folder.
pub(crate) struct Sled {
    /// An option only so that dropping it can be guarded.
    db: Option<::sled::Db>,
    data: File,
}

impl Sled {
    pub(crate) fn open(folder: &Path, cache_bytes: u64) -> Result<Self, StoreError> {
        let config = ::sled::Config::new().path(folder).cache_capacity(cache_bytes).segment_size(SEGMENT);
        let db = match guarded("opening sled", || config.open().map_err(why)) {
            Err(StoreError::Corrupt(_)) if set_snapshots_aside(folder)? => {
                guarded("opening sled without its snapshot", || config.open().map_err(why))?
            }
            other => other?,
        };
        let data = File::open(folder.join("db")).map_err(StoreError::io("opening sled's data file"))?;
        Ok(Self { db: Some(db), data })
    }

    fn db(&self) -> &::sled::Db {
        self.db.as_ref().expect("taken only when dropped")
    }
}

impl Kv for Sled {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        guarded("reading", || Ok(self.db().get(key).map_err(why)?.map(|value| value.to_vec())))
    }

    fn scan(
        &self,
        from: &[u8],
        to: Option<&[u8]>,
        backward: bool,
        each: &mut Each<'_>,
    ) -> Result<(), StoreError> {
        guarded("scanning", || {
            let mut records = match to {
                Some(to) if from >= to => return Ok(()),
                Some(to) => self.db().range(from..to),
                None => self.db().range(from..),
            };
            while let Some(record) = if backward { records.next_back() } else { records.next() } {
                let (key, value) = record.map_err(why)?;
                if !each(&key, &value) {
                    break;
                }
            }
            Ok(())
        })
    }

    fn commit(&self, changes: &[Change]) -> Result<(), StoreError> {
        guarded("committing", || {
            let mut batch = ::sled::Batch::default();
            for change in changes {
                match &change.value {
                    Some(value) => batch.insert(change.key.as_slice(), value.as_slice()),
                    None => batch.remove(change.key.as_slice()),
                }
            }
            self.db().apply_batch(batch).map_err(why)?;
            self.db().flush().map_err(why)?;
            rustix::fs::fdatasync(&self.data)
                .map_err(|e| StoreError::io("syncing sled's data file")(e.into()))
        })
    }
}

impl Drop for Sled {
    fn drop(&mut self) {
        let db = self.db.take();
        // sled unwraps the last sync of its file; there is nobody left to tell.
        let _ = guarded("closing sled", || {
            drop(db);
            Ok(())
        });
    }
}

/// Moves snapshots out of sled's sight, keeping them for whoever wants to look; answers whether there
/// were any.
fn set_snapshots_aside(folder: &Path) -> Result<bool, StoreError> {
    let doing = "setting sled's snapshot aside";
    let snapshots: Vec<PathBuf> = std::fs::read_dir(folder)
        .map_err(StoreError::io(doing))?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("snap.")))
        .collect();
    for snapshot in &snapshots {
        let name = snapshot.file_name().expect("filtered by name").to_string_lossy();
        tracing::warn!(%name, "sled's snapshot cannot be read; set aside");
        std::fs::rename(snapshot, folder.join(format!("bad-{name}"))).map_err(StoreError::io(doing))?;
    }
    Ok(!snapshots.is_empty())
}

fn why(error: ::sled::Error) -> StoreError {
    match error {
        ::sled::Error::Io(error) if error.to_string().contains("could not acquire lock") => StoreError::InUse,
        ::sled::Error::Io(error) => StoreError::io("sled")(error),
        ::sled::Error::Corruption { at, .. } => StoreError::Corrupt(format!("sled: at {at:?}")),
        other => StoreError::Engine(format!("sled: {other}")),
    }
}
