//! The simulated exchange keeps the promises of `wit/`, verb by verb.

use std::cell::RefCell;
use strowger_script::prelude::*;
use strowger_script::{EndOfDigits, Gathered};

fn caller() -> Caller {
    Caller::from("+359888123456")
}

/// Runs a script and answers what it found on the way.
fn found<T>(plan: Caller, script: impl FnOnce(&Leg) -> Result<T>) -> T {
    let found = RefCell::new(None);
    plan.run(|caller: Leg| {
        *found.borrow_mut() = Some(script(&caller)?);
        Ok(())
    });
    found.into_inner().expect("the script came to its end")
}

fn gathered(digits: &str, ended: EndOfDigits) -> Gathered {
    Gathered { digits: digits.to_owned(), ended }
}

#[test]
fn a_gather_ends_when_enough_is_pressed_by_the_terminator_or_when_a_time_is_up() {
    let ask = |caller: &Leg| caller.gather(3).prompt("enter-code").ask();
    let plan = || caller().hears("enter-code");
    assert_eq!(found(plan().presses("123"), ask), gathered("123", EndOfDigits::Enough));
    assert_eq!(found(plan().presses("12#"), ask), gathered("12", EndOfDigits::Terminator));
    assert_eq!(found(plan().presses("12"), ask), gathered("12", EndOfDigits::TimeOut));
    assert_eq!(found(plan(), ask), gathered("", EndOfDigits::TimeOut));
}

#[test]
fn the_first_key_time_counts_from_the_end_of_the_prompts_and_the_other_from_key_to_key() {
    let length = |plan: Caller| {
        let call = plan.run(|caller: Leg| {
            caller.gather(3).prompt("enter-code").first_within(6.secs()).between(3.secs()).ask().map(drop)
        });
        call.length()
    };
    let plan = || caller().prompt_lasts("enter-code", 10.secs()).hears("enter-code");
    assert_eq!(length(plan()), 16.secs());
    // The key cuts the prompt at 1 s.
    assert_eq!(length(plan().presses("1")), 4.secs());
}

#[test]
fn keys_pressed_ahead_count_and_what_is_not_needed_stays() {
    let asked = found(caller().presses("7421"), |caller| {
        caller.play("a-long-welcome")?;
        Ok((caller.gather(2).prompt("never-heard").ask()?.digits, caller.gather(2).ask()?.digits))
    });
    assert_eq!(asked, ("74".to_owned(), "21".to_owned()));
}

#[test]
fn play_is_heard_to_its_end_unless_a_key_may_cut_it() {
    let plan = || caller().hears("terms").presses('1');
    assert_eq!(plan().run(|caller: Leg| caller.play("terms")).length(), 3.secs());
    assert_eq!(plan().run(|caller: Leg| caller.play_until_key("terms")).length(), 1.secs());
}

#[test]
fn whatever_waits_ends_as_hung_up_when_the_caller_leaves_and_so_does_what_comes_after() {
    let ends = |script: fn(Leg) -> Result| {
        let call = caller().user(User::new("ana").never_answers()).waits(1.secs()).hangs_up().run(script);
        assert_eq!(call.result(), &Err(Failure::HungUp));
        assert_eq!(call.length(), 1.secs());
    };
    ends(|caller| caller.play("terms"));
    ends(|caller| caller.gather(1).ask().map(drop));
    ends(|caller| caller.record_message(60.secs(), 5.secs()).map(drop));
    ends(|_| dial("ana").ring().map(drop));
    ends(|_| clock::sleep(60.secs()));
    ends(|caller| {
        let _ = caller.play("terms");
        caller.answer()
    });
}

#[test]
fn a_bridge_says_who_ended_it() {
    let talk = |plan: Caller, ana: User| {
        found(plan.user(ana.answers_after(1.secs())), |caller| {
            let ana = dial("ana").ring()?;
            bridge_until(caller, &ana, "*")
        })
    };
    use strowger_script::BridgeEnd::*;
    let plan = || caller().talks_with("ana");
    assert_eq!(talk(plan(), User::new("ana").hangs_up_after(9.secs())), BHungUp);
    assert_eq!(talk(plan().hangs_up_after(9.secs()), User::new("ana")), AHungUp);
    assert_eq!(talk(plan().presses("12*"), User::new("ana")), Digit('*'));
}

/// Asks ana what it was about, when the caller has left.
fn asks_ana(caller: Leg) -> Result {
    let ana = dial("ana").ring()?;
    assert_eq!(bridge_until(&caller, &ana, ""), Ok(strowger_script::BridgeEnd::AHungUp));
    assert_eq!(caller.play("good-bye"), Err(Failure::HungUp));
    match ana.menu("what-was-it").keys("12").within(5.secs()).retries(1).try_ask()? {
        Some(key) => tag("category", &key.to_string()),
        None => tag("category", "none"),
    }
}

