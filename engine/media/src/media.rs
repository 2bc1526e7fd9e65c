//! The handle: starts the threads, opens streams on the least busy of them, passes commands on.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use crate::command::{Command, Event, StreamId};

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

/// All streams of the process. Dropping it ends its threads.
#[derive(Debug)]
pub struct Media {}

impl Media {
    /// More media threads than this are refused.
    pub const MAX_THREADS: usize = 64;
    /// Streams on one thread; when all have as many, [`NoPorts`].
    pub const MAX_STREAMS: usize = 8192;
    /// Commands that may wait for one thread; more are [`CommandError::Overloaded`].
    pub const MAX_COMMANDS: usize = 16 * 1024;
    /// Sounds of one play.
    pub const MAX_SOUNDS: usize = 256;
    /// Keys that may wait to be sent on one stream.
    pub const MAX_DIGITS: usize = 64;

    /// Starts the threads. `events` is called on them: it must not wait, only pass on.
    pub fn start(
        config: Config,
        events: impl Fn(Event) + Send + Sync + 'static,
    ) -> Result<Media, StartError> {
        let _ = (config, events);
        Ok(Media {})
    }

    /// Opens a pair of ports, without waiting for anyone. `owner` comes back in every event.
    /// `beside`: a stream that this one will probably be joined with; it goes to the same thread.
    pub fn open(&self, owner: u64, beside: Option<StreamId>) -> Result<Stream, NoPorts> {
        let _ = (owner, beside);
        Err(NoPorts)
    }

    /// Tells a stream something, without waiting for it.
    pub fn command(&self, stream: StreamId, command: Command) -> Result<(), CommandError> {
        let _ = (stream, command);
        Err(CommandError::Closed)
    }
}
