//! Recorded calls against a version, on the exchange itself: before the version takes calls, where the tenant's policy
//! wants that, and beside the active version, as its shadow. Nothing outside happens.

use std::fmt;

use exchange::CallId;
use script::{Sandboxes, Tape, Verdict, Version};
use serde::Serialize;
use store::{Store, StoreError, layout};
use tokio::runtime::{Builder, Runtime};
use utoipa::ToSchema;

use crate::config::Tenant;
use crate::records::{self, Filter};
use crate::words;

/// Differences that are kept; the others are counted.
pub const MOST_SHOWN: usize = 20;
/// Calls of the register that are looked at for those of one script.
const MOST_LOOKED_AT: usize = 20_000;
/// Calls of the register that are read at once.
const PAGE: usize = 500;

/// Where a version does something else than was recorded.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Difference {
    /// The call.
    pub call: String,
    /// "on-call" or "on-ended".
    pub run: &'static str,
    /// The import that differs, counted from 0; as many as there were when only the ends differ.
    pub step: usize,
    /// What was recorded.
    pub recorded: String,
    /// What the version does.
    pub now: String,
    /// Where in the version, innermost first.
    pub backtrace: String,
}

impl Difference {
    /// None when the version does the same, or could not be run.
    pub fn of(call: CallId, run: &'static str, verdict: &Verdict) -> Option<Self> {
        let call = call.to_string();
        Some(match verdict {
            Verdict::Same { .. } | Verdict::NoRoom => return None,
            Verdict::Parts { step, recorded, now, backtrace } => Self {
                call,
                run,
                step: *step,
                recorded: recorded.as_ref().map_or_else(|| "it had ended".to_owned(), words::command),
                now: now.as_ref().map_or_else(|| "it ends".to_owned(), words::command),
                backtrace: backtrace.clone(),
            },
            Verdict::EndsDifferently { steps, recorded, now } => Self {
                call,
                run,
                step: *steps,
                recorded: words::finish(recorded),
                now: words::finish(now),
                backtrace: String::new(),
            },
        })
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { run, step, recorded, now, .. } = self;
        write!(f, "{run} parts at step {step}: recorded: {recorded}; now: {now}")
    }
}

/// What came of many calls.
#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct Report {
    /// Calls in which the version does what was recorded.
    pub same: u64,
    /// Calls in which it does something else.
    pub parted: u64,
    /// Calls that could not be compared: no tape, or no sandbox was free.
    pub not_compared: u64,
    /// The first ones; the rest is counted.
    pub differences: Vec<Difference>,
}

impl Report {
    /// Adds a call.
    pub fn add(&mut self, compared: Compared) {
        match compared {
            Compared::Not => self.not_compared += 1,
            Compared::Same => self.same += 1,
            Compared::Parts(difference) => {
                self.parted += 1;
                if self.differences.len() < MOST_SHOWN {
                    self.differences.push(difference);
                }
            }
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let calls = self.same + self.parted + self.not_compared;
        write!(f, "{calls} calls: {} the same, {} part", self.same, self.parted)?;
        if self.not_compared > 0 { write!(f, ", {} not compared", self.not_compared) } else { Ok(()) }
    }
}

/// What came of one call.
#[derive(Clone, Debug, PartialEq)]
pub enum Compared {
    /// All its runs are the same.
    Same,
    /// The first run that parts.
    Parts(Difference),
    /// It could not be run.
    Not,
}

/// Plays tapes, one at a time.
pub struct Player<'a> {
    sandboxes: &'a Sandboxes,
    runtime: Runtime,
}

impl<'a> Player<'a> {
    /// # Errors
    /// When the machine has nothing left for one.
    pub fn new(sandboxes: &'a Sandboxes) -> std::io::Result<Self> {
        Ok(Self { sandboxes, runtime: Builder::new_current_thread().enable_all().build()? })
    }

