//! A queue: its plan, who stands in it, who serves it, and what is known of its conversations.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::agent::Name;
use super::place::PlaceId;
use super::plan::QueuePlan;
use super::view::Figures;

/// Numbers whose place is kept after a dropped call; beyond it the one that ends first goes.
const MOST_DROPPED: usize = 1_000;
/// Conversations that weigh in the mean: about so many of the last.
const MEMORY: u32 = 16;

pub(super) struct Line {
    pub plan: Arc<QueuePlan>,
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
            plan,
            callers: Vec::new(),
            entering: 0,
            members: Vec::new(),
            dirty: false,
            again_at: None,
            ranking: None,
            passed_over: 0,
            group: 0,
            last_answered: None,
            service: Service::default(),
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

/// How long an agent is taken by a caller: an exponentially weighted mean of talk and wrap-up. The first
/// conversations weigh alike.
#[derive(Clone, Copy, Default)]
pub(super) struct Service {
    seconds: f64,
    count: u32,
}

impl Service {
    pub fn note(&mut self, taken: Duration) {
        self.count = (self.count + 1).min(MEMORY);
        self.seconds += (taken.as_secs_f64() - self.seconds) / f64::from(self.count);
    }

    pub fn mean(&self) -> Option<Duration> {
        (self.count > 0).then(|| Duration::from_secs_f64(self.seconds.max(0.0)))
    }

    /// The wait of whoever is at `position` (first is 1) while `free` agents are free and `serving` agents'
    /// worth of time is spent on this queue. An agent becomes free every mean / serving.
    pub fn expected(&self, position: usize, free: usize, serving: f64) -> Option<Duration> {
        if position <= free {
            return Some(Duration::ZERO);
        }
        let mean = self.mean()?.as_secs_f64();
        let wait = mean * (position - free) as f64 / serving;
        (serving > 0.0 && wait.is_finite()).then(|| Duration::from_secs_f64(wait.min(86_400.0)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_shrinks_with_the_place_in_line_and_nothing_is_known_before_the_first_conversation() {
        let mut service = Service::default();
        assert_eq!(service.expected(1, 0, 2.0), None);
        service.note(Duration::from_secs(100));
        service.note(Duration::from_secs(200));
        assert_eq!(service.mean(), Some(Duration::from_secs(150)));
        let waits: Vec<u64> =
            (1..=3).rev().map(|at| service.expected(at, 0, 2.0).unwrap().as_secs()).collect();
        assert_eq!(waits, [225, 150, 75], "two agents: one is free every 75 s");
        assert_eq!(service.expected(2, 2, 2.0), Some(Duration::ZERO), "an agent is free for each");
        assert_eq!(service.expected(1, 0, 0.0), None, "nobody serves it");
    }

    #[test]
    fn the_mean_follows_the_last_conversations() {
        let mut service = Service::default();
        (0..100).for_each(|_| service.note(Duration::from_secs(60)));
        (0..100).for_each(|_| service.note(Duration::from_secs(300)));
        let mean = service.mean().unwrap().as_secs();
        assert!((295..=300).contains(&mean), "{mean}");
    }
}
