//! A session description (RFC 8866), read into what a telephone call needs of it. The lines are
//! split by sdp-types, their meaning is checked here: addresses, ports, directions (RFC 8866 §6.7),
//! payload maps (§6.6) and RTCP ports (RFC 3605). What protects sound is read by [`super::protection`]; times and
//! bandwidths are passed over.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;
use std::time::Duration;

use super::protection::Said;

/// An `m=` line more than this makes the description [`Malformed::TooManyMedia`].
pub const MAX_MEDIA: usize = 16;

/// Bytes of a description; a longer one is [`Malformed::TooLong`].
pub const MAX_BYTES: usize = 16 * 1024;

/// Payload maps read of one `m=` line; those after it are passed over, as unknown codecs are.
const MAX_MAPS: usize = 64;

/// Which way sound flows, seen by whoever says it (RFC 8866 §6.7).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Direction {
    /// Both ways; what is meant when nothing is said.
    #[default]
    SendRecv,
    /// The one who says it only sends: it holds the other.
    SendOnly,
    /// The one who says it only receives.
    RecvOnly,
    /// Neither way.
    Inactive,
}

impl Direction {
    /// From whether the one who says it sends and receives.
    pub fn new(sends: bool, receives: bool) -> Self {
        match (sends, receives) {
            (true, true) => Self::SendRecv,
            (true, false) => Self::SendOnly,
            (false, true) => Self::RecvOnly,
            (false, false) => Self::Inactive,
        }
    }

    /// Whether the one who says it sends.
    pub fn sends(self) -> bool {
        matches!(self, Self::SendRecv | Self::SendOnly)
    }

    /// Whether the one who says it receives.
    pub fn receives(self) -> bool {
        matches!(self, Self::SendRecv | Self::RecvOnly)
    }

    /// The same flow seen from the other end.
    pub fn reversed(self) -> Self {
        Self::new(self.receives(), self.sends())
    }

    /// What both allow, each in its own words for the same end.
    pub fn and(self, other: Self) -> Self {
        Self::new(self.sends() && other.sends(), self.receives() && other.receives())
    }

    /// The attribute's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SendRecv => "sendrecv",
            Self::SendOnly => "sendonly",
            Self::RecvOnly => "recvonly",
            Self::Inactive => "inactive",
        }
    }

    fn named(name: &str) -> Option<Self> {
        [Self::SendRecv, Self::SendOnly, Self::RecvOnly, Self::Inactive]
            .into_iter()
            .find(|d| d.as_str() == name)
    }
}

/// Why a body is no session description we can read. Answered with 400.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// Longer than [`MAX_BYTES`].
    TooLong,
    /// A line that RFC 8866 does not know, or one cut short.
    Syntax,
    /// No `o=` line (RFC 8866 §5.2).
    NoOrigin,
    /// No `m=` line: nothing is offered.
    NoMedia,
    /// More `m=` lines than [`MAX_MEDIA`].
    TooManyMedia,
    /// An `m=` line without a `c=` of its own or of the session (RFC 8866 §5.7).
    NoConnection,
    /// A `c=` line whose address is not of the family it names.
    Address,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooLong => "session description too long",
            Self::Syntax => "session description with a malformed line",
            Self::NoOrigin => "session description without an o= line",
            Self::NoMedia => "session description without an m= line",
            Self::TooManyMedia => "session description with too many m= lines",
            Self::NoConnection => "media without a c= line",
            Self::Address => "c= line with an address of another family",
        })
    }
}

impl std::error::Error for Malformed {}

/// A description as far as it matters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Description {
    /// The version of the `o=` line: the same as before means that nothing changed (RFC 3264 §8).
    pub version: u64,
    /// In their order, 1 to [`MAX_MEDIA`].
    pub media: Vec<Media>,
}

/// One `m=` line and the attributes under it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Media {
    /// "audio", "video" ...
    pub kind: String,
    /// 0 when the stream is refused or ended (RFC 3264 §6, §8.2).
    pub port: u16,
    /// "RTP/AVP" ...
    pub proto: String,
    /// The formats as written: payload types in order of preference.
    pub formats: String,
    /// Where to send; none when it is a host name.
    pub address: Option<IpAddr>,
    /// Its own attribute, else the session's, else sendrecv.
    pub direction: Direction,
    /// Milliseconds of sound the other side wishes in a packet.
    pub ptime: Option<Duration>,
    /// RFC 3605, when said.
    rtcp: Option<(u16, Option<IpAddr>)>,
    /// Its own attributes, else the session's.
    pub(super) protection: Said,
    maps: Vec<Map>,
    /// The events of a telephone-event map (RFC 4733 §2.4.1), by payload type.
    events: Vec<(u8, String)>,
}

/// `a=rtpmap` (RFC 8866 §6.6).
#[derive(Clone, Debug, PartialEq, Eq)]
struct Map {
    payload_type: u8,
    /// As written.
    encoding: String,
    clock: u32,
}

