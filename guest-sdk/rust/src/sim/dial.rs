//! A simulated dial: who rings when, who answers first, and the best of the failures.

use super::plan::{Manner, Talk};
use super::world::{CALLER, Passed, Percept, World};
use crate::dial::rank;
use crate::directory::Presence;
use crate::host::{DialOptions, Stage};
use crate::words::{Failure, Party, Result, Target};
use std::time::Duration;

/// The whole dial: at least, at most.
const TIMEOUT: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(600));
/// Of one stage.
const MOST_TARGETS: usize = 64;

/// Somewhere that rings.
struct Ringing {
    label: String,
    user: Option<String>,
    party: Party,
    talk: Talk,
    /// When it comes to an end by itself, and how: none is an answer.
    ends: Option<(Duration, Option<Failure>)>,
}

impl World {
    pub(crate) fn dial(&mut self, mut stages: Vec<Stage>, how: DialOptions) -> Result<usize> {
        check(&stages, &how)?;
        self.dialled_out = true;
        stages.sort_by_key(|stage| stage.after);
        let begin = self.now;
        let end = begin + how.timeout;
        let mut stages = stages.into_iter().peekable();
        let mut ringing: Vec<Ringing> = Vec::new();
        let mut best: Option<Failure> = None;
        loop {
            // What has come to an end, in the order in which it began to ring.
            while let Some(at) =
                ringing.iter().position(|r| r.ends.as_ref().is_some_and(|(at, _)| *at <= self.now))
            {
                let ended = ringing.remove(at);
                match ended.ends.and_then(|(_, failure)| failure) {
                    None => {
                        return Ok(self.answers(ended.label, ended.party, ended.user, ended.talk, ringing));
                    }
                    Some(failure) => {
                        self.note(format!("{}: {failure}", ended.label));
                        keep_best(&mut best, failure);
                    }
                }
            }
            // A stage begins at its time, or when all before it have failed.
            let due = |stage: &Stage| ringing.is_empty() || begin + stage.after <= self.now;
            if let Some(stage) = stages.next_if(due) {
                for target in stage.targets {
                    match self.ring_target(target, how.skip_busy) {
                        Ok(rings) => {
                            self.note(format!("{} rings", rings.label));
                            if !self.anyone_rang || ringing.is_empty() {
                                let heard = how.ringback.clone().map_or(Percept::Ringing, Percept::Sound);
                                self.perceive(heard);
                            }
                            self.anyone_rang = true;
                            ringing.push(rings);
                        }
                        Err((label, failure)) => {
                            self.note(format!("{label}: {failure}"));
                            keep_best(&mut best, failure);
                        }
                    }
                }
                continue;
            }
            if ringing.is_empty() {
                self.quiet();
                return Err(best.unwrap_or(Failure::Unreachable));
            }
            let next_end = ringing.iter().filter_map(|r| r.ends.as_ref().map(|(at, _)| *at)).min();
            let next_stage = stages.peek().map(|stage| begin + stage.after);
            let next = [Some(end), next_end, next_stage].into_iter().flatten().min().unwrap_or(end);
            if self.pass(next, false) == Passed::CallerLeft {
                return Err(Failure::HungUp);
            }
            let answered_now = next_end.is_some_and(|at| at <= self.now);
            if self.now >= end && !answered_now {
                for rings in ringing {
                    self.note(format!("{} stops ringing", rings.label));
                }
                self.quiet();
                keep_best(&mut best, Failure::NoAnswer);
                return Err(best.unwrap_or(Failure::NoAnswer));
            }
        }
    }

    /// The first to answer wins; the others are cancelled.
    fn answers(
        &mut self,
        label: String,
        party: Party,
        user: Option<String>,
        talk: Talk,
        others: Vec<Ringing>,
    ) -> usize {
        self.note(format!("{label} answers"));
        for rings in others {
            self.note(format!("{} stops ringing: answered elsewhere", rings.label));
        }
        self.quiet();
        self.answered_leg(party, user, label, talk)
    }

    /// Where a target rings, or why it doesn't.
    fn ring_target(&self, target: Target, skip_busy: bool) -> Result<Ringing, (String, Failure)> {
        let label = target.to_string();
        let (manner, talk, user, party) = match target {
            Target::User(name) => {
                let Some(user) = self.find(&name) else {
                    return Err((label, Failure::NotFound(name)));
                };
                if self.legs[CALLER].user.as_ref() == Some(&user.name) {
                    return Err((user.name.clone(), Failure::Busy)); // one does not ring oneself
                }
                match self.presence(user) {
                    Presence::Offline => return Err((user.name.clone(), Failure::Unreachable)),
                    Presence::Busy | Presence::Ringing if skip_busy => {
                        return Err((format!("{} is passed over", user.name), Failure::Busy));
                    }
                    Presence::Busy | Presence::Ringing => return Err((user.name.clone(), Failure::Busy)),
                    Presence::Free => {}
                }
                let uri = format!("sip:{}@example.com", user.name);
                let party = Party { number: user.number.clone(), name: Some(user.name.clone()), uri };
                (user.manner, user.talk, Some(user.name.clone()), party)
            }
            Target::Number(number) | Target::Uri(number) => {
                let Some(known) = self.numbers.iter().find(|known| known.number == number) else {
                    return Err((label, Failure::Unreachable));
                };
                let party = Party { uri: number.clone(), number, name: None };
                (known.manner, known.talk, None, party)
            }
        };
        let ends = match manner {
            Manner::Answers(after) => Some((self.now + after, None)),
            Manner::Rejects(after, 486 | 600) => Some((self.now + after, Some(Failure::Busy))),
            Manner::Rejects(after, 408 | 487) => Some((self.now + after, Some(Failure::NoAnswer))),
            Manner::Rejects(after, status) => Some((self.now + after, Some(Failure::Refused(status)))),
            Manner::NeverAnswers => None,
        };
        Ok(Ringing { label: user.clone().unwrap_or(label), user, party, talk, ends })
    }
}

fn check(stages: &[Stage], how: &DialOptions) -> Result {
    if stages.iter().all(|stage| stage.targets.is_empty()) {
        return Err(Failure::Invalid("stages: nobody to ring".to_owned()));
    }
    if stages.iter().any(|stage| stage.targets.len() > MOST_TARGETS) {
        return Err(Failure::Invalid(format!("stages: more than {MOST_TARGETS} targets in one")));
    }
    if how.timeout < TIMEOUT.0 || how.timeout > TIMEOUT.1 {
        return Err(Failure::Invalid("timeout: 1 s to 10 min".to_owned()));
    }
    Ok(())
}

fn keep_best(best: &mut Option<Failure>, failure: Failure) {
    if best.as_ref().is_none_or(|known| rank(&failure) > rank(known)) {
        *best = Some(failure);
    }
}
