//! Queue strategies: who rings next, as a function.
//!
//! A strategy is asked with a [`Snapshot`] of its queue and answers with [`Offers`]. It keeps nothing and changes
//! nothing: the exchange owns places, offers and timers, checks each offer against what is true by then, and asks again
//! whenever something has changed. The same snapshot gives the same answer; equals are told apart by name.
//!
//! ```
//! use strowger_script::strategy::prelude::*;
//!
//! #[queue_strategy]
//! fn rank(now: &Snapshot) -> Offers {
//!     let agents = now.free_agents().sorted_by_key(|agent| Reverse(agent.since_offered()));
//!     now.waiting_by_priority().pair_with(agents)
//! }
//!
//! // A test is a table: plain `cargo test`, no exchange.
//! let now = snapshot().waiting(["+359888"]).agent("ana", idle(30.secs())).agent("boris", idle(90.secs()));
//! assert_eq!(rank(&now).agents(), ["boris"]);
//! ```
//!
//! Who may wait, what is announced and what keys do is answered by the queue's settings ([`Rules`]) unless the strategy
//! names functions of its own: `#[queue_strategy(admit = who_may_wait, announce = say, on_digit = key, expected_wait =
//! wait)]`.
//!
//! In a component accessors are questions to the exchange, asked when they are called and not before; what strategies look
//! at of every agent comes for all of them with the first. A strategy pays for what it looks at.

use crate::words::{AgentState, Prompt};
use serde::de::DeserializeOwned;
use std::cell::OnceCell;
use std::ops::Deref;
use std::time::Duration;

#[doc(hidden)]
pub mod entry;
mod offers;
mod rules;
#[cfg(not(target_arch = "wasm32"))]
mod table;
mod wanted;

// The same rows on both sides, so that nothing here knows which of them it reads.
#[cfg(target_arch = "wasm32")]
use crate::host::strategy as rows;
use rows::{AgentRow, SnapshotRow, WaitingRow};
#[cfg(not(target_arch = "wasm32"))]
use table as rows;

pub use offers::{Candidate, Left, Line, Offer, Offers, least_tried};
pub use rules::{Announcements, RING_FOR, Rules, WhenNobody};
#[cfg(not(target_arch = "wasm32"))]
pub use table::{
    Caller, Desk, caller, idle, offered_a_call, offline, paused, snapshot, talking, wrapping_up,
};
pub use wanted::PerSkills;

/// What a strategy is written with: `use strowger_script::strategy::prelude::*;`.
pub mod prelude {
    pub use super::*;
    pub use crate::log;
    pub use crate::log::Level;
    pub use crate::words::{
        AgentState, Lengths, Prompt, digits, duration, music, position, quantity, silence, text, tone,
    };
    pub use serde_json::{Value, json};
    pub use std::cmp::Reverse;
    pub use std::time::Duration;
    pub use strowger_script_macros::{queue_strategy, settings};
}

/// Skill and level, 1 to 100.
pub type Skills = Vec<(String, u8)>;

/// A queue at one moment.
pub struct Snapshot {
    pub(crate) row: SnapshotRow,
}

impl Snapshot {
    /// The queue's name.
    pub fn queue(&self) -> String {
        self.row.queue()
    }

    /// The queue's settings, read.
    ///
    /// # Panics
    /// When they don't fit the type: longest-idle takes the decision then, and the manager reads the reason.
    pub fn settings<S: DeserializeOwned>(&self) -> S {
        let json = self.row.settings();
        serde_json::from_str(&json).unwrap_or_else(|error| panic!("settings of the queue: {error}"))
    }

    /// For choices by chance: the same seed, the same choice.
    pub fn seed(&self) -> u32 {
        self.row.seed()
    }

    /// The agent who answered last.
    pub fn last_answered(&self) -> Option<String> {
        self.row.last_answered()
    }

    /// Mean length of a conversation lately, wrap-up included.
    pub fn service(&self) -> Duration {
        self.row.service()
    }

    /// All callers in order of arrival, those for whom somebody is rung too.
    pub fn callers(&self) -> Vec<Waiting> {
        self.row.waiting().into_iter().map(Waiting::new).collect()
    }

