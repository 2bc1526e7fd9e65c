//! The scripts of all tenants: the versions of each, which one takes new calls, and how each fares.
//!
//! A call holds the version that took it (an [`Arc`]) to its end, so activating another one is a swap
//! of a pointer. Kept in memory: the store keeps the components, and fills this at the start.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use crate::sandbox::Component;

/// Versions of one script that are kept; the oldest that is not active is left out for a new one. A
/// call that runs on it keeps it to its end.
pub const KEPT_VERSIONS: usize = 20;
/// Scripts of one tenant.
pub const SCRIPTS: usize = 1_000;

/// Runs of a version that begin elsewhere after one was cut, the first time.
pub const RUNS_ELSEWHERE: u32 = 16;
/// How often that is doubled: 65,536 runs at most.
const MOST_DOUBLINGS: u32 = 12;

/// A component under a script's name, with the figures of its calls.
pub struct Version {
    component: Arc<Component>,
    pub(crate) figures: Figures,
    /// How often a run of it was cut.
    cuts: AtomicU32,
    /// Runs that are still to begin elsewhere for that.
    elsewhere: AtomicU32,
}

impl Version {
    /// A version that is in no library: for replays, simulations and tests.
    pub fn new(component: Arc<Component>) -> Self {
        Self { component, figures: Figures::default(), cuts: AtomicU32::new(0), elsewhere: AtomicU32::new(0) }
    }

    /// The component's SHA-256, hex.
    pub fn hash(&self) -> &str {
        self.component.hash()
    }

    /// What runs.
    pub fn component(&self) -> &Component {
        &self.component
    }

    /// How its calls fare.
    pub fn figures(&self) -> Fares {
        self.figures.read()
    }

    /// A run of it computed for longer than a [`crate::slice`] not long ago: whoever has a thread to lose
    /// gives this run another. Asked once for each run. It may have been a busy machine, so after
    /// [`RUNS_ELSEWHERE`] a run is tried here again, and after each further cut twice as many.
    pub fn begins_elsewhere(&self) -> bool {
        let count_down = |left: u32| left.checked_sub(1);
        self.elsewhere.fetch_update(Ordering::Relaxed, Ordering::Relaxed, count_down).is_ok()
    }

    pub(crate) fn note_cut(&self) {
        let cuts = self.cuts.fetch_add(1, Ordering::Relaxed);
        self.elsewhere.store(RUNS_ELSEWHERE << cuts.min(MOST_DOUBLINGS), Ordering::Relaxed);
    }
}

/// A version in a list.
#[derive(Clone, Debug, PartialEq)]
pub struct Listed {
    /// The component's SHA-256, hex.
    pub hash: String,
    /// It takes new calls.
    pub active: bool,
    /// How its calls fare.
    pub fares: Fares,
}

/// How a version's calls fare, since the engine started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fares {
    /// Running now.
    pub running: u64,
    /// All that began.
    pub calls: u64,
    /// Those that failed or were stopped.
    pub failures: u64,
    /// Time on a thread in one run: half of the runs took no longer.
    pub p50: Duration,
    /// 99 of 100 took no longer.
    pub p99: Duration,
}

/// Why a library refuses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoVersion {
    /// The tenant has no script of this name.
    NoScript,
    /// The script has no version of this hash.
    NoSuchVersion,
    /// There is no earlier version to go back to.
    NothingBefore,
    /// The tenant has [`SCRIPTS`] of them.
    TooManyScripts,
}

impl fmt::Display for NoVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoScript => f.write_str("there is no script of this name"),
            Self::NoSuchVersion => f.write_str("the script has no such version"),
            Self::NothingBefore => f.write_str("there is no earlier version to go back to"),
            Self::TooManyScripts => write!(f, "a tenant has at most {SCRIPTS} scripts"),
        }
    }
}

impl std::error::Error for NoVersion {}

#[derive(Default)]
struct Script {
    /// In order of arrival.
    versions: Vec<Arc<Version>>,
    /// The active one.
    active: Option<Arc<Version>>,
    /// Those that were active before, the latest last.
    before: Vec<String>,
}

impl Script {
    fn find(&self, hash: &str) -> Result<Arc<Version>, NoVersion> {
        self.versions.iter().find(|version| version.hash() == hash).cloned().ok_or(NoVersion::NoSuchVersion)
    }

    fn activate(&mut self, version: Arc<Version>) {
        if let Some(old) = self.active.replace(version)
            && self.active.as_ref().is_some_and(|new| new.hash() != old.hash())
        {
            self.before.push(old.hash().to_owned());
            let too_many = self.before.len().saturating_sub(KEPT_VERSIONS);
            self.before.drain(..too_many);
        }
    }
}

type Scripts = BTreeMap<String, Script>;

/// Which version of which tenant's script takes the next call.
#[derive(Default)]
pub struct Library {
    tenants: RwLock<HashMap<String, Scripts>>,
}

impl Library {
    /// Empty.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a version; the same component again is the same version. The first version of a script is
    /// active whatever `activate` says.
    pub fn put(
        &self,
        tenant: &str,
        script: &str,
        component: Arc<Component>,
        activate: bool,
    ) -> Result<Arc<Version>, NoVersion> {
        self.change(tenant, |scripts| {
            if scripts.len() >= SCRIPTS && !scripts.contains_key(script) {
                return Err(NoVersion::TooManyScripts);
            }
            let script = scripts.entry(script.to_owned()).or_default();
            let version = script.find(component.hash()).unwrap_or_else(|_| {
                let version = Arc::new(Version::new(component));
                script.versions.push(version.clone());
                version
            });
            if activate || script.active.is_none() {
                script.activate(version.clone());
            }
            if script.versions.len() > KEPT_VERSIONS {
                let active = script.active.as_ref().map(|version| version.hash().to_owned());
                let dispensable =
                    |v: &Arc<Version>| Some(v.hash()) != active.as_deref() && v.hash() != version.hash();
                if let Some(oldest) = script.versions.iter().position(dispensable) {
                    let oldest = script.versions.remove(oldest);
                    script.before.retain(|hash| hash != oldest.hash());
                }
            }
            Ok(version)
        })
    }

