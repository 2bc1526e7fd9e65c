//! Access tokens that end, and are renewed (RFC 6749): by a refresh token (§6), or by the client's own credentials (§4.4).
//! One renewal at a time, before the end that was told or when a token is refused. A refresh token that the CRM replaces with
//! each renewal is kept ([`super::kept`]), before anything is asked with what came with it.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use reqwest::{Client, StatusCode};
use serde::Deserialize;
use serde_json::Value;
use store::Store;
use tokio::sync::Mutex;

use super::kept::Kept;
use super::{all, quoted, reason};
use crate::config::Secret;

/// So long before its end a token is renewed.
const AHEAD: Duration = Duration::from_secs(60);

/// Where tokens come from, and in whose name.
#[derive(Debug, Clone)]
pub struct Grant {
    /// The token endpoint (§3.2).
    pub url: String,
    /// The client's identifier.
    pub client: String,
    /// The client's password.
    pub secret: Secret,
    /// None: the client's own credentials are enough.
    pub refresh: Option<Secret>,
}

/// The token of one CRM.
#[derive(Debug)]
pub struct Tokens {
    grant: Grant,
    now: Mutex<Now>,
    /// Where a refresh token goes that is not the configured one; in memory alone until it is said.
    kept: OnceLock<Kept>,
}

#[derive(Debug, Default)]
struct Now {
    token: Option<Secret>,
    ends: Option<Instant>,
    /// None until it was looked for.
    refresh: Option<Secret>,
}

/// §5.1.
#[derive(Deserialize)]
struct Issued {
    access_token: String,
    expires_in: Option<f64>,
    refresh_token: Option<String>,
}

impl Tokens {
    pub fn new(grant: Grant) -> Self {
        Self { grant, now: Mutex::default(), kept: OnceLock::new() }
    }

    /// From now on a refresh token that replaces the configured one outlives the process.
    pub fn keep_in(&self, store: &Store, tenant: &str) {
        if let Some(configured) = &self.grant.refresh {
            self.kept.get_or_init(|| Kept::new(store.clone(), tenant, &self.grant, configured));
        }
    }

    /// One that is good, as far as is known.
    ///
    /// # Errors
    /// In words: the endpoint does not answer, or gives none.
    pub async fn good(self: &Arc<Self>, client: &Client) -> Result<Secret, String> {
        // Whoever asks may give up within a deadline; what the endpoint gave by then must be kept all the same.
        let (tokens, client) = (self.clone(), client.clone());
        let asking = tokio::spawn(async move { tokens.known_or_new(&client).await });
        asking.await.unwrap_or_else(|why| Err(why.to_string()))
    }

    async fn known_or_new(&self, client: &Client) -> Result<Secret, String> {
        let mut now = self.now.lock().await;
        let ended = now.ends.is_some_and(|ends| Instant::now() >= ends);
        if let Some(token) = now.token.clone().filter(|_| !ended) {
            return Ok(token);
        }
        if now.refresh.is_none() {
            now.refresh = self.kept.get().and_then(Kept::read).or_else(|| self.grant.refresh.clone());
        }
        let issued = self.renew(client, now.refresh.as_ref()).await?;
        let life = issued.expires_in.and_then(|life| Duration::try_from_secs_f64(life).ok());
        now.ends = life.map(|life| Instant::now() + life.saturating_sub(AHEAD).max(life / 2));
        let next = issued.refresh_token.filter(|next| !next.is_empty()).map(Secret::new);
        if let Some(next) = next.filter(|next| now.refresh.as_ref() != Some(next)) {
            match self.kept.get() {
                Some(kept) => kept.write(&next).await,
                None => tracing::debug!(url = self.grant.url, "a refresh token that nobody keeps"),
            }
            now.refresh = Some(next);
        }
        let token = Secret::new(issued.access_token);
        now.token = Some(token.clone());
        Ok(token)
    }

    /// It was refused: the next one is asked for, unless that has been done meanwhile.
    pub async fn refused(&self, token: &Secret) {
        let mut now = self.now.lock().await;
        if now.token.as_ref() == Some(token) {
            now.token = None;
        }
    }

    async fn renew(&self, client: &Client, refresh: Option<&Secret>) -> Result<Issued, String> {
        let mut form =
            vec![("client_id", &*self.grant.client), ("client_secret", self.grant.secret.expose())];
        match refresh {
            Some(refresh) => {
                form.extend([("grant_type", "refresh_token"), ("refresh_token", refresh.expose())])
            }
            None => form.push(("grant_type", "client_credentials")),
        }
        let answer = client.post(&self.grant.url).form(&form).send().await.map_err(reason)?;
        let status = answer.status();
        let body = all(answer).await?;
        if status == StatusCode::OK
            && let Ok(issued) = serde_json::from_slice::<Issued>(&body)
        {
            return Ok(issued);
        }
        // §5.2 has the reason in two members; anything else may hold a secret.
        let told: Value = serde_json::from_slice(&body).unwrap_or_default();
        let words = ["error", "error_description"].map(|name| told[name].as_str().unwrap_or_default());
        Err(format!("it gives no token: {status} {}", quoted(&words.join(" "))))
    }
}
