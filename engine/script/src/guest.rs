//! A guest in one run of a call script, as its store holds it: every import passes [`Guest::ask`],
//! which counts it, answers it from the tape or from the [`World`], and writes it on the tape.
//!
//! Also here: the budget of CPU between two imports, and the bounds on memory. Which Wasm function
//! asked, and how arguments look in `wit/`, is the business of `host`.

use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use exchange::{Answer, BridgeEnd, CallId, Command, Failure, LegNo, Level};
use tokio::time::Instant;
use wasmtime::component::ResourceTable;
use wasmtime::{ResourceLimiter, UpdateDeadline};

use crate::background;
use crate::host::Wasi;
use crate::limits::{self, Limits};
use crate::reins::Reins;
use crate::rest::Rest;
use crate::sections::laid_over;
use crate::slice::{self, Tick};
use crate::tape::{Finish, Start, Step, TrapKind, Writer};

/// The answer that is on its way.
pub type Asked<'a> = Pin<Box<dyn Future<Output = Answer> + Send + 'a>>;

/// Whoever carries out what scripts ask: the exchange, a simulation, a test.
pub trait World: Send + Sync + 'static {
    /// Does what was asked and answers. `Random` and `Settings` never come here, and `Log` comes
    /// already cut to its limit. Dropping the future takes the asking back: it happens when the
    /// command's time ([`limits::wait`]) is up and when the run itself is dropped.
    ///
    /// Once the caller has left, a verb that waits is answered with [`Failure::HungUp`].
    fn ask(&self, call: CallId, command: Command) -> Asked<'_>;

    /// How long the call has gone on, in a world with a time of its own; by the machine's clock if none.
    fn elapsed(&self, call: CallId) -> Option<Duration> {
        let _ = call;
        None
    }

    /// How long the guest computed since its last import returned, said before each import is asked. It is
    /// not on the tape, since no two runs compute equally long.
    fn computed(&self, call: CallId, time: Duration) {
        let _ = (call, time);
    }

    /// By what a run is held; of each run its own, and none if nothing will be wished of it.
    fn reins(&self) -> Option<Arc<Reins>> {
        None
    }

    /// The next bytes of the call's tape, whole entries, to be appended where the tape is kept. The
    /// same bytes are in [`crate::Run::tape`] at the end.
    fn tape(&self, call: CallId, bytes: &[u8]) {
        let _ = (call, bytes);
    }
}

/// Why the host stopped a guest; carried through Wasm as its error.
#[derive(Debug)]
pub(crate) enum Stop {
    Limit(TrapKind),
    /// Played from its tape, the guest asked `now` where `recorded` stood; none where the tape ends.
    Parted {
        step: usize,
        recorded: Option<Box<Command>>,
        now: Box<Command>,
    },
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Limit(kind) => kind.fmt(f),
            Self::Parted { step, .. } => write!(f, "parted from the tape at step {step}"),
        }
    }
}

impl std::error::Error for Stop {}

/// What the store of a call script holds.
pub(crate) struct Guest {
    pub(crate) table: ResourceTable,
    pub(crate) caps: Caps,
    pub(crate) stretch: Stretch,
    pub(crate) start: Start,
    /// Of the component that it is played on.
    own_settings: Option<Arc<str>>,
    /// None in a replay: at the end of the tape it is over.
    pub(crate) world: Option<Arc<dyn World>>,
    /// What is answered from a tape first.
    pub(crate) past: VecDeque<Step>,
    /// Steps answered from the tape.
    pub(crate) played: usize,
    pub(crate) writer: Writer,
    pub(crate) limits: Limits,
    pub(crate) began: Instant,
    /// When the last import was answered, counted from the start of the run: what the guest's clocks show. Taken from
    /// what the tape says, so that it is the same in a replay.
    pub(crate) at: Duration,
    pub(crate) wasi: Wasi,
    /// What the guest has logged as errors since it last did something else: why it gives up, if it does.
    last_words: String,
    /// The last import returned, by the clock of the machine: tests have another.
    computes_since: std::time::Instant,
    pub(crate) calls: u32,
    /// The second that is being counted, and imports in it.
    second: (Instant, u32),
    chance: Chance,
    logged: usize,
    pub(crate) cleaning_up: Option<CleaningUp>,
    handed_over: Option<(String, String)>,
    pub(crate) rest: Rest,
}

