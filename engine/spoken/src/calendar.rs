//! Hours and days, as they are named over the telephone.

use crate::cardinal::{cardinal, russian_genitive};
use crate::language::{Gender, Language};
use crate::ordinal::{ordinal, russian_genitive_neuter};
use crate::quantity::Noun;

/// A day that is near.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Day {
    /// This one.
    Today,
    /// The next.
    Tomorrow,
    /// The next of that name: 1 is Monday, 7 is Sunday.
    Weekday(u8),
    /// A day of a month, 1 to 31 and 1 to 12.
    Date {
        /// 1 to 31.
        day: u8,
        /// 1 to 12.
        month: u8,
    },
}

const WEEKDAYS: [[&str; 7]; 3] = [
    ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"],
    // With the preposition.
    ["в понеделник", "във вторник", "в сряда", "в четвъртък", "в петък", "в събота", "в неделя"],
    ["в понедельник", "во вторник", "в среду", "в четверг", "в пятницу", "в субботу", "в воскресенье"],
];

#[rustfmt::skip]
const MONTHS: [[&str; 12]; 3] = [
    ["January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"],
    ["януари", "февруари", "март", "април", "май", "юни", "юли", "август", "септември", "октомври", "ноември", "декември"],
    ["января", "февраля", "марта", "апреля", "мая", "июня", "июля", "августа", "сентября", "октября", "ноября", "декабря"],
];

/// A day of the year as an answer to "what day is it": "the twenty-third of November", "двадесет и
/// трети ноември", "двадцать третье ноября". `day` and `month` out of range are taken for the nearest.
pub fn date(language: Language, day: u8, month: u8) -> String {
    let (day, month) = (u32::from(day.clamp(1, 31)), month_name(language, month));
    match language {
        Language::English => format!("the {} of {month}", nth(language, day, Gender::Neuter)),
        Language::Bulgarian => format!("{} {month}", nth(language, day, Gender::Masculine)),
        Language::Russian => format!("{} {month}", nth(language, day, Gender::Neuter)),
    }
}

/// A time by the tenant's clock: "ten o'clock in the morning", "четиринадесет часа и тридесет минути",
/// "четырнадцать часов тридцать минут". `hour`: 0 to 23, `minute`: 0 to 59; beyond, the last of them.
pub fn time_of_day(language: Language, hour: u8, minute: u8) -> String {
    let (hour, minute) = (u32::from(hour.min(23)), u32::from(minute.min(59)));
    match language {
        Language::English => match part_of_day(hour) {
            Some(part) if !is_named(hour, minute) => format!("{} {}", english(hour, minute), part.0),
            _ => english(hour, minute),
        },
        Language::Bulgarian => match minute {
            0 => bulgarian_hour(hour),
            _ => format!(
                "{} и {} {}",
                bulgarian_hour(hour),
                cardinal(language, minute, Gender::Feminine),
                Noun::Minute.counted(language, minute)
            ),
        },
        Language::Russian => {
            let hours = format!(
                "{} {}",
                cardinal(language, hour, Gender::Masculine),
                Noun::Hour.counted(language, hour)
            );
            match minute {
                0 => hours,
                _ => format!(
                    "{hours} {} {}",
                    cardinal(language, minute, Gender::Feminine),
                    Noun::Minute.counted(language, minute)
                ),
            }
        }
    }
}

/// "by ten o'clock on Monday morning", "до десет часа в понеделник", "в понедельник до десяти часов".
pub(crate) fn by(language: Language, day: Day, hour: u8, minute: u8) -> String {
    let (hour, minute) = (u32::from(hour.min(23)), u32::from(minute.min(59)));
    match language {
        Language::English => {
            let part = part_of_day(hour).filter(|_| !is_named(hour, minute));
            let time = english(hour, minute);
            match (day, part) {
                (Day::Today, Some(("at night", _))) => format!("by {time} tonight"),
                (Day::Today, Some((_, part))) => format!("by {time} this {part}"),
                (Day::Today, None) => format!("by {time} today"),
                (Day::Tomorrow, Some((_, part))) => format!("by {time} tomorrow {part}"),
                (Day::Tomorrow, None) => format!("by {time} tomorrow"),
                (Day::Weekday(day), Some((_, part))) => {
                    format!("by {time} on {} {part}", weekday(language, day))
                }
                (Day::Weekday(day), None) => format!("by {time} on {}", weekday(language, day)),
                (Day::Date { day, month }, Some((part, _))) => {
                    format!("by {time} {part} on {}", date(language, day, month))
                }
                (Day::Date { day, month }, None) => format!("by {time} on {}", date(language, day, month)),
            }
        }
        Language::Bulgarian => {
            let time = time_of_day(language, hour as u8, minute as u8);
            format!("до {time} {}", on(language, day))
        }
        Language::Russian => {
            let hours = if hour % 10 == 1 && hour != 11 { "часа" } else { "часов" };
            let time = match (hour, minute) {
                (1, 0) => "часа".to_owned(),
                (_, 0) => format!("{} {hours}", russian_genitive(hour, Gender::Masculine)),
                _ => {
                    let minutes =
                        if minute % 10 == 1 && minute != 11 { "минуты" } else { "минут" };
                    let hour = russian_genitive(hour, Gender::Masculine);
                    format!("{hour} {hours} {} {minutes}", russian_genitive(minute, Gender::Feminine))
                }
            };
            format!("{} до {time}", on(language, day))
        }
    }
}

