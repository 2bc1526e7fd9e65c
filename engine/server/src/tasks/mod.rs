//! What is left to do for callers: whoever nobody answered is to be called back, and an owner hears that another one spoke
//! with their customer. A task is written in the batch of the record of the call that causes or ends it ([`aftermath`]),
//! so the list of those missed and not yet called back is as right as the register, also after a kill.
//!
//! Each change of a call back is told to the tenant's script, where there is one ([`telling`]).
//!
//! Open tasks are held in memory too: the end of a call asks for those of its caller. What is done stays in the store.

pub mod aftermath;
mod deadline;
pub mod telling;
mod watch;
mod wishes;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use exchange::{CallId, TaskEvent, TaskState};
use outbox::EffectId;
use serde::{Deserialize, Serialize};
use store::{Batch, Store, StoreError, layout};
use utoipa::ToSchema;

use crate::crm::number::Digits;

pub use deadline::next_business_day;
pub use watch::watch;
pub use wishes::{Draft, Wish, check_note, moment};

/// In front of each row, so that another form can be told apart later.
const FORM: u8 = 1;
/// Open tasks of one tenant; the oldest is given up for the next.
pub const MOST_OPEN: usize = 10_000;
/// Calls that a task names; of more the last ones.
pub const MOST_CALLS: usize = 20;
/// What was written down of a task; of more the last ones.
pub const MOST_NOTES: usize = 20;
/// Bytes of such a note; a longer one is invalid.
pub const LONGEST_NOTE: usize = 512;
/// Bytes of a title; a longer one is invalid.
pub const LONGEST_TITLE: usize = 512;

/// Names a task: the call that caused it, or an id of its own, and which of that call's it is.
pub type TaskId = EffectId;

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// To call back somebody whom nobody answered; one for each caller.
    CallBack,
    /// To speak with one's own customer, whom another one answered.
    FollowUp,
    /// Done already: somebody answered another one's customer.
    Call,
    /// What a script or a person wrote down.
    Other,
}

impl Kind {
    /// As the API writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::CallBack => "call-back",
            Self::FollowUp => "follow-up",
            Self::Call => "call",
            Self::Other => "other",
        }
    }
}

/// How a task is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// Nobody has done it yet.
    Open,
    /// The caller called again, and somebody answered.
    ReachedUsAgain,
    /// Somebody reached the caller before the deadline.
    CalledBackInTime,
    /// The same, after it.
    CalledBackLate,
    /// Nobody will try any more.
    GivenUp,
    /// Done.
    Done,
}

impl State {
    /// As the API writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::ReachedUsAgain => "reached-us-again",
            Self::CalledBackInTime => "called-back-in-time",
            Self::CalledBackLate => "called-back-late",
            Self::GivenUp => "given-up",
            Self::Done => "done",
        }
    }
}

impl From<State> for TaskState {
    fn from(state: State) -> Self {
        match state {
            State::Open => Self::Open,
            State::ReachedUsAgain => Self::ReachedUsAgain,
            State::CalledBackInTime => Self::CalledBackInTime,
            State::CalledBackLate => Self::CalledBackLate,
            State::GivenUp => Self::GivenUp,
            State::Done => Self::Done,
        }
    }
}

/// Something to do for a caller. Moments are seconds since 1970 UTC.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Task {
    /// The call that caused it, or an id of its own.
    pub call: CallId,
    /// Which of that call's.
    pub no: u32,
    /// What kind.
    pub kind: Kind,
    /// How it is.
    pub state: State,
    /// The caller's.
    pub number: String,
    /// The caller's name, where one is known.
    pub name: String,
    /// The contact's id in the CRM.
    pub contact: Option<String>,
    /// In words.
    pub title: String,
    /// The user who is to do it.
    pub responsible: Option<String>,
    /// By when.
    pub due: Option<f64>,
    /// Since when.
    pub opened: f64,
    /// When it was over.
    pub closed: Option<f64>,
    /// Who ended it: a user, or whoever asked for it.
    pub closed_by: Option<String>,
    /// The number that the caller dialled last.
    pub dialled: String,
    /// The queue that they were in last.
    pub queue: String,
    /// How often they called in vain.
    pub missed: u32,
    /// When they called last.
    pub last: f64,
    /// The calls that it is about, the last of them, in the order of time.
    pub calls: Vec<CallId>,
    /// Recordings of those, by name.
    pub recordings: Vec<String>,
    /// It was told that it is late.
    pub told_late: bool,
    /// What was written down, the last of it, in the order of time.
    #[serde(default)]
    pub notes: Vec<String>,
}

