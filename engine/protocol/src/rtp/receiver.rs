//! One incoming RTP stream (RFC 3550 appendix A): sequence numbers checked and extended (A.1), loss
//! (A.3) and jitter (A.8) counted, and its source locked: after the first valid packets only that
//! address is heard, since it is where the far side can be reached through its NAT. Packets are not
//! held back or put in order.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::wire::Header;
use super::{CLOCK, ticks};

/// RFC 3550 A.1: packets in sequence until a source is valid.
const MIN_SEQUENTIAL: u8 = 2;
/// RFC 3550 A.1: a gap of more is a restart, if the next packet says so too.
const MAX_DROPOUT: u16 = 3000;
/// RFC 3550 A.1: a packet later than this many is not late but of a restart.
const MAX_MISORDER: u16 = 100;

/// Another address is heard only when the locked one was silent for so long: longer than a
/// telephone's silence suppression leaves between two comfort packets or a slow network holds back.
pub const RELOCK_SILENCE: Duration = Duration::from_secs(2);

/// What to do with a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is of the locked source.
    Accept {
        /// The source was locked just now: the first, another address, or another SSRC.
        new_source: bool,
    },
    /// From elsewhere, or its source is not valid yet.
    Ignore,
}

/// The state of one incoming stream.
#[derive(Clone, Debug)]
pub struct Receiver {
    /// Ticks a second of its timestamps.
    clock: u32,
    /// Arrival times count from here.
    epoch: Instant,
    locked: Option<Source>,
    /// A source that may become the locked one.
    candidate: Option<Candidate>,
    /// Expected and received of sources that were locked before.
    before: (u64, u64),
    ignored: u64,
    /// Of the last report, for the fraction lost since (A.3).
    expected_prior: u64,
    received_prior: u64,
}

#[derive(Clone, Copy, Debug)]
struct Candidate {
    from: SocketAddr,
    ssrc: u32,
    next: u16,
    in_sequence: u8,
}

/// RFC 3550 A.1's `source`, by its names.
#[derive(Clone, Debug)]
struct Source {
    from: SocketAddr,
    ssrc: u32,
    heard_at: Instant,
    base_seq: u32,
    max_seq: u16,
    cycles: u32,
    bad_seq: Option<u16>,
    received: u64,
    /// A.8: the last packet's transit time and timestamp; jitter is scaled by 16.
    transit: u32,
    timestamp: u32,
    jitter: u32,
}

/// What a report block says of a stream (RFC 3550 §6.4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reception {
    /// Whose packets.
    pub ssrc: u32,
    /// 256ths of the packets since the last report.
    pub fraction_lost: u8,
    /// Since the source is heard, clamped to 24 bits with sign.
    pub lost: i32,
    /// Cycles in the upper, the highest sequence number in the lower 16 bits.
    pub highest: u32,
    /// In ticks of the stream's clock.
    pub jitter: u32,
}

impl Receiver {
    /// Nothing heard yet.
    pub fn new(now: Instant) -> Self {
        Self {
            clock: CLOCK,
            epoch: now,
            locked: None,
            candidate: None,
            before: (0, 0),
            ignored: 0,
            expected_prior: 0,
            received_prior: 0,
        }
    }

    /// Timestamps count by this many ticks a second from now on; [`CLOCK`] until said.
    pub fn set_clock(&mut self, clock: u32) {
        if self.clock != clock {
            self.clock = clock;
            // What was measured by another clock says nothing by this one.
            self.locked.iter_mut().for_each(|source| source.jitter = 0);
        }
    }

