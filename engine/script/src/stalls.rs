//! A version whose runs do nothing but run out of time: each takes a whole stretch of CPU, and its caller waits for as long
//! before the number's fallback takes over. After [`STALLS`] of them in a row further runs end before they begin
//! ([`Finish::Suspended`]), but for one every [`TRIED_EVERY`]: the first that ends otherwise lets all in again.
//!
//! That counts for each settings apart, because a script that loops at one number serves others well. Only what is one
//! tenant's is suspended.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;

use crate::limits::{STALLS, TRIED_EVERY};
use crate::tape::{Finish, TrapKind};

/// Settings that are told apart. With one more all are forgotten.
const SETTINGS: usize = 256;

/// Of a version. Each of its exports counts for itself: what takes calls may loop while what is told of their ends does not.
#[derive(Default)]
pub(crate) struct Stalls {
    /// How many there are below: none, mostly.
    held: AtomicUsize,
    by_settings: Mutex<HashMap<u64, InARow>>,
}

struct InARow {
    runs: u32,
    /// When the last one began that may, or ended.
    tried: Instant,
}

impl Stalls {
    /// Whether a run of this export with these settings may begin now.
    pub(crate) fn lets_begin(&self, export: &str, settings: &str) -> bool {
        if self.held.load(Ordering::Relaxed) == 0 {
            return true;
        }
        let mut held = self.held();
        let Some(stalled) = held.get_mut(&key(export, settings)).filter(|stalled| stalled.runs >= STALLS)
        else {
            return true;
        };
        let now = Instant::now();
        let due = now.duration_since(stalled.tried) >= TRIED_EVERY;
        if due {
            stalled.tried = now;
        }
        due
    }

    /// A run that began has ended.
    pub(crate) fn note(&self, export: &str, settings: &str, finish: &Finish) {
        match finish {
            Finish::Trapped { kind: TrapKind::OutOfTime, .. } => {
                let (mut held, key, tried) = (self.held(), key(export, settings), Instant::now());
                if held.len() >= SETTINGS && !held.contains_key(&key) {
                    held.clear();
                }
                let runs = held.get(&key).map_or(0, |stalled| stalled.runs).saturating_add(1);
                held.insert(key, InARow { runs, tried });
                self.held.store(held.len(), Ordering::Relaxed);
            }
            // It says nothing of the script.
            Finish::NoRoom | Finish::Suspended => {}
            _ if self.held.load(Ordering::Relaxed) == 0 => {}
            _ => {
                let mut held = self.held();
                held.remove(&key(export, settings));
                self.held.store(held.len(), Ordering::Relaxed);
            }
        }
    }

    fn held(&self) -> MutexGuard<'_, HashMap<u64, InARow>> {
        self.by_settings.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn key(export: &str, settings: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    (export, settings).hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn looped() -> Finish {
        Finish::Trapped { kind: TrapKind::OutOfTime, backtrace: String::new() }
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_ends_otherwise_lets_all_in_again() {
        let stalls = Stalls::default();
        let note = |times: u32, finish: &Finish| (0..times).for_each(|_| stalls.note("on-call", "a", finish));
        let lets_begin = |settings| stalls.lets_begin("on-call", settings);
        note(STALLS - 1, &looped());
        note(1, &Finish::HungUp);
        note(STALLS - 1, &looped());
        assert!(lets_begin("a"), "not in a row");
        note(1, &looped());
        note(5, &Finish::Suspended);
        assert!(!lets_begin("a") && lets_begin("b") && stalls.lets_begin("on-ended", "a"));
        tokio::time::advance(TRIED_EVERY).await;
        assert!(lets_begin("a") && !lets_begin("a"), "one is tried");
        note(1, &looped());
        assert!(!lets_begin("a"));
        tokio::time::advance(TRIED_EVERY).await;
        assert!(lets_begin("a"));
        note(1, &Finish::Returned);
        assert!(lets_begin("a") && lets_begin("a"));
    }

    #[test]
    fn no_number_of_settings_takes_more_memory() {
        let stalls = Stalls::default();
        for settings in 0..10 * SETTINGS {
            stalls.note("on-call", &settings.to_string(), &looped());
        }
        assert!(stalls.held().len() <= SETTINGS);
    }
}
