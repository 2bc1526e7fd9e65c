//! The core on its own time: sockets are lists of datagrams, and a test says when it is.

mod protected;

use std::cell::RefCell;
use std::ops::Range;
use std::rc::Rc;
use std::sync::Mutex;

use protocol::rtp::Rate;
use protocol::rtp::inband::Detector;
use protocol::rtp::{Header, Packet, g711};
use protocol::sdp::offer_answer::PayloadTypes;
use protocol::sdp::{Codec, Direction, Negotiated, OpusWishes, Security};

use super::*;
use crate::command::{Happening, Sound};
use crate::handshakes::{self, Told};
use crate::writer::{self, Writer};

#[derive(Clone, Default)]
struct FakeSocket(Rc<RefCell<Vec<Sent>>>);

type Sent = (Vec<u8>, SocketAddr);

impl Socket for FakeSocket {
    fn send(&self, bytes: &[u8], to: SocketAddr) {
        self.0.borrow_mut().push((bytes.to_vec(), to));
    }
}

struct World {
    start: Instant,
    /// Milliseconds since the start.
    now: u64,
    core: Core<FakeSocket>,
    events: Arc<Mutex<Vec<Event>>>,
    legs: Vec<Leg>,
    writer: Option<Writer>,
    told: crossbeam_channel::Receiver<Told>,
    folder: tempfile::TempDir,
}

struct Leg {
    id: StreamId,
    rtp: FakeSocket,
    rtcp: FakeSocket,
    agreed: Negotiated,
    sequence: u16,
    timestamp: u32,
}

/// What a far side agreed to that has no telephone events.
pub fn agreed(codec: Codec) -> Negotiated {
    let types = PayloadTypes { audio: codec.payload_type(), events: None };
    Negotiated {
        remote: SocketAddr::from(([192, 0, 2, 1], 4000)),
        remote_rtcp: None,
        codec,
        sends: types,
        receives: types,
        direction: Direction::SendRecv,
        mux: false,
        security: Security::Plain,
        ptime: FRAME_TIME,
        events_clock: 8000,
        opus: OpusWishes::default(),
    }
}

impl World {
    /// A leg for each codec; those with an asterisk in `events` have telephone events.
    fn new(legs: &[(Codec, bool)]) -> Self {
        let start = Instant::now();
        let folder = tempfile::tempdir().unwrap();
        let events: Arc<Mutex<Vec<Event>>> = Arc::default();
        let list = Arc::clone(&events);
        let tell: Arc<dyn Fn(Event) + Send + Sync> = Arc::new(move |event| list.lock().unwrap().push(event));
        let (handle, writer) = writer::writer(folder.path().to_owned(), Arc::clone(&tell));
        let wall = Duration::from_secs(1_700_000_000);
        let (handshakes, told) = handshakes::way_in();
        let core = Core::new((start, wall), 16, Duration::from_secs(30), 42, tell, handle, handshakes);
        let mut world =
            Self { start, now: 0, core, events, legs: Vec::new(), writer: Some(writer), told, folder };
        for (number, (codec, events)) in legs.iter().enumerate() {
            let id = StreamId { slot: number as u32, turn: 1 };
            let (rtp, rtcp) = (FakeSocket::default(), FakeSocket::default());
            world.core.open(start, id, 100 + number as u64, rtp.clone(), rtcp.clone());
            let types = PayloadTypes { audio: codec.payload_type(), events: events.then_some(101) };
            let remote = SocketAddr::from(([192, 0, 2, number as u8 + 1], 4000));
            let agreed = Negotiated {
                remote,
                remote_rtcp: Some(SocketAddr::new(remote.ip(), 4001)),
                sends: types,
                receives: types,
                ..agreed(*codec)
            };
            world.legs.push(Leg { id, rtp, rtcp, agreed, sequence: 0, timestamp: 0 });
            world.command(number, Command::Negotiated(agreed));
        }
        world
    }

