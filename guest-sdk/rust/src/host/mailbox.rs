//! Interface `mailbox` of `wit/`.

use super::guest::bindings::strowger::script as wit;
use crate::mailbox::{Mailbox, Message};
use crate::words::Result;
use std::time::Duration;

fn length(millis: u32) -> Duration {
    Duration::from_millis(millis.into())
}

pub(crate) fn find_mailbox(name_or_number: &str) -> Option<Mailbox> {
    let found = wit::mailbox::find(name_or_number)?;
    Some(Mailbox {
        name: found.name(),
        greeting: found.greeting(),
        longest: length(found.longest()),
        silence: length(found.silence()),
        shortest: length(found.shortest()),
        unheard: found.unheard(),
        heard: found.heard(),
        full: found.full(),
        owners: found.owners(),
    })
}

pub(crate) fn unlock_mailbox(inbox: &str, pin: &str) -> Result {
    wit::mailbox::unlock(inbox, pin)
}

pub(crate) fn messages(inbox: &str) -> Result<Vec<Message>> {
    let messages = wit::mailbox::messages(inbox)?;
    let message = |handle: &wit::mailbox::Message| Message {
        id: handle.id(),
        number: handle.number(),
        name: handle.name(),
        at: handle.at(),
        length: length(handle.length()),
        heard: handle.heard(),
    };
    Ok(messages.iter().map(message).collect())
}

pub(crate) fn keep_message(inbox: &str, id: &str) -> Result {
    wit::mailbox::keep(inbox, id)
}

pub(crate) fn delete_message(inbox: &str, id: &str) -> Result {
    wit::mailbox::delete(inbox, id)
}

pub(crate) fn greet_mailbox(inbox: &str, recording: Option<&str>) -> Result {
    wit::mailbox::greet(inbox, recording)
}
