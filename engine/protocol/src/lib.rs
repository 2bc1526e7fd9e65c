//! SIP, SDP and RTP as pure state machines: bytes and time in, bytes and events out.
//!
//! No socket, clock, runtime or ambient randomness is known here. Time enters as `now: Instant`,
//! randomness as one seed.

pub mod ice;
pub mod rtp;
pub mod sdp;
pub mod sip;
pub mod srtp;
