//! Small steps that several verbs take, so that a leg's state and what is sent never part.

use std::time::Instant;

use super::{Around, Call, MOST_TAGS, TAG_KEY, TAG_VALUE};
use crate::effect::{Cause, Effect, Note, Signal, Sound, Token};
use crate::leg::{Leg, State};
use crate::verb::{Failure, LegNo, Prompt, UserInfo};

impl Call {
    pub(super) fn leg(&self, no: LegNo) -> &Leg {
        &self.legs[no.0 as usize]
    }

    /// The leg, if it exists and is not over.
    pub(super) fn live(&mut self, no: LegNo) -> Result<&mut Leg, Failure> {
        let leg = self.legs.get_mut(no.0 as usize);
        let leg = leg.ok_or_else(|| Failure::Invalid(format!("leg: there is no leg {}", no.0)))?;
        if leg.is_over() { Err(Failure::HungUp) } else { Ok(leg) }
    }

    /// Makes sure that the leg can hear, with early media if it is not answered.
    pub(super) fn hearing(&mut self, no: LegNo, around: &mut Around) -> Result<(), Failure> {
        match self.live(no)?.state {
            State::Arrived { .. } => self.open_early(no, around),
            State::Dialling => return Err(Failure::Invalid("leg: not answered".into())),
            State::Up | State::Ended | State::Absent => {}
        }
        self.stop(no, around);
        Ok(())
    }

    pub(super) fn open_early(&mut self, no: LegNo, around: &mut Around) {
        let leg = &mut self.legs[no.0 as usize];
        if leg.state == (State::Arrived { early: false }) {
            leg.state = State::Arrived { early: true };
            around.out.push(Effect::Signal(leg.key, Signal::EarlyMedia));
        }
    }

    pub(super) fn answer(&mut self, no: LegNo, around: &mut Around) {
        let leg = &mut self.legs[no.0 as usize];
        if let State::Arrived { .. } = leg.state {
            leg.state = State::Up;
            leg.record.answered = Some(around.wall);
            around.out.push(Effect::Signal(leg.key, Signal::Answer));
            self.answered = Some(around.wall);
            self.note("call.answered", no, String::new(), around);
        }
    }

    pub(super) fn refuse(&mut self, status: u16, reason: String, around: &mut Around) {
        let key = self.caller().key;
        around.out.push(Effect::Signal(key, Signal::Refuse { status, reason }));
        self.end_leg(LegNo::CALLER, &status.to_string(), around);
    }

    pub(super) fn hang_up(&mut self, no: LegNo, cause: Cause, why: &str, around: &mut Around) {
        let partner = self.leg(no).relayed;
        let key = self.leg(no).key;
        around.out.push(Effect::Signal(key, Signal::HangUp(cause)));
        self.end_leg(no, why, around);
        if let Some(partner) = partner {
            self.legs[partner.0 as usize].relayed = None;
        }
    }

    /// These two talk.
    pub(super) fn begin_conversation(&mut self, a: LegNo, b: LegNo) {
        self.silent_since = None;
        for no in [a, b] {
            if let Some(served) = &mut self.legs[no.0 as usize].served {
                served.until = None;
            }
        }
    }

    /// Nobody talks any more, whatever the script does yet: it may ask whoever answered what the call was about.
    pub(super) fn end_conversation(&mut self, now: Instant) {
        self.silent_since = Some(now);
        for served in self.legs.iter_mut().filter_map(|leg| leg.served.as_mut()) {
            served.until.get_or_insert(now);
        }
    }

    pub(super) fn end_leg(&mut self, no: LegNo, why: &str, around: &mut Around) {
        if no == LegNo::CALLER && !self.asks_for_transfer(no) {
            self.silent_since.get_or_insert(around.now);
        }
        let leg = &mut self.legs[no.0 as usize];
        let talked = no == LegNo::CALLER || leg.is_up();
        leg.state = State::Ended;
        leg.relayed = None;
        leg.record.ended = Some(around.wall);
        leg.record.end = why.into();
        for seat in std::mem::take(&mut leg.seats) {
            around.load.leaves(&seat, talked);
        }
        around.tolls.ended(around.now, leg.key);
        if let Some(served) = leg.served.take() {
            let until = served.until.unwrap_or(around.now);
            let [talked, taken] = [until, around.now].map(|at| at.saturating_duration_since(served.since));
            let (floor, mut moment) = around.floor();
            let (queue, agent) = (&served.queue, &served.agent);
            floor.conversation_over(&self.tenant, queue, agent, talked, taken, &mut moment);
        }
        self.note("leg.ended", no, why.into(), around);
    }

    pub(super) fn play(
        &mut self,
        no: LegNo,
        what: Vec<Prompt>,
        cut_by_key: bool,
        looped: bool,
        around: &mut Around,
    ) -> Token {
        let token = around.keys.token();
        let leg = &mut self.legs[no.0 as usize];
        leg.playing = Some(token);
        leg.sounding = true;
        let language = leg.info.language.clone();
        around.out.push(Effect::Sound(leg.key, Sound::Play { token, what, language, cut_by_key, looped }));
        token
    }

    /// Stops whatever the leg hears, the ringing tone included.
    pub(super) fn stop(&mut self, no: LegNo, around: &mut Around) {
        let leg = &mut self.legs[no.0 as usize];
        leg.playing = None;
        if std::mem::take(&mut leg.sounding) && !leg.is_over() {
            around.out.push(Effect::Sound(leg.key, Sound::Stop));
        }
    }

    pub(super) fn relay(&mut self, a: LegNo, b: LegNo, around: &mut Around) {
        self.legs[a.0 as usize].relayed = Some(b);
        self.legs[b.0 as usize].relayed = Some(a);
        around.out.push(Effect::Sound(self.leg(a).key, Sound::Relay(self.leg(b).key)));
    }

    pub(super) fn unrelay(&mut self, no: LegNo, around: &mut Around) {
        if let Some(partner) = self.legs[no.0 as usize].relayed.take() {
            self.legs[partner.0 as usize].relayed = None;
            around.out.push(Effect::Sound(self.leg(no).key, Sound::Unrelay));
        }
    }

    pub(super) fn tag(&mut self, key: String, value: String) -> Result<(), Failure> {
        if key.is_empty() || key.len() > TAG_KEY || value.len() > TAG_VALUE {
            return Err(Failure::Invalid("tag: 1 to 64 bytes the key, at most 256 the value".into()));
        }
        if let Some((_, old)) = self.tags.iter_mut().find(|(k, _)| *k == key) {
            *old = value;
        } else if self.tags.len() < MOST_TAGS {
            self.tags.push((key, value));
        } else {
            return Err(Failure::Limit("tags".into()));
        }
        Ok(())
    }

    pub(super) fn user_info(&self, user: crate::directory::User, around: &Around) -> UserInfo {
        let registered = !around.directory.devices(&self.tenant, &user.name).is_empty();
        let presence = around.load.presence(&self.tenant, &user.name, registered);
        UserInfo { name: user.name, number: user.number, mobile: user.mobile, presence, skills: user.skills }
    }

    /// Legs are named as in the record: by their order, not by the place that they have taken.
    pub(super) fn note(&self, kind: &'static str, leg: LegNo, about: String, around: &mut Around) {
        let leg = self.leg(leg).record.leg;
        around.out.push(Effect::Note(Note { tenant: self.tenant.clone(), call: self.id, kind, leg, about }));
    }
}
