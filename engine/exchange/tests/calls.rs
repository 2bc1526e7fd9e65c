//! What a caller, a script and an agent must see of calls, in virtual time.

mod support;

use exchange::*;
use support::*;

const ELSEWHERE: Signal = Signal::HangUp(Cause::AnsweredElsewhere);

fn refused(status: u16) -> Event {
    Event::Refused { status, silent: false }
}

#[test]
fn the_first_to_answer_wins_and_the_others_stop_as_answered_elsewhere() {
    let mut stage = Scene::with_call();
    stage.command(dial(&[(0, &["ana", "boris", "vera"])], false));
    let rung = stage.invited();
    let names: Vec<&str> = rung.iter().map(|(_, to)| to.as_str()).collect();
    assert_eq!(names, ["ana/0", "boris/0", "vera/0", "vera/1"], "every device of every user");
    stage.event(rung[0].0, Event::Ringing { early_media: false });
    assert_eq!(stage.signals(), [(stage.caller, Signal::Ring)], "the caller hears it ring, unanswered");
    stage.event(rung[1].0, Event::Ringing { early_media: false });
    assert_eq!(stage.signals(), [], "once is enough");

    stage.event(rung[2].0, Event::Answered);
    let effects = stage.take();
    let Some(Effect::Reply { answer: Answer::Leg(leg), .. }) = effects.last() else { panic!("{effects:?}") };
    assert_eq!(leg.user.as_deref(), Some("vera"));
    for (at, (key, _)) in rung.iter().enumerate() {
        let stopped = effects.contains(&Effect::Signal(*key, ELSEWHERE));
        assert_eq!(stopped, at != 2, "leg {at}");
    }
    // A second answer that crossed the cancel reaches nobody.
    stage.event(rung[0].0, Event::Answered);
    assert_eq!(stage.take(), []);

    let agent = leg.leg;
    stage.command(Command::Bridge { a: LegNo::CALLER, b: agent, keys: String::new() });
    assert!(stage.signals().contains(&(stage.caller, Signal::Answer)), "a bridge answers the caller");
    stage.pass(secs(60));
    stage.event(rung[2].0, Event::Ended);
    assert_eq!(stage.answer(), Some(Answer::BridgeEnded(BridgeEnd::BHungUp)));
    stage.finish(Finish::Returned);
    let record = stage.record();
    assert_eq!(record.outcome, Outcome::Answered);
    assert_eq!(record.answered_by.as_deref(), Some("vera"));
    assert_eq!((record.wait, record.talk), (secs(0), secs(60)));
    let ends: Vec<&str> = record.legs.iter().map(|leg| leg.end.as_str()).collect();
    assert_eq!(
        ends,
        ["hung up", "answered elsewhere", "answered elsewhere", "hung up", "answered elsewhere"]
    );
}

#[test]
fn stages_begin_at_their_time_or_early_when_all_before_have_failed() {
    let mut stage = Scene::with_call();
    stage.command(dial(&[(0, &["ana"]), (10, &["boris"]), (20, &["vera"])], false));
    let ana = stage.invited()[0].0;
    stage.pass(secs(3));
    assert_eq!(stage.invited(), []);
    stage.event(ana, refused(486));
    let boris = stage.invited();
    assert_eq!(boris[0].1, "boris/0", "nobody rings, so the second stage need not wait for 10 s");
    stage.pass(secs(17));
    assert_eq!(stage.invited()[0].1, "vera/0", "at 20 s, with boris still ringing");
    stage.pass(secs(10));
    let effects = stage.take();
    let ended = |key: LegKey| effects.contains(&Effect::Signal(key, Signal::HangUp(Cause::Q850(19))));
    assert!(ended(boris[0].0), "at 30 s everyone stops ringing");
    let replies: Vec<_> = effects.iter().filter(|effect| matches!(effect, Effect::Reply { .. })).collect();
    let busy = Effect::Reply { call: stage.call, answer: Answer::Failed(Failure::Busy) };
    assert_eq!(replies, [&busy], "busy says more than no answer");
}

