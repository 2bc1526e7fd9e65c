//! `[speech]` and `[tenant.speech]`: who speaks the words that nobody recorded. A tenant that names an
//! engine has it to itself; one that does not shares the node's, with voices of its own if it wants.

use std::sync::Arc;
use std::time::Duration;

use super::section::{Section, hint};
use super::world::Secret;

const SECOND: Duration = Duration::from_secs(1);

/// Engines, by the name in the configuration.
const ENGINES: [&str; 2] = ["espeak-ng", "http"];

/// Who speaks for a tenant.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Speech {
    /// `engine`
    pub engine: SpeechEngine,
    /// `voices`: by BCP 47 tag, the voice as the engine calls it.
    pub voices: Vec<(String, String)>,
}

impl Speech {
    /// The voice for a language: its own, or its primary language's; the tag itself when none is set.
    pub fn voice<'a>(&'a self, language: &'a str) -> &'a str {
        let primary = language.split('-').next().unwrap_or(language);
        let set = |tag: &str| self.voices.iter().find(|(known, _)| known.eq_ignore_ascii_case(tag));
        set(language).or_else(|| set(primary)).map_or(language, |(_, voice)| voice)
    }
}

/// What turns text into sound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SpeechEngine {
    /// The program of that name, started for each text.
    Espeak {
        /// `speed`: words per minute.
        speed: u16,
    },
    /// A server that is asked for each text.
    Http(Arc<HttpSpeech>),
}

impl Default for SpeechEngine {
    fn default() -> Self {
        Self::Espeak { speed: 150 }
    }
}

/// How a speech server is asked. `{text}`, `{language}` and `{voice}` in `url` and `body` stand for what
/// is to be said, escaped as the place asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpSpeech {
    /// `url`
    pub url: String,
    /// `method`: GET or POST.
    pub method: HttpMethod,
    /// `content_type` of the body.
    pub content_type: String,
    /// `body`; none with GET.
    pub body: String,
    /// `[[speech.header]]`: name and value.
    pub headers: Vec<(String, Secret)>,
    /// `answer`
    pub answer: SpeechAnswer,
    /// `timeout`: for the whole answer.
    pub timeout: Duration,
    /// `answer_size`: a larger answer is refused.
    pub answer_size: u64,
}

/// How the text is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum HttpMethod {
    Get,
    Post,
}

/// What comes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpeechAnswer {
    /// A WAV file of any rate.
    Wav,
    /// Samples alone: 16 bits, little-endian, one channel, so many a second.
    Raw {
        /// `rate`: Hz.
        rate: u32,
    },
}

/// `[speech]` beyond the engine: bounds of the whole process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpeechSettings {
    /// The engine of tenants that name none.
    pub shared: Speech,
    /// `cache`: bytes of spoken words on disk; beyond, those used the longest ago go.
    pub cache: u64,
    /// `at_once`: texts of one tenant that are being spoken at the same time; further ones wait.
    pub at_once: usize,
}

impl Default for SpeechSettings {
    fn default() -> Self {
        Self { shared: Speech::default(), cache: 256 << 20, at_once: 4 }
    }
}

/// What a section says; what it leaves out comes from elsewhere.
#[derive(Debug, Default)]
pub(super) struct SpeechParts {
    engine: Option<SpeechEngine>,
    voices: Vec<(String, String)>,
}

impl SpeechParts {
    /// What is left out is as in `shared`. Voices are names of an engine: they come along with it only.
    pub fn over(mut self, shared: &Speech) -> Speech {
        match self.engine {
            Some(engine) => Speech { engine, voices: self.voices },
            None => {
                // The first that fits counts, so the tenant's own stand in front.
                self.voices.extend(shared.voices.iter().cloned());
                Speech { engine: shared.engine.clone(), voices: self.voices }
            }
        }
    }
}

/// Reads `[speech]`.
pub(super) fn settings(section: Section<'_, '_>) -> SpeechSettings {
    let default = SpeechSettings::default();
    let cache = section.size("cache", 1 << 20..=1 << 40, default.cache);
    let at_once = section.integer("at_once", 1..=256, default.at_once as u64) as usize;
    SpeechSettings { shared: parts(section).over(&default.shared), cache, at_once }
}

