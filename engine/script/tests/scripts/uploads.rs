//! What is uploaded is refused by the name of what is wrong.

use script::{Kind, Settings};

use crate::released::offered;
use crate::support::*;

/// Exports of the right names, over functions that take and give nothing.
const EXPORTS: &str = r#"
    (core module $m (func (export "f")))
    (core instance $i (instantiate $m))
    (func $f (canon lift (core func $i "f")))
    (export "on-call" (func $f))
    (export "on-ended" (func $f))"#;

/// The places of the objections to a component, in text.
fn places(component: &str) -> Vec<String> {
    let bytes = wat::parse_str(component).expect("the text of the test is a component");
    let refused = sandboxes().compile(&bytes).err().expect("it is refused");
    refused.problems.into_iter().map(|problem| problem.place).collect()
}

fn objection_to(bytes: &[u8]) -> String {
    sandboxes().compile(bytes).err().expect("it is refused").to_string()
}

#[test]
fn a_good_component_tells_its_imports_and_exports() {
    let component = compile(&sandboxes(), "actor");
    assert_eq!(component.kind(), Kind::Call);
    assert_eq!(component.exports(), ["on-call", "on-ended"]);
    assert!(component.imports().contains(&format!("strowger:script/kv@{}", offered())));
    assert_eq!(component.hash().len(), 64);
}

#[test]
fn forbidden_imports_are_named() {
    let component = format!(
        r#"(component
            (import "wasi:clocks/wall-clock@0.2.3" (instance))
            (import "wasi:sockets/tcp@0.2.3" (instance))
            (import "wasi:http/outgoing-handler@0.2.3" (instance))
            (import "strowger:script/crystal-ball@0.1.0" (instance))
            (import "strowger:script/strategy@0.1.0" (instance))
            {EXPORTS})"#
    );
    let named = [
        "import wasi:sockets/tcp",
        "import wasi:http/outgoing-handler",
        "import strowger:script/crystal-ball",
        "import strowger:script/strategy",
    ];
    assert_eq!(places(&component), named);
}

#[test]
fn missing_exports_are_named() {
    assert_eq!(places("(component)"), ["export on-call", "export on-ended"]);
    let ranks_only = EXPORTS.replace("on-call", "rank").replace("on-ended", "announce");
    let missing = ["export admit", "export expected-wait", "export on-digit"];
    assert_eq!(places(&format!("(component {ranks_only})")), missing);
}

#[test]
fn a_function_that_an_interface_does_not_have_is_named() {
    let import = r#"(import "strowger:script/kv@0.1.0" (instance (export "fly" (func))))"#;
    assert_eq!(places(&format!("(component {import} {EXPORTS})")), ["import strowger:script/kv.fly"]);
}

#[test]
fn a_function_of_another_type_is_refused_with_its_interface() {
    let import = r#"(import "strowger:script/kv@0.1.0" (instance (export "get" (func))))"#;
    assert_eq!(places(&format!("(component {import} {EXPORTS})")), ["import strowger:script/kv"]);
    // The exports above are of no use either.
    assert_eq!(places(&format!("(component {EXPORTS})")), ["export on-call"]);
}

#[test]
fn another_version_of_the_interface_is_named_with_both() {
    for (asked, taken) in [("0.2.0", false), ("1.0.0", false), ("0.1.0", true), ("0.1.7", true)] {
        let import = format!(r#"(import "strowger:script/kv@{asked}" (instance))"#);
        let bytes = wat::parse_str(format!("(component {import} {EXPORTS})")).unwrap();
        let said = objection_to(&bytes);
        let expected = format!(
            "import strowger:script/kv: it is built for version {asked}, and this engine offers {}",
            offered()
        );
        assert_eq!(said.starts_with(&expected), !taken, "{said}");
    }
}

#[test]
fn a_newer_patch_that_asks_for_more_is_refused_by_the_function() {
    let import = r#"(import "strowger:script/kv@0.1.7" (instance (export "fly" (func))))"#;
    let component = format!("(component {import} {EXPORTS})");
    assert_eq!(places(&component), ["import strowger:script/kv.fly"]);
    let said = objection_to(&wat::parse_str(&component).unwrap());
    let why = format!("it is built for version 0.1.7, and this engine offers {}", offered());
    assert!(said.ends_with(&why), "{said}");
}

/// A call script, but for what `start` does.
pub(crate) fn starting(start: &str) -> String {
    format!(
        r#"(component
            (import "strowger:script/types@0.1.0" (instance $types
                (type $words {FAILURE})
                (export "failure" (type (eq $words)))))
            (alias export $types "failure" (type $failure))
            (import "strowger:script/call@0.1.0" (instance $call (export "leg" (type (sub resource)))))
            (alias export $call "leg" (type $leg))
            (import "strowger:script/ended@0.1.0" (instance $ended (export "call-record" (type (sub resource)))))
            (alias export $ended "call-record" (type $record))
            (core module $m
                (memory (export "memory") 1)
                (func $start {start})
                (start $start)
                (func (export "on") (param i32) (result i32) (i32.const 0)))
            (core instance $i (instantiate $m))
            (alias core export $i "memory" (core memory $memory))
            (type $on-call (func (param "caller" (own $leg)) (result (result (error $failure)))))
            (type $on-ended (func (param "how" (own $record)) (result (result (error $failure)))))
            (func $call-it (type $on-call) (canon lift (core func $i "on") (memory $memory)))
            (func $end-it (type $on-ended) (canon lift (core func $i "on") (memory $memory)))
            (export "on-call" (func $call-it))
            (export "on-ended" (func $end-it)))"#
    )
}

