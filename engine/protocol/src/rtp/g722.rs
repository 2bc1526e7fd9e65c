//! G.722 at 64 kbit/s (ITU-T G.722, mode 1): two bands of 8 kHz, six bits of the lower and two of the upper in
//! each octet, so an octet is two samples of 16 kHz. Its RTP clock is 8 kHz all the same (RFC 3551 §4.5.2).
//! The two slower modes, which nobody negotiates, are left out. Names are those of the Recommendation's blocks.

/// Table 15 and 16: the inverse quantizers of the lower band with six and with four bits, in 32768ths.
const QM6: [i32; 64] = [
    -136, -136, -136, -136, -24808, -21904, -19008, -16704, -14984, -13512, -12280, -11192, -10232, -9360,
    -8576, -7856, -7192, -6576, -6000, -5456, -4944, -4464, -4008, -3576, -3168, -2776, -2400, -2032, -1688,
    -1360, -1040, -728, 24808, 21904, 19008, 16704, 14984, 13512, 12280, 11192, 10232, 9360, 8576, 7856,
    7192, 6576, 6000, 5456, 4944, 4464, 4008, 3576, 3168, 2776, 2400, 2032, 1688, 1360, 1040, 728, 432, 136,
    -432, -136,
];
const QM4: [i32; 16] =
    [0, -20456, -12896, -8968, -6288, -4240, -2584, -1200, 20456, 12896, 8968, 6288, 4240, 2584, 1200, 0];
/// That of the upper band.
const QM2: [i32; 4] = [-7408, -1616, 7408, 1616];
/// Decision levels of the lower band's quantizer.
const Q6: [i32; 30] = [
    0, 35, 72, 110, 150, 190, 233, 276, 323, 370, 422, 473, 530, 587, 650, 714, 786, 858, 940, 1023, 1121,
    1219, 1339, 1458, 1612, 1765, 1980, 2195, 2557, 2919,
];
/// The one of the upper band.
const Q2: i32 = 564;
/// How the steps of either band grow and shrink with what was said.
const WL: [i32; 8] = [-60, -30, 58, 172, 334, 538, 1198, 3042];
const RL42: [usize; 16] = [0, 7, 6, 5, 4, 3, 2, 1, 7, 6, 5, 4, 3, 2, 1, 0];
const WH: [i32; 3] = [0, -214, 798];
const RH2: [usize; 4] = [2, 1, 2, 1];
/// Powers of two in 32nds of an octave, for steps whose logarithm is known.
const ILB: [i32; 32] = [
    2048, 2093, 2139, 2186, 2233, 2282, 2332, 2383, 2435, 2489, 2543, 2599, 2656, 2714, 2774, 2834, 2896,
    2960, 3025, 3091, 3158, 3228, 3298, 3371, 3444, 3520, 3597, 3676, 3756, 3838, 3922, 4008,
];
/// Half of the quadrature mirror filter; the other half is its mirror.
const QMF: [i32; 12] = [3, -11, 12, 32, -210, 951, 3876, -805, 362, -156, 53, -11];
/// The greatest logarithms of a step.
const MAX_LOW: i32 = 18_432;
const MAX_HIGH: i32 = 22_528;

/// Sound of 16 kHz to octets.
#[derive(Clone, Debug)]
pub struct Encoder {
    low: Band,
    high: Band,
    filter: [i32; 24],
}

/// Octets to sound of 16 kHz.
#[derive(Clone, Debug)]
pub struct Decoder {
    low: Band,
    high: Band,
    filter: [i32; 24],
}

/// One band's step and its predictor of two poles and six zeros.
#[derive(Clone, Debug, Default)]
struct Band {
    /// The signal as predicted: of the poles and zeros, and of the zeros alone.
    s: i32,
    sz: i32,
    /// Reconstructed and partially reconstructed signal, the newest first.
    r: [i32; 2],
    p: [i32; 2],
    a: [i32; 2],
    b: [i32; 6],
    /// Quantized differences, the newest first.
    d: [i32; 6],
    /// The step, and its logarithm.
    det: i32,
    nb: i32,
}

impl Default for Encoder {
    fn default() -> Self {
        Self { low: Band::new(32), high: Band::new(8), filter: [0; 24] }
    }
}

impl Encoder {
    /// One octet for each two samples; an odd one at the end is left out.
    pub fn encode(&mut self, samples: &[i16], octets: &mut [u8]) {
        for (octet, pair) in octets.iter_mut().zip(samples.chunks_exact(2)) {
            *octet = self.pair(i32::from(pair[0]), i32::from(pair[1]));
        }
    }

