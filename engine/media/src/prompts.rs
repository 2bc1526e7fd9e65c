//! Prompts: WAV files of any rate, mono or stereo, 8 to 32 bits or float, made into 8 kHz mono once
//! and kept. Loading reads a file and resamples it, up to a second's work for the longest: it belongs
//! on a thread that may wait, unless [`Prompts::cached`] has it.

use std::collections::HashMap;
use std::fmt;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use protocol::rtp::{CLOCK, Rate};
use rubato::Resampler as _;

/// A prompt's samples: mono, 16 bits.
#[derive(Clone, Debug, PartialEq)]
pub struct Samples {
    /// How many of them are a second.
    pub rate: Rate,
    /// In their order; clones share them.
    pub sound: Arc<[i16]>,
}

impl Samples {
    /// How long they are heard.
    pub fn length(&self) -> Duration {
        Duration::from_micros(self.sound.len() as u64 * 1_000_000 / u64::from(self.rate.hz()))
    }
}

/// Bytes of a WAV file; a larger one is [`PromptError::TooLarge`].
pub const MAX_BYTES: u64 = 20 * 1024 * 1024;

/// How long a prompt may be; a longer one is [`PromptError::TooLong`].
pub const MAX_LENGTH: Duration = Duration::from_secs(600);

/// Why a prompt can't be used: 422 at upload.
#[derive(Debug)]
pub enum PromptError {
    /// No such file.
    NotFound,
    /// It can't be read.
    Io(std::io::Error),
    /// More than [`MAX_BYTES`].
    TooLarge,
    /// More than [`MAX_LENGTH`].
    TooLong,
    /// Not a WAV file, or one cut short; with what is wrong.
    NotWav(hound::Error),
    /// A rate, or a number of channels, that is no sound: rates are 4 to 192 kHz, channels 1 or 2.
    Unsupported {
        /// Hz.
        rate: u32,
        /// Channels.
        channels: u16,
    },
    /// No samples.
    Empty,
}

impl fmt::Display for PromptError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotFound => f.write_str("no such prompt"),
            Self::Io(why) => write!(f, "prompt can't be read: {why}"),
            Self::TooLarge => write!(f, "prompt of more than {} MiB", MAX_BYTES / 1024 / 1024),
            Self::TooLong => write!(f, "prompt of more than {} minutes", MAX_LENGTH.as_secs() / 60),
            Self::NotWav(why) => write!(f, "not a WAV file: {why}"),
            Self::Unsupported { rate, channels } => {
                write!(f, "{channels} channels at {rate} Hz, wanted 1 or 2 at 4000 to 192000")
            }
            Self::Empty => f.write_str("prompt without sound"),
        }
    }
}

impl std::error::Error for PromptError {}

impl From<std::io::Error> for PromptError {
    fn from(why: std::io::Error) -> Self {
        match why.kind() {
            std::io::ErrorKind::NotFound => Self::NotFound,
            _ => Self::Io(why),
        }
    }
}

/// Prompts by path, the least recently used given up when they are more than so many bytes.
#[derive(Debug)]
pub struct Prompts {
    most: usize,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    by_path: HashMap<PathBuf, Prompt>,
    bytes: usize,
    /// Counts uses; the prompt with the least was used the longest ago.
    clock: u64,
}

#[derive(Debug)]
struct Prompt {
    samples: Samples,
    /// The file's length and time of change when it was read.
    file: (u64, Option<SystemTime>),
    used: u64,
}

impl Prompts {
    /// `most`: bytes of samples to keep; a single prompt of more is never kept.
    pub fn new(most: usize) -> Self {
        Self { most, kept: Mutex::default() }
    }

    /// What was loaded before and still is kept, without touching the file.
    pub fn cached(&self, path: &Path) -> Option<Samples> {
        self.kept().touch(path).map(|prompt| prompt.samples.clone())
    }

    /// The prompt in a file. A file that changed since (length or time of change) is read again.
    pub fn load(&self, path: &Path) -> Result<Samples, PromptError> {
        let mut open = File::open(path)?;
        let about = open.metadata()?;
        let file = (about.len(), about.modified().ok());
        if let Some(prompt) = self.kept().touch(path).filter(|prompt| prompt.file == file) {
            return Ok(prompt.samples.clone());
        }
        if about.len() > MAX_BYTES {
            return Err(PromptError::TooLarge);
        }
        let mut bytes = Vec::with_capacity(about.len() as usize);
        // It may grow while it is read.
        open.by_ref().take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
        let samples = check(&bytes)?;
        self.kept().keep(self.most, path, Prompt { samples: samples.clone(), file, used: 0 });
        Ok(samples)
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        // Whoever panicked with it left a cache, at worst a little wrong about its size.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn touch(&mut self, path: &Path) -> Option<&Prompt> {
        self.clock += 1;
        let prompt = self.by_path.get_mut(path)?;
        prompt.used = self.clock;
        Some(prompt)
    }

