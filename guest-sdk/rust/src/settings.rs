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

/// The JSON Schema of settings.
#[cfg(not(target_arch = "wasm32"))]
pub fn schema<S: schemars::JsonSchema>() -> String {
    let schema = schemars::schema_for!(S);
    serde_json::to_string_pretty(&schema).expect("a schema is JSON") + "\n"
}

/// For a test: the file (`settings.schema.json` beside Cargo.toml, for whoever makes settings for the script) says what
/// the type says. With `STROWGER_WRITE_SCHEMAS` in the environment the file is written.
///
/// # Panics
/// When the file says something else, or can't be read.
#[cfg(not(target_arch = "wasm32"))]
#[track_caller]
pub fn assert_schema<S: schemars::JsonSchema>(file: &str) {
    let schema = schema::<S>();
    if std::env::var_os("STROWGER_WRITE_SCHEMAS").is_some() {
        std::fs::write(file, &schema).unwrap_or_else(|error| panic!("{file}: {error}"));
    }
    let written = std::fs::read_to_string(file).unwrap_or_else(|error| panic!("{file}: {error}"));
    assert!(
        written == schema,
        "{file} is not the settings' schema; STROWGER_WRITE_SCHEMAS=1 cargo test writes it"
    );
}
