//! What a registrar does, as timelines in seconds.

use super::super::flow::Transport;
use super::super::message::Message;
use super::super::wire;
use super::*;

struct Scene {
    start: Instant,
    registrar: Registrar,
    flow: Flow,
}

impl Scene {
    fn new() -> Scene {
        let flow = Flow {
            transport: Transport::Udp,
            local: "192.0.2.1:5060".parse().unwrap(),
            remote: "192.0.2.10:5060".parse().unwrap(),
            connection: 0,
        };
        Scene { start: Instant::now(), registrar: Registrar::new(Lifetimes::default()), flow }
    }

    fn at(&self, seconds: u64) -> Instant {
        self.start + Duration::from_secs(seconds)
    }

    /// A REGISTER of ana's with these header lines: what its 200 lists, or why not.
    fn register(&mut self, second: u64, cseq: u32, lines: &str) -> Result<Vec<String>, Refusal> {
        let plan = self.plan(second, &request("call", cseq, "", lines))?;
        let contacts = plan.contacts.clone();
        self.registrar.apply(plan);
        assert_eq!(self.registrar.len(), self.registrar.iter().count());
        Ok(contacts)
    }

    fn plan(&self, second: u64, request: &Request) -> Result<Plan, Refusal> {
        self.registrar.plan(self.at(second), "acme", "ana", self.flow, request)
    }

    fn uris(&self, second: u64) -> Vec<String> {
        let bindings = self.registrar.bindings(self.at(second), "acme", "ana");
        bindings.iter().map(|b| b.uri().to_string()).collect()
    }
}

fn request(call_id: &str, cseq: u32, via: &str, lines: &str) -> Request {
    let text = format!(
        "REGISTER sip:acme.example SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.10;branch=z9hG4bK{cseq}{via}\r\n\
         From: <sip:ana@acme.example>;tag=1\r\nTo: <sip:ana@acme.example>\r\nCall-ID: {call_id}\r\n\
         CSeq: {cseq} REGISTER\r\n{lines}\r\nContent-Length: 0\r\n\r\n"
    );
    match wire::read(text.as_bytes()) {
        Ok(Message::Request(request)) => request,
        other => panic!("{other:?}"),
    }
}

#[test]
fn rfc3261_10_3_bindings_are_added_refreshed_listed_and_end() {
    let mut scene = Scene::new();
    let a = "Contact: \"Ana\" <sip:ana@192.0.2.10>;q=0.5;expires=600";
    assert_eq!(scene.register(0, 1, a).unwrap(), ["<sip:ana@192.0.2.10>;q=0.500;expires=600"]);
    assert_eq!(
        scene.register(100, 2, "Contact: <sip:ana@192.0.2.11;transport=tcp>\r\nExpires: 120").unwrap(),
        ["<sip:ana@192.0.2.10>;q=0.500;expires=500", "<sip:ana@192.0.2.11;transport=tcp>;expires=120"]
    );
    assert_eq!(scene.uris(100), ["sip:ana@192.0.2.11;transport=tcp", "sip:ana@192.0.2.10"], "by falling q");
    assert_eq!(scene.register(110, 3, "Subject: only asking").unwrap().len(), 2);
    assert_eq!(scene.registrar.next_timeout(), Some(scene.at(220)));
    assert_eq!(scene.uris(220), ["sip:ana@192.0.2.10"], "ended, though nobody looked yet");
    let mut expired = Vec::new();
    scene.registrar.handle_timeout(scene.at(220), &mut expired);
    assert_eq!(expired.len(), 1);
    assert_eq!((&*expired[0].user, expired[0].key.as_str()), ("ana", "u:sip:ana@192.0.2.11;transport=tcp"));
    assert_eq!(scene.register(300, 4, a).unwrap(), ["<sip:ana@192.0.2.10>;q=0.500;expires=600"]);
    scene.registrar.handle_timeout(scene.at(600), &mut expired);
    assert_eq!(expired.len(), 1, "what was refreshed has one deadline, the new one");
    assert_eq!(scene.registrar.next_timeout(), Some(scene.at(900)));
}

