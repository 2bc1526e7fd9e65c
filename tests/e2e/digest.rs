//! A tenant that chose its digest: what is on the wire (RFC 8760 §2), and a telephone that knows it.

use std::net::UdpSocket;

use tests::exchange::Exchange;
use tests::net::Net;
use tests::pjsua::{Account, Pjsua};

use crate::world::SOON;

#[test]
fn users_of_a_tenant_that_asks_for_sha_256_prove_their_passwords_with_it() {
    let net = Net::new();
    let ip = net.host();
    let tenant = format!(
        "[[tenant]]\nname = \"demo\"\ndomains = [\"{ip}\"]\ndigest = [\"SHA-256\"]\n\
         [[tenant.user]]\nname = \"ana\"\nnumber = \"101\"\npassword = \"ana-secret\"\n\
         [[tenant.number]]\nnumber = \"702\"\nscript = \"strowger/echo\"\n"
    );
    let exchange = Exchange::start(ip, &tenant);

    let from = net.sip();
    let register = format!(
        "REGISTER sip:{ip} SIP/2.0\r\nVia: SIP/2.0/UDP {from};branch=z9hG4bK1\r\nMax-Forwards: 70\r\n\
         From: <sip:ana@{ip}>;tag=1\r\nTo: <sip:ana@{ip}>\r\nCall-ID: 1@{from}\r\nCSeq: 1 REGISTER\r\n\
         Contact: <sip:ana@{from}>\r\nContent-Length: 0\r\n\r\n"
    );
    let socket = UdpSocket::bind(from).expect("the address is free");
    socket.set_read_timeout(Some(SOON)).expect("a socket can wait");
    socket.send_to(register.as_bytes(), exchange.sip()).expect("the exchange listens");
    let mut buffer = [0; 2048];
    let length = socket.recv(&mut buffer).expect("the exchange answers");
    let answer = String::from_utf8_lossy(&buffer[..length]);
    assert!(answer.starts_with("SIP/2.0 401 "), "{answer}");
    let challenges: Vec<_> = answer.lines().filter(|line| line.starts_with("WWW-Authenticate:")).collect();
    assert_eq!(challenges.len(), 1, "{answer}");
    assert!(challenges[0].contains("algorithm=SHA-256"), "{answer}");

    let mut phone = Pjsua::start(net.sip(), 440.0);
    let domain = ip.to_string();
    let mut register =
        |password: &str| phone.register(Account { domain: &domain, server: &domain, user: "ana", password });
    assert_ne!(register("boris-secret"), 200);
    assert_eq!(register("ana-secret"), 200);
    phone.call(&format!("sip:702@{ip}"));
    phone.confirmed(SOON);
    phone.hang_up();
    phone.disconnected(SOON);
}
