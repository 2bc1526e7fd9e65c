//! `call`: one simulated call, printed as a timeline. The script is the real one; the exchange around
//! it is played here in virtual time: prompts take their nominal time, the caller presses the keys
//! that were given, those who answer do so after three seconds, and a queue's agent after twenty.

use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ::script::{Asked, Limits, Start, Version, World};
use clap::Args;
use exchange::{
    AgentState, Answer, BridgeEnd, CallId, Command, Contact, Dial, Direction, EndOfDigits, Failure, Gather,
    LegInfo, LegNo, LocalTime, Outlook, Party, PlaceNo, Presence, Prompt, Target, UserInfo, Waited,
};
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};

use super::{Failed, script, words};

/// What a recording or spoken words take when nobody knows how long they are.
const RECORDING: Duration = Duration::from_secs(2);
/// One character of digits.
const DIGIT: Duration = Duration::from_millis(500);
/// Between two keys of the caller.
const KEY: Duration = Duration::from_millis(800);
/// Until someone who answers does.
const RINGING: Duration = Duration::from_secs(3);
/// Until an agent is there for whoever waits in a queue.
const IN_LINE: Duration = Duration::from_secs(20);
/// The longest wait in a queue, unless the script says another.
const LONGEST_WAIT: Duration = Duration::from_secs(600);
/// The agent of every queue, when nobody was said to answer.
const AGENT: &str = "agent";
/// A conversation, unless the caller hangs up before.
const TALK: Duration = Duration::from_secs(60);

#[derive(Args)]
pub(super) struct Call {
    /// The component, or a project's folder
    script: PathBuf,
    /// Who calls
    #[arg(long, default_value = "+359888123456")]
    from: String,
    /// The number dialled
    #[arg(long, default_value = "700")]
    to: String,
    /// When: "2026-11-27 23:58"; now unless said
    #[arg(long)]
    at: Option<String>,
    /// The tenant's time zone
    #[arg(long, default_value = "UTC")]
    timezone: String,
    /// The keys that the caller presses, one after the other: 1,2
    #[arg(long, value_delimiter = ',')]
    keys: Vec<String>,
    /// Users and numbers that answer, by name; whoever is rung first unless said
    #[arg(long, value_delimiter = ',')]
    answers: Option<Vec<String>>,
    /// What the calendars say: office=closed,duty=ana; "open" unless said
    #[arg(long, value_delimiter = ',')]
    calendars: Vec<String>,
    /// Who spoke with the caller last
    #[arg(long)]
    spoke_with: Option<String>,
    /// Who looks after the caller in the CRM
    #[arg(long)]
    owner: Option<String>,
    /// The number's settings: a JSON object
    #[arg(long, default_value = "{}")]
    settings: String,
    /// When the caller leaves, seconds after calling
    #[arg(long, default_value_t = 300)]
    hangs_up_after: u32,
}

pub(super) fn run(call: &Call) -> Result<ExitCode, Failed> {
    let (name, bytes) = script::component(&call.script)?;
    serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(&call.settings)
        .map_err(|why| Failed(format!("--settings is no JSON object: {why}")))?;
    let began = began(call)?;
    let sandboxes = script::sandboxes()?;
    let version = Version::new(sandboxes.compile(&bytes)?);
    let caller = LegInfo {
        leg: LegNo::CALLER,
        party: Party { number: call.from.clone(), name: None, uri: format!("tel:{}", call.from) },
        dialled: call.to.clone(),
        direction: Direction::Inbound,
        user: None,
        headers: Vec::new(),
        language: "en".to_owned(),
    };
    let started = began.timestamp().as_millisecond() as f64 / 1000.0;
    let start = Start {
        call: CallId::new(began.timestamp().as_millisecond().unsigned_abs(), 0),
        tenant: "simulated".into(),
        script: name.as_str().into(),
        caller,
        settings: call.settings.as_str().into(),
        seed: 1,
        started,
        ended: None,
    };
    let world = Arc::new(Simulated { began: began.clone(), state: Mutex::new(State::new(call)) });
    println!("{} calls {} at {}", call.from, call.to, began.strftime("%Y-%m-%d %H:%M:%S %Z"));
    // Time is virtual here, so imports may come as fast as they like.
    let limits =
        Limits { host_calls_per_second: u32::MAX, memory: ::script::limits::MEMORY_PYTHON, ..Limits::call() };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let run = runtime.block_on(sandboxes.run_call(&version, start, world.clone(), &limits));
    let state = world.state.lock().unwrap_or_else(PoisonError::into_inner);
    println!("{:>8.1} s  {}", state.now.as_secs_f64(), words::finish(&run.finish));
    println!("{:>8} us of CPU", run.cpu.as_micros());
    use ::script::Finish;
    Ok(match run.finish {
        Finish::Failed(_) | Finish::Trapped { .. } | Finish::NoRoom => ExitCode::FAILURE,
        _ => ExitCode::SUCCESS,
    })
}

