//! Requests and responses (RFC 3261 §7): the start line, headers as text, the body as bytes, and the
//! typed view of those headers that a server looks at.
//!
//! A typed accessor reads its header when it is asked; [`Request::check`] reads all that a server
//! needs once. Reading messages from bytes is [`super::wire`], from a stream [`super::framing`].

use std::fmt;
use std::time::Duration;

use bytes::Bytes;

use super::grammar;
use super::headers::{HeaderName, Headers};
use super::method::Method;
use super::name_addr::NameAddr;
use super::uri::Uri;
use super::via::Via;

/// RFC 3261 §8.1.1.5: a sequence number is below 2^31.
pub const MAX_CSEQ: u32 = (1 << 31) - 1;

/// What is wrong with a header. A request with such a header is answered 400 with
/// [`HeaderError::reason`]; a response with it is dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeaderError {
    /// Which header.
    pub header: HeaderName<'static>,
    /// What about it.
    pub fault: Fault,
}

/// See [`HeaderError`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// A mandatory header is not there.
    Missing,
    /// A header that may stand once stands twice.
    Repeated,
    /// The value is not what the header's grammar allows.
    Malformed,
    /// A number is too large, or two values that must agree do not.
    OutOfRange,
    /// The method in CSeq is not that of the request.
    OtherMethod,
}

impl HeaderError {
    /// A reason phrase for the answer: `Malformed From`.
    pub fn reason(&self) -> String {
        let what = match self.fault {
            Fault::Missing => "Missing",
            Fault::Repeated => "Repeated",
            Fault::Malformed => "Malformed",
            Fault::OutOfRange => "Out of range",
            Fault::OtherMethod => "Other method in",
        };
        format!("{what} {}", self.header)
    }
}

impl fmt::Display for HeaderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason())
    }
}

impl std::error::Error for HeaderError {}

/// Sequence number and method (§20.16).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CSeq {
    /// 0 to [`MAX_CSEQ`].
    pub number: u32,
    /// The method of the request, also in its responses.
    pub method: Method,
}

impl fmt::Display for CSeq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.number, self.method)
    }
}

/// The Contact headers of a message (§20.10).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Contacts {
    /// `*`, which only REGISTER may send: all bindings.
    Star,
    /// In order; may be empty.
    List(Vec<NameAddr>),
}

impl Contacts {
    /// The first contact of a list.
    pub fn first(&self) -> Option<&NameAddr> {
        match self {
            Contacts::Star => None,
            Contacts::List(list) => list.first(),
        }
    }
}

/// What a server looks at in every message, read once by [`Request::check`] or
/// [`Response::check`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Essentials {
    /// The top Via.
    pub via: Via,
    /// The From header.
    pub from: NameAddr,
    /// The To header.
    pub to: NameAddr,
    /// The Call-ID.
    pub call_id: String,
    /// The CSeq.
    pub cseq: CSeq,
    /// `None` in responses, and in requests of peers that know only RFC 2543.
    pub max_forwards: Option<u8>,
}

/// A request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The method of the request line.
    pub method: Method,
    /// The Request-URI.
    pub uri: Uri,
    /// All headers as they came. Content-Length is written from the body, not from here.
    pub headers: Headers,
    /// The body, empty when there is none.
    pub body: Bytes,
}

/// A response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// 100 to 699.
    pub status: u16,
    /// The reason phrase; may be empty.
    pub reason: String,
    /// All headers as they came. Content-Length is written from the body, not from here.
    pub headers: Headers,
    /// The body, empty when there is none.
    pub body: Bytes,
}

/// A request or a response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// It asks.
    Request(Request),
    /// It answers.
    Response(Response),
}

