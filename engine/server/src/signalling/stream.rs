//! One connection: its handshake, and then one task that reads, frames and writes (RFC 3261 §18; RFC 7118 for
//! WebSocket; RFC 5626 §3.5.1 keep-alives). Whoever is silent, slow or sends nonsense is closed, and why is counted.
//! Who may connect, and which connection a message takes, is decided in `connections`.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use protocol::sip::flow::{Flow, Transport};
use protocol::sip::framing::{Frame, Framing, PING, PONG};
use protocol::sip::wire::{self, MAX_MESSAGE};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_rustls::{TlsAcceptor, TlsConnector};
use tokio_tungstenite::tungstenite::handshake::server::{Callback, ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::http::{HeaderMap, HeaderValue, StatusCode, header};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{self, Message as Piece, Utf8Bytes};
use tokio_tungstenite::{WebSocketStream, accept_hdr_async_with_config};

use super::Inbox;
use super::connections::Shared;
use crate::throttle::Pace;

/// Whoever does not take what is written to it in this time is gone: RFC 3261 §17 waits 64*T1 for anything.
const WRITE: Duration = Duration::from_secs(32);
/// Read at once; most messages fit, and thousands of connections are kept.
const BUFFER: usize = 2048;
/// A WebSocket is pinged this often: proxies on the way close what is silent, and browsers don't ping by themselves.
const WS_PING: Duration = Duration::from_secs(30);
/// A WebSocket from which not even an answer to a ping came for so long is gone.
const WS_GONE: Duration = Duration::from_secs(90);
/// Who sends too fast is looked at again after so long.
const TURN: Duration = Duration::from_millis(250);
/// RFC 7118 §4: the name of SIP as a WebSocket sub-protocol.
const SUBPROTOCOL: &str = "sip";

/// Why a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ended {
    /// The other side closed it, or the network did.
    ByPeer,
    /// It could not be made.
    Unreachable,
    /// TLS or WebSocket did not come about: no common ground, a certificate that does not hold, or too slow.
    Handshake,
    /// No message in the time that a new one has.
    Silent,
    /// A message began and did not end.
    Slow,
    /// Nothing came for long.
    Idle,
    /// A message larger than may be.
    TooLarge,
    /// Bytes in which no next message can be found.
    Malformed,
    /// The peer does not read.
    Unread,
    /// There are too many, or too many from one address.
    TooMany,
    /// Its address is banned.
    Banned,
}

impl Ended {
    /// For metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ByPeer => "by-peer",
            Self::Unreachable => "unreachable",
            Self::Handshake => "handshake",
            Self::Silent => "silent",
            Self::Slow => "slow",
            Self::Idle => "idle",
            Self::TooLarge => "too-large",
            Self::Malformed => "malformed",
            Self::Unread => "unread",
            Self::TooMany => "too-many",
            Self::Banned => "banned",
        }
    }
}

/// A connection that is ready for SIP.
pub(super) enum Ready {
    Tcp(TcpStream),
    TlsIn(Box<tokio_rustls::server::TlsStream<TcpStream>>),
    TlsOut(Box<tokio_rustls::client::TlsStream<TcpStream>>),
    Ws(Box<WebSocketStream<TcpStream>>),
    Wss(Box<WebSocketStream<tokio_rustls::server::TlsStream<TcpStream>>>),
}

/// What came to us is made ready.
pub(super) async fn accept(stream: TcpStream, flow: Flow, shared: &Shared) -> Result<Ready, Ended> {
    let _ = stream.set_nodelay(true);
    let limits = shared.limits();
    let handshake = async {
        if !flow.transport.is_secure() {
            return match flow.transport {
                Transport::Ws => Ok(Ready::Ws(Box::new(upgrade(stream, &limits.origins).await?))),
                _ => Ok(Ready::Tcp(stream)),
            };
        }
        let server = shared.tls.live().server.clone().ok_or(Ended::Handshake)?;
        let secured = TlsAcceptor::from(server).accept(stream).await.map_err(|why| {
            tracing::debug!(remote = %flow.remote, %why, "no TLS came about");
            Ended::Handshake
        })?;
        shared.tls.prove(flow.connection, secured.get_ref().1.peer_certificates());
        match flow.transport {
            Transport::Wss => Ok(Ready::Wss(Box::new(upgrade(secured, &limits.origins).await?))),
            _ => Ok(Ready::TlsIn(Box::new(secured))),
        }
    };
    timeout(limits.handshake, handshake).await.unwrap_or(Err(Ended::Handshake))
}

