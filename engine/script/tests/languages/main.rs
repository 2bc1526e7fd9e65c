//! One reception in every language that scripts are written in: each component takes the same imaginary calls in the real
//! sandbox, and asks the same of the world in the same order. And one script in each that fails, whose words arrive.
//!
//! Needs the tools of tests/install-tools.sh; without one of them a test fails and says which.

mod answering;

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::Duration;

use exchange::strategy::{Agent, Snapshot, Waiting};
use exchange::{
    AgentState, Answer, BridgeEnd, CallId, CallRecord, Command, Direction, EndOfDigits, Failure, LegInfo,
    LegNo, Outcome, Party, Presence, Prompt, Target, UserInfo,
};
use guest_build::{Kind, Language, Sdk};
use script::{
    Asked, Finish, Limits, Run, Sandboxes, Settings, Start, Tape, TrapKind, Verdict, Version, World, limits,
};

/// The folders below the root of the repository where the reception is, by language.
fn reception(language: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    match language {
        "rust" => root.join("tests/guests/reception"),
        other => root.join("guest-sdk").join(other).join("examples/reception"),
    }
}

/// Builds a project as `strowger script build` does; what has not changed is not built again.
fn component(language: &str, project: &Path) -> Vec<u8> {
    let target = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let cache = target.parent().expect("tmp lies in the target folder").join("guests");
    let name = project.file_name().expect("a folder has a name");
    // One builds at a time, and the others find it built.
    static ONE: Mutex<()> = Mutex::new(());
    let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    let out = target.join("languages").join(language).join(name);
    let built = guest_build::build(guest_build::Source::Project(project), &out, &cache);
    let built = built.unwrap_or_else(|why| panic!("{language}: {why}"));
    std::fs::read(&built[0].file).expect("was just written")
}

fn load(sandboxes: &Sandboxes, language: &str, project: &Path) -> Version {
    let bytes = component(language, project);
    Version::new(sandboxes.compile(&bytes).unwrap_or_else(|why| panic!("{language}: {why}")))
}

fn sandboxes() -> &'static Sandboxes {
    static ALL: LazyLock<Sandboxes> = LazyLock::new(|| {
        let settings = Settings {
            sandboxes: 8,
            per_tenant: 8,
            memory: limits::MEMORY_PYTHON,
            component: limits::COMPONENT_PYTHON,
            cache: Some(PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("compiled")),
            apart: None,
        };
        Sandboxes::new(settings).expect("this machine has room for a few sandboxes")
    });
    &ALL
}

fn limits() -> Limits {
    // What is tested is what a script does, not how fast this machine is.
    let stretch = Duration::from_secs(5);
    Limits { memory: limits::MEMORY_PYTHON, stretch, host_calls_per_second: u32::MAX, ..Limits::call() }
}

/// A call to the reception, and what the world around it answers.
#[derive(Clone)]
struct Imagined {
    scheme: &'static str,
    /// What is pressed at each asking.
    keys: &'static [&'static str],
    /// Who is in the group, and free or not.
    group: &'static [(&'static str, Presence)],
    dialled: Result<&'static str, Failure>,
    conversation: BridgeEnd,
    parcel: Option<&'static str>,
    settings: &'static str,
}

impl Default for Imagined {
    fn default() -> Self {
        Self {
            scheme: "open",
            keys: &[],
            group: &[("ana", Presence::Free), ("boris", Presence::Busy), ("vera", Presence::Free)],
            dialled: Ok("vera"),
            conversation: BridgeEnd::BHungUp,
            parcel: None,
            settings: r#"{"greeting":"welcome","group":"sales","then":"+359888000101"}"#,
        }
    }
}

struct Playing {
    call: Imagined,
    keys: Mutex<VecDeque<&'static str>>,
    timeline: Mutex<Vec<String>>,
}

impl World for Playing {
    fn ask(&self, _: CallId, command: Command) -> Asked<'_> {
        self.timeline.lock().unwrap().push(words(&command));
        Box::pin(std::future::ready(self.answer(command)))
    }
}

