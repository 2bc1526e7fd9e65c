//! Sounds one after the other, cut into frames of 20 ms. Who paces it and what it is encoded to is
//! the stream's.

use std::f32::consts::TAU;
use std::sync::LazyLock;
use std::time::Duration;

use protocol::rtp::{CLOCK, ticks};

use crate::command::{Repeat, Sound};

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
    /// Where a round begins, if there are rounds.
    repeat: Option<usize>,
    /// Where in `what`, and how far into that sound, the first round begins.
    first_round: Option<(usize, u32)>,
    current: usize,
    /// Samples of the current sound that were heard.
    position: u32,
}

impl Player {
    /// A part that has no samples is not repeated.
    pub fn new(token: u64, what: Vec<Sound>, cut_by_key: bool, repeat: Option<Repeat>) -> Self {
        let part = |from: usize| what.get(from..).unwrap_or_default();
        let repeat = repeat.filter(|repeat| part(repeat.from).iter().any(|sound| length(sound) != Some(0)));
        let first_round = repeat.map(|Repeat { from, at }| place(part(from), at, from));
        let mut player = Self {
            token,
            cut_by_key,
            what,
            repeat: repeat.map(|r| r.from),
            first_round,
            current: 0,
            position: 0,
        };
        player.begin_sound();
        player
    }

    /// Where the first round is reached, it is entered where it begins.
    fn begin_sound(&mut self) {
        if self.repeat == Some(self.current)
            && let Some((sound, position)) = self.first_round.take()
        {
            (self.current, self.position) = (sound, position);
        }
    }

    /// The next samples. Fewer than asked for when that was all; the rest is untouched.
    pub fn fill(&mut self, frame: &mut [i16]) -> usize {
        let mut filled = 0;
        while filled < frame.len() {
            let Some(sound) = self.what.get(self.current) else {
                let Some(from) = self.repeat else { break };
                (self.current, self.position) = (from, 0);
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
                self.begin_sound();
            }
        }
        filled
    }
}

/// The sound of a part that is `at` from its beginning, counted from `from`, and how far into it.
fn place(part: &[Sound], at: Duration, from: usize) -> (usize, u32) {
    let lengths: Option<Vec<u64>> = part.iter().map(|sound| length(sound).map(u64::from)).collect();
    let Some(lengths) = lengths else { return (from, 0) };
    let round: u64 = lengths.iter().sum();
    // A second has CLOCK samples; what is left of one is rounded down to a millisecond.
    let at = at.as_millis() * u128::from(CLOCK) / 1000 % u128::from(round.max(1));
    let mut left = at as u64;
    for (sound, length) in lengths.into_iter().enumerate() {
        if left < length {
            return (from + sound, left as u32);
        }
        left -= length;
    }
    (from, 0)
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
            let (mut position, mut rest) = (position, frame);
            while !rest.is_empty() {
                let within = position % RINGBACK_CYCLE;
                let until = if within < RINGBACK_ON { RINGBACK_ON } else { RINGBACK_CYCLE };
                let (now, then) = rest.split_at_mut(rest.len().min((until - within) as usize));
                match within < RINGBACK_ON {
                    true => sine(RINGBACK_HZ, within, now),
                    false => now.fill(0),
                }
                position = position.wrapping_add(now.len() as u32);
                rest = then;
            }
        }
    }
}

/// A second of 1 Hz: whatever whole number of Hz a tone has, its samples are some of these.
static SECOND: LazyLock<Vec<i16>> = LazyLock::new(|| {
    let turn = |n| TAU * n as f32 / CLOCK as f32;
    (0..CLOCK).map(|n| (TONE_AMPLITUDE * turn(n).sin()) as i16).collect()
});

