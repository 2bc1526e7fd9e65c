//! Hours: looks at the clock and does what the calendar says: `dates` (holidays and exceptions, the first that fits)
//! before `week`, and where neither fits, `otherwise`. Each names a scheme, and a scheme says what to do with the caller.
//! The call is marked with the scheme's name.
//!
//! The time is the wall clock of the time zone, so that nine o'clock is nine o'clock before and after the clocks change.

mod calendar;

use calendar::{Date, Dates, Days, Time, is_within};
use std::collections::BTreeMap;
use strowger_script::prelude::*;

/// Settings of `strowger/hours`.
#[settings]
pub struct Hours {
    /// A time zone by its IANA name ("Europe/Sofia"); the tenant's unless set.
    pub zone: Option<String>,
    /// What to do, by the scheme's name.
    pub schemes: BTreeMap<String, Next>,
    /// Holidays and exceptions: the first that fits counts.
    #[serde(default)]
    pub dates: Vec<OnDates>,
    /// The ordinary week: the first that fits counts.
    #[serde(default)]
    pub week: Vec<OnDays>,
    /// The scheme at any other time.
    pub otherwise: String,
}

/// Some dates, all day or part of it.
#[settings]
pub struct OnDates {
    /// "2026-12-31", or every year "12-25", or several days "12-24..12-26".
    pub date: Dates,
    /// When it begins: "09:00"; midnight unless set.
    #[serde(default)]
    pub from: Time,
    /// When it ends: "18:00"; midnight unless set. Before `from`, it ends the next day.
    #[serde(default = "Time::end_of_day")]
    pub to: Time,
    /// What counts then.
    pub scheme: String,
}

/// Some days of the week, all day or part of it.
#[settings]
pub struct OnDays {
    /// "mon-fri", or "sat,sun".
    pub days: Days,
    /// When it begins: "09:00"; midnight unless set.
    #[serde(default)]
    pub from: Time,
    /// When it ends: "18:00"; midnight unless set. Before `from`, it ends the next day.
    #[serde(default = "Time::end_of_day")]
    pub to: Time,
    /// What counts then.
    pub scheme: String,
}

#[call_script]
fn on_call(caller: Leg, hours: Hours) -> Result {
    let now = match &hours.zone {
        Some(zone) => {
            clock::time_in(zone).ok_or_else(|| Failure::Invalid(format!("settings: no zone {zone:?}")))?
        }
        None => clock::local_time(),
    };
    let scheme = scheme_at(&now, &hours);
    let next = hours.schemes.get(scheme);
    let next = next.ok_or_else(|| Failure::Invalid(format!("settings: no scheme {scheme:?}")))?;
    tag("hours", scheme)?;
    next.go(&caller)
}

/// The scheme that counts at a moment.
fn scheme_at<'a>(now: &LocalTime, hours: &'a Hours) -> &'a str {
    let today = Date::of(now);
    let time = Time::of(now);
    let dated =
        hours.dates.iter().find(|on| is_within(today, time, on.from, on.to, |day| on.date.contains(day)));
    let weekly =
        hours.week.iter().find(|on| is_within(today, time, on.from, on.to, |day| on.days.contains(day)));
    match (dated, weekly) {
        (Some(on), _) => &on.scheme,
        (None, Some(on)) => &on.scheme,
        (None, None) => &hours.otherwise,
    }
}

#[cfg(test)]
mod tests;
