//! `[tenant.http]`: which servers a tenant's scripts may ask over HTTP. None unless it is said.
//!
//! ```toml
//! [tenant.http]
//! allow = ["crm.example", "*.api.example:8443", "http://10.1.2.3:8080"]   # https unless said otherwise
//! reach = ["private"]                                                     # addresses that are not public
//! authorities = "own-ca.pem"                                              # believed beside those of the Web
//! ```

use std::net::IpAddr;

use ipnet::IpNet;
use reqwest::Url;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject;

use super::section::{Section, Text, hint};

/// Servers that one tenant may allow; one more is a mistake.
const MOST_SERVERS: usize = 1000;

/// Authorities of a file; one more is a mistake.
const MOST_AUTHORITIES: usize = 256;

/// Private ranges that can be allowed by name (the registries of RFC 6890). Multicast and unspecified addresses can't.
const RANGES: [(&str, &[&str]); 5] = [
    ("loopback", &["127.0.0.0/8", "::1/128"]),
    ("private", &["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"]),
    ("link-local", &["169.254.0.0/16", "fe80::/10"]),
    ("unique-local", &["fc00::/7"]),
    ("shared", &["100.64.0.0/10"]),
];

/// Where a tenant's scripts may go.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outside {
    /// `allow`: servers by scheme, name and port.
    pub allow: Vec<Server>,
    /// `reach`: addresses beside the public ones.
    pub reach: Vec<IpNet>,
    /// `authorities`: who may have issued a server's certificate, beside those of the Web.
    pub authorities: Vec<CertificateDer<'static>>,
}

/// Whom a URL may name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// Or plain HTTP.
    pub tls: bool,
    /// In lower case, an address without brackets; of any name below it if `below`.
    pub host: String,
    /// "*.": any name that ends in a dot and `host`, and not `host` itself.
    pub below: bool,
    /// 443 or 80 unless said.
    pub port: u16,
}

impl Server {
    /// Whether it is the one of this URL.
    pub fn is_of(&self, url: &Url) -> bool {
        let Some(host) = url.host_str() else { return false };
        let host = host.trim_matches(['[', ']']).trim_end_matches('.');
        let same = match host.strip_suffix(self.host.as_str()) {
            Some("") => !self.below,
            Some(rest) => self.below && rest.len() > 1 && rest.ends_with('.'),
            None => false,
        };
        let scheme = if self.tls { "https" } else { "http" };
        same && url.scheme() == scheme && url.port_or_known_default() == Some(self.port)
    }

    fn read(text: &str) -> Option<Self> {
        let (tls, rest) = match text.split_once("://") {
            None => (true, text),
            Some(("https", rest)) => (true, rest),
            Some(("http", rest)) => (false, rest),
            Some(_) => return None,
        };
        let (below, rest) = rest.strip_prefix("*.").map_or((false, rest), |rest| (true, rest));
        let scheme = if tls { "https" } else { "http" };
        let url = Url::parse(&format!("{scheme}://{rest}")).ok()?;
        let plain =
            url.path() == "/" && !rest.ends_with('/') && url.query().is_none() && url.fragment().is_none();
        let nobody = url.username().is_empty() && url.password().is_none();
        let host = url.host_str()?.trim_matches(['[', ']']).trim_end_matches('.').to_owned();
        let by_name = host.parse::<IpAddr>().is_err();
        let sound = plain && nobody && !host.contains('*') && !host.is_empty() && (by_name || !below);
        // "*.example" would be everybody below a whole registry.
        let narrow = !below || host.contains('.');
        (sound && narrow).then_some(Self { tls, host, below, port: url.port_or_known_default()? })
    }
}

