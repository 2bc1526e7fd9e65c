//! Top down: always from the top of the list, in the configuration's order; lower tiers first.
//!
//! The first agent gets as many calls as there is time for, the last one only when all others are busy. Whoever missed a
//! caller is passed over for that caller until the others have been tried, so that an empty chair at the top stops nobody.
//!
//! Elsewhere: FreeSWITCH's `top-down` and Asterisk's `linear` are the same walk down the list; Asterisk goes on from where
//! the caller's last round ended, and FreeSWITCH's `sequentially-by-agent-order` is this one by tier and position.

use strowger_script::strategy::prelude::*;

/// Settings of `strowger/queue-top-down`.
#[settings]
pub struct TopDown {
    /// Settings of all strategies.
    #[serde(flatten)]
    pub rules: Rules,
}

#[queue_strategy]
fn rank(now: &Snapshot, set: TopDown) -> Offers {
    let agents = now.free_agents().by_level();
    now.waiting_by_priority().pair_with(agents).ring_for(set.rules.ring())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list() -> Snapshot {
        snapshot().agent("vera", idle(1.secs())).agent("ana", idle(90.secs())).agent("boris", idle(50.secs()))
    }

    #[test]
    fn from_the_top_of_the_list_whoever_has_rested_or_not() {
        assert_eq!(list().waiting(["1"]).ranked_by(rank).agents(), ["vera"]);
        assert_eq!(list().waiting(["1", "2", "3", "4"]).ranked_by(rank).agents(), ["vera", "ana", "boris"]);
    }

    #[test]
    fn who_is_busy_is_passed_over_and_first_again_when_free() {
        let with = |vera: Desk| snapshot().waiting(["1"]).agent("vera", vera).agent("ana", idle(9.secs()));
        assert_eq!(with(talking()).ranked_by(rank).agents(), ["ana"]);
        assert_eq!(with(idle(Duration::ZERO)).ranked_by(rank).agents(), ["vera"]);
    }

    #[test]
    fn an_empty_chair_at_the_top_stops_nobody() {
        let now = list().waiting([caller("1").tried("vera")]);
        assert_eq!(now.ranked_by(rank).agents(), ["ana"]);
        let now = list().waiting([caller("1").tried("vera").tried("ana").tried("boris")]);
        assert_eq!(now.ranked_by(rank).agents(), ["vera"]);
    }

    #[test]
    fn a_lower_tier_goes_before_the_order_of_the_list() {
        let now =
            snapshot().waiting(["1"]).agent("vera", idle(9.secs()).level(2)).agent("ana", idle(1.secs()));
        assert_eq!(now.ranked_by(rank).agents(), ["ana"]);
    }

    #[test]
    fn a_caller_who_has_an_offer_keeps_it() {
        let now = list().waiting([caller("1").offered(), caller("2")]);
        assert_eq!(now.ranked_by(rank).pairs(), [(2, "vera")]);
    }

    #[test]
    fn the_schema_beside_the_script_says_what_the_settings_are() {
        strowger_script::settings::assert_schema::<TopDown>("settings.schema.json");
    }
}
