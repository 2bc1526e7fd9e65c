//! Until when a caller is to be called back: a time of day on the next working day.

use strowger_script::prelude::*;

/// A time on the next day that is worked.
#[settings]
pub struct Deadline {
    /// The time of day: "10:00".
    pub by: String,
    /// The days that are worked; Monday to Friday unless set.
    #[serde(default = "monday_to_friday")]
    pub days: Vec<Day>,
    /// Days that are not: "12-25" every year, or "2026-04-10" once.
    #[serde(default)]
    pub holidays: Vec<String>,
}

/// A day of the week.
#[settings]
#[derive(Copy, PartialEq, Eq)]
#[allow(missing_docs)] // what they mean is in every calendar
pub enum Day {
    Mon,
    Tue,
    Wed,
    Thu,
    Fri,
    Sat,
    Sun,
}

const WEEK: [Day; 7] = [Day::Mon, Day::Tue, Day::Wed, Day::Thu, Day::Fri, Day::Sat, Day::Sun];

/// Nobody has holidays for longer; after so many days the next one counts, worked or not.
const LONGEST_HOLIDAYS: usize = 60;

fn monday_to_friday() -> Vec<Day> {
    WEEK[..5].to_vec()
}

impl Deadline {
    /// "2026-11-30 10:00": on the next working day after the one that `now` is in.
    pub fn after(&self, now: &LocalTime) -> String {
        let mut date = (now.year, now.month, now.day);
        let mut weekday = usize::from(now.weekday.saturating_sub(1)) % WEEK.len();
        for _ in 0..LONGEST_HOLIDAYS {
            date = next(date);
            weekday = (weekday + 1) % WEEK.len();
            if self.days.contains(&WEEK[weekday]) && !self.is_holiday(date) {
                break;
            }
        }
        let (year, month, day) = date;
        format!("{year}-{month:02}-{day:02} {}", self.by)
    }

    fn is_holiday(&self, (year, month, day): (i32, u8, u8)) -> bool {
        let (yearly, once) = (format!("{month:02}-{day:02}"), format!("{year}-{month:02}-{day:02}"));
        self.holidays.iter().any(|holiday| *holiday == yearly || *holiday == once)
    }
}

/// The day after.
fn next((year, month, day): (i32, u8, u8)) -> (i32, u8, u8) {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    match (month, day) {
        (12, 31..) => (year + 1, 1, 1),
        (_, day) if day >= days => (year, month + 1, 1),
        _ => (year, month, day + 1),
    }
}
