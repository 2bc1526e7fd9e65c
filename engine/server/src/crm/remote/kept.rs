//! The refresh token that a CRM gave in the place of the configured one (RFC 6749 §6), in the store, so that it outlives
//! `kill -9`. It is sealed with a key that is made of what the configuration says, the client's password and its own refresh
//! token: a copy of the store alone opens no CRM, and when either is configured anew what was kept can't be read any more and
//! the configured one counts.

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hmac;
use ring::rand::{SecureRandom as _, SystemRandom};
use store::{Batch, Store, StoreError, layout};
use tokio::sync::oneshot;

use super::Grant;
use crate::config::Secret;

/// In front of the row, so that another form can be told apart later.
const FORM: u8 = 1;
/// What the key is for, so that the same secrets never make it for anything else.
const PURPOSE: &[u8] = b"strowger: the refresh token of a CRM";

/// Where the token of one tenant is kept.
pub struct Kept {
    store: Store,
    tenant: String,
    key: LessSafeKey,
}

impl std::fmt::Debug for Kept {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Kept").field("tenant", &self.tenant).finish_non_exhaustive()
    }
}

impl Kept {
    /// `configured`: the refresh token of the configuration.
    pub fn new(store: Store, tenant: &str, grant: &Grant, configured: &Secret) -> Self {
        let mut seed = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, PURPOSE));
        for part in [&*grant.url, &grant.client, grant.secret.expose(), configured.expose()] {
            seed.update(&(part.len() as u64).to_be_bytes());
            seed.update(part.as_bytes());
        }
        let key = UnboundKey::new(&AES_256_GCM, seed.sign().as_ref()).expect("a hash of 32 bytes is a key");
        Self { store, tenant: tenant.to_owned(), key: LessSafeKey::new(key) }
    }

    /// The token that was kept under this configuration. A store that can't be read is told.
    pub fn read(&self) -> Option<Secret> {
        let row = self.store.get(&layout::token(&self.tenant));
        let row = row.inspect_err(|why| self.tell("can't be read", why)).ok()??;
        let (nonce, sealed) = row.strip_prefix(&[FORM])?.split_first_chunk::<NONCE_LEN>()?;
        let mut sealed = sealed.to_vec();
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let opened = self.key.open_in_place(nonce, Aad::from(self.tenant.as_bytes()), &mut sealed).ok()?;
        String::from_utf8(opened.to_vec()).ok().map(Secret::new)
    }

    /// Keeps a token; durable when it returns. Where that fails it is told, and the token is good until the process ends.
    pub async fn write(&self, token: &Secret) {
        let mut nonce = [0; NONCE_LEN];
        let mut sealed = token.expose().as_bytes().to_vec();
        let drawn = SystemRandom::new().fill(&mut nonce);
        let tag = drawn.and_then(|()| {
            let aad = Aad::from(self.tenant.as_bytes());
            self.key.seal_in_place_separate_tag(Nonce::assume_unique_for_key(nonce), aad, &mut sealed)
        });
        let Ok(tag) = tag else {
            tracing::error!(tenant = self.tenant, "a CRM's refresh token can't be sealed and is not kept");
            return;
        };
        let row = [&[FORM], &nonce[..], &sealed, tag.as_ref()].concat();
        let (told, hears) = oneshot::channel();
        let batch = Batch::new().put(layout::token(&self.tenant), row);
        self.store.commit(batch, Box::new(move |result| drop(told.send(result))));
        if let Err(why) = hears.await.unwrap_or(Err(StoreError::Closed)) {
            self.tell("is lost with the next start", &why);
        }
    }

    fn tell(&self, what: &str, why: &StoreError) {
        tracing::error!(tenant = self.tenant, %why, "the refresh token that a CRM gave {what}");
    }
}