    /// A valid RTP packet from an address.
    pub fn handle_packet(&mut self, now: Instant, from: SocketAddr, header: &Header) -> Verdict {
        let arrival = ticks(now.saturating_duration_since(self.epoch), self.clock);
        if let Some(source) = &mut self.locked
            && source.from == from
            && source.ssrc == header.ssrc
        {
            if !source.update(now, arrival, self.clock, header) {
                self.ignored += 1;
                return Verdict::Ignore;
            }
            self.candidate = None;
            return Verdict::Accept { new_source: false };
        }
        let may_be_new = match &self.locked {
            None => true,
            // The far side may start another stream from the same address at any time (§8.2).
            Some(source) if source.from == from => true,
            Some(source) => now.saturating_duration_since(source.heard_at) >= RELOCK_SILENCE,
        };
        if !may_be_new || !self.is_proven(from, header) {
            self.ignored += 1;
            return Verdict::Ignore;
        }
        self.retire();
        self.locked = Some(Source::new(now, arrival, from, header));
        Verdict::Accept { new_source: true }
    }

    /// What is no RTP packet at all is counted.
    pub fn ignore(&mut self) {
        self.ignored += 1;
    }

    /// The far side said that it moved: packets from any address may be the first again.
    pub fn unlock(&mut self) {
        self.retire();
    }

    /// The address that is heard, and to be answered.
    pub fn source(&self) -> Option<SocketAddr> {
        self.locked.as_ref().map(|source| source.from)
    }

    /// When the last packet was accepted.
    pub fn heard_at(&self) -> Option<Instant> {
        self.locked.as_ref().map(|source| source.heard_at)
    }

    /// Packets accepted, of all sources.
    pub fn received(&self) -> u64 {
        self.before.1 + self.locked.as_ref().map_or(0, |source| source.received)
    }

    /// A.3: expected less received, of all sources; negative when packets came twice.
    pub fn lost(&self) -> i64 {
        let expected = self.before.0 + self.locked.as_ref().map_or(0, Source::expected);
        expected as i64 - self.received() as i64
    }

    /// Packets that were not accepted.
    pub fn ignored(&self) -> u64 {
        self.ignored
    }

    /// A.8, of the source that is heard.
    pub fn jitter(&self) -> Duration {
        let ticks = self.locked.as_ref().map_or(0, |source| source.jitter >> 4);
        Duration::from_micros(u64::from(ticks) * 1_000_000 / u64::from(self.clock))
    }

    /// The report on what was heard, and the start of the next interval (A.3). None when nothing was
    /// heard since the last.
    pub fn report(&mut self) -> Option<Reception> {
        let source = self.locked.as_ref()?;
        let (expected, received) = (source.expected(), source.received);
        let (expected_since, received_since) =
            (expected.saturating_sub(self.expected_prior), received.saturating_sub(self.received_prior));
        if received_since == 0 {
            return None;
        }
        (self.expected_prior, self.received_prior) = (expected, received);
        let lost_since = expected_since.saturating_sub(received_since);
        Some(Reception {
            ssrc: source.ssrc,
            // Below 256, since something was received.
            fraction_lost: (lost_since << 8).checked_div(expected_since).unwrap_or(0).min(255) as u8,
            lost: (expected as i64 - received as i64).clamp(-0x80_0000, 0x7f_ffff) as i32,
            highest: source.cycles.wrapping_add(u32::from(source.max_seq)),
            jitter: source.jitter >> 4,
        })
    }

    /// A.1's probation: so many packets in sequence, from one address with one SSRC.
    fn is_proven(&mut self, from: SocketAddr, header: &Header) -> bool {
        let next = header.sequence.wrapping_add(1);
        let in_sequence = match self.candidate {
            Some(known)
                if known.from == from && known.ssrc == header.ssrc && known.next == header.sequence =>
            {
                known.in_sequence + 1
            }
            _ => 1,
        };
        self.candidate = Some(Candidate { from, ssrc: header.ssrc, next, in_sequence });
        in_sequence >= MIN_SEQUENTIAL
    }

    fn retire(&mut self) {
        if let Some(source) = self.locked.take() {
            self.before.0 += source.expected();
            self.before.1 += source.received;
        }
        self.candidate = None;
        (self.expected_prior, self.received_prior) = (0, 0);
    }
}

