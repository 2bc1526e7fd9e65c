//! Offer and answer (RFC 3264) for one audio stream of a telephone call: one of the codecs that we know,
//! with telephone events (RFC 4733). Every other `m=` line is refused with port 0 and kept in its
//! place, as §8 asks. What protects the sound is agreed upon by [`super::protection`].

use std::fmt;
use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::codec::{Codec, OpusWishes};
use super::protection::{KeptProtection, Protected, Protection, Security, Way};
use super::session::{Description, Direction, Malformed, Media};
use crate::rtp::{CLOCK, OPUS_CLOCK, Rate};

/// RFC 3551 §4.2: the default packet is 20 ms, and we send no other.
pub const PTIME: Duration = Duration::from_millis(20);

/// The payload types that most telephones use for telephone events; any dynamic ones would do.
const EVENTS_PAYLOAD_TYPE: u8 = 101;
/// Those that count by the clock of Opus (RFC 4733 §2.1).
const WIDE_EVENTS_PAYLOAD_TYPE: u8 = 110;
/// RFC 3551 §3: payload types that mean what a session says.
const DYNAMIC: RangeInclusive<u8> = 96..=127;

/// RFC 4733 §3.2: the sixteen keys are 0 to 15, and 16 is the hook flash.
const ALL_EVENTS: &str = "0-16";
const KEY_EVENTS: &str = "0-15";

/// The payload types that one direction uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PayloadTypes {
    /// Of sound.
    pub audio: u8,
    /// Of telephone events, when both sides have them.
    pub events: Option<u8>,
}

/// What both sides agreed upon, seen from ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Negotiated {
    /// Where the other side wishes RTP. Unspecified (0.0.0.0) while it holds us the old way, or while ICE has
    /// not found the way; nothing is sent there.
    pub remote: SocketAddr,
    /// Where it wishes RTCP; none when it left no port for it.
    pub remote_rtcp: Option<SocketAddr>,
    /// RTCP comes and goes on the port of RTP (RFC 5761).
    pub mux: bool,
    /// What protects both.
    pub security: Security,
    /// The same both ways.
    pub codec: Codec,
    /// What we write in packets: the numbers of the other side's description.
    pub sends: PayloadTypes,
    /// What we expect in packets: the numbers of ours.
    pub receives: PayloadTypes,
    /// Whether we may send and receive.
    pub direction: Direction,
    /// How much sound the other side wishes in a packet; 20 ms when it does not say.
    pub ptime: Duration,
    /// Ticks a second of the durations of telephone events; timestamps are always of the codec's clock.
    pub events_clock: u32,
    /// What the other side wishes, if the codec is Opus.
    pub opus: OpusWishes,
}

impl Negotiated {
    /// The best sound that both sides can say: what is worth decoding to and encoding from.
    pub fn rate(&self) -> Rate {
        match self.codec {
            Codec::Opus => Rate::holding(self.opus.max_playback_rate),
            codec => codec.rate(),
        }
    }
}

/// Why an offer or an answer can't be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Not a session description: 400.
    Malformed(Malformed),
    /// An answer with fewer lines than its offer, or none was made: 400.
    NotAnAnswer,
    /// No audio over RTP, or all of it with port 0: 488, warning 304.
    NoAudio,
    /// Nothing protects the sound, and something has to: 488, warning 302.
    Unprotected,
    /// Protected in no way that we have or may use: 488, warning 302.
    NoKeys,
    /// None of the codecs that may be used: 488, warning 305.
    NoCodec,
    /// A host name, a multicast address, or one of a family that we are not reachable by: 488,
    /// warning 301.
    NoAddress,
}

impl Refusal {
    /// The SIP status that refuses an offer for this reason.
    pub fn status(self) -> u16 {
        match self {
            Self::Malformed(_) | Self::NotAnAnswer => 400,
            Self::NoAudio | Self::Unprotected | Self::NoKeys | Self::NoCodec | Self::NoAddress => 488,
        }
    }

    /// The code of a Warning header (RFC 3261 §20.43), where one fits.
    pub fn warning(self) -> Option<u16> {
        match self {
            Self::Malformed(_) | Self::NotAnAnswer => None,
            Self::NoAudio => Some(304),
            Self::Unprotected | Self::NoKeys => Some(302),
            Self::NoCodec => Some(305),
            Self::NoAddress => Some(301),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(why) => why.fmt(f),
            Self::NotAnAnswer => f.write_str("not an answer to the offer"),
            Self::NoAudio => f.write_str("no audio stream over RTP"),
            Self::Unprotected => f.write_str("sound has to be encrypted here"),
            Self::NoKeys => f.write_str("encrypted in no way that may be used here"),
            Self::NoCodec => f.write_str("no codec in common"),
            Self::NoAddress => f.write_str("no usable network address"),
        }
    }
}

