//! What calls were about, and the register as a file.

use axum::body::Bytes;
use axum::http::header::{ACCEPT, AUTHORIZATION};
use parquet::file::reader::{FileReader as _, SerializedFileReader};
use parquet::record::RowAccessor as _;

use super::*;

impl Served {
    /// The register as a file of this type.
    async fn export(&self, path: &str, kind: &str) -> Vec<u8> {
        let request = Request::get(path).header(AUTHORIZATION, "Bearer acme-reader").header(ACCEPT, kind);
        let request = request.body(Body::empty()).expect("a request");
        let response = self.router.clone().oneshot(request).await.expect("an answer");
        let said = response.headers()["content-type"].to_str().expect("a type").to_owned();
        assert_eq!((response.status().as_u16(), said.as_str()), (200, kind));
        axum::body::to_bytes(response.into_body(), usize::MAX).await.expect("a whole body").to_vec()
    }
}

fn id(n: u64) -> CallId {
    CallId::new(1_795_000_000_000 + n * 1000, n.into())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_is_marked_with_what_it_was_about_by_a_script_and_by_whoever_spoke() {
    let api = Served::new();
    let of_script = ("category".to_owned(), "complaint".to_owned());
    api.keep(id(0), "acme", |record| record.tags.push(of_script));
    api.keep(id(1), "acme", |record| record.source = Some("google-ads".into()));
    let at = |n: u64| format!("/v1/tenants/acme/calls/{}", id(n));
    let mark = async |n: u64, token: &str, body: Value| {
        let (status, _, view) = api.ask("PATCH", &at(n), token, body.to_string()).await;
        (status, view)
    };
    assert_eq!(api.get(&at(0), "acme-reader").await.1["category"], "complaint");
    let (status, view) = mark(0, "acme-agent", json!({ "category": "order", "value": 120.5 })).await;
    assert_eq!((status, &view["category"], &view["value"]), (200, &json!("order"), &json!(120.5)));
    // Only what is said changes, null takes it away, and other marks stay.
    mark(0, "acme-agent", json!({ "category": null })).await;
    let view = api.get(&at(0), "acme-reader").await.1;
    assert_eq!((&view["category"], &view["value"]), (&Value::Null, &json!(120.5)));
    assert_eq!(view["tags"][0], json!({ "key": "count", "value": "5" }));
    mark(1, "acme-agent", json!({ "category": "order" })).await;
    let listed = async |query: &str| {
        let (_, page) = api.get(&format!("/v1/tenants/acme/calls?{query}"), "acme-reader").await;
        page["calls"].as_array().expect("calls").iter().map(|call| call["id"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(listed("category=order").await, [json!(id(1).to_string())]);
    assert_eq!(listed("source=google-ads").await, [json!(id(1).to_string())]);
    assert_eq!(listed("category=complaint").await, Vec::<Value>::new());

    let order = json!({ "category": "order" });
    assert_eq!(mark(0, "acme-reader", order.clone()).await.0, 403);
    assert_eq!(mark(9, "acme-agent", order.clone()).await.0, 404, "no such call");
    for wrong in [json!({ "category": "" }), json!({ "category": "x".repeat(65) })] {
        assert_eq!(mark(0, "acme-agent", wrong).await.0, 400);
    }
    let caller = exchange::LegInfo {
        leg: exchange::LegNo::CALLER,
        party: Party::default(),
        dialled: "700".into(),
        direction: Direction::Inbound,
        user: None,
        headers: Default::default(),
        language: "bg".into(),
    };
    let (script, version, tenant) = ("mine".to_owned(), String::new(), "acme".to_owned());
    let live = LiveCall { id: UP, tenant, caller, script, version, started: 1_795_000_000.0, legs: 2 };
    api.fake.up.lock().expect("no test failed").push(live);
    let up = format!("/v1/tenants/acme/calls/{UP}");
    assert_eq!(api.ask("PATCH", &up, "acme-agent", order.to_string()).await.0, 409);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_register_is_exported_whole_for_spreadsheets_and_for_data_tools() {
    const CALLS: u64 = 1_100;
    let api = Served::new();
    for n in 0..CALLS {
        api.keep(id(n), "acme", |record| {
            if n == 3 {
                record.from.name = Some("=cmd|' /C calc'!A1, \"Ltd\"".into());
                record.tags.push(("category".into(), "order".into()));
                record.tags.push(("value".into(), "120.5".into()));
                record.recordings = vec![format!("{}-1", id(3)), format!("{}-2", id(3))];
            }
        });
    }
    api.keep(id(0), "bell", |_| {});
    let path = "/v1/tenants/acme/calls";
    let text = api.export(path, "text/csv").await;
    let mut table = csv::Reader::from_reader(&text[..]);
    let heading = table.headers().expect("a heading").clone();
    let rows: Vec<_> = table.records().map(|row| row.expect("a row of RFC 4180")).collect();
    assert_eq!(rows.len() as u64, CALLS);
    let field = |row: &csv::StringRecord, name: &str| {
        let at = heading.iter().position(|column| column == name).expect("a column");
        row[at].to_owned()
    };
    let third = &rows[(CALLS - 1 - 3) as usize];
    assert_eq!(field(third, "call"), id(3).to_string(), "the newest is first");
    assert_eq!(field(third, "started"), "2026-11-18T13:06:43.000+02:00");
    assert_eq!(field(third, "name"), "'=cmd|' /C calc'!A1, \"Ltd\"");
    assert_eq!((field(third, "category"), field(third, "value")), ("order".into(), "120.5".into()));
    assert_eq!((field(third, "wait"), field(third, "talk")), ("4".into(), "6".into()));
    assert_eq!(field(&rows[0], "category"), "");

    let file = api.export(path, "application/vnd.apache.parquet").await;
    let reader = SerializedFileReader::new(Bytes::from(file)).expect("a Parquet file");
    let rows: Vec<_> = reader.get_row_iter(None).expect("rows").map(|row| row.expect("a row")).collect();
    assert_eq!(rows.len() as u64, CALLS);
    let third = &rows[(CALLS - 1 - 3) as usize];
    assert_eq!(third.get_string(0).expect("text"), &id(3).to_string());
    assert_eq!(third.get_timestamp_millis(1).expect("a moment"), 1_795_000_003_000);
    assert_eq!(third.get_double(13).expect("a number"), 120.5);
    assert!(rows[0].get_double(13).is_err(), "null is no number");

    let few = api.export(&format!("{path}?category=order"), "text/csv").await;
    assert_eq!(csv::Reader::from_reader(&few[..]).records().count(), 1);
}
