//! What callers, agents and scripts must see of queues, in virtual time.

mod support;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use exchange::strategy::*;
use exchange::*;
use support::office::*;
use support::*;

const ELSEWHERE: Signal = Signal::HangUp(Cause::AnsweredElsewhere);

fn refused(status: u16) -> Event {
    Event::Refused { status, silent: false }
}

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
fn busy_refused_and_unanswered_offers_each_have_their_delay_and_too_many_pause() {
    let mut sales = plan("sales", &["ana"]);
    sales.max_missed = 4;
    let mut office = Office::new(&["ana"], vec![sales]);
    office.caller_waits("sales");
    for (end, delay, reason) in [
        (Some(486), 5, "busy"),
        (Some(603), 10, "rejected"),
        (Some(302), 10, "rejected"),
        (None, 15, "no-answer"),
    ] {
        let ana = office.rung()[0].1;
        match end {
            Some(status) => office.event(ana, refused(status)),
            None => {
                office.pass(secs(20));
                assert!(stops(&office.effects, ana), "it rings no longer than it should");
            }
        }
        assert_eq!(office.told("queue.missed", "reason"), [reason]);
        if reason == "no-answer" {
            break;
        }
        assert_eq!(office.state("ana"), AgentState::Available, "available, but not asked for a while");
        office.take();
        office.pass(secs(delay) - Duration::from_millis(1));
        assert_eq!(office.rung(), []);
        office.pass(Duration::from_millis(1));
    }
    assert_eq!(office.state("ana"), AgentState::Paused);
    assert_eq!(office.queue("sales").agents[0].reason.as_deref(), Some("missed 4 calls"));
    let kept = office.effects.iter().find_map(|effect| match effect {
        Effect::KeepAgent { kept, .. } => Some(kept.clone()),
        _ => None,
    });
    assert_eq!(kept.unwrap().paused.as_deref(), Some("missed 4 calls"));
    office.take();
    office.pass(secs(600));
    assert_eq!(office.rung(), []);
    office.set_agent("ana", AgentWish::Available).unwrap();
    assert_eq!(office.rung().len(), 1, "back at once, without the delay");
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
fn a_strategy_that_fails_is_late_or_talks_nonsense_leaves_the_decision_to_longest_idle() {
    let failing: [(&str, Strategy); 3] = [
        ("it trapped", |_| Err("it trapped".into())),
        ("it answered another question", |question| match question.about {
            About::Rank => Ok(Decided::Length(None)),
            _ => Ok(Decided::Ranking(Ranking::default())),
        }),
        ("goran does not serve this queue", |question| match question.about {
            About::Rank => Ok(Decided::Ranking(Ranking {
                offers: vec![Offer { caller: 0, agents: vec!["goran".into()], ring: secs(20) }],
                again: None,
            })),
            _ => in_order(question),
        }),
    ];
    for (why, strategy) in failing {
        let mut office = Office::new(&["ana", "boris"], vec![plan("sales", &["ana", "boris"])]);
        let first = office.caller_waits("sales");
        let ana = office.rung()[0].1;
        office.pass(secs(1));
        office.event(ana, refused(486));
        office.pass(secs(100));
        let boris = office.rung().last().unwrap().1;
        office.event(boris, Event::Answered);
        office.finish(first.call, Finish::Returned);
        office.take();
        office.strategy = strategy;
        office.caller_waits("sales");
        assert!(office.told("strategy.failed", "reason").iter().any(|told| told == why), "{why}");
        assert_eq!(
            office.rung().first().map(|(to, ..)| to.clone()),
            Some("ana/0".into()),
            "not offered for longest"
        );
    }
    let mut office = Office::new(&["ana"], vec![plan("sales", &["ana"])]);
    office.hold = true;
    let (call, _) = office.arrive(None);
    office.command(call, enter("sales", 0));
    assert_eq!(office.answer(call), None);
    office.pass(secs(1));
    assert!(
        matches!(office.answer(call), Some(Answer::Place { .. })),
        "admitted after a second without a word"
    );
    office.pass(secs(1));
    assert_eq!(office.told("strategy.failed", "question"), ["admit", "rank"]);
    assert_eq!(office.rung().len(), 1);
    let late = office.held.len() - 1;
    let ranking = Ranking { offers: vec![], again: None };
    office.answer_held(late, Ok(Decided::Ranking(ranking)));
    assert_eq!(office.take(), [], "too late");
}

#[test]
fn what_a_ranking_wants_is_checked_against_the_state_now_offer_by_offer() {
    let mut office = Office::new(&["ana", "boris", "vera"], vec![plan("sales", &["ana", "boris", "vera"])]);
    office.hold = true;
    let mut callers = vec![];
    for _ in 0..3 {
        let (call, leg) = office.arrive(None);
        office.command(call, enter("sales", 0));
        let admit = office.held.iter().position(|(_, question, _)| question.about != About::Rank).unwrap();
        office.answer_held(admit, Ok(Decided::Admission(Admission::ComeIn)));
        callers.push((call, leg));
    }
    // The first ranking was asked with one caller; it says nothing, and is asked again.
    office.answer_held(0, Ok(Decided::Ranking(Ranking::default())));
    assert_eq!(office.held.len(), 1);
    assert_eq!(office.held[0].1.snapshot.waiting.len(), 3);
    office.event(callers[0].1, Event::Ended);
    office.set_agent("vera", AgentWish::Paused { reason: "lunch".into() }).unwrap();
    office.take();
    let offer = |caller: u32, agents: &[&str]| Offer {
        caller,
        agents: agents.iter().map(ToString::to_string).collect(),
        ring: secs(20),
    };
    let offers = vec![
        offer(0, &["ana"]),           // left meanwhile
        offer(7, &["ana"]),           // never was there
        offer(1, &["goran"]),         // serves another queue
        offer(2, &["boris", "vera"]), // vera is paused since: boris rings alone
        offer(2, &["ana"]),           // has an offer
    ];
    office.answer_held(0, Ok(Decided::Ranking(Ranking { offers, again: None })));
    let refused = office.told("offer.refused", "reason");
    assert_eq!(refused.len(), 4, "{refused:?}");
    assert_eq!(office.told("strategy.failed", "reason"), [""; 0], "one offer was sound");
    let rung = office.rung();
    assert_eq!(rung.len(), 1);
    assert_eq!((rung[0].0.as_str(), rung[0].2), ("boris/0", callers[2].0));
}

#[test]
fn of_queues_that_share_an_agent_the_heavier_is_asked_first() {
    let mut vip = plan("vip", &["ana"]);
    vip.weight = 10;
    let mut office = Office::new(&["ana"], vec![plan("all", &["ana"]), vip, plan("other", &[])]);
    office.set_agent("ana", AgentWish::Paused { reason: "lunch".into() }).unwrap();
    let plain = office.caller_waits("all");
    office.pass(secs(100));
    let important = office.caller_waits("vip");
    office.take();
    office.set_agent("ana", AgentWish::Available).unwrap();
    let rung = office.rung();
    assert_eq!(rung.len(), 1, "one agent, one offer");
    assert_eq!(rung[0].2, important.call);
    office.event(important.leg, Event::Ended);
    assert_eq!(office.rung()[0].2, plain.call);
}

#[test]
fn progressive_ringing_adds_agents_to_a_caller_who_is_rung_for() {
    let mut office = Office::new(&["ana", "boris"], vec![plan("sales", &["ana", "boris"])]);
    office.strategy = |question| match question.about {
        About::Rank => {
            let now = &question.snapshot;
            let Some(free) = now.agents.iter().find(|agent| agent.free) else {
                return Ok(Decided::Ranking(Ranking::default()));
            };
            let recent = now.waiting[0].offered && now.waiting[0].waited < secs(10);
            let offers = vec![Offer { caller: 0, agents: vec![free.name.clone()], ring: secs(20) }];
            Ok(Decided::Ranking(Ranking {
                offers: if recent { vec![] } else { offers },
                again: Some(secs(10)),
            }))
        }
        _ => in_order(question),
    };
    let caller = office.caller_waits("sales");
    let ana = office.rung();
    assert_eq!(ana[0].0, "ana/0");
    office.pass(secs(9));
    assert_eq!(office.rung(), []);
    office.pass(secs(1));
    let boris = office.rung();
    assert_eq!(boris[0].0, "boris/0");
    assert_eq!(office.queue("sales").waiting[0].offered, ["ana", "boris"]);
    office.event(boris[0].1, Event::Answered);
    assert!(office.effects.contains(&Effect::Signal(ana[0].1, ELSEWHERE)));
    assert!(matches!(office.answer(caller.call), Some(Answer::Waited(Waited::Connected(_)))));
}

#[test]
fn a_call_back_keeps_its_place_and_happens_once() {
    let mut sales = plan("sales", &["ana"]);
    sales.call_back = Some("back".into());
    let mut office = Office::new(&["ana"], vec![sales]);
    office.set_agent("ana", AgentWish::Paused { reason: "lunch".into() }).unwrap();
    let first = office.caller_waits_as("sales", Some("+359888000001"), 0);
    office.pass(secs(10));
    let second = office.caller_waits("sales");
    office.finish(first.call, Finish::Returned);
    assert_eq!(office.queue("sales").waiting.len(), 1, "a script that is done gives the place up");
    let first = office.caller_waits_as("sales", Some("+359888000001"), 5);
    office.event(first.leg, Event::Digit('1')); // nobody listens
    office.take();
    office.event(second.leg, Event::Held);
    let again = office.caller_enters("sales", Some("+359888000001"), 5);
    office.command(again.call, call_back(&again, "+359888000001"));
    assert_eq!(office.answer(again.call), Some(Answer::Done));
    office.finish(again.call, Finish::Returned);
    let third = office.caller_enters("sales", Some("+359888000001"), 5);
    office.command(third.call, call_back(&third, "+359888000001"));
    assert!(matches!(office.answer(third.call), Some(Answer::Failed(Failure::Invalid(_)))), "once");
    office.event(third.leg, Event::Ended);
    office.event(first.leg, Event::Ended);
    office.event(second.leg, Event::Ended);
    let line = office.queue("sales").waiting;
    assert_eq!(line.len(), 1);
    assert_eq!((line[0].call, line[0].call_back, line[0].number.as_str()), (None, true, "+359888000001"));

    office.take();
    office.pass(secs(60));
    office.set_agent("ana", AgentWish::Available).unwrap();
    let invite = office.effects.iter().find_map(|effect| match effect {
        Effect::Signal(_, Signal::Invite(invite)) => Some(invite.present.number.clone()),
        _ => None,
    });
    assert_eq!(invite.as_deref(), Some("+359888000001"), "she sees whom she will talk to");
    let rung = office.rung();
    office.event(rung[0].1, refused(486));
    assert_eq!(office.told("queue.missed", "reason"), ["busy"]);
    assert_eq!(office.records().len(), 0, "a promise is one thing, however often agents are rung for it");
    assert!(office.effects.contains(&Effect::Fruitless { call: rung[0].2 }));
    assert_eq!(office.queue("sales").waiting[0].call, None, "the place waits on");
    office.take();
    office.pass(secs(5));
    let rung = office.rung();
    office.event(rung[0].1, Event::Answered);
    let started = office.effects.iter().find_map(|effect| match effect {
        Effect::Start { call, script, settings, caller, .. } => {
            Some((*call, script.clone(), settings.clone(), caller.user.clone()))
        }
        _ => None,
    });
    let (call, script, settings, agent) = started.expect("a script begins");
    assert_eq!((script.as_str(), agent.as_deref()), ("back", Some("ana")));
    assert_eq!(settings, r#"{"number":"+359888000001","queue":"sales","waited":65}"#);
    office.take();
    office.command(call, dial_number("+359888000001"));
    let customer = office.rung();
    office.event(customer[0].1, Event::Answered);
    let Some(Answer::Leg(leg)) = office.answer(call) else { panic!() };
    office.command(call, Command::Bridge { a: LegNo::CALLER, b: leg.leg, keys: String::new() });
    assert_eq!(office.told("queue.called-back", "agent"), ["ana"]);
    office.pass(secs(40));
    office.event(rung[0].1, Event::Ended);
    office.finish(call, Finish::HungUp);
    let record = office.records().pop().expect("it is over");
    assert_eq!((record.id, record.outcome), (call, Outcome::Answered));
    assert_eq!(record.answered_by.as_deref(), Some("+359888000001"));
    assert_eq!(record.tags, [("promised-in".to_string(), again.call.to_string())]);
    assert_eq!(office.queue("sales").waiting, []);
    assert_eq!(office.queue("sales").today.called_back, 1);
    assert_eq!(office.queue("sales").service, Some(secs(40)));
}

fn call_back(caller: &Caller, number: &str) -> Command {
    Command::CallBack { place: caller.place, number: number.into() }
}

#[test]
fn a_call_back_is_promised_once_it_is_kept_and_the_record_says_so() {
    let mut office = Office::new(&[], vec![plan("sales", &["ana"])]);
    office.slow_disk = Some(vec![]);
    let caller = office.caller_enters("sales", None, 3);
    office.pass(secs(7));
    office.take();
    office.command(caller.call, call_back(&caller, "+359888000001"));
    assert_eq!(office.answer(caller.call), None, "nothing is promised that could be lost");
    let kept = office.promises.values().next().unwrap();
    assert_eq!((kept.priority, kept.promised_in, kept.language.as_str()), (3, caller.call, "en"));
    assert_eq!(kept.entered, office.exchange.wall(office.now) - 7.0);
    assert_eq!(kept.until, office.exchange.wall(office.now) + 8.0 * 3600.0);
    assert!(!office.queue("sales").waiting[0].call_back);
    office.disk_answers(Ok(()));
    assert_eq!(office.answer(caller.call), Some(Answer::Done));
    assert!(office.queue("sales").waiting[0].call_back);
    office.finish(caller.call, Finish::Returned);
    let record = office.records().remove(0);
    assert_eq!(record.outcome, Outcome::Missed, "nobody has spoken with the caller yet");
    assert_eq!(record.tags, [("call-back".to_string(), "+359888000001".to_string())]);
}

#[test]
fn what_can_t_be_kept_is_not_promised_and_the_caller_waits_on() {
    let mut office = Office::new(&["ana"], vec![plan("sales", &["ana"])]);
    office.slow_disk = Some(vec![]);
    office.set_agent("ana", AgentWish::Paused { reason: "lunch".into() }).unwrap();
    let caller = office.caller_enters("sales", None, 0);
    office.command(caller.call, call_back(&caller, "+359888000001"));
    let other = office.caller_enters("sales", None, 0);
    office.command(other.call, call_back(&other, "+359888000001"));
    assert!(matches!(office.answer(other.call), Some(Answer::Failed(Failure::Invalid(_)))), "once");
    office.disk_answers(Err("no space is left".into()));
    assert!(matches!(office.answer(caller.call), Some(Answer::Failed(Failure::Other(_)))));
    assert_eq!(office.queue("sales").waiting[0].call, Some(caller.call));
    // An agent answers while the disk is busy: that is better than a call back.
    office.command(caller.call, call_back(&caller, "+359888000001"));
    office.take();
    office.set_agent("ana", AgentWish::Available).unwrap();
    let ana = office.rung()[0].1;
    office.event(ana, Event::Answered);
    office.disk_answers(Ok(()));
    assert!(matches!(office.answer(caller.call), Some(Answer::Failed(Failure::Invalid(_)))));
    assert!(office.promises.is_empty(), "and is not called back as well");
    office.command(caller.call, wait(caller.place, ""));
    assert!(matches!(office.answer(caller.call), Some(Answer::Waited(Waited::Connected(_)))));
}

#[test]
fn whoever_hangs_up_while_the_promise_is_kept_is_called_back_all_the_same() {
    let mut office = Office::new(&["ana"], vec![plan("sales", &["ana"])]);
    office.slow_disk = Some(vec![]);
    office.set_agent("ana", AgentWish::Paused { reason: "lunch".into() }).unwrap();
    let caller = office.caller_enters("sales", None, 0);
    office.command(caller.call, call_back(&caller, "+359888000001"));
    office.event(caller.leg, Event::Ended);
    assert_eq!(office.answer(caller.call), Some(Answer::Failed(Failure::HungUp)));
    office.finish(caller.call, Finish::HungUp);
    let record = office.records().remove(0);
    assert_eq!((record.outcome, record.tags.len()), (Outcome::Missed, 1));
    office.disk_answers(Ok(()));
    assert_eq!(office.promises.len(), 1);
    office.set_agent("ana", AgentWish::Available).unwrap();
    assert_eq!(office.rung().len(), 1);
}

#[test]
fn promises_outlive_a_restart_in_their_order_and_are_forgotten_when_they_are_done() {
    let mut office = Office::new(&["ana"], vec![plan("sales", &["ana"])]);
    office.set_agent("ana", AgentWish::Paused { reason: "lunch".into() }).unwrap();
    // The numbers sort the other way round than the callers came.
    for number in ["+359888000002", "+359888000001"] {
        let caller = office.caller_enters("sales", None, 0);
        office.command(caller.call, call_back(&caller, number));
        office.finish(caller.call, Finish::Returned);
        office.pass(secs(30));
    }
    office.restart();
    let line = office.queue("sales").waiting;
    let seen: Vec<_> = line.iter().map(|one| (one.number.as_str(), one.call_back, one.waited)).collect();
    // Seconds since 1970 are kept with the fraction, to the microsecond.
    assert_eq!(seen.iter().map(|one| one.0).collect::<Vec<_>>(), ["+359888000002", "+359888000001"]);
    for ((_, call_back, waited), seconds) in seen.iter().zip([60, 30]) {
        assert!(*call_back && waited.abs_diff(secs(seconds)) < Duration::from_millis(1), "{waited:?}");
    }
    assert_eq!(office.rung()[0].0, "ana/0", "her turn as soon as she is there");
    office.restart(); // while she is rung
    let ana = office.rung()[0].clone();
    office.event(ana.1, Event::Answered);
    office.command(ana.2, dial_number("+359888000002"));
    let customer = office.rung()[0].1;
    assert_eq!(office.promises.len(), 2, "not done before they talk");
    office.event(customer, Event::Answered);
    let Some(Answer::Leg(leg)) = office.answer(ana.2) else { panic!() };
    office.command(ana.2, Command::Bridge { a: LegNo::CALLER, b: leg.leg, keys: String::new() });
    let left: Vec<_> = office.promises.values().map(|kept| kept.number.as_str()).collect();
    assert_eq!(left, ["+359888000001"]);
    office.event(customer, Event::Ended);
    office.finish(ana.2, Finish::Returned);
    assert_eq!(office.rung()[0].0, "ana/0", "the next one");
}

#[test]
fn a_promise_waits_for_agents_who_left_until_it_is_too_old() {
    let mut office = Office::new(&["ana"], vec![plan("sales", &["ana"])]);
    office.set_agent("ana", AgentWish::Paused { reason: "lunch".into() }).unwrap();
    let waits = office.caller_waits("sales");
    let caller = office.caller_enters("sales", None, 0);
    office.command(caller.call, call_back(&caller, "+359888000001"));
    office.finish(caller.call, Finish::Returned);
    office.set_agent("ana", AgentWish::SignOut { queue: "sales".into() }).unwrap();
    assert_eq!(office.answer(waits.call), Some(Answer::Waited(Waited::Nobody)));
    assert_eq!(
        office.queue("sales").waiting.len(),
        1,
        "who waits at the telephone is told, who does not is kept"
    );
    office.restart();
    office.pass(secs(8 * 3600 - 60));
    assert_eq!(office.promises.len(), 1);
    office.pass(secs(61));
    assert_eq!(office.told("queue.left", "reason"), ["too-late"]);
    assert_eq!((office.promises.len(), office.queue("sales").waiting.len()), (0, 0));
}

#[test]
fn a_promise_waits_for_its_queue_to_be_configured_again_whatever_happens_meanwhile() {
    let configured = || vec![Arc::new(plan("sales", &["ana"])), Arc::new(plan("service", &["boris"]))];
    let mut office =
        Office::new(&["ana", "boris"], vec![plan("sales", &["ana"]), plan("service", &["boris"])]);
    office.set_agent("ana", AgentWish::Paused { reason: "lunch".into() }).unwrap();
    let caller = office.caller_enters("sales", None, 0);
    office.command(caller.call, call_back(&caller, "+359888000001"));
    office.finish(caller.call, Finish::Returned);
    let waits = office.caller_waits("sales");
    office.set_agent("ana", AgentWish::Available).unwrap();
    let ana = office.rung()[0].clone();

    // The queue goes while she is rung for the call back.
    office.house.queues.remove(0);
    office.people_changed();
    assert!(stops(&office.effects, ana.1), "her telephone stops");
    assert_eq!(office.answer(waits.call), Some(Answer::Waited(Waited::Nobody)), "who listens is told");
    assert_eq!(office.told("queue.closed", "promised"), ["1"]);
    let sales = office.queue("sales");
    assert_eq!((sales.configured, sales.waiting.len(), sales.agents.len()), (false, 1, 0));
    assert!(sales.waiting[0].call_back && office.queue("service").configured);
    let refused = Some(Answer::RefusedEntry(Refusal::Failed(Failure::NotFound("queue sales".into()))));
    office.command(waits.call, enter("sales", 0));
    assert_eq!(office.answer(waits.call), refused, "nobody new waits there");
    office.command(waits.call, Command::LookAtQueue { queue: "sales".into() });
    assert_eq!(office.answer(waits.call), Some(Answer::Outlook(None)));
    assert!(office.set_agent("boris", AgentWish::SignIn { queue: "sales".into() }).is_err());

    office.restart();
    assert_eq!((office.queue("sales").configured, office.promises.len()), (false, 1));
    assert!(office.rung().is_empty());
    office.house.queues = configured();
    office.people_changed();
    assert!(office.queue("sales").configured);
    assert_eq!(office.rung()[0].0, "ana/0", "and she calls back");

    // Nobody is called back the next day, and then there is no such queue any more.
    office.house.queues.remove(0);
    office.people_changed();
    office.pass(secs(8 * 3600 + 1));
    assert_eq!((office.told("queue.left", "reason"), office.promises.len()), (vec!["too-late".into()], 0));
    assert!(office.exchange.queues(office.now, "shop").iter().all(|queue| queue.name != "sales"));
}

#[test]
fn what_a_caller_hears_and_what_a_key_does_is_told_with_who_decided_it() {
    let mut office = Office::new(&[], vec![plan("sales", &[])]);
    office.strategy = |question| match question.about {
        About::Announce { .. } => {
            let say = vec![Prompt::Position(2), Prompt::Recording("offer".into())];
            Ok(Decided::Announcement(Announcement { say, again: None }))
        }
        About::OnDigit { key: '7', .. } => Ok(Decided::KeyAction(KeyAction::Ask("voicemail".into()))),
        _ => in_order(question),
    };
    let caller = office.caller_waits("sales");
    assert_eq!(office.told("queue.announced", "say"), ["place 2, offer"]);
    assert_eq!(office.told("queue.announced", "call"), [caller.call.to_string()]);
    assert_eq!(office.told("queue.announced", "strategy").len(), 1);
    for key in ['8', '7'] {
        office.event(caller.leg, Event::Digit(key));
    }
    assert_eq!(office.told("queue.key", "key"), ["8", "7"]);
    assert_eq!(office.told("queue.key", "action"), ["nothing", "ask for voicemail"]);
}

#[test]
fn a_call_back_whose_script_fails_reaches_the_customer_all_the_same() {
    let mut office = Office::new(&["ana"], vec![plan("sales", &["ana"])]);
    let caller = office.caller_enters("sales", None, 0);
    let ana = office.rung()[0].1;
    office.command(caller.call, call_back(&caller, "+359888000001"));
    assert!(stops(&office.effects, ana));
    office.finish(caller.call, Finish::Returned);
    let ana = office.rung()[0].clone();
    office.event(ana.1, Event::Answered);
    office.finish(ana.2, Finish::Failed { why: "it trapped".into() });
    assert_eq!(office.rung()[0].0, "+359888000001@first");
}

#[test]
fn an_agent_who_leaves_a_call_back_before_the_customer_answers_returns_the_place() {
    let mut office = Office::new(&["ana"], vec![plan("sales", &["ana"])]);
    office.set_agent("ana", AgentWish::Paused { reason: "lunch".into() }).unwrap();
    let caller = office.caller_enters("sales", None, 0);
    office.command(caller.call, Command::CallBack { place: caller.place, number: "+359888000001".into() });
    office.finish(caller.call, Finish::Returned);
    office.take();
    office.set_agent("ana", AgentWish::Available).unwrap();
    let rung = office.rung();
    office.event(rung[0].1, Event::Answered);
    office.event(rung[0].1, Event::Ended);
    office.finish(rung[0].2, Finish::HungUp);
    assert_eq!(office.queue("sales").waiting.len(), 1);
    assert_eq!(office.queue("sales").today.called_back, 0);
    office.take();
    office.pass(secs(10));
    let rung = office.rung();
    assert_eq!(rung.len(), 1, "after the delay of a refusal");
    office.exchange.hang_up(office.now, rung[0].2, &office.house, &mut office.effects);
    assert!(stops(&office.effects, rung[0].1));
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
fn what_agents_wish_outlives_a_restart_and_a_mobile_counts_where_it_is_rung() {
    let mut sales = plan("sales", &["ana"]);
    sales.mobile = true;
    let mut office = Office::new(&["ana", "boris", "vera"], vec![sales, plan("service", &["ana"])]);
    let sign_in = AgentWish::SignIn { queue: "sales".into() };
    office.set_agent("boris", sign_in.clone()).unwrap();
    office.set_agent("boris", AgentWish::Paused { reason: "lunch".into() }).unwrap();
    office.set_agent("ana", AgentWish::SignOut { queue: "service".into() }).unwrap();
    assert_eq!(office.set_agent("nobody", sign_in), Err(Failure::NotFound("user nobody".into())));
    let paused = AgentWish::Paused { reason: "x".repeat(65) };
    assert!(matches!(office.set_agent("ana", paused), Err(Failure::Invalid(_))));
    let kept: HashMap<String, KeptAgent> =
        office.take().into_iter().fold(HashMap::new(), |mut all, effect| {
            if let Effect::KeepAgent { user, kept, .. } = effect {
                all.insert(user, kept);
            }
            all
        });

    let mut exchange = Exchange::new(office.now, 1_795_000_000.0, 8, 0);
    for (user, kept) in kept {
        exchange.restore_agent("shop", &user, kept);
    }
    office.exchange = exchange;
    let boris = office.house.people.get_mut("boris").unwrap();
    (boris.devices, boris.mobile) = (0, Some("+359888000102".into()));
    office.house.people.get_mut("ana").unwrap().devices = 0;
    office.people_changed();
    assert_eq!(office.state("boris"), AgentState::Paused);
    let serving: Vec<_> = office.queue("service").agents.iter().map(|agent| agent.user.clone()).collect();
    assert_eq!(serving, [""; 0]);
    let caller = office.caller_waits("sales");
    office.take();
    office.set_agent("boris", AgentWish::Available).unwrap();
    let rung = office.rung();
    assert_eq!(rung[0].0, "+359888000102@first");
    office.event(rung[0].1, refused(503));
    let second = office.rung();
    assert_eq!(second[0].0, "+359888000102@second", "the next carrier, and he has missed nothing");
    office.connect(&caller, second[0].1);
    assert_eq!(office.state("boris"), AgentState::Talking, "on the mobile he is on a call as well");
    assert_eq!(office.told("queue.connected", "agent"), ["boris"]);
}

#[test]
fn bounds_refuse_and_a_paused_or_busy_agent_is_rung_no_longer() {
    let mut sales = plan("sales", &["ana"]);
    sales.most_waiting = 2;
    let mut office = Office::new(&["ana"], vec![sales]);
    let first = office.caller_waits("sales");
    let ana = office.rung()[0].1;
    office.caller_waits("sales");
    let (call, _) = office.arrive(None);
    office.command(call, enter("sales", 0));
    assert_eq!(office.answer(call), Some(Answer::RefusedEntry(Refusal::Full)));
    office.command(call, enter("sales", 101));
    assert!(matches!(office.answer(call), Some(Answer::RefusedEntry(Refusal::Failed(Failure::Invalid(_))))));
    office.take();
    office.set_agent("ana", AgentWish::Paused { reason: "lunch".into() }).unwrap();
    assert!(stops(&office.effects, ana));
    assert_eq!(office.state("ana"), AgentState::Paused);
    assert_eq!(office.told("queue.missed", "agent"), [""; 0]);
    office.set_agent("ana", AgentWish::Available).unwrap();
    let ana = office.rung()[0].1;
    // She dials someone herself while it rings.
    let arrival = Arrival {
        tenant: "shop".into(),
        from: Party::default(),
        dialled: "102".into(),
        direction: Direction::Internal,
        user: Some("ana".into()),
        trunk: None,
        headers: vec![],
        language: "en".into(),
        sip_call_id: "own".into(),
        route: Route { script: "own".into(), settings: "{}".into(), fallback: vec![], source: None },
    };
    office.exchange.arrive(office.now, arrival, &office.house, &mut office.effects);
    assert!(stops(&office.effects, ana), "nobody is offered a call while on a call");
    assert_eq!(office.state("ana"), AgentState::Talking);
    assert_eq!(office.queue("sales").waiting[0].offered, [""; 0]);
    let _ = first;
}

#[test]
fn callers_who_are_told_something_at_one_time_share_a_snapshot_and_rankings_have_their_own() {
    let mut office = Office::new(&[], vec![plan("sales", &[])]);
    let callers = [0, 1].map(|_| office.caller_enters("sales", None, 0));
    office.hold = true;
    let asked = |office: &mut Office, caller: &Caller| {
        office.command(caller.call, Command::ExpectedWait { place: caller.place });
        let question = office.held.last().expect("a question").1.clone();
        office.answer_held(office.held.len() - 1, Ok(Decided::Length(None)));
        question.snapshot
    };
    let first = asked(&mut office, &callers[0]);
    office.pass(Duration::from_millis(200));
    let second = asked(&mut office, &callers[1]);
    assert!(Arc::ptr_eq(&first, &second), "with thousands in line it is made once for many");
    office.hold = false;
    let third = office.caller_enters("sales", None, 0);
    office.hold = true;
    let with_third = asked(&mut office, &third);
    assert_eq!((first.waiting.len(), with_third.waiting.len()), (2, 3), "whoever is asked about is in it");
    office.pass(Duration::from_millis(250));
    let later = asked(&mut office, &third);
    assert_eq!(later.waiting[2].waited, with_third.waiting[2].waited + Duration::from_millis(250));
}

#[test]
fn a_day_goes_on_after_a_restart_and_another_day_knows_what_conversations_take() {
    let mut office = Office::new(&["ana"], vec![plan("sales", &["ana"])]);
    let caller = office.caller_waits("sales");
    office.pass(secs(4));
    let ana = office.rung()[0].1;
    office.connect(&caller, ana);
    office.pass(secs(90));
    office.event(caller.leg, Event::Ended);
    office.finish(caller.call, Finish::HungUp);
    let lost = office.caller_waits("sales");
    office.event(lost.leg, Event::Ended);
    office.caller_waits("sales");
    let figures = office.exchange.kept_figures("shop").remove(0);
    let work = office.exchange.kept_work("shop");
    assert_eq!((figures.0.as_str(), figures.1.today.entered), ("sales", 3));
    assert_eq!(work.len(), 1);
    for today in [true, false] {
        office.restart();
        assert!(office.exchange.restore_figures("shop", "sales", figures.1, today));
        assert!(!office.exchange.restore_figures("shop", "service", figures.1, today));
        assert!(office.exchange.restore_work("shop", "ana", work[0].1));
        let sales = office.queue("sales");
        let seen = (sales.today.entered, sales.today.answered, sales.today.abandoned);
        // The third caller's wait ended with the process, and is in no figure.
        assert_eq!(seen, if today { (2, 1, 1) } else { (0, 0, 0) });
        assert_eq!(sales.service, Some(secs(90)));
        let ana = &office.exchange.agents(office.now, "shop")[0];
        assert_eq!((ana.offered, ana.answered, ana.talked), (3, 1, secs(90)));
    }
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
