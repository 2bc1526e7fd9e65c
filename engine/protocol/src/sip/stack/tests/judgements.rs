//! Requests that a stack judges by itself (RFC 3261 §8.2, §22), sent by hand to Boris' stack.

use super::*;
use crate::sip::digest;
use crate::sip::message::Response;
use crate::sip::{HeaderName, Method};

const REQUEST: &str = "METHOD sip:boris@192.0.2.2 SIP/2.0
Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKBRANCH;rport
Via: SIP/2.0/TCP 10.0.0.9;branch=z9hG4bKfurther
Max-Forwards: 70
From: Ana <sip:ana@192.0.2.1>;tag=1928301774
To: <sip:boris@192.0.2.2>
Call-ID: a84b4c76e66710
CSeq: 7 METHOD
Contact: <sip:ana@192.0.2.1>
Content-Length: 0

";

pub(super) fn request(method: &str, branch: &str) -> String {
    REQUEST.replace("METHOD", method).replace("BRANCH", branch)
}

/// What Boris' stack answered by now, oldest first.
fn answers_to(link: &mut Link, text: &str) -> Vec<Response> {
    link.under_way.clear();
    link.arrive(BORIS, text);
    link.ask(BORIS, |stack, now, out| stack.handle_timeout(now, out));
    taken(link)
}

fn taken(link: &mut Link) -> Vec<Response> {
    let mut sent = std::mem::take(&mut link.under_way).into_sorted_vec();
    sent.reverse();
    let read = |Reverse((.., bytes)): Reverse<(Instant, u64, usize, Bytes)>| match wire::read(&bytes) {
        Ok(Message::Response(response)) => response,
        other => panic!("not a response: {other:?}"),
    };
    sent.into_iter().map(read).collect()
}

fn status_of(text: &str) -> u16 {
    let mut link = Link::new(1);
    let answers = answers_to(&mut link, text);
    assert_eq!(answers.len(), 1, "{answers:?}");
    let load = link.stacks[BORIS].load();
    assert_eq!(load, Load::default(), "a judgement costs no memory");
    answers[0].status
}

#[test]
fn rfc3261_8_2_each_fault_has_its_answer() {
    assert_eq!(status_of(&request("OPTIONS", "1")), 200);
    assert_eq!(status_of(&request("NOTIFY", "1")), 405);
    assert_eq!(status_of(&request("PUBLISH", "1")), 403, "a carrier has nothing to say of anyone");
    assert_eq!(status_of(&request("SUBSCRIBE", "1")), 403, "a carrier is told nothing");
    assert_eq!(status_of(&request("MESSAGE", "1")), 403);
    assert_eq!(status_of(&request("NEWMETHOD", "1")), 501);
    assert_eq!(status_of(&request("BYE", "1")), 481);
    assert_eq!(status_of(&request("CANCEL", "1")), 481);
    let invite = request("INVITE", "1");
    assert_eq!(status_of(&invite.replace("Max-Forwards: 70", "Max-Forwards: 0")), 483);
    assert_eq!(status_of(&invite.replace("Max-Forwards: 70", "Max-Forwards: 300")), 400);
    assert_eq!(status_of(&invite.replace("Max-Forwards: 70", "Require: 100rel, other")), 420);
    assert_eq!(
        status_of(&invite.replace("<sip:boris@192.0.2.2>\nCall", "<sip:boris@192.0.2.2>;tag=x\nCall")),
        481
    );
    assert_eq!(status_of(&invite.replace("CSeq: 7 INVITE", "CSeq: 7 OPTIONS")), 400);
    assert_eq!(status_of(&invite.replace("sip:boris@192.0.2.2 SIP", "http://boris SIP")), 416);
    assert_eq!(status_of(&invite.replace("Contact: <sip:ana@192.0.2.1>\n", "")), 400);
    assert_eq!(status_of(&request("REGISTER", "1")), 403, "a carrier registers nobody");
}

#[test]
fn rfc3261_8_2_1_and_8_2_2_3_the_answers_say_what_would_be_understood() {
    let mut link = Link::new(1);
    let refused = answers_to(&mut link, &request("NOTIFY", "1"));
    for method in [Method::Invite, Method::Ack, Method::Bye, Method::Cancel, Method::Options] {
        assert!(refused[0].headers.lists(HeaderName::Allow, method.as_str()), "{method}");
    }
    let asked = request("INVITE", "2").replace("Max-Forwards: 70", "Require: 100rel, precondition, other");
    let refused = answers_to(&mut link, &asked);
    assert_eq!(
        refused[0].headers.items(HeaderName::Unsupported).collect::<Vec<_>>(),
        ["precondition", "other"]
    );
}