#[test]
fn busy_users_are_passed_over_without_ringing_and_nobody_registered_is_unreachable() {
    let mut stage = Scene::with_call();
    stage.command(dial(&[(0, &["boris"])], false));
    let boris = stage.invited()[0].0;
    stage.event(boris, Event::Answered);
    stage.take();
    let first = stage.call;
    let (second, _) = stage.arrive(vec![]);
    stage.call = second;
    stage.take();
    stage.command(Command::FindUser { name_or_number: "102".into() });
    let Some(Answer::Users(users)) = stage.answer() else { panic!("no users") };
    assert_eq!((users[0].name.as_str(), users[0].presence), ("boris", Presence::Busy));
    stage.command(dial(&[(0, &["boris"])], true));
    assert_eq!(stage.answer(), failed(Failure::Busy));
    stage.command(dial(&[(0, &["goran"])], true));
    assert_eq!(stage.answer(), failed(Failure::Unreachable));
    stage.command(dial(&[(0, &["nobody"])], true));
    assert_eq!(stage.answer(), failed(Failure::NotFound("nobody".into())));
    stage.call = first;
    stage.finish(Finish::Returned);
    stage.take();
    stage.call = second;
    stage.command(Command::FindUser { name_or_number: "boris".into() });
    let Some(Answer::Users(users)) = stage.answer() else { panic!("no users") };
    assert_eq!(users[0].presence, Presence::Free, "free again when the call is over");
}

#[test]
fn a_carrier_that_refuses_with_5xx_or_keeps_silent_is_skipped_unheard() {
    let mut stage = Scene::with_call();
    stage.command(dial_number("+359888000101"));
    let first = stage.invited();
    assert_eq!(first[0].1, "+359888000101@first");
    stage.event(first[0].0, refused(503));
    let second = stage.invited();
    assert_eq!(second[0].1, "+359888000101@second");
    stage.pass(secs(3));
    assert_eq!(stage.take(), [], "the caller hears nothing of it");
    stage.pass(secs(1));
    assert_eq!(stage.answer(), failed(Failure::Refused(503)), "4 s without even 100, and no third carrier");

    // A carrier that said 100 may take its time, and a busy number is busy everywhere.
    stage.command(dial_number("+359888000101"));
    let first = stage.invited()[0].0;
    stage.event(first, Event::Trying);
    stage.pass(secs(20));
    stage.event(first, refused(486));
    assert_eq!(stage.answer(), failed(Failure::Busy));

    stage.shop.trunks[0].in_service = false;
    stage.command(dial_number("+359888000101"));
    assert_eq!(stage.invited()[0].1, "+359888000101@second", "a carrier out of service is not tried");
}

#[test]
fn a_carrier_that_takes_a_call_and_does_not_ring_in_its_time_is_skipped_while_another_is_left() {
    let mut stage = Scene::with_call();
    stage.shop.rings_within = Some(secs(8));
    stage.command(dial_number("+359888000101"));
    let first = stage.invited()[0].0;
    stage.event(first, Event::Trying);
    stage.pass(secs(7));
    assert_eq!(stage.take(), [], "it is still in time");
    stage.pass(secs(1));
    let effects = stage.take();
    assert!(effects.contains(&Effect::Signal(first, Signal::HangUp(Cause::DOES_NOT_RING))), "{effects:?}");
    let invites = |effect: &Effect| match effect {
        Effect::Signal(leg, Signal::Invite(invite)) => Some((*leg, where_to(&invite.to))),
        _ => None,
    };
    let (second, to) = effects.iter().find_map(invites).expect("the next carrier is asked");
    assert_eq!(to, "+359888000101@second");
    stage.event(second, Event::Trying);
    stage.pass(secs(15));
    assert!(!stage.signals().iter().any(|(leg, _)| *leg == second), "nobody else would ring sooner");
    stage.event(second, Event::Ringing { early_media: false });
    stage.event(second, Event::Answered);
    assert!(matches!(stage.answer(), Some(Answer::Leg(_))));

    // One that rings in time may ring for as long as the dial lasts.
    let mut stage = Scene::with_call();
    stage.shop.rings_within = Some(secs(8));
    stage.command(dial_number("+359888000101"));
    let first = stage.invited()[0].0;
    stage.event(first, Event::Ringing { early_media: false });
    stage.pass(secs(12));
    stage.event(first, Event::Answered);
    assert!(matches!(stage.answer(), Some(Answer::Leg(_))));
}

#[test]
fn a_carrier_with_all_channels_taken_is_skipped() {
    let mut stage = Scene::with_call(); // this call came in through "first"
    stage.shop.trunks[0].channels = 1;
    stage.command(dial_number("+359888000101"));
    assert_eq!(stage.invited()[0].1, "+359888000101@second");
}

