//! The engine that runs guests: its settings, its pool, its clock, and one sandbox per run.
//!
//! A guest runs on a fiber of its own inside the future that its run is, so one that waits holds
//! memory and no thread, and one that waits for long gives its sandbox back and is made again from its tape. The pool is
//! laid out once for as many sandboxes as may be alive; a permit is taken first, and a run without one ends as
//! [`Finish::NoRoom`].

use std::fmt::Write as _;
use std::io;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use exchange::CallRecord;
use exchange::strategy::Snapshot;
use wasmtime::component::{InstancePre, Linker};
use wasmtime::{
    Config, Engine, InstanceAllocationStrategy, PoolConcurrencyLimitError, PoolingAllocationConfig, Store,
    Trap, WasmBacktrace, WasmFeatures,
};

use crate::apart::{Apart, Compiler};
use crate::bindings::call_script::CallScriptPre;
use crate::bindings::call_script::strowger::script::types as wit;
use crate::bindings::queue_strategy::QueueStrategyPre;
use crate::bindings::task_script::TaskScriptPre;
use crate::check::{self, Kind, Refused};
use crate::clock::Clock;
use crate::compiled::{Compiled, Origin, hex_hash};
use crate::guest::{Bounded, Guest, Stop, World};
use crate::host::{self, Question};
use crate::library::Version;
use crate::limits::{self, Limits};
use crate::reins::{Moved, Wish};
use crate::rest::Roused;
use crate::room::{Permit, Room};
use crate::sections;
use crate::slice;
use crate::stalls::Stalls;
use crate::tape::{Finish, Segment, Start, TrapKind, Writer};

/// The stack of a guest's fiber, host frames included.
const FIBER_STACK: usize = 256 << 10;
/// The part of it that Wasm may fill; then the run ends as a stack overflow.
const WASM_STACK: usize = 128 << 10;
/// Address space after a memory in which an access is caught without a check.
const GUARD: u64 = 64 << 10;
/// Memory of a sandbox that is cleared rather than given back when the next one takes its place.
const KEEP_RESIDENT: usize = 64 << 10;
/// Core instances in the pool per sandbox: a Rust guest takes three or four.
const CORE_INSTANCES_EACH: u32 = 4;
/// Memories in the pool per sandbox: a QuickJS guest has two.
const MEMORIES_EACH: u32 = 2;
/// Tables in the pool per sandbox.
const TABLES_EACH: u32 = 4;

/// Proposals that no script needs: what is not there has no mistakes, and relaxed SIMD is not the same on every
/// processor. A component that uses one is refused by its name.
const CLOSED: WasmFeatures = WasmFeatures::GC
    .union(WasmFeatures::GC_TYPES)
    .union(WasmFeatures::FUNCTION_REFERENCES)
    .union(WasmFeatures::EXCEPTIONS)
    .union(WasmFeatures::LEGACY_EXCEPTIONS)
    .union(WasmFeatures::THREADS)
    .union(WasmFeatures::SHARED_EVERYTHING_THREADS)
    .union(WasmFeatures::STACK_SWITCHING)
    .union(WasmFeatures::MEMORY64)
    .union(WasmFeatures::RELAXED_SIMD)
    .union(WasmFeatures::CM_ASYNC)
    .union(WasmFeatures::CM_ASYNC_STACKFUL)
    .union(WasmFeatures::CM_MORE_ASYNC_BUILTINS)
    .union(WasmFeatures::CM_THREADING)
    .union(WasmFeatures::CM_ERROR_CONTEXT)
    .union(WasmFeatures::CM_GC)
    .union(WasmFeatures::CM64);

