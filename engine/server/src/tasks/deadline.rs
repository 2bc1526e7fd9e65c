//! By when somebody is to be called back: at a time of the next business day, as the tenant's calendar knows them.

use jiff::Timestamp;
use jiff::ToSpan as _;
use jiff::civil::Time;
use jiff::tz::TimeZone;

use crate::calendar::Calendar;

/// Days that are looked at; behind so many without business the first of them counts.
const MOST_DAYS: i64 = 60;

/// The first time of day `by` on a business day behind `missed`: of a call that came in business hours that of a later
/// day, of one at night or before opening that of the same day too. A day is one of business if the calendar says `open`
/// at that time; every day is without a calendar.
pub fn next_business_day(
    missed: Timestamp,
    by: Time,
    calendar: Option<&Calendar>,
    open: &str,
    zone: &TimeZone,
) -> Timestamp {
    let zone = calendar.map_or(zone, |calendar| &calendar.zone);
    let is_open = |at: Timestamp| calendar.is_none_or(|calendar| says(&calendar.scheme(at), open));
    let today = missed.to_zoned(zone.clone()).date();
    let in_hours = is_open(missed);
    let at = |days: i64| {
        let day = today.saturating_add(days.days());
        day.to_datetime(by).to_zoned(zone.clone()).map_or(missed, |at| at.timestamp())
    };
    let first = i64::from(in_hours);
    let right = |at: &Timestamp| *at > missed && is_open(*at);
    (first..MOST_DAYS).map(at).find(right).unwrap_or_else(|| at(1))
}

/// Whether a scheme is `open`, or somebody's turn of it: "open:ana".
fn says(scheme: &str, open: &str) -> bool {
    scheme.strip_prefix(open).is_some_and(|rest| rest.is_empty() || rest.starts_with(':'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calendar::{Days, Rule};

    /// Monday to Friday, 9 to 18 in Sofia, which is UTC+2 in November.
    fn office() -> Calendar {
        Calendar {
            name: "office".into(),
            zone: TimeZone::get("Europe/Sofia").expect("a zone"),
            default: "closed".into(),
            rules: vec![Rule {
                scheme: "open".into(),
                days: vec![Days::Week([true, true, true, true, true, false, false])],
                from: 9 * 60,
                length: 9 * 60,
                rota: None,
            }],
        }
    }

    #[test]
    fn a_call_is_called_back_by_ten_on_the_next_business_day() {
        let by = |missed: &str| {
            let ten = Time::constant(10, 0, 0, 0);
            let missed = missed.parse().expect("a moment");
            next_business_day(missed, ten, Some(&office()), "open", &TimeZone::UTC).to_string()
        };
        // 2026-11-20 is a Friday.
        assert_eq!(by("2026-11-19T13:00:00Z"), "2026-11-20T08:00:00Z", "in business hours: the next day");
        assert_eq!(
            by("2026-11-19T07:30:00Z"),
            "2026-11-20T08:00:00Z",
            "half past nine: half an hour is no day"
        );
        assert_eq!(by("2026-11-19T23:00:00Z"), "2026-11-20T08:00:00Z", "at night: the morning that comes");
        assert_eq!(by("2026-11-20T05:00:00Z"), "2026-11-20T08:00:00Z", "before opening: the same morning");
        assert_eq!(by("2026-11-20T13:00:00Z"), "2026-11-23T08:00:00Z", "on Friday: on Monday");
        assert_eq!(by("2026-11-21T13:00:00Z"), "2026-11-23T08:00:00Z", "on Saturday: on Monday");
    }

    #[test]
    fn without_a_calendar_every_day_is_one_of_business_and_without_business_it_is_tomorrow() {
        let ten = Time::constant(10, 0, 0, 0);
        let missed = "2026-11-20T13:00:00Z".parse().expect("a moment");
        let of = |calendar: Option<&Calendar>| {
            next_business_day(missed, ten, calendar, "open", &TimeZone::UTC).to_string()
        };
        assert_eq!(of(None), "2026-11-21T10:00:00Z");
        let never = Calendar { rules: Vec::new(), ..office() };
        assert_eq!(of(Some(&never)), "2026-11-21T08:00:00Z");
    }
}
