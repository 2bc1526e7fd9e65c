//! What opens a door: passwords and bearer tokens, and what the bearer may do.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A bearer token of a tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// `role`
    pub role: Role,
    /// `user`: whose token it is, who may then change their own state as an agent.
    pub user: Option<String>,
    /// `token_env`, `token_file` or `token`
    pub token: Secret,
}

/// What the bearer of a tenant's token may do; each may do what the ones before it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Read what is there.
    Reader,
    /// And act on calls.
    Agent,
    /// And change scripts and prompts, and read tapes and logs.
    Developer,
    /// Everything in the tenant.
    Admin,
}

impl Role {
    /// Every role's name.
    pub const NAMES: [&'static str; 4] = ["reader", "agent", "developer", "admin"];

    /// As in the configuration.
    pub fn name(self) -> &'static str {
        Self::NAMES[self as usize]
    }
}

impl FromStr for Role {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "reader" => Ok(Role::Reader),
            "agent" => Ok(Role::Agent),
            "developer" => Ok(Role::Developer),
            "admin" => Ok(Role::Admin),
            _ => Err(()),
        }
    }
}

/// A password or token: printed as dots, compared in constant time.
#[derive(Clone, Eq)]
pub struct Secret(String);

impl Secret {
    /// Keeps `text` out of logs.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text, for the one place that needs it.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether `other` is the same text, in a time that depends on the lengths only.
    pub fn matches(&self, other: &str) -> bool {
        let (ours, theirs) = (self.0.as_bytes(), other.as_bytes());
        let differing =
            ours.iter().zip(theirs).fold(0u8, |seen, (a, b)| std::hint::black_box(seen | (a ^ b)));
        differing == 0 && ours.len() == theirs.len()
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.matches(&other.0)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(***)")
    }
}
