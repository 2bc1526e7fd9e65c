//! Finding the servers of a domain (RFC 3263 §4.1, §4.2; RFC 2782 for the order of SRV records; RFC 7118 §8 for
//! WebSocket): which question to ask next, and in which order to try what was found. Questions are asked, cached and
//! limited in time elsewhere; so is trying one place after the other (§4.3).

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};

use super::flow::Transport;
use super::uri::SipUri;

/// Places found for one target; more are not tried.
pub const MAX_PLACES: usize = 16;
/// Questions asked for one target; with more its zone is no one's that wants to be found.
pub const MAX_QUESTIONS: usize = 24;

/// Who is to be reached: what a URI says of it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Target {
    /// A name, or an address without brackets.
    pub host: String,
    /// The port, if the URI says one.
    pub port: Option<u16>,
    /// The transport, if the URI says one.
    pub transport: Option<Transport>,
    /// `sips:`.
    pub secure: bool,
}

impl Target {
    /// Whom a URI names.
    pub fn of(uri: &SipUri) -> Self {
        let host = uri.host.ip().map_or_else(|| uri.host.as_str().to_ascii_lowercase(), |ip| ip.to_string());
        let said = uri.params.has("transport");
        Self { host, port: uri.port, transport: uri.transport().filter(|_| said), secure: uri.secure }
    }
}

/// What to ask the DNS.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Question {
    /// NAPTR of a domain (RFC 3403).
    Naptr(String),
    /// SRV of a service (RFC 2782): `_sip._tcp.example.com`.
    Srv(String),
    /// A and AAAA of a host, whichever can be reached from here.
    Address(String),
}

/// What the DNS says; no records and no answer are the same here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Records {
    /// In any order.
    Naptr(Vec<Naptr>),
    /// In any order.
    Srv(Vec<Srv>),
    /// In the order in which they are to be tried.
    Address(Vec<IpAddr>),
}

/// One NAPTR record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Naptr {
    /// Tried by rising order.
    pub order: u16,
    /// Among equals by rising preference.
    pub preference: u16,
    /// `s` for those that lead to SRV records; others are not for us.
    pub flags: String,
    /// `SIP+D2U`, `SIPS+D2T` ...
    pub service: String,
    /// The name of the SRV records.
    pub replacement: String,
}

/// One SRV record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Srv {
    /// Tried by rising priority.
    pub priority: u16,
    /// Among equals, the share of the tries that it gets first.
    pub weight: u16,
    /// Where it listens.
    pub port: u16,
    /// Its host; `.` says that there is no such service.
    pub target: String,
}

/// Asks its way to the places of one target: [`question`](Locate::question), then [`answer`](Locate::answer), until there is no
/// question more.
#[derive(Debug)]
pub struct Locate {
    target: Target,
    /// What this side speaks.
    can: Vec<Transport>,
    /// What to do, in the order of preference: the first step is the one that is asked about.
    steps: VecDeque<Step>,
    places: Vec<(Transport, SocketAddr)>,
    asked: usize,
    chance: u64,
}

#[derive(Debug)]
enum Step {
    Naptr,
    /// `else_host`: where the service has no records, the host itself is tried.
    Srv {
        transport: Transport,
        name: String,
        else_host: bool,
    },
    Address {
        transport: Transport,
        name: String,
        port: u16,
    },
    /// §4.1 and §4.2, at the end: with neither NAPTR nor SRV records the host itself is tried.
    Itself,
}

impl Locate {
    /// `can`: what this side speaks. `seed`: the same one gives the same order.
    pub fn new(target: Target, can: &[Transport], seed: u64) -> Self {
        let mut locate = Self {
            can: can.to_vec(),
            steps: VecDeque::new(),
            places: Vec::new(),
            asked: 0,
            chance: seed,
            target,
        };
        locate.begin();
        locate
    }

