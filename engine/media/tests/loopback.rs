//! The media threads with real sockets on loopback: telephones here are plain UDP sockets that write
//! and read RTP octet by octet (RFC 3550 §5.1).

use std::cell::RefCell;
use std::f32::consts::TAU;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use media::{Command, Config, Event, Happening, Media, Sound, Stream, StreamId};
use protocol::sdp::{Codec, Direction, Negotiated, OpusWishes, Security, offer_answer::PayloadTypes};

const LOCALHOST: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
/// Nothing here takes nearly as long.
const PATIENCE: Duration = Duration::from_secs(10);

struct House {
    media: Media,
    events: Receiver<Event>,
    /// Came while something else was waited for.
    early: RefCell<Vec<Event>>,
    folder: tempfile::TempDir,
}

impl House {
    fn new(threads: usize, ports: std::ops::RangeInclusive<u16>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (tell, events) = channel();
        let config = Config {
            bind: LOCALHOST,
            advertise: LOCALHOST,
            ports,
            threads,
            fill: 0,
            recordings: folder.path().to_owned(),
            timeout: Duration::from_millis(700),
            seed: 4711,
        };
        let media = Media::start(config, move |event| drop(tell.send(event))).unwrap();
        Self { media, events, early: RefCell::default(), folder }
    }

    fn telephone(&self, codec: Codec, beside: Option<StreamId>) -> Telephone {
        let socket = UdpSocket::bind((LOCALHOST, 0)).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        let stream = self.media.open(7, beside).unwrap();
        let types = PayloadTypes { audio: codec.payload_type(), events: Some(101) };
        let agreed = Negotiated {
            remote: socket.local_addr().unwrap(),
            remote_rtcp: None,
            codec,
            sends: types,
            receives: types,
            direction: Direction::SendRecv,
            mux: false,
            security: Security::Plain,
            ptime: Duration::from_millis(20),
            events_clock: 8000,
            opus: OpusWishes::default(),
        };
        self.media.command(stream.id, Command::Negotiated(agreed)).unwrap();
        Telephone { socket, stream, payload_type: codec.payload_type(), sequence: 1000 }
    }

    fn wait_for(&self, stream: StreamId, wanted: impl Fn(&Happening) -> bool) -> Happening {
        let end = Instant::now() + PATIENCE;
        let fits = |event: &Event| event.stream == stream && wanted(&event.what);
        let mut early = self.early.borrow_mut();
        if let Some(at) = early.iter().position(fits) {
            return early.remove(at).what;
        }
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let event = self.events.recv_timeout(left).expect("the event comes");
            assert_eq!(event.owner, 7);
            if fits(&event) {
                return event.what;
            }
            early.push(event);
        }
    }
}

struct Telephone {
    socket: UdpSocket,
    stream: Stream,
    payload_type: u8,
    sequence: u16,
}

struct Heard {
    marker: bool,
    payload_type: u8,
    sequence: u16,
    timestamp: u32,
    ssrc: u32,
    payload: Vec<u8>,
    from: SocketAddr,
}

impl Telephone {
    fn say(&mut self, payload: &[u8]) {
        self.sequence += 1;
        let mut packet = vec![0x80, self.payload_type];
        packet.extend(self.sequence.to_be_bytes());
        packet.extend((u32::from(self.sequence) * 160).to_be_bytes());
        packet.extend(0x5eed_0000u32.wrapping_add(u32::from(self.stream.address.port())).to_be_bytes());
        packet.extend(payload);
        self.socket.send_to(&packet, self.stream.address).unwrap();
    }

    /// Until `other` hears the last that was said; nothing is left to be heard then.
    fn talk_until_heard(&mut self, other: &Telephone) {
        other.socket.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
        for said in 1..=200 {
            self.say(&[said; 80]);
            let last = if other.payload_type == self.payload_type { Some(said) } else { None };
            let mut bytes = [0; 2000];
            while let Ok(length) = other.socket.recv(&mut bytes) {
                if last.is_none_or(|last| bytes[12..length] == [last; 80]) {
                    other.socket.set_read_timeout(Some(PATIENCE)).unwrap();
                    return;
                }
            }
        }
        panic!("{} is never heard", self.stream.address);
    }

