//! What of a script's settings does not fit their schema: where, what is wrong and what to write. And what they name:
//! steps, queues, prompts ..., as the schema says by `format`.
//!
//! Whether settings fit is [`jsonschema`]'s word. What it says of a choice between several forms is that none fits; here
//! the form that was probably meant is looked for, and what is wrong with that is told. Only what the schemas of
//! `scripts/` are made of is understood; where they say more, the validator's own words remain.

use serde_json::Value;

use crate::config::section::{hint, nearest};

/// Something in settings that a script can't read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Misfit {
    /// A JSON Pointer (RFC 6901) to it; empty for the settings as a whole.
    pub place: String,
    /// What is wrong there, and what to write.
    pub why: String,
}

/// A name in settings of something that stands elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// Of what: "step", "queue", "calendar", "place", "prompt" ...
    pub kind: String,
    /// A JSON Pointer to it.
    pub place: String,
    /// The name.
    pub name: String,
}

/// The name that schemas of Rust types have for something to say; as text it is a recording's name.
const SAY: &str = "#/$defs/Say";

/// Walks settings by their schema.
pub struct Walk<'s> {
    root: &'s Value,
    /// What does not fit.
    pub misfits: Vec<Misfit>,
    /// What is named.
    pub named: Vec<Named>,
}

impl<'s> Walk<'s> {
    /// Walks all of it.
    pub fn through(schema: &'s Value, settings: &Value) -> Self {
        let mut walk = Self { root: schema, misfits: Vec::new(), named: Vec::new() };
        walk.at(schema, settings, "");
        walk
    }

    fn misfit(&mut self, place: &str, why: impl Into<String>) {
        self.misfits.push(Misfit { place: place.to_owned(), why: why.into() });
    }

    fn at(&mut self, schema: &'s Value, value: &Value, place: &str) {
        if schema["$ref"] == SAY
            && let Some(name) = value.as_str()
        {
            self.name("prompt", name, place);
        }
        let schema = self.resolved(schema);
        if let Some(branches) = schema["oneOf"].as_array().or(schema["anyOf"].as_array()) {
            match self.meant(branches, value) {
                Ok(branch) => self.at(branch, value, place),
                Err(why) => self.misfit(place, why),
            }
            return;
        }
        if !allows(schema, value) {
            self.misfit(place, not_this(value, types(schema)));
            return;
        }
        match value {
            Value::Object(fields) => {
                for (key, inner) in fields {
                    let below = format!("{place}/{}", escaped(key));
                    match (schema["properties"].get(key), &schema["additionalProperties"]) {
                        (Some(known), _) => self.at(known, inner, &below),
                        (None, Value::Bool(false)) => {
                            let hint = hint(key, keys(schema));
                            self.misfit(&below, format!("there is no \"{key}\" here; {hint}"));
                        }
                        (None, further @ Value::Object(_)) => self.at(further, inner, &below),
                        _ => {}
                    }
                }
                for missing in required(schema).filter(|key| !fields.contains_key(*key)) {
                    self.misfit(place, format!("\"{missing}\" is missing; write {missing} = ..."));
                }
            }
            Value::Array(items) => {
                for (n, item) in items.iter().enumerate() {
                    self.at(&schema["items"], item, &format!("{place}/{n}"));
                }
                self.leaf(schema, value, place);
            }
            Value::String(text) => {
                if let Some(kind) = schema["format"].as_str() {
                    self.name(kind, text, place);
                }
                self.leaf(schema, value, place);
            }
            _ => self.leaf(schema, value, place),
        }
    }

    fn name(&mut self, kind: &str, name: &str, place: &str) {
        self.named.push(Named { kind: kind.to_owned(), place: place.to_owned(), name: name.to_owned() });
    }

    /// Bounds, patterns, fixed values: what needs no further schema.
    fn leaf(&mut self, schema: &'s Value, value: &Value, place: &str) {
        let bounds = ["pattern", "const", "enum", "minimum", "maximum", "minLength", "maxLength", "maxItems"];
        let bounds = bounds.iter().filter_map(|key| Some(((*key).to_owned(), schema.get(*key)?.clone())));
        let bounds: serde_json::Map<_, _> = bounds.collect();
        if bounds.is_empty() {
            return;
        }
        let Ok(validator) = jsonschema::validator_for(&Value::Object(bounds)) else { return };
        let wrong = validator.iter_errors(value).next().map(|error| error.to_string());
        if let Some(why) = wrong {
            let says = schema["description"].as_str().and_then(|says| says.lines().next());
            let says = says.map_or_else(String::new, |says| format!("; {says}"));
            self.misfit(place, format!("{why}{says}"));
        }
    }

