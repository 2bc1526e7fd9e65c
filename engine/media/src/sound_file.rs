//! Files of recordings: what a WAV or Opus file holds, and a WAV file written anew as Opus in Ogg (RFC 7845), a sixth of
//! its size. Encoding takes a hundredth of the time that the sound lasts and belongs on a thread that may wait, never on
//! one of the wheel. Playing Opus is the reader's affair: prompts are WAV.

use std::fmt;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;
use std::time::Duration;

use ogg::{PacketWriteEndInfo, PacketWriter};
use opus::{Application, Bitrate, Channels, Encoder};
use protocol::rtp::Rate;

/// Granule positions count at this rate whatever the sound's own (RFC 7845 §4).
const GRANULES: u32 = 48_000;
/// Packets of one page: RFC 7845 §6 wants a second of sound at most, so that seeking is quick.
const PAGE: usize = 50;
/// Bits a second of one channel: what telephone sound needs to be told from itself by nobody.
const BITS: i32 = 24_000;
/// RFC 7845 §3: no packet of so few frames is larger.
const MOST_PACKET: usize = 1275;
/// Of the end of a file; its last page is in there (RFC 3533 §6: a page has at most 65,307 bytes).
const TAIL: u64 = 65_307;

/// What a sound file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SoundFile {
    /// 1 or 2.
    pub channels: u16,
    /// How long it is.
    pub length: Duration,
}

/// Why a sound file can't be read or written.
#[derive(Debug)]
pub enum SoundFileError {
    /// The disk.
    Io(io::Error),
    /// It is no WAV file of ours; with what is wrong.
    Wav(hound::Error),
    /// It is no Opus file.
    Opus,
    /// The encoder refuses.
    Encoder(opus::Error),
}

impl fmt::Display for SoundFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(why) => why.fmt(f),
            Self::Wav(why) => write!(f, "not a WAV file: {why}"),
            Self::Opus => f.write_str("not an Opus file"),
            Self::Encoder(why) => write!(f, "Opus can't be made of it: {why}"),
        }
    }
}

impl std::error::Error for SoundFileError {}

impl From<io::Error> for SoundFileError {
    fn from(why: io::Error) -> Self {
        Self::Io(why)
    }
}

impl From<hound::Error> for SoundFileError {
    fn from(why: hound::Error) -> Self {
        match why {
            hound::Error::IoError(why) => Self::Io(why),
            why => Self::Wav(why),
        }
    }
}

impl From<opus::Error> for SoundFileError {
    fn from(why: opus::Error) -> Self {
        Self::Encoder(why)
    }
}

impl SoundFile {
    /// Reads the header of a WAV file, also of one that is being written.
    pub fn of_wav(path: &Path) -> Result<Self, SoundFileError> {
        let wav = hound::WavReader::open(path)?;
        let spec = wav.spec();
        let length = Duration::from_secs_f64(f64::from(wav.duration()) / f64::from(spec.sample_rate.max(1)));
        Ok(Self { channels: spec.channels, length })
    }

    /// Reads the first and the last page of an Opus file.
    pub fn of_opus(path: &Path) -> Result<Self, SoundFileError> {
        let mut file = File::open(path)?;
        // A page's header of 27 bytes and a table of one, then "OpusHead", version, channels, pre-skip.
        let mut head = [0; 40];
        file.read_exact(&mut head).map_err(|_| SoundFileError::Opus)?;
        if !head.starts_with(b"OggS") || &head[28..36] != b"OpusHead" {
            return Err(SoundFileError::Opus);
        }
        let skip = u64::from(u16::from_le_bytes([head[38], head[39]]));
        let bytes = file.metadata()?.len();
        file.seek(SeekFrom::Start(bytes.saturating_sub(TAIL)))?;
        let mut tail = Vec::new();
        file.take(TAIL).read_to_end(&mut tail)?;
        let last = tail.windows(4).rposition(|window| window == b"OggS").ok_or(SoundFileError::Opus)?;
        let position = tail.get(last + 6..last + 14).and_then(|bytes| bytes.try_into().ok());
        let granules = u64::from_le_bytes(position.ok_or(SoundFileError::Opus)?).saturating_sub(skip);
        Ok(Self { channels: u16::from(head[37]), length: Duration::from_micros(granules * 1000 / 48) })
    }
}

