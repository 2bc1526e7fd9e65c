//! Places in a row: first to nine hundred and ninety-ninth. Only the last word is an ordinal; what
//! stands before it is said as a cardinal.

use crate::cardinal::cardinal;
use crate::language::{Gender, Language};

/// Further places have no words here: nobody counts them.
pub const MOST_ORDINAL: u32 = 999;

const ENGLISH: [&str; 20] = [
    "",
    "first",
    "second",
    "third",
    "fourth",
    "fifth",
    "sixth",
    "seventh",
    "eighth",
    "ninth",
    "tenth",
    "eleventh",
    "twelfth",
    "thirteenth",
    "fourteenth",
    "fifteenth",
    "sixteenth",
    "seventeenth",
    "eighteenth",
    "nineteenth",
];

/// Without the ending, which is "и" for a man and "а", "о" otherwise.
const BULGARIAN: [&str; 11] =
    ["", "първ", "втор", "трет", "четвърт", "пет", "шест", "седм", "осм", "девет", "десет"];

/// Without the ending, and the masculine one.
const RUSSIAN: [(&str, &str); 11] = [
    ("", ""),
    ("перв", "ый"),
    ("втор", "ой"),
    ("трет", "ий"),
    ("четвёрт", "ый"),
    ("пят", "ый"),
    ("шест", "ой"),
    ("седьм", "ой"),
    ("восьм", "ой"),
    ("девят", "ый"),
    ("десят", "ый"),
];
const RUSSIAN_TENS: [(&str, &str); 10] = [
    ("", ""),
    ("десят", "ый"),
    ("двадцат", "ый"),
    ("тридцат", "ый"),
    ("сороков", "ой"),
    ("пятидесят", "ый"),
    ("шестидесят", "ый"),
    ("семидесят", "ый"),
    ("восьмидесят", "ый"),
    ("девяност", "ый"),
];
const RUSSIAN_HUNDREDS: [&str; 10] = [
    "",
    "сот",
    "двухсот",
    "трёхсот",
    "четырёхсот",
    "пятисот",
    "шестисот",
    "семисот",
    "восьмисот",
    "девятисот",
];

/// The place in words: "twenty-first", "двадесет и първо", "двадцать первое". None for 0 and for more
/// than [`MOST_ORDINAL`].
pub fn ordinal(language: Language, n: u32, gender: Gender) -> Option<String> {
    match language {
        Language::Russian => russian(
            n,
            match gender {
                Gender::Masculine | Gender::Persons => Ending::Masculine,
                Gender::Feminine => Ending::Feminine,
                Gender::Neuter => Ending::Neuter,
            },
        ),
        Language::English => with_last(language, n, |last| {
            if last < 20 {
                return ENGLISH[last as usize].to_owned();
            }
            let stem = cardinal(language, last, Gender::Neuter);
            // twenty, ninety: twentieth, ninetieth; hundred: hundredth
            stem.strip_suffix('y').map_or_else(|| format!("{stem}th"), |stem| format!("{stem}ieth"))
        }),
        Language::Bulgarian => with_last(language, n, |last| {
            let (stem, ending) = match last {
                0..=10 => (BULGARIAN[last as usize].to_owned(), "и"),
                11..=99 => (cardinal(language, last, Gender::Masculine), "и"),
                100 => ("стот".to_owned(), "ен"),
                // двестотен, тристотен; четиристотен
                200 => ("двестот".to_owned(), "ен"),
                300 => ("тристот".to_owned(), "ен"),
                _ => {
                    let word = cardinal(language, last, Gender::Masculine);
                    (word.trim_end_matches("ин").to_owned(), "ен")
                }
            };
            match (gender, ending) {
                (Gender::Masculine | Gender::Persons, ending) => format!("{stem}{ending}"),
                // стотен, стотна
                (Gender::Feminine, "ен") => format!("{stem}на"),
                (Gender::Neuter, "ен") => format!("{stem}но"),
                (Gender::Feminine, _) => format!("{stem}а"),
                (Gender::Neuter, _) => format!("{stem}о"),
            }
        }),
    }
}

/// "двадцать третьего": what a day of a month is in "until the twenty-third" and "on the third".
pub(crate) fn russian_genitive_neuter(n: u32) -> Option<String> {
    russian(n, Ending::GenitiveNeuter)
}

#[derive(Clone, Copy)]
enum Ending {
    Masculine,
    Feminine,
    Neuter,
    GenitiveNeuter,
}

