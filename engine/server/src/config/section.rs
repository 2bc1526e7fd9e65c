//! A walk over TOML tables that remembers where everything stands. Each accessor checks one key,
//! notes the mistake with its line when the value makes no sense, and carries on with the default,
//! so that one reading tells every mistake. The keys asked for are the keys known: what is left
//! over when a section is [finished](Section::finish) is named with the nearest known key.

use std::cell::RefCell;
use std::fmt;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::world::Secret;
use crate::misfits::unescaped;

/// One thing wrong in a configuration, as `file:line: what is wrong; write ...`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mistake {
    /// As given on the command line.
    pub file: PathBuf,
    /// Counted from 1; 0 when it is about the file itself.
    pub line: usize,
    /// What is wrong, and what to write instead.
    pub what: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.file.display(), self.what),
            line => write!(f, "{}:{line}: {}", self.file.display(), self.what),
        }
    }
}

/// One file being read.
pub(crate) struct Source<'s> {
    pub file: &'s Path,
    pub text: &'s str,
    /// Environment variables, for secrets.
    pub env: &'s dyn Fn(&str) -> Option<String>,
    pub mistakes: RefCell<Vec<Mistake>>,
}

impl Source<'_> {
    /// Hands the file to whoever reads it, unless it is no TOML: that is a mistake then.
    pub fn read(&self, read: impl FnOnce(Section<'_, '_>)) {
        let (table, errors) = DeTable::parse_recoverable(self.text);
        for error in &errors {
            let line = error.span().map_or(1, |span| self.line(span.start));
            let what = format!("this is not TOML: {}; write KEY = VALUE or [SECTION]", error.message());
            self.mistake(line, what);
        }
        if errors.is_empty() {
            read(Section::root(self, table.get_ref()));
        }
    }

    /// The line, from 1, that a byte offset is in.
    fn line(&self, offset: usize) -> usize {
        1 + self.text.as_bytes()[..offset.min(self.text.len())].iter().filter(|b| **b == b'\n').count()
    }

    pub fn mistake(&self, line: usize, what: impl Into<String>) {
        self.mistakes.borrow_mut().push(Mistake { file: self.file.to_owned(), line, what: what.into() });
    }

    /// A path as the file means it: relative to the file's folder.
    pub fn path(&self, written: &str) -> PathBuf {
        self.file.parent().unwrap_or(Path::new("")).join(written)
    }
}

/// Words in a file, and their line.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Text<'s> {
    pub value: &'s str,
    pub line: usize,
}

/// What stands in a list of texts and tables.
pub(crate) enum Item<'s, 'i> {
    Text(Text<'s>),
    Section(Section<'s, 'i>),
}

/// A table being read.
pub(crate) struct Section<'s, 'i> {
    pub source: &'s Source<'s>,
    /// As it is written: `[sip]`, `[[tenant.user]]`.
    pub name: String,
    /// Where it begins.
    pub line: usize,
    table: &'s DeTable<'i>,
    known: RefCell<Vec<String>>,
}

impl<'s, 'i> Section<'s, 'i> {
    /// The file itself.
    pub fn root(source: &'s Source<'s>, table: &'s DeTable<'i>) -> Self {
        Self { source, name: String::new(), line: 1, table, known: RefCell::default() }
    }

    /// Names every key that nobody asked for.
    pub fn finish(self) {
        let known = self.known.borrow();
        let section = if self.name.is_empty() { "this file" } else { &self.name };
        for key in self.table.keys() {
            let name = key.get_ref().as_ref();
            if !known.iter().any(|k| k == name) {
                let hint = match nearest(name, known.iter().map(String::as_str)) {
                    Some(near) => format!("write \"{near}\""),
                    None => format!("write one of {}", known.join(", ")),
                };
                self.source.mistake(
                    self.source.line(key.span().start),
                    format!("{section} has no key \"{name}\"; {hint}"),
                );
            }
        }
    }

