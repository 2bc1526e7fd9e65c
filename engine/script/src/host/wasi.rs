//! WASI preview 2, as far as a language's runtime insists on it (QuickJS, Python and wasi-libc do): answered from what is
//! on the tape, or refused.
//!
//! The clocks stand still between two imports of `wit/`, at the moment when the last was answered; chance is a stream of
//! its own from the run's seed; to sleep is `clock.sleep`; lines written to standard output and error are lines of the
//! script's log. So a run stays a function of its tape, and nothing here is on it besides sleeps and lines. There are no
//! arguments, no environment, no input and no files: what a script can't have a handle of is defined for the runtime's
//! sake and stops the run by its name. Sockets and HTTP are refused at upload, but for Python's: its runtime imports sockets
//! whether a script uses them or not, and they stop the run like files.

use std::collections::VecDeque;
use std::time::Duration;

use exchange::{Command, Level};
use wasmtime::component::types::ComponentItem;
use wasmtime::component::{
    Component, ComponentType, Lift, Linker, LinkerInstance, Lower, Resource, ResourceType, Val,
};
use wasmtime::{Engine, StoreContextMut, bail};

use super::Question;
use crate::guest::{Chance, Guest, Stop};
use crate::limits::Limits;
use crate::tape::TrapKind;

/// The interfaces that a component may import besides those of `wit/`.
const ANSWERED: [&str; 20] = [
    "wasi:cli/environment",
    "wasi:cli/exit",
    "wasi:cli/stderr",
    "wasi:cli/stdin",
    "wasi:cli/stdout",
    "wasi:cli/terminal-input",
    "wasi:cli/terminal-output",
    "wasi:cli/terminal-stderr",
    "wasi:cli/terminal-stdin",
    "wasi:cli/terminal-stdout",
    "wasi:clocks/monotonic-clock",
    "wasi:clocks/wall-clock",
    "wasi:filesystem/preopens",
    "wasi:filesystem/types",
    "wasi:io/error",
    "wasi:io/poll",
    "wasi:io/streams",
    "wasi:random/insecure",
    "wasi:random/insecure-seed",
    "wasi:random/random",
];

/// What both clocks say of themselves: they go by the tape's milliseconds.
const RESOLUTION: Duration = Duration::from_millis(1);
/// What an output stream takes at once, bytes.
const WRITE: u64 = 4 << 10;
/// Bytes of chance in one go; to ask for more ends the run.
const RANDOM: u64 = 64 << 10;

/// Whether a component may import this interface, named without its version.
pub(crate) fn answers(interface: &str) -> bool {
    ANSWERED.contains(&interface)
}

/// What only Python may import, and nobody use.
pub(crate) fn is_socket(interface: &str) -> bool {
    interface.starts_with("wasi:sockets/")
}

/// Whether Python's runtime is in a component, by the name of a library that componentize-py links. A component that only
/// says so gains functions that stop it.
pub(crate) fn is_python(component: &[u8]) -> bool {
    const RUNTIME: &[u8] = b"libcomponentize_py_runtime";
    component.windows(RUNTIME.len()).any(|bytes| bytes == RUNTIME)
}

/// What a run's store keeps for a language's runtime.
pub(crate) struct Wasi {
    chance: Chance,
    /// When each timer is up, counted from the start of the run.
    timers: Vec<Option<Duration>>,
    most_timers: usize,
    output: Output,
}

impl Wasi {
    pub(crate) fn new(seed: u64, limits: &Limits) -> Self {
        Self {
            // Another stream than that of `clock.random`, which must not depend on what a runtime draws.
            chance: Chance(seed ^ 0x5741_5349_5741_5349),
            timers: Vec::new(),
            most_timers: limits.handles,
            output: Output { unended: Default::default(), lines: VecDeque::new(), room: limits.log },
        }
    }

    /// The oldest line that was written and not yet logged.
    pub(crate) fn next_line(&mut self) -> Option<(Level, String)> {
        self.output.lines.pop_front()
    }

    /// At the end of a run: what no newline ended is a line too.
    pub(crate) fn end_lines(&mut self) {
        for stream in [STDOUT, STDERR] {
            self.output.end_line(stream);
        }
    }

