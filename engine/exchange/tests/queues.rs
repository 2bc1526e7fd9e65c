//! What callers, agents and scripts must see of queues, in virtual time.

mod support;

use exchange::strategy::*;
use exchange::*;
use support::office::*;
use support::*;

const ELSEWHERE: Signal = Signal::HangUp(Cause::AnsweredElsewhere);

fn stops(effects: &[Effect], leg: LegKey) -> bool {
    effects.iter().any(|effect| matches!(effect, Effect::Signal(key, Signal::HangUp(_)) if *key == leg))
}

#[test]
fn a_caller_hears_music_is_connected_and_the_agent_wraps_up() {
    let mut plan = plan("sales", &["ana"]);
    plan.wrap_up = secs(30);
    let mut office = Office::new(&["ana"], vec![plan]);
    office.house.people.get_mut("ana").unwrap().devices = 0;
    office.people_changed();
    assert_eq!(office.state("ana"), AgentState::Offline);

    let caller = office.caller_waits("sales");
    let effects = office.take();
    assert!(effects.contains(&Effect::Signal(caller.leg, Signal::Answer)), "whoever waits is answered");
    let music = |effect: &Effect| {
        matches!(effect, Effect::Sound(leg, Sound::Play { what, looped: true, .. })
            if *leg == caller.leg && *what == [Prompt::Music("queue".into())])
    };
    assert!(effects.iter().any(music));
    office.command(caller.call, Command::Position { place: caller.place });
    assert_eq!(
        office.answer(caller.call),
        Some(Answer::Failed(Failure::Other("another verb is under way".into())))
    );
    office.take();

    office.pass(secs(8));
    office.house.people.get_mut("ana").unwrap().devices = 1;
    office.people_changed();
    assert_eq!(office.state("ana"), AgentState::Offered);
    let rung = office.rung();
    assert_eq!(rung[0].0, "ana/0", "rung as soon as her telephone is registered");
    assert_eq!(rung[0].2, caller.call, "her leg belongs to the caller's call");
    office.connect(&caller, rung[0].1);
    assert_eq!(office.state("ana"), AgentState::Talking);
    assert_eq!(office.told("queue.left", "reason"), ["answered"]);
    assert!(office.effects.contains(&Effect::Sound(caller.leg, Sound::Stop)), "the music ends");

    office.pass(secs(60));
    office.event(rung[0].1, Event::Ended);
    assert_eq!(office.answer(caller.call), Some(Answer::BridgeEnded(BridgeEnd::BHungUp)));
    assert_eq!(office.state("ana"), AgentState::WrapUp);
    office.take();
    let second = office.caller_waits("sales");
    office.pass(secs(29));
    assert_eq!(office.rung(), [], "she is let finish");
    office.pass(secs(1));
    assert_eq!(office.rung()[0].2, second.call);

    let today = office.queue("sales").today;
    assert_eq!((today.entered, today.answered, today.answered_in_time), (2, 1, 1));
    assert_eq!(today.speed_of_answer(), Some(secs(8)));
    assert_eq!(office.queue("sales").service, Some(secs(90)), "60 s of talk and 30 s of wrap-up");
    let ana = office.exchange.agents(office.now, "shop").remove(0);
    assert_eq!((ana.offered, ana.answered, ana.talked), (2, 1, secs(60)));
}

#[test]
fn what_an_agent_is_asked_when_the_caller_has_left_is_work_and_no_talk() {
    let mut plan = plan("sales", &["ana"]);
    plan.wrap_up = secs(30);
    let mut office = Office::new(&["ana"], vec![plan]);
    let caller = office.caller_waits("sales");
    let ana = office.rung()[0].1;
    let leg = office.connect(&caller, ana);
    office.pass(secs(60));
    office.event(caller.leg, Event::Ended);
    assert_eq!(office.answer(caller.call), Some(Answer::BridgeEnded(BridgeEnd::AHungUp)));
    office.command(
        caller.call,
        Command::Play { leg, what: vec![Prompt::Recording("what".into())], cut_by_key: true },
    );
    office.pass(secs(8));
    assert_eq!(office.state("ana"), AgentState::Talking, "her telephone is off the hook");
    office.take();
    office.event(ana, Event::Ended);
    assert_eq!(office.state("ana"), AgentState::WrapUp);
    office.finish(caller.call, Finish::Returned);
    assert_eq!(office.records()[0].talk, secs(60));
    let view = office.exchange.agents(office.now, "shop").remove(0);
    assert_eq!((view.answered, view.talked), (1, secs(60)));
    office.pass(secs(29));
    assert_eq!(office.state("ana"), AgentState::WrapUp, "which is as long as ever");
    office.pass(secs(1));
    assert_eq!(office.state("ana"), AgentState::Available);
    assert_eq!(office.queue("sales").service, Some(secs(60 + 8 + 30)), "so long the next one waits for her");
}