    fn begin(&mut self) {
        let Target { host, port, transport, secure } = self.target.clone();
        // §4.1: what is said is taken; an address or a port leaves nothing to ask about the transport.
        let usual = if secure { Transport::Tls } else { Transport::Udp };
        let name = host.trim_end_matches('.').to_owned();
        match (host.parse::<IpAddr>(), port, transport) {
            (Ok(ip), port, transport) => {
                let transport = transport.unwrap_or(usual);
                self.found(transport, ip, port.unwrap_or(transport.default_port()));
            }
            // §4.2: with a port the host has addresses.
            (Err(_), Some(port), transport) => {
                self.steps.push_back(Step::Address { transport: transport.unwrap_or(usual), name, port });
            }
            (Err(_), None, Some(transport)) => {
                let name = service(transport, secure, &name);
                self.steps.push_back(Step::Srv { transport, name, else_host: true });
            }
            (Err(_), None, None) => self.steps.push_back(Step::Naptr),
        }
    }

    /// The next question; none when all is known.
    pub fn question(&mut self) -> Option<Question> {
        loop {
            let name = self.target.host.trim_end_matches('.');
            match self.steps.front()? {
                _ if self.asked >= MAX_QUESTIONS || self.places.len() >= MAX_PLACES => {
                    self.steps.clear();
                    return None;
                }
                Step::Itself if !self.places.is_empty() => drop(self.steps.pop_front()),
                Step::Itself => {
                    let transport = if self.target.secure { Transport::Tls } else { Transport::Udp };
                    let step =
                        Step::Address { transport, name: name.to_owned(), port: transport.default_port() };
                    self.steps[0] = step;
                }
                Step::Naptr => return Some(Question::Naptr(name.to_owned())),
                Step::Srv { name, .. } => return Some(Question::Srv(name.clone())),
                Step::Address { name, .. } => return Some(Question::Address(name.clone())),
            }
        }
    }

    /// What is known about the question asked last.
    pub fn answer(&mut self, records: Records) {
        let Some(step) = self.steps.pop_front() else { return };
        self.asked += 1;
        match (step, records) {
            (Step::Naptr, records) => self.services(match records {
                Records::Naptr(records) => records,
                _ => Vec::new(),
            }),
            (Step::Srv { transport, else_host, .. }, records) => {
                let records = match records {
                    Records::Srv(records) => records,
                    _ => Vec::new(),
                };
                let before = self.target.host.trim_end_matches('.').to_owned();
                if records.is_empty() && else_host {
                    let port = transport.default_port();
                    self.steps.push_front(Step::Address { transport, name: before, port });
                    return;
                }
                let ordered = self.ordered(records);
                let steps = ordered.into_iter().filter(|srv| srv.target != "." && srv.port != 0);
                for Srv { port, target, .. } in steps.rev() {
                    let name = target.trim_end_matches('.').to_owned();
                    self.steps.push_front(Step::Address { transport, name, port });
                }
            }
            (Step::Address { transport, port, .. }, Records::Address(addresses)) => {
                addresses.into_iter().for_each(|ip| self.found(transport, ip, port));
            }
            _ => {}
        }
    }

    /// The places to try, in this order, as far as they are known.
    pub fn places(&self) -> &[(Transport, SocketAddr)] {
        &self.places
    }

    fn found(&mut self, transport: Transport, ip: IpAddr, port: u16) {
        let place = (transport, SocketAddr::new(ip, port));
        if self.places.len() < MAX_PLACES && !self.places.contains(&place) {
            self.places.push(place);
        }
    }

