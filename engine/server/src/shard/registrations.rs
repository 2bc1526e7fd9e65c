//! REGISTER between stack, registrar and store: what a request will change is worked out first, kept
//! durably, and only then made true and acknowledged. So a registration that was answered with 200
//! survives the process, and one that could not be kept was never promised.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use protocol::sip::flow::{Destination, Flow};
use protocol::sip::message::Request;
use protocol::sip::registrar::{Binding, Change, Expired, Lifetimes, Plan, Registrar, Stored};
use protocol::sip::stack::{Package, RegisterId};
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::{Batch, StoreError, layout};

use super::dialling::{dialled, user_part};
use super::places::{Nowhere, Other, Place};
use super::{Input, Shard};
use crate::config::{Tenant, World};
use crate::events::wall_millis;
use crate::metrics::OfTenant;
use crate::shards::{Contact, UserState};

/// RFC 3261 §10.2: an hour is what most phones ask for.
const DEFAULT_LIFETIME: Duration = Duration::from_secs(3600);

/// How long a registration may wait for others that go to the disk with it: well below the 500 ms
/// after which a phone asks again (T1, RFC 3261 §17.1.2.1).
const PATIENCE: Duration = Duration::from_millis(100);
/// The same in a rush, as after an outage: each sync then serves more of them.
const PATIENCE_IN_A_RUSH: Duration = Duration::from_millis(250);
/// So many within a second are a rush.
const RUSH: u32 = 100;

/// How many registrations come.
pub(super) struct Rush {
    /// When the second of `count` began.
    since: Instant,
    count: u32,
    /// In the second before.
    before: u32,
}

impl Rush {
    pub(super) fn new(now: Instant) -> Self {
        Self { since: now, count: 0, before: 0 }
    }

    /// One comes: how long it may wait.
    fn patience(&mut self, now: Instant) -> Duration {
        let seconds = now.saturating_duration_since(self.since).as_secs();
        if seconds > 0 {
            let before = if seconds == 1 { self.count } else { 0 };
            *self = Self { since: now, count: 0, before };
        }
        self.count += 1;
        if self.count.max(self.before) < RUSH { PATIENCE } else { PATIENCE_IN_A_RUSH }
    }
}

/// What the store said of a plan.
pub(super) struct Kept {
    plan: Plan,
    result: Result<(), StoreError>,
}

/// A binding in the store: JSON, its end as milliseconds since 1970 UTC.
#[derive(Serialize, Deserialize)]
struct Entry {
    contact: String,
    q: u16,
    expires: u64,
    call_id: String,
    cseq: u32,
    transport: String,
    local: SocketAddr,
    remote: SocketAddr,
    uses_flow: bool,
    user_agent: String,
}

/// How long bindings may live, from the configuration.
pub(super) fn settings(world: &World) -> Lifetimes {
    let (min, max) = (world.sip.expires_min, world.sip.expires_max);
    Lifetimes { min, default: DEFAULT_LIFETIME.clamp(min, max), max }
}

/// How often a telephone that keeps a flow is asked to show that it is still there (RFC 5626 §5.4): as often as it would by
/// itself over a connection (§4.4.1). Nothing is closed for a telephone that does not; `idle` of connections does that.
const FLOW_TIMER: Duration = Duration::from_secs(120);

/// A user's devices by the names of their contacts, the preferred first. Of the flows of one (RFC 5626 §5.3) the latest
/// speaks for it, or it would ring twice.
pub(super) fn device_names(registrar: &Registrar, tenant: &str, user: &str) -> impl Iterator<Item = String> {
    let mut seen = Vec::new();
    let bindings = registrar.bindings(Instant::now(), tenant, user).into_iter();
    let devices = bindings.filter(move |binding| {
        let instance = binding.instance().filter(|_| binding.is_flow());
        let again = instance.is_some_and(|instance| seen.contains(&instance));
        seen.extend(instance.filter(|_| !again));
        !again
    });
    devices.map(|binding| binding.key.clone())
}

