//! A recording on the media thread's side: puts what is heard at its place in time, one or two
//! channels, and hands seconds of it to the writer. Packets of a stream say where they belong by their
//! timestamps; the clock decides where they don't, and what is missing is silence. A file has the rate of those whose
//! conversation it began with, 16 kHz at most, and keeps it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use protocol::rtp::{CLOCK, Rate};

use crate::command::EndOfRecording;
use crate::writer::{Ended, Job, WriterHandle};

/// The highest rate of a file: voices lose nothing by it, and of what is heard above 8 kHz there is too little for files of
/// three times the size.
pub(crate) const HIGHEST: Rate = Rate::Wide;
/// Parts of a second in one job for the writer, and parts of a second that late packets are waited for before that: a
/// second in all, and what a killed process leaves is whole up to then. A packet that is further from where the clock
/// would put it is put where the clock says.
const PARTS: u32 = 2;
/// Mean square of a packet that counts as sound: about -40 dBm0, above line noise.
const LOUD: u64 = 300 * 300;

/// Which side of a conversation; a message has the first only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Heard = 0,
    Said = 1,
}

#[derive(Debug)]
pub(crate) struct Recorder {
    file: Arc<Ended>,
    writer: WriterHandle,
    rate: Rate,
    channels: usize,
    /// Both sides are on one channel, added up.
    adds: bool,
    /// What is heard now is left out.
    pub paused: bool,
    started: Instant,
    sides: [Anchor; 2],
    /// Interleaved, from `begin` on.
    buffer: Vec<i16>,
    /// Samples of a channel handed to the writer before the buffer.
    begin: u64,
    /// Of those, how many the writer was too busy for; it writes silence in their place.
    owed: u64,
    most: Option<u64>,
    silence: Option<u64>,
    pub stop_on_key: bool,
    /// Where the last loud packet ended.
    loud_until: u64,
}

/// Which place a timestamp means.
#[derive(Clone, Copy, Debug, Default)]
struct Anchor(Option<(u32, u64)>);

/// Limits of a message.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Limits {
    pub most: Option<Duration>,
    pub silence: Option<Duration>,
    pub stop_on_key: bool,
    /// Both sides on the one channel that there is.
    pub adds: bool,
}

impl Recorder {
    /// `rate`: of the file, [`HIGHEST`] at most.
    pub fn new(
        now: Instant,
        file: Ended,
        (rate, channels): (Rate, usize),
        limits: Limits,
        writer: WriterHandle,
    ) -> Self {
        let rate = rate.min(HIGHEST);
        let samples = |time: Duration| (time.as_millis() as u64).saturating_mul(u64::from(rate.hz() / 1000));
        Self {
            file: Arc::new(file),
            writer,
            rate,
            channels,
            adds: limits.adds,
            paused: false,
            started: now,
            sides: [Anchor::default(); 2],
            buffer: Vec::new(),
            begin: 0,
            owed: 0,
            most: limits.most.map(samples),
            silence: limits.silence.map(samples),
            stop_on_key: limits.stop_on_key,
            loud_until: 0,
        }
    }

    /// Of the samples that it is given, and of its file.
    pub fn rate(&self) -> Rate {
        self.rate
    }

    /// A packet's samples, at its rate. `timestamp`, of 8 kHz, counts on from the packet before, unless the source is new.
    pub fn handle_samples(
        &mut self,
        now: Instant,
        side: Side,
        timestamp: u32,
        new_source: bool,
        samples: impl ExactSizeIterator<Item = i16>,
    ) {
        let clock = self.clock(now);
        let place = self.sides[side as usize].place(timestamp, clock, new_source, self.rate);
        if self.paused {
            return;
        }
        let channel = if self.adds { 0 } else { side as usize };
        let mut energy = 0;
        let count = samples.len() as u64;
        for (n, sample) in samples.enumerate() {
            energy += u64::from(sample.unsigned_abs()).pow(2);
            let Some(at) = (place + n as u64).checked_sub(self.begin) else { continue };
            let index = at as usize * self.channels + channel;
            if index >= self.buffer.len() {
                self.buffer.resize((at as usize + 1) * self.channels, 0);
            }
            let place = &mut self.buffer[index];
            *place = if self.adds { place.saturating_add(sample) } else { sample };
        }
        if count > 0 && energy / count >= LOUD {
            self.loud_until = self.loud_until.max(place + count);
        }
        if self.buffer.len() >= 2 * part(self.rate) * self.channels {
            self.hand_over(part(self.rate));
        }
    }

