//! The languages that there are words for, and what their grammar asks of a number.

/// A language with words here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Language {
    /// "en"
    English,
    /// "bg"
    Bulgarian,
    /// "ru"
    Russian,
}

impl Language {
    /// Every one of them.
    pub const ALL: [Language; 3] = [Language::English, Language::Bulgarian, Language::Russian];

    /// By a BCP 47 tag, whose region and script say nothing here: "bg", "en-GB". None when there are
    /// no words in it; whoever speaks then says it in [`Language::English`], with an English voice, and
    /// tells of it.
    pub fn named(tag: &str) -> Option<Self> {
        let primary = tag.split(['-', '_']).next().unwrap_or(tag);
        Self::ALL.into_iter().find(|language| language.tag().eq_ignore_ascii_case(primary))
    }

    /// "en", "bg", "ru".
    pub fn tag(self) -> &'static str {
        match self {
            Language::English => "en",
            Language::Bulgarian => "bg",
            Language::Russian => "ru",
        }
    }

    /// Which form of a noun a count of it takes (CLDR, plural rules of whole numbers).
    pub(crate) fn plural(self, n: u32) -> Plural {
        match (self, n % 10, n % 100) {
            (Language::Russian, 1, tens) if tens != 11 => Plural::One,
            (Language::Russian, 2..=4, tens) if !(12..=14).contains(&tens) => Plural::Few,
            (Language::Russian, ..) => Plural::Many,
            _ if n == 1 => Plural::One,
            _ => Plural::Many,
        }
    }
}

/// The gender of what is counted. English has none, and does not look at it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Gender {
    /// один час, един час
    Masculine,
    /// одна минута, една минута
    Feminine,
    /// одно место, едно място
    Neuter,
    /// Men, or men and women: двама души. Russian counts them as masculine.
    Persons,
}

/// A plural category. English and Bulgarian know one and many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Plural {
    One,
    Few,
    Many,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_language_is_found_by_the_first_part_of_its_tag() {
        assert_eq!(Language::named("bg"), Some(Language::Bulgarian));
        assert_eq!(Language::named("en-GB"), Some(Language::English));
        assert_eq!(Language::named("RU"), Some(Language::Russian));
        for unknown in ["de", "", "english", "bgx"] {
            assert_eq!(Language::named(unknown), None, "{unknown}");
        }
    }
}
