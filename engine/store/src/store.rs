//! One store: reads from any thread, and one thread that commits.
//!
//! A commit is handed over with a closure that hears when it is on disk. Commits that arrive while the
//! disk is busy, or shortly after it was, are joined into the next one, so that a thousand registrations
//! cost a handful of syncs.
//! What was not acknowledged is not visible either. When the database fails, reads go on from it and the
//! next commit opens it anew.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, PoisonError, RwLock};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::Receiver;

use crate::engine::{Engine, guarded};
use crate::kv::{Batch, Change, Each, Kv, Scan};
use crate::queue::{Pending, Queue};
use crate::tally::{OWN, Tally, Witness, sealed, unsealed};
use crate::{MAX_BATCH, MAX_KEY, MAX_VALUE, StoreError};

/// How often, and how long apart, a database that still winds down is asked for its lock; a busy disk takes its time.
const REOPEN_TRIES: u32 = 250;
const REOPEN_PAUSE: Duration = Duration::from_millis(20);
/// How long a reader waits for a database that fails to be opened anew; then it hears of the failure.
const MEND: Duration = Duration::from_secs(1);

/// Hears how a commit ended, on the store's thread; it should be quick.
pub type Done = Box<dyn FnOnce(Result<(), StoreError>) + Send>;

/// How a store is opened.
#[derive(Clone, Debug)]
pub struct Options {
    /// The database under it.
    pub engine: Engine,
    /// The database's memory for pages.
    pub cache_bytes: u64,
    /// Writes are refused while the disk has less room than this, so that the database itself never
    /// meets a full one.
    pub keep_free: u64,
    /// Commits of the database begin at least so far apart, so that those of a busy moment share one: a
    /// sync costs as much for one batch as for many. A batch that comes after a quiet time waits for
    /// nobody.
    pub pace: Duration,
    /// Open even though acknowledged records are missing or altered: says so in the log, drops what
    /// cannot be read, and counts anew; a database that will not open at all is set aside in its
    /// folder, and an empty one begun. For an operator who has no better copy.
    pub accept_loss: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            engine: Engine::default(),
            cache_bytes: 64 << 20,
            keep_free: 64 << 20,
            pace: Duration::from_millis(20),
            accept_loss: false,
        }
    }
}

/// A key and its value.
pub type Record = (Vec<u8>, Vec<u8>);

/// What the store has done since it was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Batches acknowledged.
    pub commits: u64,
    /// Times the disk was synced for them.
    pub groups: u64,
    /// Batches refused, for whatever reason.
    pub refused: u64,
    /// Batches waiting now.
    pub waiting: u64,
}

/// A handle; clones share one store, and the last one dropped finishes what waits and closes it.
#[derive(Clone)]
pub struct Store(Arc<Inner>);

struct Inner {
    shared: Arc<Shared>,
    queue: Arc<Queue>,
    writer: Option<JoinHandle<()>>,
}

struct Shared {
    kv: RwLock<Box<dyn Kv>>,
    /// Held by the writer while changes can be read and are not on disk yet: the database shows them
    /// before its sync returns.
    landing: RwLock<()>,
    commits: AtomicU64,
    groups: AtomicU64,
    refused: AtomicU64,
}

impl Store {
    /// Opens or makes the store in `folder`, and reads all of it once: [`StoreError::Corrupt`] if anything
    /// acknowledged is missing or altered, unless the options accept that.
    pub fn open(folder: &Path, options: &Options) -> Result<Self, StoreError> {
        std::fs::create_dir_all(folder).map_err(StoreError::io("making the store's folder"))?;
        let witness = Witness::open(folder)?;
        let opened = || {
            let kv = open_when_free(folder, options)?;
            let tally = verified(kv.as_ref(), &witness, options.accept_loss)?;
            Ok((kv, tally))
        };
        let (kv, tally) = match opened() {
            Err(error @ (StoreError::Corrupt(_) | StoreError::Engine(_))) if options.accept_loss => {
                tracing::error!(%error, "loss is accepted: the database is set aside and a new one begun");
                set_aside(folder, options.engine)?;
                opened()?
            }
            result => result?,
        };
        witness.write(tally.commits)?;
        let shared = Arc::new(Shared {
            kv: RwLock::new(kv),
            landing: RwLock::new(()),
            commits: AtomicU64::new(0),
            groups: AtomicU64::new(0),
            refused: AtomicU64::new(0),
        });
        let queue = Arc::new(Queue::default());
        let pending = queue.clone();
        let writer = Writer {
            folder: folder.to_owned(),
            options: options.clone(),
            shared: shared.clone(),
            witness,
            tally,
            broken: false,
        };
        let writer = std::thread::Builder::new()
            .name("store".into())
            .spawn(move || writer.run(&pending))
            .map_err(StoreError::io("starting the store's thread"))?;
        Ok(Self(Arc::new(Inner { shared, queue, writer: Some(writer) })))
    }