#[test]
fn the_first_of_many_wins_and_the_others_have_missed_nothing() {
    let mut office = Office::new(&["ana", "boris", "vera"], vec![plan("sales", &["ana", "boris", "vera"])]);
    office.strategy = ring_all;
    let caller = office.caller_waits("sales");
    let rung = office.rung();
    assert_eq!(rung.iter().map(|(to, ..)| to.as_str()).collect::<Vec<_>>(), ["ana/0", "boris/0", "vera/0"]);
    office.connect(&caller, rung[1].1);
    let effects = office.effects.clone();
    for at in [0, 2] {
        assert!(effects.contains(&Effect::Signal(rung[at].1, ELSEWHERE)));
    }
    assert_eq!(office.told("queue.missed", "agent"), [""; 0]);
    assert_eq!(office.state("ana"), AgentState::Available);
    // Her 200 crossed our CANCEL: it reaches nobody, and the caller has one agent still.
    office.take();
    office.event(rung[0].1, Event::Answered);
    assert_eq!(office.take(), []);
    assert_eq!(office.exchange.agents(office.now, "shop")[0].missed_in_a_row, 0);
}

#[test]
fn a_caller_who_leaves_while_it_rings_frees_the_agent_for_the_next() {
    let mut office = Office::new(&["ana"], vec![plan("sales", &["ana"])]);
    let first = office.caller_waits("sales");
    let ana = office.rung()[0].1;
    let second = office.caller_waits("sales");
    office.pass(secs(3));
    office.take();
    office.event(first.leg, Event::Ended);
    assert!(stops(&office.effects, ana));
    assert_eq!(office.answer(first.call), Some(Answer::Failed(Failure::HungUp)));
    assert_eq!(office.told("queue.left", "reason"), ["abandoned"]);
    assert_eq!(office.told("queue.missed", "agent"), [""; 0], "not her fault");
    assert_eq!(office.rung()[0].2, second.call);
    office.finish(first.call, Finish::HungUp);
    let record = office.take().into_iter().find_map(|effect| match effect {
        Effect::Over(record) => Some(*record),
        _ => None,
    });
    assert_eq!(record.unwrap().outcome, Outcome::Abandoned);
}

#[test]
fn an_agent_who_vanishes_before_the_bridge_gives_the_place_back_where_it_was() {
    let mut office = Office::new(&["ana", "boris"], vec![plan("sales", &["ana", "boris"])]);
    office.set_agent("boris", AgentWish::Paused { reason: "lunch".into() }).unwrap();
    let first = office.caller_waits("sales");
    let ana = office.rung()[0].1;
    office.pass(secs(1));
    let second = office.caller_waits("sales");
    office.event(ana, Event::Answered);
    let Some(Answer::Waited(Waited::Connected(leg))) = office.answer(first.call) else { panic!() };
    assert_eq!(office.queue("sales").waiting.len(), 1);
    office.event(ana, Event::Ended);
    office.command(first.call, Command::Bridge { a: LegNo::CALLER, b: leg.leg, keys: String::new() });
    assert_eq!(office.answer(first.call), Some(Answer::Failed(Failure::HungUp)));
    let line: Vec<_> = office.queue("sales").waiting.iter().map(|caller| caller.call.unwrap()).collect();
    assert_eq!(line, [first.call, second.call]);
    office.command(first.call, wait(first.place, ""));
    office.take();
    office.set_agent("boris", AgentWish::Available).unwrap();
    let rung = office.rung();
    assert_eq!(rung[0].2, first.call);
    office.connect(&first, rung[0].1);
    assert_eq!(office.queue("sales").today.answered, 1);
}

