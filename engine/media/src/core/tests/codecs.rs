//! Legs of different codecs on one call, on their own time: what each says is a tone, and what each hears is
//! looked for in what was sent to it.

use std::f64::consts::TAU;

use super::*;
use crate::codec::{Decoder, Encoder, MOST_PAYLOAD};

const AMPLITUDE: f64 = 8_000.0;

struct Call {
    world: World,
    encoders: Vec<Encoder>,
}

impl Call {
    fn new(legs: &[(Codec, bool)]) -> Self {
        let world = World::new(legs);
        let encoders = legs.iter().map(|(codec, _)| Encoder::new(&agreed(*codec)).unwrap()).collect();
        Self { world, encoders }
    }

    /// Each leg says its tone for so many frames.
    fn talk(&mut self, frames: u64, hz: &[f64]) {
        for _ in 0..frames {
            for (leg, hz) in hz.iter().enumerate() {
                let rate = self.world.legs[leg].agreed.rate();
                let from = self.world.now * u64::from(rate.hz()) / 1000;
                let frame: Vec<i16> = (from..from + rate.frame() as u64)
                    .map(|n| (AMPLITUDE * (TAU * hz * n as f64 / f64::from(rate.hz())).sin()) as i16)
                    .collect();
                let mut payload = [0; MOST_PAYLOAD];
                let length = self.encoders[leg].encode(&frame, &mut payload);
                self.world.say(leg, &payload[..length]);
            }
            self.world.pass(20);
        }
    }

    /// The sound of what was sent to a leg since asked last, and its rate.
    fn sound(&mut self, leg: usize) -> (Vec<i16>, Rate) {
        let agreed = self.world.legs[leg].agreed;
        let mut decoder = Decoder::new(agreed.codec, agreed.rate()).unwrap();
        let mut sound = Vec::new();
        for (header, payload, _) in self.world.heard(leg) {
            if header.payload_type == agreed.sends.audio {
                assert!(decoder.decode(&payload, &mut sound));
            }
        }
        (sound, agreed.rate())
    }

    /// Asserts that a leg hears this tone, and nothing beside it that matters.
    #[track_caller]
    fn assert_hears(&mut self, leg: usize, hz: f64) {
        let (sound, rate) = self.sound(leg);
        assert!(sound.len() >= 40 * rate.frame(), "{} samples at {leg}", sound.len());
        // The last 400 ms.
        let window = &sound[sound.len() - 20 * rate.frame()..];
        let (own, all) = power(window, rate, hz);
        assert!(own > 0.8 * all, "leg {leg}: {own} of {all} is {hz} Hz");
        assert!((0.5..1.5).contains(&(own / AMPLITUDE.powi(2) * 2.0)), "leg {leg}: {own}");
    }
}

/// Of one frequency, and of all.
fn power(sound: &[i16], rate: Rate, hz: f64) -> (f64, f64) {
    let part = |wave: fn(f64) -> f64| {
        let turn = |n: usize| TAU * hz * n as f64 / f64::from(rate.hz());
        2.0 * sound.iter().enumerate().map(|(n, s)| f64::from(*s) * wave(turn(n))).sum::<f64>()
            / sound.len() as f64
    };
    let all = sound.iter().map(|s| f64::from(*s).powi(2)).sum::<f64>() / sound.len() as f64;
    ((part(f64::sin).powi(2) + part(f64::cos).powi(2)) / 2.0, all)
}

#[test]
fn two_of_any_codecs_hear_each_other() {
    for a in Codec::ALL {
        for b in Codec::ALL {
            let mut call = Call::new(&[(a, true), (b, true)]);
            call.world.join(0, 1);
            call.talk(60, &[400.0, 700.0]);
            call.assert_hears(0, 700.0);
            call.assert_hears(1, 400.0);
            let straight = call.world.core.at(0).unwrap().straight;
            assert_eq!(straight.is_some(), a.passes_to(b), "{a:?} and {b:?}");
        }
    }
}

