//! The registrar (RFC 3261 §10.3): which devices a user can be reached at, and until when.
//!
//! A REGISTER is turned into a [`Plan`] first; the plan is applied when the store has acknowledged
//! its changes, so that nothing is confirmed that a crash would lose. Plans for one user are applied
//! in the order in which they were made. Authentication comes before, and Path (RFC 3327) is left
//! out: a device is reached on the flow that it registered over. One that keeps several flows (RFC 5626)
//! has a binding for each; which of them a call takes is the owner's to choose, and never two.

mod binding;

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::flow::Flow;
use super::grammar;
use super::headers::HeaderName;
use super::message::{Contacts, HeaderError, Request};
use super::name_addr::NameAddr;

pub use binding::{Binding, NotABinding, Stored};

/// Contacts of one user. At the bound the one that was refreshed longest ago gives way: most likely
/// it is what a device left behind when its address changed.
pub const MAX_CONTACTS: usize = 16;

/// Bindings of all users together. At the bound new ones get 503; refreshing goes on.
pub const MAX_BINDINGS: usize = 1_000_000;

/// Bytes of one Contact. A longer one gets 400.
pub const MAX_CONTACT_LENGTH: usize = 1024;

/// How long bindings may live.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lifetimes {
    /// A shorter wish is refused with 423. RFC 3261 §10.3 wants it to be below an hour.
    pub min: Duration,
    /// What is given to a device that has no wish.
    pub default: Duration,
    /// A longer wish is cut to this.
    pub max: Duration,
}

impl Default for Lifetimes {
    fn default() -> Self {
        let minutes = |n: u64| Duration::from_secs(60 * n);
        Lifetimes { min: minutes(1), default: minutes(60), max: minutes(120) }
    }
}

/// Why a REGISTER changes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// A header that can't be read: 400.
    Header(HeaderError),
    /// `Contact: *` without `Expires: 0` (§10.3 step 6): 400.
    Star,
    /// A Contact that is no SIP URI, or is longer than [`MAX_CONTACT_LENGTH`]: 400.
    Contact,
    /// Several flows in one request (RFC 5626 §6): 400.
    SeveralFlows,
    /// A flow that ends at a proxy which does not say that it keeps it (RFC 5626 §6): 439.
    FirstHop,
    /// More than [`MAX_CONTACTS`] in one request: 403.
    TooManyContacts,
    /// A wish below the least lifetime, which the answer says in Min-Expires: 423.
    TooBrief(Duration),
    /// Not newer than what the same device registered before (§10.3 step 7): 500.
    OutOfOrder,
    /// [`MAX_BINDINGS`] reached: 503.
    Full,
}

impl Refusal {
    /// Status and reason of the answer.
    pub fn answer(&self) -> (u16, &'static str) {
        match self {
            Refusal::Header(_) => (400, "Malformed Header"),
            Refusal::Star => (400, "Star Needs Expires 0"),
            Refusal::Contact => (400, "Unusable Contact"),
            Refusal::SeveralFlows => (400, "One Flow A Request"),
            Refusal::FirstHop => (439, "First Hop Lacks Outbound Support"),
            Refusal::TooManyContacts => (403, "Too Many Contacts"),
            Refusal::TooBrief(_) => (423, "Interval Too Brief"),
            Refusal::OutOfOrder => (500, "Request Out Of Order"),
            Refusal::Full => (503, "Registrar Full"),
        }
    }

    /// The value of Min-Expires that a 423 must have.
    pub fn min_expires(&self) -> Option<u64> {
        match self {
            Refusal::TooBrief(min) => Some(min.as_secs()),
            _ => None,
        }
    }
}

/// One step of what a REGISTER does, for memory and store alike. Within a user, a binding is named by
/// its [`Binding::key`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// A new binding, or a new state of the one with the same key.
    Set(Box<Binding>),
    /// This one is gone: its key.
    Remove(String),
}

/// What a REGISTER will have done once it is applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// Whose user.
    pub tenant: Arc<str>,
    /// Whose bindings.
    pub user: Arc<str>,
    /// In order; none when the request only asks.
    pub changes: Vec<Change>,
    /// The Contact headers of the 200: everything that is bound then (§10.3 step 8).
    pub contacts: Vec<String>,
    /// Calls for the device go over the flow that the request came on (RFC 5626 §6), and the 200 says so.
    pub outbound: bool,
}

/// A binding that ended by time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expired {
    /// Whose user.
    pub tenant: Arc<str>,
    /// Whose binding.
    pub user: Arc<str>,
    /// Which.
    pub key: String,
}

/// Tenant, user and key of a binding.
type Named = (Arc<str>, Arc<str>, String);
type Users = HashMap<Arc<str>, Vec<Binding>>;

