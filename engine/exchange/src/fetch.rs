//! What a script asks of a server outside, and what that answered (RFC 9110): interface `http` of `wit/`. Which
//! servers a tenant's scripts may reach, and how, is the server's business; a call only waits.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fetch {
    /// What is asked.
    pub method: FetchMethod,
    /// Absolute.
    pub url: String,
    /// Names and values, as the script wrote them.
    pub headers: Vec<(String, String)>,
    /// Empty for none.
    pub body: Vec<u8>,
    /// For all of it; zero stands for the tenant's own limit.
    pub timeout: Duration,
    /// Redirects to follow.
    pub redirects: u8,
}

/// RFC 9110 §9.3. The order is part of the tape's format: add at the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum FetchMethod {
    Get,
    Head,
    Post,
    Put,
    Patch,
    Delete,
}

impl FetchMethod {
    /// Every one of them.
    pub const ALL: [Self; 6] = [Self::Get, Self::Head, Self::Post, Self::Put, Self::Patch, Self::Delete];

    /// As it stands in a request: "GET".
    pub fn name(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }
}

/// An answer, whole.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fetched {
    /// 200 to 599.
    pub status: u16,
    /// Names in lower case and values, in the order they came.
    pub headers: Vec<(String, String)>,
    /// All of it.
    pub body: Vec<u8>,
}

impl Fetched {
    /// A header's values, by its name in any case.
    pub fn header(&self, name: &str) -> Vec<String> {
        let same = self.headers.iter().filter(|(known, _)| known.eq_ignore_ascii_case(name));
        same.map(|(_, value)| value.clone()).collect()
    }
}
