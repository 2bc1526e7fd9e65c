//! Transfers from telephones, blind and attended, parking and picking up: who hears whom afterwards, what the
//! telephones are told, and what the records say.

use std::time::Duration;

use serde_json::Value;
use tests::pjsua::Pjsua;
use tests::sipp::{Sipp, UAC_REPLACES, WATCHES_CALLS};

use crate::world::{LATER, SOON, World, password};

const A_SECOND: Duration = Duration::from_secs(1);
const A_WHILE: Duration = Duration::from_secs(2);

/// Ana at 440 Hz and boris at 600 Hz on pjsua2, vera at 900 Hz who has called ana and talks with her.
fn vera_talks_with_ana(world: &World) -> (Pjsua, Pjsua, Pjsua) {
    let mut ana = world.pjsua("ana", 440.0);
    let boris = world.pjsua("boris", 600.0);
    let mut vera = world.pjsua("vera", 900.0);
    vera.call(&world.uri("101"));
    ana.event("ringing", SOON);
    ana.answer();
    vera.confirmed(SOON);
    ana.confirmed(SOON);
    (ana, boris, vera)
}

/// Party and end of each leg of a record.
fn legs(record: &Value) -> Vec<(String, String)> {
    let legs = record["legs"].as_array().expect("a record has legs");
    let word = |leg: &Value, key: &str| leg[key].as_str().unwrap_or_default().to_owned();
    legs.iter().map(|leg| (word(leg, "party"), word(leg, "end"))).collect()
}

fn named(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected.iter().map(|(party, end)| (party.to_string(), end.to_string())).collect()
}

#[test]
fn a_blind_transfer_that_is_answered() {
    let mut world = World::new();
    let (mut ana, mut boris, mut vera) = vera_talks_with_ana(&world);
    ana.talk(A_SECOND);
    ana.transfer(&world.uri("102"));
    let from = boris.event("ringing", SOON)["from"].as_str().expect("a URI").to_owned();
    assert!(from.contains("103"), "boris sees who is transferred, vera: {from}");
    vera.talk(A_SECOND);
    boris.answer();
    boris.confirmed(SOON);
    assert_eq!(ana.transferred(SOON), 200);
    ana.disconnected(SOON);
    vera.talk(A_WHILE);
    boris.hang_up();
    vera.disconnected(SOON);

    let record = world.exchange.calls(1).remove(0);
    let told = named(&[("vera", "hung up"), ("ana", "transferred"), ("boris", "hung up")]);
    assert_eq!(legs(&record), told, "{record}");
    boris.heard().assert_tone(900.0, A_SECOND);
    ana.heard().assert_tone(900.0, A_SECOND / 2);
    let heard = vera.heard();
    heard.assert_tone(440.0, A_SECOND / 2);
    heard.assert_tone(600.0, A_SECOND);
}

#[test]
fn a_telephone_of_another_make_transfers_too_and_leaves_by_itself() {
    let world = World::new();
    let mut ana = world.baresip("ana", 440.0, "");
    let mut boris = world.pjsua("boris", 600.0);
    let mut vera = world.pjsua("vera", 900.0);
    vera.call(&world.uri("101"));
    ana.event("CALL_INCOMING", SOON);
    ana.accept();
    vera.confirmed(SOON);
    vera.talk(A_SECOND);
    ana.transfer(&world.uri("102"));
    boris.event("ringing", SOON);
    boris.answer();
    boris.confirmed(SOON);
    ana.event("CALL_CLOSED", SOON);
    vera.talk(A_WHILE);
    vera.hang_up();
    boris.disconnected(SOON);
    boris.heard().assert_tone(900.0, A_SECOND);
    vera.heard().assert_tone(600.0, A_SECOND);
}

#[test]
fn a_transfer_that_is_refused_gives_the_party_back() {
    let world = World::new();
    let (mut ana, mut boris, vera) = vera_talks_with_ana(&world);
    ana.transfer(&world.uri("102"));
    boris.event("ringing", SOON);
    boris.refuse(486);
    assert_eq!(ana.transferred(SOON), 486);
    ana.talk(A_WHILE * 2);
    ana.transfer("sip:nobody@elsewhere.invalid");
    assert_eq!(ana.transferred(SOON), 480);
    ana.heard().assert_tone(900.0, A_WHILE * 3 / 2);
    vera.heard().assert_tone(440.0, A_WHILE * 3 / 2);
}

