//! CRMs outside: each well-known one as a fake that takes nothing but what its documentation says, and those that answer
//! badly, slowly or not at all.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::body::{Body as Answered, to_bytes};
use axum::extract::Request;
use axum::http::Response as Answer;
use serde_json::json;
use tokio::net::TcpListener;

use super::*;
use crate::crm::plan;

/// A request as the CRM sees it.
struct Asked {
    method: String,
    /// With its query.
    path: String,
    headers: axum::http::HeaderMap,
    body: Value,
    /// That body as it came.
    text: String,
}

/// A CRM: answers of a function, and how often it was asked.
struct Fake {
    url: String,
    asked: Arc<AtomicUsize>,
}

async fn fake(answer: impl Fn(Asked) -> Answer<Answered> + Clone + Send + Sync + 'static) -> Fake {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    let handle = move |request: Request| {
        let (answer, count) = (answer.clone(), count.clone());
        async move {
            count.fetch_add(1, Ordering::Relaxed);
            let (parts, body) = request.into_parts();
            let body = to_bytes(body, 1 << 20).await.unwrap_or_default();
            let path = parts.uri.path_and_query().map(ToString::to_string).unwrap_or_default();
            let text = String::from_utf8_lossy(&body).into_owned();
            let body = serde_json::from_slice(&body).unwrap_or_default();
            answer(Asked { method: parts.method.to_string(), path, headers: parts.headers, body, text })
        }
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback(handle)).await });
    Fake { url, asked }
}

fn says(status: u16, body: &Value) -> Answer<Answered> {
    Answer::builder().status(status).body(Answered::from(body.to_string())).expect("an answer")
}

/// What a server says whatever it is asked.
type Says = Box<dyn Fn() -> Answer<Answered> + Send + Sync>;

/// What a strict server says to what its documentation does not know.
fn refused(asked: &Asked) -> Answer<Answered> {
    says(400, &json!({ "refused": format!("{} {} {}", asked.method, asked.path, asked.body) }))
}

fn has(asked: &Asked, name: &str, value: &str) -> bool {
    asked.headers.get(name).is_some_and(|known| known == value)
}

fn remote(plan: Plan, fake: &Fake, token: (&str, &str)) -> Remote {
    let text = |text: &str| Text::try_from(text.to_owned()).expect("a text");
    let settings = Settings {
        plan,
        url: Secret::new(fake.url.as_str()),
        headers: vec![(token.0.into(), Secret::new(token.1))],
        oauth: None,
        timeout: Duration::from_secs(2),
        cache: Duration::from_secs(60),
        owners: vec![("ana".into(), "17".into()), ("vera".into(), "18".into())],
        recordings: Some(text("https://pbx.acme.example/calls/{call}")),
    };
    Remote::new(settings).expect("a CRM")
}

/// The same, which waits a tenth of a second and remembers nothing.
fn hasty(fake: &Fake) -> Remote {
    let plan = json!({ "find": { "path": "/contacts?q={digits}", "items": "/results", "id": "/id", "name": "/name" } });
    let plan = serde_json::from_value(plan).expect("a plan");
    let mut remote = remote(plan, fake, ("x-token", "t"));
    (remote.settings.timeout, remote.settings.cache) = (Duration::from_millis(100), Duration::ZERO);
    remote
}

const MARIA: &str = "+359888123456";

/// What a task of Maria's says.
fn values(contact: &str, deal: &str) -> Values {
    let all = [
        ("number", MARIA),
        ("title", "Call back Maria"),
        ("text", "Called twice"),
        ("owner", "17"),
        ("agent", "18"),
        ("due", "2026-11-23T08:00:00.000Z"),
        ("due_date", "2026-11-23"),
        ("due_time", "08:00"),
        ("due_unix", "1795420800"),
        ("at", "2026-11-22T13:00:00.000Z"),
        ("at_text", "2026-11-22 13:00:00"),
        ("at_unix", "1795352400"),
        ("ended_text", "2026-11-22 13:01:00"),
        ("seconds", "50"),
        ("milliseconds", "50000"),
        ("from", MARIA),
        ("to", "+35921234567"),
        ("key", "KEY-1"),
        ("task", "900"),
        ("contact", contact),
        ("deal", deal),
    ];
    all.into_iter().map(|(name, value)| (name, value.to_owned())).collect()
}

