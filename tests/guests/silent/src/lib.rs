//! Returns at once, without a word to the caller; logs the outcome when the call is over.

use strowger_script::prelude::*;

#[call_script(ended = after)]
fn on_call(_caller: Leg) -> Result {
    Ok(())
}

fn after(record: CallRecord) -> Result {
    log!("ended as {:?}", record.outcome);
    Ok(())
}
