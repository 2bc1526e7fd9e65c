//! The file of imaginary calls that stands beside a script: `calls.toml`. Each `[[call]]` is a [`Scene`] and what
//! must happen in it; what stands above the calls holds for all of them. A key that means nothing is a mistake
//! with its line and the nearest name that does.

use std::cell::RefCell;
use std::path::Path;
use std::time::Duration;

use exchange::{Contact, Failure, FetchMethod, Fetched, Outcome, Refusal, TaskChange};
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use serde_json::Value;

use super::changes;
use super::conversation::is_number;
use super::decision::Decision;
use super::expectation::Expectation;
use super::{
    Does, IN_LINE, NO_KEY, Others, PATIENCE, Person, QueueEnd, QueueScene, RINGING, Scene, ServerScene, TALK,
    TransferScene,
};
use crate::config::Mistakes;
use crate::config::section::{Section, Source, Text, hint};

/// How the file is written, for `--help` and the README of a new project.
pub const FORMAT: &str = r#"The file of imaginary calls, calls.toml. What stands above the first [[call]] holds for all of them.

  script   = "target/mine.wasm"    # the component, from this file; the project's own unless said, or "strowger/menu"
  timezone = "Europe/Sofia"        # the tenant's; UTC unless said
  settings = { sales = "ana" }     # a call's own are laid over these

  [[user]]                         # who can be rung, and what comes of it; without any, everybody answers
  name = "ana"                     # a user, or a number in the world: "+359888000101"
  does = "answers"                 # answers | no-answer | busy | offline | refuses
  after = 4                        # seconds until they answer or refuse
  talks = 30                       # seconds of conversation
  status = 603                     # of a refusal
  number = "101"   mobile = "+359888000101"   groups = ["sales"]     # in all groups unless said
  # a user's telephone asks that someone else takes its place, so long into a conversation; attended: after a call with them
  transfers = { to = "boris", after = 10, attended = false }
  presses = "2"                    # when it is asked for a key, also after the caller has left; as keys of a call

  [[queue]]
  name = "sales"
  ends = "agent"                   # agent | longest-wait | nobody | full | closed
  agent = "ana"   after = 20   waiting = 3   available = 1

  [[contact]]                      # of the CRM
  number = "+359888123456"   name = "Iva"   company = "..."   owner = "ana"   fields = { vip = "yes" }

  [[server]]                       # outside, asked over HTTP; others are not allowed
  url = "https://crm.example/*"    # the first that fits is asked
  method = "GET"                   # GET | HEAD | POST | PUT | PATCH | DELETE; any unless said
  status = 200   headers = { content-type = "application/json" }   body = '{ "vip": true }'
  after = 0.2                      # seconds until the answer
  fails = "timed-out"              # in its place: timed-out | unreachable | not-found | a limit's key: "http_per_second"

  [[call]]
  name = "whoever presses 1 speaks with sales"
  at = "2026-11-27 23:58"          # in the time zone above; a fixed moment unless said
  from = "+359888123456"   to = "700"   language = "bg"   settings = {}
  keys = "1"                       # one for each time a key is asked for; - for none
  hangs_up_after = 40              # seconds
  calendars = { office = "closed" }   spoke_with = "ana"   transferred_by = "boris"   remembers = { visits = "7" }
  # and [[call.user]], [[call.queue]], [[call.contact]], [[call.server]] in place of those above

    [call.expect]                  # at least one of these; * stands for anything
    imports = ["answer", "play welcome", "dial user:ana*"]   # these and no others, but for settings and log
    contains = ["dial user:ana*"]  # these in this order, others may be between
    never = ["record-message*"]
    plays = ["welcome"]            # what the caller hears, in this order, others may be between
    rings = ["ana"]   talks_with = ["ana"]                   # these and no others, in order
    outcome = "answered"           # answered | missed | abandoned | voicemail | rejected | failed
    ends = "returned"              # returned | hung-up | failed | trapped | handed-over
    hands_over = "strowger/voicemail"
    tags = { wants = "sales" }     # others may be there
    logs = ["sales did not answer*"]
    notices = ["ana: missed call*"]          # told outside, in this order: to whom, "everyone" for all, and the text
    remembers = { visits = "8" }             # the tenant's memory then; others may be there
    goes_on_to = "+359888000101"             # the number to which a transfer sends the caller on

    [call.expect.ended]            # what the script does when the call is over; that it fails is told always
    # imports, contains, never, logs, notices, remembers and ends, as above

