//! A slice: one poll of a run on a thread that has other things to do. A guest that computes for longer is
//! left in the middle, and its future can be moved to a thread that may wait; nothing of it is lost.
//!
//! The mark is the thread's, because the engine asks on the thread that computes whether a guest may go
//! on. How long waiting for an import takes does not matter here: a guest that waits gives the thread back.

use std::cell::Cell;
use std::task::Poll;
use std::time::Duration;

/// CPU that a guest gets in one slice, from the first tick of the engine's clock that finds it computing.
/// With the clock's rest before that tick, others wait for [`LONGEST`] at most.
pub(crate) const SLICE: Duration = Duration::from_micros(500);

/// How long a guest can keep a thread that polls it in a slice: until the clock looks, until its tick, and
/// until the tick that finds the slice over; each tick may itself come late by what the machine is busy with.
pub const LONGEST: Duration = Duration::from_millis(8);

/// What a poll in a slice came to.
#[derive(Debug, PartialEq, Eq)]
pub enum Sliced<T> {
    /// The run is over.
    Ready(T),
    /// It waits; its waker says for how long.
    Waiting,
    /// It computes for longer than a slice and must be polled again, elsewhere.
    Cut,
}

#[derive(Clone, Copy)]
enum Mark {
    /// Not in a slice: the thread is the guest's.
    Off,
    /// In one; with the thread's CPU time at the first tick.
    On(Option<Duration>),
    Cut,
}

thread_local! {
    static MARK: Cell<Mark> = const { Cell::new(Mark::Off) };
}

/// Polls a future of [`crate::Sandboxes::run_call`] or its like in a slice.
pub fn slice<T>(poll: impl FnOnce() -> Poll<T>) -> Sliced<T> {
    struct Unmark;
    impl Drop for Unmark {
        fn drop(&mut self) {
            MARK.set(Mark::Off);
        }
    }
    MARK.set(Mark::On(None));
    let _unmark = Unmark;
    match poll() {
        Poll::Ready(done) => Sliced::Ready(done),
        Poll::Pending if is_cut() => Sliced::Cut,
        Poll::Pending => Sliced::Waiting,
    }
}

/// Whether this thread is in a slice.
pub fn is_on() -> bool {
    !matches!(MARK.get(), Mark::Off)
}

/// Whether the slice that this thread is in was cut.
pub(crate) fn is_cut() -> bool {
    matches!(MARK.get(), Mark::Cut)
}

/// What a tick means for the guest that computes on this thread.
pub(crate) enum Tick {
    /// It is in no slice.
    NoSlice,
    /// It may go on until the next tick.
    Within,
    /// It is cut.
    Over,
}

/// A tick has found a guest computing. `cpu`: the thread's CPU time.
pub(crate) fn tick(cpu: Duration) -> Tick {
    match MARK.get() {
        Mark::Off => Tick::NoSlice,
        Mark::On(None) => {
            MARK.set(Mark::On(Some(cpu)));
            Tick::Within
        }
        Mark::On(Some(since)) if cpu.saturating_sub(since) < SLICE => Tick::Within,
        Mark::On(Some(_)) | Mark::Cut => {
            MARK.set(Mark::Cut);
            Tick::Over
        }
    }
}
