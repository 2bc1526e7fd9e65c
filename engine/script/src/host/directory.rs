//! Interface `directory`: the tenant's people, as they were when looked up.

use exchange::{Answer, Command, UserInfo};
use wasmtime::component::Resource;

use super::{hand_out, look_up};
use crate::bindings::call_script::strowger::script::directory as wit;
use crate::guest::Guest;

impl Guest {
    async fn users(&mut self, command: Command) -> wasmtime::Result<Vec<UserInfo>> {
        look_up(self.ask(command).await?, |answer| match answer {
            Answer::Users(users) => Some(users),
            _ => None,
        })
    }
}

impl wit::HostUser for Guest {
    fn name(&mut self, user: Resource<UserInfo>) -> wasmtime::Result<String> {
        Ok(self.table.get(&user)?.name.clone())
    }

    fn number(&mut self, user: Resource<UserInfo>) -> wasmtime::Result<String> {
        Ok(self.table.get(&user)?.number.clone())
    }

    fn mobile(&mut self, user: Resource<UserInfo>) -> wasmtime::Result<Option<String>> {
        Ok(self.table.get(&user)?.mobile.clone())
    }

    fn presence(&mut self, user: Resource<UserInfo>) -> wasmtime::Result<wit::Presence> {
        Ok(self.table.get(&user)?.presence.into())
    }

    fn skills(&mut self, user: Resource<UserInfo>) -> wasmtime::Result<Vec<(String, u8)>> {
        Ok(self.table.get(&user)?.skills.clone())
    }

    fn drop(&mut self, user: Resource<UserInfo>) -> wasmtime::Result<()> {
        self.table.delete(user)?;
        Ok(())
    }
}

impl wit::Host for Guest {
    async fn find(&mut self, name_or_number: String) -> wasmtime::Result<Option<Resource<UserInfo>>> {
        let users = self.users(Command::FindUser { name_or_number }).await?;
        users.into_iter().next().map(|user| hand_out(&mut self.table, user)).transpose()
    }

    async fn group(&mut self, name: String) -> wasmtime::Result<Vec<Resource<UserInfo>>> {
        let users = self.users(Command::Group { name }).await?;
        users.into_iter().map(|user| hand_out(&mut self.table, user)).collect()
    }

    async fn last_spoke_with(
        &mut self,
        number: String,
        days: u32,
    ) -> wasmtime::Result<Option<Resource<UserInfo>>> {
        let users = self.users(Command::LastSpokeWith { number, days }).await?;
        users.into_iter().next().map(|user| hand_out(&mut self.table, user)).transpose()
    }

    async fn conversations(&mut self, number: String, days: u32) -> wasmtime::Result<u32> {
        look_up(self.ask(Command::Conversations { number, days }).await?, |answer| match answer {
            Answer::Count(count) => Some(count),
            _ => None,
        })
    }
}
