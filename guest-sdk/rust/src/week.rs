//! Dates, days of the week and times of day, as people write them in settings.
//!
//! ```
//! use strowger_script::prelude::*;
//! use strowger_script::week::{Date, Days, Hours, Time};
//!
//! #[settings]
//! struct Office {
//!     days: Days,
//!     hours: Hours,
//! }
//!
//! fn is_open(office: &Office) -> bool {
//!     let now = clock::local_time();
//!     office.hours.contain(Date::of(&now), Time::of(&now), |day| office.days.contains(day))
//! }
//!
//! let office: Office = serde_json::from_value(json!({ "days": "mon-fri", "hours": "09:00-18:00" }))?;
//! # Ok::<(), serde_json::Error>(())
//! ```

use crate::clock::LocalTime;
use serde::Deserialize;

/// A day that came or comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Date {
    year: i32,
    month: u8,
    day: u8,
    /// 1 is Monday.
    weekday: u8,
}

impl Date {
    /// The day of a moment.
    pub fn of(now: &LocalTime) -> Date {
        Date { year: now.year, month: now.month, day: now.day, weekday: now.weekday }
    }

    fn yesterday(self) -> Date {
        let weekday = if self.weekday == 1 { 7 } else { self.weekday - 1 };
        let (year, month, day) = match (self.month, self.day) {
            (1, 1) => (self.year - 1, 12, 31),
            (month, 1) => (self.year, month - 1, days_of(self.year, month - 1)),
            (month, day) => (self.year, month, day - 1),
        };
        Date { year, month, day, weekday }
    }
}

/// How many days a month has.
fn days_of(year: i32, month: u8) -> u8 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if (year % 4 == 0 && year % 100 != 0) || year % 400 == 0 => 29,
        2 => 28,
        _ => 31,
    }
}

/// Whether a moment is between two times of a day that belongs: today, or yesterday when they span midnight.
pub fn is_within(today: Date, now: Time, from: Time, to: Time, belongs: impl Fn(Date) -> bool) -> bool {
    if from < to {
        return from <= now && now < to && belongs(today);
    }
    (from <= now && belongs(today)) || (now < to && belongs(today.yesterday()))
}

/// A time of day, "00:00" to "24:00".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub struct Time {
    /// Minutes since midnight.
    minutes: u16,
}

impl Time {
    /// "24:00".
    pub fn end_of_day() -> Time {
        Time { minutes: 24 * 60 }
    }

    /// The time of a moment.
    pub fn of(now: &LocalTime) -> Time {
        Time { minutes: u16::from(now.hour) * 60 + u16::from(now.minute) }
    }
}

impl TryFrom<String> for Time {
    type Error = String;

    fn try_from(text: String) -> Result<Time, String> {
        let read = || {
            let (hours, minutes) = text.split_once(':')?;
            let (hours, minutes): (u16, u16) = (hours.parse().ok()?, minutes.parse().ok()?);
            let time = Time { minutes: hours.checked_mul(60)?.checked_add(minutes)? };
            (minutes < 60 && time <= Time::end_of_day()).then_some(time)
        };
        read().ok_or_else(|| format!("{text:?} is no time of day; write \"09:00\""))
    }
}

/// From one time of a day to another, which may be the next day's: "09:00-18:00", "22:00-06:00".
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Hours {
    /// When they begin.
    pub from: Time,
    /// When they end.
    pub to: Time,
}

impl Hours {
    /// Whether they contain a moment of a day that belongs, as [`is_within`].
    pub fn contain(&self, today: Date, now: Time, belongs: impl Fn(Date) -> bool) -> bool {
        is_within(today, now, self.from, self.to, belongs)
    }
}

impl TryFrom<String> for Hours {
    type Error = String;

    fn try_from(text: String) -> Result<Hours, String> {
        let (from, to) =
            text.split_once('-').ok_or_else(|| format!("{text:?} are no hours; write \"09:00-18:00\""))?;
        Ok(Hours { from: from.trim().to_owned().try_into()?, to: to.trim().to_owned().try_into()? })
    }
}

/// Days of the week: "mon-fri", "sat,sun", "fri-mon".
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Days([bool; 7]);

const NAMES: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

impl Days {
    /// Whether the day is one of them.
    pub fn contains(&self, date: Date) -> bool {
        self.0.get(usize::from(date.weekday) - 1).is_some_and(|it| *it)
    }
}

