//! Calls between users: sound both ways, hold, other codecs and transports, refusals, wrong passwords.

use std::net::{SocketAddrV4, UdpSocket};
use std::time::Duration;

use tests::linphone::Linphone;
use tests::pjsua::Setup;
use tests::sipp::{Sipp, UAC_AUTH, UAC_CANCELS};

use crate::world::{SOON, World, password};

const A_WHILE: Duration = Duration::from_secs(2);
const A_SECOND: Duration = Duration::from_secs(1);

#[test]
fn users_call_each_other_hold_and_go_on() {
    let world = World::new();
    let mut ana = world.pjsua("ana", 440.0);
    let mut boris = world.baresip("boris", 600.0, "");
    ana.call(&world.uri("102"));
    boris.event("CALL_INCOMING", SOON);
    boris.accept();
    ana.confirmed(SOON);
    ana.talk(A_WHILE);
    ana.hold();
    // pjsua2 tells of the end of the re-INVITE by media that is not active.
    while ana.event("media", SOON)["active"] == true {}
    ana.talk(A_WHILE * 2);
    ana.resume();
    while ana.event("media", SOON)["active"] == false {}
    ana.talk(A_WHILE);
    ana.hang_up();
    ana.disconnected(SOON);
    boris.event("CALL_CLOSED", SOON);

    let heard = boris.heard();
    heard.assert_tone(440.0, A_WHILE * 3 / 2);
    let held = heard.length().saturating_sub(heard.tone(440.0).length);
    assert!(held >= A_WHILE, "ana was heard for {:?} of {:?}", heard.tone(440.0).length, heard.length());
    ana.heard().assert_tone(600.0, A_WHILE * 3 / 2);
}

#[test]
fn linphone_calls_and_is_called() {
    let world = World::new();
    let mut ana = Linphone::start(world.net.sip(), 440.0);
    ana.register("ana", &world.exchange.ip().to_string(), password("ana"));
    let mut boris = world.pjsua("boris", 600.0);
    ana.call(&world.uri("102"));
    boris.event("ringing", SOON);
    boris.answer();
    boris.confirmed(SOON);
    ana.confirmed(SOON);
    ana.talk(A_WHILE);
    ana.hang_up();
    boris.disconnected(SOON);
    ana.disconnected(SOON);
    boris.call(&world.uri("101"));
    ana.rings(SOON);
    ana.answer();
    boris.confirmed(SOON);
    boris.talk(A_WHILE);
    boris.hang_up();
    ana.disconnected(SOON);
    ana.heard().assert_tone(600.0, A_SECOND);
    boris.heard().assert_tone(440.0, A_WHILE);
}

#[test]
fn telephones_without_a_codec_in_common_understand_each_other() {
    let world = World::new();
    let mut ana =
        world.pjsua_with("ana", 440.0, Setup { codec: Some("PCMU/8000/1"), only: true, ..Setup::default() });
    let mut boris = world.baresip("boris", 600.0, ";audio_codecs=PCMA");
    boris.dial(&world.uri("101"));
    ana.event("ringing", SOON);
    ana.answer();
    ana.confirmed(SOON);
    boris.event("CALL_ESTABLISHED", SOON);
    ana.talk(A_WHILE);
    boris.hang_up();
    ana.disconnected(SOON);
    boris.event("CALL_CLOSED", SOON);
    boris.heard().assert_tone(440.0, A_SECOND);
    ana.heard().assert_tone(600.0, A_SECOND);
}

#[test]
fn a_telephone_on_tcp_talks_with_one_on_udp() {
    let world = World::new();
    let mut ana = world.pjsua_with("ana", 440.0, Setup { tcp: true, ..Setup::default() });
    let mut boris = world.pjsua("boris", 600.0);
    ana.call(&world.uri("102"));
    boris.event("ringing", SOON);
    boris.answer();
    ana.confirmed(SOON);
    ana.talk(A_WHILE);
    ana.hang_up();
    boris.disconnected(SOON);
    ana.disconnected(SOON);

    boris.call(&world.uri("101"));
    ana.event("ringing", SOON);
    ana.refuse(486);
    assert_eq!(boris.disconnected(SOON), 486);
    boris.heard().assert_tone(440.0, A_SECOND);
    ana.heard().assert_tone(600.0, A_SECOND);
}

#[test]
fn keys_reach_the_other_telephone() {
    let world = World::new();
    let mut ana = world.pjsua("ana", 440.0);
    let mut boris = world.pjsua("boris", 600.0);
    ana.call(&world.uri("102"));
    boris.event("ringing", SOON);
    boris.answer();
    ana.confirmed(SOON);
    boris.confirmed(SOON);
    ana.talk(A_SECOND);
    ana.press("4711#");
    for key in ["4", "7", "1", "1", "#"] {
        assert_eq!(boris.event("dtmf", SOON)["digit"], key);
    }
    boris.hang_up();
    ana.disconnected(SOON);
}

