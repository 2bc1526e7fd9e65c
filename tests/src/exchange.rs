//! The built exchange as a child process: its configuration and state in a folder of its own, and its HTTP
//! API at hand. It can be killed and started again over the same state.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use reqwest::blocking::{Client, Response};
use serde_json::Value;
use tempfile::TempDir;

use crate::net::SIP_PORT;
use crate::process::{Lines, Process, Signal};

/// From the start to readiness: compiled scripts are not cached yet, and the machine may be busy.
const START: Duration = Duration::from_secs(60);
/// The same of a binary whose processor is emulated, as STROWGER_EMULATED says.
const START_EMULATED: Duration = Duration::from_secs(180);
/// A graceful stop without calls.
const STOP: Duration = Duration::from_secs(20);
/// A stream of events is open for as long.
const LONGEST_TEST: Duration = Duration::from_secs(600);
/// Between two looks at something that can only be asked for.
const LOOK_AGAIN: Duration = Duration::from_millis(20);
/// The operator's token in every configuration here.
pub const TOKEN: &str = "operator-of-the-tests";

/// A running exchange.
#[derive(Debug)]
pub struct Exchange {
    process: Process,
    dir: TempDir,
    ip: Ipv4Addr,
    tenant: String,
    client: Client,
    binary: PathBuf,
}

impl Exchange {
    /// Starts it at an address. `tenants` is TOML, beginning with `[[tenant]]`; `[node]`, `[sip]`, `[media]`
    /// and `[http]` are written for it. Panics with what it says when it does not become ready.
    pub fn start(ip: Ipv4Addr, tenants: &str) -> Self {
        Self::with(ip, "demo", &[("strowger.toml", &config(ip, tenants))])
    }

    /// Starts it over these files: `strowger.toml`, which is whole, and whatever that names. It listens at `ip` as
    /// [`config`] says; `tenant` is the one that records are asked of.
    pub fn with(ip: Ipv4Addr, tenant: &str, files: &[(&str, &str)]) -> Self {
        let dir = tempfile::tempdir().expect("a temporary folder");
        for (name, text) in files {
            fs::write(dir.path().join(name), text).expect("the test's folder can be written");
        }
        share_compiled(dir.path());
        let binary = binary();
        let process = spawn(&binary, dir.path());
        let client = Client::builder().timeout(start_limit()).build().expect("a client without TLS settings");
        let mut exchange = Self { process, dir, ip, tenant: tenant.into(), client, binary };
        exchange.become_ready();
        exchange
    }

    /// Where phones and carriers find it.
    pub fn sip(&self) -> SocketAddrV4 {
        SocketAddrV4::new(self.ip, SIP_PORT)
    }

    /// Its address, which is also the domain of its tenant.
    pub fn ip(&self) -> Ipv4Addr {
        self.ip
    }

    /// The base of its HTTP API.
    pub fn url(&self) -> String {
        format!("http://{}:8080", self.ip)
    }

    /// The process, to measure it.
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// What it prints.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// The folder with its configuration; `data` is in it.
    pub fn folder(&self) -> &Path {
        self.dir.path()
    }

    /// `kill -9`, and waits until it is gone.
    pub fn kill(&mut self) {
        self.process.signal(Signal::KILL);
        self.process.exit(STOP);
    }

    /// Starts it again over what it left.
    pub fn start_again(&mut self) {
        self.process = spawn(&self.binary, self.dir.path());
        self.become_ready();
    }

    /// The same with another binary, by which it is run from here on.
    pub fn start_again_as(&mut self, binary: &Path) {
        binary.clone_into(&mut self.binary);
        self.start_again();
    }

    /// Asks it to stop (SIGTERM).
    pub fn ask_to_stop(&self) {
        self.process.signal(Signal::TERM);
    }

    /// Writes another configuration for the next reload.
    pub fn configure(&self, tenants: &str) {
        let file = self.dir.path().join("strowger.toml");
        fs::write(file, config(self.ip, tenants)).expect("the test's folder can be written");
    }

    /// The command line with the operator's token, in the exchange's folder, to be started.
    pub fn command(&self, arguments: &[&str]) -> Command {
        self.command_of(&self.binary, arguments)
    }

    fn command_of(&self, binary: &Path, arguments: &[&str]) -> Command {
        let mut command = Command::new(binary);
        command.args(arguments).current_dir(self.dir.path());
        command.env("STROWGER_URL", self.url()).env("STROWGER_TOKEN", TOKEN);
        command
    }

