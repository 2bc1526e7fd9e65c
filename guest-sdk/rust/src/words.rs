//! The words of the interface: who, where, what to hear, and why not.
//!
//! They are those of `wit/`'s `types` and `call`, shaped as wit-bindgen would shape them, so that a component passes
//! them to the exchange without a copy in between.

use crate::leg::Leg;
use std::fmt;
use std::time::Duration;

/// What a script and its verbs return. `Result` alone is `Result<(), Failure>`.
pub type Result<T = (), E = Failure> = std::result::Result<T, E>;

/// Why a verb did not do what was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The leg is gone, or the caller left: let `?` end the script.
    HungUp,
    /// Whoever was rung is on a call, or all of them are.
    Busy,
    /// It rang until the time was up; or a menu asked until its tries were up.
    NoAnswer,
    /// The far side refused: its SIP status, 400 to 699.
    Refused(u16),
    /// No registered device, no trunk in service.
    Unreachable,
    /// What was named does not exist: its name.
    NotFound(String),
    /// The arguments make no sense: which, and why.
    Invalid(String),
    /// One of the tenant's limits was reached: its name.
    Limit(String),
    /// The engine gave up waiting for something inside itself.
    TimedOut,
    /// Anything else, in words.
    Other(String),
}

impl Failure {
    /// The SIP status that tells a caller so (RFC 3261 §21): 486 for busy, 480 where nobody answers or nothing is
    /// registered, 404 for what does not exist, 503 at a limit.
    pub fn sip_status(&self) -> u16 {
        match self {
            Failure::HungUp => 487,
            Failure::Busy => 486,
            Failure::NoAnswer | Failure::Unreachable => 480,
            Failure::Refused(status) => *status,
            Failure::NotFound(_) => 404,
            Failure::Limit(_) => 503,
            Failure::Invalid(_) | Failure::TimedOut | Failure::Other(_) => 500,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::HungUp => f.write_str("hung up"),
            Failure::Busy => f.write_str("busy"),
            Failure::NoAnswer => f.write_str("no answer"),
            Failure::Refused(status) => write!(f, "refused with {status}"),
            Failure::Unreachable => f.write_str("unreachable"),
            Failure::NotFound(what) => write!(f, "there is no {what}"),
            Failure::Invalid(why) => write!(f, "invalid: {why}"),
            Failure::Limit(which) => write!(f, "the limit {which} is reached"),
            Failure::TimedOut => f.write_str("timed out"),
            Failure::Other(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for Failure {}

impl From<serde_json::Error> for Failure {
    fn from(error: serde_json::Error) -> Self {
        Failure::Invalid(error.to_string())
    }
}

impl From<String> for Failure {
    fn from(why: String) -> Self {
        Failure::Other(why)
    }
}

impl From<&str> for Failure {
    fn from(why: &str) -> Self {
        Failure::Other(why.to_owned())
    }
}

/// Someone on a call, as signalling gave it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Party {
    /// E.164 with "+", or an extension; empty when withheld.
    pub number: String,
    /// The display name, when one was sent.
    pub name: Option<String>,
    /// The SIP or tel URI.
    pub uri: String,
}

impl fmt::Display for Party {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.number.is_empty() { "withheld" } else { &self.number })
    }
}

/// Where a leg can be rung.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A user of the tenant by name or extension: all the devices registered ring together.
    User(String),
    /// A telephone number, through the tenant's trunks in their order.
    Number(String),
    /// A SIP URI, reached directly.
    Uri(String),
}

/// A user of the tenant, by name or extension.
pub fn user(name: impl Into<String>) -> Target {
    Target::User(name.into())
}

/// A telephone number, through the tenant's trunks.
pub fn number(number: impl Into<String>) -> Target {
    Target::Number(number.into())
}

/// A SIP URI.
pub fn uri(uri: impl Into<String>) -> Target {
    Target::Uri(uri.into())
}

impl From<&str> for Target {
    /// A user's name or extension.
    fn from(name: &str) -> Self {
        user(name)
    }
}

impl From<&String> for Target {
    /// A user's name or extension.
    fn from(name: &String) -> Self {
        user(name)
    }
}