pub(crate) struct CleaningUp {
    calls_left: u32,
    until: Instant,
    /// Of the time in which other legs than the caller's may be asked something; it does not count as cleaning up.
    asking_left: Duration,
}

impl Guest {
    pub(crate) fn new(start: Start, past: Vec<Step>, world: Option<Arc<dyn World>>, limits: &Limits) -> Self {
        let began = Instant::now();
        let rest = Rest::new(world.as_ref().and_then(|world| world.reins()));
        let mut table = ResourceTable::new();
        table.set_max_capacity(limits.handles);
        let cleaning_up = limits.time.map(|time| CleaningUp {
            calls_left: limits.host_calls,
            until: began + time,
            asking_left: Duration::ZERO,
        });
        Self {
            table,
            caps: Caps::new(limits),
            stretch: Stretch::new(limits.stretch),
            chance: Chance(start.seed),
            at: Duration::ZERO,
            wasi: Wasi::new(start.seed, limits),
            last_words: String::new(),
            start,
            own_settings: None,
            world,
            past: past.into(),
            played: 0,
            writer: Writer::new(limits.tape),
            limits: limits.clone(),
            began,
            computes_since: std::time::Instant::now(),
            calls: 0,
            second: (began, 0),
            logged: 0,
            cleaning_up,
            handed_over: None,
            rest,
        }
    }

    /// What the component brings along that it is played on.
    pub(crate) fn set_own_settings(&mut self, settings: Option<&Arc<str>>) {
        self.own_settings = settings.cloned();
    }

    pub(crate) fn start(&self) -> &Start {
        &self.start
    }

    /// Opens the segment on the tape.
    pub(crate) fn write_began(&mut self, version: &str) {
        let bytes = self.writer.began(&self.start, version);
        if let Some(world) = &self.world {
            world.tape(self.start.call, bytes);
        }
    }

    /// Closes the segment and gives it away.
    pub(crate) fn write_ended(&mut self, finish: &Finish) -> Vec<u8> {
        let at_ms = millis(self.elapsed());
        let bytes = self.writer.ended(at_ms, finish);
        if let Some(world) = &self.world {
            world.tape(self.start.call, bytes);
        }
        self.writer.take()
    }

    /// The last hand-over that was accepted.
    pub(crate) fn handed_over(&mut self) -> Option<(String, String)> {
        self.handed_over.take()
    }

    /// What the guest said of its failure before it was stopped, a line each; empty when it said nothing.
    pub(crate) fn last_words(&self) -> &str {
        self.last_words.trim_end()
    }

    pub(crate) fn elapsed(&self) -> Duration {
        let played = self.world.as_ref().and_then(|world| world.elapsed(self.start.call));
        played.unwrap_or_else(|| self.began.elapsed())
    }

    /// One import: the whole of what a guest can do.
    pub(crate) async fn ask(&mut self, command: Command) -> wasmtime::Result<Answer> {
        background::leave();
        if let Some(world) = &self.world {
            world.computed(self.start.call, self.computes_since.elapsed());
        }
        let answer = match self.log_output().await {
            Ok(()) => self.answer(command).await,
            Err(stop) => Err(stop),
        };
        self.stretch.begin();
        self.computes_since = std::time::Instant::now();
        answer.map_err(wasmtime::Error::from)
    }

    /// The guest has returned or was stopped: what it wrote last is logged too, as far as its bounds allow.
    pub(crate) async fn end_output(&mut self) {
        self.wasi.end_lines();
        let _ = self.log_output().await;
    }

    /// Logs the lines that the guest wrote to standard output and error since its last import.
    async fn log_output(&mut self) -> Result<(), Stop> {
        while let Some((level, message)) = self.wasi.next_line() {
            self.answer(Command::Log { level, message }).await?;
        }
        Ok(())
    }

