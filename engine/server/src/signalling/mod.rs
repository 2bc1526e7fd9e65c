//! SIP on the wire: sockets and connections, and nothing of what the messages mean. What arrives is
//! read once ([`protocol::sip::wire`]), stamped, and handed to the [`Inbox`]; what leaves is bytes
//! with a destination. Each UDP socket is read by one of the shards; connections (TCP, TLS, WebSocket) are tasks.

mod connections;
pub mod names;
mod stream;
pub mod tls;
mod udp;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::BorrowedFd;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use protocol::sip::flow::{Destination, Flow, Transport};
use protocol::sip::message::Message;
use protocol::sip::wire::ReadError;
use tokio::runtime::{Builder, Runtime};

use crate::config::World;
use crate::throttle::Pace;
use names::Names;
pub use stream::Ended;
use tls::{Certificates, Tls};
pub use udp::Ear;

/// Where connections put what arrives. Called on their thread; must only pass on.
pub trait Inbox: Send + Sync + 'static {
    /// Whether what comes from there is read at all.
    fn hears(&self, from: IpAddr) -> bool;
    /// What becomes of a message from there; asked once for each.
    fn pace(&self, from: IpAddr) -> Pace;
    /// A message was read.
    fn message(&self, flow: Flow, message: Message);
    /// Bytes that are no message; the error may hold enough for a 400.
    fn unreadable(&self, flow: Flow, error: ReadError);
    /// The connection is gone, or could not be made: whatever waits for it has failed.
    fn flow_failed(&self, flow: Flow);
    /// A connection began, whoever opened it.
    fn opened(&self, transport: Transport);
    /// It is over; each that began ends once.
    fn ended(&self, transport: Transport, why: Ended);
}

/// What connections may be and do; from the configuration.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Limits {
    /// Accepted at once; one more is closed.
    pub total: u32,
    /// Of these, from one address.
    pub per_address: u32,
    /// For TLS and WebSocket to come about, and for our own connections to open.
    pub handshake: Duration,
    /// For a message that has begun to be whole.
    pub message: Duration,
    /// Until the first message.
    pub silent: Duration,
    /// Without any message or keep-alive.
    pub idle: Duration,
    /// Pages that may open a WebSocket; all if none.
    pub origins: Option<Vec<String>>,
}

/// Every socket that signalling listens on and sends from, and the thread that its connections live on:
/// one of their own, so that neither a guest nor a request of the API keeps them waiting.
pub struct Transports {
    /// None only while it is being dropped.
    runtime: Option<Runtime>,
    udp: Vec<Arc<udp::Socket>>,
    connections: connections::Connections,
    names: Names,
}

impl Transports {
    /// Binds every address, or says which one could not be bound. Reading begins with
    /// [`Transports::start`] and [`Transports::ear`].
    pub fn bind(world: &Arc<World>) -> io::Result<Self> {
        let runtime =
            Builder::new_multi_thread().worker_threads(1).thread_name("sip-streams").enable_all().build()?;
        let inside = runtime.enter(); // listening registers with it
        let mut udp = Vec::new();
        let mut streams = Vec::new();
        for at in &world.sip.listen {
            let explain = |why: io::Error| io::Error::new(why.kind(), format!("{at}: {why}"));
            match at.transport {
                Transport::Udp => udp.push(Arc::new(udp::Socket::bind(at.address).map_err(explain)?)),
                stream => streams.push((stream, connections::bind(at.address).map_err(explain)?)),
            }
        }
        let tls = Tls::new(world).map_err(|why| io::Error::new(io::ErrorKind::InvalidData, why))?;
        let limits = world.sip.connections.clone();
        let connections = connections::Connections::new(streams, tls, limits, runtime.handle().clone());
        let bound: Vec<_> = world.sip.listen.iter().map(|at| at.address).collect();
        // What is bound to every IPv6 address reaches IPv4 as well.
        let families = (
            bound.iter().any(|at| at.is_ipv4() || at.ip().is_unspecified()),
            bound.iter().any(SocketAddr::is_ipv6),
        );
        let mut can = vec![Transport::Tcp, Transport::Tls];
        can.extend((!udp.is_empty()).then_some(Transport::Udp));
        let dns = names::Dns::new(&world.sip.dns, families);
        let names = Names::new(Box::new(dns), can, runtime.handle().clone());
        drop(inside);
        Ok(Self { runtime: Some(runtime), udp, connections, names })
    }

