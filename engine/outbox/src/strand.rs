//! Effects that concern each other: those of one order, of which only the first may be under way, and those
//! of one digest, which go together. An effect that concerns no other has a strand of its own.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::effect::EffectId;
use crate::{MOST_IN_DIGEST, Millis};

/// What strands are sorted by: when the effect was written, then its id.
pub(crate) type Ordinal = (Millis, EffectId);

/// Names a strand within everything that waits.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum StrandKey {
    Alone(EffectId),
    Order(Arc<str>, String),
    Digest(Arc<str>, String),
}

/// An effect that waits.
#[derive(Clone, Debug)]
pub(crate) struct Waiting {
    pub next: Millis,
    pub deadline: Millis,
    pub attempts: u32,
    pub bytes: usize,
}

#[derive(Debug)]
pub(crate) struct Strand {
    pub tenant: Arc<str>,
    pub destination: Arc<str>,
    pub waiting: BTreeMap<Ordinal, Waiting>,
    /// Under way now; they are in `waiting` still.
    pub under_way: Vec<Ordinal>,
    /// Of a digest: how often.
    every: Option<Millis>,
    /// Nothing leaves before.
    opens: Millis,
    /// Under which moment its destination has it; none while something is under way or nothing waits.
    pub listed: Option<Millis>,
}

impl Strand {
    pub fn new(tenant: Arc<str>, destination: Arc<str>, every: Option<Millis>) -> Self {
        let waiting = BTreeMap::new();
        Self { tenant, destination, waiting, under_way: Vec::new(), every, opens: 0, listed: None }
    }

    /// Whose destination it is for.
    pub fn place(&self) -> (Arc<str>, Arc<str>) {
        (self.tenant.clone(), self.destination.clone())
    }

    /// When something of it is to leave; none while something is under way, or nothing waits.
    pub fn due(&self) -> Option<Millis> {
        if !self.under_way.is_empty() {
            return None;
        }
        let first = match self.every {
            Some(_) => self.waiting.values().map(|waiting| waiting.next).min(),
            None => self.waiting.values().next().map(|waiting| waiting.next),
        };
        first.map(|next| next.max(self.opens))
    }

    /// Takes what leaves together now.
    pub fn take(&mut self, now: Millis) -> Vec<EffectId> {
        let most = if self.every.is_some() { MOST_IN_DIGEST } else { 1 };
        let due = self.waiting.iter().filter(|(_, waiting)| waiting.next <= now);
        self.under_way = due.take(most).map(|(ordinal, _)| *ordinal).collect();
        self.under_way.iter().map(|(_, id)| *id).collect()
    }

    /// What was under way has arrived. A digest rests until more of it may leave.
    pub fn delivered(&mut self, now: Millis) {
        if let Some(every) = self.every {
            self.opens = now + every;
        }
    }

    /// Whether it can be forgotten: a digest's rest is remembered until it is over.
    pub fn is_over(&self, now: Millis) -> bool {
        self.waiting.is_empty() && self.opens <= now
    }

    /// When [`Strand::is_over`] can become true without anything happening.
    pub fn rests_until(&self) -> Option<Millis> {
        self.waiting.is_empty().then_some(self.opens)
    }
}
