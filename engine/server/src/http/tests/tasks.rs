//! Contacts and what is left to do for callers, as the API shows and changes them.

use std::time::Duration;

use exchange::{CallId, Outcome, Target};
use serde_json::json;
use store::Batch;

use super::{Served, record};
use crate::archive;
use crate::events::wall;

const MARIA: &str = "+359888123456";

/// Numbers that ring, and who is responsible.
const RULES: &str = "[[tenant.number]]\nnumber = \"+35921234567\"\nscript = \"strowger/echo\"\n[tenant.missed]\nby = \"10:00\"\nresponsible = \"boris\"\n[[tenant.notify]]\nname = \"chief\"\nevents = [\"call-back-late\"]\nwebhook = \"http://127.0.0.1:9/\"\n";

impl Served {
    /// A caller whom nobody answered, at a moment.
    async fn misses(&self, nth: u128, number: &str) -> CallId {
        let millis = (wall() * 1000.0) as u64 - 1_000_000 + nth as u64;
        self.ends(CallId::new(millis, nth), |call| {
            call.from.number = number.to_owned();
            (call.outcome, call.answered_by) = (Outcome::Missed, None);
        })
        .await
    }

    /// A call is over and its record is kept.
    async fn ends(&self, id: CallId, change: impl FnOnce(&mut exchange::CallRecord)) -> CallId {
        let mut call = record(id, "acme");
        change(&mut call);
        let (done, kept) = tokio::sync::oneshot::channel();
        let told = move |result: Result<(), store::StoreError>| drop(done.send(result));
        archive::seal(&self.node, &call, "", b"", &[], Box::new(told));
        kept.await.expect("it is told").expect("it is kept");
        self.settle();
        id
    }

