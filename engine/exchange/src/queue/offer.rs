//! Offers: what a ranking wants is checked against the state now, offer by offer, and becomes a lease of
//! agents to one caller. However the telephones race, an agent is in one lease at most, and a caller
//! is connected with one agent at most.

use std::cmp::Reverse;
use std::collections::HashSet;
use std::time::{Duration, Instant};

use super::agent::{Miss, Name};
use super::deciding::Asked;
use super::floor::{Due, Floor, Moment, Order, Ringing, Room};
use super::line::Line;
use super::place::{Lease, MOST_TRIED, Place, PlaceId, Stage};
use super::{KeptAgent, Leaving};
use crate::effect::{Fallback, Origin, Route};
use crate::strategy::{Offer, Ranking};
use crate::verb::{CallId, Party, Target};

/// Agents that ring for one caller at once; the rest of an offer is not rung.
const MOST_RUNG: usize = 64;
/// The soonest that a strategy can ask for another ranking.
const LEAST_AGAIN: Duration = Duration::from_millis(100);
/// The shortest an offer rings, and the longest.
const RING: std::ops::RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(600);
/// The least delay after a missed offer: a telephone that refuses at once must not be rung in a loop.
const LEAST_DELAY: Duration = Duration::from_secs(1);
/// Refused offers of one ranking that are told.
const MOST_TOLD: usize = 10;
/// Runs for the agent who answered a call back, unless the queue names another.
const CALL_BACK_SCRIPT: &str = "strowger/call-back";
/// How long a call back that the exchange could not begin leaves its agents alone.
const NOT_BEGUN: Duration = Duration::from_secs(5);

impl Room {
    /// Whether a queue can offer this agent a call now.
    pub fn is_free_for(&self, line: &Line, user: &str) -> bool {
        self.agents.get(user).is_some_and(|agent| agent.free && agent.is_reached(line.plan.mobile))
    }

    /// Free agents of a queue, and how many agents' worth of time is spent on it: one who serves several
    /// queues in which callers wait is shared among them.
    pub fn capacity(&self, line: &Line) -> (usize, f64) {
        let (mut free, mut serving) = (0, 0.0);
        for agent in line.members.iter().filter_map(|member| self.agents.get(&member.user)) {
            if agent.serves(line.plan.mobile) {
                free += usize::from(agent.free && agent.is_reached(line.plan.mobile));
                let crowded = match agent.lines.len() {
                    0 | 1 => 1,
                    _ => agent.lines.iter().filter(|name| self.has_callers(name)).count().max(1),
                };
                serving += 1.0 / crowded as f64;
            }
        }
        (free, serving)
    }

    fn has_callers(&self, queue: &str) -> bool {
        self.lines.get(queue).is_some_and(|line| !line.callers.is_empty())
    }
}

