//! Whose time has come: one heap for all machines of a stack. A machine that no longer wants its entry
//! leaves it there; it is thrown away when it comes up. So arming is O(log n) and nothing is searched.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Instant;

/// Entries `(when, who)`, earliest first.
#[derive(Debug)]
pub struct Deadlines<Who> {
    heap: BinaryHeap<Reverse<(Instant, Who)>>,
}

/// The earliest entry that an owner has in the heap; kept by the owner, so that it adds another only when it
/// needs an earlier one.
#[derive(Clone, Copy, Debug, Default)]
pub struct Armed(Option<Instant>);

impl<Who: Ord + Copy> Deadlines<Who> {
    /// None.
    pub fn new() -> Self {
        Self { heap: BinaryHeap::new() }
    }

    /// `who` wants to be woken at `at` (or not at all).
    pub fn arm(&mut self, who: Who, armed: &mut Armed, at: Option<Instant>) {
        let Some(at) = at else { return };
        if armed.0.is_none_or(|earlier| at < earlier) {
            armed.0 = Some(at);
            self.heap.push(Reverse((at, who)));
        }
    }

    /// An owner whose entry has come. It may want to wake later by now, or be gone: its owner checks, calls
    /// [`woken`](Self::woken) and arms it again.
    pub fn pop(&mut self, now: Instant) -> Option<(Instant, Who)> {
        let Reverse((at, _)) = self.heap.peek()?;
        if *at > now {
            return None;
        }
        self.heap.pop().map(|Reverse(entry)| entry)
    }

    /// The entry of `at` is out of the heap.
    pub fn woken(armed: &mut Armed, at: Instant) {
        if armed.0 == Some(at) {
            armed.0 = None;
        }
    }

    /// The earliest entry; its owner may be gone by then.
    pub fn next(&self) -> Option<Instant> {
        self.heap.peek().map(|Reverse((at, _))| *at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn the_earliest_comes_first_and_a_later_wish_costs_no_entry() {
        let zero = Instant::now();
        let at = |ms| Some(zero + Duration::from_millis(ms));
        let mut deadlines = Deadlines::new();
        let (mut a, mut b) = (Armed::default(), Armed::default());
        deadlines.arm(1, &mut a, at(500));
        deadlines.arm(2, &mut b, at(300));
        deadlines.arm(1, &mut a, at(32_000));
        deadlines.arm(1, &mut a, None);
        assert_eq!((deadlines.heap.len(), deadlines.next()), (2, at(300)));
        assert_eq!(deadlines.pop(zero), None);
        assert_eq!(deadlines.pop(zero + Duration::from_secs(1)), Some((at(300).unwrap(), 2)));
        assert_eq!(deadlines.pop(zero + Duration::from_secs(1)), Some((at(500).unwrap(), 1)));
        Deadlines::<u8>::woken(&mut a, at(500).unwrap());
        deadlines.arm(1, &mut a, at(32_000));
        assert_eq!(deadlines.next(), at(32_000));
    }
}
