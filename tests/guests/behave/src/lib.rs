//! A call script that does what its settings say: what is to be measured, and what must be there again after
//! a crash.

#[cfg(target_arch = "wasm32")]
mod floats;

use strowger_script::TalkEnd;
use strowger_script::prelude::*;

/// What to do.
#[settings]
pub struct Behave {
    /// "tone", "ring", "ask", "decide", "count", "wait", "remember", "tell", "vouch" or "reckon".
    pub does: String,
    /// Whom "ring" dials: a telephone number.
    pub number: Option<String>,
    /// Whom "decide" rings: a user.
    pub user: Option<String>,
    /// What "ask" asks.
    pub url: Option<String>,
    /// How many redirects "ask" follows.
    pub redirects: Option<u8>,
}

#[call_script]
fn on_call(caller: Leg, how: Behave) -> Result {
    match how.does.as_str() {
        // Answers, plays one second, and hangs up.
        "tone" => {
            caller.answer()?;
            caller.play(tone(440, 1.secs()))
        }
        "ring" => dial(number(how.number.unwrap_or_default())).for_secs(20).ring().and_bridge(&caller),
        // Asks a server outside who is to be rung. Without an answer it marks the call with why.
        "ask" => {
            let asked = http::get(&how.url.unwrap_or_default()).query("number", &caller.number());
            match asked.within(3.secs()).redirects(how.redirects.unwrap_or(0)).send() {
                Ok(answer) if answer.ok() => {
                    let user = answer.json()?["ring"].as_str().unwrap_or_default().to_owned();
                    dial(Target::User(user)).for_secs(20).ring().and_bridge(&caller)
                }
                Ok(answer) => {
                    tag("status", &answer.status().to_string())?;
                    caller.answer()?;
                    caller.play(tone(440, 1.secs()))
                }
                Err(why) => {
                    tag("failed", &why.to_string())?;
                    caller.answer()?;
                    caller.play(tone(440, 1.secs()))
                }
            }
        }
        // Users may be transferred to, and nobody else.
        "decide" => {
            let user = dial(Target::User(how.user.unwrap_or_default())).for_secs(20).ring()?;
            while let TalkEnd::Transfer(wish) = talk(&caller, &user, "")? {
                match wish.to() {
                    Target::User(_) if wish.by_b() && !wish.attended() => wish.carry_out(20.secs())?,
                    _ => wish.refuse(403)?,
                }
            }
            Ok(())
        }
        // Counts the call in the tenant's memory before it answers, and says in a mark which it was.
        "count" => {
            let count = kv::add("calls", 1)?;
            tag("count", &count.to_string())?;
            caller.answer()?;
            caller.play(silence(10.mins()))
        }
        // Music until a key, then a second of announcement, and music again.
        "wait" => {
            caller.answer()?;
            loop {
                caller.play_until_key(music("shop"))?;
                caller.gather(1).ask()?;
                caller.play(tone(1300, 1.secs()))?;
            }
        }
        // Marks the call with whom the caller spoke last, and how often.
        "remember" => {
            let number = caller.number();
            let last = directory::last_spoke_with(&number, 0);
            tag("last", &last.map_or_else(|| "nobody".to_owned(), |user| user.name))?;
            tag("conversations", &directory::conversations(&number, 0).to_string())?;
            caller.answer()?;
            caller.play(silence(10.mins()))
        }
        // Tells everyone who wants to hear of the call, and marks it with the receipt.
        "tell" => {
            caller.answer()?;
            let receipt = notify::tell("Wants a quote\nfor forty lamps", &[("product", "lamp")])?;
            tag("receipt", &receipt)?;
            let unknown = notify::send("nobody", "lost");
            tag(
                "unknown",
                if unknown == Err(Failure::NotFound("nobody".into())) { "refused" } else { "taken" },
            )?;
            caller.play(silence(10.mins()))
        }
        // Marks the call with what is known of whoever says to call.
        "vouch" => {
            for name in ["verstat", "verstat-reason", "p-attestation-indicator", "p-origination-id"] {
                tag(name, &caller.header(name).join(" "))?;
            }
            caller.answer()?;
            caller.play(silence(1.secs()))
        }
        // Marks the call with what its processor makes of arithmetic.
        #[cfg(target_arch = "wasm32")]
        "reckon" => {
            caller.answer()?;
            let outcomes = floats::outcomes();
            for outcome in &outcomes {
                log!("{} {:016x}", outcome.operation, outcome.digest);
            }
            tag("nans", &outcomes.iter().map(|outcome| outcome.nans).sum::<u32>().to_string())?;
            tag("others", &outcomes.iter().map(|outcome| outcome.others).sum::<u32>().to_string())?;
            caller.play(silence(10.mins()))
        }
        other => Err(Failure::Invalid(other.to_owned())),
    }
}
