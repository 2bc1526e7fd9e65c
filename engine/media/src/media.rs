//! The handle: starts the threads, opens streams on them, passes commands on.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use protocol::sdp::Fingerprint;

use crate::command::{Command, Event, StreamId};
use crate::core::Core;
use crate::handshakes::{self, Handshakes, Identity};
use crate::slots::Slots;
use crate::spares::{Spare, Spares};
use crate::thread::{Inbox, Message, Thread};
use crate::writer::{self, WriterHandle};

/// What the media threads need to know.
#[derive(Clone, Debug)]
pub struct Config {
    /// The address that sockets are bound to.
    pub bind: IpAddr,
    /// The address that the far side is told; `bind` if it can be reached there.
    pub advertise: IpAddr,
    /// Ports of RTP (the even ones) and RTCP (the odd ones after them).
    pub ports: RangeInclusive<u16>,
    /// At least 1, at most [`Media::MAX_THREADS`].
    pub threads: usize,
    /// Streams that a thread gets before the next one gets any: what wakes a thread for one stream serves
    /// all of them, and a further thread is needed for its core alone.
    pub fill: usize,
    /// The folder that recordings are written under.
    pub recordings: PathBuf,
    /// Nothing received for so long is a [`crate::Happening::Timeout`].
    pub timeout: Duration,
    /// Where ports, SSRCs and sequence numbers start; secret, so that nobody can guess them.
    pub seed: u64,
}

/// Why the media threads did not start.
#[derive(Debug)]
pub enum StartError {
    /// No even port with its odd neighbour in the range.
    Ports(RangeInclusive<u16>),
    /// Less than 1 or more than [`Media::MAX_THREADS`].
    Threads(usize),
    /// The folder of recordings can't be made.
    Recordings(PathBuf, io::Error),
    /// A thread, or what wakes it, could not be made.
    Os(io::Error),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ports(ports) => {
                write!(f, "no even port with its odd neighbour in {}-{}", ports.start(), ports.end())
            }
            Self::Threads(threads) => write!(f, "{threads} media threads, 1 to {}", Media::MAX_THREADS),
            Self::Recordings(path, why) => write!(f, "recordings in {}: {why}", path.display()),
            Self::Os(why) => write!(f, "media threads: {why}"),
        }
    }
}

impl std::error::Error for StartError {}

/// No pair of ports is free, or every thread has all the streams it may have: 503.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoPorts;

impl fmt::Display for NoPorts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no media port is free")
    }
}

impl std::error::Error for NoPorts {}

/// Why a command did not reach its stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommandError {
    /// It is closed.
    Closed,
    /// Its thread has [`Media::MAX_COMMANDS`] waiting.
    Overloaded,
}

impl fmt::Display for CommandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Closed => "the stream is closed",
            Self::Overloaded => "too many commands wait for the media thread",
        })
    }
}

impl std::error::Error for CommandError {}

/// A stream that was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stream {
    /// For [`Media::command`].
    pub id: StreamId,
    /// The advertised address and the RTP port, for the session description; RTCP is on the next.
    pub address: SocketAddr,
}

/// All streams of the process. Dropping it closes them, completes their recordings and ends the
/// threads.
pub struct Media {
    advertise: IpAddr,
    bind: IpAddr,
    fill: usize,
    slots: Arc<Slots>,
    spares: Arc<Spares>,
    inboxes: Arc<[Inbox]>,
    writer: WriterHandle,
    /// Of the certificate that handshakes show; none where there is no chance to make one.
    fingerprint: Option<Fingerprint>,
    threads: Vec<JoinHandle<()>>,
}

impl Media {
    /// More media threads than this are refused.
    pub const MAX_THREADS: usize = 64;
    /// Streams on one thread; when all have as many, [`NoPorts`].
    pub const MAX_STREAMS: usize = 8192;
    /// Commands that may wait for one thread; more are [`CommandError::Overloaded`].
    pub const MAX_COMMANDS: usize = 16 * 1024;
    /// Sounds of one play.
    pub const MAX_SOUNDS: usize = 256;
    /// Streams that one hears added up; those after are left out. As many may hear one.
    pub const MAX_HEARD: usize = 8;
    /// Keys that may wait to be sent on one stream.
    pub const MAX_DIGITS: usize = 64;
    /// Pairs of ports that are tried when others hold the ports.
    const MAX_TRIES: usize = 64;

