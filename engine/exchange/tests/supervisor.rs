//! Supervisors on a call: who hears whom, and that neither script nor caller notices.

mod support;

use std::collections::{HashMap, HashSet};

use exchange::*;
use support::*;

/// A caller who talks with ana (leg 1).
struct Talk {
    stage: Scene,
    ana: LegKey,
}

impl Talk {
    fn new() -> Self {
        Self::by(Command::Bridge { a: LegNo::CALLER, b: LegNo(1), keys: String::new() })
    }

    /// The verb that lets them talk.
    fn by(verb: Command) -> Self {
        let mut stage = Scene::with_call();
        stage.shop.devices.insert("goran", 1);
        stage.command(dial(&[(0, &["ana"])], false));
        let ana = stage.invited()[0].0;
        stage.event(ana, Event::Answered);
        stage.command(verb);
        stage.take();
        Self { stage, ana }
    }

    fn supervise(&mut self, who: Target, mode: Supervision) -> Result<(), Failure> {
        let stage = &mut self.stage;
        stage.exchange.supervise(stage.now, "shop", stage.call, who, mode, &stage.shop, &mut stage.effects)
    }

    /// Goran takes part, from the phone that he answered.
    fn goran(&mut self, mode: Supervision) -> LegKey {
        self.supervise(user("goran"), mode).unwrap();
        let phone = self.stage.invited()[0].0;
        self.stage.event(phone, Event::Answered);
        phone
    }

    /// Who was told to hear whom since the last look.
    fn hears(&mut self) -> Vec<(LegKey, Vec<LegKey>)> {
        let effects = self.stage.take();
        assert!(!effects.iter().any(|effect| matches!(effect, Effect::Reply { .. })), "the script notices");
        let hears = effects.into_iter().filter_map(|effect| match effect {
            Effect::Sound(leg, Sound::Hear(whom)) => Some((leg, whom)),
            _ => None,
        });
        let mut hears: Vec<_> = hears.collect();
        hears.sort();
        hears
    }
}

/// Vera's telephone comes to be added to the conversation of a leg (RFC 3911).
fn joins(stage: &mut Scene, user: &str, beside: LegKey) -> Result<(CallId, LegKey), Failure> {
    let arrival = Arrival {
        tenant: "shop".into(),
        from: Party { number: "103".into(), name: None, uri: "sip:103@shop".into() },
        dialled: "101".into(),
        direction: Direction::Internal,
        user: Some(user.into()),
        trunk: None,
        headers: Default::default(),
        language: "en".into(),
        sip_call_id: "ghi".into(),
        route: Route { script: "internal".into(), settings: "{}".into(), fallback: vec![], source: None },
    };
    stage.exchange.arrive_beside(stage.now, arrival, beside, &stage.shop, &mut stage.effects)
}

#[test]
fn rfc3911_4_a_telephone_that_joins_hears_all_is_heard_by_all_and_leaves_them_talking() {
    let mut talk = Talk::new();
    let (caller, ana) = (talk.stage.caller, talk.ana);
    let (own, vera) = joins(&mut talk.stage, "vera", ana).expect("they talk");
    let effects = talk.stage.effects.clone();
    assert!(effects.contains(&Effect::Signal(vera, Signal::Answer)), "{effects:?}");
    let over = effects.iter().any(|effect| matches!(effect, Effect::Over(record) if record.id == own));
    assert!(over, "what is left of her own call is its record");
    let noted =
        effects.iter().any(|effect| matches!(effect, Effect::Note(note) if note.kind == "call.barged"));
    assert!(noted, "{effects:?}");
    let mut all = vec![(caller, vec![ana, vera]), (ana, vec![caller, vera]), (vera, vec![caller, ana])];
    all.sort();
    assert_eq!(talk.hears(), all);
    assert_eq!(joins(&mut talk.stage, "vera", ana), Err(Failure::Busy), "once is enough");
    assert_eq!(joins(&mut talk.stage, "ana", caller), Err(Failure::Busy), "she talks there");
    talk.stage.event(vera, Event::Ended);
    assert_eq!(talk.hears(), [(caller, vec![]), (ana, vec![])]);
    talk.stage.event(ana, Event::Ended);
    assert_eq!(talk.stage.answer(), Some(Answer::BridgeEnded(BridgeEnd::BHungUp)));
}

