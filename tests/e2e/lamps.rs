//! What telephones see of others: busy lamps, waiting messages, written messages; and calls that they send on.

use tests::pjsua::Setup;
use tests::sipp::{
    REGISTER, Running, Sipp, UAS_MOVED, WATCHES_CALLS, WATCHES_MESSAGES, WATCHES_PRESENCE, WRITES,
};

use crate::world::{LATER, SOON, World, password};

/// A sipp that asks as a user, about someone.
fn asks(world: &World, scenario: &str, user: &str, whom: &str, event: &str) -> Running {
    let sipp = Sipp::scenario(scenario, world.net.sip()).to(world.exchange.sip()).service(whom);
    let sipp = sipp.auth(user, password(user)).word("from", user).word("event", event);
    sipp.calls(1, 1).trace().start()
}

#[test]
fn rfc4235_a_lamp_shows_when_a_telephone_rings_talks_and_rests() {
    let world = World::new();
    let mut ana = world.pjsua("ana", 440.0);
    let mut boris = world.pjsua("boris", 600.0);
    let mut watcher = asks(&world, WATCHES_CALLS, "vera", "101", "dialog");
    watcher.until("NOTIFY ", SOON);
    boris.call(&world.uri("101"));
    ana.event("ringing", SOON);
    watcher.until("<state>early", SOON);
    ana.answer();
    boris.confirmed(SOON);
    watcher.until("<state>confirmed", SOON);
    boris.hang_up();
    ana.disconnected(SOON);
    watcher.finish(LATER).assert_all(1);
}

#[test]
fn rfc3842_a_telephone_asks_for_its_own_messages_and_nobody_elses() {
    let world = World::new();
    asks(&world, WATCHES_MESSAGES, "ana", "101", "message-summary").finish(LATER).assert_all(1);
    let others = asks(&world, WATCHES_MESSAGES, "ana", "102", "message-summary").finish(LATER);
    assert_eq!(others.failed, 1, "{}", others.said);
    assert!(others.messages.contains("SIP/2.0 403 "), "{}", others.messages);
    let unknown = asks(&world, WATCHES_MESSAGES, "ana", "101", "winfo").finish(LATER);
    assert!(unknown.messages.contains("SIP/2.0 489 "), "{}", unknown.messages);
    assert!(
        unknown.messages.contains("Allow-Events: dialog, message-summary, reg, presence"),
        "{}",
        unknown.messages
    );
}

#[test]
fn rfc3903_what_a_telephone_publishes_of_its_user_another_one_shows() {
    let world = World::new();
    let mut boris = world.pjsua("boris", 600.0);
    boris.watch(&world.uri("101"));
    boris.sees(false, "", SOON);
    let mut ana = world.pjsua_with("ana", 440.0, Setup { publishes: true, ..Setup::default() });
    boris.sees(true, "", SOON);
    ana.says("away", "Lunch");
    let told = boris.sees(true, "away", SOON);
    assert_eq!(told["text"], "Lunch", "{told}");
    ana.says("busy", "");
    boris.sees(true, "busy", SOON);
    ana.says("offline", "");
    boris.sees(false, "", SOON);
    ana.says("", "");
    boris.sees(true, "", SOON);
    // Whoever is away is called as before.
    ana.says("away", "");
    boris.sees(true, "away", SOON);
    boris.call(&world.uri("101"));
    ana.event("ringing", SOON);
    ana.refuse(486);
    boris.disconnected(SOON);
    ana.heard();
    boris.sees(false, "", SOON);
}

#[test]
fn rfc3856_who_talks_on_a_telephone_is_seen_to() {
    let world = World::new();
    let mut ana = world.pjsua("ana", 440.0);
    let mut boris = world.pjsua("boris", 600.0);
    let mut watcher = asks(&world, WATCHES_PRESENCE, "vera", "101", "presence");
    watcher.until("NOTIFY ", SOON);
    boris.call(&world.uri("101"));
    ana.event("ringing", SOON);
    ana.answer();
    boris.confirmed(SOON);
    watcher.until("on-the-phone", SOON);
    boris.hang_up();
    ana.disconnected(SOON);
    watcher.finish(LATER).assert_all(1);
}

#[test]
fn rfc3428_what_one_user_writes_another_reads() {
    let world = World::new();
    let mut ana = world.pjsua("ana", 440.0);
    asks(&world, WRITES, "boris", "101", "none").finish(LATER).assert_all(1);
    let message = ana.event("message", SOON);
    assert_eq!(message["text"].as_str().map(str::trim), Some("Lunch?"), "{message}");
    assert!(message["from"].as_str().is_some_and(|from| from.contains("102")), "{message}");
}

#[test]
fn rfc3261_8_1_3_4_a_telephone_sends_its_calls_on_to_another() {
    let world = World::new();
    let at = world.net.sip();
    let ana = Sipp::scenario(REGISTER, at).to(world.exchange.sip()).auth("ana", password("ana"));
    ana.word("from", "ana").word("expires", "600").calls(1, 1).run(SOON).assert_all(1);
    let elsewhere = format!("102@{}", world.exchange.ip());
    let ana = Sipp::scenario(UAS_MOVED, at).word("elsewhere", &elsewhere).start();
    let mut boris = world.pjsua("boris", 600.0);
    let mut vera = world.pjsua("vera", 900.0);
    vera.call(&world.uri("101"));
    boris.event("ringing", SOON);
    boris.answer();
    vera.confirmed(SOON);
    vera.hang_up();
    boris.disconnected(SOON);
    assert_eq!(ana.stop().successful, 1);
}
