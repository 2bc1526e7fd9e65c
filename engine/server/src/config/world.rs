//! The world as configured: who may call, which number asks which script, which carriers there are.
//! A [`World`] is plain, checked and immutable; a reload builds a new one and swaps the `Arc`, so a
//! call keeps the world it began in. Reading it from TOML is in the modules beside this one.

use std::collections::HashMap;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use exchange::QueuePlan;
use ipnet::IpNet;
use jiff::tz::TimeZone;
use protocol::sdp::{Codec, Srtp};
use protocol::sip::digest::Algorithm;
pub use protocol::sip::flow::Transport;
use protocol::sip::locate::Target;
use serde::{Deserialize, Serialize};

use super::keep::Keep;
use super::limits::Limits;
use super::mailbox::Mailbox;
use super::missed::Missed;
use super::notify::Notify;
use super::numbering::{Numbering, TrunkNumbers};
use super::outside::Outside;
use super::policy::ScriptPolicy;
use super::recording::Recording;
use super::speech::{Speech, SpeechParts, SpeechSettings};
use super::stir::Stir;
use super::tolls::Tolls;
use super::traces::TraceSettings;
use crate::calendar::Calendar;
use crate::crm::Crm;
use crate::signalling::Limits as ConnectionLimits;
use crate::signalling::tls::Proof;
use crate::throttle::Rate;

/// Everything configured, checked as a whole.
#[derive(Debug, Clone)]
pub struct World {
    /// `[node]`
    pub node: NodeSettings,
    /// `[sip]`
    pub sip: SipSettings,
    /// `[media]`
    pub media: MediaSettings,
    /// `[http]`
    pub http: HttpSettings,
    /// `[speech]`
    pub speech: SpeechSettings,
    /// `[traces]`: none when there is no collector. A reload changes nothing here.
    pub traces: Option<TraceSettings>,
    /// Each `[[tenant]]`, in the order of the files.
    pub tenants: Vec<Arc<Tenant>>,
    by_name: HashMap<String, usize>,
    by_domain: HashMap<String, usize>,
}

impl World {
    /// Joins checked parts. Names and domains are unique: whoever read them has seen to it.
    pub(super) fn new(
        node: NodeSettings,
        sip: SipSettings,
        media: MediaSettings,
        http: HttpSettings,
        speech: SpeechSettings,
        traces: Option<TraceSettings>,
        tenants: Vec<Arc<Tenant>>,
    ) -> Self {
        let by_name = tenants.iter().enumerate().map(|(i, t)| (t.name.to_string(), i)).collect();
        let by_domain = tenants
            .iter()
            .enumerate()
            .flat_map(|(i, t)| t.domains.iter().map(move |d| (d.clone(), i)))
            .collect();
        Self { node, sip, media, http, speech, traces, tenants, by_name, by_domain }
    }

    /// The tenant of that name.
    pub fn tenant(&self, name: &str) -> Option<&Arc<Tenant>> {
        self.by_name.get(name).map(|i| &self.tenants[*i])
    }

    /// The tenant that a SIP domain belongs to; `host` without port, in any case.
    pub fn tenant_by_domain(&self, host: &str) -> Option<&Arc<Tenant>> {
        self.by_domain.get(&host.trim_end_matches('.').to_ascii_lowercase()).map(|i| &self.tenants[*i])
    }

    /// Every trunk that may send calls from `source`, the narrowest network first.
    pub fn trunks_by_source(&self, source: IpAddr) -> Vec<(&Arc<Tenant>, &Arc<Trunk>)> {
        let source = source.to_canonical();
        let mut found: Vec<_> = self
            .tenants
            .iter()
            .flat_map(|tenant| tenant.trunks.iter().map(move |trunk| (tenant, trunk)))
            .filter_map(|(tenant, trunk)| {
                let narrowest =
                    trunk.inbound_from.iter().filter(|n| n.contains(&source)).map(IpNet::prefix_len).max()?;
                Some((narrowest, tenant, trunk))
            })
            .collect();
        found.sort_by_key(|(prefix, ..)| std::cmp::Reverse(*prefix));
        found.into_iter().map(|(_, tenant, trunk)| (tenant, trunk)).collect()
    }

