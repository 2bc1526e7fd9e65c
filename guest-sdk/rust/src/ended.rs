//! What there is to know when the call is over: for the function that `#[call_script(ended = ...)]` names.

use crate::words::Party;
use std::time::Duration;

/// What came of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Someone, or a script that wished to, spoke with the caller.
    Answered,
    /// Someone was rung and nobody answered.
    Missed,
    /// The caller left first.
    Abandoned,
    /// A message was left.
    Voicemail,
    /// The script refused the call.
    Rejected,
    /// The script failed and no fallback answered.
    Failed,
}

/// The call's record.
#[derive(Clone, Debug, PartialEq)]
pub struct CallRecord {
    /// The call's id.
    pub id: String,
    /// Who called.
    pub caller: Party,
    /// The number dialled.
    pub dialled: String,
    /// When it arrived: seconds since 1970-01-01 UTC.
    pub started: f64,
    /// From arrival until someone answered, or the end.
    pub waited: Duration,
    /// From then until the last conversation ended, or, where there was none, the caller left.
    pub talked: Duration,
    /// The user or number that answered.
    pub answered_by: Option<String>,
    /// What came of it.
    pub outcome: Outcome,
    /// The recordings made, by name.
    pub recordings: Vec<String>,
    /// What the script marked.
    pub tags: Vec<(String, String)>,
}
