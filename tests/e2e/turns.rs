//! Whose turn it is: the same agents behind a queue of each shipped strategy, call after call, and who of them answers.

use std::collections::BTreeSet;
use std::time::Duration;

use tests::sipp::{REGISTER, Running, Sipp, UAC, UAS};

use crate::world::{SOON, World, password};

/// A conversation: long enough to tell who has talked more.
const TALK: Duration = Duration::from_millis(300);
const MARIA: &str = "+359888123456";

/// Number, strategy, and what else the queue's section says of ana and boris.
const QUEUES: [(&str, &str, &str); 9] = [
    (
        "801",
        "longest-idle",
        "  agents = [\"ana\", \"boris\"]\n    [tenant.queue.settings]\n    by = \"ended\"\n",
    ),
    ("802", "round-robin", "  agents = [\"ana\", \"boris\"]\n"),
    ("803", "top-down", "  agents = [\"boris\", \"ana\"]\n"),
    (
        "804",
        "fewest-calls",
        "  agents = [\"ana\", \"boris\"]\n    [tenant.queue.settings]\n    by = \"answered\"\n",
    ),
    ("805", "least-talk", "  agents = [\"ana\", \"boris\"]\n"),
    ("806", "sticky", "  agents = [\"ana\", \"boris\"]\n"),
    ("807", "skills", "  agents = [\"ana\", { name = \"boris\", level = 2 }]\n"),
    ("808", "random", "  agents = [\"ana\", \"boris\"]\n"),
    ("809", "weighted", "  agents = [{ name = \"ana\", weight = 1 }, { name = \"boris\", weight = 1000 }]\n"),
];

/// Agents who answer whatever rings, and callers one after the other.
struct Office {
    world: World,
    _telephones: [Running; 2],
    calls: usize,
}

impl Office {
    fn new() -> Self {
        let world = World::with(|_| {
            let queue = |(number, strategy, more): &(&str, &str, &str)| {
                format!(
                    "  [[tenant.number]]\n  number = \"{number}\"\n  script = \"strowger/queue\"\n  settings = {{ queue = \
                     \"{strategy}\" }}\n  [[tenant.queue]]\n  name = \"{strategy}\"\n  strategy = \
                     \"strowger/queue-{strategy}\"\n{more}"
                )
            };
            QUEUES.iter().map(queue).collect()
        });
        let telephone = |user: &str| {
            let at = world.net.sip();
            let register = Sipp::scenario(REGISTER, at).to(world.exchange.sip()).auth(user, password(user));
            register.word("from", user).word("expires", "600").calls(1, 1).run(SOON).assert_all(1);
            Sipp::scenario(UAS, at).start()
        };
        let telephones = ["ana", "boris"].map(telephone);
        Self { world, _telephones: telephones, calls: 0 }
    }

    /// A call to a queue, and who answered it, once both agents are free.
    fn call(&mut self, number: &str, from: &str) -> String {
        self.world.exchange.eventually("both agents free", |exchange| {
            let agents = exchange.get("/tenants/demo/agents");
            let all = agents["agents"].as_array()?;
            all.iter().all(|agent| agent["state"] == "available").then_some(())
        });
        self.world.caller(UAC, from, number).talks(TALK).run(SOON).assert_all(1);
        self.calls += 1;
        let calls = self.world.exchange.calls(self.calls);
        calls[self.calls - 1]["answered_by"].as_str().unwrap_or("nobody").to_owned()
    }

    /// The agent of whom this figure is less, if it is of one.
    fn least(&self, figure: &str) -> Option<&'static str> {
        let of = |agent: &str| {
            let agent = self.world.exchange.get(&format!("/tenants/demo/agents/{agent}"));
            agent[figure].as_f64().unwrap_or_else(|| panic!("{agent} has no {figure}"))
        };
        let (ana, boris) = (of("ana"), of("boris"));
        (ana != boris).then_some(if ana < boris { "ana" } else { "boris" })
    }
}

fn other(agent: &str) -> &'static str {
    if agent == "ana" { "boris" } else { "ana" }
}

#[test]
fn each_shipped_strategy_gives_the_call_to_whoever_its_document_says() {
    let mut office = Office::new();
    let mut last = office.call("801", MARIA);
    for _ in 0..2 {
        let longest = other(&last);
        last = office.call("801", MARIA);
        assert_eq!(last, longest, "longest idle: the other one talked last");
    }
    last = office.call("802", MARIA);
    for _ in 0..2 {
        let next = other(&last);
        last = office.call("802", MARIA);
        assert_eq!(last, next, "round robin");
    }
    for _ in 0..2 {
        assert_eq!(office.call("803", MARIA), "boris", "top down: the first of the list");
    }
    for _ in 0..3 {
        // Boris has had more by now.
        let fewest = office.least("answered");
        let answers = office.call("804", MARIA);
        assert!(fewest.is_none_or(|fewest| fewest == answers), "fewest calls: {answers}");
    }
    for _ in 0..3 {
        let least = office.least("talked");
        let answers = office.call("805", MARIA);
        assert!(least.is_none_or(|least| least == answers), "least talk: {answers}");
    }
    last = office.call("806", MARIA);
    for _ in 0..2 {
        assert_eq!(office.call("806", MARIA), last, "sticky: whoever spoke with the caller last");
    }
    for _ in 0..2 {
        assert_eq!(office.call("807", MARIA), "ana", "tiers: the first, whoever has rested");
    }
    let lots: BTreeSet<String> = (0..2).map(|_| office.call("808", MARIA)).collect();
    assert!(lots.iter().all(|agent| agent == "ana" || agent == "boris"), "random: {lots:?}");
    for _ in 0..2 {
        assert_eq!(office.call("809", MARIA), "boris", "weights 1 and 1000");
    }
}