    /// The value under a key, as last written; it may still be on its way to the disk.
    pub fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        check_key(key)?;
        self.read(|kv| kv.get(key))?.map(|stored| unsealed(key, stored)).transpose()
    }

    /// As [`Store::scan`], and all of them are on disk: what is listed to someone is promised to them.
    /// Waits for a commit that is under way, so not for a thread that serves calls.
    pub fn scan_on_disk(&self, scan: &Scan) -> Result<Vec<Record>, StoreError> {
        let landed = || self.0.shared.landing.read().unwrap_or_else(PoisonError::into_inner);
        self.page(scan, landed)
    }

    /// A page of records as last written; the latest may still be on their way to the disk. Go on with
    /// [`Scan::behind`] the last one.
    pub fn scan(&self, scan: &Scan) -> Result<Vec<Record>, StoreError> {
        self.page(scan, || ())
    }

    /// `hold`: takes what is held while the database is read.
    fn page<H>(&self, scan: &Scan, hold: impl Fn() -> H) -> Result<Vec<Record>, StoreError> {
        let from = scan.from.as_slice().max(&[OWN + 1]);
        if scan.limit == 0 {
            return Ok(Vec::new());
        }
        let page = self.read(|kv| {
            let _held = hold();
            let mut page = Vec::new();
            kv.scan(from, scan.to.as_deref(), scan.backward, &mut |key, stored| {
                page.push((key.to_vec(), stored.to_vec()));
                page.len() < scan.limit
            })?;
            Ok(page)
        })?;
        page.into_iter().map(|(key, stored)| unsealed(&key, stored).map(|value| (key, value))).collect()
    }

    /// Reads, and once more when the database fails: after a write that the disk refused, sled refuses some reads until it
    /// is opened anew. The next write does that; a reader sends an empty one, holding nothing, and waits [`MEND`] for it.
    fn read<T>(&self, read: impl Fn(&dyn Kv) -> Result<T, StoreError>) -> Result<T, StoreError> {
        match self.0.shared.kv(&read) {
            Err(error @ (StoreError::Io { .. } | StoreError::Engine(_))) if !self.0.is_writer() => {
                match self.commit_heard(Batch::new()).recv_timeout(MEND) {
                    Ok(Ok(())) => self.0.shared.kv(&read),
                    _ => Err(error),
                }
            }
            result => result,
        }
    }

    /// Hands a batch over; never waits. `done` hears Ok when it is on disk, or why it is not; at once,
    /// on the caller's thread, when the batch is out of bounds or too many wait ([`StoreError::Busy`]).
    pub fn commit(&self, batch: Batch, done: Done) {
        self.commit_within(batch, Duration::ZERO, done);
    }

    /// As [`Store::commit`], and may wait so long for others that go to the disk with it.
    pub fn commit_within(&self, batch: Batch, patience: Duration, done: Done) {
        if let Err(error) = check_batch(&batch) {
            return self.0.shared.refuse(done, error);
        }
        let due = Instant::now() + patience;
        if let Err((pending, error)) = self.0.queue.push(Pending { batch, done, due }) {
            self.0.shared.refuse(pending.done, error);
        }
    }

    /// Commits and waits. For set-up, tools and tests; a thread that serves calls uses [`Store::commit`].
    pub fn commit_and_wait(&self, batch: Batch) -> Result<(), StoreError> {
        self.commit_heard(batch).recv().unwrap_or(Err(StoreError::Closed))
    }

    /// Commits; what becomes of it is received.
    fn commit_heard(&self, batch: Batch) -> Receiver<Result<(), StoreError>> {
        let (heard, hears) = crossbeam_channel::bounded(1);
        self.commit(
            batch,
            Box::new(move |result| {
                let _ = heard.send(result);
            }),
        );
        hears
    }

    /// What it has done so far.
    pub fn figures(&self) -> Figures {
        let shared = &self.0.shared;
        Figures {
            commits: shared.commits.load(Relaxed),
            groups: shared.groups.load(Relaxed),
            refused: shared.refused.load(Relaxed),
            waiting: self.0.queue.len() as u64,
        }
    }
}

