//! What is known of an occasion: written down with the effect, so that a notice says the same however late it
//! leaves, and the `data` of a webhook as it is.

use serde::{Deserialize, Serialize};

/// The facts of one occasion. Texts are empty, and times absent, where they have no meaning.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Facts {
    /// The call's id.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub call: String,
    /// Who called, or is to be called: E.164 with "+", or an extension; empty when withheld.
    pub number: String,
    /// Their name: of the contacts, else as signalling gave it.
    pub name: String,
    /// Where they work, by the contacts.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub company: String,
    /// The number dialled.
    pub dialled: String,
    /// When it began: seconds since 1970 UTC.
    pub at: f64,
    /// Seconds until somebody answered, or the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waited: Option<f64>,
    /// Seconds of conversation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub talked: Option<f64>,
    /// The last queue that the caller was in.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub queue: String,
    /// Who answered.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub agent: String,
    /// "answered", "missed" ... as in the call's record.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub outcome: String,
    /// The number's advertising source.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub source: String,
    /// Recordings made, by name.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub recordings: Vec<String>,
    /// Where those are heard that do not go along: whoever sends the notice fills them in.
    #[serde(skip)]
    pub links: Vec<String>,
    /// The carrier it is about.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub trunk: String,
    /// What a script says.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub text: String,
    /// What a script says beside it, and the marks of the call: names and values.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub more: Vec<(String, String)>,
}
