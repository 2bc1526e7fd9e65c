//! What one call has to do with another of its tenant: the calls know what they want (`call/meeting.rs`), the
//! shard knows both.

use std::collections::HashMap;
use std::time::Instant;

use super::Exchange;
use crate::call::{Call, Elsewhere, Given};
use crate::directory::Directory;
use crate::effect::{Arrival, Effect, LegKey};
use crate::verb::{CallId, Failure, LegNo};

impl Exchange {
    /// A call arrives that is to take the place of a leg of another (RFC 3891): one that rings, or talks. Its caller is
    /// answered, and whoever is there talks with it from now on; the leg whose place it was leaves. The route's script never
    /// runs. Answers as [`Exchange::arrive`] does.
    ///
    /// # Errors
    /// `NotFound`: no such leg of this tenant, or one whose place nobody can take. `Limit`: as for any call.
    pub fn arrive_in_place(
        &mut self,
        now: Instant,
        arrival: Arrival,
        place: LegKey,
        directory: &dyn Directory,
        out: &mut Vec<Effect>,
    ) -> Result<(CallId, LegKey), Failure> {
        let found = self.keys.legs.get(&place).and_then(|(id, no)| Some((self.calls.get(id)?, *no)));
        if !found.is_some_and(|(call, no)| call.tenant == arrival.tenant && call.is_replaceable(no)) {
            return Err(Failure::NotFound("leg".into()));
        }
        let (id, key) = self.arrive_to_go_over(now, arrival, directory, out)?;
        self.meet(now, id, Elsewhere::Replace(place), directory, out);
        self.settle(now, directory, out);
        Ok((id, key))
    }

    /// A call of a user arrives that is to be added to the conversation of a leg of another call (RFC 3911), so that all hear
    /// all: its caller is answered and is a supervisor there who barges. The route's script never runs. Answers as
    /// [`Exchange::arrive`] does.
    ///
    /// # Errors
    /// `NotFound`: no such leg of this tenant. `Invalid`: nobody talks with anybody there. `Busy`: the user talks there.
    /// `Limit`: as for any call, or as many supervisors as may be.
    pub fn arrive_beside(
        &mut self,
        now: Instant,
        arrival: Arrival,
        beside: LegKey,
        directory: &dyn Directory,
        out: &mut Vec<Effect>,
    ) -> Result<(CallId, LegKey), Failure> {
        let (there, _) = *self.keys.legs.get(&beside).ok_or_else(|| Failure::NotFound("leg".into()))?;
        let call = self.calls.get(&there).filter(|call| call.tenant == arrival.tenant);
        let call = call.ok_or_else(|| Failure::NotFound("leg".into()))?;
        let user = arrival.user.clone().ok_or_else(|| Failure::NotFound("user".into()))?;
        call.has_room_for(&user)?;
        let with = call.party_name();
        let (id, key) = self.arrive_to_go_over(now, arrival, directory, out)?;
        let mut leg = None;
        self.with_call(now, id, directory, out, |call, around| {
            leg = call.give_caller("joined a conversation", with, around);
        });
        if let Some(leg) = leg {
            self.with_call(now, there, directory, out, |call, around| call.joined_by(user, leg, around));
        }
        self.settle(now, directory, out);
        Ok((id, key))
    }

    /// A call whose caller goes over to another one at once.
    fn arrive_to_go_over(
        &mut self,
        now: Instant,
        arrival: Arrival,
        directory: &dyn Directory,
        out: &mut Vec<Effect>,
    ) -> Result<(CallId, LegKey), Failure> {
        if let Some(limit) = self.reached_limit(now, &arrival.tenant, directory) {
            return Err(Failure::Limit(limit.into()));
        }
        let wall = self.wall(now);
        let id = self.name_call(wall);
        let key = self.keys.leg(id, LegNo::CALLER);
        self.tallies.entry(arrival.tenant.clone()).or_default().calls += 1;
        let call = Call::in_place(id, key, arrival, &mut self.around(now, wall, directory, out));
        self.calls.insert(id, call);
        Ok((id, key))
    }

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
        let mut rings = None;
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
            Elsewhere::Replace(place) => {
                let Some((there, no)) = self.keys.legs.get(&place).copied() else { return };
                let Some(with) = self.calls.get(&there).map(Call::party_name) else { return };
                let mut leg = None;
                self.with_call(now, id, directory, out, |call, around| {
                    leg = call.give_caller("took another's place", with, around);
                });
                if let Some(leg) = leg {
                    self.with_call(now, there, directory, out, |call, around| call.replace(no, leg, around));
                }
                return;
            }
            Elsewhere::PickUp(user) => {
                let there = find(&self.calls, &|call| call.rings_at(&user).is_some());
                rings = there.and_then(|id| self.calls.get(&id)?.rings_at(&user));
                (there, "picked up", user)
            }
        };
        let Some((there, with)) = there.and_then(|id| Some((id, self.calls.get(&id)?.party_name()))) else {
            return self.with_call(now, id, directory, out, |call, around| call.nobody_there(named, around));
        };
        let mut leg = None;
        self.with_call(now, id, directory, out, |call, around| leg = call.give_caller(why, with, around));
        if let Some(leg) = leg {
            self.with_call(now, there, directory, out, |call, around| match rings {
                Some(no) => call.replace(no, leg, around),
                None => call.welcome(leg, around),
            });
        }
    }
}
