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
        let text = grammar::trim(text);
        let (display, from_bracket) = if text.starts_with('"') {
            let (inner, rest) = grammar::take_quoted(text).ok_or(NotAUri)?;
            (Some(grammar::unescape_quoted(inner).into_owned()), grammar::trim_start(rest))
        } else {
            match grammar::split_before(text, b'<') {
                (name, from_bracket) if !from_bracket.is_empty() => {
                    let name = grammar::trim(name);
                    // More than tokens (§25.1 display-name): `Ana (office)` is what telephones send.
                    if name.contains(['"', ',', ';', '\\', '>']) {
                        return Err(NotAUri);
                    }
                    ((!name.is_empty()).then(|| name.to_owned()), from_bracket)
                }
                _ => return Self::parse_bare(text),
            }
        };
        let (uri, params) =
            from_bracket.strip_prefix('<').and_then(|t| grammar::split(t, b'>')).ok_or(NotAUri)?;
        Ok(NameAddr { display, uri: Uri::parse(uri)?, params: Params::parse(params).ok_or(NotAUri)? })
    }

    /// §20: a URI with a comma, question mark or semicolon must stand in angle brackets.
    fn parse_bare(text: &str) -> Result<NameAddr, NotAUri> {
        let (uri, params) = grammar::split_before(text, b';');
        let uri = grammar::trim(uri);
        if uri.contains([',', '?']) {
            return Err(NotAUri);
        }
        let params = Params::parse(params).ok_or(NotAUri)?;
        Ok(NameAddr { display: None, uri: Uri::parse(uri)?, params })
    }

    /// Where display name, URI and parameters stand in a value, none of them read: the second and the third as they
    /// were written. `None` for a value that can't be one.
    fn parts(text: &str) -> Option<(&str, &str)> {
        let text = grammar::trim(text);
        let named = if text.starts_with('"') { grammar::take_quoted(text)?.1 } else { text };
        match grammar::split(named, b'<') {
            Some((_, from_bracket)) => grammar::split(from_bracket, b'>'),
            None => Some(grammar::split_before(text, b';')),
        }
    }

    /// The tag of a From or To that nobody has read yet: what decides whose message this is, before anything else of
    /// it is looked at.
    pub(super) fn tag_in(text: &str) -> Option<&str> {
        let mut rest = grammar::trim_start(Self::parts(text)?.1);
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
        Uri::parse(grammar::trim(Self::parts(text)?.0)).ok()
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
