//! Encrypted sound (RFC 3711) with telephones that bring their own SRTP: who gets it, who does not, and that both hear.

use std::time::Duration;

use serde_json::json;
use tests::browser::Browser;
use tests::certificates::Authority;
use tests::linphone::Linphone;
use tests::pjsua::{Account, Pjsua, Setup};

use crate::secured::{self, Carrier, call_each_other, phone_with, uri};
use crate::world::{LATER, SOON, World, password};

const A_WHILE: Duration = Duration::from_secs(2);
const A_SECOND: Duration = Duration::from_secs(1);

/// An exchange that listens on TLS too, with more in `[sip]` and in the tenant.
fn world(authority: &Authority, sip: &str, more: &str) -> World {
    secured::world(authority, sip, |_, _| more.to_owned()).0
}

fn mandatory() -> Setup<'static> {
    Setup { srtp: Some("mandatory"), ..Setup::default() }
}

/// Packets that were refused, by kind.
fn refused(world: &World) -> u64 {
    let metrics = world.exchange.metrics();
    let lines = metrics.lines().filter(|line| line.contains("srtp_refused_packets_total{"));
    lines.filter_map(|line| line.rsplit_once(' ')?.1.parse::<u64>().ok()).sum()
}

#[test]
fn rfc4568_a_telephone_that_insists_on_srtp_talks_with_a_plain_one_holds_and_comes_back() {
    let authority = Authority::new();
    let world = world(&authority, "", "");
    let ana = phone_with(&world, "ana", 440.0, &authority, mandatory());
    let boris = world.pjsua("boris", 600.0);

    call_each_other(&world, ana, boris);
    assert_eq!(refused(&world), 0);
}

#[test]
fn rfc4568_6_2_two_telephones_with_suites_of_their_own_hear_each_other() {
    let authority = Authority::new();
    let world = world(&authority, "", "");
    let with = |suite| Setup { suite: Some(suite), ..mandatory() };
    for (one, other) in [
        ("AES_CM_128_HMAC_SHA1_80", "AES_CM_128_HMAC_SHA1_32"),
        ("AES_256_CM_HMAC_SHA1_80", "AES_256_CM_HMAC_SHA1_32"), // RFC 6188
    ] {
        let mut ana = phone_with(&world, "ana", 440.0, &authority, with(one));
        let mut boris = phone_with(&world, "boris", 600.0, &authority, with(other));
        ana.call(&uri(&world, "102"));
        boris.event("ringing", SOON);
        boris.answer();
        ana.confirmed(SOON);
        ana.talk(A_WHILE);
        boris.hang_up();
        ana.disconnected(SOON);
        ana.heard().assert_tone(600.0, A_SECOND);
        boris.heard().assert_tone(440.0, A_SECOND);
        assert_eq!(refused(&world), 0);
    }
}

/// A tenant whose users are called by nobody and call nobody in the clear.
const STRICT: &str = "[[tenant]]\nname = \"strict\"\ndomains = [\"strict.example\"]\nsrtp = \"required\"\n\
    [[tenant.user]]\nname = \"carl\"\nnumber = \"201\"\npassword = \"carl-secret\"\n\
    [[tenant.user]]\nname = \"dora\"\nnumber = \"202\"\npassword = \"dora-secret\"\n";

/// A telephone of the strict tenant, on TLS.
fn strict(world: &World, user: &str, hz: f64, authority: &Authority, srtp: Option<&str>) -> Pjsua {
    let (file, server) = (authority.file(), format!("{}:5061", world.exchange.ip()));
    let setup = Setup { tls: Some(&file), srtp, ..Setup::default() };
    let mut phone = Pjsua::with(world.net.sip(), hz, setup);
    let password = format!("{user}-secret");
    let account = Account { domain: "strict.example", server: &server, user, password: &password };
    assert_eq!(phone.register(account), 200, "{user} registers");
    phone
}

#[test]
fn where_it_is_required_a_plain_telephone_gets_488_and_is_not_called_in_the_clear() {
    let authority = Authority::new();
    let world = world(&authority, "", STRICT);
    let mut carl = strict(&world, "carl", 440.0, &authority, Some("mandatory"));
    let mut plain = strict(&world, "dora", 600.0, &authority, None);
    let called = |number: &str| format!("sip:{number}@{}:5061", world.exchange.ip());
    plain.call(&called("201"));
    assert_eq!(plain.disconnected(SOON), 488);
    carl.call(&called("202"));
    assert_ne!(carl.disconnected(LATER), 200, "dora's telephone refuses, and nothing less is offered");
    drop(plain);

    let mut dora = strict(&world, "dora", 600.0, &authority, Some("optional"));
    carl.call(&called("202"));
    dora.event("ringing", SOON);
    dora.answer();
    carl.confirmed(SOON);
    carl.talk(A_WHILE);
    dora.hang_up();
    carl.disconnected(SOON);
    dora.heard().assert_tone(440.0, A_SECOND);
    carl.heard().assert_tone(600.0, A_SECOND);
}

#[test]
fn rfc4568_5_keys_over_udp_are_refused_unless_the_configuration_takes_them() {
    let refusing = World::new();
    let mut ana = refusing.pjsua_with("ana", 440.0, mandatory());
    ana.call(&refusing.uri("102"));
    assert_eq!(ana.disconnected(LATER), 488);
    drop(ana);
    drop(refusing);

    let world = World::listening(|_, _| (Vec::new(), "  srtp_keys_unsecured = true\n".into(), String::new()));
    let mut ana = world.pjsua_with("ana", 440.0, mandatory());
    let mut boris = world.baresip("boris", 600.0, ";mediaenc=srtp-mand");
    ana.call(&world.uri("102"));
    boris.event("CALL_INCOMING", SOON);
    boris.accept();
    ana.confirmed(SOON);
    ana.talk(A_WHILE);
    ana.hang_up();
    boris.event("CALL_CLOSED", SOON);
    ana.disconnected(SOON);
    boris.heard().assert_tone(440.0, A_SECOND);
    boris.dial(&world.uri("101"));
    ana.event("ringing", SOON);
    ana.answer();
    ana.confirmed(SOON);
    ana.talk(A_WHILE);
    ana.hang_up();
    boris.event("CALL_CLOSED", SOON);
    boris.heard().assert_tone(440.0, A_SECOND);
    ana.heard().assert_tone(600.0, A_WHILE);
    assert_eq!(refused(&world), 0);
}

