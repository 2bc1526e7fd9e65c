//! What is kept of a script and of each of its versions, as JSON: a row that an older engine wrote is read, and what
//! it does not say is not known.

use serde::{Deserialize, Serialize};

use super::REMEMBERED;
use crate::events::wall;

/// Which version takes calls, as stored.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct State {
    pub tenant: String,
    pub script: String,
    pub active: String,
    /// Those that were active before, the latest last.
    pub before: Vec<String>,
    /// When the active one became so.
    pub since: f64,
    /// Who saw to that.
    #[serde(default)]
    pub by: Option<String>,
    #[serde(default)]
    pub canary: Option<Canary>,
    /// The version that runs beside the active one.
    #[serde(default)]
    pub shadow: Option<String>,
    #[serde(default)]
    pub rolled_back: Option<RolledBack>,
}

/// A version that takes a share of the calls.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Canary {
    /// Its hash.
    pub version: String,
    /// Its calls, of [`script::SHARES`].
    pub share: u32,
    /// Since when: seconds since 1970 UTC.
    pub since: f64,
    /// Who saw to that.
    pub by: Option<String>,
}

/// A canary that was worse than the active version.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RolledBack {
    /// Its hash.
    pub version: String,
    /// What was worse, in words.
    pub reason: String,
    /// When: seconds since 1970 UTC.
    pub at: f64,
}

impl State {
    /// All calls go to this version.
    pub fn activated(mut self, hash: &str, by: Option<&str>) -> Self {
        self.canary = None;
        if self.active != hash {
            if !self.active.is_empty() {
                self.before.push(std::mem::take(&mut self.active));
            }
            let too_many = self.before.len().saturating_sub(REMEMBERED);
            self.before.drain(..too_many);
            self.active = hash.to_owned();
            self.since = wall();
            self.by = by.map(str::to_owned);
        }
        self
    }
}

/// What whoever loads a version says of it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct About {
    /// A short name: "before-christmas".
    #[serde(default)]
    pub label: Option<String>,
    /// What has changed, in words.
    #[serde(default)]
    pub notes: Option<String>,
    /// Who loaded it.
    #[serde(default)]
    pub by: Option<String>,
    /// SHA-256 of the sources that it was built from, hex.
    #[serde(default)]
    pub source: Option<String>,
}

/// A version, as stored.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Stored {
    pub hash: String,
    pub size: usize,
    pub uploaded: f64,
    #[serde(flatten)]
    pub about: About,
    /// The key that its signature was made with.
    #[serde(default)]
    pub signed_by: Option<String>,
    /// When it took calls for the first time.
    #[serde(default)]
    pub activated: Option<f64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_an_older_engine_are_read() {
        let state = r#"{"tenant":"acme","script":"mine","active":"aa","before":["bb"],"since":1795000000.5}"#;
        let state: State = serde_json::from_str(state).expect("a state without a canary");
        assert_eq!((state.active.as_str(), &state.canary, &state.shadow), ("aa", &None, &None));
        let version: Stored =
            serde_json::from_str(r#"{"hash":"aa","size":7,"uploaded":1.0}"#).expect("a version");
        assert_eq!((version.about, version.activated), (About::default(), None));
    }
}
