//! rtpengine without its kernel module, spoken to in its ng protocol: a cookie and a bencoded dictionary in a
//! datagram each way.

use std::net::{Ipv4Addr, SocketAddrV4, UdpSocket};
use std::process::Command;
use std::time::{Duration, Instant};

use tests::net::is_bound;
use tests::process::Process;

/// The port of its control protocol.
const CONTROL_PORT: u16 = 2223;

/// A running rtpengine.
pub struct RtpEngine {
    process: Process,
    control: SocketAddrV4,
}

impl RtpEngine {
    /// Its process.
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// Where it takes commands.
    pub fn control(&self) -> SocketAddrV4 {
        self.control
    }
}

/// Starts it at an address.
pub fn start(ip: Ipv4Addr) -> RtpEngine {
    let control = SocketAddrV4::new(ip, CONTROL_PORT);
    let mut command = Command::new("rtpengine");
    command.args(["--config-file=none", "--foreground", "--log-stderr", "--log-level=3", "--table=-1"]);
    command.arg(format!("--interface={ip}")).arg(format!("--listen-ng={control}"));
    command.args(["--port-min=30000", "--port-max=31000", "--num-threads=2"]);
    let mut process = Process::spawn("rtpengine", &mut command);
    let until = Instant::now() + Duration::from_secs(20);
    while !is_bound(control) {
        if Instant::now() > until || !process.lines.running(Duration::from_millis(20)) {
            process.lines.fail("does not listen");
        }
    }
    RtpEngine { process, control }
}

/// Sends a command with an SDP, and answers the SDP that it gives back.
pub fn ask(socket: &UdpSocket, control: SocketAddrV4, command: &str, call: usize, sdp: &str) -> String {
    let mut words = vec![
        ("call-id", format!("bench-{call}")),
        ("command", command.into()),
        ("from-tag", format!("a{call}")),
    ];
    if command == "answer" {
        words.push(("to-tag", format!("b{call}")));
    }
    words.push(("sdp", sdp.into()));
    // Keys of a bencoded dictionary are sorted.
    words.sort();
    let text: String = words.iter().map(|(k, v)| format!("{}:{k}{}:{v}", k.len(), v.len())).collect();
    socket.send_to(format!("{call}{command} d{text}e").as_bytes(), control).expect("rtpengine listens");
    let mut answer = vec![0; 65536];
    let length = socket.recv(&mut answer).expect("rtpengine answers within the time");
    let answer = String::from_utf8_lossy(&answer[..length]).into_owned();
    let (_, rest) = answer.split_once("3:sdp").unwrap_or_else(|| panic!("rtpengine said {answer}"));
    let (length, sdp) = rest.split_once(':').expect("a bencoded string has a length");
    sdp[..length.parse().expect("a bencoded length is a number")].to_owned()
}