    /// Runs `strowger` with these arguments against this exchange, and answers status, output and errors.
    pub fn cli(&self, arguments: &[&str]) -> (i32, String, String) {
        self.cli_of(&self.binary, arguments)
    }

    /// The same with the command line of another binary.
    pub fn cli_of(&self, binary: &Path, arguments: &[&str]) -> (i32, String, String) {
        let mut command = self.command_of(binary, arguments);
        let done = command.output().unwrap_or_else(|why| panic!("{command:?} does not start: {why}"));
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        (done.status.code().unwrap_or(-1), text(done.stdout), text(done.stderr))
    }

    /// GET of a path below `/v1`, as JSON. Panics when the answer is no success.
    #[track_caller]
    pub fn get(&self, path: &str) -> Value {
        let answer = self.request("GET", path, Vec::new());
        let (status, text) = (answer.status(), answer.text().unwrap_or_default());
        assert!(status.is_success(), "GET {path}: {status} {text}");
        serde_json::from_str(&text).unwrap_or_else(|why| panic!("GET {path}: {why}: {text}"))
    }

    /// The first recording of a call, kept in the exchange's folder for the test to read.
    #[track_caller]
    pub fn recording(&self, call: &Value) -> PathBuf {
        let path = format!("/tenants/{}/calls/{}/recording", self.tenant, call["id"].as_str().unwrap_or("-"));
        let answer = self.request("GET", &path, Vec::new());
        let (status, wav) = (answer.status(), answer.bytes().unwrap_or_default());
        assert!(status.is_success(), "GET {path}: {status} {call}");
        let file = self.folder().join("recording.wav");
        fs::write(&file, wav).expect("the test's folder can be written");
        file
    }

    /// Uploads a WAV file as a prompt of the tenant.
    #[track_caller]
    pub fn keep_prompt(&self, name: &str, wav: Vec<u8>) {
        let (status, said) = self.send("PUT", &format!("/tenants/{}/prompts/{name}", self.tenant), wav);
        assert!((200..300).contains(&status), "{status} {said}");
    }

    /// What it counts, in the OpenMetrics text form.
    pub fn metrics(&self) -> String {
        let url = format!("{}/metrics", self.url());
        let answer = self.client.get(&url).bearer_auth(TOKEN).send();
        answer.and_then(Response::text).unwrap_or_else(|why| panic!("{url}: {why}"))
    }

    /// PUT, POST, PATCH or DELETE below `/v1`; answers status and body.
    pub fn send(&self, method: &str, path: &str, body: impl Into<Vec<u8>>) -> (u16, Value) {
        let answer = self.request(method, path, body.into());
        let status = answer.status().as_u16();
        let text = answer.text().unwrap_or_default();
        (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
    }

    /// What happens at the tenant from here on, an event a line: `{"at": ..., "kind": "queue.entered", "data": {...}}`.
    pub fn events(&self) -> Lines {
        let url = format!("{}/v1/tenants/{}/events", self.url(), self.tenant);
        let stream = self.client.get(&url).bearer_auth(TOKEN).timeout(LONGEST_TEST).send();
        let stream = stream.and_then(Response::error_for_status).unwrap_or_else(|why| panic!("{url}: {why}"));
        let (tell, coming) = mpsc::channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stream).lines().map_while(Result::ok) {
                let data = line.strip_prefix("data:").map(|data| data.trim().to_owned());
                if data.is_some_and(|data| tell.send(data).is_err()) {
                    return;
                }
            }
        });
        Lines::new("events", coming)
    }

    /// The records of the tenant once there are `count` of them, the oldest first; waits for the last of
    /// them to be written.
    #[track_caller]
    pub fn calls(&mut self, count: usize) -> Vec<Value> {
        let tenant = self.tenant.clone();
        self.eventually(&format!("{count} call records"), |exchange| {
            let mut calls = Vec::new();
            let mut cursor = String::new();
            loop {
                let page = exchange.get(&format!("/tenants/{tenant}/calls?limit=100{cursor}"));
                calls.extend(page["calls"].as_array().into_iter().flatten().cloned());
                let Some(next) = page["next"].as_str() else { break };
                cursor = format!("&cursor={next}");
            }
            calls.sort_by_key(|call| call["id"].as_str().unwrap_or_default().to_owned());
            (calls.len() >= count).then_some(calls)
        })
    }

    /// Asks again and again, for at most 20 s, until there is an answer.
    #[track_caller]
    pub fn eventually<T>(&mut self, what: &str, ask: impl FnMut(&Self) -> Option<T>) -> T {
        self.eventually_within(STOP, what, ask)
    }

    /// The same for what may take longer.
    #[track_caller]
    pub fn eventually_within<T>(
        &mut self,
        limit: Duration,
        what: &str,
        mut ask: impl FnMut(&Self) -> Option<T>,
    ) -> T {
        let until = Instant::now() + limit;
        loop {
            if let Some(found) = ask(self) {
                return found;
            }
            if Instant::now() > until || !self.process.lines.running(LOOK_AGAIN) {
                self.process.lines.fail(&format!("no {what} within {limit:?}"));
            }
        }
    }

    fn request(&self, method: &str, path: &str, body: Vec<u8>) -> Response {
        let method = method.parse().expect("a method of HTTP");
        let url = format!("{}/v1{path}", self.url());
        let request = self.client.request(method, &url).bearer_auth(TOKEN);
        let request = if body.first() == Some(&b'{') {
            request.header("content-type", "application/json")
        } else {
            request
        };
        request.body(body).send().unwrap_or_else(|why| panic!("{url}: {why}"))
    }

    #[track_caller]
    fn become_ready(&mut self) {
        let limit = start_limit();
        let until = Instant::now() + limit;
        let url = format!("{}/readyz", self.url());
        loop {
            if self.client.get(&url).send().is_ok_and(|answer| answer.status().is_success()) {
                return;
            }
            if !self.process.lines.running(LOOK_AGAIN) {
                self.process.lines.fail("ended before it was ready");
            }
            if Instant::now() > until {
                self.process.lines.fail(&format!("not ready within {limit:?}"));
            }
        }
    }
}