impl Floor {
    /// Takes what a strategy wants, as far as it can be had.
    pub(super) fn apply(&mut self, ranking: Ranking, asked: &Asked, m: &mut Moment) {
        let mut refused = Vec::new();
        let mut callers = HashSet::new();
        let mut taken: HashSet<Name> = HashSet::new();
        let (mut made, mut raced) = (0, false);
        let by = why_so(asked);
        for Offer { caller, agents, ring } in ranking.offers {
            let Some(id) = asked.ids.get(caller as usize).copied() else {
                refused.push((format!("there is no caller {caller} in the snapshot"), agents));
                continue;
            };
            if !callers.insert(id) {
                refused.push((format!("caller {caller} has an offer in this ranking already"), agents));
                continue;
            }
            if !self.places.get(&id).is_some_and(|place| place.is_waiting() && *place.queue == *asked.queue) {
                raced = true;
                refused.push((format!("caller {caller} waits no longer"), agents));
                continue;
            }
            match self.check_agents(&agents, &taken, asked) {
                Err(why) => refused.push((why, agents)),
                Ok(free) if free.is_empty() => raced = true,
                Ok(free) => {
                    made += 1;
                    taken.extend(free.iter().cloned());
                    self.offer(id, free, ring, &by, m);
                }
            }
        }
        let nonsense = made == 0 && !raced && !refused.is_empty();
        let why = refused.first().map(|(why, _)| why.clone()).unwrap_or_default();
        for (why, agents) in refused.into_iter().take(MOST_TOLD) {
            let about = vec![
                ("queue", asked.queue.to_string()),
                ("strategy", asked.strategy.clone()),
                ("agents", agents.iter().take(MOST_RUNG).map(String::as_str).collect::<Vec<_>>().join(", ")),
                ("reason", why),
            ];
            m.tell(&asked.tenant, "offer.refused", about);
        }
        if nonsense {
            self.fall_back(&why, asked, m);
        }
        let again = ranking.again.map(|again| m.now + again.max(LEAST_AGAIN));
        let Some(line) = self.line_mut(&asked.tenant, &asked.queue) else { return };
        line.again_at = again;
        line.dirty |= raced;
        if let Some(again) = again {
            self.timers.push(Reverse((again, Due::Again(asked.tenant.clone(), asked.queue.clone()))));
        }
    }

    /// Those of an offer's agents who are free still; `taken` are in an earlier offer of the ranking. A strategy that names one who was not free in its
    /// snapshot has made a mistake; one who became busy since then has not.
    fn check_agents(
        &self,
        agents: &[String],
        taken: &HashSet<Name>,
        asked: &Asked,
    ) -> Result<Vec<Name>, String> {
        if agents.is_empty() {
            return Err("it names no agent".into());
        }
        let room = self.rooms.get(&asked.tenant).ok_or("there is no such tenant")?;
        let line = room.lines.get(&asked.queue).ok_or("there is no such queue")?;
        let mut free: Vec<Name> = Vec::new();
        for name in agents {
            let seen = asked.snapshot.agents.iter().find(|agent| agent.name == *name);
            match seen {
                None => return Err(format!("{name} does not serve this queue")),
                Some(agent) if !agent.free => return Err(format!("{name} is not free")),
                Some(_) => {}
            }
            if free.iter().any(|known| **known == **name) {
                return Err(format!("{name} is named twice"));
            }
            if taken.contains(name.as_str()) {
                return Err(format!("{name} has an offer in this ranking already"));
            }
            if let Some(member) = line.member(name).filter(|_| room.is_free_for(line, name)) {
                free.push(member.user.clone());
            }
        }
        free.truncate(MOST_RUNG);
        Ok(free)
    }