    /// New calls go to this version from here on.
    pub fn activate(&self, tenant: &str, script: &str, hash: &str) -> Result<Arc<Version>, NoVersion> {
        self.change(tenant, |scripts| {
            let script = scripts.get_mut(script).ok_or(NoVersion::NoScript)?;
            let version = script.find(hash)?;
            script.activate(version.clone());
            Ok(version)
        })
    }

    /// Back to the version that was active before; compiles nothing.
    pub fn rollback(&self, tenant: &str, script: &str) -> Result<Arc<Version>, NoVersion> {
        self.change(tenant, |scripts| {
            let script = scripts.get_mut(script).ok_or(NoVersion::NoScript)?;
            let hash = script.before.pop().ok_or(NoVersion::NothingBefore)?;
            let version = script.find(&hash)?;
            script.active = Some(version.clone());
            Ok(version)
        })
    }

    /// Forgets a script and its versions; answers whether it was there. Running calls go on.
    pub fn remove(&self, tenant: &str, script: &str) -> bool {
        self.change(tenant, |scripts| scripts.remove(script).is_some())
    }

    /// The version that takes a call now. Hold it for as long as the call lasts.
    pub fn active(&self, tenant: &str, script: &str) -> Option<Arc<Version>> {
        self.look(tenant, |scripts| scripts.get(script)?.active.clone())?
    }

    /// A version by its hash, active or not.
    pub fn version(&self, tenant: &str, script: &str, hash: &str) -> Option<Arc<Version>> {
        self.look(tenant, |scripts| scripts.get(script)?.find(hash).ok())?
    }

    /// The names of a tenant's scripts, in order.
    pub fn scripts(&self, tenant: &str) -> Vec<String> {
        self.look(tenant, |scripts| scripts.keys().cloned().collect()).unwrap_or_default()
    }

    /// The versions of a script, oldest first; none when there is no such script.
    pub fn list(&self, tenant: &str, script: &str) -> Option<Vec<Listed>> {
        self.look(tenant, |scripts| {
            let script = scripts.get(script)?;
            let active = script.active.as_ref().map(|version| version.hash());
            let listed = script.versions.iter().map(|version| Listed {
                hash: version.hash().to_owned(),
                active: active == Some(version.hash()),
                fares: version.figures(),
            });
            Some(listed.collect())
        })?
    }

    fn look<T>(&self, tenant: &str, look: impl FnOnce(&Scripts) -> T) -> Option<T> {
        let tenants = self.tenants.read().unwrap_or_else(PoisonError::into_inner);
        tenants.get(tenant).map(look)
    }

    fn change<T>(&self, tenant: &str, change: impl FnOnce(&mut Scripts) -> T) -> T {
        let mut tenants = self.tenants.write().unwrap_or_else(PoisonError::into_inner);
        change(tenants.entry(tenant.to_owned()).or_default())
    }
}

/// Upper ends of the histogram's buckets go up by a quarter: 1 us to about 50 s.
const BUCKETS: usize = 80;

/// Counts of a version, without a lock.
pub(crate) struct Figures {
    began: AtomicU64,
    ended: AtomicU64,
    failures: AtomicU64,
    took: [AtomicU64; BUCKETS],
}

impl Default for Figures {
    fn default() -> Self {
        Self {
            began: AtomicU64::new(0),
            ended: AtomicU64::new(0),
            failures: AtomicU64::new(0),
            took: [const { AtomicU64::new(0) }; BUCKETS],
        }
    }
}

/// A run in progress; counts it as ended when dropped, also when nobody waited for its end.
pub(crate) struct Running<'a>(&'a Figures);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.ended.fetch_add(1, Ordering::Relaxed);
    }
}

impl Figures {
    pub(crate) fn begin(&self) -> Running<'_> {
        self.began.fetch_add(1, Ordering::Relaxed);
        Running(self)
    }

    pub(crate) fn note(&self, took: Duration, failed: bool) {
        self.failures.fetch_add(failed.into(), Ordering::Relaxed);
        let bucket = (0..BUCKETS - 1).find(|&n| took <= upper_end(n)).unwrap_or(BUCKETS - 1);
        self.took[bucket].fetch_add(1, Ordering::Relaxed);
    }

    fn read(&self) -> Fares {
        let ended = self.ended.load(Ordering::Relaxed);
        let calls = self.began.load(Ordering::Relaxed);
        Fares {
            running: calls.saturating_sub(ended),
            calls,
            failures: self.failures.load(Ordering::Relaxed),
            p50: self.quantile(50),
            p99: self.quantile(99),
        }
    }

    /// The upper end of the bucket in which so many percent of the runs are reached.
    fn quantile(&self, percent: u64) -> Duration {
        let counts: [u64; BUCKETS] = std::array::from_fn(|n| self.took[n].load(Ordering::Relaxed));
        let wanted = (counts.iter().sum::<u64>() * percent).div_ceil(100);
        let mut seen = 0;
        for (n, count) in counts.iter().enumerate() {
            seen += count;
            if wanted > 0 && seen >= wanted {
                return upper_end(n);
            }
        }
        Duration::ZERO
    }
}

fn upper_end(bucket: usize) -> Duration {
    Duration::from_secs_f64(1e-6 * 1.25_f64.powi(i32::try_from(bucket).unwrap_or(i32::MAX)))
}
