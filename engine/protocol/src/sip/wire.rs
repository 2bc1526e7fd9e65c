//! Bytes to a message (RFC 3261 §7, §18.3): the only place that reads what came from the network.
//!
//! Reads one datagram, or one message that [`super::framing`] cut out of a stream. Lines end with
//! CRLF and nothing else. Header text that is not UTF-8 (old telephones send Latin-1 names) is kept
//! with U+FFFD in place of what can't be read; bodies are never touched. What single headers mean is
//! left to the accessors of [`super::message`].

use std::borrow::Cow;
use std::fmt;
use std::sync::LazyLock;

use bytes::Bytes;
use memchr::memmem::Finder;

use super::grammar;
use super::headers::{HeaderName, Headers};
use super::message::{Message, Request, Response};
use super::method::Method;
use super::uri::Uri;

/// The longest message that is read, start line to body. A longer one is refused with 513.
pub const MAX_MESSAGE: usize = 64 * 1024;

/// The most header fields that a message may have. One with more is refused with 400.
pub const MAX_HEADERS: usize = 256;

/// Why bytes are no message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// Nothing but line ends: a keep-alive.
    Empty,
    /// The first line is neither a request line nor a status line.
    StartLine,
    /// The Request-URI can't be read.
    RequestUri,
    /// Not SIP/2.0; answered 505.
    Version,
    /// The empty line that ends the headers is not there.
    Unfinished,
    /// A line that is no header.
    HeaderLine,
    /// More than [`MAX_HEADERS`].
    TooManyHeaders,
    /// Longer than [`MAX_MESSAGE`]; answered 513.
    TooLarge,
    /// Content-Length is no number, or there are two that differ.
    ContentLength,
    /// Content-Length says more than there is.
    BodyCutShort,
}

impl Cause {
    /// The status and reason that a request with this fault is answered with.
    pub fn answer(self) -> (u16, &'static str) {
        match self {
            Cause::Version => (505, "Version Not Supported"),
            Cause::TooLarge => (513, "Message Too Large"),
            Cause::Empty | Cause::StartLine => (400, "Malformed Request Line"),
            Cause::RequestUri => (400, "Malformed Request-URI"),
            Cause::Unfinished => (400, "Unfinished Headers"),
            Cause::HeaderLine => (400, "Malformed Header"),
            Cause::TooManyHeaders => (400, "Too Many Headers"),
            Cause::ContentLength => (400, "Malformed Content-Length"),
            Cause::BodyCutShort => (400, "Body Cut Short"),
        }
    }
}

/// Bytes that are no message, and the answer to them where there can be one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadError {
    /// What was wrong first.
    pub cause: Cause,
    /// A response ready but for its To tag: there is one when the bytes begin as a request other
    /// than ACK, and its Via, From, To, Call-ID and CSeq were read. `None`: drop and count.
    pub reply: Option<Box<Response>>,
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.cause.answer().1)
    }
}

impl std::error::Error for ReadError {}

/// Reads one message. Line ends before it are skipped (§7.5); what follows a body whose length is
/// said is ignored, and a body whose length is not said goes to the end (§18.3).
pub fn read(bytes: &[u8]) -> Result<Message, ReadError> {
    let skip = bytes.iter().take_while(|b| matches!(b, b'\r' | b'\n')).count();
    let bytes = &bytes[skip..];
    if bytes.is_empty() {
        return Err(ReadError { cause: Cause::Empty, reply: None });
    }
    let all = &bytes[..bytes.len().min(MAX_MESSAGE)];
    let head = head_length(all, 0);
    let (head, rest) = all.split_at(head.unwrap_or(all.len()));
    let mut opening = Opening::read(head)?;
    if bytes.len() > all.len() {
        opening.fault = Some(Cause::TooLarge);
    }
    let body = match opening.length {
        None => rest,
        Some(length) if length <= rest.len() => &rest[..length],
        Some(_) => {
            opening.note(Cause::BodyCutShort);
            rest
        }
    };
    opening.finish(body)
}

/// The start line and headers of a message whose body is still to come.
pub(crate) struct Opening {
    start: Start,
    headers: Headers,
    /// What Content-Length says.
    pub(crate) length: Option<usize>,
    fault: Option<Cause>,
}

