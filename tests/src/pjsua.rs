//! A pjsua2 telephone: `pjsua_phone.py` in a process of its own, driven by lines of JSON.

use std::net::SocketAddrV4;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::certificates::Issued;
use crate::process::Process;
use crate::sound::{Heard, write_tone};

/// From the start to being ready, on a machine that is busy.
const START: Duration = Duration::from_secs(30);
/// For the far side of a hang-up, and for its file to be whole.
const STOP: Duration = Duration::from_secs(10);
/// Played round and round.
const TONE_LENGTH: Duration = Duration::from_secs(10);

/// Account of a telephone at an exchange.
#[derive(Clone, Copy, Debug)]
pub struct Account<'a> {
    /// Part of the address of record after the `@`.
    pub domain: &'a str,
    /// Where the REGISTER goes: `127.0.0.1` or with a port.
    pub server: &'a str,
    /// Also the digest user name.
    pub user: &'a str,
    /// In the clear.
    pub password: &'a str,
}

/// How a pjsua2 telephone differs from the usual.
#[derive(Clone, Copy, Debug, Default)]
pub struct Setup<'a> {
    /// SIP over TCP.
    pub tcp: bool,
    /// SIP over TLS, where the other side has to prove who it is by this authority.
    pub tls: Option<&'a Path>,
    /// Shown over TLS; with it, whoever connects has to show one of that authority too.
    pub shows: Option<&'a Issued>,
    /// The codec it likes best: `PCMU/8000/1`; A-law if none.
    pub codec: Option<&'a str>,
    /// No codec but that one.
    pub only: bool,
    /// The number that it calls from without an account: `+359888123456`; `phone` if none.
    pub number: Option<&'a str>,
    /// Encrypted sound: `optional`, `mandatory`, or `dtls` for mandatory with DTLS; plain if none.
    pub srtp: Option<&'a str>,
    /// It publishes its presence (RFC 3903).
    pub publishes: bool,
    /// The suite it offers and takes: `AES_CM_128_HMAC_SHA1_32`; all that it has if none.
    pub suite: Option<&'a str>,
}

/// A running telephone.
#[derive(Debug)]
pub struct Pjsua {
    process: Process,
    dir: TempDir,
}

impl Pjsua {
    /// Starts it at `at` (SIP, and RTP two ports above), speaking `hz`.
    pub fn start(at: SocketAddrV4, hz: f64) -> Self {
        Self::with(at, hz, Setup::default())
    }

    /// As `start`, not as usual.
    pub fn with(at: SocketAddrV4, hz: f64, setup: Setup) -> Self {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let tone = dir.path().join("tone.wav");
        write_tone(&tone, hz, TONE_LENGTH);
        let mut command = Command::new(python());
        command
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/e2e/pjsua_phone.py"))
            .args([at.ip().to_string(), at.port().to_string()])
            .args([&tone, &dir.path().join("heard.wav")]);
        if setup.tcp {
            command.arg("tcp");
        }
        if let Some(authority) = setup.tls {
            command.arg("tls").env("PJSUA_AUTHORITY", authority);
        }
        if let Some(Issued { certificate, key }) = setup.shows {
            command.env("PJSUA_CERTIFICATE", certificate).env("PJSUA_KEY", key);
        }
        if let Some(codec) = setup.codec {
            command.env(if setup.only { "PJSUA_ONLY_CODEC" } else { "PJSUA_CODEC" }, codec);
        }
        if let Some(number) = setup.number {
            command.env("PJSUA_NUMBER", number);
        }
        if let Some(srtp) = setup.srtp {
            command.env("PJSUA_SRTP", srtp);
        }
        if setup.publishes {
            command.env("PJSUA_PUBLISHES", "1");
        }
        if let Some(suite) = setup.suite {
            command.env("PJSUA_SUITE", suite);
        }
        let mut phone = Self { process: Process::spawn("pjsua2", &mut command), dir };
        phone.event("ready", START);
        phone
    }

    /// Registers, and answers the final status: 200, 401, 403 ...
    pub fn register(&mut self, account: Account) -> u64 {
        let Account { domain, server, user, password } = account;
        self.tell(json!({ "do": "register", "domain": domain, "server": server, "user": user, "password": password }));
        self.event("registered", START)["code"].as_u64().expect("a status is a number")
    }

    /// Calls a SIP URI.
    pub fn call(&mut self, uri: &str) {
        self.tell(json!({ "do": "call", "uri": uri }));
    }

    /// Calls a SIP URI with one header line more.
    pub fn call_with(&mut self, uri: &str, name: &str, value: &str) {
        self.tell(json!({ "do": "call", "uri": uri, "header": [name, value] }));
    }

    /// Answers what rings.
    pub fn answer(&mut self) {
        self.tell(json!({ "do": "answer" }));
    }

    /// Refuses what rings.
    pub fn refuse(&mut self, code: u16) {
        self.tell(json!({ "do": "hangup", "code": code }));
    }

