//! A recorded run against a component: every import is answered from the tape, and the first one
//! that differs from what was recorded is the finding.
//!
//! Nothing outside happens in a replay. A run that the engine had stopped for a reason that depends
//! on the machine (time, an engine without an answer) is compared up to there.

use exchange::Command;

use crate::library::Version;
use crate::limits::Limits;
use crate::sandbox::{End, Sandboxes};
use crate::tape::{Finish, Segment, TrapKind};

/// What a replay found.
#[derive(Clone, Debug, PartialEq)]
#[allow(clippy::large_enum_variant)] // one per replay, read at once
pub enum Verdict {
    /// The same imports with the same arguments, and the same end.
    Same {
        /// Imports compared.
        steps: usize,
    },
    /// At this import the version does something else.
    Parts {
        /// Counted from 0.
        step: usize,
        /// What was recorded; none where the recorded run ended.
        recorded: Option<Command>,
        /// What the version does; none when it ends here.
        now: Option<Command>,
        /// Where in the script, or how it ended.
        backtrace: String,
    },
    /// The same imports, and another end.
    EndsDifferently {
        /// Imports compared.
        steps: usize,
        /// How the recorded run ended.
        recorded: Finish,
        /// How the version ends.
        now: Finish,
    },
    /// No sandbox was free; nothing was compared.
    NoRoom,
}

impl Sandboxes {
    /// Plays a recorded run to a version.
    pub async fn replay(&self, version: &Version, segment: &Segment, limits: &Limits) -> Verdict {
        // Only what the guest does is compared, not how fast it may do it.
        let limits = Limits { host_calls_per_second: u32::MAX, ..limits.clone() };
        let (steps, end) = self.rerun(version, segment, &limits).await;
        let recorded = segment.finish.as_ref().map(|(_, finish)| finish);
        match end {
            End::Finish(Finish::NoRoom) => Verdict::NoRoom,
            End::Rests => unreachable!("nobody waits in a replay"),
            End::Parted { recorded: None, .. } if recorded.is_none_or(stopped_by_the_engine) => {
                Verdict::Same { steps }
            }
            End::Parted { recorded, now, backtrace } => Verdict::Parts {
                step: steps,
                recorded: recorded.map(|command| *command),
                now: Some(*now),
                backtrace,
            },
            End::Finish(now) => match (segment.steps.get(steps), recorded) {
                (Some(step), _) => Verdict::Parts {
                    step: steps,
                    recorded: Some(step.command.clone()),
                    now: None,
                    backtrace: words(&now),
                },
                (None, Some(recorded)) if !same_end(recorded, &now) => {
                    Verdict::EndsDifferently { steps, recorded: recorded.clone(), now }
                }
                (None, _) => Verdict::Same { steps },
            },
        }
    }
}

/// The engine stopped the run while it asked; on another day it would have gone on.
fn stopped_by_the_engine(finish: &Finish) -> bool {
    use TrapKind::{CleaningUp, Engine, Parted, TapeFull, TooManyHostCalls};
    matches!(finish, Finish::Trapped { kind: CleaningUp | Engine | Parted | TapeFull | TooManyHostCalls, .. })
}

/// Backtraces differ between versions; what counts is why it was stopped.
fn same_end(a: &Finish, b: &Finish) -> bool {
    match (a, b) {
        (Finish::Trapped { kind: a, .. }, Finish::Trapped { kind: b, .. }) => a == b,
        (a, b) => a == b,
    }
}

fn words(finish: &Finish) -> String {
    match finish {
        Finish::Returned => "it returns here".into(),
        Finish::HungUp => "it leaves with hung-up here".into(),
        Finish::Failed(failure) => format!("it fails here: {failure:?}"),
        Finish::Trapped { kind, backtrace } => format!("{kind}: {backtrace}"),
        Finish::HandedOver { script, .. } => format!("it hands over to {script} here"),
        Finish::NoRoom | Finish::Suspended => "it did not run".into(),
    }
}
