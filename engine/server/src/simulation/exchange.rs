//! The exchange around an imaginary call: what each import is answered, and what time that takes.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use exchange::{
    AgentState, Answer, CallId, Command, Contact, Dial, Direction, EndOfDigits, Failure, Gather, Inbox,
    LegInfo, LegNo, LocalTime, MailboxAsk, Outcome, Outlook, Party, PlaceNo, Presence, Prompt, Target,
    TaskAsk, Transfer, UserInfo, Waited,
};
use jiff::tz::TimeZone;
use script::tape::{self, Entry};
use script::{Asked, Finish, World};

use super::servers::fetched;
use super::{
    Does, IN_LINE, NO_KEY, Others, Person, Played, QueueEnd, QueueScene, RINGING, Scene, TALK, TransferScene,
};
use crate::timeline::Line;
use crate::words;

/// What a recording or spoken words take when nobody knows how long they are.
const RECORDING: Duration = Duration::from_secs(2);
/// One character of digits.
const DIGIT: Duration = Duration::from_millis(500);
/// Between two keys of the caller.
pub(super) const KEY: Duration = Duration::from_millis(800);
/// The longest wait in a queue, unless the script says another.
const LONGEST_WAIT: Duration = Duration::from_secs(600);
/// What boxes go by where a configuration says nothing else.
const MESSAGE: (Duration, Duration, Duration) =
    (Duration::from_secs(120), Duration::from_secs(4), Duration::from_secs(1));
/// The agent of every queue of which the scene says nothing.
const AGENT: &str = "agent";

/// The exchange, played.
pub(super) struct Simulated {
    pub scene: Scene,
    pub state: Mutex<State>,
}

/// How far the call is.
#[derive(Default)]
pub(super) struct State {
    pub(super) now: Duration,
    /// When the run began that is now: the call's, or that of `on-ended`.
    began: Duration,
    pub(super) leaves: Duration,
    pub(super) keys: VecDeque<char>,
    places: Vec<Place>,
    /// Each leg but the caller's.
    pub(super) legs: Vec<Side>,
    /// What a telephone asked for and the script has not decided yet.
    pub(super) wish: Option<Transfer>,
    pub(super) transferred_by: Option<String>,
    pub(super) goes_on_to: Option<String>,
    language: String,
    kept: BTreeMap<String, Vec<u8>>,
    computed: Duration,
    lines: Vec<Line>,
    heard: Vec<String>,
    rung: Vec<String>,
    talked: Vec<String>,
    tags: Vec<(String, String)>,
    logs: Vec<String>,
    notices: Vec<String>,
    /// When the caller was answered, and when somebody spoke with it first.
    pub(super) answered: Option<Duration>,
    pub(super) connected: Option<Duration>,
    /// When the last conversation ended.
    pub(super) silent_since: Option<Duration>,
    pub(super) recordings: Vec<String>,
    rejected: bool,
    message_left: bool,
    promised: bool,
    pub(super) caller_left: bool,
}

/// Who is at the other end of a leg.
pub(super) struct Side {
    pub name: String,
    /// What is left of the conversation.
    pub talks: Duration,
    /// What the telephone asks for, if it has not yet.
    pub transfers: Option<TransferScene>,
    /// Keys for the questions to come.
    pub presses: VecDeque<char>,
    /// They have hung up.
    pub gone: bool,
}

/// A place in a queue, as the caller has it.
struct Place {
    queue: String,
    entered: Duration,
    longest: Duration,
    over: bool,
}

impl World for Simulated {
    fn ask(&self, _call: CallId, command: Command) -> Asked<'_> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let answer = state.answer(command, &self.scene);
        Box::pin(std::future::ready(answer))
    }

    fn elapsed(&self, _call: CallId) -> Option<Duration> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        Some(state.now.saturating_sub(state.began))
    }

    fn computed(&self, _call: CallId, time: Duration) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).computed = time;
    }

    fn tape(&self, _call: CallId, bytes: &[u8]) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        for entry in tape::entries(bytes) {
            let Entry::Step(step) = entry else { continue };
            let line = Line::of(&step, state.computed);
            state.lines.push(line);
        }
    }
}

impl State {
    pub fn new(scene: &Scene) -> Self {
        Self {
            leaves: scene.hangs_up_after,
            keys: scene.keys.chars().collect(),
            language: scene.language.clone(),
            transferred_by: scene.transferred_by.clone(),
            kept: scene.kept.iter().map(|(key, value)| (key.clone(), value.clone().into_bytes())).collect(),
            ..Self::default()
        }
    }

