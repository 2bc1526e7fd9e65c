//! The scripts of all tenants on disk and ready to run: what is acknowledged as loaded or activated
//! is in the store, and at the start the library is made from there. The shipped scripts are embedded
//! in the binary and belong to no tenant.
//!
//! A version is a draft until it takes calls: a share of them as a canary, or all. What it must pass before
//! (a signature, the last calls replayed) is the tenant's policy, [`crate::config::ScriptPolicy`].

mod canary;
pub mod comparison;
mod errors;
mod rows;
mod shadow;
pub mod signature;

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use exchange::{CallId, LiveCall};
use script::{Component, Kind, Library, NoVersion, Refused, Sandboxes, Settings, Trial, Version};
use serde::Serialize;
use store::{Batch, BlobId, Blobs, Store, StoreError, layout};

pub use errors::{NoScripts, ScriptError};
pub use rows::{About, Canary, RolledBack};

use comparison::Report;
use rows::{State, Stored};
use shadow::{Played, Shadows};

use crate::config::{Refuse, Tenant, World};
use crate::events::wall;
use crate::flow;
use crate::misfits::Misfit;
use crate::shipped::{self, Names, SHIPPED};

/// Shipped scripts stand in the library under no tenant's name.
const NOBODY: &str = "";

/// Versions that were active before, kept for going back.
const REMEMBERED: usize = script::KEPT_VERSIONS;

/// Versions of a script of which a row is kept: as many can be listed, downloaded and activated again. The
/// oldest that has no part to play makes room.
pub const STORED_VERSIONS: usize = 500;

/// A version may be named by the beginning of its hash, from so many characters on.
const LEAST_OF_A_HASH: usize = 4;

/// Every script, ready to run.
pub struct Scripts {
    /// Runs them.
    pub sandboxes: Arc<Sandboxes>,
    library: Library,
    store: Store,
    blobs: Arc<Blobs>,
    shadows: Shadows,
    /// One change at a time, so that what is stored and what runs are the same.
    changing: Mutex<()>,
}

/// The program that compiles a component for this one (see [`script::Apart`]).
#[derive(Debug, Clone)]
pub struct Compiler {
    /// Its path.
    pub program: std::path::PathBuf,
    /// What leads to [`script::compile_for_parent`] in it.
    pub arguments: Vec<String>,
}

/// How a component is loaded.
#[derive(Debug, Default)]
pub struct Load {
    /// Which calls it takes from then on.
    pub calls: Calls,
    /// What whoever loads it says of it.
    pub about: About,
    /// ed25519, over the component, or over the flow's text.
    pub signature: Option<Vec<u8>>,
    /// The text of the flow that the component was made from.
    pub flow: Option<Vec<u8>>,
    /// It may part from the last calls, whatever the policy says.
    pub forced: bool,
}

/// Which calls a version takes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Calls {
    /// None yet, unless it is the script's first version.
    Draft,
    /// So many of [`script::SHARES`], drawn by the call's id.
    Share(u32),
    /// All.
    #[default]
    All,
}

/// A version that was loaded.
pub struct Pushed {
    /// What runs.
    pub version: Arc<Version>,
    /// Counts up by one within the script.
    pub number: u32,
    /// It takes new calls.
    pub active: bool,
}

/// Where a version is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Loaded, and never took a call.
    Draft,
    /// Takes a share of the calls.
    Canary,
    /// Takes all calls, but for a canary's.
    Active,
    /// Took calls before, and some go on.
    Draining,
    /// Took calls before.
    Retired,
}

impl Stage {
    /// As the API says it.
    pub fn name(self) -> &'static str {
        match self {
            Stage::Draft => "draft",
            Stage::Canary => "canary",
            Stage::Active => "active",
            Stage::Draining => "draining",
            Stage::Retired => "retired",
        }
    }
}

