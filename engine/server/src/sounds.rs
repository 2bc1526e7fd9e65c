//! From prompts to samples: what a leg is to hear is looked up among the tenant's recordings, and what
//! nobody recorded is put into words and spoken. A prompt's name is its words with dashes in place of
//! blanks, in both directions: a missing "press-1" is spoken, and a recording "press-1" is heard where a
//! script says "Press 1!". What is not in memory is read or spoken where waiting harms nobody.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use exchange::{CallId, Prompt};
use futures_util::future::join_all;
use media::{PromptError, Prompts, Samples, Sound};
use protocol::rtp::Rate;
use serde_json::json;
use spoken::{Language, Noun};

use crate::config::{Tenant, World, is_name};
use crate::metrics::OfTenant;
use crate::node::Node;
use crate::speech::{Bounds, Speaker};

/// Samples kept in memory, in bytes: about an hour and a half of speech at 8 kHz, and a quarter of one at 48 kHz.
const IN_MEMORY: usize = 96 << 20;
/// Characters spoken at once; the rest is left out.
const MOST_WORDS: usize = 1000;
/// What is told of once each; when there is more, all is told again.
const MOST_TOLD: usize = 1000;
/// Played where a tenant has no music of this name.
const HOLD_MUSIC: &str = "hold";

/// All prompts of all tenants, ready to be heard; clones share them.
#[derive(Clone)]
pub struct Sounds(Arc<Shelf>);

struct Shelf {
    node: Arc<Node>,
    prompts: Arc<Prompts>,
    speaker: Arc<Speaker>,
    hold: Samples,
    /// What was told of already: tenant, and what was missing.
    told: Mutex<HashSet<(String, String)>>,
}

/// What a leg hears in turn, with its music taken apart.
#[derive(Debug, Clone, PartialEq)]
pub struct Programme {
    /// In turn.
    pub what: Vec<Prompt>,
    /// The first of those that are heard again and again.
    pub repeat: Option<usize>,
    /// The music's name, if it is music that is repeated.
    pub music: Option<String>,
}

/// Where a prompt comes from.
#[derive(Debug, PartialEq)]
enum Source {
    Silence(Duration),
    Tone(u16, Duration),
    File(PathBuf),
    /// The music that comes with the exchange.
    HoldMusic,
    Words(Words),
    Nowhere,
}

/// What is spoken, and in which language.
#[derive(Debug, Clone, PartialEq)]
struct Words {
    language: String,
    text: String,
}

impl Sounds {
    /// Over the node's prompts.
    pub fn new(node: &Arc<Node>) -> Self {
        let prompts = Arc::new(Prompts::new(IN_MEMORY));
        let told = Arc::downgrade(node);
        let failed = move |tenant: &str, why: &crate::speech::SpeechError| {
            let Some(node) = told.upgrade() else { return };
            tracing::warn!(tenant, %why, "words are not spoken");
            node.metrics.speech_failures.get_or_create(&OfTenant { tenant: tenant.into() }).inc();
            node.events.publish(tenant, "speech.failed", json!({ "why": why.to_string() }));
        };
        let folder = node.world().node.data.join("speech");
        Self(Arc::new(Shelf {
            node: node.clone(),
            speaker: Speaker::new(folder, prompts.clone(), failed),
            prompts,
            hold: hold_music(),
            told: Mutex::default(),
        }))
    }

    /// Music at the end is heard until something else is asked: all its pieces in turn. `looped`: what is
    /// no music is heard again and again too.
    pub fn programme(&self, tenant: &str, mut what: Vec<Prompt>, looped: bool) -> Programme {
        let Some(Prompt::Music(name)) = what.last() else {
            return Programme { what, repeat: looped.then_some(0), music: None };
        };
        let (name, from) = (name.clone(), what.len() - 1);
        let world = self.0.node.world();
        if let Some(playlist) = world.tenant(tenant).and_then(|tenant| tenant.music(&name)) {
            what.truncate(from);
            let piece = |piece: &String| match is_name(piece) {
                true => Prompt::Recording(piece.clone()),
                false => Prompt::Text(piece.clone()),
            };
            what.extend(playlist.play.iter().map(piece));
        }
        Programme { what, repeat: Some(from), music: Some(name) }
    }

