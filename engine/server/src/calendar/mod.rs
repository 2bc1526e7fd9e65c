//! Calendars: which scheme counts at a moment. A calendar is a list of rules, and the first that fits has
//! its say. A rule begins on some days at a time of the wall clock and lasts so long, over midnight too;
//! nine o'clock is nine o'clock before and after the clocks change. An hour that happens twice belongs
//! twice, one that is left out never comes (RFC 5545 §3.3.5 says the same of local times).

mod ics;
mod recurrence;

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{Span, ToSpan as _};

pub use ics::{Event, NotHolidays, read as read_holidays};
pub use recurrence::{NotARule, Recurrence};

/// Minutes of a day.
pub const DAY: u32 = 24 * 60;

/// A tenant's calendar.
#[derive(Debug, Clone)]
pub struct Calendar {
    /// `name`
    pub name: String,
    /// `timezone`: the tenant's unless set.
    pub zone: TimeZone,
    /// `default`: the scheme where no rule fits.
    pub default: String,
    /// Each `[[tenant.calendar.rule]]`.
    pub rules: Vec<Rule>,
}

/// When a scheme counts.
#[derive(Debug, Clone)]
pub struct Rule {
    /// `scheme`
    pub scheme: String,
    /// The days on which it begins: those that are in all of these; every day if there are none.
    pub days: Vec<Days>,
    /// `from`: minutes after midnight.
    pub from: u32,
    /// Minutes until it ends, at most a day.
    pub length: u32,
    /// `rota`: who is on duty.
    pub rota: Option<Rota>,
}

/// Some days.
#[derive(Debug, Clone)]
pub enum Days {
    /// `days`: of the week, Monday first.
    Week([bool; 7]),
    /// `dates`
    Dates(Vec<Dates>),
    /// `rrule`
    Recurring(Recurrence),
    /// `holidays`: those of an .ics file.
    Holidays(Vec<Event>),
}

/// A date, or several in a row, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dates {
    /// Every year: month and day; the last may be in the next year. 29 February comes in leap years.
    Yearly((i8, i8), (i8, i8)),
    /// Once.
    Once(Date, Date),
}

/// People in turn. Their name follows the scheme: "duty:ana".
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rota {
    /// `rota`: users by name.
    pub people: Vec<String>,
    /// `turn`: days of each.
    pub turn: u16,
    /// `start`: the first day of the first of them.
    pub start: Date,
}

impl Calendar {
    /// The scheme at a moment.
    pub fn scheme(&self, now: Timestamp) -> String {
        let now = now.to_zoned(self.zone.clone()).datetime();
        match self.rules.iter().find_map(|rule| Some((rule, rule.began(now)?))) {
            Some((Rule { scheme, rota: Some(rota), .. }, began)) => {
                format!("{scheme}:{}", rota.on_duty(began))
            }
            Some((rule, _)) => rule.scheme.clone(),
            None => self.default.clone(),
        }
    }
}

impl Rule {
    /// On which day the rule began that counts now; none when none does.
    fn began(&self, now: DateTime) -> Option<Date> {
        let minute = u32::from(now.hour().unsigned_abs()) * 60 + u32::from(now.minute().unsigned_abs());
        let today = now.date();
        // It began today, or at most a day before.
        let end = self.from + self.length;
        let begins = [(today, 0), (today.yesterday().unwrap_or(today), DAY)];
        begins
            .into_iter()
            .filter(|(_, earlier)| (self.from..end).contains(&(minute + earlier)))
            .find(|(day, _)| self.days.iter().all(|days| days.contain(*day, now)))
            .map(|(day, _)| day)
    }
}

impl Days {
    /// Whether a rule may begin that day. A holiday with times of its own counts by what is now.
    fn contain(&self, day: Date, now: DateTime) -> bool {
        match self {
            Self::Week(days) => days[day.weekday().to_monday_zero_offset() as usize],
            Self::Dates(dates) => dates.iter().any(|dates| dates.contain(day)),
            Self::Recurring(recurrence) => recurrence.contains(day),
            Self::Holidays(events) => events.iter().any(|event| event.contains(day, now)),
        }
    }
}

impl Dates {
    fn contain(self, day: Date) -> bool {
        match self {
            Self::Yearly(first, last) => {
                let day = (day.month(), day.day());
                if first <= last { (first..=last).contains(&day) } else { day >= first || day <= last }
            }
            Self::Once(first, last) => (first..=last).contains(&day),
        }
    }
}

impl Rota {
    /// Whose turn it is; before the start, as if it had gone on like this for ever.
    fn on_duty(&self, day: Date) -> &str {
        let days = day.since(self.start).map_or(0, |since: Span| since.get_days());
        let turn = days.div_euclid(i32::from(self.turn.max(1)));
        let people = self.people.len().max(1);
        self.people.get(turn.rem_euclid(people as i32) as usize).map_or("", String::as_str)
    }
}

/// `count` days after `day`, as far as there are days.
fn after(day: Date, count: i32) -> Date {
    day.saturating_add(count.days())
}

#[cfg(test)]
mod tests;
