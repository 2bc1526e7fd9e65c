//! Who asks too much, dials what costs, or sends sound that nobody asked for.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tests::sipp::{Sipp, UAC_AUTH, UAS};

use crate::world::{LATER, SOON, World, password};

const A_SECOND: Duration = Duration::from_secs(1);

#[test]
fn a_flood_from_one_address_is_told_to_wait_and_calls_from_others_go_on() {
    let world = World::listening(|_, _| {
        let throttle = "[sip.throttle]\nmessages_per_second = 50\nburst = 100\n";
        (Vec::new(), throttle.to_owned(), String::new())
    });
    let (flooder, at) =
        (UdpSocket::bind(world.net.sip()).expect("the address is free"), world.exchange.sip());
    let here = flooder.local_addr().expect("it is bound");
    let ask = |n: u32| {
        let options = format!(
            "OPTIONS sip:{at} SIP/2.0\r\nVia: SIP/2.0/UDP {here};branch=z9hG4bKf{n};rport\r\nMax-Forwards: 70\r\n\
             From: <sip:a@{at}>;tag=f{n}\r\nTo: <sip:{at}>\r\nCall-ID: f{n}-{here}\r\nCSeq: 1 OPTIONS\r\n\
             Content-Length: 0\r\n\r\n"
        );
        flooder.send_to(options.as_bytes(), at).expect("it can be sent");
    };
    let over = AtomicBool::new(false);
    let (asked, began) = std::thread::scope(|scope| {
        let flood = scope.spawn(|| {
            let began = Instant::now();
            let mut asked = 0;
            while !over.load(Ordering::Relaxed) {
                (0..50).for_each(|n| ask(asked + n));
                asked += 50;
                std::thread::park_timeout(Duration::from_millis(10));
            }
            (asked, began)
        });
        let sipp = Sipp::scenario(UAC_AUTH, world.net.sip()).to(at).service("702");
        let report =
            sipp.auth("ana", password("ana")).word("from", "ana").calls(20, 10).talks(A_SECOND).run(LATER);
        over.store(true, Ordering::Relaxed);
        report.assert_all(20);
        flood.join().expect("the flood ends")
    });
    let took = began.elapsed().as_secs_f64();
    flooder.set_read_timeout(Some(A_SECOND)).expect("a socket can wait");
    let (mut served, mut refused) = (0, 0);
    let mut answer = [0; 2048];
    while let Ok(length) = flooder.recv(&mut answer) {
        let text = String::from_utf8_lossy(&answer[..length]);
        match text.get(..11) {
            Some("SIP/2.0 200") => served += 1,
            Some("SIP/2.0 503") => {
                assert!(text.contains("\r\nRetry-After: "), "{text}");
                refused += 1;
            }
            _ => panic!("{text}"),
        }
    }
    assert!(asked > 3_000, "{asked} in {took} s is no flood");
    // A whole burst at first, and nothing more as long as it goes on; 503 at the rate that it could have had.
    assert!((1..=150).contains(&served), "{served} of {asked} were served");
    assert!(f64::from(refused) <= 20.0 + 51.0 * (took + 1.0), "{refused} of {asked} were told in {took} s");
    let metrics = world.exchange.metrics();
    assert!(metrics.contains("strowger_sip_throttled_total{what=\"unread\"}"), "{metrics}");
    // When it has stopped for a while it is served like anyone.
    flooder.set_read_timeout(Some(Duration::from_millis(200))).expect("a socket can wait");
    let until = Instant::now() + SOON;
    let mut n = 1_000_000;
    let served = std::iter::from_fn(|| (Instant::now() < until).then_some(())).any(|()| {
        n += 1;
        ask(n);
        flooder.recv(&mut answer).is_ok_and(|length| answer[..length].starts_with(b"SIP/2.0 200"))
    });
    assert!(served);
}

#[test]
fn an_account_that_asks_too_much_is_told_to_wait_and_another_one_is_not() {
    let world = World::new();
    // 20 a second, 200 at once: 300 calls at once are too many for one telephone.
    let calls = |user: &'static str, count: u32| {
        let sipp = Sipp::scenario(UAC_AUTH, world.net.sip()).to(world.exchange.sip()).service("702");
        sipp.auth(user, password(user)).word("from", user).calls(count, 150).run(LATER)
    };
    let ana = calls("ana", 300);
    assert!(ana.successful >= 190 && ana.failed >= 20, "{} of 300: {}", ana.successful, ana.said);
    calls("boris", 10).assert_all(10);
    let metrics = world.exchange.metrics();
    assert!(metrics.contains("strowger_sip_throttled_total{what=\"account\"}"), "{metrics}");
}

