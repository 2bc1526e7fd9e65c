//! How a CRM outside is asked and told, as data: requests with fields to fill in, and JSON Pointers (RFC 6901) to what its
//! answers say. The shapes of well-known CRMs are such plans too ([`preset`]), so one engine speaks to all of them. A field
//! that nobody knows, or a pointer that is none, is refused when the plan is read.

use std::collections::BTreeMap;

use notices::{Escape, Template};
use serde::Deserialize;
use serde_json::Value;

use crate::config::section::hint;

/// What may be filled in. Of a look-up there are the first four, and `contact` and `deal` once they are known.
pub const FIELDS: [&str; 35] = [
    "number",
    "digits",
    "last",
    "national",
    "contact",
    "deal",
    "name",
    "title",
    "text",
    "responsible",
    "owner",
    "agent",
    "agent_name",
    "due",
    "due_date",
    "due_time",
    "due_unix",
    "at",
    "at_text",
    "at_unix",
    "at_ms",
    "ended_text",
    "seconds",
    "milliseconds",
    "direction",
    "outcome",
    "dialled",
    "from",
    "to",
    "queue",
    "recording",
    "task",
    "key",
    "call",
    "tenant",
];

/// Plans by the name of their CRM.
const PRESETS: [(&str, &str); 6] = [
    ("hubspot", include_str!("presets/hubspot.toml")),
    ("pipedrive", include_str!("presets/pipedrive.toml")),
    ("bitrix24", include_str!("presets/bitrix24.toml")),
    ("kommo", include_str!("presets/kommo.toml")),
    ("amocrm", include_str!("presets/kommo.toml")),
    ("salesforce", include_str!("presets/salesforce.toml")),
];

/// The names of the plans that there are.
pub const KINDS: [&str; 6] = ["hubspot", "pipedrive", "bitrix24", "kommo", "amocrm", "salesforce"];

/// The plan for a well-known CRM.
pub fn preset(name: &str) -> Option<Plan> {
    let (_, text) = PRESETS.iter().find(|(known, _)| *known == name)?;
    Some(toml::from_str(text).expect("a test reads every plan that is shipped"))
}

/// What to ask, and what to tell.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Plan {
    /// Where all paths begin, where that is the same for everyone.
    pub url: Option<String>,
    /// A header with `{token}`.
    pub auth: Option<String>,
    /// To what an answer says when it says in its body, and by no status, that something went wrong (JSON-RPC 2.0 §5.1).
    pub error: Option<Pointer>,
    /// Other words for values of a field: field, value, word. "*" stands for all others.
    pub words: BTreeMap<String, BTreeMap<String, String>>,
    /// Who has a number.
    pub find: Option<Ask>,
    /// More about the contact that was found.
    pub contact: Option<Ask>,
    /// Their open deal.
    pub deal: Option<Ask>,
    /// A task that is open.
    pub create_task: Option<Tell>,
    /// One that is done already; else it is created and finished.
    pub done_task: Option<Tell>,
    /// An open one is done.
    pub finish_task: Option<Tell>,
    /// A call.
    pub log_call: Option<Tell>,
}

/// A question, and where its answer says what.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ask {
    /// GET unless said.
    #[serde(default)]
    pub method: Method,
    /// Behind the plan's `url`.
    pub path: Text,
    /// None for none.
    pub body: Option<Body>,
    /// To the list of hits, or to the one hit. All that follows leads on from a hit.
    #[serde(default)]
    pub items: Pointer,
    /// What the CRM calls it.
    pub id: Option<Pointer>,
    /// One text of all of them.
    #[serde(default)]
    pub name: Pointers,
    /// Where they work.
    pub company: Option<Pointer>,
    /// Who looks after them, as the CRM names users.
    pub owner: Option<Pointer>,
    /// A hit with other numbers is passed over.
    #[serde(default)]
    pub numbers: Pointers,
    /// The id of a deal.
    pub deal: Option<Pointer>,
    /// A deal's title.
    pub title: Option<Pointer>,
    /// A hit that has something there is passed over.
    pub unless: Option<Pointer>,
    /// Other fields by name.
    #[serde(default)]
    pub fields: BTreeMap<String, Pointer>,
}

/// Something to write there.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tell {
    /// POST unless said.
    #[serde(default = "post")]
    pub method: Method,
    /// Behind the plan's `url`.
    pub path: Text,
    /// None for none.
    pub body: Option<Body>,
    /// To the id of what was made.
    pub id: Option<Pointer>,
    /// A field without which there is nothing to tell.
    pub needs: Option<String>,
}

