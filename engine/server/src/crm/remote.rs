//! A CRM outside, asked and told over HTTP by its [`Plan`]. A look-up has one deadline for all its requests, what it found
//! is good for a stated time, and a CRM that fails again and again, or asks for a pause (RFC 6585 §4, RFC 9110 §10.2.3), is
//! left alone for a while: then nobody waits for it. Redirects are not followed, since headers hold a secret, and of an
//! answer at most [`MOST_BYTES`] are read.

mod kept;
mod oauth;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use exchange::{Contact, Failure};
use futures_util::StreamExt as _;
use notices::Escape;
use outbox::Report;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use reqwest::{Client, RequestBuilder, Response, StatusCode};
use serde_json::Value;
use store::Store;

use super::number::{Digits, choose};
use super::plan::{Ask, Body, Method, Plan, Pointer, Tell, Text, Values};
use crate::config::Secret;

pub use oauth::Grant;
use oauth::Tokens;

/// Bytes of one answer; a larger one is a failure.
pub const MOST_BYTES: usize = 256 << 10;
/// Look-ups that are remembered; at the bound all are forgotten.
const MOST_REMEMBERED: usize = 10_000;
/// Failures in a row after which it is left alone.
const FAILURES_TO_REST: u32 = 3;
/// How long the first time; it doubles with each failure after.
const FIRST_REST: Duration = Duration::from_secs(5);
const LONGEST_REST: Duration = Duration::from_secs(60);
/// A longer pause that it asks for is cut to this.
const LONGEST_PAUSE: Duration = Duration::from_secs(3600);
/// For one request that tells something; nobody waits for it.
const PATIENCE: Duration = Duration::from_secs(15);
/// Hits of one answer that are looked at.
const MOST_HITS: usize = 100;
/// Characters of a refusal that are quoted.
const LONGEST_REASON: usize = 300;

/// A CRM outside.
pub struct Remote {
    settings: Settings,
    headers: HeaderMap,
    tokens: Option<Arc<Tokens>>,
    client: Client,
    state: Mutex<Condition>,
}

/// What the configuration says of it.
#[derive(Debug, Clone)]
pub struct Settings {
    /// How it is asked.
    pub plan: Plan,
    /// Where its paths begin, without "/" at the end; may hold a secret.
    pub url: Secret,
    /// Names and values.
    pub headers: Vec<(String, Secret)>,
    /// Tokens that end, in place of one in a header.
    pub oauth: Option<Grant>,
    /// A look-up takes so long at most.
    pub timeout: Duration,
    /// What was found is good for so long.
    pub cache: Duration,
    /// Users, and what the CRM calls them. Where there are none they have the same names.
    pub owners: Vec<(String, String)>,
    /// Where a call's recording is to be heard, with `{call}`.
    pub recordings: Option<Text>,
}

/// Who was found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Found {
    /// As scripts see it; the owner is a user's name.
    pub contact: Contact,
    /// Their open deal's id.
    pub deal: Option<String>,
}

#[derive(Default)]
struct Condition {
    remembered: HashMap<String, (Instant, Option<Found>)>,
    failures: u32,
    rests_until: Option<Instant>,
}

/// Why there is no answer.
#[derive(Debug)]
enum NoAnswer {
    /// It asks for a pause.
    Busy(Duration),
    /// Anything else, in words.
    Failed(String),
}

