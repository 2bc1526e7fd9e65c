//! The API as a service, without a network: roles, problem documents, scripts, the register, streams.

use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request, StatusCode};
use axum::response::Response;
use exchange::{
    AgentView, AgentWish, CallId, CallRecord, Direction, Failure, LiveCall, Outcome, Party, Presence,
    QueueView, Supervision, Target,
};
use futures_util::StreamExt as _;
use serde_json::{Value, json};
use store::{Batch, layout};
use tempfile::TempDir;
use tower::ServiceExt as _;

use script::{Moved, Version};

use super::*;
use crate::config::{self, World};
use crate::records;
use crate::shards::{Asked, Contact, NotSet, Rung, TrunkState, UserState, Wanted};

/// Two tenants with a token of each role at the first.
const WORLD: &str = r#"
[node]
sandboxes = 8
[http]
token = "operator"
[[tenant]]
name = "acme"
timezone = "Europe/Sofia"
  [tenant.limits]
  script_size = "1 MiB"
  prompt_size = "64 KiB"
  [[tenant.user]]
  name = "ana"
  number = "101"
  [[tenant.user]]
  name = "boris"
  number = "102"
  [[tenant.queue]]
  name = "sales"
  agents = ["ana", "boris"]
  [[tenant.token]]
  role = "agent"
  user = "ana"
  token = "ana"
  [[tenant.token]]
  role = "reader"
  token = "acme-reader"
  [[tenant.token]]
  role = "agent"
  token = "acme-agent"
  [[tenant.token]]
  role = "developer"
  token = "acme-developer"
  [[tenant.token]]
  role = "admin"
  token = "acme-admin"
[[tenant]]
name = "bell"
  [[tenant.token]]
  role = "admin"
  token = "bell-admin"
"#;

/// Shards with one call up at each tenant.
#[derive(Default)]
struct Fake {
    up: Mutex<Vec<LiveCall>>,
    hung_up: Mutex<Vec<(String, CallId)>>,
    begun: Mutex<Vec<(String, Wanted)>>,
    wished: Mutex<Vec<(String, String, AgentWish)>>,
    supervised: Mutex<Vec<(String, Target, Supervision)>>,
    /// Calls that a graceful stop waits for, once it has asked the shards.
    just_answered: AtomicUsize,
    live: AtomicUsize,
}

const UP: CallId = CallId(7 << 80);

