//! `[traces]`: where traces of calls go. Nowhere unless it is said.
//!
//! ```toml
//! [traces]
//! url = "http://127.0.0.1:4318/v1/traces"     # a collector that takes OTLP over HTTP
//! words = true                                # with what was asked and answered, numbers of callers included
//!   [[traces.header]]
//!   name = "authorization"
//!   value_env = "COLLECTOR_TOKEN"
//! ```

use super::section::Section;
use super::speech::headers;
use super::world::Secret;

/// The collector, and what it is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceSettings {
    /// `url`: where requests go, path included.
    pub url: String,
    /// `[[traces.header]]`: names and values.
    pub headers: Vec<(String, Secret)>,
    /// `words`: spans say what was asked and answered, and who was rung.
    pub words: bool,
}

/// Reads `[traces]`.
pub(super) fn traces(section: Section<'_, '_>) -> Option<TraceSettings> {
    let example = "http://127.0.0.1:4318/v1/traces";
    let url = section.required("url", example);
    let well_formed = |url: &str| {
        reqwest::Url::parse(url).is_ok_and(|url| url.has_host() && matches!(url.scheme(), "http" | "https"))
    };
    if let Some(url) = url.filter(|url| !well_formed(url.value)) {
        section.mistake(url.line, format!("\"{}\" is no address; write one like \"{example}\"", url.value));
    }
    let headers = headers(&section, "COLLECTOR_TOKEN");
    let words = section.flag("words", false);
    section.finish();
    Some(TraceSettings { url: url?.value.to_owned(), headers, words })
}
