//! The ordered map on redb 4; the only file that imports it.
//!
//! One table of bytes to bytes, one write transaction and one fdatasync a commit. The checksum of every
//! page is verified when the file is opened, because a plain open trusts a file that was closed cleanly.

use std::path::Path;

use ::redb::{Database, Durability, ReadableDatabase, TableDefinition};

use crate::StoreError;
use crate::engine::guarded;
use crate::kv::{Change, Each, Kv};

const RECORDS: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("records");

/// redb's file.
pub(crate) struct Redb {
    /// An option only so that dropping it can be guarded.
    db: Option<Database>,
}

impl Redb {
    pub(crate) fn open(folder: &Path, cache_bytes: u64) -> Result<Self, StoreError> {
        std::fs::create_dir_all(folder).map_err(StoreError::io("making redb's folder"))?;
        let db = guarded("opening redb", || {
            let db = Database::builder()
                .set_cache_size(usize::try_from(cache_bytes).unwrap_or(usize::MAX))
                .set_check_integrity_on_open(true)
                .create(folder.join("records.redb"))
                .map_err(why)?;
            let write = db.begin_write().map_err(why)?;
            write.open_table(RECORDS).map_err(why)?;
            write.commit().map_err(why)?;
            Ok(db)
        })?;
        Ok(Self { db: Some(db) })
    }

    fn db(&self) -> &Database {
        self.db.as_ref().expect("taken only when dropped")
    }
}

impl Kv for Redb {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        guarded("reading", || {
            let read = self.db().begin_read().map_err(why)?;
            let table = read.open_table(RECORDS).map_err(why)?;
            Ok(table.get(key).map_err(why)?.map(|value| value.value().to_vec()))
        })
    }

    fn scan(
        &self,
        from: &[u8],
        to: Option<&[u8]>,
        backward: bool,
        each: &mut Each<'_>,
    ) -> Result<(), StoreError> {
        guarded("scanning", || {
            let read = self.db().begin_read().map_err(why)?;
            let table = read.open_table(RECORDS).map_err(why)?;
            let mut records = match to {
                Some(to) if from >= to => return Ok(()),
                Some(to) => table.range(from..to),
                None => table.range(from..),
            }
            .map_err(why)?;
            while let Some(record) = if backward { records.next_back() } else { records.next() } {
                let (key, value) = record.map_err(why)?;
                if !each(key.value(), value.value()) {
                    break;
                }
            }
            Ok(())
        })
    }

    fn commit(&self, changes: &[Change]) -> Result<(), StoreError> {
        guarded("committing", || {
            let mut write = self.db().begin_write().map_err(why)?;
            write
                .set_durability(Durability::Immediate)
                .map_err(|e| StoreError::Engine(format!("redb: {e}")))?;
            {
                let mut table = write.open_table(RECORDS).map_err(why)?;
                for change in changes {
                    match &change.value {
                        Some(value) => table.insert(change.key.as_slice(), value.as_slice()).map_err(why)?,
                        None => table.remove(change.key.as_slice()).map_err(why)?,
                    };
                }
            }
            write.commit().map_err(why)
        })
    }
}

impl Drop for Redb {
    fn drop(&mut self) {
        let db = self.db.take();
        let _ = guarded("closing redb", || {
            drop(db);
            Ok(())
        });
    }
}

fn why(error: impl Into<::redb::Error>) -> StoreError {
    match error.into() {
        ::redb::Error::DatabaseAlreadyOpen => StoreError::InUse,
        ::redb::Error::Io(error) => StoreError::io("redb")(error),
        ::redb::Error::Corrupted(what) => StoreError::Corrupt(format!("redb: {what}")),
        other => StoreError::Engine(format!("redb: {other}")),
    }
}