/// What the process can hold; the pool is laid out for it once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Sandboxes alive at once; the next run ends as [`Finish::NoRoom`].
    pub sandboxes: u32,
    /// How many of them one tenant may have.
    pub per_tenant: u32,
    /// The largest memory that a guest may be given, bytes: [`limits::MEMORY_PYTHON`] where Python is
    /// to run. Address space of twice as much is reserved per sandbox.
    pub memory: usize,
    /// The largest component, bytes.
    pub component: usize,
    /// Where compiled components are kept; compiled again at each start if none. Must be the engine's
    /// own: what is in it is run.
    pub cache: Option<PathBuf>,
    /// Components are compiled in a process of their own; in this one if none.
    pub apart: Option<Apart>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            sandboxes: 8_000,
            per_tenant: 2_000,
            memory: limits::MEMORY,
            component: limits::COMPONENT,
            cache: None,
            apart: None,
        }
    }
}

/// Why the engine could not be made.
#[derive(Debug)]
pub enum NoEngine {
    /// The cache folder can't be made.
    Cache(io::Error),
    /// This machine can't give what [`Settings`] ask: address space, most likely.
    Engine(wasmtime::Error),
    /// No thread for the clock.
    Thread(io::Error),
}

impl std::fmt::Display for NoEngine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Cache(error) => write!(f, "the folder for compiled scripts can't be made: {error}"),
            Self::Engine(error) => write!(f, "the sandboxes can't be laid out: {error:#}"),
            Self::Thread(error) => write!(f, "the sandboxes' clock can't be started: {error}"),
        }
    }
}

impl std::error::Error for NoEngine {}

/// A component that passed the check, compiled and ready to start.
pub struct Component {
    hash: Arc<str>,
    size: usize,
    imports: Vec<String>,
    exports: Vec<String>,
    settings: Option<Arc<str>>,
    nothing_after: bool,
    pub(crate) ready: Ready,
}

pub(crate) enum Ready {
    Call(CallScriptPre<Guest>),
    Strategy(QueueStrategyPre<Question>),
    Task(TaskScriptPre<Guest>),
}

impl Component {
    /// SHA-256, hex.
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// Bytes, before compiling.
    pub fn size(&self) -> usize {
        self.size
    }

    /// Which world it is of.
    pub fn kind(&self) -> Kind {
        match self.ready {
            Ready::Call(_) => Kind::Call,
            Ready::Strategy(_) => Kind::Strategy,
            Ready::Task(_) => Kind::Task,
        }
    }

    /// The interfaces that it imports, with their versions.
    pub fn imports(&self) -> &[String] {
        &self.imports
    }

    /// What it exports.
    pub fn exports(&self) -> &[String] {
        &self.exports
    }

    /// The segment of an `on-ended` that does nothing, as running it would have written it; none where it has to be run,
    /// because the component does not say so ([`sections::NOTHING_AFTER`]).
    pub fn nothing_after(&self, start: &Start) -> Option<Vec<u8>> {
        self.nothing_after.then(|| {
            let mut writer = Writer::new(usize::MAX);
            writer.began(start, &self.hash);
            writer.ended(0, &Finish::Returned);
            writer.take()
        })
    }

    /// Settings of its own ([`sections`]).
    pub(crate) fn settings(&self) -> Option<&Arc<str>> {
        self.settings.as_ref()
    }
}

/// What is left of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    /// How it ended.
    pub finish: Finish,
    /// Its segment of the call's tape; empty when nothing ran. The world has had the same bytes.
    pub tape: Vec<u8>,
    /// Time on a thread, waits left out.
    pub cpu: Duration,
    /// How often it gave its sandbox back while it waited.
    pub rests: u32,
    /// Bytes of all its memories together, at most.
    pub memory: usize,
}

impl Run {
    fn not_begun(finish: Finish) -> Self {
        Self { finish, tape: Vec::new(), cpu: Duration::ZERO, rests: 0, memory: 0 }
    }
}

/// Runs guests.
pub struct Sandboxes {
    engine: Engine,
    scripts: Linker<Guest>,
    strategy: Linker<Question>,
    compiled: Compiled,
    settings: Settings,
    room: Arc<Room>,
    /// Guests that compute at this moment.
    pub(crate) clock: Arc<Clock>,
}

