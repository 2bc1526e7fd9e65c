//! Queues: callers in line, the agents who serve them, and the offers that join the two. The engine
//! owns places, offers and timers; every choice is a strategy's, asked by `Effect::Decide` and checked
//! against the state at the moment of its answer. Legs are the call's (`call/waiting.rs`).

mod decision;
mod plan;
mod view;

use std::time::Duration;

pub use decision::{About, Decided, Question};
pub use plan::{AgentPlan, AgentWish, KeptAgent, QueuePlan};
pub use view::{AgentView, Figures, MemberView, QueueView, WaitingView};

/// Callers of one queue; the next one is refused as full, whatever the strategy says.
pub const MOST_WAITING: usize = 5_000;
/// Agents of one queue; the next one does not serve it.
pub const MOST_AGENTS: usize = 1_000;
/// Queues of one tenant; the next one takes no callers.
pub const MOST_QUEUES: usize = 500;
/// Within which an answer counts as in time.
pub const SERVICE_LEVEL: Duration = Duration::from_secs(20);
/// How long a strategy may take; then longest-idle takes the decision.
pub const DECISION_TIME: Duration = Duration::from_secs(1);
