//! Holidays from an iCalendar file (RFC 5545): the days and times of its events, with their recurrence
//! rules and exceptions. Alarms, attendees and time zones of the file are left out: what a calendar
//! program exports is read as wall clock, and what it marks as UTC in the calendar's zone.

use std::fmt;

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;

use super::recurrence::Recurrence;
use super::{DAY, after};

/// Events of one file; one more is [`NotHolidays`].
const EVENTS: usize = 5000;
/// How many days an event may last.
const LONGEST: i32 = 366;

/// What is wrong with the file, and its line, counted from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotHolidays {
    /// Counted from 1.
    pub line: usize,
    /// In words.
    pub what: String,
}

impl fmt::Display for NotHolidays {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.what)
    }
}

impl std::error::Error for NotHolidays {}

/// One event, and when it comes again.
#[derive(Debug, Clone)]
pub struct Event {
    start: DateTime,
    /// Of whole days.
    all_day: bool,
    /// Minutes.
    length: u32,
    again: Option<Recurrence>,
    /// Days on which it would come and does not.
    left_out: Vec<Date>,
}

impl Event {
    /// Whether a day belongs to it; one with times of its own counts while it lasts.
    pub fn contains(&self, day: Date, now: DateTime) -> bool {
        let earlier = (self.length / DAY + 1) as i32;
        let comes = |day: &Date| match &self.again {
            Some(again) => again.contains(*day),
            None => *day == self.start.date() && !self.left_out.contains(day),
        };
        if self.all_day {
            return (0..(self.length / DAY).max(1) as i32).map(|n| after(day, -n)).any(|day| comes(&day));
        }
        let time = self.start.time();
        (0..=earlier).map(|n| after(now.date(), -n)).filter(comes).any(|day| {
            let begins = day.to_datetime(time);
            now >= begins && minutes_between(begins, now) < i64::from(self.length)
        })
    }
}

fn minutes_between(from: DateTime, to: DateTime) -> i64 {
    to.duration_since(from).as_mins()
}

/// Reads every VEVENT of a file.
///
/// # Errors
/// The first thing that makes no sense.
pub fn read(text: &str, zone: &TimeZone) -> Result<Vec<Event>, NotHolidays> {
    let mut events = Vec::new();
    let mut event: Option<Draft> = None;
    let mut whole = false;
    for (line, unfolded) in unfold(text) {
        let wrong = |what: String| NotHolidays { line, what };
        let Some(property) = Property::of(&unfolded) else { continue };
        match (property.name.as_str(), &mut event) {
            ("BEGIN", _) if property.value.eq_ignore_ascii_case("VCALENDAR") => whole = true,
            ("BEGIN", None) if property.value.eq_ignore_ascii_case("VEVENT") => {
                event = Some(Draft::default())
            }
            // An alarm has a duration of its own.
            ("BEGIN", Some(draft)) => draft.inside += 1,
            ("END", Some(draft)) if draft.inside > 0 => draft.inside -= 1,
            ("END", Some(_)) => {
                let Some(draft) = event.take() else { continue };
                if events.len() >= EVENTS {
                    return Err(wrong(format!("there are more than {EVENTS} events")));
                }
                events.extend(draft.event().map_err(wrong)?);
            }
            (_, Some(draft)) if draft.inside == 0 => draft.take(&property, zone).map_err(wrong)?,
            _ => {}
        }
    }
    match whole && event.is_none() {
        true => Ok(events),
        false => Err(NotHolidays { line: 1, what: "this is no whole iCalendar file".to_owned() }),
    }
}

/// An event being read.
#[derive(Default)]
struct Draft {
    /// How deep inside its parts we are.
    inside: usize,
    start: Option<(DateTime, bool)>,
    end: Option<DateTime>,
    minutes: Option<u32>,
    rule: Option<String>,
    left_out: Vec<Date>,
    cancelled: bool,
}

impl Draft {
    fn take(&mut self, property: &Property, zone: &TimeZone) -> Result<(), String> {
        let value = property.value.as_str();
        match property.name.as_str() {
            "DTSTART" => self.start = Some(moment(value, zone)?),
            "DTEND" => self.end = Some(moment(value, zone)?.0),
            "DURATION" => self.minutes = Some(duration(value)?),
            "RRULE" => self.rule = Some(local_until(value, zone)),
            "EXDATE" => {
                for value in value.split(',') {
                    self.left_out.push(moment(value, zone)?.0.date());
                }
            }
            "STATUS" => self.cancelled = value.eq_ignore_ascii_case("CANCELLED"),
            _ => {}
        }
        Ok(())
    }

