//! Several streams heard as one: 20 ms of each, added up. Every source has a short buffer of its own,
//! placed by the RTP timestamps, since its packets come by its clock and ours leave by the wheel's. The
//! buffer starts with one frame to spare, gains a frame when a packet comes too late, and sheds a
//! little when it has had too much for a while, so that it follows jitter and drift (RFC 3550 §6.4.1
//! measures them; this needs no measure but what is left in the buffer). Where a source has nothing it
//! is silent. No concealment of lost packets, no levelling: sums that are too loud are cut.

use protocol::rtp::FRAME;

use crate::command::StreamId;

/// Samples a source may be ahead of what is heard; a packet beyond starts its buffer anew.
const RING: usize = 8 * FRAME;
/// Frames after which a buffer that is too full sheds: ten seconds. Clocks differ by far less in
/// that time than [`SHED`].
const WATCH: u32 = 500;
/// A buffer that never had less than this left, for as long as [`WATCH`], is too full.
const PLENTY: i32 = FRAME as i32 * 3 / 2;
/// Samples that are left out then: 5 ms, so that it is a click at most.
const SHED: usize = FRAME / 4;

/// What one stream hears of others.
#[derive(Debug)]
pub(crate) struct Mixer {
    sources: Vec<Source>,
}

#[derive(Debug)]
struct Source {
    id: StreamId,
    /// None until its first packet.
    ssrc: Option<u32>,
    /// The timestamp of the sample that is heard next.
    next: u32,
    /// Where that sample is in `ring`.
    at: usize,
    /// The timestamp after the newest sample.
    end: u32,
    /// Silence where nothing came.
    ring: Box<[i16; RING]>,
    /// The least that was left after a frame, since `watched` frames.
    least: i32,
    watched: u32,
}

impl Mixer {
    /// The sources from here on; those that were there already go on without a break.
    pub fn set_sources(&mut self, ids: &[StreamId]) {
        self.sources.retain(|source| ids.contains(&source.id));
        for id in ids {
            if !self.sources.iter().any(|source| source.id == *id) {
                self.sources.push(Source::new(*id));
            }
        }
    }

    pub fn new(ids: &[StreamId]) -> Self {
        Self { sources: ids.iter().map(|id| Source::new(*id)).collect() }
    }

    pub fn sources(&self) -> impl Iterator<Item = StreamId> {
        self.sources.iter().map(|source| source.id)
    }

    /// A packet's samples, by its source's SSRC and timestamp.
    pub fn handle_packet(
        &mut self,
        from: StreamId,
        ssrc: u32,
        timestamp: u32,
        samples: impl ExactSizeIterator<Item = i16>,
    ) {
        if let Some(source) = self.sources.iter_mut().find(|source| source.id == from) {
            source.handle_packet(ssrc, timestamp, samples);
        }
    }

    /// The next 20 ms of all.
    pub fn next(&mut self) -> [i16; FRAME] {
        let mut sum = [0i32; FRAME];
        self.sources.iter_mut().for_each(|source| source.add_frame(&mut sum));
        sum.map(|sample| sample.clamp(i32::from(i16::MIN), i32::from(i16::MAX)) as i16)
    }
}

impl Source {
    fn new(id: StreamId) -> Self {
        let ring = Box::new([0; RING]);
        Self { id, ssrc: None, next: 0, at: 0, end: 0, ring, least: i32::MAX, watched: 0 }
    }