fn began(call: &Call) -> Result<Zoned, Failed> {
    let zone = TimeZone::get(&call.timezone)
        .map_err(|_| Failed(format!("\"{}\" is no time zone; write one like Europe/Sofia", call.timezone)))?;
    match &call.at {
        None => Ok(Timestamp::now().to_zoned(zone)),
        Some(at) => {
            let moment: DateTime = at
                .parse()
                .map_err(|_| Failed(format!("\"{at}\" is no moment; write one like \"2026-11-27 23:58\"")))?;
            Ok(moment.to_zoned(zone)?)
        }
    }
}

/// The exchange, played.
struct Simulated {
    began: Zoned,
    state: Mutex<State>,
}

struct State {
    now: Duration,
    leaves: Duration,
    keys: VecDeque<char>,
    answers: Option<Vec<String>>,
    calendars: BTreeMap<String, String>,
    spoke_with: Option<String>,
    owner: Option<String>,
    places: Vec<Place>,
    legs: u32,
    language: String,
    kept: BTreeMap<String, Vec<u8>>,
    random: u32,
}

/// A place in a queue, as the caller has it.
struct Place {
    entered: Duration,
    longest: Duration,
    over: bool,
}

impl World for Simulated {
    fn ask(&self, _call: CallId, command: Command) -> Asked<'_> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let at = state.now;
        let asked = words::command(&command);
        let answer = state.answer(command, &self.began);
        let said = words::answer(&answer).map(|said| format!(" -> {said}")).unwrap_or_default();
        println!("{:>8.1} s  {asked}{said}", at.as_secs_f64());
        Box::pin(std::future::ready(answer))
    }

    fn elapsed(&self, _call: CallId) -> Option<Duration> {
        Some(self.state.lock().unwrap_or_else(PoisonError::into_inner).now)
    }
}

impl State {
    fn new(call: &Call) -> Self {
        Self {
            now: Duration::ZERO,
            leaves: Duration::from_secs(call.hangs_up_after.into()),
            keys: call.keys.concat().chars().collect(),
            answers: call.answers.clone(),
            calendars: call
                .calendars
                .iter()
                .filter_map(|said| said.split_once('='))
                .map(|(name, scheme)| (name.to_owned(), scheme.to_owned()))
                .collect(),
            spoke_with: call.spoke_with.clone(),
            owner: call.owner.clone(),
            places: Vec::new(),
            legs: 0,
            language: "en".to_owned(),
            kept: BTreeMap::new(),
            random: 0,
        }
    }

