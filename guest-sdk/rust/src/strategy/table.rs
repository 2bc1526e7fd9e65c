//! The rows of a snapshot outside a component: plain data, built up in a test as a table.

use super::{AgentState, Announcement, KeyAction, Offers, Rules, Skills, Snapshot, Waiting, entry};
use serde_json::Value;
use std::cmp::Reverse;
use std::rc::Rc;
use std::time::Duration;

/// An empty queue, for a test to fill.
pub fn snapshot() -> Snapshot {
    let queue = Queue {
        name: "sales".to_owned(),
        settings: "{}".to_owned(),
        seed: 0,
        last_answered: None,
        service: Duration::from_secs(180),
        callers: Vec::new(),
        agents: Vec::new(),
    };
    Snapshot { row: SnapshotRow(Rc::new(queue)) }
}

impl Snapshot {
    /// Callers in order of arrival, after those who are there; their ids count from 1.
    pub fn waiting<C: Into<Caller>>(mut self, callers: impl IntoIterator<Item = C>) -> Self {
        Rc::make_mut(&mut self.row.0).callers.extend(callers.into_iter().map(Into::into));
        self
    }

    /// An agent after those who are there: `idle(30.secs())`, `talking()` ...
    pub fn agent(mut self, name: &str, desk: Desk) -> Self {
        Rc::make_mut(&mut self.row.0).agents.push(Desk { name: name.to_owned(), ..desk });
        self
    }

    /// The queue's settings.
    pub fn with_settings(mut self, settings: Value) -> Self {
        Rc::make_mut(&mut self.row.0).settings = settings.to_string();
        self
    }

    /// The seed of choices by chance.
    pub fn with_seed(mut self, seed: u32) -> Self {
        Rc::make_mut(&mut self.row.0).seed = seed;
        self
    }

    /// The agent who answered last.
    pub fn with_last_answered(mut self, agent: &str) -> Self {
        Rc::make_mut(&mut self.row.0).last_answered = Some(agent.to_owned());
        self
    }

    /// What a strategy makes of it, with the settings read as in the exchange.
    ///
    /// # Panics
    /// When the settings don't fit the strategy.
    pub fn ranked_by<A>(&self, strategy: impl entry::Rank<A>) -> Offers {
        strategy.rank(self)
    }

    /// What the settings answer to one who is waiting; the first caller is 0.
    ///
    /// # Panics
    /// When there is no such caller, or the settings don't fit.
    pub fn announces(&self, caller: usize, said: Duration) -> Announcement {
        self.settings::<Rules>().announce(&self.callers()[caller], said)
    }

    /// What a key does by the settings.
    ///
    /// # Panics
    /// When the settings don't fit.
    pub fn presses(&self, key: char) -> KeyAction {
        self.settings::<Rules>().on_digit(key)
    }

    /// Whether the settings let this caller wait, who is not in the line.
    ///
    /// # Panics
    /// When the settings don't fit.
    pub fn admits(&self, caller: impl Into<Caller>) -> super::Admission {
        let mut with = (*self.row.0).clone();
        with.callers.push(caller.into());
        let with = Rc::new(with);
        let who = Waiting::new(WaitingRow { place: with.callers.len() - 1, queue: with });
        self.settings::<Rules>().admit(self, &who)
    }
}

/// A caller of a table. Text is a caller of that number.
#[derive(Clone, Debug)]
pub struct Caller {
    number: String,
    priority: i32,
    skills: Skills,
    waited: Duration,
    expected: Option<Duration>,
    last_agent: Option<String>,
    tried: Vec<String>,
    offered: bool,
}

/// A caller who has just come.
pub fn caller(number: &str) -> Caller {
    Caller {
        number: number.to_owned(),
        priority: 0,
        skills: Vec::new(),
        waited: Duration::ZERO,
        expected: None,
        last_agent: None,
        tried: Vec::new(),
        offered: false,
    }
}

impl From<&str> for Caller {
    fn from(number: &str) -> Self {
        caller(number)
    }
}