/// A version in a list.
#[derive(Debug, Clone, PartialEq)]
pub struct Listed {
    /// SHA-256 of the component, hex.
    pub version: String,
    /// Counts up by one within the script, from 1.
    pub number: u32,
    /// Where it is in its life.
    pub stage: Stage,
    /// Bytes.
    pub size: usize,
    /// Seconds since 1970 UTC.
    pub uploaded: f64,
    /// What whoever loaded it said of it.
    pub about: About,
    /// The key that its signature was made with.
    pub signed_by: Option<String>,
    /// How its calls fare, since the engine started.
    pub fares: script::Fares,
    /// Where its runs failed and how often, the most frequent first.
    pub traps: Vec<(String, u64)>,
}

/// A script and its versions.
#[derive(Debug, Clone, PartialEq)]
pub struct Described {
    /// The name.
    pub name: String,
    /// The active version.
    pub active: String,
    /// The version that was active before it.
    pub previous: Option<String>,
    /// When the active one became so.
    pub since: f64,
    /// Who saw to that.
    pub by: Option<String>,
    /// The version that takes a share of the calls, and how it fares beside the active one.
    pub canary: Option<(Canary, Trial)>,
    /// The canary that was worse, the last one.
    pub rolled_back: Option<RolledBack>,
    /// The version that runs beside the active one, and what was found.
    pub shadow: Option<(String, Report)>,
    /// Oldest first.
    pub versions: Vec<Listed>,
}

impl Scripts {
    /// Lays out the sandboxes, and makes the library from the store, the shipped scripts and the files
    /// that the configuration names. A stored version that does not load any more is left out, with a
    /// line in the log.
    ///
    /// # Errors
    /// Without sandboxes or a readable store there is nothing to run.
    pub fn open(
        world: &World,
        store: Store,
        blobs: Arc<Blobs>,
        compiler: Option<Compiler>,
    ) -> Result<Self, NoScripts> {
        let most = |of: fn(&Tenant) -> u64| world.tenants.iter().map(|t| of(t)).max().unwrap_or(0) as usize;
        let sandboxes = u32::try_from(world.node.sandboxes).unwrap_or(u32::MAX);
        let settings = Settings {
            sandboxes,
            per_tenant: (sandboxes / 4).max(1),
            memory: most(|t| t.limits.script_memory).max(script::limits::MEMORY),
            component: most(|t| t.limits.script_size).max(script::limits::COMPONENT),
            cache: Some(world.node.data.join("compiled")),
            apart: compiler.map(|Compiler { program, arguments }| script::Apart {
                program,
                arguments,
                bounds: world.node.compile.clone(),
            }),
        };
        let sandboxes = Arc::new(Sandboxes::new(settings).map_err(NoScripts::Engine)?);
        let shadows = Shadows::start(sandboxes.clone()).map_err(NoScripts::Thread)?;
        let library = Library::new();
        let scripts = Self { sandboxes, library, store, blobs, shadows, changing: Mutex::default() };
        for shipped in SHIPPED {
            match scripts.sandboxes.compile_own(shipped.component) {
                Ok(component) => drop(scripts.library.put_shared(NOBODY, shipped.name, component)),
                Err(why) => tracing::error!("the shipped script {} does not load: {why}", shipped.name),
            }
        }
        scripts.restore().map_err(NoScripts::Store)?;
        scripts.load_files(world);
        Ok(scripts)
    }

    /// The version that takes calls, but for a canary's: of a tenant's own script, or a shipped one as
    /// "strowger/NAME".
    pub fn active(&self, tenant: &str, script: &str) -> Option<Arc<Version>> {
        self.library.active(owner(tenant, script), script)
    }

    /// The version that takes this call.
    pub fn takes(&self, tenant: &str, script: &str, call: CallId) -> Option<Arc<Version>> {
        self.library.takes(owner(tenant, script), script, call)
    }

    /// The version of this hash, for a call that it had taken before a restart; one that is not loaded is read from the
    /// store. None: it is gone.
    pub fn took(&self, tenant: &str, script: &str, hash: &str) -> Option<Arc<Version>> {
        self.library
            .version(owner(tenant, script), script, hash)
            .or_else(|| self.load(tenant, script, hash).ok())
    }

