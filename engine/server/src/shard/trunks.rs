//! Health of the carriers, by what OPTIONS and calls tell: a circuit breaker for each, so that a carrier that falters is
//! skipped unheard, and is tried again by one call at a time.
//!
//! **Closed**: calls are sent. **Open**: none are, for a rest that doubles each time. **Half-open**: one call at a time is
//! a trial, whose end decides. A carrier that did not answer OPTIONS is back when it does: any answer will do, even a
//! refusal, someone is there (RFC 3261 §11). One that failed calls answers OPTIONS well enough, so it has to show a call.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use protocol::sip::stack::ProbeId;

use crate::config::Breaker;

/// While open a carrier is probed this often, if its own interval is not shorter.
const IMPATIENCE: Duration = Duration::from_secs(5);
/// A trial of which nothing was heard for so long says nothing: the next call is one.
const TRIAL: Duration = Duration::from_secs(60);
/// What carriers answer is counted in pieces of a minute, ten of them.
const PIECES: usize = 10;
const PIECE: Duration = Duration::from_secs(60);

/// A carrier as the configuration has it.
pub(super) struct Configured {
    pub tenant: String,
    pub name: String,
    /// Between two OPTIONS; zero: never.
    pub probe: Duration,
    pub breaker: Breaker,
}

/// What a call told of its carrier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Told<'a> {
    /// It carries the call: somebody is rung, or has refused.
    Carried,
    /// Somebody answered.
    Answered,
    /// It did not answer, or refused for reasons of its own: which.
    Failed(&'a str),
}

/// What became of a carrier.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// It carries calls again.
    Back,
    /// One call will try it.
    Trial,
    /// It carries none: why.
    Lost(String),
}

/// Tenant and name of a carrier.
type Name = (String, String);
/// The same, and what became of it.
type Turned = (String, String, Turn);

/// As it is shown.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Seen {
    /// "closed", "half-open", "open"; empty for a carrier that nobody knows.
    pub state: &'static str,
    /// Why it is not closed: "no answer", "503", "answers 3 of 40 calls".
    pub reason: Option<String>,
    /// When a probe or a call last told something.
    pub checked: Option<Instant>,
    /// Calls of the last ten minutes, and those that were answered.
    pub calls: u32,
    pub answered: u32,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum State {
    Closed,
    Open {
        until: Instant,
        /// It was a probe that got no answer, so one that gets some is enough.
        by_probe: bool,
    },
    HalfOpen {
        /// When the call that tries it began.
        trial: Option<Instant>,
    },
}

struct Health {
    state: State,
    breaker: Breaker,
    /// Failures one after the other.
    failures: u32,
    /// The rest that comes next.
    rest: Duration,
    reason: Option<String>,
    checked: Option<Instant>,
    statistics: Statistics,
    /// Zero: never probed.
    every: Duration,
    next_probe: Instant,
    probing: Option<ProbeId>,
}

/// Calls and answers of the last ten minutes.
#[derive(Default)]
struct Statistics {
    begun: Option<Instant>,
    pieces: [(u64, u32, u32); PIECES],
}

/// All carriers of a shard's tenants, by tenant and name.
#[derive(Default)]
pub(super) struct Trunks {
    all: HashMap<Name, Health>,
}

impl Trunks {
    /// Makes the table fit the configuration; what is known of those that stay is kept.
    pub fn configure(&mut self, now: Instant, configured: impl Iterator<Item = Configured>) {
        let mut old = std::mem::take(&mut self.all);
        for Configured { tenant, name, probe, breaker } in configured {
            let key = (tenant, name);
            let mut health = old.remove(&key).unwrap_or(Health {
                state: State::Closed,
                breaker,
                failures: 0,
                rest: breaker.rest,
                reason: None,
                checked: None,
                statistics: Statistics::default(),
                every: probe,
                next_probe: now,
                probing: None,
            });
            health.breaker = breaker;
            health.every = probe;
            health.rest = health.rest.clamp(breaker.rest, breaker.rest_max);
            self.all.insert(key, health);
        }
    }

    /// Whether a call should try it. Of one that is half-open: if no other does.
    pub fn in_service(&self, tenant: &str, name: &str) -> bool {
        // Two short strings are cheaper than a table of tables.
        let health = self.all.get(&(tenant.to_string(), name.to_string()));
        health.is_none_or(|health| match health.state {
            State::Closed => true,
            State::Open { .. } => false,
            State::HalfOpen { trial } => trial.is_none(),
        })
    }