/// The accessors that requests and responses share. Each names the header, and so the error.
macro_rules! typed_headers {
    ($type:ident) => {
        impl $type {
            /// The Via of the last hop.
            pub fn top_via(&self) -> Result<Via, HeaderError> {
                let item = self.headers.items(HeaderName::Via).next();
                let item = item.ok_or(error(HeaderName::Via, Fault::Missing))?;
                Via::parse(item).map_err(|_| error(HeaderName::Via, Fault::Malformed))
            }

            /// Every Via, from the last hop to the first.
            pub fn vias(&self) -> Result<Vec<Via>, HeaderError> {
                let read = |item| Via::parse(item).map_err(|_| error(HeaderName::Via, Fault::Malformed));
                self.headers.items(HeaderName::Via).map(read).collect()
            }

            /// Who asks (§20.20).
            pub fn from(&self) -> Result<NameAddr, HeaderError> {
                one_name_addr(&self.headers, HeaderName::From)
            }

            /// Who is asked (§20.39).
            pub fn to(&self) -> Result<NameAddr, HeaderError> {
                one_name_addr(&self.headers, HeaderName::To)
            }

            /// The URI of From, read alone; `None` where it can't be.
            pub fn from_uri(&self) -> Option<Uri> {
                NameAddr::uri_in(self.headers.get(HeaderName::From)?)
            }

            /// The tag of To, read alone; `None` where there is none.
            pub fn to_tag(&self) -> Option<&str> {
                NameAddr::tag_in(self.headers.get(HeaderName::To)?)
            }

            /// The Call-ID (§20.8).
            pub fn call_id(&self) -> Result<&str, HeaderError> {
                let text = one(&self.headers, HeaderName::CallId)?;
                let fits = !text.is_empty() && !text.bytes().any(|b| grammar::is_lws(b));
                fits.then_some(text).ok_or(error(HeaderName::CallId, Fault::Malformed))
            }

            /// The CSeq (§20.16).
            pub fn cseq(&self) -> Result<CSeq, HeaderError> {
                let text = one(&self.headers, HeaderName::CSeq)?;
                let malformed = error(HeaderName::CSeq, Fault::Malformed);
                let (digits, method) = grammar::take_while(text, |b| !grammar::is_lws(b));
                let method = Method::parse(grammar::trim(method)).ok_or(malformed)?;
                let number = number(HeaderName::CSeq, digits, u64::from(MAX_CSEQ))? as u32;
                Ok(CSeq { number, method })
            }

            /// Every Contact (§20.10). `*` is accepted alone only.
            pub fn contacts(&self) -> Result<Contacts, HeaderError> {
                let mut items = self.headers.items(HeaderName::Contact);
                let mut list = Vec::new();
                let malformed = error(HeaderName::Contact, Fault::Malformed);
                while let Some(item) = items.next() {
                    if item == "*" && list.is_empty() && items.next().is_none() {
                        return Ok(Contacts::Star);
                    }
                    list.push(NameAddr::parse(item).map_err(|_| malformed)?);
                }
                Ok(Contacts::List(list))
            }

            /// The one Contact that a request or response inside a dialog must have (§8.1.1.8,
            /// §12.1.1).
            pub fn contact(&self) -> Result<NameAddr, HeaderError> {
                match self.contacts()? {
                    Contacts::List(mut list) if list.len() == 1 => Ok(list.remove(0)),
                    Contacts::List(list) if list.is_empty() => {
                        Err(error(HeaderName::Contact, Fault::Missing))
                    }
                    Contacts::List(_) => Err(error(HeaderName::Contact, Fault::Repeated)),
                    Contacts::Star => Err(error(HeaderName::Contact, Fault::Malformed)),
                }
            }

            /// The Route set to follow, nearest first (§20.34).
            pub fn routes(&self) -> Result<Vec<NameAddr>, HeaderError> {
                name_addrs(&self.headers, HeaderName::Route)
            }

            /// The Record-Route headers, last proxy first (§20.30).
            pub fn record_routes(&self) -> Result<Vec<NameAddr>, HeaderError> {
                name_addrs(&self.headers, HeaderName::RecordRoute)
            }

            /// Max-Forwards, 0 to 255 (§20.22).
            pub fn max_forwards(&self) -> Result<Option<u8>, HeaderError> {
                Ok(one_number(&self.headers, HeaderName::MaxForwards, 255)?.map(|n| n as u8))
            }

            /// The Expires header in seconds (§20.19).
            pub fn expires(&self) -> Result<Option<Duration>, HeaderError> {
                let seconds = one_number(&self.headers, HeaderName::Expires, u64::from(u32::MAX))?;
                Ok(seconds.map(Duration::from_secs))
            }

            /// The media type without parameters, in lower case: `application/sdp`. White space
            /// around the slash is taken away.
            pub fn content_type(&self) -> Option<String> {
                let text = self.headers.get(HeaderName::ContentType)?;
                let media = text.split(';').next().unwrap_or(text);
                Some(media.chars().filter(|c| !c.is_whitespace()).collect::<String>().to_ascii_lowercase())
            }

            /// Another header that holds one name-addr: Refer-To, Referred-By, Reply-To.
            pub fn name_addr(&self, name: HeaderName<'static>) -> Result<Option<NameAddr>, HeaderError> {
                match one_name_addr(&self.headers, name) {
                    Err(HeaderError { fault: Fault::Missing, .. }) => Ok(None),
                    other => other.map(Some),
                }
            }

            fn essentials(&self) -> Result<Essentials, HeaderError> {
                let top = self.vias()?.into_iter().next();
                self.contacts()?;
                self.routes()?;
                self.record_routes()?;
                self.expires()?;
                Ok(Essentials {
                    via: top.ok_or(error(HeaderName::Via, Fault::Missing))?,
                    from: self.from()?,
                    to: self.to()?,
                    call_id: self.call_id()?.to_owned(),
                    cseq: self.cseq()?,
                    max_forwards: self.max_forwards()?,
                })
            }
        }
    };
}

