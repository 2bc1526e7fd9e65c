//! Telephones that send a call on by 3xx (RFC 3261 §8.1.3.4), and lamps that show who is on a call.

mod support;

use exchange::*;
use support::*;

fn moved(to: &[Target]) -> Event {
    Event::Redirected { status: 302, to: to.to_vec() }
}

#[test]
fn rfc3261_8_1_3_4_a_call_that_is_sent_on_rings_there() {
    let mut stage = Scene::with_call();
    stage.command(dial(&[(0, &["ana"])], false));
    let ana = stage.invited()[0].0;
    stage.event(ana, moved(&[user("boris")]));
    let rung = stage.invited();
    assert_eq!(rung.iter().map(|(_, to)| to.as_str()).collect::<Vec<_>>(), ["boris/0"]);
    stage.event(rung[0].0, moved(&[Target::Number("+359888000111".into())]));
    let rung = stage.invited();
    assert_eq!(rung[0].1, "+359888000111@first");
    stage.event(rung[0].0, Event::Answered);
    assert!(matches!(stage.answer(), Some(Answer::Leg(_))));
}

#[test]
fn two_telephones_that_send_a_call_to_each_other_do_not_go_on_for_ever() {
    let mut stage = Scene::with_call();
    stage.command(dial(&[(0, &["ana"])], false));
    let mut rung = stage.invited();
    let mut invites = 0;
    while let Some((leg, to)) = rung.first().cloned() {
        invites += 1;
        assert!(invites < 10, "it goes round");
        let other = if to == "ana/0" { "boris" } else { "ana" };
        stage.event(leg, moved(&[user(other)]));
        rung = stage
            .effects
            .iter()
            .filter_map(|effect| match effect {
                Effect::Signal(key, Signal::Invite(invite)) => Some((*key, where_to(&invite.to))),
                _ => None,
            })
            .collect();
        if rung.is_empty() {
            break;
        }
        stage.take();
    }
    assert_eq!(invites, 3, "ana, boris, and ana once more");
    assert_eq!(stage.answer(), failed(Failure::Unreachable));
}

#[test]
fn a_row_of_redirections_ends_at_a_bound() {
    let mut stage = Scene::with_call();
    stage.command(dial(&[(0, &["ana"])], false));
    let mut leg = stage.invited()[0].0;
    for n in 0..5 {
        stage.event(leg, moved(&[Target::Uri(format!("sip:{n}@192.0.2.9"))]));
        leg = stage.invited()[0].0;
    }
    stage.event(leg, moved(&[Target::Uri("sip:once-more@192.0.2.9".into())]));
    assert_eq!(stage.answer(), failed(Failure::Unreachable));
}

#[test]
fn who_rings_and_who_talks_is_told_while_somebody_wants_to_know() {
    let mut stage = Scene::with_call();
    stage.command(dial(&[(0, &["ana"])], false));
    assert_eq!(stage.exchange.take_changed_users(), [], "nobody wants to know");
    stage.exchange.watch_users(true);
    let ana = stage.invited()[0].0;
    let changed = [("shop".to_owned(), "ana".to_owned())];
    stage.event(ana, Event::Answered);
    assert_eq!(stage.exchange.take_changed_users(), changed);
    assert_eq!(stage.exchange.presence("shop", "ana", true), Presence::Busy);
    stage.event(ana, Event::Ended);
    assert_eq!(stage.exchange.take_changed_users(), changed);
    assert_eq!(stage.exchange.presence("shop", "ana", true), Presence::Free);
    stage.exchange.watch_users(false);
    stage.event(stage.caller, Event::Ended);
    assert_eq!(stage.exchange.take_changed_users(), []);
}