    fn at(&self, ms: u64) -> Instant {
        self.start + Duration::from_millis(ms)
    }

    fn command(&mut self, leg: usize, command: Command) {
        self.core.handle_command(self.at(self.now), self.legs[leg].id, command);
    }

    fn join(&mut self, a: usize, b: usize) {
        let (a, b) = (self.legs[a].id, self.legs[b].id);
        self.core.join(a, b);
        self.core.join(b, a);
    }

    /// Time passes; the core is called when it wishes.
    fn pass(&mut self, ms: u64) {
        let end = self.now + ms;
        while let Some(due) = self.core.next_timeout()
            && due <= self.at(end)
        {
            self.core.handle_timeout(due);
        }
        self.now = end;
    }

    /// A packet arrives from a leg's far side, at the address and with the numbers that it says.
    fn arrive(&mut self, leg: usize, from: SocketAddr, header: Header, payload: &[u8]) {
        let mut bytes = vec![0; 12];
        bytes.extend(payload);
        header.write_before(&mut bytes, 12);
        self.core.handle_rtp(self.at(self.now), self.legs[leg].id.slot, from, &mut bytes);
    }

    /// Twenty milliseconds of sound from a leg.
    fn say(&mut self, leg: usize, payload: &[u8]) {
        let speaker = &mut self.legs[leg];
        speaker.sequence += 1;
        speaker.timestamp = (self.now * u64::from(speaker.agreed.codec.clock()) / 1000) as u32;
        let header = Header {
            marker: false,
            payload_type: speaker.agreed.codec.payload_type(),
            sequence: speaker.sequence,
            timestamp: speaker.timestamp,
            ssrc: leg as u32 + 1,
        };
        let from = speaker.agreed.remote;
        self.arrive(leg, from, header, payload);
    }

    /// A packet of a telephone event.
    fn press(&mut self, leg: usize, timestamp: u32, event: u8, end: bool, duration: u16) {
        let speaker = &mut self.legs[leg];
        speaker.sequence += 1;
        let (sequence, from) = (speaker.sequence, speaker.agreed.remote);
        let header = Header { marker: false, payload_type: 101, sequence, timestamp, ssrc: leg as u32 + 1 };
        let payload = [event, if end { 0x8a } else { 0x0a }, (duration >> 8) as u8, duration as u8];
        self.arrive(leg, from, header, &payload);
    }

    /// Two packets prove the source; nobody hears of them.
    fn prove(&mut self, leg: usize) {
        for _ in 0..2 {
            self.say(leg, &[0xd5; 160]);
        }
        self.heard(leg);
        self.events.lock().unwrap().clear();
    }

    /// What was sent to a leg's far side since asked last.
    fn heard(&mut self, leg: usize) -> Vec<(Header, Vec<u8>, SocketAddr)> {
        let sent = std::mem::take(&mut *self.legs[leg].rtp.0.borrow_mut());
        sent.into_iter()
            .map(|(bytes, to)| {
                let packet = Packet::read(&bytes).unwrap();
                (packet.header, packet.payload(&bytes).to_vec(), to)
            })
            .collect()
    }

    fn happened(&mut self) -> Vec<Happening> {
        self.events.lock().unwrap().drain(..).map(|event| event.what).collect()
    }

    /// Ends the media side, and writes what is to be written.
    fn write(mut self) -> (Vec<Happening>, tempfile::TempDir) {
        drop(self.core);
        self.writer.take().unwrap().run();
        let events = self.events.lock().unwrap().drain(..).map(|event| event.what).collect();
        (events, self.folder)
    }
}

fn tone(ms: u64) -> Vec<Sound> {
    vec![Sound::Tone(440, Duration::from_millis(ms))]
}

fn play(token: u64, what: Vec<Sound>, cut_by_key: bool) -> Command {
    Command::Play { token, what, cut_by_key, repeat: None }
}

