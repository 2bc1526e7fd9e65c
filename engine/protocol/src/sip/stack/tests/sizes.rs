//! Requests that are too large for UDP (RFC 3261 §18.1.1).

use std::time::Duration;

use super::*;

fn stack(transports: &[Transport]) -> Stack {
    let advertised = transports.iter().map(|transport| (*transport, address(ANA))).collect();
    let config = StackConfig {
        instance: b'a',
        advertised,
        likely: Vec::new(),
        user_agent: "strowger".into(),
        timers: None,
    };
    Stack::new(config, 1)
}

fn invite(destination: Destination, size: usize) -> Invite {
    Invite {
        request_uri: "sip:boris@192.0.2.2".into(),
        to: "<sip:boris@192.0.2.2>".into(),
        from: "<sip:ana@192.0.2.1>".into(),
        contact_user: "ana".into(),
        destination,
        keep_to_destination: false,
        route: Vec::new(),
        headers: Vec::new(),
        sdp: Some(Bytes::from("x".repeat(size))),
        credentials: None,
        call_id: None,
        max_forwards: 70,
    }
}

/// What is sent, as transport, Via's transport and branch.
fn sent(out: &mut Vec<Output>) -> Vec<(Transport, String, String)> {
    let sends = out.drain(..).filter_map(|output| match output {
        Output::Send { to, bytes } => Some((to.transport, String::from_utf8_lossy(&bytes).into_owned())),
        Output::Event(_) => None,
    });
    let via = |text: &str, from: &str, to: &str| {
        let rest = &text[text.find(from).expect("it has a Via") + from.len()..];
        rest[..rest.find(to).expect("it goes on")].to_owned()
    };
    sends.map(|(to, text)| (to, via(&text, "Via: SIP/2.0/", " "), via(&text, "branch=", ";"))).collect()
}

const BOTH: [Transport; 2] = [Transport::Udp, Transport::Tcp];

#[test]
fn rfc3261_18_1_1_a_request_over_1300_bytes_goes_over_tcp_and_back_to_udp_where_there_is_none() {
    let (mut stack, mut out, now) = (stack(&BOTH), Vec::new(), Instant::now());
    let to = Destination::new(Transport::Udp, address(BORIS));
    stack.invite(now, invite(to, 1300), &mut out);
    let first = sent(&mut out).remove(0);
    assert_eq!((first.0, &*first.1), (Transport::Tcp, "TCP"));
    let refused =
        Flow { transport: Transport::Tcp, local: address(ANA), remote: address(BORIS), connection: 9 };
    stack.handle_flow_failed(now, refused, &mut out);
    let second = sent(&mut out);
    assert_eq!(second, [(Transport::Udp, "UDP".to_owned(), first.2)], "the same transaction, and no failure");
    // From here on it is as if it had gone so at once: repeated after T1.
    stack.handle_timeout(now + Duration::from_millis(500), &mut out);
    assert_eq!(sent(&mut out), second);
}

#[test]
fn a_firewall_that_swallows_tcp_costs_two_seconds() {
    let (mut stack, mut out, now) = (stack(&BOTH), Vec::new(), Instant::now());
    stack.invite(now, invite(Destination::new(Transport::Udp, address(BORIS)), 1300), &mut out);
    out.clear();
    stack.handle_timeout(now + Duration::from_millis(1_999), &mut out);
    assert_eq!(sent(&mut out), []);
    stack.handle_timeout(now + Duration::from_millis(2_000), &mut out);
    assert_eq!(sent(&mut out)[0].0, Transport::Udp);
}

#[test]
fn what_is_small_or_answers_a_flow_or_could_not_be_answered_stays_on_udp() {
    let to = Destination::new(Transport::Udp, address(BORIS));
    let flow = Destination { local: Some(address(ANA)), ..to };
    for (transports, to, size) in
        [(&BOTH[..], to, 700), (&BOTH[..], flow, 1300), (&[Transport::Udp][..], to, 1300)]
    {
        let (mut stack, mut out) = (stack(transports), Vec::new());
        stack.invite(Instant::now(), invite(to, size), &mut out);
        assert_eq!(sent(&mut out)[0].0, Transport::Udp, "{transports:?} {size}");
    }
}