impl std::error::Error for Refusal {}

impl From<Malformed> for Refusal {
    fn from(why: Malformed) -> Self {
        Self::Malformed(why)
    }
}

/// Our side of one session: writes offers and answers, and remembers what the next of them must
/// keep: the order of `m=` lines, payload types, and the version of the `o=` line, which grows by
/// one with every change (RFC 3264 §8).
#[derive(Clone, Debug)]
pub struct LocalMedia {
    address: SocketAddr,
    session_id: u64,
    version: u64,
    lines: Vec<Line>,
    numbers: Numbers,
    /// The last offer's codecs and direction.
    offered: Option<(Vec<Codec>, Direction)>,
    /// Those of the last description, offer or answer.
    said: (Vec<Codec>, Direction),
    /// All that was written below the `o=` line.
    written: String,
    protected: Protected,
}

/// What of a session's description must be known to go on with it in another process, from another port.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptMedia {
    session_id: u64,
    version: u64,
    lines: Vec<Line>,
    numbers: Numbers,
    holds: bool,
    protected: Option<KeptProtection>,
}

/// The dynamic payload types of a session, which keep their meaning as long as it lasts (RFC 3264 §8.3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Numbers {
    opus: u8,
    events: u8,
    /// Of events by the clock of Opus.
    wide_events: u8,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Line {
    Ours,
    /// Answered with port 0; the words are kept for the next description.
    Refused {
        kind: String,
        proto: String,
        formats: String,
    },
}

impl LocalMedia {
    /// `address`: where we receive RTP, RTCP on the next port. `session_id`: any number, unique to
    /// this session; the top two bits are left out so that every reader can hold it.
    pub fn new(address: SocketAddr, session_id: u64) -> Self {
        Self {
            address,
            session_id: session_id >> 2,
            version: 0,
            lines: Vec::new(),
            numbers: Numbers::default(),
            offered: None,
            said: (Vec::new(), Direction::SendRecv),
            written: String::new(),
            protected: Protected::new(Protection::none()),
        }
    }

    /// The same, where sound may or must be protected; before the first description.
    pub fn with_protection(self, may: Protection) -> Self {
        Self { protected: Protected::new(may), ..self }
    }

    /// What must be known of it after a restart.
    pub fn keep(&self) -> KeptMedia {
        KeptMedia {
            session_id: self.session_id,
            version: self.version,
            lines: self.lines.clone(),
            numbers: self.numbers,
            holds: matches!(self.offered, Some((_, Direction::SendOnly))),
            protected: self.protected.keep(),
        }
    }

    /// Goes on with what was kept, receiving at `address` from now on: the next description is the next
    /// version, protected as before with new keys. Answers also which way sound was to go.
    pub fn restore(address: SocketAddr, kept: KeptMedia, may: Protection) -> (Self, Direction) {
        let KeptMedia { session_id, version, lines, numbers, holds, protected } = kept;
        let direction = if holds { Direction::SendOnly } else { Direction::SendRecv };
        (
            Self {
                address,
                session_id,
                version,
                lines,
                numbers,
                offered: None,
                said: (Vec::new(), direction),
                written: String::new(),
                protected: Protected::restored(may, protected),
            },
            direction,
        )
    }

    /// Where we receive RTP.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// An offer (RFC 3264 §5, and §8 when it is not the first): codecs in order of preference, and
    /// whether we wish to send and receive.
    pub fn offer(&mut self, codecs: &[Codec], direction: Direction) -> Vec<u8> {
        if !self.lines.contains(&Line::Ours) {
            self.lines = vec![Line::Ours];
        }
        let types = codecs.iter().map(|codec| (*codec, self.numbers.of(*codec))).collect::<Vec<_>>();
        let Numbers { events, wide_events, .. } = self.numbers;
        let mut all = vec![(events, CLOCK, ALL_EVENTS)];
        if codecs.contains(&Codec::Opus) {
            all.insert(0, (wide_events, OPUS_CLOCK, ALL_EVENTS));
        }
        self.protected.offer();
        let body = self.write(&types, &all, direction, true);
        self.offered = Some((codecs.to_vec(), direction));
        body
    }

    /// Our last offer again for a telephone that refused it, and takes encrypted sound as RTP/SAVP alone. None where
    /// that was not offered on the side of plain sound.
    pub fn insist(&mut self) -> Option<Vec<u8>> {
        let (codecs, direction) = self.offered.clone()?;
        self.protected.insist().then(|| self.offer(&codecs, direction))
    }

    /// Whether [`LocalMedia::insist`] has something to offer.
    pub fn may_insist(&self) -> bool {
        self.protected.may_insist()
    }

