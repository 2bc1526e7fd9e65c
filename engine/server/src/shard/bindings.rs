//! Our own registrations with carriers (RFC 3261 §10.2): when each is renewed, and when asked for again after a
//! refusal (the back-off of RFC 5626 §4.5). No clock and no socket: the shard sends what is due and tells what came.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use protocol::sip::stack::{BindingId, NotBound};

/// The first wait after nobody answered; doubled each time.
const SHORTEST_WAIT: Duration = Duration::from_secs(5);
/// The first wait after a refusal, which another try seldom changes: who asks faster is taken for an attacker.
const AFTER_REFUSAL: Duration = Duration::from_secs(60);
/// No wait is longer, unless the carrier says so.
const LONGEST_WAIT: Duration = Duration::from_secs(300);
/// A carrier may ask for this much patience.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(3600);
/// A registration is renewed so long before its end: time for all repetitions of one request.
const MARGIN: Duration = Duration::from_secs(32);
/// A carrier that wants registrations of more than a week is not obeyed.
const LONGEST_BINDING: u32 = 7 * 24 * 3600;

/// All of a shard's tenants' registrations with carriers, by tenant and trunk.
#[derive(Default)]
pub(super) struct Bindings {
    all: HashMap<(String, String), Binding>,
}

struct Binding {
    /// From the configuration, in seconds.
    wanted: u32,
    /// What is asked for: more, where the carrier wanted that.
    asked: u32,
    call_id: u64,
    cseq: u32,
    next: Instant,
    under_way: Option<BindingId>,
    /// Failures in a row.
    failures: u32,
    until: Option<Instant>,
    /// Why it was not renewed.
    reason: Option<String>,
    /// Whether it was told that calls come.
    told: bool,
}

/// What a REGISTER of a binding says that changes from one to the next.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Due {
    pub tenant: String,
    pub trunk: String,
    pub expires: u32,
    pub call_id: u64,
    pub cseq: u32,
}

/// What became of a registration.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// Calls come.
    Registered,
    /// They don't, and why.
    Lost(String),
}

/// How a registration is, for people.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Standing {
    pub until: Option<Instant>,
    pub reason: Option<String>,
}

impl Bindings {
    /// Makes the table fit the configuration: tenant, trunk and seconds to ask for. What is known of those that stay is
    /// kept. `chance`: random, for the Call-IDs of new ones.
    pub fn configure(
        &mut self,
        now: Instant,
        configured: impl Iterator<Item = (String, String, u32)>,
        mut chance: impl FnMut() -> u64,
    ) {
        let mut old = std::mem::take(&mut self.all);
        for (tenant, trunk, wanted) in configured {
            let key = (tenant, trunk);
            let kept = old.remove(&key).filter(|binding| binding.wanted == wanted);
            let binding = kept.unwrap_or_else(|| Binding {
                wanted,
                asked: wanted,
                call_id: chance(),
                cseq: 1,
                next: now,
                under_way: None,
                failures: 0,
                until: None,
                reason: None,
                told: false,
            });
            self.all.insert(key, binding);
        }
    }

    /// What to ask for now. Call [`Bindings::asked`] for each.
    pub fn due(&mut self, now: Instant) -> Vec<Due> {
        let due =
            self.all.iter_mut().filter(|(_, binding)| binding.next <= now && binding.under_way.is_none());
        due.map(|((tenant, trunk), binding)| {
            let cseq = binding.cseq;
            // A challenge takes the one between (RFC 3261 §22.2).
            binding.cseq = binding.cseq.saturating_add(2);
            let (tenant, trunk) = (tenant.clone(), trunk.clone());
            Due { tenant, trunk, expires: binding.asked, call_id: binding.call_id, cseq }
        })
        .collect()
    }

    /// It is asked for.
    pub fn asked(&mut self, tenant: &str, trunk: &str, id: BindingId) {
        if let Some(binding) = self.all.get_mut(&(tenant.to_string(), trunk.to_string())) {
            binding.under_way = Some(id);
        }
    }

    /// The carrier has answered; tells whose it was and what it changed.
    pub fn answered(
        &mut self,
        now: Instant,
        id: BindingId,
        answer: Result<u32, NotBound>,
    ) -> Option<(String, String, Turn)> {
        let (key, binding) = self.all.iter_mut().find(|(_, binding)| binding.under_way == Some(id))?;
        binding.under_way = None;
        let turn = match answer {
            Ok(seconds) if seconds > 0 => binding.bound(now, seconds),
            Ok(_) => binding.refused(now, id, "registered for no time", AFTER_REFUSAL, None),
            Err(NotBound { status: 423, min_expires: Some(least), .. })
                if least > binding.asked && least <= LONGEST_BINDING =>
            {
                (binding.asked, binding.next) = (least, now);
                None
            }
            Err(NotBound { status, retry_after, .. }) => {
                let first = if status < 500 { AFTER_REFUSAL } else { SHORTEST_WAIT };
                binding.refused(now, id, &status.to_string(), first, retry_after)
            }
        };
        turn.map(|turn| (key.0.clone(), key.1.clone(), turn))
    }

