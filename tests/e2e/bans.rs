//! Programs that look for names and try passwords.

use std::net::{Ipv4Addr, UdpSocket};
use std::process::Command;
use std::time::Duration;

use tests::sipp::{REGISTER, Sipp};

use crate::world::{LATER, World};

fn is_banned(world: &World, address: Ipv4Addr) -> bool {
    let listed = world.exchange.get("/bans");
    let address = address.to_string();
    let bans = listed["bans"].as_array().into_iter().flatten();
    bans.filter_map(|ban| ban["address"].as_str()).any(|banned| banned == address)
}

/// Whether OPTIONS from there is answered, asked three times because datagrams may be lost.
fn is_heard(world: &World, from: Ipv4Addr) -> bool {
    let socket = UdpSocket::bind((from, 0)).expect("the address is there");
    socket.set_read_timeout(Some(Duration::from_millis(500))).expect("a socket can wait");
    let (at, here) = (world.exchange.sip(), socket.local_addr().expect("it is bound"));
    (0..3).any(|n| {
        let options = format!(
            "OPTIONS sip:{at} SIP/2.0\r\nVia: SIP/2.0/UDP {here};branch=z9hG4bKb{n};rport\r\nMax-Forwards: 70\r\n\
             From: <sip:a@{at}>;tag=b{n}\r\nTo: <sip:{at}>\r\nCall-ID: b{n}-{here}\r\nCSeq: 1 OPTIONS\r\n\
             Content-Length: 0\r\n\r\n"
        );
        socket.send_to(options.as_bytes(), at).expect("it can be sent");
        let mut answer = [0; 2048];
        socket.recv(&mut answer).is_ok_and(|length| answer[..length].starts_with(b"SIP/2.0 200"))
    })
}

#[test]
fn who_tries_passwords_is_not_heard_for_a_while_and_others_are() {
    let world = World::new();
    let telephone = world.net.sip();
    let from = *telephone.ip();
    assert!(is_heard(&world, from));
    // A failure is a challenge and a wrong answer to it: 19 of them are one too many.
    let tries = |count| {
        let sipp = Sipp::scenario(REGISTER, telephone).to(world.exchange.sip()).auth("ana", "a guess");
        sipp.word("from", "ana").word("expires", "600").calls(count, 20).run(LATER)
    };
    tries(15);
    assert!(is_heard(&world, from) && !is_banned(&world, from), "a telephone may be wrong");
    tries(10);
    assert!(is_banned(&world, from) && !is_heard(&world, from));
    let metrics = world.exchange.metrics();
    assert!(metrics.contains("strowger_sip_bans_total 1"), "{metrics}");
    assert!(!metrics.contains("strowger_sip_unheard_total 0"), "{metrics}");
    let (status, listed, why) = world.exchange.cli(&["ban"]);
    assert!(status == 0 && listed.contains(&from.to_string()), "{listed} {why}");
    // Meanwhile somebody else registers, with the right password.
    let _ana = world.pjsua("ana", 440.0);
    // And an operator lets it in again.
    assert_eq!(world.exchange.send("DELETE", &format!("/bans/{from}"), "").0, 204);
    assert!(!is_banned(&world, from) && is_heard(&world, from));
}

/// sipvicious as Debian has it. Its svcrack gives up on a challenge with `qop`, which every one of ours has.
#[test]
fn who_looks_for_names_hears_the_same_of_all() {
    let world = World::new();
    let tool = |name: &str, arguments: &[&str]| {
        let mut command = Command::new("timeout");
        command.args(["60", name]).args(arguments);
        let output = command.arg(world.exchange.ip().to_string()).output().expect("it is installed");
        let text = [output.stdout, output.stderr].concat();
        String::from_utf8_lossy(&text).into_owned()
    };
    for method in ["REGISTER", "INVITE"] {
        let said = tool("svwar", &["-e", "100-140", "-m", method, "--force", "--maximumtime", "5"]);
        assert!(said.contains("found nothing"), "101 is there, 140 is not: {said}");
        assert!(!said.contains("socket error"), "it was answered: {said}");
    }
    let said = tool("svmap", &[]);
    assert!(said.contains(&world.exchange.ip().to_string()), "it was answered: {said}");
    assert!(!said.to_lowercase().contains("strowger"), "{said}");
}
