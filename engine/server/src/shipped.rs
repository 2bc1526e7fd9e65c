//! The scripts that the binary carries, as `strowger/NAME`: the component of each, and the JSON Schema of its settings,
//! by which a configuration is checked before a call meets it. What they do is in `scripts/`.

use std::collections::HashMap;
use std::sync::LazyLock;

use jsonschema::Validator;
use serde_json::{Map, Value};

use crate::config::Tenant;
use crate::config::section::{hint, nearest};
use crate::flow;
use crate::misfits::{Misfit, Named, Walk, escaped};

include!(concat!(env!("OUT_DIR"), "/shipped.rs"));

/// What is wrong with settings is told so many times at once; the rest shows when these are mended.
const MOST_MISFITS: usize = 8;

/// A script that every tenant has without loading it.
pub struct Shipped {
    /// "strowger/menu"
    pub name: &'static str,
    /// What runs.
    pub component: &'static [u8],
    /// JSON Schema of its settings.
    pub schema: &'static str,
}

/// The shipped script of that name.
pub fn find(name: &str) -> Option<&'static Shipped> {
    SHIPPED.iter().find(|shipped| shipped.name == name)
}

/// What settings may name of a tenant; what is not known is taken on trust.
#[derive(Debug, Default)]
pub struct Names<'a> {
    /// Its own scripts.
    pub scripts: Option<Vec<&'a str>>,
    /// Users, by name and by extension.
    pub users: Option<Vec<&'a str>>,
    /// Groups.
    pub groups: Option<Vec<&'a str>>,
    /// Queues.
    pub queues: Option<Vec<&'a str>>,
    /// Calendars.
    pub calendars: Option<Vec<&'a str>>,
}

impl<'a> Names<'a> {
    /// What a tenant has.
    pub fn of(tenant: &'a Tenant, scripts: &'a [String]) -> Self {
        let people = tenant.users.iter().flat_map(|user| [user.name.as_str(), user.number.as_str()]);
        Self {
            scripts: Some(scripts.iter().map(String::as_str).collect()),
            users: Some(people.collect()),
            groups: Some(tenant.groups.iter().map(|group| group.name.as_str()).collect()),
            queues: Some(tenant.queues.iter().map(|queue| queue.name.as_str()).collect()),
            calendars: Some(tenant.calendars.iter().map(|calendar| calendar.name.as_str()).collect()),
        }
    }

    /// That something is named which the tenant has not.
    fn misfit(&self, named: &Named) -> Option<Misfit> {
        let name = named.name.as_str();
        let (what, name, known) = match named.kind.as_str() {
            "queue" => ("queue", name, &self.queues),
            "calendar" => ("calendar", name, &self.calendars),
            // What is in braces is known in a call.
            "place" if !name.contains('{') => match name.split_once(':').unwrap_or(("user", name)) {
                ("user" | "mobile", name) => ("user", name, &self.users),
                ("group" | "mobiles", name) => ("group", name, &self.groups),
                _ => return None,
            },
            _ => return None,
        };
        let known = known.as_ref().filter(|known| !known.contains(&name))?;
        let why = format!("there is no {what} \"{name}\"; {}", hint(name, known.iter().copied()));
        Some(Misfit { place: named.place.clone(), why })
    }
}

/// Everything in the settings of a script that does not fit, at most [`MOST_MISFITS`]: by the schema of a shipped one, and
/// of every shipped one that these hand the call over to. A tenant's own script has no schema, and takes what it is given.
pub fn misfits(script: &str, settings: &Value, names: &Names<'_>) -> Vec<Misfit> {
    look_through(script, settings, names).0
}

/// The same, and what the settings name.
pub fn look_through(script: &str, settings: &Value, names: &Names<'_>) -> (Vec<Misfit>, Vec<Named>) {
    let mut found = Vec::new();
    let named = check(script, settings, "", names, &mut found);
    found.truncate(MOST_MISFITS);
    (found, named)
}

fn check(
    script: &str,
    settings: &Value,
    place: &str,
    names: &Names<'_>,
    found: &mut Vec<Misfit>,
) -> Vec<Named> {
    let Some(shipped) = find(script) else { return Vec::new() };
    let (mut misfits, named) = shipped.look_through(settings);
    if misfits.is_empty() {
        misfits.extend(named.iter().filter_map(|named| names.misfit(named)));
        if script == flow::SCRIPT {
            misfits.extend(flow::misfits(settings, &named));
        }
    }
    found.extend(misfits.into_iter().map(|m| Misfit { place: format!("{place}{}", m.place), ..m }));
    follow(settings, place, names, found);
    named
}