impl Source {
    fn new(now: Instant, arrival: u32, from: SocketAddr, header: &Header) -> Self {
        Self {
            from,
            ssrc: header.ssrc,
            heard_at: now,
            base_seq: u32::from(header.sequence),
            max_seq: header.sequence,
            cycles: 0,
            bad_seq: None,
            received: 1,
            transit: arrival.wrapping_sub(header.timestamp),
            timestamp: header.timestamp,
            jitter: 0,
        }
    }

    /// A.1's `update_seq`, for a source past its probation. False when the packet is to be ignored.
    fn update(&mut self, now: Instant, arrival: u32, clock: u32, header: &Header) -> bool {
        let sequence = header.sequence;
        let ahead = sequence.wrapping_sub(self.max_seq);
        if ahead < MAX_DROPOUT {
            if sequence < self.max_seq {
                self.cycles = self.cycles.wrapping_add(1 << 16);
            }
            self.max_seq = sequence;
        } else if ahead <= 0u16.wrapping_sub(MAX_MISORDER) {
            if self.bad_seq != Some(sequence) {
                self.bad_seq = Some(sequence.wrapping_add(1));
                return false;
            }
            // Two in sequence: the far side restarted without saying so. What was lost before stays.
            let lost = self.expected().saturating_sub(self.received);
            self.base_seq = u32::from(sequence).wrapping_sub((self.received + lost) as u32);
            self.max_seq = sequence;
            self.cycles = 0;
        }
        self.bad_seq = None;
        self.received += 1;
        self.heard_at = now;
        self.update_jitter(arrival, clock, header.timestamp);
        true
    }

    /// A.8. Packets of one event share a timestamp (RFC 4733 §2.2.1) and say nothing of the network.
    fn update_jitter(&mut self, arrival: u32, clock: u32, timestamp: u32) {
        if timestamp == self.timestamp {
            return;
        }
        let transit = arrival.wrapping_sub(timestamp);
        let difference = (transit.wrapping_sub(self.transit) as i32).unsigned_abs();
        self.transit = transit;
        self.timestamp = timestamp;
        // A jump of the clock by more than a second is no jitter.
        if difference < clock {
            self.jitter = self.jitter + difference - ((self.jitter + 8) >> 4);
        }
    }

    fn expected(&self) -> u64 {
        let highest = self.cycles.wrapping_add(u32::from(self.max_seq));
        u64::from(highest.wrapping_sub(self.base_seq)) + 1
    }
}

#[cfg(test)]
mod tests {
    use super::Verdict::{Accept, Ignore};
    use super::*;

    const OLD: Verdict = Accept { new_source: false };
    const NEW: Verdict = Accept { new_source: true };

    struct Line {
        start: Instant,
        receiver: Receiver,
    }

    impl Line {
        fn new() -> Self {
            let start = Instant::now();
            Self { start, receiver: Receiver::new(start) }
        }

        /// A packet from 192.0.2.`host` at so many ms, with a timestamp that fits its number.
        fn hears(&mut self, ms: u64, host: u8, ssrc: u32, sequence: u16) -> Verdict {
            let header = Header {
                marker: false,
                payload_type: 0,
                sequence,
                timestamp: u32::from(sequence).wrapping_mul(160),
                ssrc,
            };
            let from = SocketAddr::from(([192, 0, 2, host], 4000));
            self.receiver.handle_packet(self.start + Duration::from_millis(ms), from, &header)
        }
    }

    #[test]
    fn rfc3550_a_1_a_source_is_valid_after_two_packets_in_sequence() {
        let mut line = Line::new();
        assert_eq!(line.hears(0, 1, 9, 100), Ignore);
        assert_eq!(line.hears(20, 1, 9, 102), Ignore);
        assert_eq!(line.hears(40, 1, 9, 103), NEW);
        assert_eq!(line.hears(60, 1, 9, 104), OLD);
        assert_eq!(line.receiver.source(), Some("192.0.2.1:4000".parse().unwrap()));
    }

