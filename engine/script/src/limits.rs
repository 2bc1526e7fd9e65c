//! What a guest may use: every bound of a sandbox, named, with what happens when it is reached.
//!
//! [`Limits`] are one run's; a tenant's configuration may lower or raise them. What the process as a
//! whole can hold (sandboxes, the largest memory) is in [`crate::Settings`], because the pool is laid
//! out once.

use std::time::Duration;

use exchange::Command;

/// A component larger than this is refused at upload. A tenant that runs Python needs
/// [`COMPONENT_PYTHON`].
pub const COMPONENT: usize = 4 << 20;
/// The size of a component for tenants that run Python.
pub const COMPONENT_PYTHON: usize = 20 << 20;
/// All memories of a guest together; `memory.grow` answers -1 beyond it.
pub const MEMORY: usize = 16 << 20;
/// The memory of a guest for tenants that run Python.
pub const MEMORY_PYTHON: usize = 64 << 20;
/// Elements of all tables of a guest together; `table.grow` answers -1 beyond it.
pub const TABLE_ELEMENTS: usize = 20_000;
/// Core instances of one component; Python makes 38. More are refused at upload.
pub const CORE_INSTANCES: u32 = 64;
/// Memories of one component; a QuickJS guest has two. More are refused at upload.
pub const MEMORIES: u32 = 4;
/// Tables of one component. More are refused at upload.
pub const TABLES: u32 = 16;
/// CPU between two imports of a call script; then the run ends as out of time. The check is by a
/// tick of 1 ms that counts from its first sight of the stretch, so the guest gets this much at
/// least and twice as much at most.
pub const STRETCH: Duration = Duration::from_millis(20);
/// CPU of all of a tenant's call scripts in a second; when they have had more, the next one waits until it is made up for,
/// for [`LET_IN`] at most, and then ends without a sandbox. Those that run already are bounded by their stretch.
pub const CPU_PER_SECOND: Duration = Duration::from_millis(500);
/// Runs of a version that ran out of time, in a row and none otherwise between them: then it is suspended.
pub const STALLS: u32 = 10;
/// One run of a suspended version begins in so long, to see whether it still does nothing but run out of time.
pub const TRIED_EVERY: Duration = Duration::from_secs(1);
/// CPU of one question to a queue strategy; then there is no ranking.
pub const STRETCH_STRATEGY: Duration = Duration::from_millis(10);
/// Imports in one run; the next one ends it.
pub const HOST_CALLS: u32 = 10_000;
/// Imports in a second, and at once; the guest waits when it is faster.
pub const HOST_CALLS_PER_SECOND: u32 = 200;
/// Imports of one `on-ended`.
pub const HOST_CALLS_ENDED: u32 = 200;
/// How long an `on-ended` may take, waits included.
pub const TIME_ENDED: Duration = Duration::from_secs(10);
/// Imports of one `on-change`.
pub const HOST_CALLS_CHANGE: u32 = 200;
/// How long an `on-change` may take, waits included.
pub const TIME_CHANGE: Duration = Duration::from_secs(10);
/// The tape of an `on-change`; one that would grow beyond this ends the run.
pub const TAPE_CHANGE: usize = 256 << 10;
/// Imports after the caller has left; the next one ends the run.
pub const CLEANING_UP_CALLS: u32 = 100;
/// Time for cleaning up after the caller has left, waits included.
pub const CLEANING_UP_TIME: Duration = Duration::from_secs(2);
/// Beside it, all together, for what is played to and asked of whoever answered when the caller has left.
pub const ASKING_AFTER_TIME: Duration = Duration::from_secs(120);
/// A longer log line is cut at the last whole character before.
pub const LOG_LINE: usize = 4 << 10;
/// When the lines of a run are longer together, the rest is dropped.
pub const LOG: usize = 64 << 10;
/// Handles that a call script holds at once; one more ends the run.
pub const HANDLES: usize = 1_000;
/// Handles that a strategy holds at once: a snapshot of 10,000 callers and agents, twice.
pub const HANDLES_STRATEGY: usize = 20_000;
/// Bytes that one import may hand to the engine; a larger one ends the run.
pub const HOST_CALL_BYTES: usize = 1 << 20;
/// A tape that would grow beyond this ends the run.
pub const TAPE: usize = 4 << 20;
/// Bytes of what a script said of its failure that stand before its backtrace; the rest is in its log.
pub const LAST_WORDS: usize = 4 << 10;
/// Frames of a backtrace that are kept.
pub const BACKTRACE_FRAMES: usize = 32;