impl Shards for Fake {
    fn calls(&self, tenant: &str) -> Asked<'_, Vec<LiveCall>> {
        let up = self.up.lock().unwrap().iter().filter(|call| call.tenant == tenant).cloned().collect();
        Box::pin(async { up })
    }

    fn originate(&self, tenant: &str, wanted: Wanted) -> Asked<'_, Result<CallId, Failure>> {
        self.begun.lock().unwrap().push((tenant.to_owned(), wanted));
        Box::pin(async { Ok(UP) })
    }

    fn supervise(
        &self,
        tenant: &str,
        call: CallId,
        who: Target,
        mode: Supervision,
    ) -> Asked<'_, Result<(), Failure>> {
        self.supervised.lock().unwrap().push((tenant.to_owned(), who, mode));
        Box::pin(async move {
            let silent = Failure::Invalid("call: nobody talks with anybody on it now".into());
            if call == UP { Ok(()) } else { Err(silent) }
        })
    }

    fn pause_recordings(&self, _tenant: &str, call: CallId, _paused: bool) -> Asked<'_, Result<(), Failure>> {
        let silent = Failure::Invalid("nothing is recorded now".into());
        Box::pin(async move { if call == UP { Ok(()) } else { Err(silent) } })
    }

    fn move_call(&self, _tenant: &str, call: CallId, to: Arc<Version>) -> Asked<'_, Option<Moved>> {
        let moved = (call == UP).then(|| Moved::Stays(format!("{} asks something else", &to.hash()[..8])));
        Box::pin(async move { moved })
    }

    fn hang_up(&self, tenant: &str, call: CallId) -> Asked<'_, bool> {
        self.hung_up.lock().unwrap().push((tenant.to_owned(), call));
        Box::pin(async move { call == UP })
    }

    fn users(&self, _tenant: &str) -> Asked<'_, Vec<UserState>> {
        let contact = Contact {
            uri: "sip:ana@192.0.2.9:5062".to_owned(),
            received: "192.0.2.9:5062".to_owned(),
            transport: "udp".to_owned(),
            user_agent: None,
            expires_in: 60,
        };
        let (name, number) = ("ana".to_owned(), "101".to_owned());
        Box::pin(async move {
            vec![UserState { name, number, presence: Presence::Free, contacts: vec![contact] }]
        })
    }

    fn queues(&self, tenant: &str) -> Asked<'_, Vec<QueueView>> {
        let queues = if tenant == "acme" { vec![queues::sales()] } else { Vec::new() };
        Box::pin(async { queues })
    }

    fn agents(&self, tenant: &str) -> Asked<'_, Vec<AgentView>> {
        let agents = if tenant == "acme" { vec![queues::ana()] } else { Vec::new() };
        Box::pin(async { agents })
    }

    fn set_agent(&self, tenant: &str, user: &str, wish: AgentWish) -> Asked<'_, Result<(), NotSet>> {
        self.wished.lock().unwrap().push((tenant.to_owned(), user.to_owned(), wish));
        Box::pin(async { Ok(()) })
    }

    fn messages_changed(&self, _: &str, _: &str) {}

    fn ask_strategies(&self, _tenant: &str) {}

    fn trunks(&self, _tenant: &str) -> Asked<'_, Vec<TrunkState>> {
        Box::pin(async { Vec::new() })
    }

    fn ladder(&self, _tenant: &str, _call: CallId) -> Asked<'_, Option<Vec<Rung>>> {
        Box::pin(async { None })
    }

    fn reload(&self, _world: Arc<World>) {}

    fn drain(&self) -> Asked<'_, ()> {
        Box::pin(async { self.live.store(self.just_answered.load(Ordering::SeqCst), Ordering::SeqCst) })
    }

    fn live(&self) -> usize {
        self.live.load(Ordering::SeqCst)
    }

    fn ready(&self) -> bool {
        true
    }

    fn stop(&self) {}
}

/// An API over a data folder of its own.
struct Served {
    folder: TempDir,
    node: Arc<Node>,
    fake: Arc<Fake>,
    router: Router,
    _stop: watch::Sender<bool>,
}

impl Served {
    fn new() -> Self {
        Self::over(tempfile::tempdir().unwrap())
    }

    /// With one more section of the first tenant.
    fn with(section: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let second = "[[tenant]]\nname = \"bell\"";
        let world = WORLD.replace(second, &format!("{section}\n{second}"));
        std::fs::write(folder.path().join("strowger.toml"), world).unwrap();
        Self::over(folder)
    }

    fn over(folder: TempDir) -> Self {
        let file = folder.path().join("strowger.toml");
        if !file.exists() {
            std::fs::write(&file, WORLD).unwrap();
        }
        let world = config::load(&file).unwrap();
        let (node, _) = Node::open(world, Some(file), tokio::runtime::Handle::current(), None).unwrap();
        let fake = Arc::new(Fake::default());
        node.set_shards(fake.clone());
        let (stop, stopped) = watch::channel(false);
        let router = router(node.clone(), stopped);
        Self { folder, node, fake, router, _stop: stop }
    }

    /// Ends, and opens the same folder again.
    fn again(self) -> Self {
        let Self { folder, node, router, .. } = self;
        drop((node, router));
        Self::over(folder)
    }

    async fn send(&self, method: &str, path: &str, token: &str, body: impl Into<Body>) -> Response {
        let request =
            Request::builder().method(method).uri(path).header("authorization", format!("Bearer {token}"));
        let request = request.header("content-type", "application/json").body(body.into()).unwrap();
        self.router.clone().oneshot(request).await.unwrap()
    }

