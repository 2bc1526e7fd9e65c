//! What one call has to do with another of its tenant: an attended transfer makes one call of two, a
//! parked party is retrieved, a ringing telephone is picked up by another one. A leg moves from call to
//! call with its key; in the call that it leaves only its record stays.
//!
//! A call can't reach another one: it says what it wants, and the shard asks the other call.

use std::time::Duration;

use super::{Around, Call, Driver, Pending};
use crate::effect::{Cause, LegKey};
use crate::leg::{Leg, State};
use crate::queue::Leaving;
use crate::verb::{Answer, BridgeEnd, Failure, LegNo, Prompt};

/// Bytes of a slot's name.
const SLOT: usize = 32;
/// How long anyone may be parked.
const PARKED: std::ops::RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(24 * 3600);

/// What a call wants of another one.
pub(crate) enum Elsewhere {
    /// Whoever the leg of this key talks with.
    Join(LegKey),
    /// That nobody is parked in this slot.
    Park { leg: LegNo, slot: String, most: Duration, hears: Prompt },
    /// To whoever is parked in this slot.
    Retrieve(String),
    /// The call that rings at this user's.
    PickUp(String),
    /// The place of the leg of this key (RFC 3891).
    Replace(LegKey),
}

/// What another call gave.
pub(crate) enum Given {
    /// A leg that is up.
    Leg(Box<Leg>),
    /// Nobody to talk with was there yet; this had been dialled.
    Number(String),
    Nothing,
}

impl Call {
    pub(super) fn begin_elsewhere(&mut self, what: Elsewhere) -> Result<Option<Answer>, Failure> {
        self.elsewhere = Some(what);
        self.pending = Some(Pending::Elsewhere);
        Ok(None)
    }

    pub(super) fn begin_park(
        &mut self,
        leg: LegNo,
        slot: String,
        most: Duration,
        hears: Prompt,
    ) -> Result<Option<Answer>, Failure> {
        if slot.is_empty() || slot.len() > SLOT {
            return Err(Failure::Invalid("slot: 1 to 32 bytes".into()));
        }
        if !PARKED.contains(&most) {
            return Err(Failure::Invalid("most: 1 s to 24 h".into()));
        }
        self.live(leg)?;
        self.begin_elsewhere(Elsewhere::Park { leg, slot, most, hears })
    }

    /// The slot is free, or it is not.
    pub fn park(
        &mut self,
        (leg, slot): (LegNo, String),
        (most, hears): (Duration, Prompt),
        free: bool,
        around: &mut Around,
    ) {
        self.pending = None;
        if !free {
            return self.settle(Answer::Failed(Failure::Busy), around);
        }
        self.answer(leg, around);
        self.stop(leg, around);
        self.play(leg, vec![hears], false, true, around);
        self.note("call.parked", leg, slot.clone(), around);
        self.pending = Some(Pending::Park { leg, slot, until: around.now + most });
    }

    /// Where somebody of this call is parked.
    pub fn slot(&self) -> Option<&str> {
        match &self.pending {
            Some(Pending::Park { slot, .. }) => Some(slot),
            _ => None,
        }
    }

    /// The leg that rings at this user's for somebody who is here.
    pub fn rings_at(&self, user: &str) -> Option<LegNo> {
        self.ringing().find(|no| self.leg(*no).info.user.as_deref() == Some(user))
    }

    /// Legs that ring for somebody who is here: by a dial of the script, by a transfer, or by an offer of a queue. None
    /// while the call looks for its own caller.
    fn ringing(&self) -> impl Iterator<Item = LegNo> {
        let dialling = match &self.pending {
            Some(Pending::Dial(dialling) | Pending::Transfer(dialling)) => Some(dialling),
            _ => None,
        };
        let dialled = dialling.into_iter().flat_map(|dialling| &dialling.attempts).map(|attempt| attempt.leg);
        let somebody = !matches!(self.driver, Driver::Origin { .. });
        dialled.chain(self.rung()).filter(move |_| somebody)
    }

    /// There is no such slot, no such call: the script goes on.
    pub fn nobody_there(&mut self, what: String, around: &mut Around) {
        self.pending = None;
        self.settle(Answer::Failed(Failure::NotFound(what)), around);
    }

    /// The caller's leg goes over to another call, answered; for the script the caller has left.
    pub fn give_caller(&mut self, why: &'static str, with: String, around: &mut Around) -> Option<Leg> {
        self.pending = None;
        if self.caller().is_over() {
            return None;
        }
        self.leave_line(Leaving::Left, around);
        self.answer(LegNo::CALLER, around);
        let leg = self.release(LegNo::CALLER, why, around);
        self.connected.get_or_insert((around.now, Some(with)));
        self.settle(Answer::Failed(Failure::HungUp), around);
        Some(leg)
    }

