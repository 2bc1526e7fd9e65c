//! Sound to payloads and back, for legs whose packets are not passed on as they are. G.711 by table, G.722 by
//! `protocol`, Opus by libopus (RFC 6716). What is kept for a leg is here and in [`crate::decoding`] alone: 25 kB
//! for an encoder and 20 kB for a decoder of Opus, 1 kB for G.722, nothing for G.711.

use std::sync::atomic::{AtomicUsize, Ordering};

use opus::{Application, Bandwidth, Bitrate, Channels};
use protocol::rtp::{Rate, g711, g722};
use protocol::sdp::{Codec, Negotiated};

/// RFC 6716 §3.4: no packet of so few frames is larger.
pub(crate) const MOST_PAYLOAD: usize = 1275;

/// Of 0 to 10. Speech gains little above it, and costs twice as much at the end.
const COMPLEXITY: i32 = 5;
/// Bits a second by the rate of the sound, as RFC 7587 §3.1.1 has them for speech; those of 48 kHz serve music on
/// hold as well.
const BITS: [i32; 3] = [16_000, 24_000, 32_000];
/// The loss that in-band FEC is made for, in percent: with less of it libopus says nothing twice.
const EXPECTED_LOSS: i32 = 10;
/// RFC 6716 §2.1.4: a packet holds 120 ms at most.
const MOST_FRAMES: usize = 6;
/// A packet as small as this says that nothing is said (RFC 7587 §3.1.3).
const DTX: usize = 2;

/// How many encoders there are in this process, and how many decoders, by codec.
static ENCODERS: [AtomicUsize; Codec::ALL.len()] = [const { AtomicUsize::new(0) }; Codec::ALL.len()];
static DECODERS: [AtomicUsize; Codec::ALL.len()] = [const { AtomicUsize::new(0) }; Codec::ALL.len()];

/// How many encoders of a codec there are in this process, and how many decoders: of legs that are mixed, transcoded,
/// recorded, listened to or played to, and not of those that are passed on.
pub fn coders(codec: Codec) -> (usize, usize) {
    let count = |of: &[AtomicUsize]| of[codec as usize].load(Ordering::Relaxed);
    (count(&ENCODERS), count(&DECODERS))
}

