//! Where an INVITE goes: a device, a carrier, an address elsewhere. A name has several places, the best first, and the next one
//! is tried where one is silent or has no capacity (RFC 3263 §4.3).

use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::Arc;
use std::time::{Duration, Instant};

use exchange::Destination as Goal;
use protocol::sip::flow::Destination;
use protocol::sip::locate;
use protocol::sip::stack::{Credentials, Invite, SessionId};
use protocol::sip::uri::{SipUri, Uri};

use super::Shard;
use super::dialling::user_part;
use crate::config::{Tenant, Tolls, Trunk, TrunkAddress};
use crate::signalling::names;

/// A server of a domain that has others is left when it has said nothing for so long: half of what a carrier has.
pub(super) const PLACE_SILENCE: Duration = Duration::from_secs(2);

impl Shard {
    /// RFC 3263 §4.3: the place that was tried did not answer, or has no capacity, and there is another one. False:
    /// there is none.
    pub(super) fn go_elsewhere(&mut self, now: Instant, session: SessionId) -> bool {
        let Some((leg, line)) = self.lines.of_session(session) else { return false };
        let Some(mut elsewhere) = line.elsewhere.take() else { return false };
        let Destination { transport, remote, .. } = elsewhere.invite.destination;
        self.around.transports.names().falters(now, (transport, remote));
        let Some(next) = elsewhere.places.pop_front() else { return false };
        tracing::info!(%remote, next = %next.to.remote, "a server does not answer; the next one of its domain is tried");
        next.redirect(&mut elsewhere.invite);
        line.insisting.iter_mut().for_each(|insisting| next.redirect(insisting));
        elsewhere.silent_at = now + PLACE_SILENCE;
        self.lines.end_session(session);
        let session = self.stack.invite(now, elsewhere.invite.clone(), &mut self.outputs);
        self.lines.begin_session(leg, session);
        self.lines.can_go_elsewhere(leg, Some(elsewhere));
        true
    }

    /// Places that keep silent are left for the next ones.
    pub(super) fn leave_silent_places(&mut self, now: Instant) {
        for session in self.lines.silent(now) {
            if self.go_elsewhere(now, session) {
                // Nobody hears of its end: its leg is elsewhere.
                self.stack.hang_up(now, session, None, &mut self.outputs);
            }
        }
    }

    /// Where an INVITE goes and what it says.
    pub(super) fn place(&self, now: Instant, tenant: &Tenant, to: &Goal) -> Result<Place, Nowhere> {
        match to {
            Goal::Device { user, device } => self.device_place(now, tenant, user, device),
            Goal::Trunk { trunk, number } => {
                let trunk = tenant.trunk(trunk).ok_or(Nowhere::AtAll)?;
                let host = host_port(&trunk.address);
                let scheme = if trunk.address.secure { "sips" } else { "sip" };
                let uri = format!("{scheme}:{}@{host}", user_part(&tenant.called(trunk, number)));
                let (destination, others) = first(self.trunk_destinations(now, tenant, trunk)?)?;
                Ok(Place {
                    to: format!("<{uri}>"),
                    request_uri: uri,
                    destination,
                    others,
                    route: Vec::new(),
                    is_device: false,
                    credentials: trunk.user.as_ref().zip(trunk.password.as_ref()).map(|(user, password)| {
                        Credentials { user: user.as_str().into(), password: password.expose().into() }
                    }),
                })
            }
            Goal::Uri(text) => {
                let uri = Uri::parse(text).map_err(|_| Nowhere::AtAll)?;
                let sip = uri.as_sip().ok_or(Nowhere::AtAll)?;
                let (destination, others) = first(self.destinations(now, sip)?)?;
                // What may be called at a carrier is asked of numbers, and no address goes around that.
                let is_carriers = |at: &Destination| {
                    let of_trunk = |trunk: &Arc<Trunk>| {
                        let from = trunk.inbound_from.iter().any(|network| network.contains(&at.remote.ip()));
                        from || trunk.addresses().any(|address| {
                            address.socket().is_some_and(|socket| socket.ip() == at.remote.ip())
                                || address.host.eq_ignore_ascii_case(sip.host.as_str())
                        })
                    };
                    tenant.trunks.iter().any(of_trunk)
                };
                let mut all = [destination].into_iter().chain(others.iter().map(|other| other.to));
                if tenant.tolls != Tolls::default() && all.any(|at| is_carriers(&at)) {
                    return Err(Nowhere::AtAll);
                }
                Ok(Place {
                    request_uri: text.clone(),
                    to: format!("<{text}>"),
                    destination,
                    others,
                    route: Vec::new(),
                    is_device: false,
                    credentials: None,
                })
            }
        }
    }

