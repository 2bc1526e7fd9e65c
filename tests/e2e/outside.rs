//! Scripts that ask servers outside: a real one answers, and what is not allowed is never connected.

use std::net::Ipv4Addr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use tests::pjsua::python;
use tests::process::Process;

use crate::world::{SOON, World, mark};

const PORT: u16 = 8088;

/// A server in Python; what it is asked for "/elsewhere" leads to `elsewhere`.
fn server(at: Ipv4Addr, elsewhere: &str) -> Process {
    serve("outside_server.py", at, elsewhere)
}

fn serve(program: &str, at: Ipv4Addr, more: &str) -> Process {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("e2e").join(program);
    let mut command = Command::new(python());
    command.arg(script).args([at.to_string(), PORT.to_string(), more.to_owned()]);
    let mut server = Process::spawn(program, &mut command);
    server.lines.wait_for("readiness", SOON, |line| (line == "ready").then_some(()));
    server
}

/// A number that asks this URL.
fn number(number: u32, url: &str, redirects: u8) -> String {
    format!(
        "  [[tenant.number]]\n  number = \"{number}\"\n  script = \"behave\"\n  \
         settings = {{ does = \"ask\", url = \"{url}\", redirects = {redirects} }}\n"
    )
}

fn asked(server: &mut Process) -> Option<Value> {
    server.lines.seek(Duration::from_secs(1), |line| serde_json::from_str::<Value>(line).ok())
}

#[test]
fn a_script_asks_a_server_outside_and_goes_by_its_answer() {
    let mut at = Ipv4Addr::UNSPECIFIED;
    let mut world = World::with(|net| {
        at = net.host();
        let config =
            format!("  [tenant.http]\n  allow = [\"http://{at}:{PORT}\"]\n  reach = [\"{at}/32\"]\n");
        config + &number(920, &format!("http://{at}:{PORT}/who"), 0)
    });
    let mut server = server(at, "");
    let mut ana = world.pjsua("ana", 440.0);
    let mut vera = world.pjsua("vera", 1000.0);
    vera.call(&world.uri("920"));
    ana.event("ringing", SOON);
    ana.answer();
    vera.confirmed(SOON);
    vera.hang_up();
    vera.disconnected(SOON);
    let call = world.exchange.calls(1).remove(0);
    assert_eq!((call["answered_by"].as_str(), call["failure"].is_null()), (Some("ana"), true), "{call}");
    let request = asked(&mut server).expect("the server was asked");
    assert_eq!(request["path"], "/who?number=103");
    assert_eq!(request["headers"]["host"], format!("{at}:{PORT}"));
    let counted = "strowger_http_requests_total{tenant=\"demo\",outcome=\"answered\"} 1";
    assert!(world.exchange.metrics().contains(counted), "{}", world.exchange.metrics());

    // The answer is on the tape: a replay comes to the same and asks nobody.
    let (status, said, why) = world.exchange.cli(&["replay", call["id"].as_str().expect("a call has an id")]);
    assert!(status == 0 && said.contains("same"), "{said}{why}");
    assert_eq!(asked(&mut server), None);
}

#[test]
fn what_a_tenant_does_not_allow_is_not_asked_and_a_bad_answer_is_told() {
    let (mut at, mut private) = (Ipv4Addr::UNSPECIFIED, Ipv4Addr::UNSPECIFIED);
    let mut world = World::with(|net| {
        (at, private) = (net.host(), net.host());
        // "localhost" is a name that is allowed and leads to an address that is not.
        let config = format!(
            "  [tenant.http]\n  allow = [\"http://{at}:{PORT}\", \"http://{private}:{PORT}\", \
             \"http://localhost:{PORT}\"]\n  reach = [\"{at}/32\"]\n"
        );
        let numbers = [
            number(920, &format!("http://{at}:{PORT}/slow"), 0),
            number(921, &format!("http://{at}:{PORT}/large"), 0),
            number(922, &format!("http://{at}:{PORT}/elsewhere"), 0),
            number(923, &format!("http://{at}:{PORT}/elsewhere"), 5),
            number(924, &format!("http://localhost:{PORT}/who"), 0),
            number(925, &format!("http://{private}:{PORT}/who"), 0),
            number(926, &format!("https://{at}:{PORT}/who"), 0),
            number(927, &format!("http://{at}:1/who"), 0),
            number(928, "http://evil.example/", 0),
        ];
        config + &numbers.concat()
    });
    let _server = server(at, &format!("http://{private}:{PORT}/who"));
    let mut reached = server(private, "");
    let expected = [
        ("920", "failed", "timed out"),
        ("921", "failed", "the limit http_response_size is reached"),
        ("922", "status", "302"),
        ("923", "failed", "the limit http_reach is reached"),
        ("924", "failed", "the limit http_reach is reached"),
        ("925", "failed", "the limit http_reach is reached"),
        ("926", "failed", "the limit http_allow is reached"),
        ("927", "failed", "the limit http_allow is reached"),
        ("928", "failed", "the limit http_allow is reached"),
    ];
    for (number, ..) in expected {
        world.patient_calls(number).calls(1, 1).run(SOON).assert_all(1);
    }
    let calls = world.exchange.calls(expected.len());
    for (call, (number, key, value)) in calls.iter().zip(expected) {
        assert_eq!((call["dialled"].as_str(), mark(call, key)), (Some(number), Some(value)), "{call}");
        assert!(call["failure"].is_null(), "{call}");
    }
    assert_eq!(asked(&mut reached), None, "nobody was connected");
}