    fn keep(&mut self, most: usize, path: &Path, mut prompt: Prompt) {
        self.drop_one(path.to_owned());
        let bytes = size_of_val(&*prompt.samples.sound);
        if bytes > most {
            return;
        }
        while self.bytes + bytes > most
            && let Some((oldest, _)) = self.by_path.iter().min_by_key(|(_, prompt)| prompt.used)
        {
            self.drop_one(oldest.clone());
        }
        self.clock += 1;
        prompt.used = self.clock;
        self.bytes += bytes;
        self.by_path.insert(path.to_owned(), prompt);
    }

    fn drop_one(&mut self, path: PathBuf) {
        if let Some(prompt) = self.by_path.remove(&path) {
            self.bytes -= size_of_val(&*prompt.samples.sound);
        }
    }
}

/// Reads a WAV file; what [`Prompts::load`] does with a file, for uploads.
pub fn check(bytes: &[u8]) -> Result<Samples, PromptError> {
    if bytes.len() as u64 > MAX_BYTES {
        return Err(PromptError::TooLarge);
    }
    let mut wav = hound::WavReader::new(bytes).map_err(PromptError::NotWav)?;
    let hound::WavSpec { channels, sample_rate: rate, bits_per_sample, sample_format } = wav.spec();
    if !(8..=32).contains(&bits_per_sample) {
        return Err(PromptError::NotWav(hound::Error::Unsupported));
    }
    if !(1..=2).contains(&channels) || !(4_000..=192_000).contains(&rate) {
        return Err(PromptError::Unsupported { rate, channels });
    }
    if u64::from(wav.duration()) > MAX_LENGTH.as_secs() * u64::from(rate) {
        return Err(PromptError::TooLong);
    }
    let samples: Vec<f32> = match sample_format {
        hound::SampleFormat::Float => wav.samples::<f32>().collect::<Result<_, _>>(),
        hound::SampleFormat::Int => {
            let full = (1u64 << (bits_per_sample - 1)) as f32;
            wav.samples::<i32>().map(|sample| Ok(sample? as f32 / full)).collect()
        }
    }
    .map_err(PromptError::NotWav)?;
    let mono = match channels {
        1 => samples,
        _ => samples.chunks_exact(2).map(|pair| (pair[0] + pair[1]) / 2.0).collect(),
    };
    if mono.is_empty() {
        return Err(PromptError::Empty);
    }
    let mono = if rate == CLOCK { mono } else { resample(mono, rate as usize) };
    // What is no number in a float file becomes silence.
    let sound = mono.into_iter().map(|sample| (sample * 32_768.0).round() as i16).collect();
    Ok(Samples { rate: Rate::Narrow, sound })
}

/// To 8 kHz, with what lies above 4 kHz filtered out.
fn resample(samples: Vec<f32>, rate: usize) -> Vec<f32> {
    /// Samples in that are worked on together, at least: long enough for a steep filter.
    const CHUNK: usize = 4096;
    // The filter's delay is half a chunk, and must be whole samples both in and out.
    let pair = 2 * rate / gcd(rate, CLOCK as usize);
    let chunk = CHUNK.next_multiple_of(pair);
    let mut resampler = rubato::FftFixedIn::<f32>::new(rate, CLOCK as usize, chunk, 1, 1)
        .expect("both rates and the chunk are positive");
    let wanted = (samples.len() * CLOCK as usize).div_ceil(rate);
    let delay = resampler.output_delay();
    let mut out = Vec::with_capacity(wanted + delay + chunk);
    let mut rest = samples.as_slice();
    while out.len() < wanted + delay {
        let needed = resampler.input_frames_next();
        let mut chunk = rest[..needed.min(rest.len())].to_vec();
        rest = &rest[chunk.len()..];
        // After the end comes silence, until all is out of the filter.
        chunk.resize(needed, 0.0);
        let made = resampler.process(&[chunk], None).expect("the chunk is as long as asked for");
        out.extend_from_slice(&made[0]);
    }
    out.drain(..delay);
    out.truncate(wanted);
    out
}

fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use std::f32::consts::TAU;
    use std::io::Cursor;

    use super::*;

    /// A sine of 1 kHz at half of full scale, for so many seconds.
    fn wav(rate: u32, channels: u16, bits: u16, sample_format: hound::SampleFormat, seconds: f32) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        let spec = hound::WavSpec { channels, sample_rate: rate, bits_per_sample: bits, sample_format };
        let mut writer = hound::WavWriter::new(&mut bytes, spec).unwrap();
        for n in 0..(seconds * rate as f32) as u32 {
            let value = 0.5 * (TAU * 1000.0 * n as f32 / rate as f32).sin();
            for _ in 0..channels {
                match sample_format {
                    hound::SampleFormat::Float => writer.write_sample(value).unwrap(),
                    hound::SampleFormat::Int => {
                        writer.write_sample((value * ((1u64 << (bits - 1)) as f32 - 1.0)) as i32).unwrap();
                    }
                }
            }
        }
        writer.finalize().unwrap();
        bytes.into_inner()
    }

    #[test]
    fn every_kind_of_wav_becomes_the_same_tone_at_8_khz() {
        use hound::SampleFormat::{Float, Int};
        for (rate, channels, bits, format) in [
            (8_000, 1, 16, Int),
            (8_000, 2, 8, Int),
            (11_025, 1, 16, Int),
            (16_000, 1, 24, Int),
            (22_050, 2, 16, Int),
            (44_100, 2, 16, Int),
            (48_000, 1, 32, Float),
            (96_000, 2, 24, Int),
            (4_000, 1, 16, Int),
            (44_101, 1, 32, Int),
        ] {
            let samples = check(&wav(rate, channels, bits, format, 1.0)).unwrap().sound;
            assert!((7_999..=8_001).contains(&samples.len()), "{rate}: {}", samples.len());
            // The tone itself, in place and level: what differs from it is 30 dB below it.
            let middle = 1_000..7_000;
            let difference: f64 = middle
                .clone()
                .map(|n| {
                    let tone = 16_384.0 * (TAU as f64 * 1000.0 * n as f64 / 8000.0).sin();
                    (f64::from(samples[n]) - tone).powi(2)
                })
                .sum::<f64>()
                / middle.len() as f64;
            let limit = 16_384f64.powi(2) / 2.0 / 1000.0;
            assert!(difference < limit, "{rate} Hz, {bits} bits: {difference} against {limit}");
        }
    }

    #[test]
    fn what_a_telephone_cannot_say_is_filtered_out() {
        let mut bytes = Cursor::new(Vec::new());
        let spec = hound::WavSpec {
            channels: 1,
            sample_rate: 48_000,
            bits_per_sample: 16,
            sample_format: hound::SampleFormat::Int,
        };
        let mut writer = hound::WavWriter::new(&mut bytes, spec).unwrap();
        for n in 0..48_000 {
            writer.write_sample((16_000.0 * (TAU * 7_000.0 * n as f32 / 48_000.0).sin()) as i16).unwrap();
        }
        writer.finalize().unwrap();
        let samples = check(&bytes.into_inner()).unwrap().sound;
        // Unfiltered it would be heard at 1 kHz.
        assert!(samples[1_000..7_000].iter().all(|sample| sample.abs() < 200));
    }

    #[test]
    fn what_is_no_prompt_says_why() {
        use hound::SampleFormat::Int;
        assert!(matches!(check(b"hello"), Err(PromptError::NotWav(_))));
        assert!(matches!(check(&wav(8_000, 1, 16, Int, 0.0)), Err(PromptError::Empty)));
        assert!(matches!(
            check(&wav(8_000, 3, 16, Int, 0.1)),
            Err(PromptError::Unsupported { rate: 8_000, channels: 3 })
        ));
        assert!(matches!(
            check(&wav(1_000, 1, 16, Int, 0.1)),
            Err(PromptError::Unsupported { rate: 1_000, channels: 1 })
        ));
        assert!(matches!(check(&wav(8_000, 1, 8, Int, 601.0)), Err(PromptError::TooLong)));
        assert!(matches!(check(&vec![0; MAX_BYTES as usize + 1]), Err(PromptError::TooLarge)));
        let mut cut = wav(8_000, 1, 16, Int, 1.0);
        cut.truncate(1_000);
        assert!(matches!(check(&cut), Err(PromptError::NotWav(_))));
    }

    /// An upload may hold anything: every byte of the header takes the values at its edges and loses
    /// every bit once, and the file is cut everywhere.
    #[test]
    fn no_header_whatever_it_says_makes_the_reader_panic() {
        use hound::SampleFormat::{Float, Int};
        for whole in
            [wav(8_000, 1, 16, Int, 0.005), wav(11_025, 2, 24, Int, 0.005), wav(8_000, 1, 32, Float, 0.005)]
        {
            for at in 0..whole.len().min(80) {
                let flipped = (0..8).map(|bit| whole[at] ^ 1 << bit);
                for value in flipped.chain([0, 1, 0x7f, 0x80, 0xff]) {
                    let mut changed = whole.clone();
                    changed[at] = value;
                    let _ = check(&changed);
                }
                let _ = check(&whole[..at]);
            }
        }
    }

    #[test]
    fn prompts_are_kept_until_others_need_the_room_or_the_file_changes() {
        use hound::SampleFormat::Int;
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        for name in ["a", "b", "c"] {
            std::fs::write(path(name), wav(8_000, 1, 16, Int, 0.1)).unwrap();
        }
        // Room for two of 1,600 bytes.
        let prompts = Prompts::new(3_200);
        let first = prompts.load(&path("a")).unwrap();
        prompts.load(&path("b")).unwrap();
        assert!(Arc::ptr_eq(&first.sound, &prompts.load(&path("a")).unwrap().sound));
        prompts.load(&path("c")).unwrap();
        assert!(prompts.cached(&path("a")).is_some());
        assert!(prompts.cached(&path("b")).is_none(), "used the longest ago");

        std::fs::write(path("a"), wav(8_000, 1, 16, Int, 0.15)).unwrap();
        assert_eq!(prompts.load(&path("a")).unwrap().sound.len(), 1_200);
        assert!(matches!(prompts.load(&path("none")), Err(PromptError::NotFound)));
    }
}
