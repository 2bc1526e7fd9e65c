//! `[tenant.stir]`: whose word is taken about who calls, and what this tenant signs calls to carriers with (RFC 8224).

use std::path::PathBuf;
use std::sync::Arc;

use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateRevocationListDer, PrivatePkcs8KeyDer, TrustAnchor};
use webpki::{CertRevocationList, OwnedCertRevocationList};

use super::outside::{Outside, authorities, outside};
use super::section::{Section, Text};
use crate::stir::passport::Signer;

/// Revocation lists of one tenant; one more is a mistake.
const MOST_LISTS: usize = 256;

/// What a tenant believes and signs.
#[derive(Debug, Default)]
pub struct Stir {
    /// `roots`: authorities that certificates have to lead to; nothing is checked without any.
    pub roots: Vec<TrustAnchor<'static>>,
    /// `revoked`: certificates that their issuers have taken back; read again with the configuration.
    pub revoked: Vec<CertRevocationList<'static>>,
    /// `certificates`: a folder that is looked into by the last part of a certificate's URL.
    pub folder: Option<PathBuf>,
    /// `http`: servers that certificates are had from; none unless named.
    pub outside: Arc<Outside>,
    /// `key` and `x5u`: what calls are signed with, and where its certificate is published.
    pub signer: Option<Signer>,
}

/// Reads `[tenant.stir]`.
pub(super) fn stir(section: Section<'_, '_>) -> Arc<Stir> {
    let mut stir = Stir::default();
    if let Some(text) = section.text("roots", "sti-roots.pem") {
        let all = authorities(&section, text);
        let anchors =
            all.iter().map(|root| webpki::anchor_from_trusted_cert(root).map(|anchor| anchor.to_owned()));
        match anchors.collect() {
            Ok(roots) => stir.roots = roots,
            Err(_) => {
                section
                    .mistake(text.line, format!("\"{}\": one of its certificates can't be read", text.value));
            }
        }
    }
    if let Some(text) = section.text("revoked", "sti-crl.pem") {
        stir.revoked = revoked(&section, text);
    }
    if let Some(text) = section.text("certificates", "sti-certificates") {
        let folder = section.source.path(text.value);
        if !folder.is_dir() {
            section.mistake(
                text.line,
                format!("there is no folder \"{}\"; write one that is there", text.value),
            );
        }
        stir.folder = Some(folder);
    }
    stir.outside = Arc::new(section.section("http").map_or_else(Outside::default, outside));
    let key = section.text("key", "sti-key.pem");
    let url = section.text("x5u", "https://acme.example/sti.pem");
    match (key, url) {
        (Some(key), Some(url)) => {
            if !url.value.starts_with("https://") || url.value.contains(['<', '>', '"', ' ', ';']) {
                let what = format!(
                    "\"{}\" is no place for a certificate; write a URL like \"https://acme.example/sti.pem\"",
                    url.value
                );
                section.mistake(url.line, what);
            }
            let file = section.source.path(key.value);
            let read = PrivatePkcs8KeyDer::from_pem_file(&file).ok();
            stir.signer = read.and_then(|pkcs8| Signer::new(pkcs8.secret_pkcs8_der(), url.value));
            if stir.signer.is_none() {
                let what = format!(
                    "\"{}\" holds no key of P-256 in PKCS #8; write one that openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 has made",
                    key.value
                );
                section.mistake(key.line, what);
            }
        }
        (Some(only), None) | (None, Some(only)) => {
            section.mistake(only.line, "a signature needs both \"key\" and \"x5u\"; write key = \"sti-key.pem\" and x5u = \"https://acme.example/sti.pem\"");
        }
        (None, None) => {}
    }
    section.finish();
    Arc::new(stir)
}

/// The revocation lists of a file in PEM, each of the issuer whose certificates it takes back.
fn revoked(section: &Section<'_, '_>, text: Text<'_>) -> Vec<CertRevocationList<'static>> {
    let mistake = |why: &str| {
        let what = format!("\"{}\": {why}; write a file of revocation lists in PEM", text.value);
        section.mistake(text.line, what);
        Vec::new()
    };
    let read = CertificateRevocationListDer::pem_file_iter(section.source.path(text.value))
        .and_then(|all| all.take(MOST_LISTS + 1).collect::<Result<Vec<_>, _>>());
    let all = match read {
        Ok(all) if all.is_empty() => return mistake("there is no revocation list in it"),
        Ok(all) if all.len() > MOST_LISTS => return mistake("there are more than 256 lists in it"),
        Ok(all) => all,
        Err(why) => return mistake(&why.to_string()),
    };
    let lists = all.iter().map(|der| Ok(OwnedCertRevocationList::from_der(der.as_ref())?.into()));
    let lists: Result<Vec<_>, webpki::Error> = lists.collect();
    lists.unwrap_or_else(|why| mistake(&format!("one of its lists can't be read: {why}")))
}
