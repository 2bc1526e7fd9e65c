//! Networks that are seeded, and what is heard over them: never twice, never out of order, never long after it
//! was said, and soon as quick as before when the network is well again.

use super::*;

const SSRC: u32 = 7;

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

struct Line {
    start: Instant,
    buffer: JitterBuffer,
}

impl Line {
    fn new() -> Self {
        let start = Instant::now();
        Self { start, buffer: JitterBuffer::new(start, 8_000) }
    }

    /// A packet of 20 ms whose payload is its number.
    fn put(&mut self, at: u64, number: u16) {
        self.put_as(at, number, u32::from(number) * 160, SSRC);
    }

    fn put_as(&mut self, at: u64, number: u16, timestamp: u32, ssrc: u32) {
        let header = Header { marker: false, payload_type: 0, sequence: number, timestamp, ssrc };
        self.buffer.put(self.start + ms(at), &header, &number.to_be_bytes(), 160, false);
    }

    /// What 20 ms hold: a packet's number, `L` for lost, `W` for waiting, `-` for nothing.
    fn take(&mut self, at: u64) -> String {
        match self.buffer.take(self.start + ms(at)) {
            Due::Packet { payload, .. } => u16::from_be_bytes([payload[0], payload[1]]).to_string(),
            Due::Lost { followed: true, .. } => "LF".into(),
            Due::Lost { .. } => "L".into(),
            Due::Wait => "W".into(),
            Due::Nothing => "-".into(),
        }
    }
}

#[test]
fn rfc3550_5_1_packets_out_of_order_and_twice_are_heard_in_order_and_once() {
    let mut line = Line::new();
    let mut heard = Vec::new();
    for (n, numbers) in
        [&[1u16][..], &[2, 2], &[4], &[3, 3, 4], &[5], &[6], &[], &[8, 7], &[9]].iter().enumerate()
    {
        let at = 20 * n as u64;
        numbers.iter().for_each(|number| line.put(at, *number));
        heard.push(line.take(at + 1));
    }
    assert_eq!(heard.join(" "), "- 1 2 3 4 5 6 7 8");
    assert_eq!(line.buffer.late(), 0);
}

#[test]
fn a_lost_packet_is_told_with_the_one_that_follows_it_and_a_late_one_is_not_heard() {
    let mut line = Line::new();
    let mut heard = Vec::new();
    for n in 0..10u16 {
        let at = 20 * u64::from(n);
        if n != 4 {
            line.put(at, n);
        }
        if n == 7 {
            line.put(at, 4);
        }
        heard.push(line.take(at + 1));
    }
    assert_eq!(heard.join(" "), "- 0 1 2 3 LF 5 6 7 8");
    assert_eq!(line.buffer.late(), 1);
}

/// Silence suppression: sequence numbers go on, timestamps leap (RFC 3550 §5.1).
#[test]
fn rfc3551_4_1_silence_between_talk_spurts_is_no_loss() {
    let mut line = Line::new();
    let mut heard = Vec::new();
    for n in 0..4u16 {
        line.put(20 * u64::from(n), n);
        heard.push(line.take(20 * u64::from(n) + 1));
    }
    for n in 4..30u64 {
        heard.push(line.take(20 * n + 1));
    }
    for n in 30..33u64 {
        line.put_as(20 * n, n as u16 - 26, n as u32 * 160, SSRC);
        heard.push(line.take(20 * n + 1));
    }
    let heard = heard.join(" ");
    assert!(heard.starts_with("- 0 1 2 3 "), "{heard}");
    assert!(heard.ends_with(" - - 4 5"), "{heard}");
    assert!(heard.matches('L').count() + heard.matches('W').count() <= MAX_MISSING.into(), "{heard}");
}

#[test]
fn rfc3389_comfort_noise_lasts_until_the_next_packet() {
    let mut line = Line::new();
    for n in 0..3 {
        line.put(20 * u64::from(n), n);
    }
    let comfort = Header { marker: false, payload_type: 13, sequence: 3, timestamp: 480, ssrc: SSRC };
    line.buffer.put(line.start + ms(60), &comfort, &[40, 0], 0, true);
    let heard: Vec<_> = (2..6).map(|n| line.take(20 * n + 1)).collect();
    assert_eq!(heard, ["0", "1", "2", "10240"], "the level of 40 as the first octet");
    assert_eq!(line.take(121), "-", "and no loss, for as long as it likes");
    assert_eq!(line.take(921), "-");
    line.put_as(1_000, 4, 8_000, SSRC);
    assert_eq!([line.take(1_001), line.take(1_021)], ["-", "4"]);
}

#[test]
fn rfc3550_8_2_another_source_and_a_leap_of_the_timestamp_begin_anew() {
    let mut line = Line::new();
    let mut heard = Vec::new();
    for n in 0..12u16 {
        let at = 20 * u64::from(n);
        match n {
            0..4 => line.put(at, n),
            4..8 => line.put_as(at, 60_000 + n, 77_000 + u32::from(n) * 160, 99),
            _ => line.put_as(at, 60_000 + n, 0xffff_fe00u32.wrapping_add(u32::from(n) * 160), 99),
        }
        heard.push(line.take(at + 1));
    }
    assert_eq!(heard.join(" "), "- 0 1 2 - 60004 60005 60006 - 60008 60009 60010");
}

