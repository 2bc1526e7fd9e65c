//! What scripts ask of servers outside: interface `http` of `wit/`. A request is made when the tenant's configuration
//! allows its server (`[tenant.http]`), the address that the name leads to may be reached, and the tenant's limits
//! leave room; a redirect is looked at as the first URL was. Everything else is the script's failure, by name.
//!
//! There is no proxy, no cookie jar, no cache and no decompression: what the script wrote goes out, what came back is
//! what it gets. Servers are believed whose certificates are issued by the Web's authorities (webpki-roots) or the tenant's.

pub mod address;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::error::Error;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use exchange::{Failure, Fetch, FetchMethod, Fetched};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue, LOCATION};
use reqwest::{Client, Method, Response, Url};

use self::address::{LookUp, NoAddress, OfMachine, Reach, Resolver};
use crate::config::{Limits, Outside};

/// A longer URL is `invalid`.
const LONGEST_URL: usize = 8192;
/// More headers are `invalid`.
const MOST_HEADERS: usize = 64;
/// More redirects are `invalid`.
const MOST_REDIRECTS: u8 = 5;
/// Connections of a tenant to one server that are kept for the next request, and for how long.
const IDLE: (usize, Duration) = (4, Duration::from_secs(30));
/// What the exchange writes itself, or what speaks of the connection and not of the request (RFC 9110 §7.6.1).
const OURS: [&str; 12] = [
    "host",
    "content-length",
    "connection",
    "keep-alive",
    "proxy-connection",
    "proxy-authenticate",
    "proxy-authorization",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "expect",
];

/// Asks servers for scripts.
pub struct Fetcher<L = OfMachine> {
    who: L,
    /// By name.
    tenants: Mutex<HashMap<Arc<str>, Arc<Line>>>,
}

/// A tenant's way out.
struct Line {
    rules: Arc<Outside>,
    reach: Reach,
    client: Client,
    count: Arc<Mutex<Count>>,
}

/// What the tenant's scripts ask at the moment.
struct Count {
    under_way: u32,
    /// The second that is being counted, and requests in it.
    second: (Instant, u32),
}

impl Default for Fetcher {
    fn default() -> Self {
        Self::with(OfMachine)
    }
}

impl<L: LookUp> Fetcher<L> {
    fn with(who: L) -> Self {
        Self { who, tenants: Mutex::default() }
    }

    /// Asks, and answers with all of the answer. `timeout` of the request is what it has; `traceparent`: sent along
    /// unless the script sends one itself (W3C Trace Context).
    ///
    /// # Errors
    /// As `fetch` of `wit/` names them.
    pub async fn fetch(
        &self,
        tenant: &Arc<str>,
        rules: &Arc<Outside>,
        limits: &Limits,
        fetch: Fetch,
        traceparent: Option<String>,
    ) -> Result<Fetched, Failure> {
        let timeout = fetch.timeout;
        let request = Request::read(fetch, limits, traceparent)?;
        let line = self.line(tenant, rules)?;
        let _under_way = UnderWay::begin(&line.count, limits, Instant::now())?;
        tokio::time::timeout(timeout, line.follow(request, limits.http_response_size))
            .await
            .unwrap_or(Err(Failure::TimedOut))
    }

    /// The tenant's, made anew when its rules are others.
    fn line(&self, tenant: &Arc<str>, rules: &Arc<Outside>) -> Result<Arc<Line>, Failure> {
        let mut tenants = self.tenants.lock().unwrap_or_else(PoisonError::into_inner);
        let known = tenants.get(tenant);
        if let Some(line) = known.filter(|line| line.rules == *rules) {
            return Ok(line.clone());
        }
        let reach = Reach::new(&rules.reach);
        let mut client = Client::builder();
        for authority in &rules.authorities {
            let read = reqwest::Certificate::from_der(authority);
            client = client.add_root_certificate(read.map_err(|why| Failure::Other(why.to_string()))?);
        }
        let client = client
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .referer(false)
            .user_agent(concat!("strowger/", env!("CARGO_PKG_VERSION")))
            .pool_max_idle_per_host(IDLE.0)
            .pool_idle_timeout(IDLE.1)
            .dns_resolver(Arc::new(Resolver(reach.clone(), self.who.clone())))
            .build()
            .map_err(|why| Failure::Other(why.to_string()))?;
        let count = known.map_or_else(|| Count::new(Instant::now()), |line| line.count.clone());
        let line = Arc::new(Line { rules: rules.clone(), reach, client, count });
        tenants.insert(tenant.clone(), line.clone());
        Ok(line)
    }
}

