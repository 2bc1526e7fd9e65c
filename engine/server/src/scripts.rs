//! The scripts of all tenants on disk and ready to run: what is acknowledged as loaded or activated
//! is in the store, and at the start the library is made from there. The shipped scripts are embedded
//! in the binary and belong to no tenant.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use script::{Component, Library, NoEngine, NoVersion, Refused, Sandboxes, Settings, Version};
use serde::{Deserialize, Serialize};
use store::{Batch, BlobId, Blobs, Store, StoreError, layout};

use crate::config::{Tenant, World};
use crate::events::wall;
use crate::shipped::SHIPPED;

/// Shipped scripts stand in the library under no tenant's name.
const NOBODY: &str = "";

/// Versions that were active before, kept for going back.
const REMEMBERED: usize = script::KEPT_VERSIONS;

/// Every script, ready to run.
pub struct Scripts {
    /// Runs them.
    pub sandboxes: Arc<Sandboxes>,
    library: Library,
    store: Store,
    blobs: Arc<Blobs>,
    /// One change at a time, so that what is stored and what runs are the same.
    changing: Mutex<()>,
}

/// Which version is active, as stored.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct State {
    tenant: String,
    script: String,
    active: String,
    /// The latest last.
    before: Vec<String>,
    since: f64,
}

/// A version, as stored.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Stored {
    hash: String,
    size: usize,
    uploaded: f64,
}

/// A version that was loaded.
pub struct Pushed {
    /// What runs.
    pub version: Arc<Version>,
    /// It takes new calls.
    pub active: bool,
}

/// A version in a list.
#[derive(Debug, Clone, PartialEq)]
pub struct Listed {
    /// SHA-256 of the component, hex.
    pub version: String,
    /// It takes new calls.
    pub active: bool,
    /// Bytes.
    pub size: usize,
    /// Seconds since 1970 UTC.
    pub uploaded: f64,
    /// How its calls fare.
    pub fares: script::Fares,
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
    /// Oldest first.
    pub versions: Vec<Listed>,
}

/// Why a script was not loaded or activated.
#[derive(Debug)]
pub enum ScriptError {
    /// The component is not one that this engine runs: 422, with what and where.
    Refused(Refused),
    /// Larger than the tenant's `script_size`: 413.
    TooLarge(u64),
    /// There is no such script or version, or no room for one more: 404 or 409.
    NoVersion(NoVersion),
    /// It could not be kept: 503 or 507.
    Store(StoreError),
}

impl fmt::Display for ScriptError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(refused) => refused.fmt(f),
            Self::TooLarge(most) => {
                write!(f, "the component is larger than {most} bytes, the tenant's script_size")
            }
            Self::NoVersion(why) => why.fmt(f),
            Self::Store(why) => why.fmt(f),
        }
    }
}

impl std::error::Error for ScriptError {}

impl From<StoreError> for ScriptError {
    fn from(why: StoreError) -> Self {
        Self::Store(why)
    }
}

impl From<NoVersion> for ScriptError {
    fn from(why: NoVersion) -> Self {
        Self::NoVersion(why)
    }
}

/// Why there are no scripts at all.
#[derive(Debug)]
pub enum NoScripts {
    /// The sandboxes could not be laid out.
    Engine(NoEngine),
    /// The store cannot be read.
    Store(StoreError),
}

impl fmt::Display for NoScripts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Engine(why) => why.fmt(f),
            Self::Store(why) => why.fmt(f),
        }
    }
}

impl std::error::Error for NoScripts {}

