//! The side that challenges: nonces that it need not remember, and the counts that it does.
//!
//! A nonce carries its own moment and a seal of the server's secret (RFC 7616 §5.4 suggests so), so
//! issuing one stores nothing. Only a nonce that was answered has an entry: the counts seen, against
//! replay (§5.5).

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use sha2::{Digest as _, Sha256};

use super::{Algorithm, Challenge, Credentials, Qop, hex};

/// How long a nonce is good: a replay needs to be faster, and a telephone that registers less often
/// spends one round trip more.
pub const NONCE_LIFE: Duration = Duration::from_secs(300);

/// Answered nonces whose counts are remembered. At the bound the oldest is forgotten, and it and all
/// issued before it are stale from then on.
pub const MAX_NONCES: usize = 65_536;

/// How far a count may lag behind the highest one seen, for requests that overtake each other.
const WINDOW: u32 = 64;

/// Why credentials were not accepted. Both are answered with a new challenge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Denied {
    /// Unknown user, wrong password, or not of this realm.
    Wrong,
    /// The password is right and the nonce is too old, not ours, or used already: challenge with
    /// `stale`.
    Stale,
}

/// Issues challenges and verifies answers, for any number of realms.
#[derive(Debug)]
pub struct Server {
    secret: [u8; 32],
    start: Instant,
    life: Duration,
    issued: u64,
    seen: BTreeMap<u64, Counts>,
    /// Nonces up to this one that have no entry are stale.
    forgotten: u64,
}

/// The highest count seen with a nonce, and which of the [`WINDOW`] up to it.
#[derive(Debug)]
struct Counts {
    issued_at: Duration,
    highest: u32,
    seen: u64,
}

impl Server {
    /// `seed`: secret, random, new for each process. Nonces of an earlier process are stale.
    pub fn new(seed: [u8; 32], start: Instant) -> Server {
        let secret =
            Sha256::new().chain_update(b"strowger digest nonce").chain_update(seed).finalize().into();
        Server { secret, start, life: NONCE_LIFE, issued: 0, seen: BTreeMap::new(), forgotten: 0 }
    }

    /// With another life of nonces than [`NONCE_LIFE`].
    pub fn with_nonce_life(mut self, life: Duration) -> Server {
        self.life = life;
        self
    }

    /// One challenge for each algorithm, in that order: the best first (RFC 8760 §2.4). One of them is answered, so they
    /// share a nonce.
    pub fn challenges(
        &mut self,
        now: Instant,
        realm: &str,
        algorithms: &[Algorithm],
        stale: bool,
    ) -> Vec<Challenge> {
        let nonce = self.nonce(now, realm);
        let one = |algorithm: &Algorithm| Challenge {
            realm: realm.to_owned(),
            nonce: nonce.clone(),
            algorithm: *algorithm,
            session: false,
            qop: vec![Qop::Auth, Qop::AuthInt],
            opaque: None,
            stale,
        };
        algorithms.iter().map(one).collect()
    }

    /// Verifies the answer to a challenge. `password`: of the user that the credentials name, `None`
    /// when there is no such user; both cost the same work. `algorithms`: those that the realm
    /// accepts, so that nobody is talked down to a weaker one.
    #[allow(clippy::too_many_arguments)] // Each is one thing that the hash or the answer depends on.
    pub fn verify(
        &mut self,
        now: Instant,
        realm: &str,
        algorithms: &[Algorithm],
        credentials: &Credentials,
        method: &str,
        body: &[u8],
        password: Option<&str>,
    ) -> Result<(), Denied> {
        let expected = credentials.expected(password.unwrap_or("no such user"), method, body);
        let right = same(expected.as_bytes(), credentials.response.as_bytes());
        let of_realm = credentials.realm == realm && algorithms.contains(&credentials.algorithm);
        if !(right & password.is_some() & of_realm) {
            return Err(Denied::Wrong);
        }
        let (issued_at, number) = self.open(&credentials.nonce, realm).ok_or(Denied::Stale)?;
        let age = now.saturating_duration_since(self.start).saturating_sub(issued_at);
        if age > self.life {
            return Err(Denied::Stale);
        }
        // A peer of RFC 2069 counts nothing: its nonce is good for one request.
        let count = credentials.protection.as_ref().map_or(1, |p| p.count);
        self.forget(now);
        match self.seen.get_mut(&number) {
            Some(counts) => counts.take(count),
            None if number > self.forgotten && count > 0 => {
                self.seen.insert(number, Counts { issued_at, highest: count, seen: 1 });
                Ok(())
            }
            None => Err(Denied::Stale),
        }
    }

    /// Forgets what is too old to be accepted, and the oldest at the bound.
    fn forget(&mut self, now: Instant) {
        let now = now.saturating_duration_since(self.start);
        while let Some(first) = self.seen.first_entry() {
            let too_old = now.saturating_sub(first.get().issued_at) > self.life;
            if !too_old && self.seen.len() < MAX_NONCES {
                return;
            }
            self.forgotten = self.seen.pop_first().map_or(self.forgotten, |(number, _)| number);
        }
    }

