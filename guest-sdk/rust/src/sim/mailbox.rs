//! Simulated boxes: those that a test names with their PINs and messages, and an empty one without a PIN under any other
//! name.

use super::world::{World, with};
use crate::mailbox::{Mailbox, Message};
use crate::words::{Failure, Result};
use std::time::Duration;

/// As the exchange has it where nobody says otherwise.
const LONGEST: Duration = Duration::from_secs(120);
const SILENCE: Duration = Duration::from_secs(4);
const SHORTEST: Duration = Duration::from_secs(1);
/// Forbidden, as SIP and HTTP say it.
const WRONG_PIN: u16 = 403;

/// A box of the tenant.
#[derive(Clone, Debug)]
pub struct MessageBox {
    rules: Mailbox,
    pin: Option<String>,
    messages: Vec<Message>,
}

impl MessageBox {
    /// An empty box with a user's or any other name.
    pub fn new(name: &str) -> MessageBox {
        let rules = Mailbox {
            name: name.to_owned(),
            longest: LONGEST,
            silence: SILENCE,
            shortest: SHORTEST,
            ..Mailbox::default()
        };
        MessageBox { rules, pin: None, messages: Vec::new() }
    }

    /// This user needs no PIN.
    pub fn owned_by(mut self, user: &str) -> MessageBox {
        self.rules.owners.push(user.to_owned());
        self
    }

    /// Whoever knows this may hear it.
    pub fn pin(mut self, pin: &str) -> MessageBox {
        self.pin = Some(pin.to_owned());
        self
    }

    /// A message that nobody has heard, its name being the prompt that it is heard by.
    pub fn message(mut self, id: &str, number: &str, at: f64) -> MessageBox {
        let (id, number) = (id.to_owned(), number.to_owned());
        self.messages.push(Message { id, number, at, length: Duration::from_secs(10), ..Message::default() });
        self
    }

    /// A message that was heard and kept.
    pub fn heard_message(self, id: &str, number: &str, at: f64) -> MessageBox {
        let mut with = self.message(id, number, at);
        with.messages.iter_mut().filter(|message| message.id == id).for_each(|message| message.heard = true);
        with
    }

    /// Greets with this recording.
    pub fn greets_with(mut self, prompt: &str) -> MessageBox {
        self.rules.greeting = Some(prompt.to_owned());
        self
    }

    /// Takes no further message.
    pub fn full(mut self) -> MessageBox {
        self.rules.full = true;
        self
    }

    fn seen(&self) -> Mailbox {
        let heard = self.messages.iter().filter(|message| message.heard).count();
        let unheard = (self.messages.len() - heard) as u32;
        Mailbox { unheard, heard: heard as u32, ..self.rules.clone() }
    }
}

impl World {
    fn mailbox(&mut self, name: &str) -> &mut MessageBox {
        let known = self.mailboxes.iter().position(|known| known.rules.name == name);
        let at = known.unwrap_or_else(|| {
            self.mailboxes.push(MessageBox::new(name));
            self.mailboxes.len() - 1
        });
        &mut self.mailboxes[at]
    }
}

/// A user's box has the user's name, whether the user is named by it or by the extension.
pub(crate) fn find_mailbox(name_or_number: &str) -> Option<Mailbox> {
    with(|world| {
        let user = world.users.iter().find(|user| user.number == name_or_number && !user.number.is_empty());
        let name = user.map_or_else(|| name_or_number.to_owned(), |user| user.name.clone());
        let is_user = world.users.iter().any(|user| user.name == name);
        let mut seen = world.mailbox(&name).seen();
        if is_user && !seen.owners.contains(&name) {
            seen.owners.push(name);
        }
        Some(seen)
    })
}

pub(crate) fn unlock_mailbox(inbox: &str, pin: &str) -> Result {
    with(|world| match &world.mailbox(inbox).pin {
        Some(right) if right == pin => Ok(()),
        _ => Err(Failure::Refused(WRONG_PIN)),
    })
}

pub(crate) fn messages(inbox: &str) -> Result<Vec<Message>> {
    with(|world| {
        let mut messages = world.mailbox(inbox).messages.clone();
        messages.sort_by(|a, b| (a.heard, a.at).partial_cmp(&(b.heard, b.at)).expect("moments are numbers"));
        Ok(messages)
    })
}

pub(crate) fn keep_message(inbox: &str, id: &str) -> Result {
    with(|world| {
        let found = world.mailbox(inbox).messages.iter_mut().find(|message| message.id == id);
        found.ok_or_else(|| Failure::NotFound(id.to_owned()))?.heard = true;
        world.note(format!("{id} is kept"));
        Ok(())
    })
}

pub(crate) fn delete_message(inbox: &str, id: &str) -> Result {
    with(|world| {
        let messages = &mut world.mailbox(inbox).messages;
        let before = messages.len();
        messages.retain(|message| message.id != id);
        if messages.len() == before {
            return Err(Failure::NotFound(id.to_owned()));
        }
        world.note(format!("{id} is deleted"));
        Ok(())
    })
}

pub(crate) fn greet_mailbox(inbox: &str, recording: Option<&str>) -> Result {
    with(|world| {
        world.mailbox(inbox).rules.greeting = recording.map(str::to_owned);
        world.note(format!("{inbox} greets with {}", recording.unwrap_or("nothing of its own")));
        Ok(())
    })
}
