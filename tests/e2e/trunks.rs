//! Carriers that fail: refused, unreachable, silent; one that comes back; and one that wants to be registered with.

use std::net::UdpSocket;
use std::time::Duration;

use serde_json::Value;
use tests::kamailio;
use tests::sipp::{Sipp, UAC, UAC_AUTH, UAC_LISTENS, UAS, UAS_OPTIONS, UAS_REFUSES, UAS_SLOW};

use crate::world::{LATER, SOON, World, password};

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

#[test]
fn each_carrier_reads_and_writes_numbers_its_own_way_and_is_shown_its_own() {
    let mut carrier = None;
    let mut world = World::with(|net| {
        let at = net.sip();
        carrier = Some(at);
        format!(
            "  [tenant.numbering]\n  country = \"359\"\n  area = \"2\"\n\
             \x20 [[tenant.number]]\n  number = \"+35921112233\"\n  script = \"strowger/echo\"\n\
             \x20 [[tenant.trunk]]\n  name = \"other\"\n  address = \"sip:{at}\"\n  inbound_from = [\"{ip}/32\"]\n  \
             probe = 0\n  numbers = {{ in = \"plain\", out = \"national\", prefix = \"9\" }}\n  \
             number = \"+35921112233\"\n  own_numbers = [\"+3592111*\"]\n",
            ip = at.ip(),
        )
    });
    let carrier = carrier.expect("it has an address");
    let listens = Sipp::scenario(UAS, carrier).trace().start();
    // The world's own carrier is asked first, as the number was dialled, and is not there.
    let call = |user: &'static str, number: &str| {
        let sipp = Sipp::scenario(UAC_AUTH, world.net.sip()).to(world.exchange.sip()).service(number);
        sipp.auth(user, password(user))
            .word("from", user)
            .calls(1, 1)
            .talks(A_SECOND)
            .run(LATER)
            .assert_all(1);
    };
    call("ana", "9876543");
    call("ana", "0044 20 7946 0018".replace(' ', "").as_str());
    let sent = listens.stop().messages;
    for line in ["INVITE sip:9029876543@", "INVITE sip:900442079460018@", "<sip:021112233@"] {
        assert!(sent.contains(line), "{line}: {sent}");
    }
    assert!(!sent.contains("sip:101@") && !sent.contains("+359"), "{sent}");

    let sipp = Sipp::scenario(UAC, carrier).to(world.exchange.sip()).service("35921112233");
    sipp.word("from", "359888123456").calls(1, 1).talks(A_SECOND).run(LATER).assert_all(1);
    let calls = world.exchange.calls(3);
    let call = calls.iter().find(|call| call["dialled"] == "+35921112233").expect("the customer's call");
    assert_eq!(call["from"]["number"], "+359888123456", "{call}");
}

#[test]
fn a_carrier_that_answers_too_few_of_its_calls_is_left_alone() {
    let mut carriers = Vec::new();
    let world = World::with(|net| {
        let mut text = RINGS.to_owned();
        let poor = "breaker = { answered = 50, of = 4, rest = \"1 min\" }";
        for (name, more) in [("poor", poor), ("good", "order = 5")] {
            let at = net.sip();
            carriers.push(at);
            text += &format!(
                "  [[tenant.trunk]]\n  name = \"{name}\"\n  address = \"sip:{at}\"\n  probe = 0\n  {more}\n"
            );
        }
        text
    });
    let busy = UAS_REFUSES.replace("503 Service Unavailable", "486 Busy Here");
    let poor = Sipp::scenario(&busy, carriers[0]).start();
    let good = Sipp::scenario(UAS, carriers[1]).start();
    for _ in 0..4 {
        // Whoever is busy is so at every carrier.
        assert_eq!(world.carrier_calls("900").calls(1, 1).run(LATER).failed, 1);
    }
    let trunks = world.exchange.get("/tenants/demo/trunks");
    let all = trunks["trunks"].as_array().expect("a list");
    let seen = all.iter().find(|trunk| trunk["name"] == "poor").expect("it is configured");
    assert_eq!(
        (&seen["breaker"], &seen["reason"]),
        (&"open".into(), &"answers 0 of 4 calls".into()),
        "{seen}"
    );
    world.carrier_calls("900").calls(1, 1).talks(A_SECOND / 4).run(LATER).assert_all(1);
    assert_eq!((poor.stop().successful, good.stop().successful), (4, 1));
}

