//! Sound from one of the three rates to another, frame after frame: a windowed sinc, cut off below half of the
//! lower rate, evaluated only where samples are wanted. Rates are whole multiples of each other, so nothing
//! drifts. Prompts of other rates are made anew when they are read, which is not done here.

use std::f32::consts::PI;
use std::sync::LazyLock;

use super::Rate;

/// Taps for each sample of the lower rate: 60 dB between what is kept and what is not, and 1 ms of delay at 8 kHz.
const REACH: usize = 16;

/// Filters by how many times one rate is the other, from 2 to 6; the others stay empty.
static FILTERS: [LazyLock<Vec<f32>>; 3] =
    [LazyLock::new(|| filter(2)), LazyLock::new(|| filter(3)), LazyLock::new(|| filter(6))];

fn of(times: usize) -> &'static [f32] {
    match times {
        2 => &FILTERS[0],
        3 => &FILTERS[1],
        _ => &FILTERS[2],
    }
}

/// Sums to 1. Its middle is at `REACH * times / 2`.
fn filter(times: usize) -> Vec<f32> {
    /// Of half of the lower rate.
    const CUT_OFF: f32 = 0.9;
    let length = REACH * times;
    let tap = |n: usize| {
        let at = n as f32 - length as f32 / 2.0;
        let x = PI * at * CUT_OFF / times as f32;
        let sinc = if at == 0.0 { 1.0 } else { x.sin() / x };
        // Blackman's window.
        let turn = 2.0 * PI * n as f32 / length as f32;
        sinc * (0.42 - 0.5 * turn.cos() + 0.08 * (2.0 * turn).cos())
    };
    let taps: Vec<f32> = (0..length).map(tap).collect();
    let sum: f32 = taps.iter().sum();
    taps.into_iter().map(|tap| tap / sum).collect()
}

/// One stream's sound on its way from one rate to another.
#[derive(Clone, Debug)]
pub struct Resampler {
    from: Rate,
    to: Rate,
    /// What later samples depend on, and room for a frame.
    samples: Vec<f32>,
}

impl Resampler {
    /// Silence before the first sample.
    pub fn new(from: Rate, to: Rate) -> Self {
        let kept = match from.hz() > to.hz() {
            true => REACH * from.times(to),
            false => REACH,
        };
        Self { from, to, samples: vec![0.0; kept] }
    }

    /// The next samples, put in `out`, which is made as long as they last. As many as one sample of the lower
    /// rate is of the higher must come together.
    pub fn resample(&mut self, samples: &[i16], out: &mut Vec<i16>) {
        out.clear();
        if self.from == self.to {
            return out.extend_from_slice(samples);
        }
        let kept = self.samples.len();
        self.samples.extend(samples.iter().map(|sample| f32::from(*sample)));
        let times = self.from.times(self.to);
        let taps = of(times);
        if self.from.hz() > self.to.hz() {
            // One sample of each `times`, from the `taps.len()` newest.
            for end in (kept..self.samples.len()).step_by(times) {
                let window = &self.samples[end + times - taps.len()..end + times];
                out.push(round(window.iter().zip(taps).map(|(sample, tap)| sample * tap).sum()));
            }
        } else {
            for newest in kept..self.samples.len() {
                let window = &self.samples[newest + 1 - REACH..=newest];
                for phase in 0..times {
                    let taps = taps[phase..].iter().step_by(times);
                    let sum: f32 = window.iter().rev().zip(taps).map(|(sample, tap)| sample * tap).sum();
                    out.push(round(sum * times as f32));
                }
            }
        }
        self.samples.drain(..self.samples.len() - kept);
    }
}

/// Sample `n` of a sound that is known as a whole, at a rate that is `times` its own; silence around it.
pub fn interpolated(samples: &[i16], times: usize, n: usize) -> i16 {
    if times == 1 {
        return samples.get(n).copied().unwrap_or(0);
    }
    // The filter's middle is on sample n.
    let (newest, phase) = (n / times + REACH / 2, n % times);
    let taps = of(times)[phase..].iter().step_by(times);
    let sample = |back: usize| newest.checked_sub(back).and_then(|at| samples.get(at));
    let sum: f32 = taps.enumerate().map(|(back, tap)| tap * f32::from(*sample(back).unwrap_or(&0))).sum();
    round(sum * times as f32)
}

