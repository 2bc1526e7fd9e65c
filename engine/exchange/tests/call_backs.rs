//! Whoever was promised a call back: once, in their place, whatever happens to the process and to the queue.

mod support;

use std::sync::Arc;
use std::time::Duration;

use exchange::*;
use support::office::*;
use support::*;

fn refused(status: u16) -> Event {
    Event::Refused { status, silent: false }
}

fn stops(effects: &[Effect], leg: LegKey) -> bool {
    effects.iter().any(|effect| matches!(effect, Effect::Signal(key, Signal::HangUp(_)) if *key == leg))
}

fn call_back(caller: &Caller, number: &str) -> Command {
    Command::CallBack { place: caller.place, number: number.into() }
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
