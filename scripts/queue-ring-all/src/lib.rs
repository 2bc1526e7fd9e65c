//! Ring all: every free agent who has the skills that a caller wants rings, until one answers.
//!
//! The first in line has all of them; whoever comes next rings those who are left, or waits for the moment when the
//! first has an agent. With `most` an offer is smaller, and several callers have agents ringing at once: 1 is the longest
//! idle alone.
//!
//! Elsewhere: Asterisk's `ringall` rings only the members of the lowest penalty that has a free one, and may ring a member
//! for two callers at once; FreeSWITCH's `ring-all` rings all tiers that are open. Here tiers don't count, and an agent
//! rings for one caller.

use strowger_script::strategy::prelude::*;

/// Settings of `strowger/queue-ring-all`.
#[settings]
pub struct RingAll {
    /// How many agents ring for one caller, those longest without an offer first; all unless set.
    pub most: Option<u32>,
    /// Settings of all strategies.
    #[serde(flatten)]
    pub rules: Rules,
}

#[queue_strategy]
fn rank(now: &Snapshot, set: RingAll) -> Offers {
    let agents = now.free_agents().sorted_by_key(|agent| Reverse(agent.since_offered()));
    let most = set.most.map_or(usize::MAX, |most| most.max(1) as usize);
    now.waiting_by_priority().ring_together(agents, most).ring_for(set.rules.ring())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn four() -> Snapshot {
        snapshot()
            .agent("ana", idle(10.secs()))
            .agent("boris", idle(40.secs()))
            .agent("vera", talking())
            .agent("gosho", idle(20.secs()))
    }

    #[test]
    fn all_who_are_free_ring_for_the_first_in_line() {
        let now = four().waiting([caller("1"), caller("2").priority(1)]);
        assert_eq!(now.ranked_by(rank).pairs(), [(2, "boris"), (2, "gosho"), (2, "ana")]);
        assert_eq!(now.ranked_by(rank).ring_for(RING_FOR), now.ranked_by(rank));
    }

    #[test]
    fn a_caller_for_whom_they_ring_already_has_no_second_offer() {
        let now = four().waiting([caller("1").offered(), caller("2")]);
        assert_eq!(now.ranked_by(rank).pairs(), [(2, "boris"), (2, "gosho"), (2, "ana")]);
        assert_eq!(
            four().waiting([caller("1").offered()]).ranked_by(rank),
            Offers::none().ring_for(RING_FOR)
        );
    }

    #[test]
    fn those_who_lack_the_skill_ring_for_the_next_in_line() {
        let now = four()
            .agent("dora", idle(1.secs()).skill("bg", 7))
            .waiting([caller("1").wants("bg", 5), caller("2")]);
        assert_eq!(now.ranked_by(rank).pairs(), [(1, "dora"), (2, "boris"), (2, "gosho"), (2, "ana")]);
    }

    #[test]
    fn so_many_and_no_more() {
        let now = four().waiting(["1", "2", "3"]).with_settings(json!({ "most": 2, "ring": 8 }));
        let ranked = now.ranked_by(rank);
        assert_eq!(ranked.pairs(), [(1, "boris"), (1, "gosho"), (2, "ana")]);
        assert_eq!(ranked.clone().ring_for(8.secs()), ranked);
    }

    #[test]
    fn equals_ring_in_the_order_of_their_names() {
        let now = snapshot().waiting(["1"]).agent("boris", idle(9.secs())).agent("ana", idle(9.secs()));
        assert_eq!(now.ranked_by(rank).agents(), ["ana", "boris"]);
    }

    #[test]
    fn the_schema_beside_the_script_says_what_the_settings_are() {
        strowger_script::settings::assert_schema::<RingAll>("settings.schema.json");
    }
}
