//! Call control without a wire: calls, their legs, dials and bridges as one state machine per shard.
//!
//! Signalling, media and scripts enter as events and commands with the time; what they must do
//! leaves as effects. No socket, no clock, no ambient randomness and no runtime is known here, so a
//! day of calls runs in virtual time from a seed. SIP and SDP live in `protocol`, sound in `media`,
//! and `server` joins them.

mod call;
mod call_id;
mod dial;
pub mod directory;
pub mod effect;
mod exchange;
mod fallback;
mod fetch;
mod gather;
mod leg;
mod load;
mod mailbox;
mod prompt;
pub mod queue;
mod record;
pub mod strategy;
mod task;
mod tolls;
pub mod verb;

pub use call::{KeptCall, Past};
pub use directory::{CallLimits, Conversation, Device, Directory, RecordingPlan, Trunk, User};
pub use effect::{
    Arrival, Cause, Destination, Effect, Event, Fallback, Invite, LegKey, MessageLeft, Note, Origin, Route,
    Signal, Sound, Token,
};
pub use exchange::{Exchange, Finish, LiveCall};
pub use queue::{
    About, AgentPlan, AgentView, AgentWish, Decided, Figures, KeptAgent, KeptCallBack, KeptFigures, KeptWork,
    MemberView, Question, QueuePlan, QueueView, WaitingView,
};
pub use tolls::TollLimits;
pub use verb::*;