#[test]
fn rfc3911_4_who_comes_for_a_conversation_that_is_none_is_refused_and_leaves_when_one_ends() {
    let mut stage = Scene::with_call();
    let caller = stage.caller;
    assert!(matches!(joins(&mut stage, "vera", caller), Err(Failure::Invalid(_))), "it hears a script");
    assert!(matches!(joins(&mut stage, "vera", LegKey(999)), Err(Failure::NotFound(_))));
    let mut talk = Talk::new();
    let ana = talk.ana;
    let (_, vera) = joins(&mut talk.stage, "vera", ana).expect("they talk");
    talk.stage.take();
    talk.stage.event(ana, Event::Ended);
    let signals = talk.stage.signals();
    assert!(signals.contains(&(vera, Signal::HangUp(Cause::Q850(16)))), "{signals:?}");
}

#[test]
fn a_listener_hears_both_and_is_heard_by_none_then_by_the_agent_then_by_all() {
    let mut talk = Talk::new();
    talk.supervise(user("vera"), Supervision::Listen).unwrap();
    let shown = talk.stage.effects.iter().find_map(|effect| match effect {
        Effect::Signal(_, Signal::Invite(invite)) => invite.present.name.clone(),
        _ => None,
    });
    assert_eq!(shown.as_deref(), Some("listen: +359888123456 and ana"), "the display says what it is");
    let rung = talk.stage.invited();
    assert_eq!(rung.iter().map(|(_, to)| to.as_str()).collect::<Vec<_>>(), ["vera/0", "vera/1"]);
    talk.stage.event(rung[0].0, Event::Ringing { early_media: true });
    assert_eq!(talk.stage.take(), [], "the caller hears nothing of it");
    talk.stage.event(rung[1].0, Event::Answered);
    let (caller, ana, vera) = (talk.stage.caller, talk.ana, rung[1].0);
    let effects = talk.stage.effects.clone();
    assert!(effects.contains(&Effect::Signal(rung[0].0, Signal::HangUp(Cause::AnsweredElsewhere))));
    let note = effects.iter().find_map(|effect| match effect {
        Effect::Note(note) if note.kind.starts_with("call.") => Some((note.kind, note.about.as_str())),
        _ => None,
    });
    assert_eq!(note, Some(("call.listened", "vera")));
    assert_eq!(talk.hears(), [(vera, vec![caller, ana])]);

    talk.supervise(user("vera"), Supervision::Whisper).unwrap();
    assert_eq!(talk.hears(), [(ana, vec![caller, vera])], "nobody is rung again");
    talk.supervise(user("vera"), Supervision::Barge).unwrap();
    assert_eq!(talk.hears(), [(caller, vec![ana, vera])]);
    talk.supervise(user("vera"), Supervision::Listen).unwrap();
    assert_eq!(talk.hears(), [(caller, vec![]), (ana, vec![])]);

    // The supervisor leaves, and both go on talking.
    talk.supervise(user("vera"), Supervision::Whisper).unwrap();
    talk.stage.take();
    talk.stage.event(vera, Event::Ended);
    assert_eq!(talk.hears(), [(ana, vec![])]);
    assert_eq!(talk.stage.exchange.presence("shop", "vera", true), Presence::Free);
    talk.stage.pass(secs(10));
    talk.stage.event(ana, Event::Ended);
    assert_eq!(talk.stage.answer(), Some(Answer::BridgeEnded(BridgeEnd::BHungUp)));
    talk.stage.finish(Finish::Returned);
    let record = talk.stage.record();
    assert_eq!(record.answered_by.as_deref(), Some("ana"));
    let ends: Vec<_> = record.legs.iter().map(|leg| (leg.party.as_str(), leg.end.as_str())).collect();
    assert_eq!(ends[2..], [("vera", "answered elsewhere"), ("vera", "whispered: hung up")]);
}