/// `types.failure` of wit/, as the text format has it.
const FAILURE: &str = r#"(variant (case "hung-up") (case "busy") (case "no-answer") (case "refused" u16)
    (case "unreachable") (case "not-found" string) (case "invalid" string) (case "limit" string)
    (case "timed-out") (case "other" string))"#;

#[test]
fn a_component_that_does_not_start_is_refused_before_a_call_meets_it() {
    let compiled = |start: &str| {
        let bytes = wat::parse_str(starting(start)).expect("the text of the test is a component");
        sandboxes().compile(&bytes)
    };
    assert!(compiled("").is_ok(), "{}", compiled("").err().unwrap());
    let refused = compiled("unreachable").err().expect("it traps").problems.remove(0);
    assert_eq!(refused.place, "start");
    assert!(refused.what.contains("unreachable"), "{refused}");
    let refused = compiled("(loop $again (br $again))").err().expect("it never ends").problems.remove(0);
    assert_eq!(refused.place, "start");
    assert!(refused.what.contains("computed for too long"), "{refused}");
}

#[test]
fn what_of_webassembly_no_script_needs_is_refused() {
    let zero = "(v128.const i32x4 0 0 0 0)";
    for closed in [
        "(memory i64 1)".to_owned(),
        "(memory 1 2 shared)".to_owned(),
        "(tag)".to_owned(),
        "(type (struct (field i32)))".to_owned(),
        "(type $f (func)) (func (param (ref $f)))".to_owned(),
        format!("(func (drop (f32x4.relaxed_madd {zero} {zero} {zero})))"),
    ] {
        let component = format!("(component (core module {closed}) {EXPORTS})");
        assert_eq!(places(&component), ["component"], "{closed}");
    }
    // The same without is only of the wrong types.
    assert_eq!(places(&format!("(component (core module (memory 1)) {EXPORTS})")), ["export on-call"]);
}

#[test]
fn too_much_memory_is_refused() {
    let memory = r#"(core module $big (memory 257)) (core instance (instantiate $big))"#;
    assert_eq!(places(&format!("(component {memory} {EXPORTS})")), ["memory"]);
}

#[test]
fn what_is_no_component_is_refused() {
    assert!(objection_to(b"").starts_with("component: "));
    assert!(objection_to(b"GIF89a, surely").starts_with("component: "));
    let module = wat::parse_str("(module)").unwrap();
    assert!(objection_to(&module).contains("core module"));
    let whole = guest("actor");
    assert!(objection_to(&whole[..whole.len() / 2]).starts_with("component: "));
    let small = with(|settings: &mut Settings| settings.component = 1_000);
    let refused = small.compile(&whole).err().unwrap().to_string();
    assert!(refused.contains("at most 1000 are taken"), "{refused}");
}

#[test]
fn damaged_components_are_refused_or_taken_but_never_panic() {
    let sandboxes = sandboxes();
    let whole = guest("ranker");
    for n in 0..60 {
        let mut bytes = whole.clone();
        let at = (n * 7_919 + 13) % bytes.len();
        bytes[at] ^= 1 << (n % 8);
        let _ = sandboxes.compile(&bytes);
    }
}