A queue's strategy has decisions in place of calls:

  [[decision]]                     # the queue at one moment; what is not said is usual
  name = "whoever has just hung up rests while another is free"
  settings = { rest = 60 }   service = 180   last_answered = "ana"
  waiting = ["+359888123456", { number = "+359888654321", priority = 5, waited = 30, skills = { bg = 3 }, tried = ["ana"] }]
  rings = ["boris", "ana"]         # offer by offer; several who ring together as "ana+boris"
    [[decision.agent]]
    name = "ana"   state = "available"   since_offered = 300   free_for = 20   answered = 4   talked = 900   level = 1

A task script has changes of call backs in place of calls, with users, contacts and servers as above:

  [[change]]
  name = "one that is late goes to the next"
  what = "late"                    # opened | missed-again | late | assigned | put-off | noted | reached-us-again |
                                   # called-back-in-time | called-back-late | given-up | done
  from = "+359888123456"   to = "700"   called = "Maria"   in_queue = "sales"   missed = 2   at = "2026-11-27 10:00"
  responsible = "ana"   due = "2026-11-27 09:30"   closed_by = "ana"   recordings = []   notes = []
    [change.expect]                # imports, contains, never, logs, notices, remembers and ends, as above
    contains = ["task * is for boris"]"#;

/// Calls that say no moment arrive at this one, a Friday, so that a file passes tomorrow as it does today.
const SOME_MOMENT: &str = "2026-11-27T10:00";
/// How long into a conversation a telephone asks for a transfer, unless the file says otherwise.
const TRANSFERS_AFTER: Duration = Duration::from_secs(10);
/// Longest wait, conversation and patience that a file may give.
const DAY: Duration = Duration::from_secs(24 * 3600);

/// A file of imaginary calls.
#[derive(Debug)]
pub struct Scenarios {
    /// The component's file or a shipped script's name; none for the project around the file.
    pub script: Option<String>,
    /// In the file's order.
    pub calls: Vec<Scenario>,
    /// What a queue's strategy decides, in the file's order.
    pub decisions: Vec<Decision>,
    /// What task scripts are told of, in the file's order.
    pub changes: Vec<(Scenario, TaskChange)>,
}

/// One imaginary call, and what must happen.
#[derive(Debug)]
pub struct Scenario {
    /// What it is about, in words.
    pub name: String,
    /// Where it stands in the file.
    pub line: usize,
    /// The world around it.
    pub scene: Scene,
    /// What must happen.
    pub expect: Expectation,
}

/// Reads a file's text.
///
/// # Errors
/// Every mistake, with its line.
pub fn read(file: &Path, text: &str) -> Result<Scenarios, Mistakes> {
    let source = Source { file, text, env: &|_| None, mistakes: RefCell::default() };
    let mut read = Scenarios { script: None, calls: Vec::new(), decisions: Vec::new(), changes: Vec::new() };
    source.read(|root| {
        read.script = root.text("script", "target/mine.wasm").map(|text| text.value.to_owned());
        let base = Base::read(&root);
        let calls = root.sections("call");
        let decisions = root.sections("decision");
        let changes = root.sections("change");
        if calls.is_empty() && decisions.is_empty() && changes.is_empty() {
            root.mistake(
                1,
                "there is no call; write [[call]], [[decision]] for a queue's strategy, or [[change]] for a task script",
            );
        }
        read.changes = changes.into_iter().filter_map(|section| base.change(section)).collect();
        read.decisions = decisions.into_iter().filter_map(Decision::read).collect();
        read.calls = calls.into_iter().filter_map(|section| base.call(section)).collect();
        root.finish();
    });
    let mut mistakes = source.mistakes.into_inner();
    mistakes.sort();
    if mistakes.is_empty() { Ok(read) } else { Err(Mistakes(mistakes)) }
}

/// What holds for all calls of a file.
struct Base {
    zone: TimeZone,
    settings: Value,
    scene: Scene,
    people: Vec<Person>,
}

