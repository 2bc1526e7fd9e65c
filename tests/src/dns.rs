//! A DNS server for one test: dnsmasq with the records that the test gives it.

use std::net::SocketAddrV4;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::net::is_bound;
use crate::process::Process;

/// A running server.
#[derive(Debug)]
pub struct Dns {
    _process: Process,
    at: SocketAddrV4,
}

impl Dns {
    /// Starts it at `at`. `records` are dnsmasq's options: `host-record=a.test,127.0.0.1`,
    /// `srv-host=_sip._udp.a.test,b.test,5060,1,10`, `naptr-record=a.test,50,50,s,SIP+D2U,,_sip._udp.a.test`. It knows
    /// nothing else.
    pub fn start(at: SocketAddrV4, records: &[String]) -> Self {
        let mut command = Command::new("dnsmasq");
        command
            .args([
                "--keep-in-foreground",
                "--conf-file=/dev/null",
                "--no-resolv",
                "--no-hosts",
                "--bind-interfaces",
            ])
            .args(["--pid-file=", "--user=", "--local=/test/", "--log-facility=-", "--log-queries"])
            .arg(format!("--listen-address={}", at.ip()))
            .arg(format!("--port={}", at.port()))
            .args(records.iter().map(|record| format!("--{record}")));
        let mut process = Process::spawn("dnsmasq", &mut command);
        let until = Instant::now() + Duration::from_secs(20);
        while !is_bound(at) {
            if Instant::now() > until || !process.lines.running(Duration::from_millis(20)) {
                process.lines.fail("does not listen");
            }
        }
        Self { _process: process, at }
    }

    /// Where it answers.
    pub fn at(&self) -> SocketAddrV4 {
        self.at
    }
}
