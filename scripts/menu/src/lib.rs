//! Menu: greets, asks for a key, and does what the settings say for it: ring someone, hand over to another script, play
//! something, change the language, open a sub-menu. Wrong keys and silence are asked again a few times.

use std::collections::BTreeMap;
use strowger_script::prelude::*;

/// Settings of `strowger/menu`.
#[settings]
pub struct Settings {
    /// The language of prompts to begin with, as BCP 47: "bg"; the tenant's unless set.
    pub language: Option<String>,
    /// Said once, before the menu.
    #[serde(default)]
    pub greeting: Vec<Say>,
    /// The first menu.
    pub menu: Menu,
}

/// A menu.
#[settings]
pub struct Menu {
    /// What says what can be chosen, in order.
    pub prompts: Vec<Say>,
    /// What to do, by the key or keys pressed: "1", "42", "*".
    pub choices: BTreeMap<String, Action>,
    /// How many times to ask again after a wrong key or none.
    #[serde(default = "twice")]
    pub retries: u32,
    /// How many seconds to wait for the first key, counted from the end of the prompts.
    #[serde(default = "six")]
    pub wait: u32,
    /// How many seconds to wait for a further key, where choices have several.
    #[serde(default = "three")]
    pub between: u32,
    /// The key that ends a choice of several keys early.
    #[serde(default = "hash")]
    pub terminator: char,
    /// Said after keys that choose nothing.
    pub wrong_key: Option<Say>,
    /// Said when no key comes.
    pub no_key: Option<Say>,
    /// What to do when it was asked often enough; the call ends unless set.
    pub otherwise: Option<Box<Action>>,
}

/// What a key does.
#[settings]
pub enum Action {
    /// Open a menu below this one.
    Menu(Menu),
    /// Go back to the menu above; from the first menu, ask again.
    Back,
    /// Ring someone. When nobody answers, the menu is asked again.
    Ring {
        /// Who rings, all together.
        places: Places,
        /// How many seconds, 1 to 600.
        #[serde(default = "half_a_minute")]
        seconds: u32,
        /// Said when nobody answers.
        nobody: Option<Say>,
    },
    /// Hand the call over to another script.
    HandOver {
        /// A script of the tenant, or a shipped one: "strowger/ring".
        script: String,
        /// Its settings.
        #[serde(default = "nothing")]
        settings: Value,
    },
    /// Say something, and ask again.
    Play(Say),
    /// Change the language of prompts, and ask again.
    Language(String),
    /// End the call.
    HangUp,
}

/// The most keys that one question can ask for.
const MOST_KEYS: usize = 32;

fn twice() -> u32 {
    2
}

fn six() -> u32 {
    6
}

fn three() -> u32 {
    3
}

fn half_a_minute() -> u32 {
    30
}

fn hash() -> char {
    '#'
}

fn nothing() -> Value {
    json!({})
}

/// Where to go on after a menu.
#[derive(PartialEq)]
enum Then {
    /// In the menu above.
    Above,
    /// Nowhere: the script is done.
    Done,
}

#[call_script]
fn on_call(caller: Leg, settings: Settings) -> Result {
    caller.answer()?;
    if let Some(language) = &settings.language {
        caller.set_language(language)?;
    }
    caller.play_until_key(say_all(&settings.greeting, &caller))?;
    while open(&caller, &settings.menu)? == Then::Above {}
    Ok(())
}

/// Asks a menu until the caller leaves it, upwards or for good.
fn open(caller: &Leg, menu: &Menu) -> Result<Then> {
    loop {
        let Some(action) = ask(caller, menu)? else { return Ok(Then::Done) };
        match action {
            Action::Menu(below) => {
                if open(caller, below)? == Then::Done {
                    return Ok(Then::Done);
                }
            }
            Action::Back => return Ok(Then::Above),
            Action::Ring { places, seconds, nobody } => {
                match dial(places).for_secs(*seconds).skip_busy().ring() {
                    Ok(agent) => return bridge(caller, &agent).map(|()| Then::Done),
                    Err(Failure::HungUp) => return Err(Failure::HungUp),
                    Err(why) => {
                        log!("nobody answered: {why}");
                        caller.play(say_all(nobody.as_slice(), caller))?;
                    }
                }
            }
            Action::HandOver { script, settings } => return hand_over(script, settings).map(|()| Then::Done),
            Action::Play(say) => caller.play(say.to(caller))?,
            Action::Language(tag) => caller.set_language(tag)?,
            Action::HangUp => return Ok(Then::Done),
        }
    }
}

/// The action chosen; none when it was asked often enough and nothing is set for that.
fn ask<'a>(caller: &Leg, menu: &'a Menu) -> Result<Option<&'a Action>> {
    let most = menu.choices.keys().map(String::len).max().unwrap_or(1).clamp(1, MOST_KEYS) as u8;
    let mut said_first: Option<&Say> = None;
    for _ in 0..=menu.retries {
        let prompts: Vec<_> = said_first.into_iter().chain(&menu.prompts).map(|say| say.to(caller)).collect();
        let question =
            caller.gather(most).prompt(prompts).first_within(menu.wait.secs()).between(menu.between.secs());
        // A terminator that is a choice itself can't end others.
        let question = match menu.choices.contains_key(menu.terminator.to_string().as_str()) || most == 1 {
            true => question.no_terminator(),
            false => question.terminator(menu.terminator),
        };
        let pressed = question.ask()?.digits;
        if let Some(action) = menu.choices.get(&pressed) {
            tag("menu", &pressed)?;
            return Ok(Some(action));
        }
        said_first = if pressed.is_empty() { menu.no_key.as_ref() } else { menu.wrong_key.as_ref() };
    }
    Ok(menu.otherwise.as_deref())
}

#[cfg(test)]
mod tests;
