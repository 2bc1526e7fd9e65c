//! Round robin: agents stand in a circle, in the configuration's order, and the free one next after the last who
//! *answered* rings; lower tiers first.
//!
//! A call that somebody let ring does not move the circle on for the next caller; for the caller who met it, the next in
//! the circle is tried.
//!
//! Elsewhere: FreeSWITCH's `round-robin` and Asterisk's `rrmemory` go on from the agent who was *tried* last, so that one
//! who never answers takes a turn from each round; Asterisk's keeps an order of its own unless `rrordered`.

use strowger_script::strategy::prelude::*;

/// Settings of `strowger/queue-round-robin`.
#[settings]
pub struct RoundRobin {
    /// Settings of all strategies.
    #[serde(flatten)]
    pub rules: Rules,
}

#[queue_strategy]
fn rank(now: &Snapshot, set: RoundRobin) -> Offers {
    let last = now.last_answered();
    let agents = now.agents().round_from(last.as_deref()).only(Agent::free).by_level();
    now.waiting_by_priority().pair_with(agents).ring_for(set.rules.ring())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// In no order but the configuration's.
    fn circle() -> Snapshot {
        snapshot()
            .agent("vera", idle(90.secs()))
            .agent("ana", idle(10.secs()))
            .agent("boris", idle(50.secs()))
    }

    #[test]
    fn the_next_after_the_last_who_answered_rings() {
        let after = |last: &str| {
            let ranked = circle().waiting(["1", "2", "3"]).with_last_answered(last).ranked_by(rank);
            ranked.agents().join(" ")
        };
        assert_eq!(after("vera"), "ana boris vera");
        assert_eq!(after("ana"), "boris vera ana");
        assert_eq!(after("boris"), "vera ana boris");
    }

    #[test]
    fn it_begins_at_the_top_and_where_the_last_one_left_the_queue() {
        assert_eq!(circle().waiting(["1"]).ranked_by(rank).agents(), ["vera"]);
        let gone = circle().waiting(["1"]).with_last_answered("dora");
        assert_eq!(gone.ranked_by(rank).agents(), ["vera"]);
    }

    #[test]
    fn who_is_not_free_is_passed_over_and_keeps_the_place_in_the_circle() {
        let now = |ana: Desk, last: &str| {
            let queue =
                snapshot().agent("vera", idle(9.secs())).agent("ana", ana).agent("boris", idle(9.secs()));
            let ranked = queue.waiting(["1"]).with_last_answered(last).ranked_by(rank);
            ranked.agents().join(" ")
        };
        assert_eq!(now(talking(), "vera"), "boris");
        // The last who answered is still on that call: the circle goes on from there.
        assert_eq!(now(talking(), "ana"), "boris");
        assert_eq!(now(idle(1.secs()), "vera"), "ana");
    }

    #[test]
    fn an_unanswered_call_moves_the_circle_for_its_own_caller_only() {
        let now = circle().with_last_answered("vera").waiting([caller("1").tried("ana"), caller("2")]);
        assert_eq!(now.ranked_by(rank).pairs(), [(1, "boris"), (2, "ana")]);
    }

    #[test]
    fn a_caller_who_has_an_offer_keeps_it() {
        let now = circle().with_last_answered("vera").waiting([caller("1").offered(), caller("2")]);
        assert_eq!(now.ranked_by(rank).pairs(), [(2, "ana")]);
    }

    #[test]
    fn a_newcomer_stands_where_the_configuration_says() {
        let now = circle().agent("new", idle(1.secs()).signed_in_for(1.secs())).waiting(["1"]);
        assert_eq!(now.with_last_answered("boris").ranked_by(rank).agents(), ["new"]);
    }

    #[test]
    fn the_schema_beside_the_script_says_what_the_settings_are() {
        strowger_script::settings::assert_schema::<RoundRobin>("settings.schema.json");
    }
}
