//! Who is told of a call that nobody answered, and how: by mail, by text message, by a signed webhook, from an exchange to
//! servers that others made. What was to be told survives a kill and receivers that are away.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;
use tests::process::Process;

use crate::world::{LATER, World, mark};

/// How long the callers here wait before they give up.
const PATIENCE: Duration = Duration::from_secs(2);
/// Callers in the flood unless `STROWGER_FLOOD` says how many; `make bench` has a thousand, in a minute.
const FLOOD: usize = 150;
/// How long they may take.
const FLOOD_TAKES: Duration = Duration::from_secs(300);
/// From the end of a call to its webhook.
const TOLD_WITHIN: f64 = 0.2;
const SECRET: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
/// Who calls, as the carrier says.
const CALLER: &str = "+359888123456";

/// The servers outside, in a process that can be away.
pub struct Outside {
    ip: Ipv4Addr,
    folder: TempDir,
    process: Option<Process>,
    /// What came while something else was waited for.
    early: Vec<Value>,
}

impl Outside {
    pub fn new(ip: Ipv4Addr) -> Self {
        let mut outside =
            Self { ip, folder: tempfile::tempdir().expect("a folder"), process: None, early: Vec::new() };
        outside.come();
        outside
    }

    /// The servers are there from now on.
    fn come(&mut self) {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/e2e/receivers.py");
        let mut command = Command::new(python());
        command.arg(script).arg(self.ip.to_string()).arg(self.folder.path()).arg(SECRET);
        self.process = Some(Process::spawn("receivers", &mut command));
        self.next("ready");
    }

    fn leave(&mut self) {
        self.process = None;
    }

    fn tell(&mut self, what: &str) {
        self.process.as_mut().expect("the servers are there").say(&format!("{what}\n"));
        self.next("obeyed");
    }

    /// The next thing that arrives by this way.
    #[track_caller]
    pub fn next(&mut self, way: &str) -> Value {
        if let Some(at) = self.early.iter().position(|told| told["way"] == way) {
            return self.early.remove(at);
        }
        let (process, early) = (self.process.as_mut().expect("the servers are there"), &mut self.early);
        process.lines.wait_for(way, LATER, |line| {
            let told = serde_json::from_str::<Value>(line).ok()?;
            if told["way"] == way {
                Some(told)
            } else {
                early.push(told);
                None
            }
        })
    }

    /// Whatever arrives by this way until nothing comes for so long.
    pub fn rest(&mut self, way: &str, quiet: Duration) -> Vec<Value> {
        let process = self.process.as_mut().expect("the servers are there");
        let early = self.early.extract_if(.., |told| told["way"] == way).collect::<Vec<_>>();
        let coming = std::iter::from_fn(|| process.lines.seek(quiet, |line| arrival(line, way)));
        early.into_iter().chain(coming).collect()
    }

    /// TOML of the tenant: the mail server.
    pub fn mail(&self) -> String {
        let (ip, ca) = (self.ip, self.folder.path().join("ca.pem"));
        format!(
            r#"  [tenant.mail]
  server = "{ip}:2525"
  security = "starttls"
  ca_file = "{ca}"
  user = "exchange"
  password = "of-the-tests"
  from = "Demo <exchange@demo.example>"
  bounces = "bounces@demo.example"
"#,
            ca = ca.display()
        )
    }

    /// Where text messages go, as Twilio's.
    pub fn twilio(&self) -> String {
        format!("http://{}:8090", self.ip)
    }

