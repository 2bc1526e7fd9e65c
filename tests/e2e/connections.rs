//! Connections that are silent, slow, too many or too talkative: closed and counted, and nobody else notices.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddrV4, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

use rustix::process::{Resource, getrlimit, setrlimit};
use tests::certificates::Authority;
use tests::exchange::Exchange;
use tests::sipp::{REGISTER, Sipp, UAC_AUTH, UAS};

use crate::world::{LATER, SOON, World, password};

/// How many connections of a transport have ended so.
fn ended(exchange: &Exchange, transport: &str, why: &str) -> u64 {
    let wanted = format!("strowger_sip_connections_ended_total{{transport=\"{transport}\",why=\"{why}\"}} ");
    let metrics = exchange.metrics();
    let count = metrics.lines().find_map(|line| line.strip_prefix(&wanted));
    count.map_or(0, |count| count.parse().expect("a count"))
}

/// Waits until so many have.
#[track_caller]
fn have_ended(world: &mut World, transport: &str, why: &str, count: u64) {
    world.exchange.eventually(&format!("{count} connections that ended as {why}"), |exchange| {
        (ended(exchange, transport, why) == count).then_some(())
    });
}

/// How many are open.
fn open(exchange: &Exchange, transport: &str) -> u64 {
    let wanted = format!("strowger_sip_connections{{transport=\"{transport}\"}} ");
    let metrics = exchange.metrics();
    let count = metrics.lines().find_map(|line| line.strip_prefix(&wanted));
    count.map_or(0, |count| count.parse().expect("a count"))
}

fn connect(world: &World, port: u16) -> TcpStream {
    let stream = TcpStream::connect((world.exchange.ip(), port)).expect("the exchange listens");
    stream.set_read_timeout(Some(SOON)).expect("a socket can wait");
    stream
}

/// Everything until the other side closes.
fn rest(stream: &mut TcpStream) -> String {
    let mut all = Vec::new();
    match stream.read_to_end(&mut all) {
        Ok(_) => {}
        Err(why) if why.kind() == ErrorKind::ConnectionReset => {}
        Err(why) => panic!("it is not closed: {why}"),
    }
    String::from_utf8_lossy(&all).into_owned()
}

fn options(more: &str) -> String {
    format!(
        "OPTIONS sip:demo SIP/2.0\r\nVia: SIP/2.0/TCP 127.0.0.1;branch=z9hG4bK1\r\nFrom: <sip:a@a>;tag=1\r\n\
         To: <sip:b@b>\r\nCall-ID: 1\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\n{more}"
    )
}

/// Says that a limit is short, in `[sip]`.
fn limits(text: &str) -> String {
    format!("  [sip.connections]\n  {text}\n")
}

#[test]
fn two_thousand_silent_connections_change_nothing_for_others_and_are_closed() {
    let mut world = World::listening(|_, _| (Vec::new(), limits("silent = \"10 s\""), String::new()));
    let mut files = getrlimit(Resource::Nofile);
    files.current = files.maximum;
    setrlimit(Resource::Nofile, files).expect("as many files as may be");
    let silent: Vec<_> = (0..2000).map(|_| connect(&world, 5060)).collect();
    world.exchange.eventually("all of them", |exchange| (open(exchange, "tcp") >= 2000).then_some(()));
    // One more from that address is one too many; the telephones are elsewhere.
    assert_eq!(rest(&mut connect(&world, 5060)), "");
    let begun = Instant::now();
    let mut ana = world.pjsua_with("ana", 440.0, tests::pjsua::Setup { tcp: true, ..Default::default() });
    let mut boris = world.pjsua("boris", 600.0);
    ana.call(&world.uri("102"));
    boris.event("ringing", SOON);
    boris.refuse(486);
    assert_eq!(ana.disconnected(SOON), 486);
    assert!(begun.elapsed() < SOON, "it took {:?}", begun.elapsed());
    have_ended(&mut world, "tcp", "silent", 2000);
    have_ended(&mut world, "tcp", "too-many", 1);
    drop(silent);
}