impl From<String> for Target {
    /// A user's name or extension.
    fn from(name: String) -> Self {
        Target::User(name)
    }
}

impl From<&Target> for Target {
    fn from(target: &Target) -> Self {
        target.clone()
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Target::User(name) => f.write_str(name),
            Target::Number(number) => f.write_str(number),
            Target::Uri(uri) => f.write_str(uri),
        }
    }
}

/// One place or several to ring together: what [`dial`](crate::dial) takes.
pub trait IntoTargets {
    /// In the order given.
    fn into_targets(self) -> Vec<Target>;
}

impl<T: Into<Target>> IntoTargets for T {
    fn into_targets(self) -> Vec<Target> {
        vec![self.into()]
    }
}

impl<T: Into<Target>> IntoTargets for Vec<T> {
    fn into_targets(self) -> Vec<Target> {
        self.into_iter().map(Into::into).collect()
    }
}

impl<T: Into<Target>, const N: usize> IntoTargets for [T; N] {
    fn into_targets(self) -> Vec<Target> {
        self.into_iter().map(Into::into).collect()
    }
}

impl<T: Clone + Into<Target>> IntoTargets for &[T] {
    fn into_targets(self) -> Vec<Target> {
        self.iter().cloned().map(Into::into).collect()
    }
}

impl<T: Clone + Into<Target>> IntoTargets for &Vec<T> {
    fn into_targets(self) -> Vec<Target> {
        self.as_slice().into_targets()
    }
}

/// Something to hear. Text where a prompt is wanted is the name of a recording.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Prompt {
    /// A recording of the tenant by its name, in the leg's language where there is one.
    Recording(String),
    /// Words to speak.
    Text(String),
    /// Characters spoken one by one: "1-0-2".
    Digits(String),
    /// Nothing, for so many milliseconds.
    Silence(u32),
    /// A tone: frequency in Hz (100 to 3400), and milliseconds.
    Tone((u16, u32)),
    /// Music on hold by name, for as long as nothing else is asked; the last of a list.
    Music(String),
    /// A number with what is counted, in words: "3 minutes" in the form that the language asks for.
    Quantity((i32, String)),
    /// Milliseconds in words, rounded for the ear: "about four minutes".
    Duration(u32),
    /// A place in line as a sentence: "You are third in line."; the first is 1, and is next.
    Position(u32),
}

/// Words to speak.
pub fn text(words: impl Into<String>) -> Prompt {
    Prompt::Text(words.into())
}

/// Characters spoken one by one.
pub fn digits(characters: impl Into<String>) -> Prompt {
    Prompt::Digits(characters.into())
}

/// Nothing to hear, for so long.
pub fn silence(length: Duration) -> Prompt {
    Prompt::Silence(millis(length))
}

/// A tone of so many Hz (100 to 3400), for so long.
pub fn tone(hertz: u16, length: Duration) -> Prompt {
    Prompt::Tone((hertz, millis(length)))
}

/// Music on hold by name, for as long as nothing else is asked.
pub fn music(name: impl Into<String>) -> Prompt {
    Prompt::Music(name.into())
}

/// A number with what is counted, in words; the noun in the singular: `quantity(3, "minute")`.
pub fn quantity(number: i32, noun: impl Into<String>) -> Prompt {
    Prompt::Quantity((number, noun.into()))
}

/// A length of time in words, rounded for the ear.
pub fn duration(length: Duration) -> Prompt {
    Prompt::Duration(millis(length))
}

/// A place in line as a sentence: "You are third in line."; the first is 1, and is next.
pub fn position(place: u32) -> Prompt {
    Prompt::Position(place)
}

impl From<&str> for Prompt {
    fn from(recording: &str) -> Self {
        Prompt::Recording(recording.to_owned())
    }
}

impl From<&String> for Prompt {
    fn from(recording: &String) -> Self {
        Prompt::Recording(recording.clone())
    }
}

impl From<String> for Prompt {
    fn from(recording: String) -> Self {
        Prompt::Recording(recording)
    }
}

impl From<&Prompt> for Prompt {
    fn from(prompt: &Prompt) -> Self {
        prompt.clone()
    }
}

