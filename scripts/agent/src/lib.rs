//! Agent: an agent dials a number, and is paused, available again, or serves a queue or serves it no longer. One number
//! does one thing where the settings say which (`does`), or asks for a key that says it (`keys`). Whoever is no user of
//! the tenant is refused.

use std::collections::BTreeMap;
use strowger_script::prelude::*;

/// Settings of `strowger/agent`; without any, 1 is available, 2 is a pause.
#[settings]
pub struct Settings {
    /// What this number does; asks for a key unless set.
    pub does: Option<Wish>,
    /// What the keys do: "1".
    #[serde(default = "usual_keys")]
    pub keys: BTreeMap<char, Wish>,
    /// Asks for the key.
    #[serde(default = "which_key")]
    pub which_key: Vec<Say>,
    /// Said when it is done.
    #[serde(default = "done")]
    pub done: Say,
    /// Said when it can't be done.
    #[serde(default = "not_possible")]
    pub not_possible: Say,
}

/// What an agent wishes.
#[settings]
pub enum Wish {
    /// Rung again, and no longer paused or in wrap-up.
    Available,
    /// Not rung until available again; the reason is for the manager, at most 64 bytes.
    Pause(String),
    /// Serve this queue.
    SignIn(String),
    /// Serve this queue no longer.
    SignOut(String),
}

fn usual_keys() -> BTreeMap<char, Wish> {
    BTreeMap::from([('1', Wish::Available), ('2', Wish::Pause("break".to_owned()))])
}

fn which_key() -> Vec<Say> {
    vec![Say::words([
        ("en", "To take calls, press 1. For a break, press 2."),
        ("bg", "За да приемате обаждания, натиснете едно. За почивка, натиснете две."),
        ("ru", "Чтобы принимать звонки, нажмите один. Для перерыва нажмите два."),
    ])]
}

fn done() -> Say {
    Say::words([("en", "Done."), ("bg", "Готово."), ("ru", "Готово.")])
}

fn not_possible() -> Say {
    Say::words([("en", "That is not possible."), ("bg", "Това не е възможно."), ("ru", "Это невозможно.")])
}

#[call_script]
fn on_call(caller: Leg, settings: Settings) -> Result {
    let Some(user) = caller.user() else { return caller.decline(&Failure::Refused(403)) };
    caller.answer()?;
    let wish = match &settings.does {
        Some(wish) => wish,
        None => {
            let keys: String = settings.keys.keys().collect();
            let key = caller.menu(say_all(&settings.which_key, &caller)).keys(&keys).try_ask()?;
            match key.and_then(|key| settings.keys.get(&key)) {
                Some(wish) => wish,
                None => return Ok(()),
            }
        }
    };
    match wish.grant(&user) {
        Ok(()) => caller.play(settings.done.to(&caller)),
        Err(Failure::HungUp) => Err(Failure::HungUp),
        Err(why) => {
            log!(Level::Warn, "{user}: {why}");
            caller.play(settings.not_possible.to(&caller))
        }
    }
}

impl Wish {
    fn grant(&self, user: &str) -> Result {
        match self {
            Wish::Available => agents::make_available(user),
            Wish::Pause(reason) => agents::pause(user, reason),
            Wish::SignIn(queue) => agents::sign_in(user, queue),
            Wish::SignOut(queue) => agents::sign_out(user, queue),
        }
    }
}

#[cfg(test)]
mod tests;