impl Inner {
    /// Whether this is the thread that commits, inside a `done`: it can't wait for itself.
    fn is_writer(&self) -> bool {
        self.writer.as_ref().is_some_and(|writer| writer.thread().id() == std::thread::current().id())
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.queue.close();
        // The last handle may have been inside a `done`.
        let is_writer = self.is_writer();
        if let Some(writer) = self.writer.take().filter(|_| !is_writer) {
            let _ = writer.join();
        }
    }
}

impl Shared {
    fn kv<T>(&self, read: impl FnOnce(&dyn Kv) -> T) -> T {
        read(self.kv.read().unwrap_or_else(PoisonError::into_inner).as_ref())
    }

    fn refuse(&self, done: Done, error: StoreError) {
        self.refused.fetch_add(1, Relaxed);
        tell(done, Err(error));
    }
}

/// Opens the database, and waits a moment for whoever has just closed it, died, or holds its files
/// between fork and exec.
fn open_when_free(folder: &Path, options: &Options) -> Result<Box<dyn Kv>, StoreError> {
    let mut tries = 0;
    loop {
        match options.engine.open(folder, options.cache_bytes) {
            Err(StoreError::InUse) if tries < REOPEN_TRIES => {
                tries += 1;
                std::thread::sleep(REOPEN_PAUSE);
            }
            result => return result,
        }
    }
}

/// The thread that commits.
struct Writer {
    folder: PathBuf,
    options: Options,
    shared: Arc<Shared>,
    witness: Witness,
    tally: Tally,
    /// The last commit failed in the database: it must be opened again.
    broken: bool,
}

impl Writer {
    fn run(mut self, queue: &Queue) {
        let mut next = Instant::now();
        while let Some(group) = queue.next(next) {
            next = Instant::now() + self.options.pace;
            let bytes: usize = group.iter().map(|pending| pending.batch.bytes()).sum();
            self.write(group, bytes as u64);
        }
    }

    /// Checks what each batch requires, joins those that may go ahead, commits, and tells everyone.
    fn write(&mut self, group: Vec<Pending>, bytes: u64) {
        if let Err(error) = self.ready(bytes) {
            return self.refuse_all(group, &error);
        }
        let mut joined = BTreeMap::new();
        let mut taken = Vec::with_capacity(group.len());
        for Pending { batch, done, .. } in group {
            match self.still_holds(&batch.required, &joined) {
                Ok(()) => {
                    for Change { key, value } in batch.changes {
                        let stored = value.map(|value| sealed(&key, value));
                        joined.insert(key, stored);
                    }
                    taken.push(done);
                }
                Err(error) => self.shared.refuse(done, error),
            }
        }
        let result = if joined.is_empty() { Ok(()) } else { self.commit(joined) };
        match result {
            Ok(()) => {
                self.shared.groups.fetch_add(1, Relaxed);
                for done in taken {
                    self.shared.commits.fetch_add(1, Relaxed);
                    tell(done, Ok(()));
                }
            }
            Err(error) => {
                tracing::error!(%error, "a commit failed");
                self.broken |= error.breaks_engine();
                for done in taken {
                    self.shared.refuse(done, error.clone());
                }
            }
        }
    }

    fn commit(&mut self, joined: BTreeMap<Vec<u8>, Option<Vec<u8>>>) -> Result<(), StoreError> {
        let mut tally = self.tally;
        tally.commits += 1;
        let mut changes = Vec::with_capacity(joined.len() + 1);
        self.shared.kv(|kv| {
            for (key, value) in joined {
                if let Some(old) = kv.get(&key)? {
                    tally.remove(&key, &old);
                }
                if let Some(new) = &value {
                    tally.add(&key, new);
                }
                changes.push(Change { key, value });
            }
            changes.push(tally.change());
            let _landing = self.shared.landing.write().unwrap_or_else(PoisonError::into_inner);
            kv.commit(&changes)
        })?;
        self.tally = tally;
        self.witness.write(tally.commits)
    }

