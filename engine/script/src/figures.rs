//! How a version's calls fare: counts without a lock, and the little that is kept of each failure.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use exchange::Failure;

use crate::tape::Finish;

/// Upper ends of the histogram's buckets go up by a quarter: 1 us to about 50 s.
const BUCKETS: usize = 80;
/// Places of traps that are told apart in one version; further ones are counted together.
pub const TRAP_PLACES: usize = 32;
/// What traps beyond [`TRAP_PLACES`] are counted under.
const ELSEWHERE: &str = "elsewhere";

/// How a version's calls fare, since the engine started or since some moment after.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fares {
    /// Running now.
    pub running: u64,
    /// All that began.
    pub calls: u64,
    /// Those that are over.
    pub ended: u64,
    /// Those that failed or were stopped.
    pub failures: u64,
    /// Time on a thread in one run: half of the runs took no longer.
    pub p50: Duration,
    /// 99 of 100 took no longer.
    pub p99: Duration,
    /// The most memory that one run held, bytes.
    pub memory: usize,
}

/// Counts of a version.
pub(crate) struct Figures {
    began: AtomicU64,
    ended: AtomicU64,
    failures: AtomicU64,
    took: [AtomicU64; BUCKETS],
    memory: AtomicUsize,
    traps: Mutex<BTreeMap<String, u64>>,
}

impl Default for Figures {
    fn default() -> Self {
        Self {
            began: AtomicU64::new(0),
            ended: AtomicU64::new(0),
            failures: AtomicU64::new(0),
            took: [const { AtomicU64::new(0) }; BUCKETS],
            memory: AtomicUsize::new(0),
            traps: Mutex::default(),
        }
    }
}

/// A run in progress; counts it as ended when dropped, also when nobody waited for its end.
pub(crate) struct Running<'a>(&'a Figures);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.ended.fetch_add(1, Ordering::Relaxed);
    }
}

impl Figures {
    pub(crate) fn begin(&self) -> Running<'_> {
        self.began.fetch_add(1, Ordering::Relaxed);
        Running(self)
    }

    /// What a run took, and how it ended.
    pub(crate) fn note(&self, took: Duration, memory: usize, finish: &Finish) {
        let bucket = (0..BUCKETS - 1).find(|&n| took <= upper_end(n)).unwrap_or(BUCKETS - 1);
        self.took[bucket].fetch_add(1, Ordering::Relaxed);
        self.memory.fetch_max(memory, Ordering::Relaxed);
        self.note_failure(finish);
    }

    /// A run that did not begin because the version is suspended: to its caller it failed.
    pub(crate) fn note_suspended(&self) {
        drop(self.begin());
        self.note_failure(&Finish::Suspended);
    }

    fn note_failure(&self, finish: &Finish) {
        let Some(place) = place(finish) else { return };
        self.failures.fetch_add(1, Ordering::Relaxed);
        let mut traps = self.traps.lock().unwrap_or_else(PoisonError::into_inner);
        let known = traps.contains_key(&place) || traps.len() < TRAP_PLACES;
        *traps.entry(if known { place } else { ELSEWHERE.to_owned() }).or_default() += 1;
    }

    /// Where a run failed, as it was counted; none when it did not.
    pub(crate) fn place_of(&self, finish: &Finish) -> Option<String> {
        let place = place(finish)?;
        let traps = self.traps.lock().unwrap_or_else(PoisonError::into_inner);
        Some(if traps.contains_key(&place) { place } else { ELSEWHERE.to_owned() })
    }

    pub(crate) fn counts(&self) -> Counts {
        Counts {
            began: self.began.load(Ordering::Relaxed),
            ended: self.ended.load(Ordering::Relaxed),
            failures: self.failures.load(Ordering::Relaxed),
            took: std::array::from_fn(|n| self.took[n].load(Ordering::Relaxed)),
            memory: self.memory.load(Ordering::Relaxed),
        }
    }

    /// Where runs failed and how often, the most frequent first.
    pub(crate) fn traps(&self) -> Vec<(String, u64)> {
        let traps = self.traps.lock().unwrap_or_else(PoisonError::into_inner);
        let mut found: Vec<_> = traps.iter().map(|(place, count)| (place.clone(), *count)).collect();
        found.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        found
    }
}

