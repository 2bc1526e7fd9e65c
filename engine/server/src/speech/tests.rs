//! Engines for real: a small HTTP server on the loopback that speaks a tone, fails or never ends, and the
//! espeak-ng of this machine.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use futures_util::future::join_all;
use tempfile::TempDir;

use super::*;
use crate::config::{HttpMethod, HttpSpeech, Secret, SpeechAnswer};

const BOUNDS: Bounds = Bounds { cache: 1 << 20, at_once: 2 };

/// What the server was asked, and how many asked at the same time.
#[derive(Default)]
struct Heard {
    asked: Mutex<Vec<(String, String, String)>>,
    now: AtomicUsize,
    most: AtomicUsize,
}

/// Half a second of samples at 16 kHz, as many times as the path says.
async fn speak(State(heard): State<Arc<Heard>>, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    let token = headers.get("authorization").map(|value| value.to_str().unwrap().to_owned());
    let body = String::from_utf8(body.to_vec()).unwrap();
    heard.asked.lock().unwrap().push((uri.to_string(), token.unwrap_or_default(), body));
    heard.most.fetch_max(heard.now.fetch_add(1, Relaxed) + 1, Relaxed);
    tokio::task::yield_now().await;
    heard.now.fetch_sub(1, Relaxed);
    let samples: Vec<u8> = (0..8000u32).flat_map(|n| ((n % 40) as i16 * 200).to_le_bytes()).collect();
    match uri.path() {
        "/wav" => engine::wav(16_000, &samples).into_response(),
        "/raw" => samples.into_response(),
        "/huge" => vec![0; 64 << 10].into_response(),
        "/text" => "<html>come back later</html>".into_response(),
        "/never" => Body::from_stream(futures_util::stream::pending::<Result1>()).into_response(),
        "/away" => (StatusCode::FOUND, [("location", "/wav")]).into_response(),
        _ => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

type Result1 = std::result::Result<Bytes, std::io::Error>;

struct World {
    speaker: Arc<Speaker>,
    heard: Arc<Heard>,
    at: SocketAddr,
    told: Arc<Mutex<Vec<String>>>,
    folder: TempDir,
}

impl World {
    async fn new() -> Self {
        let heard = Arc::<Heard>::default();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap();
        let server = Router::new().fallback(speak).with_state(heard.clone());
        tokio::spawn(async move { axum::serve(listener, server).await });
        let folder = tempfile::tempdir().unwrap();
        let told = Arc::<Mutex<Vec<String>>>::default();
        let speaker = Self::speaker(&folder, &told);
        Self { speaker, heard, at, told, folder }
    }

    fn speaker(folder: &TempDir, told: &Arc<Mutex<Vec<String>>>) -> Arc<Speaker> {
        let told = told.clone();
        Speaker::new(folder.path().join("speech"), Arc::new(Prompts::new(8 << 20)), move |tenant, why| {
            told.lock().unwrap().push(format!("{tenant}: {why}"));
        })
    }

    /// Asked with JSON at a path of the server.
    fn engine(&self, path: &str, answer: SpeechAnswer) -> Speech {
        let http = HttpSpeech {
            url: format!("http://{}{path}", self.at),
            method: HttpMethod::Post,
            content_type: "application/json".into(),
            body: r#"{"say": "{text}", "as": "{voice}", "in": "{language}"}"#.into(),
            headers: vec![("Authorization".into(), Secret::new("Bearer x"))],
            answer,
            timeout: Duration::from_millis(300),
            answer_size: 32 << 10,
        };
        Speech { engine: SpeechEngine::Http(Arc::new(http)), voices: vec![("bg".into(), "Kalina".into())] }
    }

    async fn say(&self, speech: &Speech, text: &str) -> Result {
        self.speaker.say("acme", speech, BOUNDS, "bg", text, Rate::Narrow).await
    }

    fn asked(&self) -> usize {
        self.heard.asked.lock().unwrap().len()
    }
}

/// Whether it is the server's tone, and not something that espeak-ng said.
fn is_tone(samples: &Samples) -> bool {
    samples.length() == Duration::from_millis(500)
}

#[tokio::test]
async fn a_server_is_asked_once_for_a_text_and_never_again() {
    let world = World::new().await;
    let speech = world.engine("/wav", SpeechAnswer::Wav);
    for _ in 0..2 {
        assert!(is_tone(&world.say(&speech, "Кажете \"да\"").await.expect("words")));
    }
    let asked = world.heard.asked.lock().unwrap().clone();
    let [(_, token, body)] = &asked[..] else { panic!("asked once: {asked:?}") };
    assert_eq!(token, "Bearer x");
    let body: serde_json::Value = serde_json::from_str(body).unwrap();
    assert_eq!(body, serde_json::json!({ "say": "Кажете \"да\"", "as": "Kalina", "in": "bg" }));
    // Another process over the same folder has the words on disk.
    let restarted = World::speaker(&world.folder, &world.told);
    let said = restarted.say("acme", &speech, BOUNDS, "bg", "Кажете \"да\"", Rate::Narrow).await;
    assert!(is_tone(&said.expect("words")));
    assert_eq!(world.asked(), 1);
}

#[tokio::test]
async fn whoever_wants_the_same_words_waits_for_the_same_answer() {
    let world = World::new().await;
    let speech = world.engine("/raw", SpeechAnswer::Raw { rate: 16_000 });
    let said = join_all((0..20).map(|_| world.say(&speech, "едно"))).await;
    assert!(said.iter().all(|said| said.as_ref().is_ok_and(is_tone)));
    assert_eq!(world.asked(), 1);
    // Also for telephones of other rates: a file of 16 kHz has nothing for those of 48 kHz.
    let rates = Rate::ALL.into_iter().cycle().take(9);
    let (speaker, speech) = (&world.speaker, &speech);
    let said = rates.map(|rate| async move {
        (rate, speaker.say("acme", speech, BOUNDS, "bg", "две", rate).await.expect("words"))
    });
    for (rate, samples) in join_all(said).await {
        assert!(is_tone(&samples) && samples.rate == rate.min(Rate::Wide), "{rate:?}: {:?}", samples.rate);
    }
    assert_eq!(world.asked(), 2);
    let texts: Vec<String> = (0..40).map(|n| format!("номер {n}")).collect();
    let said = join_all(texts.iter().map(|text| world.say(speech, text))).await;
    assert!(said.iter().all(|said| said.as_ref().is_ok_and(is_tone)));
    assert!(world.heard.most.load(Relaxed) <= BOUNDS.at_once, "no more at once than configured");
}

#[tokio::test]
async fn a_server_that_fails_is_left_alone_and_espeak_speaks() {
    for (path, why) in [
        ("/broken", "the speech server answered 500"),
        ("/away", "the speech server answered 302"),
        ("/huge", "the speech server sent more than 32768 bytes"),
        ("/never", "the speech engine took too long"),
        ("/text", "the speech engine made no sound: not a WAV file"),
    ] {
        let world = World::new().await;
        let speech = world.engine(path, SpeechAnswer::Wav);
        for text in ["първо", "второ"] {
            let samples = world.say(&speech, text).await.expect("espeak-ng is installed");
            assert!(!is_tone(&samples) && samples.sound.iter().any(|sample| sample.abs() > 1000), "{path}");
        }
        assert_eq!(world.asked(), 1, "{path}: the second text does not wait for it");
        let told = world.told.lock().unwrap().clone();
        assert!(told.len() == 1 && told[0].starts_with(&format!("acme: {why}")), "{told:?}");
    }
}

#[tokio::test]
async fn a_server_that_is_not_there_is_told_without_its_address() {
    let world = World::new().await;
    let mut speech = world.engine("/wav", SpeechAnswer::Wav);
    let SpeechEngine::Http(http) = &speech.engine else { panic!("it is a server") };
    // Port 1 is taken by nobody.
    let gone = HttpSpeech { url: "http://127.0.0.1:1/?key=secret".into(), ..(**http).clone() };
    speech.engine = SpeechEngine::Http(Arc::new(gone));
    assert!(world.say(&speech, "трето").await.is_ok());
    let told = world.told.lock().unwrap().join("\n");
    assert!(told.contains("can't be reached") && !told.contains("secret"), "{told}");
}

#[tokio::test]
async fn espeak_speaks_each_language_and_any_other_in_english() {
    let world = World::new().await;
    let speech = Speech::default();
    let mut said = Vec::new();
    for language in ["en", "bg", "ru", "xx"] {
        let samples = world
            .speaker
            .say("acme", &speech, BOUNDS, language, "-v 12 минути", Rate::Narrow)
            .await
            .expect("words");
        assert!(samples.sound.len() > 4000, "{language}");
        said.push(samples);
    }
    assert_ne!(said[0], said[1], "the languages differ");
    assert_ne!(said[1], said[2]);
    assert_eq!(said[3], said[0]);
    assert!(world.told.lock().unwrap().is_empty());
}

#[tokio::test]
async fn words_that_were_damaged_on_disk_are_spoken_again() {
    let world = World::new().await;
    let speech = world.engine("/wav", SpeechAnswer::Wav);
    assert!(world.say(&speech, "добре").await.is_ok());
    std::fs::write(world.speaker.path(&speech, "bg", "добре"), b"nothing").unwrap();
    let restarted = World::speaker(&world.folder, &world.told);
    assert!(is_tone(
        &restarted.say("acme", &speech, BOUNDS, "bg", "добре", Rate::Narrow).await.expect("words")
    ));
    assert_eq!(world.asked(), 2);
}

#[tokio::test]
async fn without_any_engine_the_words_are_left_out_at_once_and_told() {
    let mut world = World::new().await;
    Arc::get_mut(&mut world.speaker).expect("nobody else has it").espeak = "no-such-program";
    let broken = world.engine("/broken", SpeechAnswer::Wav);
    for text in ["първо", "второ"] {
        assert!(world.say(&broken, text).await.is_err());
    }
    assert!(matches!(&*world.say(&Speech::default(), "трето").await.unwrap_err(), SpeechError::Resting));
    let told = world.told.lock().unwrap().clone();
    assert!(told.len() == 2 && told[1].starts_with("acme: espeak-ng can't be started"), "{told:?}");
}
