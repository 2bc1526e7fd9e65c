//! Session timers (RFC 4028): for how long a call is up without either side asking again, which of them asks, and
//! when the other is given up. Whoever speaks of no timer is asked by us all the same: nobody has to know of
//! timers to answer a re-INVITE, and a telephone that is gone does not answer.

use std::time::{Duration, Instant};

use super::headers::{HeaderName, Headers};

/// The option tag (§11).
pub const OPTION: &str = "timer";
/// §5: no interval is shorter, in seconds.
pub const LEAST: u32 = 90;
/// §10: what a side waits for less than the whole interval, in seconds, at most.
const EARLY: u32 = 32;
/// A refresh that was refused for a reason that passes is tried again so much later.
const TRY_AGAIN: Duration = Duration::from_secs(10);
/// 422s in a row that are obeyed; whoever goes on asking for more has no session.
const MOST_TOO_SMALL: u8 = 4;
/// The longest interval, in seconds: what asks for more gets this (a day).
const LONGEST: u32 = 86_400;

/// What this side wishes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionTimers {
    /// Session-Expires of our INVITEs, and the most that an answer says; seconds, from `least` to a day.
    pub expires: u32,
    /// Min-SE: who asks for less gets 422; seconds, 90 or more.
    pub least: u32,
}

/// The timer of one session.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timer {
    wished: SessionTimers,
    /// Seconds.
    expires: u32,
    /// The largest Min-SE of the other side or its proxies.
    least: u32,
    /// We ask again.
    ours: bool,
    /// The other side knows of timers.
    known: bool,
    too_small: u8,
    /// None while we have asked, or when the other side asks.
    refresh_at: Option<Instant>,
    ends_at: Option<Instant>,
}

/// What a request says of timers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Wish {
    expires: Option<u32>,
    refresher: Option<Refresher>,
    least: u32,
    known: bool,
}

/// Who asks again, by the roles of the request that settles it (§4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Refresher {
    Uac,
    Uas,
}

/// What a timer wants.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Tick {
    NotYet,
    Refresh,
    /// §10: nobody has asked again.
    Expired,
}

impl Wish {
    pub(crate) fn read(headers: &Headers) -> Self {
        let (expires, refresher) = session_expires(headers);
        let least = min_se(headers).unwrap_or(LEAST).clamp(LEAST, LONGEST);
        Self { expires, refresher, least, known: headers.lists(HeaderName::Supported, OPTION) }
    }

    /// §9: less than we take, of someone who can be told.
    pub(crate) fn is_too_small(&self, wished: SessionTimers) -> bool {
        self.known && self.expires.is_some_and(|expires| expires < wished.least)
    }
}

impl Timer {
    /// Of a session that we ask for.
    pub(crate) fn asking(wished: SessionTimers) -> Self {
        let SessionTimers { expires, least } = wished;
        Self {
            wished,
            expires,
            least,
            ours: true,
            known: false,
            too_small: 0,
            refresh_at: None,
            ends_at: None,
        }
    }

    /// Of a session that the other side asks for.
    pub(crate) fn asked(wished: SessionTimers, wish: Wish) -> Self {
        let mut timer = Self::asking(wished);
        timer.ours = !wish.known;
        timer.agree(wish);
        timer
    }

    /// §9: what we answer a request of the other side. Table 2 leaves the choice to us where it names nobody:
    /// the roles stay.
    pub(crate) fn agree(&mut self, wish: Wish) {
        self.known = wish.known;
        self.least = self.least.max(wish.least);
        let most = wish.expires.map_or(self.wished.expires, |expires| expires.min(self.wished.expires));
        self.expires = most.max(self.wished.least).max(wish.least);
        self.ours = match (wish.known, wish.refresher) {
            (false, _) | (true, Some(Refresher::Uas)) => true,
            (true, Some(Refresher::Uac)) => false,
            (true, None) => self.ours,
        };
    }

