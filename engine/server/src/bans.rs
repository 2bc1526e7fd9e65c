//! Addresses that try passwords or look for names: what each has done of late, and who is not heard for a while.
//!
//! Every offence adds points to its address, and points melt with time, so a telephone with a wrong password that asks
//! now and then is answered for ever, and a program that asks as fast as it can is not heard any more: its datagrams are
//! dropped before they are read, its connections closed. A challenge that nobody answers with a password adds a little,
//! since that is what looking for names comes to; a password that is right clears the address and has it trusted
//! for an hour, so that nobody bans an office by what one of its desks does, or by datagrams in its name.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::config::Banning;

/// Points of one failure; `after` of the configuration counts failures.
const FAILURE: f64 = 10.0;
/// Points that melt in a second: a failure and its challenge each half minute is borne for ever.
const MELTS: f64 = 0.4;
/// An address at which a right password was seen is trusted for so long, ...
const TRUST: Duration = Duration::from_secs(3600);
/// ... and may do so many times more.
const TRUSTED: f64 = 10.0;
/// Addresses on account at once. At the bound those with nothing left are forgotten, and if there are none a further
/// address is not noted.
const MOST_ADDRESSES: usize = 50_000;

/// What an address did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Offence {
    /// It was asked for a password. Every telephone is, and then shows one.
    Challenged,
    /// It sent what is no message.
    Malformed,
    /// It asked for somebody else's domain.
    Refused,
    /// It showed a wrong password, or one of nobody.
    WrongPassword,
}

impl Offence {
    fn points(self) -> f64 {
        match self {
            Self::Challenged | Self::Malformed => 1.0,
            Self::Refused | Self::WrongPassword => FAILURE,
        }
    }
}

/// All addresses of the process. Shared by the threads that listen.
#[derive(Debug, Default)]
pub struct Bans {
    /// So that nobody waits for the table while nobody is banned.
    banned: AtomicUsize,
    accounts: Mutex<HashMap<IpAddr, Account>>,
}

#[derive(Debug)]
struct Account {
    points: f64,
    at: Instant,
    trusted: Option<Instant>,
    banned: Option<Instant>,
}

impl Account {
    fn left(&self, now: Instant) -> f64 {
        (self.points - now.saturating_duration_since(self.at).as_secs_f64() * MELTS).max(0.0)
    }

    fn is_nothing(&self, now: Instant) -> bool {
        let over = |until: Option<Instant>| until.is_none_or(|until| until <= now);
        over(self.banned) && over(self.trusted) && self.left(now) == 0.0
    }
}

impl Bans {
    /// An address did something. Answers for how long it is banned, if it is from now on. `exempt` is asked then:
    /// whether it is a carrier's.
    pub fn note(
        &self,
        now: Instant,
        from: IpAddr,
        offence: Offence,
        banning: &Banning,
        exempt: impl FnOnce() -> bool,
    ) -> Option<Duration> {
        if banning.after == 0 {
            return None;
        }
        let from = place(from);
        let mut accounts = self.accounts();
        let account = self.account(now, from, &mut accounts)?;
        (account.points, account.at) = (account.left(now) + offence.points(), now);
        let trusted = account.trusted.is_some_and(|until| until > now);
        let most = f64::from(banning.after) * FAILURE * if trusted { TRUSTED } else { 1.0 };
        if account.points < most || account.banned.is_some_and(|until| until > now) {
            return None;
        }
        if banning.never.iter().any(|network| network.contains(&from)) || exempt() {
            return None;
        }
        account.points = 0.0;
        if account.banned.replace(now + banning.length).is_none() {
            self.banned.fetch_add(1, Ordering::Relaxed);
        }
        Some(banning.length)
    }

    /// Somebody there has shown a right password.
    pub fn proved(&self, now: Instant, from: IpAddr) {
        let from = place(from);
        let mut accounts = self.accounts();
        let Some(account) = self.account(now, from, &mut accounts) else { return };
        (account.points, account.trusted) = (0.0, Some(now + TRUST));
    }