#[test]
fn gather_takes_keys_pressed_ahead_cuts_the_prompt_and_ends_by_time() {
    let mut stage = Scene::with_call();
    stage.command(Command::Answer { leg: LegNo::CALLER });
    assert_eq!(stage.answer(), Some(Answer::Done));
    let gather = |most| Command::Gather {
        leg: LegNo::CALLER,
        options: Gather {
            prompts: vec![Prompt::Recording("welcome".into())],
            most,
            terminator: None,
            first: secs(5),
            between: secs(2),
        },
    };
    let gathered = |digits: &str, ended| Some(Answer::Gathered { digits: digits.into(), ended });
    stage.event(stage.caller, Event::Digit('3'));
    stage.command(gather(1));
    assert_eq!(stage.answer(), gathered("3", EndOfDigits::Enough), "without a word of the prompt");

    stage.command(gather(2));
    let played = stage.take();
    assert!(
        matches!(&played[..], [.., Effect::Sound(_, Sound::Play { cut_by_key: true, .. })]),
        "{played:?}"
    );
    stage.event(stage.caller, Event::Digit('7'));
    assert_eq!(stage.take(), [Effect::Sound(stage.caller, Sound::Stop)], "the key cuts the prompt");
    stage.pass(secs(2));
    assert_eq!(stage.answer(), gathered("7", EndOfDigits::TimeOut));

    stage.command(gather(1));
    let token = stage.take().into_iter().find_map(|effect| match effect {
        Effect::Sound(_, Sound::Play { token, .. }) => Some(token),
        _ => None,
    });
    stage.pass(secs(60));
    assert_eq!(stage.answer(), None, "the first-key time has not begun");
    stage.event(stage.caller, Event::PlayEnded(token.expect("it plays")));
    stage.pass(secs(5));
    assert_eq!(stage.answer(), gathered("", EndOfDigits::TimeOut));
}

#[test]
fn whatever_verb_waits_ends_with_hung_up_when_the_caller_leaves() {
    let waits = [
        Command::Play { leg: LegNo::CALLER, what: vec![Prompt::Music("hold".into())], cut_by_key: false },
        Command::Sleep { length: secs(9) },
        fetch(9),
        Command::RecordMessage { leg: LegNo::CALLER, most: secs(9), silence: secs(2) },
        Command::SendDigits { leg: LegNo::CALLER, digits: "12".into() },
        dial(&[(0, &["ana", "boris"])], false),
    ];
    for command in waits {
        let mut stage = Scene::with_call();
        stage.command(Command::Answer { leg: LegNo::CALLER });
        stage.take();
        stage.command(command.clone());
        let rung = stage.effects.clone();
        stage.event(stage.caller, Event::Ended);
        assert_eq!(stage.answer(), failed(Failure::HungUp), "{command:?}");
        stage.command(Command::Sleep { length: secs(1) });
        assert_eq!(stage.answer(), failed(Failure::HungUp), "and so does the next one");
        stage.command(Command::Tag { key: "left".into(), value: "early".into() });
        assert_eq!(stage.answer(), Some(Answer::Done), "marks can still be made");
        stage.finish(Finish::HungUp);
        let record = stage.record();
        assert_eq!(record.tags, [("left".to_string(), "early".to_string())]);
        assert!(record.legs.iter().all(|leg| leg.ended.is_some()), "{rung:?}");
    }
}

#[test]
fn whoever_answered_can_be_asked_for_a_key_when_the_caller_has_left() {
    let mut stage = Scene::with_call();
    stage.command(dial(&[(0, &["ana"])], false));
    let ana = stage.invited()[0].0;
    stage.event(ana, Event::Answered);
    stage.command(Command::Bridge { a: LegNo::CALLER, b: LegNo(1), keys: String::new() });
    stage.take();
    stage.pass(secs(30));
    stage.event(stage.caller, Event::Ended);
    assert_eq!(stage.answer(), Some(Answer::BridgeEnded(BridgeEnd::AHungUp)));
    let gather = |leg| Command::Gather {
        leg,
        options: Gather {
            prompts: vec![Prompt::Recording("what-was-it".into())],
            most: 1,
            terminator: None,
            first: secs(5),
            between: secs(2),
        },
    };
    stage.command(gather(LegNo::CALLER));
    assert_eq!(stage.answer(), failed(Failure::HungUp), "there is no caller to ask");
    stage.command(gather(LegNo(1)));
    let played = stage.take();
    let heard = |effect: &Effect| matches!(effect, Effect::Sound(key, Sound::Play { .. }) if *key == ana);
    assert!(played.iter().any(heard), "{played:?}");
    stage.pass(secs(3));
    stage.event(ana, Event::Digit('2'));
    assert_eq!(stage.answer(), Some(Answer::Gathered { digits: "2".into(), ended: EndOfDigits::Enough }));
    // An agent who hangs up instead says nothing.
    stage.command(gather(LegNo(1)));
    stage.take();
    stage.event(ana, Event::Ended);
    assert_eq!(stage.answer(), failed(Failure::HungUp));
    stage.pass(secs(1));
    stage.finish(Finish::Returned);
    let record = stage.record();
    assert_eq!((record.outcome, record.talk), (Outcome::Answered, secs(30)), "what is asked then is no talk");
}

