//! Text messages to a carrier's message centre over SMPP, plain and over TLS: Kannel's centre of its own tests takes them.

use std::net::{Ipv4Addr, SocketAddrV4, TcpListener};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use tests::certificates::{Authority, Issued};
use tests::net::is_bound;
use tests::process::Process;

use crate::world::{LATER, World};

/// Where Debian's kannel-extras puts it.
const CENTRE: &str = "/usr/lib/kannel/test/drive_smpp";

/// Of the terminator in front of it, on the exchange's own address.
const SECURE_PORT: u16 = 3550;

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

/// A terminator of TLS in front of it.
fn front(ip: Ipv4Addr, issued: &Issued, centre: u16) -> Process {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/e2e/tls_front.py");
    let mut command = Command::new("python3");
    command.arg(script).arg(ip.to_string()).arg(SECURE_PORT.to_string());
    command.arg(&issued.certificate).arg(&issued.key).arg(centre.to_string());
    let mut front = Process::spawn("tls_front", &mut command);
    front.lines.wait_for("the terminator", LATER, |line| (line == "ready").then_some(()));
    front
}

/// A queue in which nobody answers, and who is told; `ca`: TOML of whom the exchange believes.
fn sections(url: &str, ca: &str) -> String {
    format!(
        r#"  [tenant.sms]
  kind = "smpp"
  url = "{url}"
  {ca}
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
}

fn give_up(world: &World) {
    world.carrier_calls("800").calls(1, 1).talks(Duration::from_secs(1)).run(LATER).assert_all(1);
}

/// The centre heard a login, and then the text.
#[track_caller]
fn is_told(centre: &mut Process) {
    centre
        .lines
        .wait_for("a login", LATER, |line| line.contains("PDU of type bind_transmitter").then_some(()));
    let text = |line: &str| Some(line.split_once("short_message = <")?.1.trim_end_matches('>').to_owned());
    assert_eq!(centre.lines.wait_for("a text message", LATER, text), "+359888123456 gave up on 800");
}

#[test]
fn who_gave_up_is_told_in_text_messages_over_smpp() {
    let (mut centre, port) = centre();
    let world = World::with(|_| sections(&format!("smpp://127.0.0.1:{port}"), ""));
    give_up(&world);
    is_told(&mut centre);
}

#[test]
fn text_messages_go_encrypted_to_a_centre_that_proves_its_name_and_wait_for_any_other() {
    let (mut centre, port) = centre();
    let (authority, stranger) = (Authority::new(), Authority::new());
    let mut ip = Ipv4Addr::LOCALHOST;
    let ca = |file: &Path| format!("ca_file = {file:?}");
    let mut world = World::with(|net| {
        ip = net.host();
        sections(&format!("smpps://{ip}:{SECURE_PORT}"), &ca(&authority.file()))
    });
    let names = [format!("IP:{ip}")];

    let impostor = front(ip, &stranger.issue("impostor", &names), port);
    give_up(&world);
    let why = world.exchange.eventually("a letter that waits", |exchange| {
        let outbox = exchange.get("/tenants/demo/outbox");
        outbox["letters"][0]["why"].as_str().map(str::to_owned)
    });
    assert!(why.contains("certificate"), "{why}");
    drop(impostor);
    assert!(!centre.lines.heard().iter().any(|line| line.contains("bind_transmitter")), "no password for it");

    let mut proven = front(ip, &authority.issue("centre", &names), port);
    is_told(&mut centre);
    proven.lines.wait_for("TLS", LATER, |line| line.starts_with("TLSv1.").then_some(()));
    world.exchange.eventually("an empty outbox", |exchange| {
        (exchange.get("/tenants/demo/outbox")["waiting"] == 0).then_some(())
    });
}
