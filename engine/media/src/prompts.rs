//! Prompts: WAV files of any rate, mono or stereo, 8 to 32 bits or float, made into mono of the rate of the leg that
//! hears them once for each rate, and kept. What a file has no sound for is not made of it: one of 8 kHz is kept at
//! 8 kHz for all. Loading reads a file and resamples it, up to a second's work for the longest: it belongs on a thread
//! that may wait, unless [`Prompts::cached`] has it.

use std::collections::HashMap;
use std::fmt;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use protocol::rtp::Rate;
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

/// Prompts by path, at the rates at which they were heard; the least recently used is given up, with all its rates,
/// when they are more than so many bytes.
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
    /// By rate.
    sounds: [Option<Arc<[i16]>>; 3],
    /// What loses nothing of it: it is kept at no higher rate.
    holding: Rate,
    /// The file's length and time of change when it was read.
    file: Written,
    used: u64,
}

type Written = (u64, Option<SystemTime>);

impl Prompt {
    /// What a leg of this rate hears.
    fn at(&self, rate: Rate) -> Option<Samples> {
        let rate = rate.min(self.holding);
        let sound = self.sounds[rate as usize].clone()?;
        Some(Samples { rate, sound })
    }

    fn bytes(&self) -> usize {
        self.sounds.iter().flatten().map(|sound| size_of_val(&**sound)).sum()
    }
}

impl Prompts {
    /// `most`: bytes of samples to keep; a single sound of more is never kept.
    pub fn new(most: usize) -> Self {
        Self { most, kept: Mutex::default() }
    }

    /// What a leg of this rate hears, if it was loaded before and still is kept, without touching the file.
    pub fn cached(&self, path: &Path, rate: Rate) -> Option<Samples> {
        self.kept().touch(path)?.at(rate)
    }

    /// Bytes of samples that are kept.
    pub fn bytes(&self) -> usize {
        self.kept().bytes
    }

