//! Recurrence rules (RFC 5545 §3.3.10) of whole days: "FREQ=MONTHLY;BYDAY=-1FR". The library counts in
//! UTC, where no hour is left out or comes twice; its days are taken for days of the wall clock, and the
//! time of day is the calendar rule's own. The only file that knows the library.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use rrule::RRuleSet;

/// Characters of a rule; a longer one is refused.
const LONGEST: usize = 1000;
/// Years of which the days are remembered; the earliest is worked out again when it is asked for.
const YEARS: usize = 4;
/// Days that one rule may give before a year is reached; what comes later never does.
const MOST_DAYS: usize = 366 * 200;

/// Why a text is no recurrence of days.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotARule(String);

impl fmt::Display for NotARule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for NotARule {}

/// The days of a rule; clones share what was worked out.
#[derive(Clone)]
pub struct Recurrence {
    set: Arc<RRuleSet>,
    by_year: Arc<Mutex<BTreeMap<i16, Days>>>,
}

/// The days of one year.
type Days = Arc<BTreeSet<Date>>;

impl fmt::Debug for Recurrence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Recurrence({})", self.set)
    }
}

impl Recurrence {
    /// Reads the value of an RRULE that begins on `start` (DTSTART, which belongs only if the rule says
    /// so). A UNTIL without "Z" is wall clock, like everything here.
    ///
    /// # Errors
    /// What is wrong, in words: no such rule, or one that speaks of hours.
    pub fn new(rule: &str, start: Date) -> Result<Self, NotARule> {
        Self::without(rule, start, &[])
    }

    /// The same without some days (EXDATE).
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn without(rule: &str, start: Date, left_out: &[Date]) -> Result<Self, NotARule> {
        if rule.len() > LONGEST || rule.contains(['\r', '\n', ':']) {
            return Err(NotARule("it is no single rule".to_owned()));
        }
        let mut parts = Vec::new();
        for part in rule.trim_end_matches(';').split(';') {
            let (name, value) =
                part.split_once('=').ok_or_else(|| NotARule(format!("\"{part}\" is no NAME=VALUE")))?;
            let (name, value) = (name.trim().to_ascii_uppercase(), value.trim().to_ascii_uppercase());
            match name.as_str() {
                "FREQ" if !["DAILY", "WEEKLY", "MONTHLY", "YEARLY"].contains(&value.as_str()) => {
                    return Err(NotARule(format!("FREQ={value} does not name days")));
                }
                "BYHOUR" | "BYMINUTE" | "BYSECOND" => {
                    return Err(NotARule(format!("{name} does not name days")));
                }
                "UNTIL" => parts.push(format!("UNTIL={}", until(&value))),
                _ => parts.push(format!("{name}={value}")),
            }
        }
        let mut text = format!("DTSTART:{}\nRRULE:{}", start.strftime("%Y%m%dT000000Z"), parts.join(";"));
        for day in left_out {
            text.push_str(&format!("\nEXDATE:{}", day.strftime("%Y%m%dT000000Z")));
        }
        let set: RRuleSet = text.parse().map_err(|why: rrule::RRuleError| NotARule(why.to_string()))?;
        Ok(Self { set: Arc::new(set.limit()), by_year: Arc::default() })
    }

    /// Whether the rule names that day.
    pub fn contains(&self, day: Date) -> bool {
        self.of_year(day.year()).contains(&day)
    }

    fn of_year(&self, year: i16) -> Days {
        let mut by_year = self.by_year.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(days) = by_year.get(&year) {
            return days.clone();
        }
        let days = (&*self.set).into_iter().take(MOST_DAYS).filter_map(|moment| {
            let moment = Timestamp::from_second(moment.timestamp()).ok()?;
            Some(moment.to_zoned(TimeZone::UTC).date())
        });
        let of_year = days.skip_while(|day| day.year() < year).take_while(|day| day.year() == year);
        let days: Days = Arc::new(of_year.collect());
        if by_year.len() >= YEARS {
            by_year.pop_first();
        }
        by_year.insert(year, days.clone());
        days
    }
}

