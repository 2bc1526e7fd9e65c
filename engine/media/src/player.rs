//! Sounds one after the other, cut into frames of 20 ms at the rate of the leg that hears them. Who paces it
//! and what it is encoded to is the stream's.

use std::f32::consts::TAU;
use std::sync::LazyLock;
use std::time::Duration;

use protocol::rtp::resample::{decimated, interpolated};
use protocol::rtp::{Rate, ticks};

use crate::command::{Repeat, Sound};

/// A sine's amplitude at -13 dBm0, when the loudest sine that mu-law can say (32,124) is 3.17 dBm0.
const TONE_AMPLITUDE: f32 = 4_994.0;

const RINGBACK_HZ: u16 = 425;
/// In seconds.
const RINGBACK_ON: u32 = 1;
const RINGBACK_CYCLE: u32 = 5;

/// What plays, and how far it is.
#[derive(Debug)]
pub(crate) struct Player {
    pub token: u64,
    pub cut_by_key: bool,
    what: Vec<Sound>,
    /// Of what is heard; positions count its samples.
    rate: Rate,
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
    pub fn new(token: u64, what: Vec<Sound>, cut_by_key: bool, repeat: Option<Repeat>, rate: Rate) -> Self {
        let part = |from: usize| what.get(from..).unwrap_or_default();
        let repeat =
            repeat.filter(|repeat| part(repeat.from).iter().any(|sound| length(sound, rate) != Some(0)));
        let first_round = repeat.map(|Repeat { from, at }| place(part(from), at, from, rate));
        let mut player = Self {
            token,
            cut_by_key,
            what,
            rate,
            repeat: repeat.map(|r| r.from),
            first_round,
            current: 0,
            position: 0,
        };
        player.begin_sound();
        player
    }

