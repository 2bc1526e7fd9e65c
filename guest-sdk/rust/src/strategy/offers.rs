//! From callers in line and agents in an order to offers: one agent rings for one caller, a caller who wants skills gets
//! an agent who has them, and whoever missed a caller's call before is asked again after the others.

use super::{Agent, Agents, PerSkills, Snapshot, Waiting};
use std::cell::Cell;
use std::ops::Deref;
use std::time::Duration;

/// Who rings for whom, and when to be asked again if nothing happens before.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Offers {
    pub(crate) offers: Vec<Offer>,
    pub(crate) ring: Option<Duration>,
    again: Option<Duration>,
}

/// Ring these agents for this caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// The caller's id in the snapshot.
    pub caller: u32,
    /// By name; several ring together.
    pub agents: Vec<String>,
}

impl Offers {
    /// Nobody rings.
    pub fn none() -> Self {
        Self::default()
    }

    /// These agents ring together for this caller.
    pub fn add<'a>(&mut self, caller: &Waiting, agents: impl IntoIterator<Item = &'a Agent>) {
        self.add_named(caller, agents.into_iter().map(Agent::name));
    }

    /// As `add`, by the agents' names. An offer to one who does not serve the queue or is not free is refused, and the
    /// manager is told.
    pub fn add_named(&mut self, caller: &Waiting, agents: impl IntoIterator<Item = impl Into<String>>) {
        let agents = agents.into_iter().map(Into::into).collect();
        self.offers.push(Offer { caller: caller.id(), agents });
    }

    /// How long they ring; [`RING_FOR`](super::RING_FOR) unless said.
    pub fn ring_for(mut self, length: Duration) -> Self {
        self.ring = Some(length);
        self
    }

    /// To be asked again after this, or earlier when asked for before.
    pub fn again_after(mut self, length: Duration) -> Self {
        self.again = Some(self.again.map_or(length, |before| before.min(length)));
        self
    }

    /// When to be asked again.
    pub fn again(&self) -> Option<Duration> {
        self.again
    }

    /// All agents that ring, offer by offer.
    pub fn agents(&self) -> Vec<&str> {
        self.offers.iter().flat_map(|offer| offer.agents.iter().map(String::as_str)).collect()
    }

    /// Caller's id and agent, offer by offer.
    pub fn pairs(&self) -> Vec<(u32, &str)> {
        let mut pairs = Vec::new();
        for offer in &self.offers {
            pairs.extend(offer.agents.iter().map(|agent| (offer.caller, agent.as_str())));
        }
        pairs
    }
}

impl Deref for Offers {
    type Target = [Offer];
    fn deref(&self) -> &[Offer] {
        &self.offers
    }
}

/// The callers for whom nobody is rung now, by priority, then arrival. They are asked for as they are needed.
pub struct Line<'a> {
    now: &'a Snapshot,
}

impl<'a> Line<'a> {
    pub(super) fn new(now: &'a Snapshot) -> Self {
        Self { now }
    }

    /// The first so many, in order.
    pub fn first(&self, most: usize) -> Vec<Waiting> {
        self.now.in_line(most)
    }

    /// Each caller in turn gets the first agent who is left: see [`least_tried`].
    pub fn pair_with(self, agents: Agents) -> Offers {
        self.pair_by(agents, |caller, left| least_tried(caller, left))
    }

    /// Each caller in turn gets the agent whom `choose` finds among those who are left and have the skills that the
    /// caller wants; with none the caller waits on.
    pub fn pair_by(
        self,
        agents: Agents,
        mut choose: impl for<'l> FnMut(&Waiting, Left<'l>) -> Option<Candidate<'l>>,
    ) -> Offers {
        let mut offers = Offers::default();
        let mut table = Table::new(agents);
        self.each(&mut table, |table, caller| {
            if let Some(chosen) = choose(caller, table.left_for(caller)) {
                let slot = chosen.slot;
                offers.add(caller, [chosen.agent]);
                table.take(slot);
            }
        });
        offers
    }

    /// Each caller in turn has all agents ring who are left and have the skills, at most so many.
    pub fn ring_together(self, agents: Agents, most: usize) -> Offers {
        let mut offers = Offers::default();
        let mut table = Table::new(agents);
        self.each(&mut table, |table, caller| {
            let all: Vec<_> = table.left_for(caller).take(most).collect();
            if !all.is_empty() {
                offers.add(caller, all.iter().map(|chosen| chosen.agent));
                let slots: Vec<_> = all.iter().map(|chosen| chosen.slot).collect();
                slots.into_iter().for_each(|slot| table.take(slot));
            }
        });
        offers
    }

    /// Goes through the line for as long as agents are left. As many callers as agents are enough where nobody is
    /// choosy, and a few more where a few are, so the whole line is asked for only when agents remain after those.
    fn each(self, table: &mut Table, mut serve: impl FnMut(&mut Table, &Waiting)) {
        let mut served = 0;
        let mut most = table.count;
        while table.count > 0 {
            let callers = self.first(most);
            for caller in &callers[served.min(callers.len())..] {
                if table.count == 0 {
                    return;
                }
                serve(table, caller);
            }
            if callers.len() < most {
                return;
            }
            most = if served == 0 { most + 2 * table.count } else { usize::MAX };
            served = callers.len();
        }
    }
}

