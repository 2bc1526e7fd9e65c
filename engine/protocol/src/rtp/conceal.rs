//! Sound in place of lost packets, in the sense of G.711 Appendix I: the last pitch period said is said again,
//! softer and softer, and silence follows after 60 ms. What comes then is faded in over it. Also the way back: a
//! buffer that holds too much gives up whole pitch periods. Opus has both in its decoder.
//!
//! Unlike the Appendix this needs no sound ahead, so it costs no delay: a step where the repetition begins is
//! spread over what follows it.

use std::time::Duration;

use super::Rate;

/// Appendix I: pitch from 66 to 200 Hz.
const LEAST_PITCH: Duration = Duration::from_millis(5);
const MOST_PITCH: Duration = Duration::from_millis(15);
/// Appendix I: what is compared to find it.
const COMPARED: Duration = Duration::from_millis(20);
/// The first of a gap is as loud as before; from then on it fades until nothing is left.
const LOUD: Duration = Duration::from_millis(10);
const FADED: Duration = Duration::from_millis(60);
/// Over which two sounds change into each other.
const CROSSING: Duration = Duration::from_millis(4);

/// Remembers what one source said last, for the moment when it is missing.
#[derive(Clone, Debug)]
pub struct Concealer {
    rate: Rate,
    /// The newest last, always as long.
    history: Vec<f32>,
    /// While something is missing.
    gap: Option<Gap>,
}

#[derive(Clone, Debug)]
struct Gap {
    /// One pitch period whose end leads to its beginning.
    cycle: Vec<f32>,
    /// Samples made up so far.
    made: usize,
    /// What the first sample made up would leap by.
    step: f32,
}

fn samples(rate: Rate, time: Duration) -> usize {
    time.as_micros() as usize * rate.hz() as usize / 1_000_000
}

impl Concealer {
    /// Silence was before.
    pub fn new(rate: Rate) -> Self {
        Self { rate, history: vec![0.0; samples(rate, COMPARED + MOST_PITCH)], gap: None }
    }

    /// The next that came. After a gap its beginning is changed, so that it follows from what was made up.
    pub fn heard(&mut self, sound: &mut [i16]) {
        if self.gap.is_some() {
            let crossing = samples(self.rate, CROSSING).min(sound.len());
            let mut made = vec![0.0; crossing];
            self.make(&mut made);
            for (n, (sample, made)) in sound.iter_mut().zip(made).enumerate() {
                let share = (n + 1) as f32 / (crossing + 1) as f32;
                *sample = (f32::from(*sample) * share + made * (1.0 - share)) as i16;
            }
            self.gap = None;
        }
        self.remember(sound.iter().map(|sample| f32::from(*sample)));
    }

    /// The next that did not come.
    pub fn conceal(&mut self, sound: &mut [i16]) {
        let mut made = vec![0.0; sound.len()];
        self.make(&mut made);
        for (sample, made) in sound.iter_mut().zip(&made) {
            *sample = *made as i16;
        }
    }

    /// Whether nothing is left to be heard of what is made up.
    pub fn is_silent(&self) -> bool {
        self.gap.as_ref().is_some_and(|gap| gap.made >= samples(self.rate, FADED))
    }

    fn make(&mut self, out: &mut [f32]) {
        let gap = self.gap.get_or_insert_with(|| Gap::new(self.rate, &self.history));
        let (loud, faded, smooth) =
            (samples(self.rate, LOUD), samples(self.rate, FADED), samples(self.rate, CROSSING));
        for sample in out {
            let level = 1.0 - gap.made.saturating_sub(loud) as f32 / (faded - loud) as f32;
            let step = gap.step * (1.0 - gap.made as f32 / smooth as f32).max(0.0);
            *sample = (gap.cycle[gap.made % gap.cycle.len()] + step) * level.max(0.0);
            gap.made += 1;
        }
    }

    fn remember(&mut self, sound: impl ExactSizeIterator<Item = f32>) {
        let length = self.history.len();
        let skipped = sound.len().saturating_sub(length);
        self.history.extend(sound.skip(skipped));
        self.history.drain(..self.history.len() - length);
    }
}