    fn answer(&mut self, command: Command, began: &Zoned) -> Answer {
        match command {
            Command::Play { what, cut_by_key, .. } => match cut_by_key && !self.keys.is_empty() {
                true => self.wait(Duration::ZERO, Answer::Done),
                false => self.wait(nominal(&what), Answer::Done),
            },
            Command::Gather { options, .. } => self.gather(&options),
            Command::RecordMessage { most, .. } => {
                let length = most.min(RECORDING * 5);
                self.wait(length, Answer::Recorded { id: "simulated-recording".to_owned(), length })
            }
            Command::SendDigits { digits, .. } => {
                let time = DIGIT * u32::try_from(digits.len()).unwrap_or(u32::MAX);
                self.wait(time, Answer::Done)
            }
            Command::Sleep { length } => self.wait(length, Answer::Done),
            Command::Dial(dial) => self.dial(&dial),
            Command::Bridge { .. } | Command::Talk { .. } => {
                if self.now + TALK > self.leaves {
                    self.now = self.leaves;
                    return Answer::BridgeEnded(BridgeEnd::AHungUp);
                }
                self.wait(TALK, Answer::BridgeEnded(BridgeEnd::BHungUp))
            }
            Command::StartRecording { .. } => Answer::Text("simulated-recording".to_owned()),
            Command::SetLanguage { tag, .. } => {
                self.language = tag;
                Answer::Done
            }
            Command::Ring { .. } | Command::Answer { .. } | Command::Hold { .. } | Command::Resume { .. } => {
                self.wait(Duration::ZERO, Answer::Done)
            }
            Command::Reject { .. } => {
                self.leaves = self.now;
                Answer::Done
            }
            Command::HangUp { leg, .. } => {
                if leg == LegNo::CALLER {
                    self.leaves = self.now;
                }
                Answer::Done
            }
            Command::StopRecording { .. }
            | Command::Tag { .. }
            | Command::HandOver { .. }
            | Command::Log { .. } => Answer::Done,
            Command::FindUser { name_or_number } => Answer::Users(vec![user(&name_or_number)]),
            Command::Group { .. } => {
                Answer::Users(self.answers.iter().flatten().map(|name| user(name)).collect())
            }
            Command::Now => {
                Answer::Instant(began.timestamp().as_millisecond() as f64 / 1000.0 + self.now.as_secs_f64())
            }
            Command::LocalTime => Answer::LocalTime(Some(self.local(began, began.time_zone().clone()))),
            Command::TimeIn { zone } => {
                Answer::LocalTime(TimeZone::get(&zone).ok().map(|zone| self.local(began, zone)))
            }
            Command::Random { below } => {
                self.random = self.random.wrapping_add(1);
                Answer::Random(self.random % below.max(1))
            }
            Command::Settings => Answer::Text("{}".to_owned()),
            Command::KvGet { key } => Answer::Value(self.kept.get(&key).cloned()),
            Command::KvSet { key, value, .. } => {
                self.kept.insert(key, value);
                Answer::Done
            }
            Command::KvSwap { key, was, value } => {
                let swapped = self.kept.get(&key) == was.as_ref();
                if swapped {
                    self.kept.insert(key, value);
                }
                Answer::Swapped(swapped)
            }
            Command::KvAdd { key, amount } => {
                let is =
                    self.kept.get(&key).map_or(Some(0), |text| std::str::from_utf8(text).ok()?.parse().ok());
                match is.and_then(|is: i32| is.checked_add(amount)) {
                    Some(sum) => {
                        self.kept.insert(key, sum.to_string().into_bytes());
                        Answer::Sum(sum)
                    }
                    None => Answer::Failed(Failure::Invalid("key: not a number, or too large".to_owned())),
                }
            }
            Command::KvDelete { key } => {
                self.kept.remove(&key);
                Answer::Done
            }
            Command::Scheme { calendar } => {
                let said = self.calendars.get(&calendar).cloned();
                Answer::Word(Some(said.unwrap_or_else(|| "open".to_owned())))
            }
            Command::LastSpokeWith { .. } => {
                Answer::Users(self.spoke_with.iter().map(|name| user(name)).collect())
            }
            Command::Conversations { .. } => Answer::Count(u32::from(self.spoke_with.is_some())),
            Command::FindContact { .. } => Answer::Contact(self.owner.clone().map(|owner| {
                Box::new(Contact {
                    id: "simulated-contact".to_owned(),
                    name: "Simulated Contact".to_owned(),
                    owner: Some(owner),
                    ..Contact::default()
                })
            })),
            Command::LookAtQueue { .. } => Answer::Outlook(Some(Outlook {
                waiting: 0,
                available: 0,
                serving: u32::from(self.agent().is_some()),
                longest: Duration::ZERO,
                expected: self.agent().is_some().then_some(IN_LINE),
            })),
            Command::EnterQueue { longest, .. } => {
                let longest = if longest.is_zero() { LONGEST_WAIT } else { longest };
                let place = PlaceNo(u32::try_from(self.places.len()).unwrap_or(u32::MAX));
                self.places.push(Place { entered: self.now, longest, over: false });
                self.wait(Duration::ZERO, Answer::Place { place, resumed: false })
            }
            Command::Position { place } => {
                Answer::Count(self.place(place).map_or(0, |place| u32::from(!place.over)))
            }
            Command::ExpectedWait { place } => {
                let (now, served) = (self.now, self.agent().is_some());
                let left = self.place(place).map(|place| (place.entered + IN_LINE).saturating_sub(now));
                Answer::Length(left.filter(|_| served))
            }
            Command::Wait { place, keys, .. } => self.wait_in_line(place, &keys),
            Command::CallBack { place, .. } | Command::LeaveQueue { place } => {
                if let Some(place) = self.place(place) {
                    place.over = true;
                }
                Answer::Done
            }
            Command::AgentState { .. } => Answer::AgentState(Some(AgentState::Available)),
            Command::SetPriority { .. }
            | Command::MakeAvailable { .. }
            | Command::Pause { .. }
            | Command::SignIn { .. }
            | Command::SignOut { .. } => Answer::Done,
            // There is one call here, and its telephones ask for nothing.
            Command::CarryOut { .. } | Command::RefuseTransfer { .. } => {
                Answer::Failed(Failure::Invalid("no transfer is asked for".to_owned()))
            }
            Command::TransferredBy => Answer::Name(None),
            Command::Park { most, .. } => self.wait(most, Answer::Failed(Failure::NoAnswer)),
            Command::Retrieve { slot: what } | Command::PickUp { user: what } => {
                Answer::Failed(Failure::NotFound(what))
            }
        }
    }

