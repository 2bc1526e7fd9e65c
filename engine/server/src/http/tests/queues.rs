//! Queues and agents: what is shown, and who may change whom.

use std::time::Duration;

use exchange::{AgentState, AgentView, AgentWish, Figures, MemberView, QueueView, WaitingView};
use serde_json::json;

use super::{Served, UP};

/// One caller has waited for 12 seconds, ana is being rung for the caller.
pub(super) fn sales() -> QueueView {
    let waiting = WaitingView {
        call: Some(UP),
        number: "+359888123456".into(),
        position: 1,
        waited: Duration::from_secs(12),
        priority: 0,
        expected: Some(Duration::from_millis(8500)),
        offered: vec!["ana".into()],
        call_back: false,
    };
    let member = MemberView {
        user: "ana".into(),
        state: AgentState::Offered,
        reason: None,
        since: Duration::from_secs(3),
        level: 1,
        weight: 1,
    };
    let today = Figures {
        entered: 5,
        answered: 3,
        answered_in_time: 2,
        abandoned: 1,
        answered_wait: Duration::from_secs(30),
        wait: Duration::from_secs(60),
        ..Figures::default()
    };
    QueueView {
        name: "sales".into(),
        configured: true,
        strategy: "strowger/queue-longest-idle".into(),
        waiting: vec![waiting],
        agents: vec![member],
        service: None,
        today,
    }
}

pub(super) fn ana() -> AgentView {
    AgentView {
        user: "ana".into(),
        state: AgentState::Paused,
        reason: Some("lunch".into()),
        since: Duration::from_secs(60),
        queues: vec!["sales".into()],
        offered: 4,
        answered: 3,
        missed_in_a_row: 1,
        talked: Duration::from_secs(600),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_shows_who_waits_who_serves_and_how_the_day_went() {
    let api = Served::new();
    let (status, list) = api.get("/v1/tenants/acme/queues", "acme-reader").await;
    assert_eq!(
        (status, &list["queues"][0]["waiting"], &list["queues"][0]["longest"]),
        (200, &json!(1), &json!(12.0))
    );
    let (status, queue) = api.get("/v1/tenants/acme/queues/sales", "acme-reader").await;
    assert_eq!(status, 200);
    let first = &queue["waiting"][0];
    assert_eq!((&first["call"], &first["expected"]), (&json!(UP.to_string()), &json!(8.5)));
    assert_eq!(first["offered"], json!(["ana"]));
    assert_eq!(queue["agents"][0]["state"], "offered");
    // Two of four were answered in time; three were answered after 10 seconds each; four waited for 15.
    let today = &queue["today"];
    assert_eq!(today["service_level"], 0.5);
    assert_eq!((&today["speed_of_answer"], &today["mean_wait"]), (&json!(10.0), &json!(15.0)));
    assert_eq!(api.get("/v1/tenants/acme/queues/slaes", "acme-reader").await.0, 404);
    assert_eq!(api.get("/v1/tenants/acme/queues", "bell-admin").await.0, 403);

    let (status, agent) = api.get("/v1/tenants/acme/agents/101", "acme-reader").await;
    assert_eq!((status, &agent["name"], &agent["reason"]), (200, &json!("ana"), &json!("lunch")));
    assert_eq!(api.get("/v1/tenants/acme/agents/boris", "acme-reader").await.0, 404);
    assert_eq!(api.get("/v1/tenants/acme/agents/vera", "acme-reader").await.0, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_changes_herself_and_an_admin_changes_everyone() {
    let api = Served::new();
    let state = |agent: &str| format!("/v1/tenants/acme/agents/{agent}/state");
    let paused = json!({ "state": "paused", "reason": "lunch" }).to_string();
    let ok = [
        ("PUT", state("ana"), "ana", paused.clone(), AgentWish::Paused { reason: "lunch".into() }),
        ("PUT", state("101"), "ana", json!({ "state": "available" }).to_string(), AgentWish::Available),
        ("PUT", state("ana"), "acme-admin", paused.clone(), AgentWish::Paused { reason: "lunch".into() }),
        (
            "PUT",
            "/v1/tenants/acme/queues/sales/agents/ana".into(),
            "ana",
            String::new(),
            AgentWish::SignIn { queue: "sales".into() },
        ),
        (
            "DELETE",
            "/v1/tenants/acme/queues/sales/agents/ana".into(),
            "operator",
            String::new(),
            AgentWish::SignOut { queue: "sales".into() },
        ),
    ];
    for (method, path, token, body, wish) in ok {
        let (status, _, said) = api.ask(method, &path, token, body).await;
        assert_eq!(status, 204, "{path}: {said}");
        let wished = std::mem::take(&mut *api.fake.wished.lock().unwrap());
        assert_eq!(wished, [("acme".to_owned(), "ana".to_owned(), wish)]);
    }
    let refused = [
        ("PUT", state("boris"), "ana", paused.clone(), 403),
        ("PUT", state("ana"), "acme-agent", paused.clone(), 403),
        ("PUT", state("ana"), "acme-developer", paused.clone(), 403),
        ("PUT", state("ana"), "bell-admin", paused.clone(), 403),
        ("PUT", state("vera"), "acme-admin", paused, 404),
        ("PUT", state("ana"), "acme-admin", json!({ "state": "talking" }).to_string(), 422),
        ("PUT", state("ana"), "acme-admin", json!({ "state": "available", "reason": "x" }).to_string(), 400),
        ("PUT", "/v1/tenants/acme/queues/slaes/agents/ana".into(), "acme-admin", String::new(), 404),
    ];
    for (method, path, token, body, expected) in refused {
        let (status, _, said) = api.ask(method, &path, token, body).await;
        assert_eq!(status, expected, "{token} {path}: {said}");
    }
    assert!(api.fake.wished.lock().unwrap().is_empty());
}
