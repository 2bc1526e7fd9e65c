//! SIP over TLS with telephones and a carrier: who is believed, who is not, and a certificate that is renewed.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use serde_json::Value;
use tests::certificates::{Authority, Issued, shown};
use tests::exchange::Exchange;
use tests::kamailio::{self, Between};
use tests::net::Net;
use tests::pjsua::{Account, Pjsua, Setup};

use crate::world::{LATER, SOON, World, password};

const A_WHILE: Duration = Duration::from_secs(2);
const A_SECOND: Duration = Duration::from_secs(1);

/// An exchange that shows a certificate of `authority` for its address, with more in `[sip]` and in its tenant.
pub fn world(
    authority: &Authority,
    sip: &str,
    more: impl FnOnce(&Net, Ipv4Addr) -> String,
) -> (World, Issued) {
    let mut pair = None;
    let world = World::listening(|net, ip| {
        let issued = authority.issue("exchange", &[format!("IP:{ip}"), "DNS:pbx.example".into()]);
        let sip = format!("{sip}  [sip.tls]\n  {}\n", issued.toml("\n  "));
        pair = Some(issued);
        (vec![format!("tls:{ip}:5061")], sip, more(net, ip))
    });
    (world, pair.expect("it was issued"))
}

fn plain(_: &Net, _: Ipv4Addr) -> String {
    String::new()
}

/// Where TLS is spoken.
fn server(world: &World) -> String {
    format!("{}:5061", world.exchange.ip())
}

pub fn uri(world: &World, number: &str) -> String {
    format!("sip:{number}@{}", server(world))
}

fn register(world: &World, phone: &mut Pjsua, user: &str) -> u64 {
    let domain = world.exchange.ip().to_string();
    phone.register(Account { domain: &domain, server: &server(world), user, password: password(user) })
}

fn phone(world: &World, user: &str, hz: f64, authority: &Authority) -> Pjsua {
    phone_with(world, user, hz, authority, Setup::default())
}

pub fn phone_with(world: &World, user: &str, hz: f64, authority: &Authority, setup: Setup) -> Pjsua {
    let file = authority.file();
    let mut phone = Pjsua::with(world.net.sip(), hz, Setup { tls: Some(&file), ..setup });
    assert_eq!(register(world, &mut phone, user), 200, "{user} registers");
    phone
}

/// ana, on TLS with a tone of 440 Hz, calls boris, on UDP with one of 600 Hz, and holds him for a moment; then he calls
/// her. Both hear each other.
pub fn call_each_other(world: &World, mut ana: Pjsua, mut boris: Pjsua) {
    ana.call(&uri(world, "102"));
    boris.event("ringing", SOON);
    boris.answer();
    ana.confirmed(SOON);
    ana.talk(A_WHILE);
    ana.hold();
    while ana.event("media", SOON)["active"] == true {}
    ana.resume();
    while ana.event("media", SOON)["active"] == false {}
    ana.talk(A_SECOND);
    boris.hang_up();
    ana.disconnected(SOON);
    boris.disconnected(SOON);

    boris.call(&world.uri("101"));
    ana.event("ringing", SOON);
    ana.answer();
    boris.confirmed(SOON);
    boris.talk(A_WHILE);
    ana.hang_up();
    boris.disconnected(SOON);
    boris.heard().assert_tone(440.0, A_WHILE);
    ana.heard().assert_tone(600.0, A_WHILE);
}

/// How many connections have ended so.
fn ended(exchange: &Exchange, why: &str) -> u64 {
    let metrics = exchange.metrics();
    let label = format!("why=\"{why}\"");
    let lines =
        metrics.lines().filter(|line| line.contains("sip_connections_ended") && line.contains(&label));
    lines.filter_map(|line| line.rsplit_once(' ')?.1.parse::<u64>().ok()).sum()
}

#[test]
fn a_telephone_on_tls_calls_and_is_called_with_sound_both_ways() {
    let authority = Authority::new();
    let (world, _) = world(&authority, "", plain);
    let ana = phone(&world, "ana", 440.0, &authority);
    let boris = world.pjsua("boris", 600.0);
    let users = world.exchange.get("/tenants/demo/users");
    let contact = &users["users"].as_array().expect("users")[0]["contacts"][0];
    assert_eq!(contact["transport"], "tls", "{users}");

    call_each_other(&world, ana, boris);
}