    /// Every trunk that is known by a certificate like this one (RFC 5922 §7.1), in the order of the configuration.
    pub fn trunks_by_certificate(&self, proof: &Proof) -> Vec<(&Arc<Tenant>, &Arc<Trunk>)> {
        let meets = |trunk: &Trunk| {
            trunk.tls.as_ref().is_some_and(|tls| {
                proof.authorities.contains(&tls.ca)
                    && tls.accept.iter().any(|name| proof.names.contains(name))
            })
        };
        let all =
            self.tenants.iter().flat_map(|tenant| tenant.trunks.iter().map(move |trunk| (tenant, trunk)));
        all.filter(|(_, trunk)| meets(trunk)).collect()
    }

    /// Whose call it is that a carrier sends from `source` to `dialled`. Two tenants may share a
    /// carrier: then the one that owns the number gets the call. A certificate says more than an address.
    /// None: the source is no trunk's.
    pub fn inbound(&self, source: IpAddr, proof: Option<&Proof>, dialled: &str) -> Option<Inbound<'_>> {
        let proven = proof.map_or_else(Vec::new, |proof| self.trunks_by_certificate(proof));
        let trunks = if proven.is_empty() { self.trunks_by_source(source) } else { proven };
        let owner = trunks.iter().find_map(|(tenant, trunk)| {
            let number = tenant.number(&tenant.heard(trunk, dialled))?;
            Some(Inbound { tenant, trunk, number: Some(number) })
        });
        owner.or_else(|| trunks.first().map(|(tenant, trunk)| Inbound { tenant, trunk, number: None }))
    }
}

/// A call from a carrier, placed.
#[derive(Debug, Clone, Copy)]
pub struct Inbound<'a> {
    /// Whose call it is.
    pub tenant: &'a Arc<Tenant>,
    /// The carrier it came through.
    pub trunk: &'a Arc<Trunk>,
    /// The number dialled; none when the tenant has no such number.
    pub number: Option<&'a Arc<Number>>,
}

/// `[node]`: the process.
#[derive(Debug, Clone, PartialEq)]
pub struct NodeSettings {
    /// `data`: the folder that holds all state.
    pub data: PathBuf,
    /// `store`: which embedded store.
    pub store: StoreKind,
    /// `drain`: how long a graceful stop waits for running calls.
    pub drain: Duration,
    /// `shards`: exchange shards; the number of cores if none.
    pub shards: Option<usize>,
    /// `sandboxes`: scripts alive in the process at once; a tenant may hold a quarter.
    pub sandboxes: usize,
    /// `recover_calls`: whether a call outlives a process that was killed.
    pub recover_calls: bool,
    /// `recover_within`: calls of a process that was gone for longer are closed as lost.
    pub recover_within: Duration,
    /// `compile_memory`, `compile_cpu`, `compile_time`: what compiling one component may take; an upload that takes more
    /// gets 422.
    pub compile: script::Bounds,
}

/// The embedded store behind the data folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreKind {
    /// The default.
    Sled,
    /// One file, B-tree.
    Redb,
}