    /// The prompt in a file as a leg of this rate hears it: at its rate, or at a lower one that loses nothing of it. A
    /// file that changed since (length or time of change) is read again.
    ///
    /// # Errors
    /// See [`PromptError`].
    pub fn load(&self, path: &Path, rate: Rate) -> Result<Samples, PromptError> {
        let mut open = File::open(path)?;
        let about = open.metadata()?;
        let file = (about.len(), about.modified().ok());
        let known = |prompt: &&Prompt| prompt.file == file;
        if let Some(samples) = self.kept().touch(path).filter(known).and_then(|prompt| prompt.at(rate)) {
            return Ok(samples);
        }
        if about.len() > MAX_BYTES {
            return Err(PromptError::TooLarge);
        }
        let mut bytes = Vec::with_capacity(about.len() as usize);
        // It may grow while it is read.
        open.by_ref().take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
        let (samples, holding) = read(&bytes, rate)?;
        self.kept().keep(self.most, path, file, holding, &samples);
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

    fn keep(&mut self, most: usize, path: &Path, file: Written, holding: Rate, samples: &Samples) {
        if self.touch(path).is_some_and(|prompt| prompt.file != file) {
            self.drop_one(path.to_owned());
        }
        let bytes = size_of_val(&*samples.sound);
        if bytes > most {
            return;
        }
        // The one that it belongs to was used last, and goes last.
        while self.bytes + bytes > most
            && let Some((oldest, _)) = self.by_path.iter().min_by_key(|(_, prompt)| prompt.used)
        {
            self.drop_one(oldest.clone());
        }
        let used = self.clock;
        let prompt = self.by_path.entry(path.to_owned()).or_insert_with(|| Prompt {
            sounds: [None, None, None],
            holding,
            file,
            used,
        });
        let before = prompt.bytes();
        prompt.sounds[samples.rate as usize] = Some(samples.sound.clone());
        self.bytes += prompt.bytes() - before;
    }

    fn drop_one(&mut self, path: PathBuf) {
        if let Some(prompt) = self.by_path.remove(&path) {
            self.bytes -= prompt.bytes();
        }
    }
}

/// Reads a WAV file as a leg of this rate hears it; what [`Prompts::load`] does with a file, for uploads.
///
/// # Errors
/// See [`PromptError`].
pub fn check(bytes: &[u8], rate: Rate) -> Result<Samples, PromptError> {
    Ok(read(bytes, rate)?.0)
}

/// The sound, and which rate would lose nothing of it.
fn read(bytes: &[u8], rate: Rate) -> Result<(Samples, Rate), PromptError> {
    if bytes.len() as u64 > MAX_BYTES {
        return Err(PromptError::TooLarge);
    }
    let mut wav = hound::WavReader::new(bytes).map_err(PromptError::NotWav)?;
    let hound::WavSpec { channels, sample_rate: hz, bits_per_sample, sample_format } = wav.spec();
    if !(8..=32).contains(&bits_per_sample) {
        return Err(PromptError::NotWav(hound::Error::Unsupported));
    }
    if !(1..=2).contains(&channels) || !(4_000..=192_000).contains(&hz) {
        return Err(PromptError::Unsupported { rate: hz, channels });
    }
    if u64::from(wav.duration()) > MAX_LENGTH.as_secs() * u64::from(hz) {
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
    let holding = Rate::holding(hz);
    let rate = rate.min(holding);
    let mono = if hz == rate.hz() { mono } else { resample(mono, hz as usize, rate.hz() as usize) };
    // What is no number in a float file becomes silence.
    let sound = mono.into_iter().map(|sample| (sample * 32_768.0).round() as i16).collect();
    Ok((Samples { rate, sound }, holding))
}

/// With what the lower of the two rates can't hold filtered out.
fn resample(samples: Vec<f32>, from: usize, to: usize) -> Vec<f32> {
    /// Samples in that are worked on together, at least: long enough for a steep filter.
    const CHUNK: usize = 4096;
    // The filter's delay is half a chunk, and must be whole samples both in and out.
    let pair = 2 * from / gcd(from, to);
    let chunk = CHUNK.next_multiple_of(pair);
    let mut resampler =
        rubato::FftFixedIn::<f32>::new(from, to, chunk, 1, 1).expect("both rates and the chunk are positive");
    let wanted = (samples.len() * to).div_ceil(from);
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
    fn every_kind_of_wav_becomes_the_same_tone_at_the_rate_of_who_hears_it() {
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
            for heard in Rate::ALL {
                let samples = check(&wav(rate, channels, bits, format, 1.0), heard).unwrap();
                assert_eq!(samples.rate, heard.min(Rate::holding(rate)), "nothing is made of nothing");
                let (hz, samples) = (samples.rate.hz() as usize, samples.sound);
                assert!(samples.len().abs_diff(hz) <= 1, "{rate}: {}", samples.len());
                // The tone itself, in place and level: what differs from it is 30 dB below it.
                let middle = hz / 8..hz * 7 / 8;
                let difference: f64 = middle
                    .clone()
                    .map(|n| {
                        let tone = 16_384.0 * (TAU as f64 * 1000.0 * n as f64 / hz as f64).sin();
                        (f64::from(samples[n]) - tone).powi(2)
                    })
                    .sum::<f64>()
                    / middle.len() as f64;
                let limit = 16_384f64.powi(2) / 2.0 / 1000.0;
                assert!(difference < limit, "{rate} Hz, {bits} bits: {difference} against {limit}");
            }
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
        let bytes = bytes.into_inner();
        let samples = check(&bytes, Rate::Narrow).unwrap().sound;
        // Unfiltered it would be heard at 1 kHz.
        assert!(samples[1_000..7_000].iter().all(|sample| sample.abs() < 200));
        // A wide one can.
        let samples = check(&bytes, Rate::Wide).unwrap().sound;
        assert!(samples[2_000..14_000].chunks(160).all(|part| part.iter().any(|sample| *sample > 15_000)));
    }

    #[test]
    fn what_is_no_prompt_says_why() {
        use hound::SampleFormat::Int;
        assert!(matches!(check(b"hello", Rate::Full), Err(PromptError::NotWav(_))));
        assert!(matches!(check(&wav(8_000, 1, 16, Int, 0.0), Rate::Full), Err(PromptError::Empty)));
        assert!(matches!(
            check(&wav(8_000, 3, 16, Int, 0.1), Rate::Full),
            Err(PromptError::Unsupported { rate: 8_000, channels: 3 })
        ));
        assert!(matches!(
            check(&wav(1_000, 1, 16, Int, 0.1), Rate::Full),
            Err(PromptError::Unsupported { rate: 1_000, channels: 1 })
        ));
        assert!(matches!(check(&wav(8_000, 1, 8, Int, 601.0), Rate::Full), Err(PromptError::TooLong)));
        assert!(matches!(check(&vec![0; MAX_BYTES as usize + 1], Rate::Full), Err(PromptError::TooLarge)));
        let mut cut = wav(8_000, 1, 16, Int, 1.0);
        cut.truncate(1_000);
        assert!(matches!(check(&cut, Rate::Full), Err(PromptError::NotWav(_))));
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
                    let _ = check(&changed, Rate::Wide);
                }
                let _ = check(&whole[..at], Rate::Full);
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
        let load = |name: &str| prompts.load(&path(name), Rate::Narrow);
        let first = load("a").unwrap();
        load("b").unwrap();
        assert!(Arc::ptr_eq(&first.sound, &load("a").unwrap().sound));
        load("c").unwrap();
        assert!(prompts.cached(&path("a"), Rate::Narrow).is_some());
        assert!(prompts.cached(&path("b"), Rate::Narrow).is_none(), "used the longest ago");

        std::fs::write(path("a"), wav(8_000, 1, 16, Int, 0.15)).unwrap();
        assert_eq!(load("a").unwrap().sound.len(), 1_200);
        assert!(matches!(load("none"), Err(PromptError::NotFound)));
    }

    #[test]
    fn a_prompt_is_kept_for_each_rate_at_which_it_was_heard_and_given_up_whole() {
        use hound::SampleFormat::Int;
        let folder = tempfile::tempdir().unwrap();
        let [full, narrow] = ["full", "narrow"].map(|name| folder.path().join(name));
        std::fs::write(&full, wav(44_100, 1, 16, Int, 0.1)).unwrap();
        std::fs::write(&narrow, wav(8_000, 1, 16, Int, 0.1)).unwrap();
        // Room for what a tenth of a second takes at all three rates: 1,600, 3,200 and 9,600 bytes.
        let prompts = Prompts::new(14_400);
        for (rate, bytes) in [(Rate::Narrow, 1_600), (Rate::Wide, 4_800), (Rate::Full, 14_400)] {
            assert_eq!(prompts.cached(&full, rate), None, "made when it is asked for");
            let samples = prompts.load(&full, rate).unwrap();
            assert_eq!((samples.rate, prompts.bytes()), (rate, bytes));
            assert_eq!(prompts.cached(&full, rate), Some(samples));
        }
        for rate in Rate::ALL {
            let samples = prompts.load(&narrow, rate).unwrap();
            assert_eq!((samples.rate, prompts.bytes()), (Rate::Narrow, 1_600), "one for all");
            assert_eq!(prompts.cached(&full, rate), None, "it had the room");
        }
        // It changed: what was made of it at other rates is of no use any more.
        prompts.load(&full, Rate::Wide).unwrap();
        std::fs::write(&full, wav(48_000, 1, 16, Int, 0.2)).unwrap();
        assert_eq!(prompts.load(&full, Rate::Narrow).unwrap().sound.len(), 1_600);
        assert_eq!(prompts.cached(&full, Rate::Wide), None);
        // One that is larger than all the room is heard, and not kept.
        std::fs::write(&full, wav(48_000, 1, 16, Int, 0.5)).unwrap();
        assert_eq!(prompts.load(&full, Rate::Full).unwrap().sound.len(), 24_000);
        assert_eq!((prompts.cached(&full, Rate::Full), prompts.bytes()), (None, 1_600));
    }
}