    fn timer(&mut self, until: Duration) -> wasmtime::Result<Resource<Pollable>> {
        let free = self.timers.iter().position(Option::is_none).unwrap_or(self.timers.len());
        if free >= self.most_timers {
            return Err(Stop::Limit(TrapKind::TooManyHandles).into());
        }
        self.timers.resize(self.timers.len().max(free + 1), None);
        self.timers[free] = Some(until);
        Ok(Resource::new_own(free as u32 + 1))
    }

    /// When a pollable is ready; a stream's always is.
    fn ready_at(&self, rep: u32) -> Duration {
        let timer = (rep as usize).checked_sub(1).and_then(|place| self.timers.get(place));
        timer.copied().flatten().unwrap_or_default()
    }

    fn drop_timer(&mut self, rep: u32) {
        if let Some(timer) = (rep as usize).checked_sub(1).and_then(|place| self.timers.get_mut(place)) {
            *timer = None;
        }
    }

    fn random(&mut self, length: u64) -> wasmtime::Result<Vec<u8>> {
        if length > RANDOM {
            bail!("the script asked for {length} random bytes at once; there are at most {RANDOM}");
        }
        let mut bytes = Vec::with_capacity(length as usize + 7);
        while (bytes.len() as u64) < length {
            bytes.extend(self.chance.next().to_le_bytes());
        }
        bytes.truncate(length as usize);
        Ok(bytes)
    }
}

/// The numbers of the output streams.
const STDOUT: u32 = 0;
const STDERR: u32 = 1;

/// Bytes written become lines; when they are longer together than all log lines may be, the rest is dropped.
struct Output {
    /// What no newline has ended yet, by stream.
    unended: [Vec<u8>; 2],
    lines: VecDeque<(Level, String)>,
    room: usize,
}

impl Output {
    fn write(&mut self, stream: u32, bytes: &[u8]) {
        let bytes = &bytes[..bytes.len().min(self.room)];
        self.room -= bytes.len();
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            let (text, ended) = part.strip_suffix(b"\n").map_or((part, false), |text| (text, true));
            self.unended[stream as usize].extend_from_slice(text);
            if ended {
                self.end_line(stream);
            }
        }
    }

    fn end_line(&mut self, stream: u32) {
        let bytes = std::mem::take(&mut self.unended[stream as usize]);
        if !bytes.is_empty() {
            let level = if stream == STDERR { Level::Error } else { Level::Info };
            self.lines.push_back((level, String::from_utf8_lossy(&bytes).into_owned()));
        }
    }
}

/// A run as a language's runtime sees it.
pub(crate) trait Run: Sized + Send + 'static {
    fn wasi(&mut self) -> &mut Wasi;
    /// When the run began: seconds since 1970 UTC, never negative.
    fn started(&self) -> f64;
    /// How long it has gone on, by its tape.
    fn now(&self) -> Duration;
    /// Defines `pollable.block` under its name.
    fn link_block(into: &mut LinkerInstance<'_, Self>, name: &str) -> wasmtime::Result<()>;
    /// Defines `poll` under its name.
    fn link_poll(into: &mut LinkerInstance<'_, Self>, name: &str) -> wasmtime::Result<()>;

    /// The earliest moment at which one of these is ready, and which are then.
    fn first_ready(&mut self, pollables: &[Resource<Pollable>]) -> wasmtime::Result<(Duration, Vec<u32>)> {
        let wasi = self.wasi();
        let at: Vec<Duration> = pollables.iter().map(|pollable| wasi.ready_at(pollable.rep())).collect();
        let Some(first) = at.iter().min().copied() else { bail!("the script polls nothing") };
        let until = first.max(self.now());
        let ready = (0_u32..).zip(&at).filter(|(_, at)| **at <= until).map(|(place, _)| place).collect();
        Ok((until, ready))
    }
}

/// A call script sleeps as it would by `clock.sleep`.
impl Run for Guest {
    fn wasi(&mut self) -> &mut Wasi {
        &mut self.wasi
    }

    fn started(&self) -> f64 {
        self.start().started.max(0.0)
    }

    fn now(&self) -> Duration {
        self.at
    }

    fn link_block(into: &mut LinkerInstance<'_, Self>, name: &str) -> wasmtime::Result<()> {
        into.func_wrap_async(name, |mut cx: StoreContextMut<'_, Self>, (one,): (Resource<Pollable>,)| {
            Box::new(async move {
                let until = cx.data_mut().wasi.ready_at(one.rep());
                cx.data_mut().sleep_until(until).await
            })
        })
    }

    fn link_poll(into: &mut LinkerInstance<'_, Self>, name: &str) -> wasmtime::Result<()> {
        into.func_wrap_async(name, |mut cx: StoreContextMut<'_, Self>, (all,): (Vec<Resource<Pollable>>,)| {
            Box::new(async move {
                let (until, ready) = cx.data_mut().first_ready(&all)?;
                cx.data_mut().sleep_until(until).await?;
                Ok((ready,))
            })
        })
    }
}

