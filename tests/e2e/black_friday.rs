//! `examples/black-friday` as its README tells it: the menu in two languages, the queue with the place and the wait, keys
//! while waiting, call back, overflow, the head's mobile, the shop when it is closed, and the one command that shows it all.

use std::fs;
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};
use tests::exchange::binary;
use tests::net::Net;
use tests::pjsua::Pjsua;
use tests::process::Process;
use tests::sipp::{UAC_LISTENS, UAS, UAS_RINGS};
use tests::sound::{Heard, tone_wav};
use tests::speech::SPEECH_HZ;

use crate::example::{Edit, Example, always, folder, talk};
use crate::notices::Outside;
use crate::world::{LATER, SOON, mark};

const A_SECOND: Duration = Duration::from_secs(1);
/// What those who wait hear in turn.
const WALTZ_HZ: f64 = 1200.0;

/// The number of the shop, and of the advertisement.
const SHOP: &str = "+35924442000";
const ADVERTISEMENT: &str = "+35924442003";
const MARIA: &str = "+359888123456";

fn shop(edits: &[Edit]) -> Example {
    let shop = Example::start("black-friday", "shop", "black-friday", edits);
    shop.exchange.keep_prompt("waltz", tone_wav(WALTZ_HZ, A_SECOND * 4));
    shop
}

/// Takes the next call of the queue, and ends it soon.
fn serve(agent: &mut Pjsua) {
    agent.event("ringing", SOON);
    agent.answer();
    agent.confirmed(SOON);
    agent.talk(A_SECOND);
    agent.hang_up();
    agent.disconnected(SOON);
}

/// A customer whose deal is Ana's.
fn ana_looks_after_maria(shop: &Example) {
    let maria = json!({ "name": "Maria Petrova", "company": "Petrova Flowers", "owner": "ana", "numbers": [MARIA],
        "deals": [{ "id": "7", "title": "Two hundred vases" }] });
    let (status, said) = shop.exchange.send("PUT", "/tenants/shop/contacts/maria", maria.to_string());
    assert_eq!(status, 200, "{said}");
}

/// Maria hangs up first, and the agent says by a key what it was about.
fn asked_after(maria: &mut Pjsua, agent: &mut Pjsua, key: &str) {
    agent.confirmed(SOON);
    maria.talk(A_SECOND * 3);
    maria.hang_up();
    maria.disconnected(SOON);
    agent.talk(A_SECOND * 2);
    agent.press(key);
    agent.disconnected(SOON);
}

