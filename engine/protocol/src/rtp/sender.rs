//! One outgoing RTP stream (RFC 3550 §5.1): one SSRC for the life of the leg, sequence numbers and
//! timestamps that go on whatever the source is: a prompt, keys, or another leg's packets passed on.
//! What is lost or late on the way in stays so on the way out, for the far side's jitter buffer.

use std::time::Instant;

use super::wire::Header;
use super::{CLOCK, ticks};

/// The state of one outgoing stream.
#[derive(Clone, Debug)]
pub struct Sender {
    ssrc: u32,
    /// Ticks a second.
    clock: u32,
    /// The latest sent.
    sequence: u16,
    timestamp: u32,
    sent_at: Option<Instant>,
    marker: bool,
    passing: Option<Passing>,
    packets: u32,
    octets: u32,
}

/// Another stream's packets are passed on with these differences.
#[derive(Clone, Copy, Debug)]
struct Passing {
    ssrc: u32,
    sequence: u16,
    timestamp: u32,
    /// Our first sequence number of it; earlier packets would take the numbers of what came before.
    first: u16,
    /// How many were passed, as long as `first` matters.
    passed: u16,
}

impl Sender {
    /// All three random (RFC 3550 §5.1).
    pub fn new(ssrc: u32, sequence: u16, timestamp: u32) -> Self {
        Self {
            ssrc,
            clock: CLOCK,
            sequence,
            timestamp,
            sent_at: None,
            marker: true,
            passing: None,
            packets: 0,
            octets: 0,
        }
    }

    /// Timestamps count by this many ticks a second from now on; [`CLOCK`] until said.
    pub fn set_clock(&mut self, clock: u32) {
        if self.clock != clock {
            self.clock = clock;
            self.switch();
        }
    }

    /// Our SSRC.
    pub fn ssrc(&self) -> u32 {
        self.ssrc
    }

    /// Packets sent, wrapping (RFC 3550 §6.4.1).
    pub fn packets(&self) -> u32 {
        self.packets
    }

    /// Octets of payload sent, wrapping.
    pub fn octets(&self) -> u32 {
        self.octets
    }

    /// The timestamp of a sample taken now. Time that passed in silence is counted.
    pub fn timestamp_at(&self, now: Instant) -> u32 {
        let passed = self.sent_at.map_or(0, |at| ticks(now.saturating_duration_since(at), self.clock));
        self.timestamp.wrapping_add(passed)
    }

    /// Another source begins: the next packet begins a talk-spurt (RFC 3551 §4.1).
    pub fn switch(&mut self) {
        self.marker = true;
        self.passing = None;
    }

    /// The next packet of sound of our own making: 20 ms in so many octets. They follow each other without a
    /// gap until [`Sender::switch`], however late the caller's clock is.
    pub fn next(&mut self, now: Instant, payload_type: u8, octets: usize) -> Header {
        let begins = self.marker || self.passing.is_some();
        let timestamp =
            if begins { self.fresh_timestamp(now) } else { self.timestamp.wrapping_add(self.frame()) };
        self.passing = None;
        self.count(now, self.sequence.wrapping_add(1), timestamp, octets);
        self.header(begins, payload_type)
    }

    /// 20 ms in which nothing is sent, because nothing is said (RFC 7587 §3.1.3).
    pub fn skip(&mut self, now: Instant) {
        if !self.marker && self.passing.is_none() {
            self.timestamp = self.timestamp.wrapping_add(self.frame());
            self.sent_at = Some(now);
        }
    }

    /// The next packet of an event (RFC 4733 §2.2.1): all packets of one have the timestamp of its
    /// beginning, and the first the marker.
    pub fn event(&mut self, now: Instant, payload_type: u8, begins: bool) -> Header {
        let timestamp = if begins { self.fresh_timestamp(now) } else { self.timestamp };
        self.passing = None;
        let sent_at = if begins { now } else { self.sent_at.unwrap_or(now) };
        self.count(sent_at, self.sequence.wrapping_add(1), timestamp, 4);
        // Sound that follows begins anew.
        self.marker = true;
        Header { marker: begins, ..self.header(begins, payload_type) }
    }

    /// A packet of another stream, passed on with `payload` octets. None when it is older than the
    /// switch to that stream.
    pub fn pass(
        &mut self,
        now: Instant,
        theirs: &Header,
        payload_type: u8,
        payload: usize,
    ) -> Option<Header> {
        let (mut passing, begins) = match self.passing {
            Some(passing) if passing.ssrc == theirs.ssrc => (passing, false),
            _ => {
                let first = self.sequence.wrapping_add(1);
                let passing = Passing {
                    ssrc: theirs.ssrc,
                    sequence: first.wrapping_sub(theirs.sequence),
                    timestamp: self.fresh_timestamp(now).wrapping_sub(theirs.timestamp),
                    first,
                    passed: 0,
                };
                (passing, true)
            }
        };
        let sequence = theirs.sequence.wrapping_add(passing.sequence);
        let timestamp = theirs.timestamp.wrapping_add(passing.timestamp);
        if passing.passed < 0x4000 && is_before(sequence, passing.first) {
            return None;
        }
        passing.passed = passing.passed.saturating_add(1);
        let latest = (self.sequence, self.timestamp, self.sent_at);
        let late = !begins && is_before(sequence, self.sequence);
        self.count(now, sequence, timestamp, payload);
        if late {
            (self.sequence, self.timestamp, self.sent_at) = latest;
        } else if !begins && timestamp == latest.1 {
            // More of the same event: its timestamp is the time of its first packet.
            self.sent_at = latest.2;
        }
        self.passing = Some(passing);
        self.marker = false;
        let marker = theirs.marker || begins;
        Some(Header { marker, payload_type, sequence, timestamp, ssrc: self.ssrc })
    }