    /// A run of a call's script is over: a shadow is compared with it, and a canary judged. Answers why the canary
    /// is worse, for [`Scripts::roll_back`].
    pub fn over(
        &self,
        tenant: &Arc<Tenant>,
        script: &str,
        run: &script::Run,
        version: &str,
    ) -> Option<String> {
        let (canary, shadow) = self.library.watched(&tenant.name, script);
        let active = || self.library.active(&tenant.name, script);
        if let Some(shadow) = shadow.filter(|_| active().is_some_and(|active| active.hash() == version)) {
            let (tenant, script) = (tenant.clone(), script.to_owned());
            self.shadows.compare(Played { tenant, script, version: shadow, tape: run.tape.clone() });
        }
        let trial = canary.then(|| self.library.trial(&tenant.name, script)).flatten()?;
        canary::worse(&trial, tenant.scripting.canary_calls)
    }

    /// Ends a canary that is worse; answers its hash, and none when it was ended before.
    pub fn roll_back(&self, tenant: &str, name: &str, reason: &str) -> Option<String> {
        let _one = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let canary = self.library.end_canary(tenant, name).ok()?;
        let kept = self.state(tenant, name).and_then(|mut state| {
            state.canary = None;
            let version = canary.hash().to_owned();
            state.rolled_back = Some(RolledBack { version, reason: reason.to_owned(), at: wall() });
            self.store.commit_and_wait(Batch::new().put(layout::script(tenant, name), json(&state)))
        });
        if let Err(why) = kept {
            tracing::error!(tenant, script = name, %why, "the end of a canary is not kept; a restart begins it again");
        }
        Some(canary.hash().to_owned())
    }

    /// Loads the files of `[[tenant.script]]` that hold something new, and activates them. One that is
    /// refused is left out with a line in the log: the version before goes on.
    pub fn load_files(&self, world: &World) {
        for tenant in &world.tenants {
            for script in &tenant.scripts {
                let loaded = component_of(&script.file).and_then(|bytes| {
                    if self
                        .library
                        .version(&tenant.name, &script.name, &BlobId::of(&bytes).to_string())
                        .is_some()
                    {
                        return Ok(());
                    }
                    self.push_file(tenant, &script.name, &bytes).map_err(|e| e.to_string())
                });
                if let Err(why) = loaded {
                    let (tenant, name, file) = (&tenant.name, &script.name, script.file.display());
                    tracing::error!("script {name} of tenant {tenant} is not loaded from {file}: {why}");
                }
            }
        }
    }

    /// Who may write the configuration may say what runs: its files need neither signature nor replay.
    fn push_file(&self, tenant: &Tenant, name: &str, bytes: &[u8]) -> Result<(), ScriptError> {
        let component = self.compile(tenant, bytes)?;
        let about = About { by: Some("the configuration".to_owned()), ..About::default() };
        self.add(tenant, name, component, bytes, about, None, Calls::All).map(drop)
    }

    /// Checks, compiles and keeps a component; durable when it returns. Takes as long as compiling
    /// does, up to half a minute, and as replaying calls, where the policy wants that: for a thread that may wait.
    pub fn push(&self, tenant: &Tenant, name: &str, bytes: &[u8], load: Load) -> Result<Pushed, ScriptError> {
        let component = self.compile(tenant, bytes)?;
        let signer = tenant.scripting.signed_by.iter().find(|key| {
            let signed = load.flow.as_deref().unwrap_or(bytes);
            load.signature.as_ref().is_some_and(|signature| key.has_signed(signed, signature))
        });
        if signer.is_none() && !tenant.scripting.signed_by.is_empty() {
            return Err(ScriptError::Unsigned);
        }
        if matches!(load.calls, Calls::Share(_)) && component.kind() == Kind::Strategy {
            return Err(ScriptError::NoShare);
        }
        let signed_by = signer.map(ToString::to_string);
        let refused = match load.calls {
            Calls::Draft => None,
            Calls::Share(_) | Calls::All if load.forced => None,
            Calls::Share(_) | Calls::All => self.parts(tenant, name, &Version::new(component.clone()))?,
        };
        let calls = if refused.is_some() { Calls::Draft } else { load.calls };
        let pushed = self.add(tenant, name, component, bytes, load.about, signed_by, calls)?;
        match refused {
            Some(report) => Err(ScriptError::Parts(pushed.number, report)),
            None => Ok(pushed),
        }
    }