    /// TOML of the tenant: all the ways, and a recipient for each, so that a test can tell them apart.
    fn sections(&self, digest: &str) -> String {
        let (ip, mail, twilio) = (self.ip, self.mail(), self.twilio());
        format!(
            r#"{mail}  [tenant.sms]
  kind = "twilio"
  url = "{twilio}"
  account = "AC0123"
  token = "token-of-the-tests"
  from = "+35921234567"
  [[tenant.notify]]
  name = "ana"
  events = ["missed", "abandoned", "voicemail"]
  queues = ["sales"]
  mail = "Ana <ana@demo.example>"
  digest = "{digest}"
  [[tenant.notify]]
  name = "boris"
  events = ["abandoned"]
  language = "bg"
  sms = "+359888000102"
  digest = "{digest}"
  [[tenant.notify]]
  name = "crm"
  events = ["ended", "script"]
  webhook = "http://{ip}:8090/hook"
  secret = "{SECRET}"
  [[tenant.notify]]
  name = "office"
  events = ["voicemail"]
  language = "ru"
  mail = "office@demo.example"
  [[tenant.notify]]
  name = "archive"
  events = ["voicemail"]
  mail = "archive@demo.example"
  attach = false
  [[tenant.notify]]
  name = "vera"
  events = ["voicemail", "trunk-down"]
  sms = "+359888000103"
  [[tenant.number]]
  number = "800"
  script = "strowger/queue"
  settings = {{ queue = "sales" }}
  [[tenant.number]]
  number = "820"
  script = "strowger/voicemail"
  settings = {{ greeting = [] }}
  [[tenant.number]]
  number = "810"
  script = "behave"
  settings = {{ does = "tell" }}
  [[tenant.queue]]
  name = "sales"
  agents = ["ana"]
"#
        )
    }
}

fn arrival(line: &str, way: &str) -> Option<Value> {
    serde_json::from_str::<Value>(line).ok().filter(|told| told["way"] == way)
}

/// Where `make test` puts the mail server and the library of Standard Webhooks.
pub fn python() -> PathBuf {
    tests::cache().join("outside/bin/python")
}

fn world(digest: &str) -> (World, Outside) {
    let mut outside = None;
    let world = World::with(|net| outside.insert(Outside::new(net.host())).sections(digest));
    (world, outside.expect("made with the world"))
}

/// Callers who wait in the queue, and give up.
fn give_up(world: &World, calls: usize, rate: usize) {
    let calls = u32::try_from(calls).expect("few");
    let sipp = world.carrier_calls("800").calls(calls, rate as u32).talks(PATIENCE);
    sipp.run(LATER).assert_all(calls);
}

/// The outbox, once it holds so many.
#[track_caller]
fn outbox(world: &mut World, waiting: u64, dead: u64) -> Value {
    world.exchange.eventually(&format!("{waiting} letters waiting and {dead} dead"), |exchange| {
        let outbox = exchange.get("/tenants/demo/outbox");
        (outbox["waiting"] == waiting && outbox["dead"] == dead).then_some(outbox)
    })
}

#[test]
fn whoever_gives_up_in_a_queue_is_told_of_with_number_time_number_dialled_and_wait() {
    let (mut world, mut outside) = world("0 s");
    give_up(&world, 1, 1);
    let mail = outside.next("mail");
    let sms = outside.next("sms");
    let webhook = outside.next("webhook");
    let call = world.exchange.calls(1).remove(0);
    assert_eq!(call["outcome"], "abandoned", "{call}");
    for told in [&mail, &sms, &webhook] {
        let later = told["at"].as_f64().zip(webhook["at"].as_f64()).map(|(told, webhook)| told - webhook);
        let after = after_the_call(&webhook) + later.expect("moments");
        assert!(after < 1.0, "{after} s after the call: {told}");
    }

    assert_eq!((&mail["secure"], &mail["to"][0]), (&Value::Bool(true), &"ana@demo.example".into()), "{mail}");
    assert_eq!(mail["automatic"], "auto-generated");
    for text in ["text", "html"] {
        let text = mail[text].as_str().expect("a mail has both forms");
        for part in [CALLER, "800", "sales", "2 s", call["id"].as_str().expect("an id")] {
            assert!(text.contains(part), "no {part} in {text}");
        }
    }
    let text = sms["text"].as_str().expect("words");
    assert_eq!(sms["to"], "+359888000102");
    assert!(text.contains(CALLER) && text.contains("затвори") && text.contains("800"), "{text}");

    let event = &webhook["event"];
    assert_eq!(webhook["content"], "application/cloudevents+json");
    assert_eq!((&event["type"], &event["id"]), (&"strowger.ended".into(), &webhook["id"]), "{event}");
    assert_eq!((&event["subject"], &event["data"]["number"]), (&call["id"], &CALLER.into()), "{event}");
    assert_eq!((&event["data"]["queue"], &event["data"]["outcome"]), (&"sales".into(), &"abandoned".into()));
    outbox(&mut world, 0, 0);
    // vera ticked other things.
    assert!(outside.rest("sms", PATIENCE).is_empty());
}