#[test]
fn rfc3261_18_2_and_rfc3581_4_responses_repeat_what_they_must_and_go_back_the_way() {
    let mut link = Link::new(1);
    let options = request("OPTIONS", "1").replace("192.0.2.1:5060", "10.1.1.1:5066");
    let answer = answers_to(&mut link, &options).remove(0);
    let vias: Vec<_> = answer.vias().unwrap();
    assert_eq!(vias.len(), 2);
    assert_eq!((vias[0].received(), vias[0].rport()), (Some("192.0.2.1".parse().unwrap()), Some(Some(5060))));
    assert_eq!(vias[1].to_string(), "SIP/2.0/TCP 10.0.0.9;branch=z9hG4bKfurther");
    for name in [HeaderName::From, HeaderName::CallId, HeaderName::CSeq] {
        let Ok(Message::Request(asked)) = wire::read(options.replace('\n', "\r\n").as_bytes()) else {
            panic!()
        };
        assert_eq!(answer.headers.get(name), asked.headers.get(name));
    }
    let tag = answer.to().unwrap().tag().unwrap().to_owned();
    let again = answers_to(&mut link, &options).remove(0);
    assert_eq!(again.to().unwrap().tag(), Some(tag.as_str()), "§8.2.7: the same tag for the same request");

    // Without rport the response goes to the port of sent-by (§18.2.2).
    let mut out = Vec::new();
    let old = options.replace(";rport", "").replace('\n', "\r\n");
    let (flow, now) = (link.flow(BORIS), link.now);
    link.stacks[BORIS].handle_message(now, flow, wire::read(old.as_bytes()).unwrap(), &Carriers, &mut out);
    let [Output::Send { to, .. }] = &out[..] else { panic!("{out:?}") };
    assert_eq!(to.remote, "192.0.2.1:5066".parse().unwrap());
}

#[test]
fn rfc3261_8_2_2_2_a_request_that_came_by_two_ways_is_a_loop() {
    let mut link = Link::new(1);
    assert_eq!(answers_to(&mut link, &request("INVITE", "one"))[0].status, 100);
    assert_eq!(answers_to(&mut link, &request("INVITE", "two"))[0].status, 482);
    assert_eq!(answers_to(&mut link, &request("INVITE", "one"))[0].status, 100, "the same way: a copy");
    assert_eq!(link.sessions[BORIS].len(), 1);
}

#[test]
fn rfc3261_17_2_1_an_invite_that_nobody_answers_at_once_gets_100_with_its_timestamp() {
    let mut link = Link::new(1);
    link.arrive(BORIS, &request("INVITE", "one").replace("CSeq", "Timestamp: 54\nCSeq"));
    assert_eq!(taken(&mut link), [], "whoever takes the call may have a better word");
    assert_eq!(link.stacks[BORIS].next_timeout(), Some(link.now));
    link.ask(BORIS, |stack, now, out| stack.handle_timeout(now, out));
    let [trying] = &taken(&mut link)[..] else { panic!("one response") };
    assert_eq!((trying.status, trying.headers.get(HeaderName::Timestamp)), (100, Some("54")));
    assert_ne!(link.stacks[BORIS].next_timeout(), Some(link.now), "said once");
}

#[test]
fn rfc3261_17_2_1_a_stray_ack_is_dropped() {
    let mut link = Link::new(1);
    assert_eq!(answers_to(&mut link, &request("ACK", "1")), []);
}

#[test]
fn what_is_no_message_gets_400_where_it_can() {
    let mut link = Link::new(1);
    let broken = request("INVITE", "1").replace("Contact:", "What is this?").replace('\n', "\r\n");
    let error = wire::read(broken.as_bytes()).unwrap_err();
    let flow = link.flow(BORIS);
    link.ask(BORIS, |stack, _, out| stack.handle_unreadable(flow, error, out));
    let answer = taken(&mut link).remove(0);
    assert_eq!((answer.status, answer.to().unwrap().tag().is_some()), (400, true));
    assert!(matches!(link.events[..], [(_, _, Event::Security { what: Security::Malformed, .. })]));
}

