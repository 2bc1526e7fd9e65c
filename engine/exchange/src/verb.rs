//! The vocabulary that scripts and exchange share: one [`Command`] per import of `wit/`, and the
//! [`Answer`] it gets. A tape is a list of these pairs, so their order is part of its format: new
//! variants are added at the end. What a party, a target and a prompt are is said once, here and beside.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use crate::call_id::{CallId, NotACallId};
pub use crate::fetch::{Fetch, FetchMethod, Fetched};
pub use crate::mailbox::{Inbox, MailboxAsk, Message};
pub use crate::prompt::{Prompt, length_in_words};
pub use crate::record::{CallRecord, LegRecord, Outcome};
pub use crate::task::{TaskAsk, TaskChange, TaskEvent, TaskInfo, TaskState};

/// A leg of a call: 0 is the caller, the others count up as they are dialled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct LegNo(pub u32);

impl LegNo {
    /// The caller's leg.
    pub const CALLER: LegNo = LegNo(0);
}

/// Someone on a call, as signalling gave it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Party {
    /// E.164 with "+", or an extension; empty when withheld.
    pub number: String,
    /// The display name, when one was sent.
    pub name: Option<String>,
    /// The SIP or tel URI.
    pub uri: String,
}

/// Where a leg came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Direction {
    /// From a trunk.
    Inbound,
    /// Rung by the exchange.
    Outbound,
    /// From a user of the tenant.
    Internal,
}

/// All that a script may know of a leg without asking; fixed when the leg begins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LegInfo {
    /// Which leg of its call.
    pub leg: LegNo,
    /// The party at the far end.
    pub party: Party,
    /// The number that was dialled, as it arrived.
    pub dialled: String,
    /// Where the leg came from.
    pub direction: Direction,
    /// The tenant's user at the far end, by name.
    pub user: Option<String>,
    /// Header names in lower case and their values; empty for sides that are not trusted.
    pub headers: Arc<[(String, String)]>,
    /// BCP 47.
    pub language: String,
}

/// Where a leg can be rung.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Target {
    /// A user of the tenant by name or number: all registered devices.
    User(String),
    /// A telephone number, through the tenant's trunks in their order.
    Number(String),
    /// A SIP URI.
    Uri(String),
}

/// Why a verb did not do what was asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Failure {
    /// The leg, or the caller, is gone.
    HungUp,
    /// Whoever was rung is on a call.
    Busy,
    /// It rang until the time was up.
    NoAnswer,
    /// The far side's SIP status, 400 to 699.
    Refused(u16),
    /// No registered device, no trunk in service.
    Unreachable,
    /// What does not exist.
    NotFound(String),
    /// Which argument makes no sense, and why.
    Invalid(String),
    /// The limit's name.
    Limit(String),
    /// The engine gave up waiting for itself.
    TimedOut,
    /// In words.
    Other(String),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::HungUp => f.write_str("hung up"),
            Failure::Busy => f.write_str("busy"),
            Failure::NoAnswer => f.write_str("no answer"),
            Failure::Refused(status) => write!(f, "refused: {status}"),
            Failure::Unreachable => f.write_str("unreachable"),
            Failure::NotFound(what) => write!(f, "not found: {what}"),
            Failure::Invalid(what) => write!(f, "invalid: {what}"),
            Failure::Limit(name) => write!(f, "limit: {name}"),
            Failure::TimedOut => f.write_str("timed out"),
            Failure::Other(what) => f.write_str(what),
        }
    }
}

/// How to ask for digits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gather {
    /// Played first; a key cuts them short and counts.
    pub prompts: Vec<Prompt>,
    /// 1 to 32.
    pub most: u8,
    /// Ends the asking early; not part of the digits.
    pub terminator: Option<char>,
    /// From the end of the prompts to the first key.
    pub first: Duration,
    /// Between keys.
    pub between: Duration,
}

/// What ended the asking for digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum EndOfDigits {
    /// As many as were wanted.
    Enough,
    /// The terminator was pressed.
    Terminator,
    /// A time was up.
    TimeOut,
}

/// Targets that ring together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stage {
    /// Counted from the start of the dial.
    pub after: Duration,
    /// At most 64.
    pub targets: Vec<Target>,
}

/// Stages of targets, and what both sides hear and see meanwhile.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dial {
    /// In any order; each begins at its `after`, or early when all before it have failed.
    pub stages: Vec<Stage>,
    /// The whole dial: 1 s to 10 min.
    pub timeout: Duration,
    /// What the caller hears; the far side's tone, or a ringing tone, if none.
    pub ringback: Option<Prompt>,
    /// Shown to whoever is rung; the caller if none.
    pub present: Option<Party>,
    /// Users on a call are passed over.
    pub skip_busy: bool,
}

/// Why a bridge ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum BridgeEnd {
    /// The first leg hung up.
    AHungUp,
    /// The second leg hung up.
    BHungUp,
    /// A key the script listens for, on the first leg.
    Digit(char),
    /// In words.
    Other(String),
    /// To `Talk` alone: one party's telephone asks that someone else takes its place.
    Transfer(Box<Transfer>),
}