    fn handle_packet(&mut self, ssrc: u32, timestamp: u32, samples: impl ExactSizeIterator<Item = i16>) {
        let count = samples.len().min(RING - FRAME) as i32;
        let ahead = |from: u32| timestamp.wrapping_sub(from) as i32;
        let reach = ahead(self.next);
        if self.ssrc != Some(ssrc) || reach < -(RING as i32) || reach > RING as i32 - count {
            self.begin(ssrc, timestamp);
        } else if reach < 0 && self.left() <= (RING - 2 * FRAME) as i32 {
            // Too late to be heard at its time: from here on everything of this source is heard later.
            self.next = self.next.wrapping_sub(FRAME as u32);
            self.at = (self.at + RING - FRAME) % RING;
            self.least = i32::MAX;
            self.watched = 0;
        }
        let reach = ahead(self.next);
        for (n, sample) in samples.take(count as usize).enumerate() {
            // What is still too late is left out.
            if let Ok(offset) = usize::try_from(reach + n as i32) {
                self.ring[(self.at + offset) % RING] = sample;
            }
        }
        let end = timestamp.wrapping_add(count as u32);
        if end.wrapping_sub(self.end) as i32 > 0 {
            self.end = end;
        }
    }

    /// With a frame to spare before this packet.
    fn begin(&mut self, ssrc: u32, timestamp: u32) {
        self.ring.fill(0);
        self.ssrc = Some(ssrc);
        self.next = timestamp.wrapping_sub(FRAME as u32);
        self.end = timestamp;
        self.least = i32::MAX;
        self.watched = 0;
    }

    /// Samples that wait; less than none when the source is late.
    fn left(&self) -> i32 {
        self.end.wrapping_sub(self.next) as i32
    }

