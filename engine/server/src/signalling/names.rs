//! Where names lead (RFC 3263): what the DNS said, kept for as long as it says and within bounds, and which places
//! have failed lately. What to ask, and in which order places are tried, is `protocol::sip::locate`; nobody here
//! waits: who needs what is not known has it looked up, and is told.

use std::collections::HashMap;
use std::fmt::Write;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{
    LookupIpStrategy, NameServerConfig, NameServerConfigGroup, ResolveHosts, ResolverConfig, ResolverOpts,
};
use hickory_resolver::name_server::TokioConnectionProvider;
use hickory_resolver::proto::rr::{RData, RecordType};
use hickory_resolver::proto::xfer::Protocol;
use protocol::sip::flow::Transport;
use protocol::sip::locate::{Locate, Naptr, Question, Records, Srv, Target};
use tokio::runtime::Handle;
use tokio::time::timeout;

/// Answers that are kept; at the bound those go that end first.
const MOST_ANSWERS: usize = 4096;
/// Who waits for one name; one more is told at once, and finds nothing.
const MOST_WAITING: usize = 1024;
/// Names that are looked up at once; one more is not.
const MOST_LOOK_UPS: usize = 256;
/// An answer holds for as long at least, and at most, whatever its time to live.
const HOLDS: std::ops::RangeInclusive<Duration> = Duration::from_secs(5)..=Duration::from_secs(3600);
/// That there is nothing is believed for so long.
const NOTHING_HOLDS: Duration = Duration::from_secs(30);
/// An answer that has ended serves for so long while no newer one is to be had.
const STALE: Duration = Duration::from_secs(24 * 3600);
/// One question; the next server of the DNS is asked after half of it.
const QUESTION: Duration = Duration::from_secs(3);
/// All questions for one name: a caller waits for it.
const LOOK_UP: Duration = Duration::from_secs(6);
/// A place that has failed is tried last for so long (RFC 3263 §4.3 leaves the time open).
const FALTERS: Duration = Duration::from_secs(60);
/// Places that have failed and are remembered; more are not.
const MOST_FALTERING: usize = 1024;

/// A place to send to.
pub type Place = (Transport, SocketAddr);

/// What the DNS says, and for how long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// The records; none is an answer too.
    pub records: Records,
    /// Their time to live.
    pub holds: Duration,
}

/// An answer of the DNS on its way; none when nobody answers.
pub type Asked<'a> = Pin<Box<dyn Future<Output = Option<Said>> + Send + 'a>>;

/// Someone who knows the DNS.
pub trait Resolver: Send + Sync + 'static {
    /// Asks one question.
    fn ask<'a>(&'a self, question: &'a Question) -> Asked<'a>;
}

/// What is known; clones share it.
#[derive(Clone)]
pub struct Names(Arc<Inner>);

struct Inner {
    resolver: Box<dyn Resolver>,
    can: Vec<Transport>,
    known: Mutex<Known>,
    runtime: Handle,
}

type Then = Box<dyn FnOnce() + Send>;

#[derive(Default)]
struct Known {
    answers: HashMap<Question, Answer>,
    looking: HashMap<Target, Vec<Then>>,
    faltering: HashMap<Place, Instant>,
}

struct Answer {
    records: Records,
    until: Instant,
}

/// Where a target is.
#[derive(Debug, PartialEq, Eq)]
pub struct Found {
    /// In the order in which they are to be tried; those that failed lately last.
    pub places: Vec<Place>,
    /// All of it still holds.
    pub fresh: bool,
}

impl Names {
    /// `can`: what this side speaks.
    pub fn new(resolver: Box<dyn Resolver>, can: Vec<Transport>, runtime: Handle) -> Self {
        Self(Arc::new(Inner { resolver, can, known: Mutex::default(), runtime }))
    }

