//! What is heard for each prompt, over a node without calls.

use super::*;
use crate::config;

struct Exchange {
    sounds: Sounds,
    _runtime: tokio::runtime::Runtime,
    _folder: tempfile::TempDir,
}

fn exchange() -> Exchange {
    let folder = tempfile::tempdir().unwrap();
    let text = "[node]\nsandboxes = 8\n[[tenant]]\nname = \"acme\"\n[[tenant.music]]\nname = \"shop\"\nplay = [\"waltz\", \"Open until six.\"]\n";
    let file = folder.path().join("world.toml");
    let world = config::read(&[(file, text.to_owned())], &|_| None).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let (node, _) = Node::open(world, None, runtime.handle().clone(), None).unwrap();
    Exchange { sounds: Sounds::new(&node), _runtime: runtime, _folder: folder }
}

impl Exchange {
    fn source(&self, language: &str, prompt: Prompt) -> Source {
        let world = self.sounds.0.node.world();
        self.sounds.0.source(world.tenant("acme").unwrap(), language, &prompt)
    }

    /// What is heard, read and spoken to the end.
    fn hear(&self, language: &str, what: &[Prompt]) -> Vec<Sound> {
        let (sender, heard) = std::sync::mpsc::channel();
        let programme = self.sounds.programme("acme", what.to_vec(), false);
        self.sounds
            .read("acme", language, Rate::Narrow, programme, move |_, sounds| sender.send(sounds).unwrap());
        heard.recv().unwrap()
    }

    fn record(&self, name: &str) {
        let node = &self.sounds.0.node;
        let (_, wav) = crate::prompts::SHIPPED[0];
        node.prompts.put(node.world().tenant("acme").unwrap(), name, wav).unwrap();
    }

    fn told(&self, kind: &str) -> Vec<serde_json::Value> {
        let page = self.sounds.0.node.events.read("acme", 0, 1000);
        let of_kind = page.events.iter().filter(|event| event.kind == kind);
        of_kind.map(|event| event.data()).collect()
    }
}

fn recording(name: &str) -> Prompt {
    Prompt::Recording(name.into())
}

fn said(language: &str, text: &str) -> Source {
    Source::Words(words(language, text))
}

#[test]
fn a_missing_recording_is_spoken_by_its_name_and_told_once() {
    let exchange = exchange();
    assert_eq!(exchange.source("en", recording("black-friday-menu")), said("en", "black friday menu"));
    for _ in 0..2 {
        let heard = exchange.hear("en", &[recording("black-friday-menu")]);
        assert!(matches!(&heard[..], [Sound::Samples(samples)] if samples.sound.len() > 4000));
    }
    assert_eq!(exchange.told("prompt.missing"), [json!({ "prompt": "black-friday-menu" })]);
    // What was spoken once is in memory, and waits for nobody.
    assert!(
        exchange.sounds.in_memory("acme", "en", Rate::Narrow, &[recording("black-friday-menu")]).is_some()
    );
}

#[test]
fn what_is_shipped_is_heard_in_the_legs_language() {
    let exchange = exchange();
    assert!(matches!(exchange.source("en", recording("welcome")), Source::File(_)));
    assert_eq!(exchange.source("bg", recording("welcome")), said("bg", "Добре дошли."));
    assert!(matches!(exchange.source("bg", recording("demo-menu")), Source::File(_)), "better than its name");
    let offer = recording("press-3-to-leave-a-message");
    assert_eq!(exchange.source("bg", offer), said("bg", "Натиснете три, за да оставите съобщение."));
    exchange.hear("bg", &[recording("please-wait")]);
    assert!(exchange.told("prompt.missing").is_empty(), "the exchange has words for it");
}

#[test]
fn a_tenants_recording_wins_over_speech() {
    let exchange = exchange();
    let text = || Prompt::Text("Press 1, please!".into());
    assert_eq!(exchange.source("en", text()), said("en", "Press 1, please!"));
    for name in ["press-1-please", "welcome.bg"] {
        exchange.record(name);
    }
    assert!(matches!(exchange.source("en", text()), Source::File(_)));
    assert!(matches!(exchange.source("bg", recording("welcome")), Source::File(_)));
    assert_eq!(exchange.source("ru", recording("welcome")), said("ru", "Добро пожаловать."));
}

