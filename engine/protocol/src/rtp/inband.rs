//! Keys as tones (ITU-T Q.23): made, and found in sound by Goertzel's algorithm. The finder keeps the
//! times of Q.24: a tone of 40 ms is a key, one of 23 ms is none, a break of 10 ms does not end it.
//! Speech is kept out by asking that nearly all energy is in one tone of each group.

use std::collections::VecDeque;
use std::f32::consts::TAU;
use std::time::Duration;

use super::dtmf::KeyEvent;
use super::{CLOCK, Rate};

/// Q.23: the low group gives the row, the high group the column.
const ROWS: [f32; 4] = [697.0, 770.0, 852.0, 941.0];
const COLUMNS: [f32; 4] = [1209.0, 1336.0, 1477.0, 1633.0];
const KEYPAD: [[char; 4]; 4] =
    [['1', '2', '3', 'A'], ['4', '5', '6', 'B'], ['7', '8', '9', 'C'], ['*', '0', '#', 'D']];

/// Samples looked at together: 12.75 ms, so that a filter is 78 Hz wide, as wide as the groups need.
const BLOCK: usize = 102;
/// How far the next look is: 6.4 ms.
const HOP: usize = 51;
/// So many looks in a row find a key: 40 ms hold at least four whole ones, 23 ms never do.
const HITS: u8 = 4;
/// So many looks without it end a key: more than a break of 10 ms can spoil, less than the 40 ms
/// between two keys.
const MISSES: u8 = 4;

/// Mean square of the softest key: two tones of -33 dBm0 each.
const LEAST_POWER: f32 = 2.0 * 350.0 * 350.0;
/// The share of a block's energy that both tones together hold. A tone 1.5 % off its frequency
/// (which Q.24 wants heard) leaves some.
const LEAST_SHARE: f32 = 0.76;
/// The strongest of a group over the others, as power.
const LEAST_LEAD: f32 = 4.0;
/// Q.24 table A-1: the column may be 4 dB louder than the row; telephones at long lines have 8 dB
/// less. Both with 1 dB for the filters' own error.
const COLUMN_LOUDER: f32 = 3.2;
const ROW_LOUDER: f32 = 8.0;

/// A sample's amplitude for each of the two tones of a key that we make: -7 and -9 dBm0 or so.
const ROW_AMPLITUDE: f32 = 7_000.0;
const COLUMN_AMPLITUDE: f32 = 8_000.0;

/// A key's two frequencies in Hz: row and column.
pub fn frequencies(key: char) -> Option<(f32, f32)> {
    let key = key.to_ascii_uppercase();
    KEYPAD.iter().zip(ROWS).find_map(|(row, low)| {
        let column = row.iter().position(|known| *known == key)?;
        Some((low, COLUMNS[column]))
    })
}

/// A key's tone, made.
#[derive(Clone, Copy, Debug)]
pub struct KeyTone {
    /// Of a second, for each sample.
    step: f32,
    row: f32,
    column: f32,
    position: u32,
}

impl KeyTone {
    /// None when it is no key.
    pub fn new(key: char, rate: Rate) -> Option<Self> {
        let (row, column) = frequencies(key)?;
        Some(Self { step: 1.0 / rate.hz() as f32, row, column, position: 0 })
    }

    /// The next samples.
    pub fn fill(&mut self, samples: &mut [i16]) {
        for sample in samples {
            let t = self.position as f32 * self.step;
            let value =
                ROW_AMPLITUDE * (TAU * self.row * t).sin() + COLUMN_AMPLITUDE * (TAU * self.column * t).sin();
            *sample = value as i16;
            self.position += 1;
        }
    }
}

/// Finds keys in sound.
#[derive(Clone, Debug)]
pub struct Detector {
    samples: VecDeque<f32>,
    state: State,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Quiet,
    /// Maybe a key: heard in so many looks.
    Rising {
        key: char,
        hits: u8,
    },
    /// A key. `looks` since it began, `misses` without it at the end.
    Pressed {
        key: char,
        looks: u32,
        misses: u8,
    },
}

impl Default for Detector {
    fn default() -> Self {
        Self { samples: VecDeque::with_capacity(2 * BLOCK), state: State::Quiet }
    }
}

impl Detector {
    /// More sound, in order; `out` is told when a key begins and when it ends.
    pub fn handle_samples(&mut self, samples: impl IntoIterator<Item = i16>, mut out: impl FnMut(KeyEvent)) {
        for sample in samples {
            self.samples.push_back(f32::from(sample));
            if self.samples.len() == BLOCK {
                let found = key_in(self.samples.make_contiguous());
                self.samples.drain(..HOP);
                self.look(found, &mut out);
            }
        }
    }

