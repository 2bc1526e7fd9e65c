//! The border of one stream: what arrives is unprotected before anything reads it, what leaves is protected after
//! everything wrote it (RFC 3711), and what shares the port of RTP is told apart: RTCP (RFC 5761 §4), the checks of ICE
//! and the handshakes of DTLS (RFC 7983 §7). Where ICE finds the way, nothing is heard from an address that no check
//! came from, and nothing is sent to one that was not nominated. Where nothing protects the sound a packet passes
//! untouched. What protects it is agreed upon by `protocol::sdp`.

use std::net::SocketAddr;

use protocol::ice::{Check, Lite};
use protocol::rtp::rtcp;
use protocol::sdp::{Negotiated, Security};
use protocol::srtp::{Inbound, MAX_OVERHEAD, MasterKey, Outbound, Rejected};

use crate::command::StreamId;
use crate::handshakes::{HandshakesHandle, Party, Told};
use crate::stream::Socket;
use crate::thread::MAX_DATAGRAM;

/// How a stream is protected, and what was refused so far.
#[derive(Debug)]
pub(crate) struct Border {
    id: StreamId,
    /// RTCP shares the port of RTP.
    mux: bool,
    /// None where the sound is plain.
    guard: Option<Box<Guard>>,
    /// Packets that were not from who has the key.
    pub forged: u64,
    /// Packets that were there before.
    pub replayed: u64,
}

#[derive(Debug)]
struct Guard {
    security: Security,
    inbound: Option<Inbound>,
    outbound: Option<Outbound>,
    ice: Option<Lite>,
}

/// What came to the port of RTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Came {
    /// RTP of so many octets.
    Rtp(usize),
    /// RTCP of so many octets.
    Rtcp(usize),
    /// The far side is elsewhere from now on.
    Moved,
    /// What was answered here, or is somebody else's.
    Done,
    /// Nothing that can be used.
    Nothing,
}

impl Border {
    /// Nothing is agreed upon yet.
    pub fn new(id: StreamId) -> Self {
        Self { id, mux: false, guard: None, forged: 0, replayed: 0 }
    }

    /// What offer and answer say, again and again: what they leave as it was goes on as it was.
    pub fn agreed(&mut self, agreed: &Negotiated, handshakes: &HandshakesHandle) {
        self.mux = agreed.mux;
        let before = self.guard.take();
        self.end_handshake(before.as_deref(), agreed.security, handshakes);
        self.guard = match agreed.security {
            Security::Plain => None,
            security @ Security::Keys { ours, theirs } => {
                let (inbound, outbound) =
                    before.map_or((None, None), |guard| (guard.inbound, guard.outbound));
                let inbound = inbound.filter(|inbound| *inbound.key() == theirs);
                let outbound = outbound.filter(|outbound| *outbound.key() == ours);
                let inbound = inbound.unwrap_or_else(|| Inbound::new(theirs));
                let outbound = outbound.unwrap_or_else(|| Outbound::new(ours));
                Some(Box::new(Guard {
                    security,
                    inbound: Some(inbound),
                    outbound: Some(outbound),
                    ice: None,
                }))
            }
            security @ Security::Dtls { fingerprint, active, ice } => {
                let mut guard = before.unwrap_or_else(|| {
                    Box::new(Guard { security, inbound: None, outbound: None, ice: None })
                });
                // A new way by ICE leaves the keys as they are (RFC 8842 §4); another certificate brings others.
                if party(self.id, guard.security).is_none_or(|party| party.fingerprint != fingerprint) {
                    (guard.inbound, guard.outbound) = (None, None);
                }
                guard.security = security;
                guard.ice = ice.map(|ours| match guard.ice.take() {
                    Some(before) if before.credentials() == ours => before,
                    _ => Lite::new(ours),
                });
                if active && guard.ice.is_none() && guard.inbound.is_none() {
                    let party = Party { id: self.id, fingerprint, active };
                    handshakes.tell(Told::Begin(party, agreed.remote));
                }
                Some(guard)
            }
        };
    }

    /// A handshake whose keys would be for nothing is ended.
    fn end_handshake(&self, before: Option<&Guard>, next: Security, handshakes: &HandshakesHandle) {
        let party_of = |security| party(self.id, security).map(|party| (party.fingerprint.0, party.active));
        let before = before.and_then(|before| party_of(before.security));
        if before.is_some() && before != party_of(next) {
            handshakes.tell(Told::End(self.id));
        }
    }

    /// The stream ends.
    pub fn close(&mut self, handshakes: &HandshakesHandle) {
        let before = self.guard.take();
        self.end_handshake(before.as_deref(), Security::Plain, handshakes);
    }

    /// A handshake is done.
    pub fn keyed(&mut self, ours: MasterKey, theirs: MasterKey) {
        if let Some(guard) = &mut self.guard
            && let Security::Dtls { .. } = guard.security
        {
            (guard.inbound, guard.outbound) = (Some(Inbound::new(theirs)), Some(Outbound::new(ours)));
        }
    }

