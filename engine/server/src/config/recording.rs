//! `[tenant.recording]`: which conversations are recorded, how, and who may hear them.
//!
//! ```toml
//! [tenant.recording]
//! numbers = ["+35921234567"]          # or all = true
//! queues = ["sales"]
//! users = ["ana"]
//! announce = "this-call-is-recorded"  # a prompt by its name, or words
//! pause_keys = "*1"
//! format = "opus"                     # or "wav"
//! channels = 2
//! listen = "agent"
//! ```

use exchange::{Conversation, Prompt};

use super::section::{Section, hint};
use super::tenant::{Known, is_name};
use super::world::{Role, Tenant};

/// Keys that pause a recording; more are not remembered.
const MOST_KEYS: usize = 8;
/// The forms of a file.
const FORMATS: [&str; 2] = ["wav", "opus"];

/// What a tenant wishes to be recorded. Scripts may record besides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recording {
    /// `all`: every conversation.
    pub all: bool,
    /// `numbers`: of calls to these.
    pub numbers: Vec<String>,
    /// `queues`: of callers who waited there.
    pub queues: Vec<String>,
    /// `users`: of these users.
    pub users: Vec<String>,
    /// `announce`: what both hear first.
    pub announce: Option<Prompt>,
    /// `pause_keys`: what a user presses while talking.
    pub pause_keys: Option<String>,
    /// `format = "opus"`: a file is written anew as Opus when the conversation is over.
    pub opus: bool,
    /// `channels = 1`: both sides on one.
    pub mono: bool,
    /// `listen`: the least role that hears, and shares, recordings.
    pub listen: Role,
}

impl Default for Recording {
    fn default() -> Self {
        Self {
            all: false,
            numbers: Vec::new(),
            queues: Vec::new(),
            users: Vec::new(),
            announce: None,
            pause_keys: None,
            opus: false,
            mono: false,
            listen: Role::Agent,
        }
    }
}

impl Recording {
    /// Whether a conversation of the tenant's is recorded.
    pub fn wants(&self, tenant: &Tenant, of: &Conversation<'_>) -> bool {
        let named =
            |names: &[String], name: Option<&str>| name.is_some_and(|n| names.iter().any(|of| of == n));
        let number = tenant.number(of.dialled).map_or(of.dialled, |number| number.number.as_str());
        self.all
            || named(&self.numbers, Some(number))
            || named(&self.queues, of.queue)
            || of.users.into_iter().any(|user| named(&self.users, user))
    }
}

/// Reads `[tenant.recording]`. `numbers` and `queues`: those that the tenant has.
pub(super) fn recording(
    section: Section<'_, '_>,
    known: &Known<'_>,
    numbers: &[&str],
    queues: &[&str],
) -> Recording {
    let list = |key: &str, example: &str, what: &str, there: Option<&[&str]>| {
        let texts = section.texts(key, example).unwrap_or_default();
        for text in &texts {
            match there {
                Some(there) if !there.contains(&text.value) => {
                    let hint = hint(text.value, there.iter().copied());
                    section.mistake(text.line, format!("there is no {what} \"{}\"; {hint}", text.value));
                }
                Some(_) => {}
                None => known.check_user(&section, text.value, text.line),
            }
        }
        texts.into_iter().map(|text| text.value.to_owned()).collect::<Vec<_>>()
    };
    let pause_keys = section.text("pause_keys", "*1");
    let are_keys = |keys: &str| {
        (1..=MOST_KEYS).contains(&keys.len()) && keys.chars().all(|key| "0123456789*#".contains(key))
    };
    if let Some(keys) = pause_keys.filter(|keys| !are_keys(keys.value)) {
        let what =
            format!("\"{}\" are no keys; write 1 to {MOST_KEYS} of 0-9, * and # like \"*1\"", keys.value);
        section.mistake(keys.line, what);
    }
    let format = section.text("format", "opus");
    if let Some(format) = format.filter(|format| !FORMATS.contains(&format.value)) {
        let what = format!("there is no format \"{}\"; {}", format.value, hint(format.value, FORMATS));
        section.mistake(format.line, what);
    }
    let listen = section.text("listen", "agent").and_then(|text| {
        let role = text.value.parse().ok();
        if role.is_none() {
            let hint = hint(text.value, Role::NAMES);
            section.mistake(text.line, format!("there is no role \"{}\"; {hint}", text.value));
        }
        role
    });
    let announce = section.text("announce", "this-call-is-recorded").map(|text| match is_name(text.value) {
        true => Prompt::Recording(text.value.to_owned()),
        false => Prompt::Text(text.value.to_owned()),
    });
    let recording = Recording {
        all: section.flag("all", false),
        numbers: list("numbers", r#"["+35921234567"]"#, "number", Some(numbers)),
        queues: list("queues", r#"["sales"]"#, "queue", Some(queues)),
        users: list("users", r#"["ana"]"#, "user", None),
        announce,
        pause_keys: pause_keys.map(|keys| keys.value.to_owned()),
        opus: format.is_some_and(|format| format.value == "opus"),
        mono: section.integer("channels", 1..=2, 2) == 1,
        listen: listen.unwrap_or(Role::Agent),
    };
    section.finish();
    recording
}
