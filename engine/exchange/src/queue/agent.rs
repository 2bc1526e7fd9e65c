//! An agent: what they do, whose call they are rung for, and when they may be rung again.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::place::PlaceId;
use crate::verb::AgentState;

/// A name that many places share.
pub(crate) type Name = Arc<str>;

pub(super) struct Agent {
    /// Configured skills.
    pub skills: Vec<(String, u8)>,
    pub has_mobile: bool,
    pub registered: bool,
    /// One of the queues rings mobiles, and there is one.
    pub by_mobile: bool,
    /// Queues served, by name.
    pub lines: Vec<Name>,
    pub paused: Option<String>,
    pub wrap_until: Option<Instant>,
    /// The delay after a missed offer.
    pub not_before: Option<Instant>,
    /// Rung for this caller.
    pub lease: Option<PlaceId>,
    /// Legs of theirs that ring, and that talk.
    pub legs: (u32, u32),
    /// As told last, and since when.
    pub state: AgentState,
    pub since: Instant,
    /// Whether a call could be offered when last looked at.
    pub free: bool,
    pub signed_in_at: Instant,
    pub last_ended: Option<Instant>,
    pub last_offered: Option<Instant>,
    pub offered: u32,
    pub answered: u32,
    pub missed_in_a_row: u32,
    pub talked: Duration,
    /// The deadline that a timer was set for.
    pub armed: Option<Instant>,
}

impl Agent {
    pub fn new(now: Instant) -> Self {
        Self {
            skills: Vec::new(),
            has_mobile: false,
            registered: false,
            by_mobile: false,
            lines: Vec::new(),
            paused: None,
            wrap_until: None,
            not_before: None,
            lease: None,
            legs: (0, 0),
            state: AgentState::Offline,
            since: now,
            free: false,
            signed_in_at: now,
            last_ended: None,
            last_offered: None,
            offered: 0,
            answered: 0,
            missed_in_a_row: 0,
            talked: Duration::ZERO,
            armed: None,
        }
    }

    /// What they do now. A call is stronger than a pause, a pause than a telephone that is off.
    pub fn state_at(&self, now: Instant) -> AgentState {
        match self.legs {
            (_, 1..) => AgentState::Talking,
            (1.., _) => AgentState::Offered,
            _ if self.lease.is_some() => AgentState::Offered,
            _ if self.paused.is_some() => AgentState::Paused,
            _ if !self.registered && !self.by_mobile => AgentState::Offline,
            _ if self.wrap_until.is_some_and(|until| until > now) => AgentState::WrapUp,
            _ => AgentState::Available,
        }
    }

    pub fn is_free_at(&self, now: Instant) -> bool {
        self.state_at(now) == AgentState::Available && self.not_before.is_none_or(|at| at <= now)
    }

    /// Whether a queue can ring them.
    pub fn is_reached(&self, mobile: bool) -> bool {
        self.registered || mobile && self.has_mobile
    }

    /// Neither paused nor away.
    pub fn serves(&self, mobile: bool) -> bool {
        self.paused.is_none() && (self.is_reached(mobile) || self.legs != (0, 0))
    }

    pub fn next_timeout(&self, now: Instant) -> Option<Instant> {
        self.wrap_until.into_iter().chain(self.not_before).filter(|at| *at > now).min()
    }

    /// Whether they have each of these skills, at that level at least.
    pub fn is_skilled(&self, wanted: &[(String, u8)]) -> bool {
        wanted
            .iter()
            .all(|(skill, least)| self.skills.iter().any(|(name, level)| name == skill && level >= least))
    }
}

/// Why nobody answered an offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Miss {
    Busy,
    Rejected,
    NoAnswer,
    Unreachable,
    /// The agent answered and was gone before the bridge.
    Vanished,
}

impl Miss {
    pub fn name(self) -> &'static str {
        match self {
            Miss::Busy => "busy",
            Miss::Rejected => "rejected",
            Miss::NoAnswer => "no-answer",
            Miss::Unreachable => "unreachable",
            Miss::Vanished => "vanished",
        }
    }
}
