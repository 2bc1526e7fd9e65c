//! From prompts to samples: WAV files are read and resampled once and kept in memory; words and digits
//! are spoken by espeak-ng where it is installed. What is not in memory is read on a thread that may
//! wait. Where a prompt's file lies is in [`crate::prompts`].

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use exchange::Prompt;
use media::{PromptError, Prompts, Sound};
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::node::Node;

/// Samples kept in memory, in bytes: about an hour and a half of speech.
const IN_MEMORY: usize = 96 << 20;
/// Characters spoken at once; the rest is left out.
const MOST_WORDS: usize = 1000;
/// Missing prompts that are told of once each; when there are more, all are told again.
const MOST_MISSING: usize = 1000;
/// Played where a tenant has no music of this name.
const HOLD_MUSIC: &str = "hold";

/// All prompts of all tenants, ready to be heard; clones share them.
#[derive(Clone)]
pub struct Sounds(Arc<Shelf>);

struct Shelf {
    node: Arc<Node>,
    prompts: Prompts,
    hold: Arc<[i16]>,
    speech: PathBuf,
    /// What was told to be missing: tenant and name.
    missing: Mutex<HashSet<(String, String)>>,
}

impl Sounds {
    /// Over the node's prompts.
    pub fn new(node: &Arc<Node>) -> Self {
        Self(Arc::new(Shelf {
            node: node.clone(),
            prompts: Prompts::new(IN_MEMORY),
            hold: hold_music(),
            speech: node.world().node.data.join("speech"),
            missing: Mutex::default(),
        }))
    }

    /// What to play, if all of it is in memory. Waits for nothing.
    pub fn in_memory(&self, tenant: &str, language: &str, what: &[Prompt]) -> Option<Vec<Sound>> {
        let shelf = &self.0;
        what.iter()
            .map(|prompt| shelf.sound(tenant, language, prompt, |path| shelf.prompts.cached(path)))
            .collect()
    }

    /// Reads what is to be played in the background; what is missing is left out, and told.
    pub fn read(
        &self,
        tenant: &str,
        language: &str,
        what: Vec<Prompt>,
        done: impl FnOnce(Vec<Sound>) + Send + 'static,
    ) {
        let (shelf, tenant, language) = (self.0.clone(), tenant.to_owned(), language.to_owned());
        self.0.node.script_runtime.spawn_blocking(move || {
            let read = |prompt: &Prompt| {
                shelf.speak(&language, prompt);
                let sound = shelf.sound(&tenant, &language, prompt, |path| match shelf.prompts.load(path) {
                    Ok(samples) => Some(samples),
                    Err(PromptError::NotFound) => None,
                    Err(why) => {
                        tracing::warn!(path = %path.display(), %why, "prompt can't be used");
                        None
                    }
                });
                if sound.is_none() {
                    shelf.tell_missing(&tenant, prompt);
                }
                sound
            };
            done(what.iter().filter_map(read).collect());
        });
    }
}

impl Shelf {
    fn sound(
        &self,
        tenant: &str,
        language: &str,
        prompt: &Prompt,
        file: impl Fn(&Path) -> Option<Arc<[i16]>>,
    ) -> Option<Sound> {
        let samples = match prompt {
            Prompt::Silence(length) => return Some(Sound::Silence(*length)),
            Prompt::Tone(hz, length) => return Some(Sound::Tone((*hz).clamp(100, 3400), *length)),
            Prompt::Recording(name) => file(&self.node.prompts.path(tenant, name, language)?),
            Prompt::Music(name) => (self.node.prompts.path(tenant, name, language))
                .and_then(|path| file(&path))
                .or_else(|| (name == HOLD_MUSIC).then(|| self.hold.clone())),
            _ => file(&self.speech_path(language, &words(prompt)?)),
        };
        samples.map(Sound::Samples)
    }

    fn speech_path(&self, language: &str, words: &str) -> PathBuf {
        let hash = Sha256::digest(format!("{language}\n{words}"));
        let name: String = hash.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
        self.speech.join(format!("{name}.wav"))
    }

    /// Speaks words into the file where they are looked for, once.
    fn speak(&self, language: &str, prompt: &Prompt) {
        let Some(words) = words(prompt) else { return };
        let path = self.speech_path(language, &words);
        if path.exists() || std::fs::create_dir_all(&self.speech).is_err() {
            return;
        }
        let voice: String = language.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').collect();
        let unfinished = path.with_extension("tmp");
        let spoken = Command::new("espeak-ng")
            .args(["-v", &voice, "-s", "150", "-w"])
            .arg(&unfinished)
            .arg("--")
            .arg(&words)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        match spoken {
            Ok(status) if status.success() => drop(std::fs::rename(&unfinished, &path)),
            Ok(status) => tracing::warn!(%status, voice, "espeak-ng did not speak"),
            Err(why) => tracing::warn!(%why, "words can't be spoken without espeak-ng"),
        }
    }

    fn tell_missing(&self, tenant: &str, prompt: &Prompt) {
        let name = match prompt {
            Prompt::Recording(name) | Prompt::Music(name) => name.clone(),
            other => format!("{other:?}"),
        };
        let mut missing = self.missing.lock().unwrap_or_else(PoisonError::into_inner);
        if missing.len() >= MOST_MISSING {
            missing.clear();
        }
        if missing.insert((tenant.into(), name.clone())) {
            tracing::warn!(tenant, prompt = name, "there is no such prompt");
            self.node.events.publish(tenant, "prompt.missing", json!({ "prompt": name }));
        }
    }
}

/// What is spoken, if anything is.
fn words(prompt: &Prompt) -> Option<String> {
    match prompt {
        Prompt::Text(text) => Some(text.chars().take(MOST_WORDS).collect()),
        Prompt::Digits(digits) => {
            let spaced = digits.chars().take(MOST_WORDS).flat_map(|digit| [digit, ' ']);
            Some(spaced.collect::<String>().trim_end().to_owned())
        }
        _ => None,
    }
}

/// Something quiet to wait by: a slow broken chord, 9.6 s at 8 kHz, made of sines.
fn hold_music() -> Arc<[i16]> {
    const NOTE: Duration = Duration::from_millis(600);
    let chords = [
        [262.0, 330.0, 392.0, 523.0],
        [220.0, 262.0, 330.0, 440.0],
        [175.0, 220.0, 262.0, 349.0],
        [196.0, 247.0, 294.0, 392.0],
    ];
    let samples = (NOTE.as_millis() * 8) as usize;
    let note = |hz: f64| {
        (0..samples).map(move |n| {
            let t = n as f64 / 8000.0;
            let shape = (t * 40.0).min(1.0) * (-3.0 * t).exp();
            let wave =
                (t * hz * std::f64::consts::TAU).sin() + 0.3 * (t * hz * 2.0 * std::f64::consts::TAU).sin();
            (wave * shape * 3500.0) as i16
        })
    };
    chords.iter().flatten().flat_map(|hz| note(*hz)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_spoken_one_by_one() {
        assert_eq!(words(&Prompt::Digits("102".into())).as_deref(), Some("1 0 2"));
    }
}