    /// Whether there is room, and a database that can be trusted with a write.
    fn ready(&mut self, bytes: u64) -> Result<(), StoreError> {
        let needed = self.options.keep_free + bytes;
        let free = free_bytes(&self.folder)?;
        if free < needed {
            return Err(StoreError::Full { free, needed });
        }
        if self.broken {
            self.reopen()?;
            self.broken = false;
            tracing::info!("the store was opened anew");
        }
        Ok(())
    }

    fn still_holds(
        &self,
        required: &[Change],
        joined: &BTreeMap<Vec<u8>, Option<Vec<u8>>>,
    ) -> Result<(), StoreError> {
        for Change { key, value } in required {
            let stored = match joined.get(key) {
                Some(stored) => stored.clone(),
                None => self.shared.kv(|kv| kv.get(key))?,
            };
            if stored.map(|stored| unsealed(key, stored)).transpose()? != *value {
                return Err(StoreError::Conflict);
            }
        }
        Ok(())
    }

    /// Closes the database and opens it again; readers wait, and meet the error if it fails.
    fn reopen(&mut self) -> Result<(), StoreError> {
        let mut slot = self.shared.kv.write().unwrap_or_else(PoisonError::into_inner);
        drop(std::mem::replace(&mut *slot, Box::new(Shut)));
        let kv = open_when_free(&self.folder, &self.options)?;
        let tally = Tally::read(kv.as_ref())?.unwrap_or_default();
        if tally.commits < self.tally.commits {
            return Err(behind(tally.commits, self.tally.commits));
        }
        self.tally = tally;
        *slot = kv;
        Ok(())
    }

    fn refuse_all(&self, group: Vec<Pending>, error: &StoreError) {
        tracing::error!(%error, batches = group.len(), "writes are refused");
        for pending in group {
            self.shared.refuse(pending.done, error.clone());
        }
    }
}

/// Stands in while no database is open.
struct Shut;

impl Kv for Shut {
    fn get(&self, _: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        Err(StoreError::Closed)
    }

    fn scan(&self, _: &[u8], _: Option<&[u8]>, _: bool, _: &mut Each<'_>) -> Result<(), StoreError> {
        Err(StoreError::Closed)
    }

    fn commit(&self, _: &[Change]) -> Result<(), StoreError> {
        Err(StoreError::Closed)
    }
}

/// Reads the whole map and answers its tally, made true again if loss is accepted.
fn verified(kv: &dyn Kv, witness: &Witness, accept_loss: bool) -> Result<Tally, StoreError> {
    let wrong = match (Tally::read(kv), Tally::count(kv)?) {
        (Ok(written), (found, damaged)) => {
            let tally = written.unwrap_or_default();
            if !damaged.is_empty() {
                StoreError::Corrupt(format!("{} records fail their checksums", damaged.len()))
            } else if !tally.same_records(&found) {
                StoreError::Corrupt(format!(
                    "{} records were acknowledged and {} are there, or some are not what they were",
                    tally.records, found.records
                ))
            } else if tally.commits < witness.commits {
                behind(tally.commits, witness.commits)
            } else {
                return Ok(tally);
            }
        }
        (Err(error), _) => error,
    };
    if !accept_loss {
        return Err(wrong);
    }
    tracing::error!(error = %wrong, "loss is accepted: the store goes on with what can be read");
    let (mut tally, damaged) = Tally::count(kv)?;
    let mut changes: Vec<Change> = Vec::with_capacity(damaged.len() + 1);
    for key in damaged {
        if let Some(stored) = kv.get(&key)? {
            tally.remove(&key, &stored);
        }
        changes.push(Change { key, value: None });
    }
    tally.commits = witness.commits + 1;
    changes.push(tally.change());
    kv.commit(&changes)?;
    Ok(tally)
}

/// Keeps what cannot be opened, under the first name that is free.
fn set_aside(folder: &Path, engine: Engine) -> Result<(), StoreError> {
    let name = engine.name();
    let aside = (1..).map(|n| folder.join(format!("{name}-damaged-{n}"))).find(|path| !path.exists());
    std::fs::rename(folder.join(name), aside.expect("the numbers do not end"))
        .map_err(StoreError::io("setting the database aside"))
}

fn behind(found: u64, acknowledged: u64) -> StoreError {
    StoreError::Corrupt(format!("{acknowledged} commits were acknowledged and {found} are there"))
}

