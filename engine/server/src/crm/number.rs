//! A telephone number as it is compared: in international form with "+" or "00" or neither (ITU-T E.164), in national
//! form with a leading zero, with or without what is only written between digits; an extension as it is.

/// Numbers are looked up by so many of their last digits, and then compared.
pub const SUFFIX: usize = 7;
/// Digits of a country's code (ITU-T E.164 §6.2.1).
const COUNTRY_CODE: std::ops::RangeInclusive<usize> = 1..=3;
/// A longer text is no number.
const LONGEST: usize = 32;

/// The digits of a number: of an international one without "+" and "00".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Digits(String);

impl Digits {
    /// None where there are no digits, or something else than digits.
    pub fn read(number: &str) -> Option<Self> {
        let written = |c: &char| !matches!(c, ' ' | '\u{a0}' | '-' | '.' | '/' | '(' | ')');
        let plain: String = number.chars().filter(written).collect();
        let digits = plain.strip_prefix('+').or_else(|| plain.strip_prefix("00")).unwrap_or(&plain);
        let right = !digits.is_empty()
            && digits.len() <= LONGEST
            && digits.bytes().all(|b| b.is_ascii_digit() || b == b'*');
        right.then(|| Self(digits.to_owned()))
    }

    /// All of them.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The last [`SUFFIX`] of them, the same in all forms of one number.
    pub fn suffix(&self) -> &str {
        &self.0[self.0.len().saturating_sub(SUFFIX)..]
    }

    /// Whether both are one number, in whatever form.
    pub fn is_same_as(&self, other: &Self) -> bool {
        self == other || self.is_other_form_of(other)
    }

    /// Whether one is the national form of the other: a zero in place of the country's code.
    pub fn is_other_form_of(&self, other: &Self) -> bool {
        let national = |national: &str, whole: &str| {
            national.strip_prefix('0').is_some_and(|rest| {
                rest.len() >= SUFFIX
                    && !whole.starts_with('0')
                    && whole.strip_suffix(rest).is_some_and(|code| COUNTRY_CODE.contains(&code.len()))
            })
        };
        national(&self.0, &other.0) || national(&other.0, &self.0)
    }
}

/// Which of the numbers near by is meant: the one that is the same to the digit, else the other form of it; none when
/// there is none, or when a national number could be several's.
pub fn choose<'a, T: PartialEq>(wanted: &Digits, near: &'a [(Digits, T)]) -> Option<&'a T> {
    let exact = near.iter().find(|(known, _)| known == wanted);
    let found = exact.or_else(|| {
        let mut same = near.iter().filter(|(known, _)| known.is_other_form_of(wanted));
        let first = same.next()?;
        same.all(|(_, of)| *of == first.1).then_some(first)
    });
    found.map(|(_, of)| of)
}
