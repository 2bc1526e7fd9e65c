//! SRTP and SRTCP (RFC 3711), with the suites that telephones, carriers and browsers use: AES in counter mode with
//! HMAC-SHA1 (RFC 3711, named by RFC 4568 §6.2) and AES-GCM (RFC 7714). A packet is protected on its way from one
//! buffer to another and unprotected where it lies, without an allocation, which is why no ready crate does it; the
//! ciphers are RustCrypto's. Left out: key identifiers (MKI), key derivation rates, unencrypted or unauthenticated
//! packets; keys come from SDES ([`crate::sdp`]) or DTLS.

pub mod context;
pub mod key;
mod transform;

pub use context::{Inbound, Outbound, Rejected};
pub use key::{MasterKey, Suite};

/// The most octets that protection adds to a packet, SRTP or SRTCP: an AEAD tag and the index of SRTCP.
pub const MAX_OVERHEAD: usize = 20;
