//! Voicemail: greets, takes a message, and says what becomes of it. The call is marked with the mailbox, which the message
//! goes to by itself, and, where the settings have a deadline, with the moment until which the caller is to be called back.

mod deadline;

use deadline::Deadline;
use std::time::Duration;
use strowger_script::mailbox::Mailbox;
use strowger_script::prelude::*;
use strowger_script::{silence, tone};

/// Settings of `strowger/voicemail`; none is needed.
#[settings]
pub struct Settings {
    /// The mailbox: a user's name, or another. The mark "box" of the call.
    #[serde(default = "office")]
    pub r#box: String,
    /// The language of prompts, as BCP 47: "bg"; as it is unless set.
    pub language: Option<String>,
    /// Said first; a key cuts it short. What somebody recorded for the box unless set, or else a few usual words.
    pub greeting: Option<Vec<Say>>,
    /// A tone before the recording begins.
    #[serde(default = "yes")]
    pub beep: bool,
    /// The longest message in seconds, 1 to 3600; as the box has it unless set.
    pub longest: Option<u32>,
    /// A message ends after so many seconds of quiet, 1 to 60; as the box has it unless set.
    pub silence: Option<u32>,
    /// Shorter than so many seconds is no message: the caller is asked once again. As the box has it unless set.
    pub shortest: Option<u32>,
    /// Said where the box takes no further message.
    #[serde(default = "full")]
    pub full: Say,
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

fn full() -> Say {
    Say::words([
        ("en", "Nobody can take your call now, and there is no room for a message. Please call again later."),
        (
            "bg",
            "В момента никой не може да приеме обаждането ви и няма място за съобщение. Моля, обадете се по-късно.",
        ),
        ("ru", "Сейчас никто не может ответить, и для сообщения нет места. Пожалуйста, перезвоните позже."),
    ])
}

/// Where no box says otherwise, in seconds.
const USUAL: (u32, u32, u32) = (120, 4, 1);

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
    let inbox = mailbox::find(&settings.r#box);
    if inbox.as_ref().is_some_and(|inbox| inbox.full) {
        return caller.play(settings.full.to(&caller));
    }
    caller.play_until_key(greet(&caller, &settings, inbox.as_ref()))?;
    if !record(&caller, &settings, inbox.as_ref())? {
        caller.play(settings.not_heard.to(&caller))?;
        if !record(&caller, &settings, inbox.as_ref())? {
            return Ok(());
        }
    }
    caller.play(say_all(&settings.promise, &caller))
}

fn greet(caller: &Leg, settings: &Settings, inbox: Option<&Mailbox>) -> Vec<Prompt> {
    match (&settings.greeting, inbox.and_then(|inbox| inbox.greeting.as_ref())) {
        (Some(said), _) => say_all(said, caller),
        (None, Some(recorded)) => vec![recorded.into()],
        (None, None) => say_all(&greeting(), caller),
    }
}

/// Records, and says whether there was anything to record.
fn record(caller: &Leg, settings: &Settings, inbox: Option<&Mailbox>) -> Result<bool> {
    let rule = |set: Option<u32>, (least, most): (u32, u32), of_box: fn(&Mailbox) -> Duration, usual: u32| {
        let of_box = inbox.map_or(usual.secs(), of_box);
        set.map_or(of_box, |seconds| seconds.clamp(least, most).secs())
    };
    let longest = rule(settings.longest, LONGEST, |inbox| inbox.longest, USUAL.0);
    let quiet = rule(settings.silence, QUIET, |inbox| inbox.silence, USUAL.1);
    let shortest = rule(settings.shortest, (0, u32::MAX), |inbox| inbox.shortest, USUAL.2);
    forget_keys(caller)?;
    if settings.beep {
        caller.play([silence(200.ms()), tone(BEEP.0, BEEP.1.ms())])?;
    }
    let made = caller.record_message(longest, quiet)?;
    // The quiet that ended it is part of it; where it is shorter than that, a key did.
    let heard = if made.length < quiet { made.length } else { made.length - quiet };
    Ok(heard >= shortest)
}

/// A key that was pressed before must not end the recording.
fn forget_keys(caller: &Leg) -> Result {
    while !caller.gather(1).no_terminator().first_within(1.ms()).ask()?.digits.is_empty() {}
    Ok(())
}

#[cfg(test)]
mod tests;
