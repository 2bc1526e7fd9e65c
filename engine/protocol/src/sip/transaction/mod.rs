//! The four transaction machines of RFC 3261 §17 as RFC 6026 corrects them, and how a message finds its own.
//! A machine knows statuses and time, not messages: it says what is to be done ([`ClientStep`],
//! [`ServerStep`], [`Timeout`]) and its owner holds the bytes. Merged requests and dialogs are not its matter.

mod client;
mod invite_client;
mod invite_server;
pub mod key;
mod server;

pub use client::Client;
pub use invite_client::InviteClient;
pub use invite_server::InviteServer;
pub use server::Server;

/// What a client transaction wants done with a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum ClientStep {
    /// Seen before, or too late: nothing.
    Absorb,
    /// The transaction's user hears of it.
    Deliver,
    /// The first 3xx-6xx of an INVITE: the user hears of it, and an ACK is sent.
    DeliverAndAcknowledge,
    /// A repeated 3xx-6xx of an INVITE: the ACK is sent again.
    Acknowledge,
}

/// What a server transaction wants done with a request that matched it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum ServerStep {
    /// Nothing.
    Absorb,
    /// The last response is sent again.
    Repeat,
}

/// What a machine wants done when its time has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Timeout {
    /// It was not yet time, or it only ended.
    Nothing,
    /// The request or the last response is sent again.
    Repeat,
    /// The other side never answered; the transaction's user hears of it.
    GaveUp,
}

#[cfg(test)]
mod tests;
