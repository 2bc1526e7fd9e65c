//! The simulated world of one call: its time, its caller, its legs, and what has happened so far.
//!
//! A script is the only thing that runs, so that time passes where a verb waits and nowhere else: [`World::pass`] goes
//! from one thing that the caller's plan does to the next until what the verb waits for has come.

use super::call::Call;
use super::mailbox::MessageBox;
use super::plan::{Caller, Number, Step, Talk, User, Wish};
use super::queue::{Contact, InLine, Line};
use super::server::Server;
use super::tasks::TaskRow;
use crate::directory::Presence;
use crate::ended::{CallRecord, Outcome};
use crate::words::{Failure, Party, Prompt, Result, Target};
use jiff::{Zoned, civil, tz::TimeZone};
use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::time::Duration;

/// How long a recording or spoken text lasts, unless a test says otherwise.
pub const PROMPT_LENGTH: Duration = Duration::from_secs(3);
/// How long a caller takes to press a key after what it reacts to.
pub const REACTION: Duration = Duration::from_secs(1);
/// From one key to the next.
pub(crate) const KEY_INTERVAL: Duration = Duration::from_millis(500);
/// One character, spoken.
const SPOKEN_CHARACTER: Duration = Duration::from_millis(500);
/// For as long as nobody ends it.
pub(crate) const FOR_EVER: Duration = Duration::MAX;
/// The caller's leg.
pub(crate) const CALLER: usize = 0;

/// What the caller perceives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Percept {
    Answered,
    Ringing,
    Sound(Prompt),
    Itself,
    Talk(String),
    Rejected(u16),
    HungUp,
    Fallback,
    HandedOver(String),
}

/// Why waiting was over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Passed {
    /// The time is up.
    TimeUp,
    /// A key was pressed.
    Key,
    /// The caller left.
    CallerLeft,
}

/// A leg of the call.
#[derive(Clone, Debug)]
pub(crate) struct LegState {
    pub party: Party,
    pub user: Option<String>,
    pub label: String,
    pub alive: bool,
    pub hangs_up_at: Option<Duration>,
    /// When it asks to be replaced, and by whom.
    pub transfers_at: Wish,
    /// What it presses when it is asked; the caller's keys are its plan's.
    pub presses: VecDeque<char>,
}

pub(crate) struct World {
    pub now: Duration,
    pub started: f64,
    pub zone: TimeZone,
    pub plan: Plan,
    pub legs: Vec<LegState>,
    pub users: Vec<User>,
    pub numbers: Vec<Number>,
    pub dialled: String,
    pub headers: Vec<(String, String)>,
    pub language: String,
    pub settings: String,
    pub lengths: Vec<(Prompt, Duration)>,
    pub transferred_by: Option<String>,
    /// Slots that are taken, and by whom.
    pub parked: Vec<(String, String)>,
    /// Who comes for whoever is parked by this call, how long after.
    pub retrieved: Option<(Duration, String)>,
    /// The leg that asks to be replaced, and by whom.
    pub wish: Option<(usize, Target)>,
    pub kept: BTreeMap<String, (Vec<u8>, Option<Duration>)>,
    pub lines: Vec<(String, Line)>,
    pub places: Vec<InLine>,
    pub called_back: Option<(String, String)>,
    pub calendars: Vec<(String, String)>,
    pub contacts: Result<Vec<Contact>>,
    pub servers: Vec<Server>,
    pub mailboxes: Vec<MessageBox>,
    pub spoken: Vec<(String, u32)>,
    pub chance: u32,
    /// Pressed and not asked for yet.
    pub keys: VecDeque<char>,
    pub answered_at: Option<Duration>,
    pub talked_from: Option<Duration>,
    /// When the last conversation ended, or the caller left without one.
    pub silent_since: Option<Duration>,
    pub answered_by: Option<String>,
    pub anyone_rang: bool,
    pub dialled_out: bool,
    pub message_left: bool,
    pub rejected: Option<u16>,
    pub handed_over: Option<(String, String)>,
    pub tags: Vec<(String, String)>,
    pub recordings: Vec<String>,
    pub log: Vec<String>,
    /// What a script is told of; none in a call.
    pub task: Option<TaskRow>,
    pub timeline: Vec<(Duration, String)>,
}

