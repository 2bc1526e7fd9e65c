//! Digest authentication (RFC 3261 §22 with RFC 7616 and RFC 8760; RFC 2617 and RFC 2069 for peers
//! that know no better): what a challenge and its answer say, and the hash between them.
//!
//! [`Server`] challenges and verifies, [`Client`] answers. Left out: `username*` and `userhash`, and
//! the comparison of `uri` with the Request-URI, which proxies and telephones alike rewrite.

mod client;
mod server;

use std::borrow::Cow;
use std::fmt;

use md5::Md5;
use sha2::{Sha256, Sha512_256};

use super::grammar;
use super::headers::{HeaderName, Headers};

pub use client::{CantAnswer, Client};
pub use server::{Denied, MAX_NONCES, NONCE_LIFE, Server};

/// Room for those that credentials have by RFC 7616 §3.4; more make room as they come.
const USUAL_FIELDS: usize = 12;

/// A hash, as the `algorithm` parameter names it (RFC 8760 §2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// What every old telephone knows, and what a challenge without `algorithm` means.
    Md5,
    /// The one that RFC 8760 asks for.
    Sha256,
    /// SHA-512 cut to 256 bits.
    Sha512_256,
}

/// What the hash protects (RFC 7616 §3.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Qop {
    /// Method and URI.
    Auth,
    /// And the body.
    AuthInt,
}

/// The value of WWW-Authenticate or Proxy-Authenticate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Challenge {
    /// Whose password is asked for.
    pub realm: String,
    /// To be hashed with it.
    pub nonce: String,
    /// The hash.
    pub algorithm: Algorithm,
    /// The `-sess` form of the hash: user, nonce and cnonce are hashed into the key.
    pub session: bool,
    /// What may be protected; empty in challenges of RFC 2069.
    pub qop: Vec<Qop>,
    /// Sent back as it came.
    pub opaque: Option<String>,
    /// The password was right and the nonce too old: answer again without asking anyone.
    pub stale: bool,
}

/// The value of Authorization or Proxy-Authorization.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credentials {
    /// Who says to be.
    pub username: String,
    /// Of the challenge.
    pub realm: String,
    /// Of the challenge.
    pub nonce: String,
    /// The Request-URI as the sender knew it.
    pub uri: String,
    /// The hash in hexadecimal.
    pub response: String,
    /// Of the challenge.
    pub algorithm: Algorithm,
    /// The `-sess` form.
    pub session: bool,
    /// Of the challenge.
    pub opaque: Option<String>,
    /// `None` for RFC 2069.
    pub protection: Option<Protection>,
}

/// What came with RFC 2617: the choice of `qop` and what it needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Protection {
    /// Which.
    pub qop: Qop,
    /// The sender's own nonce.
    pub cnonce: String,
    /// How many requests the sender has made with this nonce: 1 for the first.
    pub count: u32,
}

impl Algorithm {
    /// All of them.
    pub const ALL: [Algorithm; 3] = [Algorithm::Md5, Algorithm::Sha256, Algorithm::Sha512_256];

    /// Its name without `-sess`.
    pub fn as_str(self) -> &'static str {
        match self {
            Algorithm::Md5 => "MD5",
            Algorithm::Sha256 => "SHA-256",
            Algorithm::Sha512_256 => "SHA-512-256",
        }
    }

    /// A name, and whether it is the `-sess` form. No name means MD5.
    fn parse(name: Option<&str>) -> Option<(Algorithm, bool)> {
        let name = name.unwrap_or("MD5");
        let cut = name.len().saturating_sub("-sess".len());
        let session = name.get(cut..).is_some_and(|end| end.eq_ignore_ascii_case("-sess"));
        let plain = if session { &name[..cut] } else { name };
        let found = Self::ALL.into_iter().find(|a| a.as_str().eq_ignore_ascii_case(plain))?;
        Some((found, session))
    }

    /// The hash of the parts with colons between them, in lower-case hexadecimal.
    fn hash(self, parts: &[&[u8]]) -> String {
        fn run<D: sha2::Digest>(parts: &[&[u8]]) -> String {
            let mut hash = D::new();
            for (index, part) in parts.iter().enumerate() {
                if index > 0 {
                    hash.update(b":");
                }
                hash.update(part);
            }
            hex(&hash.finalize())
        }
        match self {
            Algorithm::Md5 => run::<Md5>(parts),
            Algorithm::Sha256 => run::<Sha256>(parts),
            Algorithm::Sha512_256 => run::<Sha512_256>(parts),
        }
    }
}

impl Qop {
    fn as_str(self) -> &'static str {
        match self {
            Qop::Auth => "auth",
            Qop::AuthInt => "auth-int",
        }
    }

    fn parse(name: &str) -> Option<Qop> {
        [Qop::Auth, Qop::AuthInt].into_iter().find(|q| q.as_str().eq_ignore_ascii_case(name))
    }
}

