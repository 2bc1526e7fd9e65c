//! Boxes that keep messages, as scripts see them: interface `mailbox` of `wit/`. Who keeps them, and for how long, is the
//! server's business; a call only asks.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What is asked of a box. The order is part of the tape's format: add at the end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)] // each is the import of the same name in wit/
pub enum MailboxAsk {
    Find { name_or_number: String },
    Unlock { inbox: String, pin: String },
    Messages { inbox: String },
    Keep { inbox: String, id: String },
    Delete { inbox: String, id: String },
    Greet { inbox: String, recording: Option<String> },
}

/// A box, as it was when looked up.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inbox {
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
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// Names it in its box: its recording, which is also a prompt.
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
