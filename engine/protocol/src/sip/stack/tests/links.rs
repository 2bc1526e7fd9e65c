//! Whole calls over good and bad links: what is sent, and that nothing stays behind.

use super::*;

#[test]
fn rfc3665_3_1_a_call_is_set_up_and_ended_with_as_few_messages_as_can_be() {
    for transport in [Transport::Udp, Transport::Tcp] {
        let mut link = Link { transport, ..Link::new(1) };
        let call = link.call();
        link.run(ms(300), &mut answers());
        assert_eq!(link.lines(), ["a INVITE", "b 180", "b 200", "a ACK"]);
        assert!(link.events.iter().any(|(_, side, event)| *side == ANA
            && matches!(event, Event::Answered { sdp, contact, .. }
                if sdp.as_deref() == Some(b"answer") && contact.starts_with("sip:boris@192.0.2.2:5060"))));
        assert!(
            link.events.iter().any(|(_, side, event)| *side == BORIS && matches!(event, Event::Acked { .. }))
        );
        link.ask(ANA, |stack, now, out| stack.hang_up(now, call, Some("Q.850;cause=16"), out));
        link.run_out(&mut nothing());
        assert_eq!(link.lines()[4..], ["a BYE", "b 200"]);
        assert_eq!(
            (link.ends(ANA), link.ends(BORIS)),
            (vec!["ended Local".into()], vec!["ended Remote".into()])
        );
        let reasons = link.events.iter().filter_map(|(_, side, event)| match event {
            Event::Ended { reason, .. } => Some((*side, reason.as_deref())),
            _ => None,
        });
        let reasons: Vec<_> = reasons.collect();
        assert_eq!(reasons, [(ANA, None), (BORIS, Some("Q.850;cause=16"))]);
        link.assert_empty();
    }
}

#[test]
fn a_lossy_and_reordering_link_loses_no_call_and_leaves_nothing_behind() {
    let (mut answered, mut told) = (0, 0);
    for seed in 1..400 {
        let mut link = Link::lossy(seed, 15);
        let calls: Vec<_> = (0..3).map(|_| link.call()).collect();
        let mut owner: Owner = Box::new(|link, side, event| match (side, event) {
            (BORIS, Event::Invited { session, .. }) => {
                let session = *session;
                link.ask(BORIS, |stack, now, out| stack.provisional(now, session, 180, "", None, out));
                match link.random(4) {
                    0 => link.ask(BORIS, |stack, now, out| stack.reject(now, session, 486, "", &[], out)),
                    _ => link.ask(BORIS, |stack, now, out| stack.answer(now, session, sdp("answer"), out)),
                }
            }
            (ANA, Event::Answered { session, .. }) if link.random(2) == 0 => {
                let session = *session;
                link.ask(ANA, |stack, now, out| stack.reinvite(now, session, sdp("hold"), out));
            }
            (_, Event::Reinvited { session, .. }) => {
                let session = *session;
                link.ask(side, |stack, now, out| stack.accept_reinvite(now, session, sdp("held"), out));
            }
            (BORIS, Event::Acked { session, .. }) if link.random(8) == 0 => {
                let session = *session;
                link.ask(BORIS, |stack, now, out| stack.hang_up(now, session, None, out));
            }
            _ => {}
        });
        link.run(ms(20_000), &mut owner);
        for call in calls {
            let wait = link.random(4_000);
            link.run(ms(wait), &mut owner);
            link.ask(ANA, |stack, now, out| stack.hang_up(now, call, None, out));
        }
        link.run_out(&mut owner);
        link.assert_empty();
        assert_eq!(link.ends(ANA).len(), 3, "seed {seed}: each session ends once; {:?}", link.events);
        assert_eq!(link.ends(BORIS).len(), link.sessions[BORIS].len(), "seed {seed}: {:?}", link.events);
        answered +=
            link.events.iter().filter(|(_, _, event)| matches!(event, Event::Answered { .. })).count();
        told += 3;
    }
    // Three in four are answered; a link that lost the rest would be seen here.
    assert!(answered * 100 > told * 70, "{answered} of {told}");
}

