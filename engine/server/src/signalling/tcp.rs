//! TCP: a task per connection reads and frames, another writes what waits (RFC 3261 §18, RFC 5626
//! §3.5.1 keep-alives). A connection that a peer opened is used for what goes back to it; one is
//! opened when a message has nowhere else to go. Idle ones are closed.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use protocol::sip::flow::{Destination, Flow, Transport};
use protocol::sip::framing::{Frame, Framing, PONG};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::Inbox;

/// Messages that wait for one connection; with more its peer does not read, and it is closed.
pub(super) const MOST_WAITING: usize = 256;
/// Connections at once; one more is closed as soon as it is accepted.
const MOST_CONNECTIONS: usize = 10_000;
/// A connection on which nothing comes for so long is closed. RFC 5626 §4.4.1 keep-alives come at
/// least every 120 s, refreshed registrations every hour at most.
const IDLE: Duration = Duration::from_secs(3700);
/// How long a connection may take to open: what timer B leaves of a transaction is enough to try
/// another place.
const CONNECT: Duration = Duration::from_secs(8);
/// Waiting connections that the kernel keeps before they are accepted.
const BACKLOG: u32 = 1024;

/// All connections, whoever opened them.
pub(super) struct Connections {
    shared: Arc<Shared>,
    listeners: Mutex<Vec<std::net::TcpListener>>,
    bound: Vec<SocketAddr>,
    runtime: Handle,
}

struct Shared {
    table: Mutex<Table>,
    next: AtomicU64,
    inbox: OnceLock<Arc<dyn Inbox>>,
}

/// Connections by number, and the last one that leads to an address.
#[derive(Default)]
struct Table {
    by_number: HashMap<u64, mpsc::Sender<Bytes>>,
    by_remote: HashMap<SocketAddr, u64>,
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
    pub fn new(listeners: Vec<std::net::TcpListener>, runtime: Handle) -> Self {
        let bound = listeners.iter().filter_map(|listener| listener.local_addr().ok()).collect();
        let shared = Shared { table: Mutex::default(), next: AtomicU64::new(1), inbox: OnceLock::new() };
        Self { shared: Arc::new(shared), listeners: Mutex::new(listeners), bound, runtime }
    }

    pub fn bound(&self) -> impl Iterator<Item = SocketAddr> {
        self.bound.iter().copied()
    }

    pub fn start(&self, inbox: Arc<dyn Inbox>) {
        let _ = self.shared.inbox.set(inbox);
        let listeners = std::mem::take(&mut *self.listeners.lock().unwrap_or_else(PoisonError::into_inner));
        for listener in listeners {
            let shared = self.shared.clone();
            self.runtime.spawn(async move {
                match TcpListener::from_std(listener) {
                    Ok(listener) => accept(listener, shared).await,
                    Err(why) => tracing::error!(%why, "TCP listener lost"),
                }
            });
        }
    }

    /// On the connection asked for, or one that leads there, or a new one.
    pub fn send(&self, to: &Destination, bytes: Bytes) {
        let mut table = self.shared.table();
        let number = match to.connection {
            0 => table.by_remote.get(&to.remote).copied(),
            number if table.by_number.contains_key(&number) => Some(number),
            _ => table.by_remote.get(&to.remote).copied(),
        };
        if let Some(sender) = number.and_then(|number| table.by_number.get(&number)) {
            match sender.try_send(bytes) {
                Ok(()) => return,
                Err(_) => {
                    // Its reader ends with it and tells the inbox.
                    if let Some(number) = number {
                        table.remove(number, to.remote);
                    }
                    return;
                }
            }
        }
        let (sender, waiting) = mpsc::channel(MOST_WAITING);
        let _ = sender.try_send(bytes);
        let number = self.shared.next.fetch_add(1, Ordering::Relaxed);
        table.insert(number, to.remote, sender);
        drop(table);
        let (shared, remote) = (self.shared.clone(), to.remote);
        self.runtime.spawn(async move {
            match timeout(CONNECT, TcpStream::connect(remote)).await {
                Ok(Ok(stream)) => serve(stream, number, waiting, shared).await,
                _ => {
                    let any = if remote.is_ipv6() { "[::]:0" } else { "0.0.0.0:0" };
                    let local = any.parse().expect("an address");
                    shared.ended(Flow { transport: Transport::Tcp, local, remote, connection: number });
                }
            }
        });
    }
}

impl Shared {
    fn table(&self) -> std::sync::MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ended(&self, flow: Flow) {
        self.table().remove(flow.connection, flow.remote);
        if let Some(inbox) = self.inbox.get() {
            inbox.flow_failed(flow);
        }
    }
}

impl Table {
    fn insert(&mut self, number: u64, remote: SocketAddr, sender: mpsc::Sender<Bytes>) {
        self.by_number.insert(number, sender);
        self.by_remote.insert(remote, number);
    }

    fn remove(&mut self, number: u64, remote: SocketAddr) {
        self.by_number.remove(&number);
        if self.by_remote.get(&remote) == Some(&number) {
            self.by_remote.remove(&remote);
        }
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    loop {
        match listener.accept().await {
            Ok((_, remote)) if shared.inbox.get().is_some_and(|inbox| !inbox.hears(remote.ip())) => {}
            Ok((stream, remote)) => {
                let mut table = shared.table();
                if table.by_number.len() >= MOST_CONNECTIONS {
                    tracing::warn!(%remote, "too many TCP connections; closed");
                    continue;
                }
                let number = shared.next.fetch_add(1, Ordering::Relaxed);
                let (sender, waiting) = mpsc::channel(MOST_WAITING);
                table.insert(number, remote, sender);
                drop(table);
                tokio::spawn(serve(stream, number, waiting, shared.clone()));
            }
            // Out of descriptors, most likely: wait for some to be closed.
            Err(why) => {
                tracing::warn!(%why, "TCP connection not accepted");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

/// Reads and writes one connection until either side is done with it.
async fn serve(stream: TcpStream, number: u64, mut waiting: mpsc::Receiver<Bytes>, shared: Arc<Shared>) {
    let (Ok(local), Ok(remote)) = (stream.local_addr(), stream.peer_addr()) else { return };
    let flow = Flow { transport: Transport::Tcp, local, remote, connection: number };
    let _ = stream.set_nodelay(true);
    let (mut reader, mut writer) = stream.into_split();
    let writing = async {
        while let Some(bytes) = waiting.recv().await {
            if writer.write_all(&bytes).await.is_err() {
                break;
            }
        }
    };
    tokio::select! {
        () = writing => {}
        () = read(&mut reader, flow, &shared) => {}
    }
    shared.ended(flow);
}

async fn read(reader: &mut tokio::net::tcp::OwnedReadHalf, flow: Flow, shared: &Shared) {
    let Some(inbox) = shared.inbox.get() else { return };
    let mut framing = Framing::new();
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let length = match timeout(IDLE, reader.read(&mut buffer)).await {
            Ok(Ok(length)) if length > 0 => length,
            _ => return,
        };
        if !inbox.hears(flow.remote.ip()) {
            return;
        }
        framing.push(&buffer[..length]);
        while let Some(frame) = framing.pop() {
            match frame {
                Frame::Message(message) => inbox.message(flow, message),
                Frame::Ping => {
                    let sender = shared.table().by_number.get(&flow.connection).cloned();
                    if let Some(sender) = sender {
                        let _ = sender.try_send(Bytes::from_static(PONG));
                    }
                }
                Frame::Pong => {}
                Frame::Refused(error) => inbox.unreadable(flow, error),
                Frame::Broken(error) => return inbox.unreadable(flow, error),
            }
        }
    }
}
