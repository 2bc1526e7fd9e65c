//! The exchange as the SDK sees it: the imports of `wit/` in a component, the simulator everywhere else.
//!
//! Both sides offer the same items, so that nothing above this module knows which of them it speaks to.

#[cfg(target_arch = "wasm32")]
pub mod guest;
#[cfg(target_arch = "wasm32")]
pub use guest::*;
#[cfg(target_arch = "wasm32")]
mod http;
#[cfg(target_arch = "wasm32")]
pub use http::*;
#[cfg(target_arch = "wasm32")]
mod mailbox;
#[cfg(target_arch = "wasm32")]
pub(crate) use mailbox::*;
#[cfg(target_arch = "wasm32")]
mod queue;
#[cfg(target_arch = "wasm32")]
pub use queue::*;
#[cfg(target_arch = "wasm32")]
pub mod strategy;
#[cfg(target_arch = "wasm32")]
pub mod tasks;
#[cfg(target_arch = "wasm32")]
pub(crate) use tasks::TaskHandle;

#[cfg(not(target_arch = "wasm32"))]
pub(crate) use crate::sim::exchange::*;
#[cfg(not(target_arch = "wasm32"))]
pub(crate) use crate::sim::mailbox::*;
#[cfg(not(target_arch = "wasm32"))]
pub(crate) use crate::sim::queue::*;
#[cfg(not(target_arch = "wasm32"))]
pub(crate) use crate::sim::server::*;
#[cfg(not(target_arch = "wasm32"))]
pub(crate) use crate::sim::tasks::TaskHandle;

use crate::words::{Party, Prompt, Target};
use std::time::Duration;

/// How to ask for digits, as `gather-options` has it.
#[derive(Clone, Debug)]
pub(crate) struct GatherOptions {
    pub prompts: Vec<Prompt>,
    pub most: u8,
    pub terminator: Option<char>,
    pub first: Duration,
    pub between: Duration,
}

/// Targets that ring together, `after` the beginning of the dial.
#[derive(Clone, Debug)]
pub(crate) struct Stage {
    pub after: Duration,
    pub targets: Vec<Target>,
}

/// How to dial, as `dial-options` has it.
#[derive(Clone, Debug)]
pub(crate) struct DialOptions {
    pub timeout: Duration,
    pub ringback: Option<Prompt>,
    pub present: Option<Party>,
    pub skip_busy: bool,
}

/// How a caller enters a queue, as `entry` has it; the longest wait is the queue's own if zero.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub queue: String,
    pub priority: i32,
    pub skills: Vec<(String, u8)>,
    pub longest: Duration,
}
