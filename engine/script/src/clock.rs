//! The clock by which guests' time is watched: it makes the engine look at the guests that compute, and costs
//! nothing while none does.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::{self, Thread};
use std::time::Duration;

use wasmtime::Engine;

use crate::background;

/// How often the engine looks whether a guest computes for too long, while one computes.
const TICK: Duration = Duration::from_millis(1);
/// How often it looks whether one does: a guest is timed from then on, so it may compute for so much longer
/// than its limit. A thousand looks a second would cost more than the scripts of a quiet exchange.
const LOOK: Duration = Duration::from_millis(5);
/// After so many looks without a guest that began it sleeps until one begins: to wake it costs a guest more
/// than a count.
const LOOKS_BEFORE_SLEEP: u32 = 20;
/// Then it sees whether the engine is still there.
const LONGEST_SLEEP: Duration = Duration::from_secs(1);
/// In [`Clock::guests`]: one that began, ever; the lower half counts those that compute.
const BEGAN: u64 = 1 << 32;

/// Counts the guests that compute, and ticks while there are any.
#[derive(Default)]
pub(crate) struct Clock {
    guests: AtomicU64,
    sleeps: AtomicBool,
    thread: OnceLock<Thread>,
}

impl Clock {
    /// A clock for this engine; its thread ends with the engine.
    pub(crate) fn start(engine: &Engine) -> io::Result<Arc<Self>> {
        let clock = Arc::new(Self::default());
        let (engine, ticking) = (engine.weak(), clock.clone());
        let thread = thread::Builder::new().name("script-clock".into()).spawn(move || {
            let (mut began, mut idle) = (0, 0);
            while let Some(engine) = engine.upgrade() {
                let guests = ticking.guests.load(Ordering::SeqCst);
                let busy = guests % BEGAN > 0;
                idle = if busy || guests / BEGAN != began { 0 } else { idle + 1 };
                began = guests / BEGAN;
                if busy {
                    engine.increment_epoch();
                }
                drop(engine);
                match idle < LOOKS_BEFORE_SLEEP {
                    true => thread::sleep(if busy { TICK } else { LOOK }),
                    false => ticking.sleep(guests),
                }
            }
        })?;
        // Nobody else sets it.
        let _ = clock.thread.set(thread.thread().clone());
        Ok(clock)
    }

    /// Until a guest begins, if none has since this count.
    fn sleep(&self, guests: u64) {
        self.sleeps.store(true, Ordering::SeqCst);
        // Whoever begins from here on sees that it sleeps; whoever began before is seen here.
        if self.guests.load(Ordering::SeqCst) == guests {
            thread::park_timeout(LONGEST_SLEEP);
        }
        self.sleeps.store(false, Ordering::SeqCst);
    }

    /// A guest computes, until the answer is dropped.
    pub(crate) fn begin(&self) -> Computing<'_> {
        self.guests.fetch_add(BEGAN + 1, Ordering::SeqCst);
        if self.sleeps.load(Ordering::SeqCst)
            && let Some(thread) = self.thread.get()
        {
            thread.unpark();
        }
        Computing(self)
    }
}

/// A guest that computes, from here until dropped.
pub(crate) struct Computing<'a>(&'a Clock);

impl Drop for Computing<'_> {
    fn drop(&mut self) {
        background::leave();
        self.0.guests.fetch_sub(1, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guest_wakes_a_clock_that_sleeps_and_is_no_longer_counted_when_it_stops() {
        let clock = Arc::new(Clock::default());
        let sleeper = clock.clone();
        let thread = thread::spawn(move || {
            // Until a guest has begun; a sleep that ends early begins again.
            while sleeper.guests.load(Ordering::SeqCst) == 0 {
                sleeper.sleep(0);
            }
        });
        clock.thread.set(thread.thread().clone()).unwrap();
        let computing = clock.begin();
        thread.join().unwrap();
        assert_eq!(clock.guests.load(Ordering::SeqCst), BEGAN + 1);
        drop(computing);
        assert_eq!(clock.guests.load(Ordering::SeqCst), BEGAN);
    }
}