impl std::fmt::Debug for Remote {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Remote").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl Remote {
    /// Ready to be asked; nothing is sent yet.
    ///
    /// # Errors
    /// A header that is none, or no HTTP at all.
    pub fn new(settings: Settings) -> Result<Self, String> {
        let mut headers = HeaderMap::new();
        for (name, secret) in &settings.headers {
            let wrong = || format!("\"{name}\" is no header, or its value can't stand in one");
            let name = HeaderName::try_from(name.as_str()).map_err(|_| wrong())?;
            let mut value = HeaderValue::try_from(secret.expose()).map_err(|_| wrong())?;
            value.set_sensitive(true);
            headers.append(name, value);
        }
        let client = Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .timeout(PATIENCE)
            .user_agent(concat!("strowger/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|why| why.to_string())?;
        let tokens = settings.oauth.clone().map(|grant| Arc::new(Tokens::new(grant)));
        Ok(Self { settings, headers, tokens, client, state: Mutex::default() })
    }

    /// From now on a token that the CRM replaces outlives the process.
    pub fn keep_token(&self, store: &Store, tenant: &str) {
        if let Some(tokens) = &self.tokens {
            tokens.keep_in(store, tenant);
        }
    }

    /// How it is asked.
    pub fn plan(&self) -> &Plan {
        &self.settings.plan
    }

    /// Scheme and host: what is told in one place for all that goes there.
    pub fn destination(&self) -> String {
        let url = reqwest::Url::parse(self.settings.url.expose()).ok();
        url.map(|url| url.origin().ascii_serialization()).unwrap_or_default()
    }

    /// Where a call's recording is to be heard.
    pub fn recording(&self, call: &str) -> Option<String> {
        self.settings.recordings.as_ref()?.fill(Escape::Percent, &Values::from([("call", call.to_owned())]))
    }

    /// What the CRM calls a user.
    pub fn name_there(&self, user: &str) -> Option<String> {
        if self.settings.owners.is_empty() {
            return Some(user.to_owned());
        }
        let found = self.settings.owners.iter().find(|(known, _)| known == user);
        found.map(|(_, there)| there.clone())
    }

    fn user_of(&self, there: String) -> Option<String> {
        if self.settings.owners.is_empty() {
            return Some(there);
        }
        let found = self.settings.owners.iter().find(|(_, known)| *known == there);
        found.map(|(user, _)| user.clone())
    }

    /// What an earlier look-up found, however long ago: what a call's end says of its caller need not be asked again.
    pub fn remembered(&self, number: &str) -> Option<Found> {
        self.remembered_within(number, Duration::MAX)?
    }

    fn remembered_within(&self, number: &str, age: Duration) -> Option<Option<Found>> {
        let digits = Digits::read(number)?;
        let state = self.lock();
        let (at, found) = state.remembered.get(digits.as_str())?;
        (at.elapsed() < age).then(|| found.clone())
    }

    /// Who has a number. Takes no longer than the deadline.
    ///
    /// # Errors
    /// `timed-out`, `unreachable` while it is left alone, and else in words.
    pub async fn find(&self, number: &str) -> Result<Option<Found>, Failure> {
        let Some(digits) = Digits::read(number) else { return Ok(None) };
        if let Some(found) = self.remembered_within(number, self.settings.cache) {
            return Ok(found);
        }
        if self.lock().rests_until.is_some_and(|until| Instant::now() < until) {
            return Err(Failure::Unreachable);
        }
        let asked = tokio::time::timeout(self.settings.timeout, self.look_up(number, &digits)).await;
        let mut state = self.lock();
        match asked {
            Ok(Ok(found)) => {
                state.failures = 0;
                state.rests_until = None;
                if state.remembered.len() >= MOST_REMEMBERED {
                    state.remembered.clear();
                }
                state.remembered.insert(digits.as_str().to_owned(), (Instant::now(), found.clone()));
                Ok(found)
            }
            Ok(Err(NoAnswer::Busy(pause))) => {
                state.rests_until = Some(Instant::now() + pause);
                Err(Failure::Limit("crm".to_owned()))
            }
            Ok(Err(NoAnswer::Failed(why))) => {
                state.failed();
                tracing::warn!(crm = self.destination(), why, "the CRM does not say who calls");
                Err(Failure::Other(why))
            }
            Err(_) => {
                state.failed();
                tracing::warn!(crm = self.destination(), "the CRM does not answer in time");
                Err(Failure::TimedOut)
            }
        }
    }

    async fn look_up(&self, number: &str, digits: &Digits) -> Result<Option<Found>, NoAnswer> {
        let plan = &self.settings.plan;
        let Some(find) = &plan.find else { return Ok(None) };
        let mut values = of_number(number, digits);
        let Some(answer) = self.ask(find, &values).await? else { return Ok(None) };
        let listed = hits(find, &answer);
        let Some(hit) = right(find, &listed, digits) else { return Ok(None) };
        let mut found = Found::default();
        let mut owner = read(find, hit, &mut found);
        if let Some(more) = &plan.contact {
            values.insert("contact", found.contact.id.clone());
            let Some(answer) = self.ask(more, &values).await? else { return Ok(None) };
            let listed = hits(more, &answer);
            let Some(hit) = right(more, &listed, digits) else { return Ok(None) };
            owner = read(more, hit, &mut found).or(owner);
        }
        values.insert("contact", found.contact.id.clone());
        values.insert("deal", found.deal.take().unwrap_or_default());
        // A deal's answer speaks of the deal alone.
        if let Some(ask) = &plan.deal
            && let Some(answer) = self.ask(ask, &values).await?
            && let Some(deal) = hits(ask, &answer).first()
        {
            let text = |pointer: &Option<Pointer>| pointer.as_ref().and_then(|pointer| pointer.text(deal));
            owner = text(&ask.owner).or(owner);
            found.deal = text(&ask.id);
            let fields = [("deal", text(&ask.title)), ("deal-id", found.deal.clone())];
            let known = fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
            found.contact.fields.extend(known);
        }
        found.contact.owner = owner.and_then(|there| self.user_of(there));
        Ok(Some(found))
    }

    /// Asks one question; none when it says that there is nothing, or something that the question needs is not known.
    async fn ask(&self, ask: &Ask, values: &Values) -> Result<Option<Value>, NoAnswer> {
        let Some(path) = ask.path.path(values) else { return Ok(None) };
        let answer =
            self.send(ask.method, &path, ask.body.as_ref(), values, None).await.map_err(NoAnswer::Failed)?;
        let status = answer.status();
        if matches!(status, StatusCode::NOT_FOUND | StatusCode::NO_CONTENT) {
            return Ok(None);
        }
        if status == StatusCode::TOO_MANY_REQUESTS || status == StatusCode::SERVICE_UNAVAILABLE {
            return Err(NoAnswer::Busy(pause(&answer).unwrap_or(FIRST_REST)));
        }
        if !status.is_success() {
            return Err(NoAnswer::Failed(format!("it answers {status}")));
        }
        let body = all(answer).await.map_err(NoAnswer::Failed)?;
        let value = serde_json::from_slice(&body)
            .map_err(|_| NoAnswer::Failed("it answers with something else than JSON".to_owned()))?;
        self.fault(&value).map_or(Ok(Some(value)), |why| Err(NoAnswer::Failed(why)))
    }

    /// What an answer says that went wrong, where its status says that all is well.
    fn fault(&self, answer: &Value) -> Option<String> {
        let pointer = self.settings.plan.error.as_ref()?;
        let told: Vec<_> = pointer.all(answer).into_iter().filter(|value| !value.is_null()).collect();
        (!told.is_empty()).then(|| {
            let words = told.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
            format!("it answers with an error: {}", quoted(&words))
        })
    }

    /// Tells it something once. `key`: by which a repetition can be known. Answers how it went, and what it calls what was
    /// made.
    pub async fn tell(&self, tell: &Tell, values: &Values, key: &str) -> (Report, Option<String>) {
        let later = |why: String, after: Option<Duration>| {
            (Report::Failed { why, after: after.map(|pause| pause.as_millis() as u64) }, None)
        };
        let unknown = |field: &String| values.get(field.as_str()).is_none_or(String::is_empty);
        if tell.needs.as_ref().is_some_and(unknown) {
            return (Report::Delivered, None);
        }
        let Some(path) = tell.path.path(values) else {
            return (Report::Refused("what its address names is not known".to_owned()), None);
        };
        let answer = match self.send(tell.method, &path, tell.body.as_ref(), values, Some(key)).await {
            Ok(answer) => answer,
            Err(why) => return later(why, None),
        };
        let (status, pause) = (answer.status(), pause(&answer));
        let body = all(answer).await;
        if status.is_success() {
            let value: Value =
                body.ok().and_then(|body| serde_json::from_slice(&body).ok()).unwrap_or_default();
            // Whether it may go better the next time can't be read from the words.
            if let Some(why) = self.fault(&value) {
                return later(why, None);
            }
            return (Report::Delivered, tell.id.as_ref().and_then(|id| id.text(&value)));
        }
        let said = String::from_utf8_lossy(&body.unwrap_or_default()).into_owned();
        let why = format!("{status} {}", quoted(&said));
        match status.as_u16() {
            400 | 404 | 405 | 406 | 410 | 411 | 413 | 414 | 415 | 422 => (Report::Refused(why), None),
            _ => later(why, pause),
        }
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<&Body>,
        values: &Values,
        key: Option<&str>,
    ) -> Result<Response, String> {
        let method = match method {
            Method::Get => reqwest::Method::GET,
            Method::Post => reqwest::Method::POST,
            Method::Put => reqwest::Method::PUT,
            Method::Patch => reqwest::Method::PATCH,
        };
        let url = format!("{}{path}", self.settings.url.expose());
        let mut request = self.client.request(method, url).headers(self.headers.clone());
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        if let Some(body) = body.and_then(|body| body.fill(values)) {
            request = request.header(CONTENT_TYPE, "application/json").body(body.to_string());
        }
        let Some(tokens) = &self.tokens else { return request.send().await.map_err(reason) };
        let again = request.try_clone();
        let token = tokens.good(&self.client).await?;
        let answer = self.signed(request, &token)?.send().await.map_err(reason)?;
        let (StatusCode::UNAUTHORIZED, Some(again)) = (answer.status(), again) else { return Ok(answer) };
        // It ended before its time, or its time was never told.
        tokens.refused(&token).await;
        let token = tokens.good(&self.client).await?;
        self.signed(again, &token)?.send().await.map_err(reason)
    }

    fn signed(&self, request: RequestBuilder, token: &Secret) -> Result<RequestBuilder, String> {
        let auth = self.settings.plan.auth.as_deref().unwrap_or("Authorization: Bearer {token}");
        let (name, value) = auth.split_once(": ").unwrap_or(("Authorization", auth));
        let mut value = HeaderValue::try_from(value.replace("{token}", token.expose()))
            .map_err(|_| "its token can't stand in a header".to_owned())?;
        value.set_sensitive(true);
        Ok(request.header(name, value))
    }

    /// A word of the plan's for a value of ours.
    pub fn word(&self, field: &str, value: &str) -> String {
        let words = self.settings.plan.words.get(field);
        let word = words.and_then(|words| words.get(value).or_else(|| words.get("*")));
        word.cloned().unwrap_or_else(|| value.to_owned())
    }

    fn lock(&self) -> MutexGuard<'_, Condition> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Condition {
    fn failed(&mut self) {
        self.failures += 1;
        if let Some(more) = self.failures.checked_sub(FAILURES_TO_REST) {
            let rest = FIRST_REST.saturating_mul(2u32.saturating_pow(more)).min(LONGEST_REST);
            self.rests_until = Some(Instant::now() + rest);
        }
    }
}

/// The ways in which a number may be looked for.
fn of_number(number: &str, digits: &Digits) -> Values {
    let all = digits.as_str();
    // Nine digits behind the zero is how most countries write theirs; what is found is compared in any case.
    let tail = &all[all.len().saturating_sub(9)..];
    Values::from([
        ("number", number.to_owned()),
        ("digits", all.to_owned()),
        ("last", digits.suffix().to_owned()),
        ("national", if all.len() > 9 { format!("0{tail}") } else { all.to_owned() }),
    ])
}

/// What an answer lists, without what is to be passed over.
fn hits<'v>(ask: &Ask, answer: &'v Value) -> Vec<&'v Value> {
    let listed = ask.items.all(answer).into_iter().flat_map(|listed| match listed {
        Value::Array(items) => items.iter().collect(),
        Value::Null => Vec::new(),
        one => vec![one],
    });
    let passed_over = |hit: &&Value| {
        ask.unless.as_ref().is_some_and(|there| there.all(hit).into_iter().any(|value| !value.is_null()))
    };
    listed.filter(|hit| !passed_over(hit)).take(MOST_HITS).collect()
}

