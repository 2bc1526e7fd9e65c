//! Files of recordings: one folder for each tenant, a file for each recording, whose name begins with the id of its call
//! and so with its time. A call is recorded as WAV, which a killed process leaves whole; where the tenant wishes, a
//! finished one is written anew as Opus ([`encoding`]). How long they stay is in [`sweep`], who may hear them without
//! a token in [`shares`]. Messages in boxes are files here too, and stay WAV, which telephones are played.

pub mod encoding;
pub mod shares;
pub mod sweep;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use media::SoundFile;

/// How names of messages end.
pub const MESSAGE: &str = "-message";

/// Every tenant's recordings.
pub struct Recordings {
    folder: PathBuf,
    encoder: encoding::Encoder,
    /// Links to recordings.
    pub shares: shares::Shares,
}

/// The forms of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// 8 or 16 kHz, 16 bits.
    Wav,
    /// In Ogg (RFC 7845).
    Opus,
}

impl Format {
    /// Looked for in this order: where there are two of one recording, the older is on its way out.
    const ALL: [Self; 2] = [Self::Opus, Self::Wav];

    /// How its files' names end.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Wav => "wav",
            Self::Opus => "ogg",
        }
    }

    /// RFC 2361; RFC 7845 §9.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Wav => "audio/wav",
            Self::Opus => "audio/ogg",
        }
    }
}

/// A recording as it lies on the disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// The recording's name.
    pub name: String,
    /// Its file.
    pub path: PathBuf,
    /// Of the file.
    pub format: Format,
    /// Of the file.
    pub bytes: u64,
    /// When it was written last.
    pub modified: SystemTime,
}

impl Kept {
    /// How long it is and how many channels it has; none when the file says neither.
    pub fn sound(&self) -> Option<SoundFile> {
        let sound = match self.format {
            Format::Wav => SoundFile::of_wav(&self.path),
            Format::Opus => SoundFile::of_opus(&self.path),
        };
        sound.ok()
    }
}

/// Letters, digits, "-" and "_": what is none leads nowhere.
fn is_plain(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b))
}

impl Recordings {
    /// Below a data folder. Starts the thread that encodes.
    pub fn open(data: &Path, shares: shares::Shares) -> io::Result<Self> {
        let folder = data.join("recordings");
        Ok(Self { encoder: encoding::Encoder::start()?, folder, shares })
    }

    /// A tenant's folder; it may not be there yet.
    fn of(&self, tenant: &str) -> PathBuf {
        self.folder.join(tenant)
    }

    /// A recording of a tenant's calls; none when there is none, or the name is no name.
    pub fn find(&self, tenant: &str, name: &str) -> Option<Kept> {
        Format::ALL.into_iter().find_map(|format| self.find_as(tenant, name, format))
    }

    /// The same in a form that can be played to a telephone.
    pub fn find_wav(&self, tenant: &str, name: &str) -> Option<PathBuf> {
        Some(self.find_as(tenant, name, Format::Wav)?.path)
    }

    fn find_as(&self, tenant: &str, name: &str, format: Format) -> Option<Kept> {
        if !is_plain(name) {
            return None;
        }
        let path = self.of(tenant).join(format!("{name}.{}", format.extension()));
        let about = fs::metadata(&path).ok().filter(fs::Metadata::is_file)?;
        let modified = about.modified().ok()?;
        Some(Kept { name: name.to_owned(), path, format, bytes: about.len(), modified })
    }

    /// Deletes a recording, in whatever form it is; false when there was none.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn delete(&self, tenant: &str, name: &str) -> io::Result<bool> {
        let mut was_there = false;
        while let Some(kept) = self.find(tenant, name) {
            fs::remove_file(&kept.path)?;
            was_there = true;
        }
        Ok(was_there)
    }

    /// A recording has come to its end, and its file is complete: it is written anew, if `opus` and it is of a
    /// conversation.
    pub fn finished(&self, tenant: &str, name: &str, opus: bool) {
        if let Some(path) = self.find_wav(tenant, name).filter(|_| opus && !name.ends_with(MESSAGE)) {
            self.encoder.offer(path);
        }
    }
}