/// The first agent in order, or, if some were rung for this caller before, the first of those who were least often:
/// nobody is rung for the same caller for ever while another agent has not been asked.
pub fn least_tried<'l>(
    caller: &Waiting,
    mut left: impl Iterator<Item = Candidate<'l>>,
) -> Option<Candidate<'l>> {
    // Only from the second offer on is there anything to count, and a first agent to compare with.
    let tried = caller.tried();
    if tried.is_empty() {
        return left.next();
    }
    left.min_by_key(|agent| tried.iter().filter(|name| *name == agent.name()).count())
}

/// Agents in order, and who of them has an offer already.
struct Table {
    agents: Vec<Agent>,
    taken: Vec<bool>,
    /// Agents that are left.
    count: usize,
    /// All before it are taken.
    begin: usize,
    fit: PerSkills<Fit>,
}

/// How well each agent of a table fits who wants a set of skills, as far as that was looked at: [`Agent::fitness_for`].
type Fit = Vec<Cell<Option<Option<u32>>>>;

impl Table {
    fn new(agents: Agents) -> Self {
        let agents: Vec<_> = agents.into_iter().collect();
        let taken = vec![false; agents.len()];
        Self { taken, count: agents.len(), begin: 0, agents, fit: PerSkills::default() }
    }

    fn left_for<'l>(&'l mut self, caller: &'l Waiting) -> Left<'l> {
        let (wanted, count) = (caller.skills(), self.agents.len());
        let fit = match wanted {
            [] => &[],
            wanted => self.fit.of(wanted, || vec![Cell::new(None); count]).as_slice(),
        };
        Left { agents: &self.agents, taken: &self.taken, wanted, fit, slot: self.begin }
    }

    fn take(&mut self, slot: usize) {
        self.taken[slot] = true;
        self.count -= 1;
        while self.taken.get(self.begin) == Some(&true) {
            self.begin += 1;
        }
    }
}

/// The agents who have no offer yet and have the skills that a caller wants, in order.
#[derive(Clone)]
pub struct Left<'l> {
    agents: &'l [Agent],
    taken: &'l [bool],
    wanted: &'l [(String, u8)],
    /// Of each agent, where skills are wanted.
    fit: &'l [Cell<Option<Option<u32>>>],
    slot: usize,
}

impl<'l> Iterator for Left<'l> {
    type Item = Candidate<'l>;

    fn next(&mut self) -> Option<Candidate<'l>> {
        loop {
            let slot = self.slot;
            let agent = self.agents.get(slot)?;
            self.slot += 1;
            if self.taken[slot] {
                continue;
            }
            let fitness = match self.fit.get(slot) {
                None => Some(0),
                Some(known) => known.get().unwrap_or_else(|| {
                    let fitness = agent.fitness_for(self.wanted);
                    known.set(Some(fitness));
                    fitness
                }),
            };
            if let Some(fitness) = fitness {
                return Some(Candidate { agent, slot, fitness });
            }
        }
    }
}

/// An agent who can be chosen.
#[derive(Clone, Copy)]
pub struct Candidate<'l> {
    agent: &'l Agent,
    slot: usize,
    fitness: u32,
}

impl Candidate<'_> {
    /// The levels of the skills that the caller wants, together; 0 for a caller who wants none.
    pub fn fitness(&self) -> u32 {
        self.fitness
    }
}

impl Deref for Candidate<'_> {
    type Target = Agent;
    fn deref(&self) -> &Agent {
        self.agent
    }
}
