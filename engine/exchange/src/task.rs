//! What is left to do for a caller, as a script of the tenant hears of it and changes it: the words of `wit/`'s
//! `tasks`. Who keeps tasks is not known here.

use serde::{Deserialize, Serialize};

/// How a task is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)] // each is the case of the same name in wit/
pub enum TaskState {
    Open,
    ReachedUsAgain,
    CalledBackInTime,
    CalledBackLate,
    GivenUp,
    Done,
}

/// What became of a task. The order of variants is the tape's format: add at the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)] // each is the case of the same name in wit/
pub enum TaskEvent {
    Opened,
    MissedAgain,
    Late,
    Assigned,
    PutOff,
    Noted,
    Closed(TaskState),
    /// It is another one than before, and nothing of the above.
    Changed,
}

impl TaskEvent {
    /// As `wit/` names it: "missed-again", "given-up".
    pub fn name(self) -> &'static str {
        match self {
            Self::Opened => "opened",
            Self::MissedAgain => "missed-again",
            Self::Late => "late",
            Self::Assigned => "assigned",
            Self::PutOff => "put-off",
            Self::Noted => "noted",
            Self::Closed(state) => state.name(),
            Self::Changed => "changed",
        }
    }
}

impl TaskState {
    /// As `wit/` names it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::ReachedUsAgain => "reached-us-again",
            Self::CalledBackInTime => "called-back-in-time",
            Self::CalledBackLate => "called-back-late",
            Self::GivenUp => "given-up",
            Self::Done => "done",
        }
    }
}

/// A task, as it was right after a change. Moments are seconds since 1970 UTC; the fields are the tape's format.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)] // each is the method of the same name in wit/
pub struct TaskInfo {
    pub id: String,
    pub state: TaskState,
    pub number: String,
    pub name: String,
    pub contact: Option<String>,
    pub title: String,
    pub responsible: Option<String>,
    pub due: Option<f64>,
    pub late: bool,
    pub opened: f64,
    pub closed: Option<f64>,
    pub closed_by: Option<String>,
    pub dialled: String,
    pub queue: Option<String>,
    pub missed: u32,
    pub last: f64,
    pub calls: Vec<String>,
    pub recordings: Vec<String>,
    pub notes: Vec<String>,
}

/// A change of a task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TaskChange {
    /// Names it, also when it is told once more.
    pub id: String,
    /// When it happened: seconds since 1970 UTC.
    pub at: f64,
    /// What happened.
    pub event: TaskEvent,
    /// What it happened to.
    pub task: TaskInfo,
}

/// What a script wants of a task. The order of variants is the tape's format: add at the end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)] // each is the method of the same name in wit/
pub enum TaskAsk {
    Assign {
        user: String,
    },
    /// Milliseconds since 1970 UTC.
    PutOff {
        until_ms: u64,
    },
    Note {
        text: String,
    },
    Finish,
    GiveUp,
}