    /// None for an event that was called off.
    fn event(self) -> Result<Option<Event>, String> {
        let (start, all_day) = self.start.ok_or("this event has no DTSTART")?;
        let length = match (self.end, self.minutes) {
            (Some(end), _) => {
                u32::try_from(minutes_between(start, end)).map_err(|_| "it ends before it begins")?
            }
            (None, Some(minutes)) => minutes,
            // RFC 5545 §3.6.1: a day without an end is that day.
            (None, None) => {
                if all_day {
                    DAY
                } else {
                    0
                }
            }
        };
        if length > LONGEST as u32 * DAY {
            return Err(format!("it lasts more than {LONGEST} days"));
        }
        let again = self.rule.map(|rule| Recurrence::without(&rule, start.date(), &self.left_out));
        let again = again.transpose().map_err(|why| format!("its RRULE can't be followed: {why}"))?;
        Ok((!self.cancelled).then_some(Event { start, all_day, length, again, left_out: self.left_out }))
    }
}

/// A DATE or a DATE-TIME, and whether it is a whole day.
fn moment(value: &str, zone: &TimeZone) -> Result<(DateTime, bool), String> {
    let wrong = || format!("\"{value}\" is no date");
    let digits = |range: std::ops::Range<usize>| value.get(range).and_then(|text| text.parse::<i16>().ok());
    let part = |range| digits(range).and_then(|part| i8::try_from(part).ok());
    let date = || Date::new(digits(0..4)?, part(4..6)?, part(6..8)?).ok();
    let date = date().ok_or_else(wrong)?;
    match (value.len(), value.as_bytes().get(8)) {
        (8, None) => Ok((date.to_datetime(Time::midnight()), true)),
        (15 | 16, Some(b'T')) => {
            // A leap second is the one before it.
            let time = || Time::new(part(9..11)?, part(11..13)?, part(13..15)?.min(59), 0).ok();
            let local = date.to_datetime(time().ok_or_else(wrong)?);
            if value.len() == 15 {
                return Ok((local, false));
            }
            let utc = local.to_zoned(TimeZone::UTC).map_err(|_| wrong())?.timestamp();
            Ok((utc.to_zoned(zone.clone()).datetime(), false))
        }
        _ => Err(wrong()),
    }
}

/// RFC 5545 §3.3.6, in minutes: "P1D", "PT2H30M", "P2W".
fn duration(value: &str) -> Result<u32, String> {
    let wrong = || format!("\"{value}\" is no length of time");
    let mut rest = value.trim_start_matches('+').strip_prefix('P').ok_or_else(wrong)?;
    let mut minutes = 0u32;
    while !rest.is_empty() {
        rest = rest.strip_prefix('T').unwrap_or(rest);
        let end = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
        let count: u32 = rest[..end].parse().map_err(|_| wrong())?;
        let unit = match rest.as_bytes()[end] {
            b'W' => 7 * DAY,
            b'D' => DAY,
            b'H' => 60,
            b'M' => 1,
            b'S' => 0,
            _ => return Err(wrong()),
        };
        minutes = count.checked_mul(unit).and_then(|more| minutes.checked_add(more)).ok_or_else(wrong)?;
        rest = &rest[end + 1..];
    }
    Ok(minutes)
}

/// A rule whose UNTIL is in UTC, as local time: everything else about it is.
fn local_until(rule: &str, zone: &TimeZone) -> String {
    let parts = rule.split(';').map(|part| {
        let until = part.strip_prefix("UNTIL=").filter(|until| until.ends_with('Z'));
        match until.map(|until| moment(until, zone)) {
            Some(Ok((local, _))) => format!("UNTIL={}", local.strftime("%Y%m%dT%H%M%S")),
            _ => part.to_owned(),
        }
    });
    parts.collect::<Vec<_>>().join(";")
}

struct Property {
    name: String,
    value: String,
}

impl Property {
    /// "DTSTART;VALUE=DATE:20261225"; parameters say nothing here that the value does not.
    fn of(line: &str) -> Option<Self> {
        let mut quoted = false;
        let colon = line.find(|c| {
            quoted ^= c == '"';
            c == ':' && !quoted
        })?;
        let name = line[..colon].split(';').next()?.trim().to_ascii_uppercase();
        Some(Self { name, value: line[colon + 1..].trim().to_owned() })
    }
}

