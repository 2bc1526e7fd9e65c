//! The small words of RFC 3261 §25.1 that every header is made of: token, quoted string, list, escape.
//!
//! Nothing here knows a header; everything works on one unfolded value.

use std::borrow::Cow;

const TOKEN: [bool; 256] = {
    let mut table = [false; 256];
    let mut i = 0;
    while i < 256 {
        table[i] = (i as u8).is_ascii_alphanumeric();
        i += 1;
    }
    let marks = b"-.!%*_+`'~";
    let mut i = 0;
    while i < marks.len() {
        table[marks[i] as usize] = true;
        i += 1;
    }
    table
};

pub(crate) fn is_token_byte(byte: u8) -> bool {
    TOKEN[byte as usize]
}

pub(crate) fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(is_token_byte)
}

pub(crate) fn is_lws(byte: u8) -> bool {
    byte == b' ' || byte == b'\t'
}

/// Without spaces and tabs at both ends.
pub(crate) fn trim(text: &str) -> &str {
    let end = text.bytes().rposition(|b| !is_lws(b)).map_or(0, |last| last + 1);
    trim_start(&text[..end])
}

pub(crate) fn trim_start(text: &str) -> &str {
    let start = text.bytes().position(|b| !is_lws(b)).unwrap_or(text.len());
    &text[start..]
}

/// What stands before and after the first `at`, an ASCII byte. Values are short: a plain loop beats
/// the search that `str` has.
pub(crate) fn split(text: &str, at: u8) -> Option<(&str, &str)> {
    let index = text.bytes().position(|b| b == at)?;
    Some((&text[..index], &text[index + 1..]))
}

/// Splits before the first `at`, an ASCII byte, or at the end.
pub(crate) fn split_before(text: &str, at: u8) -> (&str, &str) {
    text.split_at(text.bytes().position(|b| b == at).unwrap_or(text.len()))
}

/// Splits after as many leading bytes as `accept` takes. `accept` says the same of all bytes above
/// 127, so the cut falls between characters.
pub(crate) fn take_while(text: &str, accept: impl Fn(u8) -> bool) -> (&str, &str) {
    let end = text.bytes().position(|b| !accept(b)).unwrap_or(text.len());
    text.split_at(end)
}

/// A quoted string at the beginning: what stands between the quotes, still escaped, and what follows.
/// `None` when there is no quote, or no closing one.
pub(crate) fn take_quoted(text: &str) -> Option<(&str, &str)> {
    let bytes = text.as_bytes();
    if bytes.first() != Some(&b'"') {
        return None;
    }
    let mut at = 1;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 2,
            b'"' => return Some((&text[1..at], &text[at + 1..])),
            _ => at += 1,
        }
    }
    None
}

/// A quoted string's content without the backslashes of its quoted pairs.
pub(crate) fn unescape_quoted(inner: &str) -> Cow<'_, str> {
    if !inner.bytes().any(|byte| byte == b'\\') {
        return Cow::Borrowed(inner);
    }
    let mut plain = String::with_capacity(inner.len());
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        plain.extend(if c == '\\' { chars.next() } else { Some(c) });
    }
    Cow::Owned(plain)
}

/// What a parameter's value means: a quoted string loses its quotes and backslashes.
pub(crate) fn unquote(value: &str) -> Cow<'_, str> {
    match take_quoted(value) {
        Some((inner, _)) => unescape_quoted(inner),
        None => Cow::Borrowed(value),
    }
}

/// A value as it is written, to be used up soon. Most are a line at least, so there is room for one from the beginning.
pub(crate) fn written(value: &impl std::fmt::Display) -> String {
    use std::fmt::Write;
    let mut text = String::with_capacity(128);
    write!(text, "{value}").expect("a String takes all");
    text
}

/// Writes `text` as a quoted string.
pub(crate) fn write_quoted(text: &str, out: &mut impl std::fmt::Write) -> std::fmt::Result {
    out.write_str("\"")?;
    let mut rest = text;
    while let Some(at) = rest.bytes().position(|byte| byte == b'"' || byte == b'\\') {
        let (plain, special) = rest.split_at(at);
        out.write_str(plain)?;
        out.write_str("\\")?;
        out.write_str(&special[..1])?;
        rest = &special[1..];
    }
    out.write_str(rest)?;
    out.write_str("\"")
}

/// The items of a comma separated value; commas inside quotes and angle brackets do not separate.
/// An empty item comes out as an empty string, for the item's reader to refuse.
pub fn list_items(value: &str) -> ListItems<'_> {
    ListItems { rest: Some(value) }
}

/// See [`list_items`].
#[derive(Debug, Clone)]
pub struct ListItems<'a> {
    rest: Option<&'a str>,
}