/// Maria is found with her deal's owner, a task is made and finished, and a call is told.
async fn does_all(remote: &Remote, contact: &str, deal: &str, task: &str) {
    let found = remote.find(MARIA).await.expect("an answer").expect("Maria");
    assert_eq!((found.contact.id.as_str(), found.contact.name.as_str()), (contact, "Maria Petrova"));
    assert_eq!((found.contact.owner.as_deref(), found.deal.as_deref()), (Some("vera"), Some(deal)));
    assert!(found.contact.fields.contains(&("deal".to_owned(), "A big one".to_owned())), "{found:?}");
    let plan = remote.plan().clone();
    let mut values = values(contact, deal);
    let (made, id) = remote.tell(&plan.create_task.expect("it makes tasks"), &values, "KEY-1").await;
    assert_eq!((made, id.as_deref()), (Report::Delivered, Some(task)));
    values.insert("task", task.to_owned());
    let (finished, _) = remote.tell(&plan.finish_task.expect("it finishes them"), &values, "KEY-2").await;
    assert_eq!(finished, Report::Delivered);
    if let Some(done) = plan.done_task {
        assert_eq!(remote.tell(&done, &values, "KEY-3").await.0, Report::Delivered);
    }
    values.insert("direction", remote.word("direction", "inbound"));
    values.insert("outcome", remote.word("outcome", "answered"));
    values.insert("recording", remote.recording("CALL").expect("a link"));
    let (told, _) = remote.tell(&plan.log_call.expect("it takes calls"), &values, "KEY-4").await;
    assert_eq!(told, Report::Delivered);
}

#[tokio::test]
async fn hubspot_is_asked_and_told_as_it_documents() {
    let crm = fake(|asked| {
        let body = &asked.body;
        if !has(&asked, "authorization", "Bearer secret") {
            return says(401, &json!({ "category": "INVALID_AUTHENTICATION" }));
        }
        let of = |kind: u16| json!([{ "to": { "id": "501" }, "types": [{ "associationCategory": "HUBSPOT_DEFINED", "associationTypeId": kind }] }]);
        match (asked.method.as_str(), asked.path.as_str()) {
            ("POST", "/crm/v3/objects/contacts/search") if body["query"] == "8123456" => says(
                200,
                &json!({ "total": 2, "results": [
                { "id": "500", "properties": { "firstname": "Ivan", "lastname": null, "phone": "+1 888 8123456", "hubspot_owner_id": "17" } },
                { "id": "501", "properties": { "firstname": "Maria", "lastname": "Petrova", "phone": "0888 123 456", "mobilephone": null, "hubspot_owner_id": "17" } },
            ] }),
            ),
            ("POST", "/crm/v3/objects/deals/search") => {
                let filters = json!([
                    { "propertyName": "associations.contact", "operator": "EQ", "value": "501" },
                    { "propertyName": "hs_is_closed", "operator": "EQ", "value": "false" },
                ]);
                assert_eq!(body["filterGroups"], json!([{ "filters": filters }]));
                says(
                    200,
                    &json!({ "total": 1, "results": [{ "id": "77", "properties": { "dealname": "A big one", "hubspot_owner_id": "18" } }] }),
                )
            }
            ("POST", "/crm/v3/objects/tasks") if body["properties"]["hs_timestamp"].is_string() => {
                assert_eq!(body["associations"], of(204));
                assert!(
                    ["NOT_STARTED", "COMPLETED"]
                        .contains(&body["properties"]["hs_task_status"].as_str().unwrap_or_default())
                );
                says(201, &json!({ "id": "900", "properties": {} }))
            }
            ("PATCH", "/crm/v3/objects/tasks/900") => {
                assert_eq!(*body, json!({ "properties": { "hs_task_status": "COMPLETED" } }));
                says(200, &json!({ "id": "900" }))
            }
            ("POST", "/crm/v3/objects/calls") => {
                let of_call = &body["properties"];
                assert_eq!(
                    (&of_call["hs_call_direction"], &of_call["hs_call_status"]),
                    (&json!("INBOUND"), &json!("COMPLETED"))
                );
                assert_eq!(
                    (&of_call["hs_call_duration"], &of_call["hubspot_owner_id"]),
                    (&json!("50000"), &json!("18"))
                );
                assert_eq!(of_call["hs_call_recording_url"], "https://pbx.acme.example/calls/CALL");
                assert_eq!(body["associations"], of(194));
                says(201, &json!({ "id": "901" }))
            }
            _ => refused(&asked),
        }
    });
    let plan = plan::preset("hubspot").expect("a plan");
    does_all(&remote(plan, &crm.await, ("Authorization", "Bearer secret")), "501", "77", "900").await;
}

