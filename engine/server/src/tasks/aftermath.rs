//! What a call leaves to do when it is over: a caller whom nobody answered is to be called back, once however often they
//! call; whoever is spoken with needs no call back any more; and where another one answered an owner's customer, both are
//! told by a task. Nothing is asked of anyone outside here, so it is decided in the moment in which the record is sealed.

use exchange::{CallRecord, Contact, Direction, Outcome, TaskEvent};
use jiff::Timestamp;
use jiff::civil::DateTime;

use super::{Change, Kind, Open, State, Task, next_business_day};
use crate::config::{Tenant, User};
use crate::history;

/// Of one call: its call back, its closed task and its open one.
const CALL_BACK: u32 = 1;
const DONE_BY_ANOTHER: u32 = 2;
const FOLLOW_UP: u32 = 3;
/// The script's mark that names an owner, in the place of the CRM's.
const OWNER: &str = "owner";
/// The mark of strowger/voicemail: until when the caller was promised a call back, on the tenant's wall clock.
const CALL_BACK_BY: &str = "call-back-by";

/// What changes by a call. `queue`: the last one that the caller was in; `contact`: who has a number, as far as it is
/// known here.
pub fn of_call(
    tenant: &Tenant,
    record: &CallRecord,
    queue: &str,
    open: &mut Open,
    contact: impl FnOnce(&str) -> Option<Contact>,
) -> Vec<Change> {
    let mut changes = Vec::new();
    let reached = reached(tenant, record);
    for talk in &reached {
        for task in open.about(&talk.number) {
            if let Some(closed) = close(task, talk, record) {
                open.take(&mut changes, Change::Closed(closed));
            }
        }
    }
    let to_us = record.direction != Direction::Outbound && tenant.number(&record.dialled).is_some();
    if !to_us || record.from.number.is_empty() {
        return changes;
    }
    let in_vain =
        matches!(record.outcome, Outcome::Missed | Outcome::Abandoned | Outcome::Voicemail | Outcome::Failed);
    match reached.iter().find(|talk| talk.called_us) {
        None if in_vain && tenant.missed.keep => {
            let change = missed(tenant, record, queue, open, contact);
            open.take(&mut changes, change);
        }
        Some(talk) if tenant.missed.follow_up => {
            for change in of_another(tenant, record, queue, talk, open, contact) {
                open.take(&mut changes, change);
            }
        }
        _ => {}
    }
    changes
}

/// A conversation with somebody.
struct Talk {
    /// Their number.
    number: String,
    /// Who spoke with them: a user's name, or a number.
    with: String,
    /// It was they who called.
    called_us: bool,
}

/// Whom anyone spoke with in a call. Inside the house both are somebody whom the other may have missed.
fn reached(tenant: &Tenant, record: &CallRecord) -> Vec<Talk> {
    let Some(spoken) = history::conversation(record) else { return Vec::new() };
    let name = |with: String| history::user_of(tenant, &with).map_or(with, |user| user.name.clone());
    let by_user = record.legs.first().is_some_and(|caller| caller.trunk.is_none());
    let first = Talk { number: spoken.number, with: name(spoken.with), called_us: !spoken.outbound };
    let second = (by_user && !spoken.outbound).then(|| {
        let called = record.answered_by.as_deref().and_then(|name| tenant.user_by_name(name))?;
        let with = name(record.legs.first()?.party.clone());
        Some(Talk { number: called.number.clone(), with, called_us: false })
    });
    [Some(first), second.flatten()].into_iter().flatten().collect()
}

/// The task as it is when the two have spoken; none if it is to be done still.
fn close(task: Task, talk: &Talk, record: &CallRecord) -> Option<Task> {
    let at = record.started + record.wait.as_secs_f64();
    let state = match task.kind {
        Kind::CallBack if talk.called_us => State::ReachedUsAgain,
        Kind::CallBack if task.due.is_some_and(|due| due < at) => State::CalledBackLate,
        Kind::CallBack => State::CalledBackInTime,
        Kind::FollowUp if task.responsible.as_deref() == Some(&talk.with) => State::Done,
        _ => return None,
    };
    let mut task = Task { state, closed: Some(at), closed_by: Some(talk.with.clone()), ..task };
    task.add_call(record.id);
    task.recordings.extend(record.recordings.iter().cloned());
    Some(task)
}

