//! Access tokens that end, and are renewed (RFC 6749): by a refresh token (§6), or by the client's own credentials (§4.4).
//! One renewal at a time, before the end that was told or when a token is refused. A refresh token that the CRM replaces with
//! each renewal is kept in memory alone: such a CRM is to be asked with a token that lasts.

use std::time::{Duration, Instant};

use reqwest::{Client, StatusCode};
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::Mutex;

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
}

#[derive(Debug)]
struct Now {
    token: Option<Secret>,
    ends: Option<Instant>,
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
        let now = Now { token: None, ends: None, refresh: grant.refresh.clone() };
        Self { grant, now: Mutex::new(now) }
    }

    /// One that is good, as far as is known.
    ///
    /// # Errors
    /// In words: the endpoint does not answer, or gives none.
    pub async fn good(&self, client: &Client) -> Result<Secret, String> {
        let mut now = self.now.lock().await;
        let ended = now.ends.is_some_and(|ends| Instant::now() >= ends);
        if let Some(token) = now.token.clone().filter(|_| !ended) {
            return Ok(token);
        }
        let issued = self.renew(client, now.refresh.as_ref()).await?;
        let life = issued.expires_in.and_then(|life| Duration::try_from_secs_f64(life).ok());
        now.ends = life.map(|life| Instant::now() + life.saturating_sub(AHEAD).max(life / 2));
        if let Some(next) = issued.refresh_token.filter(|next| !next.is_empty()) {
            if now.refresh.as_ref().is_some_and(|known| !known.matches(&next)) {
                tracing::warn!(
                    url = self.grant.url,
                    "this CRM replaces the refresh token, and the new one is lost with the next start"
                );
            }
            now.refresh = Some(Secret::new(next));
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
