//! The scripts of all tenants: the versions of each, which one takes new calls, and how each fares.
//!
//! A call holds the version that took it (an [`Arc`]) to its end, so activating another one is a swap
//! of a pointer. A canary takes a share of the calls, the same calls whenever it is asked about them.
//! Kept in memory: the store keeps the components, and fills this at the start. When a canary has shown
//! enough is judged elsewhere.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use exchange::CallId;

use crate::figures::{Counts, Fares, Figures};
use crate::sandbox::Component;
use crate::stalls::Stalls;
use crate::tape::Finish;

/// Versions of one script that are ready to run; the oldest that has no part to play and no call is left out
/// for a new one. When all have calls it is twice as many, and then the oldest goes: its calls keep it to
/// their end.
pub const KEPT_VERSIONS: usize = 20;
/// A canary's share counts in so many parts of all calls: hundredths of a percent.
pub const SHARES: u32 = 10_000;
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
    /// None where it is not one tenant's that takes calls.
    pub(crate) stalls: Option<Stalls>,
}

impl Version {
    /// A version that is never suspended: for replays, simulations and tests, and for what tenants share.
    pub fn new(component: Arc<Component>) -> Self {
        let (cuts, elsewhere) = (AtomicU32::new(0), AtomicU32::new(0));
        Self { component, figures: Figures::default(), cuts, elsewhere, stalls: None }
    }

    /// A tenant's version that takes calls.
    fn serving(component: Arc<Component>) -> Self {
        Self { stalls: Some(Stalls::default()), ..Self::new(component) }
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
        self.figures.counts().fares()
    }

    /// Where a run of it failed, as [`Version::traps`] counts it; none when it did not.
    pub fn place_of(&self, finish: &Finish) -> Option<String> {
        self.figures.place_of(finish)
    }

    /// Where its runs failed and how often, the most frequent first.
    pub fn traps(&self) -> Vec<(String, u64)> {
        self.figures.traps()
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
    /// The version takes all calls already: it can't be a canary beside itself.
    TakesAll,
    /// There is no canary.
    NoCanary,
}

impl fmt::Display for NoVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoScript => f.write_str("there is no script of this name"),
            Self::NoSuchVersion => f.write_str("the script has no such version"),
            Self::NothingBefore => f.write_str("there is no earlier version to go back to"),
            Self::TakesAll => f.write_str("this version takes all calls already"),
            Self::NoCanary => f.write_str("the script has no canary"),
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
    canary: Option<Canary>,
    shadow: Option<Arc<Version>>,
}

/// A version that takes a share of the calls, and what was counted of it and of the active one when it began to.
struct Canary {
    version: Arc<Version>,
    share: u32,
    began: (Counts, Counts),
}

/// A canary and the active version, since the canary began.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trial {
    /// The canary's hash.
    pub canary: String,
    /// Its calls, of [`SHARES`].
    pub share: u32,
    /// How the canary's calls fare.
    pub fares: Fares,
    /// The active version's hash.
    pub active: String,
    /// How the others fare.
    pub others: Fares,
}

impl Script {
    fn find(&self, hash: &str) -> Result<Arc<Version>, NoVersion> {
        self.versions.iter().find(|version| version.hash() == hash).cloned().ok_or(NoVersion::NoSuchVersion)
    }

    /// All calls go to it: there is no canary any more.
    fn activate(&mut self, version: Arc<Version>) {
        self.canary = None;
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
        self.put_made(tenant, script, component, activate, Version::serving)
    }

    /// Adds a version that is active and that tenants share: what one of them has it do never suspends it for the others.
    pub fn put_shared(
        &self,
        owner: &str,
        script: &str,
        component: Arc<Component>,
    ) -> Result<Arc<Version>, NoVersion> {
        self.put_made(owner, script, component, true, Version::new)
    }