#[test]
fn a_trunk_that_must_encrypt_carries_calls_of_plain_telephones_and_none_in_the_clear() {
    let authority = Authority::new();
    let mut carrier = None;
    let (mut world, _) = secured::world(&authority, "", |net, _| {
        let (shown, name) = (authority.issue("us", &["DNS:pbx.example".into()]), "sip.carrier.example");
        let made = Carrier::new(net, &authority, &format!("DNS:{name}"), name, &authority, &shown);
        let toml = format!("{}  srtp = \"required\"\n", made.toml);
        carrier = Some(made);
        toml
    });
    let carrier = carrier.expect("it was made");
    let mut boris = world.pjsua("boris", 600.0);

    let mut called = carrier.start(&authority, mandatory());
    boris.call(&world.uri("900"));
    called.event("ringing", LATER);
    called.answer();
    boris.confirmed(SOON);
    boris.talk(A_WHILE);
    called.hang_up();
    boris.disconnected(SOON);
    called.disconnected(SOON);
    called.call(&uri(&world, "701"));
    boris.event("ringing", SOON);
    boris.answer();
    called.confirmed(SOON);
    called.talk(A_WHILE);
    boris.hang_up();
    boris.disconnected(SOON);
    called.disconnected(SOON);
    called.heard().assert_tone(600.0, A_WHILE);
    assert_eq!(refused(&world), 0);

    // The carrier has lost its keys: it is offered nothing less, and what it offers is not taken.
    let mut plain = carrier.start(&authority, Setup::default());
    plain.call(&uri(&world, "701"));
    assert_eq!(plain.disconnected(SOON), 488);
    boris.call(&world.uri("900"));
    assert_ne!(boris.disconnected(LATER), 200);
    boris.heard().assert_tone(700.0, A_WHILE);
    let calls = world.exchange.calls(3);
    let answered = calls.iter().filter(|call| call["outcome"] == "answered").count();
    assert_eq!(answered, 2, "{calls:?}");
}

/// A desk phone's way: keys by DTLS at the address in the description, no ICE, SIP over UDP.
#[test]
fn rfc5763_a_telephone_with_dtls_and_without_ice_talks_with_a_plain_one() {
    let world = World::new();
    let mut ana = Linphone::with_dtls(world.net.sip(), 440.0);
    ana.register("ana", &world.exchange.ip().to_string(), password("ana"));
    let mut boris = world.pjsua("boris", 600.0);
    ana.call(&world.uri("102"));
    boris.event("ringing", SOON);
    boris.answer();
    boris.confirmed(SOON);
    ana.confirmed(SOON);
    boris.talk(2 * A_WHILE);
    boris.hang_up();
    boris.disconnected(SOON);
    ana.heard().assert_tone(600.0, A_SECOND);
    boris.heard().assert_tone(440.0, A_SECOND);
    assert_eq!(refused(&world), 0);
}

/// An exchange that listens on WSS.
fn with_browsers(authority: &Authority, more: &str) -> (World, String) {
    let world = World::listening(|_, ip| {
        let pair = authority.issue("exchange", &[format!("IP:{ip}")]);
        (vec![format!("wss:{ip}:8443")], format!("  [sip.tls]\n  {}\n", pair.toml("\n  ")), more.to_owned())
    });
    let url = format!("wss://{}:8443", world.exchange.ip());
    (world, url)
}

#[test]
fn rfc8827_a_browser_calls_a_desk_phone_and_is_called_with_sound_both_ways() {
    let authority = Authority::new();
    let (world, url) = with_browsers(&authority, "");
    let domain = world.exchange.ip().to_string();
    let mut vera = Browser::registered(&url, &domain, "vera", password("vera"), 440.0);
    let mut boris = world.baresip("boris", 600.0, "");

    vera.tell(json!({ "do": "call", "uri": world.uri("102") }));
    boris.event("CALL_INCOMING", SOON);
    boris.accept();
    vera.event("confirmed", SOON);
    assert!(vera.hears(600.0, 3 * A_SECOND) >= A_SECOND, "she hears him");
    vera.tell(json!({ "do": "hold" }));
    vera.event("held", SOON);
    assert!(vera.hears(600.0, 2 * A_SECOND) < A_SECOND, "but not while she holds him");
    vera.tell(json!({ "do": "unhold" }));
    vera.event("unheld", SOON);
    assert!(vera.hears(600.0, 3 * A_SECOND) >= A_SECOND, "and hears him again");
    vera.tell(json!({ "do": "hangup" }));
    boris.event("CALL_CLOSED", SOON);
    boris.heard().assert_tone(440.0, 2 * A_SECOND);

    boris.dial(&world.uri("103"));
    assert_eq!(vera.event("ringing", SOON)["from"], "102");
    vera.tell(json!({ "do": "answer" }));
    boris.event("CALL_ESTABLISHED", SOON);
    assert!(vera.hears(600.0, 3 * A_SECOND) >= A_SECOND);
    boris.hang_up();
    vera.event("ended", SOON);
    boris.heard().assert_tone(440.0, A_SECOND);
    assert_eq!(refused(&world), 0);
}