    /// Time passes, though nothing may be heard. The answer says when a limit ends the recording.
    pub fn handle_timeout(&mut self, now: Instant) -> Option<EndOfRecording> {
        let clock = self.clock(now);
        if self.most.is_some_and(|most| clock >= most) {
            return Some(EndOfRecording::Most);
        }
        if self.silence.is_some_and(|silence| clock >= self.loud_until + silence) {
            return Some(EndOfRecording::Silence);
        }
        let settled = clock.saturating_sub(self.begin + part(self.rate) as u64) as usize;
        if settled >= part(self.rate) {
            self.pad(settled);
            self.hand_over(settled);
        }
        None
    }

    /// Hands over the rest. The writer tells when the file is complete.
    pub fn end(mut self, now: Instant, why: EndOfRecording) -> Job {
        let length = self.clock(now).min(self.most.unwrap_or(u64::MAX));
        let rest = length.saturating_sub(self.begin) as usize;
        self.pad(rest);
        self.buffer.truncate(rest * self.channels);
        Job { owed: self.owed, samples: std::mem::take(&mut self.buffer), end: Some(why), ..self.job() }
    }

    fn clock(&self, now: Instant) -> u64 {
        let passed = now.saturating_duration_since(self.started);
        passed.as_micros() as u64 * u64::from(self.rate.hz()) / 1_000_000
    }

    fn pad(&mut self, samples: usize) {
        if self.buffer.len() < samples * self.channels {
            self.buffer.resize(samples * self.channels, 0);
        }
    }

    fn hand_over(&mut self, samples: usize) {
        let rest = self.buffer.split_off(samples * self.channels);
        let chunk = std::mem::replace(&mut self.buffer, rest);
        self.begin += samples as u64;
        match self.writer.try_send(Job { owed: self.owed, samples: chunk, ..self.job() }) {
            Ok(()) => self.owed = 0,
            // Too busy: the file keeps its time, with silence.
            Err(_) => self.owed += samples as u64,
        }
    }

    fn job(&self) -> Job {
        Job {
            file: Arc::clone(&self.file),
            rate: self.rate,
            channels: self.channels as u16,
            owed: 0,
            samples: Vec::new(),
            end: None,
        }
    }
}

fn part(rate: Rate) -> usize {
    (rate.hz() / PARTS) as usize
}

impl Anchor {
    fn place(&mut self, timestamp: u32, clock: u64, new_source: bool, rate: Rate) -> u64 {
        if let Some((known, place)) = self.0
            && !new_source
        {
            let passed = i64::from(timestamp.wrapping_sub(known) as i32) * i64::from(rate.hz() / CLOCK);
            let at = place as i64 + passed;
            if (at - clock as i64).abs() <= part(rate) as i64 {
                let at = at.max(0) as u64;
                self.0 = Some((timestamp, at));
                return at;
            }
        }
        self.0 = Some((timestamp, clock));
        clock
    }
}

/// Whether a name stays inside the folder of recordings: names of letters, digits, "-", "_" and ".",
/// none beginning with ".", with "/" between them.
pub(crate) fn is_file_name(name: &str) -> bool {
    /// Longer ones are refused.
    const MOST: usize = 200;
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    name.len() <= MOST
        && name.split('/').all(|part| !part.is_empty() && !part.starts_with('.') && part.chars().all(plain))
}
