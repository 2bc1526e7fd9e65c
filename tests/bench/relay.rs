//! Both ends of calls whose sound goes through a relay: sockets for RTP or SRTP, and just enough of SIP, or of
//! rtpengine's protocol, to be connected.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, UdpSocket};
use std::thread;
use std::time::{Duration, Instant};

use protocol::srtp::{MAX_OVERHEAD, MasterKey, Outbound, Suite};

use super::rtpengine::RtpEngine;

/// Each is two streams of 50 packets a second.
const CALLS: usize = 40;
/// Sound for this long is measured.
const LENGTH: Duration = Duration::from_secs(8);
/// A packet of 20 ms (RFC 3551 §4.5.14: 160 octets of A-law).
const PTIME: Duration = Duration::from_millis(20);
const PAYLOAD: usize = 160;
/// What both ends have for a key (RFC 4568 §9.1), octets 1 to 30.
pub const CRYPTO: &str = "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0e";
/// RFC 3711 §3.1: the tag behind a protected packet.
const TAG: usize = 10;
/// For an answer of the exchange.
const ANSWER: Duration = Duration::from_secs(10);

/// Calls that are up.
pub struct Calls {
    ends: Vec<End>,
    /// Signalling that stays open as long as the calls.
    _signalling: Vec<UdpSocket>,
}

/// One party of a call.
struct End {
    socket: UdpSocket,
    /// Where its sound goes.
    relay: SocketAddr,
    /// What protects it, if anything does.
    srtp: Option<Outbound>,
}

impl Calls {
    /// Speaks on all ends, and answers how many packets arrived on the others. Panics when more than one in a
    /// hundred is lost.
    pub fn exchange_sound(mut self) -> u32 {
        // The sources are learned, and whatever a relay does on a first packet is done.
        self.speak(0, 25);
        thread::park_timeout(PTIME * 5);
        self.count_arrived();
        let turns = (LENGTH.as_millis() / PTIME.as_millis()) as u16;
        let arrived = self.speak(25, turns);
        thread::park_timeout(PTIME * 5);
        let arrived = arrived + self.count_arrived();
        let sent = u32::from(turns) * self.ends.len() as u32;
        assert!(arrived * 100 >= sent * 99 && arrived <= sent, "{arrived} packets of {sent} arrived");
        arrived
    }

    fn speak(&mut self, first: u16, turns: u16) -> u32 {
        let begin = Instant::now();
        let mut arrived = 0;
        for turn in 0..turns {
            for (n, end) in self.ends.iter_mut().enumerate() {
                let (plain, mut bytes) = (packet(n as u32, first + turn), [0; 12 + PAYLOAD + MAX_OVERHEAD]);
                let sent = match &mut end.srtp {
                    Some(srtp) => srtp.protect_rtp(&plain, &mut bytes).map(|length| &bytes[..length]),
                    None => Some(&plain[..]),
                };
                // A full buffer is a lost packet, and those are counted.
                let _ = end.socket.send_to(sent.expect("no number comes twice"), end.relay);
            }
            arrived += self.count_arrived();
            let next = begin + PTIME * u32::from(turn + 1);
            while Instant::now() < next {
                thread::park_timeout(next.saturating_duration_since(Instant::now()));
            }
        }
        arrived
    }

    fn count_arrived(&self) -> u32 {
        let mut buffer = [0; 2048];
        let mut arrived = 0;
        for End { socket, srtp, .. } in &self.ends {
            let tag = if srtp.is_some() { TAG } else { 0 };
            while let Ok(length) = socket.recv(&mut buffer) {
                arrived += u32::from(length == 12 + PAYLOAD + tag);
            }
        }
        arrived
    }
}

/// RFC 3550 §5.1: version 2, payload type 8.
fn packet(ssrc: u32, sequence: u16) -> [u8; 12 + PAYLOAD] {
    let mut packet = [0xd5; 12 + PAYLOAD];
    packet[0] = 0x80;
    packet[1] = 8;
    packet[2..4].copy_from_slice(&sequence.to_be_bytes());
    packet[4..8].copy_from_slice(&(u32::from(sequence) * PAYLOAD as u32).to_be_bytes());
    packet[8..12].copy_from_slice(&(0x5700_0000 + ssrc).to_be_bytes());
    packet
}

