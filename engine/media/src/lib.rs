//! Sound: RTP sockets, the 20 ms wheel, prompts and recordings.
//!
//! [`Media`] is the handle that signalling holds: it opens streams, commands them, and hears from them
//! through one callback. Behind it a few threads own all sockets; a relayed packet is received,
//! checked, given a new header and sent, without a lock, a task or an allocation. Who hears what is
//! decided elsewhere; gathering digits under time limits is the exchange's, fed by
//! [`Happening::Digit`].

mod border;
mod codec;
mod command;
mod core;
mod decoding;
mod digits;
mod handshakes;
mod media;
mod mixer;
mod player;
pub mod prompts;
mod recorder;
mod slots;
mod sound_file;
mod spares;
mod stream;
mod thread;
mod writer;

pub use codec::coders;
pub use command::{Command, CutBy, EndOfRecording, Event, Happening, Repeat, Sound, Stats, StreamId};
pub use media::{CommandError, Config, Media, NoPorts, StartError, Stream};
pub use prompts::{PromptError, Prompts, Samples, check as check_prompt};
pub use sound_file::{SoundFile, SoundFileError, encode};