#[test]
fn rfc3261_10_3_7_expires_zero_takes_one_away_and_a_star_all() {
    let mut scene = Scene::new();
    scene.register(0, 1, "Contact: <sip:a@192.0.2.10>, <sip:b@192.0.2.10>, <sip:c@192.0.2.10>").unwrap();
    assert_eq!(scene.register(1, 2, "Contact: <sip:b@192.0.2.10>;expires=0").unwrap().len(), 2);
    assert_eq!(scene.register(2, 3, "Contact: *"), Err(Refusal::Star));
    assert_eq!(scene.register(2, 3, "Contact: *\r\nExpires: 60"), Err(Refusal::Star));
    assert!(matches!(
        scene.register(2, 3, "Contact: *, <sip:a@192.0.2.10>\r\nExpires: 0"),
        Err(Refusal::Header(_))
    ));
    assert_eq!(scene.register(2, 1, "Contact: *\r\nExpires: 0"), Err(Refusal::OutOfOrder));
    assert_eq!(scene.uris(2).len(), 2);
    assert_eq!(scene.register(2, 3, "Contact: *\r\nExpires: 0").unwrap(), [""; 0]);
    assert!(scene.registrar.is_empty() && scene.registrar.next_timeout().is_none());
}

#[test]
fn rfc3261_10_3_7_the_same_call_id_needs_a_higher_cseq() {
    let mut scene = Scene::new();
    scene.register(0, 5, "Contact: <sip:a@192.0.2.10>").unwrap();
    assert_eq!(scene.register(1, 5, "Contact: <sip:a@192.0.2.10>"), Err(Refusal::OutOfOrder));
    assert_eq!(scene.register(1, 4, "Contact: <sip:a@192.0.2.10>;expires=0"), Err(Refusal::OutOfOrder));
    let rebooted = request("other", 1, "", "Contact: <sip:a@192.0.2.10>;expires=90");
    let plan = scene.plan(2, &rebooted).unwrap();
    assert_eq!(plan.contacts, ["<sip:a@192.0.2.10>;expires=90"]);
    let twice = "Contact: <sip:a@192.0.2.10>;expires=70, <sip:a@192.0.2.10>;expires=80";
    assert_eq!(scene.register(2, 6, twice).unwrap(), ["<sip:a@192.0.2.10>;expires=80"]);
}

#[test]
fn rfc3261_10_3_423_says_the_least_and_too_long_is_cut() {
    let mut scene = Scene::new();
    let refusal = scene.register(0, 1, "Contact: <sip:a@192.0.2.10>;expires=59").unwrap_err();
    assert_eq!((refusal.answer().0, refusal.min_expires()), (423, Some(60)));
    for (wish, given) in [("60", 60), ("7201", 7200), ("280297596632815", 7200), ("soon", 3600), ("-1", 3600)]
    {
        let lines = format!("Contact: <sip:a@192.0.2.10>;expires={wish}");
        let plan = scene.plan(0, &request("call", 1, "", &lines)).unwrap();
        assert_eq!(plan.contacts, [format!("<sip:a@192.0.2.10>;expires={given}")]);
    }
}

#[test]
fn one_bad_contact_and_nothing_of_the_request_is_done() {
    let mut scene = Scene::new();
    scene.register(0, 1, "Contact: <sip:a@192.0.2.10>").unwrap();
    let long = "x".repeat(MAX_CONTACT_LENGTH);
    for (bad, refusal) in [
        ("<tel:+3592>".to_owned(), Refusal::Contact),
        (format!("<sip:{long}@192.0.2.10>"), Refusal::Contact),
        ("<sip:d@192.0.2.10>;expires=1".to_owned(), Refusal::TooBrief(Duration::from_secs(60))),
        (["<sip:e@192.0.2.10>"; MAX_CONTACTS + 1].join(","), Refusal::TooManyContacts),
    ] {
        let lines = format!("Contact: <sip:b@192.0.2.10>\r\nContact: {bad}");
        assert_eq!(scene.register(1, 2, &lines), Err(refusal));
    }
    assert_eq!(scene.uris(1), ["sip:a@192.0.2.10"]);
}