    fn place(&mut self, place: PlaceNo) -> Option<&mut Place> {
        self.places.get_mut(usize::try_from(place.0).ok()?)
    }

    /// Who answers from a queue: the first user of those who answer, or someone when nobody was named.
    fn agent(&self) -> Option<String> {
        match &self.answers {
            None => Some(AGENT.to_owned()),
            Some(names) => names.iter().find(|name| !name.starts_with('+')).cloned(),
        }
    }

    /// The next key that the script listens for, or whatever comes first: an agent, the longest wait.
    fn wait_in_line(&mut self, number: PlaceNo, keys: &str) -> Answer {
        let now = self.now;
        let Some(place) = self.place(number).filter(|place| !place.over) else {
            return Answer::Failed(Failure::Invalid("place: it is over".to_owned()));
        };
        let (entered, ends) = (place.entered, place.entered + place.longest);
        while let Some(key) = self.keys.pop_front() {
            if keys.contains(key) {
                return self.wait(KEY, Answer::Waited(Waited::Digit(key)));
            }
        }
        if let Some(place) = self.place(number) {
            place.over = true;
        }
        match self.agent() {
            Some(name) if entered + IN_LINE < ends => {
                let leg = self.leg(&Target::User(name));
                let time = (entered + IN_LINE).saturating_sub(now);
                self.wait(time, Answer::Waited(Waited::Connected(Box::new(leg))))
            }
            _ => self.wait(ends.saturating_sub(now), Answer::Waited(Waited::LongestWait)),
        }
    }

