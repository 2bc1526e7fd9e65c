//! The jitter buffer of one stream whose sound is decoded: packets come as the network brings them, and are taken
//! as their sound is due. It waits as long as nearly all packets of the last seconds would have needed, between
//! [`MIN_DELAY`] and [`MAX_DELAY`]; what comes later is late and never heard. Lost packets are told apart from the
//! silence between talk-spurts by their sequence numbers (RFC 3550 §5.1). It decodes nothing: whoever takes fills
//! gaps, and shortens what it has when the buffer holds too much. Packets that are passed on see none of this.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::ticks;
use super::wire::Header;

/// What even a network without jitter is given: the sender's clock and ours are not in step.
pub const MIN_DELAY: Duration = Duration::from_millis(20);
/// More makes a conversation of two impossible; packets that are later are lost.
pub const MAX_DELAY: Duration = Duration::from_millis(200);
/// Packets that wait; for one more the oldest is left out. 200 ms of 5 ms packets, and some.
pub const MAX_PACKETS: usize = 64;
/// Octets of a packet that are kept; a larger one is no packet of a telephone, and is dropped.
pub const MAX_PAYLOAD: usize = 1500;

/// One step of the wheel.
const FRAME: Duration = Duration::from_millis(20);
/// A timestamp this far from where the clock would have it begins the stream anew.
const LEAP: Duration = Duration::from_secs(1);
/// Frames that are made up before the stream is taken to have stopped.
const MAX_MISSING: u8 = 5;
/// The quickest packet of so long is the measure of the others.
const WINDOW: Duration = Duration::from_secs(4);
/// The share of packets that must come in time.
const IN_TIME: f32 = 0.97;
/// How much a packet weighs among those before it: the last ten seconds or so count.
const WEIGHT: f32 = 1.0 / 400.0;
/// Frames in a row that the buffer must hold too much before it is told so: it is not for a burst.
const PATIENCE: u8 = 25;

/// What is due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Due {
    /// A packet's payload.
    Packet {
        /// As it came.
        payload: Vec<u8>,
        /// It is comfort noise (RFC 3389), and lasts until the next packet.
        comfort: bool,
    },
    /// A packet that did not come. So many ticks of sound are missing.
    Lost {
        /// At most 20 ms.
        ticks: u32,
        /// The packet after it is there: [`JitterBuffer::following`].
        followed: bool,
    },
    /// What should follow may still come: 20 ms are to be heard that nobody said, so that the delay grows.
    Wait,
    /// Nothing is said: before the first packet, between talk-spurts, or when the stream has stopped.
    Nothing,
}

/// Packets of one stream that wait until they are due.
#[derive(Clone, Debug)]
pub struct JitterBuffer {
    clock: u32,
    origin: Instant,
    ssrc: Option<u32>,
    /// By timestamp.
    packets: VecDeque<Held>,
    /// The timestamp of what is due next; what is before it was heard, or is late. None before the first.
    next: Option<u32>,
    /// The sequence number that was due last.
    last: u16,
    is_playing: bool,
    /// Frames made up since the last packet.
    missing: u8,
    /// The highest sequence number that came, and those of the 64 below that did.
    highest: u16,
    seen: u64,
    delays: Delays,
    too_much: u8,
    late: u64,
}

#[derive(Clone, Debug)]
struct Held {
    sequence: u16,
    timestamp: u32,
    ticks: u32,
    comfort: bool,
    payload: Vec<u8>,
}

/// How late packets are after the quickest.
#[derive(Clone, Debug)]
struct Delays {
    /// The quickest transit of this window and of the one before, and when this window began, in ticks.
    least: Option<[u32; 2]>,
    begun: u32,
    /// The share of packets by lateness, in steps of 20 ms; the last is for all that are later.
    shares: [f32; BINS],
    count: u32,
}

const BINS: usize = (MAX_DELAY.as_millis() / MIN_DELAY.as_millis()) as usize + 1;

impl JitterBuffer {
    /// `clock`: ticks of a second.
    pub fn new(now: Instant, clock: u32) -> Self {
        Self {
            clock,
            origin: now,
            ssrc: None,
            packets: VecDeque::new(),
            next: None,
            last: 0,
            is_playing: false,
            missing: 0,
            highest: 0,
            seen: 0,
            delays: Delays::new(),
            too_much: 0,
            late: 0,
        }
    }

