//! Call control without a wire: calls, their legs, dials and bridges as one state machine per shard.
//!
//! Signalling, media and scripts enter as events and commands with the time; what they must do
//! leaves as effects. No socket, no clock, no ambient randomness and no runtime is known here, so a
//! day of calls runs in virtual time from a seed. SIP and SDP live in `protocol`, sound in `server`.

pub mod verb;

pub use verb::*;
