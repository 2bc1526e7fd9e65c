//! URIs of SIP (RFC 3261 §19.1), tel URIs (RFC 3966), and any other scheme as opaque text.
//!
//! Parts are kept as they were written, escapes included, so that a URI is sent on as it came;
//! comparison (§19.1.4) decodes. Resolving a URI to addresses (RFC 3263) is not done here.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use super::flow::Transport;
use super::grammar;
use super::params::Params;

/// The text is no URI of its scheme; a request with it gets 400 (RFC 3261 §21.4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotAUri;

impl fmt::Display for NotAUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a URI")
    }
}

impl std::error::Error for NotAUri {}

/// A URI as Request-URI or inside a name-addr. `==` compares what was written; see
/// [`Uri::same_as`] for the comparison of §19.1.4.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Uri {
    /// `sip:` and `sips:`.
    Sip(SipUri),
    /// `tel:` (RFC 3966).
    Tel(TelUri),
    /// Another scheme: what a server answers with 416 when it is asked to route there.
    Other {
        /// In lower case.
        scheme: String,
        /// What follows the colon, unread.
        rest: String,
    },
}

/// `sip:user:password@host:port;params?headers`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SipUri {
    /// `sips:` instead of `sip:`.
    pub secure: bool,
    /// As written, escapes included; [`SipUri::user_decoded`] has them decoded.
    pub user: Option<String>,
    /// As written.
    pub password: Option<String>,
    /// Domain name or address.
    pub host: Host,
    /// 5060, or 5061 for `sips:`, if none is said.
    pub port: Option<u16>,
    /// `;transport=tcp;lr` ...
    pub params: Params,
    /// What follows `?`, as written; empty when there is none.
    pub headers: String,
}

/// `tel:+359...;phone-context=...`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TelUri {
    /// As written, visual separators included.
    pub number: String,
    /// `;ext=`, `;phone-context=` ...
    pub params: Params,
}

/// A domain name, an IPv4 address, or an IPv6 address in brackets. Compared as addresses where both
/// are, otherwise without regard to case.
#[derive(Clone)]
pub struct Host {
    text: Box<str>,
    ip: Option<IpAddr>,
}

impl Uri {
    /// `sip:user@host:port`; the user's text is escaped where needed.
    pub fn sip(user: Option<&str>, host: Host, port: Option<u16>) -> Uri {
        Uri::Sip(SipUri {
            secure: false,
            user: user.map(|u| grammar::percent_encode_user(u).into_owned()),
            password: None,
            host,
            port,
            params: Params::new(),
            headers: String::new(),
        })
    }

    /// Reads a URI without anything around it.
    pub fn parse(text: &str) -> Result<Uri, NotAUri> {
        let (scheme, rest) = grammar::split(text, b':').ok_or(NotAUri)?;
        if scheme.eq_ignore_ascii_case("sip") {
            SipUri::parse(false, rest).map(Uri::Sip)
        } else if scheme.eq_ignore_ascii_case("sips") {
            SipUri::parse(true, rest).map(Uri::Sip)
        } else if scheme.eq_ignore_ascii_case("tel") {
            TelUri::parse(rest).map(Uri::Tel)
        } else {
            let letters = scheme.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b));
            let begins = scheme.bytes().next().is_some_and(|b| b.is_ascii_alphabetic());
            let opaque = !rest.is_empty() && rest.bytes().all(is_visible);
            (letters && begins && opaque)
                .then(|| Uri::Other { scheme: scheme.to_ascii_lowercase(), rest: rest.to_owned() })
                .ok_or(NotAUri)
        }
    }

    /// The SIP or SIPS URI that this is.
    pub fn as_sip(&self) -> Option<&SipUri> {
        match self {
            Uri::Sip(uri) => Some(uri),
            _ => None,
        }
    }

    /// Like [`Uri::as_sip`], to change it.
    pub fn as_sip_mut(&mut self) -> Option<&mut SipUri> {
        match self {
            Uri::Sip(uri) => Some(uri),
            _ => None,
        }
    }

    /// Who is meant: the user part of a SIP URI with escapes decoded, the digits of a tel URI.
    pub fn user(&self) -> Option<String> {
        match self {
            Uri::Sip(uri) => uri.user_decoded(),
            Uri::Tel(uri) => Some(uri.digits()),
            Uri::Other { .. } => None,
        }
    }

    /// The host of a SIP URI.
    pub fn host(&self) -> Option<&Host> {
        self.as_sip().map(|uri| &uri.host)
    }

    /// The scheme in lower case.
    pub fn scheme(&self) -> &str {
        match self {
            Uri::Sip(SipUri { secure: false, .. }) => "sip",
            Uri::Sip(SipUri { secure: true, .. }) => "sips",
            Uri::Tel(_) => "tel",
            Uri::Other { scheme, .. } => scheme,
        }
    }

    /// Whether both name the same resource: RFC 3261 §19.1.4, RFC 3966 §4.
    pub fn same_as(&self, other: &Uri) -> bool {
        match (self, other) {
            (Uri::Sip(a), Uri::Sip(b)) => a.same_as(b),
            (Uri::Tel(a), Uri::Tel(b)) => a.same_as(b),
            _ => self == other,
        }
    }
}