    /// Time goes by, unless the caller leaves before.
    fn wait(&mut self, time: Duration, then: Answer) -> Answer {
        if self.now + time >= self.leaves {
            self.now = self.leaves.max(self.now);
            return Answer::Failed(Failure::HungUp);
        }
        self.now += time;
        then
    }

    fn gather(&mut self, options: &Gather) -> Answer {
        let mut digits = String::new();
        let prompts = if self.keys.is_empty() { nominal(&options.prompts) } else { Duration::ZERO };
        let mut time = prompts;
        let ended = loop {
            if digits.len() >= options.most.into() {
                break EndOfDigits::Enough;
            }
            match self.keys.pop_front() {
                Some(key) => {
                    time += KEY;
                    if Some(key) == options.terminator {
                        break EndOfDigits::Terminator;
                    }
                    digits.push(key);
                }
                None => {
                    time += if digits.is_empty() { options.first } else { options.between };
                    break EndOfDigits::TimeOut;
                }
            }
        };
        self.wait(time, Answer::Gathered { digits, ended })
    }

    fn dial(&mut self, dial: &Dial) -> Answer {
        let mut stages: Vec<_> = dial.stages.iter().collect();
        stages.sort_by_key(|stage| stage.after);
        let answers = |target: &Target| {
            let (Target::User(name) | Target::Number(name) | Target::Uri(name)) = target;
            self.answers.as_ref().is_none_or(|answers| answers.contains(name))
        };
        let rung = stages.iter().flat_map(|stage| stage.targets.iter().map(|target| (stage.after, target)));
        let found =
            rung.filter(|(after, _)| *after + RINGING < dial.timeout).find(|(_, target)| answers(target));
        let Some((after, target)) = found else {
            return self.wait(dial.timeout, Answer::Failed(Failure::NoAnswer));
        };
        let (target, time) = (target.clone(), after + RINGING);
        let leg = self.leg(&target);
        self.wait(time, Answer::Leg(Box::new(leg)))
    }

    /// The leg of whoever has answered.
    fn leg(&mut self, target: &Target) -> LegInfo {
        self.legs += 1;
        let (Target::User(name) | Target::Number(name) | Target::Uri(name)) = target;
        LegInfo {
            leg: LegNo(self.legs),
            party: Party { number: name.clone(), name: None, uri: words::target(target) },
            dialled: name.clone(),
            direction: Direction::Outbound,
            user: matches!(target, Target::User(_)).then(|| name.clone()),
            headers: Vec::new(),
            language: self.language.clone(),
        }
    }

    fn local(&self, began: &Zoned, zone: TimeZone) -> LocalTime {
        let at = began.timestamp().saturating_add(self.now).unwrap_or(began.timestamp()).to_zoned(zone);
        LocalTime {
            year: at.year().into(),
            month: at.month().unsigned_abs(),
            day: at.day().unsigned_abs(),
            weekday: at.weekday().to_monday_one_offset().unsigned_abs(),
            hour: at.hour().unsigned_abs(),
            minute: at.minute().unsigned_abs(),
            second: at.second().unsigned_abs(),
            offset_minutes: at.offset().seconds() / 60,
        }
    }
}

fn user(name: &str) -> UserInfo {
    UserInfo {
        name: name.to_owned(),
        number: name.to_owned(),
        mobile: None,
        presence: Presence::Free,
        skills: Vec::new(),
    }
}

fn nominal(what: &[Prompt]) -> Duration {
    let one = |prompt: &Prompt| match prompt {
        Prompt::Recording(_)
        | Prompt::Text(_)
        | Prompt::Quantity(..)
        | Prompt::Duration(_)
        | Prompt::Position(_) => RECORDING,
        Prompt::Digits(digits) => DIGIT * u32::try_from(digits.chars().count()).unwrap_or(u32::MAX),
        Prompt::Silence(time) | Prompt::Tone(_, time) => *time,
        Prompt::Music(_) => Duration::ZERO,
    };
    what.iter().map(one).sum()
}
