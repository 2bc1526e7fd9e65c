//! The same script's second version: marks the call with "version" 2 and plays a high tone for five seconds.

use strowger_script::prelude::*;

#[call_script]
fn on_call(caller: Leg) -> Result {
    tag("version", "2")?;
    caller.answer()?;
    caller.play(tone(880, 5.secs()))
}
