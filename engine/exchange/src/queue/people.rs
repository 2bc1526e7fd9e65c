//! Who serves which queue: the configuration, and on top of it what agents wished, which is kept over a
//! restart. Queues come and go with a reload while callers wait.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Instant;

use super::agent::{Agent, Name};
use super::floor::{Floor, Moment, Order, Room};
use super::line::{Line, Member};
use super::place::{Place, PlaceId, Stage};
use super::plan::{AgentWish, KeptAgent, QueuePlan};
use super::view::Figures;
use super::{Leaving, MOST_AGENTS, MOST_QUEUES};
use crate::effect::Effect;
use crate::load::Seat;
use crate::verb::{Failure, Refusal};

/// The reason of a pause, in bytes.
const MOST_REASON: usize = 64;

impl Floor {
    /// Makes sure that the tenant's queues are known.
    pub(super) fn known(&mut self, tenant: &str, m: &mut Moment) {
        if self.rooms.get(tenant).is_none_or(|room| room.lines.is_empty()) {
            self.people_changed(tenant, m);
        }
    }

    /// Makes sure that a queue is known as it is configured now.
    pub(super) fn look_up(&mut self, tenant: &str, queue: &str, m: &mut Moment) {
        let plan = m.directory.queue(tenant, queue);
        let known = self.line(tenant, queue).filter(|line| !line.closed).map(|line| &line.plan);
        let same = match (known, &plan) {
            (Some(known), Some(plan)) => Arc::ptr_eq(known, plan) || known == plan,
            (None, None) => true,
            _ => false,
        };
        if !same {
            self.people_changed(tenant, m);
        }
    }

    /// Looks all queues and agents of a tenant up again.
    pub fn people_changed(&mut self, tenant: &str, m: &mut Moment) {
        let mut plans = m.directory.queues(tenant);
        plans.truncate(MOST_QUEUES);
        if plans.is_empty() && !self.rooms.contains_key(tenant) {
            return;
        }
        let tenant: Name = match self.rooms.get_key_value(tenant) {
            Some((name, _)) => name.clone(),
            None => tenant.into(),
        };
        let room = self.rooms.entry(tenant.clone()).or_default();
        let gone: Vec<Name> = room
            .lines
            .keys()
            .filter(|name| !plans.iter().any(|plan| *plan.name == ***name))
            .cloned()
            .collect();
        for name in &gone {
            self.close_line(&tenant, name, m);
        }
        let Some(room) = self.rooms.get_mut(&tenant) else { return };
        let mut served: HashMap<Name, Vec<Name>> = HashMap::new();
        let mut deserted = Vec::new();
        for plan in plans {
            let name: Name = plan.name.as_str().into();
            let places = &self.places;
            let line = room.lines.entry(name.clone()).or_insert_with(|| {
                let mut line = Line::new(plan.clone());
                line.today.entered = standing(places, &tenant, &name); // it was away, they were not
                line
            });
            line.service.expect(plan.handling);
            line.plan = plan;
            line.closed = false;
            let before = line.members.len();
            line.members = members(&name, line, &room.kept, &room.agents, &tenant, m);
            line.dirty = true;
            if before > 0 && line.members.is_empty() {
                deserted.push(name.clone());
            }
            for member in &line.members {
                served.entry(member.user.clone()).or_default().push(name.clone());
            }
        }
        room.group_lines(&served);
        let strangers: HashSet<Name> =
            room.agents.keys().filter(|user| !served.contains_key(*user)).cloned().collect();
        let everyone: Vec<Name> = strangers.into_iter().chain(served.keys().cloned()).collect();
        for user in everyone {
            let lines = served.remove(&user).unwrap_or_default();
            self.look_up_agent(&tenant, &user, lines, m);
        }
        self.stirred.insert(tenant.clone());
        for name in deserted {
            // Whoever is to be called back need not know: someone may sign in before the promise is too old.
            let mut callers = self.line(&tenant, &name).map(|line| line.callers.clone()).unwrap_or_default();
            callers.retain(|id| self.places[id].call_back.is_none());
            callers.into_iter().for_each(|id| self.end_wait(id, Leaving::Nobody, m));
        }
    }

