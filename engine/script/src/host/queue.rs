//! Interface `queue`: places in line, and the agents who serve it.

use exchange::{Answer, Command, Outlook, PlaceNo, Refusal, Waited};
use wasmtime::component::Resource;

use super::types::{length, millis};
use super::{done, hand_out, look_up, verb};
use crate::bindings::call_script::strowger::script::{queue as wit, types};
use crate::guest::Guest;

type Verb<T> = wasmtime::Result<Result<T, types::Failure>>;

/// A place behind the guest's handle.
pub struct PlaceHandle {
    place: PlaceNo,
    resumed: bool,
}

impl Guest {
    fn place(&self, place: &Resource<PlaceHandle>) -> wasmtime::Result<PlaceNo> {
        Ok(self.table.get(place)?.place)
    }
}

impl wit::HostPlace for Guest {
    async fn position(&mut self, place: Resource<PlaceHandle>) -> wasmtime::Result<u32> {
        let place = self.place(&place)?;
        look_up(self.ask(Command::Position { place }).await?, |answer| match answer {
            Answer::Count(position) => Some(position),
            _ => None,
        })
    }

    async fn expected(&mut self, place: Resource<PlaceHandle>) -> wasmtime::Result<Option<u32>> {
        let place = self.place(&place)?;
        look_up(self.ask(Command::ExpectedWait { place }).await?, |answer| match answer {
            Answer::Length(expected) => Some(expected.map(millis)),
            _ => None,
        })
    }

    fn resumed(&mut self, place: Resource<PlaceHandle>) -> wasmtime::Result<bool> {
        Ok(self.table.get(&place)?.resumed)
    }

    async fn wait(
        &mut self,
        place: Resource<PlaceHandle>,
        keys: String,
        hears: Option<types::Prompt>,
    ) -> Verb<wit::Waited> {
        let place = self.place(&place)?;
        let command = Command::Wait { place, keys, hears: hears.map(Into::into) };
        let waited = verb(self.ask(command).await?, |answer| match answer {
            Answer::Waited(waited) => Some(waited),
            _ => None,
        })?;
        let waited = match waited {
            Ok(waited) => waited,
            Err(failure) => return Ok(Err(failure)),
        };
        Ok(Ok(match waited {
            Waited::Connected(leg) => wit::Waited::Connected(hand_out(&mut self.table, *leg)?),
            Waited::Digit(key) => wit::Waited::Digit(key),
            Waited::Asked(word) => wit::Waited::Asked(word),
            Waited::LongestWait => wit::Waited::LongestWait,
            Waited::Nobody => wit::Waited::Nobody,
            Waited::Other(words) => wit::Waited::Other(words),
        }))
    }

    async fn set_priority(&mut self, place: Resource<PlaceHandle>, priority: i32) -> Verb<()> {
        let place = self.place(&place)?;
        done(self.ask(Command::SetPriority { place, priority }).await?)
    }

    async fn call_back(&mut self, place: Resource<PlaceHandle>, number: String) -> Verb<()> {
        let place = self.place(&place)?;
        done(self.ask(Command::CallBack { place, number }).await?)
    }

    async fn leave(&mut self, place: Resource<PlaceHandle>) -> wasmtime::Result<()> {
        let place = self.place(&place)?;
        // A place that is over already is what was wished for.
        self.ask(Command::LeaveQueue { place }).await.map(drop)
    }

    fn drop(&mut self, place: Resource<PlaceHandle>) -> wasmtime::Result<()> {
        self.table.delete(place)?;
        Ok(())
    }
}

impl wit::HostOutlook for Guest {
    fn waiting(&mut self, outlook: Resource<Outlook>) -> wasmtime::Result<u32> {
        Ok(self.table.get(&outlook)?.waiting)
    }

    fn available(&mut self, outlook: Resource<Outlook>) -> wasmtime::Result<u32> {
        Ok(self.table.get(&outlook)?.available)
    }

    fn serving(&mut self, outlook: Resource<Outlook>) -> wasmtime::Result<u32> {
        Ok(self.table.get(&outlook)?.serving)
    }

    fn longest(&mut self, outlook: Resource<Outlook>) -> wasmtime::Result<u32> {
        Ok(millis(self.table.get(&outlook)?.longest))
    }

    fn expected(&mut self, outlook: Resource<Outlook>) -> wasmtime::Result<Option<u32>> {
        Ok(self.table.get(&outlook)?.expected.map(millis))
    }

    fn drop(&mut self, outlook: Resource<Outlook>) -> wasmtime::Result<()> {
        self.table.delete(outlook)?;
        Ok(())
    }
}

impl wit::Host for Guest {
    async fn enter(
        &mut self,
        queue: String,
        entry: wit::Entry,
    ) -> wasmtime::Result<Result<Resource<PlaceHandle>, wit::Refusal>> {
        let wit::Entry { priority, skills, longest } = entry;
        let command = Command::EnterQueue { queue, priority, skills, longest: length(longest) };
        let entered = look_up(self.ask(command).await?, |answer| match answer {
            Answer::Place { place, resumed } => Some(Ok(PlaceHandle { place, resumed })),
            Answer::RefusedEntry(refusal) => Some(Err(refusal)),
            Answer::Failed(failure) => Some(Err(Refusal::Failed(failure))),
            _ => None,
        })?;
        match entered {
            Ok(place) => hand_out(&mut self.table, place).map(Ok),
            Err(refusal) => Ok(Err(match refusal {
                Refusal::Full => wit::Refusal::Full,
                Refusal::Closed => wit::Refusal::Closed,
                Refusal::Nobody => wit::Refusal::Nobody,
                Refusal::TooLong(wait) => wit::Refusal::TooLong(millis(wait)),
                Refusal::Failed(failure) => wit::Refusal::Failed(failure.into()),
                Refusal::Other(word) => wit::Refusal::Other(word),
            })),
        }
    }

    async fn look(&mut self, queue: String) -> wasmtime::Result<Option<Resource<Outlook>>> {
        let outlook = look_up(self.ask(Command::LookAtQueue { queue }).await?, |answer| match answer {
            Answer::Outlook(outlook) => Some(outlook),
            _ => None,
        })?;
        outlook.map(|outlook| hand_out(&mut self.table, outlook)).transpose()
    }

    async fn agent(&mut self, user: String) -> wasmtime::Result<Option<types::AgentState>> {
        look_up(self.ask(Command::AgentState { user }).await?, |answer| match answer {
            Answer::AgentState(state) => Some(state.map(Into::into)),
            _ => None,
        })
    }

    async fn make_available(&mut self, user: String) -> Verb<()> {
        done(self.ask(Command::MakeAvailable { user }).await?)
    }

    async fn pause(&mut self, user: String, reason: String) -> Verb<()> {
        done(self.ask(Command::Pause { user, reason }).await?)
    }

    async fn sign_in(&mut self, user: String, queue: String) -> Verb<()> {
        done(self.ask(Command::SignIn { user, queue }).await?)
    }

    async fn sign_out(&mut self, user: String, queue: String) -> Verb<()> {
        done(self.ask(Command::SignOut { user, queue }).await?)
    }
}