    fn compile(&self, tenant: &Tenant, bytes: &[u8]) -> Result<Arc<Component>, ScriptError> {
        if bytes.len() as u64 > tenant.limits.script_size {
            return Err(ScriptError::TooLarge(tenant.limits.script_size));
        }
        self.check_carried(tenant, bytes)?;
        self.sandboxes.compile(bytes).map_err(ScriptError::Refused)
    }

    /// The settings that a shipped script carries, in a tenant's version of it, are checked as those of a number.
    fn check_carried(&self, tenant: &Tenant, bytes: &[u8]) -> Result<(), ScriptError> {
        let carried = script::sections::carried(bytes);
        let shipped = SHIPPED.iter().find(|shipped| shipped.component == carried.code);
        let (Some(shipped), Some(settings)) = (shipped, carried.settings) else { return Ok(()) };
        // What is no JSON is refused with the component.
        let Ok(settings) = serde_json::from_str(settings) else { return Ok(()) };
        let scripts = self.names(&tenant.name);
        let misfits = shipped::misfits(shipped.name, &settings, &Names::of(tenant, &scripts)).into_iter();
        let problem =
            |misfit: Misfit| script::Problem { place: format!("settings{}", misfit.place), what: misfit.why };
        let problems: Vec<_> = misfits.map(problem).collect();
        if problems.is_empty() { Ok(()) } else { Err(ScriptError::Refused(Refused { problems })) }
    }

    /// What the policy refuses of a version: it parts from the last calls.
    fn parts(&self, tenant: &Tenant, name: &str, version: &Version) -> Result<Option<Report>, ScriptError> {
        let policy = &tenant.scripting;
        let most = policy.replay_before_activation;
        if most == 0
            || version.component().kind() == Kind::Strategy
            || self.active(&tenant.name, name).is_none()
        {
            return Ok(None);
        }
        let report = comparison::last_calls(&self.sandboxes, &self.store, tenant, name, version, most)?;
        tracing::info!(
            tenant = &*tenant.name,
            script = name,
            version = version.hash(),
            "replayed before activation: {report}"
        );
        Ok(Some(report).filter(|report| policy.refuse == Refuse::Part && report.parted > 0))
    }

    #[allow(clippy::too_many_arguments)] // what a version is, and what becomes of it
    fn add(
        &self,
        tenant: &Tenant,
        name: &str,
        component: Arc<Component>,
        bytes: &[u8],
        about: About,
        signed_by: Option<String>,
        calls: Calls,
    ) -> Result<Pushed, ScriptError> {
        let _one = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let known = self.library.scripts(&tenant.name);
        if known.len() >= script::SCRIPTS && !known.iter().any(|k| k == name) {
            return Err(NoVersion::TooManyScripts.into());
        }
        self.blobs.put(bytes)?;
        let (hash, size) = (component.hash().to_owned(), bytes.len());
        let new = Stored { hash, size, uploaded: wall(), about, signed_by, activated: None };
        let number = self.keep(&tenant.name, name, new, calls)?;
        let version = self.library.put(&tenant.name, name, component, calls == Calls::All)?;
        if let Calls::Share(share) = calls {
            // The first version of a script takes all calls, whatever was asked.
            match self.library.begin_canary(&tenant.name, name, version.hash(), share) {
                Ok(_) | Err(NoVersion::TakesAll) => {}
                Err(why) => return Err(why.into()),
            }
        }
        let active = self.library.active(&tenant.name, name).is_some_and(|a| a.hash() == version.hash());
        Ok(Pushed { version, number, active })
    }

