//! A queue strategy that offers the first caller to whoever its settings name, whether they may be rung or not; while
//! they name nobody, callers wait until another strategy is loaded.

use strowger_script::strategy::prelude::*;

/// Settings: whom to ring.
#[settings]
pub struct Naming {
    /// Agents by name.
    #[serde(default)]
    pub to: Vec<String>,
    /// Settings of all strategies.
    #[serde(flatten)]
    pub rules: Rules,
}

#[queue_strategy]
fn rank(now: &Snapshot, set: Naming) -> Offers {
    let mut offers = Offers::none();
    if let (Some(caller), false) = (now.waiting_by_priority().first(1).first(), set.to.is_empty()) {
        offers.add_named(caller, set.to);
    }
    offers
}