    /// Sound stops, or comes from elsewhere: a key that is pressed ends.
    pub fn reset(&mut self, mut out: impl FnMut(KeyEvent)) {
        if let State::Pressed { key, looks, misses } = self.state {
            out(KeyEvent::Ended(key, length(looks - u32::from(misses))));
        }
        self.samples.clear();
        self.state = State::Quiet;
    }

    fn look(&mut self, found: Option<char>, out: &mut impl FnMut(KeyEvent)) {
        self.state = match (self.state, found) {
            (State::Quiet, None) | (State::Rising { .. }, None) => State::Quiet,
            (State::Rising { key, hits }, Some(same)) if key == same => match hits + 1 {
                HITS => {
                    out(KeyEvent::Began(key));
                    State::Pressed { key, looks: u32::from(HITS), misses: 0 }
                }
                hits => State::Rising { key, hits },
            },
            (State::Quiet | State::Rising { .. }, Some(key)) => State::Rising { key, hits: 1 },
            (State::Pressed { key, looks, .. }, Some(same)) if key == same => {
                State::Pressed { key, looks: looks.saturating_add(1), misses: 0 }
            }
            (State::Pressed { key, looks, misses }, other) => {
                let (looks, misses) = (looks.saturating_add(1), misses + 1);
                if misses < MISSES {
                    State::Pressed { key, looks, misses }
                } else {
                    out(KeyEvent::Ended(key, length(looks - u32::from(misses))));
                    other.map_or(State::Quiet, |key| State::Rising { key, hits: 1 })
                }
            }
        };
    }
}

fn length(looks: u32) -> Duration {
    // Looks overlap by half, and see a tone from about half a block of it.
    Duration::from_micros((u64::from(looks) + 1) * HOP as u64 * 1_000_000 / u64::from(CLOCK))
}

fn key_in(block: &[f32]) -> Option<char> {
    let energy: f32 = block.iter().map(|x| x * x).sum();
    if energy < LEAST_POWER / 2.0 * block.len() as f32 {
        return None;
    }
    let power = goertzel(block);
    let (row, row_power) = loudest(&power[..4])?;
    let (column, column_power) = loudest(&power[4..])?;
    let untwisted = column_power <= row_power * COLUMN_LOUDER && row_power <= column_power * ROW_LOUDER;
    // A sine of amplitude a has the power (a n / 2)^2 in its filter and the energy a^2 n / 2.
    let share = (row_power + column_power) * 2.0 / (block.len() as f32 * energy);
    (untwisted && share >= LEAST_SHARE).then_some(KEYPAD[row][column])
}

/// The strongest of a group, if it leads clearly.
fn loudest(group: &[f32]) -> Option<(usize, f32)> {
    let (at, most) = group.iter().copied().enumerate().max_by(|a, b| a.1.total_cmp(&b.1))?;
    group.iter().enumerate().all(|(i, power)| i == at || power * LEAST_LEAD <= most).then_some((at, most))
}