    /// The callers for whom nobody is rung now, by priority, then arrival.
    pub fn waiting_by_priority(&self) -> Line<'_> {
        Line::new(self)
    }

    /// All agents of the queue in the configuration's order, whatever they do.
    pub fn agents(&self) -> Agents {
        self.row.agents().into_iter().map(Agent::new).collect()
    }

    /// The agents to whom a call can be offered now, in the configuration's order.
    pub fn free_agents(&self) -> Agents {
        self.row.free().into_iter().map(Agent::new).collect()
    }

    pub(crate) fn in_line(&self, most: usize) -> Vec<Waiting> {
        let most = u32::try_from(most).unwrap_or(u32::MAX);
        self.row.in_line(most).into_iter().map(Waiting::new).collect()
    }
}

/// A caller in the queue.
pub struct Waiting {
    pub(crate) row: WaitingRow,
    skills: OnceCell<Skills>,
    anyone: OnceCell<bool>,
}

impl Waiting {
    pub(crate) fn new(row: WaitingRow) -> Self {
        Self { row, skills: OnceCell::new(), anyone: OnceCell::new() }
    }

    /// Whether any free agent will do: no skills are asked for, and nobody was rung for the caller before.
    pub fn anyone(&self) -> bool {
        *self.anyone.get_or_init(|| self.row.anyone())
    }

    /// Names the caller in this snapshot.
    pub fn id(&self) -> u32 {
        self.row.id()
    }

    /// The caller's number.
    pub fn number(&self) -> String {
        self.row.number()
    }

    /// Higher goes first.
    pub fn priority(&self) -> i32 {
        self.row.priority()
    }

    /// Skills asked for, and the least level of each.
    pub fn skills(&self) -> &[(String, u8)] {
        self.skills.get_or_init(|| if self.anyone() { Skills::new() } else { self.row.skills() })
    }

    /// Since the caller entered.
    pub fn waited(&self) -> Duration {
        self.row.waited()
    }

    /// The place in line by priority, then arrival: first is 1.
    pub fn position(&self) -> u32 {
        self.row.position()
    }

    /// The exchange's own estimate of the rest of the wait.
    pub fn expected(&self) -> Option<Duration> {
        self.row.expected()
    }

    /// Whoever spoke with this number last.
    pub fn last_agent(&self) -> Option<String> {
        self.row.last_agent()
    }

    /// Agents that were rung for this caller before, in order; one more than once may be there.
    pub fn tried(&self) -> Vec<String> {
        if self.anyone() { Vec::new() } else { self.row.tried() }
    }

    /// Whether agents are being rung for the caller now.
    pub fn offered(&self) -> bool {
        self.row.offered()
    }
}

/// An agent who serves the queue.
pub struct Agent {
    row: AgentRow,
    name: OnceCell<String>,
    skills: OnceCell<Skills>,
}

impl Agent {
    fn new(row: AgentRow) -> Self {
        Self { row, name: OnceCell::new(), skills: OnceCell::new() }
    }

    /// The user's name.
    pub fn name(&self) -> &str {
        self.name.get_or_init(|| self.row.name())
    }

    /// What the agent is doing.
    pub fn state(&self) -> AgentState {
        self.row.state()
    }

    /// Whether a call can be offered now: available, and no delay after a missed offer runs.
    pub fn free(&self) -> bool {
        self.row.free()
    }

    /// Whether the agent is there at all: signed in with a device, and not paused.
    pub fn serving(&self) -> bool {
        !matches!(self.state(), AgentState::Offline | AgentState::Paused)
    }

    /// Since the last call ended.
    pub fn free_for(&self) -> Duration {
        self.row.free_for()
    }

    /// Since a call was last offered.
    pub fn since_offered(&self) -> Duration {
        self.row.since_offered()
    }

    /// Calls offered today.
    pub fn offered(&self) -> u32 {
        self.row.offered()
    }

    /// Calls answered today.
    pub fn answered(&self) -> u32 {
        self.row.answered()
    }

    /// Time spoken today.
    pub fn talked(&self) -> Duration {
        self.row.talked()
    }