#[test]
fn nobody_is_read_the_letters_of_a_recording_that_is_gone() {
    let exchange = exchange();
    let name = format!("{}-1", CallId::new(1_795_000_000_000, 7));
    assert_eq!(exchange.source("en", recording(&name)), Source::Nowhere);
    let heard = exchange.hear("en", &[recording(&name)]);
    assert!(matches!(heard[..], [Sound::Silence(Duration::ZERO)]));
    assert_eq!(exchange.told("prompt.missing").len(), 1);
}

#[test]
fn music_that_nobody_has_is_the_exchanges_own() {
    let exchange = exchange();
    assert_eq!(exchange.source("en", Prompt::Music("jazz".into())), Source::HoldMusic);
    assert_eq!(exchange.hear("en", &[Prompt::Music("jazz".into())]).len(), 1);
    assert_eq!(exchange.told("prompt.missing"), [json!({ "prompt": "jazz" })]);
}

#[test]
fn a_playlist_is_heard_in_turn_again_and_again_after_what_comes_before_it() {
    let exchange = exchange();
    let shop = || Prompt::Music("shop".into());
    let programme = |what, looped| exchange.sounds.programme("acme", what, looped);
    assert_eq!(
        programme(vec![recording("please-wait"), shop()], false),
        Programme {
            what: vec![recording("please-wait"), recording("waltz"), Prompt::Text("Open until six.".into())],
            repeat: Some(1),
            music: Some("shop".into()),
        }
    );
    let hold = vec![Prompt::Music("hold".into())];
    let music = Some("hold".into());
    assert_eq!(programme(hold.clone(), true), Programme { what: hold, repeat: Some(0), music });
    let words = vec![recording("please-wait")];
    assert_eq!(programme(words.clone(), false), Programme { what: words.clone(), repeat: None, music: None });
    assert_eq!(programme(words.clone(), true), Programme { what: words, repeat: Some(0), music: None });
}

#[test]
fn digits_are_spoken_one_by_one() {
    let exchange = exchange();
    assert_eq!(exchange.source("bg", Prompt::Digits("102".into())), said("bg", "1 0 2"));
}

#[test]
fn a_name_is_the_words_with_dashes() {
    assert_eq!(name_of("Press 1, please.").as_deref(), Some("press-1-please"));
    assert_eq!(name_of("Добре дошли"), None);
    assert_eq!(name_of("..."), None);
    assert_eq!(name_of(&"word ".repeat(20)), None);
}

#[test]
fn numbers_waits_and_places_are_words_of_the_legs_language() {
    let exchange = exchange();
    let minutes = |noun: &str| Prompt::Quantity(2, noun.into());
    assert_eq!(exchange.source("bg", minutes("minute")), said("bg", "две минути"));
    assert_eq!(exchange.source("ru-RU", minutes("minutes")), said("ru-RU", "две минуты"));
    assert_eq!(exchange.source("bg", minutes("торти")), said("bg", "2 торти"));
    let wait = Prompt::Duration(Duration::from_secs(240));
    assert_eq!(exchange.source("bg", wait), said("bg", "около четири минути"));
    let third = || Prompt::Position(3);
    assert_eq!(exchange.source("en", third()), said("en", "You are third in line."));
    // A recording under the English words is heard in its language.
    exchange.record("you-are-third-in-line.bg");
    assert!(matches!(exchange.source("bg", third()), Source::File(_)));
    assert_eq!(exchange.source("ru", third()), said("ru", "Ваше место в очереди: третье."));
    assert!(exchange.told("language.unknown").is_empty());
}

#[test]
fn a_language_without_words_is_told_once_and_hears_english() {
    let exchange = exchange();
    assert_eq!(exchange.source("de", Prompt::Position(3)), said("en", "You are third in line."));
    assert_eq!(exchange.source("de", recording("please-wait")), said("en", "Please stay on the line."));
    for _ in 0..2 {
        assert_eq!(exchange.hear("de", &[Prompt::Position(3), Prompt::Text("Guten Tag".into())]).len(), 2);
    }
    assert_eq!(exchange.told("language.unknown"), [json!({ "language": "de" })]);
}
