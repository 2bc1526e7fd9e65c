//! Signatures of components: ed25519 (RFC 8032) over the component's bytes, so that `openssl pkeyutl -sign -rawin`
//! makes one too. A signature says who made a component, not under which name it may be loaded.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::signature::{ED25519, Ed25519KeyPair, UnparsedPublicKey};

/// A public key in DER (RFC 8410 §4) is this and the key.
const SUBJECT_PUBLIC_KEY_INFO: [u8; 12] =
    [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
/// Bytes of a public key (RFC 8032 §5.1.5).
const KEY: usize = 32;

/// Whoever may have made a component.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PublicKey([u8; KEY]);

/// What is no key, in words that say what to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotAKey;

impl fmt::Display for NotAKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("write the base64 line that openssl pkey -in key.pem -pubout prints")
    }
}

impl std::error::Error for NotAKey {}

impl FromStr for PublicKey {
    type Err = NotAKey;

    /// Base64 of the key, alone or in DER, with or without the lines of PEM around it.
    fn from_str(text: &str) -> Result<Self, NotAKey> {
        let bytes = der(text)?;
        let key = bytes.strip_prefix(&SUBJECT_PUBLIC_KEY_INFO).unwrap_or(&bytes);
        key.try_into().map(Self).map_err(|_| NotAKey)
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&STANDARD.encode([&SUBJECT_PUBLIC_KEY_INFO[..], &self.0].concat()))
    }
}

impl PublicKey {
    /// Whether the holder of this key has signed the component.
    pub fn has_signed(&self, component: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, self.0).verify(component, signature).is_ok()
    }
}

/// Signs a component with a private key in PEM, as `openssl genpkey -algorithm ed25519` writes it (RFC 8410 §7);
/// answers base64.
///
/// # Errors
/// When the text is no such key.
pub fn sign(private_key: &str, component: &[u8]) -> Result<String, NotAKey> {
    let key = Ed25519KeyPair::from_pkcs8_maybe_unchecked(&der(private_key)?).map_err(|_| NotAKey)?;
    Ok(STANDARD.encode(key.sign(component)))
}

/// The bytes of a signature in base64.
///
/// # Errors
/// When it is no base64.
pub fn read(signature: &str) -> Result<Vec<u8>, NotAKey> {
    der(signature)
}

fn der(text: &str) -> Result<Vec<u8>, NotAKey> {
    let body: String = text.lines().filter(|line| !line.starts_with("-----")).map(str::trim).collect();
    STANDARD.decode(body).map_err(|_| NotAKey)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 8410 §10.3 and §10.1: a private key, and the public key of the same pair.
    const PRIVATE: &str = "-----BEGIN PRIVATE KEY-----\n\
        MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n-----END PRIVATE KEY-----\n";
    const PUBLIC: &str = "-----BEGIN PUBLIC KEY-----\n\
        MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC KEY-----\n";

    #[test]
    fn rfc8410_10_a_signature_is_that_of_its_key_and_its_component() {
        let key: PublicKey = PUBLIC.parse().expect("a key of RFC 8410");
        let signature = read(&sign(PRIVATE, b"component").expect("a key of RFC 8410")).expect("base64");
        assert!(key.has_signed(b"component", &signature));
        assert!(!key.has_signed(b"another component", &signature));
        // RFC 8032 §7.1, test 1: another key.
        let other = "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=".parse::<PublicKey>().expect("32 bytes");
        assert!(!other.has_signed(b"component", &signature));
        assert_eq!(key.to_string().parse(), Ok(key));
    }

    #[test]
    fn what_is_no_key_is_refused() {
        assert_eq!("".parse::<PublicKey>(), Err(NotAKey));
        assert_eq!("not base64!".parse::<PublicKey>(), Err(NotAKey));
        assert_eq!("AAAA".parse::<PublicKey>(), Err(NotAKey));
        assert_eq!(sign(PUBLIC, b"component"), Err(NotAKey));
    }
}