typed_headers!(Request);
typed_headers!(Response);

impl Request {
    /// A request with no header and no body yet.
    pub fn new(method: Method, uri: Uri) -> Request {
        Request { method, uri, headers: Headers::new(), body: Bytes::new() }
    }

    /// Reads every header that routing and dialogs look at (§8.2): the mandatory ones are there once
    /// and well formed, CSeq names this method (§8.1.1.5), and of Contact, Route, Record-Route,
    /// Expires and Max-Forwards what is there is well formed. A tag in From is not asked for: peers
    /// of RFC 2543 send none.
    pub fn check(&self) -> Result<Essentials, HeaderError> {
        let essentials = self.essentials()?;
        if essentials.cseq.method != self.method {
            return Err(error(HeaderName::CSeq, Fault::OtherMethod));
        }
        Ok(essentials)
    }

    /// Appends the request as it goes on the wire.
    pub fn write(&self, out: &mut Vec<u8>) {
        use std::io::Write;
        let _ = write!(out, "{} {} SIP/2.0\r\n", self.method, self.uri);
        finish(&self.headers, &self.body, out);
    }

    /// The request as it goes on the wire.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(512 + self.body.len());
        self.write(&mut out);
        out
    }
}

impl Response {
    /// Answers a request (§8.2.6.2): its Vias, From, To, Call-ID and CSeq, in their order. A tag in
    /// To is the caller's to add: `response.set_to_tag(..)`. Timestamp is copied to a 100 (§8.2.6.1).
    pub fn to_request(request: &Request, status: u16, reason: &str) -> Response {
        let mut response = Response::to_headers(&request.headers, status, reason);
        let timestamp = request.headers.get(HeaderName::Timestamp).filter(|_| status == 100);
        timestamp.into_iter().for_each(|value| response.headers.push(HeaderName::Timestamp, value));
        response
    }

    pub(crate) fn to_headers(of_request: &Headers, status: u16, reason: &str) -> Response {
        let mut headers = Headers::new();
        of_request.all(HeaderName::Via).for_each(|via| headers.push(HeaderName::Via, via));
        for name in [HeaderName::From, HeaderName::To, HeaderName::CallId, HeaderName::CSeq] {
            of_request.get(name).into_iter().for_each(|value| headers.push(name, value));
        }
        Response { status, reason: reason.to_owned(), headers, body: Bytes::new() }
    }

    /// Gives To this tag, unless it has one already. Nothing happens to a To that can't be read.
    pub fn set_to_tag(&mut self, tag: &str) {
        if let Some(to) = self.to().ok().filter(|to| to.tag().is_none()) {
            self.headers.set(HeaderName::To, to.with_tag(tag));
        }
    }

