//! The imports of call scripts and task scripts, one file per interface of `wit/`: arguments become a
//! [`exchange::Command`], the answer becomes what `wit/` says.
//!
//! What is read from a handle (a leg's party, a user's name, all of the call's record) came with the
//! handle and is answered from it; everything else goes through [`Guest::ask`]. The imports of a
//! queue strategy are in `strategy`, and what a language's runtime imports besides in `wasi`.

pub(crate) mod call;
mod clock;
mod crm;
mod directory;
mod ended;
mod http;
mod kv;
mod log;
mod mailbox;
mod notify;
pub(crate) mod queue;
mod settings;
pub(crate) mod strategy;
mod tasks;
pub(crate) mod types;
pub(crate) mod wasi;

use exchange::Answer;
use wasmtime::component::{HasSelf, Linker, Resource, ResourceTable};

pub(crate) use self::strategy::Question;
pub(crate) use self::wasi::Wasi;
use crate::bindings::call_script::CallScript;
use crate::bindings::call_script::strowger::script::types as wit;
use crate::bindings::queue_strategy::QueueStrategy;
use crate::bindings::task_script::strowger::script::tasks as of_tasks;
use crate::guest::{Guest, Stop};
use crate::tape::TrapKind;

/// Puts every interface of the worlds of call scripts and task scripts into the linker. Which of them a script may import
/// is the check's to say.
pub(crate) fn link_scripts(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    CallScript::add_to_linker::<_, HasSelf<Guest>>(linker, |guest| guest)?;
    of_tasks::add_to_linker::<_, HasSelf<Guest>>(linker, |guest| guest)
}

/// Puts every interface of the queue strategies' world into the linker.
pub(crate) fn link_strategy(linker: &mut Linker<Question>) -> wasmtime::Result<()> {
    wit::add_to_linker::<_, HasSelf<Question>>(linker, |question| question)?;
    QueueStrategy::add_to_linker::<_, HasSelf<Question>>(linker, |question| question)
}

/// What an import with a `result` returns; `pick` takes the good answer out.
fn verb<T>(
    answer: Answer,
    pick: impl FnOnce(Answer) -> Option<T>,
) -> wasmtime::Result<Result<T, wit::Failure>> {
    match answer {
        Answer::Failed(failure) => Ok(Err(failure.into())),
        answer => look_up(answer, pick).map(Ok),
    }
}

/// What an import without a `result` returns. An answer of another shape is the engine's mistake and
/// ends the run.
fn look_up<T>(answer: Answer, pick: impl FnOnce(Answer) -> Option<T>) -> wasmtime::Result<T> {
    pick(answer).ok_or_else(|| Stop::Limit(TrapKind::Engine).into())
}

fn done(answer: Answer) -> wasmtime::Result<Result<(), wit::Failure>> {
    verb(answer, |answer| matches!(answer, Answer::Done).then_some(()))
}

/// A new handle; the table's bound ends the run.
fn hand_out<T: Send + 'static>(table: &mut ResourceTable, item: T) -> wasmtime::Result<Resource<T>> {
    table.push(item).map_err(|_full| Stop::Limit(TrapKind::TooManyHandles).into())
}
