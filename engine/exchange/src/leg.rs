//! One party's connection to the exchange: where it stands, the keys pressed ahead, and what is kept
//! of it. The call decides; a leg only remembers.

use std::collections::VecDeque;
use std::time::Instant;

use crate::effect::{LegKey, Token};
use crate::load::Seat;
use crate::verb::{LegInfo, LegNo, LegRecord};

/// Keys pressed ahead of a question; later ones are dropped. A question asks for at most 32.
pub(crate) const MOST_KEYS_AHEAD: usize = 32;

/// Where a leg stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// Nobody: it holds the caller's place until someone is found, see `call/origin.rs`.
    Absent,
    /// An arriving call, not answered; 183 was sent if `early`.
    Arrived { early: bool },
    /// A leg that we began.
    Dialling,
    /// Both ways.
    Up,
    /// Over.
    Ended,
}

pub(crate) struct Leg {
    pub key: LegKey,
    pub info: LegInfo,
    pub state: State,
    /// Keys nobody asked for yet.
    pub keys: VecDeque<char>,
    /// What plays to it.
    pub playing: Option<Token>,
    /// Something was begun and not stopped: a prompt, music, the ringing tone.
    pub sounding: bool,
    /// Whom it hears.
    pub relayed: Option<LegNo>,
    /// The far side has us on hold.
    pub held: bool,
    /// What it occupies.
    pub seats: Vec<Seat>,
    /// A conversation recording that runs.
    pub tap: Option<Tap>,
    /// An agent's, in a conversation of a queue.
    pub served: Option<Served>,
    pub record: LegRecord,
}

/// A recording of what a leg hears and says.
pub(crate) struct Tap {
    /// The recording's name.
    pub name: String,
    /// What is said now is left out.
    pub paused: bool,
}

/// A conversation of a queue.
pub(crate) struct Served {
    pub queue: String,
    pub agent: String,
    pub since: Instant,
    /// When the conversation ended, if the leg outlives it.
    pub until: Option<Instant>,
}

impl Leg {
    pub fn is_up(&self) -> bool {
        self.state == State::Up
    }

    /// Whether nobody is there any more, or yet.
    pub fn is_over(&self) -> bool {
        matches!(self.state, State::Ended | State::Absent)
    }

    pub fn push_key(&mut self, key: char) {
        if self.keys.len() < MOST_KEYS_AHEAD {
            self.keys.push_back(key);
        }
    }
}
