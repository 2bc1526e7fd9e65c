//! A carrier as configured: where it is, who it is, and how it is spoken to.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use protocol::sdp::{Codec, Srtp};
use protocol::sip::flow::Transport;
use protocol::sip::locate::Target;

use super::{CertificateFiles, Secret};
use crate::config::numbering::TrunkNumbers;

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
