//! IPv6: telephones on it, and calls between one on IPv4 and one on IPv6.

use std::net::{Ipv6Addr, SocketAddrV6, UdpSocket};
use std::time::Duration;

use tests::sipp::{Sipp, UAC_AUTH};

use crate::world::{LATER, SOON, World, password};

const A_SECOND: Duration = Duration::from_secs(1);

/// A port of the one IPv6 address that a loopback interface has, which all tests share.
fn port() -> u16 {
    let socket = UdpSocket::bind((Ipv6Addr::LOCALHOST, 0)).expect("the host speaks IPv6");
    socket.local_addr().expect("it is bound").port()
}

#[test]
fn a_telephone_on_ipv6_calls_one_on_ipv4_and_both_are_heard() {
    let here = SocketAddrV6::new(Ipv6Addr::LOCALHOST, port(), 0, 0);
    let mut world = World::listening(|_, _| (vec![format!("udp:{here}")], String::new(), String::new()));
    let file = world.exchange.folder().join("strowger.toml");
    // Sound on both families needs an address of both.
    let text = std::fs::read_to_string(&file).expect("its configuration");
    let ip = world.exchange.ip();
    let both = text.replacen(&format!("[media]\nlisten = \"{ip}\""), "[media]\nlisten = \"::\"", 1);
    assert_ne!(both, text);
    std::fs::write(&file, both).expect("the test's folder can be written");
    world.exchange.kill();
    world.exchange.start_again();

    let mut boris = world.pjsua("boris", 600.0);
    let there = SocketAddrV6::new(Ipv6Addr::LOCALHOST, port(), 0, 0);
    let scenario =
        UAC_AUTH.replace("IN IP4 [local_ip]", "IN IP6 ::1").replace("IN IP4 [media_ip]", "IN IP6 ::1");
    let calls = Sipp::scenario(&scenario, there).to(here).service("102").auth("ana", password("ana"));
    let calls = calls.word("from", "ana").echoes().trace().calls(1, 1).talks(A_SECOND * 3).start();
    boris.event("ringing", SOON);
    boris.answer();
    boris.confirmed(SOON);
    boris.talk(A_SECOND * 2);
    boris.disconnected(SOON);
    let report = calls.finish(LATER);
    report.assert_all(1);
    assert!(report.messages.contains("c=IN IP6 ::1"), "{}", report.messages);
    assert!(report.messages.contains(&format!("<sip:102@[::1]:{}", here.port())), "{}", report.messages);
    // What it says comes back from the telephone on IPv6.
    boris.heard().assert_tone(600.0, A_SECOND);
}
