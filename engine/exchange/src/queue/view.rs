//! Queues and agents as people look at them.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::SERVICE_LEVEL;
use super::place::Leaving;
use crate::verb::{AgentState, CallId};

/// A queue at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct QueueView {
    /// The queue's name.
    pub name: String,
    /// False for one that is configured no longer, and is kept for those who were promised a call back there.
    pub configured: bool,
    /// The strategy's name.
    pub strategy: String,
    /// Callers in line, the first in line first.
    pub waiting: Vec<WaitingView>,
    /// Agents who serve it, in the configuration's order.
    pub agents: Vec<MemberView>,
    /// Mean length of a conversation lately, wrap-up included; none while nothing is known.
    pub service: Option<Duration>,
    /// Since the day began.
    pub today: Figures,
}

/// A caller in line.
#[derive(Clone, Debug, PartialEq)]
pub struct WaitingView {
    /// The call; none for a call back that rings nobody now.
    pub call: Option<CallId>,
    /// The caller's number, or the one to call back.
    pub number: String,
    /// First is 1.
    pub position: u32,
    /// Since the caller entered.
    pub waited: Duration,
    /// Higher goes first.
    pub priority: i32,
    /// The rest of the wait, probably.
    pub expected: Option<Duration>,
    /// Agents that are rung for the caller now.
    pub offered: Vec<String>,
    /// Whether the caller left and will be called back.
    pub call_back: bool,
}

/// An agent of one queue.
#[derive(Clone, Debug, PartialEq)]
pub struct MemberView {
    /// The user's name.
    pub user: String,
    /// What the agent is doing.
    pub state: AgentState,
    /// Of a pause.
    pub reason: Option<String>,
    /// How long the agent has been doing it.
    pub since: Duration,
    /// The tier.
    pub level: u8,
    /// The share.
    pub weight: u16,
}

/// An agent of a tenant.
#[derive(Clone, Debug, PartialEq)]
pub struct AgentView {
    /// The user's name.
    pub user: String,
    /// What the agent is doing.
    pub state: AgentState,
    /// Of a pause.
    pub reason: Option<String>,
    /// How long the agent has been doing it.
    pub since: Duration,
    /// Queues served.
    pub queues: Vec<String>,
    /// Calls offered today.
    pub offered: u32,
    /// Calls answered today.
    pub answered: u32,
    /// Offers missed since the last that was answered.
    pub missed_in_a_row: u32,
    /// Time spoken today.
    pub talked: Duration,
}

/// What came of a queue's callers since the day began. Every caller who entered is in one of
/// `answered`, `abandoned`, `overflowed`, `called_back` and `left`, or still in line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Figures {
    /// Callers who got a place.
    pub entered: u32,
    /// Callers who may not wait.
    pub refused: u32,
    /// Spoke with an agent.
    pub answered: u32,
    /// Of those, within [`super::SERVICE_LEVEL`].
    pub answered_in_time: u32,
    /// Hung up.
    pub abandoned: u32,
    /// The longest wait was over, or nobody served the queue any more.
    pub overflowed: u32,
    /// Left the line and were called back.
    pub called_back: u32,
    /// Left for whatever else the script did.
    pub left: u32,
    /// Waited by those who were answered, summed.
    pub answered_wait: Duration,
    /// Waited by all whose wait is over, summed.
    pub wait: Duration,
}

impl Figures {
    /// The share of answered callers in all whose wait is over, who were answered in time: 0 to 1; none
    /// while there are none.
    pub fn service_level(&self) -> Option<f64> {
        (self.over() > 0).then(|| f64::from(self.answered_in_time) / f64::from(self.over()))
    }

    /// Average speed of answer.
    pub fn speed_of_answer(&self) -> Option<Duration> {
        (self.answered > 0).then(|| self.answered_wait / self.answered)
    }

    /// Mean wait, however it ended.
    pub fn mean_wait(&self) -> Option<Duration> {
        (self.over() > 0).then(|| self.wait / self.over())
    }

    /// A caller's wait is over.
    pub(super) fn note(&mut self, why: Leaving, waited: Duration) {
        self.wait += waited;
        let count = match why {
            Leaving::Answered => {
                self.answered_wait += waited;
                self.answered_in_time += u32::from(waited <= SERVICE_LEVEL);
                &mut self.answered
            }
            Leaving::Abandoned => &mut self.abandoned,
            Leaving::LongestWait | Leaving::Nobody | Leaving::TooLate => &mut self.overflowed,
            Leaving::CalledBack => &mut self.called_back,
            Leaving::Left | Leaving::TooManyLegs => &mut self.left,
        };
        *count += 1;
    }

    /// Callers whose wait is over.
    pub(super) fn over(&self) -> u32 {
        self.answered + self.abandoned + self.overflowed + self.called_back + self.left
    }
}
