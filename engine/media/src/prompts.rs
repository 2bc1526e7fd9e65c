//! Prompts: WAV files of any rate, mono or stereo, 8 to 32 bits or float, made into 8 kHz mono once
//! and kept. Loading reads a file and resamples it, up to a second's work for the longest: it belongs
//! on a thread that may wait, unless [`Prompts::cached`] has it.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// A prompt's samples: 8 kHz, mono, 16 bits.
pub type Samples = Arc<[i16]>;

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

/// Prompts by path, the least recently used given up when they are more than so many bytes.
#[derive(Debug)]
pub struct Prompts {}

impl Prompts {
    /// `most`: bytes of samples to keep.
    pub fn new(most: usize) -> Self {
        let _ = most;
        Self {}
    }

    /// What was loaded before and still is kept, without touching the file.
    pub fn cached(&self, path: &Path) -> Option<Samples> {
        let _ = path;
        None
    }

    /// The prompt in a file. A file that changed since (length or time of change) is read again.
    pub fn load(&self, path: &Path) -> Result<Samples, PromptError> {
        let _ = path;
        Err(PromptError::NotFound)
    }
}

/// Reads a WAV file; what [`Prompts::load`] does with a file, for uploads.
pub fn check(bytes: &[u8]) -> Result<Samples, PromptError> {
    let _ = bytes;
    Err(PromptError::Empty)
}
