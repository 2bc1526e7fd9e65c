//! What must outlive the process: an ordered map with durable, atomic, grouped commits; a journal for
//! tapes while their calls go on; and a folder of large things named by their content.
//!
//! [`Store`] holds registrations, scripts and their versions, call records, sealed tapes and tenants' own
//! memory, under the keys of [`layout`]. An embedded database stands behind the narrow trait [`kv::Kv`]:
//! sled or redb, by [`Options::engine`]. [`Journal`] takes a tape's entries with a plain write as the call
//! goes; they outlive the process, and a power cut may cost the last moments. [`Blobs`] keeps components
//! and prompts. Values are bytes: what they mean, and how they are encoded, is the caller's affair.
//!
//! # Which database
//!
//! sled is the default: a commit costs it less and waits less (`benches/commits.rs`), and with what the
//! store adds it passes every case of `tests/suite.rs`, as redb does. What the store adds is not decoration. sled 0.34.7 alone syncs
//! nothing on `flush`, so each commit syncs its data file; and it takes a damaged record for the end of
//! its log, so a flipped bit silently costs whatever was committed behind it. The store therefore keeps a
//! tally and a witness, reads all records when it is opened, and refuses to open with
//! [`StoreError::Corrupt`] unless everything acknowledged is there; [`Options::accept_loss`] overrules it.

mod blobs;
mod engine;
mod error;
mod journal;
pub mod kv;
pub mod layout;
mod queue;
mod redb;
mod sled;
mod store;
mod tally;

pub use blobs::{BlobId, Blobs};
pub use engine::{Engine, UnknownEngine};
pub use error::StoreError;
pub use journal::{Journal, Unsealed};
pub use kv::{Batch, Scan};
pub use store::{Done, Figures, Options, Record, Store};

/// A key's length in bytes; longer ones are refused with [`StoreError::BadKey`].
pub const MAX_KEY: usize = 1024;
/// A value's length in bytes; larger ones are refused with [`StoreError::TooLarge`]. A script's own memory
/// takes 64 KiB a value, with its envelope; tapes are cut into parts, components and prompts are blobs.
pub const MAX_VALUE: usize = 96 * 1024;
/// A batch's keys and values together; larger ones are refused with [`StoreError::TooLarge`]. The longest
/// tape (16 MiB) is sealed with its record in one.
pub const MAX_BATCH: usize = 20 << 20;
/// A component (20 MiB) or a prompt; larger ones are refused with [`StoreError::TooLarge`].
pub const MAX_BLOB: usize = 32 << 20;
/// Records in a page of a scan; a scan ends there and is gone on with.
pub const MAX_PAGE: usize = 10_000;
/// Batches that wait for the disk; more are refused with [`StoreError::Busy`].
pub const QUEUE: usize = 8192;
/// Batches joined into one commit, and their bytes; the rest wait for the next.
pub const MAX_GROUP: usize = 4096;
/// See [`MAX_GROUP`].
pub const MAX_GROUP_BYTES: usize = 8 << 20;
