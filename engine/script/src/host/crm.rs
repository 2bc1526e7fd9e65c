//! Interface `crm`: contacts, as they were when looked up, and tasks.

use exchange::{Answer, Command, Contact};
use wasmtime::component::Resource;

use super::{hand_out, verb};
use crate::bindings::call_script::strowger::script::{crm as wit, types};
use crate::guest::Guest;

impl wit::HostContact for Guest {
    fn id(&mut self, contact: Resource<Contact>) -> wasmtime::Result<String> {
        Ok(self.table.get(&contact)?.id.clone())
    }

    fn name(&mut self, contact: Resource<Contact>) -> wasmtime::Result<String> {
        Ok(self.table.get(&contact)?.name.clone())
    }

    fn company(&mut self, contact: Resource<Contact>) -> wasmtime::Result<Option<String>> {
        Ok(self.table.get(&contact)?.company.clone())
    }

    fn owner(&mut self, contact: Resource<Contact>) -> wasmtime::Result<Option<String>> {
        Ok(self.table.get(&contact)?.owner.clone())
    }

    fn field(&mut self, contact: Resource<Contact>, name: String) -> wasmtime::Result<Option<String>> {
        let fields = &self.table.get(&contact)?.fields;
        Ok(fields.iter().find(|(field, _)| *field == name).map(|(_, value)| value.clone()))
    }

    fn drop(&mut self, contact: Resource<Contact>) -> wasmtime::Result<()> {
        self.table.delete(contact)?;
        Ok(())
    }
}

impl wit::Host for Guest {
    async fn find(
        &mut self,
        number: String,
    ) -> wasmtime::Result<Result<Option<Resource<Contact>>, types::Failure>> {
        let contact = verb(self.ask(Command::FindContact { number }).await?, |answer| match answer {
            Answer::Contact(contact) => Some(contact),
            _ => None,
        })?;
        match contact {
            Ok(contact) => contact.map(|contact| hand_out(&mut self.table, *contact)).transpose().map(Ok),
            Err(failure) => Ok(Err(failure)),
        }
    }

    async fn create_task(
        &mut self,
        number: String,
        title: String,
        responsible: Option<String>,
        due: Option<f64>,
    ) -> wasmtime::Result<Result<String, types::Failure>> {
        // Milliseconds since 1970 UTC; what is no moment becomes zero, which is refused.
        let due_ms = due.map(|seconds| (seconds * 1000.0) as u64);
        let task = Command::CreateTask { number, title, responsible, due_ms };
        verb(self.ask(task).await?, |answer| match answer {
            Answer::Text(id) => Some(id),
            _ => None,
        })
    }

    async fn close_task(&mut self, id: String) -> wasmtime::Result<Result<(), types::Failure>> {
        verb(self.ask(Command::CloseTask { id }).await?, |answer| {
            matches!(answer, Answer::Done).then_some(())
        })
    }
}
