//! G.711: one octet a sample, mu-law (PCMU) and A-law (PCMA), to and from 16 bit samples by table,
//! and between the two laws by one table each way. Which law a packet has is the negotiation's word.

use crate::sdp::Codec;

/// Mu-law is linear with this added (G.711 table 2, in 16 bits).
const BIAS: i32 = 0x84;
/// The loudest that mu-law can say.
const CLIP: i32 = 32_635;

const fn decode_ulaw(octet: u8) -> i16 {
    let bits = !octet;
    let exponent = (bits >> 4) & 7;
    let mantissa = (bits & 15) as i32;
    let magnitude = (((mantissa << 3) + BIAS) << exponent) - BIAS;
    (if bits & 0x80 != 0 { -magnitude } else { magnitude }) as i16
}

const fn encode_ulaw(sample: i16) -> u8 {
    let sign = (sample >> 15) as i32;
    let magnitude = (sample as i32 ^ sign) - sign;
    let biased = (if magnitude > CLIP { CLIP } else { magnitude }) + BIAS;
    // The highest bit of a biased magnitude is bit 7 to 14.
    let exponent = 24 - biased.leading_zeros() as i32;
    let mantissa = (biased >> (exponent + 3)) & 15;
    !((sign & 0x80) | (exponent << 4) | mantissa) as u8
}

const fn decode_alaw(octet: u8) -> i16 {
    let bits = octet ^ 0x55;
    let exponent = (bits >> 4) & 7;
    let mantissa = (bits & 15) as i32;
    let magnitude = match exponent {
        0 => (mantissa << 4) + 8,
        _ => ((mantissa << 4) + 0x108) << (exponent - 1),
    };
    (if bits & 0x80 != 0 { magnitude } else { -magnitude }) as i16
}

const fn encode_alaw(sample: i16) -> u8 {
    let sign = (sample >> 15) as i32;
    // One's complement, so that both signs have the same steps.
    let magnitude = sample as i32 ^ sign;
    // Below 0x100 the steps are those of the segment above, and its number is 0.
    let exponent = 24 - (magnitude | 0xff).leading_zeros() as i32;
    let mantissa = (magnitude >> (if exponent == 0 { 4 } else { exponent + 3 })) & 15;
    ((!sign & 0x80) | (exponent << 4) | mantissa) as u8 ^ 0x55
}

const fn decoded(ulaw: bool) -> [i16; 256] {
    let mut table = [0; 256];
    let mut octet = 0;
    while octet < 256 {
        table[octet] = if ulaw { decode_ulaw(octet as u8) } else { decode_alaw(octet as u8) };
        octet += 1;
    }
    table
}

/// What A-law says of a sample is decided by the upper 12 of its 16 bits.
const fn alaw_encoded() -> [u8; 1 << 12] {
    let mut table = [0; 1 << 12];
    let mut upper = 0;
    while upper < table.len() {
        table[upper] = encode_alaw((upper << 4) as i16);
        upper += 1;
    }
    table
}

/// What mu-law says of a sample that isn't negative is decided by all but its last two bits; of a negative one it
/// says the same with the highest bit the other way. One entry more, because the lowest sample has no positive.
const fn ulaw_encoded() -> [u8; (1 << 13) + 1] {
    let mut table = [0; (1 << 13) + 1];
    let mut upper = 0;
    while upper < table.len() {
        let magnitude = upper << 2;
        table[upper] = encode_ulaw(if magnitude > CLIP as usize { i16::MAX } else { magnitude as i16 });
        upper += 1;
    }
    table
}

const fn crossed(from_ulaw: bool) -> [u8; 256] {
    let mut table = [0; 256];
    let mut octet = 0;
    while octet < 256 {
        table[octet] = if from_ulaw {
            encode_alaw(decode_ulaw(octet as u8))
        } else {
            encode_ulaw(decode_alaw(octet as u8))
        };
        octet += 1;
    }
    table
}

static ULAW: [i16; 256] = decoded(true);
static ALAW: [i16; 256] = decoded(false);
static ULAW_ENCODED: [u8; (1 << 13) + 1] = ulaw_encoded();
static ALAW_ENCODED: [u8; 1 << 12] = alaw_encoded();
static ULAW_TO_ALAW: [u8; 256] = crossed(true);
static ALAW_TO_ULAW: [u8; 256] = crossed(false);

/// The 256 samples of a codec, by octet; of mu-law, if it is neither.
pub fn samples(codec: Codec) -> &'static [i16; 256] {
    match codec {
        Codec::Pcma => &ALAW,
        _ => &ULAW,
    }
}

