//! Calls that are begun and joined from outside.

use std::time::Duration;

use exchange::{CallId, Supervision, Target};
use serde_json::json;

use super::{Served, UP};
use crate::shards::Wanted;

const CALLS: &str = "/v1/tenants/acme/calls";

#[tokio::test(flavor = "multi_thread")]
async fn click_to_call_says_who_is_rung_first_and_where_the_call_is() {
    let api = Served::new();
    let body = json!({ "from": "101", "to": "+359888123456" }).to_string();
    let (status, headers, begun) = api.ask("POST", CALLS, "acme-agent", body).await;
    assert_eq!((status, &begun["id"]), (201, &json!(UP.to_string())), "{begun}");
    assert_eq!(headers["location"], format!("{CALLS}/{UP}").as_str());
    let body = json!({
        "from": "+359888000101", "to": "101", "ring": 5,
        "script": "strowger/ring", "settings": { "places": ["boris"] },
    });
    let (status, _, begun) = api.ask("POST", CALLS, "acme-agent", body.to_string()).await;
    assert_eq!(status, 201, "{begun}");
    let first = Wanted {
        from: Target::User("ana".into()),
        to: "+359888123456".into(),
        script: None,
        ring: Duration::from_secs(30),
    };
    let second = Wanted {
        from: Target::Number("+359888000101".into()),
        to: "101".into(),
        script: Some(("strowger/ring".into(), r#"{"places":["boris"]}"#.into())),
        ring: Duration::from_secs(5),
    };
    let acme = |wanted| ("acme".to_owned(), wanted);
    assert_eq!(*api.fake.begun.lock().unwrap(), [acme(first), acme(second)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_makes_no_sense_is_refused_and_nobody_is_rung() {
    let api = Served::new();
    let cases = [
        (json!({ "from": "ana", "to": "+359888123456" }), "acme-reader", 403),
        (json!({ "from": "ana", "to": "+359888123456" }), "bell-admin", 403),
        (json!({ "from": "nobody", "to": "+359888123456" }), "acme-agent", 400),
        (json!({ "from": "ana", "to": "sip:evil@example.org" }), "acme-agent", 400),
        (json!({ "from": "ana", "to": "+359888123456\r\nX: y" }), "acme-agent", 400),
        (json!({ "from": "ana", "to": "101", "ring": 0 }), "acme-agent", 400),
        (json!({ "from": "ana", "to": "101", "ring": 601 }), "acme-agent", 400),
        (json!({ "from": "ana", "to": "101", "script": "nowhere" }), "acme-agent", 404),
        (json!({ "from": "ana", "to": "101", "settings": {} }), "acme-agent", 400),
        (json!({ "from": "ana", "to": "101", "script": "strowger/ring" }), "acme-agent", 422),
        (json!({ "from": "ana", "to": "101", "user": "x" }), "acme-agent", 422),
        (json!({ "from": "ana" }), "acme-agent", 422),
    ];
    for (body, token, expected) in cases {
        let (status, _, problem) = api.ask("POST", CALLS, token, body.to_string()).await;
        assert_eq!(status, expected, "{body}: {problem}");
    }
    assert!(api.fake.begun.lock().unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_that_do_not_fit_are_refused_with_path_and_reason() {
    let api = Served::new();
    let settings = json!({ "places": ["ana"], "otherwise": { "hand_over": {
        "script": "strowger/voicemail", "settings": { "box": 7 },
    } } });
    let body = json!({ "from": "ana", "to": "101", "script": "strowger/ring", "settings": settings });
    let (status, _, problem) = api.ask("POST", CALLS, "acme-agent", body.to_string()).await;
    assert_eq!(status, 422, "{problem}");
    assert_eq!(problem["problems"][0]["place"], "settings/otherwise/hand_over/settings/box", "{problem}");
    assert!(problem["problems"][0]["what"].as_str().unwrap().contains("a text"), "{problem}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_supervisor_is_rung_for_listening_whispering_or_barging_by_admins_only() {
    let api = Served::new();
    let path = |call: CallId, verb: &str| format!("{CALLS}/{call}/{verb}");
    let ana = json!({ "user": "101" });
    for (verb, mode) in
        [("listen", Supervision::Listen), ("whisper", Supervision::Whisper), ("barge", Supervision::Barge)]
    {
        let (status, _, body) = api.ask("POST", &path(UP, verb), "acme-admin", ana.to_string()).await;
        assert_eq!(status, 202, "{body}");
        let rung = std::mem::take(&mut *api.fake.supervised.lock().unwrap());
        assert_eq!(rung, [("acme".to_owned(), Target::User("ana".into()), mode)]);
    }
    let (silent, nobody) = (CallId(8 << 80), json!({ "user": "nobody" }));
    let number = json!({ "number": "+359888123456" });
    let cases = [
        (UP, "acme-admin", number.clone(), 202),
        (UP, "acme-developer", ana.clone(), 403),
        (UP, "bell-admin", ana.clone(), 403),
        (UP, "acme-admin", json!({}), 400),
        (UP, "acme-admin", json!({ "user": "ana", "number": "+359888123456" }), 400),
        (UP, "acme-admin", json!({ "number": "sip:ana@192.0.2.1" }), 400),
        (UP, "acme-admin", nobody, 404),
        (silent, "acme-admin", ana, 409),
    ];
    for (call, token, body, expected) in cases {
        let (status, _, problem) = api.ask("POST", &path(call, "listen"), token, body.to_string()).await;
        assert_eq!(status, expected, "{token} {body}: {problem}");
    }
}