    /// Its moment and number, sealed: 16 + 16 + 32 hexadecimal digits.
    fn nonce(&mut self, now: Instant, realm: &str) -> String {
        self.issued += 1;
        let millis = now.saturating_duration_since(self.start).as_millis() as u64;
        let moment_and_number = u128::from(millis) << 64 | u128::from(self.issued);
        hex(&moment_and_number.to_be_bytes()) + &self.seal(millis, self.issued, realm)
    }

    /// The moment and number of a nonce of ours; `None` for any other text.
    fn open(&self, nonce: &str, realm: &str) -> Option<(Duration, u64)> {
        let word = |range| u64::from_str_radix(nonce.get(range)?, 16).ok();
        let (millis, number) = (word(0..16)?, word(16..32)?);
        let seal = self.seal(millis, number, realm);
        same(seal.as_bytes(), nonce.get(32..)?.as_bytes()).then(|| (Duration::from_millis(millis), number))
    }

    /// A keyed hash, twice so that it can't be lengthened; half of it is kept.
    fn seal(&self, millis: u64, number: u64, realm: &str) -> String {
        let inner = Sha256::new()
            .chain_update(self.secret)
            .chain_update(millis.to_be_bytes())
            .chain_update(number.to_be_bytes())
            .chain_update(realm)
            .finalize();
        hex(&Sha256::new().chain_update(self.secret).chain_update(inner).finalize()[..16])
    }
}

impl Counts {
    fn take(&mut self, count: u32) -> Result<(), Denied> {
        if count > self.highest {
            let ahead = count - self.highest;
            self.seen = if ahead < WINDOW { self.seen << ahead | 1 } else { 1 };
            self.highest = count;
            return Ok(());
        }
        let behind = self.highest - count;
        if count == 0 || behind >= WINDOW || self.seen & (1 << behind) != 0 {
            return Err(Denied::Stale);
        }
        self.seen |= 1 << behind;
        Ok(())
    }
}

/// Compares without telling by time where the first difference is.
fn same(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0, |difference, (a, b)| difference | (a ^ b)) == 0
}

#[cfg(test)]
mod tests {
    use super::super::{Client, Protection};
    use super::*;

    const ALL: &[Algorithm] = &[Algorithm::Sha256, Algorithm::Md5];

    struct Scene {
        start: Instant,
        server: Server,
    }

    impl Scene {
        fn new() -> Scene {
            let start = Instant::now();
            Scene { start, server: Server::new([7; 32], start) }
        }

        fn at(&self, seconds: u64) -> Instant {
            self.start + Duration::from_secs(seconds)
        }

        fn nonce(&mut self, seconds: u64) -> String {
            self.server.challenges(self.at(seconds), "acme", &[Algorithm::Md5], false)[0].nonce.clone()
        }

        fn try_it(&mut self, seconds: u64, credentials: &Credentials) -> Result<(), Denied> {
            let now = self.at(seconds);
            self.server.verify(now, "acme", ALL, credentials, "REGISTER", b"", Some("secret"))
        }
    }

    fn answer(nonce: &str, count: Option<u32>, password: &str) -> Credentials {
        let mut credentials = Credentials {
            username: "ana".into(),
            realm: "acme".into(),
            nonce: nonce.into(),
            uri: "sip:acme".into(),
            response: String::new(),
            algorithm: Algorithm::Md5,
            session: false,
            opaque: None,
            protection: count.map(|count| Protection { qop: Qop::Auth, cnonce: "c".into(), count }),
        };
        credentials.response = credentials.expected(password, "REGISTER", b"");
        credentials
    }

    #[test]
    fn rfc7616_5_5_a_count_is_good_once_and_may_lag_a_little() {
        let mut scene = Scene::new();
        let nonce = scene.nonce(0);
        let steps = [
            (1, Ok(())),
            (1, Err(Denied::Stale)),
            (3, Ok(())),
            (2, Ok(())),
            (2, Err(Denied::Stale)),
            (0, Err(Denied::Stale)),
            (100, Ok(())),
            (37, Ok(())),
            (36, Err(Denied::Stale)),
            (3, Err(Denied::Stale)),
            (u32::MAX, Ok(())),
        ];
        for (count, expected) in steps {
            assert_eq!(scene.try_it(1, &answer(&nonce, Some(count), "secret")), expected, "count {count}");
        }
    }

    #[test]
    fn a_nonce_ages_and_only_who_knows_the_password_is_told() {
        let mut scene = Scene::new();
        let nonce = scene.nonce(10);
        assert_eq!(scene.try_it(310, &answer(&nonce, Some(1), "secret")), Ok(()));
        assert_eq!(scene.try_it(311, &answer(&nonce, Some(2), "secret")), Err(Denied::Stale));
        assert_eq!(scene.try_it(311, &answer(&nonce, Some(2), "wrong")), Err(Denied::Wrong));
        let fresh = scene.nonce(311);
        assert_eq!(scene.try_it(312, &answer(&fresh, Some(1), "secret")), Ok(()));
    }

