//! Recordings of conversations as those who need them get them: a channel a side, without the card number, by ranges, by
//! links, as Opus, and up to the last second after `kill -9`. Files are read by programs that others made.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use tests::exchange::TOKEN;
use tests::pjsua::Pjsua;
use tests::sound::{Heard, tone_wav};

use crate::world::{SOON, World};

const A_SECOND: Duration = Duration::from_secs(1);
const MARIA: &str = "+359888123456";
const MARIA_HZ: f64 = 1000.0;
const BORIS_HZ: f64 = 600.0;
const ANNOUNCED_HZ: f64 = 1900.0;

fn world(rules: &str) -> World {
    let world = World::with(|_| format!("  [tenant.recording]\n  {}\n", rules.replace("; ", "\n  ")));
    world.exchange.keep_prompt("recorded", tone_wav(ANNOUNCED_HZ, A_SECOND));
    world
}

/// Maria, a customer, and Boris talk.
fn talk(world: &World) -> (Pjsua, Pjsua) {
    let mut boris = world.pjsua("boris", BORIS_HZ);
    let mut maria = world.customer(MARIA, MARIA_HZ);
    maria.call(&world.uri("701"));
    boris.event("ringing", SOON);
    boris.answer();
    boris.confirmed(SOON);
    maria.confirmed(SOON);
    (maria, boris)
}

fn hang_up(mut maria: Pjsua, mut boris: Pjsua) -> (Heard, Heard) {
    maria.hang_up();
    boris.disconnected(SOON);
    (maria.heard(), boris.heard())
}

/// The first recording in the list, once it is there as wished.
#[track_caller]
fn listed(world: &mut World, is: impl Fn(&Value) -> bool) -> Value {
    world.exchange.eventually("a recording in the list", |exchange| {
        let list = exchange.get("/tenants/demo/recordings");
        list["recordings"].as_array()?.first().filter(|recording| is(recording)).cloned()
    })
}

fn client() -> reqwest::blocking::Client {
    reqwest::blocking::Client::new()
}

/// Keeps what is at a path of the exchange in its folder.
#[track_caller]
fn download(world: &World, path: &str, token: Option<&str>, name: &str) -> PathBuf {
    let request = client().get(format!("{}{path}", world.exchange.url()));
    let request = if let Some(token) = token { request.bearer_auth(token) } else { request };
    let answer = request.send().expect("an answer");
    assert!(answer.status().is_success(), "{path}: {}", answer.status());
    let file = world.exchange.folder().join(name);
    fs::write(&file, answer.bytes().expect("the sound")).expect("the test's folder can be written");
    file
}

