//! Calendars as they are configured, asked at moments of UTC: around every edge that a clock, a week, a
//! month or a year has.

use std::path::PathBuf;

use super::*;
use crate::config;

/// A tenant in a zone with one calendar.
fn calendar(zone: &str, rules: &str) -> Calendar {
    let text = format!(
        "[[tenant]]\nname = \"acme\"\ntimezone = \"{zone}\"\n[[tenant.user]]\nname = \"ana\"\nnumber = \"101\"\n[[tenant.user]]\nname = \"boris\"\nnumber = \"102\"\n[[tenant.calendar]]\nname = \"office\"\ndefault = \"closed\"\n{rules}"
    );
    let world = config::read(&[(PathBuf::from("x.toml"), text)], &|_| None);
    let world = world.unwrap_or_else(|mistakes| panic!("{mistakes}"));
    world.tenant("acme").unwrap().calendar("office").unwrap().clone()
}

fn rule(lines: &str) -> String {
    format!("[[tenant.calendar.rule]]\n{lines}\n")
}

/// What counts at each moment, told in UTC.
fn at(calendar: &Calendar, moments: &[(&str, &str)]) {
    for (moment, scheme) in moments {
        assert_eq!(calendar.scheme(moment.parse().unwrap()), *scheme, "{moment}");
    }
}

const OFFICE: &str = "scheme = \"open\"\ndays = \"mon-fri\"\nfrom = \"09:00\"\nto = \"18:00\"";

#[test]
fn nine_o_clock_in_sofia_is_nine_o_clock_in_winter_and_in_summer() {
    // UTC+2 until Sunday, 29 March 2026, 01:00 UTC, then UTC+3; back on 25 October.
    let office = calendar("Europe/Sofia", &rule(OFFICE));
    at(
        &office,
        &[
            ("2026-03-27T06:59:59Z", "closed"),
            ("2026-03-27T07:00:00Z", "open"),
            ("2026-03-27T15:59:59Z", "open"),
            ("2026-03-27T16:00:00Z", "closed"),
            ("2026-03-30T05:59:59Z", "closed"),
            ("2026-03-30T06:00:00Z", "open"),
            ("2026-03-30T15:00:00Z", "closed"),
            ("2026-10-26T06:59:59Z", "closed"),
            ("2026-10-26T07:00:00Z", "open"),
        ],
    );
}

#[test]
fn an_hour_that_is_left_out_never_comes_and_one_that_comes_twice_counts_twice() {
    let night = calendar("Europe/Sofia", &rule("scheme = \"night\"\nfrom = \"03:15\"\nto = \"03:45\""));
    at(
        &night,
        &[
            // 03:00 becomes 04:00.
            ("2026-03-29T00:59:59Z", "closed"),
            ("2026-03-29T01:00:00Z", "closed"),
            ("2026-03-29T01:30:00Z", "closed"),
            // 04:00 becomes 03:00: half past three in summer time, then in winter time.
            ("2026-10-25T00:30:00Z", "night"),
            ("2026-10-25T00:50:00Z", "closed"),
            ("2026-10-25T01:30:00Z", "night"),
            ("2026-10-25T01:45:00Z", "closed"),
        ],
    );
}

#[test]
fn a_night_shift_over_the_change_of_the_clocks_in_new_york() {
    // Clocks go forward on Sunday, 8 March 2026 at 07:00 UTC, and back on 1 November at 06:00 UTC.
    let desk = calendar(
        "America/New_York",
        &rule("scheme = \"night\"\ndays = \"sat\"\nfrom = \"22:00\"\nto = \"06:00\""),
    );
    at(
        &desk,
        &[
            ("2026-03-08T02:59:59Z", "closed"),
            ("2026-03-08T03:00:00Z", "night"),
            ("2026-03-08T09:59:59Z", "night"),
            ("2026-03-08T10:00:00Z", "closed"),
            ("2026-11-01T02:00:00Z", "night"),
            ("2026-11-01T10:59:59Z", "night"),
            ("2026-11-01T11:00:00Z", "closed"),
        ],
    );
}

