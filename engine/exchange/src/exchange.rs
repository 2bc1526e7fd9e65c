//! One shard: its calls, the legs that belong to them, their deadlines and each tenant's limits. A
//! tenant lives whole on one shard, so an offer needs no lock. Its queues have their doors in `queues.rs`,
//! and what one call wants of another is in `meeting.rs`.

mod meeting;
mod queues;
mod recovery;

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::time::{Duration, Instant};

use crate::call::{Around, Call};
use crate::directory::Directory;
use crate::effect::{Arrival, Effect, Event, LegKey, Note, Origin, Signal, Token};
use crate::load::{Load, Seat};
use crate::queue::Floor;
use crate::tolls::Tolls;
use crate::verb::{Answer, CallId, Command, Failure, LegInfo, LegNo, Presence, Supervision, Target};

/// Calls of one shard; the next one gets 503.
const MOST_CALLS: usize = 50_000;

/// How a script's run ended, as far as the call is concerned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finish {
    /// It returned; a hand-over it asked for takes effect now.
    Returned,
    /// It left because the caller did.
    HungUp,
    /// It failed, trapped, or could not be run: the number's fallback takes over.
    Failed {
        /// In words, with the Wasm backtrace where there is one.
        why: String,
    },
}

/// A call that is up, as the API lists it.
#[derive(Clone, Debug, PartialEq)]
pub struct LiveCall {
    /// The call.
    pub id: CallId,
    /// The tenant's name.
    pub tenant: String,
    /// Who called what.
    pub caller: LegInfo,
    /// The script that decides, by name, and its version.
    pub script: String,
    /// The version's hash, empty while it is not known.
    pub version: String,
    /// Seconds since 1970 UTC.
    pub started: f64,
    /// Legs that are not over.
    pub legs: usize,
}

/// Hands out names that are never used twice.
pub(crate) struct Keys {
    next_leg: u64,
    next_token: Token,
    seed: u64,
    legs: HashMap<LegKey, (CallId, LegNo)>,
}

impl Keys {
    pub fn leg(&mut self, call: CallId, no: LegNo) -> LegKey {
        self.next_leg += 1;
        let key = LegKey(self.next_leg);
        self.legs.insert(key, (call, no));
        key
    }

    pub fn token(&mut self) -> Token {
        self.next_token += 1;
        self.next_token
    }

    /// The leg of this key is that one from now on.
    pub fn give(&mut self, key: LegKey, call: CallId, no: LegNo) {
        self.legs.insert(key, (call, no));
    }

    /// splitmix64: chance from the seed alone.
    pub fn chance(&mut self) -> u64 {
        self.seed = self.seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.seed;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
}

/// Counts one tenant's calls against its limits.
#[derive(Default)]
struct Tally {
    calls: u32,
    second: Option<Instant>,
    arrivals: u32,
}

/// One shard of the exchange.
pub struct Exchange {
    /// An instant and what the wall clock said then, in seconds since 1970 UTC.
    epoch: (Instant, f64),
    keys: Keys,
    load: Load,
    tolls: Tolls,
    floor: Floor,
    calls: HashMap<CallId, Call>,
    tallies: HashMap<String, Tally>,
    /// May name deadlines that have moved; the call knows.
    timers: BinaryHeap<Reverse<(Instant, CallId)>>,
    draining: bool,
    /// Users whose telephones began or ended to ring or to talk, while somebody wants to know.
    lamps: Option<Vec<(String, String)>>,
}

impl Exchange {
    /// `wall`: seconds since 1970 UTC at `now`. All chance comes from `seed`. Leg keys count up from
    /// `first_leg`, so that several shards can share the names of one media plane.
    pub fn new(now: Instant, wall: f64, seed: u64, first_leg: u64) -> Self {
        Self {
            epoch: (now, wall),
            keys: Keys { next_leg: first_leg, next_token: 0, seed, legs: HashMap::new() },
            load: Load::default(),
            tolls: Tolls::default(),
            floor: Floor::new(seed),
            calls: HashMap::new(),
            tallies: HashMap::new(),
            timers: BinaryHeap::new(),
            draining: false,
            lamps: None,
        }
    }