    /// New calls go to this version from here on, or a share of them; durable when it returns. `version` is a number, a
    /// label, a hash or the beginning of one. May replay calls first, as [`Scripts::push`] does.
    pub fn activate(
        &self,
        tenant: &Tenant,
        name: &str,
        version: &str,
        calls: Calls,
        forced: bool,
        by: Option<&str>,
    ) -> Result<Arc<Version>, ScriptError> {
        let (number, hash) = self.named(&tenant.name, name, version)?;
        let version = self.load(&tenant.name, name, &hash)?;
        if matches!(calls, Calls::Share(_)) && version.component().kind() == Kind::Strategy {
            return Err(ScriptError::NoShare);
        }
        // Going back must always be possible, whatever was recorded since.
        let state = self.state(&tenant.name, name)?;
        let had_all = state.active == hash || state.before.contains(&hash);
        if !forced
            && !had_all
            && let Some(report) = self.parts(tenant, name, &version)?
        {
            return Err(ScriptError::Parts(number, report));
        }
        self.give_calls(&tenant.name, name, &hash, calls, by)
    }

    /// The canary takes all calls from here on; durable when it returns.
    pub fn promote(&self, tenant: &str, name: &str, by: Option<&str>) -> Result<Arc<Version>, ScriptError> {
        if self.library.active(tenant, name).is_none() {
            return Err(NoVersion::NoScript.into());
        }
        let canary = self.library.trial(tenant, name).ok_or(NoVersion::NoCanary)?.canary;
        self.give_calls(tenant, name, &canary, Calls::All, by)
    }

    fn give_calls(
        &self,
        tenant: &str,
        name: &str,
        hash: &str,
        calls: Calls,
        by: Option<&str>,
    ) -> Result<Arc<Version>, ScriptError> {
        let _one = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut state = self.state(tenant, name)?;
        match calls {
            Calls::Share(_) if state.active == hash => return Err(NoVersion::TakesAll.into()),
            Calls::Share(share) => state.canary = Some(canary_of(hash, share, by)),
            Calls::All | Calls::Draft => state = state.activated(hash, by),
        }
        let mut batch = Batch::new().put(layout::script(tenant, name), json(&state));
        let row = self.stored(tenant, name)?.into_iter().find(|(_, row)| row.hash == hash);
        if let Some((number, mut row)) = row.filter(|(_, row)| row.activated.is_none()) {
            row.activated = Some(wall());
            batch = batch.put(layout::version(tenant, name, number), json(&row));
        }
        self.store.commit_and_wait(batch)?;
        Ok(match calls {
            Calls::Share(share) => self.library.begin_canary(tenant, name, hash, share)?,
            Calls::All | Calls::Draft => self.library.activate(tenant, name, hash)?,
        })
    }

    /// This version runs beside the active one from here on; none ends that. Durable when it returns.
    pub fn set_shadow(&self, tenant: &str, name: &str, version: Option<&str>) -> Result<(), ScriptError> {
        if self.library.active(tenant, name).is_none() {
            return Err(NoVersion::NoScript.into());
        }
        let hash = match version {
            None => None,
            Some(version) => Some(self.load(tenant, name, &self.named(tenant, name, version)?.1)?),
        };
        if hash.as_ref().is_some_and(|version| version.component().kind() == Kind::Strategy) {
            return Err(ScriptError::NoShare);
        }
        let hash = hash.map(|version| version.hash().to_owned());
        let _one = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut state = self.state(tenant, name)?;
        state.shadow.clone_from(&hash);
        self.store.commit_and_wait(Batch::new().put(layout::script(tenant, name), json(&state)))?;
        Ok(self.library.set_shadow(tenant, name, hash.as_deref())?)
    }

