//! Asking for digits: prompts that a key cuts short, dial-ahead, a time for the first key and one
//! between keys, a terminator, and a number of keys that is enough.

use std::collections::VecDeque;
use std::time::Instant;

use crate::verb::{EndOfDigits, Gather};

/// Where the asking stands; its deadline goes with the state.
enum State {
    /// The prompts play; the first-key time has not begun.
    Prompting,
    /// `give_up_at`: the first-key or the inter-digit time.
    Listening { give_up_at: Instant },
}

pub(crate) struct Asking {
    options: Gather,
    digits: String,
    state: State,
}

/// What one key, one silence or the end of the prompts did.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Keep listening.
    More,
    /// This is what was pressed.
    Ended(EndOfDigits),
}

impl Asking {
    pub fn new(options: Gather, now: Instant) -> Self {
        let state = if options.prompts.is_empty() {
            State::Listening { give_up_at: now + options.first }
        } else {
            State::Prompting
        };
        Self { options, digits: String::new(), state }
    }

    /// Takes keys pressed ahead, then says whether the prompts need to be heard at all.
    pub fn take_ahead(&mut self, keys: &mut VecDeque<char>, now: Instant) -> Step {
        while let Some(key) = keys.pop_front() {
            if let step @ Step::Ended(_) = self.handle_key(key, now) {
                return step;
            }
        }
        Step::More
    }

    pub fn handle_key(&mut self, key: char, now: Instant) -> Step {
        if self.options.terminator == Some(key) {
            return Step::Ended(EndOfDigits::Terminator);
        }
        self.digits.push(key);
        if self.digits.len() >= usize::from(self.options.most) {
            return Step::Ended(EndOfDigits::Enough);
        }
        self.state = State::Listening { give_up_at: now + self.options.between };
        Step::More
    }

    /// The prompts were heard to their end.
    pub fn handle_prompts_ended(&mut self, now: Instant) {
        if matches!(self.state, State::Prompting) {
            self.state = State::Listening { give_up_at: now + self.options.first };
        }
    }

    pub fn handle_timeout(&mut self, now: Instant) -> Step {
        match self.state {
            State::Listening { give_up_at } if now >= give_up_at => Step::Ended(EndOfDigits::TimeOut),
            _ => Step::More,
        }
    }

    pub fn next_timeout(&self) -> Option<Instant> {
        match self.state {
            State::Prompting => None,
            State::Listening { give_up_at } => Some(give_up_at),
        }
    }

    /// Whether the prompts still play or should.
    pub fn is_prompting(&self) -> bool {
        matches!(self.state, State::Prompting)
    }

    pub fn prompts(&self) -> &[crate::verb::Prompt] {
        &self.options.prompts
    }

    pub fn into_digits(self) -> String {
        self.digits
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::verb::Prompt;

    fn asking(most: u8, prompts: usize, now: Instant) -> Asking {
        Asking::new(
            Gather {
                prompts: vec![Prompt::Recording("welcome".into()); prompts],
                most,
                terminator: Some('#'),
                first: Duration::from_secs(5),
                between: Duration::from_secs(2),
            },
            now,
        )
    }

    #[test]
    fn the_first_key_time_begins_when_the_prompts_end() {
        let t0 = Instant::now();
        let mut ask = asking(1, 1, t0);
        assert_eq!(ask.next_timeout(), None);
        ask.handle_prompts_ended(t0 + Duration::from_secs(8));
        assert_eq!(ask.handle_timeout(t0 + Duration::from_millis(12_999)), Step::More);
        assert_eq!(ask.handle_timeout(t0 + Duration::from_secs(13)), Step::Ended(EndOfDigits::TimeOut));
        assert_eq!(ask.into_digits(), "");
    }

    #[test]
    fn each_key_starts_the_time_between_keys_and_the_terminator_is_not_a_digit() {
        let t0 = Instant::now();
        let mut ask = asking(4, 0, t0);
        assert_eq!(ask.handle_key('1', t0 + Duration::from_secs(4)), Step::More);
        assert_eq!(ask.next_timeout(), Some(t0 + Duration::from_secs(6)));
        assert_eq!(ask.handle_key('2', t0 + Duration::from_secs(5)), Step::More);
        assert_eq!(ask.handle_key('#', t0 + Duration::from_secs(6)), Step::Ended(EndOfDigits::Terminator));
        assert_eq!(ask.into_digits(), "12");
    }

    #[test]
    fn keys_pressed_ahead_count_and_what_is_not_needed_stays() {
        let t0 = Instant::now();
        let mut ask = asking(2, 1, t0);
        let mut ahead = VecDeque::from(['7', '0', '3']);
        assert_eq!(ask.take_ahead(&mut ahead, t0), Step::Ended(EndOfDigits::Enough));
        assert_eq!(ask.into_digits(), "70");
        assert_eq!(ahead, ['3']);
    }
}