/// Connects, and lets the other side prove who it is where the transport is secured.
pub(super) async fn connect(
    remote: SocketAddr,
    transport: Transport,
    authority: u32,
    number: u64,
    shared: &Shared,
) -> Result<Ready, Ended> {
    let limit = shared.limits().handshake;
    let stream = timeout(limit, open(remote, shared.own_address(transport, remote))).await;
    let stream = stream.ok().and_then(Result::ok).ok_or(Ended::Unreachable)?;
    let _ = stream.set_nodelay(true);
    match transport {
        Transport::Tcp => Ok(Ready::Tcp(stream)),
        Transport::Tls => {
            let carrier = shared.tls.carrier(authority).ok_or(Ended::Handshake)?;
            let connector = TlsConnector::from(carrier.client.clone());
            match timeout(limit, connector.connect(carrier.name.clone(), stream)).await {
                Ok(Ok(secured)) => {
                    shared.tls.prove_called(number, authority, secured.get_ref().1.peer_certificates());
                    Ok(Ready::TlsOut(Box::new(secured)))
                }
                Ok(Err(why)) => {
                    tracing::warn!(%remote, name = ?carrier.name, %why, "the carrier has not proved who it is");
                    Err(Ended::Handshake)
                }
                Err(_) => Err(Ended::Handshake),
            }
        }
        // RFC 7118: who has a WebSocket opened it.
        Transport::Udp | Transport::Ws | Transport::Wss => Err(Ended::Unreachable),
    }
}

/// From the address that this side listens on, by which carriers know it.
async fn open(remote: SocketAddr, from: Option<IpAddr>) -> io::Result<TcpStream> {
    let Some(from) = from else { return TcpStream::connect(remote).await };
    let socket = if from.is_ipv6() { TcpSocket::new_v6()? } else { TcpSocket::new_v4()? };
    socket.bind(SocketAddr::new(from, 0))?;
    socket.connect(remote).await
}

impl Ready {
    /// This side's address.
    pub fn local(&self) -> Option<SocketAddr> {
        let stream = match self {
            Self::Tcp(stream) => stream,
            Self::TlsIn(stream) => stream.get_ref().0,
            Self::TlsOut(stream) => stream.get_ref().0,
            Self::Ws(stream) => stream.get_ref(),
            Self::Wss(stream) => stream.get_ref().get_ref().0,
        };
        stream.local_addr().ok()
    }

    /// Reads and writes until either side is done with it. `expected`: it was opened here, so its silence says nothing.
    pub async fn serve(
        self,
        flow: Flow,
        expected: bool,
        waiting: mpsc::Receiver<Bytes>,
        shared: Arc<Shared>,
    ) -> Ended {
        let life = Life { flow, expected, waiting, shared: &shared };
        match self {
            Self::Tcp(stream) => life.stream(stream).await,
            Self::TlsIn(stream) => life.stream(*stream).await,
            Self::TlsOut(stream) => life.stream(*stream).await,
            Self::Ws(socket) => life.websocket(*socket).await,
            Self::Wss(socket) => life.websocket(*socket).await,
        }
    }
}

struct Life<'a> {
    flow: Flow,
    expected: bool,
    waiting: mpsc::Receiver<Bytes>,
    shared: &'a Shared,
}

/// What to do next on a connection.
enum Turn<T> {
    Came(T),
    Leaves(Bytes),
    TooLate,
    Over(Ended),
}

