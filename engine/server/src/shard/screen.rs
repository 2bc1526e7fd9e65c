//! Who calls, for whoever is rung: their telephone shows the name that the company knows them by, and what it is about
//! (Subject, RFC 3261 §20.36), and the event `call.rings` tells a screen the rest, for each telephone that is rung. What is
//! known here is in the INVITE; a CRM outside is asked beside it and has until its deadline, so that no telephone waits for it.

use std::sync::Arc;

use exchange::{CallId, Contact, LegNo, Party};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::Shard;
use crate::config::Tenant;
use crate::crm::Crm;
use crate::events::wall_millis;
use crate::history;
use crate::node::Node;

/// A conversation that was longer ago is not told.
const DAYS: u32 = history::MOST_DAYS;
/// Characters of a Subject; what is more is left out.
const LONGEST_SUBJECT: usize = 120;

/// A telephone of a user that is rung.
struct Rung {
    call: CallId,
    leg: LegNo,
    user: String,
    caller: Party,
    dialled: String,
}

impl Shard {
    /// Who calls, as the user's telephone is to show it; tells screens of it.
    pub(super) fn introduce(
        &self,
        tenant: &Arc<Tenant>,
        (call, leg): (CallId, LegNo),
        user: &str,
        caller: Party,
        headers: &mut Vec<(String, String)>,
    ) -> Party {
        let first = self.running.get(&call).and_then(|running| running.first.as_ref());
        let dialled = first.map(|first| first.caller.dialled.clone()).unwrap_or_default();
        let node = self.around.node.clone();
        let rung = Rung { call, leg, user: user.to_owned(), caller, dialled };
        // A colleague is in no CRM.
        let is_colleague = tenant.user(&rung.caller.number).is_some();
        let known = if is_colleague { None } else { node.known_contact(tenant, &rung.caller.number) };
        let mut shown = rung.caller.clone();
        if let Some(contact) = &known {
            headers.extend(subject(contact).map(|subject| ("Subject".to_owned(), subject)));
            if !contact.name.is_empty() {
                shown.name = Some(contact.name.clone());
            }
        }
        // What a screen is told besides is read where no call waits for it.
        let tenant = tenant.clone();
        node.script_runtime.clone().spawn(async move {
            let asks = !is_colleague && known.is_none();
            let found = if asks { rung.ask(&node, &tenant).await } else { known };
            rung.tell(&node, &tenant, found.as_ref());
        });
        shown
    }
}

impl Rung {
    /// Whom a CRM outside knows by the number; none also when it has not said so in time.
    async fn ask(&self, node: &Node, tenant: &Arc<Tenant>) -> Option<Contact> {
        if !matches!(tenant.crm, Crm::Remote(_)) || self.caller.number.is_empty() {
            return None;
        }
        node.find_contact(tenant, &self.caller.number).await.ok().flatten()
    }

    fn tell(&self, node: &Node, tenant: &Tenant, contact: Option<&Contact>) {
        let now = Timestamp::from_millisecond(wall_millis().cast_signed()).unwrap_or_default();
        let last = history::last_spoke_with(&node.store, tenant, &self.caller.number, DAYS, now);
        let last = last.ok().flatten().map(|user| user.name.clone());
        node.events.publish(&tenant.name, "call.rings", self.told(tenant, contact, last));
    }

    fn told(&self, tenant: &Tenant, contact: Option<&Contact>, last: Option<String>) -> Value {
        let field = |name: &str| contact.and_then(|contact| field(contact, name));
        let known = contact.map(|contact| contact.name.as_str()).filter(|name| !name.is_empty());
        json!({
            "call": self.call.to_string(),
            "leg": self.leg.0,
            "user": self.user,
            "number": self.caller.number,
            "name": known.or(self.caller.name.as_deref()),
            "contact": contact.map(|contact| &contact.id),
            "company": contact.and_then(|contact| contact.company.as_ref()),
            "owner": contact.and_then(|contact| contact.owner.as_ref()),
            "deal": field("deal"),
            "deal_id": field("deal-id"),
            "last_spoke_with": last,
            "dialled": self.dialled,
            "source": tenant.number(&self.dialled).and_then(|number| number.source.as_ref()),
        })
    }
}

/// What a call of theirs is probably about: "Acme Ltd: A big one".
fn subject(contact: &Contact) -> Option<String> {
    let parts = [contact.company.as_deref(), field(contact, "deal")];
    let text = parts.into_iter().flatten().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(": ");
    // A line of a header has no control characters (RFC 3261 §25.1).
    let text: String = text.chars().filter(|c| !c.is_control()).take(LONGEST_SUBJECT).collect();
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

fn field<'c>(contact: &'c Contact, name: &str) -> Option<&'c str> {
    contact.fields.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_contact_says_of_itself_stays_one_line_of_the_header() {
        let fields = vec![("deal".to_owned(), "Lamps\r\nRoute: <sip:192.0.2.66>".to_owned())];
        let contact = Contact { company: Some("Акме".into()), fields, ..Contact::default() };
        assert_eq!(subject(&contact).as_deref(), Some("Акме: LampsRoute: <sip:192.0.2.66>"));
        let long = Contact { company: Some("ж".repeat(500)), ..Contact::default() };
        assert_eq!(subject(&long).map(|text| text.chars().count()), Some(LONGEST_SUBJECT));
        assert_eq!(subject(&Contact::default()), None);
    }
}
