//! What a call causes outside of the exchange, on its way there: a mail, a text message, a webhook. An
//! [`Effect`] is written down before anyone is told that it will happen, and delivered at least once; the key
//! that it carries lets the other side tell a second delivery from a second effect.
//!
//! [`Plan`] decides what is due: back-off with jitter, order where a kind asks for it, digests, a circuit for
//! each destination, dead letters, bounds. It does no IO: the server writes, sends and reports. Moments are
//! milliseconds since 1970 UTC and not instants, because what waits here outlives the process.

mod effect;
mod plan;
mod strand;

pub use effect::{Digest, Effect, EffectId, Fate, NotAnEffectId};
pub use plan::{Full, Order, Parcel, Plan, Report, Standing};

/// Milliseconds since 1970 UTC, or between two such moments.
pub type Millis = u64;

/// Effects of one tenant that wait; a further one is [`Full`].
pub const MOST_WAITING: usize = 10_000;
/// Bytes of them as they are stored; beyond is [`Full`].
pub const MOST_BYTES: usize = 32 << 20;
/// Dead letters of one tenant; the oldest makes room for the next. They are also forgotten by their age
/// ([`Plan::forget_dead`]).
pub const MOST_DEAD: usize = 1_000;
/// Effects that one delivery of a digest takes along; the rest goes with the next.
pub const MOST_IN_DIGEST: usize = 200;
/// Deliveries to one destination at a time; the rest waits.
pub const MOST_TO_ONE: usize = 4;
/// Deliveries at a time; the rest waits.
pub const MOST_UNDER_WAY: usize = 64;

/// From the first failure to the second attempt; it doubles from there.
pub const FIRST_PAUSE: Millis = 1_000;
/// The longest pause between two attempts, unless the other side asks for a longer one.
pub const LONGEST_PAUSE: Millis = 10 * 60 * 1_000;
/// Failures in a row, of whatever effects, after which a destination is left alone for a while.
pub const FAILURES_TO_OPEN: u32 = 5;
/// How long it is left alone the first time; it doubles with each attempt that fails too.
pub const FIRST_REST: Millis = 2_000;
/// How long it is left alone at most.
pub const LONGEST_REST: Millis = 60 * 1_000;