    pub fn mistake(&self, line: usize, what: impl Into<String>) {
        self.source.mistake(line, what);
    }

    fn value(&self, key: &str) -> Option<(&'s DeValue<'i>, usize)> {
        if !self.known.borrow().iter().any(|k| k == key) {
            self.known.borrow_mut().push(key.to_owned());
        }
        let value: &'s Spanned<DeValue<'i>> = self.table.get(key)?;
        Some((value.get_ref(), self.source.line(value.span().start)))
    }

    fn wrong_type(&self, key: &str, value: &DeValue<'_>, line: usize, example: &str) {
        let is = kind(value);
        self.mistake(line, format!("\"{key}\" is {is}; write {key} = {example}"));
    }

    pub fn text(&self, key: &str, example: &str) -> Option<Text<'s>> {
        let (value, line) = self.value(key)?;
        match value.as_str() {
            Some(value) if !value.is_empty() => Some(Text { value, line }),
            Some(_) => {
                self.mistake(line, format!("\"{key}\" is empty; write {key} = \"{example}\""));
                None
            }
            None => {
                self.wrong_type(key, value, line, &format!("\"{example}\""));
                None
            }
        }
    }

    pub fn required(&self, key: &str, example: &str) -> Option<Text<'s>> {
        if !self.table.contains_key(key) {
            self.mistake(self.line, format!("{} has no \"{key}\"; write {key} = \"{example}\"", self.name));
        }
        self.text(key, example)
    }

    /// None when the key is absent; `example` is the whole list as written.
    pub fn texts(&self, key: &str, example: &str) -> Option<Vec<Text<'s>>> {
        let (value, line) = self.value(key)?;
        let DeValue::Array(items) = value else {
            self.wrong_type(key, value, line, example);
            return None;
        };
        let mut texts = Vec::new();
        for item in items.iter() {
            let line = self.source.line(item.span().start);
            match item.get_ref().as_str() {
                Some(value) => texts.push(Text { value, line }),
                None => self.wrong_type(key, item.get_ref(), line, example),
            }
        }
        Some(texts)
    }

    /// The items of a list that holds texts and tables; none when the key is absent.
    pub fn items(&self, key: &str, example: &str) -> Vec<Item<'s, 'i>> {
        let Some((value, line)) = self.value(key) else { return Vec::new() };
        let DeValue::Array(list) = value else {
            self.wrong_type(key, value, line, example);
            return Vec::new();
        };
        let mut items = Vec::new();
        for item in list.iter() {
            let line = self.source.line(item.span().start);
            match item.get_ref() {
                DeValue::String(text) => items.push(Item::Text(Text { value: text.as_ref(), line })),
                DeValue::Table(table) => items.push(Item::Section(Section {
                    source: self.source,
                    name: format!("[{}]", self.path(key)),
                    line,
                    table,
                    known: RefCell::default(),
                })),
                other => self.wrong_type(key, other, line, example),
            }
        }
        items
    }

    /// Whether the key is there.
    pub fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    /// True or false.
    pub fn flag(&self, key: &str, default: bool) -> bool {
        let Some((value, line)) = self.value(key) else { return default };
        if let DeValue::Boolean(yes) = value {
            return *yes;
        }
        self.wrong_type(key, value, line, if default { "false" } else { "true" });
        default
    }

    pub fn integer(&self, key: &str, range: RangeInclusive<u64>, default: u64) -> u64 {
        let Some((value, line)) = self.value(key) else { return default };
        let Some(number) = whole(value) else {
            self.wrong_type(key, value, line, &default.to_string());
            return default;
        };
        if !range.contains(&number) {
            let (least, most) = (range.start(), range.end());
            self.mistake(line, format!("\"{key}\" is {number}; write a number from {least} to {most}"));
            return default;
        }
        number
    }

    /// A length of time: seconds, or words like "20 ms", "5 s", "10 min", "4 h", "30 days".
    pub fn duration(&self, key: &str, range: RangeInclusive<Duration>, default: Duration) -> Duration {
        let Some((value, line)) = self.value(key) else { return default };
        let read = match value {
            DeValue::String(text) => duration(text),
            DeValue::Float(float) => {
                float.as_str().parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
            }
            other => whole(other).map(Duration::from_secs),
        };
        let Some(length) = read else {
            self.mistake(line, format!("\"{key}\" is no length of time; write seconds, or words like \"20 ms\", \"5 s\", \"10 min\", \"30 days\""));
            return default;
        };
        if !range.contains(&length) {
            let (least, most) = (in_words(*range.start()), in_words(*range.end()));
            self.mistake(
                line,
                format!("\"{key}\" is {}; write a length from {least} to {most}", in_words(length)),
            );
            return default;
        }
        length
    }

    /// A size: bytes, or words like "64 KiB", "16 MiB".
    pub fn size(&self, key: &str, range: RangeInclusive<u64>, default: u64) -> u64 {
        let Some((value, line)) = self.value(key) else { return default };
        let read = match value {
            DeValue::String(text) => size(text),
            other => whole(other),
        };
        match read {
            Some(bytes) if range.contains(&bytes) => bytes,
            Some(_) => {
                let (least, most) = (size_in_words(*range.start()), size_in_words(*range.end()));
                self.mistake(
                    line,
                    format!("\"{key}\" is out of range; write a size from \"{least}\" to \"{most}\""),
                );
                default
            }
            None => {
                self.mistake(
                    line,
                    format!("\"{key}\" is no size; write bytes, or words like \"64 KiB\", \"16 MiB\""),
                );
                default
            }
        }
    }

    /// A table of the same file, `[name.key]` or inline.
    pub fn section(&self, key: &str) -> Option<Section<'s, 'i>> {
        let name = format!("[{}]", self.path(key));
        let (value, line) = self.value(key)?;
        match value {
            DeValue::Table(table) => {
                Some(Section { source: self.source, name, line, table, known: RefCell::default() })
            }
            other => {
                self.mistake(line, format!("\"{key}\" is {}; write {name}", kind(other)));
                None
            }
        }
    }

    /// The names of every `[[name.key]]`, before these are read.
    pub fn names(&self, key: &str) -> Vec<String> {
        let items = self.table.get(key).and_then(|value| value.get_ref().as_array());
        let name = |item: &Spanned<DeValue<'_>>| {
            Some(item.get_ref().as_table()?.get("name")?.get_ref().as_str()?.to_owned())
        };
        items.into_iter().flat_map(|items| items.iter()).filter_map(name).collect()
    }

    /// Every `[[name.key]]`.
    pub fn sections(&self, key: &str) -> Vec<Section<'s, 'i>> {
        let name = format!("[[{}]]", self.path(key));
        let Some((value, line)) = self.value(key) else { return Vec::new() };
        let DeValue::Array(items) = value else {
            self.mistake(line, format!("\"{key}\" is {}; write {name}", kind(value)));
            return Vec::new();
        };
        let mut sections = Vec::new();
        for item in items.iter() {
            let line = self.source.line(item.span().start);
            match item.get_ref() {
                DeValue::Table(table) => sections.push(Section {
                    source: self.source,
                    name: name.clone(),
                    line,
                    table,
                    known: RefCell::default(),
                }),
                other => self.mistake(line, format!("\"{key}\" holds {}; write {name}", kind(other))),
            }
        }
        sections
    }

    /// `key`, `key_file` or `key_env`: at most one of them.
    pub fn secret(&self, key: &str) -> Option<Secret> {
        let (file_key, env_key) = (format!("{key}_file"), format!("{key}_env"));
        let plain = self.text(key, "...");
        let file = self.text(&file_key, "secret.txt");
        let env = self.text(&env_key, "STROWGER_SECRET");
        let given: Vec<_> = [plain, file, env].into_iter().flatten().collect();
        if let [_, second, ..] = given[..] {
            self.mistake(
                second.line,
                format!("{} has the {key} twice; write one of {key}, {file_key}, {env_key}", self.name),
            );
            return None;
        }
        let Text { line, .. } = *given.first()?;
        let found = if let Some(plain) = plain {
            Ok(plain.value.to_owned())
        } else if let Some(file) = file {
            std::fs::read_to_string(self.source.path(file.value)).map_err(|e| {
                format!("\"{file_key}\": cannot read \"{}\": {e}; write a file that can be read", file.value)
            })
        } else {
            let name = env.map_or("", |env| env.value);
            (self.source.env)(name).ok_or_else(|| {
                format!("\"{env_key}\": the environment has no {name}; set it before starting")
            })
        };
        match found.map(|text| text.trim_end_matches(['\r', '\n']).to_owned()) {
            Ok(text) if text.is_empty() => {
                self.mistake(line, format!("the {key} of {} is empty; write one that is not", self.name));
                None
            }
            Ok(text) => Some(Secret::new(text)),
            Err(what) => {
                self.mistake(line, what);
                None
            }
        }
    }

    /// A table as a JSON object; empty when absent.
    pub fn json(&self, key: &str) -> serde_json::Value {
        let none = || serde_json::Value::Object(serde_json::Map::new());
        match self.value(key) {
            None => none(),
            Some((value @ DeValue::Table(_), _)) => json(value),
            Some((value, line)) => {
                self.wrong_type(key, value, line, "{ name = \"value\" }");
                none()
            }
        }
    }

    /// A table of names and texts, in the order of the names.
    pub fn texts_by_name(&self, key: &str, example: &str) -> Vec<(String, String)> {
        let Some((value, line)) = self.value(key) else { return Vec::new() };
        let DeValue::Table(table) = value else {
            self.wrong_type(key, value, line, example);
            return Vec::new();
        };
        let mut texts = Vec::new();
        for (name, value) in table.iter() {
            match value.get_ref().as_str() {
                Some(text) => texts.push((name.get_ref().to_string(), text.to_owned())),
                None => self.wrong_type(key, value.get_ref(), self.source.line(name.span().start), example),
            }
        }
        texts
    }

    /// The line of what a JSON Pointer (RFC 6901) leads to below a key, or of the last thing on the way; the
    /// section's own when the key is absent.
    pub fn line_within(&self, key: &str, pointer: &str) -> usize {
        let Some(mut value) = self.table.get(key) else { return self.line };
        for part in pointer.split('/').skip(1) {
            let part = unescaped(part);
            let inner = match value.get_ref() {
                DeValue::Table(table) => table.get(part.as_str()),
                DeValue::Array(items) => part.parse().ok().and_then(|n: usize| items.get(n)),
                _ => None,
            };
            let Some(inner) = inner else { break };
            value = inner;
        }
        self.source.line(value.span().start)
    }

    /// A table of names and levels, 1 to 100.
    pub fn levels(&self, key: &str, example: &str) -> Vec<(String, u8)> {
        let Some((value, line)) = self.value(key) else { return Vec::new() };
        let DeValue::Table(table) = value else {
            self.wrong_type(key, value, line, example);
            return Vec::new();
        };
        let mut levels = Vec::new();
        for (name, value) in table.iter() {
            match whole(value.get_ref()) {
                Some(level @ 1..=100) => levels.push((name.get_ref().to_string(), level as u8)),
                _ => self.mistake(
                    self.source.line(name.span().start),
                    format!("\"{key}\" gives \"{}\" no level; write a number from 1 to 100", name.get_ref()),
                ),
            }
        }
        levels
    }

    /// The dotted path of a key in this section.
    fn path(&self, key: &str) -> String {
        match self.name.trim_matches(['[', ']']) {
            "" => key.to_owned(),
            path => format!("{path}.{key}"),
        }
    }
}