    fn add_frame(&mut self, sum: &mut [i32; FRAME]) {
        if self.ssrc.is_none() {
            return;
        }
        for sample in sum {
            *sample += i32::from(std::mem::take(&mut self.ring[self.at]));
            self.at = (self.at + 1) % RING;
        }
        self.next = self.next.wrapping_add(FRAME as u32);
        self.least = self.least.min(self.left());
        self.watched += 1;
        if self.watched >= WATCH {
            if self.least > PLENTY {
                for _ in 0..SHED {
                    self.ring[self.at] = 0;
                    self.at = (self.at + 1) % RING;
                }
                self.next = self.next.wrapping_add(SHED as u32);
            }
            self.least = i32::MAX;
            self.watched = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANA: StreamId = StreamId { slot: 1, turn: 1 };
    const BORIS: StreamId = StreamId { slot: 2, turn: 1 };

    fn packet(mixer: &mut Mixer, from: StreamId, timestamp: u32, sample: i16) {
        mixer.handle_packet(from, from.slot, timestamp, [sample; FRAME].into_iter());
    }

    /// The sample of a frame that has one value throughout.
    fn even(frame: [i16; FRAME]) -> i16 {
        assert!(frame.iter().all(|sample| *sample == frame[0]), "{frame:?}");
        frame[0]
    }

    #[test]
    fn two_voices_add_up_and_too_loud_a_sum_is_cut_instead_of_turning_over() {
        let mut mixer = Mixer::new(&[ANA, BORIS]);
        assert_eq!(even(mixer.next()), 0, "nobody was heard yet");
        let mut heard = Vec::new();
        for (n, (ana, boris)) in [(100, 20), (30_000, 30_000), (-30_000, -30_000)].into_iter().enumerate() {
            packet(&mut mixer, ANA, n as u32 * 160, ana);
            // Its timestamps have nothing to do with the other's, and turn over on the way.
            packet(&mut mixer, BORIS, 0xffff_ff60u32.wrapping_add(n as u32 * 160), boris);
            heard.push(even(mixer.next()));
        }
        heard.push(even(mixer.next()));
        assert_eq!(heard, [0, 120, 32_767, -32_768], "each a frame later");
        assert_eq!(even(mixer.next()), 0, "silence where a source is late");
    }

    #[test]
    fn a_source_that_is_taken_away_is_silent_and_the_other_goes_on_without_a_break() {
        let mut mixer = Mixer::new(&[ANA, BORIS]);
        for n in 0..3 {
            packet(&mut mixer, ANA, n * 160, 100);
            packet(&mut mixer, BORIS, n * 160, 20);
            mixer.next();
        }
        mixer.set_sources(&[BORIS]);
        assert_eq!(even(mixer.next()), 20);
        packet(&mut mixer, ANA, 480, 100);
        packet(&mut mixer, BORIS, 480, 20);
        mixer.set_sources(&[BORIS, ANA]);
        packet(&mut mixer, ANA, 640, 100);
        assert_eq!(even(mixer.next()), 20, "whoever comes has a frame to spare first");
    }

    #[test]
    fn a_packet_that_comes_late_is_heard_and_from_then_on_there_is_time_for_others_like_it() {
        let mut mixer = Mixer::new(&[ANA]);
        packet(&mut mixer, ANA, 0, 1);
        assert_eq!(even(mixer.next()), 0);
        assert_eq!(even(mixer.next()), 1);
        // The second packet is more than a frame late, then they come in time again.
        assert_eq!(even(mixer.next()), 0);
        let mut heard = Vec::new();
        for n in 1..6 {
            packet(&mut mixer, ANA, n * 160, n as i16 + 1);
            heard.push(even(mixer.next()));
        }
        assert_eq!(heard, [2, 3, 4, 5, 6]);
        // One that is a frame late now is heard at its time.
        packet(&mut mixer, ANA, 7 * 160, 8);
        packet(&mut mixer, ANA, 6 * 160, 7);
        assert_eq!([even(mixer.next()), even(mixer.next())], [7, 8]);
    }

    /// What a source's buffer holds at most and at least over an hour, and how often it was empty.
    fn hour(clock_ppm: i64) -> (i32, i32, u32) {
        let mut mixer = Mixer::new(&[ANA]);
        let (mut timestamp, mut most, mut least, mut gaps) = (0u32, 0, i32::MAX, 0);
        let mut due = 0i64; // microseconds on our clock
        for frame in 0..180_000i64 {
            while due <= frame * 20_000 {
                packet(&mut mixer, ANA, timestamp, 1);
                timestamp = timestamp.wrapping_add(160);
                due += 20_000 - 20_000 * clock_ppm / 1_000_000;
            }
            gaps += u32::from(mixer.next().contains(&0));
            let left = mixer.sources[0].left();
            (most, least) = (most.max(left), least.min(left));
        }
        (most, least, gaps)
    }

    #[test]
    fn an_hour_with_a_clock_that_is_fast_or_slow_by_a_ten_thousandth_keeps_the_delay_short() {
        for ppm in [-100, 0, 100] {
            let (most, least, gaps) = hour(ppm);
            // 0.36 s of drift; a gap is one frame, and frames make up for it.
            assert!(most <= 3 * FRAME as i32, "{ppm}: {most}");
            assert!(least >= -(FRAME as i32), "{ppm}: {least}");
            assert!(gaps <= 1 + 19 + 18, "{ppm}: {gaps} gaps");
        }
    }

    #[test]
    fn a_source_that_starts_anew_or_leaps_is_followed_and_a_burst_stays_bounded() {
        let mut mixer = Mixer::new(&[ANA]);
        for n in 0..3 {
            packet(&mut mixer, ANA, n * 160, 1);
            mixer.next();
        }
        for n in 0..3 {
            mixer.handle_packet(ANA, 77, 1_000_000 + n * 160, [2; FRAME].into_iter());
            let heard = even(mixer.next());
            assert_eq!(heard, if n == 0 { 0 } else { 2 }, "another SSRC");
        }
        for n in 0..3 {
            mixer.handle_packet(ANA, 77, 9_000_000 + n * 160, [3; FRAME].into_iter());
            let heard = even(mixer.next());
            assert_eq!(heard, if n == 0 { 0 } else { 3 }, "a leap of the timestamp");
        }
        for n in 3..200 {
            mixer.handle_packet(ANA, 77, 9_000_000 + n * 160, [4; FRAME].into_iter());
            assert!(mixer.sources[0].left() <= RING as i32);
        }
        // Packets of any length, and of none.
        mixer.handle_packet(ANA, 77, 9_000_000 + 200 * 160, [5; 0].into_iter());
        mixer.handle_packet(ANA, 77, 9_000_000 + 200 * 160, vec![5; 100_000].into_iter());
        mixer.next();
    }
}
