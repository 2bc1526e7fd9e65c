//! What is recorded, who hears that it is, when it pauses, and what becomes of messages.

mod support;

use exchange::*;
use support::*;

fn sounds(effects: &[Effect], leg: LegKey) -> Vec<Sound> {
    let of = |effect: &Effect| match effect {
        Effect::Sound(key, sound) if *key == leg => Some(sound.clone()),
        _ => None,
    };
    effects.iter().filter_map(of).collect()
}

fn tapped(effects: &[Effect], leg: LegKey) -> Option<String> {
    sounds(effects, leg).into_iter().find_map(|sound| match sound {
        Sound::Tap { name } => Some(name),
        _ => None,
    })
}

/// The caller and ana talk; what that caused, and ana's leg.
fn talk(scene: &mut Scene) -> (Vec<Effect>, LegKey) {
    scene.command(dial(&[(0, &["ana"])], false));
    let ana = scene.invited()[0].0;
    scene.event(ana, Event::Answered);
    let Some(Answer::Leg(leg)) = scene.answer() else { panic!("ana answers") };
    scene.command(Command::Bridge { a: LegNo::CALLER, b: leg.leg, keys: String::new() });
    (scene.take(), ana)
}

#[test]
fn a_conversation_is_recorded_where_the_tenant_wishes_and_both_hear_that_it_is() {
    let mut scene = Scene::with_call();
    let announce = Prompt::Recording("recorded".into());
    scene.shop.recording = Some(RecordingPlan { announce: Some(announce.clone()) });
    let (effects, ana) = talk(&mut scene);
    let name = tapped(&effects, scene.caller).expect("it is recorded");
    assert_eq!(name, format!("{}-1", scene.call));
    for leg in [scene.caller, ana] {
        let plays =
            |sound: &Sound| matches!(sound, Sound::Play { what, .. } if what[..] == [announce.clone()]);
        assert!(sounds(&effects, leg).iter().any(plays));
    }
    scene.event(scene.caller, Event::Ended);
    scene.finish(Finish::HungUp);
    assert_eq!(scene.record().recordings, [name]);
}

#[test]
fn where_nobody_wishes_it_nothing_is_recorded_and_a_script_that_records_does_so_once() {
    let mut scene = Scene::with_call();
    let (effects, ana) = talk(&mut scene);
    assert!(tapped(&effects, scene.caller).is_none() && tapped(&effects, ana).is_none());

    let mut scene = Scene::with_call();
    scene.shop.recording = Some(RecordingPlan::default());
    scene.command(Command::Answer { leg: LegNo::CALLER });
    scene.command(Command::StartRecording { leg: LegNo::CALLER });
    assert!(tapped(&scene.take(), scene.caller).is_some());
    let (effects, ana) = talk(&mut scene);
    assert!(tapped(&effects, scene.caller).is_none() && tapped(&effects, ana).is_none(), "it is already");
}

#[test]
fn a_user_s_keys_a_script_and_a_person_pause_a_recording_and_a_caller_s_keys_do_not() {
    let mut scene = Scene::with_call();
    scene.shop.recording = Some(RecordingPlan::default());
    let (_, ana) = talk(&mut scene);
    let caller = scene.caller;
    let pauses = |scene: &mut Scene| sounds(&scene.take(), caller);
    let press =
        |scene: &mut Scene, leg, keys: &str| keys.chars().for_each(|key| scene.event(leg, Event::Digit(key)));
    press(&mut scene, caller, "*1");
    assert!(pauses(&mut scene).is_empty());
    press(&mut scene, ana, "4*1");
    assert_eq!(pauses(&mut scene), [Sound::PauseTap(true)]);
    press(&mut scene, ana, "1*");
    assert!(pauses(&mut scene).is_empty(), "half of the keys");
    press(&mut scene, ana, "1");
    assert_eq!(pauses(&mut scene), [Sound::PauseTap(false)]);

    let (now, call) = (scene.now, scene.call);
    let wish = |scene: &mut Scene, tenant: &str, paused| {
        scene.exchange.pause_recordings(now, tenant, call, paused, &scene.shop, &mut scene.effects)
    };
    assert_eq!(wish(&mut scene, "other", true), Err(Failure::NotFound("call".into())));
    assert_eq!(wish(&mut scene, "shop", true), Ok(()));
    assert_eq!(pauses(&mut scene), [Sound::PauseTap(true)]);
    assert_eq!(wish(&mut scene, "shop", true), Ok(()), "it is paused already");
    assert!(pauses(&mut scene).is_empty());
    assert_eq!(wish(&mut scene, "shop", false), Ok(()));
}

