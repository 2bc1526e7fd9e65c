//! The prompts of all tenants: WAV files as they were given, kept as blobs, and where the media plane
//! finds each. A few that come with the exchange stand in until a tenant brings its own.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use protocol::rtp::Rate;
use serde::{Deserialize, Serialize};
use store::{Batch, BlobId, Blobs, Store, StoreError, layout};
use utoipa::ToSchema;

use crate::config::Tenant;
use crate::events::wall;

/// Prompts of one tenant; one more gets 409.
pub const PROMPTS: usize = 10_000;

/// What comes with the exchange: name and WAV.
pub(crate) const SHIPPED: &[(&str, &[u8])] = &[
    ("welcome", include_bytes!("../assets/prompts/welcome.wav")),
    ("demo-menu", include_bytes!("../assets/prompts/demo-menu.wav")),
    ("wrong-key", include_bytes!("../assets/prompts/wrong-key.wav")),
    ("goodbye", include_bytes!("../assets/prompts/goodbye.wav")),
    ("nobody", include_bytes!("../assets/prompts/nobody.wav")),
    ("closed", include_bytes!("../assets/prompts/closed.wav")),
    ("echo", include_bytes!("../assets/prompts/echo.wav")),
];

/// What is known of a prompt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Described {
    /// The name.
    pub name: String,
    /// Bytes of the WAV file.
    pub size: usize,
    /// How long it is.
    pub seconds: f64,
    /// Seconds since 1970 UTC.
    pub uploaded: f64,
    /// SHA-256 of the WAV file, hex.
    pub hash: String,
}

/// Why a prompt was not kept.
#[derive(Debug)]
pub enum PromptRefused {
    /// It is no sound that can be played: 422.
    Sound(media::PromptError),
    /// Larger than the tenant's `prompt_size`: 413.
    TooLarge(u64),
    /// The tenant has [`PROMPTS`] of them: 409.
    TooMany,
    /// It could not be kept: 503 or 507.
    Store(StoreError),
}

impl fmt::Display for PromptRefused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sound(why) => why.fmt(f),
            Self::TooLarge(most) => {
                write!(f, "the file is larger than {most} bytes, the tenant's prompt_size")
            }
            Self::TooMany => write!(f, "a tenant has at most {PROMPTS} prompts"),
            Self::Store(why) => why.fmt(f),
        }
    }
}

impl std::error::Error for PromptRefused {}

/// Every prompt, by tenant and name.
pub struct Prompts {
    store: Store,
    blobs: Arc<Blobs>,
    folder: PathBuf,
    shipped: PathBuf,
    known: RwLock<BTreeMap<(String, String), Described>>,
}

