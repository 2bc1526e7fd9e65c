//! What is written into a CRM outside: tasks, that they are done, and calls. Each is an effect of the outbox with the facts
//! as they were, so it is told at least once, with a key, in the order of its caller, also after an hour without the CRM.

use std::collections::BTreeMap;

use exchange::{CallRecord, Contact, Direction, TaskEvent};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use notices::webhook::rfc3339;
use outbox::{Effect, EffectId, Fate, Report};
use serde::{Deserialize, Serialize};
use store::{Batch, StoreError, layout};

use super::Crm;
use super::number::Digits;
use super::plan::{FIELDS, Tell, Values};
use super::remote::Remote;
use crate::config::Tenant;
use crate::events::wall_millis;
use crate::history;
use crate::node::Node;
use crate::tasks::{Change, Kind, Task, TaskId};

/// The kind of such an effect.
pub const KIND: &str = "crm";
/// What is not told by then is a dead letter.
const DEADLINE: u64 = 3 * 24 * 3600 * 1000;
/// Numbers of these effects among those of a call: behind all notices of its end.
const FIRST_OF_TASKS: u32 = 9_100;
const CALL: u32 = 9_190;
/// Where a task has no deadline and the CRM wants one.
const A_DAY: f64 = 24.0 * 3600.0;

/// What is to be told, as the occasion of its effect.
const CREATE: &str = "create-task";
const DONE: &str = "done-task";
const FINISH: &str = "finish-task";
const LOG: &str = "log-call";

/// The facts of one deed.
#[derive(Debug, Serialize, Deserialize)]
struct Deed {
    /// The task that it is about.
    task: Option<String>,
    /// Users by name: who is to do it, who spoke.
    responsible: Option<String>,
    agent: Option<String>,
    /// Fields of the plan.
    values: BTreeMap<String, String>,
}

impl Node {
    /// What is to be written into a CRM outside, of changes to tasks: nothing where the tasks here are all there is.
    pub fn deeds_of(&self, tenant: &Tenant, changes: &[Change]) -> Vec<(EffectId, Effect)> {
        let Crm::Remote(remote) = &tenant.crm else { return Vec::new() };
        let plan = remote.plan();
        let deeds = changes.iter().filter_map(|change| {
            let task = change.task();
            let (nth, occasion) = match change {
                Change::Opened(_) if plan.create_task.is_some() => (0, CREATE),
                Change::Closed(_) if plan.finish_task.is_some() => (1, FINISH),
                Change::Noted(_) if plan.done_task.is_some() || plan.create_task.is_some() => (2, DONE),
                _ => return None,
            };
            let id = EffectId { call: task.call, number: FIRST_OF_TASKS + task.no * 3 + nth };
            Some((id, effect(remote, occasion, &task.number, of_task(remote, task))))
        });
        deeds.collect()
    }

    /// The same of a call with somebody outside.
    pub fn deed_of_call(
        &self,
        tenant: &Tenant,
        record: &CallRecord,
        queue: &str,
    ) -> Option<(EffectId, Effect)> {
        let Crm::Remote(remote) = &tenant.crm else { return None };
        remote.plan().log_call.as_ref()?;
        let deed = of_call(tenant, remote, record, queue)?;
        let number = deed.values.get("number").cloned().unwrap_or_default();
        Some((EffectId { call: record.id, number: CALL }, effect(remote, LOG, &number, deed)))
    }