#[test]
fn a_zone_that_changes_by_half_an_hour() {
    // Lord Howe Island: UTC+11 in summer, UTC+10:30 in winter; from 5 April 2026, and back on 4 October.
    let shop = calendar("Australia/Lord_Howe", &rule("scheme = \"open\"\nfrom = \"09:00\"\nto = \"10:00\""));
    at(
        &shop,
        &[
            ("2026-04-03T22:00:00Z", "open"),
            ("2026-04-03T21:59:59Z", "closed"),
            ("2026-04-05T22:29:59Z", "closed"),
            ("2026-04-05T22:30:00Z", "open"),
            ("2026-10-04T21:59:59Z", "closed"),
            ("2026-10-04T22:00:00Z", "open"),
        ],
    );
}

#[test]
fn the_year_ends_and_a_leap_day_comes() {
    let year = calendar(
        "UTC",
        &[
            rule("scheme = \"party\"\ndates = [\"12-31\"]\nfrom = \"20:00\"\nto = \"04:00\""),
            rule("scheme = \"holiday\"\ndates = [\"12-30..01-02\", \"2028-02-29\"]"),
            rule("scheme = \"leap\"\ndates = [\"02-29\"]"),
        ]
        .concat(),
    );
    at(
        &year,
        &[
            ("2026-12-29T23:59:59Z", "closed"),
            ("2026-12-30T00:00:00Z", "holiday"),
            ("2026-12-31T19:59:59Z", "holiday"),
            ("2026-12-31T20:00:00Z", "party"),
            ("2027-01-01T03:59:59Z", "party"),
            ("2027-01-01T04:00:00Z", "holiday"),
            ("2027-01-02T23:59:59Z", "holiday"),
            ("2027-01-03T00:00:00Z", "closed"),
            ("2024-02-29T12:00:00Z", "leap"),
            ("2028-02-29T12:00:00Z", "holiday"),
            ("2026-02-28T23:59:59Z", "closed"),
            ("2026-03-01T00:00:00Z", "closed"),
        ],
    );
}

#[test]
fn the_first_rule_that_fits_counts_and_all_that_a_rule_names_must_hold() {
    let shop = calendar(
        "Europe/Sofia",
        &[
            // The last Friday of November, Black Friday, from midnight to midnight.
            rule("scheme = \"black-friday\"\nrrule = \"FREQ=YEARLY;BYMONTH=11;BYDAY=4FR\"\nstart = \"2020-01-01\""),
            rule("scheme = \"open\"\ndays = \"sat\"\ndates = [\"12-01..12-23\"]\nfrom = \"10:00\"\nto = \"14:00\""),
            rule(OFFICE),
        ]
        .concat(),
    );
    at(
        &shop,
        &[
            ("2026-11-26T21:59:59Z", "closed"),
            ("2026-11-26T22:00:00Z", "black-friday"),
            ("2026-11-27T21:59:59Z", "black-friday"),
            ("2026-11-27T22:00:00Z", "closed"),
            ("2026-12-05T08:00:00Z", "open"),
            ("2026-12-05T12:00:00Z", "closed"),
            ("2026-11-28T08:00:00Z", "closed"),
        ],
    );
}

#[test]
fn whoever_is_on_duty_stands_in_the_scheme_until_the_handover_in_the_morning() {
    let duty = calendar(
        "Europe/Sofia",
        &rule(
            "scheme = \"duty\"\nrota = [\"ana\", \"boris\"]\nturn = 7\nstart = \"2026-01-05\"\nfrom = \"09:00\"\nto = \"09:00\"",
        ),
    );
    at(
        &duty,
        &[
            // Monday, 5 January, 09:00 in Sofia.
            ("2026-01-05T07:00:00Z", "duty:ana"),
            ("2026-01-12T06:59:59Z", "duty:ana"),
            ("2026-01-12T07:00:00Z", "duty:boris"),
            ("2026-01-19T07:00:00Z", "duty:ana"),
            // As if it had always been so.
            ("2026-01-05T06:59:59Z", "duty:boris"),
            // In summer time the handover is at 06:00 UTC.
            ("2026-03-30T05:59:59Z", "duty:boris"),
            ("2026-03-30T06:00:00Z", "duty:ana"),
        ],
    );
}