/// What a party's telephone asks by REFER (RFC 3515, RFC 5589).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transfer {
    /// Whose telephone asks: one of the two legs that talked.
    pub by: LegNo,
    /// Who is to take its place.
    pub to: Target,
    /// It has spoken with them on a call of its own, and the two calls are to become one.
    pub attended: bool,
}

/// How a supervisor takes part in a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Supervision {
    /// Hears both sides, and is heard by none.
    Listen,
    /// Is heard by the second leg of the bridge too: the agent.
    Whisper,
    /// All hear all.
    Barge,
}

impl Supervision {
    /// As the API and the supervisor's display name it.
    pub fn name(self) -> &'static str {
        match self {
            Supervision::Listen => "listen",
            Supervision::Whisper => "whisper",
            Supervision::Barge => "barge",
        }
    }

    /// How a leg's record says that it was a supervisor's: "listened: hung up".
    pub(crate) fn ended(self, why: &str) -> String {
        let did = match self {
            Supervision::Listen => "listened",
            Supervision::Whisper => "whispered",
            Supervision::Barge => "barged",
        };
        format!("{did}: {why}")
    }
}

/// What a person is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Presence {
    /// No device is registered.
    Offline,
    /// Reachable, not on a call.
    Free,
    /// Being rung.
    Ringing,
    /// On a call.
    Busy,
}

/// A user of the tenant, and what they were doing when looked up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserInfo {
    /// The name in the configuration.
    pub name: String,
    /// The extension.
    pub number: String,
    /// The mobile number.
    pub mobile: Option<String>,
    /// At that moment.
    pub presence: Presence,
    /// Skill and level, 1 to 100.
    pub skills: Vec<(String, u8)>,
}

/// A place of this call in a queue; a call has one at a time, and they count up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PlaceNo(pub u32);

/// Why a caller may not wait.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Refusal {
    /// As many callers wait as may.
    Full,
    /// The queue takes no callers now.
    Closed,
    /// No agent is signed in, or none is free where waiting is not wished.
    Nobody,
    /// The wait would be so long.
    TooLong(Duration),
    /// No such queue, the caller left, or a limit.
    Failed(Failure),
    /// In a word of the strategy's.
    Other(String),
}

/// What ended a wait.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Waited {
    /// An agent answered; the place is over.
    Connected(Box<LegInfo>),
    /// A key that the script listens for; the place is kept.
    Digit(char),
    /// The strategy's word for a key; the place is kept.
    Asked(String),
    /// The longest wait; the place is over.
    LongestWait,
    /// Nobody serves the queue any more; the place is over.
    Nobody,
    /// In words; the place is over.
    Other(String),
}

/// What an agent is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
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
    /// As written in the API: "offline", "available", "offered", "talking", "wrap-up", "paused".
    pub fn name(self) -> &'static str {
        match self {
            Self::Offline => "offline",
            Self::Available => "available",
            Self::Offered => "offered",
            Self::Talking => "talking",
            Self::WrapUp => "wrap-up",
            Self::Paused => "paused",
        }
    }
}

/// How it looks in a queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outlook {
    /// Callers that wait.
    pub waiting: u32,
    /// Agents that are available.
    pub available: u32,
    /// Agents signed in and not paused, whatever they do.
    pub serving: u32,
    /// How long the first has waited.
    pub longest: Duration,
    /// How long the next caller will probably wait; none when nothing is known.
    pub expected: Option<Duration>,
}

/// A contact of the tenant's CRM, as it was when looked up.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contact {
    /// In the CRM.
    pub id: String,
    /// Their name.
    pub name: String,
    /// Where they work.
    pub company: Option<String>,
    /// The user who looks after them.
    pub owner: Option<String>,
    /// Other fields by name.
    pub fields: Vec<(String, String)>,
}

/// A moment on a wall clock; the fields as in `wit/`, weekday 1 is Monday.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct LocalTime {
    pub year: i32,
    pub month: u8,
    pub day: u8,
    pub weekday: u8,
    pub hour: u8,
    pub minute: u8,
    pub second: u8,
    pub offset_minutes: i32,
}

/// How much a log line matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum Level {
    Debug,
    Info,
    Warn,
    Error,
}

impl Level {
    /// As written in logs: "debug", "info", "warn", "error".
    pub fn name(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
        }
    }
}

