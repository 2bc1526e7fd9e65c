//! What is asked of carriers, OPTIONS and REGISTER, and the addresses of those that are known by name. Names are looked up
//! away from the shard, before each question; a call uses the address that is known by then.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Instant;

use protocol::sip::grammar::percent_encode_user;
use protocol::sip::stack::{BindingId, Credentials, NewBinding, ProbeId};
use serde_json::json;

use super::Shard;
use super::bindings::{Standing, Turn};
use crate::config::{Trunk, TrunkAddress};
use crate::metrics::OfTenant;
use crate::shards::TrunkState;

/// Addresses by name and port.
#[derive(Clone, Default)]
pub(super) struct Names(Arc<RwLock<HashMap<(String, u16), SocketAddr>>>);

impl Names {
    /// What was found last.
    pub fn get(&self, address: &TrunkAddress) -> Option<SocketAddr> {
        let key = (address.host.clone(), address.port.unwrap_or(5060));
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(&key).copied()
    }

    /// Looks a name up in the background; what is known stays until something else is found.
    fn look_up(&self, address: &TrunkAddress, runtime: &tokio::runtime::Handle) {
        let (names, key) = (self.clone(), (address.host.clone(), address.port.unwrap_or(5060)));
        runtime.spawn(async move {
            match tokio::net::lookup_host(key.clone()).await.map(|mut found| found.next()) {
                Ok(Some(found)) => {
                    names.0.write().unwrap_or_else(PoisonError::into_inner).insert(key, found);
                }
                _ => tracing::warn!(name = key.0, "carrier's name not found"),
            }
        });
    }
}

impl Shard {
    /// Asks the carriers whose turn it is.
    pub(super) fn probe_trunks(&mut self, now: Instant) {
        if self.trunks.next_timeout().is_none_or(|at| at > now) {
            return;
        }
        let world = self.world.clone();
        for (tenant, name) in self.trunks.due(now) {
            let Some(trunk) = world.tenant(&tenant).and_then(|tenant| tenant.trunk(&name)) else { continue };
            if trunk.address.socket().is_none() {
                self.names.look_up(&trunk.address, self.around.transports.runtime());
            }
            let probe = match self.trunk_destination(&trunk.address) {
                Some(to) => self.stack.probe(now, to, &trunk.address.uri, &mut self.outputs),
                None => ProbeId(0), // not a number of the stack's; its failure is told below
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
            let (reason, checked) = self.trunks.seen(tenant, &trunk.name);
            let standing = self.bindings.standing(now, tenant, &trunk.name);
            let registered = standing.as_ref().map(|standing| standing.until.is_some());
            let Standing { until, reason: not_registered } = standing.unwrap_or_default();
            TrunkState {
                name: trunk.name.clone(),
                address: trunk.address.uri.clone(),
                in_service: self.trunks.in_service(tenant, &trunk.name),
                reason,
                checked: checked.map(|at| self.exchange.wall(at)),
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
            let Some(trunk) = world.tenant(&due.tenant).and_then(|tenant| tenant.trunk(&due.trunk)) else {
                continue;
            };
            let (Some(register), Some(user)) = (&trunk.register, &trunk.user) else { continue };
            if trunk.address.socket().is_none() {
                self.names.look_up(&trunk.address, self.around.transports.runtime());
            }
            let Some(to) = self.trunk_destination(&trunk.address) else {
                self.bindings.asked(&due.tenant, &due.trunk, BindingId(0)); // not a number of the stack's
                let turn = self.bindings.failed(now, BindingId(0), "name not found");
                self.binding_turned(turn);
                continue;
            };
            let host = &trunk.address.host;
            let domain = match &register.domain {
                Some(domain) => domain.clone(),
                None if host.contains(':') => format!("[{host}]"),
                None => host.clone(),
            };
            let new = NewBinding {
                registrar: &format!("sip:{domain}"),
                address_of_record: &format!("sip:{}@{domain}", percent_encode_user(user)),
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
            self.bindings.asked(&due.tenant, &due.trunk, id);
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