/// The power at each of the eight frequencies.
fn goertzel(block: &[f32]) -> [f32; 8] {
    let coefficients: [f32; 8] = std::array::from_fn(|i| {
        let frequency = if i < 4 { ROWS[i] } else { COLUMNS[i - 4] };
        2.0 * (TAU * frequency / CLOCK as f32).cos()
    });
    let (mut s1, mut s2) = ([0f32; 8], [0f32; 8]);
    for sample in block {
        for i in 0..8 {
            let s0 = sample + coefficients[i] * s1[i] - s2[i];
            s2[i] = s1[i];
            s1[i] = s0;
        }
    }
    std::array::from_fn(|i| s1[i] * s1[i] + s2[i] * s2[i] - coefficients[i] * s1[i] * s2[i])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rtp::g711;
    use crate::sdp::Codec;

    /// Two tones of so many dB below a full sine, shifted in frequency, for so many ms.
    fn tone(row: f32, column: f32, row_db: f32, column_db: f32, ms: usize) -> Vec<i16> {
        let amplitude = |db: f32| 32_000.0 * 10f32.powf(db / 20.0);
        (0..ms * 8)
            .map(|n| {
                let t = n as f32 / 8000.0;
                let value = amplitude(row_db) * (TAU * row * t).sin()
                    + amplitude(column_db) * (TAU * column * t).sin();
                // As it comes out of G.711.
                g711::samples(Codec::Pcmu)[usize::from(g711::encode(Codec::Pcmu, value as i16))]
            })
            .collect()
    }

    fn silence(ms: usize) -> Vec<i16> {
        vec![0; ms * 8]
    }

    fn keys(sound: &[Vec<i16>]) -> String {
        let mut detector = Detector::default();
        let mut heard = String::new();
        let mut note = |event| {
            if let KeyEvent::Ended(key, _) = event {
                heard.push(key);
            }
        };
        detector.handle_samples(sound.iter().flatten().copied(), &mut note);
        detector.reset(&mut note);
        heard
    }

    #[test]
    fn q23_every_key_that_is_made_is_found() {
        for key in crate::rtp::dtmf::KEYS {
            let mut sound = vec![0; 800];
            KeyTone::new(key, Rate::Narrow).unwrap().fill(&mut sound);
            assert_eq!(keys(&[silence(50), sound, silence(50)]), key.to_string());
        }
        assert!(KeyTone::new('x', Rate::Narrow).is_none());
    }

    #[test]
    fn q24_40_ms_are_a_key_and_23_ms_are_none_wherever_they_begin() {
        for offset in 0..32 {
            let lead = vec![0; 400 + offset * 4];
            let with = |ms| keys(&[lead.clone(), tone(770.0, 1336.0, -10.0, -10.0, ms), silence(60)]);
            assert_eq!(with(40), "5", "begins at {offset}");
            assert_eq!(with(23), "", "begins at {offset}");
        }
    }

    #[test]
    fn q24_a_pause_of_40_ms_parts_two_keys_and_a_break_of_10_ms_does_not() {
        let five = || tone(770.0, 1336.0, -10.0, -10.0, 60);
        for offset in 0..8 {
            let lead = vec![0; offset * 13];
            assert_eq!(keys(&[lead.clone(), five(), silence(40), five(), silence(60)]), "55");
            assert_eq!(keys(&[lead, five(), silence(10), five(), silence(60)]), "5");
        }
    }

    #[test]
    fn q24_frequencies_off_by_1_5_percent_are_heard_and_by_3_5_percent_are_not() {
        for (row, low) in ROWS.into_iter().enumerate() {
            for (column, high) in COLUMNS.into_iter().enumerate() {
                for shift in [0.985, 1.015] {
                    let sound = tone(low * shift, high * shift, -12.0, -12.0, 60);
                    assert_eq!(keys(&[silence(20), sound, silence(60)]), KEYPAD[row][column].to_string());
                }
            }
        }
        for shift in [0.965, 1.035] {
            let sound = tone(941.0 * shift, 1633.0 * shift, -12.0, -12.0, 60);
            assert_eq!(keys(&[silence(20), sound, silence(60)]), "");
        }
    }

    #[test]
    fn q24_twist_and_level() {
        let at =
            |row_db, column_db| keys(&[silence(20), tone(852.0, 1477.0, row_db, column_db, 60), silence(60)]);
        assert_eq!(at(-14.0, -10.0), "9", "column 4 dB louder");
        assert_eq!(at(-10.0, -18.0), "9", "row 8 dB louder");
        assert_eq!(at(-18.0, -10.0), "", "column 8 dB louder");
        assert_eq!(at(-10.0, -24.0), "", "row 14 dB louder");
        assert_eq!(at(-30.0, -30.0), "9");
        assert_eq!(at(-48.0, -48.0), "");
        assert_eq!(at(-7.0, -120.0), "", "one tone is no key");
    }

    #[test]
    fn a_keys_length_is_told() {
        let mut detector = Detector::default();
        let mut heard = Vec::new();
        let sound = [silence(30), tone(697.0, 1209.0, -10.0, -10.0, 200), silence(60)].concat();
        detector.handle_samples(sound, |event| heard.push(event));
        let [KeyEvent::Began('1'), KeyEvent::Ended('1', length)] = heard[..] else { panic!("{heard:?}") };
        assert!((190..=210).contains(&length.as_millis()), "{length:?}");
    }

    /// Vowels are harmonics of the voice, loud around three formants. A minute of them with
    /// pitch and formants gliding has no key in it.
    #[test]
    fn speech_has_no_keys() {
        let mut detector = Detector::default();
        let mut phases = [0f32; 30];
        let sound = (0..8000 * 60).map(|n| {
            let t = n as f32 / 8000.0;
            let pitch = 140.0 + 60.0 * (t * 1.7).sin() + 25.0 * (t * 0.31).sin();
            let first = 550.0 + 250.0 * (t * 0.9).sin();
            let second = 1500.0 + 600.0 * (t * 0.63).sin();
            let mut value = 0.0;
            for (index, phase) in phases.iter_mut().enumerate() {
                let frequency = pitch * (index + 1) as f32;
                *phase = (*phase + frequency / 8000.0).fract();
                let near = |formant: f32, width: f32| 1.0 / (1.0 + ((frequency - formant) / width).powi(2));
                if frequency < 3800.0 {
                    value += (near(first, 80.0) + 0.5 * near(second, 120.0) + 0.2 * near(2700.0, 160.0))
                        * (TAU * *phase).sin();
                }
            }
            (value * 6_000.0) as i16
        });
        detector.handle_samples(sound, |event| panic!("{event:?}"));
    }
}
