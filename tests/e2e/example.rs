//! A world of `examples/` among telephones: its own configuration with other addresses and, where a test can't wait for a
//! day or a minute, another value; customers and mobiles behind its carrier; agents under the names that it has.

use std::fs;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use serde_json::Value;
use tests::exchange::{Exchange, TOKEN};
use tests::net::{Net, SIP_PORT};
use tests::pjsua::{Account, Pjsua, Setup};
use tests::sipp::Sipp;
use tests::speech::SpeechServer;

use crate::world::SOON;

/// What the examples' own addresses are.
const LISTENS: &str = "127.0.0.1:5062";
const CARRIER: &str = "127.0.0.3";

/// What is changed in an example's files: a text that is there, and what stands there instead.
pub type Edit<'a> = (&'a str, &'a str);

/// A running example.
pub struct Example {
    pub exchange: Exchange,
    /// What callers hear besides people and recordings.
    pub speech: SpeechServer,
    net: Net,
    tenant: String,
    password: String,
    carrier: Ipv4Addr,
    /// Ports of customers at the carrier.
    next_port: AtomicU16,
}

impl Example {
    /// Starts the example of this name for its tenant, whose users have one password. Panics when a text to be changed
    /// is not in any of its files.
    pub fn start(name: &str, tenant: &str, password: &str, edits: &[Edit]) -> Self {
        let net = Net::new();
        let (ip, carrier) = (net.host(), net.host());
        let speech = SpeechServer::start(net.sip());
        let ours = [
            (format!("udp:{LISTENS}"), format!("udp:{ip}:{SIP_PORT}")),
            ("[media]\n".to_owned(), format!("[media]\nlisten = \"{ip}\"\n")),
            ("127.0.0.1:8462".to_owned(), format!("{ip}:8080")),
            ("\"try-me\"".to_owned(), format!("\"{TOKEN}\"")),
            ("domains = [\"127.0.0.1\"]".to_owned(), format!("domains = [\"{ip}\"]")),
            (CARRIER.to_owned(), carrier.to_string()),
            ("[http]\n".to_owned(), format!("{}[http]\n", speech.section())),
        ];
        let mut files = files(name);
        for (from, to) in ours.iter().map(|(from, to)| (&**from, &**to)).chain(edits.iter().copied()) {
            let mut there = false;
            for (_, text) in &mut files {
                there |= text.contains(from);
                *text = text.replace(from, to);
            }
            assert!(there, "examples/{name} does not say {from:?} any more");
        }
        let texts: Vec<(&str, &str)> = files.iter().map(|(name, text)| (&**name, &**text)).collect();
        Self {
            exchange: Exchange::with(ip, tenant, &texts),
            speech,
            net,
            tenant: tenant.into(),
            password: password.into(),
            carrier,
            next_port: AtomicU16::new(SIP_PORT + 10),
        }
    }

    /// A URI at the exchange.
    pub fn uri(&self, number: &str) -> String {
        format!("sip:{number}@{}", self.exchange.ip())
    }

    /// A user's telephone, registered.
    pub fn phone(&self, user: &str, hz: f64) -> Pjsua {
        let mut phone = Pjsua::start(self.net.sip(), hz);
        let domain = self.exchange.ip().to_string();
        let account = Account { domain: &domain, server: &domain, user, password: &self.password };
        assert_eq!(phone.register(account), 200, "{user} registers");
        phone
    }

    /// A customer who calls from the outside under a number.
    pub fn customer(&self, number: &str, hz: f64) -> Pjsua {
        let at = SocketAddrV4::new(self.carrier, self.next_port.fetch_add(10, Ordering::Relaxed));
        Pjsua::with(at, hz, Setup { number: Some(number), ..Setup::default() })
    }

    /// Whatever is called through the carrier: one telephone for all numbers.
    pub fn outside(&self, hz: f64) -> Pjsua {
        Pjsua::start(SocketAddrV4::new(self.carrier, SIP_PORT), hz)
    }

    /// The same as a sipp, for many calls at once.
    pub fn carrier_plays(&self, scenario: &str) -> Sipp {
        Sipp::scenario(scenario, SocketAddrV4::new(self.carrier, SIP_PORT))
    }

    /// A customer whose sound does not matter: a sipp that is still to be told how many.
    pub fn calls(&self, scenario: &str, number: &str, from: &str) -> Sipp {
        let at = SocketAddrV4::new(self.carrier, self.next_port.fetch_add(10, Ordering::Relaxed));
        Sipp::scenario(scenario, at).to(self.exchange.sip()).service(number).word("from", from)
    }

    /// Waits until the exchange had these words spoken.
    #[track_caller]
    pub fn hears(&mut self, language: &str, words: &str) {
        if !self.speech.speaks(language, words, SOON) {
            let log = &mut self.exchange.process().lines;
            log.running(Duration::ZERO);
            log.fail(&format!(
                "never said \"{words}\" in {language}, but\n  {}\n",
                self.speech.heard().join("\n  ")
            ));
        }
    }

    /// A queue as it is now.
    pub fn queue(&self, name: &str) -> Value {
        self.exchange.get(&format!("/tenants/{}/queues/{name}", self.tenant))
    }

    /// Waits until so many callers are in line.
    #[track_caller]
    pub fn wait_for_line(&mut self, queue: &str, callers: usize) {
        let path = format!("/tenants/{}/queues/{queue}", self.tenant);
        self.exchange.eventually(&format!("{callers} callers in line"), |exchange| {
            (exchange.get(&path)["waiting"].as_array().map(Vec::len) == Some(callers)).then_some(())
        });
    }

    /// Waits until an agent is in a state; answers the agent.
    #[track_caller]
    pub fn wait_for_state(&mut self, agent: &str, state: &str) -> Value {
        let path = format!("/tenants/{}/agents/{agent}", self.tenant);
        self.exchange.eventually(&format!("{agent} {state}"), |exchange| {
            let agent = exchange.get(&path);
            (agent["state"] == state).then_some(agent)
        })
    }
}

/// The edit by which a calendar's first rule says that this scheme counts on every day.
pub fn always(calendar: &str, scheme: &str) -> (String, String) {
    let begins = format!("  name = \"{calendar}\"\n  default = \"closed\"\n");
    let rule = "    [[tenant.calendar.rule]]\n    rrule = \"FREQ=DAILY\"\n    start = \"2024-01-01\"\n";
    let edited = format!("{begins}{rule}    scheme = \"{scheme}\"\n");
    (begins, edited)
}

/// Lets a customer and whoever has just answered talk for long enough to be heard.
#[track_caller]
pub fn talk(customer: &mut Pjsua, answers: &mut Pjsua) {
    answers.confirmed(SOON);
    customer.talk(Duration::from_secs(2));
}

/// An example's folder.
pub fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples").join(name)
}

/// The files of an example's configuration, by name.
fn files(name: &str) -> Vec<(String, String)> {
    let entries = fs::read_dir(folder(name)).expect("the example is there");
    let paths = entries.map(|entry| entry.expect("the example can be read").path());
    let configured = paths.filter(|path| {
        path.extension().is_some_and(|kind| ["toml", "ics", "csv"].iter().any(|k| kind == *k))
    });
    configured
        .map(|path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            (name, fs::read_to_string(&path).expect("the example can be read"))
        })
        .collect()
}
