//! A supervisor on a call: listens to a conversation, whispers to the one on its second leg, or
//! barges in so that all hear all, as does one who comes by telephone (RFC 3911). The script notices
//! nothing: the supervisor's legs are rung beside whatever it waits in, and end with the conversation;
//! a supervisor who leaves changes nothing for the others. While a party is being transferred a
//! supervisor hears nothing, and then whoever talks.
//! Left out: keys of the supervisor, and conversations with itself (an echo).

use std::time::{Duration, Instant};

use super::{Around, Call, Driver, Pending};
use crate::dial::Dialling;
use crate::effect::{Cause, Effect, Event, LegKey, Signal, Sound};
use crate::leg::{Leg, State};
use crate::verb::{Answer, Dial, Failure, LegNo, Party, Stage, Supervision, Target};

/// Supervisors on one call, ringing or listening; the next one is refused with `limit("supervisors")`.
const MOST_SUPERVISORS: usize = 4;
/// How long a supervisor's telephones ring.
const RING: Duration = Duration::from_secs(30);
/// How long a script may take from a transfer that it decided to the conversation that follows, before supervisors
/// leave.
const DECIDES: Duration = Duration::from_secs(5);

pub(super) struct Supervisor {
    who: Target,
    mode: Supervision,
    phone: Phone,
}

enum Phone {
    Ringing(Box<Dialling>),
    Up(LegNo),
}

/// Whom each leg hears added up, in place of its partner. By their keys: a leg that goes over to
/// another call is told to stop.
pub(super) type Mix = Vec<(LegKey, Vec<LegKey>)>;

impl Call {
    /// Rings a supervisor, or gives one who is there already another way of taking part.
    pub fn supervise(&mut self, who: Target, mode: Supervision, around: &mut Around) -> Result<(), Failure> {
        let Some((a, b)) = self.conversation() else {
            return Err(Failure::Invalid("call: nobody talks with anybody on it now".into()));
        };
        if let Some(at) = self.supervisors.iter().position(|known| known.who == who) {
            let before = std::mem::replace(&mut self.supervisors[at].mode, mode);
            if let Phone::Up(leg) = self.supervisors[at].phone
                && before != mode
            {
                self.note_supervision(leg, mode, around);
            }
            return Ok(());
        }
        if self.supervisors.len() >= MOST_SUPERVISORS {
            return Err(Failure::Limit("supervisors".into()));
        }
        if let Target::User(name) = &who {
            let Some(user) = around.directory.user(&self.tenant, name) else {
                return Err(Failure::NotFound(name.clone()));
            };
            if self.is_on(&user.name) {
                return Err(Failure::Busy); // on this very call
            }
        }
        let talkers = [a, b].map(|leg| self.leg(leg).record.party.clone());
        let present = Party {
            number: self.leg(b).info.party.number.clone(),
            name: Some(format!("{}: {} and {}", mode.name(), talkers[0], talkers[1])),
            uri: self.leg(b).info.party.uri.clone(),
        };
        let dial = Dial {
            stages: vec![Stage { after: Duration::ZERO, targets: vec![who.clone()] }],
            timeout: RING,
            ringback: None,
            present: Some(present),
            skip_busy: false,
        };
        let dialling = Box::new(Dialling::new(dial, LegNo::CALLER, around.now)?);
        self.supervisors.push(Supervisor { who, mode, phone: Phone::Ringing(dialling) });
        match self.ring_supervisor(self.supervisors.len() - 1, around, Self::advance_dial) {
            Some(why) => Err(why),
            None => Ok(()),
        }
    }

    /// Whether a user can come as a supervisor.
    pub fn has_room_for(&self, user: &str) -> Result<(), Failure> {
        match self.conversation() {
            None => Err(Failure::Invalid("call: nobody talks with anybody on it now".into())),
            Some(_) if self.supervisors.len() >= MOST_SUPERVISORS => {
                Err(Failure::Limit("supervisors".into()))
            }
            Some(_) if self.is_on(user) => Err(Failure::Busy),
            Some(_) => Ok(()),
        }
    }

