//! A party's telephone asks that someone else takes its place in a conversation (REFER, RFC 3515; blind
//! and attended as in RFC 5589). The place is a leg's number as the script knows it: whoever comes takes
//! it over, so a script that bridged `a` with `b` goes on with `a` and `b`, whoever they are by now.
//!
//! A script that talks by `Talk` is asked and decides; under `Bridge` the wish is carried out as asked:
//! a user or an address rings, and when nobody answers the one who asked has the party back. A number
//! with a script of its own, or one outside, takes the party over as if the party had dialled it, so
//! what the tenant allows its users holds for transfers too; a party that reaches nobody outside rings
//! at the one who asked. Only users of the tenant may transfer.

use std::time::Duration;

use super::{Around, Call, Elsewhere, Given, HOLD_MUSIC, Pending};
use crate::dial::Dialling;
use crate::effect::{Cause, Effect, LegKey, Signal};
use crate::leg::Leg;
use crate::verb::{Answer, BridgeEnd, Dial, Failure, LegNo, Prompt, Stage, Target, Transfer};

/// How long whoever is meant rings before the party comes back.
const TRANSFER_RING: Duration = Duration::from_secs(20);
/// How long the party that comes back rings whoever transferred it.
const COME_BACK_RING: Duration = Duration::from_secs(30);

/// What a telephone asked for.
pub(crate) struct Wish {
    /// The place that someone else is to take.
    by: LegNo,
    /// Who stays.
    pub partner: LegNo,
    to: Target,
    /// The leg on which they spoke before.
    with: Option<LegKey>,
    /// The user who asks.
    user: String,
    /// The conversation that goes on; none when the script decides.
    resume: Option<(LegNo, LegNo, String)>,
    /// Nobody came, whoever asked has left, and is rung.
    coming_back: bool,
}

impl Call {
    /// A telephone asks.
    pub(super) fn handle_transfer(
        &mut self,
        no: LegNo,
        to: Target,
        with: Option<LegKey>,
        around: &mut Around,
    ) -> Option<Answer> {
        let key = self.leg(no).key;
        let refusal = match (&self.pending, &self.leg(no).info.user) {
            _ if self.wish.is_some() => 491,
            (Some(Pending::Bridge { a, b, .. }), Some(_)) if a != b && (no == *a || no == *b) => 0,
            (Some(Pending::Bridge { .. }), None) => 403,
            _ => 603,
        };
        if refusal > 0 {
            around.out.push(Effect::Signal(key, Signal::RefuseTransfer(refusal)));
            return None;
        }
        let Some(Pending::Bridge { a, b, keys, asks }) = self.pending.take() else { return None };
        let partner = if no == a { b } else { a };
        around.out.push(Effect::Signal(key, Signal::AcceptTransfer));
        let to = match to {
            Target::Number(number) => match around.directory.user(&self.tenant, &number) {
                Some(user) => Target::User(user.name),
                None => Target::Number(number),
            },
            other => other,
        };
        let about = match &to {
            Target::User(to) | Target::Number(to) | Target::Uri(to) => to.clone(),
        };
        self.note("call.transferring", no, about, around);
        self.unrelay(no, around);
        if !self.leg(partner).sounding {
            self.play(partner, vec![Prompt::Music(HOLD_MUSIC.into())], false, true, around);
        }
        let user = self.leg(no).info.user.clone().unwrap_or_default();
        let told = Transfer { by: no, to: to.clone(), attended: with.is_some() };
        let resume = (!asks).then_some((a, b, keys));
        self.wish = Some(Wish { by: no, partner, to, with, user, resume, coming_back: false });
        if asks {
            return Some(Answer::BridgeEnded(BridgeEnd::Transfer(Box::new(told))));
        }
        match self.begin_transfer(None, TRANSFER_RING, around) {
            Ok(answer) => answer,
            Err(failure) => self.fail_transfer(failure, around),
        }
    }

    /// Carries the wish out; `to` in place of whoever the telephone named.
    pub(super) fn begin_transfer(
        &mut self,
        to: Option<Target>,
        ring: Duration,
        around: &mut Around,
    ) -> Result<Option<Answer>, Failure> {
        let wish = self.wish.as_ref().ok_or_else(|| Failure::Invalid("no transfer is asked for".into()))?;
        if self.leg(wish.partner).is_over() {
            return Err(Failure::HungUp);
        }
        match (to, wish.with) {
            (None, Some(with)) => self.begin_elsewhere(Elsewhere::Join(with)),
            (None, None) => self.transfer_to(wish.to.clone(), ring, around),
            (Some(to), _) => self.transfer_to(to, ring, around),
        }
    }