impl Description {
    /// Reads and checks.
    pub fn read(body: &[u8]) -> Result<Self, Malformed> {
        if body.len() > MAX_BYTES {
            return Err(Malformed::TooLong);
        }
        let session = sdp_types::Session::parse(body).map_err(|_| Malformed::Syntax)?;
        if session.origin.sess_id.is_empty() {
            return Err(Malformed::NoOrigin);
        }
        match session.medias.len() {
            0 => return Err(Malformed::NoMedia),
            1..=MAX_MEDIA => {}
            _ => return Err(Malformed::TooManyMedia),
        }
        let direction =
            session.attributes.iter().find_map(|a| Direction::named(&a.attribute)).unwrap_or_default();
        let mut said = Said::default();
        for attribute in &session.attributes {
            said.attribute(&attribute.attribute, attribute.value.as_deref().unwrap_or("").trim());
        }
        let media = session
            .medias
            .into_iter()
            .map(|media| Media::read(media, session.connection.as_ref(), direction, said.clone()))
            .collect::<Result<_, _>>()?;
        Ok(Self { version: session.origin.sess_version, media })
    }
}

impl Media {
    fn read(
        media: sdp_types::Media,
        session: Option<&sdp_types::Connection>,
        direction: Direction,
        protection: Said,
    ) -> Result<Self, Malformed> {
        let address = match media.connections.first().or(session) {
            Some(connection) => address(connection)?,
            // A refused stream needs none.
            None if media.port == 0 => None,
            None => return Err(Malformed::NoConnection),
        };
        let mut read = Self {
            kind: media.media,
            port: media.port,
            proto: media.proto,
            formats: media.fmt,
            address,
            direction,
            ptime: None,
            rtcp: None,
            protection,
            maps: Vec::new(),
            events: Vec::new(),
        };
        for attribute in &media.attributes {
            read.attribute(&attribute.attribute, attribute.value.as_deref().unwrap_or("").trim());
        }
        Ok(read)
    }

    /// Attributes that can't be read are passed over, as RFC 8866 §5.13 asks for unknown ones.
    fn attribute(&mut self, name: &str, value: &str) {
        match name {
            "rtpmap" if self.maps.len() < MAX_MAPS => self.maps.extend(Map::read(value)),
            "fmtp" if self.events.len() < MAX_MAPS => {
                if let Some((payload_type, text)) = value.split_once(' ')
                    && let Ok(payload_type) = payload_type.parse()
                {
                    self.events.push((payload_type, text.trim().to_owned()));
                }
            }
            "ptime" => {
                // Fractions are allowed and mean nothing at 8 kHz.
                let whole = value.split('.').next().unwrap_or(value);
                self.ptime =
                    whole.parse().ok().filter(|ms| (1..=1000).contains(ms)).map(Duration::from_millis);
            }
            "rtcp" => {
                let mut words = value.split_ascii_whitespace();
                if let Some(port) = words.next().and_then(|port| u16::from_str(port).ok()).filter(|p| *p != 0)
                {
                    self.rtcp = Some((port, words.nth(2).and_then(|address| address.parse().ok())));
                }
            }
            _ => {
                if let Some(direction) = Direction::named(name) {
                    self.direction = direction;
                } else {
                    self.protection.attribute(name, value);
                }
            }
        }
    }

    /// Payload types in order of preference; what is no number is passed over.
    pub fn payload_types(&self) -> impl Iterator<Item = u8> + '_ {
        self.formats.split_ascii_whitespace().filter_map(|pt| pt.parse().ok()).filter(|pt| *pt < 128)
    }

    /// The encoding name and clock that the description gives a payload type. Types below 96 may go
    /// without (RFC 3551 §6).
    pub fn encoding(&self, payload_type: u8) -> Option<(&str, u32)> {
        let map = self.maps.iter().find(|map| map.payload_type == payload_type)?;
        Some((&map.encoding, map.clock))
    }

    /// The format parameters of a payload type, as written.
    pub fn parameters(&self, payload_type: u8) -> Option<&str> {
        self.events.iter().find(|(pt, _)| *pt == payload_type).map(|(_, text)| text.as_str())
    }

    /// Where RTP goes; none when the line is refused or names a host that is no address.
    pub fn rtp(&self) -> Option<SocketAddr> {
        (self.port != 0).then_some(SocketAddr::new(self.address?, self.port))
    }

    /// Where RTCP goes, where it has a port of its own: what RFC 3605 says, else the next port (RFC 3550 §11). None at port 65535.
    pub fn rtcp(&self) -> Option<SocketAddr> {
        let rtp = self.rtp()?;
        match self.rtcp {
            Some((port, address)) => Some(SocketAddr::new(address.unwrap_or(rtp.ip()), port)),
            None => Some(SocketAddr::new(rtp.ip(), rtp.port().checked_add(1)?)),
        }
    }
}

