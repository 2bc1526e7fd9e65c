//! A speech server for the exchange to ask: every text becomes a short tone, and a test reads what was to be said, and in
//! which language.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddrV4, TcpListener, TcpStream};
use std::sync::mpsc::{self, Sender};
use std::time::Duration;

use serde_json::Value;

use crate::process::Lines;
use crate::sound::tone_wav;

/// What every text sounds like.
pub const SPEECH_HZ: f64 = 700.0;
/// How long it sounds: a test has better things to do than to listen.
const LENGTH: Duration = Duration::from_millis(400);

/// A running server. It ends with the test.
#[derive(Debug)]
pub struct SpeechServer {
    at: SocketAddrV4,
    said: Lines,
}

impl SpeechServer {
    /// Starts it at an address.
    pub fn start(at: SocketAddrV4) -> Self {
        let listener = TcpListener::bind(at).expect("the address is free");
        let (tell, coming) = mpsc::channel();
        let wav = tone_wav(SPEECH_HZ, LENGTH);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (tell, wav) = (tell.clone(), wav.clone());
                std::thread::spawn(move || serve(stream, &tell, &wav));
            }
        });
        Self { at, said: Lines::new("speech server", coming) }
    }

    /// `[speech]` of a configuration that asks this server.
    pub fn section(&self) -> String {
        format!(
            "[speech]\nengine = \"http\"\nurl = \"http://{}/\"\nbody = '{{\"text\": \"{{text}}\", \"language\": \
             \"{{language}}\"}}'\n",
            self.at
        )
    }

    /// Whether the exchange has had these words spoken in this language, or does so within the limit.
    pub fn speaks(&mut self, language: &str, words: &str, limit: Duration) -> bool {
        let line = format!("{language}: {words}");
        self.said.heard().contains(&line)
            || self.said.seek(limit, |said| (said == line).then_some(())).is_some()
    }

    /// Everything that it has been asked to say until now, as "en: Welcome."
    pub fn heard(&mut self) -> &[String] {
        self.said.running(Duration::ZERO);
        self.said.heard()
    }
}

/// One connection: a text, and its tone.
fn serve(mut stream: TcpStream, tell: &Sender<String>, wav: &[u8]) {
    let Ok(reader) = stream.try_clone() else { return };
    let mut reader = BufReader::new(reader);
    let mut length = 0;
    for line in (&mut reader).lines().map_while(Result::ok).take_while(|line| !line.is_empty()) {
        let (name, value) = line.split_once(':').unwrap_or_default();
        if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse().unwrap_or(0);
        }
    }
    let mut body = vec![0; length];
    if reader.read_exact(&mut body).is_err() {
        return;
    }
    let asked: Value = serde_json::from_slice(&body).unwrap_or_default();
    let word = |name: &str| asked[name].as_str().unwrap_or("-").to_owned();
    // The test may be over.
    drop(tell.send(format!("{}: {}", word("language"), word("text"))));
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: audio/wav\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        wav.len()
    );
    drop(stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(wav)));
}