impl Caller {
    /// Higher goes first.
    pub fn priority(self, priority: i32) -> Self {
        Self { priority, ..self }
    }

    /// Wants a skill, at this level at least.
    pub fn wants(mut self, skill: &str, least: u8) -> Self {
        self.skills.push((skill.to_owned(), least));
        self
    }

    /// Entered so long ago.
    pub fn waited(self, waited: Duration) -> Self {
        Self { waited, ..self }
    }

    /// Will probably wait so long still.
    pub fn expects(self, wait: Duration) -> Self {
        Self { expected: Some(wait), ..self }
    }

    /// Spoke with this agent last.
    pub fn spoke_with(self, agent: &str) -> Self {
        Self { last_agent: Some(agent.to_owned()), ..self }
    }

    /// This agent was rung before, and did not answer.
    pub fn tried(mut self, agent: &str) -> Self {
        self.tried.push(agent.to_owned());
        self
    }

    /// Somebody is rung for the caller now.
    pub fn offered(self) -> Self {
        Self { offered: true, ..self }
    }
}

/// An agent of a table: what [`idle`], [`talking`] and the others make.
#[derive(Clone, Debug)]
pub struct Desk {
    name: String,
    state: AgentState,
    free: bool,
    free_for: Duration,
    since_offered: Duration,
    offered: u32,
    answered: u32,
    talked: Duration,
    signed_in_for: Duration,
    missed_in_a_row: u32,
    level: u8,
    weight: u16,
    skills: Skills,
}

fn desk(state: AgentState) -> Desk {
    Desk {
        name: String::new(),
        state,
        free: state == AgentState::Available,
        free_for: Duration::ZERO,
        since_offered: Duration::ZERO,
        offered: 0,
        answered: 0,
        talked: Duration::ZERO,
        signed_in_for: Duration::from_secs(8 * 3600),
        missed_in_a_row: 0,
        level: 1,
        weight: 1,
        skills: Vec::new(),
    }
}

/// Free, and no call was offered or ended for so long; signed in eight hours ago.
pub fn idle(length: Duration) -> Desk {
    Desk { free_for: length, since_offered: length, ..desk(AgentState::Available) }
}

/// On a call, of this queue or another.
pub fn talking() -> Desk {
    desk(AgentState::Talking)
}

/// Being rung, by this queue or another.
pub fn offered_a_call() -> Desk {
    desk(AgentState::Offered)
}

/// In wrap-up.
pub fn wrapping_up() -> Desk {
    desk(AgentState::WrapUp)
}

/// Paused.
pub fn paused() -> Desk {
    desk(AgentState::Paused)
}

/// Without a device.
pub fn offline() -> Desk {
    desk(AgentState::Offline)
}

impl Desk {
    /// The last call ended so long ago.
    pub fn ended_ago(self, length: Duration) -> Self {
        Self { free_for: length, ..self }
    }

    /// Calls offered and answered today.
    pub fn calls(self, offered: u32, answered: u32) -> Self {
        Self { offered, answered, ..self }
    }

    /// Time spoken today.
    pub fn talked(self, length: Duration) -> Self {
        Self { talked: length, ..self }
    }

    /// Signed in so long ago.
    pub fn signed_in_for(self, length: Duration) -> Self {
        Self { signed_in_for: length, ..self }
    }

    /// Missed the last so many offers, and is not to be rung for a while.
    pub fn missed(self, offers: u32) -> Self {
        Self { missed_in_a_row: offers, free: false, ..self }
    }

    /// The tier.
    pub fn level(self, level: u8) -> Self {
        Self { level, ..self }
    }

    /// The share.
    pub fn weight(self, weight: u16) -> Self {
        Self { weight, ..self }
    }

    /// Has a skill, at this level.
    pub fn skill(mut self, skill: &str, level: u8) -> Self {
        self.skills.push((skill.to_owned(), level));
        self
    }
}

#[derive(Clone)]
struct Queue {
    name: String,
    settings: String,
    seed: u32,
    last_answered: Option<String>,
    service: Duration,
    callers: Vec<Caller>,
    agents: Vec<Desk>,
}

