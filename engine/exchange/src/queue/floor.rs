//! All queues and agents of one shard. Calls tell it what their callers want and what telephones did;
//! it answers at once, or later by orders that the exchange hands to the call.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap, VecDeque};
use std::time::{Duration, Instant};

use super::MOST_WAITING;
use super::agent::{Agent, Name};
use super::deciding::{Asked, Kind};
use super::line::Line;
use super::place::{Entry, Leaving, MOST_KEYS, Place, PlaceId, Stage};
use super::plan::KeptAgent;
use crate::directory::Directory;
use crate::effect::Effect;
use crate::load::{Load, Seat};
use crate::verb::{AgentState, CallId, Failure, Outlook, Prompt, Refusal, Waited};

/// A caller's priority.
const PRIORITIES: std::ops::RangeInclusive<i32> = -100..=100;
/// Skills that one caller can ask for.
const MOST_SKILLS: usize = 32;

/// What the floor needs of the shard around it, for the length of one step.
pub(crate) struct Moment<'a> {
    pub now: Instant,
    /// Seconds since 1970 UTC.
    pub wall: f64,
    pub directory: &'a dyn Directory,
    pub load: &'a Load,
    pub out: &'a mut Vec<Effect>,
}

impl Moment<'_> {
    pub(super) fn tell(&mut self, tenant: &str, kind: &'static str, about: Vec<(&'static str, String)>) {
        self.out.push(Effect::Tell { tenant: tenant.into(), kind, about });
    }
}

/// What a call must do for its caller's place.
pub(crate) enum Order {
    /// The caller may wait.
    Admit(Admitted),
    /// The caller may not.
    Refuse(Refusal),
    /// Ring these agents.
    Ring(Ringing),
    /// Ring this agent no longer.
    Withdraw(Name),
    /// Say this and go on with the music.
    Say(Vec<Prompt>),
    /// The strategy's word for a key.
    Ask(String),
    /// How long the wait will be.
    Tell(Option<Duration>),
    /// This number is promised a call back, and the place goes on without this call; or why not.
    Promised(Result<String, Failure>),
    /// The place is over.
    Over(Waited),
    /// Nobody answered the call back this time; the place waits on, without this call.
    GiveUp,
}

pub(crate) struct Admitted {
    pub resumed: bool,
    pub music: Prompt,
}

pub(crate) struct Ringing {
    pub agents: Vec<Name>,
    /// Whoever has no device registered is rung on the mobile.
    pub mobile: bool,
    pub time: Duration,
}

/// One tenant's.
#[derive(Default)]
pub(super) struct Room {
    pub lines: BTreeMap<Name, Line>,
    pub agents: HashMap<Name, Agent>,
    pub kept: HashMap<String, KeptAgent>,
}

/// Whose deadline it is; it may have moved.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Due {
    Ticket(u64),
    Place(PlaceId),
    Agent(Name, Name),
    Again(Name, Name),
}

pub(crate) struct Floor {
    pub(super) rooms: HashMap<Name, Room>,
    pub(super) places: HashMap<PlaceId, Place>,
    pub(super) tickets: HashMap<u64, Asked>,
    pub(super) timers: BinaryHeap<Reverse<(Instant, Due)>>,
    /// What calls must do, in this order.
    pub orders: VecDeque<(CallId, PlaceId, Order)>,
    /// Call backs whose turn it is.
    pub call_backs: VecDeque<PlaceId>,
    /// Tenants whose queues may have something to decide.
    pub(super) stirred: BTreeSet<Name>,
    last_id: u64,
    seed: u64,
}

impl Floor {
    pub fn new(seed: u64) -> Self {
        Self {
            rooms: HashMap::new(),
            places: HashMap::new(),
            tickets: HashMap::new(),
            timers: BinaryHeap::new(),
            orders: VecDeque::new(),
            call_backs: VecDeque::new(),
            stirred: BTreeSet::new(),
            last_id: 0,
            seed,
        }
    }

