//! Skills and tiers: of the agents who have the skills that a caller wants, the best rings; and the further tiers open as
//! the caller waits.
//!
//! The first tier in which anyone with the skills serves is open at once, each further one after `opens_after` seconds
//! more; a tier in which nobody serves costs no time. Within the open tiers the lower goes first, then the better skill
//! (levels of all the skills wanted together), then the longest rest.
//!
//! Elsewhere: FreeSWITCH knows tiers, with these rules under `tier-rule-wait-second` and `tier-rule-no-agent-no-wait`,
//! and no skills; Asterisk knows penalties, raised and lowered by queuerules.conf, and no skills: there each skill is a
//! queue of its own.

use std::collections::BTreeSet;
use strowger_script::strategy::prelude::*;

/// Settings of `strowger/queue-skills`.
#[settings]
pub struct Skills {
    /// How many seconds a caller waits for one tier before the next is rung too; 0 opens all at once.
    #[serde(default = "half_a_minute")]
    pub opens_after: u32,
    /// Settings of all strategies.
    #[serde(flatten)]
    pub rules: Rules,
}

fn half_a_minute() -> u32 {
    30
}

#[queue_strategy]
fn rank(now: &Snapshot, set: Skills) -> Offers {
    let mut tiers = Tiers::new(now, set.opens_after.secs());
    // Whoever has rested longest first within a tier, so that of those who are as good the first in order is the one.
    let agents = now.free_agents().sorted_by_key(|agent| (agent.level(), Reverse(agent.since_offered())));
    let mut again: Option<Duration> = None;
    let mut offers = now.waiting_by_priority().pair_by(agents, |caller, left| {
        let (open, next) = tiers.open_for(caller);
        let mut left = left.take_while(|agent| agent.level() <= open);
        let best = if caller.anyone() { left.next() } else { fittest(caller, left) };
        if best.is_none()
            && let Some(next) = next
        {
            again = Some(again.map_or(next, |before| before.min(next)));
        }
        best
    });
    if let Some(again) = again {
        offers = offers.again_after(again);
    }
    offers.ring_for(set.rules.ring())
}

/// The best of those who were least often rung for this caller before, of the lowest tier that has one.
fn fittest<'l>(caller: &Waiting, mut left: impl Iterator<Item = Candidate<'l>>) -> Option<Candidate<'l>> {
    let tried = caller.tried();
    if tried.is_empty() {
        let first = left.next()?;
        let tier = left.take_while(|agent| agent.level() == first.level());
        return std::iter::once(first).chain(tier).min_by_key(|agent| Reverse(agent.fitness()));
    }
    let times = |agent: &Agent| tried.iter().filter(|name| *name == agent.name()).count();
    left.min_by_key(|agent| (times(agent), agent.level(), Reverse(agent.fitness())))
}

/// The tiers of those who serve.
struct Tiers {
    serving: Agents,
    /// The tiers in which someone has the skills that a caller wants.
    skilled: PerSkills<BTreeSet<u8>>,
    opens_after: Duration,
}

impl Tiers {
    fn new(now: &Snapshot, opens_after: Duration) -> Self {
        Self { serving: now.agents().only(Agent::serving), skilled: PerSkills::default(), opens_after }
    }