/// Reads what `[speech]` and `[tenant.speech]` have in common.
pub(super) fn parts(section: Section<'_, '_>) -> SpeechParts {
    let voices = section.texts_by_name("voices", "{ bg = \"bg\", en = \"en-gb\" }");
    let engine = section.text("engine", "espeak-ng");
    let engine = match engine.map(|engine| engine.value) {
        None => None,
        Some("espeak-ng") => {
            let speed = section.integer("speed", 80..=450, 150) as u16;
            Some(SpeechEngine::Espeak { speed })
        }
        Some("http") => http(&section).map(|http| SpeechEngine::Http(Arc::new(http))),
        Some(other) => {
            let line = engine.map_or(section.line, |engine| engine.line);
            let hint = hint(other, ENGINES);
            section.mistake(line, format!("there is no speech engine \"{other}\"; {hint}"));
            None
        }
    };
    section.finish();
    SpeechParts { engine, voices }
}

fn http(section: &Section<'_, '_>) -> Option<HttpSpeech> {
    let url = section.required("url", "http://127.0.0.1:5500/speak");
    let well_formed = |url: &str| reqwest::Url::parse(url).is_ok_and(|url| url.has_host());
    if let Some(url) = url.filter(|url| !url.value.starts_with("http") || !well_formed(url.value)) {
        section.mistake(
            url.line,
            format!("\"{}\" is no address; write one like \"http://127.0.0.1:5500/speak\"", url.value),
        );
    }
    let method = match section.text("method", "POST") {
        None => HttpMethod::Post,
        Some(method) => match method.value {
            "POST" => HttpMethod::Post,
            "GET" => HttpMethod::Get,
            other => {
                let hint = hint(other, ["GET", "POST"]);
                section.mistake(method.line, format!("\"{other}\" does not fetch speech; {hint}"));
                HttpMethod::Post
            }
        },
    };
    let content_type = section.text("content_type", "application/json");
    let content_type = content_type.map_or("application/json", |text| text.value).to_owned();
    if !is_header_value(&content_type) {
        section.mistake(section.line, "\"content_type\" is none; write one like \"application/json\"");
    }
    let body = section.text("body", r#"{"text": "{text}"}"#);
    let said = [url, body].into_iter().flatten().any(|text| text.value.contains("{text}"));
    if !said {
        let where_ = if method == HttpMethod::Get { "url" } else { "body" };
        section.mistake(section.line, format!("nothing says what to speak; write {{text}} in \"{where_}\""));
    }
    let headers = headers(section, "SPEECH_TOKEN");
    let rate = section.integer("rate", 8000..=48_000, 16_000) as u32;
    let answer = match section.text("answer", "wav") {
        None => SpeechAnswer::Wav,
        Some(answer) => match answer.value {
            "wav" => SpeechAnswer::Wav,
            "raw" => SpeechAnswer::Raw { rate },
            other => {
                let hint = hint(other, ["wav", "raw"]);
                section.mistake(answer.line, format!("there is no answer \"{other}\"; {hint}"));
                SpeechAnswer::Wav
            }
        },
    };
    Some(HttpSpeech {
        url: url?.value.to_owned(),
        method,
        content_type,
        body: body.map_or_else(String::new, |body| body.value.to_owned()),
        headers,
        answer,
        timeout: section.duration("timeout", SECOND / 10..=60 * SECOND, 5 * SECOND),
        answer_size: section.size("answer_size", 1 << 10..=20 << 20, 4 << 20),
    })
}

/// Reads every `[[....header]]`: names, and values that may be secrets. `example`: a variable that could hold one.
pub(super) fn headers(section: &Section<'_, '_>, example: &str) -> Vec<(String, Secret)> {
    let mut headers = Vec::new();
    for header in section.sections("header") {
        let name = header.required("name", "Authorization");
        if let Some(name) = name.filter(|name| !is_header_name(name.value)) {
            let what = format!("\"{}\" is no header; write one like \"Authorization\"", name.value);
            header.mistake(name.line, what);
        }
        let line = header.line;
        let before = header.source.mistakes.borrow().len();
        let value = header.secret("value");
        match &value {
            Some(value) if !is_header_value(value.expose()) => {
                header.mistake(line, "the value of this header has a line break; write one line");
            }
            None if header.source.mistakes.borrow().len() == before => {
                header.mistake(line, format!("this header has no value; write value_env = \"{example}\""));
            }
            _ => {}
        }
        header.finish();
        headers.extend(name.map(|name| name.value.to_owned()).zip(value));
    }
    headers
}

/// A token (RFC 9110 §5.6.2).
fn is_header_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
}