    /// A call arrives. Answers the key of its leg, by which it is spoken of from now on; it may
    /// already have been refused, with 503, for a limit.
    pub fn arrive(
        &mut self,
        now: Instant,
        arrival: Arrival,
        directory: &dyn Directory,
        out: &mut Vec<Effect>,
    ) -> (CallId, LegKey) {
        let wall = self.wall(now);
        let id = self.name_call(wall);
        let key = self.keys.leg(id, LegNo::CALLER);
        let limit = self.reached_limit(now, &arrival.tenant, directory);
        if let Some(limit) = limit.or_else(|| self.full_trunk(&arrival, directory)) {
            self.keys.legs.remove(&key);
            let about = format!("limit reached: {limit}");
            let tenant = arrival.tenant;
            out.push(Effect::Note(Note {
                tenant,
                call: id,
                kind: "call.refused",
                leg: LegNo::CALLER,
                about,
            }));
            out.push(Effect::Signal(
                key,
                Signal::Refuse { status: 503, reason: "Service Unavailable".into() },
            ));
            return (id, key);
        }
        self.tallies.entry(arrival.tenant.clone()).or_default().calls += 1;
        let call = Call::new(id, key, arrival, &mut self.around(now, wall, directory, out));
        if let Some(due) = call.next_timeout() {
            self.timers.push(Reverse((due, id)));
        }
        self.calls.insert(id, call);
        self.settle(now, directory, out);
        (id, key)
    }

    /// Begins a call: rings until someone answers, who is its caller from then on, leg 0, with the
    /// route's script (`Effect::Start`). When nobody does, the call ends with a record of outcome
    /// missed, after `Effect::OriginFailed`. Both may have happened when this returns.
    ///
    /// # Errors
    /// `Failure::Limit`: the tenant has as many calls as it may, or the exchange stops.
    pub fn originate(
        &mut self,
        now: Instant,
        origin: Origin,
        directory: &dyn Directory,
        out: &mut Vec<Effect>,
    ) -> Result<CallId, Failure> {
        if let Some(limit) = self.reached_limit(now, &origin.tenant, directory) {
            return Err(Failure::Limit(limit.into()));
        }
        let wall = self.wall(now);
        let id = self.name_call(wall);
        let key = self.keys.leg(id, LegNo::CALLER);
        self.tallies.entry(origin.tenant.clone()).or_default().calls += 1;
        let call = Call::originate(id, key, &origin, &mut self.around(now, wall, directory, out));
        self.calls.insert(id, call);
        self.step(now, id, directory, out, |call, around| call.ring_origin(origin, around));
        Ok(id)
    }

    fn name_call(&mut self, wall: f64) -> CallId {
        let chance = u128::from(self.keys.chance()) << 64 | u128::from(self.keys.chance());
        CallId::new((wall * 1000.0) as u64, chance)
    }

    fn reached_limit(
        &mut self,
        now: Instant,
        tenant: &str,
        directory: &dyn Directory,
    ) -> Option<&'static str> {
        if self.draining {
            return Some("shutting down");
        }
        if self.calls.len() >= MOST_CALLS {
            return Some("calls of the exchange");
        }
        let limits = directory.limits(tenant);
        let tally = self.tallies.entry(tenant.into()).or_default();
        if tally.second.is_none_or(|began| now.duration_since(began) >= Duration::from_secs(1)) {
            tally.second = Some(now);
            tally.arrivals = 0;
        }
        tally.arrivals += 1;
        if tally.calls >= limits.concurrent_calls {
            return Some("concurrent_calls");
        }
        (tally.arrivals > limits.calls_per_second).then_some("calls_per_second")
    }

