//! Call backs that were promised: kept in the store before the script hears of it, forgotten when they are done or too
//! old, and back in their queues at the start, in the order in which the callers came.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use exchange::{KeptCallBack, QueueView};
use store::{Batch, StoreError, layout};

use super::{Input, Shard};
use crate::events::wall;

/// In front of each row, so that another form can be told apart later.
const FORM: u8 = 1;
/// How long forgetting may wait for others that go to the disk with it: a kill within this time has a customer called
/// twice.
const PATIENCE: Duration = Duration::from_millis(250);

impl Shard {
    /// Keeps a call back; `Input::Kept` tells how that went.
    pub(super) fn keep_call_back(&self, ticket: u64, tenant: &str, kept: &KeptCallBack) {
        let value =
            postcard::to_extend(kept, vec![FORM]).expect("a promise has nothing that cannot be written");
        let batch = Batch::new().put(layout::call_back(tenant, &kept.queue, &kept.number), value);
        let (shards, number, node) = (self.shards.clone(), self.number, self.around.node.clone());
        let (tenant, queue) = (tenant.to_owned(), kept.queue.clone());
        let told = move |result: Result<(), StoreError>| {
            if let Err(why) = &result {
                node.metrics.store_failures.inc();
                tracing::error!(tenant, queue, %why, "a call back is not kept, and not promised");
            }
            shards.boxes[number].push(Input::Kept(ticket, result.map_err(|why| why.to_string())));
        };
        self.around.node.store.commit(batch, Box::new(told));
    }

    /// What was wanted to be kept is on the disk, or is not.
    pub(super) fn call_back_kept(&mut self, now: Instant, ticket: u64, kept: Result<(), String>) {
        self.with_people(|exchange, people, effects| {
            exchange.handle_kept(now, ticket, kept, people, effects);
        });
    }

    /// A call back is done, or not to be done any more.
    pub(super) fn forget_call_back(&self, tenant: &str, queue: &str, number: &str) {
        let node = self.around.node.clone();
        let (of, line) = (tenant.to_owned(), queue.to_owned());
        let told = move |result: Result<(), StoreError>| {
            if let Err(why) = result {
                node.metrics.store_failures.inc();
                tracing::error!(tenant = of, queue = line, %why, "a call back is not forgotten; a restart would repeat it");
            }
        };
        let batch = Batch::new().delete(layout::call_back(tenant, queue, number));
        self.around.node.store.commit_within(batch, PATIENCE, Box::new(told));
    }

    /// Puts what this shard's tenants promised back into their queues. A promise of a tenant that is not configured stays
    /// in the store: the next start may know the tenant again.
    pub(super) fn restore_call_backs(&mut self, now: Instant) {
        let mut promised = match self.read_call_backs() {
            Ok(promised) => promised,
            Err(why) => return tracing::error!(%why, "promised call backs can't be read"),
        };
        let mut tenants = BTreeSet::new();
        promised.sort_by(|(_, a), (_, b)| a.entered.total_cmp(&b.entered));
        for (tenant, kept) in promised {
            if self.world.tenant(&tenant).is_none() {
                match kept.until <= wall() {
                    true => self.forget_call_back(&tenant, &kept.queue, &kept.number),
                    false => {
                        tracing::warn!(tenant, "a call back was promised by a tenant that is not configured");
                    }
                }
                continue;
            }
            tenants.insert(tenant.clone());
            self.with_people(|exchange, people, effects| {
                exchange.restore_call_back(now, &tenant, kept, people, effects);
            });
        }
        self.settle(now);
        for tenant in tenants {
            let closed = self.exchange.queues(now, &tenant).into_iter().filter(|queue| !queue.configured);
            for QueueView { name, waiting, .. } in closed {
                let about = vec![("queue", name), ("promised", waiting.len().to_string())];
                self.tell(&tenant, "queue.closed", about);
            }
        }
    }

    fn read_call_backs(&self) -> Result<Vec<(String, KeptCallBack)>, StoreError> {
        let count = self.shards.boxes.len();
        let mut promised = Vec::new();
        let mut scan = layout::call_backs();
        loop {
            let page = self.around.node.store.scan(&scan)?;
            let Some((last, _)) = page.last() else { return Ok(promised) };
            scan = layout::call_backs().behind(last);
            for (key, value) in &page {
                let Some((tenant, queue, _)) = layout::read_call_back(key) else { continue };
                if self.shards.gate.shard_of(&tenant, count) != self.number {
                    continue;
                }
                let read = value.strip_prefix(&[FORM]).and_then(|value| postcard::from_bytes(value).ok());
                match read {
                    Some(kept) => promised.push((tenant, kept)),
                    None => tracing::error!(tenant, queue, "a promised call back can't be read"),
                }
            }
        }
    }
}