impl Shard {
    /// A user registers, or asks what is registered.
    pub(super) fn register(
        &mut self,
        now: Instant,
        id: RegisterId,
        tenant: &std::sync::Arc<str>,
        user: &std::sync::Arc<str>,
        request: &Request,
        flow: Flow,
    ) {
        let world = self.world.clone();
        let own = world.tenant(tenant).and_then(|tenant| tenant.user_by_name(user)).is_some_and(|user| {
            let to = request.to().map(|to| dialled(&to.uri)).unwrap_or_default();
            to == user.name || to == user.number
        });
        if !own {
            return self.stack.respond_register(now, id, 403, "Not Your Address", &[], &mut self.outputs);
        }
        self.came_back(now, tenant, user, flow);
        let plan = match self.registrar.plan(now, tenant, user, flow, request) {
            Ok(plan) => plan,
            Err(refusal) => {
                let (status, reason) = refusal.answer();
                let least = refusal.min_expires().map(|least| ("Min-Expires".to_string(), least.to_string()));
                let headers: Vec<_> = least.into_iter().collect();
                return self.stack.respond_register(now, id, status, reason, &headers, &mut self.outputs);
            }
        };
        let most = world.tenant(tenant).map_or(0, |tenant| tenant.limits.contacts_per_user);
        if plan.contacts.len() > most as usize {
            return self.stack.respond_register(now, id, 403, "Too Many Contacts", &[], &mut self.outputs);
        }
        if plan.changes.is_empty() {
            return self.registration_kept(now, id, Kept { plan, result: Ok(()) });
        }
        let wall = wall_millis();
        let batch = plan.changes.iter().fold(Batch::new(), |batch, change| match change {
            Change::Set(binding) => {
                let entry =
                    serde_json::to_vec(&entry(binding, now, wall)).expect("plain data has a JSON form");
                batch.put(layout::registration(tenant, user, &binding.key), entry)
            }
            Change::Remove(key) => batch.delete(layout::registration(tenant, user, key)),
        });
        let (shards, number) = (self.shards.clone(), self.number);
        let done = move |result| {
            shards.hand(number, Input::Registered { id, kept: Kept { plan, result } });
        };
        let patience = self.rush.patience(now);
        self.around.node.store.commit_within(batch, patience, Box::new(done));
    }

    /// The store has answered.
    pub(super) fn registration_kept(&mut self, now: Instant, id: RegisterId, kept: Kept) {
        let Kept { plan, result } = kept;
        if let Err(why) = result {
            self.around.node.metrics.store_failures.inc();
            tracing::error!(tenant = %plan.tenant, user = %plan.user, %why, "registration not kept");
            let headers = [("Retry-After".to_string(), "10".to_string())];
            return self.stack.respond_register(now, id, 503, "Not Stored", &headers, &mut self.outputs);
        }
        let mut headers: Vec<_> =
            plan.contacts.iter().map(|contact| ("Contact".to_string(), contact.clone())).collect();
        if plan.outbound {
            headers.push(("Require".to_string(), "outbound".to_string()));
            headers.push(("Flow-Timer".to_string(), FLOW_TIMER.as_secs().to_string()));
        }
        let (tenant, user, changed) = (plan.tenant.clone(), plan.user.clone(), !plan.changes.is_empty());
        let before = self.registrar.bindings(now, &tenant, &user).len();
        self.registrar.apply(plan);
        self.stack.respond_register(now, id, 200, "OK", &headers, &mut self.outputs);
        let after = self.registrar.bindings(now, &tenant, &user).len();
        if changed && before != after {
            self.registration_changed(&tenant, &user, before, after);
            self.people_changed(now, &tenant);
        }
        if changed {
            self.tell_watchers(now, &tenant, &user, Package::Reg);
            self.tell_watchers(now, &tenant, &user, Package::Presence);
        }
    }

    pub(super) fn expire_registrations(&mut self, now: Instant) {
        if self.registrar.next_timeout().is_none_or(|at| at > now) {
            return;
        }
        let mut expired = Vec::new();
        self.registrar.handle_timeout(now, &mut expired);
        self.unregistered(now, expired);
    }

    /// A connection is gone, and the flows of telephones with it.
    pub(super) fn lose_flows(&mut self, now: Instant, flow: &Flow) {
        let mut lost = Vec::new();
        self.registrar.handle_flow_failed(flow, &mut lost);
        if !lost.is_empty() {
            self.unregistered(now, lost);
        }
    }

