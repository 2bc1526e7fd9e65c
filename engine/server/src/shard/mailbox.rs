//! What waits for one shard. A whole batch is taken at once, and the shard is woken only when it
//! sleeps: under load an input costs a lock and no system call. Sleeping is not done here but where the
//! shard listens, since it is woken by its sockets as well.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use rustix::event::{EventfdFlags, eventfd};

/// Inputs that wait. SIP messages are refused beyond it (the far side sends them again); everyone else
/// waits for room, but those of whom the shard itself bounds how many there are.
const MOST_WAITING: usize = 65_536;

pub(super) struct Mailbox<T> {
    waiting: Mutex<Waiting<T>>,
    /// Rung when something is there for a shard that sleeps.
    bell: OwnedFd,
    /// There is room again for those who wait for it.
    room: Condvar,
}

struct Waiting<T> {
    inputs: Vec<T>,
    asleep: bool,
    closed: bool,
}

impl<T> Mailbox<T> {
    pub fn new() -> io::Result<Self> {
        let waiting = Waiting { inputs: Vec::new(), asleep: false, closed: false };
        let bell = eventfd(0, EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC)?;
        Ok(Self { waiting: Mutex::new(waiting), bell, room: Condvar::new() })
    }

    /// Hands something in, and waits for room if there is none. A shard that has stopped takes nothing:
    /// false.
    pub fn send(&self, input: T) -> bool {
        let mut waiting = self.waiting();
        while waiting.inputs.len() >= MOST_WAITING && !waiting.closed {
            waiting = self.room.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
        self.put(waiting, input, true)
    }

    /// Hands something in unless there is no room: false.
    pub fn offer(&self, input: T) -> bool {
        let waiting = self.waiting();
        waiting.inputs.len() < MOST_WAITING && self.put(waiting, input, true)
    }

    /// Hands something in whether there is room or not: for what comes from the shard's own thread, which
    /// can't wait for itself.
    pub fn push(&self, input: T) -> bool {
        self.put(self.waiting(), input, true)
    }

    /// Hands in what need not be known at once: the shard finds it when it wakes for another reason.
    pub fn leave(&self, input: T) -> bool {
        self.put(self.waiting(), input, false)
    }

    fn put(&self, mut waiting: MutexGuard<'_, Waiting<T>>, input: T, ring: bool) -> bool {
        if waiting.closed {
            return false;
        }
        waiting.inputs.push(input);
        let ring = ring && std::mem::take(&mut waiting.asleep);
        drop(waiting);
        if ring {
            // Its counter would be full after 2^64 rings.
            let _ = rustix::io::write(&self.bell, &1u64.to_ne_bytes());
        }
        true
    }

    /// What is heard when something is handed in to a shard that sleeps.
    pub fn bell(&self) -> BorrowedFd<'_> {
        self.bell.as_fd()
    }

    /// The shard goes to sleep, if nothing waits: then its bell is rung from here on.
    pub fn doze(&self) -> bool {
        let mut waiting = self.waiting();
        waiting.asleep = waiting.inputs.is_empty();
        waiting.asleep
    }

    /// The shard is awake: all that waits, put into `batch`, which is empty.
    pub fn take(&self, batch: &mut Vec<T>) {
        let mut waiting = self.waiting();
        waiting.asleep = false;
        let was_full = waiting.inputs.len() >= MOST_WAITING;
        std::mem::swap(&mut waiting.inputs, batch);
        drop(waiting);
        if was_full {
            self.room.notify_all();
        }
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting<T>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Nothing is taken any more.
    pub fn close(&self) {
        self.waiting().closed = true;
        self.room.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use rustix::event::{PollFd, PollFlags, poll};

    use super::*;

    fn taken(mailbox: &Mailbox<u32>) -> Vec<u32> {
        let mut batch = Vec::new();
        mailbox.take(&mut batch);
        batch
    }

    /// Whether the bell was rung since the mailbox was made.
    fn rung(mailbox: &Mailbox<u32>) -> bool {
        let mut bell = [PollFd::from_borrowed_fd(mailbox.bell(), PollFlags::IN)];
        let now = rustix::event::Timespec { tv_sec: 0, tv_nsec: 0 };
        poll(&mut bell, Some(&now)).expect("a bell can be polled") == 1
    }

    #[test]
    fn what_was_handed_in_is_taken_in_order_and_once() {
        let mailbox = Mailbox::new().unwrap();
        assert!(mailbox.send(1) && mailbox.offer(2) && mailbox.push(3) && mailbox.leave(4));
        assert_eq!(taken(&mailbox), [1, 2, 3, 4]);
        assert!(taken(&mailbox).is_empty());
    }

    #[test]
    fn a_full_one_refuses_messages_and_a_closed_one_everything() {
        let mailbox = Mailbox::new().unwrap();
        (0..MOST_WAITING as u32).for_each(|n| assert!(mailbox.send(n)));
        assert!(!mailbox.offer(0));
        assert!(mailbox.push(0), "the shard itself must never wait for itself");
        assert_eq!(taken(&mailbox).len(), MOST_WAITING + 1);
        assert!(mailbox.offer(0));
        mailbox.close();
        assert!(!mailbox.send(0) && !mailbox.offer(0) && !mailbox.push(0) && !mailbox.leave(0));
    }

    #[test]
    fn the_bell_rings_for_a_shard_that_sleeps_and_for_no_other() {
        let mailbox = Mailbox::new().unwrap();
        assert!(mailbox.send(1));
        assert!(!mailbox.doze(), "something waits");
        assert!(!rung(&mailbox), "it is awake");
        assert_eq!(taken(&mailbox), [1]);
        assert!(mailbox.doze());
        assert!(mailbox.leave(2) && !rung(&mailbox), "what can wait wakes nobody");
        assert!(mailbox.send(3) && rung(&mailbox));
        assert_eq!(taken(&mailbox), [2, 3]);
    }

    #[test]
    fn whoever_waits_for_room_goes_on_when_there_is_some() {
        let mailbox = Mailbox::new().unwrap();
        (0..MOST_WAITING as u32).for_each(|n| assert!(mailbox.send(n)));
        std::thread::scope(|scope| {
            let sending = scope.spawn(|| mailbox.send(7));
            let mut all = Vec::new();
            while !all.contains(&7) {
                all.extend(taken(&mailbox));
            }
            assert!(sending.join().expect("it does not panic"));
        });
    }
}
