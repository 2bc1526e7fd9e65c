//! Messages that cross (RFC 3261 §9, §14, §15; RFC 5407).

use super::*;

fn in_call(link: &mut Link) -> [SessionId; 2] {
    let call = link.call();
    link.run(ms(100), &mut answers());
    [call, link.sessions[BORIS][0]]
}

#[test]
fn rfc3261_9_1_a_cancel_waits_for_the_first_provisional_response() {
    let mut link = Link::new(1);
    let call = link.call();
    link.ask(ANA, |stack, now, out| {
        stack.hang_up(now, call, Some("SIP;cause=200;text=\"Call completed elsewhere\""), out);
    });
    assert_eq!(link.lines(), ["a INVITE"]);
    link.run_out(&mut nothing());
    assert_eq!(link.lines(), ["a INVITE", "b 100", "a CANCEL", "b 200", "b 487", "a ACK"]);
    let reason = link.events.iter().find_map(|(_, side, event)| match event {
        Event::Ended { by: EndedBy::Cancelled, reason, .. } if *side == BORIS => reason.clone(),
        _ => None,
    });
    assert_eq!(reason.as_deref(), Some("SIP;cause=200;text=\"Call completed elsewhere\""));
    assert_eq!(link.ends(ANA), ["ended Local"]);
    link.assert_empty();
}

#[test]
fn rfc3261_9_1_a_200_that_crosses_a_cancel_is_acknowledged_and_ended() {
    let mut link = Link::new(1);
    let call = link.call();
    let mut owner: Owner = Box::new(move |link, side, event| match (side, event) {
        (BORIS, Event::Invited { session, .. }) => {
            let session = *session;
            link.ask(BORIS, |stack, now, out| stack.provisional(now, session, 180, "", None, out));
        }
        (ANA, Event::Progress { .. }) => {
            // In the same moment Boris lifts the receiver and Ana gives up.
            let session = link.sessions[BORIS][0];
            link.ask(ANA, |stack, now, out| stack.hang_up(now, call, None, out));
            link.ask(BORIS, |stack, now, out| stack.answer(now, session, sdp("answer"), out));
        }
        _ => {}
    });
    link.run_out(&mut owner);
    let lines = link.lines();
    assert_eq!(lines[..4], ["a INVITE", "b 180", "a CANCEL", "b 200"]);
    assert_eq!((link.count(ANA, "ACK"), link.count(ANA, "BYE")), (1, 1));
    assert_eq!((link.ends(ANA), link.ends(BORIS)), (vec!["ended Local".into()], vec!["ended Remote".into()]));
    link.assert_empty();
}

#[test]
fn rfc3261_9_1_without_a_final_response_a_cancelled_invite_is_forgotten() {
    let mut link = Link::new(1);
    let call = link.call();
    link.run(ms(100), &mut nothing());
    link.drops = Box::new(|_, _| true);
    link.ask(ANA, |stack, now, out| stack.hang_up(now, call, None, out));
    link.run(ms(33_000), &mut nothing());
    assert_eq!(link.stacks[ANA].load(), Load::default());
}

#[test]
fn rfc3261_14_1_reinvites_that_cross_are_both_refused_and_both_succeed_later() {
    for seed in 1..20 {
        let mut link = Link::new(seed);
        let sessions = in_call(&mut link);
        for side in [ANA, BORIS] {
            link.ask(side, |stack, now, out| stack.reinvite(now, sessions[side], sdp("hold"), out));
        }
        let zero = link.elapsed();
        let mut owner: Owner = Box::new(|link, side, event| {
            if let Event::Reinvited { session, .. } = event {
                let session = *session;
                link.ask(side, |stack, now, out| stack.accept_reinvite(now, session, sdp("held"), out));
            }
        });
        link.run(ms(10_000), &mut owner);
        assert_eq!((link.count(ANA, "491"), link.count(BORIS, "491")), (1, 1));
        let again = |side| {
            let all: Vec<_> =
                link.ladder.iter().filter(|(_, from, line)| (*from, &**line) == (side, "INVITE")).collect();
            all.last().unwrap().0 - zero
        };
        // §14.1: whoever did not make the Call-ID goes first, within 2 s (and 20 ms on the way); the other waits
        // 2.1 s, or until that one is through.
        assert!(again(BORIS) <= 2_020, "{}", again(BORIS));
        assert!((again(BORIS)..=4_020).contains(&again(ANA)), "{}", again(ANA));
        for side in [ANA, BORIS] {
            let answered = link
                .events
                .iter()
                .any(|(_, at, event)| *at == side && matches!(event, Event::ReinviteAnswered { .. }));
            assert!(answered, "{side}: {:?}", link.lines());
            assert_eq!(link.ends(side), [""; 0]);
        }
        link.ask(BORIS, |stack, now, out| stack.hang_up(now, sessions[BORIS], None, out));
        link.run_out(&mut nothing());
        link.assert_empty();
    }
}

#[test]
fn rfc5407_3_1_3_two_byes_that_cross_are_both_answered() {
    let mut link = Link::new(1);
    let sessions = in_call(&mut link);
    for side in [ANA, BORIS] {
        link.ask(side, |stack, now, out| stack.hang_up(now, sessions[side], None, out));
    }
    link.run_out(&mut nothing());
    assert_eq!(link.lines()[4..], ["a BYE", "b BYE", "b 200", "a 200"]);
    assert_eq!((link.ends(ANA), link.ends(BORIS)), (vec!["ended Local".into()], vec!["ended Local".into()]));
    link.assert_empty();
}

