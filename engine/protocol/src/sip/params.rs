//! Parameters behind a semicolon: of URIs, of name-addrs, of Via (RFC 3261 §25.1 `generic-param`).
//!
//! Kept as one text, `;name=value;name`, without white space: a message has many of them and few are
//! ever asked for. Names compare without regard to case; values stay as they were written.

use std::borrow::Cow;
use std::fmt;

use super::grammar;

/// The most parameters of one value: they are looked up, and compared, one by one. A longer list is
/// malformed.
pub const MAX_PARAMS: usize = 64;

/// A list of parameters in order.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Params {
    /// Empty, or begins with `;`.
    text: String,
}

impl Params {
    /// None.
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads the parameters of a header: empty, or from the first `;` to the end, with white space
    /// allowed around `;` and `=`, and values that may be quoted. `None` when it is not that.
    pub fn parse(raw: &str) -> Option<Params> {
        let mut rest = grammar::trim_start(raw);
        let mut text = String::with_capacity(rest.len());
        let mut count = 0;
        while !rest.is_empty() {
            count += 1;
            if count > MAX_PARAMS {
                return None;
            }
            let (name, value, after) = take_param(rest)?;
            text.push(';');
            text.push_str(name);
            if let Some(value) = value {
                text.push('=');
                text.push_str(value);
            }
            rest = after;
        }
        Some(Params { text })
    }

    /// Reads the parameters of a URI: like [`Params::parse`] without white space and quotes.
    pub(crate) fn parse_uri(raw: &str) -> Option<Params> {
        let fits = |piece: &str| {
            let (name, value) = piece.split_once('=').map_or((piece, None), |(n, v)| (n, Some(v)));
            !name.is_empty()
                && name.bytes().all(is_uri_byte)
                && value.is_none_or(|v| v.bytes().all(is_value_byte))
        };
        match raw.strip_prefix(';') {
            None if raw.is_empty() => Some(Params::new()),
            Some(list) if list.bytes().filter(|b| *b == b';').count() >= MAX_PARAMS => None,
            Some(list) if list.split(';').all(fits) && grammar::escapes_are_whole(list) => {
                Some(Params { text: raw.to_owned() })
            }
            _ => None,
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// Names and values in order, as written; a value keeps its quotes.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        let mut rest = self.text.as_str();
        std::iter::from_fn(move || {
            let list = rest.strip_prefix(';')?;
            let end = list.find([';', '=']).unwrap_or(list.len());
            let (name, after) = list.split_at(end);
            let value = after.strip_prefix('=').map(|value| {
                let end = if value.starts_with('"') {
                    value.len() - grammar::take_quoted(value).map_or(0, |(_, after)| after.len())
                } else {
                    value.find(';').unwrap_or(value.len())
                };
                &value[..end]
            });
            rest = match value {
                Some(value) => &after[1 + value.len()..],
                None => after,
            };
            Some((name, value))
        })
    }

    /// Whether the parameter is there, with a value or without.
    pub fn has(&self, name: &str) -> bool {
        self.iter().any(|(n, _)| n.eq_ignore_ascii_case(name))
    }

    /// The value of a parameter as it was written; `None` when it is not there or has none.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).and_then(|(_, value)| value)
    }

    /// The value of a parameter without quotes and their escapes.
    pub fn get_unquoted(&self, name: &str) -> Option<Cow<'_, str>> {
        self.get(name).map(grammar::unquote)
    }

    /// Sets a parameter, in its place or at the end. The value is written as it is, or quoted when
    /// it is no token, host or the like.
    pub fn set(&mut self, name: &str, value: Option<&str>) {
        debug_assert!(grammar::is_token(name), "the names are the program's own");
        let mut text = String::with_capacity(self.text.len() + name.len() + 16);
        let mut add = |n: &str, v: Option<&str>| {
            text.push(';');
            text.push_str(n);
            if let Some(v) = v {
                text.push('=');
                text.push_str(v);
            }
        };
        let quoted;
        let value = match value {
            Some(v) if v.is_empty() || !v.bytes().all(is_value_byte) => {
                let mut text = String::new();
                grammar::write_quoted(v, &mut text).expect("a String takes everything");
                quoted = text;
                Some(quoted.as_str())
            }
            other => other,
        };
        let mut done = false;
        for (n, v) in self.iter() {
            if !n.eq_ignore_ascii_case(name) {
                add(n, v);
            } else if !done {
                done = true;
                add(n, value);
            }
        }
        if !done {
            add(name, value);
        }
        self.text = text;
    }

    /// Takes a parameter away, if it is there.
    pub fn remove(&mut self, name: &str) {
        if self.has(name) {
            let kept: Vec<_> = self.iter().filter(|(n, _)| !n.eq_ignore_ascii_case(name)).collect();
            let mut text = String::with_capacity(self.text.len());
            for (n, v) in kept {
                text.push(';');
                text.push_str(n);
                if let Some(v) = v {
                    text.push('=');
                    text.push_str(v);
                }
            }
            self.text = text;
        }
    }
}

