//! Pickup: whoever dials this number takes a call that rings at someone else's telephone, which rings no more.

use strowger_script::prelude::*;

/// Settings of `strowger/pickup`.
#[settings]
pub struct Pickup {
    /// Whose telephones, in the order in which they are looked at: users and groups.
    pub places: Places,
}

#[call_script]
fn on_call(caller: Leg, pickup: Pickup) -> Result {
    for target in (&pickup.places).into_targets() {
        let Target::User(name) = target else { continue };
        let Some(user) = directory::find(&name).filter(|user| user.presence == Presence::Ringing) else {
            continue;
        };
        match pick_up(&user.name) {
            Err(Failure::NotFound(_)) => {} // answered meanwhile
            gone_over => return gone_over,
        }
    }
    caller.decline(&Failure::NotFound("a call that rings".to_owned()))
}

#[cfg(test)]
mod tests;