/// A script that waits for longer than this gives its sandbox back, and is rebuilt from its tape when its answer is
/// there.
pub const REST: Duration = Duration::from_secs(3);
/// A run with more imports behind it keeps its sandbox: to rebuild it would take milliseconds.
pub const REST_STEPS: u32 = 1_000;
/// How long a run waits for a sandbox where none is free; then it ends without one.
pub const LET_IN: Duration = Duration::from_secs(1);

/// How long the engine looks something up before the import fails.
pub const WAIT_LOOK_UP: Duration = Duration::from_secs(5);
/// How long signalling may take: 64 × T1 (RFC 3261 §17.1.1.2) and a little.
pub const WAIT_SIGNALLING: Duration = Duration::from_secs(40);
/// Longest play, gather or sending of digits.
pub const WAIT_SOUND: Duration = Duration::from_secs(60 * 60);
/// Longest asking of a server outside.
pub const WAIT_FETCH: Duration = Duration::from_secs(120);
/// Longest conversation, and longest sleep.
pub const WAIT_CONVERSATION: Duration = Duration::from_secs(24 * 60 * 60);
/// What a verb with a length of its own gets on top of it.
pub const WAIT_GRACE: Duration = Duration::from_secs(30);

/// The bounds of one run.
#[derive(Clone, Debug, PartialEq)]
pub struct Limits {
    /// Bytes, all memories together. Not more than [`crate::Settings::memory`] for one of them.
    pub memory: usize,
    /// Elements, all tables together.
    pub table_elements: usize,
    /// CPU between two imports.
    pub stretch: Duration,
    /// CPU of all of the tenant's call scripts in a second.
    pub cpu_per_second: Duration,
    /// Imports in the run.
    pub host_calls: u32,
    /// Imports in a second; at least 1.
    pub host_calls_per_second: u32,
    /// The whole run, waits included; none for a call, which lasts as long as it lasts.
    pub time: Option<Duration>,
    /// Bytes of one log line.
    pub log_line: usize,
    /// Bytes of all log lines.
    pub log: usize,
    /// Handles at once.
    pub handles: usize,
    /// Bytes of one import's arguments.
    pub host_call_bytes: usize,
    /// Bytes of the tape of this run.
    pub tape: usize,
    /// Imports after the caller has left.
    pub cleaning_up_calls: u32,
    /// Time after the caller has left.
    pub cleaning_up_time: Duration,
    /// How long it waits in one import before it gives its sandbox back.
    pub rest: Duration,
}

/// How long a CRM may take: the caller hears nothing meanwhile.
const WAIT_CRM: Duration = Duration::from_secs(3);

impl Limits {
    /// For `on-call`.
    pub const fn call() -> Self {
        Self {
            memory: MEMORY,
            table_elements: TABLE_ELEMENTS,
            stretch: STRETCH,
            cpu_per_second: CPU_PER_SECOND,
            host_calls: HOST_CALLS,
            host_calls_per_second: HOST_CALLS_PER_SECOND,
            time: None,
            log_line: LOG_LINE,
            log: LOG,
            handles: HANDLES,
            host_call_bytes: HOST_CALL_BYTES,
            tape: TAPE,
            cleaning_up_calls: CLEANING_UP_CALLS,
            cleaning_up_time: CLEANING_UP_TIME,
            rest: REST,
        }
    }

    /// For `on-ended`: a small budget.
    pub const fn ended() -> Self {
        Self { host_calls: HOST_CALLS_ENDED, time: Some(TIME_ENDED), ..Self::call() }
    }

