//! Interface `types`, and the words that it shares with the exchange's vocabulary, both ways.

use std::time::Duration;

use exchange::{AgentState, Failure, Party, Presence, Prompt, Target};

use crate::bindings::call_script::strowger::script::{directory, types as wit};
use crate::guest::Guest;

impl wit::Host for Guest {}

/// Milliseconds in 32 bits: at most 49 days.
pub(crate) fn millis(length: Duration) -> u32 {
    u32::try_from(length.as_millis()).unwrap_or(u32::MAX)
}

pub(crate) fn length(millis: u32) -> Duration {
    Duration::from_millis(millis.into())
}

pub(crate) fn prompts(prompts: Vec<wit::Prompt>) -> Vec<Prompt> {
    prompts.into_iter().map(Prompt::from).collect()
}

impl From<Failure> for wit::Failure {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::HungUp => Self::HungUp,
            Failure::Busy => Self::Busy,
            Failure::NoAnswer => Self::NoAnswer,
            Failure::Refused(status) => Self::Refused(status),
            Failure::Unreachable => Self::Unreachable,
            Failure::NotFound(what) => Self::NotFound(what),
            Failure::Invalid(why) => Self::Invalid(why),
            Failure::Limit(name) => Self::Limit(name),
            Failure::TimedOut => Self::TimedOut,
            Failure::Other(words) => Self::Other(words),
        }
    }
}

impl From<wit::Failure> for Failure {
    fn from(failure: wit::Failure) -> Self {
        match failure {
            wit::Failure::HungUp => Self::HungUp,
            wit::Failure::Busy => Self::Busy,
            wit::Failure::NoAnswer => Self::NoAnswer,
            wit::Failure::Refused(status) => Self::Refused(status),
            wit::Failure::Unreachable => Self::Unreachable,
            wit::Failure::NotFound(what) => Self::NotFound(what),
            wit::Failure::Invalid(why) => Self::Invalid(why),
            wit::Failure::Limit(name) => Self::Limit(name),
            wit::Failure::TimedOut => Self::TimedOut,
            wit::Failure::Other(words) => Self::Other(words),
        }
    }
}

impl From<Party> for wit::Party {
    fn from(Party { number, name, uri }: Party) -> Self {
        Self { number, name, uri }
    }
}

impl From<wit::Party> for Party {
    fn from(wit::Party { number, name, uri }: wit::Party) -> Self {
        Self { number, name, uri }
    }
}

impl From<wit::Target> for Target {
    fn from(target: wit::Target) -> Self {
        match target {
            wit::Target::User(name) => Self::User(name),
            wit::Target::Number(number) => Self::Number(number),
            wit::Target::Uri(uri) => Self::Uri(uri),
        }
    }
}

impl From<Target> for wit::Target {
    fn from(target: Target) -> Self {
        match target {
            Target::User(name) => Self::User(name),
            Target::Number(number) => Self::Number(number),
            Target::Uri(uri) => Self::Uri(uri),
        }
    }
}

impl From<wit::Prompt> for Prompt {
    fn from(prompt: wit::Prompt) -> Self {
        match prompt {
            wit::Prompt::Recording(name) => Self::Recording(name),
            wit::Prompt::Text(words) => Self::Text(words),
            wit::Prompt::Digits(characters) => Self::Digits(characters),
            wit::Prompt::Silence(millis) => Self::Silence(length(millis)),
            wit::Prompt::Tone((hertz, millis)) => Self::Tone(hertz, length(millis)),
            wit::Prompt::Music(name) => Self::Music(name),
            wit::Prompt::Quantity((number, noun)) => Self::Quantity(number, noun),
            wit::Prompt::Duration(millis) => Self::Duration(length(millis)),
            wit::Prompt::Position(place) => Self::Position(place),
        }
    }
}

impl From<Presence> for directory::Presence {
    fn from(presence: Presence) -> Self {
        match presence {
            Presence::Offline => Self::Offline,
            Presence::Free => Self::Free,
            Presence::Ringing => Self::Ringing,
            Presence::Busy => Self::Busy,
        }
    }
}

impl From<AgentState> for wit::AgentState {
    fn from(state: AgentState) -> Self {
        match state {
            AgentState::Offline => Self::Offline,
            AgentState::Available => Self::Available,
            AgentState::Offered => Self::Offered,
            AgentState::Talking => Self::Talking,
            AgentState::WrapUp => Self::WrapUp,
            AgentState::Paused => Self::Paused,
        }
    }
}