    async fn answer(&mut self, command: Command) -> Result<Answer, Stop> {
        self.calls += 1;
        if self.calls > self.limits.host_calls {
            return Err(Stop::Limit(TrapKind::TooManyHostCalls));
        }
        let Some(command) = self.trim_log(command) else { return Ok(Answer::Done) };
        self.hear(&command);
        if let Some(cleaning_up) = &mut self.cleaning_up {
            match cleaning_up.calls_left.checked_sub(1) {
                Some(left) => cleaning_up.calls_left = left,
                None => return Err(Stop::Limit(TrapKind::CleaningUp)),
            }
        }
        let local = self.local(&command);
        let hand_over = match &command {
            Command::HandOver { script, settings } => Some((script.clone(), settings.clone())),
            _ => None,
        };
        let leaving = Leaving::of(&command);
        let answer = if self.past.is_empty() {
            self.answer_live(command, local).await?
        } else {
            self.answer_from_tape(command, local)?
        };
        if matches!(answer, Answer::Done) && hand_over.is_some() {
            self.handed_over = hand_over;
        }
        if self.cleaning_up.is_none() && leaving.shown_by(&answer) {
            self.cleaning_up = Some(CleaningUp {
                calls_left: self.limits.cleaning_up_calls,
                until: Instant::now() + self.limits.cleaning_up_time,
                asking_left: limits::ASKING_AFTER_TIME,
            });
        }
        Ok(answer)
    }

    fn answer_from_tape(&mut self, command: Command, local: Option<Answer>) -> Result<Answer, Stop> {
        let step = self.past.pop_front().expect("looked before");
        if step.command != command {
            let recorded = Some(Box::new(step.command));
            return Err(Stop::Parted { step: self.played, recorded, now: Box::new(command) });
        }
        self.played += 1;
        self.note_time(step.at_ms, step.took_ms);
        match (&step.command, local) {
            // Its own are another version's part in what is compared.
            (Command::Settings, Some(settings)) => Ok(settings),
            _ => Ok(step.answer),
        }
    }

    async fn answer_live(&mut self, command: Command, local: Option<Answer>) -> Result<Answer, Stop> {
        let Some(world) = self.world.clone() else {
            return Err(Stop::Parted { step: self.played, recorded: None, now: Box::new(command) });
        };
        self.keep_pace().await;
        let asked_at = self.elapsed();
        self.writer.asked(millis(asked_at), &command);
        let answer = match local {
            Some(answer) => answer,
            None if self.can_rest(&command) => self.wait(world, command, asked_at).await,
            None => self.answer_of(world.as_ref(), command).await?,
        };
        match self.write_answer(asked_at, &answer) {
            Ok(()) => Ok(answer),
            Err(kind) => Err(Stop::Limit(kind)),
        }
    }

    /// Puts the answer to what was asked on the tape. `asked_at`: from the start of the run.
    pub(crate) fn write_answer(&mut self, asked_at: Duration, answer: &Answer) -> Result<(), TrapKind> {
        let took = self.elapsed().saturating_sub(asked_at);
        self.note_time(millis(asked_at), millis(took));
        let bytes = self.writer.answered(millis(took), answer).map_err(|_full| TrapKind::TapeFull)?;
        if let Some(world) = &self.world {
            world.tape(self.start.call, bytes);
        }
        Ok(())
    }

    async fn answer_of(&mut self, world: &dyn World, command: Command) -> Result<Answer, Stop> {
        let mut limit = limits::wait(&command);
        let began = Instant::now();
        let asks_another = matches!(
            &command,
            Command::Play { leg, .. } | Command::Gather { leg, .. } if *leg != LegNo::CALLER
        );
        if let Some(cleaning_up) = &self.cleaning_up {
            let left = cleaning_up.until.saturating_duration_since(began);
            if left.is_zero() {
                return Err(Stop::Limit(TrapKind::CleaningUp));
            }
            limit = limit.min(if asks_another { left + cleaning_up.asking_left } else { left });
        }
        let can_fail = !matches!(
            command,
            Command::Now
                | Command::LocalTime
                | Command::TimeIn { .. }
                | Command::TransferredBy
                | Command::FindUser { .. }
                | Command::Group { .. }
                | Command::Scheme { .. }
                | Command::LastSpokeWith { .. }
                | Command::Conversations { .. }
                | Command::LookAtQueue { .. }
                | Command::Position { .. }
                | Command::ExpectedWait { .. }
                | Command::AgentState { .. }
        );
        let asked = tokio::time::timeout(limit, world.ask(self.start.call, command)).await;
        if let Some(cleaning_up) = self.cleaning_up.as_mut().filter(|_| asks_another) {
            let took = began.elapsed().min(cleaning_up.asking_left);
            cleaning_up.asking_left -= took;
            cleaning_up.until += took;
        }
        match asked {
            Ok(answer) => Ok(answer),
            Err(_) if can_fail => Ok(Answer::Failed(Failure::TimedOut)),
            Err(_) => Err(Stop::Limit(TrapKind::Engine)),
        }
    }

