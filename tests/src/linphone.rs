//! linphone as a telephone: its configuration is written for it, and linphonec's keyboard is its keypad. Files take the
//! place of a sound card.

use std::fs;
use std::net::SocketAddrV4;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::process::Process;
use crate::sound::{Heard, write_tone};

/// Longer than any call in a test.
const TONE_LENGTH: Duration = Duration::from_secs(90);
/// From the start to being ready, on a machine that is busy.
const START: Duration = Duration::from_secs(20);
/// Between two questions.
const LOOK_AGAIN: Duration = Duration::from_millis(100);
/// For the far side of a hang-up, and for its file to be whole.
const STOP: Duration = Duration::from_secs(10);

/// A running linphonec.
#[derive(Debug)]
pub struct Linphone {
    process: Process,
    dir: TempDir,
}

impl Linphone {
    /// Starts it at `at` (SIP over UDP, and RTP at its usual port there), speaking `hz`.
    pub fn start(at: SocketAddrV4, hz: f64) -> Self {
        Self::with(at, hz, "")
    }

    /// The same with sound that it protects by DTLS without ICE (RFC 5763), and insists on.
    pub fn with_dtls(at: SocketAddrV4, hz: f64) -> Self {
        Self::with(at, hz, "media_encryption=dtls\n")
    }

    /// `sip`: more of its section for SIP.
    fn with(at: SocketAddrV4, hz: f64, sip: &str) -> Self {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let path = dir.path();
        make_certificate(&path.join(".linphone-usr-crt"));
        write_tone(&path.join("tone.wav"), hz, TONE_LENGTH);
        let (ip, port) = (at.ip(), at.port());
        // Without `bind_address` it names the address of the machine's first network.
        let config = format!(
            "[sip]\nbind_address={ip}\nsip_port={port}\nsip_tcp_port=0\nsip_tls_port=0\n{sip}[rtp]\nbind_address={ip}\n"
        );
        fs::write(path.join("linphonerc"), config).expect("the test's folder can be written");
        // Where it keeps its books.
        fs::create_dir_all(path.join(".local/share/linphone")).expect("the test's folder can be written");
        // Its output is a pipe, and what it says would come too late.
        let mut command = Command::new("stdbuf");
        command.args(["-oL", "linphonec", "-c"]).arg(path.join("linphonerc"));
        command.env("HOME", path).env_remove("XDG_DATA_HOME").env_remove("XDG_CONFIG_HOME");
        let mut phone = Self { process: Process::spawn("linphonec", &mut command), dir };
        phone.says("soundcard use files", "Using wav files", START);
        let (tone, heard) = (phone.dir.path().join("tone.wav"), phone.dir.path().join("heard.wav"));
        phone.tell(&format!("play {}", tone.display()));
        phone.tell(&format!("record {}", heard.display()));
        phone
    }

    /// Registers as a user of a domain, at whose address the registrar is. Panics when that does not come about.
    pub fn register(&mut self, user: &str, domain: &str, password: &str) {
        self.tell(&format!("register sip:{user}@{domain} sip:{domain} {password}"));
        // It tells of it only who asks.
        let until = Instant::now() + START;
        let registered = |line: &str| line.contains("registered, identity=").then_some(());
        while Instant::now() < until {
            self.tell("status register");
            if self.process.lines.seek(LOOK_AGAIN, registered).is_some() {
                return;
            }
        }
        self.process.lines.fail("does not register");
    }

    /// Calls a SIP URI.
    pub fn call(&mut self, uri: &str) {
        self.tell(&format!("call {uri}"));
    }

    /// Waits until somebody calls.
    #[track_caller]
    pub fn rings(&mut self, limit: Duration) {
        self.waits("Receiving new incoming call", limit);
    }

    /// Answers what rings.
    pub fn answer(&mut self) {
        self.tell("answer");
    }

    /// Waits for the call to be answered.
    #[track_caller]
    pub fn confirmed(&mut self, limit: Duration) {
        self.waits("connected", limit);
    }

    /// Waits for the end of the call.
    #[track_caller]
    pub fn disconnected(&mut self, limit: Duration) {
        self.waits("ended", limit);
    }

    /// Ends the call.
    pub fn hang_up(&mut self) {
        self.tell("terminate");
    }

    /// Lets the call go on for a while. Panics when it ends.
    #[track_caller]
    pub fn talk(&mut self, length: Duration) {
        if self.process.lines.seek(length, |line| line.contains("ended").then_some(())).is_some() {
            self.process.lines.fail("the call ended");
        }
    }

    /// Puts the telephone away, and answers what it heard in its last call.
    pub fn heard(mut self) -> Heard {
        self.tell("quit");
        self.process.exit(STOP);
        Heard::read(&self.dir.path().join("heard.wav"))
    }

    #[track_caller]
    fn says(&mut self, command: &str, answer: &str, limit: Duration) {
        self.tell(command);
        self.waits(answer, limit);
    }

    #[track_caller]
    fn waits(&mut self, text: &str, limit: Duration) {
        self.process.lines.wait_for(text, limit, |line| line.contains(text).then_some(()));
    }

    fn tell(&mut self, command: &str) {
        self.process.say(&format!("{command}\n"));
    }
}

/// Under the name that it looks for; it would make one for RSA.
fn make_certificate(folder: &Path) {
    fs::create_dir(folder).expect("the test's folder can be written");
    let file = folder.join("linphone-dtls-default-identity.pem");
    let script = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 \
                  -subj /CN=linphone-dtls-default-identity -keyout key -out certificate 2>/dev/null && \
                  cat certificate key > \"$0\" && rm certificate key";
    let done = Command::new("sh").args(["-c", script]).arg(&file).current_dir(folder).status();
    assert!(done.is_ok_and(|done| done.success()), "openssl makes a certificate");
}