#[test]
fn one_codec_goes_straight_through_octet_by_octet_and_nothing_is_kept_for_it() {
    for codec in [Codec::G722, Codec::Opus] {
        let mut call = Call::new(&[(codec, true), (codec, true)]);
        (0..2).for_each(|leg| call.world.prove(leg));
        call.world.join(0, 1);
        call.world.say(0, &[0x78, 9, 9, 9, 9, 9]);
        assert_eq!(call.world.heard(1)[0].1, [0x78, 9, 9, 9, 9, 9], "at once");
        let stream = call.world.core.at(0).unwrap();
        assert!(stream.decoding.is_none() && !stream.needs_frames());
    }
}

/// RFC 3264 §8.3.2: a re-INVITE may bring another codec, and what is played or passed on follows it.
#[test]
fn a_leg_that_changes_its_codec_is_transcoded_from_then_on_and_back() {
    let mut call = Call::new(&[(Codec::Pcmu, true), (Codec::Pcmu, true)]);
    call.world.join(0, 1);
    for codec in [Codec::Opus, Codec::Pcma, Codec::G722, Codec::Pcmu] {
        let before = call.world.legs[0].agreed;
        let types = PayloadTypes { audio: codec.payload_type(), events: Some(101) };
        let agreed = Negotiated { remote: before.remote, sends: types, receives: types, ..agreed(codec) };
        call.world.command(0, Command::Negotiated(agreed));
        call.world.legs[0].agreed = agreed;
        call.encoders[0] = Encoder::new(&agreed).unwrap();
        call.talk(60, &[400.0, 700.0]);
        call.assert_hears(0, 700.0);
        call.assert_hears(1, 400.0);
    }
    call.world.command(0, Command::Unrelay);
    call.world.pass(40);
    for leg in 0..2 {
        let stream = call.world.core.at(leg).unwrap();
        assert!(stream.decoding.is_none() && !stream.needs_frames(), "nothing is left of it");
    }
}

#[test]
fn three_of_three_rates_hear_each_other_added_up() {
    let mut call = Call::new(&[(Codec::Pcma, true), (Codec::G722, true), (Codec::Opus, true)]);
    let ids: Vec<_> = call.world.legs.iter().map(|leg| leg.id).collect();
    for leg in 0..3 {
        let whom = ids.iter().copied().filter(|id| *id != ids[leg]).collect();
        call.world.command(leg, Command::Hear { whom });
    }
    let hz = [400.0, 700.0, 1_100.0];
    call.talk(80, &hz);
    for leg in 0..3 {
        let (sound, rate) = call.sound(leg);
        let window = &sound[sound.len() - 20 * rate.frame()..];
        for (voice, hz) in hz.iter().enumerate() {
            let share = power(window, rate, *hz).0 / AMPLITUDE.powi(2) * 2.0;
            let is_there = (0.5..1.5).contains(&share);
            assert!(is_there == (voice != leg) && (is_there || share < 0.02), "{voice} at {leg}: {share}");
        }
    }
}

#[test]
fn rfc4733_2_1_a_key_beside_opus_is_a_key_wherever_it_goes() {
    for (other, clock) in [(Codec::Pcmu, 8_000), (Codec::Opus, 48_000), (Codec::Opus, 8_000)] {
        let mut call = Call::new(&[(Codec::Opus, true), (other, true)]);
        let at_48 = Negotiated { events_clock: 48_000, ..call.world.legs[0].agreed };
        call.world.command(0, Command::Negotiated(at_48));
        let theirs = Negotiated { events_clock: clock, ..call.world.legs[1].agreed };
        call.world.command(1, Command::Negotiated(theirs));
        call.world.join(0, 1);
        call.talk(10, &[400.0, 700.0]);
        call.world.heard(1);
        call.world.happened();
        for (end, duration) in [(false, 960), (false, 1_920), (true, 4_800), (true, 4_800), (true, 4_800)] {
            call.world.press(0, 9_600, 5, end, duration);
            call.world.pass(20);
        }
        call.world.pass(300);
        let told = call.world.happened();
        assert_eq!(
            told,
            [Happening::Digit { digit: '5', duration: Duration::from_millis(100) }],
            "{other:?}"
        );
        let events = call.world.heard(1).into_iter().filter(|(header, ..)| header.payload_type == 101);
        let durations: Vec<_> =
            events.map(|(_, payload, _)| u16::from_be_bytes([payload[2], payload[3]])).collect();
        assert_eq!(durations.last(), Some(&(clock as u16 / 10)), "{other:?}: 100 ms at its clock");
    }
}

