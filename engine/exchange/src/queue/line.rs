//! A queue: its plan, who stands in it, who serves it, and what is known of its conversations.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::agent::Name;
use super::place::PlaceId;
use super::plan::QueuePlan;
use super::service::Service;
use super::snapshot::Shown;
use super::view::Figures;

/// Numbers whose place is kept after a dropped call; beyond it the one that ends first goes.
const MOST_DROPPED: usize = 1_000;

pub(super) struct Line {
    pub plan: Arc<QueuePlan>,
    /// Configured no longer, and here for those who were promised a call back: nobody serves it and nobody enters.
    pub closed: bool,
    /// In order of arrival; callers whose entry is asked about and connected ones are not here.
    pub callers: Vec<PlaceId>,
    /// Callers whose entry is asked about.
    pub entering: usize,
    pub members: Vec<Member>,
    /// Something changed that could make an offer possible.
    pub dirty: bool,
    /// The strategy wants to be asked then.
    pub again_at: Option<Instant>,
    /// The ticket of the ranking under way.
    pub ranking: Option<u64>,
    /// Rankings of queues that share agents since this one became dirty.
    pub passed_over: u8,
    /// Queues of one group share agents, directly or through others.
    pub group: usize,
    pub last_answered: Option<Name>,
    /// The last snapshot for questions that offer nothing, and when it was made.
    pub shown: Option<(Instant, Shown)>,
    pub service: Service,
    pub today: Figures,
    /// Numbers that lost their call, when they had arrived, and until when that counts.
    pub dropped: HashMap<String, (Instant, Instant)>,
}

/// An agent who serves the queue.
#[derive(Clone)]
pub(super) struct Member {
    pub user: Name,
    pub level: u8,
    pub weight: u16,
    pub wrap_up: Option<Duration>,
}

impl Line {
    pub fn new(plan: Arc<QueuePlan>) -> Self {
        Self {
            service: Service::beginning_with(plan.handling),
            plan,
            closed: false,
            callers: Vec::new(),
            entering: 0,
            members: Vec::new(),
            dirty: false,
            again_at: None,
            ranking: None,
            passed_over: 0,
            group: 0,
            last_answered: None,
            shown: None,
            today: Figures::default(),
            dropped: HashMap::new(),
        }
    }

    pub fn member(&self, user: &str) -> Option<&Member> {
        self.members.iter().find(|member| &*member.user == user)
    }

    /// Keeps the place of a number whose call was dropped.
    pub fn remember(&mut self, number: &str, arrived: Instant, now: Instant) {
        if self.plan.resume.is_zero() || number.is_empty() {
            return;
        }
        if self.dropped.len() >= MOST_DROPPED {
            self.dropped.retain(|_, (_, until)| *until > now);
        }
        if self.dropped.len() >= MOST_DROPPED {
            let first = self.dropped.iter().min_by_key(|(number, (_, until))| (*until, number.as_str()));
            let first = first.map(|(number, _)| number.clone());
            first.and_then(|number| self.dropped.remove(&number));
        }
        self.dropped.insert(number.into(), (arrived, now + self.plan.resume));
    }

    /// When the number had arrived, if its place is still kept. It is kept no longer.
    pub fn recall(&mut self, number: &str, now: Instant) -> Option<Instant> {
        let (arrived, until) = self.dropped.remove(number)?;
        (until > now).then_some(arrived)
    }
}