    /// Whether nobody is banned, which is so nearly always and costs nothing to know.
    pub fn is_empty(&self) -> bool {
        self.banned.load(Ordering::Relaxed) == 0
    }

    /// Whether what comes from there is not even read.
    pub fn is_banned(&self, now: Instant, from: IpAddr) -> bool {
        if self.is_empty() {
            return false;
        }
        let mut accounts = self.accounts();
        let Some(account) = accounts.get_mut(&place(from)) else { return false };
        match account.banned {
            Some(until) if until > now => true,
            Some(_) => {
                account.banned = None;
                self.banned.fetch_sub(1, Ordering::Relaxed);
                false
            }
            None => false,
        }
    }

    /// Who is banned, and for how long still; in order.
    pub fn list(&self, now: Instant) -> Vec<(IpAddr, Duration)> {
        let accounts = self.accounts();
        let left =
            |account: &Account| account.banned?.checked_duration_since(now).filter(|left| !left.is_zero());
        let mut all: Vec<_> =
            accounts.iter().filter_map(|(from, account)| Some((*from, left(account)?))).collect();
        all.sort_unstable();
        all
    }

    /// Hears an address again; false if it was not banned.
    pub fn lift(&self, now: Instant, from: IpAddr) -> bool {
        let mut accounts = self.accounts();
        let until = accounts.get_mut(&place(from)).and_then(|account| account.banned.take());
        if until.is_some() {
            self.banned.fetch_sub(1, Ordering::Relaxed);
        }
        until.is_some_and(|until| until > now)
    }

    /// The account of an address; none where there is no room for another.
    fn account<'a>(
        &self,
        now: Instant,
        from: IpAddr,
        accounts: &'a mut HashMap<IpAddr, Account>,
    ) -> Option<&'a mut Account> {
        if accounts.len() >= MOST_ADDRESSES && !accounts.contains_key(&from) {
            self.forget(now, accounts);
            if accounts.len() >= MOST_ADDRESSES {
                return None;
            }
        }
        Some(accounts.entry(from).or_insert(Account { points: 0.0, at: now, trusted: None, banned: None }))
    }

    fn forget(&self, now: Instant, accounts: &mut HashMap<IpAddr, Account>) {
        accounts.retain(|_, account| !account.is_nothing(now));
        let banned = accounts.values().filter(|account| account.banned.is_some()).count();
        self.banned.store(banned, Ordering::Relaxed);
    }

    fn accounts(&self) -> MutexGuard<'_, HashMap<IpAddr, Account>> {
        self.accounts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whoever has an IPv6 address has 2^64 of them (RFC 4291 §2.5.4): the network stands for all.