    /// For `on-change`: a small budget.
    pub const fn change() -> Self {
        Self { host_calls: HOST_CALLS_CHANGE, time: Some(TIME_CHANGE), tape: TAPE_CHANGE, ..Self::call() }
    }

    /// For one question to a queue strategy.
    pub const fn strategy() -> Self {
        Self { stretch: STRETCH_STRATEGY, handles: HANDLES_STRATEGY, ..Self::call() }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self::call()
    }
}

/// Whether a script may have to wait long for the answer, and hears of it itself when its time is up: then its sandbox
/// can be given back meanwhile.
pub(crate) fn waits_long(command: &Command) -> bool {
    matches!(
        command,
        Command::Play { .. }
            | Command::Gather { .. }
            | Command::RecordMessage { .. }
            | Command::Dial(_)
            | Command::Sleep { .. }
            | Command::Fetch(_)
            | Command::Bridge { .. }
            | Command::Talk { .. }
            | Command::Wait { .. }
            | Command::CarryOut { .. }
            | Command::Park { .. }
    )
}

/// How long the engine may take to answer a command before the import fails as timed out. A verb
/// that waits long by nature has what it asked for and a grace.
pub fn wait(command: &Command) -> Duration {
    match command {
        Command::Play { .. } | Command::Gather { .. } | Command::SendDigits { .. } => WAIT_SOUND,
        Command::RecordMessage { most, .. } => most.saturating_add(WAIT_GRACE).min(WAIT_CONVERSATION),
        Command::Dial(dial) => dial.timeout.saturating_add(WAIT_GRACE).min(WAIT_SOUND),
        Command::Sleep { length } => length.saturating_add(WAIT_GRACE).min(WAIT_CONVERSATION),
        Command::Bridge { .. } | Command::Talk { .. } | Command::Wait { .. } => WAIT_CONVERSATION,
        // The tenant's own limit ends it before.
        Command::Fetch(_) => WAIT_FETCH,
        Command::CarryOut { ring, .. } => ring.saturating_add(WAIT_GRACE).min(WAIT_SOUND),
        Command::Park { most, .. } => most.saturating_add(WAIT_GRACE).min(WAIT_CONVERSATION),
        Command::Ring { .. }
        | Command::Answer { .. }
        | Command::Reject { .. }
        | Command::StartRecording { .. }
        | Command::StopRecording { .. }
        | Command::PauseRecording { .. }
        | Command::Hold { .. }
        | Command::Resume { .. }
        | Command::HangUp { .. }
        | Command::RefuseTransfer { .. }
        | Command::Retrieve { .. }
        | Command::PickUp { .. } => WAIT_SIGNALLING,
        Command::SetLanguage { .. }
        | Command::Tag { .. }
        | Command::HandOver { .. }
        | Command::TransferredBy
        | Command::FindUser { .. }
        | Command::Group { .. }
        | Command::Now
        | Command::LocalTime
        | Command::TimeIn { .. }
        | Command::Random { .. }
        | Command::Settings
        | Command::KvGet { .. }
        | Command::KvSet { .. }
        | Command::KvSwap { .. }
        | Command::KvAdd { .. }
        | Command::KvDelete { .. }
        | Command::Scheme { .. }
        | Command::LastSpokeWith { .. }
        | Command::Conversations { .. }
        | Command::Notify { .. }
        | Command::Mailbox(_)
        | Command::CreateTask { .. }
        | Command::CloseTask { .. }
        | Command::Task { .. }
        | Command::EnterQueue { .. }
        | Command::LookAtQueue { .. }
        | Command::Position { .. }
        | Command::ExpectedWait { .. }
        | Command::SetPriority { .. }
        | Command::CallBack { .. }
        | Command::LeaveQueue { .. }
        | Command::AgentState { .. }
        | Command::MakeAvailable { .. }
        | Command::Pause { .. }
        | Command::SignIn { .. }
        | Command::SignOut { .. }
        | Command::Log { .. } => WAIT_LOOK_UP,
        Command::FindContact { .. } => WAIT_CRM,
    }
}