fn tell(done: Done, result: Result<(), StoreError>) {
    let told = guarded("telling how a commit ended", || {
        done(result);
        Ok(())
    });
    if let Err(error) = told {
        tracing::error!(%error, "whoever waited for a commit failed");
    }
}

fn check_key(key: &[u8]) -> Result<(), StoreError> {
    let good = key.len() <= MAX_KEY && key.first().is_some_and(|first| *first != OWN);
    if good { Ok(()) } else { Err(StoreError::BadKey) }
}

fn check_batch(batch: &Batch) -> Result<(), StoreError> {
    for change in batch.required.iter().chain(&batch.changes) {
        check_key(&change.key)?;
        at_most("value", change.value.as_ref().map_or(0, Vec::len), MAX_VALUE)?;
    }
    at_most("batch", batch.bytes(), MAX_BATCH)
}

pub(crate) fn at_most(what: &'static str, size: usize, most: usize) -> Result<(), StoreError> {
    if size <= most { Ok(()) } else { Err(StoreError::TooLarge { what, size, most }) }
}

/// What the disk under `folder` has left for this process.
pub(crate) fn free_bytes(folder: &Path) -> Result<u64, StoreError> {
    let disk = rustix::fs::statvfs(folder).map_err(|e| StoreError::io("asking for free space")(e.into()))?;
    Ok(disk.f_bavail.saturating_mul(disk.f_frsize))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The database as it is after the disk has refused it a write: it reads and writes no more.
    struct Refusing(#[allow(dead_code, reason = "held open, as the failed one would be")] Box<dyn Kv>);

    fn refused<T>() -> Result<T, StoreError> {
        Err(StoreError::Engine("the disk refused".to_owned()))
    }

    impl Kv for Refusing {
        fn get(&self, _: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
            refused()
        }

        fn scan(&self, _: &[u8], _: Option<&[u8]>, _: bool, _: &mut Each<'_>) -> Result<(), StoreError> {
            refused()
        }

        fn commit(&self, _: &[Change]) -> Result<(), StoreError> {
            refused()
        }
    }

    /// A store with a record, whose database refuses from now on.
    fn refusing(engine: Engine) -> (tempfile::TempDir, Store) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let options = Options { engine, keep_free: 0, ..Options::default() };
        let store = Store::open(folder.path(), &options).expect("an empty folder is opened");
        store.commit_and_wait(Batch::new().put("a", "1")).expect("it is kept");
        let mut slot = store.0.shared.kv.write().expect("nobody panicked");
        let kv = std::mem::replace(&mut *slot, Box::new(Shut));
        *slot = Box::new(Refusing(kv));
        drop(slot);
        (folder, store)
    }

    #[test]
    fn a_reader_after_a_refused_write_has_the_database_opened_anew_and_reads_what_was_kept() {
        for engine in [Engine::Sled, Engine::Redb] {
            let (_folder, store) = refusing(engine);
            let write = store.commit_and_wait(Batch::new().put("b", "2"));
            assert!(matches!(write, Err(StoreError::Engine(_))), "{engine:?}: {write:?}");
            let page = store.scan(&Scan::prefix("a")).expect("it reads again");
            assert_eq!(page, [(b"a".to_vec(), b"1".to_vec())], "{engine:?}");
            assert_eq!(store.get(b"b").expect("it reads"), None, "{engine:?}: what was refused is not there");
            store.commit_and_wait(Batch::new().put("b", "2")).expect("it is kept");
        }
    }

    #[test]
    fn a_reader_whom_a_write_does_not_help_hears_why_and_the_writer_waits_for_nobody() {
        let (_folder, store) = refusing(Engine::Sled);
        let read = store.get(b"a");
        assert!(matches!(&read, Err(StoreError::Engine(why)) if why == "the disk refused"), "{read:?}");
        // The thread that commits reads inside a `done`: to wait for a write there is to wait for itself.
        let (heard, hears) = crossbeam_channel::bounded(1);
        let inside = store.clone();
        let read = move |_| heard.send(inside.get(b"a")).expect("the test waits");
        store.commit(Batch::new(), Box::new(read));
        let read = hears.recv_timeout(MEND).expect("it answers at once");
        assert!(matches!(read, Err(StoreError::Engine(_))), "{read:?}");
    }
}
