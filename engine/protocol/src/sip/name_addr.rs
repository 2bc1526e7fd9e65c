//! From, To, Contact, Route and their kind: `"Name" <uri>;params`, or a bare URI (RFC 3261 §20.10).
//!
//! A bare URI ends at its first semicolon: what follows belongs to the header (§20). Written, a
//! name-addr always has its angle brackets.

use std::fmt;

use super::grammar;
use super::params::{Params, take_param};
use super::uri::{NotAUri, Uri};

/// A URI with a display name and parameters of the header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NameAddr {
    /// Without quotes and escapes; `None` when there is none.
    pub display: Option<String>,
    /// Who.
    pub uri: Uri,
    /// `;tag=`, `;expires=`, `;q=` ...
    pub params: Params,
}

impl NameAddr {
    /// Only a URI.
    pub fn new(uri: Uri) -> Self {
        Self { display: None, uri, params: Params::new() }
    }

    /// Reads one value; of a list, one item.
    pub fn parse(text: &str) -> Result<NameAddr, NotAUri> {
        let (display, uri, params) = Self::parts(text).ok_or(NotAUri)?;
        let display = match display {
            // §20: a URI with a comma, question mark or semicolon must stand in angle brackets.
            None if uri.contains([',', '?']) => return Err(NotAUri),
            None | Some("") => None,
            Some(quoted) if quoted.starts_with('"') => Some(grammar::unquote(quoted).into_owned()),
            // More than tokens (§25.1 display-name): `Ana (office)` is what telephones send.
            Some(name) if name.contains(['"', ',', ';', '\\', '>']) => return Err(NotAUri),
            Some(name) => Some(name.to_owned()),
        };
        Ok(NameAddr { display, uri: Uri::parse(uri)?, params: Params::parse(params).ok_or(NotAUri)? })
    }

    /// Display name, URI and parameters of a value as they were written, none of them read; the first is `None` where
    /// there are no angle brackets.
    fn parts(text: &str) -> Option<(Option<&str>, &str, &str)> {
        let text = grammar::trim(text);
        let from_bracket = match text.starts_with('"') {
            true => grammar::take_quoted(text)?.1,
            false => grammar::split_before(text, b'<').1,
        };
        if from_bracket.is_empty() && !text.starts_with('"') {
            let (uri, params) = grammar::split_before(text, b';');
            return Some((None, grammar::trim(uri), params));
        }
        let display = &text[..text.len() - from_bracket.len()];
        let (uri, params) = grammar::split(grammar::trim_start(from_bracket).strip_prefix('<')?, b'>')?;
        Some((Some(grammar::trim(display)), uri, params))
    }

    /// The tag of a From or To that nobody has read yet: what decides whose message this is, before anything else of
    /// it is looked at.
    pub(super) fn tag_in(text: &str) -> Option<&str> {
        let mut rest = grammar::trim_start(Self::parts(text)?.2);
        while let Some((name, value, after)) = take_param(rest) {
            if name.eq_ignore_ascii_case("tag") {
                return value;
            }
            rest = after;
        }
        None
    }

    /// The URI of a value whose display name and parameters are not needed.
    pub(super) fn uri_in(text: &str) -> Option<Uri> {
        Uri::parse(Self::parts(text)?.1).ok()
    }

    /// The `tag` parameter of From and To.
    pub fn tag(&self) -> Option<&str> {
        self.params.get("tag")
    }

    /// The same with this tag.
    pub fn with_tag(mut self, tag: &str) -> Self {
        self.params.set("tag", Some(tag));
        self
    }
}

impl fmt::Display for NameAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(display) = &self.display {
            grammar::write_quoted(display, f)?;
            f.write_str(" ")?;
        }
        write!(f, "<{}>{}", self.uri, self.params)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> NameAddr {
        NameAddr::parse(text).unwrap_or_else(|_| panic!("{text}"))
    }

    #[test]
    fn what_is_read_alone_is_what_reading_all_of_it_says() {
        for text in [
            "<sip:a@b>;tag=1",
            " \"A <x>;tag=2\" <sip:a@b;tag=3>\t; x=\"<;tag=4\" ; TAG = 5 ",
            "sip:a@b;tag=1",
            "A B <sip:a@b>",
            "<sip:a@b>;tag;x",
            "tel:+1;tag=x",
        ] {
            let all = read(text);
            assert_eq!(NameAddr::tag_in(text), all.tag(), "{text}");
            assert_eq!(NameAddr::uri_in(text).as_ref(), Some(&all.uri), "{text}");
        }
        for text in ["", "\"A", "<sip:a@b", "x", "<>", "<sip:a@b>tag=1", "\"A\" \"B\""] {
            assert_eq!(NameAddr::tag_in(text), None, "{text}");
        }
    }

    #[test]
    fn rfc3261_20_forms_of_a_name_addr() {
        let quoted = read("\"Doe, John \\\"JD\\\" <x>\"   <sip:jd@example.com;lr>\t; tag = f7");
        assert_eq!(quoted.display.as_deref(), Some("Doe, John \"JD\" <x>"));
        assert_eq!(quoted.tag(), Some("f7"));
        assert_eq!(quoted.uri.to_string(), "sip:jd@example.com;lr");
        assert_eq!(read(&quoted.to_string()), quoted);

        assert_eq!(read("caller<sip:caller@example.com>;tag=323").display.as_deref(), Some("caller"));
        assert_eq!(read("T. desk phone <sip:a@b>").display.as_deref(), Some("T. desk phone"));
        assert_eq!(read("Ana (office) <sip:a@b>").display.as_deref(), Some("Ana (office)"));
        assert_eq!(read("\"\" <sip:a@b>").display.as_deref(), Some(""));
        assert_eq!(read("<sip:a@b>").display, None);

        let bare = read("sip:a@b;user=phone;tag=1");
        assert_eq!(bare.uri.to_string(), "sip:a@b");
        assert_eq!(bare.params.get("user"), Some("phone"));
        assert_eq!(bare.to_string(), "<sip:a@b>;user=phone;tag=1");
    }

    #[test]
    fn what_is_no_name_addr_is_refused() {
        for bad in [
            "",
            "\"Mr. J. User <sip:j.user@example.com>",
            "< sip:a@b >",
            "<sip:a@b",
            "sip:a@b>",
            "<sip:a@b>;;",
            "<sip:a@b> x",
            "a,b <sip:a@b>",
            "sip:a@b?Route=c",
            "\"a\" sip:a@b",
            "sip:a@b, sip:c@d",
        ] {
            assert!(NameAddr::parse(bad).is_err(), "{bad}");
        }
    }
}
