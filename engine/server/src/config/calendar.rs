//! `[[tenant.calendar]]`: which scheme counts when, as rules of which the first that fits has its say.

use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::section::{Section, Text};
use super::tenant::{Known, Names, is_name, zone};
use crate::calendar::{Calendar, DAY, Dates, Days, Recurrence, Rota, Rule, read_holidays};

/// Rules of one calendar; one more is a mistake.
const MOST_RULES: usize = 1000;

const WEEKDAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/// Reads one calendar.
pub(super) fn calendar(
    section: Section<'_, '_>,
    tenant_zone: &TimeZone,
    known: &Known<'_>,
    names: &mut Names<'_>,
) -> Option<Calendar> {
    let name = section.required("name", "office");
    if let Some(name) = name {
        names.claim(&section, name);
    }
    let zone = match section.text("timezone", "Europe/Sofia") {
        Some(text) => zone(&section, text),
        None => Some(tenant_zone.clone()),
    };
    let default = section.required("default", "closed");
    check_scheme(&section, default);
    let mut rules = Vec::new();
    let sections = section.sections("rule");
    if let Some(beyond) = sections.get(MOST_RULES) {
        section.mistake(beyond.line, format!("there are more than {MOST_RULES} rules; write fewer"));
    }
    for rule_section in sections {
        rules.extend(rule(rule_section, zone.as_ref().unwrap_or(tenant_zone), known));
    }
    section.finish();
    Some(Calendar { name: name?.value.to_owned(), zone: zone?, default: default?.value.to_owned(), rules })
}

fn rule(section: Section<'_, '_>, zone: &TimeZone, known: &Known<'_>) -> Option<Rule> {
    let scheme = section.required("scheme", "open");
    check_scheme(&section, scheme);
    let mut days = Vec::new();
    if let Some(text) = section.text("days", "mon-fri") {
        match weekdays(text.value) {
            Some(week) => days.push(Days::Week(week)),
            None => section.mistake(
                text.line,
                format!("\"{}\" names no days; write \"mon-fri\" or \"sat,sun\"", text.value),
            ),
        }
    }
    if let Some(texts) = section.texts("dates", r#"["2026-12-31", "12-24..12-26"]"#) {
        let mut all = Vec::new();
        for text in texts {
            match dates(text.value) {
                Some(dates) => all.push(dates),
                None => section.mistake(
                    text.line,
                    format!(
                        "\"{}\" is no date; write \"2026-12-31\", \"12-25\" or \"12-24..12-26\"",
                        text.value
                    ),
                ),
            }
        }
        days.push(Days::Dates(all));
    }
    let start = section.text("start", "2026-01-01").and_then(|text| {
        let date = once(text.value);
        if date.is_none() {
            section
                .mistake(text.line, format!("\"{}\" is no date; write one like \"2026-01-01\"", text.value));
        }
        date
    });
    if let Some(text) = section.text("rrule", "FREQ=MONTHLY;BYDAY=-1FR") {
        match start {
            None => section.mistake(text.line, "this rrule has no beginning; write start = \"2026-01-01\""),
            Some(start) => match Recurrence::new(text.value, start) {
                Ok(recurrence) => days.push(Days::Recurring(recurrence)),
                Err(why) => section.mistake(
                    text.line,
                    format!("the rrule can't be followed: {why}; write one like \"FREQ=MONTHLY;BYDAY=-1FR\""),
                ),
            },
        }
    }
    if let Some(text) = section.text("holidays", "holidays.ics") {
        let path = section.source.path(text.value);
        match std::fs::read_to_string(&path) {
            Err(why) => section.mistake(
                text.line,
                format!("cannot read \"{}\": {why}; write the path of an .ics file", text.value),
            ),
            Ok(content) => match read_holidays(&content, zone) {
                Ok(events) => days.push(Days::Holidays(events)),
                Err(why) => section.mistake(
                    text.line,
                    format!("\"{}\", {why}; write an iCalendar file (RFC 5545)", text.value),
                ),
            },
        }
    }
    let from = time(&section, "from", "09:00", 0);
    let to = time(&section, "to", "18:00", DAY);
    let rota = rota(&section, start, known);
    section.finish();
    // Until the same time or an earlier one is until the next day's.
    let length = if to > from { to - from } else { DAY + to - from };
    Some(Rule { scheme: scheme?.value.to_owned(), days, from: from % DAY, length, rota })
}