#[test]
fn what_the_script_does_with_a_waiting_caller_ends_early_for_an_agent() {
    let mut office = Office::new(&["ana"], vec![plan("sales", &["ana"])]);
    let caller = office.caller_enters("sales", None, 0);
    let ana = office.rung()[0].1;
    let words = vec![Prompt::Recording("a long story".into())];
    office.command(caller.call, Command::Play { leg: LegNo::CALLER, what: words, cut_by_key: false });
    office.take();
    office.event(ana, Event::Answered);
    assert_eq!(office.answer(caller.call), Some(Answer::Done));
    assert!(office.effects.contains(&Effect::Sound(caller.leg, Sound::Stop)));
    office.command(caller.call, wait(caller.place, ""));
    let Some(Answer::Waited(Waited::Connected(leg))) = office.answer(caller.call) else { panic!() };
    assert_eq!(leg.user.as_deref(), Some("ana"));
    office.command(caller.call, wait(caller.place, ""));
    assert!(matches!(office.answer(caller.call), Some(Answer::Failed(Failure::Invalid(_)))));

    // The next script never comes back for its agent: she is let go, and the place returns.
    office.finish(caller.call, Finish::Returned);
    office.take();
    let caller = office.caller_enters("sales", None, 0);
    let ana = office.rung()[0].1;
    office.command(caller.call, Command::Sleep { length: secs(60) });
    office.event(ana, Event::Answered);
    office.pass(secs(9));
    assert_eq!(office.state("ana"), AgentState::Talking);
    office.take();
    office.pass(secs(1));
    assert!(stops(&office.effects, ana));
    assert_eq!(office.queue("sales").waiting.len(), 1);
    assert_eq!(office.answer(caller.call), None, "it sleeps on");
    office.pass(secs(10));
    assert_eq!(office.rung().len(), 1, "and she is rung again after the delay of a refusal");
}

#[test]
fn keys_are_the_scripts_first_then_the_strategys_and_an_announcement_eats_none() {
    let mut office = Office::new(&[], vec![plan("sales", &[])]);
    office.strategy = |question| match question.about {
        About::Announce { said, .. } if said.is_zero() => {
            Ok(Decided::Announcement(Announcement { say: vec![Prompt::Position(1)], again: Some(secs(30)) }))
        }
        About::Announce { said, .. } => {
            assert_eq!(said, secs(30));
            Ok(Decided::Announcement(Announcement { say: vec![Prompt::Text("again".into())], again: None }))
        }
        About::OnDigit { key: '2', .. } => Ok(Decided::KeyAction(KeyAction::Ask("voicemail".into()))),
        About::OnDigit { key: '3', .. } => {
            Ok(Decided::KeyAction(KeyAction::Say(vec![Prompt::Text("three".into())])))
        }
        _ => in_order(question),
    };
    let caller = office.caller_enters("sales", None, 0);
    office.take();
    office.command(caller.call, wait(caller.place, "1"));
    let played = |office: &mut Office| -> Vec<(Prompt, Token)> {
        let plays = office.take().into_iter().filter_map(|effect| match effect {
            Effect::Sound(_, Sound::Play { what, token, .. }) => Some((what[0].clone(), token)),
            _ => None,
        });
        plays.collect()
    };
    let heard = played(&mut office);
    assert_eq!(heard.last().unwrap().0, Prompt::Position(1));
    let announcement = heard.last().unwrap().1;
    office.event(caller.leg, Event::Digit('9'));
    assert_eq!(played(&mut office), [], "nobody listens for it");
    office.event(caller.leg, Event::Digit('3'));
    assert_eq!(played(&mut office)[0].0, Prompt::Text("three".into()));
    office.event(caller.leg, Event::PlayEnded(announcement));
    assert_eq!(played(&mut office), [], "an older one; the newer is still heard");
    office.event(caller.leg, Event::Digit('1'));
    assert_eq!(office.answer(caller.call), Some(Answer::Waited(Waited::Digit('1'))));
    office.event(caller.leg, Event::Digit('2'));
    office.command(caller.call, wait(caller.place, "1"));
    assert_eq!(office.answer(caller.call), Some(Answer::Waited(Waited::Asked("voicemail".into()))));
    office.command(caller.call, wait(caller.place, "1"));
    office.take();
    office.pass(secs(30));
    let heard = played(&mut office);
    assert_eq!(heard[0].0, Prompt::Text("again".into()));
    office.event(caller.leg, Event::PlayEnded(heard[0].1));
    assert_eq!(played(&mut office)[0].0, Prompt::Music("queue".into()), "the music goes on");
}

