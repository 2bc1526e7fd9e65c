//! Three on one call: who hears whom, by the tone that each of them says. The caller says 400 Hz in
//! mu-law, the agent 700 Hz in A-law, the supervisor 1100 Hz.

use std::f32::consts::TAU;

use super::*;

const CALLER: usize = 0;
const AGENT: usize = 1;
const SUPERVISOR: usize = 2;
const HZ: [f32; 3] = [400.0, 700.0, 1100.0];
/// Of each voice; three of them together stay below full scale.
const AMPLITUDE: f32 = 6000.0;

struct Call(World);

impl Call {
    /// Caller and agent are joined, the supervisor has nobody yet.
    fn new(agent: (Codec, bool)) -> Self {
        let mut world = World::new(&[PCMU, agent, PCMU]);
        (0..3).for_each(|leg| world.prove(leg));
        world.join(CALLER, AGENT);
        Self(world)
    }

    fn hear(&mut self, leg: usize, whom: &[usize]) {
        let whom = whom.iter().map(|leg| self.0.legs[*leg].id).collect();
        self.0.command(leg, Command::Hear { whom });
    }

    /// Everyone says their tone for 200 ms.
    fn talk(&mut self) {
        for _ in 0..10 {
            for (leg, hz) in HZ.iter().enumerate() {
                let from = self.0.now * 8;
                let codec = self.0.legs[leg].agreed.codec;
                let frame: Vec<u8> = (from..from + 160)
                    .map(|n| AMPLITUDE * (TAU * hz * n as f32 / 8000.0).sin())
                    .map(|sample| g711::encode(codec, sample as i16))
                    .collect();
                self.0.say(leg, &frame);
            }
            self.0.pass(20);
        }
    }

    /// Who is heard at a leg, after all has settled; everyone in order, at their full loudness.
    fn heard_by(&mut self, leg: usize) -> Vec<usize> {
        let codec = self.0.legs[leg].agreed.codec;
        let packets = self.0.heard(leg);
        let sound: Vec<i16> = packets
            .iter()
            .flat_map(|(_, payload, _)| payload.iter().map(|octet| g711::samples(codec)[usize::from(*octet)]))
            .collect();
        // The last 100 ms: every tone turns a whole number of times.
        let Some(window) = sound.len().checked_sub(800).map(|from| &sound[from..]) else { return vec![] };
        (0..3)
            .filter(|voice| {
                let amplitude = goertzel(window, HZ[*voice]);
                let is_there = amplitude > AMPLITUDE * 0.8;
                assert!(is_there || amplitude < AMPLITUDE * 0.05, "{amplitude} of voice {voice} at {leg}");
                is_there
            })
            .collect()
    }

    /// Who is heard at the caller's, the agent's and the supervisor's.
    fn heard(&mut self) -> [Vec<usize>; 3] {
        self.talk();
        (0..3).for_each(|leg| drop(self.0.heard(leg)));
        self.talk();
        [CALLER, AGENT, SUPERVISOR].map(|leg| self.heard_by(leg))
    }
}

/// The amplitude of one frequency, for windows that hold whole turns of it.
fn goertzel(window: &[i16], hz: f32) -> f32 {
    let turn = TAU * hz / 8000.0;
    let (mut before, mut last) = (0.0, 0.0);
    for sample in window {
        let next = f32::from(*sample) + 2.0 * turn.cos() * last - before;
        (before, last) = (last, next);
    }
    let power = before * before + last * last - 2.0 * turn.cos() * last * before;
    2.0 * power.sqrt() / window.len() as f32
}

#[test]
fn listen_whisper_and_barge_are_heard_by_those_who_should_and_by_nobody_else() {
    let mut call = Call::new((Codec::Pcma, true));
    assert_eq!(call.heard(), [vec![AGENT], vec![CALLER], vec![]], "nobody listens");
    call.hear(SUPERVISOR, &[CALLER, AGENT]);
    assert_eq!(call.heard(), [vec![AGENT], vec![CALLER], vec![CALLER, AGENT]], "listen");
    call.hear(AGENT, &[CALLER, SUPERVISOR]);
    assert_eq!(call.heard(), [vec![AGENT], vec![CALLER, SUPERVISOR], vec![CALLER, AGENT]], "whisper");
    call.hear(CALLER, &[AGENT, SUPERVISOR]);
    let all = [vec![AGENT, SUPERVISOR], vec![CALLER, SUPERVISOR], vec![CALLER, AGENT]];
    assert_eq!(call.heard(), all, "barge");
    call.hear(CALLER, &[]);
    call.hear(AGENT, &[]);
    call.hear(SUPERVISOR, &[]);
    assert_eq!(call.heard(), [vec![AGENT], vec![CALLER], vec![]], "and alone again");
}