    /// A call is sent to it.
    pub fn tries(&mut self, now: Instant, tenant: &str, name: &str) {
        if let Some(health) = self.health(tenant, name)
            && let State::HalfOpen { trial: trial @ None } = &mut health.state
        {
            *trial = Some(now);
        }
    }

    /// How it is, and why.
    pub fn seen(&self, now: Instant, tenant: &str, name: &str) -> Seen {
        let Some(health) = self.all.get(&(tenant.to_string(), name.to_string())) else {
            return Seen::default();
        };
        let (calls, answered) = health.statistics.of(now);
        let state = match health.state {
            State::Closed => "closed",
            State::Open { .. } => "open",
            State::HalfOpen { .. } => "half-open",
        };
        Seen { state, reason: health.reason.clone(), checked: health.checked, calls, answered }
    }

    /// A call to it told something.
    pub fn told(&mut self, now: Instant, tenant: &str, name: &str, what: Told<'_>) -> Option<Turn> {
        let health = self.health(tenant, name)?;
        health.checked = Some(now);
        match what {
            Told::Answered => health.statistics.note(now, 0, 1),
            Told::Carried | Told::Failed(_) => {}
        }
        match (what, health.state) {
            (Told::Failed(why), State::Closed) => {
                health.failures += 1;
                (health.failures >= health.breaker.failures).then(|| health.open(now, why.into(), false))
            }
            (Told::Failed(why), State::HalfOpen { .. }) => {
                health.reason = Some(why.into());
                health.rest = (health.rest * 2).min(health.breaker.rest_max);
                health.state = State::Open { until: now + health.rest, by_probe: false };
                health.probe_soon(now);
                None // it was lost before
            }
            (Told::Failed(_), State::Open { .. }) => None, // of a call that was under way
            (_, State::HalfOpen { .. }) => Some(health.close()),
            (_, State::Open { .. }) => None,
            (_, State::Closed) => {
                health.failures = 0;
                None
            }
        }
    }

    /// A call to it is over, by whatever end but a carrier's fault. Counted for its statistics.
    pub fn counted(&mut self, now: Instant, tenant: &str, name: &str) -> Option<Turn> {
        let health = self.health(tenant, name)?;
        health.statistics.note(now, 1, 0);
        let (calls, answered) = health.statistics.of(now);
        let Breaker { answered: least, of, .. } = health.breaker;
        let too_few = least > 0 && calls >= of && answered * 100 < calls * least;
        if health.state != State::Closed || !too_few {
            return None;
        }
        health.statistics = Statistics::default(); // what comes then is judged anew
        Some(health.open(now, format!("answers {answered} of {calls} calls"), false))
    }

    /// Carriers whose probe is due, and those whose time has come otherwise. Call [`Trunks::probing`] for each of the
    /// first.
    pub fn due(&mut self, now: Instant) -> (Vec<Name>, Vec<Turned>) {
        let (mut due, mut turns) = (Vec::new(), Vec::new());
        for (key, health) in &mut self.all {
            match health.state {
                // Where nobody probes, time alone brings a trial.
                State::Open { until, by_probe } if until <= now && (!by_probe || health.every.is_zero()) => {
                    health.state = State::HalfOpen { trial: None };
                    turns.push((key.0.clone(), key.1.clone(), Turn::Trial));
                }
                State::HalfOpen { trial: Some(began) } if began + TRIAL <= now => {
                    health.state = State::HalfOpen { trial: None };
                }
                _ => {}
            }
            if !health.every.is_zero() && health.next_probe <= now && health.probing.is_none() {
                due.push(key.clone());
            }
        }
        (due, turns)
    }

    /// It can't be probed before then.
    pub fn probe_later(&mut self, tenant: &str, name: &str, at: Instant) {
        if let Some(health) = self.health(tenant, name) {
            health.next_probe = at;
        }
    }

    /// A probe is under way.
    pub fn probing(&mut self, tenant: &str, name: &str, probe: ProbeId) {
        if let Some(health) = self.health(tenant, name) {
            health.probing = Some(probe);
        }
    }

