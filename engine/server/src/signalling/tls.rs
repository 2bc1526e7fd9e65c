//! TLS under signalling (RFC 3261 §26.2, RFC 5922): which certificate is shown for which domain, who is believed to be
//! a carrier, and what a carrier's certificate must say. Files are read again at a reload and when they change; what
//! can't be read leaves the old ones in force. Revocation is not asked about.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::SystemTime;

use protocol::sip::flow::Flow;
use tokio_rustls::rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use tokio_rustls::rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use tokio_rustls::rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms, ring};
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use tokio_rustls::rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use tokio_rustls::rustls::server::{
    ClientHello, ParsedCertificate, ResolvesServerCert, WebPkiClientVerifier,
};
use tokio_rustls::rustls::sign::CertifiedKey;
use tokio_rustls::rustls::{
    self, CertificateError, ClientConfig, DigitallySignedStruct, DistinguishedName, RootCertStore,
    ServerConfig, SignatureScheme,
};

use crate::config::{CertificateFiles, Trunk, TrunkTls, World};

/// Names of one certificate that are looked at; what has more is no carrier's.
const MOST_NAMES: usize = 64;

/// Who may have to prove something: trunks ever configured, and hosts ever called. Beyond it nobody new is called over TLS.
const MOST_AUTHORITIES: usize = 20_000;

/// What signalling knows of certificates; one for all connections.
pub(super) struct Tls {
    live: RwLock<Arc<Live>>,
    /// Who may have to prove to be somewhere, by number less one. Only grows, by what is configured.
    authorities: Mutex<Vec<(String, String)>>,
    /// Of the connections whose peer showed a certificate of some use.
    proven: Arc<Certificates>,
}

/// What is in force.
pub(super) struct Live {
    /// None: there is no certificate to show.
    pub server: Option<Arc<ServerConfig>>,
    /// By tenant and trunk.
    trunks: HashMap<(String, String), Arc<Carrier>>,
    /// Whose word is taken when a carrier calls: a file of authorities, or those of the Web.
    callers: Vec<(Option<PathBuf>, Arc<dyn ClientCertVerifier>)>,
    world: Arc<World>,
    stamps: Stamps,
}

/// How one carrier is met.
pub(super) struct Carrier {
    pub client: Arc<ClientConfig>,
    pub name: ServerName<'static>,
}

/// Files, and when each was last changed and how long it is.
type Stamps = BTreeMap<PathBuf, Option<(SystemTime, u64)>>;

/// Certificates that peers have shown, by the number of their connection.
#[derive(Default)]
pub struct Certificates(RwLock<HashMap<u64, Arc<Proof>>>);

/// What a peer's certificate says, and who says so.
#[derive(Debug, PartialEq, Eq)]
pub struct Proof {
    /// RFC 5922 §7.1: the domains that it stands for, in lower case.
    pub names: Vec<String>,
    /// The files of authorities by which it holds; none stands for those of the Web.
    pub authorities: Vec<Option<PathBuf>>,
}

impl Certificates {
    /// What the peer of a connection has proved; none for a peer that showed nothing that holds.
    pub fn of(&self, connection: u64) -> Option<Arc<Proof>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(&connection).cloned()
    }

    /// The same, and nothing looked up for what came unsecured.
    pub fn of_flow(&self, flow: &Flow) -> Option<Arc<Proof>> {
        flow.transport.is_secure().then(|| self.of(flow.connection)).flatten()
    }

    fn keep(&self, connection: u64, proof: Proof) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).insert(connection, Arc::new(proof));
    }

    pub(super) fn forget(&self, connection: u64) {
        // Most connections have none.
        if self.of(connection).is_some() {
            self.0.write().unwrap_or_else(PoisonError::into_inner).remove(&connection);
        }
    }
}

/// Why certificates can't be used.
#[derive(Debug)]
pub enum Unusable {
    /// A file can't be read.
    File(PathBuf, io::Error),
    /// A file holds nothing of its kind.
    Nothing(PathBuf, &'static str),
    /// A key that does not belong to its certificate, or one of a kind that is not known.
    Key(PathBuf, rustls::Error),
    /// A carrier's name that no certificate can carry.
    Name(String),
    /// Anything else that TLS does not take.
    Tls(rustls::Error),
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(file, why) => write!(f, "cannot read \"{}\": {why}", file.display()),
            Self::Nothing(file, what) => write!(f, "\"{}\" has no {what} in PEM", file.display()),
            Self::Key(file, why) => {
                write!(f, "the key \"{}\" does not fit its certificate: {why}", file.display())
            }
            Self::Name(name) => write!(f, "\"{name}\" is no name that a certificate can carry"),
            Self::Tls(why) => why.fmt(f),
        }
    }
}

