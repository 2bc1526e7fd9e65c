//! Server-sent events: a tenant's events, a script's log lines and its calls' timelines. The `id` of each is the start of
//! the process and a number, so that a reader who comes back with Last-Event-ID goes on where they
//! stopped, and is told with an event `lost` when something they missed is not kept any more.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::time::Duration;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::header::ACCEPT;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use jiff::tz::TimeZone;
use serde_json::{Value, json};
use tokio::sync::{OwnedSemaphorePermit, watch};

use super::Api;
use super::access::Access;
use super::problem::Problem;
use super::views::time;
use crate::events::{self, EventBus};

/// Streams open at once; one more gets 503.
pub(super) const STREAMS: usize = 1000;

/// Events taken from the row at once.
const CHUNK: usize = 100;

/// A comment goes out when nothing else has for so long, so that proxies keep the connection.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// Which rows are followed.
#[derive(Clone, Copy)]
pub(super) enum Which {
    Events,
    Logs,
    Timelines,
}

/// What happens at a tenant, as it happens.
#[utoipa::path(get, path = "/v1/tenants/{tenant}/events", tag = "events",
    params(("tenant" = String, Path), ("Last-Event-ID" = Option<String>, Header)),
    responses((status = 200, content_type = "text/event-stream"), (status = 503, body = Problem)))]
pub(super) async fn events(
    State(api): State<Api>,
    access: Access,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let row = access.tenant.name.to_string();
    stream(&api, Which::Events, row, access.tenant.timezone.clone(), &headers)
}

/// Whether the client asks for a stream.
pub(super) fn wanted(headers: &HeaderMap) -> bool {
    headers
        .get(ACCEPT)
        .and_then(|accept| accept.to_str().ok())
        .is_some_and(|a| a.contains("text/event-stream"))
}

/// An event as JSON.
pub(super) fn view(event: &events::Event, zone: &TimeZone) -> Value {
    json!({ "at": time(event.at, zone), "kind": event.kind, "data": event.data() })
}

/// Follows a row from Last-Event-ID on, or from now on when there is none.
pub(super) fn stream(
    api: &Api,
    which: Which,
    row: String,
    zone: TimeZone,
    headers: &HeaderMap,
) -> Result<Response, Problem> {
    let permit = api.streams.clone().try_acquire_owned();
    let permit = permit.map_err(|_| Problem::unavailable(format!("{STREAMS} streams are open already")))?;
    let news = bus(api, which).watch(&row);
    let last = headers.get("last-event-id").and_then(|id| id.to_str().ok());
    let here = |id: &str| {
        let (epoch, number) = id.split_once('-')?;
        (u64::from_str_radix(epoch, 16).ok()? == api.node.epoch).then_some(number)?.parse().ok()
    };
    let (read, restarted) = match last {
        None => (*news.borrow(), false),
        Some(id) => here(id).map_or((0, true), |number| (number, false)),
    };
    let reader = Reader {
        api: api.clone(),
        which,
        row,
        zone,
        news,
        read,
        restarted,
        waiting: VecDeque::new(),
        _permit: permit,
    };
    let events = stream::unfold(reader, |mut reader| async move {
        let event = reader.next().await?;
        Some((Ok::<_, Infallible>(event), reader))
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)).into_response())
}

fn bus(api: &Api, which: Which) -> &EventBus {
    match which {
        Which::Events => &api.node.events,
        Which::Logs => &api.node.logs,
        Which::Timelines => &api.node.timelines,
    }
}

struct Reader {
    api: Api,
    which: Which,
    row: String,
    zone: TimeZone,
    news: watch::Receiver<u64>,
    /// The number of the last event that was taken.
    read: u64,
    /// What came before the restart of the process can't be known.
    restarted: bool,
    waiting: VecDeque<Event>,
    _permit: OwnedSemaphorePermit,
}

impl Reader {
    /// None when the process is stopping.
    async fn next(&mut self) -> Option<Event> {
        if std::mem::take(&mut self.restarted) {
            return Some(lost(json!({ "reason": "the exchange was restarted" })));
        }
        while self.waiting.is_empty() {
            self.news.mark_unchanged();
            self.take();
            if self.waiting.is_empty() {
                tokio::select! {
                    changed = self.news.changed() => changed.ok()?,
                    () = self.api.stopping() => return None,
                }
            }
        }
        self.waiting.pop_front()
    }

    fn take(&mut self) {
        let page = bus(&self.api, self.which).read(&self.row, self.read, CHUNK);
        if page.missed > 0 {
            self.waiting.push_back(lost(json!({ "count": page.missed, "reason": "too long away" })));
        }
        for event in page.events {
            self.read = event.number;
            let id = format!("{:x}-{}", self.api.node.epoch, event.number);
            let data = view(&event, &self.zone).to_string();
            self.waiting.push_back(Event::default().id(id).event(event.kind).data(data));
        }
    }
}

fn lost(data: Value) -> Event {
    Event::default().event("lost").data(data.to_string())
}
