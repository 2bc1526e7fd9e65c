//! A PASSporT of the `shaken` kind (RFC 8225, RFC 8588) and the Identity header that carries it (RFC 8224 §4): read,
//! compared with the call, and written. Whether its certificate is believed is [`super::certificates`]'s. The compact form
//! (RFC 8225 §7), which `shaken` forbids, and other extensions are not read.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, UnparsedPublicKey,
};
use serde::{Deserialize, Serialize};

/// A longer header is no identity.
const LONGEST: usize = 8 << 10;
/// RFC 8224 §6.2: how old one may be. Clocks differ as much the other way.
const FRESH: f64 = 60.0;

/// How sure the side that signs is of who calls (RFC 8588 §4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Attestation {
    /// Full: it knows the customer, and that the number is theirs.
    A,
    /// Partial: it knows the customer.
    B,
    /// Gateway: it knows where the call came in.
    C,
}

impl Attestation {
    /// "A", "B" or "C".
    pub fn name(self) -> &'static str {
        match self {
            Self::A => "A",
            Self::B => "B",
            Self::C => "C",
        }
    }
}

/// Why an identity does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Invalid {
    /// It can't be read, or is signed by another algorithm.
    Malformed,
    /// It is of another kind than `shaken`.
    Kind,
    /// It is older than a minute, or of the future.
    Stale,
    /// It is another caller's.
    Caller,
    /// It was made for a call to another number.
    Called,
    /// The signature is not by the certificate's key.
    Signature,
    /// The certificate can't be had.
    Unavailable,
    /// The certificate can't be read, has no key of P-256, or nobody who is believed has issued it.
    Certificate,
    /// It has expired, or one between it and its authority; or it does not hold yet.
    Expired,
    /// Its issuer has taken it back.
    Revoked,
}

impl Invalid {
    /// RFC 8224 §6.2.2: what a verifier that refuses would answer, and why.
    pub fn status(self) -> (u16, &'static str) {
        match self {
            Self::Stale => (403, "Stale Date"),
            Self::Unavailable => (436, "Bad Identity Info"),
            Self::Certificate | Self::Expired | Self::Revoked => (437, "Unsupported Credential"),
            _ => (438, "Invalid Identity Header"),
        }
    }
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (status, phrase) = self.status();
        let what = match self {
            Self::Malformed => "can't be read",
            Self::Kind => "of another kind",
            Self::Stale => "too old",
            Self::Caller => "of another caller",
            Self::Called => "for another number",
            Self::Signature => "signed by nobody",
            Self::Unavailable => "its certificate can't be had",
            Self::Certificate => "its certificate is not believed",
            Self::Expired => "its certificate has expired",
            Self::Revoked => "its certificate is revoked",
        };
        write!(f, "{status} {phrase}: {what}")
    }
}

#[derive(Serialize, Deserialize)]
struct Header {
    alg: String,
    ppt: String,
    typ: String,
    x5u: String,
}

// In the order of their names (RFC 8225 §9).
#[derive(Serialize, Deserialize)]
struct Claims {
    attest: Attestation,
    dest: Called,
    iat: u64,
    orig: Caller,
    origid: String,
}

#[derive(Serialize, Deserialize)]
struct Called {
    tn: Vec<String>,
}

#[derive(Serialize, Deserialize)]
struct Caller {
    tn: String,
}

/// An identity as it came, of which nothing is believed yet.
pub struct Passport {
    /// Where its certificate is.
    pub url: String,
    signed: String,
    signature: Vec<u8>,
    claims: Claims,
}