    /// The number and the hash of a version that is named by one of them, by its label or by the beginning of its hash.
    fn named(&self, tenant: &str, name: &str, version: &str) -> Result<(u32, String), ScriptError> {
        let stored = self.stored(tenant, name)?;
        if stored.is_empty() {
            return Err(NoVersion::NoScript.into());
        }
        let found = |fits: &dyn Fn(u32, &Stored) -> bool| {
            // The last one, where a label was used again.
            stored
                .iter()
                .rev()
                .find(|(number, row)| fits(*number, row))
                .map(|(n, row)| (*n, row.hash.clone()))
        };
        let number = version.parse::<u32>().ok();
        let whole = found(&|n, row| row.hash == version || number == Some(n))
            .or_else(|| found(&|_, row| row.about.label.as_deref() == Some(version)));
        if let Some(whole) = whole {
            return Ok(whole);
        }
        let begins = |row: &Stored| version.len() >= LEAST_OF_A_HASH && row.hash.starts_with(version);
        match stored.iter().filter(|(_, row)| begins(row)).count() {
            0 => Err(NoVersion::NoSuchVersion.into()),
            1 => found(&|_, row| begins(row)).ok_or_else(|| NoVersion::NoSuchVersion.into()),
            _ => Err(ScriptError::Ambiguous(version.to_owned())),
        }
    }

    /// A version that has a row, ready to run.
    fn load(&self, tenant: &str, name: &str, hash: &str) -> Result<Arc<Version>, ScriptError> {
        if let Some(ready) = self.library.version(tenant, name, hash) {
            return Ok(ready);
        }
        self.restore_version(tenant, name, hash)?;
        Ok(self.library.version(tenant, name, hash).ok_or(NoVersion::NoSuchVersion)?)
    }

    /// Whether a call's version was replaced so long ago that the tenant's policy ends the call.
    pub fn is_drained(&self, tenant: &Tenant, call: &LiveCall, now: f64) -> bool {
        let Some(drain) = tenant.scripting.drain else { return false };
        let takes = self.library.takes(owner(&tenant.name, &call.script), &call.script, call.id);
        if call.version.is_empty() || takes.is_none_or(|version| version.hash() == call.version) {
            return false;
        }
        // Replaced then or before.
        let since = self.state(&tenant.name, &call.script).map_or(now, |state| state.since);
        since.max(call.started) + drain.as_secs_f64() <= now
    }

    /// The names of a tenant's scripts, in order.
    pub fn names(&self, tenant: &str) -> Vec<String> {
        self.library.scripts(tenant)
    }

    /// A script and its versions; none when the tenant has no script of this name.
    pub fn describe(&self, tenant: &str, name: &str) -> Result<Option<Described>, StoreError> {
        let Some(ready) = self.library.list(tenant, name) else { return Ok(None) };
        let state = self.state(tenant, name)?;
        let trial = self.library.trial(tenant, name);
        let versions = self.stored(tenant, name)?.into_iter().map(|(number, row)| {
            let listed = ready.iter().find(|listed| listed.hash == row.hash);
            let fares = listed.map(|listed| listed.fares).unwrap_or_default();
            let version = self.library.version(tenant, name, &row.hash);
            let stage = match listed {
                Some(listed) if listed.active => Stage::Active,
                _ if trial.as_ref().is_some_and(|trial| trial.canary == row.hash) => Stage::Canary,
                _ if fares.running > 0 => Stage::Draining,
                // An older engine did not say when; what was active before has been.
                _ if row.activated.is_some() || state.before.contains(&row.hash) => Stage::Retired,
                _ => Stage::Draft,
            };
            let traps = version.map(|version| version.traps()).unwrap_or_default();
            let Stored { hash, size, uploaded, about, signed_by, .. } = row;
            Listed { version: hash, number, stage, size, uploaded, about, signed_by, fares, traps }
        });
        let versions: Vec<_> = versions.collect();
        let active = versions.iter().find(|v| v.stage == Stage::Active).map(|v| v.version.clone());
        let previous =
            state.before.iter().rev().find(|hash| versions.iter().any(|v| v.version == **hash)).cloned();
        let shadow = state.shadow.map(|hash| {
            let report = self.shadows.report(tenant, name, &hash);
            (hash, report)
        });
        Ok(Some(Described {
            name: name.to_owned(),
            active: active.unwrap_or_default(),
            previous,
            since: state.since,
            by: state.by,
            canary: state.canary.zip(trial),
            rolled_back: state.rolled_back,
            shadow,
            versions,
        }))
    }

