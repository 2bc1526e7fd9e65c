//! Queue: greets, takes a place in a queue, and lets the caller wait with music and what the queue's strategy announces.
//! Keys do what the settings say: keep the place and be called back, leave a message, go another way. Whoever may not
//! wait, or has waited as long as one may, is taken care of by steps in order; when none of them takes the call, the
//! script fails, so that the number's fallback does: no caller is lost.

mod back;

use back::CallBack;
use std::collections::BTreeMap;
use strowger_script::prelude::*;
use strowger_script::queue::{Place, Refusal};

/// Settings of `strowger/queue`.
#[settings]
pub struct Settings {
    /// The queue, by name.
    pub queue: String,
    /// The language of prompts to begin with, as BCP 47: "bg"; as it is unless set.
    pub language: Option<String>,
    /// Said once, before the waiting; a key cuts it short and counts.
    #[serde(default)]
    pub greeting: Vec<Say>,
    /// Music by name while waiting; the queue's own unless set.
    pub music: Option<String>,
    /// Higher goes first: -100 to 100.
    #[serde(default)]
    pub priority: i32,
    /// Callers whom the company knows go before others.
    pub known: Option<Known>,
    /// Skills that the agent must have, and the least level of each, 1 to 100.
    #[serde(default)]
    pub skills: BTreeMap<String, u8>,
    /// The longest wait in seconds; the queue's own unless set.
    pub longest: Option<u32>,
    /// Done as soon as the caller has a place, in place of waiting: a call back where nobody should wait.
    pub at_once: Option<Step>,
    /// What keys do while waiting, by the key: "1".
    #[serde(default)]
    pub keys: BTreeMap<char, Step>,
    /// What the words of the queue's strategy do, where it makes one of a key: "call-back" and "voicemail" do what they
    /// say unless set.
    #[serde(default)]
    pub words: BTreeMap<String, Step>,
    /// What is done, one after the other until one takes the call, when the caller may not wait or has waited as long as
    /// one may.
    #[serde(default)]
    pub otherwise: Vec<Step>,
    /// The same for one reason alone: "full", "closed", "nobody", "too-long", "longest-wait", or a word of the strategy's.
    #[serde(default)]
    pub otherwise_by: BTreeMap<String, Vec<Step>>,
    /// What the agent is asked when the caller has hung up; nothing unless set.
    pub category: Option<Category>,
}

/// Who counts as known, and what that is worth.
#[settings]
pub struct Known {
    /// Whoever spoke with someone of the company so many times ...
    #[serde(default = "once")]
    pub conversations: u32,
    /// ... within so many days, 0 to 366.
    #[serde(default = "a_quarter")]
    pub days: u32,
    /// Whoever is in the CRM is known too.
    #[serde(default = "yes")]
    pub crm: bool,
    /// Added to the priority.
    #[serde(default = "ten")]
    pub priority: i32,
}

/// Something to do with a caller who waits, or waits no longer.
#[settings]
pub enum Step {
    /// Keep the place and call back at its turn. Goes on waiting when the caller wants that instead; passed over where
    /// there is no place any more.
    CallBack(CallBack),
    /// Say something, and go on.
    Say(Vec<Say>),
    /// Give the place up and ring someone; the next step follows when nobody answers.
    Ring {
        /// Who rings, all together.
        places: Places,
        /// How many seconds, 1 to 600.
        #[serde(default = "twenty")]
        seconds: u32,
        /// Music by name in place of ringing.
        music: Option<String>,
    },
    /// Give the place up and leave a message: settings of `strowger/voicemail`.
    Voicemail(Value),
    /// Give the place up and hand the call over to another script.
    HandOver {
        /// A script of the tenant, or a shipped one: "strowger/ring".
        script: String,
        /// Its settings.
        #[serde(default = "nothing")]
        settings: Value,
    },
    /// End the call.
    HangUp,
}

fn once() -> u32 {
    1
}

fn a_quarter() -> u32 {
    90
}

fn ten() -> i32 {
    10
}

fn twenty() -> u32 {
    20
}

fn yes() -> bool {
    true
}

fn nothing() -> Value {
    json!({})
}

/// Where a step leaves the caller.
#[derive(PartialEq)]
enum Then {
    /// Where it was: in line, or at the next step.
    GoOn,
    /// Out of the line, with nobody to talk to yet.
    OutOfLine,
    /// The script is done.
    Done,
}

#[call_script]
fn on_call(caller: Leg, settings: Settings) -> Result {
    if let Some(language) = &settings.language {
        caller.set_language(language)?;
    }
    if !settings.greeting.is_empty() {
        caller.answer()?;
        caller.play_until_key(say_all(&settings.greeting, &caller))?;
    }
    tag("queue", &settings.queue)?;
    let mut entry = queue::enter(&caller, &settings.queue).priority(priority(&caller, &settings)?);
    for (skill, level) in &settings.skills {
        entry = entry.skill(skill, *level);
    }
    if let Some(seconds) = settings.longest {
        entry = entry.longest(seconds.secs());
    }
    match entry.go() {
        Ok(place) => wait(&caller, &place, &settings),
        Err(Refusal::Failed(failure)) => Err(failure),
        Err(why) => {
            log!("{why}");
            otherwise(&caller, &settings, reason(&why), why.clone().into())
        }
    }
}