    /// The last description again, as an offer that changes nothing (RFC 3264 §8, RFC 4028 §7.4); none before the first.
    pub fn again(&mut self) -> Option<Vec<u8>> {
        if self.written.is_empty() {
            return None;
        }
        self.offered = Some(self.said.clone());
        Some(self.whole())
    }

    /// Which way sound goes by the last description.
    pub fn direction(&self) -> Direction {
        self.said.1
    }

    /// The answer to an offer (RFC 3264 §6), with the first codec that it offers of those that are `allowed`,
    /// and `direction` as far as the offer allows it. Nothing changes when it is refused.
    pub fn answer(
        &mut self,
        offer: &Description,
        allowed: &[Codec],
        direction: Direction,
    ) -> Result<(Vec<u8>, Negotiated), Refusal> {
        let (ours, way) = self.choose(offer)?;
        let mut negotiated = self.judge(offer, allowed, direction)?;
        let media = &offer.media[ours];
        negotiated.security = self.protected.answer(media, way);
        let (codec, PayloadTypes { audio, events }) = (negotiated.codec, negotiated.sends);

        self.lines = offer
            .media
            .iter()
            .enumerate()
            .map(|(index, media)| match index == ours {
                true => Line::Ours,
                false => Line::Refused {
                    kind: media.kind.clone(),
                    proto: media.proto.clone(),
                    formats: media.formats.clone(),
                },
            })
            .collect();
        self.numbers.follow(media);
        self.offered = None;
        let clock = negotiated.events_clock;
        let which = |pt| if hears_flash(media, pt) { ALL_EVENTS } else { KEY_EVENTS };
        let events: Vec<_> = events.map(|pt| (pt, clock, which(pt))).into_iter().collect();
        Ok((self.write(&[(codec, audio)], &events, negotiated.direction, false), negotiated))
    }

    /// What would be agreed upon, but for keys: for whoever must know before there is a port to answer with.
    pub fn judge(
        &self,
        offer: &Description,
        allowed: &[Codec],
        direction: Direction,
    ) -> Result<Negotiated, Refusal> {
        let (ours, way) = self.choose(offer)?;
        let media = &offer.media[ours];
        let (codec, audio) = first_of(media, allowed).ok_or(Refusal::NoCodec)?;
        let (events, clock) = events_of(media, codec);
        // RFC 3264 §6.1: an answer keeps the offer's numbers.
        let types = PayloadTypes { audio, events };
        self.agree(media, way, codec, (types, types, clock), direction)
    }

    /// The answer to our last offer (RFC 3264 §7). May be called again for it: an early answer in a
    /// 183 is followed by the one in the 200.
    pub fn accept(&mut self, answer: &[u8]) -> Result<Negotiated, Refusal> {
        let answer = Description::read(answer)?;
        let (codecs, direction) = self.offered.clone().ok_or(Refusal::NotAnAnswer)?;
        let ours = self.lines.iter().position(|line| *line == Line::Ours).ok_or(Refusal::NotAnAnswer)?;
        let media = answer.media.get(ours).ok_or(Refusal::NotAnAnswer)?;
        if media.port == 0 || !is_audio(media) {
            return Err(Refusal::NoAudio);
        }
        let (codec, audio) = first_of(media, &codecs).ok_or(Refusal::NoCodec)?;
        let (events, clock) = events_of(media, codec);
        let ours = if clock == CLOCK { self.numbers.events } else { self.numbers.wide_events };
        let sends = PayloadTypes { audio, events };
        let receives = PayloadTypes { audio: self.numbers.of(codec), events: events.map(|_| ours) };
        let (way, security) = self.protected.accept(media)?;
        let agreed = self.agree(media, way, codec, (sends, receives, clock), direction)?;
        Ok(Negotiated { security, mux: self.protected.is_muxed(), ..agreed })
    }

    /// The line that can be ours, and how it is protected: the one that was before, else the first audio that is alive
    /// and protected, else the first that is alive. None: why the first that is alive can't be.
    fn choose(&self, offer: &Description) -> Result<(usize, Way), Refusal> {
        let before = self.lines.iter().position(|line| *line == Line::Ours);
        let mut plain = None;
        let mut refusal = None;
        for (index, media) in offer.media.iter().enumerate() {
            if !is_audio(media) || media.port == 0 {
                continue;
            }
            match self.protected.judge(media) {
                Ok(way) if before == Some(index) => return Ok((index, way)),
                Ok(Way::Plain) => plain = plain.or(Some((index, Way::Plain))),
                Ok(way)
                    if before
                        .is_none_or(|before| offer.media.get(before).is_none_or(|media| media.port == 0)) =>
                {
                    return Ok((index, way));
                }
                Ok(_) => {}
                Err(why) => refusal = refusal.or(Some(why)),
            }
        }
        plain.ok_or(refusal.unwrap_or(Refusal::NoAudio))
    }

