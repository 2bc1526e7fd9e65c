//! Keys on their way to the far side, 20 ms after 20 ms: as telephone events (RFC 4733), or as tones where those are not
//! agreed on. Who sends what comes of it is the stream's.

use protocol::rtp::Rate;
use protocol::rtp::dtmf::{EventSender, Payload, Step};
use protocol::rtp::inband::KeyTone;

/// Keys to be sent, and whoever wishes to hear when they are.
pub(crate) struct Digits {
    pub token: Option<u64>,
    pub count: usize,
    steps: Steps,
}

/// 20 ms of keys.
pub(crate) enum Frame {
    /// An event's payload, and whether it begins with it.
    Event(Payload, bool),
    /// In the frame that was given.
    Sound,
    Nothing,
    Done,
}

enum Steps {
    Events(EventSender),
    Tones(Tones),
}

/// Keys as tones: each as long as an event of ours, and as far apart.
struct Tones {
    keys: std::vec::IntoIter<char>,
    tone: Option<KeyTone>,
    rate: Rate,
    frames: u8,
}

impl Digits {
    /// As events, whose durations count by this clock.
    pub fn events(token: Option<u64>, digits: &str, clock: u32) -> Self {
        let steps = Steps::Events(EventSender::new(digits, clock));
        Self { token, count: digits.chars().count(), steps }
    }

    /// As tones in frames of this rate.
    pub fn tones(token: Option<u64>, digits: &str, rate: Rate) -> Self {
        Self { token, count: digits.chars().count(), steps: Steps::Tones(Tones::new(digits, rate)) }
    }

    /// The next 20 ms; a tone is put in the frame.
    pub fn next(&mut self, frame: &mut [i16]) -> Frame {
        match &mut self.steps {
            Steps::Events(events) => match events.step() {
                Step::Event { payload, begins } => Frame::Event(payload, begins),
                Step::Pause => Frame::Nothing,
                Step::Done => Frame::Done,
            },
            Steps::Tones(tones) => tones.next(frame),
        }
    }
}

impl Tones {
    /// 100 ms of tone, 100 ms of silence; a comma is half a second.
    const TONE: u8 = 5;
    const GAP: u8 = 5;
    const PAUSE: u8 = 25;

    fn new(digits: &str, rate: Rate) -> Self {
        let keys = digits.chars().filter(|key| *key == ',' || KeyTone::new(*key, rate).is_some());
        Self { keys: keys.collect::<Vec<_>>().into_iter(), tone: None, rate, frames: 0 }
    }

    fn next(&mut self, frame: &mut [i16]) -> Frame {
        if self.frames == 0 {
            match self.keys.next() {
                None => return Frame::Done,
                Some(',') => self.frames = Self::PAUSE,
                Some(key) => {
                    self.tone = KeyTone::new(key, self.rate);
                    self.frames = Self::TONE + Self::GAP;
                }
            }
        }
        self.frames -= 1;
        frame.fill(0);
        match &mut self.tone {
            Some(tone) if self.frames >= Self::GAP => tone.fill(frame),
            _ => self.tone = None,
        }
        Frame::Sound
    }
}