#[test]
fn nothing_is_lost_and_nothing_told_twice_while_receivers_are_away_and_the_exchange_is_killed() {
    let (mut world, mut outside) = world("0 s");
    outside.leave();
    give_up(&world, 3, 10);
    let calls = world.exchange.calls(3);
    outbox(&mut world, 9, 0);
    world.exchange.kill();
    world.exchange.start_again();
    let waiting = world.exchange.get("/tenants/demo/outbox");
    assert_eq!(waiting["letters"].as_array().map(Vec::len), Some(9), "{waiting}");
    outside.come();
    outbox(&mut world, 0, 0);
    let wanted: BTreeSet<_> = calls.iter().filter_map(|call| call["id"].as_str()).collect();
    let webhooks = outside.rest("webhook", PATIENCE);
    let told: Vec<_> = webhooks.iter().filter_map(|it| it["event"]["subject"].as_str()).collect();
    assert_eq!((told.len(), told.iter().copied().collect()), (3, wanted), "{told:?}");
}

#[test]
fn a_dead_letter_is_seen_and_tried_again_by_a_person() {
    let (mut world, mut outside) = world("0 s");
    outside.tell("webhook 410");
    give_up(&world, 1, 1);
    let first = outside.next("webhook");
    outbox(&mut world, 0, 1);
    let letter = world.exchange.get("/tenants/demo/outbox?state=dead")["letters"][0].clone();
    assert_eq!((&letter["id"], &letter["state"]), (&first["id"], &"dead".into()), "{letter}");
    assert!(letter["why"].as_str().is_some_and(|why| why.starts_with("410")), "{letter}");
    let id = letter["id"].as_str().expect("an id");
    let (status, listed, said) = world.exchange.cli(&["outbox", "list", "--state", "dead"]);
    assert!(status == 0 && listed.contains(id) && listed.contains("410"), "{listed}{said}");

    outside.tell("webhook 200");
    let (status, _, said) = world.exchange.cli(&["outbox", "retry", id]);
    assert_eq!(status, 0, "{said}");
    let again = outside.next("webhook");
    assert_eq!((&again["id"], &again["status"]), (&first["id"], &200.into()), "the key is the same");
    world.exchange.eventually("the letter gone", |exchange| {
        let letters = &exchange.get("/tenants/demo/outbox")["letters"];
        letters.as_array().is_some_and(Vec::is_empty).then_some(())
    });
    let (status, _, said) = world.exchange.cli(&["outbox", "retry", id]);
    assert_eq!(status, 1);
    assert!(said.contains("404"), "{said}");
}

#[test]
fn an_address_that_its_server_does_not_know_is_a_dead_letter_and_holds_up_nobody_else() {
    let (mut world, mut outside) = world("0 s");
    outside.tell("mailbox 550");
    give_up(&world, 1, 1);
    outside.next("sms");
    outside.next("webhook");
    let dead = outbox(&mut world, 0, 1)["letters"][0].clone();
    assert_eq!(
        (&dead["kind"], &dead["recipient"], &dead["attempts"]),
        (&"mail".into(), &"ana".into(), &1.into())
    );
    assert!(
        dead["why"].as_str().is_some_and(|why| why.contains("there is no mailbox ana@demo.example")),
        "{dead}"
    );
    outside.tell("mailbox 250");
    let (status, _, said) = world.exchange.cli(&["outbox", "retry", dead["id"].as_str().expect("an id")]);
    assert_eq!(status, 0, "{said}");
    assert_eq!(outside.next("mail")["to"][0], "ana@demo.example");
}

#[test]
fn every_mail_of_a_flood_arrives_through_a_server_that_refuses_every_third_connection() {
    let measured = std::env::var("STROWGER_FLOOD").ok().and_then(|count| count.parse().ok());
    let flood = measured.unwrap_or(FLOOD);
    let (mut world, mut outside) = world("0 s");
    outside.tell("mail 3");
    let sipp = world.carrier_calls("800").calls(flood as u32, if flood > FLOOD { 17 } else { 30 });
    sipp.talks(PATIENCE).run(FLOOD_TAKES).assert_all(flood as u32);
    let mut ids = BTreeSet::new();
    while ids.len() < flood {
        let mail = outside.next("mail");
        assert!(ids.insert(mail["id"].to_string()), "twice: {mail}");
    }
    outbox(&mut world, 0, 0);

    let told = outside.rest("webhook", Duration::from_millis(200));
    assert_eq!(told.len(), flood);
    let mut took: Vec<_> = told.iter().map(after_the_call).collect();
    took.sort_by(f64::total_cmp);
    let at = |share: f64| took[((took.len() - 1) as f64 * share) as usize] * 1000.0;
    let (half, most, last) = (at(0.5), at(0.99), at(1.0));
    println!("{flood} calls: end to webhook p50 {half:.0} ms, p99 {most:.0} ms, max {last:.0} ms");
    // Among other tests the machine has no time of its own.
    assert!(measured.is_none() || half <= TOLD_WITHIN * 1000.0, "half of them take {half} ms");
}

