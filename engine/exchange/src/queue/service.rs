//! How long the next caller will probably wait: from what conversations of this queue took lately, ringing and
//! wrap-up included, from how soon its callers lose patience, and from who is ahead.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Conversations that weigh in the means: about so many of the last.
const MEMORY: u32 = 32;
/// Waits that weigh in the callers' patience.
const WAITS: f64 = 64.0;
/// What the configuration expects of a conversation weighs like so many that were held.
const EXPECTED: u32 = 4;
/// Nobody is told of a longer wait.
const LONGEST: f64 = 86_400.0;

/// Exponentially weighted means; the first that are noted weigh alike.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Service {
    /// Talk, what is asked after it, and wrap-up, in seconds.
    taken: Mean,
    /// From the offer to the answer.
    rang: Mean,
    /// Seconds waited lately, and callers who lost patience in them.
    waited: f64,
    gave_up: f64,
    /// A conversation was held, so the mean is more than what was expected.
    heard: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Mean {
    seconds: f64,
    count: u32,
}

impl Mean {
    fn note(&mut self, length: Duration) {
        self.count = (self.count + 1).min(MEMORY);
        self.seconds += (length.as_secs_f64() - self.seconds) / f64::from(self.count);
    }
}

impl Service {
    /// `handling`: what a conversation is expected to take, before one was held; zero when nobody knows.
    pub fn beginning_with(handling: Duration) -> Self {
        let count = if handling.is_zero() { 0 } else { EXPECTED };
        let taken = Mean { seconds: handling.as_secs_f64(), count };
        Self { taken, ..Self::default() }
    }

    /// The expectation is another now.
    pub fn expect(&mut self, handling: Duration) {
        if !self.heard {
            self.taken = Self::beginning_with(handling).taken;
        }
    }

    /// A conversation took so long, wrap-up included.
    pub fn note(&mut self, taken: Duration) {
        self.heard = true;
        self.taken.note(taken);
    }

    /// An agent answered after so long.
    pub fn note_ring(&mut self, rang: Duration) {
        self.rang.note(rang);
    }

    /// A caller's wait is over, by hanging up or otherwise.
    pub fn note_wait(&mut self, waited: Duration, gave_up: bool) {
        let keep = 1.0 - 1.0 / WAITS;
        self.waited = self.waited * keep + waited.as_secs_f64();
        self.gave_up = self.gave_up * keep + f64::from(u8::from(gave_up));
    }

    /// Of conversations that were held.
    pub fn mean(&self) -> Option<Duration> {
        self.heard.then(|| Duration::from_secs_f64(self.taken.seconds.max(0.0)))
    }

    /// The wait of whoever is at `position` (first is 1) while `free` agents are free and `serving` agents'
    /// worth of time is spent on this queue. None while nothing is known, or nobody serves it.
    ///
    /// An agent becomes free every `each` seconds, mean / serving. Those ahead leave the line faster than
    /// that, since each of them loses patience at the rate `p`: of `n` ahead dn/dt = -(1 / each + p n), which
    /// is 0 after ln(1 + p n each) / p; then one more agent has to become free.
    pub fn expected(&self, position: usize, free: usize, serving: f64) -> Option<Duration> {
        if position <= free {
            return Some(Duration::ZERO);
        }
        if self.taken.count == 0 || serving <= 0.0 {
            return None;
        }
        let each = (self.taken.seconds + self.rang.seconds) / serving;
        let ahead = (position - free - 1) as f64 * each;
        let impatience = if self.waited > 0.0 { self.gave_up / self.waited } else { 0.0 };
        let until_first = match impatience * ahead {
            little if little < 1e-6 => ahead,
            some => some.ln_1p() / impatience,
        };
        let wait = until_first + each;
        wait.is_finite().then(|| Duration::from_secs_f64(wait.clamp(0.0, LONGEST)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secs(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn waits(service: &Service, positions: &[usize]) -> Vec<u64> {
        positions.iter().map(|at| service.expected(*at, 0, 2.0).unwrap().as_secs()).collect()
    }

    #[test]
    fn the_wait_shrinks_with_the_place_in_line_and_nothing_is_known_before_the_first_conversation() {
        let mut service = Service::default();
        assert_eq!(service.expected(1, 0, 2.0), None);
        service.note(secs(100));
        service.note(secs(200));
        assert_eq!(service.mean(), Some(secs(150)));
        assert_eq!(waits(&service, &[3, 2, 1]), [225, 150, 75], "two agents: one is free every 75 s");
        assert_eq!(service.expected(2, 2, 2.0), Some(Duration::ZERO), "an agent is free for each");
        assert_eq!(service.expected(1, 0, 0.0), None, "nobody serves it");
        service.note_ring(secs(10));
        assert_eq!(waits(&service, &[3, 2, 1]), [240, 160, 80], "agents are taken while they ring as well");
    }

    #[test]
    fn what_is_expected_counts_until_conversations_say_otherwise() {
        let mut service = Service::beginning_with(secs(180));
        assert_eq!(waits(&service, &[1]), [90]);
        assert_eq!(service.mean(), None, "none was held yet");
        service.expect(secs(200));
        service.note(secs(100));
        assert_eq!(service.mean(), Some(secs(180)), "four expected of 200 and one held of 100");
        service.expect(secs(20));
        (0..400).for_each(|_| service.note(secs(60)));
        assert_eq!(service.mean().unwrap().as_secs(), 60);
    }

    #[test]
    fn the_mean_follows_the_last_conversations() {
        let mut service = Service::default();
        (0..200).for_each(|_| service.note(secs(60)));
        (0..200).for_each(|_| service.note(secs(300)));
        let mean = service.mean().unwrap().as_secs();
        assert!((295..=300).contains(&mean), "{mean}");
    }

    #[test]
    fn impatient_callers_ahead_make_the_wait_shorter_and_later_places_never_come_sooner() {
        let mut service = Service::default();
        service.note(secs(120));
        let patient = waits(&service, &[1, 2, 10, 1000]);
        assert_eq!(patient, [60, 120, 600, 60_000]);
        // Every fourth gives up; 200 s are waited for each: one loses patience in 800 s of waiting.
        (0..1000).for_each(|n| service.note_wait(secs(200), n % 4 == 0));
        let waits = waits(&service, &[1, 2, 10, 1000]);
        assert_eq!(waits[0], 60, "nobody is ahead of the first");
        assert!((110..120).contains(&waits[1]) && (450..500).contains(&waits[2]), "{waits:?}");
        assert!(waits.is_sorted() && waits[3] > 3000, "{waits:?}");
    }
}
