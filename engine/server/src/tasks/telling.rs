//! What a tenant's own script hears of call backs: each change is an effect of the outbox in the batch of what caused it,
//! so it is told at least once, in the order of its task, also after a kill, under the same name. The script runs in a
//! sandbox of its own, off the way of calls; its tape stands with that of the last call that the task is about. A run
//! that fails is a dead letter, which a person can have told again; the task goes on as it was.

use std::sync::Arc;

use exchange::{CallId, Direction, LegInfo, LegNo, Party, TaskChange, TaskInfo};
use outbox::{Effect, EffectId, Fate, Report};
use script::{Start, Version};
use serde_json::json;

use super::{Change, Kind, MOST_CALLS, Task};
use crate::archive;
use crate::config::Tenant;
use crate::events::{wall, wall_millis};
use crate::metrics::OfFailure;
use crate::node::Node;
use crate::shard::run_beside;
use crate::words;

/// The kind of such an effect.
pub const KIND: &str = "script";
/// What could not be told by then, because the script was not there or no sandbox was free, is a dead letter.
const DEADLINE: u64 = 24 * 3600 * 1000;
/// In the seed of a run, so that it has another chance than the call's.
const CHANCE: u64 = 0x6368_616e_6765;

impl Node {
    /// Who outside of the store is to be told of changes: a CRM, and the tenant's script.
    pub fn told_of(&self, tenant: &Tenant, changes: &[Change]) -> Vec<(EffectId, Effect)> {
        let mut effects = self.deeds_of(tenant, changes);
        let Some(script) = &tenant.missed.script else { return effects };
        let call_backs = changes.iter().filter(|change| change.task().kind == Kind::CallBack);
        effects.extend(call_backs.map(|change| {
            let id = EffectId { call: change.task().call, number: self.post.number(1) };
            (id, effect(script, id, change))
        }));
        effects
    }

    /// Tells the tenant's script of one change.
    pub async fn tell_script(
        self: &Arc<Self>,
        tenant: &Arc<Tenant>,
        id: EffectId,
        effect: &Effect,
    ) -> Report {
        let Some(script) = tenant.missed.script.as_deref() else {
            return Report::Refused("no script is named in [tenant.missed] any more".to_owned());
        };
        let Ok(change) = serde_json::from_value::<TaskChange>(effect.facts.clone()) else {
            return Report::Refused("what it tells can't be read".to_owned());
        };
        let call = change.task.calls.last().and_then(|call| call.parse().ok()).unwrap_or(id.call);
        let Some(version) = self.scripts.takes(&tenant.name, script, call) else {
            self.count_failure(&tenant.name, script, "missing");
            return later(format!("there is no script \"{script}\""));
        };
        let start = start(tenant, script, call, id, change);
        let task = start.changed.as_ref().map(|change| change.task.id.clone()).unwrap_or_default();
        let run = run_beside(self, tenant.clone(), version.clone(), start);
        let run = match self.script_runtime.spawn(run).await {
            Ok(run) => run,
            Err(why) => return Report::Refused(format!("the engine broke off: {why}")),
        };
        self.metrics.note_run(&tenant.name, script, &version, &run);
        self.watch_run(tenant, script, &version, &run);
        if !run.tape.is_empty() {
            let (node, name, tape) = (self.clone(), tenant.name.clone(), run.tape);
            let add = move || archive::add_later_run(&node, &name, call, id.number, &tape);
            if let Err(why) = self.script_runtime.spawn_blocking(add).await {
                tracing::error!(%call, %why, "what a script did after the call is not on its tape");
            }
        }
        let Some((why, name)) = words::failed(&run.finish) else { return Report::Delivered };
        self.count_failure(&tenant.name, script, name);
        if matches!(run.finish, script::Finish::NoRoom | script::Finish::Suspended) {
            return later(why);
        }
        tracing::warn!(%call, tenant = &*tenant.name, script, task, why, "script failed; the task is as it was");
        let told = json!({
            "script": script,
            "version": version.hash(),
            "task": task,
            "call": call.to_string(),
            "change": id.to_string(),
            "why": name,
        });
        self.events.publish(&tenant.name, "script.failed", told);
        Report::Refused(why)
    }