/// The caller's plan, and how far it has come.
pub(crate) struct Plan {
    steps: VecDeque<Step>,
    /// When what stands before the first step was done.
    since: Duration,
    /// When the key before was pressed, if that was the step before.
    key_before: bool,
    /// What can be perceived and was not expected yet.
    current: Option<Percept>,
    /// The end of what was said last.
    spoke_until: Duration,
}

thread_local! {
    static WORLD: RefCell<Option<World>> = const { RefCell::new(None) };
}

pub(crate) fn enter(world: World) {
    WORLD.set(Some(world));
}

pub(crate) fn leave() -> World {
    WORLD.take().expect("a call is being simulated")
}

/// Does something with the world of the call that this thread simulates.
pub(crate) fn with<T>(what: impl FnOnce(&mut World) -> T) -> T {
    WORLD.with_borrow_mut(|world| {
        what(world.as_mut().expect("a verb needs a call: run the script with strowger_script::sim::Caller"))
    })
}

impl World {
    pub(crate) fn new(caller: Caller) -> World {
        let zone =
            TimeZone::get(&caller.zone).unwrap_or_else(|error| panic!("zone {:?}: {error}", caller.zone));
        let at: civil::DateTime =
            caller.at.parse().unwrap_or_else(|error| panic!("at {:?}: {error}", caller.at));
        let at = at.to_zoned(zone.clone()).unwrap_or_else(|error| panic!("at {:?}: {error}", caller.at));
        let user =
            caller.users.iter().find(|user| user.name == caller.number || user.number == caller.number);
        let number = match user {
            Some(user) if !user.number.is_empty() => user.number.clone(),
            _ => caller.number.clone(),
        };
        let leg = LegState {
            party: Party {
                uri: format!("sip:{number}@example.com"),
                number: number.clone(),
                name: caller.name,
            },
            user: user.map(|user| user.name.clone()),
            label: "caller".to_owned(),
            alive: true,
            hangs_up_at: None,
            transfers_at: None,
            presses: VecDeque::new(),
        };
        let who = leg.party.to_string();
        let mut world = World {
            now: Duration::ZERO,
            started: at.timestamp().as_microsecond() as f64 / 1e6,
            zone,
            plan: Plan {
                steps: caller.steps,
                since: Duration::ZERO,
                key_before: false,
                current: None,
                spoke_until: Duration::ZERO,
            },
            legs: vec![leg],
            users: caller.users,
            numbers: caller.numbers,
            dialled: caller.dialled,
            headers: caller.headers,
            language: caller.language,
            settings: caller.settings,
            lengths: caller.lengths,
            kept: caller.kept.into_iter().map(|(key, value)| (key, (value, None))).collect(),
            lines: caller.lines,
            places: Vec::new(),
            called_back: None,
            calendars: caller.calendars,
            contacts: caller.contacts,
            servers: caller.servers,
            mailboxes: caller.mailboxes,
            spoken: caller.spoken,
            transferred_by: caller.transferred_by,
            parked: caller.parked,
            retrieved: caller.retrieved,
            wish: None,
            chance: 1,
            keys: VecDeque::new(),
            answered_at: None,
            talked_from: None,
            silent_since: None,
            answered_by: None,
            anyone_rang: false,
            dialled_out: false,
            message_left: false,
            rejected: None,
            handed_over: None,
            tags: Vec::new(),
            recordings: Vec::new(),
            log: Vec::new(),
            task: None,
            timeline: Vec::new(),
        };
        let dialled = world.dialled.clone();
        world.note(format!("{who} calls {dialled}"));
        world
    }

    /// The wall clock in a zone.
    pub(crate) fn wall_clock(&self, zone: TimeZone) -> Zoned {
        let micros = (self.started * 1e6) as i64 + self.now.as_micros() as i64;
        jiff::Timestamp::from_microsecond(micros).expect("a time between 1970 and 9999").to_zoned(zone)
    }

    /// A line of the timeline.
    pub(crate) fn note(&mut self, what: impl Into<String>) {
        self.timeline.push((self.now, what.into()));
    }