#[test]
fn who_believes_another_authority_does_not_register() {
    let (ours, another) = (Authority::new(), Authority::new());
    let (mut world, _) = world(&ours, "", plain);
    let setup = Setup { tls: Some(&another.file()), ..Setup::default() };
    let mut ana = Pjsua::with(world.net.sip(), 440.0, setup);
    assert_ne!(register(&world, &mut ana, "ana"), 200);
    world.exchange.eventually("a handshake that failed", |exchange| {
        (ended(exchange, "handshake") + ended(exchange, "by-peer") > 0).then_some(())
    });
    let users = world.exchange.get("/tenants/demo/users");
    assert_eq!(users["users"][0]["contacts"], Value::Array(Vec::new()), "{users}");
}

#[test]
fn a_renewed_certificate_is_shown_to_who_comes_next_and_a_call_goes_on() {
    let (old, new) = (Authority::new(), Authority::new());
    let (mut world, in_force) = world(&old, "", plain);
    let mut ana = phone(&world, "ana", 440.0, &old);
    let mut boris = world.pjsua("boris", 600.0);
    ana.call(&uri(&world, "102"));
    boris.event("ringing", SOON);
    boris.answer();
    ana.confirmed(SOON);

    let ip = world.exchange.ip();
    let renewed = new.issue("renewed", &[format!("IP:{ip}"), "DNS:renewed.example".into()]);
    renewed.replace(&in_force);
    let at = server(&world);
    world.exchange.eventually("the renewed certificate", |_| {
        shown(&at, None).contains("DNS:renewed.example").then_some(())
    });
    let _vera = phone(&world, "vera", 500.0, &new);

    ana.talk(A_SECOND);
    boris.hang_up();
    ana.disconnected(SOON);
    ana.call(&uri(&world, "102"));
    boris.event("ringing", SOON);
    boris.refuse(486);
    assert_eq!(ana.disconnected(SOON), 486, "its connection is as it was");
    ana.heard().assert_tone(600.0, A_SECOND);
}

#[test]
fn rfc6066_3_a_tenant_with_a_certificate_of_its_own_shows_it_for_its_domains() {
    let (ours, tenants) = (Authority::new(), Authority::new());
    let bells = tenants.issue("bell", &["DNS:sip.bell.example".into()]);
    let (world, _) = world(&ours, "", |_, _| {
        format!(
            "[[tenant]]\nname = \"bell\"\ndomains = [\"sip.bell.example\"]\ntls = {{ {} }}\n",
            bells.toml(", ")
        )
    });
    let at = server(&world);
    assert!(shown(&at, Some("sip.bell.example")).contains("DNS:sip.bell.example"));
    assert!(shown(&at, Some("SIP.Bell.example")).contains("DNS:sip.bell.example"));
    assert!(shown(&at, Some("elsewhere.example")).contains("DNS:pbx.example"));
    assert!(shown(&at, None).contains("DNS:pbx.example"));
}

const RINGS: &str = "  [[tenant.number]]\n  number = \"900\"\n  script = \"behave\"\n  \
                     settings = { does = \"ring\", number = \"+35921110000\" }\n";

/// A carrier on TLS, and what the exchange is told of it.
pub struct Carrier {
    at: SocketAddrV4,
    pair: Issued,
    pub toml: String,
}

impl Carrier {
    /// `authority` issues its certificate for the names `shows`; the exchange expects `expects` by `believed`.
    pub fn new(
        net: &Net,
        authority: &Authority,
        shows: &str,
        expects: &str,
        believed: &Authority,
        ours: &Issued,
    ) -> Self {
        let at = SocketAddrV4::new(net.host(), 5061);
        let pair = authority.issue("carrier", &[shows.to_owned()]);
        let toml = format!(
            "{RINGS}  [[tenant.trunk]]\n  name = \"secured\"\n  address = \"sip:{at};transport=tls\"\n  probe = 0\n  \
             tls = {{ ca = {:?}, name = \"{expects}\", accept = [\"{expects}\"], {} }}\n",
            believed.file(),
            ours.toml(", ")
        );
        Self { at, pair, toml }
    }

