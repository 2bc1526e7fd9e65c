//! The simulated exchange keeps the promises of `wit/` about queues, agents, contacts, calendars and history.

use std::cell::RefCell;
use strowger_script::prelude::*;
use strowger_script::queue::{Outlook, Refusal};

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

/// Waits in "sales" and says in a word what came of it.
fn wait(caller: &Leg, keys: &str) -> Result<String> {
    let place = queue::enter(caller, "sales").go()?;
    Ok(match place.wait(keys)? {
        Waited::Connected(agent) => agent.user().unwrap_or_default(),
        Waited::Digit(key) => format!("key {key}"),
        Waited::Asked(word) => word,
        Waited::LongestWait => "longest".to_owned(),
        Waited::Nobody => "nobody".to_owned(),
        Waited::Other(why) => why,
    })
}

#[test]
fn a_caller_is_answered_hears_music_and_talks_with_the_agent_who_answers() {
    let call = caller()
        .queue("sales", Line::new().agent_answers("ana", 40.secs()))
        .user(User::new("ana").number("101").hangs_up_after(60.secs()))
        .is_answered()
        .hears_music()
        .talks_with("ana")
        .is_hung_up()
        .run(|caller: Leg| {
            match queue::enter(&caller, "sales").priority(5).skill("bg", 3).go()?.wait("")? {
                Waited::Connected(agent) => bridge(&caller, &agent),
                _ => Err("no agent".into()),
            }
        });
    assert_eq!(
        call.timeline(),
        [
            "0.0 +359888123456 calls 700",
            "0.0 answered",
            "0.0 waits in sales, priority 5, bg 3",
            "0.0 hears music default",
            "40.0 ana answers",
            "40.0 talks with ana",
            "100.0 ana hangs up",
            "100.0 the exchange hangs up",
        ]
    );
    assert_eq!(call.record().answered_by.as_deref(), Some("ana"));
    assert_eq!((call.record().waited, call.outcome()), (40.secs(), Outcome::Answered));
}

#[test]
fn a_wait_ends_with_an_agent_a_key_a_word_the_longest_wait_or_nobody() {
    let ends = |line: Line, pressed: &str, keys: &'static str| {
        let plan = caller().queue("sales", line).hears_music().presses(pressed);
        found(plan, |caller| wait(caller, keys))
    };
    // A key that nobody listens for changes nothing.
    assert_eq!(ends(Line::new().agent_answers("ana", 9.secs()), "3", "12"), "ana");
    assert_eq!(ends(Line::new().agent_answers("ana", 9.secs()), "32", "12"), "key 2");
    assert_eq!(ends(Line::new().asks('1', "voicemail"), "1", "2"), "voicemail");
    // The script's keys before the strategy's.
    assert_eq!(ends(Line::new().asks('1', "voicemail"), "1", "1"), "key 1");
    assert_eq!(ends(Line::new().longest(9.secs()), "", ""), "longest");
    assert_eq!(ends(Line::new().nobody_after(5.secs()), "", ""), "nobody");
}

#[test]
fn the_scripts_own_longest_wait_counts_before_the_queues() {
    let call = caller().queue("sales", Line::new().longest(60.secs())).hears_music().run(|caller: Leg| {
        let place = queue::enter(&caller, "sales").longest(10.secs()).go()?;
        assert!(matches!(place.hearing(music("waltz")).wait("")?, Waited::LongestWait));
        assert_eq!(place.position(), 0);
        assert!(matches!(place.wait(""), Err(Failure::Invalid(_))));
        place.leave();
        Ok(())
    });
    assert_eq!(call.length(), 10.secs());
    assert!(call.timeline().contains(&"0.0 hears music waltz".to_owned()));
}

#[test]
fn an_agent_who_answers_ends_what_the_script_plays_or_asks_meanwhile() {
    let length = |meanwhile: fn(&Leg) -> Result| {
        let plan = caller().queue("sales", Line::new().agent_answers("ana", 5.secs()));
        plan.talks_with("ana")
            .hangs_up()
            .run(|caller: Leg| {
                let place = queue::enter(&caller, "sales").go()?;
                meanwhile(&caller)?;
                match place.wait("")? {
                    Waited::Connected(agent) => bridge(&caller, &agent),
                    _ => Err("no agent".into()),
                }
            })
            .length()
    };
    assert_eq!(length(|caller| caller.play(["offers", "opening-hours"])), 5.secs());
    assert_eq!(length(|caller| caller.play(music("waltz"))), 5.secs());
    assert_eq!(length(|caller| caller.gather(3).prompt("your-number").ask().map(drop)), 5.secs());
}

#[test]
fn a_place_says_how_long_it_will_take_and_may_be_kept_for_a_call_back() {
    let line = Line::new().position(3).expected(4.mins());
    let call = caller().queue("sales", line).hears_music().presses('1').run(|caller: Leg| {
        let place = queue::enter(&caller, "sales").go()?;
        assert_eq!((place.position(), place.expected(), place.resumed()), (3, Some(4.mins()), false));
        assert!(matches!(place.wait("1")?, Waited::Digit('1')));
        assert_eq!(place.expected(), Some(4.mins() - 1.secs()));
        place.set_priority(9)?;
        place.call_back(&caller.number())?;
        assert!(matches!(place.call_back(&caller.number()), Err(Failure::Invalid(_))));
        Ok(())
    });
    assert_eq!(call.called_back(), Some(("sales", "+359888123456")));
    assert_eq!(call.outcome(), Outcome::Missed);
}