    /// §4.1: the services that both sides have, as the domain prefers them; without NAPTR records all that this side
    /// has are asked for.
    fn services(&mut self, mut records: Vec<Naptr>) {
        records.sort_by_key(|record| (record.order, record.preference));
        let secure = self.target.secure;
        let host = self.target.host.trim_end_matches('.').to_owned();
        for Naptr { flags, service, replacement, .. } in &records {
            let named = SERVICES.iter().find(|(known, ..)| known.eq_ignore_ascii_case(service));
            let Some((_, transport, is_secure)) = named else { continue };
            // A SIPS URI goes over nothing else.
            if flags.eq_ignore_ascii_case("s") && (*is_secure || !secure) && self.can.contains(transport) {
                let name = replacement.trim_end_matches('.').to_owned();
                self.steps.push_back(Step::Srv { transport: *transport, name, else_host: false });
            }
        }
        if self.steps.is_empty() {
            let order = [Transport::Tls, Transport::Tcp, Transport::Udp];
            // UDP first where nothing has to be secured: it is what every server of SIP speaks.
            let wanted =
                order.into_iter().rev().filter(|t| self.can.contains(t) && (!secure || t.is_secure()));
            let steps = wanted.map(|transport| {
                let name = self::service(transport, secure, &host);
                Step::Srv { transport, name, else_host: false }
            });
            self.steps.extend(steps.collect::<Vec<_>>());
        }
        self.steps.push_back(Step::Itself);
    }

    /// RFC 2782: by priority, and among equals by lot, where each has a chance by its weight.
    fn ordered(&mut self, mut records: Vec<Srv>) -> Vec<Srv> {
        // Those of no weight first, so that they have a small chance.
        records.sort_by_key(|srv| (srv.priority, srv.weight != 0));
        let mut ordered = Vec::with_capacity(records.len());
        while let Some(first) = records.first() {
            let equals = records.iter().take_while(|srv| srv.priority == first.priority);
            let sums: Vec<u64> = equals
                .scan(0, |sum, srv| {
                    *sum += u64::from(srv.weight);
                    Some(*sum)
                })
                .collect();
            let all = sums.last().copied().unwrap_or(0);
            let lot = self.random() % (all + 1);
            let chosen = sums.iter().position(|sum| *sum >= lot).unwrap_or(0);
            ordered.push(records.remove(chosen));
        }
        ordered
    }

    /// SplitMix64: enough to share calls out.
    fn random(&mut self) -> u64 {
        self.chance = self.chance.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.chance;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }
}

/// RFC 3263 §4.1 and RFC 7118 §8: what NAPTR records call the transports.
const SERVICES: [(&str, Transport, bool); 5] = [
    ("SIP+D2U", Transport::Udp, false),
    ("SIP+D2T", Transport::Tcp, false),
    ("SIPS+D2T", Transport::Tls, true),
    ("SIP+D2W", Transport::Ws, false),
    ("SIPS+D2W", Transport::Wss, true),
];

