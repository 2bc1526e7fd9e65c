//! Where something stands in a TOML or JSON text: what a JSON Pointer leads to, as line and column.

use std::ops::Range;

use serde::de::IgnoredAny;
use serde_json::Value;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::Mistake;
use crate::config::section::json;
use crate::misfits::unescaped;

/// A text that was read.
pub(super) struct Positions<'t> {
    text: &'t str,
    /// None: it is JSON.
    table: Option<Spanned<DeTable<'t>>>,
}

/// Reads a text as an object.
pub(super) fn read(text: &str) -> Result<(Value, Positions<'_>), Vec<Mistake>> {
    if text.trim_start().starts_with('{') {
        let value = serde_json::from_str(text).map_err(|why| {
            let (line, column) = (why.line().max(1), why.column().max(1));
            vec![Mistake { line, column, what: format!("this is not JSON: {why}") }]
        })?;
        return Ok((value, Positions { text, table: None }));
    }
    let (table, errors) = DeTable::parse_recoverable(text);
    let mistakes = errors.iter().map(|error| {
        let at = error.span().map_or(0, |span| span.start);
        let what = format!("this is not TOML: {}; write KEY = VALUE or [steps.NAME]", error.message());
        at_offset(text, at, what)
    });
    let mistakes: Vec<_> = mistakes.collect();
    if !mistakes.is_empty() {
        return Err(mistakes);
    }
    let value = table
        .get_ref()
        .iter()
        .map(|(key, value)| (key.get_ref().to_string(), json(value.get_ref())))
        .collect();
    Ok((value, Positions { text, table: Some(table) }))
}

impl Positions<'_> {
    /// A mistake at what a JSON Pointer leads to, or at the last thing on the way.
    pub fn mistake(&self, pointer: &str, what: String) -> Mistake {
        let parts: Vec<_> = pointer.split('/').skip(1).map(unescaped).collect();
        let at = match &self.table {
            Some(table) => in_toml(table, &parts),
            None => in_json(self.text, &parts),
        };
        at_offset(self.text, at, what)
    }
}

fn at_offset(text: &str, at: usize, what: String) -> Mistake {
    let before = &text[..text.floor_char_boundary(at)];
    let begin = before.rfind('\n').map_or(0, |newline| newline + 1);
    Mistake { line: 1 + before.matches('\n').count(), column: 1 + before[begin..].chars().count(), what }
}

fn in_toml(table: &Spanned<DeTable<'_>>, parts: &[String]) -> usize {
    let Some((first, rest)) = parts.split_first() else { return 0 };
    let Some((key, mut value)) = entry(table.get_ref(), first) else { return 0 };
    let mut at = place(key.span(), value);
    for part in rest {
        let inner = match value.get_ref() {
            DeValue::Table(table) => entry(table, part).map(|(key, value)| (key.span(), value)),
            DeValue::Array(items) => {
                let item = part.parse().ok().and_then(|n: usize| items.get(n));
                item.map(|item| (item.span(), item))
            }
            _ => None,
        };
        let Some((key, inner)) = inner else { break };
        (at, value) = (place(key, inner), inner);
    }
    at
}

fn entry<'t, 'i>(
    table: &'t DeTable<'i>,
    name: &str,
) -> Option<(&'t Spanned<std::borrow::Cow<'i, str>>, &'t Spanned<DeValue<'i>>)> {
    table.iter().find(|(key, _)| key.get_ref() == name)
}

/// A table is where its name is, anything else where it begins.
fn place(key: Range<usize>, value: &Spanned<DeValue<'_>>) -> usize {
    if value.get_ref().is_table() { key.start } else { value.span().start }
}

/// The offset of a value in text that is JSON.
fn in_json(text: &str, parts: &[String]) -> usize {
    let blank = |at: usize| at + text[at..].len() - text[at..].trim_start().len();
    let behind = |at: usize| {
        let mut values = serde_json::Deserializer::from_str(&text[at..]).into_iter::<IgnoredAny>();
        values.next().and_then(Result::ok).map(|_| at + values.byte_offset())
    };
    let mut at = blank(0);
    'parts: for part in parts {
        let is_object = text[at..].starts_with('{');
        let wanted: usize = part.parse().unwrap_or(usize::MAX);
        let mut next = blank(at + 1);
        for n in 0.. {
            let key = next;
            if is_object {
                let Some(end) = behind(key) else { return at };
                next = blank(blank(end) + 1);
                if serde_json::from_str::<String>(&text[key..end]).is_ok_and(|name| name == *part) {
                    at = next;
                    continue 'parts;
                }
            } else if n == wanted {
                at = next;
                continue 'parts;
            }
            let Some(end) = behind(next) else { return at };
            let comma = blank(end);
            if !text[comma..].starts_with(',') {
                return at;
            }
            next = blank(comma + 1);
        }
    }
    at
}
