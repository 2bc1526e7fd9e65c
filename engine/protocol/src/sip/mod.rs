//! SIP (RFC 3261): reading, writing and the machines above.

pub mod deadlines;
pub mod ids;
pub mod timers;
pub mod transaction;