impl Map {
    fn read(value: &str) -> Option<Self> {
        let (payload_type, rest) = value.split_once(' ')?;
        let mut parts = rest.trim().split('/');
        let encoding = parts.next()?.to_owned();
        let clock = parts.next()?.parse().ok()?;
        // A second channel is no telephone call, but with Opus it is what must be said (RFC 7587 §7).
        let channels = if encoding.eq_ignore_ascii_case("opus") { "2" } else { "1" };
        let mono = parts.next().is_none_or(|said| said == channels);
        mono.then_some(Self { payload_type: payload_type.parse().ok()?, encoding, clock })
    }
}

/// The address of a `c=` line; none for a host name.
fn address(connection: &sdp_types::Connection) -> Result<Option<IpAddr>, Malformed> {
    let text = connection.connection_address.split('/').next().unwrap_or("").trim();
    if connection.nettype != sdp_types::NetType::In || text.is_empty() {
        return Err(Malformed::Address);
    }
    match (text.parse::<IpAddr>(), &connection.addrtype) {
        (Ok(ip), sdp_types::AddrType::Ip4) if ip.is_ipv4() => Ok(Some(ip)),
        (Ok(ip), sdp_types::AddrType::Ip6) if ip.is_ipv6() => Ok(Some(ip)),
        (Err(_), sdp_types::AddrType::Ip4 | sdp_types::AddrType::Ip6) => Ok(None),
        _ => Err(Malformed::Address),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of RFC 8866 §5, its lines in order.
    const RFC8866_5: &[u8] = b"v=0\r\no=jdoe 3724394400 3724394405 IN IP4 198.51.100.1\r\n\
        s=Call to John Smith\r\ni=SDP Offer #1\r\nu=http://www.jdoe.example.com/home.html\r\n\
        e=Jane Doe <jane@jdoe.example.com>\r\np=+1 617 555-6011\r\nc=IN IP4 198.51.100.1\r\nt=0 0\r\n\
        m=audio 49170 RTP/AVP 0\r\nm=audio 49180 RTP/AVP 0\r\nm=video 51372 RTP/AVP 99\r\n\
        c=IN IP6 2001:db8::2\r\na=rtpmap:99 h263-1998/90000\r\n";

    #[test]
    fn rfc8866_5_example_is_read() {
        let read = Description::read(RFC8866_5).unwrap();
        assert_eq!(read.version, 3_724_394_405);
        assert_eq!(read.media.len(), 3);
        assert_eq!(read.media[0].rtp(), Some("198.51.100.1:49170".parse().unwrap()));
        assert_eq!(read.media[0].rtcp(), Some("198.51.100.1:49171".parse().unwrap()));
        assert_eq!(read.media[2].rtp(), Some("[2001:db8::2]:51372".parse().unwrap()));
        assert_eq!(read.media[2].encoding(99), Some(("h263-1998", 90000)));
    }

    #[test]
    fn rfc3605_2_1_rtcp_attribute_names_port_and_address() {
        let read = Description::read(
            b"v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n\
              m=audio 49170 RTP/AVP 0\r\na=rtcp:53020\r\n\
              m=audio 49172 RTP/AVP 0\r\na=rtcp:53020 IN IP4 126.16.64.4\r\n\
              m=audio 65535 RTP/AVP 0\r\n",
        )
        .unwrap();
        assert_eq!(read.media[0].rtcp(), Some("192.0.2.1:53020".parse().unwrap()));
        assert_eq!(read.media[1].rtcp(), Some("126.16.64.4:53020".parse().unwrap()));
        assert_eq!(read.media[2].rtcp(), None);
    }

    #[test]
    fn what_is_no_description_says_why() {
        let with = |rest: &str| format!("v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\n{rest}");
        let read = |text: &str| Description::read(text.as_bytes());
        assert_eq!(read(""), Err(Malformed::Syntax));
        assert_eq!(read("\0\u{1}\u{2}"), Err(Malformed::Syntax));
        assert_eq!(read(&with("t=0 0\r\n")), Err(Malformed::NoMedia));
        assert_eq!(read(&with("t=0 0\r\nm=audio 1 RTP/AVP 0\r\n")), Err(Malformed::NoConnection));
        assert_eq!(read(&with("c=IN IP4 ::1\r\nt=0 0\r\nm=audio 1 RTP/AVP 0\r\n")), Err(Malformed::Address));
        assert_eq!(
            read(&with("c=IN IP4 1.2.3.4\r\nt=0 0\r\nm=audio 70000 RTP/AVP 0\r\n")),
            Err(Malformed::Syntax)
        );
        let many = "m=audio 1 RTP/AVP 0\r\n".repeat(MAX_MEDIA + 1);
        assert_eq!(
            read(&with(&format!("c=IN IP4 1.2.3.4\r\nt=0 0\r\n{many}"))),
            Err(Malformed::TooManyMedia)
        );
        assert_eq!(Description::read(&vec![b'a'; MAX_BYTES + 1]), Err(Malformed::TooLong));
    }

    #[test]
    fn lines_may_end_with_a_bare_newline() {
        let text = String::from_utf8(RFC8866_5.to_vec()).unwrap().replace("\r\n", "\n");
        assert_eq!(Description::read(text.as_bytes()).unwrap(), Description::read(RFC8866_5).unwrap());
    }
}
