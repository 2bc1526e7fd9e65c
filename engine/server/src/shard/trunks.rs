//! Health of the carriers: a carrier that does not answer is out of service and skipped by dialling;
//! OPTIONS probes bring it back when it answers. Any answer at all will do, even a refusal: someone is
//! there (RFC 3261 §11).

use std::collections::HashMap;
use std::time::{Duration, Instant};

use protocol::sip::stack::ProbeId;

/// While out of service a carrier is probed this often, if its own interval is not shorter.
const IMPATIENCE: Duration = Duration::from_secs(5);

struct Health {
    in_service: bool,
    /// Why not: "no answer", "503".
    reason: Option<String>,
    /// When a probe or a call last told something.
    checked: Option<Instant>,
    /// Zero: never probed, and so never out of service for longer than [`IMPATIENCE`].
    every: Duration,
    next_probe: Instant,
    probing: Option<ProbeId>,
}

/// What became of a carrier.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// It answers again.
    Back,
    /// It stopped answering.
    Lost,
}

/// All carriers of a shard's tenants, by tenant and name.
#[derive(Default)]
pub(super) struct Trunks {
    all: HashMap<(String, String), Health>,
}

impl Trunks {
    /// Makes the table fit the configuration; what is known of those that stay is kept.
    pub fn configure(&mut self, now: Instant, configured: impl Iterator<Item = (String, String, Duration)>) {
        let mut old = std::mem::take(&mut self.all);
        for (tenant, name, every) in configured {
            let key = (tenant, name);
            let mut health = old.remove(&key).unwrap_or(Health {
                in_service: true,
                reason: None,
                checked: None,
                every,
                next_probe: now,
                probing: None,
            });
            health.every = every;
            self.all.insert(key, health);
        }
    }

    /// Whether calls should try it.
    pub fn in_service(&self, tenant: &str, name: &str) -> bool {
        // Two short strings are cheaper than a table of tables.
        self.all.get(&(tenant.to_string(), name.to_string())).is_none_or(|health| health.in_service)
    }

    /// Why it is out of service, and when that was last looked at.
    pub fn seen(&self, tenant: &str, name: &str) -> (Option<String>, Option<Instant>) {
        let health = self.all.get(&(tenant.to_string(), name.to_string()));
        health.map_or((None, None), |health| (health.reason.clone(), health.checked))
    }

    /// It did not answer a call, or refused it for reasons of its own.
    pub fn note_failure(&mut self, now: Instant, tenant: &str, name: &str, why: &str) -> Option<Turn> {
        let health = self.all.get_mut(&(tenant.to_string(), name.to_string()))?;
        health.checked = Some(now);
        health.reason = Some(why.into());
        if !health.in_service {
            return None;
        }
        health.in_service = false;
        health.next_probe = now + IMPATIENCE;
        Some(Turn::Lost)
    }

    /// Carriers whose probe is due: tenant and name. Call [`Trunks::probing`] for each.
    pub fn due(&mut self, now: Instant) -> Vec<(String, String)> {
        let mut due = Vec::new();
        for (key, health) in &mut self.all {
            if health.next_probe > now || health.probing.is_some() {
                continue;
            }
            if health.every.is_zero() {
                health.in_service = true; // nobody asks it, so the next call finds out
                health.next_probe = now + Duration::from_secs(3600);
            } else {
                due.push(key.clone());
            }
        }
        due
    }

    /// It can't be probed before then.
    pub fn probe_later(&mut self, tenant: &str, name: &str, at: Instant) {
        if let Some(health) = self.all.get_mut(&(tenant.to_string(), name.to_string())) {
            health.next_probe = at;
        }
    }

    /// A probe is under way.
    pub fn probing(&mut self, tenant: &str, name: &str, probe: ProbeId) {
        if let Some(health) = self.all.get_mut(&(tenant.to_string(), name.to_string())) {
            health.probing = Some(probe);
        }
    }

    /// A probe ended; answers whose it was and what it changed.
    pub fn probed(&mut self, now: Instant, probe: ProbeId, answered: bool) -> Option<(String, String, Turn)> {
        let (key, health) = self.all.iter_mut().find(|(_, health)| health.probing == Some(probe))?;
        health.probing = None;
        health.checked = Some(now);
        health.reason = (!answered).then(|| "no answer".into());
        let wait = if answered { health.every } else { health.every.min(IMPATIENCE) };
        health.next_probe = now + wait;
        if health.in_service == answered {
            return None;
        }
        health.in_service = answered;
        let turn = if answered { Turn::Back } else { Turn::Lost };
        Some((key.0.clone(), key.1.clone(), turn))
    }

    pub fn next_timeout(&self) -> Option<Instant> {
        self.all.values().filter(|health| health.probing.is_none()).map(|health| health.next_probe).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(every: u64) -> (Trunks, Instant) {
        let now = Instant::now();
        let mut trunks = Trunks::default();
        trunks
            .configure(now, [("acme".to_string(), "a".to_string(), Duration::from_secs(every))].into_iter());
        (trunks, now)
    }

    #[test]
    fn a_carrier_that_fails_a_call_is_out_until_a_probe_is_answered() {
        let (mut trunks, now) = one(30);
        assert!(trunks.in_service("acme", "a"));
        assert_eq!(trunks.due(now).len(), 1, "probed from the start");
        trunks.probing("acme", "a", ProbeId(1));
        assert_eq!(trunks.probed(now, ProbeId(1), true), None);
        assert_eq!(trunks.note_failure(now, "acme", "a", "503"), Some(Turn::Lost));
        assert_eq!(trunks.note_failure(now, "acme", "a", "503"), None, "said once");
        assert!(!trunks.in_service("acme", "a"));
        let later = now + IMPATIENCE;
        assert_eq!(trunks.due(later).len(), 1);
        trunks.probing("acme", "a", ProbeId(2));
        assert_eq!(trunks.due(later).len(), 0, "one probe at a time");
        let back = trunks.probed(later, ProbeId(2), true).expect("a turn");
        assert_eq!(back, ("acme".into(), "a".into(), Turn::Back));
        assert!(trunks.in_service("acme", "a"));
        assert_eq!(trunks.next_timeout(), Some(later + Duration::from_secs(30)));
    }

    #[test]
    fn a_carrier_that_nobody_probes_is_tried_again_after_a_while() {
        let (mut trunks, now) = one(0);
        trunks.note_failure(now, "acme", "a", "503");
        assert!(!trunks.in_service("acme", "a"));
        trunks.due(now + IMPATIENCE);
        assert!(trunks.in_service("acme", "a"));
    }
}
