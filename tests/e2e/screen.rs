//! The demo world as a user meets it: `strowger serve` without a configuration, in an empty folder. It listens
//! on every address of the machine, so the test runs in a network namespace of its own.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::process::Command;
use std::time::Duration;

use tests::baresip::Baresip;
use tests::exchange::binary;
use tests::pjsua::{Account, Pjsua};
use tests::process::{Process, Signal};

use crate::world::{LATER, SOON};

const INSIDE: &str = "STROWGER_TEST_INSIDE_NAMESPACE";
const A_WHILE: Duration = Duration::from_secs(2);

#[test]
fn the_demo_world_is_called_as_its_screen_says() {
    if std::env::var_os(INSIDE).is_some() {
        return call_the_demo();
    }
    let this = std::env::current_exe().expect("a running program has a path");
    let mut command = Command::new("unshare");
    command
        .args(["--map-root-user", "--net", "sh", "-c", "ip link set lo up && exec \"$0\" \"$@\""])
        .arg(this);
    command.args(["--exact", "screen::the_demo_world_is_called_as_its_screen_says", "--nocapture"]);
    let mut inside = Process::spawn("the test in its namespace", command.env(INSIDE, "1"));
    let status = inside.exit(Duration::from_secs(180));
    assert!(status.success(), "{}", inside.lines.heard().join("\n"));
}

fn call_the_demo() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut command = Command::new(binary());
    let mut exchange = Process::spawn("strowger", command.arg("serve").current_dir(folder.path()));

    // Whoever reads the screen finds each user with extension and password on one line.
    let mut passwords = Vec::new();
    for (user, extension) in [("ana", "101"), ("boris", "102")] {
        let password = exchange.lines.wait_for(&format!("line for {user}"), LATER, |line| {
            let words: Vec<_> = line.split([' ', '\t', '|', ',']).filter(|word| !word.is_empty()).collect();
            let named = words.contains(&user) && words.contains(&extension);
            words.into_iter().find(|word| named && word.len() == 16).map(str::to_owned)
        });
        passwords.push(password);
    }
    // And a line to copy into baresip's accounts: <sip:ana@HOST>;auth_pass=...
    let account = exchange.lines.wait_for("line for baresip", LATER, |line| {
        let from = line.find("<sip:")?;
        let account = line[from..].split(['\'', '"', ' ']).next()?;
        account.contains("auth_pass=").then(|| account.to_owned())
    });

    let mut ana = Baresip::start(SocketAddrV4::new(Ipv4Addr::new(127, 0, 0, 2), 5062), &account, 600.0);
    ana.event("REGISTER_OK", LATER);
    let mut boris = Pjsua::start(SocketAddrV4::new(Ipv4Addr::new(127, 0, 0, 3), 5064), 440.0);
    let password = &passwords[1];
    assert_eq!(
        boris.register(Account { domain: "127.0.0.1", server: "127.0.0.1", user: "boris", password }),
        200
    );

    boris.call("sip:702@127.0.0.1");
    boris.confirmed(SOON);
    boris.talk(A_WHILE);
    boris.hang_up();
    boris.disconnected(SOON);
    boris.call("sip:700@127.0.0.1");
    boris.confirmed(SOON);
    boris.talk(A_WHILE);
    boris.press("1");
    ana.event("CALL_INCOMING", SOON);
    ana.accept();
    ana.event("CALL_ESTABLISHED", SOON);
    boris.talk(A_WHILE);
    boris.hang_up();
    boris.disconnected(SOON);
    ana.event("CALL_CLOSED", SOON);
    ana.heard().assert_tone(440.0, A_WHILE / 2);
    let heard = boris.heard();
    heard.assert_tone(440.0, A_WHILE / 2);
    heard.assert_tone(600.0, A_WHILE / 2);

    assert!(folder.path().join("data").is_dir(), "all state lies in the folder data");
    exchange.signal(Signal::TERM);
    assert_eq!(exchange.exit(LATER).code(), Some(0));
}
