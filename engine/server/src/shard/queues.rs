//! Queues between exchange and world: a question to a strategy runs in its sandbox on a thread that may wait, and comes
//! back into the inbox; what an agent wished is kept in the store; the tenant's midnight begins the figures anew.

use std::sync::Arc;
use std::time::{Duration, Instant};

use exchange::{About, AgentWish, Decided, KeptAgent, Question};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};
use script::{Decision, Limits, Version};
use serde_json::{Map, Value, json};
use store::{Batch, StoreError, layout};
use tokio::sync::oneshot;

use super::{Input, Shard};
use crate::config::Tenant;
use crate::facts;
use crate::metrics::{OfFailure, OfScript};
use crate::node::{Node, log_row};
use crate::shards::NotSet;
use crate::words;

/// How long to wait where no day is to begin: the clock may be set meanwhile.
const LONGEST_DAY: Duration = Duration::from_secs(24 * 3600);

/// A question to a strategy, on its way.
struct Asked {
    tenant: String,
    queue: String,
    strategy: String,
    question: Question,
    at: Instant,
}

impl Shard {
    /// Asks a strategy; `Input::Decided` brings its answer.
    pub(super) fn decide(
        &mut self,
        ticket: u64,
        tenant: String,
        queue: String,
        strategy: String,
        question: Question,
    ) {
        let of = self.world.tenant(&tenant).cloned();
        let version = self.around.node.scripts.active(&tenant, &strategy);
        if let Some(version) = &version {
            self.exchange.set_strategy_version(ticket, version.hash());
        }
        let asked = Asked { tenant, queue, strategy, question, at: Instant::now() };
        let (shards, number, node) = (self.shards.clone(), self.number, self.around.node.clone());
        let runtime = node.script_runtime.clone();
        runtime.spawn_blocking(move || {
            let answer = match (of, version) {
                (Some(of), Some(version)) => asked.ask(&node, &of, &version),
                (_, None) => {
                    asked.count_failure(&node, "missing");
                    Err(format!("there is no strategy \"{}\"", asked.strategy))
                }
                (None, _) => Err("the tenant is no longer configured".to_owned()),
            };
            shards.hand(number, Input::Decided(ticket, answer));
        });
    }

    /// A strategy has answered.
    pub(super) fn decided(&mut self, now: Instant, ticket: u64, answer: Result<Decided, String>) {
        self.with_people(|exchange, people, effects| {
            exchange.handle_decision(now, ticket, answer, people, effects);
        });
    }

    /// Someone wishes an agent in another state, and hears when that is durable.
    pub(super) fn set_agent(
        &mut self,
        now: Instant,
        tenant: &str,
        user: &str,
        wish: AgentWish,
        reply: oneshot::Sender<Result<(), NotSet>>,
    ) {
        let seen = self.effects.len();
        let set = self.with_people(|exchange, people, effects| {
            exchange.set_agent(now, tenant, user, wish, people, effects)
        });
        if let Err(why) = set {
            drop(reply.send(Err(NotSet::Refused(why))));
            return self.settle(now);
        }
        let mut kept = None;
        let mut others = Vec::new();
        for effect in self.effects.drain(seen..) {
            match effect {
                exchange::Effect::KeepAgent { tenant: of, user: who, kept: new }
                    if of == tenant && who == user =>
                {
                    kept = Some(new);
                }
                other => others.push(other),
            }
        }
        self.effects.extend(others);
        match kept {
            Some(kept) => {
                let done = move |result: Result<(), StoreError>| {
                    drop(reply.send(result.map_err(NotSet::NotKept)));
                };
                self.keep_agent(tenant, user, &kept, Box::new(done));
            }
            None => drop(reply.send(Ok(()))),
        }
        self.settle(now);
    }

    /// Writes what must be known of an agent after a restart.
    pub(super) fn keep_agent(&self, tenant: &str, user: &str, kept: &KeptAgent, done: store::Done) {
        let key = layout::agent(tenant, user);
        let batch = match *kept == KeptAgent::default() {
            true => Batch::new().delete(key),
            false => Batch::new().put(key, serde_json::to_vec(kept).expect("texts have a JSON form")),
        };
        let node = self.around.node.clone();
        let (tenant, user) = (tenant.to_owned(), user.to_owned());
        let told = move |result: Result<(), StoreError>| {
            if let Err(why) = &result {
                node.metrics.store_failures.inc();
                tracing::error!(tenant, user, %why, "the state of an agent is not kept; a restart would lose it");
            }
            done(result);
        };
        self.around.node.store.commit(batch, Box::new(told));
    }

