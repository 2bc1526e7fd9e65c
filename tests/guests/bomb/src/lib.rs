//! Answers and then takes memory, a MiB at a time, until it gets no more.

use std::hint::black_box;
use strowger_script::prelude::*;

const MIB: usize = 1 << 20;

#[call_script]
fn on_call(caller: Leg) -> Result {
    caller.answer()?;
    let mut taken = Vec::new();
    loop {
        taken.push(black_box(vec![1u8; MIB]));
    }
}
