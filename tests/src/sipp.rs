//! sipp: many calls at once, and messages that no telephone would send. A scenario is one of its own, by
//! name, or XML; the result is its exit status, its counts, and every message if asked for.

use std::fs;
use std::net::{IpAddr, SocketAddr, SocketAddrV4};
use std::process::Command;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::net::is_bound;
use crate::process::Process;
use crate::tunnel::Tunnel;

/// From the start to an open socket, on a machine that is busy.
const START: Duration = Duration::from_secs(20);

/// Registers [from] with the credentials of -au and -ap for [expires] seconds.
pub const REGISTER: &str = include_str!("../scenarios/register.xml");
/// Calls [service] as [from] without credentials, talks for -d, and hangs up.
pub const UAC: &str = include_str!("../scenarios/uac.xml");
/// Calls [service] as [from] with the credentials of -au and -ap, talks for -d, and hangs up.
pub const UAC_AUTH: &str = include_str!("../scenarios/uac-auth.xml");
/// Calls [service] as [from], and cancels half a second after it rings.
pub const UAC_CANCELS: &str = include_str!("../scenarios/uac-cancels.xml");
/// Calls [service] as [from] with the credentials of -au and -ap, and goes on with it in another dialog (RFC 3891).
pub const UAC_REPLACES: &str = include_str!("../scenarios/uac-replaces.xml");
/// Calls [service] as [from] and waits for the far side to hang up.
pub const UAC_LISTENS: &str = include_str!("../scenarios/uac-listens.xml");
/// Calls [service] as [from]; wants reliable ringing and a session timer, and asks anew by UPDATE.
pub const UAC_PRACK: &str = include_str!("../scenarios/uac-prack.xml");
/// Rings, answers 50 ms later, and waits for the far side to hang up.
pub const UAS: &str = include_str!("../scenarios/uas.xml");
/// Answers OPTIONS with 200, and calls as the plain uas does.
pub const UAS_OPTIONS: &str = include_str!("../scenarios/uas-options.xml");
/// Plays early sound reliably, changes it by UPDATE, and answers with a session timer.
pub const UAS_PRACK: &str = include_str!("../scenarios/uas-prack.xml");
/// Sends each call on to [elsewhere] by 302.
pub const UAS_MOVED: &str = include_str!("../scenarios/uas-moved.xml");
/// Watches the calls of [service] as [from]: nothing, it rings, it talks, nothing.
pub const WATCHES_CALLS: &str = include_str!("../scenarios/watches-calls.xml");
/// Watches the presence of [service] as [from] (RFC 3856): there, on the telephone, there.
pub const WATCHES_PRESENCE: &str = include_str!("../scenarios/watches-presence.xml");
/// Watches the messages of [service] as [from]: none wait.
pub const WATCHES_MESSAGES: &str = include_str!("../scenarios/watches-messages.xml");
/// Writes "Lunch?" to [service] as [from] with the credentials of -au and -ap.
pub const WRITES: &str = include_str!("../scenarios/writes.xml");
/// Refuses every call with 503.
pub const UAS_REFUSES: &str = include_str!("../scenarios/uas-refuses.xml");
/// Takes a call with 100 and never rings, until it is cancelled.
pub const UAS_SLOW: &str = include_str!("../scenarios/uas-slow.xml");
/// Rings until it is cancelled; logs the CANCEL with its headers.
pub const UAS_RINGS: &str = include_str!("../scenarios/uas-rings.xml");

/// How sipp is to be started; [`Sipp::start`] starts it.
#[derive(Debug)]
pub struct Sipp {
    dir: TempDir,
    at: SocketAddr,
    arguments: Vec<String>,
}

impl Sipp {
    /// One of its built-in scenarios, at an address: `uac`, `uas` ...
    pub fn builtin(scenario: &str, at: SocketAddrV4) -> Self {
        Self::new(at.into(), |_| ["-sn".into(), scenario.into()])
    }

    /// A scenario in XML.
    pub fn scenario(xml: &str, at: impl Into<SocketAddr>) -> Self {
        Self::new(at.into(), |dir| {
            let file = dir.path().join("scenario.xml");
            fs::write(&file, xml).expect("the test's folder can be written");
            ["-sf".into(), file.display().to_string()]
        })
    }

    fn new(at: SocketAddr, scenario: impl Fn(&TempDir) -> [String; 2]) -> Self {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let mut arguments: Vec<String> = scenario(&dir).into();
        let stats = dir.path().join("stats.csv").display().to_string();
        let bracketed = |ip: IpAddr| if ip.is_ipv6() { format!("[{ip}]") } else { ip.to_string() };
        let (ip, port) = (bracketed(at.ip()), at.port().to_string());
        let common =
            ["-i", &ip, "-p", &port, "-mi", &ip, "-nostdin", "-trace_stat", "-stf", &stats, "-fd", "1"];
        arguments.extend(common.map(String::from));
        Self { dir, at, arguments }
    }

    /// Where its requests go.
    pub fn to(self, target: impl Into<SocketAddr>) -> Self {
        let target = target.into();
        self.args(&[&target.to_string()])
    }

    /// The user part that it calls (`[service]`).
    pub fn service(self, number: &str) -> Self {
        self.args(&["-s", number])
    }

    /// User and password for the challenges.
    pub fn auth(self, user: &str, password: &str) -> Self {
        self.args(&["-au", user, "-ap", password])
    }

