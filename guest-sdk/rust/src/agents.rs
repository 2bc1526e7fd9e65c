//! Agents: the users who serve queues, what they are doing, and what they wish.
//!
//! Every verb fails with [`Failure::NotFound`](crate::Failure::NotFound) when there is no such agent or queue.

use crate::host;
use crate::words::{AgentState, Result};

/// What an agent is doing, by the user's name; none when there is no such agent.
pub fn state(user: &str) -> Option<AgentState> {
    host::agent_state(user)
}

/// Rung again, and no longer paused or in wrap-up.
pub fn make_available(user: &str) -> Result {
    host::make_available(user)
}

/// Not rung until made available; the reason is for the manager, at most 64 bytes.
pub fn pause(user: &str, reason: &str) -> Result {
    host::pause(user, reason)
}

/// Serves a queue from here on, besides those of the configuration.
pub fn sign_in(user: &str, queue: &str) -> Result {
    host::sign_in(user, queue)
}

/// Serves a queue no longer, even one of the configuration.
pub fn sign_out(user: &str, queue: &str) -> Result {
    host::sign_out(user, queue)
}
