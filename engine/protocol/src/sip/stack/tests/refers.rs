//! Transfers by REFER (RFC 3515, RFC 5589) and what crosses them.

use super::*;

fn in_call(link: &mut Link) -> [SessionId; 2] {
    let call = link.call();
    link.run(ms(100), &mut answers());
    link.ladder.clear();
    [call, *link.sessions[BORIS].last().unwrap()]
}

/// A REFER of ana's telephone inside the dialog of `session`, which is boris' end of it.
fn refer(link: &mut Link, session: SessionId, cseq: u32, refer_to: &str, more: &str) {
    let text = {
        let session = &link.stacks[BORIS].sessions[&session];
        let State::Talking { dialog, .. } = &session.state else { panic!("they talk") };
        let (to, from, call_id) = (&dialog.local, &dialog.remote, &dialog.call_id);
        format!(
            "REFER sip:boris@192.0.2.2 SIP/2.0\nVia: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKrefer{cseq}\n\
             Max-Forwards: 70\nTo: {to}\nFrom: {from}\nCall-ID: {call_id}\nCSeq: {cseq} REFER\n\
             Contact: <sip:ana@192.0.2.1>\n{refer_to}{more}Content-Length: 0\n\n"
        )
    };
    link.arrive(BORIS, &text);
}

const TO_VERA: &str = "Refer-To: <sip:vera@192.0.2.2>\n";

use crate::sip::session::State;

/// What boris' side told its owner of REFERs.
fn referred(link: &Link) -> Vec<(String, With)> {
    let events = link.events.iter().filter_map(|(_, side, event)| match event {
        Event::Referred { to, with, .. } if *side == BORIS => Some((to.to_string(), *with)),
        _ => None,
    });
    events.collect()
}

/// The whole messages that boris' side sent, those whose first word is this.
fn sent(link: &mut Link, word: &str) -> Vec<String> {
    let all = link
        .under_way
        .iter()
        .map(|std::cmp::Reverse((_, order, _, bytes))| (*order, String::from_utf8_lossy(bytes).into_owned()));
    let mut all: Vec<_> = all.filter(|(_, text)| text.starts_with(word)).collect();
    all.sort();
    all.into_iter().map(|(_, text)| text).collect()
}

fn accept(link: &mut Link, session: SessionId) {
    link.ask(BORIS, |stack, now, out| stack.accept_refer(now, session, out));
}

fn report(link: &mut Link, session: SessionId, status: u16) {
    link.ask(BORIS, |stack, now, out| stack.report_refer(now, session, status, out));
}

#[test]
fn rfc3515_2_4_a_refer_gets_202_and_notifies_until_the_final_word() {
    let mut link = Link::new(1);
    let [_, boris] = in_call(&mut link);
    refer(&mut link, boris, 100, TO_VERA, "");
    assert_eq!(referred(&link), [("sip:vera@192.0.2.2".into(), With::Nobody)]);
    accept(&mut link, boris);
    let first = &sent(&mut link, "NOTIFY")[0];
    // RFC 3515 §2.4.4, §2.4.5: at once, a fragment of a message, and for how long.
    assert!(first.contains("\r\nEvent: refer\r\n"), "{first}");
    assert!(first.contains("\r\nSubscription-State: active;expires="), "{first}");
    assert!(first.contains("\r\nContent-Type: message/sipfrag;version=2.0\r\n"), "{first}");
    assert!(first.ends_with("\r\n\r\nSIP/2.0 100 Trying\r\n"), "{first}");
    report(&mut link, boris, 180);
    report(&mut link, boris, 200);
    let last = sent(&mut link, "NOTIFY").pop().unwrap();
    assert!(last.contains("\r\nSubscription-State: terminated;reason=noresource\r\n"), "{last}");
    assert!(last.ends_with("\r\n\r\nSIP/2.0 200 OK\r\n"), "{last}");
    report(&mut link, boris, 200);
    assert_eq!(link.lines(), ["b 202", "b NOTIFY", "b NOTIFY", "b NOTIFY"], "nothing after the final word");

    // A second REFER of the dialog has a subscription of its own (§2.4.6).
    refer(&mut link, boris, 101, TO_VERA, "");
    accept(&mut link, boris);
    let second = sent(&mut link, "NOTIFY").pop().unwrap();
    assert!(second.contains("\r\nEvent: refer;id=101\r\n"), "{second}");
}