    /// What a leg of this rate is to hear, if all of it is in memory. Waits for nothing.
    pub fn in_memory(&self, tenant: &str, language: &str, rate: Rate, what: &[Prompt]) -> Option<Vec<Sound>> {
        let shelf = &self.0;
        let world = shelf.node.world();
        let tenant = world.tenant(tenant)?;
        let sound = |prompt| {
            Some(match shelf.source(tenant, language, prompt) {
                Source::Silence(length) => Sound::Silence(length),
                Source::Tone(hz, length) => Sound::Tone(hz, length),
                Source::HoldMusic => Sound::Samples(shelf.hold.clone()),
                Source::File(path) => Sound::Samples(shelf.prompts.cached(&path, rate)?),
                Source::Words(Words { language, text }) => {
                    let path = shelf.speaker.path(&tenant.speech, &language, &text);
                    Sound::Samples(shelf.prompts.cached(&path, rate)?)
                }
                Source::Nowhere => return None,
            })
        };
        what.iter().map(sound).collect()
    }

    /// Reads and speaks what is to be played in the background. What is nowhere to be had takes no time;
    /// whatever was asked for and nobody recorded is told.
    pub fn read(
        &self,
        tenant: &str,
        language: &str,
        rate: Rate,
        programme: Programme,
        done: impl FnOnce(Programme, Vec<Sound>) + Send + 'static,
    ) {
        let (shelf, tenant, language) = (self.0.clone(), tenant.to_owned(), language.to_owned());
        self.0.node.script_runtime.spawn(async move {
            let world = shelf.node.world();
            let sounds = match world.tenant(&tenant) {
                // All at once: several texts make nobody wait for the sum of them.
                Some(tenant) => {
                    let what = programme.what.iter();
                    join_all(what.map(|prompt| shelf.ready(&world, tenant, &language, rate, prompt))).await
                }
                None => Vec::new(),
            };
            shelf.node.metrics.prompts_memory.set(shelf.prompts.bytes() as i64);
            let nothing = Sound::Silence(Duration::ZERO);
            let sounds = sounds.into_iter().map(|sound| sound.unwrap_or_else(|| nothing.clone())).collect();
            done(programme, sounds);
        });
    }
}

impl Shelf {
    /// Looks up; reads nothing and waits for nothing.
    fn source(&self, tenant: &Tenant, language: &str, prompt: &Prompt) -> Source {
        let own = |name: &str| self.node.prompts.own(&tenant.name, name, language);
        let recorded = |name: &str| own(name).or_else(|| self.node.recordings.find_wav(&tenant.name, name));
        match prompt {
            Prompt::Silence(length) => Source::Silence(*length),
            Prompt::Tone(hz, length) => Source::Tone((*hz).clamp(100, 3400), *length),
            Prompt::Recording(name) => match recorded(name) {
                Some(path) => Source::File(path),
                None => self.in_place_of(language, name),
            },
            // Silence while waiting is the one thing that must not be: other music is music.
            Prompt::Music(name) => own(name).map_or(Source::HoldMusic, Source::File),
            Prompt::Text(text) => match name_of(text).and_then(|name| own(&name)) {
                Some(path) => Source::File(path),
                None => Source::Words(words(language, text)),
            },
            Prompt::Digits(digits) => {
                let spaced: String = digits.chars().flat_map(|digit| [digit, ' ']).collect();
                Source::Words(words(language, spaced.trim_end()))
            }
            Prompt::Quantity(..) | Prompt::Duration(_) | Prompt::Position(_) => {
                let own = in_words(Language::English, prompt).and_then(|text| own(&name_of(&text)?));
                let known = Language::named(language).unwrap_or(Language::English);
                match (own, in_words(known, prompt)) {
                    (Some(path), _) => Source::File(path),
                    (None, Some(text)) => Source::Words(words(voice_of(language), &text)),
                    (None, None) => Source::Nowhere,
                }
            }
        }
    }

    /// What is heard where nobody recorded the prompt.
    fn in_place_of(&self, language: &str, name: &str) -> Source {
        let known = Language::named(language).unwrap_or(Language::English);
        match (spoken::phrase(known, name), self.node.prompts.shipped(name)) {
            // What comes with the exchange is in English.
            (phrase, Some(path)) if phrase.is_none() || known == Language::English => Source::File(path),
            (Some(phrase), _) => Source::Words(words(voice_of(language), &phrase)),
            // A call's recording that is gone has a name that says nothing.
            _ if is_recording(name) => Source::Nowhere,
            _ => Source::Words(words(language, &name.replace(['-', '_'], " "))),
        }
    }

