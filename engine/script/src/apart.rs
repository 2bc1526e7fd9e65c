//! Compiling in a process of its own, which has bounds of memory, CPU and time: a component made to take all of them
//! takes its own process down, and the exchange answers which bound it was.
//!
//! The process is this program again, with arguments that lead to [`compile_for_parent`]. It reads the component from
//! its standard input, writes the compiled form to its standard output and touches no file. Its engine has the settings
//! of the parent's, or the parent could not load what it made.

use std::io::{Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitCode, ExitStatus, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rustix::process::{Resource, Rlimit, Signal, set_parent_process_death_signal, setrlimit};
use wasmtime::Engine;

use crate::check::Refused;
use crate::sandbox::compiling;

/// Memory of compiling one component, bytes. Python's runtime takes 400 MB, and what an allocator keeps back besides.
pub const COMPILE_MEMORY: u64 = 2 << 30;
/// CPU of compiling one component, all threads together.
pub const COMPILE_CPU: Duration = Duration::from_secs(60);
/// From the start of compiling to its end: twice the CPU, for machines that are busy with calls.
pub const COMPILE_TIME: Duration = Duration::from_secs(120);

/// Compiling processes at once; the next upload waits.
const AT_ONCE: usize = 2;
/// A larger compiled form is refused.
const LARGEST_CODE: u64 = 512 << 20;
/// What a process says of its failure beyond this is not read.
const LONGEST_WORDS: u64 = 4 << 10;
/// The exit status of a component that can't be compiled; the reason is on standard error.
const NOT_COMPILED: u8 = 3;

/// How to compile apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Apart {
    /// The program, and what leads to [`compile_for_parent`] in it; the arguments for that follow.
    pub program: PathBuf,
    /// See `program`.
    pub arguments: Vec<String>,
    /// What one compilation may take.
    pub bounds: Bounds,
}

/// What compiling one component may take; beyond it the upload is refused, by the name of the bound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// `compile_memory`, bytes.
    pub memory: u64,
    /// `compile_cpu`, all threads together; whole seconds, rounded up.
    pub cpu: Duration,
    /// `compile_time`.
    pub time: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { memory: COMPILE_MEMORY, cpu: COMPILE_CPU, time: COMPILE_TIME }
    }
}

/// Starts compiling processes.
pub(crate) struct Compiler {
    apart: Apart,
    /// Of the engine, which compiled code relies on: see [`compiling`].
    memory: usize,
    places: [Mutex<()>; AT_ONCE],
}

/// How a process ended.
enum End {
    Done(Vec<u8>),
    Failed(ExitStatus, String),
    TooLong,
}

impl Compiler {
    pub(crate) fn new(apart: Apart, memory: usize) -> Self {
        Self { apart, memory, places: Default::default() }
    }

    /// Answers the compiled form, or which bound was reached, or what is wrong with the component.
    pub(crate) fn compile(&self, component: &[u8]) -> Result<Vec<u8>, Refused> {
        let free = self.places.iter().find_map(|place| place.try_lock().ok());
        let _place = free.unwrap_or_else(|| self.places[0].lock().unwrap_or_else(PoisonError::into_inner));
        let bounds = &self.apart.bounds;
        let refused = |what: String| Err(Refused::one("component", what));
        let end = self.run(component).map_err(|why| {
            tracing::error!(%why, "the process that compiles scripts can't be started");
            Refused::one("compiler", format!("the process that compiles it can't be started: {why}"))
        })?;
        match end {
            End::Done(code) => Ok(code),
            End::TooLong => {
                refused(format!("compiling it takes longer than {:?} (compile_time)", bounds.time))
            }
            End::Failed(status, words) => match Cause::of(status, &words) {
                Cause::Component => refused(words),
                Cause::Cpu => {
                    refused(format!("compiling it takes more than {:?} of CPU (compile_cpu)", bounds.cpu))
                }
                Cause::Memory => refused(format!(
                    "compiling it takes more than {} bytes of memory (compile_memory)",
                    bounds.memory
                )),
                Cause::Other => refused(format!("compiling it failed, {status}: {words}")),
            },
        }
    }

