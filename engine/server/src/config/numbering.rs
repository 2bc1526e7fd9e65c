//! `[tenant.numbering]` and `numbers` of a trunk: how a number is written inside, which is E.164 with "+" (ITU-T E.164 §6),
//! and how users and each carrier write it. A number that no rule reads, an extension or a short code, stays as it is.

use super::section::{Section, Text, hint};

/// Digits from which on a number without any prefix is one of the area; fewer are a short code.
const LOCAL: usize = 5;
/// ITU-T E.164 §6.2.1: digits of a number with its country.
const LONGEST: usize = 15;

/// How numbers are dialled where the tenant is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Numbering {
    /// `country`: its code, without "+".
    pub country: String,
    /// `national`: what stands before a number of the country; empty where nothing does.
    pub national: String,
    /// `international`: what stands before a country code.
    pub international: String,
    /// `area`: of numbers that are dialled without `national`; none: those are left as they are.
    pub area: Option<String>,
}

/// How a carrier writes a number.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Notation {
    /// "as-is": however the other side does.
    #[default]
    AsIs,
    /// "e164": "+359888123456".
    E164,
    /// "plain": "359888123456".
    Plain,
    /// "international": "00359888123456".
    International,
    /// "national": "0888123456", and numbers of other countries as "international" does.
    National,
}

/// `numbers = { in = "plain", out = "national", prefix = "9" }` of a trunk.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TrunkNumbers {
    /// `in`: how it writes callers and numbers that are called.
    pub incoming: Notation,
    /// `out`: how it wants both written.
    pub outgoing: Notation,
    /// `prefix`: stands before each number that it is sent.
    pub prefix: String,
}

impl Notation {
    const ALL: [(&'static str, Self); 5] = [
        ("as-is", Self::AsIs),
        ("e164", Self::E164),
        ("plain", Self::Plain),
        ("international", Self::International),
        ("national", Self::National),
    ];
}

impl Numbering {
    /// The number in E.164, with "+", if it is one that anybody outside could be called by.
    pub fn e164(&self, dialled: &str) -> Option<String> {
        let plain: String = dialled.chars().filter(|c| !matches!(c, ' ' | '-' | '.' | '(' | ')')).collect();
        if let Some(digits) = plain.strip_prefix('+') {
            return whole(digits);
        }
        if let Some(digits) = plain.strip_prefix(&*self.international) {
            return whole(digits);
        }
        let Self { country, national, area, .. } = self;
        if let Some(digits) = plain.strip_prefix(&**national).filter(|_| !national.is_empty()) {
            return whole(&format!("{country}{digits}"));
        }
        if plain.len() < LOCAL {
            return None;
        }
        match area {
            Some(area) => whole(&format!("{country}{area}{plain}")),
            None if national.is_empty() => whole(&format!("{country}{plain}")),
            None => None,
        }
    }

    /// The number as a carrier writes it means this, in E.164; as it is where it can't be read.
    pub fn read(&self, notation: Notation, number: &str) -> String {
        let bare = || number.len() >= LOCAL && number.bytes().all(|byte| byte.is_ascii_digit());
        let read = match notation {
            Notation::AsIs => None,
            Notation::Plain if bare() => whole(number),
            // Many a carrier leaves the national prefix out.
            Notation::National if bare() && !self.has_prefix(number) => {
                whole(&format!("{}{number}", self.country))
            }
            Notation::E164 | Notation::Plain | Notation::International | Notation::National => {
                self.e164(number)
            }
        };
        read.unwrap_or_else(|| number.to_owned())
    }

    /// The number as a carrier wants it; as it is where it can't be read.
    pub fn write(&self, notation: Notation, number: &str) -> String {
        let Some(e164) = self.e164(number).filter(|_| notation != Notation::AsIs) else {
            return number.to_owned();
        };
        let digits = &e164[1..];
        match (notation, digits.strip_prefix(&*self.country)) {
            (Notation::National, Some(rest)) => format!("{}{rest}", self.national),
            (Notation::National | Notation::International, _) => format!("{}{digits}", self.international),
            (Notation::Plain, _) => digits.to_owned(),
            (Notation::AsIs | Notation::E164, _) => e164,
        }
    }