    fn pair(&mut self, first: i32, second: i32) -> u8 {
        push(&mut self.filter, first, second);
        let (even, odd) = filtered(&self.filter);
        let (low, high) = ((even + odd) >> 14, (odd - even) >> 14);

        let difference = saturate(low - self.low.s);
        let size = if difference < 0 { !difference } else { difference };
        let level = (1..Q6.len()).find(|level| size < (Q6[*level] * self.low.det) >> 12).unwrap_or(Q6.len());
        let ilow = match (difference < 0, level) {
            (false, _) => 62 - level,
            (true, 1 | 2) => 64 - level,
            (true, _) => 34 - level,
        };
        let quantized = (self.low.det * QM4[ilow >> 2]) >> 15;
        self.low.scale(WL[RL42[ilow >> 2]], MAX_LOW, 8);
        self.low.adapt(quantized);

        let difference = saturate(high - self.high.s);
        let size = if difference < 0 { !difference } else { difference };
        let is_large = size >= (Q2 * self.high.det) >> 12;
        let ihigh = usize::from(!is_large) | if difference < 0 { 0 } else { 2 };
        let quantized = (self.high.det * QM2[ihigh]) >> 15;
        self.high.scale(WH[RH2[ihigh]], MAX_HIGH, 10);
        self.high.adapt(quantized);
        (ihigh << 6 | ilow) as u8
    }
}

impl Default for Decoder {
    fn default() -> Self {
        Self { low: Band::new(32), high: Band::new(8), filter: [0; 24] }
    }
}

impl Decoder {
    /// Two samples for each octet, as far as there is room.
    pub fn decode(&mut self, octets: &[u8], samples: &mut [i16]) {
        for (pair, octet) in samples.chunks_exact_mut(2).zip(octets) {
            let [first, second] = self.octet(*octet);
            (pair[0], pair[1]) = (first, second);
        }
    }

    fn octet(&mut self, octet: u8) -> [i16; 2] {
        let (ilow, ihigh) = (usize::from(octet & 0x3f), usize::from(octet >> 6));
        let low = (self.low.s + ((self.low.det * QM6[ilow]) >> 15)).clamp(-16_384, 16_383);
        let quantized = (self.low.det * QM4[ilow >> 2]) >> 15;
        self.low.scale(WL[RL42[ilow >> 2]], MAX_LOW, 8);
        self.low.adapt(quantized);

        let quantized = (self.high.det * QM2[ihigh]) >> 15;
        let high = (self.high.s + quantized).clamp(-16_384, 16_383);
        self.high.scale(WH[RH2[ihigh]], MAX_HIGH, 10);
        self.high.adapt(quantized);

        push(&mut self.filter, low + high, low - high);
        let (even, odd) = filtered(&self.filter);
        [odd, even].map(|sum| saturate(sum >> 11) as i16)
    }
}

/// The newest two are the last.
fn push(filter: &mut [i32; 24], first: i32, second: i32) {
    filter.copy_within(2.., 0);
    (filter[22], filter[23]) = (first, second);
}

fn filtered(filter: &[i32; 24]) -> (i32, i32) {
    let pairs = filter.chunks_exact(2).enumerate();
    pairs.fold((0, 0), |(even, odd), (n, pair)| (even + pair[0] * QMF[n], odd + pair[1] * QMF[11 - n]))
}

fn saturate(value: i32) -> i32 {
    value.clamp(i32::from(i16::MIN), i32::from(i16::MAX))
}

impl Band {
    fn new(det: i32) -> Self {
        Self { det, ..Self::default() }
    }

    /// LOGSCL and SCALEL, LOGSCH and SCALEH: the next step.
    fn scale(&mut self, by: i32, most: i32, shift: i32) {
        self.nb = (((self.nb * 127) >> 7) + by).clamp(0, most);
        let (mantissa, down) = (ILB[(self.nb >> 6 & 31) as usize], shift - (self.nb >> 11));
        self.det = if down < 0 { mantissa << -down } else { mantissa >> down } << 2;
    }

    /// Block 4: the predictor learns the quantized difference and predicts the next sample.
    fn adapt(&mut self, d: i32) {
        let (r, p) = (saturate(self.s + d), saturate(self.sz + d));
        let same = |a: i32, b: i32| (a < 0) == (b < 0);
        // UPPOL2 and UPPOL1.
        let leaning = saturate(self.a[0] << 2);
        let leaning = if same(p, self.p[0]) { (-leaning).min(32_767) } else { leaning };
        let second =
            (leaning >> 7) + if same(p, self.p[1]) { 128 } else { -128 } + ((self.a[1] * 32_512) >> 15);
        let second = second.clamp(-12_288, 12_288);
        let first = saturate(if same(p, self.p[0]) { 192 } else { -192 } + ((self.a[0] * 32_640) >> 15));
        let bound = saturate(15_360 - second);
        self.a = [first.clamp(-bound, bound), second];
        // UPZERO.
        let step = if d == 0 { 0 } else { 128 };
        for (b, known) in self.b.iter_mut().zip(&self.d) {
            *b = saturate(if same(d, *known) { step } else { -step } + ((*b * 32_640) >> 15));
        }
        // DELAYA.
        self.d.copy_within(..5, 1);
        self.d[0] = d;
        self.r = [r, self.r[0]];
        self.p = [p, self.p[0]];
        // FILTEP, FILTEZ, PREDIC.
        let twice = |value: i32| saturate(value + value);
        let poles = saturate(((self.a[0] * twice(self.r[0])) >> 15) + ((self.a[1] * twice(self.r[1])) >> 15));
        self.sz = saturate(self.b.iter().zip(&self.d).map(|(b, d)| (b * twice(*d)) >> 15).sum());
        self.s = saturate(poles + self.sz);
    }
}