    /// Plays the runs of one script on a tape to a version.
    pub fn play(&self, version: &Version, tape: &Tape, script: &str, tenant: &Tenant) -> Compared {
        let mut compared = Compared::Not;
        for run in tape.segments.iter().filter(|run| *run.start.script == *script) {
            let limits = tenant.limits.of_run(run.start.limits());
            let verdict = self.runtime.block_on(self.sandboxes.replay(version, run, &limits));
            if verdict == Verdict::NoRoom {
                return Compared::Not;
            }
            match Difference::of(run.start.call, run.start.export(), &verdict) {
                Some(difference) => return Compared::Parts(difference),
                None => compared = Compared::Same,
            }
        }
        compared
    }
}

/// Plays a script's last calls, as many as `most`, to a version. Takes as long as it takes: for a thread that may wait.
///
/// # Errors
/// When the store can't be read.
pub fn last_calls(
    sandboxes: &Sandboxes,
    store: &Store,
    tenant: &Tenant,
    script: &str,
    version: &Version,
    most: u32,
) -> Result<Report, StoreError> {
    let mut report = Report::default();
    let Ok(player) = Player::new(sandboxes) else { return Ok(report) };
    let (mut filter, mut left, mut looked_at) = (Filter::default(), most, 0);
    while left > 0 && looked_at < MOST_LOOKED_AT {
        let page = records::page(store, &tenant.name, &filter, PAGE)?;
        looked_at += page.records.len();
        for record in page.records.iter().filter(|record| record.script == script) {
            if left == 0 {
                break;
            }
            left -= 1;
            let tape = layout::tape(store, &tenant.name, record.id.0)?;
            let tape = tape.and_then(|bytes| Tape::read(&bytes).ok());
            let played = tape.map_or(Compared::Not, |tape| player.play(version, &tape, script, tenant));
            report.add(played);
        }
        match page.next {
            Some(next) => filter.before = Some(next),
            None => break,
        }
    }
    Ok(report)
}

#[cfg(test)]
pub(crate) mod tests {
    use exchange::{Command, Direction, Failure, LegInfo, LegNo, Party};
    use script::{Finish, Start};

    use super::*;

    /// What a call of "mine" begins with.
    pub(crate) fn start() -> Start {
        Start {
            call: CallId(1),
            tenant: "acme".into(),
            script: "mine".into(),
            caller: LegInfo {
                leg: LegNo::CALLER,
                party: Party::default(),
                dialled: "700".into(),
                direction: Direction::Inbound,
                user: None,
                headers: Default::default(),
                language: "en".into(),
            },
            settings: "{}".into(),
            seed: 1,
            started: 0.0,
            ended: None,
            changed: None,
        }
    }

    #[test]
    fn a_report_counts_all_and_shows_the_first() {
        let verdict = Verdict::Parts {
            step: 2,
            recorded: Some(Command::Answer { leg: LegNo::CALLER }),
            now: None,
            backtrace: String::new(),
        };
        let difference = Difference::of(CallId(1), "on-call", &verdict).expect("it parts");
        assert_eq!(difference.to_string(), "on-call parts at step 2: recorded: answer; now: it ends");
        assert_eq!(Difference::of(CallId(1), "on-call", &Verdict::Same { steps: 2 }), None);
        let ends = Verdict::EndsDifferently {
            steps: 4,
            recorded: Finish::Returned,
            now: Finish::Failed(Failure::Busy),
        };
        assert!(Difference::of(CallId(1), "on-call", &ends).is_some_and(|it| it.now.contains("busy")));

        let mut report = Report::default();
        for _ in 0..MOST_SHOWN + 5 {
            report.add(Compared::Parts(difference.clone()));
        }
        report.add(Compared::Same);
        assert_eq!(report.differences.len(), MOST_SHOWN);
        assert_eq!(report.to_string(), "26 calls: 1 the same, 25 part");
        report.add(Compared::Not);
        assert_eq!(report.to_string(), "27 calls: 1 the same, 25 part, 1 not compared");
    }
}
