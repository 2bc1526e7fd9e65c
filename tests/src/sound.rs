//! Tones, written and recognised: a WAV file with one frequency, and how long a file that was heard holds
//! that frequency. The measure is Goertzel's, over windows of 100 ms of the file's own rate.

use std::f64::consts::TAU;
use std::io::Cursor;
use std::path::Path;
use std::time::Duration;

/// Windows of a second: 100 ms each, so frequencies 10 Hz apart are told from each other.
const WINDOWS: u32 = 10;
/// A window holds a tone when this much of its power is at the frequency.
const SHARE: f64 = 0.85;
/// Amplitude of the tones written, of full scale 1.
pub const AMPLITUDE: f64 = 0.3;

/// Samples a second of a file with a tone: what telephones of 8 kHz can't say is in one of 16 kHz.
pub fn rate_for(hz: f64) -> u32 {
    if hz < 3600.0 { 8000 } else { 16_000 }
}

/// Writes `length` of a sine of `hz` at [`AMPLITUDE`], 16 bits, mono.
pub fn write_tone(path: &Path, hz: f64, length: Duration) {
    std::fs::write(path, tone_wav(hz, length)).expect("the test's folder can be written");
}

/// The same as the bytes of a WAV file.
pub fn tone_wav(hz: f64, length: Duration) -> Vec<u8> {
    let rate = rate_for(hz);
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: rate,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut file = Cursor::new(Vec::new());
    let mut wav = hound::WavWriter::new(&mut file, spec).expect("memory can be written");
    for n in 0..(length.as_secs_f64() * f64::from(rate)) as u32 {
        let sample = AMPLITUDE * (TAU * hz * f64::from(n) / f64::from(rate)).sin();
        wav.write_sample((sample * f64::from(i16::MAX)) as i16).expect("memory can be written");
    }
    wav.finalize().expect("memory can be written");
    file.into_inner()
}

/// What a telephone heard: samples of full scale 1.
#[derive(Debug)]
pub struct Heard {
    samples: Vec<f64>,
    rate: u32,
}

/// How much of a tone was heard.
#[derive(Debug, PartialEq)]
pub struct Tone {
    /// All windows that hold it, together.
    pub length: Duration,
    /// The middle one of their amplitudes, of full scale 1.
    pub amplitude: f64,
}

impl Heard {
    /// Reads a WAV of 16 bits: its first channel. Panics when it is not one.
    pub fn read(path: &Path) -> Self {
        Self::read_channel(path, 0)
    }

    /// Reads one channel, from 0, of a WAV of 16 bits. Panics when it is not one, or has no such channel.
    pub fn read_channel(path: &Path, channel: u16) -> Self {
        let mut wav = hound::WavReader::open(path).unwrap_or_else(|why| panic!("{}: {why}", path.display()));
        let hound::WavSpec { channels, sample_rate: rate, bits_per_sample, .. } = wav.spec();
        assert!(channel < channels && bits_per_sample == 16, "{}: {:?}", path.display(), wav.spec());
        let samples =
            wav.samples::<i16>().map_while(Result::ok).skip(channel.into()).step_by(channels.into());
        Self { samples: samples.map(|s| f64::from(s) / f64::from(i16::MAX)).collect(), rate }
    }

    /// How long it is.
    pub fn length(&self) -> Duration {
        Duration::from_secs_f64(self.samples.len() as f64 / f64::from(self.rate))
    }

    /// 100 ms each.
    fn windows(&self) -> impl Iterator<Item = &[f64]> {
        self.samples.chunks_exact((self.rate / WINDOWS) as usize)
    }

    /// How much of the tone is in it.
    pub fn tone(&self, hz: f64) -> Tone {
        let turns = hz / f64::from(self.rate);
        let mut levels: Vec<f64> = self.windows().filter_map(|w| amplitude(w, turns)).collect();
        levels.sort_by(f64::total_cmp);
        let length = Duration::from_millis(100) * levels.len() as u32;
        Tone { length, amplitude: levels.get(levels.len() / 2).copied().unwrap_or(0.0) }
    }

    /// Asserts that at least `least` of the tone is there, as loud as it was written give or take 3 dB.
    #[track_caller]
    pub fn assert_tone(&self, hz: f64, least: Duration) {
        let tone = self.tone(hz);
        assert!(tone.length >= least, "{hz} Hz for {:?} of {:?}, not {least:?}", tone.length, self.length());
        let ratio = tone.amplitude / AMPLITUDE;
        assert!((0.7..1.42).contains(&ratio), "{hz} Hz is {ratio:.2} times as loud as it was sent");
    }

