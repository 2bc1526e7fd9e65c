//! The requests and responses that a stack writes itself (RFC 3261 §8.1.1, §8.2.6, §17.1.1.3, §9.1).
//! A request is laid out so that what its ACK, its CANCEL and its second try with a digest share with it is
//! one slice: nothing is kept of a request but its bytes and five offsets.

use std::net::{IpAddr, SocketAddr};
use std::ops::Range;

use bytes::Bytes;

use super::flow::{Destination, Flow, Transport};
use super::grammar;
use super::headers::HeaderName;
use super::message::{Essentials, Request};

/// What this exchange understands, for Allow.
pub const ALLOW: &str =
    "INVITE, ACK, BYE, CANCEL, OPTIONS, INFO, PRACK, UPDATE, REFER, REGISTER, SUBSCRIBE, MESSAGE, PUBLISH";

/// A request to be written.
pub struct NewRequest<'a> {
    /// Its method.
    pub method: &'static str,
    /// The Request-URI.
    pub uri: &'a str,
    /// Where it goes; the transport stands in Via.
    pub to_transport: Transport,
    /// This side's address for Via.
    pub sent_by: SocketAddr,
    /// With the magic cookie.
    pub branch: &'a str,
    /// The number in CSeq.
    pub cseq: u32,
    /// A line with its CRLF, or nothing.
    pub authorization: &'a [u8],
    /// 70 unless passed on.
    pub max_forwards: u8,
    /// Route values, topmost first.
    pub routes: &'a [String],
    /// The From value, with its tag.
    pub from: &'a str,
    /// The Call-ID.
    pub call_id: &'a str,
    /// The To value.
    pub to: &'a str,
    /// Contact, User-Agent and all else.
    pub headers: &'a [(&'a str, &'a str)],
    /// Content-Type and body.
    pub body: Option<(&'a str, &'a [u8])>,
}

/// A request as it was sent.
#[derive(Clone, Debug)]
pub struct Sent {
    /// The whole of it.
    pub bytes: Bytes,
    /// Its method.
    pub method: &'static str,
    /// The number in its CSeq.
    pub cseq: u32,
    uri: Range<usize>,
    via: Range<usize>,
    authorization: Range<usize>,
    /// Max-Forwards, Routes, From, Call-ID.
    core: Range<usize>,
    /// The To line.
    to: Range<usize>,
}

impl NewRequest<'_> {
    /// As it goes on the wire.
    pub fn write(&self) -> Sent {
        let mut out = Vec::with_capacity(640 + self.body.map_or(0, |(_, body)| body.len()));
        let (uri, via) = start(&mut out, self.method, self.uri, self.to_transport, self.sent_by, self.branch);
        line(&mut out, "CSeq", &[&self.cseq.to_string(), " ", self.method]);
        let authorization = out.len()..out.len() + self.authorization.len();
        out.extend_from_slice(self.authorization);
        let core = out.len();
        line(&mut out, "Max-Forwards", &[&self.max_forwards.to_string()]);
        for route in self.routes {
            line(&mut out, "Route", &[route]);
        }
        line(&mut out, "From", &[self.from]);
        line(&mut out, "Call-ID", &[self.call_id]);
        let to = out.len();
        line(&mut out, "To", &[self.to]);
        let rest = out.len();
        for (name, value) in self.headers {
            line(&mut out, name, &[value]);
        }
        finish(&mut out, self.body);
        let (method, cseq) = (self.method, self.cseq);
        Sent { bytes: out.into(), method, cseq, uri, via, authorization, core: core..to, to: to..rest }
    }
}

impl Sent {
    /// The same request again, as a new transaction with a digest (§22.2): its Via and CSeq are new.
    pub fn again(
        &self,
        cseq: u32,
        transport: Transport,
        sent_by: SocketAddr,
        branch: &str,
        authorization: &[u8],
    ) -> Sent {
        let mut out = Vec::with_capacity(self.bytes.len() + authorization.len() + 16);
        let (uri, via) = start(&mut out, self.method, self.uri(), transport, sent_by, branch);
        line(&mut out, "CSeq", &[&cseq.to_string(), " ", self.method]);
        let authorization_at = out.len()..out.len() + authorization.len();
        out.extend_from_slice(authorization);
        let moved = |range: &Range<usize>| {
            let by = authorization_at.end as isize - self.core.start as isize;
            range.start.wrapping_add_signed(by)..range.end.wrapping_add_signed(by)
        };
        let (core, to) = (moved(&self.core), moved(&self.to));
        out.extend_from_slice(&self.bytes[self.core.start..]);
        Sent {
            bytes: out.into(),
            method: self.method,
            cseq,
            uri,
            via,
            authorization: authorization_at,
            core,
            to,
        }
    }

