//! The life of a version: what is said of it, canaries, shadows, signatures and what the policy refuses.

use axum::body::{Body, to_bytes};
use axum::http::Request;
use exchange::{CallId, LiveCall};
use serde_json::{Value, json};
use store::{Batch, layout};
use tower::ServiceExt as _;

use super::{Served, UP, another_echo, echo};
use crate::events::wall;
use crate::scripts::comparison::tests::start;
use crate::scripts::signature;

const MINE: &str = "/v1/tenants/acme/scripts/mine";
const DEVELOPER: &str = "acme-developer";

/// A private key and its public key (RFC 8410 §10.3 and §10.1).
const PRIVATE: &str = "MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC";
const PUBLIC: &str = "MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=";

/// Echo with so many more custom sections: as many versions as are needed.
fn echo_number(n: usize) -> Vec<u8> {
    [echo().to_vec(), [0, 2, 1, b'x'].repeat(n)].concat()
}

impl Served {
    async fn push(&self, query: &str, component: Vec<u8>) -> Value {
        let (status, _, loaded) = self.ask("PUT", &format!("{MINE}{query}"), DEVELOPER, component).await;
        assert_eq!(status, 201, "{loaded}");
        loaded
    }

    async fn order(&self, method: &str, what: &str, body: Value) -> (u16, Value) {
        let (status, _, answer) =
            self.ask(method, &format!("{MINE}/{what}"), DEVELOPER, body.to_string()).await;
        (status, answer)
    }