#[tokio::test]
async fn pipedrive_is_asked_and_told_as_it_documents() {
    let crm = fake(|asked| {
        let body = &asked.body;
        if !has(&asked, "x-api-token", "secret") {
            return says(401, &json!({ "success": false }));
        }
        match (asked.method.as_str(), asked.path.as_str()) {
            ("GET", "/v1/persons/search?term=8123456&fields=phone&limit=20") => says(
                200,
                &json!({ "success": true, "data": { "items": [
                { "result_score": 0.5, "item": { "id": 500, "name": "Ivan", "phones": ["+40 722 8123456"], "owner": { "id": 17 } } },
                { "result_score": 0.4, "item": { "id": 501, "name": "Maria Petrova", "phones": ["+359 2 999", "+359 888 123-456"], "owner": { "id": 17 }, "organization": { "id": 1, "name": "Petrov" } } },
            ] } }),
            ),
            ("GET", "/v1/persons/501/deals?status=open&limit=1&sort=add_time%20DESC") => says(
                200,
                &json!({ "success": true, "data": [{ "id": 77, "title": "A big one", "user_id": { "id": 18, "name": "Vera" } }] }),
            ),
            ("POST", "/v1/activities") => {
                assert_eq!(
                    (&body["type"], &body["person_id"], &body["deal_id"], &body["user_id"]),
                    (&json!("call"), &json!(501), &json!(77), &json!(17))
                );
                if body["done"] == 0 {
                    assert_eq!(
                        (&body["due_date"], &body["due_time"]),
                        (&json!("2026-11-23"), &json!("08:00"))
                    );
                }
                says(201, &json!({ "success": true, "data": { "id": 900 } }))
            }
            ("PUT", "/v1/activities/900") if *body == json!({ "done": 1 }) => {
                says(200, &json!({ "success": true, "data": { "id": 900 } }))
            }
            ("POST", "/v1/callLogs") => {
                for (field, value) in [
                    ("outcome", "connected"),
                    ("to_phone_number", "+35921234567"),
                    ("start_time", "2026-11-22 13:00:00"),
                    ("end_time", "2026-11-22 13:01:00"),
                    ("duration", "50"),
                ] {
                    assert_eq!(body[field], value, "{field}");
                }
                says(200, &json!({ "success": true, "data": { "id": "cl_1" } }))
            }
            _ => refused(&asked),
        }
    });
    let plan = plan::preset("pipedrive").expect("a plan");
    does_all(&remote(plan, &crm.await, ("x-api-token", "secret")), "501", "77", "900").await;
}

