//! Waiting for an agent. The exchange keeps places, offers and timers, the queue's strategy says who rings next, and the
//! script says what the caller does meanwhile.
//!
//! ```
//! use strowger_script::prelude::*;
//!
//! fn on_call(caller: Leg) -> Result {
//!     let place = queue::enter(&caller, "sales").priority(5).skill("bg", 3).longest(10.mins()).go()?;
//!     loop {
//!         match place.wait("1")? {
//!             Waited::Connected(agent) => return bridge(&caller, &agent),
//!             Waited::Digit(_) => return place.call_back(&caller.number()),
//!             Waited::Asked(word) => log!("the strategy would like {word}"),
//!             _ => return hand_over("strowger/voicemail", json!({ "box": "sales" })),
//!         }
//!     }
//! }
//!
//! Caller::from("+359888123456")
//!     .queue("sales", Line::new().agent_answers("ana", 40.secs()))
//!     .hears_music()
//!     .talks_with("ana")
//!     .hangs_up_after(60.secs())
//!     .run(on_call);
//! ```

use crate::host::{self, Entry};
use crate::leg::Leg;
use crate::words::{Failure, Prompt, Result, Waited};
use std::fmt;
use std::time::Duration;

/// Why a caller may not wait. `?` makes a [`Failure`] of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// As many callers wait as may.
    Full,
    /// The queue takes no callers now.
    Closed,
    /// No agent is signed in, or none is free where waiting is not wished.
    Nobody,
    /// The wait would be too long: how long.
    TooLong(Duration),
    /// There is no such queue, or the caller left, or a limit was reached.
    Failed(Failure),
    /// In a word of the strategy's.
    Other(String),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::Full => f.write_str("the queue is full"),
            Refusal::Closed => f.write_str("the queue is closed"),
            Refusal::Nobody => f.write_str("nobody serves the queue"),
            Refusal::TooLong(wait) => write!(f, "the wait would be {} s", wait.as_secs()),
            Refusal::Failed(why) => why.fmt(f),
            Refusal::Other(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for Refusal {}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Failure {
        match refusal {
            Refusal::Failed(failure) => failure,
            Refusal::Full => Failure::Busy,
            Refusal::Closed | Refusal::Nobody => Failure::Unreachable,
            Refusal::TooLong(_) | Refusal::Other(_) => Failure::Other(refusal.to_string()),
        }
    }
}

/// A place in a queue for the caller, who is answered if that was not done before; [`Enter::go`] takes it.
pub fn enter<'a>(caller: &'a Leg, queue: &str) -> Enter<'a> {
    let entry = Entry { queue: queue.to_owned(), priority: 0, skills: Vec::new(), longest: Duration::ZERO };
    Enter { caller, entry }
}

/// How a caller enters a queue: made by [`enter`].
#[must_use = "nobody waits before .go()"]
pub struct Enter<'a> {
    caller: &'a Leg,
    entry: Entry,
}

impl Enter<'_> {
    /// Higher goes first: -100 to 100, 0 unless told.
    pub fn priority(mut self, priority: i32) -> Self {
        self.entry.priority = priority;
        self
    }

    /// Asks for agents with this skill, and the least level of it, 1 to 100.
    pub fn skill(mut self, skill: impl Into<String>, level: u8) -> Self {
        self.entry.skills.push((skill.into(), level));
        self
    }

    /// Waiting ends with [`Waited::LongestWait`] after this; the queue's own length unless told.
    pub fn longest(mut self, time: Duration) -> Self {
        self.entry.longest = time;
        self
    }

    /// Takes the place.
    ///
    /// # Errors
    /// Why the caller may not wait.
    pub fn go(self) -> Result<Place, Refusal> {
        self.caller.answer().map_err(Refusal::Failed)?;
        host::enter_queue(self.entry).map(Place)
    }
}

/// A caller's place in a queue.
///
/// It is kept until an agent is connected, it is left, or the call ends; dropping it does nothing. Agents are rung for
/// it also while the script does something else with the caller, whose `play` or `gather` then ends early, and the next
/// `wait` is [`Waited::Connected`] at once.
pub struct Place(host::PlaceHandle);

impl Place {
    /// First is 1; 0 when the place is over.
    pub fn position(&self) -> u32 {
        self.0.position()
    }

    /// How long it will probably take still; none when nothing is known.
    pub fn expected(&self) -> Option<Duration> {
        self.0.expected()
    }

    /// Whether the caller was in the line a moment ago, lost the call, and has the old place again.
    pub fn resumed(&self) -> bool {
        self.0.resumed()
    }

    /// Waits, with the queue's music and what its strategy announces, for an agent, one of `keys`, or the end.
    ///
    /// # Errors
    /// [`Failure::HungUp`] when the caller leaves.
    pub fn wait(&self, keys: &str) -> Result<Waited> {
        self.0.wait(keys, None)
    }

    /// Waits with other music: `place.hearing(music("waltz")).wait("12")`.
    pub fn hearing(&self, hears: impl Into<Prompt>) -> Hearing<'_> {
        Hearing { place: self, hears: hears.into() }
    }

    /// Another priority from here on.
    pub fn set_priority(&self, priority: i32) -> Result {
        self.0.set_priority(priority)
    }

    /// Leaves the line and keeps the place: an agent is rung at its turn, then this number; once. The place is over for
    /// the script.
    pub fn call_back(&self, number: &str) -> Result {
        self.0.call_back(number)
    }

    /// Gives the place up; done already is no error.
    pub fn leave(&self) {
        self.0.leave();
    }
}

/// A place whose caller hears something of the script's: made by [`Place::hearing`].
pub struct Hearing<'a> {
    place: &'a Place,
    hears: Prompt,
}

impl Hearing<'_> {
    /// Waits as [`Place::wait`] does.
    pub fn wait(&self, keys: &str) -> Result<Waited> {
        self.place.0.wait(keys, Some(&self.hears))
    }
}

/// How it looks in a queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outlook {
    /// Callers that wait.
    pub waiting: u32,
    /// Agents that are available.
    pub available: u32,
    /// Agents signed in and not paused, whatever they do.
    pub serving: u32,
    /// How long the first has waited.
    pub longest: Duration,
    /// How long the next caller will probably wait; none when nothing is known.
    pub expected: Option<Duration>,
}

/// How it looks in a queue; none when there is no such queue.
pub fn look(queue: &str) -> Option<Outlook> {
    host::look_at_queue(queue)
}
