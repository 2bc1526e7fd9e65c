//! Carriers that fail: refused, unreachable, silent; one that comes back; and one that wants to be registered with.

use std::net::UdpSocket;
use std::time::Duration;

use serde_json::Value;
use tests::kamailio;
use tests::sipp::{Sipp, UAC_LISTENS, UAS, UAS_OPTIONS, UAS_REFUSES};

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

/// Kamailio challenges, keeps our contact, and sends what is called by the name that we registered.
#[test]
fn a_carrier_that_registers_us_sends_calls_to_that_name_and_the_number_is_in_to() {
    let (mut carrier, mut caller) = (None, None);
    let mut world = World::with(|net| {
        let at = net.sip();
        carrier = Some(kamailio::start(at, None, "line-secret"));
        caller = Some(net.sip());
        format!(
            "  [[tenant.number]]\n  number = \"+35921112233\"\n  script = \"behave\"\n  settings = {{ does = \"tone\" }}\n\
             \x20 [[tenant.trunk]]\n  name = \"line\"\n  address = \"sip:{at}\"\n  inbound_from = [\"{ip}/32\"]\n  \
             user = \"acme\"\n  password = \"line-secret\"\n  register = {{ expires = \"1 min\" }}\n  probe = 0\n\
             \x20 [[tenant.trunk]]\n  name = \"wrong\"\n  address = \"sip:{at}\"\n  \
             user = \"acme\"\n  password = \"another\"\n  register = {{}}\n  probe = 0\n",
            ip = at.ip(),
        )
    });
    let trunk = |exchange: &tests::exchange::Exchange, name: &str| {
        let trunks = exchange.get("/tenants/demo/trunks");
        trunks["trunks"].as_array()?.iter().find(|trunk| trunk["name"] == name).cloned()
    };
    let line = world.exchange.eventually("the carrier knows us", |exchange| {
        trunk(exchange, "line").filter(|line| line["registered"] == true)
    });
    assert!(line["registered_until"].is_f64() && line["not_registered"].is_null(), "{line}");
    let wrong = world.exchange.eventually("the carrier refuses", |exchange| {
        trunk(exchange, "wrong").filter(|wrong| wrong["not_registered"].is_string())
    });
    assert_eq!((&wrong["registered"], &wrong["not_registered"]), (&false.into(), &"401".into()), "{wrong}");
    assert_eq!(trunk(&world.exchange, "carrier").expect("it is configured")["registered"], Value::Null);

    let scenario = UAC_LISTENS.replacen("INVITE sip:[service]@", "INVITE sip:acme@", 1);
    let carrier = carrier.expect("it was started");
    let sipp = Sipp::scenario(&scenario, caller.expect("it has an address")).to(carrier.at());
    sipp.service("+35921112233").word("from", "+359888123456").calls(1, 1).run(LATER).assert_all(1);
    let call = world.exchange.calls(1).remove(0);
    assert_eq!((&call["outcome"], &call["dialled"]), (&"answered".into(), &"+35921112233".into()), "{call}");
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