enum Start {
    /// `uri`: `None` when it can't be read.
    Request {
        method: Method,
        uri: Option<Uri>,
    },
    Response {
        status: u16,
        reason: String,
    },
}

impl Opening {
    /// Reads a head: it ends with the empty line, or the message is at fault. An error without a
    /// reply when even the start line can't be read; other faults wait for [`Opening::finish`].
    pub(crate) fn read(head: &[u8]) -> Result<Opening, ReadError> {
        // The first is much faster, and all that almost any message needs.
        let text = std::str::from_utf8(head).map_or_else(|_| String::from_utf8_lossy(head), Cow::Borrowed);
        let mut lines = Lines { text: &text, at: 0 };
        let (start, end) = lines.next().unwrap_or_default();
        let (start, fault) =
            read_start(&text[start..end]).map_err(|cause| ReadError { cause, reply: None })?;
        let headers = Headers::over(text.clone().into_owned());
        let mut opening = Opening { start, headers, length: None, fault };
        let mut finished = false;
        for (start, end) in lines {
            if start == end {
                finished = true;
                break;
            }
            if let Err(cause) = add_line(&mut opening.headers, &text[start..end], start) {
                opening.note(cause);
            }
        }
        if !finished {
            opening.note(Cause::Unfinished);
        }
        match content_length(&opening.headers) {
            Ok(length) => opening.length = length,
            Err(cause) => opening.note(cause),
        }
        Ok(opening)
    }

    /// Remembers what was wrong first.
    pub(crate) fn note(&mut self, cause: Cause) {
        self.fault = self.fault.or(Some(cause));
    }

    /// The message with its body; or what was wrong, with the answer to it.
    pub(crate) fn finish(self, body: &[u8]) -> Result<Message, ReadError> {
        let Opening { start, headers, fault, .. } = self;
        match (start, fault) {
            (Start::Request { method, uri: Some(uri) }, None) => {
                let body = Bytes::copy_from_slice(body);
                Ok(Message::Request(Request { method, uri, headers, body }))
            }
            (Start::Request { method, .. }, fault) => {
                Err(refuse(fault.unwrap_or(Cause::RequestUri), &method, &headers))
            }
            (Start::Response { status, reason }, None) => {
                let body = Bytes::copy_from_slice(body);
                Ok(Message::Response(Response { status, reason, headers, body }))
            }
            (Start::Response { .. }, Some(cause)) => Err(ReadError { cause, reply: None }),
        }
    }
}

fn refuse(cause: Cause, method: &Method, headers: &Headers) -> ReadError {
    let needed = [HeaderName::Via, HeaderName::From, HeaderName::To, HeaderName::CallId, HeaderName::CSeq];
    let possible = *method != Method::Ack && needed.iter().all(|name| headers.get(*name).is_some());
    let (status, reason) = cause.answer();
    let reply = possible
        .then(|| Response::to_headers(headers, status, reason))
        .filter(|reply| reply.top_via().is_ok())
        .map(Box::new);
    ReadError { cause, reply }
}

/// How long the head is, the empty line included. `from`: bytes already searched by an earlier call,
/// less three.
pub(crate) fn head_length(bytes: &[u8], from: usize) -> Option<usize> {
    static END: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"\r\n\r\n"));
    let found = END.find(bytes.get(from..)?)?;
    Some(from + found + 4)
}

/// Lines as byte ranges without their CRLF.
struct Lines<'a> {
    text: &'a str,
    at: usize,
}

impl Iterator for Lines<'_> {
    type Item = (usize, usize);

    fn next(&mut self) -> Option<(usize, usize)> {
        let start = self.at;
        let rest = self.text.get(start..).filter(|rest| !rest.is_empty())?;
        match memchr::memchr(b'\n', rest.as_bytes()) {
            Some(line_feed) => {
                self.at = start + line_feed + 1;
                let line = &rest[..line_feed];
                // A line feed alone stays in the line, where the header's reader refuses it.
                Some((start, start + line.strip_suffix('\r').map_or(line_feed + 1, str::len)))
            }
            None => {
                self.at = self.text.len();
                Some((start, self.at))
            }
        }
    }
}

