//! Telephones of different codecs: baresip with Opus and G.722, pjsua2 with G.722 and G.711, and a network that
//! loses packets.

use std::net::Ipv4Addr;
use std::process::Command;
use std::time::{Duration, Instant};

use tests::baresip::Baresip;
use tests::pjsua::Setup;
use tests::sound::tone_wav;

use crate::world::{GREETING_HZ, SOON, World};

const A_WHILE: Duration = Duration::from_secs(3);
const MOST: Duration = Duration::from_millis(2_000);

/// Between two looks at something that can only be asked for.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

const PCMU: &str = "PCMU/8000/1";
const G722: &str = "G722/16000/1";
/// As baresip names it where it has no stereo; in its offers it has the two channels of RFC 7587.
const OPUS: &str = "opus/48000/1";

fn only(codec: &'static str) -> Setup<'static> {
    Setup { codec: Some(codec), only: true, ..Setup::default() }
}

/// Legs that are closed, by their codec: they are counted when their last packet is sent, which nobody hears of.
#[track_caller]
fn assert_legs(world: &World, codec: &str, legs: u32) {
    assert_told(world, &format!("strowger_rtp_legs_total{{codec=\"{codec}\"}} {legs}\n"));
}

/// Encoders and decoders of a codec.
#[track_caller]
fn assert_coders(world: &World, codec: &str, count: u32) {
    for what in ["encoder", "decoder"] {
        assert_told(world, &format!("strowger_rtp_coders{{codec=\"{codec}\",what=\"{what}\"}} {count}\n"));
    }
}

#[track_caller]
fn assert_told(world: &World, line: &str) {
    let end = Instant::now() + SOON;
    while !world.exchange.metrics().contains(line) {
        assert!(Instant::now() < end, "{line} is not in\n{}", world.exchange.metrics());
        std::thread::park_timeout(LOOK_AGAIN);
    }
}

#[test]
fn rfc7587_rfc3551_telephones_of_one_codec_hear_those_of_another() {
    for (speaks, name) in [(OPUS, "opus"), (G722, "G722")] {
        let mut world = World::new();
        let mut ana = world.pjsua_with("ana", 440.0, only(PCMU));
        let mut boris = world.baresip("boris", 600.0, &format!(";audio_codecs={speaks}"));
        boris.dial(&world.uri("101"));
        ana.event("ringing", SOON);
        ana.answer();
        ana.confirmed(SOON);
        boris.event("CALL_ESTABLISHED", SOON);
        ana.talk(A_WHILE);
        assert_coders(&world, name, 1);
        assert_coders(&world, "PCMU", 1);
        boris.hang_up();
        ana.disconnected(SOON);
        boris.event("CALL_CLOSED", SOON);
        boris.heard().assert_tone(440.0, MOST);
        ana.heard().assert_tone(600.0, MOST);
        world.exchange.calls(1);
        assert_legs(&world, name, 1);
        assert_legs(&world, "PCMU", 1);
        assert_coders(&world, name, 0);
    }
}

#[test]
fn an_opus_telephone_and_one_of_g722_hear_each_other() {
    let mut world = World::new();
    let mut vera = world.baresip("vera", 440.0, &format!(";audio_codecs={G722}"));
    let mut boris = world.baresip("boris", 600.0, &format!(";audio_codecs={OPUS}"));
    boris.dial(&world.uri("103"));
    vera.event("CALL_INCOMING", SOON);
    vera.accept();
    vera.event("CALL_ESTABLISHED", SOON);
    boris.event("CALL_ESTABLISHED", SOON);
    std::thread::park_timeout(A_WHILE);
    boris.hang_up();
    vera.event("CALL_CLOSED", SOON);
    boris.event("CALL_CLOSED", SOON);
    boris.heard().assert_tone(440.0, MOST);
    vera.heard().assert_tone(600.0, MOST);
    world.exchange.calls(1);
    assert_legs(&world, "opus", 1);
    assert_legs(&world, "G722", 1);
}

/// Whoever has both is answered with what the other one has, though it likes Opus better; nothing is decoded then.
#[test]
fn rfc3264_6_1_a_codec_that_both_have_is_used_again() {
    let mut world = World::new();
    let mut ana = world.pjsua_with("ana", 440.0, only(PCMU));
    let mut boris = world.baresip("boris", 600.0, ";audio_codecs=opus/48000/1,PCMU");
    boris.dial(&world.uri("101"));
    ana.event("ringing", SOON);
    ana.answer();
    ana.confirmed(SOON);
    ana.talk(A_WHILE);
    ana.hang_up();
    boris.event("CALL_CLOSED", SOON);
    boris.heard().assert_tone(440.0, MOST);
    ana.heard().assert_tone(600.0, MOST);
    world.exchange.calls(1);
    assert_legs(&world, "PCMU", 2);
}

#[test]
fn rfc4733_2_1_an_opus_telephone_hears_the_menu_and_its_keys_are_keys() {
    let mut world = World::new();
    let mut ana = world.pjsua_with("ana", 440.0, only(PCMU));
    let mut boris = world.baresip("boris", 600.0, ";audio_codecs=opus/48000/1");
    boris.dial(&world.uri("700"));
    boris.event("CALL_ESTABLISHED", SOON);
    std::thread::park_timeout(Duration::from_millis(1_500));
    boris.press("1");
    ana.event("ringing", SOON);
    ana.answer();
    ana.confirmed(SOON);
    ana.talk(A_WHILE);
    boris.press("5");
    assert_eq!(ana.event("dtmf", SOON)["digit"], "5");
    ana.hang_up();
    boris.event("CALL_CLOSED", SOON);
    let heard = boris.heard();
    heard.assert_tone(GREETING_HZ, Duration::from_millis(600));
    heard.assert_tone(440.0, MOST);
    world.exchange.calls(1);
    assert_legs(&world, "opus", 1);
}

/// A telephone asks anew with other codecs in the middle of a conversation: sound goes on, changed on the way for as long
/// as it must be.
#[test]
fn rfc3264_8_3_2_a_telephone_changes_its_codec_while_it_talks() {
    for (codecs, name, of_ana) in [(&[G722][..], "G722", 1), (&[G722, PCMU][..], "PCMU", 2)] {
        let world = World::new();
        let mut ana = world.pjsua_with("ana", 440.0, only(PCMU));
        let mut boris = world.pjsua_with("boris", 600.0, only(PCMU));
        boris.call(&world.uri("101"));
        ana.event("ringing", SOON);
        ana.answer();
        ana.confirmed(SOON);
        boris.confirmed(SOON);
        boris.talk(A_WHILE);
        boris.speak(&[G722]);
        boris.talk(A_WHILE);
        if codecs.len() > 1 {
            // Ana's codec is among these: nothing has to be changed on the way any more.
            boris.speak(codecs);
            boris.talk(A_WHILE);
        }
        boris.hang_up();
        ana.disconnected(SOON);
        let least = A_WHILE * (1 + codecs.len() as u32) - Duration::from_secs(1);
        // Full scale is 6 dB lower in pjsua2's G.722 than in everyone else's, so how loud it is says nothing.
        for (heard, hz) in [(ana.heard(), 600.0), (boris.heard(), 440.0)] {
            let tone = heard.tone(hz).length;
            assert!(tone >= least, "{hz} Hz for {tone:?} of {:?}", heard.length());
        }
        assert_legs(&world, name, of_ana);
    }
}

/// What a telephone of 8 kHz can't say is heard by those that can, and is no other tone for those that can't.
#[test]
fn a_prompt_of_16_khz_is_heard_as_wide_as_the_telephone_is() {
    const GREETING_HZ: f64 = 6000.0;
    let world = World::new();
    world.exchange.keep_prompt("greeting", tone_wav(GREETING_HZ, Duration::from_secs(2)));
    for codec in [G722, OPUS, "PCMA/8000/1"] {
        let mut vera = world.baresip("vera", 440.0, &format!(";audio_codecs={codec}"));
        vera.dial(&world.uri("700"));
        vera.event("CALL_ESTABLISHED", SOON);
        std::thread::park_timeout(A_WHILE);
        vera.hang_up();
        vera.event("CALL_CLOSED", SOON);
        let heard = vera.heard();
        if codec == "PCMA/8000/1" {
            assert!(heard.loud() < Duration::from_millis(300), "{:?} of something", heard.loud());
        } else {
            heard.assert_tone(GREETING_HZ, Duration::from_millis(1_500));
        }
    }
}

/// A user on a thin line is offered one codec and answered with it, whatever the tenant has and the others like better.
#[test]
fn a_user_has_codecs_of_its_own_when_it_is_called_and_when_it_calls() {
    let mut world = World::with(|_| {
        "  [[tenant.user]]\n  name = \"thin\"\n  number = \"105\"\n  password = \"thin-secret\"\n  codecs = [\"opus\"]\n"
            .into()
    });
    let (ip, all) = (world.exchange.ip(), "G722,PCMU,opus/48000/1");
    let account =
        format!("<sip:thin@{ip}>;auth_user=thin;auth_pass=thin-secret;regint=60;audio_codecs={all}");
    let mut thin = Baresip::start(world.net.sip(), &account, 440.0);
    thin.event("REGISTER_OK", SOON);
    let mut boris = world.baresip("boris", 600.0, &format!(";audio_codecs={all}"));
    boris.dial(&world.uri("105"));
    thin.event("CALL_INCOMING", SOON);
    thin.accept();
    boris.event("CALL_ESTABLISHED", SOON);
    std::thread::park_timeout(A_WHILE);
    boris.hang_up();
    thin.event("CALL_CLOSED", SOON);
    boris.event("CALL_CLOSED", SOON);
    assert_legs(&world, "opus", 2);
    // It likes Opus least, and calls with it all the same.
    let mut ana = world.pjsua_with("ana", 900.0, only(PCMU));
    thin.dial(&world.uri("101"));
    ana.event("ringing", SOON);
    ana.answer();
    thin.event("CALL_ESTABLISHED", SOON);
    ana.talk(A_WHILE);
    thin.hang_up();
    ana.disconnected(SOON);
    world.exchange.calls(2);
    assert_legs(&world, "opus", 3);
    assert_legs(&world, "PCMU", 1);
    boris.heard().assert_tone(440.0, MOST);
    ana.heard().assert_tone(440.0, MOST);
}

/// A rule of nftables that loses packets of sound to an address, until it is dropped.
struct Lossy(String);

impl Lossy {
    fn new(to: Ipv4Addr, percent: u32) -> Self {
        let table = format!("strowger-{}", to.to_string().replace('.', "-"));
        let rules = format!(
            "add table inet {table}\nadd chain inet {table} out {{ type filter hook output priority 0; }}\n\
             add rule inet {table} out ip daddr {to} udp dport 6000-65535 numgen random mod 100 < {percent} drop\n"
        );
        let mut command = Command::new("nft");
        let done = command.arg(&rules).status().expect("nft starts");
        assert!(done.success(), "the rules of a lossy network can be made");
        Self(table)
    }
}

impl Drop for Lossy {
    fn drop(&mut self) {
        let _ = Command::new("nft").args(["delete", "table", "inet", &self.0]).status();
    }
}

#[test]
fn a_tone_is_heard_over_a_network_that_loses_15_percent() {
    for (codec, name) in [(OPUS, "opus"), (G722, "G722")] {
        let world = World::new();
        let mut ana = world.pjsua_with("ana", 440.0, only(PCMU));
        let _lossy = Lossy::new(world.exchange.ip(), 15);
        let mut boris = world.baresip("boris", 600.0, &format!(";audio_codecs={codec}"));
        boris.dial(&world.uri("101"));
        ana.event("ringing", SOON);
        ana.answer();
        ana.confirmed(SOON);
        ana.talk(A_WHILE * 2);
        boris.hang_up();
        ana.disconnected(SOON);
        boris.event("CALL_CLOSED", SOON);
        // A window is five packets, and 0.85^5 = 44 % of them lose none: of sixty, a fifth is four deviations below that.
        for (heard, hz) in [(ana.heard(), 600.0), (boris.heard(), 440.0)] {
            let tone = heard.tone(hz).length;
            assert!(tone > heard.length() / 5, "{codec}: {tone:?} of {:?}", heard.length());
        }
        assert_legs(&world, name, 1);
        let metrics = world.exchange.metrics();

        let line = format!("strowger_rtp_concealed_frames_total{{codec=\"{name}\"}} ");
        let concealed = metrics.lines().find_map(|text| text.strip_prefix(&line)?.parse::<u32>().ok());
        assert!(concealed.is_some_and(|frames| frames > 20), "{codec}: {concealed:?}\n{metrics}");
    }
}
