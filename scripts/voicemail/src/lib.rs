//! Voicemail: greets, takes a message, and says what becomes of it. The call is marked with the mailbox and, where the
//! settings have a deadline, with the moment until which the caller is to be called back.

mod deadline;

use deadline::Deadline;
use strowger_script::prelude::*;
use strowger_script::{silence, tone};

/// Settings of `strowger/voicemail`; none is needed.
#[settings]
pub struct Settings {
    /// The mailbox: the mark "box" of the call.
    #[serde(default = "office")]
    pub r#box: String,
    /// The language of prompts, as BCP 47: "bg"; as it is unless set.
    pub language: Option<String>,
    /// Said first; a key cuts it short.
    #[serde(default = "greeting")]
    pub greeting: Vec<Say>,
    /// A tone before the recording begins.
    #[serde(default = "yes")]
    pub beep: bool,
    /// The longest message in seconds, 1 to 3600.
    #[serde(default = "two_minutes")]
    pub longest: u32,
    /// A message ends after so many seconds of quiet, 1 to 60.
    #[serde(default = "four")]
    pub silence: u32,
    /// Shorter than so many seconds is no message: the caller is asked once again.
    #[serde(default = "one")]
    pub shortest: u32,
    /// Said before asking again.
    #[serde(default = "not_heard")]
    pub not_heard: Say,
    /// Said after the message: what becomes of it.
    #[serde(default = "promise")]
    pub promise: Vec<Say>,
    /// Until when the caller is to be called back: the mark "call-back-by".
    pub deadline: Option<Deadline>,
}

/// What one speaks after.
const BEEP: (u16, u32) = (1000, 400);
/// Of the message, and of the quiet that ends it, in seconds.
const LONGEST: (u32, u32) = (1, 3600);
const QUIET: (u32, u32) = (1, 60);

fn office() -> String {
    "office".to_owned()
}

fn greeting() -> Vec<Say> {
    vec![Say::words([
        (
            "en",
            "Nobody can take your call now. Please leave a message after the tone, and press any key when you are done.",
        ),
        (
            "bg",
            "В момента никой не може да приеме обаждането ви. Моля, оставете съобщение след сигнала и натиснете клавиш, когато свършите.",
        ),
        (
            "ru",
            "Сейчас никто не может ответить на ваш звонок. Оставьте сообщение после сигнала и нажмите любую клавишу, когда закончите.",
        ),
    ])]
}

fn not_heard() -> Say {
    Say::words([
        ("en", "We could not hear you. Please speak after the tone."),
        ("bg", "Не ви чухме. Моля, говорете след сигнала."),
        ("ru", "Мы вас не услышали. Говорите после сигнала."),
    ])
}

fn promise() -> Vec<Say> {
    vec![Say::words([
        ("en", "Thank you. We will call you back. Good bye."),
        ("bg", "Благодарим ви. Ще ви се обадим. Дочуване."),
        ("ru", "Спасибо. Мы вам перезвоним. До свидания."),
    ])]
}

fn yes() -> bool {
    true
}

fn two_minutes() -> u32 {
    120
}

fn four() -> u32 {
    4
}

fn one() -> u32 {
    1
}

#[call_script]
fn on_call(caller: Leg, settings: Settings) -> Result {
    caller.answer()?;
    if let Some(language) = &settings.language {
        caller.set_language(language)?;
    }
    // Marked first: a caller who hangs up while speaking has left a message too.
    tag("box", &settings.r#box)?;
    if let Some(deadline) = &settings.deadline {
        tag("call-back-by", &deadline.after(&clock::local_time()))?;
    }
    caller.play_until_key(say_all(&settings.greeting, &caller))?;
    if !record(&caller, &settings)? {
        caller.play(settings.not_heard.to(&caller))?;
        if !record(&caller, &settings)? {
            return Ok(());
        }
    }
    caller.play(say_all(&settings.promise, &caller))
}

/// Records, and says whether there was anything to record.
fn record(caller: &Leg, settings: &Settings) -> Result<bool> {
    forget_keys(caller)?;
    if settings.beep {
        caller.play([silence(200.ms()), tone(BEEP.0, BEEP.1.ms())])?;
    }
    let quiet = settings.silence.clamp(QUIET.0, QUIET.1).secs();
    let made = caller.record_message(settings.longest.clamp(LONGEST.0, LONGEST.1).secs(), quiet)?;
    // The quiet that ended it is part of it; where it is shorter than that, a key did.
    let heard = if made.length < quiet { made.length } else { made.length - quiet };
    Ok(heard >= settings.shortest.secs())
}

/// A key that was pressed before must not end the recording.
fn forget_keys(caller: &Leg) -> Result {
    while !caller.gather(1).no_terminator().first_within(1.ms()).ask()?.digits.is_empty() {}
    Ok(())
}

#[cfg(test)]
mod tests;
