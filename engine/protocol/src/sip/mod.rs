//! SIP (RFC 3261): reading, writing and the machines above.
//!
//! The message layer: [`wire`] turns bytes into a [`Message`] and [`framing`] a stream into many;
//! [`headers`], [`uri`], [`name_addr`] and [`via`] are what a message is made of.

mod compose;
mod deadlines;
pub mod dialog;
pub mod digest;
pub mod flow;
pub mod framing;
pub mod grammar;
pub mod headers;
pub mod ids;
pub mod locate;
pub mod message;
pub mod method;
pub mod name_addr;
pub mod params;
pub mod pidf;
pub mod publications;
pub mod registrar;
mod reliable;
mod session;
mod session_timer;
pub mod stack;
pub mod stun;
pub mod timers;
pub mod transaction;
pub mod uri;
pub mod via;
pub mod wire;

pub use headers::{HeaderName, Headers};
pub use message::{CSeq, Contacts, Essentials, Fault, HeaderError, Message, Request, Response};
pub use method::Method;
pub use name_addr::NameAddr;
pub use params::Params;
pub use uri::{Host, SipUri, TelUri, Uri};
pub use via::Via;
