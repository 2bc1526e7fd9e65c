//! So many of something: the noun in the form that its number asks for, and the number in the gender
//! of the noun. The catalogue is small, and holds what callers are told of.

use crate::cardinal::cardinal;
use crate::language::{Gender, Language, Plural};

/// What there are words for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // each is the English word
pub enum Noun {
    Second,
    Minute,
    Hour,
    Day,
    Week,
    Month,
    Year,
    Call,
    Message,
    Person,
    Caller,
    Customer,
    Agent,
    Order,
    Product,
    Place,
    Euro,
    Cent,
    Percent,
}

use Gender::{Feminine, Masculine, Neuter, Persons};

/// English: one and many. Bulgarian: gender, one, and after a number (nouns of men and things differ:
/// "два часа"). Russian: gender, one, two to four, five and more.
type Row = (Noun, [&'static str; 2], Gender, [&'static str; 2], Gender, [&'static str; 3]);

#[rustfmt::skip]
const CATALOGUE: [Row; 19] = [
    (Noun::Second, ["second", "seconds"], Feminine, ["секунда", "секунди"], Feminine, ["секунда", "секунды", "секунд"]),
    (Noun::Minute, ["minute", "minutes"], Feminine, ["минута", "минути"], Feminine, ["минута", "минуты", "минут"]),
    (Noun::Hour, ["hour", "hours"], Masculine, ["час", "часа"], Masculine, ["час", "часа", "часов"]),
    (Noun::Day, ["day", "days"], Masculine, ["ден", "дни"], Masculine, ["день", "дня", "дней"]),
    (Noun::Week, ["week", "weeks"], Feminine, ["седмица", "седмици"], Feminine, ["неделя", "недели", "недель"]),
    (Noun::Month, ["month", "months"], Masculine, ["месец", "месеца"], Masculine, ["месяц", "месяца", "месяцев"]),
    (Noun::Year, ["year", "years"], Feminine, ["година", "години"], Masculine, ["год", "года", "лет"]),
    (Noun::Call, ["call", "calls"], Neuter, ["обаждане", "обаждания"], Masculine, ["звонок", "звонка", "звонков"]),
    (Noun::Message, ["message", "messages"], Neuter, ["съобщение", "съобщения"], Neuter, ["сообщение", "сообщения", "сообщений"]),
    (Noun::Person, ["person", "people"], Persons, ["човек", "души"], Masculine, ["человек", "человека", "человек"]),
    (Noun::Caller, ["caller", "callers"], Persons, ["чакащ", "чакащи"], Masculine, ["звонящий", "звонящих", "звонящих"]),
    (Noun::Customer, ["customer", "customers"], Persons, ["клиент", "клиенти"], Masculine, ["клиент", "клиента", "клиентов"]),
    (Noun::Agent, ["agent", "agents"], Persons, ["консултант", "консултанти"], Masculine, ["оператор", "оператора", "операторов"]),
    (Noun::Order, ["order", "orders"], Feminine, ["поръчка", "поръчки"], Masculine, ["заказ", "заказа", "заказов"]),
    (Noun::Product, ["product", "products"], Masculine, ["продукт", "продукта"], Masculine, ["товар", "товара", "товаров"]),
    (Noun::Place, ["place", "places"], Neuter, ["място", "места"], Neuter, ["место", "места", "мест"]),
    (Noun::Euro, ["euro", "euros"], Neuter, ["евро", "евро"], Masculine, ["евро", "евро", "евро"]),
    (Noun::Cent, ["cent", "cents"], Masculine, ["цент", "цента"], Masculine, ["цент", "цента", "центов"]),
    (Noun::Percent, ["percent", "percent"], Masculine, ["процент", "процента"], Masculine, ["процент", "процента", "процентов"]),
];

impl Noun {
    /// By its English word, one or many: "minute", "minutes".
    pub fn named(word: &str) -> Option<Self> {
        let word = word.trim();
        let found = |row: &&Row| row.1.iter().any(|form| form.eq_ignore_ascii_case(word));
        CATALOGUE.iter().find(found).map(|row| row.0)
    }

    fn row(self) -> &'static Row {
        // Every noun has a row, in the order of the nouns: the test says so.
        &CATALOGUE[self as usize]
    }

    /// Its gender.
    pub fn gender(self, language: Language) -> Gender {
        let (_, _, bulgarian, _, russian, _) = *self.row();
        match language {
            Language::English => Neuter,
            Language::Bulgarian => bulgarian,
            Language::Russian => russian,
        }
    }

    /// The form that follows a number: "минути" after 21 in Bulgarian, "минута" in Russian.
    pub fn counted(self, language: Language, n: u32) -> &'static str {
        let (_, english, _, bulgarian, _, russian) = self.row();
        match (language, language.plural(n)) {
            (Language::English, Plural::One) => english[0],
            (Language::English, _) => english[1],
            (Language::Bulgarian, Plural::One) => bulgarian[0],
            (Language::Bulgarian, _) => bulgarian[1],
            (Language::Russian, Plural::One) => russian[0],
            (Language::Russian, Plural::Few) => russian[1],
            (Language::Russian, Plural::Many) => russian[2],
        }
    }
}

