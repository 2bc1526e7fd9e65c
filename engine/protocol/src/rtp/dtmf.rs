//! Keys as telephone events (RFC 4733 §2.5): sent with a growing duration and the end three times,
//! received once each however many packets say so, and ended by the clock when the end is lost. Also
//! keys in the body of a SIP INFO. Other events than the sixteen keys are passed over.

use std::time::{Duration, Instant};

use super::CLOCK;

/// The sixteen keys by event code (RFC 4733 §3.2).
pub const KEYS: [char; 16] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', '*', '#', 'A', 'B', 'C', 'D'];

/// RFC 4733 §2.5.1.4: the last packet is sent three times.
const END_PACKETS: u8 = 3;

/// How long a key that we send sounds: longer than any receiver needs.
const KEY_FRAMES: u16 = 5;

/// Between two keys, and as many frames as a pause sign means.
const GAP_FRAMES: u8 = 5;
const PAUSE_FRAMES: u8 = 25;

/// RFC 4733 §2.5.2.2: an event of which nothing is heard for so long has ended; some senders send
/// every 50 ms, and two of those may be lost.
const LOST_END: Duration = Duration::from_millis(160);

/// How loud, in dBm0 without the sign (RFC 4733 §2.3.4).
const VOLUME: u8 = 10;

/// The event code of a key.
pub fn code(key: char) -> Option<u8> {
    let key = key.to_ascii_uppercase();
    KEYS.iter().position(|known| *known == key).map(|code| code as u8)
}

/// The payload of one event packet (RFC 4733 §2.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Payload {
    /// 0 to 255.
    pub event: u8,
    /// The event is over.
    pub end: bool,
    /// Since the timestamp, in ticks.
    pub duration: u16,
}

impl Payload {
    /// None when it is too short; what follows the first four octets is passed over.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let [event, flags, high, low, ..] = *bytes else { return None };
        Some(Self { event, end: flags & 0x80 != 0, duration: u16::from_be_bytes([high, low]) })
    }

    /// As octets.
    pub fn write(self) -> [u8; 4] {
        let [high, low] = self.duration.to_be_bytes();
        [self.event, if self.end { 0x80 } else { 0 } | VOLUME, high, low]
    }
}

/// What was heard of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyEvent {
    /// It is pressed.
    Began(char),
    /// It was let go, after so long.
    Ended(char, Duration),
}

/// The receiving side of telephone events.
#[derive(Clone, Debug)]
pub struct EventReceiver {
    /// Ticks a second of durations.
    clock: u32,
    state: Heard,
}

#[derive(Clone, Copy, Debug, Default)]
enum Heard {
    #[default]
    Nothing,
    /// A key is pressed. `before` are ticks of earlier segments (RFC 4733 §2.5.1.3).
    Pressed { key: u8, timestamp: u32, before: u32, duration: u16, last: Instant },
    /// Its end was heard, or given up on; what is not newer is a repetition.
    Released { timestamp: u32 },
}

impl Default for EventReceiver {
    fn default() -> Self {
        Self { clock: CLOCK, state: Heard::Nothing }
    }
}

impl EventReceiver {
    /// Durations count by this many ticks a second from now on (RFC 4733 §2.1); [`CLOCK`] until said.
    pub fn set_clock(&mut self, clock: u32) {
        self.clock = clock;
    }

    /// A packet with the negotiated payload type; at most one key ends and one begins.
    pub fn handle_packet(
        &mut self,
        now: Instant,
        timestamp: u32,
        payload: Payload,
        mut out: impl FnMut(KeyEvent),
    ) {
        if usize::from(payload.event) >= KEYS.len() {
            return;
        }
        match self.state {
            // Older ones are late repetitions.
            Heard::Pressed { timestamp: known, .. } | Heard::Released { timestamp: known }
                if (timestamp.wrapping_sub(known) as i32) < 0 =>
            {
                return;
            }
            Heard::Released { timestamp: known } if timestamp == known => return,
            Heard::Pressed { key, timestamp: known, before, duration, .. } if timestamp == known => {
                let duration = duration.max(payload.duration);
                self.state = Heard::Pressed { key, timestamp, before, duration, last: now };
            }
            Heard::Pressed { key, timestamp: known, before, .. }
                if key == payload.event && timestamp.wrapping_sub(known) == u32::from(u16::MAX) =>
            {
                // The next segment of a key that is pressed for more than eight seconds.
                let before = before.saturating_add(u32::from(u16::MAX));
                self.state = Heard::Pressed { key, timestamp, before, duration: payload.duration, last: now };
            }
            Heard::Nothing | Heard::Released { .. } | Heard::Pressed { .. } => {
                self.release(&mut out);
                let (key, duration) = (payload.event, payload.duration);
                self.state = Heard::Pressed { key, timestamp, before: 0, duration, last: now };
                out(KeyEvent::Began(KEYS[usize::from(key)]));
            }
        }
        if payload.end {
            self.release(&mut out);
        }
    }