    /// Its telephone exchange, where whoever calls has to show a certificate of `authority`.
    pub fn start(&self, authority: &Authority, setup: Setup) -> Pjsua {
        let file = authority.file();
        let (tls, shows, number) = (Some(&*file), Some(&self.pair), Some("+35921110000"));
        Pjsua::with(self.at, 700.0, Setup { tls, shows, number, ..setup })
    }
}

/// How a call from a user to the outside ends over a carrier like this: its record.
fn call_out(shows: &str, expects: &str, by_another: bool) -> (Value, Option<Pjsua>) {
    let (ours, another) = (Authority::new(), Authority::new());
    let mut carrier = None;
    let (mut world, _) = world(&ours, "", |net, _| {
        let issuer = if by_another { &another } else { &ours };
        let shown = ours.issue("us", &["DNS:pbx.example".into()]);
        let made = Carrier::new(net, issuer, shows, expects, &ours, &shown);
        let toml = made.toml.clone();
        carrier = Some(made);
        toml
    });
    // The first trunk is a carrier that is not there.
    let carrier = carrier.expect("it was made");
    let mut called = carrier.start(&ours, Setup::default());
    let mut ana = phone(&world, "ana", 440.0, &ours);
    ana.call(&uri(&world, "900"));
    let good = !by_another && shows.ends_with(expects);
    if good {
        called.event("ringing", LATER);
        called.answer();
        ana.confirmed(SOON);
        ana.talk(A_WHILE);
        called.hang_up();
        called.disconnected(SOON);
        ana.disconnected(SOON);
        ana.heard().assert_tone(700.0, A_SECOND);
    } else {
        ana.disconnected(LATER);
    }
    (world.exchange.calls(1).remove(0), good.then_some(called))
}

#[test]
fn rfc5922_7_a_carrier_that_proves_its_domain_by_our_authority_gets_the_call() {
    let (call, called) = call_out("DNS:sip.carrier.example", "sip.carrier.example", false);
    assert_eq!(call["outcome"], "answered", "{call}");
    called.expect("it was called").heard().assert_tone(440.0, A_SECOND);
}

#[test]
fn rfc5922_7_1_a_sip_uri_in_the_certificate_names_the_domain() {
    let (call, _) = call_out("URI:sip:carrier.example", "carrier.example", false);
    assert_eq!(call["outcome"], "answered", "{call}");
}

#[test]
fn a_carrier_with_a_certificate_of_another_authority_gets_no_call() {
    let (call, _) = call_out("DNS:sip.carrier.example", "sip.carrier.example", true);
    assert_ne!(call["outcome"], "answered", "{call}");
}

#[test]
fn rfc5922_7_2_a_wildcard_matches_no_domain() {
    let (call, _) = call_out("DNS:*.carrier.example", "sip.carrier.example", false);
    assert_ne!(call["outcome"], "answered", "{call}");
}

/// Connections over TLS that are up.
fn connections(exchange: &Exchange) -> u64 {
    let metrics = exchange.metrics();
    let wanted = "strowger_sip_connections{transport=\"tls\"} ";
    let count = metrics.lines().find_map(|line| line.strip_prefix(wanted));
    count.map_or(0, |count| count.parse().expect("a count"))
}

/// A Kamailio that shows a certificate for the name `shows` and is expected to show one for sip.carrier.example, with its
/// customer's telephone behind it.
fn kamailio_that_shows(shows: &str) -> (World, kamailio::Kamailio, Pjsua, Authority) {
    let ours = Authority::new();
    let mut made = None;
    let (world, _) = world(&ours, "", |net, _| {
        let shown = ours.issue("us", &["DNS:pbx.example".into()]);
        let carrier = Carrier::new(net, &ours, &format!("DNS:{shows}"), "sip.carrier.example", &ours, &shown);
        let (toml, customer) = (carrier.toml.clone(), net.sip());
        made = Some((carrier, customer));
        toml
    });
    let (carrier, customer) = made.expect("it was made");
    let setup = Setup { number: Some("+35921110000"), ..Setup::default() };
    let telephone = Pjsua::with(customer, 700.0, setup);
    let exchange = SocketAddrV4::new(world.exchange.ip(), 5061);
    let between = Between { customer, exchange, authority: &ours.file(), shows: &carrier.pair };
    let kamailio = kamailio::start_carrier(carrier.at, between);
    (world, kamailio, telephone, ours)
}