/// Goes down to where a shipped script hands over. They all write it with the same words: `hand_over = { script, settings }`
/// and, for messages, `voicemail = settings`.
fn follow(value: &Value, place: &str, names: &Names<'_>, found: &mut Vec<Misfit>) {
    let nothing = Value::Object(Map::new());
    match value {
        Value::Object(fields) => {
            for (name, inner) in fields {
                let below = format!("{place}/{}", escaped(name));
                match (name.as_str(), inner["script"].as_str()) {
                    ("hand_over", Some(script)) => {
                        let own = |own: &Vec<&str>| own.contains(&script);
                        if find(script).is_none() && !names.scripts.as_ref().is_none_or(own) {
                            let known = SHIPPED.iter().map(|shipped| shipped.name);
                            let known = known.chain(names.scripts.iter().flatten().copied());
                            let near = nearest(script, known)
                                .map_or_else(String::new, |near| format!("; write \"{near}\""));
                            let why = format!("there is no script \"{script}\"{near}");
                            found.push(Misfit { place: format!("{below}/script"), why });
                        }
                        let settings = inner.get("settings").unwrap_or(&nothing);
                        check(script, settings, &format!("{below}/settings"), names, found);
                    }
                    ("voicemail", _) if !NAMED.iter().any(|map| place.ends_with(map)) => {
                        check("strowger/voicemail", inner, &below, names, found);
                    }
                    _ => follow(inner, &below, names, found),
                }
            }
        }
        Value::Array(items) => {
            let below = |n: usize| format!("{place}/{n}");
            items.iter().enumerate().for_each(|(n, item)| follow(item, &below(n), names, found));
        }
        _ => {}
    }
}

/// Maps whose keys somebody else chooses: there "voicemail" is a name, and no step.
const NAMED: [&str; 4] = ["/words", "/otherwise_by", "/steps", "/schemes"];

impl Shipped {
    /// What the schema does not allow, and what the settings name.
    fn look_through(&self, settings: &Value) -> (Vec<Misfit>, Vec<Named>) {
        static SCHEMAS: LazyLock<HashMap<&str, (Value, Validator)>> = LazyLock::new(|| {
            let read = |shipped: &'static Shipped| {
                let schema: Value = serde_json::from_str(shipped.schema).ok()?;
                let validator = jsonschema::validator_for(&schema).ok()?;
                Some((shipped.name, (schema, validator)))
            };
            SHIPPED.iter().filter_map(read).collect()
        });
        // A test sees to it that each has one.
        let Some((schema, validator)) = SCHEMAS.get(self.name) else { return Default::default() };
        let Walk { misfits, named, .. } = Walk::through(schema, settings);
        if validator.is_valid(settings) {
            return (Vec::new(), named);
        }
        if !misfits.is_empty() {
            return (misfits, named);
        }
        let errors = validator.iter_errors(settings).take(MOST_MISFITS);
        let misfits = errors.map(|e| Misfit { place: e.instance_path.to_string(), why: e.to_string() });
        (misfits.collect(), named)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn each_has_a_schema_that_refuses_a_key_it_does_not_know() {
        for shipped in SHIPPED {
            let misfits = misfits(shipped.name, &json!({ "no such key": 1 }), &Names::default());
            let told = |misfit: &Misfit| misfit.place == "/no such key" && misfit.why.contains("no such key");
            assert!(misfits.iter().any(told), "{}: {misfits:?}", shipped.name);
        }
    }

    /// Of the Rust SDK: who names no function for the end of a call costs none of it.
    #[test]
    fn those_that_do_nothing_after_a_call_say_so() {
        let section = script::sections::NOTHING_AFTER.as_bytes();
        let takes_calls =
            |shipped: &&Shipped| script::Kind::of(shipped.component) == Some(script::Kind::Call);
        for shipped in SHIPPED.iter().filter(takes_calls) {
            let says = shipped.component.windows(section.len()).any(|bytes| bytes == section);
            assert!(says, "{} has `ended = ...`, or the section was lost on the way", shipped.name);
        }
    }

    fn places(script: &str, settings: Value) -> Vec<String> {
        let names = Names { scripts: Some(vec!["mine"]), ..Names::default() };
        misfits(script, &settings, &names).into_iter().map(|misfit| misfit.place).collect()
    }

    #[test]
    fn what_does_not_fit_is_named_by_its_path() {
        assert_eq!(places("strowger/ring", json!({ "places": ["user:ana"] })), [""; 0]);
        let wrong = json!({ "places": ["user:ana"], "then": [{ "after": -1, "places": ["user:boris"] }] });
        assert_eq!(places("strowger/ring", wrong.clone()), ["/then/0/after"]);
        assert_eq!(places("mine", wrong), [""; 0], "a tenant's own script takes what it is given");
    }

    #[test]
    fn settings_that_a_call_is_handed_over_with_must_fit_too() {
        let menu = |action: Value| json!({ "menu": { "prompts": ["welcome"], "choices": { "1": action } } });
        let over = |script: &str, settings: Value| json!({ "hand_over": { "script": script, "settings": settings } });
        let one = "/menu/choices/1/hand_over";
        for (action, wrong) in [
            (over("strowger/ring", json!({ "places": ["ana"] })), vec![]),
            (over("strowger/ring", json!({ "places": ["ana"], "seconds": "x" })), vec!["/settings/seconds"]),
            (json!({ "hand_over": { "script": "strowger/ring" } }), vec!["/settings"]),
            (over("strowger/rnig", json!({})), vec!["/script"]),
            (over("mine", json!({ "hand_over": { "script": "whatever it means there" } })), vec![]),
            (
                over(
                    "strowger/queue",
                    json!({ "queue": "sales", "otherwise": [{ "voicemail": { "box": 1 } }] }),
                ),
                vec!["/settings/otherwise/0/voicemail/box"],
            ),
            (
                over(
                    "strowger/queue",
                    json!({ "queue": "sales", "words": { "voicemail": { "say": ["bye"] } } }),
                ),
                vec![],
            ),
        ] {
            let wrong: Vec<_> = wrong.iter().map(|place| format!("{one}{place}")).collect();
            assert_eq!(places("strowger/menu", menu(action.clone())), wrong, "{action}");
        }
    }
}