    /// Tells the CRM one thing.
    pub async fn tell_crm(
        self: &std::sync::Arc<Self>,
        tenant: &Tenant,
        id: EffectId,
        effect: &Effect,
    ) -> Report {
        let Crm::Remote(remote) = &tenant.crm else {
            return Report::Refused("the tenant has no CRM outside any more".to_owned());
        };
        let Ok(deed) = serde_json::from_value::<Deed>(effect.facts.clone()) else {
            return Report::Refused("what it tells can't be read".to_owned());
        };
        let own = |name: &str| FIELDS.into_iter().find(|field| *field == name);
        let known = deed.values.into_iter().filter_map(|(name, value)| Some((own(&name)?, value)));
        let mut values: Values = known.collect();
        let name_there = |user: &Option<String>| user.as_deref().and_then(|user| remote.name_there(user));
        values.insert("owner", name_there(&deed.responsible).unwrap_or_default());
        values.insert("agent", name_there(&deed.agent).unwrap_or_default());
        values.insert("key", id.to_string());
        values.insert("tenant", tenant.name.to_string());
        match remote.find(values.get("number").map_or("", String::as_str)).await {
            Ok(Some(found)) => {
                let owner = super::owned(tenant, found.contact.clone()).owner;
                if effect.occasion == CREATE
                    && let Some((owner, id)) =
                        owner.zip(deed.task.as_deref().and_then(|task| task.parse().ok()))
                {
                    self.learn_owner(tenant, id, &found.contact, &owner);
                    values.insert("owner", remote.name_there(&owner).unwrap_or_default());
                    values.insert("responsible", owner);
                }
                values.insert("contact", found.contact.id);
                values.insert("deal", found.deal.unwrap_or_default());
            }
            Ok(None) => {}
            Err(why) => {
                return Report::Failed { why: format!("it does not say who that is: {why}"), after: None };
            }
        }
        let plan = remote.plan();
        let task = deed.task.as_deref().and_then(|task| task.parse::<TaskId>().ok());
        let step: Option<&Tell> = match effect.occasion.as_str() {
            CREATE => plan.create_task.as_ref(),
            FINISH => plan.finish_task.as_ref(),
            DONE => plan.done_task.as_ref().or(plan.create_task.as_ref()),
            _ => plan.log_call.as_ref(),
        };
        let Some(step) = step else {
            return Report::Refused("the plan says nothing of this any more".to_owned());
        };
        if effect.occasion == FINISH {
            match task.map_or(Ok(None), |task| self.task_there(tenant, task)) {
                Ok(Some(there)) => drop(values.insert("task", there)),
                // It was never made there, as where nothing is known of the caller: nothing is to be finished.
                Ok(None) => return Report::Delivered,
                Err(why) => return Report::Failed { why: why.to_string(), after: None },
            }
        }
        let (report, made) = remote.tell(step, &values, &id.to_string()).await;
        let (Some(there), Some(task), Report::Delivered) = (made, task, &report) else { return report };
        match effect.occasion.as_str() {
            CREATE => match self.keep_task_there(tenant, task, &there).await {
                Ok(()) => report,
                Err(why) => Report::Failed { why: why.to_string(), after: None },
            },
            DONE if plan.done_task.is_none() && plan.finish_task.is_some() => {
                values.insert("task", there);
                let finish = plan.finish_task.as_ref().unwrap_or(step);
                remote.tell(finish, &values, &format!("{id}-done")).await.0
            }
            _ => report,
        }
    }

    /// Nobody knew who looks after the caller when the call ended: now the task is theirs.
    fn learn_owner(self: &std::sync::Arc<Self>, tenant: &Tenant, id: TaskId, contact: &Contact, owner: &str) {
        self.tasks.with(&tenant.name, |open| {
            let Some(task) =
                open.get(id).filter(|task| task.contact.is_none() && task.kind == Kind::CallBack)
            else {
                return;
            };
            let changed = Task {
                contact: Some(contact.id.clone()),
                name: contact.name.clone(),
                responsible: Some(owner.to_owned()),
                ..task.clone()
            };
            let changes = open.apply(Change::Changed(changed, TaskEvent::Assigned));
            self.write_tasks(tenant, &changes);
        });
    }

    fn task_there(&self, tenant: &Tenant, task: TaskId) -> Result<Option<String>, StoreError> {
        let found = self.store.get(&layout::task_elsewhere(&tenant.name, task.call.0, task.number))?;
        Ok(found.and_then(|text| String::from_utf8(text).ok()))
    }

    async fn keep_task_there(&self, tenant: &Tenant, task: TaskId, there: &str) -> Result<(), StoreError> {
        let key = layout::task_elsewhere(&tenant.name, task.call.0, task.number);
        let (done, hears) = tokio::sync::oneshot::channel();
        let batch = Batch::new().put(key, there.as_bytes().to_vec());
        self.store.commit(batch, Box::new(move |result| drop(done.send(result))));
        hears.await.unwrap_or(Err(StoreError::Closed))
    }
}

fn effect(remote: &Remote, occasion: &str, number: &str, deed: Deed) -> Effect {
    let now = wall_millis();
    let of = Digits::read(number).map_or_else(|| number.to_owned(), |digits| digits.suffix().to_owned());
    Effect {
        kind: KIND.to_owned(),
        recipient: KIND.to_owned(),
        destination: remote.destination(),
        occasion: occasion.to_owned(),
        facts: serde_json::to_value(deed).expect("plain data has a JSON form"),
        order: Some(format!("{KIND} {of}")),
        digest: None,
        written: now,
        not_before: now,
        deadline: now + DEADLINE,
        fate: Fate::default(),
    }
}

