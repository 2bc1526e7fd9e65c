//! What is asked of a queue's strategy, and what it may answer.

use std::sync::Arc;
use std::time::Duration;

use crate::strategy::{Admission, Announcement, KeyAction, Ranking, Snapshot};

/// A question to a strategy.
#[derive(Clone, Debug, PartialEq)]
pub struct Question {
    /// The queue now.
    pub snapshot: Arc<Snapshot>,
    /// What is asked.
    pub about: About,
}

/// What is asked. `who`: the caller's place in `snapshot.waiting`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum About {
    /// May the caller wait? The newcomer stands last in the snapshot, and is not in the line yet.
    Admit {
        /// The newcomer.
        who: usize,
    },
    /// Who rings for whom?
    Rank,
    /// How long will the caller wait still?
    ExpectedWait {
        /// The caller.
        who: usize,
    },
    /// What is said to the caller now?
    Announce {
        /// The caller.
        who: usize,
        /// Since this was asked last; 0 the first time.
        said: Duration,
    },
    /// What does this key do?
    OnDigit {
        /// The caller.
        who: usize,
        /// 0-9, *, #, A-D.
        key: char,
    },
}

impl About {
    /// For logs and events: "admit", "rank", "expected-wait", "announce", "on-digit".
    pub fn name(&self) -> &'static str {
        match self {
            About::Admit { .. } => "admit",
            About::Rank => "rank",
            About::ExpectedWait { .. } => "expected-wait",
            About::Announce { .. } => "announce",
            About::OnDigit { .. } => "on-digit",
        }
    }
}

/// What a strategy answered.
#[derive(Clone, Debug, PartialEq)]
pub enum Decided {
    /// To `About::Admit`.
    Admission(Admission),
    /// To `About::Rank`.
    Ranking(Ranking),
    /// To `About::ExpectedWait`.
    Length(Option<Duration>),
    /// To `About::Announce`.
    Announcement(Announcement),
    /// To `About::OnDigit`.
    KeyAction(KeyAction),
}