#[test]
fn a_prompt_is_heard_in_every_codec_at_the_pace_of_the_wheel() {
    for codec in Codec::ALL {
        let mut call = Call::new(&[(codec, true)]);
        call.world.command(0, play(1, tone(1_200), false));
        call.world.pass(1_180);
        let packets = call.world.heard(0);
        assert_eq!(packets.len(), 60);
        let steps = packets.windows(2).map(|pair| pair[1].0.timestamp.wrapping_sub(pair[0].0.timestamp));
        assert!(steps.into_iter().all(|step| step == codec.clock() / 50), "{codec:?}");
        let rate = call.world.legs[0].agreed.rate();
        let (mut decoder, mut sound) = (Decoder::new(codec, rate).unwrap(), Vec::new());
        packets.iter().for_each(|(_, payload, _)| assert!(decoder.decode(payload, &mut sound)));
        let (own, all) = power(&sound[sound.len() / 2..], rate, 440.0);
        assert!(own > 0.9 * all && all > 4_000.0f64.powi(2) / 2.0, "{codec:?}: {own} of {all}");
    }
}

#[test]
fn a_tap_of_legs_that_pass_opus_straight_through_has_both_sides_in_their_places() {
    for codec in [Codec::G722, Codec::Opus] {
        let mut call = Call::new(&[(codec, true), (codec, true)]);
        call.world.join(0, 1);
        call.talk(5, &[400.0, 700.0]);
        call.world.command(0, Command::Tap { token: 1, name: "both".into(), mono: false });
        call.talk(150, &[400.0, 700.0]);
        assert!(
            call.world.core.at(0).unwrap().straight.is_some(),
            "{codec:?}: it still goes straight through"
        );
        call.world.command(0, Command::Untap);
        call.talk(5, &[400.0, 700.0]);
        assert!(!call.world.core.at(1).unwrap().needs_frames(), "{codec:?}: nothing is left of it");
        let (_, folder) = call.world.write();
        let both = samples(&folder, "both.wav");
        assert_eq!(both.len(), 150 * 640, "{codec:?}: of 16 kHz");
        for (side, hz) in [(0, 400.0), (1, 700.0)] {
            let sound: Vec<i16> =
                both.iter().skip(side).step_by(2).copied().skip(16_000).take(16_000).collect();
            let (own, all) = power(&sound, Rate::Wide, hz);
            assert!(
                own > 0.9 * all && (0.6..1.4).contains(&(own / 32e6)),
                "{codec:?} {side}: {own} of {all}"
            );
        }
    }
}

/// A channel of a file of two: its share of one frequency, and whether that is as loud as it was said.
fn assert_on_channel(both: &[i16], side: usize, rate: Rate, hz: f64, of: &str) {
    let second = rate.hz() as usize;
    let sound: Vec<i16> = both.iter().skip(side).step_by(2).copied().skip(second).take(second).collect();
    let (own, all) = power(&sound, rate, hz);
    assert!(own > 0.8 * all && (0.5..1.5).contains(&(own / 32e6)), "{of}, {side}: {own} of {all}");
}