    fn resolved(&self, mut schema: &'s Value) -> &'s Value {
        while let Some(name) = schema["$ref"].as_str().and_then(|path| path.strip_prefix("#/$defs/")) {
            schema = &self.root["$defs"][name];
        }
        schema
    }

    /// Which of several forms was meant, or why none can be.
    fn meant(&self, branches: &'s [Value], value: &Value) -> Result<&'s Value, String> {
        let fits: Vec<&'s Value> =
            branches.iter().filter(|branch| allows(self.resolved(branch), value)).collect();
        if fits.is_empty() {
            let mut wanted: Vec<_> =
                branches.iter().flat_map(|branch| types(self.resolved(branch))).collect();
            wanted.sort_unstable();
            wanted.dedup();
            return Err(not_this(value, wanted.into_iter()));
        }
        if let [only] = fits[..]
            && !only["const"].is_string()
        {
            return Ok(only);
        }
        let fits = || fits.iter().copied();
        match value {
            Value::String(text) => {
                let constant = |branch: &'s Value| self.resolved(branch)["const"].as_str();
                let fixed = fits().find(|branch| constant(branch) == Some(text));
                let any = fits().find(|branch| constant(branch).is_none());
                let words: Vec<_> = fits().filter_map(constant).collect();
                fixed.or(any).ok_or_else(|| format!("\"{text}\" is nothing here; {}", hint(text, words)))
            }
            Value::Object(fields) => {
                // The first key that a form must have is the one that tells it from others.
                let first = |branch: &'s Value| required(self.resolved(branch)).next();
                let known = |branch: &&'s Value| {
                    let properties = &self.resolved(branch)["properties"];
                    fields.keys().filter(|key| properties.get(key.as_str()).is_some()).count()
                };
                let named = fits().filter(|branch| first(branch).is_some_and(|key| fields.contains_key(key)));
                // Of several the first that knows most of the keys.
                let best = named.rev().max_by_key(known);
                let free = || fits().find(|branch| first(branch).is_none());
                best.or_else(free).ok_or_else(|| {
                    let firsts: Vec<_> = fits().filter_map(first).collect();
                    let near =
                        fields.keys().find_map(|key| Some((key, nearest(key, firsts.iter().copied())?)));
                    match near {
                        Some((key, near)) => format!("there is no \"{key}\" here; write \"{near}\""),
                        None => format!("this does not say what to do; write one of {}", firsts.join(", ")),
                    }
                })
            }
            _ => fits().next().ok_or_else(String::new),
        }
    }
}

fn required(schema: &Value) -> impl Iterator<Item = &str> {
    schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str)
}

fn keys(schema: &Value) -> impl Iterator<Item = &str> + Clone {
    schema["properties"].as_object().into_iter().flat_map(|known| known.keys().map(String::as_str))
}

/// The types that a schema allows; none where it allows all.
fn types(schema: &Value) -> impl Iterator<Item = &str> {
    all_types(schema).filter(|name| *name != "null")
}

fn all_types(schema: &Value) -> impl Iterator<Item = &str> {
    let one = schema["type"].as_str().into_iter();
    one.chain(schema["type"].as_array().into_iter().flatten().filter_map(Value::as_str))
}

fn allows(schema: &Value, value: &Value) -> bool {
    let kind = kind(value);
    let by_const = schema.get("const").map(self::kind);
    let mut allowed = all_types(schema).chain(by_const).peekable();
    allowed.peek().is_none() || allowed.any(|name| name == kind || name == "number" && kind == "integer")
}

fn not_this<'a>(value: &Value, wanted: impl Iterator<Item = &'a str>) -> String {
    let wanted: Vec<_> = wanted.map(article).collect();
    format!("this is {}; write {}", article(kind(value)), wanted.join(" or "))
}

/// JSON Schema's name of a value's type.
fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// The same for people.
fn article(kind: &str) -> &str {
    match kind {
        "boolean" => "true or false",
        "number" => "a fraction",
        "integer" => "a number",
        "string" => "a text",
        "array" => "a list",
        "object" => "a table",
        other => other,
    }
}

/// A key as a part of a JSON Pointer (RFC 6901 §3).
pub fn escaped(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

/// A part of a JSON Pointer as a key (RFC 6901 §4).
pub fn unescaped(part: &str) -> String {
    part.replace("~1", "/").replace("~0", "~")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn told(settings: Value) -> Vec<(String, String)> {
        let schema = crate::shipped::find("strowger/menu").expect("it is shipped").schema;
        let schema: Value = serde_json::from_str(schema).expect("a schema is JSON");
        Walk::through(&schema, &settings).misfits.into_iter().map(|m| (m.place, m.why)).collect()
    }

    #[test]
    fn what_was_meant_is_said() {
        let menu = |action: Value| json!({ "menu": { "prompts": ["welcome"], "choices": { "1": action } } });
        let one = "/menu/choices/1";
        for (settings, place, why) in [
            (
                menu(json!({ "rign": { "places": ["ana"] } })),
                one.to_owned(),
                "there is no \"rign\" here; write \"ring\"",
            ),
            (
                menu(json!({ "ring": { "places": ["ana"], "second": 5 } })),
                format!("{one}/ring/second"),
                "there is no \"second\" here; write \"seconds\"",
            ),
            (menu(json!("bakc")), one.to_owned(), "\"bakc\" is nothing here; write \"back\""),
            (menu(json!({ "ring": {} })), format!("{one}/ring"), "\"places\" is missing; write places = ..."),
            (menu(json!(["back"])), one.to_owned(), "this is a list; write a table or a text"),
            (
                json!({ "menu": { "prompts": "welcome", "choices": {} } }),
                "/menu/prompts".into(),
                "this is a text; write a list",
            ),
            (json!({}), String::new(), "\"menu\" is missing; write menu = ..."),
        ] {
            assert_eq!(told(settings), [(place, why.to_owned())]);
        }
        assert_eq!(told(menu(json!({ "play": { "en": "Nine to five." } }))), []);
        assert_eq!(told(menu(json!("back"))), []);
    }

    #[test]
    fn what_is_named_is_found() {
        let schema = json!({
            "type": "object",
            "properties": { "queue": { "type": "string", "format": "queue" }, "say": { "$ref": "#/$defs/Say" } },
            "$defs": { "Say": { "anyOf": [{ "type": "string" }, { "type": "object" }] } },
        });
        let walk = Walk::through(&schema, &json!({ "queue": "sales", "say": "welcome" }));
        let named: Vec<_> =
            walk.named.iter().map(|n| (n.kind.as_str(), n.place.as_str(), n.name.as_str())).collect();
        assert_eq!(named, [("queue", "/queue", "sales"), ("prompt", "/say", "welcome")]);
    }
}
