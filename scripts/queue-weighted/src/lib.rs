//! Weighted: calls are shared out by the agents' weights: with weights 3 and 1, three calls and one. Lower tiers first.
//!
//! Whoever is furthest behind the own share rings: fewest calls offered today, by weight and by time signed in. Counting
//! by the time keeps a newcomer from being flooded; the first minute counts as a whole one.
//!
//! Elsewhere: Asterisk's `wrandom` draws lots in which a penalty makes a member less likely, so shares are right only on
//! average; FreeSWITCH has no such strategy.

use strowger_script::strategy::prelude::*;

/// Less than this signed in counts as this much.
const SHORTEST: Duration = Duration::from_secs(60);
/// Calls are compared by so many milliseconds signed in: whole numbers, and none is lost.
const SHIFT: u64 = 1_000_000_000_000;

/// Settings of `strowger/queue-weighted`.
#[settings]
pub struct Weighted {
    /// Settings of all strategies.
    #[serde(flatten)]
    pub rules: Rules,
}

#[queue_strategy]
fn rank(now: &Snapshot, set: Weighted) -> Offers {
    let agents = now.free_agents().sorted_by_key(|agent| {
        let weight = u64::from(agent.weight().max(1));
        let time = agent.signed_in_for().max(SHORTEST).as_millis() as u64;
        (
            u64::from(agent.offered()) * SHIFT / (weight * time),
            Reverse(weight),
            Reverse(agent.since_offered()),
        )
    });
    now.waiting_by_priority().pair_with(agents.by_level()).ring_for(set.rules.ring())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Who rings for each of so many calls, one at a time; weights and calls so far by agent.
    fn day(calls: u32, agents: &mut [(&str, u16, u32)]) {
        for _ in 0..calls {
            let mut now = snapshot().waiting(["1"]);
            for (name, weight, had) in agents.iter() {
                now = now.agent(name, idle(60.secs()).weight(*weight).calls(*had, *had));
            }
            let ranked = now.ranked_by(rank);
            let chosen = ranked.agents()[0];
            agents.iter_mut().find(|(name, ..)| *name == chosen).expect("one of them").2 += 1;
        }
    }

    #[test]
    fn calls_are_shared_out_by_weight() {
        let mut agents = [("ana", 3, 0), ("boris", 1, 0), ("vera", 2, 0)];
        day(600, &mut agents);
        assert_eq!(agents.map(|(_, _, calls)| calls), [300, 100, 200]);
    }

    #[test]
    fn shares_are_right_along_the_way_and_not_only_in_the_end() {
        let mut agents = [("ana", 3, 0), ("boris", 1, 0)];
        for round in 1..=25 {
            day(4, &mut agents);
            assert_eq!(agents.map(|(_, _, calls)| calls), [3 * round, round]);
        }
    }

    #[test]
    fn equals_by_weight_then_rest_then_name() {
        let now = snapshot()
            .waiting(["1", "2", "3", "4"])
            .agent("vera", idle(10.secs()))
            .agent("ana", idle(10.secs()))
            .agent("boris", idle(11.secs()))
            .agent("zlati", idle(1.secs()).weight(2));
        assert_eq!(now.ranked_by(rank).agents(), ["zlati", "boris", "ana", "vera"]);
    }

    #[test]
    fn a_newcomer_is_not_made_to_catch_up() {
        let now = |calls| {
            snapshot()
                .waiting(["1"])
                .agent("ana", idle(60.secs()).calls(48, 48))
                .agent("new", idle(60.secs()).calls(calls, calls).signed_in_for(10.mins()))
        };
        // ana has six calls an hour; one in ten minutes is as many.
        assert_eq!(now(0).ranked_by(rank).agents(), ["new"]);
        assert_eq!(now(2).ranked_by(rank).agents(), ["ana"]);
    }

    #[test]
    fn whoever_is_busy_elsewhere_or_has_an_offer_does_not_count() {
        let now = snapshot()
            .waiting([caller("1").offered(), caller("2")])
            .agent("ana", talking().weight(1000))
            .agent("boris", idle(1.secs()).calls(50, 50));
        assert_eq!(now.ranked_by(rank).pairs(), [(2, "boris")]);
    }

    #[test]
    fn the_schema_beside_the_script_says_what_the_settings_are() {
        strowger_script::settings::assert_schema::<Weighted>("settings.schema.json");
    }
}
