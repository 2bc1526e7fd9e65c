//! Presence (RFC 3856): what watchers are told of a user is composed of what the exchange knows, whether a telephone is
//! registered and talks, and what the user's telephones publish (RFC 3903). It decides about no call: a user who is away
//! is rung as before.

use std::sync::Arc;
use std::time::Instant;

use exchange::Presence;
use protocol::sip::message::Request;
use protocol::sip::pidf;
use protocol::sip::stack::{Package, PublishId};

use super::Shard;
use super::dialling::dialled;

/// What RFC 4480 calls someone who talks on a telephone.
const ON_THE_PHONE: &str = "on-the-phone";

impl Shard {
    /// A telephone says what its user does.
    pub(super) fn published(
        &mut self,
        now: Instant,
        id: PublishId,
        (tenant, user): (&Arc<str>, &Arc<str>),
        request: &Request,
    ) {
        let about = dialled(&request.uri);
        let world = self.world.clone();
        let known = world.tenant(tenant).and_then(|tenant| tenant.user_by_name(user));
        if known.is_none_or(|known| about != known.name && about != known.number) {
            return self.stack.respond_publish(now, id, 403, &[], &mut self.outputs);
        }
        match self.publications.publish(now, tenant, user, request) {
            Ok(accepted) => {
                let headers = [("SIP-ETag", accepted.tag), ("Expires", accepted.expires.to_string())];
                let headers = headers.map(|(name, value)| (name.to_owned(), value));
                self.stack.respond_publish(now, id, 200, &headers, &mut self.outputs);
                if accepted.changed {
                    self.tell_watchers(now, tenant, user, Package::Presence);
                }
            }
            Err(refusal) => {
                let (status, headers) = refusal.answer();
                self.stack.respond_publish(now, id, status, &headers, &mut self.outputs);
            }
        }
    }

    /// What telephones have published and not said again ends.
    pub(super) fn expire_publications(&mut self, now: Instant) {
        for (tenant, user) in self.publications.handle_timeout(now) {
            self.tell_watchers(now, &tenant, &user, Package::Presence);
        }
    }

    /// What there is to say of a user. Someone whose every telephone says so can't be reached, nor can one without any.
    pub(super) fn presence_of(&self, now: Instant, tenant: &str, user: &str) -> pidf::Presence {
        let registered = !self.registrar.bindings(now, tenant, user).is_empty();
        let mut says_open = None;
        let mut composed = pidf::Presence::default();
        if self.exchange.presence(tenant, user, registered) == Presence::Busy {
            composed.activities.push(ON_THE_PHONE);
        }
        for said in self.publications.of(now, tenant, user) {
            says_open = Some(says_open.unwrap_or(false) || said.open);
            for activity in &said.activities {
                if !composed.activities.contains(activity) {
                    composed.activities.push(activity);
                }
            }
            // The latest word stands last.
            if said.note.is_some() {
                composed.note.clone_from(&said.note);
            }
        }
        composed.open = registered && says_open.unwrap_or(true);
        composed
    }
}
