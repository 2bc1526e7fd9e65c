//! Agents of queues: delays after missed offers, pauses, what they wish, and their day.

mod support;

use std::collections::HashMap;
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
        headers: Default::default(),
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
