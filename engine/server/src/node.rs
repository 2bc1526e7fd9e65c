//! The node: what the shards, the API and the command line share, from opening the data folder to a
//! graceful stop. It owns the store, the scripts, the prompts and the current world; calls belong to
//! the shards.

use std::fmt;
use std::fs::{self, File};
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, flock};
use serde_json::json;
use store::{Blobs, Engine, Journal, Options, Store, StoreError, Unsealed};

use crate::bans::Bans;
use crate::config::{self, Mistakes, StoreKind, World};
use crate::crm::Crm;
use crate::crm::contacts::Writing;
use crate::events::{EventBus, wall};
use crate::mailboxes::Mailboxes;
use crate::memory::Memory;
use crate::metrics::{Metrics, OfPace, OfTenant};
use crate::outside::Fetcher;
use crate::post::Post;
use crate::prompts::Prompts;
use crate::recordings::{Recordings, shares::Shares};
use crate::records::Marking;
use crate::retention;
use crate::scripts::{Compiler, NoScripts, Scripts};
use crate::shards::Shards;
use crate::stir::certificates::Certificates;
use crate::tasks::Tasks;
use crate::throttle::{Doors, Pace};
use crate::traces::Traces;

/// Log lines kept of each script.
const LOG_LINES: usize = 200;

/// Imports of each script's calls that are kept for a watcher who is slow.
const TIMELINE_LINES: usize = 1_000;

/// How often expired values are removed; until then they take room and are not read.
const SWEEP: Duration = Duration::from_secs(60);

/// How often what calls left behind is looked through for what is kept no longer.
const RETENTION: Duration = Duration::from_secs(3600);

/// How often a graceful stop looks whether the last call is over.
const DRAIN_LOOK: Duration = Duration::from_millis(100);

/// A running exchange, without its shards.
pub struct Node {
    world: RwLock<Arc<World>>,
    /// The file or folder of the configuration; none for the demo.
    config: Option<PathBuf>,
    /// Tells this start of the process from others: milliseconds since 1970.
    pub epoch: u64,
    /// Registrations, records, tapes, scripts' memory.
    pub store: Store,
    /// Tapes of calls that are up.
    pub journal: Journal,
    /// What scripts keep across calls.
    pub memory: Memory,
    /// What is on its way to people and programs outside.
    pub post: Post,
    /// What is left to do for callers.
    pub tasks: Tasks,
    /// Changes the tenants' own contacts.
    pub contacts: Writing,
    /// Changes what calls that are over are marked with.
    pub marking: Marking,
    /// Every script, ready to run.
    pub scripts: Scripts,
    /// Every prompt.
    pub prompts: Prompts,
    /// What was recorded of calls.
    pub recordings: Recordings,
    /// Messages for users and groups.
    pub mailboxes: Mailboxes,
    /// Each tenant's events, by the tenant's name.
    pub events: EventBus,
    /// Each script's log lines, by [`log_row`].
    pub logs: EventBus,
    /// What each script's calls do, by [`log_row`], while somebody watches.
    pub timelines: EventBus,
    /// Asks servers outside for scripts.
    pub fetcher: Fetcher,
    /// The way to the collector of traces.
    pub traces: Traces,
    /// What is counted.
    pub metrics: Metrics,
    /// Who is not heard for a while.
    pub bans: Bans,
    /// Who asks too much.
    pub doors: Doors,
    /// What callers' identities are signed with.
    pub certificates: Arc<Certificates>,
    /// Where scripts run: a runtime of their own, so that a slow request never waits for a guest.
    pub script_runtime: tokio::runtime::Handle,
    shards: OnceLock<Arc<dyn Shards>>,
    draining: AtomicBool,
    /// Held as long as the node lives.
    _lock: File,
}

/// Why the node did not start.
#[derive(Debug)]
pub enum StartError {
    /// The data folder can't be made or opened.
    Data(PathBuf, io::Error),
    /// Another process has the data folder.
    InUse(PathBuf),
    /// The store is damaged or unreadable.
    Store(StoreError),
    /// No sandboxes.
    Scripts(NoScripts),
    /// Sockets or threads: what, and why.
    Os(&'static str, io::Error),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Data(folder, why) => {
                write!(
                    f,
                    "the data folder {} can't be used: {why}; choose another with --data",
                    folder.display()
                )
            }
            Self::InUse(folder) => write!(
                f,
                "the data folder {} is in use by another strowger; stop it, or choose another with --data",
                folder.display()
            ),
            Self::Store(why) => write!(f, "the store can't be opened: {why}"),
            Self::Scripts(why) => write!(f, "scripts can't run: {why}"),
            Self::Os(what, why) => write!(f, "{what}: {why}"),
        }
    }
}

impl std::error::Error for StartError {}

