//! What people and programs outside are told: the [`Occasion`]s, the [`Facts`] of each, and their words in
//! English, Bulgarian and Russian; [`Template`]s for what is asked in a shape of its own; webhooks as
//! CloudEvents with the signatures of Standard Webhooks; [`QuietHours`]; and what mail servers say of mails that came back
//! ([`bounce`]).
//!
//! It says what is told and in which form. Who is told is the configuration's affair, when and how often the
//! outbox's, and it sends nothing.

pub mod bounce;
mod facts;
mod occasion;
mod quiet;
mod template;
pub mod webhook;
mod words;

pub use facts::Facts;
pub use occasion::Occasion;
pub use quiet::{NotQuietHours, QuietHours};
pub use template::{Escape, FIELDS, Template, UnknownField};
pub use words::{Language, Words};