    /// How many calls in all, and how many are begun in a second.
    pub fn calls(self, count: u32, per_second: u32) -> Self {
        self.args(&["-m", &count.to_string(), "-r", &per_second.to_string()])
    }

    /// How long its calls stay up, in scenarios with a `<pause/>` of no length.
    pub fn talks(self, length: Duration) -> Self {
        self.args(&["-d", &length.as_millis().to_string()])
    }

    /// A word of the scenario: `[name]` becomes `value`.
    pub fn word(self, name: &str, value: &str) -> Self {
        self.args(&["-key", name, value])
    }

    /// By TCP on one connection, to where a [`crate::tunnel::Tunnel`] makes TLS of it. What it says of itself is TLS.
    pub fn through(self, tunnel: &Tunnel) -> Self {
        let file = self.dir.path().join("scenario.xml");
        let xml = fs::read_to_string(&file).unwrap_or_default().replace("[transport]", "TLS");
        fs::write(&file, xml).expect("the test's folder can be written");
        self.to(tunnel.at()).args(&["-t", "t1"])
    }

    /// Keeps every message; [`Report::messages`] has them.
    pub fn trace(self) -> Self {
        let file = self.dir.path().join("messages.log").display().to_string();
        self.args(&["-trace_msg", "-message_file", &file])
    }

    /// Sends back all sound that it gets.
    pub fn echoes(self) -> Self {
        self.args(&["-rtp_echo"])
    }

    /// Anything else.
    pub fn args(mut self, arguments: &[&str]) -> Self {
        self.arguments.extend(arguments.iter().map(ToString::to_string));
        self
    }

    /// Starts it, and answers when its socket is there.
    pub fn start(self) -> Running {
        let mut command = Command::new("sipp");
        command.args(&self.arguments).current_dir(self.dir.path()).env("TERM", "dumb");
        let mut process = Process::spawn("sipp", &mut command);
        let until = Instant::now() + START;
        while !is_bound(self.at) && process.lines.running(Duration::from_millis(10)) {
            assert!(Instant::now() < until, "sipp does not open {}", self.at);
        }
        Running { process, dir: self.dir, at: self.at }
    }

    /// Starts it and waits for its end.
    #[track_caller]
    pub fn run(self, limit: Duration) -> Report {
        self.start().finish(limit)
    }
}

/// A sipp that runs.
#[derive(Debug)]
pub struct Running {
    process: Process,
    dir: TempDir,
    at: SocketAddr,
}

impl Running {
    /// Where it is.
    pub fn at(&self) -> SocketAddr {
        self.at
    }

    /// Waits until its messages, of which it keeps a [`Sipp::trace`], hold this. Panics after `limit`.
    #[track_caller]
    pub fn until(&mut self, text: &str, limit: Duration) {
        let until = Instant::now() + limit;
        while !self.messages().contains(text) {
            assert!(Instant::now() < until, "sipp has neither sent nor got {text:?}");
            self.process.lines.running(Duration::from_millis(10));
        }
    }

    /// What it has sent and got by now, of which it keeps a [`Sipp::trace`].
    pub fn messages(&self) -> String {
        fs::read_to_string(self.dir.path().join("messages.log")).unwrap_or_default()
    }

    /// Waits for its end. Panics after `limit`.
    #[track_caller]
    pub fn finish(mut self, limit: Duration) -> Report {
        let status = self.process.exit(limit);
        self.report(status.code().unwrap_or(-1))
    }

    /// Ends it where it is, and answers what it did until now: `status` is -1.
    pub fn stop(mut self) -> Report {
        self.process.signal(crate::process::Signal::USR1);
        let status = self.process.exit(Duration::from_secs(20));
        self.report(status.code().unwrap_or(-1))
    }

    fn report(self, status: i32) -> Report {
        let stats = fs::read_to_string(self.dir.path().join("stats.csv")).unwrap_or_default();
        let messages = self.messages();
        let mut said = self.process.lines.heard().join("\n");
        for entry in fs::read_dir(self.dir.path()).into_iter().flatten().flatten() {
            if entry.file_name().to_string_lossy().ends_with("_errors.log") {
                said += &fs::read_to_string(entry.path()).unwrap_or_default();
            }
        }
        let count = |name: &str| column(&stats, name).unwrap_or(0);
        Report {
            status,
            successful: count("SuccessfulCall(C)"),
            failed: count("FailedCall(C)"),
            messages,
            said,
        }
    }
}

/// What came of a run.
#[derive(Debug)]
pub struct Report {
    /// 0: all calls were as the scenario says; 1: one at least was not.
    pub status: i32,
    /// Calls that went as the scenario says.
    pub successful: u32,
    /// Those that did not.
    pub failed: u32,
    /// Every message, if [`Sipp::trace`] was asked for.
    pub messages: String,
    /// What it printed.
    pub said: String,
}

impl Report {
    /// Asserts that all went well, `calls` times.
    #[track_caller]
    pub fn assert_all(&self, calls: u32) {
        let Self { status, successful, failed, said, messages } = self;
        assert!(
            *status == 0 && *successful == calls && *failed == 0,
            "sipp ended with {status}: {successful} of {calls} went well, {failed} failed\n{said}\n{messages}"
        );
    }
}

/// The last value of a column in sipp's statistics, which end every line with `;`.
fn column(stats: &str, name: &str) -> Option<u32> {
    let mut lines = stats.lines();
    let at = lines.next()?.split(';').position(|title| title == name)?;
    lines.last()?.split(';').nth(at)?.parse().ok()
}