impl Passport {
    /// Reads the value of an Identity header.
    ///
    /// # Errors
    /// `Malformed` and `Kind`.
    pub fn read(value: &str) -> Result<Self, Invalid> {
        let bad = Invalid::Malformed;
        if value.len() > LONGEST {
            return Err(bad);
        }
        let mut parts = value.split(';').map(str::trim);
        let digest = parts.next().unwrap_or_default();
        let mut info = None;
        for part in parts {
            let (name, said) = part.split_once('=').ok_or(bad)?;
            let said = said.trim().trim_matches('"');
            match name.trim().to_ascii_lowercase().as_str() {
                "info" => info = said.strip_prefix('<').and_then(|url| url.strip_suffix('>')),
                "alg" if said != "ES256" => return Err(bad),
                "ppt" if said != "shaken" => return Err(Invalid::Kind),
                _ => {}
            }
        }
        let info = info.ok_or(bad)?;
        let [header, claims, signature] = digest.split('.').collect::<Vec<_>>()[..] else { return Err(bad) };
        let decoded = |text: &str| URL_SAFE_NO_PAD.decode(text).map_err(|_| bad);
        let of: Header = serde_json::from_slice(&decoded(header)?).map_err(|_| bad)?;
        if of.ppt != "shaken" {
            return Err(Invalid::Kind);
        }
        // RFC 8224 §6.2: what is signed and what is said of it have to be the same.
        if of.alg != "ES256" || of.typ != "passport" || of.x5u != info {
            return Err(bad);
        }
        Ok(Self {
            url: of.x5u,
            signed: format!("{header}.{claims}"),
            signature: decoded(signature)?,
            claims: serde_json::from_slice(&decoded(claims)?).map_err(|_| bad)?,
        })
    }

    /// Whether it is of this call, and of now. `wall`: seconds since 1970 UTC; numbers in E.164, "+" or not.
    ///
    /// # Errors
    /// `Stale`, `Caller` and `Called`.
    pub fn check(&self, caller: &str, called: &str, wall: f64) -> Result<(), Invalid> {
        if (wall - self.claims.iat as f64).abs() > FRESH {
            return Err(Invalid::Stale);
        }
        if digits(caller).is_empty() || digits(&self.claims.orig.tn) != digits(caller) {
            return Err(Invalid::Caller);
        }
        if !self.claims.dest.tn.iter().any(|tn| !digits(tn).is_empty() && digits(tn) == digits(called)) {
            return Err(Invalid::Called);
        }
        Ok(())
    }

    /// Whether whoever has this key has signed it: the uncompressed point, 65 bytes. What it then says of the caller.
    ///
    /// # Errors
    /// `Signature`.
    pub fn verify(&self, key: &[u8]) -> Result<(Attestation, &str), Invalid> {
        let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, key);
        key.verify(self.signed.as_bytes(), &self.signature).map_err(|_| Invalid::Signature)?;
        Ok((self.claims.attest, &self.claims.origid))
    }
}

/// Signs calls with a key, whose certificate stands at a URL.
pub struct Signer {
    key: EcdsaKeyPair,
    url: String,
}

impl Signer {
    /// `pkcs8`: a key of P-256 in DER. None: it is none.
    pub fn new(pkcs8: &[u8], url: &str) -> Option<Self> {
        let signing = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let key = EcdsaKeyPair::from_pkcs8(signing, pkcs8, &SystemRandom::new()).ok()?;
        Some(Self { key, url: url.to_owned() })
    }

    /// The value of an Identity header; none where there is no number to sign. `id`: names where the call came from, as a
    /// UUID.
    pub fn sign(
        &self,
        caller: &str,
        called: &str,
        attest: Attestation,
        id: u128,
        wall: f64,
    ) -> Option<String> {
        let (caller, called) = (digits(caller), digits(called));
        if caller.is_empty() || called.is_empty() {
            return None;
        }
        let encoded = |json: String| URL_SAFE_NO_PAD.encode(json);
        let header = Header {
            alg: "ES256".into(),
            ppt: "shaken".into(),
            typ: "passport".into(),
            x5u: self.url.clone(),
        };
        let claims = Claims {
            attest,
            dest: Called { tn: vec![called] },
            iat: wall as u64,
            orig: Caller { tn: caller },
            origid: uuid(id),
        };
        let signed = format!(
            "{}.{}",
            encoded(serde_json::to_string(&header).ok()?),
            encoded(serde_json::to_string(&claims).ok()?)
        );
        let signature = self.key.sign(&SystemRandom::new(), signed.as_bytes()).ok()?;
        let signature = URL_SAFE_NO_PAD.encode(signature);
        Some(format!("{signed}.{signature};info=<{}>;alg=ES256;ppt=shaken", self.url))
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signer").field("url", &self.url).finish_non_exhaustive()
    }
}

