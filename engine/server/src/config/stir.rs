//! `[tenant.stir]`: whose word is taken about who calls, and what this tenant signs calls to carriers with (RFC 8224).

use std::path::PathBuf;
use std::sync::Arc;

use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer, TrustAnchor};

use super::outside::{Outside, outside};
use super::section::Section;
use crate::stir::passport::Signer;

/// Authorities of one tenant; one more is a mistake.
const MOST_ROOTS: usize = 256;

/// What a tenant believes and signs.
#[derive(Debug, Default)]
pub struct Stir {
    /// `roots`: authorities that certificates have to lead to; nothing is checked without any.
    pub roots: Vec<TrustAnchor<'static>>,
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
        let file = section.source.path(text.value);
        let mistake = |why: &str| {
            section
                .mistake(text.line, format!("\"{}\": {why}; write a file of certificates in PEM", text.value))
        };
        match CertificateDer::pem_file_iter(&file)
            .and_then(|all| all.take(MOST_ROOTS + 1).collect::<Result<Vec<_>, _>>())
        {
            Ok(all) if all.is_empty() => mistake("there is no certificate in it"),
            Ok(all) if all.len() > MOST_ROOTS => mistake("there are more than 256 certificates in it"),
            Ok(all) => {
                let anchors = all
                    .iter()
                    .map(|root| webpki::anchor_from_trusted_cert(root).map(|anchor| anchor.to_owned()));
                match anchors.collect() {
                    Ok(roots) => stir.roots = roots,
                    Err(_) => mistake("one of its certificates can't be read"),
                }
            }
            Err(why) => mistake(&why.to_string()),
        }
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