impl Scripts {
    /// Lays out the sandboxes, and makes the library from the store, the shipped scripts and the files
    /// that the configuration names. A stored version that does not load any more is left out, with a
    /// line in the log.
    ///
    /// # Errors
    /// Without sandboxes or a readable store there is nothing to run.
    pub fn open(world: &World, store: Store, blobs: Arc<Blobs>) -> Result<Self, NoScripts> {
        let most = |of: fn(&Tenant) -> u64| world.tenants.iter().map(|t| of(t)).max().unwrap_or(0) as usize;
        let sandboxes = u32::try_from(world.node.sandboxes).unwrap_or(u32::MAX);
        let settings = Settings {
            sandboxes,
            per_tenant: (sandboxes / 4).max(1),
            memory: most(|t| t.limits.script_memory).max(script::limits::MEMORY),
            component: most(|t| t.limits.script_size).max(script::limits::COMPONENT),
            cache: Some(world.node.data.join("compiled")),
        };
        let sandboxes = Arc::new(Sandboxes::new(settings).map_err(NoScripts::Engine)?);
        let scripts = Self { sandboxes, library: Library::new(), store, blobs, changing: Mutex::default() };
        for shipped in SHIPPED {
            match scripts.sandboxes.compile(shipped.component) {
                Ok(component) => drop(scripts.library.put(NOBODY, shipped.name, component, true)),
                Err(why) => tracing::error!("the shipped script {} does not load: {why}", shipped.name),
            }
        }
        scripts.restore().map_err(NoScripts::Store)?;
        scripts.load_files(world);
        Ok(scripts)
    }

    /// The version that takes a call now: a tenant's own script, or a shipped one as "strowger/NAME".
    pub fn active(&self, tenant: &str, script: &str) -> Option<Arc<Version>> {
        let owner = if script.starts_with("strowger/") { NOBODY } else { tenant };
        self.library.active(owner, script)
    }

    /// Loads the files of `[[tenant.script]]` that hold something new, and activates them. One that is
    /// refused is left out with a line in the log: the version before goes on.
    pub fn load_files(&self, world: &World) {
        for tenant in &world.tenants {
            for script in &tenant.scripts {
                let loaded = std::fs::read(&script.file).map_err(|e| e.to_string()).and_then(|bytes| {
                    if self
                        .library
                        .version(&tenant.name, &script.name, &BlobId::of(&bytes).to_string())
                        .is_some()
                    {
                        return Ok(());
                    }
                    self.push(tenant, &script.name, &bytes, true).map(drop).map_err(|e| e.to_string())
                });
                if let Err(why) = loaded {
                    let (tenant, name, file) = (&tenant.name, &script.name, script.file.display());
                    tracing::error!("script {name} of tenant {tenant} is not loaded from {file}: {why}");
                }
            }
        }
    }

    /// Checks, compiles and keeps a component; durable when it returns. Takes as long as compiling
    /// does, up to half a minute: for a thread that may wait.
    pub fn push(
        &self,
        tenant: &Tenant,
        name: &str,
        bytes: &[u8],
        activate: bool,
    ) -> Result<Pushed, ScriptError> {
        if bytes.len() as u64 > tenant.limits.script_size {
            return Err(ScriptError::TooLarge(tenant.limits.script_size));
        }
        let component = self.sandboxes.compile(bytes).map_err(ScriptError::Refused)?;
        let _one = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let known = self.library.scripts(&tenant.name);
        if known.len() >= script::SCRIPTS && !known.iter().any(|k| k == name) {
            return Err(NoVersion::TooManyScripts.into());
        }
        self.keep(&tenant.name, name, &component, bytes, activate)?;
        let version = self.library.put(&tenant.name, name, component, activate)?;
        let active = self.library.active(&tenant.name, name).is_some_and(|a| a.hash() == version.hash());
        Ok(Pushed { version, active })
    }

    /// New calls go to this version from here on; durable when it returns.
    pub fn activate(&self, tenant: &str, name: &str, hash: &str) -> Result<Arc<Version>, ScriptError> {
        let _one = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        if self.library.active(tenant, name).is_none() {
            return Err(NoVersion::NoScript.into());
        }
        if self.library.version(tenant, name, hash).is_none() {
            return Err(NoVersion::NoSuchVersion.into());
        }
        let state = self.state(tenant, name)?.activated(hash);
        self.store.commit_and_wait(Batch::new().put(layout::script(tenant, name), json(&state)))?;
        Ok(self.library.activate(tenant, name, hash)?)
    }

    /// The names of a tenant's scripts, in order.
    pub fn names(&self, tenant: &str) -> Vec<String> {
        self.library.scripts(tenant)
    }