/// Reads `[tenant.http]`.
pub(super) fn outside(section: Section<'_, '_>) -> Outside {
    let servers = section.texts("allow", r#"["crm.example", "*.api.example:8443"]"#).unwrap_or_default();
    if let Some(beyond) = servers.get(MOST_SERVERS) {
        section.mistake(beyond.line, format!("there are more than {MOST_SERVERS} servers; write fewer"));
    }
    let mut outside = Outside::default();
    for text in servers {
        match Server::read(text.value) {
            Some(server) => outside.allow.push(server),
            None => section.mistake(
                text.line,
                format!(
                    "\"{}\" is no server; write one like \"crm.example\", \"*.crm.example:8443\" or \
                     \"http://10.1.2.3:8080\"",
                    text.value
                ),
            ),
        }
    }
    for text in section.texts("reach", r#"["private"]"#).unwrap_or_default() {
        outside.reach.extend(range(&section, text));
    }
    if let Some(text) = section.text("authorities", "own-ca.pem") {
        outside.authorities = authorities(&section, text);
        if !outside.authorities.iter().all(|one| webpki::anchor_from_trusted_cert(one).is_ok()) {
            section.mistake(text.line, format!("\"{}\": one of its certificates can't be read", text.value));
        }
    }
    section.finish();
    outside
}

/// The certificates of a file in PEM; none where that was told.
pub(super) fn authorities(section: &Section<'_, '_>, text: Text<'_>) -> Vec<CertificateDer<'static>> {
    let mistake = |why: &str| {
        section.mistake(text.line, format!("\"{}\": {why}; write a file of certificates in PEM", text.value));
        Vec::new()
    };
    let read = CertificateDer::pem_file_iter(section.source.path(text.value))
        .and_then(|all| all.take(MOST_AUTHORITIES + 1).collect::<Result<Vec<_>, _>>());
    match read {
        Ok(all) if all.is_empty() => mistake("there is no certificate in it"),
        Ok(all) if all.len() > MOST_AUTHORITIES => mistake("there are more than 256 certificates in it"),
        Ok(all) => all,
        Err(why) => mistake(&why.to_string()),
    }
}

/// A range by name, or a network.
fn range(section: &Section<'_, '_>, text: Text<'_>) -> Vec<IpNet> {
    let named = RANGES.iter().find(|(name, _)| *name == text.value);
    let networks = named.map_or(std::slice::from_ref(&text.value), |(_, networks)| networks);
    let read: Result<Vec<_>, _> = networks.iter().map(|network| network.parse()).collect();
    read.unwrap_or_else(|_| {
        let hint = hint(text.value, RANGES.map(|(name, _)| name));
        let what = format!("\"{}\" is no range; {hint}, or a network like \"10.1.2.0/24\"", text.value);
        section.mistake(text.line, what);
        Vec::new()
    })
}

#[cfg(test)]
mod tests {
    use super::super::tests::{said_in_tenant, world};
    use super::*;

    #[test]
    fn nobody_is_allowed_unless_it_is_said_and_what_is_no_server_or_range_is_told() {
        let world = world(
            "[[tenant]]\nname = \"a\"\n[[tenant]]\nname = \"b\"\n[tenant.http]\nallow = [\"crm.example\"]\n\
             reach = [\"loopback\", \"10.1.0.0/16\"]\n",
        );
        let of = |name: &str| world.tenant(name).map(|tenant| tenant.outside.clone()).expect("the tenant");
        assert_eq!(*of("a"), Outside::default());
        assert_eq!(of("b").allow.len(), 1);
        let reach: Vec<_> = of("b").reach.iter().map(ToString::to_string).collect();
        assert_eq!(reach, ["127.0.0.0/8", "::1/128", "10.1.0.0/16"]);
        let told = said_in_tenant("[tenant.http]\nallow = [\"crm.example/a\"]\nreach = [\"privat\"]");
        assert!(told[0].starts_with("x.toml:5: \"crm.example/a\" is no server; write one like"), "{told:?}");
        assert_eq!(
            told[1..],
            ["x.toml:6: \"privat\" is no range; write \"private\", or a network like \"10.1.2.0/24\""]
        );
    }

    #[test]
    fn a_server_is_a_scheme_a_name_and_a_port() {
        let allowed = |server: &str, url: &str| {
            let server = Server::read(server).unwrap_or_else(|| panic!("{server}"));
            server.is_of(&Url::parse(url).unwrap_or_else(|why| panic!("{url}: {why}")))
        };
        for (server, url) in [
            ("crm.example", "https://crm.example/a?b"),
            ("crm.example", "https://CRM.example:443/"),
            ("crm.example", "https://crm.example./"),
            ("*.crm.example", "https://eu.crm.example/"),
            ("*.crm.example", "https://a.eu.crm.example/"),
            ("crm.example:8443", "https://crm.example:8443/"),
            ("http://127.0.0.1:9000", "http://127.0.0.1:9000/"),
            ("http://[::1]:9000", "http://[::1]:9000/"),
            ("https://bücher.example", "https://xn--bcher-kva.example/"),
        ] {
            assert!(allowed(server, url), "{server} is {url}");
        }
        for (server, url) in [
            ("crm.example", "http://crm.example/"),
            ("crm.example", "https://crm.example:8443/"),
            ("crm.example", "https://eu.crm.example/"),
            ("*.crm.example", "https://crm.example/"),
            ("*.crm.example", "https://evilcrm.example/"),
            ("*.crm.example", "https://.crm.example/"),
            ("http://crm.example", "https://crm.example/"),
            ("crm.example", "https://crm.example.evil.example/"),
            ("crm.example", "https://crm.example@evil.example/"),
        ] {
            assert!(!allowed(server, url), "{server} is not {url}");
        }
    }

    #[test]
    fn what_is_no_server_is_not_read() {
        for text in [
            "",
            "*",
            "*.",
            "*.example",
            "ftp://crm.example",
            "crm.example/path",
            "crm.example?a",
            "a@crm.example",
            "*.127.0.0.1",
            "crm.*.example",
            "crm.example:99999",
            "crm.example/",
        ] {
            assert_eq!(Server::read(text), None, "{text}");
        }
    }
}