#[test]
fn a_supervisor_leaves_with_the_conversation_whether_ringing_or_up() {
    let mut talk = Talk::new();
    let goran = talk.goran(Supervision::Barge);
    talk.supervise(user("boris"), Supervision::Listen).unwrap();
    let boris = talk.stage.invited()[0].0;
    talk.stage.event(talk.stage.caller, Event::Ended);
    let effects = talk.stage.take();
    for leg in [goran, boris] {
        assert!(effects.contains(&Effect::Signal(leg, Signal::HangUp(Cause::Q850(16)))));
    }
    assert!(effects.contains(&Effect::Sound(talk.ana, Sound::Hear(vec![]))));
    // Too late to be heard.
    talk.stage.event(boris, Event::Answered);
    talk.stage.event(goran, Event::Ended);
    assert_eq!(talk.stage.take(), []);
    talk.stage.finish(Finish::HungUp);
    let record = talk.stage.record();
    let ends: Vec<_> = record.legs.iter().map(|leg| leg.end.as_str()).collect();
    assert_eq!(ends[2..], ["barged: the conversation ended", "the conversation ended"]);
}

#[test]
fn on_hold_nobody_hears_anybody_and_the_music_plays_on_when_a_supervisor_answers() {
    let mut talk = Talk::new();
    talk.stage.event(talk.ana, Event::Held);
    talk.stage.take();
    let goran = {
        talk.supervise(user("goran"), Supervision::Barge).unwrap();
        talk.stage.invited()[0].0
    };
    talk.stage.event(goran, Event::Answered);
    let effects = talk.stage.effects.clone();
    assert!(!effects.contains(&Effect::Sound(talk.stage.caller, Sound::Stop)), "music on hold plays on");
    assert_eq!(talk.hears(), []);
    let (caller, ana) = (talk.stage.caller, talk.ana);
    talk.stage.event(ana, Event::Resumed);
    let all = [(caller, vec![ana, goran]), (ana, vec![caller, goran]), (goran, vec![caller, ana])];
    assert_eq!(talk.hears(), all);
    talk.stage.event(caller, Event::Held);
    assert_eq!(talk.hears(), [(caller, vec![]), (ana, vec![]), (goran, vec![])]);
}

#[test]
fn two_who_barge_hear_each_other_and_one_who_listens_is_heard_by_nobody() {
    let mut talk = Talk::new();
    let goran = talk.goran(Supervision::Barge);
    talk.stage.take();
    talk.supervise(user("boris"), Supervision::Listen).unwrap();
    let boris = talk.stage.invited()[0].0;
    talk.stage.event(boris, Event::Answered);
    let (caller, ana) = (talk.stage.caller, talk.ana);
    assert_eq!(talk.hears(), [(boris, vec![caller, ana, goran])]);
    talk.supervise(user("boris"), Supervision::Barge).unwrap();
    let mut all = vec![
        (caller, vec![ana, goran, boris]),
        (ana, vec![caller, goran, boris]),
        (goran, vec![caller, ana, boris]),
    ];
    all.sort();
    assert_eq!(talk.hears(), all);
}