/// The name among `known` that was probably meant: at most a third of it is different.
pub(crate) fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    known
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(name, candidate), candidate))
        .filter(|(distance, candidate)| {
            *distance <= 1 + candidate.chars().count().max(name.chars().count()) / 3
        })
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// `write "boris"` for the nearest of `known`, or all of them when none is near.
pub(crate) fn hint<'a>(name: &str, known: impl IntoIterator<Item = &'a str> + Clone) -> String {
    match nearest(name, known.clone()) {
        Some(near) => format!("write \"{near}\""),
        None => {
            let mut all: Vec<_> = known.into_iter().map(|k| format!("\"{k}\"")).collect();
            all.sort();
            match all.len() {
                0 => "there is none yet".to_owned(),
                1 => format!("write {}", all[0]),
                _ => format!("write one of {}", all.join(", ")),
            }
        }
    }
}

fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) => "a number",
        DeValue::Float(_) => "a fraction",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

fn whole(value: &DeValue<'_>) -> Option<u64> {
    let integer = value.as_integer()?;
    u64::from_str_radix(integer.as_str(), integer.radix()).ok()
}

/// The same as JSON; a date is a text.
pub(crate) fn json(value: &DeValue<'_>) -> serde_json::Value {
    match value {
        DeValue::String(text) => text.as_ref().into(),
        DeValue::Integer(number) => {
            i64::from_str_radix(number.as_str(), number.radix()).map_or(serde_json::Value::Null, Into::into)
        }
        DeValue::Float(float) => float.as_str().parse::<f64>().map_or(serde_json::Value::Null, Into::into),
        DeValue::Boolean(yes) => (*yes).into(),
        DeValue::Datetime(date) => date.to_string().into(),
        DeValue::Array(items) => items.iter().map(|item| json(item.get_ref())).collect(),
        DeValue::Table(table) => {
            table.iter().map(|(key, value)| (key.get_ref().to_string(), json(value.get_ref()))).collect()
        }
    }
}

