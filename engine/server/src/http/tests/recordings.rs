//! Recordings, links and boxes over HTTP: ranges, roles, and what is told to those who guess.

use super::*;

const NAME: &str = "01KAG2M7V8Q4ZJ6T9X5B3N1C0D-1";
const MESSAGE: &str = "01KAG2M7V8Q4ZJ6T9X5B3N1C0D-2-message";

impl Served {
    /// With these headers; the bytes as they come.
    async fn ask_with(
        &self,
        method: &str,
        path: &str,
        token: &str,
        headers: &[(&str, &str)],
    ) -> (StatusCode, HeaderMap, Vec<u8>) {
        let mut request = Request::builder().method(method).uri(path);
        if !token.is_empty() {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        let response = self.router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        let (parts, body) = response.into_parts();
        (parts.status, parts.headers, to_bytes(body, 1 << 20).await.unwrap().to_vec())
    }

    async fn send_json(&self, method: &str, path: &str, token: &str, body: Value) -> (StatusCode, Value) {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let (status, _, answer) = self.ask(method, path, token, body).await;
        (StatusCode::from_u16(status).unwrap(), answer)
    }
}

/// A file of a hundred bytes, each its own number.
fn keep(api: &Served, tenant: &str, name: &str) {
    let folder = api.node.world().node.data.join("recordings").join(tenant);
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join(format!("{name}.wav")), (0..100).collect::<Vec<u8>>()).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_seeks_in_a_recording() {
    let api = Served::new();
    keep(&api, "acme", NAME);
    let path = format!("/v1/tenants/acme/recordings/{NAME}");
    let whole = api.ask_with("GET", &path, "acme-agent", &[]).await;
    assert_eq!((whole.0, whole.2.len()), (StatusCode::OK, 100));
    assert_eq!(whole.1["accept-ranges"], "bytes");
    assert_eq!(whole.1["content-type"], "audio/wav");
    let tag = whole.1["etag"].to_str().unwrap().to_owned();

    let part = api.ask_with("GET", &path, "acme-agent", &[("range", "bytes=10-19")]).await;
    assert_eq!((part.0, &part.2[..]), (StatusCode::PARTIAL_CONTENT, &(10..20).collect::<Vec<u8>>()[..]));
    assert_eq!(part.1["content-range"], "bytes 10-19/100");
    let last = api.ask_with("GET", &path, "acme-agent", &[("range", "bytes=-5"), ("if-range", &tag)]).await;
    assert_eq!((last.0, &last.2[..]), (StatusCode::PARTIAL_CONTENT, &[95, 96, 97, 98, 99][..]));
    let other =
        api.ask_with("GET", &path, "acme-agent", &[("range", "bytes=-5"), ("if-range", "\"x\"")]).await;
    assert_eq!((other.0, other.2.len()), (StatusCode::OK, 100), "it is another file by now");
    let beyond = api.ask_with("GET", &path, "acme-agent", &[("range", "bytes=100-")]).await;
    assert_eq!(
        (beyond.0, &beyond.1["content-range"]),
        (StatusCode::RANGE_NOT_SATISFIABLE, &"bytes */100".parse().unwrap())
    );
    let known = api.ask_with("GET", &path, "acme-agent", &[("if-none-match", &tag)]).await;
    assert_eq!((known.0, known.2.len()), (StatusCode::NOT_MODIFIED, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recording_is_heard_by_role_and_never_by_another_tenant() {
    let api = Served::new();
    keep(&api, "acme", NAME);
    let path = format!("/v1/tenants/acme/recordings/{NAME}");
    for (token, status) in
        [("acme-reader", 403), ("acme-agent", 200), ("bell-admin", 403), ("operator", 200), ("x", 401)]
    {
        assert_eq!(api.ask_with("GET", &path, token, &[]).await.0.as_u16(), status, "{token}");
    }
    let elsewhere = format!("/v1/tenants/bell/recordings/{NAME}");
    assert_eq!(api.ask_with("GET", &elsewhere, "bell-admin", &[]).await.0.as_u16(), 404);
    assert_eq!(api.ask_with("DELETE", &path, "acme-developer", &[]).await.0.as_u16(), 403);
    assert_eq!(api.ask_with("DELETE", &path, "acme-admin", &[]).await.0.as_u16(), 204);
    assert_eq!(api.ask_with("GET", &path, "acme-agent", &[]).await.0.as_u16(), 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_opens_without_a_token_and_whatever_leads_nowhere_looks_the_same() {
    let api = Served::new();
    keep(&api, "acme", NAME);
    let shares = format!("/v1/tenants/acme/recordings/{NAME}/shares");
    let made = api.send_json("POST", &shares, "acme-agent", json!({ "open_for": 3600 })).await;
    assert_eq!(made.0, StatusCode::CREATED, "{}", made.1);
    let (link, id) = (made.1["path"].as_str().unwrap().to_owned(), made.1["id"].as_str().unwrap().to_owned());
    let heard = api.ask_with("GET", &link, "", &[]).await;
    assert_eq!((heard.0, heard.2.len()), (StatusCode::OK, 100));
    assert_eq!(heard.1["referrer-policy"], "no-referrer");
    let part = api.ask_with("GET", &link, "", &[("range", "bytes=50-59")]).await;
    assert_eq!((part.0, part.2.len()), (StatusCode::PARTIAL_CONTENT, 10));
    let listed = api.send_json("GET", &shares, "acme-agent", Value::Null).await.1;
    assert_eq!(
        (&listed["shares"][0]["uses"], &listed["shares"][0]["path"]),
        (&json!(1), &Value::Null),
        "{listed}"
    );

    // Taken back by another tenant it is not; by its own it is.
    let revoke = |tenant: &str| format!("/v1/tenants/{tenant}/shares/{id}");
    assert_eq!(api.ask_with("DELETE", &revoke("bell"), "bell-admin", &[]).await.0.as_u16(), 404);
    assert_eq!(api.ask_with("GET", &link, "", &[]).await.0, StatusCode::OK);
    assert_eq!(api.ask_with("DELETE", &revoke("acme"), "acme-agent", &[]).await.0.as_u16(), 204);
    let revoked = api.ask_with("GET", &link, "", &[]).await;
    let guessed = api.ask_with("GET", "/shared/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "", &[]).await;
    assert_eq!((revoked.0.as_u16(), &revoked.2), (404, &guessed.2), "nobody learns which it was");
    assert_eq!(guessed.0.as_u16(), 404);

    for (token, wanted, status) in [
        ("acme-reader", json!({}), 403),
        ("acme-agent", json!({ "open_for": 0 }), 400),
        ("acme-agent", json!({ "open_for": 1_000_000_000 }), 400),
        ("acme-agent", json!({ "for_ever": true }), 422),
    ] {
        assert_eq!(
            api.send_json("POST", &shares, token, wanted.clone()).await.0.as_u16(),
            status,
            "{wanted}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_box_opens_to_its_user_and_a_message_is_heard_marked_and_deleted() {
    let api = Served::new();
    keep(&api, "acme", MESSAGE);
    api.node.message_left(&exchange::MessageLeft {
        tenant: "acme".into(),
        call: MESSAGE.split('-').next().unwrap().parse().unwrap(),
        mailbox: Some("ana".into()),
        recording: MESSAGE.into(),
        length: Duration::from_secs(5),
        from: Party { number: "+359888123456".into(), name: None, uri: String::new() },
        at: 1_795_000_000.0,
        call_back_by: None,
    });
    let inbox = "/v1/tenants/acme/mailboxes/ana";
    let message = format!("{inbox}/messages/{MESSAGE}");
    let listed = api.send_json("GET", inbox, "ana", Value::Null).await.1;
    assert_eq!(
        (&listed["mailbox"]["unheard"], &listed["messages"][0]["id"]),
        (&json!(1), &json!(MESSAGE)),
        "{listed}"
    );
    assert_eq!(listed["messages"][0]["number"], "+359888123456");
    assert_eq!(api.ask_with("GET", &message, "ana", &[("range", "bytes=0-9")]).await.2.len(), 10);
    for (path, token, status) in [
        (message.clone(), "acme-reader", 403),
        (message.replace("/ana/", "/boris/"), "acme-agent", 404),
        (message.replace("acme", "bell"), "bell-admin", 404),
        ("/v1/tenants/acme/mailboxes/No!".to_owned(), "acme-admin", 404),
    ] {
        assert_eq!(api.ask_with("GET", &path, token, &[]).await.0.as_u16(), status, "{path} {token}");
    }
    assert_eq!(api.send_json("PATCH", &message, "ana", json!({ "heard": true })).await.0.as_u16(), 204);
    let boxes = api.send_json("GET", "/v1/tenants/acme/mailboxes", "ana", Value::Null).await.1;
    let ana =
        boxes["mailboxes"].as_array().unwrap().iter().find(|inbox| inbox["name"] == "ana").unwrap().clone();
    assert_eq!((&ana["unheard"], &ana["heard"]), (&json!(0), &json!(1)), "{boxes}");
    assert_eq!(api.ask_with("DELETE", &message, "ana", &[]).await.0.as_u16(), 204);
    assert_eq!(api.ask_with("GET", &message, "ana", &[]).await.0.as_u16(), 404);
    let sound = format!("/v1/tenants/acme/recordings/{MESSAGE}");
    assert_eq!(api.ask_with("GET", &sound, "acme-admin", &[]).await.0.as_u16(), 404, "its sound is gone too");
}