    /// A step's times as the tape has them. A run that was resumed is counted anew, and its clock does not go back.
    fn note_time(&mut self, at_ms: u32, took_ms: u32) {
        let answered = Duration::from_millis(u64::from(at_ms) + u64::from(took_ms));
        self.at = self.at.max(answered);
    }

    /// Remembers why the guest may be about to give up.
    fn hear(&mut self, command: &Command) {
        match command {
            Command::Log { level: Level::Error, message } => {
                let room = limits::LAST_WORDS.saturating_sub(self.last_words.len());
                self.last_words.push_str(&message[..message.floor_char_boundary(room)]);
                self.last_words.push('\n');
            }
            Command::Log { .. } => {}
            _ => self.last_words.clear(),
        }
    }

    /// What needs no world. Chance is drawn in a replay too, so that a resumed run goes on with it.
    fn local(&mut self, command: &Command) -> Option<Answer> {
        match command {
            Command::Random { below } => Some(Answer::Random(self.chance.below(*below))),
            Command::Settings => {
                let settings = laid_over(self.own_settings.as_deref(), &self.start.settings);
                Some(Answer::Text(settings.into_owned()))
            }
            _ => None,
        }
    }

    /// Cuts a log line to its limit; none when the run has logged all it may. Depends on nothing but
    /// what the guest wrote, so a replay cuts the same.
    fn trim_log(&mut self, command: Command) -> Option<Command> {
        let Command::Log { level, mut message } = command else { return Some(command) };
        let room = self.limits.log_line.min(self.limits.log - self.logged);
        if room == 0 && !message.is_empty() {
            return None;
        }
        message.truncate(message.floor_char_boundary(room));
        self.logged += message.len();
        Some(Command::Log { level, message })
    }

    /// Makes a guest wait that calls more imports in a second than it may.
    async fn keep_pace(&mut self) {
        let now = Instant::now();
        let (second, count) = &mut self.second;
        if now.duration_since(*second) >= Duration::from_secs(1) {
            (*second, *count) = (now, 0);
        }
        if *count >= self.limits.host_calls_per_second.max(1) {
            *second += Duration::from_secs(1);
            *count = 0;
            tokio::time::sleep_until(*second).await;
        }
        self.second.1 += 1;
    }
}

pub(crate) fn millis(length: Duration) -> u32 {
    u32::try_from(length.as_millis()).unwrap_or(u32::MAX)
}

/// Whether an answer to a command can show that the caller has left.
enum Leaving {
    /// `hung-up` means the caller: the verb was on the caller's leg, or on no leg.
    HungUp,
    /// Besides `hung-up`: this end of the bridge means the caller.
    Bridge(BridgeEnd),
    Never,
}

impl Leaving {
    fn of(command: &Command) -> Self {
        match command {
            Command::Bridge { a, .. } | Command::Talk { a, .. } if *a == LegNo::CALLER => {
                Self::Bridge(BridgeEnd::AHungUp)
            }
            Command::Bridge { b, .. } | Command::Talk { b, .. } if *b == LegNo::CALLER => {
                Self::Bridge(BridgeEnd::BHungUp)
            }
            Command::Ring { leg, .. }
            | Command::Answer { leg }
            | Command::Reject { leg, .. }
            | Command::Play { leg, .. }
            | Command::Gather { leg, .. }
            | Command::RecordMessage { leg, .. }
            | Command::StartRecording { leg }
            | Command::SendDigits { leg, .. }
            | Command::Hold { leg, .. }
            | Command::Resume { leg }
            | Command::Park { leg, .. }
                if *leg == LegNo::CALLER =>
            {
                Self::HungUp
            }
            Command::Dial(_)
            | Command::Sleep { .. }
            | Command::Fetch(_)
            | Command::Wait { .. }
            // The caller's leg is another call's then.
            | Command::Retrieve { .. }
            | Command::PickUp { .. } => Self::HungUp,
            _ => Self::Never,
        }
    }

