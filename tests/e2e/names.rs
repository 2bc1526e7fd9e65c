//! Carriers that are known by the name of their domain (RFC 3263): found by the DNS, and skipped server by server.

use std::net::{SocketAddrV4, UdpSocket};
use std::time::Duration;

use serde_json::Value;
use tests::dns::Dns;
use tests::net::{Net, SIP_PORT};
use tests::sipp::{Sipp, UAS, UAS_REFUSES};

use crate::world::{LATER, World};

const A_SECOND: Duration = Duration::from_secs(1);

/// A world with a carrier `sip:carrier.test` and a number that rings through it, and the servers of the carrier.
/// `records` makes the zone of them: what dnsmasq is told.
fn world<const SERVERS: usize>(
    records: impl FnOnce(&[SocketAddrV4; SERVERS]) -> Vec<String>,
) -> (World, Dns, [SocketAddrV4; SERVERS]) {
    let mut made = None;
    let world = World::listening(|net: &Net, _| {
        let servers = std::array::from_fn(|_| net.sip());
        let dns = Dns::start(SocketAddrV4::new(net.host(), 53), &records(&servers));
        let sip = format!("dns = [\"{}\"]\n", dns.at().ip());
        let more = "  [[tenant.number]]\n  number = \"900\"\n  script = \"behave\"\n  \
                    settings = { does = \"ring\", number = \"+35921110000\" }\n"
            .to_owned();
        made = Some((dns, servers));
        (Vec::new(), sip, more)
    });
    let (dns, servers) = made.expect("they were made");
    // In the place of the carrier that the world has.
    let file = world.exchange.folder().join("strowger.toml");
    let text = std::fs::read_to_string(&file).expect("its configuration");
    let named =
        text.replacen(&format!("address = \"sip:{}\"", world.carrier), "address = \"sip:carrier.test\"", 1);
    std::fs::write(&file, named).expect("the test's folder can be written");
    assert_eq!(world.exchange.send("POST", "/reload", "").0, 204);
    (world, dns, servers)
}

fn host(name: &str, at: SocketAddrV4) -> String {
    format!("host-record={name}.carrier.test,{}", at.ip())
}

fn srv(transport: &str, name: &str, priority: u16) -> String {
    format!("srv-host=_sip._{transport}.carrier.test,{name}.carrier.test,{SIP_PORT},{priority},10")
}

/// The legs after the caller's.
fn legs(call: &Value) -> Vec<&Value> {
    call["legs"].as_array().into_iter().flatten().skip(1).collect()
}

#[test]
fn rfc3263_4_3_a_call_goes_to_the_next_server_of_a_domain_when_one_has_no_capacity_or_is_silent() {
    let (mut world, _dns, [silent, refusing, good]) = world(|[silent, refusing, good]| {
        vec![
            host("silent", *silent),
            host("refusing", *refusing),
            host("good", *good),
            srv("udp", "silent", 1),
            srv("udp", "refusing", 2),
            srv("udp", "good", 3),
            "naptr-record=carrier.test,50,50,s,SIP+D2U,,_sip._udp.carrier.test".to_owned(),
        ]
    });
    let silent = UdpSocket::bind(silent).expect("the address is free");
    silent.set_nonblocking(true).expect("a socket can be non-blocking");
    let refusing = Sipp::scenario(UAS_REFUSES, refusing).start();
    let good = Sipp::scenario(UAS, good).start();
    world.carrier_calls("900").calls(1, 1).talks(A_SECOND).run(LATER).assert_all(1);
    let call = world.exchange.calls(1).remove(0);
    assert_eq!(call["outcome"], "answered", "{call}");
    assert_eq!(legs(&call).len(), 1, "the servers of a domain are one carrier: {call}");
    // An INVITE that nothing answers is repeated for 32 s, also when nobody waits for it any more.
    let heard = || {
        let mut buffer = [0; 4096];
        let text = silent
            .recv(&mut buffer)
            .ok()
            .map(|length| String::from_utf8_lossy(&buffer[..length]).into_owned());
        text.map(|text| text.lines().find(|line| line.starts_with("Call-ID:")).unwrap_or("none").to_owned())
    };
    let first = heard().expect("the first server was asked");
    // Both are remembered, and the next call loses no time with them.
    world.carrier_calls("900").calls(1, 1).talks(A_SECOND).run(LATER).assert_all(1);
    while let Some(call) = heard() {
        assert_eq!(call, first, "the silent one is asked for another call");
    }
    assert_eq!(refusing.stop().successful, 1);
    assert_eq!(good.stop().successful, 2);
}

#[test]
fn rfc3263_4_1_a_domain_that_prefers_tcp_is_called_over_tcp() {
    let (mut world, _dns, [server]) = world(|[server]| {
        vec![
            host("one", *server),
            srv("udp", "one", 1),
            srv("tcp", "one", 1),
            "naptr-record=carrier.test,50,50,s,SIP+D2T,,_sip._tcp.carrier.test".to_owned(),
            "naptr-record=carrier.test,90,50,s,SIP+D2U,,_sip._udp.carrier.test".to_owned(),
        ]
    });
    let server = Sipp::scenario(UAS, server).args(&["-t", "t1"]).trace().start();
    world.carrier_calls("900").calls(1, 1).talks(A_SECOND).run(LATER).assert_all(1);
    assert_eq!(world.exchange.calls(1).remove(0)["outcome"], "answered");
    let report = server.stop();
    assert!(report.messages.contains("Via: SIP/2.0/TCP "), "{}", report.messages);
}

#[test]
fn a_name_without_services_is_a_host_and_one_that_nobody_knows_leads_to_the_fallback() {
    let (mut world, dns, [server]) =
        world(|[server]| vec![format!("host-record=carrier.test,{}", server.ip())]);
    let server = Sipp::scenario(UAS, server).start();
    world.carrier_calls("900").calls(1, 1).talks(A_SECOND).run(LATER).assert_all(1);
    assert_eq!(server.stop().successful, 1);
    drop(dns);
    let file = world.exchange.folder().join("strowger.toml");
    let text = std::fs::read_to_string(&file).expect("its configuration");
    std::fs::write(&file, text.replacen("sip:carrier.test", "sip:nobody.test", 1))
        .expect("it can be written");
    assert_eq!(world.exchange.send("POST", "/reload", "").0, 204);
    let report = world.carrier_calls("900").calls(1, 1).run(LATER);
    assert_eq!((report.successful, report.failed), (0, 1), "{}", report.said);
    assert_ne!(world.exchange.calls(2).remove(1)["outcome"], "answered");
}