    async fn ask(
        &self,
        method: &str,
        path: &str,
        token: &str,
        body: impl Into<Body>,
    ) -> (u16, HeaderMap, Value) {
        let response = self.send(method, path, token, body).await;
        let (parts, body) = response.into_parts();
        let bytes = to_bytes(body, 4 << 20).await.unwrap();
        (parts.status.as_u16(), parts.headers, serde_json::from_slice(&bytes).unwrap_or_default())
    }

    async fn get(&self, path: &str, token: &str) -> (u16, Value) {
        let (status, _, body) = self.ask("GET", path, token, "").await;
        (status, body)
    }

    fn keep(&self, id: CallId, tenant: &str, change: impl FnOnce(&mut CallRecord)) {
        let mut record = record(id, tenant);
        change(&mut record);
        self.node.store.commit_and_wait(records::put(Batch::new(), &record)).unwrap();
    }
}

fn record(id: CallId, tenant: &str) -> CallRecord {
    let started = id.millis() as f64 / 1000.0;
    CallRecord {
        id,
        tenant: tenant.to_owned(),
        direction: Direction::Inbound,
        from: Party { number: "+359888123456".to_owned(), name: None, uri: "tel:+359888123456".to_owned() },
        dialled: "+35921234567".to_owned(),
        source: None,
        script: "mine".to_owned(),
        version: "00".to_owned(),
        started,
        answered: Some(started),
        ended: started + 10.0,
        wait: Duration::from_secs(4),
        talk: Duration::from_secs(6),
        outcome: Outcome::Answered,
        answered_by: Some("ana".to_owned()),
        legs: Vec::new(),
        tags: vec![("count".to_owned(), "5".to_owned())],
        recordings: Vec::new(),
        failure: None,
    }
}

fn echo() -> &'static [u8] {
    crate::shipped::find("strowger/echo").unwrap().component
}

