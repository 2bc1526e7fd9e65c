//! The world that most tests happen in: the demo's users and numbers under known passwords, and a carrier.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use serde_json::Value;
use tests::baresip::Baresip;
use tests::exchange::{Exchange, config_with, guest};
use tests::net::{Net, SIP_PORT};
use tests::pjsua::{Account, Pjsua, Setup};
use tests::sipp::{Sipp, UAC, UAC_LISTENS};
use tests::sound::tone_wav;

/// For whatever takes a few round trips.
pub const SOON: Duration = Duration::from_secs(15);
/// For what takes as long as a caller's patience.
pub const LATER: Duration = Duration::from_secs(40);

/// The menu's greeting is a tone.
pub const GREETING_HZ: f64 = 1500.0;

/// The users, as name, extension and password.
pub const USERS: [(&str, &str, &str); 3] =
    [("ana", "101", "ana-secret"), ("boris", "102", "boris-secret"), ("vera", "103", "vera-secret")];

/// An exchange with the demo's numbers, and a carrier that may call them.
pub struct World {
    pub net: Net,
    pub exchange: Exchange,
    /// Where calls of the carrier come from, and where those to the outside go.
    pub carrier: SocketAddrV4,
    /// Ports of customers at the carrier's address.
    next_port: AtomicU16,
}

impl World {
    pub fn new() -> Self {
        Self::with(|_| String::new())
    }

    /// With more in the tenant: TOML that begins a subsection of `[[tenant]]`.
    pub fn with(more: impl FnOnce(&Net) -> String) -> Self {
        Self::listening(|net, _| (Vec::new(), String::new(), more(net)))
    }

    /// With more addresses to listen on, more in `[sip]` and more in the tenant, by the network and the exchange's
    /// address.
    pub fn listening(more: impl FnOnce(&Net, Ipv4Addr) -> (Vec<String>, String, String)) -> Self {
        let net = Net::new();
        let (ip, carrier) = (net.host(), net.sip());
        let (listen, sip, more) = more(&net, ip);
        let tenants = tenants(&ip.to_string(), carrier, &more);
        let files = [("strowger.toml", &*config_with(ip, &listen, &sip, &tenants))];
        let exchange = Exchange::with(ip, "demo", &files);
        // What 700 says.
        exchange.keep_prompt("greeting", tone_wav(GREETING_HZ, Duration::from_secs(1)));
        Self { net, exchange, carrier, next_port: AtomicU16::new(SIP_PORT + 10) }
    }

    /// A URI at the exchange.
    pub fn uri(&self, number: &str) -> String {
        format!("sip:{number}@{}", self.exchange.ip())
    }

    /// A pjsua2 telephone, registered for a user.
    pub fn pjsua(&self, user: &str, hz: f64) -> Pjsua {
        self.pjsua_with(user, hz, Setup::default())
    }

    pub fn pjsua_with(&self, user: &str, hz: f64, setup: Setup) -> Pjsua {
        let mut phone = Pjsua::with(self.net.sip(), hz, setup);
        assert_eq!(self.register(&mut phone, user, password(user)), 200, "{user} registers");
        phone
    }

    /// Registers a telephone, and answers the final status.
    pub fn register(&self, phone: &mut Pjsua, user: &str, password: &str) -> u64 {
        let domain = self.exchange.ip().to_string();
        phone.register(Account { domain: &domain, server: &domain, user, password })
    }

    /// A baresip, registered for a user. `more` is added to its account: `;audio_codecs=PCMU`.
    pub fn baresip(&self, user: &str, hz: f64, more: &str) -> Baresip {
        let (ip, password) = (self.exchange.ip(), password(user));
        let account = format!("<sip:{user}@{ip}>;auth_user={user};auth_pass={password};regint=60{more}");
        let mut phone = Baresip::start(self.net.sip(), &account, hz);
        phone.event("REGISTER_OK", SOON);
        phone
    }

    /// Calls from the carrier: a sipp that is still to be told how many.
    pub fn carrier_calls(&self, number: &str) -> Sipp {
        self.carrier_plays(UAC, number)
    }

    /// Calls from the carrier that last until someone else hangs up.
    pub fn patient_calls(&self, number: &str) -> Sipp {
        self.carrier_plays(UAC_LISTENS, number)
    }

    /// A customer who calls from the outside under a number, beside others.
    pub fn customer(&self, number: &str, hz: f64) -> Pjsua {
        Pjsua::with(self.beside_carrier(), hz, Setup { number: Some(number), ..Setup::default() })
    }

    /// The same where sound does not matter: a sipp of this scenario, one call.
    pub fn caller(&self, scenario: &str, from: &str, number: &str) -> Sipp {
        let sipp = Sipp::scenario(scenario, self.beside_carrier()).to(self.exchange.sip());
        sipp.service(number).word("from", from).calls(1, 1)
    }

    fn beside_carrier(&self) -> SocketAddrV4 {
        SocketAddrV4::new(*self.carrier.ip(), self.next_port.fetch_add(10, Ordering::Relaxed))
    }

    pub fn carrier_plays(&self, scenario: &str, number: &str) -> Sipp {
        Sipp::scenario(scenario, self.carrier)
            .to(self.exchange.sip())
            .service(number)
            .word("from", "+359888123456")
    }
}

pub fn password(user: &str) -> &'static str {
    USERS.iter().find(|(name, ..)| *name == user).expect("a user of the demo").2
}

/// What a script marked a call with.
pub fn mark<'c>(call: &'c Value, key: &str) -> Option<&'c str> {
    let tags = call["tags"].as_array().into_iter().flatten();
    tags.filter(|tag| tag["key"] == key).find_map(|tag| tag["value"].as_str())
}

/// The tenant as TOML. Scripts rest as soon as they may, so that every test of a longer call is one of that, too.
pub fn tenants(domain: &str, carrier: SocketAddrV4, more: &str) -> String {
    let users: String = USERS
        .iter()
        .map(|(name, number, password)| {
            format!("  [[tenant.user]]\n  name = \"{name}\"\n  number = \"{number}\"\n  password = \"{password}\"\n")
        })
        .collect();
    let scripts: String = ["behave", "trap", "spin", "bomb", "flood"]
        .iter()
        .map(|name| {
            format!("  [[tenant.script]]\n  name = \"{name}\"\n  file = \"{}\"\n", guest(name).display())
        })
        .collect();
    format!(
        r#"
[[tenant]]
name = "demo"
domains = ["{domain}"]
  [tenant.limits]
  calls_per_second = 200
  host_calls = 1000
  script_rest = "1 s"
  [[tenant.group]]
  name = "all"
  members = ["ana", "boris", "vera"]
  [[tenant.script]]
  name = "mine"
{scripts}  [[tenant.number]]
  number = "700"
  script = "strowger/menu"
  settings = {{ menu = {{ prompts = ["greeting"], choices = {{ 1 = {{ ring = {{ places = ["ana"] }} }}, 2 = {{ ring = {{ places = ["boris"] }} }} }} }} }}
  fallback = ["user:ana"]
  [[tenant.number]]
  number = "701"
  script = "strowger/ring"
  settings = {{ places = ["group:all"] }}
  fallback = ["user:ana"]
  [[tenant.number]]
  number = "702"
  script = "strowger/echo"
  [[tenant.number]]
  number = "703"
  script = "mine"
  fallback = ["user:ana"]
  [[tenant.trunk]]
  name = "carrier"
  address = "sip:{carrier}"
  inbound_from = ["{carrier_ip}/32"]
  probe = 0
{users}{more}"#,
        carrier_ip = carrier.ip(),
        scripts = scripts,
    )
}
