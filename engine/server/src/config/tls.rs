//! `[sip.tls]`, `[tenant.tls]`, `[tenant.trunk.tls]`, `[sip.connections]` and `[sip.websocket]`: which certificates there
//! are, who is believed, and how many connections may do what. Files are read here once to tell what is wrong with them;
//! signalling reads them for itself.

use std::time::Duration;

use super::section::Section;
use super::tenant::is_host;
use super::world::{CertificateFiles, Listen, Trunk, TrunkTls};
use crate::signalling::Limits;
use crate::signalling::tls::{check_carrier, read_pair};

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);

impl Default for Limits {
    fn default() -> Self {
        Self {
            total: 50_000,
            per_address: 2_000,
            handshake: 10 * SECOND,
            // RFC 3261 §17 waits 64*T1 for anything.
            message: 32 * SECOND,
            silent: 60 * SECOND,
            // RFC 5626 §4.4.1 keep-alives come every 120 s, refreshed registrations every hour at most.
            idle: Duration::from_secs(3700),
            origins: None,
        }
    }
}

/// A certificate that is shown to whoever connects.
pub(super) fn shown(section: Section<'_, '_>) -> Option<CertificateFiles> {
    let files = pair(&section, true);
    section.finish();
    files
}

/// `certificate` and `key`, which must fit.
fn pair(section: &Section<'_, '_>, required: bool) -> Option<CertificateFiles> {
    let (certificate, key) = match required || section.has("certificate") || section.has("key") {
        true => (section.required("certificate", "acme.pem"), section.required("key", "acme-key.pem")),
        false => (section.text("certificate", "acme.pem"), section.text("key", "acme-key.pem")),
    };
    let (certificate, key) = (certificate?, key?);
    let path = |text: &str| section.source.path(text);
    let files = CertificateFiles { certificate: path(certificate.value), key: path(key.value) };
    if let Err(why) = read_pair(&files) {
        section.mistake(certificate.line, format!("{why}; write files in PEM that belong together"));
    }
    Some(files)
}

/// `[tenant.trunk.tls]`
pub(super) fn trunk(section: Section<'_, '_>) -> TrunkTls {
    let ca = section.text("ca", "carrier-ca.pem").map(|text| section.source.path(text.value));
    let name = section.text("name", "sip.carrier.example");
    if let Some(name) = name.filter(|name| !is_host(name.value)) {
        let what = format!("\"{}\" is no name; write one like \"sip.carrier.example\"", name.value);
        section.mistake(name.line, what);
    }
    let mut accept = Vec::new();
    for text in section.texts("accept", r#"["sip.carrier.example"]"#).unwrap_or_default() {
        if !is_host(text.value) {
            let what = format!(
                "\"{}\" is no name of a certificate; write one like \"sip.carrier.example\"",
                text.value
            );
            section.mistake(text.line, what);
        }
        accept.push(text.value.to_ascii_lowercase());
    }
    let shows = pair(&section, false);
    section.finish();
    TrunkTls { ca, name: name.map(|name| name.value.to_owned()), shows, accept }
}

/// Tells what stands in the way of meeting this carrier.
pub(super) fn check_trunk(section: &Section<'_, '_>, trunk: &Trunk, line: usize) {
    let needs =
        trunk.address.transport.is_secure() || trunk.tls.as_ref().is_some_and(|tls| !tls.accept.is_empty());
    // That a pair does not fit was told.
    let before = section.source.mistakes.borrow().iter().any(|mistake| mistake.line >= line);
    if needs
        && !before
        && let Err(why) = check_carrier(trunk)
    {
        section.mistake(
            line,
            format!("{why}; write ca = \"carrier-ca.pem\" and name = \"sip.carrier.example\""),
        );
    }
}

/// `[sip.connections]` and `[sip.websocket]`
pub(super) fn connections(sip: &Section<'_, '_>) -> Limits {
    let default = Limits::default();
    let limits = match sip.section("connections") {
        None => default,
        Some(section) => {
            let limits = Limits {
                total: section.integer("total", 1..=1_000_000, default.total.into()) as u32,
                per_address: section.integer("per_address", 1..=1_000_000, default.per_address.into()) as u32,
                handshake: section.duration("handshake", SECOND..=60 * SECOND, default.handshake),
                message: section.duration("message", SECOND..=HOUR, default.message),
                silent: section.duration("silent", SECOND..=HOUR, default.silent),
                idle: section.duration("idle", 60 * SECOND..=24 * HOUR, default.idle),
                origins: None,
            };
            section.finish();
            limits
        }
    };
    let origins = sip.section("websocket").and_then(|section| {
        let texts = section.texts("origins", r#"["https://phone.example"]"#);
        for text in texts.iter().flatten().filter(|text| !is_origin(text.value)) {
            let what = format!(
                "\"{}\" is no origin; write scheme and host like \"https://phone.example\"",
                text.value
            );
            section.mistake(text.line, what);
        }
        section.finish();
        Some(texts?.iter().map(|text| text.value.to_owned()).collect())
    });
    Limits { origins, ..limits }
}

/// RFC 6454 §6.2: scheme, host and perhaps port, without a path.
fn is_origin(text: &str) -> bool {
    let host = text.split_once("://").map(|(_, host)| host);
    host.is_some_and(|host| !host.is_empty() && !host.contains(['/', ' ']))
}

/// Whoever listens for TLS has something to show.
pub(super) fn check_shown(sip: &Section<'_, '_>, listen: &[Listen], default: Option<&CertificateFiles>) {
    if let Some(at) = listen.iter().find(|at| at.transport.is_secure()).filter(|_| default.is_none()) {
        let what = format!(
            "\"{at}\" has no certificate to show; write [sip.tls] with certificate = \"sip.pem\" and key = \"sip-key.pem\""
        );
        sip.mistake(sip.line, what);
    }
}
