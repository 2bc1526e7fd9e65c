//! A dialog (RFC 3261 §12): who the two sides are, the way between them, and the order of requests.
//! What a dialog is for, and when it ends, is the session's business.

use std::net::SocketAddr;

use super::compose::Sent;
use super::flow::Transport;
use super::grammar;
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
        let target = grammar::written(&self.remote_target);
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
    let transport = uri.transport()?;
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

#[cfg(test)]
mod tests {
    use super::super::compose::NewRequest;
    use super::super::message::Message;
    use super::super::wire;
    use super::*;

    const INVITE: &str = "INVITE sip:bob@b.example SIP/2.0
Via: SIP/2.0/UDP 192.0.2.4;branch=z9hG4bKnashds8
Max-Forwards: 70
Record-Route: <sip:192.0.2.9;lr>, <sip:p1.example;lr>
To: Bob <sip:bob@b.example>
From: Alice <sip:alice@a.example>;tag=1928301774
Call-ID: a84b4c76e66710
CSeq: 314159 INVITE
Contact: <sip:alice@192.0.2.4:5066;transport=tcp>
Content-Length: 0

";

    fn read(text: &str) -> Message {
        wire::read(text.replace('\n', "\r\n").as_bytes()).unwrap()
    }

    fn uas() -> Dialog {
        let Message::Request(invite) = read(INVITE) else { panic!("a request") };
        Dialog::uas(&invite, &invite.check().unwrap(), "314b").unwrap()
    }

    fn uac(record_route: &str) -> Dialog {
        let sent = NewRequest {
            method: "INVITE",
            uri: "sip:bob@b.example",
            to_transport: Transport::Udp,
            sent_by: "192.0.2.4:5060".parse().unwrap(),
            branch: "z9hG4bKnashds8",
            cseq: 314_159,
            authorization: &[],
            max_forwards: 70,
            routes: &[],
            from: "Alice <sip:alice@a.example>;tag=1928301774",
            call_id: "a84b4c76e66710",
            to: "Bob <sip:bob@b.example>",
            headers: &[],
            body: None,
        };
        let ok = INVITE
            .replace("INVITE sip:bob@b.example SIP/2.0", "SIP/2.0 200 OK")
            .replace("<sip:bob@b.example>", "<sip:bob@b.example>;tag=a6c85cf")
            .replace("<sip:192.0.2.9;lr>, <sip:p1.example;lr>", record_route)
            .replace("sip:alice@192.0.2.4:5066;transport=tcp", "sip:bob@192.0.2.7");
        let Message::Response(ok) = read(&ok) else { panic!("a response") };
        Dialog::uac(&sent.write(), &ok, &ok.check().unwrap()).unwrap()
    }

    #[test]
    fn rfc3261_12_1_1_whoever_answers_keeps_record_routes_in_order_and_the_tags_crosswise() {
        let dialog = uas();
        assert_eq!(dialog.route_set, ["<sip:192.0.2.9;lr>", "<sip:p1.example;lr>"]);
        assert_eq!(dialog.local, "Bob <sip:bob@b.example>;tag=314b");
        assert_eq!(dialog.remote, "Alice <sip:alice@a.example>;tag=1928301774");
        assert!(dialog.is_of("a84b4c76e66710", Some("1928301774")));
        assert!(!dialog.is_of("a84b4c76e66710", Some("other")) && !dialog.is_of("other", Some("1928301774")));
        assert_eq!(dialog.remote_target.to_string(), "sip:alice@192.0.2.4:5066;transport=tcp");
    }

    #[test]
    fn rfc3261_12_1_2_whoever_asked_turns_record_routes_round() {
        let mut dialog = uac("<sip:192.0.2.9;lr>, <sip:p1.example;lr>");
        assert_eq!(dialog.route_set, ["<sip:p1.example;lr>", "<sip:192.0.2.9;lr>"]);
        assert_eq!(dialog.remote_tag, "a6c85cf");
        assert_eq!(dialog.next_cseq(), 314_160);
        assert_eq!(dialog.next_hop(), None, "p1.example is a name");
        assert_eq!(
            uac("<sip:p1.example;lr>, <sip:192.0.2.9:5080;lr>").next_hop(),
            Some((Transport::Udp, "192.0.2.9:5080".parse().unwrap()))
        );
    }

    #[test]
    fn rfc3261_12_2_1_1_a_loose_router_stands_in_route_and_a_strict_one_in_the_request_line() {
        let (uri, routes) = uac("<sip:p1.example;lr>").way();
        assert_eq!((uri.as_str(), routes), ("sip:bob@192.0.2.7", vec!["<sip:p1.example;lr>".to_owned()]));
        let (uri, routes) = uac("<sip:far.example>, <sip:near.example>").way();
        assert_eq!(uri, "sip:near.example");
        assert_eq!(routes, ["<sip:far.example>", "<sip:bob@192.0.2.7>"]);
    }

    #[test]
    fn rfc3261_12_2_2_a_lower_number_is_out_of_order() {
        let mut dialog = uas();
        assert_eq!(dialog.take_cseq(314_160), Ok(()));
        assert_eq!(dialog.take_cseq(314_159), Err(OutOfOrder));
    }

    #[test]
    fn rfc3261_8_1_2_a_contact_that_is_an_address_is_where_requests_go() {
        let dialog = Dialog { route_set: Vec::new(), ..uas() };
        assert_eq!(dialog.next_hop(), Some((Transport::Tcp, "192.0.2.4:5066".parse().unwrap())));
    }
}