    /// The caller perceives something; that may be what its plan expects.
    pub(crate) fn perceive(&mut self, what: Percept) {
        self.note(what.to_string());
        self.plan.current = Some(what);
        self.follow_plan();
    }

    /// What the caller perceived is over.
    pub(crate) fn quiet(&mut self) {
        self.plan.current = None;
    }

    /// Does everything of the plan that is due now.
    fn follow_plan(&mut self) {
        while let Some(step) = self.plan.steps.front().cloned() {
            if let Some(due) = self.plan.due() {
                if due > self.now || !self.legs[CALLER].alive {
                    return;
                }
                self.act(&step);
            } else {
                match &self.plan.current {
                    Some(current) if current.satisfies(&step) => self.plan.current = None,
                    _ => return,
                }
            }
            self.plan.steps.pop_front();
            self.plan.since = self.now;
            self.plan.key_before = matches!(step, Step::Presses(_));
        }
    }

    fn act(&mut self, step: &Step) {
        match step {
            Step::Presses(key) => {
                self.note(format!("presses {key}"));
                self.keys.push_back(*key);
            }
            Step::Speaks(length) => {
                self.note(format!("has spoken for {}", seconds(*length)));
                self.plan.spoke_until = self.now;
            }
            Step::HangsUp(_) => {
                self.note("hangs up");
                self.legs[CALLER].alive = false;
                self.silent_since.get_or_insert(self.now);
            }
            _ => {}
        }
    }

    /// Lets time pass until then, the caller leaves, or (`for_keys`) a key waits to be taken.
    pub(crate) fn pass(&mut self, until: Duration, for_keys: bool) -> Passed {
        loop {
            self.follow_plan();
            if !self.legs[CALLER].alive {
                return Passed::CallerLeft;
            }
            if for_keys && !self.keys.is_empty() {
                return Passed::Key;
            }
            if self.now >= until {
                return Passed::TimeUp;
            }
            let next = self.plan.due().map_or(until, |due| due.min(until));
            if next == FOR_EVER {
                self.nothing_will_happen();
            } else {
                self.now = next;
            }
        }
    }

    /// The same beside a leg that is not the caller's, which may hang up. A caller who is there may leave; one who has left
    /// is not waited for.
    pub(crate) fn pass_beside(&mut self, leg: usize, until: Duration) -> Result {
        let hangs_up_at = self.legs[leg].hangs_up_at.unwrap_or(FOR_EVER);
        let end = until.min(hangs_up_at);
        if self.legs[CALLER].alive {
            if self.pass(end, false) == Passed::CallerLeft {
                return Err(Failure::HungUp);
            }
        } else if end != FOR_EVER {
            self.now = self.now.max(end);
        }
        // Nobody listens to what never ends.
        if end == hangs_up_at || end == FOR_EVER {
            self.note(format!("{} hangs up", self.legs[leg].label));
            self.legs[leg].alive = false;
            return Err(Failure::HungUp);
        }
        Ok(())
    }

    /// A caller who has done everything hangs up; one who still expects something fails the test.
    fn nothing_will_happen(&mut self) {
        if let Some(step) = self.plan.steps.front() {
            panic!("the caller would wait for ever: it {step}\n{self}");
        }
        self.act(&Step::HangsUp(Duration::ZERO));
    }

    /// How long a prompt can be heard; none for music, which has no end.
    pub(crate) fn length(&self, prompt: &Prompt) -> Option<Duration> {
        if let Some((_, length)) = self.lengths.iter().find(|(known, _)| known == prompt) {
            return Some(*length);
        }
        match prompt {
            Prompt::Recording(_)
            | Prompt::Text(_)
            | Prompt::Quantity(_)
            | Prompt::Duration(_)
            | Prompt::Position(_) => Some(PROMPT_LENGTH),
            Prompt::Digits(all) => Some(SPOKEN_CHARACTER * all.chars().count() as u32),
            Prompt::Silence(millis) | Prompt::Tone((_, millis)) => {
                Some(Duration::from_millis((*millis).into()))
            }
            Prompt::Music(_) => None,
        }
    }