    fn put_made(
        &self,
        tenant: &str,
        script: &str,
        component: Arc<Component>,
        activate: bool,
        make: impl FnOnce(Arc<Component>) -> Version,
    ) -> Result<Arc<Version>, NoVersion> {
        self.change(tenant, |scripts| {
            if scripts.len() >= SCRIPTS && !scripts.contains_key(script) {
                return Err(NoVersion::TooManyScripts);
            }
            let script = scripts.entry(script.to_owned()).or_default();
            let version = script.find(component.hash()).unwrap_or_else(|_| {
                let version = Arc::new(make(component));
                script.versions.push(version.clone());
                version
            });
            if activate || script.active.is_none() {
                script.activate(version.clone());
            }
            if script.versions.len() > KEPT_VERSIONS {
                let parts = [script.active.as_ref(), script.canary.as_ref().map(|canary| &canary.version)];
                let parts = parts.into_iter().chain([script.shadow.as_ref(), Some(&version)]).flatten();
                let parts: Vec<_> = parts.map(|part| part.hash().to_owned()).collect();
                let full = script.versions.len() > 2 * KEPT_VERSIONS;
                let dispensable = |v: &Arc<Version>| {
                    !parts.iter().any(|part| part == v.hash()) && (full || v.figures().running == 0)
                };
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

    /// So many of [`SHARES`] calls go to this version from here on, in the place of any other canary.
    pub fn begin_canary(
        &self,
        tenant: &str,
        script: &str,
        hash: &str,
        share: u32,
    ) -> Result<Arc<Version>, NoVersion> {
        self.change(tenant, |scripts| {
            let script = scripts.get_mut(script).ok_or(NoVersion::NoScript)?;
            let version = script.find(hash)?;
            let active = script.active.as_ref().ok_or(NoVersion::NoScript)?;
            if active.hash() == hash {
                return Err(NoVersion::TakesAll);
            }
            let began = (version.figures.counts(), active.figures.counts());
            script.canary = Some(Canary { version: version.clone(), share, began });
            Ok(version)
        })
    }

    /// The active version takes all calls again; answers the one that was the canary.
    pub fn end_canary(&self, tenant: &str, script: &str) -> Result<Arc<Version>, NoVersion> {
        self.change(tenant, |scripts| {
            let script = scripts.get_mut(script).ok_or(NoVersion::NoScript)?;
            script.canary.take().map(|canary| canary.version).ok_or(NoVersion::NoCanary)
        })
    }

    /// How the canary and the others fare, where there is one.
    pub fn trial(&self, tenant: &str, script: &str) -> Option<Trial> {
        self.look(tenant, |scripts| {
            let script = scripts.get(script)?;
            let (canary, active) = (script.canary.as_ref()?, script.active.as_ref()?);
            Some(Trial {
                canary: canary.version.hash().to_owned(),
                share: canary.share,
                fares: canary.version.figures.counts().since(&canary.began.0).fares(),
                active: active.hash().to_owned(),
                others: active.figures.counts().since(&canary.began.1).fares(),
            })
        })?
    }

    /// This version runs beside the active one on its tapes; none ends that.
    pub fn set_shadow(&self, tenant: &str, script: &str, hash: Option<&str>) -> Result<(), NoVersion> {
        self.change(tenant, |scripts| {
            let script = scripts.get_mut(script).ok_or(NoVersion::NoScript)?;
            script.shadow = hash.map(|hash| script.find(hash)).transpose()?;
            Ok(())
        })
    }

    /// Whether a script's runs are of interest when they are over: there is a canary, and a shadow is this.
    pub fn watched(&self, tenant: &str, script: &str) -> (bool, Option<Arc<Version>>) {
        let watched = self.look(tenant, |scripts| {
            scripts.get(script).map(|script| (script.canary.is_some(), script.shadow.clone()))
        });
        watched.flatten().unwrap_or_default()
    }

    /// The version that takes this call: the active one, or the canary. Hold it for as long as the call lasts.
    pub fn takes(&self, tenant: &str, script: &str, call: CallId) -> Option<Arc<Version>> {
        self.look(tenant, |scripts| {
            let script = scripts.get(script)?;
            match &script.canary {
                Some(canary) if drawn(call) < canary.share => Some(canary.version.clone()),
                _ => script.active.clone(),
            }
        })?
    }

    /// The version that takes calls, but for a canary's.
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

/// Which of [`SHARES`] a call is: by the finisher of SplitMix64, so that calls in a row are not alike.
fn drawn(call: CallId) -> u32 {
    let mut mixed = (call.0 ^ (call.0 >> 64)) as u64;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^= mixed >> 31;
    ((u128::from(mixed) * u128::from(SHARES)) >> 64) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_of_the_calls_is_drawn_and_the_same_ones_each_time() {
        // Ids of one second: the time is the same, chance differs.
        let ids = (0..100_000_u128).map(|n| CallId::new(1_795_000_000_000, n * 0x9E37_79B9_7F4A_7C15_F39C));
        let drawn_few = ids.clone().filter(|id| drawn(*id) < SHARES / 20).count();
        // Five percent, within four standard deviations of a binomial count (69 each).
        assert!((4_724..5_276).contains(&drawn_few), "{drawn_few}");
        let id = CallId::new(1_795_000_000_000, 42);
        assert_eq!(drawn(id), drawn(id));
        assert!(ids.map(drawn).all(|part| part < SHARES));
    }
}
