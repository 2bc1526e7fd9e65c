//! What a tenant's calls to carriers cost: how many are up, and how many were made and how long they talked within an hour,
//! of the tenant and of each of its users. A telephone whose password was found out makes calls that somebody pays for;
//! the bounds here are what keeps that small. Which numbers may be called at all is the [`Directory`](crate::Directory)'s.
//!
//! What is counted is counted by this process; what an earlier one has counted it can be told.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use crate::effect::LegKey;

/// An hour is looked at in pieces of a minute.
const PIECES: usize = 60;
const PIECE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

/// Bounds of calls to carriers; 0 is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TollLimits {
    /// Up at once, ringing or talking.
    pub calls_at_once: u32,
    /// Numbers that were rung within an hour.
    pub calls_per_hour: u32,
    /// Time that all of them talked within an hour, in minutes; calls that are up count as far as they are.
    pub minutes_per_hour: u32,
    /// The same as `calls_per_hour`, of one user.
    pub user_calls_per_hour: u32,
    /// The same as `minutes_per_hour`, of one user.
    pub user_minutes_per_hour: u32,
}

/// Who pays: a tenant, or one of its users.
type Payer = (String, Option<String>);

#[derive(Default)]
pub(crate) struct Tolls {
    /// When the first was counted: pieces count from there.
    begun: Option<Instant>,
    open: HashMap<LegKey, Open>,
    spent: HashMap<Payer, Spent>,
}

struct Open {
    tenant: String,
    user: Option<String>,
    answered: Option<Duration>,
}

/// What one payer has spent.
struct Spent {
    up: u32,
    /// Legs that talk, and the sum of the moments at which they began: what they have talked by now, without asking each.
    talking: u32,
    since: Duration,
    past: [Piece; PIECES],
}

#[derive(Clone, Copy, Default)]
struct Piece {
    number: u64,
    calls: u32,
    talked: Duration,
}

impl Tolls {
    /// The name of the bound that one more call would break.
    pub fn reached(
        &mut self,
        now: Instant,
        tenant: &str,
        user: Option<&str>,
        limits: &TollLimits,
    ) -> Option<&'static str> {
        let now = self.at(now);
        let all = self.spent.get(&(tenant.to_owned(), None)).map(|spent| (spent.up, spent.within(now)));
        let (up, (calls, talked)) = all.unwrap_or_default();
        let theirs = user.and_then(|user| self.spent.get(&(tenant.to_owned(), Some(user.to_owned()))));
        let (user_calls, user_talked) = theirs.map(|spent| spent.within(now)).unwrap_or_default();
        let minutes = |talked: Duration| (talked.as_secs() / 60) as u32;
        let bounds = [
            ("calls_at_once", up, limits.calls_at_once),
            ("calls_per_hour", calls, limits.calls_per_hour),
            ("minutes_per_hour", minutes(talked), limits.minutes_per_hour),
            ("user_calls_per_hour", user_calls, limits.user_calls_per_hour),
            ("user_minutes_per_hour", minutes(user_talked), limits.user_minutes_per_hour),
        ];
        bounds.into_iter().find(|(_, is, most)| *most > 0 && is >= most).map(|(name, ..)| name)
    }

    /// A number is rung.
    pub fn called(&mut self, now: Instant, tenant: &str, user: Option<&str>) {
        let now = self.at(now);
        for payer in payers(tenant, user) {
            self.spent.entry(payer).or_default().piece(now).calls += 1;
        }
    }

    /// What an earlier process has counted so long `ago`.
    pub fn restore(
        &mut self,
        now: Instant,
        tenant: &str,
        user: Option<&str>,
        ago: Duration,
        calls: u32,
        talked: Duration,
    ) {
        if ago >= HOUR {
            return;
        }
        // On a machine that has run for less than an hour all of it counts as of now.
        self.begun.get_or_insert(now.checked_sub(HOUR).unwrap_or(now));
        let at = self.at(now).saturating_sub(ago);
        for payer in payers(tenant, user) {
            let piece = self.spent.entry(payer).or_default().piece(at);
            piece.calls += calls;
            piece.talked += talked;
        }
    }

    /// A leg to a carrier begins.
    pub fn began(&mut self, leg: LegKey, tenant: &str, user: Option<&str>) {
        for payer in payers(tenant, user) {
            self.spent.entry(payer).or_default().up += 1;
        }
        let user = user.map(str::to_owned);
        self.open.insert(leg, Open { tenant: tenant.to_owned(), user, answered: None });
    }

    /// It talks, if it is one to a carrier.
    pub fn answered(&mut self, now: Instant, leg: LegKey) {
        let now = self.at(now);
        let Some(open) = self.open.get_mut(&leg).filter(|open| open.answered.is_none()) else { return };
        open.answered = Some(now);
        for payer in payers(&open.tenant, open.user.as_deref()) {
            let spent = self.spent.entry(payer).or_default();
            spent.talking += 1;
            spent.since += now;
        }
    }

    /// It is over.
    pub fn ended(&mut self, now: Instant, leg: LegKey) {
        let Some(open) = self.open.remove(&leg) else { return };
        let now = self.at(now);
        for payer in payers(&open.tenant, open.user.as_deref()) {
            let spent = self.spent.entry(payer).or_default();
            spent.up = spent.up.saturating_sub(1);
            if let Some(answered) = open.answered {
                spent.talking = spent.talking.saturating_sub(1);
                spent.since = spent.since.saturating_sub(answered);
                spent.piece(now).talked += now.saturating_sub(answered);
            }
        }
    }

    /// Whether no leg is counted: true when no call is up.
    pub fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    fn at(&mut self, now: Instant) -> Duration {
        now.saturating_duration_since(*self.begun.get_or_insert(now))
    }
}