    /// The end of the plan, and the call as it was.
    #[track_caller]
    pub(crate) fn finish(mut self, result: Result) -> Call {
        let failed = matches!(&result, Err(failure) if *failure != Failure::HungUp);
        let outcome = self.outcome(failed);
        if self.legs[CALLER].alive {
            match (&result, &self.handed_over) {
                (Err(failure), _) => {
                    self.note(format!("the script fails: {failure}"));
                    self.perceive(Percept::Fallback);
                    if self.plan.current.is_some() {
                        panic!("the script failed: {failure}\n{self}");
                    }
                }
                (Ok(()), Some((script, _))) => self.perceive(Percept::HandedOver(script.clone())),
                (Ok(()), None) if self.answered_at.is_some() => self.perceive(Percept::HungUp),
                // Whoever was not answered is told 480 (RFC 3261 §21.4.18).
                (Ok(()), None) => self.perceive(Percept::Rejected(480)),
            }
        }
        self.legs[CALLER].alive = false;
        // Whoever is cut off while speaking has not missed anything.
        self.plan.steps.pop_front_if(|step| matches!(step, Step::Speaks(_)));
        if let Some(step) = self.plan.steps.front() {
            panic!("the call is over, and the caller did not come to this: it {step}\n{self}");
        }
        let silent = self.silent_since.unwrap_or(self.now);
        let waited = self.talked_from.or(self.answered_at).unwrap_or(silent);
        let record = CallRecord {
            id: "01SIMULATED000000000000000".to_owned(),
            caller: self.legs[CALLER].party.clone(),
            dialled: self.dialled.clone(),
            started: self.started,
            waited,
            talked: silent.saturating_sub(waited),
            answered_by: self.answered_by.clone(),
            outcome,
            recordings: self.recordings.clone(),
            tags: self.tags.clone(),
        };
        Call::new(self, result, record)
    }

    fn outcome(&self, failed: bool) -> Outcome {
        if self.message_left && self.talked_from.is_none() {
            Outcome::Voicemail
        } else if self.talked_from.is_some() {
            Outcome::Answered
        } else if self.rejected.is_some() && !self.anyone_rang {
            Outcome::Rejected
        } else if failed {
            Outcome::Failed
        } else if !self.legs[CALLER].alive && self.rejected.is_none() {
            Outcome::Abandoned
        } else if self.dialled_out || self.answered_at.is_none() {
            Outcome::Missed
        } else {
            Outcome::Answered
        }
    }

    /// A user by name or extension.
    pub(crate) fn find(&self, name_or_number: &str) -> Option<&User> {
        let named = |user: &&User| user.name == name_or_number || user.number == name_or_number;
        self.users.iter().find(named)
    }

    /// A user on a leg of this call is busy, whatever they were before.
    pub(crate) fn presence(&self, user: &User) -> Presence {
        let on_call = self.legs.iter().any(|leg| leg.alive && leg.user.as_deref() == Some(&user.name));
        if on_call { Presence::Busy } else { user.presence }
    }

    /// A new leg of someone who answered just now.
    pub(crate) fn answered_leg(
        &mut self,
        party: Party,
        user: Option<String>,
        label: String,
        talk: Talk,
    ) -> usize {
        let hangs_up_at = match talk {
            Talk::UntilHungUp => None,
            Talk::For(length) => Some(self.now + length),
        };
        let known = self.users.iter().find(|known| Some(&known.name) == user.as_ref());
        let transfers_at =
            known.and_then(|user| user.transfers.clone()).map(|(after, to)| (self.now + after, to));
        let number = self.numbers.iter().find(|known| user.is_none() && known.number == party.number);
        let presses = known.map(|user| &user.presses).or(number.map(|number| &number.presses));
        let presses = presses.map_or_else(VecDeque::new, |keys| keys.chars().collect());
        self.legs.push(LegState { party, user, label, alive: true, hangs_up_at, transfers_at, presses });
        self.legs.len() - 1
    }
}

impl Plan {
    /// Until when the caller speaks, or spoke last.
    pub(crate) fn speaks_until(&self) -> Duration {
        match self.steps.front() {
            Some(Step::Speaks(length)) => self.since + *length,
            _ => self.spoke_until,
        }
    }