    async fn states(&self) -> Vec<String> {
        let (_, script) = self.get(MINE, DEVELOPER).await;
        let versions = script["versions"].as_array().expect("a list").iter();
        versions.map(|v| v["state"].as_str().expect("a state").to_owned()).collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_is_named_by_number_label_or_hash_and_can_be_had_again() {
    let api = Served::new();
    api.push("?label=first&notes=as%20it%20was", echo_number(0)).await;
    let source = "0".repeat(64);
    let second =
        api.push(&format!("?activate=false&label=before-christmas&source={source}"), echo_number(1)).await;
    assert_eq!((&second["number"], &second["active"]), (&json!(2), &json!(false)));
    let (_, script) = api.get(MINE, DEVELOPER).await;
    let [first, draft] = script["versions"].as_array().expect("a list").as_slice() else {
        panic!("{script}")
    };
    assert_eq!((&first["state"], &first["notes"]), (&json!("active"), &json!("as it was")));
    assert_eq!((&draft["state"], &draft["source"]), (&json!("draft"), &json!(source)));
    assert_eq!(draft["loaded_by"], "a token of role developer");

    let hash = second["version"].as_str().expect("a hash").to_owned();
    for name in ["2", "before-christmas", &hash, &hash[..8]] {
        let (status, script) = api.order("POST", "activate", json!({ "version": name })).await;
        assert_eq!((status, script["active"].as_str()), (200, Some(hash.as_str())), "{name}: {script}");
        let path = format!("{MINE}/versions/{name}/component");
        let response = api.send("GET", &path, DEVELOPER, "").await;
        assert_eq!(to_bytes(response.into_body(), 4 << 20).await.expect("a body"), echo_number(1), "{name}");
    }
    assert_eq!(api.states().await, ["retired", "active"]);
    for unknown in ["3", "after-christmas", "ff", ""] {
        let (status, problem) = api.order("POST", "activate", json!({ "version": unknown })).await;
        assert_eq!(status, 404, "{unknown}: {problem}");
    }
    // A label that could be a number or a hash names nothing for sure.
    for wrong in ["?label=12", "?label=beef", "?label=A%20b", "?canary=0", "?canary=100", "?source=12"] {
        let (status, _, problem) = api.ask("PUT", &format!("{MINE}{wrong}"), DEVELOPER, echo_number(2)).await;
        assert_eq!(status, 422, "{wrong}: {problem}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn versions_beyond_those_kept_ready_can_be_activated_again() {
    let api = Served::new();
    let first = api.push("", echo_number(0)).await;
    api.push("", echo_number(1)).await;
    // Rows are enough to push the first one out; to compile so many components would take its time.
    let last = u32::try_from(script::KEPT_VERSIONS).expect("a few") + 3;
    let rows = (3..=last).fold(Batch::new(), |batch, number| {
        let row = json!({ "hash": format!("{number:064x}"), "size": 7, "uploaded": 1.5 });
        batch.put(layout::version("acme", "mine", number), row.to_string().into_bytes())
    });
    api.node.store.commit_and_wait(rows).expect("the store takes them");
    let api = api.again();
    let (status, script) = api.order("POST", "activate", json!({ "version": "1" })).await;
    assert_eq!((status, &script["active"]), (200, &first["version"]), "{script}");
    assert_eq!(script["versions"].as_array().map(Vec::len), Some(script::KEPT_VERSIONS + 3));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_canary_is_begun_promoted_ended_and_there_after_a_restart() {
    let api = Served::new();
    let (status, problem) = api.order("POST", "promote", json!({})).await;
    assert_eq!(status, 404, "{problem}");
    let first = api.push("", echo_number(0)).await;
    // The only version can't be tried beside another.
    let (status, problem) = api.order("POST", "activate", json!({ "version": "1", "canary": 5 })).await;
    assert_eq!(status, 409, "{problem}");
    let (status, problem) = api.order("POST", "promote", json!({})).await;
    assert_eq!(status, 409, "{problem}");

    let second = api.push("?canary=5", another_echo()).await;
    assert_eq!(second["active"], false);
    assert_eq!(api.states().await, ["active", "canary"]);
    let api = api.again();
    let (_, script) = api.get(MINE, DEVELOPER).await;
    assert_eq!((&script["canary"]["version"], &script["canary"]["share"]), (&second["version"], &json!(5.0)));
    assert_eq!(script["canary"]["judged_after"], 50);
    let (status, script) = api.order("POST", "promote", json!({})).await;
    assert_eq!((status, &script["active"], &script["canary"]), (200, &second["version"], &Value::Null));

    let (status, _) = api.order("POST", "activate", json!({ "version": "1", "canary": 50 })).await;
    assert_eq!(status, 200);
    assert_eq!(
        api.node.scripts.roll_back("acme", "mine", "it was worse").as_ref(),
        first["version"].as_str().map(str::to_owned).as_ref()
    );
    assert_eq!(api.node.scripts.roll_back("acme", "mine", "again"), None);
    let api = api.again();
    let (_, script) = api.get(MINE, DEVELOPER).await;
    assert_eq!((&script["canary"], &script["active"]), (&Value::Null, &second["version"]));
    assert_eq!(script["rolled_back"]["reason"], "it was worse");
}

#[tokio::test(flavor = "multi_thread")]
async fn where_signatures_are_asked_for_only_signed_components_are_loaded() {
    let api = Served::with(&format!("  [tenant.scripts]\n  signed_by = [\"{PUBLIC}\"]"));
    let signed = |component: &[u8]| signature::sign(PRIVATE, component).expect("a key of RFC 8410");
    for (what, header, expected) in [
        ("no signature", None, 422),
        ("another component's", Some(signed(b"another")), 422),
        ("no base64", Some("?".to_owned()), 422),
        ("its own", Some(signed(echo())), 201),
    ] {
        let request =
            Request::builder().method("PUT").uri(MINE).header("authorization", format!("Bearer {DEVELOPER}"));
        let request =
            header.iter().fold(request, |request, header| request.header("strowger-signature", header));
        let request = request.body(Body::from(echo())).expect("a request");
        let response = api.router.clone().oneshot(request).await.expect("an answer");
        assert_eq!(response.status().as_u16(), expected, "{what}");
    }
    let (_, script) = api.get(MINE, DEVELOPER).await;
    assert_eq!(script["versions"][0]["signed_by"], PUBLIC);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shadow_is_set_and_taken_away() {
    let api = Served::new();
    api.push("", echo_number(0)).await;
    let second = api.push("?activate=false", another_echo()).await;
    let (status, shadow) = api.order("PUT", "shadow", json!({ "version": "2" })).await;
    assert_eq!(
        (status, &shadow["version"], &shadow["same"]),
        (200, &second["version"], &json!(0)),
        "{shadow}"
    );
    let api = api.again();
    let (_, shadow) = api.get(&format!("{MINE}/shadow"), DEVELOPER).await;
    assert_eq!(shadow["version"], second["version"]);
    let (status, shadow) = api.order("PUT", "shadow", json!({})).await;
    assert_eq!((status, &shadow["version"]), (200, &Value::Null));
    assert_eq!(api.order("PUT", "shadow", json!({ "version": "9" })).await.0, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_policy_is_the_admins_to_set_aside() {
    let api = Served::new();
    api.push("", echo_number(0)).await;
    let body = json!({ "version": "1", "force": true });
    assert_eq!(api.order("POST", "activate", body.clone()).await.0, 403);
    let (status, _, _) = api.ask("POST", &format!("{MINE}/activate"), "acme-admin", body.to_string()).await;
    assert_eq!(status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_older_engine_kept_of_a_script_is_read() {
    let api = Served::new();
    let loaded = api.push("", echo_number(0)).await;
    let hash = loaded["version"].as_str().expect("a hash");
    let state = json!({ "tenant": "acme", "script": "mine", "active": hash, "before": [], "since": 1.5 });
    let row = json!({ "hash": hash, "size": 7, "uploaded": 1.5 });
    let bytes = |value: &Value| value.to_string().into_bytes();
    let batch = Batch::new().put(layout::script("acme", "mine"), bytes(&state));
    let batch = batch.put(layout::version("acme", "mine", 1), bytes(&row));
    api.node.store.commit_and_wait(batch).expect("the store takes it");
    let api = api.again();
    let (_, script) = api.get(MINE, DEVELOPER).await;
    assert_eq!((script["active"].as_str(), script["versions"][0]["size"].as_u64()), (Some(hash), Some(7)));
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_on_a_version_that_was_replaced_long_ago_are_ended_where_the_tenant_says_so() {
    let api = Served::with("  [tenant.scripts]\n  drain = \"10 min\"");
    let first = api.push("", echo_number(0)).await;
    let second = api.push("", echo_number(1)).await;
    let now = wall();
    let call = |chance, version: &Value, started: f64| LiveCall {
        id: if chance == 0 { UP } else { CallId(UP.0 + chance) },
        tenant: "acme".to_owned(),
        caller: start().caller,
        script: "mine".to_owned(),
        version: version["version"].as_str().expect("a hash").to_owned(),
        started,
        legs: 1,
    };
    let up = [call(0, &first, now - 60.0), call(1, &second, now - 3600.0)];
    api.fake.up.lock().expect("no test failed").extend(up);
    api.node.end_drained(now + 590.0).await;
    assert!(api.fake.hung_up.lock().expect("no test failed").is_empty());
    api.node.end_drained(now + 610.0).await;
    assert_eq!(*api.fake.hung_up.lock().expect("no test failed"), [("acme".to_owned(), UP)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flow_is_a_version_that_can_be_read_again_and_its_mistakes_have_lines() {
    let api = Served::new();
    let place = "/v1/tenants/acme/scripts/sales";
    let flow = "[steps.start]\nsay = \"good-day\"\nthen = \"ana\"\n\n[steps.ana]\nring = [\"user:ana\"]\n";
    let (status, _, loaded) = api.ask("PUT", place, "acme-developer", flow).await;
    assert_eq!((status, &loaded["number"], &loaded["active"]), (201, &json!(1), &json!(true)), "{loaded}");
    let note = loaded["notes"][0].as_str().unwrap_or_default();
    assert!(note.starts_with("line 2: there is no recording \"good-day\""), "{loaded}");
    let compiled = api.node.scripts.sandboxes.compilations();
    let (status, _, loaded) = api.ask("PUT", place, "acme-developer", flow.replace("user:", "")).await;
    assert_eq!((status, &loaded["number"]), (201, &json!(2)), "{loaded}");
    assert_eq!(api.node.scripts.sandboxes.compilations(), compiled, "the code is that of the first");

    let wrong = flow.replace("\"user:ana\"", "\"user:anna\"").replace("then =", "than =");
    let (status, _, problem) = api.ask("PUT", place, "acme-developer", wrong).await;
    assert_eq!(status, 422, "{problem}");
    let told = json!([{ "place": "3:8", "what": "there is no \"than\" here; write \"then\"" }]);
    assert_eq!(problem["problems"], told, "{problem}");
    let (_, _, problem) =
        api.ask("PUT", place, "acme-developer", flow.replace("user:ana", "user:anna")).await;
    assert_eq!(problem["problems"][0]["place"], "6:9", "{problem}");

    let response = api.send("GET", &format!("{place}/versions/1/flow"), "acme-developer", "").await;
    let text = to_bytes(response.into_body(), 1 << 20).await.unwrap();
    assert_eq!(text, flow);
    api.ask("PUT", "/v1/tenants/acme/scripts/mine", "acme-developer", echo()).await;
    let of_mine = "/v1/tenants/acme/scripts/mine/versions/1/flow";
    assert_eq!(api.ask("GET", of_mine, "acme-developer", "").await.0, 404);
}