impl TryFrom<String> for Days {
    type Error = String;

    fn try_from(text: String) -> Result<Days, String> {
        let number = |name: &str| {
            let name = name.trim().to_ascii_lowercase();
            NAMES.iter().position(|known| *known == name)
        };
        let read = || {
            let mut days = [false; 7];
            for part in text.split(',') {
                let (first, last) = part.split_once('-').unwrap_or((part, part));
                let (first, last) = (number(first)?, number(last)?);
                let count = (last + 7 - first) % 7 + 1;
                (first..first + count).for_each(|day| days[day % 7] = true);
            }
            Some(Days(days))
        };
        read().ok_or_else(|| format!("{text:?} names no days; write \"mon-fri\" or \"sat,sun\""))
    }
}

/// One date or several: "2026-12-31", "12-25", "12-24..12-26", "2026-12-24..2027-01-02".
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum Dates {
    /// Every year: month and day, first and last; the last may be in the next year.
    Yearly((u8, u8), (u8, u8)),
    /// Year, month and day, first and last.
    Once((i32, u8, u8), (i32, u8, u8)),
}

impl Dates {
    /// Whether the day is one of them.
    pub fn contains(&self, date: Date) -> bool {
        match self {
            Dates::Yearly(first, last) => {
                let day = (date.month, date.day);
                if first <= last { (first..=last).contains(&&day) } else { day >= *first || day <= *last }
            }
            Dates::Once(first, last) => (first..=last).contains(&&(date.year, date.month, date.day)),
        }
    }
}

impl TryFrom<String> for Dates {
    type Error = String;

    fn try_from(text: String) -> Result<Dates, String> {
        let month_and_day = |month: &str, day: &str, year: i32| {
            let (month, day): (u8, u8) = (month.parse().ok()?, day.parse().ok()?);
            ((1..=12).contains(&month) && (1..=days_of(year, month)).contains(&day)).then_some((month, day))
        };
        // 29 February is a day of every fourth year: 2000 was one.
        let yearly = |text: &str| {
            let (month, day) = text.split_once('-')?;
            month_and_day(month, day, 2000)
        };
        let once = |text: &str| {
            let (year, rest) = text.split_once('-')?;
            let (month, day) = rest.split_once('-')?;
            let year: i32 = year.parse().ok().filter(|year| (1970..=9999).contains(year))?;
            month_and_day(month, day, year).map(|(month, day)| (year, month, day))
        };
        let (first, last) = text.split_once("..").unwrap_or((&text, &text));
        let yearly = || Some(Dates::Yearly(yearly(first)?, yearly(last)?));
        let once = || {
            Some(Dates::Once(once(first)?, once(last)?)).filter(|dates| match dates {
                Dates::Once(first, last) => first <= last,
                Dates::Yearly(..) => true,
            })
        };
        yearly()
            .or_else(once)
            .ok_or_else(|| format!("{text:?} is no date; write \"2026-12-31\" or \"12-24..12-26\""))
    }
}

/// In the schema each is text of a certain form.
macro_rules! schema_as_text {
    ($($name:ident: $pattern:literal, $says:literal;)*) => { $(
        #[cfg(not(target_arch = "wasm32"))]
        impl schemars::JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }
            fn json_schema(
                _: &mut schemars::SchemaGenerator,
            ) -> schemars::Schema {
                schemars::json_schema!({
                    "type": "string", "pattern": $pattern, "description": $says,
                })
            }
        }
    )* };
}

schema_as_text! {
    Time: "^([01]?[0-9]|2[0-3]):[0-5][0-9]$|^24:00$", "A time of day: \"09:00\", at most \"24:00\".";
    Hours: "^([01]?[0-9]|2[0-3]):[0-5][0-9] ?- ?(([01]?[0-9]|2[0-3]):[0-5][0-9]|24:00)$",
        "From one time of a day to another: \"09:00-18:00\", \"22:00-06:00\".";
    Days: "^(mon|tue|wed|thu|fri|sat|sun)([-,](mon|tue|wed|thu|fri|sat|sun))*$",
        "Days of the week: \"mon-fri\", or \"sat,sun\".";
    Dates: "^([0-9]{4}-)?[0-9]{1,2}-[0-9]{1,2}(\\.\\.([0-9]{4}-)?[0-9]{1,2}-[0-9]{1,2})?$",
        "\"2026-12-31\", or every year \"12-25\", or several days \"12-24..12-26\".";
}
