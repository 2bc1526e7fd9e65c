//! The tape of a call: what its script asked and what it was answered, in order, from which the run
//! can be played again.
//!
//! A tape is a row of segments, one per run: the call's first script, each script it was handed to,
//! `on-ended`, and each `on-change` of a call back that the call left. Segments are simply written one after another. A segment is
//!
//! ```text
//! "STAPE" version:u8                                   the version is 1
//! entry*                                               length:u32 little-endian, then postcard
//!   0 Began { start, version }                         once, first
//!   1 Step { at_ms, command, took_ms, answer }         per import
//!   2 Ended { at_ms, finish }                          once, last; missing when the engine stopped
//!   3 Moved { at_ms, version }                         goes on with this version, which asked all before likewise
//!   4 Fact { at, kind, about }                         anywhere, also before and behind segments
//!   5 Legs(bytes)                                      anywhere; only while the call is up
//!   6 Began of on-change { start, version, change }    once, first, in the place of 0
//! ```
//!
//! A fact is what became of the call without its script asking: its place in a queue, who was rung for it
//! and by whose decision. No run depends on it, so a replay passes it over. Legs are what the server keeps
//! of a call's telephones, in a form of its own, so that the call outlives the process; the last one counts.
//!
//! Appended as the call goes; a cut tail (the power went) is left out when reading. What a command
//! and an answer are is `exchange::verb`'s; variants there are added at the end.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use exchange::{Answer, CallId, CallRecord, Command, Direction, Failure, LegInfo, LegNo, Party, TaskChange};
use serde::{Deserialize, Serialize};

use crate::limits::Limits;

const MAGIC: &[u8; 5] = b"STAPE";
const VERSION: u8 = 1;

/// Segments in one tape that are read: a call handed over more often is cut there.
pub const MAX_SEGMENTS: usize = 64;
/// The longest tape that is read: as many full segments as fit reason.
pub const MAX_TAPE: usize = 16 << 20;

/// What a run begins with: all that decides it besides the answers to its imports.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Start {
    /// The call.
    pub call: CallId,
    /// The tenant's name.
    pub tenant: Arc<str>,
    /// The script's name.
    pub script: Arc<str>,
    /// The caller's leg.
    pub caller: LegInfo,
    /// What `settings.get` answers: a JSON object.
    pub settings: Arc<str>,
    /// For `clock.random`.
    pub seed: u64,
    /// When the run began: seconds since 1970 UTC.
    pub started: f64,
    /// The record, when it is `on-ended` that runs and not `on-call`.
    pub ended: Option<Box<CallRecord>>,
    /// What has changed, when it is `on-change` that runs. It stands behind the others, in an entry of its own kind.
    #[serde(skip)]
    pub changed: Option<Box<TaskChange>>,
}

impl Start {
    /// The export that runs, as `wit/` names it.
    pub fn export(&self) -> &'static str {
        match (&self.changed, &self.ended) {
            (Some(_), _) => "on-change",
            (None, Some(_)) => "on-ended",
            (None, None) => "on-call",
        }
    }

    /// What such a run may use.
    pub fn limits(&self) -> Limits {
        match (&self.changed, &self.ended) {
            (Some(_), _) => Limits::change(),
            (None, Some(_)) => Limits::ended(),
            (None, None) => Limits::call(),
        }
    }

    /// Of no call: to see whether a component starts at all.
    pub(crate) fn of_nobody() -> Self {
        Self {
            call: CallId::new(0, 0),
            tenant: "".into(),
            script: "".into(),
            caller: LegInfo {
                leg: LegNo::CALLER,
                party: Party { number: String::new(), name: None, uri: String::new() },
                dialled: String::new(),
                direction: Direction::Inbound,
                user: None,
                headers: Default::default(),
                language: String::new(),
            },
            settings: "{}".into(),
            seed: 0,
            started: 0.0,
            ended: None,
            changed: None,
        }
    }
}