    /// What an agent can be reached by, and what was kept of them.
    fn look_up_agent(&mut self, tenant: &Name, user: &Name, lines: Vec<Name>, m: &mut Moment) {
        let Some(room) = self.rooms.get_mut(tenant) else { return };
        let known = m.directory.user(tenant, user);
        let kept = room.kept.get(&**user);
        let mobile = lines.iter().any(|name| room.lines[name].plan.mobile);
        let agent = room.agents.entry(user.clone()).or_insert_with(|| {
            let seat = Seat::User { tenant: tenant.to_string(), user: user.to_string() };
            let mut agent = Agent::new(m.now);
            agent.legs = m.load.legs(&seat);
            agent.paused = kept.and_then(|kept| kept.paused.clone());
            agent
        });
        let no_longer = agent.lease.filter(|id| {
            let queue = self.places.get(id).map(|place| &place.queue);
            queue.is_none_or(|queue| !lines.contains(queue))
        });
        let existed = known.is_some();
        agent.lines = lines;
        agent.registered = existed && !m.directory.devices(tenant, user).is_empty();
        agent.has_mobile = known.as_ref().is_some_and(|user| user.mobile.is_some());
        agent.by_mobile = mobile && agent.has_mobile;
        agent.skills = known.map(|user| user.skills).unwrap_or_default();
        if no_longer.is_some() {
            self.withdraw(tenant, user, m);
        }
        self.refresh(tenant, user, m);
        if !existed && let Some(room) = self.rooms.get_mut(tenant) {
            room.agents.remove(user);
        }
    }

    /// A queue that is configured no longer: its callers are told so. Those who were promised a call back have left
    /// and can't be told: they stay in line until the queue is configured again or the promise is too old.
    fn close_line(&mut self, tenant: &Name, queue: &Name, m: &mut Moment) {
        let Some(line) = self.line_mut(tenant, queue).filter(|line| !line.closed) else { return };
        line.closed = true;
        line.members.clear();
        let there = |floor: &Self, stage: fn(&Stage) -> bool| -> Vec<PlaceId> {
            let ours = floor
                .places
                .iter()
                .filter(|(_, place)| place.tenant == *tenant && place.queue == *queue && stage(&place.stage));
            let mut ids: Vec<PlaceId> = ours.map(|(id, _)| *id).collect();
            ids.sort();
            ids
        };
        for id in there(self, |stage| *stage == Stage::Entering) {
            let call = self.places.get(&id).and_then(|place| place.call);
            self.finish_entry(id, m);
            if let Some(call) = call {
                let why = Failure::NotFound(format!("queue {queue}"));
                self.orders.push_back((call, id, Order::Refuse(Refusal::Failed(why))));
            }
        }
        let mut promised = 0;
        for id in there(self, |stage| *stage == Stage::Waiting) {
            let Some(place) = self.places.get(&id) else { continue };
            if place.call_back.is_none() {
                self.end_wait(id, Leaving::Nobody, m);
                continue;
            }
            promised += 1;
            if let Some(call) = place.call {
                self.unring(id, m);
                self.orders.push_back((call, id, Order::GiveUp));
            }
        }
        if promised > 0 {
            let about = vec![("queue", queue.to_string()), ("promised", promised.to_string())];
            m.tell(tenant, "queue.closed", about);
        }
        self.drop_closed(tenant, queue);
    }

    /// A line of a queue that is not configured, for a promise of an earlier process.
    pub(super) fn open_closed(&mut self, tenant: &str, queue: &str) -> (Name, Name) {
        let room = self.rooms.entry(tenant.into()).or_default();
        room.lines.entry(queue.into()).or_insert_with(|| {
            let mut line = Line::new(Arc::new(QueuePlan::empty(queue)));
            line.closed = true;
            line
        });
        self.names(tenant, queue).expect("it is there by now")
    }