    /// Nobody calls, so nobody leaves.
    pub fn of_nobody(scene: &Scene) -> Self {
        Self { leaves: Duration::MAX, ..Self::new(scene) }
    }

    /// A run is over. The state is then that of the run of `on-ended`: what is remembered stays.
    pub fn over(&mut self, finish: Finish, cpu: Duration) -> Played {
        let failed = finish.is_failure();
        let outcome = if self.message_left && self.talked.is_empty() {
            Outcome::Voicemail
        } else if !self.talked.is_empty() {
            Outcome::Answered
        } else if self.rejected && self.rung.is_empty() {
            Outcome::Rejected
        } else if failed {
            Outcome::Failed
        } else if self.promised {
            Outcome::Missed
        } else if self.caller_left {
            Outcome::Abandoned
        } else if !self.rung.is_empty() || self.answered.is_none() {
            Outcome::Missed
        } else {
            Outcome::Answered
        };
        let began = std::mem::replace(&mut self.began, self.now);
        // Nobody is there who could leave.
        self.leaves = Duration::MAX;
        Played {
            lines: std::mem::take(&mut self.lines),
            finish,
            outcome,
            length: self.now - began,
            cpu,
            heard: std::mem::take(&mut self.heard),
            rung: std::mem::take(&mut self.rung),
            talked: std::mem::take(&mut self.talked),
            tags: std::mem::take(&mut self.tags),
            logs: std::mem::take(&mut self.logs),
            notices: std::mem::take(&mut self.notices),
            kept: self.kept.clone(),
            goes_on_to: self.goes_on_to.take(),
            ended: None,
        }
    }

