//! OPTIONS to carriers, and the addresses of those that are known by name. Names are looked up away
//! from the shard, before each probe; a call uses the address that is known by then.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Instant;

use protocol::sip::stack::ProbeId;

use super::Shard;
use crate::config::{Trunk, TrunkAddress};
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
        let state = |trunk: &Trunk| {
            let (reason, checked) = self.trunks.seen(tenant, &trunk.name);
            TrunkState {
                name: trunk.name.clone(),
                address: trunk.address.uri.clone(),
                in_service: self.trunks.in_service(tenant, &trunk.name),
                reason,
                checked: checked.map(|at| self.exchange.wall(at)),
                channels_in_use: self.exchange.channels(tenant, &trunk.name),
                channels: trunk.channels,
            }
        };
        configured.trunks.iter().map(|trunk| state(trunk)).collect()
    }

    pub(super) fn probed(&mut self, now: Instant, probe: ProbeId, answered: bool) {
        if let Some((tenant, name, turn)) = self.trunks.probed(now, probe, answered) {
            self.trunk_turned(&tenant, &name, &turn);
        }
    }
}
