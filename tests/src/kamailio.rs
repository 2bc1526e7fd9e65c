//! Kamailio as a stateful proxy that stays in the dialog, as a registrar with digest whose contacts live in memory only,
//! and as a carrier that speaks TLS with an exchange and UDP with its own customer.

use std::fs;
use std::net::SocketAddrV4;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::certificates::Issued;
use crate::net::{SIP_PORT, is_bound};
use crate::process::{Process, Signal};

/// A running Kamailio.
#[derive(Debug)]
pub struct Kamailio {
    process: Process,
    at: SocketAddrV4,
    _dir: TempDir,
}

impl Kamailio {
    /// Where it listens.
    pub fn at(&self) -> SocketAddrV4 {
        self.at
    }

    /// Its main process; the workers are children of it.
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }
}

impl Drop for Kamailio {
    /// Its workers outlive a main process that is killed, so it is asked to end them.
    fn drop(&mut self) {
        self.process.signal(Signal::TERM);
        self.process.lines.running(Duration::from_secs(10));
    }
}

/// Starts it at `at`. Every INVITE goes to `called`, or to where the one it is for has registered; a REGISTER needs
/// `password`.
pub fn start(at: SocketAddrV4, called: Option<SocketAddrV4>, password: &str) -> Kamailio {
    run(at, |_| config(at, called, password))
}

/// Whom a carrier on TLS joins, and what it shows.
#[derive(Clone, Copy, Debug)]
pub struct Between<'a> {
    /// Its customer, on UDP: whatever comes over TLS goes there.
    pub customer: SocketAddrV4,
    /// The exchange, on TLS: whatever comes by UDP goes there.
    pub exchange: SocketAddrV4,
    /// Whom it believes; who shows no certificate of that gets no connection.
    pub authority: &'a Path,
    /// What it shows.
    pub shows: &'a Issued,
}

/// Starts a carrier that speaks TLS at `at`, and UDP at port 5060 of the same address. A connection whose far side says
/// `alias` carries calls the other way too (RFC 5923).
pub fn start_carrier(at: SocketAddrV4, between: Between<'_>) -> Kamailio {
    run(at, |dir| {
        let Between { authority, shows, .. } = between;
        let both = format!(
            "method = TLSv1.2+\nverify_certificate = yes\nrequire_certificate = yes\nca_list = {}\ncertificate = {}\n\
             private_key = {}\n",
            authority.display(),
            shows.certificate.display(),
            shows.key.display()
        );
        let tls = dir.join("tls.cfg");
        fs::write(&tls, format!("[server:default]\n{both}[client:default]\n{both}"))
            .expect("the folder can be written");
        carrier(at, &tls, between)
    })
}

fn run(at: SocketAddrV4, config: impl FnOnce(&Path) -> String) -> Kamailio {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let file = dir.path().join("kamailio.cfg");
    fs::write(&file, config(dir.path())).expect("the folder can be written");
    let mut command = Command::new("kamailio");
    command.args(["-DD", "-E", "-m", "128", "-M", "8", "-Y"]).arg(dir.path()).arg("-f").arg(&file);
    let mut process = Process::spawn("kamailio", &mut command);
    let until = Instant::now() + Duration::from_secs(20);
    while !is_bound(at) {
        if Instant::now() > until || !process.lines.running(Duration::from_millis(20)) {
            process.lines.fail("does not listen");
        }
    }
    Kamailio { process, at, _dir: dir }
}

fn config(at: SocketAddrV4, called: Option<SocketAddrV4>, password: &str) -> String {
    let onwards = match called {
        Some(called) => format!("$du = \"sip:{called}\";"),
        None => "if (!lookup(\"location\")) { sl_send_reply(\"404\", \"Not Registered\"); exit; }".to_owned(),
    };
    format!(
        r#"#!KAMAILIO
debug=-1
log_stderror=yes
fork=yes
children=2
disable_tcp=yes
auto_aliases=no
listen=udp:{at}
loadmodule "kex.so"
loadmodule "tm.so"
loadmodule "sl.so"
loadmodule "rr.so"
loadmodule "pv.so"
loadmodule "maxfwd.so"
loadmodule "siputils.so"
loadmodule "textops.so"
loadmodule "usrloc.so"
loadmodule "registrar.so"
loadmodule "auth.so"
modparam("usrloc", "db_mode", 0)
request_route {{
{WITHIN_A_CALL}  if (is_method("REGISTER")) {{
    if (!pv_www_authenticate("$fd", "{password}", "0")) {{ www_challenge("$fd", "1"); exit; }}
    if (!save("location")) sl_reply_error();
    exit;
  }}
  if (is_method("INVITE")) record_route();
  {onwards}
  t_relay();
}}
"#
    )
}

/// What comes within a call goes on the way that the call took.
const WITHIN_A_CALL: &str = r#"  if (!mf_process_maxfwd_header("10")) { sl_send_reply("483", "Too Many Hops"); exit; }
  if (is_method("CANCEL")) { if (t_check_trans()) t_relay(); exit; }
  if (has_totag()) {
    if (loose_route()) { t_relay(); exit; }
    if (is_method("ACK")) { if (t_check_trans()) t_relay(); exit; }
    sl_send_reply("404", "Not Here");
    exit;
  }
"#;

fn carrier(at: SocketAddrV4, tls: &Path, between: Between<'_>) -> String {
    let Between { customer, exchange, .. } = between;
    let (ip, tls, to) = (at.ip(), tls.display(), exchange.ip());
    format!(
        r#"#!KAMAILIO
debug=-1
log_stderror=yes
fork=yes
children=2
tcp_children=2
enable_tls=yes
tcp_accept_aliases=yes
auto_aliases=no
listen=udp:{ip}:{SIP_PORT}
listen=tls:{at}
loadmodule "kex.so"
loadmodule "tls.so"
loadmodule "tm.so"
loadmodule "sl.so"
loadmodule "rr.so"
loadmodule "pv.so"
loadmodule "maxfwd.so"
loadmodule "siputils.so"
loadmodule "textops.so"
modparam("tls", "config", "{tls}")
request_route {{
{WITHIN_A_CALL}  if (is_method("INVITE")) record_route();
  if (proto == TLS) {{
    $du = "sip:{customer}";
  }} else {{
    $rd = "{to}";
    $du = "sip:{exchange};transport=tls";
  }}
  t_relay();
}}
"#
    )
}