#[test]
fn rfc3261_9_2_only_the_hop_of_the_invite_can_cancel_it() {
    let mut link = Link::new(1);
    let _ = answers_to(&mut link, &request("INVITE", "one"));
    let cancel = request("CANCEL", "one").replace('\n', "\r\n");
    let stranger = Flow { remote: "198.51.100.7:5060".parse().unwrap(), ..link.flow(BORIS) };
    let message = wire::read(cancel.as_bytes()).unwrap();
    link.ask(BORIS, |stack, now, out| stack.handle_message(now, stranger, message, &Carriers, out));
    assert_eq!(link.ends(BORIS), [""; 0]);
    let answers = answers_to(&mut link, &request("CANCEL", "one"));
    let seen: Vec<_> = answers.iter().map(|a| (a.status, a.cseq().unwrap().method)).collect();
    assert_eq!(seen, [(200, Method::Cancel), (487, Method::Invite)]);
    assert_eq!(answers[0].to(), answers[1].to(), "§9.2: both carry one tag");
    assert_eq!(link.ends(BORIS), ["ended Cancelled"]);
}

/// Users by digest: `ana` has a password, and both hashes are asked for.
pub(super) struct Users;

impl Gatekeeper for Users {
    fn admit(&self, _: &Flow, _: &Request) -> Admission {
        Admission::Authenticate { tenant: "demo".into(), realm: "demo.example".into() }
    }

    fn password(&self, tenant: &str, user: &str) -> Option<Arc<str>> {
        (tenant == "demo" && user == "ana").then(|| "Zanzibar".into())
    }

    fn algorithms(&self, _: &str) -> Arc<[digest::Algorithm]> {
        [digest::Algorithm::Sha256, digest::Algorithm::Md5].into()
    }
}

/// The same users, where nobody chose a hash.
struct UndecidedUsers;

impl Gatekeeper for UndecidedUsers {
    fn admit(&self, flow: &Flow, request: &Request) -> Admission {
        Users.admit(flow, request)
    }

    fn password(&self, tenant: &str, user: &str) -> Option<Arc<str>> {
        Users.password(tenant, user)
    }
}

#[test]
fn telephones_that_know_one_hash_only_are_asked_for_that_one() {
    let mut link = Link { gate: Arc::new(UndecidedUsers), ..Link::new(1) };
    let challenge = answers_to(&mut link, &request("REGISTER", "1")).remove(0);
    let offered = challenge.headers.all(HeaderName::WwwAuthenticate).filter_map(digest::Challenge::parse);
    assert_eq!(offered.map(|challenge| challenge.algorithm).collect::<Vec<_>>(), [digest::Algorithm::Md5]);
    link.run_out(&mut nothing());
}

pub(super) fn credentials(password: &str) -> Option<Credentials> {
    Some(Credentials { user: "ana".into(), password: password.into() })
}

#[test]
fn rfc3261_22_a_call_is_challenged_by_both_hashes_and_taken_with_the_right_password() {
    let mut link = Link { gate: Arc::new(Users), ..Link::new(1) };
    let call = link.call_with(Some("offer"), credentials("Zanzibar"));
    let mut owner = answers();
    link.run(ms(200), &mut owner);
    assert_eq!(link.lines(), ["a INVITE", "b 401", "a ACK", "a INVITE", "b 180", "b 200", "a ACK"]);
    let peer = link.events.iter().find_map(|(_, _, event)| match event {
        Event::Invited { peer, request, .. } => Some((peer.clone(), request.cseq().unwrap().number)),
        _ => None,
    });
    assert_eq!(peer, Some((Peer::User { tenant: "demo".into(), name: "ana".into() }, 2)));
    link.ask(ANA, |stack, now, out| stack.hang_up(now, call, None, out));
    link.run_out(&mut nothing());
    link.assert_empty();
}

#[test]
fn a_wrong_password_and_an_unknown_user_get_the_same_answer() {
    let heads = |credentials| {
        let mut link = Link { gate: Arc::new(Users), ..Link::new(1) };
        link.call_with(Some("offer"), credentials);
        link.run_out(&mut nothing());
        assert_eq!(link.ends(ANA), ["refused 401 Remote"]);
        link.assert_empty();
        let told = link.events.iter().filter_map(|(_, _, event)| match event {
            Event::Security { what, .. } => Some(*what),
            _ => None,
        });
        let told: Vec<_> = told.collect();
        (link.lines(), told)
    };
    let wrong = heads(credentials("Samarkand"));
    assert_eq!(wrong.0, ["a INVITE", "b 401", "a ACK", "a INVITE", "b 401", "a ACK"]);
    assert_eq!(wrong.1, [Security::Challenged, Security::BadCredentials]);
    assert_eq!(wrong, heads(Some(Credentials { user: "nobody".into(), password: "Zanzibar".into() })));
    assert_eq!(
        heads(None),
        (vec!["a INVITE".into(), "b 401".into(), "a ACK".into()], vec![Security::Challenged])
    );
}

