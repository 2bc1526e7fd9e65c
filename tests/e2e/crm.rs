//! Contacts, deals, tasks and calls in a CRM that others made: Tryton, over JSON-RPC by the requests of `tryton.toml`.

use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use tests::process::Process;
use tests::sipp::{Sipp, UAS};

use crate::world::{LATER, SOON, World};

/// Who calls, as the carrier says, and how Tryton knows her.
const CALLER: &str = "+359888123456";
const MARIA: &str = "Maria Petrova";

const SALES: &str = "  [[tenant.number]]\n  number = \"800\"\n  script = \"strowger/queue\"\n  settings = { queue = \"sales\" }\n  \
    [[tenant.queue]]\n  name = \"sales\"\n  agents = [\"vera\"]\n  [tenant.missed]\n  by = \"10:00\"\n";

/// A company's Tryton, as `make test` has filled it.
struct Tryton {
    _folder: TempDir,
    process: Process,
    token: String,
}

impl Tryton {
    fn serve(ip: Ipv4Addr) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::copy(tests::cache().join("tryton/crm.sqlite"), folder.path().join("crm.sqlite"))
            .expect("make test makes it");
        let script: PathBuf = [env!("CARGO_MANIFEST_DIR"), "e2e/tryton.py"].iter().collect();
        let mut command = Command::new(tests::cache().join("tryton/bin/python"));
        command.arg(script).arg("serve").arg(folder.path().join("crm.sqlite")).arg(ip.to_string());
        let mut process = Process::spawn("tryton", &mut command);
        let ready = process.lines.wait_for("Tryton to be ready", LATER, |line| told(line, "ready"));
        let token = ready["token"].as_str().expect("a token").to_owned();
        Self { _folder: folder, process, token }
    }

    /// The tenant's section.
    fn section(&self, ip: Ipv4Addr) -> String {
        include_str!("tryton.toml").replace("ADDRESS", &ip.to_string()).replace("TOKEN", &self.token)
    }

    /// What it has now, as Tryton reads it.
    fn look(&mut self) -> Value {
        self.process.say("look\n");
        self.process.lines.wait_for("word of what it has", SOON, |line| told(line, "look"))
    }
}

fn told(line: &str, way: &str) -> Option<Value> {
    serde_json::from_str::<Value>(line).ok().filter(|told| told["way"] == way)
}

#[test]
fn a_missed_caller_is_the_deals_owners_task_in_the_companys_crm_until_they_have_spoken() {
    let mut tryton = None;
    let mut world = World::with(|net| {
        let ip = net.host();
        format!("{SALES}{}", tryton.insert(Tryton::serve(ip)).section(ip))
    });
    let mut tryton = tryton.expect("made with the world");
    world.carrier_calls("800").calls(1, 1).talks(Duration::from_secs(2)).run(LATER).assert_all(1);
    let task = world.exchange.eventually("caller who is to be called back", |exchange| {
        let list = exchange.get("/tenants/demo/tasks?kind=call-back");
        let only = list["tasks"].as_array().filter(|tasks| tasks.len() == 1)?[0].clone();
        (only["responsible"] == "ana").then_some(only)
    });
    assert_eq!((&task["number"], &task["name"]), (&json!(CALLER), &json!(MARIA)));
    let told = world.exchange.eventually("task in the CRM", |_| {
        let there = tryton.look();
        let all = there["tasks"].as_array().is_some_and(|tasks| tasks.len() == 1)
            && there["notes"].as_array().is_some_and(|notes| notes.len() == 1);
        all.then_some(there)
    });
    let there = &told["tasks"][0];
    assert_eq!((&there["party"], &there["status"]), (&json!(MARIA), &json!("Open")), "{told}");
    assert!(
        there["comment"]
            .as_str()
            .is_some_and(|comment| comment.starts_with("ana: Called 800 in vain 1 times")),
        "{told}"
    );
    assert_eq!(told["notes"][0]["about"], MARIA);
    let note = told["notes"][0]["message"].as_str().unwrap_or_default();
    assert!(note.starts_with(&format!("inbound {CALLER} 800: nobody answered")), "{note}");

    // Ana calls her back.
    let _carrier = Sipp::scenario(UAS, world.carrier).start();
    let mut ana = world.pjsua("ana", 440.0);
    let id = task["id"].as_str().expect("an id").to_owned();
    let (status, _, said) = world.exchange.cli(&["task", "call", &id]);
    assert_eq!(status, 0, "{said}");
    ana.event("ringing", SOON);
    ana.answer();
    ana.confirmed(SOON);
    ana.press("1");
    world.exchange.eventually("caller who is called back", |exchange| {
        let live = exchange.get("/tenants/demo/calls?live=true");
        live["calls"][0]["legs"].as_u64().filter(|legs| *legs > 1)
    });
    ana.talk(Duration::from_secs(2));
    ana.hang_up();
    let done = world.exchange.eventually("task that is done in the CRM", |_| {
        let there = tryton.look();
        let spoke = there["notes"].as_array().is_some_and(|notes| notes.len() == 2);
        (there["tasks"][0]["status"] == "Done" && spoke).then_some(there)
    });
    assert_eq!(done["tasks"].as_array().map(Vec::len), Some(1), "{done}");
    let note = done["notes"][1]["message"].as_str().unwrap_or_default();
    assert!(note.starts_with("outbound ") && note.contains("ana spoke for"), "{note}");
}