#[test]
fn rfc3261_15_whoever_answered_hangs_up_only_after_the_ack() {
    let mut link = Link::new(1);
    link.call();
    let mut owner: Owner = Box::new(|link, side, event| {
        if let (BORIS, Event::Invited { session, .. }) = (side, event) {
            let session = *session;
            link.ask(BORIS, |stack, now, out| stack.answer(now, session, sdp("answer"), out));
            link.ask(BORIS, |stack, now, out| stack.hang_up(now, session, None, out));
        }
    });
    link.run_out(&mut owner);
    assert_eq!(link.lines(), ["a INVITE", "b 200", "a ACK", "b BYE", "a 200"]);
    link.assert_empty();
}

#[test]
fn rfc5407_3_1_4_a_reinvite_that_crosses_a_bye_finds_no_dialog() {
    let mut link = Link::new(1);
    let sessions = in_call(&mut link);
    link.ask(ANA, |stack, now, out| stack.hang_up(now, sessions[ANA], None, out));
    link.ask(BORIS, |stack, now, out| stack.reinvite(now, sessions[BORIS], sdp("hold"), out));
    link.run_out(&mut nothing());
    assert_eq!(link.count(ANA, "481"), 1);
    assert_eq!((link.ends(ANA), link.ends(BORIS)), (vec!["ended Local".into()], vec!["ended Remote".into()]));
    link.assert_empty();
}

#[test]
fn a_reinvite_that_waits_goes_when_the_way_is_free() {
    let mut link = Link::new(1);
    let sessions = in_call(&mut link);
    for offer in ["first", "second", "third"] {
        link.ask(ANA, |stack, now, out| stack.reinvite(now, sessions[ANA], sdp(offer), out));
    }
    let mut owner: Owner = Box::new(|link, side, event| {
        if let Event::Reinvited { session, .. } = event {
            let session = *session;
            link.ask(side, |stack, now, out| stack.accept_reinvite(now, session, sdp("held"), out));
        }
    });
    link.run(ms(1_000), &mut owner);
    let offers = link.events.iter().filter_map(|(_, _, event)| match event {
        Event::Reinvited { offer, .. } => offer.clone(),
        _ => None,
    });
    let offers: Vec<_> = offers.collect();
    assert_eq!(offers, ["first", "third"], "the later one took the place of the one that waited");
}

const FORKED_200: &str = "SIP/2.0 200 OK
Via: VIA
From: FROM
To: <sip:boris@192.0.2.2>;tag=TAG
Call-ID: CALL
CSeq: 1 INVITE
Contact: <sip:TAG@192.0.2.2>
Content-Length: 0

";

#[test]
fn rfc3261_13_2_2_4_the_second_phone_behind_a_fork_is_acknowledged_and_ended() {
    let mut link = Link::new(1);
    let mut request = None;
    let call = link.call();
    let Reverse((_, _, _, bytes)) = link.under_way.pop().unwrap();
    if let Ok(Message::Request(invite)) = wire::read(&bytes) {
        request = Some(invite);
    }
    let invite = request.expect("an INVITE went out");
    use crate::sip::HeaderName;
    let header = |name| invite.headers.get(name).unwrap();
    let answer = FORKED_200
        .replace("VIA", header(HeaderName::Via))
        .replace("FROM", header(HeaderName::From))
        .replace("CALL", header(HeaderName::CallId));
    let answer = |tag: &str| answer.replace("TAG", tag);
    for tag in ["kitchen", "hall"] {
        link.arrive(ANA, &answer(tag).replace("200 OK", "180 Ringing"));
    }
    let rang = link.events.iter().filter_map(|(_, _, event)| match event {
        Event::Progress { tag, .. } => Some(&**tag),
        _ => None,
    });
    assert_eq!(rang.collect::<Vec<_>>(), ["kitchen", "hall"]);
    link.arrive(ANA, &answer("hall"));
    assert_eq!(link.lines(), ["a INVITE", "a ACK"]);
    link.arrive(ANA, &answer("kitchen"));
    assert_eq!(link.lines()[2..], ["a ACK", "a BYE"]);
    // Copies are acknowledged and no more; the call goes on with the first phone.
    link.arrive(ANA, &answer("kitchen"));
    link.arrive(ANA, &answer("hall"));
    assert_eq!(link.lines()[4..], ["a ACK", "a ACK"]);
    assert_eq!(link.ends(ANA), [""; 0]);
    let aimed = link.under_way.drain().map(|Reverse((_, order, _, bytes))| {
        (order, String::from_utf8_lossy(&bytes).split(" SIP/2.0").next().unwrap().to_owned())
    });
    let mut aimed: Vec<_> = aimed.collect();
    aimed.sort();
    let aimed: Vec<_> = aimed.into_iter().map(|(_, line)| line).collect();
    let (hall, kitchen) = ("sip:hall@192.0.2.2", "sip:kitchen@192.0.2.2");
    assert_eq!(
        aimed,
        [
            format!("ACK {hall}"),
            format!("ACK {kitchen}"),
            format!("BYE {kitchen}"),
            format!("ACK {kitchen}"),
            format!("ACK {hall}")
        ]
    );
    link.ask(ANA, |stack, now, out| stack.hang_up(now, call, None, out));
    link.drops = Box::new(|_, _| true);
    link.run_out(&mut nothing());
    assert_eq!(link.stacks[ANA].load(), Load::default());
}