    /// Whether the carrier sends more calls at once than it may.
    fn full_trunk(&self, arrival: &Arrival, directory: &dyn Directory) -> Option<&'static str> {
        let (tenant, trunk) = (arrival.tenant.clone(), arrival.trunk.clone()?);
        let most = directory.trunks(&tenant).into_iter().find(|known| known.name == trunk)?.channels_in;
        let out = self.load.taken(&Seat::TrunkOut { tenant: tenant.clone(), trunk: trunk.clone() });
        let all = self.load.taken(&Seat::Trunk { tenant, trunk });
        (most > 0 && all.saturating_sub(out) >= most).then_some("channels_in")
    }

    /// A command of the call's script; its answer leaves as `Effect::Reply`.
    pub fn handle_command(
        &mut self,
        now: Instant,
        call: CallId,
        command: Command,
        directory: &dyn Directory,
        out: &mut Vec<Effect>,
    ) {
        self.step(now, call, directory, out, |call, around| call.handle_command(command, around));
    }

    /// What came of a call's `Fetch`, which the server carries out beside the exchange: `Answer::Fetched` or
    /// `Answer::Failed`. Of no effect when the script waits for it no longer, because the caller has left or
    /// the time was up.
    pub fn handle_fetched(
        &mut self,
        now: Instant,
        call: CallId,
        answer: Answer,
        directory: &dyn Directory,
        out: &mut Vec<Effect>,
    ) {
        self.step(now, call, directory, out, |call, around| call.handle_fetched(answer, around));
    }

    /// What signalling or sound reports of a leg; unknown legs are ignored, they are over.
    pub fn handle_event(
        &mut self,
        now: Instant,
        leg: LegKey,
        event: Event,
        directory: &dyn Directory,
        out: &mut Vec<Effect>,
    ) {
        let Some((call, no)) = self.keys.legs.get(&leg).copied() else { return };
        self.step(now, call, directory, out, |call, around| call.handle_event(no, event, around));
    }

    /// The run of the call's script ended.
    pub fn handle_finish(
        &mut self,
        now: Instant,
        call: CallId,
        finish: Finish,
        directory: &dyn Directory,
        out: &mut Vec<Effect>,
    ) {
        self.step(now, call, directory, out, |call, around| call.handle_finish(finish, around));
    }

    /// Someone wants the call ended. Answers whether there is such a call.
    pub fn hang_up(
        &mut self,
        now: Instant,
        call: CallId,
        directory: &dyn Directory,
        out: &mut Vec<Effect>,
    ) -> bool {
        let there = self.calls.contains_key(&call);
        self.step(now, call, directory, out, |call, around| call.handle_hang_up(around));
        there
    }

    /// Rings a supervisor, who takes part in the conversation of a call when the telephone is
    /// answered, and leaves with it; for one who is there already, or rings, it changes the way of
    /// taking part. The call's script notices nothing.
    ///
    /// # Errors
    /// `NotFound`: no such call of this tenant, or no such user. `Invalid`: nobody talks on it now.
    /// `Limit`: it has as many supervisors as it may, or legs. `Busy`: the user is on this call.
    /// `Unreachable`: there is no telephone to ring.
    #[allow(clippy::too_many_arguments)]
    pub fn supervise(
        &mut self,
        now: Instant,
        tenant: &str,
        call: CallId,
        who: Target,
        mode: Supervision,
        directory: &dyn Directory,
        out: &mut Vec<Effect>,
    ) -> Result<(), Failure> {
        let mut done = Err(Failure::NotFound("call".into()));
        if self.calls.get(&call).is_some_and(|call| call.tenant == tenant) {
            self.step(now, call, directory, out, |call, around| {
                done = call.supervise(who, mode, around);
            });
        }
        done
    }

    /// Leaves out of a call's recordings what is said from here on, or has it in them again.
    ///
    /// # Errors
    /// `NotFound`: no such call of this tenant. `Invalid`: nothing is recorded now.
    pub fn pause_recordings(
        &mut self,
        now: Instant,
        tenant: &str,
        call: CallId,
        paused: bool,
        directory: &dyn Directory,
        out: &mut Vec<Effect>,
    ) -> Result<(), Failure> {
        let mut done = Err(Failure::NotFound("call".into()));
        if self.calls.get(&call).is_some_and(|call| call.tenant == tenant) {
            self.step(now, call, directory, out, |call, around| done = call.pause_recordings(paused, around));
        }
        done
    }

    /// Which version of its script the call runs on; kept for the record.
    pub fn set_version(&mut self, call: CallId, version: &str) {
        if let Some(call) = self.calls.get_mut(&call)
            && call.version.is_empty()
        {
            call.version = version.into();
        }
    }

    /// The script that took the call goes on with this version.
    pub fn version_changed(&mut self, call: CallId, version: &str) {
        if let Some(call) = self.calls.get_mut(&call) {
            call.version = version.into();
        }
    }

    /// The SIP Call-ID of a leg that was begun; kept for the record.
    pub fn set_sip_call_id(&mut self, leg: LegKey, sip_call_id: &str) {
        if let Some((call, no)) = self.keys.legs.get(&leg)
            && let Some(call) = self.calls.get_mut(call)
        {
            call.legs[no.0 as usize].record.sip_call_id = sip_call_id.into();
        }
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Instant, directory: &dyn Directory, out: &mut Vec<Effect>) {
        while let Some(Reverse((due, id))) = self.timers.peek().copied() {
            if due > now {
                break;
            }
            self.timers.pop();
            let is_due = self.calls.get(&id).and_then(Call::next_timeout).is_some_and(|at| at <= now);
            if is_due {
                self.step(now, id, directory, out, |call, around| call.handle_timeout(around));
            }
        }
        if self.floor.next_timeout().is_some_and(|due| due <= now) {
            self.with_floor(now, directory, out, |floor, moment| floor.handle_timeout(moment));
        }
    }

    /// When to call `handle_timeout` next; it may prove to be too early.
    pub fn next_timeout(&self) -> Option<Instant> {
        self.timers.peek().map(|Reverse((due, _))| *due).into_iter().chain(self.floor.next_timeout()).min()
    }

    /// New calls get 503 from here on; the others go on.
    pub fn drain(&mut self) {
        self.draining = true;
    }

    /// Calls that are up, in no order.
    pub fn calls(&self) -> impl Iterator<Item = LiveCall> {
        self.calls.values().map(|call| LiveCall {
            id: call.id,
            tenant: call.tenant.clone(),
            caller: call.caller().info.clone(),
            script: call.route.script.clone(),
            version: call.version.clone(),
            started: call.started,
            legs: call.legs.iter().filter(|leg| !leg.is_over()).count(),
        })
    }

    /// How many calls are up.
    pub fn len(&self) -> usize {
        self.calls.len()
    }

    /// Whether no call is up. Nothing is kept then: no leg, no seat.
    pub fn is_empty(&self) -> bool {
        debug_assert!(
            !self.calls.is_empty()
                || self.load.is_empty()
                    && self.tolls.is_empty()
                    && self.keys.legs.is_empty()
                    && self.floor.is_empty()
        );
        self.calls.is_empty()
    }

    /// Which call, and which of its legs, a key names.
    pub fn leg(&self, key: LegKey) -> Option<(CallId, LegNo)> {
        self.keys.legs.get(&key).copied()
    }

    /// The SIP Call-ID of a call's caller, while there is one.
    pub fn sip_call_id_of_caller(&self, call: CallId) -> Option<&str> {
        let caller = self.calls.get(&call)?.caller();
        (!caller.is_over()).then_some(caller.record.sip_call_id.as_str())
    }

    /// From now on [`take_changed_users`](Self::take_changed_users) tells, or no longer.
    pub fn watch_users(&mut self, wanted: bool) {
        self.lamps = if wanted { Some(self.lamps.take().unwrap_or_default()) } else { None };
    }

    /// Tenant and name of users who may do something else than when this was last asked.
    pub fn take_changed_users(&mut self) -> Vec<(String, String)> {
        self.lamps.as_mut().map(std::mem::take).unwrap_or_default()
    }

    fn note_lamps(&mut self, seats: &[Seat]) {
        let Some(lamps) = &mut self.lamps else { return };
        for seat in seats {
            if let Seat::User { tenant, user } = seat
                && !lamps.iter().any(|(of, name)| of == tenant && name == user)
            {
                lamps.push((tenant.clone(), user.clone()));
            }
        }
    }

    /// What a user is doing.
    pub fn presence(&self, tenant: &str, user: &str, registered: bool) -> Presence {
        self.load.presence(tenant, user, registered)
    }

    /// An earlier process counted this for a tenant's calls to carriers, and for the user whose they were: numbers rung,
    /// and time talked, so long `ago`. What is older than an hour counts for nothing.
    pub fn restore_tolls(
        &mut self,
        now: Instant,
        tenant: &str,
        user: Option<&str>,
        ago: Duration,
        calls: u32,
        talked: Duration,
    ) {
        self.tolls.restore(now, tenant, user, ago, calls, talked);
    }

    /// Legs that a carrier carries, ringing or talking.
    pub fn channels(&self, tenant: &str, trunk: &str) -> u32 {
        self.load.taken(&Seat::Trunk { tenant: tenant.into(), trunk: trunk.into() })
    }

    /// The wall clock has been set meanwhile, or has drifted: `wall` is what it says at `now`.
    pub fn set_wall(&mut self, now: Instant, wall: f64) {
        self.epoch = (now, wall);
    }

    /// Seconds since 1970 UTC at `now`.
    pub fn wall(&self, now: Instant) -> f64 {
        self.epoch.1 + now.saturating_duration_since(self.epoch.0).as_secs_f64()
    }

    fn with_call(
        &mut self,
        now: Instant,
        id: CallId,
        directory: &dyn Directory,
        out: &mut Vec<Effect>,
        step: impl FnOnce(&mut Call, &mut Around),
    ) {
        let wall = self.wall(now);
        let Some(call) = self.calls.get_mut(&id) else { return };
        let mut around = Around {
            now,
            wall,
            directory,
            load: &mut self.load,
            tolls: &mut self.tolls,
            keys: &mut self.keys,
            floor: &mut self.floor,
            out,
        };
        let (before, mark) = (call.next_timeout(), call.mark());
        step(call, &mut around);
        call.tend_supervisors(&mut around);
        if ![0, mark].contains(&call.mark()) {
            around.out.push(Effect::Keep { call: id });
        }
        let elsewhere = call.elsewhere.take();
        if call.is_over() {
            around.out.push(match call.is_fruitless() {
                true => Effect::Fruitless { call: id },
                false => Effect::Over(Box::new(call.record(&around))),
            });
            let call = self.calls.remove(&id).expect("it was there a line ago");
            for leg in &call.legs {
                self.keys.legs.remove(&leg.key);
            }
            if let Some(tally) = self.tallies.get_mut(&call.tenant) {
                tally.calls = tally.calls.saturating_sub(1);
            }
        } else if let Some(due) = call.next_timeout().filter(|due| Some(*due) != before) {
            self.timers.push(Reverse((due, id)));
        }
        if let Some(what) = elsewhere {
            self.meet(now, id, what, directory, out);
        }
    }

    fn around<'a>(
        &'a mut self,
        now: Instant,
        wall: f64,
        directory: &'a dyn Directory,
        out: &'a mut Vec<Effect>,
    ) -> Around<'a> {
        Around {
            now,
            wall,
            directory,
            load: &mut self.load,
            tolls: &mut self.tolls,
            keys: &mut self.keys,
            floor: &mut self.floor,
            out,
        }
    }

    /// A step of one call, and what follows from it for queues and other calls.
    fn step(
        &mut self,
        now: Instant,
        id: CallId,
        directory: &dyn Directory,
        out: &mut Vec<Effect>,
        step: impl FnOnce(&mut Call, &mut Around),
    ) {
        self.with_call(now, id, directory, out, step);
        self.settle(now, directory, out);
    }
}