/// One import: asked, and answered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// Milliseconds from the start of the run to the asking.
    pub at_ms: u32,
    /// What was asked.
    pub command: Command,
    /// Milliseconds until the answer.
    pub took_ms: u32,
    /// What was answered.
    pub answer: Answer,
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Finish {
    /// The script returned: the caller's leg ends.
    Returned,
    /// The script left with `hung-up`: the caller is gone.
    HungUp,
    /// The script left with another failure: the number's fallback takes over.
    Failed(Failure),
    /// The engine stopped the script: the number's fallback takes over.
    Trapped {
        /// Why.
        kind: TrapKind,
        /// In words, with the names of Wasm functions, innermost first.
        backtrace: String,
    },
    /// The script returned after `hand-over`: this one goes on.
    HandedOver {
        /// The script's name.
        script: String,
        /// Its settings, a JSON object.
        settings: String,
    },
    /// No sandbox was free, in the process or for this tenant; nothing ran and nothing is on the tape.
    NoRoom,
    /// The version's last runs did nothing but run out of time ([`crate::limits::STALLS`]); nothing ran and nothing is on the tape.
    Suspended,
}

impl Finish {
    /// Whether the number's fallback takes over.
    pub fn is_failure(&self) -> bool {
        match self {
            Self::Failed(_) | Self::Trapped { .. } | Self::NoRoom | Self::Suspended => true,
            Self::Returned | Self::HungUp | Self::HandedOver { .. } => false,
        }
    }
}

/// Why the engine stopped a script.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum TrapKind {
    /// It did what Wasm forbids, or gave up itself: unreachable, division by zero, out of bounds.
    Trap,
    /// Too much CPU between two imports.
    OutOfTime,
    /// It failed after memory was refused to it.
    OutOfMemory,
    /// Its stack was too deep.
    StackOverflow,
    /// More imports than a run may have.
    TooManyHostCalls,
    /// More than the budget for cleaning up after the caller has left, or for `on-ended`.
    CleaningUp,
    /// Its tape would be too long.
    TapeFull,
    /// More handles than a run may hold.
    TooManyHandles,
    /// The engine did not answer a look-up in time, or answered out of place.
    Engine,
    /// The component is not of the world that was asked for, or it could not start.
    NotStarted,
    /// Resumed from its tape, it asked something else than was recorded.
    Parted,
}

impl TrapKind {
    /// The name for logs and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Trap => "trap",
            Self::OutOfTime => "out-of-time",
            Self::OutOfMemory => "out-of-memory",
            Self::StackOverflow => "stack-overflow",
            Self::TooManyHostCalls => "too-many-host-calls",
            Self::CleaningUp => "cleaning-up",
            Self::TapeFull => "tape-full",
            Self::TooManyHandles => "too-many-handles",
            Self::Engine => "engine",
            Self::NotStarted => "not-started",
            Self::Parted => "parted",
        }
    }
}

impl fmt::Display for TrapKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Trap => "the script trapped",
            Self::OutOfTime => "the script computed for too long between two imports",
            Self::OutOfMemory => "the script wanted more memory than it may have",
            Self::StackOverflow => "the script's stack was too deep",
            Self::TooManyHostCalls => "the script called too many imports",
            Self::CleaningUp => "the script went on for too long after the call",
            Self::TapeFull => "the call's tape is full",
            Self::TooManyHandles => "the script holds too many handles",
            Self::Engine => "the engine gave no answer",
            Self::NotStarted => "the script could not start",
            Self::Parted => "the script parted from its tape",
        })
    }
}

/// What became of a call that its script did not ask for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fact {
    /// Seconds since 1970 UTC.
    pub at: f64,
    /// As on the event stream: "queue.offered".
    pub kind: String,
    /// Names and values: "agents", "strategy", "reason" ...
    pub about: Vec<(String, String)>,
}

impl Fact {
    /// The entry of a tape that says so.
    pub fn entry(&self) -> Vec<u8> {
        let mut bytes = vec![0; 4];
        bytes.push(FACT);
        let mut bytes = postcard::to_extend(self, bytes).expect("texts and a number can be written");
        close(&mut bytes, 0);
        bytes
    }
}

/// A piece of a tape, as [`crate::World::tape`] hears of them one by one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Entry {
    /// A run begins.
    Began {
        /// With what.
        start: Start,
        /// The component's hash, hex.
        version: String,
    },
    /// An import was answered.
    Step(Step),
    /// The run is over.
    Ended {
        /// Milliseconds from its start.
        at_ms: u32,
        /// How.
        finish: Finish,
    },
    /// The run goes on with another version, which asked the same up to here.
    Moved {
        /// Milliseconds from its start.
        at_ms: u32,
        /// The component's hash, hex.
        version: String,
    },
    /// What became of the call meanwhile; a run writes none of these itself.
    Fact(Fact),
    /// What the server must know to take the call up after a restart, in a form of its own.
    Legs(Vec<u8>),
}

