//! Text messages to a carrier's message centre over SMPP: Kannel's centre of its own tests takes them.

use std::net::{Ipv4Addr, SocketAddrV4, TcpListener};
use std::process::Command;
use std::time::Duration;

use tests::net::is_bound;
use tests::process::Process;

use crate::world::{LATER, World};

/// Where Debian's kannel-extras puts it.
const CENTRE: &str = "/usr/lib/kannel/test/drive_smpp";

/// A message centre, and the port it listens on, everywhere.
fn centre() -> (Process, u16) {
    let free = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).expect("a free port");
    let port = free.local_addr().expect("it is bound").port();
    drop(free);
    let mut command = Command::new(CENTRE);
    command.args(["-v", "0", "-m", "0", "-p", &port.to_string()]);
    let mut centre = Process::spawn("drive_smpp", &mut command);
    while !is_bound(SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, port)) {
        assert!(centre.lines.running(Duration::from_millis(20)), "it does not listen");
    }
    (centre, port)
}

#[test]
fn who_gave_up_is_told_in_text_messages_over_smpp() {
    let (mut centre, port) = centre();
    let world = World::with(|_| {
        format!(
            r#"  [tenant.sms]
  kind = "smpp"
  url = "smpp://127.0.0.1:{port}"
  system_id = "acme"
  password = "secret"
  from = "Acme"
  [[tenant.notify]]
  name = "boris"
  events = ["abandoned"]
  sms = "+359888000102"
  text = "{{number}} gave up on {{dialled}}"
  [[tenant.number]]
  number = "800"
  script = "strowger/queue"
  settings = {{ queue = "sales" }}
  [[tenant.queue]]
  name = "sales"
  agents = ["ana"]
"#
        )
    });
    world.carrier_calls("800").calls(1, 1).talks(Duration::from_secs(1)).run(LATER).assert_all(1);
    centre
        .lines
        .wait_for("a login", LATER, |line| line.contains("PDU of type bind_transmitter").then_some(()));
    let text = |line: &str| Some(line.split_once("short_message = <")?.1.trim_end_matches('>').to_owned());
    let told = centre.lines.wait_for("a text message", LATER, text);
    assert_eq!(told, "+359888123456 gave up on 800");
}
