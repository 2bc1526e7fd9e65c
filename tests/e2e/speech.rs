//! What a caller hears besides people: music that goes on where it was left, words that nobody recorded,
//! calendars; and what the exchange remembers of whom they spoke with.

use std::time::Duration;

use serde_json::Value;
use tests::sound::tone_wav;

use crate::world::{SOON, World, mark};

const A_SECOND: Duration = Duration::from_secs(1);

/// The pieces of the music, 4 s each.
const PIECES: [(&str, f64); 2] = [("low", 600.0), ("high", 900.0)];

fn behaves(number: &str, does: &str) -> String {
    format!(
        "  [[tenant.number]]\n  number = \"{number}\"\n  script = \"behave\"\n  settings = {{ does = \"{does}\" }}\n"
    )
}

#[test]
fn music_goes_on_where_an_announcement_interrupted_it() {
    let music = "  [[tenant.music]]\n  name = \"shop\"\n  play = [\"low\", \"high\"]\n";
    let world = World::with(|_| behaves("900", "wait") + music);
    for (name, hz) in PIECES {
        world.exchange.keep_prompt(name, tone_wav(hz, A_SECOND * 4));
    }
    let mut ana = world.pjsua("ana", 440.0);
    ana.call(&world.uri("900"));
    ana.confirmed(SOON);
    ana.talk(A_SECOND * 2);
    // A second of announcement, and then the rest of the first piece.
    ana.press("5");
    ana.talk(A_SECOND * 6);
    ana.hang_up();
    ana.disconnected(SOON);
    let heard = ana.heard();
    let tenth = Duration::from_millis(100);
    let announced = heard.tone(1300.0).length;
    assert!((tenth * 7..=tenth * 11).contains(&announced), "the announcement was heard for {announced:?}");
    // Begun again from its beginning, it would have been heard for six seconds.
    heard.assert_among(PIECES[0].1, tenth * 33, tenth * 45);
    heard.assert_tone(PIECES[1].1, tenth * 10);
}

#[test]
fn a_closed_office_says_so_in_words_that_nobody_recorded() {
    let mut world = World::with(|_| {
        "  [[tenant.calendar]]\n  name = \"office\"\n  default = \"open\"\n    [[tenant.calendar.rule]]\n    \
         scheme = \"closed\"\n    rrule = \"FREQ=DAILY\"\n    start = \"2020-01-01\"\n  \
         [[tenant.number]]\n  number = \"900\"\n  script = \"strowger/hours\"\n  \
         settings = { calendar = \"office\", schemes = { closed = { play = \"we-are-closed-today\" } } }\n"
            .to_owned()
    });
    let mut ana = world.pjsua("ana", 440.0);
    ana.call(&world.uri("900"));
    ana.confirmed(SOON);
    ana.disconnected(SOON);
    let loud = ana.heard().loud();
    assert!(loud >= A_SECOND / 2, "words were heard for {loud:?}");
    let calls = world.exchange.calls(1);
    assert_eq!(mark(&calls[0], "hours"), Some("closed"), "{}", calls[0]);
}

#[test]
fn whoever_spoke_with_the_caller_is_known_after_a_restart() {
    let mut world = World::with(|_| behaves("900", "remember"));
    let mut ana = world.pjsua("ana", 440.0);
    let talking = world.carrier_calls("701").calls(1, 1).talks(A_SECOND).start();
    ana.event("ringing", SOON);
    ana.answer();
    ana.disconnected(SOON);
    talking.finish(SOON).assert_all(1);
    world.exchange.calls(1);
    for before in 1..=2 {
        world.carrier_calls("900").calls(1, 1).talks(A_SECOND).run(SOON).assert_all(1);
        let calls = world.exchange.calls(before + 1);
        let asked: Vec<&Value> = calls.iter().filter(|call| mark(call, "last").is_some()).collect();
        assert_eq!(asked.len(), before, "{calls:?}");
        for call in asked {
            assert_eq!((mark(call, "last"), mark(call, "conversations")), (Some("ana"), Some("1")), "{call}");
        }
        world.exchange.kill();
        world.exchange.start_again();
    }
}