    /// The carrier has not answered.
    pub fn failed(&mut self, now: Instant, id: BindingId, why: &str) -> Option<(String, String, Turn)> {
        let (key, binding) = self.all.iter_mut().find(|(_, binding)| binding.under_way == Some(id))?;
        binding.under_way = None;
        let turn = binding.refused(now, id, why, SHORTEST_WAIT, None)?;
        Some((key.0.clone(), key.1.clone(), turn))
    }

    /// What was due can't leave yet, and is due then.
    pub fn ask_later(&mut self, tenant: &str, trunk: &str, at: Instant) {
        if let Some(binding) = self.all.get_mut(&(tenant.to_string(), trunk.to_string())) {
            (binding.under_way, binding.next) = (None, at);
        }
    }

    /// When something is due.
    pub fn next_timeout(&self) -> Option<Instant> {
        self.all.values().filter(|binding| binding.under_way.is_none()).map(|binding| binding.next).min()
    }

    /// How it stands with a trunk; none where nothing is registered.
    pub fn standing(&self, now: Instant, tenant: &str, trunk: &str) -> Option<Standing> {
        let binding = self.all.get(&(tenant.to_string(), trunk.to_string()))?;
        let until = binding.until.filter(|until| *until > now);
        Some(Standing { until, reason: binding.reason.clone() })
    }
}

impl Binding {
    fn bound(&mut self, now: Instant, seconds: u32) -> Option<Turn> {
        let life = Duration::from_secs(seconds.min(LONGEST_BINDING).into());
        // A tenth before the end, or half way where that is too short a time.
        let margin = (life / 10).max(MARGIN).min(life / 2);
        (self.until, self.next) = (Some(now + life), now + life - margin);
        (self.failures, self.reason) = (0, None);
        (!std::mem::replace(&mut self.told, true)).then_some(Turn::Registered)
    }

