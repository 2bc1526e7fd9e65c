//! Which connections there are, and which one a message takes (RFC 3261 §18, RFC 5923): the one that it is meant for
//! while that lives, else one that leads to the address and was opened to the same authority, else a new one. How many
//! there may be, of all and of one address, is decided when they are accepted.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};
use std::time::Duration;

use bytes::Bytes;
use protocol::sip::flow::{Destination, Flow, Transport};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::runtime::Handle;
use tokio::sync::mpsc;

use super::stream::{self, Ended};
use super::tls::Tls;
use super::{Inbox, Limits};

/// Messages that wait for one connection; with more its peer does not read, and it is closed.
pub(super) const MOST_WAITING: usize = 256;
/// Waiting connections that the kernel keeps before they are accepted.
const BACKLOG: u32 = 1024;
/// How often it is looked whether certificates have changed.
const LOOK_AT_FILES: Duration = Duration::from_secs(3);

/// All connections, whoever opened them.
pub(super) struct Connections {
    shared: Arc<Shared>,
    listeners: Mutex<Vec<(Transport, std::net::TcpListener)>>,
    runtime: Handle,
}

pub(super) struct Shared {
    table: Mutex<Table>,
    next: AtomicU64,
    inbox: OnceLock<Arc<dyn Inbox>>,
    limits: RwLock<Arc<Limits>>,
    bound: Vec<(Transport, SocketAddr)>,
    pub tls: Tls,
}

/// Connections by number, the last one that leads to an address, and how many each address has.
#[derive(Default)]
struct Table {
    by_number: HashMap<u64, mpsc::Sender<Bytes>>,
    by_remote: HashMap<Way, u64>,
    by_source: HashMap<IpAddr, u32>,
    accepted: u32,
}

/// Where a connection leads: transport, address, and who has proved to be there.
type Way = (Transport, SocketAddr, u32);

/// One accepted connection's place among those that there may be.
struct Seat {
    source: IpAddr,
    shared: Arc<Shared>,
}

/// Binds now, so that an address in use is an error at the start.
pub(super) fn bind(address: SocketAddr) -> io::Result<std::net::TcpListener> {
    let socket = if address.is_ipv6() { TcpSocket::new_v6()? } else { TcpSocket::new_v4()? };
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    let listener = socket.listen(BACKLOG)?;
    listener.into_std()
}

impl Connections {
    pub fn new(
        listeners: Vec<(Transport, std::net::TcpListener)>,
        tls: Tls,
        limits: Limits,
        runtime: Handle,
    ) -> Self {
        let local = |(transport, listener): &(Transport, std::net::TcpListener)| {
            Some((*transport, listener.local_addr().ok()?))
        };
        let bound = listeners.iter().filter_map(local).collect();
        let shared = Shared {
            table: Mutex::default(),
            next: AtomicU64::new(1),
            inbox: OnceLock::new(),
            limits: RwLock::new(Arc::new(limits)),
            bound,
            tls,
        };
        Self { shared: Arc::new(shared), listeners: Mutex::new(listeners), runtime }
    }

    pub fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    pub fn bound(&self) -> impl Iterator<Item = (Transport, SocketAddr)> {
        self.shared.bound.iter().copied()
    }

    pub fn start(&self, inbox: Arc<dyn Inbox>) {
        let _ = self.shared.inbox.set(inbox);
        let listeners = std::mem::take(&mut *self.listeners.lock().unwrap_or_else(PoisonError::into_inner));
        for (transport, listener) in listeners {
            let shared = self.shared.clone();
            self.runtime.spawn(async move {
                match TcpListener::from_std(listener) {
                    Ok(listener) => accept(listener, transport, shared).await,
                    Err(why) => tracing::error!(transport = transport.as_str(), %why, "listener lost"),
                }
            });
        }
        let shared = self.shared.clone();
        self.runtime.spawn(async move {
            loop {
                tokio::time::sleep(LOOK_AT_FILES).await;
                let shared = shared.clone();
                let _ = tokio::task::spawn_blocking(move || shared.tls.refresh()).await;
            }
        });
    }