    fn agree(
        &self,
        media: &Media,
        way: Way,
        codec: Codec,
        (sends, receives, events_clock): (PayloadTypes, PayloadTypes, u32),
        wished: Direction,
    ) -> Result<Negotiated, Refusal> {
        let finds_its_way = way == (Way::Dtls { ice: true });
        // What is said there before ICE has found the way may lead nowhere, or be a name.
        let nowhere = || finds_its_way.then(|| SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), media.port));
        let remote = nowhere().or_else(|| media.rtp()).ok_or(Refusal::NoAddress)?;
        // RFC 3264 §8.4: an unspecified address is the old way to hold; nothing may be sent to it.
        let held = !finds_its_way && remote.ip().is_unspecified();
        if !held
            && !finds_its_way
            && (remote.ip().is_multicast() || remote.is_ipv4() != self.address.is_ipv4())
        {
            return Err(Refusal::NoAddress);
        }
        let theirs = if held { Direction::new(media.direction.sends(), false) } else { media.direction };
        Ok(Negotiated {
            remote,
            remote_rtcp: match media.protection.mux {
                true => Some(remote).filter(|_| !held),
                false => media.rtcp().filter(|_| !held && !finds_its_way),
            },
            mux: media.protection.mux,
            security: Security::Plain,
            codec,
            sends,
            receives,
            direction: theirs.reversed().and(wished),
            ptime: media.ptime.unwrap_or(PTIME),
            events_clock,
            opus: match codec {
                Codec::Opus => OpusWishes::read(media.parameters(sends.audio).unwrap_or_default()),
                _ => OpusWishes::default(),
            },
        })
    }

    fn write(
        &mut self,
        codecs: &[(Codec, u8)],
        events: &[(u8, u32, &str)],
        direction: Direction,
        is_offer: bool,
    ) -> Vec<u8> {
        const INFALLIBLE: &str = "writing to a String can't fail";
        let family = |ip: IpAddr| if ip.is_ipv4() { "IP4" } else { "IP6" };
        let ip = self.address.ip();
        let mut rest = String::with_capacity(512);
        write!(rest, "s=-\r\nc=IN {} {ip}\r\nt=0 0\r\n", family(ip)).expect(INFALLIBLE);
        self.protected.write_session(&mut rest).expect(INFALLIBLE);
        for line in &self.lines {
            let Line::Ours = line else {
                let Line::Refused { kind, proto, formats } = line else { continue };
                write!(rest, "m={kind} 0 {proto} {formats}\r\n").expect(INFALLIBLE);
                continue;
            };
            write!(rest, "m=audio {} {}", self.address.port(), self.protected.proto()).expect(INFALLIBLE);
            let types = codecs.iter().map(|(_, pt)| *pt).chain(events.iter().map(|(pt, ..)| *pt));
            types.for_each(|pt| write!(rest, " {pt}").expect(INFALLIBLE));
            rest.push_str("\r\n");
            for (codec, pt) in codecs {
                let (name, clock, channels) = (codec.name(), codec.clock(), codec.channels());
                write!(rest, "a=rtpmap:{pt} {name}/{clock}{channels}\r\n").expect(INFALLIBLE);
                if let Some(parameters) = codec.parameters() {
                    write!(rest, "a=fmtp:{pt} {parameters}\r\n").expect(INFALLIBLE);
                }
            }
            for (pt, clock, which) in events {
                write!(rest, "a=rtpmap:{pt} telephone-event/{clock}\r\na=fmtp:{pt} {which}\r\n")
                    .expect(INFALLIBLE);
            }
            write!(rest, "a=ptime:{}\r\na={}\r\n", PTIME.as_millis(), direction.as_str()).expect(INFALLIBLE);
            self.protected.write(self.address, is_offer, &mut rest).expect(INFALLIBLE);
        }
        if rest != self.written {
            self.version += 1;
            self.written = rest;
        }
        self.said = (codecs.iter().map(|(codec, _)| *codec).collect(), direction);
        self.whole()
    }

    fn whole(&self) -> Vec<u8> {
        let ip = self.address.ip();
        let family = if ip.is_ipv4() { "IP4" } else { "IP6" };
        let head = format!("v=0\r\no=- {} {} IN {family} {ip}\r\n", self.session_id, self.version);
        [head.as_bytes(), self.written.as_bytes()].concat()
    }
}

fn is_audio(media: &Media) -> bool {
    media.kind.eq_ignore_ascii_case("audio")
}

