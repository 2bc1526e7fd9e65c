//! Today's figures of queues and agents, over a restart: what has changed is written a few seconds later, each queue and
//! agent a row, so that a kill costs these seconds. A row of another day counts no longer, but how long conversations
//! take is known from it.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use exchange::{KeptFigures, KeptWork};
use jiff::civil::Date;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use store::{Batch, Scan, StoreError, layout};

use super::Shard;

/// In front of each row, so that another form can be told apart later.
const FORM: u8 = 1;
/// How long a change waits for others.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long they may wait for what else goes to the disk.
const TOGETHER: Duration = Duration::from_millis(250);

/// What is written, and when something has to be.
#[derive(Default)]
pub(super) struct Written {
    rows: HashMap<Vec<u8>, Vec<u8>>,
    due: Option<Instant>,
}

/// A row: the tenant's day, and what it was like.
#[derive(Serialize, Deserialize)]
struct Day<T> {
    date: String,
    kept: T,
}

impl Written {
    /// Something may be another figure now.
    pub fn changed(&mut self, now: Instant) {
        self.due.get_or_insert(now + PATIENCE);
    }

    pub fn next_timeout(&self) -> Option<Instant> {
        self.due
    }

    /// Adds a row that is not written so.
    fn write<T: Serialize>(&mut self, batch: Batch, key: Vec<u8>, date: Date, kept: T) -> Batch {
        let day = Day { date: date.to_string(), kept };
        let row = postcard::to_extend(&day, vec![FORM]).expect("figures have nothing that cannot be written");
        if self.rows.get(&key) == Some(&row) {
            return batch;
        }
        self.rows.insert(key.clone(), row.clone());
        batch.put(key, row)
    }
}

impl Shard {
    /// Writes what has changed since it was written last, if it has waited long enough.
    pub(super) fn keep_figures(&mut self, now: Instant) {
        if self.written.due.take_if(|due| *due <= now).is_some() {
            let batch = self.changed_figures();
            self.write_figures(batch);
        }
    }

    /// The shard stops: the figures are written, and with them all that is on its way to the disk.
    pub(super) fn keep_last_figures(&mut self) {
        let batch = self.changed_figures();
        if let Err(why) = self.around.node.store.commit_and_wait(batch) {
            tracing::error!(%why, "today's figures are not kept");
        }
    }

    fn changed_figures(&mut self) -> Batch {
        let mut batch = Batch::new();
        for (tenant, date) in self.days.dates() {
            for (queue, kept) in self.exchange.kept_figures(&tenant) {
                batch = self.written.write(batch, layout::figures(&tenant, &queue), date, kept);
            }
            for (user, kept) in self.exchange.kept_work(&tenant) {
                batch = self.written.write(batch, layout::work(&tenant, &user), date, kept);
            }
        }
        batch
    }

    fn write_figures(&self, batch: Batch) {
        let node = self.around.node.clone();
        let told = move |result: Result<(), StoreError>| {
            if let Err(why) = result {
                node.metrics.store_failures.inc();
                tracing::error!(%why, "today's figures are not kept; a restart would lose them");
            }
        };
        self.around.node.store.commit_within(batch, TOGETHER, Box::new(told));
    }

    /// Takes back what the store knows of the day. What is not configured any more leaves.
    pub(super) fn restore_figures(&mut self) {
        let mut gone = Batch::new();
        for (tenant, date) in self.days.dates() {
            for (queue, day) in self.read_days::<KeptFigures>(&tenant, layout::figures_of(&tenant)) {
                let today = day.date == date.to_string();
                if !self.exchange.restore_figures(&tenant, &queue, day.kept, today) {
                    gone = gone.delete(layout::figures(&tenant, &queue));
                }
            }
            for (user, day) in self.read_days::<KeptWork>(&tenant, layout::work_of(&tenant)) {
                let today = day.date == date.to_string();
                if !today || !self.exchange.restore_work(&tenant, &user, day.kept) {
                    gone = gone.delete(layout::work(&tenant, &user));
                }
            }
        }
        self.write_figures(gone);
    }

    /// The rows of a tenant by their names; one that can't be read counts as none.
    fn read_days<T: DeserializeOwned>(&self, tenant: &str, all: Scan) -> Vec<(String, Day<T>)> {
        let mut days = Vec::new();
        let mut scan = all.clone();
        loop {
            let page = match self.around.node.store.scan(&scan) {
                Ok(page) => page,
                Err(why) => {
                    tracing::error!(tenant, %why, "today's figures can't be read");
                    return days;
                }
            };
            let Some((last, _)) = page.last() else { return days };
            scan = all.clone().behind(last);
            for (key, value) in &page {
                let read = value.strip_prefix(&[FORM]).and_then(|value| postcard::from_bytes(value).ok());
                match (layout::read_name(key), read) {
                    (Some(name), Some(day)) => days.push((name, day)),
                    _ => tracing::error!(tenant, "a row of figures can't be read"),
                }
            }
        }
    }
}