fn rota(section: &Section<'_, '_>, start: Option<Date>, known: &Known<'_>) -> Option<Rota> {
    let turn = section.integer("turn", 1..=366, 7) as u16;
    let people = section.texts("rota", r#"["ana", "boris"]"#)?;
    for person in &people {
        known.check_user(section, person.value, person.line);
    }
    if people.is_empty() {
        section.mistake(section.line, "nobody is in this rota; write rota = [\"ana\", \"boris\"]");
    }
    if start.is_none() {
        section.mistake(section.line, "this rota has no beginning; write start = \"2026-01-05\"");
    }
    let people = people.into_iter().map(|person| person.value.to_owned()).collect();
    Some(Rota { people, turn, start: start? })
}

/// Minutes after midnight, at most a whole day.
fn time(section: &Section<'_, '_>, key: &str, example: &str, default: u32) -> u32 {
    let Some(text) = section.text(key, example) else { return default };
    let read = || {
        let (hours, minutes) = text.value.split_once(':')?;
        let (hours, minutes): (u32, u32) = (hours.parse().ok()?, minutes.parse().ok()?);
        Some(hours.checked_mul(60)?.checked_add(minutes)?).filter(|time| minutes < 60 && *time <= DAY)
    };
    read().unwrap_or_else(|| {
        section.mistake(
            text.line,
            format!("\"{}\" is no time of day; write one like \"{example}\"", text.value),
        );
        default
    })
}

/// What a script looks up in its settings, and people read in the register.
fn check_scheme(section: &Section<'_, '_>, scheme: Option<Text<'_>>) {
    if let Some(scheme) = scheme.filter(|scheme| !is_name(scheme.value)) {
        section
            .mistake(scheme.line, format!("\"{}\" is no scheme; write a name like \"open\"", scheme.value));
    }
}

/// "mon-fri", "sat,sun", "fri-mon".
fn weekdays(text: &str) -> Option<[bool; 7]> {
    let number = |name: &str| WEEKDAYS.iter().position(|day| day.eq_ignore_ascii_case(name.trim()));
    let mut days = [false; 7];
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last) = (number(first)?, number(last)?);
        let count = (last + 7 - first) % 7 + 1;
        (first..first + count).for_each(|day| days[day % 7] = true);
    }
    Some(days)
}

/// "2026-12-31", "12-25", "12-24..12-26", "2026-12-24..2027-01-02".
fn dates(text: &str) -> Option<Dates> {
    let (first, last) = text.split_once("..").unwrap_or((text, text));
    if let (Some(first), Some(last)) = (yearly(first), yearly(last)) {
        return Some(Dates::Yearly(first, last));
    }
    let (first, last) = (once(first)?, once(last)?);
    (first <= last).then_some(Dates::Once(first, last))
}

fn once(text: &str) -> Option<Date> {
    let mut parts = text.splitn(3, '-');
    let year = parts.next()?.parse().ok().filter(|year| (1970..=9998).contains(year))?;
    Date::new(year, parts.next()?.parse().ok()?, parts.next()?.parse().ok()?).ok()
}

/// A day of every year; 29 February is one, if not of every year: 2000 had it.
fn yearly(text: &str) -> Option<(i8, i8)> {
    let (month, day) = text.split_once('-')?;
    let date = Date::new(2000, month.parse().ok()?, day.parse().ok()?).ok()?;
    Some((date.month(), date.day()))
}
