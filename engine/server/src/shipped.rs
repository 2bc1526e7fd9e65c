//! The scripts that the binary carries, as `strowger/NAME`: the component of each, and the JSON Schema of its settings,
//! by which a configuration is checked before a call meets it. What they do is in `scripts/`.

use std::collections::HashMap;
use std::sync::LazyLock;

use jsonschema::Validator;
use serde_json::{Map, Value};

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

/// Something in settings that a script can't read.
#[derive(Debug, PartialEq, Eq)]
pub struct Misfit {
    /// A JSON Pointer (RFC 6901) to it; empty for the settings as a whole.
    pub place: String,
    /// What is wrong there.
    pub why: String,
}

/// The shipped script of that name.
pub fn find(name: &str) -> Option<&'static Shipped> {
    SHIPPED.iter().find(|shipped| shipped.name == name)
}

/// Everything in the settings of a script that does not fit, at most [`MOST_MISFITS`]: by the schema of a shipped one, and
/// of every shipped one that these hand the call over to. A tenant's own script has no schema, and takes what it is given.
/// `own`: whether the tenant has a script of that name.
pub fn misfits(script: &str, settings: &Value, own: &dyn Fn(&str) -> bool) -> Vec<Misfit> {
    let mut found = Vec::new();
    check(script, settings, "", own, &mut found);
    found.truncate(MOST_MISFITS);
    found
}

fn check(script: &str, settings: &Value, place: &str, own: &dyn Fn(&str) -> bool, found: &mut Vec<Misfit>) {
    let Some(shipped) = find(script) else { return };
    found.extend(shipped.misfits(settings).map(|m| Misfit { place: format!("{place}{}", m.place), ..m }));
    follow(settings, place, own, found);
}

/// Goes down to where a shipped script hands over. They all write it with the same words: `hand_over = { script, settings }`
/// and, for messages, `voicemail = settings`.
fn follow(value: &Value, place: &str, own: &dyn Fn(&str) -> bool, found: &mut Vec<Misfit>) {
    let nothing = Value::Object(Map::new());
    match value {
        Value::Object(fields) => {
            for (name, inner) in fields {
                let below = format!("{place}/{}", name.replace('~', "~0").replace('/', "~1"));
                match (name.as_str(), inner["script"].as_str()) {
                    ("hand_over", Some(script)) => {
                        if find(script).is_none() && !own(script) {
                            let why = format!("there is no script \"{script}\"");
                            found.push(Misfit { place: format!("{below}/script"), why });
                        }
                        let settings = inner.get("settings").unwrap_or(&nothing);
                        check(script, settings, &format!("{below}/settings"), own, found);
                    }
                    ("voicemail", _) if !NAMED.iter().any(|map| place.ends_with(map)) => {
                        check("strowger/voicemail", inner, &below, own, found);
                    }
                    _ => follow(inner, &below, own, found),
                }
            }
        }
        Value::Array(items) => {
            let below = |n: usize| format!("{place}/{n}");
            items.iter().enumerate().for_each(|(n, item)| follow(item, &below(n), own, found));
        }
        _ => {}
    }
}

/// Maps of `strowger/queue` whose keys the tenant's strategy chooses: there "voicemail" is a name, and no step.
const NAMED: [&str; 2] = ["/words", "/otherwise_by"];

impl Shipped {
    /// What the schema does not allow.
    fn misfits(&self, settings: &Value) -> impl Iterator<Item = Misfit> {
        static VALIDATORS: LazyLock<HashMap<&str, Validator>> = LazyLock::new(|| {
            let validator = |shipped: &'static Shipped| {
                let schema: Value = serde_json::from_str(shipped.schema).ok()?;
                Some((shipped.name, jsonschema::validator_for(&schema).ok()?))
            };
            SHIPPED.iter().filter_map(validator).collect()
        });
        // A test sees to it that each has one.
        let validator = VALIDATORS.get(self.name).into_iter();
        let errors = validator.flat_map(|validator| validator.iter_errors(settings)).take(MOST_MISFITS);
        errors.map(|e| Misfit { place: e.instance_path.to_string(), why: e.to_string() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn each_has_a_schema_that_refuses_a_key_it_does_not_know() {
        for shipped in SHIPPED {
            let misfits = misfits(shipped.name, &json!({ "no such key": 1 }), &|_| false);
            assert!(misfits.iter().any(|misfit| misfit.place.is_empty()), "{}: {misfits:?}", shipped.name);
        }
    }

    fn places(script: &str, settings: Value) -> Vec<String> {
        misfits(script, &settings, &|name| name == "mine").into_iter().map(|misfit| misfit.place).collect()
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
