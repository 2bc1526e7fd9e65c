//! `examples/helpdesk` as its README tells it: the owner of a customer, whoever helped last, skills and tiers, an agent by
//! mobile, the secretary who transfers and who is stood in for, and what agents dial.

use std::time::Duration;

use serde_json::json;
use tests::pjsua::Pjsua;
use tests::sipp::UAC_LISTENS;

use crate::example::{Edit, Example, talk};
use crate::world::{SOON, mark};

const A_SECOND: Duration = Duration::from_secs(1);
/// The number for customers, and the company's.
const SUPPORT: &str = "+35924445000";
const COMPANY: &str = "+35924445001";
/// Of Rila Textiles, whom Ana looks after; and someone whom nobody does.
const MARIA: &str = "+359888123456";
const STRANGER: &str = "+359888999000";

fn helpdesk(edits: &[Edit]) -> Example {
    Example::start("helpdesk", "helpdesk", "helpdesk", edits)
}

/// A customer calls and says by a key what it is about.
fn asks_about(helpdesk: &mut Example, customer: &mut Pjsua, key: &str) {
    customer.call(&helpdesk.uri(SUPPORT));
    customer.confirmed(SOON);
    helpdesk
        .hears("en", "For the network press one. For payroll press two. For anything else stay on the line.");
    customer.press(key);
}

#[test]
fn whoever_looks_after_the_customer_rings_first_and_sees_the_name() {
    let mut helpdesk = helpdesk(&[]);
    let mut ana = helpdesk.phone("ana", 440.0);
    let mut boris = helpdesk.phone("boris", 600.0);
    let mut maria = helpdesk.customer(MARIA, 1000.0);
    asks_about(&mut helpdesk, &mut maria, "1");
    let from = ana.event("ringing", SOON)["from"].as_str().unwrap_or_default().to_owned();
    assert!(from.contains("Maria Dimitrova"), "{from}");
    ana.answer();
    talk(&mut maria, &mut ana);
    maria.hang_up();
    ana.disconnected(SOON);
    helpdesk.wait_for_state("ana", "available");
    // Another owner has no time: the normal scheme takes the call.
    let mut nikola = helpdesk.customer("+359888234567", 700.0);
    asks_about(&mut helpdesk, &mut nikola, "1");
    boris.event("ringing", SOON);
    boris.refuse(603);
    ana.event("ringing", SOON);
    ana.answer();
    talk(&mut nikola, &mut ana);
    nikola.hang_up();
    let calls = helpdesk.exchange.calls(2);
    let marks = ["owner", "owner-answered"].map(|key| mark(&calls[1], key));
    assert_eq!(
        (calls[1]["answered_by"].as_str(), marks),
        (Some("ana"), [Some("boris"), Some("no")]),
        "{calls:?}"
    );
    let call = &calls[0];
    let marks = ["owner", "owner-answered"].map(|key| mark(call, key));
    assert_eq!((call["answered_by"].as_str(), marks), (Some("ana"), [Some("ana"), Some("yes")]), "{call}");
    ana.heard().assert_tone(1000.0, A_SECOND);
    maria.heard().assert_tone(440.0, A_SECOND);
}

#[test]
fn the_best_of_those_who_know_about_it_rings_and_the_next_time_whoever_helped() {
    let mut helpdesk = helpdesk(&[]);
    let mut boris = helpdesk.phone("boris", 600.0);
    // She knows nothing of networks.
    let _dora = helpdesk.phone("dora", 900.0);
    let mut customer = helpdesk.customer(STRANGER, 1000.0);
    asks_about(&mut helpdesk, &mut customer, "1");
    boris.event("ringing", SOON);
    boris.answer();
    talk(&mut customer, &mut boris);
    customer.hang_up();
    boris.disconnected(SOON);
    let first = helpdesk.exchange.calls(1).remove(0);
    assert_eq!((first["answered_by"].as_str(), mark(&first, "history")), (Some("boris"), None), "{first}");

    // Ana knows more of networks, and whoever has not called yet gets her.
    let mut ana = helpdesk.phone("ana", 440.0);
    asks_about(&mut helpdesk, &mut customer, "1");
    boris.event("ringing", SOON);
    boris.answer();
    talk(&mut customer, &mut boris);
    customer.hang_up();
    boris.disconnected(SOON);
    let calls = helpdesk.exchange.calls(2);
    let again = calls.iter().find(|call| mark(call, "history") == Some("boris"));
    let again = again.unwrap_or_else(|| panic!("{calls:?}"));
    assert_eq!(again["answered_by"], "boris", "{again}");
    let mut stranger = helpdesk.customer("+359888999222", 700.0);
    asks_about(&mut helpdesk, &mut stranger, "1");
    ana.event("ringing", SOON);
    stranger.hang_up();
    boris.heard().assert_tone(1000.0, A_SECOND);
    customer.heard().assert_tone(600.0, A_SECOND);
}

