//! A world made of answers given beforehand, and the guests built from `tests/guests`.

use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use exchange::{
    Answer, CallId, CallRecord, Command, Direction, Failure, LegInfo, LegNo, Outcome, Party, UserInfo,
};
use script::{
    Asked, Component, Finish, Limits, Run, Sandboxes, Settings, Start, TrapKind, Version, World, limits,
};

/// Built once per run of the tests, where cargo puts what is built.
pub fn guest(name: &str) -> Vec<u8> {
    static BUILT: LazyLock<Vec<guest_build::Built>> = LazyLock::new(|| {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/guests");
        let target = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
        let packages =
            ["actor", "actor-later", "ranker", "runtime", "runtime-ranks", "tasker"].map(String::from);
        let cache = target.parent().expect("tmp lies in the target folder").join("guests");
        guest_build::build(guest_build::Source::Packages(&source, &packages), &target.join("guests"), &cache)
            .expect("the guests of the tests build")
    });
    let built = BUILT.iter().find(|built| built.name == name).expect("a package of tests/guests");
    std::fs::read(&built.file).expect("was just written")
}

pub fn sandboxes() -> Sandboxes {
    with(|_| {})
}

pub fn with(change: impl FnOnce(&mut Settings)) -> Sandboxes {
    let mut settings = Settings { sandboxes: 50, per_tenant: 40, ..Settings::default() };
    change(&mut settings);
    Sandboxes::new(settings).expect("this machine has room for a few sandboxes")
}

pub fn compile(sandboxes: &Sandboxes, name: &str) -> Arc<Component> {
    sandboxes.compile(&guest(name)).expect("the guest passes the check")
}

pub fn actor(sandboxes: &Sandboxes) -> Arc<Version> {
    Arc::new(Version::new(compile(sandboxes, "actor")))
}

pub fn caller() -> LegInfo {
    LegInfo {
        leg: LegNo::CALLER,
        party: Party { number: "+359888123456".into(), name: Some("Rosa".into()), uri: "sip:rosa@x".into() },
        dialled: "700".into(),
        direction: Direction::Inbound,
        user: None,
        headers: [("x-account".into(), "17".into()), ("x-account".into(), "18".into())].into(),
        language: "en".into(),
    }
}

pub fn ana() -> LegInfo {
    let party = Party { number: "101".into(), name: None, uri: "sip:ana@acme.example".into() };
    LegInfo {
        leg: LegNo(1),
        party,
        user: Some("ana".into()),
        direction: Direction::Outbound,
        headers: Default::default(),
        ..caller()
    }
}

pub fn user(name: &str) -> UserInfo {
    UserInfo {
        name: name.into(),
        number: "101".into(),
        mobile: None,
        presence: exchange::Presence::Free,
        skills: vec![("sales".into(), 5)],
    }
}

/// A call of tenant acme whose script plays this part.
pub fn start(part: &str) -> Start {
    Start {
        call: CallId::new(1_795_000_000_000, 7),
        tenant: "acme".into(),
        script: "reception".into(),
        caller: caller(),
        settings: format!("\"{part}\"").into(),
        seed: 4711,
        started: 1_795_000_000.0,
        ended: None,
        changed: None,
    }
}

pub fn record() -> CallRecord {
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
        wait: Duration::from_secs(60),
        talk: Duration::ZERO,
        outcome: Outcome::Abandoned,
        answered_by: None,
        legs: vec![],
        tags: vec![],
        recordings: vec![],
        failure: None,
    }
}

type Rule = Box<dyn Fn(&Command) -> Option<Answer> + Send + Sync>;

/// Answers by a rule; where the rule has nothing, the asking lasts for ever.
pub struct Puppet {
    rule: Rule,
    asked: Mutex<Vec<Command>>,
    pub tape: Mutex<Vec<u8>>,
}

