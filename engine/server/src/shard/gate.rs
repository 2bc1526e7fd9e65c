//! Who is let in: a carrier by its address, a user by a password; and which tenant, and so which
//! shard, a request is for. One gate serves every shard and the reading threads; a reload swaps the
//! configuration under it.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::IpAddr;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Instant;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use protocol::sip::digest::Algorithm;
use protocol::sip::flow::Flow;
use protocol::sip::message::Request;
use protocol::sip::method::Method;
use protocol::sip::stack::{Admission, Gatekeeper};
use protocol::sip::uri::Uri;

use super::dialling::dialled;
use crate::config::{Inbound, Tenant, World};
use crate::metrics::OfPace;
use crate::signalling::tls::{Certificates, Proof};
use crate::throttle::{Pace, Rate, Throttle};

pub(super) struct Gate {
    world: RwLock<Arc<World>>,
    certificates: Arc<Certificates>,
    accounts: Throttle,
    metrics: Family<OfPace, Counter>,
}

impl Gate {
    /// `metrics`: counts what accounts ask too much.
    pub fn new(world: Arc<World>, certificates: Arc<Certificates>, metrics: Family<OfPace, Counter>) -> Self {
        Self { world: RwLock::new(world), certificates, accounts: Throttle::default(), metrics }
    }

    pub fn world(&self) -> Arc<World> {
        self.world.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub fn swap(&self, world: Arc<World>) {
        *self.world.write().unwrap_or_else(PoisonError::into_inner) = world;
    }

    /// Where a tenant lives, among so many shards.
    pub fn shard_of(&self, tenant: &str, shards: usize) -> usize {
        let mut hasher = DefaultHasher::new(); // the same keys in every process
        tenant.hash(&mut hasher);
        (hasher.finish() % shards.max(1) as u64) as usize
    }

    /// Whose request it is, if anyone's.
    pub fn tenant_of(&self, flow: &Flow, request: &Request) -> Option<Arc<str>> {
        match self.admit(flow, request) {
            Admission::Trunk { tenant, .. } | Admission::Authenticate { tenant, .. } => Some(tenant),
            Admission::Refuse { .. } => None,
        }
    }
}

impl Gatekeeper for Gate {
    fn admit(&self, flow: &Flow, request: &Request) -> Admission {
        let world = self.world();
        let proof = self.certificates.of_flow(flow);
        if request.method != Method::Register
            && let Some(inbound) = inbound(&world, flow.remote.ip(), proof.as_deref(), request)
        {
            let name = inbound.trunk.name.as_str().into();
            return Admission::Trunk { tenant: inbound.tenant.name.clone(), name };
        }
        match user_domain(&world, request) {
            Some(tenant) => Admission::Authenticate { tenant: tenant.name.clone(), realm: realm(tenant) },
            None => Admission::Refuse { status: 403 },
        }
    }

    fn password(&self, tenant: &str, user: &str) -> Option<Arc<str>> {
        let world = self.world();
        let user = world.tenant(tenant)?.user_by_name(user)?;
        Some(user.password.as_ref()?.expose().into())
    }

    fn has_room(&self, now: Instant, tenant: &str, user: &str) -> bool {
        let most = self.world().tenant(tenant).map_or(0, |tenant| tenant.limits.requests_per_user);
        let rate = Rate { per_second: most, burst: most.saturating_mul(10) };
        let has_room = self.accounts.ask(now, (tenant, user), rate) == Pace::Free;
        if !has_room {
            self.metrics.get_or_create(&OfPace::ACCOUNT).inc();
        }
        has_room
    }

    fn algorithms(&self, tenant: &str) -> Arc<[Algorithm]> {
        self.world().tenant(tenant).map_or_else(|| [].into(), |tenant| tenant.digest.clone())
    }
}

/// Whose call it is that a carrier sends. What we registered as is no number; then To may say which one was dialled.
fn inbound<'a>(
    world: &'a World,
    source: IpAddr,
    proof: Option<&Proof>,
    request: &Request,
) -> Option<Inbound<'a>> {
    let inbound = world.inbound(source, proof, &dialled(&request.uri))?;
    if inbound.number.is_some() {
        return Some(inbound);
    }
    let by_to = request.to().ok().and_then(|to| world.inbound(source, proof, &dialled(&to.uri)));
    let by_to = by_to.filter(|by_to| by_to.number.is_some() && by_to.trunk.register.is_some());
    Some(by_to.unwrap_or(inbound))
}

/// The tenant whose user may have sent this: by the domain of From, then of the Request-URI. Where
/// there is one tenant only, any domain is its: phones are often told an address and no domain.
fn user_domain<'a>(world: &'a World, request: &Request) -> Option<&'a Arc<Tenant>> {
    let from = request.from_uri();
    let hosts = [from.as_ref().and_then(Uri::host), request.uri.host()];
    let named = hosts.into_iter().flatten().find_map(|host| world.tenant_by_domain(host.as_str()));
    named.or(match &world.tenants[..] {
        [only] => Some(only),
        _ => None,
    })
}

/// The digest's realm: the tenant's first domain, or its name.
fn realm(tenant: &Tenant) -> Arc<str> {
    tenant.domains.first().map_or_else(|| tenant.name.clone(), |domain| domain.as_str().into())
}
