//! Subscriptions (RFC 6665) and messages (RFC 3428), asked for by ana's telephone at Boris' stack.

use super::judgements::{Users, request};
use super::*;
use crate::sip::digest;
use crate::sip::message::Response;

/// Ana's telephone, which shows its password; what it sent and got stays in the link.
fn asks(link: &mut Link, text: &str) {
    link.arrive(BORIS, text);
    let challenge = link.text(BORIS, "401");
    let Ok(Message::Response(challenge)) = wire::read(challenge.as_bytes()) else { panic!("no challenge") };
    let Ok(Message::Request(mut request)) = wire::read(text.replace('\n', "\r\n").as_bytes()) else {
        panic!()
    };
    let mut client = digest::Client::new("ana", "Zanzibar", 1);
    client.take_challenge(&challenge).expect("a challenge");
    client.authorize(&mut request);
    let text = String::from_utf8(request.to_bytes()).unwrap();
    link.arrive(BORIS, &text.replace("\r\n", "\n").replace("z9hG4bK1", "z9hG4bK2"));
}

fn subscribe(event: &str, expires: u32) -> String {
    let more = format!("Event: {event}\nExpires: {expires}\nContact:");
    request("SUBSCRIBE", "1").replace("Contact:", &more)
}

fn subscriber(event: &str, expires: u32) -> (Link, Option<SubscriptionId>) {
    let mut link = Link { gate: Arc::new(Users), ..Link::new(1) };
    asks(&mut link, &subscribe(event, expires));
    link.texts.retain(|(_, bytes)| !bytes.starts_with(b"SIP/2.0 401"));
    let id = link.events.iter().find_map(|(_, _, event)| match event {
        Event::Subscribed { id, user, .. } if &**user == "ana" => Some(*id),
        _ => None,
    });
    (link, id)
}

fn sent(link: &Link) -> Vec<String> {
    link.texts.iter().map(|(_, bytes)| String::from_utf8_lossy(bytes).into_owned()).collect()
}

/// Ana's telephone answers the last NOTIFY.
fn answers_notify(link: &mut Link, status: &str) {
    let notify = link.text(BORIS, "NOTIFY");
    let Ok(Message::Request(notify)) = wire::read(notify.as_bytes()) else { panic!("no NOTIFY") };
    let (status, reason) = status.split_once(' ').unwrap();
    let answer = Response::to_request(&notify, status.parse().unwrap(), reason);
    let text = String::from_utf8(answer.to_bytes()).unwrap();
    link.arrive(BORIS, &text.replace("\r\n", "\n"));
}

fn over(link: &Link) -> usize {
    link.events.iter().filter(|(_, _, event)| matches!(event, Event::Unsubscribed { .. })).count()
}

fn body(text: &'static str) -> Bytes {
    Bytes::from_static(text.as_bytes())
}

#[test]
fn rfc6665_4_2_1_whoever_subscribes_is_told_at_once_and_at_each_change() {
    let (mut link, id) = subscriber("dialog;id=7", 600);
    let id = id.expect("taken");
    link.ask(BORIS, |stack, now, out| stack.accept_subscription(now, id, body("free"), out));
    let texts = sent(&link);
    assert!(
        texts[0].starts_with("SIP/2.0 200 ") && texts[0].contains("\r\nExpires: 600\r\n"),
        "{}",
        texts[0]
    );
    let first = &texts[1];
    for line in ["Event: dialog;id=7", "Subscription-State: active;expires=600", "CSeq: 1 NOTIFY"] {
        assert!(first.contains(&format!("\r\n{line}\r\n")), "{first}");
    }
    assert!(first.starts_with("NOTIFY sip:ana@192.0.2.1 ") && first.ends_with("\r\n\r\nfree"), "{first}");
    // What changes before that is answered is told once, as it is then.
    for state in ["rings", "talks"] {
        link.ask(BORIS, |stack, now, out| stack.notify(now, id, body(state), out));
    }
    assert_eq!(link.count(BORIS, "NOTIFY"), 1);
    answers_notify(&mut link, "200 OK");
    assert_eq!(link.count(BORIS, "NOTIFY"), 2);
    assert!(link.text(BORIS, "NOTIFY").ends_with("talks"));
    answers_notify(&mut link, "200 OK");
    // RFC 6665 §4.2.2: at its end it is told so.
    link.run(ms(599_000), &mut nothing());
    assert_eq!(over(&link), 0);
    link.run(ms(2_000), &mut nothing());
    assert!(link.text(BORIS, "NOTIFY").contains("Subscription-State: terminated;reason=timeout"));
    assert_eq!((over(&link), link.stacks[BORIS].load().subscriptions), (1, 0));
}

