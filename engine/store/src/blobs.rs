//! Large things named by the SHA-256 of their content: components and prompts.
//!
//! A blob is written beside its place, synced, and moved there, so that under its name there is all of
//! it or nothing. The same content is one file. Reading checks the content against the name.

use std::fmt;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use sha2::{Digest, Sha256};

use crate::store::{at_most, free_bytes};
use crate::{MAX_BLOB, StoreError};

/// The SHA-256 of a blob's content; written as 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BlobId(pub [u8; 32]);

impl BlobId {
    /// The name that this content has.
    pub fn of(content: &[u8]) -> Self {
        Self(Sha256::digest(content).into())
    }
}

impl fmt::Display for BlobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for BlobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for BlobId {
    type Err = NotABlobId;

    fn from_str(text: &str) -> Result<Self, NotABlobId> {
        let (pairs, []) = text.as_bytes().as_chunks::<2>() else { return Err(NotABlobId) };
        let bytes: Option<Vec<u8>> =
            pairs.iter().map(|&[high, low]| Some(nibble(high)? << 4 | nibble(low)?)).collect();
        bytes.and_then(|bytes| bytes.try_into().ok()).map(Self).ok_or(NotABlobId)
    }
}

/// The text is not 64 hexadecimal digits in lower case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotABlobId;

impl fmt::Display for NotABlobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a blob's name is 64 digits of 0-9 and a-f")
    }
}

impl std::error::Error for NotABlobId {}

/// A folder of blobs.
#[derive(Debug)]
pub struct Blobs {
    folder: PathBuf,
    keep_free: u64,
    /// Tells apart what is being written at the same time.
    writing: AtomicU64,
}

impl Blobs {
    /// Opens or makes the folder, and clears away what was half written. `keep_free`: as in
    /// [`crate::Options`].
    pub fn open(folder: &Path, keep_free: u64) -> Result<Self, StoreError> {
        let doing = "opening the folder of blobs";
        fs::create_dir_all(folder).map_err(StoreError::io(doing))?;
        for entry in fs::read_dir(folder).map_err(StoreError::io(doing))? {
            let path = entry.map_err(StoreError::io(doing))?.path();
            if path.extension().is_some_and(|extension| extension == "part") {
                fs::remove_file(path).map_err(StoreError::io(doing))?;
            }
        }
        Ok(Self { folder: folder.to_owned(), keep_free, writing: AtomicU64::new(0) })
    }

    /// Keeps the content; durable when it returns. Waits for the disk.
    pub fn put(&self, content: &[u8]) -> Result<BlobId, StoreError> {
        let doing = "writing a blob";
        at_most("blob", content.len(), MAX_BLOB)?;
        let id = BlobId::of(content);
        // A file that is there but was damaged since is written anew.
        if matches!(self.get(&id), Ok(Some(_))) {
            return Ok(id);
        }
        let (free, needed) = (free_bytes(&self.folder)?, self.keep_free + content.len() as u64);
        if free < needed {
            return Err(StoreError::Full { free, needed });
        }
        let part = self.folder.join(format!("{id}-{}.part", self.writing.fetch_add(1, Relaxed)));
        let written = File::create(&part)
            .and_then(|mut file| {
                file.write_all(content)?;
                file.sync_all()
            })
            .and_then(|()| fs::rename(&part, self.path(&id)))
            .and_then(|()| File::open(&self.folder)?.sync_all());
        if written.is_err() {
            let _ = fs::remove_file(&part);
        }
        written.map_err(StoreError::io(doing))?;
        Ok(id)
    }

    /// The content; none when there is no such blob. [`StoreError::Corrupt`] when it is not what was kept.
    pub fn get(&self, id: &BlobId) -> Result<Option<Vec<u8>>, StoreError> {
        match fs::read(self.path(id)) {
            Ok(content) if BlobId::of(&content) == *id => Ok(Some(content)),
            Ok(_) => Err(StoreError::Corrupt(format!("the blob {id} is not what was kept"))),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(StoreError::io("reading a blob")(error)),
        }
    }

    /// Forgets a blob; done also when there was none.
    pub fn remove(&self, id: &BlobId) -> Result<(), StoreError> {
        match fs::remove_file(self.path(id)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(StoreError::io("removing a blob")(error))
            }
            _ => Ok(()),
        }
    }

    fn path(&self, id: &BlobId) -> PathBuf {
        self.folder.join(id.to_string())
    }
}

fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_blob_is_whole_or_refused_and_writing_it_again_mends_it() {
        let folder = tempfile::tempdir().unwrap();
        let blobs = Blobs::open(folder.path(), 0).unwrap();
        let id = blobs.put(b"component").unwrap();
        // FIPS 180-4's algorithm, as sha256sum gives it.
        assert_eq!(id.to_string(), "6985ca1f4daa5a584a28eae043a239cb96689af1337ea13afb63e00c2bf512fa");
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!(blobs.get(&id).unwrap(), Some(b"component".to_vec()));
        assert_eq!(blobs.get(&BlobId::of(b"another")).unwrap(), None);

        fs::write(folder.path().join(id.to_string()), b"componenT").unwrap();
        assert!(matches!(blobs.get(&id), Err(StoreError::Corrupt(_))));
        assert_eq!(blobs.put(b"component").unwrap(), id);
        assert_eq!(blobs.get(&id).unwrap(), Some(b"component".to_vec()));

        blobs.remove(&id).unwrap();
        blobs.remove(&id).unwrap();
        assert_eq!(blobs.get(&id).unwrap(), None);
    }

    #[test]
    fn what_was_half_written_is_cleared_away_and_bounds_hold() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("00-0.part"), b"half").unwrap();
        let blobs = Blobs::open(folder.path(), 0).unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        assert!(matches!(blobs.put(&vec![0; MAX_BLOB + 1]), Err(StoreError::TooLarge { .. })));
        let full = Blobs::open(folder.path(), u64::MAX / 2).unwrap();
        assert!(matches!(full.put(b"any"), Err(StoreError::Full { .. })));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        assert_eq!("é".repeat(32).parse::<BlobId>(), Err(NotABlobId));
        assert_eq!("0".repeat(63).parse::<BlobId>(), Err(NotABlobId));
    }
}
