//! What there is to be told of.

use serde::{Deserialize, Serialize};

/// One kind of thing that recipients tick.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Occasion {
    /// Somebody was rung and nobody answered.
    Missed,
    /// The caller left before anyone answered: out of a queue, out of a menu.
    Abandoned,
    /// A message was left.
    Voicemail,
    /// The script failed, and no fallback answered; or the exchange stopped in the middle of the call.
    Failed,
    /// The caller left, and will be called back.
    CallBackPromised,
    /// A promised call back became too old, or its queue is gone.
    CallBackLate,
    /// A carrier stopped answering.
    TrunkDown,
    /// It answers again.
    TrunkBack,
    /// Calls to carriers are held back: a destination that is not allowed, or as many as there may be.
    HeldBack,
    /// Any call to one of the tenant's numbers is over, however it went.
    Ended,
    /// A script has something to tell.
    Script,
}

impl Occasion {
    /// Every one, in the order in which they are listed.
    pub const ALL: [Self; 11] = [
        Self::Missed,
        Self::Abandoned,
        Self::Voicemail,
        Self::Failed,
        Self::CallBackPromised,
        Self::CallBackLate,
        Self::TrunkDown,
        Self::TrunkBack,
        Self::HeldBack,
        Self::Ended,
        Self::Script,
    ];

    /// As written in the configuration and in webhooks: "missed", "call-back-promised" ...
    pub fn name(self) -> &'static str {
        match self {
            Self::Missed => "missed",
            Self::Abandoned => "abandoned",
            Self::Voicemail => "voicemail",
            Self::Failed => "failed",
            Self::CallBackPromised => "call-back-promised",
            Self::CallBackLate => "call-back-late",
            Self::TrunkDown => "trunk-down",
            Self::TrunkBack => "trunk-back",
            Self::HeldBack => "held-back",
            Self::Ended => "ended",
            Self::Script => "script",
        }
    }

    /// The one of that name.
    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|occasion| occasion.name() == name)
    }
}
