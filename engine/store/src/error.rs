//! What can go wrong between a caller and the disk, by what the caller can do about it.

use std::fmt;
use std::sync::Arc;

/// Why the store did not do what was asked.
#[derive(Clone, Debug)]
pub enum StoreError {
    /// More commits wait than [`crate::QUEUE`]; nothing was written, ask again later (HTTP 503).
    Busy,
    /// A required value is another one; nothing was written.
    Conflict,
    /// A key, value, batch or blob is above its bound; nothing was written (HTTP 413).
    TooLarge {
        /// What is too large.
        what: &'static str,
        /// Its size in bytes.
        size: usize,
        /// The bound.
        most: usize,
    },
    /// Keys are 1 to [`crate::MAX_KEY`] bytes and do not begin with a zero byte; nothing was written.
    BadKey,
    /// The disk has less room left than is kept free, or the journal is at its bound; nothing was
    /// written (HTTP 507). It is tried anew at the next write.
    Full {
        /// Bytes free.
        free: u64,
        /// Bytes needed.
        needed: u64,
    },
    /// Another process, or another store in this one, has the folder open.
    InUse,
    /// The operating system refused; a write may or may not have happened.
    Io {
        /// What was being done.
        doing: &'static str,
        /// Its answer.
        error: Arc<std::io::Error>,
    },
    /// What is on disk is not what was written: a checksum fails, or acknowledged records are missing.
    Corrupt(String),
    /// The database under the store failed in its own words; a write may or may not have happened.
    Engine(String),
    /// The store has been closed.
    Closed,
}

impl StoreError {
    /// For `map_err`: what was being done when the operating system refused.
    pub(crate) fn io(doing: &'static str) -> impl FnOnce(std::io::Error) -> Self {
        move |error| Self::Io { doing, error: Arc::new(error) }
    }

    /// Whether the database must be opened again before it can be trusted with another write.
    pub(crate) fn breaks_engine(&self) -> bool {
        matches!(self, Self::Io { .. } | Self::Corrupt(_) | Self::Engine(_) | Self::Closed)
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Busy => write!(f, "too many writes are waiting; try again"),
            Self::Conflict => write!(f, "the value has changed meanwhile"),
            Self::TooLarge { what, size, most } => {
                write!(f, "the {what} is {size} bytes long, at most {most} are taken")
            }
            Self::BadKey => write!(f, "a key is empty, too long, or begins with a zero byte"),
            Self::Full { free, needed } => {
                write!(f, "the disk is full: {free} bytes are free, {needed} are needed")
            }
            Self::InUse => write!(f, "the data folder is in use by another process"),
            Self::Io { doing, error } => write!(f, "{doing}: {error}"),
            Self::Corrupt(what) => write!(f, "the store is damaged: {what}"),
            Self::Engine(what) => write!(f, "the database failed: {what}"),
            Self::Closed => write!(f, "the store is closed"),
        }
    }
}

impl std::error::Error for StoreError {}
