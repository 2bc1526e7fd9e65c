//! `[tenant.tolls]`: where a tenant's calls may go and how many, so that a telephone whose password was found out costs
//! little. What is counted is in [`exchange::TollLimits`].

use exchange::TollLimits;

use super::numbering::Numbering;
use super::section::Section;

/// What a tenant's calls to carriers are bounded by; nothing unless `[tenant.tolls]` says so.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tolls {
    /// `allow`: beginnings of numbers in E.164, and short numbers; all if empty.
    pub allow: Vec<String>,
    /// `deny`: the same; of both the longest beginning decides.
    pub deny: Vec<String>,
    /// `always`: numbers that are never held back nor counted, for emergencies.
    pub always: Vec<String>,
    /// `calls_at_once`, `calls_per_hour`, `minutes_per_hour`, `user_calls_per_hour`, `user_minutes_per_hour`.
    pub limits: TollLimits,
}

impl Tolls {
    /// Whether the destination is one that the tenant allows. A number of which nobody knows the country is none, where
    /// any are named: a carrier might know it.
    pub fn allows(&self, numbering: Option<&Numbering>, number: &str) -> bool {
        if self.allow.is_empty() && self.deny.is_empty() {
            return true;
        }
        let known = match numbering {
            Some(numbering) => numbering.e164(number),
            None => number.strip_prefix('+').map(|digits| format!("+{digits}")),
        };
        let known = known.unwrap_or_else(|| number.to_owned());
        let digits = known.strip_prefix('+').unwrap_or(&known);
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return false;
        }
        let longest = |list: &[String]| {
            list.iter().filter(|prefix| known.starts_with(&***prefix)).map(String::len).max()
        };
        match (longest(&self.allow), longest(&self.deny)) {
            (None, None) => self.allow.is_empty() && (known.starts_with('+') || digits.len() <= SHORT),
            (allowed, denied) => allowed > denied,
        }
    }
}

/// The digits of a number that means the same to every carrier of a country and costs no more than a call there.
const SHORT: usize = 5;

/// Reads `[tenant.tolls]`.
pub(super) fn tolls(section: Section<'_, '_>) -> Tolls {
    let list = |key: &str, example: &str| {
        let texts = section.texts(key, example).unwrap_or_default();
        for text in &texts {
            let digits = text.value.strip_prefix('+').unwrap_or(text.value);
            if digits.is_empty()
                || !digits.bytes().all(|byte| byte.is_ascii_digit())
                || (digits == text.value && digits.len() > SHORT)
            {
                let what = format!(
                    "\"{}\" begins no number; write \"+\" and digits like \"+3592\", or a short number",
                    text.value
                );
                section.mistake(text.line, what);
            }
        }
        texts.into_iter().map(|text| text.value.to_owned()).collect::<Vec<_>>()
    };
    let always = match section.has("always") {
        true => list("always", r#"["112"]"#),
        false => ["112", "911"].map(str::to_owned).to_vec(),
    };
    let count = |key| section.integer(key, 0..=1_000_000, 0) as u32;
    let tolls = Tolls {
        allow: list("allow", r#"["+359", "+44"]"#),
        deny: list("deny", r#"["+359900", "+882"]"#),
        always,
        limits: TollLimits {
            calls_at_once: count("calls_at_once"),
            calls_per_hour: count("calls_per_hour"),
            minutes_per_hour: count("minutes_per_hour"),
            user_calls_per_hour: count("user_calls_per_hour"),
            user_minutes_per_hour: count("user_minutes_per_hour"),
        },
    };
    section.finish();
    tolls
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tolls(allow: &[&str], deny: &[&str]) -> Tolls {
        let list = |of: &[&str]| of.iter().map(|text| (*text).to_owned()).collect();
        Tolls { allow: list(allow), deny: list(deny), ..Tolls::default() }
    }

    #[test]
    fn the_longest_beginning_decides_whichever_way_the_number_is_dialled() {
        let sofia = Numbering {
            country: "359".into(),
            national: "0".into(),
            international: "00".into(),
            area: Some("2".into()),
        };
        let some = tolls(&["+359", "+44", "+359900700"], &["+359900", "+4470"]);
        for (number, may) in [
            ("+359888123456", true),
            ("0888123456", true),
            ("9876543", true),
            ("0900123456", false),
            ("00359900123456", false),
            ("+359900700123", true),
            ("+447012345678", false),
            ("+442079460018", true),
            ("+8821333000", false),
            ("166", false),
        ] {
            assert_eq!(some.allows(Some(&sofia), number), may, "{number}");
        }
    }

    #[test]
    fn what_only_a_carrier_could_read_is_not_allowed_where_destinations_are_named() {
        let some = tolls(&[], &["+359900"]);
        assert!(some.allows(None, "+359888123456") && some.allows(None, "166"));
        for number in ["0900123456", "+359900123456", "00359900123456", "+359888123456;ext=1", "", "+", "a"] {
            assert!(!some.allows(None, number), "{number}");
        }
        assert!(tolls(&[], &[]).allows(None, "0900123456"), "nothing is named");
    }
}