    pub(super) fn answer(&mut self, command: Command, scene: &Scene) -> Answer {
        match command {
            Command::Play { leg, what, .. } if leg != LegNo::CALLER => {
                self.wait_beside(leg, nominal(&what), Answer::Done)
            }
            Command::Play { leg, what, cut_by_key } => {
                self.hear(leg, &what);
                match cut_by_key && self.keys.front().is_some_and(|key| *key != NO_KEY) {
                    true => self.wait(Duration::ZERO, Answer::Done),
                    false => self.wait(nominal(&what), Answer::Done),
                }
            }
            Command::Gather { leg, options } => {
                self.hear(leg, &options.prompts);
                self.gather(leg, &options)
            }
            Command::RecordMessage { most, .. } => {
                let length = most.min(RECORDING * 5);
                let id = self.recording();
                let recorded = self.wait(length, Answer::Recorded { id, length });
                self.message_left |= matches!(recorded, Answer::Recorded { .. });
                recorded
            }
            Command::SendDigits { digits, .. } => {
                let time = DIGIT * u32::try_from(digits.len()).unwrap_or(u32::MAX);
                self.wait(time, Answer::Done)
            }
            Command::Sleep { length } => self.wait(length, Answer::Done),
            Command::Dial(dial) => self.dial(&dial, scene),
            Command::Bridge { a, b, ref keys } | Command::Talk { a, b, ref keys } => {
                let asks = matches!(command, Command::Talk { .. });
                let answer = self.converse([a, b], keys, asks, scene);
                self.silent_since = Some(self.now);
                answer
            }
            Command::CarryOut { to, ring } => self.carry_out(to, ring, scene),
            Command::RefuseTransfer { .. } => self.refuse_transfer(),
            Command::TransferredBy => Answer::Name(self.transferred_by.clone()),
            Command::StartRecording { .. } => Answer::Text(self.recording()),
            Command::SetLanguage { tag, .. } => {
                self.language = tag;
                Answer::Done
            }
            Command::Ring { .. } | Command::Hold { .. } | Command::Resume { .. } => {
                self.wait(Duration::ZERO, Answer::Done)
            }
            Command::Answer { .. } => {
                self.answered.get_or_insert(self.now);
                self.wait(Duration::ZERO, Answer::Done)
            }
            Command::Reject { .. } => {
                self.leaves = self.now;
                self.rejected = true;
                Answer::Done
            }
            Command::HangUp { leg, .. } => {
                if leg == LegNo::CALLER {
                    self.leaves = self.now;
                }
                Answer::Done
            }
            Command::Tag { key, value } => {
                self.tags.retain(|(known, _)| *known != key);
                self.tags.push((key, value));
                Answer::Done
            }
            Command::Log { message, .. } => {
                self.logs.push(message);
                Answer::Done
            }
            Command::StopRecording { .. } | Command::PauseRecording { .. } | Command::HandOver { .. } => {
                Answer::Done
            }
            Command::Mailbox(ask) => mailbox(*ask),
            Command::FindUser { name_or_number } => {
                Answer::Users(scene.find(&name_or_number).map(|person| user(&person)).into_iter().collect())
            }
            Command::Group { name } => Answer::Users(scene.group(&name).map(user).collect()),
            Command::Now => Answer::Instant(
                scene.at.timestamp().as_millisecond() as f64 / 1000.0 + self.now.as_secs_f64(),
            ),
            Command::LocalTime => Answer::LocalTime(Some(self.local(scene, scene.at.time_zone().clone()))),
            Command::TimeIn { zone } => {
                Answer::LocalTime(TimeZone::get(&zone).ok().map(|zone| self.local(scene, zone)))
            }
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
                let said = scene.calendars.get(&calendar).map_or("open", String::as_str);
                Answer::Word(Some(said.to_owned()))
            }
            Command::LastSpokeWith { .. } => {
                let last = scene.spoke_with.as_deref().and_then(|name| scene.find(name));
                Answer::Users(last.map(|person| user(&person)).into_iter().collect())
            }
            Command::Conversations { .. } => Answer::Count(u32::from(scene.spoke_with.is_some())),
            Command::FindContact { number } => Answer::Contact(scene.contact(&number).map(Box::new)),
            // Nothing is to be done for whoever did not call.
            Command::CreateTask { .. } => Answer::Text("simulated-task".to_owned()),
            Command::CloseTask { .. } => Answer::Done,
            Command::Task { ask: TaskAsk::Assign { user }, .. } if scene.find(&user).is_none() => {
                Answer::Failed(Failure::NotFound(user))
            }
            Command::Task { .. } => Answer::Done,
            // Nobody is told of what did not happen.
            Command::Notify { to, text, .. } => {
                let whom = if to.is_empty() { "everyone" } else { &to };
                self.notices.push(format!("{whom}: {text}"));
                Answer::Text("simulated-letter".to_owned())
            }
            Command::Fetch(fetch) => {
                let (takes, answer) = fetched(&scene.servers, &fetch);
                match takes > fetch.timeout && !fetch.timeout.is_zero() {
                    true => self.wait(fetch.timeout, Answer::Failed(Failure::TimedOut)),
                    false => self.wait(takes, answer),
                }
            }
            Command::LookAtQueue { queue } => {
                let queue = scene.queue(&queue);
                let expected = match queue.ends {
                    QueueEnd::Agent(_, after) => Some(after),
                    _ => None,
                };
                Answer::Outlook(Some(Outlook {
                    waiting: queue.waiting,
                    available: queue.available,
                    serving: u32::from(expected.is_some()).max(queue.available),
                    longest: Duration::ZERO,
                    expected,
                }))
            }
            Command::EnterQueue { queue, longest, .. } => {
                if let QueueEnd::Refused(why) = scene.queue(&queue).ends {
                    return Answer::RefusedEntry(why);
                }
                let longest = if longest.is_zero() { LONGEST_WAIT } else { longest };
                let place = PlaceNo(u32::try_from(self.places.len()).unwrap_or(u32::MAX));
                self.places.push(Place { queue, entered: self.now, longest, over: false });
                self.wait(Duration::ZERO, Answer::Place { place, resumed: false })
            }
            Command::Position { place } => {
                let waiting = |place: &mut Place| 1 + scene.queue(&place.queue).waiting;
                Answer::Count(self.place(place).filter(|place| !place.over).map_or(0, waiting))
            }
            Command::ExpectedWait { place } => {
                let now = self.now;
                Answer::Length(self.place(place).and_then(|place| match scene.queue(&place.queue).ends {
                    QueueEnd::Agent(_, after) => Some((place.entered + after).saturating_sub(now)),
                    _ => None,
                }))
            }
            Command::Wait { place, keys, .. } => self.wait_in_line(place, &keys, scene),
            Command::CallBack { place, .. } => {
                self.promised = true;
                self.leave(place)
            }
            Command::LeaveQueue { place } => self.leave(place),
            Command::AgentState { user } => {
                Answer::AgentState(scene.find(&user).map(|person| match person.does {
                    Does::Offline => AgentState::Offline,
                    Does::Busy => AgentState::Talking,
                    _ => AgentState::Available,
                }))
            }
            Command::SetPriority { .. }
            | Command::MakeAvailable { .. }
            | Command::Pause { .. }
            | Command::SignIn { .. }
            | Command::SignOut { .. } => Answer::Done,
            // There is one call here.
            Command::Park { most, .. } => self.wait(most, Answer::Failed(Failure::NoAnswer)),
            Command::Retrieve { slot: what } | Command::PickUp { user: what } => {
                Answer::Failed(Failure::NotFound(what))
            }
            // The guest answers these itself.
            Command::Random { .. } => Answer::Random(0),
            Command::Settings => Answer::Text(scene.settings.clone()),
        }
    }

    fn hear(&mut self, leg: LegNo, what: &[Prompt]) {
        if leg == LegNo::CALLER {
            self.heard.extend(what.iter().map(|prompt| match prompt {
                Prompt::Text(text) => text.clone(),
                other => other.to_string(),
            }));
        }
    }

    /// Somebody speaks with the caller.
    pub(super) fn talks_with(&mut self, name: String) {
        self.connected.get_or_insert(self.now);
        self.silent_since = None;
        self.talked.push(name);
    }

    /// A recording is made.
    fn recording(&mut self) -> String {
        let name = "simulated-recording".to_owned();
        self.recordings.push(name.clone());
        name
    }

    fn place(&mut self, place: PlaceNo) -> Option<&mut Place> {
        self.places.get_mut(usize::try_from(place.0).ok()?)
    }

    fn leave(&mut self, place: PlaceNo) -> Answer {
        if let Some(place) = self.place(place) {
            place.over = true;
        }
        Answer::Done
    }

    /// The next key that the script listens for, or whatever comes first: an agent, the longest wait.
    fn wait_in_line(&mut self, number: PlaceNo, keys: &str, scene: &Scene) -> Answer {
        let now = self.now;
        let Some(place) = self.place(number).filter(|place| !place.over) else {
            return Answer::Failed(Failure::Invalid("place: it is over".to_owned()));
        };
        let (entered, ends, queue) = (place.entered, place.entered + place.longest, place.queue.clone());
        while let Some(key) = self.keys.pop_front() {
            if keys.contains(key) {
                return self.wait(KEY, Answer::Waited(Waited::Digit(key)));
            }
            if key == NO_KEY {
                break;
            }
        }
        self.leave(number);
        match scene.queue(&queue).ends {
            QueueEnd::Agent(name, after) if entered + after < ends => {
                self.rung.push(name.clone());
                let leg = self.leg(&Target::User(name), scene);
                let time = (entered + after).saturating_sub(now);
                self.wait(time, Answer::Waited(Waited::Connected(Box::new(leg))))
            }
            QueueEnd::Nobody(after) if entered + after < ends => {
                self.wait((entered + after).saturating_sub(now), Answer::Waited(Waited::Nobody))
            }
            _ => self.wait(ends.saturating_sub(now), Answer::Waited(Waited::LongestWait)),
        }
    }

    /// Time goes by, unless the caller leaves before.
    pub(super) fn wait(&mut self, time: Duration, then: Answer) -> Answer {
        if self.now + time >= self.leaves {
            self.now = self.leaves.max(self.now);
            self.caller_left |= !self.rejected;
            return Answer::Failed(Failure::HungUp);
        }
        self.now += time;
        then
    }

    /// The same for whoever else is on the call: they can be asked something when the caller has left.
    fn wait_beside(&mut self, leg: LegNo, time: Duration, then: Answer) -> Answer {
        if self.side(leg).is_none_or(|side| side.gone) {
            return Answer::Failed(Failure::HungUp);
        }
        if !self.caller_left {
            return self.wait(time, then);
        }
        self.now += time;
        then
    }

    fn gather(&mut self, leg: LegNo, options: &Gather) -> Answer {
        let mut keys = match self.side(leg) {
            Some(side) => std::mem::take(&mut side.presses),
            None => std::mem::take(&mut self.keys),
        };
        let (time, answer) = gathered(&mut keys, options);
        match self.side(leg) {
            Some(side) => {
                side.presses = keys;
                self.wait_beside(leg, time, answer)
            }
            None => {
                self.keys = keys;
                self.wait(time, answer)
            }
        }
    }

    fn dial(&mut self, dial: &Dial, scene: &Scene) -> Answer {
        match self.ring(dial, scene) {
            (at, Ok(target)) => {
                let leg = self.leg(&target, scene);
                self.wait(at, Answer::Leg(Box::new(leg)))
            }
            (at, Err(failure)) => self.wait(at, Answer::Failed(failure)),
        }
    }

    /// Stages ring at their time, or when all before have failed; the first to answer has the call. How long that takes,
    /// and who answers.
    pub(super) fn ring(&mut self, dial: &Dial, scene: &Scene) -> (Duration, Result<Target, Failure>) {
        let mut stages: Vec<_> = dial.stages.iter().collect();
        stages.sort_by_key(|stage| stage.after);
        let mut first: Option<(Duration, &Target)> = None;
        let mut all_failed_at = Some(Duration::ZERO);
        let mut failures = Vec::new();
        for stage in stages {
            let begins = all_failed_at.map_or(stage.after, |at| at.min(stage.after));
            if first.is_some_and(|(at, _)| at <= begins) || begins >= dial.timeout {
                break;
            }
            for target in &stage.targets {
                let (Target::User(name) | Target::Number(name) | Target::Uri(name)) = target;
                let does = scene.does(name);
                if !(dial.skip_busy && does == Some(Does::Busy)) && does.is_some_and(|it| it != Does::Offline)
                {
                    self.rung.push(name.clone());
                }
                let (failed_at, why) = match does {
                    Some(Does::Answers(after, _)) => {
                        let at = begins + after;
                        if at < dial.timeout && first.is_none_or(|(best, _)| at < best) {
                            first = Some((at, target));
                        }
                        (None, Failure::NoAnswer)
                    }
                    Some(Does::NoAnswer) => (None, Failure::NoAnswer),
                    Some(Does::Busy) => (Some(begins), Failure::Busy),
                    Some(Does::Offline) => (Some(begins), Failure::Unreachable),
                    Some(Does::Refuses(after, status)) => (Some(begins + after), Failure::Refused(status)),
                    None => (Some(begins), Failure::NotFound(name.clone())),
                };
                all_failed_at = all_failed_at.zip(failed_at).map(|(one, other)| one.max(other));
                failures.push(why);
            }
        }
        if let Some((at, target)) = first {
            return (at, Ok(target.clone()));
        }
        match all_failed_at.filter(|at| *at < dial.timeout) {
            // Whoever is busy is there at least; a caller is told that before that someone is not.
            Some(at) => {
                let busy = failures.iter().position(|why| *why == Failure::Busy).unwrap_or(0);
                let why = if failures.is_empty() { Failure::Unreachable } else { failures.swap_remove(busy) };
                (at, Err(why))
            }
            None => (dial.timeout, Err(Failure::NoAnswer)),
        }
    }

    /// The leg of whoever has answered.
    fn leg(&mut self, target: &Target, scene: &Scene) -> LegInfo {
        let (Target::User(name) | Target::Number(name) | Target::Uri(name)) = target;
        self.legs.push(scene.side(name));
        LegInfo {
            leg: LegNo(u32::try_from(self.legs.len()).unwrap_or(u32::MAX)),
            party: Party { number: name.clone(), name: None, uri: words::target(target) },
            dialled: name.clone(),
            direction: Direction::Outbound,
            user: matches!(target, Target::User(_)).then(|| name.clone()),
            headers: Default::default(),
            language: self.language.clone(),
        }
    }

    fn local(&self, scene: &Scene, zone: TimeZone) -> LocalTime {
        let began = scene.at.timestamp();
        let at = began.saturating_add(self.now).unwrap_or(began).to_zoned(zone);
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

/// What comes of asking somebody who presses these keys, and how long that takes.
fn gathered(keys: &mut VecDeque<char>, options: &Gather) -> (Duration, Answer) {
    let mut digits = String::new();
    let presses = keys.front().is_some_and(|key| *key != NO_KEY);
    let mut time = if presses { Duration::ZERO } else { nominal(&options.prompts) };
    let ended = loop {
        if digits.len() >= options.most.into() {
            break EndOfDigits::Enough;
        }
        match keys.pop_front() {
            Some(key) if key != NO_KEY => {
                time += KEY;
                if Some(key) == options.terminator {
                    break EndOfDigits::Terminator;
                }
                digits.push(key);
            }
            _ => {
                time += if digits.is_empty() { options.first } else { options.between };
                break EndOfDigits::TimeOut;
            }
        }
    };
    (time, Answer::Gathered { digits, ended })
}

impl Scene {
    /// Somebody by name, extension or number.
    pub(super) fn find(&self, name: &str) -> Option<Person> {
        let named = |person: &&Person| person.name == name || person.number == name;
        let found = self.people.iter().find(named).cloned();
        found.or_else(|| (self.others != Others::Unknown).then(|| self.somebody(name)))
    }

    /// Whoever answers under this name: a user's, a user's mobile, a number.
    pub(super) fn side(&self, name: &str) -> Side {
        let mobile = self.people.iter().find(|person| person.mobile.as_deref() == Some(name)).cloned();
        let person = mobile.or_else(|| self.find(name));
        let talks = match person.as_ref().map(|person| person.does) {
            Some(Does::Answers(_, talks)) => talks,
            _ => TALK,
        };
        let (transfers, presses) =
            person.map_or_else(Default::default, |person| (person.transfers, person.presses));
        Side { name: name.to_owned(), talks, transfers, presses: presses.chars().collect(), gone: false }
    }

    /// Somebody of whom the scene does not speak.
    fn somebody(&self, name: &str) -> Person {
        let does = if self.others == Others::Answer { Does::Answers(RINGING, TALK) } else { Does::NoAnswer };
        Person::new(name, does)
    }

    /// What comes of ringing a user or number; none when there is nobody of the name.
    fn does(&self, name: &str) -> Option<Does> {
        let mobile = self.people.iter().find(|person| person.mobile.as_deref() == Some(name));
        mobile.cloned().or_else(|| self.find(name)).map(|person| person.does)
    }

    /// The users of a group: a number in the world is in none.
    fn group(&self, name: &str) -> impl Iterator<Item = &Person> {
        let inside = move |person: &&Person| match &person.groups {
            Some(groups) => groups.iter().any(|group| group == name),
            None => !person.name.starts_with('+'),
        };
        self.people.iter().filter(inside)
    }

    fn contact(&self, number: &str) -> Option<Contact> {
        let fits = |(known, _): &&(Option<String>, Contact)| known.as_ref().is_none_or(|it| it == number);
        self.contacts.iter().find(fits).map(|(_, contact)| contact.clone())
    }

    /// Where nothing is said, the first user who answers does, or someone when nobody is named.
    fn queue(&self, name: &str) -> QueueScene {
        if let Some(said) = self.queues.get(name) {
            return said.clone();
        }
        let answers =
            |person: &&Person| matches!(person.does, Does::Answers(..)) && !person.name.starts_with('+');
        let agent = match self.people.iter().find(answers) {
            Some(person) => Some(person.name.clone()),
            None => (self.others == Others::Answer).then(|| AGENT.to_owned()),
        };
        let ends = agent.map_or(QueueEnd::LongestWait, |agent| QueueEnd::Agent(agent, IN_LINE));
        QueueScene { ends, waiting: 0, available: 0 }
    }
}

fn user(person: &Person) -> UserInfo {
    UserInfo {
        name: person.name.clone(),
        number: person.number.clone(),
        mobile: person.mobile.clone(),
        presence: match person.does {
            Does::Offline => Presence::Offline,
            Does::Busy => Presence::Busy,
            _ => Presence::Free,
        },
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

/// An imaginary box is there, empty, and opens to nobody by a PIN.
fn mailbox(ask: MailboxAsk) -> Answer {
    match ask {
        MailboxAsk::Find { name_or_number } => {
            let (longest, silence, shortest) = MESSAGE;
            let inbox = Inbox { name: name_or_number, longest, silence, shortest, ..Inbox::default() };
            Answer::Inbox(Some(Box::new(inbox)))
        }
        MailboxAsk::Unlock { .. } => Answer::Failed(Failure::Refused(403)),
        MailboxAsk::Messages { .. } => Answer::Messages(Vec::new()),
        MailboxAsk::Keep { id, .. } | MailboxAsk::Delete { id, .. } => Answer::Failed(Failure::NotFound(id)),
        MailboxAsk::Greet { .. } => Answer::Done,
    }
}
