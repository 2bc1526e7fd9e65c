//! Hours in which nobody is to be woken: "22:00-08:00" on the wall clock of a time zone, across midnight too.

use std::fmt;
use std::str::FromStr;

use jiff::civil::Time;
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};

/// From a time of day to another one, which it excludes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QuietHours {
    from: Time,
    to: Time,
}

/// The text is no "22:00-08:00", or both are the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotQuietHours;

impl fmt::Display for NotQuietHours {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("quiet hours are written like \"22:00-08:00\"")
    }
}

impl std::error::Error for NotQuietHours {}

impl FromStr for QuietHours {
    type Err = NotQuietHours;

    fn from_str(text: &str) -> Result<Self, NotQuietHours> {
        let time = |text: &str| {
            let (hour, minute) = text.trim().split_once(':')?;
            Time::new(hour.parse().ok()?, minute.parse().ok()?, 0, 0).ok()
        };
        let (from, to) = text.split_once('-').ok_or(NotQuietHours)?;
        let (from, to) = time(from).zip(time(to)).ok_or(NotQuietHours)?;
        if from == to { Err(NotQuietHours) } else { Ok(Self { from, to }) }
    }
}

impl QuietHours {
    /// When something that happens then may be told: at once, or when the quiet hours are over.
    pub fn over(&self, at: Timestamp, zone: &TimeZone) -> Timestamp {
        let local: Zoned = at.to_zoned(zone.clone());
        let time = local.time();
        let quiet = match self.from < self.to {
            true => self.from <= time && time < self.to,
            false => self.from <= time || time < self.to,
        };
        if !quiet {
            return at;
        }
        let day = if time < self.to { Ok(local.date()) } else { local.date().tomorrow() };
        // A morning that the clock skips begins when the clock goes on (RFC 5545 §3.3.5 has it so too).
        let end = day.and_then(|day| day.to_datetime(self.to).to_zoned(zone.clone()));
        end.map_or(at, |end| end.timestamp())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn over(hours: &str, at: &str) -> String {
        let zone = TimeZone::get("Europe/Sofia").expect("a zone");
        let at: Timestamp = at.parse().expect("a moment");
        hours.parse::<QuietHours>().expect("hours").over(at, &zone).to_string()
    }

    #[test]
    fn the_night_ends_in_the_morning_of_the_tenants_clock() {
        let night = "22:00-08:00";
        assert_eq!(over(night, "2026-11-27T12:00:00Z"), "2026-11-27T12:00:00Z", "by day at once");
        assert_eq!(over(night, "2026-11-27T20:00:00Z"), "2026-11-28T06:00:00Z", "22:00 in Sofia is night");
        assert_eq!(over(night, "2026-11-28T05:59:59Z"), "2026-11-28T06:00:00Z");
        assert_eq!(over(night, "2026-11-28T06:00:00Z"), "2026-11-28T06:00:00Z", "08:00 is day");
        assert_eq!(over("12:00-13:00", "2026-11-28T10:30:00Z"), "2026-11-28T11:00:00Z");
    }

    #[test]
    fn the_night_in_which_the_clock_is_put_back_is_longer() {
        // In Sofia 04:00 becomes 03:00 on 2026-10-25: from UTC+3 to UTC+2.
        assert_eq!(over("22:00-08:00", "2026-10-24T19:00:00Z"), "2026-10-25T06:00:00Z");
    }

    #[test]
    fn other_texts_are_no_hours() {
        for wrong in ["", "22-8", "22:00", "24:00-08:00", "08:00-08:00", "22:00-08:60"] {
            assert_eq!(wrong.parse::<QuietHours>(), Err(NotQuietHours), "{wrong}");
        }
    }
}
