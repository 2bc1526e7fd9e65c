//! A hold on a run from outside: to ask it for its sandbox while it waits, or to go on with another version.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use tokio::sync::oneshot;

use crate::library::Version;

/// One run's; kept by whoever may want something of it ([`World::reins`](crate::World::reins)).
#[derive(Default)]
pub struct Reins {
    pulled: AtomicBool,
    rests: AtomicBool,
    waker: Mutex<Option<Waker>>,
    wish: Mutex<Option<Wish>>,
}

/// Another version that the run is to go on with.
pub(crate) struct Wish {
    pub(crate) version: Arc<Version>,
    told: oneshot::Sender<Moved>,
}

/// What came of asking a run to move.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Moved {
    /// It goes on with the other version.
    There,
    /// It stays: the other version would not have come to where it is, and why.
    Stays(String),
}

impl fmt::Display for Moved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::There => f.write_str("it goes on with the other version"),
            Self::Stays(why) => write!(f, "it stays: {why}"),
        }
    }
}

impl Reins {
    /// Asks the run to go on with another version of its script, when it waits next. That version is played what is on
    /// the tape: it goes on there if it asks the same all along and waits for the same now. The receiver fails when the
    /// run ended before that, or was asked again. Who stops listening takes the wish back.
    pub fn move_to(&self, version: Arc<Version>) -> oneshot::Receiver<Moved> {
        let (told, hears) = oneshot::channel();
        *locked(&self.wish) = Some(Wish { version, told });
        self.pull();
        hears
    }

    /// Asks the run to rest.
    pub(crate) fn pull(&self) {
        self.pulled.store(true, Ordering::Release);
        if let Some(waker) = locked(&self.waker).take() {
            waker.wake();
        }
    }

    /// Whether it was pulled; wakes the waker when it is.
    pub(crate) fn pulled(&self, waker: &Waker) -> bool {
        let mut kept = locked(&self.waker);
        if !kept.as_ref().is_some_and(|kept| kept.will_wake(waker)) {
            *kept = Some(waker.clone());
        }
        drop(kept);
        self.pulled.load(Ordering::Acquire)
    }

    /// The guest has stopped where it may be left.
    pub(crate) fn rest(&self) {
        self.rests.store(true, Ordering::Relaxed);
    }

    /// Whether the guest has stopped.
    pub(crate) fn rests(&self) -> bool {
        self.rests.load(Ordering::Relaxed)
    }

    /// It goes on.
    pub(crate) fn go_on(&self) {
        self.rests.store(false, Ordering::Relaxed);
        self.pulled.store(false, Ordering::Release);
        // What was wished meanwhile is heard when it waits next.
        if locked(&self.wish).is_some() {
            self.pull();
        }
    }

    /// What is wished, unless nobody waits for it any more.
    pub(crate) fn wish(&self) -> Option<Wish> {
        locked(&self.wish).take().filter(|wish| !wish.told.is_closed())
    }
}

impl Wish {
    pub(crate) fn tell(self, moved: Moved) {
        // Who asked may have gone.
        let _ = self.told.send(moved);
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
