//! The end of a script and of a call: hand-over, last resort, and what is kept for the record.

use std::time::Duration;

use super::{Around, Call, Driver, Pending};
use crate::effect::{Cause, Effect, Fallback, Route, Signal};
use crate::exchange::Finish;
use crate::fallback::LastResort;
use crate::leg::{Leg, State};
use crate::queue::Leaving;
use crate::verb::{CallRecord, LegNo, LegRecord, Outcome, Target};

impl Call {
    /// The script returned, failed, or could not be run.
    pub fn handle_finish(&mut self, finish: Finish, around: &mut Around) {
        if !matches!(self.driver, Driver::Script) {
            return;
        }
        self.wish = None;
        if let Some(Pending::Bridge { .. } | Pending::Transfer(_)) = self.pending {
            self.end_conversation(around.now);
        }
        if let Some(Pending::Dial(dialling)) = self.pending.take() {
            for attempt in dialling.attempts {
                self.hang_up(attempt.leg, Cause::Q850(16), "hung up", around);
            }
        }
        self.leave_line(Leaving::Left, around);
        self.end_dialled_legs(around);
        if let Some(route) = self.going_to.take().filter(|_| !self.caller().is_over()) {
            self.route = Route { source: self.route.source.take(), ..route };
            self.handing_over = None;
            self.stop(LegNo::CALLER, around);
            return self.start(around);
        }
        if let Some(user) = self.returns_to.take_if(|_| self.handing_over.is_none())
            && !self.caller().is_over()
        {
            self.note("call.coming-back", LegNo::CALLER, user.clone(), around);
            self.stop(LegNo::CALLER, around);
            let back = vec![Fallback::Ring(Target::User(user))];
            self.driver = Driver::LastResort(LastResort::new(back));
            return self.drive_last_resort(None, around);
        }
        match finish {
            Finish::Returned => match self.handing_over.take() {
                Some((script, settings)) if !self.caller_left => {
                    self.route.script = script;
                    self.route.settings = settings;
                    self.stop(LegNo::CALLER, around);
                    self.start(around);
                }
                _ => self.close(480, around),
            },
            Finish::HungUp => self.close(480, around),
            Finish::Failed { why } => {
                self.note("script.failed", LegNo::CALLER, why.clone(), around);
                self.failure = Some(why);
                if self.caller().is_over() {
                    return self.close(480, around);
                }
                self.stop(LegNo::CALLER, around);
                self.driver = Driver::LastResort(LastResort::new(self.route.fallback.clone()));
                self.drive_last_resort(None, around);
            }
        }
    }

    /// Ends the call from outside: a manager's wish or the exchange's own end.
    pub fn handle_hang_up(&mut self, around: &mut Around) {
        if let Driver::Origin { .. } = self.driver {
            return self.give_up_origin(around);
        }
        // A caller who asked for a transfer may have left, and the other one waits for it.
        let no = match &self.wish {
            Some(wish) if self.caller().is_over() => wish.partner,
            _ => LegNo::CALLER,
        };
        let leg = self.leg(no);
        if leg.is_over() {
            return;
        }
        if let State::Arrived { .. } = leg.state {
            self.refuse(480, "Temporarily Unavailable".into(), around);
        } else {
            around.out.push(Effect::Signal(leg.key, Signal::HangUp(Cause::Q850(16))));
        }
        if let Some(answer) = self.handle_ended(no, "ended by the exchange", around) {
            self.settle(answer, around);
        }
    }

    /// Nobody decides any more: every leg ends.
    pub(super) fn close(&mut self, status: u16, around: &mut Around) {
        if let Some(name) = self.last_resort_box().filter(|_| self.message_left) {
            self.tags.push(("voicemail".into(), name));
        }
        self.driver = Driver::Nobody;
        self.pending = None;
        self.leave_line(Leaving::Left, around);
        self.end_dialled_legs(around);
        if !self.caller().is_over() {
            match self.caller().state {
                State::Arrived { .. } => self.refuse(status, "Temporarily Unavailable".into(), around),
                _ => self.hang_up(LegNo::CALLER, Cause::Q850(16), "hung up", around),
            }
        }
    }

    /// The box that a message goes to when the last resort takes it.
    pub(super) fn last_resort_box(&self) -> Option<String> {
        match &self.driver {
            Driver::LastResort(last) => last.message_box().map(str::to_owned),
            _ => None,
        }
    }

    pub(super) fn end_dialled_legs(&mut self, around: &mut Around) {
        for at in 1..self.legs.len() {
            if !self.legs[at].is_over() {
                self.hang_up(LegNo(at as u32), Cause::Q850(16), "hung up", around);
            }
        }
    }

    /// What is kept of the call, once it is over.
    pub fn record(&self, around: &Around) -> CallRecord {
        let first_voice = match &self.connected {
            Some((at, _)) => Some(*at),
            None => self
                .answered
                .map(|wall| self.arrived_at + Duration::from_secs_f64((wall - self.started).max(0.0))),
        };
        let outcome = if self.message_left && self.connected.is_none() {
            Outcome::Voicemail
        } else if self.connected.is_some() {
            Outcome::Answered
        } else if self.rejected && !self.dialled {
            Outcome::Rejected
        } else if self.failure.is_some() {
            Outcome::Failed
        } else if self.promised {
            Outcome::Missed // owed a call, however this one ended
        } else if self.caller_left {
            Outcome::Abandoned
        } else if self.dialled || self.answered.is_none() {
            Outcome::Missed
        } else {
            Outcome::Answered
        };
        let last_voice = self.silent_since.unwrap_or(around.now);
        let first_voice = first_voice.unwrap_or(last_voice);
        let was_there = |leg: &&Leg| leg.state != State::Absent;
        let mut legs: Vec<LegRecord> =
            self.legs.iter().filter(was_there).map(|leg| leg.record.clone()).collect();
        legs.sort_by_key(|leg| leg.leg);
        CallRecord {
            id: self.id,
            tenant: self.tenant.clone(),
            direction: self.direction,
            from: self.from.clone(),
            dialled: self.dialled_number.clone(),
            source: self.route.source.clone(),
            script: self.first_script.clone(),
            version: self.version.clone(),
            started: self.started,
            answered: self.answered,
            ended: around.wall,
            wait: first_voice.saturating_duration_since(self.arrived_at),
            talk: last_voice.saturating_duration_since(first_voice),
            outcome,
            answered_by: self.connected.as_ref().and_then(|(_, who)| who.clone()),
            legs,
            tags: self.tags.clone(),
            recordings: self.recordings.clone(),
            failure: self.failure.clone(),
        }
    }
}
