//! What calls leave to do, told as days of a small company: ana looks after Maria, vera after whoever the queue loses.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use exchange::{CallId, LegNo, LegRecord, Party};

use super::*;
use crate::config;
use crate::tasks::{MOST_CALLS, MOST_OPEN};

const MARIA: &str = "+359888123456";
const STRANGER: &str = "+359888000001";

struct Company {
    tenant: Arc<Tenant>,
    open: Open,
}

fn company() -> Company {
    let text = "[[tenant]]\nname = \"acme\"\ntimezone = \"Europe/Sofia\"\n\
        [[tenant.user]]\nname = \"ana\"\nnumber = \"101\"\nmobile = \"+359888000101\"\n\
        [[tenant.user]]\nname = \"boris\"\nnumber = \"102\"\n\
        [[tenant.user]]\nname = \"vera\"\nnumber = \"103\"\n\
        [[tenant.number]]\nnumber = \"+35921234567\"\nscript = \"strowger/echo\"\n\
        [[tenant.queue]]\nname = \"sales\"\nagents = [\"boris\"]\n\
        [tenant.missed]\nby = \"10:00\"\nqueues = { sales = \"vera\" }\n";
    let world = config::read(&[(PathBuf::from("x.toml"), text.to_owned())], &|_| None).expect("a world");
    Company { tenant: world.tenant("acme").expect("acme").clone(), open: Open::default() }
}

fn seconds(at: &str) -> f64 {
    at.parse::<Timestamp>().expect("a moment").as_millisecond() as f64 / 1000.0
}

fn leg(no: u32, party: &str, outside: bool, answered: bool) -> LegRecord {
    LegRecord {
        leg: LegNo(no),
        party: party.into(),
        trunk: outside.then(|| "carrier".into()),
        started: 0.0,
        answered: answered.then_some(1.0),
        ended: Some(2.0),
        end: "hung up".into(),
        sip_call_id: String::new(),
    }
}

/// Somebody calls the company at a moment; after ten seconds somebody answers, or they leave.
fn inbound(at: &str, from: &str, answered_by: Option<&str>) -> CallRecord {
    let started = seconds(at);
    let mut legs = vec![leg(0, from, true, true)];
    legs.extend(answered_by.map(|user| leg(1, user, false, true)));
    CallRecord {
        id: CallId::new((started * 1000.0) as u64, 1),
        tenant: "acme".into(),
        direction: Direction::Inbound,
        from: Party { number: from.into(), ..Party::default() },
        dialled: "+35921234567".into(),
        source: None,
        script: "reception".into(),
        version: String::new(),
        started,
        answered: None,
        ended: started + 20.0,
        wait: Duration::from_secs(10),
        talk: Duration::from_secs(10),
        outcome: if answered_by.is_some() { Outcome::Answered } else { Outcome::Abandoned },
        answered_by: answered_by.map(str::to_owned),
        legs,
        tags: Vec::new(),
        recordings: vec!["recording".into()],
        failure: None,
    }
}

/// A user calls a number outside.
fn outbound(at: &str, user: &str, to: &str) -> CallRecord {
    CallRecord {
        direction: Direction::Outbound,
        from: Party { number: "101".into(), ..Party::default() },
        dialled: to.into(),
        outcome: Outcome::Answered,
        answered_by: Some(to.into()),
        legs: vec![leg(0, user, false, true), leg(1, to, true, true)],
        ..inbound(at, user, None)
    }
}

impl Company {
    fn ends(&mut self, record: &CallRecord) -> Vec<Change> {
        let contact = |number: &str| {
            let maria = Contact {
                id: "17".into(),
                name: "Maria".into(),
                owner: Some("ana".into()),
                ..Contact::default()
            };
            (number == MARIA).then_some(maria)
        };
        of_call(&self.tenant, record, "sales", &mut self.open, contact)
    }

    fn to_call_back(&self) -> Vec<(&str, u32, Option<&str>)> {
        let due = self.open.all().filter(|task| task.kind == Kind::CallBack);
        due.map(|task| (task.number.as_str(), task.missed, task.responsible.as_deref())).collect()
    }
}