#[test]
fn a_recording_that_was_paused_is_paused_after_a_restart_too() {
    let mut scene = Scene::with_call();
    scene.shop.recording = Some(RecordingPlan::default());
    let (_, ana) = talk(&mut scene);
    let recorded = |scene: &Scene| {
        let kept = scene.exchange.kept_call(scene.now, scene.call).expect("it is up");
        format!("{kept:?}").contains("recorded: Paused")
    };
    assert!(!recorded(&scene));
    "*1".chars().for_each(|key| scene.event(ana, Event::Digit(key)));
    assert!(scene.take().contains(&Effect::Keep { call: scene.call }), "a restart must know it");
    assert!(recorded(&scene));
}

#[test]
fn a_message_goes_to_the_box_that_the_call_is_marked_with_also_when_the_caller_hangs_up() {
    let message = |effects: Vec<Effect>| {
        effects.into_iter().find_map(|effect| match effect {
            Effect::MessageLeft(left) => Some(*left),
            _ => None,
        })
    };
    for hangs_up in [false, true] {
        let mut scene = Scene::with_call();
        scene.command(Command::Answer { leg: LegNo::CALLER });
        for (key, value) in [("box", "office"), ("call-back-by", "2026-11-30 10:00")] {
            scene.command(Command::Tag { key: key.into(), value: value.into() });
        }
        scene.take();
        scene.command(Command::RecordMessage { leg: LegNo::CALLER, most: secs(60), silence: secs(4) });
        let token = sounds(&scene.take(), scene.caller).into_iter().find_map(|sound| match sound {
            Sound::Record { token, .. } => Some(token),
            _ => None,
        });
        scene.pass(secs(7));
        match hangs_up {
            true => scene.event(scene.caller, Event::Ended),
            false => {
                let token = token.expect("it is recorded");
                scene.event(scene.caller, Event::Recorded { token, length: secs(11) });
            }
        }
        let left = message(scene.take()).expect("a message");
        assert_eq!((left.mailbox.as_deref(), left.length), (Some("office"), secs(7)));
        assert_eq!(left.recording, format!("{}-1-message", scene.call));
        assert_eq!(left.call_back_by.as_deref(), Some("2026-11-30 10:00"));
        assert_eq!(left.from.number, "+359888123456");
    }
}

#[test]
fn what_a_box_s_owner_says_as_a_greeting_is_no_message() {
    let mut scene = Scene::with_call();
    scene.command(Command::Answer { leg: LegNo::CALLER });
    scene.command(Command::Tag { key: "greeting".into(), value: "office".into() });
    scene.command(Command::RecordMessage { leg: LegNo::CALLER, most: secs(60), silence: secs(4) });
    scene.take();
    scene.event(scene.caller, Event::Ended);
    assert!(!scene.take().iter().any(|effect| matches!(effect, Effect::MessageLeft(_))));
    scene.finish(Finish::HungUp);
    let record = scene.record();
    assert_eq!((record.outcome, record.recordings.len()), (Outcome::Abandoned, 1));
}

#[test]
fn the_last_resort_s_message_goes_to_its_box() {
    let mut scene = Scene::with_fallback(vec![Fallback::Voicemail("night".into())]);
    scene.finish(Finish::Failed { why: "trap".into() });
    let effects = scene.take();
    let beep = sounds(&effects, scene.caller).into_iter().find_map(|sound| match sound {
        Sound::Play { token, .. } => Some(token),
        _ => None,
    });
    scene.event(scene.caller, Event::PlayEnded(beep.expect("a tone")));
    scene.pass(secs(5));
    scene.event(scene.caller, Event::Ended);
    let left = scene.take().into_iter().find_map(|effect| match effect {
        Effect::MessageLeft(left) => left.mailbox,
        _ => None,
    });
    assert_eq!(left.as_deref(), Some("night"));
}