fn ms(range: Range<u64>) -> Range<Duration> {
    Duration::from_millis(range.start)..Duration::from_millis(range.end)
}

const PCMU: (Codec, bool) = (Codec::Pcmu, true);
const BARE: (Codec, bool) = (Codec::Pcmu, false);

#[test]
fn a_prompt_is_paced_by_the_wheel_and_lateness_never_adds_up() {
    let mut world = World::new(&[PCMU]);
    world.command(0, play(1, tone(1000), false));
    world.pass(95);
    assert_eq!(world.heard(0).len(), 5, "at 0, 20, 40, 60, 80");
    // The thread is held up for 55 ms, and makes up for it.
    world.now = 150;
    world.core.handle_timeout(world.at(150));
    assert_eq!(world.heard(0).len(), 3, "for 100, 120, 140");
    world.pass(840);
    assert_eq!(world.heard(0).len(), 42, "up to 980");
    assert_eq!(world.happened(), []);
    world.pass(10);
    assert_eq!(world.happened(), [Happening::PlayEnded { token: 1, cut_by: None }]);
    assert!(world.core.next_timeout().unwrap() > world.at(1_001), "the wheel stands still");
}

#[test]
fn whoever_comes_after_the_last_leg_hung_up_in_mid_sound_hears_at_the_usual_pace() {
    let mut world = World::new(&[PCMU]);
    world.command(0, play(1, tone(1000), false));
    world.pass(90);
    let last = world.legs[0].id;
    world.core.close(world.at(90), last, |_, _| ());
    assert_eq!((world.heard(0).len(), world.core.next_timeout()), (5, None));
    world.now = 60_000;
    let next = StreamId { turn: 2, ..last };
    let Leg { rtp, rtcp, agreed, .. } = &world.legs[0];
    world.core.open(world.at(60_000), next, 100, rtp.clone(), rtcp.clone());
    let agreed = Command::Negotiated(*agreed);
    world.legs[0].id = next;
    world.command(0, agreed);
    world.command(0, play(2, tone(1000), false));
    world.pass(90);
    assert_eq!(world.heard(0).len(), 5, "at 0, 20, 40, 60, 80");
}

#[test]
fn rfc3550_5_1_a_second_prompt_goes_on_in_sequence_and_in_time() {
    let mut world = World::new(&[PCMU]);
    world.command(0, play(1, tone(40), false));
    world.pass(500);
    world.command(0, play(2, tone(40), false));
    world.pass(100);
    let packets = world.heard(0);
    let first = packets[0].0;
    let seen: Vec<_> = packets
        .iter()
        .map(|(h, ..)| {
            (h.marker, h.sequence.wrapping_sub(first.sequence), h.timestamp.wrapping_sub(first.timestamp))
        })
        .collect();
    assert_eq!(seen, [(true, 0, 0), (false, 1, 160), (true, 2, 4000), (false, 3, 4160)]);
}

#[test]
fn rfc4733_2_5_a_key_cuts_the_prompt_when_it_begins_and_is_told_when_it_ends() {
    let mut world = World::new(&[PCMU]);
    world.prove(0);
    world.command(0, play(1, tone(1000), true));
    world.pass(100);
    world.press(0, 800, 5, false, 160);
    assert_eq!(world.happened(), [Happening::PlayEnded { token: 1, cut_by: Some(CutBy::Key('5')) }]);
    world.pass(20);
    for _ in 0..3 {
        world.press(0, 800, 5, true, 960);
        world.pass(20);
    }
    assert_eq!(world.happened(), [Happening::Digit { digit: '5', duration: Duration::from_millis(120) }]);
}

#[test]
fn rfc4733_2_5_2_2_a_key_whose_end_is_lost_is_ended_by_the_clock() {
    let mut world = World::new(&[PCMU]);
    world.prove(0);
    world.press(0, 800, 11, false, 320);
    world.pass(140);
    assert_eq!(world.happened(), []);
    world.pass(40);
    assert_eq!(world.happened(), [Happening::Digit { digit: '#', duration: Duration::from_millis(40) }]);
}

