//! The scripts that the binary carries, as `strowger/NAME`: the component of each, and the JSON Schema of its settings,
//! by which a configuration is checked before a call meets it. What they do is in `scripts/`.

use std::collections::HashMap;
use std::sync::LazyLock;

use jsonschema::Validator;
use serde_json::Value;

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

impl Shipped {
    /// Everything in these settings that the schema does not allow; nothing when they fit.
    pub fn misfits(&self, settings: &Value) -> Vec<Misfit> {
        static VALIDATORS: LazyLock<HashMap<&str, Validator>> = LazyLock::new(|| {
            let validator = |shipped: &'static Shipped| {
                let schema: Value = serde_json::from_str(shipped.schema).ok()?;
                Some((shipped.name, jsonschema::validator_for(&schema).ok()?))
            };
            SHIPPED.iter().filter_map(validator).collect()
        });
        // A test sees to it that each has one.
        let Some(validator) = VALIDATORS.get(self.name) else { return Vec::new() };
        let errors = validator.iter_errors(settings).take(MOST_MISFITS);
        errors.map(|e| Misfit { place: e.instance_path.to_string(), why: e.to_string() }).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn each_has_a_schema_that_refuses_a_key_it_does_not_know() {
        for shipped in SHIPPED {
            let misfits = shipped.misfits(&json!({ "no such key": 1 }));
            assert!(misfits.iter().any(|misfit| misfit.place.is_empty()), "{}: {misfits:?}", shipped.name);
        }
    }

    #[test]
    fn what_does_not_fit_is_named_by_its_path() {
        let ring = find("strowger/ring").expect("it is shipped");
        assert_eq!(ring.misfits(&json!({ "places": ["user:ana"] })), []);
        let places: Vec<_> = ring
            .misfits(&json!({ "places": ["user:ana"], "then": [{ "after": -1, "places": ["user:boris"] }] }))
            .into_iter()
            .map(|misfit| misfit.place)
            .collect();
        assert_eq!(places, ["/then/0/after"]);
    }
}
