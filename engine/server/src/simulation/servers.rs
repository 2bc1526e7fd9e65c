//! Servers outside, as a scene has them: what a request of the script is answered. Nothing leaves the machine, and a
//! server of which the scene says nothing is not allowed, as it would be with a tenant that says nothing of it.

use std::time::Duration;

use exchange::{Answer, Failure, Fetch, FetchMethod, Fetched};

use super::expectation::fits;

/// What one server answers.
#[derive(Clone, Debug)]
pub struct ServerScene {
    /// Of these requests alone; of all if none.
    pub method: Option<FetchMethod>,
    /// The URLs; "*" stands for anything.
    pub url: String,
    /// How long the answer takes.
    pub takes: Duration,
    /// It, or why there is none.
    pub answer: Result<Fetched, Failure>,
}

impl ServerScene {
    fn is_asked(&self, fetch: &Fetch) -> bool {
        self.method.is_none_or(|method| method == fetch.method) && fits(&self.url, &fetch.url)
    }
}

/// The first of the servers that is asked: how long its answer takes, and what it is.
pub(super) fn fetched(servers: &[ServerScene], fetch: &Fetch) -> (Duration, Answer) {
    let Some(server) = servers.iter().find(|server| server.is_asked(fetch)) else {
        return (Duration::ZERO, Answer::Failed(Failure::Limit("http_allow".to_owned())));
    };
    let answer = server.answer.clone();
    (server.takes, answer.map_or_else(Answer::Failed, |fetched| Answer::Fetched(Box::new(fetched))))
}
