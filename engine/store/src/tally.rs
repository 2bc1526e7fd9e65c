//! How the store knows that nothing acknowledged is missing and nothing was altered.
//!
//! Every value carries a checksum over its key and itself. Beside the records stands a tally: how many
//! commits there have been, how many records there are, and the sum of their hashes; it changes in the
//! same commit as they do. A small file outside the database, the witness, holds the last commit that
//! was acknowledged. On opening all records are read and must give the tally, and the tally must not
//! be behind the witness. The databases' own recovery may drop what it cannot read; this notices.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

use crate::StoreError;
use crate::kv::{Change, Kv};

/// Keys of the store's own begin with a zero byte, which callers' keys never do.
pub(crate) const OWN: u8 = 0;
const TALLY: &[u8] = b"\0tally";
const CRC: usize = 4;
/// Unreadable records that are named by key so that they can be dropped; the rest are counted.
const DAMAGED_MOST: usize = 100_000;

/// What there should be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) commits: u64,
    pub(crate) records: u64,
    sum: u64,
}

impl Tally {
    /// The tally as it was committed; none in a new database.
    pub(crate) fn read(kv: &dyn Kv) -> Result<Option<Self>, StoreError> {
        let Some(stored) = kv.get(TALLY)? else { return Ok(None) };
        let value = unsealed(TALLY, stored)?;
        let words: [u64; 3] = match value.as_chunks::<8>() {
            (&[a, b, c], []) => [a, b, c].map(u64::from_le_bytes),
            _ => return Err(StoreError::Corrupt("the tally is not three numbers".into())),
        };
        Ok(Some(Self { commits: words[0], records: words[1], sum: words[2] }))
    }

    /// The change that writes this tally; part of every commit.
    pub(crate) fn change(&self) -> Change {
        let words = [self.commits, self.records, self.sum];
        let value = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        Change { key: TALLY.to_vec(), value: Some(sealed(TALLY, value)) }
    }

    /// `stored`: the value with its checksum, as the database holds it.
    pub(crate) fn add(&mut self, key: &[u8], stored: &[u8]) {
        self.records += 1;
        self.sum = self.sum.wrapping_add(hash(key, stored));
    }

    /// The reverse of [`Tally::add`].
    pub(crate) fn remove(&mut self, key: &[u8], stored: &[u8]) {
        self.records = self.records.wrapping_sub(1);
        self.sum = self.sum.wrapping_sub(hash(key, stored));
    }

    /// Reads every record: what there is, and the keys of those whose checksum fails.
    pub(crate) fn count(kv: &dyn Kv) -> Result<(Self, Vec<Vec<u8>>), StoreError> {
        let (mut found, mut damaged) = (Self::default(), Vec::new());
        kv.scan(&[OWN + 1], None, false, &mut |key, stored| {
            found.add(key, stored);
            if !intact(key, stored) && damaged.len() < DAMAGED_MOST {
                damaged.push(key.to_vec());
            }
            true
        })?;
        Ok((found, damaged))
    }

    /// Whether both speak of the same records.
    pub(crate) fn same_records(&self, other: &Self) -> bool {
        (self.records, self.sum) == (other.records, other.sum)
    }
}

/// The last acknowledged commit, in a file of twelve bytes that a commit rewrites with a plain write:
/// it outlives the process, and after a power cut it may lag, which errs on the side of opening.
pub(crate) struct Witness {
    file: File,
    /// What was read from it when it was opened.
    pub(crate) commits: u64,
}

impl Witness {
    pub(crate) fn open(folder: &Path) -> Result<Self, StoreError> {
        let doing = "opening the witness file";
        let file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(folder.join("acknowledged"))
            .map_err(StoreError::io(doing))?;
        let mut bytes = [0; 12];
        let commits = match file.read_exact_at(&mut bytes, 0) {
            Ok(()) if crc32fast::hash(&bytes[..8]).to_le_bytes() == bytes[8..] => {
                u64::from_le_bytes(bytes[..8].try_into().expect("eight bytes"))
            }
            Ok(()) => {
                tracing::warn!("the witness file is damaged; the database is taken at its word");
                0
            }
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => 0,
            Err(error) => return Err(StoreError::io(doing)(error)),
        };
        Ok(Self { file, commits })
    }

    pub(crate) fn write(&self, commits: u64) -> Result<(), StoreError> {
        let mut bytes = [0; 12];
        bytes[..8].copy_from_slice(&commits.to_le_bytes());
        let crc = crc32fast::hash(&bytes[..8]);
        bytes[8..].copy_from_slice(&crc.to_le_bytes());
        self.file.write_all_at(&bytes, 0).map_err(StoreError::io("writing the witness file"))
    }
}

/// The value with its checksum behind it.
pub(crate) fn sealed(key: &[u8], mut value: Vec<u8>) -> Vec<u8> {
    let crc = checksum(key, &value);
    value.extend_from_slice(&crc.to_le_bytes());
    value
}

/// The value without its checksum, which must be right.
pub(crate) fn unsealed(key: &[u8], mut stored: Vec<u8>) -> Result<Vec<u8>, StoreError> {
    if !intact(key, &stored) {
        return Err(StoreError::Corrupt(format!("the record {} fails its checksum", key.escape_ascii())));
    }
    stored.truncate(stored.len() - CRC);
    Ok(stored)
}

fn intact(key: &[u8], stored: &[u8]) -> bool {
    stored
        .split_last_chunk::<CRC>()
        .is_some_and(|(value, crc)| checksum(key, value) == u32::from_le_bytes(*crc))
}

fn checksum(key: &[u8], value: &[u8]) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    crc.update(key);
    crc.update(value);
    crc.finalize()
}

/// FNV-1a over the key and the record's checksum, which stands for the value.
fn hash(key: &[u8], stored: &[u8]) -> u64 {
    let crc = &stored[stored.len().saturating_sub(CRC)..];
    key.iter().chain(crc).fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}