    fn unregistered(&mut self, now: Instant, expired: Vec<Expired>) {
        let mut batch = Batch::new();
        let mut tenants: Vec<_> = expired.iter().map(|gone| gone.tenant.clone()).collect();
        tenants.sort_unstable();
        tenants.dedup();
        for gone in expired {
            batch = batch.delete(layout::registration(&gone.tenant, &gone.user, &gone.key));
            let left = self.registrar.bindings(now, &gone.tenant, &gone.user).len();
            self.registration_changed(&gone.tenant, &gone.user, left + 1, left);
            self.tell_watchers(now, &gone.tenant, &gone.user, Package::Reg);
            self.tell_watchers(now, &gone.tenant, &gone.user, Package::Presence);
        }
        // One that stays in the store has its end written in it, and is not taken back at a start.
        self.around.node.store.commit(batch, Box::new(|_| {}));
        tenants.iter().for_each(|tenant| self.people_changed(now, tenant));
    }

    fn registration_changed(&self, tenant: &str, user: &str, before: usize, after: usize) {
        let gauge =
            self.around.node.metrics.registered.get_or_create(&OfTenant { tenant: tenant.into() }).clone();
        gauge.inc_by(after as i64 - before as i64);
        let kind = if after > before { "user.registered" } else { "user.unregistered" };
        self.around.node.events.publish(tenant, kind, json!({ "user": user, "contacts": after }));
    }

    /// Takes back what the store kept of this shard's tenants.
    pub(super) fn restore_registrations(&mut self, now: Instant) {
        let count = self.shards.boxes.len();
        let wall = wall_millis();
        let mut scan = layout::registrations();
        loop {
            let page = match self.around.node.store.scan(&scan) {
                Ok(page) => page,
                Err(why) => return tracing::error!(%why, "registrations can't be read"),
            };
            let Some((last, _)) = page.last() else { return };
            scan = layout::registrations().behind(last);
            for (key, value) in &page {
                let Some((tenant, user, key)) = layout::read_registration(key) else { continue };
                if self.shards.gate.shard_of(&tenant, count) != self.number {
                    continue;
                }
                let Ok(entry) = serde_json::from_slice::<Entry>(value) else { continue };
                if entry.expires > wall {
                    let stored = stored(tenant.clone(), user.clone(), key, entry, wall);
                    if self.registrar.import(now, stored).is_ok() {
                        self.registration_changed(&tenant, &user, 0, 1);
                    }
                }
            }
        }
    }

    /// Where a registered device is called.
    pub(super) fn device_place(
        &self,
        now: Instant,
        tenant: &Tenant,
        user: &str,
        device: &exchange::Device,
    ) -> Result<Place, Nowhere> {
        let bindings = self.registrar.bindings(now, &tenant.name, user);
        let binding = bindings.into_iter().find(|binding| binding.key == device.0).ok_or(Nowhere::AtAll)?;
        let places = match (binding.uses_flow, binding.contact.uri.as_sip()) {
            (true, _) => vec![Destination::from(binding.flow)],
            (false, Some(sip)) => self.destinations(now, sip)?,
            (false, None) => Vec::new(),
        };
        // A Contact with a name that leads nowhere is reached where its REGISTER came from.
        let mut places = places.into_iter();
        let destination = places.next().unwrap_or_else(|| binding.destination());
        // Another flow of the same device is tried where this one is silent or has failed (RFC 5626 §5.3).
        let same = binding.instance().filter(|_| binding.is_flow());
        let other_flows = self
            .registrar
            .bindings(now, &tenant.name, user)
            .into_iter()
            .filter(|other| other.key != binding.key && other.is_flow() && other.instance() == same);
        let by_flow = |flow: &Binding| Other {
            to: flow.destination(),
            request_uri: Some(flow.contact.uri.to_string()),
        };
        let others = places.map(Other::from).chain(other_flows.map(by_flow)).collect();
        let host = tenant.domains.first().map_or(self.around.host.as_str(), String::as_str);
        Ok(Place {
            request_uri: binding.contact.uri.to_string(),
            to: format!("<sip:{}@{host}>", user_part(user)),
            destination,
            others,
            route: Vec::new(),
            is_device: binding.uses_flow,
            credentials: None,
        })
    }

    /// What each user of a tenant is doing, and where.
    pub(super) fn users(&self, tenant: &str) -> Vec<UserState> {
        let now = Instant::now();
        let Some(configured) = self.world.tenant(tenant) else { return Vec::new() };
        let state = |user: &crate::config::User| {
            let contacts: Vec<_> = self
                .registrar
                .bindings(now, tenant, &user.name)
                .into_iter()
                .map(|b| contact(b, now))
                .collect();
            UserState {
                name: user.name.clone(),
                number: user.number.clone(),
                presence: self.exchange.presence(tenant, &user.name, !contacts.is_empty()),
                contacts,
            }
        };
        configured.users.iter().map(|user| state(user)).collect()
    }
}

