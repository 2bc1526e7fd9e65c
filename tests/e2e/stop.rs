//! Starting and stopping: a mistake in the configuration, a graceful stop.

use std::process::Command;
use std::time::Duration;

use tests::exchange::{TOKEN, binary, config};
use tests::net::Net;

use crate::world::{SOON, World, tenants};

#[test]
fn a_mistake_in_the_configuration_is_told_by_file_and_line_and_nothing_starts() {
    let net = Net::new();
    let (ip, carrier) = (net.host(), net.sip());
    let folder = tempfile::tempdir().expect("a temporary folder");
    let text = config(ip, &tenants(&ip.to_string(), carrier, "  [[tenant.number]]\n  nummer = \"704\"\n"));
    let line = text.lines().position(|line| line.contains("nummer")).expect("the mistake is there") + 1;
    std::fs::write(folder.path().join("strowger.toml"), text).expect("the folder can be written");
    for verb in ["serve", "check"] {
        let mut command = Command::new(binary());
        command
            .args([verb, "--config", "strowger.toml"])
            .current_dir(folder.path())
            .env("STROWGER_TOKEN", TOKEN);
        let mut process = tests::process::Process::spawn("strowger", &mut command);
        let status = process.exit(SOON);
        let said = process.lines.heard().join("\n");
        assert_eq!(status.code(), Some(1), "{verb}: {said}");
        assert!(said.contains(&format!("strowger.toml:{line}")), "{verb}: {said}");
        // The nearest valid name, and nothing of a panic.
        assert!(said.contains("number") && !said.contains("panicked"), "{verb}: {said}");
    }
}

#[test]
fn a_graceful_stop_lets_calls_finish_and_takes_no_new_ones() {
    let mut world = World::new();
    let mut ana = world.pjsua("ana", 440.0);
    ana.call(&world.uri("702"));
    ana.confirmed(SOON);
    world.exchange.ask_to_stop();
    // New calls are refused for now: 503, and sipp counts a call that failed.
    let refused = std::iter::repeat_with(|| world.carrier_calls("702").calls(1, 1).run(SOON))
        .take(10)
        .any(|report| report.failed == 1);
    assert!(refused, "calls are still taken");
    ana.talk(Duration::from_secs(2));
    ana.hang_up();
    ana.disconnected(SOON);
    let status = world.exchange.process().exit(SOON);
    assert_eq!(status.code(), Some(0));
    ana.heard().assert_tone(440.0, Duration::from_secs(2));
}