/// One prompt or several, one after the other: what [`Leg::play`](crate::Leg::play) takes.
pub trait IntoPrompts {
    /// In the order heard.
    fn into_prompts(self) -> Vec<Prompt>;
}

impl<T: Into<Prompt>> IntoPrompts for T {
    fn into_prompts(self) -> Vec<Prompt> {
        vec![self.into()]
    }
}

impl<T: Into<Prompt>> IntoPrompts for Vec<T> {
    fn into_prompts(self) -> Vec<Prompt> {
        self.into_iter().map(Into::into).collect()
    }
}

impl<T: Into<Prompt>, const N: usize> IntoPrompts for [T; N] {
    fn into_prompts(self) -> Vec<Prompt> {
        self.into_iter().map(Into::into).collect()
    }
}

impl<T: Clone + Into<Prompt>> IntoPrompts for &[T] {
    fn into_prompts(self) -> Vec<Prompt> {
        self.iter().cloned().map(Into::into).collect()
    }
}

impl<T: Clone + Into<Prompt>> IntoPrompts for &Vec<T> {
    fn into_prompts(self) -> Vec<Prompt> {
        self.as_slice().into_prompts()
    }
}

/// Where a leg came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From a trunk.
    Inbound,
    /// Rung by the exchange.
    Outbound,
    /// From a user of the tenant.
    Internal,
}

/// What ended the asking for digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndOfDigits {
    /// As many as were wanted.
    Enough,
    /// The terminator was pressed.
    Terminator,
    /// The time for the first key, or between two keys, was up.
    TimeOut,
}

/// What was pressed, and why the asking ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gathered {
    /// Keys from 0-9, *, #, A-D in the order pressed; may be empty.
    pub digits: String,
    /// What ended it.
    pub ended: EndOfDigits,
}

/// A recording that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// Its name in the tenant's recordings; a prompt of that name plays it.
    pub id: String,
    /// How long it is.
    pub length: Duration,
}

/// Why a bridge ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BridgeEnd {
    /// The first leg hung up.
    AHungUp,
    /// The second leg hung up.
    BHungUp,
    /// A key that the script listens for, pressed on the first leg.
    Digit(char),
    /// Anything else, in words.
    Other(String),
}

/// What ended a wait in a queue.
pub enum Waited {
    /// An agent answered: the leg is the script's to bridge. The place is over.
    Connected(Leg),
    /// A key that the script listens for. The place is kept.
    Digit(char),
    /// The strategy made a word of a key: "voicemail", "call-back" ... The place is kept.
    Asked(String),
    /// The longest wait is over, or the strategy gave the caller up. The place is over.
    LongestWait,
    /// Nobody serves the queue any more. The place is over.
    Nobody,
    /// Anything else, in words. The place is over.
    Other(String),
}

/// `30.secs()`, `5.mins()`, `250.ms()`.
pub trait Lengths {
    /// Milliseconds.
    fn ms(self) -> Duration;
    /// Seconds.
    fn secs(self) -> Duration;
    /// Minutes.
    fn mins(self) -> Duration;
}

impl Lengths for u32 {
    fn ms(self) -> Duration {
        Duration::from_millis(self.into())
    }
    fn secs(self) -> Duration {
        Duration::from_secs(self.into())
    }
    fn mins(self) -> Duration {
        Duration::from_secs(60 * u64::from(self))
    }
}

/// The interface counts lengths in 32 bits of milliseconds; what is longer is 49 days.
pub(crate) fn millis(length: Duration) -> u32 {
    u32::try_from(length.as_millis()).unwrap_or(u32::MAX)
}

/// What an agent is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum AgentState {
    /// No device is registered.
    Offline,
    /// Ready for a call.
    Available,
    /// A call is offered.
    Offered,
    /// On a call.
    Talking,
    /// Finishing what the last call left to do.
    WrapUp,
    /// Not to be rung.
    Paused,
}

impl AgentState {
    /// From the number that the component model gives a case; what `bindgen` asks of an enum of ours.
    #[doc(hidden)]
    pub fn _lift(case: u8) -> Self {
        match case {
            0 => Self::Offline,
            1 => Self::Available,
            2 => Self::Offered,
            3 => Self::Talking,
            4 => Self::WrapUp,
            _ => Self::Paused,
        }
    }
}
