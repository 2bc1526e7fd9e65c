//! What is kept of a call when it is over. How it is written and listed is the server's to say.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::verb::{CallId, Direction, LegNo, Party};

/// What came of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// Someone, or a script that answered, spoke with the caller.
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

impl Outcome {
    /// As written in a record: "answered", "missed" ...
    pub fn name(self) -> &'static str {
        match self {
            Outcome::Answered => "answered",
            Outcome::Missed => "missed",
            Outcome::Abandoned => "abandoned",
            Outcome::Voicemail => "voicemail",
            Outcome::Rejected => "rejected",
            Outcome::Failed => "failed",
        }
    }
}

/// What is kept of a call. Times are seconds since 1970 UTC with the fraction.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CallRecord {
    /// The call.
    pub id: CallId,
    /// The tenant's name.
    pub tenant: String,
    /// How it arrived.
    pub direction: Direction,
    /// Who called.
    pub from: Party,
    /// The number dialled.
    pub dialled: String,
    /// The number's advertising source, from the configuration.
    pub source: Option<String>,
    /// The script that took the call first, by name.
    pub script: String,
    /// Its version (component hash, hex), empty when it was missing.
    pub version: String,
    /// When it arrived.
    pub started: f64,
    /// When the caller's leg was answered.
    pub answered: Option<f64>,
    /// When it ended.
    pub ended: f64,
    /// From arrival until someone answered, or the end.
    pub wait: Duration,
    /// From then until the last conversation ended; where only a script had answered, until the caller left.
    pub talk: Duration,
    /// What came of it.
    pub outcome: Outcome,
    /// The user or number that answered.
    pub answered_by: Option<String>,
    /// Every leg, the caller's first.
    pub legs: Vec<LegRecord>,
    /// Marks of the script.
    pub tags: Vec<(String, String)>,
    /// Recordings made, by name.
    pub recordings: Vec<String>,
    /// What went wrong with the script: in words, with the Wasm backtrace after a trap.
    pub failure: Option<String>,
}

/// What is kept of a leg.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LegRecord {
    /// Which.
    pub leg: LegNo,
    /// The user's name, number or URI.
    pub party: String,
    /// Through which trunk, if one.
    pub trunk: Option<String>,
    /// Seconds since 1970 UTC.
    pub started: f64,
    /// When it was answered.
    pub answered: Option<f64>,
    /// When it ended.
    pub ended: Option<f64>,
    /// SIP status or "hung up", "answered elsewhere" ...; of a supervisor's leg, and only there, "listened: hung up",
    /// "whispered: ..." or "barged: ...".
    pub end: String,
    /// The SIP Call-ID.
    pub sip_call_id: String,
}