/// RFC 8224 §8.3: a number as it is signed and compared; empty for what is no number.
fn digits(number: &str) -> String {
    let plain: String = number.chars().filter(|c| !matches!(c, ' ' | '-' | '.' | '(' | ')' | '+')).collect();
    if plain.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'#' | b'*')) {
        plain
    } else {
        String::new()
    }
}

fn uuid(id: u128) -> String {
    let hex = format!("{id:032x}");
    [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
}

#[cfg(test)]
mod tests {
    use ring::signature::KeyPair;

    use super::*;

    const AT: f64 = 1_795_000_000.0;
    const URL: &str = "https://cert.example.org/passport.cer";

    fn signer() -> Signer {
        let signing = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let key = EcdsaKeyPair::generate_pkcs8(signing, &SystemRandom::new()).expect("a key");
        Signer::new(key.as_ref(), URL).expect("it is of P-256")
    }

    #[test]
    fn rfc8588_what_is_signed_is_read_by_its_claims_and_holds_for_this_call_alone() {
        let signer = signer();
        let value =
            signer.sign("+1 215-555-0121", "12155550131", Attestation::A, 1, AT).expect("it has numbers");
        let header = value.split('.').next().expect("a first part");
        let header = String::from_utf8(URL_SAFE_NO_PAD.decode(header).expect("base64url")).expect("text");
        assert_eq!(header, format!(r#"{{"alg":"ES256","ppt":"shaken","typ":"passport","x5u":"{URL}"}}"#));
        let claims = value.split('.').nth(1).expect("a second part");
        let claims = String::from_utf8(URL_SAFE_NO_PAD.decode(claims).expect("base64url")).expect("text");
        let expected = r#"{"attest":"A","dest":{"tn":["12155550131"]},"iat":1795000000,"orig":{"tn":"12155550121"},"origid":"00000000-0000-0000-0000-000000000001"}"#;
        assert_eq!(claims, expected, "RFC 8225 §9: names in order, and no white space");

        let passport = Passport::read(&value).expect("it can be read");
        assert_eq!(passport.url, URL);
        let check = |caller, called, later| passport.check(caller, called, AT + later);
        assert_eq!(check("12155550121", "+12155550131", 60.0), Ok(()));
        assert_eq!(check("12155550121", "12155550131", 61.0), Err(Invalid::Stale));
        assert_eq!(check("12155550121", "12155550131", -61.0), Err(Invalid::Stale));
        assert_eq!(check("12155550122", "12155550131", 0.0), Err(Invalid::Caller));
        assert_eq!(check("", "12155550131", 0.0), Err(Invalid::Caller));
        assert_eq!(check("12155550121", "12155550132", 0.0), Err(Invalid::Called));
        let key = signer.key.public_key().as_ref();
        assert_eq!(passport.verify(key).map(|(attest, _)| attest), Ok(Attestation::A));
        assert_eq!(
            passport.verify(super::tests::signer().key.public_key().as_ref()),
            Err(Invalid::Signature)
        );
    }

    #[test]
    fn rfc8224_6_2_what_is_not_what_it_says_is_refused() {
        let value = signer().sign("1", "2", Attestation::B, 7, AT).expect("it has numbers");
        let read = |value: &str| Passport::read(value).map(|_| ()).expect_err("it does not hold");
        assert_eq!(read(&value.replace("ppt=shaken", "ppt=div")), Invalid::Kind);
        assert_eq!(read(&value.replace("alg=ES256", "alg=none")), Invalid::Malformed);
        assert_eq!(read(&value.replace("cert.example", "evil.example")), Invalid::Malformed, "another x5u");
        assert_eq!(read(&value.replacen('.', "", 1)), Invalid::Malformed);
        for n in 0..value.len() {
            let Some(cut) = value.get(..n) else { continue };
            let _ = Passport::read(cut); // it may be read or not; it does not panic
        }
        assert_eq!(read(""), Invalid::Malformed);
        assert_eq!(read(&"a".repeat(9_000)), Invalid::Malformed);
        let quoted = value.replace("ppt=shaken", "ppt=\"shaken\"");
        assert!(Passport::read(&quoted).is_ok(), "as the examples of RFC 8588 have it");
    }
}
