//! A call back of which a script is told: what a test writes down of it, what the script's verbs do to it, and what is
//! there to look at then.

use super::plan::{Caller, User};
use super::queue::Contact;
use super::server::Server;
use super::world::{self, World, with};
use crate::tasks::entry::OnChange;
use crate::tasks::{Change, Event, State, Task};
use crate::words::{Failure, Result};
use std::time::Duration;

/// The longest note.
const NOTE: usize = 512;

/// A task in the world: what the verbs change.
#[derive(Clone, Debug)]
pub(crate) struct TaskRow {
    id: String,
    state: State,
    number: String,
    name: String,
    responsible: Option<String>,
    due: Option<f64>,
    opened: f64,
    closed_by: Option<String>,
    dialled: String,
    queue: Option<String>,
    missed: u32,
    recordings: Vec<String>,
    notes: Vec<String>,
    /// Changes that were told.
    told: u32,
}

/// A task's handle: there is one in the world.
#[derive(Debug)]
pub struct TaskHandle(());

impl TaskHandle {
    pub(crate) fn assign(&self, user: &str) -> Result {
        let found = with(|world| world.find(user).map(|user| user.name.clone()));
        let found = found.ok_or_else(|| Failure::NotFound(user.to_owned()))?;
        change(format!("assign {found}"), |task| task.responsible = Some(found))
    }

    pub(crate) fn put_off(&self, until: f64) -> Result {
        if !(until.is_finite() && until > 0.0) {
            return Err(Failure::Invalid("until: is no moment".to_owned()));
        }
        change(format!("put off until {until}"), |task| task.due = Some(until))
    }

    pub(crate) fn note(&self, text: &str) -> Result {
        if !(1..=NOTE).contains(&text.len()) {
            return Err(Failure::Invalid(format!("note: has {} bytes; write 1 to {NOTE}", text.len())));
        }
        change(format!("note: {text}"), |task| task.notes.push(text.to_owned()))
    }

    pub(crate) fn finish(&self) -> Result {
        change("finish".to_owned(), |task| task.end(State::Done, "script"))
    }

    pub(crate) fn give_up(&self) -> Result {
        change("give up".to_owned(), |task| task.end(State::GivenUp, "script"))
    }
}

/// Does something to the task, if it is open.
fn change(what: String, how: impl FnOnce(&mut TaskRow)) -> Result {
    with(|world| {
        let Some(task) = world.task.as_mut().filter(|task| task.state == State::Open) else {
            return Err(Failure::NotFound("the task is over".to_owned()));
        };
        how(task);
        world.note(what);
        Ok(())
    })
}

impl TaskRow {
    fn end(&mut self, state: State, by: &str) {
        self.state = state;
        self.closed_by = Some(by.to_owned());
    }

    /// What a script is told of now.
    fn change(&mut self, what: Event, now: f64) -> Change {
        if let Event::Closed(state) = &what {
            self.state = state.clone();
        }
        self.told += 1;
        let over = (self.state != State::Open).then_some(now);
        let task = Task {
            id: self.id.clone(),
            state: self.state.clone(),
            number: self.number.clone(),
            name: self.name.clone(),
            contact: None,
            title: format!("Call back {}", self.number),
            responsible: self.responsible.clone(),
            due: self.due,
            late: what == Event::Late || self.due.is_some_and(|due| due < now),
            opened: self.opened,
            closed: over,
            closed_by: self.closed_by.clone(),
            dialled: self.dialled.clone(),
            queue: self.queue.clone(),
            missed: self.missed,
            last: self.opened,
            calls: vec!["simulated-call".to_owned()],
            recordings: self.recordings.clone(),
            notes: self.notes.clone(),
            handle: TaskHandle(()),
        };
        Change { id: format!("{}-change-{}", self.id, self.told), at: now, what, task }
    }
}

/// A call back, and the world around it, as a test writes them down.
pub struct CallBack {
    task: TaskRow,
    around: Caller,
}

impl CallBack {
    /// Of whoever called from this number, once, and nobody answered.
    pub fn of(number: &str) -> Self {
        let task = TaskRow {
            id: "simulated-task".to_owned(),
            state: State::Open,
            number: number.to_owned(),
            name: String::new(),
            responsible: None,
            due: None,
            opened: 0.0,
            closed_by: None,
            dialled: "700".to_owned(),
            queue: None,
            missed: 1,
            recordings: Vec::new(),
            notes: Vec::new(),
            told: 0,
        };
        Self { task, around: Caller::from(number) }
    }

    /// The caller's name.
    pub fn named(mut self, name: &str) -> Self {
        name.clone_into(&mut self.task.name);
        self
    }

    /// The user who is to do it.
    pub fn responsible(mut self, user: &str) -> Self {
        self.task.responsible = Some(user.to_owned());
        self
    }

    /// By when: seconds since 1970 UTC.
    pub fn due(mut self, at: f64) -> Self {
        self.task.due = Some(at);
        self
    }