/// All bindings of all tenants.
#[derive(Debug, Default)]
pub struct Registrar {
    lifetimes: Lifetimes,
    tenants: HashMap<Arc<str>, Users>,
    deadlines: BTreeSet<(Instant, Arc<str>, Arc<str>, String)>,
    /// What was registered over each connection as a flow of RFC 5626.
    flows: HashMap<u64, Vec<Named>>,
}

impl Registrar {
    /// Nobody is registered yet.
    pub fn new(lifetimes: Lifetimes) -> Registrar {
        Registrar { lifetimes, ..Registrar::default() }
    }

    /// Works out what a REGISTER of this user does. The request passed [`Request::check`], and its
    /// sender proved to be the user. `flow`: the way it came.
    pub fn plan(
        &self,
        now: Instant,
        tenant: &str,
        user: &str,
        flow: Flow,
        request: &Request,
    ) -> Result<Plan, Refusal> {
        let header = Refusal::Header;
        let call_id = request.call_id().map_err(header)?;
        let cseq = request.cseq().map_err(header)?.number;
        let expires = request.expires().map_err(header)?;
        let mut bound: Vec<Binding> = self.of(tenant, user).filter(|b| b.expires_at > now).cloned().collect();
        let names_flow = |contact: &NameAddr| contact.params.has("reg-id");
        let knows_flows = [HeaderName::Supported, HeaderName::Require]
            .into_iter()
            .any(|name| request.headers.lists(name, "outbound"));
        let mut outbound = false;
        let in_order = |b: &Binding| b.call_id != call_id || b.cseq < cseq;
        let mut changes = Vec::new();
        match request.contacts().map_err(header)? {
            Contacts::Star if expires != Some(Duration::ZERO) => return Err(Refusal::Star),
            Contacts::Star => {
                if !bound.iter().all(in_order) {
                    return Err(Refusal::OutOfOrder);
                }
                changes.extend(bound.drain(..).map(|b| Change::Remove(b.key)));
            }
            Contacts::List(list) if list.len() > MAX_CONTACTS => return Err(Refusal::TooManyContacts),
            Contacts::List(list) => {
                if knows_flows && list.len() > 1 && list.iter().any(names_flow) {
                    return Err(Refusal::SeveralFlows);
                }
                for mut contact in list {
                    let lifetime = self.lifetime(&contact, expires)?;
                    // Without the option tag, or a name for the device, there is no such thing (§6).
                    if !knows_flows || !names_instance(&contact) {
                        contact.params.remove("reg-id");
                    }
                    let new = Binding::new(contact, now, lifetime, flow, request);
                    let new = new.ok_or(Refusal::Contact)?;
                    if new.is_flow() && !lifetime.is_zero() {
                        if request.vias().map_err(header)?.len() > 1 {
                            return Err(Refusal::FirstHop);
                        }
                        outbound = true;
                    }
                    let before = bound.iter().position(|b| b.is_same_device(&new));
                    if let Some(before) = before.map(|at| bound.remove(at)) {
                        // The same device twice in one request: the last word counts.
                        let said_now = |c: &Change| matches!(c, Change::Set(b) if b.key == before.key);
                        if !in_order(&before) && !changes.iter().any(said_now) {
                            return Err(Refusal::OutOfOrder);
                        }
                        if lifetime.is_zero() || before.key != new.key {
                            changes.push(Change::Remove(before.key));
                        }
                    }
                    if !lifetime.is_zero() {
                        bound.push(new.clone());
                        changes.push(Change::Set(Box::new(new)));
                    }
                }
            }
        }
        while bound.len() > MAX_CONTACTS {
            let oldest = bound.iter().enumerate().min_by_key(|(_, b)| b.refreshed_at).map_or(0, |(at, _)| at);
            changes.push(Change::Remove(bound.remove(oldest).key));
        }
        let grows = bound.len() > self.of(tenant, user).count();
        if grows && self.deadlines.len() >= MAX_BINDINGS {
            return Err(Refusal::Full);
        }
        let contacts = bound.iter().map(|b| b.as_contact(now)).collect();
        Ok(Plan { tenant: tenant.into(), user: user.into(), changes, contacts, outbound })
    }

    /// §10.3 step 7: the contact's own wish, then the request's, then the default; cut to what is
    /// allowed. A wish that can't be read counts as none (§20.10).
    fn lifetime(&self, contact: &NameAddr, expires: Option<Duration>) -> Result<Duration, Refusal> {
        let own = contact.params.get("expires").and_then(|text| grammar::decimal(text, u64::MAX));
        let wish = own.map(Duration::from_secs).or(expires).unwrap_or(self.lifetimes.default);
        if !wish.is_zero() && wish < self.lifetimes.min {
            return Err(Refusal::TooBrief(self.lifetimes.min));
        }
        Ok(wish.min(self.lifetimes.max))
    }

    /// Makes a plan true.
    pub fn apply(&mut self, plan: Plan) {
        let Plan { tenant, user, changes, .. } = plan;
        for change in changes {
            match change {
                Change::Set(binding) => self.put(&tenant, &user, *binding),
                Change::Remove(key) => drop(self.take(&tenant, &user, &key)),
            }
        }
    }