    /// Starts the threads. `events` is called on them: it must not wait, only pass on.
    pub fn start(
        config: Config,
        events: impl Fn(Event) + Send + Sync + 'static,
    ) -> Result<Media, StartError> {
        if config.threads < 1 || config.threads > Self::MAX_THREADS {
            return Err(StartError::Threads(config.threads));
        }
        let slots = Slots::new(&config.ports, config.seed).ok_or(StartError::Ports(config.ports))?;
        std::fs::create_dir_all(&config.recordings)
            .map_err(|why| StartError::Recordings(config.recordings.clone(), why))?;
        let os = |why: rustix::io::Errno| StartError::Os(why.into());
        let events: Arc<dyn Fn(Event) + Send + Sync> = Arc::new(events);
        let slots = Arc::new(slots);
        let spares = Arc::new(Spares::new());
        let (inboxes, waiting): (Vec<_>, Vec<_>) = (0..config.threads)
            .map(|_| Inbox::new())
            .collect::<Result<Vec<_>, _>>()
            .map_err(os)?
            .into_iter()
            .unzip();
        let inboxes: Arc<[Inbox]> = inboxes.into();
        let (handle, writer) = writer::writer(config.recordings, Arc::clone(&events));
        let (handshakes, told) = handshakes::way_in();
        let identity = Identity::new();
        let fingerprint = identity.as_ref().map(|identity| identity.fingerprint);

        let spawn = |name: String, run: Box<dyn FnOnce() + Send>| {
            std::thread::Builder::new().name(name).spawn(run).map_err(StartError::Os)
        };
        let mut media = Media {
            advertise: config.advertise,
            bind: config.bind,
            fill: config.fill,
            slots: Arc::clone(&slots),
            spares: Arc::clone(&spares),
            inboxes: Arc::clone(&inboxes),
            writer: handle.clone(),
            fingerprint,
            threads: Vec::new(),
        };
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        for (index, waiting) in waiting.into_iter().enumerate() {
            // Far apart, whatever the seed.
            let seed = config.seed.rotate_left(32) ^ (index as u64) << 56;
            let core = Core::new(
                (Instant::now(), wall),
                slots.len(),
                config.timeout,
                seed,
                Arc::clone(&events),
                handle.clone(),
                handshakes.clone(),
            );
            let (inboxes, slots, spares) = (Arc::clone(&inboxes), Arc::clone(&slots), Arc::clone(&spares));
            let thread = Thread::new(index, inboxes, waiting, slots, spares, core).map_err(os)?;
            media.threads.push(spawn(format!("media-{index}"), Box::new(|| thread.run()))?);
        }
        media.threads.push(spawn("recordings".to_owned(), Box::new(|| writer.run()))?);
        if let Some(machine) = identity.and_then(Handshakes::new) {
            // It ends when no media thread can tell it anything any more.
            let run = move || {
                machine.run(&told, |id, reply| {
                    if let Some(thread) = slots.thread(id) {
                        inboxes[thread].send(Message::Handshake(id, reply));
                    }
                });
            };
            media.threads.push(spawn("handshakes".to_owned(), Box::new(run))?);
        }
        Ok(media)
    }

    /// Of the certificate that streams show where keys come out of a handshake (RFC 8122); none where that can't be.
    pub fn fingerprint(&self) -> Option<Fingerprint> {
        self.fingerprint
    }

    /// The address that the far side is told.
    pub fn advertised(&self) -> IpAddr {
        self.advertise
    }

    /// Opens a pair of ports, without waiting for anyone. `owner` comes back in every event.
    /// `beside`: a stream that this one will probably be joined with; it goes to the same thread.
    pub fn open(&self, owner: u64, beside: Option<StreamId>) -> Result<Stream, NoPorts> {
        let load = |thread: usize| self.inboxes[thread].load.load(Ordering::Relaxed);
        let thread = beside
            .and_then(|beside| self.slots.thread(beside))
            .filter(|thread| load(*thread) < Self::MAX_STREAMS)
            .or_else(|| (0..self.inboxes.len()).find(|thread| load(*thread) < self.fill))
            .or_else(|| (0..self.inboxes.len()).min_by_key(|thread| load(*thread)))
            .filter(|thread| load(*thread) < Self::MAX_STREAMS)
            .ok_or(NoPorts)?;
        let rested = self.spares.take(Instant::now()).map(|spare| self.wake(spare, thread));
        let (id, rtp, rtcp) = rested
            .or_else(|| self.bind_next(thread))
            .or_else(|| self.spares.take_any().map(|spare| self.wake(spare, thread)))
            .ok_or(NoPorts)?;
        self.inboxes[thread].load.fetch_add(1, Ordering::Relaxed);
        // Until it is told more a stream does nothing.
        self.inboxes[thread].leave(Message::Open { id, owner, rtp, rtcp });
        Ok(Stream { id, address: SocketAddr::new(self.advertise, self.slots.port(id)) })
    }