impl Sandboxes {
    /// Lays the pool out and starts the clock: a thread that ends with the last handle to the engine.
    pub fn new(settings: Settings) -> Result<Self, NoEngine> {
        let engine = Engine::new(&config(&settings)).map_err(NoEngine::Engine)?;
        let apart = settings.apart.clone().map(|apart| Compiler::new(apart, settings.memory));
        let compiled = Compiled::new(settings.cache.clone(), &engine, apart).map_err(NoEngine::Cache)?;
        let mut scripts = Linker::new(&engine);
        host::link_scripts(&mut scripts).map_err(NoEngine::Engine)?;
        let mut strategy = Linker::new(&engine);
        host::link_strategy(&mut strategy).map_err(NoEngine::Engine)?;
        let clock = Clock::start(&engine).map_err(NoEngine::Thread)?;
        let room = Room::new(settings.sandboxes, settings.per_tenant);
        Ok(Self { engine, scripts, strategy, compiled, settings, room, clock })
    }

    /// Checks and compiles a component, or finds it compiled. Takes 50 ms for a Rust guest and up to
    /// half a minute for Python: not for a thread that has other things to do.
    pub fn compile(&self, bytes: &[u8]) -> Result<Arc<Component>, Refused> {
        self.compile_from(bytes, Origin::Elsewhere)
    }

    /// As [`Sandboxes::compile`], of a component that came with this program: it is compiled in this process.
    pub fn compile_own(&self, bytes: &[u8]) -> Result<Arc<Component>, Refused> {
        self.compile_from(bytes, Origin::Own)
    }

    fn compile_from(&self, bytes: &[u8], origin: Origin) -> Result<Arc<Component>, Refused> {
        let names = check::names(bytes, self.settings.component, self.settings.memory)?;
        let hash = hex_hash(bytes);
        let carried = sections::carried(bytes);
        let code_hash = if carried.code.len() == bytes.len() { hash.clone() } else { hex_hash(carried.code) };
        let component = self.compiled.component(&self.engine, &code_hash, carried.code, origin)?;
        check::functions(&self.engine, &component, names.kind)?;
        let ready = match names.kind {
            Kind::Call => {
                self.prepare(&self.scripts, &component).and_then(CallScriptPre::new).map(Ready::Call)
            }
            Kind::Task => {
                self.prepare(&self.scripts, &component).and_then(TaskScriptPre::new).map(Ready::Task)
            }
            Kind::Strategy => {
                self.prepare(&self.strategy, &component).and_then(QueueStrategyPre::new).map(Ready::Strategy)
            }
        };
        let ready = ready.map_err(|error| check::does_not_fit(&error))?;
        self.starts(&ready)?;
        let check::Names { imports, exports, nothing_after, .. } = names;
        let settings = carried.settings.map(Arc::from);
        let (hash, size) = (hash.into(), bytes.len());
        Ok(Arc::new(Component { hash, size, imports, exports, settings, nothing_after, ready }))
    }

    /// Joins a component with its imports. What it imports of WASI is defined for it alone, so that one that imports
    /// nothing of it has nothing of it.
    fn prepare<T: host::wasi::Run>(
        &self,
        linker: &Linker<T>,
        component: &wasmtime::component::Component,
    ) -> wasmtime::Result<InstancePre<T>> {
        let mut linker = linker.clone();
        host::wasi::link(&mut linker, &self.engine, component)?;
        linker.instantiate_pre(component)
    }

