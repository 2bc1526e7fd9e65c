//! What is asked of carriers, OPTIONS and REGISTER. A carrier that is known by name is looked up first, away from the shard;
//! what is found then is asked a moment later.

use std::time::{Duration, Instant};

use protocol::sip::grammar::percent_encode_user;
use protocol::sip::locate::Target;
use protocol::sip::stack::{BindingId, Credentials, NewBinding, ProbeId};
use serde_json::json;

use super::Shard;
use super::bindings::{Standing, Turn};
use super::places::Nowhere;
use crate::config::Trunk;
use crate::metrics::OfTenant;
use crate::shards::TrunkState;

/// A name that is being looked up is asked about again then at the latest.
const LOOK_UP: Duration = Duration::from_secs(10);
/// Between the end of a look-up and the question: at a bound of look-ups they all end at once.
const A_MOMENT: Duration = Duration::from_millis(100);

impl Shard {
    /// Asks the carriers whose turn it is.
    pub(super) fn probe_trunks(&mut self, now: Instant) {
        if self.trunks.next_timeout().is_none_or(|at| at > now) {
            return;
        }
        let world = self.world.clone();
        let (due, turns) = self.trunks.due(now);
        for (tenant, name, turn) in turns {
            self.trunk_turned(&tenant, &name, &turn);
        }
        for (tenant, name) in due {
            let Some(of) = world.tenant(&tenant) else { continue };
            let Some(trunk) = of.trunk(&name) else { continue };
            let probe = match self.trunk_destinations(now, of, trunk) {
                Ok(places) if !places.is_empty() => {
                    let probe = self.stack.probe(now, places[0], &trunk.address.uri, &mut self.outputs);
                    self.asked.insert(probe.0, (places[0].transport, places[0].remote));
                    probe
                }
                Err(Nowhere::Unknown(target)) => {
                    self.trunks.probe_later(&tenant, &name, now + LOOK_UP);
                    let again = move |shard: &mut Shard| {
                        shard.trunks.probe_later(&tenant, &name, Instant::now() + A_MOMENT);
                    };
                    self.look_up_then(target, again);
                    continue;
                }
                _ => ProbeId(0), // not a number of the stack's; its failure is told below
            };
            self.trunks.probing(&tenant, &name, probe);
            if probe == ProbeId(0) {
                self.probed(now, probe, false);
            }
        }
    }

    /// How each carrier of a tenant is.
    pub(super) fn trunk_states(&self, tenant: &str) -> Vec<TrunkState> {
        let Some(configured) = self.world.tenant(tenant) else { return Vec::new() };
        let now = Instant::now();
        let state = |trunk: &Trunk| {
            let seen = self.trunks.seen(now, tenant, &trunk.name);
            let standing = self.bindings.standing(now, tenant, &trunk.name);
            let registered = standing.as_ref().map(|standing| standing.until.is_some());
            let Standing { until, reason: not_registered } = standing.unwrap_or_default();
            TrunkState {
                name: trunk.name.clone(),
                address: trunk.address.uri.clone(),
                in_service: seen.state != "open",
                breaker: seen.state.to_owned(),
                reason: seen.reason,
                recent_calls: seen.calls,
                recent_answered: seen.answered,
                checked: seen.checked.map(|at| self.exchange.wall(at)),
                channels_in_use: self.exchange.channels(tenant, &trunk.name),
                channels: trunk.channels,
                registered,
                registered_until: until.map(|at| self.exchange.wall(at)),
                not_registered,
            }
        };
        configured.trunks.iter().map(|trunk| state(trunk)).collect()
    }

    pub(super) fn probed(&mut self, now: Instant, probe: ProbeId, answered: bool) {
        self.asked_there(now, probe.0, answered);
        if let Some((tenant, name, turn)) = self.trunks.probed(now, probe, answered) {
            self.trunk_turned(&tenant, &name, &turn);
        }
    }

    /// Asks the carriers whose turn it is to send calls here.
    pub(super) fn register_with_trunks(&mut self, now: Instant) {
        if self.bindings.next_timeout().is_none_or(|at| at > now) {
            return;
        }
        let world = self.world.clone();
        for due in self.bindings.due(now) {
            let Some(of) = world.tenant(&due.tenant) else { continue };
            let Some(trunk) = of.trunk(&due.trunk) else { continue };
            let (Some(register), Some(user)) = (&trunk.register, &trunk.user) else { continue };
            let to = match self.trunk_destinations(now, of, trunk) {
                Ok(places) if !places.is_empty() => places[0],
                found => {
                    self.bindings.asked(&due.tenant, &due.trunk, BindingId(0)); // not a number of the stack's
                    match found {
                        Err(Nowhere::Unknown(target)) => {
                            self.bindings.ask_later(&due.tenant, &due.trunk, now + LOOK_UP);
                            let again = move |shard: &mut Shard| {
                                shard.bindings.ask_later(&due.tenant, &due.trunk, Instant::now() + A_MOMENT);
                            };
                            self.look_up_then(target, again);
                        }
                        _ => {
                            let turn = self.bindings.failed(now, BindingId(0), "name not found");
                            self.binding_turned(turn);
                        }
                    }
                    continue;
                }
            };
            let host = &trunk.address.host;
            let domain = match &register.domain {
                Some(domain) => domain.clone(),
                None if host.contains(':') => format!("[{host}]"),
                None => host.clone(),
            };
            let scheme = if trunk.address.secure { "sips" } else { "sip" };
            let new = NewBinding {
                registrar: &format!("{scheme}:{domain}"),
                address_of_record: &format!("{scheme}:{}@{domain}", percent_encode_user(user)),
                contact_user: user,
                to,
                expires: due.expires,
                call_id: due.call_id,
                cseq: due.cseq,
                credentials: trunk.password.as_ref().map(|password| Credentials {
                    user: user.as_str().into(),
                    password: password.expose().into(),
                }),
            };
            let id = self.stack.bind(now, new, &mut self.outputs);
            self.asked.insert(id.0, (to.transport, to.remote));
            self.bindings.asked(&due.tenant, &due.trunk, id);
        }
    }

    /// Looks a name up away from the shard, and then has the shard do something.
    fn look_up_then(&self, target: Target, then: impl FnOnce(&mut Shard) + Send + 'static) {
        let (shards, number) = (self.shards.clone(), self.number);
        self.around.transports.names().look_up(target, Box::new(move || shards.ask(number, then)));
    }

    /// Whoever did not answer there is tried last for a while (RFC 3263 §4.3).
    pub(super) fn asked_there(&mut self, now: Instant, id: u64, answered: bool) {
        if let Some(place) = self.asked.remove(&id)
            && !answered
        {
            self.around.transports.names().falters(now, place);
        }
    }

    pub(super) fn binding_turned(&self, turned: Option<(String, String, Turn)>) {
        let Some((tenant, trunk, turn)) = turned else { return };
        match turn {
            Turn::Registered => {
                tracing::info!(tenant, trunk, "registered with the carrier");
                self.around.node.events.publish(&tenant, "trunk.registered", json!({ "trunk": trunk }));
            }
            Turn::Lost(reason) => {
                let of = OfTenant { tenant: tenant.as_str().into() };
                self.around.node.metrics.registrations_lost.get_or_create(&of).inc();
                tracing::warn!(tenant, trunk, reason, "not registered with the carrier; it sends no calls");
                let told = json!({ "trunk": trunk, "reason": reason });
                self.around.node.events.publish(&tenant, "trunk.unregistered", told);
            }
        }
    }
}