impl Playing {
    fn answer(&self, command: Command) -> Answer {
        let call = &self.call;
        match command {
            Command::Scheme { .. } => Answer::Word(Some(call.scheme.into())),
            Command::Gather { .. } => match self.keys.lock().unwrap().pop_front() {
                Some("hangs up") => Answer::Failed(Failure::HungUp),
                Some(digits) => Answer::Gathered { digits: digits.into(), ended: EndOfDigits::Enough },
                None => Answer::Gathered { digits: String::new(), ended: EndOfDigits::TimeOut },
            },
            Command::Group { .. } => {
                Answer::Users(call.group.iter().map(|(name, is)| user(name, *is)).collect())
            }
            Command::Dial(_) => match &call.dialled {
                Ok(name) => Answer::Leg(Box::new(agent(name))),
                Err(why) => Answer::Failed(why.clone()),
            },
            Command::Bridge { .. } => Answer::BridgeEnded(call.conversation.clone()),
            Command::RecordMessage { .. } => {
                Answer::Recorded { id: "message-1".into(), length: Duration::from_secs(9) }
            }
            Command::KvGet { .. } => Answer::Value(call.parcel.map(|text| text.as_bytes().to_vec())),
            Command::KvAdd { .. } => Answer::Sum(1),
            _ => Answer::Done,
        }
    }
}

/// A command in a line, with all that a script says in it.
fn words(command: &Command) -> String {
    let secs = |length: &Duration| length.as_secs_f64().to_string();
    match command {
        Command::Log { level, message } => format!("{level:?}: {message}"),
        Command::Scheme { calendar } => format!("scheme of {calendar}"),
        Command::Answer { .. } => "answer".into(),
        Command::Gather { options, .. } => format!(
            "gather {} of {} until {:?}, first in {} s, then in {} s",
            heard(&options.prompts),
            options.most,
            options.terminator,
            secs(&options.first),
            secs(&options.between)
        ),
        Command::Tag { key, value } => format!("tag {key} = {value}"),
        Command::Play { what, cut_by_key, .. } => {
            format!("play {}{}", heard(what), if *cut_by_key { " until a key" } else { "" })
        }
        Command::KvGet { key } => format!("get {key}"),
        Command::KvAdd { key, amount } => format!("add {amount} to {key}"),
        Command::KvSet { key, value, keep_seconds } => {
            format!("set {key} = {} for {keep_seconds:?}", String::from_utf8_lossy(value))
        }
        Command::Group { name } => format!("group {name}"),
        Command::Dial(dial) => {
            let stage = |stage: &exchange::Stage| {
                let targets: Vec<_> = stage.targets.iter().map(target).collect();
                format!("{} s {}", secs(&stage.after), targets.join(" + "))
            };
            let stages: Vec<_> = dial.stages.iter().map(stage).collect();
            let shown = dial.present.as_ref().map_or("nobody", |party| &party.number);
            let hears = dial.ringback.as_slice();
            let skip = if dial.skip_busy { ", not the busy" } else { "" };
            format!(
                "dial [{}] for {} s as {shown} with {}{skip}",
                stages.join(", "),
                secs(&dial.timeout),
                heard(hears)
            )
        }
        Command::Bridge { a, b, keys } => format!("bridge {} with {} until \"{keys}\"", a.0, b.0),
        Command::HangUp { leg, cause } => format!("hang up {} with {cause}", leg.0),
        Command::RecordMessage { most, silence, .. } => {
            format!("record {} s at most, until {} s of silence", secs(most), secs(silence))
        }
        Command::HandOver { script, settings } => format!("hand over to {script} with {settings}"),
        other => format!("{other:?}"),
    }
}

fn heard(prompts: &[Prompt]) -> String {
    let one = |prompt: &Prompt| match prompt {
        Prompt::Recording(name) => name.clone(),
        Prompt::Text(words) => format!("\"{words}\""),
        Prompt::Digits(digits) => format!("each of {digits}"),
        other => format!("{other:?}"),
    };
    prompts.iter().map(one).collect::<Vec<_>>().join(" and ")
}

fn target(target: &Target) -> String {
    match target {
        Target::User(name) => name.clone(),
        Target::Number(number) | Target::Uri(number) => format!("tel:{number}"),
    }
}

fn user(name: &str, presence: Presence) -> UserInfo {
    UserInfo {
        name: name.into(),
        number: "101".into(),
        mobile: None,
        presence,
        skills: vec![("sales".into(), 5)],
    }
}

fn caller() -> LegInfo {
    LegInfo {
        leg: LegNo::CALLER,
        party: Party {
            number: "+359888123456".into(), name: Some("Роза".into()), uri: "sip:rosa@x".into()
        },
        dialled: "700".into(),
        direction: Direction::Inbound,
        user: None,
        headers: Default::default(),
        language: "en".into(),
    }
}

