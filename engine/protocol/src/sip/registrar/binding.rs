//! One contact of one user, in memory and as the store keeps it.

use std::fmt;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::super::flow::{Destination, Flow, Transport};
use super::super::grammar;
use super::super::headers::HeaderName;
use super::super::message::Request;
use super::super::name_addr::NameAddr;
use super::super::uri::Uri;
use super::MAX_CONTACT_LENGTH;

/// Bytes of a User-Agent that are kept; the rest is cut.
const MAX_USER_AGENT: usize = 128;

/// A device that a user can be reached at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binding {
    /// Names the binding within its user: the device's instance where it says one (RFC 5626 §4.1),
    /// otherwise its contact.
    pub key: String,
    /// What a request to the device has as Request-URI, with the other parameters of the Contact.
    pub contact: NameAddr,
    /// Preference in thousandths, 0 to 1000.
    pub q: u16,
    /// The last REGISTER that set it.
    pub refreshed_at: Instant,
    /// When it ends.
    pub expires_at: Instant,
    /// Of that REGISTER.
    pub call_id: String,
    /// Of that REGISTER.
    pub cseq: u32,
    /// The way that it came.
    pub flow: Flow,
    /// Whether requests go back that way, whatever the Contact says: on connections always, over UDP
    /// when the device asked for it (`rport`) or an address translator stands between.
    pub uses_flow: bool,
    /// What the device calls itself; may be empty.
    pub user_agent: String,
}

/// A binding as plain data. `remaining` counts from when it was exported: the store, which outlives
/// the process, adds its wall clock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// Whose user.
    pub tenant: String,
    /// Whose binding.
    pub user: String,
    /// [`Binding::key`].
    pub key: String,
    /// [`Binding::contact`] as a header's value.
    pub contact: String,
    /// [`Binding::q`].
    pub q: u16,
    /// Until it ends.
    pub remaining: Duration,
    /// [`Binding::call_id`].
    pub call_id: String,
    /// [`Binding::cseq`].
    pub cseq: u32,
    /// The flow's transport as it stands in a Via.
    pub transport: String,
    /// The flow's near end.
    pub local: SocketAddr,
    /// The flow's far end. A connection itself is not kept: none survives the process.
    pub remote: SocketAddr,
    /// [`Binding::uses_flow`].
    pub uses_flow: bool,
    /// [`Binding::user_agent`].
    pub user_agent: String,
}

/// A stored record that can't be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotABinding;

impl fmt::Display for NotABinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a stored registration can't be read")
    }
}

impl std::error::Error for NotABinding {}

impl Binding {
    /// From one Contact of a REGISTER. `None` when it can't be called or is too long.
    pub(super) fn new(
        mut contact: NameAddr,
        now: Instant,
        lifetime: Duration,
        flow: Flow,
        request: &Request,
    ) -> Option<Binding> {
        let q = contact.params.get("q").and_then(thousandths).unwrap_or(1000);
        contact.display = None;
        contact.params.remove("q");
        contact.params.remove("expires");
        let Uri::Sip(uri) = &mut contact.uri else { return None };
        // Headers in a URI would be put into every request to the device (RFC 3261 §19.1.5).
        uri.headers.clear();
        let asks_for_flow = request.top_via().ok()?.rport().is_some();
        let is_elsewhere = uri.host.ip() != Some(flow.remote.ip());
        let key = match contact.params.get_unquoted("+sip.instance") {
            Some(instance) => format!("i:{instance}:{}", contact.params.get("reg-id").unwrap_or("")),
            None => format!("u:{}", contact.uri),
        };
        if grammar::written(&contact).len() > MAX_CONTACT_LENGTH {
            return None;
        }
        Some(Binding {
            key,
            contact,
            q,
            refreshed_at: now,
            expires_at: now + lifetime,
            call_id: request.call_id().ok()?.to_owned(),
            cseq: request.cseq().ok()?.number,
            flow,
            uses_flow: flow.transport.is_reliable() || asks_for_flow || is_elsewhere,
            user_agent: request
                .headers
                .get(HeaderName::UserAgent)
                .map_or(String::new(), |text| text.chars().take(MAX_USER_AGENT).collect()),
        })
    }

