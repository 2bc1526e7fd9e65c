//! PUBLISH (RFC 3903): of users alone, each a transaction of its own. What is published is kept by
//! [`publications`](crate::sip::publications), and about whom a user may say something is the owner's business.

use std::sync::Arc;
use std::time::Instant;

use super::server::{Received, Reply};
use super::{Event, Output, Stack};

/// A PUBLISH that waits for its response.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PublishId(u64);

impl Stack {
    /// A PUBLISH of a user.
    pub(super) fn published(
        &mut self,
        received: Received,
        (tenant, user): (Arc<str>, Arc<str>),
        tag: &str,
        out: &mut Vec<Output>,
    ) {
        let Received { key, echo, request, .. } = received;
        let id = PublishId(self.begin_server(key, None, echo, None, tag, false));
        out.push(Output::Event(Event::Published { id, tenant, user, request: Box::new(request) }));
    }

    /// The final response to a PUBLISH, once: 200 to 699. `headers`: SIP-ETag, Expires ...
    pub fn respond_publish(
        &mut self,
        now: Instant,
        id: PublishId,
        status: u16,
        headers: &[(String, String)],
        out: &mut Vec<Output>,
    ) {
        let headers: Vec<_> = headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        self.respond(now, id.0, Reply { headers: &headers, ..Reply::new(status.clamp(200, 699)) }, out);
    }
}