    /// A version, ready to run; `version` is named as in [`Scripts::activate`].
    pub fn version(&self, tenant: &str, name: &str, version: &str) -> Result<Arc<Version>, ScriptError> {
        let (_, hash) = self.named(tenant, name, version)?;
        self.load(tenant, name, &hash)
    }

    /// The bytes of a version, as they were pushed; `version` is named as in [`Scripts::activate`].
    pub fn component(&self, tenant: &str, name: &str, version: &str) -> Result<Vec<u8>, ScriptError> {
        let (_, hash) = self.named(tenant, name, version)?;
        let id = hash.parse().map_err(|_| NoVersion::NoSuchVersion)?;
        Ok(self.blobs.get(&id)?.ok_or(NoVersion::NoSuchVersion)?)
    }

    /// Writes the version and what takes calls, in one batch; answers the version's number.
    fn keep(&self, tenant: &str, name: &str, new: Stored, calls: Calls) -> Result<u32, StoreError> {
        let stored = self.stored(tenant, name)?;
        let mut state = self.state(tenant, name)?;
        let (hash, by) = (new.hash.clone(), new.about.by.clone());
        let known = stored.iter().find(|(_, row)| row.hash == hash).cloned();
        let (number, mut row) =
            known.unwrap_or_else(|| (stored.last().map_or(1, |(number, _)| number + 1), new));
        let mut batch = Batch::new();
        match calls {
            Calls::Share(share) if !state.active.is_empty() && state.active != hash => {
                state.canary = Some(canary_of(&hash, share, by.as_deref()));
                row.activated = row.activated.or_else(|| Some(wall()));
            }
            Calls::Draft if !state.active.is_empty() => {}
            _ => {
                state = state.activated(&hash, by.as_deref());
                row.activated = row.activated.or_else(|| Some(wall()));
            }
        }
        batch = batch.put(layout::version(tenant, name, number), json(&row));
        batch = batch.put(layout::script(tenant, name), json(&state));
        let has_a_part = |row: &Stored| {
            row.hash == hash
                || row.hash == state.active
                || state.shadow.as_ref() == Some(&row.hash)
                || state.canary.as_ref().is_some_and(|canary| canary.version == row.hash)
        };
        let too_many = (stored.len() + 1).saturating_sub(STORED_VERSIONS);
        let old: Vec<_> = stored.iter().filter(|(_, row)| !has_a_part(row)).take(too_many).collect();
        for (number, _) in &old {
            batch = batch.delete(layout::version(tenant, name, *number));
        }
        self.store.commit_and_wait(batch)?;
        for (_, row) in &old {
            self.sweep(&row.hash);
        }
        Ok(number)
    }

    /// Removes a component of which no script has a version any more. One that stays for want of a store takes room
    /// and nothing else.
    fn sweep(&self, hash: &str) {
        let named = || -> Result<bool, StoreError> {
            let mut scan = layout::scripts();
            loop {
                let page = self.store.scan(&scan)?;
                let Some((last, _)) = page.last() else { return Ok(false) };
                let last = last.clone();
                for (_, value) in &page {
                    let Ok(state) = serde_json::from_slice::<State>(value) else { return Ok(true) };
                    let rows = self.stored(&state.tenant, &state.script)?;
                    if rows.iter().any(|(_, row)| row.hash == hash) {
                        return Ok(true);
                    }
                }
                scan = layout::scripts().behind(&last);
            }
        };
        let swept = match (named(), hash.parse::<BlobId>()) {
            (Ok(false), Ok(id)) => self.blobs.remove(&id),
            (Err(why), _) => Err(why),
            _ => Ok(()),
        };
        if let Err(why) = swept {
            tracing::warn!(hash, %why, "a component that nobody names any more stays for now");
        }
    }

    fn restore(&self) -> Result<(), StoreError> {
        let mut scan = layout::scripts();
        loop {
            let page = self.store.scan(&scan)?;
            let Some((last, _)) = page.last() else { return Ok(()) };
            let last = last.clone();
            for (_, value) in &page {
                match serde_json::from_slice::<State>(value) {
                    Ok(state) => self.restore_script(&state)?,
                    Err(_) => tracing::error!("what is active of a script cannot be read"),
                }
            }
            scan = layout::scripts().behind(&last);
        }
    }