#[test]
fn whoever_answered_presses_a_key_when_the_caller_has_left() {
    let plan = |ana: User| caller().user(ana).talks_with("ana").hangs_up_after(30.secs());
    let call = plan(User::new("ana").presses("92")).run(asks_ana);
    assert_eq!(call.tag("category"), Some("2"));
    assert_eq!(call.timeline()[6..], ["32.0 hangs up", "33.0 ana presses 9", "34.0 ana presses 2"]);
    assert_eq!(
        (call.record().waited, call.record().talked),
        (2.secs(), 30.secs()),
        "what is asked is no talk"
    );
    let silent = plan(User::new("ana")).run(asks_ana);
    assert_eq!((silent.tag("category"), silent.length()), (Some("none"), (2 + 30 + 2 * (3 + 5)).secs()));
    let gone = plan(User::new("ana").hangs_up_after(31.secs()).presses("12")).run(asks_ana);
    assert_eq!(
        (gone.result(), gone.length()),
        (&Err(Failure::HungUp), 33.secs()),
        "she hangs up before the key"
    );
}

#[test]
fn the_failure_of_a_dial_is_the_best_one_heard() {
    let fails = |users: &[User]| {
        let plan = users.iter().cloned().fold(caller(), Caller::user);
        let names: Vec<String> = (0..users.len()).map(|n| n.to_string()).collect();
        found(plan, |_| Ok(dial(&names).for_secs(20).ring().map(drop).unwrap_err()))
    };
    let refuses = User::new("0").rejects_after(5.secs(), 603);
    let busy = User::new("1").rejects_after(1.secs(), 486);
    let silent = User::new("2").never_answers();
    let offline = User::new("3").offline();
    let ranked = [refuses, busy, silent, offline];
    let renamed = |from: usize| -> Vec<User> {
        ranked[from..].iter().cloned().enumerate().map(|(n, user)| user.number(&n.to_string())).collect()
    };
    assert_eq!(fails(&renamed(0)), Failure::Refused(603));
    assert_eq!(fails(&renamed(1)), Failure::Busy);
    assert_eq!(fails(&renamed(2)), Failure::NoAnswer);
    assert_eq!(fails(&renamed(3)), Failure::Unreachable);
}

#[test]
fn a_dial_that_makes_no_sense_is_invalid_or_not_found() {
    let why = |dial: Dial| found(caller().user(User::new("ana")), |_| Ok(dial.ring().map(drop).unwrap_err()));
    assert_eq!(why(dial("nobody")), Failure::NotFound("nobody".to_owned()));
    assert_eq!(why(dial(Vec::<Target>::new())), Failure::Unreachable);
    assert!(matches!(why(dial("ana").for_secs(0)), Failure::Invalid(_)));
    assert!(matches!(why(dial("ana").for_secs(601)), Failure::Invalid(_)));
    assert!(matches!(why(dial(vec!["ana"; 65])), Failure::Invalid(_)));
}

#[test]
fn one_is_busy_while_one_talks_and_does_not_ring_oneself() {
    let plan = Caller::from("101").user(User::new("ana").number("101")).user(User::new("boris"));
    let seen = found(plan, |_| {
        let before = directory::find("boris").map(|user| user.presence);
        let _boris = dial("boris").ring()?;
        Ok((before, directory::find("boris").map(|user| user.presence), dial("ana").ring().map(drop)))
    });
    assert_eq!(seen, (Some(Presence::Free), Some(Presence::Busy), Err(Failure::Busy)));
}

#[test]
fn a_caller_can_be_refused_only_before_being_answered() {
    caller().is_rejected(403).run(|caller: Leg| caller.reject(403, "Forbidden"));
    assert!(matches!(
        found(caller(), |caller| {
            caller.answer()?;
            Ok(caller.reject(403, "Forbidden"))
        }),
        Err(Failure::Invalid(_))
    ));
    assert!(matches!(found(caller(), |caller| Ok(caller.reject(200, "OK"))), Err(Failure::Invalid(_))));
    let declined = |caller: Leg| {
        caller.answer()?;
        caller.decline(&Failure::Busy)
    };
    caller().is_answered().is_hung_up().run(declined);
}

#[test]
fn a_script_that_returns_without_a_word_leaves_the_caller_unavailable() {
    let call = caller().is_rejected(480).run(|_: Leg| Ok(()));
    assert_eq!(call.outcome(), Outcome::Missed);
}

#[test]
fn a_message_ends_with_quiet_a_key_the_most_or_the_caller() {
    let length = |plan: Caller| found(plan, |caller| Ok(caller.record_message(60.secs(), 4.secs())?.length));
    assert_eq!(length(caller().speaks_for(10.secs())), 14.secs());
    assert_eq!(length(caller().speaks_for(10.secs()).presses('#')), 11.secs());
    assert_eq!(length(caller().speaks_for(90.secs())), 60.secs());
    let left = caller()
        .speaks_for(5.secs())
        .hangs_up()
        .run(|caller: Leg| caller.record_message(60.secs(), 4.secs()).map(drop));
    assert_eq!((left.outcome(), left.record().recordings.len()), (Outcome::Voicemail, 1));
}