#[test]
fn two_who_are_only_listened_to_are_relayed_straight_through() {
    let mut call = Call::new(PCMU);
    call.hear(SUPERVISOR, &[CALLER, AGENT]);
    call.0.say(CALLER, &[0x23; 160]);
    assert_eq!(call.0.heard(AGENT)[0].1, [0x23; 160], "at once, octet by octet");
    call.hear(AGENT, &[CALLER, SUPERVISOR]);
    call.0.say(CALLER, &[0x23; 160]);
    assert_eq!(call.0.heard(AGENT), [], "the wheel sends it");
    call.0.say(AGENT, &[0x24; 160]);
    assert_eq!(call.0.heard(CALLER)[0].1, [0x24; 160], "the caller hears the agent as before");
    // What the mix sends goes on in sequence and time, for the agent's jitter buffer (RFC 3550 §5.1).
    call.0.pass(100);
    let numbers: Vec<_> =
        call.0.heard(AGENT).iter().map(|(header, ..)| (header.sequence, header.timestamp)).collect();
    let in_step = |pair: &[(u16, u32)]| {
        pair[1].0 == pair[0].0.wrapping_add(1) && pair[1].1 == pair[0].1.wrapping_add(160)
    };
    assert!(numbers.len() >= 5 && numbers.windows(2).all(in_step), "{numbers:?}");
}

#[test]
fn whoever_leaves_is_silent_and_the_others_go_on() {
    let mut call = Call::new((Codec::Pcma, true));
    call.hear(SUPERVISOR, &[CALLER, AGENT]);
    call.hear(AGENT, &[CALLER, SUPERVISOR]);
    let (now, supervisor) = (call.0.at(call.0.now), call.0.legs[SUPERVISOR].id);
    call.0.core.close(now, supervisor, |_, _| ());
    assert_eq!(call.heard(), [vec![AGENT], vec![CALLER], vec![]]);
    call.hear(AGENT, &[]);
    assert_eq!(call.heard(), [vec![AGENT], vec![CALLER], vec![]]);
    assert!(call.0.legs[CALLER].id == call.0.core.at(0).unwrap().id);
    let straight = call.0.core.at(0).unwrap().straight;
    assert_eq!(straight, Some(call.0.legs[AGENT].id), "nothing is left beside the way");
}

#[test]
fn a_prompt_is_heard_in_place_of_the_mix_and_gives_way_to_what_is_said_then() {
    let mut call = Call::new((Codec::Pcma, true));
    call.hear(AGENT, &[CALLER, SUPERVISOR]);
    call.talk();
    call.0.command(AGENT, play(1, vec![Sound::Silence(Duration::from_millis(400))], false));
    assert_eq!(call.heard(), [vec![AGENT], vec![], vec![]]);
    assert_eq!(call.heard(), [vec![AGENT], vec![CALLER, SUPERVISOR], vec![]]);
}

#[test]
fn keys_of_the_caller_reach_an_agent_who_hears_a_mix_and_not_the_supervisor() {
    let mut call = Call::new(PCMU);
    call.hear(SUPERVISOR, &[CALLER, AGENT]);
    call.hear(AGENT, &[CALLER, SUPERVISOR]);
    call.talk();
    (0..3).for_each(|leg| drop(call.0.heard(leg)));
    call.0.press(CALLER, 8000, 5, false, 160);
    call.0.press(CALLER, 8000, 5, true, 320);
    call.0.pass(400);
    let events = |packets: Vec<(Header, Vec<u8>, SocketAddr)>| {
        let mut keys: Vec<u8> = packets
            .iter()
            .filter(|(h, ..)| h.payload_type == 101)
            .map(|(_, payload, _)| payload[0])
            .collect();
        keys.dedup();
        keys
    };
    assert_eq!(events(call.0.heard(AGENT)), [5]);
    assert_eq!(events(call.0.heard(SUPERVISOR)), []);
    call.0.press(SUPERVISOR, 9000, 7, true, 320);
    call.0.pass(400);
    assert_eq!(events(call.0.heard(AGENT)), [], "and the supervisor's keys reach nobody");
}

#[test]
fn a_tap_records_what_is_heard_on_a_leg_that_hears_several() {
    let mut call = Call::new((Codec::Pcma, true));
    call.hear(AGENT, &[CALLER, SUPERVISOR]);
    call.0.command(AGENT, Command::Tap { token: 1, name: "agent".into(), mono: false });
    (0..10).for_each(|_| call.talk());
    call.0.command(AGENT, Command::Untap);
    let (_, folder) = call.0.write();
    let wav = hound::WavReader::open(folder.path().join("agent.wav")).unwrap();
    let samples: Vec<i16> = wav.into_samples().map(Result::unwrap).collect();
    let side =
        |side: usize| samples.iter().skip(side).step_by(2).copied().skip(8000).take(800).collect::<Vec<_>>();
    for (voice, said, heard) in [(CALLER, false, true), (AGENT, true, false), (SUPERVISOR, false, true)] {
        let there = [side(0), side(1)].map(|side| goertzel(&side, HZ[voice]) > AMPLITUDE * 0.8);
        assert_eq!(there, [said, heard], "voice {voice}");
    }
}

#[test]
fn one_hears_at_most_eight_and_not_itself() {
    let mut world = World::new(&[PCMU; 12]);
    let ids: Vec<StreamId> = world.legs.iter().map(|leg| leg.id).collect();
    world.command(0, Command::Hear { whom: [&ids[..], &ids[..]].concat() });
    let heard = world.core.stream(ids[0]).unwrap().heard.clone();
    assert_eq!(heard, ids[1..=Media::MAX_HEARD]);
    for leg in 1..12 {
        world.command(leg, Command::Hear { whom: vec![ids[0]] });
    }
    assert_eq!(world.core.stream(ids[0]).unwrap().audience.len(), Media::MAX_HEARD);
}
