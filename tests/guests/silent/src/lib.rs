//! Returns at once, without a word to the caller.

use strowger_script::prelude::*;

#[call_script]
fn on_call(_caller: Leg) -> Result {
    Ok(())
}