fn place(finish: &Finish) -> Option<String> {
    match finish {
        Finish::Trapped { kind, backtrace } => Some(format!("{} in {}", kind.name(), innermost(backtrace))),
        // Words of the script's own would be as many places.
        Finish::Failed(Failure::Other(_)) => Some("failed: in its own words".to_owned()),
        Finish::Failed(failure) => Some(format!("failed: {failure}")),
        Finish::Suspended => Some("suspended".to_owned()),
        Finish::Returned | Finish::HungUp | Finish::HandedOver { .. } | Finish::NoRoom => None,
    }
}

/// The function that was running, from a backtrace whose first line is the cause.
fn innermost(backtrace: &str) -> &str {
    backtrace.lines().nth(1).map_or("no function", str::trim)
}

/// Counts at one moment.
#[derive(Clone, Debug)]
pub(crate) struct Counts {
    began: u64,
    ended: u64,
    failures: u64,
    took: [u64; BUCKETS],
    memory: usize,
}

impl Counts {
    /// What has been counted since an earlier moment; memory is that of all runs.
    pub(crate) fn since(&self, earlier: &Self) -> Self {
        Self {
            began: self.began.saturating_sub(earlier.began),
            ended: self.ended.saturating_sub(earlier.ended),
            failures: self.failures.saturating_sub(earlier.failures),
            took: std::array::from_fn(|n| self.took[n].saturating_sub(earlier.took[n])),
            memory: self.memory,
        }
    }

    pub(crate) fn fares(&self) -> Fares {
        Fares {
            running: self.began.saturating_sub(self.ended),
            calls: self.began,
            ended: self.ended,
            failures: self.failures,
            p50: self.quantile(50),
            p99: self.quantile(99),
            memory: self.memory,
        }
    }

    /// The upper end of the bucket in which so many percent of the runs are reached.
    fn quantile(&self, percent: u64) -> Duration {
        let wanted = (self.took.iter().sum::<u64>() * percent).div_ceil(100);
        let mut seen = 0;
        for (n, count) in self.took.iter().enumerate() {
            seen += count;
            if wanted > 0 && seen >= wanted {
                return upper_end(n);
            }
        }
        Duration::ZERO
    }
}

fn upper_end(bucket: usize) -> Duration {
    Duration::from_secs_f64(1e-6 * 1.25_f64.powi(i32::try_from(bucket).unwrap_or(i32::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tape::TrapKind;

    #[test]
    fn failures_are_counted_by_place_and_figures_from_a_moment_on() {
        let figures = Figures::default();
        let trapped = |function: &str| Finish::Trapped {
            kind: TrapKind::Trap,
            backtrace: format!("wasm trap: unreachable\n  {function} (lib.rs:7)\n  on-call"),
        };
        for _ in 0..98 {
            drop(figures.begin());
            figures.note(Duration::from_micros(100), 1 << 20, &Finish::Returned);
        }
        let before = figures.counts();
        for (finish, took) in [(trapped("route"), 10), (trapped("route"), 10), (Finish::HungUp, 5)] {
            drop(figures.begin());
            figures.note(Duration::from_millis(took), 2 << 20, &finish);
        }
        drop(figures.begin());
        figures.note(Duration::from_millis(1), 0, &Finish::Failed(Failure::Busy));
        assert_eq!(
            figures.traps(),
            [("trap in route (lib.rs:7)".to_owned(), 2), ("failed: busy".to_owned(), 1)]
        );
        let all = figures.counts().fares();
        assert_eq!((all.calls, all.ended, all.running, all.failures, all.memory), (102, 102, 0, 3, 2 << 20));
        assert!(all.p50 < Duration::from_micros(130) && all.p99 >= Duration::from_millis(5), "{all:?}");
        let since = figures.counts().since(&before).fares();
        assert_eq!((since.calls, since.failures), (4, 3));
        assert!(since.p50 >= Duration::from_millis(5), "{since:?}");
    }

    #[test]
    fn beyond_so_many_places_failures_are_counted_together() {
        let figures = Figures::default();
        for n in 0..TRAP_PLACES + 5 {
            figures.note(Duration::ZERO, 0, &Finish::Failed(Failure::Refused(400 + n as u16)));
        }
        assert_eq!(figures.traps()[0], ("elsewhere".to_owned(), 5));
        assert_eq!(figures.traps().len(), TRAP_PLACES + 1);
    }
}
