//! Digest authentication, both ways (RFC 3261 §22, RFC 8760): asked of whoever calls or registers, and shown to
//! carriers that ask for it. The arithmetic is in [`digest`](crate::sip::digest).

use std::sync::Arc;
use std::time::Instant;

use super::{Credentials, Gatekeeper};
use crate::sip::compose::Sent;
use crate::sip::digest::{self, Denied};
use crate::sip::grammar;
use crate::sip::headers::HeaderName;
use crate::sip::message::{Message, Request, Response};
use crate::sip::wire;

/// Challenges and verifies users.
pub(super) struct Verifier {
    secret: [u8; 32],
    /// Counts from the first message on.
    server: Option<digest::Server>,
}

/// What a request proved.
pub(super) enum Verdict {
    User(Arc<str>),
    /// These WWW-Authenticate go out with a 401; the same for an unknown user and a wrong password.
    Challenge {
        headers: Vec<String>,
        bad_credentials: bool,
    },
}

impl Verifier {
    pub(super) fn new(secret: [u8; 32]) -> Self {
        Self { secret, server: None }
    }

    pub(super) fn judge(
        &mut self,
        now: Instant,
        request: &Request,
        tenant: &str,
        realm: &str,
        gatekeeper: &dyn Gatekeeper,
    ) -> Verdict {
        let server = self.server.get_or_insert_with(|| digest::Server::new(self.secret, now));
        let algorithms = gatekeeper.algorithms(tenant);
        let shown = digest::Credentials::for_realm(&request.headers, HeaderName::Authorization, realm);
        let denied = match &shown {
            None => None,
            Some(shown) => {
                let password = gatekeeper.password(tenant, &shown.username);
                let (method, body) = (request.method.as_str(), &request.body);
                match server.verify(now, realm, &algorithms, shown, method, body, password.as_deref()) {
                    Ok(()) => return Verdict::User(shown.username.as_str().into()),
                    Err(denied) => Some(denied),
                }
            }
        };
        let challenges = server.challenges(now, realm, &algorithms, denied == Some(Denied::Stale));
        Verdict::Challenge {
            headers: challenges.iter().map(grammar::written).collect(),
            bad_credentials: denied == Some(Denied::Wrong),
        }
    }
}

/// The lines that `sent` lacked, by the challenge of `response`; none if it asks for what we don't know.
/// `chance`: random.
pub(super) fn answer(
    response: &Response,
    sent: &Sent,
    credentials: &Credentials,
    chance: u64,
) -> Option<Vec<u8>> {
    let mut client = digest::Client::new(&credentials.user, &credentials.password, chance);
    client.take_challenge(response).ok()?;
    let Ok(Message::Request(mut request)) = wire::read(&sent.bytes) else { return None };
    client.authorize(&mut request);
    let mut lines = String::new();
    for name in [HeaderName::Authorization, HeaderName::ProxyAuthorization] {
        for value in request.headers.all(name) {
            lines.extend([name.as_str(), ": ", value, "\r\n"]);
        }
    }
    Some(lines.into_bytes())
}
