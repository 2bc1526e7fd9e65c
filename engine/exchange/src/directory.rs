//! What the exchange must know of a tenant's people and carriers, asked at the moment of need so that
//! a reload or a registration is seen by the next decision. The server answers from its
//! configuration and registrar; tests answer from a table.

use std::sync::Arc;
use std::time::Duration;

use crate::effect::Route;
use crate::queue::QueuePlan;
use crate::tolls::TollLimits;
use crate::verb::Prompt;

/// A person or desk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// The name in the configuration.
    pub name: String,
    /// The extension.
    pub number: String,
    /// E.164.
    pub mobile: Option<String>,
    /// Skill and level, 1 to 100.
    pub skills: Vec<(String, u8)>,
}

/// A registered contact of a user, named so that signalling finds it again.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Device(pub String);

/// A carrier as dialling sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trunk {
    /// The name in the configuration.
    pub name: String,
    /// False while its probes or calls fail.
    pub in_service: bool,
    /// Calls at once, both ways; 0 for no limit.
    pub channels: u32,
    /// Calls at once that it sends; one more gets 503. 0 for no limit of its own.
    pub channels_in: u32,
    /// Calls at once that it is sent; 0 for no limit of its own.
    pub channels_out: u32,
    /// Those with a lower one are tried first.
    pub order: u32,
    /// Of those with the same order, how often it is the first, beside the others' weights. All zero: as they come.
    pub weight: u32,
}

/// Named limits of one tenant that calls are counted against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallLimits {
    /// Calls at once; the next one gets 503.
    pub concurrent_calls: u32,
    /// Arrivals within one second; the next one gets 503 with Retry-After.
    pub calls_per_second: u32,
    /// A call this old is hung up.
    pub call_length: Duration,
    /// Legs that one call may ever have; a dial that needs more fails with `limit("legs_per_call")`.
    pub legs_per_call: u32,
}

/// Who talks, for a tenant that records some of its conversations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conversation<'a> {
    /// The number that was dialled, as it arrived.
    pub dialled: &'a str,
    /// The queue that brought them together.
    pub queue: Option<&'a str>,
    /// The tenant's users among the two, by name.
    pub users: [Option<&'a str>; 2],
}

/// How a conversation is recorded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecordingPlan {
    /// What both hear first, in place of each other; once in a call.
    pub announce: Option<Prompt>,
}

/// Answers about tenants. None of the answers may wait.
pub trait Directory {
    /// By name or extension.
    fn user(&self, tenant: &str, name_or_number: &str) -> Option<User>;
    /// In the configuration's order; empty when there is no such group.
    fn group(&self, tenant: &str, name: &str) -> Vec<User>;
    /// The registered contacts of a user, the preferred first.
    fn devices(&self, tenant: &str, user: &str) -> Vec<Device>;
    /// In the order they are tried.
    fn trunks(&self, tenant: &str) -> Vec<Trunk>;
    /// How long this carrier may take until it rings, where another one can be tried; none: as long as it likes.
    fn rings_within(&self, _tenant: &str, _trunk: &str) -> Option<Duration> {
        None
    }
    /// Whether any of the tenant's calls may go to this number at a carrier.
    fn may_call(&self, _tenant: &str, _number: &str) -> bool {
        true
    }
    /// Whether calls to this number are never counted or held back: emergency services.
    fn is_vital(&self, _tenant: &str, _number: &str) -> bool {
        false
    }
    /// What calls to carriers are bounded by.
    fn tolls(&self, _tenant: &str) -> TollLimits {
        TollLimits::default()
    }
    /// Whether the number is the tenant's own, with a script for whoever calls it.
    fn is_number(&self, _tenant: &str, _dialled: &str) -> bool {
        false
    }
    /// Who decides about a call of one of the tenant's users to this number; none when nobody would.
    fn route(&self, _tenant: &str, _dialled: &str) -> Option<Route> {
        None
    }
    /// How this conversation is recorded; none when nobody wishes it.
    fn recording(&self, _tenant: &str, _of: &Conversation<'_>) -> Option<RecordingPlan> {
        None
    }
    /// The keys by which a user pauses a recording, and has it go on.
    fn pause_keys(&self, _tenant: &str) -> Option<String> {
        None
    }
    /// What the tenant may use.
    fn limits(&self, tenant: &str) -> CallLimits;
    /// A queue by name.
    fn queue(&self, tenant: &str, name: &str) -> Option<Arc<QueuePlan>> {
        self.queues(tenant).into_iter().find(|plan| plan.name == name)
    }
    /// In the configuration's order; the same `Arc` until a reload.
    fn queues(&self, tenant: &str) -> Vec<Arc<QueuePlan>> {
        let _ = tenant;
        Vec::new()
    }
    /// The user who spoke with this number last.
    fn last_spoke_with(&self, tenant: &str, number: &str) -> Option<String> {
        let _ = (tenant, number);
        None
    }
}