#[test]
fn a_refer_that_is_refused_leaves_the_call_as_it_was() {
    let mut link = Link::new(1);
    let [ana, boris] = in_call(&mut link);
    refer(&mut link, boris, 100, TO_VERA, "");
    link.ask(BORIS, |stack, now, out| stack.refuse_refer(now, boris, 603, out));
    accept(&mut link, boris);
    report(&mut link, boris, 200);
    assert_eq!(link.lines(), ["b 603"]);
    // §2.4.2: exactly one Refer-To, and one that can be called.
    refer(&mut link, boris, 101, "", "");
    refer(&mut link, boris, 102, "Refer-To: <sip:a@b.example>\nRefer-To: <sip:c@b.example>\n", "");
    refer(&mut link, boris, 103, "Refer-To: <http://b.example/>\n", "");
    refer(&mut link, boris, 104, "Refer-To: <sip:>\n", "");
    assert_eq!(link.lines()[1..], ["b 400", "b 400", "b 416", "b 400"]);
    assert_eq!(referred(&link).len(), 1);
    link.ask(ANA, |stack, now, out| stack.hang_up(now, ana, None, out));
    link.run_out(&mut nothing());
}

#[test]
fn a_second_refer_waits_until_the_first_is_done_and_a_copy_is_answered_alike() {
    let mut link = Link::new(1);
    let [_, boris] = in_call(&mut link);
    refer(&mut link, boris, 100, TO_VERA, "");
    refer(&mut link, boris, 100, TO_VERA, "");
    assert_eq!((link.lines().len(), referred(&link).len()), (0, 1), "a copy is the same REFER");
    accept(&mut link, boris);
    refer(&mut link, boris, 100, TO_VERA, "");
    refer(&mut link, boris, 101, TO_VERA, "");
    assert_eq!(link.lines(), ["b 202", "b NOTIFY", "b 202", "b 491"]);
}

#[test]
fn rfc4488_whoever_wants_no_subscription_gets_no_notify() {
    let mut link = Link::new(1);
    let [_, boris] = in_call(&mut link);
    refer(&mut link, boris, 100, TO_VERA, "Refer-Sub: false\nSupported: norefersub\n");
    link.ask(BORIS, |stack, now, out| stack.accept_refer(now, boris, out));
    assert!(sent(&mut link, "SIP/2.0 202")[0].contains("\r\nRefer-Sub: false\r\n"));
    report(&mut link, boris, 200);
    assert_eq!(link.lines(), ["b 202"]);
    refer(&mut link, boris, 101, TO_VERA, "");
    assert_eq!(referred(&link).len(), 2, "the first is done");
}

#[test]
fn rfc5589_7_an_attended_transfer_names_the_other_session_in_the_uri() {
    let mut link = Link::new(1);
    let [_, first] = in_call(&mut link);
    let [_, second] = in_call(&mut link);
    let (call_id, ours, theirs) = {
        let State::Talking { dialog, .. } = &link.stacks[BORIS].sessions[&second].state else { panic!() };
        let tag = dialog.local.rsplit_once(";tag=").unwrap().1.to_owned();
        (dialog.call_id.clone(), tag, dialog.remote_tag.clone())
    };
    let mut cseq = 100;
    let mut with = |link: &mut Link, call_id: &str, to: &str, from: &str| {
        cseq += 1;
        let uri = format!("sip:vera@192.0.2.2?Replaces={call_id}%3Bto-tag%3D{to}%3Bfrom-tag%3D{from}");
        refer(link, first, cseq, &format!("Refer-To: <{uri}&Require=replaces>\n"), "");
        link.ask(BORIS, |stack, now, out| stack.refuse_refer(now, first, 603, out));
        referred(link).pop().unwrap().1
    };
    assert_eq!(with(&mut link, &call_id, &ours, &theirs), With::Session(second));
    assert_eq!(with(&mut link, &call_id, &theirs, &ours), With::Session(second), "from the far end's view");
    assert_eq!(with(&mut link, "other", &ours, &theirs), With::Unknown);
    assert_eq!(with(&mut link, &call_id, &ours, "guessed"), With::Unknown);
    assert_eq!(with(&mut link, &"9".repeat(600), &ours, &theirs), With::Unknown);
    let State::Talking { dialog, .. } = &link.stacks[BORIS].sessions[&first].state else { panic!() };
    let (own, remote) = (dialog.local.rsplit_once(";tag=").unwrap().1.to_owned(), dialog.remote_tag.clone());
    let call_id = dialog.call_id.clone();
    assert_eq!(with(&mut link, &call_id, &own, &remote), With::Unknown, "a call does not replace itself");
}