impl SipUri {
    fn parse(secure: bool, text: &str) -> Result<SipUri, NotAUri> {
        let (userinfo, rest) = match grammar::split(text, b'@') {
            Some((userinfo, rest)) => (Some(userinfo), rest),
            None => (None, text),
        };
        let (mut user, mut password) = (None, None);
        if let Some(userinfo) = userinfo {
            let (name, secret) =
                grammar::split(userinfo, b':').map_or((userinfo, None), |(u, p)| (u, Some(p)));
            let fits = |part: &str| part.bytes().all(is_visible) && grammar::escapes_are_whole(part);
            if name.is_empty() || !fits(name) || !secret.is_none_or(fits) {
                return Err(NotAUri);
            }
            (user, password) = (Some(name.to_owned()), secret.map(str::to_owned));
        }
        let (rest, headers) = grammar::split(rest, b'?').map_or((rest, None), |(r, h)| (r, Some(h)));
        let (host, params) = grammar::split_before(rest, b';');
        let (host, port) = Host::parse_with_port(host).ok_or(NotAUri)?;
        let params = Params::parse_uri(params).ok_or(NotAUri)?;
        let headers = match headers {
            None => String::new(),
            Some(h) if !h.is_empty() && h.bytes().all(is_visible) && grammar::escapes_are_whole(h) => {
                h.to_owned()
            }
            Some(_) => return Err(NotAUri),
        };
        Ok(SipUri { secure, user, password, host, port, params, headers })
    }

    /// The user part with escapes decoded.
    pub fn user_decoded(&self) -> Option<String> {
        self.user.as_deref().map(|user| grammar::percent_decode(user).into_owned())
    }

    /// The port, or the scheme's default (§19.1.2).
    pub fn port_or_default(&self) -> u16 {
        self.port.unwrap_or(if self.secure { 5061 } else { 5060 })
    }

    /// What it is reached over: as said, else TLS for `sips:` and UDP for `sip:`; none for one that is not known.
    pub fn transport(&self) -> Option<Transport> {
        match self.params.get("transport") {
            Some(name) => Some(match Transport::parse(name)? {
                // §26.2.2: the parameter of a SIPS URI says what TLS runs over.
                Transport::Tcp if self.secure => Transport::Tls,
                Transport::Ws if self.secure => Transport::Wss,
                named => named,
            }),
            None if self.secure => Some(Transport::Tls),
            None => Some(Transport::Udp),
        }
    }

    /// Whether a route through this URI is a loose one (§19.1.1 `lr`).
    pub fn is_loose_router(&self) -> bool {
        self.params.has("lr")
    }

    /// §19.1.4. User and password compare with case, all else without; `user`, `ttl`, `method`,
    /// `maddr` and `transport` count when only one side has them, other parameters do not.
    pub fn same_as(&self, other: &SipUri) -> bool {
        let decoded = |part: &Option<String>| part.as_deref().map(grammar::percent_bytes);
        self.secure == other.secure
            && decoded(&self.user) == decoded(&other.user)
            && decoded(&self.password) == decoded(&other.password)
            && self.host == other.host
            && self.port == other.port
            && same_params(&self.params, &other.params, &["user", "ttl", "method", "maddr", "transport"])
            && same_params(&other.params, &self.params, &["user", "ttl", "method", "maddr", "transport"])
            && self.header_list() == other.header_list()
    }

    fn header_list(&self) -> Vec<(String, Vec<u8>)> {
        let mut list: Vec<_> = self
            .headers
            .split('&')
            .map(|item| item.split_once('=').unwrap_or((item, "")))
            .map(|(name, value)| {
                (grammar::percent_decode(name).to_ascii_lowercase(), grammar::percent_bytes(value))
            })
            .collect();
        list.sort();
        list
    }
}

fn same_params(these: &Params, those: &Params, must_match: &[&str]) -> bool {
    these.iter().all(|(name, _)| {
        let value = |v: Option<&str>| v.map(|v| grammar::percent_bytes(v).to_ascii_lowercase());
        let mine = value(these.get(name));
        let needed = must_match.iter().any(|must| must.eq_ignore_ascii_case(name));
        if those.has(name) { mine == value(those.get(name)) } else { !needed }
    })
}