#[test]
fn without_a_conversation_or_a_phone_or_room_it_is_refused_with_the_reason() {
    let mut talk = Talk::new();
    let listen = Supervision::Listen;
    assert_eq!(talk.supervise(user("nobody"), listen), Err(Failure::NotFound("nobody".into())));
    assert_eq!(talk.supervise(user("ana"), listen), Err(Failure::Busy), "on this call already");
    talk.stage.shop.devices.remove("goran");
    assert_eq!(talk.supervise(user("goran"), listen), Err(Failure::Unreachable));
    assert_eq!(talk.stage.take(), []);
    for number in ["1", "2", "3", "4"] {
        assert_eq!(talk.supervise(Target::Number(number.into()), listen), Ok(()));
    }
    let fifth = talk.supervise(user("boris"), listen);
    assert_eq!(fifth, Err(Failure::Limit("supervisors".into())));
    let stage = &mut talk.stage;
    let other = stage.exchange.supervise(
        stage.now,
        "another tenant",
        stage.call,
        user("vera"),
        listen,
        &stage.shop,
        &mut stage.effects,
    );
    assert_eq!(other, Err(Failure::NotFound("call".into())));
    talk.stage.event(talk.ana, Event::Ended);
    let refused = talk.supervise(user("vera"), listen);
    assert!(matches!(refused, Err(Failure::Invalid(_))), "{refused:?}");
}

#[test]
fn a_phone_that_is_not_answered_stops_ringing_and_a_silent_carrier_gives_way() {
    let mut talk = Talk::new();
    talk.supervise(Target::Number("+359888000900".into()), Supervision::Listen).unwrap();
    let first = talk.stage.invited();
    assert_eq!(first[0].1, "+359888000900@first");
    talk.stage.pass(secs(4));
    let second = talk.stage.invited();
    assert_eq!(second[0].1, "+359888000900@second");
    talk.stage.event(second[0].0, Event::Ringing { early_media: false });
    talk.stage.pass(secs(26));
    assert!(talk.stage.signals().contains(&(second[0].0, Signal::HangUp(Cause::Q850(19)))));
    talk.stage.event(talk.ana, Event::Ended);
    assert_eq!(talk.stage.answer(), Some(Answer::BridgeEnded(BridgeEnd::BHungUp)), "and the script goes on");
}

/// Boris talks with another caller, and asks ana, who is whispered to, for help: she goes over to his
/// call, where no supervisor is.
#[test]
fn an_agent_who_goes_over_to_another_call_hears_no_supervisor_any_more() {
    let mut talk = Talk::new();
    let goran = talk.goran(Supervision::Whisper);
    talk.stage.take();
    let stage = &mut talk.stage;
    let caller = stage.caller;
    let (second, other) = stage.arrive(vec![]);
    stage.call = second;
    stage.command(dial(&[(0, &["boris"])], false));
    let boris = stage.invited()[0].0;
    stage.event(boris, Event::Answered);
    stage.command(Command::Bridge { a: LegNo::CALLER, b: LegNo(1), keys: String::new() });
    stage.take();
    // His telephone spoke with ana on the first call's other leg: its caller, as far as she could tell.
    stage.event(boris, Event::Transfer { to: user("ana"), with: Some(caller) });
    let effects = stage.take();
    assert!(
        effects.contains(&Effect::Sound(talk.ana, Sound::Relay(other)))
            || effects.contains(&Effect::Sound(other, Sound::Relay(talk.ana)))
    );
    assert!(effects.contains(&Effect::Sound(talk.ana, Sound::Hear(vec![]))), "{effects:?}");
    assert!(effects.contains(&Effect::Signal(goran, Signal::HangUp(Cause::Q850(16)))));
}