#[test]
fn a_transfer_that_nobody_answers_comes_back_to_a_telephone_that_had_hung_up() {
    let mut world = World::new();
    let (mut ana, mut boris, mut vera) = vera_talks_with_ana(&world);
    ana.transfer(&world.uri("102"));
    boris.event("ringing", SOON);
    ana.hang_up();
    ana.disconnected(SOON);
    // Boris lets it ring for 20 s.
    boris.disconnected(LATER);
    let from = ana.event("ringing", SOON)["from"].as_str().expect("a URI").to_owned();
    assert!(from.contains("103"), "{from}");
    ana.answer();
    ana.confirmed(SOON);
    ana.talk(A_WHILE);
    vera.hang_up();
    ana.disconnected(SOON);

    let record = world.exchange.calls(1).remove(0);
    let told = named(&[("vera", "hung up"), ("ana", "hung up"), ("boris", "no answer"), ("ana", "hung up")]);
    assert_eq!(legs(&record), told, "{record}");
    vera.heard().assert_tone(440.0, A_WHILE * 3 / 4);
    ana.heard().assert_tone(900.0, A_WHILE * 3 / 4);
}

#[test]
fn an_attended_transfer_joins_the_two_others() {
    let mut world = World::new();
    let (mut ana, mut boris, mut vera) = vera_talks_with_ana(&world);
    ana.consult(&world.uri("102"));
    boris.event("ringing", SOON);
    boris.answer();
    boris.confirmed(SOON);
    ana.confirmed(SOON);
    boris.talk(A_SECOND);
    ana.join();
    // The call in which she asked boris is his and vera's now; then she hears of it, and the first ends.
    ana.disconnected(SOON);
    assert_eq!(ana.transferred(SOON), 200);
    ana.disconnected(SOON);
    vera.talk(A_WHILE);
    boris.talk(A_SECOND);
    vera.hang_up();
    boris.disconnected(SOON);

    let records = world.exchange.calls(2);
    let mut all: Vec<_> = records.iter().map(legs).collect();
    all.sort();
    let joined = named(&[("vera", "hung up"), ("ana", "transferred"), ("boris", "hung up")]);
    let asked = named(&[("ana", "transferred"), ("boris", "transferred")]);
    assert_eq!(all, [asked, joined], "{records:?}");
    let heard = boris.heard();
    heard.assert_tone(440.0, A_SECOND / 2);
    heard.assert_tone(900.0, A_SECOND);
    vera.heard().assert_tone(600.0, A_SECOND);
}

#[test]
fn a_transfer_to_a_number_with_a_script_goes_there() {
    let world = World::new();
    let (mut ana, _boris, mut vera) = vera_talks_with_ana(&world);
    ana.transfer(&world.uri("702")); // the echo
    assert_eq!(ana.transferred(SOON), 200);
    ana.disconnected(SOON);
    vera.talk(A_WHILE);
    vera.hang_up();
    vera.disconnected(SOON);
    vera.heard().assert_tone(900.0, A_SECOND);
}

#[test]
fn a_party_that_is_sent_to_a_number_that_nobody_has_comes_back() {
    let world = World::new();
    let (mut ana, _boris, mut vera) = vera_talks_with_ana(&world);
    ana.transfer(&world.uri("4"));
    assert_eq!(ana.transferred(SOON), 200, "the script for calls has it");
    ana.disconnected(SOON);
    ana.event("ringing", SOON);
    ana.answer();
    ana.confirmed(SOON);
    ana.talk(A_WHILE);
    vera.hang_up();
    ana.disconnected(SOON);
    vera.heard().assert_tone(440.0, A_SECOND);
}

#[test]
fn a_script_that_decides_refuses_one_transfer_and_carries_out_another() {
    let world = World::with(|_| {
        "  [[tenant.number]]\n  number = \"900\"\n  script = \"behave\"\n  \
         settings = { does = \"decide\", user = \"ana\" }\n"
            .to_owned()
    });
    let mut ana = world.pjsua("ana", 440.0);
    let mut boris = world.pjsua("boris", 600.0);
    let mut vera = world.pjsua("vera", 900.0);
    vera.call(&world.uri("900"));
    ana.event("ringing", SOON);
    ana.answer();
    vera.confirmed(SOON);
    ana.confirmed(SOON);
    ana.transfer(&world.uri("702"));
    assert_eq!(ana.transferred(SOON), 403);
    ana.talk(A_SECOND);
    ana.transfer(&world.uri("102"));
    boris.event("ringing", SOON);
    boris.answer();
    assert_eq!(ana.transferred(SOON), 200);
    ana.disconnected(SOON);
    vera.talk(A_WHILE);
    boris.hang_up();
    vera.disconnected(SOON);
    vera.heard().assert_tone(600.0, A_SECOND);
    boris.heard().assert_tone(900.0, A_SECOND);
}