/// The start line, and what is wrong with it that leaves the rest worth reading.
fn read_start(line: &str) -> Result<(Start, Option<Cause>), Cause> {
    if line.contains(['\r', '\n']) {
        return Err(Cause::StartLine);
    }
    let is_sip = |word: &str| word.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("SIP/"));
    if is_sip(line) {
        let (version, rest) = line.split_once(' ').ok_or(Cause::StartLine)?;
        if !version.eq_ignore_ascii_case("SIP/2.0") {
            return Err(Cause::Version);
        }
        let (status, reason) = rest.split_once(' ').unwrap_or((rest, ""));
        let status = (status.len() == 3).then(|| grammar::decimal(status, 699)).flatten();
        let status = status.filter(|s| *s >= 100).ok_or(Cause::StartLine)? as u16;
        return Ok((Start::Response { status, reason: reason.to_owned() }, None));
    }
    // Between the first space and the last may stand anything, so that a bad URI gets its answer.
    let (method, rest) = line.split_once(' ').ok_or(Cause::StartLine)?;
    let (uri, version) = rest.rsplit_once(' ').ok_or(Cause::StartLine)?;
    let method = Method::parse(method).ok_or(Cause::StartLine)?;
    if !is_sip(version) {
        return Err(Cause::StartLine);
    }
    let uri = Uri::parse(uri).ok();
    let fault = if !version.eq_ignore_ascii_case("SIP/2.0") {
        Some(Cause::Version)
    } else if uri.is_none() {
        Some(Cause::RequestUri)
    } else {
        None
    };
    Ok((Start::Request { method, uri }, fault))
}

/// One line after the first: a header, or the continuation of the one before (§7.3.1).
fn add_line(headers: &mut Headers, line: &str, start: usize) -> Result<(), Cause> {
    if memchr::memchr2(b'\r', b'\n', line.as_bytes()).is_some() {
        return Err(Cause::HeaderLine);
    }
    let range = |part: &str| {
        let from = start + (part.as_ptr() as usize - line.as_ptr() as usize);
        (from, from + part.len())
    };
    if line.starts_with([' ', '\t']) {
        if headers.is_empty() {
            return Err(Cause::HeaderLine);
        }
        headers.fold_into_last(range(grammar::trim(line)));
        return Ok(());
    }
    let (name, rest) = grammar::take_while(line, grammar::is_token_byte);
    let value = grammar::trim_start(rest).strip_prefix(':').ok_or(Cause::HeaderLine)?;
    if name.is_empty() {
        return Err(Cause::HeaderLine);
    }
    if headers.len() == MAX_HEADERS {
        return Err(Cause::TooManyHeaders);
    }
    headers.push_span(range(name), range(grammar::trim(value)));
    Ok(())
}