    /// 100 to 199.
    pub fn is_provisional(&self) -> bool {
        self.status < 200
    }

    /// 200 to 299.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// Like [`Request::check`]; a response with an error here is dropped.
    pub fn check(&self) -> Result<Essentials, HeaderError> {
        self.essentials()
    }

    /// Appends the response as it goes on the wire.
    pub fn write(&self, out: &mut Vec<u8>) {
        use std::io::Write;
        let reason = self.reason.replace(['\r', '\n', '\0'], " ");
        let _ = write!(out, "SIP/2.0 {} {reason}\r\n", self.status);
        finish(&self.headers, &self.body, out);
    }

    /// The response as it goes on the wire.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(512 + self.body.len());
        self.write(&mut out);
        out
    }
}

impl Message {
    /// The headers of either.
    pub fn headers(&self) -> &Headers {
        match self {
            Message::Request(request) => &request.headers,
            Message::Response(response) => &response.headers,
        }
    }

    /// The body of either.
    pub fn body(&self) -> &Bytes {
        match self {
            Message::Request(request) => &request.body,
            Message::Response(response) => &response.body,
        }
    }

    /// Appends the message as it goes on the wire.
    pub fn write(&self, out: &mut Vec<u8>) {
        match self {
            Message::Request(request) => request.write(out),
            Message::Response(response) => response.write(out),
        }
    }
}

impl From<Request> for Message {
    fn from(request: Request) -> Message {
        Message::Request(request)
    }
}

impl From<Response> for Message {
    fn from(response: Response) -> Message {
        Message::Response(response)
    }
}

fn finish(headers: &Headers, body: &Bytes, out: &mut Vec<u8>) {
    use std::io::Write;
    headers.write(out);
    let _ = write!(out, "Content-Length: {}\r\n\r\n", body.len());
    out.extend_from_slice(body);
}

fn error(header: HeaderName<'static>, fault: Fault) -> HeaderError {
    HeaderError { header, fault }
}

/// The only value of a header that must stand once.
fn one<'a>(headers: &'a Headers, name: HeaderName<'static>) -> Result<&'a str, HeaderError> {
    let mut values = headers.all(name);
    let value = values.next().ok_or(error(name, Fault::Missing))?;
    values.next().map_or(Ok(value), |_| Err(error(name, Fault::Repeated)))
}

fn one_name_addr(headers: &Headers, name: HeaderName<'static>) -> Result<NameAddr, HeaderError> {
    NameAddr::parse(one(headers, name)?).map_err(|_| error(name, Fault::Malformed))
}

fn one_number(headers: &Headers, name: HeaderName<'static>, max: u64) -> Result<Option<u64>, HeaderError> {
    match one(headers, name) {
        Ok(text) => number(name, text, max).map(Some),
        Err(HeaderError { fault: Fault::Missing, .. }) => Ok(None),
        Err(other) => Err(other),
    }
}

fn number(name: HeaderName<'static>, text: &str, max: u64) -> Result<u64, HeaderError> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let fault = if digits { Fault::OutOfRange } else { Fault::Malformed };
    grammar::decimal(text, max).ok_or(error(name, fault))
}

