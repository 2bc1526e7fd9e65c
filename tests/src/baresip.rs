//! baresip as a telephone: its folder is written for it, its `ctrl_tcp` module is its keypad, `aufile`
//! speaks a tone for it, and `sndfile` keeps what it hears.

use std::fs;
use std::io::{BufReader, Read, Write};
use std::net::{SocketAddrV4, TcpStream};
use std::process::Command;
use std::sync::mpsc;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::process::{Lines, Process};
use crate::sound::{Heard, rate_for, write_tone};

/// Longer than any call in a test.
const TONE_LENGTH: Duration = Duration::from_secs(90);
/// From the start to being ready, on a machine that is busy.
const START: Duration = Duration::from_secs(20);
/// The port of its keypad.
const CONTROL_PORT: u16 = 4444;

/// A running baresip with one account.
#[derive(Debug)]
pub struct Baresip {
    _process: Process,
    control: TcpStream,
    events: Lines,
    dir: TempDir,
}

impl Baresip {
    /// Starts it at `at`, speaking `hz`. `account` is a line of its accounts file:
    /// `<sip:102@example.org>;auth_pass=...;outbound="sip:127.0.0.1";regint=60`.
    pub fn start(at: SocketAddrV4, account: &str, hz: f64) -> Self {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let path = dir.path();
        write_tone(&path.join("tone.wav"), hz, TONE_LENGTH);
        let folder = path.display();
        let modules = baresip_modules();
        let (ip, sip, rate) = (at.ip(), at, rate_for(hz));
        let config = format!(
            "poll_method epoll\nsip_listen {sip}\nnet_interface {ip}\nrtp_ports 20000-20100\nrtp_timeout 0\n\
             audio_player aubridge,ear\naudio_source aufile,{folder}/tone.wav\naudio_alert aubridge,bell\n\
             ausrc_srate {rate}\nauplay_srate 8000\nausrc_channels 1\nauplay_channels 1\ncall_max_calls 4\n\
             module_path {modules}\nmodule g711.so\nmodule g722.so\nmodule opus.so\nopus_stereo no\nopus_sprop_stereo no\n\
             opus_inbandfec yes\nmodule srtp.so\nmodule aufile.so\nmodule aubridge.so\nmodule sndfile.so\n\
             module_app account.so\nmodule_app menu.so\nmodule_app ctrl_tcp.so\n\
             ctrl_tcp_listen {ip}:{CONTROL_PORT}\nsnd_path {folder}/heard\n"
        );
        for (file, text) in [("config", config.as_str()), ("accounts", account), ("contacts", "")] {
            fs::write(path.join(file), format!("{text}\n")).expect("the test's folder can be written");
        }
        fs::create_dir(path.join("heard")).expect("the test's folder can be written");

        // Its output is a pipe, and it would not tell that it is ready for a long time.
        let mut command = Command::new("stdbuf");
        command.args(["-oL", "baresip", "-f"]).arg(path);
        let mut process = Process::spawn("baresip", &mut command);
        process.lines.wait_for("readiness", START, |line| line.contains("baresip is ready").then_some(()));
        let control = TcpStream::connect((*ip, CONTROL_PORT)).expect("baresip listens for commands");
        let reader = control.try_clone().expect("a socket can be cloned");
        let (tell, coming) = mpsc::channel();
        std::thread::spawn(move || {
            let mut reader = BufReader::new(reader);
            while let Some(text) = read_netstring(&mut reader) {
                if tell.send(text).is_err() {
                    return;
                }
            }
        });
        Self { _process: process, control, events: Lines::new("baresip", coming), dir }
    }

    /// Waits for an event: `REGISTER_OK`, `CALL_INCOMING`, `CALL_ESTABLISHED`, `CALL_CLOSED` ...
    #[track_caller]
    pub fn event(&mut self, kind: &str, limit: Duration) -> Value {
        self.events.wait_for(kind, limit, |line| {
            let event: Value = serde_json::from_str(line).ok()?;
            (event["event"] == true && event["type"] == kind).then_some(event)
        })
    }

    /// Calls a SIP URI.
    pub fn dial(&mut self, uri: &str) {
        self.command("dial", uri);
    }

    /// Answers the call that rings.
    pub fn accept(&mut self) {
        self.command("accept", "");
    }

    /// Transfers the call to a SIP URI (REFER).
    pub fn transfer(&mut self, uri: &str) {
        self.command("transfer", uri);
    }

    /// Ends the call, or refuses it.
    pub fn hang_up(&mut self) {
        self.command("hangup", "");
    }

    /// Presses keys, sent as telephone-events (RFC 4733).
    pub fn press(&mut self, keys: &str) {
        for key in keys.chars() {
            self.command("sndcode", &key.to_string());
        }
    }

    /// What it heard in its last call, once that has ended.
    pub fn heard(&self) -> Heard {
        let mut files: Vec<_> = fs::read_dir(self.dir.path().join("heard"))
            .expect("baresip's folder can be read")
            .map(|entry| entry.expect("baresip's folder can be read").path())
            .filter(|path| path.to_string_lossy().ends_with("-dec.wav"))
            .collect();
        files.sort();
        Heard::read(files.last().expect("baresip heard something"))
    }

    fn command(&mut self, command: &str, params: &str) {
        let text = json!({ "command": command, "params": params }).to_string();
        let netstring = format!("{}:{text},", text.len());
        self.control.write_all(netstring.as_bytes()).expect("baresip listens for commands");
    }
}

/// `12:hello world!,` without the wrapping.
fn read_netstring(from: &mut impl Read) -> Option<String> {
    let mut length = 0_usize;
    loop {
        let mut byte = [0];
        from.read_exact(&mut byte).ok()?;
        match byte[0] {
            b':' => break,
            digit => length = length * 10 + usize::from(digit.wrapping_sub(b'0')),
        }
    }
    let mut text = vec![0; length + 1];
    from.read_exact(&mut text).ok()?;
    text.pop();
    Some(String::from_utf8_lossy(&text).into_owned())
}

/// Debian keeps them under the architecture's folder or beside it.
fn baresip_modules() -> &'static str {
    let places = ["/usr/lib/baresip/modules", "/usr/lib/x86_64-linux-gnu/baresip/modules"];
    places.into_iter().find(|place| fs::metadata(place).is_ok()).unwrap_or(places[0])
}