/// `[sip]`: where signalling listens.
#[derive(Debug, Clone, PartialEq)]
pub struct SipSettings {
    /// `listen`: at least one.
    pub listen: Vec<Listen>,
    /// `advertise`: the host or address that Contact, Via and SDP carry; the socket's own if none.
    pub advertise: Option<String>,
    /// `expires_min`: shorter registrations get 423.
    pub expires_min: Duration,
    /// `expires_max`: longer registrations are cut to this.
    pub expires_max: Duration,
    /// `session_expires`: how long a call may be up without anyone asking again (RFC 4028); zero: as long as it likes.
    pub session_expires: Duration,
    /// `session_expires_min`: who wishes less gets 422.
    pub session_expires_min: Duration,
    /// `dns`: servers that are asked for names of carriers; those of the host if empty.
    pub dns: Vec<SocketAddr>,
    /// `[sip.bans]`
    pub bans: Banning,
    /// `[sip.throttle]`: `messages_per_second` and `burst` of one address; networks of `never` and of trunks are outside of
    /// it.
    pub throttle: Rate,
    /// `[sip.tls]`: shown to whoever asks for no tenant's domain that has its own.
    pub tls: Option<CertificateFiles>,
    /// `srtp_keys_unsecured`: keys of sound may stand in descriptions that UDP, TCP and WS carry (RFC 4568 §5).
    pub srtp_keys_unsecured: bool,
    /// `[sip.connections]` and `[sip.websocket]`
    pub(crate) connections: ConnectionLimits,
}

/// A certificate with its chain, and its key: files in PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateFiles {
    /// `certificate`: the own one first, then those between it and the authority.
    pub certificate: PathBuf,
    /// `key`: PKCS #8, PKCS #1 or SEC 1.
    pub key: PathBuf,
}

/// `[sip.bans]`: when an address that tries passwords or looks for names is not heard any more.
#[derive(Debug, Clone, PartialEq)]
pub struct Banning {
    /// `after`: failures at once; they melt, two a minute. Ten times as many where a right password was seen. Zero: nobody is
    /// banned.
    pub after: u32,
    /// `for`: how long.
    pub length: Duration,
    /// `never`: networks that are always heard; those of trunks are too.
    pub never: Vec<IpNet>,
}

impl Default for Banning {
    fn default() -> Self {
        Self { after: 20, length: Duration::from_secs(600), never: Vec::new() }
    }
}

/// One listening socket, written `udp:0.0.0.0:5060`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Listen {
    /// Which transport.
    pub transport: Transport,
    /// Where.
    pub address: SocketAddr,
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.transport.as_str().to_ascii_lowercase(), self.address)
    }
}

/// `[media]`: where sound flows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MediaSettings {
    /// `ports`: RTP takes the even ones, RTCP the odd ones after them.
    pub ports: RangeInclusive<u16>,
    /// `listen`: the address RTP sockets bind to.
    pub listen: IpAddr,
    /// `threads`: media threads; the number of cores if none.
    pub threads: Option<usize>,
    /// `silence`: a leg that sends no RTP for so long is hung up; zero never.
    pub silence: Duration,
}

/// `[http]`: where the API listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpSettings {
    /// `listen`
    pub listen: SocketAddr,
    /// `url`: how others reach it, without "/" at the end; none: links can't be sent to anybody.
    pub url: Option<String>,
    /// `token_env`, `token_file` or `token`: the operator's bearer token. None: no operator.
    pub operator_token: Option<Secret>,
}

