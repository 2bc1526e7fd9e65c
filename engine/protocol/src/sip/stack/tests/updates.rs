//! UPDATE (RFC 3311) before a call is answered and after, both ways, and what crosses it.

use super::reliable::{early, header, inside};
use super::*;

/// Answers each offer of the other side.
fn takes_offers() -> Owner {
    Box::new(|link, side, event| {
        if let Event::Reinvited { session, .. } = event {
            let session = *session;
            link.ask(side, |stack, now, out| stack.accept_reinvite(now, session, sdp("changed"), out));
        }
    })
}

fn rings_early() -> (Link, [SessionId; 2]) {
    let mut link = Link::new(1);
    let call = link.call();
    link.run(ms(100), &mut early(false));
    let sessions = [call, link.sessions[BORIS][0]];
    (link, sessions)
}

fn answered_by(link: &Link, side: usize) -> bool {
    link.events.iter().any(|(_, at, event)| {
        *at == side
            && matches!(event, Event::ReinviteAnswered { sdp: Some(sdp), .. } if &sdp[..] == b"changed")
    })
}

#[test]
fn rfc3311_5_1_either_side_changes_a_call_that_is_not_answered() {
    for side in [ANA, BORIS] {
        let (mut link, sessions) = rings_early();
        let offer = Bytes::from_static(b"another port");
        assert!(link.ask(side, |stack, now, out| stack.update(now, sessions[side], &offer, out)));
        link.run(ms(100), &mut takes_offers());
        assert!(answered_by(&link, side), "{:?}", link.lines());
        // The 2xx says nothing of what was changed since.
        link.ask(BORIS, |stack, now, out| stack.answer(now, sessions[BORIS], sdp("early"), out));
        link.run(ms(100), &mut nothing());
        assert!(link.events.iter().any(|(_, _, event)| matches!(event, Event::Answered { sdp: None, .. })));
        link.ask(side, |stack, now, out| stack.hang_up(now, sessions[side], None, out));
        link.run_out(&mut nothing());
        link.assert_empty();
    }
}

#[test]
fn rfc3311_5_2_offers_that_cross_are_both_refused() {
    let (mut link, sessions) = rings_early();
    let offer = Bytes::from_static(b"another port");
    for side in [ANA, BORIS] {
        assert!(link.ask(side, |stack, now, out| stack.update(now, sessions[side], &offer, out)));
        assert!(
            !link.ask(side, |stack, now, out| stack.update(now, sessions[side], &offer, out)),
            "one at a time"
        );
    }
    link.run(ms(100), &mut takes_offers());
    assert_eq!((link.count(ANA, "491"), link.count(BORIS, "491")), (1, 1));
    let refused = link
        .events
        .iter()
        .filter(|(_, _, event)| matches!(event, Event::ReinviteRefused { status: 491, .. }));
    assert_eq!(refused.count(), 2);
    link.ask(ANA, |stack, now, out| stack.hang_up(now, sessions[ANA], None, out));
    link.run_out(&mut nothing());
    link.assert_empty();
}

#[test]
fn rfc3311_5_2_before_anything_is_agreed_an_offer_is_for_later() {
    let mut link = Link::new(1);
    link.call();
    link.run(ms(15), &mut nothing());
    let session = link.sessions[BORIS][0];
    link.ask(BORIS, |stack, now, out| stack.provisional(now, session, 180, "", None, out));
    inside(&mut link, session, "UPDATE", 2, "", "offer");
    assert_eq!(link.ladder.last().unwrap().2, "500");
    let wait: u32 = header(&link, "500", "Retry-After").expect("when").parse().unwrap();
    assert!(wait <= 10);
    inside(&mut link, session, "UPDATE", 3, "", "");
    assert_eq!(link.ladder.last().unwrap().2, "200", "a target alone is always taken");
    assert!(!link.ask(BORIS, |stack, now, out| stack.update(now, session, &Bytes::from_static(b"x"), out)));
}

#[test]
fn rfc3311_5_2_in_a_call_one_offer_is_open_at_a_time() {
    let mut link = Link::new(1);
    let call = link.call();
    link.run(ms(100), &mut answers());
    let session = link.sessions[BORIS][0];
    // Theirs, and another before it is answered.
    inside(&mut link, session, "UPDATE", 2, "", "offer");
    inside(&mut link, session, "UPDATE", 3, "", "another");
    assert_eq!(link.ladder.last().unwrap().2, "500");
    link.ask(BORIS, |stack, now, out| stack.accept_reinvite(now, session, sdp("taken"), out));
    assert!(link.text(BORIS, "200").ends_with("\r\n\r\ntaken"));
    assert_eq!(link.stacks[BORIS].sessions[&session].next_timeout(), None, "no ACK is waited for");
    // One that is not taken changes nothing.
    inside(&mut link, session, "UPDATE", 4, "", "video");
    link.ask(BORIS, |stack, now, out| {
        let warning = ("Warning".to_owned(), "305 strowger \"no\"".to_owned());
        stack.reject_reinvite(now, session, 488, &[warning], out)
    });
    assert_eq!(header(&link, "488", "Warning").as_deref(), Some("305 strowger \"no\""));
    // Ours is open.
    link.ask(BORIS, |stack, now, out| stack.reinvite(now, session, sdp("hold"), out));
    inside(&mut link, session, "UPDATE", 5, "", "offer");
    assert_eq!(link.ladder.last().unwrap().2, "491");
    link.under_way.clear();
    link.ask(BORIS, |stack, now, out| stack.hang_up(now, session, None, out));
    link.ask(ANA, |stack, now, out| stack.hang_up(now, call, None, out));
    link.run_out(&mut nothing());
    link.assert_empty();
}

#[test]
fn an_update_that_nobody_answered_ends_with_its_call() {
    for ends in [ANA, BORIS] {
        let (mut link, sessions) = rings_early();
        let offer = Bytes::from_static(b"another port");
        link.ask(ANA, |stack, now, out| stack.update(now, sessions[ANA], &offer, out));
        link.run(ms(100), &mut nothing());
        link.ask(ends, |stack, now, out| stack.hang_up(now, sessions[ends], None, out));
        link.run_out(&mut nothing());
        assert!(link.count(BORIS, "487") > 0);
        link.assert_empty();
    }
}