impl TelUri {
    fn parse(text: &str) -> Result<TelUri, NotAUri> {
        let (number, params) = text.split_at(text.find(';').unwrap_or(text.len()));
        let digits = number.strip_prefix('+').unwrap_or(number);
        let fits = |b: u8| b.is_ascii_hexdigit() || b"*#-.()".contains(&b);
        if !digits.bytes().all(fits) || !digits.bytes().any(|b| b.is_ascii_hexdigit() || b"*#".contains(&b)) {
            return Err(NotAUri);
        }
        Ok(TelUri { number: number.to_owned(), params: Params::parse_uri(params).ok_or(NotAUri)? })
    }

    /// The number without visual separators (RFC 3966 §5.1.1).
    pub fn digits(&self) -> String {
        self.number.chars().filter(|c| !"-.()".contains(*c)).collect()
    }

    /// RFC 3966 §4: digits and parameters, without visual separators and regard to case. Of a parameter that is there
    /// twice, which §3 forbids, the first counts.
    pub fn same_as(&self, other: &TelUri) -> bool {
        let all = |a: &Params, b: &Params| {
            a.iter().all(|(n, _)| {
                b.has(n)
                    && match (a.get(n), b.get(n)) {
                        (Some(v), Some(w)) => v.eq_ignore_ascii_case(w),
                        (v, w) => v == w,
                    }
            })
        };
        self.digits().eq_ignore_ascii_case(&other.digits())
            && all(&self.params, &other.params)
            && all(&other.params, &self.params)
    }
}

impl Host {
    /// Reads a host without a port. `None` for text that is neither name nor address.
    pub fn parse(text: &str) -> Option<Host> {
        if let Some(inner) = text.strip_prefix('[') {
            let ip: Ipv6Addr = inner.strip_suffix(']')?.parse().ok()?;
            return Some(Host { text: text.into(), ip: Some(IpAddr::V6(ip)) });
        }
        let (mut before, mut digits) = (b'.', true);
        for byte in text.bytes() {
            let fits = byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
            if !fits && (byte != b'.' || before == b'.') {
                return None;
            }
            digits &= byte.is_ascii_digit() || byte == b'.';
            before = byte;
        }
        if text.is_empty() {
            return None;
        }
        let ip = match digits {
            true => Some(IpAddr::V4(text.parse::<Ipv4Addr>().ok()?)),
            false => None,
        };
        Some(Host { text: text.into(), ip })
    }

    /// Reads `host` or `host:port`.
    pub fn parse_with_port(text: &str) -> Option<(Host, Option<u16>)> {
        let host_end = match text.starts_with('[') {
            true => text.find(']')? + 1,
            false => grammar::split_before(text, b':').0.len(),
        };
        let (host, port) = text.split_at(host_end);
        let port = match port.as_bytes() {
            [] => None,
            [b':', ..] => Some(grammar::decimal(&port[1..], u64::from(u16::MAX))? as u16),
            _ => return None,
        };
        Some((Host::parse(host)?, port))
    }

    /// As written; an IPv6 address with its brackets.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The address, if it is one.
    pub fn ip(&self) -> Option<IpAddr> {
        self.ip
    }
}

impl From<IpAddr> for Host {
    fn from(ip: IpAddr) -> Host {
        let text = match ip {
            IpAddr::V4(ip) => ip.to_string(),
            IpAddr::V6(ip) => format!("[{ip}]"),
        };
        Host { text: text.into(), ip: Some(ip) }
    }
}

impl PartialEq for Host {
    fn eq(&self, other: &Host) -> bool {
        match (self.ip, other.ip) {
            (Some(a), Some(b)) => a == b,
            _ => self.text.eq_ignore_ascii_case(&other.text),
        }
    }
}

impl Eq for Host {}

/// No space, control, quote or angle bracket: those end a URI wherever it stands.
fn is_visible(byte: u8) -> bool {
    byte > b' ' && byte != 0x7f && !matches!(byte, b'<' | b'>' | b'"')
}

impl FromStr for Uri {
    type Err = NotAUri;

    fn from_str(text: &str) -> Result<Uri, NotAUri> {
        Uri::parse(text)
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Display for Uri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Uri::Sip(uri) => uri.fmt(f),
            Uri::Tel(uri) => write!(f, "tel:{}{}", uri.number, uri.params),
            Uri::Other { scheme, rest } => write!(f, "{scheme}:{rest}"),
        }
    }
}

