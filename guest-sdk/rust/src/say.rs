//! Something to say, as settings write it: a recording by its name, or words in each language.

use crate::leg::Leg;
use crate::words::Prompt;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The language of whoever speaks none of those that there are words in.
const LINGUA_FRANCA: &str = "en";

/// Something to say: `"welcome"` is a recording of that name, and `{ "en": "Good morning", "bg": "Добро утро" }` are
/// words to speak in the caller's language.
///
/// ```
/// use strowger_script::Say;
///
/// let welcome: Say = serde_json::from_str(r#"{ "en": "Good morning", "bg": "Добро утро" }"#)?;
/// assert_eq!(welcome.in_language("bg-BG"), strowger_script::text("Добро утро"));
/// assert_eq!(welcome.in_language("ru"), strowger_script::text("Good morning"));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
#[serde(untagged)]
pub enum Say {
    /// A recording of the tenant by its name; one that is missing is spoken by its name.
    Recording(String),
    /// Words to speak, by the language, as BCP 47. The caller's counts, else "en", else the first.
    Words(BTreeMap<String, String>),
}

impl Say {
    /// Words by language: `Say::words([("en", "Good morning"), ("bg", "Добро утро")])`.
    pub fn words<const N: usize>(words: [(&str, &str); N]) -> Say {
        Say::Words(words.into_iter().map(|(tag, words)| (tag.to_owned(), words.to_owned())).collect())
    }

    /// What a leg hears, in its language.
    pub fn to(&self, leg: &Leg) -> Prompt {
        match self {
            Say::Recording(name) => name.into(),
            Say::Words(_) => self.in_language(&leg.language()),
        }
    }

    /// What one hears who speaks this language.
    pub fn in_language(&self, tag: &str) -> Prompt {
        let words = match self {
            Say::Recording(name) => return name.into(),
            Say::Words(words) => words,
        };
        let language = tag.split('-').next().unwrap_or(tag);
        let spoken = [tag, language, LINGUA_FRANCA].into_iter().find_map(|tag| words.get(tag));
        match spoken.or_else(|| words.values().next()) {
            Some(words) => Prompt::Text(words.clone()),
            None => Prompt::Silence(0),
        }
    }
}

/// What a leg hears of several, one after the other.
pub fn say_all(all: &[Say], leg: &Leg) -> Vec<Prompt> {
    all.iter().map(|say| say.to(leg)).collect()
}
