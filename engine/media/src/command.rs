//! What a stream is told and what it tells. A stream is one leg's RTP and RTCP, from
//! [`crate::Media::open`] to [`Command::Close`].

use std::time::Duration;

use protocol::sdp::{Codec, Negotiated};

use crate::prompts::Samples;

/// Names a stream as long as the process lives; never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StreamId {
    /// Which pair of ports.
    pub(crate) slot: u32,
    /// How often that pair was opened before.
    pub(crate) turn: u32,
}

/// Something to hear.
#[derive(Clone, Debug)]
pub enum Sound {
    /// From [`crate::Prompts::load`].
    Samples(Samples),
    /// Nothing, for so long. Packets of silence are sent, so that the far side hears no gap.
    Silence(Duration),
    /// A sine of so many Hz (1 to 3999), for so long, at -13 dBm0.
    Tone(u16, Duration),
    /// The ringing tone of ETSI TR 101 041: 425 Hz, 1 s on and 4 s off; never ends.
    Ringback,
}

/// The part of a play that is heard again and again, such as music.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Repeat {
    /// Its first sound: those before are heard once. The part is all from there on.
    pub from: usize,
    /// How far into the part its first round begins, so that music goes on where someone left it. More
    /// than the part is long: counted on from its beginning.
    pub at: Duration,
}

/// What a stream is told. All take effect in the order given.
#[derive(Clone, Debug)]
pub enum Command {
    /// What offer and answer agreed upon, the first time and after every re-INVITE. Nothing is sent
    /// before it. A new remote address unlocks the source, so that packets from there are heard.
    Negotiated(Negotiated),
    /// Plays these one after the other, in place of what was playing (which ends with
    /// [`Happening::PlayEnded`], not cut by a key). While it plays it replaces relayed sound.
    Play {
        /// Given back in [`Happening::PlayEnded`].
        token: u64,
        /// At most [`crate::Media::MAX_SOUNDS`]; those after are left out.
        what: Vec<Sound>,
        /// Whether the first key stops it.
        cut_by_key: bool,
        /// What begins again at the end, until stopped; nothing if none.
        repeat: Option<Repeat>,
    },
    /// Stops what is playing, if anything: it ends with [`Happening::PlayEnded`].
    Stop,
    /// Joins two streams: each hears the other from now on, in place of whoever either was joined to
    /// before. With itself: an echo. Keys go along: as telephone events where the other side has
    /// them, else as tones.
    Relay {
        /// The other.
        with: StreamId,
    },
    /// Ends [`Command::Relay`] for both.
    Unrelay,
    /// Hears all of these added up from now on, at most [`crate::Media::MAX_HEARD`], in place of the
    /// sound of whoever it is joined to; with none of them it hears that again, straight through, or
    /// nobody. It is not heard by them, and it hears no keys of theirs: those of whoever it is joined
    /// to are sent to it anew. It moves to the thread of the first; those on other threads are silent.
    Hear {
        /// In any order; itself is left out.
        whom: Vec<StreamId>,
    },
    /// Sends keys one after the other: 0-9, *, #, A-D, and "," for half a second of nothing. As
    /// telephone events (RFC 4733) when negotiated, else as tones. Other characters are left out; at
    /// most [`crate::Media::MAX_DIGITS`] wait, those after are left out.
    SendDigits {
        /// Given back in [`Happening::DigitsSent`].
        token: u64,
        /// In order.
        digits: String,
    },
    /// A key that was heard by other means (SIP INFO): cuts prompts, ends recordings, goes to the
    /// joined stream and comes back as [`Happening::Digit`], like one heard in RTP.
    Digit {
        /// 0-9, *, #, A-D.
        digit: char,
        /// How long it was pressed.
        duration: Duration,
    },
    /// Records what is heard from this stream (a message), in place of a recording that goes on.
    Record {
        /// Given back in [`Happening::Recorded`].
        token: u64,
        /// The file under [`crate::Config::recordings`], without ".wav": names of letters, digits,
        /// "-", "_" and ".", with "/" between folders.
        name: String,
        /// Ends then.
        most: Duration,
        /// Ends after so much quiet, when given.
        silence: Option<Duration>,
        /// Whether a key ends it.
        stop_on_key: bool,
    },
    /// Ends a [`Command::Record`]: it ends with [`Happening::Recorded`].
    StopRecord,
    /// Records the conversation: what is heard from this stream on the left channel, what it hears on
    /// the right; in place of a tap that goes on.
    Tap {
        /// Given back in [`Happening::Recorded`].
        token: u64,
        /// As in [`Command::Record`].
        name: String,
        /// Both sides added up on one channel, in place of a channel each.
        mono: bool,
    },
    /// The tap goes on and hears nothing, or hears again: what is said meanwhile is silence in its file, which
    /// keeps its time.
    PauseTap(bool),
    /// Ends a [`Command::Tap`]: it ends with [`Happening::Recorded`].
    Untap,
    /// Ends the stream and whatever it does, and frees its ports. The last event is
    /// [`Happening::Closed`].
    Close,
}