    /// Starts it once, without a call: what traps there would trap in every call. One that asks something of the world
    /// before its call begins is given no answer here, and the benefit of the doubt.
    fn starts(&self, ready: &Ready) -> Result<(), Refused> {
        let limits = Limits { memory: self.settings.memory, ..Limits::call() };
        let _computing = self.clock.begin();
        let script = |instance: &InstancePre<Guest>| {
            let guest = Guest::new(Start::of_nobody(), Vec::new(), None, &limits);
            let mut store = self.store(guest, &limits);
            let started = {
                let starting = pin!(instance.instantiate_async(&mut store));
                // Nothing here waits: without a world there is nothing to wait for.
                starting.poll(&mut Context::from_waker(Waker::noop()))
            };
            let Poll::Ready(Err(error)) = started else { return None };
            let guest = store.data_mut();
            guest.wasi.end_lines();
            let words: Vec<_> = std::iter::from_fn(|| guest.wasi.next_line()).map(|l| l.1).collect();
            Some(stopped(error, guest.caps.refused, &words.join("\n")))
        };
        let end = match ready {
            Ready::Call(ready) => script(ready.instance_pre()),
            Ready::Task(ready) => script(ready.instance_pre()),
            Ready::Strategy(ready) => {
                let now = Arc::new(Snapshot::default());
                let mut store = self.store(Question::new(&now, &limits), &limits);
                ready.instantiate(&mut store).err().map(|error| {
                    let question = store.data_mut();
                    question.end_output();
                    stopped(error, question.caps.refused, &question.last_words())
                })
            }
        };
        match end {
            Some(End::Finish(Finish::Trapped { kind, backtrace })) => {
                Err(Refused::one("start", format!("{kind} when it was started: {backtrace}")))
            }
            // It started; or no sandbox was free for it, which says nothing of it.
            _ => Ok(()),
        }
    }

    /// The store of one sandbox, with the bounds of its guest.
    pub(crate) fn store<T: Bounded>(&self, guest: T, limits: &Limits) -> Store<T> {
        let mut store = Store::new(&self.engine, guest);
        store.limiter(|guest| guest.caps());
        store.set_hostcall_fuel(limits.host_call_bytes);
        store.epoch_deadline_callback(|mut store| store.data_mut().stretch().check());
        store.set_epoch_deadline(1);
        store
    }

    /// Components compiled since the start, and not found compiled.
    pub fn compilations(&self) -> u64 {
        self.compiled.compilations.load(Ordering::Relaxed)
    }

    /// Runs a script to its end, by the export that `start` is of. One such future per run, on a tokio runtime with
    /// time; dropping it ends the guest at once and leaves the tape without an end.
    pub fn run_call(
        &self,
        version: &Version,
        start: Start,
        world: Arc<dyn World>,
        limits: &Limits,
    ) -> impl Future<Output = Run> + Send {
        self.resume(version, start, Vec::new(), world, limits)
    }

    /// Runs `on-ended` with the call's record.
    pub fn run_ended(
        &self,
        version: &Version,
        mut start: Start,
        record: &CallRecord,
        world: Arc<dyn World>,
        limits: &Limits,
    ) -> impl Future<Output = Run> + Send {
        start.ended = Some(Box::new(record.clone()));
        self.resume(version, start, Vec::new(), world, limits)
    }

    /// Goes on with a run from what its tape has of it: `past` is answered from the tape and not
    /// written again, what comes after goes to the world. A guest that asks something else than it
    /// did is stopped as [`TrapKind::Parted`].
    pub fn resume(
        &self,
        version: &Version,
        start: Start,
        past: Vec<crate::Step>,
        world: Arc<dyn World>,
        limits: &Limits,
    ) -> impl Future<Output = Run> + Send {
        // In a box, because this is all that a run is while it rests.
        let guest = Box::new(Guest::new(start, past, Some(world), limits));
        self.run(version, guest, limits)
    }

    async fn run(&self, version: &Version, mut guest: Box<Guest>, limits: &Limits) -> Run {
        let start = guest.start();
        let lets_begin = |stalls: &Stalls| stalls.lets_begin(start.export(), &start.settings);
        if guest.past.is_empty() && !version.stalls.as_ref().is_none_or(lets_begin) {
            version.figures.note_suspended();
            return Run::not_begun(Finish::Suspended);
        }
        let Some(permit) = self.room.let_in(&guest.start().tenant, limits.cpu_per_second).await else {
            return Run::not_begun(Finish::NoRoom);
        };
        let mut spent = Spent { permit: Some(permit), cpu: Duration::ZERO, memory: 0, rests: 0 };
        if guest.past.is_empty() {
            guest.write_began(version.hash());
        }
        guest.may_rest(&self.room);
        let mut moved: Option<Arc<Version>> = None;
        let finish = loop {
            let on = moved.as_deref().unwrap_or(version);
            let left;
            (guest, left) = self.run_on(on, guest, limits, &mut spent).await;
            match left {
                Left::Finish(finish) => break finish,
                Left::For(version) => moved = Some(version),
            }
        };
        let tape = guest.write_ended(&finish);
        Run { finish, tape, cpu: spent.cpu, memory: spent.memory, rests: spent.rests }
    }