    /// A user comes with a leg of another call, and all hear all.
    pub fn joined_by(&mut self, user: String, leg: Leg, around: &mut Around) {
        let no = self.adopt(leg, around);
        let mode = Supervision::Barge;
        self.supervisors.push(Supervisor { who: Target::User(user), mode, phone: Phone::Up(no) });
        self.note_supervision(no, mode, around);
    }

    fn is_on(&self, user: &str) -> bool {
        self.legs.iter().any(|leg| leg.is_up() && leg.info.user.as_deref() == Some(user))
    }

    /// Whose leg it is, if a supervisor's.
    pub(super) fn supervisor_of(&self, no: LegNo) -> Option<usize> {
        self.supervisors.iter().position(|supervisor| match &supervisor.phone {
            Phone::Up(leg) => *leg == no,
            Phone::Ringing(dialling) => dialling.attempts.iter().any(|attempt| attempt.leg == no),
        })
    }

    /// Something that signalling or sound reports of a supervisor's leg.
    pub(super) fn handle_supervisor(&mut self, at: usize, no: LegNo, event: Event, around: &mut Around) {
        match (event, &mut self.supervisors[at].phone) {
            (Event::Trying, Phone::Ringing(dialling)) => dialling.heard(no, false),
            (Event::Ringing { .. }, Phone::Ringing(dialling)) => dialling.heard(no, true),
            (Event::Answered, Phone::Ringing(_)) => {
                self.ring_supervisor(at, around, |call, around| call.handle_answered(no, around));
            }
            (Event::Refused { status, silent }, Phone::Ringing(_)) => {
                self.ring_supervisor(at, around, |call, around| {
                    call.handle_refused(no, status, silent, around)
                });
            }
            (Event::Ended, Phone::Ringing(_)) => {
                self.ring_supervisor(at, around, |call, around| call.handle_refused(no, 487, false, around));
            }
            (Event::Ended, Phone::Up(_)) => {
                let why = self.supervisors.remove(at).mode.ended("hung up");
                self.end_leg(no, &why, around);
            }
            (Event::MediaTimeout, Phone::Up(_)) => {
                let why = self.supervisors.remove(at).mode.ended("no sound");
                let key = self.leg(no).key;
                around.out.push(Effect::Signal(key, Signal::HangUp(Cause::Q850(41))));
                self.end_leg(no, &why, around);
            }
            (Event::Transfer { .. }, _) => {
                let key = self.leg(no).key;
                around.out.push(Effect::Signal(key, Signal::RefuseTransfer(603)));
            }
            _ => {}
        }
    }

    /// When a supervisor's telephones have rung long enough, or a carrier was silent too long.
    pub(super) fn supervisors_timeout(&self) -> Option<Instant> {
        let ringing = self.supervisors.iter().filter_map(|supervisor| match &supervisor.phone {
            Phone::Ringing(dialling) => dialling.next_timeout(),
            Phone::Up(_) => None,
        });
        ringing.chain(self.supervised_until.filter(|_| !self.supervisors.is_empty())).min()
    }

    /// A transfer that the script decides is done, or is not: it lets the two talk in a moment.
    pub(super) fn keep_supervisors(&mut self, now: Instant) {
        self.supervised_until = Some(now + DECIDES);
    }

    /// Does what is due with supervisors' telephones that ring.
    pub(super) fn handle_supervisors_timeout(&mut self, around: &mut Around) {
        let now = around.now;
        let is_due = |supervisor: &Supervisor| match &supervisor.phone {
            Phone::Ringing(dialling) => dialling.next_timeout().is_some_and(|due| due <= now),
            Phone::Up(_) => false,
        };
        while let Some(at) = self.supervisors.iter().position(is_due) {
            self.ring_supervisor(at, around, Self::advance_dial);
        }
    }