impl Life<'_> {
    async fn stream(mut self, mut stream: impl AsyncRead + AsyncWrite + Unpin) -> Ended {
        let Some(inbox) = self.shared.inbox() else { return Ended::ByPeer };
        let limits = self.shared.limits();
        let mut framing = Framing::new();
        let mut buffer = [0; BUFFER];
        let (mut heard, mut last) = (self.expected, Instant::now());
        let mut begun: Option<Instant> = None;
        loop {
            let (until, late) = match begun {
                Some(begun) => (begun + limits.message, Ended::Slow),
                None if !heard => (last + limits.silent, Ended::Silent),
                None => (last + limits.idle, Ended::Idle),
            };
            let turn = async {
                tokio::select! {
                    read = stream.read(&mut buffer) => match read {
                        Ok(length) if length > 0 => Turn::Came(length),
                        _ => Turn::Over(Ended::ByPeer),
                    },
                    bytes = self.waiting.recv() => bytes.map_or(Turn::Over(Ended::Unread), Turn::Leaves),
                }
            };
            let length = match timeout_at(until, turn).await.unwrap_or(Turn::TooLate) {
                Turn::Came(length) => length,
                Turn::Leaves(bytes) => match write(&mut stream, &bytes).await {
                    Ok(()) => continue,
                    Err(why) => return why,
                },
                Turn::TooLate => return late,
                Turn::Over(why) => return why,
            };
            if !inbox.hears(self.flow.remote.ip()) {
                return Ended::Banned;
            }
            framing.push(&buffer[..length]);
            while let Some(frame) = framing.pop() {
                begun = None;
                match frame {
                    Frame::Message(message) => {
                        self.wait_for_turn(&**inbox).await;
                        (heard, last) = (true, Instant::now());
                        inbox.message(self.flow, message);
                    }
                    Frame::Ping => {
                        if let Err(why) = write(&mut stream, PONG).await {
                            return why;
                        }
                        last = if heard { Instant::now() } else { last };
                    }
                    Frame::Pong => last = if heard { Instant::now() } else { last },
                    Frame::Refused(error) => inbox.unreadable(self.flow, error),
                    Frame::Broken(error) => {
                        let why = match error.cause {
                            wire::Cause::TooLarge => Ended::TooLarge,
                            _ => Ended::Malformed,
                        };
                        inbox.unreadable(self.flow, error);
                        // What it is answered is still sent, if it comes soon.
                        if let Ok(Some(bytes)) = timeout(LAST_WORD, self.waiting.recv()).await {
                            let _ = write(&mut stream, &bytes).await;
                        }
                        return why;
                    }
                }
            }
            if framing.is_within() {
                begun = begun.or_else(|| Some(Instant::now()));
            }
        }
    }

    /// Who sends too fast is read slower, which TCP tells the other side by itself.
    async fn wait_for_turn(&self, inbox: &dyn Inbox) {
        while inbox.pace(self.flow.remote.ip()) != Pace::Free {
            tokio::time::sleep(TURN).await;
        }
    }

    async fn websocket<S: AsyncRead + AsyncWrite + Unpin>(mut self, mut socket: WebSocketStream<S>) -> Ended {
        let Some(inbox) = self.shared.inbox() else { return Ended::ByPeer };
        let limits = self.shared.limits();
        let opened = Instant::now();
        let (mut heard, mut alive, mut pinged) = (false, opened, opened);
        loop {
            let silent = opened + limits.silent;
            let ping = pinged + WS_PING;
            let until = if heard { ping } else { ping.min(silent) };
            let turn = async {
                tokio::select! {
                    piece = socket.next() => match piece {
                        Some(Ok(piece)) => Turn::Came(piece),
                        Some(Err(tungstenite::Error::Capacity(_))) => Turn::Over(Ended::TooLarge),
                        Some(Err(tungstenite::Error::Protocol(_) | tungstenite::Error::Utf8(_))) => {
                            Turn::Over(Ended::Malformed)
                        }
                        _ => Turn::Over(Ended::ByPeer),
                    },
                    bytes = self.waiting.recv() => bytes.map_or(Turn::Over(Ended::Unread), Turn::Leaves),
                }
            };
            let piece = match timeout_at(until, turn).await.unwrap_or(Turn::TooLate) {
                Turn::Came(Piece::Text(text)) => Bytes::from(text),
                Turn::Came(Piece::Binary(bytes)) => bytes,
                Turn::Came(Piece::Close(_)) => return Ended::ByPeer,
                Turn::Came(_) => {
                    alive = Instant::now();
                    continue;
                }
                Turn::Leaves(bytes) => match send(&mut socket, piece(bytes)).await {
                    Ok(()) => continue,
                    Err(why) => return why,
                },
                Turn::TooLate => {
                    let now = Instant::now();
                    if !heard && now >= silent {
                        return Ended::Silent;
                    }
                    if now >= alive + WS_GONE {
                        return Ended::Idle;
                    }
                    if now >= ping {
                        pinged = now;
                        if let Err(why) = send(&mut socket, Piece::Ping(Bytes::new())).await {
                            return why;
                        }
                    }
                    continue;
                }
                Turn::Over(why) => return why,
            };
            alive = Instant::now();
            if !inbox.hears(self.flow.remote.ip()) {
                return Ended::Banned;
            }
            // RFC 7118 §6: keep-alives of RFC 5626 come in frames of their own.
            if piece == PING {
                if let Err(why) = send(&mut socket, Piece::Text(Utf8Bytes::from_static("\r\n"))).await {
                    return why;
                }
                continue;
            }
            if piece == PONG || piece.is_empty() {
                continue;
            }
            // RFC 7118 §5: one message, whole, in each.
            match wire::read(&piece) {
                Ok(message) => {
                    self.wait_for_turn(&**inbox).await;
                    heard = true;
                    inbox.message(self.flow, message);
                }
                Err(error) => inbox.unreadable(self.flow, error),
            }
        }
    }
}

/// For the answer to what can't be read, which comes from another thread, before its connection is closed.
const LAST_WORD: Duration = Duration::from_secs(1);