impl<'a> Iterator for ListItems<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let text = self.rest?;
        let bytes = text.as_bytes();
        let (mut at, mut angle) = (0, false);
        while at < bytes.len() {
            match bytes[at] {
                b'"' if !angle => match take_quoted(&text[at..]) {
                    Some((inner, _)) => at += inner.len() + 1,
                    None => break,
                },
                b'<' => angle = true,
                b'>' => angle = false,
                b',' if !angle => {
                    self.rest = Some(&text[at + 1..]);
                    return Some(trim(&text[..at]));
                }
                _ => {}
            }
            at += 1;
        }
        self.rest = None;
        Some(trim(text))
    }
}

/// Whether every `%` is followed by two hexadecimal digits.
pub(crate) fn escapes_are_whole(text: &str) -> bool {
    let bytes = text.as_bytes();
    !text.contains('%')
        || bytes.iter().enumerate().filter(|(_, b)| **b == b'%').all(|(i, _)| {
            bytes.get(i + 1).is_some_and(u8::is_ascii_hexdigit)
                && bytes.get(i + 2).is_some_and(u8::is_ascii_hexdigit)
        })
}

/// Text with its `%XX` escapes decoded; bytes that then are no UTF-8 become U+FFFD.
pub fn percent_decode(text: &str) -> Cow<'_, str> {
    if !text.contains('%') {
        return Cow::Borrowed(text);
    }
    Cow::Owned(String::from_utf8_lossy(&percent_bytes(text)).into_owned())
}

/// Like [`percent_decode`], as the bytes themselves: right for comparing.
pub(crate) fn percent_bytes(text: &str) -> Vec<u8> {
    let bytes = text.as_bytes();
    let digit = |i: usize| bytes.get(i).and_then(|b| (*b as char).to_digit(16));
    let mut plain = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        match (bytes[at], digit(at + 1), digit(at + 2)) {
            (b'%', Some(high), Some(low)) => {
                plain.push((high * 16 + low) as u8);
                at += 3;
            }
            (byte, ..) => {
                plain.push(byte);
                at += 1;
            }
        }
    }
    plain
}

/// Escapes what may not stand in a URI's user part (RFC 3261 §25.1 `user`).
pub fn percent_encode_user(text: &str) -> Cow<'_, str> {
    let fits = |b: u8| b.is_ascii_alphanumeric() || b"-_.!~*'()&=+$,;?/".contains(&b);
    if text.bytes().all(fits) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 8);
    for byte in text.bytes() {
        if fits(byte) {
            out.push(byte as char);
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    Cow::Owned(out)
}

/// Decimal digits and nothing else; `None` when empty, not digits, or above `max`.
pub(crate) fn decimal(text: &str, max: u64) -> Option<u64> {
    if text.is_empty() {
        return None;
    }
    text.bytes().try_fold(0u64, |n, b| {
        if !b.is_ascii_digit() {
            return None;
        }
        n.checked_mul(10)?.checked_add(u64::from(b - b'0')).filter(|n| *n <= max)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc3261_25_1_quoted_strings() {
        assert_eq!(take_quoted(r#""a\"b" c"#), Some((r#"a\"b"#, " c")));
        assert_eq!(unquote(r#""a\"b\\""#), r#"a"b\"#);
        for open in ["", "a", "\"", "\"a", "\"a\\\"", "\"\\", "é\"a\""] {
            assert_eq!(take_quoted(open), None, "{open}");
            assert_eq!(unquote(open), open);
        }
        let mut written = String::new();
        write_quoted("a\"b\\é", &mut written).unwrap();
        assert_eq!(unquote(&written), "a\"b\\é");
    }

    #[test]
    fn commas_in_quotes_and_brackets_do_not_separate() {
        let items = |text| list_items(text).collect::<Vec<_>>();
        assert_eq!(items(r#""a, b" <x,y>;q , <z>,"#), [r#""a, b" <x,y>;q"#, "<z>", ""]);
        assert_eq!(items(""), [""]);
        assert_eq!(items("a, \"b, c"), ["a", "\"b, c"], "an open quote takes all that is left");
        assert_eq!(items("<a\", b>, c"), ["<a\", b>", "c"], "a quote in a URI is not one");
    }

    #[test]
    fn escapes_are_decoded_where_they_are_whole() {
        assert_eq!(percent_decode("%61%4"), "a%4");
        assert_eq!(percent_decode("%C3%A9%ff"), "é\u{fffd}");
        assert_eq!(percent_encode_user("alice@corp é#"), "alice%40corp%20%C3%A9%23");
        assert!(escapes_are_whole("%41b") && !escapes_are_whole("b%4"));
    }
}
