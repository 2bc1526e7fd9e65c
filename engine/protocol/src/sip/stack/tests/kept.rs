//! A process ends in the middle of a call, and another one goes on with its dialog (RFC 3261 §12).

use super::*;

/// Ana's process is killed and started again: all that there is of it is what was kept.
fn start_again(link: &mut Link, seed: u64) {
    let config = StackConfig {
        instance: b'a',
        advertised: vec![(Transport::Udp, address(ANA)), (Transport::Tcp, address(ANA))],
        likely: Vec::new(),
        user_agent: "strowger".into(),
        timers: None,
    };
    link.stacks[ANA] = Stack::new(config, seed);
}

/// A call that Ana made and Boris answered, and what is kept of her side.
fn answered() -> (Link, SessionId, KeptSession) {
    let mut link = Link::new(1);
    let session = link.call();
    assert_eq!(link.stacks[ANA].keep(session), None, "nobody has answered");
    link.run(ms(100), &mut answers());
    let kept = link.stacks[ANA].keep(session).expect("a confirmed dialog");
    (link, session, kept)
}

fn takes_offers() -> Owner {
    Box::new(|link, side, event| {
        if let Event::Reinvited { session, .. } = event {
            let session = *session;
            link.ask(side, |stack, now, out| stack.accept_reinvite(now, session, sdp("moved"), out));
        }
    })
}

#[test]
fn rfc3261_12_2_another_process_goes_on_with_the_dialog_and_either_side_can_end_it() {
    for ends in [ANA, BORIS] {
        let (mut link, session, kept) = answered();
        start_again(&mut link, 77);
        assert_eq!(link.stacks[ANA].restore(link.now, &kept, None), Ok(session), "its tag names the session");
        assert_eq!(link.stacks[ANA].restore(link.now, &kept, None), Err(NotRestored::Known));
        link.ask(ANA, |stack, now, out| stack.reinvite(now, session, sdp("new port"), out));
        link.run(ms(100), &mut takes_offers());
        let told = link.events.iter().any(|(_, side, event)| {
            matches!(event, Event::ReinviteAnswered { sdp: Some(sdp), .. } if *side == ANA && &sdp[..] == b"moved")
        });
        assert!(told, "{:?}", link.lines());
        let other = link.sessions[BORIS][0];
        let who = [session, other][ends];
        link.ask(ends, |stack, now, out| stack.hang_up(now, who, None, out));
        link.run_out(&mut nothing());
        assert_eq!(link.count(ends, "BYE"), 1);
        assert_eq!(link.lines().last().map(String::as_str), Some(["b 200", "a 200"][ends]));
        link.assert_empty();
    }
}

#[test]
fn rfc3261_12_2_2_numbers_go_on_behind_all_that_the_last_process_can_have_used() {
    let (mut link, session, kept) = answered();
    // After it was kept the last process has used some more, and a second one too.
    for _ in 0..3 {
        link.ask(ANA, |stack, now, out| stack.info(now, session, "text/plain", b"one more", out));
        link.run(ms(100), &mut nothing());
    }
    start_again(&mut link, 78);
    link.stacks[ANA].restore(link.now, &kept, None).expect("the dialog is taken up");
    link.ask(ANA, |stack, now, out| stack.info(now, session, "text/plain", b"and one", out));
    link.run(ms(100), &mut nothing());
    let infos =
        link.events.iter().filter(|(_, side, event)| *side == BORIS && matches!(event, Event::Info { .. }));
    assert_eq!(infos.count(), 4, "none is out of order: {:?}", link.lines());
}

#[test]
fn rfc3261_14_1_whoever_no_longer_knows_the_dialog_ends_it() {
    let (mut link, session, kept) = answered();
    start_again(&mut link, 79);
    link.stacks[ANA].restore(link.now, &kept, None).expect("the dialog is taken up");
    let config = StackConfig {
        instance: b'b',
        advertised: Vec::new(),
        likely: Vec::new(),
        user_agent: String::new(),
        timers: None,
    };
    link.stacks[BORIS] = Stack::new(config, 80); // it was started again too, and forgot
    link.ask(ANA, |stack, now, out| stack.reinvite(now, session, sdp("new port"), out));
    link.run_out(&mut nothing());
    assert_eq!(link.ends(ANA), ["ended Timeout"], "{:?}", link.lines());
    link.assert_empty();
}