/// The entry that keeps what the server must know of a call's legs.
pub fn legs_entry(legs: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(legs.len() + 16);
    bytes.extend_from_slice(&[0, 0, 0, 0, LEGS]);
    // What postcard makes of a slice, but at once: it would go octet by octet.
    let mut bytes = postcard::to_extend(&legs.len(), bytes).expect("a number can be written");
    bytes.extend_from_slice(legs);
    close(&mut bytes, 0);
    bytes
}

/// The runs on a call's tape as they were written, without what stands between their entries: those that have
/// ended, and the one that has not, empty when there is none or it has asked nothing.
pub fn runs(bytes: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let (mut ended, mut open, mut steps) = (Vec::new(), Vec::new(), 0);
    let mut rest = bytes;
    loop {
        if let Some(after) = rest.strip_prefix(MAGIC).and_then(|after| after.get(1..)) {
            // What had not ended before another began had asked nothing.
            (open, steps) = (rest[..rest.len() - after.len()].to_vec(), 0);
            rest = after;
        }
        let before = rest;
        let Some(entry) = take_entry(&mut rest) else { break };
        if let Entry::Fact(_) | Entry::Legs(_) = entry {
            continue;
        }
        open.extend_from_slice(&before[..before.len() - rest.len()]);
        steps += u32::from(matches!(entry, Entry::Step(_)));
        if let Entry::Ended { .. } = entry {
            ended.append(&mut open);
        }
    }
    if steps == 0 {
        open.clear();
    }
    (ended, open)
}

/// The entries in bytes that [`crate::World::tape`] was handed.
pub fn entries(bytes: &[u8]) -> Vec<Entry> {
    let mut rest = bytes.strip_prefix(MAGIC).and_then(|rest| rest.get(1..)).unwrap_or(bytes);
    std::iter::from_fn(|| take_entry(&mut rest)).collect()
}

/// The tag of `Entry::Began`.
const BEGAN: u8 = 0;
/// The tag of `Entry::Step`, which is written piece by piece.
const STEP: u8 = 1;
/// The tag of `Entry::Fact`.
const FACT: u8 = 4;
/// The tag of `Entry::Legs`.
const LEGS: u8 = 5;
/// The tag of an `Entry::Began` with a change behind it.
const BEGAN_OF_CHANGE: u8 = 6;

/// One run, as recorded.
#[derive(Clone, Debug, PartialEq)]
pub struct Segment {
    /// What the run began with.
    pub start: Start,
    /// The component's hash, hex; the last one's where the run went on with another.
    pub version: String,
    /// Its imports.
    pub steps: Vec<Step>,
    /// When and how it ended; none when it still ran at the end of the tape.
    pub finish: Option<(Duration, Finish)>,
}

/// A tape, read.
#[derive(Clone, Debug, PartialEq)]
pub struct Tape {
    /// The runs in their order; at least one.
    pub segments: Vec<Segment>,
    /// What became of the call beside them, in order of time.
    pub facts: Vec<Fact>,
    /// What the server kept last of the call's legs; none on the tape of a call that is over.
    pub legs: Option<Vec<u8>>,
    /// The end was missing or damaged and has been left out.
    pub cut: bool,
}

/// Why a tape can't be read at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unreadable {
    /// It does not begin like a tape, or not even its first entry is whole.
    NotATape,
    /// Written by another version of the engine.
    Version(u8),
    /// Longer than [`MAX_TAPE`].
    TooLong,
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotATape => f.write_str("this is not a call's tape"),
            Self::Version(version) => {
                write!(f, "the tape has format {version}; this engine reads format {VERSION}")
            }
            Self::TooLong => write!(f, "the tape is longer than {MAX_TAPE} bytes"),
        }
    }
}

impl std::error::Error for Unreadable {}

