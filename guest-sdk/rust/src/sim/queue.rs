//! Simulated queues, agents, contacts, calendars and history: a test says how they are, and the script finds them so.

use super::exchange::LegHandle;
use super::plan::{Talk, User};
use super::world::{CALLER, FOR_EVER, Passed, Percept, World, with};
use crate::directory::{self, Presence};
use crate::host::Entry;
use crate::leg::Leg;
use crate::queue::{Outlook, Refusal};
use crate::words::{AgentState, Failure, Party, Prompt, Result, Waited};
use std::time::Duration;

/// What plays to those who wait, unless the script says otherwise.
const MUSIC: &str = "default";
/// Priorities, skill levels, and the longest reason of a pause in bytes, as `wit/` has them.
const PRIORITIES: std::ops::RangeInclusive<i32> = -100..=100;
const LEVELS: std::ops::RangeInclusive<u8> = 1..=100;
const REASON: usize = 64;

/// A queue of the tenant, as the caller meets it; unless told otherwise nobody answers, and one waits for ever, the
/// first in line.
#[derive(Clone, Debug)]
pub struct Line {
    agent: Option<(String, Duration)>,
    vanishes: Option<(String, Duration)>,
    position: u32,
    expected: Option<Duration>,
    longest: Option<Duration>,
    nobody: Option<Duration>,
    refuses: Option<Refusal>,
    asks: Vec<(char, String)>,
    resumed: bool,
    outlook: Outlook,
}

impl Default for Line {
    fn default() -> Line {
        Line::new()
    }
}

impl Line {
    /// A queue.
    pub fn new() -> Line {
        Line {
            agent: None,
            vanishes: None,
            position: 1,
            expected: None,
            longest: None,
            nobody: None,
            refuses: None,
            asks: Vec::new(),
            resumed: false,
            outlook: Outlook { serving: 1, ..Outlook::default() },
        }
    }

    /// This agent answers when the caller has been in line for so long: a [`User`] of the test, for how the
    /// conversation ends, or any other name.
    pub fn agent_answers(mut self, name: &str, after: Duration) -> Line {
        self.agent = Some((name.to_owned(), after));
        self
    }

    /// This agent answers after so long and hangs up before the two can talk: the caller keeps the place.
    pub fn agent_vanishes(mut self, name: &str, after: Duration) -> Line {
        self.vanishes = Some((name.to_owned(), after));
        self
    }

    /// The caller's place; the first is 1.
    pub fn position(mut self, position: u32) -> Line {
        self.position = position;
        self.outlook.waiting = position.saturating_sub(1);
        self
    }

    /// How long it will probably take, from the beginning.
    pub fn expected(mut self, wait: Duration) -> Line {
        self.expected = Some(wait);
        self.outlook.expected = Some(wait);
        self
    }

    /// The queue's own longest wait.
    pub fn longest(mut self, wait: Duration) -> Line {
        self.longest = Some(wait);
        self
    }

    /// Nobody serves the queue any more, after so long.
    pub fn nobody_after(mut self, time: Duration) -> Line {
        self.nobody = Some(time);
        self
    }

    /// The strategy does not let the caller in.
    pub fn refuses(mut self, why: Refusal) -> Line {
        self.refuses = Some(why);
        self
    }

    /// The strategy makes a word of a key that the script does not listen for.
    pub fn asks(mut self, key: char, word: &str) -> Line {
        self.asks.push((key, word.to_owned()));
        self
    }

    /// The caller was in line a moment ago.
    pub fn resumed(mut self) -> Line {
        self.resumed = true;
        self
    }

    /// What [`look`](crate::queue::look) finds.
    pub fn looks(mut self, outlook: Outlook) -> Line {
        self.outlook = outlook;
        self
    }
}

/// A contact of the tenant's CRM.
#[derive(Clone, Debug)]
pub struct Contact {
    number: String,
    name: String,
    company: Option<String>,
    owner: Option<String>,
    fields: Vec<(String, String)>,
}

impl Contact {
    /// Someone with this number.
    pub fn new(number: &str, name: &str) -> Contact {
        Contact {
            number: number.to_owned(),
            name: name.to_owned(),
            company: None,
            owner: None,
            fields: Vec::new(),
        }
    }

