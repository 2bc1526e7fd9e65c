//! What one leg says, decoded for whoever mixes, transcodes, records or listens to it: its jitter buffer, its
//! decoder, what is made up for what is lost, comfort noise between talk-spurts, and the same 20 ms at the rates
//! that its listeners want. It is there as long as someone listens; a leg that is only passed on has none.

use std::time::Instant;

use protocol::rtp::comfort::ComfortNoise;
use protocol::rtp::conceal::{Concealer, shorten};
use protocol::rtp::jitter::{Due, JitterBuffer};
use protocol::rtp::resample::Resampler;
use protocol::rtp::{FRAME, Header, Rate};
use protocol::sdp::{Codec, Negotiated};

use crate::codec::Decoder;

#[derive(Debug)]
pub(crate) struct Decoding {
    codec: Codec,
    rate: Rate,
    jitter: JitterBuffer,
    /// None where there was no memory: silence.
    decoder: Option<Decoder>,
    concealer: Concealer,
    noise: Option<ComfortNoise>,
    /// The sender falls silent by DTX; its decoder knows the noise of the room.
    in_dtx: bool,
    /// Decoded and not yet heard.
    ready: Vec<i16>,
    /// The 20 ms that are heard now, at each rate that was asked for.
    bands: [Option<Band>; 3],
    /// Of 8 kHz, since it began: where in a recording the 20 ms belong.
    played: u32,
    /// Frames made up for packets that did not come in time.
    pub concealed: u64,
}

#[derive(Debug)]
struct Band {
    resampler: Resampler,
    frame: Vec<i16>,
    is_made: bool,
}

impl Decoding {
    pub fn new(now: Instant, agreed: &Negotiated) -> Self {
        let (codec, rate) = (agreed.codec, agreed.rate());
        Self {
            codec,
            rate,
            jitter: JitterBuffer::new(now, codec.clock()),
            decoder: Decoder::new(codec, rate),
            concealer: Concealer::new(rate),
            noise: None,
            in_dtx: false,
            ready: Vec::new(),
            bands: [None, None, None],
            played: 0,
            concealed: 0,
        }
    }

    /// Whether it is for what was agreed.
    pub fn is_for(&self, agreed: &Negotiated) -> bool {
        (self.codec, self.rate) == (agreed.codec, agreed.rate())
    }

    /// A packet of sound.
    pub fn put(&mut self, now: Instant, header: &Header, payload: &[u8]) {
        if let Some(ticks) = Decoder::ticks(self.codec, payload) {
            self.jitter.put(now, header, payload, ticks, false);
        }
    }

    /// A packet of comfort noise (RFC 3389).
    pub fn put_comfort(&mut self, now: Instant, header: &Header, payload: &[u8]) {
        self.jitter.put(now, header, payload, 0, true);
    }

    /// Packets that came too late to be heard.
    pub fn late(&self) -> u64 {
        self.jitter.late()
    }

    /// 20 ms pass: what is heard in them is asked for by [`Decoding::at`].
    pub fn next(&mut self, now: Instant) {
        let frame = self.rate.frame();
        let shortens = self.jitter.holds_too_much(now);
        // Two frames can be shortened; one is heard.
        let wanted = if shortens { 2 * frame } else { frame };
        while self.ready.len() < wanted {
            self.step(now);
        }
        if shortens {
            shorten(&mut self.ready, self.rate);
        }
        while self.ready.len() < frame {
            self.step(now);
        }
        self.played = self.played.wrapping_add(FRAME as u32);
        self.bands.iter_mut().flatten().for_each(|band| band.is_made = false);
        let own = self.band(self.rate);
        own.is_made = true;
        own.frame.clear();
        let mut heard = std::mem::take(&mut self.bands[self.rate as usize]);
        if let Some(band) = &mut heard {
            band.frame.extend(self.ready.drain(..frame));
        }
        self.bands[self.rate as usize] = heard;
    }

    /// The 20 ms that are heard now, at a rate.
    pub fn at(&mut self, rate: Rate) -> &[i16] {
        if rate != self.rate {
            let own = self.bands[self.rate as usize].take();
            let band = self.band(rate);
            if let Some(own) = own.as_ref().filter(|_| !band.is_made) {
                band.resampler.resample(&own.frame, &mut band.frame);
                band.is_made = true;
            }
            self.bands[self.rate as usize] = own;
        }
        self.bands[rate as usize].as_ref().map_or(&[], |band| &band.frame)
    }

    /// Where the 20 ms belong, in 8 kHz ticks since it began.
    pub fn timestamp(&self) -> u32 {
        self.played
    }

    fn band(&mut self, rate: Rate) -> &mut Band {
        let from = self.rate;
        self.bands[rate as usize].get_or_insert_with(|| Band {
            resampler: Resampler::new(from, rate),
            frame: Vec::new(),
            is_made: false,
        })
    }

    /// Some more sound: at least a sample, or time for the next step.
    fn step(&mut self, now: Instant) {
        let frame = self.rate.frame();
        match self.jitter.take(now) {
            Due::Packet { payload, comfort: true } => match &mut self.noise {
                Some(noise) => drop(noise.update(&payload)),
                none => *none = ComfortNoise::read(&payload),
            },
            Due::Packet { payload, comfort: false } => {
                self.noise = None;
                self.in_dtx = Decoder::is_dtx(self.codec, &payload);
                let from = self.ready.len();
                let decoded = self.decoder.as_mut().is_some_and(|d| d.decode(&payload, &mut self.ready));
                if !decoded || self.ready.len() == from {
                    self.conceal(frame, false);
                } else if self.codec != Codec::Opus {
                    self.concealer.heard(&mut self.ready[from..]);
                }
            }
            Due::Lost { ticks, followed } => {
                let samples = ticks as usize * self.rate.hz() as usize / self.codec.clock() as usize;
                self.concealed += 1;
                self.conceal(samples.max(1), followed);
            }
            Due::Wait => {
                self.concealed += 1;
                self.conceal(frame, false);
            }
            Due::Nothing => {
                let from = self.ready.len();
                match &mut self.noise {
                    Some(noise) => {
                        self.ready.resize(from + frame, 0);
                        noise.fill(&mut self.ready[from..]);
                    }
                    None if self.in_dtx => self.conceal(frame, false),
                    None => self.ready.resize(from + frame, 0),
                }
            }
        }
    }