#[tokio::test]
async fn bitrix24_is_asked_and_told_as_it_documents() {
    let crm = fake(|asked| {
        let body = &asked.body;
        let answer = match asked.path.as_str() {
            "/crm.duplicate.findbycomm.json" => {
                assert_eq!((&body["entity_type"], &body["type"]), (&json!("CONTACT"), &json!("PHONE")));
                let values = body["values"].as_array().expect("values");
                assert!(values.contains(&json!(MARIA)) && values.len() <= 20, "{values:?}");
                json!({ "CONTACT": [501] })
            }
            "/crm.contact.get.json" if body["id"] == "501" => {
                json!({ "ID": "501", "NAME": "Maria", "LAST_NAME": "Petrova", "ASSIGNED_BY_ID": "17", "PHONE": [{ "ID": "1", "VALUE": "+359888123456", "VALUE_TYPE": "WORK" }] })
            }
            "/crm.deal.list.json" => {
                assert_eq!(body["filter"], json!({ "CONTACT_ID": "501", "CLOSED": "N" }));
                json!([{ "ID": "77", "TITLE": "A big one", "ASSIGNED_BY_ID": "18" }])
            }
            "/tasks.task.add.json" => {
                let fields = &body["fields"];
                assert_eq!(
                    (&fields["RESPONSIBLE_ID"], &fields["UF_CRM_TASK"]),
                    (&json!("17"), &json!(["C_501", "D_77"]))
                );
                assert!(fields["TITLE"].is_string() && fields["DEADLINE"].is_string());
                json!({ "task": { "id": "900" } })
            }
            "/tasks.task.complete.json" if body["taskId"] == "900" => json!({ "task": { "id": "900" } }),
            "/crm.timeline.comment.add.json" => {
                assert_eq!(
                    (&body["fields"]["ENTITY_ID"], &body["fields"]["ENTITY_TYPE"]),
                    (&json!("501"), &json!("contact"))
                );
                json!(31)
            }
            _ => return refused(&asked),
        };
        says(200, &json!({ "result": answer, "time": {} }))
    });
    let plan = plan::preset("bitrix24").expect("a plan");
    does_all(&remote(plan, &crm.await, ("x-unused", "x")), "501", "77", "900").await;
}

#[tokio::test]
async fn kommo_is_asked_and_told_as_it_documents() {
    let crm = fake(|asked| {
        let body = &asked.body;
        if !has(&asked, "authorization", "Bearer secret") {
            return says(401, &json!({ "title": "Unauthorized" }));
        }
        match (asked.method.as_str(), asked.path.as_str()) {
            ("GET", "/api/v4/contacts?query=8123456&with=leads&limit=20") => says(
                200,
                &json!({ "_embedded": { "contacts": [{
                "id": 501, "name": "Maria Petrova", "responsible_user_id": 17,
                "custom_fields_values": [
                    { "field_code": "EMAIL", "values": [{ "value": "maria@example.com" }] },
                    { "field_code": "PHONE", "values": [{ "value": "0888123456", "enum_code": "WORK" }] },
                ],
                "_embedded": { "leads": [{ "id": 77 }] },
            }] } }),
            ),
            ("GET", "/api/v4/leads/77") => says(
                200,
                &json!({ "id": 77, "name": "A big one", "responsible_user_id": 18, "closed_at": null }),
            ),
            ("POST", "/api/v4/tasks") => {
                assert_eq!(
                    *body,
                    json!([{
                        "task_type_id": 1, "text": "Call back Maria", "complete_till": 1_795_420_800, "responsible_user_id": 17,
                        "entity_id": 501, "entity_type": "contacts",
                    }])
                );
                says(200, &json!({ "_embedded": { "tasks": [{ "id": 900, "request_id": "0" }] } }))
            }
            ("PATCH", "/api/v4/tasks/900") if body["is_completed"] == true => {
                says(200, &json!({ "id": 900 }))
            }
            ("POST", "/api/v4/calls") => {
                let call = &body[0];
                assert_eq!(
                    (&call["direction"], &call["duration"], &call["call_status"]),
                    (&json!("inbound"), &json!(50), &json!(4))
                );
                assert_eq!(
                    (&call["phone"], &call["uniq"], &call["source"]),
                    (&json!(MARIA), &json!("KEY-1"), &json!("strowger"))
                );
                says(200, &json!({ "_embedded": { "calls": [{ "id": 1 }] }, "errors": [] }))
            }
            _ => refused(&asked),
        }
    });
    let plan = plan::preset("kommo").expect("a plan");
    let crm = crm.await;
    does_all(&remote(plan.clone(), &crm, ("Authorization", "Bearer secret")), "501", "77", "900").await;
    // A lead that is closed is nobody's any more, and nothing found is 204.
    let closed = fake(|asked| match asked.path.as_str() {
        "/api/v4/leads/77" => says(
            200,
            &json!({ "id": 77, "name": "An old one", "responsible_user_id": 18, "closed_at": 1_700_000_000 }),
        ),
        path if path.contains("8123456") => says(
            200,
            &json!({ "_embedded": { "contacts": [{
            "id": 501, "name": "Maria Petrova", "responsible_user_id": 17, "custom_fields_values": [{ "values": [{ "value": MARIA }] }],
            "_embedded": { "leads": [{ "id": 77 }] },
        }] } }),
        ),
        _ => says(204, &Value::Null),
    });
    let remote = remote(plan, &closed.await, ("Authorization", "Bearer secret"));
    let found = remote.find(MARIA).await.expect("an answer").expect("Maria");
    assert_eq!((found.contact.owner.as_deref(), found.deal), (Some("ana"), None));
    assert_eq!(remote.find("+359888000000").await, Ok(None));
}

