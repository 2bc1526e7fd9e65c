//! Where messages come from and go to: a transport and two addresses, with a connection where there is one
//! (RFC 3261 §18, RFC 7118 for WebSocket). Names are resolved before they come here.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

/// How SIP is carried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[allow(missing_docs)] // each is the transport of its name
pub enum Transport {
    Udp,
    Tcp,
    Tls,
    Ws,
    Wss,
}

impl Transport {
    /// Lost bytes are sent again by the transport itself, so transactions need not.
    pub fn is_reliable(self) -> bool {
        self != Transport::Udp
    }

    /// Whoever listens on the way hears nothing.
    pub fn is_secure(self) -> bool {
        matches!(self, Transport::Tls | Transport::Wss)
    }

    /// As it stands in a Via.
    pub fn as_str(self) -> &'static str {
        match self {
            Transport::Udp => "UDP",
            Transport::Tcp => "TCP",
            Transport::Tls => "TLS",
            Transport::Ws => "WS",
            Transport::Wss => "WSS",
        }
    }

    /// As a URI's `transport` parameter names it; without regard to case. `wss` has no such name of its own
    /// (RFC 7118 §4.2) but is read.
    pub fn parse(text: &str) -> Option<Self> {
        [Transport::Udp, Transport::Tcp, Transport::Tls, Transport::Ws, Transport::Wss]
            .into_iter()
            .find(|transport| transport.as_str().eq_ignore_ascii_case(text))
    }

    /// The port when none is said (RFC 3261 §19.1.2, RFC 7118 §5.2.2).
    pub fn default_port(self) -> u16 {
        match self {
            Transport::Udp | Transport::Tcp => 5060,
            Transport::Tls => 5061,
            Transport::Ws => 80,
            Transport::Wss => 443,
        }
    }
}

/// The way a message came: answers go back on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Flow {
    /// How.
    pub transport: Transport,
    /// This side's address.
    pub local: SocketAddr,
    /// The other side's address.
    pub remote: SocketAddr,
    /// The connection's number, never used again after it closed; 0 for UDP.
    pub connection: u64,
}

/// Where a message is to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Destination {
    /// How.
    pub transport: Transport,
    /// To whom.
    pub remote: SocketAddr,
    /// From which of this side's addresses; any, if none.
    pub local: Option<SocketAddr>,
    /// The connection to use while it lives; 0: any to that address, or a new one.
    pub connection: u64,
    /// Who must prove to be there (RFC 5922 §7), as the owner of the connections numbers them; 0: nobody in
    /// particular, so no secured connection is opened for it.
    pub authority: u32,
}

impl Destination {
    /// A place that nothing has come from yet.
    pub fn new(transport: Transport, remote: SocketAddr) -> Self {
        Self { transport, remote, local: None, connection: 0, authority: 0 }
    }

    /// `flow` is the one that this destination stands for. A connection is known by its number, whatever
    /// address a Contact has named meanwhile.
    pub(crate) fn is_on(&self, flow: &Flow) -> bool {
        match self.connection {
            0 => self.transport == flow.transport && self.remote == flow.remote,
            number => number == flow.connection,
        }
    }
}

impl From<Flow> for Destination {
    fn from(flow: Flow) -> Self {
        let Flow { transport, local, remote, connection } = flow;
        Self { transport, remote, local: Some(local), connection, authority: 0 }
    }
}