/// Waits, and does what keys and words ask for, until the call is somewhere else.
fn wait(caller: &Leg, place: &Place, settings: &Settings) -> Result {
    let keys: String = settings.keys.keys().collect();
    if let Some(step) = &settings.at_once {
        match step.take(caller, Some(place))? {
            Then::Done => return Ok(()),
            Then::OutOfLine => return otherwise(caller, settings, "longest-wait", Failure::NoAnswer),
            Then::GoOn => {}
        }
    }
    loop {
        let waited = match &settings.music {
            Some(name) => place.hearing(music(name)).wait(&keys)?,
            None => place.wait(&keys)?,
        };
        let usual;
        let step = match waited {
            Waited::Connected(agent) => match bridge_until(caller, &agent, "") {
                // The agent was gone before they could talk: the caller is in line still. If it was the caller who
                // left, waiting says so.
                Err(Failure::HungUp) => continue,
                Ok(BridgeEnd::AHungUp) => return Category::of(settings.category.as_ref(), &agent),
                talked => return talked.map(drop),
            },
            Waited::LongestWait => {
                return otherwise(caller, settings, "longest-wait", Failure::NoAnswer);
            }
            Waited::Nobody => return otherwise(caller, settings, "nobody", Failure::Unreachable),
            Waited::Other(word) => return otherwise(caller, settings, &word, Failure::NoAnswer),
            Waited::Digit(key) => settings.keys.get(&key),
            Waited::Asked(word) => {
                usual = usual_step(&word);
                if usual.is_none() {
                    log!(Level::Debug, "the strategy asks for {word}");
                }
                settings.words.get(&word).or(usual.as_ref())
            }
        };
        match step.map_or(Ok(Then::GoOn), |step| step.take(caller, Some(place)))? {
            Then::GoOn => {}
            Then::OutOfLine => return otherwise(caller, settings, "longest-wait", Failure::NoAnswer),
            Then::Done => return Ok(()),
        }
    }
}

/// What the words mean that every strategy may use.
fn usual_step(word: &str) -> Option<Step> {
    match word {
        "call-back" => Some(Step::CallBack(CallBack::default())),
        "voicemail" => Some(Step::Voicemail(nothing())),
        _ => None,
    }
}

/// The steps for someone who does not wait, and the failure that leaves the call to the number's fallback when none of
/// them takes it.
fn otherwise(caller: &Leg, settings: &Settings, reason: &str, failure: Failure) -> Result {
    tag("overflow", reason)?;
    for step in settings.otherwise_by.get(reason).unwrap_or(&settings.otherwise) {
        if step.take(caller, None)? == Then::Done {
            return Ok(());
        }
    }
    Err(failure)
}

impl Step {
    fn take(&self, caller: &Leg, place: Option<&Place>) -> Result<Then> {
        match (self, place) {
            (Step::CallBack(how), Some(place)) => return how.ask(caller, place),
            (Step::CallBack(_), None) => return Ok(Then::GoOn),
            (Step::Say(what), _) => {
                caller.play_until_key(say_all(what, caller))?;
                return Ok(Then::GoOn);
            }
            (_, Some(place)) => place.leave(),
            (_, None) => {}
        }
        match self {
            Step::Ring { places, seconds, music: name } => {
                let mut call = dial(places).for_secs(*seconds).skip_busy();
                if let Some(name) = name {
                    call = call.ringback(music(name));
                }
                match call.ring() {
                    Ok(leg) => bridge(caller, &leg)?,
                    Err(Failure::HungUp) => return Err(Failure::HungUp),
                    Err(why) => {
                        log!("nobody answered: {why}");
                        return Ok(Then::OutOfLine);
                    }
                }
            }
            Step::Voicemail(settings) => hand_over("strowger/voicemail", settings)?,
            Step::HandOver { script, settings } => hand_over(script, settings)?,
            Step::HangUp | Step::CallBack(_) | Step::Say(_) => {}
        }
        Ok(Then::Done)
    }
}

/// The priority of this caller.
fn priority(caller: &Leg, settings: &Settings) -> Result<i32> {
    let Some(known) = &settings.known else { return Ok(settings.priority) };
    if !is_known(&caller.number(), known) {
        return Ok(settings.priority);
    }
    tag("known", "yes")?;
    Ok((settings.priority + known.priority).clamp(-100, 100))
}

fn is_known(number: &str, known: &Known) -> bool {
    if number.is_empty() {
        return false;
    }
    if known.conversations > 0 && directory::conversations(number, known.days) >= known.conversations {
        return true;
    }
    known.crm
        && crm::find(number)
            .unwrap_or_else(|why| {
                log!(Level::Warn, "the CRM: {why}");
                None
            })
            .is_some()
}

/// A refusal, as `otherwise_by` has it.
fn reason(why: &Refusal) -> &str {
    match why {
        Refusal::Full => "full",
        Refusal::Closed => "closed",
        Refusal::Nobody => "nobody",
        Refusal::TooLong(_) => "too-long",
        Refusal::Failed(_) => "failed",
        Refusal::Other(word) => word,
    }
}

#[cfg(test)]
mod tests;