#[tokio::test]
async fn salesforce_is_asked_and_told_as_it_documents() {
    let crm = fake(|asked| {
        let body = &asked.body;
        if !has(&asked, "authorization", "Bearer secret") {
            return says(401, &json!([{ "errorCode": "INVALID_SESSION_ID" }]));
        }
        let path = asked.path.as_str();
        match asked.method.as_str() {
            "GET" if path.starts_with("/services/data/v61.0/search?q=FIND%20%7B359888123456%20OR%200888123456%7D%20IN%20PHONE%20FIELDS%20RETURNING%20Contact(") => {
                says(200, &json!({ "searchRecords": [{
                    "attributes": { "type": "Contact" }, "Id": "003A", "Name": "Maria Petrova", "Phone": null, "MobilePhone": "(0888) 123-456", "OwnerId": "17", "Account": null,
                }] }))
            }
            "GET" if path.starts_with("/services/data/v61.0/query?q=SELECT") && path.contains("ContactId%3D%27003A%27)") => {
                says(200, &json!({ "totalSize": 1, "done": true, "records": [{ "Id": "006A", "Name": "A big one", "OwnerId": "18" }] }))
            }
            "POST" if path == "/services/data/v61.0/sobjects/Task" && body["WhoId"] == "003A" && body["WhatId"] == "006A" => {
                assert!(["Not Started", "Completed"].contains(&body["Status"].as_str().unwrap_or_default()));
                if body["TaskSubtype"] == "Call" {
                    assert_eq!((&body["CallType"], &body["CallDurationInSeconds"], &body["OwnerId"]), (&json!("Inbound"), &json!(50), &json!("18")));
                }
                says(201, &json!({ "id": "00TA", "success": true, "errors": [] }))
            }
            "PATCH" if path == "/services/data/v61.0/sobjects/Task/00TA" => {
                assert_eq!(*body, json!({ "Status": "Completed" }));
                says(204, &Value::Null)
            }
            _ => refused(&asked),
        }
    });
    let plan = plan::preset("salesforce").expect("a plan");
    does_all(&remote(plan, &crm.await, ("Authorization", "Bearer secret")), "003A", "006A", "00TA").await;
}

#[tokio::test]
async fn what_was_found_is_good_for_its_time() {
    let crm = fake(|_| says(200, &json!({ "results": [{ "id": 1, "name": "Maria" }] }))).await;
    let mut remote = hasty(&crm);
    remote.settings.cache = Duration::from_secs(60);
    for number in [MARIA, "00359 888 123 456", "359888123456"] {
        assert_eq!(remote.find(number).await.expect("an answer").expect("Maria").contact.name, "Maria");
    }
    assert_eq!(crm.asked.load(Ordering::Relaxed), 1);
    remote.settings.cache = Duration::ZERO;
    assert!(remote.find(MARIA).await.is_ok() && remote.remembered(MARIA).is_some());
    assert_eq!(crm.asked.load(Ordering::Relaxed), 2);
    // What is no number is asked of nobody.
    assert_eq!(remote.find("anonymous").await, Ok(None));
    assert_eq!(crm.asked.load(Ordering::Relaxed), 2);
}

