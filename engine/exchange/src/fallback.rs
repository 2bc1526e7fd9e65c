//! What takes a call over when its script is missing or fails: the number's own list of people,
//! numbers and a voicemail box, tried in order. It speaks to the call with the same commands as a
//! script does, so nothing else in the exchange knows the difference.

use std::collections::VecDeque;
use std::time::Duration;

use crate::effect::Fallback;
use crate::verb::{Answer, Command, Dial, LegNo, Prompt, Stage};

/// How long each direction of last resort rings.
const RING: Duration = Duration::from_secs(25);
/// The longest message, and the quiet that ends one.
const MESSAGE: Duration = Duration::from_secs(180);
const QUIET: Duration = Duration::from_secs(8);

enum State {
    /// Nothing asked yet, or the last direction failed.
    Next,
    /// A target rings.
    Ringing,
    /// Someone answered; both talk until one ends it.
    Talking,
    /// The caller is being answered for a message.
    Answering,
    /// The tone plays.
    Beeping,
    /// The message is recorded.
    Recording,
}

pub(crate) struct LastResort {
    rest: VecDeque<Fallback>,
    state: State,
    message_box: Option<String>,
}

impl LastResort {
    pub fn new(directions: Vec<Fallback>) -> Self {
        Self { rest: directions.into(), state: State::Next, message_box: None }
    }

    /// Somebody has answered and both talk, as it was before a restart.
    pub fn talking() -> Self {
        Self { state: State::Talking, ..Self::new(Vec::new()) }
    }

    /// The next command, given what the last one answered; none when nothing is left to try or the
    /// call was taken.
    pub fn next(&mut self, answer: Option<Answer>) -> Option<Command> {
        match (&self.state, answer) {
            (State::Ringing, Some(Answer::Leg(leg))) => {
                self.state = State::Talking;
                Some(Command::Bridge { a: LegNo::CALLER, b: leg.leg, keys: String::new() })
            }
            (State::Talking, _) | (State::Recording, _) => None,
            (State::Answering, Some(Answer::Done)) => {
                self.state = State::Beeping;
                let beep = Prompt::Tone(1000, Duration::from_millis(400));
                Some(Command::Play { leg: LegNo::CALLER, what: vec![beep], cut_by_key: false })
            }
            (State::Beeping, _) => {
                self.state = State::Recording;
                Some(Command::RecordMessage { leg: LegNo::CALLER, most: MESSAGE, silence: QUIET })
            }
            (State::Next | State::Ringing | State::Answering, _) => match self.rest.pop_front()? {
                Fallback::Ring(target) => {
                    self.state = State::Ringing;
                    Some(Command::Dial(Dial {
                        stages: vec![Stage { after: Duration::ZERO, targets: vec![target] }],
                        timeout: RING,
                        ringback: None,
                        present: None,
                        skip_busy: false,
                    }))
                }
                Fallback::Voicemail(name) => {
                    self.message_box = Some(name);
                    self.state = State::Answering;
                    Some(Command::Answer { leg: LegNo::CALLER })
                }
            },
        }
    }

    /// The box that a message of this call belongs to, once it came to that.
    pub fn message_box(&self) -> Option<&str> {
        self.message_box.as_deref()
    }
}