impl Node {
    /// Opens the data folder and everything in it. `compiler`: the program that compiles tenants' components apart; this
    /// process does if none. Also answers the tapes of calls that were up when
    /// the process ended last.
    ///
    /// # Errors
    /// See [`StartError`]; nothing is left behind but the folder.
    pub fn open(
        world: World,
        config: Option<PathBuf>,
        script_runtime: tokio::runtime::Handle,
        compiler: Option<Compiler>,
    ) -> Result<(Arc<Self>, Vec<Unsealed>), StartError> {
        let data = world.node.data.clone();
        let lock = lock(&data)?;
        let engine = match world.node.store {
            StoreKind::Sled => Engine::Sled,
            StoreKind::Redb => Engine::Redb,
        };
        let options = Options { engine, ..Options::default() };
        let store = Store::open(&data.join("store"), &options).map_err(StartError::Store)?;
        let blobs_folder = data.join("blobs");
        let blobs = Arc::new(Blobs::open(&blobs_folder, options.keep_free).map_err(StartError::Store)?);
        let (journal, unsealed) = Journal::open(&data.join("tapes")).map_err(StartError::Store)?;
        let tenants = world.tenants.iter().map(|t| t.name.to_string());
        let prompts = Prompts::open(store.clone(), blobs.clone(), &data, blobs_folder, tenants);
        let shares = Shares::open(store.clone()).map_err(StartError::Store)?;
        let recordings = Recordings::open(&data, shares)
            .map_err(|why| StartError::Os("recordings can't be encoded", why))?;
        let (metrics, epoch) = (Metrics::default(), (wall() * 1000.0) as u64);
        let (sent, dropped) = (metrics.traces_sent.clone(), metrics.traces_dropped.clone());
        let traces = Traces::start(world.traces.as_ref(), epoch, &script_runtime, sent, dropped);
        let doors = Doors::default();
        doors.configure(&world);
        keep_tokens(&world, &store);
        let node = Self {
            config,
            epoch,
            post: Post::open(store.clone(), epoch).map_err(StartError::Store)?,
            tasks: Tasks::open(store.clone()).map_err(StartError::Store)?,
            contacts: Writing::default(),
            marking: Marking::default(),
            memory: Memory::new(store.clone()),
            scripts: Scripts::open(&world, store.clone(), blobs, compiler).map_err(StartError::Scripts)?,
            prompts: prompts.map_err(StartError::Store)?,
            recordings,
            mailboxes: Mailboxes::open(store.clone()).map_err(StartError::Store)?,
            events: EventBus::default(),
            logs: EventBus::keeping(LOG_LINES),
            timelines: EventBus::keeping(TIMELINE_LINES),
            fetcher: Fetcher::default(),
            traces,
            metrics,
            bans: Bans::default(),
            doors,
            certificates: Arc::default(),
            script_runtime,
            shards: OnceLock::new(),
            draining: AtomicBool::new(false),
            world: RwLock::new(Arc::new(world)),
            store,
            journal,
            _lock: lock,
        };
        Ok((Arc::new(node), unsealed))
    }

