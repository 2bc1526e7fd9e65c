//! Whole numbers in words, from 0 to four billion. Bulgarian joins the last word with "и"; Russian and
//! Bulgarian count thousands as feminine; Bulgarian has words of their own for two to six persons.

use crate::language::{Gender, Language, Plural};

const ENGLISH: [&str; 20] = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
];
const ENGLISH_TENS: [&str; 10] =
    ["", "ten", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"];

const BULGARIAN: [&str; 20] = [
    "нула",
    "един",
    "два",
    "три",
    "четири",
    "пет",
    "шест",
    "седем",
    "осем",
    "девет",
    "десет",
    "единадесет",
    "дванадесет",
    "тринадесет",
    "четиринадесет",
    "петнадесет",
    "шестнадесет",
    "седемнадесет",
    "осемнадесет",
    "деветнадесет",
];
const BULGARIAN_TENS: [&str; 10] = [
    "",
    "десет",
    "двадесет",
    "тридесет",
    "четиридесет",
    "петдесет",
    "шестдесет",
    "седемдесет",
    "осемдесет",
    "деветдесет",
];
const BULGARIAN_HUNDREDS: [&str; 10] = [
    "",
    "сто",
    "двеста",
    "триста",
    "четиристотин",
    "петстотин",
    "шестстотин",
    "седемстотин",
    "осемстотин",
    "деветстотин",
];

const RUSSIAN: [&str; 20] = [
    "ноль",
    "один",
    "два",
    "три",
    "четыре",
    "пять",
    "шесть",
    "семь",
    "восемь",
    "девять",
    "десять",
    "одиннадцать",
    "двенадцать",
    "тринадцать",
    "четырнадцать",
    "пятнадцать",
    "шестнадцать",
    "семнадцать",
    "восемнадцать",
    "девятнадцать",
];
const RUSSIAN_TENS: [&str; 10] = [
    "",
    "десять",
    "двадцать",
    "тридцать",
    "сорок",
    "пятьдесят",
    "шестьдесят",
    "семьдесят",
    "восемьдесят",
    "девяносто",
];
const RUSSIAN_HUNDREDS: [&str; 10] =
    ["", "сто", "двести", "триста", "четыреста", "пятьсот", "шестьсот", "семьсот", "восемьсот", "девятьсот"];

/// A number as it is counted with something of that gender: "двадесет и една", "двадцать одна".
pub fn cardinal(language: Language, n: u32, gender: Gender) -> String {
    if n == 0 {
        return small(language, 0, gender).to_owned();
    }
    let mut said = String::new();
    for (power, unit) in [(1_000_000_000, 3), (1_000_000, 2), (1000, 1), (1, 0)] {
        let count = n / power % 1000;
        if count == 0 {
            continue;
        }
        let last = n.is_multiple_of(power);
        let words = group(language, count, unit, said.is_empty(), gender);
        if !said.is_empty() {
            said.push_str(match language {
                // "one thousand and five", "two thousand one hundred"
                Language::English if unit == 0 && count < 100 => " and ",
                // The last word of all is joined, unless its own group has joined one already.
                Language::Bulgarian if last && is_one_word(count) => " и ",
                _ => " ",
            });
        }
        said.push_str(&words);
    }
    said
}

/// Whether Bulgarian says a number below 1000 in one word.
fn is_one_word(n: u32) -> bool {
    n < 20 || n < 100 && n.is_multiple_of(10) || n.is_multiple_of(100)
}

/// Up to 999 of a unit: 0 for ones, 1 for thousands, 2 for millions, 3 for billions.
fn group(language: Language, count: u32, unit: usize, first: bool, gender: Gender) -> String {
    let (gender, forms) = match (language, unit) {
        (_, 0) => return hundreds(language, count, gender),
        (Language::English, _) => (gender, [["thousand"; 3], ["million"; 3], ["billion"; 3]][unit - 1]),
        // Alone in front, it is not counted: "хиляда", "тысяча сто".
        (Language::Bulgarian, 1) if count == 1 => return "хиляда".to_owned(),
        (Language::Russian, 1) if count == 1 && first => return "тысяча".to_owned(),
        (Language::Bulgarian, 1) => (Gender::Feminine, ["хиляда", "хиляди", "хиляди"]),
        (Language::Bulgarian, 2) => (Gender::Masculine, ["милион", "милиона", "милиона"]),
        (Language::Bulgarian, _) => (Gender::Masculine, ["милиард", "милиарда", "милиарда"]),
        (Language::Russian, 1) => (Gender::Feminine, ["тысяча", "тысячи", "тысяч"]),
        (Language::Russian, 2) => (Gender::Masculine, ["миллион", "миллиона", "миллионов"]),
        (Language::Russian, _) => (Gender::Masculine, ["миллиард", "миллиарда", "миллиардов"]),
    };
    let form = match language.plural(count) {
        Plural::One => forms[0],
        Plural::Few => forms[1],
        Plural::Many => forms[2],
    };
    format!("{} {form}", hundreds(language, count, gender))
}

/// 1 to 999.
fn hundreds(language: Language, n: u32, gender: Gender) -> String {
    let (hundred, rest) = (n as usize / 100, n % 100);
    let tens = |tens: &[&str; 10], joint: &str| match (rest as usize / 10, rest % 10) {
        (0..=1, _) => small(language, rest, gender).to_owned(),
        (ten, 0) => tens[ten].to_owned(),
        (ten, one) => format!("{}{joint}{}", tens[ten], small(language, one, gender)),
    };
    match (language, hundred, rest) {
        (Language::English, 0, _) => tens(&ENGLISH_TENS, "-"),
        (Language::English, _, 0) => format!("{} hundred", ENGLISH[hundred]),
        (Language::English, ..) => format!("{} hundred and {}", ENGLISH[hundred], tens(&ENGLISH_TENS, "-")),
        (Language::Bulgarian, 0, _) => tens(&BULGARIAN_TENS, " и "),
        (Language::Bulgarian, _, 0) => BULGARIAN_HUNDREDS[hundred].to_owned(),
        (Language::Bulgarian, ..) => {
            let joint = if is_one_word(rest) { " и " } else { " " };
            format!("{}{joint}{}", BULGARIAN_HUNDREDS[hundred], tens(&BULGARIAN_TENS, " и "))
        }
        (Language::Russian, 0, _) => tens(&RUSSIAN_TENS, " "),
        (Language::Russian, _, 0) => RUSSIAN_HUNDREDS[hundred].to_owned(),
        (Language::Russian, ..) => format!("{} {}", RUSSIAN_HUNDREDS[hundred], tens(&RUSSIAN_TENS, " ")),
    }
}

/// 0 to 19.
fn small(language: Language, n: u32, gender: Gender) -> &'static str {
    match (language, n, gender) {
        (Language::English, ..) => ENGLISH[n as usize],
        (Language::Bulgarian, 1, Gender::Feminine) => "една",
        (Language::Bulgarian, 1, Gender::Neuter) => "едно",
        (Language::Bulgarian, 2, Gender::Feminine | Gender::Neuter) => "две",
        (Language::Bulgarian, 2..=6, Gender::Persons) => {
            ["двама", "трима", "четирима", "петима", "шестима"][n as usize - 2]
        }
        (Language::Bulgarian, ..) => BULGARIAN[n as usize],
        (Language::Russian, 1, Gender::Feminine) => "одна",
        (Language::Russian, 1, Gender::Neuter) => "одно",
        (Language::Russian, 2, Gender::Feminine) => "две",
        (Language::Russian, ..) => RUSSIAN[n as usize],
    }
}

