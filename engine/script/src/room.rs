//! How many sandboxes are alive, in the process and of one tenant: a permit is taken before one is made.
//!
//! Where none is left, whoever of those that only wait has waited longest is asked to rest, and the newcomer waits a
//! moment for the permit. So a run is refused only where all others compute.

use std::collections::{BTreeMap, HashMap};
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio::time::timeout;

use crate::limits::LET_IN;
use crate::reins::Reins;

/// Counts sandboxes.
pub(crate) struct Room {
    sandboxes: u32,
    per_tenant: u32,
    taken: Mutex<Taken>,
    /// A permit was given back.
    left: Notify,
}

#[derive(Default)]
struct Taken {
    all: u32,
    by_tenant: HashMap<Arc<str>, u32>,
    /// Runs that hold a sandbox and only wait, in the order in which they began to.
    waiting: BTreeMap<u64, (Arc<str>, Arc<Reins>)>,
    next: u64,
}

impl Room {
    pub(crate) fn new(sandboxes: u32, per_tenant: u32) -> Arc<Self> {
        Arc::new(Self { sandboxes, per_tenant, taken: Mutex::default(), left: Notify::new() })
    }

    /// Sandboxes alive.
    pub(crate) fn alive(&self) -> u32 {
        self.taken().all
    }

    /// A permit, if there is one now.
    pub(crate) fn enter(self: &Arc<Self>, tenant: &Arc<str>) -> Option<Permit> {
        let mut taken = self.taken();
        let mine = taken.by_tenant.get(tenant).copied().unwrap_or(0);
        if taken.all >= self.sandboxes || mine >= self.per_tenant {
            return None;
        }
        taken.all += 1;
        taken.by_tenant.insert(tenant.clone(), mine + 1);
        Some(Permit { room: self.clone(), tenant: tenant.clone() })
    }

    /// A permit, waited for at most [`LET_IN`].
    pub(crate) async fn let_in(self: &Arc<Self>, tenant: &Arc<str>) -> Option<Permit> {
        if let Some(permit) = self.enter(tenant) {
            return Some(permit);
        }
        let waits = async {
            loop {
                let mut left = pin!(self.left.notified());
                left.as_mut().enable();
                if let Some(permit) = self.enter(tenant) {
                    return permit;
                }
                self.ask_one_to_rest(tenant);
                left.await;
            }
        };
        timeout(LET_IN, waits).await.ok()
    }

    /// From here until dropped, a run of this tenant only waits.
    pub(crate) fn wait(self: &Arc<Self>, tenant: &Arc<str>, reins: &Arc<Reins>) -> Waiting {
        let mut taken = self.taken();
        let number = taken.next;
        taken.next += 1;
        taken.waiting.insert(number, (tenant.clone(), reins.clone()));
        Waiting { room: self.clone(), number }
    }

    /// The one that has waited longest, of this tenant if it is the tenant that may have no more.
    fn ask_one_to_rest(&self, tenant: &Arc<str>) {
        let mut taken = self.taken();
        let of_tenant = taken.by_tenant.get(tenant).is_some_and(|mine| *mine >= self.per_tenant);
        let mut waiting = taken.waiting.iter();
        let longest = waiting.find(|(_, (of, _))| !of_tenant || of == tenant).map(|(number, _)| *number);
        if let Some((_, reins)) = longest.and_then(|number| taken.waiting.remove(&number)) {
            drop(taken);
            reins.pull();
        }
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The right to one sandbox; given back when dropped.
pub(crate) struct Permit {
    room: Arc<Room>,
    tenant: Arc<str>,
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut taken = self.room.taken();
        taken.all -= 1;
        let mine = taken.by_tenant.get(&self.tenant).copied().unwrap_or(0);
        match mine {
            0 | 1 => drop(taken.by_tenant.remove(&self.tenant)),
            more => drop(taken.by_tenant.insert(self.tenant.clone(), more - 1)),
        }
        drop(taken);
        self.room.left.notify_waiters();
    }
}

/// A run that only waits; no longer when dropped.
pub(crate) struct Waiting {
    room: Arc<Room>,
    number: u64,
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.room.taken().waiting.remove(&self.number);
    }
}
