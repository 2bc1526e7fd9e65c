//! When everything else fails: the script is broken, no telephone is there, another exchange has to help.

use std::time::Duration;

use serde_json::Value;
use tests::pjsua::Pjsua;
use tests::sound::Heard;

use crate::world::{SOON, World};

const A_SECOND: Duration = Duration::from_secs(1);
const A_WHILE: Duration = Duration::from_secs(2);

#[test]
fn a_broken_script_and_an_empty_office_lead_to_the_mobile_and_then_to_a_message() {
    let mut world = World::with(|_| {
        "  [[tenant.number]]\n  number = \"900\"\n  script = \"trap\"\n  \
         fallback = [\"user:ana\", \"tel:+359888000001\", \"voicemail:office\"]\n"
            .to_owned()
    });
    let mut mobile = Pjsua::start(world.carrier, 800.0);
    let mut maria = world.customer("+359888123456", 1000.0);
    maria.call(&world.uri("900"));
    mobile.event("ringing", SOON);
    mobile.answer();
    mobile.confirmed(SOON);
    maria.talk(A_WHILE);
    maria.hang_up();
    mobile.disconnected(SOON);

    let mut petar = world.customer("+359888765432", 600.0);
    petar.call(&world.uri("900"));
    mobile.event("ringing", SOON);
    mobile.refuse(486);
    petar.confirmed(SOON);
    // The words are espeak-ng's, and as long as they are.
    petar.talk(A_SECOND * 10);
    petar.hang_up();

    let calls = world.exchange.calls(2);
    let of = |number: &str| -> &Value {
        calls.iter().find(|call| call["from"]["number"] == number).expect("a record")
    };
    let (answered, message) = (of("+359888123456"), of("+359888765432"));
    assert_eq!(answered["answered_by"], "+359888000001", "{answered}");
    for call in [answered, message] {
        assert!(!call["failure"].as_str().unwrap_or_default().is_empty(), "the manager sees why: {call}");
    }
    assert_eq!(message["outcome"], "voicemail", "{message}");
    Heard::read(&world.exchange.recording(message)).assert_tone(600.0, A_SECOND);
    mobile.heard().assert_tone(1000.0, A_SECOND);
    maria.heard().assert_tone(800.0, A_SECOND);
}

#[test]
fn a_telephone_of_another_exchange_takes_the_call_that_nobody_here_does() {
    let mut elsewhere = None;
    let world = World::with(|net| {
        let at = net.sip();
        elsewhere = Some(at);
        format!(
            "  [[tenant.number]]\n  number = \"900\"\n  script = \"strowger/ring\"\n  settings = {{ places = \
             [\"user:ana\"], then = [{{ after = 20, places = [\"sip:desk@{at}\"] }}] }}\n"
        )
    });
    let mut desk = Pjsua::start(elsewhere.expect("the world has it"), 800.0);
    let mut maria = world.customer("+359888123456", 1000.0);
    maria.call(&world.uri("900"));
    // At once, since ana's telephone is not there.
    desk.event("ringing", SOON);
    desk.answer();
    desk.confirmed(SOON);
    maria.talk(A_WHILE);
    maria.hang_up();
    desk.disconnected(SOON);
    desk.heard().assert_tone(1000.0, A_SECOND);
    maria.heard().assert_tone(800.0, A_SECOND);
}

#[test]
fn one_after_the_other_rings_and_whoever_talks_is_passed_over_in_silence() {
    let mut world = World::with(|_| {
        "  [[tenant.number]]\n  number = \"900\"\n  script = \"strowger/ring\"\n  settings = { places = [\"user:ana\", \
         \"user:boris\", \"user:vera\"], order = \"one_by_one\", seconds = 2 }\n"
            .to_owned()
    });
    let mut ana = world.pjsua("ana", 440.0);
    let mut boris = world.pjsua("boris", 600.0);
    let mut vera = world.pjsua("vera", 900.0);
    ana.call(&world.uri("702"));
    ana.confirmed(SOON);
    let mut maria = world.customer("+359888123456", 1000.0);
    maria.call(&world.uri("900"));
    boris.event("ringing", SOON);
    boris.event("cancelled", SOON);
    vera.event("ringing", SOON);
    vera.answer();
    vera.confirmed(SOON);
    maria.talk(A_WHILE);
    maria.hang_up();
    vera.disconnected(SOON);
    ana.talk(A_SECOND);
    ana.hang_up();
    let calls = world.exchange.calls(2);
    let call = calls.iter().find(|call| call["dialled"] == "900").expect("a record");
    let legs = call["legs"].as_array().into_iter().flatten();
    let rung: Vec<_> = legs.skip(1).map(|leg| leg["party"].as_str().unwrap_or("-")).collect();
    assert_eq!(rung, ["boris", "vera"], "{call}");
    vera.heard().assert_tone(1000.0, A_SECOND);
}
