//! Calls that ring at one telephone and are taken at another: by INVITE with Replaces (RFC 3891) from a lamp, and by `pick-up` of
//! a script. What rings may have been begun by a queue, in stages, or by a transfer.

mod support;

use exchange::*;
use support::office::*;
use support::*;

/// How a user takes what rings at ana's.
type TakesIt = fn(&mut Office, &str, LegKey) -> LegKey;

fn by_replaces(office: &mut Office, user: &str, rings: LegKey) -> LegKey {
    office.comes_for(user, rings).expect("it rings").1
}

fn by_script(office: &mut Office, user: &str, _: LegKey) -> LegKey {
    let (call, leg) = office.arrive_from(user);
    office.command(call, Command::PickUp { user: "ana".into() });
    assert_eq!(office.answer(call), Some(Answer::Failed(Failure::HungUp)), "its caller talks elsewhere now");
    office.finish(call, Finish::HungUp);
    leg
}

fn hung_up(office: &Office, leg: LegKey) -> Option<Cause> {
    office.effects.iter().find_map(|effect| match effect {
        Effect::Signal(key, Signal::HangUp(cause)) if *key == leg => Some(*cause),
        _ => None,
    })
}

/// Ana and boris serve the queue, vera is a user like any other.
fn office() -> Office {
    let mut sales = plan("sales", &["ana", "boris"]);
    sales.wrap_up = secs(30);
    let mut office = Office::new(&["ana", "boris", "vera"], vec![sales]);
    office.strategy = ring_all;
    office
}

#[test]
fn what_a_queue_offers_is_taken_by_a_colleague_and_counts_as_answered_by_that_one() {
    for takes in [by_replaces, by_script] as [TakesIt; 2] {
        for who in ["boris", "vera"] {
            let mut office = office();
            let caller = office.caller_waits("sales");
            let rung = office.rung();
            assert_eq!(rung.len(), 2, "{rung:?}");
            let of = |name: &str| rung.iter().find(|(at, ..)| at.starts_with(name)).expect("is rung").1;
            let (ana, boris) = (of("ana"), of("boris"));
            office.pass(secs(3));
            let taker = takes(&mut office, who, ana);
            assert_eq!(hung_up(&office, ana), Some(Cause::AnsweredElsewhere));
            assert!(hung_up(&office, boris).is_some(), "boris rings no longer either");
            let Some(Answer::Waited(Waited::Connected(leg))) = office.answer(caller.call) else {
                panic!("{:?}", office.answer(caller.call))
            };
            assert_eq!(leg.user.as_deref(), Some(who));
            assert_eq!(office.told("queue.connected", "agent"), [who]);
            assert_eq!(office.told("queue.connected", "rang"), ["ana"]);
            assert_eq!(office.told("queue.missed", "agent"), [""; 0], "nobody has missed anything");
            assert_eq!(office.state("ana"), AgentState::Available);
            let talks = if who == "boris" { AgentState::Talking } else { AgentState::Available };
            assert_eq!(office.state("boris"), talks);
            office.take();
            office
                .command(caller.call, Command::Bridge { a: LegNo::CALLER, b: leg.leg, keys: String::new() });
            assert!(office.effects.contains(&Effect::Sound(caller.leg, Sound::Relay(taker))));
            office.pass(secs(60));
            office.event(taker, Event::Ended);
            office.finish(caller.call, Finish::Returned);
            let record = office.records().pop().expect("the caller's call is over");
            assert_eq!((record.outcome, record.answered_by.as_deref()), (Outcome::Answered, Some(who)));
            let queue = office.queue("sales");
            assert_eq!((queue.today.entered, queue.today.answered), (1, 1));
            let after = if who == "boris" { AgentState::WrapUp } else { AgentState::Available };
            assert_eq!(office.state("boris"), after, "whoever serves the queue finishes the call");
            assert!(office.exchange.is_empty());
        }
    }
}