#[test]
fn what_is_damaged_or_another_stack_s_is_not_taken_up() {
    let (link, _, kept) = answered();
    let config = |instance| StackConfig {
        instance,
        advertised: Vec::new(),
        likely: Vec::new(),
        user_agent: String::new(),
        timers: None,
    };
    let mut other = Stack::new(config(b'c'), 1);
    assert_eq!(other.restore(Instant::now(), &kept, None), Err(NotRestored::NotOurs));
    assert_eq!(other.load(), Load::default());
    let boris = link.stacks[BORIS].keep(link.sessions[BORIS][0]).expect("the other side of it");
    let mut stack = Stack::new(config(b'b'), 1);
    type Damage = fn(&mut KeptSession);
    let damaged: [(&str, Damage); 4] = [
        ("From", |kept| kept.local = "<sip:".into()),
        ("To", |kept| kept.remote = String::new()),
        ("Contact", |kept| kept.remote_target = "nowhere".into()),
        ("CSeq", |kept| kept.local_cseq = u32::MAX),
    ];
    for (what, damage) in damaged {
        let mut kept = boris.clone();
        damage(&mut kept);
        assert_eq!(stack.restore(Instant::now(), &kept, None), Err(NotRestored::Unreadable), "{what}");
    }
    assert_eq!(stack.load(), Load::default());
    assert!(stack.restore(Instant::now(), &boris, None).is_ok());
}

#[test]
fn rfc5626_a_telephone_that_comes_back_on_another_connection_is_asked_there() {
    let (mut link, session, kept) = answered();
    start_again(&mut link, 82);
    link.stacks[ANA].restore(link.now, &kept, None).expect("the dialog is taken up");
    link.transport = Transport::Tcp;
    let flow = Flow { connection: 9, ..link.flow(ANA) };
    link.stacks[ANA].redirect(session, flow);
    let mut out = Vec::new();
    link.stacks[ANA].reinvite(link.now, session, sdp("new port"), &mut out);
    let to = out.iter().find_map(|output| match output {
        Output::Send { to, .. } => Some((to.transport, to.connection)),
        Output::Event(_) => None,
    });
    assert_eq!(to, Some((Transport::Tcp, 9)));
}

fn rings() -> Owner {
    Box::new(|link, side, event| {
        if let (BORIS, Event::Invited { session, .. }) = (side, event) {
            let session = *session;
            link.ask(BORIS, |stack, now, out| stack.provisional(now, session, 180, "", None, out));
        }
    })
}

#[test]
fn rfc3261_13_2_2_4_a_telephone_that_answers_a_call_of_the_process_before_is_hung_up_at_once() {
    for expected in [true, false] {
        let mut link = Link::new(4);
        link.call();
        link.run(ms(100), &mut rings());
        start_again(&mut link, 81);
        if expected {
            let until = link.now + ms(180_000);
            link.stacks[ANA].expect_orphans(until);
        }
        let boris = link.sessions[BORIS][0];
        link.ask(BORIS, |stack, now, out| stack.answer(now, boris, sdp("answer"), out));
        let began = link.elapsed();
        link.run_out(&mut nothing());
        let (at, _, _) = link.events.iter().rev().find(|(_, side, _)| *side == BORIS).expect("it ends");
        let (ends, waited) = (link.ends(BORIS), at - began);
        match expected {
            true => assert!(ends == ["ended Remote"] && waited < 100, "{ends:?} after {waited} ms"),
            false => assert!(ends == ["ended Timeout"] && waited >= 32_000, "{ends:?} after {waited} ms"),
        }
        link.assert_empty();
    }
}