#[test]
fn a_burst_after_a_stall_is_heard_no_later_than_anything_may_be() {
    let mut line = Line::new();
    for n in 0..50u16 {
        line.put(20 * u64::from(n), n);
        line.take(20 * u64::from(n) + 1);
    }
    for n in 50..100u64 {
        line.take(20 * n + 1);
    }
    for n in 50..=100 {
        line.put(2_000, n);
    }
    assert!(line.buffer.len() <= MAX_PACKETS);
    let first: u64 = line.take(2_001).parse().unwrap();
    let most = (MAX_DELAY + 2 * FRAME).as_millis() as u64;
    assert!(2_001 - first * 20 <= most, "{first}");
    assert!(line.buffer.late() > 30);
}

/// Packets of any size and number, and none: all is bounded.
#[test]
fn what_is_no_telephones_packet_is_dropped() {
    let mut line = Line::new();
    let header = |sequence| Header { marker: false, payload_type: 0, sequence, timestamp: 9, ssrc: SSRC };
    line.buffer.put(line.start, &header(1), &[], 160, false);
    line.buffer.put(line.start, &header(1), &[0; MAX_PAYLOAD + 1], 160, false);
    assert!(line.buffer.is_empty());
    for n in 0..1000 {
        line.buffer.put(line.start, &header(n), &[1], 160, false);
    }
    assert_eq!(line.buffer.len(), MAX_PACKETS);
}

/// A network of one seed.
struct Network {
    chance: u64,
    loss: u64,
    duplicated: u64,
    /// Most that a packet is held back, in ms.
    jitter: u64,
}

impl Network {
    fn next(&mut self) -> u64 {
        self.chance = self.chance.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.chance ^ (self.chance >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// When a packet arrives that was sent at `at`: never, once or twice.
    fn arrivals(&mut self, at: u64) -> Vec<u64> {
        if self.next() % 100 < self.loss {
            return vec![];
        }
        let mut arrival = || at + self.next() % (self.jitter + 1);
        let first = arrival();
        let second = arrival();
        if self.next() % 100 < self.duplicated { vec![first, second] } else { vec![first] }
    }
}

/// How one seed went: of the second half of the bad time, and of the end of the good one after it.
struct Outcome {
    sent: usize,
    heard: usize,
    most_delay: u64,
    last_delay: u64,
}

/// Thirty seconds over a bad network and thirty over a good one. `fast`: thousandths that the sender's clock is
/// faster than ours.
fn run(seed: u64, mut network: Network, fast: i64) -> Outcome {
    let mut line = Line::new();
    let mut arriving: Vec<(u64, u16)> = Vec::new();
    let sent_at = |n: u64| (n as i64 * (20_000 - 20 * fast) / 1000) as u64;
    for n in 0..3_000u64 {
        let at = 100 + sent_at(n);
        if at > 30_000 {
            network = Network { loss: 0, duplicated: 0, jitter: 0, ..network };
        }
        arriving.extend(network.arrivals(at).into_iter().map(|at| (at, n as u16)));
    }
    arriving.sort_unstable();
    let mut arriving = arriving.into_iter().peekable();
    let mut outcome = Outcome { sent: 0, heard: 0, most_delay: 0, last_delay: 0 };
    let mut last: Option<u64> = None;
    // Ten milliseconds of a frame may be left out when the buffer holds too much: two of those are a frame.
    let mut left_out = 0;
    for frame in 0..2_950u64 {
        let now = 20 * frame + 7;
        while let Some((at, number)) = arriving.next_if(|(at, _)| *at <= now) {
            line.put(at, number);
        }
        left_out += u32::from(line.buffer.holds_too_much(line.start + ms(now)));
        let takes = if left_out >= 2 { 2 } else { 1 };
        left_out %= 2;
        for _ in 0..takes {
            let Ok(number) = line.take(now).parse::<u64>() else { continue };
            assert!(last.is_none_or(|last| number > last), "seed {seed}: {number} after {last:?}");
            last = Some(number);
            let delay = now.saturating_sub(100 + sent_at(number));
            outcome.most_delay = outcome.most_delay.max(delay);
            outcome.last_delay = delay;
            outcome.heard += usize::from((15_000..30_000).contains(&now));
        }
        outcome.sent += usize::from((15_000..30_000).contains(&now));
        assert!(line.buffer.len() <= MAX_PACKETS);
    }
    outcome
}

#[test]
fn whatever_the_network_does_sound_is_heard_once_in_order_and_not_long_after_it_was_said() {
    let bound = (MAX_DELAY + 3 * FRAME).as_millis() as u64;
    for seed in 1..=300u64 {
        let network =
            Network { chance: seed, loss: seed % 20, duplicated: seed % 7 * 5, jitter: seed * 13 % 160 };
        let (loss, jitter) = (network.loss, network.jitter);
        let outcome = run(seed, network, 0);
        assert!(outcome.most_delay <= bound, "seed {seed}: {} ms late", outcome.most_delay);
        let share = 100 * outcome.heard / outcome.sent;
        assert!(
            share as u64 + loss + 8 >= 100,
            "seed {seed}: {share} % with {loss} % lost, {jitter} ms jitter"
        );
        assert!(
            outcome.last_delay <= 70,
            "seed {seed}: {} ms, though the network is well",
            outcome.last_delay
        );
    }
}

#[test]
fn a_clock_that_is_fast_or_slow_by_a_thousandth_is_followed() {
    for fast in [-1, 1] {
        for seed in 1..=20 {
            let network = Network { chance: seed, loss: 0, duplicated: 0, jitter: 15 };
            let outcome = run(seed, network, fast);
            assert!(outcome.most_delay <= 120, "seed {seed}, {fast}: {} ms late", outcome.most_delay);
            assert!(100 * outcome.heard / outcome.sent >= 98, "seed {seed}, {fast}: {}", outcome.heard);
        }
    }
}
