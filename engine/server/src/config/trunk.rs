//! `[[tenant.trunk]]`: a carrier, where it is, what it is shown and when it is left alone.

use std::time::Duration;

use protocol::sip::uri::Uri;

use super::numbering::trunk_numbers;
use super::section::{Section, Text};
use super::srtp::srtp;
use super::tenant::{Names, check_name, codecs, is_e164, is_host, networks, not_e164};
use super::tls;
use super::world::{Breaker, ForeignCaller, Identity, Register, Transport, Trunk, TrunkAddress};

const SECOND: Duration = Duration::from_secs(1);
/// A caller waits no longer for the first ring.
const MOST_UNTIL_RINGING: Duration = Duration::from_secs(120);
const DAY: Duration = Duration::from_secs(24 * 3600);

/// Reads one `[[tenant.trunk]]`. `signs`: the tenant has a key.
pub(super) fn trunk(section: Section<'_, '_>, names: &mut Names<'_>, signs: bool) -> Option<Trunk> {
    let name = section.required("name", "carrier-a");
    if let Some(name) = name {
        check_name(&section, name, "carrier-a");
        names.claim(&section, name);
    }
    let read = |text: Text<'_>| {
        let parsed = trunk_address(text.value);
        if parsed.is_none() {
            let what = format!(
                "\"{}\" is no trunk address; write \"sip:HOST\", \"sip:HOST:PORT\", \"sip:HOST;transport=tcp\" or \"sips:HOST\"",
                text.value
            );
            section.mistake(text.line, what);
        }
        parsed
    };
    let parsed = section.required("address", "sip:192.0.2.10").and_then(read);
    let others = section.texts("other_addresses", r#"["sip:192.0.2.11"]"#).unwrap_or_default();
    let other_addresses = others.into_iter().filter_map(read).collect();
    let inbound_from = networks(&section, "inbound_from", r#"["192.0.2.10/32"]"#);
    let number = section.text("number", "+35921234567");
    if let Some(number) = number.filter(|number| !is_e164(number.value)) {
        section.mistake(number.line, not_e164(number.value));
    }
    let user = section.text("user", "acme").map(|u| u.value.to_owned());
    let password = section.secret("password");
    let register = section.section("register").map(|section| {
        let expires = section.duration("expires", 60 * SECOND..=DAY, 3600 * SECOND);
        let domain = section.text("domain", "carrier.example");
        if let Some(domain) = domain.filter(|domain| Uri::parse(&format!("sip:{}", domain.value)).is_err()) {
            section.mistake(
                domain.line,
                format!("\"{}\" is no domain; write one like \"carrier.example\"", domain.value),
            );
        }
        if user.is_none() {
            let missing = "whoever registers has a name with the carrier; write user = \"acme\" in the trunk";
            section.mistake(section.line, missing.to_owned());
        }
        section.finish();
        Register { expires, domain: domain.map(|domain| domain.value.to_owned()) }
    });
    let channels = section.integer("channels", 1..=100_000, 30) as u32;
    let count = |key, range, default: u64| section.integer(key, range, default) as u32;
    let (channels_in, channels_out) =
        (count("channels_in", 0..=100_000, 0), count("channels_out", 0..=100_000, 0));
    let (order, weight) = (count("order", 0..=65_535, 0), count("weight", 0..=65_535, 0));
    let numbers = section.section("numbers").map(trunk_numbers).unwrap_or_default();
    let own_numbers = own_numbers(&section);
    let foreign_caller = foreign_caller(&section, number.is_some(), !own_numbers.is_empty());
    let sign = section.flag("sign", false);
    if sign && !signs {
        section.mistake(
            section.line,
            "the tenant has nothing to sign calls with; write [tenant.stir] with key and x5u",
        );
    }
    let breaker = section.section("breaker").map(breaker).unwrap_or_default();
    let rings_within = section.duration("rings_within", Duration::ZERO..=MOST_UNTIL_RINGING, Duration::ZERO);
    let probe = section.duration("probe", Duration::ZERO..=DAY, 30 * SECOND);
    let srtp = srtp(&section);
    let trusted = section.flag("trusted", true);
    let identity = match section.text("identity", "from") {
        None => Identity::From,
        Some(text) => match text.value {
            "from" => Identity::From,
            "p-asserted-identity" => Identity::Asserted,
            "remote-party-id" => Identity::RemoteParty,
            other => {
                let what = format!(
                    "\"{other}\" tells nobody who calls; write \"from\", \"p-asserted-identity\" or \"remote-party-id\""
                );
                section.mistake(text.line, what);
                Identity::From
            }
        },
    };
    let (mut diversion, mut history_info) = (false, false);
    for text in section.texts("sent_on", r#"["diversion"]"#).unwrap_or_default() {
        match text.value {
            "diversion" => diversion = true,
            "history-info" => history_info = true,
            other => {
                let what = format!(
                    "\"{other}\" is no header of calls that go on; write \"diversion\" or \"history-info\""
                );
                section.mistake(text.line, what);
            }
        }
    }
    let codecs = codecs(&section);
    let tls = section.section("tls").map(|section| (section.line, tls::trunk(section)));
    let (tls_line, tls) = tls.unzip();
    let (Some(name), Some(address)) = (name, parsed) else {
        section.finish();
        return None;
    };
    let trunk = Trunk {
        name: name.value.to_owned(),
        address,
        inbound_from,
        number: number.map(|number| number.value.to_owned()),
        user,
        password,
        register,
        channels,
        channels_in,
        channels_out,
        order,
        weight,
        other_addresses,
        numbers,
        own_numbers,
        foreign_caller,
        sign,
        breaker,
        rings_within,
        probe,
        tls,
        srtp,
        trusted,
        identity,
        diversion,
        history_info,
        codecs,
    };
    tls::check_trunk(&section, &trunk, tls_line.unwrap_or(section.line));
    section.finish();
    Some(trunk)
}

/// Numbers, and beginnings that end with "*".
fn own_numbers(section: &Section<'_, '_>) -> Vec<String> {
    let texts = section.texts("own_numbers", r#"["+35921234567", "+3592987*"]"#).unwrap_or_default();
    for text in &texts {
        let may = match text.value.strip_suffix('*') {
            Some(beginning) => beginning
                .strip_prefix('+')
                .is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())),
            None => is_e164(text.value),
        };
        if !may {
            let what = format!(
                "\"{}\" is no number; write E.164 like \"+35921234567\", or a beginning like \"+3592987*\"",
                text.value
            );
            section.mistake(text.line, what);
        }
    }
    texts.into_iter().map(|text| text.value.to_owned()).collect()
}