/// RFC 9110 §9.3.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
#[allow(missing_docs)]
pub enum Method {
    #[default]
    Get,
    Post,
    Put,
    Patch,
}

fn post() -> Method {
    Method::Post
}

/// What is filled in for a field; empty where nothing is known.
pub type Values = BTreeMap<&'static str, String>;

/// A text with fields.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "String")]
pub struct Text {
    template: Template,
    fields: Vec<&'static str>,
}

impl TryFrom<String> for Text {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let template = Template::with(&text, &FIELDS)
            .map_err(|unknown| format!("{unknown}; {}", hint(&unknown.0, FIELDS)))?;
        let fields = FIELDS.into_iter().filter(|field| template.has(field)).collect();
        Ok(Self { template, fields })
    }
}

impl Text {
    /// With its fields filled in; none where it has fields and nothing is known of any.
    pub fn fill(&self, escape: Escape, values: &Values) -> Option<String> {
        let value = |field: &str| values.get(field).cloned().unwrap_or_default();
        let known = self.fields.is_empty() || self.fields.iter().any(|field| !value(field).is_empty());
        known.then(|| self.template.fill(escape, value))
    }

    /// As a path: none where anything of it is not known.
    pub fn path(&self, values: &Values) -> Option<String> {
        let known = |field: &&str| values.get(*field).is_some_and(|value| !value.is_empty());
        self.fields.iter().all(known).then(|| self.fill(Escape::Percent, values)).flatten()
    }
}

/// A JSON body with fields in its texts. A text of which nothing is known is left out, and an object is left out with what
/// stands under "?". A field behind "=", as in "={contact}", is written as a number.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "Value")]
pub enum Body {
    /// A text, and whether it becomes a number.
    Text(Text, bool),
    /// In order.
    List(Vec<Body>),
    /// By name.
    Object(Vec<(String, Body)>),
    /// As it is.
    Plain(Value),
}

/// An object with this key is there only if its value is.
const ONLY_IF: &str = "?";

impl TryFrom<Value> for Body {
    type Error = String;

    fn try_from(value: Value) -> Result<Self, String> {
        Ok(match value {
            Value::String(text) => match text.strip_prefix('=').filter(|rest| rest.starts_with('{')) {
                Some(number) => Self::Text(Text::try_from(number.to_owned())?, true),
                None => Self::Text(Text::try_from(text)?, false),
            },
            Value::Array(items) => {
                Self::List(items.into_iter().map(Self::try_from).collect::<Result<_, _>>()?)
            }
            Value::Object(members) => {
                let member = |(name, value)| Ok::<_, String>((name, Self::try_from(value)?));
                Self::Object(members.into_iter().map(member).collect::<Result<_, _>>()?)
            }
            plain => Self::Plain(plain),
        })
    }
}

impl Body {
    /// With its fields filled in.
    pub fn fill(&self, values: &Values) -> Option<Value> {
        match self {
            Self::Text(text, false) => text.fill(Escape::Plain, values).map(Value::from),
            Self::Text(text, true) => text.fill(Escape::Plain, values)?.parse::<i64>().ok().map(Value::from),
            Self::List(items) => Some(items.iter().filter_map(|item| item.fill(values)).collect()),
            Self::Object(members) => {
                let mut object = serde_json::Map::new();
                for (name, body) in members {
                    match body.fill(values) {
                        None if name == ONLY_IF => return None,
                        Some(value) if name != ONLY_IF => drop(object.insert(name.clone(), value)),
                        _ => {}
                    }
                }
                Some(Value::Object(object))
            }
            Self::Plain(value) => Some(value.clone()),
        }
    }
}

/// A JSON Pointer; a part "*" leads to everything in a list.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(try_from = "String")]
pub struct Pointer(Vec<String>);

impl TryFrom<String> for Pointer {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if text.is_empty() {
            return Ok(Self::default());
        }
        let Some(rest) = text.strip_prefix('/') else {
            return Err(format!("\"{text}\" is no JSON Pointer; write one like \"/results/0/id\""));
        };
        Ok(Self(rest.split('/').map(|part| part.replace("~1", "/").replace("~0", "~")).collect()))
    }
}