/// The octet whose interval holds the sample; of mu-law, if it is neither.
#[inline]
pub fn encode(codec: Codec, sample: i16) -> u8 {
    match codec {
        Codec::Pcma => ALAW_ENCODED[usize::from(sample as u16 >> 4)],
        _ => ULAW_ENCODED[usize::from(sample.unsigned_abs() >> 2)] ^ (sample >> 15) as u8 & 0x80,
    }
}

/// As many octets as both have room for.
pub fn encode_all(codec: Codec, samples: &[i16], octets: &mut [u8]) {
    let both = octets.iter_mut().zip(samples);
    match codec {
        Codec::Pcma => both.for_each(|(octet, sample)| *octet = encode(Codec::Pcma, *sample)),
        _ => both.for_each(|(octet, sample)| *octet = encode(Codec::Pcmu, *sample)),
    }
}

/// From one codec to the other, in place; nothing to do when they are the same.
pub fn transcode(from: Codec, to: Codec, octets: &mut [u8]) {
    let table = match (from, to) {
        (Codec::Pcmu, Codec::Pcma) => &ULAW_TO_ALAW,
        (Codec::Pcma, Codec::Pcmu) => &ALAW_TO_ULAW,
        _ => return,
    };
    for octet in octets {
        *octet = table[usize::from(*octet)];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Decoder output values of G.711 tables 1 and 2, scaled to 16 bits.
    #[test]
    fn g711_corner_values() {
        for (octet, sample) in [(0x00, -32124), (0x80, 32124), (0x7f, 0), (0xff, 0), (0x7e, -8), (0xfe, 8)] {
            assert_eq!(samples(Codec::Pcmu)[octet], sample);
        }
        for (octet, sample) in [(0x55, -8), (0xd5, 8), (0x2a, -32256), (0xaa, 32256), (0x54, -24)] {
            assert_eq!(samples(Codec::Pcma)[octet], sample);
        }
    }

    /// A sample is never further from its octet's value than half that octet's step, and louder
    /// samples never get softer octets. Steps double from segment to segment (G.711 tables 1 and 2).
    #[test]
    fn every_sample_becomes_an_octet_within_half_a_step() {
        for codec in [Codec::Pcmu, Codec::Pcma] {
            let all: Vec<i16> = (i16::MIN..=i16::MAX).collect();
            let mut octets = vec![0; all.len()];
            encode_all(codec, &all, &mut octets);
            let mut before = i16::MIN;
            for (sample, octet) in all.into_iter().zip(octets) {
                assert_eq!(octet, encode(codec, sample));
                let value = samples(codec)[usize::from(octet)];
                let step = match codec {
                    Codec::Pcmu => 8 << ((!octet >> 4) & 7),
                    _ => 16 << (((octet ^ 0x55) >> 4) & 7).saturating_sub(1),
                };
                let off = (i32::from(value) - i32::from(sample)).abs();
                let clipped = codec == Codec::Pcmu && sample.unsigned_abs() > CLIP as u16;
                assert!(off <= step / 2 || clipped, "{codec:?} {sample} became {value}");
                assert!(value >= before, "{codec:?} {sample}");
                before = value;
            }
        }
    }

    #[test]
    fn the_tables_say_what_the_definitions_say() {
        for sample in i16::MIN..=i16::MAX {
            assert_eq!(encode(Codec::Pcmu, sample), encode_ulaw(sample), "mu-law of {sample}");
            assert_eq!(encode(Codec::Pcma, sample), encode_alaw(sample), "A-law of {sample}");
        }
    }

    #[test]
    fn every_octet_comes_back_but_mu_laws_second_zero() {
        for octet in 0..=255 {
            let ulaw = encode(Codec::Pcmu, samples(Codec::Pcmu)[usize::from(octet)]);
            assert_eq!(ulaw, if octet == 0x7f { 0xff } else { octet });
            assert_eq!(encode(Codec::Pcma, samples(Codec::Pcma)[usize::from(octet)]), octet);
        }
    }

    #[test]
    fn between_the_laws_is_through_the_sample() {
        for (from, to) in [(Codec::Pcmu, Codec::Pcma), (Codec::Pcma, Codec::Pcmu)] {
            let mut octets: Vec<u8> = (0..=255).collect();
            transcode(from, to, &mut octets);
            for (octet, got) in octets.iter().enumerate() {
                assert_eq!(*got, encode(to, samples(from)[octet]));
            }
        }
    }
}