/// A company on this exchange. Nothing in it is visible to another.
#[derive(Debug, Clone)]
pub struct Tenant {
    /// `name`: 1 to 63 of a-z, 0-9, "-", "_" and ".".
    pub name: Arc<str>,
    /// `domains`: SIP domains, in lower case.
    pub domains: Vec<String>,
    /// `[tenant.tls]`: shown to whoever asks for one of the domains.
    pub tls: Option<CertificateFiles>,
    /// `timezone`: an IANA name.
    pub timezone: TimeZone,
    /// `language` of prompts: BCP 47.
    pub language: String,
    /// `[tenant.numbering]`: how numbers are dialled where the tenant is; none: every number is as it is.
    pub numbering: Option<Numbering>,
    /// `[tenant.tolls]`
    pub tolls: Tolls,
    /// `[tenant.stir]`
    pub stir: Option<Arc<Stir>>,
    /// `digest`: the hashes that users may prove their passwords with (RFC 8760), the best first; never empty.
    pub digest: Arc<[Algorithm]>,
    /// `srtp`: whether the sound of its users is encrypted.
    pub srtp: Srtp,
    /// `codecs`: those that calls may have, in the order in which they are offered; never empty.
    pub codecs: Arc<[Codec]>,
    /// `[tenant.speech]`, and what it leaves out as `[speech]` has it.
    pub speech: Arc<Speech>,
    /// `[[tenant.user]]`
    pub users: Vec<Arc<User>>,
    /// `[[tenant.group]]`, members in the order they ring.
    pub groups: Vec<Group>,
    /// `[[tenant.trunk]]`, in the order they are tried.
    pub trunks: Vec<Arc<Trunk>>,
    /// `[[tenant.script]]`
    pub scripts: Vec<ScriptFile>,
    /// `[[tenant.number]]`
    pub numbers: Vec<Arc<Number>>,
    /// `[[tenant.queue]]`
    pub queues: Vec<Arc<QueuePlan>>,
    /// `[tenant.crm]`
    pub crm: Crm,
    /// `[tenant.missed]`
    pub missed: Missed,
    /// `[[tenant.notify]]`, `[tenant.mail]` and `[tenant.sms]`
    pub notify: Notify,
    /// `[tenant.recording]`
    pub recording: Recording,
    /// `[[tenant.mailbox]]`
    pub mailboxes: Vec<Mailbox>,
    /// `[tenant.http]`
    pub outside: Arc<Outside>,
    /// `[[tenant.calendar]]`
    pub calendars: Vec<Calendar>,
    /// `[[tenant.music]]`
    pub music: Vec<Playlist>,
    /// `[tenant.calls]`
    pub calls: Calls,
    /// `[tenant.limits]`
    pub limits: Limits,
    /// `[tenant.keep]`
    pub keep: Keep,
    /// `[tenant.scripts]`
    pub scripting: ScriptPolicy,
    /// `[[tenant.token]]`
    pub tokens: Vec<Token>,
    user_by_name: HashMap<String, usize>,
    user_by_number: HashMap<String, usize>,
    number_by_digits: HashMap<String, usize>,
}

/// A tenant before its look-ups are built: the same fields as [`Tenant`], which see.
#[derive(Debug)]
#[allow(missing_docs)]
pub(super) struct TenantParts {
    pub name: String,
    pub domains: Vec<String>,
    pub tls: Option<CertificateFiles>,
    pub timezone: TimeZone,
    pub language: String,
    pub numbering: Option<Numbering>,
    pub tolls: Tolls,
    pub stir: Option<Arc<Stir>>,
    pub digest: Arc<[Algorithm]>,
    pub srtp: Srtp,
    pub codecs: Option<Arc<[Codec]>>,
    pub speech: SpeechParts,
    pub users: Vec<User>,
    pub groups: Vec<Group>,
    pub trunks: Vec<Trunk>,
    pub scripts: Vec<ScriptFile>,
    pub numbers: Vec<Number>,
    pub queues: Vec<Arc<QueuePlan>>,
    pub crm: Crm,
    pub missed: Missed,
    pub notify: Notify,
    pub recording: Recording,
    pub mailboxes: Vec<Mailbox>,
    pub outside: Outside,
    pub calendars: Vec<Calendar>,
    pub music: Vec<Playlist>,
    pub calls: Calls,
    pub limits: Limits,
    pub keep: Keep,
    pub scripting: ScriptPolicy,
    pub tokens: Vec<Token>,
}