    /// The same request with these lines, each with its CRLF, in place of what it said of session timers (RFC 4028 §7.4).
    pub fn with_timer(&self, lines: &[u8]) -> Sent {
        let mut out = Vec::with_capacity(self.bytes.len() + lines.len());
        out.extend_from_slice(&self.bytes[..self.to.end]);
        out.extend_from_slice(lines);
        let mut left = &self.bytes[self.to.end..];
        while let Some(end) = left.windows(2).position(|two| two == b"\r\n") {
            let (line, more) = left.split_at(end + 2);
            if end == 0 {
                break;
            }
            if !line.starts_with(b"Session-Expires: ") && !line.starts_with(b"Min-SE: ") {
                out.extend_from_slice(line);
            }
            left = more;
        }
        out.extend_from_slice(left);
        Sent { bytes: out.into(), ..self.clone() }
    }

    /// The ACK of a 3xx-6xx, whose To value it carries (§17.1.1.3).
    pub fn acknowledgement(&self, to: &str) -> Bytes {
        let mut out = self.companion("ACK");
        line(&mut out, "To", &[to]);
        finish(&mut out, None);
        out.into()
    }

    /// The CANCEL of this INVITE (§9.1), with a Reason (RFC 3326) or none.
    pub fn cancellation(&self, reason: Option<&str>) -> Sent {
        let mut out = self.companion("CANCEL");
        let to = out.len()..out.len() + self.to.len();
        out.extend_from_slice(&self.bytes[self.to.clone()]);
        if let Some(reason) = reason {
            line(&mut out, "Reason", &[reason]);
        }
        finish(&mut out, None);
        // Only sent, never answered with a digest or cancelled: the offsets of the INVITE serve no more.
        let empty = to.start..to.start;
        Sent {
            bytes: out.into(),
            method: "CANCEL",
            cseq: self.cseq,
            uri: empty.clone(),
            via: empty.clone(),
            authorization: empty.clone(),
            core: empty,
            to,
        }
    }

    /// Start line, Via and core of this request under another method and the same CSeq number.
    fn companion(&self, method: &str) -> Vec<u8> {
        let mut out = Vec::with_capacity(512);
        out.extend_from_slice(method.as_bytes());
        out.push(b' ');
        out.extend_from_slice(self.uri().as_bytes());
        out.extend_from_slice(b" SIP/2.0\r\n");
        out.extend_from_slice(&self.bytes[self.via.clone()]);
        line(&mut out, "CSeq", &[&self.cseq.to_string(), " ", method]);
        out.extend_from_slice(&self.bytes[self.core.clone()]);
        out
    }

    /// The Request-URI.
    pub fn uri(&self) -> &str {
        self.text(&self.uri)
    }

    /// The Authorization or Proxy-Authorization line, which the ACK of a 2xx repeats (§13.2.2.4).
    pub fn authorization(&self) -> &[u8] {
        &self.bytes[self.authorization.clone()]
    }

    /// The value of From.
    pub fn from(&self) -> &str {
        self.core_value("From: ")
    }

    /// The value of Call-ID.
    pub fn call_id(&self) -> &str {
        self.core_value("Call-ID: ")
    }

    fn core_value(&self, name: &str) -> &str {
        let mut lines = self.text(&self.core).split("\r\n");
        lines.find_map(|line| line.strip_prefix(name)).expect("each request is written with both")
    }

    fn text(&self, range: &Range<usize>) -> &str {
        std::str::from_utf8(&self.bytes[range.clone()]).expect("it was written from text")
    }
}