#[test]
fn holidays_come_from_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("world.toml");
    let holidays = "BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART;VALUE=DATE:20260303\nRRULE:FREQ=YEARLY\nEND:VEVENT\nEND:VCALENDAR\n";
    std::fs::write(folder.path().join("bg.ics"), holidays).unwrap();
    let text = format!(
        "[[tenant]]\nname = \"acme\"\ntimezone = \"Europe/Sofia\"\n[[tenant.calendar]]\nname = \"office\"\ndefault = \"closed\"\n{}{}",
        rule("scheme = \"holiday\"\nholidays = \"bg.ics\""),
        rule(OFFICE)
    );
    let world = config::read(&[(file, text)], &|_| None).unwrap();
    let office = world.tenant("acme").unwrap().calendar("office").unwrap();
    at(
        office,
        &[
            ("2027-03-02T21:59:59Z", "closed"),
            ("2027-03-02T22:00:00Z", "holiday"),
            ("2027-03-03T10:00:00Z", "holiday"),
            ("2027-03-04T10:00:00Z", "open"),
        ],
    );
}

#[test]
fn mistakes_in_a_calendar_are_told_with_their_line() {
    let said = |text: &str| {
        let text = format!(
            "[[tenant]]\nname = \"acme\"\n[[tenant.user]]\nname = \"ana\"\nnumber = \"101\"\n[[tenant.calendar]]\nname = \"office\"\ndefault = \"closed\"\n[[tenant.calendar.rule]]\nscheme = \"open\"\n{text}"
        );
        let mistakes = config::read(&[(PathBuf::from("x.toml"), text)], &|_| None).unwrap_err();
        mistakes.0.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(
        said(
            "days = \"mon-fry\"\nfrom = \"25:00\"\nto = \"9\"\ndates = [\"02-30\", \"2026-02-29\", \"2026-12-02..2026-12-01\"]"
        ),
        [
            r#"x.toml:11: "mon-fry" names no days; write "mon-fri" or "sat,sun""#,
            r#"x.toml:12: "25:00" is no time of day; write one like "09:00""#,
            r#"x.toml:13: "9" is no time of day; write one like "18:00""#,
            r#"x.toml:14: "02-30" is no date; write "2026-12-31", "12-25" or "12-24..12-26""#,
            r#"x.toml:14: "2026-02-29" is no date; write "2026-12-31", "12-25" or "12-24..12-26""#,
            r#"x.toml:14: "2026-12-02..2026-12-01" is no date; write "2026-12-31", "12-25" or "12-24..12-26""#,
        ]
    );
    assert_eq!(
        said(
            "rrule = \"FREQ=HOURLY\"\nstart = \"2026-01-01\"\nrota = [\"anna\"]\nholidays = \"nowhere.ics\""
        ),
        [
            r#"x.toml:11: the rrule can't be followed: FREQ=HOURLY does not name days; write one like "FREQ=MONTHLY;BYDAY=-1FR""#,
            r#"x.toml:13: there is no user "anna"; write "ana""#,
            r#"x.toml:14: cannot read "nowhere.ics": No such file or directory (os error 2); write the path of an .ics file"#,
        ]
    );
    assert_eq!(
        said("rrule = \"FREQ=DAILY\"\n[[tenant.calendar]]\nname = \"office\"\ndefault = \"closed\""),
        [
            r#"x.toml:11: this rrule has no beginning; write start = "2026-01-01""#,
            r#"x.toml:13: calendar "office" is already there in line 7; write another calendar"#,
        ]
    );
}
