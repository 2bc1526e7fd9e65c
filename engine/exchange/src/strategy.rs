//! What a queue strategy decides upon and what it answers: plain data, as the exchange gives it to
//! the component and as it stands on the caller's tape.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::verb::{AgentState, Prompt, Refusal};

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
    /// Mean length of a conversation lately, wrap-up included.
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
    /// The place in line by priority, then arrival: first is 1.
    pub position: u32,
    /// The exchange's own estimate of the rest of the wait.
    pub expected: Option<Duration>,
    /// Whoever spoke with this number last.
    pub last_agent: Option<String>,
    /// Agents that were rung for this caller before, in order.
    pub tried: Vec<String>,
    /// Agents are being rung for the caller now.
    pub offered: bool,
}

/// An agent who serves the queue.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Agent {
    /// The user's name.
    pub name: String,
    /// What the agent is doing.
    pub state: AgentState,
    /// Whether a call can be offered now: available, and no delay after a missed offer runs.
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
    /// Since the agent signed in today.
    pub signed_in_for: Duration,
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

/// Who rings, and when to be asked again if nothing happens before.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ranking {
    /// As the strategy gave them.
    pub offers: Vec<Offer>,
    /// A tier that opens with time: asked again after this.
    pub again: Option<Duration>,
}

/// Whether a caller may wait.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Admission {
    /// Yes.
    ComeIn,
    /// No, and why.
    Refuse(Refusal),
}

/// What to say to a caller, and when to be asked again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Announcement {
    /// Nothing if empty.
    pub say: Vec<Prompt>,
    /// Never if none.
    pub again: Option<Duration>,
}

/// What a key does that a waiting caller pressed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum KeyAction {
    /// Nothing, unless the script listens for it.
    Pass,
    /// Say this and go on waiting.
    Say(Vec<Prompt>),
    /// The script decides, by this word.
    Ask(String),
}