/// What every response to one request repeats of it, and the way back (§8.2.6.2, §18.2.2).
#[derive(Clone, Debug)]
pub struct Echo {
    /// Via, From, Call-ID, CSeq, and Record-Route of an INVITE.
    head: String,
    /// The To value.
    to: String,
    to_has_tag: bool,
    /// Where the responses go.
    pub back: Destination,
}

impl Echo {
    /// Takes from `request`, which came on `flow`, what its responses need.
    pub fn new(request: &Request, essentials: &Essentials, flow: &Flow) -> Self {
        let source = canonical(flow.remote);
        let mut via = essentials.via.clone();
        via.note_source(source.ip(), source.port());
        let mut head = Vec::with_capacity(400);
        line(&mut head, "Via", &[&grammar::written(&via)]);
        for item in request.headers.items(HeaderName::Via).skip(1) {
            line(&mut head, "Via", &[item]);
        }
        if request.method == super::Method::Invite {
            for value in request.headers.all(HeaderName::RecordRoute) {
                line(&mut head, "Record-Route", &[value]);
            }
        }
        for (text, name) in
            [("From", HeaderName::From), ("Call-ID", HeaderName::CallId), ("CSeq", HeaderName::CSeq)]
        {
            line(&mut head, text, &[request.headers.get(name).unwrap_or_default()]);
        }
        Self {
            head: String::from_utf8(head).expect("it was written from text"),
            to: request.headers.get(HeaderName::To).unwrap_or_default().to_owned(),
            to_has_tag: essentials.to.tag().is_some(),
            back: way_back(&via, flow),
        }
    }

    /// A response. `tag`: for To, unless the request had one there.
    pub fn response(
        &self,
        status: u16,
        reason: &str,
        tag: Option<&str>,
        headers: &[(&str, &str)],
        body: Option<(&str, &[u8])>,
    ) -> Bytes {
        let mut out = Vec::with_capacity(self.head.len() + 320 + body.map_or(0, |(_, body)| body.len()));
        out.extend_from_slice(b"SIP/2.0 ");
        out.extend_from_slice(status.to_string().as_bytes());
        out.push(b' ');
        text(&mut out, if reason.is_empty() { reason_phrase(status) } else { reason });
        out.extend_from_slice(b"\r\n");
        out.extend_from_slice(self.head.as_bytes());
        match tag {
            Some(tag) if !self.to_has_tag => line(&mut out, "To", &[&self.to, ";tag=", tag]),
            _ => line(&mut out, "To", &[&self.to]),
        }
        for (name, value) in headers {
            line(&mut out, name, &[value]);
        }
        finish(&mut out, body);
        out.into()
    }
}

/// RFC 3261 §18.2.2 and RFC 3581 §4. `via` has its `received` and `rport` by now. A `maddr` is not followed:
/// nobody sends calls by multicast, and it would let a stranger aim our responses.
pub(crate) fn way_back(via: &super::Via, flow: &Flow) -> Destination {
    let mut back = Destination::from(*flow);
    if !flow.transport.is_reliable() && via.rport().is_none() {
        back.remote.set_port(via.port.unwrap_or(flow.transport.default_port()));
    }
    back
}

/// The value of a Contact of this side. `secure`: where the other side said `sips:`, it is one too (§8.1.1.8, §12.1.1).
pub fn contact(user: &str, transport: Transport, at: SocketAddr, secure: bool) -> String {
    let user = grammar::percent_encode_user(user);
    let (glue, at) = (if user.is_empty() { "" } else { "@" }, canonical(at));
    let parameter = match transport {
        Transport::Udp => "",
        Transport::Tcp => ";transport=tcp",
        // RFC 3261 §26.2.2: the scheme says TLS, and the parameter what it runs over.
        Transport::Tls if secure => ";transport=tcp",
        Transport::Tls => ";transport=tls",
        Transport::Ws | Transport::Wss => ";transport=ws",
    };
    let scheme = if secure && transport.is_secure() { "sips" } else { "sip" };
    format!("<{scheme}:{user}{glue}{at}{parameter}>")
}