#[test]
fn the_same_uri_and_the_same_instance_are_the_same_device() {
    let mut scene = Scene::new();
    scene.register(0, 1, "Contact: <sip:ana@Phone.example;foo=1>").unwrap();
    let plan = scene.plan(1, &request("c", 2, "", "Contact: <sip:%61na@phone.example>")).unwrap();
    assert_eq!(plan.contacts, ["<sip:%61na@phone.example>;expires=3600"]);
    assert!(matches!(&plan.changes[..], [Change::Remove(old), Change::Set(_)] if old.contains("Phone")));
    scene.registrar.apply(plan);
    scene.register(2, 3, "Contact: <sip:x@10.0.0.1:4000>;+sip.instance=\"<urn:uuid:1>\"").unwrap();
    scene.register(3, 4, "Contact: <sip:x@10.0.0.1:4001>;+sip.instance=\"<urn:uuid:1>\"").unwrap();
    scene.register(4, 5, "Contact: <sip:x@10.0.0.1:4001>;+sip.instance=\"<urn:uuid:2>\"").unwrap();
    assert_eq!(scene.uris(5), ["sip:x@10.0.0.1:4001", "sip:x@10.0.0.1:4001", "sip:%61na@phone.example"]);
}

#[test]
fn a_device_is_called_on_its_flow_when_its_contact_leads_nowhere() {
    let scene = Scene::new();
    let destination = |via: &str, contact: &str, flow: Flow| {
        let request = request("c", 1, via, &format!("Contact: <{contact}>"));
        let plan = scene.registrar.plan(scene.start, "acme", "ana", flow, &request).unwrap();
        let Change::Set(binding) = &plan.changes[0] else { panic!() };
        let to = binding.destination();
        format!("{} {} {}", to.transport.as_str(), to.remote, to.connection)
    };
    let udp = Flow { remote: "192.0.2.10:40000".parse().unwrap(), ..scene.flow };
    assert_eq!(destination("", "sip:a@192.0.2.10:5062", udp), "UDP 192.0.2.10:5062 0", "no translator");
    assert_eq!(destination(";rport", "sip:a@192.0.2.10:5062", udp), "UDP 192.0.2.10:40000 0", "RFC 3581");
    assert_eq!(destination("", "sip:a@10.0.0.7:5062", udp), "UDP 192.0.2.10:40000 0", "a translator");
    assert_eq!(destination("", "sip:a@phone.invalid", udp), "UDP 192.0.2.10:40000 0");
    let tcp = Flow { transport: Transport::Tcp, connection: 9, ..udp };
    assert_eq!(destination("", "sip:a@192.0.2.10", tcp), "TCP 192.0.2.10:40000 9");
}

#[test]
fn at_the_bound_the_contact_refreshed_longest_ago_gives_way() {
    let mut scene = Scene::new();
    for port in 0..=MAX_CONTACTS as u64 {
        let lines = format!("Contact: <sip:a@192.0.2.10:{}>", 4000 + port);
        scene.register(port, port as u32, &lines).unwrap();
    }
    assert_eq!(scene.uris(20).len(), MAX_CONTACTS);
    assert!(!scene.uris(20).contains(&"sip:a@192.0.2.10:4000".to_owned()));
}

#[test]
fn what_is_kept_comes_back_with_the_time_that_is_left() {
    let mut scene = Scene::new();
    scene.flow.transport = Transport::Tcp;
    scene.flow.connection = 3;
    let lines = "Contact: <sip:a@10.0.0.1>;q=0.25;+sip.instance=\"<urn:x>\"\r\nUser-Agent: Phone/1";
    scene.register(0, 1, lines).unwrap();
    let stored = {
        let (tenant, user, binding) = scene.registrar.iter().next().unwrap();
        binding.export(scene.at(600), tenant, user)
    };
    assert_eq!(stored.remaining, Duration::from_secs(3000));
    let mut later = Registrar::new(Lifetimes::default());
    let start = scene.at(100_000);
    later.import(start, stored.clone()).unwrap();
    let bindings = later.bindings(start + Duration::from_secs(2999), "acme", "ana");
    let [binding] = bindings[..] else { panic!() };
    assert_eq!((binding.q, binding.user_agent.as_str()), (250, "Phone/1"));
    assert_eq!((binding.flow.connection, binding.flow.remote), (0, scene.flow.remote));
    assert_eq!(later.next_timeout(), Some(start + Duration::from_secs(3000)));
    let damaged = Stored { contact: "?".into(), ..stored };
    assert_eq!(later.import(start, damaged), Err(NotABinding));
}

