//! What the exchange asks of people and carriers, answered from the configuration, the registrar and
//! the health of carriers at that moment.

use std::sync::Arc;
use std::time::Duration;

use exchange::{
    CallLimits, Conversation, Device, Directory, QueuePlan, RecordingPlan, Route, TollLimits, Trunk, User,
};
use jiff::Timestamp;
use protocol::sip::registrar::Registrar;
use store::Store;

use super::registrations::device_names;
use super::trunks::Trunks;
use crate::config::{self, World};
use crate::history;

pub(super) struct People<'a> {
    pub world: &'a World,
    pub registrar: &'a Registrar,
    pub trunks: &'a Trunks,
    pub store: &'a Store,
}

impl Directory for People<'_> {
    fn user(&self, tenant: &str, name_or_number: &str) -> Option<User> {
        self.world.tenant(tenant)?.user(name_or_number).map(|user| known(user))
    }

    fn group(&self, tenant: &str, name: &str) -> Vec<User> {
        let Some(tenant) = self.world.tenant(tenant) else { return Vec::new() };
        let Some(group) = tenant.group(name) else { return Vec::new() };
        group.members.iter().filter_map(|name| tenant.user_by_name(name)).map(|user| known(user)).collect()
    }

    fn queue(&self, tenant: &str, name: &str) -> Option<Arc<QueuePlan>> {
        self.world.tenant(tenant)?.queue(name).cloned()
    }

    fn queues(&self, tenant: &str) -> Vec<Arc<QueuePlan>> {
        self.world.tenant(tenant).map(|tenant| tenant.queues.clone()).unwrap_or_default()
    }

    fn last_spoke_with(&self, tenant: &str, number: &str) -> Option<String> {
        let tenant = self.world.tenant(tenant)?;
        let found =
            history::last_spoke_with(self.store, tenant, number, history::MOST_DAYS, Timestamp::now());
        match found {
            Ok(user) => user.map(|user| user.name.clone()),
            Err(why) => {
                tracing::error!(tenant = &*tenant.name, %why, "history can't be read");
                None
            }
        }
    }

    fn devices(&self, tenant: &str, user: &str) -> Vec<Device> {
        device_names(self.registrar, tenant, user).map(Device).collect()
    }

    fn trunks(&self, tenant: &str) -> Vec<Trunk> {
        let Some(configured) = self.world.tenant(tenant) else { return Vec::new() };
        let trunk = |trunk: &config::Trunk| Trunk {
            name: trunk.name.clone(),
            in_service: self.trunks.in_service(tenant, &trunk.name),
            channels: trunk.channels,
            channels_in: trunk.channels_in,
            channels_out: trunk.channels_out,
            order: trunk.order,
            weight: trunk.weight,
        };
        configured.trunks.iter().map(|configured| trunk(configured)).collect()
    }

    fn rings_within(&self, tenant: &str, trunk: &str) -> Option<Duration> {
        let within = self.world.tenant(tenant)?.trunk(trunk)?.rings_within;
        (!within.is_zero()).then_some(within)
    }

    fn may_call(&self, tenant: &str, number: &str) -> bool {
        let tenant = self.world.tenant(tenant);
        tenant.is_some_and(|tenant| tenant.tolls.allows(tenant.numbering.as_ref(), number))
    }

    fn is_vital(&self, tenant: &str, number: &str) -> bool {
        self.world
            .tenant(tenant)
            .is_some_and(|tenant| tenant.tolls.always.iter().any(|vital| vital == number))
    }

    fn tolls(&self, tenant: &str) -> TollLimits {
        self.world.tenant(tenant).map_or_else(TollLimits::default, |tenant| tenant.tolls.limits)
    }

    fn is_number(&self, tenant: &str, dialled: &str) -> bool {
        self.world.tenant(tenant).is_some_and(|tenant| tenant.number(dialled).is_some())
    }

    fn route(&self, tenant: &str, dialled: &str) -> Option<Route> {
        super::dialling::route(self.world.tenant(tenant)?, dialled, true)
    }

    fn recording(&self, tenant: &str, of: &Conversation<'_>) -> Option<RecordingPlan> {
        let tenant = self.world.tenant(tenant)?;
        let rules = &tenant.recording;
        rules.wants(tenant, of).then(|| RecordingPlan { announce: rules.announce.clone() })
    }

    fn pause_keys(&self, tenant: &str) -> Option<String> {
        self.world.tenant(tenant)?.recording.pause_keys.clone()
    }

    fn limits(&self, tenant: &str) -> CallLimits {
        let none = CallLimits {
            concurrent_calls: 0,
            calls_per_second: 0,
            call_length: Duration::ZERO,
            legs_per_call: 0,
        };
        self.world.tenant(tenant).map_or(none, |tenant| CallLimits {
            concurrent_calls: tenant.limits.concurrent_calls,
            calls_per_second: tenant.limits.calls_per_second,
            call_length: tenant.limits.call_length,
            legs_per_call: tenant.limits.legs_per_call,
        })
    }
}

fn known(user: &config::User) -> User {
    User {
        name: user.name.clone(),
        number: user.number.clone(),
        mobile: user.mobile.clone(),
        skills: user.skills.clone(),
    }
}