/// The call back of somebody whom nobody answered.
fn missed(
    tenant: &Tenant,
    record: &CallRecord,
    queue: &str,
    open: &Open,
    contact: impl FnOnce(&str) -> Option<Contact>,
) -> Change {
    let known = open.about(&record.from.number).into_iter().find(|task| task.kind == Kind::CallBack);
    if let Some(mut task) = known {
        task.add_call(record.id);
        task.missed += 1;
        task.last = record.started;
        task.dialled.clone_from(&record.dialled);
        queue.clone_into(&mut task.queue);
        task.recordings.extend(record.recordings.iter().cloned());
        return Change::Changed(task, TaskEvent::MissedAgain);
    }
    let contact = contact(&record.from.number);
    let owner = owner(tenant, record, contact.as_ref()).map(|user| user.name.clone());
    let task = Task {
        kind: Kind::CallBack,
        title: format!("Call back {}", who(&record.from.number, &name(record, contact.as_ref()))),
        responsible: owner.or_else(|| tenant.missed.responsible_for(queue).map(str::to_owned)),
        due: due(tenant, record),
        missed: 1,
        ..task(CALL_BACK, record, queue, contact.as_ref())
    };
    Change::Opened(task)
}

/// The two tasks of a call that another one than the owner answered.
fn of_another(
    tenant: &Tenant,
    record: &CallRecord,
    queue: &str,
    talk: &Talk,
    open: &Open,
    contact: impl FnOnce(&str) -> Option<Contact>,
) -> Vec<Change> {
    let Some(agent) = tenant.user_by_name(&talk.with) else { return Vec::new() };
    let contact = contact(&record.from.number);
    let Some(owner) = owner(tenant, record, contact.as_ref()).filter(|owner| owner.name != agent.name) else {
        return Vec::new();
    };
    let who = who(&record.from.number, &name(record, contact.as_ref()));
    let closed = Some(record.ended);
    let done = Task {
        kind: Kind::Call,
        state: State::Done,
        title: format!("Spoke with {who}, whom {} looks after", owner.name),
        responsible: Some(agent.name.clone()),
        closed,
        closed_by: Some(agent.name.clone()),
        ..task(DONE_BY_ANOTHER, record, queue, contact.as_ref())
    };
    let same = |task: &Task| task.kind == Kind::FollowUp && task.responsible.as_ref() == Some(&owner.name);
    let follow_up = match open.about(&record.from.number).into_iter().find(same) {
        Some(mut task) => {
            task.add_call(record.id);
            task.last = record.started;
            task.recordings.extend(record.recordings.iter().cloned());
            Change::Changed(task, TaskEvent::Changed)
        }
        None => Change::Opened(Task {
            kind: Kind::FollowUp,
            title: format!("{who} called, and {} answered", agent.name),
            responsible: Some(owner.name.clone()),
            due: due(tenant, record),
            ..task(FOLLOW_UP, record, queue, contact.as_ref())
        }),
    };
    vec![Change::Noted(done), follow_up]
}

/// What all tasks of a call have in common.
fn task(no: u32, record: &CallRecord, queue: &str, contact: Option<&Contact>) -> Task {
    Task {
        call: record.id,
        no,
        kind: Kind::Other,
        state: State::Open,
        number: record.from.number.clone(),
        name: name(record, contact),
        contact: contact.map(|contact| contact.id.clone()),
        title: String::new(),
        responsible: None,
        due: None,
        opened: record.ended,
        closed: None,
        closed_by: None,
        dialled: record.dialled.clone(),
        queue: queue.to_owned(),
        missed: 0,
        last: record.started,
        calls: vec![record.id],
        recordings: record.recordings.clone(),
        told_late: false,
        notes: Vec::new(),
    }
}

/// Who looks after the caller: as the script says, else the CRM.
fn owner<'t>(tenant: &'t Tenant, record: &CallRecord, contact: Option<&Contact>) -> Option<&'t User> {
    let marked = record.tags.iter().find(|(key, _)| key == OWNER).map(|(_, owner)| owner.as_str());
    let owner = marked.or_else(|| contact?.owner.as_deref())?;
    tenant.user(owner).map(|user| &**user)
}

fn name(record: &CallRecord, contact: Option<&Contact>) -> String {
    let known = contact.map(|contact| contact.name.clone()).filter(|name| !name.is_empty());
    known.or_else(|| record.from.name.clone()).unwrap_or_default()
}

fn who(number: &str, name: &str) -> String {
    if name.is_empty() { number.to_owned() } else { format!("{name} ({number})") }
}

/// By when: as a script has promised it to the caller, else as the tenant says.
fn due(tenant: &Tenant, record: &CallRecord) -> Option<f64> {
    let promised = record.tags.iter().find(|(key, _)| key == CALL_BACK_BY);
    let promised = promised.and_then(|(_, by)| DateTime::strptime("%Y-%m-%d %H:%M", by).ok());
    if let Some(by) = promised.and_then(|by| by.to_zoned(tenant.timezone.clone()).ok()) {
        return Some(by.timestamp().as_millisecond() as f64 / 1000.0);
    }
    let missed = &tenant.missed;
    let at = Timestamp::from_millisecond((record.ended * 1000.0) as i64).ok()?;
    let calendar = missed.calendar.as_deref().and_then(|name| tenant.calendar(name));
    let due = next_business_day(at, missed.by?, calendar, &missed.open, &tenant.timezone);
    Some(due.as_millisecond() as f64 / 1000.0)
}

#[cfg(test)]
mod tests;