    /// Where they work.
    pub fn company(mut self, name: &str) -> Contact {
        self.company = Some(name.to_owned());
        self
    }

    /// The user who looks after them.
    pub fn owner(mut self, user: &str) -> Contact {
        self.owner = Some(user.to_owned());
        self
    }

    /// Another field.
    pub fn field(mut self, name: &str, value: &str) -> Contact {
        self.fields.push((name.to_owned(), value.to_owned()));
        self
    }
}

/// What a contact says besides: the fields by name.
pub struct Fields(Vec<(String, String)>);

impl Fields {
    pub(crate) fn field(&self, name: &str) -> Option<String> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone())
    }
}

/// A place that the caller has or had.
pub(crate) struct InLine {
    line: Line,
    queue: String,
    entered: Duration,
    over: bool,
}

impl InLine {
    fn agent_at(&self) -> Option<Duration> {
        self.line.agent.as_ref().filter(|_| !self.over).map(|(_, after)| self.entered + *after)
    }
}

/// A place's handle: its number in the world.
pub struct PlaceHandle(usize);

impl PlaceHandle {
    pub(crate) fn position(&self) -> u32 {
        with(|world| {
            let place = &world.places[self.0];
            if place.over { 0 } else { place.line.position }
        })
    }

    pub(crate) fn expected(&self) -> Option<Duration> {
        with(|world| {
            let place = &world.places[self.0];
            place.line.expected.map(|wait| wait.saturating_sub(world.now - place.entered))
        })
    }

    pub(crate) fn resumed(&self) -> bool {
        with(|world| world.places[self.0].line.resumed)
    }

    pub(crate) fn wait(&self, keys: &str, hears: Option<&Prompt>) -> Result<Waited> {
        self.kept(|world, place| {
            world.perceive(Percept::Sound(hears.cloned().unwrap_or(Prompt::Music(MUSIC.to_owned()))));
            let waited = world.wait_in_line(place, keys);
            world.quiet();
            waited
        })
    }

    pub(crate) fn set_priority(&self, priority: i32) -> Result {
        check_priority(priority)?;
        self.kept(|world, _| {
            world.note(format!("has priority {priority}"));
            Ok(())
        })
    }

    pub(crate) fn call_back(&self, number: &str) -> Result {
        if number.is_empty() {
            return Err(Failure::Invalid("number: empty".to_owned()));
        }
        self.kept(|world, place| {
            let queue = world.places[place].queue.clone();
            world.places[place].over = true;
            world.note(format!("will be called back on {number} by {queue}"));
            world.called_back = Some((queue, number.to_owned()));
            Ok(())
        })
    }

    pub(crate) fn leave(&self) {
        with(|world| {
            if !std::mem::replace(&mut world.places[self.0].over, true) {
                let queue = world.places[self.0].queue.clone();
                world.note(format!("leaves {queue}"));
            }
        });
    }

    /// Does something with a place that is not over, in a call whose caller is there.
    fn kept<T>(&self, what: impl FnOnce(&mut World, usize) -> Result<T>) -> Result<T> {
        with(|world| {
            if !world.legs[CALLER].alive {
                Err(Failure::HungUp)
            } else if world.places[self.0].over {
                Err(Failure::Invalid("place: it is over".to_owned()))
            } else {
                what(world, self.0)
            }
        })
    }
}

impl World {
    /// When an agent answers for the place that the caller has, if one does.
    pub(crate) fn agent_at(&self) -> Option<Duration> {
        self.places.iter().filter_map(InLine::agent_at).min()
    }

