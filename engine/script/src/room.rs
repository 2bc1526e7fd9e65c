//! Who may have a sandbox: how many are alive, in the process and of one tenant, and what CPU time a tenant's scripts have
//! had lately. A permit is taken before a sandbox is made.
//!
//! Where none is left, whoever of those that only wait has waited longest is asked to rest, and the newcomer waits a
//! moment for the permit. So a run is refused only where all others compute, or where its own tenant's compute for more
//! than they may.

use std::collections::{BTreeMap, HashMap};
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep, timeout};

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
    /// CPU time that tenants' scripts have had.
    spent: HashMap<Arc<str>, Spent>,
    /// Runs that hold a sandbox and only wait, in the order in which they began to.
    waiting: BTreeMap<u64, (Arc<str>, Arc<Reins>)>,
    next: u64,
}

/// A leaking bucket: what a tenant's scripts had, less what they may have since.
struct Spent {
    level: Duration,
    at: Instant,
}

impl Spent {
    /// How far it is above a second's worth, at `per_second`.
    fn over(&self, now: Instant, per_second: Duration) -> Duration {
        self.left(now, per_second).saturating_sub(per_second)
    }

    fn left(&self, now: Instant, per_second: Duration) -> Duration {
        let leaked = now.saturating_duration_since(self.at).mul_f64(per_second.as_secs_f64());
        self.level.saturating_sub(leaked)
    }
}

impl Room {
    pub(crate) fn new(sandboxes: u32, per_tenant: u32) -> Arc<Self> {
        Arc::new(Self { sandboxes, per_tenant, taken: Mutex::default(), left: Notify::new() })
    }

    /// Sandboxes alive.
    pub(crate) fn alive(&self) -> u32 {
        self.taken().all
    }

    /// A permit, if there is one now; its tenant's scripts may compute for `cpu` in a second.
    pub(crate) fn enter(self: &Arc<Self>, tenant: &Arc<str>, cpu: Duration) -> Result<Permit, NotYet> {
        let mut taken = self.taken();
        if let Some(spent) = taken.spent.get(tenant) {
            let over = spent.over(Instant::now(), cpu);
            if !over.is_zero() {
                return Err(NotYet::For(over.div_f64(cpu.as_secs_f64())));
            }
        }
        let mine = taken.by_tenant.get(tenant).copied().unwrap_or(0);
        if taken.all >= self.sandboxes || mine >= self.per_tenant {
            return Err(NotYet::Full);
        }
        taken.all += 1;
        taken.by_tenant.insert(tenant.clone(), mine + 1);
        Ok(Permit { room: self.clone(), tenant: tenant.clone() })
    }

    /// A permit, waited for at most [`LET_IN`].
    pub(crate) async fn let_in(self: &Arc<Self>, tenant: &Arc<str>, cpu: Duration) -> Option<Permit> {
        if let Ok(permit) = self.enter(tenant, cpu) {
            return Some(permit);
        }
        let waits = async {
            loop {
                let mut left = pin!(self.left.notified());
                left.as_mut().enable();
                match self.enter(tenant, cpu) {
                    Ok(permit) => return permit,
                    Err(NotYet::For(length)) => sleep(length).await,
                    Err(NotYet::Full) => {
                        self.ask_one_to_rest(tenant);
                        left.await;
                    }
                }
            }
        };
        // In a box of its own: most need not wait, and whoever waits here would else make every run larger.
        Box::pin(timeout(LET_IN, waits)).await.ok()
    }

    /// A tenant's scripts have computed for so long; they may for `cpu` in a second.
    pub(crate) fn charge(&self, tenant: &Arc<str>, took: Duration, cpu: Duration) {
        let (mut taken, now) = (self.taken(), Instant::now());
        match taken.spent.get_mut(tenant) {
            Some(spent) => *spent = Spent { level: spent.left(now, cpu) + took, at: now },
            None => drop(taken.spent.insert(tenant.clone(), Spent { level: took, at: now })),
        }
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

/// Why there is no permit now.
pub(crate) enum NotYet {
    /// All are taken.
    Full,
    /// The tenant's scripts computed for too long; it may be tried again after this.
    For(Duration),
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