impl Pointer {
    /// What it leads to.
    pub fn all<'v>(&self, value: &'v Value) -> Vec<&'v Value> {
        let step = |found: Vec<&'v Value>, part: &String| -> Vec<&'v Value> {
            let below = |value: &'v Value| -> Vec<&'v Value> {
                match value {
                    Value::Array(items) if part == "*" => items.iter().collect(),
                    Value::Array(items) => {
                        part.parse().ok().and_then(|n: usize| items.get(n)).into_iter().collect()
                    }
                    Value::Object(members) => members.get(part).into_iter().collect(),
                    _ => Vec::new(),
                }
            };
            found.into_iter().flat_map(below).collect()
        };
        self.0.iter().fold(vec![value], step)
    }

    /// The first text or number that it leads to.
    pub fn text(&self, value: &Value) -> Option<String> {
        self.all(value).into_iter().find_map(text)
    }
}

/// One pointer, or several.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(untagged)]
pub enum Pointers {
    /// None.
    #[default]
    None,
    /// One.
    One(Pointer),
    /// Several.
    Several(Vec<Pointer>),
}

impl Pointers {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        matches!(self, Self::None)
    }

    /// All texts that they lead to.
    pub fn texts(&self, value: &Value) -> Vec<String> {
        let all = match self {
            Self::None => &[],
            Self::One(pointer) => std::slice::from_ref(pointer),
            Self::Several(pointers) => &pointers[..],
        };
        all.iter().flat_map(|pointer| pointer.all(value)).filter_map(text).collect()
    }
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn body(value: Value) -> Body {
        Body::try_from(value).expect("a body")
    }

    #[test]
    fn every_plan_that_is_shipped_can_be_read_and_finds_and_tells() {
        for name in KINDS {
            let plan = preset(name).expect(name);
            let find = plan.find.expect("it finds");
            assert!(find.id.is_some() && (find.owner.is_some() || plan.contact.is_some()), "{name}");
            assert!(
                plan.deal.is_some() && plan.create_task.is_some() && plan.finish_task.is_some(),
                "{name}"
            );
            assert!(plan.log_call.is_some(), "{name}");
        }
        assert!(preset("hubspott").is_none());
    }

    #[test]
    fn what_is_not_known_is_left_out_of_a_body() {
        let body = body(json!({
            "title": "{title}", "user": "={owner}", "about": [{ "?": "{contact}", "id": "{contact}", "kind": 204 }],
            "done": false, "number": "tel:{number}", "queue": "{queue}", "where": ["id", "=", "={owner}"],
        }));
        let some = Values::from([("title", "Call \"Maria\"".to_owned()), ("owner", "17".to_owned())]);
        let told = body.fill(&some).expect("an object");
        assert_eq!(
            told,
            json!({ "title": "Call \"Maria\"", "user": 17, "about": [], "done": false, "where": ["id", "=", 17] })
        );
        let more = Values::from([
            ("contact", "9".to_owned()),
            ("owner", "ana".to_owned()),
            ("queue", String::new()),
        ]);
        assert_eq!(
            body.fill(&more),
            Some(json!({ "about": [{ "id": "9", "kind": 204 }], "done": false, "where": ["id", "="] }))
        );
    }

    #[test]
    fn a_path_is_there_when_all_of_it_is_known_and_nothing_in_it_leads_elsewhere() {
        let path = Text::try_from("/tasks/{task}?by={owner}".to_owned()).expect("a path");
        let values = Values::from([("task", "../9?a=1#".to_owned()), ("owner", "a&b".to_owned())]);
        assert_eq!(path.path(&values).as_deref(), Some("/tasks/..%2F9%3Fa%3D1%23?by=a%26b"));
        assert_eq!(path.path(&Values::from([("task", "9".to_owned())])), None);
    }

    #[test]
    fn rfc6901_pointers_lead_where_they_say() {
        let value =
            json!({ "a/b": { "m~n": [1, { "x": "y" }] }, "list": [{ "v": ["1", "2"] }, { "v": ["3"] }, 4] });
        let pointer = |text: &str| Pointer::try_from(text.to_owned()).expect(text);
        assert_eq!(pointer("/a~1b/m~0n/1/x").text(&value).as_deref(), Some("y"));
        assert_eq!(pointer("").all(&value).len(), 1);
        assert_eq!(Pointers::One(pointer("/list/*/v/*")).texts(&value), ["1", "2", "3"]);
        assert!(pointer("/list/9/v").all(&value).is_empty() && pointer("/a~1b/*").all(&value).is_empty());
        assert!(Pointer::try_from("results".to_owned()).is_err());
    }

    #[test]
    fn a_field_that_nobody_knows_is_refused_with_the_nearest() {
        let told = Text::try_from("/find?q={nubmer}".to_owned()).expect_err("refused");
        assert_eq!(told, "there is no field {nubmer}; write \"number\"");
        assert!(Body::try_from(json!({ "a": [{ "b": "{ownr}" }] })).is_err());
    }
}