#[test]
fn a_caller_that_gives_up_stops_the_ringing() {
    let mut world = World::new();
    let mut ana = world.pjsua("ana", 440.0);
    // The INVITE of a carrier needs no credentials; 487 ends it (RFC 3261 §9.1).
    let sipp = Sipp::scenario(UAC_CANCELS, world.carrier).to(world.exchange.sip()).service("701");
    let sipp = sipp.word("from", "+359888123456").calls(1, 1).start();
    ana.event("ringing", SOON);
    ana.event("cancelled", SOON);
    assert_eq!(ana.disconnected(SOON), 487);
    sipp.finish(SOON).assert_all(1);
    assert_eq!(world.exchange.calls(1)[0]["outcome"], "abandoned");
}

#[test]
fn users_of_sipp_prove_who_they_are_for_each_call() {
    let world = World::new();
    let sipp = Sipp::scenario(UAC_AUTH, world.net.sip()).to(world.exchange.sip()).service("702");
    let sipp = sipp.auth("ana", password("ana")).word("from", "ana").calls(20, 10).talks(A_SECOND);
    sipp.run(SOON).assert_all(20);
}

#[test]
fn a_caller_without_the_password_reaches_nobody() {
    let mut world = World::new();
    let mut ana = world.pjsua("ana", 440.0);
    let mut stranger = tests::pjsua::Pjsua::start(world.net.sip(), 440.0);
    assert!(matches!(world.register(&mut stranger, "boris", "wrong"), 401 | 403));
    for number in ["101", "701", "702"] {
        stranger.call(&world.uri(number));
        assert!(matches!(stranger.disconnected(SOON), 401 | 403), "{number}");
    }
    // The first call that ana's telephone tells of is one of a user.
    let mut vera = world.pjsua("vera", 1000.0);
    vera.call(&world.uri("101"));
    let from = ana.event("ringing", SOON)["from"].to_string();
    assert!(from.contains("103"), "{from}");
    ana.refuse(486);
    assert_eq!(vera.disconnected(SOON), 486);
    assert_eq!(world.exchange.calls(1).len(), 1);
}

#[test]
fn a_wrong_password_and_an_unknown_user_are_answered_alike() {
    let world = World::new();
    let mut phone = tests::pjsua::Pjsua::start(world.net.sip(), 440.0);
    let wrong = world.register(&mut phone, "ana", "wrong");
    let unknown = world.register(&mut phone, "nobody", "wrong");
    assert!(matches!(wrong, 401 | 403), "{wrong}");
    assert_eq!(wrong, unknown);

    // Line by line too: only what differs between any two answers differs.
    let [known, unknown] = ["ana", "nobody"].map(|user| refusal(world.exchange.sip(), world.net.sip(), user));
    assert_eq!(known, unknown);
}

/// The answer to a REGISTER with a made-up response, with the user's name and what is random taken out.
fn refusal(exchange: SocketAddrV4, from: SocketAddrV4, user: &str) -> Vec<String> {
    let socket = UdpSocket::bind(from).expect("the address is free");
    socket.connect(exchange).expect("a datagram socket connects");
    socket.set_read_timeout(Some(SOON)).expect("a socket can wait");
    let register = |cseq: u32, more: &str| {
        let ip = exchange.ip();
        format!(
            "REGISTER sip:{ip} SIP/2.0\r\nVia: SIP/2.0/UDP {from};branch=z9hG4bK{user}{cseq}\r\nMax-Forwards: 70\r\n\
             From: <sip:{user}@{ip}>;tag=1\r\nTo: <sip:{user}@{ip}>\r\nCall-ID: {user}@{from}\r\n\
             CSeq: {cseq} REGISTER\r\nContact: <sip:{user}@{from}>\r\n{more}Content-Length: 0\r\n\r\n"
        )
    };
    let ask = |message: String| {
        socket.send(message.as_bytes()).expect("the exchange listens");
        let mut buffer = [0; 4096];
        let length = socket.recv(&mut buffer).expect("the exchange answers");
        String::from_utf8_lossy(&buffer[..length]).into_owned()
    };
    let challenge = ask(register(1, ""));
    let nonce =
        challenge.split("nonce=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("a challenge");
    let realm =
        challenge.split("realm=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("a challenge");
    let answer = ask(register(
        2,
        &format!(
            "Authorization: Digest username=\"{user}\", realm=\"{realm}\", nonce=\"{nonce}\", uri=\"sip:{}\", \
             algorithm=MD5, qop=auth, nc=00000001, cnonce=\"0a4f113b\", response=\"{}\"\r\n",
            exchange.ip(),
            "0".repeat(32)
        ),
    ));
    let without = |line: &str| {
        let line = line
            .replace(user, "USER")
            .replace(&from.to_string(), "PHONE")
            .replace(&from.ip().to_string(), "PHONE");
        let mut plain = String::new();
        for part in line.split(", ") {
            let random = ["nonce=", "opaque="].iter().any(|word| part.trim_start().starts_with(word));
            plain += if random { "RANDOM" } else { part };
        }
        plain.split(";tag=").next().unwrap_or_default().to_owned()
    };
    answer.lines().filter(|line| !line.starts_with("Date:")).map(without).collect()
}
