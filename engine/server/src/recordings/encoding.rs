//! One thread that writes finished recordings anew as Opus. What it can't take is found by the next sweep
//! ([`super::sweep`]), so that nothing waits for it and a restart loses nothing.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{SyncSender, sync_channel};

/// Files that may wait; the sweep finds those beyond.
const MOST_WAITING: usize = 1024;

/// The way to the thread, which ends when nobody has it any more.
pub struct Encoder(SyncSender<PathBuf>);

impl Encoder {
    /// Starts the thread.
    ///
    /// # Errors
    /// When there can be no further thread.
    pub fn start() -> io::Result<Self> {
        let (offer, waiting) = sync_channel::<PathBuf>(MOST_WAITING);
        std::thread::Builder::new()
            .name("encoder".to_owned())
            .spawn(move || waiting.iter().for_each(|wav| encode(&wav)))?;
        Ok(Self(offer))
    }

    /// Encodes this file when those before it are done.
    pub fn offer(&self, wav: PathBuf) {
        // The sweep comes back to it.
        let _ = self.0.try_send(wav);
    }
}

/// The file is Opus afterwards, or as it was.
fn encode(wav: &Path) {
    if !wav.is_file() {
        return; // deleted, or offered twice
    }
    match media::encode(wav, &wav.with_extension("ogg")) {
        Ok(()) => {
            if let Err(why) = fs::remove_file(wav) {
                tracing::warn!(file = %wav.display(), %why, "a recording is there twice");
            }
        }
        Err(why) => tracing::warn!(file = %wav.display(), %why, "a recording stays as it is"),
    }
}
