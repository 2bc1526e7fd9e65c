//! The one thread that writes recordings: WAV, 8 or 16 kHz, 16 bits. The header is made right after every
//! piece of half a second, so that a file is whole whenever the process ends. Media threads never wait for
//! it: what it is too busy for is left out, and counted.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};
use protocol::rtp::Rate;

use crate::command::{EndOfRecording, Event, Happening, StreamId};

/// Jobs that may wait, half a second of sound each, 66 MB at most; more are left out of their files.
const MAX_JOBS: usize = 2048;

/// What names a recording when it ends.
#[derive(Debug)]
pub(crate) struct Ended {
    pub owner: u64,
    pub stream: StreamId,
    pub token: u64,
    pub name: String,
}

/// More of a recording, or its end.
#[derive(Debug)]
pub(crate) struct Job {
    /// One for each recording, for as long as it lives.
    pub file: Arc<Ended>,
    pub rate: Rate,
    pub channels: u16,
    /// Samples of a channel that are missing before these.
    pub owed: u64,
    /// Interleaved.
    pub samples: Vec<i16>,
    pub end: Option<EndOfRecording>,
}

/// Where jobs are left.
#[derive(Clone, Debug)]
pub(crate) struct WriterHandle {
    jobs: Sender<Job>,
    left_out: Arc<AtomicU64>,
}

impl WriterHandle {
    /// Never waits; gives the job back when too many wait.
    pub fn try_send(&self, job: Job) -> Result<(), Job> {
        self.jobs.try_send(job).map_err(|error| {
            self.left_out.fetch_add(1, Ordering::Relaxed);
            match error {
                TrySendError::Full(job) | TrySendError::Disconnected(job) => job,
            }
        })
    }

    /// Waits until there is room.
    pub fn send(&self, job: Job) {
        // Without a writer there is no recording either.
        let _ = self.jobs.send(job);
    }

    /// One that takes nothing.
    pub fn closed() -> Self {
        Self { jobs: bounded(0).0, left_out: Arc::default() }
    }

    /// Jobs that were refused.
    pub fn left_out(&self) -> u64 {
        self.left_out.load(Ordering::Relaxed)
    }
}

/// The way in, and what the thread runs.
pub(crate) fn writer(folder: PathBuf, events: Arc<dyn Fn(Event) + Send + Sync>) -> (WriterHandle, Writer) {
    let (jobs, waiting) = bounded(MAX_JOBS);
    let handle = WriterHandle { jobs, left_out: Arc::default() };
    (handle, Writer { folder, events, waiting, open: HashMap::new() })
}

pub(crate) struct Writer {
    folder: PathBuf,
    events: Arc<dyn Fn(Event) + Send + Sync>,
    waiting: Receiver<Job>,
    /// By the address of their [`Ended`]; none after a failure.
    open: HashMap<usize, Option<Wav>>,
}

type Wav = hound::WavWriter<BufWriter<File>>;

impl Writer {
    /// Until all handles are gone and all jobs are done.
    pub fn run(mut self) {
        while let Ok(job) = self.waiting.recv() {
            self.work(job);
        }
    }

    /// What waits now; the files stay open.
    #[cfg(test)]
    pub fn work_waiting(&mut self) {
        while let Ok(job) = self.waiting.try_recv() {
            self.work(job);
        }
    }

    fn work(&mut self, job: Job) {
        let key = Arc::as_ptr(&job.file) as usize;
        let wav = self.open.entry(key).or_insert_with(|| {
            create(&self.folder, &job)
                .inspect_err(|why| tracing::warn!(name = job.file.name, %why, "recording can't be created"))
                .ok()
        });
        if let Some(open) = wav
            && let Err(why) = append(open, &job)
        {
            tracing::warn!(name = job.file.name, %why, "recording can't be written");
            *wav = None;
        }
        let Some(end) = job.end else { return };
        let wav = self.open.remove(&key).flatten();
        let length = wav.as_ref().map_or(0, |wav| u64::from(wav.duration()));
        let is_whole = wav.is_some_and(|wav| wav.finalize().is_ok());
        (self.events)(Event {
            owner: job.file.owner,
            stream: job.file.stream,
            what: Happening::Recorded {
                token: job.file.token,
                name: job.file.name.clone(),
                length: Duration::from_micros(length * 1_000_000 / u64::from(job.rate.hz())),
                ended_by: if is_whole { end } else { EndOfRecording::Failed },
            },
        });
    }
}

fn create(folder: &Path, job: &Job) -> Result<Wav, hound::Error> {
    let path = folder.join(format!("{}.wav", job.file.name));
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    let (channels, sample_rate, sample_format) = (job.channels, job.rate.hz(), hound::SampleFormat::Int);
    hound::WavWriter::create(
        path,
        hound::WavSpec { channels, sample_rate, bits_per_sample: 16, sample_format },
    )
}

fn append(wav: &mut Wav, job: &Job) -> Result<(), hound::Error> {
    for _ in 0..job.owed * u64::from(job.channels) {
        wav.write_sample(0i16)?;
    }
    for sample in &job.samples {
        wav.write_sample(*sample)?;
    }
    // Writes the header anew, with the length so far.
    wav.flush()
}