/// Calls from `caller` through the exchange to `called`, its carrier, in the clear or both ways with SRTP.
pub fn through_sip(
    exchange: SocketAddrV4,
    caller: SocketAddrV4,
    called: SocketAddrV4,
    number: &str,
    srtp: bool,
) -> Calls {
    let key = || srtp.then(|| Outbound::new(master_key()));
    let bind = |at: SocketAddrV4| {
        let socket = UdpSocket::bind(at).expect("the address is free");
        socket.set_read_timeout(Some(ANSWER)).expect("a socket can wait");
        socket
    };
    let (uac, uas) = (bind(caller), bind(called));
    let mut ends = Vec::new();
    for n in 0..CALLS {
        let (a, b) = (media_socket(*caller.ip()), media_socket(*called.ip()));
        let common = |cseq: &str, branch: &str, to: &str| {
            format!(
                "Via: SIP/2.0/UDP {caller};branch=z9hG4bK{branch}{n}\r\nMax-Forwards: 70\r\n\
                 From: <sip:caller@{exchange}>;tag=a{n}\r\nTo: {to}\r\nCall-ID: relay-{n}@{caller}\r\n\
                 CSeq: 1 {cseq}\r\nContact: <sip:caller@{caller}>\r\n"
            )
        };
        let to = format!("<sip:{number}@{exchange}>");
        let head = format!("INVITE sip:{number}@{exchange} SIP/2.0\r\n{}", common("INVITE", "i", &to));
        uac.send_to(with_sdp(&head, &sdp(&a, srtp)).as_bytes(), exchange).expect("the exchange listens");

        let (invite, from) = receive(&uas, "INVITE ");
        let to_caller = format!("{}:{}", sdp_word(&invite, "c=IN IP4 "), sdp_word(&invite, "m=audio "));
        let copied: String = invite
            .split("\r\n\r\n")
            .next()
            .into_iter()
            .flat_map(|head| head.lines())
            .filter(|line| {
                ["via:", "from:", "call-id:", "cseq:"].iter().any(|h| line.to_lowercase().starts_with(h))
            })
            .map(|line| format!("{line}\r\n"))
            .collect();
        let to_header = header(&invite, "to");
        let head =
            format!("SIP/2.0 200 OK\r\n{copied}To: {to_header};tag=b{n}\r\nContact: <sip:{called}>\r\n");
        uas.send_to(with_sdp(&head, &sdp(&b, srtp)).as_bytes(), from).expect("the exchange listens");

        let (answer, _) = receive(&uac, "SIP/2.0 200");
        let contact = header(&answer, "contact");
        let target = contact.trim_start_matches('<').split('>').next().expect("split gives one");
        let ack = common("ACK", "k", &header(&answer, "to"));
        let ack = format!("ACK {target} SIP/2.0\r\n{ack}Content-Length: 0\r\n\r\n");
        uac.send_to(ack.as_bytes(), exchange).expect("the exchange listens");
        receive(&uas, "ACK ");

        let to_called = format!("{}:{}", sdp_word(&answer, "c=IN IP4 "), sdp_word(&answer, "m=audio "));
        let address = |text: String| text.parse().expect("an address in the description");
        ends.push(End { socket: a, relay: address(to_called), srtp: key() });
        ends.push(End { socket: b, relay: address(to_caller), srtp: key() });
    }
    Calls { ends, _signalling: vec![uac, uas] }
}

/// Calls through rtpengine, between sockets at `ip`.
pub fn through_ng(engine: &RtpEngine, ip: Ipv4Addr) -> Calls {
    let client = engine.client();
    let mut ends = Vec::new();
    for n in 0..CALLS {
        let (a, b) = (media_socket(ip), media_socket(ip));
        let offer = client.offer(n, &sdp(&a, false));
        let answer = client.answer(n, &sdp(&b, false));
        let address = |sdp: &str| {
            let text = format!("{}:{}", sdp_word(sdp, "c=IN IP4 "), sdp_word(sdp, "m=audio "));
            text.parse().expect("an address in the SDP")
        };
        ends.push(End { socket: a, relay: address(&answer), srtp: None });
        ends.push(End { socket: b, relay: address(&offer), srtp: None });
    }
    Calls { ends, _signalling: Vec::new() }
}

fn media_socket(ip: Ipv4Addr) -> UdpSocket {
    let socket = UdpSocket::bind((ip, 0)).expect("a port is free");
    socket.set_nonblocking(true).expect("a socket can be non-blocking");
    socket
}

/// Of [`CRYPTO`].
fn master_key() -> MasterKey {
    let octets: Vec<u8> = (1..=30).collect();
    MasterKey::new(Suite::AesCm128HmacSha1_80, &octets).expect("a key of its length")
}

/// A-law at this socket.
pub fn sdp(socket: &UdpSocket, srtp: bool) -> String {
    let (profile, crypto) = if srtp { ("SAVP", format!("{CRYPTO}\r\n")) } else { ("AVP", String::new()) };
    let at = socket.local_addr().expect("a bound socket has an address");
    format!(
        "v=0\r\no=- 1 1 IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\nm=audio {port} RTP/{profile} 8\r\n\
         a=rtpmap:8 PCMA/8000\r\n{crypto}",
        ip = at.ip(),
        port = at.port()
    )
}

fn with_sdp(head: &str, sdp: &str) -> String {
    format!("{head}Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{sdp}", sdp.len())
}

/// The next message that begins so, and where it came from; others, 100 Trying and such, are passed over.
fn receive(socket: &UdpSocket, begins: &str) -> (String, SocketAddr) {
    let mut buffer = [0; 8192];
    loop {
        let (length, from) = socket.recv_from(&mut buffer).unwrap_or_else(|why| panic!("no {begins}: {why}"));
        let message = String::from_utf8_lossy(&buffer[..length]).into_owned();
        if message.starts_with(begins) {
            return (message, from);
        }
        let status = message.strip_prefix("SIP/2.0 ").and_then(|rest| rest.get(..1));
        assert!(!matches!(status, Some("3" | "4" | "5" | "6")), "in place of {begins}:\n{message}");
    }
}

fn header(message: &str, name: &str) -> String {
    let line = message.lines().find(|line| line.to_lowercase().starts_with(&format!("{name}:")));
    line.and_then(|line| line.split_once(':')).map_or_else(String::new, |(_, value)| value.trim().to_owned())
}

/// The word that follows `after` at the beginning of a line.
fn sdp_word<'a>(sdp: &'a str, after: &str) -> &'a str {
    let rest = sdp.lines().find_map(|line| line.strip_prefix(after));
    rest.and_then(|rest| rest.split([' ', '/', '\r']).next())
        .unwrap_or_else(|| panic!("no {after} in:\n{sdp}"))
}
