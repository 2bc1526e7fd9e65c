//! The SDK for strategies: orders that are whole, pairing, and what a queue's settings answer.

use strowger_script::strategy::prelude::*;

#[queue_strategy]
fn longest_idle(now: &Snapshot) -> Offers {
    now.waiting_by_priority()
        .pair_with(now.free_agents().sorted_by_key(|agent| Reverse(agent.since_offered())))
}

/// One caller, for whom the settings answer.
fn waits(settings: Value, who: Caller) -> Snapshot {
    snapshot().with_settings(settings).waiting([who])
}

#[test]
fn equals_are_told_apart_by_name_wherever_they_stand() {
    let desks = ["vera", "ana", "boris"];
    for first in 0..3 {
        let mut now = snapshot().waiting(["1", "2", "3"]);
        for name in (0..3).map(|n| desks[(first + n) % 3]) {
            now = now.agent(name, idle(60.secs()));
        }
        assert_eq!(longest_idle(&now).agents(), ["ana", "boris", "vera"]);
    }
}

#[test]
fn priority_goes_before_arrival_and_arrival_decides_between_equals() {
    let now = snapshot()
        .waiting([caller("1"), caller("2").priority(5), caller("3"), caller("4").priority(5)])
        .agent("ana", idle(90.secs()))
        .agent("boris", idle(60.secs()))
        .agent("vera", idle(30.secs()));
    assert_eq!(longest_idle(&now).pairs(), [(2, "ana"), (4, "boris"), (1, "vera")]);
}

#[test]
fn only_those_who_are_free_ring_and_only_for_callers_who_have_no_offer() {
    let now = snapshot()
        .waiting([caller("1").offered(), caller("2")])
        .agent("ana", talking())
        .agent("boris", offered_a_call())
        .agent("vera", wrapping_up())
        .agent("gosho", paused())
        .agent("dora", offline())
        .agent("elena", idle(500.secs()).missed(1))
        .agent("zlati", idle(1.secs()));
    assert_eq!(longest_idle(&now).pairs(), [(2, "zlati")]);
    assert_eq!(longest_idle(&snapshot().waiting(["1"])), Offers::none());
    assert_eq!(longest_idle(&snapshot().agent("ana", idle(9.secs()))), Offers::none());
}

#[test]
fn a_caller_who_wants_skills_gets_an_agent_who_has_them_and_holds_up_nobody() {
    let now = snapshot()
        .waiting([
            caller("1").wants("bg", 5),
            caller("2").wants("ru", 1),
            caller("3"),
            caller("4").wants("bg", 2),
        ])
        .agent("ana", idle(90.secs()).skill("bg", 3))
        .agent("boris", idle(60.secs()));
    // The first wants better Bulgarian than ana's, the second a language that nobody speaks. The two agents are
    // fewer than those who are passed over, so the end of the line is reached too.
    assert_eq!(longest_idle(&now).pairs(), [(3, "ana")]);
    let now = snapshot()
        .waiting([caller("1").wants("ru", 1), caller("2").wants("ru", 1), caller("3").wants("bg", 2)])
        .agent("ana", idle(90.secs()).skill("bg", 3))
        .agent("boris", idle(60.secs()).skill("de", 9));
    assert_eq!(longest_idle(&now).pairs(), [(3, "ana")]);
}

#[test]
fn whoever_missed_a_caller_is_rung_again_after_the_others() {
    let table =
        |who: Caller| snapshot().waiting([who]).agent("ana", idle(90.secs())).agent("boris", idle(60.secs()));
    let who = caller("1").tried("ana");
    assert_eq!(longest_idle(&table(who.clone())).agents(), ["boris"]);
    assert_eq!(longest_idle(&table(who.clone().tried("boris"))).agents(), ["ana"]);
    assert_eq!(longest_idle(&table(who.tried("boris").tried("ana"))).agents(), ["boris"]);
}

#[test]
fn agents_go_round_from_the_one_of_a_name() {
    let now = snapshot().agent("c", idle(1.secs())).agent("a", talking()).agent("b", idle(3.secs()));
    let from = |name| -> Vec<String> {
        now.agents().round_from(name).iter().map(|agent| agent.name().to_owned()).collect()
    };
    assert_eq!(from(Some("c")), ["a", "b", "c"]);
    assert_eq!(from(Some("a")), ["b", "c", "a"]);
    assert_eq!(from(Some("b")), ["c", "a", "b"]);
    assert_eq!(from(Some("gone")), ["c", "a", "b"]);
    assert_eq!(from(None), ["c", "a", "b"]);
}

