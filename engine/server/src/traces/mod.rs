//! Traces of calls that are over, for an OpenTelemetry collector: OTLP over HTTP, in protobuf (OTLP 1.x, opentelemetry-proto).
//! Off unless `[traces]` is configured. Calls wait for the collector in a queue of their own; when that is full because
//! the collector is slow or away, further ones are dropped and counted, and no call waits.

pub mod spans;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use exchange::{CallId, CallRecord};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::InstrumentationScope;
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans};
use prometheus_client::metrics::counter::Counter;
use prost::Message as _;
use script::Tape;
use tokio::sync::{mpsc, oneshot};

use crate::config::TraceSettings;

/// Calls that wait for the collector; one more is dropped.
const MOST_CALLS: usize = 4_096;
/// Bytes of their tapes together; more are dropped.
const MOST_BYTES: usize = 64 << 20;
/// Calls in one request.
const BATCH: usize = 64;
/// How long the collector may take.
const TIMEOUT: Duration = Duration::from_secs(10);
/// A request that failed for want of a server is sent again after these, and then given up (OTLP §"Failures").
const AGAIN: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(4)];
/// How long a stopping exchange waits for the last of them.
const FLUSH: Duration = Duration::from_secs(5);

/// The way to the collector.
pub struct Traces {
    /// None when there is no collector.
    queue: Option<mpsc::Sender<Waiting>>,
    bytes: Arc<AtomicUsize>,
    dropped: Counter,
}

/// What stands in the queue.
enum Waiting {
    Call(Box<(CallRecord, Vec<u8>)>),
    /// All before it are sent.
    Mark(oneshot::Sender<()>),
}

impl Traces {
    /// Begins to send, where there is a collector. `instance`: tells this start of the process from others. `dropped` and
    /// `sent` count calls.
    pub fn start(
        settings: Option<&TraceSettings>,
        instance: u64,
        runtime: &tokio::runtime::Handle,
        sent: Counter,
        dropped: Counter,
    ) -> Self {
        let bytes = Arc::new(AtomicUsize::new(0));
        let client = settings.and_then(|settings| {
            let client = reqwest::Client::builder()
                .redirect(reqwest::redirect::Policy::none())
                .timeout(TIMEOUT)
                .build();
            client
                .map(|client| (client, settings.clone()))
                .map_err(|why| tracing::error!(%why, "traces stay off"))
                .ok()
        });
        let queue = client.map(|(client, settings)| {
            let (queue, waiting) = mpsc::channel(MOST_CALLS);
            let (bytes, dropped) = (bytes.clone(), dropped.clone());
            runtime.spawn(Sender { client, settings, instance, bytes, sent, dropped }.run(waiting));
            queue
        });
        Self { queue, bytes, dropped }
    }

    /// Whether there is a collector: what is only for it need not be made otherwise.
    pub fn is_on(&self) -> bool {
        self.queue.is_some()
    }

    /// A call is over. `tape`: all of it.
    pub fn offer(&self, record: CallRecord, tape: Vec<u8>) {
        let Some(queue) = &self.queue else { return };
        let size = tape.len();
        let room = self.bytes.fetch_add(size, Ordering::Relaxed) + size <= MOST_BYTES;
        if !room || queue.try_send(Waiting::Call(Box::new((record, tape)))).is_err() {
            self.bytes.fetch_sub(size, Ordering::Relaxed);
            self.dropped.inc();
        }
    }

    /// The `traceparent` of a script's `nth` request to a server outside, in the run that began at `started`; none when
    /// nobody would see the trace.
    pub fn parent(&self, call: CallId, started: f64, nth: u32) -> Option<String> {
        self.is_on().then(|| spans::traceparent(call, spans::fetch_id(started, nth)))
    }

    /// Waits until what was offered is sent or given up, for a few seconds at most.
    pub async fn flush(&self) {
        let Some(queue) = &self.queue else { return };
        let (done, sent) = oneshot::channel();
        let flushed = async {
            if queue.send(Waiting::Mark(done)).await.is_ok() {
                let _ = sent.await;
            }
        };
        if tokio::time::timeout(FLUSH, flushed).await.is_err() {
            tracing::warn!("the collector did not take the last traces in time");
        }
    }
}

/// The one that sends.
struct Sender {
    client: reqwest::Client,
    settings: TraceSettings,
    instance: u64,
    bytes: Arc<AtomicUsize>,
    sent: Counter,
    dropped: Counter,
}

impl Sender {
    async fn run(self, mut waiting: mpsc::Receiver<Waiting>) {
        let mut batch = Vec::with_capacity(BATCH);
        while waiting.recv_many(&mut batch, BATCH).await > 0 {
            let (mut calls, mut marks) = (Vec::new(), Vec::new());
            for one in batch.drain(..) {
                match one {
                    Waiting::Call(call) => calls.push(*call),
                    Waiting::Mark(mark) => marks.push(mark),
                }
            }
            let (count, size) = (calls.len() as u64, calls.iter().map(|(_, tape)| tape.len()).sum());
            if count > 0 {
                let (words, instance) = (self.settings.words, self.instance);
                let written =
                    tokio::task::spawn_blocking(move || request(&calls, instance, words).encode_to_vec());
                let told = match written.await {
                    Ok(body) => self.send(body).await,
                    Err(why) => Err(why.to_string()),
                };
                match told {
                    Ok(()) => self.sent.inc_by(count),
                    Err(why) => {
                        tracing::warn!(why, calls = count, "traces are dropped");
                        self.dropped.inc_by(count)
                    }
                };
                self.bytes.fetch_sub(size, Ordering::Relaxed);
            }
            for mark in marks {
                // Whoever waited may have given up.
                let _ = mark.send(());
            }
        }
    }

    async fn send(&self, body: Vec<u8>) -> Result<(), String> {
        let mut again = AGAIN.into_iter();
        loop {
            let mut request = self
                .client
                .post(&self.settings.url)
                .header("content-type", "application/x-protobuf")
                .body(body.clone());
            for (name, value) in &self.settings.headers {
                request = request.header(name, value.expose());
            }
            let why = match request.send().await {
                Ok(answer) if answer.status().is_success() => return Ok(()),
                Ok(answer) if !matches!(answer.status().as_u16(), 429 | 502 | 503 | 504) => {
                    return Err(format!("the collector answered {}", answer.status()));
                }
                Ok(answer) => format!("the collector answered {}", answer.status()),
                // Without the address, which may hold a secret.
                Err(why) => why.without_url().to_string(),
            };
            match again.next() {
                Some(pause) => tokio::time::sleep(pause).await,
                None => return Err(why),
            }
        }
    }
}

/// The traces of these calls.
fn request(calls: &[(CallRecord, Vec<u8>)], instance: u64, words: bool) -> ExportTraceServiceRequest {
    let version = env!("CARGO_PKG_VERSION");
    let spans =
        calls.iter().flat_map(|(record, tape)| spans::of(record, Tape::read(tape).ok().as_ref(), words));
    let scope =
        InstrumentationScope { name: "strowger".into(), version: version.into(), ..Default::default() };
    let resource = Resource {
        attributes: vec![
            spans::attribute("service.name", "strowger"),
            spans::attribute("service.version", version),
            spans::attribute("service.instance.id", &instance.to_string()),
        ],
        ..Default::default()
    };
    let scope_spans = vec![ScopeSpans { scope: Some(scope), spans: spans.collect(), ..Default::default() }];
    ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans { resource: Some(resource), scope_spans, ..Default::default() }],
    }
}
