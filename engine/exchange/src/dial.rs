//! A dial under way: stages that wait, attempts that ring, and the best failure heard so far. The
//! first to answer wins; the call cancels the others. A number is tried at one carrier after the
//! other: a refusal of the 5xx kind, silence, or an unreachable address moves on to the next, and the
//! caller hears nothing of it.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::verb::{Dial, Failure, LegNo, Stage, Target};

/// How long a carrier may keep silent (not even 100) before the next one is tried. Half of timer B
/// would be 16 s: too long for a caller; four retransmissions (0.5, 1.5, 3.5 s) fit in this.
pub(crate) const TRUNK_SILENCE: Duration = Duration::from_secs(4);
/// Stages of one dial; more are refused as invalid.
pub(crate) const MOST_STAGES: usize = 32;
/// Targets of one stage; more are refused as invalid.
pub(crate) const MOST_TARGETS: usize = 64;
/// Redirections that one dial follows; whoever sends it on once more is as good as not reachable.
pub(crate) const MOST_REDIRECTIONS: usize = 5;
/// Bounds of a dial's time.
pub(crate) const DIAL_TIME: std::ops::RangeInclusive<Duration> =
    Duration::from_secs(1)..=Duration::from_secs(600);

/// One INVITE of a dial.
pub(crate) struct Attempt {
    pub leg: LegNo,
    /// For a number: what was dialled, and the carriers not tried yet.
    pub spare: Option<(String, VecDeque<String>)>,
    /// A carrier that has said nothing by then is passed over.
    pub silent_at: Option<Instant>,
    /// One that has not rung by then, where another is left to try.
    pub rings_by: Option<Instant>,
}

/// How a carrier kept a dial waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Late {
    /// It said nothing at all.
    Silent,
    /// It took the call and does not ring.
    DoesNotRing,
}

pub(crate) struct Dialling {
    /// Who waits and hears it ring: the caller, or whoever is being transferred.
    pub hearer: LegNo,
    pub options: Dial,
    pub give_up_at: Instant,
    /// The next first.
    stages: VecDeque<(Instant, Vec<Target>)>,
    pub attempts: Vec<Attempt>,
    best: Option<Failure>,
    /// Where redirections have led.
    followed: Vec<Target>,
    /// The hearer was told that it rings.
    pub rings: bool,
    /// The hearer hears this attempt's early media.
    pub early: Option<LegNo>,
    /// The agent of a queue who is rung, on whatever telephone.
    pub agent: Option<String>,
}

impl Dialling {
    /// Refuses what makes no sense, naming the argument.
    pub fn new(mut options: Dial, hearer: LegNo, now: Instant) -> Result<Self, Failure> {
        let invalid = |what: &str| Err(Failure::Invalid(what.into()));
        if options.stages.is_empty() || options.stages.len() > MOST_STAGES {
            return invalid("stages: 1 to 32 of them");
        }
        if options.stages.iter().any(|stage| stage.targets.len() > MOST_TARGETS) {
            return invalid("targets: at most 64 in a stage");
        }
        if !DIAL_TIME.contains(&options.timeout) {
            return invalid("timeout: 1 s to 10 min");
        }
        let mut stages: Vec<Stage> = std::mem::take(&mut options.stages);
        stages.sort_by_key(|stage| stage.after);
        Ok(Self {
            hearer,
            give_up_at: now + options.timeout,
            stages: stages.into_iter().map(|stage| (now + stage.after, stage.targets)).collect(),
            options,
            attempts: Vec::new(),
            best: None,
            followed: Vec::new(),
            rings: false,
            early: None,
            agent: None,
        })
    }

    /// Targets whose time has come; the next stage comes early when nobody rings.
    pub fn next_stage(&mut self, now: Instant) -> Option<Vec<Target>> {
        let (due, _) = self.stages.front()?;
        if *due <= now || self.attempts.is_empty() {
            return self.stages.pop_front().map(|(_, targets)| targets);
        }
        None
    }

    /// Where a redirection leads (RFC 3261 §8.1.3.4): nowhere a second time, and not for ever.
    pub fn follow(&mut self, to: Vec<Target>) -> Option<Target> {
        let next = to.into_iter().find(|target| !self.followed.contains(target));
        let next = next.filter(|_| self.followed.len() < MOST_REDIRECTIONS)?;
        self.followed.push(next.clone());
        Some(next)
    }

    /// Whether nobody rings and nobody will.
    pub fn is_exhausted(&self) -> bool {
        self.attempts.is_empty() && self.stages.is_empty()
    }

    /// Keeps the failure if it says more than the best one so far.
    pub fn note_failure(&mut self, failure: Failure) {
        if self.best.as_ref().is_none_or(|best| weight(&failure) > weight(best)) {
            self.best = Some(failure);
        }
    }

    /// The failure to tell the script.
    pub fn best_failure(&mut self) -> Failure {
        self.best.take().unwrap_or(Failure::Unreachable)
    }

    /// Removes and answers the attempt on this leg.
    pub fn take_attempt(&mut self, leg: LegNo) -> Option<Attempt> {
        let at = self.attempts.iter().position(|attempt| attempt.leg == leg)?;
        Some(self.attempts.swap_remove(at))
    }

    /// Something was heard of the telephone or carrier of this leg; `rings`: more than that it tries.
    pub fn heard(&mut self, leg: LegNo, rings: bool) {
        if let Some(attempt) = self.attempts.iter_mut().find(|attempt| attempt.leg == leg) {
            attempt.silent_at = None;
            attempt.rings_by = attempt.rings_by.filter(|_| !rings);
        }
    }

    /// A carrier that kept silent too long, or does not ring.
    pub fn late_attempt(&self, now: Instant) -> Option<(LegNo, Late)> {
        let is_over = |at: Option<Instant>| at.is_some_and(|at| at <= now);
        self.attempts.iter().find_map(|attempt| {
            let late = match (is_over(attempt.silent_at), is_over(attempt.rings_by)) {
                (true, _) => Late::Silent,
                (false, true) => Late::DoesNotRing,
                (false, false) => return None,
            };
            Some((attempt.leg, late))
        })
    }

    pub fn next_timeout(&self) -> Option<Instant> {
        let late = self.attempts.iter().flat_map(|attempt| [attempt.silent_at, attempt.rings_by]);
        late.flatten().chain(self.stages.front().map(|(due, _)| *due)).chain([self.give_up_at]).min()
    }
}

/// Any refusal before busy, busy before no-answer, those before unreachable, as `wit/` promises.
fn weight(failure: &Failure) -> u8 {
    match failure {
        Failure::Refused(_) => 4,
        Failure::Busy => 3,
        Failure::NoAnswer => 2,
        Failure::Limit(_) | Failure::NotFound(_) => 1,
        _ => 0,
    }
}

/// A SIP refusal of a leg as a script hears it. `silent`: the far side never spoke.
pub(crate) fn failure_of(status: u16, silent: bool) -> Failure {
    match status {
        _ if silent => Failure::Unreachable,
        486 | 600 => Failure::Busy,
        408 | 487 => Failure::NoAnswer,
        400..=699 => Failure::Refused(status),
        _ => Failure::Unreachable,
    }
}

/// Whether the next carrier should be tried after this refusal (RFC 3261 §21.5; 408 and transport
/// errors arrive as `silent`).
pub(crate) fn is_carriers_fault(status: u16, silent: bool) -> bool {
    silent || status == 408 || (500..600).contains(&status)
}