#[test]
fn rfc3261_13_3_1_4_a_2xx_is_repeated_until_its_ack_and_then_the_call_is_ended() {
    for transport in [Transport::Udp, Transport::Tcp] {
        let mut link = Link { transport, ..Link::new(1) };
        link.drops = Box::new(|_, line| line == "ACK");
        link.call();
        link.run_out(&mut answers());
        let at: Vec<_> = link
            .ladder
            .iter()
            .filter(|(_, side, line)| (*side, &**line) == (BORIS, "200"))
            .map(|(at, ..)| *at)
            .collect();
        // Sent at 10; T1, doubling up to T2; the last 200 answers nothing but is within 64*T1.
        assert_eq!(at, [10, 510, 1_510, 3_510, 7_510, 11_510, 15_510, 19_510, 23_510, 27_510, 31_510]);
        assert_eq!(link.count(ANA, "ACK"), 11, "each copy is acknowledged");
        assert_eq!(link.ends(BORIS), ["ended Timeout"]);
        assert_eq!(link.ends(ANA), ["ended Remote"]);
        let bye = link.ladder.iter().find(|(_, _, line)| line == "BYE").unwrap();
        assert_eq!((bye.0, bye.1), (32_010, BORIS));
        link.assert_empty();
    }
}

#[test]
fn rfc3261_17_1_1_2_nobody_there() {
    let mut link = Link::new(1);
    link.drops = Box::new(|_, _| true);
    link.call();
    link.run_out(&mut nothing());
    let at: Vec<_> = link.ladder.iter().map(|(at, ..)| *at).collect();
    assert_eq!(at, [0, 500, 1_500, 3_500, 7_500, 15_500, 31_500]);
    assert_eq!(link.ends(ANA), ["refused 408 Timeout"]);
    assert_eq!(link.events[0].0, 32_000);
    link.assert_empty();
}

#[test]
fn rfc3261_17_1_4_an_unreachable_side_is_told_at_once() {
    let mut link = Link { transport: Transport::Tcp, ..Link::new(1) };
    link.drops = Box::new(|_, _| true);
    link.call();
    let probe = link.ask(ANA, |stack, now, out| {
        stack.probe(now, Destination::new(Transport::Tcp, address(BORIS)), "sip:192.0.2.2", out)
    });
    let flow = link.flow(ANA);
    link.ask(ANA, |stack, now, out| stack.handle_flow_failed(now, flow, out));
    assert_eq!(link.ends(ANA), ["refused 503 Unreachable"]);
    assert!(
        link.events.iter().any(|(_, _, event)| matches!(event, Event::ProbeFailed { id } if *id == probe))
    );
    link.run_out(&mut nothing());
    link.assert_empty();
}

#[test]
fn rfc3261_13_3_1_1_a_phone_that_rings_for_long_says_so_each_minute() {
    let mut link = Link::new(1);
    let call = link.call();
    let mut rings: Owner = Box::new(|link, side, event| {
        if let (BORIS, Event::Invited { session, .. }) = (side, event) {
            let session = *session;
            link.ask(BORIS, |stack, now, out| stack.provisional(now, session, 183, "", sdp("early"), out));
        }
    });
    link.run(ms(150_000), &mut rings);
    let at: Vec<_> = link.ladder.iter().filter(|(_, _, line)| line == "183").map(|(at, ..)| *at).collect();
    assert_eq!(at, [10, 60_010, 120_010]);
    link.ask(ANA, |stack, now, out| stack.hang_up(now, call, None, out));
    link.run_out(&mut nothing());
    assert_eq!(link.ends(BORIS), ["ended Cancelled"]);
    link.assert_empty();
}