impl Queue {
    /// By priority, then arrival.
    fn turn(&self, place: usize) -> (Reverse<i32>, usize) {
        (Reverse(self.callers[place].priority), place)
    }
}

pub struct SnapshotRow(Rc<Queue>);

pub struct WaitingRow {
    queue: Rc<Queue>,
    place: usize,
}

pub struct AgentRow(Desk);

impl SnapshotRow {
    pub fn queue(&self) -> String {
        self.0.name.clone()
    }
    pub fn settings(&self) -> String {
        self.0.settings.clone()
    }
    pub fn seed(&self) -> u32 {
        self.0.seed
    }
    pub fn last_answered(&self) -> Option<String> {
        self.0.last_answered.clone()
    }
    pub fn service(&self) -> Duration {
        self.0.service
    }
    pub fn waiting(&self) -> Vec<WaitingRow> {
        (0..self.0.callers.len()).map(|place| WaitingRow { queue: self.0.clone(), place }).collect()
    }
    pub fn agents(&self) -> Vec<AgentRow> {
        self.0.agents.iter().cloned().map(AgentRow).collect()
    }
    pub fn in_line(&self, most: u32) -> Vec<WaitingRow> {
        let mut line = self.waiting();
        line.retain(|row| !row.offered());
        line.sort_by_key(|row| self.0.turn(row.place));
        line.truncate(most as usize);
        line
    }
    pub fn free(&self) -> Vec<AgentRow> {
        self.0.agents.iter().filter(|desk| desk.free).cloned().map(AgentRow).collect()
    }
}

impl WaitingRow {
    fn caller(&self) -> &Caller {
        &self.queue.callers[self.place]
    }
    pub fn id(&self) -> u32 {
        self.place as u32 + 1
    }
    pub fn number(&self) -> String {
        self.caller().number.clone()
    }
    pub fn priority(&self) -> i32 {
        self.caller().priority
    }
    pub fn skills(&self) -> Skills {
        self.caller().skills.clone()
    }
    pub fn waited(&self) -> Duration {
        self.caller().waited
    }
    pub fn position(&self) -> u32 {
        let mine = self.queue.turn(self.place);
        (0..self.queue.callers.len()).filter(|other| self.queue.turn(*other) <= mine).count() as u32
    }
    pub fn expected(&self) -> Option<Duration> {
        self.caller().expected
    }
    pub fn last_agent(&self) -> Option<String> {
        self.caller().last_agent.clone()
    }
    pub fn tried(&self) -> Vec<String> {
        self.caller().tried.clone()
    }
    pub fn offered(&self) -> bool {
        self.caller().offered
    }
    pub fn anyone(&self) -> bool {
        self.caller().skills.is_empty() && self.caller().tried.is_empty()
    }
}

impl AgentRow {
    pub fn name(&self) -> String {
        self.0.name.clone()
    }
    pub fn state(&self) -> AgentState {
        self.0.state
    }
    pub fn free(&self) -> bool {
        self.0.free
    }
    pub fn free_for(&self) -> Duration {
        self.0.free_for
    }
    pub fn since_offered(&self) -> Duration {
        self.0.since_offered
    }
    pub fn offered(&self) -> u32 {
        self.0.offered
    }
    pub fn answered(&self) -> u32 {
        self.0.answered
    }
    pub fn talked(&self) -> Duration {
        self.0.talked
    }
    pub fn signed_in_for(&self) -> Duration {
        self.0.signed_in_for
    }
    pub fn missed_in_a_row(&self) -> u32 {
        self.0.missed_in_a_row
    }
    pub fn level(&self) -> u8 {
        self.0.level
    }
    pub fn weight(&self) -> u16 {
        self.0.weight
    }
    pub fn skill(&self, name: &str) -> Option<u8> {
        self.0.skills.iter().find(|(skill, _)| skill == name).map(|(_, level)| *level)
    }
    pub fn skills(&self) -> Skills {
        self.0.skills.clone()
    }
}