impl Base {
    fn read(root: &Section<'_, '_>) -> Self {
        let zone = root.text("timezone", "Europe/Sofia").and_then(|text| {
            let zone = TimeZone::get(text.value).ok();
            if zone.is_none() {
                let what = format!("\"{}\" is no time zone; write one like \"Europe/Sofia\"", text.value);
                root.mistake(text.line, what);
            }
            zone
        });
        let zone = zone.unwrap_or(TimeZone::UTC);
        let moment = SOME_MOMENT.parse::<DateTime>().expect("it is written as it should be");
        let mut scene = Scene::at(moment.to_zoned(zone.clone()).unwrap_or_else(|_| Zoned::default()));
        surroundings(root, &mut scene);
        let people = people(root);
        Self { zone, settings: root.json("settings"), scene, people }
    }

    fn change(&self, section: Section<'_, '_>) -> Option<(Scenario, TaskChange)> {
        let name = section.required("name", "one that is late goes to the next");
        let scene = self.scene(&section);
        let change = changes::read(&section, &scene);
        let line = section.line;
        let expect = section.section("expect").map(|expect| {
            let expected = of_a_run(&expect);
            if expected == Expectation::default() {
                expect.mistake(
                    expect.line,
                    "nothing is expected of on-change; write contains, or imports = []",
                );
            }
            expect.finish();
            expected
        });
        if expect.is_none() {
            section.mistake(line, "this change expects nothing; write [change.expect]");
        }
        section.finish();
        Some((Scenario { name: name?.value.to_owned(), line, scene, expect: expect? }, change?))
    }

    /// The world around a call or a change.
    fn scene(&self, section: &Section<'_, '_>) -> Scene {
        let mut scene = self.scene.clone();
        if let Some(at) = section.text("at", "2026-11-27 23:58") {
            match moment(at.value, &self.zone) {
                Some(moment) => scene.at = moment,
                None => section.mistake(
                    at.line,
                    format!("\"{}\" is no moment; write one like \"2026-11-27 23:58\"", at.value),
                ),
            }
        }
        let mut settings = self.settings.clone();
        if let (Some(all), Value::Object(own)) = (settings.as_object_mut(), section.json("settings")) {
            all.extend(own);
        }
        scene.settings = settings.to_string();
        surroundings(section, &mut scene);
        scene.people = people(section);
        let others =
            self.people.iter().filter(|known| !scene.people.iter().any(|own| own.name == known.name));
        scene.people = scene.people.iter().chain(others).cloned().collect();
        scene.others = if scene.people.is_empty() { Others::Answer } else { Others::Unknown };
        scene
    }

    fn call(&self, section: Section<'_, '_>) -> Option<Scenario> {
        let name = section.required("name", "whoever presses 1 speaks with sales");
        let mut scene = self.scene(&section);
        if let Some(keys) = keys(&section, "keys") {
            scene.keys = keys;
        }
        let line = section.line;
        let expect = match section.section("expect") {
            Some(expect) => expectation(expect),
            None => {
                section.mistake(line, "this call expects nothing; write [call.expect]");
                None
            }
        };
        section.finish();
        Some(Scenario { name: name?.value.to_owned(), line, scene, expect: expect? })
    }
}

/// A moment in a time zone: "2026-11-27 23:58", or RFC 3339 with an offset.
pub fn moment(text: &str, zone: &TimeZone) -> Option<Zoned> {
    if let Ok(moment) = text.parse::<Timestamp>() {
        return Some(moment.to_zoned(zone.clone()));
    }
    text.parse::<DateTime>().ok()?.to_zoned(zone.clone()).ok()
}