/// Seconds from a call's end to its webhook.
fn after_the_call(webhook: &Value) -> f64 {
    let facts = &webhook["event"]["data"];
    let end = facts["at"].as_f64().zip(facts["waited"].as_f64()).map(|(began, waited)| began + waited);
    webhook["at"].as_f64().expect("a moment") - end.expect("both are told")
}

#[test]
fn a_flood_is_told_at_once_and_then_together() {
    let (mut world, mut outside) = world("5 s");
    give_up(&world, 5, 50);
    let first = outside.next("mail");
    assert!(first["subject"].as_str().is_some_and(|it| it.contains(CALLER)), "{first}");
    let rest = outside.next("mail");
    let text = rest["text"].as_str().expect("words");
    let apart = rest["at"].as_f64().zip(first["at"].as_f64()).map(|(rest, first)| rest - first);
    assert!(apart.is_some_and(|apart| apart >= 4.9), "{apart:?}");
    let told =
        [&first, &rest].map(|mail| mail["text"].as_str().unwrap_or_default().matches("Waited:").count());
    assert_eq!(told.iter().sum::<usize>(), 5, "{told:?} {text}");
    outbox(&mut world, 0, 0);
}

#[test]
fn what_a_script_tells_has_a_receipt_and_outlives_a_kill_in_the_middle_of_the_call() {
    let (mut world, mut outside) = world("0 s");
    world.carrier_calls("810").calls(1, 1).talks(PATIENCE).run(LATER).assert_all(1);
    let told = outside.next("webhook");
    let call = world.exchange.calls(1).remove(0);
    assert_eq!(
        (&told["event"]["type"], &told["event"]["subject"]),
        (&"strowger.script".into(), &call["id"]),
        "{told}"
    );
    assert_eq!(told["event"]["data"]["text"], "Wants a quote\nfor forty lamps");
    assert_eq!(told["event"]["data"]["more"][0], serde_json::json!(["product", "lamp"]));
    assert_eq!(mark(&call, "receipt"), told["id"].as_str(), "{call}");
    assert_eq!(mark(&call, "unknown"), Some("refused"), "{call}");
    assert_eq!(outside.next("webhook")["event"]["type"], "strowger.ended");

    outside.leave();
    let sipp = world.carrier_calls("810").calls(1, 1).talks(LATER).start();
    outbox(&mut world, 1, 0); // while the call is up
    world.exchange.kill();
    drop(sipp);
    world.exchange.start_again();
    outside.come();
    let again = outside.next("webhook");
    assert_eq!(again["event"]["type"], "strowger.script", "{again}");
    assert_ne!(again["event"]["subject"], told["event"]["subject"]);
}

#[test]
fn a_message_is_attached_to_the_mail_that_tells_of_it_or_linked() {
    let (world, mut outside) = world("0 s");
    let mut maria = world.customer("+359888765432", 600.0);
    maria.call(&world.uri("820"));
    maria.confirmed(LATER);
    maria.talk(PATIENCE * 3);
    maria.press("#");
    maria.disconnected(LATER);
    let (mail, other) = (outside.next("mail"), outside.next("mail"));
    let (mail, linked) = if mail["to"][0] == "office@demo.example" { (mail, other) } else { (other, mail) };
    assert_eq!(
        (&mail["to"][0], &linked["to"][0]),
        (&"office@demo.example".into(), &"archive@demo.example".into())
    );
    assert!(linked["attached"].as_array().is_some_and(Vec::is_empty), "{linked}");
    let text = linked["text"].as_str().expect("plain text");
    let link = text.lines().find_map(|line| line.strip_prefix("Listen: ")).expect("a link");
    assert!(
        linked["html"].as_str().is_some_and(|page| page.contains(&format!("<a href=\"{link}\">"))),
        "{linked}"
    );
    let sound = reqwest::blocking::get(link).expect("the exchange answers");
    assert_eq!(sound.status().as_u16(), 200, "{link}");
    assert!(sound.bytes().expect("a message").starts_with(b"RIFF"));
    assert!(!mail["text"].as_str().is_some_and(|text| text.contains("/shared/")), "{mail}");
    assert!(mail["subject"].as_str().is_some_and(|it| it.starts_with("Сообщение от")), "{mail}");
    let attached = mail["attached"][0].as_array().expect("the message");
    assert!(attached[0].as_str().is_some_and(|name| name.ends_with(".wav")), "{mail}");
    // A second of 8 kHz sound has 8000 bytes at least.
    assert!(attached[1].as_u64().is_some_and(|bytes| bytes > 16_000), "{mail}");
    assert!(outside.next("sms")["to"] == "+359888000103", "vera ticked it");
}

