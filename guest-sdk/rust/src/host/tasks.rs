//! Interface `tasks` of `wit/`, in a component that hears of changes. Everything else that such a script imports is bound
//! with the imports of call scripts.

use crate::tasks::{Change, Event, State, Task};
use crate::words::Result;

#[allow(missing_docs, unsafe_code, clippy::all)]
pub mod bindings {
    wit_bindgen::generate!({
        path: "../../wit",
        world: "task-script",
        pub_export_macro: true,
        export_macro_name: "export_task_script",
        default_bindings_module: "strowger_script::tasks::entry::bindings",
        runtime_path: "::wit_bindgen::rt",
        with: {
            "strowger:script/types@0.1.1": crate::host::types,
            "strowger:script/directory@0.1.1": crate::host::guest::bindings::strowger::script::directory,
            "strowger:script/crm@0.1.1": crate::host::guest::bindings::strowger::script::crm,
            "strowger:script/notify@0.1.1": crate::host::guest::bindings::strowger::script::notify,
            "strowger:script/http@0.1.1": crate::host::guest::bindings::strowger::script::http,
            "strowger:script/mailbox@0.1.1": crate::host::guest::bindings::strowger::script::mailbox,
            "strowger:script/clock@0.1.1": crate::host::guest::bindings::strowger::script::clock,
            "strowger:script/settings@0.1.1": crate::host::guest::bindings::strowger::script::settings,
            "strowger:script/kv@0.1.1": crate::host::guest::bindings::strowger::script::kv,
            "strowger:script/log@0.1.1": crate::host::guest::bindings::strowger::script::log,
        },
    });
}

use bindings::strowger::script::tasks as wit;

/// A task's handle.
#[derive(Debug)]
pub struct TaskHandle(wit::Task);

impl TaskHandle {
    pub(crate) fn assign(&self, user: &str) -> Result {
        self.0.assign(user)
    }
    pub(crate) fn put_off(&self, until: f64) -> Result {
        self.0.put_off(until)
    }
    pub(crate) fn note(&self, text: &str) -> Result {
        self.0.note(text)
    }
    pub(crate) fn finish(&self) -> Result {
        self.0.finish()
    }
    pub(crate) fn give_up(&self) -> Result {
        self.0.give_up()
    }
}

pub(crate) fn change(handle: wit::Change) -> Change {
    Change {
        id: handle.id(),
        at: handle.at(),
        what: match handle.what() {
            wit::Event::Opened => Event::Opened,
            wit::Event::MissedAgain => Event::MissedAgain,
            wit::Event::Late => Event::Late,
            wit::Event::Assigned => Event::Assigned,
            wit::Event::PutOff => Event::PutOff,
            wit::Event::Noted => Event::Noted,
            wit::Event::ReachedUsAgain => Event::Closed(State::ReachedUsAgain),
            wit::Event::CalledBackInTime => Event::Closed(State::CalledBackInTime),
            wit::Event::CalledBackLate => Event::Closed(State::CalledBackLate),
            wit::Event::GivenUp => Event::Closed(State::GivenUp),
            wit::Event::Done => Event::Closed(State::Done),
            wit::Event::Other(word) => Event::Other(word),
        },
        task: task(handle.task()),
    }
}

fn task(handle: wit::Task) -> Task {
    Task {
        id: handle.id(),
        state: match handle.state() {
            wit::State::Open => State::Open,
            wit::State::ReachedUsAgain => State::ReachedUsAgain,
            wit::State::CalledBackInTime => State::CalledBackInTime,
            wit::State::CalledBackLate => State::CalledBackLate,
            wit::State::GivenUp => State::GivenUp,
            wit::State::Done => State::Done,
            wit::State::Other(word) => State::Other(word),
        },
        number: handle.number(),
        name: handle.name(),
        contact: handle.contact(),
        title: handle.title(),
        responsible: handle.responsible(),
        due: handle.due(),
        late: handle.late(),
        opened: handle.opened(),
        closed: handle.closed(),
        closed_by: handle.closed_by(),
        dialled: handle.dialled(),
        queue: handle.queue(),
        missed: handle.missed(),
        last: handle.last(),
        calls: handle.calls(),
        recordings: handle.recordings(),
        notes: handle.notes(),
        handle: TaskHandle(handle),
    }
}
