//! Queue strategies seen from the engine: a snapshot goes in as plain data, a ranking comes out.
//!
//! Each question runs in a sandbox of its own that is dropped with the answer, so a strategy can keep
//! nothing and change nothing. What was asked and answered is for the caller's tape; nothing here
//! writes it.

use std::time::Duration;

use exchange::{Level, Prompt};
use serde::{Deserialize, Serialize};

/// A queue at one moment.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    /// The queue's name.
    pub queue: String,
    /// The queue's settings: a JSON object.
    pub settings: String,
    /// For choices by chance.
    pub seed: u32,
    /// The agent who answered last, by name.
    pub last_answered: Option<String>,
    /// Mean length of a conversation lately.
    pub service: Duration,
    /// Callers in order of arrival.
    pub waiting: Vec<Waiting>,
    /// Agents in the configuration's order.
    pub agents: Vec<Agent>,
}

/// A caller in the queue.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Waiting {
    /// Names the caller in this snapshot.
    pub id: u32,
    /// The caller's number.
    pub number: String,
    /// Higher goes first.
    pub priority: i32,
    /// Skills asked for, and the least level of each.
    pub skills: Vec<(String, u8)>,
    /// Since the caller entered.
    pub waited: Duration,
    /// Whoever spoke with this number last.
    pub last_agent: Option<String>,
}

/// An agent who serves the queue.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Agent {
    /// The user's name.
    pub name: String,
    /// Whether a call can be offered now.
    pub free: bool,
    /// Since the last call ended.
    pub free_for: Duration,
    /// Since a call was last offered.
    pub since_offered: Duration,
    /// Calls offered today.
    pub offered: u32,
    /// Calls answered today.
    pub answered: u32,
    /// Time spoken today.
    pub talked: Duration,
    /// Offers missed since the last that was answered.
    pub missed_in_a_row: u32,
    /// The tier: 1 is asked first.
    pub level: u8,
    /// The share in a weighted queue, 1 to 1000.
    pub weight: u16,
    /// Skill and level, 1 to 100.
    pub skills: Vec<(String, u8)>,
}

/// Ring these agents for this caller.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offer {
    /// A caller's id of the snapshot, as the strategy gave it: check it.
    pub caller: u32,
    /// By name, as the strategy gave them: check them.
    pub agents: Vec<String>,
    /// How long to ring.
    pub ring: Duration,
}

/// Whether a caller may wait.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Admission {
    /// Yes.
    ComeIn,
    /// No, and why in a word: "full", "closed", "nobody", "too-long".
    Refuse(String),
}

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

/// What a strategy says to a caller.
pub type Words = Vec<Prompt>;
