//! Least talk: whoever has talked for the smallest part of the time signed in today rings, lower tiers first.
//!
//! The part and not the sum, so that a newcomer gets a fair share from now on and is not made to catch up with a morning
//! of conversations. The first minute counts as a whole one.
//!
//! Elsewhere: FreeSWITCH's `agent-with-least-talk-time` compares sums since the last reset; Asterisk has no such
//! strategy.

use strowger_script::strategy::prelude::*;

/// Less than this signed in counts as this much.
const SHORTEST: Duration = Duration::from_secs(60);

/// Settings of `strowger/queue-least-talk`.
#[settings]
pub struct LeastTalk {
    /// Settings of all strategies.
    #[serde(flatten)]
    pub rules: Rules,
}

#[queue_strategy]
fn rank(now: &Snapshot, set: LeastTalk) -> Offers {
    let agents =
        now.free_agents().sorted_by_key(|agent| (part(agent), Reverse(agent.since_offered()))).by_level();
    now.waiting_by_priority().pair_with(agents).ring_for(set.rules.ring())
}

/// Millionths of the time signed in.
fn part(agent: &Agent) -> u64 {
    let signed_in = agent.signed_in_for().max(SHORTEST);
    agent.talked().as_millis() as u64 * 1_000_000 / signed_in.as_millis() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_talk_rings_first() {
        let now = snapshot()
            .waiting(["1", "2"])
            .agent("ana", idle(500.secs()).talked(90.mins()).calls(3, 3))
            .agent("boris", idle(5.secs()).talked(80.mins()).calls(30, 30));
        assert_eq!(now.ranked_by(rank).agents(), ["boris", "ana"]);
    }

    #[test]
    fn one_conversation_is_enough_for_a_newcomer_at_first() {
        let now = |talked: Duration| {
            snapshot()
                .waiting(["1"])
                .agent("ana", idle(5.secs()).talked(4.mins() * 60))
                .agent("new", idle(5.secs()).talked(talked).signed_in_for(6.mins()))
        };
        assert_eq!(now(Duration::ZERO).ranked_by(rank).agents(), ["new"]);
        // Half of ana's eight hours, and four of the newcomer's six minutes.
        assert_eq!(now(4.mins()).ranked_by(rank).agents(), ["ana"]);
    }

    #[test]
    fn equals_by_rest_then_by_name() {
        let now = snapshot()
            .waiting(["1", "2", "3"])
            .agent("vera", idle(10.secs()))
            .agent("ana", idle(10.secs()))
            .agent("boris", idle(11.secs()));
        assert_eq!(now.ranked_by(rank).agents(), ["boris", "ana", "vera"]);
    }

    #[test]
    fn whoever_is_busy_elsewhere_or_has_an_offer_does_not_count() {
        let now = snapshot()
            .waiting([caller("1").offered(), caller("2"), caller("3")])
            .agent("ana", talking())
            .agent("boris", idle(1.secs()).talked(9.mins()));
        assert_eq!(now.ranked_by(rank).pairs(), [(2, "boris")]);
    }

    #[test]
    fn the_schema_beside_the_script_says_what_the_settings_are() {
        strowger_script::settings::assert_schema::<LeastTalk>("settings.schema.json");
    }
}