    /// A packet whose sound lasts `ticks`; comfort noise lasts 0.
    pub fn put(&mut self, now: Instant, header: &Header, payload: &[u8], ticks: u32, comfort: bool) {
        if payload.is_empty() || payload.len() > MAX_PAYLOAD {
            return;
        }
        let (timestamp, sequence) = (header.timestamp, header.sequence);
        let arrival = self.arrival(now);
        let transit = arrival.wrapping_sub(timestamp);
        let leap = self.ticks(LEAP) as i32;
        let leaps = self.delays.least().is_some_and(|least| ahead(transit, least).abs() > leap);
        if self.ssrc != Some(header.ssrc) || leaps {
            self.restart(header);
        }
        if self.is_duplicate(sequence) {
            return;
        }
        self.delays.note(arrival, transit, self.clock);
        if self.next.is_some_and(|next| ahead(timestamp.wrapping_add(ticks.max(1)), next) <= 0) {
            self.late += 1;
            return;
        }
        let place =
            self.packets.iter().rposition(|held| ahead(timestamp, held.timestamp) > 0).map_or(0, |n| n + 1);
        self.packets.insert(place, Held { sequence, timestamp, ticks, comfort, payload: payload.to_vec() });
        if self.packets.len() > MAX_PACKETS {
            self.drop_first();
        }
    }

    /// What is due now. To be asked again until 20 ms are full; every answer but [`Due::Packet`] of comfort noise
    /// stands for some.
    pub fn take(&mut self, now: Instant) -> Due {
        self.skip_stale(now);
        let (target, frame) = (self.ticks(self.target()) as i32, self.ticks(FRAME));
        let Some(first) = self.packets.front() else {
            return self.take_from_none(now, target, frame);
        };
        let (timestamp, sequence, follows) =
            (first.timestamp, first.sequence, first.sequence == self.last.wrapping_add(1));
        let waited = self.delay(now, timestamp);
        let Some(next) = self.next.filter(|_| self.is_playing) else {
            // A talk-spurt begins when it has waited as long as its packets may be late.
            if waited < target {
                return Due::Nothing;
            }
            self.is_playing = true;
            return self.take_first();
        };
        let gap = ahead(timestamp, next);
        if gap <= 0 {
            return self.take_first();
        }
        if follows {
            // Nothing was lost: nothing was said.
            return if waited >= target { self.take_first() } else { Due::Nothing };
        }
        if self.delay(now, next) < target && self.missing < MAX_MISSING {
            self.missing += 1;
            return Due::Wait;
        }
        let lost = (gap as u32).min(frame);
        self.next = Some(next.wrapping_add(lost));
        let between = sequence.wrapping_sub(self.last).wrapping_sub(1);
        self.missing = 0;
        let followed = lost == gap as u32;
        // Packets as long as ours were lost one by one; what is left of the gap is one of the others.
        self.last = if followed { sequence.wrapping_sub(1) } else { self.last.wrapping_add(between.min(1)) };
        Due::Lost { ticks: lost, followed }
    }

    fn take_from_none(&mut self, now: Instant, target: i32, frame: u32) -> Due {
        let Some(next) = self.next.filter(|_| self.is_playing) else { return Due::Nothing };
        self.missing += 1;
        if self.missing > MAX_MISSING {
            self.is_playing = false;
            self.missing = 0;
            return Due::Nothing;
        }
        if self.delay(now, next) < target {
            return Due::Wait;
        }
        self.next = Some(next.wrapping_add(frame));
        Due::Lost { ticks: frame, followed: false }
    }

    fn take_first(&mut self) -> Due {
        let Some(Held { sequence, timestamp, ticks, comfort, payload }) = self.packets.pop_front() else {
            return Due::Nothing;
        };
        self.next = Some(timestamp.wrapping_add(ticks));
        self.last = sequence;
        self.missing = 0;
        // What follows comfort noise comes when it comes.
        self.is_playing = !comfort;
        Due::Packet { payload, comfort }
    }

    /// The payload of the packet that waits first: after [`Due::Lost`] that is followed, the one whose sender may
    /// have repeated there what was lost.
    pub fn following(&self) -> Option<&[u8]> {
        self.packets.front().filter(|held| !held.comfort).map(|held| held.payload.as_slice())
    }

    /// Whether the buffer holds more than it needs for longer than a moment; then a few milliseconds of what was
    /// taken are to be left out. To be asked once every 20 ms.
    pub fn holds_too_much(&mut self, now: Instant) -> bool {
        let Some(next) = self.next.filter(|_| self.is_playing) else {
            self.too_much = 0;
            return false;
        };
        let delay = self.delay(now, next);
        let target = self.ticks(self.target() + FRAME) as i32;
        self.too_much = if delay > target { self.too_much.saturating_add(1) } else { 0 };
        self.too_much >= PATIENCE
    }