impl Tenant {
    /// `speech`: the engine of a tenant that names none.
    pub(super) fn new(parts: TenantParts, speech: &Speech) -> Self {
        let users: Vec<_> = parts.users.into_iter().map(Arc::new).collect();
        let numbers: Vec<_> = parts.numbers.into_iter().map(Arc::new).collect();
        Tenant {
            name: parts.name.into(),
            domains: parts.domains,
            tls: parts.tls,
            timezone: parts.timezone,
            language: parts.language,
            numbering: parts.numbering,
            tolls: parts.tolls,
            stir: parts.stir,
            digest: parts.digest,
            srtp: parts.srtp,
            codecs: parts.codecs.unwrap_or_else(|| Codec::ALL.into()),
            speech: Arc::new(parts.speech.over(speech)),
            user_by_name: users.iter().enumerate().map(|(i, u)| (u.name.clone(), i)).collect(),
            user_by_number: users.iter().enumerate().map(|(i, u)| (u.number.clone(), i)).collect(),
            number_by_digits: numbers.iter().enumerate().map(|(i, n)| (n.number.clone(), i)).collect(),
            users,
            groups: parts.groups,
            trunks: parts.trunks.into_iter().map(Arc::new).collect(),
            scripts: parts.scripts,
            numbers,
            queues: parts.queues,
            crm: parts.crm,
            missed: parts.missed,
            notify: parts.notify,
            recording: parts.recording,
            mailboxes: parts.mailboxes,
            outside: Arc::new(parts.outside),
            calendars: parts.calendars,
            music: parts.music,
            calls: parts.calls,
            limits: parts.limits,
            keep: parts.keep,
            scripting: parts.scripting,
            tokens: parts.tokens,
        }
    }

    /// The codecs of a leg that leads to this trunk, or else to a telephone of this user.
    pub fn codecs(&self, trunk: Option<&str>, user: Option<&str>) -> &[Codec] {
        let own = match trunk {
            Some(name) => self.trunk(name).and_then(|trunk| trunk.codecs.as_deref()),
            None => user.and_then(|name| self.user_by_name(name)?.codecs.as_deref()),
        };
        own.unwrap_or(&self.codecs)
    }

    /// A user by the name they register with.
    pub fn user_by_name(&self, name: &str) -> Option<&Arc<User>> {
        self.user_by_name.get(name).map(|i| &self.users[*i])
    }

    /// A user by name or by extension.
    pub fn user(&self, name_or_number: &str) -> Option<&Arc<User>> {
        self.user_by_name(name_or_number)
            .or_else(|| self.user_by_number.get(name_or_number).map(|i| &self.users[*i]))
    }

    /// A configured number as a carrier or a user dials it: as written, or without visual
    /// separators, or in international form without the "+" or with "00" in its place.
    pub fn number(&self, dialled: &str) -> Option<&Arc<Number>> {
        let plain: String = dialled.chars().filter(|c| !matches!(c, ' ' | '-' | '.' | '(' | ')')).collect();
        let found = |digits: &str| self.number_by_digits.get(digits).map(|i| &self.numbers[*i]);
        found(&plain)
            .or_else(|| found(&format!("+{plain}")))
            .or_else(|| plain.strip_prefix("00").and_then(|rest| found(&format!("+{rest}"))))
    }

    /// A number as a carrier writes it, in E.164 where the tenant's numbering reads it.
    pub fn heard(&self, trunk: &Trunk, number: &str) -> String {
        match &self.numbering {
            Some(numbering) => numbering.read(trunk.numbers.incoming, number),
            None => number.to_owned(),
        }
    }

    /// A number as a carrier wants it.
    pub fn written(&self, trunk: &Trunk, number: &str) -> String {
        match &self.numbering {
            Some(numbering) => numbering.write(trunk.numbers.outgoing, number),
            None => number.to_owned(),
        }
    }

    /// The same of a number that is called: with the trunk's prefix.
    pub fn called(&self, trunk: &Trunk, number: &str) -> String {
        format!("{}{}", trunk.numbers.prefix, self.written(trunk, number))
    }

    /// Whether a number is one of those that the carrier knows as the tenant's; every one is where it names none.
    pub fn owns(&self, trunk: &Trunk, number: &str) -> bool {
        let e164 = self.numbering.as_ref().and_then(|numbering| numbering.e164(number));
        let number = e164.as_deref().unwrap_or(number);
        trunk.own_numbers.is_empty()
            || trunk.own_numbers.iter().any(|own| match own.strip_suffix('*') {
                Some(beginning) => number.starts_with(beginning),
                None => number == own,
            })
    }

    /// A group by name.
    pub fn group(&self, name: &str) -> Option<&Group> {
        self.groups.iter().find(|g| g.name == name)
    }