impl Challenge {
    /// Reads a header's value; `None` when it is not Digest, lacks something, or names a hash or only
    /// such protections as are unknown here.
    pub fn parse(text: &str) -> Option<Challenge> {
        let fields = Fields::parse(text)?;
        let (algorithm, session) = Algorithm::parse(fields.get("algorithm").as_deref())?;
        let qop = match fields.get("qop") {
            None => Vec::new(),
            Some(list) => {
                let known: Vec<_> = list.split(',').filter_map(|q| Qop::parse(grammar::trim(q))).collect();
                (!known.is_empty()).then_some(known)?
            }
        };
        Some(Challenge {
            realm: fields.get("realm")?.into_owned(),
            nonce: fields.get("nonce")?.into_owned(),
            algorithm,
            session,
            qop,
            opaque: fields.get("opaque").map(Cow::into_owned),
            stale: fields.get("stale").is_some_and(|stale| stale.eq_ignore_ascii_case("true")),
        })
    }
}

impl Credentials {
    /// Reads a header's value; `None` when it is not Digest or lacks something.
    pub fn parse(text: &str) -> Option<Credentials> {
        let fields = Fields::parse(text)?;
        let own = |name: &str| fields.get(name).map(Cow::into_owned);
        let (algorithm, session) = Algorithm::parse(fields.get("algorithm").as_deref())?;
        let protection = match fields.get("qop") {
            None => None,
            Some(qop) => Some(Protection {
                qop: Qop::parse(&qop)?,
                cnonce: own("cnonce")?,
                count: u32::from_str_radix(&fields.get("nc")?, 16).ok()?,
            }),
        };
        if session && protection.is_none() {
            return None;
        }
        Some(Credentials {
            username: own("username")?,
            realm: own("realm")?,
            nonce: own("nonce")?,
            uri: own("uri")?,
            response: own("response")?,
            algorithm,
            session,
            opaque: own("opaque"),
            protection,
        })
    }

    /// The credentials for a realm among the headers of a request; `None`: challenge it. `name`:
    /// Authorization or Proxy-Authorization.
    pub fn for_realm(headers: &Headers, name: HeaderName<'_>, realm: &str) -> Option<Credentials> {
        headers.all(name).filter_map(Credentials::parse).find(|c| c.realm == realm)
    }

    /// The right response to these (RFC 7616 §3.4.1, and RFC 2069 where there is no protection).
    fn expected(&self, password: &str, method: &str, body: &[u8]) -> String {
        let hash = |parts: &[&[u8]]| self.algorithm.hash(parts);
        let mut key = hash(&[self.username.as_bytes(), self.realm.as_bytes(), password.as_bytes()]);
        let Some(protection) = &self.protection else {
            let request = hash(&[method.as_bytes(), self.uri.as_bytes()]);
            return hash(&[key.as_bytes(), self.nonce.as_bytes(), request.as_bytes()]);
        };
        let cnonce = protection.cnonce.as_bytes();
        if self.session {
            key = hash(&[key.as_bytes(), self.nonce.as_bytes(), cnonce]);
        }
        let request = match protection.qop {
            Qop::Auth => hash(&[method.as_bytes(), self.uri.as_bytes()]),
            Qop::AuthInt => hash(&[method.as_bytes(), self.uri.as_bytes(), hash(&[body]).as_bytes()]),
        };
        let count = format!("{:08x}", protection.count);
        let qop = protection.qop.as_str().as_bytes();
        hash(&[key.as_bytes(), self.nonce.as_bytes(), count.as_bytes(), cnonce, qop, request.as_bytes()])
    }
}

/// Names and values of `Digest name=value, name="value" ...`, as they were written.
struct Fields<'a>(Vec<(&'a str, &'a str)>);

impl<'a> Fields<'a> {
    fn parse(text: &'a str) -> Option<Fields<'a>> {
        let (scheme, fields) = text.split_once([' ', '\t'])?;
        if !scheme.eq_ignore_ascii_case("Digest") {
            return None;
        }
        let mut list = Vec::with_capacity(USUAL_FIELDS);
        for item in grammar::list_items(fields) {
            if let Some((name, value)) = grammar::split(item, b'=') {
                list.push((grammar::trim(name), grammar::trim(value)));
            }
        }
        Some(Fields(list))
    }

    fn get(&self, name: &str) -> Option<Cow<'a, str>> {
        let found = self.0.iter().find(|(n, _)| n.eq_ignore_ascii_case(name));
        found.map(|(_, value)| grammar::unquote(value))
    }
}

