//! `examples/clinic` as its README tells it: what it is about decides who rings, lunch, the doctor on duty by telephone and
//! mobile, holidays from a calendar program's file, and messages that reach those whom they concern.

use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use tests::sound::Heard;

use crate::example::{Edit, Example, always, talk};
use crate::world::{SOON, mark};

const A_SECOND: Duration = Duration::from_secs(1);
const NUMBER: &str = "+35924443000";
const PATIENT: &str = "+359888123456";
/// What a caller hears who is to leave a message.
const LEAVE_A_MESSAGE: &str = "В момента никой не може да приеме обаждането ви. Моля, оставете съобщение след сигнала и \
                               натиснете клавиш, когато свършите.";

fn clinic(edits: &[Edit]) -> Example {
    Example::start("clinic", "clinic", "clinic", edits)
}

/// A day by its distance from today in UTC, as `date` writes it.
fn day(days: i32, form: &str) -> String {
    let shift = format!("{days} days");
    let date = Command::new("date").args(["-u", "-d", &shift, form]).output().expect("date is there");
    String::from_utf8_lossy(&date.stdout).trim().to_owned()
}

/// Who was on a call, by the record's legs.
fn parties(call: &Value) -> Vec<&str> {
    call["legs"].as_array().into_iter().flatten().map(|leg| leg["party"].as_str().unwrap_or("-")).collect()
}

#[test]
fn results_are_told_by_the_laboratory_or_a_message_reaches_it() {
    let (was, is) = always("clinic", "open");
    let mut clinic = clinic(&[(&was, &is)]);
    let mut laboratory = clinic.phone("laboratory", 440.0);
    let mut patient = clinic.customer(PATIENT, 1000.0);
    let menu = "За час при лекар натиснете едно. За резултати натиснете две. За сметки натиснете три.";
    patient.call(&clinic.uri(NUMBER));
    clinic.hears("bg", "Клиника Света Петка, добър ден.");
    clinic.hears("bg", menu);
    patient.press("2");
    laboratory.event("ringing", SOON);
    laboratory.answer();
    talk(&mut patient, &mut laboratory);
    patient.hang_up();
    laboratory.disconnected(SOON);

    // Nobody has time.
    let mut other = clinic.customer("+359888765432", 600.0);
    other.call(&clinic.uri(NUMBER));
    other.confirmed(SOON);
    other.press("2");
    laboratory.event("ringing", SOON);
    laboratory.refuse(603);
    clinic.hears("bg", LEAVE_A_MESSAGE);
    other.talk(A_SECOND * 4);
    other.press("#");
    other.disconnected(SOON);

    let calls = clinic.exchange.calls(2);
    let of = |number: &str| -> &Value {
        calls.iter().find(|call| call["from"]["number"] == number).expect("a record")
    };
    assert_eq!(of(PATIENT)["answered_by"], "laboratory");
    let message = of("+359888765432");
    assert_eq!(
        (message["outcome"].as_str(), mark(message, "box")),
        (Some("voicemail"), Some("laboratory")),
        "{message}"
    );
    Heard::read(&clinic.exchange.recording(message)).assert_tone(600.0, A_SECOND * 2);
    laboratory.heard().assert_tone(1000.0, A_SECOND);
    patient.heard().assert_tone(440.0, A_SECOND);
}

#[test]
fn at_lunch_the_desk_alone_rings_and_a_message_reaches_the_reception() {
    let (was, is) = always("clinic", "lunch");
    let mut clinic = clinic(&[(&was, &is)]);
    let _reception = clinic.phone("reception", 600.0);
    let mut desk = clinic.phone("desk", 440.0);
    let mut patient = clinic.customer(PATIENT, 1000.0);
    patient.call(&clinic.uri(NUMBER));
    desk.event("ringing", SOON);
    desk.refuse(486);
    clinic.hears("bg", LEAVE_A_MESSAGE);
    patient.confirmed(SOON);
    patient.talk(A_SECOND * 3);
    patient.hang_up();
    let call = clinic.exchange.calls(1).remove(0);
    assert_eq!((mark(&call, "hours"), mark(&call, "box")), (Some("lunch"), Some("reception")), "{call}");
    assert_eq!(parties(&call), [PATIENT, "desk"], "{call}");
    Heard::read(&clinic.exchange.recording(&call)).assert_tone(1000.0, A_SECOND);
}

#[test]
fn at_night_the_doctor_on_duty_is_rung_and_then_the_mobile_too() {
    // It is the second doctor's week since three days ago.
    let (was, _) = always("clinic", "duty");
    let begun = day(-10, "+%F");
    let is = format!(
        "{was}    [[tenant.calendar.rule]]\n    scheme = \"duty\"\n    rota = [\"ivanova\", \"petrov\", \
         \"georgieva\"]\n    turn = 7\n    start = \"{begun}\"\n"
    );
    let mut clinic = clinic(&[(&was, &is), ("after = 10", "after = 2")]);
    let mut petrov = clinic.phone("petrov", 440.0);
    let mut mobile = clinic.outside(800.0);
    let mut patient = clinic.customer(PATIENT, 1000.0);
    patient.call(&clinic.uri(NUMBER));
    clinic.hears("bg", "Клиниката е затворена. Свързваме ви с дежурния лекар.");
    petrov.event("ringing", SOON);
    mobile.event("ringing", SOON);
    mobile.answer();
    let reason = petrov.event("cancelled", SOON)["reason"].as_str().unwrap_or_default().to_owned();
    assert!(reason.contains("cause=200"), "no missed call is shown at the telephone (RFC 3326): {reason}");
    talk(&mut patient, &mut mobile);
    patient.hang_up();
    mobile.disconnected(SOON);
    let call = clinic.exchange.calls(1).remove(0);
    assert_eq!(mark(&call, "hours"), Some("duty:petrov"), "{call}");
    assert_eq!(call["answered_by"], "+359888000112", "{call}");
    mobile.heard().assert_tone(1000.0, A_SECOND);
    patient.heard().assert_tone(800.0, A_SECOND);
}

#[test]
fn a_holiday_from_a_calendar_programs_file_takes_a_message_and_promises_a_call() {
    let (begins, ends) = (day(-1, "+%Y%m%d"), day(3, "+%Y%m%d"));
    let mut clinic = clinic(&[
        ("DTSTART;VALUE=DATE:20260101", &format!("DTSTART;VALUE=DATE:{begins}")),
        ("DTEND;VALUE=DATE:20260102", &format!("DTEND;VALUE=DATE:{ends}")),
    ]);
    let _reception = clinic.phone("reception", 600.0);
    let mut patient = clinic.customer(PATIENT, 1000.0);
    patient.call(&clinic.uri(NUMBER));
    clinic.hears(
        "bg",
        "Днес не работим. При спешен случай наберете сто и дванадесет. Оставете съобщение след сигнала.",
    );
    patient.confirmed(SOON);
    patient.talk(A_SECOND * 4);
    patient.press("#");
    clinic.hears("bg", "Ще ви се обадим. Дочуване.");
    patient.disconnected(SOON);
    let call = clinic.exchange.calls(1).remove(0);
    assert_eq!((mark(&call, "hours"), mark(&call, "box")), (Some("holiday"), Some("reception")), "{call}");
    assert!(mark(&call, "call-back-by").is_some_and(|by| by.ends_with(" 10:00")), "{call}");
    assert_eq!(parties(&call), [PATIENT], "nobody is rung: {call}");
    Heard::read(&clinic.exchange.recording(&call)).assert_tone(1000.0, A_SECOND * 2);
}