    /// Longest-idle: callers by priority, then arrival, each with the skilled agent who has not been
    /// offered a call for longest.
    pub(super) fn longest_idle(
        &mut self,
        tenant: &Name,
        queue: &Name,
        by: &[(&'static str, String)],
        m: &mut Moment,
    ) {
        let Some(room) = self.rooms.get(tenant) else { return };
        let Some(line) = room.lines.get(queue) else { return };
        let mut free: Vec<(Option<Instant>, Name)> = (line.members.iter())
            .filter(|member| room.is_free_for(line, &member.user))
            .map(|member| {
                let agent = &room.agents[&member.user];
                (Some(agent.last_offered.unwrap_or(agent.signed_in_at)), member.user.clone())
            })
            .collect();
        free.sort();
        let mut callers: Vec<_> = (line.callers.iter())
            .filter(|id| !self.places[id].is_offered())
            .map(|id| self.places[id].rank(*id))
            .collect();
        callers.sort();
        let ring = line.plan.ring;
        let mut offers = Vec::new();
        for (_, _, id) in callers {
            let wanted = &self.places[&id].skills;
            let Some(at) = free.iter().position(|(_, user)| room.agents[user].is_skilled(wanted)) else {
                if free.is_empty() {
                    break;
                }
                continue;
            };
            offers.push((id, free.remove(at).1));
        }
        for (id, user) in offers {
            self.offer(id, vec![user], ring, by, m);
        }
    }

    /// Leases these agents, who are free, to the caller, who waits.
    fn offer(
        &mut self,
        id: PlaceId,
        agents: Vec<Name>,
        ring: Duration,
        by: &[(&'static str, String)],
        m: &mut Moment,
    ) {
        let lease = self.next_id();
        let Some(place) = self.places.get_mut(&id) else { return };
        let (tenant, queue) = (place.tenant.clone(), place.queue.clone());
        let Some(line) = self.rooms.get(&tenant).and_then(|room| room.lines.get(&queue)) else { return };
        let longest = line.plan.ring.clamp(*RING.start(), *RING.end());
        let time = if ring.is_zero() { longest } else { ring.clamp(*RING.start(), longest) };
        let mobile = line.plan.mobile;
        let first = !place.is_offered();
        place.leases.push(Lease { id: lease, until: m.now + time, agents: agents.clone() });
        place.tried.extend(agents.iter().map(ToString::to_string));
        let most = place.tried.len().saturating_sub(MOST_TRIED);
        place.tried.drain(..most);
        let mut about = vec![
            ("queue", queue.to_string()),
            ("number", place.number.clone()),
            ("offer", lease.to_string()),
            ("agents", agents.join(", ")),
        ];
        about.extend(by.iter().cloned());
        about.extend(place.call.map(|call| ("call", call.to_string())));
        m.tell(&tenant, "queue.offered", about);
        match place.call {
            Some(call) => {
                let ringing = Ringing { agents: agents.clone(), mobile, time };
                self.orders.push_back((call, id, Order::Ring(ringing)));
            }
            None if first => self.call_backs.push_back(id),
            None => {} // it has not begun yet, and will ring these as well
        }
        for user in agents {
            if let Some(agent) = self.agent_mut(&tenant, &user) {
                agent.lease = Some(id);
                agent.last_offered = Some(m.now);
                agent.offered += 1;
            }
            self.refresh(&tenant, &user, m);
        }
    }

    /// An agent's telephones did not answer, for this reason.
    pub fn missed(&mut self, id: PlaceId, user: &str, miss: Miss, m: &mut Moment) {
        let Some(place) = self.places.get_mut(&id) else { return };
        let Some((user, lease)) = place.take_agent(user) else { return };
        let (tenant, alone) = (place.tenant.clone(), !place.is_offered());
        let attempt = place.call.filter(|_| alone && place.call_back.is_some());
        if attempt.is_some() {
            place.call = None;
        }
        let queue = place.queue.clone();
        let mut about = vec![
            ("queue", queue.to_string()),
            ("agent", user.to_string()),
            ("number", place.number.clone()),
            ("offer", lease.to_string()),
            ("reason", miss.name().into()),
        ];
        about.extend(place.call.or(attempt).map(|call| ("call", call.to_string())));
        m.tell(&tenant, "queue.missed", about);
        if let Some(call) = attempt {
            self.orders.push_back((call, id, Order::GiveUp));
        }
        self.blame(&tenant, &queue, &user, miss, m);
        if alone {
            self.stir(&tenant, &queue);
        }
    }

    /// The agent is left alone for a while, and paused after too many.
    fn blame(&mut self, tenant: &Name, queue: &str, user: &Name, miss: Miss, m: &mut Moment) {
        let Some(line) = self.line(tenant, queue) else { return };
        let delay = match miss {
            Miss::Busy => line.plan.after_busy,
            Miss::Rejected | Miss::Vanished => line.plan.after_reject,
            Miss::NoAnswer | Miss::Unreachable => line.plan.after_no_answer,
        };
        let most = line.plan.max_missed;
        let Some(agent) = self.agent_mut(tenant, user) else { return };
        agent.lease = None;
        agent.missed_in_a_row += 1;
        agent.not_before = Some(m.now + delay.max(LEAST_DELAY));
        if most > 0 && agent.missed_in_a_row >= most && agent.paused.is_none() {
            let reason = format!("missed {} calls", agent.missed_in_a_row);
            agent.paused = Some(reason.clone());
            self.keep(tenant, user, m, |kept: &mut KeptAgent| kept.paused = Some(reason));
        }
        self.refresh(tenant, user, m);
    }

    /// The first of the agents answered. The others are free again; the call stops their telephones.
    pub fn answered(&mut self, id: PlaceId, user: &str, m: &mut Moment) {
        let Some((user, lease)) = self.places.get_mut(&id).and_then(|place| place.take_agent(user)) else {
            return;
        };
        self.connect(id, user.clone(), user, lease, m);
    }

    /// Somebody took what rang at an agent's on a telephone of their own: another agent, or any other user. Nobody has
    /// missed anything, and all who rang are free again; the call stops their telephones.
    pub fn picked_up(&mut self, id: PlaceId, rang: &str, user: &str, m: &mut Moment) {
        let Some(place) = self.places.get_mut(&id) else { return };
        let Some((rang, lease)) = place.take_agent(rang) else { return };
        let tenant = place.tenant.clone();
        let known = self.rooms.get(&tenant).and_then(|room| room.agents.get_key_value(user));
        let user = known.map_or_else(|| Name::from(user), |(name, _)| name.clone());
        // Whoever takes it may have been rung for it as well.
        place.take_agent(&user);
        if user != rang {
            if let Some(agent) = self.agent_mut(&tenant, &rang) {
                agent.lease = None;
            }
            self.refresh(&tenant, &rang, m);
        }
        self.connect(id, rang, user, lease, m);
    }

    /// This user talks with the caller for whom that agent was rung; both are in none of the place's leases any more.
    fn connect(&mut self, id: PlaceId, rang: Name, user: Name, lease: u64, m: &mut Moment) {
        let Some(place) = self.places.get_mut(&id) else { return };
        let waited = m.now.saturating_duration_since(place.arrived);
        let leases = std::mem::take(&mut place.leases);
        place.stage = Stage::Connected { agent: user.clone(), waited };
        let (tenant, queue) = (place.tenant.clone(), place.queue.clone());
        let mut about = vec![
            ("queue", queue.to_string()),
            ("agent", user.to_string()),
            ("number", place.number.clone()),
            ("offer", lease.to_string()),
            ("waited", waited.as_secs().to_string()),
        ];
        about.extend(place.call.map(|call| ("call", call.to_string())));
        about.extend((rang != user).then(|| ("rang", rang.to_string())));
        m.tell(&tenant, "queue.connected", about);
        let offered = self.agent_mut(&tenant, &rang).and_then(|agent| agent.last_offered);
        if let Some(line) = self.line_mut(&tenant, &queue) {
            line.callers.retain(|caller| *caller != id);
            if line.member(&user).is_some() {
                line.last_answered = Some(user.clone());
            }
            if let Some(offered) = offered {
                line.service.note_ring(m.now.saturating_duration_since(offered));
            }
        }
        if let Some(agent) = self.agent_mut(&tenant, &user) {
            agent.lease = agent.lease.filter(|of| *of != id);
            agent.answered += 1;
            agent.missed_in_a_row = 0;
        }
        // Its state follows from its leg, which talks now.
        self.release_leases(&tenant, leases, m);
    }

    /// The agent who answered is gone before the bridge: the place returns where it was.
    pub fn lost(&mut self, id: PlaceId, m: &mut Moment) {
        let Some(place) = self.places.get_mut(&id) else { return };
        let Stage::Connected { agent, .. } = &place.stage else { return };
        let agent = agent.clone();
        place.stage = Stage::Waiting;
        if place.call_back.is_some() {
            place.call = None;
        }
        let (tenant, queue) = (place.tenant.clone(), place.queue.clone());
        let mut about = vec![
            ("queue", queue.to_string()),
            ("agent", agent.to_string()),
            ("number", place.number.clone()),
            ("reason", Miss::Vanished.name().into()),
        ];
        about.extend(place.call.map(|call| ("call", call.to_string())));
        if place.call_back.is_none() && self.open_line(&tenant, &queue).is_none() {
            return self.end_wait(id, Leaving::Nobody, m);
        }
        m.tell(&tenant, "queue.missed", about);
        self.stand_in_line(id);
        self.blame(&tenant, &queue, &agent, Miss::Vanished, m);
        self.arm_place(id);
        self.stir(&tenant, &queue);
    }

    /// Nobody rings for this caller any more, through no fault of the agents.
    pub fn unring(&mut self, id: PlaceId, m: &mut Moment) {
        let Some(place) = self.places.get_mut(&id) else { return };
        let leases = std::mem::take(&mut place.leases);
        let (tenant, queue) = (place.tenant.clone(), place.queue.clone());
        if place.call_back.is_some() {
            place.call = None;
        }
        self.release_leases(&tenant, leases, m);
        self.stir(&tenant, &queue);
    }

    /// This call looks for an agent who calls back.
    pub fn begin_call_back(&mut self, id: PlaceId, call: CallId, now: Instant) -> Option<Ringing> {
        let place = self.places.get_mut(&id)?;
        let until = place.leases.first()?.until;
        let mobile = self.rooms.get(&place.tenant)?.lines.get(&place.queue)?.plan.mobile;
        place.call = Some(call);
        let agents = place.leases.iter().flat_map(|lease| lease.agents.iter().cloned()).collect();
        Some(Ringing { agents, mobile, time: until.saturating_duration_since(now) })
    }

    /// An agent who is rung is wanted elsewhere: this offer is over for them, and they have missed nothing.
    pub(super) fn withdraw(&mut self, tenant: &Name, user: &Name, m: &mut Moment) {
        let Some(agent) = self.agent_mut(tenant, user) else { return };
        let Some(id) = agent.lease.take() else { return };
        self.refresh(tenant, user, m);
        let Some(place) = self.places.get_mut(&id) else { return };
        place.take_agent(user);
        let alone = !place.is_offered();
        let queue = place.queue.clone();
        if let Some(call) = place.call {
            self.orders.push_back((call, id, Order::Withdraw(user.clone())));
            if alone && place.call_back.is_some() {
                place.call = None;
                self.orders.push_back((call, id, Order::GiveUp));
            }
        }
        if alone {
            self.stir(tenant, &queue);
        }
    }

    /// The call that is to look for an agent, its queue's name, and the call in which it was promised. If
    /// the script fails the agent is connected with the customer all the same.
    pub fn call_back_origin(&mut self, id: PlaceId, m: &mut Moment) -> Option<(String, CallId, Origin)> {
        let place = self.places.get(&id)?;
        let wanted = place.call_back.as_ref()?;
        let line = self.line(&place.tenant, &place.queue)?;
        let agents = place.leases.iter().flat_map(|lease| &lease.agents);
        let ring: Vec<Target> = agents.map(|agent| Target::User(agent.to_string())).collect();
        if ring.is_empty() {
            return None;
        }
        let waited = m.now.saturating_duration_since(place.arrived).as_secs();
        let settings = format!(
            "{{\"number\":{},\"queue\":{},\"waited\":{waited}}}",
            quoted(&place.number),
            quoted(&place.queue)
        );
        let number = place.number.clone();
        let customer = match m.directory.user(&place.tenant, &number) {
            Some(user) => Target::User(user.name),
            None => Target::Number(number.clone()),
        };
        let origin = Origin {
            tenant: place.tenant.to_string(),
            ring,
            timeout: line.plan.ring,
            present: Party { uri: format!("tel:{number}"), number: number.clone(), name: None },
            dialled: number,
            language: wanted.language.clone(),
            route: Route {
                script: line.plan.call_back.clone().unwrap_or_else(|| CALL_BACK_SCRIPT.into()),
                settings,
                fallback: vec![Fallback::Ring(customer)],
                source: None,
            },
            token: None,
        };
        Some((place.queue.to_string(), wanted.promised_in, origin))
    }

    /// It could not begin: the agents are left alone for a moment, and nobody has missed anything.
    pub fn call_back_failed(&mut self, id: PlaceId, m: &mut Moment) {
        let Some(place) = self.places.get_mut(&id) else { return };
        let leases = std::mem::take(&mut place.leases);
        let tenant = place.tenant.clone();
        for user in leases.iter().flat_map(|lease| &lease.agents) {
            if let Some(agent) = self.agent_mut(&tenant, user) {
                agent.not_before = Some(m.now + NOT_BEGUN);
            }
        }
        self.release_leases(&tenant, leases, m);
    }

    /// A conversation of this queue is over; the agent finishes it. `taken`: from its beginning until the agent's leg
    /// ended, what the agent was asked after the conversation included.
    pub fn conversation_over(
        &mut self,
        tenant: &str,
        queue: &str,
        user: &str,
        talked: Duration,
        taken: Duration,
        m: &mut Moment,
    ) {
        let Some((tenant, queue)) = self.names(tenant, queue) else { return };
        let Some(line) = self.line_mut(&tenant, &queue) else { return };
        let own = line.member(user).and_then(|member| member.wrap_up);
        let wrap_up = own.unwrap_or(line.plan.wrap_up);
        line.service.note(taken + wrap_up);
        let Some((user, _)) = self.rooms[&tenant].agents.get_key_value(user) else { return };
        let user = user.clone();
        if let Some(agent) = self.agent_mut(&tenant, &user) {
            agent.talked += talked;
            agent.last_ended = Some(m.now);
            agent.wrap_until = Some(m.now + wrap_up);
        }
    }

    /// What was leased to a place that is over.
    pub(super) fn release(&mut self, place: &Place, m: &mut Moment) {
        self.release_leases(&place.tenant, place.leases.clone(), m);
    }

    pub(super) fn release_leases(&mut self, tenant: &Name, leases: Vec<Lease>, m: &mut Moment) {
        for user in leases.into_iter().flat_map(|lease| lease.agents) {
            if let Some(agent) = self.agent_mut(tenant, &user) {
                agent.lease = None;
            }
            self.refresh(tenant, &user, m);
        }
    }
}

/// Who made the offers of a ranking, and among how many.
fn why_so(asked: &Asked) -> Vec<(&'static str, String)> {
    let now = &asked.snapshot;
    let mut by = asked.decided_by();
    by.push(("free", now.agents.iter().filter(|agent| agent.free).count().to_string()));
    by.push(("waiting", now.waiting.len().to_string()));
    by.push(("seed", now.seed.to_string()));
    by
}

impl Place {
    /// The agent is in no offer for this caller any more.
    pub(super) fn take_agent(&mut self, user: &str) -> Option<(Name, u64)> {
        let taken = self.leases.iter_mut().find_map(|lease| {
            let at = lease.agents.iter().position(|agent| **agent == *user)?;
            Some((lease.agents.remove(at), lease.id))
        });
        self.leases.retain(|lease| !lease.agents.is_empty());
        taken
    }
}

/// A string as JSON writes it.
fn quoted(text: &str) -> String {
    let mut json = String::from("\"");
    for char in text.chars() {
        match char {
            '"' | '\\' => json.extend(['\\', char]),
            control if control < ' ' => json.push_str(&format!("\\u{:04x}", u32::from(control))),
            char => json.push(char),
        }
    }
    json.push('"');
    json
}
