//! Texts with fields: "Call {number} back". A field that nobody knows is refused when the text is read, so that
//! no caller is the first to find out. What is filled in is escaped as its place asks for; braces around
//! anything else than a word stand for themselves, so JSON can be written as it is.

use std::fmt;

/// The fields that a text may have.
pub const FIELDS: [&str; 19] = [
    "occasion", "subject", "text", "who", "number", "name", "company", "time", "dialled", "waited", "talked",
    "queue", "agent", "trunk", "call", "tenant", "to", "from", "key",
];

/// A text, read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template(Vec<Piece>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    Field(&'static str),
}

/// There is no such field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownField(pub String);

impl fmt::Display for UnknownField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "there is no field {{{}}}", self.0)
    }
}

impl std::error::Error for UnknownField {}

/// How values are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Escape {
    /// As they are.
    Plain,
    /// Inside of a JSON string (RFC 8259 §7).
    Json,
    /// In a query or a form (RFC 3986 §2.1: everything but unreserved characters).
    Percent,
}

impl Template {
    /// Reads a text.
    ///
    /// # Errors
    /// The first field that is not one of [`FIELDS`].
    pub fn read(text: &str) -> Result<Self, UnknownField> {
        Self::with(text, &FIELDS)
    }

    /// Reads a text that may have these fields.
    ///
    /// # Errors
    /// The first field that is none of them.
    pub fn with(text: &str, fields: &[&'static str]) -> Result<Self, UnknownField> {
        let mut pieces = Vec::new();
        let mut plain = String::new();
        let mut rest = text;
        while let Some(open) = rest.find('{') {
            plain.push_str(&rest[..open]);
            rest = &rest[open..];
            let inside = rest[1..].split_once('}').map(|(inside, _)| inside);
            match inside
                .filter(|word| !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'))
            {
                Some(word) => {
                    let known = fields.iter().copied().find(|known| *known == word);
                    let field = known.ok_or_else(|| UnknownField(word.to_owned()))?;
                    if !plain.is_empty() {
                        pieces.push(Piece::Text(std::mem::take(&mut plain)));
                    }
                    pieces.push(Piece::Field(field));
                    rest = &rest[word.len() + 2..];
                }
                None => {
                    plain.push('{');
                    rest = &rest[1..];
                }
            }
        }
        plain.push_str(rest);
        if !plain.is_empty() {
            pieces.push(Piece::Text(plain));
        }
        Ok(Self(pieces))
    }

    /// Whether it has this field.
    pub fn has(&self, field: &str) -> bool {
        self.0.iter().any(|piece| matches!(piece, Piece::Field(known) if *known == field))
    }

    /// The text with its fields filled in.
    pub fn fill(&self, escape: Escape, value: impl Fn(&str) -> String) -> String {
        let mut text = String::new();
        for piece in &self.0 {
            match piece {
                Piece::Text(plain) => text.push_str(plain),
                Piece::Field(field) => text.push_str(&escape.of(&value(field))),
            }
        }
        text
    }
}

impl Escape {
    /// The value as it is written.
    pub fn of(self, value: &str) -> String {
        match self {
            Self::Plain => value.to_owned(),
            Self::Json => {
                let quoted = serde_json::Value::from(value).to_string();
                quoted[1..quoted.len() - 1].to_owned()
            }
            Self::Percent => {
                let escape = |byte: u8| match byte {
                    b if b.is_ascii_alphanumeric() || b"-._~".contains(&b) => char::from(b).to_string(),
                    b => format!("%{b:02X}"),
                };
                value.bytes().map(escape).collect()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_filled_in_as_their_place_asks_for() {
        let body = Template::read(r#"{"to": "{to}", "text": "{text}", "n": {}}"#).expect("a text");
        let value = |field: &str| format!("<{field} \"&\n>");
        assert_eq!(
            body.fill(Escape::Json, value),
            r#"{"to": "<to \"&\n>", "text": "<text \"&\n>", "n": {}}"#
        );
        assert!(serde_json::from_str::<serde_json::Value>(&body.fill(Escape::Json, value)).is_ok());
        let form = Template::read("To={to}").expect("a text");
        assert_eq!(form.fill(Escape::Percent, |_| "+359 ж".into()), "To=%2B359%20%D0%B6");
        assert!(body.has("to") && !body.has("number"));
    }

    #[test]
    fn a_field_that_nobody_knows_is_refused() {
        assert_eq!(Template::read("{number} {nubmer}"), Err(UnknownField("nubmer".into())));
        for plain in ["{", "}", "{}", "{{", "{a b}", "a{1}", "ж{", "{\"a\": 1}"] {
            let read = Template::read(plain).expect(plain);
            assert_eq!(read.fill(Escape::Plain, |_| String::new()), plain);
        }
    }
}