impl Gap {
    fn new(rate: Rate, history: &[f32]) -> Self {
        let end = history.len();
        let compared = samples(rate, COMPARED);
        let (least, most) = (samples(rate, LEAST_PITCH), samples(rate, MOST_PITCH));
        // Coarsely by every fourth sample of 16 kHz, as the Appendix does, then finely around the best.
        let coarse = rate.times(Rate::Narrow) * 2;
        let newest = &history[end - compared..];
        let likeness =
            |lag: usize, every: usize| likeness(newest, &history[end - compared - lag..end - lag], every);
        let best = |lags: &mut dyn Iterator<Item = usize>, every: usize| {
            lags.map(|lag| (likeness(lag, every), lag))
                .max_by(|a, b| a.0.total_cmp(&b.0))
                .map_or(least, |b| b.1)
        };
        let around = best(&mut (least..=most).step_by(coarse), coarse);
        let pitch = best(&mut (around.saturating_sub(coarse).max(least)..=(around + coarse).min(most)), 1);
        let mut cycle = history[end - pitch..].to_vec();
        // Its last quarter turns into what came before it, which leads to its beginning.
        let quarter = pitch / 4;
        let before = &history[end - pitch - quarter..end - pitch];
        for (n, (sample, before)) in cycle[pitch - quarter..].iter_mut().zip(before).enumerate() {
            let share = (n + 1) as f32 / (quarter + 1) as f32;
            *sample = *sample * (1.0 - share) + before * share;
        }
        // The sample that would follow: as far from the last as that was from the one before it.
        let (last, former) = (history[end - 1], history[end - 1 - pitch]);
        Self { step: last - former, cycle, made: 0 }
    }
}

/// From -1 to 1; 0 for silence.
fn likeness(a: &[f32], b: &[f32], every: usize) -> f32 {
    let pairs = a.iter().zip(b).step_by(every);
    let (mut product, mut power_a, mut power_b) = (0.0, 0.0, 0.0);
    for (a, b) in pairs {
        product += a * b;
        power_a += a * a;
        power_b += b * b;
    }
    let power = (power_a * power_b).sqrt();
    if power > 0.0 { product / power } else { 0.0 }
}

/// Takes one period of 2.5 to 10 ms out of the beginning of a sound, where it is least heard. Answers how many
/// samples are gone: none if it is shorter than 20 ms.
pub fn shorten(sound: &mut Vec<i16>, rate: Rate) -> usize {
    let (least, most) = (rate.frame() / 8, rate.frame() / 2);
    if sound.len() < 2 * most {
        return 0;
    }
    let start: Vec<f32> = sound[..2 * most].iter().map(|sample| f32::from(*sample)).collect();
    let every = rate.times(Rate::Narrow);
    let lag = (least..=most)
        .step_by(every)
        .map(|lag| (likeness(&start[..most], &start[lag..lag + most], every), lag))
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map_or(most, |(_, lag)| lag);
    for n in 0..lag {
        let share = (n + 1) as f32 / (lag + 1) as f32;
        sound[n + lag] = (start[n] * (1.0 - share) + start[n + lag] * share) as i16;
    }
    sound.drain(..lag);
    lag
}

#[cfg(test)]
mod tests {
    use std::f32::consts::TAU;

    use super::*;

    /// A voice of so many Hz with two overtones, from any sample on.
    fn voice(rate: Rate, hz: f32, from: usize, length: usize) -> Vec<i16> {
        let turn = |n: usize| TAU * hz * n as f32 / rate.hz() as f32;
        let sample =
            |n| 6_000.0 * turn(n).sin() + 2_000.0 * (2.0 * turn(n)).sin() + 900.0 * (3.0 * turn(n)).cos();
        (from..from + length).map(|n| sample(n) as i16).collect()
    }

    fn power(sound: &[i16]) -> f64 {
        sound.iter().map(|s| f64::from(*s).powi(2)).sum::<f64>() / sound.len() as f64
    }

    /// The greatest difference of two samples that follow each other.
    fn steepest(sound: &[i16]) -> i32 {
        sound.windows(2).map(|pair| (i32::from(pair[1]) - i32::from(pair[0])).abs()).max().unwrap_or(0)
    }

