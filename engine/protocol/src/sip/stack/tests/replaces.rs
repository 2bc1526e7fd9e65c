//! INVITE with Replaces (RFC 3891) and Join (RFC 3911): which session it names, and which answer it gets where it may not have it.

use super::*;

/// An INVITE of somebody else with these header lines.
fn judged(link: &mut Link, side: usize, lines: &str) -> Option<Result<SessionId, u16>> {
    let text = super::judgements::request("INVITE", "9").replace("Contact:", &format!("{lines}Contact:"));
    let Ok(Message::Request(request)) = wire::read(text.replace('\n', "\r\n").as_bytes()) else {
        panic!("a request")
    };
    match lines.starts_with("Join") {
        true => link.stacks[side].joins(&request),
        false => link.stacks[side].replaces(&request),
    }
}

/// How the dialog of a session is named, as the other side would write it.
fn name(link: &Link, side: usize, session: SessionId) -> (String, String) {
    let (call_id, ours, theirs) = link.stacks[side].dialog_name(session).expect("there is a dialog");
    let line = |to: &str, from: &str| format!("Replaces: {call_id};to-tag={to};from-tag={from}\n");
    (line(&ours, theirs), line(theirs, &ours))
}

#[test]
fn rfc3891_3_a_dialog_that_is_up_may_be_replaced_unless_an_early_one_is_meant() {
    let mut link = Link::new(1);
    link.call();
    link.run(ms(100), &mut answers());
    for side in [ANA, BORIS] {
        let session = link.sessions[side][0];
        let (right, turned) = name(&link, side, session);
        assert_eq!(judged(&mut link, side, &right), Some(Ok(session)));
        assert_eq!(judged(&mut link, side, &turned), Some(Ok(session)), "many write them so");
        let early_only = right.replace('\n', ";early-only\n");
        assert_eq!(judged(&mut link, side, &early_only), Some(Err(486)));
        assert_eq!(judged(&mut link, side, &right.repeat(2)), Some(Err(400)), "exactly one");
        let both = right.clone() + &right.replace("Replaces", "Join");
        assert_eq!(judged(&mut link, side, &both), Some(Err(400)));
        assert_eq!(judged(&mut link, side, &right.replace(";to-tag", "x;to-tag")), Some(Err(481)));
    }
    for (lines, status) in [
        ("", None),
        ("Replaces: a\n", Some(Err(400))),
        ("Replaces: a;to-tag=b;from-tag=c\n", Some(Err(481))),
        ("Replaces: a;to-tag=;from-tag=\n", Some(Err(481))),
    ] {
        assert_eq!(judged(&mut link, ANA, lines), status, "{lines}");
    }
}

#[test]
fn rfc3891_3_an_early_dialog_may_be_replaced_at_the_side_that_began_it_alone() {
    let mut link = Link::new(2);
    link.call();
    let rings: Owner = Box::new(|link, side, event| {
        if let (BORIS, Event::Invited { session, .. }) = (side, event) {
            let session = *session;
            link.ask(BORIS, |stack, now, out| stack.provisional(now, session, 180, "", None, out));
        }
    });
    link.run(ms(100), &mut { rings });
    let (ana, boris) = (link.sessions[ANA][0], link.sessions[BORIS][0]);
    let (by_ana, _) = name(&link, ANA, ana);
    assert_eq!(judged(&mut link, ANA, &by_ana), Some(Ok(ana)));
    let early_only = by_ana.replace('\n', ";early-only\n");
    assert_eq!(judged(&mut link, ANA, &early_only), Some(Ok(ana)));
    let (by_boris, _) = name(&link, BORIS, boris);
    assert_eq!(judged(&mut link, BORIS, &by_boris), Some(Err(481)));
}

#[test]
fn rfc3911_4_a_dialog_that_is_up_may_be_joined() {
    let mut link = Link::new(4);
    link.call();
    link.run(ms(100), &mut answers());
    for side in [ANA, BORIS] {
        let session = link.sessions[side][0];
        let (right, turned) = name(&link, side, session);
        let (right, turned) = (right.replace("Replaces", "Join"), turned.replace("Replaces", "Join"));
        assert_eq!(judged(&mut link, side, &right), Some(Ok(session)));
        assert_eq!(judged(&mut link, side, &turned), Some(Ok(session)), "many write them so");
        assert_eq!(judged(&mut link, side, &right.repeat(2)), Some(Err(400)), "exactly one");
        let both = right.clone() + &right.replace("Join", "Replaces");
        assert_eq!(judged(&mut link, side, &both), Some(Err(400)));
        assert_eq!(judged(&mut link, side, &right.replace(";to-tag", "x;to-tag")), Some(Err(481)));
    }
    assert_eq!(judged(&mut link, ANA, "Join: a\n"), Some(Err(400)));
    let (ana, _) = name(&link, ANA, link.sessions[ANA][0]);
    link.drops = Box::new(|_, _| true);
    let session = link.sessions[ANA][0];
    link.ask(ANA, |stack, now, out| stack.hang_up(now, session, None, out));
    assert_eq!(judged(&mut link, ANA, &ana.replace("Replaces", "Join")), Some(Err(603)));
}

#[test]
fn rfc3891_3_a_dialog_that_ends_is_declined() {
    let mut link = Link::new(3);
    link.call();
    link.run(ms(100), &mut answers());
    let session = link.sessions[ANA][0];
    let (right, _) = name(&link, ANA, session);
    link.drops = Box::new(|_, _| true);
    link.ask(ANA, |stack, now, out| stack.hang_up(now, session, None, out));
    assert_eq!(judged(&mut link, ANA, &right), Some(Err(603)));
}