    /// See [`super::Transports::alias`].
    pub fn alias(&self, flow: &Flow, port: u16, authority: u32) {
        let mut table = self.shared.table();
        if table.by_number.contains_key(&flow.connection) {
            let way = (flow.transport, SocketAddr::new(flow.remote.ip(), port), authority);
            table.by_remote.insert(way, flow.connection);
        }
    }

    /// On the connection asked for, or one that leads there, or a new one.
    pub fn send(&self, to: &Destination, bytes: Bytes) {
        let way = (to.transport, to.remote, to.authority);
        let mut table = self.shared.table();
        let number = match to.connection {
            0 => table.by_remote.get(&way).copied(),
            number if table.by_number.contains_key(&number) => Some(number),
            _ => table.by_remote.get(&way).copied(),
        };
        if let Some(sender) = number.and_then(|number| table.by_number.get(&number)) {
            if sender.try_send(bytes).is_err()
                && let Some(number) = number
            {
                // Its task ends with the sender, and tells the inbox.
                table.remove(number, way);
            }
            return;
        }
        let may = match to.transport {
            Transport::Tcp => true,
            Transport::Tls => to.authority != 0,
            Transport::Udp | Transport::Ws | Transport::Wss => false,
        };
        let any = if to.remote.is_ipv6() { "[::]:0" } else { "0.0.0.0:0" };
        let local = any.parse().expect("an address");
        let mut flow = Flow { transport: to.transport, local, remote: to.remote, connection: to.connection };
        if !may {
            drop(table);
            return self.shared.failed(flow);
        }
        let (sender, waiting) = mpsc::channel(MOST_WAITING);
        let _ = sender.try_send(bytes);
        let number = self.shared.next.fetch_add(1, Ordering::Relaxed);
        table.by_number.insert(number, sender);
        table.by_remote.insert(way, number);
        drop(table);
        let (shared, asked) = (self.shared.clone(), to.connection);
        self.runtime.spawn(async move {
            let ended = match stream::connect(way.1, way.0, way.2, number, &shared).await {
                Ok(ready) => {
                    flow = Flow { local: ready.local().unwrap_or(local), connection: number, ..flow };
                    shared.opened(flow.transport);
                    ready.serve(flow, true, waiting, shared.clone()).await
                }
                Err(why) => {
                    shared.opened(flow.transport);
                    why
                }
            };
            shared.table().remove(number, way);
            shared.tls.certificates().forget(number);
            shared.ended(flow.transport, ended);
            shared.failed(Flow { connection: number, ..flow });
            if asked != 0 {
                // It was meant for one that is gone.
                shared.failed(Flow { connection: asked, ..flow });
            }
        });
    }
}

impl Shared {
    fn table(&self) -> std::sync::MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn inbox(&self) -> Option<&Arc<dyn Inbox>> {
        self.inbox.get()
    }

