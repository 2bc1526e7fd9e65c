//! Reliable provisional responses, 100rel and PRACK (RFC 3262).

use super::judgements::request;
use super::*;
use crate::sip::session::State;

/// Boris says early what is to be heard, and lifts the receiver `after` the INVITE.
pub(super) fn early(answers: bool) -> Owner {
    Box::new(move |link, side, event| {
        if let (BORIS, Event::Invited { session, .. }) = (side, event) {
            let session = *session;
            link.ask(BORIS, |stack, now, out| stack.provisional(now, session, 183, "", sdp("early"), out));
            if answers {
                link.ask(BORIS, |stack, now, out| stack.answer(now, session, sdp("early"), out));
            }
        }
    })
}

/// A request of ana's telephone inside the dialog of `session`, boris' end of it.
pub(super) fn inside(link: &mut Link, session: SessionId, method: &str, cseq: u32, more: &str, body: &str) {
    let text = {
        let session = &link.stacks[BORIS].sessions[&session];
        let (State::Talking { dialog, .. } | State::Ringing { dialog, .. }) = &session.state else {
            panic!("a dialog")
        };
        let (to, from, call_id) = (&dialog.local, &dialog.remote, &dialog.call_id);
        let kind = if body.is_empty() { "" } else { "Content-Type: application/sdp\n" };
        let length = body.len();
        format!(
            "{method} sip:boris@192.0.2.2 SIP/2.0\nVia: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKin{method}{cseq}\n\
             Max-Forwards: 70\nTo: {to}\nFrom: {from}\nCall-ID: {call_id}\nCSeq: {cseq} {method}\n\
             Contact: <sip:ana@192.0.2.1>\n{more}{kind}Content-Length: {length}\n\n{body}"
        )
    };
    link.arrive(BORIS, &text);
}

/// The value of a header in the last message of boris' with this first line.
pub(super) fn header(link: &Link, line: &str, name: &str) -> Option<String> {
    let text = link.text(BORIS, line);
    text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": ").map(str::to_owned))
}

#[test]
fn rfc3262_3_what_a_caller_must_hear_is_acknowledged() {
    let mut link = Link::new(1);
    let call = link.call();
    link.run(ms(100), &mut early(false));
    assert_eq!(link.lines(), ["a INVITE", "b 183", "a PRACK", "b 200"]);
    assert_eq!(header(&link, "183", "Require").as_deref(), Some("100rel"));
    let rseq = header(&link, "183", "RSeq").expect("a number");
    assert!(
        link.text(ANA, "PRACK").contains(&format!("RAck: {rseq} 1 INVITE\r\n")),
        "{}",
        link.text(ANA, "PRACK")
    );
    assert!(link.events.iter().any(|(_, side, event)| *side == ANA
        && matches!(event, Event::Progress { status: 183, sdp: Some(sdp), .. } if &sdp[..] == b"early")));
    link.ask(ANA, |stack, now, out| stack.hang_up(now, call, None, out));
    link.run_out(&mut nothing());
    assert_eq!(link.ends(BORIS), ["ended Cancelled"]);
    link.assert_empty();
}

#[test]
fn rfc3262_3_a_lost_response_comes_again_and_a_lost_prack_too() {
    let mut link = Link::new(1);
    let call = link.call();
    let mut lost = [("183", BORIS, 2), ("PRACK", ANA, 2)];
    link.drops = Box::new(move |side, line| {
        let of = lost.iter_mut().find(|(what, from, left)| (*what, *from) == (line, side) && *left > 0);
        of.map(|(.., left)| *left -= 1).is_some()
    });
    link.run(ms(20_000), &mut early(true));
    // At 510 ms twice: the INVITE has come again as well.
    assert_eq!(link.at(BORIS, "183")[..3], [10, 510, 510]);
    let told = link.events.iter().filter(|(_, _, event)| matches!(event, Event::Progress { .. }));
    assert_eq!(told.count(), 1, "copies are not heard twice");
    let (acknowledged, answered) = (*link.at(BORIS, "200").first().unwrap(), link.at(ANA, "PRACK"));
    assert_eq!(answered.len(), 3);
    assert_eq!(acknowledged, answered[2] + 10, "the 2xx waits for the PRACK");
    assert_eq!(link.count(ANA, "ACK"), 1);
    link.ask(ANA, |stack, now, out| stack.hang_up(now, call, None, out));
    link.run_out(&mut nothing());
    link.assert_empty();
}