#[cfg(test)]
mod tests {
    use std::f64::consts::TAU;

    use super::*;

    /// Noise from full scale down to nothing, every other half second with a triangle in it.
    fn signal() -> Vec<i16> {
        let mut chance = 1u32;
        let sample = |n: i32| {
            chance = chance.wrapping_mul(1_103_515_245).wrapping_add(12_345) & 0x7fff_ffff;
            let noise = (chance >> 15 & 0xffff) as i32 - 32_768;
            let turn = n % 100;
            let triangle = (if turn < 50 { turn } else { 100 - turn }) * 400 - 10_000;
            let value = ((noise >> (n / 1600 % 10)) >> 1) + if n / 8000 % 2 == 1 { triangle } else { 0 };
            value.clamp(-32_768, 32_767) as i16
        };
        (0..32_000).map(sample).collect()
    }

    /// FNV-1a, to name long octets shortly.
    fn name(octets: impl IntoIterator<Item = u8>) -> u64 {
        let step = |name: u64, octet| (name ^ u64::from(octet)).wrapping_mul(0x100_0000_01b3);
        octets.into_iter().fold(0xcbf2_9ce4_8422_2325, step)
    }

    fn little(samples: &[i16]) -> impl Iterator<Item = u8> {
        samples.iter().flat_map(|sample| sample.to_le_bytes())
    }

    /// What libspandsp 0.0.6 makes of the same two seconds, and of its own octets again.
    #[test]
    fn octets_and_samples_are_those_of_another_implementation() {
        let signal = signal();
        assert_eq!(name(little(&signal)), SIGNAL, "the input itself");
        let mut octets = vec![0; signal.len() / 2];
        Encoder::default().encode(&signal, &mut octets);
        assert_eq!(octets[..8], [0x18, 0xa4, 0x84, 0x20, 0x8a, 0x3a, 0x04, 0x20]);
        assert_eq!(name(octets.iter().copied()), OCTETS);
        let mut samples = vec![0; signal.len()];
        Decoder::default().decode(&octets, &mut samples);
        assert_eq!(samples[..12], [-1, 0, 0, -1, -1, 1, 0, -4, -1, 11, -2, -36]);
        assert_eq!(name(little(&samples)), SAMPLES);
    }

    const SIGNAL: u64 = 0x882d_059c_cc23_8c18;
    const OCTETS: u64 = 0xbb55_5a59_d4ef_46a2;
    const SAMPLES: u64 = 0x9cbf_4a7f_acb6_a679;

    /// G.722 is for 50 to 7,000 Hz: tones of both bands come through with 20 dB or more over what is added.
    #[test]
    fn tones_of_both_bands_come_through() {
        for hz in [300.0, 1_000.0, 3_400.0, 5_000.0, 6_500.0] {
            let tone: Vec<i16> =
                (0..16_000).map(|n| (8_000.0 * (TAU * hz * f64::from(n) / 16_000.0).sin()) as i16).collect();
            let (mut octets, mut heard) = (vec![0; 8_000], vec![0; 16_000]);
            Encoder::default().encode(&tone, &mut octets);
            Decoder::default().decode(&octets, &mut heard);
            let window = &heard[4_000..12_000];
            let part = |wave: fn(f64) -> f64| {
                let sum = |(n, s): (usize, &i16)| f64::from(*s) * wave(TAU * hz * n as f64 / 16_000.0);
                2.0 * window.iter().enumerate().map(sum).sum::<f64>() / window.len() as f64
            };
            let power = (part(f64::sin).powi(2) + part(f64::cos).powi(2)) / 2.0;
            let all = window.iter().map(|s| f64::from(*s).powi(2)).sum::<f64>() / window.len() as f64;
            assert!((0.8..1.25).contains(&(power / 32e6)), "{hz} Hz: {power}");
            assert!(all - power < power / 100.0, "{hz} Hz: {all} of {power}");
        }
    }

    #[test]
    fn whatever_octets_come_they_are_sound() {
        let mut decoder = Decoder::default();
        let mut samples = [0; 320];
        for octet in 0..=255 {
            decoder.decode(&[octet; 160], &mut samples);
        }
        decoder.decode(&[1, 2, 3], &mut samples[..3]);
        let (mut encoder, mut octets) = (Encoder::default(), [0; 160]);
        for sample in [i16::MIN, i16::MAX, 0] {
            encoder.encode(&[sample; 320], &mut octets);
            encoder.encode(&[sample, !sample].repeat(160), &mut octets);
        }
    }
}
