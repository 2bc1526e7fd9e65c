//! Ringing: targets become devices and carriers, each with a leg of its own, until one answers.

use std::collections::VecDeque;

use super::waiting::MOST_QUEUE_LEGS;
use super::{Around, Call, Pending};
use crate::dial::{Attempt, Dialling, Late, TRUNK_SILENCE, failure_of, is_carriers_fault};
use crate::directory::{Device, Trunk};
use crate::effect::{Cause, Destination, Effect, Invite, Signal};
use crate::leg::{Leg, State};
use crate::load::Seat;
use crate::verb::{Answer, Direction, Failure, LegInfo, LegNo, LegRecord, Party, Target};

impl Call {
    /// Starts what is due; answers when nobody is left to ring or the time is up.
    pub(super) fn advance_dial(&mut self, around: &mut Around) -> Option<Answer> {
        loop {
            let dialling = self.dialling()?;
            if dialling.give_up_at <= around.now {
                return self.give_up_dial(around);
            }
            if let Some((no, late)) = dialling.late_attempt(around.now) {
                let attempt = dialling.take_attempt(no)?;
                let (cause, why) = match late {
                    Late::Silent => (Cause::SILENT, "silent"),
                    Late::DoesNotRing => (Cause::DOES_NOT_RING, "does not ring"),
                };
                self.hang_up(no, cause, why, around);
                self.replace_attempt(attempt, 408, true, around);
                continue;
            }
            match dialling.next_stage(around.now) {
                Some(targets) => targets.into_iter().for_each(|target| self.ring_target(target, around)),
                None if dialling.is_exhausted() => return self.give_up_dial(around),
                None => return None,
            }
        }
    }

    pub(super) fn give_up_dial(&mut self, around: &mut Around) -> Option<Answer> {
        let dialling = self.dialling()?;
        let attempts = std::mem::take(&mut dialling.attempts);
        if !attempts.is_empty() {
            dialling.note_failure(Failure::NoAnswer);
        }
        let (hearer, early, failure) = (dialling.hearer, dialling.early.is_some(), dialling.best_failure());
        for attempt in attempts {
            self.hang_up(attempt.leg, Cause::NO_ANSWER, "no answer", around);
        }
        if early {
            self.unrelay(hearer, around);
        }
        self.stop(hearer, around);
        self.end_dial(Err(failure), around)
    }

    /// The dial is won by this leg, which is up: the others stop ringing.
    pub(super) fn win_dial(&mut self, no: LegNo, around: &mut Around) -> Option<Answer> {
        let dialling = self.dialling()?;
        let others: Vec<LegNo> = dialling.attempts.drain(..).map(|attempt| attempt.leg).collect();
        let (hearer, early) = (dialling.hearer, dialling.early.is_some());
        for other in others {
            self.hang_up(other, Cause::AnsweredElsewhere, "answered elsewhere", around);
        }
        if early {
            self.unrelay(hearer, around);
        }
        self.stop(hearer, around);
        self.end_dial(Ok(no), around)
    }

    /// What a dial came to, for whoever waits for it.
    fn end_dial(&mut self, came: Result<LegNo, Failure>, around: &mut Around) -> Option<Answer> {
        match (self.pending.take()?, came) {
            (Pending::Transfer(_), Ok(no)) => self.complete_transfer(no, around),
            (Pending::Transfer(_), Err(failure)) => self.fail_transfer(failure, around),
            (_, Ok(no)) => Some(Answer::Leg(Box::new(self.leg(no).info.clone()))),
            (_, Err(failure)) => Some(Answer::Failed(failure)),
        }
    }

    /// The dial under way, of the script or of a transfer.
    pub(super) fn dialling(&mut self) -> Option<&mut Dialling> {
        match &mut self.pending {
            Some(Pending::Dial(dialling) | Pending::Transfer(dialling)) => Some(dialling),
            _ => None,
        }
    }

    /// Takes a step of a dial that goes on beside whatever the call waits in: a supervisor's, an agent's.
    /// Answers the dial while it goes on, else what came of it.
    pub(super) fn beside(
        &mut self,
        dialling: Box<Dialling>,
        around: &mut Around,
        step: impl FnOnce(&mut Self, &mut Around) -> Option<Answer>,
    ) -> Result<Box<Dialling>, Answer> {
        let waiting = self.pending.replace(Pending::Dial(dialling));
        // What the caller hears, music on hold for one, has nothing to do with this dial.
        let sounding = std::mem::take(&mut self.legs[0].sounding);
        let playing = self.legs[0].playing.take();
        let answer = step(self, around);
        (self.legs[0].sounding, self.legs[0].playing) = (sounding, playing);
        match (std::mem::replace(&mut self.pending, waiting), answer) {
            (Some(Pending::Dial(dialling)), None) => Ok(dialling),
            (_, Some(answer)) => Err(answer),
            _ => Err(Answer::Failed(Failure::Unreachable)),
        }
    }

