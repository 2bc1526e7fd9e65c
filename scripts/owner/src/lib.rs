//! Owner: looks the caller up in the CRM, and rings whoever looks after them, with the contact's name on the display; then
//! the normal scheme takes the call. The call is marked with the contact and the owner, and with who answered where that
//! was the owner, so that both can be told what there is to do. A CRM that does not answer costs nobody the call.

use strowger_script::prelude::*;

/// Settings of `strowger/owner`.
#[settings]
pub struct Owner {
    /// How many seconds the owner rings, 1 to 600.
    #[serde(default = "quarter_of_a_minute")]
    pub seconds: u32,
    /// Said first to whoever has an owner, for which the caller is answered.
    pub greeting: Option<Say>,
    /// Music by name in place of ringing.
    pub music: Option<String>,
    /// What the owner is asked when the caller has hung up; nothing unless set.
    pub category: Option<Category>,
    /// The normal scheme.
    pub otherwise: Next,
}

fn quarter_of_a_minute() -> u32 {
    15
}

#[call_script]
fn on_call(caller: Leg, settings: Owner) -> Result {
    let Some((contact, owner)) = owner_of(&caller)? else { return settings.otherwise.go(&caller) };
    tag("owner", &owner)?;
    if let Some(greeting) = &settings.greeting {
        caller.answer()?;
        caller.play(greeting.to(&caller))?;
    }
    let shown = Party { name: Some(contact.name.clone()), ..caller.party() };
    let mut call = dial(&owner).for_secs(settings.seconds).skip_busy().present(shown);
    if let Some(name) = &settings.music {
        call = call.ringback(music(name));
    }
    match call.ring() {
        Ok(leg) => {
            tag("owner-answered", "yes")?;
            match bridge_until(&caller, &leg, "")? {
                BridgeEnd::AHungUp => Category::of(settings.category.as_ref(), &leg),
                _ => Ok(()),
            }
        }
        Err(Failure::HungUp) => Err(Failure::HungUp),
        Err(why) => {
            log!("owner {owner}: {why}");
            tag("owner-answered", "no")?;
            settings.otherwise.go(&caller)
        }
    }
}

/// The contact who calls, and who looks after them.
fn owner_of(caller: &Leg) -> Result<Option<(crm::Contact, String)>> {
    let number = caller.number();
    if number.is_empty() {
        return Ok(None);
    }
    let contact = match crm::find(&number) {
        Ok(Some(contact)) => contact,
        Ok(None) => return Ok(None),
        Err(why) => {
            log!(Level::Warn, "the CRM: {why}");
            return Ok(None);
        }
    };
    tag("contact", &contact.id)?;
    Ok(contact.owner.clone().map(|owner| (contact, owner)))
}

#[cfg(test)]
mod tests;
