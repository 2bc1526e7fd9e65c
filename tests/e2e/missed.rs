//! Nobody is forgotten: whoever gave up stands in the list until somebody spoke with them, also when the exchange is killed,
//! and is called back from it: the agent first, then the caller.

use std::time::Duration;

use serde_json::{Value, json};
use tests::sipp::{Sipp, UAS};

use crate::world::{LATER, SOON, World};

const A_WHILE: Duration = Duration::from_secs(2);
const TASKS: &str = "/tenants/demo/tasks";
/// Who calls, as the carrier says.
const CALLER: &str = "+359888123456";

/// A queue that nobody serves; whoever looks after the caller calls back, and else vera.
const SALES: &str = "  [[tenant.number]]\n  number = \"800\"\n  script = \"strowger/queue\"\n  settings = { queue = \"sales\" }\n  \
    [[tenant.queue]]\n  name = \"sales\"\n  agents = [\"ana\"]\n  \
    [tenant.missed]\n  by = \"10:00\"\n  queues = { sales = \"vera\" }\n";

fn give_up(world: &World) {
    world.carrier_calls("800").calls(1, 1).talks(A_WHILE).run(LATER).assert_all(1);
}

/// The one caller who is to be called back.
#[track_caller]
fn missed(world: &mut World, times: u64) -> Value {
    world.exchange.eventually(&format!("a caller who called {times} times in vain"), |exchange| {
        let list = exchange.get(&format!("{TASKS}?kind=call-back"));
        let only = list["tasks"].as_array().filter(|tasks| tasks.len() == 1)?[0].clone();
        (only["missed"] == times).then_some(only)
    })
}

#[test]
fn whoever_gave_up_is_called_back_from_the_list_and_leaves_it() {
    let mut world = World::with(|_| SALES.to_owned());
    let (status, _, said) = world.exchange.cli(&[
        "contact",
        "put",
        "17",
        "--name",
        "Maria",
        "--number",
        "0888 123 456",
        "--owner",
        "ana",
    ]);
    assert_eq!(status, 0, "{said}");
    give_up(&world);
    let first = missed(&mut world, 1);
    assert_eq!(
        (&first["number"], &first["name"], &first["queue"]),
        (&json!(CALLER), &json!("Maria"), &json!("sales"))
    );
    assert_eq!(
        (&first["responsible"], &first["dialled"], &first["late"]),
        (&json!("ana"), &json!("800"), &json!(false))
    );
    give_up(&world);
    missed(&mut world, 2);
    world.exchange.kill();
    world.exchange.start_again();
    let again = missed(&mut world, 2);
    assert_eq!(again["id"], first["id"]);

    let _carrier = Sipp::scenario(UAS, world.carrier).start();
    let mut ana = world.pjsua("ana", 440.0);
    let id = first["id"].as_str().expect("an id").to_owned();
    let (status, _, said) = world.exchange.cli(&["task", "call", &id]);
    assert_eq!(status, 0, "{said}");
    ana.event("ringing", SOON);
    ana.answer();
    ana.confirmed(SOON);
    ana.press("1"); // she has heard enough of who it is
    world.exchange.eventually("caller who is called back", |exchange| {
        let live = exchange.get("/tenants/demo/calls?live=true");
        live["calls"][0]["legs"].as_u64().filter(|legs| *legs > 1)
    });
    ana.talk(A_WHILE);
    ana.hang_up();
    ana.disconnected(SOON);
    let closed = world.exchange.eventually("task that is over", |exchange| {
        let task = exchange.get(&format!("{TASKS}/{id}"));
        (task["state"] != "open").then_some(task)
    });
    assert_eq!(
        (&closed["state"], &closed["closed_by"]),
        (&json!("called-back-in-time"), &json!("ana")),
        "{closed}"
    );
    let (status, listed, _) = world.exchange.cli(&["missed"]);
    assert!(status == 0 && listed.lines().count() == 1, "{listed}");
}