    fn has_prefix(&self, number: &str) -> bool {
        number.starts_with(&self.international)
            || (!self.national.is_empty() && number.starts_with(&self.national))
    }
}

/// "+" and the digits, if that may be a number with its country.
fn whole(digits: &str) -> Option<String> {
    let may = (7..=LONGEST).contains(&digits.len())
        && !digits.starts_with('0')
        && digits.bytes().all(|byte| byte.is_ascii_digit());
    may.then(|| format!("+{digits}"))
}

/// Reads `[tenant.numbering]`.
pub(super) fn numbering(section: Section<'_, '_>) -> Option<Numbering> {
    let digits = |key: &str, example: &str, most: usize| {
        let text = section.text(key, example)?;
        let value = text.value.strip_prefix('+').filter(|_| key == "country").unwrap_or(text.value);
        if value.len() > most || !value.bytes().all(|byte| byte.is_ascii_digit()) {
            let what =
                format!("\"{key}\" is \"{}\"; write up to {most} digits like \"{example}\"", text.value);
            section.mistake(text.line, what);
        }
        Some(value.to_owned())
    };
    let country = digits("country", "359", 3);
    if country.is_none() && !section.has("country") {
        section
            .mistake(section.line, format!("{} has no \"country\"; write country = \"359\"", section.name));
    }
    let trunkless = section.flag("no_national_prefix", false);
    let national = digits("national", "0", 4).filter(|_| !trunkless);
    let numbering = Numbering {
        national: national.unwrap_or_else(|| if trunkless { String::new() } else { "0".to_owned() }),
        international: digits("international", "00", 5).unwrap_or_else(|| "00".to_owned()),
        area: digits("area", "2", 6),
        country: country.unwrap_or_default(),
    };
    section.finish();
    Some(numbering).filter(|numbering| !numbering.country.is_empty())
}

/// Reads `numbers` of a trunk.
pub(super) fn trunk_numbers(section: Section<'_, '_>) -> TrunkNumbers {
    let notation = |key| match section.text(key, "plain") {
        None => Notation::default(),
        Some(Text { value, line }) => {
            let found = Notation::ALL.into_iter().find(|(name, _)| *name == value);
            if found.is_none() {
                let hint = hint(value, Notation::ALL.map(|(name, _)| name));
                section.mistake(line, format!("\"{value}\" is no way to write a number; {hint}"));
            }
            found.map(|(_, notation)| notation).unwrap_or_default()
        }
    };
    let prefix = section.text("prefix", "9");
    if let Some(prefix) =
        prefix.filter(|text| !text.value.bytes().all(|b| b.is_ascii_digit() || b"*#".contains(&b)))
    {
        section.mistake(prefix.line, format!("\"{}\" is no prefix; write digits like \"9\"", prefix.value));
    }
    let numbers = TrunkNumbers {
        incoming: notation("in"),
        outgoing: notation("out"),
        prefix: prefix.map(|text| text.value.to_owned()).unwrap_or_default(),
    };
    section.finish();
    numbers
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sofia() -> Numbering {
        Numbering {
            country: "359".into(),
            national: "0".into(),
            international: "00".into(),
            area: Some("2".into()),
        }
    }

    #[test]
    fn what_users_dial_is_read_by_the_country_and_the_area() {
        let e164 = |dialled| sofia().e164(dialled);
        for (dialled, means) in [
            ("+359888123456", Some("+359888123456")),
            ("00 44 20 7946 0018", Some("+442079460018")),
            ("0888 123-456", Some("+359888123456")),
            ("9876543", Some("+35929876543")),
            ("112", None),
            ("+0123456789", None),
            ("+359888123456;ext=1", None),
            ("+3598881234567890", None),
            ("", None),
        ] {
            assert_eq!(e164(dialled).as_deref(), means, "{dialled}");
        }
    }

    #[test]
    fn a_country_without_national_prefix_and_one_with_another_way_out() {
        let madrid = Numbering {
            country: "34".into(),
            national: String::new(),
            international: "00".into(),
            area: None,
        };
        assert_eq!(madrid.e164("912345678").as_deref(), Some("+34912345678"));
        assert_eq!(madrid.write(Notation::National, "+34912345678"), "912345678");
        let boston = Numbering {
            country: "1".into(),
            national: "1".into(),
            international: "011".into(),
            area: Some("617".into()),
        };
        assert_eq!(boston.e164("12125550123").as_deref(), Some("+12125550123"));
        assert_eq!(boston.e164("5550123").as_deref(), Some("+16175550123"));
        assert_eq!(boston.e164("01135929876543").as_deref(), Some("+35929876543"));
    }

    #[test]
    fn a_carrier_reads_and_writes_its_own_way() {
        let numbering = sofia();
        for (notation, home, abroad) in [
            (Notation::AsIs, "+359888123456", "+442079460018"),
            (Notation::E164, "+359888123456", "+442079460018"),
            (Notation::Plain, "359888123456", "442079460018"),
            (Notation::International, "00359888123456", "00442079460018"),
            (Notation::National, "0888123456", "00442079460018"),
        ] {
            assert_eq!(numbering.write(notation, "+359888123456"), home, "{notation:?}");
            assert_eq!(numbering.write(notation, "+442079460018"), abroad, "{notation:?}");
            assert_eq!(numbering.read(notation, home), "+359888123456", "{notation:?}");
            assert_eq!(numbering.read(notation, abroad), "+442079460018", "{notation:?}");
            assert_eq!(numbering.write(notation, "112"), "112");
            assert_eq!(numbering.read(notation, "112"), "112");
        }
        assert_eq!(numbering.read(Notation::National, "888123456"), "+359888123456", "without its 0");
        assert_eq!(numbering.write(Notation::National, "0888123456"), "0888123456");
        assert_eq!(numbering.write(Notation::AsIs, "0888123456"), "0888123456");
    }
}