    /// §7.2: a 2xx to a request of ours. One without an interval leaves the asking to us.
    pub(crate) fn agreed(&mut self, now: Instant, headers: &Headers) {
        let (expires, refresher) = session_expires(headers);
        self.known = expires.is_some();
        self.ours = refresher != Some(Refresher::Uas);
        self.expires = expires.unwrap_or(self.wished.expires).clamp(LEAST, LONGEST);
        self.start(now);
    }

    /// The interval begins (anew).
    pub(crate) fn start(&mut self, now: Instant) {
        let seconds = |seconds: u32| Duration::from_secs(seconds.into());
        self.too_small = 0;
        self.refresh_at = self.ours.then(|| now + seconds(self.expires / 2));
        self.ends_at = Some(now + seconds(self.expires - EARLY.min(self.expires / 3)));
    }

    /// §7.4: Min-SE of a 422 to a request of ours. False: it makes no sense to try again.
    pub(crate) fn too_small(&mut self, headers: &Headers) -> bool {
        let Some(least) = min_se(headers).filter(|least| (self.least + 1..=LONGEST).contains(least)) else {
            return false;
        };
        self.too_small += 1;
        self.least = least;
        self.expires = self.expires.max(least);
        self.too_small <= MOST_TOO_SMALL
    }

    /// A refresh of ours was refused, and not because the dialog is gone. Whoever knows nothing of timers has shown
    /// that it is there.
    pub(crate) fn refused(&mut self, now: Instant) {
        match (self.known, self.ours && self.refresh_at.is_none()) {
            (true, true) => self.refresh_at = Some(now + TRY_AGAIN),
            // It was no refresh, or the other side's turn it is.
            (true, false) => {}
            (false, _) => self.start(now),
        }
    }

    pub(crate) fn next_timeout(&self) -> Option<Instant> {
        match (self.refresh_at, self.ends_at) {
            (Some(refresh_at), Some(ends_at)) => Some(refresh_at.min(ends_at)),
            (refresh_at, ends_at) => refresh_at.or(ends_at),
        }
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) -> Tick {
        if self.ends_at.is_some_and(|at| now >= at) {
            self.ends_at = None;
            self.refresh_at = None;
            return Tick::Expired;
        }
        match self.refresh_at.take_if(|at| now >= *at) {
            Some(_) => Tick::Refresh,
            None => Tick::NotYet,
        }
    }

    /// Session-Expires of a request of ours (§7.1). `within`: of a session that is up, whose roles stay.
    pub(crate) fn session_expires(&self, within: bool) -> String {
        match (within, self.ours) {
            (false, _) => self.expires.to_string(),
            (true, true) => format!("{};refresher=uac", self.expires),
            (true, false) => format!("{};refresher=uas", self.expires),
        }
    }

    /// Session-Expires of a 2xx of ours, and whether it must be understood (§9); none for whoever does not know it.
    pub(crate) fn answer(&self) -> Option<(String, bool)> {
        let refresher = if self.ours { "uas" } else { "uac" };
        self.known.then(|| (format!("{};refresher={refresher}", self.expires), !self.ours))
    }

    /// Min-SE of a request of ours, where it is not what everyone takes (§7.1).
    pub(crate) fn min_se(&self) -> Option<u32> {
        (self.least > LEAST).then_some(self.least)
    }

    /// For another process: seconds, and whether we ask again, and whether the other side knows of timers.
    pub(crate) fn keep(&self) -> (u32, bool, bool) {
        (self.expires, self.ours, self.known)
    }

    /// Goes on with what was kept: from the beginning of the interval, since the session is asked for anew.
    pub(crate) fn restore(now: Instant, (expires, ours, known): (u32, bool, bool)) -> Self {
        let expires = expires.clamp(LEAST, LONGEST);
        let mut timer = Self::asking(SessionTimers { expires, least: LEAST });
        (timer.ours, timer.known) = (ours, known);
        timer.start(now);
        timer
    }
}