    /// Whether what is heard can only be from who has the key.
    pub fn is_guarded(&self) -> bool {
        self.guard.is_some()
    }

    /// A datagram on the port of RTP becomes what it was before it was protected, in place.
    pub fn handle_rtp<S: Socket>(
        &mut self,
        from: SocketAddr,
        bytes: &mut [u8],
        socket: &S,
        handshakes: &HandshakesHandle,
    ) -> Came {
        if !self.mux && self.guard.is_none() {
            return Came::Rtp(bytes.len());
        }
        if let Some(guard) = &mut self.guard
            && let Security::Dtls { .. } = guard.security
        {
            match bytes.first() {
                Some(0..=3) => return guard.handle_check(self.id, from, bytes, socket, handshakes),
                _ if guard.ice.as_ref().is_some_and(|ice| !ice.is_checked(from)) => return Came::Nothing,
                Some(20..=63) => {
                    if let Some(party) = party(self.id, guard.security) {
                        handshakes.tell(Told::Datagram(party, from, bytes.to_vec()));
                    }
                    return Came::Done;
                }
                _ => {}
            }
        }
        if self.mux && is_rtcp(bytes) {
            return self.handle_rtcp(bytes).map_or(Came::Nothing, Came::Rtcp);
        }
        let Some(guard) = &mut self.guard else { return Came::Rtp(bytes.len()) };
        // Before the keys are there nothing can be told from noise.
        let Some(inbound) = &mut guard.inbound else { return Came::Nothing };
        let opened = inbound.unprotect_rtp(bytes);
        self.count(opened).map_or(Came::Nothing, Came::Rtp)
    }

    /// The same on the port of RTCP. None when it can't be used.
    pub fn handle_rtcp(&mut self, bytes: &mut [u8]) -> Option<usize> {
        let Some(guard) = &mut self.guard else { return Some(bytes.len()) };
        let opened = guard.inbound.as_mut()?.unprotect_rtcp(bytes);
        self.count(opened)
    }

    fn count(&mut self, opened: Result<usize, Rejected>) -> Option<usize> {
        match opened {
            Ok(length) => return Some(length),
            Err(Rejected::Forged) => self.forged += 1,
            Err(Rejected::Replayed) => self.replayed += 1,
            Err(Rejected::Malformed) => {}
        }
        None
    }

    /// Sends an RTP packet. What has to be protected and can't be is not sent.
    pub fn send_rtp<S: Socket>(&mut self, socket: &S, packet: &[u8], to: SocketAddr) {
        let Some(guard) = &mut self.guard else { return socket.send(packet, to) };
        let Some(to) = guard.way(to) else { return };
        let mut out = [0; MAX_DATAGRAM + MAX_OVERHEAD];
        let sealed = guard.outbound.as_mut().and_then(|outbound| outbound.protect_rtp(packet, &mut out));
        if let Some(length) = sealed {
            socket.send(&out[..length], to);
        }
    }

    /// Sends a compound RTCP packet, on the port that is for it.
    pub fn send_rtcp<S: Socket>(&mut self, rtp: &S, own: &S, packet: &[u8], to: SocketAddr) {
        let socket = if self.mux { rtp } else { own };
        let Some(guard) = &mut self.guard else { return socket.send(packet, to) };
        let Some(to) = guard.way(to) else { return };
        let mut out = [0; rtcp::MAX_BYTES + MAX_OVERHEAD];
        let sealed = guard.outbound.as_mut().and_then(|outbound| outbound.protect_rtcp(packet, &mut out));
        if let Some(length) = sealed {
            socket.send(&out[..length], to);
        }
    }
}

impl Guard {
    /// Where it goes: where ICE says, if it is asked.
    fn way(&self, to: SocketAddr) -> Option<SocketAddr> {
        match &self.ice {
            Some(ice) => ice.nominated(),
            None => Some(to),
        }
    }

    fn handle_check<S: Socket>(
        &mut self,
        id: StreamId,
        from: SocketAddr,
        bytes: &[u8],
        socket: &S,
        handshakes: &HandshakesHandle,
    ) -> Came {
        let checked = self.ice.as_mut().map(|ice| ice.handle_datagram(from, bytes));
        let Some(Check::Answer { reply, moved }) = checked else { return Came::Nothing };
        socket.send(&reply, from);
        if !moved {
            return Came::Done;
        }
        if let Some(party) = party(id, self.security).filter(|party| party.active && self.inbound.is_none()) {
            handshakes.tell(Told::Begin(party, from));
        }
        Came::Moved
    }
}

/// Who takes part in the handshake, if there is one.
fn party(id: StreamId, security: Security) -> Option<Party> {
    match security {
        Security::Dtls { fingerprint, active, .. } => Some(Party { id, fingerprint, active }),
        Security::Plain | Security::Keys { .. } => None,
    }
}

/// RFC 5761 §4: packet types 192 to 223, which no RTP with 64 to 95 as payload type shares the port with.
fn is_rtcp(bytes: &[u8]) -> bool {
    bytes.get(1).is_some_and(|kind| (192..=223).contains(kind))
}
