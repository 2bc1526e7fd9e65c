//! What people, programs and scripts want of tasks: a new one, another one responsible, an end.

use std::sync::Arc;

use exchange::{CallId, TaskEvent};
use jiff::Timestamp;
use store::{Batch, StoreError};
use tokio::sync::oneshot;

use super::{Change, Kind, LONGEST_NOTE, LONGEST_TITLE, NoTask, Open, State, Task, TaskId, put};
use crate::config::Tenant;
use crate::crm::number::Digits;
use crate::events::{wall, wall_millis};
use crate::node::Node;

/// What a script or a person writes down.
#[derive(Clone, Debug, Default)]
pub struct Draft {
    /// Whom it is about: a telephone number.
    pub number: String,
    /// What is to be done.
    pub title: String,
    /// Whose it is: a user by name or extension; the contact's owner if none.
    pub responsible: Option<String>,
    /// By when: seconds since 1970 UTC.
    pub due: Option<f64>,
}

/// What another one is to be of a task; what is none stays.
#[derive(Clone, Debug, Default)]
pub struct Wish {
    /// Done or given up.
    pub state: Option<State>,
    /// A user's name.
    pub responsible: Option<String>,
    /// Seconds since 1970 UTC.
    pub due: Option<f64>,
    /// Written down beside what is there; in its bounds ([`check_note`]).
    pub note: Option<String>,
    /// It is the tenant's script for changes that wishes, and knows.
    pub untold: bool,
}

impl Node {
    /// Writes a task down; durable when it returns.
    ///
    /// # Errors
    /// What is wrong with it, or why the store can't.
    pub async fn add_task(self: &Arc<Self>, tenant: &Tenant, draft: Draft) -> Result<Task, String> {
        if Digits::read(&draft.number).is_none() {
            return Err(format!(
                "number: \"{}\" is no telephone number; write one like +359888123456",
                draft.number
            ));
        }
        if draft.title.is_empty() || draft.title.len() > LONGEST_TITLE {
            return Err(format!("title: has {} bytes; write 1 to {LONGEST_TITLE}", draft.title.len()));
        }
        if draft.due.is_some_and(|due| moment(due).is_none()) {
            return Err("due: is no moment; write one in the years that calendars know".to_owned());
        }
        let contact = self.known_contact(tenant, &draft.number);
        let responsible = match &draft.responsible {
            Some(name) => match tenant.user(name) {
                Some(user) => Some(user.name.clone()),
                None => return Err(format!("responsible: there is no user \"{name}\"")),
            },
            None => contact.as_ref().and_then(|contact| contact.owner.clone()),
        };
        let chance = std::hash::BuildHasher::hash_one(&std::hash::RandomState::new(), &draft.number);
        let now = wall();
        let task = Task {
            call: CallId::new(wall_millis(), chance.into()),
            no: 0,
            kind: Kind::Other,
            state: State::Open,
            number: draft.number,
            name: contact.as_ref().map(|contact| contact.name.clone()).unwrap_or_default(),
            contact: contact.map(|contact| contact.id),
            title: draft.title,
            responsible,
            due: draft.due,
            opened: now,
            closed: None,
            closed_by: None,
            dialled: String::new(),
            queue: String::new(),
            missed: 0,
            last: now,
            calls: Vec::new(),
            recordings: Vec::new(),
            told_late: false,
            notes: Vec::new(),
        };
        let opened = Change::Opened(task.clone());
        self.change(tenant, false, |_| Ok(opened)).await.map_err(|why| match why {
            NoTask::Unknown => "it is gone".to_owned(),
            NoTask::Store(why) => why.to_string(),
        })?;
        Ok(task)
    }

    /// Changes an open task; durable when it returns. `by`: who asks.
    ///
    /// # Errors
    /// See [`NoTask`].
    pub async fn change_task(
        self: &Arc<Self>,
        tenant: &Tenant,
        id: TaskId,
        wish: Wish,
        by: &str,
    ) -> Result<Task, NoTask> {
        let untold = wish.untold;
        let change = move |open: &Open| {
            let mut task = open.get(id).cloned().ok_or(NoTask::Unknown)?;
            let assigned = wish.responsible.is_some() && wish.responsible != task.responsible;
            let what = match (assigned, wish.due, &wish.note) {
                (true, _, _) => TaskEvent::Assigned,
                (_, Some(_), _) => TaskEvent::PutOff,
                (_, _, Some(_)) => TaskEvent::Noted,
                _ => TaskEvent::Changed,
            };
            task.responsible = wish.responsible.or(task.responsible);
            if wish.due.is_some() {
                (task.due, task.told_late) = (wish.due, false);
            }
            if let Some(note) = wish.note {
                task.add_note(note);
            }
            Ok(match wish.state {
                None | Some(State::Open) => Change::Changed(task, what),
                Some(state) => {
                    let (closed, closed_by) = (Some(wall()), Some(by.to_owned()));
                    Change::Closed(Task { state, closed, closed_by, ..task })
                }
            })
        };
        self.change(tenant, untold, change).await
    }

    /// Takes a change and waits for the disk, without holding up the calls of the tenant that end meanwhile.
    async fn change(
        self: &Arc<Self>,
        tenant: &Tenant,
        untold: bool,
        change: impl FnOnce(&Open) -> Result<Change, NoTask>,
    ) -> Result<Task, NoTask> {
        let (told, hears) = oneshot::channel::<Result<(), StoreError>>();
        let (task, changes, posted) = self.tasks.with(&tenant.name, |open| {
            let wanted = change(open)?;
            let task = wanted.task().clone();
            let changes = open.apply(wanted);
            let batch = put(Batch::new(), &tenant.name, &changes);
            let effects =
                if untold { self.deeds_of(tenant, &changes) } else { self.told_of(tenant, &changes) };
            let (batch, posted) = self.post_with(batch, &tenant.name, effects);
            self.store.commit(batch, Box::new(move |result| drop(told.send(result))));
            Ok::<_, NoTask>((task, changes, posted))
        })?;
        let kept = hears.await.unwrap_or(Err(StoreError::Closed));
        if let Some(posted) = posted {
            self.post.settle(posted, kept.is_ok());
        }
        kept?;
        self.tell_tasks(&tenant.name, &changes);
        Ok(task)
    }
}

/// What is wrong with a note, if anything.
pub fn check_note(note: &str) -> Result<(), String> {
    match note.len() {
        1..=LONGEST_NOTE => Ok(()),
        bytes => Err(format!("note: has {bytes} bytes; write 1 to {LONGEST_NOTE}")),
    }
}

/// A moment that can be written.
pub fn moment(seconds: f64) -> Option<Timestamp> {
    Timestamp::from_millisecond((seconds * 1000.0) as i64)
        .ok()
        .filter(|_| seconds.is_finite() && seconds > 0.0)
}