impl fmt::Display for SipUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.secure { "sips:" } else { "sip:" })?;
        if let Some(user) = &self.user {
            f.write_str(user)?;
            if let Some(password) = &self.password {
                write!(f, ":{password}")?;
            }
            f.write_str("@")?;
        }
        f.write_str(self.host.as_str())?;
        if let Some(port) = self.port {
            write!(f, ":{port}")?;
        }
        write!(f, "{}", self.params)?;
        if !self.headers.is_empty() {
            write!(f, "?{}", self.headers)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uri(text: &str) -> Uri {
        Uri::parse(text).unwrap_or_else(|_| panic!("{text}"))
    }

    #[test]
    fn a_tel_uri_with_a_parameter_twice_is_the_same_as_itself() {
        let twice: Uri = "tel:+15551234567;a=1;a=2".parse().unwrap();
        assert!(twice.same_as(&twice));
        assert!(!twice.same_as(&"tel:+15551234567;a=2".parse().unwrap()));
    }

    #[test]
    fn rfc3261_19_1_3_examples_are_read_and_written_as_they_were() {
        for text in [
            "sip:alice@atlanta.com",
            "sip:alice:secretword@atlanta.com;transport=tcp",
            "sips:alice@atlanta.com?subject=project%20x&priority=urgent",
            "sip:+1-212-555-1212:1234@gateway.com;user=phone",
            "sips:1212@gateway.com",
            "sip:alice@192.0.2.4",
            "sip:atlanta.com;method=REGISTER?to=alice%40atlanta.com",
            "sip:alice;day=tuesday@atlanta.com",
            "sip:[2001:db8::1]:5062;lr",
            "sip:*72#@example.com",
            "sip:192.0.2.1;lr;vsf=AAAAAEpUQkM=;did=6a2.b1",
            "tel:+1-201-555-0123;phone-context=example.com",
            "isbn:2983792873",
        ] {
            assert_eq!(uri(text).to_string(), text);
        }
        let Uri::Sip(sip) = uri("sip:alice;day=tuesday@atlanta.com:5070;lr") else { panic!() };
        assert_eq!(sip.user.as_deref(), Some("alice;day=tuesday"));
        assert_eq!((sip.host.as_str(), sip.port, sip.is_loose_router()), ("atlanta.com", Some(5070), true));
        assert_eq!(uri("sip:%61lice%40corp@x").user().as_deref(), Some("alice@corp"));
        assert_eq!(uri("tel:+1-201-555-0123").user().as_deref(), Some("+12015550123"));
    }

    #[test]
    fn rfc3261_19_1_4_uris_that_are_the_same() {
        for (a, b) in [
            ("sip:%61lice@atlanta.com;transport=TCP", "sip:alice@AtLanTa.CoM;Transport=tcp"),
            ("sip:carol@chicago.com", "sip:carol@chicago.com;newparam=5"),
            ("sip:carol@chicago.com", "sip:carol@chicago.com;security=on"),
            (
                "sip:biloxi.com;transport=tcp;method=REGISTER?to=sip:bob%40biloxi.com",
                "sip:biloxi.com;method=REGISTER;transport=tcp?to=sip:bob%40biloxi.com",
            ),
            (
                "sip:alice@atlanta.com?subject=project%20x&priority=urgent",
                "sip:alice@atlanta.com?priority=urgent&subject=project%20x",
            ),
        ] {
            assert!(uri(a).same_as(&uri(b)) && uri(b).same_as(&uri(a)), "{a} {b}");
        }
    }

    #[test]
    fn rfc3261_19_1_4_uris_that_differ() {
        for (a, b) in [
            ("SIP:ALICE@AtLanTa.CoM;Transport=udp", "sip:alice@AtLanTa.CoM;Transport=UDP"),
            ("sip:bob@biloxi.com", "sip:bob@biloxi.com:5060"),
            ("sip:bob@biloxi.com", "sip:bob@biloxi.com;transport=udp"),
            ("sip:bob@biloxi.com", "sip:bob@biloxi.com:6000;transport=tcp"),
            ("sip:carol@chicago.com", "sip:carol@chicago.com?Subject=next%20meeting"),
            ("sip:bob@phone21.boxesbybob.com", "sip:bob@192.0.2.4"),
            ("sip:carol@chicago.com;security=on", "sip:carol@chicago.com;security=off"),
            ("sip:a@x.com", "sips:a@x.com"),
        ] {
            assert!(!uri(a).same_as(&uri(b)) && !uri(b).same_as(&uri(a)), "{a} {b}");
        }
    }

    #[test]
    fn what_is_no_uri_is_refused() {
        for bad in [
            "",
            "sip:",
            "alice",
            "sip:@host",
            "sip:a@",
            "sip:a@b@c",
            "sip:a b@c",
            "sip:a@b;",
            "sip:a@b;;c",
            "sip:a@b?",
            "sip:2001:db8::10",
            "sip:[2001:db8:::1]",
            "sip:a@b:70000",
            "sip:a@b:",
            "sip:%4@b",
            "sip:1.2.3",
            "tel:",
            "tel:abcx",
            "<sip:a@b>",
            "sip:a@b; lr",
            "sip:a@.b",
            "1x:y",
            ":",
        ] {
            assert!(Uri::parse(bad).is_err(), "{bad}");
        }
    }
}
