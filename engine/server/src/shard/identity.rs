//! Who calls: as a side says it that is trusted (RFC 3325, RFC 3323, and Remote-Party-ID, which came before them), as a
//! carrier is told it, and where a call that goes on was for at first (RFC 5806, RFC 7044). What a user's telephone
//! says of itself, P-Preferred-Identity too, is not asked: users are who their passwords say.

use exchange::{LegKey, Party, Target};
use protocol::sip::headers::HeaderName;
use protocol::sip::message::Request;
use protocol::sip::name_addr::NameAddr;
use protocol::sip::uri::{SipUri, Uri};

use super::Shard;
use super::dialling::{dialled, user_part};
use super::places::host_port;
use crate::config::{ForeignCaller, Identity, Tenant, Trunk};

impl Shard {
    /// Who is meant by a URI that the other side names.
    pub(super) fn target(&self, tenant: &str, to: &Uri) -> Target {
        match to {
            Uri::Sip(sip) if !self.is_here(tenant, sip.host.as_str()) => {
                Target::Uri(Uri::Sip(SipUri { headers: String::new(), ..sip.clone() }).to_string())
            }
            here => Target::Number(dialled(here)),
        }
    }

    /// Where a 3xx sends a leg on: a user's telephone anywhere that the user could call, a carrier to numbers alone,
    /// which the tenant's carriers are asked for again.
    pub(super) fn elsewhere(&self, leg: LegKey, contacts: &[String]) -> Vec<Target> {
        let Some(line) = self.lines.get(leg) else { return Vec::new() };
        let uris = contacts.iter().filter_map(|contact| Uri::parse(contact).ok());
        let tenant = self.world.tenant(&line.tenant);
        let targets = uris.filter_map(|uri| match (self.target(&line.tenant, &uri), &line.trunk) {
            (Target::Uri(_), Some(_)) => {
                Some(dialled(&uri)).filter(|number| is_number(number)).map(Target::Number)
            }
            (Target::Number(number), None) => Some(match tenant.and_then(|tenant| tenant.user(&number)) {
                Some(user) => Target::User(user.name.clone()),
                None => Target::Number(number),
            }),
            (target, _) => Some(target),
        });
        targets.collect()
    }
}

/// Who calls: a user as the configuration knows it, whatever its From says; a trusted carrier's caller by
/// P-Asserted-Identity, else Remote-Party-ID, else From. Whoever wants to be private is withheld.
pub(super) fn caller(request: &Request, tenant: &Tenant, user: Option<&str>, trusted: bool) -> Party {
    let from = request.from().ok();
    if let Some(user) = user.and_then(|name| tenant.user_by_name(name)) {
        let shown = from.as_ref().and_then(|from| from.display.as_deref().map(str::to_string));
        let domain = tenant.domains.first().map_or("", String::as_str);
        return Party {
            number: user.number.clone(),
            name: Some(shown.unwrap_or_else(|| user.name.clone())),
            uri: format!("sip:{}@{domain}", user.name),
        };
    }
    let said = |name| {
        let first = request.headers.items(name).next().filter(|_| trusted)?;
        NameAddr::parse(first).ok()
    };
    let asserted = said(HeaderName::PAssertedIdentity);
    let remote = said(REMOTE_PARTY).filter(|_| asserted.is_none());
    let private = is_private(request)
        || remote.as_ref().is_some_and(|remote| {
            remote.params.get("privacy").is_some_and(|level| !level.eq_ignore_ascii_case("off"))
        });
    let Some(identity) = asserted.or(remote).or(from) else { return Party::default() };
    let number = dialled(&identity.uri);
    let withheld =
        private || number.eq_ignore_ascii_case("anonymous") || number.eq_ignore_ascii_case("restricted");
    Party {
        number: if withheld { String::new() } else { number },
        name: identity.display.as_deref().map(str::to_string).filter(|_| !withheld),
        uri: if private { ANONYMOUS.to_owned() } else { identity.uri.to_string() },
    }
}

/// The number that an identity has to be of, whether the caller wishes to be shown or not (RFC 8224 §6.2).
pub(super) fn signed_number(request: &Request, trusted: bool) -> String {
    let asserted = request.headers.items(HeaderName::PAssertedIdentity).next().filter(|_| trusted);
    let asserted = asserted.and_then(|first| NameAddr::parse(first).ok());
    let identity = asserted.or_else(|| request.from().ok());
    identity.map(|identity| dialled(&identity.uri)).unwrap_or_default()
}

