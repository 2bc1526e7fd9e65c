//! The doors of a shard's queues: strategies answer, agents wish, what was kept comes back; and what follows
//! from all that for calls.

use std::time::Instant;

use super::Exchange;
use crate::call::Call;
use crate::directory::Directory;
use crate::effect::Effect;
use crate::queue::{
    AgentView, AgentWish, Decided, Floor, KeptAgent, KeptCallBack, KeptFigures, KeptWork, Moment, Order,
    PlaceId, QueueView,
};
use crate::verb::{Failure, LegNo};

impl Exchange {
    /// Which version of its strategy is asked, by `Effect::Decide`; for those who ask why.
    pub fn set_strategy_version(&mut self, ticket: u64, version: &str) {
        self.floor.set_version(ticket, version);
    }

    /// A strategy's answer to `Effect::Decide`, or why there is none: longest-idle takes the decision
    /// then. One that comes too late is ignored.
    pub fn handle_decision(
        &mut self,
        now: Instant,
        ticket: u64,
        answer: Result<Decided, String>,
        directory: &dyn Directory,
        out: &mut Vec<Effect>,
    ) {
        self.with_floor(now, directory, out, |floor, moment| floor.handle_decision(ticket, answer, moment));
    }

    /// Someone wishes an agent in another state.
    ///
    /// # Errors
    /// `NotFound`: no such user, or queue. `Invalid`: the reason is too long. `Limit`: the queue has as
    /// many agents as it may.
    pub fn set_agent(
        &mut self,
        now: Instant,
        tenant: &str,
        user: &str,
        wish: AgentWish,
        directory: &dyn Directory,
        out: &mut Vec<Effect>,
    ) -> Result<(), Failure> {
        self.with_floor(now, directory, out, |floor, moment| floor.set_agent(tenant, user, wish, moment))
    }

    /// What was kept of an agent by `Effect::KeepAgent`; before the first `people_changed` of the tenant.
    pub fn restore_agent(&mut self, tenant: &str, user: &str, kept: KeptAgent) {
        self.floor.restore_agent(tenant, user, kept);
    }

    /// What was wanted by `Effect::KeepCallBack` is done, or can't be, and why.
    pub fn handle_kept(
        &mut self,
        now: Instant,
        ticket: u64,
        kept: Result<(), String>,
        directory: &dyn Directory,
        out: &mut Vec<Effect>,
    ) {
        self.with_floor(now, directory, out, |floor, moment| floor.handle_kept(ticket, kept, moment));
    }

    /// What was kept by `Effect::KeepCallBack` and not forgotten; after the first `people_changed` of the
    /// tenant, and those who came first before the others. One in a queue that is not configured waits until the
    /// queue is, or the promise is too old.
    pub fn restore_call_back(
        &mut self,
        now: Instant,
        tenant: &str,
        kept: KeptCallBack,
        directory: &dyn Directory,
        out: &mut Vec<Effect>,
    ) {
        self.with_floor(now, directory, out, |floor, moment| floor.restore_call_back(tenant, kept, moment))
    }

    /// The day of each of a tenant's queues so far, to be kept for `restore_figures`.
    pub fn kept_figures(&self, tenant: &str) -> Vec<(String, KeptFigures)> {
        self.floor.kept_figures(tenant)
    }

    /// The day of each of a tenant's agents so far, to be kept for `restore_work`.
    pub fn kept_work(&self, tenant: &str) -> Vec<(String, KeptWork)> {
        self.floor.kept_work(tenant)
    }

    /// What was kept of a queue, after the first `people_changed` of the tenant and before call backs are
    /// restored. On another day (`today` is false) only what conversations take is taken from it. False:
    /// there is no such queue.
    pub fn restore_figures(&mut self, tenant: &str, queue: &str, kept: KeptFigures, today: bool) -> bool {
        self.floor.restore_figures(tenant, queue, kept, today)
    }