#[test]
fn rfc5923_5_a_carrier_that_is_a_kamailio_gets_and_sends_calls_on_one_connection() {
    let (mut world, kamailio, mut customer, _authority) = kamailio_that_shows("sip.carrier.example");
    let mut ana = world.pjsua("ana", 440.0);
    ana.call(&world.uri("900"));
    customer.event("ringing", LATER);
    customer.answer();
    ana.confirmed(SOON);
    ana.talk(A_WHILE);
    customer.hang_up();
    customer.disconnected(SOON);
    ana.disconnected(SOON);
    assert_eq!(connections(&world.exchange), 1);

    customer.call(&format!("sip:701@{}", kamailio.at().ip()));
    ana.event("ringing", SOON);
    ana.answer();
    customer.confirmed(SOON);
    customer.talk(A_WHILE);
    ana.hang_up();
    ana.disconnected(SOON);
    customer.disconnected(SOON);
    assert_eq!(connections(&world.exchange), 1, "ours says alias, so it carries its calls too");
    ana.heard().assert_tone(700.0, A_WHILE);
    customer.heard().assert_tone(440.0, A_WHILE);
    let calls = world.exchange.calls(2);
    let direction = |call: &Value| call["direction"].as_str().unwrap_or_default().to_owned();
    assert!(calls.iter().any(|call| direction(call) == "inbound"), "{calls:?}");
}

#[test]
fn rfc5922_7_1_a_kamailio_that_shows_another_name_gets_no_call_and_sends_none() {
    let (mut world, kamailio, mut customer, _authority) = kamailio_that_shows("other.example");
    let mut ana = world.pjsua("ana", 440.0);
    ana.call(&world.uri("900"));
    ana.disconnected(LATER);
    let call = world.exchange.calls(1).remove(0);
    assert_ne!(call["outcome"], "answered", "{call}");
    customer.call(&format!("sip:701@{}", kamailio.at().ip()));
    let refused = customer.disconnected(SOON);
    assert!(refused == 401 || refused == 403, "{refused}");
}

#[test]
fn a_carrier_is_known_by_its_certificate_wherever_it_calls_from() {
    let (ours, another) = (Authority::new(), Authority::new());
    let mut carrier = None;
    let (mut world, _) = world(&ours, "", |net, _| {
        let shown = ours.issue("us", &["DNS:pbx.example".into()]);
        let name = "sip.carrier.example";
        let made = Carrier::new(net, &ours, &format!("DNS:{name}"), name, &ours, &shown);
        let toml = made.toml.clone();
        carrier = Some(made);
        toml
    });
    let carrier = carrier.expect("it was made");
    let mut boris = world.pjsua("boris", 600.0);
    let calls = |pair: &Issued, made: &World| {
        let setup = Setup {
            tls: Some(&ours.file()),
            shows: Some(pair),
            number: Some("+359888123456"),
            ..Setup::default()
        };
        let mut caller = Pjsua::with(made.net.sip(), 440.0, setup);
        caller.call(&uri(made, "701"));
        caller
    };
    // Another authority vouches for the same name: nobody's carrier, so a password is asked for.
    let stranger = another.issue("stranger", &["DNS:sip.carrier.example".into()]);
    let refused = calls(&stranger, &world).disconnected(SOON);
    assert!(refused == 401 || refused == 403, "{refused}");
    // The right authority, and another name.
    let somebody = ours.issue("somebody", &["DNS:somebody.example".into()]);
    let refused = calls(&somebody, &world).disconnected(SOON);
    assert!(refused == 401 || refused == 403, "{refused}");

    let mut caller = calls(&carrier.pair, &world);
    boris.event("ringing", SOON);
    boris.answer();
    caller.confirmed(SOON);
    caller.talk(A_SECOND);
    boris.hang_up();
    caller.disconnected(SOON);
    let calls = world.exchange.calls(1);
    assert_eq!(calls.len(), 1, "{calls:?}");
    assert_eq!((&calls[0]["outcome"], &calls[0]["direction"]), (&"answered".into(), &"inbound".into()));
}