#[test]
fn after_the_call_the_head_is_told_the_owner_has_it_to_do_and_the_agent_says_what_it_was_about() {
    let net = Net::new();
    let mut outside = Outside::new(net.host());
    let mails = "  [tenant.mail]\n  server = \"127.0.0.1:8425\"  # run.sh has one that prints what comes\n  \
                 security = \"none\"\n  from = \"Shop <exchange@shop.example>\"\n";
    let twilio = outside.twilio();
    let mut shop = shop(&[(mails, &outside.mail()), ("http://127.0.0.1:8463", &twilio)]);
    ana_looks_after_maria(&shop);

    // Nobody is there, and she has waited long enough after forty seconds.
    let mut maria = shop.customer(MARIA, 1000.0);
    maria.call(&shop.uri(ADVERTISEMENT));
    maria.confirmed(SOON);
    maria.talk(A_SECOND * 40);
    maria.hang_up();
    maria.disconnected(SOON);
    let (sms, mail) = (outside.next("sms"), outside.next("mail"));
    assert_eq!((&sms["to"], &mail["to"][0]), (&json!("+359888000001"), &json!("head@shop.example")));
    let (sms, mail) = (sms["text"].to_string(), mail["text"].to_string());
    for told in [MARIA, "Maria Petrova"] {
        assert!(sms.contains(told) && mail.contains(told), "{told}: {sms} {mail}");
    }
    assert!(mail.contains("40 с") && mail.contains(ADVERTISEMENT), "{mail}");
    let (status, listed, said) = shop.exchange.cli(&["missed"]);
    assert_eq!((status, listed.lines().count()), (0, 2), "{listed}{said}");
    for told in [MARIA, "Maria Petrova", "sales", "ana"] {
        assert!(listed.contains(told), "no {told} in {listed}");
    }
    let by_ten = ["T08:00:00", "T07:00:00"]; // in UTC, in winter and in summer
    assert!(by_ten.iter().any(|ten| listed.contains(ten)), "{listed}");

    // She calls again, and Boris answers: that call back is over, and Ana hears the conversation.
    let mut boris = shop.phone("boris", 600.0);
    maria.call(&shop.uri(ADVERTISEMENT));
    let ringing = boris.event("ringing", SOON);
    assert!(ringing["from"].as_str().is_some_and(|from| from.contains("\"Maria Petrova\"")), "{ringing}");
    assert_eq!(ringing["subject"], "Petrova Flowers: Two hundred vases");
    boris.answer();
    asked_after(&mut maria, &mut boris, "1");
    let call = shop.exchange.calls(2).pop().expect("two");
    assert_eq!((&call["category"], &call["answered_by"]), (&json!("order"), &json!("boris")), "{call}");
    let talk = call["talk"].as_f64().expect("seconds");
    assert!((2.5..5.0).contains(&talk), "what Boris was asked for two seconds more is no talk: {call}");
    let lists =
        ["open", "closed"].map(|state| shop.exchange.get(&format!("/tenants/shop/tasks?state={state}")));
    let of = |kind: &str| -> Value {
        let mut all = lists.iter().flat_map(|list| list["tasks"].as_array().expect("a list"));
        all.find(|task| task["kind"] == kind).cloned().unwrap_or_else(|| panic!("no {kind} in {lists:?}"))
    };
    let (back, done, follow_up) = (of("call-back"), of("call"), of("follow-up"));
    assert_eq!((&back["state"], &back["closed_by"]), (&json!("reached-us-again"), &json!("boris")), "{back}");
    assert_eq!((&done["state"], &done["responsible"]), (&json!("done"), &json!("boris")), "{done}");
    assert_eq!(
        (&follow_up["state"], &follow_up["responsible"]),
        (&json!("open"), &json!("ana")),
        "{follow_up}"
    );
    assert_eq!(follow_up["recordings"], call["recordings"], "{follow_up}");
    Heard::read(&shop.exchange.recording(&call)).assert_tone(1000.0, A_SECOND * 2);
    let (status, listed, _) = shop.exchange.cli(&["missed"]);
    assert_eq!((status, listed.lines().count()), (0, 1), "{listed}");

    // From then on she has the one who looks after her.
    let mut ana = shop.phone("ana", 440.0);
    maria.call(&shop.uri(ADVERTISEMENT));
    ana.event("ringing", SOON);
    ana.answer();
    asked_after(&mut maria, &mut ana, "2");
    let call = shop.exchange.calls(3).pop().expect("three");
    assert_eq!(
        (&call["category"], mark(&call, "owner-answered")),
        (&json!("delivery"), Some("yes")),
        "{call}"
    );
    let open = shop.exchange.get("/tenants/shop/tasks?state=open");
    assert_eq!(open["tasks"], json!([]), "they have spoken");
}

#[test]
fn whoever_presses_3_is_told_the_place_and_the_wait_in_their_language_and_served_in_turn() {
    let (was, is) = always("shop", "open");
    let mut shop = shop(&[(&was, &is)]);
    let mut ana = shop.phone("ana", 440.0);
    let mut maria = shop.customer(MARIA, 1000.0);
    // One conversation, so that the queue knows how long they last; and two that Ana has to hold first.
    let first = shop.calls(UAC_LISTENS, ADVERTISEMENT, "+359888000901").calls(1, 1).start();
    serve(&mut ana);
    first.finish(SOON).assert_all(1);
    let before = shop.calls(UAC_LISTENS, ADVERTISEMENT, "+359888000902").calls(2, 10).start();
    ana.event("ringing", SOON);
    ana.answer();
    ana.confirmed(SOON);
    shop.wait_for_line("sales", 1);

    maria.call(&shop.uri(SHOP));
    shop.hears("bg", "Добре дошли!");
    shop.hears("bg", "За Черния петък натиснете три. За поръчка натиснете едно.");
    maria.press("9");
    shop.hears("en", "For Black Friday press three. For an order press one.");
    maria.press("3");
    shop.hears("en", "You have reached Black Friday.");
    shop.wait_for_line("sales", 2);
    shop.hears("en", "You are second in line.");
    shop.hears("en", "The expected wait is");
    shop.hears("en", "Press one to be called back without losing your place.");
    // Whoever came by the advertisement's number hears the same in the language of the shop.
    shop.hears("bg", "Вие сте следващият на опашката.");

    ana.hang_up();
    ana.disconnected(SOON);
    serve(&mut ana);
    let from = ana.event("ringing", SOON)["from"].as_str().unwrap_or_default().to_owned();
    assert!(from.contains(MARIA), "Ana sees who calls: {from}");
    ana.answer();
    talk(&mut maria, &mut ana);
    ana.hang_up();
    maria.disconnected(SOON);
    before.finish(SOON).assert_all(2);

    let calls = shop.exchange.calls(4);
    let call =
        calls.iter().find(|call| call["from"]["number"] == MARIA).unwrap_or_else(|| panic!("{calls:?}"));
    assert_eq!((call["answered_by"].as_str(), mark(call, "menu")), (Some("ana"), Some("3")), "{call}");
    ana.heard().assert_tone(1000.0, A_SECOND);
    let heard = maria.heard();
    heard.assert_tone(SPEECH_HZ, A_SECOND);
    heard.assert_tone(WALTZ_HZ, A_SECOND);
    heard.assert_tone(440.0, A_SECOND);
}