#[test]
fn a_carrier_that_does_not_ring_in_its_time_gives_way_and_is_left_alone_when_it_goes_on_so() {
    let mut carriers = Vec::new();
    let mut world = World::with(|net| {
        let mut text = RINGS.to_owned();
        let slow = "rings_within = \"1 s\"\n  breaker = { failures = 2, rest = \"1 min\" }";
        for (name, more) in [("slow", slow), ("good", "order = 5")] {
            let at = net.sip();
            carriers.push(at);
            text += &format!(
                "  [[tenant.trunk]]\n  name = \"{name}\"\n  address = \"sip:{at}\"\n  probe = 0\n  {more}\n"
            );
        }
        text
    });
    let slow = Sipp::scenario(UAS_SLOW, carriers[0]).start();
    let good = Sipp::scenario(UAS, carriers[1]).start();
    let mut count = 0;
    let mut through = |world: &mut World| {
        world.carrier_calls("900").calls(1, 1).talks(A_SECOND / 4).run(LATER).assert_all(1);
        count += 1;
        let call = world.exchange.calls(count).remove(count - 1);
        let told = legs(&call).map(|leg| {
            let word = |key: &str| leg[key].as_str().unwrap_or("-").to_owned();
            (word("trunk"), word("end"))
        });
        told.filter(|(trunk, _)| trunk != "carrier").collect::<Vec<_>>()
    };
    let slow_one = ("slow".to_owned(), "does not ring".to_owned());
    for _ in 0..2 {
        let tried = through(&mut world);
        assert_eq!((&tried[0], tried[1].0.as_str(), tried.len()), (&slow_one, "good", 2), "{tried:?}");
    }
    let trunks = world.exchange.get("/tenants/demo/trunks");
    let all = trunks["trunks"].as_array().expect("a list");
    let seen = all.iter().find(|trunk| trunk["name"] == "slow").expect("it is configured");
    assert_eq!((&seen["breaker"], &seen["reason"]), (&"open".into(), &"does not ring".into()), "{seen}");
    let tried = through(&mut world);
    assert_eq!((tried[0].0.as_str(), tried.len()), ("good", 1), "nobody waits for it any more: {tried:?}");
    assert_eq!((slow.stop().successful, good.stop().successful), (2, 3));
}

#[test]
fn a_carrier_that_refuses_calls_is_left_alone_and_tried_by_one_call_after_a_rest() {
    let mut carriers = Vec::new();
    let mut world = World::with(|net| {
        let mut text = RINGS.to_owned();
        for (name, more) in [("flaky", "breaker = { failures = 2, rest = \"2 s\" }"), ("good", "order = 5")] {
            let at = net.sip();
            carriers.push(at);
            text += &format!(
                "  [[tenant.trunk]]\n  name = \"{name}\"\n  address = \"sip:{at}\"\n  probe = 0\n  {more}\n"
            );
        }
        text
    });
    let flaky = Sipp::scenario(UAS_REFUSES, carriers[0]).start();
    let _good = Sipp::scenario(UAS, carriers[1]).start();
    let mut count = 0;
    let mut through = |world: &mut World| {
        world.carrier_calls("900").calls(1, 1).talks(A_SECOND / 4).run(LATER).assert_all(1);
        count += 1;
        let call = world.exchange.calls(count).remove(count - 1);
        let names = legs(&call).map(|leg| leg["trunk"].as_str().unwrap_or("-").to_owned());
        names.filter(|name| name != "carrier").collect::<Vec<_>>()
    };
    let breaker = |exchange: &tests::exchange::Exchange| {
        let trunks = exchange.get("/tenants/demo/trunks");
        let flaky = trunks["trunks"].as_array()?.iter().find(|trunk| trunk["name"] == "flaky")?.clone();
        Some((flaky["breaker"].as_str()?.to_owned(), flaky["reason"].as_str().map(str::to_owned)))
    };
    assert_eq!(through(&mut world), ["flaky", "good"]);
    assert_eq!(breaker(&world.exchange), Some(("closed".into(), None)), "once is nothing");
    assert_eq!(through(&mut world), ["flaky", "good"]);
    assert_eq!(breaker(&world.exchange), Some(("open".into(), Some("503".into()))));
    assert_eq!(through(&mut world), ["good"], "nobody waits for it");
    world
        .exchange
        .eventually("a trial is due", |exchange| breaker(exchange).filter(|(state, _)| state == "half-open"));
    assert_eq!(through(&mut world), ["flaky", "good"], "one caller tries it, and hears nothing of it");
    assert_eq!(breaker(&world.exchange).map(|(state, _)| state).as_deref(), Some("open"));
    assert_eq!(flaky.stop().successful, 3);
    // It works again: the next trial shows it.
    let _works = Sipp::scenario(UAS, carriers[0]).start();
    world.exchange.eventually("the second, longer rest is over", |exchange| {
        breaker(exchange).filter(|(state, _)| state == "half-open")
    });
    assert_eq!(through(&mut world), ["flaky"]);
    assert_eq!(breaker(&world.exchange), Some(("closed".into(), None)));
}