#[test]
fn talk_lasts_until_the_last_conversation_ends_and_no_longer() {
    let bridge = |with| Command::Bridge { a: LegNo::CALLER, b: LegNo(with), keys: "#".into() };
    let mut stage = Scene::with_call();
    stage.pass(secs(5));
    for (number, name) in [(1, "ana"), (2, "boris")] {
        stage.command(dial(&[(0, &[name])], false));
        let agent = stage.invited()[0].0;
        stage.event(agent, Event::Answered);
        stage.take();
        stage.command(bridge(number));
        stage.pass(secs(30));
        stage.take();
        stage.event(
            if name == "ana" { stage.caller } else { agent },
            match name {
                "ana" => Event::Digit('#'),
                _ => Event::Ended,
            },
        );
        stage.take();
        stage.pass(secs(7));
    }
    // The caller tells a machine how it was.
    stage.command(Command::RecordMessage { leg: LegNo::CALLER, most: secs(60), silence: secs(5) });
    stage.pass(secs(20));
    stage.event(stage.caller, Event::Ended);
    stage.take();
    stage.pass(secs(1));
    stage.finish(Finish::HungUp);
    let record = stage.record();
    assert_eq!((record.wait, record.talk), (secs(5), secs(30 + 7 + 30)));
    assert!((record.ended - record.started - 100.0).abs() < 0.001, "5 + 30 + 7 + 30 + 7 + 20 + 1 s in all");
}

#[test]
fn nobody_waits_or_talks_when_the_caller_has_left_and_a_script_cleans_up() {
    for (answers, expected) in [(false, (secs(40), secs(0))), (true, (secs(10), secs(30)))] {
        let mut stage = Scene::with_call();
        stage.pass(secs(10));
        if answers {
            stage.command(Command::Answer { leg: LegNo::CALLER });
        }
        stage.command(Command::Sleep { length: secs(60) });
        stage.pass(secs(30));
        stage.event(stage.caller, Event::Ended);
        stage.pass(secs(2));
        stage.take();
        stage.finish(Finish::HungUp);
        let record = stage.record();
        assert_eq!((record.wait, record.talk), expected);
    }
}

/// A request that may take so many seconds.
fn fetch(seconds: u64) -> Command {
    Command::Fetch(Box::new(Fetch {
        method: FetchMethod::Get,
        url: "https://crm.example/".into(),
        headers: Vec::new(),
        body: Vec::new(),
        timeout: secs(seconds),
        redirects: 0,
    }))
}

#[test]
fn a_request_waits_for_its_answer_or_its_time_and_an_answer_that_comes_too_late_is_none() {
    let mut stage = Scene::with_call();
    let answer = || Answer::Fetched(Box::new(Fetched { status: 200, ..Fetched::default() }));
    stage.command(fetch(9));
    stage.pass(secs(8));
    assert_eq!(stage.answer(), None);
    stage.fetched(answer());
    assert_eq!(stage.answer(), Some(answer()));
    stage.command(fetch(9));
    stage.pass(secs(9));
    assert_eq!(stage.answer(), failed(Failure::TimedOut));
    stage.fetched(answer());
    assert_eq!(stage.answer(), None);
    // Another verb is not answered by it.
    stage.command(Command::Sleep { length: secs(5) });
    stage.fetched(answer());
    assert_eq!(stage.answer(), None);
    stage.pass(secs(5));
    assert_eq!(stage.answer(), Some(Answer::Done));
}

#[test]
fn a_caller_who_leaves_while_it_rings_stops_every_phone() {
    let mut stage = Scene::with_call();
    stage.command(dial(&[(0, &["ana", "boris"])], false));
    let rung = stage.invited();
    stage.event(stage.caller, Event::Ended);
    let signals = stage.signals();
    for (key, _) in rung {
        assert!(signals.contains(&(key, Signal::HangUp(Cause::Q850(16)))));
    }
    stage.finish(Finish::HungUp);
    assert_eq!(stage.record().outcome, Outcome::Abandoned);
}

