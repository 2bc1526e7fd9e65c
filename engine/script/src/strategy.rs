//! Queue strategies seen from the engine: a snapshot goes in as plain data, an answer comes out.
//!
//! Each question runs in a sandbox of its own that is dropped with the answer, so a strategy can keep
//! nothing and change nothing. What was asked and answered is for the caller's tape; nothing here
//! writes it.

use std::time::Duration;

use exchange::Level;

/// A strategy's answer, and what it logged on the way.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision<T> {
    /// The answer.
    pub answer: T,
    /// Lines that the strategy wrote, cut to the limits.
    pub log: Vec<(Level, String)>,
    /// Time on its thread.
    pub took: Duration,
}