impl Tape {
    /// Reads one call's tape. A damaged tail is left out and [`Tape::cut`] says so; a segment of an
    /// unknown version is an error wherever it stands.
    pub fn read(bytes: &[u8]) -> Result<Self, Unreadable> {
        if bytes.len() > MAX_TAPE {
            return Err(Unreadable::TooLong);
        }
        let mut tape = Tape { segments: Vec::new(), facts: Vec::new(), legs: None, cut: false };
        let mut rest = bytes;
        while !rest.is_empty() {
            if let Some(after) = rest.strip_prefix(MAGIC) {
                match after.first() {
                    Some(&VERSION) => rest = &after[1..],
                    Some(&other) => return Err(Unreadable::Version(other)),
                    None => tape.cut = true,
                }
            }
            let Some(entry) = (!tape.cut).then(|| take_entry(&mut rest)).flatten() else {
                tape.cut = true;
                break;
            };
            if !tape.add(entry) {
                tape.cut = true;
                break;
            }
        }
        tape.facts.sort_by(|a, b| a.at.total_cmp(&b.at));
        if tape.segments.is_empty() { Err(Unreadable::NotATape) } else { Ok(tape) }
    }

    /// Whether the entry fits where the tape stands.
    fn add(&mut self, entry: Entry) -> bool {
        let room = self.segments.len() < MAX_SEGMENTS;
        let open = self.segments.last_mut().filter(|segment| segment.finish.is_none());
        match (entry, open) {
            (Entry::Began { start, version }, _) if room => {
                self.segments.push(Segment { start, version, steps: Vec::new(), finish: None });
            }
            (Entry::Fact(fact), _) => self.facts.push(fact),
            (Entry::Legs(legs), _) => self.legs = Some(legs),
            (Entry::Step(step), Some(segment)) => segment.steps.push(step),
            (Entry::Moved { version, .. }, Some(segment)) => segment.version = version,
            (Entry::Ended { at_ms, finish }, Some(segment)) => {
                segment.finish = Some((Duration::from_millis(at_ms.into()), finish));
            }
            _ => return false,
        }
        true
    }
}

fn take_entry(rest: &mut &[u8]) -> Option<Entry> {
    let (length, after) = rest.split_first_chunk::<4>()?;
    let (entry, after) = after.split_at_checked(u32::from_le_bytes(*length) as usize)?;
    let (entry, left) = match entry.split_first()? {
        (&BEGAN_OF_CHANGE, began) => {
            let ((mut start, version, change), left): ((Start, _, _), _) =
                postcard::take_from_bytes(began).ok()?;
            start.changed = Some(change);
            (Entry::Began { start, version }, left)
        }
        _ => postcard::take_from_bytes(entry).ok()?,
    };
    *rest = after;
    left.is_empty().then_some(entry)
}

/// Writes one segment, entry by entry.
pub(crate) struct Writer {
    bytes: Vec<u8>,
    limit: usize,
    /// Where the step that is being asked begins; what is behind it is not yet on the tape.
    asking: Option<usize>,
}

/// The tape would be longer than its limit; the step was not written.
#[derive(Debug)]
pub(crate) struct Full;

impl Writer {
    pub(crate) fn new(limit: usize) -> Self {
        Self { bytes: Vec::with_capacity(512), limit, asking: None }
    }

    /// Each of these answers the bytes to append to the call's tape.
    pub(crate) fn began(&mut self, start: &Start, version: &str) -> &[u8] {
        self.bytes.extend_from_slice(MAGIC);
        self.bytes.push(VERSION);
        let from = self.open();
        match &start.changed {
            Some(change) => {
                self.bytes.push(BEGAN_OF_CHANGE);
                self.put(&(start, version, change));
            }
            None => {
                self.bytes.push(BEGAN);
                self.put(&(start, version));
            }
        }
        self.close(from);
        &self.bytes
    }

    /// Notes what is asked; nothing is on the tape before `answered`.
    pub(crate) fn asked(&mut self, at_ms: u32, command: &Command) {
        let from = self.open();
        self.asking = Some(from);
        self.bytes.push(STEP);
        self.put(&(at_ms, command));
    }

    /// Completes the step that was asked.
    pub(crate) fn answered(&mut self, took_ms: u32, answer: &Answer) -> Result<&[u8], Full> {
        let from = self.asking.take().expect("answered follows asked");
        self.put(&(took_ms, answer));
        if self.bytes.len() > self.limit {
            self.bytes.truncate(from);
            return Err(Full);
        }
        self.close(from);
        Ok(&self.bytes[from..])
    }

    pub(crate) fn ended(&mut self, at_ms: u32, finish: &Finish) -> &[u8] {
        if let Some(from) = self.asking.take() {
            self.bytes.truncate(from);
        }
        let from = self.open();
        self.put(&Entry::Ended { at_ms, finish: finish.clone() });
        self.close(from);
        &self.bytes[from..]
    }