    /// A run of a script failed, or there is no such script.
    pub fn count_failure(&self, tenant: &str, script: &str, why: &str) {
        let of = OfFailure { tenant: tenant.into(), script: script.into(), why: why.into() };
        self.metrics.script_failures.get_or_create(&of).inc();
    }

    /// A run of a script is over: a shadow is compared with it, and a canary that has become worse takes no more of them.
    pub fn watch_run(
        self: &Arc<Self>,
        tenant: &Arc<Tenant>,
        script: &str,
        version: &Version,
        run: &script::Run,
    ) {
        let Some(reason) = self.scripts.over(tenant, script, run, version.hash()) else { return };
        let (node, tenant, script) = (self.clone(), tenant.name.clone(), script.to_owned());
        self.script_runtime.spawn_blocking(move || {
            // The runs that ended at the same time found it too.
            let Some(version) = node.scripts.roll_back(&tenant, &script, &reason) else { return };
            tracing::warn!(tenant = &*tenant, script, version, reason, "the canary is rolled back");
            let told = json!({ "script": script, "version": version, "reason": reason });
            node.events.publish(&tenant, "script.rolled-back", told);
        });
    }
}

fn effect(script: &str, id: EffectId, change: &Change) -> Effect {
    let now = wall_millis();
    let task = change.task();
    let told = TaskChange {
        id: id.to_string(),
        at: now as f64 / 1000.0,
        event: change.what(),
        task: info(task, now as f64 / 1000.0),
    };
    Effect {
        kind: KIND.to_owned(),
        recipient: script.to_owned(),
        destination: format!("{KIND} {script}"),
        occasion: change.what().name().to_owned(),
        facts: serde_json::to_value(told).expect("plain data has a JSON form"),
        order: Some(format!("task {}", task.id())),
        digest: None,
        written: now,
        not_before: now,
        deadline: now + DEADLINE,
        fate: Fate::default(),
    }
}

/// A task, as scripts see it.
fn info(task: &Task, now: f64) -> TaskInfo {
    let recordings = &task.recordings[task.recordings.len().saturating_sub(MOST_CALLS)..];
    TaskInfo {
        id: task.id().to_string(),
        state: task.state.into(),
        number: task.number.clone(),
        name: task.name.clone(),
        contact: task.contact.clone(),
        title: task.title.clone(),
        responsible: task.responsible.clone(),
        due: task.due,
        late: task.due.is_some_and(|due| due < task.closed.unwrap_or(now)),
        opened: task.opened,
        closed: task.closed,
        closed_by: task.closed_by.clone(),
        dialled: task.dialled.clone(),
        queue: Some(task.queue.clone()).filter(|queue| !queue.is_empty()),
        missed: task.missed,
        last: task.last,
        calls: task.calls.iter().map(ToString::to_string).collect(),
        recordings: recordings.to_vec(),
        notes: task.notes.clone(),
    }
}

/// What a run begins with: the caller of the call is who is to be called back.
fn start(tenant: &Tenant, script: &str, call: CallId, id: EffectId, change: TaskChange) -> Start {
    let task = &change.task;
    let name = Some(task.name.clone()).filter(|name| !name.is_empty());
    Start {
        call,
        tenant: tenant.name.clone(),
        script: script.into(),
        caller: LegInfo {
            leg: LegNo::CALLER,
            party: Party { number: task.number.clone(), name, uri: format!("tel:{}", task.number) },
            dialled: task.dialled.clone(),
            direction: Direction::Inbound,
            user: None,
            headers: Default::default(),
            language: tenant.language.clone(),
        },
        settings: tenant.missed.settings.as_str().into(),
        seed: call.0 as u64 ^ CHANCE ^ u64::from(id.number),
        started: wall(),
        ended: None,
        changed: Some(Box::new(change)),
    }
}

fn later(why: String) -> Report {
    Report::Failed { why, after: None }
}
