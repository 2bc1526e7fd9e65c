//! Why scripts could not be read, loaded or activated.

use std::fmt;

use script::{NoEngine, NoVersion, Refused};
use store::StoreError;

use super::comparison::Report;

/// Why a script was not loaded or activated.
#[derive(Debug)]
pub enum ScriptError {
    /// The component is not one that this engine runs: 422, with what and where.
    Refused(Refused),
    /// Larger than the tenant's `script_size`: 413.
    TooLarge(u64),
    /// There is no such script or version, or no room for one more: 404 or 409.
    NoVersion(NoVersion),
    /// Several versions are named so: 409.
    Ambiguous(String),
    /// The tenant's policy asks for a signature, and there is none of a key that it names: 422.
    Unsigned,
    /// A queue's strategy is asked about all callers at once, so there is no share of them for it: 422.
    NoShare,
    /// It does something else than was recorded in the last calls, and the tenant's policy refuses that: 409.
    Parts(u32, Report),
    /// It could not be kept: 503 or 507.
    Store(StoreError),
}

impl fmt::Display for ScriptError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(refused) => refused.fmt(f),
            Self::TooLarge(most) => {
                write!(f, "the component is larger than {most} bytes, the tenant's script_size")
            }
            Self::NoVersion(why) => why.fmt(f),
            Self::Ambiguous(name) => {
                write!(f, "several versions begin with \"{name}\"; write more of the hash, or the number")
            }
            Self::Unsigned => f.write_str(
                "the tenant's signed_by asks for a signature of one of its keys; load it with strowger script push --sign",
            ),
            Self::NoShare => f.write_str(
                "a queue's strategy is asked about all callers at once, and can't be for a share of them; activate it",
            ),
            Self::Parts(number, report) => write!(
                f,
                "version {number} does not do what was recorded, and the tenant's policy refuses that: {report}; \
                 it is loaded and takes no calls; activate it with force where it is meant to differ"
            ),
            Self::Store(why) => why.fmt(f),
        }
    }
}

impl std::error::Error for ScriptError {}

impl From<StoreError> for ScriptError {
    fn from(why: StoreError) -> Self {
        Self::Store(why)
    }
}

impl From<NoVersion> for ScriptError {
    fn from(why: NoVersion) -> Self {
        Self::NoVersion(why)
    }
}

/// Why there are no scripts at all.
#[derive(Debug)]
pub enum NoScripts {
    /// The sandboxes could not be laid out.
    Engine(NoEngine),
    /// The thread of the shadows could not be started.
    Thread(std::io::Error),
    /// The store cannot be read.
    Store(StoreError),
}

impl fmt::Display for NoScripts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Engine(why) => why.fmt(f),
            Self::Thread(why) => write!(f, "the thread of shadows can't be started: {why}"),
            Self::Store(why) => why.fmt(f),
        }
    }
}

impl std::error::Error for NoScripts {}
