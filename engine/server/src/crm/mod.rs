//! The tenant's CRM: who has a number, and who looks after them. It is the tenant's own contacts in the store, a table in
//! a file, or a server outside that is asked over HTTP; for a call all of them are one ([`Crm`]). A CRM that is slow or
//! gone costs a call at most its deadline. What a call leaves there is the business of [`crate::tasks`].

pub mod contacts;
pub mod number;
pub mod table;

use std::sync::Arc;

use exchange::{Contact, Failure};
use outbox::{Effect, EffectId};

use self::table::Contacts;
use crate::config::Tenant;
use crate::node::Node;
use crate::tasks::Change;

/// Where a tenant's contacts are.
#[derive(Clone, Debug, Default)]
pub enum Crm {
    /// In the store: for a tenant that says nothing of a CRM.
    #[default]
    Own,
    /// In a table, read with the configuration.
    Table(Arc<Contacts>),
}

impl Node {
    /// Who has this number, as far as it is known here. Never waits for anyone outside.
    pub fn known_contact(&self, tenant: &Tenant, number: &str) -> Option<Contact> {
        if number.is_empty() {
            return None;
        }
        match &tenant.crm {
            Crm::Own => match contacts::find(&self.store, &tenant.name, number) {
                Ok(found) => found.map(|card| card.contact()),
                Err(why) => {
                    tracing::error!(tenant = &*tenant.name, %why, "contacts can't be read");
                    None
                }
            },
            Crm::Table(contacts) => contacts.find(number).cloned(),
        }
    }

    /// What is to be written into a CRM outside, of changes to tasks: nothing where the tasks themselves are all there is.
    pub fn deeds_of(&self, _tenant: &Tenant, _changes: &[Change]) -> Vec<(EffectId, Effect)> {
        Vec::new()
    }

    /// Who has this number.
    ///
    /// # Errors
    /// When the CRM does not answer, or makes no sense.
    pub async fn find_contact(&self, tenant: &Tenant, number: &str) -> Result<Option<Contact>, Failure> {
        match &tenant.crm {
            Crm::Own | Crm::Table(_) => Ok(self.known_contact(tenant, number)),
        }
    }
}