    /// What was kept of an agent today, after the first `people_changed` of the tenant. False: nobody of
    /// that name serves a queue.
    pub fn restore_work(&mut self, tenant: &str, user: &str, kept: KeptWork) -> bool {
        self.floor.restore_work(tenant, user, kept)
    }

    /// Devices were registered or have gone, or the configuration is another: queues and agents of the
    /// tenant are looked up again. Also to be called once for each tenant at the start.
    pub fn people_changed(
        &mut self,
        now: Instant,
        tenant: &str,
        directory: &dyn Directory,
        out: &mut Vec<Effect>,
    ) {
        self.with_floor(now, directory, out, |floor, moment| floor.people_changed(tenant, moment));
    }

    /// The tenant's day begins: figures of today start anew.
    pub fn new_day(&mut self, now: Instant, tenant: &str) {
        self.floor.new_day(tenant, now);
    }

    /// A tenant's queues by name.
    pub fn queues(&self, now: Instant, tenant: &str) -> Vec<QueueView> {
        self.floor.queues(tenant, now)
    }

    /// A tenant's agents by name: everyone who serves a queue.
    pub fn agents(&self, now: Instant, tenant: &str) -> Vec<AgentView> {
        self.floor.agents(tenant, now)
    }

    pub(super) fn with_floor<T>(
        &mut self,
        now: Instant,
        directory: &dyn Directory,
        out: &mut Vec<Effect>,
        step: impl FnOnce(&mut Floor, &mut Moment) -> T,
    ) -> T {
        let wall = self.wall(now);
        let done = step(&mut self.floor, &mut Moment { now, wall, directory, load: &self.load, out });
        self.settle(now, directory, out);
        done
    }

    /// Queues hear whose telephones ring or rest, calls get what queues want of them, until all is still.
    pub(super) fn settle(&mut self, now: Instant, directory: &dyn Directory, out: &mut Vec<Effect>) {
        let wall = self.wall(now);
        loop {
            let seats = std::mem::take(&mut self.load.changed);
            if self.lamps.is_some() {
                self.note_lamps(&seats);
            }
            let mut moment = Moment { now, wall, directory, load: &self.load, out };
            self.floor.seats_changed(seats, &mut moment);
            if let Some((call, place, order)) = self.floor.orders.pop_front() {
                self.with_call(now, call, directory, out, |call, around| {
                    call.handle_order(place, order, around);
                });
            } else if let Some(place) = self.floor.call_backs.pop_front() {
                self.call_back(now, place, directory, out);
            } else if self.load.changed.is_empty() {
                let mut moment = Moment { now, wall, directory, load: &self.load, out };
                self.floor.pump(&mut moment);
                return;
            }
        }
    }

    /// Begins a call that rings agents for someone who is to be called back.
    fn call_back(&mut self, now: Instant, place: PlaceId, directory: &dyn Directory, out: &mut Vec<Effect>) {
        let wall = self.wall(now);
        let mut moment = Moment { now, wall, directory, load: &self.load, out };
        let Some((queue, promised_in, origin)) = self.floor.call_back_origin(place, &mut moment) else {
            return;
        };
        if self.reached_limit(now, &origin.tenant, directory).is_some() {
            let mut moment = Moment { now, wall, directory, load: &self.load, out };
            return self.floor.call_back_failed(place, &mut moment);
        }
        let id = self.name_call(wall);
        let key = self.keys.leg(id, LegNo::CALLER);
        self.tallies.entry(origin.tenant.clone()).or_default().calls += 1;
        out.push(Effect::Begun { call: id, tenant: origin.tenant.clone() });
        let mut call = Call::originate(id, key, &origin, &mut self.around(now, wall, directory, out));
        call.stand_for(place, queue, promised_in);
        self.calls.insert(id, call);
        match self.floor.begin_call_back(place, id, now) {
            Some(ringing) => self.with_call(now, id, directory, out, |call, around| {
                call.handle_order(place, Order::Ring(ringing), around);
            }),
            None => self.with_call(now, id, directory, out, |call, around| {
                call.handle_order(place, Order::GiveUp, around);
            }),
        }
    }
}
