//! rtpengine without its kernel module, spoken to in its ng protocol: a cookie and a bencoded dictionary in a
//! datagram each way.

use std::net::{Ipv4Addr, SocketAddrV4, UdpSocket};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use tests::net::is_bound;
use tests::process::Process;

/// The port of its control protocol.
const CONTROL_PORT: u16 = 2223;
/// So long it may take to answer.
const ANSWER: Duration = Duration::from_secs(10);

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

    /// A way to tell it what to do.
    pub fn client(&self) -> Client {
        let socket = UdpSocket::bind((*self.control.ip(), 0)).expect("a port is free");
        socket.connect(self.control).expect("an address of this machine is reached");
        socket.set_read_timeout(Some(ANSWER)).expect("a socket can wait");
        Client { socket }
    }
}

/// Starts it at an address.
pub fn start(ip: Ipv4Addr) -> RtpEngine {
    let control = SocketAddrV4::new(ip, CONTROL_PORT);
    let mut command = Command::new("rtpengine");
    command.args(["--config-file=none", "--foreground", "--log-stderr", "--log-level=3", "--table=-1"]);
    command.arg(format!("--interface={ip}")).arg(format!("--listen-ng={control}"));
    command.args(["--port-min=30000", "--port-max=39000", "--num-threads=2"]);
    // What was deleted gives its ports back at once.
    command.arg("--delete-delay=0");
    let mut process = Process::spawn("rtpengine", &mut command);
    let until = Instant::now() + Duration::from_secs(20);
    while !is_bound(control) {
        if Instant::now() > until || !process.lines.running(Duration::from_millis(20)) {
            process.lines.fail("does not listen");
        }
    }
    RtpEngine { process, control }
}

/// Whoever tells it what to do with calls.
pub struct Client {
    socket: UdpSocket,
}

impl Client {
    /// What the caller offers; answers what to offer to the called.
    pub fn offer(&self, call: usize, sdp: &str) -> String {
        described(&self.ask("offer", call, &[("sdp", sdp)]))
    }

    /// What the called answers; answers what to answer to the caller.
    pub fn answer(&self, call: usize, sdp: &str) -> String {
        described(&self.ask("answer", call, &[("to-tag", "b"), ("sdp", sdp)]))
    }

    /// Plays a WAV file to the caller, once.
    pub fn play(&self, call: usize, file: &Path) {
        self.ask("play media", call, &[("file", file.to_str().expect("a path of ours is text"))]);
    }

    /// Ends a call.
    pub fn delete(&self, call: usize) {
        self.ask("delete", call, &[]);
    }

    /// Its answer. Panics where it refuses.
    fn ask(&self, command: &str, call: usize, about: &[(&str, &str)]) -> String {
        let id = format!("bench-{call}");
        let mut words = vec![("call-id", id.as_str()), ("command", command), ("from-tag", "a")];
        words.extend(about);
        // Keys of a bencoded dictionary are sorted.
        words.sort_unstable();
        let text: String = words.iter().map(|(k, v)| format!("{}:{k}{}:{v}", k.len(), v.len())).collect();
        // The cookie is one word, and no other command's: what has it is taken for a repetition.
        let cookie = format!("{call}{}", &command[..1]);
        self.socket.send(format!("{cookie} d{text}e").as_bytes()).expect("rtpengine listens");
        let mut answer = vec![0; 65536];
        let length = self.socket.recv(&mut answer).expect("rtpengine answers within the time");
        let answer = String::from_utf8_lossy(&answer[..length]).into_owned();
        assert!(answer.contains("6:result2:ok"), "rtpengine said {answer} to {command}");
        answer
    }
}

/// The SDP in an answer.
fn described(answer: &str) -> String {
    let (_, rest) = answer.split_once("3:sdp").unwrap_or_else(|| panic!("rtpengine said {answer}"));
    let (length, sdp) = rest.split_once(':').expect("a bencoded string has a length");
    sdp[..length.parse().expect("a bencoded length is a number")].to_owned()
}
