//! What tests across crates stand on: the built exchange as a child process, telephones made by others
//! (sipp, baresip, pjsua2, linphone) on addresses of their own, a speech server, and an ear that tells which tone a file holds.
//!
//! Nothing here sleeps. Whoever waits, waits for a line that a program prints, up to a limit, and a limit
//! that passes ends the test with everything that the program said.

use std::path::PathBuf;

pub mod baresip;
pub mod browser;
pub mod certificates;
pub mod dns;
pub mod exchange;
pub mod jssip;
pub mod kamailio;
pub mod linphone;
pub mod net;
pub mod pjsua;
pub mod process;
pub mod sipp;
pub mod sound;
pub mod speech;
pub mod tunnel;

/// The folder where `make test` keeps what it installs.
///
/// # Panics
/// Without HOME.
pub fn cache() -> PathBuf {
    std::env::var_os("STROWGER_CACHE").map_or_else(
        || PathBuf::from(std::env::var_os("HOME").expect("HOME is set")).join(".cache/strowger"),
        PathBuf::from,
    )
}
