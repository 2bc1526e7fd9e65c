//! `[tenant.scripts]`: what a version of a script must pass before it takes calls, and how long a canary is watched.

use std::time::Duration;

use super::section::{Section, hint};
use crate::scripts::signature::PublicKey;

/// What a tenant asks of the versions of its scripts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScriptPolicy {
    /// `signed_by`: ed25519 public keys. Where there are some, a version without a signature of one is refused
    /// at upload. Files that the configuration names need none.
    pub signed_by: Vec<PublicKey>,
    /// `replay_before_activation`: so many of the script's last calls are replayed to a version before it takes
    /// calls; none at 0.
    pub replay_before_activation: u32,
    /// `refuse`: what of that keeps the version from taking calls.
    pub refuse: Refuse,
    /// `drain`: calls that are up for so long after their script's version was replaced are hung up; none are
    /// unless it is set, and `call_length` ends them at last.
    pub drain: Option<Duration>,
    /// `canary_calls`: so many calls a canary takes before it is judged.
    pub canary_calls: u32,
}

/// When a version that was replayed takes no calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refuse {
    /// "part": when it does something else in one of the calls.
    Part,
    /// "never": the replay is for the log.
    Never,
}

const MINUTE: Duration = Duration::from_secs(60);

/// Calls that are replayed at most: each takes some 50 us.
const MOST_REPLAYED: u64 = 10_000;

impl Default for ScriptPolicy {
    fn default() -> Self {
        Self {
            signed_by: Vec::new(),
            replay_before_activation: 0,
            refuse: Refuse::Part,
            drain: None,
            canary_calls: 50,
        }
    }
}

/// Reads `[tenant.scripts]`.
pub(super) fn policy(section: Section<'_, '_>) -> ScriptPolicy {
    let default = ScriptPolicy::default();
    let mut signed_by = Vec::new();
    for key in section.texts("signed_by", r#"["MCowBQYDK2VwAyEA..."]"#).unwrap_or_default() {
        match key.value.parse() {
            Ok(key) => signed_by.push(key),
            Err(why) => section.mistake(key.line, format!("\"{}\" is no public key: {why}", key.value)),
        }
    }
    let refuse = match section.text("refuse", "part") {
        None => default.refuse,
        Some(text) => match text.value {
            "part" => Refuse::Part,
            "never" => Refuse::Never,
            other => {
                let hint = hint(other, ["part", "never"]);
                section.mistake(text.line, format!("\"refuse\" is \"{other}\"; {hint}"));
                default.refuse
            }
        },
    };
    let count = |key, range, default: u32| {
        u32::try_from(section.integer(key, range, default.into())).unwrap_or(default)
    };
    let policy = ScriptPolicy {
        signed_by,
        replay_before_activation: count("replay_before_activation", 0..=MOST_REPLAYED, 0),
        refuse,
        drain: section.has("drain").then(|| section.duration("drain", MINUTE..=24 * 60 * MINUTE, MINUTE)),
        canary_calls: count("canary_calls", 1..=1_000_000, default.canary_calls),
    };
    section.finish();
    policy
}