/// A number and a unit with or without a space between.
fn amount(text: &str) -> Option<(f64, &str)> {
    let text = text.trim();
    let unit = text.find(|c: char| !c.is_ascii_digit() && c != '.')?;
    Some((text[..unit].parse().ok()?, text[unit..].trim()))
}

fn duration(text: &str) -> Option<Duration> {
    let (amount, unit) = amount(text)?;
    let unit = match unit {
        "ms" => 0.001,
        "s" => 1.0,
        "min" => 60.0,
        "h" => 3600.0,
        "day" | "days" => 24.0 * 3600.0,
        _ => return None,
    };
    Duration::try_from_secs_f64(amount * unit).ok()
}

fn size(text: &str) -> Option<u64> {
    let (amount, unit) = amount(text)?;
    let unit = match unit {
        "B" => 1.0,
        "KiB" => 1024.0,
        "MiB" => 1024.0 * 1024.0,
        "GiB" => 1024.0 * 1024.0 * 1024.0,
        _ => return None,
    };
    Some((amount * unit) as u64)
}

fn in_words(length: Duration) -> String {
    match length.as_millis() {
        ms if ms % 1000 != 0 => format!("{ms} ms"),
        ms if ms % 86_400_000 == 0 && ms > 86_400_000 => format!("{} days", ms / 86_400_000),
        ms if ms % 3_600_000 == 0 && ms > 0 => format!("{} h", ms / 3_600_000),
        ms if ms % 60_000 == 0 && ms > 0 => format!("{} min", ms / 60_000),
        ms => format!("{} s", ms / 1000),
    }
}

fn size_in_words(bytes: u64) -> String {
    match bytes {
        b if b > 0 && b % (1 << 20) == 0 => format!("{} MiB", b >> 20),
        b if b > 0 && b % (1 << 10) == 0 => format!("{} KiB", b >> 10),
        b => format!("{b} B"),
    }
}