#[test]
fn an_offer_in_the_2xx_is_answered_in_the_ack() {
    let mut link = Link::new(1);
    let call = link.call_with(None, None);
    link.run(ms(100), &mut answers());
    assert_eq!(link.count(ANA, "ACK"), 0);
    link.ask(ANA, |stack, now, out| stack.acknowledge(now, call, sdp("the answer"), out));
    link.run(ms(100), &mut nothing());
    assert!(link.events.iter().any(|(_, _, event)| matches!(event, Event::Acked { sdp, .. }
        if sdp.as_deref() == Some(b"the answer"))));
    link.ask(ANA, |stack, now, out| stack.hang_up(now, call, None, out));
    link.run_out(&mut nothing());
    link.assert_empty();
}

#[test]
fn info_reaches_the_other_side_once() {
    let mut link = Link::new(1);
    let call = link.call();
    link.run(ms(100), &mut answers());
    link.drops = Box::new(|side, line| side == BORIS && line == "200");
    link.ask(ANA, |stack, now, out| stack.info(now, call, "application/dtmf-relay", b"Signal=5", out));
    link.run(ms(3_000), &mut nothing());
    let told: Vec<_> =
        link.events.iter().filter(|(_, _, event)| matches!(event, Event::Info { .. })).collect();
    assert!(
        matches!(&told[..], [(_, BORIS, Event::Info { content_type, body, .. })]
        if content_type == "application/dtmf-relay" && &body[..] == b"Signal=5"),
        "{told:?}"
    );
    assert!(link.count(ANA, "INFO") > 1);
}

/// Any verb at any time, on links from good to very bad: whatever state it meets, each session is told its end
/// once, and nothing is left.
#[test]
fn any_verb_at_any_time_leaves_nothing_behind() {
    for seed in 1..300 {
        let mut link = Link::lossy(seed, [0, 5, 15, 40][seed as usize % 4]);
        link.transport = if seed % 3 == 0 { Transport::Tcp } else { Transport::Udp };
        if seed % 2 == 0 {
            link.stacks[ANA].config.timers = Some(SessionTimers { expires: 90, least: 90 });
        }
        for _ in 0..40 {
            let wait = link.random(1_500);
            link.run(ms(wait), &mut nothing());
            if link.random(6) == 0 {
                let offer = (link.random(4) > 0).then_some("offer");
                link.call_with(offer, None);
            }
            let side = link.random(2) as usize;
            if link.sessions[side].is_empty() {
                continue;
            }
            let which = link.random(link.sessions[side].len() as u64) as usize;
            let (session, verb) = (link.sessions[side][which], link.random(13));
            let flow = link.flow(side);
            link.ask(side, |stack, now, out| match verb {
                0 => stack.hang_up(now, session, Some("Q.850;cause=16"), out),
                1 => stack.reject(now, session, 486, "", &[], out),
                2 => stack.provisional(now, session, 183, "", sdp("early"), out),
                3 | 4 => stack.answer(now, session, sdp("answer"), out),
                5 => stack.acknowledge(now, session, sdp("answer"), out),
                6 => stack.reinvite(now, session, sdp("hold"), out),
                7 => stack.reinvite(now, session, None, out),
                8 => stack.accept_reinvite(now, session, sdp("held"), out),
                9 => stack.reject_reinvite(now, session, 488, &[], out),
                10 => stack.info(now, session, "application/dtmf-relay", b"Signal=1", out),
                11 => drop(stack.update(now, session, &Bytes::from_static(b"codec"), out)),
                _ => stack.handle_flow_failed(now, flow, out),
            });
        }
        for side in [ANA, BORIS] {
            for session in link.sessions[side].clone() {
                link.ask(side, |stack, now, out| stack.hang_up(now, session, None, out));
            }
        }
        link.run(ms(100_000), &mut nothing());
        // Whoever rang only now is sent away as well.
        for session in link.sessions[BORIS].clone() {
            link.ask(BORIS, |stack, now, out| stack.hang_up(now, session, None, out));
        }
        link.run_out(&mut nothing());
        link.assert_empty();
        for side in [ANA, BORIS] {
            assert_eq!(link.ends(side).len(), link.sessions[side].len(), "seed {seed}: {:?}", link.events);
        }
    }
}