fn contact(binding: &Binding, now: Instant) -> Contact {
    let agent = &binding.user_agent;
    Contact {
        uri: binding.contact.uri.to_string(),
        received: binding.flow.remote.to_string(),
        transport: binding.flow.transport.as_str().to_ascii_lowercase(),
        user_agent: (!agent.is_empty()).then(|| agent.clone()),
        expires_in: binding.expires_at.saturating_duration_since(now).as_secs() as u32,
    }
}

fn entry(binding: &Binding, now: Instant, wall: u64) -> Entry {
    let remaining = binding.expires_at.saturating_duration_since(now);
    Entry {
        contact: binding.contact.to_string(),
        q: binding.q,
        expires: wall + remaining.as_millis() as u64,
        call_id: binding.call_id.clone(),
        cseq: binding.cseq,
        transport: binding.flow.transport.as_str().into(),
        local: binding.flow.local,
        remote: binding.flow.remote,
        uses_flow: binding.uses_flow,
        user_agent: binding.user_agent.clone(),
    }
}

fn stored(tenant: String, user: String, key: String, entry: Entry, wall: u64) -> Stored {
    Stored {
        tenant,
        user,
        key,
        contact: entry.contact,
        q: entry.q,
        remaining: Duration::from_millis(entry.expires.saturating_sub(wall)),
        call_id: entry.call_id,
        cseq: entry.cseq,
        transport: entry.transport,
        local: entry.local,
        remote: entry.remote,
        uses_flow: entry.uses_flow,
        user_agent: entry.user_agent,
    }
}

#[cfg(test)]
mod tests {
    use protocol::sip::flow::Transport;
    use protocol::sip::message::Message;
    use protocol::sip::wire;

    use super::*;

    #[test]
    fn registrations_wait_longer_for_each_other_where_a_hundred_come_in_a_second() {
        let zero = Instant::now();
        let mut rush = Rush::new(zero);
        let mut come = |count: u32, second: u64| -> Vec<u128> {
            let now = zero + Duration::from_secs(second);
            (0..count).map(|_| rush.patience(now).as_millis()).collect()
        };
        let first = come(101, 0);
        assert!(first[..99].iter().all(|wait| *wait == 100) && first[99..] == [250, 250]);
        assert_eq!(come(1, 1), [250], "it goes on");
        assert_eq!(come(1, 2), [100], "and is over");
        come(100, 3);
        assert_eq!(come(1, 60), [100], "long ago");
    }

    /// A REGISTER of ana's telephone, by this number of its flow if it has one.
    fn register(instance: &str, reg_id: &str, cseq: u32) -> Request {
        let text = format!(
            "REGISTER sip:acme.example SIP/2.0\r\nVia: SIP/2.0/TCP 192.0.2.9;branch=z9hG4bK{cseq}\r\n\
             From: <sip:ana@acme.example>;tag=1\r\nTo: <sip:ana@acme.example>\r\nCall-ID: {cseq}\r\n\
             CSeq: {cseq} REGISTER\r\nMax-Forwards: 70\r\nSupported: outbound\r\n\
             Contact: <sip:ana@192.0.2.9;ob>;+sip.instance=\"<urn:uuid:{instance}>\"{reg_id}\r\nContent-Length: 0\r\n\r\n"
        );
        match wire::read(text.as_bytes()) {
            Ok(Message::Request(request)) => request,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn rfc5626_5_3_a_telephone_with_several_flows_is_rung_once_and_another_telephone_besides() {
        let mut registrar = Registrar::new(Lifetimes::default());
        let begin = Instant::now();
        let telephones = [("1", ";reg-id=1"), ("2", ""), ("1", ";reg-id=2")];
        for (number, (instance, reg_id)) in (1..).zip(telephones) {
            let flow = Flow {
                transport: Transport::Tcp,
                local: "192.0.2.1:5060".parse().unwrap(),
                remote: "192.0.2.9:4000".parse().unwrap(),
                connection: number,
            };
            let now = begin + Duration::from_millis(number);
            let request = register(instance, reg_id, number as u32);
            let plan = registrar.plan(now, "acme", "ana", flow, &request).expect("it may");
            registrar.apply(plan);
        }
        let names: Vec<_> = device_names(&registrar, "acme", "ana").collect();
        assert_eq!(names, ["i:<urn:uuid:1>:2", "i:<urn:uuid:2>:"], "the latest flow first");
    }
}