/// A whole configuration around some tenants. State lies in `data` beside it.
pub fn config(ip: Ipv4Addr, tenants: &str) -> String {
    config_with(ip, &[], "", tenants)
}

/// The same with more addresses to listen on, `tls:127.0.0.1:5061`, and more in `[sip]`: TOML.
pub fn config_with(ip: Ipv4Addr, listen: &[String], sip: &str, tenants: &str) -> String {
    let more: String = listen.iter().map(|at| format!(", {at:?}")).collect();
    format!(
        "[node]\ndata = \"data\"\n[sip]\nlisten = [\"udp:{ip}:{SIP_PORT}\", \"tcp:{ip}:{SIP_PORT}\"{more}]\n{sip}\
         [media]\nlisten = \"{ip}\"\n[http]\nlisten = \"{ip}:8080\"\nurl = \"http://{ip}:8080/\"\ntoken = \"{TOKEN}\"\n{tenants}"
    )
}

/// Every exchange compiles the same scripts, which takes longer than most tests: they share what they have compiled. Its
/// files are named by what they are made of, and come into being by renaming.
fn share_compiled(folder: &Path) {
    let shared = binary().with_file_name("compiled-by-tests");
    let data = folder.join("data");
    let made = fs::create_dir_all(&shared).and_then(|()| fs::create_dir_all(&data));
    let made = made.and_then(|()| std::os::unix::fs::symlink(&shared, data.join("compiled")));
    made.expect("the test's folders can be written");
}

fn start_limit() -> Duration {
    if std::env::var_os("STROWGER_EMULATED").is_some() { START_EMULATED } else { START }
}

fn spawn(binary: &Path, folder: &Path) -> Process {
    let mut command = Command::new(binary);
    command.args(["serve", "--config", "strowger.toml"]).current_dir(folder);
    Process::spawn("strowger", &mut command)
}

/// The binary under test: what `STROWGER_BIN` names, or the one beside this test's own.
pub fn binary() -> PathBuf {
    if let Some(binary) = std::env::var_os("STROWGER_BIN") {
        return binary.into();
    }
    let this = std::env::current_exe().expect("a running program has a path");
    let binary = this.parent().and_then(Path::parent).expect("tests lie two folders deep").join("strowger");
    assert!(binary.is_file(), "{} is missing; `make build` builds it", binary.display());
    binary
}

/// A component that `make guests` built, by its script's name.
pub fn guest(name: &str) -> PathBuf {
    let folder = std::env::var_os("STROWGER_GUESTS")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/guests"), PathBuf::from);
    let file = folder.join(name).with_extension("wasm");
    assert!(file.is_file(), "{} is missing; `make guests` builds it", file.display());
    file
}