impl Prompts {
    /// Reads what is kept of the tenants in `names`. `blobs_folder` is where `blobs` keeps its files.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn open(
        store: Store,
        blobs: Arc<Blobs>,
        data: &Path,
        blobs_folder: PathBuf,
        names: impl Iterator<Item = String>,
    ) -> Result<Self, StoreError> {
        let mut known = BTreeMap::new();
        for tenant in names {
            for (_, value) in store.scan(&layout::prompts(&tenant))? {
                if let Ok(prompt) = serde_json::from_slice::<Described>(&value) {
                    known.insert((tenant.clone(), prompt.name.clone()), prompt);
                }
            }
        }
        let shipped = data.join("shipped-prompts");
        let written = std::fs::create_dir_all(&shipped).and_then(|()| {
            SHIPPED
                .iter()
                .try_for_each(|(name, wav)| std::fs::write(shipped.join(name).with_extension("wav"), wav))
        });
        if let Err(why) = written {
            tracing::warn!("the shipped prompts are not in {}: {why}", shipped.display());
        }
        Ok(Self { store, blobs, folder: blobs_folder, shipped, known: RwLock::new(known) })
    }

    /// The file of a prompt that the tenant recorded, in the leg's language where there is one:
    /// "welcome.bg" is taken for "welcome" on a leg in Bulgarian.
    pub fn own(&self, tenant: &str, name: &str, language: &str) -> Option<PathBuf> {
        let primary = language.split('-').next().unwrap_or(language);
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let find = |name: String| known.get(&(tenant.to_owned(), name)).map(|p| self.folder.join(&p.hash));
        find(format!("{name}.{language}"))
            .or_else(|| find(format!("{name}.{primary}")))
            .or_else(|| find(name.to_owned()))
    }

    /// The file of a prompt that comes with the exchange; in English.
    pub fn shipped(&self, name: &str) -> Option<PathBuf> {
        let shipped = SHIPPED.iter().any(|(shipped, _)| *shipped == name);
        shipped.then(|| self.shipped.join(name).with_extension("wav"))
    }

    /// Checks and keeps a WAV file; durable when it returns. For a thread that may wait.
    pub fn put(&self, tenant: &Tenant, name: &str, wav: &[u8]) -> Result<Described, PromptRefused> {
        if wav.len() as u64 > tenant.limits.prompt_size {
            return Err(PromptRefused::TooLarge(tenant.limits.prompt_size));
        }
        let samples = media::check_prompt(wav, Rate::Narrow).map_err(PromptRefused::Sound)?;
        let key = (tenant.name.to_string(), name.to_owned());
        {
            let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
            let mine =
                known.range((key.0.clone(), String::new())..).take_while(|((t, _), _)| *t == key.0).count();
            if mine >= PROMPTS && !known.contains_key(&key) {
                return Err(PromptRefused::TooMany);
            }
        }
        let hash = self.blobs.put(wav).map_err(PromptRefused::Store)?.to_string();
        let seconds = samples.length().as_secs_f64();
        let prompt = Described { name: name.to_owned(), size: wav.len(), seconds, uploaded: wall(), hash };
        let value = serde_json::to_vec(&prompt).expect("texts and numbers are always JSON");
        let batch = Batch::new().put(layout::prompt(&tenant.name, name), value);
        self.store.commit_and_wait(batch).map_err(PromptRefused::Store)?;
        self.known.write().unwrap_or_else(PoisonError::into_inner).insert(key, prompt.clone());
        Ok(prompt)
    }

    /// The WAV file as it was given; none when there is no such prompt.
    pub fn get(&self, tenant: &str, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let Some(hash) = self.describe(tenant, name).and_then(|p| p.hash.parse::<BlobId>().ok()) else {
            return Ok(None);
        };
        self.blobs.get(&hash)
    }

    /// What is known of a prompt.
    pub fn describe(&self, tenant: &str, name: &str) -> Option<Described> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        known.get(&(tenant.to_owned(), name.to_owned())).cloned()
    }

    /// A tenant's prompts, by name.
    pub fn list(&self, tenant: &str) -> Vec<Described> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let mine = known.range((tenant.to_owned(), String::new())..).take_while(|((t, _), _)| t == tenant);
        mine.map(|(_, prompt)| prompt.clone()).collect()
    }

    /// Forgets a prompt; false when there was none. A call that plays it hears it to the end.
    pub fn delete(&self, tenant: &str, name: &str) -> Result<bool, StoreError> {
        let key = (tenant.to_owned(), name.to_owned());
        if !self.known.read().unwrap_or_else(PoisonError::into_inner).contains_key(&key) {
            return Ok(false);
        }
        self.store.commit_and_wait(Batch::new().delete(layout::prompt(tenant, name)))?;
        Ok(self.known.write().unwrap_or_else(PoisonError::into_inner).remove(&key).is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shipped_prompt_is_sound() {
        for (name, wav) in SHIPPED {
            assert!(
                media::check_prompt(wav, Rate::Narrow).is_ok_and(|samples| samples.sound.len() > 4000),
                "{name}"
            );
        }
    }
}
