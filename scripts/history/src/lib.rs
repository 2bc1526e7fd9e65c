//! History: whoever spoke with this caller last, today or within so many days, is rung first; then the normal scheme
//! takes the call. Nobody is rung who is on a call, and a caller who withholds the number goes the normal way at once.

use strowger_script::prelude::*;

/// Settings of `strowger/history`.
#[settings]
pub struct History {
    /// How many days back, 0 to 366; 0 is today alone.
    #[serde(default)]
    pub days: u32,
    /// How many seconds that one rings, 1 to 600.
    #[serde(default = "quarter_of_a_minute")]
    pub seconds: u32,
    /// Said first, for which the caller is answered.
    pub greeting: Option<Say>,
    /// Music by name in place of ringing.
    pub music: Option<String>,
    /// The normal scheme.
    pub otherwise: Next,
}

fn quarter_of_a_minute() -> u32 {
    15
}

#[call_script]
fn on_call(caller: Leg, history: History) -> Result {
    let number = caller.number();
    let known = if number.is_empty() { None } else { directory::last_spoke_with(&number, history.days) };
    let Some(user) = known else { return history.otherwise.go(&caller) };
    if let Some(greeting) = &history.greeting {
        caller.answer()?;
        caller.play(greeting.to(&caller))?;
    }
    tag("history", &user.name)?;
    let mut call = dial(&user).for_secs(history.seconds).skip_busy();
    if let Some(name) = &history.music {
        call = call.ringback(music(name));
    }
    match call.ring() {
        Ok(leg) => bridge(&caller, &leg),
        Err(Failure::HungUp) => Err(Failure::HungUp),
        Err(why) => {
            log!("{}: {why}", user.name);
            history.otherwise.go(&caller)
        }
    }
}

#[cfg(test)]
mod tests;