#[test]
fn the_longest_wait_a_removed_queue_and_the_last_agents_sign_out_end_the_wait() {
    let mut sales = plan("sales", &["ana"]);
    sales.longest_wait = secs(60);
    let mut office = Office::new(&["ana"], vec![sales, plan("service", &["ana"])]);
    office.set_agent("ana", AgentWish::Paused { reason: "lunch".into() }).unwrap();
    let caller = office.caller_waits("sales");
    office.pass(secs(60));
    assert_eq!(office.answer(caller.call), Some(Answer::Waited(Waited::LongestWait)));
    assert_eq!(office.told("queue.left", "reason"), ["longest-wait"]);
    office.command(caller.call, wait(caller.place, ""));
    assert!(matches!(office.answer(caller.call), Some(Answer::Failed(Failure::Invalid(_)))), "it is over");

    office.command(caller.call, enter("service", 0));
    office.command(caller.call, wait(PlaceNo(2), ""));
    office.take();
    office.house.queues.truncate(1);
    office.people_changed();
    assert_eq!(office.answer(caller.call), Some(Answer::Waited(Waited::Nobody)));

    let other = office.caller_waits("sales");
    office.take();
    office.set_agent("ana", AgentWish::SignOut { queue: "sales".into() }).unwrap();
    assert_eq!(office.answer(other.call), Some(Answer::Waited(Waited::Nobody)));
    office.command(other.call, enter("unheard-of", 0));
    let refusal = Refusal::Failed(Failure::NotFound("queue unheard-of".into()));
    assert_eq!(office.answer(other.call), Some(Answer::RefusedEntry(refusal)));
    office.command(other.call, Command::LookAtQueue { queue: "service".into() });
    assert_eq!(office.answer(other.call), Some(Answer::Outlook(None)));
}

#[test]
fn a_dropped_caller_who_calls_again_soon_has_the_old_place() {
    let mut sales = plan("sales", &[]);
    sales.resume = secs(60);
    let mut office = Office::new(&[], vec![sales]);
    let first = office.caller_waits_as("sales", Some("+359888000001"), 0);
    office.pass(secs(10));
    let second = office.caller_waits("sales");
    office.event(first.leg, Event::MediaTimeout);
    office.pass(secs(59));
    let (call, _) = office.arrive(Some("+359888000001"));
    office.command(call, enter("sales", 0));
    assert!(matches!(office.answer(call), Some(Answer::Place { resumed: true, .. })));
    let line = office.queue("sales").waiting;
    assert_eq!(line.iter().map(|caller| caller.call.unwrap()).collect::<Vec<_>>(), [call, second.call]);
    assert_eq!(line[0].waited, secs(69));
    office.event(second.leg, Event::Ended);
    office.pass(secs(61));
    let (late, _) = office.arrive(Some("+359888000002"));
    office.command(late, enter("sales", 0));
    assert!(matches!(office.answer(late), Some(Answer::Place { resumed: false, .. })));
}

#[test]
fn music_goes_on_over_a_key_and_changes_when_the_script_wishes() {
    let mut office = Office::new(&[], vec![plan("sales", &[])]);
    let (call, leg) = office.arrive(None);
    let tone = Prompt::Music("before".into());
    office.command(call, Command::Ring { leg: LegNo::CALLER, early: Some(tone) });
    office.command(call, enter("sales", 0));
    let place = PlaceNo(1);
    let music = |office: &mut Office| -> Vec<Prompt> {
        let plays = office.take().into_iter().filter_map(|effect| match effect {
            Effect::Sound(_, Sound::Play { what, looped: true, .. }) => Some(what[0].clone()),
            _ => None,
        });
        plays.collect()
    };
    music(&mut office);
    office.command(call, wait(place, "1"));
    assert_eq!(music(&mut office), [Prompt::Music("queue".into())], "in place of what it heard before");
    office.event(leg, Event::Digit('1'));
    office.command(call, wait(place, "1"));
    assert_eq!(music(&mut office), [], "from where it was");
    office.event(leg, Event::Digit('1'));
    let hears = Some(Prompt::Music("jazz".into()));
    office.command(call, Command::Wait { place, keys: "1".into(), hears });
    assert_eq!(music(&mut office), [Prompt::Music("jazz".into())]);
}
