//! Pairs of ports, shared by whoever opens streams and the threads that own them, without a lock: one
//! word for each pair says whether it is free, which thread owns it, and how often it was opened. A pair
//! whose sockets wait for the next stream ([`crate::spares`]) is nobody's and not free.

use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use crate::command::StreamId;

/// `turn << 32 | owner`, the owner 0 when the pair is free, else the thread's number plus one, or
/// [`RESTING`].
#[derive(Debug)]
pub(crate) struct Slots {
    first: u16,
    words: Box<[AtomicU64]>,
    /// Where the next search begins, so that a pair rests as long as possible before it is used again
    /// and late packets of its last call find nobody.
    cursor: AtomicUsize,
}

/// The owner of a pair that rests with its sockets open.
const RESTING: u32 = u32::MAX;

fn word(turn: u32, thread: usize) -> u64 {
    u64::from(turn) << 32 | (thread as u64 + 1)
}

fn free(turn: u32) -> u64 {
    u64::from(turn) << 32
}

impl Slots {
    /// None when the range holds no even port with its odd neighbour. `chance`: where to begin.
    pub fn new(ports: &RangeInclusive<u16>, chance: u64) -> Option<Self> {
        // Port 0 means any port to the system.
        let first = (*ports.start()).max(2).checked_next_multiple_of(2)?;
        let end = u32::from(*ports.end()) + 1;
        let pairs = end.checked_sub(u32::from(first))? / 2;
        if pairs == 0 {
            return None;
        }
        let words: Box<[_]> = (0..pairs).map(|_| AtomicU64::new(0)).collect();
        Some(Self { first, words, cursor: AtomicUsize::new((chance % u64::from(pairs)) as usize) })
    }

    pub fn len(&self) -> usize {
        self.words.len()
    }

    /// The even port of a pair.
    pub fn port(&self, id: StreamId) -> u16 {
        self.first + 2 * id.slot as u16
    }

    /// Takes the next free pair for a thread; none when all are taken.
    pub fn take(&self, thread: usize) -> Option<StreamId> {
        for _ in 0..self.words.len() {
            let slot = self.cursor.fetch_add(1, Ordering::Relaxed) % self.words.len();
            let was = self.words[slot].load(Ordering::Acquire);
            let turn = ((was >> 32) as u32).wrapping_add(1);
            let is_free = was as u32 == 0;
            if is_free
                && self.words[slot]
                    .compare_exchange(was, word(turn, thread), Ordering::AcqRel, Ordering::Relaxed)
                    .is_ok()
            {
                return Some(StreamId { slot: slot as u32, turn });
            }
        }
        None
    }

    /// The thread of a stream; none when it is closed.
    pub fn thread(&self, id: StreamId) -> Option<usize> {
        let word = self.words.get(id.slot as usize)?.load(Ordering::Acquire);
        let is_open = (word >> 32) as u32 == id.turn && word as u32 != RESTING;
        is_open.then_some((word as u32).checked_sub(1)? as usize)
    }

    /// Gives a stream to another thread; false when it is closed or was not that thread's.
    pub fn hand_over(&self, id: StreamId, from: usize, to: usize) -> bool {
        self.words[id.slot as usize]
            .compare_exchange(word(id.turn, from), word(id.turn, to), Ordering::AcqRel, Ordering::Relaxed)
            .is_ok()
    }

    /// The stream is over and its sockets stay open.
    pub fn rest(&self, id: StreamId) {
        self.words[id.slot as usize].store(free(id.turn) | u64::from(RESTING), Ordering::Release);
    }

    /// A pair that rested has its next stream. Only whoever took its sockets may say so.
    pub fn wake(&self, rested: StreamId, thread: usize) -> StreamId {
        let turn = rested.turn.wrapping_add(1);
        self.words[rested.slot as usize].store(word(turn, thread), Ordering::Release);
        StreamId { turn, ..rested }
    }

    /// The pair is free again; its sockets must be closed.
    pub fn release(&self, id: StreamId) {
        self.words[id.slot as usize].store(free(id.turn), Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_begin_at_even_ports_and_rest_before_they_are_used_again() {
        let slots = Slots::new(&(10_001..=10_007), 1).unwrap();
        assert_eq!(slots.len(), 3);
        let ids: Vec<_> = (0..3).map(|_| slots.take(0).unwrap()).collect();
        assert_eq!(ids.iter().map(|id| slots.port(*id)).collect::<Vec<_>>(), [10_004, 10_006, 10_002]);
        assert_eq!(slots.take(0), None);
        slots.release(ids[1]);
        slots.release(ids[0]);
        let again = slots.take(5).unwrap();
        assert_eq!(slots.port(again), 10_004, "freed last, but its turn in the round");
        assert_ne!(again, ids[0]);
        assert_eq!((slots.thread(again), slots.thread(ids[0])), (Some(5), None));
    }

    #[test]
    fn ranges_without_a_pair_are_refused() {
        assert!(Slots::new(&(10_001..=10_002), 0).is_none());
        #[allow(clippy::reversed_empty_ranges)]
        let reversed = 20_000..=10_000;
        assert!(Slots::new(&reversed, 0).is_none());
        assert!(Slots::new(&(65_535..=65_535), 0).is_none());
        assert_eq!(Slots::new(&(65_534..=65_535), 0).unwrap().len(), 1);
    }

    #[test]
    fn a_pair_that_rests_is_nobodys_and_not_taken_by_others() {
        let slots = Slots::new(&(10_000..=10_001), 0).unwrap();
        let id = slots.take(0).unwrap();
        slots.rest(id);
        assert_eq!((slots.thread(id), slots.take(1)), (None, None));
        let next = slots.wake(id, 1);
        assert_ne!(next, id);
        assert_eq!((slots.thread(id), slots.thread(next)), (None, Some(1)));
    }

    #[test]
    fn only_a_living_stream_is_handed_over() {
        let slots = Slots::new(&(10_000..=10_001), 0).unwrap();
        let id = slots.take(0).unwrap();
        assert!(slots.hand_over(id, 0, 3));
        assert!(!slots.hand_over(id, 0, 4));
        assert_eq!(slots.thread(id), Some(3));
        slots.release(id);
        assert!(!slots.hand_over(id, 3, 0));
    }
}