    /// A calendar by name.
    pub fn calendar(&self, name: &str) -> Option<&Calendar> {
        self.calendars.iter().find(|c| c.name == name)
    }

    /// A queue by name.
    pub fn queue(&self, name: &str) -> Option<&Arc<QueuePlan>> {
        self.queues.iter().find(|queue| queue.name == name)
    }

    /// Music by name.
    pub fn music(&self, name: &str) -> Option<&Playlist> {
        self.music.iter().find(|m| m.name == name)
    }

    /// A trunk by name.
    pub fn trunk(&self, name: &str) -> Option<&Arc<Trunk>> {
        self.trunks.iter().find(|t| t.name == name)
    }
}

/// A person or a desk: a SIP account, an agent, or both.
#[derive(Debug, Clone, PartialEq)]
pub struct User {
    /// `name`: also the SIP user name and digest user.
    pub name: String,
    /// `number`: the extension, digits only.
    pub number: String,
    /// `password`; without one the user cannot register.
    pub password: Option<Secret>,
    /// `mobile`: E.164.
    pub mobile: Option<String>,
    /// `skills`: name and level, 1 to 100, by name.
    pub skills: Vec<(String, u8)>,
    /// Every group the user is in.
    pub groups: Vec<String>,
    /// `supervises`: may be added to others' conversations by telephone (Join, RFC 3911).
    pub supervises: bool,
    /// `codecs`: those that calls with the user's telephones may have, in the order in which they are offered; the tenant's if
    /// none.
    pub codecs: Option<Arc<[Codec]>>,
}

/// Users that ring together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// `name`
    pub name: String,
    /// User names: `members` first, then users whose `groups` name this one.
    pub members: Vec<String>,
}

/// Music and messages, heard in turn while waiting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Playlist {
    /// `name`
    pub name: String,
    /// `play`: prompts by name, and texts that are no name; what nobody recorded is spoken.
    pub play: Vec<String>,
}

/// A carrier, or another exchange.
#[derive(Debug, Clone, PartialEq)]
pub struct Trunk {
    /// `name`
    pub name: String,
    /// `address`: where calls are sent.
    pub address: TrunkAddress,
    /// `inbound_from`: calls from these networks are this trunk's; none sends calls if empty.
    pub inbound_from: Vec<IpNet>,
    /// `number`: what the outside sees when a user of the tenant calls; the user's extension if none.
    pub number: Option<String>,
    /// `user`: for digest authentication towards the carrier.
    pub user: Option<String>,
    /// `password`: for digest authentication towards the carrier.
    pub password: Option<Secret>,
    /// `register`: we are registered with the carrier, which sends calls here for as long.
    pub register: Option<Register>,
    /// `channels`: calls at once, both ways; one more of ours takes another trunk.
    pub channels: u32,
    /// `channels_in`: calls at once that it sends; one more gets 503. Zero: as many as come.
    pub channels_in: u32,
    /// `channels_out`: calls at once that it is sent; one more takes another trunk. Zero: `channels` alone bounds them.
    pub channels_out: u32,
    /// `order`: trunks with a lower one are tried first; those with the same one in the order of the file, ...
    pub order: u32,
    /// ... or by chance where they have a `weight`: each is the first as often as its weight says.
    pub weight: u32,
    /// `other_addresses`: tried in turn where `address` keeps silent or has no capacity.
    pub other_addresses: Vec<TrunkAddress>,
    /// `numbers`: how numbers are written on this trunk.
    pub numbers: TrunkNumbers,
    /// `own_numbers`: callers that the carrier may be shown: numbers, and beginnings that end with "*". All if empty.
    pub own_numbers: Vec<String>,
    /// `foreign_caller`: what becomes of a call with any other caller.
    pub foreign_caller: ForeignCaller,
    /// `sign`: calls to it carry an Identity that the tenant signs.
    pub sign: bool,
    /// `breaker`: when calls are sent to other trunks, and for how long.
    pub breaker: Breaker,
    /// `rings_within`: a call that does not ring by then goes to the next trunk, if there is one. Zero: no bound.
    pub rings_within: Duration,
    /// `probe`: between two OPTIONS; zero never probes.
    pub probe: Duration,
    /// `[tenant.trunk.tls]`: what differs from the usual when connections are secured.
    pub tls: Option<TrunkTls>,
    /// `srtp`: whether the sound of its calls is encrypted.
    pub srtp: Srtp,
    /// `trusted`: what it says of callers beside From is believed, and scripts see its headers.
    pub trusted: bool,
    /// `identity`: how it is told who calls.
    pub identity: Identity,
    /// `sent_on` has "diversion": it is told by Diversion for whom a call was that goes on to it.
    pub diversion: bool,
    /// `sent_on` has "history-info": it is told so by History-Info.
    pub history_info: bool,
    /// `codecs`: those that calls with it may have, in the order in which they are offered; the tenant's if none.
    pub codecs: Option<Arc<[Codec]>>,
}