#[test]
fn mail_that_comes_back_hours_later_is_not_sent_there_again_until_a_person_says_so() {
    let (mut world, mut outside) = world("0 s");
    give_up(&world, 1, 1);
    let first = outside.next("mail");
    assert_eq!(first["sender"], "bounces@demo.example", "what comes back comes to whoever collects it");
    outbox(&mut world, 0, 0);

    // Hours later, as Python's library writes what RFC 3464 asks for.
    let returned = first["returned"].as_str().expect("a mail");
    let (status, said) = bounced(&world, &returned.replace("failed", "delayed"));
    assert!(status == 0 && said.is_empty(), "a delay is none: {said}");
    let (status, said) = bounced(&world, returned);
    assert_eq!(status, 0, "{said}");
    assert!(said.contains("ana@demo.example") && said.contains("5.1.1"), "{said}");
    let (status, said) = bounced(&world, &returned.replace("ana@demo.example", "eve@demo.example"));
    assert!(status == 1 && said.contains("404") && said.contains("eve@demo.example"), "{said}");
    let (status, said) = bounced(&world, "Subject: I am on holiday\n\nUntil Monday.\n");
    assert!(status == 1 && said.contains("400"), "{said}");

    world.exchange.kill();
    world.exchange.start_again();
    give_up(&world, 1, 1);
    let dead = world.exchange.eventually("a dead letter", |exchange| {
        let letters = &exchange.get("/tenants/demo/outbox?state=dead")["letters"];
        letters.get(0).cloned()
    });
    let why = dead["why"].as_str().unwrap_or_default();
    assert!(why.contains("mail to ana@demo.example came back") && why.contains("5.1.1"), "{dead}");
    assert!(dead["given_up"].is_string(), "{dead}");
    assert!(outside.rest("mail", PATIENCE).is_empty(), "nothing is mailed there");
    let (status, listed, said) = world.exchange.cli(&["outbox", "bounces"]);
    assert!(status == 0 && listed.contains("ana@demo.example"), "{listed}{said}");

    let (status, _, said) = world.exchange.cli(&["outbox", "lift", "Ana@demo.example"]);
    assert_eq!(status, 0, "{said}");
    assert_eq!(world.exchange.get("/tenants/demo/bounces")["bounces"], serde_json::json!([]));
    let (status, _, said) = world.exchange.cli(&["outbox", "retry", dead["id"].as_str().expect("an id")]);
    assert_eq!(status, 0, "{said}");
    assert_eq!(outside.next("mail")["to"][0], "ana@demo.example");
    // A service that reports addresses in place of mails.
    let report = r#"{ "address": "ANA@demo.example", "why": "mailbox full" }"#;
    let (status, said) = world.exchange.send("POST", "/tenants/demo/bounces", report);
    assert_eq!((status, &said["bounces"][0]["address"]), (200, &"ana@demo.example".into()), "{said}");
}

/// Hands a mail that came back to `strowger outbox bounced`, as a mail server's alias does.
fn bounced(world: &World, mail: &str) -> (i32, String) {
    let file = world.exchange.folder().join("returned");
    std::fs::write(&file, mail).expect("a file");
    let mut command = world.exchange.command(&["outbox", "bounced"]);
    let done = command.stdin(std::fs::File::open(&file).expect("a file")).output().expect("it starts");
    let said = [done.stdout, done.stderr].concat();
    (done.status.code().unwrap_or(-1), String::from_utf8_lossy(&said).into_owned())
}