#[test]
fn whoever_presses_1_keeps_the_place_and_is_called_back_once() {
    let mut shop = shop(&[]);
    let mut maria = shop.customer(MARIA, 1000.0);
    let mut mobile = shop.outside(800.0);
    let mut events = shop.exchange.events();
    maria.call(&shop.uri(ADVERTISEMENT));
    shop.wait_for_line("sales", 1);
    // A key counts also while the place is told.
    shop.hears("bg", "Вие сте следващият на опашката.");
    maria.press("1");
    shop.hears("bg", "Когато дойде вашият ред, ще ви се обадим на номер:");
    shop.hears("bg", "Ако е верен, натиснете едно. За да продължите да чакате, натиснете звезда.");
    maria.press("1");
    shop.hears("bg", "Благодарим ви. Запазваме мястото ви и ще ви се обадим. Дочуване.");
    maria.disconnected(SOON);
    let queue = shop.queue("sales");
    let place = &queue["waiting"][0];
    assert_eq!((&place["number"], &place["call_back"]), (&json!(MARIA), &json!(true)), "{queue}");

    // The agent first, then the customer; and nobody before an agent is there.
    let mut ana = shop.phone("ana", 440.0);
    ana.event("ringing", SOON);
    ana.answer();
    ana.confirmed(SOON);
    shop.hears("bg", "Клиент помоли да му се обадим. Обаждаме се на");
    let from = mobile.event("ringing", SOON)["from"].as_str().unwrap_or_default().to_owned();
    assert!(from.contains(SHOP), "the customer sees the shop: {from}");
    mobile.answer();
    talk(&mut ana, &mut mobile);
    mobile.hang_up();
    ana.disconnected(SOON);
    shop.wait_for_state("ana", "available");
    shop.wait_for_line("sales", 0);
    let queue = shop.queue("sales");
    assert_eq!(queue["today"]["called_back"], 1, "{queue}");
    events.running(A_SECOND);
    let offers = events.heard().iter().filter(|line| line.contains("\"queue.offered\"")).count();
    assert_eq!(offers, 1, "{:?}", events.heard());

    let calls = shop.exchange.calls(2);
    let back = calls.iter().find(|call| mark(call, "reached") == Some("yes"));
    let back = back.unwrap_or_else(|| panic!("{calls:?}"));
    assert_eq!(mark(back, "call-back"), Some(MARIA), "{back}");
    ana.heard().assert_tone(800.0, A_SECOND);
    mobile.heard().assert_tone(440.0, A_SECOND);
}

#[test]
fn whoever_presses_2_leaves_a_message_and_it_is_kept_as_it_was_spoken() {
    let mut shop = shop(&[]);
    let mut maria = shop.customer(MARIA, 1000.0);
    maria.call(&shop.uri(ADVERTISEMENT));
    shop.wait_for_line("sales", 1);
    maria.press("2");
    let please = "В момента никой не може да приеме обаждането ви. Моля, оставете съобщение след сигнала и натиснете \
                  клавиш, когато свършите.";
    shop.hears("bg", please);
    maria.talk(A_SECOND * 4);
    maria.press("#");
    shop.hears("bg", "Благодарим ви. Ще ви се обадим. Дочуване.");
    maria.disconnected(SOON);
    shop.wait_for_line("sales", 0);
    let call = shop.exchange.calls(1).remove(0);
    assert_eq!(
        (call["outcome"].as_str(), mark(&call, "box")),
        (Some("voicemail"), Some("black-friday")),
        "{call}"
    );
    Heard::read(&shop.exchange.recording(&call)).assert_tone(1000.0, A_SECOND * 2);
}