/// RFC 3264 §5.1: the first is the one that whoever says it likes best.
fn first_of(media: &Media, allowed: &[Codec]) -> Option<(Codec, u8)> {
    media
        .payload_types()
        .find_map(|pt| Some((Codec::of(media, pt).filter(|codec| allowed.contains(codec))?, pt)))
}

/// Telephone events have the clock of the codec beside them (RFC 4733 §2.1). Beside Opus many have those of 8 kHz
/// alone, and mean them. Answers also the clock, that of 8 kHz if there are none.
fn events_of(media: &Media, codec: Codec) -> (Option<u8>, u32) {
    let with = |clock| events_at(media, clock).map(|pt| (Some(pt), clock));
    with(codec.clock()).or_else(|| with(CLOCK)).unwrap_or((None, CLOCK))
}

fn events_at(media: &Media, clock: u32) -> Option<u8> {
    media.payload_types().find(|pt| {
        let (name, at) = media.encoding(*pt).unwrap_or_default();
        at == clock && name.eq_ignore_ascii_case("telephone-event")
    })
}

impl Default for Numbers {
    fn default() -> Self {
        Self {
            opus: Codec::Opus.payload_type(),
            events: EVENTS_PAYLOAD_TYPE,
            wide_events: WIDE_EVENTS_PAYLOAD_TYPE,
        }
    }
}

impl Numbers {
    fn of(self, codec: Codec) -> u8 {
        if codec == Codec::Opus { self.opus } else { codec.payload_type() }
    }

    /// Those of the other side's description; what it does not have gets a number that means nothing else there.
    fn follow(&mut self, media: &Media) {
        let mut taken: Vec<u8> = media.payload_types().collect();
        let opus = media.payload_types().find(|pt| Codec::of(media, *pt) == Some(Codec::Opus));
        let mut choose = |theirs: Option<u8>, before: u8| {
            let number = theirs.unwrap_or_else(|| {
                let free = |pt: &u8| !taken.contains(pt);
                std::iter::once(before).chain(DYNAMIC).find(free).unwrap_or(before)
            });
            taken.push(number);
            number
        };
        self.opus = choose(opus, self.opus);
        self.events = choose(events_at(media, CLOCK), self.events);
        self.wide_events = choose(events_at(media, OPUS_CLOCK), self.wide_events);
    }
}

