//! Fewest calls: whoever has had the fewest calls today for the time signed in rings, lower tiers first.
//!
//! Counting by the hour and not by the day is what keeps a newcomer from being flooded: whoever signs in at noon gets the
//! first call, and the next when its share is due, not one after the other until the morning is made up for. The first
//! minute counts as a whole one.
//!
//! Elsewhere: Asterisk's `fewestcalls` counts conversations of the queue since the process began, FreeSWITCH's
//! `agent-with-fewest-calls` those of the agent since it was last reset; both send a newcomer every call until the count
//! of the others is reached.

use strowger_script::strategy::prelude::*;

/// Less than this signed in counts as this much.
const SHORTEST: Duration = Duration::from_secs(60);
/// Calls are compared by so many milliseconds signed in, which is eleven days: whole numbers, and none is lost.
const SHIFT: u64 = 1_000_000_000;

/// Settings of `strowger/queue-fewest-calls`.
#[settings]
pub struct FewestCalls {
    /// Which calls are counted.
    #[serde(default)]
    pub by: By,
    /// Settings of all strategies.
    #[serde(flatten)]
    pub rules: Rules,
}

/// Which calls of today are counted.
#[settings]
#[derive(Default, PartialEq)]
pub enum By {
    /// Those that rang, answered or not.
    #[default]
    Offered,
    /// Those that were answered.
    Answered,
}

#[queue_strategy]
fn rank(now: &Snapshot, set: FewestCalls) -> Offers {
    let rate = |agent: &Agent| {
        let calls = match set.by {
            By::Offered => agent.offered(),
            By::Answered => agent.answered(),
        };
        u64::from(calls) * SHIFT / agent.signed_in_for().max(SHORTEST).as_millis() as u64
    };
    let agents =
        now.free_agents().sorted_by_key(|agent| (rate(agent), Reverse(agent.since_offered()))).by_level();
    now.waiting_by_priority().pair_with(agents).ring_for(set.rules.ring())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fewest_calls_ring_first() {
        let now = snapshot()
            .waiting(["1", "2", "3"])
            .agent("ana", idle(10.secs()).calls(12, 4))
            .agent("boris", idle(10.secs()).calls(9, 9))
            .agent("vera", idle(10.secs()).calls(10, 7));
        assert_eq!(now.ranked_by(rank).agents(), ["boris", "vera", "ana"]);
        let answered = now.with_settings(json!({ "by": "answered" }));
        assert_eq!(answered.ranked_by(rank).agents(), ["ana", "vera", "boris"]);
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

    /// A day of calls, one a minute for a minute each, on a queue where boris signs in at noon.
    #[test]
    fn a_newcomer_gets_a_share_and_no_flood() {
        let (mut ana, mut boris) = (240, 0);
        let (mut last, mut in_a_row, mut longest) = (false, 0, 0);
        for minute in 1..=120 {
            let now = snapshot()
                .waiting(["1"])
                .agent("ana", idle(60.secs()).calls(ana, ana).signed_in_for((240 + minute).mins()))
                .agent("boris", idle(60.secs()).calls(boris, boris).signed_in_for(minute.mins()));
            let newcomer = now.ranked_by(rank).agents() == ["boris"];
            *(if newcomer { &mut boris } else { &mut ana }) += 1;
            in_a_row = if newcomer && last { in_a_row + 1 } else { u32::from(newcomer) };
            last = newcomer;
            longest = longest.max(in_a_row);
        }
        // ana had a call a minute while she was alone. By count alone boris would have had all 120.
        assert!((60..115).contains(&boris), "boris had {boris} of 120");
        assert!(longest < 20, "{longest} in a row");
    }

    #[test]
    fn the_first_minute_is_no_reason_to_be_passed_over_or_flooded() {
        let now = |calls| {
            snapshot()
                .waiting(["1"])
                .agent("new", idle(1.secs()).calls(calls, calls).signed_in_for(1.secs()))
                .agent("ana", idle(60.secs()).calls(40, 40))
        };
        assert_eq!(now(0).ranked_by(rank).agents(), ["new"]);
        assert_eq!(now(1).ranked_by(rank).agents(), ["ana"]);
    }

    #[test]
    fn whoever_is_busy_elsewhere_or_has_an_offer_does_not_count() {
        let now = snapshot()
            .waiting([caller("1").offered(), caller("2")])
            .agent("ana", talking())
            .agent("boris", offered_a_call())
            .agent("vera", idle(1.secs()).calls(90, 90));
        assert_eq!(now.ranked_by(rank).pairs(), [(2, "vera")]);
    }

    #[test]
    fn the_schema_beside_the_script_says_what_the_settings_are() {
        strowger_script::settings::assert_schema::<FewestCalls>("settings.schema.json");
    }
}