    /// Nobody is promised anything any more in a queue that is configured no longer.
    pub(super) fn drop_closed(&mut self, tenant: &Name, queue: &Name) {
        let ours = |place: &Place| place.tenant == *tenant && place.queue == *queue;
        let Some(room) = self.rooms.get_mut(tenant) else { return };
        if room.lines.get(queue).is_some_and(|line| line.closed) && !self.places.values().any(ours) {
            room.lines.remove(queue);
        }
    }

    /// What was kept of an agent, before the tenant's queues are first looked up.
    pub fn restore_agent(&mut self, tenant: &str, user: &str, kept: KeptAgent) {
        let room = self.rooms.entry(tenant.into()).or_default();
        room.kept.insert(user.into(), kept);
    }

    /// Someone wishes an agent in another state.
    pub fn set_agent(
        &mut self,
        tenant: &str,
        user: &str,
        wish: AgentWish,
        m: &mut Moment,
    ) -> Result<(), Failure> {
        self.known(tenant, m);
        let not_found = |what: &str, name: &str| Failure::NotFound(format!("{what} {name}"));
        let user = m.directory.user(tenant, user).ok_or_else(|| not_found("user", user))?.name;
        let Some((tenant, room)) = self.rooms.get_key_value(tenant) else {
            return Err(not_found("agent", &user));
        };
        let (tenant, name) =
            (tenant.clone(), room.agents.get_key_value(user.as_str()).map(|(name, _)| name.clone()));
        match wish {
            AgentWish::Available => {
                let name = name.ok_or_else(|| not_found("agent", &user))?;
                let agent = self.agent_mut(&tenant, &name).ok_or_else(|| not_found("agent", &user))?;
                (agent.wrap_until, agent.not_before) = (None, None);
                agent.missed_in_a_row = 0;
                if agent.paused.take().is_some() {
                    self.keep(&tenant, &name, m, |kept| kept.paused = None);
                }
                self.refresh(&tenant, &name, m);
            }
            AgentWish::Paused { reason } => {
                if reason.len() > MOST_REASON {
                    return Err(Failure::Invalid("reason: at most 64 bytes".into()));
                }
                let name = name.ok_or_else(|| not_found("agent", &user))?;
                let agent = self.agent_mut(&tenant, &name).ok_or_else(|| not_found("agent", &user))?;
                if agent.paused.as_ref() != Some(&reason) {
                    agent.paused = Some(reason.clone());
                    agent.since = m.now;
                    self.keep(&tenant, &name, m, |kept| kept.paused = Some(reason));
                }
                self.withdraw(&tenant, &name, m);
                self.refresh(&tenant, &name, m);
            }
            AgentWish::SignIn { queue } => {
                self.look_up(&tenant, &queue, m);
                let line = self.open_line(&tenant, &queue).ok_or_else(|| not_found("queue", &queue))?;
                if line.member(&user).is_some() {
                    return Ok(());
                }
                if line.members.len() >= MOST_AGENTS {
                    return Err(Failure::Limit("agents of the queue".into()));
                }
                let configured = line.plan.agents.iter().any(|agent| agent.user == user);
                self.keep(&tenant, &user.as_str().into(), m, |kept| {
                    kept.signed_out.retain(|name| *name != queue);
                    if !configured {
                        kept.signed_in.push(queue);
                    }
                });
                self.people_changed(&tenant, m);
            }
            AgentWish::SignOut { queue } => {
                self.look_up(&tenant, &queue, m);
                let line = self.open_line(&tenant, &queue).ok_or_else(|| not_found("queue", &queue))?;
                if line.member(&user).is_none() {
                    return Ok(());
                }
                let configured = line.plan.agents.iter().any(|agent| agent.user == user);
                self.keep(&tenant, &user.as_str().into(), m, |kept| {
                    kept.signed_in.retain(|name| *name != queue);
                    if configured {
                        kept.signed_out.push(queue);
                    }
                });
                self.people_changed(&tenant, m);
            }
        }
        Ok(())
    }

