//! The engines: one text in, one WAV file out, or why not. espeak-ng is a program that is started for
//! each text; a speech server is asked over HTTP, with the text where its configuration says.

use std::fmt;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use futures_util::StreamExt as _;
use tokio::io::AsyncWriteExt as _;

use crate::config::{HttpMethod, HttpSpeech, SpeechAnswer, SpeechEngine};

/// A program that speaks for longer than this is ended.
const ESPEAK: Duration = Duration::from_secs(10);
/// The voice where the engine has none for a language.
const ANY_VOICE: &str = "en";

/// Why there are no words to hear. The caller hears what comes after them.
#[derive(Debug)]
pub enum SpeechError {
    /// espeak-ng can't be started.
    NoProgram(std::io::Error),
    /// espeak-ng ended with this status.
    Program(String),
    /// The server can't be reached, or broke off.
    Unreachable(String),
    /// The server answered with this HTTP status.
    Status(u16),
    /// No whole answer within the time.
    TimedOut,
    /// More than `answer_size`.
    TooLarge(u64),
    /// What came is no sound.
    NoSound(media::PromptError),
    /// Too many texts of the tenant wait to be spoken.
    Busy,
    /// It failed a moment ago and is left alone for a while.
    Resting,
}

impl fmt::Display for SpeechError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoProgram(why) => write!(f, "espeak-ng can't be started: {why}"),
            Self::Program(status) => write!(f, "espeak-ng ended with {status}"),
            Self::Unreachable(why) => write!(f, "the speech server can't be reached: {why}"),
            Self::Status(status) => write!(f, "the speech server answered {status}"),
            Self::TimedOut => f.write_str("the speech engine took too long"),
            Self::TooLarge(most) => write!(f, "the speech server sent more than {most} bytes"),
            Self::NoSound(why) => write!(f, "the speech engine made no sound: {why}"),
            Self::Busy => f.write_str("too many texts wait to be spoken"),
            Self::Resting => f.write_str("the speech engine failed a moment ago"),
        }
    }
}

impl std::error::Error for SpeechError {}

/// What is to be said.
#[derive(Clone, Copy)]
pub struct Saying<'a> {
    /// The words.
    pub text: &'a str,
    /// BCP 47.
    pub language: &'a str,
    /// As the engine calls it.
    pub voice: &'a str,
}

/// What tells an engine from others that sound otherwise; no secret is in it.
pub fn identity(engine: &SpeechEngine) -> String {
    match engine {
        SpeechEngine::Espeak { speed } => format!("espeak-ng {speed}"),
        SpeechEngine::Http(http) => {
            format!(
                "http {:?} {} {} {} {:?}",
                http.method, http.url, http.content_type, http.body, http.answer
            )
        }
    }
}

/// Speaks with espeak-ng, by the path or name of its program; `scratch` is a file to write to, and is gone afterwards.
pub async fn espeak(
    program: &str,
    speed: u16,
    saying: Saying<'_>,
    scratch: &Path,
) -> Result<Vec<u8>, SpeechError> {
    let wav = match espeak_once(program, speed, saying, scratch).await {
        // It has no such voice.
        Err(SpeechError::Program(_)) if saying.voice != ANY_VOICE => {
            espeak_once(program, speed, Saying { voice: ANY_VOICE, ..saying }, scratch).await
        }
        result => result,
    };
    let _ = std::fs::remove_file(scratch);
    wav
}

async fn espeak_once(
    program: &str,
    speed: u16,
    saying: Saying<'_>,
    scratch: &Path,
) -> Result<Vec<u8>, SpeechError> {
    let run = async {
        let mut program = tokio::process::Command::new(program)
            .args(["-v", saying.voice, "-s", &speed.to_string(), "-w"])
            .arg(scratch)
            .arg("--stdin")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .map_err(SpeechError::NoProgram)?;
        // The words go by the standard input: a command line can be read by everyone on the machine.
        if let Some(mut input) = program.stdin.take() {
            // A program that ends without reading says why by its status.
            let _ = input.write_all(saying.text.as_bytes()).await;
        }
        let status = program.wait().await.map_err(SpeechError::NoProgram)?;
        match status.success() {
            true => std::fs::read(scratch).map_err(|why| SpeechError::Program(why.to_string())),
            false => Err(SpeechError::Program(status.to_string())),
        }
    };
    tokio::time::timeout(ESPEAK, run).await.unwrap_or(Err(SpeechError::TimedOut))
}

/// Asks a speech server. Redirects are not followed: the headers may hold a secret.
pub async fn http(
    client: &reqwest::Client,
    http: &HttpSpeech,
    saying: Saying<'_>,
) -> Result<Vec<u8>, SpeechError> {
    let url = fill(&http.url, saying, percent);
    let mut request = match http.method {
        HttpMethod::Get => client.get(url),
        HttpMethod::Post => {
            let body = fill(&http.body, saying, escape_for(&http.content_type));
            client.post(url).header("content-type", &http.content_type).body(body)
        }
    };
    for (name, value) in &http.headers {
        request = request.header(name, value.expose());
    }
    let ask = async {
        let response = request.send().await.map_err(unreachable)?;
        if !response.status().is_success() {
            return Err(SpeechError::Status(response.status().as_u16()));
        }
        let mut body = Vec::new();
        let mut parts = response.bytes_stream();
        while let Some(part) = parts.next().await {
            let part = part.map_err(unreachable)?;
            if (body.len() + part.len()) as u64 > http.answer_size {
                return Err(SpeechError::TooLarge(http.answer_size));
            }
            body.extend_from_slice(&part);
        }
        Ok(match http.answer {
            SpeechAnswer::Wav => body,
            SpeechAnswer::Raw { rate } => wav(rate, &body),
        })
    };
    tokio::time::timeout(http.timeout, ask).await.unwrap_or(Err(SpeechError::TimedOut))
}