#[test]
fn keys_are_found_in_the_sound_where_no_events_are_negotiated() {
    let mut world = World::new(&[BARE]);
    world.prove(0);
    world.pass(20);
    let mut key = protocol::rtp::inband::KeyTone::new('7', Rate::Narrow).unwrap();
    for frame in 0..10 {
        let mut sound = [0; 160];
        if frame < 5 {
            key.fill(&mut sound);
        }
        world.say(0, &sound.map(|sample| g711::encode(Codec::Pcmu, sample)));
        world.pass(20);
    }
    let happened = world.happened();
    let [Happening::Digit { digit: '7', duration }] = happened[..] else { panic!("{happened:?}") };
    assert!(ms(90..110).contains(&duration), "{duration:?}");
}

#[test]
fn relay_joins_two_and_leaves_whoever_was_joined_before_alone() {
    let mut world = World::new(&[PCMU, (Codec::Pcma, true), PCMU]);
    (0..3).for_each(|leg| world.prove(leg));
    world.join(0, 1);
    world.say(0, &[0xff; 160]);
    world.say(1, &[0xd5; 160]);
    let at_1 = world.heard(1);
    assert_eq!(
        (at_1[0].0.payload_type, &at_1[0].1[..], at_1[0].2),
        (8, &[0xd5; 160][..], world.legs[1].agreed.remote)
    );
    // The smallest step above zero in both laws.
    assert_eq!(world.heard(0)[0].1, [0xfe; 160]);

    world.join(2, 0);
    world.say(1, &[0xd5; 160]);
    world.say(0, &[1; 160]);
    assert_eq!((world.heard(0).len(), world.heard(1).len(), world.heard(2).len()), (0, 0, 1));
    world.command(0, Command::Unrelay);
    world.say(0, &[1; 160]);
    world.say(2, &[1; 160]);
    assert_eq!((world.heard(0).len(), world.heard(2).len()), (0, 0));
}

#[test]
fn relay_with_itself_is_an_echo() {
    let mut world = World::new(&[PCMU]);
    world.prove(0);
    world.join(0, 0);
    world.say(0, &[7; 160]);
    assert_eq!(world.heard(0)[0].1, [7; 160]);
}

#[test]
fn a_prompt_replaces_what_is_relayed_and_gives_way_again() {
    let mut world = World::new(&[PCMU, PCMU]);
    (0..2).for_each(|leg| world.prove(leg));
    world.join(0, 1);
    world.command(1, play(1, tone(20), false));
    world.say(0, &[7; 160]);
    assert_eq!(world.heard(1).len(), 0);
    world.pass(20);
    assert_eq!(world.heard(1).len(), 1);
    world.say(0, &[7; 160]);
    assert_eq!(world.heard(1)[0].1, [7; 160]);
}

#[test]
fn keys_are_passed_on_as_events_and_said_as_tones_to_those_without() {
    let mut world = World::new(&[PCMU, PCMU, BARE]);
    (0..3).for_each(|leg| world.prove(leg));
    world.join(0, 1);
    world.press(0, 800, 3, false, 160);
    world.press(0, 800, 3, true, 320);
    let passed = world.heard(1);
    assert_eq!(passed.len(), 2);
    assert_eq!((passed[1].0.payload_type, &passed[1].1[..]), (101, &[3, 0x8a, 1, 0x40][..]));

    world.join(0, 2);
    world.press(0, 9_000, 3, true, 320);
    world.pass(300);
    let mut heard = Vec::new();
    let mut detector = Detector::default();
    for (header, payload, _) in world.heard(2) {
        assert_eq!(header.payload_type, 0);
        let table = g711::samples(Codec::Pcmu);
        detector
            .handle_samples(payload.iter().map(|octet| table[usize::from(*octet)]), |key| heard.push(key));
    }
    assert!(matches!(heard[..], [KeyEvent::Began('3'), KeyEvent::Ended('3', _)]), "{heard:?}");
    let digits = world.happened();
    assert_eq!(digits.len(), 2, "told both times: {digits:?}");
}