    /// When a key that is pressed is given up on.
    pub fn next_timeout(&self) -> Option<Instant> {
        match self.state {
            Heard::Pressed { last, .. } => Some(last + LOST_END),
            Heard::Nothing | Heard::Released { .. } => None,
        }
    }

    /// Ends a key whose end was lost.
    pub fn handle_timeout(&mut self, now: Instant, mut out: impl FnMut(KeyEvent)) {
        if self.next_timeout().is_some_and(|at| now >= at) {
            self.release(&mut out);
        }
    }

    /// The far side's timestamps start anew; a key that is pressed ends.
    pub fn reset(&mut self, mut out: impl FnMut(KeyEvent)) {
        self.release(&mut out);
        self.state = Heard::Nothing;
    }

    fn release(&mut self, out: &mut impl FnMut(KeyEvent)) {
        if let Heard::Pressed { key, timestamp, before, duration, .. } = self.state {
            let ticks = u64::from(before) + u64::from(duration);
            let length = Duration::from_micros(ticks * 1_000_000 / u64::from(self.clock));
            out(KeyEvent::Ended(KEYS[usize::from(key)], length));
            self.state = Heard::Released { timestamp };
        }
    }
}

/// What to send in one frame of 20 ms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// A packet of an event; the marker and a new timestamp if it begins.
    Event {
        /// What to write.
        payload: Payload,
        /// The first packet of this key.
        begins: bool,
    },
    /// Nothing.
    Pause,
    /// Nothing any more.
    Done,
}

/// The sending side: one key after the other, one step every 20 ms.
#[derive(Clone, Debug)]
pub struct EventSender {
    /// Ticks in 20 ms.
    frame: u16,
    digits: std::vec::IntoIter<char>,
    state: Sending,
}

#[derive(Clone, Copy, Debug)]
enum Sending {
    Key { event: u8, duration: u16 },
    End { event: u8, left: u8 },
    Gap { left: u8 },
}

impl EventSender {
    /// Keys, and "," for half a second of nothing; other characters are left out. `clock`: ticks a second of
    /// durations, at most 65,535 (RFC 4733 §2.1).
    pub fn new(digits: &str, clock: u32) -> Self {
        let known = |c: &char| *c == ',' || code(*c).is_some();
        let digits = digits.chars().filter(known).collect::<Vec<_>>().into_iter();
        Self { frame: (clock / 50) as u16, digits, state: Sending::Gap { left: 0 } }
    }

    /// The next 20 ms.
    pub fn step(&mut self) -> Step {
        match self.state {
            Sending::Gap { left: 0 } => match self.digits.next() {
                None => Step::Done,
                Some(',') => self.rest(PAUSE_FRAMES),
                Some(key) => {
                    let event = code(key).expect("only keys and commas were kept");
                    let payload = Payload { event, end: false, duration: self.frame };
                    self.state = Sending::Key { event, duration: self.frame };
                    Step::Event { payload, begins: true }
                }
            },
            Sending::Gap { left } => self.rest(left),
            Sending::Key { event, duration } => {
                let duration = duration + self.frame;
                let end = duration >= self.frame * KEY_FRAMES;
                self.state = match end {
                    true => Sending::End { event, left: END_PACKETS - 1 },
                    false => Sending::Key { event, duration },
                };
                Step::Event { payload: Payload { event, end, duration }, begins: false }
            }
            Sending::End { event, left } => {
                self.state = match left {
                    1 => Sending::Gap { left: GAP_FRAMES },
                    _ => Sending::End { event, left: left - 1 },
                };
                let duration = self.frame * KEY_FRAMES;
                Step::Event { payload: Payload { event, end: true, duration }, begins: false }
            }
        }
    }

