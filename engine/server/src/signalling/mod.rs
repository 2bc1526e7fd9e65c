//! SIP on the wire: sockets and connections, and nothing of what the messages mean. What arrives is
//! read once ([`protocol::sip::wire`]), stamped, and handed to the [`Inbox`]; what leaves is bytes
//! with a destination. Each UDP socket is read by one of the shards; TCP connections are tasks.

mod tcp;
mod udp;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::BorrowedFd;
use std::sync::Arc;

use bytes::Bytes;
use protocol::sip::flow::{Destination, Flow, Transport};
use protocol::sip::message::Message;
use protocol::sip::wire::ReadError;
use tokio::runtime::{Builder, Handle, Runtime};

use crate::config::Listen;
pub use udp::Ear;

/// Where connections put what arrives. Called on their thread; must only pass on.
pub trait Inbox: Send + Sync + 'static {
    /// Whether what comes from there is read at all.
    fn hears(&self, from: IpAddr) -> bool;
    /// A message was read.
    fn message(&self, flow: Flow, message: Message);
    /// Bytes that are no message; the error may hold enough for a 400.
    fn unreadable(&self, flow: Flow, error: ReadError);
    /// The connection is gone, or could not be made: whatever waits for it has failed.
    fn flow_failed(&self, flow: Flow);
}

/// Every socket that signalling listens on and sends from, and the thread that its connections live on:
/// one of their own, so that neither a guest nor a request of the API keeps them waiting.
pub struct Transports {
    /// None only while it is being dropped.
    runtime: Option<Runtime>,
    udp: Vec<Arc<udp::Socket>>,
    tcp: Option<tcp::Connections>,
}

impl Transports {
    /// Binds every address, or says which one could not be bound. Reading begins with
    /// [`Transports::start`] and [`Transports::ear`].
    pub fn bind(listen: &[Listen]) -> io::Result<Self> {
        let runtime =
            Builder::new_multi_thread().worker_threads(1).thread_name("sip-tcp").enable_all().build()?;
        let explain = |at: &Listen, why: io::Error| io::Error::new(why.kind(), format!("{at}: {why}"));
        let inside = runtime.enter(); // listening registers with it
        let mut udp = Vec::new();
        let mut tcp = Vec::new();
        for at in listen {
            match at.transport {
                crate::config::Transport::Udp => {
                    udp.push(Arc::new(udp::Socket::bind(at.address).map_err(|why| explain(at, why))?));
                }
                crate::config::Transport::Tcp => {
                    tcp.push(tcp::bind(at.address).map_err(|why| explain(at, why))?);
                }
            }
        }
        let tcp = (!tcp.is_empty()).then(|| tcp::Connections::new(tcp, runtime.handle().clone()));
        drop(inside);
        Ok(Self { runtime: Some(runtime), udp, tcp })
    }

    /// Begins to read connections.
    pub fn start(&self, inbox: Arc<dyn Inbox>) {
        if let Some(tcp) = &self.tcp {
            tcp.start(inbox);
        }
    }

    /// What one shard of so many listens with: its share of the UDP sockets, and its bell.
    pub fn ear(&self, shard: usize, shards: usize, bell: BorrowedFd<'_>) -> io::Result<Ear> {
        Ear::new(self.udp.iter().skip(shard).step_by(shards).cloned().collect(), bell)
    }

    /// Where signalling may look names up.
    pub fn runtime(&self) -> &Handle {
        self.runtime.as_ref().expect("it is there until it is dropped").handle()
    }

    /// The addresses that were bound, with the ports that were found for port 0.
    pub fn bound(&self) -> Vec<(Transport, SocketAddr)> {
        let udp = self.udp.iter().map(|socket| (Transport::Udp, socket.local));
        let tcp = self.tcp.iter().flat_map(|tcp| tcp.bound()).map(|local| (Transport::Tcp, local));
        udp.chain(tcp).collect()
    }

    /// Sends a whole message, or tells the inbox that its flow failed. Never waits: a connection
    /// whose peer does not read is closed when [`tcp::MOST_WAITING`] messages wait for it.
    pub fn send(&self, to: &Destination, bytes: Bytes) {
        match to.transport {
            Transport::Udp => {
                if let Some(socket) = self.udp_socket(to) {
                    socket.send(&bytes, to.remote);
                }
            }
            _ => {
                if let Some(tcp) = &self.tcp {
                    tcp.send(to, bytes);
                }
            }
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
    let any: SocketAddr = if remote.is_ipv6() { "[::]:0" } else { "0.0.0.0:0" }.parse().expect("an address");
    let socket = std::net::UdpSocket::bind(any).ok()?;
    socket.connect(remote).ok()?;
    socket.local_addr().ok().map(|local| local.ip())
}
