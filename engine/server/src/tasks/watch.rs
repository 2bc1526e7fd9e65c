//! What time does to open tasks: one whose deadline is over is told once as late, and one that nobody fulfilled for long
//! is given up.

use std::sync::Arc;
use std::time::Duration;

use exchange::TaskEvent;
use store::{Batch, StoreError};

use super::{Change, Kind, State, Task, put};
use crate::config::Tenant;
use crate::events::wall;
use crate::node::Node;
use crate::post::notice;

/// How often the deadlines are looked at.
const LOOK: Duration = Duration::from_secs(15);

/// Looks at the deadlines for as long as it is awaited.
pub async fn watch(node: Arc<Node>) {
    loop {
        tokio::time::sleep(LOOK).await;
        node.look_at_tasks(wall());
    }
}

impl Node {
    /// Tells of what is late by now, and gives up what is too old: once each, also after a restart. Never waits.
    pub fn look_at_tasks(self: &Arc<Self>, now: f64) {
        let world = self.world();
        for tenant in self.tasks.tenants() {
            let Some(tenant) = world.tenant(&tenant) else { continue };
            self.tasks.with(&tenant.name, |open| {
                let changed: Vec<_> = open.all().filter_map(|task| by_time(tenant, task, now)).collect();
                for change in changed {
                    let changes = open.apply(change);
                    self.write_tasks(tenant, &changes);
                }
            });
        }
    }

    /// Writes changes down, with the notices of those that became late. Never waits; for those who hold the tenant's tasks.
    pub fn write_tasks(self: &Arc<Self>, tenant: &Tenant, changes: &[Change]) {
        let batch = put(Batch::new(), &tenant.name, changes);
        let late = changes.iter().filter(|change| change.what() == TaskEvent::Late);
        let mut effects: Vec<_> =
            late.flat_map(|change| notice::of_late_task(tenant, change.task())).collect();
        effects.extend(self.told_of(tenant, changes));
        let (batch, posted) = self.post_with(batch, &tenant.name, effects);
        let (node, name) = (self.clone(), tenant.name.clone());
        let told = move |result: Result<(), StoreError>| {
            if let Err(why) = &result {
                node.metrics.store_failures.inc();
                tracing::error!(tenant = &*name, %why, "what became of a task is not kept");
            }
            if let Some(posted) = posted {
                node.post.settle(posted, result.is_ok());
            }
        };
        self.store.commit(batch, Box::new(told));
        self.tell_tasks(&tenant.name, changes);
    }

    /// Publishes changes as events.
    pub fn tell_tasks(&self, tenant: &str, changes: &[Change]) {
        for change in changes {
            let task = change.task();
            let about = serde_json::json!({
                "task": task.id().to_string(),
                "what": change.what().name(),
                "kind": task.kind.name(),
                "state": task.state.name(),
                "number": task.number,
                "responsible": task.responsible,
                "late": task.told_late,
            });
            self.events.publish(tenant, change.event(), about);
        }
    }
}

fn by_time(tenant: &Tenant, task: &Task, now: f64) -> Option<Change> {
    if task.kind != Kind::CallBack {
        return None;
    }
    if now - task.opened > tenant.missed.give_up_after.as_secs_f64() {
        return Some(Change::Closed(Task { state: State::GivenUp, closed: Some(now), ..task.clone() }));
    }
    (task.is_late(now) && !task.told_late)
        .then(|| Change::Changed(Task { told_late: true, ..task.clone() }, TaskEvent::Late))
}
