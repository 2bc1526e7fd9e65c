//! Answers and then loops for ever without asking the exchange for anything.

use std::hint::black_box;
use strowger_script::prelude::*;

#[call_script]
fn on_call(caller: Leg) -> Result {
    caller.answer()?;
    let mut turns = 0u32;
    loop {
        turns = black_box(turns).wrapping_add(1);
    }
}
