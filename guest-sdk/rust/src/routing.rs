//! Where to ring, what to do next and what to ask afterwards, as settings write them: for scripts whose settings are made by
//! people.

use crate::directory;
use crate::leg::Leg;
use crate::say::Say;
use crate::words::{Failure, IntoTargets, Lengths, Result, Target};
use crate::{hand_over, settings, tag};
use serde::{Deserialize, Deserializer};
use std::collections::BTreeMap;

/// The longest list of places.
const MOST_PLACES: usize = 64;

/// Where to ring, each written as in a number's `fallback`: "user:ana" (by name or extension; "ana" alone is the same),
/// "group:sales", "tel:+359888000101", "sip:desk@example.com"; or "mobile:ana" and "mobiles:sales" for the mobile numbers
/// that are configured of them.
///
/// ```
/// use strowger_script::Places;
///
/// let places: Places = serde_json::from_str(r#"["user:ana", "tel:+359888000101"]"#)?;
/// assert!(serde_json::from_str::<Places>(r#"["fax:+359888000101"]"#).is_err());
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Places(Vec<Place>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Place {
    At(Target),
    Group(String),
    Mobile(String),
    Mobiles(String),
}

/// Groups become their members, as they are now.
impl IntoTargets for &Places {
    fn into_targets(self) -> Vec<Target> {
        let at = |place: &Place| match place {
            Place::At(target) => vec![target.clone()],
            Place::Group(name) => directory::group(name).into_targets(),
            Place::Mobile(name) => mobiles(directory::find(name)),
            Place::Mobiles(group) => mobiles(directory::group(group)),
        };
        self.0.iter().flat_map(at).collect()
    }
}

/// The mobile numbers of those who have one.
fn mobiles(users: impl IntoIterator<Item = directory::User>) -> Vec<Target> {
    users.into_iter().filter_map(|user| user.mobile.map(Target::Number)).collect()
}

impl<'de> Deserialize<'de> for Places {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        use serde::de::Error;
        let written = Vec::<String>::deserialize(from)?;
        if written.len() > MOST_PLACES {
            return Err(D::Error::custom(format!("{} places; at most {MOST_PLACES}", written.len())));
        }
        let place = |text: &String| {
            let (kind, rest) = text.split_once(':').unwrap_or(("user", text));
            match kind {
                _ if rest.is_empty() => None,
                "user" => Some(Place::At(Target::User(rest.to_owned()))),
                "group" => Some(Place::Group(rest.to_owned())),
                "mobile" => Some(Place::Mobile(rest.to_owned())),
                "mobiles" => Some(Place::Mobiles(rest.to_owned())),
                "tel" => Some(Place::At(Target::Number(rest.to_owned()))),
                "sip" | "sips" => Some(Place::At(Target::Uri(text.clone()))),
                _ => None,
            }
        };
        let wrong = |text| {
            D::Error::custom(format!(
                "{text:?}: write \"user:\", \"group:\", \"mobile:\", \"mobiles:\", \"tel:\" or \"sip:\" first"
            ))
        };
        written
            .iter()
            .map(|text| place(text).ok_or_else(|| wrong(text)))
            .collect::<Result<_, _>>()
            .map(Places)
    }
}

#[cfg(not(target_arch = "wasm32"))]
impl schemars::JsonSchema for Places {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Places".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "Where to ring: \"user:ana\" or \"ana\" (by name or extension), \"group:sales\", \
                            \"mobile:ana\", \"mobiles:sales\", \"tel:+359888000101\", \
                            \"sip:desk@example.com\".",
            "type": "array",
            "maxItems": MOST_PLACES,
            "items": { "type": "string", "pattern": "^((user|group|mobiles?|tel|sips?):.+|[^:]+)$" },
        })
    }
}

/// What to do next with a caller.
#[settings]
pub enum Next {
    /// Hand the call over to another script.
    HandOver {
        /// A script of the tenant, or a shipped one: "strowger/menu".
        script: String,
        /// Its settings.
        #[serde(default = "nothing")]
        settings: serde_json::Value,
    },
    /// Answer, say something, and end the call.
    Play(Say),
    /// Refuse the call with a SIP status, 300 to 699; one that is answered already is ended.
    Reject(u16),
}

/// Settings that set nothing.
fn nothing() -> serde_json::Value {
    serde_json::json!({})
}

impl Next {
    /// Does it; the script returns what this does.
    pub fn go(&self, caller: &Leg) -> Result {
        match self {
            Next::HandOver { script, settings } => hand_over(script, settings),
            Next::Play(prompt) => {
                caller.answer()?;
                caller.play(prompt.to(caller))
            }
            Next::Reject(status) => caller.decline(&Failure::Refused(*status)),
        }
    }
}

/// What a call was about, by a key of the agent's: the mark `category` in the register.
#[settings]
pub struct Category {
    /// Said to the agent.
    #[serde(default = "what_was_it_about")]
    pub prompt: Say,
    /// Categories by their keys: {"1": "order"}.
    pub keys: BTreeMap<char, String>,
    /// How many seconds there are for the key, 1 to 60.
    #[serde(default = "ten_seconds")]
    pub seconds: u32,
}

fn ten_seconds() -> u32 {
    10
}

fn what_was_it_about() -> Say {
    Say::words([
        ("en", "What was the call about? Press a key."),
        ("bg", "За какво беше обаждането? Натиснете клавиш."),
        ("ru", "О чём был звонок? Нажмите клавишу."),
    ])
}

impl Category {
    /// The agent of a caller who has hung up says by a key what it was about, or hangs up; asked twice. Nothing is asked
    /// where the settings have no categories.
    pub fn of(category: Option<&Category>, agent: &Leg) -> Result {
        let Some(category) = category else { return Ok(()) };
        let keys: String = category.keys.keys().collect();
        let asked =
            agent.menu(category.prompt.to(agent)).keys(&keys).within(category.seconds.secs()).retries(1);
        match asked.try_ask() {
            Ok(Some(key)) => tag("category", &category.keys[&key]),
            Ok(None) | Err(Failure::HungUp) => Ok(()),
            Err(why) => Err(why),
        }
    }
}