#[test]
fn a_key_from_sip_info_is_like_any_other() {
    let mut world = World::new(&[PCMU, PCMU]);
    (0..2).for_each(|leg| world.prove(leg));
    world.join(0, 1);
    world.command(0, play(4, tone(1000), true));
    let duration = Duration::from_millis(160);
    world.command(0, Command::Digit { digit: '9', duration });
    assert_eq!(
        world.happened(),
        [
            Happening::PlayEnded { token: 4, cut_by: Some(CutBy::Key('9')) },
            Happening::Digit { digit: '9', duration }
        ]
    );
    world.pass(200);
    let events: Vec<_> =
        world.heard(1).into_iter().filter(|(header, ..)| header.payload_type == 101).collect();
    assert!(events.len() == 7 && events.iter().all(|(_, payload, _)| payload[0] == 9));
}

#[test]
fn rfc4733_2_5_1_digits_are_sent_one_after_the_other_and_told() {
    let mut world = World::new(&[PCMU]);
    world.command(0, Command::SendDigits { token: 8, digits: "1#".into() });
    world.pass(2_000);
    let packets = world.heard(0);
    let ends: Vec<_> = packets
        .iter()
        .filter(|(_, payload, _)| payload[1] & 0x80 != 0)
        .map(|(h, p, _)| (h.timestamp, p[0]))
        .collect();
    assert_eq!(ends.iter().map(|end| end.1).collect::<Vec<_>>(), [1, 1, 1, 11, 11, 11]);
    assert_eq!((ends[0].0, ends[3].0), (ends[2].0, ends[5].0), "one timestamp for each key");
    assert_eq!(packets.iter().map(|(h, ..)| h.marker).filter(|marker| *marker).count(), 2);
    assert_eq!(world.happened(), [Happening::DigitsSent { token: 8 }]);

    // No more than the bound, however many are asked for.
    for token in 0..3 {
        world.command(0, Command::SendDigits { token, digits: "5".repeat(60) });
    }
    assert_eq!(world.happened(), [Happening::DigitsSent { token: 2 }], "there is no room for the third");
    world.pass(60_000);
    let begun = world.heard(0).iter().filter(|(header, ..)| header.marker).count();
    assert_eq!(begun, crate::Media::MAX_DIGITS);
}

#[test]
fn rfc3264_8_4_on_hold_nothing_is_sent_and_time_passes() {
    let mut world = World::new(&[PCMU, PCMU]);
    (0..2).for_each(|leg| world.prove(leg));
    world.join(0, 1);
    let held = Negotiated { direction: Direction::RecvOnly, ..world.legs[1].agreed };
    world.command(1, Command::Negotiated(held));
    world.say(0, &[7; 160]);
    world.command(1, play(1, tone(100), false));
    world.pass(200);
    assert_eq!(world.heard(1).len(), 0);
    assert_eq!(world.happened(), [Happening::PlayEnded { token: 1, cut_by: None }]);
    // Sound that we did not agree to hear is not passed on, and its absence is no time-out.
    let deaf = Negotiated { direction: Direction::SendOnly, ..world.legs[1].agreed };
    world.command(1, Command::Negotiated(deaf));
    world.say(1, &[7; 160]);
    assert_eq!(world.heard(0).len(), 0);
    world.command(0, Command::Close);
    world.core.close(world.at(world.now), world.legs[0].id, |_, _| ());
    world.happened();
    world.pass(100_000);
    assert_eq!(world.happened(), []);
}