    /// The device, where it has a name (RFC 5626 §4.1): whoever calls it takes one of its flows, the latest first.
    pub fn instance(&self) -> Option<&str> {
        Some(self.key.strip_prefix("i:")?.rsplit_once(':')?.0)
    }

    /// Whether it is one of the flows of a device (RFC 5626), which ends with its connection.
    pub fn is_flow(&self) -> bool {
        self.instance().is_some() && !self.key.ends_with(':')
    }

    /// The Request-URI of a request to the device.
    pub fn uri(&self) -> &Uri {
        &self.contact.uri
    }

    /// Where such a request is sent.
    pub fn destination(&self) -> Destination {
        let mut destination = Destination::from(self.flow);
        if let Some(uri) = self.contact.uri.as_sip().filter(|_| !self.uses_flow) {
            let said = uri.params.get("transport").and_then(Transport::parse);
            destination.transport = said.unwrap_or(destination.transport);
            destination.remote.set_port(uri.port_or_default());
        }
        destination
    }

    /// Whether a REGISTER with `new` is about this device: the same instance, or the same contact
    /// (RFC 3261 §10.3 step 7).
    pub(super) fn is_same_device(&self, new: &Binding) -> bool {
        let by_uri = |b: &Binding| b.key.starts_with("u:");
        self.key == new.key || (by_uri(self) && by_uri(new) && self.contact.uri.same_as(&new.contact.uri))
    }

    /// As a 200 lists it.
    pub(super) fn as_contact(&self, now: Instant) -> String {
        let left = self.expires_at.saturating_duration_since(now);
        let seconds = left.as_secs() + u64::from(left.subsec_nanos() > 0);
        let q = match self.q {
            1000 => String::new(),
            q => format!(";q=0.{q:03}"),
        };
        format!("{}{q};expires={seconds}", self.contact)
    }

    /// As plain data, to be kept.
    pub fn export(&self, now: Instant, tenant: &str, user: &str) -> Stored {
        Stored {
            tenant: tenant.to_owned(),
            user: user.to_owned(),
            key: self.key.clone(),
            contact: grammar::written(&self.contact),
            q: self.q,
            remaining: self.expires_at.saturating_duration_since(now),
            call_id: self.call_id.clone(),
            cseq: self.cseq,
            transport: self.flow.transport.as_str().to_owned(),
            local: self.flow.local,
            remote: self.flow.remote,
            uses_flow: self.uses_flow,
            user_agent: self.user_agent.clone(),
        }
    }

    pub(super) fn import(now: Instant, stored: Stored) -> Result<Binding, NotABinding> {
        let contact = NameAddr::parse(&stored.contact).map_err(|_| NotABinding)?;
        let transport = Transport::parse(&stored.transport).ok_or(NotABinding)?;
        contact.uri.as_sip().ok_or(NotABinding)?;
        Ok(Binding {
            key: stored.key,
            contact,
            q: stored.q.min(1000),
            refreshed_at: now,
            expires_at: now.checked_add(stored.remaining).ok_or(NotABinding)?,
            call_id: stored.call_id,
            cseq: stored.cseq,
            flow: Flow { transport, local: stored.local, remote: stored.remote, connection: 0 },
            uses_flow: stored.uses_flow,
            user_agent: stored.user_agent,
        })
    }
}

/// `qvalue` (§25.1): 0 to 1 with at most three decimals.
fn thousandths(text: &str) -> Option<u16> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    if part.len() > 3 || !part.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let part: u16 = format!("{part:0<3}").parse().ok()?;
    match whole {
        "0" => Some(part),
        "1" if part == 0 => Some(1000),
        _ => None,
    }
}