impl Trunk {
    /// Where its calls are sent, the first one first.
    pub fn addresses(&self) -> impl Iterator<Item = &TrunkAddress> {
        std::iter::once(&self.address).chain(&self.other_addresses)
    }
}

/// What becomes of a call whose caller the carrier may not be shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ForeignCaller {
    /// "number": it is shown as the trunk's own `number`.
    #[default]
    Number,
    /// "refuse": it takes another trunk, or fails with 403.
    Refuse,
}

/// `breaker = { failures = 3, answered = 20, of = 30 }`: when a carrier is left alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Breaker {
    /// `failures`: so many calls one after the other that it refused for reasons of its own, or did not answer.
    pub failures: u32,
    /// `answered`: percent of calls that are answered at least; zero: as few as may be.
    pub answered: u32,
    /// `of`: of so many calls within ten minutes; fewer say nothing.
    pub of: u32,
    /// `rest`: for so long at first; twice as long each time that one call then shows that nothing has changed.
    pub rest: Duration,
    /// `rest_max`: and no longer.
    pub rest_max: Duration,
}

impl Default for Breaker {
    fn default() -> Self {
        let (rest, rest_max) = (Duration::from_secs(5), Duration::from_secs(300));
        Self { failures: 1, answered: 0, of: 20, rest, rest_max }
    }
}

/// How a carrier is told who calls.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Identity {
    /// By From alone.
    #[default]
    From,
    /// By P-Asserted-Identity too (RFC 3325).
    Asserted,
    /// By Remote-Party-ID too.
    RemoteParty,
}

/// Who a carrier has to prove to be, and who we are to it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TrunkTls {
    /// `ca`: the authorities that are believed, in PEM; those of the Web if none.
    pub ca: Option<PathBuf>,
    /// `name`: what its certificate stands for; the host of `address` if none.
    pub name: Option<String>,
    /// `certificate` and `key`: shown to the carrier when it asks.
    pub shows: Option<CertificateFiles>,
    /// `accept`: calls from whoever shows a certificate for one of these names are this trunk's; in lower case.
    pub accept: Vec<String>,
}

/// Where a trunk's calls are sent: `sip:192.0.2.10`, `sip:carrier.example:5080;transport=tcp`, `sips:carrier.example`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrunkAddress {
    /// As written.
    pub uri: String,
    /// A name or an address; IPv6 without brackets.
    pub host: String,
    /// None: 5060, or 5061 for TLS.
    pub port: Option<u16>,
    /// UDP unless `;transport=tcp`, `;transport=tls` or `sips:`.
    pub transport: Transport,
    /// `transport` was said; where it was not, and `host` is a name, its DNS says (RFC 3263 §4.1).
    pub said: bool,
    /// `sips:`: every hop has to be secured, and requests say so.
    pub secure: bool,
}

impl TrunkAddress {
    /// The socket address when `host` is an IP address; a name must be resolved first.
    pub fn socket(&self) -> Option<SocketAddr> {
        Some(SocketAddr::new(self.host.parse().ok()?, self.port_or_default()))
    }

