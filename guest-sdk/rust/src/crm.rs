//! Who is calling, what they are to the company, and what is to be done for them.

use crate::host;
use crate::words::Result;

/// A contact, as it was when looked up.
pub struct Contact {
    /// The contact's id in the CRM.
    pub id: String,
    /// Their name.
    pub name: String,
    /// Where they work.
    pub company: Option<String>,
    /// The user who looks after them: the owner of the open deal, else of the contact.
    pub owner: Option<String>,
    pub(crate) fields: host::Fields,
}

impl Contact {
    /// Another field by its name in the CRM.
    pub fn field(&self, name: &str) -> Option<String> {
        self.fields.field(name)
    }
}

/// A contact by number, however it is written there; none when nobody has it, or the tenant has no CRM.
///
/// # Errors
/// When the CRM does not answer: a script goes on without.
pub fn find(number: &str) -> Result<Option<Contact>> {
    host::find_contact(number)
}

/// Whoever looks after the contact with this number, by the user's name.
///
/// # Errors
/// As [`find`].
pub fn owner_of(number: &str) -> Result<Option<String>> {
    Ok(find(number)?.and_then(|contact| contact.owner))
}

/// Something to be done for whoever has a number. It is written down by [`Task::create`].
#[must_use = "nothing is written down until create"]
pub struct Task<'a> {
    number: &'a str,
    title: &'a str,
    responsible: Option<&'a str>,
    due: Option<f64>,
}

/// A task: what is to be done, in at most 512 bytes. It is for whoever looks after the contact.
pub fn task<'a>(number: &'a str, title: &'a str) -> Task<'a> {
    Task { number, title, responsible: None, due: None }
}

impl<'a> Task<'a> {
    /// For this user, by name or extension.
    pub fn responsible(mut self, user: &'a str) -> Self {
        self.responsible = Some(user);
        self
    }

    /// By this moment: seconds since 1970 UTC.
    pub fn due(mut self, at: f64) -> Self {
        self.due = Some(at);
        self
    }

    /// Writes it down; durable when it returns. Answers its id.
    ///
    /// # Errors
    /// `invalid` when the number is none, the title empty or the user unknown.
    pub fn create(self) -> Result<String> {
        host::create_task(self.number, self.title, self.responsible, self.due)
    }
}

/// An open task is done.
///
/// # Errors
/// `not-found` when none of this id is open.
pub fn close_task(id: &str) -> Result {
    host::close_task(id)
}