    /// Runs on one version, which ends with the run or with its move to another.
    async fn run_on(
        &self,
        version: &Version,
        mut guest: Box<Guest>,
        limits: &Limits,
        spent: &mut Spent,
    ) -> (Box<Guest>, Left) {
        let _running = version.figures.begin();
        let before = spent.cpu;
        let finish = loop {
            if guest.rests() {
                let roused;
                (guest, roused) = guest.rest(limits).await;
                match roused {
                    Roused::Answered(Ok(())) => {}
                    Roused::Answered(Err(kind)) => break Finish::Trapped { kind, backtrace: String::new() },
                    Roused::Wished(wish) => match Box::pin(self.grant(wish, &mut guest, limits)).await {
                        Some(version) => return (guest, Left::For(version)),
                        None => continue,
                    },
                }
            }
            if spent.permit.is_none() {
                spent.permit = self.room.let_in(&guest.start().tenant, limits.cpu_per_second).await;
                if spent.permit.is_none() {
                    break Finish::NoRoom;
                }
            }
            // In a box of its own, which is given back with the sandbox.
            let (played, end, took) = Box::pin(self.play(version, guest, limits)).await;
            (guest, spent.cpu) = (played, spent.cpu + took);
            self.room.charge(&guest.start().tenant, took, limits.cpu_per_second);
            spent.memory = spent.memory.max(guest.caps.used());
            match end {
                End::Finish(finish) => break finish,
                End::Parted { backtrace, .. } => {
                    break Finish::Trapped { kind: TrapKind::Parted, backtrace };
                }
                End::Rests => (spent.permit, spent.rests) = (None, spent.rests + 1),
            }
        };
        version.figures.note(spent.cpu.saturating_sub(before), spent.memory, &finish);
        if let Some(stalls) = &version.stalls {
            stalls.note(guest.start().export(), &guest.start().settings, &finish);
        }
        (guest, Left::Finish(finish))
    }

    /// Plays what has happened to the version that is wished: there the run goes on, if it comes to the same.
    async fn grant(&self, wish: Wish, guest: &mut Guest, limits: &Limits) -> Option<Arc<Version>> {
        // Only what the guest does is compared, not how fast it may do it.
        let limits = Limits { host_calls_per_second: u32::MAX, ..limits.clone() };
        let (trial, waits_for) = guest.so_far(&limits);
        let Some(_permit) = self.room.let_in(&guest.start().tenant, limits.cpu_per_second).await else {
            wish.tell(Moved::Stays("no sandbox was free to try it".into()));
            return None;
        };
        let (trial, end, _cpu) = Box::pin(self.play(&wish.version, trial, &limits)).await;
        let step = trial.played + 1;
        let why = match end {
            End::Parted { recorded: None, now, .. } if waits_for.as_ref() == Some(&*now) => {
                let version = wish.version.clone();
                guest.moved(version.hash());
                wish.tell(Moved::There);
                return Some(version);
            }
            End::Parted { now, .. } => format!("at step {step} it would ask {now:?}"),
            End::Finish(finish) => format!("it would end before step {step}: {finish:?}"),
            End::Rests => unreachable!("nobody waits in a replay"),
        };
        wish.tell(Moved::Stays(why));
        None
    }

    /// Sandboxes alive; runs that rest have none.
    pub fn alive(&self) -> u32 {
        self.room.alive()
    }

    /// Plays a segment of a tape to a version, the same or another; nothing outside happens.
    pub(crate) async fn rerun(&self, version: &Version, segment: &Segment, limits: &Limits) -> (usize, End) {
        let guest = Box::new(Guest::new(segment.start.clone(), segment.steps.clone(), None, limits));
        let Ok(_permit) = self.room.enter(&segment.start.tenant, limits.cpu_per_second) else {
            return (0, End::Finish(Finish::NoRoom));
        };
        let (guest, end, _cpu) = self.play(version, guest, limits).await;
        (guest.played, end)
    }