#[test]
fn a_supervisor_stays_over_a_transfer_and_hears_whoever_came() {
    let mut talk = Talk::new();
    let goran = talk.goran(Supervision::Listen);
    let (caller, ana) = (talk.stage.caller, talk.ana);
    assert_eq!(talk.hears(), [(goran, vec![caller, ana])]);
    talk.stage.event(ana, Event::Transfer { to: user("boris"), with: None });
    let boris = talk.stage.effects.iter().find_map(|effect| match effect {
        Effect::Signal(leg, Signal::Invite(_)) => Some(*leg),
        _ => None,
    });
    let boris = boris.expect("boris rings");
    assert_eq!(talk.hears(), [(goran, vec![])], "not the music, and not ana alone");
    talk.stage.event(boris, Event::Answered);
    assert_eq!(talk.hears(), [(goran, vec![caller, boris])]);
    // Nobody comes this time, and boris has the caller back.
    talk.stage.event(boris, Event::Transfer { to: user("ana"), with: None });
    talk.stage.pass(secs(20));
    assert_eq!(talk.hears(), [(goran, vec![]), (goran, vec![caller, boris])]);
    // The caller leaves while it rings: that was the conversation.
    talk.stage.event(boris, Event::Transfer { to: user("ana"), with: None });
    talk.stage.event(caller, Event::Ended);
    assert!(talk.stage.effects.contains(&Effect::Signal(goran, Signal::HangUp(Cause::Q850(16)))));
}

#[test]
fn a_supervisor_waits_for_a_script_that_decides_about_a_transfer_but_not_for_ever() {
    for talks_again in [true, false] {
        let again = Command::Talk { a: LegNo::CALLER, b: LegNo(1), keys: String::new() };
        let mut talk = Talk::by(again.clone());
        let (caller, ana) = (talk.stage.caller, talk.ana);
        let goran = talk.goran(Supervision::Listen);
        talk.stage.take();
        talk.stage.event(ana, Event::Transfer { to: user("boris"), with: None });
        talk.stage.command(Command::RefuseTransfer { status: 603 });
        let left =
            |stage: &Scene| stage.effects.contains(&Effect::Signal(goran, Signal::HangUp(Cause::Q850(16))));
        if talks_again {
            talk.stage.command(again);
            let hears = |effect: &Effect| *effect == Effect::Sound(goran, Sound::Hear(vec![caller, ana]));
            assert!(talk.stage.effects.iter().any(hears) && !left(&talk.stage));
        }
        talk.stage.pass(secs(6));
        assert_eq!(left(&talk.stage), !talks_again);
    }
}

#[test]
fn a_supervisor_s_telephone_can_t_transfer_the_call_away() {
    let mut talk = Talk::new();
    let goran = talk.goran(Supervision::Barge);
    talk.stage.take();
    talk.stage.event(goran, Event::Transfer { to: user("boris"), with: None });
    assert_eq!(talk.stage.signals(), [(goran, Signal::RefuseTransfer(603))]);
}

/// What signalling and sound were told so far.
#[derive(Default)]
struct World {
    up: HashSet<LegKey>,
    hears: HashMap<LegKey, Vec<LegKey>>,
    joined: HashMap<LegKey, LegKey>,
    rung: Vec<LegKey>,
    users: HashMap<LegKey, String>,
    agent: Option<LegNo>,
    asked: bool,
}

impl World {
    fn note(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Signal(leg, Signal::Invite(invite)) => {
                    self.rung.push(leg);
                    if let Destination::Device { user, .. } = invite.to {
                        self.users.insert(leg, user);
                    }
                }
                Effect::Signal(leg, Signal::HangUp(_) | Signal::Refuse { .. }) => self.gone(leg),
                Effect::Sound(leg, Sound::Hear(whom)) => drop(self.hears.insert(leg, whom)),
                Effect::Sound(leg, Sound::Relay(with)) => {
                    self.joined.insert(leg, with);
                    self.joined.insert(with, leg);
                }
                Effect::Sound(leg, Sound::Unrelay) => {
                    if let Some(with) = self.joined.remove(&leg) {
                        self.joined.remove(&with);
                    }
                }
                Effect::Reply { answer, .. } => {
                    self.asked = false;
                    if let Answer::Leg(leg) = answer {
                        self.agent = Some(leg.leg);
                    }
                }
                _ => {}
            }
        }
    }

    fn gone(&mut self, leg: LegKey) {
        self.up.remove(&leg);
        self.hears.remove(&leg);
        if let Some(with) = self.joined.remove(&leg) {
            self.joined.remove(&with);
        }
    }
}