    /// Says one octet over and over, a packet for each that `other` hears, until that is all it hears.
    fn mixes_into(&mut self, other: &Telephone, octet: u8) {
        for _ in 0..200 {
            self.say(&[octet; 160]);
            if other.hear().payload == [octet; 160] {
                return;
            }
        }
        panic!("{} is never heard at {}", self.stream.address, other.stream.address);
    }

    fn hear(&self) -> Heard {
        let mut bytes = [0; 2000];
        let (length, from) = self.socket.recv_from(&mut bytes).expect("a packet comes");
        let word = |at: usize| u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap());
        assert_eq!(bytes[0], 0x80);
        Heard {
            marker: bytes[1] & 0x80 != 0,
            payload_type: bytes[1] & 0x7f,
            sequence: word(0) as u16,
            timestamp: word(4),
            ssrc: word(8),
            payload: bytes[12..length].to_vec(),
            from,
        }
    }
}

/// G.711 mu-law by its definition (an octet is sign, exponent and mantissa, inverted), not by our table.
fn ulaw(octet: u8) -> f32 {
    let bits = !octet;
    let magnitude = f32::from(2 * u16::from(bits & 15) + 33) * f32::from(1u16 << ((bits >> 4) & 7)) - 33.0;
    if bits & 0x80 != 0 { -magnitude * 4.0 } else { magnitude * 4.0 }
}

/// The share of the sound's energy at a frequency.
fn share(sound: &[f32], hz: f32) -> f32 {
    let (mut re, mut im) = (0.0, 0.0);
    for (n, sample) in sound.iter().enumerate() {
        let angle = TAU * hz * n as f32 / 8000.0;
        re += sample * angle.cos();
        im += sample * angle.sin();
    }
    let energy: f32 = sound.iter().map(|sample| sample * sample).sum();
    (re * re + im * im) * 2.0 / (sound.len() as f32 * energy)
}

#[test]
fn a_tone_that_is_played_is_the_tone_that_is_heard_in_time_and_in_order() {
    let house = House::new(1, 21_000..=21_099);
    let telephone = house.telephone(Codec::Pcmu, None);
    let begin = Instant::now();
    let what = vec![Sound::Tone(1000, Duration::from_millis(500))];
    house
        .media
        .command(telephone.stream.id, Command::Play { token: 3, what, cut_by_key: false, repeat: None })
        .unwrap();
    let packets: Vec<_> = (0..25).map(|_| telephone.hear()).collect();
    let took = begin.elapsed();
    assert!((470..700).contains(&took.as_millis()), "24 gaps of 20 ms took {took:?}");
    let sound: Vec<f32> =
        packets.iter().flat_map(|packet| packet.payload.iter().map(|octet| ulaw(*octet))).collect();
    assert_eq!(sound.len(), 4000);
    assert!(share(&sound, 1000.0) > 0.98, "{}", share(&sound, 1000.0));
    for (index, packet) in packets.iter().enumerate() {
        assert_eq!(packet.marker, index == 0);
        assert_eq!(packet.payload_type, 0);
        assert_eq!(packet.sequence, packets[0].sequence.wrapping_add(index as u16));
        assert_eq!(packet.timestamp, packets[0].timestamp.wrapping_add(160 * index as u32));
        assert_eq!(packet.ssrc, packets[0].ssrc);
        assert_eq!(packet.from, telephone.stream.address);
    }
    let ended = house.wait_for(telephone.stream.id, |what| matches!(what, Happening::PlayEnded { .. }));
    assert_eq!(ended, Happening::PlayEnded { token: 3, cut_by: None });
}

/// Its thread sleeps without an end between two of them, after a wheel that turned until the last moment.
#[test]
fn a_telephone_that_comes_after_one_that_hung_up_in_mid_sound_hears() {
    let house = House::new(1, 22_700..=22_799);
    for _ in 0..3 {
        let telephone = house.telephone(Codec::Pcmu, None);
        let what = vec![Sound::Tone(440, PATIENCE)];
        let play = Command::Play { token: 1, what, cut_by_key: false, repeat: None };
        house.media.command(telephone.stream.id, play).unwrap();
        telephone.hear();
        house.media.command(telephone.stream.id, Command::Close).unwrap();
        house.wait_for(telephone.stream.id, |what| matches!(what, Happening::Closed(_)));
    }
}