    /// A probe ended; answers whose it was and what it changed.
    pub fn probed(&mut self, now: Instant, probe: ProbeId, answered: bool) -> Option<Turned> {
        let (key, health) = self.all.iter_mut().find(|(_, health)| health.probing == Some(probe))?;
        health.probing = None;
        health.checked = Some(now);
        health.next_probe = now + if answered { health.every } else { health.every.min(IMPATIENCE) };
        let turn = match (answered, health.state) {
            (true, State::Open { by_probe: true, .. }) => Some(health.close()),
            (true, _) => None,
            (false, State::Closed | State::HalfOpen { .. }) => {
                Some(health.open(now, "no answer".into(), true))
            }
            (false, State::Open { until, .. }) => {
                health.reason = Some("no answer".into());
                health.state = State::Open { until, by_probe: true };
                None
            }
        };
        Some((key.0.clone(), key.1.clone(), turn?))
    }

    pub fn next_timeout(&self) -> Option<Instant> {
        let moments = self.all.values().flat_map(|health| {
            let probe = (!health.every.is_zero() && health.probing.is_none()).then_some(health.next_probe);
            let turn = match health.state {
                State::Open { until, by_probe } if !by_probe || health.every.is_zero() => Some(until),
                State::HalfOpen { trial: Some(began) } => Some(began + TRIAL),
                _ => None,
            };
            [probe, turn]
        });
        moments.flatten().min()
    }

    fn health(&mut self, tenant: &str, name: &str) -> Option<&mut Health> {
        self.all.get_mut(&(tenant.to_string(), name.to_string()))
    }
}

impl Health {
    fn open(&mut self, now: Instant, why: String, by_probe: bool) -> Turn {
        self.state = State::Open { until: now + self.rest, by_probe };
        self.reason = Some(why.clone());
        self.probe_soon(now);
        Turn::Lost(why)
    }

    fn close(&mut self) -> Turn {
        self.state = State::Closed;
        (self.reason, self.failures, self.rest) = (None, 0, self.breaker.rest);
        Turn::Back
    }

    fn probe_soon(&mut self, now: Instant) {
        self.next_probe = now + self.every.min(IMPATIENCE);
    }
}

impl Statistics {
    fn note(&mut self, now: Instant, calls: u32, answered: u32) {
        let number = self.number(now);
        let piece = &mut self.pieces[number as usize % PIECES];
        if piece.0 != number {
            *piece = (number, 0, 0);
        }
        piece.1 += calls;
        piece.2 += answered;
    }

    fn of(&self, now: Instant) -> (u32, u32) {
        let Some(begun) = self.begun else { return (0, 0) };
        let number = now.saturating_duration_since(begun).as_secs() / PIECE.as_secs();
        let recent = self.pieces.iter().filter(|(of, ..)| number.saturating_sub(*of) < PIECES as u64);
        recent.fold((0, 0), |(calls, answered), (_, more, yes)| (calls + more, answered + yes))
    }

    fn number(&mut self, now: Instant) -> u64 {
        let begun = *self.begun.get_or_insert(now);
        now.saturating_duration_since(begun).as_secs() / PIECE.as_secs()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Scene {
        trunks: Trunks,
        zero: Instant,
    }

    impl Scene {
        fn new(probe: u64, breaker: Breaker) -> Self {
            let zero = Instant::now();
            let mut trunks = Trunks::default();
            let (tenant, name, probe) = ("acme".to_string(), "a".to_string(), s(probe));
            trunks.configure(zero, [Configured { tenant, name, probe, breaker }].into_iter());
            Self { trunks, zero }
        }

        fn at(&self, seconds: u64) -> Instant {
            self.zero + s(seconds)
        }

        fn told(&mut self, seconds: u64, what: Told<'_>) -> Option<Turn> {
            let now = self.at(seconds);
            self.trunks.told(now, "acme", "a", what)
        }

        fn state(&self, seconds: u64) -> &'static str {
            self.trunks.seen(self.at(seconds), "acme", "a").state
        }

        fn in_service(&self) -> bool {
            self.trunks.in_service("acme", "a")
        }

        /// What is due by then: probes, and turns.
        fn due(&mut self, seconds: u64) -> (usize, Vec<Turn>) {
            let now = self.at(seconds);
            let (due, turns) = self.trunks.due(now);
            (due.len(), turns.into_iter().map(|(.., turn)| turn).collect())
        }

        fn probed(&mut self, seconds: u64, answered: bool) -> Option<Turn> {
            let now = self.at(seconds);
            self.trunks.probing("acme", "a", ProbeId(seconds));
            self.trunks.probed(now, ProbeId(seconds), answered).map(|(.., turn)| turn)
        }
    }

    fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn lost(why: &str) -> Option<Turn> {
        Some(Turn::Lost(why.into()))
    }