impl Task {
    /// Its name.
    pub fn id(&self) -> TaskId {
        TaskId { call: self.call, number: self.no }
    }

    /// Whether it is open behind its deadline.
    pub fn is_late(&self, now: f64) -> bool {
        self.state == State::Open && self.due.is_some_and(|due| due < now)
    }

    /// Adds a note, and forgets the oldest beyond [`MOST_NOTES`].
    fn add_note(&mut self, note: String) {
        self.notes.push(note);
        let beyond = self.notes.len().saturating_sub(MOST_NOTES);
        self.notes.drain(..beyond);
    }

    /// Adds a call, and forgets the oldest beyond [`MOST_CALLS`].
    fn add_call(&mut self, call: CallId) {
        self.calls.push(call);
        let beyond = self.calls.len().saturating_sub(MOST_CALLS);
        self.calls.drain(..beyond);
    }
}

/// What became of a task.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// It is new.
    Opened(Task),
    /// It is another one than before, and open still; in what.
    Changed(Task, TaskEvent),
    /// It is over, and was open before.
    Closed(Task),
    /// It was done before anyone wrote it down.
    Noted(Task),
}

impl Change {
    /// The task as it is now.
    pub fn task(&self) -> &Task {
        match self {
            Self::Opened(task) | Self::Changed(task, _) | Self::Closed(task) | Self::Noted(task) => task,
        }
    }

    /// As an event is named.
    pub fn event(&self) -> &'static str {
        match self {
            Self::Opened(_) => "task.opened",
            Self::Changed(..) => "task.changed",
            Self::Closed(_) | Self::Noted(_) => "task.closed",
        }
    }

    /// What happened, as scripts hear of it.
    pub fn what(&self) -> TaskEvent {
        match self {
            Self::Opened(_) => TaskEvent::Opened,
            Self::Changed(_, what) => *what,
            Self::Closed(task) | Self::Noted(task) => TaskEvent::Closed(task.state.into()),
        }
    }
}

/// The open tasks of one tenant.
#[derive(Debug, Default)]
pub struct Open {
    tasks: BTreeMap<(CallId, u32), Task>,
    /// By the last digits of their numbers.
    by_suffix: HashMap<String, Vec<(CallId, u32)>>,
}

impl Open {
    /// All of them, in the order of the calls that caused them.
    pub fn all(&self) -> impl DoubleEndedIterator<Item = &Task> {
        self.tasks.values()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.tasks.len()
    }

    /// Whether nothing is left to do.
    pub fn is_empty(&self) -> bool {
        self.tasks.is_empty()
    }

    /// One of them.
    pub fn get(&self, id: TaskId) -> Option<&Task> {
        self.tasks.get(&(id.call, id.number))
    }

    /// Those about a number, in whatever form.
    pub fn about(&self, number: &str) -> Vec<Task> {
        let Some(digits) = Digits::read(number) else { return Vec::new() };
        let near = self.by_suffix.get(digits.suffix()).into_iter().flatten();
        let same = |task: &&Task| Digits::read(&task.number).is_some_and(|known| known.is_same_as(&digits));
        near.filter_map(|id| self.tasks.get(id)).filter(same).cloned().collect()
    }

    /// Takes a change; answers it with those that it makes necessary.
    pub fn apply(&mut self, change: Change) -> Vec<Change> {
        let mut changes = Vec::new();
        self.take(&mut changes, change);
        changes
    }

    /// Takes a change; those that it makes necessary stand before it.
    fn take(&mut self, changes: &mut Vec<Change>, change: Change) {
        let key = (change.task().call, change.task().no);
        match &change {
            Change::Opened(task) => {
                if self.tasks.len() >= MOST_OPEN
                    && let Some(oldest) = self.tasks.values().next().cloned()
                {
                    let closed = Task { state: State::GivenUp, closed: Some(task.opened), ..oldest };
                    self.take(changes, Change::Closed(closed));
                }
                if let Some(digits) = Digits::read(&task.number) {
                    self.by_suffix.entry(digits.suffix().to_owned()).or_default().push(key);
                }
                self.tasks.insert(key, task.clone());
            }
            Change::Changed(task, _) => {
                self.tasks.insert(key, task.clone());
            }
            Change::Closed(task) => {
                self.tasks.remove(&key);
                if let Some(digits) = Digits::read(&task.number)
                    && let Some(near) = self.by_suffix.get_mut(digits.suffix())
                {
                    near.retain(|known| *known != key);
                    if near.is_empty() {
                        self.by_suffix.remove(digits.suffix());
                    }
                }
            }
            Change::Noted(_) => {}
        }
        changes.push(change);
    }
}