    /// Takes back what the store kept of this shard's agents.
    pub(super) fn restore_agents(&mut self) {
        let count = self.shards.boxes.len();
        let mut scan = layout::agents();
        loop {
            let page = match self.around.node.store.scan(&scan) {
                Ok(page) => page,
                Err(why) => return tracing::error!(%why, "the state of agents can't be read"),
            };
            let Some((last, _)) = page.last() else { return };
            scan = layout::agents().behind(last);
            for (key, value) in &page {
                let Some((tenant, user)) = layout::read_agent(key) else { continue };
                if self.shards.gate.shard_of(&tenant, count) != self.number {
                    continue;
                }
                match serde_json::from_slice(value) {
                    Ok(kept) => self.exchange.restore_agent(&tenant, &user, kept),
                    Err(why) => tracing::error!(tenant, user, %why, "the state of an agent can't be read"),
                }
            }
        }
    }

    /// Devices came or went.
    pub(super) fn people_changed(&mut self, now: Instant, tenant: &str) {
        if self.world.tenant(tenant).is_some_and(|tenant| !tenant.queues.is_empty()) {
            self.with_people(|exchange, people, effects| {
                exchange.people_changed(now, tenant, people, effects);
            });
        }
    }

    /// Begins the day of every tenant whose midnight has passed.
    pub(super) fn begin_days(&mut self, now: Instant) {
        let at = Timestamp::now();
        for tenant in self.days.turn(at) {
            self.exchange.new_day(now, &tenant);
        }
        self.next_day = now + self.days.next(at);
    }

    /// Something of a queue or an agent, for those who watch, and on the tape of the call that it is about.
    pub(super) fn tell(&mut self, tenant: &str, kind: &'static str, about: Vec<(&'static str, String)>) {
        if kind == "strategy.failed" {
            tracing::warn!(tenant, ?about, "a strategy failed; longest-idle takes its decision");
        }
        if kind == "queue.closed" {
            tracing::warn!(
                tenant,
                ?about,
                "a queue is configured no longer, and callers were promised a call back in it"
            );
        }
        if kind == "queue.left"
            && let Some(tenant) = self.world.tenant(tenant)
        {
            self.around.node.post_late(tenant, &about);
        }
        let now = Instant::now();
        self.written.changed(now);
        if let Some((call, fact)) = facts::of_event(self.exchange.wall(now), kind, &about) {
            self.note_fact(call, fact);
        }
        let data: Map<String, Value> =
            about.into_iter().map(|(name, value)| (name.to_owned(), Value::String(value))).collect();
        self.around.node.events.publish(tenant, kind, Value::Object(data));
    }
}

impl Asked {
    /// Waits for the sandbox: as long as the tenant's `strategy_cpu` at most, and a moment.
    fn ask(&self, node: &Node, tenant: &Tenant, version: &Version) -> Result<Decided, String> {
        let set = &tenant.limits;
        let limits = Limits {
            memory: set.script_memory as usize,
            stretch: set.strategy_cpu,
            log_line: set.log_line as usize,
            log: set.log_call as usize,
            ..Limits::strategy()
        };
        let (sandboxes, now) = (&node.scripts.sandboxes, &self.question.snapshot);
        let answer = match self.question.about {
            About::Admit { who } => {
                sandboxes.admit(version, now, who, &limits).map(|d| self.heard(node, d, Decided::Admission))
            }
            About::Rank => {
                sandboxes.rank(version, now, &limits).map(|d| self.heard(node, d, Decided::Ranking))
            }
            About::ExpectedWait { who } => sandboxes
                .expected_wait(version, now, who, &limits)
                .map(|d| self.heard(node, d, Decided::Length)),
            About::Announce { who, said } => sandboxes
                .announce(version, now, who, said, &limits)
                .map(|d| self.heard(node, d, Decided::Announcement)),
            About::OnDigit { who, key } => sandboxes
                .on_digit(version, now, who, key, &limits)
                .map(|d| self.heard(node, d, Decided::KeyAction)),
        };
        let of = OfScript { tenant: self.tenant.clone(), script: self.strategy.clone() };
        node.metrics.strategy_decision.get_or_create(&of).observe(self.at.elapsed().as_secs_f64());
        answer.map_err(|finish| {
            let (why, name) = words::failed(&finish).unwrap_or_else(|| (format!("{finish:?}"), "failed"));
            self.count_failure(node, name);
            self.log(node, "error", &format!("{} failed: {why}", self.question.about.name()));
            why
        })
    }