    fn run(&self, component: &[u8]) -> std::io::Result<End> {
        let bounds = &self.apart.bounds;
        let cpu = bounds.cpu.as_secs() + u64::from(bounds.cpu.subsec_nanos() > 0);
        let child = Command::new(&self.apart.program)
            .args(&self.apart.arguments)
            .args([self.memory.to_string(), bounds.memory.to_string(), cpu.max(1).to_string()])
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let mut child = Ends(child);
        let (input, output, words) = (child.0.stdin.take(), child.0.stdout.take(), child.0.stderr.take());
        let (told, tells) = channel();
        std::thread::scope(|scope| {
            scope.spawn(move || {
                // It reads all before it writes anything; one that has ended reads no more, and its status says why.
                let _ = input.map(|mut input| input.write_all(component));
            });
            let words = scope.spawn(move || all_of(words, LONGEST_WORDS));
            scope.spawn(move || told.send(all_of(output, LARGEST_CODE)));
            let code = match tells.recv_timeout(bounds.time) {
                Ok(code) => code,
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                    child.0.kill()?;
                    return Ok(End::TooLong);
                }
            };
            if code.len() as u64 == LARGEST_CODE {
                child.0.kill()?;
            }
            let status = child.0.wait()?;
            let words = String::from_utf8_lossy(&words.join().unwrap_or_default()).trim().to_owned();
            Ok(if status.success() { End::Done(code) } else { End::Failed(status, words) })
        })
    }
}

/// A process that does not outlive its use.
struct Ends(Child);

impl Drop for Ends {
    fn drop(&mut self) {
        // One that has ended can't be killed, and has been waited for.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn all_of(from: Option<impl Read>, most: u64) -> Vec<u8> {
    let mut read = Vec::new();
    if let Some(from) = from {
        // What was read before it broke off is all that there is.
        let _ = from.take(most).read_to_end(&mut read);
    }
    read
}

/// Why a process failed.
enum Cause {
    Component,
    Memory,
    Cpu,
    Other,
}

impl Cause {
    fn of(status: ExitStatus, words: &str) -> Self {
        // How the allocator, the system and the standard library say it.
        let no_memory = ["memory allocation of", "Cannot allocate memory", "out of memory", "ENOMEM"];
        if no_memory.iter().any(|said| words.contains(said)) {
            return Self::Memory;
        }
        match (status.code(), status.signal().and_then(Signal::from_named_raw)) {
            (Some(code), _) if code == i32::from(NOT_COMPILED) => Self::Component,
            (_, Some(Signal::XCPU | Signal::KILL)) => Self::Cpu,
            _ => Self::Other,
        }
    }
}

/// The compiling process: its own bounds first, then the component. `arguments`: the last three of its command line.
pub fn compile_for_parent(arguments: &[String]) -> ExitCode {
    let mut told = std::io::stderr();
    match compiled(arguments) {
        Ok(code) => match std::io::stdout().write_all(&code) {
            Ok(()) => ExitCode::SUCCESS,
            Err(_) => ExitCode::FAILURE,
        },
        Err(why) => {
            let _ = write!(told, "{why}");
            ExitCode::from(NOT_COMPILED)
        }
    }
}

fn compiled(arguments: &[String]) -> Result<Vec<u8>, String> {
    let numbers: Vec<u64> = arguments.iter().filter_map(|number| number.parse().ok()).collect();
    let [memory, data, cpu] = numbers[..] else {
        return Err("this verb is the exchange's own: it compiles a component for it".into());
    };
    let bound = |what, most, hard| {
        let limit = Rlimit { current: Some(most), maximum: Some(hard) };
        setrlimit(what, limit).map_err(|why| format!("no bound could be set: {why}"))
    };
    // It ends with its parent, writes no file and leaves no core.
    set_parent_process_death_signal(Some(Signal::KILL)).map_err(|why| why.to_string())?;
    bound(Resource::Data, data, data)?;
    bound(Resource::Cpu, cpu, cpu + 1)?;
    bound(Resource::Fsize, 0, 0)?;
    bound(Resource::Core, 0, 0)?;
    let mut component = Vec::new();
    std::io::stdin().read_to_end(&mut component).map_err(|why| why.to_string())?;
    let memory = usize::try_from(memory).map_err(|why| why.to_string())?;
    let engine = Engine::new(&compiling(memory)).map_err(|why| format!("{why:#}"))?;
    engine.precompile_component(&component).map_err(|why| format!("{why:#}"))
}