fn russian(n: u32, ending: Ending) -> Option<String> {
    with_last(Language::Russian, n, |last| {
        let (stem, masculine) = match last {
            0..=10 => RUSSIAN[last as usize],
            11..=19 => {
                let word = cardinal(Language::Russian, last, Gender::Masculine);
                return format!("{}{}", word.trim_end_matches('ь'), ending.after_hard("ый"));
            }
            20..=99 => RUSSIAN_TENS[last as usize / 10],
            _ => (RUSSIAN_HUNDREDS[last as usize / 100], "ый"),
        };
        match (last, ending) {
            (3, Ending::Feminine) => "третья".to_owned(),
            (3, Ending::Neuter) => "третье".to_owned(),
            (3, Ending::GenitiveNeuter) => "третьего".to_owned(),
            _ => format!("{stem}{}", ending.after_hard(masculine)),
        }
    })
}

impl Ending {
    fn after_hard(self, masculine: &str) -> &str {
        match self {
            Self::Masculine => masculine,
            Self::Feminine => "ая",
            Self::Neuter => "ое",
            Self::GenitiveNeuter => "ого",
        }
    }
}

/// Says what stands before the last word as a cardinal, and the last word as `last` says it.
fn with_last(language: Language, n: u32, word: impl Fn(u32) -> String) -> Option<String> {
    if n == 0 || n > MOST_ORDINAL {
        return None;
    }
    let last = match (n % 100, n % 10) {
        (0, _) => n,
        (tens, 0) => tens,
        (tens @ 1..=19, _) => tens,
        (_, one) => one,
    };
    let before = n - last;
    if before == 0 {
        return Some(word(last));
    }
    // The cardinal of the whole ends in the cardinal of the last word: it shows how both are joined.
    let whole = cardinal(language, n, Gender::Masculine);
    let tail = cardinal(language, last, Gender::Masculine);
    Some(format!("{}{}", whole.strip_suffix(&tail).unwrap_or(&whole), word(last)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use Gender::{Feminine, Masculine, Neuter};

    fn all(language: Language, gender: Gender, expected: &[(u32, &str)]) {
        for (n, words) in expected {
            assert_eq!(ordinal(language, *n, gender).as_deref(), Some(*words), "{n}");
        }
    }

    #[test]
    fn english_places() {
        all(
            Language::English,
            Neuter,
            &[
                (1, "first"),
                (2, "second"),
                (3, "third"),
                (5, "fifth"),
                (11, "eleventh"),
                (12, "twelfth"),
                (20, "twentieth"),
                (21, "twenty-first"),
                (33, "thirty-third"),
                (40, "fortieth"),
                (100, "one hundredth"),
                (101, "one hundred and first"),
                (112, "one hundred and twelfth"),
                (120, "one hundred and twentieth"),
            ],
        );
    }

    #[test]
    fn bulgarian_places() {
        all(
            Language::Bulgarian,
            Neuter,
            &[
                (1, "първо"),
                (2, "второ"),
                (3, "трето"),
                (4, "четвърто"),
                (7, "седмо"),
                (8, "осмо"),
                (11, "единадесето"),
                (12, "дванадесето"),
                (20, "двадесето"),
                (21, "двадесет и първо"),
                (100, "стотно"),
                (101, "сто и първо"),
                (121, "сто двадесет и първо"),
                (400, "четиристотно"),
            ],
        );
        all(
            Language::Bulgarian,
            Masculine,
            &[(1, "първи"), (2, "втори"), (14, "четиринадесети"), (100, "стотен"), (200, "двестотен")],
        );
        all(Language::Bulgarian, Feminine, &[(1, "първа"), (22, "двадесет и втора"), (100, "стотна")]);
    }

    #[test]
    fn russian_places() {
        all(
            Language::Russian,
            Neuter,
            &[
                (1, "первое"),
                (2, "второе"),
                (3, "третье"),
                (4, "четвёртое"),
                (8, "восьмое"),
                (11, "одиннадцатое"),
                (12, "двенадцатое"),
                (20, "двадцатое"),
                (23, "двадцать третье"),
                (40, "сороковое"),
                (100, "сотое"),
                (101, "сто первое"),
                (111, "сто одиннадцатое"),
            ],
        );
        all(
            Language::Russian,
            Masculine,
            &[
                (1, "первый"),
                (2, "второй"),
                (3, "третий"),
                (6, "шестой"),
                (40, "сороковой"),
                (90, "девяностый"),
            ],
        );
        all(Language::Russian, Feminine, &[(3, "третья"), (21, "двадцать первая"), (200, "двухсотая")]);
        assert_eq!(russian_genitive_neuter(23).as_deref(), Some("двадцать третьего"));
        assert_eq!(russian_genitive_neuter(14).as_deref(), Some("четырнадцатого"));
    }

    #[test]
    fn there_is_no_place_before_the_first_and_none_after_the_last() {
        for language in Language::ALL {
            assert_eq!(ordinal(language, 0, Neuter), None);
            assert!(ordinal(language, MOST_ORDINAL, Neuter).is_some());
            assert_eq!(ordinal(language, MOST_ORDINAL + 1, Neuter), None);
        }
    }
}