/// Supervisors come, go and change their way while agents answer, hold and leave in any order: nobody
/// hears who should not, and nothing is left when the call is over.
#[test]
fn in_any_history_a_listener_is_heard_by_none_and_a_whisper_never_by_the_caller() {
    let mut heard = 0;
    for seed in 0..2_000u64 {
        let mut chance = seed;
        let mut any = |below: usize| {
            chance = chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (chance >> 33) as usize % below
        };
        let mut stage = Scene::with_call();
        stage.shop.devices.insert("goran", 1);
        let (mut world, mut modes) = (World::default(), HashMap::new());
        let names = ["ana", "boris", "vera", "goran"];
        for _ in 0..60 {
            match any(12) {
                0 | 1 if !world.asked => {
                    stage.command(dial(&[(0, &[names[any(2)]])], false));
                    world.asked = true;
                }
                2 | 3 if !world.asked => {
                    if let Some(b) = world.agent {
                        stage.command(Command::Bridge { a: LegNo::CALLER, b, keys: "9".into() });
                        world.asked = true;
                    }
                }
                4..=6 => {
                    let (name, mode) = (names[2 + any(2)], any(3));
                    let way = [Supervision::Listen, Supervision::Whisper, Supervision::Barge][mode];
                    let Scene { exchange, now, call, shop, effects, .. } = &mut stage;
                    if exchange.supervise(*now, "shop", *call, user(name), way, shop, effects).is_ok() {
                        modes.insert(name, way);
                    }
                }
                7 => stage.pass(secs(any(8) as u64)),
                _ => {
                    let legs: Vec<_> = world.rung.iter().copied().chain([stage.caller]).collect();
                    let leg = legs[any(legs.len())];
                    let event = match any(9) {
                        0..=3 => Event::Answered,
                        4 => Event::Held,
                        5 => Event::Resumed,
                        6 => Event::Digit('9'),
                        7 if leg != stage.caller => Event::Ended,
                        _ => Event::Refused { status: 486, silent: false },
                    };
                    let ends = matches!(event, Event::Ended);
                    let refused = matches!(event, Event::Refused { .. });
                    if refused && (leg == stage.caller || world.up.contains(&leg)) {
                        continue; // no such thing on the wire
                    }
                    if event == Event::Answered && stage.exchange.leg(leg).is_some() {
                        world.up.insert(leg);
                    }
                    stage.event(leg, event);
                    if ends {
                        world.gone(leg);
                    }
                }
            }
            world.note(stage.take());

            let talking: Vec<LegKey> = world.joined.keys().copied().collect();
            for (ear, whom) in &world.hears {
                assert!(whom.is_empty() || !talking.is_empty(), "seed {seed}: heard without a conversation");
                for voice in whom {
                    assert_ne!(ear, voice, "seed {seed}: nobody hears itself");
                    heard += 1;
                    let mode = world.users.get(voice).and_then(|name| modes.get(name.as_str()));
                    let may = match mode {
                        // The voice of one of the two.
                        None => talking.contains(voice),
                        Some(Supervision::Listen) => false,
                        Some(Supervision::Whisper) => *ear != stage.caller && talking.contains(ear),
                        Some(Supervision::Barge) => true,
                    };
                    assert!(may, "seed {seed}: {voice:?} of {mode:?} heard at {ear:?}");
                }
            }
        }
        stage.event(stage.caller, Event::Ended);
        stage.finish(Finish::HungUp);
        world.note(stage.take());
        assert_eq!(stage.exchange.len(), 0, "seed {seed}");
        assert!(world.rung.iter().all(|leg| stage.exchange.leg(*leg).is_none()), "seed {seed}");
        for name in names {
            assert_eq!(stage.exchange.presence("shop", name, true), Presence::Free, "seed {seed}: {name}");
        }
    }
    assert!(heard > 10_000, "histories in which supervisors are heard");
}