/// The same component with one more custom section (component model binary format: section 0), so
/// with another hash.
fn another_echo() -> Vec<u8> {
    [echo(), &[0, 2, 1, b'x']].concat()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_refusal_is_a_problem_document() {
    let api = Served::new();
    let long = "x".repeat(MOST_JSON + 1);
    let cases = [
        ("GET", "/nowhere", "operator", "", 404),
        ("DELETE", "/v1/tenants", "operator", "", 405),
        ("GET", "/v1/tenants/nobody/users", "operator", "", 404),
        ("GET", "/v1/tenants/acme/users", "wrong", "", 401),
        ("GET", "/v1/tenants/acme/calls?limit=0", "operator", "", 400),
        ("GET", "/v1/tenants/acme/calls?limit=many", "operator", "", 400),
        ("GET", "/v1/tenants/acme/calls?from=yesterday", "operator", "", 400),
        ("GET", "/v1/tenants/acme/calls?outcome=fine", "operator", "", 400),
        ("GET", "/v1/tenants/acme/calls/no-id", "operator", "", 404),
        ("PUT", "/v1/tenants/acme/scripts/mine", "operator", "hello", 422),
        ("PUT", "/v1/tenants/acme/scripts/Mine", "operator", "hello", 422),
        ("PUT", "/v1/tenants/acme/prompts/welcome", "operator", "hello", 422),
        ("POST", "/v1/tenants/acme/scripts/mine/activate", "operator", "{}", 422),
        ("POST", "/v1/tenants/acme/scripts/mine/activate", "operator", "{\"version\":\"00\"}", 404),
        ("POST", "/v1/tenants/acme/scripts/mine/activate", "operator", long.as_str(), 413),
    ];
    for (method, path, token, body, expected) in cases {
        let (status, headers, problem) = api.ask(method, path, token, body.to_owned()).await;
        assert_eq!(status, expected, "{method} {path}: {problem}");
        // RFC 9457 §3: its media type, and `status` the same as the response's.
        assert_eq!(headers["content-type"], "application/problem+json", "{method} {path}");
        assert_eq!(problem["status"], expected, "{method} {path}: {problem}");
        assert!(problem["title"].is_string() && !problem["detail"].as_str().unwrap().is_empty(), "{problem}");
    }
    let (_, headers, _) = api.ask("DELETE", "/v1/tenants", "operator", "").await;
    assert!(headers["allow"].to_str().unwrap().contains("GET"), "RFC 9110 §15.5.6");
    let (_, headers, _) = api.ask("GET", "/v1/tenants", "wrong", "").await;
    assert_eq!(headers["www-authenticate"], "Bearer", "RFC 9110 §15.5.2");
}

/// A letter that is none.
const LETTER: &str = "/v1/tenants/acme/outbox/01KAG2M7V8Q4ZJ6T9X5B3N1C0D-1000";
const RETRY: &str = "/v1/tenants/acme/outbox/01KAG2M7V8Q4ZJ6T9X5B3N1C0D-1000/retry";

#[tokio::test(flavor = "multi_thread")]
async fn a_role_may_what_it_may_and_nothing_crosses_tenants() {
    let api = Served::new();
    let id = CallId::new(1_795_000_000_000, 1);
    api.keep(id, "bell", |_| {});
    let hangup = format!("/v1/tenants/acme/calls/{UP}/hangup");
    let cases = [
        ("GET", "/v1/tenants/acme/users", "acme-reader", 200),
        ("GET", "/v1/tenants/acme/calls", "acme-reader", 200),
        ("POST", hangup.as_str(), "acme-reader", 403),
        ("POST", hangup.as_str(), "acme-agent", 204),
        ("PUT", "/v1/tenants/acme/scripts/mine", "acme-agent", 403),
        // What others are told of callers, and told once more, is for who administers the tenant.
        ("GET", "/v1/tenants/acme/outbox", "acme-developer", 403),
        ("GET", "/v1/tenants/acme/outbox", "acme-admin", 200),
        ("GET", LETTER, "acme-agent", 403),
        ("GET", LETTER, "acme-admin", 404),
        ("POST", RETRY, "acme-agent", 403),
        ("POST", RETRY, "acme-admin", 404),
        ("DELETE", LETTER, "acme-developer", 403),
        ("DELETE", LETTER, "bell-admin", 403),
        ("GET", "/v1/tenants/acme/users", "bell-admin", 403),
        ("GET", "/v1/tenants/nobody/users", "bell-admin", 403),
        ("POST", "/v1/reload", "bell-admin", 403),
        ("GET", "/metrics", "bell-admin", 403),
        ("GET", "/metrics", "operator", 200),
        ("POST", "/v1/reload", "operator", 204),
        ("GET", "/v1/bans", "acme-admin", 403),
        ("GET", "/v1/bans", "operator", 200),
        ("DELETE", "/v1/bans/192.0.2.66", "operator", 404),
        ("DELETE", "/v1/bans/everybody", "operator", 404),
    ];
    for (method, path, token, expected) in cases {
        let (status, _, body) = api.ask(method, path, token, "").await;
        assert_eq!(status, expected, "{token} {method} {path}: {body}");
    }
    assert_eq!(*api.fake.hung_up.lock().unwrap(), [("acme".to_owned(), UP)]);
    assert_eq!(api.get(&format!("/v1/tenants/bell/calls/{id}"), "bell-admin").await.0, 200);
    assert_eq!(api.get(&format!("/v1/tenants/acme/calls/{id}"), "acme-developer").await.0, 404);
    let (_, own) = api.get("/v1/tenants", "bell-admin").await;
    let names: Vec<_> =
        own["tenants"].as_array().unwrap().iter().map(|t| t["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["bell"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn scripts_are_loaded_activated_and_still_there_after_a_restart() {
    let api = Served::new();
    let path = "/v1/tenants/acme/scripts/mine";
    let (status, headers, first) = api.ask("PUT", path, "acme-developer", echo()).await;
    assert_eq!((status, &first["active"]), (201, &json!(true)), "{first}");
    let first = first["version"].as_str().unwrap().to_owned();
    assert!(headers["location"].to_str().unwrap().ends_with(&first));
    let (_, _, second) =
        api.ask("PUT", &format!("{path}?activate=false"), "acme-developer", another_echo()).await;
    assert_eq!(second["active"], false, "{second}");
    let second = second["version"].as_str().unwrap().to_owned();
    let active = |api: &Served| api.node.scripts.active("acme", "mine").unwrap().hash().to_owned();
    assert_eq!(active(&api), first);

    let body = json!({ "version": second }).to_string();
    let (status, _, script) = api.ask("POST", &format!("{path}/activate"), "acme-developer", body).await;
    assert_eq!((status, &script["previous"]), (200, &json!(first)), "{script}");
    assert_eq!(active(&api), second);
    let (status, _, _) = api.ask("PUT", path, "acme-developer", vec![0; (1 << 20) + 1]).await;
    assert_eq!(status, 413);

    let api = api.again();
    assert_eq!(active(&api), second);
    let (_, script) = api.get(path, "acme-reader").await;
    let versions: Vec<_> =
        script["versions"].as_array().unwrap().iter().map(|v| v["version"].clone()).collect();
    assert_eq!(versions, [json!(first), json!(second)]);
    let response = api.send("GET", &format!("{path}/versions/{first}"), "acme-developer", "").await;
    assert_eq!(to_bytes(response.into_body(), 4 << 20).await.unwrap(), echo());
    assert!(api.node.scripts.active("bell", "mine").is_none());
    assert!(api.node.scripts.active("bell", "strowger/menu").is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_fit_is_named() {
    let api = Served::new();
    let empty: &[u8] = b"\0asm\x0d\0\x01\0";
    let (status, _, problem) = api.ask("PUT", "/v1/tenants/acme/scripts/mine", "acme-developer", empty).await;
    assert_eq!(status, 422);
    let places: Vec<_> =
        problem["problems"].as_array().unwrap().iter().map(|p| p["place"].as_str().unwrap()).collect();
    assert!(places.contains(&"export on-call"), "{problem}");
}

/// A WAV file of 8 kHz, mono, 16 bits (RIFF, format tag 1).
fn half_a_second() -> Vec<u8> {
    let sound = 8000u32.to_le_bytes();
    let header =
        [&b"RIFF"[..], &8036u32.to_le_bytes(), b"WAVEfmt ", &16u32.to_le_bytes(), b"\x01\0\x01\0"].concat();
    let rates = [&sound[..], &16_000u32.to_le_bytes(), b"\x02\0\x10\0data", &sound].concat();
    [header, rates, vec![0; 8000]].concat()
}

#[tokio::test(flavor = "multi_thread")]
async fn prompts_are_kept_as_given() {
    let api = Served::new();
    let path = "/v1/tenants/acme/prompts/welcome";
    let wav = half_a_second();
    let (status, _, kept) = api.ask("PUT", path, "acme-developer", wav.clone()).await;
    assert_eq!(status, 201, "{kept}");
    assert_eq!(kept["seconds"], 0.5, "{kept}");
    let (status, _, _) =
        api.ask("PUT", "/v1/tenants/acme/prompts/long", "acme-developer", vec![0; 65 << 10]).await;
    assert_eq!(status, 413);
    let api = api.again();
    let response = api.send("GET", path, "acme-reader", "").await;
    assert_eq!(to_bytes(response.into_body(), 1 << 20).await.unwrap(), wav);
    assert_eq!(api.get("/v1/tenants/bell/prompts/welcome", "bell-admin").await.0, 404);
    let file = api.node.prompts.own("acme", "welcome", "bg-BG").unwrap();
    assert_eq!(std::fs::read(file).unwrap(), wav);
    assert_eq!(api.node.prompts.own("acme", "../strowger", "en"), None);
    assert_eq!(api.node.recordings.find("acme", "../strowger"), None);
    assert_eq!(api.ask("DELETE", path, "acme-developer", "").await.0, 204);
    assert_eq!(api.ask("DELETE", path, "acme-developer", "").await.0, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_register_is_read_by_pages_and_filters() {
    let api = Served::new();
    let id = |n: u64| CallId::new(1_795_000_000_000 + n * 1000, u128::from(n));
    for n in 0..7 {
        api.keep(id(n), "acme", |record| {
            if n % 2 == 1 {
                (record.outcome, record.answered_by) = (Outcome::Missed, None);
            }
        });
    }
    api.keep(id(3), "bell", |_| {});
    let mut found = Vec::new();
    let mut cursor = String::new();
    loop {
        let (status, page) = api.get(&format!("/v1/tenants/acme/calls?limit=3{cursor}"), "acme-reader").await;
        assert_eq!(status, 200, "{page}");
        let ids =
            page["calls"].as_array().unwrap().iter().map(|call| call["id"].as_str().unwrap().to_owned());
        found.extend(ids);
        let Some(next) = page["next"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(found, (0..7).rev().map(|n| id(n).to_string()).collect::<Vec<_>>(), "newest first, each once");

    let count = async |query: &str| {
        let (status, page) = api.get(&format!("/v1/tenants/acme/calls?{query}"), "acme-reader").await;
        assert_eq!(status, 200, "{query}: {page}");
        page["calls"].as_array().unwrap().len()
    };
    assert_eq!(count("outcome=missed").await, 3);
    assert_eq!(count("agent=ana").await, 4);
    assert_eq!(count("number=123456").await, 7);
    assert_eq!(count("number=999").await, 0);
    assert_eq!(count("from=2026-11-18T13:06:43%2B02:00").await, 4, "1795000003 is 13:06:43 in Sofia");
    assert_eq!(count("from=2026-11-18T11:06:43Z&to=2026-11-18T11:06:45Z").await, 2);
    assert_eq!(count("from=2026-11-18T11:06:45Z&to=2026-11-18T11:06:43Z").await, 0);

    let (_, call) = api.get(&format!("/v1/tenants/acme/calls/{}", id(2)), "acme-reader").await;
    assert_eq!(call["started"], "2026-11-18T13:06:42.000+02:00");
    assert_eq!(
        (&call["wait"], &call["outcome"], &call["direction"]),
        (&json!(4.0), &json!("answered"), &json!("inbound"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn tapes_are_for_developers_and_damage_is_told() {
    let api = Served::new();
    let batch = layout::put_tape(Batch::new(), "acme", UP.0, b"no tape");
    api.node.store.commit_and_wait(batch).unwrap();
    let path = format!("/v1/tenants/acme/calls/{UP}/tape");
    assert_eq!(api.get(&path, "acme-agent").await.0, 403);
    assert_eq!(api.get(&path, "acme-developer").await.0, 500);
    assert_eq!(api.get(&format!("/v1/tenants/acme/calls/{}/tape", CallId(8)), "acme-developer").await.0, 404);
}

/// The next events of a stream, as "id event data".
async fn next(body: &mut axum::body::BodyDataStream, count: usize) -> Vec<(String, String, Value)> {
    let mut text = String::new();
    while text.matches("\n\n").count() < count {
        text.push_str(std::str::from_utf8(&body.next().await.unwrap().unwrap()).unwrap());
    }
    let field = |event: &str, name: &str| {
        event.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default().trim().to_owned()
    };
    let read = |event: &str| {
        let data = serde_json::from_str(&field(event, "data:")).unwrap();
        (field(event, "id:"), field(event, "event:"), data)
    };
    text.split_terminator("\n\n").map(read).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_goes_on_after_the_last_event_that_was_read() {
    let api = Served::new();
    let follow = async |last: Option<&str>| {
        let request =
            Request::builder().uri("/v1/tenants/acme/events").header("authorization", "Bearer acme-reader");
        let request = last.into_iter().fold(request, |request, id| request.header("last-event-id", id));
        let response = api.router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        response.into_body().into_data_stream()
    };
    api.node.events.publish("acme", "before", json!(0));
    let mut stream = follow(None).await;
    for n in 1..=3 {
        api.node.events.publish("acme", "count", json!(n));
        api.node.events.publish("bell", "secret", json!(n));
    }
    let read = next(&mut stream, 1).await;
    let (id, kind, data) = &read[0];
    assert_eq!((kind.as_str(), &data["data"]), ("count", &json!(1)), "what was before is not news");
    drop(stream);

    let mut stream = follow(Some(id)).await;
    let rest: Vec<_> =
        next(&mut stream, 2).await.into_iter().map(|(_, _, data)| data["data"].clone()).collect();
    assert_eq!(rest, [json!(2), json!(3)], "nothing is skipped, nothing comes twice");

    let mut stream = follow(Some("1-400")).await;
    let read = next(&mut stream, 5).await;
    assert_eq!(read[0].1, "lost", "another start of the process: {read:?}");
    assert_eq!(read.len(), 5);

    let position = id.split_once('-').unwrap().0;
    for n in 0..crate::events::KEPT {
        api.node.events.publish("acme", "count", json!(n));
    }
    let mut stream = follow(Some(&format!("{position}-1"))).await;
    let read = next(&mut stream, 1).await;
    assert_eq!(
        (read[0].1.as_str(), &read[0].2["count"]),
        ("lost", &json!(3)),
        "4 and 10000 later, 10000 kept"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reload_takes_all_or_nothing() {
    let api = Served::new();
    let file = api.folder.path().join("strowger.toml");
    std::fs::write(&file, WORLD.replace("number = \"101\"", "nummer = \"101\"")).unwrap();
    let (status, _, problem) = api.ask("POST", "/v1/reload", "operator", "").await;
    assert_eq!(status, 422);
    let line = 1 + WORLD.lines().position(|line| line.contains("number")).unwrap();
    let places: Vec<_> =
        problem["problems"].as_array().unwrap().iter().map(|p| p["place"].as_str().unwrap()).collect();
    assert!(
        places.iter().any(|place| Path::new(place).ends_with(format!("strowger.toml:{line}"))),
        "{problem}"
    );
    assert!(api.node.world().tenant("acme").unwrap().user("101").is_some(), "the world before goes on");

    std::fs::write(&file, WORLD.replace("\"101\"", "\"111\"")).unwrap();
    assert_eq!(api.ask("POST", "/v1/reload", "operator", "").await.0, 204);
    assert!(api.node.world().tenant("acme").unwrap().user("111").is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_api_describes_itself() {
    let api = Served::new();
    let (status, described) = api.get("/v1/openapi.json", "").await;
    assert_eq!(status, 200);
    let paths = described["paths"].as_object().unwrap();
    for path in ["/v1/tenants/{tenant}/scripts/{name}", "/v1/tenants/{tenant}/calls/{id}/tape", "/v1/reload"]
    {
        assert!(paths.contains_key(path), "{path} is missing");
    }
    // What is described is there: every path answers something else than 404 without a page.
    for (path, methods) in paths {
        for method in methods.as_object().unwrap().keys() {
            let concrete =
                path.replace("{tenant}", "acme").replace("{name}", "x").replace("{id}", &UP.to_string());
            let concrete = concrete.replace("{version}", "00");
            let (status, _, problem) = api.ask(&method.to_uppercase(), &concrete, "wrong", "").await;
            let expected = match path.as_str() {
                "/healthz" | "/readyz" => 200,
                // The link is the token.
                "/shared/{link}" => 404,
                _ => 401,
            };
            assert_eq!(status, expected, "{method} {path}: {problem}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_stops_is_not_ready_and_a_folder_is_one_process_s() {
    let api = Served::new();
    assert_eq!(api.get("/readyz", "").await.0, 200);
    let world = (*api.node.world()).clone();
    let second = Node::open(world, None, tokio::runtime::Handle::current(), None);
    assert!(matches!(second, Err(crate::node::StartError::InUse(_))));
    api.node.stop(std::future::pending()).await;
    assert_eq!(api.get("/readyz", "").await.0, 503);
    assert_eq!(api.get("/healthz", "").await.0, 200);
}

#[tokio::test(start_paused = true)]
async fn a_stop_waits_for_a_call_whose_answer_has_only_just_left() {
    let api = Served::new();
    api.fake.just_answered.store(1, Ordering::SeqCst);
    let node = api.node.clone();
    let mut stop = tokio::spawn(async move { node.stop(std::future::pending()).await });
    assert!(tokio::time::timeout(Duration::from_secs(1), &mut stop).await.is_err(), "the call is cut off");
    api.fake.live.store(0, Ordering::SeqCst);
    stop.await.unwrap();
}

mod control;
mod queues;
mod recordings;
mod register;
mod tasks;
mod versions;