    /// Begins to read connections.
    pub fn start(&self, inbox: Arc<dyn Inbox>) {
        self.connections.start(inbox);
    }

    /// Goes by another configuration: certificates and limits. What is bound and what is open stays.
    pub fn reconfigure(&self, world: &Arc<World>) {
        let shared = self.connections.shared();
        shared.tls.reconfigure(world);
        shared.set_limits(world.sip.connections.clone());
    }

    /// What peers of connections have proved.
    pub fn certificates(&self) -> Arc<Certificates> {
        self.connections.shared().tls.certificates().clone()
    }

    /// What goes to this port at the other side of a connection, and to this authority, takes the connection as long
    /// as it lives (RFC 5923 §5).
    pub fn alias(&self, flow: &Flow, port: u16, authority: u32) {
        self.connections.alias(flow, port, authority);
    }

    /// The number by which destinations name a carrier that has to prove who it is.
    pub fn authority(&self, tenant: &str, trunk: &str) -> u32 {
        self.connections.shared().tls.authority(tenant, trunk)
    }

    /// What one shard of so many listens with: its share of the UDP sockets, and its bell.
    pub fn ear(&self, shard: usize, shards: usize, bell: BorrowedFd<'_>) -> io::Result<Ear> {
        Ear::new(self.udp.iter().skip(shard).step_by(shards).cloned().collect(), bell)
    }

    /// Where names lead.
    pub fn names(&self) -> &Names {
        &self.names
    }

    /// The addresses that were bound, with the ports that were found for port 0.
    pub fn bound(&self) -> Vec<(Transport, SocketAddr)> {
        let udp = self.udp.iter().map(|socket| (Transport::Udp, socket.local));
        udp.chain(self.connections.bound()).collect()
    }

    /// Sends a whole message, or tells the inbox that its flow failed. Never waits: a connection
    /// whose peer does not read is closed when [`connections::MOST_WAITING`] messages wait for it.
    pub fn send(&self, to: &Destination, bytes: Bytes) {
        match to.transport {
            Transport::Udp => {
                if let Some(socket) = self.udp_socket(to) {
                    socket.send(&bytes, to.remote);
                }
            }
            _ => self.connections.send(to, bytes),
        }
    }

    /// The socket that a message leaves from: the one asked for, or the first of the same family.
    fn udp_socket(&self, to: &Destination) -> Option<&Arc<udp::Socket>> {
        let asked = to.local.and_then(|local| self.udp.iter().find(|socket| socket.local == local));
        asked.or_else(|| self.udp.iter().find(|socket| same_family(socket.local.ip(), to.remote.ip())))
    }
}

impl Drop for Transports {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background(); // waiting is not allowed where this may be dropped
        }
    }
}

fn same_family(ours: IpAddr, theirs: IpAddr) -> bool {
    ours.is_ipv6() == theirs.is_ipv6()
}

/// The address a far side would send to when this host talks with it: for sockets bound to every
/// address. Asks the kernel's routing table; nothing is sent.
pub fn own_address_towards(remote: SocketAddr) -> Option<IpAddr> {
    let remote = SocketAddr::new(remote.ip().to_canonical(), remote.port());
    let any: SocketAddr = if remote.is_ipv6() { "[::]:0" } else { "0.0.0.0:0" }.parse().expect("an address");
    let socket = std::net::UdpSocket::bind(any).ok()?;
    socket.connect(remote).ok()?;
    socket.local_addr().ok().map(|local| local.ip())
}