impl Default for Spent {
    fn default() -> Self {
        Self { up: 0, talking: 0, since: Duration::ZERO, past: [Piece::default(); PIECES] }
    }
}

impl Spent {
    /// The piece of this minute, cleared if it was one of an hour ago.
    fn piece(&mut self, now: Duration) -> &mut Piece {
        let number = now.as_secs() / PIECE.as_secs();
        let piece = &mut self.past[number as usize % PIECES];
        if piece.number != number {
            *piece = Piece { number, ..Piece::default() };
        }
        piece
    }

    /// Calls, and time talked, within the last hour.
    fn within(&self, now: Duration) -> (u32, Duration) {
        let number = now.as_secs() / PIECE.as_secs();
        let recent = self.past.iter().filter(|piece| number - piece.number < PIECES as u64);
        let (calls, talked) = recent
            .fold((0, Duration::ZERO), |(calls, talked), piece| (calls + piece.calls, talked + piece.talked));
        (calls, talked + (now * self.talking).saturating_sub(self.since))
    }
}

fn payers(tenant: &str, user: Option<&str>) -> impl Iterator<Item = Payer> {
    let user = user.map(|user| (tenant.to_owned(), Some(user.to_owned())));
    [(tenant.to_owned(), None)].into_iter().chain(user)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn minutes(n: u64) -> Duration {
        PIECE * n as u32
    }

    #[test]
    fn time_counts_while_a_call_is_up_and_for_an_hour_after_it_talked() {
        let (mut tolls, zero) = (Tolls::default(), Instant::now());
        let limits = TollLimits { minutes_per_hour: 30, user_minutes_per_hour: 20, ..TollLimits::default() };
        let reached = |tolls: &mut Tolls, at: u64, user: &str| {
            tolls.reached(zero + minutes(at), "acme", Some(user), &limits)
        };
        tolls.called(zero, "acme", Some("ana"));
        tolls.began(LegKey(1), "acme", Some("ana"));
        tolls.answered(zero + minutes(1), LegKey(1));
        assert_eq!(reached(&mut tolls, 20, "ana"), None);
        assert_eq!(reached(&mut tolls, 21, "ana"), Some("user_minutes_per_hour"));
        assert_eq!(reached(&mut tolls, 21, "boris"), None, "who has not talked yet");
        tolls.began(LegKey(2), "acme", Some("boris"));
        tolls.answered(zero + minutes(21), LegKey(2));
        assert_eq!(reached(&mut tolls, 26, "boris"), Some("minutes_per_hour"));
        assert_eq!(tolls.reached(zero + minutes(26), "other", None, &limits), None, "another tenant");
        tolls.ended(zero + minutes(26), LegKey(1));
        tolls.ended(zero + minutes(26), LegKey(2));
        assert_eq!(reached(&mut tolls, 85, "boris"), Some("minutes_per_hour"));
        assert_eq!(reached(&mut tolls, 86, "ana"), None, "an hour later it is forgotten");
        assert!(tolls.is_empty());
    }

    #[test]
    fn what_an_earlier_process_counted_counts_until_it_is_an_hour_old() {
        let (mut tolls, zero) = (Tolls::default(), Instant::now());
        let limits = TollLimits { calls_per_hour: 3, user_minutes_per_hour: 10, ..TollLimits::default() };
        // As a register is read, the latest first.
        tolls.restore(zero, "acme", Some("ana"), minutes(10), 1, Duration::ZERO);
        tolls.restore(zero, "acme", Some("ana"), minutes(5), 0, minutes(10));
        tolls.restore(zero, "acme", None, minutes(50), 1, Duration::ZERO);
        tolls.restore(zero, "acme", None, minutes(60), 7, minutes(60));
        let reached =
            |tolls: &mut Tolls, at: u64, user| tolls.reached(zero + minutes(at), "acme", user, &limits);
        assert_eq!(reached(&mut tolls, 0, Some("ana")), Some("user_minutes_per_hour"));
        assert_eq!(reached(&mut tolls, 0, Some("boris")), None);
        tolls.called(zero, "acme", Some("boris"));
        assert_eq!(reached(&mut tolls, 9, Some("boris")), Some("calls_per_hour"));
        assert_eq!(reached(&mut tolls, 11, Some("boris")), None, "the oldest is forgotten");
        assert_eq!(reached(&mut tolls, 56, Some("ana")), None);
    }

    #[test]
    fn calls_at_once_and_calls_per_hour_are_two_things() {
        let (mut tolls, zero) = (Tolls::default(), Instant::now());
        let limits = TollLimits { calls_at_once: 2, calls_per_hour: 3, ..TollLimits::default() };
        for n in 0..2 {
            assert_eq!(tolls.reached(zero, "acme", None, &limits), None);
            tolls.called(zero, "acme", None);
            tolls.began(LegKey(n), "acme", None);
        }
        assert_eq!(tolls.reached(zero, "acme", None, &limits), Some("calls_at_once"));
        tolls.ended(zero, LegKey(0));
        tolls.ended(zero, LegKey(0));
        assert_eq!(tolls.reached(zero, "acme", None, &limits), None);
        tolls.called(zero + minutes(30), "acme", None);
        assert_eq!(tolls.reached(zero + minutes(59), "acme", None, &limits), Some("calls_per_hour"));
        assert_eq!(tolls.reached(zero + minutes(60), "acme", None, &limits), None);
    }
}
