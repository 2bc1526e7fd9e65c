//! Messages out of a stream (RFC 3261 §18.3, §7.5): TCP and TLS give bytes, Content-Length says where
//! a message ends.
//!
//! Also tells the CRLF keep-alives of RFC 5626 §3.5.1. One is made per connection; what it holds is
//! bounded by [`MAX_MESSAGE`] and the last bytes pushed. Who closes an idle or silent connection, and
//! when, is decided where its socket is.

use super::message::Message;
use super::wire::{self, Cause, MAX_MESSAGE, Opening, ReadError};

/// What was found in the stream.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(clippy::large_enum_variant)] // Almost every frame is a message.
pub enum Frame {
    /// A whole message.
    Message(Message),
    /// Two line ends between messages: the peer asks for a [`PONG`].
    Ping,
    /// One line end between messages: the answer to a [`PING`], or nothing. A ping that arrives in
    /// two halves is a pong first and then a ping.
    Pong,
    /// A malformed message whose end was found: send the reply, if there is one, and go on.
    Refused(ReadError),
    /// The end of the message can't be found: send the reply, if there is one, and close the
    /// connection. Nothing comes after this.
    Broken(ReadError),
}

/// RFC 5626 §3.5.1: what a client sends to keep a connection alive.
pub const PING: &[u8] = b"\r\n\r\n";

/// RFC 5626 §3.5.1: what a server answers.
pub const PONG: &[u8] = b"\r\n";

/// The bytes of one connection on their way to be messages.
#[derive(Default)]
pub struct Framing {
    buffer: Vec<u8>,
    /// Bytes of `buffer` that were taken already.
    taken: usize,
    state: State,
}

enum State {
    /// Between messages. `after_line_end`: the half of a ping was seen.
    Between { after_line_end: bool },
    /// In a head; so many of its bytes were searched for its end.
    Head { searched: usize },
    /// In a body of this length.
    Body { opening: Box<Opening>, length: usize },
    /// Lost: nothing more is taken.
    Broken,
}

impl Default for State {
    fn default() -> Self {
        State::Between { after_line_end: false }
    }
}

impl Framing {
    /// For a new connection.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes what was read. Call [`Framing::pop`] until it has nothing more before the next push:
    /// that bounds what is kept.
    pub fn push(&mut self, bytes: &[u8]) {
        if matches!(self.state, State::Broken) {
            return;
        }
        if self.taken > 0 {
            self.buffer.drain(..self.taken);
            self.taken = 0;
        }
        self.buffer.extend_from_slice(bytes);
    }

    /// A message has begun and is not all there yet.
    pub fn is_within(&self) -> bool {
        match self.state {
            State::Between { .. } | State::Broken => self.buffer.len() > self.taken,
            State::Head { .. } | State::Body { .. } => true,
        }
    }

    /// The next frame; `None` until more is pushed.
    pub fn pop(&mut self) -> Option<Frame> {
        loop {
            let rest = &self.buffer[self.taken..];
            match std::mem::take(&mut self.state) {
                State::Between { after_line_end } => match rest {
                    [] | [b'\r'] => {
                        self.state = State::Between { after_line_end };
                        return None;
                    }
                    [b'\r', b'\n', b'\r', b'\n', ..] => {
                        self.taken += PING.len();
                        return Some(Frame::Ping);
                    }
                    [b'\r', b'\n', ..] => {
                        self.taken += PONG.len();
                        self.state = State::Between { after_line_end: !after_line_end };
                        return Some(if after_line_end { Frame::Ping } else { Frame::Pong });
                    }
                    _ => self.state = State::Head { searched: 0 },
                },
                State::Head { searched } => match wire::head_length(rest, searched) {
                    Some(length) if length <= MAX_MESSAGE => match Opening::read(&rest[..length]) {
                        Ok(opening) => {
                            self.taken += length;
                            if let Some(broken) = self.await_body(opening, length) {
                                return Some(broken);
                            }
                        }
                        Err(error) => return Some(self.give_up(error)),
                    },
                    None if rest.len() < MAX_MESSAGE => {
                        self.state = State::Head { searched: rest.len().saturating_sub(3) };
                        return None;
                    }
                    _ => return Some(self.give_up(ReadError { cause: Cause::TooLarge, reply: None })),
                },
                State::Body { opening, length } => {
                    let Some(body) = rest.get(..length) else {
                        self.state = State::Body { opening, length };
                        return None;
                    };
                    let frame = opening.finish(body);
                    self.taken += length;
                    return Some(frame.map_or_else(Frame::Refused, Frame::Message));
                }
                State::Broken => {
                    self.state = State::Broken;
                    return None;
                }
            }
        }
    }

