//! The world as configured: who may call, which number asks which script, which carriers there are.
//! A [`World`] is plain, checked and immutable; a reload builds a new one and swaps the `Arc`, so a
//! call keeps the world it began in. Reading it from TOML is in the modules beside this one.

mod tenant;
mod token;
mod trunk;

use std::collections::HashMap;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
pub use protocol::sip::flow::Transport;

pub(super) use self::tenant::TenantParts;
pub use self::tenant::{Calls, FallbackTarget, Group, Number, Playlist, ScriptFile, Tenant, User};
pub use self::token::{Role, Secret, Token};
pub use self::trunk::{Breaker, ForeignCaller, Identity, Register, Trunk, TrunkAddress, TrunkTls};
use super::speech::SpeechSettings;
use super::traces::TraceSettings;
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
