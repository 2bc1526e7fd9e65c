//! What a script did, line by line: each import with its arguments in words, what it returned, how long that
//! took, and how long the script computed before it asked. `strowger call`, `script test`, `script dev` and the
//! API's stream of a script's calls show the same lines.

use std::fmt;
use std::time::Duration;

use script::{Step, Tape};
use serde::{Deserialize, Serialize};

use crate::shards::Rung;
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

/// The script's side of a call's ladder, from its tape: each import, and its answer where that took a while.
pub fn rungs(tape: &Tape) -> Vec<Rung> {
    let mut rungs = Vec::new();
    let mut add = |at: f64, from: &str, to: &str, what: String| {
        rungs.push(Rung { at, from: from.to_owned(), to: to.to_owned(), what });
    };
    for run in &tape.segments {
        let what = run
            .start
            .changed
            .as_ref()
            .map_or_else(String::new, |change| format!(": {}", change.event.name()));
        add(run.start.started, SCRIPT, SCRIPT, format!("{} {}{what}", run.start.script, run.start.export()));
        for step in &run.steps {
            let line = Line::of(step, Duration::ZERO);
            let at = run.start.started + line.at;
            match line.answered {
                Some(answered) if line.took < AT_ONCE => {
                    add(at, SCRIPT, SCRIPT, format!("{} -> {answered}", line.asked));
                }
                answered => {
                    add(at, SCRIPT, EXCHANGE, line.asked);
                    let done = answered.unwrap_or_else(|| "done".to_owned());
                    if line.took >= AT_ONCE {
                        add(at + line.took, EXCHANGE, SCRIPT, done);
                    }
                }
            }
        }
        if let Some((at, finish)) = &run.finish {
            let words = match run.start.changed {
                Some(_) => words::finish_beside(finish),
                None => words::finish(finish),
            };
            add(run.start.started + at.as_secs_f64(), SCRIPT, SCRIPT, words);
        }
    }
    rungs
}

/// Columns of a ladder.
const SCRIPT: &str = "script";
const EXCHANGE: &str = "exchange";

#[cfg(test)]
mod tests {
    use exchange::{Answer, Command, LegNo};
    use script::{Finish, Segment};

    use super::*;

    #[test]
    fn a_ladder_has_imports_as_arrows_and_answers_that_took_a_while_too() {
        let step = |at_ms, command, took_ms, answer| Step { at_ms, command, took_ms, answer };
        let mut start = crate::scripts::comparison::tests::start();
        start.started = 100.0;
        let tape = Tape {
            segments: vec![Segment {
                start,
                version: String::new(),
                steps: vec![
                    step(0, Command::Answer { leg: LegNo::CALLER }, 0, Answer::Done),
                    step(10, Command::KvGet { key: "visits".into() }, 1, Answer::Value(None)),
                    step(20, Command::Sleep { length: Duration::from_secs(2) }, 2_000, Answer::Done),
                ],
                finish: Some((Duration::from_millis(2_020), Finish::Returned)),
            }],
            facts: Vec::new(),
            legs: None,
            cut: false,
        };
        let told: Vec<_> =
            rungs(&tape).into_iter().map(|r| format!("{:.2} {}>{} {}", r.at, r.from, r.to, r.what)).collect();
        assert_eq!(
            told,
            [
                "100.00 script>script mine on-call",
                "100.00 script>exchange answer",
                "100.01 script>script kv get visits -> nothing",
                "100.02 script>exchange sleep 2 s",
                "102.02 exchange>script done",
                "102.02 script>script the script returns: the call ends",
            ]
        );
    }

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
