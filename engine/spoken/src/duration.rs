//! How long something will take, as a person would say it: rounded, and with "about" in front.

use std::time::Duration;

use crate::cardinal::russian_genitive;
use crate::language::{Gender, Language};
use crate::quantity::{Noun, quantity};

/// Rounded for the ear: "a few seconds", "half a minute", "about four minutes" (to five of them from ten
/// minutes on), "about an hour", "over an hour", "over two hours", "more than a day".
pub fn duration(language: Language, length: Duration) -> String {
    const HOUR: u64 = 3600;
    let seconds = length.as_secs() + u64::from(length.subsec_millis() >= 500);
    let minutes = (seconds + 30) / 60;
    let by = |english: &str, bulgarian: &str, russian: &str| {
        match language {
            Language::English => english,
            Language::Bulgarian => bulgarian,
            Language::Russian => russian,
        }
        .to_owned()
    };
    match seconds {
        0..15 => by("a few seconds", "няколко секунди", "несколько секунд"),
        15..45 => by("half a minute", "половин минута", "полминуты"),
        // Up to ten and a half minutes to the minute, then to five minutes, as long as that is under an hour.
        45..630 => about(language, minutes as i32),
        630..3450 => about(language, ((seconds + 150) / 300 * 5) as i32),
        3450..=3900 => by("about an hour", "около един час", "примерно час"),
        3901..7200 => by("over an hour", "над един час", "больше часа"),
        7200..86_400 => {
            let hours = (seconds / HOUR) as u32;
            match language {
                Language::English => format!("over {}", quantity(language, hours as i32, Noun::Hour)),
                Language::Bulgarian => format!("над {}", quantity(language, hours as i32, Noun::Hour)),
                Language::Russian => {
                    let hour = if hours % 10 == 1 && hours != 11 { "часа" } else { "часов" };
                    format!("больше {} {hour}", russian_genitive(hours, Gender::Masculine))
                }
            }
        }
        _ => by("more than a day", "повече от един ден", "больше суток"),
    }
}

fn about(language: Language, minutes: i32) -> String {
    let about = match language {
        Language::English => "about",
        Language::Bulgarian => "около",
        Language::Russian => "примерно",
    };
    format!("{about} {}", quantity(language, minutes, Noun::Minute))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_are_said_as_people_say_them() {
        let at = |seconds| Language::ALL.map(|language| duration(language, Duration::from_secs(seconds)));
        for (seconds, said) in [
            (0, ["a few seconds", "няколко секунди", "несколько секунд"]),
            (14, ["a few seconds", "няколко секунди", "несколько секунд"]),
            (30, ["half a minute", "половин минута", "полминуты"]),
            (50, ["about one minute", "около една минута", "примерно одна минута"]),
            (89, ["about one minute", "около една минута", "примерно одна минута"]),
            (90, ["about two minutes", "около две минути", "примерно две минуты"]),
            (240, ["about four minutes", "около четири минути", "примерно четыре минуты"]),
            (300, ["about five minutes", "около пет минути", "примерно пять минут"]),
            (629, ["about ten minutes", "около десет минути", "примерно десять минут"]),
            (700, ["about ten minutes", "около десет минути", "примерно десять минут"]),
            (800, ["about fifteen minutes", "около петнадесет минути", "примерно пятнадцать минут"]),
            (
                1500,
                ["about twenty-five minutes", "около двадесет и пет минути", "примерно двадцать пять минут"],
            ),
            (
                3449,
                ["about fifty-five minutes", "около петдесет и пет минути", "примерно пятьдесят пять минут"],
            ),
            (3450, ["about an hour", "около един час", "примерно час"]),
            (4000, ["over an hour", "над един час", "больше часа"]),
            (7200, ["over two hours", "над два часа", "больше двух часов"]),
            (5 * 3600, ["over five hours", "над пет часа", "больше пяти часов"]),
            (21 * 3600, ["over twenty-one hours", "над двадесет и един часа", "больше двадцати одного часа"]),
            (100_000, ["more than a day", "повече от един ден", "больше суток"]),
        ] {
            assert_eq!(at(seconds), said, "{seconds} s");
        }
    }

    #[test]
    fn what_is_said_never_runs_backwards() {
        let mut last = 0;
        for seconds in 45..3450 {
            let said = duration(Language::English, Duration::from_secs(seconds));
            let minutes = (1..60).find(|n| said == about(Language::English, *n)).expect("minutes");
            assert!(minutes >= last, "{seconds} s");
            // Never further from the truth than half a step.
            assert!((i64::from(minutes) * 60 - seconds as i64).abs() <= 150, "{seconds} s: {said}");
            last = minutes;
        }
    }
}