/// "днес", "във вторник", "на двадесет и трети ноември"; Russian: "двадцать третьего ноября".
fn on(language: Language, day: Day) -> String {
    match (day, language) {
        (Day::Today, Language::Russian) => "сегодня".to_owned(),
        (Day::Today, _) => "днес".to_owned(),
        (Day::Tomorrow, Language::Russian) => "завтра".to_owned(),
        (Day::Tomorrow, _) => "утре".to_owned(),
        (Day::Weekday(day), _) => weekday(language, day).to_owned(),
        (Day::Date { day, month }, Language::Russian) => {
            let nth = russian_genitive_neuter(u32::from(day.clamp(1, 31))).unwrap_or_default();
            format!("{nth} {}", month_name(language, month))
        }
        (Day::Date { day, month }, _) => format!("на {}", date(language, day, month)),
    }
}

fn weekday(language: Language, day: u8) -> &'static str {
    WEEKDAYS[language as usize][usize::from(day.clamp(1, 7)) - 1]
}

fn month_name(language: Language, month: u8) -> &'static str {
    MONTHS[language as usize][usize::from(month.clamp(1, 12)) - 1]
}

fn nth(language: Language, n: u32, gender: Gender) -> String {
    ordinal(language, n, gender).unwrap_or_default()
}

/// "нула часа", "един часа": an hour of the clock is always counted.
fn bulgarian_hour(hour: u32) -> String {
    format!("{} часа", cardinal(Language::Bulgarian, hour, Gender::Masculine))
}

/// Noon and midnight need no part of the day.
fn is_named(hour: u32, minute: u32) -> bool {
    minute == 0 && hour.is_multiple_of(12)
}

fn english(hour: u32, minute: u32) -> String {
    let number = |n| cardinal(Language::English, n, Gender::Neuter);
    let twelve = number((hour + 11) % 12 + 1);
    match (hour, minute) {
        (0, 0) => "midnight".to_owned(),
        (12, 0) => "noon".to_owned(),
        (_, 0) => format!("{twelve} o'clock"),
        (_, 1..=9) => format!("{twelve} oh {}", number(minute)),
        _ => format!("{twelve} {}", number(minute)),
    }
}

/// Alone, and after a day's name.
fn part_of_day(hour: u32) -> Option<(&'static str, &'static str)> {
    Some(match hour {
        0..=4 | 22.. => ("at night", "night"),
        5..=11 => ("in the morning", "morning"),
        12..=17 => ("in the afternoon", "afternoon"),
        18..=21 => ("in the evening", "evening"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_day() {
        for (hour, minute, said) in [
            (0, 0, ["midnight", "нула часа", "ноль часов"]),
            (1, 0, ["one o'clock at night", "един часа", "один час"]),
            (10, 0, ["ten o'clock in the morning", "десет часа", "десять часов"]),
            (12, 0, ["noon", "дванадесет часа", "двенадцать часов"]),
            (
                14,
                30,
                [
                    "two thirty in the afternoon",
                    "четиринадесет часа и тридесет минути",
                    "четырнадцать часов тридцать минут",
                ],
            ),
            (
                21,
                1,
                [
                    "nine oh one in the evening",
                    "двадесет и един часа и една минута",
                    "двадцать один час одна минута",
                ],
            ),
        ] {
            assert_eq!(Language::ALL.map(|language| time_of_day(language, hour, minute)), said);
        }
    }

    #[test]
    fn dates() {
        for (day, month, said) in [
            (1, 1, ["the first of January", "първи януари", "первое января"]),
            (3, 3, ["the third of March", "трети март", "третье марта"]),
            (23, 11, ["the twenty-third of November", "двадесет и трети ноември", "двадцать третье ноября"]),
            (
                31,
                12,
                ["the thirty-first of December", "тридесет и първи декември", "тридцать первое декабря"],
            ),
        ] {
            assert_eq!(Language::ALL.map(|language| date(language, day, month)), said);
        }
    }

    #[test]
    fn by_when() {
        for (day, hour, minute, said) in [
            (
                Day::Weekday(1),
                10,
                0,
                [
                    "by ten o'clock on Monday morning",
                    "до десет часа в понеделник",
                    "в понедельник до десяти часов",
                ],
            ),
            (
                Day::Weekday(2),
                12,
                0,
                ["by noon on Tuesday", "до дванадесет часа във вторник", "во вторник до двенадцати часов"],
            ),
            (
                Day::Today,
                16,
                30,
                [
                    "by four thirty this afternoon",
                    "до шестнадесет часа и тридесет минути днес",
                    "сегодня до шестнадцати часов тридцати минут",
                ],
            ),
            (
                Day::Tomorrow,
                9,
                0,
                ["by nine o'clock tomorrow morning", "до девет часа утре", "завтра до девяти часов"],
            ),
            (
                Day::Date { day: 23, month: 11 },
                21,
                0,
                [
                    "by nine o'clock in the evening on the twenty-third of November",
                    "до двадесет и един часа на двадесет и трети ноември",
                    "двадцать третьего ноября до двадцати одного часа",
                ],
            ),
            (Day::Today, 1, 0, ["by one o'clock tonight", "до един часа днес", "сегодня до часа"]),
        ] {
            assert_eq!(Language::ALL.map(|language| by(language, day, hour, minute)), said);
        }
    }
}
