//! Words into sound: what was said before comes from the [cache](cache), what was not is spoken by the
//! tenant's [engine](engine). A server that fails is left alone for a moment, and espeak-ng speaks in its
//! place; where nothing speaks, the caller hears the rest, and whoever runs the exchange is told.

mod cache;
mod engine;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, Shared};
use media::Prompts;
use media::prompts::Samples;
use protocol::rtp::Rate;
use tokio::sync::Semaphore;

use crate::config::{Speech, SpeechEngine};
use cache::Cache;
pub use engine::SpeechError;
use engine::{Saying, identity};

/// An engine that failed is not asked again for so long: every caller would wait for its time-out.
const REST: Duration = Duration::from_secs(5);
/// Texts of one tenant that wait to be spoken; one more is [`SpeechError::Busy`].
const WAITING: usize = 64;
/// The program that speaks where no server does.
const ESPEAK: &str = "espeak-ng";
/// Programs that speak at the same time in the whole process; further ones wait.
const PROGRAMS: usize = 8;

/// Speaks for all tenants.
pub struct Speaker {
    cache: Arc<Cache>,
    /// What was heard lately, as samples.
    prompts: Arc<Prompts>,
    client: reqwest::Client,
    espeak: &'static str,
    programs: Semaphore,
    tenants: Mutex<HashMap<String, Arc<Turn>>>,
    /// Texts being spoken, by file: whoever wants the same waits for the same.
    under_way: Mutex<HashMap<PathBuf, Spoken>>,
    /// Until when an engine rests, by its identity.
    resting: Mutex<HashMap<String, Instant>>,
    told: Told,
}

/// Hears of an engine that began to fail: the tenant for whom, and why.
type Told = Box<dyn Fn(&str, &SpeechError) + Send + Sync>;
type Result = std::result::Result<Samples, Arc<SpeechError>>;
type Spoken = Shared<BoxFuture<'static, Result>>;

/// A tenant's share: so many at once, and a bounded number that wait.
struct Turn {
    permits: Semaphore,
    waiting: AtomicUsize,
}

/// Bounds as they are configured now.
#[derive(Clone, Copy)]
pub struct Bounds {
    /// Bytes on disk.
    pub cache: u64,
    /// Texts of one tenant at the same time; counts when the tenant speaks for the first time.
    pub at_once: usize,
}

impl Speaker {
    /// Keeps what was spoken in `folder`. `told` hears of failures, once until the engine has rested.
    pub fn new(
        folder: PathBuf,
        prompts: Arc<Prompts>,
        told: impl Fn(&str, &SpeechError) + Send + Sync + 'static,
    ) -> Arc<Self> {
        let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build();
        Arc::new(Self {
            cache: Arc::new(Cache::open(folder)),
            prompts,
            client: client.unwrap_or_default(),
            espeak: ESPEAK,
            programs: Semaphore::new(PROGRAMS),
            tenants: Mutex::default(),
            under_way: Mutex::default(),
            resting: Mutex::default(),
            told: Box::new(told),
        })
    }

    /// Where the words lie once the tenant's engine has spoken them.
    pub fn path(&self, speech: &Speech, language: &str, text: &str) -> PathBuf {
        self.path_by(&speech.engine, speech.voice(language), language, text)
    }

    fn path_by(&self, engine: &SpeechEngine, voice: &str, language: &str, text: &str) -> PathBuf {
        self.cache.path(&[&identity(engine), voice, language, text])
    }

    /// The words as a leg of this rate hears them: from the cache, from the tenant's engine, or else from espeak-ng.
    /// Where another leg has them spoken just now for another rate, and they can't be kept, they are heard at that one.
    ///
    /// # Errors
    /// Why the last engine that was tried did not speak; it was told of already.
    pub async fn say(
        self: &Arc<Self>,
        tenant: &str,
        speech: &Speech,
        bounds: Bounds,
        language: &str,
        text: &str,
        rate: Rate,
    ) -> Result {
        let saying = Saying { text, language, voice: speech.voice(language) };
        let first = self.say_by(tenant, &speech.engine, bounds, saying, rate).await;
        match (&first, &speech.engine) {
            (Err(_), SpeechEngine::Http(_)) => {
                let spare = SpeechEngine::default();
                self.say_by(tenant, &spare, bounds, Saying { voice: language, ..saying }, rate).await
            }
            _ => first,
        }
    }

