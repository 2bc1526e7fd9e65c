//! One imaginary call: the script is the real one, in a real sandbox; the exchange around it is played in
//! virtual time. Prompts take their nominal time, the caller presses the keys that were given, and the people
//! of the [`Scene`] answer, are busy or don't, as it says. No socket, store or clock is touched, and the same
//! scene gives the same call. When it is over, the script's `on-ended` has its record. What a call does that goes
//! on with another script is left out, and so is what is held, parked or picked up.

mod changes;
mod conversation;
pub mod decision;
mod ended;
mod exchange;
pub mod expectation;
pub mod scenario;
mod servers;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ::exchange::{CallId, Direction, LegInfo, LegNo, Outcome, Party, Refusal};
use jiff::Zoned;
use script::{Finish, Limits, Run, Sandboxes, Start, Version};

pub use self::changes::tell;
use self::exchange::{Simulated, State};
pub use self::servers::ServerScene;
use crate::timeline::Line;

/// Until someone who answers does, unless the scene says otherwise.
pub const RINGING: Duration = Duration::from_secs(3);
/// Until an agent is there for whoever waits in a queue, unless the scene says otherwise.
pub const IN_LINE: Duration = Duration::from_secs(20);
/// A conversation, unless the scene says otherwise or the caller hangs up before.
pub const TALK: Duration = Duration::from_secs(60);
/// When the caller leaves, unless the scene says otherwise.
pub const PATIENCE: Duration = Duration::from_secs(300);
/// In the keys of a caller: no key is pressed where one is asked for.
pub const NO_KEY: char = '-';

/// The world around one imaginary call.
#[derive(Clone, Debug)]
pub struct Scene {
    /// When the call arrives, in the tenant's time zone.
    pub at: Zoned,
    /// Who calls; empty when withheld.
    pub from: String,
    /// The number dialled.
    pub to: String,
    /// BCP 47.
    pub language: String,
    /// The number's settings: a JSON object.
    pub settings: String,
    /// What the caller presses, one key for each time that one is asked for; [`NO_KEY`] for none.
    pub keys: String,
    /// When the caller leaves.
    pub hangs_up_after: Duration,
    /// Those whose behaviour is known.
    pub people: Vec<Person>,
    /// What everybody else does.
    pub others: Others,
    /// What the calendars say, by name; "open" where nothing is said.
    pub calendars: BTreeMap<String, String>,
    /// How it goes in the queues, by name.
    pub queues: BTreeMap<String, QueueScene>,
    /// The CRM's.
    pub contacts: Vec<(Option<String>, ::exchange::Contact)>,
    /// Servers outside, the first that fits a request answers it.
    pub servers: Vec<ServerScene>,
    /// Who spoke with the caller last.
    pub spoke_with: Option<String>,
    /// The user who transferred the call here.
    pub transferred_by: Option<String>,
    /// What the tenant's scripts remember.
    pub kept: BTreeMap<String, String>,
}

impl Scene {
    /// Somebody calls, everybody answers, and nothing is known of anyone.
    pub fn at(at: Zoned) -> Self {
        Self {
            at,
            from: "+359888123456".to_owned(),
            to: "700".to_owned(),
            language: "en".to_owned(),
            settings: "{}".to_owned(),
            keys: String::new(),
            hangs_up_after: PATIENCE,
            people: Vec::new(),
            others: Others::Answer,
            calendars: BTreeMap::new(),
            queues: BTreeMap::new(),
            contacts: Vec::new(),
            servers: Vec::new(),
            spoke_with: None,
            transferred_by: None,
            kept: BTreeMap::new(),
        }
    }
}

/// A user of the tenant, or a number in the world.
#[derive(Clone, Debug)]
pub struct Person {
    /// The user's name, or the number.
    pub name: String,
    /// The extension; the name where there is none.
    pub number: String,
    /// The mobile number.
    pub mobile: Option<String>,
    /// Groups; none means all of them.
    pub groups: Option<Vec<String>>,
    /// What happens when they are rung.
    pub does: Does,
    /// What the telephone of a user asks for in a conversation, once.
    pub transfers: Option<TransferScene>,
    /// What they press when their telephone is asked, as [`Scene::keys`].
    pub presses: String,
}

impl Person {
    /// Who has nothing but a name, and does this.
    pub fn new(name: &str, does: Does) -> Self {
        let (name, number) = (name.to_owned(), name.to_owned());
        Self { name, number, mobile: None, groups: None, does, transfers: None, presses: String::new() }
    }
}

/// A telephone asks that someone else takes its place (REFER, RFC 3515).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransferScene {
    /// So long into the conversation.
    pub after: Duration,
    /// A user's name or a number.
    pub to: String,
    /// They have spoken on a call of their own (RFC 5589 §7).
    pub attended: bool,
}

