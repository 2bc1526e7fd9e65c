//! Sticky: whoever spoke with the caller last is rung first, and waited for; after `seconds`, or when that agent does not
//! serve, whoever has been without a call for longest, lower tiers first.
//!
//! An agent whom a caller further down the line is waiting for is left to that caller while another is free; nobody is
//! made to wait for it otherwise.
//!
//! Elsewhere: FreeSWITCH has no such strategy and Asterisk none either; there it is done in the dialplan before the queue,
//! where the caller loses the place in line meanwhile.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};

use strowger_script::strategy::prelude::*;

/// Settings of `strowger/queue-sticky`.
#[settings]
pub struct Sticky {
    /// How many seconds a caller waits for the agent of last time.
    #[serde(default = "half_a_minute")]
    pub seconds: u32,
    /// Settings of all strategies.
    #[serde(flatten)]
    pub rules: Rules,
}

fn half_a_minute() -> u32 {
    30
}

#[queue_strategy]
fn rank(now: &Snapshot, set: Sticky) -> Offers {
    let agents = now.free_agents().sorted_by_key(|agent| Reverse(agent.since_offered())).by_level();
    let wishes = Wishes { now, patience: set.seconds.secs(), serving: OnceCell::new() };
    let line = now.waiting_by_priority();
    // Those further down are not served now, whomever they wish for.
    let first = line.first(agents.len());
    let wish = |caller: &Waiting| Some((caller.id(), wishes.of(caller)?));
    let wished: BTreeMap<u32, _> = first.iter().filter_map(wish).collect();
    let wished_for: BTreeSet<&str> = wished.values().map(|(name, _)| name.as_str()).collect();
    let mut again: Option<Duration> = None;
    let offers = line.pair_by(agents, |caller, mut left| {
        let wish = wished.get(&caller.id()).cloned().or_else(|| wishes.of(caller));
        let Some((name, rest)) = wish else {
            let nobodys = left.clone().filter(|agent| !wished_for.contains(agent.name()));
            return least_tried(caller, nobodys).or_else(|| least_tried(caller, left));
        };
        let chosen = left.find(|agent| agent.name() == name);
        if chosen.is_none() {
            again = Some(again.map_or(rest, |before| before.min(rest)));
        }
        chosen
    });
    let offers = offers.ring_for(set.rules.ring());
    match again {
        Some(again) => offers.again_after(again),
        None => offers,
    }
}

/// Which caller waits for whom.
struct Wishes<'a> {
    now: &'a Snapshot,
    patience: Duration,
    /// Whoever can be waited for, in the order of their names; looked up for the first wish.
    serving: OnceCell<Agents>,
}

impl Wishes<'_> {
    /// The agent of last time and how long the caller waits for that one still; none when there is none, the agent
    /// does not serve or lacks a skill that is wanted now, has missed this call already, or the time is over.
    fn of(&self, caller: &Waiting) -> Option<(String, Duration)> {
        let rest = self.patience.checked_sub(caller.waited()).filter(|rest| !rest.is_zero())?;
        let name = caller.last_agent()?;
        // Equals stand in the order of their names.
        let by_name = || self.now.agents().only(Agent::serving).sorted_by_key(|_| 0);
        let serving = self.serving.get_or_init(by_name);
        let place = serving.binary_search_by(|agent| agent.name().cmp(&name)).ok()?;
        let agent = &serving[place];
        (agent.has(caller.skills()) && !caller.tried().contains(&name)).then_some((name, rest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn desks(ana: Desk) -> Snapshot {
        snapshot().agent("ana", ana).agent("boris", idle(90.secs())).agent("vera", idle(40.secs()))
    }

    #[test]
    fn the_agent_of_last_time_rings_though_others_have_rested_longer() {
        let now = desks(idle(1.secs())).waiting([caller("1").spoke_with("ana"), caller("2")]);
        assert_eq!(now.ranked_by(rank).pairs(), [(1, "ana"), (2, "boris")]);
    }

    #[test]
    fn a_busy_one_is_waited_for_so_long_and_then_the_longest_idle_rings() {
        let at = |waited: u32| {
            let now = desks(talking()).waiting([caller("1").spoke_with("ana").waited(waited.secs())]);
            let ranked = now.ranked_by(rank);
            (ranked.agents().join(" "), ranked.again())
        };
        assert_eq!(at(0), (String::new(), Some(30.secs())));
        assert_eq!(at(29), (String::new(), Some(1.secs())));
        assert_eq!(at(30), ("boris".to_owned(), None));
    }

    #[test]
    fn nobody_waits_for_one_who_does_not_serve_lacks_the_skill_or_has_missed_the_call() {
        let who = || caller("1").spoke_with("ana");
        let agents = |now: Snapshot| now.ranked_by(rank).agents().join(" ");
        assert_eq!(agents(desks(offline()).waiting([who()])), "boris");
        assert_eq!(agents(desks(paused()).waiting([who()])), "boris");
        assert_eq!(agents(desks(idle(1.secs())).waiting([who().tried("ana")])), "boris");
        assert_eq!(agents(desks(idle(1.secs())).waiting([caller("1").spoke_with("dora")])), "boris");
        let bg = desks(talking()).agent("gosho", idle(1.secs()).skill("bg", 5));
        assert_eq!(agents(bg.waiting([who().wants("bg", 1)])), "gosho");
    }

    #[test]
    fn an_agent_is_left_to_whoever_wishes_for_them_while_another_is_free() {
        let now = desks(idle(500.secs())).waiting([caller("1"), caller("2").spoke_with("ana")]);
        assert_eq!(now.ranked_by(rank).pairs(), [(1, "boris"), (2, "ana")]);
        // The first in line waits for nobody else's sake.
        let alone =
            snapshot().agent("ana", idle(9.secs())).waiting([caller("1"), caller("2").spoke_with("ana")]);
        assert_eq!(alone.ranked_by(rank).pairs(), [(1, "ana")]);
    }

    #[test]
    fn two_who_wish_for_the_same_one_have_them_by_their_places() {
        let both =
            [caller("1").spoke_with("ana").waited(9.secs()), caller("2").spoke_with("ana").priority(3)];
        let ranked = desks(idle(1.secs())).waiting(both).ranked_by(rank);
        assert_eq!((ranked.pairs(), ranked.again()), (vec![(2, "ana")], Some(21.secs())));
    }

    #[test]
    fn others_are_served_as_by_longest_idle_with_ties_by_name() {
        let now = snapshot()
            .with_settings(json!({ "seconds": 0 }))
            .agent("vera", idle(9.secs()))
            .agent("ana", idle(9.secs()))
            .agent("dora", idle(99.secs()).level(2))
            .waiting([caller("1").spoke_with("vera"), caller("2").offered(), caller("3")]);
        assert_eq!(now.ranked_by(rank).pairs(), [(1, "ana"), (3, "vera")]);
    }

    #[test]
    fn the_schema_beside_the_script_says_what_the_settings_are() {
        strowger_script::settings::assert_schema::<Sticky>("settings.schema.json");
    }
}
