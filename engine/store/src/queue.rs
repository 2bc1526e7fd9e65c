//! Batches on their way to the disk. Each says how long it can wait; a group is taken when the first of
//! them can wait no longer, so that those in no hurry cost no sync of their own.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::kv::Batch;
use crate::store::Done;
use crate::{MAX_GROUP, MAX_GROUP_BYTES, QUEUE, StoreError};

pub(crate) struct Pending {
    pub batch: Batch,
    pub done: Done,
    /// When it should be on its way.
    pub due: Instant,
}

#[derive(Default)]
pub(crate) struct Queue {
    waiting: Mutex<Waiting>,
    bell: Condvar,
}

#[derive(Default)]
struct Waiting {
    pending: Vec<Pending>,
    bytes: usize,
    /// The earliest due of those pending.
    due: Option<Instant>,
    closed: bool,
}

impl Queue {
    /// Gives it back with the reason when too many wait or the store is closed. Wakes the writer only if
    /// this batch changes when the next group is due.
    pub fn push(&self, pending: Pending) -> Result<(), (Pending, StoreError)> {
        let mut waiting = self.lock();
        if waiting.closed {
            return Err((pending, StoreError::Closed));
        }
        if waiting.pending.len() >= QUEUE {
            return Err((pending, StoreError::Busy));
        }
        let sooner = waiting.due.is_none_or(|due| pending.due < due);
        if sooner {
            waiting.due = Some(pending.due);
        }
        waiting.bytes += pending.batch.bytes();
        waiting.pending.push(pending);
        let ring = sooner || waiting.is_full();
        drop(waiting);
        if ring {
            self.bell.notify_one();
        }
        Ok(())
    }

    /// The next group, not before that moment unless it is full; none when the store is closed and
    /// nothing waits.
    pub fn next(&self, not_before: Instant) -> Option<Vec<Pending>> {
        let mut waiting = self.lock();
        while !waiting.is_full() {
            let Some(due) = waiting.due else {
                if waiting.closed {
                    return None;
                }
                waiting = self.bell.wait(waiting).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            let rest = due.max(not_before).saturating_duration_since(Instant::now());
            if waiting.closed || rest.is_zero() {
                break;
            }
            waiting = self.bell.wait_timeout(waiting, rest).unwrap_or_else(PoisonError::into_inner).0;
        }
        Some(waiting.take_group())
    }

    /// What waits is still taken; nothing more is.
    pub fn close(&self) {
        self.lock().closed = true;
        self.bell.notify_one();
    }

    pub fn len(&self) -> usize {
        self.lock().pending.len()
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    fn is_full(&self) -> bool {
        self.pending.len() >= MAX_GROUP || self.bytes >= MAX_GROUP_BYTES
    }

    fn take_group(&mut self) -> Vec<Pending> {
        let (mut count, mut bytes) = (0, 0);
        while count < self.pending.len().min(MAX_GROUP) && bytes < MAX_GROUP_BYTES {
            bytes += self.pending[count].batch.bytes();
            count += 1;
        }
        let group = self.pending.drain(..count).collect();
        self.bytes = self.bytes.saturating_sub(bytes);
        self.due = self.pending.iter().map(|pending| pending.due).min();
        group
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn pending(due: Instant, value: usize) -> Pending {
        Pending { batch: Batch::new().put("k", vec![0; value]), done: Box::new(|_| {}), due }
    }

    #[test]
    fn whoever_can_wait_goes_along_with_the_first_that_cannot() {
        let (queue, now) = (Queue::default(), Instant::now());
        for wait in [3600, 0, 60] {
            assert!(queue.push(pending(now + Duration::from_secs(wait), 1)).is_ok());
        }
        assert_eq!(queue.next(now).map(|group| group.len()), Some(3), "at once, and all of them");
    }

    #[test]
    fn a_full_group_does_not_wait_and_leaves_the_rest_in_order() {
        let (queue, later) = (Queue::default(), Instant::now() + Duration::from_secs(3600));
        for _ in 0..MAX_GROUP + 2 {
            assert!(queue.push(pending(later, 1)).is_ok());
        }
        assert_eq!(queue.next(later).map(|group| group.len()), Some(MAX_GROUP));
        assert_eq!(queue.len(), 2);
        queue.close();
        assert_eq!(queue.next(later).map(|group| group.len()), Some(2), "a closed store hurries");
        assert!(queue.next(later).is_none());
        assert!(matches!(queue.push(pending(later, 1)), Err((_, StoreError::Closed))));
    }

    #[test]
    fn one_too_many_is_given_back() {
        let (queue, later) = (Queue::default(), Instant::now() + Duration::from_secs(3600));
        for _ in 0..QUEUE {
            assert!(queue.push(pending(later, 1)).is_ok());
        }
        assert!(matches!(queue.push(pending(later, 1)), Err((_, StoreError::Busy))));
    }
}
