//! Servers outside, asked over HTTP: those that the tenant's configuration allows in `[tenant.http]`.
//!
//! ```
//! use strowger_script::prelude::*;
//!
//! fn on_call(caller: Leg) -> Result {
//!     let asked = http::get("https://crm.example/customers").query("number", &caller.number());
//!     match asked.header("authorization", "Bearer ...").within(2.secs()).send() {
//!         Ok(answer) if answer.ok() && answer.json()?["vip"] == true => dial("ana").ring().and_bridge(&caller),
//!         _ => caller.play("good-bye"), // a call goes on without its CRM
//!     }
//! }
//!
//! Caller::from("+359888123456")
//!     .server(Server::at("https://crm.example/customers?*").answers(200, r#"{ "vip": true }"#))
//!     .user(User::new("ana").answers_after(4.secs()))
//!     .talks_with("ana")
//!     .hangs_up_after(40.secs())
//!     .run(on_call);
//! ```

use crate::host;
use crate::words::{Failure, Result};
use serde::Serialize;
use serde_json::Value;
use std::fmt::Write;
use std::time::Duration;

/// What is asked of the server (RFC 9110 §9.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// To read.
    Get,
    /// To read the headers alone.
    Head,
    /// To have the body dealt with.
    Post,
    /// To put the body in the place of what is there.
    Put,
    /// To change a part of it.
    Patch,
    /// To remove it.
    Delete,
}

/// A request that is being written; [`send`](Request::send) asks.
#[derive(Clone, Debug)]
#[must_use = "nobody is asked until `send`"]
pub struct Request {
    pub(crate) method: Method,
    pub(crate) url: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    pub(crate) timeout: Duration,
    pub(crate) redirects: u8,
}

/// Reads what is at a URL.
pub fn get(url: &str) -> Request {
    request(Method::Get, url)
}

/// Has a body dealt with by what is at a URL.
pub fn post(url: &str) -> Request {
    request(Method::Post, url)
}

/// A request of any method.
pub fn request(method: Method, url: &str) -> Request {
    Request {
        method,
        url: url.to_owned(),
        headers: Vec::new(),
        body: Vec::new(),
        timeout: Duration::ZERO,
        redirects: 0,
    }
}

impl Request {
    /// Another parameter of the URL's query; name and value may be any text. After what is behind "?" already.
    pub fn query(mut self, name: &str, value: &str) -> Request {
        self.url.push(if self.url.contains('?') { '&' } else { '?' });
        percent(&mut self.url, name);
        self.url.push('=');
        percent(&mut self.url, value);
        self
    }

    /// Another header. Host, Content-Length and what belongs to the connection are the exchange's to write.
    pub fn header(mut self, name: &str, value: &str) -> Request {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The body.
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Request {
        self.body = body.into();
        self
    }

    /// The body as JSON, and the header that says so: `json!({...})` usually.
    pub fn json(self, body: impl Serialize) -> Request {
        let body = serde_json::to_vec(&body).unwrap_or_default();
        self.header("content-type", "application/json").body(body)
    }

    /// How long the answer may take; as long as the tenant's `http_time` unless said, and never longer.
    pub fn within(mut self, time: Duration) -> Request {
        self.timeout = time;
        self
    }

    /// Follows so many redirects, 0 to 5; none unless said: then a redirect is the answer.
    pub fn redirects(mut self, most: u8) -> Request {
        self.redirects = most;
        self
    }

    /// Asks, and waits for the whole answer. The caller hears what played before, or nothing.
    ///
    /// # Errors
    /// [`Failure::HungUp`]: the caller has left. [`Failure::TimedOut`], [`Failure::Unreachable`],
    /// [`Failure::NotFound`] (the name is not known): a script goes on without. [`Failure::Limit`], with the key of the
    /// tenant's configuration: "http_allow" when the server is not allowed, "http_reach" when its address is a private
    /// one, or one of the limits. [`Failure::Invalid`]: the URL or a header.
    pub fn send(self) -> Result<Response> {
        host::fetch(&self)
    }
}

/// What a server answered, whatever its status.
#[derive(Debug)]
pub struct Response(pub(crate) host::ResponseHandle);

impl Response {
    /// 200 to 599.
    pub fn status(&self) -> u16 {
        self.0.status()
    }

    /// Whether the status is 200 to 299.
    pub fn ok(&self) -> bool {
        (200..300).contains(&self.status())
    }

    /// The first value of a header, by its name in any case.
    pub fn header(&self, name: &str) -> Option<String> {
        self.0.header(name).into_iter().next()
    }

    /// The body.
    pub fn body(&self) -> Vec<u8> {
        self.0.body()
    }

    /// The body as text; what is no UTF-8 in it is replaced.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body()).into_owned()
    }

    /// The body as JSON.
    ///
    /// # Errors
    /// [`Failure::Other`] when it is none.
    pub fn json(&self) -> Result<Value> {
        serde_json::from_slice(&self.body())
            .map_err(|why| Failure::Other(format!("the answer is no JSON: {why}")))
    }
}

/// RFC 3986 §2.1: everything but the unreserved characters.
fn percent(into: &mut String, text: &str) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            into.push(byte.into());
        } else {
            // Writing to a string can't fail.
            let _ = write!(into, "%{byte:02X}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_of_the_query_can_be_any_text() {
        let request = get("https://crm.example/a").query("number", "+359 88").query("q", "a&b=ж");
        assert_eq!(request.url, "https://crm.example/a?number=%2B359%2088&q=a%26b%3D%D0%B6");
    }
}