#[tokio::test]
async fn bad_answers_are_failures_and_soon_nobody_waits_for_them() {
    let large = Arc::new(vec![b' '; MOST_BYTES + 1]);
    let answers: [(&str, Says); 4] = [
        ("HTML", Box::new(|| Answer::new(Answered::from("<html><body>Please log in</body></html>")))),
        ("500", Box::new(|| says(500, &json!({ "results": [] })))),
        ("too large", Box::new(move || Answer::new(Answered::from(large.to_vec())))),
        (
            "a redirect",
            Box::new(|| {
                Answer::builder()
                    .status(302)
                    .header("location", "/login")
                    .body(Answered::empty())
                    .expect("an answer")
            }),
        ),
    ];
    for (what, answer) in answers {
        let answer = Arc::new(answer);
        let crm = fake(move |_| answer()).await;
        let remote = hasty(&crm);
        for _ in 0..FAILURES_TO_REST {
            let failed = remote.find(MARIA).await;
            assert!(matches!(failed, Err(Failure::Other(_) | Failure::TimedOut)), "{what}: {failed:?}");
        }
        assert_eq!(remote.find(MARIA).await, Err(Failure::Unreachable), "{what}");
        assert_eq!(crm.asked.load(Ordering::Relaxed), FAILURES_TO_REST as usize, "{what}");
    }
}

#[tokio::test]
async fn an_answer_that_never_ends_or_never_comes_costs_the_deadline_and_no_more() {
    // One takes the connection and says nothing; the other goes on for ever.
    let silent = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", silent.local_addr().expect("an address"));
    let silent_one = hasty(&Fake { url, asked: Arc::default() });
    let endless = fake(|_| {
        let drops = futures_util::stream::repeat_with(|| {
            Ok::<_, std::io::Error>(bytes::Bytes::from_static(&[b' '; 64]))
        });
        Answer::new(Answered::from_stream(drops))
    });
    let endless = hasty(&endless.await);
    for (what, remote) in [("silent", silent_one), ("endless", endless)] {
        let begun = Instant::now();
        let failed = remote.find(MARIA).await;
        assert!(matches!(failed, Err(Failure::TimedOut | Failure::Other(_))), "{what}: {failed:?}");
        assert!(begun.elapsed() < Duration::from_secs(2), "{what}: {:?}", begun.elapsed());
    }
    let closed = TcpListener::bind("127.0.0.1:0").await.expect("a port").local_addr().expect("an address");
    let gone = hasty(&Fake { url: format!("http://{closed}"), asked: Arc::default() });
    assert!(matches!(gone.find(MARIA).await, Err(Failure::Other(_) | Failure::TimedOut)));
}

#[tokio::test]
async fn rfc6585_4_a_pause_that_is_asked_for_is_kept() {
    let crm = fake(|_| {
        Answer::builder().status(429).header("retry-after", "30").body(Answered::empty()).expect("an answer")
    });
    let crm = crm.await;
    let remote = hasty(&crm);
    assert_eq!(remote.find(MARIA).await, Err(Failure::Limit("crm".into())));
    assert_eq!(remote.find(MARIA).await, Err(Failure::Unreachable));
    assert_eq!(crm.asked.load(Ordering::Relaxed), 1);
    let tell = serde_json::from_value::<Tell>(json!({ "path": "/tasks", "body": { "a": "{title}" } }))
        .expect("a step");
    let (told, _) = remote.tell(&tell, &values("", ""), "KEY").await;
    assert!(matches!(told, Report::Failed { after: Some(30_000), .. }), "{told:?}");
}

#[tokio::test]
async fn what_is_refused_for_good_is_told_apart_from_what_may_change() {
    let crm = fake(|asked| {
        assert!(has(&asked, "idempotency-key", "KEY") && has(&asked, "x-token", "t"));
        says(asked.path.trim_start_matches('/').parse().unwrap_or(500), &json!({ "why": "no" }))
    });
    let remote = hasty(&crm.await);
    let tell = |status: &str| {
        serde_json::from_value::<Tell>(json!({ "path": format!("/{status}"), "needs": "title" }))
            .expect("a step")
    };
    for (status, good) in [("400", true), ("422", true), ("401", false), ("409", false), ("500", false)] {
        let (report, _) = remote.tell(&tell(status), &values("", ""), "KEY").await;
        assert_eq!(matches!(report, Report::Refused(_)), good, "{status}: {report:?}");
    }
    // Nothing is told of what is not known.
    let unknown = Values::new();
    assert_eq!(remote.tell(&tell("500"), &unknown, "KEY").await, (Report::Delivered, None));
}

