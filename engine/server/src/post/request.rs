//! What goes over HTTP: webhooks, chats, and text messages unless a centre takes them ([`super::smpp`]). Redirects are not followed, since headers may hold a secret,
//! and of an answer a few bytes are read, for the reason of a refusal.

use std::time::Duration;

use futures_util::StreamExt as _;
use notices::{Escape, webhook};
use outbox::Report;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use reqwest::{Client, RequestBuilder, Response};

use super::delivery::{Delivery, later};
use super::smpp::Centres;
use crate::config::{HttpTemplate, SmsService};
use crate::events::wall_millis;

/// For the whole exchange; Standard Webhooks asks senders for 15 to 30 s.
const PATIENCE: Duration = Duration::from_secs(15);
/// Of a refusal, quoted in the dead letter.
const LONGEST_REASON: usize = 300;
/// A longer wait that the other side asks for is cut to this.
const LONGEST_WAIT: u64 = 3_600;

/// Asks over HTTP.
pub(super) struct Requests {
    client: Option<Client>,
    centres: Centres,
}

impl Requests {
    pub fn new() -> Self {
        let client = Client::builder()
            .timeout(PATIENCE)
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("strowger/", env!("CARGO_PKG_VERSION")))
            .build();
        let client = client.inspect_err(|why| tracing::error!(%why, "nothing can be sent over HTTP"));
        Self { client: client.ok(), centres: Centres::default() }
    }

    pub async fn webhook(&self, delivery: &Delivery<'_>) -> Report {
        let Some(hook) = &delivery.recipient.webhook else {
            return Report::Refused(format!("{} has no webhook any more", delivery.recipient.name));
        };
        let Some((occasion, facts)) = delivery.notices.first() else {
            return Report::Refused("it tells nothing".to_owned());
        };
        let id = delivery.id.to_string();
        let tenant = &delivery.tenant.name;
        let body =
            webhook::cloud_event(&id, tenant, occasion.name(), &facts.call, delivery.written, delivery.facts);
        let timestamp = (wall_millis() / 1000) as i64;
        let sending = |client: &Client| {
            let request = client
                .post(&hook.url)
                .header(CONTENT_TYPE, webhook::CONTENT_TYPE)
                .header("webhook-id", &id)
                .header("webhook-timestamp", timestamp);
            let request = match &hook.secrets[..] {
                [] => request,
                secrets => {
                    request.header("webhook-signature", webhook::signature(secrets, &id, timestamp, &body))
                }
            };
            request.body(body.clone())
        };
        self.send(sending).await
    }

    pub async fn sms(&self, delivery: &Delivery<'_>) -> Report {
        let Some((service, to)) = delivery.tenant.notify.sms.as_ref().zip(delivery.recipient.sms.as_ref())
        else {
            return Report::Refused(format!("{} gets no text messages any more", delivery.recipient.name));
        };
        match &**service {
            SmsService::Twilio { base, account, token, from } => {
                let url = format!("{base}/2010-04-01/Accounts/{account}/Messages.json");
                let form = [("To", to.as_str()), ("From", from), ("Body", &text(delivery))];
                let form =
                    form.map(|(name, value)| format!("{name}={}", Escape::Percent.of(value))).join("&");
                let sending = |client: &Client| {
                    client
                        .post(&url)
                        .basic_auth(account, Some(token.expose()))
                        .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
                        .body(form.clone())
                };
                self.send(sending).await
            }
            SmsService::Smpp(centre) => {
                // Parts of one message are told from those of another by a byte.
                let reference = delivery.id.number as u8 ^ delivery.id.call.0 as u8;
                self.centres.send(&delivery.tenant.name, centre, to, &text(delivery), reference).await
            }
            SmsService::Http(http) => self.template(delivery, http, to).await,
        }
    }

    pub async fn chat(&self, delivery: &Delivery<'_>) -> Report {
        match &delivery.recipient.chat {
            Some(chat) => self.template(delivery, chat, "").await,
            None => Report::Refused(format!("{} has no chat any more", delivery.recipient.name)),
        }
    }

    async fn template(&self, delivery: &Delivery<'_>, http: &HttpTemplate, to: &str) -> Report {
        let words = delivery.words();
        let value = |field: &str| match field {
            "to" => to.to_owned(),
            "key" => delivery.id.to_string(),
            "tenant" => delivery.tenant.name.to_string(),
            "text" => text(delivery),
            other => words.field(other, delivery.notices),
        };
        let escape = match http.content_type.split(';').next().unwrap_or_default().trim() {
            kind if kind.ends_with("json") => Escape::Json,
            "application/x-www-form-urlencoded" => Escape::Percent,
            _ => Escape::Plain,
        };
        let (url, body) = (http.url.fill(Escape::Percent, value), http.body.fill(escape, value));
        let mut headers = HeaderMap::new();
        for (name, secret) in &http.headers {
            let read =
                HeaderName::try_from(name.as_str()).ok().zip(HeaderValue::try_from(secret.expose()).ok());
            let Some((name, mut secret)) = read else { continue };
            secret.set_sensitive(true);
            headers.insert(name, secret);
        }
        let sending = |client: &Client| {
            client
                .post(&url)
                .header(CONTENT_TYPE, &http.content_type)
                .header("idempotency-key", delivery.id.to_string())
                .headers(headers)
                .body(body)
        };
        self.send(sending).await
    }

    async fn send(&self, request: impl FnOnce(&Client) -> RequestBuilder) -> Report {
        let Some(client) = &self.client else { return later("there is no HTTP client") };
        match request(client).send().await {
            Ok(response) => report(response).await,
            Err(why) if why.is_timeout() => later("no whole answer within the time"),
            // The address may hold a secret, and is known from the configuration.
            Err(why) => later(&reason(why.without_url())),
        }
    }
}