/// The hit that has the number: the first one where hits say no numbers.
fn right<'v>(ask: &Ask, hits: &[&'v Value], digits: &Digits) -> Option<&'v Value> {
    if ask.numbers.is_empty() {
        return hits.first().copied();
    }
    let numbers = |(nth, hit): (usize, &&Value)| {
        let texts = ask.numbers.texts(hit).into_iter();
        texts.filter_map(move |text| Some((Digits::read(&text)?, nth))).collect::<Vec<_>>()
    };
    let near: Vec<_> = hits.iter().enumerate().flat_map(numbers).collect();
    choose(digits, &near).map(|nth| hits[*nth])
}

/// Reads what a hit says of the contact; answers the owner as the CRM names them.
fn read(ask: &Ask, hit: &Value, found: &mut Found) -> Option<String> {
    let text = |pointer: &Option<Pointer>| pointer.as_ref().and_then(|pointer| pointer.text(hit));
    if let Some(id) = text(&ask.id) {
        found.contact.id = id;
    }
    let name = ask.name.texts(hit).join(" ");
    if !name.is_empty() {
        found.contact.name = name;
    }
    found.contact.company = text(&ask.company).or(found.contact.company.take());
    found.deal = text(&ask.deal).or(found.deal.take());
    let fields = ask.fields.iter().filter_map(|(name, pointer)| Some((name.clone(), pointer.text(hit)?)));
    found.contact.fields.extend(fields);
    text(&ask.owner)
}

/// All of an answer.
async fn all(answer: Response) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let mut body = answer.bytes_stream();
    while let Some(part) = body.next().await {
        bytes.extend_from_slice(&part.map_err(reason)?);
        if bytes.len() > MOST_BYTES {
            return Err(format!("its answer has more than {MOST_BYTES} bytes"));
        }
    }
    Ok(bytes)
}

/// The beginning of what a CRM says, in one line.
fn quoted(said: &str) -> String {
    said.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(LONGEST_REASON).collect()
}

fn pause(answer: &Response) -> Option<Duration> {
    let seconds = answer.headers().get(RETRY_AFTER)?.to_str().ok()?.parse().ok()?;
    Some(Duration::from_secs(seconds).min(LONGEST_PAUSE))
}

/// The address may hold a secret, and is known from the configuration.
fn reason(why: reqwest::Error) -> String {
    let why = why.without_url();
    let cause = std::error::Error::source(&why).map(|inner| format!(": {inner}"));
    format!("{why}{}", cause.unwrap_or_default())
}

#[cfg(test)]
mod tests;