    pub fn limits(&self) -> Arc<Limits> {
        self.limits.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub fn set_limits(&self, limits: Limits) {
        *self.limits.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(limits);
    }

    /// The address that connections to there come from: the one that is listened on, if it is one. What listens on
    /// this host alone reaches nobody else.
    pub fn own_address(&self, transport: Transport, remote: SocketAddr) -> Option<IpAddr> {
        let fits = |local: &IpAddr| {
            !local.is_unspecified()
                && local.is_ipv6() == remote.is_ipv6()
                && local.is_loopback() == remote.ip().is_loopback()
        };
        let bound = self.bound.iter().filter(|(of, _)| *of == transport).map(|(_, local)| local.ip());
        bound.into_iter().find(fits)
    }

    /// Whoever waits for an answer on this flow waits in vain.
    fn failed(&self, flow: Flow) {
        if let Some(inbox) = self.inbox.get() {
            inbox.flow_failed(flow);
        }
    }

    fn opened(&self, transport: Transport) {
        if let Some(inbox) = self.inbox.get() {
            inbox.opened(transport);
        }
    }

    fn ended(&self, transport: Transport, why: Ended) {
        if let Some(inbox) = self.inbox.get() {
            inbox.ended(transport, why);
        }
    }

    /// A place for one more from there; none when there are too many.
    fn seat(self: &Arc<Self>, from: IpAddr) -> Option<Seat> {
        let limits = self.limits();
        let source = whose(from);
        let mut table = self.table();
        let accepted = table.accepted;
        let of_source = table.by_source.entry(source).or_default();
        if accepted >= limits.total || *of_source >= limits.per_address {
            if *of_source == 0 {
                table.by_source.remove(&source);
            }
            return None;
        }
        *of_source += 1;
        table.accepted += 1;
        Some(Seat { source, shared: self.clone() })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut table = self.shared.table();
        table.accepted = table.accepted.saturating_sub(1);
        if let Some(count) = table.by_source.get_mut(&self.source) {
            *count -= 1;
            if *count == 0 {
                table.by_source.remove(&self.source);
            }
        }
    }
}

impl Table {
    fn remove(&mut self, number: u64, way: Way) {
        self.by_number.remove(&number);
        if self.by_remote.get(&way) == Some(&number) {
            self.by_remote.remove(&way);
        }
    }
}

/// Who counts as one source: an IPv4 address; of IPv6 the network that one subscriber has (RFC 6177).
fn whose(from: IpAddr) -> IpAddr {
    match from.to_canonical() {
        IpAddr::V6(ip) if !ip.is_loopback() => {
            let mut octets = ip.octets();
            octets[8..].fill(0);
            IpAddr::from(octets)
        }
        ip => ip,
    }
}

async fn accept(listener: TcpListener, transport: Transport, shared: Arc<Shared>) {
    loop {
        match listener.accept().await {
            Ok((_, remote)) if shared.inbox.get().is_some_and(|inbox| !inbox.hears(remote.ip())) => {}
            Ok((stream, remote)) => match shared.seat(remote.ip()) {
                Some(seat) => drop(tokio::spawn(serve(stream, transport, seat))),
                None => {
                    shared.opened(transport);
                    shared.ended(transport, Ended::TooMany);
                    tracing::debug!(%remote, "too many connections; closed");
                }
            },
            // Out of descriptors, most likely: wait for some to be closed.
            Err(why) => {
                tracing::warn!(%why, "connection not accepted");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

/// A connection that came to us, from its handshake to its end.
async fn serve(stream: TcpStream, transport: Transport, seat: Seat) {
    let shared = seat.shared.clone();
    let (Ok(local), Ok(remote)) = (stream.local_addr(), stream.peer_addr()) else { return };
    let connection = shared.next.fetch_add(1, Ordering::Relaxed);
    let flow = Flow { transport, local, remote, connection };
    shared.opened(transport);
    let ended = match stream::accept(stream, flow, &shared).await {
        Ok(ready) => {
            let (sender, waiting) = mpsc::channel(MOST_WAITING);
            let way = (transport, remote, 0);
            {
                let mut table = shared.table();
                table.by_number.insert(connection, sender);
                table.by_remote.insert(way, connection);
            }
            let ended = ready.serve(flow, false, waiting, shared.clone()).await;
            shared.table().remove(connection, way);
            // Nobody can wait for something on one that has said nothing.
            if ended != Ended::Silent {
                shared.failed(flow);
            }
            ended
        }
        Err(why) => why,
    };
    shared.tls.certificates().forget(connection);
    shared.ended(transport, ended);
    drop(seat);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subscriber_with_many_ipv6_addresses_is_one_source() {
        let source = |text: &str| whose(text.parse().expect("an address"));
        assert_eq!(source("2001:db8:0:1::1"), source("2001:db8:0:1:ffff::2"));
        assert_ne!(source("2001:db8:0:1::1"), source("2001:db8:0:2::1"));
        assert_ne!(source("192.0.2.1"), source("192.0.2.2"));
        assert_eq!(source("::ffff:192.0.2.1"), source("192.0.2.1"));
    }
}
