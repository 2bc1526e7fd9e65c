//! Longest idle: whoever has been without a call for longest rings, lower tiers first.
//!
//! `by = "offered"` counts from the last call that was offered, answered or not, so that an agent who lets it ring goes to
//! the end; `by = "ended"` counts from the end of the last conversation, so that a long one is not followed by the next
//! at once.
//!
//! Elsewhere: FreeSWITCH's `longest-idle-agent` is `ended`, tier by tier; Asterisk's `leastrecent` is `ended` too,
//! member's penalty first. Both ring an agent who missed the caller again before anyone else once the delay is over; here
//! the others are tried first.

use strowger_script::strategy::prelude::*;

/// Settings of `strowger/queue-longest-idle`.
#[settings]
pub struct LongestIdle {
    /// What an agent's rest is counted from.
    #[serde(default)]
    pub by: By,
    /// Settings of all strategies.
    #[serde(flatten)]
    pub rules: Rules,
}

/// What an agent's rest is counted from.
#[settings]
#[derive(Default, PartialEq)]
pub enum By {
    /// The last call that was offered.
    #[default]
    Offered,
    /// The end of the last conversation.
    Ended,
}

#[queue_strategy]
fn rank(now: &Snapshot, set: LongestIdle) -> Offers {
    let rest = |agent: &Agent| match set.by {
        By::Offered => agent.since_offered(),
        By::Ended => agent.free_for(),
    };
    let agents = now.free_agents().sorted_by_key(|agent| Reverse(rest(agent))).by_level();
    now.waiting_by_priority().pair_with(agents).ring_for(set.rules.ring())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_waited_longest_for_a_call_gets_the_first_caller() {
        let now = snapshot()
            .waiting(["1", "2"])
            .agent("ana", idle(30.secs()))
            .agent("boris", idle(90.secs()))
            .agent("vera", talking());
        assert_eq!(now.ranked_by(rank).pairs(), [(1, "boris"), (2, "ana")]);
    }

    #[test]
    fn the_tenant_chooses_what_rest_is_counted_from() {
        let now = snapshot()
            .waiting(["1"])
            .agent("ana", idle(90.secs()).ended_ago(10.secs()))
            .agent("boris", idle(30.secs()).ended_ago(20.secs()));
        assert_eq!(now.ranked_by(rank).agents(), ["ana"]);
        assert_eq!(now.with_settings(json!({ "by": "ended" })).ranked_by(rank).agents(), ["boris"]);
    }

    #[test]
    fn equals_by_name_and_lower_tiers_first() {
        let now = snapshot()
            .waiting(["1", "2", "3"])
            .agent("dora", idle(300.secs()).level(2))
            .agent("boris", idle(60.secs()))
            .agent("ana", idle(60.secs()));
        assert_eq!(now.ranked_by(rank).agents(), ["ana", "boris", "dora"]);
    }

    #[test]
    fn a_newcomer_comes_after_whoever_rests_for_longer() {
        let new = || idle(Duration::ZERO).signed_in_for(Duration::ZERO);
        let now = snapshot().waiting(["1"]).agent("new", new()).agent("vera", idle(5.secs()));
        assert_eq!(now.ranked_by(rank).agents(), ["vera"]);
    }

    #[test]
    fn an_agent_whom_another_queue_took_meanwhile_is_passed_over() {
        let before = snapshot().waiting(["1"]).agent("ana", idle(90.secs())).agent("boris", idle(30.secs()));
        assert_eq!(before.ranked_by(rank).agents(), ["ana"]);
        let after = snapshot().waiting(["1"]).agent("ana", offered_a_call()).agent("boris", idle(31.secs()));
        assert_eq!(after.ranked_by(rank).agents(), ["boris"]);
    }

    #[test]
    fn whoever_missed_the_caller_is_not_rung_again_before_the_others() {
        // By the end of the last conversation a missed call changes nothing: without memory it would ring ana for ever.
        let now = snapshot()
            .with_settings(json!({ "by": "ended" }))
            .waiting([caller("1").tried("ana")])
            .agent("ana", idle(90.secs()))
            .agent("boris", idle(30.secs()));
        assert_eq!(now.ranked_by(rank).agents(), ["boris"]);
    }

    #[test]
    fn a_caller_who_has_an_offer_keeps_it() {
        let now = snapshot().waiting([caller("1").offered(), caller("2")]).agent("ana", idle(9.secs()));
        assert_eq!(now.ranked_by(rank).pairs(), [(2, "ana")]);
    }

    #[test]
    fn the_schema_beside_the_script_says_what_the_settings_are() {
        strowger_script::settings::assert_schema::<LongestIdle>("settings.schema.json");
    }
}
