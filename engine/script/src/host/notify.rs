//! Interface `notify`: what a script has to tell people and programs outside. Who they are is the configuration's affair.

use exchange::{Answer, Command};

use super::verb;
use crate::bindings::call_script::strowger::script::{notify as wit, types};
use crate::guest::Guest;

impl wit::Host for Guest {
    async fn send(
        &mut self,
        to: String,
        text: String,
        facts: Vec<(String, String)>,
    ) -> wasmtime::Result<Result<String, types::Failure>> {
        verb(self.ask(Command::Notify { to, text, facts }).await?, |answer| match answer {
            Answer::Text(receipt) => Some(receipt),
            _ => None,
        })
    }
}