#[test]
fn rfc3262_3_an_invite_whose_responses_nobody_acknowledges_gets_504() {
    let mut link = Link::new(1);
    link.call();
    link.drops = Box::new(|side, line| side == ANA && line == "PRACK");
    link.run_out(&mut early(true));
    assert_eq!(link.at(BORIS, "504")[0], 32_010);
    assert_eq!(link.ends(BORIS), ["ended Timeout"]);
    assert_eq!(link.ends(ANA), ["refused 504 Remote"]);
    link.assert_empty();
}

#[test]
fn rfc3262_3_a_2xx_that_contradicts_nothing_does_not_wait() {
    let mut link = Link::new(1);
    let invite = request("INVITE", "1").replace("Contact:", "Require: 100rel\nContact:");
    link.arrive(BORIS, &invite);
    let session = link.sessions[BORIS][0];
    link.ask(BORIS, |stack, now, out| stack.provisional(now, session, 180, "", None, out));
    let rseq = header(&link, "180", "RSeq").expect("required is required, with a description or without");
    link.ask(BORIS, |stack, now, out| stack.answer(now, session, sdp("offer"), out));
    assert_eq!(link.lines(), ["b 180", "b 200"]);
    // Its PRACK comes late and is answered all the same, and once only counts.
    inside(&mut link, session, "PRACK", 8, &format!("RAck: {rseq} 7 INVITE\n"), "");
    assert_eq!(link.lines().last().unwrap(), "b 200");
    inside(&mut link, session, "PRACK", 9, &format!("RAck: {rseq} 6 INVITE\n"), "");
    assert_eq!(link.lines().last().unwrap(), "b 481");
}

#[test]
fn rfc3262_3_and_7_2_a_prack_of_another_number_has_no_response() {
    let mut link = Link::new(1);
    link.call();
    link.drops = Box::new(|side, line| side == ANA && line == "PRACK");
    link.run(ms(100), &mut early(false));
    let session = link.sessions[BORIS][0];
    let rseq: u32 = header(&link, "183", "RSeq").unwrap().parse().unwrap();
    for (cseq, rack, status) in [
        (20, format!("{} 1 INVITE", rseq + 1), "481"),
        (21, format!("{rseq} 2 INVITE"), "481"),
        (22, format!("{rseq} 1 UPDATE"), "400"),
        (23, "one 1 INVITE".to_owned(), "400"),
        (24, format!("{rseq} 1 INVITE"), "200"),
        (25, format!("{rseq} 1 INVITE"), "481"),
    ] {
        inside(&mut link, session, "PRACK", cseq, &format!("RAck: {rack}\n"), "");
        assert_eq!(link.ladder.last().unwrap().2, status, "{rack}");
    }
}

#[test]
fn rfc3262_5_an_offer_in_a_response_is_answered_in_the_prack() {
    let mut link = Link::new(1);
    link.arrive(BORIS, &request("INVITE", "1").replace("Contact:", "Supported: 100rel\nContact:"));
    let session = link.sessions[BORIS][0];
    assert!(link.stacks[BORIS].rings_reliably(session));
    link.ask(BORIS, |stack, now, out| stack.provisional(now, session, 183, "", sdp("our offer"), out));
    link.ask(BORIS, |stack, now, out| stack.answer(now, session, sdp("our offer"), out));
    assert_eq!(link.count(BORIS, "200"), 0);
    let rseq = header(&link, "183", "RSeq").unwrap();
    inside(&mut link, session, "PRACK", 8, &format!("RAck: {rseq} 7 INVITE\n"), "their answer");
    assert!(link.events.iter().any(|(_, _, event)| matches!(event, Event::Acked { sdp: Some(sdp), .. }
        if &sdp[..] == b"their answer")));
    assert_eq!(link.count(BORIS, "200"), 2, "to the PRACK, and to the INVITE");
    assert!(link.text(BORIS, "200").ends_with("\r\n\r\n"), "all is said");
}