impl Guest {
    async fn sleep_until(&mut self, until: Duration) -> wasmtime::Result<()> {
        let left = until.saturating_sub(self.at);
        if !left.is_zero() {
            // In whole milliseconds, like every length of `wit/`; that the caller left is for the next verb to say.
            let millis = left.as_nanos().div_ceil(1_000_000).min(u32::MAX.into());
            self.ask(Command::Sleep { length: Duration::from_millis(millis as u64) }).await?;
        }
        Ok(())
    }
}

/// A strategy is asked at one moment, which is no moment of the clock's: the same snapshot gives the same answer. It does
/// not wait either.
impl Run for Question {
    fn wasi(&mut self) -> &mut Wasi {
        &mut self.wasi
    }

    fn started(&self) -> f64 {
        0.0
    }

    fn now(&self) -> Duration {
        Duration::ZERO
    }

    fn link_block(into: &mut LinkerInstance<'_, Self>, name: &str) -> wasmtime::Result<()> {
        into.func_wrap(name, |_: StoreContextMut<'_, Self>, (_,): (Resource<Pollable>,)| Ok(()))
    }

    fn link_poll(into: &mut LinkerInstance<'_, Self>, name: &str) -> wasmtime::Result<()> {
        into.func_wrap(name, |mut cx: StoreContextMut<'_, Self>, (all,): (Vec<Resource<Pollable>>,)| {
            cx.data_mut().first_ready(&all).map(|(_, ready)| (ready,))
        })
    }
}

/// Something to wait for: a timer by its place, counted from 1, or a stream as 0.
pub(crate) struct Pollable;
struct InputStream;
struct OutputStream;
struct Descriptor;
struct DirectoryEntries;
struct IoError;
struct TerminalInput;
struct TerminalOutput;
/// A socket, an address or a look-up.
struct NobodyHas;

/// `wasi:io/streams.stream-error`.
#[derive(ComponentType, Lower, Lift)]
#[component(variant)]
enum StreamError {
    #[component(name = "last-operation-failed")]
    #[allow(dead_code)] // nothing fails here; the type has it
    Failed(Resource<IoError>),
    #[component(name = "closed")]
    Closed,
}

/// `wasi:clocks/wall-clock.datetime`.
#[derive(ComponentType, Lower, Lift)]
#[component(record)]
struct Datetime {
    seconds: u64,
    nanoseconds: u32,
}

impl From<Duration> for Datetime {
    fn from(since_1970: Duration) -> Self {
        Self { seconds: since_1970.as_secs(), nanoseconds: since_1970.subsec_nanos() }
    }
}

/// Defines what the component imports of WASI, under the names and versions by which it does. Nothing when it imports none.
pub(crate) fn link<T: Run>(
    linker: &mut Linker<T>,
    engine: &Engine,
    component: &Component,
) -> wasmtime::Result<()> {
    for (name, import) in component.component_type().imports(engine) {
        let interface = name.split('@').next().unwrap_or(name);
        let ComponentItem::ComponentInstance(instance) = import.ty else { continue };
        if !answers(interface) && !is_socket(interface) {
            continue;
        }
        let mut into = linker.instance(name)?;
        for (item_name, item) in instance.exports(engine) {
            match item.ty {
                ComponentItem::ComponentFunc(_) => link_function(&mut into, interface, item_name)?,
                ComponentItem::Resource(_) => link_resource(&mut into, item_name)?,
                _ => {}
            }
        }
    }
    Ok(())
}