fn name_addrs(headers: &Headers, name: HeaderName<'static>) -> Result<Vec<NameAddr>, HeaderError> {
    let read = |item| NameAddr::parse(item).map_err(|_| error(name, Fault::Malformed));
    headers.items(name).map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::super::wire;
    use super::*;

    fn invite(more: &str) -> Request {
        let text = format!(
            "INVITE sip:b@b SIP/2.0\r\nVia: SIP/2.0/UDP b;branch=z9hG4bK2\r\nTimestamp: 54\r\n\
             Via: SIP/2.0/UDP a;branch=z9hG4bK1\r\nFrom: <sip:a@a>;tag=1\r\nTo: <sip:b@b>\r\n\
             Call-ID: c\r\nCSeq: 7 INVITE\r\n{more}\r\n"
        );
        match wire::read(text.as_bytes()) {
            Ok(Message::Request(request)) => request,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn rfc3261_8_2_6_2_a_response_copies_what_names_the_request() {
        let mut response = Response::to_request(&invite("Subject: x\r\n"), 180, "Ringing");
        response.set_to_tag("t");
        response.set_to_tag("another");
        let text = String::from_utf8(response.to_bytes()).unwrap();
        assert_eq!(
            text,
            "SIP/2.0 180 Ringing\r\nVia: SIP/2.0/UDP b;branch=z9hG4bK2\r\n\
             Via: SIP/2.0/UDP a;branch=z9hG4bK1\r\nFrom: <sip:a@a>;tag=1\r\nTo: <sip:b@b>;tag=t\r\n\
             Call-ID: c\r\nCSeq: 7 INVITE\r\nContent-Length: 0\r\n\r\n"
        );
        let trying = Response::to_request(&invite(""), 100, "Trying");
        assert_eq!(trying.headers.get(HeaderName::Timestamp), Some("54"), "§8.2.6.1");
    }

    #[test]
    fn rfc3261_20_14_content_length_is_what_the_body_is() {
        let mut request = invite("Content-Length: 0\r\n");
        request.body = Bytes::from_static(b"hello");
        let text = String::from_utf8(request.to_bytes()).unwrap();
        assert_eq!(text.matches("Content-Length").count(), 1);
        assert!(text.ends_with("Content-Length: 5\r\n\r\nhello"));
    }

    #[test]
    fn each_header_is_checked_and_the_error_names_it() {
        for (more, header, fault) in [
            ("From: <sip:x@x>\r\n", HeaderName::From, Fault::Repeated),
            ("i: d\r\n", HeaderName::CallId, Fault::Repeated),
            ("Max-Forwards: 256\r\n", HeaderName::MaxForwards, Fault::OutOfRange),
            ("Max-Forwards: -1\r\n", HeaderName::MaxForwards, Fault::Malformed),
            ("Expires: soon\r\n", HeaderName::Expires, Fault::Malformed),
            ("Contact: *, <sip:a@a>\r\n", HeaderName::Contact, Fault::Malformed),
            ("Contact: <sip:a@a>,\r\n", HeaderName::Contact, Fault::Malformed),
            ("Route: sip:a@a?b=c\r\n", HeaderName::Route, Fault::Malformed),
            ("Record-Route: x\r\n", HeaderName::RecordRoute, Fault::Malformed),
            ("Via: SIP/2.0/UDP\r\n", HeaderName::Via, Fault::Malformed),
        ] {
            assert_eq!(invite(more).check().unwrap_err(), HeaderError { header, fault }, "{more}");
        }
        for name in [HeaderName::Via, HeaderName::From, HeaderName::To, HeaderName::CallId, HeaderName::CSeq]
        {
            let mut request = invite("");
            request.headers.remove(name);
            assert_eq!(request.check(), Err(HeaderError { header: name, fault: Fault::Missing }));
        }
        let mut bye = invite("");
        bye.method = Method::Bye;
        assert_eq!(bye.check().unwrap_err().fault, Fault::OtherMethod);
        for (cseq, fault) in [
            ("2147483648 INVITE", Fault::OutOfRange),
            ("x INVITE", Fault::Malformed),
            ("1", Fault::Malformed),
            ("1 IN VITE", Fault::Malformed),
        ] {
            let mut request = invite("");
            request.headers.set(HeaderName::CSeq, cseq);
            assert_eq!(request.check().unwrap_err().fault, fault, "{cseq}");
        }
        assert_eq!(invite("Max-Forwards: 0068\r\n").check().unwrap().max_forwards, Some(68));
    }

    #[test]
    fn a_start_line_can_not_be_broken_by_what_is_put_into_it() {
        let response = Response::to_request(&invite(""), 400, "Bad\r\nRoute: <sip:evil.example>");
        let text = String::from_utf8(response.to_bytes()).unwrap();
        assert!(text.starts_with("SIP/2.0 400 Bad  Route: <sip:evil.example>\r\nVia"));
    }
}