#[test]
fn rfc3261_21_3_and_20_33_a_refusal_says_where_else_and_when() {
    let refused = |status, headers: &[(&str, &str)]| {
        let mut link = Link::new(1);
        link.call();
        link.run(ms(30), &mut nothing());
        let session = link.sessions[BORIS][0];
        let headers: Vec<_> =
            headers.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
        link.ask(BORIS, |stack, now, out| stack.reject(now, session, status, "Elsewhere", &headers, out));
        link.run_out(&mut nothing());
        link.assert_empty();
        link.events.into_iter().find_map(|(_, _, event)| match event {
            Event::Refused { status, reason, retry_after, cause: Cause::Remote, contacts, .. } => {
                Some((status, reason, retry_after, contacts))
            }
            _ => None,
        })
    };
    let contacts = "<sip:second@192.0.2.3>;q=0.5, <sip:first@192.0.2.3>";
    let first = vec!["sip:first@192.0.2.3".to_owned(), "sip:second@192.0.2.3".to_owned()];
    assert_eq!(refused(302, &[("Contact", contacts)]), Some((302, "Elsewhere".into(), None, first)));
    let wait = Some(Duration::from_secs(120));
    assert_eq!(refused(503, &[("Retry-After", "120 (soon)")]), Some((503, "Elsewhere".into(), wait, vec![])));
    let reason = ("Reason", "Q.850;cause=17");
    assert_eq!(refused(486, &[reason]), Some((486, "Q.850;cause=17".into(), None, vec![])));
}

/// Where the last message of a side went.
fn aimed(
    link: &mut Link,
    side: usize,
    verb: impl FnOnce(&mut Stack, Instant, &mut Vec<Output>),
) -> Destination {
    let mut out = Vec::new();
    verb(&mut link.stacks[side], link.now, &mut out);
    let sent = out.iter().rev().find_map(|output| match output {
        Output::Send { to, .. } => Some(*to),
        Output::Event(_) => None,
    });
    sent.expect("something was sent")
}

#[test]
fn rfc3261_12_2_1_1_a_trunk_is_called_by_its_contact_and_a_device_where_it_is() {
    use super::judgements::{Users, request};
    let hangs_up_to = |contact: &str| {
        let mut link = Link::new(1);
        let contact = format!("<sip:ana@{contact}>\nContent");
        link.arrive(BORIS, &request("INVITE", "1").replace("<sip:ana@192.0.2.1>\nContent", &contact));
        let session = link.sessions[BORIS][0];
        link.ask(BORIS, |stack, now, out| stack.answer(now, session, sdp("answer"), out));
        let tag = link.stacks[BORIS].ids.tag(session.0);
        let to = format!("<sip:boris@192.0.2.2>;tag={tag}\n");
        link.arrive(BORIS, &request("ACK", "2").replace("<sip:boris@192.0.2.2>\n", &to));
        aimed(&mut link, BORIS, |stack, now, out| stack.hang_up(now, session, None, out)).remote.to_string()
    };
    assert_eq!(hangs_up_to("203.0.113.7:5070"), "203.0.113.7:5070");
    assert_eq!(hangs_up_to("carrier.example"), "192.0.2.1:5060", "no names are looked up here");
    assert_eq!(hangs_up_to("10.0.0.7:5070"), "192.0.2.1:5060", "an address behind the carrier's NAT");

    // A user's device stays where it is, whatever its Contact says.
    let mut link = Link { gate: Arc::new(Users), ..Link::new(1) };
    link.stacks[ANA].config.advertised = vec![(Transport::Udp, "203.0.113.7:5070".parse().unwrap())];
    let call = link.call_with(Some("offer"), super::judgements::credentials("Zanzibar"));
    link.run(ms(200), &mut answers());
    let session = link.sessions[BORIS][0];
    let to = aimed(&mut link, BORIS, |stack, now, out| stack.hang_up(now, session, None, out));
    assert_eq!(to, Destination::from(link.flow(BORIS)));
    link.ask(ANA, |stack, now, out| stack.hang_up(now, call, None, out));
}