    /// Ends the call.
    pub fn hang_up(&mut self) {
        self.tell(json!({ "do": "hangup" }));
    }

    /// Presses keys, sent as telephone-events (RFC 4733).
    pub fn press(&mut self, keys: &str) {
        self.tell(json!({ "do": "dtmf", "digits": keys }));
    }

    /// Holds the call: a re-INVITE with `a=sendonly`.
    pub fn hold(&mut self) {
        self.tell(json!({ "do": "hold" }));
    }

    /// Ends the hold.
    pub fn resume(&mut self) {
        self.tell(json!({ "do": "resume" }));
    }

    /// Asks anew with these codecs alone: `G722/16000/1`.
    pub fn speak(&mut self, codecs: &[&str]) {
        self.tell(json!({ "do": "speak", "codecs": codecs }));
        while self.event("media", STOP)["active"] == false {}
    }

    /// Transfers the call to a SIP URI (REFER).
    pub fn transfer(&mut self, uri: &str) {
        self.tell(json!({ "do": "transfer", "uri": uri }));
    }

    /// Holds the call and makes another.
    pub fn consult(&mut self, uri: &str) {
        self.tell(json!({ "do": "consult", "uri": uri }));
    }

    /// Transfers the call that is held to the one of the other call (REFER with Replaces).
    pub fn join(&mut self) {
        self.tell(json!({ "do": "join" }));
    }

    /// Subscribes to the presence of a SIP URI; what comes of it are events `buddy`.
    pub fn watch(&mut self, uri: &str) {
        self.tell(json!({ "do": "watch", "uri": uri }));
    }

    /// Says what its user does: "away", "busy", "offline" or nothing.
    pub fn says(&mut self, activity: &str, note: &str) {
        self.tell(json!({ "do": "says", "activity": activity, "note": note }));
    }

    /// Waits until it is told this of whom it watches: whether that one can be reached, and what that one does.
    #[track_caller]
    pub fn sees(&mut self, open: bool, activity: &str, limit: Duration) -> Value {
        let what = format!("presence: {open}, {activity}");
        self.wait_for(&what, limit, |event| {
            event["event"] == "buddy" && event["open"] == open && event["activity"] == activity
        })
    }

    /// Waits until the exchange says how the transfer went, by the last NOTIFY: its status.
    #[track_caller]
    pub fn transferred(&mut self, limit: Duration) -> u64 {
        let last = |event: &Value| event["event"] == "transfer" && event["final"] == true;
        let told = self.wait_for("the end of a transfer", limit, last);
        told["code"].as_u64().expect("a status is a number")
    }

    /// Waits for the call to be answered.
    #[track_caller]
    pub fn confirmed(&mut self, limit: Duration) {
        self.state("CONFIRMED", limit);
    }

    /// Waits for the end of the call, and answers the last status.
    #[track_caller]
    pub fn disconnected(&mut self, limit: Duration) -> u64 {
        self.state("DISCONNECTED", limit)["code"].as_u64().expect("a status is a number")
    }

    /// Waits for a state of the call, as pjsua2 names it.
    #[track_caller]
    pub fn state(&mut self, state: &str, limit: Duration) -> Value {
        self.wait_for(state, limit, |event| event["event"] == "state" && event["state"] == state)
    }

    /// Waits for an event; they are listed in `pjsua_phone.py`.
    #[track_caller]
    pub fn event(&mut self, kind: &str, limit: Duration) -> Value {
        self.wait_for(kind, limit, |event| event["event"] == kind)
    }

    /// Lets the call go on for a while; the telephone has nothing to report when all is well. Panics when
    /// the call ends.
    #[track_caller]
    pub fn talk(&mut self, length: Duration) {
        let ended = |line: &str| line.contains("DISCONNECTED").then_some(());
        if self.process.lines.seek(length, ended).is_some() {
            self.process.lines.fail("the call ended");
        }
    }

    /// Puts the telephone away, and answers what it heard.
    pub fn heard(mut self) -> Heard {
        self.tell(json!({ "do": "quit" }));
        self.event("bye", STOP);
        Heard::read(&self.dir.path().join("heard.wav"))
    }

    #[track_caller]
    fn wait_for(&mut self, what: &str, limit: Duration, wanted: impl Fn(&Value) -> bool) -> Value {
        self.process
            .lines
            .wait_for(what, limit, |line| serde_json::from_str(line).ok().filter(|event| wanted(event)))
    }

    fn tell(&mut self, command: Value) {
        self.process.say(&format!("{command}\n"));
    }
}

/// The interpreter that has pjsua2 and OpenTelemetry's messages: of the environment that `make tools` made, or what `STROWGER_PYTHON` names.
pub fn python() -> PathBuf {
    if let Some(python) = std::env::var_os("STROWGER_PYTHON") {
        return python.into();
    }
    crate::cache().join("phones/bin/python")
}
