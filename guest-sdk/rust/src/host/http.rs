//! Servers outside, in a component.

use super::guest::bindings::strowger::script::http as wit;
use crate::http::{Method, Request, Response};
use crate::words::Result;

/// An answer, whose body is fetched when it is asked for.
#[derive(Debug)]
pub struct ResponseHandle(wit::Response);

impl ResponseHandle {
    pub(crate) fn status(&self) -> u16 {
        self.0.status()
    }
    pub(crate) fn header(&self, name: &str) -> Vec<String> {
        self.0.header(name)
    }
    pub(crate) fn body(&self) -> Vec<u8> {
        self.0.body()
    }
}

pub(crate) fn fetch(request: &Request) -> Result<Response> {
    let answer = wit::fetch(&wit::Request {
        method: match request.method {
            Method::Get => wit::Method::Get,
            Method::Head => wit::Method::Head,
            Method::Post => wit::Method::Post,
            Method::Put => wit::Method::Put,
            Method::Patch => wit::Method::Patch,
            Method::Delete => wit::Method::Delete,
        },
        url: request.url.clone(),
        headers: request.headers.clone(),
        body: request.body.clone(),
        timeout: u32::try_from(request.timeout.as_millis()).unwrap_or(u32::MAX),
        redirects: request.redirects,
    })?;
    Ok(Response(ResponseHandle(answer)))
}