    /// What follows is heard at another rate, from the same place on.
    pub fn set_rate(&mut self, rate: Rate) {
        let moved =
            |position: u32| (u64::from(position) * u64::from(rate.hz()) / u64::from(self.rate.hz())) as u32;
        self.position = moved(self.position);
        self.first_round = self.first_round.map(|(sound, position)| (sound, moved(position)));
        self.rate = rate;
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
            let left = length(sound, self.rate)
                .map_or(usize::MAX, |length| length.saturating_sub(self.position) as usize);
            let count = left.min(frame.len() - filled);
            render(sound, self.position, self.rate, &mut frame[filled..filled + count]);
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
fn place(part: &[Sound], at: Duration, from: usize, rate: Rate) -> (usize, u32) {
    let lengths: Option<Vec<u64>> = part.iter().map(|sound| length(sound, rate).map(u64::from)).collect();
    let Some(lengths) = lengths else { return (from, 0) };
    let round: u64 = lengths.iter().sum();
    // What is left of a second is rounded down to a millisecond.
    let at = at.as_millis() * u128::from(rate.hz()) / 1000 % u128::from(round.max(1));
    let mut left = at as u64;
    for (sound, length) in lengths.into_iter().enumerate() {
        if left < length {
            return (from + sound, left as u32);
        }
        left -= length;
    }
    (from, 0)
}

/// In samples of a rate; none when it never ends.
fn length(sound: &Sound, rate: Rate) -> Option<u32> {
    /// No sound of ours goes on for longer; it keeps the count of samples within 32 bits.
    const LONGEST: Duration = Duration::from_secs(24 * 3600);
    match sound {
        Sound::Samples(samples) => {
            let (sound, times) = (samples.sound.len(), samples.rate.times(rate));
            let length = if samples.rate > rate { sound / times } else { sound.saturating_mul(times) };
            Some(u32::try_from(length).unwrap_or(u32::MAX))
        }
        Sound::Silence(length) | Sound::Tone(_, length) => Some(ticks((*length).min(LONGEST), rate.hz())),
        Sound::Ringback => None,
    }
}

fn render(sound: &Sound, position: u32, rate: Rate, frame: &mut [i16]) {
    match sound {
        Sound::Samples(samples) => {
            let (from, times) = (position as usize, samples.rate.times(rate));
            if times == 1 {
                return frame.copy_from_slice(&samples.sound[from..from + frame.len()]);
            }
            for (n, sample) in frame.iter_mut().enumerate() {
                *sample = match samples.rate > rate {
                    // The leg was agreed anew while it plays: nobody loads it again for that.
                    true => decimated(&samples.sound, times, from + n),
                    false => interpolated(&samples.sound, times, from + n),
                };
            }
        }
        Sound::Silence(_) => frame.fill(0),
        Sound::Tone(hz, _) => sine(*hz, position, rate, frame),
        Sound::Ringback => {
            let (mut position, mut rest) = (position, frame);
            while !rest.is_empty() {
                let (on, cycle) = (RINGBACK_ON * rate.hz(), RINGBACK_CYCLE * rate.hz());
                let within = position % cycle;
                let until = if within < on { on } else { cycle };
                let (now, then) = rest.split_at_mut(rest.len().min((until - within) as usize));
                match within < on {
                    true => sine(RINGBACK_HZ, within, rate, now),
                    false => now.fill(0),
                }
                position = position.wrapping_add(now.len() as u32);
                rest = then;
            }
        }
    }
}

/// A second of 1 Hz at each rate: whatever whole number of Hz a tone has, its samples are some of these.
static SECONDS: [LazyLock<Vec<i16>>; 3] = [
    LazyLock::new(|| second(Rate::Narrow)),
    LazyLock::new(|| second(Rate::Wide)),
    LazyLock::new(|| second(Rate::Full)),
];

fn second(rate: Rate) -> Vec<i16> {
    let turn = |n| TAU * n as f32 / rate.hz() as f32;
    (0..rate.hz()).map(|n| (TONE_AMPLITUDE * turn(n).sin()) as i16).collect()
}

fn sine(hz: u16, position: u32, rate: Rate, frame: &mut [i16]) {
    let (second, length) = (&**SECONDS[rate as usize], u64::from(rate.hz()));
    let step = usize::from(hz) % second.len();
    let mut turn = (u64::from(position) * u64::from(hz) % length) as usize;
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
    use crate::prompts::Samples;

    fn samples(sound: Vec<i16>) -> Sound {
        Sound::Samples(Samples { rate: Rate::Narrow, sound: sound.into() })
    }

    fn playing(what: Vec<Sound>, cut_by_key: bool, repeat: Option<Repeat>) -> Player {
        Player::new(1, what, cut_by_key, repeat, Rate::Narrow)
    }

    /// All of it again and again.
    const ROUNDS: Option<Repeat> = Some(Repeat { from: 0, at: Duration::ZERO });

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn sounds_follow_each_other_without_a_gap() {
        let mut player = playing(vec![samples(vec![5; 100]), samples(vec![6; 90])], false, None);
        let mut frame = [0; 160];
        assert_eq!(player.fill(&mut frame), 160);
        assert_eq!((frame[99], frame[100], frame[159]), (5, 6, 6));
        assert_eq!(player.fill(&mut frame), 30);
        assert_eq!(player.fill(&mut frame), 0);
    }

    #[test]
    fn a_loop_goes_on_and_an_empty_one_ends() {
        let mut player = playing(vec![samples(vec![1, 2, 3])], false, ROUNDS);
        let mut frame = [0; 8];
        assert_eq!(player.fill(&mut frame), 8);
        assert_eq!(frame, [1, 2, 3, 1, 2, 3, 1, 2]);
        for what in [vec![], vec![Sound::Silence(ms(0)), samples(vec![])]] {
            assert_eq!(playing(what, false, ROUNDS).fill(&mut frame), 0);
        }
    }

    #[test]
    fn music_goes_on_where_it_was_left_after_what_is_heard_once() {
        let track = |from: i16| samples((from..from + 16).collect());
        let heard = |what: Vec<Sound>, repeat| {
            let mut frame = [0; 48];
            assert_eq!(playing(what, false, Some(repeat)).fill(&mut frame), 48);
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
        assert_eq!(playing(vec![Sound::Ringback], false, endless).fill(&mut frame), 160);
        let beyond = Some(Repeat { from: 7, at: ms(1) });
        assert_eq!(playing(vec![track(0)], false, beyond).fill(&mut frame), 16);
    }

    #[test]
    fn tones_and_silence_are_as_long_as_asked() {
        let mut player = playing(
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
        let mut player = playing(vec![Sound::Ringback], true, None);
        let mut seconds = Vec::new();
        let mut second = vec![0; 8000];
        for _ in 0..6 {
            assert_eq!(player.fill(&mut second), 8000);
            seconds.push(second.iter().any(|sample| *sample != 0));
        }
        assert_eq!(seconds, [true, false, false, false, false, true]);
    }

    #[test]
    fn a_leg_hears_at_its_own_rate_what_was_loaded_at_another_and_for_as_long() {
        let sound: Vec<i16> =
            (0..800).map(|n| (8_000.0 * (TAU * 500.0 * n as f32 / 8_000.0).sin()) as i16).collect();
        for rate in Rate::ALL {
            let what = vec![samples(sound.clone()), Sound::Tone(500, ms(100)), Sound::Silence(ms(10))];
            let mut player = Player::new(1, what, false, None, rate);
            let mut heard = vec![0; rate.hz() as usize];
            let count = player.fill(&mut heard);
            assert_eq!(count, rate.hz() as usize * 21 / 100);
            for (n, sample) in heard.iter().enumerate().take(4 * rate.frame()).skip(rate.frame()) {
                let wanted = 8_000.0 * (TAU * 500.0 * n as f32 / rate.hz() as f32).sin();
                assert!((f32::from(*sample) - wanted).abs() < 100.0, "{rate:?} {n}");
            }
        }
        // Agreed anew in the middle: it goes on where it was.
        let mut player = Player::new(1, vec![samples(sound)], false, None, Rate::Narrow);
        player.fill(&mut [0; 400]);
        player.set_rate(Rate::Full);
        assert_eq!(player.fill(&mut vec![0; 48_000]), 2_400);
        player.set_rate(Rate::Narrow);
        assert_eq!(player.fill(&mut [0; 9]), 0);
    }
}
