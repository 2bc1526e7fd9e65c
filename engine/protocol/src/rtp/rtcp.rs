//! RTCP between two parties (RFC 3550 §6): a sender or receiver report with SDES every five seconds
//! or so, a BYE at the end, and what the far side reports of us. Bandwidth shares of conferences and
//! extended reports are left out.

use std::time::{Duration, Instant};

use rtcp_types::{
    Bye, Compound, Packet, ReceiverReport, ReportBlock, RtcpPacketWriterExt, Sdes, SdesChunk, SdesItem,
    SenderReport,
};

use super::receiver::{Receiver, Reception};
use super::sender::Sender;

/// RFC 3550 §6.2: the least time between two reports, before it is spread by chance.
pub const INTERVAL: Duration = Duration::from_secs(5);

/// More than any report of ours needs.
pub const MAX_BYTES: usize = 256;

/// Seconds from 1900 (NTP) to 1970.
const NTP_EPOCH: u64 = 2_208_988_800;

/// What the far side said of us last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HeardThere {
    /// 256ths of our packets since its report before.
    pub fraction_lost: u8,
    /// Of all our packets; negative when some came twice.
    pub lost: i32,
    /// In ticks of our stream's clock.
    pub jitter: u32,
    /// From our report to its report and back, less the time it lay there.
    pub round_trip: Option<Duration>,
}

/// The bytes are no compound RTCP packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotRtcp;

/// When to report, and what was reported to us.
#[derive(Clone, Debug)]
pub struct Reporter {
    next: Instant,
    chance: u64,
    /// The middle 32 bits of the far side's last NTP time, and when it came.
    last_report: Option<(u32, Instant)>,
    sent_packets: u32,
    heard: HeardThere,
    bye: bool,
}

impl Reporter {
    /// `chance`: any number, spreads the reports.
    pub fn new(now: Instant, chance: u64) -> Self {
        let mut reporter = Self {
            next: now,
            chance: chance | 1,
            last_report: None,
            sent_packets: 0,
            heard: HeardThere::default(),
            bye: false,
        };
        // RFC 3550 §6.2: the first comes after half the interval.
        reporter.next = now + reporter.interval() / 2;
        reporter
    }

    /// When the next report is due.
    pub fn next_timeout(&self) -> Instant {
        self.next
    }

    /// What the far side reports of us.
    pub fn heard_there(&self) -> HeardThere {
        self.heard
    }

    /// Whether the far side said BYE.
    pub fn is_over(&self) -> bool {
        self.bye
    }

    /// Writes a report when it is due, and answers its length. `wall`: since 1970.
    pub fn handle_timeout(
        &mut self,
        now: Instant,
        wall: Duration,
        sender: &Sender,
        receiver: &mut Receiver,
        out: &mut [u8; MAX_BYTES],
    ) -> Option<usize> {
        if now < self.next {
            return None;
        }
        self.next = now + self.interval();
        Some(self.write(now, wall, sender, receiver, false, out))
    }

    /// Writes the last report, with a BYE (RFC 3550 §6.6).
    pub fn write_bye(
        &mut self,
        now: Instant,
        wall: Duration,
        sender: &Sender,
        receiver: &mut Receiver,
        out: &mut [u8; MAX_BYTES],
    ) -> usize {
        self.write(now, wall, sender, receiver, true, out)
    }

    /// Reads what came on the RTCP port. `ssrc`: ours.
    pub fn handle_packet(
        &mut self,
        now: Instant,
        wall: Duration,
        ssrc: u32,
        bytes: &[u8],
    ) -> Result<(), NotRtcp> {
        let compound = Compound::parse(bytes).map_err(|_| NotRtcp)?;
        for packet in compound {
            match packet.map_err(|_| NotRtcp)? {
                Packet::Sr(report) => {
                    self.last_report = Some(((report.ntp_timestamp() >> 16) as u32, now));
                    report.report_blocks().for_each(|block| self.handle_block(wall, ssrc, &block));
                }
                Packet::Rr(report) => {
                    report.report_blocks().for_each(|block| self.handle_block(wall, ssrc, &block))
                }
                Packet::Bye(_) => self.bye = true,
                _ => {}
            }
        }
        Ok(())
    }