    /// §18.3: on a stream, Content-Length is what ends a message; without it no next one is found.
    fn await_body(&mut self, mut opening: Opening, head: usize) -> Option<Frame> {
        let cause = match opening.length {
            Some(length) if head + length <= MAX_MESSAGE => {
                self.state = State::Body { opening: Box::new(opening), length };
                return None;
            }
            Some(_) => Cause::TooLarge,
            None => Cause::ContentLength,
        };
        opening.note(cause);
        let error = opening.finish(&[]).expect_err("a fault was noted");
        Some(self.give_up(error))
    }

    fn give_up(&mut self, error: ReadError) -> Frame {
        *self = Framing { state: State::Broken, ..Framing::default() };
        Frame::Broken(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FROM_TO: &str = "Via: SIP/2.0/TCP a;branch=z9hG4bK1\r\nFrom: <sip:a@a>;tag=1\r\n\
                           To: <sip:b@b>\r\nCall-ID: 1\r\nCSeq: 1 OPTIONS\r\n";

    fn options(more: &str, body: &str) -> String {
        format!("OPTIONS sip:b@b SIP/2.0\r\n{FROM_TO}{more}\r\n{body}")
    }

    fn frames(framing: &mut Framing, bytes: &[u8]) -> Vec<Frame> {
        framing.push(bytes);
        std::iter::from_fn(|| framing.pop()).collect()
    }

    fn body(frame: &Frame) -> &[u8] {
        match frame {
            Frame::Message(message) => message.body(),
            other => panic!("{other:?}"),
        }
    }

    fn reply(frame: &Frame) -> u16 {
        match frame {
            Frame::Refused(error) | Frame::Broken(error) => error.reply.as_ref().map_or(0, |r| r.status),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn rfc3261_18_3_content_length_ends_a_message_wherever_the_stream_is_cut() {
        let stream = options("Content-Length: 5\r\n", "hello")
            + &options("l: 0\r\n", "")
            + "\r\n"
            + &options("Content-Length:\r\n 3\r\n", "bye");
        for size in 1..=stream.len() {
            let mut framing = Framing::new();
            let all: Vec<_> =
                stream.as_bytes().chunks(size).flat_map(|piece| frames(&mut framing, piece)).collect();
            assert_eq!(all.len(), 4, "pieces of {size}");
            assert_eq!((body(&all[0]), body(&all[1]), body(&all[3])), (&b"hello"[..], &b""[..], &b"bye"[..]));
            assert_eq!(all[2], Frame::Pong);
        }
    }

    #[test]
    fn rfc5626_3_5_1_two_line_ends_are_a_ping_and_one_is_a_pong() {
        let mut framing = Framing::new();
        assert_eq!(frames(&mut framing, PING), [Frame::Ping]);
        assert_eq!(frames(&mut framing, PONG), [Frame::Pong]);
        assert_eq!(frames(&mut framing, PONG), [Frame::Ping], "the second half of a ping");
        assert_eq!(frames(&mut framing, b"\r"), []);
        assert_eq!(frames(&mut framing, b"\n\r"), [Frame::Pong]);
        assert_eq!(frames(&mut framing, b"\n"), [Frame::Ping]);
    }

    #[test]
    fn a_malformed_message_is_refused_and_the_next_one_is_read() {
        let mut framing = Framing::new();
        let stream =
            options("no colon\r\nContent-Length: 2\r\n", "xx") + &options("Content-Length: 0\r\n", "");
        let all = frames(&mut framing, stream.as_bytes());
        assert_eq!(reply(&all[0]), 400);
        assert_eq!(body(&all[1]), b"");
    }

    #[test]
    fn without_an_end_the_connection_is_given_up_with_an_answer() {
        for (more, status) in [
            ("", 400),
            ("Content-Length: -1\r\n", 400),
            ("Content-Length: 1\r\nContent-Length: 2\r\n", 400),
            ("Content-Length: 65536\r\n", 513),
            ("Content-Length: 4294967295\r\n", 513),
        ] {
            let mut framing = Framing::new();
            let all = frames(&mut framing, options(more, "").as_bytes());
            assert_eq!((all.len(), reply(&all[0])), (1, status), "{more}");
            assert!(frames(&mut framing, options("l: 0\r\n", "").as_bytes()).is_empty(), "it stays broken");
        }
        assert!(matches!(frames(&mut Framing::new(), b"GET / HTTP/1.1\r\n\r\n")[..], [Frame::Broken(_)]));
    }

    #[test]
    fn a_head_that_never_ends_is_given_up_at_the_bound() {
        let mut framing = Framing::new();
        let mut pushed = 0;
        while frames(&mut framing, b"X-Endless: 0123456789\r\n").is_empty() {
            pushed += 23;
            assert!(pushed <= MAX_MESSAGE + 23);
        }
        assert!(framing.buffer.is_empty());
    }
}