#[test]
fn when_the_queue_is_full_the_heads_mobile_rings_and_then_there_is_a_message() {
    let mut shop = shop(&[("most_waiting = 40", "most_waiting = 1"), ("seconds = 20", "seconds = 3")]);
    let first = shop.calls(UAC_LISTENS, ADVERTISEMENT, "+359888000901").calls(1, 1).start();
    shop.wait_for_line("sales", 1);
    let mut mobile = shop.outside(800.0);
    // The head answers ...
    let mut maria = shop.customer(MARIA, 1000.0);
    maria.call(&shop.uri(ADVERTISEMENT));
    mobile.event("ringing", SOON);
    mobile.answer();
    talk(&mut maria, &mut mobile);
    maria.hang_up();
    mobile.disconnected(SOON);
    // ... and does not.
    let mut petar = shop.customer("+359888765432", 600.0);
    petar.call(&shop.uri(ADVERTISEMENT));
    mobile.event("ringing", SOON);
    mobile.event("cancelled", SOON);
    petar.confirmed(SOON);
    petar.talk(A_SECOND * 4);
    petar.hang_up();
    petar.disconnected(SOON);

    let calls = shop.exchange.calls(2);
    let of = |number: &str| -> &Value {
        calls.iter().find(|call| call["from"]["number"] == number).expect("a record")
    };
    let (answered, message) = (of(MARIA), of("+359888765432"));
    assert_eq!(
        (&answered["outcome"], mark(answered, "overflow")),
        (&json!("answered"), Some("full")),
        "{answered}"
    );
    assert_eq!(
        (&message["outcome"], mark(message, "box")),
        (&json!("voicemail"), Some("black-friday")),
        "{message}"
    );
    mobile.heard().assert_tone(1000.0, A_SECOND);
    maria.heard().assert_tone(800.0, A_SECOND);
    // The one who came first still waits, until an agent comes.
    let mut ana = shop.phone("ana", 440.0);
    serve(&mut ana);
    first.finish(SOON).assert_all(1);
}

#[test]
fn telephones_then_all_mobiles_then_the_heads_and_then_a_message() {
    let shop = &mut shop(&[
        ("after = 15", "after = 2"),
        ("after = 30", "after = 4"),
        ("seconds = 50", "seconds = 7"),
    ]);
    let mut ana = shop.phone("ana", 440.0);
    // The mobiles of 32 agents and of the head.
    let mobiles = shop.carrier_plays(UAS_RINGS).calls(33, 100).trace().start();
    let mut maria = shop.customer(MARIA, 1000.0);
    maria.call(&shop.uri("+35932442000"));
    ana.event("ringing", SOON);
    ana.event("cancelled", SOON);
    shop.hears("bg", "В момента никой не може да приеме обаждането ви. Моля, оставете съобщение след сигнала и натиснете клавиш, когато свършите.");
    maria.confirmed(SOON);
    maria.talk(A_SECOND * 3);
    maria.hang_up();
    let report = mobiles.finish(LATER);
    report.assert_all(33);
    for mobile in ["+359888000101", "+359888000132", "+359888000001"] {
        assert!(report.messages.contains(&format!("INVITE sip:{mobile}@")), "{mobile} did not ring");
    }
    let call = shop.exchange.calls(1).remove(0);
    assert_eq!(
        (call["outcome"].as_str(), call["source"].as_str()),
        (Some("voicemail"), Some("plovdiv")),
        "{call}"
    );
    let heads = report.messages.find("INVITE sip:+359888000001@").expect("it was there a line ago");
    let last_agents = report.messages.rfind("INVITE sip:+3598880001").expect("it was there a line ago");
    assert!(last_agents < heads, "the head's mobile rings after the agents'");
}

#[test]
fn a_closed_shop_says_so_takes_a_message_and_promises_a_call_by_ten_on_the_next_working_day() {
    let (was, is) = always("shop", "closed");
    let mut shop = shop(&[(&was, &is)]);
    let mut maria = shop.customer(MARIA, 1000.0);
    maria.call(&shop.uri(SHOP));
    shop.hears("bg", "Магазинът е затворен. Оставете съобщение след сигнала.");
    maria.confirmed(SOON);
    maria.talk(A_SECOND * 4);
    maria.press("#");
    shop.hears("bg", "Ще ви се обадим до десет часа на следващия работен ден.");
    maria.disconnected(SOON);
    let call = shop.exchange.calls(1).remove(0);
    assert_eq!((mark(&call, "hours"), mark(&call, "box")), (Some("closed"), Some("shop")), "{call}");
    let by = mark(&call, "call-back-by").unwrap_or_default();
    assert!(by.ends_with(" 10:00"), "{call}");
    assert_eq!(
        (call["outcome"].as_str(), call["source"].as_str()),
        (Some("voicemail"), Some("catalogue")),
        "{call}"
    );
    Heard::read(&shop.exchange.recording(&call)).assert_tone(1000.0, A_SECOND * 2);
}