fn closed(changes: &[Change]) -> Vec<(Kind, State, Option<&str>)> {
    let of = |change: &Change| matches!(change, Change::Closed(_) | Change::Noted(_));
    let over = changes.iter().filter(|change| of(change)).map(Change::task);
    over.map(|task| (task.kind, task.state, task.closed_by.as_deref())).collect()
}

#[test]
fn a_missed_caller_is_one_task_of_the_right_person_however_often_they_call() {
    let mut company = company();
    let first = company.ends(&inbound("2026-11-19T13:00:00Z", MARIA, None));
    assert!(matches!(&first[..], [Change::Opened(task)] if task.title == "Call back Maria (+359888123456)"));
    company.ends(&inbound("2026-11-19T13:05:00Z", STRANGER, None));
    company.ends(&inbound("2026-11-19T13:10:00Z", "0888123456", None));
    // Whom somebody looks after is theirs; the others are whose the queue is.
    assert_eq!(company.to_call_back(), [(MARIA, 2, Some("ana")), (STRANGER, 1, Some("vera"))]);
    let maria = company.open.all().next().expect("Maria");
    assert_eq!((maria.calls.len(), maria.last), (2, seconds("2026-11-19T13:10:00Z")));
    // The first call counts: by ten in the morning, Sofia's time, of the next day.
    assert_eq!(maria.due, Some(seconds("2026-11-20T08:00:00Z")));
}

#[test]
fn what_a_script_has_promised_to_the_caller_is_when_the_call_back_is_due() {
    let mut company = company();
    let mut message = inbound("2026-11-20T20:00:00Z", MARIA, None);
    message.outcome = Outcome::Voicemail;
    message.tags.push(("call-back-by".into(), "2026-11-23 12:30".into()));
    company.ends(&message);
    // Half past twelve in Sofia, which is UTC+2 in November.
    assert_eq!(company.open.all().next().and_then(|task| task.due), Some(seconds("2026-11-23T10:30:00Z")));
}

#[test]
fn a_call_back_ends_by_itself_in_one_of_four_ways() {
    let mut company = company();
    let missed = inbound("2026-11-19T13:00:00Z", MARIA, None);
    company.ends(&missed);
    let again = company.ends(&inbound("2026-11-19T14:00:00Z", "0888 123 456", Some("ana")));
    assert_eq!(closed(&again), [(Kind::CallBack, State::ReachedUsAgain, Some("ana"))]);
    company.ends(&missed);
    let in_time = company.ends(&outbound("2026-11-20T07:59:00Z", "boris", MARIA));
    assert_eq!(closed(&in_time), [(Kind::CallBack, State::CalledBackInTime, Some("boris"))]);
    company.ends(&missed);
    let late = company.ends(&outbound("2026-11-20T08:00:00Z", "boris", MARIA));
    assert_eq!(closed(&late), [(Kind::CallBack, State::CalledBackLate, Some("boris"))]);
    assert!(company.open.is_empty());
    // An attempt that nobody answered is none.
    company.ends(&missed);
    let in_vain = CallRecord {
        outcome: Outcome::Missed,
        answered_by: None,
        ..outbound("2026-11-20T07:00:00Z", "ana", MARIA)
    };
    assert_eq!(company.ends(&in_vain), []);
    assert_eq!(company.open.len(), 1);
}

