//! The side that is challenged: remembers the last challenge of each realm and answers it in every
//! request, counting, until the server wants another nonce.
//!
//! One per account: a trunk, a registration. Telling wrong passwords from old nonces keeps it from
//! answering for ever (RFC 3261 §22.2).

use sha2::{Digest as _, Sha256};

use super::{Algorithm, Challenge, Credentials, Protection, Qop, hex};
use crate::sip::headers::HeaderName;
use crate::sip::message::{Request, Response};

/// Realms that are remembered, WWW and Proxy together. At the bound the oldest is forgotten.
const MAX_REALMS: usize = 4;

/// How often in a row a server may call a fresh nonce stale before it is taken for broken.
const MAX_STALE: u8 = 3;

/// Why a challenge is not answered: the request has failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CantAnswer {
    /// No Digest challenge with a hash that is accepted.
    Unsupported,
    /// The answer to a fresh nonce was refused: user or password is wrong.
    Refused,
}

/// User and password of an account, and the challenges that it met.
#[derive(Debug)]
pub struct Client {
    username: String,
    password: String,
    /// The most wanted first.
    algorithms: Vec<Algorithm>,
    seed: u64,
    cnonces: u64,
    held: Vec<Held>,
}

#[derive(Debug)]
struct Held {
    proxy: bool,
    challenge: Challenge,
    /// Requests made with this nonce.
    count: u32,
    stale_in_a_row: u8,
}

impl Client {
    /// Accepts SHA-256, SHA-512-256 and MD5, and prefers them in this order. `seed`: random; cnonces
    /// come from it.
    pub fn new(username: &str, password: &str, seed: u64) -> Client {
        Client {
            username: username.to_owned(),
            password: password.to_owned(),
            algorithms: vec![Algorithm::Sha256, Algorithm::Sha512_256, Algorithm::Md5],
            seed,
            cnonces: 0,
            held: Vec::new(),
        }
    }

    /// Accepts only these, the most wanted first.
    pub fn with_algorithms(mut self, algorithms: &[Algorithm]) -> Client {
        self.algorithms = algorithms.to_vec();
        self
    }

    /// Takes the challenges of a 401 or 407: one of each realm, by the hash that is wanted most. Then
    /// send the request again, with a new CSeq and branch, after [`Client::authorize`].
    pub fn take_challenge(&mut self, response: &Response) -> Result<(), CantAnswer> {
        let proxy = response.status == 407;
        let name = if proxy { HeaderName::ProxyAuthenticate } else { HeaderName::WwwAuthenticate };
        let rank = |c: &Challenge| self.algorithms.iter().position(|a| *a == c.algorithm);
        let mut offered: Vec<_> = response.headers.all(name).filter_map(Challenge::parse).collect();
        offered.retain(|challenge| rank(challenge).is_some());
        offered.sort_by_key(rank);
        if offered.is_empty() {
            return Err(CantAnswer::Unsupported);
        }
        let mut taken: Vec<String> = Vec::new();
        for challenge in offered {
            if !taken.contains(&challenge.realm) {
                taken.push(challenge.realm.clone());
                self.hold(proxy, challenge)?;
            }
        }
        Ok(())
    }

    fn hold(&mut self, proxy: bool, challenge: Challenge) -> Result<(), CantAnswer> {
        let before = self.held.iter().position(|h| h.proxy == proxy && h.challenge.realm == challenge.realm);
        let before = before.map(|at| self.held.remove(at));
        // An answer beyond the first may have been refused for the age of its nonce.
        let fresh = before.as_ref().filter(|held| held.count == 1);
        let stale_in_a_row = match fresh {
            Some(held) if challenge.stale && held.stale_in_a_row < MAX_STALE => held.stale_in_a_row + 1,
            Some(_) => return Err(CantAnswer::Refused),
            None => 0,
        };
        if self.held.len() == MAX_REALMS {
            self.held.remove(0);
        }
        self.held.push(Held { proxy, challenge, count: 0, stale_in_a_row });
        Ok(())
    }

