//! Mailbox: somebody hears messages by telephone, keeps them, deletes them, calls back, and records the greeting of the
//! box. Whoever calls from a telephone of one of the box's users needs no PIN; everybody else does, and can't call back,
//! which would be at the tenant's cost.

mod words;

use strowger_script::prelude::*;
use strowger_script::{digits, number, quantity, tone};

/// Settings of `strowger/mailbox`; none is needed.
#[settings]
pub struct Settings {
    /// The box; that of whoever calls unless set, and whoever calls from elsewhere is asked for the extension.
    pub r#box: Option<String>,
    /// The language of prompts, as BCP 47: "bg"; as it is unless set.
    pub language: Option<String>,
    /// Whether a telephone of the box's own users needs the PIN too.
    #[serde(default)]
    pub always_pin: bool,
    /// How many seconds a call back rings, 1 to 600.
    #[serde(default = "half_a_minute")]
    pub seconds: u32,
}

/// Wrong PINs in one call; the exchange counts those of several.
const TRIES: u32 = 3;
/// Digits of an extension or a PIN.
const MOST_DIGITS: u8 = 16;
/// How often what can be done is said without an answer.
const PATIENCE: u32 = 2;
/// The longest greeting, and the quiet that ends one.
const GREETING: (u32, u32) = (60, 3);
/// What a greeting is spoken after.
const BEEP: (u16, u32) = (1000, 400);

fn half_a_minute() -> u32 {
    30
}

#[call_script]
fn on_call(caller: Leg, settings: Settings) -> Result {
    caller.answer()?;
    if let Some(language) = &settings.language {
        caller.set_language(language)?;
    }
    let Some(inbox) = enter(&caller, &settings)? else { return caller.play(words::bye().to(&caller)) };
    let at_home = caller.user().is_some_and(|user| inbox.owners.contains(&user));
    let mut told = vec![words::you_have().to(&caller), quantity(inbox.unheard as i32, "message")];
    if inbox.unheard > 0 {
        told.insert(1, words::new().to(&caller));
    }
    caller.play_until_key(told)?;
    for message in inbox.messages()? {
        if !hear(&caller, &inbox, &message, at_home, &settings)? {
            return caller.play(words::bye().to(&caller));
        }
    }
    loop {
        let key = caller.menu(words::no_more().to(&caller)).keys("8*").retries(PATIENCE).try_ask()?;
        match key {
            Some('8') => record_greeting(&caller, &inbox)?,
            _ => return caller.play(words::bye().to(&caller)),
        }
    }
}

/// The box, once whoever calls may hear it; none when the tries are up.
fn enter(caller: &Leg, settings: &Settings) -> Result<Option<mailbox::Mailbox>> {
    let own = caller.user();
    let named = settings.r#box.clone().or_else(|| own.clone());
    for _ in 0..TRIES {
        let name = match &named {
            Some(name) => name.clone(),
            None => ask(caller, &words::which_box())?,
        };
        let inbox = if name.is_empty() { None } else { mailbox::find(&name) };
        if let (Some(inbox), Some(user)) = (&inbox, &own)
            && inbox.owners.contains(user)
            && !settings.always_pin
        {
            return Ok(Some(inbox.clone()));
        }
        // A box that is not there is asked for its PIN as any other: nobody learns which there are.
        let pin = ask(caller, &words::which_pin())?;
        match inbox.map(|inbox| (inbox.unlock(&pin), inbox)) {
            Some((Ok(()), inbox)) => return Ok(Some(inbox)),
            Some((Err(Failure::Limit(_)), _)) => return Ok(None),
            Some((Err(Failure::Refused(_)), _)) | None => caller.play(words::wrong().to(caller))?,
            Some((Err(why), _)) => return Err(why),
        }
    }
    Ok(None)
}

fn ask(caller: &Leg, what: &Say) -> Result<String> {
    Ok(caller.gather(MOST_DIGITS).prompt(what.to(caller)).ask()?.digits)
}

/// Plays a message and does with it what the keys say; false when the caller has had enough.
fn hear(
    caller: &Leg,
    inbox: &mailbox::Mailbox,
    message: &mailbox::Message,
    at_home: bool,
    settings: &Settings,
) -> Result<bool> {
    let mut play = true;
    loop {
        if play {
            let mut what = vec![words::from().to(caller)];
            match message.number.as_str() {
                "" => what.push(words::unknown().to(caller)),
                known => what.push(digits(known)),
            }
            what.push((&message.id).into());
            caller.play_until_key(what)?;
            // It was heard, whatever becomes of it now.
            if !message.heard {
                inbox.keep(message)?;
            }
        }
        play = false;
        let can_call = at_home && !message.number.is_empty();
        let keys = if can_call { "12348#*" } else { "1238#*" };
        let choices = if can_call { words::choices_at_home() } else { words::choices() };
        match caller.menu(choices.to(caller)).keys(keys).retries(PATIENCE).try_ask()? {
            Some('1') => play = true,
            Some('3') => {
                inbox.delete(message)?;
                caller.play(words::deleted().to(caller))?;
                return Ok(true);
            }
            Some('4') => call_back(caller, &message.number, settings)?,
            Some('8') => record_greeting(caller, inbox)?,
            Some('*') => return Ok(false),
            Some('2') => {
                caller.play(words::kept().to(caller))?;
                return Ok(true);
            }
            Some(_) => return Ok(true),
            // Nobody is there, or nobody listens: it stays as it is.
            None => return Ok(false),
        }
    }
}

/// Talks with whoever left the message; then it goes on with the message.
fn call_back(caller: &Leg, to: &str, settings: &Settings) -> Result {
    let target = match directory::find(to) {
        Some(user) => Target::from(user),
        None => number(to),
    };
    match dial(target).for_secs(settings.seconds.clamp(1, 600)).ring() {
        Ok(other) => bridge(caller, &other),
        Err(Failure::HungUp) => Err(Failure::HungUp),
        Err(why) => {
            log!("{to}: {why}");
            caller.play(words::not_reached().to(caller))
        }
    }
}

fn record_greeting(caller: &Leg, inbox: &mailbox::Mailbox) -> Result {
    // What is recorded from here on is no message.
    tag("greeting", &inbox.name)?;
    caller.play(vec![words::speak().to(caller), tone(BEEP.0, BEEP.1.ms())])?;
    let made = caller.record_message(GREETING.0.secs(), GREETING.1.secs())?;
    caller.play(vec![words::now_greets().to(caller), (&made.id).into()])?;
    let key = caller.menu(words::is_it_right().to(caller)).keys("12").retries(PATIENCE).try_ask()?;
    match key {
        Some('1') => {
            inbox.greet_with(Some(&made.id))?;
            caller.play(words::kept().to(caller))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
