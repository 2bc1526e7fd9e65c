//! Panics after answering: a trap, with the panic's words in the log.

use strowger_script::prelude::*;

#[call_script]
fn on_call(caller: Leg) -> Result {
    caller.answer()?;
    panic!("as intended");
}