/// One of them, until dropped.
#[derive(Debug)]
struct Counted(&'static AtomicUsize);

impl Counted {
    fn new(of: &'static [AtomicUsize], codec: Codec) -> Self {
        let count = &of[codec as usize];
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What writes 20 ms into a payload.
#[derive(Debug)]
pub(crate) struct Encoder {
    writes: Writes,
    _counted: Counted,
}

#[derive(Debug)]
enum Writes {
    G711(Codec),
    G722(Box<g722::Encoder>),
    Opus(opus::Encoder),
}

impl Encoder {
    /// For frames of [`Negotiated::rate`]. None when there is no memory for it.
    pub fn new(agreed: &Negotiated) -> Option<Self> {
        let writes = match agreed.codec {
            Codec::Pcmu | Codec::Pcma => Writes::G711(agreed.codec),
            Codec::G722 => Writes::G722(Box::default()),
            Codec::Opus => Writes::Opus(opus_encoder(agreed).ok()?),
        };
        Some(Self { writes, _counted: Counted::new(&ENCODERS, agreed.codec) })
    }

    /// The octets of 20 ms; none when there is nothing to be sent for them.
    pub fn encode(&mut self, frame: &[i16], out: &mut [u8]) -> usize {
        match &mut self.writes {
            Writes::G711(codec) => {
                g711::encode_all(*codec, frame, out);
                frame.len().min(out.len())
            }
            Writes::G722(encoder) => {
                encoder.encode(frame, out);
                (frame.len() / 2).min(out.len())
            }
            Writes::Opus(encoder) => {
                let most = out.len().min(MOST_PAYLOAD);
                match encoder.encode(frame, &mut out[..most]) {
                    // RFC 7587 §3.1.3: nothing is sent while nothing is said.
                    Ok(length) if length > DTX || !encoder.get_in_dtx().unwrap_or(false) => length,
                    _ => 0,
                }
            }
        }
    }
}

fn opus_encoder(agreed: &Negotiated) -> opus::Result<opus::Encoder> {
    let (rate, wishes) = (agreed.rate(), agreed.opus);
    let mut encoder = opus::Encoder::new(rate.hz(), Channels::Mono, Application::Voip)?;
    encoder.set_complexity(COMPLEXITY)?;
    let bits = BITS[rate as usize];
    encoder.set_bitrate(Bitrate::Bits(wishes.max_bitrate.map_or(bits, |most| bits.min(most as i32))))?;
    encoder.set_inband_fec(wishes.in_band_fec)?;
    encoder.set_packet_loss_perc(if wishes.in_band_fec { EXPECTED_LOSS } else { 0 })?;
    encoder.set_dtx(wishes.dtx)?;
    // RFC 7587 §6.1: rates in between are bandwidths of the next higher rate.
    encoder.set_max_bandwidth(match wishes.max_playback_rate {
        ..12_000 => Bandwidth::Narrowband,
        12_000..16_000 => Bandwidth::Mediumband,
        16_000..24_000 => Bandwidth::Wideband,
        24_000..48_000 => Bandwidth::Superwideband,
        _ => Bandwidth::Fullband,
    })?;
    Ok(encoder)
}

/// What reads payloads.
#[derive(Debug)]
pub(crate) struct Decoder {
    reads: Reads,
    _counted: Counted,
}

#[derive(Debug)]
enum Reads {
    G711(Codec),
    G722(Box<g722::Decoder>),
    Opus { decoder: opus::Decoder, rate: Rate },
}

impl Decoder {
    /// To sound of a rate, which is the codec's own but with Opus. None when there is no memory for it.
    pub fn new(codec: Codec, rate: Rate) -> Option<Self> {
        let reads = match codec {
            Codec::Pcmu | Codec::Pcma => Reads::G711(codec),
            Codec::G722 => Reads::G722(Box::default()),
            Codec::Opus => Reads::Opus { decoder: opus::Decoder::new(rate.hz(), Channels::Mono).ok()?, rate },
        };
        Some(Self { reads, _counted: Counted::new(&DECODERS, codec) })
    }

    /// How long a payload is, in ticks of its clock; none if it can't be one.
    pub fn ticks(codec: Codec, payload: &[u8]) -> Option<u32> {
        match codec {
            Codec::Opus => {
                opus::packet::get_nb_samples(payload, codec.clock()).ok().map(|ticks| ticks as u32)
            }
            Codec::Pcmu | Codec::Pcma | Codec::G722 => Some(payload.len() as u32),
        }
    }

    /// Whether a payload says that nothing follows for a while.
    pub fn is_dtx(codec: Codec, payload: &[u8]) -> bool {
        codec == Codec::Opus && payload.len() <= DTX
    }

    /// Appends a payload's sound. False if it was none, and nothing is appended.
    pub fn decode(&mut self, payload: &[u8], out: &mut Vec<i16>) -> bool {
        match &mut self.reads {
            Reads::G711(codec) => {
                let table = g711::samples(*codec);
                out.extend(payload.iter().map(|octet| table[usize::from(*octet)]));
                true
            }
            Reads::G722(decoder) => {
                let from = out.len();
                out.resize(from + 2 * payload.len(), 0);
                decoder.decode(payload, &mut out[from..]);
                true
            }
            Reads::Opus { decoder, rate } => {
                let most = MOST_FRAMES * rate.frame();
                appended(out, most, |room| decoder.decode(payload, room, false))
            }
        }
    }

    /// Appends so many samples in the place of a lost packet, out of `following`, the one after it, where that
    /// says it again. False where the codec knows no such thing.
    pub fn conceal(&mut self, following: Option<&[u8]>, samples: usize, out: &mut Vec<i16>) -> bool {
        let Reads::Opus { decoder, .. } = &mut self.reads else { return false };
        let length = out.len() + samples;
        appended(out, samples, |room| match following {
            Some(payload) => decoder.decode(payload, room, true),
            None => decoder.decode(&[], room, false),
        });
        // Lengths that it can't make are silence.
        out.resize(length, 0);
        true
    }
}

fn appended(out: &mut Vec<i16>, most: usize, decode: impl FnOnce(&mut [i16]) -> opus::Result<usize>) -> bool {
    let from = out.len();
    out.resize(from + most, 0);
    let decoded = decode(&mut out[from..]);
    out.truncate(from + decoded.as_ref().copied().unwrap_or(0).min(most));
    decoded.is_ok()
}

#[cfg(test)]
mod tests {
    use std::f64::consts::TAU;

    use protocol::sdp::OpusWishes;

    use super::*;
    use crate::core::tests::agreed;

    fn tone(rate: Rate, hz: f64) -> Vec<i16> {
        let turn = |n: u32| TAU * hz * f64::from(n) / f64::from(rate.hz());
        (0..rate.hz()).map(|n| (8_000.0 * turn(n).sin()) as i16).collect()
    }

    fn power(samples: &[i16], rate: Rate, hz: f64) -> (f64, f64) {
        let part = |wave: fn(f64) -> f64| {
            let turn = |n: usize| TAU * hz * n as f64 / f64::from(rate.hz());
            2.0 * samples.iter().enumerate().map(|(n, s)| f64::from(*s) * wave(turn(n))).sum::<f64>()
                / samples.len() as f64
        };
        let all = samples.iter().map(|s| f64::from(*s).powi(2)).sum::<f64>() / samples.len() as f64;
        ((part(f64::sin).powi(2) + part(f64::cos).powi(2)) / 2.0, all)
    }

    #[test]
    fn every_codec_brings_a_tone_through_at_every_rate_it_has() {
        for (codec, max_playback_rate) in [
            (Codec::Pcmu, 0),
            (Codec::Pcma, 0),
            (Codec::G722, 0),
            (Codec::Opus, 8_000),
            (Codec::Opus, 16_000),
            (Codec::Opus, 48_000),
        ] {
            let mut agreed = agreed(codec);
            agreed.opus = OpusWishes { max_playback_rate, ..OpusWishes::default() };
            let rate = agreed.rate();
            let (mut encoder, mut decoder) =
                (Encoder::new(&agreed).unwrap(), Decoder::new(codec, rate).unwrap());
            let mut heard = Vec::new();
            for frame in tone(rate, 1_000.0).chunks(rate.frame()) {
                let mut payload = [0; MOST_PAYLOAD];
                let length = encoder.encode(frame, &mut payload);
                assert_eq!(Decoder::ticks(codec, &payload[..length]), Some(codec.clock() / 50));
                assert!(decoder.decode(&payload[..length], &mut heard));
            }
            assert_eq!(heard.len(), rate.hz() as usize);
            let (own, all) = power(&heard[heard.len() / 2..], rate, 1_000.0);
            assert!((0.7..1.3).contains(&(own / 32e6)), "{codec:?} at {rate:?}: {own}");
            assert!(all < own * 1.1, "{codec:?} at {rate:?}: {all} of {own}");
        }
    }

    /// RFC 6716 §2.1.7: a packet says the one before it again, and worse; without it there is only a guess.
    #[test]
    fn rfc6716_2_1_7_what_the_next_packet_says_again_is_better_than_a_guess() {
        let mut agreed = agreed(Codec::Opus);
        agreed.opus = OpusWishes { in_band_fec: true, max_playback_rate: 16_000, ..OpusWishes::default() };
        let mut encoder = Encoder::new(&agreed).unwrap();
        // Syllables of changing pitch, so that a guess is wrong.
        let spoken: Vec<i16> = (0..32_000)
            .map(|n| {
                let t = f64::from(n) / 16_000.0;
                let hz = 140.0 + 80.0 * (TAU * 4.0 * t).sin();
                let voice: f64 = (1..8).map(|k| (TAU * hz * f64::from(k) * t).sin() / f64::from(k)).sum();
                (5_000.0 * voice * (TAU * 3.0 * t).sin().abs()) as i16
            })
            .collect();
        let payloads: Vec<Vec<u8>> = spoken
            .chunks(320)
            .map(|frame| {
                let mut payload = [0; MOST_PAYLOAD];
                let length = encoder.encode(frame, &mut payload);
                payload[..length].to_vec()
            })
            .collect();
        let decode = |lost: usize, fec: bool| {
            let mut decoder = Decoder::new(Codec::Opus, Rate::Wide).unwrap();
            let mut heard = Vec::new();
            for (n, payload) in payloads.iter().enumerate() {
                if n % 10 < lost {
                    let following = payloads.get(n + 1).filter(|_| fec).map(Vec::as_slice);
                    assert!(decoder.conceal(following, 320, &mut heard));
                } else {
                    decoder.decode(payload, &mut heard);
                }
            }
            heard
        };
        let whole = decode(0, false);
        let off = |heard: Vec<i16>| -> f64 {
            heard.iter().zip(&whole).map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2)).sum()
        };
        let (guessed, said_again) = (off(decode(1, false)), off(decode(1, true)));
        assert!(said_again < guessed * 0.7, "{said_again} against {guessed}");
    }

    #[test]
    fn what_is_no_payload_is_no_sound() {
        let mut chance = 9u32;
        for codec in Codec::ALL {
            let mut decoder = Decoder::new(codec, codec.rate()).unwrap();
            for length in 0..400 {
                let payload: Vec<u8> = (0..length)
                    .map(|_| {
                        chance = chance.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                        (chance >> 24) as u8
                    })
                    .collect();
                let mut out = Vec::new();
                let _ = Decoder::ticks(codec, &payload);
                decoder.decode(&payload, &mut out);
                assert!(out.len() <= (2 * length).max(MOST_FRAMES * 960));
            }
        }
    }
}
