//! The certificates that identities are signed with (RFC 8226): had from a folder or over HTTP, checked up to authorities
//! that the tenant believes and to lists of what they took back, and kept for a while. A certificate is had by a task of its
//! own, so the shard never waits; whose number a certificate may sign for (its TNAuthList) is not asked about.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use exchange::{Fetch, FetchMethod};
use reqwest::Url;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, TrustAnchor, UnixTime};
use webpki::{
    CertRevocationList, EndEntityCert, ExtendedKeyUsageValidator, KeyPurposeIdIter, RevocationOptionsBuilder,
    UnknownStatusPolicy,
};

use super::passport::Invalid;
use crate::config::{Limits, Stir};
use crate::outside::Fetcher;

/// Certificates that are kept, of all tenants; at the bound the oldest is had again when it is needed.
const MOST_KEPT: usize = 1024;
/// A certificate that holds is had again after so long, one that does not sooner.
const KEPT: Duration = Duration::from_secs(3600);
const KEPT_BAD: Duration = Duration::from_secs(60);
/// A caller waits no longer for a certificate.
const PATIENCE: Duration = Duration::from_secs(3);
/// Bytes of a chain.
const LARGEST: u64 = 64 << 10;
/// Certificates of a chain.
const LONGEST_CHAIN: usize = 8;
/// How a SubjectPublicKeyInfo of P-256 begins (RFC 5480 §2.1.1); 65 bytes of an uncompressed point follow.
const P256: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86,
    0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];

/// A key that a believed certificate has, or why there is none.
pub type Key = Result<Arc<[u8]>, Invalid>;

/// A tenant, and the URL of a certificate.
type Place = (Arc<str>, String);

/// Keys by tenant and URL.
#[derive(Debug, Default)]
pub struct Certificates {
    kept: Mutex<HashMap<Place, Kept>>,
}

/// What was found out about a URL.
#[derive(Debug)]
struct Kept {
    at: Instant,
    key: Key,
    /// By whose word; another configuration may believe others.
    of: Weak<Stir>,
}

impl Certificates {
    /// What is known of a URL.
    pub fn known(&self, now: Instant, tenant: &Arc<str>, stir: &Arc<Stir>, url: &str) -> Option<Key> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let Kept { at, key, of } = kept.get(&(tenant.clone(), url.to_owned()))?;
        let life = if key.is_ok() { KEPT } else { KEPT_BAD };
        let holds = of.as_ptr() == Arc::as_ptr(stir) && now.saturating_duration_since(*at) < life;
        holds.then(|| key.clone())
    }

    /// Finds out about a URL. May read a file and ask a server; ends in [`PATIENCE`].
    pub async fn have(
        &self,
        fetcher: &Fetcher,
        tenant: Arc<str>,
        stir: Arc<Stir>,
        limits: Limits,
        url: String,
    ) {
        let found = tokio::time::timeout(PATIENCE, pem(fetcher, &tenant, &stir, &limits, &url)).await;
        let key = found
            .unwrap_or(Err(Invalid::Unavailable))
            .and_then(|pem| key(&pem, &stir.roots, &stir.revoked, UnixTime::now()));
        if let Err(why) = &key {
            tracing::info!(tenant = &*tenant, url, %why, "no certificate of an identity");
        }
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= MOST_KEPT {
            let oldest = kept.iter().min_by_key(|(_, kept)| kept.at).map(|(of, _)| of.clone());
            oldest.map(|oldest| kept.remove(&oldest));
        }
        kept.insert((tenant, url), Kept { at: Instant::now(), key, of: Arc::downgrade(&stir) });
    }
}