impl std::error::Error for Unusable {}

impl From<rustls::Error> for Unusable {
    fn from(why: rustls::Error) -> Self {
        Self::Tls(why)
    }
}

impl Tls {
    /// # Errors
    /// What is wrong with a file: the configuration has looked at all of them, but files change.
    pub fn new(world: &Arc<World>) -> Result<Self, Unusable> {
        let live = RwLock::new(Arc::new(Live::read(world)?));
        Ok(Self { live, authorities: Mutex::default(), proven: Arc::default() })
    }

    pub fn live(&self) -> Arc<Live> {
        self.live.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub fn certificates(&self) -> &Arc<Certificates> {
        &self.proven
    }

    /// Reads everything anew for another configuration. Connections that are open stay as they are.
    pub fn reconfigure(&self, world: &Arc<World>) {
        match Live::read(world) {
            Ok(live) => *self.live.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(live),
            Err(why) => tracing::error!(%why, "the certificates before stay in force"),
        }
    }

    /// Reads everything anew if a file has changed. Whoever renews a certificate writes two files, one after the
    /// other: until both fit, the old ones stay, and this is tried again. Answers whether something is new.
    pub fn refresh(&self) -> bool {
        let live = self.live();
        if live.stamps == stamps(&live.world) {
            return false;
        }
        match Live::read(&live.world) {
            Ok(fresh) => {
                *self.live.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(fresh);
                tracing::info!("certificates were read again");
                true
            }
            Err(why) => {
                tracing::warn!(%why, "changed certificates are not used yet");
                false
            }
        }
    }

    /// The number by which destinations name a carrier.
    pub fn authority(&self, tenant: &str, trunk: &str) -> u32 {
        let mut known = self.authorities.lock().unwrap_or_else(PoisonError::into_inner);
        let place = known.iter().position(|(t, name)| (t.as_str(), name.as_str()) == (tenant, trunk));
        match place {
            Some(place) => place as u32 + 1,
            None if known.len() >= MOST_AUTHORITIES => 0,
            None => {
                known.push((tenant.to_owned(), trunk.to_owned()));
                known.len() as u32
            }
        }
    }

    /// How the carrier of that number is met; none for nobody's, or one that is no longer configured.
    pub fn carrier(&self, authority: u32) -> Option<Arc<Carrier>> {
        let known = self.authorities.lock().unwrap_or_else(PoisonError::into_inner);
        let key = known.get((authority as usize).checked_sub(1)?)?;
        match key {
            // No tenant has an empty name: this is a host that an address elsewhere named.
            (nobody, host) if nobody.is_empty() => stranger(host).ok().map(Arc::new),
            carrier => self.live().trunks.get(carrier).cloned(),
        }
    }

    /// Looks at what a peer that connected here has shown.
    pub fn prove(&self, connection: u64, shown: Option<&[CertificateDer<'_>]>) {
        let Some(proof) = shown.and_then(|chain| self.live().proof(chain)) else { return };
        tracing::debug!(connection, names = ?proof.names, "a peer has proved its names");
        self.proven.keep(connection, proof);
    }

    /// A carrier that was called here has proved its name by what it has shown: what comes on that connection is its own, as
    /// if it had made it (RFC 5923 §5), where its trunk accepts that name.
    pub fn prove_called(&self, connection: u64, authority: u32, shown: Option<&[CertificateDer<'_>]>) {
        let Some(own) = shown.and_then(|chain| chain.first()) else { return };
        let known = self.authorities.lock().unwrap_or_else(PoisonError::into_inner);
        let trunk = (authority as usize).checked_sub(1).and_then(|at| known.get(at)).cloned();
        drop(known);
        let live = self.live();
        let tls = trunk.and_then(|(tenant, trunk)| live.world.tenant(&tenant)?.trunk(&trunk)?.tls.clone());
        if let Some(tls) = tls {
            self.proven.keep(connection, Proof { names: names(own), authorities: vec![tls.ca] });
        }
    }
}

impl Live {
    fn read(world: &Arc<World>) -> Result<Self, Unusable> {
        // Before the files, so that what changes meanwhile is read again.
        let stamps = stamps(world);
        let mut shown = Shown { default: None, by_domain: HashMap::new() };
        if let Some(files) = &world.sip.tls {
            shown.default = Some(Arc::new(read_pair(files)?));
        }
        for tenant in &world.tenants {
            let Some(files) = &tenant.tls else { continue };
            let pair = Arc::new(read_pair(files)?);
            shown.by_domain.extend(tenant.domains.iter().map(|domain| (domain.clone(), pair.clone())));
        }
        let mut trunks = HashMap::new();
        let mut callers: Vec<(Option<PathBuf>, Arc<dyn ClientCertVerifier>)> = Vec::new();
        for tenant in &world.tenants {
            for trunk in &tenant.trunks {
                if trunk.address.may_be_secure() {
                    let key = (tenant.name.to_string(), trunk.name.clone());
                    trunks.insert(key, Arc::new(carrier(trunk)?));
                }
                let Some(TrunkTls { ca, accept, .. }) = &trunk.tls else { continue };
                if !accept.is_empty() && !callers.iter().any(|(known, _)| known == ca) {
                    let roots = Arc::new(roots(ca.as_deref())?);
                    let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider()).build();
                    let verifier = verifier.map_err(|why| rustls::Error::General(why.to_string()))?;
                    callers.push((ca.clone(), verifier));
                }
            }
        }
        let server = (!shown.is_empty()).then(|| server(shown, !callers.is_empty())).transpose()?;
        Ok(Self { server, trunks, callers, world: world.clone(), stamps })
    }

    /// What a certificate is worth to the carriers that are configured.
    fn proof(&self, chain: &[CertificateDer<'_>]) -> Option<Proof> {
        let (own, between) = chain.split_first()?;
        let now = UnixTime::now();
        let holds =
            |verifier: &dyn ClientCertVerifier| verifier.verify_client_cert(own, between, now).is_ok();
        let authorities: Vec<_> =
            self.callers.iter().filter(|(_, by)| holds(&**by)).map(|(file, _)| file.clone()).collect();
        let names = names(own);
        (!authorities.is_empty() && !names.is_empty()).then_some(Proof { names, authorities })
    }
}

/// Reads a certificate with its chain and its key, and sees that they belong together.
pub fn read_pair(files: &CertificateFiles) -> Result<CertifiedKey, Unusable> {
    let chain = read_chain(&files.certificate)?;
    let text = read_file(&files.key)?;
    let key = PrivateKeyDer::from_pem_slice(&text)
        .map_err(|_| Unusable::Nothing(files.key.clone(), "private key"))?;
    let misfit = |why| Unusable::Key(files.key.clone(), why);
    let pair = CertifiedKey::from_der(chain, key, &provider()).map_err(misfit)?;
    pair.keys_match().map_err(misfit)?;
    Ok(pair)
}

/// Everything that a trunk needs to be met; for the configuration, which tells what is wrong.
pub fn check_carrier(trunk: &Trunk) -> Result<(), Unusable> {
    carrier(trunk).map(drop)
}

fn carrier(trunk: &Trunk) -> Result<Carrier, Unusable> {
    let tls = trunk.tls.as_ref();
    let name = tls.and_then(|tls| tls.name.as_deref()).unwrap_or(&trunk.address.host).to_ascii_lowercase();
    let domain = ServerName::try_from(name.clone()).map_err(|_| Unusable::Name(name))?;
    let roots = roots(tls.and_then(|tls| tls.ca.as_deref()))?;
    let algorithms = provider().signature_verification_algorithms;
    let builder = ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions()?;
    let builder = builder
        .dangerous() // what it says of itself; RFC 5922 asks for more than the usual check, see there
        .with_custom_certificate_verifier(Arc::new(CarrierVerifier { roots, algorithms }));
    let client = match tls.and_then(|tls| tls.shows.as_ref()) {
        Some(files) => {
            let pair = Arc::new(read_pair(files)?);
            builder.with_client_cert_resolver(Arc::new(rustls::sign::SingleCertAndKey::from((*pair).clone())))
        }
        None => builder.with_no_client_auth(),
    };
    Ok(Carrier { client: Arc::new(client), name: domain })
}

/// A host that is no carrier's proves itself to the authorities of the Web.
fn stranger(host: &str) -> Result<Carrier, Unusable> {
    let name = ServerName::try_from(host.to_owned()).map_err(|_| Unusable::Name(host.to_owned()))?;
    let algorithms = provider().signature_verification_algorithms;
    let builder = ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions()?;
    let verifier = CarrierVerifier { roots: roots(None)?, algorithms };
    let client =
        builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier)).with_no_client_auth();
    Ok(Carrier { client: Arc::new(client), name })
}

fn server(shown: Shown, asks: bool) -> Result<Arc<ServerConfig>, Unusable> {
    let builder = ServerConfig::builder_with_provider(provider()).with_safe_default_protocol_versions()?;
    let algorithms = provider().signature_verification_algorithms;
    let builder = match asks {
        true => builder.with_client_cert_verifier(Arc::new(AnyCaller { algorithms })),
        false => builder.with_no_client_auth(),
    };
    Ok(Arc::new(builder.with_cert_resolver(Arc::new(shown))))
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

/// The authorities of a file; without one those of the Web.
fn roots(file: Option<&Path>) -> Result<RootCertStore, Unusable> {
    let mut roots = RootCertStore::empty();
    let Some(file) = file else {
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        return Ok(roots);
    };
    for certificate in read_chain(file)? {
        roots.add(certificate)?;
    }
    Ok(roots)
}

fn read_chain(file: &Path) -> Result<Vec<CertificateDer<'static>>, Unusable> {
    let text = read_file(file)?;
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    let nothing = || Unusable::Nothing(file.to_owned(), "certificate");
    chain.ok().filter(|chain| !chain.is_empty()).ok_or_else(nothing)
}

fn read_file(file: &Path) -> Result<Vec<u8>, Unusable> {
    fs::read(file).map_err(|why| Unusable::File(file.to_owned(), why))
}

/// Every file that certificates of this configuration are in.
fn stamps(world: &World) -> Stamps {
    let pair = |files: &CertificateFiles| [files.certificate.clone(), files.key.clone()];
    let mut files: Vec<PathBuf> = world.sip.tls.iter().flat_map(pair).collect();
    for tenant in &world.tenants {
        files.extend(tenant.tls.iter().flat_map(pair));
        for tls in tenant.trunks.iter().filter_map(|trunk| trunk.tls.as_ref()) {
            files.extend(tls.ca.clone());
            files.extend(tls.shows.iter().flat_map(pair));
        }
    }
    let stamp = |file: &PathBuf| {
        let about = fs::metadata(file).ok()?;
        Some((about.modified().ok()?, about.len()))
    };
    files.into_iter().map(|file| (file.clone(), stamp(&file))).collect()
}

/// RFC 5922 §7.1: the domains of `sip:` URIs among the alternative names, and only without any of these the DNS
/// names. The subject's common name counts for nothing.
fn names(certificate: &CertificateDer<'_>) -> Vec<String> {
    let Ok(read) = webpki::EndEntityCert::try_from(certificate) else { return Vec::new() };
    let uris = read.valid_uri_names().take(MOST_NAMES).filter_map(|uri| {
        let (scheme, domain) = uri.split_once(':')?;
        // A URI with a user part speaks for a person, not for a domain.
        let is_domain = scheme.eq_ignore_ascii_case("sip") && !domain.contains('@') && !domain.is_empty();
        is_domain.then(|| domain.to_ascii_lowercase())
    });
    let uris: Vec<_> = uris.collect();
    match uris.is_empty() {
        true => read.valid_dns_names().take(MOST_NAMES).map(str::to_ascii_lowercase).collect(),
        false => uris,
    }
}

/// Which certificate is shown: that of the tenant whose domain is asked for (RFC 6066 §3), else the default one.
#[derive(Debug)]
struct Shown {
    default: Option<Arc<CertifiedKey>>,
    by_domain: HashMap<String, Arc<CertifiedKey>>,
}

impl Shown {
    fn is_empty(&self) -> bool {
        self.default.is_none() && self.by_domain.is_empty()
    }
}

impl ResolvesServerCert for Shown {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let asked = hello.server_name().and_then(|name| self.by_domain.get(&name.to_ascii_lowercase()));
        asked.or(self.default.as_ref()).cloned()
    }
}