    /// Puts back what the store kept. `Err`: the record can't be read; it is as if it had expired.
    pub fn import(&mut self, now: Instant, stored: Stored) -> Result<(), NotABinding> {
        let (tenant, user) = (Arc::from(stored.tenant.as_str()), Arc::from(stored.user.as_str()));
        let binding = Binding::import(now, stored)?;
        self.put(&tenant, &user, binding);
        Ok(())
    }

    /// Where a user can be reached now: by falling q, the last refreshed first among equals.
    pub fn bindings(&self, now: Instant, tenant: &str, user: &str) -> Vec<&Binding> {
        let mut list: Vec<_> = self.of(tenant, user).filter(|b| b.expires_at > now).collect();
        list.sort_by_key(|b| std::cmp::Reverse((b.q, b.refreshed_at)));
        list
    }

    /// How many bindings there are, of all users together.
    pub fn len(&self) -> usize {
        self.deadlines.len()
    }

    /// Whether nobody is registered.
    pub fn is_empty(&self) -> bool {
        self.deadlines.is_empty()
    }

    /// Everything, for a snapshot: tenant, user, binding.
    pub fn iter(&self) -> impl Iterator<Item = (&Arc<str>, &Arc<str>, &Binding)> {
        self.tenants
            .iter()
            .flat_map(|(tenant, users)| users.iter().map(move |(user, list)| (tenant, user, list)))
            .flat_map(|(tenant, user, list)| list.iter().map(move |b| (tenant, user, b)))
    }

    /// A connection is gone, and with it the flows that were registered over it: nothing reaches their devices any more
    /// that way (RFC 5626 §6). What was bound without a flow stays, since its Contact may be reached by another connection.
    pub fn handle_flow_failed(&mut self, flow: &Flow, out: &mut Vec<Expired>) {
        let lost = self.flows.remove(&flow.connection).filter(|_| flow.connection != 0);
        for (tenant, user, key) in lost.into_iter().flatten() {
            // It may have been refreshed over another one.
            let is_there = |b: &Binding| b.key == key && b.flow.connection == flow.connection;
            if self.of(&tenant, &user).any(is_there) {
                self.take(&tenant, &user, &key);
                out.push(Expired { tenant, user, key });
            }
        }
    }

    /// When the next binding ends.
    pub fn next_timeout(&self) -> Option<Instant> {
        self.deadlines.first().map(|(at, ..)| *at)
    }

    /// Takes away what has ended, and tells it, so that the store forgets it too.
    pub fn handle_timeout(&mut self, now: Instant, out: &mut Vec<Expired>) {
        while let Some((at, tenant, user, key)) = self.deadlines.first().cloned() {
            if at > now {
                return;
            }
            self.take(&tenant, &user, &key);
            out.push(Expired { tenant, user, key });
        }
    }

    fn of(&self, tenant: &str, user: &str) -> impl Iterator<Item = &Binding> {
        self.tenants.get(tenant).and_then(|users| users.get(user)).into_iter().flatten()
    }

    fn put(&mut self, tenant: &Arc<str>, user: &Arc<str>, binding: Binding) {
        let newer = |b: &Binding| b.call_id == binding.call_id && b.cseq > binding.cseq;
        if self.of(tenant, user).any(|b| b.key == binding.key && newer(b)) {
            return;
        }
        self.take(tenant, user, &binding.key);
        self.deadlines.insert((binding.expires_at, tenant.clone(), user.clone(), binding.key.clone()));
        if binding.is_flow() && binding.flow.connection != 0 {
            let of = self.flows.entry(binding.flow.connection).or_default();
            of.push((tenant.clone(), user.clone(), binding.key.clone()));
        }
        let users = self.tenants.entry(tenant.clone()).or_default();
        users.entry(user.clone()).or_default().push(binding);
    }

    fn take(&mut self, tenant: &Arc<str>, user: &Arc<str>, key: &str) -> Option<Binding> {
        let users = self.tenants.get_mut(tenant)?;
        let list = users.get_mut(user)?;
        let binding = list.remove(list.iter().position(|b| b.key == key)?);
        if list.is_empty() {
            users.remove(user);
            if users.is_empty() {
                self.tenants.remove(tenant);
            }
        }
        self.deadlines.remove(&(binding.expires_at, tenant.clone(), user.clone(), key.to_owned()));
        if let Some(of) = self.flows.get_mut(&binding.flow.connection) {
            of.retain(|(whose, who, which)| (whose, who, which.as_str()) != (tenant, user, key));
            if of.is_empty() {
                self.flows.remove(&binding.flow.connection);
            }
        }
        Some(binding)
    }
}

fn names_instance(contact: &NameAddr) -> bool {
    contact.params.get_unquoted("+sip.instance").is_some()
}

#[cfg(test)]
mod tests;