    /// What is being asked.
    pub(crate) fn asking(&self) -> Option<Command> {
        let step = &self.bytes[self.asking? + size_of::<u32>()..];
        let ((_at_ms, command), _) =
            postcard::take_from_bytes::<(u32, Command)>(step.strip_prefix(&[STEP])?).ok()?;
        Some(command)
    }

    /// Goes before the step that is being asked.
    pub(crate) fn moved(&mut self, at_ms: u32, version: &str) -> &[u8] {
        let from = self.asking.unwrap_or(self.bytes.len());
        let asked = self.bytes.split_off(from);
        let entry = self.open();
        self.put(&Entry::Moved { at_ms, version: version.into() });
        self.close(entry);
        let to = self.bytes.len();
        self.asking = self.asking.map(|_| to);
        self.bytes.extend(asked);
        &self.bytes[from..to]
    }

    /// The steps that were written so far.
    pub(crate) fn steps(&self) -> Vec<Step> {
        let step = |entry| if let Entry::Step(step) = entry { Some(step) } else { None };
        entries(&self.bytes).into_iter().filter_map(step).collect()
    }

    /// What the run began with, where this is its whole segment.
    pub(crate) fn start(&self) -> Option<Start> {
        let mut rest = self.bytes.strip_prefix(MAGIC)?.get(1..)?;
        if let Entry::Began { start, .. } = take_entry(&mut rest)? { Some(start) } else { None }
    }

    /// Gives memory back that was kept for more to come.
    pub(crate) fn shrink(&mut self) {
        self.bytes.shrink_to_fit();
    }

    pub(crate) fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.bytes)
    }

    fn open(&mut self) -> usize {
        let from = self.bytes.len();
        self.bytes.extend_from_slice(&[0; 4]);
        from
    }

    fn put<T: Serialize>(&mut self, value: &T) {
        let bytes = std::mem::take(&mut self.bytes);
        self.bytes = postcard::to_extend(value, bytes).expect("memory takes it and no type here can fail");
    }

    fn close(&mut self, from: usize) {
        close(&mut self.bytes, from);
    }
}