    #[test]
    fn a_carrier_that_does_not_answer_options_is_out_until_it_does() {
        let mut scene = Scene::new(30, Breaker::default());
        assert_eq!(scene.due(0), (1, vec![]), "probed from the start");
        assert_eq!(scene.probed(0, true), None);
        assert_eq!(scene.probed(30, false), lost("no answer"));
        assert!(!scene.in_service());
        assert_eq!(scene.probed(35, false), None, "said once");
        assert_eq!(scene.due(39), (0, vec![]));
        assert_eq!(scene.due(40), (1, vec![]), "and asked every 5 s, with no trial at the cost of a caller");
        assert_eq!(scene.probed(40, true), Some(Turn::Back));
        assert!(scene.in_service());
        assert_eq!(scene.trunks.next_timeout(), Some(scene.at(70)));
    }

    #[test]
    fn a_carrier_that_fails_calls_has_to_show_one_and_rests_longer_each_time() {
        let breaker = Breaker { rest: s(5), rest_max: s(15), ..Breaker::default() };
        let mut scene = Scene::new(30, breaker);
        assert_eq!(scene.told(1, Told::Failed("503")), lost("503"));
        assert_eq!(scene.told(1, Told::Failed("503")), None, "said once");
        assert_eq!(scene.told(2, Told::Carried), None, "a call that was under way says nothing");
        assert_eq!((scene.probed(3, true), scene.state(3)), (None, "open"), "OPTIONS alone shows no call");
        let mut at = 1;
        for rest in [5, 10, 15, 15] {
            assert_eq!(scene.due(at + rest - 1).1, []);
            at += rest;
            assert_eq!(scene.due(at).1, [Turn::Trial]);
            assert!(scene.in_service(), "for one call, ...");
            let now = scene.at(at);
            scene.trunks.tries(now, "acme", "a");
            assert!(!scene.in_service(), "... and no other meanwhile");
            assert_eq!(scene.told(at, Told::Failed("503")), None, "it was lost before");
            assert_eq!(scene.state(at), "open");
        }
        at += 15;
        scene.due(at);
        assert_eq!(scene.told(at, Told::Carried), Some(Turn::Back), "a busy callee will do");
        assert_eq!(scene.state(at), "closed");
        assert_eq!(scene.told(at + 1, Told::Failed("no answer")), lost("no answer"));
        assert_eq!(scene.due(at + 6).1, [Turn::Trial], "its first rest is a short one again");
    }

    #[test]
    fn a_trial_of_which_nothing_is_heard_blocks_nobody_for_long() {
        let mut scene = Scene::new(0, Breaker::default());
        scene.told(0, Told::Failed("no answer"));
        assert_eq!(scene.due(5), (0, vec![Turn::Trial]), "without probes too");
        let now = scene.at(5);
        scene.trunks.tries(now, "acme", "a");
        scene.due(64);
        assert!(!scene.in_service());
        scene.due(65);
        assert!(scene.in_service());
    }

    #[test]
    fn so_many_failures_have_to_follow_each_other() {
        let mut scene = Scene::new(0, Breaker { failures: 3, ..Breaker::default() });
        for at in 0..10 {
            assert_eq!(scene.told(at, Told::Failed("503")), None);
            assert_eq!(scene.told(at, Told::Failed("503")), None);
            assert_eq!(scene.told(at, Told::Carried), None);
        }
        scene.told(10, Told::Failed("503"));
        scene.told(11, Told::Failed("503"));
        assert_eq!(scene.told(12, Told::Failed("500")), lost("500"));
    }

    #[test]
    fn a_carrier_that_takes_calls_and_hardly_any_is_answered_is_left_too() {
        let mut scene = Scene::new(0, Breaker { answered: 30, of: 10, ..Breaker::default() });
        let count = |scene: &mut Scene, seconds: u64, answered: bool| {
            if answered {
                scene.told(seconds, Told::Answered);
            }
            let now = scene.at(seconds);
            scene.trunks.counted(now, "acme", "a")
        };
        for n in 0..30 {
            assert_eq!(count(&mut scene, n * 60, n % 3 == 0), None, "a third are answered");
        }
        for n in 0..9 {
            assert_eq!(count(&mut scene, 4_000 + n, n == 0), None, "nine calls say nothing");
        }
        assert_eq!(count(&mut scene, 4_009, false), lost("answers 1 of 10 calls"));
        scene.due(4_014);
        assert_eq!(scene.told(4_015, Told::Carried), Some(Turn::Back));
        assert_eq!(count(&mut scene, 4_016, false), None, "and is judged anew");
    }
}
