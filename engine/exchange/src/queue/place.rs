//! A caller's place: its arrival, what it asked for, and how far it has come.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::agent::Name;
use crate::verb::{CallId, Refusal, Waited};

/// A place among all of a shard; never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct PlaceId(pub u64);

/// Agents rung for one caller that strategies are told of; the earliest are forgotten.
pub(super) const MOST_TRIED: usize = 64;
/// Keys of one waiting caller that the strategy has not seen yet; later ones are dropped.
pub(super) const MOST_KEYS: usize = 16;

/// How a caller enters.
pub(crate) struct Entry {
    pub queue: String,
    pub number: String,
    pub priority: i32,
    pub skills: Vec<(String, u8)>,
    pub longest: Duration,
}

/// How far a caller has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// The strategy is asked whether the caller may wait.
    Entering,
    /// In line; agents may be ringing for it.
    Waiting,
    /// An agent answered and is not bridged yet. The place returns to the line if the agent vanishes.
    Connected { agent: Name, waited: Duration },
}

/// An offer: these agents ring for this caller until then.
#[derive(Clone, Debug)]
pub(super) struct Lease {
    pub id: u64,
    pub until: Instant,
    pub agents: Vec<Name>,
}

/// The caller left and wants to be called.
#[derive(Clone, Debug)]
pub(super) struct CallBack {
    /// The call in which it was promised.
    pub promised_in: CallId,
    pub language: String,
    /// Dropped then: nobody wants to be called the next day.
    pub until: Instant,
}

/// A call back that is promised as soon as it is kept where a restart finds it.
#[derive(Clone, Debug)]
pub(super) struct Promise {
    pub number: String,
    pub call_back: CallBack,
}

pub(super) struct Place {
    pub tenant: Name,
    pub queue: Name,
    /// None while a call back rings nobody.
    pub call: Option<CallId>,
    pub number: String,
    pub priority: i32,
    pub skills: Vec<(String, u8)>,
    pub last_agent: Option<String>,
    /// Into the line; that of the dropped call if the place was resumed.
    pub arrived: Instant,
    pub resumed: bool,
    pub give_up_at: Option<Instant>,
    pub stage: Stage,
    pub leases: Vec<Lease>,
    pub tried: Vec<String>,
    /// On its way to becoming `call_back`.
    pub promise: Option<Promise>,
    pub call_back: Option<CallBack>,
    /// The call waits, so announcements are heard.
    pub listening: bool,
    /// When the strategy was last asked what to say.
    pub said: Option<Instant>,
    pub announce_at: Option<Instant>,
    /// A question about this caller is under way: at most one of each kind.
    pub asking_words: bool,
    pub asking_key: bool,
    pub keys: VecDeque<char>,
    /// The deadline that a timer was set for.
    pub armed: Option<Instant>,
}

impl Place {
    pub fn is_waiting(&self) -> bool {
        self.stage == Stage::Waiting
    }

    pub fn is_offered(&self) -> bool {
        !self.leases.is_empty()
    }

    /// The number that is called back, or will be.
    pub fn owed(&self) -> Option<&str> {
        let promised = self.promise.as_ref().map(|promise| promise.number.as_str());
        promised.or_else(|| self.call_back.is_some().then_some(self.number.as_str()))
    }

    /// First in line first.
    pub fn rank(&self, id: PlaceId) -> (i32, Instant, PlaceId) {
        (-self.priority, self.arrived, id)
    }

    pub fn next_timeout(&self) -> Option<Instant> {
        let give_up = self.give_up_at.filter(|_| self.is_waiting());
        let late = self.call_back.as_ref().filter(|_| self.is_waiting()).map(|call_back| call_back.until);
        let announce = self.announce_at.filter(|_| self.is_waiting() && self.listening && !self.asking_words);
        give_up.into_iter().chain(late).chain(announce).min()
    }
}

/// Why a place is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Leaving {
    /// Bridged with an agent.
    Answered,
    /// The caller hung up, or the call was lost.
    Abandoned,
    /// The longest wait.
    LongestWait,
    /// Nobody serves the queue any more.
    Nobody,
    /// Too many telephones rang for the call.
    TooManyLegs,
    /// The script gave it up, or is done.
    Left,
    /// An agent answered the call back.
    CalledBack,
    /// Nobody could be called back in time.
    TooLate,
}

impl Leaving {
    pub fn name(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::Abandoned => "abandoned",
            Self::LongestWait => "longest-wait",
            Self::Nobody => "nobody",
            Self::TooManyLegs => "too-many-legs",
            Self::Left => "left",
            Self::CalledBack => "called-back",
            Self::TooLate => "too-late",
        }
    }

    /// What the script is told, where the engine ended the wait.
    pub fn waited(self) -> Waited {
        match self {
            Self::LongestWait => Waited::LongestWait,
            Self::Nobody => Waited::Nobody,
            other => Waited::Other(other.name().into()),
        }
    }
}

/// For events.
pub(super) fn refusal_name(refusal: &Refusal) -> String {
    match refusal {
        Refusal::Full => "full".into(),
        Refusal::Closed => "closed".into(),
        Refusal::Nobody => "nobody".into(),
        Refusal::TooLong(_) => "too-long".into(),
        Refusal::Failed(why) => why.to_string(),
        Refusal::Other(word) => word.clone(),
    }
}
