//! REGISTER to a carrier, which here is Boris' stack (RFC 3261 §10.2).

use super::judgements::{Users, credentials};
use super::*;
use crate::sip::headers::HeaderName;
use crate::sip::message::Response;

fn new(expires: u32, cseq: u32, password: &str) -> NewBinding<'static> {
    NewBinding {
        registrar: "sip:192.0.2.2",
        address_of_record: "sip:ana@192.0.2.2",
        contact_user: "ana",
        to: Destination::new(Transport::Udp, address(BORIS)),
        expires,
        call_id: 4711,
        cseq,
        credentials: credentials(password),
    }
}

/// Keeps what it is asked to and lists it in its own way.
fn registrar(listed: fn(&str) -> String) -> Owner {
    Box::new(move |link, side, event| {
        if let (BORIS, Event::Register { id, request, .. }) = (side, event) {
            let contact = request.headers.get(HeaderName::Contact).unwrap();
            let (id, headers) = (*id, [("Contact".to_owned(), listed(contact))]);
            link.ask(BORIS, |stack, now, out| stack.respond_register(now, id, 200, "", &headers, out));
        }
    })
}

fn told(link: &Link) -> Vec<(BindingId, Result<u32, NotBound>)> {
    let told = |event: &Event| match event {
        Event::BindingAnswered { id, answer } => Some((*id, *answer)),
        _ => None,
    };
    link.events.iter().filter_map(|(_, _, event)| told(event)).collect()
}

#[test]
fn rfc3261_10_2_a_registrar_that_asks_is_shown_the_password_and_says_for_how_long() {
    let mut link = Link { gate: Arc::new(Users), ..Link::new(1) };
    let mut lists = registrar(|ours| {
        assert_eq!(ours, "<sip:ana@192.0.2.1:5060>");
        "<sip:ana@198.51.100.1>;expires=7, <sip:ana@192.0.2.1:5060>;expires=300".to_owned()
    });
    let first = link.ask(ANA, |stack, now, out| stack.bind(now, new(3600, 1, "Zanzibar"), out));
    link.run_out(&mut lists);
    assert_eq!(link.lines(), ["a REGISTER", "b 401", "a REGISTER", "b 200"]);
    let again = link.ask(ANA, |stack, now, out| stack.bind(now, new(3600, 3, "Zanzibar"), out));
    link.run_out(&mut lists);
    assert_eq!(told(&link), [(first, Ok(300)), (again, Ok(300))]);
    // §10.2.4: the same Call-ID, and CSeq goes up.
    let asked = link.events.iter().filter_map(|(_, _, event)| match event {
        Event::Register { request, .. } => {
            Some((request.headers.get(HeaderName::CallId)?.to_owned(), request.cseq().ok()?.number))
        }
        _ => None,
    });
    let asked: Vec<_> = asked.collect();
    assert_eq!(asked[0].0, asked[1].0);
    assert_eq!((asked[0].1, asked[1].1), (2, 4));
    link.assert_empty();
}

#[test]
fn a_wrong_password_is_shown_once_and_a_registrar_that_is_not_there_is_told() {
    let mut link = Link { gate: Arc::new(Users), ..Link::new(1) };
    let id = link.ask(ANA, |stack, now, out| stack.bind(now, new(60, 1, "Samarkand"), out));
    link.run_out(&mut nothing());
    assert_eq!(link.lines(), ["a REGISTER", "b 401", "a REGISTER", "b 401"]);
    let refused = NotBound { status: 401, min_expires: None, retry_after: None };
    assert_eq!(told(&link), [(id, Err(refused))]);
    link.drops = Box::new(|_, _| true);
    let id = link.ask(ANA, |stack, now, out| stack.bind(now, new(60, 3, "Zanzibar"), out));
    link.run_out(&mut nothing());
    assert!(
        matches!(link.events.last(), Some((_, ANA, Event::BindingFailed { id: failed })) if *failed == id)
    );
    link.assert_empty();
}

/// What a registrar's answer means for a REGISTER with `Expires: 600`, or 0.
fn read(asked: u32, answer: &str) -> Result<u32, NotBound> {
    let mut link = Link::new(1);
    link.ask(ANA, |stack, now, out| stack.bind(now, new(asked, 1, "Zanzibar"), out));
    let Some(Reverse((.., sent))) = link.under_way.pop() else { panic!("nothing was sent") };
    let Ok(Message::Request(request)) = wire::read(&sent) else { panic!("{sent:?}") };
    let echoed = [HeaderName::Via, HeaderName::From, HeaderName::To, HeaderName::CallId, HeaderName::CSeq]
        .map(|name| format!("{}: {}\r\n", name.as_str(), request.headers.get(name).unwrap()));
    let text = format!("SIP/2.0 {answer}\n").replace('\n', "\r\n");
    let text = format!("{text}{}Content-Length: 0\r\n\r\n", echoed.concat());
    let Ok(Message::Response(response)) = wire::read(text.as_bytes()) else { panic!("{text}") };
    answer_of(&mut link, response)
}

fn answer_of(link: &mut Link, response: Response) -> Result<u32, NotBound> {
    let flow = link.flow(ANA);
    link.ask(ANA, |stack, now, out| {
        stack.handle_message(now, flow, Message::Response(response), &Carriers, out);
    });
    told(link)[0].1
}

#[test]
fn rfc3261_10_2_4_the_time_is_that_of_our_contact_then_of_the_answer_then_what_was_asked() {
    let ours = "Contact: <sip:ana@192.0.2.1:5060>";
    assert_eq!(read(600, &format!("200 OK\n{ours};expires=120\nExpires: 90")), Ok(120));
    assert_eq!(read(600, &format!("200 OK\nExpires: 90\n{ours}")), Ok(90));
    assert_eq!(read(600, &format!("200 OK\n{ours}")), Ok(600));
    assert_eq!(read(600, "200 OK\nContact: <sip:ana@203.0.113.9:1024>;expires=50"), Ok(600), "not ours");
    assert_eq!(read(0, "200 OK"), Ok(0), "ended");
}

#[test]
fn rfc3261_20_23_and_20_33_a_refusal_says_what_to_do_next() {
    let refused = |status, min_expires, retry_after| Err(NotBound { status, min_expires, retry_after });
    assert_eq!(read(600, "423 Interval Too Brief\nMin-Expires: 1800"), refused(423, Some(1800), None));
    let later = "503 Service Unavailable\nRetry-After: 120 (maintenance);duration=3600";
    assert_eq!(read(600, later), refused(503, None, Some(120)));
    assert_eq!(read(600, "403 Forbidden\nRetry-After: soon"), refused(403, None, None));
}