    fn handle_block(&mut self, wall: Duration, ssrc: u32, block: &ReportBlock<'_>) {
        if block.ssrc() != ssrc {
            return;
        }
        // RFC 3550 §6.4.1: arrival - LSR - DLSR, in 65,536ths of a second.
        let last = block.last_sender_report_timestamp();
        let trip = ((ntp(wall) >> 16) as u32)
            .wrapping_sub(last)
            .wrapping_sub(block.delay_since_last_sender_report_timestamp());
        let round_trip = (last != 0 && trip < 60 << 16)
            .then(|| Duration::from_micros((u64::from(trip) * 1_000_000) >> 16));
        self.heard = HeardThere {
            fraction_lost: block.fraction_lost(),
            // 24 bits with sign.
            lost: (block.cumulative_lost() << 8) as i32 >> 8,
            jitter: block.interarrival_jitter(),
            round_trip,
        };
    }

    fn write(
        &mut self,
        now: Instant,
        wall: Duration,
        sender: &Sender,
        receiver: &mut Receiver,
        bye: bool,
        out: &mut [u8; MAX_BYTES],
    ) -> usize {
        let block = receiver.report().map(|reception| self.block(now, &reception));
        // RFC 7022 §4.2: a name made by chance, here the SSRC that is.
        let name = format!("{:08x}@strowger", sender.ssrc());
        let mut compound = Compound::builder();
        // RFC 3550 §6.4: a sender report if anything was sent since the last report.
        if sender.packets() != self.sent_packets {
            self.sent_packets = sender.packets();
            let report = SenderReport::builder(sender.ssrc())
                .ntp_timestamp(ntp(wall))
                .rtp_timestamp(sender.timestamp_at(now))
                .packet_count(sender.packets())
                .octet_count(sender.octets());
            compound = match block {
                Some(block) => compound.add_packet(report.add_report_block(block)),
                None => compound.add_packet(report),
            };
        } else {
            let report = ReceiverReport::builder(sender.ssrc());
            compound = match block {
                Some(block) => compound.add_packet(report.add_report_block(block)),
                None => compound.add_packet(report),
            };
        }
        let cname = SdesItem::builder(SdesItem::CNAME, &name);
        compound =
            compound.add_packet(Sdes::builder().add_chunk(SdesChunk::builder(sender.ssrc()).add_item(cname)));
        if bye {
            compound = compound.add_packet(Bye::builder().add_source(sender.ssrc()));
        }
        compound.write_into(out).expect("one report, one name and a BYE fit in MAX_BYTES")
    }

    fn block(&self, now: Instant, reception: &Reception) -> rtcp_types::ReportBlockBuilder {
        let (last, delay) = self.last_report.map_or((0, 0), |(last, at)| {
            let since = now.saturating_duration_since(at).min(Duration::from_secs(65_535));
            (last, ((since.as_micros() << 16) / 1_000_000) as u32)
        });
        ReportBlock::builder(reception.ssrc)
            .fraction_lost(reception.fraction_lost)
            .cumulative_lost(reception.lost as u32 & 0xff_ffff)
            .extended_sequence_number(reception.highest)
            .interarrival_jitter(reception.jitter)
            .last_sender_report_timestamp(last)
            .delay_since_last_sender_report_timestamp(delay)
    }

    /// RFC 3550 §6.3.1: spread over half to one and a half of the interval, by xorshift.
    fn interval(&mut self) -> Duration {
        self.chance ^= self.chance << 13;
        self.chance ^= self.chance >> 7;
        self.chance ^= self.chance << 17;
        INTERVAL / 2 + INTERVAL.mul_f64((self.chance >> 40) as f64 / (1u64 << 24) as f64)
    }
}