    fn wait_in_line(&mut self, place: usize, keys: &str) -> Result<Waited> {
        let InLine { line, entered, .. } = &self.places[place];
        let after = |time: Option<Duration>| time.map_or(FOR_EVER, |time| *entered + time);
        let (agent, longest, nobody) = (line.agent.clone(), after(line.longest), after(line.nobody));
        let agent_at = after(agent.as_ref().map(|(_, after)| *after));
        let vanishes = line.vanishes.clone();
        let vanishes_at = after(vanishes.as_ref().map(|(_, after)| *after));
        let asks = line.asks.clone();
        loop {
            match self.pass(agent_at.min(vanishes_at).min(longest).min(nobody), true) {
                Passed::CallerLeft => return Err(Failure::HungUp),
                // Whoever answered while a key was pressed is not kept waiting for it.
                Passed::Key if agent_at.min(vanishes_at) > self.now => {
                    let key = self.keys.pop_front().expect("a key ended the waiting");
                    if keys.contains(key) {
                        return Ok(Waited::Digit(key));
                    }
                    if let Some((_, word)) = asks.iter().find(|(known, _)| *known == key) {
                        return Ok(Waited::Asked(word.clone()));
                    }
                }
                Passed::Key | Passed::TimeUp => break,
            }
        }
        if let Some((name, _)) = vanishes.filter(|_| vanishes_at <= self.now) {
            self.places[place].line.vanishes = None;
            let leg = self.agent_leg(name);
            self.legs[leg.0.0].hangs_up_at = Some(self.now);
            return Ok(Waited::Connected(leg));
        }
        self.places[place].over = true;
        match agent {
            Some((name, _)) if agent_at <= self.now => Ok(Waited::Connected(self.agent_leg(name))),
            _ if longest <= self.now => {
                self.note("has waited as long as one may");
                Ok(Waited::LongestWait)
            }
            _ => {
                self.note("nobody serves the queue any more");
                Ok(Waited::Nobody)
            }
        }
    }

    /// The leg of an agent who has answered.
    fn agent_leg(&mut self, name: String) -> Leg {
        self.note(format!("{name} answers"));
        let known = self.find(&name);
        let talk = known.map_or(Talk::UntilHungUp, |user| user.talk);
        let number = known.map_or_else(String::new, |user| user.number.clone());
        let uri = format!("sip:{name}@example.com");
        let party = Party { number, name: Some(name.clone()), uri };
        Leg(LegHandle(self.answered_leg(party, Some(name.clone()), name, talk)))
    }

    fn agent(&mut self, name: &str) -> Result<&mut User> {
        let found = self.users.iter_mut().find(|user| user.name == name || user.number == name);
        found.ok_or_else(|| Failure::NotFound(name.to_owned()))
    }

    fn is_queue(&self, name: &str) -> Result {
        let known = self.lines.iter().any(|(queue, _)| queue == name)
            || self.users.iter().any(|user| user.queues.iter().any(|queue| queue == name));
        if known { Ok(()) } else { Err(Failure::NotFound(name.to_owned())) }
    }
}

pub(crate) fn enter_queue(entry: Entry) -> Result<PlaceHandle, Refusal> {
    check_priority(entry.priority).map_err(Refusal::Failed)?;
    if let Some((skill, _)) = entry.skills.iter().find(|(_, level)| !LEVELS.contains(level)) {
        return Err(Refusal::Failed(Failure::Invalid(format!("skills: {skill} is not 1 to 100"))));
    }
    with(|world| {
        if !world.legs[CALLER].alive {
            return Err(Refusal::Failed(Failure::HungUp));
        }
        if world.places.iter().any(|place| !place.over) {
            return Err(Refusal::Failed(Failure::Invalid("queue: the caller waits already".to_owned())));
        }
        let Some((_, line)) = world.lines.iter().find(|(name, _)| *name == entry.queue) else {
            return Err(Refusal::Failed(Failure::NotFound(entry.queue)));
        };
        let mut line = line.clone();
        if let Some(why) = line.refuses {
            world.note(format!("may not wait in {}: {why}", entry.queue));
            return Err(why);
        }
        if !entry.longest.is_zero() {
            line.longest = Some(entry.longest);
        }
        let skills: String = entry.skills.iter().map(|(skill, level)| format!(", {skill} {level}")).collect();
        let priority =
            if entry.priority == 0 { String::new() } else { format!(", priority {}", entry.priority) };
        world.note(format!("waits in {}{priority}{skills}", entry.queue));
        world.dialled_out = true;
        let entered = world.now;
        world.places.push(InLine { line, queue: entry.queue, entered, over: false });
        Ok(PlaceHandle(world.places.len() - 1))
    })
}

