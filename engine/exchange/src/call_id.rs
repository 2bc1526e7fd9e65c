//! What a call is called by, in the API, in files and on the wire.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Names a call for ever: 48 bits of milliseconds since 1970 and 80 bits of chance, so ids sort by
/// time. Written as 26 characters of Crockford's base 32 (a ULID).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct CallId(pub u128);

const BASE32: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

impl CallId {
    /// `millis`: since 1970-01-01 UTC. Only the low 80 bits of `chance` are used.
    pub fn new(millis: u64, chance: u128) -> Self {
        Self((u128::from(millis) << 80) | (chance & ((1 << 80) - 1)))
    }

    /// When the call arrived: milliseconds since 1970-01-01 UTC.
    pub fn millis(self) -> u64 {
        (self.0 >> 80) as u64
    }
}

impl fmt::Display for CallId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text: [u8; 26] = std::array::from_fn(|i| BASE32[(self.0 >> (125 - 5 * i)) as usize & 31]);
        f.write_str(std::str::from_utf8(&text).expect("base 32 is ASCII"))
    }
}

impl fmt::Debug for CallId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for CallId {
    type Err = NotACallId;

    fn from_str(text: &str) -> Result<Self, NotACallId> {
        if text.len() != 26 || text.as_bytes()[0] > b'7' {
            return Err(NotACallId);
        }
        text.bytes().try_fold(Self(0), |id, byte| {
            let digit = BASE32.iter().position(|b| *b == byte.to_ascii_uppercase()).ok_or(NotACallId)?;
            Ok(Self(id.0 << 5 | digit as u128))
        })
    }
}

/// The text is not 26 characters of Crockford's base 32.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotACallId;

impl fmt::Display for NotACallId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a call id is 26 characters of 0-9 and A-Z without I, L, O and U")
    }
}

impl std::error::Error for NotACallId {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_id_reads_back_and_sorts_by_time() {
        let early = CallId::new(1_795_000_000_000, 7);
        let late = CallId::new(1_795_000_000_001, 3);
        assert_eq!(early.to_string().len(), 26);
        assert_eq!(early.to_string().parse(), Ok(early));
        assert!(early < late && early.to_string() < late.to_string());
        assert_eq!(late.millis(), 1_795_000_000_001);
        assert_eq!("8ZZZZZZZZZZZZZZZZZZZZZZZZZ".parse::<CallId>(), Err(NotACallId));
        assert_eq!("é".repeat(13).parse::<CallId>(), Err(NotACallId));
    }
}