#[test]
fn silence_is_a_time_out_once_until_packets_come_again() {
    let mut world = World::new(&[PCMU]);
    world.pass(29_500);
    assert_eq!(world.happened(), []);
    world.pass(1_000);
    assert_eq!(world.happened(), [Happening::Timeout]);
    world.pass(60_000);
    assert_eq!(world.happened(), []);
    world.say(0, &[7; 160]);
    world.say(0, &[7; 160]);
    world.pass(40_000);
    assert_eq!(world.happened(), [Happening::FirstPacket, Happening::Timeout]);
}

#[test]
fn sound_goes_to_where_the_far_side_is_heard_from() {
    let mut world = World::new(&[PCMU]);
    let behind_nat = SocketAddr::from(([198, 51, 100, 9], 61_000));
    let header = |sequence| Header { marker: false, payload_type: 0, sequence, timestamp: 0, ssrc: 5 };
    world.command(0, play(1, tone(10_000), false));
    world.pass(10);
    assert_eq!(world.heard(0)[0].2, world.legs[0].agreed.remote);
    world.arrive(0, behind_nat, header(1), &[0; 160]);
    world.arrive(0, behind_nat, header(2), &[0; 160]);
    world.pass(20);
    assert_eq!(world.heard(0)[0].2, behind_nat);
    // Someone else can't take it over while it is heard.
    for sequence in 1..5 {
        world.arrive(0, SocketAddr::from(([203, 0, 113, 66], 1)), header(sequence), &[0; 160]);
    }
    world.pass(20);
    assert_eq!(world.heard(0)[0].2, behind_nat);
    // A re-INVITE from elsewhere can.
    let moved = Negotiated { remote: "192.0.2.200:7000".parse().unwrap(), ..world.legs[0].agreed };
    world.command(0, Command::Negotiated(moved));
    world.pass(20);
    assert_eq!(world.heard(0)[0].2, moved.remote);
}

#[test]
fn rfc3550_6_2_reports_go_out_every_few_seconds_and_bye_at_the_end() {
    let mut world = World::new(&[PCMU]);
    world.command(0, play(1, tone(60_000), false));
    world.pass(29_000);
    let reports = std::mem::take(&mut *world.legs[0].rtcp.0.borrow_mut());
    assert!((4..=11).contains(&reports.len()), "{}", reports.len());
    assert!(
        reports.iter().all(|(bytes, to)| bytes[1] == 200 && *to == world.legs[0].agreed.remote_rtcp.unwrap())
    );
    world.core.close(world.at(world.now), world.legs[0].id, |_, _| ());
    let (last, _) = world.legs[0].rtcp.0.borrow_mut().pop().unwrap();
    assert_eq!(last[last.len() - 7], 203, "a BYE is the last packet");
    let happened = world.happened();
    assert!(matches!(
        happened[..],
        [Happening::PlayEnded { cut_by: Some(CutBy::Command), .. }, Happening::Closed(_)]
    ));
}

fn samples(folder: &tempfile::TempDir, name: &str) -> Vec<i16> {
    let mut wav = hound::WavReader::open(folder.path().join(name)).unwrap();
    wav.samples().collect::<Result<_, _>>().unwrap()
}

#[test]
fn a_message_ends_with_quiet_and_keeps_its_time_over_lost_packets() {
    let mut world = World::new(&[PCMU]);
    world.prove(0);
    let (most, silence) = (Duration::from_secs(60), Some(Duration::from_secs(2)));
    world.command(0, Command::Record { token: 5, name: "m".into(), most, silence, stop_on_key: false });
    // Three seconds of loud sound with 100 ms lost after the first, then nothing.
    for frame in 0..150 {
        if !(50..55).contains(&frame) {
            world.say(0, &[0x80; 160]);
        }
        world.pass(20);
    }
    world.pass(10_000);
    let (happened, folder) = world.write();
    let [Happening::Recorded { token: 5, length, ended_by: EndOfRecording::Silence, .. }] = &happened[..]
    else {
        panic!("{happened:?}")
    };
    assert!(ms(4_980..5_040).contains(length), "{length:?}");
    let sound = samples(&folder, "m.wav");
    assert_eq!(sound.len() as u128, length.as_millis() * 8);
    let is_loud = |ms: usize| sound[ms * 8] == 32_124;
    assert!(
        is_loud(0) && is_loud(999) && !is_loud(1_001) && !is_loud(1_099) && is_loud(1_100) && is_loud(2_999)
    );
    assert!(!is_loud(3_001));
}

