//! Interface `tasks`: a task as it was after its change, and what a script wants of it.

use exchange::{Command, TaskAsk, TaskChange, TaskEvent, TaskInfo, TaskState};
use wasmtime::component::Resource;

use super::{done, hand_out};
use crate::bindings::call_script::strowger::script::types;
use crate::bindings::task_script::strowger::script::tasks as wit;
use crate::guest::Guest;

type Verb = wasmtime::Result<Result<(), types::Failure>>;

impl Guest {
    fn task(&self, task: &Resource<TaskInfo>) -> wasmtime::Result<&TaskInfo> {
        Ok(self.table.get(task)?)
    }

    fn change(&self, change: &Resource<TaskChange>) -> wasmtime::Result<&TaskChange> {
        Ok(self.table.get(change)?)
    }

    async fn ask_task(&mut self, task: Resource<TaskInfo>, ask: TaskAsk) -> Verb {
        let id = self.task(&task)?.id.clone();
        done(self.ask(Command::Task { id, ask }).await?)
    }
}

impl wit::HostTask for Guest {
    fn id(&mut self, task: Resource<TaskInfo>) -> wasmtime::Result<String> {
        Ok(self.task(&task)?.id.clone())
    }

    fn state(&mut self, task: Resource<TaskInfo>) -> wasmtime::Result<wit::State> {
        Ok(match self.task(&task)?.state {
            TaskState::Open => wit::State::Open,
            TaskState::ReachedUsAgain => wit::State::ReachedUsAgain,
            TaskState::CalledBackInTime => wit::State::CalledBackInTime,
            TaskState::CalledBackLate => wit::State::CalledBackLate,
            TaskState::GivenUp => wit::State::GivenUp,
            TaskState::Done => wit::State::Done,
        })
    }

    fn number(&mut self, task: Resource<TaskInfo>) -> wasmtime::Result<String> {
        Ok(self.task(&task)?.number.clone())
    }

    fn name(&mut self, task: Resource<TaskInfo>) -> wasmtime::Result<String> {
        Ok(self.task(&task)?.name.clone())
    }

    fn contact(&mut self, task: Resource<TaskInfo>) -> wasmtime::Result<Option<String>> {
        Ok(self.task(&task)?.contact.clone())
    }

    fn title(&mut self, task: Resource<TaskInfo>) -> wasmtime::Result<String> {
        Ok(self.task(&task)?.title.clone())
    }

    fn responsible(&mut self, task: Resource<TaskInfo>) -> wasmtime::Result<Option<String>> {
        Ok(self.task(&task)?.responsible.clone())
    }

    fn due(&mut self, task: Resource<TaskInfo>) -> wasmtime::Result<Option<f64>> {
        Ok(self.task(&task)?.due)
    }

    fn late(&mut self, task: Resource<TaskInfo>) -> wasmtime::Result<bool> {
        Ok(self.task(&task)?.late)
    }

    fn opened(&mut self, task: Resource<TaskInfo>) -> wasmtime::Result<f64> {
        Ok(self.task(&task)?.opened)
    }

    fn closed(&mut self, task: Resource<TaskInfo>) -> wasmtime::Result<Option<f64>> {
        Ok(self.task(&task)?.closed)
    }

    fn closed_by(&mut self, task: Resource<TaskInfo>) -> wasmtime::Result<Option<String>> {
        Ok(self.task(&task)?.closed_by.clone())
    }

    fn dialled(&mut self, task: Resource<TaskInfo>) -> wasmtime::Result<String> {
        Ok(self.task(&task)?.dialled.clone())
    }

    fn queue(&mut self, task: Resource<TaskInfo>) -> wasmtime::Result<Option<String>> {
        Ok(self.task(&task)?.queue.clone())
    }

    fn missed(&mut self, task: Resource<TaskInfo>) -> wasmtime::Result<u32> {
        Ok(self.task(&task)?.missed)
    }

    fn last(&mut self, task: Resource<TaskInfo>) -> wasmtime::Result<f64> {
        Ok(self.task(&task)?.last)
    }

    fn calls(&mut self, task: Resource<TaskInfo>) -> wasmtime::Result<Vec<String>> {
        Ok(self.task(&task)?.calls.clone())
    }

    fn recordings(&mut self, task: Resource<TaskInfo>) -> wasmtime::Result<Vec<String>> {
        Ok(self.task(&task)?.recordings.clone())
    }

    fn notes(&mut self, task: Resource<TaskInfo>) -> wasmtime::Result<Vec<String>> {
        Ok(self.task(&task)?.notes.clone())
    }

    async fn assign(&mut self, task: Resource<TaskInfo>, user: String) -> Verb {
        self.ask_task(task, TaskAsk::Assign { user }).await
    }

    async fn put_off(&mut self, task: Resource<TaskInfo>, until: f64) -> Verb {
        // What is no moment becomes zero, which is refused.
        self.ask_task(task, TaskAsk::PutOff { until_ms: (until * 1000.0) as u64 }).await
    }

    async fn note(&mut self, task: Resource<TaskInfo>, text: String) -> Verb {
        self.ask_task(task, TaskAsk::Note { text }).await
    }

    async fn finish(&mut self, task: Resource<TaskInfo>) -> Verb {
        self.ask_task(task, TaskAsk::Finish).await
    }

    async fn give_up(&mut self, task: Resource<TaskInfo>) -> Verb {
        self.ask_task(task, TaskAsk::GiveUp).await
    }

    fn drop(&mut self, task: Resource<TaskInfo>) -> wasmtime::Result<()> {
        self.table.delete(task)?;
        Ok(())
    }
}

impl wit::HostChange for Guest {
    fn id(&mut self, change: Resource<TaskChange>) -> wasmtime::Result<String> {
        Ok(self.change(&change)?.id.clone())
    }

    fn at(&mut self, change: Resource<TaskChange>) -> wasmtime::Result<f64> {
        Ok(self.change(&change)?.at)
    }

    fn what(&mut self, change: Resource<TaskChange>) -> wasmtime::Result<wit::Event> {
        Ok(match self.change(&change)?.event {
            TaskEvent::Opened => wit::Event::Opened,
            TaskEvent::MissedAgain => wit::Event::MissedAgain,
            TaskEvent::Late => wit::Event::Late,
            TaskEvent::Assigned => wit::Event::Assigned,
            TaskEvent::PutOff => wit::Event::PutOff,
            TaskEvent::Noted => wit::Event::Noted,
            TaskEvent::Closed(TaskState::ReachedUsAgain) => wit::Event::ReachedUsAgain,
            TaskEvent::Closed(TaskState::CalledBackInTime) => wit::Event::CalledBackInTime,
            TaskEvent::Closed(TaskState::CalledBackLate) => wit::Event::CalledBackLate,
            TaskEvent::Closed(TaskState::GivenUp) => wit::Event::GivenUp,
            TaskEvent::Closed(TaskState::Done) => wit::Event::Done,
            other @ (TaskEvent::Closed(TaskState::Open) | TaskEvent::Changed) => {
                wit::Event::Other(other.name().to_owned())
            }
        })
    }

    fn task(&mut self, change: Resource<TaskChange>) -> wasmtime::Result<Resource<TaskInfo>> {
        let task = self.change(&change)?.task.clone();
        hand_out(&mut self.table, task)
    }

    fn drop(&mut self, change: Resource<TaskChange>) -> wasmtime::Result<()> {
        self.table.delete(change)?;
        Ok(())
    }
}

impl wit::Host for Guest {}
