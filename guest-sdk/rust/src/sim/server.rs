//! Simulated servers outside: a test says what they answer, and a server that it does not name is not allowed, as it
//! would be with a tenant that does not name it.

use super::world::{Passed, with};
use crate::http::{Request, Response};
use crate::words::{Failure, Result};
use std::time::Duration;

/// A server that scripts may ask over HTTP.
#[derive(Clone, Debug)]
pub struct Server {
    url: String,
    after: Duration,
    answer: Result<ResponseHandle>,
}

impl Server {
    /// The server at these URLs: "*" stands for anything. It answers 200 and nothing unless told otherwise.
    pub fn at(url: &str) -> Server {
        let answer = Ok(ResponseHandle { status: 200, headers: Vec::new(), body: Vec::new() });
        Server { url: url.to_owned(), after: Duration::ZERO, answer }
    }

    /// With this status and body.
    pub fn answers(mut self, status: u16, body: impl Into<Vec<u8>>) -> Server {
        self.answer = Ok(ResponseHandle { status, headers: Vec::new(), body: body.into() });
        self
    }

    /// And with this header; after [`answers`](Server::answers).
    pub fn header(mut self, name: &str, value: &str) -> Server {
        if let Ok(answer) = &mut self.answer {
            answer.headers.push((name.to_owned(), value.to_owned()));
        }
        self
    }

    /// It takes so long.
    pub fn after(mut self, time: Duration) -> Server {
        self.after = time;
        self
    }

    /// It does not answer: [`Failure::Unreachable`], [`Failure::TimedOut`] ...
    pub fn fails(mut self, why: Failure) -> Server {
        self.answer = Err(why);
        self
    }
}

/// An answer, whole.
#[derive(Clone, Debug)]
pub struct ResponseHandle {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl ResponseHandle {
    pub(crate) fn status(&self) -> u16 {
        self.status
    }
    pub(crate) fn header(&self, name: &str) -> Vec<String> {
        let same = self.headers.iter().filter(|(known, _)| known.eq_ignore_ascii_case(name));
        same.map(|(_, value)| value.clone()).collect()
    }
    pub(crate) fn body(&self) -> Vec<u8> {
        self.body.clone()
    }
}

pub(crate) fn fetch(request: &Request) -> Result<Response> {
    with(|world| {
        world.note(format!("asks {:?} {}", request.method, request.url));
        let found = world.servers.iter().find(|server| fits(&server.url, &request.url));
        let Some(server) = found.cloned() else { return Err(Failure::Limit("http_allow".to_owned())) };
        let late = !request.timeout.is_zero() && server.after > request.timeout;
        let takes = if late { request.timeout } else { server.after };
        if world.pass(world.now + takes, false) == Passed::CallerLeft {
            return Err(Failure::HungUp);
        }
        if late { Err(Failure::TimedOut) } else { server.answer.map(Response) }
    })
}

fn fits(pattern: &str, text: &str) -> bool {
    let Some((begin, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(text) = text.strip_prefix(begin) else { return false };
    (0..=text.len()).filter(|at| text.is_char_boundary(*at)).any(|at| fits(rest, &text[at..]))
}
