//! What most numbers do, in as few lines as a tenant would write: plays something, or rings someone.

use strowger_script::prelude::*;

/// What the number's settings say.
#[settings]
pub struct Plain {
    /// Whom it rings: a telephone number. Without one it plays a second.
    pub rings: Option<String>,
}

#[call_script]
fn on_call(caller: Leg, plain: Plain) -> Result {
    match plain.rings {
        Some(called) => dial(number(called)).for_secs(20).ring().and_bridge(&caller),
        None => {
            caller.answer()?;
            caller.play(tone(440, 1.secs()))
        }
    }
}
