//! What waits for one shard. A whole batch is taken at once, and the shard is woken only when it
//! sleeps: under load an input costs a lock and no system call.

use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Instant;

/// Inputs that wait. SIP messages are refused beyond it (the far side sends them again); everyone else
/// waits for room.
const MOST_WAITING: usize = 65_536;

pub(super) struct Mailbox<T> {
    waiting: Mutex<Waiting<T>>,
    /// Something is there for the shard.
    bell: Condvar,
    /// There is room again for those who wait for it.
    room: Condvar,
}

struct Waiting<T> {
    inputs: Vec<T>,
    asleep: bool,
    closed: bool,
}

impl<T> Mailbox<T> {
    pub fn new() -> Self {
        let waiting = Waiting { inputs: Vec::new(), asleep: false, closed: false };
        Self { waiting: Mutex::new(waiting), bell: Condvar::new(), room: Condvar::new() }
    }

    /// Hands something in, and waits for room if there is none. A shard that has stopped takes nothing:
    /// false.
    pub fn send(&self, input: T) -> bool {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        while waiting.inputs.len() >= MOST_WAITING && !waiting.closed {
            waiting = self.room.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
        self.put(waiting, input)
    }

    /// Hands something in unless there is no room: false.
    pub fn offer(&self, input: T) -> bool {
        let waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.inputs.len() < MOST_WAITING && self.put(waiting, input)
    }

    fn put(&self, mut waiting: std::sync::MutexGuard<'_, Waiting<T>>, input: T) -> bool {
        if waiting.closed {
            return false;
        }
        waiting.inputs.push(input);
        let wake = std::mem::take(&mut waiting.asleep);
        drop(waiting);
        if wake {
            self.bell.notify_one();
        }
        true
    }

    /// All that waits, put into `batch`, which is empty; sleeps until there is something, or until then.
    pub fn take(&self, until: Option<Instant>, batch: &mut Vec<T>) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        while waiting.inputs.is_empty() {
            waiting.asleep = true;
            waiting = match until.map(|until| until.saturating_duration_since(Instant::now())) {
                None => self.bell.wait(waiting).unwrap_or_else(PoisonError::into_inner),
                Some(rest) if rest.is_zero() => break,
                Some(rest) => self.bell.wait_timeout(waiting, rest).unwrap_or_else(PoisonError::into_inner).0,
            };
        }
        waiting.asleep = false;
        let was_full = waiting.inputs.len() >= MOST_WAITING;
        std::mem::swap(&mut waiting.inputs, batch);
        drop(waiting);
        if was_full {
            self.room.notify_all();
        }
    }

    /// Nothing is taken any more.
    pub fn close(&self) {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).closed = true;
        self.room.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(mailbox: &Mailbox<u32>) -> Vec<u32> {
        let mut batch = Vec::new();
        mailbox.take(Some(Instant::now()), &mut batch);
        batch
    }

    #[test]
    fn what_was_handed_in_is_taken_in_order_and_once() {
        let mailbox = Mailbox::new();
        assert!(mailbox.send(1) && mailbox.offer(2));
        assert_eq!(taken(&mailbox), [1, 2]);
        assert!(taken(&mailbox).is_empty());
    }

    #[test]
    fn a_full_one_refuses_messages_and_a_closed_one_everything() {
        let mailbox = Mailbox::new();
        (0..MOST_WAITING as u32).for_each(|n| assert!(mailbox.send(n)));
        assert!(!mailbox.offer(0));
        assert_eq!(taken(&mailbox).len(), MOST_WAITING);
        assert!(mailbox.offer(0));
        mailbox.close();
        assert!(!mailbox.send(0) && !mailbox.offer(0));
    }

    #[test]
    fn a_sleeping_shard_is_woken() {
        let mailbox = Mailbox::new();
        std::thread::scope(|scope| {
            let taking = scope.spawn(|| {
                let mut batch = Vec::new();
                mailbox.take(None, &mut batch);
                batch
            });
            assert!(mailbox.send(7));
            assert_eq!(taking.join().expect("it wakes"), [7]);
        });
    }
}
