//! UDP: one thread per socket reads datagrams; sending needs no thread (RFC 3261 §18.1, §18.2).

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;

use protocol::sip::flow::{Flow, Transport};
use protocol::sip::wire;
use rustix::net::sockopt;

use super::Inbox;

/// The largest datagram that IP carries.
const LARGEST: usize = 65_535;
/// What the kernel keeps while a burst is read: about 8,000 INVITEs.
const RECEIVE_BUFFER: usize = 8 << 20;

pub(super) struct Socket {
    socket: UdpSocket,
    pub local: SocketAddr,
}

impl Socket {
    pub fn bind(address: SocketAddr) -> io::Result<Self> {
        let socket = UdpSocket::bind(address)?;
        // A smaller buffer than asked for is what the system allows; bursts are then shorter.
        let _ = sockopt::set_socket_recv_buffer_size(&socket, RECEIVE_BUFFER);
        let local = socket.local_addr()?;
        Ok(Self { socket, local })
    }

    /// A datagram that can't be sent is lost, as any may be: the transaction sends it again.
    pub fn send(&self, bytes: &[u8], to: SocketAddr) {
        if let Err(why) = self.socket.send_to(bytes, to) {
            tracing::debug!(%to, %why, "datagram not sent");
        }
    }
}

/// Reads until the process ends.
pub(super) fn read(socket: Arc<Socket>, inbox: Arc<dyn Inbox>) -> io::Result<()> {
    let name = format!("sip-{}", socket.local.port());
    std::thread::Builder::new().name(name).spawn(move || {
        let mut buffer = vec![0; LARGEST];
        loop {
            let (length, remote) = match socket.socket.recv_from(&mut buffer) {
                Ok(received) => received,
                // Linux reports an ICMP error of an earlier datagram here; it says nothing of this one.
                Err(why) => {
                    tracing::debug!(%why, "datagram not received");
                    continue;
                }
            };
            let flow = Flow { transport: Transport::Udp, local: socket.local, remote, connection: 0 };
            let bytes = &buffer[..length];
            // Keep-alives of phones behind a NAT: CRLF, or a byte or two (RFC 5626 §4.4.1).
            if length <= 4 {
                continue;
            }
            match wire::read(bytes) {
                Ok(message) => inbox.message(flow, message),
                Err(error) => inbox.unreadable(flow, error),
            }
        }
    })?;
    Ok(())
}