    /// A carrier's places, the best first.
    pub(super) fn trunk_destinations(
        &self,
        now: Instant,
        tenant: &Tenant,
        trunk: &Trunk,
    ) -> Result<Vec<Destination>, Nowhere> {
        let mut places = self.places_of(now, &trunk.address)?;
        for other in &trunk.other_addresses {
            match self.places_of(now, other) {
                Ok(found) => places.extend(found),
                // It is known for the next call.
                Err(Nowhere::Unknown(target)) => {
                    self.around.transports.names().look_up(target, Box::new(|| {}))
                }
                Err(Nowhere::AtAll) => {}
            }
        }
        let authority = match places.iter().any(|(transport, _)| transport.is_secure()) {
            true => self.around.transports.authority(&tenant.name, &trunk.name),
            false => 0,
        };
        Ok(destinations(&places, authority))
    }

    /// The places of one address of a carrier, who may answer from there as fast as it likes.
    fn places_of(&self, now: Instant, address: &TrunkAddress) -> Result<Vec<names::Place>, Nowhere> {
        if let Some(remote) = address.socket() {
            return Ok(vec![(address.transport, remote)]);
        }
        let places = self.look(now, address.target())?;
        places.iter().for_each(|(_, remote)| self.around.node.doors.expect(now, remote.ip()));
        Ok(places)
    }

    /// The places of a URI elsewhere, the best first.
    pub(super) fn destinations(&self, now: Instant, uri: &SipUri) -> Result<Vec<Destination>, Nowhere> {
        let places = self.look(now, locate::Target::of(uri))?;
        let authority = match places.iter().any(|(transport, _)| transport.is_secure()) {
            true => self.around.transports.authority("", &uri.host.to_string().to_ascii_lowercase()),
            false => 0,
        };
        Ok(destinations(&places, authority))
    }

    /// What is known of a target. What has ended is looked up again beside.
    fn look(&self, now: Instant, target: locate::Target) -> Result<Vec<names::Place>, Nowhere> {
        let names = self.around.transports.names();
        let chance = RandomState::new().build_hasher().finish();
        let Some(found) = names.find(now, &target, chance) else { return Err(Nowhere::Unknown(target)) };
        if !found.fresh {
            names.look_up(target, Box::new(|| {}));
        }
        Ok(found.places)
    }
}

/// Where an INVITE goes, and what it says.
pub(super) struct Place {
    pub request_uri: String,
    pub to: String,
    pub destination: Destination,
    /// Tried in turn where that one is silent or has no capacity.
    pub others: Vec<Other>,
    pub route: Vec<String>,
    pub is_device: bool,
    pub credentials: Option<Credentials>,
}

/// Another place for the same INVITE.
#[derive(Clone)]
pub(super) struct Other {
    pub to: Destination,
    /// Its own, where it is no server of the same name: a device has a Contact for each of its flows (RFC 5626 §5.3).
    pub request_uri: Option<String>,
}

impl Other {
    /// Sends the INVITE there.
    fn redirect(&self, invite: &mut Invite) {
        invite.destination = self.to;
        if let Some(uri) = &self.request_uri {
            invite.request_uri.clone_from(uri);
        }
    }
}

impl From<Destination> for Other {
    fn from(to: Destination) -> Self {
        Self { to, request_uri: None }
    }
}

/// Why there is no place to send to.
pub(super) enum Nowhere {
    /// There is none.
    AtAll,
    /// The DNS has to be asked first.
    Unknown(locate::Target),
}

fn destinations(places: &[names::Place], authority: u32) -> Vec<Destination> {
    let to = |(transport, remote): &names::Place| {
        let authority = if transport.is_secure() { authority } else { 0 };
        Destination { authority, ..Destination::new(*transport, *remote) }
    };
    places.iter().map(to).collect()
}

/// The place to try, and the others.
fn first(places: Vec<Destination>) -> Result<(Destination, Vec<Other>), Nowhere> {
    let mut places = places.into_iter();
    let first = places.next().ok_or(Nowhere::AtAll)?;
    Ok((first, places.map(Other::from).collect()))
}

pub(super) fn host_port(address: &TrunkAddress) -> String {
    let host = match address.host.contains(':') {
        true => format!("[{}]", address.host),
        false => address.host.clone(),
    };
    address.port.map_or(host.clone(), |port| format!("{host}:{port}"))
}
