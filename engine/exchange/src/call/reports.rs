//! What signalling and sound report of a leg, and what becomes of the verb that waits.

use std::time::Duration;

use super::{Around, Call, HOLD_MUSIC, Pending};
use crate::dial::{Attempt, failure_of};
use crate::effect::{Cause, Effect, Event, Signal, Sound, Token};
use crate::gather::Step;
use crate::leg::State;
use crate::verb::{Answer, BridgeEnd, EndOfDigits, Failure, LegNo, Prompt, Target};

impl Call {
    /// Something that signalling or sound reports of one of the legs.
    pub fn handle_event(&mut self, no: LegNo, event: Event, around: &mut Around) {
        if self.leg(no).is_over() {
            return;
        }
        let event = match event {
            // Whoever is wanted in person is not looked for elsewhere.
            Event::Redirected { status, .. }
                if self.supervisor_of(no).is_some() || self.rung_by(no).is_some() =>
            {
                Event::Refused { status, silent: false }
            }
            event => event,
        };
        if let Some(at) = self.supervisor_of(no) {
            return self.handle_supervisor(at, no, event, around);
        }
        if let Some(at) = self.rung_by(no) {
            return self.handle_agent(at, no, event, around);
        }
        let answer = match event {
            Event::Trying => {
                if let Some(dialling) = self.dialling() {
                    dialling.heard(no, false);
                }
                None
            }
            Event::Ringing { early_media } => {
                self.handle_ringing(no, early_media, around);
                None
            }
            Event::Answered => self.handle_answered(no, around),
            Event::Refused { status, silent } => self.handle_refused(no, status, silent, around),
            Event::Redirected { status, to } => self.handle_redirected(no, status, to, around),
            Event::Ended => self.handle_ended(no, "hung up", around),
            Event::MediaTimeout => {
                let key = self.leg(no).key;
                around.out.push(Effect::Signal(key, Signal::HangUp(Cause::Q850(41))));
                self.handle_ended(no, "no sound", around)
            }
            Event::Held => {
                self.handle_hold(no, true, around);
                None
            }
            Event::Resumed => {
                self.handle_hold(no, false, around);
                None
            }
            Event::Digit(key) => self.handle_digit(no, key, around),
            Event::PlayEnded(token) => self.handle_play_ended(no, token, around),
            Event::DigitsSent(token) => match self.pending {
                Some(Pending::SendDigits { leg, token: ours }) if leg == no && ours == token => {
                    self.pending = None;
                    Some(Answer::Done)
                }
                _ => None,
            },
            Event::Recorded { token, length } => self.handle_recorded(no, token, length, around),
            Event::Transfer { to, with } => self.handle_transfer(no, to, with, around),
        };
        if let Some(answer) = answer {
            self.settle(answer, around);
        }
    }

    pub(super) fn handle_ringing(&mut self, no: LegNo, early_media: bool, around: &mut Around) {
        let Some(hearer) = self.dialling().map(|dialling| dialling.hearer) else { return };
        let somebody_hears = !self.leg(hearer).is_over();
        let Some(dialling) = self.dialling() else { return };
        let alone = dialling.attempts.len() == 1;
        // A call that looks for its caller has nobody yet who could hear it.
        let own_tone = dialling.options.ringback.is_none() && somebody_hears;
        if !dialling.attempts.iter().any(|attempt| attempt.leg == no) {
            return;
        }
        dialling.heard(no, true);
        let first = !std::mem::replace(&mut dialling.rings, true);
        // One phone's own announcement is worth hearing; two at once would be noise.
        let pass_on = early_media && alone && own_tone && dialling.early.is_none();
        if pass_on {
            dialling.early = Some(no);
        }
        let party = self.leg(no).record.party.clone();
        self.note("leg.ringing", no, party, around);
        if pass_on {
            self.stop(hearer, around);
            self.open_early(hearer, around);
            self.relay(hearer, no, around);
        } else if first && own_tone {
            let leg = &mut self.legs[hearer.0 as usize];
            let effect = match leg.state {
                State::Arrived { early: false } => Effect::Signal(leg.key, Signal::Ring),
                _ => {
                    leg.sounding = true;
                    Effect::Sound(leg.key, Sound::Ringback)
                }
            };
            around.out.push(effect);
        }
    }

