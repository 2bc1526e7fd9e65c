//! Random: someone who is free rings, lower tiers first.
//!
//! The chance is the snapshot's seed, mixed with each agent's name, so that a decision can be repeated and explained
//! afterwards, and does not turn on the order in which agents stand in the configuration.
//!
//! Elsewhere: FreeSWITCH's `random` and Asterisk's `random` throw dice that nobody kept; Asterisk's lets chance run
//! across penalties that differ little. A share by weight (Asterisk's `wrandom`) is `strowger/queue-weighted`.

use strowger_script::strategy::prelude::*;

/// Settings of `strowger/queue-random`.
#[settings]
pub struct Random {
    /// Settings of all strategies.
    #[serde(flatten)]
    pub rules: Rules,
}

#[queue_strategy]
fn rank(now: &Snapshot, set: Random) -> Offers {
    let seed = now.seed();
    let agents = now.free_agents().sorted_by_key(|agent| dice(seed, agent.name())).by_level();
    now.waiting_by_priority().pair_with(agents).ring_for(set.rules.ring())
}

/// A number that says nothing about its neighbours': FNV-1a over the name, begun with the seed, and the finish of
/// SplitMix64, because FNV alone leaves the last letters of a name in the low bits.
fn dice(seed: u32, name: &str) -> u64 {
    let begin = 0xcbf2_9ce4_8422_2325 ^ u64::from(seed).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut mixed =
        name.bytes().fold(begin, |sum, byte| (sum ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3));
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn three(seed: u32) -> Snapshot {
        snapshot()
            .with_seed(seed)
            .agent("ana", idle(10.secs()))
            .agent("boris", idle(20.secs()))
            .agent("vera", idle(30.secs()))
    }

    #[test]
    fn the_same_seed_gives_the_same_choice_in_whatever_order_they_stand() {
        for seed in 0..50 {
            let other_order = snapshot()
                .with_seed(seed)
                .agent("vera", idle(1.secs()))
                .agent("ana", idle(1.secs()))
                .agent("boris", idle(1.secs()));
            let callers = ["1", "2", "3"];
            assert_eq!(
                three(seed).waiting(callers).ranked_by(rank),
                other_order.waiting(callers).ranked_by(rank)
            );
        }
    }

    #[test]
    fn each_of_the_six_orders_comes_as_often() {
        let mut counts = std::collections::BTreeMap::new();
        for seed in 0..6_000 {
            let ranked = three(seed).waiting(["1", "2", "3"]).ranked_by(rank);
            let order: Vec<String> = ranked.agents().into_iter().map(str::to_owned).collect();
            *counts.entry(order).or_insert(0_u32) += 1;
        }
        assert_eq!(counts.len(), 6);
        // 1,000 each are expected, with a standard deviation of 29.
        assert!(counts.values().all(|count| (880..1120).contains(count)), "{counts:?}");
    }

    #[test]
    fn lower_tiers_go_first_whatever_the_seed() {
        for seed in 0..50 {
            let now = three(seed).waiting(["1", "2", "3"]).agent("aaa", idle(1.secs()).level(2));
            assert!(!now.ranked_by(rank).agents().contains(&"aaa"));
        }
    }

    #[test]
    fn whoever_missed_the_caller_busy_agents_and_callers_with_an_offer_are_left_out() {
        for seed in 0..50 {
            let now = three(seed)
                .agent("dora", talking())
                .waiting([caller("1").offered(), caller("2").tried("ana").tried("vera")]);
            assert_eq!(now.ranked_by(rank).pairs(), [(2, "boris")]);
        }
    }

    #[test]
    fn the_schema_beside_the_script_says_what_the_settings_are() {
        strowger_script::settings::assert_schema::<Random>("settings.schema.json");
    }
}
