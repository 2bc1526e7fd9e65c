//! Boxes that keep messages for users, groups, or whoever the tenant names. What callers leave after
//! `tag("box", ...)` goes to that box by itself, also when they hang up while speaking.

use crate::host;
use crate::words::Result;
use std::time::Duration;

/// A box, as it was when looked up.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Mailbox {
    /// Its name.
    pub name: String,
    /// The prompt that greets its callers, where somebody recorded one.
    pub greeting: Option<String>,
    /// The longest message that it takes.
    pub longest: Duration,
    /// So much quiet ends a message.
    pub silence: Duration,
    /// What is shorter is no message.
    pub shortest: Duration,
    /// Messages that nobody has heard.
    pub unheard: u32,
    /// Messages that were heard and kept.
    pub heard: u32,
    /// It takes no further message.
    pub full: bool,
    /// Users who need no PIN on their own telephones, by name.
    pub owners: Vec<String>,
}

/// A message in a box.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Message {
    /// Names it in its box; also a prompt: `caller.play(&message.id)`.
    pub id: String,
    /// Who left it: E.164 with "+", or an extension; empty when withheld.
    pub number: String,
    /// Their name, when one was sent.
    pub name: Option<String>,
    /// When: seconds since 1970 UTC.
    pub at: f64,
    /// How long it is.
    pub length: Duration,
    /// Whether somebody has heard it.
    pub heard: bool,
}

/// A box by its name, or a user's by the user's name or extension; none when there is no such box.
pub fn find(name_or_number: &str) -> Option<Mailbox> {
    host::find_mailbox(name_or_number)
}

impl Mailbox {
    /// Whether this is the box's PIN.
    ///
    /// # Errors
    /// [`Failure::Refused`](crate::Failure::Refused) for a wrong one, or where the box has none, and
    /// [`Failure::Limit`](crate::Failure::Limit) of "pin" for any after too many wrong ones.
    pub fn unlock(&self, pin: &str) -> Result {
        host::unlock_mailbox(&self.name, pin)
    }

    /// Its messages: those that nobody has heard first, then the others; of each the oldest first.
    ///
    /// # Errors
    /// When the exchange can't read them.
    pub fn messages(&self) -> Result<Vec<Message>> {
        host::messages(&self.name)
    }

    /// The message was heard, and stays.
    ///
    /// # Errors
    /// [`Failure::NotFound`](crate::Failure::NotFound) when it is gone.
    pub fn keep(&self, message: &Message) -> Result {
        host::keep_message(&self.name, &message.id)
    }

    /// The message goes, and its recording with it.
    ///
    /// # Errors
    /// As [`keep`](Mailbox::keep).
    pub fn delete(&self, message: &Message) -> Result {
        host::delete_message(&self.name, &message.id)
    }

    /// Greets callers with this recording of the call from now on, by its name; with none as if nobody had recorded one.
    ///
    /// # Errors
    /// [`Failure::NotFound`](crate::Failure::NotFound) when there is no such recording.
    pub fn greet_with(&self, recording: Option<&str>) -> Result {
        host::greet_mailbox(&self.name, recording)
    }
}