#[test]
fn a_script_that_fails_leaves_its_call_to_the_fallback() {
    let last_resort = vec![
        Fallback::Ring(user("goran")),
        Fallback::Ring(user("ana")),
        Fallback::Ring(Target::Number("+359888000101".into())),
        Fallback::Voicemail("office".into()),
    ];
    let mut stage = Scene::with_fallback(last_resort);
    stage.take();
    stage.finish(Finish::Failed { why: "wasm trap: unreachable".into() });
    let ana = stage.invited();
    assert_eq!(ana[0].1, "ana/0", "goran has no phone, so ana rings at once");
    stage.event(ana[0].0, refused(486));
    let mobile = stage.invited();
    assert_eq!(mobile[0].1, "+359888000101@first");
    stage.event(mobile[0].0, Event::Answered);
    assert!(stage.signals().contains(&(stage.caller, Signal::Answer)), "and both talk");
    stage.event(stage.caller, Event::Ended);
    let record = stage.record();
    assert_eq!(record.outcome, Outcome::Answered);
    assert_eq!(record.answered_by.as_deref(), Some("+359888000101"));
    assert_eq!(record.failure.as_deref(), Some("wasm trap: unreachable"));
}

#[test]
fn the_last_resort_takes_a_message_and_without_one_the_caller_is_refused() {
    let mut stage = Scene::with_fallback(vec![Fallback::Voicemail("office".into())]);
    stage.take();
    stage.finish(Finish::Failed { why: "no such script".into() });
    let token = |effects: &[Effect]| {
        effects.iter().find_map(|effect| match effect {
            Effect::Sound(_, Sound::Play { token, .. } | Sound::Record { token, .. }) => Some(*token),
            _ => None,
        })
    };
    let beep = token(&stage.take()).expect("a tone");
    stage.event(stage.caller, Event::PlayEnded(beep));
    let message = token(&stage.take()).expect("a recording");
    stage.event(stage.caller, Event::Recorded { token: message, length: secs(7) });
    let record = stage.record();
    assert_eq!(record.outcome, Outcome::Voicemail);
    assert_eq!(record.tags, [("voicemail".to_string(), "office".to_string())]);
    assert_eq!(record.recordings.len(), 1);

    let mut stage = Scene::with_call();
    stage.take();
    stage.finish(Finish::Failed { why: "no such script".into() });
    let refusal = Signal::Refuse { status: 480, reason: "Temporarily Unavailable".into() };
    assert!(stage.effects.contains(&Effect::Signal(stage.caller, refusal)));
    assert_eq!(stage.record().outcome, Outcome::Failed);
}

#[test]
fn a_hand_over_starts_the_next_script_with_its_settings_and_ends_the_dialled_legs() {
    let mut stage = Scene::with_call();
    stage.command(dial(&[(0, &["ana"])], false));
    let ana = stage.invited()[0].0;
    stage.event(ana, Event::Answered);
    let over = Command::HandOver { script: "strowger/menu".into(), settings: "{\"a\":1}".into() };
    stage.command(over);
    stage.take();
    stage.finish(Finish::Returned);
    let effects = stage.take();
    assert!(effects.contains(&Effect::Signal(ana, Signal::HangUp(Cause::Q850(16)))));
    let Some(Effect::Start { script, settings, .. }) = effects.last() else { panic!("{effects:?}") };
    assert_eq!((script.as_str(), settings.as_str()), ("strowger/menu", "{\"a\":1}"));
    stage.finish(Finish::Returned);
    assert_eq!(stage.record().script, "reception", "the record names who took the call first");
}

#[test]
fn a_leg_bridged_with_itself_hears_itself() {
    let mut stage = Scene::with_call();
    stage.command(Command::Bridge { a: LegNo::CALLER, b: LegNo::CALLER, keys: "#".into() });
    let effects = stage.take();
    assert!(effects.contains(&Effect::Sound(stage.caller, Sound::Relay(stage.caller))));
    stage.event(stage.caller, Event::Digit('#'));
    assert_eq!(stage.answer(), Some(Answer::BridgeEnded(BridgeEnd::Digit('#'))));
}