fn sine(hz: u16, position: u32, frame: &mut [i16]) {
    let (second, step) = (&**SECOND, usize::from(hz) % CLOCK as usize);
    let mut turn = (u64::from(position) * u64::from(hz) % u64::from(CLOCK)) as usize;
    for sample in frame {
        *sample = second[turn];
        turn += step;
        if turn >= second.len() {
            turn -= second.len();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All of it again and again.
    const ROUNDS: Option<Repeat> = Some(Repeat { from: 0, at: Duration::ZERO });

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn sounds_follow_each_other_without_a_gap() {
        let mut player = Player::new(
            1,
            vec![Sound::Samples(vec![5; 100].into()), Sound::Samples(vec![6; 90].into())],
            false,
            None,
        );
        let mut frame = [0; 160];
        assert_eq!(player.fill(&mut frame), 160);
        assert_eq!((frame[99], frame[100], frame[159]), (5, 6, 6));
        assert_eq!(player.fill(&mut frame), 30);
        assert_eq!(player.fill(&mut frame), 0);
    }

    #[test]
    fn a_loop_goes_on_and_an_empty_one_ends() {
        let mut player = Player::new(1, vec![Sound::Samples(vec![1, 2, 3].into())], false, ROUNDS);
        let mut frame = [0; 8];
        assert_eq!(player.fill(&mut frame), 8);
        assert_eq!(frame, [1, 2, 3, 1, 2, 3, 1, 2]);
        for what in [vec![], vec![Sound::Silence(ms(0)), Sound::Samples(vec![].into())]] {
            assert_eq!(Player::new(1, what, false, ROUNDS).fill(&mut frame), 0);
        }
    }

    #[test]
    fn music_goes_on_where_it_was_left_after_what_is_heard_once() {
        let track = |from: i16| Sound::Samples((from..from + 16).collect::<Vec<_>>().into());
        let heard = |what: Vec<Sound>, repeat| {
            let mut frame = [0; 48];
            assert_eq!(Player::new(1, what, false, Some(repeat)).fill(&mut frame), 48);
            frame
        };
        let counted = |parts: &[std::ops::Range<i16>]| parts.iter().cloned().flatten().collect::<Vec<_>>();
        // A millisecond is 8 samples, and a round here four of them.
        let frame = heard(vec![track(100), track(200)], Repeat { from: 0, at: ms(3) });
        assert_eq!(frame[..], counted(&[208..216, 100..116, 200..216, 100..108]));
        let frame = heard(vec![track(0), track(100), track(200)], Repeat { from: 1, at: ms(4 * 7 + 1) });
        assert_eq!(frame[..], counted(&[0..16, 108..116, 200..216, 100..108]));
        // What never ends has no place to go on from, and what is not there is not repeated.
        let mut frame = [9; 160];
        let endless = Some(Repeat { from: 0, at: ms(5000) });
        assert_eq!(Player::new(1, vec![Sound::Ringback], false, endless).fill(&mut frame), 160);
        let beyond = Some(Repeat { from: 7, at: ms(1) });
        assert_eq!(Player::new(1, vec![track(0)], false, beyond).fill(&mut frame), 16);
    }

    #[test]
    fn tones_and_silence_are_as_long_as_asked() {
        let mut player = Player::new(
            1,
            vec![Sound::Silence(ms(10)), Sound::Tone(1000, ms(1)), Sound::Silence(ms(1))],
            false,
            None,
        );
        let mut frame = [9; 160];
        assert_eq!(player.fill(&mut frame), 96);
        assert!(frame[..80].iter().all(|sample| *sample == 0));
        assert_eq!((frame[80], frame[82], frame[86]), (0, 4994, -4994), "1 kHz turns once in eight samples");
        assert_eq!((frame[88], frame[96]), (0, 9));
    }

    #[test]
    fn ringback_is_one_second_on_and_four_off() {
        let mut player = Player::new(1, vec![Sound::Ringback], true, None);
        let mut seconds = Vec::new();
        let mut second = vec![0; 8000];
        for _ in 0..6 {
            assert_eq!(player.fill(&mut second), 8000);
            seconds.push(second.iter().any(|sample| *sample != 0));
        }
        assert_eq!(seconds, [true, false, false, false, false, true]);
    }
}
