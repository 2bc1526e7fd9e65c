//! Links by which somebody without a token hears one recording: 192 bits of chance, an end, and a way to take it back.
//! Nobody can list them but the tenant, and what is kept is a hash of each, so that a copy of the store opens nothing.
//! Whoever tries one that never was, has ended or was taken back learns only that there is nothing.

use std::collections::BTreeMap;
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::{SecureRandom as _, SystemRandom};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use store::{Batch, Store, StoreError, layout};

use crate::events::wall;

/// Links of one tenant that have not ended; one more gets 409.
pub const MOST_SHARES: usize = 10_000;
/// How long a link may be open.
pub const LONGEST: Duration = Duration::from_secs(366 * 24 * 3600);
/// Bytes of chance in a link.
const CHANCE: usize = 24;
/// Of a link's hash: what it is looked up by, and what names it to the tenant. It opens nothing.
const ID: usize = 8;
/// How often a link was used may be forgotten for so long by a kill.
const COUNTING: Duration = Duration::from_secs(5);

/// What a link leads to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Share {
    /// Whose recording.
    pub tenant: String,
    /// Its name.
    pub recording: String,
    /// When it was made: seconds since 1970 UTC.
    pub created: f64,
    /// When it ends.
    pub expires: f64,
    /// Who made it.
    pub by: String,
    /// How often it was opened.
    pub uses: u64,
    /// SHA-256 of the link's own part.
    hash: [u8; 32],
}