const REMOTE_PARTY: HeaderName<'static> = HeaderName::Other("Remote-Party-ID");
/// RFC 3323 §4.1.1.3.
const ANONYMOUS: &str = "sip:anonymous@anonymous.invalid";

/// RFC 3323 §4.2: any word but `none` asks that the caller is not shown.
fn is_private(request: &Request) -> bool {
    let words = request.headers.all(HeaderName::Privacy).flat_map(|value| value.split([';', ',']));
    words.map(str::trim).any(|word| ["id", "user", "header"].iter().any(|ask| word.eq_ignore_ascii_case(ask)))
}

/// What a carrier is told of the caller beside From, as its trunk wants it.
pub(super) fn told(trunk: &Trunk, present: &Party, host: &str) -> Vec<(String, String)> {
    let private = present.number.is_empty();
    let mut headers = Vec::new();
    match trunk.identity {
        Identity::From => {}
        Identity::Asserted if private => headers.push(("Privacy".to_owned(), "id".to_owned())),
        Identity::Asserted => {
            headers.push(("P-Asserted-Identity".to_owned(), name_addr(present, host)));
        }
        Identity::RemoteParty => {
            let privacy = if private { "full" } else { "off" };
            let value = format!("{};party=calling;screen=yes;privacy={privacy}", name_addr(present, host));
            headers.push(("Remote-Party-ID".to_owned(), value));
        }
    }
    headers
}

/// What a carrier is told of a call that came from outside for `dialled` and goes on to `number`, as its trunk wants it.
pub(super) fn sent_on(trunk: &Trunk, dialled: &str, number: &str, host: &str) -> Vec<(String, String)> {
    let first = format!("<sip:{}@{host}>", user_part(dialled));
    let mut headers = Vec::new();
    if trunk.diversion {
        let value = format!("{first};reason=unconditional;counter=1");
        headers.push(("Diversion".to_owned(), value));
    }
    if trunk.history_info {
        let next = format!("<sip:{}@{}>", user_part(number), host_port(&trunk.address));
        headers.push(("History-Info".to_owned(), format!("{first};index=1, {next};index=1.1;mp=1")));
    }
    headers
}

/// Who calls as this carrier is shown it, in its own notation; none where it may not be: its `own_numbers` do not have the
/// caller, and the trunk refuses such calls.
pub(super) fn presented(trunk: &Trunk, tenant: &Tenant, present: &Party) -> Option<Party> {
    let mut shown = shown_by(trunk, tenant, present).unwrap_or_else(|| present.clone());
    if !shown.number.is_empty() && !tenant.owns(trunk, &shown.number) {
        if trunk.foreign_caller == ForeignCaller::Refuse {
            return None;
        }
        shown = Party { number: trunk.number.clone()?, name: None, uri: String::new() };
    }
    shown.number = tenant.written(trunk, &shown.number);
    Some(shown)
}

/// Whom the outside sees when a user of the tenant calls, where the trunk has a number: all of them call from that one,
/// which the carrier knows. Whoever else calls, a customer who is sent on to a mobile, is shown as they are.
pub(super) fn shown_by(trunk: &Trunk, tenant: &Tenant, present: &Party) -> Option<Party> {
    let number = trunk.number.clone()?;
    tenant.user(&present.number)?;
    Some(Party { number, name: None, uri: String::new() })
}

/// `"Ana" <sip:101@acme.example>`; whoever withholds the number is anonymous (RFC 3323 §4.1.1.3).
pub(super) fn name_addr(party: &Party, host: &str) -> String {
    if party.number.is_empty() {
        return format!("\"Anonymous\" <{ANONYMOUS}>");
    }
    let uri = format!("<sip:{}@{host}>", user_part(&party.number));
    match &party.name {
        Some(name) => {
            let quoted: String = name
                .chars()
                .filter(|c| !c.is_control())
                .flat_map(|c| matches!(c, '"' | '\\').then_some('\\').into_iter().chain([c]))
                .collect();
            format!("\"{quoted}\" {uri}")
        }
        None => uri,
    }
}

/// What a carrier may be asked for: digits, and a plus before them.
fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix('+').unwrap_or(text);
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
}
