//! What makes two messages one transaction: RFC 3261 §17.1.3 for responses, §17.2.3 for requests, with the
//! older rule of RFC 2543 for branches without the magic cookie.

use crate::sip::ids::MAGIC_COOKIE;

/// A client transaction of this stack: the number in the branch that it made itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ClientKey {
    /// The number in the branch.
    pub branch: u64,
    /// A CANCEL shares the branch of its INVITE (§9.1); the method in CSeq tells them apart (§17.1.3).
    pub cancel: bool,
}

/// A server transaction: branch, sent-by and method in one string, since the other side chose them.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ServerKey(Box<str>);

/// What a request brings for its key; `old` is asked only without a magic cookie.
#[derive(Clone, Copy, Debug)]
pub struct Received<'a> {
    /// The topmost Via's branch; empty if it has none.
    pub branch: &'a str,
    /// The topmost Via's host, as written.
    pub host: &'a str,
    /// The topmost Via's port; 0 if it has none.
    pub port: u16,
    /// The request's method; an ACK is looked for as `INVITE`.
    pub method: &'a str,
    /// Request-URI, From tag, Call-ID and the number in CSeq.
    pub old: (&'a str, &'a str, &'a str, u32),
}

impl ServerKey {
    /// The key that `request` is found under.
    pub fn new(request: Received<'_>) -> Self {
        use std::fmt::Write;
        let Received { branch, host, port, method, old } = request;
        let mut key = String::with_capacity(branch.len() + host.len() + method.len() + 8);
        // A space can't stand in any of the parts, so no two requests run into one key.
        write!(key, "{branch} {host}:{port} {method}").expect("a String takes all");
        key.make_ascii_lowercase();
        if !is_modern(branch) {
            let (uri, from_tag, call_id, cseq) = old;
            write!(key, " {uri} {from_tag} {call_id} {cseq}").expect("a String takes all");
        }
        Self(key.into())
    }
}

/// The branch begins with the magic cookie, so it is unique by itself (§8.1.1.7).
pub fn is_modern(branch: &str) -> bool {
    branch.get(..MAGIC_COOKIE.len()).is_some_and(|head| head.eq_ignore_ascii_case(MAGIC_COOKIE))
        && branch.len() > MAGIC_COOKIE.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    const INVITE: Received<'static> = Received {
        branch: "z9hG4bKnashds8",
        host: "pc33.example.com",
        port: 0,
        method: "INVITE",
        old: ("sip:bob@example.com", "1928301774", "a84b4c76e66710", 314_159),
    };

    #[test]
    fn rfc3261_17_2_3_branch_sent_by_and_method_make_the_key() {
        let key = ServerKey::new(INVITE);
        assert_eq!(key, ServerKey::new(Received { branch: "Z9HG4BKNASHDS8", ..INVITE }));
        assert_eq!(key, ServerKey::new(Received { old: ("sip:else@example.com", "1", "2", 3), ..INVITE }));
        assert_ne!(key, ServerKey::new(Received { branch: "z9hG4bKnashds9", ..INVITE }));
        assert_ne!(key, ServerKey::new(Received { host: "pc34.example.com", ..INVITE }));
        assert_ne!(key, ServerKey::new(Received { port: 5070, ..INVITE }));
        assert_ne!(key, ServerKey::new(Received { method: "CANCEL", ..INVITE }));
    }

    #[test]
    fn rfc3261_17_2_3_without_the_cookie_the_older_fields_count() {
        let old = Received { branch: "1", ..INVITE };
        assert_eq!(ServerKey::new(old), ServerKey::new(old));
        let (uri, tag, call_id, cseq) = old.old;
        for other in [
            ("sip:x@y", tag, call_id, cseq),
            (uri, "x", call_id, cseq),
            (uri, tag, "x", cseq),
            (uri, tag, call_id, 1),
        ] {
            assert_ne!(ServerKey::new(old), ServerKey::new(Received { old: other, ..old }));
        }
    }
}
