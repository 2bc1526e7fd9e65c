//! An agent sees who calls while the telephone rings, on the telephone and on a screen, says by a key what the call was about,
//! and the register tells it to spreadsheets and to data tools.

use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use crate::notices::python;
use crate::queues::wait_for_state;
use crate::world::{LATER, SOON, World};

const MARIA: &str = "+359888765432";
const A_WHILE: Duration = Duration::from_secs(2);

const SALES: &str = "  [[tenant.number]]\n  number = \"800\"\n  source = \"catalogue\"\n  script = \"strowger/queue\"\n  \
    settings = { queue = \"sales\", category = { keys = { 1 = \"order\", 2 = \"complaint\" } } }\n  \
    [[tenant.queue]]\n  name = \"sales\"\n  agents = [\"ana\"]\n";

/// What a Parquet file says, as JSON.
const READ: &str = "import json, sys, pyarrow.parquet as p\n\
    t = p.read_table(sys.argv[1])\n\
    print(json.dumps({'types': {f.name: str(f.type) for f in t.schema}, 'rows': t.to_pylist()}, default=str))";

#[test]
fn an_agent_sees_who_calls_and_says_afterwards_what_it_was_about() {
    let mut world = World::with(|_| SALES.to_owned());
    let maria = json!({ "name": "Maria Petrova", "company": "Acme", "owner": "ana", "numbers": ["0888 765 432"],
        "deals": [{ "id": "7", "title": "A big one" }] });
    let (status, said) = world.exchange.send("PUT", "/tenants/demo/contacts/17", maria.to_string());
    assert_eq!(status, 200, "{said}");
    let mut screen = world.exchange.events();
    let mut ana = world.pjsua("ana", 440.0);
    let mut maria = world.customer(MARIA, 600.0);
    maria.call(&world.uri("800"));

    let ringing = ana.event("ringing", SOON);
    assert!(ringing["from"].as_str().is_some_and(|from| from.contains("\"Maria Petrova\"")), "{ringing}");
    assert_eq!(ringing["subject"], "Acme: A big one");
    let seen = screen.wait_for("who calls", SOON, |line| {
        let event: Value = serde_json::from_str(line).ok()?;
        (event["kind"] == "call.rings").then(|| event["data"].clone())
    });
    let expected = json!({ "user": "ana", "number": MARIA, "name": "Maria Petrova", "contact": "17", "company": "Acme",
        "owner": "ana", "deal": "A big one", "deal_id": "7", "last_spoke_with": null, "dialled": "800",
        "source": "catalogue" });
    for (key, value) in expected.as_object().expect("an object") {
        assert_eq!(&seen[key], value, "{key} of {seen}");
    }

    ana.answer();
    ana.confirmed(SOON);
    ana.talk(A_WHILE);
    maria.hang_up();
    maria.disconnected(SOON);
    ana.talk(A_WHILE); // she is asked
    ana.press("2");
    ana.disconnected(LATER);
    let call = world.exchange.calls(1).remove(0);
    assert_eq!((&call["outcome"], &call["category"]), (&json!("answered"), &json!("complaint")), "{call}");
    wait_for_state(&mut world, "ana", "available");

    let path = format!("/tenants/demo/calls/{}", call["id"].as_str().expect("an id"));
    let (status, said) = world.exchange.send("PATCH", &path, json!({ "value": 99.9 }).to_string());
    assert_eq!(
        (status, &said["category"], &said["value"]),
        (200, &json!("complaint"), &json!(99.9)),
        "{said}"
    );
    let file = world.exchange.folder().join("calls.parquet");
    let (status, _, said) =
        world.exchange.cli(&["export", file.to_str().expect("a path"), "--category", "complaint"]);
    assert_eq!(status, 0, "{said}");
    let read = Command::new(python()).args(["-c", READ]).arg(&file).output().expect("Python starts");
    assert!(read.status.success(), "{}", String::from_utf8_lossy(&read.stderr));
    let read: Value = serde_json::from_slice(&read.stdout).expect("JSON");
    let row = &read["rows"][0];
    assert_eq!((&row["call"], &row["number"]), (&call["id"], &json!(MARIA)), "{read}");
    assert_eq!((&row["category"], &row["value"]), (&json!("complaint"), &json!(99.9)), "{read}");
    assert_eq!(
        (&row["source"], &row["agent"], &row["queue"]),
        (&json!("catalogue"), &json!("ana"), &json!("sales"))
    );
    let types = &read["types"];
    assert_eq!(
        (&types["started"], &types["wait"]),
        (&json!("timestamp[ms, tz=UTC]"), &json!("double")),
        "{types}"
    );
    assert_eq!(read["rows"].as_array().map(Vec::len), Some(1));
}