    /// Where a target is by what is known; none when something has to be asked first. `seed`: each try shares its
    /// servers out anew.
    pub fn find(&self, now: Instant, target: &Target, seed: u64) -> Option<Found> {
        let known = self.known();
        let mut locate = Locate::new(target.clone(), &self.0.can, seed);
        let mut fresh = true;
        while let Some(question) = locate.question() {
            let answer = known.answers.get(&question).filter(|answer| answer.until + STALE > now)?;
            fresh &= answer.until > now;
            locate.answer(answer.records.clone());
        }
        let mut places = locate.places().to_vec();
        places.sort_by_key(|place| known.faltering.get(place).is_some_and(|until| *until > now));
        Some(Found { places, fresh })
    }

    /// Has everything asked that is not known or has ended, and calls `then` when that is done, whatever came of it.
    pub fn look_up(&self, target: Target, then: Then) {
        let mut known = self.known();
        let looks_up = known.looking.len();
        if let Some(waiting) = known.looking.get_mut(&target) {
            if waiting.len() < MOST_WAITING {
                return waiting.push(then);
            }
        } else if looks_up < MOST_LOOK_UPS {
            known.looking.insert(target.clone(), vec![then]);
            drop(known);
            let names = self.clone();
            self.0.runtime.spawn(async move {
                if timeout(LOOK_UP, names.ask_all(&target)).await.is_err() {
                    tracing::warn!(name = target.host, "the DNS takes too long");
                }
                let waiting = names.known().looking.remove(&target);
                waiting.into_iter().flatten().for_each(|then| then());
            });
            return;
        }
        drop(known);
        then();
    }

    async fn ask_all(&self, target: &Target) {
        let mut locate = Locate::new(target.clone(), &self.0.can, 0);
        let mut failed = String::new();
        while let Some(question) = locate.question() {
            let now = Instant::now();
            let held = {
                let known = self.known();
                known.answers.get(&question).filter(|held| held.until > now).map(|held| held.records.clone())
            };
            let records = match held {
                Some(records) => records,
                None => match timeout(QUESTION, self.0.resolver.ask(&question)).await.ok().flatten() {
                    Some(said) => {
                        self.keep(Instant::now(), question, &said);
                        said.records
                    }
                    // What was known serves on; without it this way is closed for a moment.
                    None => {
                        let _ = write!(failed, " {question:?}");
                        let nothing = Records::Address(Vec::new());
                        let before = self.known().answers.get(&question).map(|held| held.records.clone());
                        if before.is_none() {
                            let said = Said { records: nothing.clone(), holds: NOTHING_HOLDS };
                            self.keep(Instant::now(), question, &said);
                        }
                        before.unwrap_or(nothing)
                    }
                },
            };
            locate.answer(records);
        }
        if !failed.is_empty() || locate.places().is_empty() {
            tracing::warn!(name = target.host, found = locate.places().len(), failed, "names not found");
        }
    }

    fn keep(&self, now: Instant, question: Question, said: &Said) {
        let is_nothing = match &said.records {
            Records::Naptr(all) => all.is_empty(),
            Records::Srv(all) => all.is_empty(),
            Records::Address(all) => all.is_empty(),
        };
        let longest = if is_nothing { NOTHING_HOLDS } else { *HOLDS.end() };
        let until = now + said.holds.clamp(*HOLDS.start(), longest);
        let mut known = self.known();
        if known.answers.len() >= MOST_ANSWERS && !known.answers.contains_key(&question) {
            let first = known.answers.iter().min_by_key(|(_, answer)| answer.until);
            if let Some(first) = first.map(|(question, _)| question.clone()) {
                known.answers.remove(&first);
            }
        }
        known.answers.insert(question, Answer { records: said.records.clone(), until });
    }