    fn conceal(&mut self, samples: usize, followed: bool) {
        let from = self.ready.len();
        let following = self.jitter.following().filter(|_| followed);
        if let Some(decoder) = &mut self.decoder
            && decoder.conceal(following, samples, &mut self.ready)
        {
            return;
        }
        self.ready.resize(from + samples, 0);
        self.concealer.conceal(&mut self.ready[from..]);
    }
}

#[cfg(test)]
mod tests {
    use std::f64::consts::TAU;
    use std::time::Duration;

    use super::*;
    use crate::codec::{Encoder, MOST_PAYLOAD};
    use crate::core::tests::agreed;

    /// Three seconds of a tone as packets, some of them lost, and what is heard at 8 kHz.
    fn heard(codec: Codec, lost: impl Fn(u64) -> bool, frames: u64) -> (Vec<i16>, Decoding) {
        let start = Instant::now();
        let mut agreed = agreed(codec);
        agreed.opus.in_band_fec = true;
        let (rate, mut encoder) = (agreed.rate(), Encoder::new(&agreed).unwrap());
        let mut decoding = Decoding::new(start, &agreed);
        let mut heard = Vec::new();
        for n in 0..frames {
            let now = start + Duration::from_millis(20 * n);
            let from = n * rate.frame() as u64;
            let frame: Vec<i16> = (from..from + rate.frame() as u64)
                .map(|n| (8_000.0 * (TAU * 400.0 * n as f64 / f64::from(rate.hz())).sin()) as i16)
                .collect();
            let mut payload = [0; MOST_PAYLOAD];
            let length = encoder.encode(&frame, &mut payload);
            let header = Header {
                marker: false,
                payload_type: 0,
                sequence: n as u16,
                timestamp: n as u32 * codec.clock() / 50,
                ssrc: 1,
            };
            if !lost(n) {
                decoding.put(now, &header, &payload[..length]);
            }
            decoding.next(now + Duration::from_millis(5));
            heard.extend_from_slice(decoding.at(Rate::Narrow));
        }
        (heard, decoding)
    }

    /// Of each 100 ms: how much of its power is the tone's, and the power.
    fn windows(sound: &[i16]) -> Vec<(f64, f64)> {
        let window = |samples: &[i16]| {
            let part = |wave: fn(f64) -> f64| {
                let turn = |n: usize| TAU * 400.0 * n as f64 / 8_000.0;
                2.0 * samples.iter().enumerate().map(|(n, s)| f64::from(*s) * wave(turn(n))).sum::<f64>()
                    / samples.len() as f64
            };
            let all = samples.iter().map(|s| f64::from(*s).powi(2)).sum::<f64>() / samples.len() as f64;
            ((part(f64::sin).powi(2) + part(f64::cos).powi(2)) / 2.0 / all.max(1.0), all)
        };
        sound.chunks_exact(800).map(window).collect()
    }

    #[test]
    fn a_tone_comes_through_each_codec_at_another_rate_with_every_seventh_packet_lost() {
        for codec in Codec::ALL {
            let (sound, decoding) = heard(codec, |n| n % 7 == 3, 150);
            assert_eq!(sound.len(), 150 * FRAME);
            let windows = windows(&sound);
            for (n, (share, power)) in windows[5..].iter().enumerate() {
                assert!(*share > 0.6, "{codec:?}, window {n}: {share} of it is the tone");
                assert!((0.5..1.5).contains(&(power / 32e6)), "{codec:?}, window {n}: {power}");
            }
            assert!((20..23).contains(&decoding.concealed), "{codec:?}: {}", decoding.concealed);
            assert_eq!(decoding.late(), 0);
        }
    }

    #[test]
    fn what_stops_fades_and_is_silent() {
        for codec in Codec::ALL {
            let (sound, _) = heard(codec, |n| n > 50, 150);
            let quiet = &sound[150 * FRAME * 2 / 3..];
            assert!(quiet.iter().all(|sample| sample.abs() < 40), "{codec:?}");
        }
    }

    #[test]
    fn rfc3389_the_room_is_heard_between_talk_spurts() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut decoding = Decoding::new(start, &agreed(Codec::Pcmu));
        let header = |sequence: u16| Header {
            marker: false,
            payload_type: 13,
            sequence,
            timestamp: u32::from(sequence) * 160,
            ssrc: 1,
        };
        decoding.put(at(0), &header(0), &[0x80; 160]);
        decoding.put_comfort(at(20), &header(1), &[50]);
        let mut heard = Vec::new();
        for n in 1..100 {
            decoding.next(at(20 * n + 5));
            heard.extend_from_slice(decoding.at(Rate::Narrow));
        }
        let rms = |samples: &[i16]| {
            (samples.iter().map(|s| f64::from(*s).powi(2)).sum::<f64>() / samples.len() as f64).sqrt()
        };
        let wanted = 32_767.0 * 10f64.powf(-50.0 / 20.0);
        assert!((rms(&heard[8_000..]) / wanted - 1.0).abs() < 0.15, "{}", rms(&heard[8_000..]));
        assert_eq!(decoding.concealed, 0, "nothing was lost");
    }
}