    async fn ready(
        &self,
        world: &World,
        tenant: &Tenant,
        language: &str,
        rate: Rate,
        prompt: &Prompt,
    ) -> Option<Sound> {
        let source = self.source(tenant, language, prompt);
        self.tell_missing(tenant, language, prompt, &source);
        self.tell_language(tenant, language, prompt);
        match source {
            Source::Silence(length) => Some(Sound::Silence(length)),
            Source::Tone(hz, length) => Some(Sound::Tone(hz, length)),
            Source::HoldMusic => Some(Sound::Samples(self.hold.clone())),
            Source::File(path) => {
                let prompts = self.prompts.clone();
                let loaded = tokio::task::spawn_blocking(move || load(&prompts, &path, rate)).await;
                let music = matches!(prompt, Prompt::Music(_)).then(|| self.hold.clone());
                loaded.ok().flatten().or(music).map(Sound::Samples)
            }
            Source::Words(Words { language, text }) => {
                let bounds = Bounds { cache: world.speech.cache, at_once: world.speech.at_once };
                let spoken = self.speaker.say(&tenant.name, &tenant.speech, bounds, &language, &text, rate);
                let said = spoken.await;
                said.ok().map(Sound::Samples)
            }
            Source::Nowhere => None,
        }
    }

    /// Tells of a language that there are no words in, once.
    fn tell_language(&self, tenant: &Tenant, language: &str, prompt: &Prompt) {
        let needed = in_words(Language::English, prompt).is_some() && Language::named(language).is_none();
        if needed && self.is_news(&tenant.name, &format!("language {language}")) {
            tracing::warn!(tenant = &*tenant.name, language, "numbers are spoken in English");
            self.node.events.publish(&tenant.name, "language.unknown", json!({ "language": language }));
        }
    }

    /// Tells of a prompt that nobody recorded, once.
    fn tell_missing(&self, tenant: &Tenant, language: &str, prompt: &Prompt, source: &Source) {
        let name = match (prompt, source) {
            (Prompt::Recording(name), Source::Nowhere) => name,
            (Prompt::Recording(name), Source::Words(_)) => {
                let known = Language::named(language).unwrap_or(Language::English);
                match spoken::phrase(known, name) {
                    Some(_) => return,
                    None => name,
                }
            }
            (Prompt::Music(name), Source::HoldMusic) if name != HOLD_MUSIC => name,
            _ => return,
        };
        if self.is_news(&tenant.name, name) {
            tracing::warn!(tenant = &*tenant.name, prompt = name, "there is no such prompt");
            let of = OfTenant { tenant: tenant.name.to_string() };
            self.node.metrics.prompts_missing.get_or_create(&of).inc();
            self.node.events.publish(&tenant.name, "prompt.missing", json!({ "prompt": name }));
        }
    }

    fn is_news(&self, tenant: &str, what: &str) -> bool {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.len() >= MOST_TOLD {
            told.clear();
        }
        told.insert((tenant.into(), what.into()))
    }
}

fn load(prompts: &Prompts, path: &Path, rate: Rate) -> Option<Samples> {
    match prompts.load(path, rate) {
        Ok(samples) => Some(samples),
        Err(PromptError::NotFound) => None,
        Err(why) => {
            tracing::warn!(path = %path.display(), %why, "prompt can't be used");
            None
        }
    }
}

/// Which language's voice says the exchange's own words: those of one in the voice of another would be noise.
fn voice_of(language: &str) -> &str {
    if Language::named(language).is_some() { language } else { Language::English.tag() }
}

/// What a number, a length of time or a place is in words; none for what is no such thing.
fn in_words(language: Language, prompt: &Prompt) -> Option<String> {
    match prompt {
        Prompt::Quantity(number, noun) => Some(match Noun::named(noun) {
            Some(noun) => spoken::quantity(language, *number, noun),
            // Nobody knows its forms: it is spoken as it stands.
            None => format!("{number} {}", noun.chars().take(MOST_WORDS).collect::<String>()),
        }),
        Prompt::Duration(length) => Some(spoken::duration(language, *length)),
        Prompt::Position(place) => Some(spoken::position(language, *place)),
        _ => None,
    }
}

fn words(language: &str, text: &str) -> Words {
    Words { language: language.to_owned(), text: text.chars().take(MOST_WORDS).collect() }
}

/// The name under which words may be recorded: "Press 1, please." is "press-1-please". None for words
/// that no name can hold.
fn name_of(text: &str) -> Option<String> {
    const LONGEST: usize = 63;
    if text.len() > 2 * LONGEST || !text.is_ascii() {
        return None;
    }
    let words = text.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let name = words.map(str::to_ascii_lowercase).collect::<Vec<_>>().join("-");
    (1..=LONGEST).contains(&name.len()).then_some(name)
}

/// Whether a name is one of a call's recordings: they begin with the call's id.
fn is_recording(name: &str) -> bool {
    name.split(['-', '_', '.']).any(|part| part.parse::<CallId>().is_ok())
}

/// Something quiet to wait by: a slow broken chord, 9.6 s at 8 kHz, made of sines.
fn hold_music() -> Samples {
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
    let sound = chords.iter().flatten().flat_map(|hz| note(*hz)).collect();
    Samples { rate: Rate::Narrow, sound }
}

#[cfg(test)]
mod tests;