#[test]
fn rfc6665_4_2_1_2_it_lasts_longer_when_asked_and_ends_when_asked() {
    let (mut link, id) = subscriber("message-summary", 60);
    let id = id.expect("taken");
    link.ask(BORIS, |stack, now, out| stack.accept_subscription(now, id, body("none"), out));
    answers_notify(&mut link, "200 OK");
    let tag = link.stacks[BORIS].ids.tag(id.0);
    let again = |cseq: u32, expires: u32| {
        request("SUBSCRIBE", &format!("again{cseq}and{expires}"))
            .replace("<sip:boris@192.0.2.2>\n", &format!("<sip:boris@192.0.2.2>;tag={tag}\n"))
            .replace("CSeq: 7", &format!("CSeq: {cseq}"))
            .replace("Contact:", &format!("Event: message-summary\nExpires: {expires}\nContact:"))
    };
    link.run(ms(50_000), &mut nothing());
    link.arrive(BORIS, &again(8, 60));
    assert!(link.events.iter().any(|(_, _, event)| matches!(event, Event::SubscribedAgain { .. })));
    link.ask(BORIS, |stack, now, out| stack.notify(now, id, body("none"), out));
    answers_notify(&mut link, "200 OK");
    link.run(ms(30_000), &mut nothing());
    assert_eq!(over(&link), 0, "it would have ended by now");
    link.arrive(BORIS, &again(9, 5));
    assert!(link.text(BORIS, "423").contains("Min-Expires: 30"));
    link.arrive(BORIS, &again(8, 600));
    assert_eq!(link.ladder.last().unwrap().2, "500", "out of order");
    link.arrive(BORIS, &again(10, 0));
    link.ask(BORIS, |stack, now, out| stack.notify(now, id, body("none"), out));
    assert!(link.text(BORIS, "NOTIFY").contains("Subscription-State: terminated;reason=timeout"));
    assert_eq!((over(&link), link.stacks[BORIS].load().subscriptions), (1, 0));
    link.arrive(BORIS, &again(11, 60));
    assert_eq!(link.ladder.last().unwrap().2, "481", "a telephone that gets this subscribes anew");
}

#[test]
fn rfc6665_4_2_2_whoever_refuses_or_is_gone_is_not_told_any_more() {
    for gone in [false, true] {
        let (mut link, id) = subscriber("reg", 600);
        let id = id.expect("taken");
        link.ask(BORIS, |stack, now, out| stack.accept_subscription(now, id, body("none"), out));
        match gone {
            true => link.run(ms(33_000), &mut nothing()),
            false => answers_notify(&mut link, "481 Subscription Does Not Exist"),
        }
        assert_eq!((over(&link), link.stacks[BORIS].load().subscriptions), (1, 0));
        link.run_out(&mut nothing());
        assert_eq!(link.stacks[BORIS].load(), Load::default());
    }
}

#[test]
fn rfc6665_4_2_1_1_what_cannot_be_told_is_refused() {
    let refused = |event: &str, expires: u32| {
        let (link, id) = subscriber(event, expires);
        assert_eq!((id, link.stacks[BORIS].load().subscriptions), (None, 0));
        link.ladder.last().unwrap().2.clone()
    };
    assert_eq!(refused("winfo", 600), "489");
    assert_eq!(refused("", 600), "489");
    assert_eq!(refused("dialog", 5), "423");
    let (mut link, id) = subscriber("dialog", 600);
    link.ask(BORIS, |stack, now, out| stack.refuse_subscription(now, id.unwrap(), 404, out));
    assert_eq!(link.ladder.last().unwrap().2, "404");
    link.run_out(&mut nothing());
    assert_eq!(link.stacks[BORIS].load(), Load::default());
    // Asked once: one answer, and nothing is kept.
    let (mut link, id) = subscriber("dialog", 0);
    link.ask(BORIS, |stack, now, out| stack.accept_subscription(now, id.unwrap(), body("free"), out));
    assert!(link.text(BORIS, "NOTIFY").contains("Subscription-State: terminated;reason=timeout"));
    assert_eq!((over(&link), link.stacks[BORIS].load().subscriptions), (1, 0));
}

#[test]
fn rfc3903_6_what_a_user_publishes_is_told_once_and_answered() {
    let mut link = Link { gate: Arc::new(Users), ..Link::new(1) };
    asks(&mut link, &request("PUBLISH", "1").replace("Contact:", "Event: presence\nContact:"));
    let told = |link: &Link| {
        let published = link.events.iter().filter_map(|(_, _, event)| match event {
            Event::Published { id, user, .. } => Some((*id, user.to_string())),
            _ => None,
        });
        published.collect::<Vec<_>>()
    };
    let published = told(&link);
    assert_eq!((published.len(), published[0].1.as_str()), (1, "ana"));
    let headers = [("SIP-ETag", "a1"), ("Expires", "600")].map(|(name, value)| (name.into(), value.into()));
    link.ask(BORIS, |stack, now, out| stack.respond_publish(now, published[0].0, 200, &headers, out));
    let answer = link.text(BORIS, "200");
    assert!(answer.contains("\r\nSIP-ETag: a1\r\nExpires: 600\r\n"), "{answer}");
    link.run_out(&mut nothing());
    assert_eq!((link.stacks[BORIS].load(), told(&link).len()), (Load::default(), 1));
}

#[test]
fn rfc3428_7_a_message_of_a_user_is_told_once_and_answered() {
    let mut link = Link { gate: Arc::new(Users), ..Link::new(1) };
    let text = |length: usize| {
        let length_line = format!("Content-Type: text/plain\nContent-Length: {length}\n");
        request("MESSAGE", "1").replace("Content-Length: 0\n", &length_line) + &"x".repeat(length)
    };
    asks(&mut link, &text(5));
    let told: Vec<_> = link
        .events
        .iter()
        .filter_map(|(_, _, event)| match event {
            Event::Message { id, user, body, .. } => Some((*id, user.to_string(), body.len())),
            _ => None,
        })
        .collect();
    assert_eq!((told.len(), told[0].1.as_str(), told[0].2), (1, "ana", 5));
    link.ask(BORIS, |stack, now, out| stack.respond_message(now, told[0].0, 202, out));
    assert_eq!(link.ladder.last().unwrap().2, "202");
    let mut link = Link { gate: Arc::new(Users), ..Link::new(1) };
    asks(&mut link, &text(MOST_MESSAGE + 1));
    assert_eq!(link.ladder.last().unwrap().2, "413");
}