/// Writes the sound of a WAV file of 8, 16 or 48 kHz and 16 bits as Opus in Ogg. `to` is there, whole and on the disk, or not at
/// all: it is written beside under another name first.
///
/// # Errors
/// See [`SoundFileError`]; nothing is left behind.
pub fn encode(wav: &Path, to: &Path) -> Result<(), SoundFileError> {
    let part = to.with_extension("part");
    let done = write(wav, &part).and_then(|()| Ok(std::fs::rename(&part, to)?));
    if done.is_err() {
        // It may never have come into being.
        let _ = std::fs::remove_file(&part);
    }
    done
}

fn write(wav: &Path, to: &Path) -> Result<(), SoundFileError> {
    let mut wav = hound::WavReader::new(BufReader::new(File::open(wav)?))?;
    let spec = wav.spec();
    let channels = match spec.channels {
        1 => Channels::Mono,
        2 => Channels::Stereo,
        _ => return Err(SoundFileError::Wav(hound::Error::Unsupported)),
    };
    let rate = Rate::ALL.into_iter().find(|rate| rate.hz() == spec.sample_rate);
    let Some(rate) = rate.filter(|_| spec.bits_per_sample == 16) else {
        return Err(SoundFileError::Wav(hound::Error::Unsupported));
    };
    let granules = u64::from(GRANULES / rate.hz());
    let mut encoder = Encoder::new(rate.hz(), channels, Application::Voip)?;
    encoder.set_bitrate(Bitrate::Bits(BITS * i32::from(spec.channels)))?;
    let skip = encoder.get_lookahead()?.max(0) as u64 * granules;
    let serial = wav.duration(); // one stream in the file: any number will do
    let mut file = PacketWriter::new(BufWriter::new(File::create(to)?));
    file.write_packet(head(spec.channels, rate, skip), serial, PacketWriteEndInfo::EndPage, 0)?;
    file.write_packet(tags(), serial, PacketWriteEndInfo::EndPage, 0)?;
    let total = u64::from(wav.duration());
    // What the encoder looks ahead comes out behind the last sample, so a packet more may be needed.
    let packets = (total + skip.div_ceil(granules)).div_ceil(rate.frame() as u64).max(1);
    let mut samples = wav.samples::<i16>();
    let mut frame = vec![0; rate.frame() * usize::from(spec.channels)];
    for packet in 1..=packets {
        for sample in &mut frame {
            *sample = samples.next().transpose()?.unwrap_or(0);
        }
        let bytes = encoder.encode_vec(&frame, MOST_PACKET)?;
        let end = match packet {
            _ if packet == packets => PacketWriteEndInfo::EndStream,
            _ if packet % PAGE as u64 == 0 => PacketWriteEndInfo::EndPage,
            _ => PacketWriteEndInfo::NormalPacket,
        };
        // The last position says how much of the last packet is sound (RFC 7845 §4.4).
        let position = (packet * rate.frame() as u64 * granules).min(skip + total * granules);
        file.write_packet(bytes, serial, end, position)?;
    }
    let mut file = file.into_inner();
    file.flush()?;
    Ok(file.get_ref().sync_data()?)
}

/// RFC 7845 §5.1: version 1, no gain, channels in the order of WAV.
fn head(channels: u16, rate: Rate, skip: u64) -> Vec<u8> {
    let skip = u16::try_from(skip).unwrap_or(u16::MAX).to_le_bytes();
    [&b"OpusHead\x01"[..], &[channels as u8], &skip, &rate.hz().to_le_bytes(), &[0, 0, 0]].concat()
}