/// Something that happened to a stream.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// What was given to [`crate::Media::open`].
    pub owner: u64,
    /// Which stream.
    pub stream: StreamId,
    /// What.
    pub what: Happening,
}

/// What can happen to a stream.
#[derive(Clone, Debug, PartialEq)]
pub enum Happening {
    /// The first valid packet arrived from a source that is now locked.
    FirstPacket,
    /// All was heard, or it was stopped, replaced, or cut by a key. Comes as soon as the key begins;
    /// its [`Happening::Digit`] follows.
    PlayEnded {
        /// Of the [`Command::Play`].
        token: u64,
        /// What ended it before its time.
        cut_by: Option<CutBy>,
    },
    /// A key was pressed and let go, as telephone event, tone, or [`Command::Digit`].
    Digit {
        /// 0-9, *, #, A-D.
        digit: char,
        /// How long.
        duration: Duration,
    },
    /// All keys of a [`Command::SendDigits`] were sent.
    DigitsSent {
        /// Of the command.
        token: u64,
    },
    /// A recording ended, and its file is complete.
    Recorded {
        /// Of the [`Command::Record`] or [`Command::Tap`].
        token: u64,
        /// As given.
        name: String,
        /// How long it is.
        length: Duration,
        /// Why.
        ended_by: EndOfRecording,
    },
    /// Nothing was received for [`crate::Config::timeout`], though the direction allows the far side
    /// to send. Comes once; again only after packets came in between.
    Timeout,
    /// The handshake that was to bring the keys came to nothing: nothing is heard, and nothing sent.
    NoKeys,
    /// The stream is closed. Nothing follows, but a [`Happening::Recorded`] of a recording that was
    /// still being written.
    Closed(Stats),
}

/// What ended a play before its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CutBy {
    /// This key began.
    Key(char),
    /// [`Command::Stop`], [`Command::Play`] or [`Command::Close`].
    Command,
}

/// Why a recording ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndOfRecording {
    /// As long as it may be.
    Most,
    /// Quiet for as long as was said.
    Silence,
    /// This key was pressed.
    Key(char),
    /// Told so, or the stream was closed or given another recording.
    Command,
    /// The file could not be written; what could be is there.
    Failed,
}

/// What a stream received and sent (RFC 3550 §6.4.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Packets received from the locked source.
    pub received: u64,
    /// Packets that were expected and did not come; negative when some came twice.
    pub lost: i64,
    /// Interarrival jitter.
    pub jitter: Duration,
    /// Packets sent.
    pub sent: u64,
    /// Packets from elsewhere, and what was no RTP.
    pub ignored: u64,
    /// What the far side reports to have lost, of what we sent.
    pub lost_there: i32,
    /// Packets that were not from who has the key (RFC 3711 §3.3).
    pub forged: u64,
    /// Protected packets that were there before.
    pub replayed: u64,
    /// The codec that was agreed last, if any was.
    pub codec: Option<Codec>,
    /// Where its sound was decoded: 20 ms that were made up for packets which did not come in time.
    pub concealed: u64,
    /// And packets that came after their time.
    pub late: u64,
}