/// What one side says above 4 kHz is in the file, whoever of them it is that is recorded; the other's side is as narrow
/// as it is, and in its place.
#[test]
fn a_tap_of_a_wide_and_a_narrow_leg_is_as_wide_as_the_wider() {
    for wide in [Codec::G722, Codec::Opus] {
        for (legs, hz) in [([wide, Codec::Pcmu], [6_000.0, 700.0]), ([Codec::Pcma, wide], [700.0, 6_000.0])] {
            let mut call = Call::new(&legs.map(|codec| (codec, true)));
            call.world.join(0, 1);
            call.talk(5, &hz);
            call.world.command(0, Command::Tap { token: 1, name: "both".into(), mono: false });
            call.talk(150, &hz);
            let narrow = usize::from(legs[0] == wide);
            let (sound, rate) = call.sound(narrow);
            let window = &sound[sound.len() - 20 * rate.frame()..];
            let heard = power(window, rate, 2_000.0).1;
            assert!(
                heard < 1e4,
                "{legs:?}: the narrow one hears nothing of it, nor its mirror image: {heard}"
            );
            call.world.command(0, Command::Untap);
            call.talk(60, &[400.0, 700.0]);
            call.assert_hears(0, 700.0);
            call.assert_hears(1, 400.0);
            let (_, folder) = call.world.write();
            let both = samples(&folder, "both.wav");
            assert_eq!(both.len(), 150 * 640, "{legs:?}");
            for (side, hz) in hz.into_iter().enumerate() {
                assert_on_channel(&both, side, Rate::Wide, hz, &format!("{legs:?}"));
            }
        }
    }
}

/// The file keeps its rate and its time when a side is agreed anew, or another one comes in its place.
#[test]
fn a_tap_goes_on_at_its_rate_when_the_codecs_change() {
    let mut call = Call::new(&[(Codec::G722, true), (Codec::Pcmu, true), (Codec::Pcma, true)]);
    let hz = [400.0, 700.0, 1_100.0];
    call.world.join(0, 1);
    call.talk(5, &hz);
    call.world.command(0, Command::Tap { token: 1, name: "both".into(), mono: false });
    call.talk(100, &hz);
    // Now both speak G.711, which goes straight through.
    let before = call.world.legs[0].agreed;
    let types = PayloadTypes { audio: 0, events: Some(101) };
    let narrow = Negotiated { remote: before.remote, sends: types, receives: types, ..agreed(Codec::Pcmu) };
    call.world.command(0, Command::Negotiated(narrow));
    call.world.legs[0].agreed = narrow;
    call.encoders[0] = Encoder::new(&narrow).unwrap();
    call.talk(100, &hz);
    call.world.join(0, 2);
    call.talk(100, &hz);
    call.world.command(0, Command::Untap);
    let (_, folder) = call.world.write();
    let both = samples(&folder, "both.wav");
    assert_eq!(both.len(), 300 * 640);
    for (part, right) in [(0, 700.0), (1, 700.0), (2, 1_100.0)] {
        // A second from the middle of each two.
        let from = 2 * (part * 32_000 + 8_000);
        let second: Vec<i16> = both[from..from + 2 * 16_000].to_vec();
        for (side, hz) in [(0, 400.0), (1, right)] {
            let sound: Vec<i16> = second.iter().skip(side).step_by(2).copied().collect();
            let (own, all) = power(&sound, Rate::Wide, hz);
            assert!(
                own > 0.8 * all && (0.5..1.5).contains(&(own / 32e6)),
                "part {part}, {side}: {own} of {all}"
            );
        }
    }
}

/// A conference: what a narrow leg hears of a wide one is recorded as wide as that one says it.
#[test]
fn a_tap_of_a_leg_that_hears_several_is_as_wide_as_the_widest() {
    let mut call = Call::new(&[(Codec::Pcmu, true), (Codec::G722, true), (Codec::Pcma, true)]);
    let (wide, narrow) = (call.world.legs[1].id, call.world.legs[2].id);
    call.world.command(0, Command::Hear { whom: vec![wide, narrow] });
    let hz = [400.0, 6_000.0, 1_100.0];
    call.talk(5, &hz);
    call.world.command(0, Command::Tap { token: 1, name: "both".into(), mono: false });
    call.talk(100, &hz);
    let (sound, rate) = call.sound(0);
    let (own, all) = power(&sound[sound.len() - 20 * rate.frame()..], rate, 1_100.0);
    assert!(own > 0.9 * all, "{own} of {all}");
    call.world.command(0, Command::Untap);
    let (_, folder) = call.world.write();
    let both = samples(&folder, "both.wav");
    let right: Vec<i16> = both.iter().skip(1).step_by(2).copied().skip(8_000).take(16_000).collect();
    for hz in [6_000.0, 1_100.0] {
        let own = power(&right, Rate::Wide, hz).0;
        assert!((0.5..1.5).contains(&(own / 32e6)), "{hz}: {own}");
    }
}