/// RFC 7845 §5.2: who wrote it, and nothing more.
fn tags() -> Vec<u8> {
    let vendor = b"strowger";
    [&b"OpusTags"[..], &(vendor.len() as u32).to_le_bytes(), vendor, &0u32.to_le_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use std::f64::consts::TAU;

    use super::*;

    const LEFT_HZ: f64 = 440.0;

    /// What is said on the right: at 16 kHz what telephones of 8 kHz can't say.
    fn right_hz(rate: Rate) -> f64 {
        if rate == Rate::Narrow { 1000.0 } else { 6000.0 }
    }

    fn write_wav(path: &Path, channels: u16, rate: Rate, samples: u32) {
        let sample_format = hound::SampleFormat::Int;
        let spec = hound::WavSpec { channels, sample_rate: rate.hz(), bits_per_sample: 16, sample_format };
        let mut wav = hound::WavWriter::create(path, spec).unwrap();
        for n in 0..samples {
            for hz in [LEFT_HZ, right_hz(rate)].into_iter().take(usize::from(channels)) {
                let turn = TAU * hz * f64::from(n) / f64::from(rate.hz());
                wav.write_sample((turn.sin() * 9000.0) as i16).unwrap();
            }
        }
        wav.finalize().unwrap();
    }

    /// The packets of an Ogg file as RFC 3533 §6 lays them out, and the last granule position; read by hand.
    fn packets(bytes: &[u8]) -> (Vec<Vec<u8>>, u64) {
        let (mut rest, mut packets, mut open, mut last) = (bytes, Vec::new(), Vec::new(), 0);
        while !rest.is_empty() {
            assert!(rest.starts_with(b"OggS\0"), "a page begins");
            last = u64::from_le_bytes(rest[6..14].try_into().unwrap());
            let table = &rest[27..27 + usize::from(rest[26])];
            let mut at = 27 + table.len();
            for lace in table {
                open.extend_from_slice(&rest[at..at + usize::from(*lace)]);
                at += usize::from(*lace);
                if *lace < 255 {
                    packets.push(std::mem::take(&mut open));
                }
            }
            rest = &rest[at..];
        }
        (packets, last)
    }

    #[test]
    fn rfc7845_4_the_sound_is_as_long_as_it_was_and_each_side_on_its_channel() {
        let folder = tempfile::tempdir().unwrap();
        let (narrow, wide) = (Rate::Narrow, Rate::Wide);
        for (channels, rate, samples) in [
            (2u16, narrow, 24_123u32),
            (1, narrow, 8_000),
            (2, narrow, 0),
            (1, narrow, 1),
            (2, wide, 48_005),
            (1, wide, 1),
        ] {
            let granules = u64::from(48_000 / rate.hz());
            let (wav, to) = (folder.path().join("a.wav"), folder.path().join("a.ogg"));
            write_wav(&wav, channels, rate, samples);
            encode(&wav, &to).unwrap();
            let (packets, last) = packets(&std::fs::read(&to).unwrap());
            assert_eq!((&packets[0][..8], packets[0][9]), (&b"OpusHead"[..], channels as u8));
            assert_eq!(packets[0][12..16], rate.hz().to_le_bytes(), "the rate of what it was made of");
            assert!(packets[1].starts_with(b"OpusTags"));
            let skip = usize::from(u16::from_le_bytes([packets[0][10], packets[0][11]]));
            assert_eq!(last, skip as u64 + u64::from(samples) * granules);
            let known = SoundFile::of_opus(&to).unwrap();
            let micros = u128::from(samples) * 1_000_000 / u128::from(rate.hz());
            for known in [known, SoundFile::of_wav(&wav).unwrap()] {
                assert_eq!((known.channels, known.length.as_micros()), (channels, micros));
            }
            let layout = if channels == 2 { Channels::Stereo } else { Channels::Mono };
            let mut decoder = opus::Decoder::new(rate.hz(), layout).unwrap();
            let mut sound = Vec::new();
            for packet in &packets[2..] {
                let mut frame = vec![0i16; rate.frame() * usize::from(channels)];
                decoder.decode(packet, &mut frame, false).unwrap();
                sound.extend(frame);
            }
            assert!(sound.len() >= (skip / granules as usize + samples as usize) * usize::from(channels));
            for channel in 0..usize::from(channels).min(samples as usize / rate.hz() as usize) {
                let side: Vec<f64> =
                    sound.iter().skip(channel).step_by(channels.into()).map(|s| f64::from(*s)).collect();
                let [own, other] =
                    [LEFT_HZ, right_hz(rate)].map(|hz| power(&side[1_000..7_000], hz / f64::from(rate.hz())));
                let (own, other) = if channel == 0 { (own, other) } else { (other, own) };
                assert!(own > 100.0 * other, "channel {channel}: {own} against {other}");
            }
        }
    }

    /// Of one frequency, in turns a sample, by its correlation with a sine and a cosine.
    fn power(samples: &[f64], turns: f64) -> f64 {
        let turn = |n: usize| TAU * turns * n as f64;
        let sum =
            |wave: fn(f64) -> f64| samples.iter().enumerate().map(|(n, s)| s * wave(turn(n))).sum::<f64>();
        sum(f64::sin).powi(2) + sum(f64::cos).powi(2)
    }

    #[test]
    fn what_is_no_sound_is_refused_and_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let (wav, to) = (folder.path().join("a.wav"), folder.path().join("a.ogg"));
        for bytes in [&b""[..], b"RIFF", &[0; 100], b"OggS\0\0"] {
            std::fs::write(&wav, bytes).unwrap();
            assert!(encode(&wav, &to).is_err() && SoundFile::of_wav(&wav).is_err());
            assert!(SoundFile::of_opus(&wav).is_err());
        }
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "only what was there before");
        assert!(matches!(encode(&folder.path().join("none"), &to), Err(SoundFileError::Io(_))));
    }
}