#[test]
fn the_caller_is_in_line_again_when_whoever_took_the_call_leaves_before_the_bridge() {
    for who in ["boris", "vera"] {
        let mut office = office();
        let caller = office.caller_enters("sales", None, 0);
        let rings = office.rung();
        office.command(
            caller.call,
            Command::Play {
                leg: LegNo::CALLER,
                what: vec![Prompt::Text("welcome".into())],
                cut_by_key: false,
            },
        );
        let taker = by_replaces(&mut office, who, rings[0].1);
        assert_eq!(office.answer(caller.call), Some(Answer::Done), "the prompt ends early");
        office.take();
        office.event(taker, Event::Ended);
        office.command(caller.call, wait(caller.place, ""));
        let again = office.rung();
        assert!(again.iter().any(|(at, ..)| at.starts_with("ana")), "{who}: ana is offered the caller anew");
        let came = office.comes_for("vera", rings[0].1);
        assert_eq!(came, Err(Failure::NotFound("leg".into())), "what rang first rings no longer");
        office.event(caller.leg, Event::Ended);
        office.finish(caller.call, Finish::HungUp);
        assert!(office.exchange.is_empty());
    }
}

#[test]
fn an_agent_who_is_to_call_somebody_back_is_rung_for_nobody_else() {
    let mut office = office();
    office.set_agent("ana", AgentWish::Paused { reason: "lunch".into() }).unwrap();
    office.set_agent("boris", AgentWish::Paused { reason: "lunch".into() }).unwrap();
    let caller = office.caller_enters("sales", Some("+359888111111"), 0);
    office.command(caller.call, Command::CallBack { place: caller.place, number: "+359888111111".into() });
    office.event(caller.leg, Event::Ended);
    office.finish(caller.call, Finish::HungUp);
    office.take();
    office.set_agent("ana", AgentWish::Available).unwrap();
    let rings = office.rung();
    assert_eq!(office.comes_for("vera", rings[0].1), Err(Failure::NotFound("leg".into())));
}

#[test]
fn a_telephone_of_a_dial_in_stages_is_picked_up_and_later_stages_never_ring() {
    let mut stage = Scene::with_call();
    stage.command(dial(&[(0, &["ana"]), (5, &["vera"])], false));
    let ana = stage.invited()[0].0;
    stage.pass(secs(3));
    let (second, _) = stage.arrive_from("boris");
    let first = std::mem::replace(&mut stage.call, second);
    stage.command(Command::PickUp { user: "vera".into() });
    assert_eq!(stage.answer(), failed(Failure::NotFound("vera".into())), "her stage has not begun");
    stage.command(Command::PickUp { user: "ana".into() });
    let effects = stage.take();
    assert!(effects.contains(&Effect::Signal(ana, Signal::HangUp(Cause::AnsweredElsewhere))));
    stage.finish(Finish::HungUp);
    stage.call = first;
    stage.pass(secs(20));
    assert_eq!(stage.invited(), []);
    stage.finish(Finish::Returned);
}

#[test]
fn whoever_a_transfer_rings_is_picked_up_too_and_the_transfer_is_done() {
    let mut stage = Scene::with_call();
    stage.command(dial(&[(0, &["ana"])], false));
    let ana = stage.invited()[0].0;
    stage.event(ana, Event::Answered);
    stage.command(Command::Bridge { a: LegNo::CALLER, b: LegNo(1), keys: String::new() });
    stage.event(ana, Event::Transfer { to: Target::Number("102".into()), with: None });
    let boris = stage.invited()[0].0;
    let (second, vera) = stage.arrive_from("vera");
    let first = std::mem::replace(&mut stage.call, second);
    stage.take();
    stage.command(Command::PickUp { user: "boris".into() });
    let effects = stage.take();
    let told = |leg: LegKey, signal: Signal| effects.contains(&Effect::Signal(leg, signal));
    assert!(told(boris, Signal::HangUp(Cause::AnsweredElsewhere)));
    assert!(told(ana, Signal::ReportTransfer(200)) && told(ana, Signal::HangUp(Cause::Q850(16))));
    assert!(effects.contains(&Effect::Sound(stage.caller, Sound::Relay(vera))), "{effects:?}");
    stage.finish(Finish::HungUp);
    stage.call = first;
    stage.take();
    stage.event(vera, Event::Ended);
    assert_eq!(stage.answer(), Some(Answer::BridgeEnded(BridgeEnd::BHungUp)));
    stage.finish(Finish::Returned);
    let record = stage.record();
    let legs: Vec<_> = record.legs.iter().map(|leg| (leg.party.as_str(), leg.end.as_str())).collect();
    let ends = [("+359888123456", "hung up"), ("ana", "transferred"), ("boris", "answered elsewhere")];
    assert_eq!(legs, [&ends[..], &[("vera", "hung up")]].concat());
}
