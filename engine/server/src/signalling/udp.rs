//! UDP: a shard reads the sockets that are its own in the same wait in which it hears its bell, so that a
//! datagram costs one waking; sending needs no thread (RFC 3261 §18.1, §18.2).

use std::io;
use std::mem::MaybeUninit;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::os::fd::{BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::time::Instant;

use protocol::sip::flow::{Flow, Transport};
use protocol::sip::message::Message;
use protocol::sip::stun;
use protocol::sip::wire::{self, ReadError};
use rustix::event::Timespec;
use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::net::{RecvFlags, recvfrom, sockopt};

use crate::throttle::Pace;

/// The largest datagram that IP carries.
const LARGEST: usize = 65_535;
/// What the kernel keeps while a burst is read: about 8,000 INVITEs.
const RECEIVE_BUFFER: usize = 8 << 20;
/// Datagrams of one socket that are read before the shard looks at its other work.
const BURST: usize = 64;
/// Keep-alives of phones behind a NAT are CRLF, or a byte or two (RFC 5626 §4.4.1); no message is so short.
const KEEP_ALIVE: usize = 4;
/// Names the bell among the sockets, which are named by their place.
const BELL: u64 = u64::MAX;

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

    /// The next datagram; none when none waits.
    fn receive(&self, buffer: &mut [u8]) -> Option<(usize, SocketAddr)> {
        loop {
            match recvfrom(&self.socket, &mut *buffer, RecvFlags::DONTWAIT) {
                Ok((_, length, from)) => return Some((length, from?.try_into().ok()?)),
                Err(rustix::io::Errno::AGAIN) => return None,
                // Linux reports an ICMP error of an earlier datagram here; it says nothing of the next.
                Err(why) => tracing::debug!(%why, "datagram not received"),
            }
        }
    }
}

/// What a shard listens with: its UDP sockets, and its bell.
pub struct Ear {
    epoll: OwnedFd,
    sockets: Vec<Arc<Socket>>,
    buffer: Vec<u8>,
}

impl Ear {
    /// `bell`: an eventfd. It is heard each time it is rung and never read.
    pub(super) fn new(sockets: Vec<Arc<Socket>>, bell: BorrowedFd<'_>) -> io::Result<Self> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        epoll::add(&epoll, bell, EventData::new_u64(BELL), EventFlags::IN | EventFlags::ET)?;
        for (place, socket) in (0..).zip(&sockets) {
            epoll::add(&epoll, &socket.socket, EventData::new_u64(place), EventFlags::IN)?;
        }
        Ok(Self { epoll, sockets, buffer: vec![0; LARGEST] })
    }

    /// Sleeps until a datagram comes, the bell rings, or `until` has come; for ever if none. Answers
    /// whether datagrams wait.
    pub fn wait(&mut self, until: Option<Instant>) -> bool {
        let rest = until.map(|until| {
            let rest = until.saturating_duration_since(Instant::now());
            Timespec { tv_sec: rest.as_secs() as i64, tv_nsec: i64::from(rest.subsec_nanos()) }
        });
        let mut events = [MaybeUninit::uninit(); 8];
        match epoll::wait(&self.epoll, &mut events, rest.as_ref()) {
            Ok((ready, _)) => ready.iter().any(|event| event.data.u64() != BELL),
            // A signal; the caller looks around and comes again.
            Err(_) => false,
        }
    }

    /// Reads what waits, a burst of each socket at most, and what is a flood to `pace` not at all. Told with each: whether
    /// its source asks too much.
    pub fn read(
        &mut self,
        pace: impl Fn(IpAddr) -> Pace,
        mut each: impl FnMut(Flow, Result<Message, ReadError>, bool),
    ) {
        for socket in &self.sockets {
            for _ in 0..BURST {
                let Some((length, remote)) = socket.receive(&mut self.buffer) else { break };
                if length <= KEEP_ALIVE {
                    continue;
                }
                let pace = pace(remote.ip());
                if pace == Pace::Flood {
                    continue;
                }
                // No message begins with a zero, and every question of STUN does.
                if self.buffer[0] == 0
                    && let Some(answer) = stun::answer(&self.buffer[..length], remote)
                {
                    socket.send(&answer, remote);
                    continue;
                }
                let flow = Flow { transport: Transport::Udp, local: socket.local, remote, connection: 0 };
                each(flow, wire::read(&self.buffer[..length]), pace == Pace::Busy);
            }
        }
    }
}