    /// Puts an answer for every challenge that was met into a request; before the first challenge
    /// nothing happens. Call it last: `auth-int` covers the body.
    pub fn authorize(&mut self, request: &mut Request) {
        request.headers.remove(HeaderName::Authorization);
        request.headers.remove(HeaderName::ProxyAuthorization);
        let uri = request.uri.to_string();
        for held in &mut self.held {
            held.count = held.count.saturating_add(1);
            let challenge = &held.challenge;
            // Protecting the body is for servers that want nothing less.
            let qop = match challenge.qop.contains(&Qop::Auth) {
                true => Some(Qop::Auth),
                false => challenge.qop.first().copied(),
            };
            let protection = qop.or(challenge.session.then_some(Qop::Auth)).map(|qop| {
                self.cnonces += 1;
                Protection { qop, cnonce: cnonce(self.seed, self.cnonces), count: held.count }
            });
            let mut credentials = Credentials {
                username: self.username.clone(),
                realm: challenge.realm.clone(),
                nonce: challenge.nonce.clone(),
                uri: uri.clone(),
                response: String::new(),
                algorithm: challenge.algorithm,
                session: challenge.session,
                opaque: challenge.opaque.clone(),
                protection,
            };
            credentials.response =
                credentials.expected(&self.password, request.method.as_str(), &request.body);
            let name = match held.proxy {
                true => HeaderName::ProxyAuthorization,
                false => HeaderName::Authorization,
            };
            request.headers.push(name, credentials);
        }
    }
}

fn cnonce(seed: u64, number: u64) -> String {
    let hash = Sha256::new()
        .chain_update(b"strowger digest cnonce")
        .chain_update(seed.to_be_bytes())
        .chain_update(number.to_be_bytes())
        .finalize();
    hex(&hash[..16])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sip::{Method, Uri};

    fn invite() -> Request {
        Request::new(Method::Invite, Uri::parse("sip:bob@example.net").unwrap())
    }

    fn challenge(status: u16, values: &[&str]) -> Response {
        let mut response = Response::to_request(&invite(), status, "");
        for value in values {
            let name =
                if status == 407 { HeaderName::ProxyAuthenticate } else { HeaderName::WwwAuthenticate };
            response.headers.push(name, value);
        }
        response
    }

    fn answer(client: &mut Client, name: HeaderName<'_>) -> Credentials {
        let mut request = invite();
        client.authorize(&mut request);
        Credentials::parse(request.headers.get(name).expect("it answers")).unwrap()
    }

    const MD5: &str = r#"Digest realm="r", nonce="m", algorithm=MD5, qop="auth""#;
    const SHA: &str = r#"Digest realm="r", nonce="s", algorithm=SHA-256, qop="auth-int,auth""#;

    #[test]
    fn rfc8760_2_4_the_hash_that_is_wanted_most_answers() {
        let mut client = Client::new("ana", "x", 1);
        client.take_challenge(&challenge(401, &[MD5, SHA])).unwrap();
        assert_eq!(answer(&mut client, HeaderName::Authorization).nonce, "s");
        let mut old = Client::new("ana", "x", 1).with_algorithms(&[Algorithm::Md5]);
        old.take_challenge(&challenge(401, &[SHA, MD5])).unwrap();
        assert_eq!(answer(&mut old, HeaderName::Authorization).nonce, "m");
        assert_eq!(old.take_challenge(&challenge(401, &[SHA])), Err(CantAnswer::Unsupported));
        assert_eq!(old.take_challenge(&challenge(401, &["Basic realm=\"r\""])), Err(CantAnswer::Unsupported));
    }

    #[test]
    fn counts_go_up_and_every_cnonce_is_new() {
        let mut client = Client::new("ana", "x", 1);
        client.take_challenge(&challenge(407, &[SHA])).unwrap();
        let first = answer(&mut client, HeaderName::ProxyAuthorization).protection.unwrap();
        let second = answer(&mut client, HeaderName::ProxyAuthorization).protection.unwrap();
        assert_eq!((first.count, second.count, first.qop), (1, 2, Qop::Auth));
        assert_ne!(first.cnonce, second.cnonce);
    }

    #[test]
    fn rfc3261_22_2_a_refused_password_is_not_tried_again() {
        let mut client = Client::new("ana", "wrong", 1);
        client.take_challenge(&challenge(401, &[SHA])).unwrap();
        answer(&mut client, HeaderName::Authorization);
        assert_eq!(client.take_challenge(&challenge(401, &[SHA])), Err(CantAnswer::Refused));
    }

    #[test]
    fn an_old_nonce_is_no_refusal_and_endless_stale_is() {
        let mut client = Client::new("ana", "x", 1);
        client.take_challenge(&challenge(401, &[SHA])).unwrap();
        answer(&mut client, HeaderName::Authorization);
        answer(&mut client, HeaderName::Authorization);
        client.take_challenge(&challenge(401, &[SHA])).unwrap();
        for _ in 0..MAX_STALE {
            answer(&mut client, HeaderName::Authorization);
            client.take_challenge(&challenge(401, &[&format!("{SHA}, stale=true")])).unwrap();
        }
        answer(&mut client, HeaderName::Authorization);
        let again = challenge(401, &[&format!("{SHA}, stale=true")]);
        assert_eq!(client.take_challenge(&again), Err(CantAnswer::Refused));
    }
}