/// The tasks of all tenants.
pub struct Tasks {
    store: Store,
    open: Mutex<HashMap<String, Arc<Mutex<Open>>>>,
}

/// Why a person's wish about a task cannot be fulfilled.
#[derive(Debug)]
pub enum NoTask {
    /// There is none that is open.
    Unknown,
    /// The store can't.
    Store(StoreError),
}

impl From<StoreError> for NoTask {
    fn from(why: StoreError) -> Self {
        Self::Store(why)
    }
}

impl Tasks {
    /// Reads what is open.
    ///
    /// # Errors
    /// When the store can't be read. A row that can't be understood is left alone and told.
    pub fn open(store: Store) -> Result<Self, StoreError> {
        let mut open: HashMap<String, Open> = HashMap::new();
        let mut scan = layout::open_tasks();
        loop {
            let page = store.scan(&scan)?;
            let Some((last, _)) = page.last() else { break };
            scan = layout::open_tasks().behind(last);
            for (key, value) in &page {
                let Some(tenant) = layout::read_open_task(key) else { continue };
                match read(value) {
                    Ok(task) => open.entry(tenant).or_default().take(&mut Vec::new(), Change::Opened(task)),
                    Err(why) => tracing::error!(tenant, %why, "a task stays in the store"),
                }
            }
        }
        let open = open.into_iter().map(|(tenant, open)| (tenant, Arc::new(Mutex::new(open)))).collect();
        Ok(Self { store, open: Mutex::new(open) })
    }

    /// Looks at a tenant's open tasks, and may change them; what is handed to the store meanwhile gets there in the
    /// order of the changes. Never ask for the same tenant's within.
    pub fn with<T>(&self, tenant: &str, work: impl FnOnce(&mut Open) -> T) -> T {
        let open = self.lock().entry(tenant.to_owned()).or_default().clone();
        let mut open = open.lock().unwrap_or_else(PoisonError::into_inner);
        work(&mut open)
    }

    /// Tenants of which something is open, or was.
    pub fn tenants(&self) -> Vec<String> {
        self.lock().keys().cloned().collect()
    }

    /// A task, open or over.
    ///
    /// # Errors
    /// When the store can't be read.
    pub fn get(&self, tenant: &str, id: TaskId) -> Result<Option<Task>, StoreError> {
        if let Some(task) = self.with(tenant, |open| open.get(id).cloned()) {
            return Ok(Some(task));
        }
        // One that was closed a moment ago is open on the disk until its call's record gets there; both change at once.
        for key in [layout::open_task, layout::done_task] {
            if let Some(row) = self.store.get(&key(tenant, id.call.0, id.number))? {
                return read(&row).map(Some);
            }
        }
        Ok(None)
    }

    /// Tasks that are over, caused before `before`, the newest first: at most `most` are looked at.
    ///
    /// # Errors
    /// When the store can't be read.
    pub fn done(&self, tenant: &str, before: Option<TaskId>, most: usize) -> Result<Vec<Task>, StoreError> {
        let scan = layout::done_tasks(tenant).backward();
        let scan = match before {
            Some(id) => scan.behind(&layout::done_task(tenant, id.call.0, id.number)),
            None => scan,
        };
        self.store.scan(&scan.limit(most))?.iter().map(|(_, row)| read(row)).collect()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Arc<Mutex<Open>>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Adds changes to a batch.
#[must_use]
pub fn put(batch: Batch, tenant: &str, changes: &[Change]) -> Batch {
    changes.iter().fold(batch, |batch, change| {
        let task = change.task();
        let (open, done) = (
            layout::open_task(tenant, task.call.0, task.no),
            layout::done_task(tenant, task.call.0, task.no),
        );
        match change {
            Change::Opened(_) | Change::Changed(..) => batch.put(open, row(task)),
            Change::Closed(_) => batch.delete(open).put(done, row(task)),
            Change::Noted(_) => batch.put(done, row(task)),
        }
    })
}

fn row(task: &Task) -> Vec<u8> {
    let text = serde_json::to_vec(task).expect("plain data has a JSON form");
    [&[FORM], &text[..]].concat()
}

fn read(row: &[u8]) -> Result<Task, StoreError> {
    let task = row.strip_prefix(&[FORM]).and_then(|text| serde_json::from_slice(text).ok());
    task.ok_or_else(|| StoreError::Corrupt("a task cannot be read".to_owned()))
}