    /// The port, as said or as usual.
    pub fn port_or_default(&self) -> u16 {
        self.port.unwrap_or(self.transport.default_port())
    }

    /// Whom the DNS is asked for.
    pub fn target(&self) -> Target {
        let transport = self.said.then_some(self.transport);
        Target { host: self.host.to_ascii_lowercase(), port: self.port, transport, secure: self.secure }
    }

    /// Whether calls may go over TLS: the address says so, or a name's DNS may.
    pub fn may_be_secure(&self) -> bool {
        self.transport.is_secure() || (!self.said && self.socket().is_none())
    }
}

/// How a trunk registers with its carrier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Register {
    /// `expires`: asked for; the carrier may choose another time.
    pub expires: Duration,
    /// `domain`: of our address with the carrier, `sip:USER@DOMAIN`; the host of `address` if none.
    pub domain: Option<String>,
}

/// A component of the tenant under a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScriptFile {
    /// `name`
    pub name: String,
    /// `file`: relative to the file that names it.
    pub file: PathBuf,
}

/// A number that carriers send here, or a short one dialled inside the tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Number {
    /// `number`: E.164 with "+", or a short one.
    pub number: String,
    /// `script`: a tenant's script, or a shipped one as "strowger/NAME".
    pub script: String,
    /// `settings`: JSON, an object.
    pub settings: String,
    /// `source`: the advertising source, for reports.
    pub source: Option<String>,
    /// `fallback`: tried in order when the script fails.
    pub fallback: Vec<FallbackTarget>,
}

/// Where a call goes when its script cannot decide.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FallbackTarget {
    /// `user:ana`
    User(String),
    /// `tel:+359888000101`
    Number(String),
    /// `voicemail:office`
    Voicemail(String),
}

impl fmt::Display for FallbackTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FallbackTarget::User(name) => write!(f, "user:{name}"),
            FallbackTarget::Number(number) => write!(f, "tel:{number}"),
            FallbackTarget::Voicemail(mailbox) => write!(f, "voicemail:{mailbox}"),
        }
    }
}

/// What a call between users, or from a user to the outside, asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Calls {
    /// `script`
    pub script: String,
    /// `settings`: JSON, an object.
    pub settings: String,
}

/// A bearer token of a tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// `role`
    pub role: Role,
    /// `user`: whose token it is, who may then change their own state as an agent.
    pub user: Option<String>,
    /// `token_env`, `token_file` or `token`
    pub token: Secret,
}

/// What the bearer of a tenant's token may do; each may do what the ones before it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Read what is there.
    Reader,
    /// And act on calls.
    Agent,
    /// And change scripts and prompts, and read tapes and logs.
    Developer,
    /// Everything in the tenant.
    Admin,
}

impl Role {
    /// Every role's name.
    pub const NAMES: [&'static str; 4] = ["reader", "agent", "developer", "admin"];

    /// As in the configuration.
    pub fn name(self) -> &'static str {
        Self::NAMES[self as usize]
    }
}

impl FromStr for Role {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "reader" => Ok(Role::Reader),
            "agent" => Ok(Role::Agent),
            "developer" => Ok(Role::Developer),
            "admin" => Ok(Role::Admin),
            _ => Err(()),
        }
    }
}

/// A password or token: printed as dots, compared in constant time.
#[derive(Clone, Eq)]
pub struct Secret(String);

impl Secret {
    /// Keeps `text` out of logs.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text, for the one place that needs it.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether `other` is the same text, in a time that depends on the lengths only.
    pub fn matches(&self, other: &str) -> bool {
        let (ours, theirs) = (self.0.as_bytes(), other.as_bytes());
        let differing =
            ours.iter().zip(theirs).fold(0u8, |seen, (a, b)| std::hint::black_box(seen | (a ^ b)));
        differing == 0 && ours.len() == theirs.len()
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.matches(&other.0)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(***)")
    }
}
