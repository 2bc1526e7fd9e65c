//! What the number, or whoever handed over, set for this script: a JSON object, read into a type of the script's own.

use crate::host;
use crate::words::{Failure, Result};
use serde::de::DeserializeOwned;

/// The settings as they stand; "{}" when nothing is set.
pub fn json() -> String {
    host::settings()
}

/// The settings, read. A function under `#[call_script]` gets them as its second argument without asking.
///
/// # Errors
/// [`Failure::Invalid`] with the place and the reason when they don't fit the type.
pub fn read<S: DeserializeOwned>() -> Result<S> {
    serde_json::from_str(&json()).map_err(|error| Failure::Invalid(format!("settings: {error}")))
}

/// The JSON Schema of settings, as shipped beside a script in `settings.schema.json`.
#[cfg(not(target_arch = "wasm32"))]
pub fn schema<S: schemars::JsonSchema>() -> String {
    let schema = schemars::schema_for!(S);
    serde_json::to_string_pretty(&schema).expect("a schema is JSON") + "\n"
}
