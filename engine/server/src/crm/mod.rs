//! The tenant's CRM: who has a number, and who looks after them. It is the tenant's own contacts in the store, a table in
//! a file, or a server outside that is asked over HTTP; for a call all of them are one ([`Crm`]). A CRM that is slow or
//! gone costs a call at most its deadline. What a call leaves there is the business of [`crate::tasks`].

pub mod contacts;
pub mod deed;
pub mod number;
pub mod plan;
pub mod remote;
pub mod table;

use std::sync::Arc;

use self::remote::Remote;
use self::table::Contacts;
use crate::config::Tenant;
use crate::node::Node;
use exchange::{Contact, Failure};

/// Where a tenant's contacts are.
#[derive(Clone, Debug, Default)]
pub enum Crm {
    /// In the store: for a tenant that says nothing of a CRM.
    #[default]
    Own,
    /// In a table, read with the configuration.
    Table(Arc<Contacts>),
    /// At a server outside.
    Remote(Arc<Remote>),
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
            Crm::Remote(remote) => owned(tenant, remote.remembered(number)?.contact).into(),
        }
    }

    /// Who has this number.
    ///
    /// # Errors
    /// When the CRM does not answer, or makes no sense.
    pub async fn find_contact(&self, tenant: &Tenant, number: &str) -> Result<Option<Contact>, Failure> {
        let Crm::Remote(remote) = &tenant.crm else { return Ok(self.known_contact(tenant, number)) };
        let (remote, number) = (remote.clone(), number.to_owned());
        // Sockets are no business of the thread that serves calls.
        let asking = self.script_runtime.spawn(async move { remote.find(&number).await });
        let found = asking.await.unwrap_or_else(|why| Err(Failure::Other(why.to_string())))?;
        Ok(found.map(|found| owned(tenant, found.contact)))
    }
}

/// With an owner who is a user; a CRM may name somebody else.
fn owned(tenant: &Tenant, contact: Contact) -> Contact {
    let owner = contact.owner.as_deref().and_then(|owner| tenant.user(owner)).map(|user| user.name.clone());
    Contact { owner, ..contact }
}
