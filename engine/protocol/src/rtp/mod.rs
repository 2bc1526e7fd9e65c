//! RTP and RTCP (RFC 3550), telephone events (RFC 4733), G.711 and tones.

pub mod dtmf;
pub mod g711;
pub mod inband;
pub mod receiver;
pub mod rtcp;
pub mod sender;
pub mod wire;

pub use receiver::Receiver;
pub use sender::Sender;
pub use wire::{Header, Packet};

/// RFC 3551 §4.5.14: every codec here has a clock of 8 kHz.
pub const CLOCK: u32 = 8000;

/// Samples, and octets of G.711, in a packet of 20 ms.
pub const FRAME: usize = 160;

/// A length of time in ticks of [`CLOCK`], wrapping as timestamps do.
pub fn ticks(time: std::time::Duration) -> u32 {
    (time.as_micros() * u128::from(CLOCK) / 1_000_000) as u32
}
