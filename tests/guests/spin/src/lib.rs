//! Answers and then loops for ever without asking the exchange for anything.

use std::hint::black_box;
use strowger_script::prelude::*;

/// Which calls.
#[settings]
pub struct Spin {
    /// Of a hundred calls, so many; the others end. All, if it is not said.
    pub percent: Option<u32>,
}

#[call_script]
fn on_call(caller: Leg, spin: Spin) -> Result {
    caller.answer()?;
    if clock::random(100) >= spin.percent.unwrap_or(100) {
        return Ok(());
    }
    let mut turns = 0u32;
    loop {
        turns = black_box(turns).wrapping_add(1);
    }
}