#[test]
fn rfc3261_10_and_22_a_registration_is_told_once_and_its_copies_wait() {
    let mut link = Link { gate: Arc::new(Users), ..Link::new(1) };
    let register = request("REGISTER", "1");
    let challenge = answers_to(&mut link, &register).remove(0);
    assert_eq!(challenge.status, 401);
    let offered: Vec<_> =
        challenge.headers.all(HeaderName::WwwAuthenticate).filter_map(digest::Challenge::parse).collect();
    let hashes: Vec<_> = offered.iter().map(|challenge| challenge.algorithm).collect();
    assert_eq!(hashes, [digest::Algorithm::Sha256, digest::Algorithm::Md5]);

    let signed = |challenge: &Response, branch: &str| {
        let mut client = digest::Client::new("ana", "Zanzibar", 5);
        client.take_challenge(challenge).unwrap();
        let text = request("REGISTER", branch).replace('\n', "\r\n");
        let Ok(Message::Request(mut register)) = wire::read(text.as_bytes()) else { panic!() };
        client.authorize(&mut register);
        String::from_utf8(register.to_bytes()).unwrap().replace("\r\n", "\n")
    };
    let second = signed(&challenge, "2");
    assert_eq!(answers_to(&mut link, &second), []);
    assert_eq!(answers_to(&mut link, &second), []);
    let told: Vec<_> = link
        .events
        .iter()
        .filter_map(|(_, _, event)| match event {
            Event::Register { id, user, .. } => Some((*id, user.to_string())),
            _ => None,
        })
        .collect();
    let [(id, user)] = &told[..] else { panic!("{told:?}") };
    assert_eq!(user, "ana");
    let headers = [("Contact".to_owned(), "<sip:ana@192.0.2.1>;expires=60".to_owned())];
    let id = *id;
    for _ in 0..2 {
        link.ask(BORIS, |stack, now, out| stack.respond_register(now, id, 200, "", &headers, out));
    }
    let answers = taken(&mut link);
    assert_eq!(answers.iter().map(|answer| answer.status).collect::<Vec<_>>(), [200], "once");
    assert_eq!(answers[0].headers.get(HeaderName::Contact), Some("<sip:ana@192.0.2.1>;expires=60"));
    assert_eq!(answers_to(&mut link, &second)[0].status, 200, "a copy gets the answer again");

    // The same nonce after its life: the password was right, so the challenge says `stale`.
    link.now += digest::NONCE_LIFE + ms(1_000);
    let late = answers_to(&mut link, &signed(&challenge, "3")).remove(0);
    assert!(
        late.headers.all(HeaderName::WwwAuthenticate).filter_map(digest::Challenge::parse).all(|c| c.stale)
    );
    assert_eq!(late.status, 401);
    assert_eq!(answers_to(&mut link, &signed(&late, "4")), []);
    // Nobody answers this one: it is forgotten when its sender has given up.
    link.run_out(&mut nothing());
    link.assert_empty();
}

#[test]
fn a_probe_tells_that_someone_is_there() {
    let mut link = Link { gate: Arc::new(Users), ..Link::new(1) };
    let to = Destination::new(Transport::Udp, address(BORIS));
    let id = link.ask(ANA, |stack, now, out| stack.probe(now, to, "sip:192.0.2.2", out));
    link.run_out(&mut nothing());
    assert!(
        matches!(link.events[..], [(20, ANA, Event::ProbeAnswered { id: answered, status: 200 })] if answered == id)
    );
    link.drops = Box::new(|_, _| true);
    link.ask(ANA, |stack, now, out| stack.probe(now, to, "sip:192.0.2.2", out));
    link.run_out(&mut nothing());
    // The first transaction rested for timer K, 5 s, before the second began.
    assert!(matches!(link.events[1], (37_020, ANA, Event::ProbeFailed { .. })), "{:?}", link.events);
    link.assert_empty();
}