#[test]
fn a_caller_who_leaves_ends_the_request() {
    let mut at = Ipv4Addr::UNSPECIFIED;
    let mut world = World::with(|net| {
        at = net.host();
        let config =
            format!("  [tenant.http]\n  allow = [\"http://{at}:{PORT}\"]\n  reach = [\"{at}/32\"]\n");
        config + &number(920, &format!("http://{at}:{PORT}/slow"), 0)
    });
    let mut server = server(at, "");
    let mut vera = world.pjsua("vera", 1000.0);
    vera.call(&world.uri("920"));
    asked(&mut server).expect("the server was asked");
    vera.hang_up();
    vera.disconnected(SOON);
    let call = world.exchange.calls(1).remove(0);
    // At once, and not when the script had waited enough.
    assert_eq!(mark(&call, "failed"), Some("hung up"), "{call}");
    let counted = "strowger_http_requests_total{tenant=\"demo\",outcome=\"hung-up\"} 1";
    assert!(world.exchange.metrics().contains(counted), "{}", world.exchange.metrics());
}

#[test]
fn a_call_is_a_trace_at_the_collector_and_the_servers_it_asked_know_of_it() {
    let (mut at, mut collector) = (Ipv4Addr::UNSPECIFIED, Ipv4Addr::UNSPECIFIED);
    let mut world = World::with(|net| {
        (at, collector) = (net.host(), net.host());
        let config =
            format!("  [tenant.http]\n  allow = [\"http://{at}:{PORT}\"]\n  reach = [\"{at}/32\"]\n");
        let traces = format!(
            "[traces]\nurl = \"http://{collector}:{PORT}/v1/traces\"\n  [[traces.header]]\n  \
             name = \"authorization\"\n  value = \"Bearer collector\"\n"
        );
        config + &number(920, &format!("http://{at}:{PORT}/nobody"), 0) + &traces
    });
    let mut server = server(at, "");
    let mut collector = serve("collector.py", collector, "");
    world.patient_calls("920").calls(1, 1).run(SOON).assert_all(1);
    let call = world.exchange.calls(1).remove(0);
    let mut spans = Vec::new();
    // A leg is the last of a call's.
    collector.lines.wait_for("the call's spans", SOON, |line| {
        let span = serde_json::from_str::<Value>(line).ok()?;
        spans.push(span);
        (spans.last()?["name"] == "leg").then_some(())
    });
    // The call's id is 26 characters of Crockford's base 32, of which the first has 3 bits; the trace has it in hexadecimal.
    let digit =
        |character: char| "0123456789ABCDEFGHJKMNPQRSTVWXYZ".find(character).expect("a digit") as u128;
    let id = call["id"]
        .as_str()
        .expect("it has one")
        .chars()
        .fold(0_u128, |id, character| id << 5 | digit(character));
    let trace = format!("{id:032x}");
    for span in &spans {
        let told = (span["right"].as_bool(), span["service"].as_str(), span["trace"].as_str());
        assert_eq!(told, (Some(true), Some("strowger"), Some(trace.as_str())), "{span}");
    }
    let named = |name: &str| {
        spans.iter().find(|span| span["name"] == name).unwrap_or_else(|| panic!("{name}: {spans:?}"))
    };
    let (root, run, fetch, play) =
        (named("call"), named("behave on-call"), named("http.fetch"), named("call.play"));
    assert_eq!(root["attributes"]["strowger.outcome"], call["outcome"], "{root}");
    assert_eq!((&run["parent"], &fetch["parent"], &play["parent"]), (&root["id"], &run["id"], &run["id"]));
    assert_eq!(fetch["attributes"]["http.response.status_code"], "404", "{fetch}");
    // The tone is one second long.
    assert!((900_000_000..3_000_000_000).contains(&play["nanos"].as_u64().unwrap_or(0)), "{play}");
    named("behave on-ended");
    let request = asked(&mut server).expect("the server was asked");
    let sent = format!("00-{trace}-{}-01", fetch["id"].as_str().unwrap_or_default());
    assert_eq!(request["headers"]["traceparent"], sent);
}