/// What may stand above the calls and in each of them.
fn surroundings(section: &Section<'_, '_>, scene: &mut Scene) {
    let word = |key, example| section.text(key, example).map(|text| text.value.to_owned());
    scene.from = word("from", "+359888123456").unwrap_or_else(|| scene.from.clone());
    scene.to = word("to", "700").unwrap_or_else(|| scene.to.clone());
    scene.language = word("language", "bg").unwrap_or_else(|| scene.language.clone());
    scene.spoke_with = word("spoke_with", "ana").or_else(|| scene.spoke_with.clone());
    scene.transferred_by = word("transferred_by", "boris").or_else(|| scene.transferred_by.clone());
    if section.has("hangs_up_after") {
        scene.hangs_up_after = section.duration("hangs_up_after", Duration::ZERO..=DAY, PATIENCE);
    }
    scene.calendars.extend(section.texts_by_name("calendars", "{ office = \"closed\" }"));
    scene.kept.extend(section.texts_by_name("remembers", "{ visits = \"7\" }"));
    for queue in section.sections("queue") {
        let name = queue.required("name", "sales").map(|text| text.value.to_owned());
        let after = |default| queue.duration("after", Duration::ZERO..=DAY, default);
        let agent = queue.text("agent", "ana").map_or("agent", |text| text.value).to_owned();
        let ends = match choice(&queue, "ends", &["agent", "longest-wait", "nobody", "full", "closed"]) {
            "longest-wait" => QueueEnd::LongestWait,
            "nobody" => QueueEnd::Nobody(after(IN_LINE)),
            "full" => QueueEnd::Refused(Refusal::Full),
            "closed" => QueueEnd::Refused(Refusal::Closed),
            _ => QueueEnd::Agent(agent, after(IN_LINE)),
        };
        let count = |key| u32::try_from(queue.integer(key, 0..=100_000, 0)).unwrap_or(0);
        let said = QueueScene { ends, waiting: count("waiting"), available: count("available") };
        // Asked for, so that it is no unknown key where it has no meaning.
        after(IN_LINE);
        queue.finish();
        if let Some(name) = name {
            scene.queues.insert(name, said);
        }
    }
    let mut contacts = Vec::new();
    for contact in section.sections("contact") {
        let word = |key, example| contact.text(key, example).map(|text| text.value.to_owned());
        let number = word("number", "+359888123456");
        let name = contact.required("name", "Iva").map(|text| text.value.to_owned()).unwrap_or_default();
        let (company, owner) = (word("company", "Acme"), word("owner", "ana"));
        let fields = contact.texts_by_name("fields", "{ vip = \"yes\" }");
        contact.finish();
        contacts.push((number, Contact { id: name.clone(), name, company, owner, fields }));
    }
    contacts.append(&mut scene.contacts);
    scene.contacts = contacts;
    let mut servers: Vec<_> = section.sections("server").into_iter().filter_map(server).collect();
    servers.append(&mut scene.servers);
    scene.servers = servers;
}

fn server(section: Section<'_, '_>) -> Option<ServerScene> {
    let url = section.required("url", "https://crm.example/*").map(|text| text.value.to_owned());
    let method = section.text("method", "GET").and_then(|text| {
        let found = FetchMethod::ALL.into_iter().find(|method| method.name() == text.value);
        if found.is_none() {
            let hint = hint(text.value, FetchMethod::ALL.map(FetchMethod::name));
            section.mistake(text.line, format!("there is no method \"{}\"; {hint}", text.value));
        }
        found
    });
    let fetched = Fetched {
        status: u16::try_from(section.integer("status", 200..=599, 200)).unwrap_or(200),
        headers: section.texts_by_name("headers", "{ content-type = \"application/json\" }"),
        body: section.text("body", "{}").map_or_else(Vec::new, |text| text.value.as_bytes().to_vec()),
    };
    let takes = section.duration("after", Duration::ZERO..=DAY, Duration::ZERO);
    let fails = section.text("fails", "timed-out").map(|text| match text.value {
        "timed-out" => Failure::TimedOut,
        "unreachable" => Failure::Unreachable,
        "not-found" => Failure::NotFound("server".to_owned()),
        key => Failure::Limit(key.to_owned()),
    });
    section.finish();
    Some(ServerScene { method, url: url?, takes, answer: fails.map_or(Ok(fetched), Err) })
}

/// Keys that somebody presses when asked.
fn keys(section: &Section<'_, '_>, name: &str) -> Option<String> {
    let keys = section.text(name, "1")?;
    let key = |key: char| key == NO_KEY || key.is_ascii_digit() || "*#ABCD".contains(key);
    if !keys.value.chars().all(key) {
        let what = format!("\"{}\" are no keys; write 0-9, * and #, and - for none", keys.value);
        section.mistake(keys.line, what);
    }
    Some(keys.value.to_owned())
}