    /// The number that was dialled; 700 unless told otherwise.
    pub fn dialled(mut self, number: &str) -> Self {
        number.clone_into(&mut self.task.dialled);
        self
    }

    /// The queue that the caller was in.
    pub fn in_queue(mut self, queue: &str) -> Self {
        self.task.queue = Some(queue.to_owned());
        self
    }

    /// How often the caller called in vain.
    pub fn missed(mut self, times: u32) -> Self {
        self.task.missed = times;
        self
    }

    /// Who ends it, where the change is an end.
    pub fn closed_by(mut self, who: &str) -> Self {
        self.task.closed_by = Some(who.to_owned());
        self
    }

    /// A recording of the call.
    pub fn recording(mut self, name: &str) -> Self {
        self.task.recordings.push(name.to_owned());
        self
    }

    /// What was written down before.
    pub fn noted(mut self, text: &str) -> Self {
        self.task.notes.push(text.to_owned());
        self
    }

    /// The script's settings.
    pub fn with_settings(mut self, settings: impl serde::Serialize) -> Self {
        self.around = self.around.with_settings(settings);
        self
    }

    /// The tenant's wall clock, as "2026-11-27 23:58".
    pub fn at(mut self, local: &str) -> Self {
        self.around = self.around.at(local);
        self
    }

    /// There is this user.
    pub fn user(mut self, user: User) -> Self {
        self.around = self.around.user(user);
        self
    }

    /// The CRM knows this contact.
    pub fn contact(mut self, contact: Contact) -> Self {
        self.around = self.around.contact(contact);
        self
    }

    /// This server outside answers.
    pub fn server(mut self, server: Server) -> Self {
        self.around = self.around.server(server);
        self
    }

    /// The tenant remembers this.
    pub fn remembered(mut self, key: &str, value: impl AsRef<[u8]>) -> Self {
        self.around = self.around.remembered(key, value);
        self
    }

    /// Tells a script what became of it.
    #[track_caller]
    pub fn tell<A>(self, what: Event, script: impl OnChange<A>) -> Told {
        let mut task = self.task;
        let mut world = World::new(self.around);
        world.timeline.clear();
        task.opened = world.started;
        world.task = Some(task);
        Told { world, result: Ok(()) }.then(what, script)
    }
}

/// What a script that was told of a change has done, for a test to look at.
pub struct Told {
    world: World,
    result: Result,
}

impl Told {
    /// Tells a script what became of it next.
    #[track_caller]
    pub fn then<A>(mut self, what: Event, script: impl OnChange<A>) -> Told {
        let now = self.world.started + self.world.now.as_secs_f64();
        let mut task = self.world.task.take().expect("it was told of one");
        self.world.note(format!("{}: {}", name(&what), task.number));
        let change = task.change(what, now);
        self.world.task = Some(task);
        world::enter(self.world);
        let result = script.run(change);
        Told { world: world::leave(), result }
    }

    /// What the script returned.
    pub fn result(&self) -> &Result {
        &self.result
    }

    /// How the task is now.
    pub fn state(&self) -> &State {
        &self.task().state
    }

    /// Who is to do it now.
    pub fn responsible(&self) -> Option<&str> {
        self.task().responsible.as_deref()
    }

    /// By when, now.
    pub fn due(&self) -> Option<f64> {
        self.task().due
    }

    /// What is written down now.
    pub fn notes(&self) -> &[String] {
        &self.task().notes
    }

    /// What the tenant remembers under a key.
    pub fn remembers(&self, key: &str) -> Option<&[u8]> {
        self.world.kept.get(key).map(|(value, _)| value.as_slice())
    }

    /// What the script logged.
    pub fn log(&self) -> &[String] {
        &self.world.log
    }

    /// What happened, a line each: what the script was told, and what it did.
    pub fn timeline(&self) -> Vec<String> {
        self.world.timeline.iter().map(|(_, what)| what.clone()).collect()
    }

    /// How long it took, in virtual time.
    pub fn length(&self) -> Duration {
        self.world.now
    }

    fn task(&self) -> &TaskRow {
        self.world.task.as_ref().expect("it was told of one")
    }
}

/// As `wit/` names it.
fn name(what: &Event) -> String {
    let word = match what {
        Event::Opened => "opened",
        Event::MissedAgain => "missed-again",
        Event::Late => "late",
        Event::Assigned => "assigned",
        Event::PutOff => "put-off",
        Event::Noted => "noted",
        Event::Closed(State::ReachedUsAgain) => "reached-us-again",
        Event::Closed(State::CalledBackInTime) => "called-back-in-time",
        Event::Closed(State::CalledBackLate) => "called-back-late",
        Event::Closed(State::GivenUp) => "given-up",
        Event::Closed(State::Done) => "done",
        Event::Closed(State::Open) => "open",
        Event::Closed(State::Other(word)) | Event::Other(word) => word,
    };
    word.to_owned()
}