impl fmt::Display for Challenge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Digest realm=")?;
        grammar::write_quoted(&self.realm, f)?;
        f.write_str(", nonce=")?;
        grammar::write_quoted(&self.nonce, f)?;
        write!(f, ", algorithm={}{}", self.algorithm.as_str(), if self.session { "-sess" } else { "" })?;
        if !self.qop.is_empty() {
            let list: Vec<_> = self.qop.iter().map(|q| q.as_str()).collect();
            write!(f, ", qop=\"{}\"", list.join(","))?;
        }
        if let Some(opaque) = &self.opaque {
            f.write_str(", opaque=")?;
            grammar::write_quoted(opaque, f)?;
        }
        if self.stale {
            f.write_str(", stale=true")?;
        }
        Ok(())
    }
}

impl fmt::Display for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let quoted = [
            ("Digest username", Some(&self.username)),
            (", realm", Some(&self.realm)),
            (", nonce", Some(&self.nonce)),
            (", uri", Some(&self.uri)),
            (", response", Some(&self.response)),
            (", opaque", self.opaque.as_ref()),
            (", cnonce", self.protection.as_ref().map(|p| &p.cnonce)),
        ];
        for (name, value) in quoted.into_iter().filter_map(|(n, v)| Some((n, v?))) {
            write!(f, "{name}=")?;
            grammar::write_quoted(value, f)?;
        }
        if let Some(protection) = &self.protection {
            write!(f, ", qop={}, nc={:08x}", protection.qop.as_str(), protection.count)?;
        }
        write!(f, ", algorithm={}{}", self.algorithm.as_str(), if self.session { "-sess" } else { "" })
    }
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        text.push(char::from(DIGITS[usize::from(byte >> 4)]));
        text.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(credentials: &str, password: &str, method: &str) {
        let credentials = Credentials::parse(credentials).expect(credentials);
        assert_eq!(credentials.expected(password, method, b""), credentials.response);
        assert_eq!(Credentials::parse(&credentials.to_string()), Some(credentials));
    }

    #[test]
    fn rfc7616_3_9_1_mufasa_by_md5_and_sha256() {
        let common = r#"Digest username="Mufasa", realm="http-auth@example.org", uri="/dir/index.html",
            nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", nc=00000001, qop=auth,
            cnonce="f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
            opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS", "#
            .replace("\n           ", "");
        let md5 = r#"algorithm=MD5, response="8ca523f5e9506fed4657c9700eebdbec""#;
        check(&(common.clone() + md5), "Circle of Life", "GET");
        let sha256 = r#"algorithm=SHA-256,
            response="753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1""#
            .replace("\n           ", "");
        check(&(common + &sha256), "Circle of Life", "GET");
    }

    #[test]
    fn rfc2617_3_5_mufasa_by_md5() {
        let text = r#"Digest username="Mufasa", realm="testrealm@host.com",
            nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", uri="/dir/index.html", qop=auth, nc=00000001,
            cnonce="0a4f113b", response="6629fae49393a05397450978507c4ef1",
            opaque="5ccc069c403ebaf9f0171e9517f40e41""#
            .replace("\n           ", "");
        check(&text, "Circle Of Life", "GET");
    }

    #[test]
    fn rfc2069_2_4_as_its_erratum_corrects_it() {
        let text = r#"Digest username="Mufasa", realm="testrealm@host.com", uri="/dir/index.html",
            nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", response="1949323746fe6a43ef61f9606e7febea""#
            .replace("\n           ", "");
        check(&text, "CircleOfLife", "GET");
    }

    #[test]
    fn rfc8760_2_3_of_several_challenges_each_is_read_by_its_own() {
        let sha = Challenge::parse(
            r#"Digest realm="example.com", qop="auth,auth-int,new", algorithm=SHA-512-256-sess, nonce="7/x",
               opaque="FQhe", stale=TRUE"#,
        )
        .unwrap();
        assert_eq!((sha.algorithm, sha.session, sha.stale), (Algorithm::Sha512_256, true, true));
        assert_eq!(sha.qop, [Qop::Auth, Qop::AuthInt]);
        assert_eq!(Challenge::parse(&sha.to_string()), Some(sha));
        for unknown in [
            "NoOneKnowsThisScheme opaque-data=here",
            "Digest",
            r#"Digest realm="a""#,
            r#"Digest realm="a", nonce="b", algorithm=AKAv1-MD5"#,
            r#"Digest realm="a", nonce="b", qop="new""#,
        ] {
            assert_eq!(Challenge::parse(unknown), None, "{unknown}");
        }
    }

    #[test]
    fn the_count_is_hexadecimal_and_commas_may_stand_in_quotes() {
        let text = r#"Digest username="alice", realm="a, b", nonce="8", uri="sip:example.com", response="7",
            algorithm=MD5, cnonce="0a", qop=auth, nc=0000000b, opaque="op""#;
        let credentials = Credentials::parse(text).unwrap();
        assert_eq!(credentials.realm, "a, b");
        assert_eq!(credentials.protection.unwrap().count, 11);
    }
}