    /// All that was handed to the store is on the disk, and whoever waited for it has heard.
    fn settle(&self) {
        self.node.store.commit_and_wait(Batch::new().delete(b"nothing".to_vec())).expect("a store");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_contact_is_put_found_listed_and_forgotten() {
    let api = Served::new();
    let at = "/v1/tenants/acme/contacts";
    let maria = json!({ "name": "Maria", "owner": "101", "numbers": ["0888 123 456"], "deals": [{ "id": "1", "title": "A big one", "owner": "boris" }] });
    let (status, _, card) = api.ask("PUT", &format!("{at}/17"), "acme-agent", maria.to_string()).await;
    assert_eq!((status, &card["owner"], &card["id"]), (200, &json!("ana"), &json!("17")));
    let (_, found) = api.get(&format!("{at}?number=%2B359888123456"), "acme-reader").await;
    assert_eq!(found["contacts"][0]["deals"][0]["state"], "open");
    let ivan = json!({ "name": "Ivan", "numbers": [MARIA, "+40722000000"] });
    assert_eq!(api.ask("PUT", &format!("{at}/18"), "acme-agent", ivan.to_string()).await.0, 200);
    let twice = json!({ "name": "Petar", "numbers": ["+40 722 000 000"] });
    let refused = [
        ("PUT", "19", "acme-agent", twice.clone(), 409),
        ("PUT", "19", "acme-reader", twice, 403),
        ("PUT", "19", "acme-agent", json!({ "numbers": [] }), 422),
        ("PUT", "19", "acme-agent", json!({ "numbers": ["1"], "owner": "anna" }), 422),
        ("PUT", "19", "acme-agent", json!({ "numbers": ["1"], "phone": "1" }), 422),
        ("PUT", "19", "acme-agent", json!({ "id": "20", "numbers": ["1"] }), 400),
        ("GET", "19", "acme-reader", json!(null), 404),
        ("DELETE", "19", "acme-agent", json!(null), 404),
        ("GET", "17", "bell-admin", json!(null), 403),
    ];
    for (method, id, token, body, expected) in refused {
        let (status, _, told) = api.ask(method, &format!("{at}/{id}"), token, body.to_string()).await;
        assert_eq!(status, expected, "{method} {id} {body}: {told}");
    }
    let (_, first) = api.get(&format!("{at}?limit=1"), "acme-reader").await;
    assert_eq!((&first["contacts"][0]["id"], &first["next"]), (&json!("17"), &json!("17")));
    let (_, second) = api.get(&format!("{at}?limit=1&cursor=17"), "acme-reader").await;
    assert_eq!(second["contacts"][0]["id"], "18");
    assert_eq!(api.ask("DELETE", &format!("{at}/17"), "acme-agent", "").await.0, 204);
    let api = api.again();
    assert_eq!(api.get(&format!("{at}/17"), "acme-reader").await.0, 404);
    assert_eq!(api.get(&format!("{at}/18"), "acme-reader").await.0, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_is_taken_whole_or_not_at_all() {
    let api = Served::new();
    let at = "/v1/tenants/acme/contacts";
    let wrong = "number,name,owner\n+359888123456,Maria,ana\nnobody,Ivan,boris\n";
    let (status, _, told) = api.ask("POST", at, "acme-admin", wrong).await;
    assert_eq!((status, &told["problems"][0]["place"]), (422, &json!("line 3")));
    assert_eq!(api.get(at, "acme-reader").await.1["contacts"], json!([]));
    let large: String = (0..5000).map(|nth| format!("+3598{nth:08},Somebody {nth},ana\n")).collect();
    let (status, _, told) = api.ask("POST", at, "acme-admin", format!("number,name,owner\n{large}")).await;
    assert_eq!((status, &told["imported"]), (200, &json!(5000)));
    let (_, found) = api.get(&format!("{at}?number=%2B359800004999"), "acme-reader").await;
    assert_eq!(found["contacts"][0]["name"], "Somebody 4999");
    assert_eq!(api.ask("POST", at, "acme-agent", "number\n1\n").await.0, 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_was_missed_is_listed_until_somebody_spoke_with_them_also_after_a_restart() {
    let api = Served::with(RULES);
    let at = "/v1/tenants/acme/tasks";
    let first = api.misses(1, MARIA).await;
    api.misses(2, "+359888000001").await;
    api.misses(3, "0888123456").await;
    let api = api.again();
    let (status, list) = api.get(&format!("{at}?kind=call-back"), "acme-reader").await;
    assert_eq!((status, &list["to_call_back"], &list["late"]), (200, &json!(2), &json!(0)));
    let maria = &list["tasks"][0];
    assert_eq!(
        (&maria["id"], &maria["missed"], &maria["responsible"]),
        (&json!(format!("{first}-1")), &json!(2), &json!("boris"))
    );
    assert!(
        maria["due"].is_string() && maria["calls"].as_array().is_some_and(|calls| calls.len() == 2),
        "{maria}"
    );
    let (_, page) = api.get(&format!("{at}?limit=1&cursor={first}-1"), "acme-reader").await;
    assert_eq!((&page["tasks"][0]["number"], &page["next"]), (&json!("+359888000001"), &json!(null)));
    let (_, none) = api.get(&format!("{at}?responsible=ana"), "acme-reader").await;
    assert_eq!(none["tasks"], json!([]));
    // The one calls again and ana answers; the other is given up by a person.
    let leg = |no, party: &str, outside: bool| exchange::LegRecord {
        leg: exchange::LegNo(no),
        party: party.into(),
        trunk: outside.then(|| "carrier".into()),
        started: 0.0,
        answered: Some(1.0),
        ended: Some(2.0),
        end: "hung up".into(),
        sip_call_id: String::new(),
    };
    api.ends(CallId::new((wall() * 1000.0) as u64, 9), |call| {
        call.legs = vec![leg(0, MARIA, true), leg(1, "ana", false)];
        call.wait = Duration::ZERO;
    })
    .await;
    let (_, list) = api.get(at, "acme-reader").await;
    let other = list["tasks"][0]["id"].as_str().expect("one is left").to_owned();
    let give_up = json!({ "state": "given-up" }).to_string();
    assert_eq!(api.ask("PATCH", &format!("{at}/{other}"), "acme-reader", give_up.clone()).await.0, 403);
    assert_eq!(api.ask("PATCH", &format!("{at}/{other}"), "ana", give_up.clone()).await.0, 200);
    assert_eq!(api.ask("PATCH", &format!("{at}/{other}"), "ana", give_up).await.0, 409);
    let api = api.again();
    let (_, list) = api.get(&format!("{at}?state=closed"), "acme-reader").await;
    let how: Vec<_> = list["tasks"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|task| (&task["state"], &task["closed_by"]))
        .collect();
    assert_eq!(how, [(&json!("given-up"), &json!("ana")), (&json!("reached-us-again"), &json!("ana"))]);
    assert_eq!(list["to_call_back"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn calling_back_rings_the_agent_first_and_shows_the_number_that_was_dialled() {
    let api = Served::with(RULES);
    let id = api.misses(1, MARIA).await;
    let call = format!("/v1/tenants/acme/tasks/{id}-1/call");
    assert_eq!(api.ask("POST", &call, "acme-reader", "{}").await.0, 403);
    assert_eq!(api.ask("POST", &call, "ana", "{}").await.0, 201);
    assert_eq!(api.ask("POST", &call, "acme-agent", "{\"show\":\"+35929999999\"}").await.0, 201);
    let begun = api.fake.begun.lock().unwrap();
    let of = |nth: usize| {
        let (script, settings) = begun[nth].1.script.clone().expect("a script");
        let settings: serde_json::Value = serde_json::from_str(&settings).expect("JSON");
        (begun[nth].1.from.clone(), script, settings)
    };
    let script = || "strowger/call-back".to_owned();
    assert_eq!(
        of(0),
        (Target::User("ana".into()), script(), json!({ "number": MARIA, "show": "+35921234567" }))
    );
    assert_eq!(
        of(1),
        (Target::User("boris".into()), script(), json!({ "number": MARIA, "show": "+35929999999" }))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deadline_that_passes_is_told_once_and_a_task_may_get_another_one() {
    let api = Served::with(RULES);
    let id = api.misses(1, MARIA).await;
    let two_days = 2.0 * 24.0 * 3600.0;
    api.node.look_at_tasks(wall());
    let letters = |api: &Served| api.node.post.letters("acme", None, None, 10).expect("letters").len();
    assert_eq!(letters(&api), 0);
    api.node.look_at_tasks(wall() + two_days);
    api.node.look_at_tasks(wall() + two_days);
    api.settle();
    assert_eq!(letters(&api), 1);
    let api = api.again();
    api.node.look_at_tasks(wall() + two_days);
    api.settle();
    assert_eq!(letters(&api), 1);
    let at = format!("/v1/tenants/acme/tasks/{id}-1");
    let (status, _, task) = api
        .ask(
            "PATCH",
            &at,
            "ana",
            json!({ "responsible": "101", "due": "2099-01-01T10:00:00+02:00" }).to_string(),
        )
        .await;
    assert_eq!(
        (status, &task["responsible"], &task["due"]),
        (200, &json!("ana"), &json!("2099-01-01T08:00:00.000Z"))
    );
    for wrong in ["{\"due\":\"tomorrow\"}", "{\"responsible\":\"anna\"}", "{\"state\":\"reached-us-again\"}"]
    {
        assert_eq!(api.ask("PATCH", &at, "ana", wrong).await.0, 400, "{wrong}");
    }
    // Whom nobody could reach for long is left alone.
    api.node.look_at_tasks(wall() + 31.0 * 24.0 * 3600.0);
    api.settle();
    assert_eq!(api.get(&at, "acme-reader").await.1["state"], "given-up");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_writes_a_task_down_for_whoever_looks_after_the_caller() {
    let api = Served::new();
    let maria = json!({ "name": "Maria", "owner": "boris", "numbers": [MARIA] }).to_string();
    assert_eq!(api.ask("PUT", "/v1/tenants/acme/contacts/17", "acme-agent", maria).await.0, 200);
    let new = json!({ "number": "0888123456", "title": "Send the offer" }).to_string();
    let (status, headers, task) = api.ask("POST", "/v1/tenants/acme/tasks", "acme-agent", new).await;
    assert_eq!(
        (status, &task["responsible"], &task["contact"], &task["kind"]),
        (201, &json!("boris"), &json!("17"), &json!("other"))
    );
    let place = headers["location"].to_str().expect("a path").to_owned();
    assert_eq!(api.get(&place, "acme-reader").await.0, 200);
    let (_, _, done) = api.ask("PATCH", &place, "acme-agent", "{\"state\":\"done\"}").await;
    assert_eq!((&done["state"], &done["closed_by"]), (&json!("done"), &json!("a token of role agent")));
    for wrong in [
        json!({ "number": "maria", "title": "x" }),
        json!({ "number": "1", "title": "" }),
        json!({ "number": "1", "title": "x", "responsible": "anna" }),
    ] {
        assert_eq!(
            api.ask("POST", "/v1/tenants/acme/tasks", "acme-agent", wrong.to_string()).await.0,
            400,
            "{wrong}"
        );
    }
    assert_eq!(api.get("/v1/tenants/acme/tasks/nothing", "acme-reader").await.0, 404);
    assert_eq!(api.get("/v1/tenants/acme/tasks?kind=fun", "acme-reader").await.0, 400);
}

/// A CRM that knows Maria, takes tasks and notes everything.
async fn crm() -> (String, std::sync::Arc<std::sync::Mutex<Vec<(String, serde_json::Value)>>>) {
    let noted = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let notes = noted.clone();
    let handle = move |request: axum::extract::Request| {
        let notes = notes.clone();
        async move {
            let (parts, body) = request.into_parts();
            let body = axum::body::to_bytes(body, 1 << 20).await.unwrap_or_default();
            let body: serde_json::Value = serde_json::from_slice(&body).unwrap_or_default();
            let asked = format!("{} {}", parts.method, parts.uri.path());
            let answer = match asked.as_str() {
                "GET /contacts" => {
                    json!([{ "id": 7, "name": "Maria", "owner": "A1", "phones": ["0888 123 456"] }])
                }
                "POST /tasks" => json!({ "id": "T9" }),
                _ => json!({}),
            };
            notes.lock().unwrap().push((asked, body));
            axum::Json(answer)
        }
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    tokio::spawn(async move { axum::serve(listener, axum::Router::new().fallback(handle)).await });
    (url, noted)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crm_outside_hears_of_calls_and_tasks_in_their_order() {
    let (url, noted) = crm().await;
    let plan = format!(
        "{RULES}[tenant.crm]\nkind = \"rest\"\nurl = \"{url}\"\nowners = {{ ana = \"A1\" }}\n\
         [tenant.crm.find]\npath = \"/contacts?phone={{digits}}\"\nid = \"/id\"\nname = \"/name\"\nowner = \"/owner\"\nnumbers = \"/phones/*\"\n\
         [tenant.crm.create_task]\npath = \"/tasks\"\nid = \"/id\"\nbody = {{ what = \"{{title}}\", whose = \"{{owner}}\", who = \"={{contact}}\" }}\n\
         [tenant.crm.finish_task]\nmethod = \"PATCH\"\npath = \"/tasks/{{task}}\"\nbody = {{ done = true }}\n\
         [tenant.crm.log_call]\npath = \"/calls\"\nbody = {{ from = \"{{from}}\", how = \"{{outcome}}\" }}\n"
    );
    let api = Served::with(&plan);
    let outside = |call: &mut exchange::CallRecord, answered: bool| {
        let leg = |no, party: &str, outside: bool, answered: bool| exchange::LegRecord {
            leg: exchange::LegNo(no),
            party: party.into(),
            trunk: outside.then(|| "carrier".into()),
            started: 0.0,
            answered: answered.then_some(1.0),
            ended: Some(2.0),
            end: "hung up".into(),
            sip_call_id: String::new(),
        };
        call.legs = vec![leg(0, MARIA, true, true), leg(1, "ana", false, answered)];
        if !answered {
            (call.outcome, call.answered_by) = (Outcome::Abandoned, None);
        }
    };
    let at = (wall() * 1000.0) as u64;
    let delivering = tokio::spawn(crate::post::delivery::deliver(api.node.clone()));
    let all_told = || async {
        while api.node.post.standing("acme").waiting > 0 {
            tokio::task::yield_now().await;
        }
    };
    let patience = Duration::from_secs(20);
    let missed = api.ends(CallId::new(at - 2000, 1), |call| outside(call, false)).await;
    tokio::time::timeout(patience, all_told()).await.expect("all of it is told");
    // Nobody had asked the CRM during the call: whose she is is known by now.
    let (_, task) = api.get(&format!("/v1/tenants/acme/tasks/{missed}-1"), "acme-reader").await;
    assert_eq!(
        (&task["responsible"], &task["contact"], &task["name"]),
        (&json!("ana"), &json!("7"), &json!("Maria"))
    );
    api.ends(CallId::new(at - 1000, 2), |call| outside(call, true)).await;
    tokio::time::timeout(patience, all_told()).await.expect("all of it is told");
    delivering.abort();
    let mut told = noted.lock().unwrap().clone();
    told.retain(|(asked, _)| asked != "GET /contacts");
    let call = |how: &str| ("POST /calls".to_owned(), json!({ "from": MARIA, "how": how }));
    let task = json!({ "what": format!("Call back {MARIA}"), "whose": "A1", "who": 7 });
    assert_eq!(
        told,
        [
            ("POST /tasks".to_owned(), task),
            call("abandoned"),
            ("PATCH /tasks/T9".to_owned(), json!({ "done": true })),
            call("answered")
        ]
    );
}