async fn write(stream: &mut (impl AsyncWrite + Unpin), bytes: &[u8]) -> Result<(), Ended> {
    let writing = async {
        stream.write_all(bytes).await?;
        stream.flush().await // TLS may hold back a part
    };
    match timeout(WRITE, writing).await {
        Ok(written) => written.map_err(|_| Ended::ByPeer),
        Err(_) => Err(Ended::Unread),
    }
}

/// RFC 7118 §5: text where it is some, and SIP may carry bytes that are none.
fn piece(bytes: Bytes) -> Piece {
    match Utf8Bytes::try_from(bytes.clone()) {
        Ok(text) => Piece::Text(text),
        Err(_) => Piece::Binary(bytes),
    }
}

async fn send<S: AsyncRead + AsyncWrite + Unpin>(
    socket: &mut WebSocketStream<S>,
    piece: Piece,
) -> Result<(), Ended> {
    match timeout(WRITE, socket.send(piece)).await {
        Ok(sent) => sent.map_err(|_| Ended::ByPeer),
        Err(_) => Err(Ended::Unread),
    }
}

/// The WebSocket handshake (RFC 6455 §4.2, RFC 7118 §4.1).
async fn upgrade<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    origins: &Option<Vec<String>>,
) -> Result<WebSocketStream<S>, Ended> {
    let config = WebSocketConfig::default()
        .read_buffer_size(4096)
        .write_buffer_size(0)
        .max_write_buffer_size(4 * MAX_MESSAGE)
        .max_message_size(Some(MAX_MESSAGE))
        .max_frame_size(Some(MAX_MESSAGE));
    let accepted = accept_hdr_async_with_config(stream, Doorman { origins }, Some(config)).await;
    accepted.map_err(|why| {
        tracing::debug!(%why, "no WebSocket came about");
        Ended::Handshake
    })
}

/// Lets in who speaks SIP and comes from a page that may.
struct Doorman<'a> {
    origins: &'a Option<Vec<String>>,
}

impl Callback for Doorman<'_> {
    #[allow(clippy::result_large_err)] // the library's own signature
    fn on_request(self, request: &Request, mut response: Response) -> Result<Response, ErrorResponse> {
        let refuse = |status, why: &str| {
            let mut refusal = ErrorResponse::new(Some(why.to_owned()));
            *refusal.status_mut() = status;
            Err(refusal)
        };
        if !speaks_sip(request.headers()) {
            return refuse(StatusCode::BAD_REQUEST, "the sub-protocol is \"sip\" (RFC 7118)\n");
        }
        if !is_welcome(request.headers(), self.origins.as_deref()) {
            return refuse(StatusCode::FORBIDDEN, "pages of this origin may not call here\n");
        }
        response.headers_mut().insert(header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(SUBPROTOCOL));
        Ok(response)
    }
}

fn speaks_sip(headers: &HeaderMap) -> bool {
    let all = headers.get_all(header::SEC_WEBSOCKET_PROTOCOL).iter().filter_map(|value| value.to_str().ok());
    all.flat_map(|value| value.split(',')).any(|name| name.trim().eq_ignore_ascii_case(SUBPROTOCOL))
}

/// Where origins are listed, whoever names none of them is no page of ours; without a list all are welcome, since a
/// password is asked of everyone and no cookie stands for it.
fn is_welcome(headers: &HeaderMap, origins: Option<&[String]>) -> bool {
    let Some(origins) = origins else { return true };
    let origin = headers.get(header::ORIGIN).and_then(|origin| origin.to_str().ok());
    origin.is_some_and(|origin| origins.iter().any(|known| known.eq_ignore_ascii_case(origin)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(header::HeaderName, &str)]) -> HeaderMap {
        lines.iter().map(|(name, value)| (name.clone(), value.parse().expect("a header value"))).collect()
    }

    #[test]
    fn rfc7118_4_1_a_client_offers_the_sub_protocol_sip() {
        let offers = |value| speaks_sip(&headers(&[(header::SEC_WEBSOCKET_PROTOCOL, value)]));
        assert!(offers("sip") && offers("chat, SIP"));
        assert!(!offers("sips") && !offers(""));
        assert!(!speaks_sip(&HeaderMap::new()));
    }

    #[test]
    fn pages_of_other_origins_are_turned_away_where_a_list_says_so() {
        let from = |origin| headers(&[(header::ORIGIN, origin)]);
        let ours = ["https://phone.example".to_owned()];
        assert!(is_welcome(&from("https://evil.example"), None));
        assert!(is_welcome(&from("https://phone.example"), Some(&ours)));
        assert!(is_welcome(&from("HTTPS://Phone.Example"), Some(&ours)));
        assert!(!is_welcome(&from("https://phone.example.evil.example"), Some(&ours)));
        assert!(!is_welcome(&from("http://phone.example"), Some(&ours)));
        assert!(!is_welcome(&HeaderMap::new(), Some(&ours)));
    }
}
