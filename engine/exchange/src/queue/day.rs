//! What of a day outlives a restart: the figures of queues, how long conversations take lately, and what each
//! agent did. Whoever stood in line when the process ended is in no figure afterwards; what became of those
//! calls is in the register.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::floor::Floor;
use super::service::Service;
use super::view::Figures;

/// A queue's day, to be kept.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct KeptFigures {
    /// Since the day began.
    pub today: Figures,
    pub(super) service: Service,
}

/// An agent's day, to be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptWork {
    /// Calls offered.
    pub offered: u32,
    /// Calls answered.
    pub answered: u32,
    /// Time spoken.
    pub talked: Duration,
}

impl Floor {
    /// Of each queue of a tenant, by name.
    pub fn kept_figures(&self, tenant: &str) -> Vec<(String, KeptFigures)> {
        let lines = self.rooms.get(tenant).into_iter().flat_map(|room| &room.lines);
        let kept = lines
            .map(|(name, line)| (name.to_string(), KeptFigures { today: line.today, service: line.service }));
        kept.collect()
    }

    /// Of each agent of a tenant who did something today, in no order.
    pub fn kept_work(&self, tenant: &str) -> Vec<(String, KeptWork)> {
        let agents = self.rooms.get(tenant).into_iter().flat_map(|room| &room.agents);
        let worked = agents.filter(|(_, agent)| agent.offered > 0 || !agent.talked.is_zero());
        let kept = worked.map(|(name, agent)| {
            let (offered, answered, talked) = (agent.offered, agent.answered, agent.talked);
            (name.to_string(), KeptWork { offered, answered, talked })
        });
        kept.collect()
    }

    /// What was kept of a queue; `today`: of the day that it is still. False: there is no such queue.
    pub fn restore_figures(&mut self, tenant: &str, queue: &str, kept: KeptFigures, today: bool) -> bool {
        let Some(line) = self.line_mut(tenant, queue) else { return false };
        if kept.service.mean().is_some() {
            line.service = kept.service;
        }
        if today {
            line.today = Figures { entered: kept.today.over(), ..kept.today };
        }
        true
    }

    /// What was kept of an agent today. False: nobody of that name serves a queue.
    pub fn restore_work(&mut self, tenant: &str, user: &str, kept: KeptWork) -> bool {
        let Some(agent) = self.agent_mut(tenant, user) else { return false };
        (agent.offered, agent.answered, agent.talked) = (kept.offered, kept.answered, kept.talked);
        true
    }
}