    /// After every step of the call: supervisors leave with the conversation, and everyone hears whom
    /// they should.
    pub fn tend_supervisors(&mut self, around: &mut Around) {
        if self.supervisors.is_empty() && self.mix.is_empty() {
            return;
        }
        let awaited = self.wish.is_some() || self.supervised_until.is_some_and(|until| until > around.now);
        if self.conversation().is_some() {
            self.supervised_until = None;
        } else if !awaited || matches!(self.driver, Driver::Nobody) {
            self.supervised_until = None;
            for supervisor in std::mem::take(&mut self.supervisors) {
                let (legs, why) = match supervisor.phone {
                    Phone::Up(leg) => (vec![leg], supervisor.mode.ended("the conversation ended")),
                    Phone::Ringing(dialling) => {
                        let legs = dialling.attempts.iter().map(|attempt| attempt.leg).collect();
                        (legs, "the conversation ended".into())
                    }
                };
                for leg in legs.into_iter().filter(|leg| !self.leg(*leg).is_over()).collect::<Vec<_>>() {
                    self.hang_up(leg, Cause::Q850(16), &why, around);
                }
            }
        }
        let mix = self.wanted_mix();
        let before = std::mem::replace(&mut self.mix, mix);
        for (leg, _) in &before {
            let is_over = self.legs.iter().any(|known| known.key == *leg && known.is_over());
            if !is_over && !self.mix.iter().any(|(known, _)| known == leg) {
                around.out.push(Effect::Sound(*leg, Sound::Hear(Vec::new())));
            }
        }
        for (leg, whom) in self.mix.iter().filter(|heard| !before.contains(heard)) {
            around.out.push(Effect::Sound(*leg, Sound::Hear(whom.clone())));
        }
    }

    /// The legs of the conversation under way.
    fn conversation(&self) -> Option<(LegNo, LegNo)> {
        match &self.pending {
            Some(Pending::Bridge { a, b, .. }) if a != b => Some((*a, *b)),
            _ => None,
        }
    }

    /// Who is to hear whom now. While one side is on hold nobody hears anybody.
    fn wanted_mix(&self) -> Mix {
        let Some((a, b)) = self.conversation().filter(|(a, b)| self.leg(*a).relayed == Some(*b)) else {
            return Vec::new();
        };
        let up = self.supervisors.iter().filter_map(|supervisor| match supervisor.phone {
            Phone::Up(leg) => Some((leg, supervisor.mode)),
            Phone::Ringing(_) => None,
        });
        let who_does = |modes: &[Supervision]| -> Vec<LegNo> {
            up.clone().filter(|(_, mode)| modes.contains(mode)).map(|(leg, _)| leg).collect()
        };
        let barging = who_does(&[Supervision::Barge]);
        let to_agent = who_does(&[Supervision::Whisper, Supervision::Barge]);
        let key = |leg: LegNo| self.leg(leg).key;
        let mut mix = Vec::new();
        for (leg, _) in up.clone() {
            let others = barging.iter().copied().filter(|other| *other != leg);
            mix.push((key(leg), [a, b].into_iter().chain(others).map(key).collect()));
        }
        for (leg, partner, beside) in [(b, a, to_agent), (a, b, barging)] {
            if !beside.is_empty() {
                mix.push((key(leg), [partner].into_iter().chain(beside).map(key).collect()));
            }
        }
        mix
    }

    /// Takes a step of the dial that rings this supervisor, as if the call waited in it. Answers why
    /// it failed, if it did; the supervisor is gone then.
    fn ring_supervisor(
        &mut self,
        at: usize,
        around: &mut Around,
        step: impl FnOnce(&mut Self, &mut Around) -> Option<Answer>,
    ) -> Option<Failure> {
        let Supervisor { who, mode, phone } = self.supervisors.remove(at);
        let Phone::Ringing(dialling) = phone else { return None };
        let phone = match self.beside(dialling, around, step) {
            Ok(dialling) => Phone::Ringing(dialling),
            Err(Answer::Leg(leg)) => {
                self.note_supervision(leg.leg, mode, around);
                Phone::Up(leg.leg)
            }
            Err(Answer::Failed(why)) => return Some(why),
            Err(_) => return Some(Failure::Unreachable),
        };
        self.supervisors.insert(at, Supervisor { who, mode, phone });
        None
    }

    fn note_supervision(&self, leg: LegNo, mode: Supervision, around: &mut Around) {
        let kind = match mode {
            Supervision::Listen => "call.listened",
            Supervision::Whisper => "call.whispered",
            Supervision::Barge => "call.barged",
        };
        debug_assert!(self.leg(leg).state == State::Up);
        self.note(kind, leg, self.leg(leg).record.party.clone(), around);
    }
}
