//! The sentences of a queue, and words for the prompts that the shipped scripts ask for by name: what
//! is heard until a tenant has recorded its own.

use std::time::Duration;

use crate::calendar::{Day, by};
use crate::cardinal::cardinal;
use crate::duration::duration;
use crate::language::{Gender, Language};
use crate::ordinal::ordinal;

/// Where a caller stands in the queue: 1 is next, and so is 0. "You are third in line."
pub fn position(language: Language, place: u32) -> String {
    if place <= 1 {
        return match language {
            Language::English => "You are next in line.",
            Language::Bulgarian => "Вие сте следващият на опашката.",
            Language::Russian => "Вы следующий в очереди.",
        }
        .to_owned();
    }
    match (language, ordinal(language, place, Gender::Neuter)) {
        (Language::English, Some(nth)) => format!("You are {nth} in line."),
        (Language::Bulgarian, Some(nth)) => format!("Вие сте на {nth} място в опашката."),
        (Language::Russian, Some(nth)) => format!("Ваше место в очереди: {nth}."),
        (Language::English, None) => format!("You are number {} in line.", number(language, place)),
        (Language::Bulgarian, None) => format!("Вие сте номер {} в опашката.", number(language, place)),
        (Language::Russian, None) => format!("Ваш номер в очереди: {}.", number(language, place)),
    }
}

/// How long the caller will probably wait: "The expected wait is about four minutes."
pub fn expected_wait(language: Language, length: Duration) -> String {
    let about = duration(language, length);
    match language {
        Language::English => format!("The expected wait is {about}."),
        Language::Bulgarian => format!("Очакваното време за изчакване е {about}."),
        Language::Russian => format!("Ожидаемое время ожидания: {about}."),
    }
}

/// "Press one to be called back without losing your place." `key`: 0 to 9, "*" or "#".
pub fn offer_of_call_back(language: Language, key: char) -> String {
    let key = self::key(language, key);
    match language {
        Language::English => format!("Press {key} to be called back without losing your place."),
        Language::Bulgarian => format!("Натиснете {key}, за да ви се обадим, без да губите реда си."),
        Language::Russian => {
            format!("Нажмите {key}, и мы вам перезвоним. Ваше место в очереди сохранится.")
        }
    }
}

/// "Press two to leave a message." `key`: 0 to 9, "*" or "#".
pub fn offer_of_message(language: Language, key: char) -> String {
    let key = self::key(language, key);
    match language {
        Language::English => format!("Press {key} to leave a message."),
        Language::Bulgarian => format!("Натиснете {key}, за да оставите съобщение."),
        Language::Russian => format!("Нажмите {key}, чтобы оставить сообщение."),
    }
}

/// "We will call you back by ten o'clock on Monday morning." By the tenant's clock.
pub fn promise_of_call_back(language: Language, day: Day, hour: u8, minute: u8) -> String {
    let by = by(language, day, hour, minute);
    match language {
        Language::English => format!("We will call you back {by}."),
        Language::Bulgarian => format!("Ще ви се обадим {by}."),
        Language::Russian => format!("Мы перезвоним вам {by}."),
    }
}

fn number(language: Language, n: u32) -> String {
    cardinal(language, n, Gender::Neuter)
}

/// A key of the telephone, by its name.
fn key(language: Language, key: char) -> String {
    match (key, language) {
        ('*', Language::English) => "star".to_owned(),
        ('#', Language::English) => "pound".to_owned(),
        ('*', Language::Bulgarian) => "звезда".to_owned(),
        ('*', Language::Russian) => "звёздочку".to_owned(),
        ('#', Language::Bulgarian) => "диез".to_owned(),
        ('#', Language::Russian) => "решётку".to_owned(),
        // A key is named as one counts: "один", but "едно".
        (key, Language::Russian) => {
            key.to_digit(10).map_or_else(|| key.to_string(), |n| cardinal(language, n, Gender::Masculine))
        }
        (key, _) => key.to_digit(10).map_or_else(|| key.to_string(), |n| number(language, n)),
    }
}