fn session_expires(headers: &Headers) -> (Option<u32>, Option<Refresher>) {
    let Some(value) = headers.get(HeaderName::SessionExpires) else { return (None, None) };
    let (seconds, params) = value.split_once(';').unwrap_or((value, ""));
    let refresher = params.split(';').find_map(|param| {
        let (name, who) = param.split_once('=')?;
        if !name.trim().eq_ignore_ascii_case("refresher") {
            return None;
        }
        match who.trim() {
            who if who.eq_ignore_ascii_case("uac") => Some(Refresher::Uac),
            who if who.eq_ignore_ascii_case("uas") => Some(Refresher::Uas),
            _ => None,
        }
    });
    (seconds.trim().parse().ok(), refresher)
}

fn min_se(headers: &Headers) -> Option<u32> {
    let value = headers.get(HeaderName::MinSe)?;
    value.split(';').next()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const WISHED: SessionTimers = SessionTimers { expires: 1_800, least: 90 };

    fn headers(lines: &[(HeaderName<'static>, &str)]) -> Headers {
        let mut headers = Headers::new();
        lines.iter().for_each(|(name, value)| headers.push(*name, value));
        headers
    }

    fn invited(session_expires: Option<&str>, supported: bool) -> Option<(String, bool)> {
        let mut lines = Vec::new();
        session_expires.into_iter().for_each(|value| lines.push((HeaderName::SessionExpires, value)));
        if supported {
            lines.push((HeaderName::Supported, "timer"));
        }
        Timer::asked(WISHED, Wish::read(&headers(&lines))).answer()
    }

    /// The rows of table 2.
    #[test]
    fn rfc4028_9_the_answer_names_who_asks_again() {
        let answer = |text: &str, require| Some((text.to_owned(), require));
        assert_eq!(invited(None, false), None, "it does not know the header");
        assert_eq!(invited(Some("600"), true), answer("600;refresher=uac", true));
        assert_eq!(invited(Some("600;refresher=uac"), true), answer("600;refresher=uac", true));
        assert_eq!(invited(Some("600;Refresher=UAS"), true), answer("600;refresher=uas", false));
        assert_eq!(invited(None, true), answer("1800;refresher=uac", true));
        assert_eq!(
            invited(Some("7200"), true),
            answer("1800;refresher=uac", true),
            "less may be said, never more"
        );
    }

    #[test]
    fn rfc4028_9_the_answer_is_not_below_the_others_min_se() {
        let wish = headers(&[
            (HeaderName::SessionExpires, "4000"),
            (HeaderName::MinSe, "3600"),
            (HeaderName::Supported, "timer"),
        ]);
        let answer = Timer::asked(WISHED, Wish::read(&wish)).answer();
        assert_eq!(answer, Some(("3600;refresher=uac".to_owned(), true)));
    }

    #[test]
    fn rfc4028_7_2_and_10_who_asks_does_so_at_half_time_and_who_waits_gives_up_a_little_before_the_end() {
        let zero = Instant::now();
        let run = |value: &str| {
            let mut timer = Timer::asking(WISHED);
            timer.agreed(zero, &headers(&[(HeaderName::SessionExpires, value)]));
            let mut ticks = Vec::new();
            while let Some(at) = timer.next_timeout() {
                ticks.push(((at - zero).as_secs(), timer.handle_timeout(at)));
            }
            ticks
        };
        assert_eq!(run("600;refresher=uac"), [(300, Tick::Refresh), (568, Tick::Expired)]);
        assert_eq!(run("600;refresher=uas"), [(568, Tick::Expired)]);
        assert_eq!(run("90;refresher=uas"), [(60, Tick::Expired)]);
    }

    #[test]
    fn rfc4028_7_4_whoever_asks_for_more_and_more_is_not_obeyed_for_ever() {
        let mut timer = Timer::asking(WISHED);
        let refused = |timer: &mut Timer, least: u32| {
            timer.too_small(&headers(&[(HeaderName::MinSe, &least.to_string())]))
        };
        assert!(refused(&mut timer, 2_000));
        assert_eq!((timer.session_expires(false).as_str(), timer.min_se()), ("2000", Some(2_000)));
        assert!(!refused(&mut timer, 2_000), "it has been told so");
        assert_eq!((2_001..3_000).take_while(|least| refused(&mut timer, *least)).count(), 3);
        assert!(!timer.too_small(&headers(&[])), "a 422 without Min-SE says nothing");
    }
}
