//! SDP (RFC 8866) and offer/answer (RFC 3264) for audio.

pub mod codec;
pub mod offer_answer;
pub mod protection;
pub mod session;

pub use codec::{Codec, OpusWishes};
pub use offer_answer::{KeptMedia, LocalMedia, Negotiated, Refusal};
pub use protection::{Fingerprint, IceCredentials, Protection, Security, Srtp};
pub use session::{Description, Direction, Malformed};