#[test]
fn a_message_is_as_long_as_it_may_be() {
    let mut world = World::new(&[PCMU]);
    world.prove(0);
    let most = Duration::from_millis(1_500);
    world
        .command(0, Command::Record { token: 5, name: "a/b".into(), most, silence: None, stop_on_key: true });
    world.pass(5_000);
    let (happened, folder) = world.write();
    let (name, ended_by) = ("a/b".to_owned(), EndOfRecording::Most);
    assert_eq!(happened, [Happening::Recorded { token: 5, name, length: most, ended_by }]);
    assert_eq!(samples(&folder, "a/b.wav").len(), 12_000);
}

#[test]
fn a_tap_has_the_caller_left_and_what_is_heard_right() {
    let mut world = World::new(&[PCMU, PCMU]);
    (0..2).for_each(|leg| world.prove(leg));
    world.join(0, 1);
    world.command(0, Command::Tap { token: 6, name: "talk".into(), mono: false });
    for frame in 0..200 {
        world.say(0, &[0x80; 160]);
        if frame >= 100 {
            world.say(1, &[0x00; 160]);
        }
        world.pass(20);
    }
    world.command(0, Command::Untap);
    let (happened, folder) = world.write();
    let (name, ended_by) = ("talk".to_owned(), EndOfRecording::Command);
    assert_eq!(happened, [Happening::Recorded { token: 6, name, length: Duration::from_secs(4), ended_by }]);
    let both = samples(&folder, "talk.wav");
    assert_eq!(both.len(), 64_000);
    for (n, pair) in both.chunks(2).enumerate() {
        assert_eq!(pair, [32_124, if n < 16_000 { 0 } else { -32_124 }], "sample {n}");
    }
}

#[test]
fn a_tap_on_one_channel_has_both_sides_added_up() {
    let mut world = World::new(&[PCMU, PCMU]);
    (0..2).for_each(|leg| world.prove(leg));
    world.join(0, 1);
    world.command(0, Command::Tap { token: 6, name: "mono".into(), mono: true });
    for frame in 0..100 {
        world.say(0, &[0x80; 160]);
        if frame >= 50 {
            world.say(1, &[0x00; 160]);
        }
        world.pass(20);
    }
    world.command(0, Command::Untap);
    let (_, folder) = world.write();
    let added = samples(&folder, "mono.wav");
    assert_eq!(added.len(), 16_000);
    for (n, sample) in added.iter().enumerate() {
        assert_eq!(*sample, if n < 8_000 { 32_124 } else { 0 }, "sample {n}");
    }
}

#[test]
fn what_is_said_while_a_tap_is_paused_is_silence_and_the_rest_keeps_its_time() {
    let mut world = World::new(&[PCMU]);
    world.prove(0);
    world.command(0, Command::Tap { token: 6, name: "card".into(), mono: false });
    for frame in 0..200 {
        match frame {
            50 => world.command(0, Command::PauseTap(true)),
            150 => world.command(0, Command::PauseTap(false)),
            _ => {}
        }
        world.say(0, &[0x80; 160]);
        world.pass(20);
    }
    world.command(0, Command::Untap);
    let (_, folder) = world.write();
    let both = samples(&folder, "card.wav");
    assert_eq!(both.len(), 64_000);
    for (n, pair) in both.chunks(2).enumerate() {
        let heard = if (8_000..24_000).contains(&n) { 0 } else { 32_124 };
        assert_eq!(pair, [heard, 0], "sample {n}");
    }
}

