//! Answers and then asks the exchange the time for ever: each question is cheap, all of them are not.

use strowger_script::prelude::*;

#[call_script]
fn on_call(caller: Leg) -> Result {
    caller.answer()?;
    loop {
        std::hint::black_box(clock::now());
    }
}
