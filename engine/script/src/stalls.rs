//! A version whose runs do nothing but run out of time: each takes a whole stretch of CPU, and its caller waits for as long
//! before the number's fallback takes over. After [`STALLS`] of them in a row further runs end before they begin
//! ([`Finish::Suspended`]), but for one every [`TRIED_EVERY`]: the first that ends otherwise lets all in again.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};

use tokio::time::Instant;

use crate::limits::{STALLS, TRIED_EVERY};
use crate::tape::{Finish, Start, TrapKind};

/// Of a version, for each of its exports: what takes calls may loop while what is told of their ends does not.
#[derive(Default)]
pub(crate) struct Stalls {
    calls: Stalled,
    ended: Stalled,
    changes: Stalled,
    /// Of a strategy.
    pub(crate) questions: Stalled,
}

impl Stalls {
    /// Of the export that runs.
    pub(crate) fn of(&self, start: &Start) -> &Stalled {
        match (&start.changed, &start.ended) {
            (Some(_), _) => &self.changes,
            (None, Some(_)) => &self.ended,
            (None, None) => &self.calls,
        }
    }
}

#[derive(Default)]
pub(crate) struct Stalled {
    in_a_row: AtomicU32,
    tried: Mutex<Option<Instant>>,
}

impl Stalled {
    /// Whether a run may begin now.
    pub(crate) fn lets_begin(&self) -> bool {
        if self.in_a_row.load(Ordering::Relaxed) < STALLS {
            return true;
        }
        let now = Instant::now();
        let mut tried = self.tried.lock().unwrap_or_else(PoisonError::into_inner);
        let due = tried.is_none_or(|at| now.duration_since(at) >= TRIED_EVERY);
        if due {
            *tried = Some(now);
        }
        due
    }

    /// A run that began has ended.
    pub(crate) fn note(&self, finish: &Finish) {
        match finish {
            Finish::Trapped { kind: TrapKind::OutOfTime, .. } => {
                self.in_a_row.fetch_add(1, Ordering::Relaxed);
                *self.tried.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
            }
            // It says nothing of the script.
            Finish::NoRoom | Finish::Suspended => {}
            _ => self.in_a_row.store(0, Ordering::Relaxed),
        }
    }
}