impl Count {
    fn new(now: Instant) -> Arc<Mutex<Self>> {
        Arc::new(Mutex::new(Self { under_way: 0, second: (now, 0) }))
    }
}

/// A request among those that the tenant has under way, until dropped.
struct UnderWay(Arc<Mutex<Count>>);

impl UnderWay {
    fn begin(count: &Arc<Mutex<Count>>, limits: &Limits, now: Instant) -> Result<Self, Failure> {
        let mut counted = count.lock().unwrap_or_else(PoisonError::into_inner);
        if now.duration_since(counted.second.0) >= Duration::from_secs(1) {
            counted.second = (now, 0);
        }
        if counted.second.1 >= limits.http_per_second {
            return Err(limit("http_per_second"));
        }
        if counted.under_way >= limits.http_at_once {
            return Err(limit("http_at_once"));
        }
        counted.second.1 += 1;
        counted.under_way += 1;
        drop(counted);
        Ok(Self(count.clone()))
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).under_way -= 1;
    }
}

/// What goes out.
struct Request {
    method: Method,
    url: Url,
    headers: HeaderMap,
    body: Vec<u8>,
    redirects: u8,
}

impl Request {
    fn read(fetch: Fetch, limits: &Limits, traceparent: Option<String>) -> Result<Self, Failure> {
        let invalid = |what: String| Err(Failure::Invalid(what));
        let of_headers: usize = fetch.headers.iter().map(|(name, value)| name.len() + value.len()).sum();
        if (fetch.body.len() + of_headers) as u64 > limits.http_request_size {
            return Err(limit("http_request_size"));
        }
        if fetch.url.len() > LONGEST_URL {
            return invalid(format!("url: longer than {LONGEST_URL} bytes"));
        }
        if fetch.redirects > MOST_REDIRECTS {
            return invalid(format!("redirects: 0 to {MOST_REDIRECTS}"));
        }
        if fetch.headers.len() > MOST_HEADERS {
            return invalid(format!("headers: more than {MOST_HEADERS}"));
        }
        let mut headers = HeaderMap::new();
        for (name, value) in &fetch.headers {
            let read = HeaderName::try_from(name.as_str()).ok().zip(HeaderValue::from_str(value).ok());
            let Some((name, value)) = read else {
                return invalid(format!("headers: {name:?} is none, or its value can't stand in a header"));
            };
            if OURS.contains(&name.as_str()) {
                return invalid(format!("headers: {name} is the exchange's to write"));
            }
            headers.append(name, value);
        }
        if let Some(value) = traceparent.and_then(|value| HeaderValue::try_from(value).ok()) {
            headers.entry("traceparent").or_insert(value);
        }
        let url = read_url(&fetch.url).map_err(|why| Failure::Invalid(format!("url: {why}")))?;
        let method = match fetch.method {
            FetchMethod::Get => Method::GET,
            FetchMethod::Head => Method::HEAD,
            FetchMethod::Post => Method::POST,
            FetchMethod::Put => Method::PUT,
            FetchMethod::Patch => Method::PATCH,
            FetchMethod::Delete => Method::DELETE,
        };
        Ok(Self { method, url, headers, body: fetch.body, redirects: fetch.redirects })
    }

    /// What a redirect leads to (RFC 9110 §15.4); none when it is an answer like others. Nothing that the script
    /// wrote for one origin is told another, but for the body and what it is.
    fn redirected(&self, answer: &Response) -> Result<Option<Self>, Failure> {
        let status = answer.status().as_u16();
        let Some(to) =
            answer.headers().get(LOCATION).filter(|_| matches!(status, 301 | 302 | 303 | 307 | 308))
        else {
            return Ok(None);
        };
        let Some(redirects) = self.redirects.checked_sub(1) else { return Ok(None) };
        let to = to
            .to_str()
            .ok()
            .and_then(|to| self.url.join(to).ok())
            .filter(|to| to.as_str().len() <= LONGEST_URL);
        let url = to.ok_or("it leads to no URL").and_then(|to| read_url(to.as_str()));
        let url = url.map_err(|why| Failure::Invalid(format!("redirect: {why}")))?;
        let rewritten = match status {
            303 => self.method != Method::HEAD,
            301 | 302 => self.method == Method::POST,
            _ => false,
        };
        let mut headers = self.headers.clone();
        if url.origin() != self.url.origin() {
            headers = HeaderMap::new();
            for name in ["content-type", "traceparent"] {
                headers.extend(
                    self.headers.get(name).map(|value| (HeaderName::from_static(name), value.clone())),
                );
            }
        }
        let (method, body) = if rewritten {
            headers.remove("content-type");
            (Method::GET, Vec::new())
        } else {
            (self.method.clone(), self.body.clone())
        };
        Ok(Some(Self { method, url, headers, body, redirects }))
    }
}