#[test]
fn when_another_one_answers_both_get_a_task_and_the_owners_has_the_recording() {
    let mut company = company();
    let changes = company.ends(&inbound("2026-11-19T13:00:00Z", MARIA, Some("boris")));
    assert_eq!(closed(&changes), [(Kind::Call, State::Done, Some("boris"))]);
    let Some(Change::Opened(owners)) = changes.last() else { panic!("{changes:?}") };
    assert_eq!((owners.kind, owners.responsible.as_deref()), (Kind::FollowUp, Some("ana")));
    assert_eq!(
        (&owners.recordings[..], &owners.title[..]),
        (&["recording".to_owned()][..], "Maria (+359888123456) called, and boris answered")
    );
    // Once more: the owner's task is the same one. Then she calls, from her mobile too, and it is done.
    let changes = company.ends(&inbound("2026-11-19T14:00:00Z", MARIA, Some("boris")));
    assert!(
        matches!(&changes[..], [Change::Noted(_), Change::Changed(task, _)] if task.calls.len() == 2),
        "{changes:?}"
    );
    let done = company.ends(&outbound("2026-11-19T15:00:00Z", "ana", MARIA));
    assert_eq!(closed(&done), [(Kind::FollowUp, State::Done, Some("ana"))]);
    // The owner herself, and a caller without one, leave nothing.
    let by_mobile = CallRecord {
        legs: vec![leg(0, MARIA, true, true), leg(1, "+359888000101", true, true)],
        ..inbound("2026-11-19T16:00:00Z", MARIA, Some("+359888000101"))
    };
    assert_eq!(company.ends(&by_mobile), []);
    assert_eq!(company.ends(&inbound("2026-11-19T16:00:00Z", STRANGER, Some("boris"))), []);
}

#[test]
fn a_script_may_say_who_the_owner_is() {
    let mut company = company();
    let marked = CallRecord {
        tags: vec![("owner".into(), "vera".into())],
        ..inbound("2026-11-19T13:00:00Z", STRANGER, Some("boris"))
    };
    let changes = company.ends(&marked);
    assert_eq!(changes.last().and_then(|change| change.task().responsible.as_deref()), Some("vera"));
}

#[test]
fn a_colleague_who_called_in_vain_is_reached_from_inside() {
    let mut company = company();
    let inside = |at: &str, from: (&str, &str), to: Option<&str>| {
        let mut legs = vec![leg(0, from.0, false, true)];
        legs.extend(to.map(|user| leg(1, user, false, true)));
        CallRecord {
            direction: Direction::Internal,
            from: Party { number: from.1.into(), ..Party::default() },
            legs,
            ..inbound(at, from.1, to)
        }
    };
    company.ends(&inside("2026-11-19T13:00:00Z", ("boris", "102"), None));
    assert_eq!(company.to_call_back(), [("102", 1, Some("vera"))]);
    let direct =
        CallRecord { dialled: "102".into(), ..inside("2026-11-19T13:30:00Z", ("ana", "101"), Some("boris")) };
    assert_eq!(closed(&company.ends(&direct)), [(Kind::CallBack, State::CalledBackInTime, Some("ana"))]);
}

#[test]
fn nobody_is_called_back_who_withheld_the_number_was_refused_or_called_nobody_of_ours() {
    let mut company = company();
    assert_eq!(company.ends(&inbound("2026-11-19T13:00:00Z", "", None)), []);
    let refused =
        CallRecord { outcome: Outcome::Rejected, ..inbound("2026-11-19T13:00:00Z", STRANGER, None) };
    assert_eq!(company.ends(&refused), []);
    let elsewhere = CallRecord { dialled: "999".into(), ..inbound("2026-11-19T13:00:00Z", STRANGER, None) };
    assert_eq!(company.ends(&elsewhere), []);
    let by_script =
        CallRecord { outcome: Outcome::Answered, ..inbound("2026-11-19T13:00:00Z", STRANGER, None) };
    assert_eq!(company.ends(&by_script), []);
}

#[test]
fn at_the_bounds_the_oldest_gives_way() {
    let mut company = company();
    for nth in 0..=MOST_OPEN {
        let from = format!("+3598{nth:08}");
        let call = CallRecord { id: CallId(nth as u128 + 1), ..inbound("2026-11-19T13:00:00Z", &from, None) };
        let changes = company.ends(&call);
        if nth == MOST_OPEN {
            assert_eq!(closed(&changes), [(Kind::CallBack, State::GivenUp, None)]);
        }
    }
    assert_eq!(company.open.len(), MOST_OPEN);
    let last = format!("+3598{MOST_OPEN:08}");
    for _ in 0..MOST_CALLS * 2 {
        company.ends(&inbound("2026-11-19T14:00:00Z", &last, None));
    }
    let task = company.open.about(&last).pop().expect("it is open");
    assert_eq!((task.calls.len(), task.missed as usize), (MOST_CALLS, MOST_CALLS * 2 + 1));
}