#[test]
fn lower_tiers_go_first_and_keep_their_order() {
    let now = snapshot()
        .agent("c", idle(1.secs()).level(2))
        .agent("b", idle(1.secs()))
        .agent("d", idle(1.secs()).level(2))
        .agent("a", idle(1.secs()));
    let names: Vec<_> = now.free_agents().by_level().iter().map(|agent| agent.name().to_owned()).collect();
    assert_eq!(names, ["b", "a", "c", "d"]);
}

#[test]
fn without_settings_everybody_may_wait_and_nothing_is_said() {
    let now = snapshot().waiting(["1"]);
    assert_eq!(now.admits("2"), Admission::ComeIn);
    assert_eq!(now.announces(0, Duration::ZERO), Announcement::default());
    assert_eq!(now.presses('1'), KeyAction::Pass);
}

#[test]
fn a_full_queue_takes_nobody() {
    let full = |waiting: &[&str]| {
        snapshot().with_settings(json!({ "max_waiting": 2 })).waiting(waiting.to_vec()).admits("9")
    };
    assert_eq!(full(&["1"]), Admission::ComeIn);
    assert_eq!(full(&["1", "2"]), Admission::Full);
}

#[test]
fn where_nobody_serves_the_settings_say_whether_one_waits() {
    let with = |when: &str| snapshot().with_settings(json!({ "when_nobody": when }));
    let away = |now: Snapshot| now.agent("ana", offline()).agent("boris", paused());
    assert_eq!(away(with("refuse")).admits("1"), Admission::Nobody);
    assert_eq!(away(with("wait")).admits("1"), Admission::ComeIn);
    // On a call, or ringing for another queue: somebody is there.
    let there = |desk: Desk| away(with("refuse")).agent("vera", desk);
    assert_eq!(there(talking()).admits("1"), Admission::ComeIn);
    assert_eq!(there(talking()).admits(caller("1").wants("bg", 1)), Admission::Nobody);
    assert_eq!(there(talking().skill("bg", 4)).admits(caller("1").wants("bg", 1)), Admission::ComeIn);
}

#[test]
fn where_nobody_is_to_wait_a_caller_comes_in_only_to_a_free_agent() {
    let now = || snapshot().with_settings(json!({ "only_if_free": true }));
    assert_eq!(now().agent("ana", talking()).admits("1"), Admission::Nobody);
    assert_eq!(now().agent("ana", idle(1.secs())).admits("1"), Admission::ComeIn);
    // Whoever came before takes the free agent; one who is being rung for takes nobody further.
    assert_eq!(now().agent("ana", idle(1.secs())).waiting(["1"]).admits("2"), Admission::Nobody);
    let rung = now().agent("ana", idle(1.secs())).agent("boris", offered_a_call());
    assert_eq!(rung.waiting([caller("1").offered()]).admits("2"), Admission::ComeIn);
}

#[test]
fn a_wait_that_is_too_long_is_refused_with_its_length() {
    let now = || snapshot().with_settings(json!({ "longest_expected": 120 }));
    assert_eq!(now().admits(caller("1").expects(120.secs())), Admission::ComeIn);
    assert_eq!(now().admits(caller("1").expects(121.secs())), Admission::TooLong(121.secs()));
    assert_eq!(now().admits("1"), Admission::ComeIn);
}

/// What is said at which second, when the exchange asks each time as it was told, `late` after the moment.
fn heard(settings: Value, late: Duration, until: Duration) -> Vec<(u64, Vec<Prompt>)> {
    let mut heard = Vec::new();
    let (mut at, mut asked) = (Duration::ZERO, Duration::ZERO);
    while at <= until {
        let now = waits(settings.clone(), caller("1").waited(at));
        let said = now.announces(0, at - asked);
        if !said.say.is_empty() {
            heard.push((at.as_secs(), said.say));
        }
        asked = at;
        let Some(again) = said.again else { break };
        assert!(!again.is_zero(), "asked again at once, at {at:?}");
        at += again + late;
    }
    heard
}