/// On one thread, and from two threads brought together.
#[test]
fn relay_passes_payload_untouched_and_transcodes_between_the_laws() {
    for (threads, ports) in [(1, 21_100..=21_199), (2, 21_200..=21_299)] {
        let house = House::new(threads, ports);
        let mut a = house.telephone(Codec::Pcmu, None);
        let mut b = house.telephone(Codec::Pcmu, None);
        let c = house.telephone(Codec::Pcma, None);
        house.media.command(a.stream.id, Command::Relay { with: b.stream.id }).unwrap();
        // The first packets are spent on proving their source, and on bringing both to one thread.
        a.talk_until_heard(&b);
        b.talk_until_heard(&a);
        for round in 0..50u8 {
            let payload: Vec<u8> = (0..160u8).map(|n| n.wrapping_mul(7).wrapping_add(round)).collect();
            a.say(&payload);
            let heard = b.hear();
            assert_eq!((heard.payload, heard.payload_type), (payload, 0));
        }

        // The other side has A-law now: what it hears means the same, within a step of either law.
        house.media.command(a.stream.id, Command::Relay { with: c.stream.id }).unwrap();
        a.talk_until_heard(&c);
        let payload: Vec<u8> = (0..=255).collect();
        a.say(&payload);
        let heard = c.hear();
        assert_eq!(heard.payload_type, 8);
        for (octet, alaw) in payload.iter().zip(heard.payload) {
            let bits = alaw ^ 0x55;
            let (exponent, mantissa) = (u32::from(bits >> 4 & 7), f32::from(bits & 15));
            let magnitude = match exponent {
                0 => mantissa * 16.0 + 8.0,
                _ => (mantissa * 16.0 + 264.0) * (1u32 << (exponent - 1)) as f32,
            };
            let sample = if bits & 0x80 != 0 { magnitude } else { -magnitude };
            let step = (16 << exponent.saturating_sub(1)) as f32;
            assert!((sample - ulaw(*octet)).abs() <= step, "{octet:02x} became {alaw:02x}");
        }
    }
}

/// The one who listens begins on another thread than the two who talk.
#[test]
fn a_listener_from_another_thread_hears_both_and_is_heard_by_the_one_it_whispers_to() {
    let house = House::new(2, 21_600..=21_699);
    let mut caller = house.telephone(Codec::Pcmu, None);
    let mut listener = house.telephone(Codec::Pcmu, None);
    let mut agent = house.telephone(Codec::Pcmu, Some(caller.stream.id));
    let [a, b, s] = [&caller, &agent, &listener].map(|phone| phone.stream.id);
    let hear =
        |id, whom: &[StreamId]| house.media.command(id, Command::Hear { whom: whom.to_vec() }).unwrap();
    house.media.command(a, Command::Relay { with: b }).unwrap();
    hear(s, &[a, b]);
    hear(b, &[a, s]);
    caller.mixes_into(&listener, 0x23);
    agent.mixes_into(&listener, 0x24);
    caller.mixes_into(&agent, 0x25);
    listener.mixes_into(&agent, 0x26);
    agent.talk_until_heard(&caller);
    // Heard by none of them any more, and the two as before.
    hear(b, &[]);
    hear(s, &[]);
    caller.talk_until_heard(&agent);
    agent.talk_until_heard(&caller);
}