/// The phrases of RFC 3261 §21 for the statuses that an exchange uses.
pub fn reason_phrase(status: u16) -> &'static str {
    match status {
        100 => "Trying",
        180 => "Ringing",
        181 => "Call Is Being Forwarded",
        182 => "Queued",
        183 => "Session Progress",
        200 => "OK",
        202 => "Accepted",
        302 => "Moved Temporarily",
        400 => "Bad Request",
        401 => "Unauthorized",
        402 => "Payment Required",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        406 => "Not Acceptable",
        407 => "Proxy Authentication Required",
        408 => "Request Timeout",
        410 => "Gone",
        413 => "Request Entity Too Large",
        415 => "Unsupported Media Type",
        416 => "Unsupported URI Scheme",
        420 => "Bad Extension",
        421 => "Extension Required",
        422 => "Session Interval Too Small",
        423 => "Interval Too Brief",
        480 => "Temporarily Unavailable",
        481 => "Call/Transaction Does Not Exist",
        482 => "Loop Detected",
        483 => "Too Many Hops",
        484 => "Address Incomplete",
        486 => "Busy Here",
        487 => "Request Terminated",
        488 => "Not Acceptable Here",
        489 => "Bad Event",
        491 => "Request Pending",
        500 => "Server Internal Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Server Time-out",
        505 => "Version Not Supported",
        513 => "Message Too Large",
        600 => "Busy Everywhere",
        603 => "Decline",
        604 => "Does Not Exist Anywhere",
        606 => "Not Acceptable",
        _ => match status / 100 {
            1 => "Progress",
            2 => "OK",
            3 => "Redirect",
            4 => "Request Failed",
            5 => "Server Failed",
            _ => "Failed",
        },
    }
}

fn start(
    out: &mut Vec<u8>,
    method: &str,
    uri: &str,
    transport: Transport,
    sent_by: SocketAddr,
    branch: &str,
) -> (Range<usize>, Range<usize>) {
    out.extend_from_slice(method.as_bytes());
    out.push(b' ');
    let uri_at = out.len();
    // White space would end the URI.
    out.extend(uri.bytes().filter(|byte| *byte > b' '));
    let uri = uri_at..out.len();
    out.extend_from_slice(b" SIP/2.0\r\n");
    let via = out.len();
    let sent_by = canonical(sent_by).to_string();
    // RFC 5923 §8: what comes back may take the connection that this leaves on.
    let alias = if transport == Transport::Tls { ";alias" } else { "" };
    line(out, "Via", &["SIP/2.0/", transport.as_str(), " ", &sent_by, ";branch=", branch, ";rport", alias]);
    (uri, via..out.len())
}

fn finish(out: &mut Vec<u8>, body: Option<(&str, &[u8])>) {
    let (kind, body) = body.unwrap_or_default();
    if !body.is_empty() {
        line(out, "Content-Type", &[kind]);
    }
    line(out, "Content-Length", &[&body.len().to_string()]);
    out.extend_from_slice(b"\r\n");
    out.extend_from_slice(body);
}

fn line(out: &mut Vec<u8>, name: &str, value: &[&str]) {
    text(out, name);
    out.extend_from_slice(b": ");
    for piece in value {
        text(out, piece);
    }
    out.extend_from_slice(b"\r\n");
}

/// Every value of every line comes through here. Line breaks and zeros become spaces, so that none can smuggle in a
/// header of its own, or end early for whoever reads it.
fn text(out: &mut Vec<u8>, text: &str) {
    let from = out.len();
    out.extend_from_slice(text.as_bytes());
    for byte in &mut out[from..] {
        if matches!(byte, b'\r' | b'\n' | 0) {
            *byte = b' ';
        }
    }
}

