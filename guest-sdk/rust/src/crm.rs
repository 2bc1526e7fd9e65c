//! Who is calling, and what they are to the company.

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