/// The name of a service's SRV records.
fn service(transport: Transport, secure: bool, host: &str) -> String {
    match transport {
        Transport::Udp => format!("_sip._udp.{host}"),
        Transport::Tcp if !secure => format!("_sip._tcp.{host}"),
        Transport::Tcp | Transport::Tls => format!("_sips._tcp.{host}"),
        Transport::Ws => format!("_sip._ws.{host}"),
        Transport::Wss => format!("_sips._ws.{host}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Transport; 3] = [Transport::Udp, Transport::Tcp, Transport::Tls];

    /// A zone: lines of `NAME TYPE DATA`.
    struct Zone(&'static str);

    impl Zone {
        fn answer(&self, question: &Question) -> Records {
            let (name, kind) = match question {
                Question::Naptr(name) => (name, "NAPTR"),
                Question::Srv(name) => (name, "SRV"),
                Question::Address(name) => (name, "A"),
            };
            let fields = self.0.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
            let lines: Vec<_> =
                fields.filter(|line| line.len() > 2 && line[0] == name && line[1] == kind).collect();
            let number = |text: &str| text.parse().unwrap();
            match question {
                Question::Naptr(_) => Records::Naptr(
                    lines
                        .iter()
                        .map(|line| Naptr {
                            order: number(line[2]),
                            preference: number(line[3]),
                            flags: line[4].into(),
                            service: line[5].into(),
                            replacement: line[6].into(),
                        })
                        .collect(),
                ),
                Question::Srv(_) => Records::Srv(
                    lines
                        .iter()
                        .map(|line| Srv {
                            priority: number(line[2]),
                            weight: number(line[3]),
                            port: number(line[4]),
                            target: line[5].into(),
                        })
                        .collect(),
                ),
                Question::Address(_) => {
                    Records::Address(lines.iter().map(|line| line[2].parse().unwrap()).collect())
                }
            }
        }
    }

    /// What is asked, and where it leads.
    fn walk(zone: &Zone, uri: &str, can: &[Transport], seed: u64) -> (Vec<String>, Vec<String>) {
        let uri = crate::sip::Uri::parse(uri).unwrap();
        let mut locate = Locate::new(Target::of(uri.as_sip().unwrap()), can, seed);
        let mut asked = Vec::new();
        while let Some(question) = locate.question() {
            asked.push(match &question {
                Question::Naptr(name) => format!("NAPTR {name}"),
                Question::Srv(name) => format!("SRV {name}"),
                Question::Address(name) => format!("A {name}"),
            });
            locate.answer(zone.answer(&question));
        }
        let places = locate.places().iter().map(|(transport, at)| format!("{} {at}", transport.as_str()));
        (asked, places.collect())
    }

    /// The records of RFC 3263 §4.1's example, with addresses.
    const EXAMPLE: Zone = Zone(
        "example.com NAPTR 50 50 s SIPS+D2T _sips._tcp.example.com.
         example.com NAPTR 90 50 s SIP+D2T _sip._tcp.example.com.
         example.com NAPTR 100 50 s SIP+D2U _sip._udp.example.com.
         _sip._tcp.example.com SRV 0 1 5060 server1.example.com.
         _sip._tcp.example.com SRV 1 2 5070 server2.example.com.
         _sips._tcp.example.com SRV 0 0 5061 server1.example.com.
         server1.example.com A 192.0.2.1
         server2.example.com A 192.0.2.2
         server2.example.com A 2001:db8::2",
    );

    #[test]
    fn rfc3263_4_1_an_address_needs_no_question() {
        for (uri, place) in [
            ("sip:192.0.2.1", "UDP 192.0.2.1:5060"),
            ("sips:192.0.2.1", "TLS 192.0.2.1:5061"),
            ("sip:[2001:db8::1]:5070;transport=tcp", "TCP [2001:db8::1]:5070"),
            ("sips:192.0.2.1;transport=tcp", "TLS 192.0.2.1:5061"),
        ] {
            assert_eq!(walk(&Zone(""), uri, &ALL, 1), (vec![], vec![place.to_owned()]), "{uri}");
        }
    }

    #[test]
    fn rfc3263_4_2_a_port_leaves_the_addresses_of_the_host() {
        let (asked, places) = walk(&EXAMPLE, "sip:server2.example.com:5080", &ALL, 1);
        assert_eq!(asked, ["A server2.example.com"]);
        assert_eq!(places, ["UDP 192.0.2.2:5080", "UDP [2001:db8::2]:5080"]);
        let (_, places) = walk(&EXAMPLE, "sips:server1.example.com:5081", &ALL, 1);
        assert_eq!(places, ["TLS 192.0.2.1:5081"]);
    }

    #[test]
    fn rfc3263_4_2_a_transport_leaves_its_service_and_then_the_host_itself() {
        let (asked, places) = walk(&EXAMPLE, "sip:example.com;transport=tcp", &ALL, 1);
        assert_eq!(asked, ["SRV _sip._tcp.example.com", "A server1.example.com", "A server2.example.com"]);
        assert_eq!(places, ["TCP 192.0.2.1:5060", "TCP 192.0.2.2:5070", "TCP [2001:db8::2]:5070"]);
        let (asked, places) = walk(&EXAMPLE, "sip:server1.example.com;transport=udp", &ALL, 1);
        assert_eq!(asked, ["SRV _sip._udp.server1.example.com", "A server1.example.com"]);
        assert_eq!(places, ["UDP 192.0.2.1:5060"]);
    }

    #[test]
    fn rfc3263_4_1_naptr_records_tell_what_the_domain_prefers_among_what_both_speak() {
        let (asked, places) = walk(&EXAMPLE, "sip:example.com", &[Transport::Tcp, Transport::Udp], 1);
        assert_eq!(asked[..2], ["NAPTR example.com", "SRV _sip._tcp.example.com"]);
        assert_eq!(places, ["TCP 192.0.2.1:5060", "TCP 192.0.2.2:5070", "TCP [2001:db8::2]:5070"]);
        let (_, places) = walk(&EXAMPLE, "sip:example.com", &ALL, 1);
        assert_eq!(places[..2], ["TLS 192.0.2.1:5061", "TCP 192.0.2.1:5060"]);
    }

    #[test]
    fn rfc3263_4_1_a_sips_uri_goes_nowhere_unsecured() {
        let (asked, places) = walk(&EXAMPLE, "sips:example.com", &ALL, 1);
        assert_eq!(asked, ["NAPTR example.com", "SRV _sips._tcp.example.com", "A server1.example.com"]);
        assert_eq!(places, ["TLS 192.0.2.1:5061"]);
    }

    #[test]
    fn rfc3263_4_1_without_naptr_each_service_is_asked_for_and_at_last_the_host() {
        const ZONE: Zone = Zone("_sip._tcp.b.example SRV 0 0 5062 h.b.example\nh.b.example A 192.0.2.7");
        let (asked, places) = walk(&ZONE, "sip:b.example", &ALL, 1);
        let services = ["SRV _sip._udp.b.example", "SRV _sip._tcp.b.example", "A h.b.example"];
        assert_eq!(asked[1..4], services);
        assert_eq!(places, ["TCP 192.0.2.7:5062"]);
        const BARE: Zone = Zone("c.example A 192.0.2.8");
        let (asked, places) = walk(&BARE, "sip:c.example", &ALL, 1);
        assert_eq!(asked.last().unwrap(), "A c.example");
        assert_eq!(places, ["UDP 192.0.2.8:5060"]);
        assert_eq!(walk(&BARE, "sips:c.example", &ALL, 1).1, ["TLS 192.0.2.8:5061"]);
    }

    #[test]
    fn rfc2782_priorities_are_strict_and_weights_share() {
        const ZONE: Zone = Zone(
            "_sip._udp.d.example SRV 1 75 5060 heavy.d.example\n_sip._udp.d.example SRV 1 25 5060 light.d.example
             _sip._udp.d.example SRV 9 0 5060 spare.d.example\nheavy.d.example A 192.0.2.1
             light.d.example A 192.0.2.2\nspare.d.example A 192.0.2.3",
        );
        let mut first = [0; 3];
        for seed in 0..1000 {
            let (_, places) = walk(&ZONE, "sip:d.example;transport=udp", &ALL, seed);
            assert_eq!((places.len(), &*places[2]), (3, "UDP 192.0.2.3:5060"));
            first[usize::from(places[0] == "UDP 192.0.2.2:5060")] += 1;
        }
        assert!((690..=810).contains(&first[0]), "{first:?}");
    }

    #[test]
    fn rfc2782_a_dot_says_that_there_is_no_such_service() {
        const ZONE: Zone = Zone("_sip._udp.e.example SRV 0 0 5060 .\ne.example A 192.0.2.9");
        assert_eq!(walk(&ZONE, "sip:e.example;transport=udp", &ALL, 1).1, Vec::<String>::new());
    }

    #[test]
    fn a_zone_that_leads_on_and_on_is_left_at_the_bound() {
        let mut locate = Locate::new(
            Target { host: "f.example".into(), port: None, transport: None, secure: false },
            &ALL,
            1,
        );
        let mut asked = 0;
        while let Some(question) = locate.question() {
            asked += 1;
            let srv =
                |n| Srv { priority: n, weight: 0, port: 5060, target: format!("h{asked}-{n}.f.example") };
            locate.answer(match question {
                Question::Naptr(_) => Records::Naptr(Vec::new()),
                Question::Srv(_) => Records::Srv((0..500).map(srv).collect()),
                Question::Address(_) => Records::Address(Vec::new()),
            });
        }
        assert_eq!((asked, locate.places().len()), (MAX_QUESTIONS, 0));
    }
}