/// Numbers to park at and to pick up by.
fn desks(_: &tests::net::Net) -> String {
    "  [[tenant.number]]\n  number = \"71\"\n  script = \"strowger/park\"\n  \
     [[tenant.number]]\n  number = \"*8\"\n  script = \"strowger/pickup\"\n  settings = { places = [\"group:all\"] }\n"
        .to_owned()
}

#[test]
fn a_party_is_parked_and_someone_else_retrieves_it() {
    let mut world = World::with(desks);
    let (mut ana, mut boris, mut vera) = vera_talks_with_ana(&world);
    boris.call(&world.uri("71"));
    assert_eq!(boris.disconnected(SOON), 404, "nobody is parked there");
    ana.transfer(&world.uri("71"));
    assert_eq!(ana.transferred(SOON), 200);
    ana.disconnected(SOON);
    vera.talk(A_WHILE);
    boris.call(&world.uri("71"));
    boris.confirmed(SOON);
    boris.talk(A_WHILE);
    vera.hang_up();
    boris.disconnected(SOON);

    let records = world.exchange.calls(3);
    let mut all: Vec<_> = records.iter().map(legs).collect();
    all.sort();
    let told = [
        named(&[("boris", "404")]),
        named(&[("boris", "retrieved")]),
        named(&[("vera", "hung up"), ("ana", "transferred"), ("boris", "hung up")]),
    ];
    assert_eq!(all, told, "{records:?}");
    assert!(records.iter().filter(|record| record["outcome"] == "answered").count() == 2, "{records:?}");
    boris.heard().assert_tone(900.0, A_SECOND);
    vera.heard().assert_tone(600.0, A_SECOND);
}

#[test]
fn a_telephone_that_rings_is_picked_up_by_another() {
    let mut world = World::with(desks);
    let mut ana = world.pjsua("ana", 440.0);
    let mut boris = world.pjsua("boris", 600.0);
    let mut vera = world.pjsua("vera", 900.0);
    boris.call(&world.uri("*8"));
    assert_eq!(boris.disconnected(SOON), 404, "nothing rings");
    vera.call(&world.uri("101"));
    ana.event("ringing", SOON);
    boris.call(&world.uri("*8"));
    boris.confirmed(SOON);
    vera.confirmed(SOON);
    let reason = ana.event("cancelled", SOON)["reason"].as_str().unwrap_or_default().to_owned();
    assert!(reason.contains("cause=200"), "no missed call is shown at ana's (RFC 3326): {reason}");
    vera.talk(A_WHILE);
    boris.hang_up();
    vera.disconnected(SOON);

    let records = world.exchange.calls(3);
    let picked = records.iter().find(|record| record["answered_by"] == "boris").expect("boris has answered");
    let told = named(&[("vera", "hung up"), ("ana", "answered elsewhere"), ("boris", "hung up")]);
    assert_eq!(legs(picked), told, "{picked}");
    boris.heard().assert_tone(900.0, A_SECOND);
    vera.heard().assert_tone(600.0, A_SECOND);
}

#[test]
fn rfc3891_a_telephone_takes_another_ones_place_in_a_conversation() {
    let mut world = World::new();
    let mut boris = world.pjsua("boris", 600.0);
    let sipp = Sipp::scenario(UAC_REPLACES, world.net.sip()).to(world.exchange.sip()).service("102");
    let sipp = sipp.auth("ana", password("ana")).word("from", "ana").calls(1, 1).talks(A_WHILE).start();
    boris.event("ringing", SOON);
    boris.answer();
    boris.confirmed(SOON);
    // The first dialog is ended by the exchange, and boris talks on until the second one hangs up.
    sipp.finish(LATER).assert_all(1);
    boris.disconnected(SOON);
    let calls = world.exchange.calls(2);
    let ends: Vec<_> = calls.iter().map(legs).collect();
    let whole = named(&[("ana", "replaced"), ("boris", "hung up"), ("ana", "hung up")]);
    assert!(
        ends.iter().any(|legs| legs.len() == 3 && whole.iter().all(|leg| legs.contains(leg))),
        "{ends:?}"
    );
    assert!(ends.contains(&named(&[("ana", "took another's place")])), "{ends:?}");
}

/// The dialog that a lamp's document names in this state, as the value of a Join or a Replaces.
fn dialog_in(told: &str, state: &str) -> String {
    let named = |body: &&str| body.contains(state) && body.contains("remote-tag=");
    let body = told.rsplit("<dialog id=").find(named).expect("somebody's telephone rings or talks");
    let word = |name: &str| {
        let (_, rest) = body.split_once(&format!("{name}=\"")).expect("the dialog has a name");
        rest.split('"').next().unwrap_or_default().to_owned()
    };
    format!("{};to-tag={};from-tag={}", word("call-id"), word("remote-tag"), word("local-tag"))
}

