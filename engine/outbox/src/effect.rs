//! One effect as it is stored, and the key by which both sides know it.

use std::fmt;
use std::str::FromStr;

use exchange::CallId;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::Millis;

/// Names an effect for ever: the call that caused it, and which of that call's effects it is. Written as the
/// call's id, "-" and the number; this is the idempotency key that the other side sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EffectId {
    /// The call; an id of its own for what no call caused.
    pub call: CallId,
    /// Counts the call's effects.
    pub number: u32,
}

/// The text is not a call's id, "-" and a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotAnEffectId;

impl fmt::Display for NotAnEffectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a letter is named by a call's id, \"-\" and a number")
    }
}

impl std::error::Error for NotAnEffectId {}

impl fmt::Display for EffectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.call, self.number)
    }
}

impl FromStr for EffectId {
    type Err = NotAnEffectId;

    fn from_str(text: &str) -> Result<Self, NotAnEffectId> {
        let (call, number) = text.split_once('-').ok_or(NotAnEffectId)?;
        let call = call.parse().map_err(|_| NotAnEffectId)?;
        Ok(Self { call, number: number.parse().map_err(|_| NotAnEffectId)? })
    }
}

/// Effects that may go together, and how often at most.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Digest {
    /// Those with the same name go together.
    pub name: String,
    /// The first goes at once; what comes within so long of it goes together afterwards.
    pub every: Millis,
}

/// Something to be done outside.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Effect {
    /// By what it is done: "mail", "sms", "webhook", "chat" ...
    pub kind: String,
    /// Whom it is for, as the configuration names them.
    pub recipient: String,
    /// What is under way there: a host, an account. Attempts that fail count against it.
    pub destination: String,
    /// What happened: "abandoned", "voicemail" ...
    pub occasion: String,
    /// The facts of it, as they were at that moment.
    pub facts: Value,
    /// Effects with the same order leave one after the other, as they came; none goes on its own.
    pub order: Option<String>,
    /// It may go together with others. Such an effect has no order.
    pub digest: Option<Digest>,
    /// When it was written down.
    pub written: Millis,
    /// Not earlier: quiet hours.
    pub not_before: Millis,
    /// From then on it is a dead letter if an attempt failed.
    pub deadline: Millis,
    /// How it went so far.
    pub fate: Fate,
}

/// How an effect went so far.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fate {
    /// Attempts that failed.
    pub attempts: u32,
    /// When the next one is due; of what was given up, when that was.
    pub next: Millis,
    /// Why the last one failed; empty when none did.
    pub why: String,
    /// Given up; a person may ask for another try.
    pub dead: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_reads_back_and_nothing_else_does() {
        let id = EffectId { call: CallId::new(1_795_000_000_000, 7), number: 12 };
        assert_eq!(id.to_string().parse(), Ok(id));
        for wrong in ["", "-", "01KAG2M7V8Q4ZJ6T9X5B3N1C0D", "01KAG2M7V8Q4ZJ6T9X5B3N1C0D-", "x-1"] {
            assert_eq!(wrong.parse::<EffectId>(), Err(NotAnEffectId), "{wrong}");
        }
    }
}