impl Share {
    /// Names it to the tenant: 16 hex digits.
    pub fn id(&self) -> String {
        self.hash[..ID].iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// Why there is no link.
#[derive(Debug)]
pub enum NotShared {
    /// The tenant has [`MOST_SHARES`]: 409.
    TooMany,
    /// The system has no chance to give: 503.
    NoChance,
    /// It could not be kept: 503 or 507.
    Store(StoreError),
}

/// All links of all tenants.
pub struct Shares {
    store: Store,
    by_id: RwLock<BTreeMap<[u8; ID], Share>>,
}

impl Shares {
    /// Reads those that are kept.
    ///
    /// # Errors
    /// When the store can't be read. A row that can't be understood leads nowhere.
    pub fn open(store: Store) -> Result<Self, StoreError> {
        let mut by_id = BTreeMap::new();
        let mut scan = layout::shares();
        loop {
            let page = store.scan(&scan)?;
            let Some((last, _)) = page.last() else { break };
            scan = layout::shares().behind(last);
            for (_, value) in &page {
                if let Ok(share) = serde_json::from_slice::<Share>(value) {
                    by_id.insert(id_of(&share.hash), share);
                }
            }
        }
        Ok(Self { store, by_id: RwLock::new(by_id) })
    }

    /// Makes a link that is open for so long, and answers its secret part, which is told this once. Durable when it
    /// returns; for a thread that may wait.
    ///
    /// # Errors
    /// See [`NotShared`].
    pub fn share(
        &self,
        tenant: &str,
        recording: &str,
        open_for: Duration,
        by: String,
    ) -> Result<(String, Share), NotShared> {
        let now = wall();
        {
            let all = self.by_id.read().unwrap_or_else(PoisonError::into_inner);
            if all.values().filter(|share| share.tenant == tenant && share.expires > now).count()
                >= MOST_SHARES
            {
                return Err(NotShared::TooMany);
            }
        }
        let mut chance = [0; CHANCE];
        SystemRandom::new().fill(&mut chance).map_err(|_unspecified| NotShared::NoChance)?;
        let token = URL_SAFE_NO_PAD.encode(chance);
        let share = Share {
            tenant: tenant.to_owned(),
            recording: recording.to_owned(),
            created: now,
            expires: now + open_for.min(LONGEST).as_secs_f64(),
            by,
            uses: 0,
            hash: hash(&token),
        };
        self.store.commit_and_wait(put(Batch::new(), &share)).map_err(NotShared::Store)?;
        let mut all = self.by_id.write().unwrap_or_else(PoisonError::into_inner);
        all.insert(id_of(&share.hash), share.clone());
        Ok((token, share))
    }

    /// What a link leads to; none for whatever leads nowhere, after the same work. The hash is compared in a time that
    /// tells nothing of it.
    pub fn open_link(&self, token: &str, now: f64) -> Option<Share> {
        let given = hash(token);
        let all = self.by_id.read().unwrap_or_else(PoisonError::into_inner);
        let found = all.get(&id_of(&given));
        let known = found.map_or([0; 32], |share| share.hash);
        let differing = known.iter().zip(given).fold(0, |seen, (a, b)| std::hint::black_box(seen | (a ^ b)));
        found.filter(|share| differing == 0 && share.expires > now).cloned()
    }

    /// A link was opened.
    pub fn count(&self, share: &Share) {
        let mut all = self.by_id.write().unwrap_or_else(PoisonError::into_inner);
        let Some(known) = all.get_mut(&id_of(&share.hash)) else { return };
        known.uses += 1;
        let told = |result: Result<(), StoreError>| {
            if let Err(why) = result {
                tracing::warn!(%why, "how often a link was opened is not written");
            }
        };
        self.store.commit_within(put(Batch::new(), known), COUNTING, Box::new(told));
    }

    /// A tenant's links to one recording that have not ended, the newest first.
    pub fn of_recording(&self, tenant: &str, recording: &str) -> Vec<Share> {
        let now = wall();
        let all = self.by_id.read().unwrap_or_else(PoisonError::into_inner);
        let theirs =
            |share: &&Share| share.tenant == tenant && share.recording == recording && share.expires > now;
        let mut shares: Vec<Share> = all.values().filter(theirs).cloned().collect();
        shares.sort_by(|a, b| b.created.total_cmp(&a.created));
        shares
    }

    /// Takes a link back; false when the tenant has none of this id. Durable when it returns; for a thread that may wait.
    ///
    /// # Errors
    /// When it could not be written: the link is closed until the next start.
    pub fn revoke(&self, tenant: &str, id: &str) -> Result<bool, StoreError> {
        let share = {
            let mut all = self.by_id.write().unwrap_or_else(PoisonError::into_inner);
            let found = all.iter().find(|(_, share)| share.tenant == tenant && share.id() == id);
            let Some(key) = found.map(|(key, _)| *key) else { return Ok(false) };
            all.remove(&key)
        };
        if let Some(share) = share {
            self.store.commit_and_wait(Batch::new().delete(layout::share(tenant, &share.hash)))?;
        }
        Ok(true)
    }

    /// Forgets those that have ended. For a thread that may wait.
    pub fn sweep(&self) {
        let now = wall();
        let mut all = self.by_id.write().unwrap_or_else(PoisonError::into_inner);
        let ended: Vec<Share> =
            all.extract_if(.., |_, share| share.expires <= now).map(|(_, share)| share).collect();
        drop(all);
        if ended.is_empty() {
            return;
        }
        let batch = ended
            .iter()
            .fold(Batch::new(), |batch, share| batch.delete(layout::share(&share.tenant, &share.hash)));
        if let Err(why) = self.store.commit_and_wait(batch) {
            tracing::warn!(%why, "links that have ended stay for now");
        }
    }
}

fn put(batch: Batch, share: &Share) -> Batch {
    let value = serde_json::to_vec(share).expect("plain data has a JSON form");
    batch.put(layout::share(&share.tenant, &share.hash), value)
}

fn hash(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

fn id_of(hash: &[u8; 32]) -> [u8; ID] {
    let mut id = [0; ID];
    id.copy_from_slice(&hash[..ID]);
    id
}

#[cfg(test)]
mod tests {
    use super::*;
    use store::Options;

    const HOUR: Duration = Duration::from_secs(3600);

    #[test]
    fn a_link_opens_until_it_ends_or_is_taken_back_and_survives_a_restart() {
        let folder = tempfile::tempdir().expect("a folder");
        let open = || {
            let store = Store::open(folder.path(), &Options::default()).expect("a store");
            Shares::open(store).expect("links")
        };
        let shares = open();
        let (token, share) = shares.share("acme", "r-1", HOUR, "ana".into()).expect("a link");
        let (other, _) = shares.share("acme", "r-1", HOUR, "ana".into()).expect("another");
        assert!(URL_SAFE_NO_PAD.decode(&token).expect("base64url").len() * 8 >= 128, "bits of chance");
        assert_ne!(token, other);
        assert_eq!(shares.open_link(&token, wall()).as_ref(), Some(&share));
        shares.count(&share);
        drop(shares); // the store commits what waits before it closes

        let shares = open();
        assert_eq!(shares.open_link(&token, wall()).map(|share| share.uses), Some(1));
        assert_eq!(shares.open_link(&token, wall() + 3601.0), None, "it has ended");
        assert!(!shares.revoke("other", &share.id()).expect("looked up"), "no tenant sees into another");
        assert!(shares.revoke("acme", &share.id()).expect("revoked"));
        assert_eq!(shares.open_link(&token, wall()), None);
        assert_eq!(shares.of_recording("acme", "r-1").len(), 1);
        assert!(shares.open_link(&other, wall()).is_some());
        drop(shares);
        assert_eq!(open().open_link(&token, wall()), None, "for good");
    }

    #[test]
    fn what_was_guessed_leads_nowhere() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = Store::open(folder.path(), &Options::default()).expect("a store");
        let shares = Shares::open(store).expect("links");
        let (token, share) = shares.share("acme", "r-1", HOUR, "ana".into()).expect("a link");
        let mut near = token.clone().into_bytes();
        near[5] = if near[5] == b'A' { b'B' } else { b'A' };
        let near = String::from_utf8(near).expect("ASCII");
        for guess in ["", "x", &near, &share.id(), &format!("{token}="), &token.to_lowercase()] {
            assert_eq!(shares.open_link(guess, wall()), None, "{guess:?}");
        }
        // What is on the disk does not hold the link.
        let row = serde_json::to_string(&share).expect("JSON");
        assert!(!row.contains(&token));
    }
}