#[test]
fn a_message_that_comes_a_byte_at_a_time_and_never_ends_is_given_up() {
    let mut world = World::listening(|_, _| (Vec::new(), limits("message = \"2 s\""), String::new()));
    let mut stream = connect(&world, 5060);
    let begun = Instant::now();
    stream.set_read_timeout(Some(Duration::from_millis(50))).expect("a socket can wait");
    let mut bytes = options("Subject: ").into_bytes().into_iter().chain(std::iter::repeat(b'x'));
    // Each byte is news, and none of them ends the message.
    let over = loop {
        let next = bytes.next().expect("it never ends");
        if stream.write_all(&[next]).is_err() {
            break begun.elapsed();
        }
        match stream.read(&mut [0; 1]) {
            Ok(0) => break begun.elapsed(),
            Ok(_) => panic!("nothing was asked"),
            Err(why) if matches!(why.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(_) => break begun.elapsed(),
        }
        assert!(begun.elapsed() < SOON, "it is still open");
    };
    assert!(over >= Duration::from_secs(2), "closed after {over:?}");
    have_ended(&mut world, "tcp", "slow", 1);
}

#[test]
fn rfc3261_18_3_a_message_larger_than_may_be_gets_513_and_the_end() {
    let mut world = World::new();
    let mut declared = connect(&world, 5060);
    declared.write_all(options("Content-Length: 1000000\r\n\r\n").as_bytes()).expect("it takes it");
    assert!(rest(&mut declared).starts_with("SIP/2.0 513 "));
    let mut endless = connect(&world, 5060);
    // The far side may close before it has read all of it.
    let _ = endless.write_all(options(&"X-Filler: 0123456789\r\n".repeat(10_000)).as_bytes());
    rest(&mut endless);
    have_ended(&mut world, "tcp", "too-large", 2);
}

#[test]
fn a_handshake_that_does_not_come_about_is_given_up_and_nonsense_is_closed() {
    let authority = Authority::new();
    let mut world = World::listening(|_, ip| {
        let pair = authority.issue("exchange", &[format!("IP:{ip}")]);
        let sip = limits("handshake = \"1 s\"") + &format!("  [sip.tls]\n  {}\n", pair.toml("\n  "));
        (vec![format!("tls:{ip}:5061"), format!("ws:{ip}:8088")], sip, String::new())
    });
    for (port, transport) in [(5061, "tls"), (8088, "ws")] {
        let begun = Instant::now();
        let mut slow = connect(&world, port);
        assert_eq!(rest(&mut slow), "");
        assert!(begun.elapsed() >= Duration::from_secs(1), "{transport}: {:?}", begun.elapsed());
        // SIP in the clear is no handshake.
        let mut clear = connect(&world, port);
        clear.write_all(options("Content-Length: 0\r\n\r\n").as_bytes()).expect("it takes it");
        assert!(!rest(&mut clear).contains("SIP/2.0 200"), "{transport}");
        have_ended(&mut world, transport, "handshake", 2);
        assert_eq!(open(&world.exchange, transport), 0);
    }
    let mut nonsense = connect(&world, 5060);
    nonsense.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").expect("it takes it");
    rest(&mut nonsense);
    have_ended(&mut world, "tcp", "malformed", 1);
}

#[test]
fn rfc5626_3_5_1_two_line_ends_are_answered_by_one() {
    let world = World::new();
    let mut stream = connect(&world, 5060);
    stream.write_all(b"\r\n\r\n").expect("it takes it");
    let mut pong = [0; 2];
    stream.read_exact(&mut pong).expect("it answers");
    assert_eq!(&pong, b"\r\n");
    stream.write_all(options("Content-Length: 0\r\n\r\n").as_bytes()).expect("it takes it");
    let mut answer = [0; 11];
    stream.read_exact(&mut answer).expect("it answers");
    assert_eq!(&answer, b"SIP/2.0 200");
}

#[test]
fn rfc5626_6_a_telephone_whose_connection_is_gone_is_not_registered_any_more() {
    let mut world = World::new();
    let setup = || tests::pjsua::Setup { tcp: true, ..Default::default() };
    let phone = world.pjsua_with("ana", 440.0, setup());
    let contacts = |exchange: &Exchange| {
        let users = exchange.get("/tenants/demo/users");
        users["users"][0]["contacts"].as_array().map_or(0, Vec::len)
    };
    assert_eq!(contacts(&world.exchange), 1);
    drop(phone); // killed: it tells nobody
    world.exchange.eventually("the end of its flow", |exchange| (contacts(exchange) == 0).then_some(()));
    let mut boris = world.pjsua("boris", 600.0);
    boris.call(&world.uri("101"));
    assert_eq!(boris.disconnected(SOON), 480, "at once, and not when somebody has lost patience");
}

#[test]
fn rfc5626_5_3_a_telephone_whose_flow_fails_is_called_by_its_other_one_under_the_contact_of_that() {
    let world = World::new();
    let (first, second) = (world.net.sip(), world.net.sip());
    let register = |at: SocketAddrV4, flow: &str| {
        let contact = "Contact: <sip:[from]@[local_ip]:[local_port];transport=[transport]>";
        let named = format!(
            "Supported: path, outbound\n    Contact: <sip:[from]-{flow}@[local_ip]:[local_port];ob>;\
             +sip.instance=\"&lt;urn:uuid:00000000-0000-1000-8000-000A95A0E128&gt;\";reg-id={flow}"
        );
        let named = named.replace("&lt;", "<").replace("&gt;", ">");
        let sipp = Sipp::scenario(&REGISTER.replace(contact, &named), at).to(world.exchange.sip());
        let sipp = sipp.auth("ana", password("ana")).word("from", "ana").word("expires", "600");
        sipp.calls(1, 1).run(SOON).assert_all(1);
    };
    register(first, "1");
    register(second, "2");
    // The latest flow is called first, and nobody is there any more.
    let rings = Sipp::scenario(UAS, first).trace().start();
    let sipp = Sipp::scenario(UAC_AUTH, world.net.sip()).to(world.exchange.sip()).service("101");
    sipp.auth("boris", password("boris")).word("from", "boris").calls(1, 1).run(LATER).assert_all(1);
    let messages = rings.stop().messages;
    let invite = messages.lines().find(|line| line.starts_with("INVITE ")).expect("it is called");
    assert!(invite.starts_with(&format!("INVITE sip:ana-1@{first};ob ")), "{invite}");
}

#[test]
fn rfc5626_4_4_2_a_telephone_learns_by_stun_where_it_is_seen() {
    let world = World::new();
    let phone = UdpSocket::bind((world.net.host(), 0)).expect("the address is free");
    phone.set_read_timeout(Some(SOON)).expect("a socket can wait");
    let request = [&[0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42][..], b"twelve bytes"].concat();
    phone.send_to(&request, world.exchange.sip()).expect("the exchange listens");
    let mut answer = [0; 100];
    let length = phone.recv(&mut answer).expect("it answers");
    assert_eq!((length, &answer[..2], &answer[8..20]), (32, &[1, 1][..], &b"twelve bytes"[..]));
    let port = u16::from_be_bytes([answer[26], answer[27]]) ^ 0x2112;
    assert_eq!(port, phone.local_addr().expect("it is bound").port());
}