/// A URL that names a server and nobody's password.
fn read_url(text: &str) -> Result<Url, &'static str> {
    let mut url = Url::parse(text).map_err(|_| "not an absolute one")?;
    match url.scheme() {
        "http" | "https" => {}
        _ => return Err("https or http"),
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("without user and password; write an authorization header");
    }
    url.set_fragment(None);
    Ok(url)
}

impl Line {
    /// Asks, and goes where redirects lead.
    async fn follow(&self, mut request: Request, most: u64) -> Result<Fetched, Failure> {
        loop {
            let answer = self.send(&request).await?;
            match request.redirected(&answer)? {
                Some(next) => request = next,
                None => return read(answer, most, request.url.host_str().unwrap_or_default()).await,
            }
        }
    }

    /// One request, to a server that is allowed.
    async fn send(&self, request: &Request) -> Result<Response, Failure> {
        let Request { method, url, headers, body, .. } = request;
        if !self.rules.allow.iter().any(|server| server.is_of(url)) {
            return Err(limit("http_allow"));
        }
        let host = url.host_str().unwrap_or_default();
        // A name is looked at when it is resolved; an address never is.
        if let Ok(address) = host.trim_matches(['[', ']']).parse::<IpAddr>()
            && !self.reach.has(address)
        {
            return Err(limit("http_reach"));
        }
        let mut sent = self.client.request(method.clone(), url.clone()).headers(headers.clone());
        if !body.is_empty() {
            sent = sent.body(body.clone());
        }
        sent.send().await.map_err(|why| failure(&why, host))
    }
}

/// All of an answer, of at most so many bytes.
async fn read(mut answer: Response, most: u64, host: &str) -> Result<Fetched, Failure> {
    let text = |(name, value): (&HeaderName, &HeaderValue)| {
        Some((name.as_str().to_owned(), std::str::from_utf8(value.as_bytes()).ok()?.to_owned()))
    };
    let headers: Vec<_> = answer.headers().iter().filter_map(text).collect();
    let of_headers: usize = headers.iter().map(|(name, value)| name.len() + value.len()).sum();
    let room = most.saturating_sub(of_headers as u64);
    if answer.content_length().is_some_and(|length| length > room) {
        return Err(limit("http_response_size"));
    }
    let mut body = Vec::new();
    while let Some(part) = answer.chunk().await.map_err(|why| failure(&why, host))? {
        if (body.len() + part.len()) as u64 > room {
            return Err(limit("http_response_size"));
        }
        body.extend_from_slice(&part);
    }
    Ok(Fetched { status: answer.status().as_u16(), headers, body })
}

fn limit(key: &str) -> Failure {
    Failure::Limit(key.to_owned())
}

/// Why there is no answer. The words are for the operator: they may speak of the inside of a network.
fn failure(why: &reqwest::Error, host: &str) -> Failure {
    let mut cause: Option<&(dyn Error + 'static)> = Some(why);
    let mut last = String::new();
    while let Some(error) = cause {
        match error.downcast_ref::<NoAddress>() {
            Some(NoAddress::Unknown) => return Failure::NotFound(host.to_owned()),
            Some(NoAddress::OutOfReach) => return limit("http_reach"),
            None => last = error.to_string(),
        }
        cause = error.source();
    }
    tracing::info!(host, why = last, "a script's request failed");
    Failure::Unreachable
}

/// How a request ended, for the metric: "answered", the limit's key, or the failure's name.
pub fn outcome(answer: &Result<Fetched, Failure>) -> String {
    match answer {
        Ok(_) => "answered",
        Err(Failure::Limit(key)) => key,
        Err(Failure::Invalid(_)) => "invalid",
        Err(Failure::NotFound(_)) => "not-found",
        Err(Failure::TimedOut) => "timed-out",
        Err(Failure::HungUp) => "hung-up",
        Err(_) => "unreachable",
    }
    .to_owned()
}