fn people(section: &Section<'_, '_>) -> Vec<Person> {
    let mut people = Vec::new();
    for user in section.sections("user") {
        let name = user.required("name", "ana").map(|text| text.value.to_owned());
        let after = user.duration("after", Duration::ZERO..=DAY, RINGING);
        let talks = user.duration("talks", Duration::ZERO..=DAY, TALK);
        let status = u16::try_from(user.integer("status", 300..=699, 603)).unwrap_or(603);
        let does = match choice(&user, "does", &["answers", "no-answer", "busy", "offline", "refuses"]) {
            "no-answer" => Does::NoAnswer,
            "busy" => Does::Busy,
            "offline" => Does::Offline,
            "refuses" => Does::Refuses(after, status),
            _ => Does::Answers(after, talks),
        };
        let number = user.text("number", "101").map(|text| text.value.to_owned());
        let mobile = user.text("mobile", "+359888000101").map(|text| text.value.to_owned());
        let groups = user.texts("groups", r#"["sales"]"#);
        let groups = groups.map(|groups| groups.into_iter().map(|text| text.value.to_owned()).collect());
        let line = user.line;
        let presses = keys(&user, "presses").unwrap_or_default();
        let transfers = user.section("transfers").and_then(transfers);
        if transfers.is_some() && name.as_deref().is_some_and(is_number) {
            user.mistake(line, "a number in the world can't transfer; only users can");
        }
        user.finish();
        if let Some(name) = name {
            let number = number.unwrap_or_else(|| name.clone());
            people.push(Person { name, number, mobile, groups, does, transfers, presses });
        }
    }
    people
}

fn transfers(section: Section<'_, '_>) -> Option<TransferScene> {
    let to = section.required("to", "boris").map(|text| text.value.to_owned());
    let after = section.duration("after", Duration::ZERO..=DAY, TRANSFERS_AFTER);
    let attended = section.flag("attended", false);
    section.finish();
    Some(TransferScene { after, to: to?, attended })
}

/// One of several words, the first unless said.
fn choice<'s>(section: &Section<'s, '_>, key: &str, words: &[&'s str]) -> &'s str {
    let Some(Text { value, line }) = section.text(key, words[0]) else { return words[0] };
    if !words.contains(&value) {
        section.mistake(line, format!("\"{key}\" is \"{value}\"; {}", hint(value, words.iter().copied())));
    }
    value
}

const ENDS: [&str; 5] = ["returned", "hung-up", "failed", "trapped", "handed-over"];
const OUTCOMES: [Outcome; 6] = [
    Outcome::Answered,
    Outcome::Missed,
    Outcome::Abandoned,
    Outcome::Voicemail,
    Outcome::Rejected,
    Outcome::Failed,
];