    fn shown_by(&self, answer: &Answer) -> bool {
        match (self, answer) {
            (Self::HungUp, Answer::Failed(Failure::HungUp)) => true,
            (Self::Bridge(end), Answer::BridgeEnded(ended)) => end == ended,
            _ => false,
        }
    }
}

/// Chance from a seed: SplitMix64 (Steele, Lea and Flood, 2014).
pub(crate) struct Chance(pub(crate) u64);

impl Chance {
    fn below(&mut self, below: u32) -> u32 {
        // The high half of the product: even to one part in 2^32.
        ((u128::from(self.next()) * u128::from(below)) >> 64) as u32
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }
}

/// The budget of CPU between two imports. The engine's epoch ticks while guests compute, and a thread
/// that was not scheduled must not cost the guest anything: so a tick only starts the guest's own
/// clock, and the guest is stopped by that.
pub(crate) struct Stretch {
    limit: Duration,
    number: u64,
    /// The stretch that a tick has seen, and the thread's CPU time then. A guest stays on its thread
    /// from one import to the next, or until its slice is cut: then it is seen anew.
    seen: (u64, Duration),
}

impl Stretch {
    pub(crate) fn new(limit: Duration) -> Self {
        Self { limit, number: 1, seen: (0, Duration::ZERO) }
    }

    /// An import has returned.
    pub(crate) fn begin(&mut self) {
        self.number += 1;
    }

    /// A tick: go on for so many more, or stop.
    pub(crate) fn check(&mut self) -> wasmtime::Result<UpdateDeadline> {
        let cpu = thread_cpu();
        if self.seen.0 != self.number {
            self.seen = (self.number, cpu);
        }
        let computed = cpu.saturating_sub(self.seen.1);
        let left = self.limit.saturating_sub(computed);
        if left.is_zero() {
            background::leave();
            return Err(Stop::Limit(TrapKind::OutOfTime).into());
        }
        let left = u64::try_from(left.as_millis()).unwrap_or(u64::MAX).clamp(1, 1_000);
        Ok(match slice::tick(cpu) {
            Tick::NoSlice => UpdateDeadline::Continue(left.min(background::tick(computed))),
            Tick::Within => UpdateDeadline::Continue(1),
            Tick::Over => {
                // It goes on elsewhere, by that thread's clock.
                self.seen.0 = 0;
                UpdateDeadline::Yield(1)
            }
        })
    }
}

fn thread_cpu() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.try_into().unwrap_or(0), time.tv_nsec.try_into().unwrap_or(0))
}

/// A guest whose memory and time are bounded: a call's script, or a strategy that is asked.
pub(crate) trait Bounded: 'static {
    fn caps(&mut self) -> &mut Caps;
    fn stretch(&mut self) -> &mut Stretch;
}

impl Bounded for Guest {
    fn caps(&mut self) -> &mut Caps {
        &mut self.caps
    }

    fn stretch(&mut self) -> &mut Stretch {
        &mut self.stretch
    }
}

/// Bounds on memory and tables, all of a guest's together.
pub(crate) struct Caps {
    memory: usize,
    memory_left: usize,
    elements_left: usize,
    /// Something was refused: a trap after that is for want of memory.
    pub(crate) refused: bool,
}

impl Caps {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            memory: limits.memory,
            memory_left: limits.memory,
            elements_left: limits.table_elements,
            refused: false,
        }
    }

    /// Bytes that the guest holds.
    pub(crate) fn used(&self) -> usize {
        self.memory - self.memory_left
    }
}

impl ResourceLimiter for Caps {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        background::leave();
        let left = self.memory_left.checked_sub(desired.saturating_sub(current));
        self.refused |= left.is_none();
        self.memory_left = left.unwrap_or(self.memory_left);
        Ok(left.is_some())
    }

    fn memory_grow_failed(&mut self, _error: wasmtime::Error) -> wasmtime::Result<()> {
        self.refused = true;
        Ok(())
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        background::leave();
        let left = self.elements_left.checked_sub(desired.saturating_sub(current));
        self.refused |= left.is_none();
        self.elements_left = left.unwrap_or(self.elements_left);
        Ok(left.is_some())
    }

    fn table_grow_failed(&mut self, _error: wasmtime::Error) -> wasmtime::Result<()> {
        self.refused = true;
        Ok(())
    }
}
