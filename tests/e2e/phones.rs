//! The telephones among themselves, without an exchange: what the other tests rely on is true of them.

use std::time::Duration;

use tests::baresip::Baresip;
use tests::net::Net;
use tests::pjsua::Pjsua;
use tests::sipp::{Sipp, UAC, UAC_CANCELS, UAS, UAS_OPTIONS, UAS_RINGS};

const SOON: Duration = Duration::from_secs(10);

#[test]
fn pjsua2_and_baresip_hear_each_others_tones_and_keys() {
    let net = Net::new();
    let (caller_at, called_at) = (net.sip(), net.sip());
    let mut caller = Pjsua::start(caller_at, 440.0);
    let mut called = Baresip::start(called_at, &format!("<sip:bob@{}>;regint=0", called_at.ip()), 600.0);

    caller.call(&format!("sip:bob@{}", called_at.ip()));
    called.event("CALL_INCOMING", SOON);
    called.accept();
    caller.confirmed(SOON);
    called.event("CALL_ESTABLISHED", SOON);
    caller.talk(Duration::from_secs(2));
    called.press("5");
    assert_eq!(caller.event("dtmf", SOON)["digit"], "5");
    caller.hang_up();
    called.event("CALL_CLOSED", SOON);

    called.heard().assert_tone(440.0, Duration::from_secs(1));
    called.heard().assert_no_tone(600.0);
    let heard = caller.heard();
    heard.assert_tone(600.0, Duration::from_secs(1));
    heard.assert_no_tone(440.0);
}

#[test]
fn sipp_calls_pjsua2_and_its_count_says_so() {
    let net = Net::new();
    let (sipp_at, phone_at) = (net.sip(), net.sip());
    let mut phone = Pjsua::start(phone_at, 440.0);
    let sipp =
        Sipp::builtin("uac", sipp_at).to(phone_at).service("phone").calls(1, 1).talks(SOON / 10).start();
    phone.event("ringing", SOON);
    phone.answer();
    phone.confirmed(SOON);
    phone.disconnected(SOON);
    sipp.finish(SOON).assert_all(1);
}

#[test]
fn sipp_says_so_when_a_call_is_refused() {
    let net = Net::new();
    let (sipp_at, phone_at) = (net.sip(), net.sip());
    let mut phone = Pjsua::start(phone_at, 440.0);
    let sipp = Sipp::builtin("uac", sipp_at).to(phone_at).service("phone").calls(1, 1).start();
    phone.event("ringing", SOON);
    phone.refuse(486);
    let report = sipp.finish(SOON);
    assert_eq!((report.status, report.successful, report.failed), (1, 0, 1), "{}", report.said);
}

#[test]
fn pjsua2_hears_its_own_tone_from_a_sipp_that_echoes() {
    let net = Net::new();
    let (sipp_at, phone_at) = (net.sip(), net.sip());
    let _echo = Sipp::builtin("uas", sipp_at).echoes().start();
    let mut phone = Pjsua::start(phone_at, 440.0);
    phone.call(&format!("sip:echo@{}", sipp_at.ip()));
    phone.confirmed(SOON);
    phone.talk(Duration::from_secs(2));
    phone.hang_up();
    phone.disconnected(SOON);
    phone.heard().assert_tone(440.0, Duration::from_secs(1));
}

#[test]
fn the_scenarios_of_sipp_agree_with_each_other() {
    let net = Net::new();
    for (caller, called, calls) in [(UAC, UAS, 20), (UAC, UAS_OPTIONS, 20), (UAC_CANCELS, UAS_RINGS, 5)] {
        let (from, to) = (net.sip(), net.sip());
        let uas = Sipp::scenario(called, to).calls(calls, 10).start();
        let uac = Sipp::scenario(caller, from).to(to).service("bob").word("from", "alice");
        uac.calls(calls, 10).talks(SOON / 100).run(SOON).assert_all(calls);
        uas.finish(SOON).assert_all(calls);
    }
}

#[test]
fn a_sipp_that_plays_a_carrier_answers_options_between_calls() {
    let net = Net::new();
    let (from, to) = (net.sip(), net.sip());
    let uas = Sipp::scenario(UAS_OPTIONS, to).calls(2, 10).start();
    let socket = std::net::UdpSocket::bind(from).expect("the address is free");
    socket.set_read_timeout(Some(SOON)).expect("a socket can wait");
    for n in 0..2 {
        let options = format!(
            "OPTIONS sip:{to} SIP/2.0\r\nVia: SIP/2.0/UDP {from};branch=z9hG4bK{n}\r\nMax-Forwards: 70\r\n\
             From: <sip:a@{from}>;tag=1\r\nTo: <sip:{to}>\r\nCall-ID: {n}@{from}\r\nCSeq: 1 OPTIONS\r\n\
             Content-Length: 0\r\n\r\n"
        );
        socket.send_to(options.as_bytes(), to).expect("sipp listens");
        let mut buffer = [0; 2048];
        let length = socket.recv(&mut buffer).expect("sipp answers");
        assert!(
            buffer[..length].starts_with(b"SIP/2.0 200 "),
            "{}",
            String::from_utf8_lossy(&buffer[..length])
        );
    }
    uas.finish(SOON).assert_all(2);
}
