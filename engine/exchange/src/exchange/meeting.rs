//! What one call has to do with another of its tenant: the calls know what they want (`call/meeting.rs`), the
//! shard knows both.

use std::collections::HashMap;
use std::time::Instant;

use super::Exchange;
use crate::call::{Call, Elsewhere, Given};
use crate::directory::Directory;
use crate::effect::Effect;
use crate::verb::CallId;

impl Exchange {
    /// What a call wants of another one of its tenant.
    pub(super) fn meet(
        &mut self,
        now: Instant,
        id: CallId,
        what: Elsewhere,
        directory: &dyn Directory,
        out: &mut Vec<Effect>,
    ) {
        let Some(tenant) = self.calls.get(&id).map(|call| call.tenant.clone()) else { return };
        // The oldest, where there are several.
        let find = |calls: &HashMap<CallId, Call>, wanted: &dyn Fn(&Call) -> bool| {
            calls
                .values()
                .filter(|call| call.id != id && call.tenant == tenant && wanted(call))
                .map(|c| c.id)
                .min()
        };
        let (there, why, named) = match what {
            Elsewhere::Join(with) => {
                let mut given = Given::Nothing;
                if let Some((other, no)) = self.keys.legs.get(&with).copied()
                    && find(&self.calls, &|call| call.id == other).is_some()
                {
                    self.with_call(now, other, directory, out, |call, around| {
                        given = call.give_partner(no, around);
                    });
                }
                return self.with_call(now, id, directory, out, |call, around| call.joined(given, around));
            }
            Elsewhere::Park { leg, slot, most, hears } => {
                let free = find(&self.calls, &|call| call.slot() == Some(&slot)).is_none();
                return self.with_call(now, id, directory, out, |call, around| {
                    call.park((leg, slot), (most, hears), free, around);
                });
            }
            Elsewhere::Retrieve(slot) => {
                (find(&self.calls, &|call| call.slot() == Some(&slot)), "retrieved", slot)
            }
            Elsewhere::PickUp(user) => (find(&self.calls, &|call| call.rings(&user)), "picked up", user),
        };
        let Some((there, with)) = there.and_then(|id| Some((id, self.calls.get(&id)?.party_name()))) else {
            return self.with_call(now, id, directory, out, |call, around| call.nobody_there(named, around));
        };
        let mut leg = None;
        self.with_call(now, id, directory, out, |call, around| leg = call.give_caller(why, with, around));
        if let Some(leg) = leg {
            self.with_call(now, there, directory, out, |call, around| call.welcome(leg, around));
        }
    }
}