/// A chain as it is published: of the folder where that has it, else of its server.
async fn pem(
    fetcher: &Fetcher,
    tenant: &Arc<str>,
    stir: &Stir,
    limits: &Limits,
    url: &str,
) -> Result<Vec<u8>, Invalid> {
    let unavailable = Invalid::Unavailable;
    if let Some(file) = stir.folder.as_deref().and_then(|folder| in_folder(folder, url)) {
        let read = tokio::task::spawn_blocking(move || std::fs::read(file)).await;
        if let Ok(Ok(pem)) = read
            && pem.len() as u64 <= LARGEST
        {
            return Ok(pem);
        }
    }
    let fetch = Fetch {
        method: FetchMethod::Get,
        url: url.to_owned(),
        headers: Vec::new(),
        body: Vec::new(),
        timeout: PATIENCE,
        redirects: 0,
    };
    let limits = Limits { http_response_size: LARGEST, ..limits.clone() };
    // A way of its own: what scripts may ask is another matter.
    let way = format!("{tenant}/stir").into();
    let fetched = fetcher.fetch(&way, &stir.outside, &limits, fetch, None).await.map_err(|_| unavailable)?;
    if fetched.status == 200 { Ok(fetched.body) } else { Err(unavailable) }
}

/// The file that a folder has for a URL: the last part of its path, if that is a plain name.
fn in_folder(folder: &Path, url: &str) -> Option<std::path::PathBuf> {
    let url = Url::parse(url).ok()?;
    let name = url.path_segments()?.next_back()?;
    let plain = !name.is_empty()
        && !name.starts_with('.')
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_'));
    plain.then(|| folder.join(name))
}

/// The key of a chain's first certificate, if the chain leads to one of the roots, and none of it was taken back. Of an issuer
/// without a list nothing was.
fn key(pem: &[u8], roots: &[TrustAnchor<'_>], revoked: &[CertRevocationList<'_>], time: UnixTime) -> Key {
    let bad = Invalid::Certificate;
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).take(LONGEST_CHAIN + 1).collect();
    let chain = chain.map_err(|_| bad)?;
    let (first, between) = chain.split_first().filter(|_| chain.len() <= LONGEST_CHAIN).ok_or(bad)?;
    let certificate = EndEntityCert::try_from(first).map_err(|_| bad)?;
    let algorithms = webpki::ALL_VERIFICATION_ALGS;
    let lists: Vec<&CertRevocationList<'_>> = revoked.iter().collect();
    let revocation = RevocationOptionsBuilder::new(&lists).ok();
    let revocation = revocation.map(|options| options.with_status_policy(UnknownStatusPolicy::Allow).build());
    certificate.verify_for_usage(algorithms, roots, between, time, AnyUse, revocation, None).map_err(
        |why| match why {
            webpki::Error::CertExpired { .. } | webpki::Error::CertNotValidYet { .. } => Invalid::Expired,
            webpki::Error::CertRevoked => Invalid::Revoked,
            _ => bad,
        },
    )?;
    let info = certificate.subject_public_key_info();
    let point = info.strip_prefix(&P256[..]).filter(|point| point.len() == 65 && point[0] == 4);
    point.map(Arc::from).ok_or(bad)
}

/// RFC 8226 names no extended key usage.
struct AnyUse;

impl ExtendedKeyUsageValidator for AnyUse {
    fn validate(&self, _: KeyPurposeIdIter<'_, '_>) -> Result<(), webpki::Error> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_names_a_file_of_the_folder_and_none_elsewhere() {
        let file = |url| in_folder(Path::new("certs"), url);
        assert_eq!(file("https://c.example/a/b.pem?x#y"), Some("certs/b.pem".into()));
        for url in ["https://c.example/", "https://c.example/a/..%2fb", "https://c.example/.b", "b.pem", ""] {
            assert_eq!(file(url), None, "{url}");
        }
    }

    #[test]
    fn what_is_no_chain_or_leads_to_nobody_is_not_believed() {
        for pem in ["", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "\u{0}"] {
            assert_eq!(key(pem.as_bytes(), &[], &[], UnixTime::now()), Err(Invalid::Certificate));
        }
    }
}