    async fn play(
        &self,
        version: &Version,
        mut guest: Box<Guest>,
        limits: &Limits,
    ) -> (Box<Guest>, End, Duration) {
        guest.set_own_settings(version.component().settings());
        let reins = guest.reins();
        let mut store = self.store(*guest, limits);
        let mut cpu = Duration::ZERO;
        // None: it rests, and its fiber ends with this block.
        let returned = {
            let mut running = pin!(enter(&version.component().ready, &mut store));
            std::future::poll_fn(|cx| {
                let _computing = self.clock.begin();
                let begin = Instant::now();
                let poll: Poll<_> = running.as_mut().poll(cx);
                cpu += begin.elapsed();
                if poll.is_pending() && reins.rests() {
                    return Poll::Ready(None);
                }
                if poll.is_pending() && slice::is_cut() {
                    version.note_cut();
                }
                poll.map(Some)
            })
            .await
        };
        let Some(returned) = returned else { return (Box::new(store.into_data()), End::Rests, cpu) };
        let parted = |error: &wasmtime::Error| matches!(error.downcast_ref(), Some(Stop::Parted { .. }));
        if !returned.as_ref().is_err_and(parted) {
            store.data_mut().end_output().await;
        }
        let end = match returned {
            Ok(Ok(())) => End::Finish(match store.data_mut().handed_over() {
                Some((script, settings)) => Finish::HandedOver { script, settings },
                None => Finish::Returned,
            }),
            Ok(Err(wit::Failure::HungUp)) => End::Finish(Finish::HungUp),
            Ok(Err(failure)) => End::Finish(Finish::Failed(failure.into())),
            Err(error) => stopped(error, store.data().caps.refused, store.data().last_words()),
        };
        (Box::new(store.into_data()), end, cpu)
    }
}

/// What a run has used so far.
struct Spent {
    /// None while it rests.
    permit: Option<Permit>,
    cpu: Duration,
    /// The most at once, bytes.
    memory: usize,
    rests: u32,
}

/// Why a run is no longer on a version.
enum Left {
    Finish(Finish),
    For(Arc<Version>),
}

/// How playing ended.
pub(crate) enum End {
    Finish(Finish),
    /// It waits for an answer, and needs no sandbox until that is there.
    Rests,
    /// The guest asked `now` where the tape has `recorded`.
    Parted {
        recorded: Option<Box<exchange::Command>>,
        now: Box<exchange::Command>,
        backtrace: String,
    },
}

async fn enter(ready: &Ready, store: &mut Store<Guest>) -> wasmtime::Result<Result<(), wit::Failure>> {
    match (ready, &store.data().start().changed) {
        (Ready::Call(ready), None) => enter_call(ready, store).await,
        // In a box, so that a call's future has no room for it.
        (Ready::Task(ready), Some(_)) => Box::pin(enter_change(ready, store)).await,
        _ => Err(Stop::Limit(TrapKind::NotStarted).into()),
    }
}

async fn enter_call(
    ready: &CallScriptPre<Guest>,
    store: &mut Store<Guest>,
) -> wasmtime::Result<Result<(), wit::Failure>> {
    let script = ready.instantiate_async(&mut *store).await?;
    let start = store.data().start();
    match start.ended.clone() {
        Some(record) => {
            let record = store.data_mut().table.push(*record)?;
            script.call_on_ended(store, record).await
        }
        None => {
            let caller = start.caller.clone();
            let caller = store.data_mut().table.push(caller)?;
            script.call_on_call(store, caller).await
        }
    }
}

async fn enter_change(
    ready: &TaskScriptPre<Guest>,
    store: &mut Store<Guest>,
) -> wasmtime::Result<Result<(), wit::Failure>> {
    let script = ready.instantiate_async(&mut *store).await?;
    let Some(change) = store.data().start().changed.clone() else {
        return Err(Stop::Limit(TrapKind::NotStarted).into());
    };
    let change = store.data_mut().table.push(*change)?;
    script.call_on_change(store, change).await
}

