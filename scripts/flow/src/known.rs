//! What is known of a call by name: in braces in words, marks and places, and for the conditions of `choose`.
//!
//! | name | |
//! |---|---|
//! | `caller`, `caller_name` | the caller's number, empty when withheld, and the name that was sent |
//! | `dialled` | the number dialled |
//! | `language` | the language of prompts |
//! | `scheme`, `user` | the scheme of the last `hours`, and who is on duty by it |
//! | `contact.known` | "yes" when the caller is in the CRM, else "no" |
//! | `contact.id`, `contact.name`, `contact.company`, `contact.owner` | as the CRM has them |
//! | `contact.FIELD` | another field by its name in the CRM |
//! | `tag.KEY` | what a `tag` of this flow marked |
//! | `value.NAME` | the flow's `values` |
//! | anything else | what a `gather` of that name asked for |
//!
//! What is not known is empty.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use strowger_script::crm::Contact;
use strowger_script::prelude::*;

/// What is known so far.
pub struct Known<'a> {
    caller: &'a Leg,
    values: &'a BTreeMap<String, String>,
    /// By the steps of this call.
    learnt: BTreeMap<String, String>,
    contact: OnceCell<Option<Contact>>,
}

impl<'a> Known<'a> {
    /// What is known when the call arrives.
    pub fn new(caller: &'a Leg, values: &'a BTreeMap<String, String>) -> Self {
        Self { caller, values, learnt: BTreeMap::new(), contact: OnceCell::new() }
    }

    /// From here on it is known by this name.
    pub fn learn(&mut self, name: impl Into<String>, what: impl Into<String>) {
        self.learnt.insert(name.into(), what.into());
    }

    /// What is known by a name; none where it says nothing here.
    pub fn get(&self, name: &str) -> Option<String> {
        if let Some(learnt) = self.learnt.get(name) {
            return Some(learnt.clone());
        }
        match name.split_once('.') {
            Some(("contact", field)) => Some(self.of_contact(field).unwrap_or_default()),
            Some(("value", name)) => self.values.get(name).cloned(),
            Some(_) => None,
            None => match name {
                "caller" => Some(self.caller.number()),
                "caller_name" => Some(self.caller.party().name.unwrap_or_default()),
                "dialled" => Some(self.caller.dialled()),
                "language" => Some(self.caller.language()),
                _ => None,
            },
        }
    }

    fn of_contact(&self, field: &str) -> Option<String> {
        let contact = self.contact.get_or_init(|| find(&self.caller.number())).as_ref();
        match field {
            "known" => Some(if contact.is_some() { "yes" } else { "no" }.to_owned()),
            "id" => Some(contact?.id.clone()),
            "name" => Some(contact?.name.clone()),
            "company" => contact?.company.clone(),
            "owner" => contact?.owner.clone(),
            _ => contact?.field(field),
        }
    }

    /// A text with what is known in place of the names in braces.
    pub fn fill(&self, text: &str) -> String {
        self.fill_or(text, |_| String::new())
    }

    /// The same for settings of another script, which may have braces of its own.
    pub fn fill_known(&self, text: &str) -> String {
        self.fill_or(text, |name| format!("{{{name}}}"))
    }

    fn fill_or(&self, text: &str, otherwise: impl Fn(&str) -> String) -> String {
        let mut filled = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((before, (name, after))) =
            rest.split_once('{').and_then(|(before, inner)| Some((before, inner.split_once('}')?)))
        {
            filled.push_str(before);
            filled.push_str(&self.get(name.trim()).unwrap_or_else(|| otherwise(name)));
            rest = after;
        }
        filled + rest
    }
}

/// Whoever calls, in the CRM: a CRM that does not answer knows nobody, and the call goes on.
fn find(number: &str) -> Option<Contact> {
    if number.is_empty() {
        return None;
    }
    crm::find(number).unwrap_or_else(|why| {
        log!(Level::Warn, "the CRM: {why}");
        None
    })
}