    /// Names a place, an offer or a ticket.
    pub(super) fn next_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }

    /// For one snapshot.
    pub(super) fn chance(&mut self) -> u32 {
        self.seed = self.seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.seed >> 32) as u32
    }

    pub(super) fn names(&self, tenant: &str, queue: &str) -> Option<(Name, Name)> {
        let (tenant, room) = self.rooms.get_key_value(tenant)?;
        let (queue, _) = room.lines.get_key_value(queue)?;
        Some((tenant.clone(), queue.clone()))
    }

    pub(super) fn line(&self, tenant: &str, queue: &str) -> Option<&Line> {
        self.rooms.get(tenant)?.lines.get(queue)
    }

    /// A queue that is configured.
    pub(super) fn open_line(&self, tenant: &str, queue: &str) -> Option<&Line> {
        self.line(tenant, queue).filter(|line| !line.closed)
    }

    pub(super) fn line_mut(&mut self, tenant: &str, queue: &str) -> Option<&mut Line> {
        self.rooms.get_mut(tenant)?.lines.get_mut(queue)
    }

    /// Something may be decided in this queue now.
    pub(super) fn stir(&mut self, tenant: &Name, queue: &str) {
        if let Some(line) = self.line_mut(tenant, queue) {
            line.dirty = true;
            self.stirred.insert(tenant.clone());
        }
    }

    pub(super) fn arm_place(&mut self, id: PlaceId) {
        let Some(place) = self.places.get_mut(&id) else { return };
        let due = place.next_timeout();
        if due != place.armed {
            place.armed = due;
            self.timers.extend(due.map(|due| Reverse((due, Due::Place(id)))));
        }
    }

    /// Asks for a place; `Order::Admit` or `Order::Refuse` follows.
    pub fn enter(
        &mut self,
        tenant: &str,
        call: CallId,
        entry: Entry,
        m: &mut Moment,
    ) -> Result<PlaceId, Refusal> {
        let failed = |why: Failure| Err(Refusal::Failed(why));
        if !PRIORITIES.contains(&entry.priority) {
            return failed(Failure::Invalid("priority: -100 to 100".into()));
        }
        if entry.skills.len() > MOST_SKILLS
            || entry.skills.iter().any(|(_, level)| !(1..=100).contains(level))
        {
            return failed(Failure::Invalid("skills: at most 32, each of level 1 to 100".into()));
        }
        self.look_up(tenant, &entry.queue, m);
        let open = self.open_line(tenant, &entry.queue).and_then(|_| self.names(tenant, &entry.queue));
        let Some((tenant, queue)) = open else {
            return failed(Failure::NotFound(format!("queue {}", entry.queue)));
        };
        let id = PlaceId(self.next_id());
        let line = self.line_mut(&tenant, &queue).expect("it has just been named");
        let most = match line.plan.most_waiting as usize {
            0 => MOST_WAITING,
            most => most.min(MOST_WAITING),
        };
        if line.callers.len() + line.entering >= most {
            line.today.refused += 1;
            let about = vec![
                ("queue", queue.to_string()),
                ("call", call.to_string()),
                ("number", entry.number),
                ("reason", "full".into()),
            ];
            m.tell(&tenant, "queue.refused", about);
            return Err(Refusal::Full);
        }
        line.entering += 1;
        let last_agent = m.directory.last_spoke_with(&tenant, &entry.number);
        let kept = line.recall(&entry.number, m.now);
        let longest = if entry.longest.is_zero() { line.plan.longest_wait } else { entry.longest };
        let place = Place {
            tenant: tenant.clone(),
            queue: queue.clone(),
            call: Some(call),
            number: entry.number,
            priority: entry.priority,
            skills: entry.skills,
            last_agent,
            arrived: kept.unwrap_or(m.now),
            resumed: kept.is_some(),
            give_up_at: (!longest.is_zero()).then(|| m.now + longest),
            stage: Stage::Entering,
            leases: Vec::new(),
            tried: Vec::new(),
            promise: None,
            call_back: None,
            listening: false,
            said: None,
            announce_at: None,
            asking_words: false,
            asking_key: false,
            keys: VecDeque::new(),
            armed: None,
        };
        self.places.insert(id, place);
        self.ask(&tenant, &queue, Kind::Admit(id), m);
        Ok(id)
    }

    /// The caller gives the place up, for whatever reason. Telephones that ring for it are the call's. Answers
    /// the number that is called back if a promise was on its way: the place goes on then.
    pub fn leave(&mut self, id: PlaceId, why: Leaving, m: &mut Moment) -> Option<String> {
        let place = self.places.get(&id)?;
        match (&place.call_back, &place.stage) {
            // The call that looked for an agent is over; the place is not its own to give up.
            (Some(_), Stage::Waiting) => self.unring(id, m),
            (Some(_), _) => drop(self.finish(id, Leaving::CalledBack, m)),
            // Whoever asked for a call back and hung up a moment later wants it still.
            (None, Stage::Waiting) if place.promise.is_some() => return self.fulfil_promise(id, m),
            (None, _) => drop(self.finish(id, why, m)),
        }
        None
    }

    /// Caller and agent talk.
    pub fn bridged(&mut self, id: PlaceId, m: &mut Moment) {
        let called_back = self.places.get(&id).is_some_and(|place| place.call_back.is_some());
        self.finish(id, if called_back { Leaving::CalledBack } else { Leaving::Answered }, m);
    }

    /// The engine ends the wait.
    pub(super) fn end_wait(&mut self, id: PlaceId, why: Leaving, m: &mut Moment) {
        if let Some(place) = self.finish(id, why, m)
            && let Some(call) = place.call
        {
            self.orders.push_back((call, id, Order::Over(why.waited())));
        }
    }

    /// Every place ends here, once.
    fn finish(&mut self, id: PlaceId, why: Leaving, m: &mut Moment) -> Option<Place> {
        let place = self.places.remove(&id)?;
        let mut waited = m.now.saturating_duration_since(place.arrived);
        if let Stage::Connected { waited: until_answer, .. } = place.stage {
            waited = until_answer;
        }
        let entered = place.stage != Stage::Entering;
        if let Some(line) = self.line_mut(&place.tenant, &place.queue) {
            match place.stage {
                Stage::Entering => line.entering -= 1,
                Stage::Waiting => line.callers.retain(|caller| *caller != id),
                Stage::Connected { .. } => {}
            }
            if entered {
                line.today.note(why, waited);
            }
            if entered && place.call_back.is_none() {
                line.service.note_wait(waited, why == Leaving::Abandoned);
            }
            if why == Leaving::Abandoned && place.call_back.is_none() {
                line.remember(&place.number, place.arrived, m.now);
            }
        }
        self.release(&place, m);
        self.forget_promise(&place, m);
        if entered {
            let kind = if why == Leaving::CalledBack { "queue.called-back" } else { "queue.left" };
            let mut about = vec![
                ("queue", place.queue.to_string()),
                ("number", place.number.clone()),
                ("reason", why.name().into()),
                ("waited", waited.as_secs().to_string()),
            ];
            if let Some(call) = place.call {
                about.push(("call", call.to_string()));
            }
            if let Stage::Connected { agent, .. } = &place.stage {
                about.push(("agent", agent.to_string()));
            }
            if let Some(call_back) = &place.call_back {
                about.push(("promised-in", call_back.promised_in.to_string()));
            }
            m.tell(&place.tenant, kind, about);
        }
        self.drop_closed(&place.tenant, &place.queue);
        Some(place)
    }

    /// First is 1; 0 when the place is over.
    pub fn position(&self, id: PlaceId) -> u32 {
        let Some(place) = self.places.get(&id).filter(|place| place.is_waiting()) else { return 0 };
        let Some(line) = self.line(&place.tenant, &place.queue) else { return 0 };
        let rank = place.rank(id);
        let ahead = line.callers.iter().filter(|other| self.places[other].rank(**other) < rank).count();
        ahead as u32 + 1
    }

    /// Asks how long the caller will wait; `Order::Tell` follows.
    pub fn ask_length(&mut self, id: PlaceId, m: &mut Moment) -> bool {
        let Some(place) = self.places.get(&id).filter(|place| place.is_waiting()) else { return false };
        let (tenant, queue) = (place.tenant.clone(), place.queue.clone());
        self.ask(&tenant, &queue, Kind::Length(id), m)
    }

    /// None when there is no such queue.
    pub fn look(&mut self, tenant: &str, queue: &str, m: &mut Moment) -> Option<Outlook> {
        self.look_up(tenant, queue, m);
        let room = self.rooms.get(tenant)?;
        let line = self.open_line(tenant, queue)?;
        let mobile = line.plan.mobile;
        let agents = || line.members.iter().filter_map(|member| room.agents.get(&member.user));
        let first = line.callers.iter().map(|id| self.places[id].arrived).min();
        let (free, serving) = room.capacity(line);
        Some(Outlook {
            waiting: line.callers.len() as u32,
            available: agents().filter(|agent| agent.free && agent.is_reached(mobile)).count() as u32,
            serving: agents().filter(|agent| agent.serves(mobile)).count() as u32,
            longest: first.map_or(Duration::ZERO, |first| m.now.saturating_duration_since(first)),
            expected: line.service.expected(line.callers.len() + 1, free, serving),
        })
    }

    pub fn agent_state(&mut self, tenant: &str, user: &str, m: &mut Moment) -> Option<AgentState> {
        self.known(tenant, m);
        let user = m.directory.user(tenant, user)?;
        Some(self.rooms.get(tenant)?.agents.get(user.name.as_str())?.state)
    }

    pub fn set_priority(&mut self, id: PlaceId, priority: i32) -> Result<(), Failure> {
        if !PRIORITIES.contains(&priority) {
            return Err(Failure::Invalid("priority: -100 to 100".into()));
        }
        let over = || Failure::Invalid("place: it is over".into());
        let place = self.places.get_mut(&id).ok_or_else(over)?;
        place.priority = priority;
        let (tenant, queue) = (place.tenant.clone(), place.queue.clone());
        self.stir(&tenant, &queue);
        Ok(())
    }

    /// The call waits, or does something else: announcements are for who waits.
    pub fn listen(&mut self, id: PlaceId, listening: bool, m: &mut Moment) {
        let Some(place) = self.places.get_mut(&id) else { return };
        place.listening = listening;
        if listening && place.said.is_none() {
            place.announce_at = Some(m.now);
        }
        if listening {
            self.tend_place(id, m);
        }
    }

    /// A key that the script does not listen for.
    pub fn key(&mut self, id: PlaceId, key: char, m: &mut Moment) {
        let Some(place) = self.places.get_mut(&id) else { return };
        if place.keys.len() < MOST_KEYS {
            place.keys.push_back(key);
        }
        self.ask_key(id, m);
    }

    /// Users whose legs began, were answered, or ended.
    pub fn seats_changed(&mut self, seats: Vec<Seat>, m: &mut Moment) {
        for seat in seats {
            let Seat::User { tenant, user } = &seat else { continue };
            let Some((room_name, room)) = self.rooms.get_key_value(tenant.as_str()) else { continue };
            let Some((user, agent)) = room.agents.get_key_value(user.as_str()) else { continue };
            let (tenant, user, before) = (room_name.clone(), user.clone(), agent.legs);
            let legs = m.load.legs(&seat);
            let agent = self.agent_mut(&tenant, &user).expect("it was there a line ago");
            agent.legs = legs;
            if before.1 > 0 && legs.1 == 0 {
                agent.last_ended = Some(m.now);
            }
            if legs.1 > 0 {
                self.withdraw(&tenant, &user, m); // whoever took a call is rung no longer for another
            }
            self.refresh(&tenant, &user, m);
        }
    }

    pub(super) fn agent_mut(&mut self, tenant: &str, user: &str) -> Option<&mut Agent> {
        self.rooms.get_mut(tenant)?.agents.get_mut(user)
    }

    /// After a change of an agent: tells it, and whoever could ring them now.
    pub(super) fn refresh(&mut self, tenant: &Name, user: &Name, m: &mut Moment) {
        let Some(room) = self.rooms.get_mut(tenant) else { return };
        let Some(agent) = room.agents.get_mut(user) else { return };
        let (state, free) = (agent.state_at(m.now), agent.is_free_at(m.now));
        if state != agent.state {
            agent.state = state;
            agent.since = m.now;
            let mut about = vec![("agent", user.to_string()), ("state", state.name().into())];
            about.extend(agent.paused.clone().map(|reason| ("reason", reason)));
            m.tell(tenant, "agent.state", about);
        }
        if free && !agent.free {
            for queue in &agent.lines {
                if let Some(line) = room.lines.get_mut(queue) {
                    line.dirty = true;
                }
            }
            self.stirred.insert(tenant.clone());
        }
        agent.free = free;
        let due = agent.next_timeout(m.now);
        if due != agent.armed {
            agent.armed = due;
            if let Some(due) = due {
                self.timers.push(Reverse((due, Due::Agent(tenant.clone(), user.clone()))));
            }
        }
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, m: &mut Moment) {
        while let Some(Reverse((due, _))) = self.timers.peek() {
            if *due > m.now {
                return;
            }
            let Some(Reverse((due, whose))) = self.timers.pop() else { return };
            match whose {
                Due::Ticket(ticket) => self.handle_late(ticket, m),
                Due::Place(id) => {
                    if let Some(place) = self.places.get_mut(&id).filter(|place| place.armed == Some(due)) {
                        place.armed = None;
                        self.tend_place(id, m);
                    }
                }
                Due::Agent(tenant, user) => {
                    if let Some(agent) =
                        self.agent_mut(&tenant, &user).filter(|agent| agent.armed == Some(due))
                    {
                        agent.armed = None;
                        self.refresh(&tenant, &user, m);
                    }
                }
                Due::Again(tenant, queue) => {
                    if let Some(line) =
                        self.line_mut(&tenant, &queue).filter(|line| line.again_at == Some(due))
                    {
                        line.again_at = None;
                        self.stir(&tenant, &queue);
                    }
                }
            }
        }
    }

    pub fn next_timeout(&self) -> Option<Instant> {
        self.timers.peek().map(|Reverse((due, _))| *due)
    }

    /// Does what is due for one caller.
    fn tend_place(&mut self, id: PlaceId, m: &mut Moment) {
        let Some(place) = self.places.get(&id).filter(|place| place.is_waiting()) else { return };
        let is_due = |at: Option<Instant>| at.is_some_and(|at| at <= m.now);
        if is_due(place.give_up_at) {
            return self.end_wait(id, Leaving::LongestWait, m);
        }
        if is_due(place.call_back.as_ref().map(|call_back| call_back.until)) {
            return self.end_wait(id, Leaving::TooLate, m);
        }
        if place.listening && !place.asking_words && is_due(place.announce_at) {
            self.ask_words(id, m);
        }
        self.arm_place(id);
    }

    /// Whether no call has a place.
    pub fn is_empty(&self) -> bool {
        self.orders.is_empty() && self.places.values().all(|place| place.call.is_none())
    }
}
