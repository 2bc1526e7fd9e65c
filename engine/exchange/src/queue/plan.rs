//! What the configuration says of a queue, and what of agents and of promises must outlive a restart.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::verb::{CallId, Prompt};

/// A queue, as configured. The exchange keeps the `Arc` it was given and knows a reload by another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueuePlan {
    /// The queue's name.
    pub name: String,
    /// The strategy's name: a script of the tenant, or a shipped one.
    pub strategy: String,
    /// For the strategy: a JSON object.
    pub settings: String,
    /// Of two queues that share agents the heavier is asked first.
    pub weight: u16,
    /// In the configuration's order; at most [`super::MOST_AGENTS`], the others are not rung.
    pub agents: Vec<AgentPlan>,
    /// What an agent gets after a conversation of this queue to finish it.
    pub wrap_up: Duration,
    /// What a conversation is expected to take, wrap-up included: for the expected wait while none was held
    /// yet. Zero when nobody knows.
    pub handling: Duration,
    /// Callers that may wait; at most [`super::MOST_WAITING`], which 0 stands for as well.
    pub most_waiting: u32,
    /// The longest that a caller waits; 0 for as long as the call may be.
    pub longest_wait: Duration,
    /// How long a place is kept for the same number after a dropped call; 0 not at all.
    pub resume: Duration,
    /// So many missed offers in a row pause an agent; 0 never.
    pub max_missed: u32,
    /// How long an agent is left alone after a busy signal.
    pub after_busy: Duration,
    /// The same after a refusal.
    pub after_reject: Duration,
    /// The same after a telephone that nobody answered.
    pub after_no_answer: Duration,
    /// The longest that an offer rings: 1 s to 10 min.
    pub ring: Duration,
    /// Agents without a registered device are rung on their mobile number, and count as available.
    pub mobile: bool,
    /// What a waiting caller hears.
    pub music: Prompt,
    /// The script that runs for the agent who answered a call back; `strowger/call-back` if none.
    pub call_back: Option<String>,
}

impl QueuePlan {
    /// A queue of this name that nobody serves.
    pub(super) fn empty(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            strategy: String::new(),
            settings: String::new(),
            weight: 1,
            agents: Vec::new(),
            wrap_up: Duration::ZERO,
            handling: Duration::ZERO,
            most_waiting: 0,
            longest_wait: Duration::ZERO,
            resume: Duration::ZERO,
            max_missed: 0,
            after_busy: Duration::ZERO,
            after_reject: Duration::ZERO,
            after_no_answer: Duration::ZERO,
            ring: Duration::ZERO,
            mobile: false,
            music: Prompt::Music(String::new()),
            call_back: None,
        }
    }
}

/// An agent of a queue, as configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentPlan {
    /// The user's name.
    pub user: String,
    /// The tier: 1 is asked first.
    pub level: u8,
    /// The share in a weighted queue, 1 to 1000.
    pub weight: u16,
    /// In place of the queue's.
    pub wrap_up: Option<Duration>,
}

/// What of an agent must outlive a restart.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptAgent {
    /// Not to be rung, and why.
    pub paused: Option<String>,
    /// Queues served besides those of the configuration.
    pub signed_in: Vec<String>,
    /// Queues of the configuration that are not served.
    pub signed_out: Vec<String>,
}

/// A caller who was promised a call back, as it must be known after a restart. There is one of a number in
/// a queue at most.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct KeptCallBack {
    /// The queue's name.
    pub queue: String,
    /// The number to call.
    pub number: String,
    /// The call in which it was promised.
    pub promised_in: CallId,
    /// BCP 47.
    pub language: String,
    /// Higher goes first.
    pub priority: i32,
    /// Skills asked for, and the least level of each.
    pub skills: Vec<(String, u8)>,
    /// Since when the caller has been in line: seconds since 1970 UTC.
    pub entered: f64,
    /// Until when the promise holds: seconds since 1970 UTC.
    pub until: f64,
}

/// What is wished of an agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AgentWish {
    /// To be rung again: ends a pause, wrap-up and the delay after a missed offer.
    Available,
    /// Not to be rung.
    Paused {
        /// For the manager: at most 64 bytes.
        reason: String,
    },
    /// To serve a queue.
    SignIn {
        /// Its name.
        queue: String,
    },
    /// To serve it no longer.
    SignOut {
        /// Its name.
        queue: String,
    },
}