fn expectation(section: Section<'_, '_>) -> Option<Expectation> {
    let mut expect = of_a_run(&section);
    let list = |key, example| list(&section, key, example);
    let outcome = section.text("outcome", "answered").map(|text| {
        let found = OUTCOMES.into_iter().find(|outcome| outcome.name() == text.value);
        if found.is_none() {
            let hint = hint(text.value, OUTCOMES.map(Outcome::name));
            section.mistake(text.line, format!("there is no outcome \"{}\"; {hint}", text.value));
        }
        found
    });
    expect.plays = list("plays", r#"["welcome"]"#).unwrap_or_default();
    expect.rings = list("rings", r#"["ana"]"#);
    expect.talks_with = list("talks_with", r#"["ana"]"#);
    expect.outcome = outcome.flatten();
    expect.hands_over = section.text("hands_over", "strowger/voicemail").map(|text| text.value.to_owned());
    expect.goes_on_to = section.text("goes_on_to", "+359888000101").map(|text| text.value.to_owned());
    expect.tags = section.texts_by_name("tags", "{ wants = \"sales\" }");
    let ended = section.section("ended").map(|ended| {
        let expect = of_a_run(&ended);
        if expect == Expectation::default() {
            ended.mistake(ended.line, "nothing is expected of on-ended; write contains, or remembers");
        }
        ended.finish();
        Box::new(expect)
    });
    expect.ended = ended;
    if expect == Expectation::default() && outcome.is_none() {
        section.mistake(section.line, "this call expects nothing; write outcome = \"answered\", or imports");
    }
    section.finish();
    Some(expect)
}

/// What can be expected of a call and of `on-ended` alike.
fn of_a_run(section: &Section<'_, '_>) -> Expectation {
    let list = |key, example| list(section, key, example);
    Expectation {
        imports: list("imports", r#"["answer", "play welcome"]"#),
        contains: list("contains", r#"["dial user:ana*"]"#).unwrap_or_default(),
        never: list("never", r#"["record-message*"]"#).unwrap_or_default(),
        ends: section.has("ends").then(|| choice(section, "ends", &ENDS).to_owned()),
        logs: list("logs", r#"["sales did not answer*"]"#).unwrap_or_default(),
        notices: list("notices", r#"["ana: missed call*"]"#).unwrap_or_default(),
        remembers: section.texts_by_name("remembers", "{ visits = \"8\" }"),
        ..Expectation::default()
    }
}

fn list(section: &Section<'_, '_>, key: &str, example: &str) -> Option<Vec<String>> {
    let texts = section.texts(key, example)?;
    Some(texts.into_iter().map(|text| text.value.to_owned()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mistakes(text: &str) -> String {
        read(Path::new("calls.toml"), text).expect_err("it is wrong").to_string()
    }

    #[test]
    fn a_call_is_read_with_what_stands_above_it() {
        let text = r#"
            timezone = "Europe/Sofia"
            settings = { sales = "ana", night = true }
            [[user]]
            name = "ana"
            does = "busy"
            [[call]]
            name = "at night"
            at = "2026-11-27 23:58"
            settings = { night = false }
            keys = "1-2"
              [[call.user]]
              name = "boris"
              after = 7
              [call.expect]
              rings = []
        "#;
        let read = read(Path::new("calls.toml"), text).expect("it is right");
        let [call] = &read.calls[..] else { panic!("one call: {read:?}") };
        // Sofia is two hours ahead of UTC in November (IANA time zone database, EET).
        assert_eq!(call.scene.at.timestamp().to_string(), "2026-11-27T21:58:00Z");
        let settings: Value = serde_json::from_str(&call.scene.settings).expect("settings are JSON");
        assert_eq!(settings, serde_json::json!({ "sales": "ana", "night": false }));
        let does: Vec<_> = call.scene.people.iter().map(|p| (p.name.as_str(), p.does)).collect();
        assert_eq!(does, [("boris", Does::Answers(Duration::from_secs(7), TALK)), ("ana", Does::Busy)]);
        assert_eq!((call.line, call.expect.rings.as_deref()), (7, Some(&[][..])));
    }

    #[test]
    fn every_mistake_is_told_with_its_line_and_what_to_write() {
        let told =
            mistakes("[[call]]\nname = \"a\"\nkesy = \"1\"\n[call.expect]\nringz = [\"ana\"]\nrings = []\n");
        assert!(told.contains("calls.toml:3: [[call]] has no key \"kesy\"; write \"keys\""), "{told}");
        assert!(told.contains("calls.toml:5: [call.expect] has no key \"ringz\"; write \"rings\""), "{told}");
        let told = mistakes(
            "[[user]]\nname = \"+1\"\ntransfers = { to = \"ana\" }\n[[call]]\nname = \"a\"\n[call.expect.ended]\nplays = [\"a\"]\n",
        );
        assert!(told.contains("calls.toml:1: a number in the world can't transfer"), "{told}");
        assert!(told.contains("calls.toml:7: [call.expect.ended] has no key \"plays\""), "{told}");
        let told = mistakes("[[call]]\nname = \"a\"\n[call.expect]\noutcome = \"answerd\"\n");
        assert!(told.contains("calls.toml:4: there is no outcome \"answerd\"; write \"answered\""), "{told}");
        let told =
            mistakes("[[user]]\nname = \"ana\"\ndoes = \"bussy\"\n[[call]]\nname = \"a\"\nat = \"noon\"\n");
        assert!(told.contains("calls.toml:3: \"does\" is \"bussy\"; write \"busy\""), "{told}");
        assert!(told.contains("calls.toml:4: this call expects nothing"), "{told}");
        assert!(told.contains("calls.toml:6: \"noon\" is no moment"), "{told}");
        assert!(mistakes("").contains("there is no call"), "{}", mistakes(""));
    }
}
