//! A dialog (RFC 3261 §12): who the two sides are, the way between them, and the order of requests.
//! What a dialog is for, and when it ends, is the session's business.

use std::net::SocketAddr;

use super::compose::Sent;
use super::flow::Transport;
use super::headers::HeaderName;
use super::message::{Essentials, Fault, HeaderError, Request, Response};
use super::uri::{SipUri, Uri};

/// One dialog, early or confirmed. Header values are kept as text, as they are written again.
#[derive(Clone, Debug)]
pub struct Dialog {
    /// The Call-ID.
    pub call_id: String,
    /// This side's From value in requests, with its tag.
    pub local: String,
    /// The other side's To value in requests, with its tag.
    pub remote: String,
    /// The other side's tag; empty for a peer of RFC 2543 (§12.1.1).
    pub remote_tag: String,
    /// The number of the last request of this side.
    pub local_cseq: u32,
    /// The number of the last request of the other side; none before its first.
    pub remote_cseq: Option<u32>,
    /// The other side's Contact.
    pub remote_target: Uri,
    /// Route values, nearest first.
    pub route_set: Vec<String>,
}

/// The request came after a later one (§12.2.2): it gets 500.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutOfOrder;

impl Dialog {
    /// The dialog that answering an INVITE makes (§12.1.1). `local_tag` is the tag of the answer.
    /// Without one usable Contact there is no dialog: 400.
    pub fn uas(request: &Request, essentials: &Essentials, local_tag: &str) -> Result<Self, HeaderError> {
        let routes = request.headers.items(HeaderName::RecordRoute);
        Ok(Self {
            call_id: essentials.call_id.clone(),
            local: format!("{};tag={local_tag}", request.headers.get(HeaderName::To).unwrap_or_default()),
            remote: request.headers.get(HeaderName::From).unwrap_or_default().to_owned(),
            remote_tag: essentials.from.tag().unwrap_or_default().to_owned(),
            local_cseq: 0,
            remote_cseq: Some(essentials.cseq.number),
            remote_target: request.contact()?.uri,
            route_set: routes.map(str::to_owned).collect(),
        })
    }

    /// The dialog that a response to our INVITE makes (§12.1.2). A provisional response may have no Contact;
    /// then the dialog's requests go where the INVITE went.
    pub fn uac(sent: &Sent, response: &Response, essentials: &Essentials) -> Result<Self, HeaderError> {
        let target = match response.contact() {
            Ok(contact) => contact.uri,
            Err(HeaderError { fault: Fault::Missing, .. }) => Uri::parse(sent.uri())
                .map_err(|_| HeaderError { header: HeaderName::Contact, fault: Fault::Missing })?,
            Err(other) => return Err(other),
        };
        let mut routes: Vec<String> =
            response.headers.items(HeaderName::RecordRoute).map(str::to_owned).collect();
        routes.reverse();
        Ok(Self {
            call_id: sent.call_id().to_owned(),
            local: sent.from().to_owned(),
            remote: response.headers.get(HeaderName::To).unwrap_or_default().to_owned(),
            remote_tag: essentials.to.tag().unwrap_or_default().to_owned(),
            local_cseq: sent.cseq,
            remote_cseq: None,
            remote_target: target,
            route_set: routes,
        })
    }

    /// A message of the other side belongs here: its Call-ID and its own tag are these (§12.2.2).
    pub fn is_of(&self, call_id: &str, remote_tag: Option<&str>) -> bool {
        self.call_id == call_id && self.remote_tag == remote_tag.unwrap_or_default()
    }

    /// The number for the next request of this side, other than ACK and CANCEL (§12.2.1.1).
    pub fn next_cseq(&mut self) -> u32 {
        self.local_cseq += 1;
        self.local_cseq
    }

    /// A request of the other side, other than ACK and CANCEL (§12.2.2).
    pub fn take_cseq(&mut self, number: u32) -> Result<(), OutOfOrder> {
        if self.remote_cseq.is_some_and(|last| number < last) {
            return Err(OutOfOrder);
        }
        self.remote_cseq = Some(number);
        Ok(())
    }

    /// A re-INVITE or its 2xx names where later requests go (§12.2.1.2, §12.2.2).
    pub fn refresh_target(&mut self, contact: Uri) {
        self.remote_target = contact;
    }

    /// The Request-URI and the Route values of a request (§12.2.1.1): a strict router gets its own URI as
    /// the Request-URI, and the target stands last.
    pub fn way(&self) -> (String, Vec<String>) {
        let target = self.remote_target.to_string();
        match self.route_set.split_first() {
            Some((first, rest)) if !is_loose(first) => {
                let mut routes = rest.to_vec();
                routes.push(format!("<{target}>"));
                (uri_of(first).map_or(target, |uri| uri.to_string()), routes)
            }
            _ => (target, self.route_set.clone()),
        }
    }

    /// Where the next request goes, if that is an address and no name (§8.1.2).
    pub fn next_hop(&self) -> Option<(Transport, SocketAddr)> {
        match self.route_set.first() {
            Some(route) => address(uri_of(route)?.as_sip()?),
            None => address(self.remote_target.as_sip()?),
        }
    }
}

/// The transport and address that a URI names, if its host is an address.
pub fn address(uri: &SipUri) -> Option<(Transport, SocketAddr)> {
    let transport = match uri.params.get("transport") {
        Some(name) => Transport::parse(name)?,
        None if uri.secure => Transport::Tls,
        None => Transport::Udp,
    };
    let port = uri.port.unwrap_or(transport.default_port());
    Some((transport, SocketAddr::new(uri.host.ip()?, port)))
}

fn uri_of(route: &str) -> Option<Uri> {
    super::NameAddr::parse(route).ok().map(|route| route.uri)
}

fn is_loose(route: &str) -> bool {
    // A Route that can't be read is sent as it came, in its place.
    uri_of(route).is_none_or(|uri| uri.as_sip().is_some_and(SipUri::is_loose_router))
}