/// Lines with their number; one that begins with a blank goes on with the one before (§3.1).
fn unfold(text: &str) -> Vec<(usize, String)> {
    let mut lines: Vec<(usize, String)> = Vec::new();
    for (at, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
        match (line.strip_prefix([' ', '\t']), lines.last_mut()) {
            (Some(more), Some((_, last))) => last.push_str(more),
            _ => lines.push((at + 1, line.to_owned())),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    fn sofia() -> TimeZone {
        TimeZone::get("Europe/Sofia").expect("a zone")
    }

    fn file(events: &str) -> String {
        format!("BEGIN:VCALENDAR\r\nVERSION:2.0\r\n{}\r\nEND:VCALENDAR\r\n", events.replace('\n', "\r\n"))
    }

    fn is_holiday(events: &[Event], at: DateTime) -> bool {
        events.iter().any(|event| event.contains(at.date(), at))
    }

    #[test]
    fn whole_days_times_and_recurrences_are_read() {
        let text = file(
            "BEGIN:VEVENT\nDTSTART;VALUE=DATE:20261224\nDTEND;VALUE=DATE:20261227\nSUMMARY:Коледа: тр\n и дни\nEND:VEVENT\n\
             BEGIN:VEVENT\nDTSTART;VALUE=DATE:20200303\nRRULE:FREQ=YEARLY\nEXDATE;VALUE=DATE:20270303\nBEGIN:VALARM\nDURATION:PT99X\nEND:VALARM\nEND:VEVENT\n\
             BEGIN:VEVENT\nDTSTART;TZID=Europe/Sofia:20261120T140000\nDURATION:PT2H30M\nEND:VEVENT\n\
             BEGIN:VEVENT\nDTSTART:20261130T220000Z\nDTEND:20261201T040000Z\nEND:VEVENT\n\
             BEGIN:VEVENT\nDTSTART;VALUE=DATE:20261231\nSTATUS:CANCELLED\nEND:VEVENT",
        );
        let events = read(&text, &sofia()).expect("a calendar");
        for (at, holiday) in [
            (date(2026, 12, 23).at(23, 59, 0, 0), false),
            (date(2026, 12, 24).at(0, 0, 0, 0), true),
            (date(2026, 12, 26).at(23, 59, 0, 0), true),
            (date(2026, 12, 27).at(0, 0, 0, 0), false),
            (date(2026, 3, 3).at(12, 0, 0, 0), true),
            (date(2027, 3, 3).at(12, 0, 0, 0), false),
            (date(2026, 11, 20).at(13, 59, 0, 0), false),
            (date(2026, 11, 20).at(14, 0, 0, 0), true),
            (date(2026, 11, 20).at(16, 29, 0, 0), true),
            (date(2026, 11, 20).at(16, 30, 0, 0), false),
            // 22:00 UTC is midnight in Sofia.
            (date(2026, 11, 30).at(23, 59, 0, 0), false),
            (date(2026, 12, 1).at(0, 0, 0, 0), true),
            (date(2026, 12, 1).at(5, 59, 0, 0), true),
            (date(2026, 12, 1).at(6, 0, 0, 0), false),
            (date(2026, 12, 31).at(12, 0, 0, 0), false),
        ] {
            assert_eq!(is_holiday(&events, at), holiday, "{at}");
        }
    }

    #[test]
    fn what_is_no_calendar_is_told_with_its_line() {
        for (text, line, says) in [
            ("hello".to_owned(), 1, "this is no whole iCalendar file"),
            (
                "BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART:20260101".to_owned(),
                1,
                "this is no whole iCalendar file",
            ),
            (file("BEGIN:VEVENT\nDTSTART:20260230\nEND:VEVENT"), 4, "\"20260230\" is no date"),
            (file("BEGIN:VEVENT\nSUMMARY:x\nEND:VEVENT"), 5, "this event has no DTSTART"),
            (
                file("BEGIN:VEVENT\nDTSTART:20260102\nDTEND:20260101\nEND:VEVENT"),
                6,
                "it ends before it begins",
            ),
            (
                file("BEGIN:VEVENT\nDTSTART:20260102\nRRULE:FREQ=HOURLY\nEND:VEVENT"),
                6,
                "its RRULE can't be followed: FREQ=HOURLY does not name days",
            ),
            (
                file("BEGIN:VEVENT\nDTSTART:20260102\nDURATION:soon\nEND:VEVENT"),
                5,
                "\"soon\" is no length of time",
            ),
        ] {
            let what = says.to_owned();
            assert_eq!(read(&text, &sofia()).unwrap_err(), NotHolidays { line, what });
        }
    }
}
