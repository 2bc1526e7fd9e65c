//! A queue strategy that traps whenever it is to rank: longest-idle takes its decisions.

use strowger_script::strategy::prelude::*;

/// Settings: none of its own.
#[settings]
pub struct TrapRank {
    /// Settings of all strategies.
    #[serde(flatten)]
    pub rules: Rules,
}

#[queue_strategy]
fn rank(_now: &Snapshot, _set: TrapRank) -> Offers {
    panic!("this strategy traps")
}