#[test]
fn a_bye_that_crosses_a_refer_ends_both() {
    // Theirs, before anything was decided: the REFER gets a final response all the same.
    let mut link = Link::new(1);
    let [ana, boris] = in_call(&mut link);
    refer(&mut link, boris, 100, TO_VERA, "");
    let bye = "BYE sip:boris@192.0.2.2 SIP/2.0\nVia: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKbye\nMax-Forwards: 70\n";
    let rest = {
        let State::Talking { dialog, .. } = &link.stacks[BORIS].sessions[&boris].state else { panic!() };
        let (to, from, call_id) = (&dialog.local, &dialog.remote, &dialog.call_id);
        format!("To: {to}\nFrom: {from}\nCall-ID: {call_id}\nCSeq: 101 BYE\nContent-Length: 0\n\n")
    };
    link.arrive(BORIS, &format!("{bye}{rest}"));
    assert_eq!(link.lines(), ["b 200", "b 487"]);
    accept(&mut link, boris);
    report(&mut link, boris, 200);
    assert_eq!(link.lines().len(), 2);
    assert_eq!(link.ends(BORIS), ["ended Remote"]);
    link.ask(ANA, |stack, now, out| stack.hang_up(now, ana, None, out));
    link.run_out(&mut nothing());
    link.assert_empty();

    // Ours, while it is reported: the NOTIFY that a gone subscription answers with 481 harms nobody.
    let mut link = Link::new(2);
    let [_, boris] = in_call(&mut link);
    refer(&mut link, boris, 100, TO_VERA, "");
    accept(&mut link, boris);
    report(&mut link, boris, 200);
    link.ask(BORIS, |stack, now, out| stack.hang_up(now, boris, None, out));
    report(&mut link, boris, 200);
    link.run_out(&mut nothing());
    // The other stack has no use for NOTIFY; a telephone that has forgotten its REFER says as much.
    assert_eq!(link.ends(ANA), ["ended Remote"]);
    link.assert_empty();
}

#[test]
fn rfc3515_2_4_4_whoever_is_hung_up_on_while_it_is_tried_hears_that_it_is_not_any_more() {
    let mut link = Link::new(4);
    let [_, boris] = in_call(&mut link);
    refer(&mut link, boris, 2, TO_VERA, "");
    accept(&mut link, boris);
    link.ask(BORIS, |stack, now, out| stack.hang_up(now, boris, None, out));
    let last = sent(&mut link, "NOTIFY").pop().unwrap();
    assert!(last.contains("\r\nSubscription-State: terminated;reason=noresource\r\n"), "{last}");
    assert!(last.ends_with("\r\n\r\nSIP/2.0 487 Request Terminated\r\n"), "{last}");
    assert_eq!(link.lines(), ["b 202", "b NOTIFY", "b NOTIFY", "b BYE"]);
    link.run_out(&mut nothing());
    link.assert_empty();

    // One that was not accepted yet is answered, and nothing was promised.
    let mut link = Link::new(5);
    let [_, boris] = in_call(&mut link);
    refer(&mut link, boris, 2, TO_VERA, "");
    link.ask(BORIS, |stack, now, out| stack.hang_up(now, boris, None, out));
    assert_eq!(link.lines(), ["b 487", "b BYE"]);
    link.run_out(&mut nothing());
    link.assert_empty();
}

#[test]
fn rfc5057_5_3_a_notify_that_is_refused_or_lost_does_not_end_the_call() {
    for lost in [false, true] {
        let mut link = Link::new(3);
        let [ana, boris] = in_call(&mut link);
        refer(&mut link, boris, 2, TO_VERA, "");
        link.drops = Box::new(move |_, line| lost && line == "NOTIFY");
        accept(&mut link, boris);
        link.run(ms(40_000), &mut nothing());
        assert_eq!(link.ends(BORIS), [""; 0]);
        link.drops = Box::new(|_, _| false);
        link.ask(ANA, |stack, now, out| stack.hang_up(now, ana, None, out));
        link.run_out(&mut nothing());
        link.assert_empty();
    }
}

#[test]
fn outside_of_a_call_nobody_is_referred() {
    let mut link = Link::new(1);
    link.arrive(
        BORIS,
        "REFER sip:boris@192.0.2.2 SIP/2.0\nVia: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKa\nMax-Forwards: 70\n\
         To: <sip:boris@192.0.2.2>\nFrom: <sip:ana@192.0.2.1>;tag=a\nCall-ID: c\nCSeq: 1 REFER\n\
         Refer-To: <sip:vera@192.0.2.2>\nContent-Length: 0\n\n",
    );
    assert_eq!((link.lines(), referred(&link)), (vec!["b 405".to_owned()], vec![]));
    link.run_out(&mut nothing());
    link.assert_empty();
}
