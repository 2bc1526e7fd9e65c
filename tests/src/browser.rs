//! A browser's telephone: `browser_phone.js`, which has JsSIP in headless Chromium, driven by lines of JSON.

use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::jssip;
use crate::process::Process;
use crate::sound::write_tone;

/// From the start to an open connection, on a machine that is busy.
const START: Duration = Duration::from_secs(60);
/// Played round and round.
const TONE_LENGTH: Duration = Duration::from_secs(10);

/// A running browser with one telephone.
#[derive(Debug)]
pub struct Browser {
    process: Process,
    _dir: TempDir,
}

impl Browser {
    /// Starts it for a user at `url`, `wss://127.0.0.1:8443`, with a microphone that hears `hz`, and registers.
    pub fn registered(url: &str, domain: &str, user: &str, password: &str, hz: f64) -> Self {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let tone = dir.path().join("tone.wav");
        write_tone(&tone, hz, TONE_LENGTH);
        let mut command = Command::new("node");
        command
            .arg("--experimental-websocket")
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/e2e/browser_phone.js"))
            .args([url, domain, user, password])
            .arg(&tone)
            .env("NODE_NO_WARNINGS", "1")
            .env("JSSIP", jssip::folder());
        let mut browser = Self { process: Process::spawn("browser", &mut command), _dir: dir };
        browser.event("connected", START);
        browser.tell(json!({ "do": "register" }));
        let told = browser.wait_for("an answer to REGISTER", START, |event| {
            event["event"] == "registered" || event["event"] == "failed"
        });
        assert_eq!(told["code"], 200, "{user} registers");
        browser
    }

    /// Does what `browser_phone.js` lists.
    pub fn tell(&mut self, command: Value) {
        self.process.say(&format!("{command}\n"));
    }

    /// Waits for an event; they are listed in `browser_phone.js`.
    #[track_caller]
    pub fn event(&mut self, kind: &str, limit: Duration) -> Value {
        self.wait_for(kind, limit, |event| event["event"] == kind)
    }

    /// For how long a tone was the loudest of what was heard in `length` from now on.
    #[track_caller]
    pub fn hears(&mut self, hz: f64, length: Duration) -> Duration {
        self.tell(json!({ "do": "listen", "hz": hz, "seconds": length.as_secs_f64() }));
        let told = self.event("listened", length + START);
        Duration::from_secs_f64(told["heard"].as_f64().expect("seconds are a number"))
    }

    #[track_caller]
    fn wait_for(&mut self, what: &str, limit: Duration, wanted: impl Fn(&Value) -> bool) -> Value {
        self.process
            .lines
            .wait_for(what, limit, |line| serde_json::from_str(line).ok().filter(|event| wanted(event)))
    }
}