/// A day alone lasts until its end.
fn until(value: &str) -> String {
    match value.split_once('T') {
        None => format!("{value}T235959Z"),
        Some(_) if value.ends_with('Z') => value.to_owned(),
        Some(_) => format!("{value}Z"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    fn days(rule: &str, start: Date, year: i16) -> Vec<String> {
        let recurrence = Recurrence::new(rule, start).expect("a rule");
        recurrence.of_year(year).iter().map(|day| day.strftime("%m-%d").to_string()).collect()
    }

    #[test]
    fn the_examples_of_rfc5545_3_8_5_3() {
        // "Every other week on Tuesday and Thursday, for 8 occurrences", from 2 September 1997.
        assert_eq!(
            days("FREQ=WEEKLY;INTERVAL=2;COUNT=8;WKST=SU;BYDAY=TU,TH", date(1997, 9, 2), 1997),
            ["09-02", "09-04", "09-16", "09-18", "09-30", "10-02", "10-14", "10-16"]
        );
        // "Monthly on the second-to-last Monday of the month for 6 months", from 22 September 1997.
        assert_eq!(
            days("FREQ=MONTHLY;COUNT=6;BYDAY=-2MO", date(1997, 9, 22), 1997),
            ["09-22", "10-20", "11-17", "12-22"]
        );
        // "U.S. Presidential Election day: every 4 years, the first Tuesday after a Monday in November".
        assert_eq!(
            days(
                "FREQ=YEARLY;INTERVAL=4;BYMONTH=11;BYDAY=TU;BYMONTHDAY=2,3,4,5,6,7,8",
                date(1996, 11, 5),
                2004
            ),
            ["11-02"]
        );
        // "Daily until December 24, 1997".
        assert_eq!(
            days("FREQ=DAILY;UNTIL=19971224T000000Z", date(1997, 12, 22), 1997),
            ["12-22", "12-23", "12-24"]
        );
        assert_eq!(days("FREQ=DAILY;UNTIL=19971224", date(1997, 12, 22), 1997), ["12-22", "12-23", "12-24"]);
    }

    #[test]
    fn a_leap_day_comes_in_leap_years() {
        let rule = "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29";
        assert_eq!(days(rule, date(2024, 2, 29), 2028), ["02-29"]);
        assert!(days(rule, date(2024, 2, 29), 2027).is_empty());
    }

    #[test]
    fn years_are_asked_for_in_any_order() {
        let recurrence = Recurrence::new("FREQ=MONTHLY;BYDAY=1MO", date(2020, 1, 1)).expect("a rule");
        for year in [2026, 2020, 2031, 2027, 2029, 2020] {
            assert_eq!(recurrence.of_year(year).len(), 12, "{year}");
        }
        assert!(recurrence.contains(date(2026, 11, 2)) && !recurrence.contains(date(2026, 11, 3)));
        assert!(!recurrence.contains(date(2019, 12, 2)), "it had not begun");
    }

    #[test]
    fn what_is_no_rule_of_days_is_told() {
        for (rule, says) in [
            ("FREQ=HOURLY", "FREQ=HOURLY does not name days"),
            ("FREQ=DAILY;BYHOUR=9", "BYHOUR does not name days"),
            ("every monday", "\"every monday\" is no NAME=VALUE"),
            ("FREQ=DAILY\nRDATE:20260101", "it is no single rule"),
        ] {
            assert_eq!(Recurrence::new(rule, date(2026, 1, 1)).unwrap_err().to_string(), says);
        }
        for rule in ["FREQ=WEEKLY;BYDAY=XX", "BYDAY=MO", "FREQ=MONTHLY;BYMONTHDAY=40", ""] {
            assert!(Recurrence::new(rule, date(2026, 1, 1)).is_err(), "{rule}");
        }
        // It is a rule, and has no day: the search for one ends.
        let never = Recurrence::new("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30", date(2026, 1, 1));
        assert!(never.is_err() || !never.unwrap().contains(date(2026, 2, 28)));
    }

    /// Whatever is written, it is refused or answered, and soon.
    #[test]
    fn no_rule_takes_long_or_panics() {
        const PARTS: [&str; 30] = [
            "FREQ=DAILY",
            "FREQ=WEEKLY",
            "FREQ=MONTHLY",
            "FREQ=YEARLY",
            "INTERVAL=0",
            "INTERVAL=1",
            "INTERVAL=7",
            "INTERVAL=65535",
            "COUNT=0",
            "COUNT=1",
            "COUNT=4294967295",
            "UNTIL=19700101",
            "UNTIL=99991231T235959Z",
            "BYDAY=MO",
            "BYDAY=-1FR",
            "BYDAY=53SU",
            "BYDAY=5MO,TU",
            "BYMONTHDAY=31",
            "BYMONTHDAY=-31",
            "BYMONTH=2",
            "BYMONTH=12",
            "BYWEEKNO=53",
            "BYWEEKNO=-53",
            "BYYEARDAY=366",
            "BYYEARDAY=-366",
            "BYSETPOS=1",
            "BYSETPOS=-366",
            "WKST=SU",
            "BYEASTER=0",
            "X=Y",
        ];
        let seed = 7u64;
        println!("seed {seed}");
        let mut state = seed;
        let mut next = |below: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as usize % below
        };
        let mut read = 0;
        for _ in 0..400 {
            let mut rule = vec![PARTS[next(4)]];
            (0..next(4)).for_each(|_| rule.push(PARTS[4 + next(PARTS.len() - 4)]));
            let rule = rule.join(";");
            let start = date([1970, 2000, 2024, 9000][next(4)], 2, 29 - next(2) as i8 - 1);
            if let Ok(recurrence) = Recurrence::new(&rule, start) {
                let before = std::time::Instant::now();
                let days = recurrence.of_year(2026).len();
                let took = before.elapsed();
                assert!(days <= 366, "{rule}");
                assert!(took < std::time::Duration::from_secs(5), "{rule} from {start} took {took:?}");
                read += 1;
            }
        }
        assert!(read > 50, "most are rules: {read}");
    }
}
