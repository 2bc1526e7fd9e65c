//! What becomes of callers whom nobody answered: scripts that hear of each change of a call back.
//!
//! A script of this kind is named in `[tenant.missed]`. It runs off the way of calls, with a small budget, and changes of
//! one call back come to it one by one, in their order. The exchange tells each once, or once more when it stopped in the
//! middle: what must not happen twice is to be remembered by [`Change::id`]. What the script itself changes it is not told.
//!
//! ```
//! use strowger_script::prelude::*;
//! use strowger_script::tasks::*;
//!
//! /// Who is told of promises that were not kept.
//! #[settings]
//! struct Promises {
//!     /// A recipient of the configuration.
//!     manager: String,
//!     /// Who calls back where the first did not: a group.
//!     next: String,
//! }
//!
//! #[task_script]
//! fn on_change(change: Change, promises: Promises) -> Result {
//!     let task = &change.task;
//!     if change.what == Event::Late {
//!         notify::send(&promises.manager, &format!("Nobody has called {} back", task.number))?;
//!         let others = directory::group(&promises.next);
//!         if let Some(next) = others.iter().find(|user| Some(&user.name) != task.responsible.as_ref()) {
//!             task.assign(&next.name)?;
//!         }
//!     }
//!     Ok(())
//! }
//!
//! // A test tells it of a change: plain `cargo test`, no exchange, no waiting.
//! let told = CallBack::of("+359888123456")
//!     .responsible("ana")
//!     .with_settings(json!({ "manager": "vera", "next": "sales" }))
//!     .user(User::new("ana").in_group("sales"))
//!     .user(User::new("boris").in_group("sales"))
//!     .tell(Event::Late, on_change);
//! assert_eq!(told.timeline(), [
//!     "late: +359888123456",
//!     "notify vera: Nobody has called +359888123456 back",
//!     "assign boris",
//! ]);
//! ```

#[doc(hidden)]
pub mod entry;

use crate::host;
use crate::words::Result;

#[cfg(not(target_arch = "wasm32"))]
pub use crate::sim::{CallBack, Told};
pub use strowger_script_macros::task_script;

/// How a task is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// Nobody has done it yet.
    Open,
    /// The caller called again, and somebody answered.
    ReachedUsAgain,
    /// Somebody reached the caller before the deadline.
    CalledBackInTime,
    /// The same, after it.
    CalledBackLate,
    /// Nobody will try any more.
    GivenUp,
    /// Somebody said that it is done.
    Done,
    /// Anything else, in a word.
    Other(String),
}

/// What became of a task. Of several at once the first of this list is said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// It is new.
    Opened,
    /// The caller called in vain once more.
    MissedAgain,
    /// The deadline is over; said once for each deadline.
    Late,
    /// Another one is responsible.
    Assigned,
    /// It has another deadline.
    PutOff,
    /// Somebody wrote something down.
    Noted,
    /// It is over: how.
    Closed(State),
    /// Anything else, in a word.
    Other(String),
}

/// A task, as it was right after the change. Its verbs change the task as it is now; they fail with
/// [`Failure::NotFound`](crate::Failure::NotFound) when it is over by then.
#[derive(Debug)]
pub struct Task {
    /// Names it, also to [`crm::close_task`](crate::crm::close_task).
    pub id: String,
    /// How it is.
    pub state: State,
    /// The caller's number.
    pub number: String,
    /// The caller's name; empty where none is known.
    pub name: String,
    /// The contact's id in the CRM.
    pub contact: Option<String>,
    /// What is to be done, in words.
    pub title: String,
    /// The user who is to do it.
    pub responsible: Option<String>,
    /// By when: seconds since 1970 UTC, as all moments here.
    pub due: Option<f64>,
    /// Whether the deadline is over, or was when it was done.
    pub late: bool,
    /// Since when.
    pub opened: f64,
    /// When it was over.
    pub closed: Option<f64>,
    /// Who ended it: a user, or whoever asked for it.
    pub closed_by: Option<String>,
    /// The number that the caller dialled last.
    pub dialled: String,
    /// The queue that the caller was in last.
    pub queue: Option<String>,
    /// How often the caller called in vain.
    pub missed: u32,
    /// When the caller called last.
    pub last: f64,
    /// The calls that it is about, at most the last 20, in the order of time.
    pub calls: Vec<String>,
    /// Recordings of those, at most the last 20, by name.
    pub recordings: Vec<String>,
    /// What was written down, at most the last 20.
    pub notes: Vec<String>,
    pub(crate) handle: host::TaskHandle,
}

impl Task {
    /// Whoever calls, by name where one is known, else by number.
    pub fn who(&self) -> &str {
        if self.name.is_empty() { &self.number } else { &self.name }
    }

    /// This user, by name or extension, is to do it.
    ///
    /// # Errors
    /// `not-found` when there is no such user, or the task is over.
    pub fn assign(&self, user: &str) -> Result {
        self.handle.assign(user)
    }

    /// It is to be done by then: seconds since 1970 UTC. It is late again when that is over.
    ///
    /// # Errors
    /// `invalid` when that is no moment, `not-found` when the task is over.
    pub fn put_off(&self, until: f64) -> Result {
        self.handle.put_off(until)
    }

    /// Writes something down for whoever looks at it: 1 to 512 bytes.
    ///
    /// # Errors
    /// `invalid` when it is longer or empty, `not-found` when the task is over.
    pub fn note(&self, text: &str) -> Result {
        self.handle.note(text)
    }

    /// It is done.
    ///
    /// # Errors
    /// `not-found` when it is over already.
    pub fn finish(&self) -> Result {
        self.handle.finish()
    }

    /// Nobody will try any more.
    ///
    /// # Errors
    /// `not-found` when it is over already.
    pub fn give_up(&self) -> Result {
        self.handle.give_up()
    }
}

/// A change of a task.
#[derive(Debug)]
pub struct Change {
    /// Names it. A change that is told once more has the same.
    pub id: String,
    /// When it happened: seconds since 1970 UTC.
    pub at: f64,
    /// What happened.
    pub what: Event,
    /// What it happened to.
    pub task: Task,
}