/// Without the address, which may hold a secret or the words.
fn unreachable(why: reqwest::Error) -> SpeechError {
    let why = why.without_url();
    let cause = std::error::Error::source(&why).map(|cause| format!(": {cause}")).unwrap_or_default();
    SpeechError::Unreachable(format!("{why}{cause}"))
}

/// Puts what is to be said in the place of its names. What is put in is not looked at again.
fn fill(template: &str, saying: Saying<'_>, escape: fn(&str) -> String) -> String {
    let names = [("{text}", saying.text), ("{language}", saying.language), ("{voice}", saying.voice)];
    let mut filled = String::new();
    let mut rest = template;
    while let Some(at) = rest.find('{') {
        filled.push_str(&rest[..at]);
        rest = &rest[at..];
        match names.iter().find(|(name, _)| rest.starts_with(name)) {
            Some((name, value)) => {
                filled.push_str(&escape(value));
                rest = &rest[name.len()..];
            }
            None => {
                filled.push('{');
                rest = &rest[1..];
            }
        }
    }
    filled + rest
}

/// How a value is written in a body of that kind, so that no text can end its place early.
fn escape_for(content_type: &str) -> fn(&str) -> String {
    let kind = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match kind.as_str() {
        "application/x-www-form-urlencoded" => percent,
        kind if kind == "application/json" || kind.ends_with("+json") => json,
        kind if kind.ends_with("/xml") || kind.ends_with("+xml") => xml,
        _ => str::to_owned,
    }
}

/// The inside of a JSON string.
fn json(value: &str) -> String {
    let quoted = serde_json::Value::from(value).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}

/// RFC 3986 §2.1: everything but the unreserved characters.
fn percent(value: &str) -> String {
    value
        .bytes()
        .map(|byte| match byte {
            b if b.is_ascii_alphanumeric() || b"-._~".contains(&b) => char::from(b).to_string(),
            b => format!("%{b:02X}"),
        })
        .collect()
}

/// Text or an attribute's value.
fn xml(value: &str) -> String {
    value
        .chars()
        .map(|c| match c {
            '&' => "&amp;".to_owned(),
            '<' => "&lt;".to_owned(),
            '>' => "&gt;".to_owned(),
            '"' => "&quot;".to_owned(),
            '\'' => "&apos;".to_owned(),
            c => c.to_string(),
        })
        .collect()
}

/// A WAV file of one channel and 16 bits around samples.
pub(super) fn wav(rate: u32, samples: &[u8]) -> Vec<u8> {
    // Half a sample at the end is none.
    let samples = &samples[..samples.len() & !1];
    let length = samples.len() as u32;
    let mut wav = Vec::with_capacity(44 + samples.len());
    wav.extend_from_slice(b"RIFF");
    wav.extend_from_slice(&(36 + length).to_le_bytes());
    wav.extend_from_slice(b"WAVEfmt ");
    wav.extend_from_slice(&16u32.to_le_bytes());
    wav.extend_from_slice(&1u16.to_le_bytes()); // PCM
    wav.extend_from_slice(&1u16.to_le_bytes()); // channels
    wav.extend_from_slice(&rate.to_le_bytes());
    wav.extend_from_slice(&(rate * 2).to_le_bytes());
    wav.extend_from_slice(&2u16.to_le_bytes()); // bytes of a frame
    wav.extend_from_slice(&16u16.to_le_bytes()); // bits of a sample
    wav.extend_from_slice(b"data");
    wav.extend_from_slice(&length.to_le_bytes());
    wav.extend_from_slice(samples);
    wav
}

#[cfg(test)]
mod tests {
    use protocol::rtp::Rate;

    use super::*;

    const SAYING: Saying<'_> = Saying { text: "\"два\" & {voice}\n", language: "bg", voice: "Kalina" };

    #[test]
    fn no_text_leaves_its_place_in_the_body() {
        let body = r#"{"input": "{text}", "v": {"name": "{voice}"}, "l": "{language}"}"#;
        let filled = fill(body, SAYING, escape_for("application/json; charset=utf-8"));
        let read: serde_json::Value = serde_json::from_str(&filled).expect("JSON");
        assert_eq!(read["input"], SAYING.text);
        assert_eq!((&read["v"]["name"], &read["l"]), (&"Kalina".into(), &"bg".into()));
        let said = Saying { text: "a<b> & \"c\"", ..SAYING };
        assert_eq!(
            fill("<speak>{text}</speak>", said, escape_for("application/ssml+xml")),
            "<speak>a&lt;b&gt; &amp; &quot;c&quot;</speak>"
        );
        let said = Saying { text: "две & 1", ..SAYING };
        assert_eq!(fill("/?t={text}", said, percent), "/?t=%D0%B4%D0%B2%D0%B5%20%26%201");
        assert_eq!(fill("{text}", said, escape_for("text/plain")), "две & 1");
    }

    #[test]
    fn samples_alone_become_a_file_that_can_be_played() {
        let samples: Vec<u8> = (0..8000i32).flat_map(|n| ((n % 100) as i16 * 50).to_le_bytes()).collect();
        let read = media::check_prompt(&wav(16_000, &samples), Rate::Narrow).expect("a WAV file");
        assert_eq!(read.sound.len(), 4000, "half a second at 16 kHz is half a second at 8 kHz");
        assert!(media::check_prompt(&wav(16_000, &[1]), Rate::Narrow).is_err(), "no samples are no sound");
    }
}