    /// A leg of another call comes for the one who is parked here, or instead of the telephone that rings.
    pub fn welcome(&mut self, leg: Leg, around: &mut Around) {
        let parked = match &self.pending {
            Some(Pending::Park { leg, .. }) => Some(*leg),
            _ => None,
        };
        let no = self.adopt(leg, around);
        let who = self.leg(no).record.party.clone();
        let answer = match parked {
            Some(parked) => {
                self.pending = None;
                self.stop(parked, around);
                self.note("call.retrieved", no, who, around);
                Some(Answer::Leg(Box::new(self.leg(no).info.clone())))
            }
            None => {
                self.note("call.picked-up", no, who, around);
                self.win_dial(no, around)
            }
        };
        if let Some(answer) = answer {
            self.settle(answer, around);
        }
    }

    /// Whether somebody else's telephone may take the place of this leg: it rings, or talks with another.
    pub fn is_replaceable(&self, no: LegNo) -> bool {
        match &self.pending {
            Some(Pending::Bridge { a, b, .. }) if no == *a || no == *b => self.wish.is_none() && a != b,
            _ => self.ringing().any(|ringing| ringing == no),
        }
    }

    /// A leg of another call takes the place of this one, which leaves (RFC 3891 §3). Whoever talked with it talks on; if it
    /// rang, the others that ring stop too.
    pub fn replace(&mut self, no: LegNo, leg: Leg, around: &mut Around) {
        if let Some(at) = self.rung_by(no) {
            return self.pick_up_from_agent(at, leg, around);
        }
        if !matches!(self.pending, Some(Pending::Bridge { .. })) {
            return self.welcome(leg, around);
        }
        let Some(Pending::Bridge { a, b, keys, asks }) = self.pending.take() else { return };
        self.unrelay(a, around);
        let left = self.adopt(leg, around);
        let who = self.leg(left).record.party.clone();
        self.take_place(no, left, around);
        self.note("call.replaced", no, who, around);
        self.hang_up(left, Cause::Q850(16), "replaced", around);
        self.join(a, b, around);
        self.pending = Some(Pending::Bridge { a, b, keys, asks });
    }

    /// Who this call is with, as the other side of a conversation would name it.
    pub fn party_name(&self) -> String {
        self.caller().record.party.clone()
    }

    /// The telephone behind `no` gives the one it talks with here to another of its calls, and leaves.
    pub fn give_partner(&mut self, no: LegNo, around: &mut Around) -> Given {
        let conversation = match &self.pending {
            Some(Pending::Bridge { a, b, .. }) if a != b && (no == *a || no == *b) => Some((*a, *b)),
            _ => None,
        };
        let Some((a, b)) = conversation else {
            // It rings, or a script speaks: whoever is transferred goes there instead.
            if no != LegNo::CALLER || self.caller().is_over() {
                return Given::Nothing;
            }
            let dialled = self.caller().info.dialled.clone();
            self.handle_hang_up(around);
            return Given::Number(dialled);
        };
        self.pending = None;
        let partner = if no == a { b } else { a };
        let leg = self.release(partner, "transferred", around);
        self.hang_up(no, Cause::Q850(16), "transferred", around);
        self.caller_left |= self.caller().is_over();
        // Both are gone; the script hears of the one that ends the call for it.
        let gone = if no == LegNo::CALLER { no } else { partner };
        let end = if gone == a { BridgeEnd::AHungUp } else { BridgeEnd::BHungUp };
        self.settle(Answer::BridgeEnded(end), around);
        Given::Leg(Box::new(leg))
    }

    /// Takes a leg out of the call; its record stays.
    fn release(&mut self, no: LegNo, why: &'static str, around: &mut Around) -> Leg {
        self.unrelay(no, around);
        self.stop(no, around);
        self.end_tap(no, around);
        let key = around.keys.leg(self.id, no);
        let leg = &mut self.legs[no.0 as usize];
        let mut record = leg.record.clone();
        record.ended = Some(around.wall);
        record.end = why.into();
        let left = Leg {
            key,
            info: leg.info.clone(),
            state: State::Ended,
            keys: Default::default(),
            playing: None,
            sounding: false,
            relayed: None,
            held: false,
            seats: Vec::new(),
            tap: None,
            served: None,
            record,
        };
        let leg = std::mem::replace(leg, left);
        self.caller_left |= no == LegNo::CALLER;
        self.note("leg.ended", no, why.into(), around);
        leg
    }
}