    /// `id`: where the chance comes from that keeps exchanges from asking all at once.
    fn refused(
        &mut self,
        now: Instant,
        id: BindingId,
        why: &str,
        first: Duration,
        retry_after: Option<u32>,
    ) -> Option<Turn> {
        let longest = first.saturating_mul(1 << self.failures.min(16)).min(LONGEST_WAIT);
        self.failures += 1;
        // Between half of it and all of it (RFC 5626 §4.5).
        let wait = longest / 2 + longest / 2 * (id.0 % 1000) as u32 / 1000;
        let asked = Duration::from_secs(retry_after.unwrap_or(0).into()).min(LONGEST_RETRY_AFTER);
        self.next = now + wait.max(asked);
        self.reason = Some(why.to_owned());
        let still = self.until.is_some_and(|until| until > now);
        let news = !still && (std::mem::take(&mut self.told) || self.failures == 1);
        news.then(|| Turn::Lost(why.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn one(wanted: u32) -> (Bindings, Instant) {
        let (mut bindings, now) = (Bindings::default(), Instant::now());
        bindings.configure(now, [("acme".to_string(), "a".to_string(), wanted)].into_iter(), || 7);
        (bindings, now)
    }

    /// Asks for what is due then, which must be there.
    fn ask(bindings: &mut Bindings, now: Instant, id: u64) -> Due {
        let mut due = bindings.due(now);
        assert_eq!(due.len(), 1);
        bindings.asked("acme", "a", BindingId(id));
        assert_eq!((bindings.due(now), bindings.next_timeout()), (vec![], None), "one at a time");
        due.remove(0)
    }

    fn refusal(status: u16, min_expires: Option<u32>, retry_after: Option<u32>) -> Result<u32, NotBound> {
        Err(NotBound { status, min_expires, retry_after })
    }

    #[test]
    fn a_registration_is_renewed_before_its_end_with_the_same_call_id_and_said_once() {
        let (mut bindings, now) = one(600);
        let first = ask(&mut bindings, now, 1);
        assert_eq!((first.expires, first.call_id, first.cseq), (600, 7, 1));
        let told = bindings.answered(now, BindingId(1), Ok(300));
        assert_eq!(told, Some(("acme".into(), "a".into(), Turn::Registered)));
        assert_eq!(bindings.standing(now, "acme", "a").unwrap().until, Some(now + s(300)));
        assert_eq!(bindings.next_timeout(), Some(now + s(300 - 32)));
        let renewed = ask(&mut bindings, now + s(268), 2);
        assert_eq!((renewed.call_id, renewed.cseq), (7, 3));
        assert_eq!(bindings.answered(now + s(268), BindingId(2), Ok(30)), None);
        assert_eq!(bindings.next_timeout(), Some(now + s(268 + 15)), "half way of a short one");
    }

    #[test]
    fn rfc3261_10_2_8_a_carrier_that_wants_longer_is_asked_for_that_at_once() {
        let (mut bindings, now) = one(600);
        ask(&mut bindings, now, 1);
        assert_eq!(bindings.answered(now, BindingId(1), refusal(423, Some(1800), None)), None);
        assert_eq!(ask(&mut bindings, now, 2).expires, 1800);
        // It wants more than a week now: that is a refusal like any other.
        let lost = bindings.answered(now, BindingId(2), refusal(423, Some(LONGEST_BINDING + 1), None));
        assert_eq!(lost.unwrap().2, Turn::Lost("423".into()));
        assert!(bindings.next_timeout().unwrap() >= now + AFTER_REFUSAL / 2);
    }

    #[test]
    fn who_does_not_answer_is_asked_again_less_and_less_often() {
        let (mut bindings, mut now) = one(3600);
        let mut waits = Vec::new();
        for n in 0..10 {
            // 999 of 1000: nearly the whole wait.
            ask(&mut bindings, now, 999 + n * 1000);
            let told = bindings.failed(now, BindingId(999 + n * 1000), "no answer");
            assert_eq!(told.is_some(), n == 0, "said once");
            let next = bindings.next_timeout().unwrap();
            waits.push((next - now).as_millis());
            now = next;
        }
        assert!((4_990..=5_000).contains(&waits[0]), "{waits:?}");
        assert!(waits.windows(2).all(|pair| pair[0] <= pair[1]), "{waits:?}");
        assert!((299_000..=300_000).contains(waits.last().unwrap()), "{waits:?}");
        assert_eq!(bindings.standing(now, "acme", "a").unwrap().reason.as_deref(), Some("no answer"));
    }

    #[test]
    fn a_registration_that_is_not_renewed_stands_until_its_end() {
        let (mut bindings, now) = one(600);
        ask(&mut bindings, now, 1);
        bindings.answered(now, BindingId(1), Ok(600));
        let mut at = now + s(540);
        let mut lost = None;
        for id in 2..20 {
            at = at.max(bindings.next_timeout().unwrap());
            ask(&mut bindings, at, id);
            lost = bindings.failed(at, BindingId(id), "no answer");
            assert_eq!(lost.is_some(), at >= now + s(600), "{:?}", at - now);
            assert_eq!(bindings.standing(at, "acme", "a").unwrap().until.is_some(), at < now + s(600));
            if lost.is_some() {
                break;
            }
        }
        assert_eq!(lost.unwrap().2, Turn::Lost("no answer".into()));
        let back = ask(&mut bindings, at + s(400), 99);
        assert_eq!(back.expires, 600);
        assert_eq!(bindings.answered(at + s(400), BindingId(99), Ok(600)).unwrap().2, Turn::Registered);
    }

    #[test]
    fn a_carrier_that_names_a_time_is_left_alone_for_it() {
        let (mut bindings, now) = one(600);
        ask(&mut bindings, now, 1);
        bindings.answered(now, BindingId(1), refusal(503, None, Some(900)));
        assert_eq!(bindings.next_timeout(), Some(now + s(900)));
        ask(&mut bindings, now + s(900), 2);
        bindings.answered(now + s(900), BindingId(2), refusal(503, None, Some(u32::MAX)));
        assert_eq!(bindings.next_timeout(), Some(now + s(900) + LONGEST_RETRY_AFTER));
    }

    #[test]
    fn a_configuration_that_stays_asks_nothing_anew() {
        let (mut bindings, now) = one(600);
        ask(&mut bindings, now, 1);
        bindings.answered(now, BindingId(1), Ok(600));
        let same = || [("acme".to_string(), "a".to_string(), 600)].into_iter();
        bindings.configure(now, same(), || unreachable!("it has its Call-ID"));
        assert_eq!(bindings.due(now), []);
        bindings.configure(now, [].into_iter(), || 8);
        assert_eq!(bindings.next_timeout(), None);
        assert_eq!(bindings.standing(now, "acme", "a"), None);
    }
}