/// RFC 3550 §4: seconds since 1900 in the upper, the fraction in the lower 32 bits.
fn ntp(wall: Duration) -> u64 {
    let seconds = wall.as_secs().wrapping_add(NTP_EPOCH);
    (seconds << 32) | ((u64::from(wall.subsec_nanos()) << 32) / 1_000_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rtp::wire::Header;

    const WALL: Duration = Duration::from_secs(1_700_000_000);

    fn header(sequence: u16) -> Header {
        Header {
            marker: false,
            payload_type: 0,
            sequence,
            timestamp: u32::from(sequence) * 160,
            ssrc: 0xabcd,
        }
    }

    /// Two parties: `a` sends, `b` loses a quarter, `a` learns of it and of the way there and back.
    #[test]
    fn rfc3550_6_4_reports_go_there_and_back() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let wall = |ms| WALL + Duration::from_millis(ms);
        let mut out = [0; MAX_BYTES];

        let mut a = (Sender::new(0xabcd, 0, 0), Receiver::new(start), Reporter::new(start, 5));
        let mut b = (Sender::new(0xef01, 0, 0), Receiver::new(start), Reporter::new(start, 6));
        for n in 0..40u16 {
            a.0.next(at(u64::from(n) * 20), 0, 160);
            if n < 2 || n % 4 != 0 {
                b.1.handle_packet(at(u64::from(n) * 20), "192.0.2.1:9".parse().unwrap(), &header(n));
            }
        }

        let length = a.2.handle_timeout(at(10_000), wall(10_000), &a.0, &mut a.1, &mut out).unwrap();
        assert_eq!(out[..2], [0x80, 200], "a sender report without blocks");
        assert_eq!(out[8..12], (1_700_000_010u32.wrapping_add(2_208_988_800)).to_be_bytes());
        assert_eq!(out[20..28], [0, 0, 0, 40, 0, 0, 0x19, 0], "40 packets, 6400 octets");
        b.2.handle_packet(at(10_030), wall(10_030), 0xef01, &out[..length]).unwrap();

        let length = b.2.handle_timeout(at(12_030), wall(12_030), &b.0, &mut b.1, &mut out).unwrap();
        assert_eq!(out[..2], [0x81, 201], "a receiver report with a block");
        a.2.handle_packet(at(12_060), wall(12_060), 0xabcd, &out[..length]).unwrap();
        let heard = a.2.heard_there();
        assert_eq!(heard.lost, 9);
        assert_eq!(heard.fraction_lost, (9u32 * 256 / 39) as u8);
        let trip = heard.round_trip.unwrap().as_millis();
        assert!((58..=62).contains(&trip), "{trip}");
    }

    #[test]
    fn rfc3550_6_2_reports_are_due_after_half_to_one_and_a_half_intervals() {
        let start = Instant::now();
        let (sender, mut receiver) = (Sender::new(1, 0, 0), Receiver::new(start));
        let mut reporter = Reporter::new(start, 77);
        let mut out = [0; MAX_BYTES];
        let mut before = start;
        for turn in 0..50 {
            let due = reporter.next_timeout();
            let millis = (due - before).as_millis();
            assert!(if turn == 0 { 1_250..=3_750 } else { 2_500..=7_500 }.contains(&millis), "{millis}");
            assert_eq!(
                reporter.handle_timeout(
                    due - Duration::from_millis(1),
                    WALL,
                    &sender,
                    &mut receiver,
                    &mut out
                ),
                None
            );
            assert!(reporter.handle_timeout(due, WALL, &sender, &mut receiver, &mut out).is_some());
            before = due;
        }
    }

    #[test]
    fn rfc3550_6_6_bye_ends() {
        let start = Instant::now();
        let (sender, mut receiver) = (Sender::new(0x01020304, 0, 0), Receiver::new(start));
        let mut reporter = Reporter::new(start, 3);
        let mut out = [0; MAX_BYTES];
        let length = reporter.write_bye(start, WALL, &sender, &mut receiver, &mut out);
        assert_eq!(out[length - 8..length], [0x81, 203, 0, 1, 1, 2, 3, 4]);
        let mut other = Reporter::new(start, 4);
        other.handle_packet(start, WALL, 5, &out[..length]).unwrap();
        assert!(other.is_over());
    }

    #[test]
    fn rfc3550_a_2_what_is_no_compound_packet_is_refused() {
        let now = Instant::now();
        let mut reporter = Reporter::new(now, 3);
        for bytes in
            [&[][..], &[0x80], &[0x80, 200, 0, 9, 1, 2, 3, 4], &[0x40, 201, 0, 1, 0, 0, 0, 1], &[0xff; 40]]
        {
            assert_eq!(reporter.handle_packet(now, WALL, 1, bytes), Err(NotRtcp), "{bytes:?}");
        }
    }
}
