//! Where the exchange asks a strategy: what `#[queue_strategy]` calls. Strategies need nothing from here.

use super::{Admission, Announcement, KeyAction, Offers, Rules, Snapshot, Waiting};
use serde::de::DeserializeOwned;
use std::time::Duration;

#[cfg(target_arch = "wasm32")]
pub use crate::host::strategy::bindings::{self, Guest};

/// A function that ranks: of the snapshot, or of the snapshot and the queue's settings.
pub trait Rank<Arguments> {
    /// Runs it, with the settings read.
    fn rank(&self, now: &Snapshot) -> Offers;
}

impl<F: Fn(&Snapshot) -> Offers> Rank<()> for F {
    fn rank(&self, now: &Snapshot) -> Offers {
        self(now)
    }
}

impl<S: DeserializeOwned, F: Fn(&Snapshot, S) -> Offers> Rank<(S,)> for F {
    fn rank(&self, now: &Snapshot) -> Offers {
        self(now, now.settings())
    }
}

/// Whether a caller may wait, by the settings.
pub fn admit(now: &Snapshot, who: &Waiting) -> Admission {
    now.settings::<Rules>().admit(now, who)
}

/// The exchange's own estimate.
pub fn expected_wait(_: &Snapshot, who: &Waiting) -> Option<Duration> {
    who.expected()
}

/// What to say, by the settings.
pub fn announce(now: &Snapshot, who: &Waiting, said: Duration) -> Announcement {
    now.settings::<Rules>().announce(who, said)
}

/// What a key does, by the settings.
pub fn on_digit(now: &Snapshot, _: &Waiting, key: char) -> KeyAction {
    now.settings::<Rules>().on_digit(key)
}

/// Compiles when the functions are what a component would export: a native build has no exports to say so.
#[cfg(not(target_arch = "wasm32"))]
pub fn fits<A>(
    _: impl Rank<A>,
    _: fn(&Snapshot, &Waiting) -> Admission,
    _: fn(&Snapshot, &Waiting) -> Option<Duration>,
    _: fn(&Snapshot, &Waiting, Duration) -> Announcement,
    _: fn(&Snapshot, &Waiting, char) -> KeyAction,
) {
}

/// The exports, in the words of the interface.
#[cfg(target_arch = "wasm32")]
pub mod exports {
    use super::super::RING_FOR;
    use super::super::rows::{SnapshotRow, WaitingRow};
    use super::*;
    use crate::host::log_panics;
    use crate::host::strategy::bindings::{self as wit, strowger::script::strategy as words};
    use crate::words::millis;

    fn now(borrowed: &wit::Snapshot) -> Snapshot {
        log_panics();
        Snapshot { row: SnapshotRow::of(borrowed) }
    }

    fn who(borrowed: &wit::Waiting) -> Waiting {
        Waiting::new(WaitingRow::of(borrowed))
    }

    pub fn admit(
        question: fn(&Snapshot, &Waiting) -> Admission,
        snapshot: &wit::Snapshot,
        caller: &wit::Waiting,
    ) -> wit::Admission {
        match question(&now(snapshot), &who(caller)) {
            Admission::ComeIn => wit::Admission::ComeIn,
            Admission::Full => wit::Admission::Full,
            Admission::Closed => wit::Admission::Closed,
            Admission::Nobody => wit::Admission::Nobody,
            Admission::TooLong(wait) => wit::Admission::TooLong(millis(wait)),
            Admission::Other(word) => wit::Admission::Other(word),
        }
    }

    pub fn rank<A>(question: impl Rank<A>, snapshot: &wit::Snapshot) -> wit::Ranking {
        let ranked = question.rank(&now(snapshot));
        let again = ranked.again().map(millis);
        let ring = millis(ranked.ring.unwrap_or(RING_FOR));
        let offer =
            |offer: super::super::Offer| words::Offer { caller: offer.caller, agents: offer.agents, ring };
        wit::Ranking { offers: ranked.offers.into_iter().map(offer).collect(), again }
    }

    pub fn expected_wait(
        question: fn(&Snapshot, &Waiting) -> Option<Duration>,
        snapshot: &wit::Snapshot,
        caller: &wit::Waiting,
    ) -> Option<u32> {
        question(&now(snapshot), &who(caller)).map(millis)
    }

    pub fn announce(
        question: fn(&Snapshot, &Waiting, Duration) -> Announcement,
        snapshot: &wit::Snapshot,
        caller: &wit::Waiting,
        said: u32,
    ) -> wit::Announcement {
        let said = Duration::from_millis(said.into());
        let announcement = question(&now(snapshot), &who(caller), said);
        wit::Announcement { say: announcement.say, again: announcement.again.map(millis) }
    }

    pub fn on_digit(
        question: fn(&Snapshot, &Waiting, char) -> KeyAction,
        snapshot: &wit::Snapshot,
        caller: &wit::Waiting,
        key: char,
    ) -> wit::KeyAction {
        match question(&now(snapshot), &who(caller), key) {
            KeyAction::Pass => wit::KeyAction::Pass,
            KeyAction::Say(words) => wit::KeyAction::Say(words),
            KeyAction::Ask(word) => wit::KeyAction::Ask(word),
        }
    }
}
