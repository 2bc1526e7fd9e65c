//! Carriers that fail: refused, unreachable, silent; and one that comes back.

use std::net::UdpSocket;
use std::time::Duration;

use serde_json::Value;
use tests::sipp::{Sipp, UAS, UAS_OPTIONS, UAS_REFUSES};

use crate::world::{LATER, SOON, World};

const A_SECOND: Duration = Duration::from_secs(1);

const RINGS: &str = "  [[tenant.number]]\n  number = \"900\"\n  script = \"behave\"\n  \
                     settings = { does = \"ring\", number = \"+35921110000\" }\n";

#[test]
fn a_call_goes_to_the_next_carrier_when_one_refuses_is_silent_or_is_not_there() {
    let mut carriers = Vec::new();
    let mut world = World::with(|net| {
        let mut text = RINGS.to_owned();
        for name in ["refusing", "missing", "silent", "good"] {
            let at = net.sip();
            carriers.push(at);
            text +=
                &format!("  [[tenant.trunk]]\n  name = \"{name}\"\n  address = \"sip:{at}\"\n  probe = 0\n");
        }
        text
    });
    let refusing = Sipp::scenario(UAS_REFUSES, carriers[0]).start();
    let silent = UdpSocket::bind(carriers[2]).expect("the address is free");
    let good = Sipp::scenario(UAS, carriers[3]).start();

    world.carrier_calls("900").calls(1, 1).talks(A_SECOND).run(LATER).assert_all(1);

    let call = world.exchange.calls(1).remove(0);
    assert_eq!(call["outcome"], "answered", "{call}");
    let through: Vec<_> = legs(&call).map(|leg| leg["trunk"].as_str().unwrap_or("-").to_owned()).collect();
    assert_eq!(through.last().map(String::as_str), Some("good"), "{call}");
    silent.set_nonblocking(true).expect("a socket can be non-blocking");
    assert!(silent.recv(&mut [0; 4096]).is_ok(), "the silent carrier was asked");
    assert_eq!(refusing.stop().successful, 1);
    assert_eq!(good.stop().successful, 1);
}

#[test]
fn a_carrier_that_was_away_is_back_when_it_answers_options() {
    let mut carriers = Vec::new();
    let mut world = World::with(|net| {
        let mut text = RINGS.to_owned();
        for name in ["first", "second"] {
            let at = net.sip();
            carriers.push(at);
            text +=
                &format!("  [[tenant.trunk]]\n  name = \"{name}\"\n  address = \"sip:{at}\"\n  probe = 1\n");
        }
        text
    });
    let _second = Sipp::scenario(UAS_OPTIONS, carriers[1]).start();
    let mut count = 0;
    let mut goes_through = |world: &mut World| {
        world.carrier_calls("900").calls(1, 1).talks(A_SECOND / 2).run(LATER).assert_all(1);
        count += 1;
        let calls = world.exchange.calls(count);
        let trunk = legs(&calls[count - 1]).last().map(|leg| leg["trunk"].as_str().unwrap_or("-").to_owned());
        trunk.unwrap_or_default()
    };
    assert_eq!(goes_through(&mut world), "second");
    let _first = Sipp::scenario(UAS_OPTIONS, carriers[0]).start();
    // Probes go out every second.
    world.exchange.eventually("trunk in service again", |exchange| {
        let trunks = exchange.get("/tenants/demo/trunks");
        let first = trunks["trunks"].as_array()?.iter().find(|trunk| trunk["name"] == "first")?;
        (first["in_service"] == true).then_some(())
    });
    assert_eq!(goes_through(&mut world), "first");
}

/// The legs after the caller's.
fn legs(call: &Value) -> impl Iterator<Item = &Value> {
    call["legs"].as_array().into_iter().flatten().skip(1)
}

#[test]
fn an_exchange_without_any_carrier_in_service_says_so_soon() {
    let mut world = World::with(|net| {
        let at = net.sip();
        format!("{RINGS}  [[tenant.trunk]]\n  name = \"gone\"\n  address = \"sip:{at}\"\n  probe = 0\n")
    });
    let report = world.carrier_calls("900").calls(1, 1).run(LATER);
    assert_eq!((report.successful, report.failed), (0, 1), "{}", report.said);
    let call = world.exchange.calls(1).remove(0);
    assert_ne!(call["outcome"], "answered", "{call}");
    world.carrier_calls("702").calls(1, 1).talks(A_SECOND).run(SOON).assert_all(1);
}
