//! A network that loses every seventh datagram of SIP, both ways: nftables in a network namespace of the test's own.

use std::process::Command;
use std::time::Duration;

use crate::world::World;

/// Set where the test runs inside its namespace.
const INSIDE: &str = "STROWGER_LOSSY";
const CALLS: u32 = 200;

/// A call whose 200 is never acknowledged is hung up after 64 * T1 (RFC 3261 §13.3.1.4). It comes to that where sipp
/// lost its ACK and its BYE, and takes the 200 that comes again for the answer to its BYE.
const UNACKNOWLEDGED: Duration = Duration::from_secs(32);

/// What the namespace is given before the test begins anew inside of it.
const NETWORK: &str = r#"ip link set lo up && nft add table inet loss &&
nft add chain inet loss input '{ type filter hook input priority 0; }' &&
nft add rule inet loss input udp dport 5060 numgen random mod 100 '<' 15 counter drop && exec "$@""#;

#[test]
fn with_15_percent_loss_99_of_100_calls_are_set_up_and_none_twice() {
    if std::env::var_os(INSIDE).is_some() {
        return lossy();
    }
    let this = std::env::current_exe().expect("a test has a file");
    let name = "loss::with_15_percent_loss_99_of_100_calls_are_set_up_and_none_twice";
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", "--net", "sh", "-c", NETWORK, "sh"]).arg(this);
    let done =
        command.args(["--exact", name, "--nocapture"]).env(INSIDE, "1").output().expect("unshare starts");
    let said = [done.stdout, done.stderr].concat();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&said));
}

fn lossy() {
    let mut world = World::new();
    // Timer B gives up after seven INVITEs (RFC 3261 §17.1.1.2).
    let sipp = world.carrier_calls("702").calls(CALLS, 20).talks(Duration::from_secs(2));
    let report = sipp.args(&["-max_invite_retrans", "7"]).run(Duration::from_secs(120));
    assert_eq!(report.successful + report.failed, CALLS, "{}", report.said);
    assert!(report.successful * 100 >= CALLS * 99, "{} of {CALLS}: {}", report.successful, report.said);
    let rules = Command::new("nft").args(["list", "ruleset"]).output().expect("nft starts").stdout;
    let rules = String::from_utf8_lossy(&rules);
    assert!(rules.contains("counter packets ") && !rules.contains("counter packets 0 "), "{rules}");
    // An INVITE that came again, or came late, began no second call, and nothing stays behind.
    let limit = UNACKNOWLEDGED + Duration::from_secs(10);
    world.exchange.eventually_within(limit, "end of the last dialog", |exchange| {
        let calls = exchange.get("/tenants/demo/calls?live=true");
        calls["calls"].as_array().is_some_and(Vec::is_empty).then_some(())
    });
    let metrics = world.exchange.metrics();
    let of = |line: &str| line.starts_with("strowger_calls_total{tenant=\"demo\"");
    let counts = metrics
        .lines()
        .filter(|line| of(line))
        .filter_map(|line| line.rsplit_once(' ')?.1.parse::<u32>().ok());
    let calls: u32 = counts.sum();
    assert!((report.successful..=CALLS).contains(&calls), "{calls} calls of {CALLS} INVITEs:\n{metrics}");
}