fn hears_flash(media: &Media, payload_type: u8) -> bool {
    let events = media.parameters(payload_type).unwrap_or(KEY_EVENTS);
    events.split(',').any(|range| {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let bounds = (first.trim().parse::<u8>(), last.trim().parse::<u8>());
        matches!(bounds, (Ok(first), Ok(last)) if (first..=last).contains(&16))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use Direction::{Inactive, RecvOnly, SendOnly, SendRecv};

    fn local() -> LocalMedia {
        LocalMedia::new("192.0.2.10:40000".parse().unwrap(), 4 * 77)
    }

    fn offer(media: &str) -> Vec<u8> {
        format!("v=0\r\no=alice 1 1 IN IP4 198.51.100.1\r\ns=-\r\nc=IN IP4 198.51.100.1\r\nt=0 0\r\n{media}")
            .into_bytes()
    }

    fn read(body: &[u8]) -> Description {
        Description::read(body).unwrap()
    }

    fn lines(body: &[u8], start: &str) -> Vec<String> {
        let text = std::str::from_utf8(body).unwrap();
        text.split("\r\n").filter(|line| line.starts_with(start)).map(str::to_owned).collect()
    }

    #[test]
    fn rfc3264_8_what_was_kept_goes_on_with_the_same_lines_and_the_next_version_at_another_port() {
        let mut before = local();
        let video =
            "m=audio 7078 RTP/AVP 0 96\r\na=rtpmap:96 telephone-event/8000\r\nm=video 9 RTP/AVP 31\r\n";
        before.answer(&read(&offer(video)), &Codec::ALL, SendRecv).unwrap();
        let moved = "192.0.2.10:40100".parse().unwrap();
        let (mut after, direction) = LocalMedia::restore(moved, before.keep(), Protection::none());
        let body = after.offer(&[Codec::Pcmu], direction);
        assert_eq!(lines(&body, "o="), ["o=- 77 2 IN IP4 192.0.2.10"]);
        assert_eq!(lines(&body, "m="), ["m=audio 40100 RTP/AVP 0 96", "m=video 0 RTP/AVP 31"]);
        assert_eq!(lines(&body, "a=sendrecv").len(), 1);

        before.offer(&[Codec::Pcmu], SendOnly);
        assert_eq!(
            LocalMedia::restore(moved, before.keep(), Protection::none()).1,
            SendOnly,
            "whoever was on hold stays there"
        );
    }

    #[test]
    fn rfc4028_7_4_a_refresh_says_the_same_in_the_same_version() {
        let mut media = local();
        assert_eq!(media.again(), None, "nothing was said yet");
        let hold = "m=audio 7078 RTP/AVP 8\r\na=sendonly\r\n";
        let (answer, held) = media.answer(&read(&offer(hold)), &Codec::ALL, SendRecv).unwrap();
        let again = media.again().unwrap();
        assert_eq!(again, answer);
        assert_eq!(media.accept(&offer(hold)), Ok(held), "whoever held us goes on doing so");
    }

    #[test]
    fn rfc3264_5_offer_lists_codecs_in_order_of_preference() {
        let body = local().offer(&[Codec::Pcma, Codec::Pcmu], SendRecv);
        assert_eq!(lines(&body, "o="), ["o=- 77 1 IN IP4 192.0.2.10"]);
        assert_eq!(lines(&body, "c="), ["c=IN IP4 192.0.2.10"]);
        assert_eq!(lines(&body, "m="), ["m=audio 40000 RTP/AVP 8 0 101"]);
        assert_eq!(lines(&body, "a=fmtp"), ["a=fmtp:101 0-16"]);
        assert_eq!(lines(&body, "a=ptime"), ["a=ptime:20"]);
        assert_eq!(lines(&body, "a=sendrecv").len(), 1);
    }

    /// RFC 3264 §10.1: audio accepted, the second audio and the video refused in their places.
    #[test]
    fn rfc3264_6_other_lines_are_refused_with_port_0_in_their_places() {
        let body = offer(
            "m=video 51372 RTP/AVP 31\r\na=rtpmap:31 H261/90000\r\nm=audio 49170 RTP/AVP 97 0 8 96\r\n\
             a=rtpmap:97 iLBC/8000\r\na=rtpmap:96 telephone-event/8000\r\na=fmtp:96 0-15\r\n\
             m=audio 49172 RTP/SAVP 0\r\n",
        );
        let mut local = local();
        let (answer, agreed) = local.answer(&read(&body), &Codec::ALL, SendRecv).unwrap();
        assert_eq!(
            lines(&answer, "m="),
            ["m=video 0 RTP/AVP 31", "m=audio 40000 RTP/AVP 0 96", "m=audio 0 RTP/SAVP 0"]
        );
        assert_eq!(lines(&answer, "a=fmtp"), ["a=fmtp:96 0-15"]);
        assert_eq!(agreed.remote, "198.51.100.1:49170".parse().unwrap());
        assert_eq!(agreed.remote_rtcp, Some("198.51.100.1:49171".parse().unwrap()));
        assert_eq!(agreed.codec, Codec::Pcmu);
        assert_eq!(agreed.sends, PayloadTypes { audio: 0, events: Some(96) });
        assert_eq!(agreed.receives, agreed.sends);

        // §8: our next offer keeps the three lines.
        let next = local.offer(&[Codec::Pcmu], SendOnly);
        assert_eq!(
            lines(&next, "m="),
            ["m=video 0 RTP/AVP 31", "m=audio 40000 RTP/AVP 0 96", "m=audio 0 RTP/SAVP 0"]
        );
    }

    #[test]
    fn rfc3264_6_1_preference_is_the_offerers_among_what_is_allowed_and_its_numbers_are_kept() {
        let body = offer("m=audio 4000 RTP/AVP 100 0\r\na=rtpmap:100 pcma/8000/1\r\n");
        let (_, agreed) = local().answer(&read(&body), &[Codec::Pcmu], SendRecv).unwrap();
        assert_eq!(agreed.codec, Codec::Pcmu);
        let (answer, agreed) = local().answer(&read(&body), &[Codec::Pcmu, Codec::Pcma], SendRecv).unwrap();
        assert_eq!(agreed.codec, Codec::Pcma);
        assert_eq!(agreed.sends, PayloadTypes { audio: 100, events: None });
        assert_eq!(lines(&answer, "a=rtpmap"), ["a=rtpmap:100 PCMA/8000"]);
    }

    #[test]
    fn rfc3264_6_1_directions_mirror() {
        for (theirs, wished, ours) in [
            ("sendrecv", SendRecv, SendRecv),
            ("sendonly", SendRecv, RecvOnly),
            ("recvonly", SendRecv, SendOnly),
            ("inactive", SendRecv, Inactive),
            ("sendrecv", SendOnly, SendOnly),
            ("sendonly", SendOnly, Inactive),
        ] {
            let body = offer(&format!("m=audio 4000 RTP/AVP 0\r\na={theirs}\r\n"));
            let (answer, agreed) = local().answer(&read(&body), &Codec::ALL, wished).unwrap();
            assert_eq!(agreed.direction, ours, "{theirs}");
            assert_eq!(lines(&answer, &format!("a={}", ours.as_str())).len(), 1, "{theirs}");
        }
    }

    #[test]
    fn rfc3264_5_1_direction_of_the_session_holds_for_its_media() {
        let body = String::from_utf8(offer("a=sendonly\r\nm=audio 4000 RTP/AVP 0\r\n")).unwrap();
        let (_, agreed) = local().answer(&read(body.as_bytes()), &Codec::ALL, SendRecv).unwrap();
        assert_eq!(agreed.direction, RecvOnly);
    }

    #[test]
    fn rfc3264_8_4_unspecified_address_holds() {
        let body = offer("m=audio 4000 RTP/AVP 0\r\nc=IN IP4 0.0.0.0\r\n");
        let (answer, agreed) = local().answer(&read(&body), &Codec::ALL, SendRecv).unwrap();
        assert_eq!(agreed.direction, RecvOnly);
        assert_eq!(agreed.remote_rtcp, None);
        assert_eq!(lines(&answer, "a=recvonly").len(), 1);
    }

    #[test]
    fn rfc3264_8_version_grows_with_every_change_and_only_then() {
        let mut local = local();
        let version = |body: &[u8]| lines(body, "o=")[0].split(' ').nth(2).unwrap().to_owned();
        assert_eq!(version(&local.offer(&Codec::ALL, SendRecv)), "1");
        assert_eq!(version(&local.offer(&Codec::ALL, SendRecv)), "1");
        assert_eq!(version(&local.offer(&Codec::ALL, SendOnly)), "2");
        assert_eq!(version(&local.offer(&Codec::ALL, SendRecv)), "3");
    }

    #[test]
    fn rfc3264_7_answer_decides_codec_and_numbers() {
        let mut local = local();
        local.offer(&Codec::ALL, SendRecv);
        let answer = offer("m=audio 5000 RTP/AVP 8 97\r\na=rtpmap:97 telephone-event/8000\r\na=ptime:30\r\n");
        let agreed = local.accept(&answer).unwrap();
        assert_eq!(agreed.codec, Codec::Pcma);
        assert_eq!(agreed.sends, PayloadTypes { audio: 8, events: Some(97) });
        assert_eq!(agreed.receives, PayloadTypes { audio: 8, events: Some(101) });
        assert_eq!(agreed.ptime, Duration::from_millis(30));
        // A 183 is followed by the 200 with the same.
        assert_eq!(local.accept(&answer), Ok(agreed));
    }

    #[test]
    fn what_is_refused_says_why_and_changes_nothing() {
        let refuse = |media: &str| local().answer(&read(&offer(media)), &Codec::ALL, SendRecv).unwrap_err();
        assert_eq!(refuse("m=audio 4000 RTP/AVP 3 18\r\n"), Refusal::NoCodec);
        assert_eq!(refuse("m=audio 0 RTP/AVP 0\r\n"), Refusal::NoAudio);
        assert_eq!(refuse("m=audio 4000 RTP/SAVP 0\r\n"), Refusal::NoKeys);
        assert_eq!(refuse("m=video 4000 RTP/AVP 31\r\n"), Refusal::NoAudio);
        assert_eq!(refuse("m=audio 4000 RTP/AVP 0\r\nc=IN IP6 2001:db8::1\r\n"), Refusal::NoAddress);
        assert_eq!(refuse("m=audio 4000 RTP/AVP 0\r\nc=IN IP4 phone.example.com\r\n"), Refusal::NoAddress);
        assert_eq!(refuse("m=audio 4000 RTP/AVP 0\r\nc=IN IP4 224.2.1.1/127\r\n"), Refusal::NoAddress);
    }

    /// As browsers offer it.
    const OPUS: &str = "m=audio 4000 RTP/AVP 96 9 101 110 111\r\na=rtpmap:96 opus/48000/2\r\n\
        a=fmtp:96 minptime=10;useinbandfec=1;maxplaybackrate=16000\r\na=rtpmap:101 CN/32000\r\n\
        a=rtpmap:110 telephone-event/48000\r\na=rtpmap:111 telephone-event/8000\r\n";

    #[test]
    fn rfc7587_7_opus_is_answered_with_its_two_channels_and_events_of_its_clock() {
        let mut local = local();
        let (answer, agreed) = local.answer(&read(&offer(OPUS)), &Codec::ALL, SendRecv).unwrap();
        assert_eq!(lines(&answer, "m="), ["m=audio 40000 RTP/AVP 96 110"]);
        assert_eq!(
            lines(&answer, "a=rtpmap"),
            ["a=rtpmap:96 opus/48000/2", "a=rtpmap:110 telephone-event/48000"]
        );
        assert_eq!(lines(&answer, "a=fmtp"), ["a=fmtp:96 useinbandfec=1", "a=fmtp:110 0-15"]);
        assert_eq!((agreed.codec, agreed.events_clock, agreed.rate()), (Codec::Opus, 48_000, Rate::Wide));
        assert_eq!(agreed.sends, PayloadTypes { audio: 96, events: Some(110) });
        assert!(agreed.opus.in_band_fec);

        // §8.3.2 of RFC 3264: numbers mean what they meant before, and nothing else that they mean there.
        let next = local.offer(&[Codec::Opus, Codec::Pcmu], SendRecv);
        assert_eq!(lines(&next, "m="), ["m=audio 40000 RTP/AVP 96 0 110 111"]);
        let mut other = self::local();
        let taken = "m=audio 4000 RTP/AVP 0 111 110 101\r\na=rtpmap:111 iLBC/8000\r\na=rtpmap:110 speex/8000\r\n\
            a=rtpmap:101 speex/16000\r\n";
        other.answer(&read(&offer(taken)), &Codec::ALL, SendRecv).unwrap();
        let numbers = lines(&other.offer(&[Codec::Opus], SendRecv), "m=");
        assert_eq!(numbers, ["m=audio 40000 RTP/AVP 96 98 97"]);
    }

    #[test]
    fn rfc4733_2_1_events_of_8_khz_are_taken_beside_opus_where_there_are_no_others() {
        let body = offer(
            "m=audio 4000 RTP/AVP 107 101\r\na=rtpmap:107 opus/48000/2\r\na=rtpmap:101 telephone-event/8000\r\n",
        );
        let (_, agreed) = local().answer(&read(&body), &Codec::ALL, SendRecv).unwrap();
        assert_eq!((agreed.codec, agreed.sends.events, agreed.events_clock), (Codec::Opus, Some(101), 8_000));
    }

    #[test]
    fn rfc3551_4_5_2_g722_has_a_clock_of_8_khz() {
        let body = offer("m=audio 4000 RTP/AVP 9 0\r\n");
        let (answer, agreed) = local().answer(&read(&body), &Codec::ALL, SendRecv).unwrap();
        assert_eq!(lines(&answer, "a=rtpmap"), ["a=rtpmap:9 G722/8000"]);
        assert_eq!((agreed.codec.clock(), agreed.rate()), (8_000, Rate::Wide));
        let wrong =
            offer("m=audio 4000 RTP/AVP 96 97\r\na=rtpmap:96 G722/16000\r\na=rtpmap:97 opus/48000/1\r\n");
        assert_eq!(local().answer(&read(&wrong), &Codec::ALL, SendRecv).unwrap_err(), Refusal::NoCodec);
    }

    #[test]
    fn rfc3264_7_an_answer_with_opus_decides_numbers_of_both_sides() {
        let mut local = local();
        let body = local.offer(&Codec::ALL, SendRecv);
        assert_eq!(lines(&body, "m="), ["m=audio 40000 RTP/AVP 111 9 0 8 110 101"]);
        let answer = offer(
            "m=audio 5000 RTP/AVP 98 99\r\na=rtpmap:98 opus/48000/2\r\na=rtpmap:99 telephone-event/48000\r\n",
        );
        let agreed = local.accept(&answer).unwrap();
        assert_eq!(agreed.sends, PayloadTypes { audio: 98, events: Some(99) });
        assert_eq!(agreed.receives, PayloadTypes { audio: 111, events: Some(110) });
    }

    #[test]
    fn statuses_are_400_for_nonsense_and_488_for_the_rest() {
        let mut local = local();
        assert_eq!(Refusal::from(Description::read(b"hello").unwrap_err()).status(), 400);
        assert_eq!(local.accept(&offer("m=audio 4000 RTP/AVP 0\r\n")), Err(Refusal::NotAnAnswer));
        local.offer(&Codec::ALL, SendRecv);
        assert_eq!(local.accept(&offer("m=audio 0 RTP/AVP 0\r\n")).unwrap_err().status(), 488);
        assert_eq!(local.accept(&offer("m=audio 9 RTP/AVP 3\r\n")), Err(Refusal::NoCodec));
    }

    #[test]
    fn ipv6_is_written_as_such() {
        let mut local = LocalMedia::new("[2001:db8::10]:40000".parse().unwrap(), 4);
        let body = local.offer(&[Codec::Pcmu], SendRecv);
        assert_eq!(lines(&body, "c="), ["c=IN IP6 2001:db8::10"]);
        assert_eq!(lines(&body, "o="), ["o=- 1 1 IN IP6 2001:db8::10"]);
    }
}