    /// The highest tier that is open for a caller, and how long until the next opens.
    fn open_for(&mut self, caller: &Waiting) -> (u8, Option<Duration>) {
        if self.opens_after.is_zero() {
            return (u8::MAX, None);
        }
        let wanted = caller.skills();
        let skilled = self
            .skilled
            .of(wanted, || self.serving.iter().filter(|agent| agent.has(wanted)).map(Agent::level).collect());
        let waited = caller.waited();
        let mut opens = Duration::ZERO;
        let mut open = 0;
        for level in skilled {
            if opens > waited {
                return (open, Some(opens - waited));
            }
            open = *level;
            opens += self.opens_after;
        }
        (open, None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two at the front, one behind them, one behind that.
    fn desks() -> Snapshot {
        snapshot()
            .agent("ana", idle(10.secs()).skill("bg", 3))
            .agent("boris", idle(90.secs()).skill("bg", 8).skill("phones", 1))
            .agent("vera", idle(90.secs()).skill("bg", 9).skill("phones", 9).level(2))
            .agent("gosho", idle(90.secs()).skill("bg", 9).level(4))
    }

    #[test]
    fn the_best_of_the_first_tier_rings_not_the_best_of_all() {
        let now = desks().waiting([caller("1").wants("bg", 1)]);
        assert_eq!(now.ranked_by(rank).agents(), ["boris"]);
        // Without a wish rest decides.
        assert_eq!(desks().waiting(["1"]).ranked_by(rank).agents(), ["boris"]);
    }

    #[test]
    fn several_skills_count_together() {
        let now = snapshot()
            .agent("ana", idle(10.secs()).skill("bg", 6).skill("phones", 6))
            .agent("boris", idle(90.secs()).skill("bg", 9).skill("phones", 1))
            .waiting([caller("1").wants("bg", 1).wants("phones", 1)]);
        assert_eq!(now.ranked_by(rank).agents(), ["ana"]);
    }

    #[test]
    fn a_tier_opens_when_the_caller_has_waited_and_the_strategy_asks_to_be_asked_then() {
        let busy = |waited: Duration| {
            snapshot()
                .agent("ana", talking())
                .agent("vera", idle(90.secs()).level(2))
                .agent("gosho", idle(95.secs()).level(4))
                .waiting([caller("1").waited(waited)])
                .ranked_by(rank)
        };
        assert_eq!((busy(0.secs()).agents(), busy(0.secs()).again()), (vec![], Some(30.secs())));
        assert_eq!((busy(12.secs()).agents(), busy(12.secs()).again()), (vec![], Some(18.secs())));
        assert_eq!((busy(30.secs()).agents(), busy(30.secs()).again()), (vec!["vera"], None));
        // Both tiers are open, and the lower still goes first.
        assert_eq!(busy(60.secs()).agents(), ["vera"]);
    }

    #[test]
    fn a_tier_in_which_nobody_serves_costs_no_time() {
        let now = |ana: Desk, wants: u8| {
            snapshot()
                .agent("ana", ana.skill("bg", 3))
                .agent("vera", idle(9.secs()).skill("bg", 9).level(2))
                .waiting([caller("1").wants("bg", wants)])
                .ranked_by(rank)
        };
        assert_eq!(now(paused(), 1).agents(), ["vera"]);
        assert_eq!(now(offline(), 1).agents(), ["vera"]);
        // ana serves, but not with such Bulgarian.
        assert_eq!(now(talking(), 5).agents(), ["vera"]);
        assert_eq!(now(talking(), 1).agents(), Vec::<&str>::new());
    }

    #[test]
    fn time_opens_tiers_for_each_caller_by_itself() {
        let now = snapshot()
            .agent("ana", talking())
            .agent("vera", idle(9.secs()).level(2))
            .agent("dora", idle(9.secs()).level(2))
            .waiting([caller("1").waited(10.secs()).priority(1), caller("2").waited(40.secs()), caller("3")]);
        let ranked = now.ranked_by(rank);
        assert_eq!((ranked.pairs(), ranked.again()), (vec![(2, "dora")], Some(20.secs())));
    }

    #[test]
    fn all_tiers_at_once_where_the_settings_say_so() {
        let now = snapshot()
            .with_settings(json!({ "opens_after": 0 }))
            .agent("ana", talking())
            .agent("vera", idle(9.secs()).level(7))
            .waiting(["1"]);
        assert_eq!((now.ranked_by(rank).agents(), now.ranked_by(rank).again()), (vec!["vera"], None));
    }

    #[test]
    fn equals_by_rest_then_by_name_and_whoever_missed_the_caller_after_the_others() {
        let now = |who: Caller| {
            snapshot()
                .agent("vera", idle(9.secs()))
                .agent("ana", idle(9.secs()))
                .agent("boris", idle(10.secs()))
                .waiting([who])
        };
        assert_eq!(now(caller("1")).ranked_by(rank).agents(), ["boris"]);
        assert_eq!(now(caller("1").tried("boris")).ranked_by(rank).agents(), ["ana"]);
    }

    #[test]
    fn nobody_with_the_skill_and_a_caller_with_an_offer_get_nothing() {
        let now = desks().waiting([caller("1").wants("ru", 1), caller("2").offered()]);
        let ranked = now.ranked_by(rank);
        assert_eq!((ranked.agents(), ranked.again()), (vec![], None));
    }

    #[test]
    fn the_schema_beside_the_script_says_what_the_settings_are() {
        strowger_script::settings::assert_schema::<Skills>("settings.schema.json");
    }
}
