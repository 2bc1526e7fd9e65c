//! Addresses that mail came back from after the tenant's server had taken it: whoever receives such bounces tells us of them.
//! Nothing is mailed to such an address any more, so that nobody takes a notice for told that nobody reads: each one is a
//! dead letter at once, until a person says that the address is right again.
//!
//! Only addresses that the tenant's recipients have are noted; whoever may report one is the API's to say.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use outbox::Millis;
use serde::{Deserialize, Serialize};
use store::{Batch, Store, StoreError, layout};

use crate::config::Tenant;

/// Addresses of one tenant; the one that bounced first makes room for the next.
pub const MOST_BOUNCED: usize = 1_000;
/// In front of each row, so that another form can be told apart later.
const FORM: u8 = 1;

/// A mail came back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bounced {
    /// When we heard of the last one.
    pub at: Millis,
    /// In the words of the server.
    pub why: String,
}

/// Those of all tenants.
pub struct Bounces {
    store: Store,
    /// By tenant, then by address in small letters.
    known: Mutex<HashMap<String, BTreeMap<String, Bounced>>>,
}

impl Bounces {
    /// Reads what is known.
    ///
    /// # Errors
    /// When the store can't be read.
    pub fn open(store: Store) -> Result<Self, StoreError> {
        let mut known: HashMap<String, BTreeMap<String, Bounced>> = HashMap::new();
        let mut scan = layout::bounces();
        loop {
            let page = store.scan(&scan)?;
            let Some((last, _)) = page.last() else { break };
            scan = layout::bounces().behind(last);
            for (key, value) in &page {
                let read = value.strip_prefix(&[FORM]).and_then(|text| serde_json::from_slice(text).ok());
                if let Some(((tenant, address), bounced)) = layout::read_bounce(key).zip(read) {
                    known.entry(tenant).or_default().insert(address, bounced);
                }
            }
        }
        Ok(Self { store, known: Mutex::new(known) })
    }

    /// Notes that mail to this address came back; nothing is mailed there from now on. Durable when it returns; for a
    /// thread that may wait. False: no recipient of the tenant has the address.
    ///
    /// # Errors
    /// When the store can't be written.
    pub fn note(&self, tenant: &Tenant, address: &str, bounced: Bounced) -> Result<bool, StoreError> {
        let mut recipients = tenant.notify.recipients.iter().filter_map(|it| it.mail.as_ref());
        if !recipients.any(|mail| is_same(mail.email.as_ref(), address)) {
            return Ok(false);
        }
        let (name, address) = (&*tenant.name, address.to_lowercase());
        let text = serde_json::to_vec(&bounced).expect("plain data has a JSON form");
        let mut known = self.known();
        let its = known.entry(name.to_owned()).or_default();
        its.insert(address.clone(), bounced);
        let mut batch = Batch::new().put(layout::bounce(name, &address), [&[FORM], &text[..]].concat());
        if its.len() > MOST_BOUNCED
            && let Some(first) = its.iter().min_by_key(|(_, bounced)| bounced.at).map(|(it, _)| it.clone())
        {
            its.remove(&first);
            batch = batch.delete(layout::bounce(name, &first));
        }
        drop(known);
        self.store.commit_and_wait(batch)?;
        Ok(true)
    }

    /// Whether mail to this address came back, and why.
    pub fn of(&self, tenant: &str, address: &str) -> Option<Bounced> {
        self.known().get(tenant)?.get(&address.to_lowercase()).cloned()
    }

    /// A tenant's addresses that mail came back from, in their order.
    pub fn all(&self, tenant: &str) -> Vec<(String, Bounced)> {
        let known = self.known();
        known.get(tenant).into_iter().flatten().map(|(it, bounced)| (it.clone(), bounced.clone())).collect()
    }

    /// A person says that the address is right again. Durable when it returns; for a thread that may wait. False: nothing
    /// came back from there.
    ///
    /// # Errors
    /// When the store can't be written.
    pub fn lift(&self, tenant: &str, address: &str) -> Result<bool, StoreError> {
        let address = address.to_lowercase();
        if self.known().get_mut(tenant).and_then(|its| its.remove(&address)).is_none() {
            return Ok(false);
        }
        self.store.commit_and_wait(Batch::new().delete(layout::bounce(tenant, &address)))?;
        Ok(true)
    }

    fn known(&self) -> MutexGuard<'_, HashMap<String, BTreeMap<String, Bounced>>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Mail servers tell capital letters apart in theory (RFC 5321 §2.4), and people don't.
fn is_same(one: &str, other: &str) -> bool {
    one.to_lowercase() == other.to_lowercase()
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use store::Options;

    use super::*;
    use crate::config;

    #[test]
    fn an_address_that_bounced_is_known_after_a_restart_until_it_is_lifted() {
        let text = "[[tenant]]\nname = \"acme\"\n[tenant.mail]\nserver = \"127.0.0.1:25\"\nsecurity = \"none\"\n\
            from = \"exchange@acme.example\"\n[[tenant.notify]]\nname = \"ana\"\nevents = [\"missed\"]\n\
            mail = \"Ana <Ana@acme.example>\"\n";
        let world =
            config::read(&[(PathBuf::from("test.toml"), text.to_owned())], &|_| None).expect("a world");
        let acme = world.tenant("acme").expect("the tenant");
        let folder = tempfile::tempdir().expect("a folder");
        let open = || Store::open(folder.path(), &Options::default()).expect("a store");
        let bounced = Bounced { at: 7, why: "5.1.1".into() };
        {
            let bounces = Bounces::open(open()).expect("read");
            assert!(
                !bounces.note(acme, "boris@acme.example", bounced.clone()).expect("a look"),
                "no recipient"
            );
            assert!(bounces.note(acme, "ana@ACME.example", bounced.clone()).expect("written"));
        }
        let bounces = Bounces::open(open()).expect("read");
        assert_eq!(bounces.of("acme", "Ana@acme.example"), Some(bounced.clone()));
        assert_eq!(bounces.of("other", "Ana@acme.example"), None, "no tenant sees into another");
        assert_eq!(bounces.all("acme"), [("ana@acme.example".to_owned(), bounced)]);
        assert!(bounces.lift("acme", "ANA@acme.example").expect("written"));
        assert!(!bounces.lift("acme", "ana@acme.example").expect("a look"));
        drop(bounces);
        assert_eq!(Bounces::open(open()).expect("read").all("acme"), []);
    }
}
