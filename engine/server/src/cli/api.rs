//! The HTTP API from a shell: one client, problem documents as one-line errors.

use std::time::Duration;

use reqwest::blocking::{Client, RequestBuilder, Response};
use reqwest::{Method, header};
use serde_json::Value;

use super::{Failed, Remote};
use crate::http::SIGNATURE;

/// Where the demo keeps the operator's token, below the folder it was started in.
const DEMO_SECRETS: &str = "data/demo-secrets";

/// Compiling a large component at the other end takes the longest.
const PATIENCE: Duration = Duration::from_secs(120);

pub(super) struct Api {
    client: Client,
    url: String,
    token: String,
    tenant: Option<String>,
}

impl Api {
    pub fn new(remote: &Remote) -> Result<Self, Failed> {
        let demo = || std::fs::read_to_string(DEMO_SECRETS).ok()?.lines().next().map(str::to_owned);
        let token = remote.token.clone().or_else(demo).ok_or_else(|| {
            Failed(
                "there is no token; set STROWGER_TOKEN, or run this where the demo world was started"
                    .to_owned(),
            )
        })?;
        let client = Client::builder().timeout(PATIENCE).no_proxy().build()?;
        let url = remote.url.trim_end_matches('/').to_owned();
        Ok(Self { client, url, token, tenant: remote.tenant.clone() })
    }

    /// The path of the tenant that is meant, below the base.
    pub fn tenant(&self) -> Result<String, Failed> {
        if let Some(tenant) = &self.tenant {
            return Ok(format!("/v1/tenants/{}", escaped(tenant)));
        }
        let list = self.get("/v1/tenants")?;
        let names: Vec<_> = rows(&list).iter().filter_map(|tenant| tenant["name"].as_str()).collect();
        match names[..] {
            [only] => Ok(format!("/v1/tenants/{}", escaped(only))),
            [] => Err(Failed("there is no tenant; write one in the configuration".to_owned())),
            _ => Err(Failed(format!("there are several tenants; say which: --tenant {}", names.join(" | ")))),
        }
    }

    /// The address of a path, for whoever has no token.
    pub fn address(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }

    pub fn get(&self, path: &str) -> Result<Value, Failed> {
        Ok(self.send(self.request(Method::GET, path))?.json()?)
    }

    /// The body as it is, in this form.
    pub fn get_bytes(&self, path: &str, accept: &str) -> Result<Vec<u8>, Failed> {
        let request = self.request(Method::GET, path).header(header::ACCEPT, accept);
        Ok(self.send(request)?.bytes()?.to_vec())
    }

    pub fn post(&self, path: &str, body: &Value) -> Result<Value, Failed> {
        Ok(self.send(self.request(Method::POST, path).json(body))?.json()?)
    }

    /// A body of this media type.
    pub fn post_bytes(&self, path: &str, media_type: &str, body: Vec<u8>) -> Result<Value, Failed> {
        let request = self.request(Method::POST, path).header(header::CONTENT_TYPE, media_type);
        Ok(self.send(request.body(body))?.json()?)
    }

    /// For what is answered with nothing.
    pub fn order(&self, path: &str, body: &Value) -> Result<(), Failed> {
        self.send(self.request(Method::POST, path).json(body)).map(drop)
    }

    /// A component or a flow, of this media type, with its signature if there is one.
    pub fn put(
        &self,
        path: &str,
        media_type: &str,
        body: Vec<u8>,
        signature: Option<&str>,
    ) -> Result<Value, Failed> {
        let request = self.request(Method::PUT, path).header(header::CONTENT_TYPE, media_type).body(body);
        let signed = signature.into_iter().fold(request, |request, it| request.header(SIGNATURE, it));
        Ok(self.send(signed)?.json()?)
    }

    pub fn put_json(&self, path: &str, body: &Value) -> Result<Value, Failed> {
        Ok(self.send(self.request(Method::PUT, path).json(body))?.json()?)
    }

    /// PUT, PATCH or DELETE of something that is answered with nothing.
    pub fn change(&self, method: Method, path: &str, body: Option<&Value>) -> Result<(), Failed> {
        let request = self.request(method, path);
        let request = if let Some(body) = body { request.json(body) } else { request };
        self.send(request).map(drop)
    }

    /// A stream of events, for as long as it lasts.
    pub fn follow(&self, path: &str) -> Result<Response, Failed> {
        self.stream(path, "text/event-stream")
    }

    /// A body in this form, however long it is.
    pub fn stream(&self, path: &str, accept: &str) -> Result<Response, Failed> {
        let forever = Client::builder().timeout(None).no_proxy().build()?;
        let request = forever.get(format!("{}{path}", self.url)).bearer_auth(&self.token);
        self.send(request.header(header::ACCEPT, accept))
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.url)).bearer_auth(&self.token)
    }

    fn send(&self, request: RequestBuilder) -> Result<Response, Failed> {
        let response = request.send().map_err(|why| {
            let why = if why.is_connect() { "it does not answer".to_owned() } else { why.to_string() };
            Failed(format!("{}: {why}; start it with strowger serve, or set STROWGER_URL", self.url))
        })?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let problem: Value = response.json().unwrap_or_default();
        let mut said = problem["detail"].as_str().unwrap_or("the exchange refused").to_owned();
        for particular in problem["problems"].as_array().into_iter().flatten() {
            let text = |key: &str| particular[key].as_str().unwrap_or_default();
            said.push_str(&format!("\n  {}: {}", text("place"), text("what")));
        }
        Err(Failed(format!("{said} ({})", status.as_u16())))
    }
}

/// The rows of a list: the one array in it.
pub(super) fn rows(list: &Value) -> &[Value] {
    let rows = list.as_object().and_then(|object| object.values().find_map(Value::as_array));
    rows.map_or(&[], Vec::as_slice)
}

/// A name as one segment of a path (RFC 3986 §2.3).
pub(super) fn escaped(name: &str) -> String {
    let escape = |byte: u8| match byte {
        b if b.is_ascii_alphanumeric() || b"-._~".contains(&b) => char::from(b).to_string(),
        b => format!("%{b:02X}"),
    };
    name.bytes().map(escape).collect()
}

/// Columns under headings, two spaces apart.
pub(super) fn table(headings: &[&str], rows: &[Vec<String>]) -> String {
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.chain([headings[column].chars().count()]).max().unwrap_or(0)
    };
    let widths: Vec<_> = (0..headings.len()).map(width).collect();
    let line = |cells: Vec<&str>| {
        let padded = cells.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        padded.collect::<Vec<_>>().join("  ").trim_end().to_owned() + "\n"
    };
    let heading = line(headings.to_vec());
    rows.iter().fold(heading, |text, row| text + &line(row.iter().map(String::as_str).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up() {
        let rows = [vec!["ana".to_owned(), "101".to_owned()], vec!["konstantin".to_owned(), "7".to_owned()]];
        assert_eq!(table(&["USER", "NUMBER"], &rows), "USER        NUMBER\nana         101\nkonstantin  7\n");
        assert_eq!(escaped("strowger/menu"), "strowger%2Fmenu");
    }
}
