//! What strategies are asked, and what becomes of their answers, in virtual time.

mod support;

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
