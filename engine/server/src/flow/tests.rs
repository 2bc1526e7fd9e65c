//! What is told of a flow's file, and where.

use super::*;

const SHOP: &str = r#"# The shop's telephone.
language = "en"

[steps.start]
say = "welcome"
then = "hours"

[steps.hours]
hours = "office"
schemes = { open = "main" }
otherwise = "message"

[steps.main]
menu = { en = "For sales, press one." }
keys = { 1 = "sales", 2 = "message" }
no_key = "welcome"

[steps.sales]
queue = "sales"
keys = { 2 = "message" }
otherwise = "group"

[steps.group]
ring = ["group:sales", "ana"]
otherwise = "message"

[steps.message]
voicemail = { box = "sales" }
"#;

fn acme() -> Names<'static> {
    Names {
        scripts: Some(vec!["mine"]),
        users: Some(vec!["ana", "101"]),
        groups: Some(vec!["sales"]),
        queues: Some(vec!["sales", "repairs"]),
        calendars: Some(vec!["office"]),
    }
}

/// What is told when one text stands in place of another.
fn told(instead_of: &str, write: &str) -> Vec<String> {
    assert!(SHOP.contains(instead_of), "{instead_of}");
    let flow = SHOP.replacen(instead_of, write, 1);
    read(&flow, &acme()).err().unwrap_or_default().iter().map(ToString::to_string).collect()
}

#[test]
fn a_flow_that_is_right_becomes_a_component_that_carries_it() {
    let flow = read(SHOP, &acme()).expect("the shop's flow is right");
    assert_eq!(flow.recordings, [("welcome".to_owned(), 5)]);
    let component = component(&flow, SHOP);
    assert_eq!(text_of(&component), Some(SHOP));
    let json = read(&flow.settings, &acme()).expect("the same as JSON");
    assert_eq!(json.settings, flow.settings);
}

#[test]
fn a_mistake_is_told_with_its_place_and_what_to_write() {
    let mut wrong = Vec::new();
    for (instead_of, write, what) in [
        ("then = \"hours\"", "then = \"huors\"", "6:8: there is no step \"huors\"; write \"hours\""),
        ("say = \"welcome\"", "sya = \"welcome\"", "4:8: there is no \"sya\" here; write \"say\""),
        ("no_key", "nokey", "16:9: there is no \"nokey\" here; write \"no_key\""),
        ("keys = { 1 = \"sales\", 2 = \"message\" }\n", "", "13:8: \"keys\" is missing; write keys = ..."),
        ("queue = \"sales\"", "queue = \"slaes\"", "19:9: there is no queue \"slaes\"; write \"sales\""),
        ("hours = \"office\"", "hours = \"ofice\"", "9:9: there is no calendar \"ofice\"; write \"office\""),
        ("\"group:sales\"", "\"group:sale\"", "24:9: there is no group \"sale\"; write \"sales\""),
        ("\"ana\"", "\"anna\"", "24:24: there is no user \"anna\"; write \"ana\""),
        ("box = \"sales\"", "bxo = \"sales\"", "28:21: there is no \"bxo\" here; write \"box\""),
        (
            "say = \"welcome\"",
            "say = { en = \"Hello {nme}\" }",
            "5:14: nothing is known as \"nme\" here; write one of \"caller\", \"caller_name\", \"contact.NAME\", \"dialled\", \
             \"language\", \"scheme\", \"tag.NAME\", \"user\", \"value.NAME\", or gather it first",
        ),
        (
            "[steps.start]",
            "[steps.begin]",
            "1:1: no step is named \"start\"; write start = \"...\", the step that a call begins with",
        ),
        (
            "otherwise = \"group\"",
            "otherwise = \"message\"",
            "23:8: no step leads to \"group\"; name it in one that does, or leave it out",
        ),
        (
            "schemes = { open = \"main\" }",
            "schemes = { open = \"main\", lunch = \"start\" }",
            "8:8: hours -> start -> hours goes round without anybody having a say; lead it through a menu, or end it",
        ),
    ] {
        let told = told(instead_of, write);
        if told != [what] {
            wrong.push(format!("{write}: {told:?} and not {what:?}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    let told = told("language = \"en\"", "language = ");
    assert!(told.len() == 1 && told[0].starts_with("2:") && told[0].contains("not TOML"), "{told:?}");
}

#[test]
fn a_caller_may_come_round_through_a_menu() {
    assert_eq!(told("2 = \"message\" }\nno_key", "2 = \"message\", 9 = \"start\" }\nno_key"), [""; 0]);
}

#[test]
fn json_has_lines_and_columns_too() {
    let flow = "{\n  \"steps\": {\n    \"start\": { \"say\": [\"a\", { \"en\": \"b\" }], \"then\": \"on\" },\n    \"on\": { \"hang_up\": 200 }\n  }\n}\n";
    let told: Vec<_> = read(flow, &Names::default())
        .expect_err("200 refuses nobody")
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(told.len(), 1);
    assert!(told[0].starts_with("4:24: "), "{told:?}");
    let told = read(&flow.replace("\"on\" }", "\"off\" }").replace("200", "486"), &Names::default());
    assert_eq!(
        told.expect_err("there is no step off")[0].to_string(),
        "3:53: there is no step \"off\"; write \"on\""
    );
    let told = read("{\n \"steps\": }", &Names::default()).expect_err("it is no JSON");
    assert_eq!((told[0].line, told[0].column), (2, 11));
}

#[test]
fn names_are_taken_on_trust_where_they_are_not_known() {
    let elsewhere = SHOP.replace("\"sales\"", "\"elsewhere\"").replace("elsewhere\", 2", "sales\", 2");
    read(&elsewhere, &Names::default()).expect("whose queues these are is not known");
}