    /// Asserts that the tone is heard for at least so long and at most so long, among others or alone, as
    /// loud as it was written give or take 3 dB.
    #[track_caller]
    pub fn assert_among(&self, hz: f64, least: Duration, most: Duration) {
        let loud = |w: &&[f64]| (0.7..1.42).contains(&(level(w, hz / f64::from(self.rate)) / AMPLITUDE));
        let length = Duration::from_millis(100) * self.windows().filter(loud).count() as u32;
        let whole = self.length();
        assert!(
            (least..=most).contains(&length),
            "{hz} Hz for {length:?} of {whole:?}, not {least:?} to {most:?}"
        );
    }

    /// Asserts that there is at most a window at either edge of the tone.
    #[track_caller]
    pub fn assert_no_tone(&self, hz: f64) {
        let tone = self.tone(hz);
        assert!(
            tone.length <= Duration::from_millis(200),
            "{hz} Hz for {:?}, where none belongs",
            tone.length
        );
    }

    /// How much of it is louder than a hundredth of full scale, whatever it is.
    pub fn loud(&self) -> Duration {
        let windows = self.windows().filter(|w| power(w).sqrt() > 0.01).count();
        Duration::from_millis(100) * windows as u32
    }
}

/// The amplitude of a frequency, in turns a sample, in a window in which it dominates.
fn amplitude(window: &[f64], turns: f64) -> Option<f64> {
    let total = power(window);
    if total < 1e-6 {
        return None;
    }
    let level = level(window, turns);
    // A sine of amplitude A has the power A^2 / 2.
    (level * level / 2.0 / total >= SHARE).then_some(level)
}

/// The amplitude of a frequency, in turns a sample, in a window, whatever else is in it.
fn level(window: &[f64], turns: f64) -> f64 {
    let turn = TAU * turns;
    let (mut last, mut before) = (0.0, 0.0);
    for sample in window {
        (last, before) = (sample + 2.0 * turn.cos() * last - before, last);
    }
    let square = last * last + before * before - 2.0 * turn.cos() * last * before;
    // A sine of amplitude A has |X|^2 = (A n / 2)^2.
    2.0 * square.sqrt() / window.len() as f64
}

fn power(window: &[f64]) -> f64 {
    window.iter().map(|s| s * s).sum::<f64>() / window.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tone_is_known_by_its_frequency_length_and_level() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("tone.wav");
        write_tone(&path, 440.0, Duration::from_secs(2));
        let heard = Heard::read(&path);
        assert_eq!(heard.length(), Duration::from_secs(2));
        heard.assert_tone(440.0, Duration::from_secs(2));
        for other in [430.0, 450.0, 880.0, 1000.0] {
            heard.assert_no_tone(other);
        }
    }

    #[test]
    fn a_tone_above_4_khz_is_no_other_one() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("tone.wav");
        write_tone(&path, 6000.0, Duration::from_secs(2));
        let heard = Heard::read(&path);
        heard.assert_tone(6000.0, Duration::from_secs(2));
        heard.assert_no_tone(2000.0);
    }

    #[test]
    fn a_tone_among_others_is_known_by_its_level() {
        let sine = |hz: f64, n: u32| AMPLITUDE * (TAU * hz * f64::from(n) / 8000.0).sin();
        let samples = (0..16_000).map(|n| sine(440.0, n) + sine(1000.0, n)).collect();
        let heard = Heard { samples, rate: 8000 };
        let second = Duration::from_secs(1);
        heard.assert_among(440.0, 2 * second, 2 * second);
        heard.assert_among(1000.0, 2 * second, 2 * second);
        heard.assert_among(600.0, Duration::ZERO, Duration::ZERO);
        assert_eq!(heard.tone(440.0).length, Duration::ZERO, "neither dominates");
    }

    #[test]
    fn silence_and_noise_hold_no_tone() {
        let silence = Heard { samples: vec![0.0; 8000], rate: 8000 };
        assert_eq!(silence.tone(440.0), Tone { length: Duration::ZERO, amplitude: 0.0 });
        // A linear congruential generator is noise enough.
        let mut state = 1_u32;
        let chance = std::iter::repeat_with(|| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            f64::from(state >> 8) / f64::from(1 << 24) - 0.5
        });
        let noise = Heard { samples: chance.take(8000).collect(), rate: 8000 };
        noise.assert_no_tone(440.0);
        assert!(noise.loud() == Duration::from_secs(1) && silence.loud() == Duration::ZERO);
    }
}