    /// A place did not answer, or refused for reasons of its own (RFC 3263 §4.3).
    pub fn falters(&self, now: Instant, place: Place) {
        let mut known = self.known();
        known.faltering.retain(|_, until| *until > now);
        if known.faltering.len() < MOST_FALTERING {
            known.faltering.insert(place, now + FALTERS);
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The DNS as this host is told to ask it, or by servers that the configuration names.
pub struct Dns(TokioResolver);

impl Dns {
    /// `servers`: asked in the place of those of the host. `families`: whether IPv4 and IPv6 can be reached.
    pub fn new(servers: &[SocketAddr], families: (bool, bool)) -> Self {
        let mut options = ResolverOpts::default();
        options.timeout = QUESTION / 2;
        options.attempts = 2;
        options.cache_size = 0; // kept here, with bounds of our own
        options.try_tcp_on_error = true;
        options.ip_strategy = match families {
            (_, false) => LookupIpStrategy::Ipv4Only,
            (false, true) => LookupIpStrategy::Ipv6Only,
            (true, true) => LookupIpStrategy::Ipv4AndIpv6,
        };
        options.use_hosts_file = if servers.is_empty() { ResolveHosts::Auto } else { ResolveHosts::Never };
        let named = || {
            let group: Vec<_> = servers
                .iter()
                .flat_map(|at| [Protocol::Udp, Protocol::Tcp].map(|by| NameServerConfig::new(*at, by)))
                .collect();
            ResolverConfig::from_parts(None, Vec::new(), NameServerConfigGroup::from(group))
        };
        let config = match servers.is_empty() {
            true => hickory_resolver::system_conf::read_system_conf().map(|(config, _)| config),
            false => Ok(named()),
        };
        let config = config.unwrap_or_else(|why| {
            tracing::warn!(%why, "this host's DNS is not known; names of carriers lead nowhere");
            ResolverConfig::new()
        });
        let builder = TokioResolver::builder_with_config(config, TokioConnectionProvider::default());
        Self(builder.with_options(options).build())
    }
}

impl Resolver for Dns {
    fn ask<'a>(&'a self, question: &'a Question) -> Asked<'a> {
        Box::pin(async move {
            // Fully qualified: no search list is tried.
            let (name, kind) = match question {
                Question::Naptr(name) => (name, RecordType::NAPTR),
                Question::Srv(name) => (name, RecordType::SRV),
                Question::Address(name) => (name, RecordType::A),
            };
            let nothing = match question {
                Question::Naptr(_) => Records::Naptr(Vec::new()),
                Question::Srv(_) => Records::Srv(Vec::new()),
                Question::Address(_) => Records::Address(Vec::new()),
            };
            let name = format!("{}.", name.trim_end_matches('.'));
            let until = |at: Instant| at.saturating_duration_since(Instant::now());
            let asked = match question {
                Question::Address(_) => self.0.lookup_ip(name).await.map(|found| {
                    let addresses: Vec<IpAddr> = found.iter().collect();
                    Said { records: Records::Address(addresses), holds: until(found.valid_until()) }
                }),
                _ => self.0.lookup(name, kind).await.map(|found| {
                    let holds = until(found.valid_until());
                    Said { records: records(question, found.iter()), holds }
                }),
            };
            match asked {
                Ok(said) => Some(said),
                Err(why) if why.is_no_records_found() => {
                    Some(Said { records: nothing, holds: NOTHING_HOLDS })
                }
                Err(why) => {
                    tracing::debug!(?question, %why, "the DNS does not answer");
                    None
                }
            }
        })
    }
}

fn records<'a>(question: &Question, found: impl Iterator<Item = &'a RData>) -> Records {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    match question {
        Question::Naptr(_) => Records::Naptr(
            found
                .filter_map(|data| data.as_naptr())
                .map(|naptr| Naptr {
                    order: naptr.order(),
                    preference: naptr.preference(),
                    flags: text(naptr.flags()),
                    service: text(naptr.services()),
                    replacement: naptr.replacement().to_ascii(),
                })
                .collect(),
        ),
        _ => Records::Srv(
            found
                .filter_map(|data| data.as_srv())
                .map(|srv| Srv {
                    priority: srv.priority(),
                    weight: srv.weight(),
                    port: srv.port(),
                    target: srv.target().to_ascii(),
                })
                .collect(),
        ),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    /// A domain of two servers; `away`: nobody answers. Counts what it is asked.
    struct Table {
        asked: Arc<AtomicUsize>,
        away: Arc<std::sync::atomic::AtomicBool>,
    }

    impl Resolver for Table {
        fn ask<'a>(&'a self, question: &'a Question) -> Asked<'a> {
            self.asked.fetch_add(1, Ordering::Relaxed);
            let srv = |priority, target: &str| Srv { priority, weight: 0, port: 5062, target: target.into() };
            let records = match question {
                Question::Srv(name) if name == "_sip._udp.a.example" => {
                    Records::Srv(vec![srv(1, "one.a.example"), srv(2, "two.a.example")])
                }
                Question::Srv(_) => Records::Srv(Vec::new()),
                Question::Naptr(_) => Records::Naptr(Vec::new()),
                Question::Address(name) if name.starts_with("one") => {
                    Records::Address(vec!["192.0.2.1".parse().unwrap()])
                }
                Question::Address(name) if name.starts_with("two") => {
                    Records::Address(vec!["192.0.2.2".parse().unwrap()])
                }
                Question::Address(_) => Records::Address(Vec::new()),
            };
            let said = Said { records, holds: Duration::from_secs(600) };
            let away = self.away.load(Ordering::Relaxed);
            Box::pin(async move { (!away).then_some(said) })
        }
    }

    fn target(host: &str) -> Target {
        Target { host: host.into(), port: None, transport: Some(Transport::Udp), secure: false }
    }

    async fn looked_up(names: &Names, host: &str) {
        let (sender, receiver) = tokio::sync::oneshot::channel();
        names.look_up(target(host), Box::new(move || sender.send(()).unwrap_or_default()));
        receiver.await.expect("it is told");
    }

    fn table() -> (Names, Arc<AtomicUsize>, Arc<std::sync::atomic::AtomicBool>) {
        let (asked, away) = (Arc::<AtomicUsize>::default(), Arc::default());
        let table = Table { asked: asked.clone(), away: Arc::clone(&away) };
        (Names::new(Box::new(table), vec![Transport::Udp], Handle::current()), asked, away)
    }

    #[tokio::test]
    async fn what_was_found_is_kept_as_long_as_the_dns_says_and_serves_on_when_it_is_away() {
        let (names, asked, away) = table();
        let now = Instant::now();
        assert_eq!(names.find(now, &target("a.example"), 1), None);
        looked_up(&names, "a.example").await;
        let found = names.find(now, &target("a.example"), 1).unwrap();
        let places = ["192.0.2.1:5062", "192.0.2.2:5062"].map(|at| (Transport::Udp, at.parse().unwrap()));
        assert_eq!(found, Found { places: places.to_vec(), fresh: true });
        looked_up(&names, "a.example").await;
        assert_eq!(asked.load(Ordering::Relaxed), 3, "nothing is asked twice");
        away.store(true, Ordering::Relaxed);
        let later = now + Duration::from_secs(700);
        let found = names.find(later, &target("a.example"), 1).unwrap();
        assert_eq!(found, Found { places: places.to_vec(), fresh: false });
        assert_eq!(names.find(later + STALE, &target("a.example"), 1), None);
    }

    #[tokio::test]
    async fn rfc3263_4_3_a_place_that_failed_is_tried_last_for_a_while() {
        let (names, ..) = table();
        looked_up(&names, "a.example").await;
        let now = Instant::now();
        let first = |at| names.find(at, &target("a.example"), 1).unwrap().places[0];
        let one = first(now);
        names.falters(now, one);
        assert_ne!(first(now), one);
        assert_eq!(first(now + FALTERS), one);
    }

    #[tokio::test]
    async fn a_name_that_nobody_knows_is_not_asked_for_again_and_again() {
        let (names, asked, away) = table();
        looked_up(&names, "b.example").await;
        let count = asked.load(Ordering::Relaxed);
        assert_eq!(names.find(Instant::now(), &target("b.example"), 1).unwrap().places, []);
        looked_up(&names, "b.example").await;
        away.store(true, Ordering::Relaxed);
        looked_up(&names, "b.example").await;
        assert_eq!(asked.load(Ordering::Relaxed), count);
    }

    #[tokio::test]
    async fn answers_are_bounded() {
        let (names, ..) = table();
        let now = Instant::now();
        for n in 0..MOST_ANSWERS as u64 + 10 {
            let said = Said { records: Records::Naptr(Vec::new()), holds: Duration::from_secs(5 + n % 20) };
            names.keep(now, Question::Naptr(format!("{n}.example")), &said);
        }
        assert_eq!(names.known().answers.len(), MOST_ANSWERS);
    }
}