    fn transfer_to(
        &mut self,
        to: Target,
        ring: Duration,
        around: &mut Around,
    ) -> Result<Option<Answer>, Failure> {
        if let Target::Number(number) = to {
            return match around.directory.user(&self.tenant, &number) {
                Some(user) => self.transfer_to(Target::User(user.name), ring, around),
                None => self.send_on(number, around),
            };
        }
        let Some(wish) = &self.wish else { return Ok(None) };
        let partner = wish.partner;
        let options = Dial {
            stages: vec![Stage { after: Duration::ZERO, targets: vec![to] }],
            timeout: ring,
            ringback: Some(Prompt::Music(HOLD_MUSIC.into())),
            present: Some(self.leg(partner).info.party.clone()),
            skip_busy: false,
        };
        let mut dialling = Dialling::new(options, partner, around.now)?;
        dialling.rings = true;
        if !self.leg(partner).sounding {
            self.play(partner, vec![Prompt::Music(HOLD_MUSIC.into())], false, true, around);
        }
        self.pending = Some(Pending::Transfer(Box::new(dialling)));
        Ok(self.advance_dial(around))
    }

    /// The party goes on to a number as if it had dialled it: another script takes the call, and for
    /// this one the caller has left.
    fn send_on(&mut self, number: String, around: &mut Around) -> Result<Option<Answer>, Failure> {
        let Some(wish) = &self.wish else { return Ok(None) };
        let (by, partner) = (wish.by, wish.partner);
        if by != LegNo::CALLER && partner != LegNo::CALLER {
            return Err(Failure::Invalid("to: the caller is not part of this conversation".into()));
        }
        let route = around.directory.route(&self.tenant, &number);
        let route = route.ok_or_else(|| Failure::NotFound(number.clone()))?;
        self.stop(partner, around);
        let left = if partner == LegNo::CALLER { by } else { partner };
        if partner != LegNo::CALLER {
            self.take_place(LegNo::CALLER, partner, around);
        }
        self.transferred(left, &number, around);
        // Someone who was sent to a number outside, or to one that nobody has, is not lost there.
        let own = around.directory.is_number(&self.tenant, &number);
        self.returns_to = self.transferred_by.clone().filter(|_| !own);
        self.wish = None;
        self.legs[0].info.dialled = number;
        self.going_to = Some(route);
        Ok(Some(Answer::Failed(Failure::HungUp)))
    }

    /// What the call in which the telephone spoke with them before gave.
    pub fn joined(&mut self, given: Given, around: &mut Around) {
        if !matches!(self.pending, Some(Pending::Elsewhere)) {
            return;
        }
        self.pending = None;
        let answer = match given {
            Given::Leg(leg) => {
                let no = self.adopt(*leg, around);
                self.complete_transfer(no, around)
            }
            Given::Number(number) => {
                let answer = self.transfer_to(Target::Number(number), TRANSFER_RING, around);
                answer.unwrap_or_else(|failure| self.fail_transfer(failure, around))
            }
            // RFC 3891 §3: what a Replaces that fits no dialog gets.
            Given::Nothing => self.fail_transfer(Failure::Refused(481), around),
        };
        if let Some(answer) = answer {
            self.settle(answer, around);
        }
    }

    /// Someone came: they take the place.
    pub(super) fn complete_transfer(&mut self, no: LegNo, around: &mut Around) -> Option<Answer> {
        let Some(wish) = &self.wish else { return None };
        let (by, coming_back) = (wish.by, wish.coming_back);
        let who = self.leg(no).record.party.clone();
        self.take_place(by, no, around);
        if coming_back {
            self.note("call.came-back", by, who, around);
        } else {
            self.transferred(no, &who, around);
        }
        self.end_wish(None, around)
    }

    /// Nobody came: the one who asked goes on talking, or is rung.
    pub(super) fn fail_transfer(&mut self, failure: Failure, around: &mut Around) -> Option<Answer> {
        self.pending = None;
        let Some(wish) = &mut self.wish else { return None };
        let (by, user) = (wish.by, wish.user.clone());
        if wish.resume.is_none() {
            return Some(Answer::Failed(failure)); // the script may try someone else
        }
        let gone = self.legs[by.0 as usize].is_over();
        if !gone {
            self.tell(by, status_of(&failure), around);
            let words = format!("{failure:?}");
            self.note("call.transfer-failed", by, words, around);
        } else if !std::mem::replace(&mut wish.coming_back, true) {
            self.note("call.coming-back", by, user.clone(), around);
            let answer = self.transfer_to(Target::User(user), COME_BACK_RING, around);
            return answer.unwrap_or_else(|failure| self.fail_transfer(failure, around));
        }
        self.end_wish(gone.then_some(by), around)
    }