    #[test]
    fn a_nonce_that_is_not_ours_is_stale() {
        let mut scene = Scene::new();
        let nonce = scene.nonce(0);
        let mut other = Server::new([8; 32], scene.start);
        let foreign = other.challenges(scene.start, "acme", ALL, false)[0].nonce.clone();
        let of_other_realm = scene.server.challenges(scene.start, "other", ALL, false)[0].nonce.clone();
        let older = nonce.replacen('0', "1", 1);
        for bad in [foreign, of_other_realm, older, String::new(), "é".repeat(40)] {
            assert_eq!(scene.try_it(0, &answer(&bad, Some(1), "secret")), Err(Denied::Stale), "{bad}");
        }
    }

    #[test]
    fn unknown_users_and_wrong_passwords_are_the_same() {
        let mut scene = Scene::new();
        let nonce = scene.nonce(0);
        let now = scene.at(0);
        let guess = answer(&nonce, Some(1), "no such user");
        assert_eq!(scene.server.verify(now, "acme", ALL, &guess, "REGISTER", b"", None), Err(Denied::Wrong));
        let right = answer(&nonce, Some(1), "secret");
        for (realm, algorithms, method) in
            [("other", ALL, "REGISTER"), ("acme", &ALL[..1], "REGISTER"), ("acme", ALL, "INVITE")]
        {
            let result = scene.server.verify(now, realm, algorithms, &right, method, b"", Some("secret"));
            assert_eq!(result, Err(Denied::Wrong));
        }
        assert_eq!(scene.try_it(0, &right), Ok(()), "nothing of it used up the count");
    }

    #[test]
    fn rfc2069_a_nonce_without_counts_is_good_for_one_request() {
        let mut scene = Scene::new();
        let nonce = scene.nonce(0);
        assert_eq!(scene.try_it(0, &answer(&nonce, None, "secret")), Ok(()));
        assert_eq!(scene.try_it(0, &answer(&nonce, None, "secret")), Err(Denied::Stale));
    }

    #[test]
    fn at_the_bound_the_oldest_nonce_is_forgotten_and_can_not_be_replayed() {
        let mut scene = Scene::new();
        let first = answer(&scene.nonce(0), Some(1), "secret");
        let never_used = scene.nonce(0);
        assert_eq!(scene.try_it(0, &first), Ok(()));
        for number in 0..MAX_NONCES as u64 {
            scene.server.seen.insert(number + 3, Counts { issued_at: Duration::ZERO, highest: 1, seen: 1 });
        }
        scene.server.issued = MAX_NONCES as u64 + 3;
        let last = scene.nonce(0);
        assert_eq!(scene.try_it(0, &answer(&last, Some(1), "secret")), Ok(()));
        assert!(scene.server.seen.len() <= MAX_NONCES);
        assert_eq!(scene.try_it(0, &first), Err(Denied::Stale));
        assert_eq!(scene.try_it(0, &answer(&never_used, Some(1), "secret")), Err(Denied::Stale));
    }

    #[test]
    fn auth_int_covers_the_body_and_sess_the_cnonce() {
        for session in [false, true] {
            let mut scene = Scene::new();
            let mut credentials = answer(&scene.nonce(0), Some(1), "");
            credentials.session = session;
            credentials.protection.as_mut().unwrap().qop = Qop::AuthInt;
            credentials.response = credentials.expected("secret", "INVITE", b"v=0");
            let now = scene.at(0);
            let mut verify = |body: &[u8]| {
                scene.server.verify(now, "acme", ALL, &credentials, "INVITE", body, Some("secret"))
            };
            assert_eq!(verify(b"v=1"), Err(Denied::Wrong));
            assert_eq!(verify(b"v=0"), Ok(()));
        }
    }

    #[test]
    fn a_client_registers_and_goes_on_with_the_nonce_that_it_has() {
        use crate::sip::{HeaderName, Method, Request, Response, Uri};
        let mut scene = Scene::new();
        let mut client = Client::new("ana", "secret", 1);
        let mut register = Request::new(Method::Register, Uri::parse("sip:acme").unwrap());
        for (second, challenged) in [(0, true), (60, false), (120, false), (1000, true)] {
            for attempt in 0..2 {
                client.authorize(&mut register);
                let now = scene.at(second);
                let credentials =
                    Credentials::for_realm(&register.headers, HeaderName::Authorization, "acme");
                let result = credentials.map(|credentials| {
                    assert_eq!(credentials.algorithm, Algorithm::Sha256, "the better of the two");
                    scene.server.verify(now, "acme", ALL, &credentials, "REGISTER", b"", Some("secret"))
                });
                if result == Some(Ok(())) {
                    assert_eq!(attempt == 1, challenged, "at {second}");
                    break;
                }
                let mut response = Response::to_request(&register, 401, "Unauthorized");
                let stale = result == Some(Err(Denied::Stale));
                for challenge in scene.server.challenges(now, "acme", ALL, stale) {
                    response.headers.push(HeaderName::WwwAuthenticate, challenge);
                }
                client.take_challenge(&response).unwrap();
                assert_eq!(attempt, 0, "at {second}");
            }
        }
    }
}