pub(crate) fn not_started(why: &str) -> Finish {
    Finish::Trapped { kind: TrapKind::NotStarted, backtrace: why.into() }
}

/// Why Wasm was left other than by returning. `refused`: memory was refused to the guest before. `last_words`: what it
/// said of its failure.
pub(crate) fn stopped(error: wasmtime::Error, refused: bool, last_words: &str) -> End {
    let mut backtrace = backtrace(&error);
    if !last_words.is_empty() {
        backtrace = format!("{last_words}\n{backtrace}");
    }
    let error = match error.downcast::<Stop>() {
        Ok(Stop::Parted { recorded, now, .. }) => return End::Parted { recorded, now, backtrace },
        Ok(Stop::Limit(kind)) => return End::Finish(Finish::Trapped { kind, backtrace }),
        Err(error) => error,
    };
    if error.is::<PoolConcurrencyLimitError>() {
        return End::Finish(Finish::NoRoom);
    }
    let kind = match error.downcast_ref::<Trap>() {
        Some(Trap::StackOverflow) => TrapKind::StackOverflow,
        Some(Trap::Interrupt) => TrapKind::OutOfTime,
        _ if refused => TrapKind::OutOfMemory,
        Some(_) => TrapKind::Trap,
        None if error.downcast_ref::<WasmBacktrace>().is_none() => TrapKind::NotStarted,
        None => TrapKind::Trap,
    };
    End::Finish(Finish::Trapped { kind, backtrace })
}

/// The cause in words, then a line for each frame, innermost first.
fn backtrace(error: &wasmtime::Error) -> String {
    let mut text = error.root_cause().to_string();
    let frames = error.downcast_ref::<WasmBacktrace>().map_or(&[][..], WasmBacktrace::frames);
    for frame in frames.iter().take(limits::BACKTRACE_FRAMES) {
        let symbol = frame.symbols().first();
        let name = symbol.and_then(|symbol| symbol.name()).or(frame.func_name());
        // Writing to a string can't fail.
        let _ = write!(text, "\n  {}", name.unwrap_or("<unnamed function>"));
        if let Some((file, line)) = symbol.and_then(|symbol| symbol.file().zip(symbol.line())) {
            let _ = write!(text, " ({file}:{line})");
        }
    }
    text
}

fn config(settings: &Settings) -> Config {
    let count = settings.sandboxes;
    let memories = count.saturating_mul(MEMORIES_EACH);
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(count)
        .total_core_instances(count.saturating_mul(CORE_INSTANCES_EACH).max(limits::CORE_INSTANCES))
        .total_memories(memories.max(limits::MEMORIES))
        .total_tables(count.saturating_mul(TABLES_EACH).max(limits::TABLES))
        .total_stacks(count)
        .max_core_instances_per_component(limits::CORE_INSTANCES)
        .max_memories_per_component(limits::MEMORIES)
        .max_tables_per_component(limits::TABLES)
        .table_elements(limits::TABLE_ELEMENTS)
        .max_memory_size(settings.memory)
        .pagemap_scan(wasmtime::Enabled::Auto)
        .linear_memory_keep_resident(KEEP_RESIDENT)
        .table_keep_resident(KEEP_RESIDENT);
    let mut config = compiling(settings.memory);
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    config
}

/// All that compiled code depends on: of an engine that runs it, and of one that only compiles. `memory`: the largest.
pub(crate) fn compiling(memory: usize) -> Config {
    let mut config = Config::new();
    config
        .memory_reservation(memory as u64)
        .memory_guard_size(GUARD)
        .memory_may_move(false)
        .async_stack_size(FIBER_STACK)
        .max_wasm_stack(WASM_STACK)
        .epoch_interruption(true)
        .concurrency_support(false)
        // The same bits on every processor, or a replay would part.
        .cranelift_nan_canonicalization(true)
        .wasm_features(CLOSED, false)
        .wasm_backtrace_details(wasmtime::WasmBacktraceDetails::Enable);
    config
}