    #[test]
    fn a_locked_source_is_the_only_one_heard_until_it_is_silent() {
        let mut line = Line::new();
        for (ms, host, seq, verdict) in [
            (0, 1, 1, Ignore),
            (20, 1, 2, NEW),
            (30, 66, 1, Ignore),
            (50, 66, 2, Ignore),
            (70, 66, 3, Ignore),
            // 2 s after the last of the locked source another may prove itself.
            (2_019, 66, 4, Ignore),
            (2_030, 2, 500, Ignore),
            (2_050, 2, 501, NEW),
            (2_060, 1, 3, Ignore),
        ] {
            assert_eq!(line.hears(ms, host, 9, seq), verdict, "at {ms}");
        }
        assert_eq!(line.receiver.source(), Some("192.0.2.2:4000".parse().unwrap()));
        assert_eq!(line.receiver.ignored(), 7);
    }

    #[test]
    fn two_strangers_in_turns_never_prove_themselves() {
        let mut line = Line::new();
        for turn in 0..10 {
            assert_eq!(line.hears(0, 1, 9, turn), Ignore);
            assert_eq!(line.hears(0, 2, 9, turn), Ignore);
        }
    }

    #[test]
    fn rfc3550_8_2_another_ssrc_from_the_same_address_is_a_new_source() {
        let mut line = Line::new();
        line.hears(0, 1, 9, 1);
        assert_eq!(line.hears(20, 1, 9, 2), NEW);
        assert_eq!(line.hears(40, 1, 10, 7000), Ignore);
        assert_eq!(line.hears(60, 1, 10, 7001), NEW);
        assert_eq!(line.hears(80, 1, 10, 7002), OLD);
        assert_eq!(line.receiver.received(), 3);
        assert_eq!(line.receiver.lost(), 0);
    }

    #[test]
    fn after_unlock_the_new_address_is_heard_at_once() {
        let mut line = Line::new();
        line.hears(0, 1, 9, 1);
        line.hears(20, 1, 9, 2);
        line.receiver.unlock();
        assert_eq!(line.hears(40, 2, 9, 3), Ignore);
        assert_eq!(line.hears(60, 2, 9, 4), NEW);
    }

    #[test]
    fn rfc3550_a_1_sequence_numbers_wrap_and_a_3_losses_are_counted() {
        let mut line = Line::new();
        for seq in [65_532, 65_533, 65_534, 65_535, 0, 1, 3, 2, 5] {
            line.hears(0, 1, 9, seq);
        }
        // The first was spent on the probation; 4 is missing.
        assert_eq!((line.receiver.received(), line.receiver.lost()), (8, 1));
        let report = line.receiver.report().unwrap();
        assert_eq!(
            (report.highest, report.lost, report.fraction_lost),
            ((1 << 16) | 5, 1, 256u32.div_euclid(9) as u8)
        );
        assert_eq!(line.receiver.report(), None, "nothing was heard since");
    }

    #[test]
    fn rfc3550_a_1_a_big_jump_counts_only_when_the_next_follows_it() {
        let mut line = Line::new();
        line.hears(0, 1, 9, 1);
        line.hears(0, 1, 9, 2);
        assert_eq!(line.hears(0, 1, 9, 30_000), Ignore);
        assert_eq!(line.hears(0, 1, 9, 3), OLD);
        assert_eq!(line.hears(0, 1, 9, 40_000), Ignore);
        assert_eq!(line.hears(0, 1, 9, 40_001), OLD);
        assert_eq!(line.receiver.lost(), 0);
    }

    /// Packets 20 ms apart that arrive 20 ms apart have no jitter; with every second 8 ms late the
    /// estimate goes to 8 ms (64 ticks).
    #[test]
    fn rfc3550_a_8_jitter() {
        let mut line = Line::new();
        for n in 0..100u16 {
            line.hears(u64::from(n) * 20, 1, 9, n);
        }
        assert_eq!(line.receiver.jitter(), Duration::ZERO);
        for n in 100..400u16 {
            line.hears(u64::from(n) * 20 + if n % 2 == 0 { 8 } else { 0 }, 1, 9, n);
        }
        let jitter = line.receiver.jitter();
        assert!((7_000..=8_000).contains(&jitter.as_micros()), "{jitter:?}");
    }
}