#[track_caller]
fn run(program: &str, arguments: &[&str]) -> String {
    let done = Command::new(program).args(arguments).output();
    let done = done.unwrap_or_else(|why| panic!("{program} does not start: {why}"));
    assert!(done.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8_lossy(&done.stdout).into_owned()
}

/// Channels, rate and seconds, as Python's own reader of WAV files says.
#[track_caller]
fn wave(file: &Path) -> (u32, u32, f64) {
    let script = "import sys, wave\nw = wave.open(sys.argv[1])\n\
                  read = len(w.readframes(w.getnframes())) // w.getnchannels() // w.getsampwidth()\n\
                  print(w.getnchannels(), w.getframerate(), read / w.getframerate())";
    let said = run("python3", &["-c", script, &file.to_string_lossy()]);
    let mut parts = said.split_whitespace();
    let mut next = || parts.next().expect("three numbers").parse::<f64>().expect("a number");
    (next() as u32, next() as u32, next())
}

#[test]
fn both_hear_that_they_are_recorded_and_each_is_on_a_channel_without_what_was_said_in_the_pause() {
    let mut world = world("users = [\"boris\"]; announce = \"recorded\"; pause_keys = \"*1\"");
    let (mut maria, mut boris) = talk(&world);
    maria.talk(A_SECOND * 3);
    let live = world.exchange.get("/tenants/demo/calls?live=true")["calls"][0]["id"].clone();
    let path = format!("/tenants/demo/calls/{}/recording", live.as_str().expect("a call is up"));
    assert_eq!(world.exchange.send("POST", &format!("{path}/pause"), "").0, 204);
    maria.talk(A_SECOND * 3);
    // Boris has it go on from his telephone.
    boris.press("*1");
    maria.talk(A_SECOND * 3);
    let (heard_by_maria, heard_by_boris) = hang_up(maria, boris);
    for heard in [&heard_by_maria, &heard_by_boris] {
        heard.assert_tone(ANNOUNCED_HZ, A_SECOND * 8 / 10);
    }
    heard_by_boris.assert_tone(MARIA_HZ, A_SECOND * 7);
    let recording = listed(&mut world, |_| true);
    assert_eq!((&recording["channels"], &recording["format"]), (&2.into(), &"wav".into()), "{recording}");
    assert_eq!((&recording["from"]["number"], &recording["answered_by"]), (&MARIA.into(), &"boris".into()));
    let name = recording["name"].as_str().expect("a name");
    let file = download(&world, &format!("/v1/tenants/demo/recordings/{name}"), Some(TOKEN), "both.wav");
    let (channels, rate, seconds) = wave(&file);
    assert_eq!((channels, rate), (2, 8000));
    assert!((9.0..14.0).contains(&seconds), "{seconds}");
    let (left, right) = (Heard::read_channel(&file, 0), Heard::read_channel(&file, 1));
    left.assert_tone(MARIA_HZ, A_SECOND * 4);
    left.assert_no_tone(BORIS_HZ);
    right.assert_tone(BORIS_HZ, A_SECOND * 3);
    right.assert_no_tone(MARIA_HZ);
    let said = left.tone(MARIA_HZ).length;
    assert!(said.as_secs_f64() < seconds - 2.5, "{said:?} of {seconds} s, of which 3 are left out");

    let nowhere = path.replace(live.as_str().unwrap_or_default(), "01KAG2M7V8Q4ZJ6T9X5B3N1C0D");
    assert_eq!(world.exchange.send("POST", &format!("{nowhere}/pause"), "").0, 404);
}

#[test]
fn a_recording_is_shared_by_a_link_that_seeks_ends_and_is_taken_back() {
    let mut world = world("all = true; channels = 1");
    let (mut maria, boris) = talk(&world);
    maria.talk(A_SECOND * 3);
    hang_up(maria, boris);
    let recording = listed(&mut world, |_| true);
    let name = recording["name"].as_str().expect("a name").to_owned();
    let (status, made, said) = world.exchange.cli(&["recording", "share", &name, "--days", "2"]);
    assert_eq!(status, 0, "{said}");
    let link = made.trim().to_owned();
    let path =
        link.strip_prefix(&world.exchange.url()).unwrap_or_else(|| panic!("{link} is no link")).to_owned();
    let file = download(&world, &path, None, "shared.wav");
    let (channels, _, seconds) = wave(&file);
    assert_eq!(channels, 1);
    let both = Heard::read(&file);
    for hz in [MARIA_HZ, BORIS_HZ] {
        both.assert_among(hz, A_SECOND * 2, Duration::from_secs_f64(seconds));
    }
    // Its last second alone, as a browser asks that seeks.
    let part = client().get(&link).header("range", "bytes=-16000").send().expect("an answer");
    assert_eq!((part.status().as_u16(), part.bytes().expect("a part").len()), (206, 16_000));
    let whole = fs::read(&file).expect("the file");
    let beyond = client().get(&link).header("range", format!("bytes={}-", whole.len())).send();
    assert_eq!(beyond.expect("an answer").status().as_u16(), 416);

    let (status, listed, said) = world.exchange.cli(&["recording", "list"]);
    assert!(status == 0 && listed.contains(&name) && listed.contains(MARIA), "{listed}{said}");
    let shares = world.exchange.get(&format!("/tenants/demo/recordings/{name}/shares"));
    let id = shares["shares"][0]["id"].as_str().expect("a link").to_owned();
    assert_eq!(shares["shares"][0]["uses"], 1, "{shares}");
    let (status, _, said) = world.exchange.cli(&["recording", "unshare", &id]);
    assert_eq!(status, 0, "{said}");
    let short = format!("/tenants/demo/recordings/{name}/shares");
    let (status, brief) = world.exchange.send("POST", &short, "{\"open_for\": 1}");
    assert_eq!(status, 201, "{brief}");
    let brief = format!("{}{}", world.exchange.url(), brief["path"].as_str().expect("a path"));
    world.exchange.eventually("an end of the link", |_| {
        (client().get(&brief).send().ok()?.status().as_u16() == 404).then_some(())
    });
    let answers = [link, brief, format!("{}/shared/x", world.exchange.url())].map(|link| {
        let answer = client().get(link).send().expect("an answer");
        (answer.status().as_u16(), answer.text().unwrap_or_default())
    });
    assert!(answers.iter().all(|answer| answer.0 == 404 && *answer == answers[0]), "{answers:?}");
}

#[test]
fn a_recording_is_written_anew_as_opus_that_other_programs_play() {
    let mut world = world("numbers = [\"701\"]; format = \"opus\"");
    let (mut maria, boris) = talk(&world);
    maria.talk(A_SECOND * 4);
    hang_up(maria, boris);
    let recording = listed(&mut world, |recording| recording["format"] == "opus");
    let seconds = recording["seconds"].as_f64().expect("a length");
    assert!((4.0..9.0).contains(&seconds), "{recording}");
    // WAV would take 32,000 bytes a second.
    let bytes = recording["bytes"].as_f64().expect("a size");
    assert!(bytes < seconds * 32_000.0 / 3.0, "{bytes} bytes of {seconds} s");
    let name = recording["name"].as_str().expect("a name");
    let file = download(&world, &format!("/v1/tenants/demo/recordings/{name}"), Some(TOKEN), "call.ogg");
    let wav = world.exchange.folder().join("call.wav");
    run("opusdec", &["--quiet", "--rate", "8000", &file.to_string_lossy(), &wav.to_string_lossy()]);
    let (channels, _, decoded) = wave(&wav);
    assert!(
        channels == 2 && (decoded - seconds).abs() < 0.05,
        "{channels} channels, {decoded} of {seconds} s"
    );
    let (left, right) = (Heard::read_channel(&wav, 0), Heard::read_channel(&wav, 1));
    left.assert_tone(MARIA_HZ, A_SECOND * 3);
    right.assert_tone(BORIS_HZ, A_SECOND * 3);
    assert_eq!(left.tone(BORIS_HZ).length + right.tone(MARIA_HZ).length, Duration::ZERO);
    let left_over = world.exchange.folder().join(format!("data/recordings/demo/{name}.wav"));
    assert!(!left_over.exists(), "there is one file of it");
}

/// What a telephone of 8 kHz could not say is in the file of a conversation in which one side says it, also when the
/// other one is such a telephone.
#[test]
fn a_conversation_of_wide_telephones_is_recorded_at_16_khz() {
    const VERA_HZ: f64 = 6000.0;
    for codec in ["G722/16000/1", "opus/48000/1"] {
        let mut world = world("all = true");
        let mut boris = world.pjsua("boris", BORIS_HZ);
        let mut vera = world.baresip("vera", VERA_HZ, &format!(";audio_codecs={codec}"));
        vera.dial(&world.uri("102"));
        boris.event("ringing", SOON);
        boris.answer();
        boris.confirmed(SOON);
        vera.event("CALL_ESTABLISHED", SOON);
        boris.talk(A_SECOND * 5);
        vera.hang_up();
        boris.disconnected(SOON);
        vera.event("CALL_CLOSED", SOON);
        vera.heard().assert_tone(BORIS_HZ, A_SECOND * 2);
        let recording = listed(&mut world, |_| true);
        let name = recording["name"].as_str().expect("a name");
        let file = download(&world, &format!("/v1/tenants/demo/recordings/{name}"), Some(TOKEN), "wide.wav");
        let (channels, rate, seconds) = wave(&file);
        assert_eq!((channels, rate), (2, 16_000), "{codec}");
        assert_eq!(run("soxi", &["-r", &file.to_string_lossy()]).trim(), "16000");
        assert!((recording["seconds"].as_f64().expect("a length") - seconds).abs() < 0.2, "{recording}");
        let (left, right) = (Heard::read_channel(&file, 0), Heard::read_channel(&file, 1));
        left.assert_tone(VERA_HZ, A_SECOND * 3);
        right.assert_tone(BORIS_HZ, A_SECOND * 3);
    }
}

#[test]
fn what_was_said_until_a_second_before_kill_9_can_be_played() {
    let mut world = world("all = true");
    let (mut maria, _boris) = talk(&world);
    maria.talk(A_SECOND * 5);
    world.exchange.kill();
    let folder = world.exchange.folder().join("data/recordings/demo");
    let files: Vec<_> = fs::read_dir(folder).expect("the folder").filter_map(Result::ok).collect();
    assert_eq!(files.len(), 1);
    let (channels, rate, seconds) = wave(&files[0].path());
    assert_eq!((channels, rate), (2, 8000));
    assert!(seconds >= 4.0, "{seconds} s of more than 5");
    Heard::read_channel(&files[0].path(), 0).assert_tone(MARIA_HZ, A_SECOND * 35 / 10);
    // What it says in its header is all of it, but what was on its way.
    let bytes = fs::metadata(files[0].path()).expect("the file").len() as f64;
    assert!((bytes - 44.0) / 32_000.0 - seconds < 0.6, "{bytes} bytes for {seconds} s");
}
