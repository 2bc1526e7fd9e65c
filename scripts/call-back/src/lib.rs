//! Call back: an agent has answered, and a customer is waiting to be called. Says who it is, rings the customer with the
//! company's number on the display, once more when nobody answers, and lets the two talk. The exchange runs it for those
//! who left a queue and kept their place, with the number, the queue and the time waited as settings; a number of the
//! tenant may use it too.

use std::time::Duration;
use strowger_script::prelude::*;
use strowger_script::{duration, tone};

/// Settings of `strowger/call-back`.
#[settings]
pub struct Settings {
    /// The customer's number.
    pub number: String,
    /// The queue that the customer waited in.
    pub queue: Option<String>,
    /// For how many seconds.
    pub waited: Option<f64>,
    /// The company's number, to be shown to the customer; the exchange's usual one unless set.
    pub show: Option<String>,
    /// How many seconds the customer rings, 1 to 600.
    #[serde(default = "half_a_minute")]
    pub seconds: u32,
    /// How many times the customer is rung.
    #[serde(default = "twice")]
    pub tries: u32,
    /// How many seconds to wait between two tries.
    #[serde(default = "five")]
    pub pause: u32,
    /// Said to the agent first.
    #[serde(default = "a_call_back")]
    pub a_call_back: Say,
    /// Said to the agent before another try.
    #[serde(default = "once_more")]
    pub once_more: Say,
    /// Said to the agent when the customer was not reached.
    #[serde(default = "not_reached")]
    pub not_reached: Say,
}

/// What the agent hears when the customer answers.
const BEEP: (u16, u32) = (1000, 200);
/// Nobody is rung more often than this by one call back.
const MOST_TRIES: u32 = 5;

fn half_a_minute() -> u32 {
    30
}

fn twice() -> u32 {
    2
}

fn five() -> u32 {
    5
}

fn a_call_back() -> Say {
    Say::words([
        ("en", "A customer asked to be called back. We are calling"),
        ("bg", "Клиент помоли да му се обадим. Обаждаме се на"),
        ("ru", "Клиент просил перезвонить. Звоним"),
    ])
}

fn once_more() -> Say {
    Say::words([
        ("en", "Nobody answers. We try once more."),
        ("bg", "Никой не отговаря. Ще опитаме отново."),
        ("ru", "Никто не отвечает. Попробуем ещё раз."),
    ])
}

fn not_reached() -> Say {
    Say::words([
        ("en", "The customer could not be reached."),
        ("bg", "Не успяхме да се свържем с клиента."),
        ("ru", "Не удалось дозвониться до клиента."),
    ])
}

#[call_script]
fn on_call(agent: Leg, settings: Settings) -> Result {
    agent.answer()?;
    tag("call-back", &settings.number)?;
    if let Some(queue) = &settings.queue {
        tag("queue", queue)?;
    }
    agent.play_until_key(who(&agent, &settings))?;
    for attempt in 1..=settings.tries.clamp(1, MOST_TRIES) {
        if attempt > 1 {
            agent.play(settings.once_more.to(&agent))?;
            clock::sleep(settings.pause.secs())?;
        }
        match customer(&settings).ring() {
            Ok(customer) => {
                tag("reached", "yes")?;
                agent.play(tone(BEEP.0, BEEP.1.ms()))?;
                return bridge(&agent, &customer);
            }
            Err(Failure::HungUp) => return Err(Failure::HungUp),
            Err(why) => log!("{}: {why}", settings.number),
        }
    }
    tag("reached", "no")?;
    agent.play(settings.not_reached.to(&agent))
}

/// What the agent is told: the contact's name where there is one, the number, and how long it waited.
fn who(agent: &Leg, settings: &Settings) -> Vec<Prompt> {
    let mut told = vec![settings.a_call_back.to(agent)];
    match crm::find(&settings.number) {
        Ok(Some(contact)) => told.push(Prompt::Text(contact.name)),
        Ok(None) => {}
        Err(why) => log!(Level::Warn, "the CRM: {why}"),
    }
    told.push(digits(&settings.number));
    if let Some(waited) = settings.waited.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()) {
        told.push(duration(waited));
    }
    told
}

/// A user of the tenant where the number is an extension, else a number outside.
fn customer(settings: &Settings) -> Dial {
    let target = match directory::find(&settings.number) {
        Some(user) => Target::from(user),
        None => Target::Number(settings.number.clone()),
    };
    let call = dial(target).for_secs(settings.seconds);
    match &settings.show {
        Some(number) => {
            let uri = format!("tel:{number}");
            call.present(Party { number: number.clone(), name: None, uri })
        }
        None => call,
    }
}

#[cfg(test)]
mod tests;