#[test]
fn the_second_tier_joins_later_and_serves_by_mobile() {
    let mut helpdesk = helpdesk(&[("opens_after = 20", "opens_after = 3")]);
    let mut dora = helpdesk.phone("dora", 440.0);
    let mut mobile = helpdesk.outside(800.0);
    let mut customer = helpdesk.customer(STRANGER, 1000.0);
    asks_about(&mut helpdesk, &mut customer, "2");
    dora.event("ringing", SOON);
    dora.refuse(603);
    // Emil's telephone is off.
    mobile.event("ringing", SOON);
    let dora_now = helpdesk.exchange.get("/tenants/helpdesk/agents/dora");
    assert_eq!((&dora_now["offered"], &dora_now["answered"]), (&json!(1), &json!(0)), "{dora_now}");
    mobile.answer();
    talk(&mut customer, &mut mobile);
    helpdesk.wait_for_state("emil", "talking");
    customer.hang_up();
    mobile.disconnected(SOON);
    helpdesk.wait_for_state("emil", "wrap-up");
    let call = helpdesk.exchange.calls(1).remove(0);
    assert_eq!(
        (call["outcome"].as_str(), mark(&call, "queue")),
        (Some("answered"), Some("helpdesk")),
        "{call}"
    );
    mobile.heard().assert_tone(1000.0, A_SECOND);
    customer.heard().assert_tone(800.0, A_SECOND);
}

#[test]
fn the_secretary_asks_and_transfers_and_filip_stands_in_while_she_talks() {
    let mut helpdesk = helpdesk(&[]);
    let mut vera = helpdesk.phone("vera", 600.0);
    let mut filip = helpdesk.phone("filip", 900.0);
    let mut ana = helpdesk.phone("ana", 440.0);
    let mut customer = helpdesk.customer(MARIA, 1000.0);
    customer.call(&helpdesk.uri(COMPANY));
    vera.event("ringing", SOON);
    vera.answer();
    talk(&mut customer, &mut vera);

    // Vera talks, and is not rung.
    let other = helpdesk.calls(UAC_LISTENS, COMPANY, STRANGER).calls(1, 1).start();
    filip.event("ringing", SOON);
    filip.answer();
    filip.confirmed(SOON);
    filip.talk(A_SECOND / 4);
    filip.hang_up();
    other.finish(SOON).assert_all(1);

    vera.consult(&helpdesk.uri("101"));
    ana.event("ringing", SOON);
    ana.answer();
    ana.confirmed(SOON);
    ana.talk(A_SECOND);
    vera.join();
    vera.disconnected(SOON);
    customer.talk(A_SECOND * 2);
    customer.hang_up();
    ana.disconnected(SOON);

    // The customers', and Vera's question.
    let calls = helpdesk.exchange.calls(3);
    let of = |number: &str| calls.iter().find(|call| call["from"]["number"] == number).expect("a record");
    assert_eq!(
        (mark(of(MARIA), "secretary"), mark(of(STRANGER), "secretary")),
        (Some("vera"), Some("filip"))
    );
    ana.heard().assert_tone(1000.0, A_SECOND);
    let heard = customer.heard();
    heard.assert_tone(600.0, A_SECOND);
    heard.assert_tone(440.0, A_SECOND);
}

#[test]
fn a_colleagues_ringing_telephone_is_answered_from_ones_own() {
    let mut helpdesk = helpdesk(&[]);
    let mut vera = helpdesk.phone("vera", 600.0);
    let mut boris = helpdesk.phone("boris", 440.0);
    let mut customer = helpdesk.customer(STRANGER, 1000.0);
    customer.call(&helpdesk.uri(COMPANY));
    vera.event("ringing", SOON);
    boris.call(&helpdesk.uri("**100"));
    talk(&mut customer, &mut boris);
    vera.event("cancelled", SOON);
    customer.hang_up();
    boris.disconnected(SOON);
    let calls = helpdesk.exchange.calls(2);
    assert!(calls.iter().any(|call| call["answered_by"] == "boris"), "{calls:?}");
    boris.heard().assert_tone(1000.0, A_SECOND);
    customer.heard().assert_tone(440.0, A_SECOND);
}

#[test]
fn agents_pause_and_sign_in_and_out_by_what_they_dial() {
    let mut helpdesk = helpdesk(&[]);
    let mut ana = helpdesk.phone("ana", 440.0);
    let mut dials = |helpdesk: &mut Example, key: &str| {
        ana.call(&helpdesk.uri("70"));
        ana.confirmed(SOON);
        helpdesk.hears("en", "One: available. Two: lunch. Three: a visit. Four: sign in. Five: sign out.");
        ana.press(key);
        helpdesk.hears("en", "Done.");
        ana.disconnected(SOON);
    };
    dials(&mut helpdesk, "2");
    assert_eq!(helpdesk.wait_for_state("ana", "paused")["reason"], "lunch");
    dials(&mut helpdesk, "1");
    helpdesk.wait_for_state("ana", "available");
    let serves = |helpdesk: &Example| {
        let queue = helpdesk.queue("helpdesk");
        let mut agents = queue["agents"].as_array().into_iter().flatten();
        agents.any(|agent| agent["name"] == "ana")
    };
    assert!(serves(&helpdesk));
    dials(&mut helpdesk, "5");
    assert!(!serves(&helpdesk), "{}", helpdesk.queue("helpdesk"));
    // What an agent wished survives a kill.
    helpdesk.exchange.kill();
    helpdesk.exchange.start_again();
    assert!(!serves(&helpdesk), "{}", helpdesk.queue("helpdesk"));
    // Signed in again, she has the next call.
    dials(&mut helpdesk, "4");
    assert!(serves(&helpdesk), "{}", helpdesk.queue("helpdesk"));
    let mut customer = helpdesk.customer(STRANGER, 1000.0);
    asks_about(&mut helpdesk, &mut customer, "1");
    ana.event("ringing", SOON);
    ana.answer();
    talk(&mut customer, &mut ana);
    customer.hang_up();
    ana.disconnected(SOON);
    ana.heard().assert_tone(1000.0, A_SECOND);
}
