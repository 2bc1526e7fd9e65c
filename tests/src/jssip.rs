//! A JsSIP telephone: `jssip_phone.js` under node in a process of its own, driven by lines of JSON.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use crate::process::Process;

/// From the start to an open connection, on a machine that is busy.
const START: Duration = Duration::from_secs(30);

/// A running telephone.
#[derive(Debug)]
pub struct JsSip {
    process: Process,
}

impl JsSip {
    /// Starts it for a user at `url`: `wss://127.0.0.1:8443`, whose server proves itself by `authority`.
    pub fn start(url: &str, domain: &str, user: &str, password: &str, authority: Option<&Path>) -> Self {
        let mut command = Command::new("node");
        command
            .arg("--experimental-websocket")
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/e2e/jssip_phone.js"))
            .args([url, domain, user, password])
            .env("NODE_NO_WARNINGS", "1")
            .env("JSSIP", folder());
        if let Some(authority) = authority {
            command.env("NODE_EXTRA_CA_CERTS", authority);
        }
        Self { process: Process::spawn("jssip", &mut command) }
    }

    /// Starts it, and waits for its connection.
    pub fn connected(url: &str, domain: &str, user: &str, password: &str, authority: Option<&Path>) -> Self {
        let mut phone = Self::start(url, domain, user, password, authority);
        phone.event("connected", START);
        phone
    }

    /// Registers, and answers the final status.
    pub fn register(&mut self) -> u64 {
        self.tell(json!({ "do": "register" }));
        let told = self.wait_for("an answer to REGISTER", START, |event| {
            event["event"] == "registered" || event["event"] == "failed"
        });
        told["code"].as_u64().unwrap_or(0)
    }

    /// Does what `jssip_phone.js` lists.
    pub fn tell(&mut self, command: Value) {
        self.process.say(&format!("{command}\n"));
    }

    /// Waits for an event; they are listed in `jssip_phone.js`.
    #[track_caller]
    pub fn event(&mut self, kind: &str, limit: Duration) -> Value {
        self.wait_for(kind, limit, |event| event["event"] == kind)
    }

    #[track_caller]
    fn wait_for(&mut self, what: &str, limit: Duration, wanted: impl Fn(&Value) -> bool) -> Value {
        self.process
            .lines
            .wait_for(what, limit, |line| serde_json::from_str(line).ok().filter(|event| wanted(event)))
    }
}

/// Where `tests/install-tools.sh` puts JsSIP.
pub(crate) fn folder() -> PathBuf {
    let folder = crate::cache().join("jssip");
    assert!(
        folder.join("node_modules/jssip").is_dir(),
        "{} is missing; `make tools` makes it",
        folder.display()
    );
    folder
}