    /// Changes what must outlive a restart.
    pub(super) fn keep(
        &mut self,
        tenant: &Name,
        user: &Name,
        m: &mut Moment,
        change: impl FnOnce(&mut KeptAgent),
    ) {
        let Some(room) = self.rooms.get_mut(tenant) else { return };
        let kept = room.kept.entry(user.to_string()).or_default();
        change(kept);
        m.out.push(Effect::KeepAgent {
            tenant: tenant.to_string(),
            user: user.to_string(),
            kept: kept.clone(),
        });
    }

    /// Figures of today start anew; whoever waits is counted among those of the new day.
    pub fn new_day(&mut self, tenant: &str, now: Instant) {
        let Some(room) = self.rooms.get_mut(tenant) else { return };
        for (name, line) in &mut room.lines {
            line.today = Figures { entered: standing(&self.places, tenant, name), ..Figures::default() };
        }
        for agent in room.agents.values_mut() {
            (agent.offered, agent.answered) = (0, 0);
            agent.talked = std::time::Duration::ZERO;
            agent.signed_in_at = now;
        }
    }
}

impl Room {
    /// Queues that share agents, directly or through others, get the same number.
    fn group_lines(&mut self, served: &HashMap<Name, Vec<Name>>) {
        let names: Vec<Name> = self.lines.keys().cloned().collect();
        let at: HashMap<&Name, usize> = names.iter().enumerate().map(|(at, name)| (name, at)).collect();
        let mut group: Vec<usize> = (0..names.len()).collect();
        fn root(group: &[usize], mut at: usize) -> usize {
            while group[at] != at {
                at = group[at];
            }
            at
        }
        for lines in served.values() {
            for pair in lines.windows(2) {
                let (a, b) = (root(&group, at[&pair[0]]), root(&group, at[&pair[1]]));
                group[a.max(b)] = a.min(b);
            }
        }
        for (n, name) in names.iter().enumerate() {
            if let Some(line) = self.lines.get_mut(name) {
                line.group = root(&group, n);
            }
        }
    }
}

/// Callers who have a place there, in line or connected.
fn standing(places: &HashMap<PlaceId, Place>, tenant: &str, queue: &str) -> u32 {
    let ours =
        |place: &&Place| *place.tenant == *tenant && *place.queue == *queue && place.stage != Stage::Entering;
    places.values().filter(ours).count() as u32
}

/// Who serves a queue: the configured agents who did not sign out, and those who signed in, by name.
fn members(
    queue: &str,
    line: &Line,
    kept: &HashMap<String, KeptAgent>,
    agents: &HashMap<Name, Agent>,
    tenant: &str,
    m: &Moment,
) -> Vec<Member> {
    let shared = |user: &str| -> Name {
        agents.get_key_value(user).map_or_else(|| user.into(), |(name, _)| name.clone())
    };
    let mut seen = HashSet::new();
    let configured = line.plan.agents.iter().filter(|plan| {
        !kept.get(&plan.user).is_some_and(|kept| kept.signed_out.iter().any(|name| name == queue))
    });
    let mut members: Vec<Member> = configured
        .map(|plan| Member {
            user: shared(&plan.user),
            level: plan.level,
            weight: plan.weight,
            wrap_up: plan.wrap_up,
        })
        .collect();
    let signed_in = |kept: &KeptAgent| kept.signed_in.iter().any(|name| name == queue);
    let mut guests: Vec<&String> =
        kept.iter().filter(|(_, kept)| signed_in(kept)).map(|(user, _)| user).collect();
    guests.sort();
    members.extend(guests.into_iter().map(|user| Member {
        user: shared(user),
        level: 1,
        weight: 1,
        wrap_up: None,
    }));
    members.retain(|member| {
        let exists = m.directory.user(tenant, &member.user).is_some_and(|user| *user.name == *member.user);
        exists && seen.insert(member.user.clone())
    });
    members.truncate(MOST_AGENTS);
    members
}
