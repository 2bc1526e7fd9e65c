//! What strangers can do to a stack: damaged messages, and too many.

use super::*;

/// Every message of the vectors, with its line ends as they are.
fn vectors() -> Vec<Vec<u8>> {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/vectors");
    let folders = ["rfc4475", "rfc5118", "realworld"].map(|folder| std::path::Path::new(root).join(folder));
    let files = folders
        .iter()
        .flat_map(|folder| std::fs::read_dir(folder).expect("the vectors are in the repository"));
    let mut paths: Vec<_> = files.map(|entry| entry.expect("readable").path()).collect();
    paths.sort();
    paths.iter().map(|path| std::fs::read(path).expect("readable")).collect()
}

#[test]
fn damaged_messages_neither_panic_nor_stay() {
    let vectors = vectors();
    assert!(vectors.len() >= 73);
    for seed in 1..60 {
        let mut link = Link::new(seed);
        // A call is up, so that damage also meets sessions.
        link.call();
        link.run(ms(100), &mut answers());
        let own: Vec<Vec<u8>> = link.under_way.drain().map(|Reverse((.., bytes))| bytes.to_vec()).collect();
        for vector in vectors.iter().chain(&own) {
            let mut bytes = vector.clone();
            for _ in 0..link.random(4) {
                let at = link.random(bytes.len() as u64) as usize;
                bytes[at] = link.random(256) as u8;
            }
            let flow = Flow { remote: "198.51.100.7:5060".parse().unwrap(), ..link.flow(BORIS) };
            let mut out = Vec::new();
            let now = link.now;
            match wire::read(&bytes) {
                Ok(message) => link.stacks[BORIS].handle_message(now, flow, message, &Carriers, &mut out),
                Err(error) => link.stacks[BORIS].handle_unreadable(flow, error, &mut out),
            }
            for output in &out {
                if let Output::Send { bytes, .. } = output {
                    assert!(wire::read(bytes).is_ok(), "{}", String::from_utf8_lossy(bytes));
                }
            }
            // Whoever was taken for a caller is sent away again, so that the end can be empty.
            for output in out {
                if let Output::Event(Event::Invited { session, .. }) = output {
                    link.ask(BORIS, |stack, now, out| stack.reject(now, session, 486, "", &[], out));
                }
            }
        }
        link.drops = Box::new(|_, _| true);
        for side in [ANA, BORIS] {
            for session in link.sessions[side].clone() {
                link.ask(side, |stack, now, out| stack.hang_up(now, session, None, out));
            }
        }
        link.run_out(&mut nothing());
        link.assert_empty();
    }
}

#[test]
fn what_a_source_that_asks_too_much_would_begin_gets_503_and_its_call_that_is_up_can_end() {
    let mut link = Link::new(1);
    link.call();
    link.run(ms(100), &mut answers());
    let before = link.stacks[ANA].load();
    let (flow, now) = (link.flow(ANA), link.now);
    let excess = |link: &mut Link, text: &str| {
        let mut out = Vec::new();
        let message = wire::read(text.replace('\n', "\r\n").as_bytes()).unwrap();
        link.stacks[ANA].handle_excess(now, flow, message, &Carriers, &mut out);
        out
    };
    let request = |method: &str, n: u32| {
        super::judgements::request(method, "1").replace("z9hG4bK", &format!("z9hG4bK{n}"))
    };
    for (n, method) in
        (0..1_000).zip(["INVITE", "REGISTER", "OPTIONS", "SUBSCRIBE", "MESSAGE"].iter().cycle())
    {
        let out = excess(&mut link, &request(method, n));
        let [Output::Send { bytes, .. }] = &out[..] else { panic!("{out:?}") };
        let Ok(Message::Response(refusal)) = wire::read(bytes) else { panic!("a response") };
        let retry = refusal.headers.get(crate::sip::HeaderName::RetryAfter);
        assert_eq!((refusal.status, retry), (503, Some(RETRY_AFTER)), "{method}");
        assert!(refusal.to().is_ok_and(|to| to.tag().is_some()), "RFC 3261 §8.2.6.2");
    }
    assert!(excess(&mut link, &request("ACK", 1)).is_empty(), "an ACK is never answered");
    assert_eq!(link.stacks[ANA].load(), before, "it costs no state");
    // BYE comes from a source that asks too much as well.
    let mut out = Vec::new();
    let call = link.sessions[BORIS][0];
    link.stacks[BORIS].hang_up(now, call, None, &mut out);
    let sent = out.iter().find_map(|output| match output {
        Output::Send { bytes, .. } => Some(bytes.clone()),
        Output::Event(_) => None,
    });
    let bytes = sent.expect("a BYE");
    let mut answer = Vec::new();
    link.stacks[ANA].handle_excess(now, flow, wire::read(&bytes).unwrap(), &Carriers, &mut answer);
    assert!(
        answer
            .iter()
            .any(|output| matches!(output, Output::Send { bytes, .. } if bytes.starts_with(b"SIP/2.0 200"))),
        "{answer:?}"
    );
}

#[test]
fn at_the_bound_new_calls_get_503_and_retry_after_and_calls_that_are_up_go_on() {
    let mut link = Link::new(1);
    let call = link.call();
    link.run(ms(100), &mut answers());
    link.drops = Box::new(|_, _| true);
    let stack = &mut link.stacks[ANA];
    let invite = Invite {
        request_uri: "sip:boris@192.0.2.2".into(),
        to: "<sip:boris@192.0.2.2>".into(),
        from: "<sip:ana@192.0.2.1>".into(),
        contact_user: String::new(),
        destination: Destination::new(Transport::Tcp, address(BORIS)),
        keep_to_destination: false,
        route: Vec::new(),
        headers: Vec::new(),
        sdp: sdp("offer"),
        credentials: None,
        call_id: None,
        max_forwards: 70,
    };
    let mut out = Vec::new();
    while stack.load().sessions < MAX_SESSIONS {
        out.clear();
        stack.invite(link.now, invite.clone(), &mut out);
    }
    out.clear();
    stack.invite(link.now, invite, &mut out);
    assert!(
        matches!(out[..], [Output::Event(Event::Refused { status: 503, cause: Cause::Unreachable, .. })]),
        "{out:?}"
    );
    let incoming =
        super::judgements::request("INVITE", "1").replace("192.0.2.1", "192.0.2.2").replace('\n', "\r\n");
    let (flow, now) = (link.flow(ANA), link.now);
    out.clear();
    link.stacks[ANA].handle_message(now, flow, wire::read(incoming.as_bytes()).unwrap(), &Carriers, &mut out);
    let [Output::Event(Event::Security { what: Security::Overload, .. }), Output::Send { bytes, .. }] =
        &out[..]
    else {
        panic!("{out:?}")
    };
    let Ok(Message::Response(refusal)) = wire::read(bytes) else { panic!("a response") };
    assert_eq!(
        (refusal.status, refusal.headers.get(crate::sip::HeaderName::RetryAfter)),
        (503, Some(RETRY_AFTER))
    );
    link.drops = Box::new(|_, _| false);
    link.ask(ANA, |stack, now, out| stack.hang_up(now, call, None, out));
    link.run(ms(100), &mut nothing());
    assert_eq!(link.ends(BORIS), ["ended Remote"]);
    link.run_out(&mut nothing());
    link.assert_empty();
}
