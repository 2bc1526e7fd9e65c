//! Interface `mailbox`: boxes and their messages, as they were when looked up. What changes them is carried out by the
//! server, and by nobody in a replay.

use exchange::{Answer, Command, Inbox, MailboxAsk, Message};
use wasmtime::component::Resource;

use super::types::millis;
use super::{done, hand_out, look_up, verb};
use crate::bindings::call_script::strowger::script::{mailbox as wit, types};
use crate::guest::Guest;

impl Guest {
    async fn ask_mailbox(&mut self, ask: MailboxAsk) -> wasmtime::Result<Answer> {
        self.ask(Command::Mailbox(Box::new(ask))).await
    }
}

impl wit::HostInbox for Guest {
    fn name(&mut self, inbox: Resource<Inbox>) -> wasmtime::Result<String> {
        Ok(self.table.get(&inbox)?.name.clone())
    }

    fn greeting(&mut self, inbox: Resource<Inbox>) -> wasmtime::Result<Option<String>> {
        Ok(self.table.get(&inbox)?.greeting.clone())
    }

    fn longest(&mut self, inbox: Resource<Inbox>) -> wasmtime::Result<u32> {
        Ok(millis(self.table.get(&inbox)?.longest))
    }

    fn silence(&mut self, inbox: Resource<Inbox>) -> wasmtime::Result<u32> {
        Ok(millis(self.table.get(&inbox)?.silence))
    }

    fn shortest(&mut self, inbox: Resource<Inbox>) -> wasmtime::Result<u32> {
        Ok(millis(self.table.get(&inbox)?.shortest))
    }

    fn unheard(&mut self, inbox: Resource<Inbox>) -> wasmtime::Result<u32> {
        Ok(self.table.get(&inbox)?.unheard)
    }

    fn heard(&mut self, inbox: Resource<Inbox>) -> wasmtime::Result<u32> {
        Ok(self.table.get(&inbox)?.heard)
    }

    fn full(&mut self, inbox: Resource<Inbox>) -> wasmtime::Result<bool> {
        Ok(self.table.get(&inbox)?.full)
    }

    fn owners(&mut self, inbox: Resource<Inbox>) -> wasmtime::Result<Vec<String>> {
        Ok(self.table.get(&inbox)?.owners.clone())
    }

    fn drop(&mut self, inbox: Resource<Inbox>) -> wasmtime::Result<()> {
        self.table.delete(inbox)?;
        Ok(())
    }
}

impl wit::HostMessage for Guest {
    fn id(&mut self, message: Resource<Message>) -> wasmtime::Result<String> {
        Ok(self.table.get(&message)?.id.clone())
    }

    fn number(&mut self, message: Resource<Message>) -> wasmtime::Result<String> {
        Ok(self.table.get(&message)?.number.clone())
    }

    fn name(&mut self, message: Resource<Message>) -> wasmtime::Result<Option<String>> {
        Ok(self.table.get(&message)?.name.clone())
    }

    fn at(&mut self, message: Resource<Message>) -> wasmtime::Result<f64> {
        Ok(self.table.get(&message)?.at)
    }

    fn length(&mut self, message: Resource<Message>) -> wasmtime::Result<u32> {
        Ok(millis(self.table.get(&message)?.length))
    }

    fn heard(&mut self, message: Resource<Message>) -> wasmtime::Result<bool> {
        Ok(self.table.get(&message)?.heard)
    }

    fn drop(&mut self, message: Resource<Message>) -> wasmtime::Result<()> {
        self.table.delete(message)?;
        Ok(())
    }
}

impl wit::Host for Guest {
    async fn find(&mut self, name_or_number: String) -> wasmtime::Result<Option<Resource<Inbox>>> {
        let found =
            look_up(self.ask_mailbox(MailboxAsk::Find { name_or_number }).await?, |answer| match answer {
                Answer::Inbox(inbox) => Some(inbox),
                // The store can't say; a script goes by its own settings.
                Answer::Failed(_) => Some(None),
                _ => None,
            })?;
        found.map(|inbox| hand_out(&mut self.table, *inbox)).transpose()
    }

    async fn unlock(&mut self, inbox: String, pin: String) -> wasmtime::Result<Result<(), types::Failure>> {
        done(self.ask_mailbox(MailboxAsk::Unlock { inbox, pin }).await?)
    }

    async fn messages(
        &mut self,
        inbox: String,
    ) -> wasmtime::Result<Result<Vec<Resource<Message>>, types::Failure>> {
        let found = verb(self.ask_mailbox(MailboxAsk::Messages { inbox }).await?, |answer| match answer {
            Answer::Messages(messages) => Some(messages),
            _ => None,
        })?;
        match found {
            Ok(messages) => {
                let handles = messages.into_iter().map(|message| hand_out(&mut self.table, message));
                handles.collect::<wasmtime::Result<Vec<_>>>().map(Ok)
            }
            Err(failure) => Ok(Err(failure)),
        }
    }

    async fn keep(&mut self, inbox: String, id: String) -> wasmtime::Result<Result<(), types::Failure>> {
        done(self.ask_mailbox(MailboxAsk::Keep { inbox, id }).await?)
    }

    async fn delete(&mut self, inbox: String, id: String) -> wasmtime::Result<Result<(), types::Failure>> {
        done(self.ask_mailbox(MailboxAsk::Delete { inbox, id }).await?)
    }

    async fn greet(
        &mut self,
        inbox: String,
        recording: Option<String>,
    ) -> wasmtime::Result<Result<(), types::Failure>> {
        done(self.ask_mailbox(MailboxAsk::Greet { inbox, recording }).await?)
    }
}