/// `;name` or `;name=value` at the beginning of a header's parameters, and what follows; white space may stand
/// between all of them.
pub(crate) fn take_param(text: &str) -> Option<(&str, Option<&str>, &str)> {
    let rest = grammar::trim_start(text.strip_prefix(';')?);
    let (name, after) = grammar::take_while(rest, grammar::is_token_byte);
    if name.is_empty() {
        return None;
    }
    let rest = grammar::trim_start(after);
    let Some(after) = rest.strip_prefix('=') else { return Some((name, None, rest)) };
    let value_from = grammar::trim_start(after);
    let after = if value_from.starts_with('"') {
        grammar::take_quoted(value_from)?.1
    } else {
        grammar::take_while(value_from, is_value_byte).1
    };
    let value = &value_from[..value_from.len() - after.len()];
    (!value.is_empty()).then(|| (name, Some(value), grammar::trim_start(after)))
}

/// Wider than `gen-value`: what real devices send, short of what would end the parameter.
fn is_value_byte(byte: u8) -> bool {
    byte > b' ' && byte != 0x7f && !matches!(byte, b';' | b',' | b'"' | b'<' | b'>')
}

/// `paramchar`, and bytes above 127.
fn is_uri_byte(byte: u8) -> bool {
    grammar::is_token_byte(byte)
        || matches!(byte, b'[' | b']' | b'/' | b':' | b'&' | b'+' | b'$' | b'(' | b')')
        || byte > 127
}

impl fmt::Display for Params {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Params {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn white_space_and_quotes_are_where_rfc3261_allows_them() {
        let params = Params::parse(" ;  tag   = 1918 ; lr;+sip.instance=\"<urn:a;b>\\\"\" ").unwrap();
        assert_eq!(params.to_string(), ";tag=1918;lr;+sip.instance=\"<urn:a;b>\\\"\"");
        assert_eq!(params.get("TAG"), Some("1918"));
        assert!(params.has("lr"));
        assert_eq!(params.get("lr"), None);
        assert_eq!(params.get_unquoted("+sip.instance").unwrap(), "<urn:a;b>\"");
    }

    #[test]
    fn what_is_no_list_of_parameters_is_refused() {
        for bad in ["x", ";", ";;a", ";a=", ";a=\"b", ";a b", ";a=b c", ";a,", ";=b", ";a=<b>"] {
            assert!(Params::parse(bad).is_none(), "{bad}");
        }
        for bad in [";", ";;a", "; a", ";a=\"b\"", ";a=%4", ";a=<b>", "a"] {
            assert!(Params::parse_uri(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn a_list_at_the_bound_is_read_and_a_longer_one_is_not() {
        let list = ";a=b".repeat(MAX_PARAMS);
        assert_eq!(Params::parse(&list).unwrap().iter().count(), MAX_PARAMS);
        assert_eq!(Params::parse_uri(&list).unwrap().iter().count(), MAX_PARAMS);
        assert!(Params::parse(&format!("{list};c")).is_none());
        assert!(Params::parse_uri(&format!("{list};c")).is_none());
    }

    #[test]
    fn set_keeps_the_place_and_remove_takes_all() {
        let mut params = Params::parse(";a=1;b;c=3;b=4").unwrap();
        params.set("b", Some("x y"));
        assert_eq!(params.to_string(), ";a=1;b=\"x y\";c=3");
        params.set("d", None);
        params.remove("A");
        assert_eq!(params.to_string(), ";b=\"x y\";c=3;d");
        assert_eq!(params.get_unquoted("b").unwrap(), "x y");
    }
}