pub(crate) fn place(from: IpAddr) -> IpAddr {
    match from.to_canonical() {
        IpAddr::V6(ip) => IpAddr::V6(Ipv6Addr::from_bits(ip.to_bits() >> 64 << 64)),
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const THERE: &str = "192.0.2.66";

    fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn banning() -> Banning {
        Banning { after: 5, length: s(600), never: vec!["198.51.100.0/24".parse().unwrap()] }
    }

    /// So many tries at once; answers how many were made before it was banned.
    fn tries(bans: &Bans, now: Instant, from: &str, offence: Offence, most: usize) -> Option<usize> {
        (0..most).find(|_| bans.note(now, ip(from), offence, &banning(), || false).is_some())
    }

    #[test]
    fn whoever_tries_passwords_is_not_heard_for_a_while_and_others_are() {
        let (bans, now) = (Bans::default(), Instant::now());
        assert_eq!(tries(&bans, now, THERE, Offence::WrongPassword, 99), Some(4));
        assert!(bans.is_banned(now, ip(THERE)) && !bans.is_banned(now, ip("192.0.2.67")));
        assert_eq!(bans.list(now), [(ip(THERE), s(600))]);
        assert!(bans.is_banned(now + s(599), ip(THERE)));
        assert!(!bans.is_banned(now + s(600), ip(THERE)), "heard again");
        assert_eq!(tries(&bans, now + s(601), THERE, Offence::WrongPassword, 99), Some(4), "and judged anew");
    }

    #[test]
    fn looking_for_names_without_a_password_is_found_out_too() {
        let (bans, now) = (Bans::default(), Instant::now());
        assert_eq!(tries(&bans, now, THERE, Offence::Challenged, 99), Some(49));
    }

    #[test]
    fn a_telephone_with_an_old_password_is_answered_for_ever() {
        let (bans, mut now) = (Bans::default(), Instant::now());
        for _ in 0..1_000 {
            now += s(30);
            assert_eq!(tries(&bans, now, THERE, Offence::Challenged, 1), None);
            assert_eq!(tries(&bans, now, THERE, Offence::WrongPassword, 1), None);
        }
    }

    #[test]
    fn where_a_right_password_was_seen_much_is_borne() {
        let (bans, now) = (Bans::default(), Instant::now());
        assert_eq!(tries(&bans, now, THERE, Offence::WrongPassword, 4), None);
        bans.proved(now, ip(THERE));
        assert_eq!(tries(&bans, now, THERE, Offence::WrongPassword, 99), Some(49));
        // A hundred telephones of an office register at once, each challenged first.
        for n in 0..10_000 {
            assert_eq!(tries(&bans, now, "203.0.113.5", Offence::Challenged, 1), None);
            if n % 20 == 19 {
                bans.proved(now, ip("203.0.113.5"));
            }
        }
    }

    #[test]
    fn carriers_and_networks_that_the_operator_names_are_never_banned() {
        let (bans, now) = (Bans::default(), Instant::now());
        assert_eq!(tries(&bans, now, "198.51.100.9", Offence::Refused, 99), None);
        for _ in 0..99 {
            assert_eq!(bans.note(now, ip(THERE), Offence::Refused, &banning(), || true), None);
        }
        let off = Banning { after: 0, ..banning() };
        assert!(
            (0..99).all(|_| bans.note(now, ip("192.0.2.68"), Offence::Refused, &off, || false).is_none())
        );
    }

    #[test]
    fn an_ipv6_network_is_one_address_and_a_mapped_one_is_ipv4() {
        let (bans, now) = (Bans::default(), Instant::now());
        for n in 0..5 {
            bans.note(now, ip(&format!("2001:db8:1:2::{n}")), Offence::Refused, &banning(), || false);
        }
        assert!(
            bans.is_banned(now, ip("2001:db8:1:2:ffff::1")) && !bans.is_banned(now, ip("2001:db8:1:3::1"))
        );
        assert_eq!(tries(&bans, now, "::ffff:192.0.2.66", Offence::Refused, 9), Some(4));
        assert!(bans.is_banned(now, ip(THERE)));
    }

    #[test]
    fn a_ban_can_be_lifted_and_the_table_is_bounded() {
        let (bans, now) = (Bans::default(), Instant::now());
        tries(&bans, now, THERE, Offence::Refused, 9);
        assert!(bans.lift(now, ip(THERE)) && !bans.lift(now, ip(THERE)) && !bans.is_banned(now, ip(THERE)));
        tries(&bans, now, THERE, Offence::Refused, 9);
        let many = |n: u32| IpAddr::from(n.to_be_bytes());
        for n in 0..MOST_ADDRESSES as u32 + 10 {
            bans.note(now, many(n), Offence::Challenged, &banning(), || false);
        }
        assert_eq!(bans.accounts().len(), MOST_ADDRESSES);
        assert!(bans.is_banned(now, ip(THERE)), "a flood of addresses lifts no ban");
        // Their points have melted; the ban has not.
        bans.note(now + s(60), many(u32::MAX), Offence::Challenged, &banning(), || false);
        assert_eq!((bans.accounts().len(), bans.banned.load(Ordering::Relaxed)), (2, 1));
    }
}
