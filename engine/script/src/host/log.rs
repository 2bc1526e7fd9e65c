//! Interface `log`: lines for the person who wrote the script.

use exchange::{Command, Level};

use crate::bindings::call_script::strowger::script::log as wit;
use crate::guest::Guest;

impl wit::Host for Guest {
    async fn write(&mut self, level: wit::Level, message: String) -> wasmtime::Result<()> {
        let level = match level {
            wit::Level::Debug => Level::Debug,
            wit::Level::Info => Level::Info,
            wit::Level::Warn => Level::Warn,
            wit::Level::Error => Level::Error,
        };
        // A line that could not be kept is no concern of the script.
        self.ask(Command::Log { level, message }).await.map(drop)
    }
}
