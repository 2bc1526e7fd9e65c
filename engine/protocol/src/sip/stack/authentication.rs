//! Digest authentication, both ways (RFC 3261 §22, RFC 8760): asked of whoever calls or registers, and shown to
//! carriers that ask for it. The arithmetic is in [`digest`](crate::sip::digest).

use std::sync::Arc;
use std::time::Instant;

use super::{Credentials, Gatekeeper};
use crate::sip::compose::Sent;
use crate::sip::message::{Request, Response};

pub(super) struct Verifier;

pub(super) fn verifier(instance: u8, seed: u64) -> Verifier {
    let _ = (instance, seed);
    Verifier
}

/// What a request proved.
pub(super) enum Verdict {
    User(Arc<str>),
    Challenge { headers: Vec<String>, bad_credentials: bool },
    Malformed,
}

impl Verifier {
    pub(super) fn judge(
        &mut self,
        now: Instant,
        request: &Request,
        tenant: &str,
        realm: &str,
        gatekeeper: &dyn Gatekeeper,
    ) -> Verdict {
        let _ = (now, request, tenant, realm, gatekeeper.password("", ""));
        Verdict::Malformed
    }
}

pub(super) fn answer(
    response: &Response,
    sent: &Sent,
    credentials: &Credentials,
    chance: u64,
) -> Option<Vec<u8>> {
    let _ = (response, sent, credentials, chance);
    None
}