    /// The configuration as it is now. A call keeps the one it began with.
    pub fn world(&self) -> Arc<World> {
        self.world.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Gives the node its shards; once.
    pub fn set_shards(&self, shards: Arc<dyn Shards>) {
        if self.shards.set(shards).is_err() {
            tracing::error!("the shards were started twice; the first ones stay");
        }
    }

    /// The shards, once they run.
    pub fn shards(&self) -> Option<&Arc<dyn Shards>> {
        self.shards.get()
    }

    /// Whether what comes from there is read; counts what is not.
    pub fn hears(&self, from: IpAddr) -> bool {
        let hears = self.bans.is_empty() || !self.bans.is_banned(Instant::now(), from);
        if !hears {
            self.metrics.sip_unheard.inc();
        }
        hears
    }

    /// What becomes of a message that comes from there; counts what is not taken.
    pub fn pace(&self, from: IpAddr) -> Pace {
        if !self.hears(from) {
            return Pace::Flood;
        }
        let pace = self.doors.ask(Instant::now(), from);
        if let Some(of) = OfPace::new(pace) {
            self.metrics.sip_throttled.get_or_create(&of).inc();
        }
        pace
    }

    /// No new calls are taken.
    pub fn is_draining(&self) -> bool {
        self.draining.load(Relaxed)
    }

    /// Reads the configuration again and takes it, all or nothing. The data folder, the store and the
    /// listening sockets stay as they are until the next start. The demo world has nothing to read.
    ///
    /// # Errors
    /// Every mistake; the old configuration goes on.
    pub fn reload(&self) -> Result<(), Mistakes> {
        let Some(config) = &self.config else { return Ok(()) };
        let mut world = config::load(config)?;
        world.node.data = self.world().node.data.clone();
        let world = Arc::new(world);
        keep_tokens(&world, &self.store);
        self.scripts.load_files(&world);
        *self.world.write().unwrap_or_else(PoisonError::into_inner) = world.clone();
        self.doors.configure(&world);
        if let Some(shards) = self.shards() {
            shards.reload(world.clone());
        }
        for tenant in &world.tenants {
            self.events.publish(&tenant.name, "config.reloaded", json!({}));
        }
        Ok(())
    }

    /// Removes from scripts' memory what has expired, and of calls what their tenants keep no longer, for as long as it is
    /// awaited.
    pub async fn sweep(self: Arc<Self>) {
        let mut looked_through = None;
        loop {
            tokio::time::sleep(SWEEP).await;
            if looked_through.is_none_or(|at: Instant| at.elapsed() >= RETENTION) {
                looked_through = Some(Instant::now());
                let node = self.clone();
                if let Err(why) = tokio::task::spawn_blocking(move || node.forget_old(wall())).await {
                    tracing::error!(%why, "what is kept no longer was not removed");
                }
            }
            let node = self.clone();
            match tokio::task::spawn_blocking(move || node.memory.sweep()).await {
                Ok(Ok(swept)) => tracing::debug!(swept, "expired values removed"),
                Ok(Err(why)) => tracing::warn!(%why, "expired values stay for now"),
                Err(why) => tracing::error!(%why, "the sweep failed"),
            }
            self.end_drained(wall()).await;
        }
    }

    /// Removes what tenants keep no longer of their calls. `now`: seconds since 1970 UTC.
    fn forget_old(&self, now: f64) {
        for tenant in &self.world().tenants {
            let of = || OfTenant { tenant: tenant.name.to_string() };
            match retention::sweep(&self.store, &tenant.name, &tenant.keep, now) {
                Ok(swept) => {
                    self.metrics.tapes_size.get_or_create(&of()).set(swept.tape_bytes.cast_signed());
                    self.metrics.tapes_removed.get_or_create(&of()).inc_by(swept.tapes);
                    self.metrics.records_removed.get_or_create(&of()).inc_by(swept.records);
                }
                Err(why) => {
                    tracing::warn!(tenant = %tenant.name, %why, "what is kept no longer stays for now");
                }
            }
            match self.post.sweep(&tenant.name, &tenant.keep, now) {
                Ok(forgotten) => {
                    self.metrics.dead_letters_removed.get_or_create(&of()).inc_by(forgotten);
                }
                Err(why) => {
                    tracing::warn!(tenant = %tenant.name, %why, "dead letters kept no longer stay for now");
                }
            }
        }
    }

    /// Hangs up the calls on versions that were replaced too long ago, as their tenants' policies say.
    pub async fn end_drained(&self, now: f64) {
        let (world, Some(shards)) = (self.world(), self.shards()) else { return };
        for tenant in world.tenants.iter().filter(|tenant| tenant.scripting.drain.is_some()) {
            for call in shards.calls(&tenant.name).await {
                if self.scripts.is_drained(tenant, &call, now) && shards.hang_up(&tenant.name, call.id).await
                {
                    let told = json!({ "call": call.id.to_string(), "script": call.script, "version": call.version });
                    self.events.publish(&tenant.name, "script.drained", told);
                }
            }
        }
    }

    /// Takes no new calls, waits until those that are up are over, at most for `[node] drain`, then
    /// ends the shards. `at_once` ends the waiting.
    pub async fn stop(&self, at_once: impl Future<Output = ()>) {
        self.draining.store(true, Relaxed);
        let Some(shards) = self.shards() else { return };
        let draining = shards.drain();
        let over = async {
            draining.await;
            while shards.live() > 0 {
                tokio::time::sleep(DRAIN_LOOK).await;
            }
        };
        tokio::select! {
            () = over => {}
            () = tokio::time::sleep(self.world().node.drain) => {
                tracing::warn!("{} calls are still up after the drain; they are hung up", shards.live());
            }
            () = at_once => tracing::warn!("{} calls are hung up at once", shards.live()),
        }
        let shards = shards.clone();
        if tokio::task::spawn_blocking(move || shards.stop()).await.is_err() {
            tracing::error!("a shard failed while stopping");
        }
        self.traces.flush().await;
    }
}

/// The name of a script's row in [`Node::logs`]. No tenant has a "/" in its name.
pub fn log_row(tenant: &str, script: &str) -> String {
    format!("{tenant}/{script}")
}

/// What CRMs give in place of configured tokens goes to the store.
fn keep_tokens(world: &World, store: &Store) {
    for tenant in &world.tenants {
        if let Crm::Remote(remote) = &tenant.crm {
            remote.keep_token(store, &tenant.name);
        }
    }
}

/// Makes the folder and takes it for this process.
fn lock(data: &Path) -> Result<File, StartError> {
    let failed = |why: io::Error| StartError::Data(data.to_owned(), why);
    fs::create_dir_all(data).map_err(failed)?;
    let file =
        File::options().create(true).truncate(false).write(true).open(data.join("lock")).map_err(failed)?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(file),
        Err(rustix::io::Errno::WOULDBLOCK) => Err(StartError::InUse(data.to_owned())),
        Err(why) => Err(failed(why.into())),
    }
}