fn link_resource<T: Run>(into: &mut LinkerInstance<'_, T>, name: &str) -> wasmtime::Result<()> {
    let ty = match name {
        "pollable" => {
            let drop = |mut cx: StoreContextMut<'_, T>, rep| {
                cx.data_mut().wasi().drop_timer(rep);
                Ok(())
            };
            return into.resource(name, ResourceType::host::<Pollable>(), drop);
        }
        "input-stream" => ResourceType::host::<InputStream>(),
        "output-stream" => ResourceType::host::<OutputStream>(),
        "descriptor" => ResourceType::host::<Descriptor>(),
        "directory-entry-stream" => ResourceType::host::<DirectoryEntries>(),
        "error" => ResourceType::host::<IoError>(),
        "terminal-input" => ResourceType::host::<TerminalInput>(),
        "terminal-output" => ResourceType::host::<TerminalOutput>(),
        _ => ResourceType::host::<NobodyHas>(),
    };
    into.resource(name, ty, |_, _| Ok(()))
}

/// Defines one function. One that needs a handle which no script can get, or that WASI got later, ends the run by its name.
fn link_function<T: Run>(
    into: &mut LinkerInstance<'_, T>,
    interface: &str,
    name: &str,
) -> wasmtime::Result<()> {
    type Cx<'a, T> = StoreContextMut<'a, T>;
    type Streamed<S> = (Result<S, StreamError>,);
    match (interface, name) {
        ("wasi:cli/environment", "get-environment") => {
            into.func_wrap(name, |_: Cx<'_, T>, ()| Ok((Vec::<(String, String)>::new(),)))
        }
        ("wasi:cli/environment", "get-arguments") => {
            into.func_wrap(name, |_: Cx<'_, T>, ()| Ok((Vec::<String>::new(),)))
        }
        ("wasi:cli/environment", "initial-cwd" | "get-initial-cwd") => {
            into.func_wrap(name, |_: Cx<'_, T>, ()| Ok((None::<String>,)))
        }
        ("wasi:cli/exit", "exit") => {
            into.func_wrap(name, |_: Cx<'_, T>, (with,): (Result<(), ()>,)| exited(u8::from(with.is_err())))
        }
        ("wasi:cli/exit", "exit-with-code") => {
            into.func_wrap(name, |_: Cx<'_, T>, (code,): (u8,)| exited(code))
        }
        ("wasi:cli/stdin", "get-stdin") => {
            into.func_wrap(name, |_: Cx<'_, T>, ()| Ok((Resource::<InputStream>::new_own(0),)))
        }
        ("wasi:cli/stdout", "get-stdout") => {
            into.func_wrap(name, |_: Cx<'_, T>, ()| Ok((Resource::<OutputStream>::new_own(STDOUT),)))
        }
        ("wasi:cli/stderr", "get-stderr") => {
            into.func_wrap(name, |_: Cx<'_, T>, ()| Ok((Resource::<OutputStream>::new_own(STDERR),)))
        }
        ("wasi:cli/terminal-stdin", "get-terminal-stdin") => {
            into.func_wrap(name, |_: Cx<'_, T>, ()| Ok((None::<Resource<TerminalInput>>,)))
        }
        ("wasi:cli/terminal-stdout", "get-terminal-stdout")
        | ("wasi:cli/terminal-stderr", "get-terminal-stderr") => {
            into.func_wrap(name, |_: Cx<'_, T>, ()| Ok((None::<Resource<TerminalOutput>>,)))
        }
        ("wasi:clocks/monotonic-clock", "now") => {
            into.func_wrap(name, |cx: Cx<'_, T>, ()| Ok((nanoseconds(cx.data().now()),)))
        }
        ("wasi:clocks/monotonic-clock", "resolution") => {
            into.func_wrap(name, |_: Cx<'_, T>, ()| Ok((nanoseconds(RESOLUTION),)))
        }
        ("wasi:clocks/monotonic-clock", "subscribe-instant") => into
            .func_wrap(name, |mut cx: Cx<'_, T>, (at,): (u64,)| {
                Ok((cx.data_mut().wasi().timer(Duration::from_nanos(at))?,))
            }),
        ("wasi:clocks/monotonic-clock", "subscribe-duration") => {
            into.func_wrap(name, |mut cx: Cx<'_, T>, (length,): (u64,)| {
                let until = cx.data().now().saturating_add(Duration::from_nanos(length));
                Ok((cx.data_mut().wasi().timer(until)?,))
            })
        }
        ("wasi:clocks/wall-clock", "now") => into.func_wrap(name, |cx: Cx<'_, T>, ()| {
            let started = Duration::try_from_secs_f64(cx.data().started()).unwrap_or_default();
            Ok((Datetime::from(started.saturating_add(cx.data().now())),))
        }),
        ("wasi:clocks/wall-clock", "resolution") => {
            into.func_wrap(name, |_: Cx<'_, T>, ()| Ok((Datetime::from(RESOLUTION),)))
        }
        ("wasi:filesystem/preopens", "get-directories") => {
            into.func_wrap(name, |_: Cx<'_, T>, ()| Ok((Vec::<(Resource<Descriptor>, String)>::new(),)))
        }
        ("wasi:filesystem/types", "filesystem-error-code") => into.func_new(name, |_, _, _, results| {
            results[0] = Val::Option(None);
            Ok(())
        }),
        ("wasi:io/poll", "poll") => T::link_poll(into, name),
        ("wasi:io/poll", "[method]pollable.block") => T::link_block(into, name),
        ("wasi:io/poll", "[method]pollable.ready") => {
            into.func_wrap(name, |mut cx: Cx<'_, T>, (one,): (Resource<Pollable>,)| {
                Ok((cx.data_mut().wasi().ready_at(one.rep()) <= cx.data().now(),))
            })
        }
        ("wasi:io/streams", "[method]input-stream.read" | "[method]input-stream.blocking-read") => into
            .func_wrap(name, |_: Cx<'_, T>, _: (Resource<InputStream>, u64)| {
                Ok::<Streamed<Vec<u8>>, _>((Err(StreamError::Closed),))
            }),
        ("wasi:io/streams", "[method]input-stream.skip" | "[method]input-stream.blocking-skip") => into
            .func_wrap(name, |_: Cx<'_, T>, _: (Resource<InputStream>, u64)| {
                Ok::<Streamed<u64>, _>((Err(StreamError::Closed),))
            }),
        ("wasi:io/streams", "[method]input-stream.subscribe") => into
            .func_wrap(name, |_: Cx<'_, T>, _: (Resource<InputStream>,)| {
                Ok((Resource::<Pollable>::new_own(0),))
            }),
        ("wasi:io/streams", "[method]output-stream.subscribe") => into
            .func_wrap(name, |_: Cx<'_, T>, _: (Resource<OutputStream>,)| {
                Ok((Resource::<Pollable>::new_own(0),))
            }),
        ("wasi:io/streams", "[method]output-stream.check-write") => into
            .func_wrap(name, |_: Cx<'_, T>, _: (Resource<OutputStream>,)| {
                Ok::<Streamed<u64>, _>((Ok(WRITE),))
            }),
        (
            "wasi:io/streams",
            "[method]output-stream.write" | "[method]output-stream.blocking-write-and-flush",
        ) => into.func_wrap(name, |mut cx: Cx<'_, T>, (stream, bytes): (Resource<OutputStream>, Vec<u8>)| {
            cx.data_mut().wasi().output.write(stream.rep(), &bytes);
            Ok::<Streamed<()>, _>((Ok(()),))
        }),
        ("wasi:io/streams", "[method]output-stream.flush" | "[method]output-stream.blocking-flush") => into
            .func_wrap(name, |_: Cx<'_, T>, _: (Resource<OutputStream>,)| Ok::<Streamed<()>, _>((Ok(()),))),
        ("wasi:random/random", "get-random-bytes")
        | ("wasi:random/insecure", "get-insecure-random-bytes") => into
            .func_wrap(name, |mut cx: Cx<'_, T>, (length,): (u64,)| {
                Ok((cx.data_mut().wasi().random(length)?,))
            }),
        ("wasi:random/random", "get-random-u64") | ("wasi:random/insecure", "get-insecure-random-u64") => {
            into.func_wrap(name, |mut cx: Cx<'_, T>, ()| Ok((cx.data_mut().wasi().chance.next(),)))
        }
        ("wasi:random/insecure-seed", "insecure-seed" | "get-insecure-seed") => {
            into.func_wrap(name, |mut cx: Cx<'_, T>, ()| {
                let chance = &mut cx.data_mut().wasi().chance;
                Ok(((chance.next(), chance.next()),))
            })
        }
        _ => {
            let called = format!("{interface}.{name}");
            into.func_new(name, move |_, _, _, _| bail!("a script cannot use {called}"))
        }
    }
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

fn exited(code: u8) -> wasmtime::Result<()> {
    bail!("the script exited with code {code}")
}