/// RFC 5922 §7.2, §7.3: a chain to an authority that the carrier's operator named, and the carrier's domain as a
/// whole among its names; wildcards match nothing.
#[derive(Debug)]
struct CarrierVerifier {
    roots: RootCertStore,
    algorithms: WebPkiSupportedAlgorithms,
}

impl ServerCertVerifier for CarrierVerifier {
    fn verify_server_cert(
        &self,
        own: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        _ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let read = ParsedCertificate::try_from(own)?;
        verify_server_cert_signed_by_trust_anchor(&read, &self.roots, between, now, self.algorithms.all)?;
        match name {
            ServerName::DnsName(domain) => {
                let domain = domain.as_ref().trim_end_matches('.');
                if !names(own).iter().any(|name| name.eq_ignore_ascii_case(domain)) {
                    return Err(CertificateError::NotValidForName.into());
                }
            }
            address => verify_server_name(&read, address)?,
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        own: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls12_signature(message, own, signed, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        own: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(message, own, signed, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

/// Lets a peer show any certificate whose key it has, and believes none of them: telephones show what their maker
/// burnt in. Whether it is a carrier's is looked at afterwards, by [`Tls::prove`].
#[derive(Debug)]
struct AnyCaller {
    algorithms: WebPkiSupportedAlgorithms,
}

impl ClientCertVerifier for AnyCaller {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        _own: &CertificateDer<'_>,
        _between: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        own: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls12_signature(message, own, signed, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        own: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(message, own, signed, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
