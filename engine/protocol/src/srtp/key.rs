//! Suites by the names of RFC 4568 §6.2, RFC 6188 §8 and RFC 7714 §14.2, and the master key of one direction.

use std::fmt;

/// Octets of the longest master key with its salt: AES-256 and 112 bits.
const MAX_KEY: usize = 32 + 14;

/// What encrypts and authenticates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Suite {
    /// Counter mode, tags of 80 bits: what every telephone has (RFC 3711 §4).
    AesCm128HmacSha1_80,
    /// The same with tags of 32 bits for sound; those of SRTCP have 80 (RFC 4568 §6.2.2).
    AesCm128HmacSha1_32,
    /// As the first, with keys of 256 bits (RFC 6188).
    AesCm256HmacSha1_80,
    /// As the second, with keys of 256 bits (RFC 6188).
    AesCm256HmacSha1_32,
    /// RFC 7714.
    AeadAes128Gcm,
    /// RFC 7714.
    AeadAes256Gcm,
}

impl Suite {
    /// All of them, in the order in which they are offered: the fastest and safest first, but the one that all
    /// telephones have before those that only some have with faults.
    pub const ALL: [Suite; 6] = [
        Self::AesCm128HmacSha1_80,
        Self::AeadAes128Gcm,
        Self::AeadAes256Gcm,
        Self::AesCm256HmacSha1_80,
        Self::AesCm128HmacSha1_32,
        Self::AesCm256HmacSha1_32,
    ];

    /// As SDP names it.
    pub fn name(self) -> &'static str {
        match self {
            Self::AesCm128HmacSha1_80 => "AES_CM_128_HMAC_SHA1_80",
            Self::AesCm128HmacSha1_32 => "AES_CM_128_HMAC_SHA1_32",
            Self::AesCm256HmacSha1_80 => "AES_256_CM_HMAC_SHA1_80",
            Self::AesCm256HmacSha1_32 => "AES_256_CM_HMAC_SHA1_32",
            Self::AeadAes128Gcm => "AEAD_AES_128_GCM",
            Self::AeadAes256Gcm => "AEAD_AES_256_GCM",
        }
    }

    /// None for a suite that we do not have.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|suite| suite.name().eq_ignore_ascii_case(name))
    }

    /// Octets of the master key.
    pub fn key_length(self) -> usize {
        match self {
            Self::AesCm128HmacSha1_80 | Self::AesCm128HmacSha1_32 | Self::AeadAes128Gcm => 16,
            Self::AesCm256HmacSha1_80 | Self::AesCm256HmacSha1_32 | Self::AeadAes256Gcm => 32,
        }
    }

    /// Octets of the master salt.
    pub fn salt_length(self) -> usize {
        match self {
            Self::AesCm128HmacSha1_80
            | Self::AesCm128HmacSha1_32
            | Self::AesCm256HmacSha1_80
            | Self::AesCm256HmacSha1_32 => 14,
            Self::AeadAes128Gcm | Self::AeadAes256Gcm => 12,
        }
    }
}

/// The master key and salt of one direction. Never shown, not even by `{:?}`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct MasterKey {
    suite: Suite,
    bytes: [u8; MAX_KEY],
}

impl MasterKey {
    /// Key and salt, one after the other. None when there are more or fewer octets than the suite has.
    pub fn new(suite: Suite, key_and_salt: &[u8]) -> Option<Self> {
        let mut bytes = [0; MAX_KEY];
        let length = suite.key_length() + suite.salt_length();
        if key_and_salt.len() != length {
            return None;
        }
        bytes[..length].copy_from_slice(key_and_salt);
        Some(Self { suite, bytes })
    }

    /// What it is for.
    pub fn suite(&self) -> Suite {
        self.suite
    }

    /// Key and salt, one after the other.
    pub fn key_and_salt(&self) -> &[u8] {
        &self.bytes[..self.suite.key_length() + self.suite.salt_length()]
    }

    pub(super) fn key(&self) -> &[u8] {
        &self.bytes[..self.suite.key_length()]
    }

    pub(super) fn salt(&self) -> &[u8] {
        &self.key_and_salt()[self.suite.key_length()..]
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MasterKey({})", self.suite.name())
    }
}