fn of_task(remote: &Remote, task: &Task) -> Deed {
    let due = task.due.unwrap_or(task.opened + A_DAY);
    let text = match task.kind {
        Kind::CallBack => {
            format!("Called {} in vain {} times, last at {}", task.dialled, task.missed, rfc3339(task.last))
        }
        _ => format!("Called {} at {}", task.dialled, rfc3339(task.last)),
    };
    let recording = task.recordings.last().and_then(|_| remote.recording(&task.calls.last()?.to_string()));
    let text = recording.iter().fold(text, |text, link| format!("{text}; recording: {link}"));
    let mut values = BTreeMap::from([
        ("number".to_owned(), task.number.clone()),
        ("name".to_owned(), task.name.clone()),
        ("title".to_owned(), task.title.clone()),
        ("text".to_owned(), text),
        ("responsible".to_owned(), task.responsible.clone().unwrap_or_default()),
        ("dialled".to_owned(), task.dialled.clone()),
        ("queue".to_owned(), task.queue.clone()),
        ("recording".to_owned(), recording.unwrap_or_default()),
        ("call".to_owned(), task.call.to_string()),
        ("due".to_owned(), rfc3339(due)),
        ("due_date".to_owned(), written(due, "%Y-%m-%d")),
        ("due_time".to_owned(), written(due, "%H:%M")),
        ("due_unix".to_owned(), format!("{due:.0}")),
    ]);
    moments(&mut values, task.last, task.last);
    Deed { task: Some(task.id().to_string()), responsible: task.responsible.clone(), agent: None, values }
}

/// None of calls inside the house, and of those to nobody.
fn of_call(tenant: &Tenant, remote: &Remote, record: &CallRecord, queue: &str) -> Option<Deed> {
    let spoken = history::conversation(record);
    let caller_outside = record.legs.first().is_some_and(|leg| leg.trunk.is_some());
    let to_outside =
        record.direction == Direction::Outbound || spoken.as_ref().is_some_and(|spoken| spoken.outbound);
    let (number, direction) = match (caller_outside, to_outside) {
        (true, _) => (record.from.number.clone(), "inbound"),
        (false, true) => {
            (spoken.as_ref().map_or(record.dialled.clone(), |spoken| spoken.number.clone()), "outbound")
        }
        (false, false) => return None,
    };
    Digits::read(&number)?;
    let agent = spoken
        .map(|spoken| history::user_of(tenant, &spoken.with).map_or(spoken.with, |user| user.name.clone()));
    let (from, to) = match direction {
        "inbound" => (number.clone(), record.dialled.clone()),
        _ => (record.from.number.clone(), number.clone()),
    };
    let seconds = record.talk.as_secs();
    let text = match &agent {
        Some(who) => format!("{who} spoke for {seconds} seconds, after {} of waiting", record.wait.as_secs()),
        None => format!("nobody answered in {:.0} seconds", (record.wait + record.talk).as_secs_f64()),
    };
    let link =
        record.recordings.last().and_then(|_| remote.recording(&record.id.to_string())).unwrap_or_default();
    let outcome = record.outcome.name();
    let mut values = BTreeMap::from([
        ("number".to_owned(), number),
        ("name".to_owned(), record.from.name.clone().unwrap_or_default()),
        ("title".to_owned(), format!("Call from {from} to {to}: {outcome}")),
        ("text".to_owned(), text),
        ("agent_name".to_owned(), agent.clone().unwrap_or_default()),
        ("seconds".to_owned(), seconds.to_string()),
        ("milliseconds".to_owned(), record.talk.as_millis().to_string()),
        ("direction".to_owned(), remote.word("direction", direction)),
        ("outcome".to_owned(), remote.word("outcome", outcome)),
        ("dialled".to_owned(), record.dialled.clone()),
        ("from".to_owned(), from),
        ("to".to_owned(), to),
        ("queue".to_owned(), queue.to_owned()),
        ("recording".to_owned(), link),
        ("call".to_owned(), record.id.to_string()),
    ]);
    // For a customer it was over then, whatever the agent was asked afterwards.
    moments(&mut values, record.started, record.started + (record.wait + record.talk).as_secs_f64());
    Some(Deed { task: None, responsible: agent.clone(), agent, values })
}

fn moments(values: &mut BTreeMap<String, String>, at: f64, ended: f64) {
    values.extend([
        ("at".to_owned(), rfc3339(at)),
        ("at_text".to_owned(), written(at, "%Y-%m-%d %H:%M:%S")),
        ("at_unix".to_owned(), format!("{at:.0}")),
        ("at_ms".to_owned(), format!("{:.0}", at * 1000.0)),
        ("ended_text".to_owned(), written(ended, "%Y-%m-%d %H:%M:%S")),
    ]);
}

/// In UTC.
fn written(seconds: f64, form: &str) -> String {
    let at = Timestamp::from_millisecond((seconds * 1000.0) as i64).unwrap_or_default();
    at.to_zoned(TimeZone::UTC).strftime(form).to_string()
}