#[tokio::test]
async fn json_rpc_5_1_an_error_within_a_good_status_is_one() {
    let crm = fake(|asked| {
        let answer = match asked.path.as_str() {
            "/good" => json!({ "id": 1, "result": [7], "error": null }),
            _ => json!({ "id": 1, "error": { "code": -32602, "message": "no  such\nfield" } }),
        };
        says(200, &answer)
    });
    let crm = crm.await;
    let plan = |path: &str| {
        let find = json!({ "path": path, "items": "/result", "id": "" });
        serde_json::from_value(json!({ "error": "/error", "find": find })).expect("a plan")
    };
    let good = remote(plan("/good"), &crm, ("x-token", "t"));
    assert_eq!(good.find(MARIA).await.map(|found| found.map(|found| found.contact.id)), Ok(Some("7".into())));
    let bad = remote(plan("/bad"), &crm, ("x-token", "t"));
    let said = r#"it answers with an error: {"code":-32602,"message":"no  such\nfield"}"#.to_owned();
    assert_eq!(bad.find(MARIA).await, Err(Failure::Other(said.clone().replace("no  such", "no such"))));
    let tell = |path: &str| {
        serde_json::from_value::<Tell>(json!({ "path": path, "id": "/result/0" })).expect("a step")
    };
    let (report, made) = bad.tell(&tell("/bad"), &values("", ""), "KEY").await;
    assert!(matches!(report, Report::Failed { after: None, .. }) && made.is_none(), "{report:?}");
    assert_eq!(bad.tell(&tell("/good"), &values("", ""), "KEY").await, (Report::Delivered, Some("7".into())));
}

/// A CRM at which the n-th token is good until the next is given, and what its token endpoint was told.
async fn expiring(refuses: bool) -> (Fake, Arc<std::sync::Mutex<Vec<String>>>) {
    let given = Arc::new(std::sync::Mutex::new(Vec::new()));
    let told = given.clone();
    let crm = fake(move |asked| {
        let mut given = given.lock().expect("nobody panicked");
        if asked.path == "/token" {
            assert!(has(&asked, "content-type", "application/x-www-form-urlencoded"));
            given.push(asked.text);
            return match refuses {
                true => says(
                    400,
                    &json!({ "error": "invalid_grant", "error_description": "expired", "was": "s3cret" }),
                ),
                false => {
                    says(200, &json!({ "access_token": format!("t{}", given.len()), "token_type": "Bearer" }))
                }
            };
        }
        match has(&asked, "authorization", &format!("Bearer t{}", given.len())) && asked.path != "/ended" {
            true => says(200, &json!({ "results": [{ "id": "7" }] })),
            false => says(401, &json!({})),
        }
    });
    (crm.await, told)
}

fn with_oauth(fake: &Fake, refresh: Option<&str>) -> Remote {
    let plan = json!({ "find": { "path": "/contacts?q={digits}", "items": "/results", "id": "/id" } });
    let mut settings = hasty(fake).settings;
    settings.plan = serde_json::from_value(plan).expect("a plan");
    settings.headers.clear();
    settings.timeout = Duration::from_secs(2);
    settings.oauth = Some(Grant {
        url: format!("{}/token", fake.url),
        client: "us & co".into(),
        secret: Secret::new("s3cret"),
        refresh: refresh.map(Secret::new),
    });
    Remote::new(settings).expect("a CRM")
}

#[tokio::test]
async fn rfc6749_6_a_token_that_ended_is_renewed_and_the_request_made_again() {
    let (crm, told) = expiring(false).await;
    let remote = with_oauth(&crm, Some("r&1"));
    for _ in 0..2 {
        assert!(matches!(remote.find(MARIA).await, Ok(Some(found)) if found.contact.id == "7"));
    }
    let renewals = "client_id=us+%26+co&client_secret=s3cret&grant_type=refresh_token&refresh_token=r%261";
    assert_eq!(*told.lock().unwrap(), [renewals]);
    // The CRM gives a token to somebody else, which ends ours.
    told.lock().unwrap().push("another".into());
    assert!(matches!(remote.find(MARIA).await, Ok(Some(_))));
    assert_eq!(*told.lock().unwrap(), [renewals, "another", renewals]);
    // What is refused with a new token too is refused.
    let tell = serde_json::from_value::<Tell>(json!({ "path": "/ended" })).expect("a step");
    let (report, _) = remote.tell(&tell, &values("", ""), "KEY").await;
    assert!(matches!(&report, Report::Failed { why, .. } if why.starts_with("401")), "{report:?}");
    assert_eq!(told.lock().unwrap().len(), 4);
}