/// "two minutes", "две минути", "двадцать одна минута"; below zero with "minus" in front.
pub fn quantity(language: Language, n: i32, noun: Noun) -> String {
    let count = n.unsigned_abs();
    let words = cardinal(language, count, noun.gender(language));
    let minus = match (n < 0, language) {
        (false, _) => "",
        (true, Language::English) => "minus ",
        (true, _) => "минус ",
    };
    format!("{minus}{words} {}", noun.counted(language, count))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(language: Language, noun: Noun, expected: &[(i32, &str)]) {
        for (n, words) in expected {
            assert_eq!(quantity(language, *n, noun), *words);
        }
    }

    #[test]
    fn the_catalogue_is_in_the_order_of_its_nouns() {
        for (at, row) in CATALOGUE.iter().enumerate() {
            assert_eq!(row.0 as usize, at);
            assert_eq!(Noun::named(row.1[0]), Some(row.0));
            assert_eq!(Noun::named(row.1[1]), Some(row.0));
        }
        assert_eq!(Noun::named("minutes "), Some(Noun::Minute));
        assert_eq!(Noun::named("elephant"), None);
    }

    #[test]
    fn english_quantities() {
        all(
            Language::English,
            Noun::Minute,
            &[(0, "zero minutes"), (1, "one minute"), (2, "two minutes"), (21, "twenty-one minutes")],
        );
        all(Language::English, Noun::Person, &[(1, "one person"), (-3, "minus three people")]);
    }

    #[test]
    fn bulgarian_quantities() {
        all(
            Language::Bulgarian,
            Noun::Minute,
            &[
                (0, "нула минути"),
                (1, "една минута"),
                (2, "две минути"),
                (5, "пет минути"),
                (21, "двадесет и една минути"),
                (22, "двадесет и две минути"),
                (101, "сто и една минути"),
                (112, "сто и дванадесет минути"),
            ],
        );
        all(
            Language::Bulgarian,
            Noun::Hour,
            &[
                (1, "един час"),
                (2, "два часа"),
                (5, "пет часа"),
                (21, "двадесет и един часа"),
                (100, "сто часа"),
            ],
        );
        all(
            Language::Bulgarian,
            Noun::Person,
            &[(1, "един човек"), (2, "двама души"), (5, "петима души"), (11, "единадесет души")],
        );
        all(
            Language::Bulgarian,
            Noun::Caller,
            &[(1, "един чакащ"), (3, "трима чакащи"), (7, "седем чакащи")],
        );
        all(Language::Bulgarian, Noun::Message, &[(1, "едно съобщение"), (2, "две съобщения")]);
        all(Language::Bulgarian, Noun::Euro, &[(1, "едно евро"), (1001, "хиляда и едно евро")]);
    }

    #[test]
    fn russian_quantities() {
        all(
            Language::Russian,
            Noun::Minute,
            &[
                (0, "ноль минут"),
                (1, "одна минута"),
                (2, "две минуты"),
                (4, "четыре минуты"),
                (5, "пять минут"),
                (11, "одиннадцать минут"),
                (12, "двенадцать минут"),
                (14, "четырнадцать минут"),
                (21, "двадцать одна минута"),
                (22, "двадцать две минуты"),
                (25, "двадцать пять минут"),
                (100, "сто минут"),
                (101, "сто одна минута"),
                (111, "сто одиннадцать минут"),
                (112, "сто двенадцать минут"),
                (121, "сто двадцать одна минута"),
                (1000, "тысяча минут"),
                (1001, "тысяча одна минута"),
                (2000, "две тысячи минут"),
                (21_000, "двадцать одна тысяча минут"),
            ],
        );
        all(
            Language::Russian,
            Noun::Hour,
            &[(1, "один час"), (2, "два часа"), (5, "пять часов"), (21, "двадцать один час")],
        );
        all(
            Language::Russian,
            Noun::Year,
            &[
                (1, "один год"),
                (3, "три года"),
                (5, "пять лет"),
                (11, "одиннадцать лет"),
                (21, "двадцать один год"),
            ],
        );
        all(
            Language::Russian,
            Noun::Message,
            &[(1, "одно сообщение"), (2, "два сообщения"), (5, "пять сообщений")],
        );
        all(Language::Russian, Noun::Person, &[(2, "два человека"), (5, "пять человек")]);
    }
}
