//! Interface `settings`: what the number, or whoever handed over, set for this script.

use exchange::{Answer, Command};

use super::look_up;
use crate::bindings::call_script::strowger::script::settings as wit;
use crate::guest::Guest;

impl wit::Host for Guest {
    async fn get(&mut self) -> wasmtime::Result<String> {
        look_up(self.ask(Command::Settings).await?, |answer| match answer {
            Answer::Text(json) => Some(json),
            _ => None,
        })
    }
}