#[test]
fn wrong_keys_and_silence_are_asked_again_keys_count_before_the_menu_and_0_rings_the_head() {
    let (was, is) = always("shop", "open");
    let mut shop = shop(&[(&was, &is)]);
    let mut mobile = shop.outside(800.0);
    let mut maria = shop.customer(MARIA, 1000.0);
    maria.call(&shop.uri(SHOP));
    maria.confirmed(SOON);
    shop.hears("bg", "За Черния петък натиснете три. За поръчка натиснете едно.");
    maria.press("5");
    shop.hears("bg", "Няма такъв избор.");
    shop.hears("bg", "Не чухме избора ви.");
    // The other language, and on before the menu has said a word of it.
    maria.press("93");
    shop.hears("en", "You have reached Black Friday.");
    shop.wait_for_line("sales", 1);
    maria.press("0");
    let from = mobile.event("ringing", SOON)["from"].as_str().unwrap_or_default().to_owned();
    assert!(from.contains(MARIA), "the head sees who calls: {from}");
    mobile.answer();
    talk(&mut maria, &mut mobile);
    shop.wait_for_line("sales", 0);
    maria.hang_up();
    mobile.disconnected(SOON);
    mobile.heard().assert_tone(1000.0, A_SECOND);
    maria.heard().assert_tone(800.0, A_SECOND);
}

#[test]
fn all_agents_call_from_the_shops_number() {
    let shop = shop(&[]);
    let mut ana = shop.phone("ana", 440.0);
    let mut boris = shop.phone("boris", 600.0);
    let outside = shop.carrier_plays(UAS).calls(2, 10).trace().echoes().start();
    for agent in [&mut ana, &mut boris] {
        agent.call(&shop.uri("+359888777666"));
        agent.confirmed(SOON);
    }
    ana.talk(A_SECOND * 2);
    ana.hang_up();
    boris.hang_up();
    let report = outside.finish(SOON);
    report.assert_all(2);
    let invites: Vec<&str> = report
        .messages
        .split("INVITE sip:+359888777666@")
        .skip(1)
        .filter_map(|invite| invite.split("From:").nth(1))
        .collect();
    assert!(
        invites.len() >= 2 && invites.iter().all(|from| from.trim_start().starts_with("<sip:+35924442000@")),
        "{}",
        report.messages
    );
    ana.heard().assert_tone(440.0, A_SECOND);
    boris.heard().assert_tone(600.0, A_SECOND);
}

#[test]
fn one_command_shows_it_all_from_a_clean_start() {
    // As it is, with its own addresses, on a network of its own.
    let place = tempfile::tempdir().expect("a temporary folder");
    let copied = Command::new("cp").arg("-r").arg(folder("black-friday")).arg(place.path()).status();
    assert!(copied.is_ok_and(|status| status.success()));
    let here = place.path().join("black-friday");
    drop(fs::remove_dir_all(here.join("data")));
    let mut command = Command::new("unshare");
    command
        .args(["--map-root-user", "--net", "sh", "-c", "ip link set lo up && exec ./run.sh"])
        .current_dir(&here)
        .env("STROWGER", binary())
        .env("CALLERS", "6")
        .env("RATE", "6")
        .env("PATIENCE", "5");
    let mut day = Process::spawn("run.sh", &mut command);
    let status = day.exit(Duration::from_secs(120));
    let said = day.lines.heard().join("\n");
    assert!(status.success(), "{said}");
    assert!(said.contains("32 agents are registered"), "{said}");
    // One gave up before the shop was staffed; one of six is Ivan's customer, and never comes to the queue.
    for (figure, count) in [("entered", "6"), ("answered", "5"), ("abandoned", "1")] {
        let last = said.lines().rev().find(|line| line.starts_with(figure)).unwrap_or_default();
        assert_eq!(last.split_whitespace().last(), Some(count), "{figure}: {said}");
    }
    for told in ["mail to head@shop.example: ", "text message to +359888000001: "] {
        assert!(
            said.lines().any(|line| line.starts_with(told) && line.contains("+359888765432")),
            "{told}: {said}"
        );
    }
    let missed = said.lines().find(|line| line.contains("+359888765432") && line.contains("vera"));
    assert!(missed.is_some_and(|line| line.contains("Petar Ivanov")), "{said}");
}