/// Sample `n` of a sound that is known as a whole, at a rate of which its own is `times` as high; silence around it.
pub fn decimated(samples: &[i16], times: usize, n: usize) -> i16 {
    if times == 1 {
        return samples.get(n).copied().unwrap_or(0);
    }
    let taps = of(times);
    // The filter's middle is on the sample that this one is; it is the same from both sides.
    let newest = n.saturating_mul(times).saturating_add(taps.len() / 2);
    let sample = |back: usize| newest.checked_sub(back).and_then(|at| samples.get(at));
    round(taps.iter().enumerate().map(|(back, tap)| tap * f32::from(*sample(back).unwrap_or(&0))).sum())
}

fn round(sample: f32) -> i16 {
    // A cast keeps within the bounds.
    sample.round() as i16
}

#[cfg(test)]
mod tests {
    use std::f64::consts::TAU;

    use super::*;

    fn sine(rate: Rate, hz: f64) -> Vec<i16> {
        let turn = |n: u32| TAU * hz * f64::from(n) / f64::from(rate.hz());
        (0..rate.hz()).map(|n| (10_000.0 * turn(n).sin()) as i16).collect()
    }

    /// The amplitude of one frequency.
    fn amplitude(samples: &[i16], rate: Rate, hz: f64) -> f64 {
        let part = |wave: fn(f64) -> f64| {
            let turn = |n: usize| TAU * hz * n as f64 / f64::from(rate.hz());
            samples.iter().enumerate().map(|(n, s)| f64::from(*s) * wave(turn(n))).sum::<f64>()
        };
        2.0 * part(f64::sin).hypot(part(f64::cos)) / samples.len() as f64
    }

    fn level(samples: &[i16]) -> f64 {
        (samples.iter().map(|s| f64::from(*s).powi(2)).sum::<f64>() / samples.len() as f64).sqrt()
    }

    #[test]
    fn a_tone_keeps_its_pitch_and_level_and_brings_no_others() {
        for from in Rate::ALL {
            for to in Rate::ALL {
                let mut resampler = Resampler::new(from, to);
                let mut heard = Vec::new();
                for frame in sine(from, 1_000.0).chunks(from.frame()) {
                    let mut out = Vec::new();
                    resampler.resample(frame, &mut out);
                    assert_eq!(out.len(), to.frame(), "20 ms are 20 ms");
                    heard.extend(out);
                }
                let middle = &heard[heard.len() / 4..heard.len() * 3 / 4];
                let own = amplitude(middle, to, 1_000.0);
                assert!((9_800.0..10_200.0).contains(&own), "{from:?} to {to:?}: {own}");
                let rest = (level(middle).powi(2) - own.powi(2) / 2.0).max(0.0).sqrt();
                assert!(rest < 40.0, "{from:?} to {to:?}: {rest} beside it");
            }
        }
    }

    #[test]
    fn what_the_lower_rate_cannot_say_is_left_out() {
        for (from, to, hz) in [
            (Rate::Wide, Rate::Narrow, 6_000.0),
            (Rate::Full, Rate::Narrow, 5_000.0),
            (Rate::Full, Rate::Wide, 11_000.0),
        ] {
            let mut out = Vec::new();
            Resampler::new(from, to).resample(&sine(from, hz), &mut out);
            assert!(level(&out[200..]) < 80.0, "{hz} Hz: {}", level(&out[200..]));
        }
    }

    #[test]
    fn a_whole_sound_is_interpolated_in_place() {
        let sound = sine(Rate::Narrow, 1_000.0);
        for times in [1, 2, 6] {
            for n in (100 * times..7_900 * times).step_by(7) {
                let expected = 10_000.0 * (TAU * 1_000.0 * n as f64 / (8_000 * times) as f64).sin();
                let got = f64::from(interpolated(&sound, times, n));
                assert!((got - expected).abs() < 120.0, "{times} {n}: {got} for {expected}");
            }
        }
        for (rate, times) in [(Rate::Narrow, 1), (Rate::Wide, 2), (Rate::Full, 6)] {
            let sound = sine(rate, 1_000.0);
            for n in (100..7_900).step_by(7) {
                let expected = 10_000.0 * (TAU * 1_000.0 * n as f64 / 8_000.0).sin();
                let got = f64::from(decimated(&sound, times, n));
                assert!((got - expected).abs() < 120.0, "{times} {n}: {got} for {expected}");
            }
            let above = sine(rate, 5_000.0);
            let heard: Vec<i16> = (100..7_900).map(|n| decimated(&above, times, n)).collect();
            assert!(times == 1 || level(&heard) < 80.0, "what the lower rate can't say: {}", level(&heard));
        }
        assert_eq!((decimated(&[], 6, 0), decimated(&[1], 2, usize::MAX)), (0, 0));
        assert_eq!(interpolated(&[], 6, 0), 0);
        assert_eq!(interpolated(&[1], 2, usize::MAX / 4), 0);
    }
}
