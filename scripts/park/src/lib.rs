//! Park: whoever is transferred to this number waits there with music until someone dials the same number and talks with
//! them. One number is one slot. When nobody comes, the party goes back to whoever transferred it.

use strowger_script::prelude::*;

/// Settings of `strowger/park`; none is needed.
#[settings]
pub struct Parking {
    /// How many seconds anyone is parked, 1 to 86400.
    #[serde(default = "two_minutes")]
    pub seconds: u32,
    /// Music by name for whoever is parked.
    #[serde(default = "on_hold")]
    pub music: String,
    /// Who rings when nobody comes; whoever transferred the party unless set.
    pub back_to: Option<Places>,
    /// How many seconds they ring, 1 to 600.
    #[serde(default = "half_a_minute")]
    pub back_seconds: u32,
    /// What to do when they don't answer either; the call ends unless set.
    pub otherwise: Option<Next>,
}

fn two_minutes() -> u32 {
    120
}

fn on_hold() -> String {
    "hold".to_owned()
}

fn half_a_minute() -> u32 {
    30
}

#[call_script]
fn on_call(caller: Leg, settings: Parking) -> Result {
    let slot = caller.dialled();
    let Some(parked_by) = transferred_by() else {
        return match retrieve(&slot) {
            Err(why @ Failure::NotFound(_)) => caller.decline(&why),
            gone_over => gone_over,
        };
    };
    let time = settings.seconds.secs();
    match park(&caller, &slot).for_time(time).hears(music(&settings.music)).wait() {
        Ok(who) => return bridge(&caller, &who),
        Err(Failure::HungUp) => return Err(Failure::HungUp),
        Err(why) => log!("{slot}: {why}; back to {parked_by}"),
    }
    let back = match &settings.back_to {
        Some(places) => dial(places),
        None => dial(Target::User(parked_by)),
    };
    match back.for_secs(settings.back_seconds).ringback(music(&settings.music)).ring() {
        Ok(who) => bridge(&caller, &who),
        Err(Failure::HungUp) => Err(Failure::HungUp),
        Err(why) => match &settings.otherwise {
            Some(next) => next.go(&caller),
            None => caller.decline(&why),
        },
    }
}

#[cfg(test)]
mod tests;
