//! Internal: a call between users, or from a user to the outside through the tenant's trunks. The caller is not answered
//! before the called party is, and hears why not by the SIP status: 486 busy, 480 nobody answers, 404 no such number.

use strowger_script::prelude::*;

/// Settings of `strowger/internal`; none is needed.
#[settings]
pub struct Internal {
    /// How many seconds it rings, 1 to 600.
    #[serde(default = "a_minute")]
    pub seconds: u32,
    /// Ring users who are on a call already.
    #[serde(default = "yes")]
    pub call_waiting: bool,
    /// Users may call the outside.
    #[serde(default = "yes")]
    pub outside: bool,
    /// What is dialled before a number outside, "9" for example; it is taken off.
    pub outside_prefix: Option<String>,
    /// What is dialled before an extension to take the call that rings there, "**" for example.
    pub pick_up_prefix: Option<String>,
    /// The country that national numbers belong to, "+359" for example: "02 123" becomes "+3592123".
    pub country: Option<String>,
    /// What to do when a user does not answer or is busy; the caller is refused unless set.
    pub otherwise: Option<Next>,
}

/// Fewer digits than these are an extension, and never leave through a trunk.
const SHORTEST_NUMBER: usize = 3;

fn a_minute() -> u32 {
    60
}

fn yes() -> bool {
    true
}

#[call_script]
fn on_call(caller: Leg, settings: Internal) -> Result {
    let dialled = caller.dialled();
    if let Some(whom) = settings.pick_up_prefix.as_deref().and_then(|prefix| dialled.strip_prefix(prefix)) {
        let user = directory::find(whom).map_or_else(|| whom.to_owned(), |user| user.name);
        return match pick_up(&user) {
            Err(why @ Failure::NotFound(_)) => caller.decline(&why),
            gone_over => gone_over,
        };
    }
    let to = match destination(&dialled, &settings) {
        Ok(to) => to,
        Err(why) => return caller.decline(&why),
    };
    let mut call = dial(&to).for_secs(settings.seconds);
    if !settings.call_waiting {
        call = call.skip_busy();
    }
    match (call.ring(), &settings.otherwise, &to) {
        (Ok(called), ..) => bridge(&caller, &called),
        (Err(Failure::HungUp), ..) => Err(Failure::HungUp),
        (Err(_), Some(next), Target::User(_)) => next.go(&caller),
        (Err(why), ..) => caller.decline(&why),
    }
}

/// A user by name or extension, else a number outside.
fn destination(dialled: &str, settings: &Internal) -> Result<Target> {
    if let Some(user) = directory::find(dialled) {
        return Ok(user.into());
    }
    let outside = match &settings.outside_prefix {
        Some(prefix) => dialled.strip_prefix(prefix.as_str()),
        None => Some(dialled),
    };
    let number =
        outside.filter(|_| settings.outside).and_then(|number| normal(number, settings.country.as_deref()));
    number.map(Target::Number).ok_or_else(|| Failure::NotFound(dialled.to_owned()))
}

/// A number without spaces and dashes; "00" becomes "+", and "0" the country where one is set. None when it is no
/// number.
fn normal(number: &str, country: Option<&str>) -> Option<String> {
    let plain: String = number.chars().filter(|c| !" -.()/".contains(*c)).collect();
    let digits = plain.strip_prefix('+').unwrap_or(&plain);
    if digits.len() < SHORTEST_NUMBER || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    Some(match (plain.strip_prefix("00"), plain.strip_prefix('0'), country) {
        (Some(rest), ..) => format!("+{rest}"),
        (None, Some(rest), Some(country)) => format!("{country}{rest}"),
        _ => plain,
    })
}

#[cfg(test)]
mod tests;