/// What Content-Length says, however often it says the same.
fn content_length(headers: &Headers) -> Result<Option<usize>, Cause> {
    headers.all(HeaderName::ContentLength).try_fold(None, |before, value| {
        let length = grammar::decimal(value, u64::from(u32::MAX)).ok_or(Cause::ContentLength)? as usize;
        match before {
            Some(other) if other != length => Err(Cause::ContentLength),
            _ => Ok(Some(length)),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "Via: SIP/2.0/UDP a;branch=z9hG4bK1\r\nFrom: <sip:a@a>;tag=1\r\nTo: <sip:b@b>\r\n\
                        Call-ID: c\r\nCSeq: 1 INVITE\r\n";

    fn refused(start: &str, rest: &str) -> (Cause, Option<u16>) {
        let error = read(format!("{start}\r\n{HEAD}{rest}").as_bytes()).unwrap_err();
        (error.cause, error.reply.map(|reply| reply.status))
    }

    #[test]
    fn rfc3261_8_2_a_malformed_request_gets_an_answer_where_one_is_possible() {
        let start = "INVITE sip:b@b SIP/2.0";
        let headers = |n: usize| "X: y\r\n".repeat(n);
        for (start, rest, expected) in [
            (start, "no colon\r\n\r\n", (Cause::HeaderLine, Some(400))),
            (start, ": no name\r\n\r\n", (Cause::HeaderLine, Some(400))),
            (start, "Na me: x\r\n\r\n", (Cause::HeaderLine, Some(400))),
            (start, "Subject: a\rb\r\n\r\n", (Cause::HeaderLine, Some(400))),
            (start, "Subject: a\nVia: b\r\n\r\n", (Cause::HeaderLine, Some(400))),
            (start, "Subject: a\r\n", (Cause::Unfinished, Some(400))),
            (start, &(headers(252) + "\r\n"), (Cause::TooManyHeaders, Some(400))),
            (start, &format!("\r\n{}", "x".repeat(MAX_MESSAGE)), (Cause::TooLarge, Some(513))),
            ("INVITE sip:b@b SIP/3.0", "\r\n", (Cause::Version, Some(505))),
            ("INVITE  SIP/2.0", "\r\n", (Cause::RequestUri, Some(400))),
            ("INVITE sip:b@b  SIP/2.0", "\r\n", (Cause::RequestUri, Some(400))),
            ("ACK sip:b@b SIP/2.0", "no colon\r\n\r\n", (Cause::HeaderLine, None)),
            ("INVITE sip:b@b HTTP/1.1", "\r\n", (Cause::StartLine, None)),
            ("INV@TE sip:b@b SIP/2.0", "\r\n", (Cause::StartLine, None)),
            ("SIP/2.0 99 Low", "\r\n", (Cause::StartLine, None)),
            ("SIP/2.0 700 High", "\r\n", (Cause::StartLine, None)),
            ("SIP/2.0 200 OK", "no colon\r\n\r\n", (Cause::HeaderLine, None)),
        ] {
            assert_eq!(refused(start, rest), expected, "{start} {:.40}", rest);
        }
        assert!(read(format!("{start}\r\n{HEAD}{}\r\n", headers(251)).as_bytes()).is_ok());
        assert_eq!(read(b"\r\n\r\n").unwrap_err().cause, Cause::Empty);
        assert_eq!(read(b"").unwrap_err().cause, Cause::Empty);
        assert_eq!(read(b"OPTIONS sip:b@b SIP/2.0\r\nno colon\r\n\r\n").unwrap_err().reply, None);
    }

    #[test]
    fn rfc3261_7_3_1_folded_lines_are_one_value_however_many() {
        let lines = 10_000;
        let text =
            format!("SIP/2.0 200 OK\r\nSubject:{}\r\nTo: <sip:b@b>\r\n\r\n", "\r\n\t x ".repeat(lines));
        let message = read(text.as_bytes()).unwrap();
        assert_eq!(message.headers().get(HeaderName::Subject).unwrap(), vec!["x"; lines].join(" "));
        assert_eq!(message.headers().len(), 2);
        assert_eq!(read(b"SIP/2.0 200 OK\r\n folded\r\n\r\n").unwrap_err().cause, Cause::HeaderLine);
    }

    #[test]
    fn names_in_latin_1_do_not_cost_the_call() {
        let text = b"INVITE sip:b@b SIP/2.0\r\nFrom: \"Jos\xe9\" <sip:a@a>;tag=1\r\n\r\n\xe9";
        let Ok(Message::Request(request)) = read(text) else { panic!() };
        assert_eq!(request.from().unwrap().display.as_deref(), Some("Jos\u{fffd}"));
        assert_eq!(request.body, &b"\xe9"[..], "a body is not touched");
    }

    #[test]
    fn rfc3261_18_3_the_body_of_a_datagram() {
        let body = |lines: &str| {
            let text = format!("SIP/2.0 200 OK\r\n{lines}\r\nhello world");
            read(text.as_bytes()).map(|m| m.body().to_vec()).map_err(|e| e.cause)
        };
        assert_eq!(body("").unwrap(), b"hello world");
        assert_eq!(body("l: 5\r\nContent-Length: 5\r\n").unwrap(), b"hello");
        assert_eq!(body("Content-Length: 12\r\n"), Err(Cause::BodyCutShort));
        assert_eq!(body("Content-Length: 99999999999999999999\r\n"), Err(Cause::ContentLength));
        assert_eq!(body("Content-Length: +5\r\n"), Err(Cause::ContentLength));
        assert_eq!(body("Content-Length:\r\n"), Err(Cause::ContentLength));
    }
}