#[test]
fn a_message_is_recorded_and_ends_with_a_key() {
    let house = House::new(1, 21_300..=21_399);
    let mut telephone = house.telephone(Codec::Pcmu, None);
    let id = telephone.stream.id;
    telephone.say(&[0xff; 160]);
    telephone.say(&[0xff; 160]);
    house.wait_for(id, |what| *what == Happening::FirstPacket);
    let name = "acme/message-1".to_owned();
    let most = Duration::from_secs(60);
    house
        .media
        .command(id, Command::Record { token: 9, name: name.clone(), most, silence: None, stop_on_key: true })
        .unwrap();
    // Mu-law 0x80 is the loudest there is.
    for _ in 0..20 {
        telephone.say(&[0x80; 160]);
    }
    telephone.payload_type = 101;
    telephone.say(&[5, 0x8a, 0x03, 0x20]);
    let recorded = house.wait_for(id, |what| matches!(what, Happening::Recorded { .. }));
    let Happening::Recorded { token: 9, ended_by: media::EndOfRecording::Key('5'), length, .. } = recorded
    else {
        panic!("{recorded:?}");
    };
    let mut wav = hound::WavReader::open(house.folder.path().join("acme/message-1.wav")).unwrap();
    assert_eq!((wav.spec().sample_rate, wav.spec().channels, wav.spec().bits_per_sample), (8000, 1, 16));
    assert_eq!(u128::from(wav.duration()), length.as_micros() * 8 / 1000);
    assert!(
        wav.samples::<i16>().any(|sample| sample.unwrap() == 32_124) || length < Duration::from_millis(20)
    );
    house.wait_for(id, |what| *what == Happening::Digit { digit: '5', duration: Duration::from_millis(100) });
}

#[test]
fn a_silent_telephone_times_out_and_a_closed_stream_frees_its_ports() {
    let house = House::new(2, 21_400..=21_403);
    let telephone = house.telephone(Codec::Pcmu, None);
    let other = house.media.open(7, None).unwrap();
    assert!(house.media.open(7, None).is_err(), "two pairs of ports are all there are");
    house.wait_for(telephone.stream.id, |what| *what == Happening::Timeout);
    house.media.command(other.id, Command::Close).unwrap();
    house.wait_for(other.id, |what| matches!(what, Happening::Closed(_)));
    let again = std::iter::repeat_with(|| house.media.open(7, None)).find_map(Result::ok).unwrap();
    assert_eq!(again.address, other.address);
    assert_ne!(again.id, other.id);
    assert!(house.media.command(other.id, Command::Stop).is_err());
}

/// Streams are joined across threads in any order, some while they still move, some already closed: every one
/// is closed once, keeps hearing commands until then, and gives its ports back.
#[test]
fn streams_that_change_threads_again_and_again_are_never_lost() {
    let house = House::new(4, 21_500..=21_599);
    let streams: Vec<_> = (0..50).map(|_| house.media.open(7, None).unwrap().id).collect();
    assert!(house.media.open(7, None).is_err());
    let mut chance = 99u64;
    let mut any = |below: usize| {
        chance = chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (chance >> 33) as usize % below
    };
    for _ in 0..2_000 {
        let (a, b) = (streams[any(50)], streams[any(50)]);
        house.media.command(a, Command::Relay { with: b }).unwrap();
        house.media.command(b, Command::Digit { digit: '1', duration: Duration::ZERO }).unwrap();
        let whom = (0..any(3)).map(|_| streams[any(50)]).collect();
        house.media.command(streams[any(50)], Command::Hear { whom }).unwrap();
    }
    for (index, id) in streams.iter().enumerate() {
        house.media.command(*id, Command::SendDigits { token: index as u64, digits: String::new() }).unwrap();
        let other = streams[any(50)];
        // Half of them are closed by now.
        let _ = house.media.command(other, Command::Relay { with: *id });
        house.media.command(*id, Command::Close).unwrap();
    }
    for (index, id) in streams.iter().enumerate() {
        house.wait_for(*id, |what| *what == Happening::DigitsSent { token: index as u64 });
        house.wait_for(*id, |what| matches!(what, Happening::Closed(_)));
        assert!(house.media.command(*id, Command::Stop).is_err());
    }
    let pressed =
        house.early.borrow().iter().filter(|event| matches!(event.what, Happening::Digit { .. })).count();
    assert_eq!(pressed, 2_000);
    let end = Instant::now() + PATIENCE;
    while house.media.streams() > 0 {
        assert!(Instant::now() < end, "{} streams are left", house.media.streams());
        std::thread::yield_now();
    }
    assert!((0..50).all(|_| house.media.open(7, None).is_ok()));
}