/// A leg that was rung: a user's, or one of a telephone that is none's.
fn agent(name: &str) -> LegInfo {
    let user = (!name.starts_with('+')).then(|| name.to_owned());
    let party = Party { number: name.into(), name: None, uri: format!("sip:{name}@x") };
    LegInfo { leg: LegNo(1), party, user, direction: Direction::Outbound, ..caller() }
}

fn start(settings: &str, ended: Option<CallRecord>) -> Start {
    Start {
        call: CallId::new(1_795_000_000_000, 7),
        tenant: "acme".into(),
        script: "reception".into(),
        caller: caller(),
        settings: settings.into(),
        seed: 4711,
        started: 1_795_000_000.0,
        ended: ended.map(Box::new),
        changed: None,
    }
}

async fn play(version: &Version, call: &Imagined) -> (Run, Vec<String>) {
    let keys = Mutex::new(call.keys.iter().copied().collect());
    let world = Arc::new(Playing { call: call.clone(), keys, timeline: Mutex::default() });
    let run = sandboxes().run_call(version, start(call.settings, None), world.clone(), &limits()).await;
    let timeline = world.timeline.lock().unwrap().clone();
    (run, timeline)
}

const BEGINS: [&str; 3] = ["Info: +359888123456 calls 700", "scheme of office", "answer"];
const MENU: &str = "gather welcome of 1 until None, first in 6 s, then in 6 s";
const AGAIN: &str = "gather \"No such key.\" and welcome of 1 until None, first in 6 s, then in 6 s";
const RINGS: &str = "dial [0 s ana + vera, 10 s tel:+359888000101] for 25 s as +359888123456 with Music(\"waiting\"), \
                     not the busy";
const MESSAGE: [&str; 3] =
    ["record 60 s at most, until 3 s of silence", "tag message = message-1", "add 1 to messages"];