pub(crate) fn look_at_queue(queue: &str) -> Option<Outlook> {
    with(|world| world.lines.iter().find(|(name, _)| name == queue).map(|(_, line)| line.outlook))
}

pub(crate) fn agent_state(user: &str) -> Option<AgentState> {
    with(|world| {
        let user = world.find(user)?;
        Some(match world.presence(user) {
            _ if user.paused.is_none() && user.queues.is_empty() => return None,
            Presence::Offline => AgentState::Offline,
            Presence::Busy => AgentState::Talking,
            _ if user.paused.is_some() => AgentState::Paused,
            Presence::Ringing => AgentState::Offered,
            Presence::Free => AgentState::Available,
        })
    })
}

pub(crate) fn make_available(user: &str) -> Result {
    with(|world| {
        world.agent(user)?.paused = None;
        world.note(format!("{user} is available"));
        Ok(())
    })
}

pub(crate) fn pause(user: &str, reason: &str) -> Result {
    if reason.len() > REASON {
        return Err(Failure::Invalid(format!("reason: longer than {REASON} bytes")));
    }
    with(|world| {
        world.agent(user)?.paused = Some(reason.to_owned());
        world.note(format!("{user} is paused: {reason}"));
        Ok(())
    })
}

pub(crate) fn sign_in(user: &str, queue: &str) -> Result {
    with(|world| {
        world.is_queue(queue)?;
        let agent = world.agent(user)?;
        if !agent.queues.iter().any(|known| known == queue) {
            agent.queues.push(queue.to_owned());
        }
        world.note(format!("{user} serves {queue}"));
        Ok(())
    })
}

pub(crate) fn sign_out(user: &str, queue: &str) -> Result {
    with(|world| {
        world.is_queue(queue)?;
        world.agent(user)?.queues.retain(|known| known != queue);
        world.note(format!("{user} serves {queue} no longer"));
        Ok(())
    })
}

pub(crate) fn find_contact(number: &str) -> Result<Option<crate::crm::Contact>> {
    with(|world| {
        let contacts = world.contacts.as_ref().map_err(Clone::clone)?;
        let found = contacts.iter().find(|contact| contact.number == number);
        Ok(found.map(|contact| crate::crm::Contact {
            id: format!("contact-{}", contact.number),
            name: contact.name.clone(),
            company: contact.company.clone(),
            owner: contact.owner.clone(),
            fields: Fields(contact.fields.clone()),
        }))
    })
}

pub(crate) fn create_task(
    number: &str,
    title: &str,
    responsible: Option<&str>,
    _due: Option<f64>,
) -> Result<String> {
    with(|world| {
        world.contacts.as_ref().map_err(Clone::clone)?;
        let of = responsible.map(|user| format!(" for {user}")).unwrap_or_default();
        world.note(format!("task{of} about {number}: {title}"));
        Ok("simulated-task".to_owned())
    })
}

pub(crate) fn close_task(id: &str) -> Result {
    with(|world| {
        world.note(format!("task {id} is done"));
        Ok(())
    })
}

pub(crate) fn scheme(calendar: &str) -> Option<String> {
    with(|world| {
        let found = world.calendars.iter().find(|(name, _)| name == calendar);
        found.map(|(_, scheme)| scheme.clone())
    })
}

pub(crate) fn last_spoke_with(number: &str, days: u32) -> Option<directory::User> {
    with(|world| {
        let of_caller = world.legs[CALLER].party.number == number;
        let within = world.spoken.iter().filter(|(_, ago)| of_caller && *ago <= days);
        let (name, _) = within.min_by_key(|(_, ago)| *ago)?;
        Some(super::exchange::seen(world, world.find(name)?))
    })
}

pub(crate) fn conversations(number: &str, days: u32) -> u32 {
    with(|world| {
        let of_caller = world.legs[CALLER].party.number == number;
        world.spoken.iter().filter(|(_, ago)| of_caller && *ago <= days).count() as u32
    })
}

fn check_priority(priority: i32) -> Result {
    if PRIORITIES.contains(&priority) {
        return Ok(());
    }
    Err(Failure::Invalid(format!("priority: {priority} is not -100 to 100")))
}