#[test]
fn whoever_may_not_wait_is_told_why() {
    let why = |plan: Caller| found(plan, |caller| Ok(queue::enter(caller, "sales").go().map(drop)));
    for refusal in [
        Refusal::Full,
        Refusal::Closed,
        Refusal::Nobody,
        Refusal::TooLong(9.mins()),
        Refusal::Other("later".to_owned()),
    ] {
        assert_eq!(why(caller().queue("sales", Line::new().refuses(refusal.clone()))), Err(refusal));
    }
    assert_eq!(why(caller()), Err(Refusal::Failed(Failure::NotFound("sales".to_owned()))));
    let twice = found(caller().queue("sales", Line::new()), |caller| {
        let _place = queue::enter(caller, "sales").go()?;
        Ok(queue::enter(caller, "sales").go().map(drop))
    });
    assert!(matches!(twice, Err(Refusal::Failed(Failure::Invalid(_)))));
}

#[test]
fn a_caller_who_leaves_ends_the_wait() {
    let call =
        caller().queue("sales", Line::new()).hears_music().hangs_up_after(90.secs()).run(|caller: Leg| {
            let place = queue::enter(&caller, "sales").go()?;
            assert!(matches!(place.wait(""), Err(Failure::HungUp)));
            assert!(matches!(place.wait(""), Err(Failure::HungUp)));
            Err(Failure::HungUp)
        });
    assert_eq!((call.outcome(), call.length()), (Outcome::Abandoned, 90.secs()));
}

#[test]
fn a_look_at_a_queue_finds_what_is_there() {
    let seen = Outlook { waiting: 4, available: 0, serving: 2, longest: 90.secs(), expected: None };
    let look = |name: &'static str| {
        found(caller().queue("sales", Line::new().looks(seen)), move |_| Ok(queue::look(name)))
    };
    assert_eq!(look("sales"), Some(seen));
    assert_eq!(look("nowhere"), None);
}

#[test]
fn agents_pause_come_back_and_serve_other_queues() {
    let plan = caller().queue("sales", Line::new()).queue("repairs", Line::new());
    let call = plan.user(User::new("ana").serves("sales")).user(User::new("boris")).run(|_: Leg| {
        assert_eq!(agents::state("ana"), Some(AgentState::Available));
        assert_eq!((agents::state("boris"), agents::state("nobody")), (None, None));
        agents::pause("ana", "lunch")?;
        assert_eq!(agents::state("ana"), Some(AgentState::Paused));
        agents::make_available("ana")?;
        assert_eq!(agents::state("ana"), Some(AgentState::Available));
        agents::pause("ana", "training")?;
        agents::sign_in("ana", "repairs")?;
        agents::sign_out("ana", "sales")?;
        assert_eq!(agents::sign_in("ana", "nowhere"), Err(Failure::NotFound("nowhere".to_owned())));
        assert_eq!(agents::pause("vera", ""), Err(Failure::NotFound("vera".to_owned())));
        assert!(matches!(agents::pause("ana", &"x".repeat(65)), Err(Failure::Invalid(_))));
        Ok(())
    });
    assert_eq!((call.paused("ana"), call.serves("ana")), (Some("training"), &["repairs".to_owned()][..]));
}

#[test]
fn a_contact_has_an_owner_and_a_crm_that_is_down_says_so() {
    let maria = Contact::new("+359888123456", "Maria").owner("vera").field("segment", "gold");
    let seen = found(caller().contact(maria), |caller| {
        assert!(crm::find("+4930123456")?.is_none());
        let contact = crm::find(&caller.number())?.expect("she is there");
        Ok((contact.name.clone(), contact.owner.clone(), contact.field("segment"), contact.field("age")))
    });
    assert_eq!(seen, ("Maria".to_owned(), Some("vera".to_owned()), Some("gold".to_owned()), None));
    assert_eq!(found(caller(), |caller| crm::owner_of(&caller.number())), None);
    assert_eq!(
        found(caller().crm_is_down(), |caller| Ok(crm::owner_of(&caller.number()))),
        Err(Failure::TimedOut)
    );
}

#[test]
fn a_calendar_names_the_scheme_in_force() {
    let plan = || caller().calendar("office", "lunch");
    assert_eq!(found(plan(), |_| clock::scheme("office")), "lunch");
    assert_eq!(
        found(plan(), |_| Ok(clock::scheme("warehouse"))),
        Err(Failure::NotFound("calendar warehouse".to_owned()))
    );
}

#[test]
fn history_knows_who_spoke_with_the_caller_last_and_how_often() {
    let plan = || {
        caller()
            .user(User::new("ana"))
            .user(User::new("boris"))
            .spoke_with_days_ago("ana", 3)
            .spoke_with_days_ago("boris", 9)
    };
    let last = |days| {
        found(plan(), move |caller| {
            Ok(directory::last_spoke_with(&caller.number(), days).map(|user| user.name))
        })
    };
    assert_eq!((last(2), last(3).as_deref(), last(30).as_deref()), (None, Some("ana"), Some("ana")));
    assert_eq!(found(plan(), |caller| Ok(directory::conversations(&caller.number(), 30))), 2);
    assert_eq!(found(plan(), |_| Ok(directory::conversations("+4930123456", 30))), 0);
}

#[test]
fn a_task_is_on_the_timeline_and_a_crm_that_is_down_takes_none() {
    let write = |caller: &Leg| crm::task(&caller.number(), "Send the offer").responsible("ana").create();
    let call = caller().run(|caller: Leg| {
        let id = write(&caller)?;
        crm::close_task(&id)
    });
    let told = call.timeline();
    assert!(
        told.iter().any(|line| line.ends_with("task for ana about +359888123456: Send the offer")),
        "{told:?}"
    );
    assert!(told.iter().any(|line| line.ends_with("task simulated-task is done")), "{told:?}");
    assert!(found(caller().crm_is_down(), |caller| Ok(write(caller))).is_err());
}