    #[test]
    fn g711_appendix_i_a_gap_of_one_frame_is_hardly_heard_in_a_voice() {
        for rate in [Rate::Narrow, Rate::Wide] {
            for hz in [90.0, 125.0, 170.0, 210.0] {
                let frame = rate.frame();
                let mut concealer = Concealer::new(rate);
                let mut whole = Vec::new();
                for n in 0..20 {
                    let mut sound = voice(rate, hz, n * frame, frame);
                    if n % 5 == 4 {
                        concealer.conceal(&mut sound);
                    } else {
                        concealer.heard(&mut sound);
                    }
                    whole.extend(sound);
                }
                let spoken = voice(rate, hz, 0, 20 * frame);
                let off: Vec<i16> = whole.iter().zip(&spoken).map(|(a, b)| a.saturating_sub(*b)).collect();
                assert!(power(&off) < power(&spoken) / 30.0, "{rate:?} {hz}: {} off", power(&off).sqrt());
                assert!(steepest(&whole) <= steepest(&spoken) * 3 / 2, "{rate:?} {hz}: {}", steepest(&whole));
            }
        }
    }

    #[test]
    fn g711_appendix_i_what_is_made_up_fades_and_is_silent_after_60_ms() {
        let rate = Rate::Narrow;
        let mut concealer = Concealer::new(rate);
        concealer.heard(&mut voice(rate, 150.0, 0, 800));
        let mut made = Vec::new();
        for _ in 0..5 {
            let mut sound = vec![0; rate.frame()];
            concealer.conceal(&mut sound);
            made.push(power(&sound));
        }
        assert!(made.windows(2).all(|pair| pair[1] <= pair[0]), "{made:?}");
        assert!(made[0] > 0.5 * power(&voice(rate, 150.0, 0, 800)), "{made:?}");
        assert_eq!(made[3..], [0.0, 0.0]);
        assert!(concealer.is_silent());
        // What comes then is there after 4 ms, without a click.
        let mut back = voice(rate, 150.0, 13, 160);
        let spoken = back.clone();
        concealer.heard(&mut back);
        assert!(i32::from(back[0]).abs() < 400 && back[32..] == spoken[32..]);
    }

    /// Noise, clicks, silence and full scale: no click is louder than what was said.
    #[test]
    fn whatever_was_said_the_repetition_begins_where_it_ended() {
        let mut chance = 1u32;
        for loud in [1, 100, 32_767] {
            let mut concealer = Concealer::new(Rate::Narrow);
            for round in 0..200 {
                let mut sound: Vec<i16> = (0..160)
                    .map(|_| {
                        chance = chance.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                        ((chance >> 16) as i32 * 2 * loud / 65_535 - loud) as i16
                    })
                    .collect();
                concealer.heard(&mut sound);
                if round % 3 == 0 {
                    let last = i32::from(sound[159]);
                    concealer.conceal(&mut sound);
                    let leap = (i32::from(sound[0]) - last).abs();
                    assert!(leap <= 2 * loud && sound.iter().all(|s| i32::from(*s).abs() <= 3 * loud));
                }
            }
        }
        let mut quiet = Concealer::new(Rate::Wide);
        let mut sound = [7; 320];
        quiet.conceal(&mut sound);
        assert_eq!(sound, [0; 320]);
    }

    #[test]
    fn a_period_less_is_heard_as_the_same_voice() {
        for rate in [Rate::Narrow, Rate::Wide, Rate::Full] {
            for hz in [110.0, 160.0, 230.0, 400.0] {
                let spoken = voice(rate, hz, 0, 4 * rate.frame());
                let mut sound = spoken.clone();
                let gone = shorten(&mut sound, rate);
                assert!((rate.frame() / 8..=rate.frame() / 2).contains(&gone), "{gone}");
                assert_eq!(sound.len() + gone, spoken.len());
                assert!(steepest(&sound) <= steepest(&spoken) * 3 / 2, "{rate:?} {hz}");
            }
        }
        assert_eq!(shorten(&mut vec![0; 100], Rate::Narrow), 0);
    }
}
