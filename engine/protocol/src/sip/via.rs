//! Via (RFC 3261 §20.42): where a request has been, and so the way of its response.
//!
//! Knows `branch`, `received`, `maddr`, `ttl` and `rport` (RFC 3581). Which of them decides where a
//! response is sent (§18.2.2) is the stack's business.

use std::fmt;
use std::net::IpAddr;

use super::flow::Transport;
use super::grammar;
use super::params::Params;
use super::uri::Host;

/// The text is no Via; a request with it can't be answered along it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotAVia;

impl fmt::Display for NotAVia {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a Via")
    }
}

impl std::error::Error for NotAVia {}

/// One hop: `SIP/2.0/UDP host:port;branch=...`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Via {
    /// What it was sent over, in upper case: any token, see [`Transport::parse`](super::flow::Transport::parse)
    /// for the known ones.
    pub transport: Box<str>,
    /// The host of `sent-by`.
    pub host: Host,
    /// The port of `sent-by`; the transport's default when there is none.
    pub port: Option<u16>,
    /// `;branch=`, `;received=`, `;rport` ...
    pub params: Params,
}

impl Via {
    /// A Via of one's own, with its branch.
    pub fn new(transport: Transport, host: Host, port: Option<u16>, branch: &str) -> Via {
        let mut params = Params::new();
        params.set("branch", Some(branch));
        Via { transport: transport.as_str().into(), host, port, params }
    }

    /// Reads one value; of a list, one item. White space is allowed around the slashes.
    pub fn parse(text: &str) -> Result<Via, NotAVia> {
        let (protocol, rest) = grammar::split(text, b'/').ok_or(NotAVia)?;
        let (version, rest) = grammar::split(rest, b'/').ok_or(NotAVia)?;
        if !grammar::trim(protocol).eq_ignore_ascii_case("SIP") || grammar::trim(version) != "2.0" {
            return Err(NotAVia);
        }
        let (transport, rest) = grammar::take_while(grammar::trim_start(rest), grammar::is_token_byte);
        if transport.is_empty() || !rest.starts_with([' ', '\t']) {
            return Err(NotAVia);
        }
        let (sent_by, params) = grammar::split_before(rest, b';');
        let sent_by = grammar::trim(sent_by);
        // White space is allowed around the colon (§25.1 COLON), and nowhere else in it.
        let (host, port) = match sent_by.bytes().any(grammar::is_lws).then(|| sent_by.rsplit_once(':')) {
            Some(Some((host, port))) => {
                Host::parse_with_port(&format!("{}:{}", grammar::trim(host), grammar::trim(port)))
            }
            _ => Host::parse_with_port(sent_by),
        }
        .ok_or(NotAVia)?;
        let params = Params::parse(params).ok_or(NotAVia)?;
        Ok(Via { transport: transport.to_ascii_uppercase().into(), host, port, params })
    }

    /// The branch; `None` or without [`MAGIC_COOKIE`](super::ids::MAGIC_COOKIE) for peers of RFC 2543.
    pub fn branch(&self) -> Option<&str> {
        self.params.get("branch")
    }

    /// The address that the request came from, when it differs from `sent-by` (§18.2.1). Brackets
    /// around an IPv6 address are accepted (RFC 5118 §4.5).
    pub fn received(&self) -> Option<IpAddr> {
        let text = self.params.get("received")?;
        text.strip_prefix('[').and_then(|t| t.strip_suffix(']')).unwrap_or(text).parse().ok()
    }

    /// RFC 3581: `None` when there is no `rport`, `Some(None)` when it asks for one.
    pub fn rport(&self) -> Option<Option<u16>> {
        let has = self.params.has("rport");
        has.then(|| self.params.get("rport").and_then(|port| port.parse().ok()))
    }

    /// A multicast or other address to answer to (§18.2.2).
    pub fn maddr(&self) -> Option<&str> {
        self.params.get("maddr")
    }

    /// Notes where the request came from (§18.2.1, RFC 3581 §4): `received` when the address
    /// differs from `sent-by` or `rport` was asked for, and `rport` with its port.
    pub fn note_source(&mut self, ip: IpAddr, port: u16) {
        let wants_port = self.params.has("rport");
        if wants_port {
            self.params.set("rport", Some(&port.to_string()));
        }
        if wants_port || self.host.ip() != Some(ip) {
            self.params.set("received", Some(&ip.to_string()));
        }
    }

    /// `host:port` as written, or `host`.
    pub fn sent_by(&self) -> String {
        match self.port {
            Some(port) => format!("{}:{port}", self.host),
            None => self.host.to_string(),
        }
    }
}

impl fmt::Display for Via {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SIP/2.0/{} {}", self.transport, self.host)?;
        if let Some(port) = self.port {
            write!(f, ":{port}")?;
        }
        write!(f, "{}", self.params)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc3261_25_1_white_space_around_every_separator() {
        let via =
            Via::parse("SIP  /    2.0   / udp  192.168.255.111 : 5062  ; branch= z9hG4bK30239").unwrap();
        assert_eq!(via.to_string(), "SIP/2.0/UDP 192.168.255.111:5062;branch=z9hG4bK30239");
        assert_eq!(via.branch(), Some("z9hG4bK30239"));
    }

    #[test]
    fn rfc3581_4_the_source_is_noted_where_asked_for() {
        let mut via = Via::parse("SIP/2.0/UDP 10.1.1.1:4540;rport;branch=z9hG4bKkjshdyff").unwrap();
        assert_eq!(via.rport(), Some(None));
        via.note_source("192.0.2.1".parse().unwrap(), 9988);
        assert_eq!((via.rport(), via.received()), (Some(Some(9988)), "192.0.2.1".parse().ok()));
    }

    #[test]
    fn rfc3261_18_2_1_received_is_added_when_the_source_differs() {
        let mut same = Via::parse("SIP/2.0/UDP 192.0.2.4;branch=z9hG4bK1").unwrap();
        same.note_source("192.0.2.4".parse().unwrap(), 5060);
        assert_eq!(same.received(), None);
        let mut named = Via::parse("SIP/2.0/UDP bobspc.biloxi.com:5060").unwrap();
        named.note_source("192.0.2.4".parse().unwrap(), 5060);
        assert_eq!(named.received(), "192.0.2.4".parse().ok());
        let v6 = Via::parse("SIP/2.0/UDP [2001:db8::9:1];received=[2001:db8::9:255]").unwrap();
        assert_eq!(v6.received(), "2001:db8::9:255".parse().ok());
    }

    #[test]
    fn what_is_no_via_is_refused() {
        for bad in [
            "",
            "SIP/2.0/UDP",
            "SIP/2.0/UDP ",
            "SIP/2.0 UDP a",
            "SIP/3.0/UDP a",
            "SIP/2.0/UDP a;;b",
            "SIP/2.0/UDP 192.0.2.15;;",
            "SIP/2.0/U DP a",
            "SIP/2.0/UDP a b",
            "SIP/2.0/UDP 2001:db8::1",
        ] {
            assert!(Via::parse(bad).is_err(), "{bad}");
        }
    }
}