    fn heard<T>(&self, node: &Node, decision: Decision<T>, kind: impl FnOnce(T) -> Decided) -> Decided {
        for (level, message) in &decision.log {
            self.log(node, level.name(), message);
        }
        kind(decision.answer)
    }

    fn log(&self, node: &Node, level: &str, message: &str) {
        let data = json!({ "queue": self.queue, "level": level, "message": message });
        node.logs.publish(&log_row(&self.tenant, &self.strategy), "script.log", data);
    }

    fn count_failure(&self, node: &Node, why: &str) {
        let of = OfFailure { tenant: self.tenant.clone(), script: self.strategy.clone(), why: why.into() };
        node.metrics.script_failures.get_or_create(&of).inc();
    }
}

/// The days of the tenants that have queues.
#[derive(Default)]
pub(super) struct Days(Vec<(Arc<str>, TimeZone, Date)>);

impl Days {
    /// Makes the list fit the configuration; a day that has begun goes on.
    pub fn configure<'t>(&mut self, at: Timestamp, tenants: impl Iterator<Item = &'t Arc<Tenant>>) {
        let old = std::mem::take(&mut self.0);
        for tenant in tenants.filter(|tenant| !tenant.queues.is_empty()) {
            let begun = old.iter().find(|(name, ..)| *name == tenant.name).map(|(.., date)| *date);
            let zone = tenant.timezone.clone();
            let date = begun.unwrap_or_else(|| at.to_zoned(zone.clone()).date());
            self.0.push((tenant.name.clone(), zone, date));
        }
    }

    /// Each tenant's day.
    pub fn dates(&self) -> Vec<(Arc<str>, Date)> {
        self.0.iter().map(|(tenant, _, date)| (tenant.clone(), *date)).collect()
    }

    /// Those whose day it is no longer; theirs is today from here on.
    fn turn(&mut self, at: Timestamp) -> Vec<Arc<str>> {
        let mut turned = Vec::new();
        for (tenant, zone, date) in &mut self.0 {
            let today = at.to_zoned(zone.clone()).date();
            if *date != today {
                *date = today;
                turned.push(tenant.clone());
            }
        }
        turned
    }

    /// Until the next midnight of any of them.
    fn next(&self, at: Timestamp) -> Duration {
        let midnight = |(_, zone, date): &(Arc<str>, TimeZone, Date)| {
            let midnight = date.saturating_add(1.day()).to_zoned(zone.clone()).ok()?;
            Duration::try_from(midnight.timestamp().duration_since(at)).ok()
        };
        self.0.iter().filter_map(midnight).min().unwrap_or(LONGEST_DAY).min(LONGEST_DAY)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_begins_at_the_midnight_of_its_tenant() {
        let days = |zone: &str, at: Timestamp| {
            let zone = TimeZone::get(zone).expect("a zone of the database");
            let date = at.to_zoned(zone.clone()).date();
            Days(vec![("acme".into(), zone, date)])
        };
        let at = |text: &str| -> Timestamp { text.parse().expect("a moment") };
        // Sofia is three hours ahead of UTC in summer; the day of 29 March 2026 has 23 hours.
        let mut sofia = days("Europe/Sofia", at("2026-06-30T20:59:00Z"));
        assert_eq!(sofia.next(at("2026-06-30T20:59:00Z")), Duration::from_secs(60));
        assert_eq!(sofia.turn(at("2026-06-30T20:59:59Z")), []);
        assert_eq!(sofia.turn(at("2026-06-30T21:00:00Z")), ["acme".into()]);
        assert_eq!(sofia.turn(at("2026-06-30T21:00:01Z")), []);
        assert_eq!(sofia.next(at("2026-06-30T21:00:00Z")), Duration::from_secs(24 * 3600));
        let short = days("Europe/Sofia", at("2026-03-28T22:00:00Z"));
        assert_eq!(short.next(at("2026-03-28T22:00:00Z")), Duration::from_secs(23 * 3600));
        assert_eq!(Days::default().next(at("2026-03-28T22:00:00Z")), LONGEST_DAY);
    }
}
