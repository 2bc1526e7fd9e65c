//! Secretary: every call goes to one person, who transfers it from the telephone, at once or after asking; where that
//! person is busy or away, the next of the list is rung. When nobody is there, `otherwise` says what to do.
//!
//! The transfer itself is the bridge's: whoever the secretary asks for is rung, and when nobody answers there the caller
//! comes back.

use strowger_script::prelude::*;

/// Settings of `strowger/secretary`.
#[settings]
pub struct Secretary {
    /// The secretary, and whoever stands in, in order.
    pub places: Places,
    /// How many seconds each rings, 1 to 600.
    #[serde(default = "twenty")]
    pub seconds: u32,
    /// Said first, for which the caller is answered.
    #[serde(default)]
    pub greeting: Vec<Say>,
    /// Music by name in place of ringing.
    pub music: Option<String>,
    /// What to do when nobody answers; the caller is refused as busy or unavailable unless set.
    pub otherwise: Option<Next>,
}

fn twenty() -> u32 {
    20
}

#[call_script]
fn on_call(caller: Leg, settings: Secretary) -> Result {
    if !settings.greeting.is_empty() {
        caller.answer()?;
        caller.play_until_key(say_all(&settings.greeting, &caller))?;
    }
    let mut call = dial(&settings.places).one_by_one(settings.seconds.secs()).skip_busy();
    if let Some(name) = &settings.music {
        call = call.ringback(music(name));
    }
    match call.ring() {
        Ok(secretary) => {
            tag("secretary", &secretary.user().unwrap_or_else(|| secretary.number()))?;
            bridge(&caller, &secretary)
        }
        Err(Failure::HungUp) => Err(Failure::HungUp),
        Err(why) => {
            log!("nobody answered: {why}");
            match &settings.otherwise {
                Some(next) => next.go(&caller),
                None => caller.decline(&why),
            }
        }
    }
}

#[cfg(test)]
mod tests;