    fn wake(&self, Spare { id, rtp, rtcp }: Spare, thread: usize) -> (StreamId, UdpSocket, UdpSocket) {
        (self.slots.wake(id, thread), rtp, rtcp)
    }

    fn bind_next(&self, thread: usize) -> Option<(StreamId, UdpSocket, UdpSocket)> {
        for _ in 0..Self::MAX_TRIES {
            let id = self.slots.take(thread)?;
            // Another program may hold one of the two: the next pair, then.
            match self.bind(self.slots.port(id)) {
                Ok((rtp, rtcp)) => return Some((id, rtp, rtcp)),
                Err(_) => self.slots.release(id),
            }
        }
        None
    }

    fn bind(&self, port: u16) -> io::Result<(UdpSocket, UdpSocket)> {
        let bind = |port| {
            let socket = UdpSocket::bind(SocketAddr::new(self.bind, port))?;
            socket.set_nonblocking(true)?;
            Ok::<_, io::Error>(socket)
        };
        Ok((bind(port)?, bind(port + 1)?))
    }

    /// Tells a stream something, without waiting for it. The commands of one stream come from one
    /// thread at a time, or their order is anyone's guess.
    pub fn command(&self, stream: StreamId, command: Command) -> Result<(), CommandError> {
        let left = self.leave(stream, command);
        self.ring();
        left
    }

    /// Tells the threads of all commands that were left. Once for many costs as much as once for one.
    pub fn ring(&self) {
        self.inboxes.iter().for_each(Inbox::ring);
    }

    /// Leaves a command, which takes effect when the threads are told: [`Media::ring`].
    pub fn leave(&self, stream: StreamId, mut command: Command) -> Result<(), CommandError> {
        if let Command::Negotiated(agreed) = &mut command
            && self.bind.is_ipv6()
        {
            // An IPv6 socket knows IPv4 addresses as mapped ones (RFC 4291 §2.5.5.2), both ways.
            let mapped = |at: SocketAddr| match at.ip() {
                IpAddr::V4(ip) => SocketAddr::new(ip.to_ipv6_mapped().into(), at.port()),
                IpAddr::V6(_) => at,
            };
            if !agreed.remote.ip().is_unspecified() {
                agreed.remote = mapped(agreed.remote);
            }
            agreed.remote_rtcp = agreed.remote_rtcp.map(mapped);
        }
        let mut thread = self.slots.thread(stream).ok_or(CommandError::Closed)?;
        // A stream can always be closed.
        if self.inboxes[thread].len() >= Self::MAX_COMMANDS && !matches!(command, Command::Close) {
            return Err(CommandError::Overloaded);
        }
        if let Command::Hear { whom } = &command
            && let Some(there) = whom.first().and_then(|first| self.slots.thread(*first))
            && there != thread
        {
            self.move_over(stream, thread, there)?;
            thread = there;
        }
        let Command::Relay { with } = command else {
            self.inboxes[thread].leave(Message::Command(stream, command));
            return Ok(());
        };
        let other = self.slots.thread(with).ok_or(CommandError::Closed)?;
        if other != thread {
            // Both live on one thread from now on, so that no packet has to change threads.
            self.move_over(with, other, thread)?;
        }
        self.inboxes[thread].leave(Message::Join(stream, with));
        if with != stream {
            self.inboxes[thread].leave(Message::Join(with, stream));
        }
        Ok(())
    }

    fn move_over(&self, stream: StreamId, from: usize, to: usize) -> Result<(), CommandError> {
        if !self.slots.hand_over(stream, from, to) {
            return Err(CommandError::Closed);
        }
        self.inboxes[to].leave(Message::Expect(stream));
        self.inboxes[from].leave(Message::Leave(stream, to));
        Ok(())
    }

    /// Seconds of recordings that were left out because the disk was too slow.
    pub fn left_out(&self) -> u64 {
        self.writer.left_out()
    }

    /// Streams that are open.
    pub fn streams(&self) -> usize {
        self.inboxes.iter().map(|inbox| inbox.load.load(Ordering::Relaxed)).sum()
    }
}

impl fmt::Debug for Media {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Media").field("streams", &self.streams()).finish_non_exhaustive()
    }
}

impl Drop for Media {
    fn drop(&mut self) {
        for inbox in self.inboxes.iter() {
            inbox.send(Message::Stop);
        }
        // The writer ends when nobody can leave it anything any more.
        self.writer = WriterHandle::closed();
        for thread in self.threads.drain(..) {
            // A thread that panicked has said so.
            let _ = thread.join();
        }
    }
}