/// The genitive of a Russian number, 0 to 59, as after "до" and "больше": "двадцати одного".
pub(crate) fn russian_genitive(n: u32, gender: Gender) -> String {
    const TENS: [&str; 6] = ["", "десяти", "двадцати", "тридцати", "сорока", "пятидесяти"];
    let small = |n: u32| match (n, gender) {
        (0, _) => "нуля".to_owned(),
        (1, Gender::Feminine) => "одной".to_owned(),
        (1, _) => "одного".to_owned(),
        (2, _) => "двух".to_owned(),
        (3, _) => "трёх".to_owned(),
        (4, _) => "четырёх".to_owned(),
        (8, _) => "восьми".to_owned(),
        // пять, девятнадцать: the soft sign turns into "и".
        (n, _) => format!("{}и", RUSSIAN[n as usize].trim_end_matches('ь')),
    };
    let n = n.min(59);
    match (n / 10, n % 10) {
        (0..=1, _) => small(n),
        (ten, 0) => TENS[ten as usize].to_owned(),
        (ten, one) => format!("{} {}", TENS[ten as usize], small(one)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Gender::{Feminine, Masculine, Neuter, Persons};

    fn all(language: Language, gender: Gender, expected: &[(u32, &str)]) {
        for (n, words) in expected {
            assert_eq!(cardinal(language, *n, gender), *words, "{n}");
        }
    }

    #[test]
    fn english_numbers() {
        all(
            Language::English,
            Masculine,
            &[
                (0, "zero"),
                (1, "one"),
                (2, "two"),
                (11, "eleven"),
                (12, "twelve"),
                (20, "twenty"),
                (21, "twenty-one"),
                (40, "forty"),
                (100, "one hundred"),
                (101, "one hundred and one"),
                (111, "one hundred and eleven"),
                (121, "one hundred and twenty-one"),
                (1000, "one thousand"),
                (1001, "one thousand and one"),
                (1100, "one thousand one hundred"),
                (2000, "two thousand"),
                (2345, "two thousand three hundred and forty-five"),
                (21_000, "twenty-one thousand"),
                (1_000_000, "one million"),
                (
                    999_999_999,
                    "nine hundred and ninety-nine million nine hundred and ninety-nine thousand nine hundred and ninety-nine",
                ),
                (2_000_000_001, "two billion and one"),
            ],
        );
    }

    #[test]
    fn bulgarian_numbers_join_the_last_word_and_have_genders() {
        all(
            Language::Bulgarian,
            Masculine,
            &[
                (0, "нула"),
                (1, "един"),
                (2, "два"),
                (4, "четири"),
                (5, "пет"),
                (11, "единадесет"),
                (12, "дванадесет"),
                (14, "четиринадесет"),
                (20, "двадесет"),
                (21, "двадесет и един"),
                (22, "двадесет и два"),
                (25, "двадесет и пет"),
                (100, "сто"),
                (101, "сто и един"),
                (110, "сто и десет"),
                (111, "сто и единадесет"),
                (112, "сто и дванадесет"),
                (120, "сто и двадесет"),
                (121, "сто двадесет и един"),
                (200, "двеста"),
                (1000, "хиляда"),
                (1001, "хиляда и един"),
                (1100, "хиляда и сто"),
                (1120, "хиляда сто и двадесет"),
                (1121, "хиляда сто двадесет и един"),
                (2000, "две хиляди"),
                (2026, "две хиляди двадесет и шест"),
                (21_000, "двадесет и една хиляди"),
                (21_100, "двадесет и една хиляди и сто"),
                (1_000_000, "един милион"),
                (1_000_001, "един милион и един"),
                (1_002_000, "един милион и две хиляди"),
                (1_021_000, "един милион двадесет и една хиляди"),
                (2_300_005, "два милиона триста хиляди и пет"),
                (21_000_000, "двадесет и един милиона"),
            ],
        );
        all(
            Language::Bulgarian,
            Feminine,
            &[(1, "една"), (2, "две"), (21, "двадесет и една"), (101, "сто и една"), (1002, "хиляда и две")],
        );
        all(Language::Bulgarian, Neuter, &[(1, "едно"), (2, "две"), (22, "двадесет и две")]);
        all(
            Language::Bulgarian,
            Persons,
            &[
                (1, "един"),
                (2, "двама"),
                (3, "трима"),
                (4, "четирима"),
                (5, "петима"),
                (6, "шестима"),
                (7, "седем"),
                (12, "дванадесет"),
                (22, "двадесет и двама"),
                (2000, "две хиляди"),
            ],
        );
    }

    #[test]
    fn russian_numbers_have_genders_and_decline_their_thousands() {
        all(
            Language::Russian,
            Masculine,
            &[
                (0, "ноль"),
                (1, "один"),
                (2, "два"),
                (4, "четыре"),
                (5, "пять"),
                (11, "одиннадцать"),
                (12, "двенадцать"),
                (14, "четырнадцать"),
                (21, "двадцать один"),
                (22, "двадцать два"),
                (25, "двадцать пять"),
                (40, "сорок"),
                (90, "девяносто"),
                (100, "сто"),
                (101, "сто один"),
                (111, "сто одиннадцать"),
                (112, "сто двенадцать"),
                (121, "сто двадцать один"),
                (1000, "тысяча"),
                (1001, "тысяча один"),
                (2000, "две тысячи"),
                (5000, "пять тысяч"),
                (11_000, "одиннадцать тысяч"),
                (21_000, "двадцать одна тысяча"),
                (22_000, "двадцать две тысячи"),
                (1_000_000, "один миллион"),
                (1_001_000, "один миллион одна тысяча"),
                (2_000_000, "два миллиона"),
                (25_000_000, "двадцать пять миллионов"),
            ],
        );
        all(
            Language::Russian,
            Feminine,
            &[(1, "одна"), (2, "две"), (21, "двадцать одна"), (112, "сто двенадцать"), (102, "сто две")],
        );
        all(Language::Russian, Neuter, &[(1, "одно"), (2, "два"), (21, "двадцать одно")]);
    }

    #[test]
    fn russian_genitives() {
        for (n, words) in [
            (1, "одного"),
            (2, "двух"),
            (3, "трёх"),
            (4, "четырёх"),
            (5, "пяти"),
            (6, "шести"),
            (7, "семи"),
            (8, "восьми"),
            (9, "девяти"),
            (10, "десяти"),
            (11, "одиннадцати"),
            (13, "тринадцати"),
            (18, "восемнадцати"),
            (20, "двадцати"),
            (21, "двадцати одного"),
            (30, "тридцати"),
            (45, "сорока пяти"),
            (58, "пятидесяти восьми"),
        ] {
            assert_eq!(russian_genitive(n, Masculine), words);
        }
        assert_eq!(russian_genitive(31, Feminine), "тридцати одной");
    }

    #[test]
    fn every_number_has_words() {
        for n in (0..5000).chain([999_999_999, u32::MAX]) {
            for language in Language::ALL {
                let words = cardinal(language, n, Masculine);
                assert!(!words.contains("  ") && !words.ends_with(' ') && !words.is_empty(), "{n}: {words}");
            }
        }
    }
}