    /// How long packets are made to wait, counted from the quickest.
    pub fn target(&self) -> Duration {
        self.delays.target()
    }

    /// Packets that came after their time.
    pub fn late(&self) -> u64 {
        self.late
    }

    /// Packets that wait.
    pub fn len(&self) -> usize {
        self.packets.len()
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.packets.is_empty()
    }

    fn restart(&mut self, header: &Header) {
        self.ssrc = Some(header.ssrc);
        self.packets.clear();
        self.next = None;
        self.is_playing = false;
        self.missing = 0;
        (self.highest, self.seen) = (header.sequence.wrapping_sub(1), 0);
        self.delays = Delays::new();
        self.too_much = 0;
    }

    /// RFC 3550 §5.1: a sequence number that came before, among the last 64.
    fn is_duplicate(&mut self, sequence: u16) -> bool {
        let ahead = sequence.wrapping_sub(self.highest) as i16;
        if ahead > 0 {
            self.seen = self.seen.checked_shl(ahead as u32).unwrap_or(0) | 1;
            self.highest = sequence;
            return false;
        }
        let bit = 1u64.checked_shl(u32::from(ahead.unsigned_abs())).unwrap_or(0);
        let known = self.seen & bit != 0;
        self.seen |= bit;
        known
    }

    /// What stands for sound that was heard is passed over. After a stall a burst may come: what waits for longer
    /// than anything may is not heard any more.
    fn skip_stale(&mut self, now: Instant) {
        while let (Some(next), Some(first)) = (self.next, self.packets.front())
            && ahead(first.timestamp.wrapping_add(first.ticks.max(1)), next) <= 0
        {
            self.last = first.sequence;
            self.packets.pop_front();
        }
        let most = self.ticks(MAX_DELAY + FRAME) as i32;
        while self.packets.len() > 1
            && let Some(first) = self.packets.front()
            && self.delay(now, first.timestamp) > most
        {
            self.drop_first();
        }
    }

    fn drop_first(&mut self) {
        if let Some(first) = self.packets.pop_front() {
            self.late += 1;
            let after = first.timestamp.wrapping_add(first.ticks);
            if self.next.is_none_or(|next| ahead(after, next) > 0) {
                self.next = Some(after);
                self.last = first.sequence;
            }
        }
    }

    /// How long a sample has waited, in ticks, counted from when the quickest packet would have brought it.
    fn delay(&self, now: Instant, timestamp: u32) -> i32 {
        let transit = self.arrival(now).wrapping_sub(timestamp);
        self.delays.least().map_or(0, |least| ahead(transit, least))
    }

    fn arrival(&self, now: Instant) -> u32 {
        ticks(now.saturating_duration_since(self.origin), self.clock)
    }

    fn ticks(&self, time: Duration) -> u32 {
        ticks(time, self.clock)
    }
}

impl Delays {
    fn new() -> Self {
        Self { least: None, begun: 0, shares: [0.0; BINS], count: 0 }
    }

    fn least(&self) -> Option<u32> {
        self.least.map(|[now, before]| if ahead(now, before) < 0 { now } else { before })
    }

    fn note(&mut self, arrival: u32, transit: u32, clock: u32) {
        let least = match &mut self.least {
            None => {
                self.begun = arrival;
                self.least.insert([transit; 2])
            }
            Some([now, before]) => {
                if arrival.wrapping_sub(self.begun) >= ticks(WINDOW, clock) {
                    self.begun = arrival;
                    (*now, *before) = (transit, *now);
                } else if ahead(transit, *now) < 0 {
                    *now = transit;
                }
                self.least.get_or_insert([transit; 2])
            }
        };
        let least = if ahead(least[0], least[1]) < 0 { least[0] } else { least[1] };
        let lateness = ahead(transit, least).max(0) as u32;
        let bin = (lateness / ticks(MIN_DELAY, clock)) as usize;
        self.count = self.count.saturating_add(1);
        let weight = WEIGHT.max(1.0 / self.count as f32);
        self.shares.iter_mut().for_each(|share| *share *= 1.0 - weight);
        self.shares[bin.min(BINS - 1)] += weight;
    }

    fn target(&self) -> Duration {
        let mut in_time = 0.0;
        let bin = self.shares.iter().position(|share| {
            in_time += share;
            in_time >= IN_TIME
        });
        (MIN_DELAY * (bin.unwrap_or(0) as u32 + 1)).min(MAX_DELAY)
    }
}

/// How far one timestamp is ahead of another.
fn ahead(a: u32, b: u32) -> i32 {
    a.wrapping_sub(b) as i32
}

#[cfg(test)]
mod tests;