    pub(super) fn handle_answered(&mut self, no: LegNo, around: &mut Around) -> Option<Answer> {
        self.dialling()?.take_attempt(no)?;
        let leg = &mut self.legs[no.0 as usize];
        leg.state = State::Up;
        leg.record.answered = Some(around.wall);
        leg.seats.iter().for_each(|seat| around.load.talks(seat));
        around.tolls.answered(around.now, leg.key);
        let party = leg.record.party.clone();
        self.note("leg.answered", no, party, around);
        self.win_dial(no, around)
    }

    pub(super) fn handle_refused(
        &mut self,
        no: LegNo,
        status: u16,
        silent: bool,
        around: &mut Around,
    ) -> Option<Answer> {
        let attempt = self.end_attempt(no, status, around)?;
        self.replace_attempt(attempt, status, silent, around);
        self.advance_dial(around)
    }

    /// The far side says where else to ring.
    fn handle_redirected(
        &mut self,
        no: LegNo,
        status: u16,
        to: Vec<Target>,
        around: &mut Around,
    ) -> Option<Answer> {
        self.end_attempt(no, status, around)?;
        match self.dialling()?.follow(to) {
            Some(target) => self.ring_target(target, around),
            None => self.note_failure(failure_of(status, false)),
        }
        self.advance_dial(around)
    }

    /// A leg that rang has its final refusal.
    fn end_attempt(&mut self, no: LegNo, status: u16, around: &mut Around) -> Option<Attempt> {
        self.end_leg(no, &format!("{status}"), around);
        let dialling = self.dialling()?;
        let attempt = dialling.take_attempt(no)?;
        if dialling.early == Some(no) {
            let hearer = dialling.hearer;
            dialling.early = None;
            self.unrelay(hearer, around);
        }
        Some(attempt)
    }

    pub(super) fn handle_ended(&mut self, no: LegNo, why: &str, around: &mut Around) -> Option<Answer> {
        if self.leg(no).state == State::Dialling {
            return self.handle_refused(no, 487, false, around);
        }
        let partner = self.leg(no).relayed;
        self.end_leg(no, why, around);
        if let Some(partner) = partner {
            self.legs[partner.0 as usize].relayed = None;
        }
        // Whoever asked for a transfer may leave: someone else is to take that place.
        let by_caller = no == LegNo::CALLER && !self.asks_for_transfer(no);
        if by_caller {
            self.caller_left = true;
        }
        self.tend_standing(no, why, around);
        if self.is_being_transferred(no)
            && let Some(answer) = self.end_transfer(no, around)
        {
            return Some(answer);
        }
        let concerns = match self.pending.as_ref()? {
            Pending::Play { leg, .. }
            | Pending::Gather { leg, .. }
            | Pending::Message { leg, .. }
            | Pending::SendDigits { leg, .. }
            | Pending::Park { leg, .. } => *leg == no || by_caller,
            Pending::Dial(_)
            | Pending::Sleep { .. }
            | Pending::Fetch { .. }
            | Pending::Enter
            | Pending::Length
            | Pending::Promise
            | Pending::Wait { .. } => by_caller,
            Pending::Transfer(_) | Pending::Elsewhere => false,
            Pending::Bridge { a, b, .. } => *a == no || *b == no || by_caller,
        };
        if !concerns {
            return None;
        }
        match self.pending.take()? {
            Pending::Bridge { a, b, .. } if a == no || b == no => {
                let end = if a == no { BridgeEnd::AHungUp } else { BridgeEnd::BHungUp };
                Some(Answer::BridgeEnded(end))
            }
            Pending::Dial(dialling) => {
                for attempt in dialling.attempts {
                    self.hang_up(attempt.leg, Cause::Q850(16), "caller left", around);
                }
                Some(Answer::Failed(Failure::HungUp))
            }
            // A message that was being left is kept; its recording is closed with the leg.
            Pending::Message { name, begun, .. } => {
                let length = around.now.saturating_duration_since(begun);
                self.keep_message(name, length, around);
                Some(Answer::Failed(Failure::HungUp))
            }
            _ => Some(Answer::Failed(Failure::HungUp)),
        }
    }

    pub(super) fn handle_hold(&mut self, no: LegNo, held: bool, around: &mut Around) {
        let leg = &mut self.legs[no.0 as usize];
        if std::mem::replace(&mut leg.held, held) == held {
            return;
        }
        let Some(Pending::Bridge { a, b, .. }) = self.pending else { return };
        if a == b || (no != a && no != b) {
            return;
        }
        let other = if no == a { b } else { a };
        if held {
            self.unrelay(no, around);
            self.play(other, vec![Prompt::Music(HOLD_MUSIC.into())], false, true, around);
        } else if !self.leg(other).held {
            self.stop(other, around);
            self.relay(a, b, around);
        }
        let kind = if held { "leg.held" } else { "leg.resumed" };
        self.note(kind, no, String::new(), around);
    }

