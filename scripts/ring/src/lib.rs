//! Ring: rings people together, one by one, or in stages, and lets the first to answer talk with the caller. The caller
//! hears it ring and is not answered before somebody is there; when nobody is, `otherwise` says what to do.

use strowger_script::prelude::*;

/// Settings of `strowger/ring`.
#[settings]
pub struct Ring {
    /// Who rings.
    pub places: Places,
    /// How they ring.
    #[serde(default)]
    pub order: Order,
    /// More to ring while the first go on ringing. Not with `one_by_one`.
    #[serde(default)]
    pub then: Vec<Stage>,
    /// How many seconds in all, 1 to 600; one by one, how many each.
    #[serde(default = "half_a_minute")]
    pub seconds: u32,
    /// Users who are on a call are passed over without ringing.
    #[serde(default = "yes")]
    pub skip_busy: bool,
    /// Said first, for which the caller is answered.
    pub greeting: Option<Say>,
    /// Music by name for the caller to hear in place of ringing.
    pub music: Option<String>,
    /// What to do when nobody answers; the caller is refused as busy or unavailable unless set.
    pub otherwise: Option<Next>,
}

/// How several places ring.
#[settings]
#[derive(Default, PartialEq)]
pub enum Order {
    /// All of them, until the first answers.
    #[default]
    Together,
    /// One after the other, each alone.
    OneByOne,
}

/// Some more places to ring.
#[settings]
pub struct Stage {
    /// Seconds after the beginning; earlier when all before have failed.
    pub after: u32,
    /// Who rings then.
    pub places: Places,
}

fn half_a_minute() -> u32 {
    30
}

fn yes() -> bool {
    true
}

#[call_script]
fn on_call(caller: Leg, ring: Ring) -> Result {
    if let Some(greeting) = &ring.greeting {
        caller.answer()?;
        caller.play(greeting.to(&caller))?;
    }
    match call_of(&ring).ring() {
        Ok(agent) => bridge(&caller, &agent),
        Err(Failure::HungUp) => Err(Failure::HungUp),
        Err(why) => {
            log!("nobody answered: {why}");
            match &ring.otherwise {
                Some(next) => next.go(&caller),
                None => caller.decline(&why),
            }
        }
    }
}

/// The dial that the settings describe.
fn call_of(ring: &Ring) -> Dial {
    let mut call = dial(&ring.places).for_secs(ring.seconds);
    for stage in &ring.then {
        call = call.then_after(stage.after.secs(), &stage.places);
    }
    if ring.order == Order::OneByOne {
        call = call.one_by_one(ring.seconds.secs());
    }
    if ring.skip_busy {
        call = call.skip_busy();
    }
    match &ring.music {
        Some(name) => call.ringback(music(name)),
        None => call,
    }
}

#[cfg(test)]
mod tests;