/// What comes of ringing somebody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Does {
    /// They answer after so long, and talk for so long.
    Answers(Duration, Duration),
    /// It rings until the time is up.
    NoAnswer,
    /// They are on a call.
    Busy,
    /// No device of theirs is registered.
    Offline,
    /// After so long, with this SIP status.
    Refuses(Duration, u16),
}

/// What those do whom the scene does not name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Others {
    /// All exist, and answer.
    Answer,
    /// All exist, and nobody answers.
    NeverAnswer,
    /// There is nobody else.
    Unknown,
}

/// How it goes in a queue.
#[derive(Clone, Debug)]
pub struct QueueScene {
    /// What comes of waiting.
    pub ends: QueueEnd,
    /// Callers that wait already.
    pub waiting: u32,
    /// Agents that are available.
    pub available: u32,
}

/// What comes of waiting in a queue.
#[derive(Clone, Debug, PartialEq)]
pub enum QueueEnd {
    /// This agent answers after so long.
    Agent(String, Duration),
    /// The longest wait is reached.
    LongestWait,
    /// After so long nobody serves the queue any more.
    Nobody(Duration),
    /// Nobody may enter.
    Refused(Refusal),
}

/// An imaginary call that is over.
#[derive(Clone, Debug)]
pub struct Played {
    /// Every import, in order.
    pub lines: Vec<Line>,
    /// How the script ended.
    pub finish: Finish,
    /// What came of the call. The number's fallback is not played: a call whose script failed has failed.
    pub outcome: Outcome,
    /// From its arrival to its end.
    pub length: Duration,
    /// What the script computed, all in all.
    pub cpu: Duration,
    /// What the caller heard: recordings by name, words as they are, the rest described.
    pub heard: Vec<String>,
    /// Who was rung, in order.
    pub rung: Vec<String>,
    /// Who spoke with the caller, in order.
    pub talked: Vec<String>,
    /// Marks of the call.
    pub tags: Vec<(String, String)>,
    /// What the script logged.
    pub logs: Vec<String>,
    /// Whom the script told something outside: "ana: missed call", "everyone: ...".
    pub notices: Vec<String>,
    /// What the tenant's scripts remember.
    pub kept: BTreeMap<String, Vec<u8>>,
    /// The number that a transfer sent the caller to; the call goes on there.
    pub goes_on_to: Option<String>,
    /// What `on-ended` did, in which nobody hears, rings or talks; none where the call goes on elsewhere.
    pub ended: Option<Box<Played>>,
}

/// The caller's leg of a scene.
fn caller(scene: &Scene) -> LegInfo {
    LegInfo {
        leg: LegNo::CALLER,
        party: Party { number: scene.from.clone(), name: None, uri: format!("tel:{}", scene.from) },
        dialled: scene.to.clone(),
        direction: Direction::Inbound,
        user: None,
        headers: Default::default(),
        language: scene.language.clone(),
    }
}

/// Plays a call of the script `name` to its end.
pub fn play(sandboxes: &Sandboxes, version: &Version, name: &str, scene: &Scene) -> std::io::Result<Played> {
    let millis = scene.at.timestamp().as_millisecond();
    let start = Start {
        call: CallId::new(millis.unsigned_abs(), 0),
        tenant: "simulated".into(),
        script: name.into(),
        caller: caller(scene),
        settings: scene.settings.as_str().into(),
        seed: 1,
        started: millis as f64 / 1000.0,
        ended: None,
        changed: None,
    };
    let ended = start.clone();
    let world = Arc::new(Simulated { scene: scene.clone(), state: Mutex::new(State::new(scene)) });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let limits = virtually(Limits::call());
    let run = runtime.block_on(sandboxes.run_call(version, start, world.clone(), &limits));
    let over =
        |run: Run| world.state.lock().unwrap_or_else(PoisonError::into_inner).over(run.finish, run.cpu);
    let mut played = over(run);
    if played.goes_on_to.is_none() && !matches!(played.finish, Finish::HandedOver { .. }) {
        let record = ended::record(&ended, version, &played, &world);
        let start = Start { started: record.ended, ..ended };
        let limits = virtually(Limits::ended());
        let run = sandboxes.run_ended(version, start, &record, world.clone(), &limits);
        let after = over(runtime.block_on(run));
        played.ended = Some(Box::new(Played { outcome: played.outcome, ..after }));
    }
    Ok(played)
}

/// Time is virtual here, so imports may come as fast as they like.
fn virtually(limits: Limits) -> Limits {
    Limits { host_calls_per_second: u32::MAX, memory: script::limits::MEMORY_PYTHON, ..limits }
}