    /// Whoever was being transferred has left. None: no verb waited for the transfer.
    pub(super) fn end_transfer(&mut self, partner: LegNo, around: &mut Around) -> Option<Answer> {
        let wish = self.wish.take()?;
        self.tell(wish.by, 487, around);
        let Pending::Transfer(dialling) = self.pending.take_if(|p| matches!(p, Pending::Transfer(_)))? else {
            return None;
        };
        for attempt in dialling.attempts {
            self.hang_up(attempt.leg, Cause::Q850(16), "caller left", around);
        }
        let Some((a, ..)) = wish.resume else { return Some(Answer::Failed(Failure::HungUp)) };
        Some(Answer::BridgeEnded(if partner == a { BridgeEnd::AHungUp } else { BridgeEnd::BHungUp }))
    }

    /// The conversation goes on, or ends because this place stays empty.
    fn end_wish(&mut self, empty: Option<LegNo>, around: &mut Around) -> Option<Answer> {
        let wish = self.wish.take()?;
        let Some((a, b, keys)) = wish.resume else {
            self.keep_supervisors(around.now);
            return Some(Answer::Done);
        };
        self.caller_left |= self.caller().is_over();
        if let Some(empty) = empty {
            self.stop(wish.partner, around);
            let end = if empty == a { BridgeEnd::AHungUp } else { BridgeEnd::BHungUp };
            return Some(Answer::BridgeEnded(end));
        }
        self.join(a, b, around);
        self.pending = Some(Pending::Bridge { a, b, keys, asks: false });
        None
    }

    /// The wish is not carried out: tells the telephone.
    pub(super) fn give_up_wish(&mut self, status: u16, around: &mut Around) {
        if let Some(wish) = self.wish.take() {
            self.keep_supervisors(around.now);
            self.tell(wish.by, status, around);
        }
    }

    /// Tells the one who asked how it went. Whoever left the caller's place has left it for good now.
    fn tell(&mut self, by: LegNo, status: u16, around: &mut Around) {
        let leg = self.leg(by);
        if !leg.is_over() {
            around.out.push(Effect::Signal(leg.key, Signal::ReportTransfer(status)));
        }
        self.caller_left |= self.caller().is_over();
    }

    /// The one who asked, who has this number now, has no part in the call any more.
    fn transferred(&mut self, left: LegNo, to: &str, around: &mut Around) {
        self.note("call.transferred", left, to.into(), around);
        self.transferred_by = self.wish.as_ref().map(|wish| wish.user.clone());
        if !self.leg(left).is_over() {
            let key = self.leg(left).key;
            around.out.push(Effect::Signal(key, Signal::ReportTransfer(200)));
            self.hang_up(left, Cause::Q850(16), "transferred", around);
        }
    }

    /// Whether this leg's telephone asks for a transfer that is not done.
    pub(super) fn asks_for_transfer(&self, no: LegNo) -> bool {
        self.wish.as_ref().is_some_and(|wish| wish.by == no)
    }

    /// Whether this leg waits for whoever takes the other's place.
    pub(super) fn is_being_transferred(&self, no: LegNo) -> bool {
        self.wish.as_ref().is_some_and(|wish| wish.partner == no)
    }

    /// The leg `no` gets the number `place`, by which the script knows it, and the other way round.
    pub(super) fn take_place(&mut self, place: LegNo, no: LegNo, around: &mut Around) {
        self.legs.swap(place.0 as usize, no.0 as usize);
        for no in [place, no] {
            let leg = &mut self.legs[no.0 as usize];
            leg.info.leg = no;
            around.keys.give(leg.key, self.id, no);
            around.out.push(Effect::Moved { leg: leg.key, call: self.id, no });
        }
    }

    /// A leg of another call is this call's from now on.
    pub(super) fn adopt(&mut self, mut leg: Leg, around: &mut Around) -> LegNo {
        let no = LegNo(self.legs.len() as u32);
        leg.info.leg = no;
        leg.record.leg = no;
        around.keys.give(leg.key, self.id, no);
        around.out.push(Effect::Moved { leg: leg.key, call: self.id, no });
        self.legs.push(leg);
        no
    }

    /// Lets two legs talk; one that has us on hold hears nothing, and the other one music.
    pub(super) fn join(&mut self, a: LegNo, b: LegNo, around: &mut Around) {
        if a != b && (self.leg(a).held || self.leg(b).held) {
            for (one, other) in [(a, b), (b, a)] {
                if self.leg(other).held && !self.leg(one).held && !self.leg(one).sounding {
                    self.play(one, vec![Prompt::Music(HOLD_MUSIC.into())], false, true, around);
                }
            }
            return;
        }
        self.stop(a, around);
        self.stop(b, around);
        self.relay(a, b, around);
        self.record_as_wished(a, b, around);
    }
}

/// What the telephone is told of a failure.
fn status_of(failure: &Failure) -> u16 {
    match failure {
        Failure::Busy => 486,
        Failure::NoAnswer | Failure::Unreachable => 480,
        Failure::Refused(status) => *status,
        Failure::NotFound(_) => 404,
        Failure::HungUp => 487,
        Failure::Limit(_) => 503,
        Failure::Invalid(_) | Failure::TimedOut | Failure::Other(_) => 500,
    }
}