    /// Since the agent signed in today.
    pub fn signed_in_for(&self) -> Duration {
        self.row.signed_in_for()
    }

    /// Offers missed since the last that was answered.
    pub fn missed_in_a_row(&self) -> u32 {
        self.row.missed_in_a_row()
    }

    /// The tier: 1 is asked first.
    pub fn level(&self) -> u8 {
        self.row.level()
    }

    /// The share in a weighted queue, 1 to 1000.
    pub fn weight(&self) -> u16 {
        self.row.weight()
    }

    /// Skill and level, 1 to 100.
    pub fn skills(&self) -> &[(String, u8)] {
        self.skills.get_or_init(|| self.row.skills())
    }

    /// The level of one skill; none without it.
    pub fn skill(&self, name: &str) -> Option<u8> {
        self.row.skill(name)
    }

    /// Whether each of these skills is there, at its least level or better.
    pub fn has(&self, wanted: &[(String, u8)]) -> bool {
        self.fitness_for(wanted).is_some()
    }

    /// The levels of these skills together, if each is there at its least level or better; 0 for no skills.
    pub fn fitness_for(&self, wanted: &[(String, u8)]) -> Option<u32> {
        wanted
            .iter()
            .map(|(skill, least)| self.skill(skill).filter(|level| level >= least).map(u32::from))
            .sum()
    }
}

/// Agents in an order.
pub struct Agents(Vec<Agent>);

impl Agents {
    /// Lowest key first; equals by name, so that the order is whole.
    pub fn sorted_by_key<K: Ord>(self, mut key: impl FnMut(&Agent) -> K) -> Self {
        // Keys and places are sorted, which is less to move than agents.
        let mut order: Vec<(K, usize)> = self.0.iter().map(&mut key).zip(0..).collect();
        let name = |place: usize| self.0[place].name();
        order.sort_by(|(a, one), (b, other)| a.cmp(b).then_with(|| name(*one).cmp(name(*other))));
        let mut agents: Vec<_> = self.0.into_iter().map(Some).collect();
        order.into_iter().filter_map(|(_, place)| agents[place].take()).collect()
    }

    /// Lower tiers first, and in the order there was within each.
    pub fn by_level(mut self) -> Self {
        self.0.sort_by_cached_key(Agent::level);
        self
    }

    /// Whoever comes after the agent of this name first, and round to that agent; as it was when there is none such.
    pub fn round_from(mut self, name: Option<&str>) -> Self {
        let last = name.and_then(|name| self.0.iter().position(|agent| agent.name() == name));
        self.0.rotate_left(last.map_or(0, |last| last + 1));
        self
    }

    /// Without those of whom this is not true.
    pub fn only(mut self, keep: impl FnMut(&Agent) -> bool) -> Self {
        self.0.retain(keep);
        self
    }
}

impl Deref for Agents {
    type Target = [Agent];
    fn deref(&self) -> &[Agent] {
        &self.0
    }
}

impl FromIterator<Agent> for Agents {
    fn from_iter<T: IntoIterator<Item = Agent>>(agents: T) -> Self {
        Self(agents.into_iter().collect())
    }
}

impl IntoIterator for Agents {
    type Item = Agent;
    type IntoIter = std::vec::IntoIter<Agent>;
    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

/// Whether a caller may wait.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Admission {
    /// Yes.
    ComeIn,
    /// As many wait as may.
    Full,
    /// Not now.
    Closed,
    /// Nobody is signed in, or nobody is free and waiting is not wished.
    Nobody,
    /// The wait would be this long.
    TooLong(Duration),
    /// In a word that the script can act on.
    Other(String),
}

/// What to say to a caller, and when to be asked again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Announcement {
    /// Nothing if empty.
    pub say: Vec<Prompt>,
    /// Never if none.
    pub again: Option<Duration>,
}

/// What a key does that a waiting caller pressed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyAction {
    /// Nothing, unless the script listens for it.
    Pass,
    /// Say this and go on waiting.
    Say(Vec<Prompt>),
    /// The script decides, by this word: "call-back", "voicemail".
    Ask(String),
}
