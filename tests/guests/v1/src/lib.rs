//! A script's first version: marks the call with "version" 1 and plays a low tone for five seconds.

use strowger_script::prelude::*;

#[call_script]
fn on_call(caller: Leg) -> Result {
    tag("version", "1")?;
    caller.answer()?;
    caller.play(tone(440, 5.secs()))
}