/// The calls, what each language's reception must ask of the world, and how it must end.
fn calls() -> Vec<(&'static str, Imagined, Vec<String>, Finish)> {
    let after_answer = |rest: &[&str]| BEGINS.iter().chain(rest).map(|line| (*line).to_owned()).collect();
    let one = Imagined { keys: &["1"], ..Imagined::default() };
    let returned = Finish::Returned;
    vec![
        (
            "a closed office",
            Imagined { scheme: "closed", ..Imagined::default() },
            BEGINS[..2]
                .iter()
                .map(|line| (*line).to_owned())
                .chain([r#"hand over to strowger/voicemail with {"box":"sales"}"#.to_owned()])
                .collect(),
            Finish::HandedOver { script: "strowger/voicemail".into(), settings: r#"{"box":"sales"}"#.into() },
        ),
        (
            "vera answers and hangs up",
            one.clone(),
            after_answer(&[
                MENU,
                "tag key = 1",
                "group sales",
                RINGS,
                "tag agent = vera",
                "bridge 0 with 1 until \"*\"",
            ]),
            returned.clone(),
        ),
        (
            "a mobile answers, and the caller presses the star",
            Imagined {
                dialled: Ok("+359888000101"),
                conversation: BridgeEnd::Digit('*'),
                keys: &["7", "1"],
                ..Imagined::default()
            },
            after_answer(&[
                MENU,
                AGAIN,
                "tag key = 1",
                "group sales",
                RINGS,
                "tag agent = +359888000101",
                "bridge 0 with 1 until \"*\"",
                "hang up 1 with 16",
                "play \"Thank you.\"",
            ]),
            returned.clone(),
        ),
        (
            "nobody else is set, and nobody answers",
            Imagined {
                dialled: Err(Failure::NoAnswer),
                settings: r#"{"greeting":"welcome","group":"sales"}"#,
                ..one.clone()
            },
            after_answer(&[
                MENU,
                "tag key = 1",
                "group sales",
                "dial [0 s ana + vera] for 25 s as +359888123456 with Music(\"waiting\"), not the busy",
                "Warn: sales: no answer",
                "play \"Nobody answers.\" and Silence(250ms)",
                MESSAGE[0],
                MESSAGE[1],
                MESSAGE[2],
            ]),
            returned.clone(),
        ),
        (
            "the far side refuses",
            Imagined { dialled: Err(Failure::Refused(603)), ..one.clone() },
            after_answer(&[
                MENU,
                "tag key = 1",
                "group sales",
                RINGS,
                "Warn: sales: refused with 603",
                "play \"Nobody answers.\" and Silence(250ms)",
                MESSAGE[0],
                MESSAGE[1],
                MESSAGE[2],
            ]),
            returned.clone(),
        ),
        (
            "everyone is busy",
            Imagined { group: &[("ana", Presence::Busy), ("boris", Presence::Offline)], ..one.clone() },
            after_answer(&[
                MENU,
                "tag key = 1",
                "group sales",
                "play \"Everyone is busy.\" and Silence(250ms)",
                MESSAGE[0],
                MESSAGE[1],
                MESSAGE[2],
            ]),
            returned.clone(),
        ),
        (
            "the caller leaves while it rings",
            Imagined { dialled: Err(Failure::HungUp), ..one.clone() },
            after_answer(&[MENU, "tag key = 1", "group sales", RINGS]),
            Finish::HungUp,
        ),
        (
            "the caller leaves at the menu",
            Imagined { keys: &["hangs up"], ..Imagined::default() },
            after_answer(&[MENU]),
            Finish::HungUp,
        ),
        (
            "no key is pressed",
            Imagined::default(),
            after_answer(&[MENU, MENU, "play \"Good-bye.\" and Tone(330, 500ms)"]),
            returned.clone(),
        ),
        (
            "a parcel is found",
            Imagined { keys: &["2", "004711"], parcel: Some("At the café."), ..Imagined::default() },
            after_answer(&[
                MENU,
                "tag key = 2",
                "gather parcel-number of 6 until Some('#'), first in 8 s, then in 3 s",
                "get parcel:004711",
                "play each of 004711 and \"At the café.\"",
            ]),
            returned,
        ),
        (
            "no such parcel",
            Imagined { keys: &["2", "12"], ..Imagined::default() },
            after_answer(&[
                MENU,
                "tag key = 2",
                "gather parcel-number of 6 until Some('#'), first in 8 s, then in 3 s",
                "get parcel:12",
            ]),
            Finish::Failed(Failure::NotFound("parcel 12".into())),
        ),
    ]
}

/// Every call, in one language; and the record that comes after.
async fn takes_every_call(language: &str) {
    let version = load(sandboxes(), language, &reception(language));
    for (name, call, expected, finish) in calls() {
        let (run, timeline) = play(&version, &call).await;
        assert_eq!(timeline, expected, "{language}: {name}: {:?}", run.finish);
        assert_eq!(run.finish, finish, "{language}: {name}");
        let segment = Tape::read(&run.tape).unwrap().segments.remove(0);
        let verdict = sandboxes().replay(&version, &segment, &limits()).await;
        assert_eq!(verdict, Verdict::Same { steps: segment.steps.len() }, "{language}: {name}, again");
    }
    let call = Imagined::default();
    let world = Arc::new(Playing { call, keys: Mutex::default(), timeline: Mutex::default() });
    let run = sandboxes().run_ended(&version, start("{}", None), &record(), world.clone(), &limits()).await;
    assert_eq!(run.finish, Finish::Returned, "{language}");
    let expected = ["set last = +359888123456 after 61 s for None"];
    assert_eq!(*world.timeline.lock().unwrap(), expected, "{language}");
}

fn record() -> CallRecord {
    CallRecord {
        id: CallId::new(1_795_000_000_000, 7),
        tenant: "acme".into(),
        direction: Direction::Inbound,
        from: caller().party,
        dialled: "700".into(),
        source: None,
        script: "reception".into(),
        version: String::new(),
        started: 1_795_000_000.0,
        answered: None,
        ended: 1_795_000_060.0,
        wait: Duration::from_millis(61_900),
        talk: Duration::ZERO,
        outcome: Outcome::Abandoned,
        answered_by: None,
        legs: vec![],
        tags: vec![],
        recordings: vec![],
        failure: None,
    }
}

#[tokio::test]
async fn a_reception_in_rust() {
    takes_every_call("rust").await;
}

#[tokio::test]
async fn a_reception_in_javascript() {
    takes_every_call("js").await;
}

#[tokio::test]
async fn a_reception_in_python() {
    takes_every_call("python").await;
}

#[tokio::test]
async fn a_reception_in_c() {
    takes_every_call("c").await;
}

/// What a new project begins with.
fn begun(name: &str, language: Language, kind: Kind) -> Version {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{kind:?}"));
    let _ = std::fs::remove_dir_all(folder.join(name));
    let project = guest_build::new_project(&folder, name, language, kind, Sdk::Version("0.1"));
    load(sandboxes(), name, &project.unwrap_or_else(|why| panic!("{name}: {why}")))
}

#[test]
fn the_strategy_of_a_new_project_ranks_alike_in_javascript_python_and_c() {
    let agent = |name: &str, since_offered, free_for| Agent {
        name: name.into(),
        state: AgentState::Available,
        free: true,
        free_for: Duration::from_secs(free_for),
        since_offered: Duration::from_secs(since_offered),
        offered: 0,
        answered: 0,
        talked: Duration::ZERO,
        signed_in_for: Duration::ZERO,
        missed_in_a_row: 0,
        level: 1,
        weight: 1,
        skills: Vec::new(),
    };
    let caller = |id: u32, priority| Waiting { id, priority, position: id, ..Waiting::default() };
    let bounds =
        Limits { memory: limits::MEMORY_PYTHON, stretch: Duration::from_secs(5), ..Limits::strategy() };
    for (name, language) in [("js", Language::JavaScript), ("python", Language::Python), ("c", Language::C)] {
        let fair = begun(name, language, Kind::Queue);
        for (settings, ring, rung) in [
            (r#"{ "rest": 60 }"#, 20, ["boris", "ana"]),
            (r#"{ "say": "\u0430 \"quoted\"", "ring": 15, "rest": 10 }"#, 15, ["ana", "boris"]),
        ] {
            let now = Arc::new(Snapshot {
                settings: settings.into(),
                waiting: vec![caller(1, 0), caller(2, 0)],
                agents: vec![agent("ana", 300, 20), agent("boris", 90, 80)],
                ..Snapshot::default()
            });
            let ranking =
                sandboxes().rank(&fair, &now, &bounds).unwrap_or_else(|why| panic!("{name}: {why:?}")).answer;
            let offers: Vec<_> = ranking
                .offers
                .iter()
                .map(|offer| (offer.caller, offer.agents.join("+"), offer.ring.as_secs()))
                .collect();
            assert_eq!(
                offers,
                [(1, rung[0].to_owned(), ring), (2, rung[1].to_owned(), ring)],
                "{name}: {settings}"
            );
        }
    }
}

/// Nothing is run after the calls of those that have no function for it.
#[test]
fn what_has_nothing_to_do_after_a_call_says_so_in_every_language() {
    let ended = start("{}", Some(record()));
    for (name, language) in [("js", Language::JavaScript), ("python", Language::Python), ("c", Language::C)] {
        let nothing = |version: &Version| version.component().nothing_after(&ended).is_some();
        assert!(nothing(&begun(name, language, Kind::Call)), "{name}");
        assert!(!nothing(&load(sandboxes(), name, &reception(name))), "{name} remembers the call");
    }
}

#[tokio::test]
async fn a_script_that_gives_up_says_why_and_where_in_every_language() {
    for (language, said) in [
        ("js", &["TypeError: cannot read property 'number' of undefined", "at second", "at first"][..]),
        (
            "python",
            &["Traceback (most recent call last)", "in second", "ZeroDivisionError: division by zero"],
        ),
        ("c", &["script.c:", "first", "the script exited with code 1"]),
    ] {
        let project = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/languages/broken").join(language);
        let version = load(sandboxes(), language, &project);
        let (run, timeline) = play(&version, &Imagined::default()).await;
        let Finish::Trapped { kind: TrapKind::Trap, backtrace } = &run.finish else {
            panic!("{language}: {:?}", run.finish)
        };
        for words in said {
            assert!(backtrace.contains(words), "{language}: {words} is not in {backtrace}");
            assert!(
                timeline.iter().any(|line| line.contains(words)) || language == "c",
                "{language}: {timeline:?}"
            );
        }
        // What was printed before is in the log, in its place; and clocks are the call's.
        assert!(timeline[0].starts_with("Info: 1795000000 "), "{language}: {timeline:?}");
        assert_eq!(timeline[1], "answer", "{language}");
        let segment = Tape::read(&run.tape).unwrap().segments.remove(0);
        let verdict = sandboxes().replay(&version, &segment, &limits()).await;
        assert_eq!(verdict, Verdict::Same { steps: segment.steps.len() }, "{language}");
    }
}

#[test]
fn a_component_that_is_too_large_for_the_tenant_is_told_the_bound() {
    let python = component("python", &reception("python"));
    let small = Settings { sandboxes: 1, per_tenant: 1, ..Settings::default() };
    let refused = Sandboxes::new(small).unwrap().compile(&python).err().expect("it is refused").to_string();
    let expected =
        format!("component: it is {} bytes long; at most {} are taken", python.len(), limits::COMPONENT);
    assert_eq!(refused, expected);
}
