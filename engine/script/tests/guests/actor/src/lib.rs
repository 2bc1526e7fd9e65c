//! A call script that does what its settings say, well or badly. It greets with the name of its
//! package, so the package beside it is another version of the same script.

wit_bindgen::generate!({ world: "call-script", path: "../../../../../wit" });

use std::hint::black_box;

use strowger::script::call::{DialOptions, GatherOptions, Stage, bridge, dial, hand_over, tag};
use strowger::script::log::Level;
use strowger::script::types::{Prompt, Target};
use strowger::script::{clock, directory, kv, log, settings};

/// The same as a call's script reckons with in the tests of the whole exchange.
#[path = "../../../../../../tests/guests/behave/src/floats.rs"]
mod floats;

struct Actor;

export!(Actor);

impl Guest for Actor {
    fn on_call(caller: Leg) -> Result<(), Failure> {
        let part = settings::get();
        match part.trim_matches('"') {
            "menu" => menu(&caller),
            "decide" => decide(),
            "unreachable" => falls_here(&part),
            "loop" => loop {
                black_box(&part);
            },
            "memory" => eat(),
            "recurse" => Err(Failure::Other(deep(1).to_string())),
            "flood" => (0..u32::MAX).try_for_each(|n| kv::add("n", n as i32 & 1).map(drop)),
            "clean" => clean(&caller, 3),
            "clean-for-ever" => clean(&caller, u32::MAX),
            "wait" => caller.play(&[Prompt::Music("hold".into())], false),
            "hand-over" => hand_over("strowger/menu", r#"{"greeting":"hello"}"#),
            "fail" => Err(Failure::NotFound("box".into())),
            "chance" => chance(),
            "babble" => babble(),
            "collect" => collect(),
            "reckon" => reckon(),
            "language" => language(&caller),
            "hoard" => (0..1_000).try_for_each(|n| kv::set(&n.to_string(), &[7; 60_000], None)),
            other => Err(Failure::Invalid(other.into())),
        }
    }

    fn on_ended(how: CallRecord) -> Result<(), Failure> {
        kv::set(&how.id(), format!("{:?} {}", how.outcome(), how.caller().number).as_bytes(), None)
    }
}

#[inline(never)]
fn menu(caller: &Leg) -> Result<(), Failure> {
    caller.answer()?;
    let pressed = caller.gather(&GatherOptions {
        prompts: vec![Prompt::Recording(env!("CARGO_PKG_NAME").into())],
        most: 1,
        terminator: None,
        first: 6_000,
        between: 2_000,
    })?;
    tag("pressed", &pressed.digits)?;
    let options =
        DialOptions { timeout: 20_000, ringback: None, present: Some(caller.party()), skip_busy: true };
    let agent = dial(&[Stage { after: 0, targets: vec![Target::User("ana".into())] }], &options)?;
    log::write(Level::Info, &format!("{} answered", agent.user().unwrap_or_default()));
    bridge(caller, &agent, "*")?;
    Ok(())
}

/// Three host calls, counting the settings.
fn decide() -> Result<(), Failure> {
    let now = clock::now();
    kv::get("owner")?;
    if now < 0.0 { Err(Failure::TimedOut) } else { Ok(()) }
}

#[inline(never)]
fn falls_here(part: &str) -> Result<(), Failure> {
    if part.is_empty() { Ok(()) } else { core::arch::wasm32::unreachable() }
}

fn eat() -> Result<(), Failure> {
    let mut eaten = Vec::new();
    loop {
        eaten.push(black_box(vec![1_u8; 1 << 20]));
    }
}

#[inline(never)]
#[allow(unconditional_recursion)]
fn deep(n: u64) -> u64 {
    if black_box(n) == 0 { 0 } else { deep(n + 1) + black_box(n) }
}

fn clean(caller: &Leg, times: u32) -> Result<(), Failure> {
    let left = caller.play(&[Prompt::Music("hold".into())], false);
    for _ in 0..times {
        kv::add("left", 1)?;
    }
    left
}

fn chance() -> Result<(), Failure> {
    (0..5).try_for_each(|_| tag("drawn", &clock::random(1_000).to_string()))?;
    tag("none", &clock::random(0).to_string())
}

fn babble() -> Result<(), Failure> {
    for _ in 0..30 {
        log::write(Level::Debug, &"д".repeat(5_000));
    }
    Ok(())
}

fn collect() -> Result<(), Failure> {
    let mut all = Vec::new();
    for _ in 0..100 {
        all.extend(directory::group("everyone"));
    }
    Err(Failure::Other(all.len().to_string()))
}

/// A line for each operation: its name, NaNs, NaNs of another kind, and the digest of all bits.
fn reckon() -> Result<(), Failure> {
    for floats::Outcome { operation, nans, others, digest } in floats::outcomes() {
        log::write(Level::Info, &format!("{operation} {nans} {others} {digest:016x}"));
    }
    Ok(())
}

fn language(caller: &Leg) -> Result<(), Failure> {
    tag("before", &caller.language())?;
    caller.set_language("bg")?;
    tag("after", &caller.language())?;
    tag("header", &caller.header("X-Account").join("+"))?;
    let sofia = clock::time_in("Europe/Sofia").map_or(-1, |time| i32::from(time.hour));
    tag("hour", &sofia.to_string())?;
    tag("nowhere", &clock::time_in("Nowhere/Land").is_none().to_string())?;
    let ana = directory::find("ana").map(|user| format!("{:?} {:?}", user.presence(), user.skills()));
    tag("ana", &ana.unwrap_or_default())
}