    pub(super) fn handle_digit(&mut self, no: LegNo, key: char, around: &mut Around) -> Option<Answer> {
        self.handle_typed(no, key, around);
        match &mut self.pending {
            Some(Pending::Gather { leg, asking }) if *leg == no => {
                let was_prompting = asking.is_prompting();
                let step = asking.handle_key(key, around.now);
                if was_prompting {
                    self.stop(no, around);
                }
                if let Step::Ended(ended) = step {
                    return self.end_gather(ended);
                }
                None
            }
            Some(Pending::Bridge { a, keys, .. }) if *a == no && keys.contains(key) => {
                self.pending = None;
                self.unrelay(no, around);
                Some(Answer::BridgeEnded(BridgeEnd::Digit(key)))
            }
            Some(Pending::Bridge { a, .. }) if *a == no => None, // part of the conversation
            Some(Pending::Message { leg, .. }) if *leg == no => {
                let key = self.leg(no).key;
                around.out.push(Effect::Sound(key, Sound::EndRecord));
                None
            }
            Some(Pending::Wait { .. }) if no == LegNo::CALLER => self.handle_waiting_key(key, around),
            _ => {
                self.legs[no.0 as usize].push_key(key);
                None
            }
        }
    }

    pub(super) fn handle_play_ended(
        &mut self,
        no: LegNo,
        token: Token,
        around: &mut Around,
    ) -> Option<Answer> {
        let leg = &mut self.legs[no.0 as usize];
        if leg.playing != Some(token) {
            return None;
        }
        leg.playing = None;
        leg.sounding = false;
        match &mut self.pending {
            Some(Pending::Play { leg, token: ours }) if *leg == no && *ours == token => {
                self.pending = None;
                Some(Answer::Done)
            }
            Some(Pending::Gather { leg, asking }) if *leg == no => {
                asking.handle_prompts_ended(around.now);
                None
            }
            Some(Pending::Wait { .. }) if no == LegNo::CALLER => {
                self.play_music(around); // an announcement is over
                None
            }
            _ => None,
        }
    }

    pub(super) fn handle_recorded(
        &mut self,
        no: LegNo,
        token: Token,
        length: Duration,
        around: &mut Around,
    ) -> Option<Answer> {
        match self.pending.take() {
            Some(Pending::Message { leg, token: ours, name, silence, .. }) if leg == no && ours == token => {
                // What is shorter than the quiet was ended by a key.
                let said = length.checked_sub(silence).unwrap_or(length);
                self.keep_message(name.clone(), said, around);
                Some(Answer::Recorded { id: name, length })
            }
            other => {
                self.pending = other;
                None
            }
        }
    }

    /// What came of a `Fetch`; too late when the script no longer waits for one.
    pub fn handle_fetched(&mut self, answer: Answer, around: &mut Around) {
        if let Some(Pending::Fetch { .. }) = self.pending {
            self.pending = None;
            self.settle(answer, around);
        }
    }

    pub fn handle_timeout(&mut self, around: &mut Around) {
        if self.end_at <= around.now {
            self.handle_hang_up(around);
        }
        self.handle_supervisors_timeout(around);
        self.handle_standing_timeout(around);
        let answer = match &mut self.pending {
            Some(Pending::Gather { asking, .. }) => match asking.handle_timeout(around.now) {
                Step::Ended(ended) => self.end_gather(ended),
                Step::More => None,
            },
            Some(Pending::Sleep { until }) if *until <= around.now => {
                self.pending = None;
                Some(Answer::Done)
            }
            Some(Pending::Fetch { until }) if *until <= around.now => {
                self.pending = None;
                Some(Answer::Failed(Failure::TimedOut))
            }
            Some(Pending::Dial(_) | Pending::Transfer(_)) => self.advance_dial(around),
            Some(Pending::Park { leg, until, .. }) if *until <= around.now => {
                let leg = *leg;
                self.pending = None;
                self.stop(leg, around);
                Some(Answer::Failed(Failure::NoAnswer))
            }
            _ => None,
        };
        if let Some(answer) = answer {
            self.settle(answer, around);
        }
    }

    pub(super) fn end_gather(&mut self, ended: EndOfDigits) -> Option<Answer> {
        match self.pending.take() {
            Some(Pending::Gather { asking, .. }) => {
                Some(Answer::Gathered { digits: asking.into_digits(), ended })
            }
            _ => None,
        }
    }
}