    fn rest(&mut self, frames: u8) -> Step {
        self.state = Sending::Gap { left: frames - 1 };
        Step::Pause
    }
}

/// The key in the body of a SIP INFO, and how long it was pressed. `content_type` may carry
/// parameters: application/dtmf-relay has lines "Signal=5" and "Duration=160" (in ms),
/// application/dtmf the key alone.
pub fn read_info(content_type: &str, body: &[u8]) -> Option<(char, Duration)> {
    /// What is meant when no duration is said.
    const USUAL: Duration = Duration::from_millis(250);
    /// Longer is taken for this long.
    const LONGEST_MS: u64 = 10_000;

    let text = std::str::from_utf8(body.get(..body.len().min(256))?).ok()?;
    let key = |word: &str| {
        let word = word.trim();
        let mut chars = word.chars();
        match (chars.next(), chars.next()) {
            (Some(one), None) => code(one),
            // Some send 10 and 11 for the star and the pound sign.
            _ => word.parse().ok(),
        }
        .and_then(|code: u8| KEYS.get(usize::from(code)).copied())
    };
    let media_type = content_type.split(';').next().unwrap_or("").trim();
    if media_type.eq_ignore_ascii_case("application/dtmf") {
        return Some((key(text)?, USUAL));
    }
    if !media_type.eq_ignore_ascii_case("application/dtmf-relay") {
        return None;
    }
    let value = |name: &str| {
        text.lines().find_map(|line| {
            let (left, right) = line.split_once('=')?;
            left.trim().eq_ignore_ascii_case(name).then_some(right.trim())
        })
    };
    let duration = value("Duration").and_then(|ms| ms.parse().ok());
    let duration = duration.map_or(USUAL, |ms: u64| Duration::from_millis(ms.min(LONGEST_MS)));
    Some((key(value("Signal")?)?, duration))
}

#[cfg(test)]
mod tests {
    use super::KeyEvent::{Began, Ended};
    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    /// Packets as (ms, timestamp, event, end, duration), and what was heard when.
    fn hear(packets: &[(u64, u32, u8, bool, u16)]) -> Vec<(u64, KeyEvent)> {
        let start = Instant::now();
        let mut receiver = EventReceiver::default();
        let mut heard = Vec::new();
        for (at, timestamp, event, end, duration) in packets {
            let payload = Payload { event: *event, end: *end, duration: *duration };
            receiver.handle_packet(start + ms(*at), *timestamp, payload, |key| heard.push((*at, key)));
        }
        if let Some(at) = receiver.next_timeout() {
            receiver.handle_timeout(at - ms(1), |_| panic!("too early"));
            let at_ms = (at - start).as_millis() as u64;
            receiver.handle_timeout(at, |key| heard.push((at_ms, key)));
            assert_eq!(receiver.next_timeout(), None);
        }
        heard
    }

    #[test]
    fn rfc4733_2_5_one_key_is_heard_once() {
        assert_eq!(
            hear(&[
                (0, 800, 11, false, 160),
                (20, 800, 11, false, 320),
                (40, 800, 11, true, 480),
                (60, 800, 11, true, 480),
                (80, 800, 11, true, 480),
                (90, 800, 11, false, 160),
            ]),
            [(0, Began('#')), (40, Ended('#', ms(60)))]
        );
    }

    #[test]
    fn rfc4733_2_5_2_2_a_lost_end_is_given_up_on() {
        assert_eq!(
            hear(&[(0, 800, 5, false, 160), (20, 800, 5, false, 320)]),
            [(0, Began('5')), (180, Ended('5', ms(40)))]
        );
    }

    #[test]
    fn rfc4733_2_5_2_the_next_key_ends_one_whose_end_was_lost() {
        assert_eq!(
            hear(&[(0, 800, 5, false, 160), (100, 1600, 5, false, 160), (120, 1600, 5, true, 320)]),
            [(0, Began('5')), (100, Ended('5', ms(20))), (100, Began('5')), (120, Ended('5', ms(40)))]
        );
    }