    /// At least one frame after what was sent last.
    fn fresh_timestamp(&self, now: Instant) -> u32 {
        match self.sent_at {
            None => self.timestamp,
            Some(at) => {
                let passed = ticks(now.saturating_duration_since(at), self.clock).max(self.frame());
                self.timestamp.wrapping_add(passed)
            }
        }
    }

    /// 20 ms.
    fn frame(&self) -> u32 {
        self.clock / 50
    }

    fn count(&mut self, now: Instant, sequence: u16, timestamp: u32, octets: usize) {
        self.sequence = sequence;
        self.timestamp = timestamp;
        self.sent_at = Some(now);
        self.marker = false;
        self.packets = self.packets.wrapping_add(1);
        self.octets = self.octets.wrapping_add(octets as u32);
    }

    fn header(&self, marker: bool, payload_type: u8) -> Header {
        Header { marker, payload_type, sequence: self.sequence, timestamp: self.timestamp, ssrc: self.ssrc }
    }
}

fn is_before(a: u16, b: u16) -> bool {
    (a.wrapping_sub(b) as i16) < 0
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn theirs(sequence: u16, timestamp: u32, ssrc: u32) -> Header {
        Header { marker: false, payload_type: 8, sequence, timestamp, ssrc }
    }

    fn shape(header: Header) -> (bool, u16, u32) {
        assert_eq!(header.ssrc, 7);
        (header.marker, header.sequence, header.timestamp)
    }

    #[test]
    fn rfc3550_5_1_numbers_go_on_over_every_switch() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut sender = Sender::new(7, 65_534, u32::MAX - 159);
        // A prompt: the wheel may be late, the timestamps are not.
        assert_eq!(shape(sender.next(at(0), 0, 160)), (true, 65_535, u32::MAX - 159));
        assert_eq!(shape(sender.next(at(23), 0, 160)), (false, 0, 0));
        // Then the other leg, 100 ms later, out of order and with a hole.
        let mut pass = |ms, seq, ts| sender.pass(at(ms), &theirs(seq, ts, 99), 0, 160).map(shape);
        assert_eq!(pass(123, 500, 1_000), Some((true, 1, 800)));
        assert_eq!(pass(163, 502, 1_320), Some((false, 3, 1_120)));
        assert_eq!(pass(165, 501, 1_160), Some((false, 2, 960)));
        assert_eq!(pass(166, 499, 840), None, "it would take the prompt's number");
        assert_eq!(pass(203, 504, 1_640), Some((false, 5, 1_440)));
        // Then a prompt again.
        sender.switch();
        assert_eq!(shape(sender.next(at(303), 0, 160)), (true, 6, 2_240));
        assert_eq!((sender.packets(), sender.octets()), (7, 7 * 160));
    }

    /// RFC 7587 §4.1: Opus counts at 48 kHz whatever it holds; numbers go on over a change of codec.
    #[test]
    fn rfc7587_4_1_timestamps_count_by_the_codecs_clock() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut sender = Sender::new(7, 0, 0);
        sender.next(at(0), 0, 160);
        sender.set_clock(48_000);
        assert_eq!(shape(sender.next(at(100), 111, 60)), (true, 2, 4_800));
        assert_eq!(shape(sender.next(at(120), 111, 61)), (false, 3, 5_760));
        assert_eq!(sender.timestamp_at(at(130)), 6_240);
        sender.skip(at(140));
        assert_eq!(shape(sender.next(at(160), 111, 60)), (false, 4, 7_680), "silence is time that passes");
    }

    #[test]
    fn rfc3551_4_1_another_source_begins_a_talk_spurt() {
        let start = Instant::now();
        let mut sender = Sender::new(7, 9, 0);
        let pass =
            |sender: &mut Sender, ssrc| sender.pass(start, &theirs(1, 1, ssrc), 0, 160).unwrap().marker;
        assert!(pass(&mut sender, 1));
        assert!(!pass(&mut sender, 1));
        assert!(pass(&mut sender, 2));
    }

    #[test]
    fn rfc4733_2_2_1_an_event_keeps_the_timestamp_of_its_beginning() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut sender = Sender::new(7, 0, 0);
        assert_eq!(shape(sender.next(at(0), 0, 160)), (true, 1, 0));
        assert_eq!(shape(sender.event(at(20), 101, true)), (true, 2, 160));
        assert_eq!(shape(sender.event(at(40), 101, false)), (false, 3, 160));
        // Sound follows where the event has ended by the clock.
        assert_eq!(shape(sender.next(at(120), 0, 160)), (true, 4, 960));
    }
}