/// The words of a text message or a chat.
fn text(delivery: &Delivery<'_>) -> String {
    let words = delivery.words();
    match (&delivery.recipient.text, delivery.notices) {
        (Some(own), [_]) => {
            let tenant = &delivery.tenant.name;
            let value = |field: &str| match field {
                "tenant" => tenant.to_string(),
                "key" => delivery.id.to_string(),
                other => words.field(other, delivery.notices),
            };
            own.fill(Escape::Plain, value)
        }
        _ => words.line(delivery.notices),
    }
}

/// What a status means: 2xx took it; a status that speaks of the letter itself is for good; everything else, 5xx and
/// what a person repairs at the other side, may change.
async fn report(response: Response) -> Report {
    let status = response.status();
    if status.is_success() {
        return Report::Delivered;
    }
    let after =
        response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    let said = beginning(response).await;
    let why = format!("{status} {said}").trim_end().to_owned();
    match status.as_u16() {
        400 | 405 | 406 | 410 | 411 | 413 | 414 | 415 | 422 => Report::Refused(why),
        _ => Report::Failed { why, after: after.map(|seconds| seconds.min(LONGEST_WAIT) * 1_000) },
    }
}

/// The first bytes of an answer, on one line.
async fn beginning(response: Response) -> String {
    let mut bytes = Vec::new();
    let mut body = response.bytes_stream();
    while let Some(Ok(part)) = body.next().await {
        bytes.extend_from_slice(&part);
        if bytes.len() >= LONGEST_REASON {
            break;
        }
    }
    let text = String::from_utf8_lossy(&bytes).into_owned();
    text.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(LONGEST_REASON).collect()
}

fn reason(why: reqwest::Error) -> String {
    let mut said = why.to_string();
    let mut cause = std::error::Error::source(&why);
    while let Some(inner) = cause {
        said.push_str(&format!(": {inner}"));
        cause = inner.source();
    }
    said
}