    pub(super) fn note_failure(&mut self, failure: Failure) {
        if let Some(dialling) = self.dialling() {
            dialling.note_failure(failure);
        }
    }

    pub(super) fn ring_target(&mut self, target: Target, around: &mut Around) {
        match target {
            Target::User(name) => {
                let Some(user) = around.directory.user(&self.tenant, &name) else {
                    return self.note_failure(Failure::NotFound(name));
                };
                let Some(dialling) = self.dialling() else { return };
                let (hearer, skip) = (dialling.hearer, dialling.options.skip_busy);
                if self.leg(hearer).info.user.as_deref() == Some(&user.name) {
                    return self.note_failure(Failure::Busy); // one does not ring oneself
                }
                let seat = Seat::User { tenant: self.tenant.clone(), user: user.name.clone() };
                if skip && around.load.taken(&seat) > 0 {
                    return self.note_failure(Failure::Busy);
                }
                let devices = around.directory.devices(&self.tenant, &user.name);
                if devices.is_empty() {
                    return self.note_failure(Failure::Unreachable);
                }
                for Device(device) in devices {
                    let to = Destination::Device { user: user.name.clone(), device: Device(device) };
                    let party = Party {
                        number: user.number.clone(),
                        name: Some(user.name.clone()),
                        uri: format!("sip:{}", user.name),
                    };
                    self.begin_leg(to, party, Some(user.name.clone()), vec![seat.clone()], None, around);
                }
            }
            Target::Number(number) => {
                if let Some(why) = self.held_back(&number, around) {
                    return self.note_failure(why);
                }
                let trunks = around.directory.trunks(&self.tenant).into_iter().filter(|t| t.in_service);
                let spare = in_turn(trunks.collect(), || around.keys.chance());
                self.ring_number(number, spare, around);
            }
            Target::Uri(uri) => {
                let party = Party { number: String::new(), name: None, uri: uri.clone() };
                self.begin_leg(Destination::Uri(uri), party, None, Vec::new(), None, around);
            }
        }
    }

    /// Why a number may not be called at a carrier; counts it if it may.
    fn held_back(&self, number: &str, around: &mut Around) -> Option<Failure> {
        if around.directory.is_vital(&self.tenant, number) {
            return None;
        }
        let user = self.pays();
        let limits = around.directory.tolls(&self.tenant);
        let (reason, failure) = if !around.directory.may_call(&self.tenant, number) {
            ("destinations", Failure::Refused(403))
        } else if let Some(name) = around.tolls.reached(around.now, &self.tenant, user, &limits) {
            (name, Failure::Limit(name.into()))
        } else {
            around.tolls.called(around.now, &self.tenant, user);
            return None;
        };
        let whose = user.map(|user| format!(" for {user}")).unwrap_or_default();
        self.note("call.held-back", LegNo::CALLER, format!("{reason}: {number}{whose}"), around);
        Some(failure)
    }

    /// The user on whose account calls to carriers are.
    fn pays(&self) -> Option<&str> {
        self.caller().info.user.as_deref()
    }

    /// Rings a number at the first carrier of these that has a channel free.
    pub(super) fn ring_number(&mut self, number: String, mut spare: VecDeque<String>, around: &mut Around) {
        let trunks = around.directory.trunks(&self.tenant);
        while let Some(trunk) = spare.pop_front() {
            let tenant = || self.tenant.clone();
            let seat = Seat::Trunk { tenant: tenant(), trunk: trunk.clone() };
            let out = Seat::TrunkOut { tenant: tenant(), trunk: trunk.clone() };
            let known = trunks.iter().find(|known| known.name == trunk);
            let is_full = |seat: &Seat, most: u32| most > 0 && around.load.taken(seat) >= most;
            if known.is_some_and(|known| is_full(&seat, known.channels) || is_full(&out, known.channels_out))
            {
                continue;
            }
            let party = Party { number: number.clone(), name: None, uri: format!("tel:{number}") };
            let to = Destination::Trunk { trunk, number: number.clone() };
            return self.begin_leg(to, party, None, vec![seat, out], Some((number, spare)), around);
        }
        self.note_failure(Failure::Unreachable);
    }

    /// After a failed attempt: the next carrier, or a failure noted.
    pub(super) fn replace_attempt(
        &mut self,
        attempt: Attempt,
        status: u16,
        silent: bool,
        around: &mut Around,
    ) {
        match attempt.spare {
            Some((number, spare)) if is_carriers_fault(status, silent) && !spare.is_empty() => {
                self.note_failure(failure_of(status, silent));
                self.ring_number(number, spare, around);
            }
            _ => self.note_failure(failure_of(status, silent)),
        }
    }

