//! SIP over WebSocket (RFC 7118) with JsSIP: registering, calling and being called, and which pages may.

use std::io::{Read, Write};
use std::net::TcpStream;

use serde_json::json;
use tests::certificates::Authority;
use tests::jssip::JsSip;

use crate::world::{SOON, World, password};

#[test]
fn rfc7118_a_browsers_telephone_registers_asks_and_is_called_over_its_own_connection() {
    let world = World::listening(|_, ip| (vec![format!("ws:{ip}:8088")], String::new(), String::new()));
    let ip = world.exchange.ip().to_string();
    let mut vera = JsSip::connected(&format!("ws://{ip}:8088"), &ip, "vera", password("vera"), None);
    assert_eq!(vera.register(), 200);
    let users = world.exchange.get("/tenants/demo/users");
    let registered = users["users"].as_array().expect("users").iter().find(|user| user["name"] == "vera");
    assert_eq!(registered.expect("vera")["contacts"][0]["transport"], "ws", "{users}");

    vera.tell(json!({ "do": "options", "uri": format!("sip:{ip}") }));
    assert_eq!(vera.event("options", SOON)["code"], 200);

    // Its Contact is a name that no DNS knows: the INVITE can only come on the connection.
    let mut ana = world.pjsua("ana", 440.0);
    ana.call(&world.uri("103"));
    assert_eq!(vera.event("ringing", SOON)["from"], "101");
    vera.tell(json!({ "do": "refuse", "code": 486 }));
    assert_eq!(ana.disconnected(SOON), 486);
}

#[test]
fn a_browsers_telephone_registers_over_wss_and_a_wrong_password_is_refused() {
    let authority = Authority::new();
    let mut world = World::listening(|_, ip| {
        let pair = authority.issue("exchange", &[format!("IP:{ip}")]);
        (vec![format!("wss:{ip}:8443")], format!("  [sip.tls]\n  {}\n", pair.toml("\n  ")), String::new())
    });
    let ip = world.exchange.ip().to_string();
    let url = format!("wss://{ip}:8443");
    let file = authority.file();
    let mut vera = JsSip::connected(&url, &ip, "vera", password("vera"), Some(&file));
    assert_eq!(vera.register(), 200);
    let mut boris = JsSip::connected(&url, &ip, "boris", "guessed", Some(&file));
    assert_eq!(boris.register(), 401);

    let other = Authority::new();
    let _stranger = JsSip::start(&url, &ip, "ana", password("ana"), Some(&other.file()));
    world.exchange.eventually("a handshake that the telephone broke off", |exchange| {
        exchange.metrics().contains("ended_total{transport=\"wss\",why=\"handshake\"}").then_some(())
    });
}

/// What is answered to a request to open a WebSocket.
fn knock(at: &str, lines: &str) -> String {
    let mut stream = TcpStream::connect(at).expect("the exchange listens");
    stream.set_read_timeout(Some(SOON)).expect("a socket can wait");
    let request = format!(
        "GET / HTTP/1.1\r\nHost: {at}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n{lines}\r\n"
    );
    stream.write_all(request.as_bytes()).expect("it takes the request");
    let mut answer = Vec::new();
    let mut buffer = [0; 1024];
    while !answer.windows(4).any(|end| end == b"\r\n\r\n") {
        match stream.read(&mut buffer) {
            Ok(length) if length > 0 => answer.extend_from_slice(&buffer[..length]),
            _ => break,
        }
    }
    String::from_utf8_lossy(&answer).into_owned()
}

#[test]
fn who_speaks_no_sip_or_comes_from_a_foreign_page_opens_no_websocket() {
    let world = World::listening(|_, ip| {
        let origins = "  [sip.websocket]\n  origins = [\"https://phone.example\"]\n".to_owned();
        (vec![format!("ws:{ip}:8088")], origins, String::new())
    });
    let at = format!("{}:8088", world.exchange.ip());
    let (sip, ours) = ("Sec-WebSocket-Protocol: sip\r\n", "Origin: https://phone.example\r\n");
    let welcome = knock(&at, &format!("{sip}{ours}"));
    assert!(welcome.starts_with("HTTP/1.1 101 "), "{welcome}");
    // RFC 6455 §1.3: the answer to the sample key.
    let lower = welcome.to_ascii_lowercase();
    assert!(
        lower.contains("s3pplmbitxaq9kygzzhzrbk+xoo=") && lower.contains("sec-websocket-protocol: sip"),
        "{welcome}"
    );
    assert!(knock(&at, ours).starts_with("HTTP/1.1 400 "), "no sub-protocol");
    assert!(knock(&at, &format!("{ours}Sec-WebSocket-Protocol: chat\r\n")).starts_with("HTTP/1.1 400 "));
    assert!(knock(&at, &format!("{sip}Origin: https://evil.example\r\n")).starts_with("HTTP/1.1 403 "));
    assert!(knock(&at, sip).starts_with("HTTP/1.1 403 "), "no origin");
}