/// One import, called. The order of variants is the tape's format: add at the end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)] // each is the import of the same name in wit/
pub enum Command {
    SetLanguage { leg: LegNo, tag: String },
    Ring { leg: LegNo, early: Option<Prompt> },
    Answer { leg: LegNo },
    Reject { leg: LegNo, status: u16, reason: String },
    Play { leg: LegNo, what: Vec<Prompt>, cut_by_key: bool },
    Gather { leg: LegNo, options: Gather },
    RecordMessage { leg: LegNo, most: Duration, silence: Duration },
    StartRecording { leg: LegNo },
    StopRecording { leg: LegNo },
    SendDigits { leg: LegNo, digits: String },
    Hold { leg: LegNo, hears: Prompt },
    Resume { leg: LegNo },
    HangUp { leg: LegNo, cause: u16 },
    Dial(Dial),
    Bridge { a: LegNo, b: LegNo, keys: String },
    Tag { key: String, value: String },
    HandOver { script: String, settings: String },
    FindUser { name_or_number: String },
    Group { name: String },
    Now,
    LocalTime,
    TimeIn { zone: String },
    Random { below: u32 },
    Sleep { length: Duration },
    Settings,
    KvGet { key: String },
    KvSet { key: String, value: Vec<u8>, keep_seconds: Option<u32> },
    KvSwap { key: String, was: Option<Vec<u8>>, value: Vec<u8> },
    KvAdd { key: String, amount: i32 },
    KvDelete { key: String },
    Log { level: Level, message: String },
    Scheme { calendar: String },
    LastSpokeWith { number: String, days: u32 },
    Conversations { number: String, days: u32 },
    FindContact { number: String },
    EnterQueue { queue: String, priority: i32, skills: Vec<(String, u8)>, longest: Duration },
    LookAtQueue { queue: String },
    Position { place: PlaceNo },
    ExpectedWait { place: PlaceNo },
    Wait { place: PlaceNo, keys: String, hears: Option<Prompt> },
    SetPriority { place: PlaceNo, priority: i32 },
    CallBack { place: PlaceNo, number: String },
    LeaveQueue { place: PlaceNo },
    AgentState { user: String },
    MakeAvailable { user: String },
    Pause { user: String, reason: String },
    SignIn { user: String, queue: String },
    SignOut { user: String, queue: String },
    Talk { a: LegNo, b: LegNo, keys: String },
    CarryOut { to: Option<Target>, ring: Duration },
    RefuseTransfer { status: u16 },
    TransferredBy,
    Park { leg: LegNo, slot: String, most: Duration, hears: Prompt },
    Retrieve { slot: String },
    PickUp { user: String },
    Notify { to: String, text: String, facts: Vec<(String, String)> },
    Fetch(Box<Fetch>),
    PauseRecording { leg: LegNo, paused: bool },
    Mailbox(Box<MailboxAsk>),
    CreateTask { number: String, title: String, responsible: Option<String>, due_ms: Option<u64> },
    CloseTask { id: String },
    Task { id: String, ask: TaskAsk },
}

/// What an import returned. The order of variants is the tape's format: add at the end.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Answer {
    /// Ok, and nothing to say.
    Done,
    /// Not done, and why.
    Failed(Failure),
    /// To `Gather`.
    Gathered {
        /// In the order pressed.
        digits: String,
        /// Why the asking ended.
        ended: EndOfDigits,
    },
    /// To `RecordMessage`.
    Recorded {
        /// The recording's name.
        id: String,
        /// Its length.
        length: Duration,
    },
    /// To `StartRecording` (the recording's name), `Settings` (JSON), `Notify` (a receipt) and `CreateTask` (its id).
    Text(String),
    /// To `Dial`: the leg that answered; to `Park`: the leg that retrieved.
    Leg(Box<LegInfo>),
    /// To `Bridge` and `Talk`.
    BridgeEnded(BridgeEnd),
    /// To `FindUser` (none or one) and `Group`.
    Users(Vec<UserInfo>),
    /// To `Now`: seconds since 1970 UTC.
    Instant(f64),
    /// To `LocalTime` and `TimeIn`: none when there is no such zone.
    LocalTime(Option<LocalTime>),
    /// To `Random`.
    Random(u32),
    /// To `KvGet`.
    Value(Option<Vec<u8>>),
    /// To `KvSwap`.
    Swapped(bool),
    /// To `KvAdd`.
    Sum(i32),
    /// To `Scheme`: none when there is no such calendar.
    Word(Option<String>),
    /// To `Conversations` and `Position`.
    Count(u32),
    /// To `FindContact`.
    Contact(Option<Box<Contact>>),
    /// To `EnterQueue`.
    Place {
        /// Which.
        place: PlaceNo,
        /// The caller had it before and lost the call.
        resumed: bool,
    },
    /// To `EnterQueue`.
    RefusedEntry(Refusal),
    /// To `LookAtQueue`: none when there is no such queue.
    Outlook(Option<Outlook>),
    /// To `ExpectedWait`.
    Length(Option<Duration>),
    /// To `Wait`.
    Waited(Waited),
    /// To `AgentState`: none when there is no such agent.
    AgentState(Option<AgentState>),
    /// To `TransferredBy`: a user's name.
    Name(Option<String>),
    /// To `Fetch`.
    Fetched(Box<Fetched>),
    /// To `Mailbox`, about one: none when there is no such box.
    Inbox(Option<Box<Inbox>>),
    /// To `Mailbox`, about what is in it.
    Messages(Vec<Message>),
}