#[test]
fn rfc3262_3_a_phone_that_rings_for_long_says_so_reliably() {
    let mut link = Link::new(1);
    let call = link.call();
    link.run(ms(150_000), &mut early(false));
    assert_eq!(link.at(BORIS, "183"), [10, 60_010, 120_010]);
    assert_eq!(link.count(ANA, "PRACK"), 3);
    link.ask(ANA, |stack, now, out| stack.hang_up(now, call, None, out));
    link.run_out(&mut nothing());
    link.assert_empty();
}

/// Two phones behind one proxy ring and answer. What comes second is acknowledged and hung up.
#[test]
fn rfc3261_13_2_2_4_each_phone_behind_a_fork_has_a_dialog_and_one_keeps_the_call() {
    let mut link = Link::new(1);
    let call = link.call();
    link.under_way.clear();
    let response = |link: &Link, status: &str, tag: &str, rseq: u32| {
        let invite = link.text(ANA, "INVITE");
        let line = |name: &str| invite.lines().find(|line| line.starts_with(name)).unwrap().to_owned();
        let (require, body) = if rseq > 0 {
            (format!("Require: 100rel\nRSeq: {rseq}\n"), format!("sound of {tag}"))
        } else {
            (String::new(), format!("answer of {tag}"))
        };
        let (via, from, call_id, to) = (line("Via"), line("From"), line("Call-ID"), line("To"));
        let length = body.len();
        format!(
            "SIP/2.0 {status}\n{via}\n{from}\n{to};tag={tag}\n{call_id}\nCSeq: 1 INVITE\nAllow: UPDATE\n\
             Contact: <sip:{tag}@192.0.2.2>\n{require}Content-Type: application/sdp\nContent-Length: {length}\n\n{body}"
        )
    };
    for (tag, rseq) in [("first", 100), ("second", 500), ("first", 101), ("second", 502), ("first", 101)] {
        let text = response(&link, "183 Progress", tag, rseq);
        link.arrive(ANA, &text);
    }
    let racks: Vec<_> = link
        .texts
        .iter()
        .filter_map(|(_, bytes)| {
            let text = String::from_utf8_lossy(bytes).into_owned();
            text.lines().find_map(|line| line.strip_prefix("RAck: ").map(str::to_owned))
        })
        .collect();
    // RFC 3262 §4: a gap in the second's row, and a copy in the first's.
    assert_eq!(racks, ["100 1 INVITE", "500 1 INVITE", "101 1 INVITE"]);
    let heard = link.events.iter().filter_map(|(_, _, event)| match event {
        Event::Progress { tag, .. } => Some(&**tag),
        _ => None,
    });
    assert_eq!(heard.collect::<Vec<_>>(), ["first", "second", "first"]);
    for tag in ["second", "first"] {
        let text = response(&link, "200 OK", tag, 0);
        link.arrive(ANA, &text);
    }
    let answers: Vec<_> = link
        .events
        .iter()
        .filter_map(|(_, _, event)| match event {
            Event::Answered { session, sdp, .. } => Some((*session, sdp.clone())),
            _ => None,
        })
        .collect();
    // RFC 3261 §13.2.1: the answer that came reliably is the answer.
    assert_eq!(answers, [(call, sdp("sound of second"))]);
    assert_eq!((link.count(ANA, "ACK"), link.count(ANA, "BYE")), (2, 1));
    assert!(link.text(ANA, "BYE").contains("sip:first@192.0.2.2"), "{}", link.text(ANA, "BYE"));
}
