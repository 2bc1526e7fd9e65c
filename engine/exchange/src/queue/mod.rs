//! Queues: callers in line, the agents who serve them, and the offers that join the two. The engine
//! owns places, offers and timers; every choice is a strategy's, asked by `Effect::Decide` and checked
//! against the state at the moment of its answer. Legs are the call's (`call/waiting.rs`): the
//! [`Floor`] gives it orders, and hears from it who answered and who did not. What agents wished, who
//! was promised a call back and the day's figures outlive a restart; so do callers in line whose calls do.

mod agent;
mod day;
mod deciding;
mod decision;
mod floor;
mod kept;
mod line;
mod offer;
mod people;
mod place;
mod plan;
mod promise;
mod service;
mod snapshot;
mod view;

use std::time::Duration;

pub(crate) use agent::Miss;
pub use day::{KeptFigures, KeptWork};
pub use decision::{About, Decided, Question};
pub(crate) use floor::{Floor, Moment, Order, Ringing};
pub(crate) use kept::KeptPlace;
pub(crate) use place::{Entry, Leaving, PlaceId};
pub use plan::{AgentPlan, AgentWish, KeptAgent, KeptCallBack, QueuePlan};
pub use view::{AgentView, Figures, MemberView, QueueView, WaitingView};

/// Callers of one queue; the next one is refused as full, whatever the strategy says.
pub const MOST_WAITING: usize = 5_000;
/// Agents of one queue; the next one does not serve it.
pub const MOST_AGENTS: usize = 1_000;
/// Queues of one tenant; the next one takes no callers.
pub const MOST_QUEUES: usize = 500;
/// Callers of one queue who left and will be called back; the next one keeps waiting.
pub const MOST_CALL_BACKS: usize = 1_000;
/// Marks a call in which a call back was promised: the number.
pub const CALL_BACK: &str = "call-back";
/// Marks a call that calls somebody back: the call in which it was promised.
pub const PROMISED_IN: &str = "promised-in";
/// Within which an answer counts as in time.
pub const SERVICE_LEVEL: Duration = Duration::from_secs(20);
/// How long a strategy may take; then longest-idle takes the decision.
pub const DECISION_TIME: Duration = Duration::from_secs(1);