    /// A script and its versions; none when the tenant has no script of this name.
    pub fn describe(&self, tenant: &str, name: &str) -> Result<Option<Described>, StoreError> {
        let Some(listed) = self.library.list(tenant, name) else { return Ok(None) };
        let state = self.state(tenant, name)?;
        let stored = self.stored(tenant, name)?;
        let versions = listed.into_iter().map(|l| {
            let stored = stored.iter().map(|(_, s)| s).find(|s| s.hash == l.hash);
            let (size, uploaded) = stored.map_or((0, 0.0), |s| (s.size, s.uploaded));
            Listed { version: l.hash, active: l.active, size, uploaded, fares: l.fares }
        });
        let versions: Vec<_> = versions.collect();
        let active = versions.iter().find(|v| v.active).map(|v| v.version.clone()).unwrap_or_default();
        let previous =
            state.before.iter().rev().find(|hash| versions.iter().any(|v| v.version == **hash)).cloned();
        Ok(Some(Described { name: name.to_owned(), active, previous, since: state.since, versions }))
    }

    /// The bytes of a version, as they were pushed.
    pub fn component(&self, tenant: &str, name: &str, hash: &str) -> Result<Option<Vec<u8>>, StoreError> {
        if self.library.version(tenant, name, hash).is_none() {
            return Ok(None);
        }
        let Ok(id) = hash.parse() else { return Ok(None) };
        self.blobs.get(&id)
    }

    /// Writes the component, the version and what is active, in one batch.
    fn keep(
        &self,
        tenant: &str,
        name: &str,
        component: &Component,
        bytes: &[u8],
        activate: bool,
    ) -> Result<(), StoreError> {
        let hash = component.hash();
        self.blobs.put(bytes)?;
        let stored = self.stored(tenant, name)?;
        let state = self.state(tenant, name)?;
        let mut batch = Batch::new();
        if !stored.iter().any(|(_, s)| s.hash == hash) {
            let number = stored.last().map_or(1, |(number, _)| number + 1);
            let new = Stored { hash: hash.to_owned(), size: bytes.len(), uploaded: wall() };
            batch = batch.put(layout::version(tenant, name, number), json(&new));
        }
        if activate || state.active.is_empty() {
            batch = batch.put(layout::script(tenant, name), json(&state.clone().activated(hash)));
        }
        // As many as the library keeps: the oldest that is not active makes room.
        let too_many = (stored.len() + 1).saturating_sub(script::KEPT_VERSIONS);
        let old = stored.iter().filter(|(_, s)| s.hash != state.active && s.hash != hash).take(too_many);
        for (number, _) in old {
            batch = batch.delete(layout::version(tenant, name, *number));
        }
        self.store.commit_and_wait(batch)
    }

    fn restore(&self) -> Result<(), StoreError> {
        let mut scan = layout::scripts();
        loop {
            let page = self.store.scan(&scan)?;
            let Some((last, _)) = page.last() else { return Ok(()) };
            let last = last.clone();
            for (_, value) in &page {
                let Ok(State { tenant, script: name, active, .. }) = serde_json::from_slice(value) else {
                    tracing::error!("what is active of a script cannot be read");
                    continue;
                };
                for (_, stored) in self.stored(&tenant, &name)? {
                    if let Err(why) = self.restore_version(&tenant, &name, &stored) {
                        tracing::error!(
                            "version {} of script {name} of tenant {tenant} is lost: {why}",
                            stored.hash
                        );
                    }
                }
                if let Err(why) = self.library.activate(&tenant, &name, &active) {
                    tracing::error!("script {name} of tenant {tenant} is not as it was: {why}");
                }
            }
            scan = layout::scripts().behind(&last);
        }
    }

    fn restore_version(&self, tenant: &str, name: &str, stored: &Stored) -> Result<(), ScriptError> {
        let missing = || StoreError::Corrupt("its component is missing".to_owned());
        let id: BlobId = stored.hash.parse().map_err(|_| missing())?;
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

impl State {
    fn activated(mut self, hash: &str) -> Self {
        if self.active != hash {
            if !self.active.is_empty() {
                self.before.push(std::mem::take(&mut self.active));
            }
            let too_many = self.before.len().saturating_sub(REMEMBERED);
            self.before.drain(..too_many);
            self.active = hash.to_owned();
            self.since = wall();
        }
        self
    }
}

fn json<T: Serialize>(value: &T) -> Vec<u8> {
    serde_json::to_vec(value).expect("texts and numbers are always JSON")
}