/// Name, and the words in each language.
#[rustfmt::skip]
const PHRASES: [(&str, [&str; 3]); 15] = [
    ("welcome", ["Welcome.", "Добре дошли.", "Добро пожаловать."]),
    ("goodbye", ["Thank you for calling. Goodbye.", "Благодарим ви за обаждането. Дочуване.", "Спасибо за звонок. До свидания."]),
    ("closed", ["We are closed now.", "В момента не работим.", "Сейчас мы не работаем."]),
    ("nobody", ["Nobody can take your call right now.", "В момента никой не може да приеме обаждането ви.", "Сейчас никто не может ответить на ваш звонок."]),
    ("wrong-key", ["That key does nothing here.", "Този бутон не е валиден.", "Такой клавиши здесь нет."]),
    ("please-wait", ["Please stay on the line.", "Моля, останете на линията.", "Пожалуйста, оставайтесь на линии."]),
    ("all-busy", ["All our agents are busy. Please stay on the line.", "Всички наши консултанти са заети. Моля, останете на линията.", "Все операторы заняты. Пожалуйста, оставайтесь на линии."]),
    ("you-are-next", ["You are next in line.", "Вие сте следващият на опашката.", "Вы следующий в очереди."]),
    ("expected-wait", ["The expected wait is", "Очакваното време за изчакване е", "Ожидаемое время ожидания:"]),
    ("we-call-you-back", ["We will call you back. Goodbye.", "Ще ви се обадим. Дочуване.", "Мы вам перезвоним. До свидания."]),
    ("leave-a-message", ["Please leave a message after the tone.", "Моля, оставете съобщение след сигнала.", "Пожалуйста, оставьте сообщение после сигнала."]),
    ("message-kept", ["Thank you, your message was kept.", "Благодарим ви, съобщението е записано.", "Спасибо, ваше сообщение записано."]),
    ("connecting", ["One moment, you are being connected.", "Един момент, свързваме ви.", "Одну минуту, соединяем."]),
    ("on-hold", ["Please hold the line.", "Моля, изчакайте.", "Пожалуйста, подождите."]),
    ("too-many", ["Too many callers are waiting. Please call later.", "Твърде много хора чакат. Моля, обадете се по-късно.", "Слишком много звонков. Пожалуйста, позвоните позже."]),
];

/// The words of a prompt that the shipped scripts ask for by name; none for a name that has none. Offers
/// are there for every key: "press-1-to-be-called-back", "press-2-to-leave-a-message".
pub fn phrase(language: Language, name: &str) -> Option<String> {
    if let Some((key, offer)) = name.strip_prefix("press-").and_then(|rest| rest.split_once('-')) {
        let mut keys = key.chars();
        let key = match (key, keys.next(), keys.next()) {
            ("star", ..) => '*',
            ("pound", ..) => '#',
            (_, Some(key @ '0'..='9'), None) => key,
            _ => return None,
        };
        return match offer {
            "to-be-called-back" => Some(offer_of_call_back(language, key)),
            "to-leave-a-message" => Some(offer_of_message(language, key)),
            _ => None,
        };
    }
    PHRASES.iter().find(|(known, _)| *known == name).map(|(_, words)| words[language as usize].to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_in_the_queue() {
        for (place, said) in [
            (1, ["You are next in line.", "Вие сте следващият на опашката.", "Вы следующий в очереди."]),
            (
                3,
                [
                    "You are third in line.",
                    "Вие сте на трето място в опашката.",
                    "Ваше место в очереди: третье.",
                ],
            ),
            (
                21,
                [
                    "You are twenty-first in line.",
                    "Вие сте на двадесет и първо място в опашката.",
                    "Ваше место в очереди: двадцать первое.",
                ],
            ),
            (
                1000,
                [
                    "You are number one thousand in line.",
                    "Вие сте номер хиляда в опашката.",
                    "Ваш номер в очереди: тысяча.",
                ],
            ),
        ] {
            assert_eq!(Language::ALL.map(|language| position(language, place)), said);
        }
    }

    #[test]
    fn the_wait_the_offer_and_the_promise() {
        let four = Duration::from_secs(240);
        assert_eq!(
            Language::ALL.map(|language| expected_wait(language, four)),
            [
                "The expected wait is about four minutes.",
                "Очакваното време за изчакване е около четири минути.",
                "Ожидаемое время ожидания: примерно четыре минуты.",
            ]
        );
        assert_eq!(
            Language::ALL.map(|language| offer_of_call_back(language, '1')),
            [
                "Press one to be called back without losing your place.",
                "Натиснете едно, за да ви се обадим, без да губите реда си.",
                "Нажмите один, и мы вам перезвоним. Ваше место в очереди сохранится.",
            ]
        );
        assert!(offer_of_call_back(Language::Russian, '*').starts_with("Нажмите звёздочку,"));
        assert_eq!(
            Language::ALL.map(|language| promise_of_call_back(language, Day::Weekday(1), 10, 0)),
            [
                "We will call you back by ten o'clock on Monday morning.",
                "Ще ви се обадим до десет часа в понеделник.",
                "Мы перезвоним вам в понедельник до десяти часов.",
            ]
        );
    }

    #[test]
    fn a_named_phrase_is_what_the_sentence_of_the_same_meaning_says() {
        for language in Language::ALL {
            assert_eq!(phrase(language, "you-are-next"), Some(position(language, 1)));
            let offer = offer_of_call_back(language, '1');
            assert_eq!(phrase(language, "press-1-to-be-called-back"), Some(offer));
        }
    }

    #[test]
    fn there_are_offers_for_every_key_and_nothing_for_what_is_no_offer() {
        assert_eq!(
            Language::ALL.map(|language| phrase(language, "press-2-to-leave-a-message").unwrap()),
            [
                "Press two to leave a message.",
                "Натиснете две, за да оставите съобщение.",
                "Нажмите два, чтобы оставить сообщение.",
            ]
        );
        let star = phrase(Language::English, "press-star-to-be-called-back");
        assert_eq!(star.as_deref(), Some("Press star to be called back without losing your place."));
        for name in ["no-such-phrase", "press-12-to-be-called-back", "press-1-to-dance", "press-", ""] {
            assert_eq!(phrase(Language::English, name), None, "{name}");
        }
    }
}
