//! RTP and RTCP (RFC 3550), telephone events (RFC 4733), G.711, G.722 and tones; what decoded sound needs
//! wherever it came from: a jitter buffer, concealment, comfort noise (RFC 3389), other rates.

pub mod comfort;
pub mod conceal;
pub mod dtmf;
pub mod g711;
pub mod g722;
pub mod inband;
pub mod jitter;
pub mod receiver;
pub mod resample;
pub mod rtcp;
pub mod sender;
pub mod wire;

pub use receiver::Receiver;
pub use sender::Sender;
pub use wire::{Header, Packet};

/// RFC 3551 §4.5: the clock of G.711, of G.722 by an old mistake, and of most telephone events.
pub const CLOCK: u32 = 8000;

/// RFC 7587 §4.1: Opus counts at this rate, whatever it holds.
pub const OPUS_CLOCK: u32 = 48_000;

/// Samples of 8 kHz, and octets of G.711 and G.722, in a packet of 20 ms.
pub const FRAME: usize = 160;

/// A length of time in ticks of a clock, wrapping as timestamps do.
pub fn ticks(time: std::time::Duration, clock: u32) -> u32 {
    (time.as_micros() * u128::from(clock) / 1_000_000) as u32
}

/// Samples a second of sound that is no packet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Rate {
    /// 8 kHz.
    #[default]
    Narrow,
    /// 16 kHz.
    Wide,
    /// 48 kHz.
    Full,
}

impl Rate {
    /// From the lowest to the highest.
    pub const ALL: [Rate; 3] = [Rate::Narrow, Rate::Wide, Rate::Full];

    /// Samples a second.
    pub fn hz(self) -> u32 {
        match self {
            Self::Narrow => 8_000,
            Self::Wide => 16_000,
            Self::Full => 48_000,
        }
    }

    /// Samples in 20 ms.
    pub fn frame(self) -> usize {
        self.hz() as usize / 50
    }

    /// How many times the higher of two is the lower: 1, 2, 3 or 6.
    pub fn times(self, other: Rate) -> usize {
        (self.hz().max(other.hz()) / self.hz().min(other.hz())) as usize
    }

    /// The least that loses nothing of a sound of so many Hz; the highest, if none does.
    pub fn holding(hz: u32) -> Rate {
        Self::ALL.into_iter().find(|rate| rate.hz() >= hz).unwrap_or(Self::Full)
    }
}
