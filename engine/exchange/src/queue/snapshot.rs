//! Queues as they are now: for strategies, and for people.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::agent::{Agent, Name};
use super::floor::{Floor, Moment, Room};
use super::line::{Line, Member};
use super::place::PlaceId;
use super::view::{AgentView, MemberView, QueueView, WaitingView};
use crate::strategy::{self, Snapshot, Waiting};
use crate::verb::AgentState;

/// What callers are told about may be so old: with thousands in line one snapshot serves many questions, each of
/// which would otherwise cost as much as the line is long.
const RECENT: Duration = Duration::from_millis(250);

/// A queue as a strategy sees it, and the callers in the order of the snapshot.
#[derive(Clone)]
pub(super) struct Shown {
    pub snapshot: Arc<Snapshot>,
    pub ids: Arc<[PlaceId]>,
}

impl Floor {
    /// The queue now or a moment ago, with this caller in it.
    pub(super) fn recent_snapshot(
        &mut self,
        tenant: &Name,
        queue: &Name,
        who: PlaceId,
        m: &Moment,
    ) -> Option<Shown> {
        let recent = self.line(tenant, queue).and_then(|line| line.shown.as_ref());
        if let Some((at, shown)) = recent
            && m.now.saturating_duration_since(*at) < RECENT
            && shown.ids.contains(&who)
        {
            return Some(shown.clone());
        }
        let shown = self.snapshot(tenant, queue, None, m)?;
        self.line_mut(tenant, queue)?.shown = Some((m.now, shown.clone()));
        Some(shown)
    }

    /// The queue now; a newcomer is last.
    pub(super) fn snapshot(
        &mut self,
        tenant: &Name,
        queue: &Name,
        newcomer: Option<PlaceId>,
        m: &Moment,
    ) -> Option<Shown> {
        let seed = self.chance();
        let room = self.rooms.get(tenant)?;
        let line = room.lines.get(queue)?;
        let ids: Arc<[PlaceId]> = line.callers.iter().copied().chain(newcomer).collect();
        let positions = self.positions(&ids);
        let (free, serving) = room.capacity(line);
        let since = |at: Instant| m.now.saturating_duration_since(at);
        let waiting = ids.iter().zip(&positions).enumerate().filter_map(|(at, (id, position))| {
            let place = self.places.get(id)?;
            Some(Waiting {
                id: at as u32,
                number: place.number.clone(),
                priority: place.priority,
                skills: place.skills.clone(),
                waited: since(place.arrived),
                position: *position,
                expected: line.service.expected(*position as usize, free, serving),
                last_agent: place.last_agent.clone(),
                tried: place.tried.clone(),
                offered: place.is_offered(),
            })
        });
        let snapshot = Snapshot {
            queue: queue.to_string(),
            settings: line.plan.settings.clone(),
            seed,
            last_answered: line.last_answered.as_ref().map(ToString::to_string),
            service: line.service.mean().unwrap_or_default(),
            waiting: waiting.collect(),
            agents: line.members.iter().filter_map(|member| room.member(line, member, m.now)).collect(),
        };
        Some(Shown { snapshot: Arc::new(snapshot), ids })
    }

    /// The place in line of each, by priority, then arrival; first is 1.
    fn positions(&self, ids: &[PlaceId]) -> Vec<u32> {
        let mut order: Vec<usize> = (0..ids.len()).collect();
        order.sort_by_key(|at| self.places.get(&ids[*at]).map(|place| place.rank(ids[*at])));
        let mut positions = vec![0; ids.len()];
        for (position, at) in order.into_iter().enumerate() {
            positions[at] = position as u32 + 1;
        }
        positions
    }

    /// A tenant's queues by name.
    pub fn queues(&self, tenant: &str, now: Instant) -> Vec<QueueView> {
        let Some(room) = self.rooms.get(tenant) else { return Vec::new() };
        room.lines.iter().map(|(name, line)| self.queue_view(name, room, line, now)).collect()
    }

    fn queue_view(&self, name: &Name, room: &Room, line: &Line, now: Instant) -> QueueView {
        let positions = self.positions(&line.callers);
        let (free, serving) = room.capacity(line);
        let mut waiting: Vec<WaitingView> = line
            .callers
            .iter()
            .zip(positions)
            .filter_map(|(id, position)| {
                let place = self.places.get(id)?;
                let offered = place.leases.iter().flat_map(|lease| &lease.agents);
                Some(WaitingView {
                    call: place.call,
                    number: place.number.clone(),
                    position,
                    waited: now.saturating_duration_since(place.arrived),
                    priority: place.priority,
                    expected: line.service.expected(position as usize, free, serving),
                    offered: offered.map(ToString::to_string).collect(),
                    call_back: place.call_back.is_some(),
                })
            })
            .collect();
        waiting.sort_by_key(|caller| caller.position);
        let member = |member: &Member| {
            let agent = room.agents.get(&member.user)?;
            Some(MemberView {
                user: member.user.to_string(),
                state: seen_from(agent, line),
                reason: agent.paused.clone(),
                since: now.saturating_duration_since(agent.since),
                level: member.level,
                weight: member.weight,
            })
        };
        QueueView {
            name: name.to_string(),
            configured: !line.closed,
            strategy: line.plan.strategy.clone(),
            waiting,
            agents: line.members.iter().filter_map(member).collect(),
            service: line.service.mean(),
            today: line.today,
        }
    }

    /// Everyone of a tenant who serves a queue, by name.
    pub fn agents(&self, tenant: &str, now: Instant) -> Vec<AgentView> {
        let Some(room) = self.rooms.get(tenant) else { return Vec::new() };
        let view = |(user, agent): (&Name, &Agent)| AgentView {
            user: user.to_string(),
            state: agent.state,
            reason: agent.paused.clone(),
            since: now.saturating_duration_since(agent.since),
            queues: agent.lines.iter().map(ToString::to_string).collect(),
            offered: agent.offered,
            answered: agent.answered,
            missed_in_a_row: agent.missed_in_a_row,
            talked: agent.talked,
        };
        let serving = room.agents.iter().filter(|(_, agent)| !agent.lines.is_empty());
        let mut agents: Vec<AgentView> = serving.map(view).collect();
        agents.sort_by(|a, b| a.user.cmp(&b.user));
        agents
    }
}

impl Room {
    fn member(&self, line: &Line, member: &Member, now: Instant) -> Option<strategy::Agent> {
        let agent = self.agents.get(&member.user)?;
        let since = |at: Option<Instant>| -> Duration {
            now.saturating_duration_since(at.unwrap_or(agent.signed_in_at))
        };
        Some(strategy::Agent {
            name: member.user.to_string(),
            state: seen_from(agent, line),
            free: agent.free && agent.is_reached(line.plan.mobile),
            free_for: since(agent.last_ended),
            since_offered: since(agent.last_offered),
            offered: agent.offered,
            answered: agent.answered,
            talked: agent.talked,
            signed_in_for: since(None),
            missed_in_a_row: agent.missed_in_a_row,
            level: member.level,
            weight: member.weight,
            skills: agent.skills.clone(),
        })
    }
}

/// An agent who can be rung on a mobile only is offline for a queue that does not ring mobiles.
fn seen_from(agent: &Agent, line: &Line) -> AgentState {
    match agent.state {
        AgentState::Available | AgentState::WrapUp if !agent.is_reached(line.plan.mobile) => {
            AgentState::Offline
        }
        state => state,
    }
}