#[test]
fn rfc3891_what_a_queue_offers_is_picked_up_at_a_lamp_and_by_a_number() {
    for by_lamp in [true, false] {
        let mut world = World::with(|net| {
            crate::queues::sections("  agents = [\"ana\"]\n  ring = \"40 s\"\n") + &desks(net)
        });
        let lamp = Sipp::scenario(WATCHES_CALLS, world.net.sip()).to(world.exchange.sip()).service("101");
        let lamp = lamp.auth("boris", password("boris")).word("from", "boris").word("event", "dialog");
        let mut lamp = lamp.calls(1, 1).trace().start();
        lamp.until("NOTIFY ", SOON);
        let mut ana = world.pjsua("ana", 440.0);
        let mut boris = world.pjsua("boris", 600.0);
        let mut vera = world.pjsua("vera", 900.0);
        vera.call(&world.uri("800"));
        ana.event("ringing", SOON);
        lamp.until("remote-tag=", SOON);
        match by_lamp {
            true => boris.call_with(&world.uri("101"), "Replaces", &dialog_in(&lamp.messages(), "early")),
            false => boris.call(&world.uri("*8")),
        }
        boris.confirmed(SOON);
        let reason = ana.event("cancelled", SOON)["reason"].as_str().unwrap_or_default().to_owned();
        assert!(reason.contains("cause=200"), "no missed call is shown at ana's (RFC 3326): {reason}");
        vera.talk(A_WHILE);
        boris.hang_up();
        vera.disconnected(SOON);
        let records = world.exchange.calls(2);
        let served = records.iter().find(|record| record["answered_by"] == "boris");
        let served = served.expect("boris has answered");
        let told = named(&[("vera", "hung up"), ("ana", "answered elsewhere"), ("boris", "hung up")]);
        assert_eq!(legs(served), told, "{served}");
        let queue = world.exchange.get("/tenants/demo/queues/sales");
        assert_eq!(
            (&queue["today"]["entered"], &queue["today"]["answered"]),
            (&1.into(), &1.into()),
            "{queue}"
        );
        boris.heard().assert_tone(900.0, A_SECOND);
        vera.heard().assert_tone(600.0, A_SECOND);
    }
}

#[test]
fn rfc3911_a_user_who_supervises_joins_a_conversation_and_nobody_else_does() {
    let mut world = World::with(|_| {
        "  [[tenant.user]]\n  name = \"goran\"\n  number = \"104\"\n  password = \"goran-secret\"\n  supervises = true\n".into()
    });
    let lamp = Sipp::scenario(WATCHES_CALLS, world.net.sip()).to(world.exchange.sip()).service("101");
    let lamp = lamp.auth("boris", password("boris")).word("from", "boris").word("event", "dialog");
    let mut lamp = lamp.calls(1, 1).trace().start();
    lamp.until("NOTIFY ", SOON);
    let (mut ana, mut boris, mut vera) = vera_talks_with_ana(&world);
    lamp.until("<state>confirmed", SOON);
    let dialog = dialog_in(&lamp.messages(), "confirmed");
    let mut goran = Pjsua::start(world.net.sip(), 1250.0);
    assert_eq!(world.register(&mut goran, "goran", "goran-secret"), 200);
    boris.call_with(&world.uri("101"), "Join", &dialog);
    assert_eq!(boris.disconnected(SOON), 403, "whoever sees a lamp knows the dialog's name");
    let strange = dialog.replace(";to-tag=", ";to-tag=x");
    goran.call_with(&world.uri("101"), "Join", &strange);
    assert_eq!(goran.disconnected(SOON), 481);
    goran.call_with(&world.uri("101"), "Join", &dialog);
    goran.confirmed(SOON);
    goran.talk(A_WHILE);
    goran.hang_up();
    goran.disconnected(SOON);
    vera.talk(A_SECOND);
    ana.hang_up();
    vera.disconnected(SOON);
    for (heard, hz) in
        [(goran.heard(), [900.0, 440.0]), (ana.heard(), [900.0, 1250.0]), (vera.heard(), [440.0, 1250.0])]
    {
        hz.into_iter().for_each(|hz| heard.assert_among(hz, A_SECOND, LATER));
    }
    let calls = world.exchange.calls(2);
    let left = named(&[("goran", "joined a conversation")]);
    assert!(calls.iter().any(|call| legs(call) == left), "{calls:?}");
}
