//! A reception: the reference script of the SDKs, the same in Rust, JavaScript, Python and C. It greets, gathers a key, rings a
//! group in stages, and takes a message when nobody can speak.

use strowger_script::prelude::*;

/// What a number sets for this script.
#[settings]
pub struct Settings {
    /// The recording that greets.
    pub greeting: String,
    /// The group that answers.
    pub group: String,
    /// Rung as well after ten seconds.
    pub then: Option<String>,
}

#[call_script(ended = on_ended)]
fn on_call(caller: Leg, settings: Settings) -> Result {
    log!("{} calls {}", caller.number(), caller.dialled());
    if clock::scheme("office")? == "closed" {
        return hand_over("strowger/voicemail", json!({ "box": settings.group }));
    }
    caller.answer()?;
    let greeting = settings.greeting.as_str();
    let key = caller.menu(greeting).keys("12").retries(1).on_wrong_key(text("No such key.")).try_ask()?;
    let Some(key) = key else {
        return caller.play([text("Good-bye."), tone(330, 500.ms())]);
    };
    tag("key", &key.to_string())?;
    if key == '2' { parcel(&caller) } else { sales(&caller, &settings) }
}

/// Whoever knows the number of a parcel hears where it is.
fn parcel(caller: &Leg) -> Result {
    let number = caller.gather(6).prompt("parcel-number").first_within(8.secs()).ask()?.digits;
    let Some(place) = kv::get_text(&format!("parcel:{number}"))? else {
        return Err(Failure::NotFound(format!("parcel {number}")));
    };
    caller.play([digits(number), text(place)])
}

/// Rings everyone of the group who is free, then whoever else is set.
fn sales(caller: &Leg, settings: &Settings) -> Result {
    let free: Vec<_> = directory::group(&settings.group)
        .into_iter()
        .filter(|user| user.presence == Presence::Free)
        .collect();
    if free.is_empty() {
        return take_message(caller, "Everyone is busy.");
    }
    let mut ringing = dial(free).for_secs(25).skip_busy().present(caller).ringback(music("waiting"));
    if let Some(then) = &settings.then {
        ringing = ringing.then_after(10.secs(), number(then));
    }
    match ringing.ring() {
        Ok(agent) => {
            tag("agent", &agent.user().unwrap_or(agent.number()))?;
            if bridge_until(caller, &agent, "*")? == BridgeEnd::Digit('*') {
                agent.hang_up();
                caller.play(text("Thank you."))?;
            }
            Ok(())
        }
        Err(Failure::HungUp) => Err(Failure::HungUp),
        Err(why) => {
            log!(Level::Warn, "{}: {why}", settings.group);
            take_message(caller, "Nobody answers.")
        }
    }
}

fn take_message(caller: &Leg, why: &str) -> Result {
    caller.play([text(why), silence(250.ms())])?;
    let message = caller.record_message(60.secs(), 3.secs())?;
    tag("message", &message.id)?;
    kv::add("messages", 1)?;
    Ok(())
}

fn on_ended(how: CallRecord) -> Result {
    kv::set("last", format!("{} after {} s", how.caller.number, how.waited.as_secs()))
}