#[test]
fn a_plan_that_arrives_late_does_not_undo_a_newer_one() {
    let mut scene = Scene::new();
    let old = scene.plan(0, &request("c", 1, "", "Contact: <sip:a@192.0.2.10>;expires=600")).unwrap();
    let new = scene.plan(1, &request("c", 2, "", "Contact: <sip:a@192.0.2.10>;expires=900")).unwrap();
    scene.registrar.apply(new);
    scene.registrar.apply(old);
    assert_eq!(scene.registrar.next_timeout(), Some(scene.at(901)));
    assert_eq!(scene.registrar.len(), 1);
}

/// A Contact of one device, by this number of its flow.
fn flow(number: u32) -> String {
    format!(
        "Contact: <sip:a@10.0.0.1:400{number};transport=tcp;ob>;+sip.instance=\"<urn:uuid:1>\";reg-id={number}\r\n\
         Supported: path, outbound"
    )
}

#[test]
fn rfc5626_6_each_flow_of_a_device_is_a_binding_and_ends_with_its_connection() {
    let mut scene = Scene::new();
    scene.flow.transport = Transport::Tcp;
    scene.flow.connection = 7;
    let plan = scene.plan(0, &request("one", 1, "", &flow(1))).unwrap();
    assert!(plan.outbound, "the 200 requires outbound");
    scene.registrar.apply(plan);
    scene.flow.connection = 8;
    let plan = scene.plan(1, &request("two", 1, "", &flow(2))).unwrap();
    scene.registrar.apply(plan);
    let instances: Vec<_> = {
        let bindings = scene.registrar.bindings(scene.at(2), "acme", "ana");
        bindings.iter().map(|binding| (binding.instance().map(str::to_owned), binding.is_flow())).collect()
    };
    assert_eq!(instances, vec![(Some("<urn:uuid:1>".to_owned()), true); 2], "one device");

    let mut ended = Vec::new();
    scene.registrar.handle_flow_failed(&Flow { connection: 9, ..scene.flow }, &mut ended);
    assert!(ended.is_empty(), "somebody else's");
    scene.registrar.handle_flow_failed(&Flow { connection: 7, ..scene.flow }, &mut ended);
    assert_eq!(ended.len(), 1);
    assert_eq!(scene.uris(3), ["sip:a@10.0.0.1:4002;transport=tcp;ob"]);
    // It comes back over another connection; the end of the old one is told late.
    scene.flow.connection = 10;
    let plan = scene.plan(4, &request("two", 2, "", &flow(2))).unwrap();
    scene.registrar.apply(plan);
    scene.registrar.handle_flow_failed(&Flow { connection: 8, ..scene.flow }, &mut ended);
    assert_eq!((ended.len(), scene.uris(5).len()), (1, 1));
    assert_eq!(scene.registrar.flows.len(), 1, "nothing is kept of what is gone");
}

#[test]
fn rfc5626_6_a_flow_is_one_only_where_device_and_way_know_of_flows() {
    let scene = Scene::new();
    let plan = |via: &str, lines: &str| scene.plan(0, &request("call", 1, via, lines));
    let key = |plan: Plan| match &plan.changes[0] {
        Change::Set(binding) => (binding.key.clone(), binding.is_flow(), plan.outbound),
        Change::Remove(_) => panic!("it is bound"),
    };
    let ignored = plan("", &flow(1).replace(", outbound", "")).unwrap();
    assert_eq!(key(ignored), ("i:<urn:uuid:1>:".to_owned(), false, false), "reg-id is ignored");
    let nameless = plan("", &flow(1).replace("+sip.instance=\"<urn:uuid:1>\";", "")).unwrap();
    assert!(!key(nameless).1);
    let by_proxy = "\r\nVia: SIP/2.0/UDP 10.0.0.1;branch=z9hG4bKp";
    assert_eq!(plan(by_proxy, &flow(1)).unwrap_err().answer().0, 439);
    let two = flow(1).replace("Supported", "Contact: <sip:b@10.0.0.1>\r\nSupported");
    assert_eq!(plan("", &two).unwrap_err().answer().0, 400);
}