/// Visible characters and blanks (RFC 9110 §5.5).
fn is_header_value(value: &str) -> bool {
    !value.is_empty() && value.bytes().all(|b| b == b'\t' || (b' '..0x7f).contains(&b))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{said, said_in_tenant, world};
    use super::*;

    const TENANT: &str = "[[tenant]]\nname = \"a\"\n";

    #[test]
    fn a_tenant_without_an_engine_has_the_nodes_with_voices_of_its_own() {
        let world = world(
            "[speech]\nengine = \"http\"\nurl = \"http://127.0.0.1:1/{voice}\"\nbody = \"{text}\"\nvoices = { bg = \"Kalina\", en = \"Amy\" }\n[[speech.header]]\nname = \"Authorization\"\nvalue = \"Bearer x\"\n[[tenant]]\nname = \"a\"\n[tenant.speech]\nvoices = { bg = \"Borislav\" }\n[[tenant]]\nname = \"b\"\n[tenant.speech]\nengine = \"espeak-ng\"\nspeed = 170\n",
        );
        let (a, b) = (&world.tenant("a").unwrap().speech, &world.tenant("b").unwrap().speech);
        assert_eq!(
            (a.voice("bg"), a.voice("bg-BG"), a.voice("en"), a.voice("ru")),
            ("Borislav", "Borislav", "Amy", "ru")
        );
        let SpeechEngine::Http(http) = &a.engine else { panic!("the node's engine") };
        assert_eq!(http.url, "http://127.0.0.1:1/{voice}");
        assert_eq!(http.headers, [("Authorization".to_owned(), Secret::new("Bearer x"))]);
        assert_eq!(b.engine, SpeechEngine::Espeak { speed: 170 });
        assert_eq!(b.voice("bg"), "bg", "a voice of another engine means nothing to this one");
    }

    #[test]
    fn mistakes_in_speech_are_told() {
        assert_eq!(
            said(&format!("[speech]\nengine = \"espeak\"\n{TENANT}")),
            [r#"x.toml:2: there is no speech engine "espeak"; write "espeak-ng""#]
        );
        assert_eq!(
            said_in_tenant("[tenant.speech]\nengine = \"http\"\nurl = \"speak.example\"\nanswer = \"mp3\""),
            [
                r#"x.toml:4: nothing says what to speak; write {text} in "body""#,
                r#"x.toml:6: "speak.example" is no address; write one like "http://127.0.0.1:5500/speak""#,
                r#"x.toml:7: there is no answer "mp3"; write one of "raw", "wav""#,
            ]
        );
        assert_eq!(
            said(&format!(
                "[speech]\nengine = \"http\"\nurl = \"http://127.0.0.1:1/?t={{text}}\"\nmethod = \"DELETE\"\n[[speech.header]]\nname = \"A B\"\n{TENANT}"
            )),
            [
                r#"x.toml:4: "DELETE" does not fetch speech; write one of "GET", "POST""#,
                r#"x.toml:5: this header has no value; write value_env = "SPEECH_TOKEN""#,
                r#"x.toml:6: "A B" is no header; write one like "Authorization""#,
            ]
        );
        assert_eq!(
            said(&format!("[speech]\nvoices = {{ bg = 7 }}\n{TENANT}")),
            [r#"x.toml:2: "voices" is a number; write voices = { bg = "bg", en = "en-gb" }"#]
        );
    }
}