    /// By one engine; at the same time by one caller only.
    async fn say_by(
        self: &Arc<Self>,
        tenant: &str,
        engine: &SpeechEngine,
        bounds: Bounds,
        Saying { text, language, voice }: Saying<'_>,
        rate: Rate,
    ) -> Result {
        let path = self.path_by(engine, voice, language, text);
        let spoken = {
            let mut under_way = self.under_way.lock().unwrap_or_else(PoisonError::into_inner);
            let spoken = under_way.entry(path.clone()).or_insert_with(|| {
                let (speaker, path) = (self.clone(), path.clone());
                let (tenant, engine) = (tenant.to_owned(), engine.clone());
                let (voice, language, text) = (voice.to_owned(), language.to_owned(), text.to_owned());
                let work = async move {
                    let saying = Saying { text: &text, language: &language, voice: &voice };
                    let spoken = speaker.cached_or_made(&tenant, &engine, bounds, saying, &path, rate).await;
                    speaker.under_way.lock().unwrap_or_else(PoisonError::into_inner).remove(&path);
                    spoken.map_err(Arc::new)
                };
                work.boxed().shared()
            });
            spoken.clone()
        };
        let samples = spoken.await?;
        if samples.rate == rate {
            return Ok(samples);
        }
        // They are of no higher rate, or were spoken for a leg of another.
        let prompts = self.prompts.clone();
        let loaded = tokio::task::spawn_blocking(move || prompts.load(&path, rate)).await;
        Ok(loaded.ok().and_then(std::result::Result::ok).unwrap_or(samples))
    }

    async fn cached_or_made(
        &self,
        tenant: &str,
        engine: &SpeechEngine,
        bounds: Bounds,
        saying: Saying<'_>,
        path: &std::path::Path,
        rate: Rate,
    ) -> std::result::Result<Samples, SpeechError> {
        if self.cache.touch(path) {
            let (prompts, file) = (self.prompts.clone(), path.to_owned());
            match tokio::task::spawn_blocking(move || prompts.load(&file, rate)).await {
                Ok(Ok(samples)) => return Ok(samples),
                // It was lost or damaged: spoken again.
                _ => self.cache.forget(path),
            }
        }
        let identity = identity(engine);
        if self.is_resting(&identity) {
            return Err(SpeechError::Resting);
        }
        let made = self.made(tenant, engine, bounds, saying, path, rate).await;
        if let Err(why) = &made {
            let begins = match why {
                // The tenant's own doing: the engine is as good as before.
                SpeechError::Busy => true,
                _ => self.rest(&identity),
            };
            if begins {
                (self.told)(tenant, why);
            }
        }
        made
    }

    async fn made(
        &self,
        tenant: &str,
        engine: &SpeechEngine,
        bounds: Bounds,
        saying: Saying<'_>,
        path: &std::path::Path,
        rate: Rate,
    ) -> std::result::Result<Samples, SpeechError> {
        let turn = self.turn(tenant, bounds.at_once);
        let _permit = turn.take().await?;
        let wav = match engine {
            SpeechEngine::Espeak { speed } => {
                let _program = self.programs.acquire().await;
                let folder = self.cache.folder().map_err(SpeechError::NoProgram)?;
                let name = path.file_name().unwrap_or_default();
                let scratch = folder.join(name).with_extension("part");
                engine::espeak(self.espeak, *speed, saying, &scratch).await?
            }
            SpeechEngine::Http(http) => engine::http(&self.client, http, saying).await?,
        };
        let (cache, prompts, path) = (self.cache.clone(), self.prompts.clone(), path.to_owned());
        let kept = tokio::task::spawn_blocking(move || {
            let samples = media::check_prompt(&wav, rate)?;
            match cache.put(&path, &wav, bounds.cache) {
                Ok(()) => Ok(prompts.load(&path, rate).unwrap_or(samples)),
                // A full disk costs the next caller the time to speak again, and this one nothing.
                Err(why) => {
                    tracing::warn!(%why, "spoken words can't be kept");
                    Ok(samples)
                }
            }
        });
        match kept.await {
            Ok(samples) => samples.map_err(SpeechError::NoSound),
            Err(_) => Err(SpeechError::Busy), // the runtime stops
        }
    }

    fn turn(&self, tenant: &str, at_once: usize) -> Arc<Turn> {
        let mut tenants = self.tenants.lock().unwrap_or_else(PoisonError::into_inner);
        let turn = || Arc::new(Turn { permits: Semaphore::new(at_once), waiting: AtomicUsize::new(0) });
        tenants.entry(tenant.to_owned()).or_insert_with(turn).clone()
    }

    fn is_resting(&self, identity: &str) -> bool {
        let mut resting = self.resting.lock().unwrap_or_else(PoisonError::into_inner);
        match resting.get(identity) {
            Some(until) if Instant::now() < *until => true,
            Some(_) => {
                resting.remove(identity);
                false
            }
            None => false,
        }
    }

    /// Answers whether it begins to rest only now.
    fn rest(&self, identity: &str) -> bool {
        let mut resting = self.resting.lock().unwrap_or_else(PoisonError::into_inner);
        resting.insert(identity.to_owned(), Instant::now() + REST).is_none()
    }
}

impl Turn {
    async fn take(&self) -> std::result::Result<tokio::sync::SemaphorePermit<'_>, SpeechError> {
        if self.waiting.fetch_add(1, Relaxed) >= WAITING {
            self.waiting.fetch_sub(1, Relaxed);
            return Err(SpeechError::Busy);
        }
        let permit = self.permits.acquire().await;
        self.waiting.fetch_sub(1, Relaxed);
        permit.map_err(|_| SpeechError::Busy)
    }
}

#[cfg(test)]
mod tests;