#[test]
fn the_memory_adds_swaps_forgets_and_refuses_what_is_too_long() {
    let call = caller().remembered("calls", "41").run(|_: Leg| {
        assert_eq!(kv::add("calls", 1)?, 42);
        assert_eq!(kv::add("new", -2)?, -2);
        assert!(kv::swap("calls", Some(b"42"), "43")?);
        assert!(!kv::swap("calls", Some(b"42"), "44")?);
        assert!(kv::swap("first", None, "1")?);
        kv::set_for("soon", "gone", 10.secs())?;
        assert_eq!(kv::get_text("soon")?.as_deref(), Some("gone"));
        clock::sleep(10.secs())?;
        assert_eq!(kv::get("soon")?, None);
        kv::delete("new")?;
        kv::delete("never")?;
        assert!(matches!(kv::set("", "x"), Err(Failure::Invalid(_))));
        assert!(matches!(kv::set("big", vec![0; 64 * 1024 + 1]), Err(Failure::Limit(_))));
        assert!(matches!(kv::add("text", kv::set("text", "x").map(|()| 1)?), Err(Failure::Invalid(_))));
        Ok(())
    });
    assert_eq!(call.remembers("calls"), Some(&b"43"[..]));
    assert_eq!(call.remembers("new"), None);
}

#[test]
fn the_clock_is_the_tenants_and_follows_the_seasons() {
    let at = |zone: &str, at: &str| found(caller().zone(zone).at(at), |_| Ok(clock::local_time()));
    let (winter, summer) = (at("Europe/Sofia", "2026-01-15 09:30"), at("Europe/Sofia", "2026-07-15 09:30"));
    assert_eq!((winter.hour, winter.minute, winter.weekday, winter.offset_minutes), (9, 30, 4, 120));
    assert_eq!((summer.hour, summer.offset_minutes), (9, 180));
    let elsewhere =
        |zone: &'static str| found(caller().at("2026-01-15 23:30"), move |_| Ok(clock::time_in(zone)));
    assert_eq!(elsewhere("Asia/Tokyo").map(|time| (time.day, time.hour)), Some((16, 8)));
    assert_eq!(elsewhere("Europe/Atlantis"), None);
}

/// A script as a component has it, with both exports.
mod both {
    use super::*;

    #[call_script(ended = on_ended)]
    pub fn on_call(caller: Leg) -> Result {
        tag("version", "1")?;
        tag("version", "2")?;
        dial("ana").ring().and_bridge(&caller)
    }

    pub fn on_ended(record: CallRecord) -> Result {
        assert_eq!(record.outcome, Outcome::Answered);
        assert_eq!((record.waited, record.talked), (2.secs(), 8.secs()));
        assert_eq!(record.tags, [("version".to_owned(), "2".to_owned())]);
        kv::set("ended", &record.dialled)
    }
}

#[test]
fn after_the_call_its_record_says_what_was() {
    let plan = caller().calls("700").user(User::new("ana")).talks_with("ana").hangs_up_after(8.secs());
    assert_eq!(plan.run(both::on_call).then(both::on_ended), Ok(()));
}

#[test]
#[should_panic(expected = "expects to hear good-bye")]
fn a_plan_that_the_call_does_not_follow_fails_the_test() {
    caller().hears("welcome").hears("good-bye").run(|caller: Leg| caller.play("welcome"));
}

#[test]
#[should_panic(expected = "the script failed: busy")]
fn a_script_that_fails_unexpectedly_fails_the_test() {
    caller().run(|_: Leg| Err(Failure::Busy));
}

#[test]
#[should_panic(expected = "would wait for ever")]
fn an_expectation_that_can_never_come_true_fails_the_test() {
    caller().hears_itself().hears("welcome").run(|caller: Leg| bridge(&caller, &caller));
}

#[test]
fn a_server_that_is_there_answers_and_others_are_not_allowed() {
    let plan = || {
        caller()
            .server(Server::at("https://crm.example/slow").after(9.secs()))
            .server(Server::at("https://crm.example/down").fails(Failure::Unreachable))
            .server(Server::at("https://crm.example/*").answers(201, "[7]").header("X-Tier", "gold"))
    };
    let ask =
        |url: &'static str| move |_: &Leg| Ok(http::get(url).within(2.secs()).send().map(|a| a.status()));
    assert_eq!(found(plan(), ask("https://crm.example/a?b")), Ok(201));
    assert_eq!(found(plan(), ask("https://crm.example/slow")), Err(Failure::TimedOut));
    assert_eq!(found(plan(), ask("https://crm.example/down")), Err(Failure::Unreachable));
    assert_eq!(found(plan(), ask("https://evil.example/")), Err(Failure::Limit("http_allow".to_owned())));
    let told = found(plan(), |_| {
        let answer = http::post("https://crm.example/").json(json!({ "number": "101" })).send()?;
        Ok((answer.header("x-tier"), answer.header("x-none"), answer.json()?))
    });
    assert_eq!(told, (Some("gold".to_owned()), None, json!([7])));
    // Whoever leaves meanwhile leaves the script.
    let call = plan().hangs_up_after(1.secs()).run(|_: Leg| {
        http::get("https://crm.example/slow").send()?;
        panic!("the caller has left")
    });
    assert_eq!(call.outcome(), Outcome::Abandoned);
}
