//! Sounds one after the other, cut into frames of 20 ms. Who paces it and what it is encoded to is
//! the stream's.

use std::f32::consts::TAU;
use std::time::Duration;

use protocol::rtp::{CLOCK, ticks};

use crate::command::Sound;

/// A sine's amplitude at -13 dBm0, when the loudest sine that mu-law can say (32,124) is 3.17 dBm0.
const TONE_AMPLITUDE: f32 = 4_994.0;

const RINGBACK_HZ: u16 = 425;
const RINGBACK_ON: u32 = CLOCK;
const RINGBACK_CYCLE: u32 = 5 * CLOCK;

/// What plays, and how far it is.
#[derive(Debug)]
pub(crate) struct Player {
    pub token: u64,
    pub cut_by_key: bool,
    what: Vec<Sound>,
    looped: bool,
    current: usize,
    /// Samples of the current sound that were heard.
    position: u32,
}

impl Player {
    /// A loop of sounds that have no samples ends at once.
    pub fn new(token: u64, what: Vec<Sound>, cut_by_key: bool, looped: bool) -> Self {
        let looped = looped && what.iter().any(|sound| length(sound) != Some(0));
        Self { token, cut_by_key, what, looped, current: 0, position: 0 }
    }

    /// The next samples. Fewer than asked for when that was all; the rest is untouched.
    pub fn fill(&mut self, frame: &mut [i16]) -> usize {
        let mut filled = 0;
        while filled < frame.len() {
            let Some(sound) = self.what.get(self.current) else {
                if !self.looped {
                    break;
                }
                (self.current, self.position) = (0, 0);
                continue;
            };
            let left =
                length(sound).map_or(usize::MAX, |length| length.saturating_sub(self.position) as usize);
            let count = left.min(frame.len() - filled);
            render(sound, self.position, &mut frame[filled..filled + count]);
            filled += count;
            self.position = self.position.wrapping_add(count as u32);
            if count == left {
                (self.current, self.position) = (self.current + 1, 0);
            }
        }
        filled
    }
}

/// In samples; none when it never ends.
fn length(sound: &Sound) -> Option<u32> {
    /// No sound of ours goes on for longer; it keeps the count of samples within 32 bits.
    const LONGEST: Duration = Duration::from_secs(24 * 3600);
    match sound {
        Sound::Samples(samples) => Some(u32::try_from(samples.len()).unwrap_or(u32::MAX)),
        Sound::Silence(length) | Sound::Tone(_, length) => Some(ticks((*length).min(LONGEST))),
        Sound::Ringback => None,
    }
}

fn render(sound: &Sound, position: u32, frame: &mut [i16]) {
    match sound {
        Sound::Samples(samples) => {
            let from = position as usize;
            frame.copy_from_slice(&samples[from..from + frame.len()]);
        }
        Sound::Silence(_) => frame.fill(0),
        Sound::Tone(hz, _) => sine(*hz, position, frame),
        Sound::Ringback => {
            for (n, sample) in frame.iter_mut().enumerate() {
                let within = position.wrapping_add(n as u32) % RINGBACK_CYCLE;
                if within < RINGBACK_ON {
                    sine(RINGBACK_HZ, within, std::slice::from_mut(sample));
                } else {
                    *sample = 0;
                }
            }
        }
    }
}

fn sine(hz: u16, position: u32, frame: &mut [i16]) {
    for (n, sample) in frame.iter_mut().enumerate() {
        // Whole turns are taken away first: a float would lose them in a long tone.
        let turn = (u64::from(position) + n as u64) * u64::from(hz) % u64::from(CLOCK);
        *sample = (TONE_AMPLITUDE * (TAU * turn as f32 / CLOCK as f32).sin()) as i16;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn sounds_follow_each_other_without_a_gap() {
        let mut player = Player::new(
            1,
            vec![Sound::Samples(vec![5; 100].into()), Sound::Samples(vec![6; 90].into())],
            false,
            false,
        );
        let mut frame = [0; 160];
        assert_eq!(player.fill(&mut frame), 160);
        assert_eq!((frame[99], frame[100], frame[159]), (5, 6, 6));
        assert_eq!(player.fill(&mut frame), 30);
        assert_eq!(player.fill(&mut frame), 0);
    }

    #[test]
    fn a_loop_goes_on_and_an_empty_one_ends() {
        let mut player = Player::new(1, vec![Sound::Samples(vec![1, 2, 3].into())], false, true);
        let mut frame = [0; 8];
        assert_eq!(player.fill(&mut frame), 8);
        assert_eq!(frame, [1, 2, 3, 1, 2, 3, 1, 2]);
        for what in [vec![], vec![Sound::Silence(ms(0)), Sound::Samples(vec![].into())]] {
            assert_eq!(Player::new(1, what, false, true).fill(&mut frame), 0);
        }
    }

    #[test]
    fn tones_and_silence_are_as_long_as_asked() {
        let mut player = Player::new(
            1,
            vec![Sound::Silence(ms(10)), Sound::Tone(1000, ms(1)), Sound::Silence(ms(1))],
            false,
            false,
        );
        let mut frame = [9; 160];
        assert_eq!(player.fill(&mut frame), 96);
        assert!(frame[..80].iter().all(|sample| *sample == 0));
        assert_eq!((frame[80], frame[82], frame[86]), (0, 4994, -4994), "1 kHz turns once in eight samples");
        assert_eq!((frame[88], frame[96]), (0, 9));
    }

    #[test]
    fn ringback_is_one_second_on_and_four_off() {
        let mut player = Player::new(1, vec![Sound::Ringback], true, false);
        let mut seconds = Vec::new();
        let mut second = vec![0; 8000];
        for _ in 0..6 {
            assert_eq!(player.fill(&mut second), 8000);
            seconds.push(second.iter().any(|sample| *sample != 0));
        }
        assert_eq!(seconds, [true, false, false, false, false, true]);
    }
}