    /// When the first step is due, if it is an action.
    fn due(&self) -> Option<Duration> {
        Some(match self.steps.front()? {
            Step::Presses(_) if self.key_before => self.since + KEY_INTERVAL,
            Step::Presses(_) => self.since + REACTION,
            Step::Waits(length) | Step::Speaks(length) | Step::HangsUp(length) => self.since + *length,
            _ => return None,
        })
    }
}

impl Percept {
    fn satisfies(&self, step: &Step) -> bool {
        match (self, step) {
            (Percept::Answered, Step::IsAnswered)
            | (Percept::Ringing, Step::HearsRinging)
            | (Percept::Sound(Prompt::Music(_)), Step::HearsMusic)
            | (Percept::Itself, Step::HearsItself)
            | (Percept::HungUp, Step::IsHungUp)
            | (Percept::Fallback, Step::FallsBack) => true,
            (Percept::Sound(heard), Step::Hears(expected)) => heard == expected,
            (Percept::Talk(with), Step::TalksWith(whom)) => with == whom,
            (Percept::Rejected(with), Step::IsRejected(status)) => with == status,
            (Percept::HandedOver(to), Step::IsHandedOverTo(script)) => to == script,
            _ => false,
        }
    }
}

impl fmt::Display for Percept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Percept::Answered => f.write_str("answered"),
            Percept::Ringing => f.write_str("hears ringing"),
            Percept::Sound(prompt) => write!(f, "hears {}", Sound(prompt)),
            Percept::Itself => f.write_str("hears itself"),
            Percept::Talk(whom) => write!(f, "talks with {whom}"),
            Percept::Rejected(status) => write!(f, "rejected with {status}"),
            Percept::HungUp => f.write_str("the exchange hangs up"),
            Percept::Fallback => f.write_str("the number's fallback takes the call"),
            Percept::HandedOver(script) => write!(f, "handed over to {script}"),
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Step::IsAnswered => f.write_str("expects to be answered"),
            Step::HearsRinging => f.write_str("expects to hear ringing"),
            Step::Hears(prompt) => write!(f, "expects to hear {}", Sound(prompt)),
            Step::HearsMusic => f.write_str("expects to hear music"),
            Step::HearsItself => f.write_str("expects to hear itself"),
            Step::TalksWith(whom) => write!(f, "expects to talk with {whom}"),
            Step::IsRejected(status) => write!(f, "expects to be rejected with {status}"),
            Step::IsHungUp => f.write_str("expects that the exchange hangs up"),
            Step::FallsBack => f.write_str("expects the number's fallback"),
            Step::IsHandedOverTo(script) => write!(f, "expects to be handed over to {script}"),
            Step::Waits(length) => write!(f, "waits for {}", seconds(*length)),
            Step::Speaks(length) => write!(f, "speaks for {}", seconds(*length)),
            Step::Presses(key) => write!(f, "presses {key}"),
            Step::HangsUp(length) => write!(f, "hangs up after {}", seconds(*length)),
        }
    }
}

/// A prompt, for the timeline.
struct Sound<'a>(&'a Prompt);

impl fmt::Display for Sound<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Prompt::Recording(name) => f.write_str(name),
            Prompt::Text(words) => write!(f, "{words:?}"),
            Prompt::Digits(all) => write!(f, "the digits {all}"),
            Prompt::Silence(millis) => write!(f, "nothing for {millis} ms"),
            Prompt::Tone((hertz, millis)) => write!(f, "{hertz} Hz for {millis} ms"),
            Prompt::Music(name) => write!(f, "music {name}"),
            Prompt::Quantity((number, noun)) => write!(f, "{number} {noun}"),
            Prompt::Duration(millis) => write!(f, "about {} s", millis / 1000),
            Prompt::Position(place) => write!(f, "place {place}"),
        }
    }
}

/// "1.5": seconds with one decimal.
pub(crate) fn seconds(length: Duration) -> String {
    format!("{:.1}", length.as_secs_f64())
}

impl fmt::Display for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, what) in &self.timeline {
            writeln!(f, "{:>8} {what}", seconds(*at))?;
        }
        Ok(())
    }
}