#[test]
fn a_prompt_above_4_khz_is_heard_by_those_who_can_hear_it_and_an_agreement_in_the_middle_brings_no_mirror_image()
 {
    let sound = |rate: Rate| {
        let turn = |n: u32| TAU * 6_000.0 * f64::from(n) / f64::from(rate.hz());
        (0..4 * rate.hz()).map(|n| (AMPLITUDE * turn(n).sin()) as i16).collect()
    };
    for codec in [Codec::G722, Codec::Opus] {
        let mut call = Call::new(&[(codec, true)]);
        let rate = call.world.legs[0].agreed.rate();
        let prompt = vec![Sound::Samples(crate::Samples { rate, sound: sound(rate) })];
        call.world.command(0, play(1, prompt, false));
        call.world.pass(1_200);
        call.assert_hears(0, 6_000.0);
        let before = call.world.legs[0].agreed;
        let narrow = Negotiated { remote: before.remote, ..agreed(Codec::Pcmu) };
        call.world.command(0, Command::Negotiated(narrow));
        call.world.legs[0].agreed = narrow;
        call.world.pass(1_000);
        let (sound, rate) = call.sound(0);
        let heard = power(&sound, rate, 2_000.0).1;
        assert!(sound.len() >= 45 * rate.frame() && heard < 1e4, "{codec:?}: {heard}");
    }
}

#[test]
fn a_message_of_an_opus_telephone_is_recorded_and_ends_with_quiet() {
    let mut call = Call::new(&[(Codec::Opus, true)]);
    call.talk(2, &[400.0]);
    let (most, silence) = (Duration::from_secs(60), Some(Duration::from_secs(2)));
    let name = "m".to_owned();
    call.world.command(0, Command::Record { token: 5, name, most, silence, stop_on_key: false });
    call.talk(100, &[400.0]);
    call.world.pass(10_000);
    let (happened, folder) = call.world.write();
    let Some(Happening::Recorded { length, ended_by: EndOfRecording::Silence, .. }) = happened.last() else {
        panic!("{happened:?}")
    };
    assert!(ms(3_950..4_300).contains(length), "{length:?}");
    let (own, all) = power(&samples(&folder, "m.wav")[8_000..24_000], Rate::Wide, 400.0);
    assert!(own > 0.9 * all, "{own} of {all}");
}

#[test]
fn rfc3389_comfort_noise_is_passed_on_and_where_there_is_none_it_is_heard() {
    let mut call = Call::new(&[(Codec::Pcmu, true), (Codec::Pcma, true), (Codec::G722, true)]);
    (0..3).for_each(|leg| call.world.prove(leg));
    let comfort =
        |sequence, timestamp| Header { marker: false, payload_type: 13, sequence, timestamp, ssrc: 1 };
    let from = call.world.legs[0].agreed.remote;
    call.world.join(0, 1);
    call.world.arrive(0, from, comfort(3, 160), &[40]);
    let passed = call.world.heard(1);
    assert_eq!((passed[0].0.payload_type, &passed[0].1[..]), (13, &[40][..]));
    call.world.join(0, 2);
    call.world.legs[0].sequence = 3;
    call.talk(10, &[400.0]);
    call.world.arrive(0, from, comfort(14, 1_600), &[40]);
    call.world.heard(2);
    call.world.pass(1_000);
    let (sound, rate) = call.sound(2);
    let level = power(&sound[20 * rate.frame()..], rate, 1.0).1.sqrt();
    assert!((0.6..1.4).contains(&(level / 327.67)), "-40 dBov are heard as {level}");
}
