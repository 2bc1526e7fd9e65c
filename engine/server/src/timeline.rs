//! What a script did, line by line: each import with its arguments in words, what it returned, how long that
//! took, and how long the script computed before it asked. `strowger call`, `script test`, `script dev` and the
//! API's stream of a script's calls show the same lines.

use std::fmt;
use std::time::Duration;

use script::Step;
use serde::{Deserialize, Serialize};

use crate::words;

/// One import.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Line {
    /// When it was asked: seconds since the run began.
    pub at: f64,
    /// The import and its arguments: "dial user:ana for 20 s".
    pub asked: String,
    /// What it returned, where there is something to say.
    pub answered: Option<String>,
    /// Seconds until then.
    pub took: f64,
    /// Seconds that the script computed before it asked; no two runs agree about them.
    pub cpu: f64,
}

impl Line {
    /// A step of a tape. `computed`: before it was asked.
    pub fn of(step: &Step, computed: Duration) -> Self {
        Self {
            at: f64::from(step.at_ms) / 1000.0,
            asked: words::command(&step.command),
            answered: words::answer(&step.answer),
            took: f64::from(step.took_ms) / 1000.0,
            cpu: computed.as_secs_f64(),
        }
    }
}

/// Answers that took less are not said to have taken time.
const AT_ONCE: f64 = 0.05;

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:>8.1} s {:>7.0} us  {}", self.at, self.cpu * 1e6, self.asked)?;
        if let Some(answered) = &self.answered {
            write!(f, " -> {answered}")?;
        }
        if self.took >= AT_ONCE {
            write!(f, ", after {:.1} s", self.took)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use exchange::{Answer, Command};

    use super::*;

    #[test]
    fn a_line_says_when_what_and_how_long() {
        let step = |took_ms| Step {
            at_ms: 2_500,
            command: Command::KvGet { key: "visits".into() },
            took_ms,
            answer: Answer::Value(Some(b"7".to_vec())),
        };
        let line = Line::of(&step(12), Duration::from_micros(40));
        assert_eq!(line.to_string(), "     2.5 s      40 us  kv get visits -> 7");
        let line = Line::of(&step(1_200), Duration::from_micros(40));
        assert_eq!(line.to_string(), "     2.5 s      40 us  kv get visits -> 7, after 1.2 s");
    }
}