    pub(super) fn begin_leg(
        &mut self,
        to: Destination,
        party: Party,
        mut user: Option<String>,
        mut seats: Vec<Seat>,
        spare: Option<(String, VecDeque<String>)>,
        around: &mut Around,
    ) {
        let Some(dialling) = self.dialling() else { return };
        let agent = dialling.agent.clone();
        let (legs, most) = match agent {
            Some(_) => (self.queue_legs, MOST_QUEUE_LEGS),
            None => (self.legs.len() - self.queue_legs, self.most_legs),
        };
        if legs >= most {
            return self.note_failure(Failure::Limit("legs_per_call".into()));
        }
        if let Some(agent) = agent {
            self.queue_legs += 1;
            if user.is_none() {
                // On the mobile an agent is an agent still: on a call, and known by name.
                seats.push(Seat::User { tenant: self.tenant.clone(), user: agent.clone() });
                user = Some(agent);
            }
        }
        let no = LegNo(self.legs.len() as u32);
        let rings_within = match &to {
            Destination::Trunk { trunk, .. } => around.directory.rings_within(&self.tenant, trunk),
            _ => None,
        };
        let from = self.legs[0].info.party.clone();
        let key = around.keys.leg(self.id, no);
        let Some(dialling) = self.dialling() else { return };
        let present = dialling.options.present.clone().unwrap_or(from);
        let to_carrier = spare.is_some();
        let silent_at = spare.as_ref().map(|_| around.now + TRUNK_SILENCE);
        // The last one may take its time: nobody else would ring sooner.
        let rings_by = rings_within.filter(|_| spare.as_ref().is_some_and(|(_, spare)| !spare.is_empty()));
        let rings_by = rings_by.map(|within| around.now + within);
        dialling.attempts.push(Attempt { leg: no, spare, silent_at, rings_by });
        seats.iter().for_each(|seat| around.load.rings(seat));
        if to_carrier {
            around.tolls.began(key, &self.tenant, self.pays());
        }
        let trunk = match &to {
            Destination::Trunk { trunk, .. } => Some(trunk.clone()),
            _ => None,
        };
        let shown = [user.as_deref(), Some(&party.number), Some(&party.uri)];
        let shown = shown.into_iter().flatten().find(|name| !name.is_empty()).unwrap_or_default().to_string();
        self.legs.push(Leg {
            key,
            info: LegInfo {
                leg: no,
                dialled: party.number.clone(),
                party,
                direction: Direction::Outbound,
                user,
                headers: Default::default(),
                language: self.legs[0].info.language.clone(),
            },
            state: State::Dialling,
            keys: Default::default(),
            playing: None,
            sounding: false,
            relayed: None,
            held: false,
            seats,
            tap: None,
            served: None,
            record: LegRecord {
                leg: no,
                party: shown,
                trunk,
                started: around.wall,
                answered: None,
                ended: None,
                end: String::new(),
                sip_call_id: String::new(),
            },
        });
        let invite = Invite { tenant: self.tenant.clone(), call: self.id, to, present };
        around.out.push(Effect::Signal(key, Signal::Invite(Box::new(invite))));
    }
}

/// Carriers in the order in which this call tries them: by `order`, and among those of one by chance and weight, as RFC
/// 2782 draws them.
fn in_turn(mut trunks: Vec<Trunk>, mut chance: impl FnMut() -> u64) -> VecDeque<String> {
    trunks.sort_by_key(|trunk| trunk.order);
    let mut turn = VecDeque::new();
    while let Some(first) = trunks.first() {
        let order = first.order;
        let among = trunks.iter().take_while(|trunk| trunk.order == order);
        let all: u64 = among.clone().map(|trunk| u64::from(trunk.weight)).sum();
        let mut drawn = if all == 0 { 0 } else { chance() % all };
        let at = among.take_while(|trunk| {
            let passed = all > 0 && drawn >= u64::from(trunk.weight);
            drawn = drawn.saturating_sub(u64::from(trunk.weight));
            passed
        });
        let at = at.count();
        turn.push_back(trunks.remove(at).name);
    }
    turn
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trunk(name: &str, order: u32, weight: u32) -> Trunk {
        let name = name.to_owned();
        Trunk { name, in_service: true, channels: 0, channels_in: 0, channels_out: 0, order, weight }
    }

    #[test]
    fn rfc2782_carriers_of_one_order_share_calls_by_weight_and_others_wait_for_them() {
        let mut state = 1_u64;
        let mut first = std::collections::HashMap::new();
        for _ in 0..10_000 {
            let all = vec![trunk("spare", 2, 0), trunk("a", 1, 30), trunk("b", 1, 10), trunk("never", 1, 0)];
            let turn = in_turn(all, || {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                state >> 33
            });
            assert_eq!((turn.len(), turn[3].as_str()), (4, "spare"));
            *first.entry(turn[0].clone()).or_insert(0) += 1;
        }
        assert!((7_300..7_700).contains(&first["a"]) && first["a"] + first["b"] == 10_000, "{first:?}");
    }

    #[test]
    fn without_weights_carriers_are_tried_as_they_come() {
        let all = || vec![trunk("a", 0, 0), trunk("b", 0, 0), trunk("c", 0, 0)];
        assert_eq!(in_turn(all(), || 7), ["a", "b", "c"]);
    }
}