/// The process may be killed at any time: what was written is a whole file up to the last second.
#[test]
fn a_recording_is_a_whole_file_while_it_goes_on() {
    let mut world = World::new(&[PCMU]);
    world.prove(0);
    world.command(0, Command::Tap { token: 6, name: "on".into(), mono: false });
    let mut writer = world.writer.take().unwrap();
    for second in 1..=5 {
        for _ in 0..50 {
            world.say(0, &[0x80; 160]);
            world.pass(20);
        }
        writer.work_waiting();
        if second > 1 {
            let sound = samples(&world.folder, "on.wav");
            assert!((second - 1) * 16_000 <= sound.len(), "{} after {second} s", sound.len());
            assert!(sound.chunks(2).all(|pair| pair == [32_124, 0]));
        }
    }
}

#[test]
fn names_that_leave_the_folder_are_refused() {
    for name in ["../x", "/etc/x", "a//b", "", ".x", "a/..", "a b", "a\0", &"x".repeat(300)] {
        let mut world = World::new(&[PCMU]);
        world.command(0, Command::Tap { token: 1, name: name.into(), mono: false });
        world.pass(10);
        world.command(0, Command::Untap);
        let (happened, folder) = world.write();
        let failed = EndOfRecording::Failed;
        assert!(
            matches!(&happened[..], [Happening::Recorded { ended_by, .. }] if *ended_by == failed),
            "{name:?}"
        );
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "{name:?}");
    }
}

#[test]
fn a_writer_that_is_too_slow_leaves_silence_and_never_stops_a_call() {
    let mut world = World::new(&[PCMU]);
    world.prove(0);
    world.command(0, Command::Tap { token: 1, name: "long".into(), mono: false });
    // The writer does not run at all for forty minutes.
    world.pass(3_000);
    for _ in 0..2_400 {
        world.say(0, &[0x80; 160]);
        world.pass(1_000);
    }
    assert!(world.core.context.writer.left_out() > 0);
    world.command(0, Command::Untap);
    assert_eq!(world.core.context.unwritten.len(), 1, "its end waits for room");
    let writer = world.writer.take().unwrap();
    let core = world.core;
    // Who ends waits for the writer.
    let thread = std::thread::spawn(move || writer.run());
    core.finish();
    thread.join().unwrap();
    let happened: Vec<_> = world.events.lock().unwrap().iter().map(|event| event.what.clone()).collect();
    let [Happening::Recorded { length, ended_by: EndOfRecording::Command, .. }] = &happened[..] else {
        panic!("{happened:?}")
    };
    assert_eq!(length.as_secs(), 2_403);
}

/// Flipped bytes, cut packets and strangers: nothing panics, nothing is passed on that was not proven.
#[test]
fn noise_is_ignored_and_counted() {
    let mut world = World::new(&[PCMU, BARE]);
    world.join(0, 1);
    let mut chance = 7u64;
    for _ in 0..20_000 {
        chance = chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let length = (chance >> 33) as usize % 64;
        let mut bytes: Vec<u8> = (0..length).map(|n| (chance >> (n % 57)) as u8 ^ n as u8).collect();
        if let Some(first) = bytes.first_mut().filter(|_| chance & 1 == 0) {
            *first = 0x80 | (*first & 0x3f);
        }
        let from = SocketAddr::from(([192, 0, 2, chance as u8], 4000));
        let slot = (chance >> 20) as u32 % 18;
        world.core.handle_rtp(world.at(world.now), slot, from, &mut bytes);
        world.core.handle_rtcp(world.at(world.now), slot, from, &mut bytes);
    }
    world.core.close(world.at(world.now), world.legs[0].id, |_, _| ());
    let happened = world.happened();
    let Some(Happening::Closed(stats)) = happened.last() else { panic!("{happened:?}") };
    assert!(stats.ignored > 500, "{stats:?}");
}

mod codecs;
mod mixing;
