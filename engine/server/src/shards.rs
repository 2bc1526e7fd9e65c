//! What the API and the node ask of the exchange's shards. The shards run on threads of their own;
//! whoever asks gets a future, and a shard that has stopped answers with nothing.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use exchange::{AgentView, AgentWish, CallId, Failure, LiveCall, Presence, QueueView, Supervision, Target};
use script::{Moved, Version};
use serde::{Deserialize, Serialize};
use store::StoreError;
use utoipa::ToSchema;

use crate::config::World;

/// An answer on its way from the shards.
pub type Asked<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The running exchange, as everything beside it sees it. What is asked about a tenant answers about
/// that tenant only.
pub trait Shards: Send + Sync + 'static {
    /// Calls that are up.
    fn calls(&self, tenant: &str) -> Asked<'_, Vec<LiveCall>>;

    /// Rings someone who becomes the caller of a new call of this tenant; answers the call.
    ///
    /// `Failure::Limit`: the tenant has as many calls as it may; `Failure::Unreachable`: no shard runs.
    fn originate(&self, tenant: &str, wanted: Wanted) -> Asked<'_, Result<CallId, Failure>>;

    /// Rings a supervisor of a call of this tenant, or changes how one takes part.
    ///
    /// Fails as [`exchange::Exchange::supervise`] does, and with `Failure::NotFound` when no shard runs.
    fn supervise(
        &self,
        tenant: &str,
        call: CallId,
        who: Target,
        mode: Supervision,
    ) -> Asked<'_, Result<(), Failure>>;

    /// Leaves out of the recordings of a call of this tenant what is said from here on, or has it in them again.
    ///
    /// Fails as [`exchange::Exchange::pause_recordings`] does, and with `Failure::NotFound` when no shard runs.
    fn pause_recordings(&self, tenant: &str, call: CallId, paused: bool) -> Asked<'_, Result<(), Failure>>;

    /// Has the script of a call of this tenant go on with another version when it waits next, if that version would
    /// have come to the same place; none when no script of such a call runs, or it ended first.
    fn move_call(&self, tenant: &str, call: CallId, to: Arc<Version>) -> Asked<'_, Option<Moved>>;

    /// Hangs a call up, all its legs; false when no such call of this tenant is up.
    fn hang_up(&self, tenant: &str, call: CallId) -> Asked<'_, bool>;

    /// What each user is doing and where they are registered, in the order of the configuration.
    fn users(&self, tenant: &str) -> Asked<'_, Vec<UserState>>;

    /// Queues by name: who waits, who serves, today's figures.
    fn queues(&self, tenant: &str) -> Asked<'_, Vec<QueueView>>;

    /// Agents by name: everyone who serves a queue.
    fn agents(&self, tenant: &str) -> Asked<'_, Vec<AgentView>>;

    /// Puts an agent in another state; answers when a restart would not forget it.
    fn set_agent(&self, tenant: &str, user: &str, wish: AgentWish) -> Asked<'_, Result<(), NotSet>>;

    /// Other messages wait for a user than before: telephones that watch their box are told.
    fn messages_changed(&self, tenant: &str, user: &str);

    /// Asks the strategies of a tenant's queues again: one of them is another now.
    fn ask_strategies(&self, tenant: &str);

    /// How each trunk is, in the order of the configuration.
    fn trunks(&self, tenant: &str) -> Asked<'_, Vec<TrunkState>>;

    /// A call that is up on one time axis, oldest first; none for any other.
    fn ladder(&self, tenant: &str, call: CallId) -> Asked<'_, Option<Vec<Rung>>>;

    /// Goes on with another configuration. Calls that are up stay in the world they began in.
    fn reload(&self, world: Arc<World>);

    /// From here on a new call gets 503; those that are up go on. When it is answered, [`Shards::live`] counts them all.
    fn drain(&self) -> Asked<'_, ()>;

    /// Calls that are up, of all tenants.
    fn live(&self) -> usize;

    /// Whether every shard and every listening socket does its work.
    fn ready(&self) -> bool;

    /// Hangs up what is still there, writes what must be written, and ends the threads. Waits for it.
    fn stop(&self);
}

/// Why an agent's state is not as wished.
#[derive(Debug)]
pub enum NotSet {
    /// As [`exchange::Exchange::set_agent`] says; `Failure::Unreachable` when no shard runs.
    Refused(Failure),
    /// The state has changed, and a restart may forget it.
    NotKept(StoreError),
}

/// A call that someone wants begun.
#[derive(Debug, Clone, PartialEq)]
pub struct Wanted {
    /// Rung first; the caller, when it answers.
    pub from: Target,
    /// What it has dialled then.
    pub to: String,
    /// The script that takes the call, and its settings in JSON; else the one that takes calls to `to`.
    pub script: Option<(String, String)>,
    /// How long `from` rings.
    pub ring: Duration,
}

/// A user, as seen now.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct UserState {
    /// The name.
    pub name: String,
    /// The extension.
    pub number: String,
    /// "offline", "free", "ringing" or "busy".
    #[serde(serialize_with = "presence_name")]
    #[schema(value_type = String, example = "free")]
    pub presence: Presence,
    /// Devices that are registered.
    pub contacts: Vec<Contact>,
}

/// A registered device.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Contact {
    /// The Contact URI it gave.
    pub uri: String,
    /// Where its REGISTER came from: address and port.
    pub received: String,
    /// "udp", "tcp", "tls", "ws" or "wss".
    pub transport: String,
    /// Its User-Agent header.
    pub user_agent: Option<String>,
    /// Seconds until the registration ends.
    pub expires_in: u32,
}

/// A trunk, as seen now.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct TrunkState {
    /// The name.
    pub name: String,
    /// Where calls are sent.
    pub address: String,
    /// Whether calls are sent there.
    pub in_service: bool,
    /// "closed": they are; "open": they are not; "half-open": one at a time tries it.
    pub breaker: String,
    /// Calls of the last ten minutes that it carried, and those of them that were answered.
    pub recent_calls: u32,
    /// See `recent_calls`.
    pub recent_answered: u32,
    /// Why not: "no answer", "503", "answers 3 of 40 calls" ...
    pub reason: Option<String>,
    /// When that was seen last, seconds since 1970 UTC; none when never probed.
    pub checked: Option<f64>,
    /// Calls on it.
    pub channels_in_use: u32,
    /// Calls at most.
    pub channels: u32,
    /// Whether the carrier has us registered and sends calls here; none for a trunk without `register`.
    pub registered: Option<bool>,
    /// When that ends if it is not renewed, seconds since 1970 UTC.
    pub registered_until: Option<f64>,
    /// Why the carrier does not register us, or did not the last time: "403", "no answer" ...
    pub not_registered: Option<String>,
}

/// One arrow of a ladder.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Rung {
    /// Seconds since 1970 UTC.
    pub at: f64,
    /// Where it starts: an address, "exchange", "script" or "media".
    pub from: String,
    /// Where it ends; the same as `from` for what happens in one place.
    pub to: String,
    /// "INVITE sip:700@...", "200 OK", "gather \"1\"" ...
    pub what: String,
}

fn presence_name<S: serde::Serializer>(presence: &Presence, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(match presence {
        Presence::Offline => "offline",
        Presence::Free => "free",
        Presence::Ringing => "ringing",
        Presence::Busy => "busy",
    })
}