#[test]
fn hold_by_one_phone_gives_the_other_music_and_resume_joins_them_again() {
    let mut stage = Scene::with_call();
    stage.command(dial(&[(0, &["ana"])], false));
    let ana = stage.invited()[0].0;
    stage.event(ana, Event::Answered);
    stage.command(Command::Bridge { a: LegNo::CALLER, b: LegNo(1), keys: String::new() });
    stage.take();
    stage.event(ana, Event::Held);
    let sounds = stage.take();
    assert!(sounds.contains(&Effect::Sound(ana, Sound::Unrelay)));
    let music = |effect: &Effect| matches!(effect, Effect::Sound(key, Sound::Play { looped: true, .. }) if *key == stage.caller);
    assert!(sounds.iter().any(music), "{sounds:?}");
    stage.event(ana, Event::Resumed);
    assert!(stage.take().contains(&Effect::Sound(stage.caller, Sound::Relay(ana))));
}

#[test]
fn a_tenant_at_its_limit_refuses_the_next_call_with_503_and_takes_the_one_after_an_end() {
    let mut stage = Scene::with_call();
    stage.shop.limits = CallLimits { concurrent_calls: 1, ..LIMITS };
    stage.take();
    let (_, leg) = stage.arrive(vec![]);
    let refusal = Signal::Refuse { status: 503, reason: "Service Unavailable".into() };
    assert_eq!(stage.signals(), [(leg, refusal)]);
    stage.event(stage.caller, Event::Ended);
    stage.finish(Finish::HungUp);
    stage.take();
    stage.arrive(vec![]);
    assert!(matches!(stage.take()[..], [Effect::Note(_), Effect::Start { .. }]));
}

#[test]
fn a_call_as_old_as_the_tenant_allows_is_hung_up_and_its_script_hears_it() {
    let mut stage = Scene::with_call();
    stage.command(Command::Bridge { a: LegNo::CALLER, b: LegNo::CALLER, keys: String::new() });
    stage.take();
    stage.pass(LIMITS.call_length);
    let effects = stage.take();
    assert!(effects.contains(&Effect::Signal(stage.caller, Signal::HangUp(Cause::Q850(16)))), "{effects:?}");
    let end = Answer::BridgeEnded(BridgeEnd::AHungUp);
    assert!(effects.contains(&Effect::Reply { call: stage.call, answer: end }));
    stage.finish(Finish::Returned);
    assert_eq!(stage.record().talk, LIMITS.call_length);
}

#[test]
fn a_call_has_as_many_legs_as_the_tenant_allows() {
    let mut stage = Scene::with_call();
    stage.shop.limits = CallLimits { legs_per_call: 2, ..LIMITS };
    let (call, _) = stage.arrive(vec![]);
    stage.call = call;
    stage.take();
    stage.command(dial(&[(0, &["ana", "boris"])], false));
    let rung = stage.invited();
    assert_eq!(rung.len(), 1, "the caller is the first of the two");
    stage.event(rung[0].0, refused(408));
    assert_eq!(stage.answer(), failed(Failure::NoAnswer));
    stage.command(dial(&[(0, &["ana"])], false));
    assert_eq!(stage.answer(), failed(Failure::Limit("legs_per_call".into())));
}

#[test]
fn phones_that_rang_and_a_refusal_after_it_are_a_missed_call() {
    let mut stage = Scene::with_call();
    stage.command(dial(&[(0, &["ana"])], false));
    let ana = stage.invited()[0].0;
    stage.event(ana, refused(486));
    stage.command(Command::Reject { leg: LegNo::CALLER, status: 486, reason: "Busy Here".into() });
    stage.take();
    stage.finish(Finish::Returned);
    assert_eq!(stage.record().outcome, Outcome::Missed);
}

#[test]
fn arguments_that_make_no_sense_are_named() {
    let mut stage = Scene::with_call();
    let asks = [
        (Command::Reject { leg: LegNo::CALLER, status: 200, reason: String::new() }, "status"),
        (Command::SendDigits { leg: LegNo::CALLER, digits: "12x".into() }, "digits"),
        (Command::Answer { leg: LegNo(9) }, "leg"),
        (dial(&[], false), "stages"),
        (Command::Tag { key: String::new(), value: String::new() }, "tag"),
    ];
    for (command, word) in asks {
        stage.take();
        stage.command(command.clone());
        let Some(Answer::Failed(Failure::Invalid(why))) = stage.answer() else { panic!("{command:?}") };
        assert!(why.starts_with(word), "{why}");
    }
}