#[tokio::test]
async fn rfc6749_4_4_a_client_has_its_own_right_and_a_refusal_tells_no_secret() {
    let (crm, told) = expiring(true).await;
    let failed = with_oauth(&crm, None).find(MARIA).await;
    assert_eq!(
        failed,
        Err(Failure::Other("it gives no token: 400 Bad Request invalid_grant expired".into()))
    );
    assert_eq!(
        *told.lock().unwrap(),
        ["client_id=us+%26+co&client_secret=s3cret&grant_type=client_credentials"]
    );
}

/// A CRM whose refresh tokens are good once, and what its token endpoint was told.
async fn rotating() -> (Fake, Arc<std::sync::Mutex<Vec<String>>>) {
    let given = Arc::new(std::sync::Mutex::new(Vec::new()));
    let told = given.clone();
    let crm = fake(move |asked| {
        let mut given = given.lock().expect("nobody panicked");
        if asked.path != "/token" {
            return says(200, &json!({ "results": [{ "id": "7" }] }));
        }
        let used = asked.text.rsplit_once("refresh_token=").map(|(_, used)| used.to_owned());
        given.push(used.expect("a refresh token"));
        let n = given.len();
        says(200, &json!({ "access_token": format!("t{n}"), "refresh_token": format!("r{n}") }))
    });
    (crm.await, told)
}

#[tokio::test]
async fn rfc6749_6_a_refresh_token_that_was_replaced_outlives_the_process_until_another_is_configured() {
    let (crm, told) = rotating().await;
    let folder = tempfile::tempdir().expect("a folder");
    let used = || told.lock().expect("nobody panicked").clone();
    // The exchange starts, asks, and is stopped.
    let run = async |refresh: &str, tenant: &str| {
        let store = store::Store::open(folder.path(), &store::Options::default()).expect("a store");
        let remote = with_oauth(&crm, Some(refresh));
        remote.keep_token(&store, tenant);
        assert!(matches!(remote.find(MARIA).await, Ok(Some(_))));
        let kept = store.scan(&store::Scan::prefix(*b"j")).expect("the store reads");
        for (_, row) in kept {
            for secret in [&b"r1"[..], b"r2", b"r3", b"first", b"second"] {
                assert!(!row.windows(secret.len()).any(|part| part == secret), "it can be read in {row:?}");
            }
        }
    };
    run("first-token", "acme").await;
    run("first-token", "acme").await;
    run("first-token", "acme").await;
    assert_eq!(used(), ["first-token", "r1", "r2"]);
    // A person got another one from the CRM.
    run("second-token", "acme").await;
    run("second-token", "acme").await;
    assert_eq!(used()[3..], ["second-token", "r4"]);
    // Another tenant's is its own.
    run("second-token", "bell").await;
    assert_eq!(used()[5..], ["second-token"]);
}

#[tokio::test]
async fn a_token_that_comes_after_the_deadline_of_a_call_is_taken_all_the_same() {
    let (crm, told) = rotating().await;
    let folder = tempfile::tempdir().expect("a folder");
    let store = store::Store::open(folder.path(), &store::Options::default()).expect("a store");
    let mut remote = with_oauth(&crm, Some("first"));
    remote.keep_token(&store, "acme");
    remote.settings.timeout = Duration::ZERO;
    assert_eq!(remote.find(MARIA).await, Err(Failure::TimedOut));
    remote.settings.timeout = Duration::from_secs(5);
    assert!(matches!(remote.find(MARIA).await, Ok(Some(_))));
    assert_eq!(*told.lock().expect("nobody panicked"), ["first"], "what was given to the first call is used");
}