    /// Makes ready what has a part to play, and of the others the last ones.
    fn restore_script(&self, state: &State) -> Result<(), StoreError> {
        let State { tenant, script: name, active, canary, shadow, .. } = state;
        let stored = self.stored(tenant, name)?;
        let old = stored.len().saturating_sub(script::KEPT_VERSIONS);
        let has_a_part = |hash: &String| {
            hash == active
                || shadow.as_ref() == Some(hash)
                || canary.as_ref().is_some_and(|canary| canary.version == *hash)
        };
        for (n, (_, row)) in stored.iter().enumerate() {
            if n < old && !has_a_part(&row.hash) {
                continue;
            }
            if let Err(why) = self.restore_version(tenant, name, &row.hash) {
                tracing::error!("version {} of script {name} of tenant {tenant} is lost: {why}", row.hash);
            }
        }
        let mut restored = self.library.activate(tenant, name, active).map(drop);
        if let Some(canary) = canary {
            let begun = self.library.begin_canary(tenant, name, &canary.version, canary.share);
            restored = restored.and(begun.map(drop));
        }
        restored = restored.and(self.library.set_shadow(tenant, name, shadow.as_deref()));
        if let Err(why) = restored {
            tracing::error!("script {name} of tenant {tenant} is not as it was: {why}");
        }
        Ok(())
    }

    fn restore_version(&self, tenant: &str, name: &str, hash: &str) -> Result<(), ScriptError> {
        let missing = || StoreError::Corrupt("its component is missing".to_owned());
        let id: BlobId = hash.parse().map_err(|_| missing())?;
        let bytes = self.blobs.get(&id)?.ok_or_else(missing)?;
        let component = self.sandboxes.compile(&bytes).map_err(ScriptError::Refused)?;
        self.library.put(tenant, name, component, false)?;
        Ok(())
    }

    fn state(&self, tenant: &str, script: &str) -> Result<State, StoreError> {
        let found = self.store.get(&layout::script(tenant, script))?;
        let new = || State { tenant: tenant.to_owned(), script: script.to_owned(), ..State::default() };
        Ok(found.and_then(|value| serde_json::from_slice(&value).ok()).unwrap_or_else(new))
    }

    /// Numbers and versions, the oldest first.
    fn stored(&self, tenant: &str, name: &str) -> Result<Vec<(u32, Stored)>, StoreError> {
        let found = self.store.scan(&layout::versions(tenant, name))?;
        let read = |(key, value): (Vec<u8>, Vec<u8>)| {
            let number = u32::from_be_bytes(*key.last_chunk::<4>()?);
            Some((number, serde_json::from_slice(&value).ok()?))
        };
        Ok(found.into_iter().filter_map(read).collect())
    }
}

/// The component that a file holds, or that does what a flow's file says: its names are checked with the configuration.
fn component_of(file: &Path) -> Result<Vec<u8>, String> {
    let bytes = std::fs::read(file).map_err(|why| why.to_string())?;
    if !flow::is_one(file) {
        return Ok(bytes);
    }
    let text = String::from_utf8(bytes).map_err(|why| why.to_string())?;
    let flow = flow::read(&text, &Names::default());
    let flow =
        flow.map_err(|mistakes| mistakes.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))?;
    Ok(flow::component(&flow, &text))
}

/// Shipped scripts are nobody's.
fn owner<'a>(tenant: &'a str, script: &str) -> &'a str {
    if script.starts_with("strowger/") { NOBODY } else { tenant }
}

fn canary_of(hash: &str, share: u32, by: Option<&str>) -> Canary {
    Canary { version: hash.to_owned(), share, since: wall(), by: by.map(str::to_owned) }
}

fn json<T: Serialize>(value: &T) -> Vec<u8> {
    serde_json::to_vec(value).expect("texts and numbers are always JSON")
}