#[test]
fn a_telephone_whose_password_is_known_to_others_costs_little() {
    let mut carrier = None;
    let mut world = World::with(|net| {
        let at = net.sip();
        carrier = Some(at);
        format!(
            "  [tenant.numbering]\n  country = \"359\"\n  [tenant.tolls]\n  allow = [\"+359\"]\n  deny = [\"+359900\"]\n  \
             user_calls_per_hour = 2\n  [[tenant.trunk]]\n  name = \"out\"\n  address = \"sip:{at}\"\n  probe = 0\n"
        )
    });
    // The world's own carrier is asked first and is not there.
    let _carrier = Sipp::scenario(UAS, carrier.expect("it has an address")).start();
    let calls = |world: &World, user: &'static str, number: &str| {
        let sipp = Sipp::scenario(UAC_AUTH, world.net.sip()).to(world.exchange.sip()).service(number);
        sipp.auth(user, password(user)).word("from", user).calls(1, 1).trace().run(LATER)
    };
    // Whichever way it is dialled, an expensive number is not called.
    for number in ["+88213300000", "0900123456", "00359900123456", "+359900123456"] {
        let report = calls(&world, "ana", number);
        assert!(
            report.failed == 1 && report.messages.contains("SIP/2.0 403"),
            "{number}: {}",
            report.messages
        );
    }
    calls(&world, "ana", "0888123456").assert_all(1);
    calls(&world, "ana", "+359888123457").assert_all(1);
    assert_eq!(calls(&world, "ana", "0888123458").failed, 1, "two an hour");
    calls(&world, "boris", "0888123458").assert_all(1);
    let records = world.exchange.calls(8);
    let tried = records.iter().filter(|call| call["legs"].as_array().is_some_and(|legs| legs.len() > 1));
    assert_eq!(tried.count(), 3, "the others reached no carrier: {records:?}");
    let metrics = world.exchange.metrics();
    for (bound, count) in [("destinations", 4), ("user_calls_per_hour", 1)] {
        let line = format!("strowger_calls_held_back_total{{tenant=\"demo\",outcome=\"{bound}\"}} {count}");
        assert!(metrics.contains(&line), "{metrics}");
    }
    // A restart forgives nothing.
    world.exchange.kill();
    world.exchange.start_again();
    assert_eq!(calls(&world, "ana", "0888123459").failed, 1);
    calls(&world, "boris", "0888123459").assert_all(1);
}

/// 1 kHz at 0 dBm0 in A-law (ITU-T G.711, table 5).
const MILLIWATT: [u8; 8] = [0x34, 0x21, 0x21, 0x34, 0xB4, 0xA1, 0xA1, 0xB4];

/// UDP ports that somebody has at this address, by what Linux tells.
fn udp_ports(ip: Ipv4Addr) -> Vec<u16> {
    let wanted = format!("{:08X}:", u32::from_ne_bytes(ip.octets()));
    let table = std::fs::read_to_string("/proc/net/udp").expect("Linux tells");
    let locals = table.lines().filter_map(|line| line.split_whitespace().nth(1));
    locals.filter_map(|local| u16::from_str_radix(local.strip_prefix(&wanted)?, 16).ok()).collect()
}

#[test]
fn sound_of_a_stranger_is_heard_by_nobody() {
    let world = World::new();
    let mut ana = world.pjsua("ana", 440.0);
    let mut boris = world.pjsua("boris", 600.0);
    ana.call(&world.uri("102"));
    boris.event("ringing", SOON);
    boris.answer();
    ana.confirmed(SOON);
    boris.confirmed(SOON);
    ana.talk(A_SECOND);
    let stranger = UdpSocket::bind((world.net.host(), 0)).expect("the address is free");
    let ports = udp_ports(world.exchange.ip());
    let at: Vec<SocketAddr> = ports.iter().map(|port| (world.exchange.ip(), *port).into()).collect();
    assert!(at.len() >= 5, "SIP, and sound of two: {ports:?}");
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut number = 0_u16;
            while !over.load(Ordering::Relaxed) {
                let mut packet = vec![0x80, 8];
                packet.extend(number.to_be_bytes());
                packet.extend((u32::from(number) * 160).to_be_bytes());
                packet.extend(0xDEAD_BEEF_u32.to_be_bytes());
                packet.extend(MILLIWATT.iter().cycle().take(160));
                // A port may be closed by now.
                at.iter().for_each(|at| drop(stranger.send_to(&packet, at)));
                number = number.wrapping_add(1);
                std::thread::park_timeout(Duration::from_millis(20));
            }
        });
        ana.talk(3 * A_SECOND);
        over.store(true, Ordering::Relaxed);
    });
    boris.hang_up();
    ana.disconnected(SOON);
    boris.disconnected(SOON);
    for (heard, hz) in [(boris.heard(), 440.0), (ana.heard(), 600.0)] {
        heard.assert_tone(hz, 3 * A_SECOND);
        heard.assert_no_tone(1000.0);
    }
}