fn foreign_caller(section: &Section<'_, '_>, has_number: bool, has_own: bool) -> ForeignCaller {
    let text = section.text("foreign_caller", "refuse");
    let foreign = match text.map(|text| text.value) {
        None | Some("number") => ForeignCaller::Number,
        Some("refuse") => ForeignCaller::Refuse,
        Some(other) => {
            let what = format!("\"foreign_caller\" is \"{other}\"; write \"number\" or \"refuse\"");
            section.mistake(text.map_or(section.line, |text| text.line), what);
            ForeignCaller::Number
        }
    };
    if foreign == ForeignCaller::Number && has_own && !has_number {
        section.mistake(
            section.line,
            "a caller who is not in \"own_numbers\" is shown as the trunk's number, which has none; write number = \"+35921234567\", or foreign_caller = \"refuse\"",
        );
    }
    foreign
}

fn breaker(section: Section<'_, '_>) -> Breaker {
    let default = Breaker::default();
    let count = |key, range, default: u32| section.integer(key, range, default.into()) as u32;
    let breaker = Breaker {
        failures: count("failures", 1..=1_000, default.failures),
        answered: count("answered", 0..=100, default.answered),
        of: count("of", 1..=10_000, default.of),
        rest: section.duration("rest", SECOND..=3600 * SECOND, default.rest),
        rest_max: section.duration("rest_max", SECOND..=DAY, default.rest_max),
    };
    if breaker.rest_max < breaker.rest {
        section.mistake(section.line, "\"rest_max\" is shorter than \"rest\"; write it as long at least");
    }
    section.finish();
    breaker
}

fn trunk_address(text: &str) -> Option<TrunkAddress> {
    let (secure, rest) = match text.strip_prefix("sips:") {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix("sip:")?),
    };
    let (host_port, parameters) = rest.split_once(';').unwrap_or((rest, ""));
    let said = !parameters.is_empty() || secure;
    let transport = match parameters.to_ascii_lowercase().as_str() {
        // RFC 3261 §26.2.2: the parameter of a SIPS URI says what TLS runs over.
        "" | "transport=tcp" | "transport=tls" if secure => Transport::Tls,
        "" | "transport=udp" if !secure => Transport::Udp,
        "transport=tcp" => Transport::Tcp,
        "transport=tls" => Transport::Tls,
        _ => return None,
    };
    let (host, port) = match host_port.strip_prefix('[') {
        Some(v6) => {
            let (host, rest) = v6.split_once(']')?;
            host.parse::<std::net::Ipv6Addr>().ok()?;
            (host, rest.strip_prefix(':'))
        }
        None => match host_port.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (host_port, None),
        },
    };
    let port = match port {
        Some(port) => Some(port.parse().ok().filter(|p| *p != 0)?),
        None => None,
    };
    is_host(host).then(|| TrunkAddress {
        uri: text.to_owned(),
        host: host.to_owned(),
        port,
        transport,
        said,
        secure,
    })
}
