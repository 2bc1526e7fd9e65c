//! Comfort noise (RFC 3389): what a side that falls silent sends of its room in place of the room itself, payload
//! type 13. A level and, if it likes, the colour of the noise as reflection coefficients. It is played here, never
//! sent.

/// RFC 3551 §6: the static payload type, at a clock of 8 kHz.
pub const PAYLOAD_TYPE: u8 = 13;

/// RFC 3389 §3.3 sets no bound; more coefficients colour noise no better.
const MAX_ORDER: usize = 12;
/// Louder than this is no room: taken for this.
const LEAST_DBOV: u8 = 20;

/// Noise like that of the far side's room.
#[derive(Clone, Debug)]
pub struct ComfortNoise {
    /// Of the noise before it is coloured, so that it is as loud as was said afterwards.
    amplitude: f32,
    reflection: [f32; MAX_ORDER],
    order: usize,
    /// The lattice's backward errors.
    backward: [f32; MAX_ORDER + 1],
    chance: u32,
}

impl ComfortNoise {
    /// By a packet's payload; none when it is empty.
    pub fn read(payload: &[u8]) -> Option<Self> {
        let mut noise = Self {
            amplitude: 0.0,
            reflection: [0.0; MAX_ORDER],
            order: 0,
            backward: [0.0; MAX_ORDER + 1],
            chance: 1,
        };
        noise.update(payload).then_some(noise)
    }

    /// By another packet's; what is heard changes without a click. False when it is empty.
    pub fn update(&mut self, payload: &[u8]) -> bool {
        let [level, coefficients @ ..] = payload else { return false };
        // §3.1: -dBov in seven bits.
        let level = f32::from((level & 0x7f).max(LEAST_DBOV));
        self.order = coefficients.len().min(MAX_ORDER);
        self.reflection = [0.0; MAX_ORDER];
        for (to, from) in self.reflection.iter_mut().zip(coefficients) {
            // §3.2: 127 is 0, each step is a 128th; those at the edges would ring for ever.
            *to = ((f32::from(*from) - 127.0) / 128.0).clamp(-0.98, 0.98);
        }
        // A lattice of these gives back so much more power than it gets.
        let gain: f32 = self.reflection.iter().map(|k| 1.0 / (1.0 - k * k)).product();
        let wanted = 32_767.0 * 10f32.powf(-level / 20.0);
        // Even noise of amplitude 1 has a third of its power.
        self.amplitude = wanted * (3.0 / gain).sqrt();
        true
    }

    /// The next samples, of any rate.
    pub fn fill(&mut self, samples: &mut [i16]) {
        for sample in samples {
            // Xorshift: noise needs no secret.
            self.chance ^= self.chance << 13;
            self.chance ^= self.chance >> 17;
            self.chance ^= self.chance << 5;
            let mut forward = (self.chance as i32 as f32 / 2_147_483_648.0) * self.amplitude;
            for stage in (0..self.order).rev() {
                forward -= self.reflection[stage] * self.backward[stage];
                self.backward[stage + 1] = self.backward[stage] + self.reflection[stage] * forward;
            }
            self.backward[0] = forward;
            *sample = forward as i16;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noise(payload: &[u8]) -> Vec<f64> {
        let mut samples = vec![0; 80_000];
        ComfortNoise::read(payload).unwrap().fill(&mut samples);
        samples.into_iter().map(f64::from).collect()
    }

    fn dbov(samples: &[f64]) -> f64 {
        let power = samples.iter().map(|s| s * s).sum::<f64>() / samples.len() as f64;
        10.0 * (power / 32_767f64.powi(2)).log10()
    }

    #[test]
    fn rfc3389_3_1_noise_is_as_loud_as_was_said_whatever_its_colour() {
        for payload in
            [&[50u8][..], &[60], &[50, 190], &[50, 60, 180], &[40, 200, 90, 140, 127, 127, 127, 127]]
        {
            let level = dbov(&noise(payload));
            assert!((level + f64::from(payload[0])).abs() < 1.0, "{payload:?}: {level}");
        }
        assert!(dbov(&noise(&[0])) < -19.0, "nobody's room is that loud");
        assert!(ComfortNoise::read(&[]).is_none());
    }

    /// One coefficient k makes each sample lean on the one before with -k (RFC 3389 §3.2, a first-order model).
    #[test]
    fn rfc3389_3_2_coefficients_colour_it() {
        for octet in [63u8, 127, 191] {
            let samples = noise(&[40, octet]);
            let power: f64 = samples.iter().map(|s| s * s).sum();
            let product: f64 = samples.windows(2).map(|pair| pair[0] * pair[1]).sum();
            let expected = -(f64::from(octet) - 127.0) / 128.0;
            assert!((product / power - expected).abs() < 0.02, "{octet}: {}", product / power);
        }
    }

    #[test]
    fn no_payload_makes_it_ring() {
        for octet in 0..=255 {
            let samples = noise(&[[30].as_slice(), &[octet; 40]].concat());
            assert!(dbov(&samples) < -10.0, "{octet}: {}", dbov(&samples));
        }
    }
}