impl Puppet {
    pub fn new(rule: impl Fn(&Command) -> Option<Answer> + Send + Sync + 'static) -> Arc<Self> {
        Arc::new(Self { rule: Box::new(rule), asked: Mutex::default(), tape: Mutex::default() })
    }

    /// Everything is done at once.
    pub fn obliging() -> Arc<Self> {
        Self::new(|command| Some(oblige(command)))
    }

    /// Everything is done, but the caller leaves during whatever is played.
    pub fn leaving() -> Arc<Self> {
        Self::new(|command| match command {
            Command::Play { .. } => Some(Answer::Failed(Failure::HungUp)),
            command => Some(oblige(command)),
        })
    }

    pub fn asked(&self) -> Vec<Command> {
        self.asked.lock().unwrap().clone()
    }
}

pub fn oblige(command: &Command) -> Answer {
    match command {
        Command::Gather { .. } => {
            Answer::Gathered { digits: "1".into(), ended: exchange::EndOfDigits::Enough }
        }
        Command::Dial(_) => Answer::Leg(Box::new(ana())),
        Command::Bridge { .. } | Command::Talk { .. } => Answer::BridgeEnded(exchange::BridgeEnd::BHungUp),
        Command::FindUser { .. } => Answer::Users(vec![user("ana")]),
        Command::Group { .. } => Answer::Users((0..20).map(|n| user(&n.to_string())).collect()),
        Command::Now => Answer::Instant(1_795_000_000.5),
        Command::TimeIn { zone } => {
            Answer::LocalTime((zone == "Europe/Sofia").then_some(exchange::LocalTime {
                year: 2026,
                month: 11,
                day: 27,
                weekday: 5,
                hour: 23,
                minute: 58,
                second: 0,
                offset_minutes: 120,
            }))
        }
        Command::KvGet { .. } => Answer::Value(None),
        Command::KvAdd { .. } => Answer::Sum(1),
        _ => Answer::Done,
    }
}

impl World for Puppet {
    fn ask(&self, _call: CallId, command: Command) -> Asked<'_> {
        let answer = (self.rule)(&command);
        self.asked.lock().unwrap().push(command);
        Box::pin(async move {
            match answer {
                Some(answer) => answer,
                None => std::future::pending().await,
            }
        })
    }

    fn tape(&self, _call: CallId, bytes: &[u8]) {
        self.tape.lock().unwrap().extend_from_slice(bytes);
    }
}

/// Limits under which pace does not matter.
/// An emulator (tests/aarch64.sh) takes longer to translate a script than a script may compute.
pub fn unhurried() -> Limits {
    let times = if std::env::var_os("STROWGER_EMULATED").is_some() { 10 } else { 1 };
    let (stretch, cpu_per_second) = (limits::STRETCH * times, limits::CPU_PER_SECOND * times);
    Limits { stretch, cpu_per_second, host_calls_per_second: u32::MAX, ..Limits::call() }
}

pub async fn run(sandboxes: &Sandboxes, version: &Version, part: &str, world: &Arc<Puppet>) -> Run {
    sandboxes.run_call(version, start(part), world.clone(), &unhurried()).await
}

/// Runs until it waits for the world, and no further.
pub async fn until_it_waits<T>(run: &mut std::pin::Pin<Box<impl Future<Output = T>>>) {
    let polled = std::future::poll_fn(|cx| std::task::Poll::Ready(run.as_mut().poll(cx))).await;
    assert!(polled.is_pending(), "it waits for the world");
}

pub fn trap_kind(finish: &Finish) -> Option<TrapKind> {
    match finish {
        Finish::Trapped { kind, .. } => Some(*kind),
        _ => None,
    }
}

/// What the script marked, in order.
pub fn tags(world: &Puppet) -> Vec<(String, String)> {
    let tag = |command| match command {
        Command::Tag { key, value } => Some((key, value)),
        _ => None,
    };
    world.asked().into_iter().filter_map(tag).collect()
}
