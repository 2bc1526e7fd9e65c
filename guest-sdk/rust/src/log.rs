//! Lines for the person who wrote the script: at most 4 KiB each and 64 KiB a call. [`log!`](crate::log!) writes them.

use crate::host;

/// How much a line matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// For the one who is looking.
    Debug,
    /// Worth keeping.
    Info,
    /// Not as it should be.
    Warn,
    /// It failed.
    Error,
}

/// Writes a line with the call's id.
pub fn write(level: Level, message: &str) {
    host::log(level, message)
}

/// Writes a line of the script's log, as `format!` would: `log!("owner {owner}: {why}")`. Another level than `Info`
/// stands first: `log!(Level::Warn, "no such group: {group}")`.
#[macro_export]
macro_rules! log {
    ($format:literal $($arguments:tt)*) => {
        $crate::log::write($crate::log::Level::Info, &::std::format!($format $($arguments)*))
    };
    ($level:expr, $format:literal $($arguments:tt)*) => {
        $crate::log::write($level, &::std::format!($format $($arguments)*))
    };
}
