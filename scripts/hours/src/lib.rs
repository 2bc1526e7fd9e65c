//! Hours: looks at the clock and does what the calendar says: `dates` (holidays and exceptions, the first that fits)
//! before `week`, and where neither fits, `otherwise`. Each names a scheme, and a scheme says what to do with the caller.
//! The call is marked with the scheme's name.
//!
//! Where the tenant has a calendar for it, `calendar` names that, and the exchange says which scheme counts. One with a
//! rota answers "duty:ana": then the scheme is "duty", and "{user}" in the settings that it hands on is ana.
//!
//! The time is the wall clock of the time zone, so that nine o'clock is nine o'clock before and after the clocks change.

use std::collections::BTreeMap;
use strowger_script::prelude::*;
use strowger_script::week::{Date, Dates, Days, Time, is_within};

/// Settings of `strowger/hours`.
#[settings]
pub struct Hours {
    /// A calendar of the tenant that says which scheme counts, in place of `zone`, `dates`, `week` and `otherwise`.
    pub calendar: Option<String>,
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
    /// The scheme at any other time; only a calendar makes it needless.
    pub otherwise: Option<String>,
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
    let scheme = match (&hours.calendar, &hours.zone) {
        (Some(calendar), _) => clock::scheme(calendar)?,
        (None, Some(zone)) => {
            let now = clock::time_in(zone);
            let now = now.ok_or_else(|| Failure::Invalid(format!("settings: no zone {zone:?}")))?;
            scheme_at(&now, &hours)?.to_owned()
        }
        (None, None) => scheme_at(&clock::local_time(), &hours)?.to_owned(),
    };
    tag("hours", &scheme)?;
    if let Some(next) = hours.schemes.get(&scheme) {
        return next.go(&caller);
    }
    let on_duty = scheme.split_once(':').and_then(|(scheme, user)| Some((hours.schemes.get(scheme)?, user)));
    match on_duty {
        Some((Next::HandOver { script, settings }, user)) => hand_over(script, for_user(settings, user)),
        Some((next, _)) => next.go(&caller),
        None => Err(Failure::Invalid(format!("settings: no scheme {scheme:?}"))),
    }
}

/// The settings with the user's name wherever they say "{user}".
fn for_user(settings: &Value, user: &str) -> Value {
    match settings {
        Value::String(text) => text.replace("{user}", user).into(),
        Value::Array(items) => items.iter().map(|item| for_user(item, user)).collect(),
        Value::Object(fields) => {
            fields.iter().map(|(name, value)| (name.clone(), for_user(value, user))).collect()
        }
        other => other.clone(),
    }
}

/// The scheme that counts at a moment.
fn scheme_at<'a>(now: &LocalTime, hours: &'a Hours) -> Result<&'a str> {
    let today = Date::of(now);
    let time = Time::of(now);
    let dated =
        hours.dates.iter().find(|on| is_within(today, time, on.from, on.to, |day| on.date.contains(day)));
    let weekly =
        hours.week.iter().find(|on| is_within(today, time, on.from, on.to, |day| on.days.contains(day)));
    let otherwise =
        || hours.otherwise.as_deref().ok_or_else(|| Failure::Invalid("settings: no \"otherwise\"".into()));
    match (dated, weekly) {
        (Some(on), _) => Ok(&on.scheme),
        (None, Some(on)) => Ok(&on.scheme),
        (None, None) => otherwise(),
    }
}

#[cfg(test)]
mod tests;
