//! A guest that computes for long does so in the background: its thread runs only where a processor has nothing else to do
//! (`SCHED_IDLE`, sched(7)), so a call that somebody waits for is never behind it. A lower priority alone does not do: the
//! kernel lets whoever runs go on to the end of a slice of milliseconds, and a thread that has just woken waits for that.
//!
//! A thread that is there for such guests goes at the first tick that finds one computing: what decides at once is gone by then.
//! On a machine with no time left a thread in the background would stand still, so one that got next to nothing there comes
//! back after a while. Only threads that say so ([`may_go_here`]) go there at all: one that has other things to do must not.

use std::cell::Cell;
use std::time::{Duration, Instant};

/// After so long there it is looked what it had meanwhile: with less than a [`FAIR`]th of that time it comes back, and has
/// what others have from then on.
const TRIAL: Duration = Duration::from_millis(50);
const FAIR: u32 = 5;
/// How often it is looked whether it was there for so long, in ticks.
const LOOK: u64 = 8;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// It never goes.
    Here,
    /// It may go.
    Foreground,
    /// It is there; since when it is tried, and what it had computed then.
    Background(Instant, Duration),
    /// It got too little there, and stays here until the guest gives the thread back.
    Back,
}

thread_local! {
    static PLACE: Cell<Place> = const { Cell::new(Place::Here) };
}

/// This thread has nothing to do but guests: those that compute for long may be put into the background with it.
pub fn may_go_here() {
    PLACE.set(Place::Foreground);
}

/// A tick has found a guest that has computed for so long; answers after how many ticks it wants to be asked again.
pub(crate) fn tick(computed: Duration) -> u64 {
    match PLACE.get() {
        Place::Here | Place::Back => u64::MAX,
        Place::Foreground => {
            schedule(libc::SCHED_IDLE);
            PLACE.set(Place::Background(Instant::now(), computed));
            LOOK
        }
        Place::Background(since, _) if since.elapsed() < TRIAL => LOOK,
        Place::Background(since, before) if computed.saturating_sub(before) * FAIR >= since.elapsed() => {
            PLACE.set(Place::Background(Instant::now(), computed));
            LOOK
        }
        Place::Background(..) => {
            schedule(libc::SCHED_OTHER);
            PLACE.set(Place::Back);
            u64::MAX
        }
    }
}

/// The guest gives the thread back, or wants something of the engine: whatever locks that takes, others may wait for.
pub(crate) fn leave() {
    match PLACE.get() {
        Place::Here | Place::Foreground => {}
        Place::Background(..) => {
            schedule(libc::SCHED_OTHER);
            PLACE.set(Place::Foreground);
        }
        Place::Back => PLACE.set(Place::Foreground),
    }
}

/// Its niceness stays. Where the kernel refuses, it computes as others do.
#[allow(unsafe_code)]
fn schedule(policy: i32) {
    let parameters = libc::sched_param { sched_priority: 0 };
    // SAFETY: 0 is the calling thread, and the structure outlives the call.
    unsafe { libc::sched_setscheduler(0, policy, &raw const parameters) };
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the kernel says of this thread.
    #[allow(unsafe_code)]
    fn policy() -> i32 {
        // SAFETY: 0 is the calling thread.
        unsafe { libc::sched_getscheduler(0) }
    }

    #[test]
    fn a_guest_goes_at_a_tick_and_the_thread_comes_back() {
        may_go_here();
        assert_eq!(policy(), libc::SCHED_OTHER);
        tick(Duration::ZERO);
        assert_eq!(policy(), libc::SCHED_IDLE);
        leave();
        assert_eq!(policy(), libc::SCHED_OTHER);
        tick(Duration::ZERO);
        let long_ago = || Instant::now().checked_sub(TRIAL).expect("the machine is up for longer");
        PLACE.set(Place::Background(long_ago(), Duration::ZERO));
        tick(TRIAL / 2);
        assert_eq!(policy(), libc::SCHED_IDLE, "it has half of a processor");
        PLACE.set(Place::Background(long_ago(), Duration::ZERO));
        tick(TRIAL / 100);
        assert_eq!(policy(), libc::SCHED_OTHER, "it has a hundredth");
        tick(TRIAL / 50);
        assert_eq!(policy(), libc::SCHED_OTHER, "it goes once only");
        leave();
        tick(Duration::ZERO);
        assert_eq!(policy(), libc::SCHED_IDLE, "the next guest");
        leave();
    }

    #[test]
    fn a_thread_that_has_other_things_to_do_never_goes() {
        assert_eq!(tick(Duration::from_secs(1)), u64::MAX);
        assert_eq!(policy(), libc::SCHED_OTHER);
        leave();
    }
}