/// Writes the length of an entry in front of it.
fn close(bytes: &mut [u8], from: usize) {
    let length = u32::try_from(bytes.len() - from - 4).expect("a tape is bounded");
    bytes[from..from + 4].copy_from_slice(&length.to_le_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start() -> Start {
        let party = exchange::Party { number: "+359888123456".into(), name: None, uri: "tel:1".into() };
        Start {
            call: CallId::new(1_795_000_000_000, 7),
            tenant: "acme".into(),
            script: "reception".into(),
            caller: LegInfo {
                leg: exchange::LegNo::CALLER,
                party,
                dialled: "700".into(),
                direction: exchange::Direction::Inbound,
                user: None,
                headers: Default::default(),
                language: "en".into(),
            },
            settings: "{}".into(),
            seed: 4711,
            started: 1_795_000_000.0,
            ended: None,
            changed: None,
        }
    }

    fn fact(at: f64) -> Fact {
        Fact { at, kind: "queue.offered".into(), about: vec![("agents".into(), "ana".into())] }
    }

    /// The entries of a run of one step.
    fn run() -> Vec<Vec<u8>> {
        let mut writer = Writer::new(1 << 20);
        let began = writer.began(&start(), "c0ffee").to_vec();
        writer.asked(5, &Command::Now);
        let step = writer.answered(1, &Answer::Instant(1_795_000_000.0)).unwrap().to_vec();
        let ended = writer.ended(9, &Finish::Returned).to_vec();
        vec![began, step, ended]
    }

    #[test]
    fn facts_stand_anywhere_and_change_nothing_of_the_runs() {
        let [began, step, ended] = &run()[..] else { panic!() };
        let plain = Tape::read(&run().concat()).unwrap();
        assert_eq!((plain.segments[0].steps.len(), &plain.facts[..], plain.cut), (1, &[][..], false));
        // As a journal has them: some before the run, some between its entries, some after it, in any order.
        let [f1, f2, f3] = [fact(1.0), fact(2.0), fact(3.0)];
        let facts = [&f1, &f2, &f3].map(Fact::entry);
        let mixed: [&[u8]; 8] = [&facts[2], began, &facts[0], step, ended, &facts[1], began, step];
        let mixed = Tape::read(&mixed.concat()).unwrap();
        assert_eq!(mixed.facts, [f1, f2, f3]);
        assert_eq!(mixed.segments[0], plain.segments[0]);
        assert_eq!((mixed.segments.len(), mixed.segments[1].steps.len(), mixed.cut), (2, 1, false));
        assert_eq!(Tape::read(&fact(1.0).entry()), Err(Unreadable::NotATape), "facts alone replay nothing");
    }

    #[test]
    fn a_call_that_is_taken_up_has_the_runs_of_before_and_the_one_that_goes_on() {
        let [began, step, ended] = &run()[..] else { panic!() };
        let (fact, legs) = (fact(1.0).entry(), legs_entry(b"one"));
        let whole = run().concat();
        let tape: [&[u8]; 7] = [&fact, &whole, began, &legs, step, &fact, step];
        let (before, open) = runs(&tape.concat());
        assert_eq!((before, open), (whole.clone(), [began, step, step].map(Vec::as_slice).concat()));
        // A run that had asked nothing begins anew.
        assert_eq!(runs(&[&whole, began].map(Vec::as_slice).concat()), (whole.clone(), Vec::new()));
        let again: [&[u8]; 4] = [&whole, began, began, step];
        assert_eq!(runs(&again.concat()), (whole.clone(), [began, step].map(Vec::as_slice).concat()));
        assert_eq!(runs(&whole), (whole.clone(), Vec::new()));
        assert_eq!(runs(&[whole.as_slice(), &ended[..3]].concat()), (whole, Vec::new()), "a cut tail");
    }

    #[test]
    fn what_was_kept_last_of_the_legs_counts_and_no_run_notices() {
        let [began, step, ended] = &run()[..] else { panic!() };
        let kept = [legs_entry(b"one"), legs_entry(b"two")];
        let tape = Tape::read(&[began, &kept[0], step, &kept[1], ended].map(Vec::as_slice).concat()).unwrap();
        assert_eq!(tape.legs.as_deref(), Some(&b"two"[..]));
        assert_eq!(tape.segments, Tape::read(&run().concat()).unwrap().segments);
    }

    #[test]
    fn a_fact_is_written_as_it_has_to_be_read_for_ever() {
        let entry = fact(1.5).entry();
        let mut expected = vec![4]; // the kind of entry
        expected.extend(1.5_f64.to_le_bytes());
        expected.extend(b"\x0dqueue.offered\x01\x06agents\x03ana");
        assert_eq!(entry[..4], u32::try_from(expected.len()).unwrap().to_le_bytes());
        assert_eq!(entry[4..], expected);
    }

    #[test]
    fn a_change_stands_behind_the_start_and_comes_back_with_it() {
        let change = TaskChange {
            id: "1-2".into(),
            at: 1_795_000_000.0,
            event: exchange::TaskEvent::Closed(exchange::TaskState::GivenUp),
            task: exchange::TaskInfo {
                id: "1-1".into(),
                state: exchange::TaskState::GivenUp,
                number: "+359888123456".into(),
                name: String::new(),
                contact: None,
                title: "Call back".into(),
                responsible: Some("ana".into()),
                due: None,
                late: true,
                opened: 1.0,
                closed: Some(2.0),
                closed_by: None,
                dialled: "700".into(),
                queue: None,
                missed: 1,
                last: 1.0,
                calls: vec!["1".into()],
                recordings: Vec::new(),
                notes: Vec::new(),
            },
        };
        let begun = Start { changed: Some(Box::new(change)), ..start() };
        let mut writer = Writer::new(1 << 20);
        writer.began(&begun, "c0ffee");
        writer.ended(9, &Finish::Returned);
        assert_eq!(writer.start(), Some(begun.clone()));
        let whole = [run().concat(), writer.take()].concat();
        let tape = Tape::read(&whole).unwrap();
        assert_eq!((tape.segments.len(), tape.cut), (2, false));
        assert_eq!((&tape.segments[1].start, tape.segments[1].version.as_str()), (&begun, "c0ffee"));
        assert_eq!(
            tape.segments.iter().map(|s| s.start.export()).collect::<Vec<_>>(),
            ["on-call", "on-change"]
        );
    }
}