#[test]
fn announcements_keep_their_times_though_the_exchange_asks_late() {
    let settings = json!({ "announce": { "first": 10, "every": 30, "wait": false } });
    for late in [0, 40, 400] {
        let times: Vec<_> =
            heard(settings.clone(), late.ms(), 101.secs()).into_iter().map(|(at, _)| at).collect();
        assert_eq!(times, [10, 40, 70, 100]);
    }
    let once = json!({ "announce": { "first": 0, "every": 0 } });
    assert_eq!(heard(once, Duration::ZERO, 500.secs()).len(), 1);
}

#[test]
fn asked_too_early_nothing_is_said_twice() {
    let settings = json!({ "announce": { "first": 10, "every": 30 } });
    let asked = |at: u32, before: u32| {
        let now = waits(settings.clone(), caller("1").waited(at.secs()));
        let said = now.announces(0, before.secs());
        (!said.say.is_empty(), said.again)
    };
    assert_eq!(asked(10, 10), (true, Some(30.secs())));
    assert_eq!(asked(11, 1), (false, Some(29.secs())));
    assert_eq!(asked(40, 29), (true, Some(30.secs())));
    // Back in the old place after a dropped call: told at once.
    assert_eq!(asked(55, 0), (true, Some(15.secs())));
}

#[test]
fn the_place_and_the_wait_are_told_and_messages_take_turns() {
    let settings = json!({
        "announce": { "first": 10, "every": 20, "before": ["all-busy"], "after": ["press-1-to-be-called-back"] },
        "messages": ["offer", "hours"],
    });
    let said = |at: u32| {
        let second = caller("2").waited(at.secs()).expects(240.secs());
        let now = snapshot().with_settings(settings.clone()).waiting([caller("1"), second]);
        now.announces(1, 10.secs()).say
    };
    let words = |message: &str| {
        vec![
            "all-busy".into(),
            position(2),
            "expected-wait".into(),
            duration(240.secs()),
            "press-1-to-be-called-back".into(),
            message.into(),
        ]
    };
    assert_eq!(said(10), words("offer"));
    assert_eq!(said(30), words("hours"));
    assert_eq!(said(50), words("offer"));
}

#[test]
fn whoever_is_next_is_told_so_and_no_length() {
    let next = |announce: Value| {
        let settings = json!({ "announce": announce });
        waits(settings, caller("1").waited(15.secs()).expects(60.secs())).announces(0, 15.secs()).say
    };
    assert_eq!(next(json!({})), [position(1)]);
    assert_eq!(next(json!({ "next": "you-are-next" })), ["you-are-next".into()]);
    assert_eq!(next(json!({ "position": false, "next": "you-are-next" })), []);
}

#[test]
fn messages_alone_are_heard_without_a_place() {
    let heard = heard(json!({ "messages": ["offer"] }), Duration::ZERO, 60.secs());
    assert_eq!(heard, [(15, vec!["offer".into()]), (60, vec!["offer".into()])]);
}

#[test]
fn keys_ask_the_script_by_a_word() {
    let now = snapshot().with_settings(json!({ "keys": { "1": "call-back", "*": "voicemail" } }));
    assert_eq!(now.presses('1'), KeyAction::Ask("call-back".into()));
    assert_eq!(now.presses('*'), KeyAction::Ask("voicemail".into()));
    assert_eq!(now.presses('2'), KeyAction::Pass);
}

/// A strategy with settings of its own beside those of all.
#[settings]
struct Own {
    #[serde(default)]
    patience: u32,
    #[serde(flatten)]
    rules: Rules,
}

fn own(_: &Snapshot, own: Own) -> Offers {
    Offers::none().again_after(own.patience.secs()).ring_for(own.rules.ring())
}

#[test]
fn own_settings_stand_beside_those_of_all_and_no_other_key_is_taken() {
    let now = |settings| snapshot().with_settings(settings);
    let ranked = now(json!({ "patience": 7, "ring": 9, "keys": { "1": "call-back" } })).ranked_by(own);
    assert_eq!(ranked, Offers::none().again_after(7.secs()).ring_for(9.secs()));
    for mistaken in
        [json!({ "patiense": 7 }), json!({ "ring": "long" }), json!({ "announce": { "evry": 1 } })]
    {
        let refused = std::panic::catch_unwind(|| now(mistaken.clone()).ranked_by(own));
        assert!(refused.is_err(), "{mistaken}");
    }
}

#[test]
fn the_earliest_wish_to_be_asked_again_counts() {
    let offers = Offers::none().again_after(9.secs()).again_after(4.secs()).again_after(6.secs());
    assert_eq!(offers.again(), Some(4.secs()));
}