    #[test]
    fn rfc4733_2_5_an_end_alone_is_a_key() {
        assert_eq!(hear(&[(0, 9, 0, true, 800)]), [(0, Began('0')), (0, Ended('0', ms(100)))]);
    }

    #[test]
    fn rfc4733_2_5_1_3_a_long_key_comes_in_segments() {
        assert_eq!(
            hear(&[
                (0, 0, 1, false, 160),
                (8_191, 0, 1, false, 65_535),
                (8_211, 65_535, 1, false, 160),
                (8_300, 65_535, 1, true, 865),
            ]),
            [(0, Began('1')), (8_300, Ended('1', ms(8_300)))]
        );
    }

    #[test]
    fn rfc4733_3_2_other_events_are_no_keys() {
        assert_eq!(hear(&[(0, 9, 16, true, 800), (0, 10, 200, true, 800)]), []);
        assert_eq!(Payload::read(&[1, 2, 3]), None);
    }

    #[test]
    fn rfc4733_2_5_1_4_what_is_sent_grows_and_ends_three_times() {
        let mut sender = EventSender::new("1x,2", CLOCK);
        let mut steps = Vec::new();
        while let step = sender.step()
            && step != Step::Done
        {
            steps.push(step);
        }
        let event = |step: &Step| match step {
            Step::Event { payload, begins } => Some((payload.event, payload.duration, payload.end, *begins)),
            _ => None,
        };
        let one: Vec<_> = steps[..7].iter().filter_map(event).collect();
        assert_eq!(
            one,
            [
                (1, 160, false, true),
                (1, 320, false, false),
                (1, 480, false, false),
                (1, 640, false, false),
                (1, 800, true, false),
                (1, 800, true, false),
                (1, 800, true, false),
            ]
        );
        // 100 ms between keys, and half a second for the comma.
        assert!(steps[7..37].iter().all(|step| *step == Step::Pause));
        assert_eq!(event(&steps[37]), Some((2, 160, false, true)));
        assert_eq!(steps.len(), 37 + 7 + 5);
        assert_eq!(sender.step(), Step::Done);
    }

    /// Beside Opus durations are counted at its 48 kHz.
    #[test]
    fn rfc4733_2_1_durations_count_by_the_clock_that_was_agreed() {
        let mut sender = EventSender::new("5", 48_000);
        let mut receiver = EventReceiver::default();
        receiver.set_clock(48_000);
        let (start, mut heard, mut last) = (Instant::now(), Vec::new(), 0);
        while let Step::Event { payload, .. } = sender.step() {
            receiver.handle_packet(start, 960, payload, |key| heard.push(key));
            last = payload.duration;
        }
        assert_eq!((last, heard), (4_800, vec![Began('5'), Ended('5', ms(100))]));
    }

    #[test]
    fn rfc4733_2_3_payload_octets() {
        let payload = Payload { event: 9, end: true, duration: 1600 };
        assert_eq!(payload.write(), [9, 0x8a, 0x06, 0x40]);
        assert_eq!(Payload::read(&payload.write()), Some(payload));
    }

    #[test]
    fn keys_in_info_bodies() {
        let relay = |body: &str| read_info("application/dtmf-relay", body.as_bytes());
        assert_eq!(relay("Signal=5\r\nDuration=160\r\n"), Some(('5', ms(160))));
        assert_eq!(relay("Signal= *\nDuration= 100"), Some(('*', ms(100))));
        assert_eq!(relay("signal=11\r\n"), Some(('#', ms(250))));
        assert_eq!(relay("Duration=160\r\n"), None);
        assert_eq!(relay("Signal=77\r\n"), None);
        assert_eq!(read_info("Application/DTMF; charset=utf-8", b" d\r\n"), Some(('D', ms(250))));
        assert_eq!(read_info("application/dtmf", b""), None);
        assert_eq!(read_info("text/plain", b"5"), None);
        assert_eq!(read_info("application/dtmf", &[0xff, 0xfe]), None);
    }
}