fn canonical(addr: SocketAddr) -> SocketAddr {
    SocketAddr::new(IpAddr::to_canonical(&addr.ip()), addr.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The INVITE of RFC 3261 §17.1.1.3.
    fn invite() -> Sent {
        NewRequest {
            method: "INVITE",
            uri: "sip:bob@biloxi.com",
            to_transport: Transport::Udp,
            sent_by: "192.0.2.33:5060".parse().unwrap(),
            branch: "z9hG4bKkjshdyff",
            cseq: 986_759,
            authorization: &[],
            max_forwards: 70,
            routes: &["<sip:p1.biloxi.com;lr>".to_owned(), "<sip:p2.biloxi.com;lr>".to_owned()],
            from: "Alice <sip:alice@atlanta.com>;tag=88sja8x",
            call_id: "987asjd97y7atg",
            to: "Bob <sip:bob@biloxi.com>",
            headers: &[
                ("Contact", "<sip:alice@192.0.2.33>"),
                ("Subject", "lunch\r\nRoute: <sip:evil.example>"),
            ],
            body: Some(("application/sdp", b"v=0\r\n")),
        }
        .write()
    }

    fn text(bytes: &[u8]) -> &str {
        std::str::from_utf8(bytes).unwrap()
    }

    #[test]
    fn a_request_has_all_that_rfc3261_8_1_1_wants_and_nothing_is_smuggled_in() {
        let invite = invite();
        let expected = "INVITE sip:bob@biloxi.com SIP/2.0\r\n\
            Via: SIP/2.0/UDP 192.0.2.33:5060;branch=z9hG4bKkjshdyff;rport\r\n\
            CSeq: 986759 INVITE\r\nMax-Forwards: 70\r\n\
            Route: <sip:p1.biloxi.com;lr>\r\nRoute: <sip:p2.biloxi.com;lr>\r\n\
            From: Alice <sip:alice@atlanta.com>;tag=88sja8x\r\nCall-ID: 987asjd97y7atg\r\n\
            To: Bob <sip:bob@biloxi.com>\r\nContact: <sip:alice@192.0.2.33>\r\n\
            Subject: lunch  Route: <sip:evil.example>\r\n\
            Content-Type: application/sdp\r\nContent-Length: 5\r\n\r\nv=0\r\n";
        assert_eq!(text(&invite.bytes), expected);
        assert_eq!((invite.uri(), invite.call_id()), ("sip:bob@biloxi.com", "987asjd97y7atg"));
        assert_eq!(invite.from(), "Alice <sip:alice@atlanta.com>;tag=88sja8x");
    }

    /// Ten thousand requests, their companions and responses, whose every value is whatever it likes.
    #[test]
    fn no_value_of_any_field_begins_a_line_of_its_own() {
        let seed = 20_261_122_u64;
        let mut state = seed;
        let mut any = || {
            let pieces =
                ["\r\n", "\r", "\n", "\0", "\r\n\r\n", "Route: <sip:e.example>", "é", ",", "<sip:a@b>", " "];
            let mut text = String::from("x");
            for _ in 0..4 {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                text += pieces[(state >> 33) as usize % pieces.len()];
            }
            text
        };
        let head = |bytes: &[u8]| {
            let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").expect("the headers end");
            let lines = bytes[..end].split(|byte| *byte == b'\n').collect::<Vec<_>>();
            let last = lines.len() - 1;
            for (n, line) in lines.iter().enumerate() {
                let text = line.strip_suffix(b"\r").unwrap_or(if n == last { line } else { b"\r" });
                assert!(!text.iter().any(|byte| matches!(byte, b'\r' | 0)), "seed {seed}: {bytes:?}");
            }
            (lines.len(), bytes.len() - end - 4)
        };
        for _ in 0..10_000 {
            let (uri, branch, from, call_id, to, value, name, kind, reason) =
                (any(), any(), any(), any(), any(), any(), any(), any(), any());
            let sent = NewRequest {
                method: "INVITE",
                uri: &uri,
                to_transport: Transport::Udp,
                sent_by: "192.0.2.33:5060".parse().unwrap(),
                branch: &branch,
                cseq: 1,
                authorization: &[],
                max_forwards: 70,
                routes: &[any()],
                from: &from,
                call_id: &call_id,
                to: &to,
                headers: &[(&name, &value)],
                body: Some((&kind, b"v=0\r\n")),
            }
            .write();
            assert_eq!(head(&sent.bytes), (11, 5));
            assert_eq!(head(&sent.acknowledgement(&to)), (9, 0));
            assert_eq!(head(&sent.cancellation(Some(&reason)).bytes), (10, 0));
            let mut response = super::super::Response {
                status: 503,
                reason,
                headers: super::super::Headers::new(),
                body: Bytes::new(),
            };
            response.headers.push(HeaderName::Other(&name), &value);
            response.headers.set(HeaderName::Contact, &uri);
            assert_eq!(head(&response.to_bytes()), (4, 0));
        }
    }

    #[test]
    fn rfc3261_17_1_1_3_the_ack_of_a_refusal_has_the_same_via_and_route_and_the_to_of_the_response() {
        let ack = invite().acknowledgement("Bob <sip:bob@biloxi.com>;tag=99sa0xk");
        let expected = "ACK sip:bob@biloxi.com SIP/2.0\r\n\
            Via: SIP/2.0/UDP 192.0.2.33:5060;branch=z9hG4bKkjshdyff;rport\r\n\
            CSeq: 986759 ACK\r\nMax-Forwards: 70\r\n\
            Route: <sip:p1.biloxi.com;lr>\r\nRoute: <sip:p2.biloxi.com;lr>\r\n\
            From: Alice <sip:alice@atlanta.com>;tag=88sja8x\r\nCall-ID: 987asjd97y7atg\r\n\
            To: Bob <sip:bob@biloxi.com>;tag=99sa0xk\r\nContent-Length: 0\r\n\r\n";
        assert_eq!(text(&ack), expected);
    }

    #[test]
    fn rfc3261_9_1_a_cancel_is_its_invite_without_what_is_the_invites_own() {
        let cancel = invite().cancellation(Some("SIP;cause=200;text=\"Call completed elsewhere\""));
        let expected = "CANCEL sip:bob@biloxi.com SIP/2.0\r\n\
            Via: SIP/2.0/UDP 192.0.2.33:5060;branch=z9hG4bKkjshdyff;rport\r\n\
            CSeq: 986759 CANCEL\r\nMax-Forwards: 70\r\n\
            Route: <sip:p1.biloxi.com;lr>\r\nRoute: <sip:p2.biloxi.com;lr>\r\n\
            From: Alice <sip:alice@atlanta.com>;tag=88sja8x\r\nCall-ID: 987asjd97y7atg\r\n\
            To: Bob <sip:bob@biloxi.com>\r\n\
            Reason: SIP;cause=200;text=\"Call completed elsewhere\"\r\nContent-Length: 0\r\n\r\n";
        assert_eq!(text(&cancel.bytes), expected);
    }

    #[test]
    fn rfc3261_22_2_the_second_try_differs_in_via_cseq_and_digest_only() {
        let sent_by = "192.0.2.33:5060".parse().unwrap();
        let again =
            invite().again(986_760, Transport::Udp, sent_by, "z9hG4bKother", b"Authorization: Digest x\r\n");
        let expected = text(&invite().bytes)
            .replace("z9hG4bKkjshdyff", "z9hG4bKother")
            .replace("CSeq: 986759 INVITE\r\n", "CSeq: 986760 INVITE\r\nAuthorization: Digest x\r\n");
        assert_eq!(text(&again.bytes), expected);
        assert_eq!(again.authorization(), b"Authorization: Digest x\r\n");
        assert_eq!(again.call_id(), "987asjd97y7atg");
        let third = again.again(986_761, Transport::Udp, sent_by, "z9hG4bKkjshdyff", b"");
        assert_eq!(text(&third.bytes), text(&invite().bytes).replace("986759", "986761"));
    }

    #[test]
    fn an_ipv6_address_stands_in_brackets_and_a_mapped_one_as_ipv4() {
        let contact = |at: &str| contact("ana", Transport::Tcp, at.parse().unwrap(), false);
        assert_eq!(contact("[2001:db8::1]:5060"), "<sip:ana@[2001:db8::1]:5060;transport=tcp>");
        assert_eq!(contact("[::ffff:192.0.2.1]:5060"), "<sip:ana@192.0.2.1:5060;transport=tcp>");
    }

    #[test]
    fn rfc3261_12_1_1_a_contact_is_sips_where_the_other_side_said_so() {
        let at = "192.0.2.1:5061".parse().unwrap();
        let said = |transport, secure| contact("ana", transport, at, secure);
        assert_eq!(said(Transport::Tls, false), "<sip:ana@192.0.2.1:5061;transport=tls>");
        assert_eq!(said(Transport::Tls, true), "<sips:ana@192.0.2.1:5061;transport=tcp>");
        assert_eq!(said(Transport::Wss, true), "<sips:ana@192.0.2.1:5061;transport=ws>");
        // Nothing that is not secured claims to be.
        assert_eq!(said(Transport::Udp, true), "<sip:ana@192.0.2.1:5061>");
    }
}
