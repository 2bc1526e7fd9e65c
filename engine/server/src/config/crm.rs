//! `[tenant.crm]`: where contacts come from. `kind = "contacts"` is a table in a file beside the configuration.

use std::sync::Arc;

use super::section::{Mistake, Section, hint};
use super::tenant::Known;
use crate::crm::Crm;
use crate::crm::table::{Contacts, MOST_BYTES, Misread};

/// Kinds of CRM, by the name in the configuration.
const KINDS: [&str; 1] = ["contacts"];

/// Reads the section, and the table that it names.
pub(super) fn crm(section: Section<'_, '_>, known: &Known<'_>) -> Option<Crm> {
    let kind = section.required("kind", KINDS[0]);
    if let Some(kind) = kind.filter(|kind| !KINDS.contains(&kind.value)) {
        let what = format!("there is no CRM of kind \"{}\"; {}", kind.value, hint(kind.value, KINDS));
        section.mistake(kind.line, what);
    }
    let file = section.required("file", "contacts.csv");
    let contacts = file.and_then(|file| {
        let path = section.source.path(file.value);
        let read = match std::fs::metadata(&path) {
            Ok(there) if there.len() > MOST_BYTES => Err(format!("is larger than {MOST_BYTES} bytes")),
            _ => std::fs::read_to_string(&path).map_err(|why| format!("cannot be read: {why}")),
        };
        let text = read
            .map_err(|why| {
                let what = format!("\"{}\" {why}; write the path of a table like contacts.csv", file.value);
                section.mistake(file.line, what);
            })
            .ok()?;
        let told = Contacts::read(&text, |owner| known.user_of(owner)).map_err(|misread| {
            let mistake =
                |misread: Misread| Mistake { file: path.clone(), line: misread.line, what: misread.what };
            section.source.mistakes.borrow_mut().extend(misread.into_iter().map(mistake));
        });
        told.ok().map(|contacts| Crm::Table(Arc::new(contacts)))
    });
    section.finish();
    contacts
}
